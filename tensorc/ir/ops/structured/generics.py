"""Structured ops on tensors and memory, with MLIR's names (linalg, tensor)."""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from tensorc.ir.arrays.elements import read
from tensorc.ir.attributes import OUTSIDE, REDUCTION, AffineMap, ArrayAttr
from tensorc.ir.core import Block, Body, Op, Region, Value
from tensorc.ir.evaluation import (
    Allocating,
    RegionRunner,
    SizedFailing,
)
from tensorc.ir.invariants import fail
from tensorc.ir.levels import AT_BUFFER, AT_STRUCTURED, Level
from tensorc.ir.maps import (
    Indices,
    check_inside,
    element_index,
    inside_of,
    iteration_point,
    overlaps,
    read_around,
    way_out,
    writes_once,
)
from tensorc.ir.numerics import (
    CONTRACTION_BLOCK,
    FMA_ORDER,
    LANES_ORDER,
    OVERLAP_ORDER,
    SEQUENTIAL,
    Array,
    added_blocks,
    flatten,
    ordered_product,
    ordered_sum,
)
from tensorc.ir.opdef import MEMBER, PURE, TERMINATOR, InferContext, Values, op, require
from tensorc.ir.ops.scalar.arith import MulF, MulI
from tensorc.ir.types import (
    INDEX,
    Element,
    MemRefType,
    TensorType,
    Type,
    element_type,
)

ORDERS = ("", LANES_ORDER, FMA_ORDER, SEQUENTIAL, OVERLAP_ORDER)


@op("tensor.empty", traits=(PURE, MEMBER), levels=AT_STRUCTURED)
class Empty(Op):
    """A tensor of undefined elements, to be a destination.

    Constraints:
      (C1) There is an index per dimension that is no number.

    Example:
      %1 = "tensor.empty"(%0) : (index) -> tensor<?x10xf32, #tc.dims<["B", 10]>>
    """

    sizes: Values

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require C1."""
        type_ = results[0]
        require(isinstance(type_, TensorType), "C1", "{}", type_)
        assert isinstance(type_, TensorType)
        unknown = sum(not isinstance(d, int) for d in type_.shape)
        fits = len(operands) == unknown and all(o == INDEX for o in operands)
        require(fits, "C1", "{} for {}", len(operands), type_)

    @staticmethod
    def evaluate(ctx: Allocating, *sizes: Array) -> Array:
        type_ = ctx.result_type()
        assert isinstance(type_, TensorType)
        rest = iter(sizes)
        shape = [d if isinstance(d, int) else int(next(rest)) for d in type_.shape]
        return np.zeros(shape, type_.element.dtype)


@op("tensor.extract", traits=(PURE,), levels=AT_STRUCTURED)
class Extract(Op):
    """Read one element of a tensor.

    Constraints:
      (C1) There is an index per axis.

    Example:
      %3 = "tensor.extract"(%0, %1, %2) : (tensor<4x3xf32>, index, index) -> f32
    """

    tensor: Value
    indices: Values

    @staticmethod
    def infer(ctx: InferContext, tensor: Type, *indices: Type) -> Type:
        """Give the element type."""
        require(isinstance(tensor, TensorType), "C1", "{}", tensor)
        assert isinstance(tensor, TensorType)
        fits = len(indices) == tensor.rank and all(i == INDEX for i in indices)
        require(fits, "C1", "{} for {}", len(indices), tensor)
        return tensor.element

    @staticmethod
    def evaluate(ctx: object, tensor: Array, *indices: Array) -> Array:
        return read(tensor, indices)


@op("linalg.yield", traits=(TERMINATOR,), levels=AT_STRUCTURED | AT_BUFFER)
class Yield(Op):
    """End the body of a structured op and give the elements of its results.

    Example:
      "linalg.yield"(%0) : (f32) -> ()
    """

    values: Values

    @staticmethod
    def infer(ctx: InferContext, *values: Type) -> tuple[Type, ...]:
        """Give nothing."""
        return ()


class Iterating(Protocol):
    """What `evaluate` may ask of the interpreter: where the iteration stands."""

    def iteration(self, dim: int) -> Array:
        """Return the index along a dimension of the innermost structured op."""
        ...


@op("linalg.index", traits=(PURE,), levels=AT_STRUCTURED | AT_BUFFER)
class Index(Op):
    """The index of the iteration along a dimension of the enclosing generic.

    Example:
      %1 = "linalg.generic"(%0) <{indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = [#linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 0, 1>}> ({
      ^bb0(%a: index):
        %2 = "linalg.index"() <{dim = 0 : i64}> : () -> index
        "linalg.yield"(%2) : (index) -> ()
      }) : (tensor<4xindex>) -> tensor<4xindex>
    """  # noqa: E501

    dim: int

    @staticmethod
    def infer(ctx: InferContext, *, dim: int) -> Type:
        """Give an index."""
        return INDEX

    @staticmethod
    def evaluate(ctx: Iterating, *, dim: int) -> Array:
        return ctx.iteration(dim)

    def verify(self, functions: Mapping[str, Op], level: Level | None) -> None:
        """Check that a generic is around it."""
        region = self.parent.parent if self.parent is not None else None
        if region is None or not isinstance(region.parent, Generic):
            fail(self, f"stands outside of a {Generic.name}")


@op("linalg.fill", traits=(MEMBER,), levels=AT_STRUCTURED | AT_BUFFER)
class Fill(Op):
    """Set all elements of the destination to a scalar.

    Constraints:
      (C1) The destination has the scalar's type.

    Example:
      %2 = "linalg.fill"(%0, %1) : (f32, tensor<4xf32>) -> tensor<4xf32>
    """

    value: Value
    destination: Value

    @staticmethod
    def infer(ctx: InferContext, value: Type, destination: Type) -> tuple[Type, ...]:
        """Give the destination's type, or nothing for memory."""
        is_array = isinstance(destination, TensorType | MemRefType)
        fits = is_array and element_type(destination) == value
        require(fits, "C1", "{} and {}", value, destination)
        return (destination,) if isinstance(destination, TensorType) else ()

    @staticmethod
    def evaluate(
        ctx: RegionRunner, value: Array, destination: Array
    ) -> tuple[Array, ...]:
        if not ctx.gives_results():
            destination[...] = value
            return ()
        return (np.full_like(destination, value),)

    def verify(self, functions: Mapping[str, Op], level: Level | None) -> None:
        """Check the destination of a tensor."""
        _check_destinations(self, [self.destination], level)


