"""`theano.scalar`: which type two types have in common."""

import numpy as np


def upcast(first: str, *others: str) -> str:
    """Return NumPy's name of the type that types, given by name, have in common."""
    return str(np.result_type(first, *others))
