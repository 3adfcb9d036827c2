"""Attributes that variables lack: those of other frameworks, and of NumPy's arrays.

The tables say what to write instead.
"""

from collections.abc import Mapping

import numpy as np

from tensorc.frontend.library.maps import ROWS
from tensorc.frontend.library.mistakes import misspelt
from tensorc.frontend.library.registry.numpy_names import is_planned, reason_of
from tensorc.frontend.library.registry.rows import PYTHON
from tensorc.frontend.python.numpy_functions import is_here


def _each(names: str, instead: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), instead)


_IN_THE_RESULT = "`return x`: a variable has a value only in the result"
_DRAWN = "rng.dropout(x, p), of rng = tc.random.default_rng(seed)"
_HELD = "tc.stop_gradient(x), which derivatives hold constant"
# Attributes of other frameworks' arrays, and of NumPy's.
_ATTRIBUTES: Mapping[str, str] = {
    **_each("numpy cpu cuda tolist get block_until_ready", _IN_THE_RESULT),
    **_each("to type_as", "x.astype('float32')"),
    **_each("float half double", "x.astype('float64') and its like"),
    **_each("int long short", "x.astype('int64') and its like"),
    **_each("detach requires_grad requires_grad_", _HELD),
    **_each("backward grad", "tc.grad(cost, wrt)"),
    **_each("cond ifelse", "tc.cond(x, f, g), tc.ifelse(x, y, z)"),
    "view": "x.reshape(shape), x.astype(t)",
    "resize": "x.reshape(shape)",
    "permute": "x.transpose(axes)",
    "unsqueeze": "np.expand_dims(x, axis)",
    "t": "x.T",
    "numel": "x.size",
    "dim": "x.ndim",
    "clone": "x.copy()",
    "contiguous": "x: there is one layout",
    "flat": "x.ravel()",
    **_each("real conj conjugate", "x: there are no complex numbers"),
    "dropout": _DRAWN,
    "imag": "0: there are no complex numbers",
    "fill": "tc.full_like(x, v)",
    **_each("put itemset", "x.at[i].set(v)"),
}
_OF_MEMORY = frozenset(
    """nbytes itemsize strides data base flags ctypes tobytes tofile dump dumps byteswap
    device to_device getfield setfield setflags""".split()  # noqa: SIM905
)
_PRODUCTS = frozenset(("mm", "bmm", "matmul"))


def as_operator(name: str) -> str:
    """Return how an operator's function is written, by any of its names; or ""."""
    if name in _PRODUCTS:
        return "x @ y"
    for row in ROWS:
        is_pythons = row.map and not row.map.sign.isalpha()
        if is_pythons and name in {row.name, *row.names, *row.numpys}:
            return row.written
    return ""


def spelled(name: str) -> str:
    """Return how a function that is here is called: np.tanh, tc.one_hot; or ""."""
    if name not in PYTHON:
        return ""
    return f"{'np' if is_here(getattr(np, name, None)) else 'tc'}.{name}"


# What the value of a variable with memory is called elsewhere.
_VALUES = frozenset(("numpy", "value", "data", "cpu", "tolist", "get", "detach"))


def attribute_hint(name: str, cls: type) -> str:
    """Return what to add to the message about an attribute that variables lack."""
    if hasattr(cls, "get_value") and name in _VALUES:
        return "; write W.get_value()"
    if name in _ATTRIBUTES:
        return f"; write {_ATTRIBUTES[name]}"
    if name in _OF_MEMORY:
        return ", which has no memory: return it, and ask the result"
    written = as_operator(name)
    if written:
        return f"; write {written}"
    called = spelled(name)
    if called:
        return f"; write {called}(x)"
    if is_planned(name):
        _, hints = reason_of(name)
        return "; ".join([f", and {name} is not in this version", *hints])
    if hasattr(np.ndarray, name) and hasattr(np, name):
        why, hints = reason_of(name)
        return "; ".join([f", and np.{name} of a variable {why}", *hints])
    return misspelt(name, [*dir(cls), *PYTHON])
