"""Compute again what would be a matrix that outgrows all that it is made of.

Source:
  fn f(q: float[T, 3], v: float[T, 3]) -> float[T, 3] = (v @ q.T * 2).T @ q
Before:
  func.func @f(%q: f32[T, 3], %v: f32[T, 3]) -> (f32[T, 3]) {
    …
    %5 = linalg.generic %v, %q, %4 {indexing_maps = [(d0, d1, d2) -> (d0, d2), (d0, d1, d2) -> (d1, d2), (d0, d1, d2) -> (d0, d1)], iterator_types = [parallel, parallel, reduction], order = "fma"} {
    …
    %10 = linalg.generic %5, %9 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0, d1)], iterator_types = [parallel, parallel]} {
    …
    } : f32[T, T]
    …
    %17 = linalg.generic %10, %q, %16 {indexing_maps = [(d0, d1, d2) -> (d2, d0), (d0, d1, d2) -> (d2, d1), (d0, d1, d2) -> (d0, d1)], iterator_types = [parallel, parallel, reduction], order = "fma"} {
    …
    } : f32[T, 3]
    func.return %17
  }
After:
  func.func @f(%q: f32[T, 3], %v: f32[T, 3]) -> (f32[T, 3]) {
    …
    %9 = linalg.generic %q, %v, %8 {indexing_maps = [(d0, d1, d2) -> (d0, d2), (d0, d1, d2) -> (d1, d2), (d0, d1, d2) -> (d0, d1)], iterator_types = [parallel, parallel, reduction], order = "fma"} {
    …
    } {tc.again = true} : f32[T, T]
    …
    %14 = linalg.generic %9, %13 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0, d1)], iterator_types = [parallel, parallel]} {
    …
    } {tc.again = true} : f32[T, T]
    %17 = linalg.generic %14, %q, %3 {indexing_maps = [(d0, d1, d2) -> (d0, d2), (d0, d1, d2) -> (d2, d1), (d0, d1, d2) -> (d0, d1)], iterator_types = [parallel, parallel, reduction], order = "fma"} {
    …
    } : f32[T, 3]
    func.return %17
  }

The scores of attention are T x T numbers, made of 2 x T x 64. A kernel has a block of
their rows in scratch, and what reads it there needs no more. But gradients add up such
matrices down their rows, too, and other kernels read them. For these readers, elements
are made again, from the same operands in the same order: no bit changes.

1. A matrix is made again if it has as many columns as rows, so that it grows as the
   square of what it is made of; if it is elementwise of products, of other such
   matrices and of what is stored in any case (arguments, numbers of rows or columns);
   and if nobody needs all of it in memory.
2. A product that adds up its rows gets its transpose, made of transposed matrices: the
   kernel goes over its columns, block by block.
3. Where another kernel reads it row by row (`fuse.partition` says which), that kernel
   makes it, too.

What is made again waits for its reader (`tc.again`), in whose kernel it stands.
"""  # noqa: E501

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from tensorc.ir.attributes import AffineMap, ArrayAttr, MapResult, identity_map
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Region, Value, clone_op, clone_region
from tensorc.ir.dims import Constraints, Dim, elements
from tensorc.ir.functions import constraints_of
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.structured.generics import Empty, Fill, Generic, Index
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.generics import (
    AGAIN,
    extracts,
    is_contraction,
    reads,
    tensor_of,
)
from tensorc.passes.analysis.in_place import Pair, regions_in, updates_in, updates_of
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.common.structured_builder import empty
from tensorc.passes.structured.fuse import partition
from tensorc.passes.structured.gathers import remove_unused
from tensorc.passes.structured.open_groups import OpenGroup
from tensorc.target import Target

LEAST_BYTES = 1 << 24  # of a matrix of known size that is worth its work
MOST_CHAIN = 32  # generics that one matrix is made of


def is_worth(type_: TensorType) -> bool:
    """Return whether a matrix outgrows what it is made of: it is square, and large."""
    if type_.rank < 2 or type_.shape[-1] != type_.shape[-2]:
        return False
    size = elements(type_.shape) * type_.element.bytes
    return not isinstance(size, int) or size >= LEAST_BYTES


