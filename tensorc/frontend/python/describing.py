"""What a user gave: whether it is a variable or a number, and in words.

No graph is loaded where there is none.
"""

import operator
import re

import numpy as np


def describe(value: object) -> str:
    """Say what a user gave, for messages: f32[3, 4], list of 2, 'text'."""
    operand = getattr(value, "operand", None)
    if operand is not None:  # then the graph's modules are loaded already
        from tensorc.frontend.library.operands import Scalar, TensorOperand, spell_type

        if isinstance(operand, TensorOperand):
            return spell_type(operand.type)
        if isinstance(operand, Scalar):
            return "a size"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    if isinstance(value, list | tuple | dict | set):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    short = text if len(text) <= 40 else f"{text[:37]}..."
    return f"{short} ({type(value).__name__})"


def is_symbolic(value: object) -> bool:
    """Tell a user's variable from everything else."""
    return isinstance(getattr(type(value), "operand", None), property)


def plain_number(value: object) -> object:
    """Return a number of NumPy as one of Python, and all else as it is."""
    if not isinstance(value, np.generic | np.ndarray) or value.ndim:
        return value
    number: object = value.item()
    return number if isinstance(number, bool | int | float) else value


def whole_number(value: object) -> int | None:
    """Return an integer of Python or NumPy as one of Python, None for all else."""
    if isinstance(value, bool) or is_symbolic(value):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


# Types whose names a file casts by, `f32(x)`, and functions that it has without `np.`.
_CAST = re.compile(r"(?<![\w.])(int|float|f|i|u)(8|16|32|64)?\((\w+)\)")
_KINDS = {"f": "float", "i": "int", "u": "uint"}
# What a loop begins with.
_FIRST = re.compile(r"this (shape|type) before the loop: `[^`]*`")
_FIRSTS = {
    "shape": "this shape in init: np.zeros(shape)",
    "type": "this type in init, or begin with a number of Python, which takes it",
}
_FUNCTION = re.compile(r"(?<![\w.])(where|sum)(?=\()")


_WRITTEN = {
    "`yield` stacks what its turns give": "what it returns beside the carry is "
    "stacked: `return carry, y`",
    "`not x`": "`np.logical_not(x)`",
    "`x: float[3]`": 'tc.tensor("x", "float64", (3,)) of variables; of functions '
    "tc.jacobian(f)(x) and tc.hessian(f)(x) take the sizes of the call",
    "`jvp`, `vjp`": "tc.jvp and tc.vjp of functions, tc.Rop and tc.Lop of variables",
}


def in_python(way: str) -> str:
    """Return a way out that is stated as a file has it, for Python: `x.astype(…)`."""

    def cast(found: re.Match[str]) -> str:
        kind, bits, operand = found.groups()
        return f"{operand}.astype('{_KINDS.get(kind, kind)}{bits or 64}')"

    for own, other in _WRITTEN.items():
        way = way.replace(own, other)
    way = _FIRST.sub(lambda found: _FIRSTS[found[1]], way)
    way = _CAST.sub(cast, way)
    return _FUNCTION.sub(r"np.\1", way)
