"""Lower tensor ops to structured ops: a scalar body at each point of a space.

Source:
  fn f(x: float[B, 3], b: float[3]) -> float[B, 3] = x + b
Before:
  func.func @f(%x: f32[B, 3], %b: f32[3]) -> (f32[B, 3]) {
    %0 = tc.broadcast %b {axes = [1], shape = ["B", 3]} : f32[B, 3]
    %1 = tc.add %x, %0 : f32[B, 3]
    func.return %1
  }
After:
  func.func @f(%x: f32[B, 3], %b: f32[3]) -> (f32[B, 3]) {
    %0 = tc.size {dim = ["B"]} : index
    %1 = tensor.empty %0 : f32[B, 3]
    %2 = linalg.generic %x, %b, %1 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d1), (d0, d1) -> (d0, d1)], iterator_types = [parallel, parallel]} {
    ^bb0(%arg0: f32, %arg1: f32, %arg2: f32):
      %3 = arith.addf %arg0, %arg1 : f32
      linalg.yield %3
    } : f32[B, 3]
    func.return %2
  }

Broadcasts, transposes and reshapes that only add or drop axes of size 1 become the
indexing maps of their readers (`View`); scalar constants go into the bodies. Index
checks on arguments move to the start, so that they stand before everything else.
"""  # noqa: E501

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf
from types import MappingProxyType

from tensorc.errors import CompileError, Diagnostic, InternalError
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.functions import constraints_of, set_function_type
from tensorc.ir.numerics import LANES_ORDER, SEQUENTIAL
from tensorc.ir.opdef import ELEMENTWISE, TERMINATOR, scalar_of
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import DERIVATIVES, CustomGradient, StopGradient
from tensorc.ir.ops.scalar import arith, conversions, math
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.tensor import indexing, making, nn, products, reductions, rounding
from tensorc.ir.ops.tensor import shape as shapes
from tensorc.ir.ops.tensor.cumulative import CUMULATIVE
from tensorc.ir.ops.tensor.reductions import MEAN_SCALE, max_identity, min_identity
from tensorc.ir.types import I64, TensorType
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.common.structured_builder import (
    apply_scalar,
    cast,
    compare,
    scalar,
)
from tensorc.passes.structured import indices, moves
from tensorc.passes.structured.products import matmul
from tensorc.passes.structured.views import (
    Lowering,
    MappedRead,
    Powers,
    tensor,
    whole,
    without,
)
from tensorc.target import Target

# A view of each result.
Views = tuple[MappedRead, ...]


def _elementwise(low: Lowering, op: Op) -> MappedRead:
    views = [low.views[v] for v in op.operands]
    type_ = tensor(op.result)

    def body(values: list[Value]) -> list[Value]:
        return [apply_scalar(low.b, type(op), values, op.attributes)]

    return whole(low.pointwise(views, type_, body))


def _reduction(low: Lowering, op: reductions.Along) -> MappedRead:
    return whole(_reduce(low, type(op), low.views[op.operand], op.axis))


def _reduce(
    low: Lowering, cls: type[reductions.Along], source: MappedRead, axis: int
) -> Value:
    """Append a reduction of a class: in the contract's order if it has one."""
    b, type_, narrow = low.b, source.type, source.type.element
    kept = without(type_.rank, axis)
    ordered = "order" in cls.attribute_names
    wide = narrow.accumulator if ordered else narrow
    result = TensorType(tuple(type_.shape[d] for d in kept), wide)
    combine = scalar_of(cls.combine, wide)
    (total,) = low.loop(
        [(source, tuple(range(type_.rank)))],
        [(result, kept, cls.start(wide.dtype))],
        lambda values: [b.value(combine, values[1], cast(b, values[0], wide))],
        [axis],
        LANES_ORDER if ordered else SEQUENTIAL,
    )
    return low.materialize(low.converted(whole(total), narrow))


def _mean_op(low: Lowering, op: reductions.Mean) -> MappedRead:
    """Sum the elements and, in the same loop, scaled ones: for where that overflows."""
    b, source, type_ = low.b, low.views[op.operand], tensor(op.result)
    element = type_.element

    def divide(values: list[Value]) -> list[Value]:
        total, scaled, count = values
        finite = apply_scalar(b, rounding.IsFinite, [total], {})
        total = b.value(arith.Select, finite, total, scaled)
        one, back = (scalar(b, v, element) for v in (1.0, 1 / MEAN_SCALE))
        mean = b.value(arith.DivF, total, cast(b, count, element))
        return [b.value(arith.MulF, mean, b.value(arith.Select, finite, one, back))]

    sums = [source]
    for axis in reversed(op.axes):
        sums = [whole(v) for v in _two_sums(low, sums, axis)]
    count = low.views[op.count]
    counts = replace(count, type=TensorType(type_.shape, count.type.element))
    return whole(low.pointwise([sums[0], sums[-1], counts], type_, divide))


