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

Broadcasts, transposes, slices and reshapes that add or drop axes of size 1, or split
axes of one of these, become the indexing maps of their readers (`View`); scalar constants go into the bodies. Index
checks on arguments move to the start, so that they stand before everything else.
"""  # noqa: E501

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf
from types import MappingProxyType

from tensorc.errors import CompileError, Diagnostic, InternalError
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value, value_types
from tensorc.ir.dims import Dim
from tensorc.ir.functions import constraints_of, set_function_type
from tensorc.ir.opdef import ELEMENTWISE, TERMINATOR
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import DERIVATIVES, CustomGradient, StopGradient
from tensorc.ir.ops.scalar import arith, math
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.tensor import (
    convolution,
    indexing,
    making,
    nn,
    products,
    random,
    reductions,
)
from tensorc.ir.ops.tensor import shape as shapes
from tensorc.ir.ops.tensor.cumulative import CUMULATIVE
from tensorc.ir.ops.tensor.order import ORDERS, SearchSorted
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.generics import tensor_of
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.common.structured_builder import (
    apply_scalar,
    scalar,
)
from tensorc.passes.structured import convolution as windows
from tensorc.passes.structured import indices, moves, reduce
from tensorc.passes.structured import random as random_rows
from tensorc.passes.structured.products import matmul, read_turned
from tensorc.passes.structured.views import (
    Lowering,
    MappedRead,
    Powers,
    whole,
    without,
)
from tensorc.target import Target

# A view of each result.
Views = tuple[MappedRead, ...]


def _elementwise(low: Lowering, op: Op) -> MappedRead:
    views = [low.views[v] for v in op.operands]
    type_ = tensor_of(op.result)

    def body(values: list[Value]) -> list[Value]:
        return [apply_scalar(low.b, type(op), values, op.attributes)]

    return whole(low.pointwise(views, type_, body))


def _log_softmax(low: Lowering, op: nn.LogSoftmax) -> MappedRead:
    b = low.b
    shifted, _, total = _shifted_powers(low, low.views[op.operand], None, op.axis)
    type_, log_type = tensor_of(shifted), tensor_of(total)
    log = low.pointwise([whole(total)], log_type, lambda v: [b.value(math.Log, *v)])
    pair = [whole(shifted), _spread(type_, log, op.axis)]
    made = low.pointwise(pair, type_, lambda v: [b.value(arith.SubF, *v)])
    return low.converted(whole(made), tensor_of(op.result).element)


def _softmax(low: Lowering, op: nn.Softmax) -> MappedRead:
    b = low.b
    masks = [low.views[v] for v in op.mask]
    mask = masks[0] if masks else None
    _, powers, total = _shifted_powers(low, low.views[op.operand], mask, op.axis)
    type_ = tensor_of(powers)

    def divide(values: list[Value]) -> list[Value]:
        share = b.value(arith.DivF, *values[:2])
        for counts in values[2:]:
            share = b.value(arith.Select, counts, share, scalar(b, 0, type_.element))
        return [share]

    reads = [whole(powers), _spread(type_, total, op.axis), *masks]
    made = low.pointwise(reads, type_, divide)
    return low.converted(whole(made), tensor_of(op.result).element)


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
    source = low.converted(source, source.type.element.accumulator)
    b, type_ = low.b, source.type

    def counted(values: list[Value]) -> list[Value]:
        lowest = scalar(b, -inf, type_.element)
        return [b.value(arith.Select, values[0], values[1], lowest)]

    if mask is not None:
        source = whole(low.pointwise([mask, source], type_, counted))
    largest = reduce.reduced(low, reductions.Max, source, (axis,))
    pair = [source, _spread(type_, largest, axis)]
    shifted = low.pointwise(pair, type_, lambda v: [b.value(arith.SubF, *v)])
    powers = low.pointwise([whole(shifted)], type_, lambda v: [b.value(math.Exp, *v)])
    total = reduce.reduced(low, reductions.Sum, whole(powers), (axis,))
    return shifted, powers, total


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
        random.RandomKey: random_rows.random_key,
        random.RandomBits: random_rows.random_bits,
        shapes.Broadcast: moves.broadcast,
        shapes.Transpose: moves.transpose,
        shapes.Reshape: moves.reshape,
        shapes.Slice: moves.slice,
        shapes.Unslice: moves.unslice,
        shapes.Concatenate: moves.concatenate,
        shapes.Size: moves.dim,
        reductions.Mean: reduce.mean,
        reductions.ArgMax: reduce.argmax,
        reductions.ArgMin: reduce.argmin,
        reductions.Top1: reduce.top1,
        products.MatMul: matmul,
        convolution.Conv: windows.conv,
        convolution.ConvTranspose: windows.conv_transpose,
        convolution.Windows: windows.windows,
        convolution.OverlapAdd: windows.overlap_add,
        StopGradient: lambda low, op: low.views[op.operand],
        indexing.TakeAlongAxis: indices.take_along_axis,
        indexing.Gather: indices.gather,
        indexing.Scatter: indices.scatter,
        **dict.fromkeys(CUMULATIVE, _cumulative),
        **dict.fromkeys((*ORDERS, SearchSorted), indices.order),
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
        return typing.cast(Rule, reduce.reduction)
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
    low.turned |= read_turned(ops) | windows.read_as_filters(ops)
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
    first = dict.fromkeys(value_types(arguments), function.location)
    for op in function.walk():
        for result in op.results:
            first.setdefault(result.type, op.location)
    for type_, location in first.items():
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
