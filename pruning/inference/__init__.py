"""Inference with replaced parameters: fused operations, caches, threads, and the accuracy."""
