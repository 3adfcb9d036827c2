"""Ops on memory, and launches of kernels."""
