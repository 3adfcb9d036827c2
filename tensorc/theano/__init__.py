"""Theano's own words: what its tutorials import, made of this package.

`python -m tensorc.theano script.py` runs a script whose `import theano` finds this
room; in a program `tensorc.theano.install()` does the same. All is the
symbolic door's, with Theano's names, orders of arguments and defaults; only what Theano
does in another way than NumPy is written here.
"""

import sys

from tensorc.api.function import In, Out, shared
from tensorc.frontend.python.derivatives.products import Lop, Rop
from tensorc.frontend.python.symbolic import Tensor as Variable
from tensorc.theano import (
    compile,
    gradient,
    printing,
    sandbox,
    scalar,
    scan_module,
    tensor,
    updates,
)
from tensorc.theano import conditions as ifelse
from tensorc.theano.functions import function
from tensorc.theano.gradient import grad
from tensorc.theano.installing import install
from tensorc.theano.printing import debugprint, pp
from tensorc.theano.scan_module import foldl, foldr, scan
from tensorc.theano.scan_module import map as map
from tensorc.theano.scan_module import reduce as reduce
from tensorc.theano.settings import config
from tensorc.theano.updates import OrderedUpdates

Param = In
# `from theano import *` gives the module, too, and hides no `map` of Python's.
theano = sys.modules[__name__]

__all__ = [
    "In",
    "Lop",
    "OrderedUpdates",
    "Out",
    "Param",
    "Rop",
    "Variable",
    "compile",
    "config",
    "debugprint",
    "foldl",
    "foldr",
    "function",
    "grad",
    "gradient",
    "ifelse",
    "install",
    "pp",
    "printing",
    "sandbox",
    "scalar",
    "scan",
    "scan_module",
    "shared",
    "tensor",
    "theano",
    "updates",
]
