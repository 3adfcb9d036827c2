"""Update few rows of a table without passing over all of it.

    W <- W - lr * grad(cost, W)           where cost reads rows of W: W[i]

The gradient is a scatter into zeros, and where no index points it is zero, so that the
update changes nothing there. Where it does, the new rows are made and put in place:

1. Each row that an index means gets a slot: the last position that means it.
2. The sums of the gradient are made in the slots, in the order of the indices.
3. Each index computes the new row from the old one and the sum in its slot. Indices of
   one row compute the same, so that it does not matter which of them is put last.

Bits are those of the pass over all rows. Nothing changes where nothing is added if the
sum, +0, stays a zero and what it is taken from stays as it is: w - 0 and w + -0 are w,
-0 included. So what it is multiplied with is finite and not 0: constants are looked at
here, numbers of the call when it runs, which are positive too. Half as many indices as
rows are few; where sizes are unknown, a `tc.if` has both ways.

Source:
  param W: float[8, 3] = 0
  step go(i: int[2], g: float[2, 3]) {
    W <- W - 0.1 * grad(sum(W[i] * g), W)
  }
Before:
  func.func @go(%W: f32[8, 3], %i: i64[2], %g: f32[2, 3]) -> (f32[8, 3] {tc.updates = 0}) {
    %0 = tc.constant {value = dense<0.0> : tensor<f32>} : f32
    %1 = tc.broadcast %0 {axes = [], shape = [8, 3]} : f32[8, 3]
    %2 = tc.scatter %1, %g, %i {axes = [0], combine = "add"} : f32[8, 3]
    %3 = tc.constant {value = dense<0.1> : tensor<f32>} : f32
    %4 = tc.broadcast %3 {axes = [], shape = [8, 3]} : f32[8, 3]
    %5 = tc.mul %4, %2 : f32[8, 3]
    %6 = tc.sub %W, %5 : f32[8, 3]
    func.return %6
  }
After:
  func.func @go(%W: f32[8, 3], %i: i64[2], %g: f32[2, 3]) -> (f32[8, 3] {tc.updates = 0}) {
    %0 = tc.check_index %i {axis = 0, from_end = true, size = [8]} : i64[2]
    %1 = tc.constant {value = dense<0> : tensor<i64>} : i64
    %2 = tc.broadcast %1 {axes = [], shape = [8]} : i64[8]
    %3 = tc.iota {axis = 0, element = i64, shape = [2]} : i64[2]
    %4 = tc.scatter %2, %3, %0 {axes = [0], combine = "set"} : i64[8]
    %5 = tc.gather %4, %0 {axes = [0]} : i64[2]
    %6 = tc.check_index %5 {axis = 0, from_end = true, size = [2]} : i64[2]
    %7 = tc.constant {value = dense<0.0> : tensor<f32>} : f32
    %8 = tc.broadcast %7 {axes = [], shape = [2, 3]} : f32[2, 3]
    %9 = tc.scatter %8, %g, %6 {axes = [0], combine = "add"} : f32[2, 3]
    %10 = tc.gather %W, %0 {axes = [0]} : f32[2, 3]
    %11 = tc.gather %9, %6 {axes = [0]} : f32[2, 3]
    %12 = tc.constant {value = dense<0.1> : tensor<f32>} : f32
    %13 = tc.broadcast %12 {axes = [], shape = [2, 3]} : f32[2, 3]
    %14 = tc.mul %13, %11 : f32[2, 3]
    %15 = tc.sub %10, %14 : f32[2, 3]
    %16 = tc.scatter %W, %15, %0 {axes = [0], combine = "set"} : f32[8, 3]
    func.return %16
  }
"""  # noqa: E501

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorc.ir.branches import isolate
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.functions import constraints_of
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.control import Yield
from tensorc.ir.ops.tensor.elementwise import Add, And, Compare, Div, Mul, Neg, Sub
from tensorc.ir.ops.tensor.indexing import ADD, SET, Scatter
from tensorc.ir.ops.tensor.shape import Broadcast
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import I64
from tensorc.passes.analysis.in_place import updates_of
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.common.dce import remove_unused
from tensorc.passes.common.rewriter import splat_of
from tensorc.target import Target

