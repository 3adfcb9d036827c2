"""Make branches, and change what they capture and give.

Regions are written with the values around them, and isolated then:

    with builder.region([]) as (then, _):
        builder.create(Yield, b(Exp, x))
    with builder.region([]) as (otherwise, _):
        builder.create(Yield, x)
    (y,) = isolate(builder, condition, then, otherwise)
"""

from collections.abc import Sequence

from tensorc.errors import Diagnostic, ShapeError
from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Region, Value, clone_op
from tensorc.ir.opdef import ISOLATED, ConstraintError, InferContext, require
from tensorc.ir.ops.control import If
from tensorc.ir.ops.tensor.making import Constant
from tensorc.ir.types import Type, element_type

MOST_COPIED = 16  # elements of a constant: a larger one is captured

# On a branch: its condition is the negation of the one at its location, as it was
# written. So reports say of either region when it runs in the words of the program.
NEGATED = "tc.negated"


def isolate(
    b: Builder,
    condition: Value,
    then: Region,
    otherwise: Region,
    types: Sequence[Type] | None = None,
) -> list[Value]:
    """Append a `tc.if` of two regions that use what is around them, as if open.

    Their blocks have no arguments yet, and end with a `tc.yield`. They are given one
    for each value from outside that any of their ops uses, in the order of first use:
    the captures. A small constant is copied into the region instead. `types` are those
    of the results; without them they are what `then` yields.

    Raises:
        ShapeError: the regions can never yield values of the same types (TC0300).
    """
    regions = (then, otherwise)
    yields = [region.block.terminator.operands for region in regions]
    given = [v.type for v in yields[0]] if types is None else list(types)
    for values in yields:
        _require_types(b, [v.type for v in values], given)
    captures = capture(regions)
    op = b.append(If, [condition, *captures], {}, given, regions)
    return op.results


def capture(regions: Sequence[Region]) -> list[Value]:
    """Give regions an argument for each value from outside that any of them uses.

    Returns these values, in the order of first use. Small constants are copied.
    """
    captures = list(dict.fromkeys(v for r in regions for v in _captured(r)))
    for region in regions:
        block = region.block
        inner = {v: block.add_argument(v.type, v.hint) for v in captures}
        for op in ops_in(region):
            op.operands = [inner.get(v, v) for v in op.operands]
    return captures


def is_copied(op: Op) -> bool:
    """Return whether an op is a constant that a region has for itself."""
    return isinstance(op, Constant) and op.value.value.size <= MOST_COPIED


def keep_captures(op: If, kept: Sequence[int]) -> None:
    """Drop all captures of a branch but these, and their arguments."""
    captures = op.captures
    op.operands = [op.condition, *[captures[i] for i in kept]]
    for region in op.regions:
        region.block.arguments = _renumbered(region.block.arguments, kept)


def keep_results(op: If, kept: Sequence[int]) -> None:
    """Drop all results of a branch but these, and what its regions yield for them."""
    op.results = _renumbered(op.results, kept)
    for region in op.regions:
        last = region.block.terminator
        last.operands = [last.operands[i] for i in kept]


def _renumbered(values: Sequence[Value], kept: Sequence[int]) -> list[Value]:
    left = [values[i] for i in kept]
    for index, value in enumerate(left):
        value.index = index
    return left


def _require_types(b: Builder, found: list[Type], wanted: list[Type]) -> None:
    """Unify what a branch yields with the types of the results."""
    context = InferContext(b.constraints, b.location)
    try:
        require(len(found) == len(wanted), "", f"{len(wanted)} and {len(found)} values")
        for left, right in zip(found, wanted, strict=True):
            same = element_type(left) == element_type(right)
            require(same, "", f"{right} and {left}")
            context.require_same_shape(right, left, "")
    except ConstraintError as error:
        message = f"both branches of {If.name} give the same types, got {error.detail}"
        raise ShapeError(Diagnostic("TC0300", message, b.location)) from None


def _captured(region: Region) -> list[Value]:
    """Return what a region uses from outside; constants are copied into it first."""
    inside = {v for op in ops_in(region) for v in (*op.results, *_arguments_in(op))}
    inside.update(region.block.arguments)
    constants: dict[Value, Value] = {}
    found: dict[Value, None] = {}
    for op in ops_in(region):
        for value in op.operands:
            if value in inside:
                continue
            if value.op is not None and is_copied(value.op):
                if value not in constants:
                    clone_op(value.op, constants)
            else:
                found[value] = None
    for op in ops_in(region):
        op.operands = [constants.get(v, v) for v in op.operands]
    copies = [v.op for v in constants.values() if v.op is not None]
    for op in copies:
        op.parent = region.block
    region.block.ops[:0] = copies
    return list(found)


def ops_in(region: Region) -> list[Op]:
    """Return the ops of a region and those in it that may use what is around them."""
    found: list[Op] = []
    stack = [region]
    while stack:
        for op in [op for block in stack.pop().blocks for op in block.ops]:
            found.append(op)
            # Isolated ones see their operands alone: nests stay linear.
            if ISOLATED not in op.traits:
                stack.extend(op.regions)
    return found


def _arguments_in(op: Op) -> list[Value]:
    return [a for r in op.regions for block in r.blocks for a in block.arguments]
