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
_MATH: Mapping[str, str] = {"fabs": "abs", "fsum": "sum"}
_CALLED = re.compile(r"[\w.]*?(\w+)\(")
_STORED = re.compile(r"[\w.]+\[.*\]$")
_INDEXED = re.compile(r"([\w.]+(?:\([^()]*\))?)\[(\w+)\]$")


def asked_hint(place: Location) -> str:
    """Return what to write for the call at a place that asks for a value, or ""."""
    text = source_of(place)
    called = _CALLED.match(text)
    if called is None:
        return _of_brackets(text)
    name = called[1]
    if "math." not in called[0] and name in _CALLS:
        return _CALLS[name]
    if hasattr(math, name):
        return _of_math(name)
    return _of_brackets(text)


def source_of(place: Location) -> str:
    """Return the source at a place; the first line, if there are several."""
    line = linecache.getline(place.file, place.line)
    # Columns count bytes.
    end = place.end_column - 1 if not place.end_line and place.end_column else None
    return line.encode()[place.column - 1 : end].decode(errors="replace").strip()


def _of_math(name: str) -> str:
    message = f"math.{name} takes numbers"
    if name == "pow":
        return f"{message}; of variables it is x ** y"
    ours = _MATH.get(name, name)
    if ours not in elementwise.FUNCTIONS and ours not in library.PRELUDE:
        return f"{message}; of variables it is not in this version"
    written = f"np.{ours}" if hasattr(np, ours) else f"tc.{ours}"
    return f"{message}; of variables it is {written}(x)"


def _of_brackets(text: str) -> str:
    indexed = _INDEXED.match(text)
    if indexed and indexed[2].isidentifier():
        array, index = indexed.groups()
        return f"np.take({array}, {index}, axis=0) takes variables as indices"
    return _NOT_STORED if _STORED.match(text) else ""
