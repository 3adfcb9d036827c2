"""Assignment to what a trace made, as NumPy means it: `y[1:-1] = v`, `y += v`.

A variable is a handle: an assignment gives it another value of the graph. So two names
of one variable both see it, as they do in NumPy. A part x[1:-1], row or column is a
`View`: it is made again when it is read after what it shows was changed, and what is
assigned to it goes into that. Of other views it is not known whether NumPy would copy:
they may not be read after a change.

Arguments belong to the caller, and what stands outside of a branch or of the body of a
loop to that: they are not changed.
"""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tensorc.frontend.library import advanced_indexing
from tensorc.frontend.library.indexing import Index
from tensorc.frontend.library.mistakes import TRACING, usage_error
from tensorc.frontend.library.operands import Operand, TensorOperand, strong
from tensorc.frontend.python.running import HOME
from tensorc.frontend.python.symbolic_operands import emitter
from tensorc.ir.ops.tensor.indexing import SET

# Functions whose results NumPy may give as views of what they are given.
VIEWS = frozenset(
    (
        *("transpose", "reshape", "ravel", "squeeze", "expand_dims", "swapaxes"),
        *("moveaxis", "rollaxis", "broadcast_to", "flip", "rot90", "split"),
        *("array_split", "diagonal", "diag", "meshgrid", "permute_dims", "dimshuffle"),
    )
)


class Handle(Protocol):
    """A variable whose value an assignment may replace."""

    home: object
    version: int
    changes: "Changes"
    view_of: "View | Relative | None"

    @property
    def operand(self) -> Operand:
        """The value in the graph, or a number made of sizes."""
        ...

    def replace(self, operand: Operand) -> None:
        """Have this value from now on."""
        ...


@dataclass(slots=True)
class View:
    """What a variable shows of another: a part of it.

    `version` is that of the other when the part was made.
    """

    base: Handle
    indices: Sequence[Index]
    version: int


class Changes:
    """How often a variable was changed that is no part of another."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


@dataclass(slots=True)
class Relative:
    """What a variable may show of `root`, or have copied; of which nobody need know."""

    root: "weakref.ref[Handle]"
    changes: Changes
    count: int


def relative(handle: Handle) -> Relative | None:
    """Return what a reshaped variable shows; None if nothing else does."""
    while isinstance(handle.view_of, View):
        handle = handle.view_of.base
    if isinstance(handle.view_of, Relative):
        return handle.view_of
    return Relative(weakref.ref(handle), handle.changes, handle.changes.count)


def is_basic(indices: Sequence[Index]) -> bool:
    """Tell indices of which NumPy makes a view: slices, and single ones."""
    return not any(isinstance(i, TensorOperand) and i.type.rank for i in indices)


def refresh(handle: Handle) -> None:
    """Make a part of what was changed again; TypeError for another view of it."""
    view = handle.view_of
    if isinstance(view, Relative):
        if view.changes.count == view.count:
            return
        message = "this variable was made of another, which was changed since"
        hint = "NumPy may have copied it or not; say it: y = x.reshape(n).copy()"
        raise usage_error(message, hint)
    assert view is not None
    base = view.base.operand  # which is made again itself, if need be
    if view.base.version != view.version:
        b = emitter()
        handle.replace(advanced_indexing.take(b, strong(b, base), view.indices))
        view.version = view.base.version


def is_array_of_trace(handle: Handle) -> bool:
    """Tell what an assignment changes from numbers and arguments."""
    operand = handle.operand
    is_array = isinstance(operand, TensorOperand) and bool(operand.type.rank)
    return is_array and _refusal(handle) is None


def require_own(handle: Handle, way: Callable[[], str]) -> None:
    """Raise TypeError for what an assignment may not change."""
    refusal = _refusal(handle)
    if refusal is None:
        return
    hints = (
        ["change a copy of an argument: `y = x.copy()`"] if refusal == _GIVEN else []
    )
    if refusal == _RELATIVE:
        hints = ["say that it is none: `y = x.reshape(n).copy()`"]
    message = f"{handle!r} cannot be changed in place{refusal}"
    raise usage_error(message, *hints, way())


_RELATIVE = ": it may be a view of another"
_GIVEN = ": it is an argument, which belongs to the caller"


def _refusal(handle: Handle) -> str | None:
    """Return why an assignment may not change a variable, None if it may."""
    while isinstance(handle.view_of, View):
        handle = handle.view_of.base
    if isinstance(handle.view_of, Relative) and handle.view_of.root() is not None:
        return _RELATIVE
    if handle.home is not None and handle.home is HOME.get():
        return None
    if not TRACING.get():
        return ""
    if handle.home is not None:
        return ": it was made outside of this branch or loop"
    return _GIVEN


def store(
    handle: Handle, indices: Sequence[Index], new: Operand, combine: str = SET
) -> None:
    """Give a part of a variable new values, and what the variable shows a part of."""
    b = emitter()
    whole = strong(b, handle.operand)
    handle.replace(advanced_indexing.put(b, whole, indices, new, combine))
    view = handle.view_of
    if isinstance(view, View):
        store(view.base, view.indices, handle.operand)
        view.version = view.base.version
    else:
        handle.view_of = None  # what it was made of nobody has
        handle.changes.count += 1