def _two_sums(low: Lowering, sources: list[MappedRead], axis: int) -> list[Value]:
    """Sum two tensors along an axis; of one, its elements and scaled ones."""
    b, type_ = low.b, sources[0].type
    kept = without(type_.rank, axis)
    result = TensorType(tuple(type_.shape[d] for d in kept), type_.element)

    def add(values: list[Value]) -> list[Value]:
        *elements, plain, scaled = values
        if len(elements) == 1:
            scale = scalar(b, MEAN_SCALE, type_.element)
            elements.append(b.value(arith.MulF, elements[0], scale))
        totals = zip((plain, scaled), elements, strict=True)
        return [b.value(arith.AddF, total, value) for total, value in totals]

    reads = [(source, tuple(range(type_.rank))) for source in sources]
    writes = [(result, kept, -0.0)] * 2
    return low.loop(reads, writes, add, [axis], LANES_ORDER)


def _argmax(low: Lowering, op: reductions.ArgMax) -> MappedRead:
    return _top1(low, op)[1]


def _argmin(low: Lowering, op: reductions.ArgMin) -> MappedRead:
    highest = min_identity(low.views[op.operand].type.element.dtype)
    return _first(low, op, "lt", highest)[1]


def _top1(low: Lowering, op: reductions.Top1 | reductions.ArgMax) -> Views:
    lowest = max_identity(low.views[op.operand].type.element.dtype)
    return _first(low, op, "gt", lowest)


def _first(
    low: Lowering,
    op: reductions.ExtremeIndex | reductions.Top1,
    predicate: str,
    initial: float,
) -> Views:
    """Find the first element that no other is better than by the predicate.

    Gives the element and its index.
    """
    b = low.b
    source = low.views[op.operand]
    rank, element = source.type.rank, source.type.element
    kept = without(rank, op.axis)
    index_type = tensor(op.results[-1])
    value_type = TensorType(index_type.shape, element)

    def body(values: list[Value]) -> list[Value]:
        value, best, at = values
        better = compare(b, predicate, value, best)
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

    writes = [(value_type, kept, initial), (index_type, kept, 0)]
    reads = [(source, tuple(range(rank)))]
    found = low.loop(reads, writes, body, [op.axis], SEQUENTIAL)
    return tuple([whole(value) for value in found])


def _log_softmax(low: Lowering, op: nn.LogSoftmax) -> MappedRead:
    b, type_ = low.b, tensor(op.result)
    shifted, _, total = _shifted_powers(low, low.views[op.operand], None, op.axis)
    log_type = tensor(total)
    log = low.pointwise([whole(total)], log_type, lambda v: [b.value(math.Log, *v)])
    pair = [whole(shifted), _spread(type_, log, op.axis)]
    return whole(low.pointwise(pair, type_, lambda v: [b.value(arith.SubF, *v)]))


def _softmax(low: Lowering, op: nn.Softmax) -> MappedRead:
    b, type_ = low.b, tensor(op.result)
    masks = [low.views[v] for v in op.mask]
    mask = masks[0] if masks else None
    _, powers, total = _shifted_powers(low, low.views[op.operand], mask, op.axis)

    def divide(values: list[Value]) -> list[Value]:
        share = b.value(arith.DivF, *values[:2])
        for counts in values[2:]:
            share = b.value(arith.Select, counts, share, scalar(b, 0, type_.element))
        return [share]

    reads = [whole(powers), _spread(type_, total, op.axis), *masks]
    return whole(low.pointwise(reads, type_, divide))


def _shifted_powers(
    low: Lowering, source: MappedRead, mask: MappedRead | None, axis: int
) -> Powers:
    """Return what a softmax is made of, which is computed once: see `Powers`."""
    key = source, mask, axis
    if key not in low.powers:
        low.powers[key] = _powers(low, source, mask, axis)
    return low.powers[key]


