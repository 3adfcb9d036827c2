"""The micro-kernels: a tile of a matrix product in registers (`tc.gemm_tile`).

One function per tile shape, strides, element and target; it is called, not inlined, so
a module holds each once. Accumulators are loop-carried native vectors; each step of k
is a row of B in registers and, per row of the tile, one number of A spread over a
vector and fused multiply-adds. Where `columns` is less than the width, a second copy of
the code reads and writes under masks; nothing out of bounds is touched. A padded b has
whole rows, and only stores are masked. A short tile may have fewer rows than it
computes: the last stands for all that are too many, and is stored with the same bits.

Integers are multiplied and added, and wrap. Those of 8 bits are computed in 16, which
processors multiply: the lower half of what comes out is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.backend.emit import (
    BOOL,
    LONG,
    POINTER,
    VOID,
    WORD,
    FunctionEmitter,
    LlvmParameter,
    LType,
    LValue,
    ModuleEmitter,
    lane_numbers,
    number,
)
from tensorc.ir.ops.memory.kernels import DYNAMIC
from tensorc.target import Target

_LINE = 64  # bytes of a line of the cache


@dataclass(frozen=True, slots=True)
class Tile:
    """What a micro-kernel is specialised for; strides are a's row and k, b's, c's."""

    scalar: LType
    rows: int
    width: int
    strides: tuple[int, int, int, int]
    padded: bool = False
    short: bool = False  # it may have fewer rows
    whole: bool = False  # it never has fewer columns

    @property
    def symbol(self) -> str:
        """The name of its function."""
        strides = [f"{s}" if s != DYNAMIC else "n" for s in self.strides]
        shape = f"{self.scalar.suffix}.{self.rows}x{self.width}"
        form = [n for n in ("padded", "short", "whole") if getattr(self, n)]
        return ".".join(["tc.gemm", shape, *strides, *form]).replace("-", "m")

    @property
    def computed(self) -> str:
        """The scalar type that sums are made in."""
        return "i16" if self.scalar.bits == 8 else self.scalar.scalar

    @property
    def align(self) -> int:
        """The alignment of the matrices, in bytes."""
        return self.scalar.bits // 8


@dataclass
class _Frame:
    """The values that the parts of a micro-kernel share."""

    emit: FunctionEmitter
    tile: Tile
    a: LValue
    b: LValue
    c: LValue
    count: LValue
    accumulate: LValue
    a_rows: list[LValue]
    a_step: LValue
    b_step: LValue
    c_rows: list[LValue]
    starts: list[int]
    types: list[LType]


