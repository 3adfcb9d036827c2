"""The state of emitting the rows of a group, and memory for what they pass on."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tensorc.errors import InternalError
from tensorc.ir.attributes import identity_map
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Fill, Generic
from tensorc.ir.schedules import ROW, places_of
from tensorc.ir.types import element_type
from tensorc.passes.analysis.generics import combiners, is_shape_only
from tensorc.passes.analysis.members import Member
from tensorc.passes.loops.accumulate import Combiner, scratch, worker_scratch
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.lanes import (
    Around,
    Counter,
    Point,
    Rep,
    Storage,
    Uniform,
    map_point,
    read,
    read_around,
    storage_of,
    write,
)
from tensorc.passes.schedule.cpu import STACK_AT_ONCE, row_bytes
from tensorc.target import Target


def combiners_of(member: Member) -> tuple[Combiner, ...]:
    """Return how a member reduces to each result, if in a form that vectors know."""
    if not member.op.reductions:
        return ()
    return tuple(
        Combiner(type(op), element_type(op.result.type), start_value(member.op, i))
        for i, op in enumerate(combiners(member.op))
    )


def start_value(op: Generic, output: int) -> float:
    """Return the identity that a reduction starts from: the last fill before it."""
    target = op.outputs[output]
    block = op.parent
    assert block is not None
    value: float | None = None
    for other in block.ops:
        if other is op:
            break
        if isinstance(other, Fill) and other.operands[1] is target:
            constant = other.operands[0].op
            assert isinstance(constant, arith.Constant)
            value = constant.value.value
    if value is None:
        raise InternalError(f"a reduction at {op.location} starts from nothing")
    return value


@dataclass(frozen=True, slots=True)
class Panel:
    """Scratch that an operand is read from, by the indices of two dimensions."""

    dims: tuple[int, int]
    storage: Storage


@dataclass
class Rows:
    """The state of emitting one group's rows."""

    k: LoopBuilder
    target: Target
    members: list[Member]
    shapes: dict[Value, tuple[Dim, ...]]
    storages: dict[Value, Storage]
    panel: Value | None  # a copy of a contraction's right side, for its tiles
    private: set[Value]  # memory inside the group, not yet given a slot
    row: dict[Value, Rep] = field(default_factory=dict)  # what this row holds
    outer: list[Rep] = field(default_factory=list)
    # The columns to run over, where a chunk has only a part of each row.
    span: tuple[Value, Value] | None = None
    # What was reduced in parts before: their memory, by member, and how many there are.
    partials: dict[Member, list[Value]] = field(default_factory=dict)
    count: Value | None = None
    ahead: Sequence[Value] = ()  # whose next row the sweep at hand asks for
    # Operands that are read across their memory, by generic and number.
    panels: dict[tuple[Op, int], Panel] = field(default_factory=dict)
    makers: dict[Value, Member] = field(init=False)  # who writes a memory value last

    def __post_init__(self) -> None:
        self.makers = {}
        for member in self.members:
            for output in member.op.outputs:
                self.makers[output] = member

    def producer(self, value: Value) -> Member | None:
        """Return the member that writes a memory value, if one does."""
        return self.makers.get(value)


def place_private(rows: Rows) -> None:
    """Give memory to the values inside the group that lie there for a row.

    Short rows of known length lie on the stack, others in the scratch of the worker.
    """
    for made in rows.members:
        for output, place in zip(made.op.outputs, places_of(made.op), strict=False):
            is_new = output in rows.private and output not in rows.storages
            if is_new and place == ROW:
                shape, element = rows.shapes[output], element_type(output.type)
                size = row_bytes(shape, element, made.outer)
                short = isinstance(size, int) and size <= STACK_AT_ONCE
                rows.storages[output] = _row_scratch(rows, output, made.outer, short)


def _row_scratch(rows: Rows, value: Value, outer: int, short: bool) -> Storage:
    k, element = rows.k, element_type(value.type)
    count: Dim = 1
    strides: list[Value] = []
    for extent in reversed(rows.shapes[value][outer:]):
        strides.insert(0, k.dim(count))
        count = count * extent
    if short and isinstance(count, int):
        padded = max(-(-count // LANES) * LANES, LANES)
        memref = scratch(k, element, padded)
    else:
        memref = worker_scratch(k, element, count)
    return Storage(memref, tuple([k.index(0)] * outer + strides))


def arguments_at(
    rows: Rows, member: Member, point: Point, registers: dict[Value, Rep]
) -> list[Rep]:
    """Return the elements that a member's body reads, from registers or memory."""
    given: list[Rep] = []
    pairs = zip(member.op.inputs, member.op.maps, strict=False)
    for number, (value, map_) in enumerate(pairs):
        if is_shape_only(member.op, number):
            given.append(Uniform(rows.k.index(0)))  # which nothing reads
            continue
        known = registers.get(value)
        made = rows.producer(value)
        if (
            known is not None
            and made is not None
            and (isinstance(known, Uniform) or _along_lanes(point, made))
        ):
            whole = identity_map(len(made.extents)).results
            rank = made.outer if made.op.reductions else len(whole)
            if map_.results == whole[:rank]:
                given.append(known)
                continue
        panel = rows.panels.get((member.op, number))
        if panel is None:
            given.append(read_operand(rows, member.op, number, point))
        else:
            indices = [point.indices[dim] for dim in panel.dims]
            given.append(read(rows.k, panel.storage, indices, point))
    return given


def read_operand(rows: Rows, op: Generic, number: int, point: Point) -> Rep:
    """Return the element, or the 16 elements, of an operand at a point, from memory."""
    value, map_ = op.operands[number], op.maps[number]
    indices = map_point(rows.k, map_, point.indices)
    storage = storage_of(rows.storages, op, value)
    if map_.outside is None:
        return read(rows.k, storage, indices, point)
    around = Around(map_, rows.shapes[value])
    return read_around(rows.k, storage, indices, point, around)


def _along_lanes(point: Point, made: Member) -> bool:
    """Return whether the lanes of a point can be those that a member was made in."""
    same = len(point.indices) == len(made.extents)
    return same and isinstance(point.indices[-1], Counter)


def keep(
    rows: Rows,
    member: Member,
    point: Point,
    results: Sequence[Rep],
    registers: dict[Value, Rep],
) -> None:
    """Put what an elementwise member gives into memory; a whole, into registers too."""
    op = member.op
    maps = op.maps[len(op.inputs) :]
    for value, map_, rep in zip(op.outputs, maps, results, strict=True):
        if map_.is_plain:
            registers[value] = rep
        put(rows, value, map_point(rows.k, map_, point.indices), rep, point)


def put(
    rows: Rows, value: Value, indices: Sequence[Rep], rep: Rep, point: Point
) -> None:
    """Store a result if it has memory."""
    if value in rows.storages:
        write(rows.k, rows.storages[value], indices, rep, point)
