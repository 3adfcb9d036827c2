"""Where our ops and MLIR's of the same name differ, and how the text bridges that.

What MLIR asks for and we can tell from the op is written, and dropped when it is read:
the sizes of operand segments, the body of a `linalg.fill`. What we add to an op of MLIR
is written as a discardable attribute: `order` of a `linalg.generic` is `tc.order`, left
out where there is none. What its maps read outside of operands is `tc.outside`, with an
entry for each map, "inside" where it stays there.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from tensorc.ir.attributes import OUTSIDE, AffineMap, ArrayAttr, Attribute, Typed
from tensorc.ir.core import Op, Region
from tensorc.ir.types import F64, I1, I64

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
MAPS, INSIDE = "indexing_maps", "inside"
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
    ours += outside_of(inherent)
    return [(n, a) for n, a in inherent if n != name], ours


def outside_of(
    attributes: Iterable[tuple[str, Attribute]],
) -> list[tuple[str, Attribute]]:
    """Return the attribute of what maps read outside of operands, if one does."""
    for name, value in attributes:
        items = value.items if name == MAPS and isinstance(value, ArrayAttr) else ()
        fills = [m.outside if isinstance(m, AffineMap) else None for m in items]
        if any(fill is not None for fill in fills):
            entries = [INSIDE if fill is None else fill for fill in fills]
            return [(OUTSIDE, ArrayAttr(tuple(entries)))]
    return []


def _put_outside(attributes: dict[str, Attribute]) -> None:
    """Give maps what they read outside; a text that says nonsense keeps it."""
    maps, given = attributes.get(MAPS), attributes.get(OUTSIDE)
    if not isinstance(maps, ArrayAttr) or not isinstance(given, ArrayAttr):
        return
    fills = [_constant(item) for item in given.items]
    pairs_given = zip(fills, given.items, strict=True)
    known = all(fill is not None or item == INSIDE for fill, item in pairs_given)
    alike = all(isinstance(map_, AffineMap) for map_ in maps.items)
    if known and alike and len(fills) == len(maps.items):
        pairs = zip(maps.items, fills, strict=True)
        filled = [replace(m, outside=f) for m, f in pairs if isinstance(m, AffineMap)]
        attributes[MAPS] = ArrayAttr(tuple(filled))
        del attributes[OUTSIDE]


def _constant(item: Attribute) -> Typed | None:
    """Return a constant with its type, which text leaves out for i1, i64 and f64."""
    match item:
        case Typed():
            return item
        case bool():
            return Typed(item, I1)
        case int():
            return Typed(item, I64)
        case float():
            return Typed(item, F64)
        case _:
            return None


def understand(
    name: str, attributes: dict[str, Attribute], regions: list[Region], operands: int
) -> None:
    """Turn what the text of an op holds into what our op has, in place."""
    implied, added = IMPLIED.get(name), ADDED.get(name)
    if implied is not None and attributes.get(SEGMENTS) == implied(operands):
        del attributes[SEGMENTS]
    if added is not None and added[0] not in attributes:
        attributes[added[0]] = attributes.pop(f"tc.{added[0]}", added[1])
    if OUTSIDE in attributes:
        _put_outside(attributes)
    if name == FILL and len(regions) == 1 and _gives_first(regions[0]):
        regions.clear()


def _gives_first(region: Region) -> bool:
    """Return whether a region does nothing but yield its first argument."""
    if len(region.blocks) != 1 or len(region.block.ops) != 1:
        return False
    arguments, op = region.block.arguments, region.block.ops[0]
    return op.name == "linalg.yield" and op.operands == arguments[:1]
