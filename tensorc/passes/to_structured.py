"""Lower tensor ops to structured ops: a scalar body at each point of a space.

Before:
  %1 = "tc.broadcast"(%b) <{axes = array<i64: 1>, shape = #tc.dims<["B", 3]>}> : …
  %2 = "tc.add"(%z, %1) : …
After:
  %2 = "linalg.generic"(%z, %b, %empty) <{indexing_maps = [
    affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>,
    affine_map<(d0, d1) -> (d0, d1)>], …}> ({ … arith.addf … }) : …

Broadcasts, transposes and reshapes that only add or drop axes of size 1 become the
indexing maps of their readers (`View`); scalar constants go into the bodies. Index
checks on arguments move to the start, so that they stand before everything else.
"""

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from tensorc.errors import InternalError
from tensorc.ir.attributes import AffineMap, Attribute, Dims, Typed
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.functions import constraints_of, set_function_type
from tensorc.ir.numerics import FMA_ORDER, LANES_ORDER, SEQUENTIAL
from tensorc.ir.opdef import ELEMENTWISE, TERMINATOR
from tensorc.ir.ops import (
    arith,
    conversions,
    indexing,
    making,
    math,
    nn,
    products,
    reductions,
    shape,
)
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.kernels import CheckIndex
from tensorc.ir.ops.reductions import max_identity
from tensorc.ir.ops.structured import Extract, Index
from tensorc.ir.types import I64, INDEX, Element, TensorType
from tensorc.passes.base import Level, Pass
from tensorc.passes.structured_builder import (
    apply_scalar,
    binary_class,
    cast,
    compare,
    empty,
    filled,
    generic,
    scalar,
    size,
)
from tensorc.target import Target

Axes = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class View:
    """A tensor that is read through a map: axis i of `base` is axis `axes[i]` of it.

    `axes[i]` None reads index 0 of an axis. Without `base` it is `constant` everywhere.
    """

    type: TensorType
    base: Value | None
    axes: Axes
    constant: Typed | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether the view is its base, unchanged."""
        return self.base is not None and self == whole(self.base)


def whole(base: Value) -> View:
    """Return the view of a lowered tensor as it is."""
    assert isinstance(base.type, TensorType)
    return View(base.type, base, tuple(range(base.type.rank)))


Read = tuple[View, Axes]  # a view, and the iteration dimension of each of its axes


@dataclass
class Lowering:
    """The state of lowering one function."""

    b: Builder
    views: dict[Value, View] = field(default_factory=dict)
    checked: set[tuple[Value, int, Dims]] = field(default_factory=set)
    entry: list[Op] = field(default_factory=list)

    def materialize(self, view: View) -> Value:
        """Return a lowered tensor with the view's elements, copying if need be."""
        if view.is_whole and view.base is not None:
            return view.base
        return self.pointwise([view], view.type, lambda values: values)

    def pointwise(
        self,
        views: Sequence[View],
        type_: TensorType,
        body: Callable[[list[Value]], Sequence[Value]],
    ) -> Value:
        """Append a generic without reduction that reads views of `type_`'s shape."""
        axes = tuple(range(type_.rank))
        return self.loop([(v, axes) for v in views], [(type_, axes, None)], body)[0]

    def loop(
        self,
        reads: Sequence[Read],
        writes: Sequence[tuple[TensorType, Axes, float | None]],
        body: Callable[[list[Value]], Sequence[Value]],
        reduction: int | None = None,
        order: str = "",
        dims: int | None = None,
    ) -> list[Value]:
        """Append a generic; a write has a type, its dimensions and what it starts from.

        The body gets the elements of the reads, then those of the writes if something
        is reduced.
        """
        b = self.b
        count = len(writes[0][1]) + (reduction is not None) if dims is None else dims
        if reduction is not None and not any(
            reduction in _compose(v.axes, axes) for v, axes in reads
        ):
            # Nothing read has the reduced extent: all repeat along it. Give it one.
            (view, axes), *others = reads
            reads = [(whole(self.materialize(view)), axes), *others]
        inputs = [
            (v.base, AffineMap(count, _compose(v.axes, axes)))
            for v, axes in reads
            if v.base is not None
        ]
        outputs = [
            (
                empty(b, type_) if initial is None else filled(b, type_, initial),
                AffineMap(count, axes),
            )
            for type_, axes, initial in writes
        ]

        def with_constants(arguments: list[Value]) -> Sequence[Value]:
            given = iter(arguments)
            values = [
                next(given)
                if v.constant is None
                else b.value(arith.Constant, value=v.constant)
                for v, _ in reads
            ]
            accumulators = list(given) if reduction is not None else []
            return body([*values, *accumulators])

        return generic(b, inputs, outputs, with_constants, reduction, order)

    def index(self, dim: int) -> Value:
        """Append the index along a dimension of the generic that is being built."""
        return self.b.value(Index, dim=dim)

    def read_at(self, base: Value, axes: Axes, places: Mapping[int, Value]) -> Value:
        """Append the element of a lowered tensor at computed places.

        Axis i of `base` is read at `places[axes[i]]`, or at the iteration's index.
        """
        indices = []
        for axis in axes:
            if axis is None:
                indices.append(scalar(self.b, 0, INDEX))
            else:
                at = places.get(axis)
                indices.append(self.index(axis) if at is None else at)
        return self.b.value(Extract, base, *indices)


