"""What a row of the registry says of a function that users call."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tensorc.frontend.library.operands import Array, Emitter, Operand
from tensorc.frontend.library.options import Option
from tensorc.ir.core import Op
from tensorc.ir.dims import Dim
from tensorc.ir.types import Element

Fold: TypeAlias = Callable[..., "bool | int | float"]
Rewrite: TypeAlias = Callable[[Emitter, Sequence[Operand]], Operand | None]

# How the summary of an op is spelled for users.
_SPELLED = (
    ("result = ", ""),
    (r"\blhs\b", "x"),
    (r"\brhs\b", "y"),
    (r"\b(the )?[oO]perand\b", "x"),
    ("`floordiv`", "`//`"),
)
# What `dtype=` of a function means, in Python.
OPERANDS = "the operands are converted to it, and the function gives it"
FRACTION = "as of the operands, but to a float type alone"
RESULT = "the result is converted to it, rounded down for integers"


@dataclass(frozen=True, slots=True)
class Map:
    """How a function of elements is computed, by an op and while compiling.

    `rule` says what its operands become: "number" (their common type), "quotient" and
    "float" (a float type), "class" (a float type, gives bool), "compare" (the common
    type, gives bool), "logic" (bool), "whole" (their type; integers stay as they are),
    "bits" (booleans; of integers bits are meant).

    `fold` computes numbers of Python, `array` arrays of numbers, `size` sizes.
    `booleans` is what computes it of booleans: an op, the element type that they
    are converted to, or another function's name. Operands of a kind in `unchanged` are
    the result. `fix` is the way out where the function is refused. `rewrite` sees the
    operands before the op is made, gives what is made instead or None, and may warn.
    """

    rule: str
    fold: Fold
    op: type[Op] | None = None
    array: Callable[..., Array] | None = None
    sign: str = ""
    size: Callable[..., Dim | None] | None = None
    booleans: type[Op] | Element | str | None = None
    unchanged: tuple[str, ...] = ()
    fix: str = ""
    rewrite: Rewrite | None = None


@dataclass(frozen=True, slots=True)
class LibraryFunction:
    """A function that users call: tensors first, then options, then optional tensors.

    `function` is called with the emitter, the tensors and the options. With `sequence`
    the first tensor argument is a sequence of tensors, with `several` the result is
    one. Tensors in `optional` may be left out, they are None then.

    A `.tc` file calls it by `name` if `language`. Python has it as `tc.NAME` by each
    of the names in `python`, which is `name` unless said otherwise; the last ones are
    NumPy's and Theano's. `numpy` is NumPy's function that takes variables: the name of
    a ufunc, or the names of a function, and its parameters that have a position in
    brackets, tensors first; one that has another name here is written `theirs=ours`.
    With `method` it is a method of variables, too, with NumPy's parameters; these may
    be given one by one for the option `spread`: x.reshape(2, 3).

    With `early` optional tensors stand before the options. `aliases` are words of
    Theano and PyTorch for arguments, which may be given by them: "subsample" is
    "stride", and "ceil_mode" is "not ignore_border".

    `is_elementwise` tells that a group is taken member by member. `joined` names what
    makes one number of the results of the members instead: a map, of pairs of them, or
    a function of all. `of_members` computes these results, if it is not `function`.

    `dtype` is OPERANDS,
    FRACTION or RESULT if `tc.NAME` takes a `dtype`. `map` says how elements are
    computed if it is one op.
    """

    name: str
    function: Callable[..., Operand]
    tensors: tuple[str, ...] = ("x",)
    options: Mapping[str, Option] = field(default_factory=dict)
    numpy: str = ""
    python: str | None = None
    language: bool = True
    method: bool = False
    spread: str = ""
    sequence: bool = False
    several: bool = False
    optional: tuple[str, ...] = ()
    is_elementwise: bool = False
    joined: str = ""
    of_members: Callable[..., Operand] | None = None
    dtype: str = ""
    map: Map | None = None
    early: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names in Python: `tc.NAME`."""
        return tuple((self.name if self.python is None else self.python).split())

    @property
    def numpys(self) -> tuple[str, ...]:
        """NumPy's names of its function or ufunc."""
        return tuple(self.numpy.partition("(")[0].split())

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters of NumPy's function; a ufunc has none."""
        text = self.numpy.partition("(")[2].rstrip(")")
        return tuple(text.replace(",", " ").split())

    @property
    def arguments(self) -> tuple[str, ...]:
        """What it is called with, in order."""
        required = [name for name in self.tensors if name not in self.optional]
        if self.early:
            return (*required, *self.optional, *self.options)
        return (*required, *self.options, *self.optional)

    @property
    def doc(self) -> str:
        """What it computes; of a map in a line, with the op's formula."""
        if self.map is None:
            return self.function.__doc__ or ""
        op = self.map.op
        if op is None:
            return f"Logic of booleans: {self.written}."
        if self.map.rule == "compare":
            of_nan = "true" if self.name == "ne" else "false"
            return f"True where {self.written}; {of_nan} for NaN."
        summary = (op.__doc__ or "").splitlines()[0]
        for theirs, ours in _SPELLED:
            summary = re.sub(theirs, ours, summary)
        return summary

    @property
    def written(self) -> str:
        """How it is written with its sign, x + y; "" if it has none."""
        sign = self.map.sign if self.map else ""
        space = " " if sign.isalpha() else ""
        if len(self.tensors) == 2:
            return f"x {sign} y" if sign else ""
        return f"{sign}{space}x" if sign else ""


def computed(name: str) -> Callable[..., Operand]:
    """Return the function of operands that a map is, by its name in the table."""

    def apply(b: Emitter, *operands: Operand) -> Operand:
        return b.compute(b, name, operands)

    apply.__name__ = apply.__qualname__ = name
    return apply
