"""What a STRUCTURED function costs: its kernels, and the flops of one call.

A kernel is a `tc.group`, or an op that is a kernel by itself (`ALONE`), or the copy of
a result that no op writes where it goes (`copied`): an argument, a reshape.

A flop is a float op in the body of a generic at one point of its space; a multiply-add
is two, choosing and converting are none. A cumulative op has one for each element, and
a scatter for each that it adds. Flops are a formula of the symbols of the call. Of a
branch they are those of the region that costs more, of a loop those of all steps.
"""

from collections.abc import Callable

from tensorc.ir.arrays.cumulation import LINEAR
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import Dim, elements, maximum
from tensorc.ir.ops.builtin import Function
from tensorc.ir.ops.control import If, KernelGroup
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.ops.tensor.cumulative import CUMULATIVE
from tensorc.ir.ops.tensor.indexing import ADD, CheckIndex, Scatter
from tensorc.ir.ops.tensor.order import ORDERS, SearchSorted
from tensorc.ir.types import Element, TensorType, VectorType
from tensorc.passes.analysis.generics import tensor_space
from tensorc.passes.analysis.in_place import WRITERS

# What is a kernel by itself: it joins no group.
ALONE: tuple[type[Op], ...] = (CheckIndex, Scatter, *CUMULATIVE, *ORDERS, SearchSorted)
KERNELS: tuple[type[Op], ...] = (KernelGroup, *ALONE)

FUNCTION_WEIGHT = 16  # simple ops that a function takes as long as

_SILENT = ("linalg.", "arith.constant", "tc.size", "tensor.")
_FREE = frozenset(
    f"arith.{name}"
    for name in ("select", "extf", "truncf", "sitofp", "uitofp", "bitcast")
)


def cost_of(function: Function) -> tuple[int, Dim]:
    """Return the number of kernels of a function, and the flops of a call."""
    kernels = sum(isinstance(op, KERNELS) for op in function.walk())
    flops = sum_of_kernels(function.body.block, flops_of_kernel)
    return kernels + len(copied(function)), flops


def copied(function: Function) -> list[Value]:
    """Return the results that are copied at the end, as often as they are.

    That is what no op writes, and what is given twice. New values of arguments, and
    what branches and loops give, are not among them.
    """
    written: set[Value] = set()
    found = []
    for number, value in enumerate(function.body.block.terminator.operands):
        is_update = function.result_info(number).get("tc.updates") is not None
        is_made = isinstance(value.op, WRITERS) and value not in written
        if not is_made and not is_update:
            found.append(value)
        written.add(value)
    return found


def sum_of_kernels(block: Block, cost: Callable[[Op], Dim]) -> Dim:
    """Return what all kernels of a block cost, each as often as it runs.

    Of a branch it is what the dearer region costs.
    """
    total: Dim = 0
    for op in block.ops:
        if isinstance(op, KERNELS):
            total = total + cost(op)
        elif isinstance(op, If):
            then, otherwise = (sum_of_kernels(r.block, cost) for r in op.regions)
            total = total + maximum(then, otherwise)
        elif isinstance(op, Scan):
            total = total + op.steps * sum_of_kernels(op.body.block, cost)
    return total


def flops_of_kernel(kernel: Op) -> Dim:
    """Return the flops of a kernel: of all members of a group, or of one op."""
    total: Dim = 0
    if not isinstance(kernel, KernelGroup):
        return _flops_alone(kernel)
    for op in kernel.body.block.ops:
        if isinstance(op, Generic):
            total = total + flops_of(op)
    return total


def _flops_alone(op: Op) -> Dim:
    """Return the flops of an op that is a kernel by itself."""
    if isinstance(op, Scatter):
        type_, each = op.values.type, int(op.combine == ADD)
    else:
        combine = CUMULATIVE.get(type(op))
        type_, each = op.results[0].type, (1 if combine else 0) + (combine == LINEAR)
    assert isinstance(type_, TensorType)
    return elements(type_.shape) * (each if type_.element.is_float else 0)


def flops_of(op: Generic) -> Dim:
    """Return the flops of one generic."""
    points = elements(tensor_space(op))
    each = sum(1 + (o.name == "math.fma") for o in op.body.block.ops if is_flop(o))
    return points * each


def computes(op: Op) -> bool:
    """Return whether an op in a body is work; all others only name or move values."""
    return not op.name.startswith(_SILENT)


def calls_functions(op: Generic) -> bool:
    """Return whether a body computes functions, a multiply-add among them."""
    return any(map(is_function, op.body.block.ops))


def is_function(op: Op) -> bool:
    """Return whether a scalar op is a function, or a multiply-add."""
    return op.name.startswith("math.")


def body_size(op: Generic) -> int:
    """Return how long a body is, in simple ops on vectors; a function is many."""
    names = [inner.name for inner in op.body.block.ops if computes(inner)]
    functions = sum(n.startswith("math.") and n != "math.fma" for n in names)
    return 1 + len(names) + functions * (FUNCTION_WEIGHT - 1)


def is_flop(op: Op) -> bool:
    """Return whether a scalar op computes a float, not only moves or casts one."""
    if not computes(op) or not op.results:
        return False
    type_ = op.results[0].type
    element = type_.element if isinstance(type_, VectorType | TensorType) else type_
    return isinstance(element, Element) and element.is_float and op.name not in _FREE