def _compose(view: Axes, axes: Axes) -> Axes:
    return tuple(None if a is None else axes[a] for a in view)


def _tensor(value: Value) -> TensorType:
    assert isinstance(value.type, TensorType)
    return value.type


def _without(rank: int, axis: int) -> tuple[int, ...]:
    return tuple(d for d in range(rank) if d != axis)


def _constant(low: Lowering, op: making.Constant) -> View:
    array = op.value.value
    type_ = op.value.type
    flat = array.reshape(-1)
    if flat.size and flat.tobytes() == flat[:1].tobytes() * flat.size:
        return View(type_, None, (), Typed(flat[0].item(), type_.element))
    return whole(low.b.value(making.Constant, value=op.value))


def _broadcast(low: Lowering, op: shape.Broadcast) -> View:
    source = low.views[op.operand]
    type_ = _tensor(op.result)
    kept: Axes = tuple(
        axis if old == type_.shape[axis] or old != 1 else None
        for old, axis in zip(source.type.shape, op.axes, strict=True)
    )
    axes = tuple(None if a is None else kept[a] for a in source.axes)
    return View(type_, source.base, axes, source.constant)


def _transpose(low: Lowering, op: shape.Transpose) -> View:
    source = low.views[op.operand]
    where = {old: new for new, old in enumerate(op.permutation)}
    axes = tuple(None if a is None else where[a] for a in source.axes)
    return View(_tensor(op.result), source.base, axes, source.constant)


def _reshape(low: Lowering, op: shape.Reshape) -> View:
    source = low.views[op.operand]
    type_ = _tensor(op.result)
    if source.constant is not None:
        return View(type_, None, (), source.constant)
    old = [i for i, d in enumerate(source.type.shape) if d != 1]
    new = [i for i, d in enumerate(type_.shape) if d != 1]
    same = [source.type.shape[i] for i in old] == [type_.shape[i] for i in new]
    if same:
        where = dict(zip(old, new, strict=True))
        axes = tuple(None if a is None else where.get(a) for a in source.axes)
        return View(type_, source.base, axes)
    base = low.materialize(source)
    return whole(low.b.value(shape.Reshape, base, shape=op.shape))


def _elementwise(low: Lowering, op: Op) -> View:
    views = [low.views[v] for v in op.operands]
    type_ = _tensor(op.result)

    def body(values: list[Value]) -> list[Value]:
        return [apply_scalar(low.b, op.scalar, values, op.attributes)]

    return whole(low.pointwise(views, type_, body))


def _reduce(
    low: Lowering, source: View, axis: int, kernel: str, initial: float, order: str
) -> Value:
    type_ = source.type
    kept = _without(type_.rank, axis)
    result = TensorType(tuple(type_.shape[d] for d in kept), type_.element)
    cls = binary_class(kernel, type_.element)
    return low.loop(
        [(source, tuple(range(type_.rank)))],
        [(result, kept, initial)],
        lambda values: [low.b.value(cls, values[1], values[0])],
        axis,
        order,
    )[0]


def _sum(low: Lowering, source: View, axis: int) -> Value:
    zero = -0.0 if source.type.element.is_float else 0
    return _reduce(low, source, axis, "add", zero, LANES_ORDER)


def _max(low: Lowering, source: View, axis: int) -> Value:
    lowest = max_identity(source.type.element.dtype)
    return _reduce(low, source, axis, "maximum", lowest, SEQUENTIAL)


def _sum_op(low: Lowering, op: reductions.Sum) -> View:
    return whole(_sum(low, low.views[op.operand], op.axis))


def _max_op(low: Lowering, op: reductions.Max) -> View:
    return whole(_max(low, low.views[op.operand], op.axis))


