"""The derivative of `tc.if`: a `tc.if` on the same condition.

Each branch computes what that of the program does again, and goes on backward or
forward from there, so that a NaN or an error of the branch that is not taken never
happens. It holds a `tc.vjp` or `tc.jvp` of its branch, which is expanded in its turn.

Before, with the cotangent %ct of %y:
  %y = tc.if(%c, %x){ yield exp(x) }{ yield x }
After:
  %g = tc.if(%c, %x, %ct){ yield vjp(x, ct){ exp } }{ yield vjp(x, ct){ x } }
"""

from collections.abc import Sequence

from tensorc.ir.branches import NEGATED, isolate
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Region, Value
from tensorc.ir.ops.control import If, Yield
from tensorc.ir.ops.derivatives import Jvp, Vjp
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import Type
from tensorc.passes.tensor.ad.activity import Activity, is_float
from tensorc.passes.tensor.ad.rows import Cotangents, Tangents

# The captures a derivative is by, what it is given, and the results it belongs to.
Parts = tuple[list[int], list[Value], list[int]]


def backward(
    b: TensorBuilder, op: Op, cts: Cotangents, activity: Activity
) -> Cotangents:
    """Return the cotangents of the operands: None where no branch has a path."""
    assert isinstance(op, If)
    inner = zip(*(region.block.arguments for region in op.regions), strict=True)
    chosen = [
        i
        for i, arguments in enumerate(inner)
        if is_float(op.captures[i]) and any(map(activity.has_path, arguments))
    ]
    outs = [i for i, ct in enumerate(cts) if ct is not None]
    vector = [ct for ct in cts if ct is not None]
    types = [op.captures[i].type for i in chosen]
    made = _branches(b, op, Vjp, (chosen, vector, outs), types)
    found = dict(zip(chosen, made, strict=True))
    return None, *[found.get(i) for i in range(len(op.captures))]


def forward(
    b: TensorBuilder, op: Op, tangents: Tangents, activity: Activity
) -> Tangents:
    """Return the tangents of the results: None of those that have no path."""
    assert isinstance(op, If)
    outs = [r.index for r in op.results if is_float(r) and activity.has_path(r)]
    chosen = [i for i, t in enumerate(tangents[1:]) if t is not None]
    vector = [t for t in tangents[1:] if t is not None]
    types = [op.results[i].type for i in outs]
    made = _branches(b, op, Jvp, (chosen, vector, outs), types)
    found = dict(zip(outs, made, strict=True))
    return tuple([found.get(i) for i in range(len(op.results))])


def _branches(
    b: TensorBuilder, op: If, cls: type[Op], parts: Parts, types: Sequence[Type]
) -> list[Value]:
    """Append a `tc.if` of the derivatives of both branches; return its results."""
    if not types:
        return []
    regions: list[Region] = []
    for region in op.regions:
        with b.builder.region([]) as (new, _):
            derivatives = _derivative(b.builder, op, region.block, cls, parts, types)
            b.builder.create(Yield, *derivatives)
        regions.append(new)
    then, otherwise = regions
    made = isolate(b.builder, op.condition, then, otherwise, types)
    if NEGATED in op.attributes:
        branch = made[0].op
        assert branch is not None
        branch.attributes[NEGATED] = True
    return made


def _derivative(
    b: Builder,
    op: If,
    branch: Block,
    cls: type[Op],
    parts: Parts,
    types: Sequence[Type],
) -> list[Value]:
    """Append the derivative of a branch, a copy of which its region is."""
    chosen, vector, outs = parts
    by = [op.captures[i] for i in chosen]
    with b.region([v.type for v in by]) as (region, arguments):
        values = list(op.captures)
        for i, argument in zip(chosen, arguments, strict=True):
            values[i] = argument
        yields = b.inline(branch, values)
        b.create(Yield, *[yields[i] for i in outs])
    return b.create(cls, *by, *vector, types=types, regions=[region]).results