_ARRAYS = (TensorType, MemRefType)


@op("linalg.generic", traits=(MEMBER,), levels=AT_STRUCTURED | AT_BUFFER)
class Generic(Op):
    """Apply a scalar body at each point of an iteration space.

    Operand i is read at `indexing_maps[i]` of the point. Dimensions are parallel or
    reduced; the last operands are destinations, which a reduction starts from. `order`
    says how elements combine: "lanes" for sums, "fma" for contractions, "overlap" for
    windows that are added where they overlap, "sequential" otherwise (docs/numerics.md);
    "" if nothing is reduced. Reduced dimensions are one flat index, row-major in the
    order of the iterators, and the order is along it.

    Constraints:
      (C1) indexing_maps has a map per operand, all of one number of dimensions.
      (C2) A map has a result per axis of its operand.
      (C3) There is an order if a dimension is reduced, and otherwise none.
      (C4) Each dimension is an axis of some operand, which gives its extent: a plain
           result of its map. An operand may be there for that alone.
      (C5) No destination of "lanes" or "fma" is f16 or bf16: they add up in f32.
      (C6) A destination is written at each index once: its map has each dimension that
           is not reduced in one result, alone. Only what adds nothing up, and
           contractions, write parts.
      (C7) Each map stays inside of its operand, but those that say what is read outside.
      (C8) With "overlap" the first dimensions are kept, and the first axes of the one
           destination; then come n window dimensions k and n position dimensions p,
           and n axes at p * stride + k * dilation + constant, both at least 1. A point
           outside of the destination is left out.
      (C9) What is read outside of an input has its type; destinations say no such thing.

    Example:
      %2 = "linalg.generic"(%0, %1) <{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = [#linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
      ^bb0(%a: f32, %b: f32):
        "linalg.yield"(%a) : (f32) -> ()
      }) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """  # noqa: E501

    inputs_and_outputs: Values
    indexing_maps: ArrayAttr
    iterator_types: ArrayAttr
    operandSegmentSizes: tuple[int, ...]  # MLIR's spelling
    order: str
    body: Region

    @property
    def inputs(self) -> list[Value]:
        """What is read."""
        return self.operands[: self.operandSegmentSizes[0]]

    @property
    def outputs(self) -> list[Value]:
        """The destinations."""
        return self.operands[self.operandSegmentSizes[0] :]

    @property
    def maps(self) -> tuple[AffineMap, ...]:
        """The indexing maps, one per operand: `infer` checks that they are maps."""
        return self.indexing_maps.items  # type: ignore[return-value]

    @property
    def reductions(self) -> tuple[int, ...]:
        """The dimensions that are reduced, ascending."""
        return reduced_dims(self.iterator_types)

    @staticmethod
    def infer(
        ctx: InferContext,
        *operands: Type,
        indexing_maps: ArrayAttr,
        iterator_types: ArrayAttr,
        operandSegmentSizes: tuple[int, ...],
        order: str,
    ) -> tuple[Type, ...]:
        """Give the types of tensor destinations, or nothing for memory."""
        maps = [m for m in indexing_maps.items if isinstance(m, AffineMap)]
        dims = len(iterator_types.items)
        fits = len(maps) == len(operands) and all(m.dims == dims for m in maps)
        require(fits, "C1", "{} maps for {} operands", len(maps), len(operands))
        for map_, type_ in zip(maps, operands, strict=True):
            rank = type_.rank if isinstance(type_, _ARRAYS) else -1
            require(len(map_.results) == rank, "C2", "{} for {}", map_, type_)
        reductions = len(reduced_dims(iterator_types))
        fits = order in ORDERS and (order != "") == (reductions > 0)
        require(fits, "C3", "{} reduced dimensions and '{}'", reductions, order)
        walked = {d for map_ in maps for d in map_.results if isinstance(d, int)}
        require(walked >= set(range(dims)), "C4", "{} dimensions", dims)
        outputs = operands[operandSegmentSizes[0] :]
        ordered = order in (LANES_ORDER, FMA_ORDER)
        elements = map(element_type, outputs if ordered else ())
        narrow = [str(e) for e in elements if e.accumulator != e]
        require(not narrow, "C5", ", ".join(narrow))
        kept = [d for d, kind in enumerate(iterator_types.items) if kind != REDUCTION]
        given = maps
        if order == OVERLAP_ORDER:
            fits = len(outputs) == 1 and overlaps(maps[-1], len(kept))
            require(fits, "C8", "{}", maps[-1])
            maps = maps[:-1]
        for map_ in maps[operandSegmentSizes[0] :]:
            is_part = order in ("", FMA_ORDER)
            fits = map_.is_plain or (is_part and writes_once(map_, kept))
            require(fits, "C6", "{}", map_)
        types = [t for t in operands if isinstance(t, _ARRAYS)]
        outside = way_out(maps, [t.shape for t in types[: len(maps)]])
        require(not outside, "C7", outside)
        for number, (map_, type_) in enumerate(zip(given, operands, strict=True)):
            fill = map_.outside
            is_input = number < operandSegmentSizes[0]
            fits = fill is None or (is_input and fill.type == element_type(type_))
            require(fits, "C9", "{} of {}", fill, type_)
        return tuple([t for t in outputs if isinstance(t, TensorType)])

    def blocks(self) -> tuple[Body, ...]:
        """Take an element of each operand and yield one for each destination."""
        elements = tuple([element_type(v.type) for v in self.operands])
        yields = elements[self.operandSegmentSizes[0] :]
        return (Body(Yield, elements, yields, scalars=True),)

    def verify(self, functions: Mapping[str, Op], level: Level | None) -> None:
        """Check that the body makes scalars of its own, and of what its group is given.

        The indices that it reads are of dimensions that exist.
        """
        if OUTSIDE in self.attributes:  # the text of it fits no maps
            fail(self, f"{OUTSIDE} has a constant for each map, or 'inside'")
        rank, block = len(self.iterator_types.items), self.body.block
        inside = set(block.arguments)
        first = self.operandSegmentSizes[0]
        # Only a reduction goes on from what its destinations hold.
        unread = set() if self.reductions else set(block.arguments[first:])
        for inner in block.ops:
            for value in inner.operands:
                if value in unread:
                    fail(
                        inner,
                        f"reads a destination of a {self.name} that reduces nothing",
                    )
                known = value in inside or value.owner is self.parent
                if not known and isinstance(value.type, Element):
                    fail(inner, f"reads a scalar from outside of the {self.name}")
            if level is not None and not _makes_scalars(inner):
                fail(inner, f"makes no scalar for the {self.name} around it")
            if isinstance(inner, Index) and not 0 <= inner.dim < rank:
                fail(inner, f"dim is {inner.dim}, the {self.name} has {rank}")
            inside.update(inner.results)
        _check_destinations(self, self.outputs, level)

    @staticmethod
    def evaluate(
        ctx: "GenericContext",
        *operands: Array,
        indexing_maps: ArrayAttr,
        iterator_types: ArrayAttr,
        operandSegmentSizes: tuple[int, ...],
        order: str,
    ) -> tuple[Array, ...]:
        """Evaluate whole iteration spaces at a time."""
        maps = [m for m in indexing_maps.items if isinstance(m, AffineMap)]
        sizes = iteration_sizes(maps, [o.shape for o in operands])
        at = [element_index(ctx, m, sizes) for m in maps]
        if order == OVERLAP_ORDER:
            *inputs, target = operands
            *read, index = at
            assert index is not None
            pairs = zip(inputs, maps[:-1], read, strict=True)
            views = [align(o, m, i) for o, m, i in pairs]
            whole = _overlapped(ctx, views, index, sizes, target)
            if not ctx.gives_results():
                target[...] = whole
            return (whole,) if ctx.gives_results() else ()
        for operand, map_, index in zip(operands, maps, at, strict=True):
            if map_.outside is None:
                check_inside(ctx, index, operand.shape)
        views = [align(o, m, i) for o, m, i in zip(operands, maps, at, strict=True)]
        first = operandSegmentSizes[0]
        reduced = reduced_dims(iterator_types)
        point = iteration_point(sizes)
        if not reduced:
            given = ctx.run_at(ctx.block(0), views, point)
        else:
            given = _reduce(ctx, views, first, sizes, reduced, order)
        results = []
        for value, map_, index, target in zip(
            given, maps[first:], at[first:], operands[first:], strict=True
        ):
            if index is None:
                whole = place_result(value, map_, sizes, target)
            else:
                whole = target.copy()
                whole[index] = value
            if not ctx.gives_results():
                target[...] = whole
            results.append(whole)
        return tuple(results) if ctx.gives_results() else ()