def _argmax(low: Lowering, op: reductions.ArgMax) -> View:
    b = low.b
    source = low.views[op.operand]
    rank, element = source.type.rank, source.type.element
    kept = _without(rank, op.axis)
    index_type = _tensor(op.result)
    value_type = TensorType(index_type.shape, element)

    def body(values: list[Value]) -> list[Value]:
        value, best, at = values
        better = compare(b, "gt", value, best)
        if element.is_float:
            # A NaN beats everything but an earlier NaN.
            here = compare(b, "ne", value, value)
            before = compare(b, "eq", best, best)
            new_nan = b.value(arith.AndI, here, before)
            better = b.value(arith.OrI, better, new_nan)
        index = b.value(conversions.IndexCast, low.index(op.axis), types=[I64])
        return [
            b.value(arith.Select, better, value, best),
            b.value(arith.Select, better, index, at),
        ]

    lowest = max_identity(element.dtype)
    writes = [(value_type, kept, lowest), (index_type, kept, 0)]
    reads = [(source, tuple(range(rank)))]
    return whole(low.loop(reads, writes, body, op.axis, SEQUENTIAL)[1])


def _log_softmax(low: Lowering, op: nn.LogSoftmax) -> View:
    b = low.b
    source, type_ = low.views[op.operand], _tensor(op.result)
    kept = _without(type_.rank, op.axis)

    def spread(value: Value) -> View:
        return View(type_, value, kept)

    def subtract(values: list[Value]) -> list[Value]:
        return [b.value(arith.SubF, *values)]

    largest = _max(low, source, op.axis)
    shifted = low.pointwise([source, spread(largest)], type_, subtract)
    powers = low.pointwise([whole(shifted)], type_, lambda v: [b.value(math.Exp, *v)])
    total = _sum(low, whole(powers), op.axis)
    log_type = _tensor(total)
    log = low.pointwise([whole(total)], log_type, lambda v: [b.value(math.Log, *v)])
    return whole(low.pointwise([whole(shifted), spread(log)], type_, subtract))


def _matmul(low: Lowering, op: products.MatMul) -> View:
    b = low.b
    type_ = _tensor(op.result)
    batch = tuple(range(type_.rank - 2))
    m, n, k = type_.rank - 2, type_.rank - 1, type_.rank
    lhs, rhs = low.views[op.lhs], low.views[op.rhs]
    if lhs.base is None:
        lhs = whole(low.materialize(lhs))
    # The kernel reads rhs along its columns: let them be neighbours in memory.
    if not rhs.axes or rhs.axes[-1] != rhs.type.rank - 1:
        rhs = whole(low.materialize(rhs))

    def fused(values: list[Value]) -> list[Value]:
        return [b.value(math.Fma, *values)]

    def separate(values: list[Value]) -> list[Value]:
        product = b.value(arith.MulI, values[0], values[1])
        return [b.value(arith.AddI, values[2], product)]

    is_float = type_.element.is_float
    return whole(
        low.loop(
            [(lhs, (*batch, m, k)), (rhs, (*batch, k, n))],
            [(type_, (*batch, m, n), 0.0 if is_float else 0)],
            fused if is_float else separate,
            k,
            FMA_ORDER if is_float else SEQUENTIAL,
        )[0]
    )


def _take_along_axis(low: Lowering, op: indexing.TakeAlongAxis) -> View:
    b = low.b
    operand, indices = low.views[op.operand], low.views[op.indices]
    extent = operand.type.shape[op.axis]
    _check(low, indices, op.axis, extent)
    base = low.materialize(operand) if operand.base is None else operand.base
    view = whole(base) if operand.base is None else operand
    type_ = _tensor(op.result)
    kept = _without(view.type.rank, op.axis)
    # The axes of the operand, in terms of the result's dimensions.
    axes = tuple(
        -1 if a == op.axis else None if a is None else kept.index(a) for a in view.axes
    )

    def body(values: list[Value]) -> list[Value]:
        index = cast(b, cast(b, values[0], I64), INDEX)
        negative = compare(b, "lt", index, scalar(b, 0, INDEX))
        wrapped = b.value(arith.AddI, index, size(b, extent))
        at = b.value(arith.Select, negative, wrapped, index)
        return [low.read_at(base, axes, {-1: at})]

    return whole(low.pointwise([indices], type_, body))


def _check(low: Lowering, indices: View, axis: int, extent: Dim) -> None:
    base = low.materialize(indices) if indices.base is None else indices.base
    key = (base, axis, Dims((extent,)))
    if key in low.checked:
        return
    low.checked.add(key)
    attributes: dict[str, Attribute] = {"axis": axis, "size": Dims((extent,))}
    op = CheckIndex([base], [], attributes, [], low.b.location)
    if isinstance(base.owner, Block):
        low.entry.append(op)
    else:
        low.b.block.append(op)


def _slice(low: Lowering, op: shape.Slice) -> View:
    b = low.b
    operand = low.views[op.operand]
    if operand.base is None:
        return View(_tensor(op.result), None, (), operand.constant)
    base = operand.base

    def body(_: list[Value]) -> list[Value]:
        places = {}
        for axis, (start, step) in enumerate(
            zip(op.starts.dims, op.steps, strict=True)
        ):
            places[axis] = _shifted(b, low.index(axis), start, step)
        return [low.read_at(base, operand.axes, places)]

    return whole(low.pointwise([], _tensor(op.result), body))


