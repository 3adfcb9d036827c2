"""`theano.ifelse`."""

from tensorc.frontend.python.control.conditions import ifelse

__all__ = ["ifelse"]