FEW = 2  # indices are few if there are so many rows for each


@dataclass(frozen=True, slots=True)
class _Update:
    """A table, the scatter of its gradient, and the ops from there to the new value.

    `factors` are the numbers of the call that the gradient is multiplied with.
    """

    table: Value
    scatter: Scatter
    ops: Sequence[Op]
    factors: Sequence[Value]


def _update(new: Value, table: Value, uses: Mapping[Value, int]) -> _Update | None:
    """Return what makes a new value, if that changes few rows of its table."""
    root = new.op
    if not isinstance(root, Add | Sub) or root.operands.count(table) != 1:
        return None
    if isinstance(root, Sub) and root.operands[0] is not table:
        return None
    (value,) = [v for v in root.operands if v is not table]
    ops: list[Op] = [root]
    factors: list[Value] = []
    sign = 1.0  # of the zeros that are taken from the table, or added
    while not isinstance(value.op, Scatter):
        found = _factor(value.op)
        if found is None or uses[value] != 1:
            return None
        op, value, factor = found
        ops.append(op)
        if isinstance(factor, Value):
            factors.append(factor)
        elif not math.isfinite(factor) or factor == 0:
            return None
        else:
            sign *= math.copysign(1, factor)
    fits = uses[value] == 1 and uses[new] == 1 and _is_gradient(value.op, table)
    if not fits or sign != (-1 if isinstance(root, Add) else 1):
        return None
    return _Update(table, value.op, ops[::-1], list(dict.fromkeys(factors)))


def _factor(op: Op | None) -> tuple[Op, Value, float | Value] | None:
    """Return an op, what it scales and by what: a number, or a scalar of the call."""
    if isinstance(op, Neg):
        return op, op.operand, -1.0
    if not isinstance(op, Mul | Div):
        return None
    pairs = [(op.lhs, op.rhs), (op.rhs, op.lhs)]
    for value, factor in pairs[: 1 if isinstance(op, Div) else 2]:
        number = splat_of(factor)
        if number is not None:
            return op, value, float(number.item())
        made = factor.op
        if isinstance(made, Broadcast) and not tensor_type(made.operand).rank:
            return op, value, made.operand
    return None


def _is_gradient(op: Scatter, table: Value) -> bool:
    """Return whether an op adds rows to zeros, and may add few."""
    zero = splat_of(op.base)
    if zero is None or zero != 0 or math.copysign(1, zero) < 0:
        return False
    shape, positions = tensor_type(table).shape, tensor_type(op.indices[0]).shape
    if op.axes != (0,) or op.combine != ADD or not tensor_type(table).element.is_float:
        return False
    known = [d for d in (shape[0], *positions) if isinstance(d, int)]
    are_known = len(known) == 1 + len(positions)
    return not are_known or FEW * math.prod(known[1:]) <= known[0]


def _conditions(b: TensorBuilder, update: _Update) -> Value | None:
    """Return whether rows are few and factors fit, where only the call can tell."""
    (indices,) = update.scatter.indices
    shape, rows = tensor_type(indices).shape, tensor_type(update.table).shape[0]
    found = []
    if not all(isinstance(d, int) for d in (rows, *shape)):
        count = b.scalar(FEW, I64)
        for axis in range(len(shape)):
            count = b(Mul, count, b.size(indices, axis))
        found.append(b(Compare, count, b.size(update.table, 0), predicate="le"))
    for factor in update.factors:
        element = tensor_type(factor).element
        zero, end = b.scalar(0, element), b.scalar(math.inf, element)
        found.append(b(Compare, factor, zero, predicate="gt"))
        found.append(b(Compare, factor, end, predicate="lt"))
    result = found[0] if found else None
    for condition in found[1:]:
        assert result is not None
        result = b(And, result, condition)
    return result


