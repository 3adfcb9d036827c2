"""What a STRUCTURED function costs: its kernels, and the flops of one call.

A kernel is a `tc.group`. A flop is a float op in the body of a generic at one point of
its space; a multiply-add is two, choosing and converting are none. Flops are a formula
of the symbols of the call. Of a branch they are those of the region that costs more,
of a loop those of all steps.
"""

from collections.abc import Callable

from tensorc.ir.core import Block, Op
from tensorc.ir.dims import Dim, maximum
from tensorc.ir.ops.builtin import Function
from tensorc.ir.ops.control import If, KernelGroup
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.types import Element, TensorType, VectorType
from tensorc.passes.analysis.generics import tensor_space

_SILENT = ("linalg.", "arith.constant", "tc.size", "tensor.")
_FREE = frozenset(
    f"arith.{name}"
    for name in ("select", "extf", "truncf", "sitofp", "uitofp", "bitcast")
)


def cost_of(function: Function) -> tuple[int, Dim]:
    """Return the number of kernels of a function, and the flops of a call."""
    kernels = sum(isinstance(op, KernelGroup) for op in function.walk())
    return kernels, sum_of_kernels(function.body.block, flops_of_kernel)


def sum_of_kernels(block: Block, cost: Callable[[KernelGroup], Dim]) -> Dim:
    """Return what all kernels of a block cost, each as often as it runs.

    Of a branch it is what the dearer region costs.
    """
    total: Dim = 0
    for op in block.ops:
        if isinstance(op, KernelGroup):
            total = total + cost(op)
        elif isinstance(op, If):
            then, otherwise = (sum_of_kernels(r.block, cost) for r in op.regions)
            total = total + maximum(then, otherwise)
        elif isinstance(op, Scan):
            total = total + op.steps * sum_of_kernels(op.body.block, cost)
    return total


def flops_of_kernel(kernel: KernelGroup) -> Dim:
    """Return the flops of all members of a kernel."""
    total: Dim = 0
    for op in kernel.body.block.ops:
        if isinstance(op, Generic):
            total = total + flops_of(op)
    return total


def flops_of(op: Generic) -> Dim:
    """Return the flops of one generic."""
    points: Dim = 1
    for extent in tensor_space(op):
        points = points * extent
    each = sum(1 + (o.name == "math.fma") for o in op.body.block.ops if _is_float(o))
    return points * each


def computes(op: Op) -> bool:
    """Return whether an op in a body is work; all others only name or move values."""
    return not op.name.startswith(_SILENT)


def _is_float(op: Op) -> bool:
    if not computes(op) or not op.results:
        return False
    type_ = op.results[0].type
    element = type_.element if isinstance(type_, VectorType | TensorType) else type_
    return isinstance(element, Element) and element.is_float and op.name not in _FREE
