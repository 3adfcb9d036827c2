"""What depends on what, as a derivative sees it: values that a cost can be made of."""

from tensorc.fuzz.maker import Maker
from tensorc.fuzz.program import (
    REGIONS,
    ArgumentNode,
    LoopNode,
    Node,
    OpNode,
    RandomProgram,
    ResultNode,
    needed_by,
    read_by,
)
from tensorc.ir.ops.control import If
from tensorc.ir.ops.tensor.indexing import Gather, Scatter, TakeAlongAxis
from tensorc.passes.tensor.ad.rules import NOT_DIFFERENTIABLE, STEPS, VJP_RULES

COMPUTED_PLACES = (TakeAlongAxis, Gather, Scatter)

_MOST_SLOPES = 10  # entries below a cost: there are twice as many for its derivatives


def differentiable(m: Maker, most: int = _MOST_SLOPES) -> dict[int, set[int]]:
    """Return values that follow from arguments by ops with derivatives alone.

    With each go the arguments that it follows from. Of the values to which more than
    `most` entries lead there is none.
    """
    paths: dict[int, set[int]] = {}
    for index, entry in enumerate(m.entries):
        if not m.type_of(index).element.is_float:
            continue
        if isinstance(entry, ArgumentNode):
            paths[index] = {index}
            continue
        found = [paths[o] for o in _smooth_operands(m, entry) if o in paths]
        if found:
            paths[index] = set[int]().union(*found)
    scratch = RandomProgram("", tuple(m.entries), (), {})
    refused = from_indices(m)
    return {
        index: found
        for index, found in paths.items()
        if not isinstance(m.entries[index], ArgumentNode)
        and index not in refused
        and len(needed_by(scratch, [index])) <= most
    }


def _smooth_operands(m: Maker, entry: Node) -> tuple[int, ...]:
    """Return the operands through which a value depends smoothly on others."""
    if isinstance(entry, ResultNode):
        entry = m.entries[entry.of]
    if isinstance(entry, OpNode) and (entry.cls in VJP_RULES or entry.cls in REGIONS):
        return entry.operands
    return ()


def from_indices(m: Maker) -> set[int]:
    """Return what is computed from indices of extremes, or by loops.

    A derivative of it is refused.
    """
    found: set[int] = set()
    for index, entry in enumerate(m.entries):
        if isinstance(entry, ArgumentNode):
            continue
        operands = read_by(entry)
        if isinstance(entry, ResultNode):
            if _is_refused(m, index, entry):
                found.add(index)
        elif entry.cls in STEPS:
            continue
        elif entry.cls in NOT_DIFFERENTIABLE or isinstance(entry, LoopNode):
            found.add(index)
        elif entry.cls is If:
            operands = operands[1:]
        elif entry.cls in COMPUTED_PLACES:  # where to read is no path of a derivative
            operands = operands[: 2 if entry.cls is Scatter else 1]
        if found & set(operands):
            found.add(index)
    return found


def _is_refused(m: Maker, index: int, entry: ResultNode) -> bool:
    """Return whether a further result of an op has no derivative."""
    maker = m.entries[entry.of]
    if isinstance(maker, LoopNode):
        return True
    is_plain = isinstance(maker, OpNode) and maker.cls not in REGIONS
    return is_plain and not m.type_of(index).element.is_float
