"""Reductions in loops: what they keep, in which order they walk, and parts of them."""
