"""What to prune, as one frozen value."""
