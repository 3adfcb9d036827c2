"""An arena in which buffers of known and unknown sizes take parts and give them back.

The parts lie one behind the other; free neighbours are one part. Sizes are formulas, in
blocks of some bytes: whoever needs memory gets the front of a free part that is large
enough whatever the sizes are (`known_most`), and what is left of it stays free. The
last part may grow: two buffers of half the bytes need a block more than one of all,
since each is rounded up to whole blocks.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush

from tensorc.ir.dims import Dim, known_most


@dataclass(eq=False, slots=True)
class Part:
    """Blocks of the arena from `start` on, and the parts before and behind them."""

    start: Dim
    blocks: Dim
    before: "Part | None" = None
    after: "Part | None" = None


@dataclass
class Arena:
    """The last part, through which all others are found, and the free ones.

    A free part has an age; `sizes` are heaps of ages and parts, by blocks, in which
    there may be parts that are free no more.
    """

    last: Part | None = None
    free: dict[Part, int] = field(default_factory=dict)
    sizes: dict[Dim, list[tuple[int, Part]]] = field(default_factory=dict)
    ages: int = 0
    differences: dict[tuple[Dim, Dim], int | None] = field(default_factory=dict)

    @property
    def blocks(self) -> Dim:
        """How many blocks there are."""
        return 0 if self.last is None else self.last.start + self.last.blocks

    def take(self, blocks: Dim) -> Part:
        """Return a part of so many blocks that is free no more."""
        part = self._smallest(blocks) or self._grown(blocks) or self._appended(blocks)
        self.free.pop(part, None)
        left = part.blocks - blocks
        if left != 0:
            part.blocks = blocks
            rest = Part(part.start + blocks, left, part, part.after)
            self._link(rest)
            self._set_free(rest)
        return part

    def give_back(self, part: Part) -> None:
        """Let others take a part, together with its free neighbours."""
        first = part.before if part.before in self.free else part
        last = part.after if part.after in self.free else part
        assert first is not None
        assert last is not None
        blocks: Dim = part.blocks
        for other in {first, last} - {part}:
            blocks = blocks + other.blocks
            del self.free[other]
        whole = Part(first.start, blocks, first.before, last.after)
        self._link(whole)
        self._set_free(whole)

    def _set_free(self, part: Part) -> None:
        self.ages += 1
        self.free[part] = self.ages
        heappush(self.sizes.setdefault(part.blocks, []), (self.ages, part))

    def _link(self, part: Part) -> None:
        """Make a part known to its neighbours."""
        if part.before is not None:
            part.before.after = part
        if part.after is None:
            self.last = part
        else:
            part.after.before = part

    def _smallest(self, blocks: Dim) -> Part | None:
        """Return the smallest free part that holds so many blocks, if any does."""
        if blocks in self.sizes and (exact := self._oldest(blocks)) is not None:
            return exact
        best: Part | None = None
        for size in list(self.sizes):
            part = self._oldest(size)
            if part is None or not self._holds(size, blocks):
                continue
            if best is None or self._holds(best.blocks, size):
                best = part
        return best

    def _oldest(self, size: Dim) -> Part | None:
        """Return the free part of this size that was free first."""
        heap = self.sizes[size]
        while heap:
            age, part = heap[0]
            if self.free.get(part) == age:
                return part
            heappop(heap)
        del self.sizes[size]
        return None

    def _grown(self, blocks: Dim) -> Part | None:
        """Return the last part, if it is free, made as large as is needed."""
        last = self.last
        if last is None or last not in self.free:
            return None
        missing = self._most_over(blocks, last.blocks)
        left = self._most_over(last.blocks, blocks)
        if missing is not None:
            last.blocks = last.blocks + missing
        elif left is not None:
            last.blocks = blocks + max(left, 0)
        else:
            return None
        return last

    def _appended(self, blocks: Dim) -> Part:
        part = Part(self.blocks, blocks, self.last)
        self._link(part)
        return part

    def _holds(self, size: Dim, blocks: Dim) -> bool:
        over = self._most_over(blocks, size)
        return over is not None and over <= 0

    def _most_over(self, left: Dim, right: Dim) -> int | None:
        """Return how much larger one size is than another at most, if that is known."""
        if isinstance(left, int) and isinstance(right, int):
            return left - right
        key = left, right
        if key not in self.differences:
            self.differences[key] = known_most(left - right)
        return self.differences[key]
