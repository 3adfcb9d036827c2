"""Where our ops and MLIR's of the same name differ, and how the text bridges that.

What MLIR asks for and we can tell from the op is written, and dropped when it is read:
the sizes of operand segments, the body of a `linalg.fill`. What we add to an op of MLIR
is written as a discardable attribute: `order` of a `linalg.generic` is `tc.order`, left
out where there is none.
"""

from collections.abc import Callable, Mapping

from tensorc.ir.attributes import Attribute
from tensorc.ir.core import Op, Region

FILL = "linalg.fill"
SEGMENTS = "operandSegmentSizes"

# The segments of ops that have no attribute for them, by the number of operands.
IMPLIED: Mapping[str, Callable[[int], tuple[int, ...]]] = {
    "linalg.fill": lambda count: (1, count - 1),
    "memref.alloc": lambda count: (count, 0),  # sizes, symbols of the layout
    "memref.alloca": lambda count: (count, 0),
}
# Attributes that MLIR's op lacks, with the value that is not written.
ADDED: Mapping[str, tuple[str, Attribute]] = {"linalg.generic": ("order", "")}
SPELLED = frozenset({*IMPLIED, *ADDED})


def spell(
    op: Op, inherent: list[tuple[str, Attribute]]
) -> tuple[list[tuple[str, Attribute]], list[tuple[str, Attribute]]]:
    """Return the properties of an op in MLIR's words, and what is ours among them."""
    implied, added = IMPLIED.get(op.name), ADDED.get(op.name)
    if implied is not None:
        return [*inherent, (SEGMENTS, implied(len(op.operands)))], []
    if added is None:
        return inherent, []
    name, silent = added
    ours = [(f"tc.{n}", a) for n, a in inherent if n == name and a != silent]
    return [(n, a) for n, a in inherent if n != name], ours


def understand(
    name: str, attributes: dict[str, Attribute], regions: list[Region], operands: int
) -> None:
    """Turn what the text of an op holds into what our op has, in place."""
    implied, added = IMPLIED.get(name), ADDED.get(name)
    if implied is not None and attributes.get(SEGMENTS) == implied(operands):
        del attributes[SEGMENTS]
    if added is not None and added[0] not in attributes:
        attributes[added[0]] = attributes.pop(f"tc.{added[0]}", added[1])
    if name == FILL and len(regions) == 1 and _gives_first(regions[0]):
        regions.clear()


def _gives_first(region: Region) -> bool:
    """Return whether a region does nothing but yield its first argument."""
    if len(region.blocks) != 1 or len(region.block.ops) != 1:
        return False
    arguments, op = region.block.arguments, region.block.ops[0]
    return op.name == "linalg.yield" and op.operands == arguments[:1]