def _makes_scalars(op: Op) -> bool:
    """Tell whether an op may stand in a body: it gives scalars, or ends it."""
    if not op.results:
        return TERMINATOR in op.traits
    return all(isinstance(result.type, Element) for result in op.results)


def _check_destinations(
    op: Op, destinations: Sequence[Value], level: Level | None
) -> None:
    """Check that tensors are made to be destinations: a kernel writes over no other.

    A part may be written of what other generics wrote parts of, in this kernel or one
    before it. Who reads what is only partly written would read what is written later:
    nobody may.
    """
    made = (Empty, Fill)
    if level is not Level.STRUCTURED:
        return
    for number, value in enumerate(destinations, len(op.operands) - len(destinations)):
        if isinstance(value.op, made):
            continue
        is_part = isinstance(op, Generic) and not op.maps[number].is_plain
        if not is_part or not _may_continue(value):
            names = " or ".join(cls.name for cls in made)
            fail(op, f"its destination must be what {names} makes")
        if op.parent is not None and _uses(op.parent, value) != 1:
            fail(op, "writes into a tensor that another op reads")


def _may_continue(value: Value) -> bool:
    """Return whether a generic may write into a part of a value: kernels made it."""
    return value.op is None or isinstance(value.op, Generic)


def _uses(block: Block, value: Value) -> int:
    return sum(v is value for op in block.ops for v in op.operands)


