"""Rows for scf: loops and conditions, as blocks."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from tensorc.backend.emit import LONG, LValue, number
from tensorc.backend.llvm.state import State
from tensorc.ir.attributes import Typed
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.ops.loop import scf, vector
from tensorc.ir.ops.scalar import arith
from tensorc.ir.types import MemRefType, VectorType

_OPS_PER_MOVE = 1024  # ops of a loop's body beside which one masked move is nothing
_NARROW = 4  # bytes of an element below which a masked move is a branch per lane


def _for(state: State, op: Op) -> None:
    lower, upper, step, *initial = state.operands(op)
    masks = _tail_masks(op)
    if not masks:
        _loop(state, op, lower, upper, step, initial)
        return
    # See Note [Peeling].
    emit = state.emit
    last = emit.binary("sub", upper, emit.binary("sub", step, number(LONG, 1)))
    loop = emit.begin_loop(lower, last, step, [lower, *initial])
    state.full.update(masks)

    def close(following: list[LValue]) -> None:
        after = emit.binary("add", loop.index, step)
        reached, *carried = emit.end_loop(loop, [after, *following])
        state.full.difference_update(masks)
        _loop(state, op, reached, upper, step, carried)

    _enter(state, op, [loop.index, *loop.carried[1:]], close)


def _loop(
    state: State,
    op: Op,
    lower: LValue,
    upper: LValue,
    step: LValue,
    initial: Sequence[LValue],
) -> None:
    loop = state.emit.begin_loop(lower, upper, step, initial)

    def close(following: list[LValue]) -> None:
        results = state.emit.end_loop(loop, following)
        state.values.update(zip(op.results, results, strict=True))

    _enter(state, op, [loop.index, *loop.carried], close)


def _enter(
    state: State,
    op: Op,
    arguments: Sequence[LValue],
    close: Callable[[list[LValue]], None],
) -> None:
    block = op.regions[0].block
    state.values.update(zip(block.arguments, arguments, strict=True))
    state.open(block.ops, close)


def _tail_masks(op: Op) -> list[Op]:
    """Return the masks that only the last iteration of a loop needs.

    None if a loop inside has such masks of its own: code is doubled once, where it
    matters most.
    """
    masks = [inner for inner in op.walk() if isinstance(inner, vector.CreateMask)]
    loops = [_loop_of(mask) for mask in masks]
    if any(loop not in (None, op) for loop in loops) or _hides_masks(op):
        return []
    return [m for m, loop in zip(masks, loops, strict=True) if loop is op]


def _hides_masks(op: Op) -> bool:
    """Return whether a loop computes so much that its masked moves do not count."""
    computed = moved = 0
    for inner in op.walk():
        computed += 1
        if isinstance(inner, vector.MaskedLoad | vector.MaskedStore):
            type_ = inner.operands[0].type
            assert isinstance(type_, MemRefType)
            if type_.element.bytes < _NARROW:
                return False
            moved += _OPS_PER_MOVE
    return 0 < moved < computed


def _loop_of(mask: Op) -> Op | None:
    """Return the loop whose rest a mask covers.

    The mask is `create_mask(upper - i)` and has as many lanes as the loop's step.
    """
    rest = mask.operands[0].op
    if not isinstance(rest, arith.SubI):
        return None
    upper, counter = rest.operands
    block = counter.owner
    loop = block.parent.parent if isinstance(block, Block) and block.parent else None
    if not isinstance(loop, scf.For) or counter.index or loop.operands[1] is not upper:
        return None
    type_ = mask.result.type
    assert isinstance(type_, VectorType)
    return loop if _is_constant(loop.operands[2], type_.lanes) else None


def _is_constant(value: Value, number_: int) -> bool:
    if not isinstance(value.op, arith.Constant):
        return False
    typed = value.op.attribute("value")
    return isinstance(typed, Typed) and typed.value == number_


def _if(state: State, op: Op) -> None:
    emit = state.emit
    (condition,) = state.operands(op)
    then, *others = [block.ops for region in op.regions for block in region.blocks]
    labels = [emit.label(name) for name in ("then", "else")[: 1 + len(others)]]
    after = emit.label("after")
    emit.branch_if(condition, labels[0], labels[1] if others else after)
    emit.place(labels[0])

    def leave(_: list[LValue]) -> None:
        emit.branch(after)
        emit.place(after)

    def otherwise(_: list[LValue]) -> None:
        emit.branch(after)
        emit.place(labels[1])
        state.open(others[0], leave)

    state.open(then, otherwise if others else leave)


CONTROL_ROWS: Mapping[type[Op], Callable[[State, Op], None]] = MappingProxyType(
    {scf.For: _for, scf.If: _if}
)

# Note [Peeling]: a loop over vectors masks its loads and stores, though only its last
# iteration needs that. On AVX2 and older a masked store takes some twenty cycles (AMD),
# and masks of 8- and 16-bit elements become a branch per lane. With AVX-512 a masked
# move costs nothing in the nearest cache, but nothing is prefetched for it (Zen 5):
# from memory and from the far caches it takes four times as long as a plain one.
# So such a loop is emitted twice: while all lanes are inside, where the masks are
# constant and LLVM drops them, and once more for the rest. A body of very many ops for
# each move is emitted once: twice the code, and nothing to gain.
