"""Right sides of products that need no memory: their copy computes them.

A tile reads strips of the right side. Where these are copied, the copy may gather rows
and cast elements as well (`passes.loops.computed`): once, before a product of matrices.
In a batch each chunk of rows copies strips for itself; there may be one alone, then.
Only what is about as cheap as a copy stands in a contraction's body.
"""

from tensorc.ir.core import Value
from tensorc.ir.dims import known_at_most
from tensorc.ir.ops.structured.generics import Generic
from tensorc.passes.analysis.cost import is_flop, is_function
from tensorc.passes.analysis.generics import (
    computes_right,
    has_windows,
    is_contraction,
    product_space,
    tensor_of,
)
from tensorc.passes.schedule.products import CHUNK_ROWS, NARROW
from tensorc.passes.structured.recompute import is_worth

MOST_OPS = 12  # of what a copy computes: the indices of a gather, a cast


def is_read_by_copy(op: Generic, size: int, reader: Generic) -> bool:
    """Return whether a contraction reads what an op makes as its right side alone.

    `size` is how many ops of its body compute. Of few columns, or one row, nothing is
    copied, or what is copied lies otherwise. Numbers that are made of nothing stay an
    operand, which the maps of a product need, and so do those of a matrix that
    `recompute` may make transposed: then its sides change places.
    """
    if not is_contraction(reader) or has_windows(reader) or computes_right(reader):
        return False
    if not op.inputs or is_worth(tensor_of(reader.results[0])):
        return False
    if not _is_right_side(op.results[0], reader) or size > MOST_OPS:
        return False
    if any(is_flop(inner) or is_function(inner) for inner in op.body.block.ops):
        return False
    rows, columns, _ = product_space(reader)
    few = isinstance(columns, int) and columns <= NARROW
    once = reader.maps[0].dims == 3 or known_at_most(rows, CHUNK_ROWS)
    return once and not few and rows != 1


def _is_right_side(value: Value, reader: Generic) -> bool:
    """Return whether a value is the second operand of a contraction, and no other."""
    return reader.operands[1] is value and reader.operands.count(value) == 1
