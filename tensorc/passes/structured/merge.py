"""Write what is computed element by element where it is read.

Source:
  fn f(x: float[3, 4], y: float[3, 4]) -> float[4] = sum(exp(x) * y, axis=0)
Before:
  func.func @f(%x: f32[3, 4], %y: f32[3, 4]) -> (f32[4]) {
    %0 = tensor.empty : f32[3, 4]
    %1 = linalg.generic %x, %0 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0, d1)], iterator_types = [parallel, parallel]} {
    ^bb0(%arg0: f32, %arg1: f32):
      %2 = math.exp %arg0 : f32
      linalg.yield %2
    } : f32[3, 4]
    …
    %4 = linalg.generic %1, %y, %3 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0, d1), (d0, d1) -> (d0, d1)], iterator_types = [parallel, parallel]} {
    ^bb0(%arg2: f32, %arg3: f32, %arg4: f32):
      %5 = arith.mulf %arg2, %arg3 : f32
      linalg.yield %5
    } : f32[3, 4]
    …
    %9 = linalg.generic %4, %8 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d1)], iterator_types = [reduction, parallel], order = "lanes"} {
    ^bb0(%arg5: f32, %arg6: f32):
      %10 = arith.addf %arg6, %arg5 : f32
      linalg.yield %10
    } : f32[4]
    func.return %9
  }
After:
  func.func @f(%x: f32[3, 4], %y: f32[3, 4]) -> (f32[4]) {
    %0 = arith.constant {value = -0.0 : f32} : f32
    %1 = tensor.empty : f32[4]
    %2 = linalg.fill %0, %1 : f32[4]
    %3 = linalg.generic %x, %y, %2 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0, d1), (d0, d1) -> (d1)], iterator_types = [reduction, parallel], order = "lanes"} {
    ^bb0(%arg0: f32, %arg1: f32, %arg2: f32):
      %4 = math.exp %arg0 : f32
      %5 = arith.mulf %4, %arg1 : f32
      %6 = arith.addf %arg2, %5 : f32
      linalg.yield %6
    } : f32[4]
    func.return %3
  }

A generic that reduces nothing becomes part of the body of the one that reads it, with
its maps composed:

1. if one generic alone reads it, in one way, and each element once; or
2. if it is cheap, so that it may be computed for each of its readers: at most two ops,
   no function, of one operand that is no larger;
3. or if it follows from indices alone (a range, a mask of positions): then it may be
   computed wherever an element is read.

A contraction reads memory: only gathers and casts become part of it, which the copy of
its right side makes (`right_sides`). Where the reader will stand in
a later kernel (it reduces the rows, reads a transpose, or a product of them), an op moves
only if that takes no more memory: the elements of windows that are added up move always,
as they are several times what is repeated in them. Ops keep their source locations. No
bit changes: each op is applied to the same elements.
"""  # noqa: E501

from collections.abc import Iterable
from dataclasses import dataclass, field

from tensorc.ir.attributes import (
    AffineMap,
    ArrayAttr,
    Attribute,
    MapResult,
    Typed,
    identity_map,
    terms_of,
    through,
)
from tensorc.ir.core import Block, Op, Value, clone_region
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.memory.kernels import SizeOf
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Empty, Generic, Index
from tensorc.ir.types import INDEX, TensorType, element_type
from tensorc.passes.analysis.cost import computes, is_function
from tensorc.passes.analysis.generics import (
    extracts,
    is_contraction,
    is_overlap,
    reads,
    tensor_space,
)
from tensorc.passes.analysis.in_place import regions_in
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.structured.right_sides import is_read_by_copy
from tensorc.target import Target

MOST_BODY = 64  # of a body
CHEAP = 2  # ops of what may be computed more than once
CHEAP_OF_INDICES = 4  # the same, of what reads no array
MOST_IN_WINDOWS = 10  # the same, where elements of windows are compared with it

Users = dict[Value, dict[Op, None]]