def _remade(b: TensorBuilder, update: _Update, table: Value, gradient: Value) -> Value:
    """Compute new values from others of the table and of its gradient."""
    shape = tensor_type(table).shape
    values = {update.table: table, update.scatter.result: gradient}
    for op in update.ops:
        for operand in op.operands:
            if operand not in values:  # a number
                made = operand.op
                number = splat_of(operand)
                element = tensor_type(operand).element
                if number is not None:
                    values[operand] = b.full(shape, number.item(), element)
                else:
                    assert isinstance(made, Broadcast)
                    values[operand] = b.everywhere(made.operand, shape)
        values[op.result] = b(type(op), *[values[v] for v in op.operands])
    return values[update.ops[-1].result]


def _with_all_rows(b: TensorBuilder, update: _Update) -> Value:
    """Compute the new table as the program does."""
    table, op = update.table, update.scatter
    zeros = b.zeros_like(table)
    gradient = b.scatter(zeros, op.values, op.indices, op.axes, op.combine)
    return _remade(b, update, table, gradient)


def _with_few_rows(
    b: TensorBuilder, update: _Update, rows: Value, slots: Value
) -> Value:
    """Compute new rows, one per index, and put them into the table."""
    table, op = update.table, update.scatter
    type_ = tensor_type(table)
    shape = (*tensor_type(rows).shape, *type_.shape[1:])
    given = op.values
    if tensor_type(given).shape != shape:
        given = b.reshape(given, shape)
    zeros = b.full(shape, 0, type_.element)
    sums = b.scatter(zeros, given, [slots], (0,), ADD)
    old, gradient = b.gather(table, [rows], (0,)), b.gather(sums, [slots], (0,))
    new = _remade(b, update, old, gradient)
    return b.scatter(table, new, [rows], (0,), SET)


def _slots(b: TensorBuilder, update: _Update) -> tuple[Value, Value]:
    """Return the rows that indices mean, in one axis, and the slot of each."""
    (indices,) = update.scatter.indices
    height = tensor_type(update.table).shape[0]
    rows, positions = indices, tensor_type(indices).shape
    (count, *more) = positions or (1,)
    for dim in more:
        count = count * dim
    if positions != (count,):
        rows = b.reshape(b.check_index(rows, 0, height), (count,))
    rows = b.check_index(rows, 0, height)
    none, own = b.full((height,), 0, I64), b.iota((count,), 0, I64)
    last = b.scatter(none, own, [rows], (0,), SET)
    return rows, b.check_index(b.gather(last, [rows], (0,)), 0, count)


def _rewritten(b: TensorBuilder, update: _Update) -> Value:
    """Return the new table; where only the call can tell, either way."""
    rows, slots = _slots(b, update)
    condition = _conditions(b, update)
    if condition is None:
        return _with_few_rows(b, update, rows, slots)
    builder = b.builder
    with builder.region([]) as (few, _):
        builder.create(Yield, _with_few_rows(b, update, rows, slots))
    with builder.region([]) as (all_, _):
        builder.create(Yield, _with_all_rows(b, update))
    (new,) = isolate(builder, condition, few, all_, [update.table.type])
    return new


def _visit(function: Function) -> None:
    block = function.body.block
    uses = Counter(v for op in block.ops for v in op.operands)
    found = [_update(new, table, uses) for new, table in updates_of(function)]
    for update in found:
        if update is None:
            continue
        root = update.ops[-1]
        front = Block(parent=function.body)
        builder = Builder(front, constraints_of(function), root.location)
        new = _rewritten(TensorBuilder(builder), update)
        new.hint = root.result.hint
        at = block.ops.index(root)
        for op in front.ops:
            op.parent = block
        block.ops[at : at + 1] = front.ops
        last = block.terminator
        last.operands = [new if v is root.result else v for v in last.operands]
    if any(found):
        remove_unused(function)


def few_rows(module: Module, target: Target) -> Module:
    """Rewrite the updates of all functions."""
    for function in module.functions:
        _visit(function)
    return module


FEW_ROWS = Pass("few-rows", Level.TENSOR, Level.TENSOR, few_rows, __doc__)
