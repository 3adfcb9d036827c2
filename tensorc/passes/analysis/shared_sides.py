"""Which products of a block read one right side, in one way: copies of it are alike.

A recurrent network whose steps are written out reads its weights in each of them.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.structured.generics import Generic
from tensorc.passes.analysis.generics import (
    computes_right,
    has_windows,
    is_contraction,
    product_space,
)


@dataclass(frozen=True, slots=True)
class Shared:
    """How many products read one right side, and how many rows they have together."""

    readers: int
    rows: Dim


def right_side(group: KernelGroup, product: Generic) -> tuple[Value, Hashable] | None:
    """Return what a product of a group reads as its right side, and how.

    None if that is made in the group, computed, or no matrix.
    """
    if has_windows(product) or computes_right(product) or product.maps[0].dims != 3:
        return None
    value = product.operands[1]
    arguments = group.body.block.arguments
    if value not in arguments:
        return None
    return group.operands[arguments.index(value)], product.maps[1]


def shared_sides(block: Block) -> dict[Op, Shared]:
    """Return the products of a block's groups whose right sides others read, too."""
    found: dict[Hashable, list[Generic]] = {}
    for group in block.ops:
        for product in group.body.block.ops if isinstance(group, KernelGroup) else ():
            if isinstance(product, Generic) and is_contraction(product):
                assert isinstance(group, KernelGroup)
                found.setdefault(right_side(group, product), []).append(product)
    found.pop(None, None)
    shared: dict[Op, Shared] = {}
    for several in found.values():
        rows: Dim = 0
        for product in several:
            rows = rows + product_space(product)[0]
        if len(several) > 1:
            shared.update(dict.fromkeys(several, Shared(len(several), rows)))
    return shared
