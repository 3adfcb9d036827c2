"""Rows for memref and vector: loads, stores, masks and reductions."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tensorc.backend.emit import (
    BOOL,
    VOID,
    WORD,
    FunctionEmitter,
    LType,
    LValue,
    lane_numbers,
    number,
)
from tensorc.backend.llvm import bfloat16
from tensorc.backend.llvm.state import State, is_signed, memory_type, scalar_of, type_of
from tensorc.errors import InternalError
from tensorc.ir.attributes import Enum
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.memory.kernels import READ_ONCE
from tensorc.ir.types import BF16, Element, MemRefType, VectorType, element_type

_CACHE_LINE = 64


def _cell(memref: Value) -> tuple[LType, int]:
    """Return the type of an element in memory and its alignment."""
    element = element_type(memref.type)
    return memory_type(element), element.bytes


def _to_register(state: State, value: LValue, element: Element) -> LValue:
    if element == BF16:
        wide = bfloat16.from_memory(state.emit, value)
        state.cells[wide] = value
        return wide
    if element.name != "i1":
        return value
    return state.emit.compare("ne", value, number(value.type, 0))


def _to_memory(state: State, value: LValue, memref: Value) -> LValue:
    if element_type(memref.type) == BF16:
        cell = state.cells.get(value)
        return bfloat16.to_memory(state.emit, value) if cell is None else cell
    return state.emit.cast("zext", value, "i8") if value.type.scalar == "i1" else value


def _address(state: State, memref: Value, index: LValue) -> LValue:
    return state.emit.offset(_cell(memref)[0], state.values[memref], index)


def _alloca(state: State, op: Op) -> None:
    type_ = op.result.type
    assert isinstance(type_, MemRefType)
    count = 1
    for size in type_.shape:
        count *= size or 0
    cell, _ = _cell(op.result)
    state.values[op.result] = state.emit.alloca(cell, count, _CACHE_LINE)


def _data(state: State, op: Op) -> None:
    assert isinstance(op, memory.Data)
    state.values[op.result] = state.module.data(op.value.content, _CACHE_LINE)


def _view(state: State, op: Op) -> None:
    source, offset = state.operands(op)[:2]
    state.values[op.result] = state.emit.offset(LType("i8"), source, offset)


def _part(state: State, op: Op) -> None:
    state.values[op.result] = _address(state, op.operands[0], state.operands(op)[1])


def _reshape(state: State, op: Op) -> None:
    state.values[op.result] = state.operands(op)[0]


def _require_flat(op: Op, memref: Value) -> None:
    if not isinstance(memref.type, MemRefType) or memref.type.rank != 1:
        raise InternalError(f"{op.name} at {op.location} on {memref.type}", "llvm")


def _load(state: State, op: Op) -> None:
    _require_flat(op, op.operands[0])
    cell, align = _cell(op.operands[0])
    address = _address(state, op.operands[0], state.values[op.operands[1]])
    once = READ_ONCE in op.attributes
    value = state.emit.load(cell, address, align, volatile=once)
    element = element_type(op.result.type)
    state.values[op.result] = _to_register(state, value, element)


def _store(state: State, op: Op) -> None:
    _require_flat(op, op.operands[1])
    _, align = _cell(op.operands[1])
    address = _address(state, op.operands[1], state.values[op.operands[2]])
    value = _to_memory(state, state.values[op.operands[0]], op.operands[1])
    state.emit.store(value, address, align)


def _prefetch(state: State, op: Op) -> None:
    assert isinstance(op, memory.Prefetch)
    address = _address(state, op.operands[0], state.values[op.operands[1]])
    hints = (op.isWrite, op.localityHint, op.isDataCache)
    words = [number(WORD, int(hint)) for hint in hints]
    state.emit.intrinsic("prefetch", VOID, address, *words)


def _masked_load(state: State, op: Op) -> None:
    memref = op.operands[0]
    _, index, mask, other = state.operands(op)
    address = _address(state, memref, index)
    kept = _to_memory(state, other, memref)
    value = state.emit.masked_load(address, mask, kept, _cell(memref)[1])
    state.values[op.result] = _to_register(state, value, element_type(memref.type))


def _masked_store(state: State, op: Op) -> None:
    memref = op.operands[0]
    _, index, mask, value = state.operands(op)
    address = _address(state, memref, index)
    kept = _to_memory(state, value, memref)
    align = _cell(memref)[1]
    is_narrow = not kept.type.is_float and kept.type.bits < 64
    if is_narrow and mask.text != number(mask.type, True).text:
        # Of a mask with one lane LLVM makes a scalar store (seen with AVX-512): of a
        # value that is truncated as it is stored, as wide as it was before.
        mask = state.emit.binary("and", mask, state.emit.all_lanes(mask.type.lanes))
    if vector.STREAM in op.attributes and mask.text == number(mask.type, True).text:
        _stream(state.emit, kept, address, align)
    else:
        state.emit.masked_store(kept, address, mask, align)


def _stream(emit: FunctionEmitter, value: LValue, address: LValue, align: int) -> None:
    """Write a vector past the caches if it is whole lines of them.

    Other threads see it as soon as what is written after it: threads hand work over
    by instructions with a lock, before which x86 processors finish such stores.
    """
    low = emit.binary("and", emit.address(address), number(WORD, _CACHE_LINE - 1))
    past, near, after = [emit.label(name) for name in ("past", "near", "after")]
    emit.branch_if(emit.compare("eq", low, number(WORD, 0)), past, near)
    emit.place(past)
    emit.store(value, address, _CACHE_LINE, nontemporal=True)
    emit.branch(after)
    emit.place(near)
    emit.store(value, address, align)
    emit.branch(after)
    emit.place(after)


def _gather(state: State, op: Op) -> None:
    memref = op.operands[0]
    _, index, offsets, mask, other = state.operands(op)
    cell, align = _cell(memref)
    base = _address(state, memref, index)
    addresses = state.emit.offset(cell, base, offsets)
    kept = _to_memory(state, other, memref)
    value = state.emit.gather(addresses, mask, kept, align)
    state.values[op.result] = _to_register(state, value, element_type(memref.type))


def _broadcast(state: State, op: Op) -> None:
    type_ = op.result.type
    assert isinstance(type_, VectorType)
    (value,) = state.operands(op)
    state.values[op.result] = state.emit.splat(value, type_.lanes)


def _step(state: State, op: Op) -> None:
    state.values[op.result] = lane_numbers(type_of(op.result.type))


def _create_mask(state: State, op: Op) -> None:
    (count,) = state.operands(op)
    type_ = type_of(op.result.type)
    if op in state.full:
        state.values[op.result] = number(type_, True)
    else:
        state.values[op.result] = first_lanes(state.emit, count, type_.lanes)


def first_lanes(emit: FunctionEmitter, count: LValue, lanes: int) -> LValue:
    """Return the mask that is true in the first `count` lanes."""
    if not count.text.startswith("%"):
        known = ", ".join(str(number(BOOL, i < int(count.text))) for i in range(lanes))
        return LValue(f"<{known}>", LType(BOOL.scalar, lanes))
    # Clamped to i32, the comparison is as wide as the lanes it masks (64-bit lanes
    # would take twice the registers).
    most = emit.intrinsic("smin", count.type, count, number(count.type, lanes))
    least = emit.intrinsic("smax", count.type, most, number(count.type, 0))
    narrow = emit.splat(emit.cast("trunc", least, "i32"), lanes)
    return emit.compare("slt", lane_numbers(narrow.type), narrow)


def _shuffle(state: State, op: Op) -> None:
    assert isinstance(op, vector.Shuffle)
    given = state.operands(op)
    cells = [state.cells[v] for v in given if v in state.cells]
    if len(cells) == len(given):  # bf16 that is moved stays as narrow as it was
        moved = state.emit.shuffle(cells[0], cells[1], op.mask)
        state.values[op.result] = _to_register(state, moved, BF16)
        return
    state.values[op.result] = state.emit.shuffle(given[0], given[1], op.mask)


def _reduction(state: State, op: Op) -> None:
    values, acc = state.operands(op)
    kind = op.attribute("kind")
    assert isinstance(kind, Enum)
    element = element_type(op.result.type)
    emit, type_ = state.emit, acc.type
    if kind.value in ("add", "mul") and element.is_float:
        # Without a flag this is from left to right, starting with acc.
        result = emit.intrinsic(f"vector.reduce.f{kind.value}", type_, acc, values)
        if element == BF16:
            result = bfloat16.rounded(emit, result)
    elif kind.value in ("add", "mul"):
        booleans = {"add": "or", "mul": "and"}
        name = booleans[kind.value] if element.name == "i1" else kind.value
        part = emit.intrinsic(f"vector.reduce.{name}", type_, values)
        result = emit.binary(name, acc, part)
    elif kind.value in ("maximumf", "minimumf"):
        name = kind.value.removesuffix("f")
        part = emit.intrinsic(f"vector.reduce.f{name}", type_, values)
        result = emit.intrinsic(name, type_, acc, part)
    else:
        name = ("s" if is_signed(element) else "u") + kind.value[:3]
        part = emit.intrinsic(f"vector.reduce.{name}", type_, values)
        result = emit.intrinsic(name, LType(scalar_of(element)), acc, part)
    state.values[op.result] = result


MEMORY_ROWS: Mapping[type[Op], Callable[[State, Op], None]] = MappingProxyType(
    {
        memory.Alloca: _alloca,
        memory.Data: _data,
        memory.View: _view,
        memory.Reshape: _reshape,
        memory.Part: _part,
        memory.Load: _load,
        memory.Store: _store,
        memory.Prefetch: _prefetch,
        vector.Broadcast: _broadcast,
        vector.Step: _step,
        vector.CreateMask: _create_mask,
        vector.MaskedLoad: _masked_load,
        vector.MaskedStore: _masked_store,
        vector.Gather: _gather,
        vector.Reduction: _reduction,
        vector.Shuffle: _shuffle,
    }
)
