"""Functions as scalar IR."""