@dataclass(slots=True)
class _Body:
    """What is asked of a body for each of its readers: merging adds two of them up."""

    size: int  # ops that compute
    functions: int
    indexes: int
    extracts: list[Op]

    def add(self, before: "_Body", zeros: int) -> None:
        """Count what a body has that is put in front; so many of its indexes are 0."""
        self.size += before.size
        self.functions += before.functions
        self.indexes += before.indexes - zeros
        self.extracts = [*before.extracts, *self.extracts]


def _body_of(op: Generic) -> _Body:
    size = functions = indexes = 0
    for inner in op.body.block.ops:
        size += computes(inner)
        functions += is_function(inner)
        indexes += isinstance(inner, Index)
    return _Body(size, functions, indexes, extracts(op))


@dataclass
class _Known:
    """What is known of a block: bodies, who reads a value, behind how many barriers.

    A barrier ends a kernel: a contraction, a reduction down the rows, what reads other
    rows than its own, an op that is no generic.
    """

    bodies: dict[Op, _Body] = field(default_factory=dict)
    barriers: set[Op] = field(default_factory=set)
    users: Users = field(default_factory=dict)
    depths: dict[Op, int] = field(default_factory=dict)
    made: list[Op] = field(default_factory=list)  # ops that state extents
    added_up: set[Op] = field(default_factory=set)  # see `_windows_added`

    def reads(self, op: Op) -> list[Value]:
        """Return what the elements of a generic are made of; [] for another op."""
        if not isinstance(op, Generic):
            return []
        return [*op.inputs, *[e.operands[0] for e in self.bodies[op].extracts]]

    def needs(self, op: Op) -> Iterable[Value]:
        """Return what an op of a block reads, in its body too."""
        outputs = op.outputs if isinstance(op, Generic) else op.operands
        return dict.fromkeys([*self.reads(op), *outputs])

    def depth(self, op: Op) -> int:
        """Return how many barriers stand before an op on the longest way to it."""
        return self.depths.get(op, 0)

    def is_stored(self, value: Value) -> bool:
        """Return whether a value lies in memory, as others than its kernel read it."""
        if not isinstance(value.op, Generic):
            return True
        return any(
            not isinstance(user, Generic)
            or user in self.barriers
            or self.depth(user) > self.depth(value.op)
            or not _reads_along(user, value)
            for user in self.users.get(value, ())
        )


def _known_of(block: Block) -> _Known:
    known = _Known()
    for op in block.ops:
        if isinstance(op, Generic):
            known.bodies[op] = _body_of(op)
        ends = _is_barrier(op)
        if ends:
            known.barriers.add(op)
        found = 0
        for value in known.needs(op):
            known.users.setdefault(value, {})[op] = None
            if value.op in known.depths:
                across = ends or not _reads_along(op, value)
                found = max(found, known.depths[value.op] + across)
        known.depths[op] = found
    known.added_up = _windows_added(block, known.users)
    return known


def _windows_added(block: Block, users: Users) -> set[Op]:
    """Return the ops whose result becomes part of windows that are added."""
    found: set[Op] = set()
    for op in reversed(block.ops):
        readers = users.get(op.results[0], ()) if op.results else ()
        passes_on = isinstance(op, Generic) and len(readers) == 1 and _may_move(op)
        if is_overlap(op) or (passes_on and not found.isdisjoint(readers)):
            found.add(op)
    return found


def _is_barrier(op: Op) -> bool:
    """Return whether an op needs finished rows of what it reads."""
    if not isinstance(op, Generic) or is_contraction(op):
        return True
    dims = op.maps[0].dims
    return op.reductions != tuple(range(dims - len(op.reductions), dims))


def _reads_along(op: Op, value: Value) -> bool:
    """Return whether an op reads a value at its own rows alone."""
    if not isinstance(op, Generic):
        return False
    axes = [read.axes for read in reads(op, value)]
    return all(along == tuple(range(len(along))) for along in axes)


