"""`theano.printing`: graphs as text."""

from tensorc.api.debugging import debugprint
from tensorc.theano.pretty import pp

__all__ = ["debugprint", "pp"]