class GenericContext(RegionRunner, SizedFailing, Protocol):
    """What a generic may ask of the interpreter."""

    def run_at(
        self,
        block: Block,
        arguments: Sequence[Array],
        point: Sequence[Array],
    ) -> list[Array]:
        """Run a block where `linalg.index` gives `point`."""
        ...


def reduced_dims(iterators: ArrayAttr) -> tuple[int, ...]:
    """Return the dimensions that are reduced, ascending."""
    return tuple([i for i, kind in enumerate(iterators.items) if kind == REDUCTION])


def iteration_sizes(
    maps: Sequence[AffineMap], shapes: Sequence[tuple[int, ...]]
) -> list[int]:
    """Return the extent of each dimension, from the operands that walk along it."""
    sizes = [0] * maps[0].dims
    for map_, shape in zip(maps, shapes, strict=True):
        for dim, size in zip(map_.results, shape, strict=True):
            if isinstance(dim, int):
                sizes[dim] = size
    return sizes


def align(values: Array, map_: AffineMap, index: Indices | None) -> Array:
    """View an operand so that its axes are the dimensions of the iteration."""
    if index is not None and map_.outside is not None:
        return read_around(values, index, map_.outside.value)
    if index is not None:
        return np.asarray(values[index])
    for axis, dim in reversed(list(enumerate(map_.results))):
        if dim is None:
            values = np.asarray(values.take(0, axis))
    dims = [d for d in map_.results if isinstance(d, int)]
    ordered = np.transpose(values, np.argsort(dims))
    missing = tuple(d for d in range(map_.dims) if d not in dims)
    return np.expand_dims(ordered, missing)


