"""`theano.compile`: modes by name, and the class of shared variables."""

import sys

from tensorc.api.function import Function
from tensorc.frontend.python.symbolic_variables import Shared
from tensorc.theano.functions import function
from tensorc.theano.settings import config

SharedVariable = Shared
mode = sys.modules[__name__]
__all__ = ["Function", "SharedVariable", "function", "get_default_mode", "mode"]


def get_default_mode() -> str:
    """Return the name of the mode that functions are compiled in."""
    return str(config.mode)
