"""Measuring: what the kernels of a function take, beside the machine's limits."""
