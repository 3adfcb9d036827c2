"""Random numbers in traced functions and formulas, with a state that advances."""
