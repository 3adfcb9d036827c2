"""`theano.tensor.signal`: pooling, and convolution of single images."""

from tensorc.theano import pool
from tensorc.theano import signal_conv as conv

downsample = pool

__all__ = ["conv", "downsample", "pool"]
