"""Derivatives on graphs: the nodes between values and what they are differentiated by.

1. Which nodes depend on which primal follows from one walk, a bit per primal.
2. Of these nodes, those that the differentiated values need become the inner nodes of a
   `Derivative`; everything else is read from outside. Values held constant depend on
   nothing.
3. Where one primal is computed from another, each gets a node of its own, so that the
   derivative by the earlier one goes through the later one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from tensorc.errors import Location
from tensorc.frontend.python.graph.nodes import InputNode, inputs_in
from tensorc.frontend.python.graph.regions import Condition, Derivative
from tensorc.frontend.python.graph.walks import operands_of, ops_of, ordered
from tensorc.ir.captured import is_captured
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.derivatives import Grad, Jvp, StopGradient
from tensorc.ir.ops.tensor.making import Constant
from tensorc.ir.ops.tensor.shape import Size
from tensorc.ir.types import TensorType


def derivatives(
    cost: Value,
    wrt: Sequence[Value],
    held: Collection[Value],
    location: Location,
) -> list[Value | None]:
    """Return the derivative by each value; None where the cost does not depend on it.

    A value stands only once in `wrt`.
    """
    found: dict[Value, Value] = {}
    for made in region_derivatives(Grad, [cost], wrt, [], held, location):
        found.update(zip(made.primals, made.results, strict=True))
    return [found.get(w) for w in wrt]


def region_derivatives(
    kind: type[Op],
    outs: Sequence[Value],
    primals: Sequence[Value],
    extra: Sequence[Value],
    held: Collection[Value],
    location: Location,
) -> list[Derivative]:
    """Return the region ops that together are the derivatives of `outs` by `primals`.

    `kind` is their class: Grad, Vjp or Jvp. `extra` are a cotangent for each of `outs`,
    or a tangent for each primal (Jvp). Their `outs` and `primals` are those between
    which a derivative goes, none if there is no such; their results go with `primals`,
    those of Jvp with `outs`. No value stands twice in `outs` or `primals`. There are
    several where a primal is computed from another: each has some of the primals, and
    of Jvp, whose results then add up, some of the outs.
    """
    is_forward = kind is Jvp
    beside = dict(zip(primals if is_forward else outs, extra, strict=False))
    ops = ops_of(ordered(outs))
    bits = {p: 1 << i for i, p in enumerate(primals) if p not in held}
    smooth = _reach(ops, bits, held, smoothly=True)
    reached = _mask(smooth, outs)
    connected = [p for p in primals if bits.get(p, 0) & reached]
    chained = any(smooth[p] & reached & ~bits[p] for p in connected)
    groups = [[p] for p in connected] if chained else [connected] if connected else []
    made = []
    for group in groups:
        mask = sum(bits[p] for p in group)
        own = [out for out in outs if smooth.get(out, 0) & mask]
        like = own if is_forward else group
        given = [beside[v] for v in (group if is_forward else own) if beside]
        inner, read, _ = _between(ops, own, group, held)
        types, operands = [v.type for v in like], (group, given, read)
        made.append(Derivative(kind, types, own, operands, inner, location))
    return made


def _is_float(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.element.is_float


def _reach(
    ops: Iterable[Op],
    bits: dict[Value, int],
    held: Collection[Value],
    smoothly: bool,
) -> dict[Value, int]:
    """Return which of the values with a bit each value depends on.

    `smoothly`: only through floats, as a derivative goes.
    """
    found = dict(bits)
    for op in ops:
        mask = _mask(found, op.operands)
        if not mask or (smoothly and isinstance(op, Size | StopGradient)):
            continue
        for result in op.results:
            if isinstance(op, Condition):
                mask = _mask(found, operands_of(result))
            if mask and result not in held and (not smoothly or _is_float(result)):
                found[result] = found.get(result, 0) | mask
    return found


def _mask(found: Mapping[Value, int], values: Iterable[Value]) -> int:
    mask = 0
    for value in values:
        mask |= found.get(value, 0)
    return mask


def _between(
    ops: Sequence[Op],
    outs: Sequence[Value],
    primals: Sequence[Value],
    held: Collection[Value],
) -> tuple[list[Op], list[Value], set[Value]]:
    """Return the nodes between primals and outs, what these read, and what they give.

    A result that does not depend on primals is read, also that of a node between them.
    """
    dependent = _reach(ops, dict.fromkeys(primals, 1), held, smoothly=False)
    cut = set(primals)
    wanted = set(outs)
    inner: list[Op] = []
    for op in reversed(ops):
        own = [r for r in op.results if r in wanted and r in dependent and r not in cut]
        for result in own:
            wanted.update(operands_of(result))
        if own:
            inner.append(op)
    inner.reverse()
    # What is held, or does not depend, is read, whatever the op gives besides.
    inside = {r for op in inner for r in op.results if r in dependent} | cut
    operands = [v for op in inner for v in op.operands if v not in inside]
    return inner, [v for v in dict.fromkeys(operands) if v in wanted], inside


def reads_of(
    outs: Sequence[Value], arguments: Sequence[Value]
) -> tuple[list[Value], list[InputNode]]:
    """Return what outs need besides arguments: values, inputs of whose sizes they are.

    Of constants nothing is needed, but for those that become arguments.
    """
    inner, read, inside = _between(ops_of(ordered(outs)), outs, arguments, ())
    read += [out for out in outs if out not in inside]
    sources = [source for op in inner for source in inputs_in(op)]
    values = [v for v in read if is_captured(v) or not isinstance(v.op, Constant)]
    return list(dict.fromkeys(values)), list(dict.fromkeys(sources))
