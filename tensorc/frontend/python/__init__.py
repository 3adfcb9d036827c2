"""Symbolic variables, traces, NumPy's protocols."""