def _powers(
    low: Lowering, source: MappedRead, mask: MappedRead | None, axis: int
) -> Powers:
    b, type_ = low.b, source.type

    def counted(values: list[Value]) -> list[Value]:
        lowest = scalar(b, -inf, type_.element)
        return [b.value(arith.Select, values[0], values[1], lowest)]

    if mask is not None:
        source = whole(low.pointwise([mask, source], type_, counted))
    largest = _reduce(low, reductions.Max, source, axis)
    pair = [source, _spread(type_, largest, axis)]
    shifted = low.pointwise(pair, type_, lambda v: [b.value(arith.SubF, *v)])
    powers = low.pointwise([whole(shifted)], type_, lambda v: [b.value(math.Exp, *v)])
    return shifted, powers, _reduce(low, reductions.Sum, whole(powers), axis)


def _spread(type_: TensorType, value: Value, axis: int) -> MappedRead:
    """Return what was reduced along an axis, repeated along it."""
    return MappedRead(type_, value, without(type_.rank, axis))


def _cumulative(low: Lowering, op: Op) -> MappedRead:
    values = [low.materialize(low.views[v]) for v in op.operands]
    types = low.b.infer(type(op), values, op.attributes)
    made = type(op)(values, types, op.attributes, [], low.b.location)
    return whole(low.b.block.append(made).result)


def _branch(low: Lowering, op: If) -> Views:
    """Lower both regions; a capture is a whole tensor, and inside the same view of it.

    Constants are no captures any more. Checks of captures stay in their region, where
    those that were made outside are known.
    """
    b = low.b
    condition = low.materialize(low.views[op.condition])
    views, bases = _captured(low, op.captures)
    regions = []
    for region in op.regions:
        types, hints = [v.type for v in bases], [v.hint for v in bases]
        with b.region(types, hints) as (lowered, arguments):
            inside = dict(zip(bases, arguments, strict=True))
            inner = _inside(low, region.block.arguments, views, inside)
            _lower_ops(inner, region.block.ops)
        regions.append(lowered)
    types = [r.type for r in op.results]
    made = b.append(If, [condition, *bases], op.attributes, types, regions)
    return tuple([whole(result) for result in made.results])


def _captured(
    low: Lowering, captures: Sequence[Value]
) -> tuple[list[MappedRead], list[Value]]:
    """Return how captures are read, and the whole tensors that are captured for it."""
    views = []
    for view in [low.views[v] for v in captures]:
        base = None if view.base is None else low.checks.latest(view.base)
        views.append(replace(view, base=base))
    return views, list(dict.fromkeys(v.base for v in views if v.base is not None))


def _inside(
    low: Lowering,
    arguments: Sequence[Value],
    views: Sequence[MappedRead],
    inside: Mapping[Value, Value],
) -> Lowering:
    """Return the state of lowering a region, in which captures are read as outside."""
    inner = Lowering(low.b, checks=low.checks.inside(inside))
    for argument, view in zip(arguments, views, strict=True):
        base = None if view.base is None else inside[view.base]
        inner.views[argument] = replace(view, base=base)
    return inner


def _scan(low: Lowering, op: Scan) -> Views:
    """Lower the region; what is carried and sequences are whole tensors."""
    b, block = low.b, op.body.block
    given = [low.materialize(low.views[v]) for v in (*op.inits, *op.sequences)]
    views, bases = _captured(low, op.captures)
    own = block.arguments[: 1 + len(given)]
    types, hints = zip(*[(v.type, v.hint) for v in (*own, *bases)], strict=True)
    with b.region(types, hints) as (lowered, arguments):
        inside = dict(zip(bases, arguments[len(own) :], strict=True))
        inner = _inside(low, block.arguments[len(own) :], views, inside)
        for argument, value in zip(own, arguments, strict=False):
            inner.views[argument] = whole(value)
        _lower_ops(inner, block.ops)
    results = [r.type for r in op.results]
    made = b.append(Scan, [*given, *bases], op.attributes, results, [lowered])
    return tuple([whole(result) for result in made.results])


