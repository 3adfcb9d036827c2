"""Kernels that order rows, and search in rows that are in order."""
