"""Warnings of what is legal, and most likely not what is meant (TC0319)."""

import itertools
from collections.abc import Sequence

from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    Shape,
    TensorOperand,
    spell_shape,
    spell_type,
)
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, Poly, Symbol
from tensorc.ir.ops.tensor.elementwise import Div, Exp
from tensorc.ir.ops.tensor.nn import Softmax
from tensorc.ir.ops.tensor.reductions import ArgMax, ArgMin, Sum
from tensorc.ir.ops.tensor.shape import Broadcast, Reshape


def warn_of_flat_index(b: Emitter, operands: Sequence[Operand]) -> None:
    """Warn of argmax(p) == y: one index in all of p, compared with one per row."""
    for index, other in (operands, operands[::-1]):
        if not isinstance(index, TensorOperand) or not isinstance(other, TensorOperand):
            continue
        op = index.value.op
        if not isinstance(op, ArgMax | ArgMin) or not other.type.rank:
            continue
        given = TensorOperand(op.operand).type
        if given.rank > 1 and not index.type.rank:
            name = "argmax" if isinstance(op, ArgMax) else "argmin"
            message = f"{name} without an axis is one index in all of "
            message += (
                f"{spell_type(given)}, here compared with {spell_type(other.type)}"
            )
            b.suspect(message, f"one index per row: `{name}(p, axis=1)`")


def warn_of_softmax(b: Emitter, logits: Value) -> None:
    """Warn of cross_entropy(softmax(z), y), which applies softmax twice."""
    if not _is_softmax(logits):
        return
    message = "cross_entropy applies softmax itself: here it is applied twice, which "
    message += "is another cost, with small gradients"
    b.suspect(message, "give it the logits: `cross_entropy(z, y)`")


def _is_softmax(value: Value) -> bool:
    """Tell whether a value is made as `softmax` makes it, or as textbooks spell it."""
    op = value.op
    if isinstance(op, Softmax):
        return True
    if not isinstance(op, Div) or not isinstance(op.lhs.op, Exp):
        return False
    total = op.rhs.op
    while isinstance(total, Broadcast | Reshape):
        total = total.operand.op
    powers = total.operand.op if isinstance(total, Sum) else None
    return isinstance(powers, Exp) and powers.operand is op.lhs.op.operand


def warn_of_columns(b: Emitter, x: TensorOperand, indices: object) -> None:
    """Warn of p[:, y] with an index for each row: it takes all of them from each."""
    if not isinstance(indices, TensorOperand) or indices.type.rank != 1:
        return
    (count,), (rows, columns) = b.shape(indices), b.shape(x)
    if count != rows or rows == columns:
        return
    message = f"all of {spell_type(indices.type)} are taken from each row of "
    message += f"{spell_type(x.type)}: the result has {rows} x {count} elements"
    hint = "one of each row: `p[range(B), y]` in a file, `p[np.arange(n), y]` in Python"
    b.suspect(message, hint)


def warn_of_count(b: Emitter, total: Dim, rest: Dim, message: str) -> None:
    """Warn of a reshape whose numbers of elements agree for one size of a symbol only.

    `message` says how many elements there are: 784*B and 812*B fit only if B is 0.
    """
    difference = b.builder.constraints.resolve(total - rest)
    terms = dict(difference.terms) if isinstance(difference, Poly) else {}
    constant, symbols = terms.pop((), 0), list(terms.items())
    if len(symbols) != 1:
        return
    ((atoms, factor),) = symbols
    if all(isinstance(a, Symbol) and b.written(a.name) for a in atoms):
        name = "*".join(map(str, atoms))
        size, left = divmod(-constant, factor)
        fits = f"only if {name} is {size}" if not left and size >= 0 else "for no size"
        b.suspect(f"{message}has {rest}: they fit {fits}")


def warn_of_outer(
    b: Emitter, operands: Sequence[Value], result: Shape, what: str
) -> None:
    """Warn of [B, 1] against [B]: each row meets all others, [B, B].

    Not where an axis was put there on purpose: `x[:, none] - y`.
    """
    types = [TensorOperand(value) for value in operands]
    if len({t.type.rank for t in types}) == 1:
        return
    shapes = [b.shape(t) for t in types]
    if any(isinstance(value.op, Reshape) for value in operands):
        return
    for own, wanted in itertools.combinations(result, 2):
        if own == 1 or not b.is_same(own, wanted):
            continue
        counts = [sum(b.is_same(own, d) for d in shape) for shape in shapes]
        if all(count == 1 for count in counts):
            both = " and ".join(map(spell_shape, shapes))
            message = f"{what}: {both} make {spell_shape(result)}: "
            message += "each row meets every other"
            hint = "make the axes agree: `x[:, 0]` is a vector, `y[:, none]` a column"
            b.suspect(message, hint)
            return