Rule = Callable[[Lowering, Op], MappedRead | Views]
# The types cannot say that each rule takes ops of the class it stands for.
_RULES = typing.cast(
    dict[type[Op], Rule],
    {
        making.Constant: moves.constant,
        making.Iota: moves.iota,
        shapes.Broadcast: moves.broadcast,
        shapes.Transpose: moves.transpose,
        shapes.Reshape: moves.reshape,
        shapes.Slice: moves.slice,
        shapes.Unslice: moves.unslice,
        shapes.Concatenate: moves.concatenate,
        shapes.Size: moves.dim,
        reductions.Mean: _mean_op,
        reductions.ArgMax: _argmax,
        reductions.ArgMin: _argmin,
        reductions.Top1: _top1,
        products.MatMul: matmul,
        StopGradient: lambda low, op: low.views[op.operand],
        indexing.TakeAlongAxis: indices.take_along_axis,
        indexing.Gather: indices.gather,
        indexing.Scatter: indices.scatter,
        **dict.fromkeys(CUMULATIVE, _cumulative),
        indexing.CheckIndex: indices.check_index,
        nn.Softmax: _softmax,
        nn.LogSoftmax: _log_softmax,
        If: _branch,
        Scan: _scan,
    },
)
RULES: Mapping[type[Op], Rule] = MappingProxyType(_RULES)


def rule_of(cls: type[Op]) -> Rule | None:
    """Return how ops of a class are lowered: by its row, or by what it declares."""
    if cls in RULES:
        return RULES[cls]
    if ELEMENTWISE in cls.traits:
        return _elementwise
    if issubclass(cls, reductions.Along) and hasattr(cls, "combine"):
        return typing.cast(Rule, _reduction)
    return None


def lower_function(function: Function) -> None:
    """Lower the body of one function in place."""
    old = function.body.block
    new = Block(arguments=old.arguments, parent=function.body)
    low = Lowering(Builder(new, constraints_of(function)))
    for argument in old.arguments:
        low.views[argument] = whole(argument)
    _lower_ops(low, old.ops)
    for argument in new.arguments:
        argument.owner = new
    function.body.blocks[:] = [new]
    set_function_type(function)


def _lower_ops(low: Lowering, ops: Sequence[Op]) -> None:
    """Lower the ops of a block to the end of the builder's block."""
    for op in ops:
        with low.b.at(op.location):
            if TERMINATOR in op.traits:
                low.b.create(
                    type(op), *[low.materialize(low.views[v]) for v in op.operands]
                )
            elif op.results:
                low.views.update(zip(op.results, _lower(low, op), strict=True))
    block = low.b.block
    block.ops[:0] = low.entry
    for op in low.entry:
        op.parent = block


def _lower(low: Lowering, op: Op) -> Views:
    rule = rule_of(type(op))
    if isinstance(op, (*DERIVATIVES, CustomGradient)):
        message = f"{op.name} is expanded before the op can be lowered"
        hint = "run the pass autodiff first: --autodiff --to-structured"
        raise CompileError(Diagnostic("TC0250", message, op.location, hints=(hint,)))
    if rule is None:
        raise InternalError(f"{op.name} at {op.location} has no row", "to-structured")
    given = rule(low, op)
    views = given if isinstance(given, tuple) else (given,)
    for view, result in zip(views, op.results, strict=True):
        if view.base is not None and not view.base.hint and view.is_whole:
            view.base.hint = result.hint
    return views


# Places in memory are integers of 64 bits, sums of a few of them too.
_MOST_BYTES = 1 << 61


def _check_sizes(function: Function) -> None:
    """Refuse tensors that no memory holds, which numbers of 64 bits cannot count."""
    arguments = function.body.block.arguments
    made = [(v, op.location) for op in function.walk() for v in op.results]
    for value, location in [(a, function.location) for a in arguments] + made:
        type_ = value.type
        if isinstance(type_, TensorType) and _most_bytes(type_) > _MOST_BYTES:
            message = f"{type_} is larger than any memory"
            raise CompileError(Diagnostic("TC0301", message, location))


def _most_bytes(type_: TensorType) -> int:
    """Return a lower bound of a tensor's bytes where no symbol is 0, nor any size."""
    total: Dim = type_.element.bytes
    for dim in type_.shape:
        total = total * (1 if dim == 0 else dim)
    if isinstance(total, int):
        return total
    return max(abs(coefficient) for _, coefficient in total.terms)


def run(module: Module, target: Target) -> Module:
    """Lower all functions. Raises `CompileError` (TC0301) for tensors out of bounds."""
    for function in module.functions:
        _check_sizes(function)
        lower_function(function)
    return module


TO_STRUCTURED = Pass("to-structured", Level.TENSOR, Level.STRUCTURED, run, __doc__)
