"""`grad`, `jvp`, `vjp`, `jacobian` and `hessian` of values, by what they came from.

The ops between wrt and the values go into the region of one op, see `slices`. Where one
member of wrt is computed from another, each member gets an op of its own, so that the
derivative by the earlier one goes through the later one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tensorc.errors import Label
from tensorc.frontend.dsl.irgen.context import Frame
from tensorc.frontend.dsl.irgen.derivative_calls import (
    Given,
    Member,
    arguments,
    directions,
)
from tensorc.frontend.dsl.irgen.errors import GRADIENT, error
from tensorc.frontend.dsl.irgen.slices import slice_between, smoothly_from
from tensorc.frontend.dsl.irgen.values import Known, TupleValue
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.jacobians import jacobian
from tensorc.frontend.library.operands import TensorOperand, broadcast, constant
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.derivatives import Grad, Jvp, Vjp
from tensorc.ir.ops.tensor.elementwise import Add
from tensorc.ir.types import TensorType

# What depends on what


@dataclass(frozen=True, slots=True)
class _Reach:
    """The ops so far, what each of wrt reaches, and wrt in the groups of one op."""

    ops: Sequence[Op]
    reached: Mapping[Value, set[Value]]
    groups: Sequence[Sequence[Value]]

    def by(self, group: Sequence[Value], values: Sequence[Value]) -> list[Value]:
        """Return the values that a group reaches."""
        return [v for v in values if any(v in self.reached[w] for w in group)]


def _reach(
    frame: Frame, values: Sequence[Member], wrt: Sequence[Member], zero: bool
) -> _Reach:
    """Return how values depend on wrt; an error names what none depends on."""
    ops = frame.entry.ops()
    unique = list(dict.fromkeys(m.value for m in wrt))
    reached = {w: smoothly_from(ops, w) for w in unique}
    ends = {v.value for v in values}
    lost = [m for m in wrt if not ends & reached[m.value]]
    if lost and not zero:
        names = ", ".join(m.name for m in lost)
        what = values[0].name if len(values) == 1 else "none of the values"
        verb = "does not depend" if len(values) == 1 else "depends"
        message = f"{what} {verb} on {names}"
        hint = 'leave them out, or write `disconnected="zero"` for zeros'
        labels = [Label(v.location, v.name) for v in values]
        raise error(GRADIENT, message, lost[0].location, hint, labels=labels)
    connected = [w for w in unique if ends & reached[w]]
    chained = any(v in reached[w] for w in connected for v in connected if v is not w)
    groups = [[w] for w in connected] if chained else [connected] if connected else []
    return _Reach(ops, reached, groups)


def _zeros(frame: Frame, like: Value, *axes: Value) -> Value:
    """Return zeros of a value's type, with the axes of others in front."""
    assert isinstance(like.type, TensorType)
    zero = constant(frame.emitter, 0, like.type.element)
    shapes = [frame.emitter.shape(TensorOperand(v)) for v in (*axes, like)]
    return broadcast(frame.emitter, zero, tuple([d for s in shapes for d in s]))


# Products


def _gradients(
    frame: Frame, cost: Member, wrt: Sequence[Member], zero: bool
) -> list[Value]:
    """Return the derivative of a scalar by each member."""
    reach = _reach(frame, [cost], wrt, zero)
    found: dict[Value, Value] = {}
    for group in reach.groups:
        region = slice_between(frame.entry.builder, reach.ops, group, [cost.value])
        op = frame.entry.builder.create(Grad, *group, regions=[region])
        found.update(zip(group, op.results, strict=True))
    return _each(frame, found, [m.value for m in wrt])


def _each(
    frame: Frame, found: dict[Value, Value], values: Sequence[Value]
) -> list[Value]:
    """Return what was found for each value, zeros where nothing was."""
    for value in values:
        if value not in found:
            found[value] = _zeros(frame, value)
    return [found[v] for v in values]


def _pulled(
    frame: Frame, reach: _Reach, weight: Mapping[Value, Value]
) -> dict[Value, Value]:
    """Return the derivatives by wrt of values, weighted and summed up."""
    builder = frame.entry.builder
    found: dict[Value, Value] = {}
    for group in reach.groups:
        outs = reach.by(group, list(weight))
        region = slice_between(builder, reach.ops, group, outs)
        given = [weight[v] for v in outs]
        types = [w.type for w in group]
        op = builder.create(Vjp, *group, *given, types=types, regions=[region])
        found.update(zip(group, op.results, strict=True))
    return found


def _pushed(
    frame: Frame, reach: _Reach, values: Sequence[Value], along: Mapping[Value, Value]
) -> dict[Value, Value]:
    """Return the derivatives of values along directions in wrt."""
    builder = frame.entry.builder
    found: dict[Value, Value] = {}
    for group in reach.groups:
        outs = reach.by(group, values)
        region = slice_between(builder, reach.ops, group, outs)
        given = [along[w] for w in group]
        types = [v.type for v in outs]
        op = builder.create(Jvp, *group, *given, types=types, regions=[region])
        for out, result in zip(outs, op.results, strict=True):
            found[out] = _sum(frame, found.get(out), result)
    return found


