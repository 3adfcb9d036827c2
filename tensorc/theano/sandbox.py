"""`theano.sandbox`, of which `rng_mrg` is used."""

from tensorc.theano import rng_mrg

__all__ = ["rng_mrg"]
