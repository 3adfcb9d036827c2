"""The derivative of every op in both directions, put together from the tables.

`VJP_RULES` goes backward, from the cotangents of the results to those of the operands;
`JVP_RULES` goes forward, from the tangents of the operands to those of the results.
What has a row in one has a row in the other.
"""

from collections.abc import Mapping
from functools import partial, wraps
from types import MappingProxyType

from tensorc.ir.core import Op, Value
from tensorc.ir.ops.derivatives import StopGradient
from tensorc.ir.ops.tensor import (
    bits,
    indexing,
    making,
    order,
    random,
    reductions,
    rounding,
)
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.ops.tensor import shape as shapes
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.passes.tensor.ad.both import COTANGENTS, TANGENTS
from tensorc.passes.tensor.ad.linear import LINEAR, TRANSPOSES, Groups
from tensorc.passes.tensor.ad.partials import PARTIALS
from tensorc.passes.tensor.ad.rows import Cotangents, Row, Rule, Tangents, only


def _backward(row: Row) -> Rule:
    """Return the rule of an op that has one result."""

    @wraps(row)
    def rule(b: TensorBuilder, op: Op, cts: Cotangents) -> Cotangents:
        return row(b, op, only(cts))

    return rule


def _by_partials(b: TensorBuilder, op: Op, tangents: Tangents, *, row: Row) -> Tangents:
    """Add up what each operand's tangent gives."""
    parts = [
        part
        for i, tangent in enumerate(tangents)
        if tangent is not None and (part := row(b, op, tangent)[i]) is not None
    ]
    return (total(b, parts),) if parts else (None,)


def _by_groups(
    b: TensorBuilder, op: Op, tangents: Tangents, *, groups: Groups
) -> Tangents:
    """Add up the op on the tangents of each group, zeros where one has none."""
    declared = {n: op.attributes[n] for n in op.attribute_names if n in op.attributes}
    parts: list[Value] = []
    for group in groups:
        members = [i for name in group for i in _operands_of(op, name)]
        if all(tangents[i] is None for i in members):
            continue
        operands = list(op.operands)
        for i in members:
            tangent = tangents[i]
            operands[i] = b.zeros_like(operands[i]) if tangent is None else tangent
        parts.append(b(type(op), *operands, **declared))
    return (total(b, parts),) if parts else (None,)


def _operands_of(op: Op, name: str) -> range:
    """Return the numbers of the operands that a name stands for."""
    first = op.operand_names.index(name)
    takes_rest = op.variadic and name == op.operand_names[-1]
    return range(first, len(op.operands) if takes_rest else first + 1)


def total(b: TensorBuilder, values: list[Value]) -> Value:
    """Return the sum of values, added in their order."""
    result = values[0]
    for value in values[1:]:
        result = b(ew.Add, result, value)
    return result


def conform(b: TensorBuilder, derivative: Value, like: Value) -> Value:
    """Give a derivative the type of its value, where a guard says they are equal."""
    if derivative.type == like.type:
        return derivative
    shape = tensor_type(like).shape
    return b.broadcast(derivative, shape, range(len(shape)))


VJP_RULES: Mapping[type[Op], Rule] = MappingProxyType(
    {
        **{cls: _backward(row) for cls, row in PARTIALS.items()},
        **{cls: _backward(row) for cls, row in TRANSPOSES.items()},
        **COTANGENTS,
    }
)

JVP_RULES: Mapping[type[Op], Rule] = MappingProxyType(
    {
        **{cls: partial(_by_partials, row=row) for cls, row in PARTIALS.items()},
        **{cls: partial(_by_groups, groups=g) for cls, g in LINEAR.items()},
        **TANGENTS,
    }
)

# Constant almost everywhere, and used for that: the derivative stops here, silently.
STEPS: frozenset[type[Op]] = frozenset(
    {
        *(ew.Compare, ew.And, ew.Or, ew.Not, rounding.IsNan, rounding.IsFinite),
        rounding.SignBit,
        *(bits.BitwiseAnd, bits.BitwiseOr, bits.BitwiseXor, bits.Invert),
        *(bits.LeftShift, bits.RightShift),
        *(rounding.Floor, rounding.Ceil, rounding.Round, rounding.FloorDiv),
        *(rounding.Sign, reductions.Any, reductions.All),
        StopGradient,
        *(shapes.Size, making.Iota, making.Constant, indexing.CheckIndex),
        *(random.RandomKey, random.RandomBits),
    }
)

# An index is not a step: a cost made of it is a mistake, and is reported.
NOT_DIFFERENTIABLE: frozenset[type[Op]] = STEPS | {
    *(reductions.ArgMax, reductions.ArgMin, order.ArgSort),
    order.SearchSorted,
}