def merge_block(block: Block) -> None:
    """Merge the generics of a block and of the regions in it, in place."""
    for _, region in regions_in(block):
        merge_block(region.block)
    known = _known_of(block)
    gone: set[Op] = set()
    for op in block.ops:
        readers = [*known.users.get(op.results[0], ())] if op.results else []
        if not isinstance(op, Generic) or not _may_move(op) or not readers:
            continue
        takers = _takers(op, readers, known)
        stays = len(takers) < len(readers)
        for reader in takers:
            _state_extents(op, reader, known)
            maps = _maps_of(op.results[0], reader)
            for map_ in maps:
                last = reader is takers[-1] and map_ is maps[-1]
                _merge(op, reader, map_, known, moves=last and not stays)
            del known.users[op.results[0]][reader]
        if not stays:
            _remove(op, known, gone)
    for op in reversed(block.ops):
        if isinstance(op, Empty | SizeOf) and not known.users.get(op.results[0]):
            _remove(op, known, gone)
    for op in known.made:
        op.parent = block
    block.ops[:] = [*known.made, *[op for op in block.ops if op not in gone]]


def _remove(op: Op, known: _Known, gone: set[Op]) -> None:
    for value in known.needs(op):
        del known.users[value][op]
    gone.add(op)


def _may_move(op: Generic) -> bool:
    """Return whether a generic gives one whole tensor, element by element."""
    if op.reductions or len(op.results) != 1 or not isinstance(op.outputs[0].op, Empty):
        return False
    return op.maps[-1] == identity_map(op.maps[-1].dims)


def _takers(op: Generic, readers: list[Op], known: _Known) -> list[Generic]:
    """Return the readers whose part an op becomes: all or none.

    What follows from indices alone becomes part of some, and stays for the others.
    """
    in_windows = all(_walks_windows(reader, known) for reader in readers)
    most = MOST_IN_WINDOWS if in_windows else CHEAP_OF_INDICES
    anywhere = _of_indices(op, known.bodies[op], most)
    if len(readers) > 1 and not anywhere and not _is_cheap(op, known.bodies[op]):
        return []
    found = [
        reader
        for reader in readers
        if isinstance(reader, Generic) and _takes(op, reader, known, anywhere)
    ]
    return found if anywhere or len(found) == len(readers) else []


def _walks_windows(reader: Op, known: _Known) -> bool:
    """Return whether a generic reads windows, or becomes part of what adds them up."""
    reads_some = isinstance(reader, Generic) and _reads_windows(reader)
    return reads_some or reader in known.added_up


def _of_indices(op: Generic, body: _Body, most: int) -> bool:
    """Return whether an op is a few integer ops on indices and numbers.

    Those on floats are left out: vectors of integers become floats slowly.
    """
    few = body.indexes and body.size <= most and not body.extracts
    if not few or any(map(_rank, op.inputs)):
        return False
    made = [r for inner in op.body.block.ops for r in inner.results]
    return not any(element_type(value.type).is_float for value in made)


def _is_cheap(op: Generic, body: _Body) -> bool:
    """Return whether an op may be computed for each of its readers."""
    arrays = [v for v in op.inputs if _rank(v)]
    if body.functions or body.size > CHEAP or len(arrays) != 1 or body.extracts:
        return False
    return _bytes(arrays[0]) <= _bytes(op.results[0])


def _rank(value: Value) -> int:
    return value.type.rank if isinstance(value.type, TensorType) else 0


def _bytes(value: Value) -> int:
    return element_type(value.type).bytes


def _takes(op: Generic, reader: Generic, known: _Known, anywhere: bool) -> bool:
    """Return whether an op may become part of one who reads it.

    Unless that is so `anywhere`, it reads each element once, in one way.
    """
    (value,) = op.results
    body, readers = known.bodies[op], known.bodies[reader]
    maps = _maps_of(value, reader)
    if value in reader.outputs:
        return False
    if is_contraction(reader):
        return _is_copied(op, reader, known, maps)
    if any(e.operands[0] is value for e in readers.extracts):
        return False
    if not all(map_.is_plain for map_ in maps):
        return False
    if not anywhere and not (len(maps) == 1 and _reads_each_once(maps[0])):
        return False
    walked = reader.reductions and not (is_overlap(reader) or _reads_windows(op))
    if (reader.reductions and body.extracts) or (walked and body.indexes):
        return False
    if body.size + readers.size > MOST_BODY or not _costs_nothing(op, reader, known):
        return False
    return _keeps_extents(op, reader, maps)


