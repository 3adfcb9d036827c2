"""What to write for what a variable cannot answer: calls that ask it for its value.

Python asks through a method, `__float__` for math.exp(x). The user's line has the name
of the call, which says what was meant, and so what to write instead.
"""

import linecache
import math
import re
from collections.abc import Mapping

import numpy as np

from tensorc.errors import Location
from tensorc.frontend import elementwise, library
from tensorc.frontend.numpy_names import is_planned, reason_of
from tensorc.frontend.places import did_you_mean

_MADE = "np.stack([a, b]) makes an array of variables"
_IS_ARRAY = "a variable is an array already: leave the call out; x.astype(t) converts"
_NOT_STORED = "an array of NumPy holds no variables: collect them, np.stack(rows), "
_NOT_STORED += "or begin with a variable, u = tc.zeros(n), and u = u.at[i].set(v)"
_CALLS: Mapping[str, str] = {
    "round": "np.round(x)",
    "array": f"{_MADE}; {_IS_ARRAY}",
    "asarray": f"{_IS_ARRAY}; {_MADE}",
    "asanyarray": _IS_ARRAY,
    "ascontiguousarray": _IS_ARRAY,
    "copy": "x.copy()",
}
_COMPARE: Mapping[str, str] = {
    "max(": "np.max(x) of an array, np.maximum(x, y) of two",
    "min(": "np.min(x) of an array, np.minimum(x, y) of two",
    "any(": "np.any(x)",
    "all(": "np.all(x)",
    "sorted(": "np.sort of a variable is not in this version",
}
_DRAWN = "draw outside, pass the numbers in, and compute with them: loc + scale * z"
_MADE_HERE = frozenset(["zeros", "ones", "full", "eye", "tri", "arange"])
_MATH: Mapping[str, str] = {"fabs": "abs", "fsum": "sum"}
_CALLED = re.compile(r"[\w.]*?(\w+)\(")
_STORED = re.compile(r"[\w.]+\[.*\]$")
_INDEXED = re.compile(r"([\w.]+(?:\([^()]*\))?)\[(\w+)\]$")


def asked_hint(place: Location) -> str:
    """Return what to write for the call at a place that asks for a value, or ""."""
    text = source_of(place)
    called = _CALLED.match(text)
    if called is None or text.endswith("]"):
        return _of_brackets(text)
    name = called[1]
    if "random." in called[0]:
        return _DRAWN
    if "math." not in called[0] and name in _CALLS:
        return _CALLS[name]
    if "np." not in called[0] and hasattr(math, name):
        return _of_math(name)
    if hasattr(np, name):
        return _of_numpy(name)
    return _of_brackets(text)


def _each(names: str, instead: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), instead)


_IN_THE_RESULT = "`return x`: a variable has a value only in the result"
_HELD = "tc.grad(cost, wrt, consider_constant=[x]), which holds x constant"
# Attributes of other frameworks' arrays, and of NumPy's.
_ATTRIBUTES: Mapping[str, str] = {
    **_each("numpy cpu cuda tolist get block_until_ready", _IN_THE_RESULT),
    **_each("to type_as", "x.astype('float32')"),
    **_each("float half double", "x.astype('float64') and its like"),
    **_each("int long short", "x.astype('int64') and its like"),
    **_each("detach requires_grad requires_grad_ stop_gradient", _HELD),
    **_each("backward grad", "tc.grad(cost, wrt)"),
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
    "imag": "0: there are no complex numbers",
    "fill": "tc.full_like(x, v)",
    **_each("put itemset", "x.at[i].set(v)"),
}
_OF_MEMORY = frozenset(
    "nbytes itemsize strides data base flags ctypes tobytes tofile dump dumps".split()  # noqa: SIM905
)
_OPERATORS: Mapping[str, str] = {
    **_each("mm bmm matmul", "@"),
    **_each("add", "+"),
    **_each("sub subtract", "-"),
    **_each("mul multiply", "*"),
    **_each("div divide", "/"),
    "pow": "**",
    "eq": "==",
    "lt": "<",
    "gt": ">",
}


def attribute_hint(name: str, cls: type) -> str:
    """Return what to add to the message about an attribute that variables lack."""
    if name in _ATTRIBUTES:
        return f"; write {_ATTRIBUTES[name]}"
    if name in _OF_MEMORY:
        return ", which has no memory: return it, and ask the result"
    if name in _OPERATORS:
        return f"; write x {_OPERATORS[name]} y"
    if name in elementwise.FUNCTIONS or name in library.PRELUDE:
        return f"; write {'np' if hasattr(np, name) else 'tc'}.{name}(x)"
    if is_planned(name) or name in library.NOT_YET:
        return f", and {name} is not in this version"
    if hasattr(np.ndarray, name) and hasattr(np, name):
        why, hints = reason_of(name)
        return "; ".join([f", and np.{name} of a variable {why}", *hints])
    known = [*dir(cls), *elementwise.FUNCTIONS, *library.PRELUDE]
    return did_you_mean(name, known)


def source_of(place: Location) -> str:
    """Return the source at a place; the first line, if there are several."""
    line = linecache.getline(place.file, place.line)
    # Columns count bytes.
    end = place.end_column - 1 if not place.end_line and place.end_column else None
    return line.encode()[place.column - 1 : end].decode(errors="replace").strip()


def compared_hint(place: Location) -> str:
    """Return what to write for a function of Python that compares, or ""."""
    called = _CALLED.match(source_of(place))
    return "" if called is None else _COMPARE.get(called[0], "")


def _of_math(name: str) -> str:
    message = f"math.{name} takes numbers"
    if name == "pow":
        return f"{message}; of variables it is x ** y"
    ours = _MATH.get(name, name)
    if ours not in elementwise.FUNCTIONS and ours not in library.PRELUDE:
        return f"{message}; of variables it is not in this version"
    written = f"np.{ours}" if hasattr(np, ours) else f"tc.{ours}"
    return f"{message}; of variables it is {written}(x)"


def _of_numpy(name: str) -> str:
    """Return what to write for a function of NumPy that takes no variables."""
    function = getattr(np, name)
    if isinstance(function, type) and issubclass(function, np.generic):
        return f"x.astype(np.{name}) converts a variable"
    if name in _MADE_HERE:
        return (
            f"tc.{name} takes sizes and numbers of the call, too; no elements of arrays"
        )
    return (
        f"np.{name} takes numbers, no variables: call it outside, and pass its result"
    )


def _of_brackets(text: str) -> str:
    indexed = _INDEXED.match(text)
    if indexed and indexed[2].isidentifier():
        array, index = indexed.groups()
        return f"np.take({array}, {index}, axis=0) takes variables as indices"
    return _NOT_STORED if _STORED.match(text) else ""
