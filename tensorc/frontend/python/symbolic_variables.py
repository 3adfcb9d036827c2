"""Leaves of symbolic expressions: variables by rank and type, constants, memory.

`matrix("x")` is float32; a letter before the name chooses another type: `imatrix` is
int32, with b w i l for 8 to 64 bits, f and d for single and double.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from tensorc.frontend.library.locations import user_location
from tensorc.frontend.library.mistakes import (
    TRACING,
    argument_error,
    door,
    hiding,
    refuse_in_trace,
    usage_error,
)
from tensorc.frontend.library.operands import Array, TensorOperand, exact_array
from tensorc.frontend.python.describing import whole_number
from tensorc.frontend.python.graph.nodes import InputNode, SharedLeaf
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import (
    constant_node,
    describe,
    element_named,
    emitter,
    float_x,
    is_symbolic,
)
from tensorc.ir.captured import is_captured
from tensorc.ir.types import TensorType, element_of

Constructor = Callable[..., Tensor]


class Cell(Protocol):
    """Memory of the runtime, as far as a shared variable must know it."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The element type."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        ...

    def get_value(self, borrow: bool = False) -> Array:
        """Return a copy of the value, or a read-only view of the memory."""
        ...

    def set_value(self, value: object) -> None:
        """Replace the value."""
        ...


