"""Passes: one algorithm or one table per module, from one level to the next."""
