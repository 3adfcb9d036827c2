"""Jacobians, for all doors: products with unit vectors, put side by side.

Of a value of n elements by variables of m there are n products from the left (vjp) or
m from the right (jvp), whichever are fewer. So one of both is known while compiling.
"""

from collections.abc import Callable, Iterable, Sequence

from tensorc.frontend.library.joining import stack
from tensorc.frontend.library.operands import (
    Emitter,
    Shape,
    TensorOperand,
    broadcast,
    cast,
    constant,
    spell_type,
    strong,
    unsupported,
)
from tensorc.ir.dims import product_of
from tensorc.ir.ops.tensor.elementwise import Compare
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I64, Element

MAX_PRODUCTS = 256  # each is a derivative of its own in the program

Rows = Callable[[TensorOperand], Sequence[TensorOperand]]
Column = Callable[[int, TensorOperand], TensorOperand]


def jacobian(
    b: Emitter,
    value: TensorOperand,
    wrt: Sequence[TensorOperand],
    rows: Rows,
    column: Column,
    name: str = "jacobian",
) -> list[TensorOperand]:
    """Return the derivative of each element of a value by each of each variable.

    A result has the axes of the value, then those of the variable, whose type it has.
    `rows` gives the derivatives by all variables of the value's product with a tensor
    of its shape, `column` the derivative of the value along a direction in one
    variable, by number. `name` is what was asked for: "hessian" where the value is a
    slope.

    Raises:
        CompileError: no side has a size that is known and small enough (TC0190).
    """
    shape = b.shape(value)
    shapes = [b.shape(w) for w in wrt]
    count = product_of(shape)
    counts = [product_of(s) for s in shapes]
    known = [c for c in counts if isinstance(c, int)]
    others = sum(known) if len(known) == len(counts) else None
    fits = [c for c in (count, others) if isinstance(c, int) and c <= MAX_PRODUCTS]
    if not fits:
        raise _too_large(b, value, wrt, name)
    if isinstance(count, int) and count == min(fits):
        units = _units(b, shape, value.type.element)
        found = list(zip(*map(rows, units), strict=True))
        axis, sides = 0, found or [()] * len(wrt)
    else:
        axis, sides = -1, []
        for i, (variable, own) in enumerate(zip(wrt, shapes, strict=True)):
            units = _units(b, own, variable.type.element)
            sides.append(tuple([column(i, unit) for unit in units]))
    return [
        _joined(b, parts, (*shape, *own), axis, variable.type.element)
        for parts, own, variable in zip(sides, shapes, wrt, strict=True)
    ]


def _units(b: Emitter, shape: Shape, element: Element) -> Iterable[TensorOperand]:
    """Yield the tensors of a shape that are 1 at one element and 0 elsewhere."""
    t = TensorBuilder(b.builder)
    count = product_of(shape)
    assert isinstance(count, int)
    if not shape:
        yield TensorOperand(constant(b, 1, element))
        return
    for i in range(count):
        numbers = t.iota((count,), 0, I64)
        own = broadcast(b, constant(b, i, I64), (count,))
        at = cast(b, t(Compare, numbers, own, predicate="eq"), element)
        yield TensorOperand(at if len(shape) == 1 else t.reshape(at, shape))


def _joined(
    b: Emitter,
    parts: Sequence[TensorOperand],
    shape: Shape,
    axis: int,
    element: Element,
) -> TensorOperand:
    """Return the parts side by side on an axis, in a shape and of an element type."""
    if not parts:
        return TensorOperand(broadcast(b, constant(b, 0, element), shape))
    joined = strong(b, parts[0] if len(parts) == 1 else stack(b, parts, axis))
    value = cast(b, joined.value, element)
    if b.shape(joined) != b.resolve(shape):
        value = TensorBuilder(b.builder).reshape(value, shape)
    return TensorOperand(value)


def _too_large(
    b: Emitter, value: TensorOperand, wrt: Sequence[TensorOperand], name: str
) -> Exception:
    types = ", ".join(spell_type(w.type) for w in wrt)
    of = f" of {spell_type(value.type)}" if name == "jacobian" else ""
    what = f"the {name}{of} by {types}"
    why = "it takes a product for each element of one side: a size that is known while"
    why += f" compiling, of at most {MAX_PRODUCTS} elements"
    ways = ["products with it have any sizes: `jvp`, `vjp`"]
    if not all(isinstance(s, int) for x in (value, *wrt) for s in b.shape(x)):
        ways.insert(0, "declare the sizes: `x: float[3]`")
    return unsupported(b, what, why, *ways)