def _is_copied(
    op: Generic, reader: Generic, known: _Known, maps: list[AffineMap]
) -> bool:
    """Return whether the copy of a contraction's right side computes it.

    What it is made of must then lie in memory: it takes no more of that.
    """
    body = known.bodies[op]
    new = [v for v in known.reads(op) if _rank(v) and not known.is_stored(v)]
    return (
        is_read_by_copy(op, body.size, reader)
        and maps[0].is_plain
        and sum(map(_bytes, new)) <= _bytes(op.results[0])
        and _keeps_extents(op, reader, maps)
    )


def _maps_of(value: Value, reader: Generic) -> list[AffineMap]:
    """Return the maps through which a generic reads a value, each once."""
    pairs = zip(reader.inputs, reader.maps, strict=False)
    return list(dict.fromkeys([m for v, m in pairs if v is value]))


def _reads_each_once(map_: AffineMap) -> bool:
    dims = [r for r in map_.results if isinstance(r, int)]
    plain = len(dims) == len(map_.results) - map_.results.count(None)
    return plain and sorted(dims) == [*range(map_.dims)]


def _costs_nothing(op: Generic, reader: Generic, known: _Known) -> bool:
    """Return whether an op may stand with a reader that may be in a later kernel.

    Where it is in the same one, values are in registers. Else what the op reads lies in
    memory in any case, or takes no more of it than the result does. A reduction down
    the rows has few threads: functions stay in front of it.
    """
    if reader in known.added_up:
        return _is_smaller(op, known)
    ends = reader in known.barriers
    same_rows = not ends and known.depth(reader) == known.depth(op)
    if same_rows and _reads_along(reader, op.results[0]):
        return True
    body = known.bodies[op]
    made = [v for v in op.inputs if _rank(v) and isinstance(v.op, Generic)]
    if body.extracts or (made and ends and body.functions):
        return False
    new = sum(_bytes(v) for v in made if not known.is_stored(v))
    return new <= _bytes(op.results[0])


def _reads_windows(op: Generic) -> bool:
    """Return whether a generic reads windows: along an axis it has some dimensions."""
    read = [r for m in op.maps[: len(op.inputs)] for r in m.results]
    return any(len(terms_of(result)) > 1 for result in read)


def _is_smaller(op: Generic, known: _Known) -> bool:
    """Return whether what an op reads of all its space takes no more than it gives.

    Windows that overlap are several times what is repeated in them.
    """
    (value,) = op.results
    pairs = zip(op.inputs, op.maps, strict=False)
    whole = [v for v, m in pairs if _reads_each_once(m) and not known.is_stored(v)]
    return sum(map(_bytes, whole)) <= _bytes(value)


def _keeps_extents(op: Generic, reader: Generic, maps: list[AffineMap]) -> bool:
    """Return whether the extents of the reader's dimensions are still known.

    They are axes of some operand; those of a window may be numbers.
    """
    missing = _missing_extents(op, reader, maps)
    extents = tensor_space(reader) if missing else []
    known = all(isinstance(extents[dim], int) for dim in missing)
    return not missing or (known and bool(reader.reductions) and _reads_windows(op))


def _missing_extents(op: Generic, reader: Generic, maps: list[AffineMap]) -> list[int]:
    """Return the dimensions of a reader that would be no axis of any operand."""
    pairs = zip(reader.operands, reader.maps, strict=True)
    results = [r for v, m in pairs if v is not op.results[0] for r in m.results]
    for map_ in maps:
        for inner in op.maps[: len(op.inputs)]:
            results += [through(r, map_.results) for r in inner.results]
    stated = {r for r in results if isinstance(r, int)}
    return [dim for dim in range(maps[0].dims) if dim not in stated]