class Shared(Tensor):
    """A variable with memory, which calls read and their `updates` change."""

    __slots__ = ()

    @property
    def leaf(self) -> SharedLeaf:
        """The variable's leaf in the graph."""
        assert isinstance(self._operand, TensorOperand)
        leaf = self._operand.value
        assert isinstance(leaf, SharedLeaf)
        return leaf

    @property
    def cell(self) -> Cell:
        """The memory."""
        cell: Cell = self.leaf.cell  # type: ignore[assignment]
        return cell

    @door
    def get_value(self, borrow: bool = False) -> Array:
        """Return a copy of the value or, with `borrow`, a read-only view of the memory.

        The view costs nothing, and shows every later update. TypeError in a traced
        function, which would keep the value of its first call.
        """
        name = self.name or "W"
        hint = f"write `{name}`, which is read at each call"
        refuse_in_trace(f"the value of {self!r} would be read", hint)
        return self.cell.get_value(borrow)

    # What reads arrays gets a copy, which is the reader's own: a step writes over the
    # memory itself, and some readers would write to it.

    @property
    def __array_interface__(self) -> dict[str, object]:
        """NumPy's protocol: a copy of the value. A trace has no values."""
        if TRACING.get():
            raise AttributeError("__array_interface__")  # then NumPy asks `__array__`
        value = self.cell.get_value()
        # The array itself, for the reader to keep: an address would outlive it.
        return {**value.__array_interface__, "data": value}

    @door
    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> Array:
        """Return a copy of the value; ValueError with `copy=False`."""
        if TRACING.get():
            return super().__array__(dtype)
        if copy is False:
            message = f"an array of {self!r} is a copy of its value"
            raise argument_error(message, "a view is W.get_value(borrow=True)")
        return np.asarray(self.get_value(), dtype)

    def __dlpack__(
        self,
        *,
        stream: object = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> object:
        """Return a DLPack capsule of a copy of the value, for `np.from_dlpack`.

        Raises:
            BufferError: `copy` is False, another device is asked for, or DLPack lacks
                the element type.
            TypeError: a function is traced, which has no values.
        """
        if TRACING.get():
            super().__array__()  # which says so
        if copy is False:
            raise BufferError(f"DLPack of {self!r} is a copy of its value")
        asked = {"stream": stream, "max_version": max_version, "dl_device": dl_device}
        given = {name: value for name, value in asked.items() if value is not None}
        return self.get_value().__dlpack__(**given)  # type: ignore[arg-type,misc]

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return where the value is: (1, 0), the CPU's memory."""
        return 1, 0

    @door
    def set_value(self, value: object, borrow: bool = False) -> None:
        """Replace the value; it is always copied, whatever `borrow` says.

        So writing to the array later changes nothing: set it again.

        Raises:
            CallError: the element type does not fit.
            ShapeError: the shape is another one.
            TypeError: it stands in a traced function.
        """
        name = self.name or "W"
        hint = f"write `tc.update({name}, …)` in a @tc.step"
        refuse_in_trace(f"{self!r} would be set", hint)
        if is_symbolic(value):
            message = f"set_value takes an array, got the variable {value!r}"
            raise usage_error(
                message, "a formula goes into updates=[(shared, formula)]"
            )
        self.cell.set_value(value)


def shared_of(cell: Cell, name: str | None) -> Shared:
    """Return the variable of a memory."""
    type_ = TensorType(cell.shape, element_of(cell.dtype))
    return Shared(TensorOperand(SharedLeaf(type_, cell, name or "")), name)


@door
def tensor(
    name: str | None = None,
    dtype: DTypeLike | None = None,
    shape: Sequence[int | None] = (),
) -> Tensor:
    """Return a variable with a size, or None for "any", per axis."""
    if name is not None and not isinstance(name, str):
        message = f"the name of a variable must be a text, got {describe(name)}"
        raise usage_error(message, "matrix('x'), or matrix(dtype='int32')")
    sizes = [None if size is None else _size(size) for size in shape]
    element = float_x() if dtype is None else element_named(dtype)
    leaf = InputNode(element, sizes, name or "", user_location())
    return Tensor(TensorOperand(leaf), name)


def _size(given: object) -> int:
    size = whole_number(given)
    if size is None or size < 0:
        message = f"a size must be an integer from 0 on, or None, got {describe(given)}"
        raise argument_error(message)
    return size


@door
def constant(
    value: object, name: str | None = None, dtype: DTypeLike | None = None
) -> Tensor:
    """Return a variable with a fixed value; Python floats are float32 without dtype."""
    if is_symbolic(value):
        raise usage_error(f"constant takes an array, got the variable {value!r}")
    is_float = isinstance(value, float) and not isinstance(value, np.generic)
    if is_float or (isinstance(value, int) and dtype is not None):
        element = float_x() if dtype is None else element_named(dtype)
        assert isinstance(value, int | float)
        array = exact_array(emitter(), value, element)
    else:
        array = np.asarray(value, dtype if dtype is None else np.dtype(dtype))
    node = constant_node(array)
    if is_captured(node):  # an argument of what is compiled has a name
        node.hint = name or ""
    return Tensor(TensorOperand(node), name)


_SHAPES: Mapping[str, tuple[int | None, ...]] = {
    "scalar": (),
    "vector": (None,),
    "row": (1, None),
    "col": (None, 1),
    "matrix": (None, None),
    "tensor3": (None,) * 3,
    "tensor4": (None,) * 4,
    "tensor5": (None,) * 5,
}
_LETTERS: Mapping[str, str] = {
    "b": "int8",
    "w": "int16",
    "i": "int32",
    "l": "int64",
    "f": "float32",
    "d": "float64",
}


def _constructor(rank: str, letter: str = "") -> Constructor:
    shape = _SHAPES[rank]
    own = _LETTERS.get(letter)

    @hiding
    def make(name: str | None = None, dtype: DTypeLike | None = None) -> Tensor:
        return tensor(name, own if dtype is None else dtype, shape)

    make.__name__ = make.__qualname__ = letter + rank
    make.__module__ = "tensorc"  # where pickle finds it by its name
    axes = ", ".join("any" if s is None else str(s) for s in shape)
    make.__doc__ = f"Return a variable of {own or 'float32'} with sizes ({axes})."
    return make


CONSTRUCTORS: Mapping[str, Constructor] = {
    letter + rank: _constructor(rank, letter)
    for rank in _SHAPES
    for letter in ("", *_LETTERS)
}