def micro_kernel(module: ModuleEmitter, target: Target, tile: Tile) -> str:
    """Return the symbol of a tile's function; define it if the module lacks it."""
    if tile.symbol in module.functions:
        return tile.symbol
    unknown = [i for i, s in enumerate(tile.strides) if s == DYNAMIC]
    sizes = ["height"] * tile.short + ["columns"] * (not tile.whole)
    parameters = [
        *(LlvmParameter(name, POINTER, noalias=True) for name in ("a", "b", "c")),
        *(LlvmParameter(name, LONG) for name in ("count", *sizes)),
        LlvmParameter("accumulate", BOOL),
        *(LlvmParameter(f"stride{i}", LONG) for i in unknown),
    ]
    emit = module.function(tile.symbol, VOID, parameters, internal=True)
    a, b, c, count, *given = emit.arguments
    rest = iter(given)
    height = next(rest) if tile.short else number(LONG, tile.rows)
    columns = next(rest) if not tile.whole else number(LONG, tile.width)
    accumulate = next(rest)
    strides = [next(rest) if s == DYNAMIC else number(LONG, s) for s in tile.strides]
    rows = _rows(emit, tile, height)
    frame = _Frame(
        emit,
        tile,
        a,
        b,
        c,
        count,
        accumulate,
        _multiples(emit, strides[0], rows),
        strides[1],
        strides[2],
        _multiples(emit, strides[3], rows),
        *_split(tile, target.vector_bits // LType(tile.computed).bits),
    )
    every: list[LValue | None] = [None] * len(frame.types)
    if tile.padded or tile.whole:
        _product(frame, every if tile.whole else _masks(frame, columns))
        return tile.symbol
    whole, part = emit.label("whole"), emit.label("part")
    full = emit.compare("sge", columns, number(LONG, tile.width))
    emit.branch_if(full, whole, part)
    emit.place(whole)
    _product(frame, every)
    emit.place(part)
    _product(frame, _masks(frame, columns))
    return tile.symbol


def _split(tile: Tile, lanes: int) -> tuple[list[int], list[LType]]:
    """Cut the width into native vectors: where each starts, and its type."""
    starts = list(range(0, tile.width, lanes))
    sizes = [min(lanes, tile.width - s) for s in starts]
    return starts, [LType(tile.computed, size) for size in sizes]


def _rows(emit: FunctionEmitter, tile: Tile, height: LValue) -> list[LValue]:
    """Return which row of the matrices each row of a tile is."""
    rows = [number(LONG, i) for i in range(tile.rows)]
    if not tile.short:
        return rows
    last = emit.binary("sub", height, number(LONG, 1))
    later = [emit.select(emit.compare("slt", i, last), i, last) for i in rows[1:]]
    return [rows[0], *later]


def _multiples(
    emit: FunctionEmitter, stride: LValue, rows: Sequence[LValue]
) -> list[LValue]:
    """Return the offset of each row: constants if the row and the stride are."""
    found = []
    for row in rows:
        known = _known_product(stride, row)
        found.append(emit.binary("mul", stride, row) if known is None else known)
    return found


def _known_product(a: LValue, b: LValue) -> LValue | None:
    """Return the product of two integers if it is known."""
    if "0" in (a.text, b.text):
        return number(LONG, 0)
    if a.text.startswith("%") or b.text.startswith("%"):
        return None
    return number(LONG, int(a.text) * int(b.text))


def _masks(frame: _Frame, columns: LValue) -> list[LValue | None]:
    """Return per vector an integer vector that is negative in the lanes to use."""
    emit = frame.emit
    narrow = emit.cast("trunc", columns, "i32")
    masks: list[LValue | None] = []
    for start, type_ in zip(frame.starts, frame.types, strict=True):
        integer = type_.of("i32")
        left = emit.binary("sub", narrow, number(WORD, start))
        below = emit.splat(left, type_.lanes)
        inside = emit.compare("slt", lane_numbers(integer), below)
        # As wide as the elements: what the processor's masked moves take. As i1 it
        # would be widened anew in every step of the loop.
        masks.append(emit.cast("sext", inside, f"i{type_.bits}"))
    return masks


def _product(frame: _Frame, masks: Sequence[LValue | None]) -> None:
    """Emit the loop over k, the stores and the return."""
    emit, tile, types = frame.emit, frame.tile, frame.types
    if tile.padded:
        _ask_for_result(frame)
    zeros = [number(t, 0.0) for _ in range(tile.rows) for t in types]
    loop = emit.begin_loop(
        number(LONG, 0),
        frame.count,
        number(LONG, 1),
        [frame.a, frame.b, *zeros],
        keep_rolled=True,
    )
    a, b, *sums = loop.carried
    right = [
        _load(frame, b, start, type_, None if tile.padded else mask)
        for start, type_, mask in zip(frame.starts, types, masks, strict=True)
    ]
    following: list[LValue] = []
    for i, offset in enumerate(frame.a_rows):
        address = emit.offset(tile.scalar, a, offset)
        left = emit.load(tile.scalar, address, tile.align)
        left = emit.cast("sext", left, tile.computed)
        row = sums[i * len(types) : (i + 1) * len(types)]
        following += [
            _added(emit, emit.splat(left, t.lanes), r, s)
            for t, r, s in zip(types, right, row, strict=True)
        ]
    next_a = emit.offset(tile.scalar, a, frame.a_step)
    next_b = emit.offset(tile.scalar, b, frame.b_step)
    _, _, *totals = emit.end_loop(loop, [next_a, next_b, *following])
    _write(frame, totals, masks)


def _added(emit: FunctionEmitter, left: LValue, right: LValue, sum_: LValue) -> LValue:
    """Return a sum with one more term."""
    if sum_.type.is_float:
        return emit.intrinsic("fma", sum_.type, left, right, sum_)
    return emit.binary("add", sum_, emit.binary("mul", left, right))


def _ask_for_result(frame: _Frame) -> None:
    """Ask for the lines of the result, which are far apart and written last."""
    emit, tile = frame.emit, frame.tile
    hints = [number(WORD, n) for n in (1, 3, 1)]  # to write, to keep, data
    for row in frame.c_rows:
        for start in range(0, tile.width, _LINE // tile.align):
            at = emit.binary("add", row, number(LONG, start))
            address = emit.offset(tile.scalar, frame.c, at)
            emit.intrinsic("prefetch", VOID, address, *hints)


def _write(
    frame: _Frame, totals: Sequence[LValue], masks: Sequence[LValue | None]
) -> None:
    """Store the tile, or add it to what is there."""
    emit, count = frame.emit, len(frame.types)
    add, put = emit.label("add"), emit.label("put")
    emit.branch_if(frame.accumulate, add, put)
    for label in (add, put):
        emit.place(label)
        pending = []
        for i, offset in enumerate(frame.c_rows):
            row = emit.offset(frame.tile.scalar, frame.c, offset)
            for j, (start, mask) in enumerate(zip(frame.starts, masks, strict=True)):
                value = totals[i * count + j]
                if label == add:
                    before = _load(frame, row, start, value.type, mask)
                    add_op = "fadd" if value.type.is_float else "add"
                    value = emit.binary(add_op, before, value)
                if frame.tile.short:  # a row may be there more than once
                    pending.append((row, start, value, mask))
                else:
                    _store(frame, row, start, value, mask)
        for row, start, value, mask in pending:
            _store(frame, row, start, value, mask)
        emit.ret()


def _chosen(emit: FunctionEmitter, mask: LValue) -> LValue:
    return emit.compare("slt", mask, number(mask.type, 0))


def _load(
    frame: _Frame, row: LValue, start: int, type_: LType, mask: LValue | None
) -> LValue:
    emit, tile = frame.emit, frame.tile
    address = emit.offset(tile.scalar, row, number(LONG, start))
    cell = type_.of(tile.scalar.scalar)
    if mask is None:
        value = emit.load(cell, address, tile.align)
    else:
        other = number(cell, 0.0)
        value = emit.masked_load(address, _chosen(emit, mask), other, tile.align)
    return emit.cast("sext", value, tile.computed)


def _store(
    frame: _Frame, row: LValue, start: int, value: LValue, mask: LValue | None
) -> None:
    emit, tile = frame.emit, frame.tile
    address = emit.offset(tile.scalar, row, number(LONG, start))
    value = emit.cast("trunc", value, tile.scalar.scalar)
    if mask is None:
        emit.store(value, address, tile.align)
    else:
        emit.masked_store(value, address, _chosen(emit, mask), tile.align)