def _state_extents(op: Generic, reader: Generic, known: _Known) -> None:
    """Give a reader operands for the extents that it has from an op alone."""
    maps = _maps_of(op.results[0], reader)
    extents, block = tensor_space(reader), reader.body.block
    for dim in _missing_extents(op, reader, maps):
        element = element_type(op.results[0].type)
        type_ = TensorType((extents[dim],), element)
        made = Empty([], [type_], {}, [], reader.location)
        known.made.append(made)
        known.users[made.result] = {reader: None}
        first, count = reader.operandSegmentSizes
        maps_ = [*reader.maps]
        maps_.insert(first, AffineMap(maps_[0].dims, (dim,)))
        reader.operands = [*reader.inputs, made.result, *reader.outputs]
        reader.attributes["indexing_maps"] = ArrayAttr(tuple(maps_))
        reader.attributes["operandSegmentSizes"] = (first + 1, count)
        argument = block.add_argument(element)
        *others, _ = block.arguments
        block.adopt_arguments([*others[:first], argument, *others[first:]])


def _merge(
    op: Generic, reader: Generic, along: AffineMap, known: _Known, moves: bool
) -> None:
    """Make an op part of the body of one who reads it through a map.

    It gives its own ops, or copies.
    """
    (value,) = op.results
    old = reader.body.block
    reads = [*zip(reader.inputs, reader.maps, old.arguments, strict=False)]
    axes = along.results
    region = op.body if moves else clone_region(op.body, {})
    block = region.block
    composed = [_composed(map_, reader.maps[0].dims, axes) for map_ in op.maps]
    taken = [*zip(op.inputs, composed, block.arguments, strict=False)]
    inputs: dict[tuple[Value, AffineMap], Value] = {}
    names: dict[Value, Value] = {}
    for read in reads:
        here = read[:2] == (value, along)
        for source, map_, argument in taken if here else [read]:
            first = inputs.setdefault((source, map_), argument)
            if first is not argument:
                names[argument] = first
    outputs = [*zip(reader.outputs, reader.maps[len(reads) :], strict=True)]
    block.adopt_arguments([*inputs.values(), *old.arguments[len(reads) :]])
    made = block.ops.pop().operands[0]
    zeros = _put_along(block, axes, names) if known.bodies[op].indexes else 0
    for inner in block.ops if names else ():
        inner.operands = [names.get(v, v) for v in inner.operands]
    made = names.get(made, made)
    names.update((read[2], made) for read in reads if read[:2] == (value, along))
    for inner in old.ops:
        inner.operands = [names.get(v, v) for v in inner.operands]
        block.append(inner)
    operands = [*inputs, *outputs]
    reader.operands = [v for v, _ in operands]
    reader.attributes["indexing_maps"] = ArrayAttr(tuple([m for _, m in operands]))
    reader.attributes["operandSegmentSizes"] = (len(inputs), len(outputs))
    reader.regions[:] = [region]
    region.parent = reader
    known.bodies[reader].add(known.bodies[op], zeros)
    for source in known.reads(op):
        known.users[source][reader] = None


def _composed(map_: AffineMap, dims: int, axes: tuple[MapResult, ...]) -> AffineMap:
    """Return a map of an iteration whose dimensions `axes` index."""
    return map_.through(dims, axes)


def _put_along(
    block: Block, axes: tuple[MapResult, ...], names: dict[Value, Value]
) -> int:
    """Make the indexes in a body those of `axes`; return how many of them are 0."""
    zeros = 0
    for at, inner in enumerate(block.ops):
        if not isinstance(inner, Index):
            continue
        axis = axes[inner.dim]
        if isinstance(axis, int):
            inner.attributes["dim"] = axis
            continue
        given: dict[str, Attribute] = {"value": Typed(0, INDEX)}
        zero = arith.Constant([], [INDEX], given, [], inner.location)
        names[inner.result] = zero.result
        block.ops[at], zero.parent = zero, block
        zeros += 1
    return zeros


def run(module: Module, target: Target) -> Module:
    """Merge the generics of all functions."""
    for function in module.functions:
        merge_function(function)
    return module


def merge_function(function: Function) -> None:
    """Merge the generics of one function in place."""
    merge_block(function.body.block)


MERGE = Pass("merge", Level.STRUCTURED, Level.STRUCTURED, run, __doc__)
