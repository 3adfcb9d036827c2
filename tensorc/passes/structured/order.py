"""The order in which generics are placed into kernels, and which of them wait.

1. Scalars that need nothing else come first.
2. The right side of a product whose left side is a square matrix of rows just made (the
   values of attention) comes before that matrix: the product can then stand in its
   kernel, and the matrix needs no memory.
3. What works row by row on arguments and scalars alone waits until something reads it,
   and so does what is made again (`recompute`).
"""

from collections.abc import Container, Sequence

from tensorc.ir.core import Block, Op, Value
from tensorc.ir.ops.memory.kernels import SizeOf
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Empty, Fill, Generic
from tensorc.ir.ops.tensor.making import Constant
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.cost import body_size
from tensorc.passes.analysis.generics import (
    AGAIN,
    extracts,
    identity_depth,
    is_contraction,
    reads,
    tensor_of,
)
from tensorc.passes.structured.open_groups import MOST_OPS, needs

# What may be computed earlier: it cannot fail, and changes nothing.
_MOVES: tuple[type[Op], ...] = (Generic, Empty, Fill, SizeOf, Constant, arith.Constant)


def in_order(ops: Sequence[Op]) -> list[Op]:
    """Return ops in the order in which they are placed."""
    return _values_first(_scalars_first(ops))


def _scalars_first(ops: Sequence[Op]) -> list[Op]:
    """Move what makes scalars of scalar arguments to the front."""
    early: set[Op] = set()
    for op in ops:
        if not isinstance(op, Generic) or not is_scalar(op.results[0]):
            continue
        known = (is_scalar(v) and (not v.op or v.op in early) for v in needs(op))
        if all(known) and not extracts(op):
            early.add(op)
    return [o for o in ops if o in early] + [o for o in ops if o not in early]


def _values_first(ops: list[Op]) -> list[Op]:
    """Move the right sides of products of square matrices in front of these."""
    wanted: dict[Op, list[Op]] = {}  # what is to come before a product
    for op in ops:
        if not isinstance(op, Generic) or not is_contraction(op):
            continue
        if not _is_square(op.operands[0]):
            continue
        values = [r.value.op for r in reads(op)[1:] if r.value.op is not None]
        for maker in _makers(op.operands[0]):
            wanted.setdefault(maker, []).extend(values)
    if not wanted:
        return ops
    place = {op: number for number, op in enumerate(ops)}
    found: dict[Op, None] = {}
    for op in ops:
        for value in wanted.get(op, ()):
            before = _ancestors(value, op, place, found)
            found.update(dict.fromkeys(sorted(before, key=place.__getitem__)))
        found[op] = None
    return [*found]


def _is_square(value: Value) -> bool:
    """Return whether a generic makes a matrix with as many columns as rows."""
    if not isinstance(value.op, Generic):
        return False
    shape = tensor_of(value).shape
    return len(shape) > 1 and shape[-1] == shape[-2]


def _makers(value: Value) -> list[Op]:
    """Return the products that a square matrix is made of, element by element."""
    found: list[Op] = []
    pending, seen = [value], {value}
    while pending:
        op = pending.pop().op
        assert isinstance(op, Generic)
        if is_contraction(op):
            found.append(op)
            continue
        new = [v for v in op.inputs if _is_square(v) and v not in seen]
        seen.update(new)
        pending += new
    return found


def _ancestors(op: Op, end: Op, place: Container[Op], done: Container[Op]) -> list[Op]:
    """Return an op and all that it needs, but what is done; [] if `end` is needed."""
    found: dict[Op, None] = {}
    pending = [op]
    while pending:
        here = pending.pop()
        if here in found or here in done or here not in place:
            continue
        if here is end or not isinstance(here, _MOVES):
            return []
        found[here] = None
        inside = [v for inner in here.walk() for v in inner.operands]
        pending += [v.op for v in inside if v.op is not None]
    return [*found]


def is_scalar(value: Value) -> bool:
    """Return whether a value is a tensor of rank 0."""
    return isinstance(value.type, TensorType) and not value.type.shape


def waiting_in(block: Block, replaced: Container[Value]) -> dict[Op, int]:
    """Return the generics that may wait for a reader, in order, numbered.

    They work element by element, or reduce along rows, and need only what lies in
    memory in any case (arguments, results of what is no kernel, what is returned, what
    a contraction reads), scalars, and what waits itself. What is made again waits.
    """
    stays = {v for op in block.ops if _reads_memory(op) for v in op.operands}
    found: dict[Op, int] = {}
    weights: dict[Op, int] = {}  # of what waits for an op, itself among it
    for op in block.ops:
        again = AGAIN in op.attributes
        if not isinstance(op, Generic) or not (again or _is_rowwise(op)):
            continue
        ready = [v.op for v in needs(op) if v.op in found]
        weights[op] = body_size(op) + sum(weights[o] for o in ready)
        if again:
            found[op] = len(found)
            continue
        at_hand = all(
            v.op in found or v in stays or is_scalar(v) or v.op not in weights
            for v in needs(op)
        )
        if at_hand and weights[op] <= MOST_OPS and _in_step(op, replaced):
            found[op] = len(found)
    return found


def _in_step(op: Generic, replaced: Container[Value]) -> bool:
    """Return whether an op reads arguments that are replaced at its own index only."""
    return all(
        identity_depth(read.axes) == len(read.axes)
        for read in reads(op)
        if read.value in replaced
    )


def _is_rowwise(op: Generic) -> bool:
    """Return whether a generic gives a tensor, of elements or of whole rows."""
    if is_contraction(op) or is_scalar(op.results[0]):
        return False
    dims = op.maps[0].dims
    return op.reductions == tuple(range(dims - len(op.reductions), dims))


def _reads_memory(op: Op) -> bool:
    """Return whether an op reads whole tensors, not rows that a kernel just made."""
    return is_contraction(op) or not isinstance(op, Generic)