def place_result(
    value: Array, map_: AffineMap, sizes: Sequence[int], target: Array
) -> Array:
    """Return a result in the axes of its destination."""
    dims = [d for d in map_.results if isinstance(d, int)]
    kept = [sizes[d] if d in dims else 1 for d in range(map_.dims)]
    whole = np.broadcast_to(value, kept).astype(target.dtype)
    dropped = tuple(d for d in range(map_.dims) if d not in dims)
    ascending = sorted(dims)
    squeezed = np.squeeze(whole, dropped)
    return np.transpose(squeezed, [ascending.index(d) for d in dims])


def _reduce(
    ctx: GenericContext,
    views: list[Array],
    first: int,
    sizes: list[int],
    reduced: tuple[int, ...],
    order: str,
) -> list[Array]:
    """Combine along the flat index over the reduced dimensions, row-major."""
    block = ctx.block(0)
    point = iteration_point(sizes)
    if order == LANES_ORDER:
        # What it starts from changes no element, so the body gives the elements.
        elements = ctx.run_at(block, views, point)
        last = block.terminator.operands[0].op
        combine = ordered_product if isinstance(last, MulF | MulI) else ordered_sum
        whole = [flatten(np.broadcast_to(e, sizes), reduced) for e in elements]
        return [np.expand_dims(combine(e, 0), reduced) for e in whole]
    initial = views[first:]
    extents = [sizes[d] for d in reduced]
    count = math.prod(extents)
    step = CONTRACTION_BLOCK if order == FMA_ORDER else max(count, 1)
    blocks = []
    for start in range(0, count, step):
        partial = initial
        for k in range(start, min(start + step, count)):
            at = dict(zip(reduced, np.unravel_index(k, extents), strict=True))
            inputs = [_at(v, at) for v in views[:first]]
            here = [_at(p, {i: at[i]}) if i in at else p for i, p in enumerate(point)]
            partial = ctx.run_at(block, [*inputs, *partial], here)
        blocks.append(partial)
    return [added_blocks(b) for b in zip(*blocks, strict=True)] or initial


def _overlapped(
    ctx: GenericContext,
    views: list[Array],
    index: Indices,
    sizes: Sequence[int],
    target: Array,
) -> Array:
    """Add elements to a copy of a destination, in the order of the flat index."""
    start = np.zeros([1] * len(sizes), target.dtype)
    (added,) = ctx.run_at(ctx.block(0), [*views, start], iteration_point(sizes))
    inside = np.broadcast_to(inside_of(index, target.shape), sizes)
    whole = target.copy()
    places = tuple([np.broadcast_to(i, sizes)[inside] for i in index])
    np.add.at(whole, places, np.broadcast_to(added, sizes)[inside])
    return whole


def _at(view: Array, at: Mapping[int, np.intp]) -> Array:
    """Return a view at indices of some dimensions, which stay with extent 1."""
    for axis, index in at.items():
        view = view if view.shape[axis] == 1 else view.take([index], axis)
    return view
