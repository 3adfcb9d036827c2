"""Random numbers as formulas over bits: keys, numbers, distributions, orders."""