@dataclass
class _Matrices:
    """The matrices of a block that may be made again, and who reads a value."""

    users: dict[Value, list[Op]] = field(default_factory=dict)
    found: set[Value] = field(default_factory=set)

    def may_stay_away(self, value: Value) -> bool:
        """Return whether nobody needs all of a matrix in memory."""
        return all(
            isinstance(user, Generic) and not _reads_oddly(user, value)
            for user in self.users.get(value, ())
        )


def _reads_oddly(op: Generic, value: Value) -> bool:
    """Return whether an op reads a matrix neither row by row nor adds up its rows."""
    rank = tensor_of(value).rank
    along = tuple(range(rank))
    batch, (m, n) = along[:-2], along[-2:]
    turned = (*batch, n + 1, m)
    for number, read in enumerate(reads(op)):
        if read.value is not value:
            continue
        if (
            is_contraction(op)
            and number == 0
            and read.axes in (turned, (*batch, m, n + 1))
        ):
            continue
        if is_contraction(op) or read.axes != along or _adds_up(op, rank):
            return True
    return False


def _adds_up(op: Generic, rank: int) -> bool:
    """Return whether an op reduces other dimensions than the last one of a matrix."""
    return any(dim != rank - 1 for dim in op.reductions)


def _matrices(block: Block) -> _Matrices:
    """Return what may be made again."""
    known = _Matrices()
    for op in block.ops:
        for value in dict.fromkeys(v for inner in op.walk() for v in inner.operands):
            known.users.setdefault(value, []).append(op)
    chains: dict[Value, int] = {}
    for op in block.ops:
        if isinstance(op, Generic) and len(op.results) == 1:
            length = _chain(op, chains)
            if 0 < length <= MOST_CHAIN and known.may_stay_away(op.result):
                chains[op.result] = length
    known.found = set(chains)
    return known


def _chain(op: Generic, chains: dict[Value, int]) -> int:
    """Return of how many generics a matrix is made again, 0 if it may not be."""
    type_ = tensor_of(op.result)
    out = op.maps[-1]
    if not is_worth(type_) or out.results != tuple(range(type_.rank)) or extracts(op):
        return 0
    if not all(map_.is_plain for map_ in op.maps):
        return 0
    if is_contraction(op):  # of matrices that are there: it makes no others before it
        begins = not any(value in chains for value in op.inputs)
        return 1 if begins and isinstance(op.outputs[0].op, Fill) else 0
    if op.reductions or not isinstance(op.outputs[0].op, Empty):
        return 0
    length = 1
    for value, map_ in zip(op.inputs, op.maps, strict=False):
        if not _is_matrix(map_, type_.rank):
            continue
        if value in chains and map_.results == out.results:
            length += chains[value]
        elif value.op is not None:
            return 0
    return length if length > 1 else 0


def _is_matrix(map_: AffineMap, rank: int) -> bool:
    return {rank - 2, rank - 1} <= {r for r in map_.results if isinstance(r, int)}


@dataclass
class _Again:
    """Matrices that are made again in one kernel: as they are, or transposed."""

    known: _Matrices
    turns: bool
    constraints: Constraints
    made: dict[Value, Value] = field(default_factory=dict)

    def make(self, value: Value, ops: list[Op]) -> Value:
        """Return a matrix made again; what makes it is appended."""
        if value in self.made:
            return self.made[value]
        op = value.op
        assert isinstance(op, Generic)
        pairs = [
            (self.make(v, ops), identity_map(m.dims))
            if v in self.known.found
            else (v, self._map(m, tensor_of(value).rank))
            for v, m in zip(op.inputs, op.maps, strict=False)
        ]
        if self.turns and is_contraction(op):
            pairs[:2] = reversed(pairs[:2])  # a product of two numbers is the same
        self.made[value] = self._copy(op, pairs, ops)
        return self.made[value]

    def _map(self, map_: AffineMap, rank: int) -> AffineMap:
        results = tuple([self._dim(r, rank) for r in map_.results])
        return replace(map_, results=results)

    def _dim(self, result: MapResult, rank: int) -> MapResult:
        swapped = {rank - 2: rank - 1, rank - 1: rank - 2} if self.turns else {}
        return swapped.get(result, result) if isinstance(result, int) else result

    def _copy(
        self, op: Generic, pairs: Sequence[tuple[Value, AffineMap]], ops: list[Op]
    ) -> Value:
        block = Block()
        b = Builder(block, self.constraints)
        with b.at(op.location):
            target = self._target(b, op)
        pairs = [*pairs, (target, op.maps[-1])]
        region = clone_region(op.body, {})
        for inner in region.block.ops:
            if isinstance(inner, Index):
                dim = self._dim(inner.dim, tensor_of(op.result).rank)
                assert isinstance(dim, int)
                inner.attributes["dim"] = dim
        attributes = {
            **op.attributes,
            "indexing_maps": ArrayAttr(tuple([m for _, m in pairs])),
            AGAIN: True,
        }
        values = [v for v, _ in pairs]
        made = Generic(values, [target.type], attributes, [region], op.location)
        made.result.hint = op.result.hint
        block.append(made)
        ops += block.ops
        return made.result

    def _target(self, b: Builder, op: Generic) -> Value:
        type_ = tensor_of(op.result)
        if self.turns:
            shape: tuple[Dim, ...] = (*type_.shape[:-2], *reversed(type_.shape[-2:]))
            type_ = TensorType(shape, type_.element)
        made = empty(b, type_)
        start = op.outputs[0].op
        if not isinstance(start, Fill):
            return made
        number = start.operands[0].op
        assert number is not None
        again = b.block.append(clone_op(number, {}))
        return b.value(Fill, again.result, made)


