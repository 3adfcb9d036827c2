"""The derivative of `tc.custom_gradient`, which says it itself."""

from tensorc.errors import CompileError, Diagnostic
from tensorc.ir.core import Op, Value
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.passes.tensor.ad.activity import Activity, is_float
from tensorc.passes.tensor.ad.rows import Cotangents, Tangents


def backward(
    b: TensorBuilder, op: Op, cts: Cotangents, activity: Activity
) -> Cotangents:
    """Put a copy of the region that goes back; zeros for results without cotangent."""
    pairs = zip(op.results, cts, strict=True)
    given = [b.zeros_like(r) if ct is None else ct for r, ct in pairs]
    _, region = op.regions
    found = iter(b.builder.inline(region.block, [*op.operands, *given]))
    return tuple([next(found) if is_float(v) else None for v in op.operands])


def forward(
    b: TensorBuilder, op: Op, tangents: Tangents, activity: Activity
) -> Tangents:
    """Raise `CompileError` (TC0350): how tangents go through it is not known."""
    message = (
        f"unsupported: {op.name} says how cotangents go back, not how tangents go "
        "forward"
    )
    hints = (
        "backwards: tc.vjp, tc.Lop, tc.grad",
        "for tc.hvp(f, (x,), (v,)): tc.grad(lambda x: np.sum(tc.grad(f)(x) * v))(x)",
    )
    raise CompileError(Diagnostic("TC0350", message, op.location, hints=hints))


def program(b: TensorBuilder, op: Op) -> list[Value]:
    """Take the yield of the region that goes forward away; return what it gave."""
    return op.regions[0].block.ops.pop().operands
