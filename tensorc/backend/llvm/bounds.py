"""Code that checks each access to memory: `check_bounds`, a mode for tests.

Every memory has an extent beside its address, in elements: of arguments and results of
an entry by the formulas of their sizes, of views by their own sizes, which must lie in
what they are views of. A kernel is given the extents of its memory in words behind its
record, and that of the scratch last. Before each access its indices are compared with
the extent, lane by lane where the mask is true; a tile of a product is compared at its
corners. What lies outside ends the call: the record gets the address of a text that
names the access, the index and the extent.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from tensorc.artifact import STATUS_BOUNDS, RecordWord
from tensorc.backend.emit import (
    BOOL,
    LONG,
    WORD,
    FunctionEmitter,
    LType,
    LValue,
    lane_numbers,
    number,
)
from tensorc.backend.llvm.state import State
from tensorc.ir.attributes import ArrayAttr, Dims
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, Symbol, product_of
from tensorc.ir.ops.builtin import Call, Function
from tensorc.ir.ops.loop import scf, vector
from tensorc.ir.ops.memory import kernels, memory
from tensorc.ir.types import MemRefType, element_type

_ZERO, _ONE = number(LONG, 0), number(LONG, 1)
Check = Callable[[State, Op], None]


def check(state: State, op: Op) -> None:
    """Compare the indices of an access, and learn the extents of what an op gives."""
    row = CHECKS.get(type(op))
    if row is not None:
        row(state, op)


def extents_passed(state: State, op: Op) -> list[LValue]:
    """Return what a launch passes on behind the record: an extent for each memory."""
    *given, _, _, scratch = op.operands
    memories = [v for v in given if isinstance(v.type, MemRefType)]
    return [_extent(state, v) for v in (*memories, scratch)]


def words_passed(op: Op) -> int:
    """Return how many words these are."""
    return sum(isinstance(v.type, MemRefType) for v in op.operands)


def learn_of_kernel(
    state: State, function: Function, load: Callable[[int], LValue]
) -> None:
    """Take the extents that a kernel is given, in words that `load` reads."""
    memories = [
        a for a in function.body.block.arguments if isinstance(a.type, MemRefType)
    ]
    for index, argument in enumerate(memories):
        state.extents[argument] = load(index)


def learn_of_entry(state: State, function: Function) -> None:
    """Compute the extents of what an entry is given, from its sizes."""
    attributes, arguments = function.attributes, function.body.block.arguments
    shapes, symbols = attributes["tc.shapes"], attributes["tc.symbols"]
    assert isinstance(shapes, ArrayAttr)
    assert isinstance(symbols, ArrayAttr)
    formulas: list[Dim] = []
    for shape in shapes.items:
        assert isinstance(shape, Dims)
        formulas.append(product_of(shape.dims))
    for name in ("tc.arena", "tc.scratch"):
        size = attributes[name]
        assert isinstance(size, Dims)
        formulas.append(size.dims[0])
    count = len(symbols.items)
    given = arguments[len(arguments) - count :]
    sizes = {str(n): state.values[v] for n, v in zip(symbols.items, given, strict=True)}
    memories = arguments[: len(arguments) - count]
    for argument, formula in zip(memories, formulas, strict=True):
        state.extents[argument] = _size(state.emit, formula, sizes)


def _size(emit: FunctionEmitter, dim: Dim, sizes: Mapping[str, LValue]) -> LValue:
    """Return the value of a dimension."""
    if isinstance(dim, int):
        return number(LONG, dim)
    total = _ZERO
    for atoms, factor in dim.terms:
        term = number(LONG, factor)
        for atom in atoms:
            if isinstance(atom, Symbol):
                value = sizes[atom.name]
            else:
                left, right = (_size(emit, d, sizes) for d in (atom.left, atom.right))
                value = _KINDS[atom.kind](emit, left, right)
            term = emit.binary("mul", value, term)
        total = emit.binary("add", total, term)
    return total


def _floordiv(emit: FunctionEmitter, left: LValue, right: LValue) -> LValue:
    quotient = emit.binary("sdiv", left, right)
    rest = emit.binary("srem", left, right)
    signs = emit.compare("slt", emit.binary("xor", rest, right), _ZERO)
    down = emit.binary("and", signs, emit.compare("ne", rest, _ZERO))
    return emit.binary("sub", quotient, emit.cast("zext", down, "i64"))


def _bound(emit: FunctionEmitter, index: LValue, size: LValue) -> LValue:
    is_negative = emit.compare("slt", index, _ZERO)
    from_end = _most(emit, emit.binary("add", index, size), _ZERO)
    return emit.select(is_negative, from_end, _least(emit, index, size))


def _least(emit: FunctionEmitter, left: LValue, right: LValue) -> LValue:
    return emit.intrinsic("smin", LONG, left, right)


def _most(emit: FunctionEmitter, left: LValue, right: LValue) -> LValue:
    return emit.intrinsic("smax", LONG, left, right)


_KINDS = {
    **{"floordiv": _floordiv, "min": _least, "max": _most, "bound": _bound},
}


def _extent(state: State, value: Value) -> LValue:
    return state.extents[value]


def _require_all(
    state: State, op: Op, first: LValue, last: LValue, extent: LValue
) -> None:
    """Fail unless 0 <= first and last < extent."""
    emit = state.emit
    below = emit.compare("slt", first, _ZERO)
    beyond = emit.compare("sge", last, extent)
    index = emit.select(below, first, last)
    _fail_if(state, op, emit.binary("or", below, beyond), index, extent)


def _require_lanes(
    state: State, op: Op, indices: LValue, mask: LValue, extent: LValue
) -> None:
    """Fail unless all indices of lanes whose mask is true are inside."""
    emit, lanes = state.emit, indices.type.lanes
    limit = emit.splat(extent, lanes)
    outside = emit.binary("and", emit.compare("uge", indices, limit), mask)
    some = emit.intrinsic("vector.reduce.or", BOOL, outside)
    # The one furthest off, with the sign that it has.
    zeros = number(indices.type, 0)
    chosen = emit.select(outside, indices, zeros)
    low = emit.intrinsic("vector.reduce.smin", LONG, chosen)
    high = emit.intrinsic("vector.reduce.smax", LONG, chosen)
    index = emit.select(emit.compare("slt", low, _ZERO), low, high)
    _fail_if(state, op, some, index, extent)


def _fail_if(
    state: State, op: Op, is_outside: LValue, index: LValue, extent: LValue
) -> None:
    """End the function where an access is outside, and say which."""
    emit = state.emit
    outside, inside = emit.label("outside"), emit.label("inside")
    emit.branch_if(is_outside, outside, inside)
    emit.place(outside)
    at = f" of {op.location}" if op.location.line else ""
    text = f"{op.name} in {emit.name}{at}"
    words = {
        RecordWord.SITE: state.module.data(text.encode() + b"\0", 1),
        RecordWord.INDEX: index,
        RecordWord.SIZE: extent,
    }
    for word, value in words.items():
        emit.store(value, emit.offset(LONG, state.record, number(LONG, word)), 8)
    emit.ret(number(WORD, STATUS_BOUNDS))
    emit.place(inside)


# Accesses


def _one(memref: int) -> Check:
    """Return the check of an access to one element, whose index is behind `memref`."""

    def row(state: State, op: Op) -> None:
        index = state.values[op.operands[memref + 1]]
        _require_all(state, op, index, index, _extent(state, op.operands[memref]))

    return row


def _neighbours(state: State, op: Op) -> None:
    _, index, mask, _ = state.operands(op)
    type_ = LType("i64", mask.type.lanes)
    numbers = state.emit.splat(index, type_.lanes)
    indices = state.emit.binary("add", numbers, lane_numbers(type_))
    _require_lanes(state, op, indices, mask, _extent(state, op.operands[0]))


def _scattered(state: State, op: Op) -> None:
    _, index, offsets, mask, _ = state.operands(op)
    numbers = state.emit.splat(index, offsets.type.lanes)
    indices = state.emit.binary("add", numbers, offsets)
    _require_lanes(state, op, indices, mask, _extent(state, op.operands[0]))


def _tile(state: State, op: Op) -> None:
    """Check the corners of the three matrices; what has no terms reads nothing."""
    assert isinstance(op, kernels.GemmTile)
    emit = state.emit
    _, a_at, _, b_at, _, c_at, count, height, columns, _, *given = state.operands(op)
    rest = iter(given)
    a_row, a_step, b_row, c_row = (
        next(rest) if s == kernels.DYNAMIC else number(LONG, s)
        for s in (*op.a_strides, op.b_stride, op.c_stride)
    )
    _require_all(state, op, columns, columns, number(LONG, op.width + 1))
    _require_all(state, op, height, height, number(LONG, op.rows + 1))
    some = emit.compare("sgt", count, _ZERO)
    width = number(LONG, op.width) if op.padded else columns
    matrices = (
        (0, a_at, (a_row, height), (a_step, count), True),
        (2, b_at, (b_row, count), (_ONE, width), True),
        (4, c_at, (c_row, height), (_ONE, columns), False),
    )
    for number_, start, *axes, is_read in matrices:
        first = last = start
        for stride, size in axes:
            end = emit.binary("mul", stride, emit.binary("sub", size, _ONE))
            first = emit.binary("add", first, _least(emit, end, _ZERO))
            last = emit.binary("add", last, _most(emit, end, _ZERO))
        if is_read:
            first = emit.select(some, first, _ZERO)
            last = emit.select(some, last, number(LONG, -1))
        _require_all(state, op, first, last, _extent(state, op.operands[number_]))


# Memory


def _alloca(state: State, op: Op) -> None:
    type_ = op.result.type
    assert isinstance(type_, MemRefType)
    count = math.prod([size or 0 for size in type_.shape])
    state.extents[op.result] = number(LONG, count)


def _data(state: State, op: Op) -> None:
    assert isinstance(op, memory.Data)
    count = len(op.value.content) // element_type(op.result.type).bytes
    state.extents[op.result] = number(LONG, count)


def _view(state: State, op: Op) -> None:
    """Check that a view lies in the bytes that it is one of."""
    emit = state.emit
    _, offset, *_ = state.operands(op)
    count = _elements(state, op, 2)
    size = number(LONG, element_type(op.result.type).bytes)
    end = emit.binary("add", offset, emit.binary("mul", count, size))
    last = emit.binary("sub", end, _ONE)
    is_empty = emit.compare("sle", count, _ZERO)
    first = emit.select(is_empty, _ZERO, offset)
    last = emit.select(is_empty, number(LONG, -1), last)
    _require_all(state, op, first, last, _extent(state, op.operands[0]))
    state.extents[op.result] = count


def _elements(state: State, op: Op, first: int) -> LValue:
    """Return the elements of a result, whose unknown sizes are operands."""
    type_ = op.result.type
    assert isinstance(type_, MemRefType)
    rest = iter(state.operands(op)[first:])
    count = _ONE
    for size in type_.shape:
        value = next(rest) if size is None else number(LONG, size)
        count = state.emit.binary("mul", count, value)
    return count


def _reshape(state: State, op: Op) -> None:
    count = _elements(state, op, 1)
    last = state.emit.binary("sub", count, _ONE)
    _require_all(state, op, _ZERO, last, _extent(state, op.operands[0]))
    state.extents[op.result] = count


def _part(state: State, op: Op) -> None:
    _, start, count = state.operands(op)
    emit = state.emit
    end = emit.binary("sub", emit.binary("add", start, count), _ONE)
    is_empty = emit.compare("sle", count, _ZERO)
    first = emit.select(is_empty, _ZERO, start)
    last = emit.select(is_empty, number(LONG, -1), end)
    _require_all(state, op, first, last, _extent(state, op.operands[0]))
    state.extents[op.result] = count


def _loop(state: State, op: Op) -> None:
    """Give what a loop carries the extents of its first values: they never change."""
    initial = op.operands[3:]
    inside = op.regions[0].block.arguments[1:]
    for first, value, result in zip(initial, inside, op.results, strict=True):
        if isinstance(first.type, MemRefType):
            extent = _extent(state, first)
            state.extents[value] = state.extents[result] = extent


CHECKS: Mapping[type[Op], Check] = MappingProxyType(
    {
        memory.Load: _one(0),
        memory.Store: _one(1),
        vector.MaskedLoad: _neighbours,
        vector.MaskedStore: _neighbours,
        vector.Gather: _scattered,
        kernels.GemmTile: _tile,
        memory.Alloca: _alloca,
        memory.Data: _data,
        memory.View: _view,
        memory.Reshape: _reshape,
        memory.Part: _part,
        scf.For: _loop,
    }
)
# Ops on memory that touch none: they ask for it, or pass it on.
HARMLESS: Sequence[type[Op]] = (memory.Prefetch, kernels.Launch, Call)