def _sum(frame: Frame, left: Value | None, right: Value) -> Value:
    return right if left is None else frame.entry.builder.value(Add, left, right)


def _summed(
    frame: Frame, members: Sequence[Member], given: Sequence[Value]
) -> dict[Value, Value]:
    """Return what is given for each value; a value that is there twice gets the sum."""
    found: dict[Value, Value] = {}
    for member, value in zip(members, given, strict=True):
        found[member.value] = _sum(frame, found.get(member.value), value)
    return found


# Functions


def _structured(values: Sequence[Value], is_tuple: bool) -> Known:
    tensors = [TensorOperand(v) for v in values]
    return TupleValue(tuple(tensors)) if is_tuple else tensors[0]


def _grad(frame: Frame, given: Given) -> Known:
    """Return the derivative of a scalar, in the structure of wrt."""
    found = _gradients(frame, given.values[0], given.wrt, given.zero)
    return _structured(found, given.many)


def _jvp(frame: Frame, given: Given) -> Known:
    """Return the derivative of values along a direction, in their structure."""
    assert given.third is not None
    location = frame.entry.builder.location
    along = directions(frame, "tangent", given.third, given.wrt, given.many)
    frame.entry.builder.location = location
    reach = _reach(frame, given.values, given.wrt, given.zero)
    summed = _summed(frame, given.wrt, along)
    values = [m.value for m in given.values]
    found = _pushed(frame, reach, values, summed)
    return _structured(_each(frame, found, values), given.several)


def _vjp(frame: Frame, given: Given) -> Known:
    """Return the derivatives by wrt of values times weights, in wrt's structure."""
    assert given.third is not None
    location = frame.entry.builder.location
    weights = directions(frame, "cotangent", given.third, given.values, given.several)
    frame.entry.builder.location = location
    reach = _reach(frame, given.values, given.wrt, given.zero)
    found = _pulled(frame, reach, _summed(frame, given.values, weights))
    return _structured(_each(frame, found, [m.value for m in given.wrt]), given.many)


def _jacobian(frame: Frame, given: Given) -> Known:
    """Return the derivative of each element of values by each of wrt."""
    rows = [_matrices(frame, v, given, given.zero) for v in given.values]
    results = [_structured(row, given.many) for row in rows]
    return TupleValue(tuple(results)) if given.several else results[0]


def _hessian(frame: Frame, given: Given) -> Known:
    """Return the derivatives by wrt of those by wrt; what is linear has zeros."""
    (cost,) = given.values
    slopes = _gradients(frame, cost, given.wrt, given.zero)
    values = [Member(s, cost.name, cost.location) for s in slopes]
    rows = [_matrices(frame, v, given, True, "hessian") for v in values]
    results = [_structured(row, given.many) for row in rows]
    return TupleValue(tuple(results)) if given.many else results[0]


def _matrices(
    frame: Frame, value: Member, given: Given, zero: bool, name: str = "jacobian"
) -> list[Value]:
    """Return the jacobians of a value by each member of wrt."""
    wrt = given.wrt
    reach = _reach(frame, [value], wrt, zero)
    connected = [w for group in reach.groups for w in group]

    def rows(weights: TensorOperand) -> list[TensorOperand]:
        found = _pulled(frame, reach, {value.value: weights.value})
        return [TensorOperand(found[w]) for w in connected]

    def column(number: int, along: TensorOperand) -> TensorOperand:
        own = connected[number]
        alone = replace(reach, groups=[[own]])
        found = _pushed(frame, alone, [value.value], {own: along.value})
        return TensorOperand(found[value.value])

    operands = [TensorOperand(w) for w in connected]
    emitter = frame.emitter
    made = jacobian(emitter, TensorOperand(value.value), operands, rows, column, name)
    found = {w: m.value for w, m in zip(connected, made, strict=True)}
    for member in wrt:
        if member.value not in found:
            found[member.value] = _zeros(frame, member.value, value.value)
    return [found[m.value] for m in wrt]


_FUNCTIONS: Mapping[str, Callable[[Frame, Given], Known]] = {
    "grad": _grad,
    "jvp": _jvp,
    "vjp": _vjp,
    "jacobian": _jacobian,
    "hessian": _hessian,
}
DERIVATIVES = frozenset(_FUNCTIONS)


def derivative(frame: Frame, name: str, node: ast.Call) -> Known:
    """Return what a call of one of `DERIVATIVES` gives."""
    given = arguments(frame, name, node)
    frame.entry.builder.location = node.location
    return _FUNCTIONS[name](frame, given)
