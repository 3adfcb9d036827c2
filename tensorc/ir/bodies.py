"""What a region of each op must hold: arguments, a terminator, and what that gives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tensorc.ir.core import Op, Value
from tensorc.ir.types import (
    F32,
    INDEX,
    FunctionType,
    TensorType,
    Type,
    element_type,
)


@dataclass(frozen=True, slots=True)
class Body:
    """What a region must have: arguments, a terminator, and its operands."""

    terminator: str
    arguments: tuple[Type, ...] = ()
    yields: tuple[Type, ...] = ()
    optional: bool = False  # regions but the first may be without a block


def value_types(values: Sequence[Value]) -> tuple[Type, ...]:
    """Return the types of values."""
    return tuple([v.type for v in values])


def _function_body(op: Op) -> Body:
    type_ = op.attributes["function_type"]
    assert isinstance(type_, FunctionType)
    return Body("func.return", type_.inputs, type_.results)


def _grad_body(op: Op) -> Body:
    """Take the operands and yield one float without axes, of any width."""
    ops = [o for block in op.regions[0].blocks for o in block.ops]
    cost = ops[-1].operands[0].type if ops and ops[-1].operands else F32
    element = F32 if isinstance(cost, FunctionType) else element_type(cost)
    scalar = TensorType((), element if element.is_float else F32)
    return Body("tc.yield", value_types(op.operands), (scalar,))


def _generic_body(op: Op) -> Body:
    """Take an element of each operand and yield one for each destination."""
    sizes = op.attributes["operandSegmentSizes"]
    assert isinstance(sizes, tuple)
    elements = tuple([element_type(v.type) for v in op.operands])
    return Body("linalg.yield", elements, elements[sizes[0] :])


def _branch_body(op: Op) -> Body:
    return Body("tc.yield", value_types(op.operands[1:]), value_types(op.results))


def _for_body(op: Op) -> Body:
    carried = value_types(op.operands[3:])
    return Body("scf.yield", (INDEX, *carried), carried)


def _group_body(op: Op) -> Body:
    return Body("tc.yield", value_types(op.operands), value_types(op.results))


# A row for every op with regions; the verifier refuses one that lacks it.
BODIES: Mapping[str, Callable[[Op], Body]] = {
    "builtin.module": lambda op: Body(""),
    "func.func": _function_body,
    "tc.grad": _grad_body,
    "tc.if": _branch_body,
    "tc.group": lambda op: Body(
        "tc.yield", value_types(op.operands), value_types(op.results)
    ),
    "linalg.generic": _generic_body,
    "scf.for": _for_body,
    "scf.if": lambda op: Body("scf.yield", optional=True),
}