def _shifted(b: Builder, index: Value, start: Dim, step: int) -> Value:
    if step != 1:
        index = b.value(arith.MulI, index, scalar(b, step, INDEX))
    if start != 0:
        index = b.value(arith.AddI, index, size(b, start))
    return index


def _unslice(low: Lowering, op: shape.Unslice) -> View:
    b = low.b
    base = low.materialize(low.views[op.operand])
    part, type_ = _tensor(base), _tensor(op.result)

    def body(_: list[Value]) -> list[Value]:
        inside = scalar(b, 1, _BOOL)
        places = {}
        zero = scalar(b, 0, INDEX)
        for axis, (start, step) in enumerate(
            zip(op.starts.dims, op.steps, strict=True)
        ):
            offset = b.value(arith.SubI, low.index(axis), size(b, start))
            divisor = scalar(b, step, INDEX)
            at = b.value(arith.FloorDivSI, offset, divisor)
            extent = size(b, part.shape[axis])
            back = b.value(arith.MulI, at, divisor)
            for holds in (
                compare(b, "eq", back, offset),
                compare(b, "ge", at, zero),
                compare(b, "lt", at, extent),
            ):
                inside = b.value(arith.AndI, inside, holds)
            places[axis] = at
        # Outside of the part, which may be empty, its first element is read in vain.
        places = {
            axis: b.value(arith.Select, inside, at, zero) for axis, at in places.items()
        }
        value = low.read_at(base, tuple(range(part.rank)), places)
        return [b.value(arith.Select, inside, value, scalar(b, 0, part.element))]

    if 0 in part.shape:
        return View(type_, None, (), Typed(0, part.element))
    return whole(low.pointwise([], type_, body))


_BOOL = Element("i1")


def _iota(low: Lowering, op: making.Iota) -> View:
    def body(_: list[Value]) -> list[Value]:
        index = cast(low.b, low.index(op.axis), I64)
        return [cast(low.b, index, op.element)]

    return whole(low.pointwise([], _tensor(op.result), body))


def _dim(low: Lowering, op: shape.Size) -> View:
    extent = _tensor(op.operand).shape[op.axis]
    type_ = _tensor(op.result)
    if isinstance(extent, int):
        return View(type_, None, (), Typed(extent, I64))
    return whole(
        low.pointwise([], type_, lambda _: [cast(low.b, size(low.b, extent), I64)])
    )


Rule = Callable[[Lowering, Op], View]
# The types cannot say that each rule takes ops of the class it stands for.
_RULES = typing.cast(
    dict[type[Op], Rule],
    {
        making.Constant: _constant,
        making.Iota: _iota,
        shape.Broadcast: _broadcast,
        shape.Transpose: _transpose,
        shape.Reshape: _reshape,
        shape.Slice: _slice,
        shape.Unslice: _unslice,
        shape.Size: _dim,
        reductions.Sum: _sum_op,
        reductions.Max: _max_op,
        reductions.ArgMax: _argmax,
        products.MatMul: _matmul,
        indexing.TakeAlongAxis: _take_along_axis,
        nn.LogSoftmax: _log_softmax,
    },
)
RULES: Mapping[type[Op], Rule] = MappingProxyType(_RULES)


def lower_function(function: Function) -> None:
    """Lower the body of one function in place."""
    old = function.body.block
    new = Block(arguments=old.arguments, parent=function.body)
    low = Lowering(Builder(new, constraints_of(function)))
    for argument in old.arguments:
        low.views[argument] = whole(argument)
    for op in old.ops:
        with low.b.at(op.location):
            if TERMINATOR in op.traits:
                low.b.create(
                    type(op), *[low.materialize(low.views[v]) for v in op.operands]
                )
            elif op.results:
                low.views[op.result] = _lower(low, op)
    new.ops[:0] = low.entry
    for op in low.entry:
        op.parent = new
    for argument in new.arguments:
        argument.owner = new
    function.body.blocks[:] = [new]
    set_function_type(function)


def _lower(low: Lowering, op: Op) -> View:
    rule = RULES.get(type(op))
    if rule is None and ELEMENTWISE in op.traits:
        rule = _elementwise
    if rule is None:
        raise InternalError(f"{op.name} at {op.location} has no row", "to-structured")
    view = rule(low, op)
    if view.base is not None and not view.base.hint and view.is_whole:
        view.base.hint = op.result.hint
    return view


def run(module: Module, target: Target) -> Module:
    """Lower all functions."""
    for function in module.functions:
        lower_function(function)
    return module


TO_STRUCTURED = Pass("to-structured", Level.TENSOR, Level.STRUCTURED, run)
