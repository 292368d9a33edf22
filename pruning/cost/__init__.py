"""What a network costs: MACs, bytes, memory, latency."""