def recompute_block(
    block: Block, over: dict[Value, Value], constraints: Constraints
) -> None:
    """Make matrices of a block again where that keeps them out of memory, in place.

    `over` gives the arguments that are replaced, by their new values.
    """
    if not any(
        is_contraction(op) and is_worth(tensor_of(op.results[0])) for op in block.ops
    ):
        return
    known = _matrices(block)
    if known.found:
        _turn(block, known, constraints)
        _apart(block, known, over, constraints)
        remove_unused(block)


def _turn(block: Block, known: _Matrices, constraints: Constraints) -> None:
    """Let products that add up the rows of matrices read their transposes."""
    again = _Again(known, True, constraints)
    ops: list[Op] = []
    for op in block.ops:
        if isinstance(op, Generic) and is_contraction(op):
            value, axes = op.operands[0], op.maps[0].results
            k = op.maps[0].dims - 1
            if value in known.found and axes[-1] != k:
                op.operands[0] = again.make(value, ops)
                _read(op, (*axes[:-2], axes[-1], k))
        ops.append(op)
    _put(block, ops)


def _put(block: Block, ops: list[Op]) -> None:
    block.ops = []
    for op in ops:
        block.append(op)


def _read(op: Generic, axes: tuple[MapResult, ...]) -> None:
    """Let a generic read its first operand along other axes."""
    first = AffineMap(op.maps[0].dims, axes)
    op.attributes["indexing_maps"] = ArrayAttr((first, *op.maps[1:]))


def _apart(
    block: Block, known: _Matrices, over: dict[Value, Value], constraints: Constraints
) -> None:
    """Let each kernel make the matrices that it reads row by row."""
    units = enumerate(partition(block, over))
    home: dict[Op | None, int] = {
        op: number
        for number, unit in units
        if isinstance(unit, OpenGroup)
        for op in unit.members
    }
    again: dict[int, _Again] = {}
    ops: list[Op] = []
    for op in block.ops:
        here = home.get(op)
        if here is not None and AGAIN not in op.attributes:
            state = again.setdefault(here, _Again(known, False, constraints))
            op.operands = [
                state.make(v, ops) if v in known.found and home[v.op] != here else v
                for v in op.operands
            ]
        ops.append(op)
    _put(block, ops)


def _recompute_region(
    region: Region, updates: Iterable[Pair], constraints: Constraints
) -> None:
    block, pairs = region.block, list(updates)
    for op, inner in regions_in(block):
        _recompute_region(inner, updates_in(op, inner, pairs), constraints)
    recompute_block(block, dict(pairs), constraints)


def recompute_function(function: Function) -> None:
    """Make the matrices of one function again where that keeps them out of memory."""
    constraints = constraints_of(function)
    _recompute_region(function.body, updates_of(function), constraints)


def run(module: Module, target: Target) -> Module:
    """Make matrices of all functions again."""
    for function in module.functions:
        recompute_function(function)
    return module


RECOMPUTE = Pass("recompute", Level.STRUCTURED, Level.STRUCTURED, run, __doc__)
