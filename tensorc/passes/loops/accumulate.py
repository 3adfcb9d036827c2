"""Reductions in loops, in the contract's order (docs/numerics.md, tensorc.ir.numerics).

A sum keeps 16 lanes; after each block of 1024 elements they are added from left to
right and the block's sum joins a balanced tree. The tree is kept as a binary counter:
slot l holds the sum of 2^l blocks, and a new block carries like an increment.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tensorc.ir.attributes import Enum
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, ceildiv
from tensorc.ir.numerics import BLOCK, LANES
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith
from tensorc.ir.types import (
    I1,
    Element,
    MemRefType,
    Type,
    VectorType,
    element_type,
)
from tensorc.passes.analysis.generics import ROUNDING
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.lanes import Rep, widen
from tensorc.passes.schedule.cpu import STACK_AT_ONCE, STACK_BYTES

ALIGNMENT = 64  # bytes: a cache line, and the widest vector
ON_STACK = 4096  # bytes of the slots of a tree that lie there
LEVELS = 48  # slots of the counter: more than a 64-bit extent can fill, in blocks
_KINDS: dict[type[Op], str] = {
    arith.AddF: "add",
    arith.AddI: "add",
    arith.OrI: "maxui",
    arith.AndI: "minui",
    arith.MulF: "mul",
    arith.MulI: "mul",
    arith.MinimumF: "minimumf",
    arith.MinSI: "minsi",
    arith.MinUI: "minui",
    arith.MaximumF: "maximumf",
    arith.MaxSI: "maxsi",
    arith.MaxUI: "maxui",
}


@dataclass(frozen=True, slots=True)
class Combiner:
    """How elements combine: the scalar op, its element type and its identity."""

    cls: type[Op]
    element: Element
    identity: float

    @property
    def is_sum(self) -> bool:
        """Tell float sums and products, whose order matters, from the rest."""
        return self.cls in ROUNDING

    def start(self, k: LoopBuilder, lanes: int = LANES) -> Value:
        """Return the identity, as a vector or a scalar (lanes 0)."""
        return k.constant(self.identity, self.element, lanes)

    def combine(self, k: LoopBuilder, total: Value, value: Value) -> Value:
        """Combine two vectors or two scalars."""
        return k.op(self.cls, total, value)

    def step(self, k: LoopBuilder, lanes: Value, rep: Rep, mask: Value | None) -> Value:
        """Combine 16 new elements into the lanes, where the mask is true."""
        new = self.combine(k, lanes, widen(k, rep))
        return new if mask is None else k.select(mask, new, lanes)

    def across(self, k: LoopBuilder, lanes: Value) -> Value:
        """Combine the lanes from left to right to a scalar."""
        kind = Enum("vector.kind", _KINDS[self.cls])
        return k.op(vector.Reduction, lanes, self.start(k, 0), kind=kind)


def nothing(k: LoopBuilder, combiner: Combiner, extent: Value, total: Value) -> Value:
    """Return the total, or +0 for a sum of nothing (the identity is -0.0)."""
    if combiner.cls is not arith.AddF:
        return total
    known = k.known(extent)
    if known:
        return total
    wide = LANES if isinstance(total.type, VectorType) else 0
    zero = k.constant(0.0, combiner.element, wide)
    if known == 0:
        return zero
    empty = k.compare("eq", extent, k.index(0))
    return k.select(empty, zero, total)


IN_FLIGHT = 4  # vectors that a reduction in any order combines side by side
Step = Callable[[Value, Value | None, Sequence[Value]], list[Value]]


def in_flight(
    k: LoopBuilder,
    combiners: Sequence[Combiner],
    bounds: tuple[Value, Value],
    lanes: Sequence[Value],
    step: Step,
) -> tuple[Value, list[Value]]:
    """Reduce in any order, some vectors at a time; return where that ends, and lanes.

    `step(index, mask, lanes)` combines 16 elements, from an index on, into lanes. What
    is left is less than one round of the loop.
    """
    lower, upper = bounds
    width = IN_FLIGHT * LANES
    middle = k.sub(upper, bit_mask(k, k.sub(upper, lower), width - 1))
    count = len(combiners)
    rest = [c.start(k) for c in combiners] * (IN_FLIGHT - 1)
    with k.loop(lower, middle, width, [*lanes, *rest]) as loop:
        for number in range(IN_FLIGHT):
            at = k.add(loop.index, k.index(number * LANES))
            held = loop.carried[number * count : (number + 1) * count]
            loop.yields += step(at, None, held)
    total = loop.results[:count]
    for number in range(1, IN_FLIGHT):
        others = loop.results[number * count : (number + 1) * count]
        pairs = zip(combiners, total, others, strict=True)
        total = [c.combine(k, left, right) for c, left, right in pairs]
    return middle, total


@dataclass(frozen=True, slots=True)
class BlockTree:
    """The tree of block sums: memory for the slots, of scalars or of vectors.

    A slot has `width` elements, for as many sums; `first` says which 16 of them are
    meant. With width 1 it is a scalar.
    """

    combiner: Combiner
    slots: Value
    width: int = 1
    first: Value | None = None

    def at(self, first: Value) -> "BlockTree":
        """Return the tree of the 16 sums from `first` on."""
        return replace(self, first=first)

    def load(self, k: LoopBuilder, level: Value) -> Value:
        """Return the slot of a level."""
        if self.first is None:
            return k.op(memory.Load, self.slots, level)
        return load_wide(k, self.slots, self._address(k, level, self.first))

    def store(self, k: LoopBuilder, level: Value, value: Value) -> None:
        """Set the slot of a level."""
        if self.first is None:
            k.do(memory.Store, value, self.slots, level)
            return
        store_wide(k, self.slots, self._address(k, level, self.first), value)

    def _address(self, k: LoopBuilder, level: Value, first: Value) -> Value:
        return k.add(k.mul(level, k.index(self.width)), first)

    def push(self, k: LoopBuilder, total: Value, number: Value, levels: Value) -> Value:
        """Add the sum of block `number`; return how many levels are in use now."""
        pending = k.constant(1, I1)
        with k.loop(k.index(0), levels, 1, [total, pending]) as loop:
            value, carry = loop.carried
            bit = bit_of(k, number, loop.index)
            slot = self.load(k, loop.index)
            merged = self.combiner.combine(k, slot, value)
            taken = k.op(arith.AndI, carry, bit)
            settles = k.op(arith.AndI, carry, k.op(arith.XOrI, bit, pending))
            self.store(k, loop.index, k.select(settles, value, slot))
            loop.yields = [k.select(taken, merged, value), taken]
        value, carry = loop.results
        # All levels were full: the carry opens a new one.
        self.store(k, levels, value)
        grown = k.add(levels, k.index(1))
        return k.select(carry, grown, levels)

    def total(self, k: LoopBuilder, number: Value, levels: Value) -> Value:
        """Combine the slots that `number` blocks fill, the smallest first."""
        lanes = 0 if self.first is None else LANES
        start = self.combiner.start(k, lanes)
        none = k.constant(0, I1)
        with k.loop(k.index(0), levels, 1, [start, none]) as loop:
            value, started = loop.carried
            bit = bit_of(k, number, loop.index)
            slot = self.load(k, loop.index)
            merged = k.select(started, self.combiner.combine(k, slot, value), slot)
            loop.yields = [
                k.select(bit, merged, value),
                k.op(arith.OrI, started, bit),
            ]
        return loop.results[0]


def load_wide(
    k: LoopBuilder, memref: Value, at: Value, mask: Value | None = None
) -> Value:
    """Load 16 elements from an index on, or those of the mask."""
    other = k.constant(0, element_type(memref.type), LANES)
    return k.op(vector.MaskedLoad, memref, at, mask or k.mask(LANES), other)


def store_wide(
    k: LoopBuilder, memref: Value, at: Value, value: Value, mask: Value | None = None
) -> None:
    """Store 16 elements from an index on, or those of the mask."""
    k.do(vector.MaskedStore, memref, at, mask or k.mask(LANES), value)


def bit_mask(k: LoopBuilder, number: Value, mask: int) -> Value:
    """Return the low bits of a number."""
    known = k.known(number)
    if known is not None:
        return k.index(known & mask)
    return k.op(arith.AndI, number, k.index(mask))


def bit_of(k: LoopBuilder, number: Value, level: Value) -> Value:
    """Return bit `level` of a number."""
    shifted = k.op(arith.ShRSI, number, level)
    return k.compare("ne", k.op(arith.AndI, shifted, k.index(1)), k.index(0))


def scratch(k: LoopBuilder, element: Element, count: int) -> Value:
    """Return memory of the kernel: on the stack while that has room for it.

    What is large, or comes after the stack's share is taken, is `worker_scratch`: a
    kernel also runs in threads whose stack is small.
    """
    size = -(-count * element.bytes // ALIGNMENT) * ALIGNMENT
    taken = k.stack_bytes + size
    if size > STACK_AT_ONCE or taken > STACK_BYTES:
        return worker_scratch(k, element, count)
    k.stack_bytes = taken
    type_: Type = MemRefType((count,), element)
    return k.at_start(memory.Alloca, types=[type_])


def shared_scratch(k: LoopBuilder, use: str, element: Element, count: int) -> Value:
    """Return `scratch` that all who have the same use for it take in turn."""
    key = use, element, count
    if key not in k.shared:
        k.shared[key] = scratch(k, element, count)
    return k.shared[key]


def worker_scratch(k: LoopBuilder, element: Element, count: Dim) -> Value:
    """Return memory for `count` elements in the scratch of who runs the kernel.

    It is 64-byte aligned, and lasts for the call of the kernel: what one chunk leaves
    there another may find, or not.
    """
    assert k.scratch is not None
    offset = k.scratch_bytes
    blocks = ceildiv(count * element.bytes, ALIGNMENT)
    k.scratch_bytes = offset + blocks * ALIGNMENT
    operands = k.scratch, k.dim(offset), k.dim(count)
    return k.at_start(memory.View, *operands, types=[MemRefType((None,), element)])


def block_tree(k: LoopBuilder, combiner: Combiner, width: int = 1) -> BlockTree:
    """Return a tree of block sums, or trees for so many sums side by side."""
    count = (LEVELS + 1) * width
    own = count * combiner.element.bytes <= ON_STACK
    slots = (scratch if own else worker_scratch)(k, combiner.element, count)
    return BlockTree(combiner, slots, width)


def needs_blocks(combiner: Combiner, known: int | None) -> bool:
    """Return whether a reduction of that extent has more than one block."""
    return combiner.is_sum and (known is None or known > BLOCK)
