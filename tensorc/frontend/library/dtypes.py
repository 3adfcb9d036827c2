"""Element types as Python objects, and the types of arguments: `tc.f32["B", 784]`.

In an annotation, an integer is a size, a text names a size that is the same wherever
the name stands, "_" is any size, and `...` stands for any number of axes.
"""

from dataclasses import dataclass
from types import EllipsisType

import numpy as np

from tensorc.frontend.library.mistakes import argument_error, door, usage_error
from tensorc.frontend.library.operands import spell_element
from tensorc.ir.types import BF16, ELEMENTS, I1, Element

Size = int | str | EllipsisType


@dataclass(frozen=True, slots=True, repr=False)
class ArrayType:
    """The type of an argument: an element type and sizes."""

    element: Element
    sizes: tuple[Size, ...]

    def __str__(self) -> str:
        spelled = ["..." if s is ... else str(s) for s in self.sizes]
        inside = f"[{', '.join(spelled)}]" if self.sizes else ""
        return spell_element(self.element) + inside

    __repr__ = __str__

    def per_axis(self, rank: int) -> tuple[int | str, ...] | None:
        """Return the size of each axis, "_" for any; None if the rank does not fit."""
        if ... in self.sizes:
            index = self.sizes.index(...)
            count = rank - len(self.sizes) + 1
            before, after = self.sizes[:index], self.sizes[index + 1 :]
            sizes = (*before, *["_"] * count, *after)
        else:
            count, sizes = 0, self.sizes
        if count < 0 or len(sizes) != rank:
            return None
        return tuple([s for s in sizes if not isinstance(s, EllipsisType)])


@dataclass(frozen=True, slots=True, repr=False)
class DType:
    """An element type; with sizes in brackets the type of an argument."""

    element: Element

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """NumPy's type, so that this one can stand where NumPy wants a dtype."""
        return self.element.dtype

    @door
    def __getitem__(self, sizes: object) -> ArrayType:
        given = sizes if isinstance(sizes, tuple) else (sizes,)
        found: list[Size] = []
        for size in given:
            if size is ... and ... in found:
                raise argument_error("`...` stands twice in a type")
            found.append(_size(size))
        return ArrayType(self.element, tuple(found))

    def __repr__(self) -> str:
        return f"tensorc.{self.dtype.name}"


class DTypeName(str):
    """The name of an element type, which equals whatever NumPy makes that type of.

    Theano's scripts take `x.dtype` for a text, NumPy's for a `np.dtype`. As a key of a
    dictionary it is the text.
    """

    __slots__ = ()

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str) and str.__eq__(self, other):
            return True
        if not isinstance(other, str | type | np.dtype | DType):
            return False
        try:
            return np.dtype(other) == np.dtype(str(self))
        except (TypeError, ValueError, SyntaxError):  # a text or class that is no type
            return False

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __getattr__(self, name: str) -> object:
        """Return what a `np.dtype` tells: kind, itemsize, name, type."""
        return getattr(np.dtype(str(self)), name)


def _size(size: object) -> Size:
    if isinstance(size, EllipsisType):
        return size
    if isinstance(size, str) and size.isidentifier():
        return size
    if isinstance(size, int | np.integer) and not isinstance(size, bool) and size >= 0:
        return int(size)
    message = f"a size in a type must be an integer, a name or `...`, got {size!r}"
    raise usage_error(message, 'tc.f32["B", 784] is a matrix with 784 columns')


bool_ = DType(I1)
i8 = int8 = DType(ELEMENTS["i8"])
i16 = int16 = DType(ELEMENTS["i16"])
i32 = int32 = DType(ELEMENTS["i32"])
i64 = int64 = DType(ELEMENTS["i64"])
u8 = uint8 = DType(ELEMENTS["ui8"])
u16 = uint16 = DType(ELEMENTS["ui16"])
u32 = uint32 = DType(ELEMENTS["ui32"])
u64 = uint64 = DType(ELEMENTS["ui64"])
f16 = float16 = DType(ELEMENTS["f16"])
bf16 = bfloat16 = DType(BF16)
f32 = float32 = DType(ELEMENTS["f32"])
f64 = float64 = DType(ELEMENTS["f64"])
