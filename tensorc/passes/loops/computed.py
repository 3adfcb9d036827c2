"""Right sides of products that are computed: gathers and casts, read by the copy.

A tile reads strips of its right side, which are copied (`tensorc.passes.loops.tiles`).
The copy computes their elements: along the columns, or, where memory runs along the
terms, 16 terms of each of 16 columns, which are then transposed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.ir.attributes import terms_of
from tensorc.ir.core import Value
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.types import element_type
from tensorc.passes.analysis.generics import is_shape_only, reads, right_factor
from tensorc.passes.loops.accumulate import shared_scratch, store_wide
from tensorc.passes.loops.lanes import (
    Counter,
    Point,
    Rep,
    Storage,
    Uniform,
    emit_op,
    tail_mask,
    widen,
    write,
)
from tensorc.passes.loops.rows_state import Rows, read_operand
from tensorc.passes.loops.shuffles import first_lanes, transpose
from tensorc.passes.loops.tiles import Matrix, place


@dataclass(frozen=True, slots=True)
class ComputedSide:
    """The right side of a contraction, at one index of its batch."""

    rows: Rows
    op: Generic
    batch: Sequence[Value]

    @property
    def is_turned(self) -> bool:
        """Whether what is read lies along the terms, not along the columns.

        That is asked of the arrays with most axes, not of a gather's indices.
        """
        along = ((self.op.maps[0].dims - 1, 1),)
        found = [read.axes for read in reads(self.op)[1:] if read.axes]
        rank = max(map(len, found), default=0)
        last = [axes[-1] for axes in found if len(axes) == rank]
        return any(axis is not None and terms_of(axis) == along for axis in last)

    def copy(
        self, target: Matrix, terms: tuple[Value, Value], columns: tuple[Value, Value]
    ) -> None:
        """Write rows of a strip: of some terms, from one on, and of some columns."""
        if self.is_turned:
            self._copy_turned(target, terms, columns)
        else:
            self._copy_rows(target, terms, columns)

    def _copy_rows(
        self, target: Matrix, terms: tuple[Value, Value], columns: tuple[Value, Value]
    ) -> None:
        k, (first, count), (left, lanes) = self.rows.k, terms, columns
        width = k.known(target.row)
        assert width is not None
        here = Storage(target.memref, (target.row, k.index(1)), target.at)
        starts = range(0, width, LANES)
        masks = [tail_mask(k, k.sub(lanes, k.index(start))) for start in starts]
        with k.loop(k.index(0), count, 1) as loop:
            term = Uniform(k.add(first, loop.index))
            for start, mask in zip(starts, masks, strict=True):
                column = Counter(k.add(left, k.index(start)))
                value = self._element(column, term, mask)
                taken = Point((), k.mask(min(LANES, width - start)))
                at = Uniform(loop.index), Counter(k.index(start))
                write(k, here, at, value, taken)

    def _copy_turned(
        self, target: Matrix, terms: tuple[Value, Value], columns: tuple[Value, Value]
    ) -> None:
        k, (first, count) = self.rows.k, terms
        whole = k.mul(k.floordiv(count, k.index(LANES)), k.index(LANES))
        with k.loop(k.index(0), whole, LANES) as loop:
            self._copy_sixteen(target, (first, loop.index, None), columns)
        rest = k.sub(count, whole)
        if k.known(rest) != 0:
            with k.loop(whole, count, LANES):  # once, if at all
                self._copy_sixteen(target, (first, whole, rest), columns)

    def _copy_sixteen(
        self,
        target: Matrix,
        terms: tuple[Value, Value, Value | None],
        columns: tuple[Value, Value],
    ) -> None:
        """Copy 16 terms, or as many as there are: where all begin, these, the count."""
        k, (first, here, rest), (left, lanes) = self.rows.k, terms, columns
        width = k.known(target.row)
        assert width is not None
        element = element_type(target.memref.type)
        square = shared_scratch(k, "computed", element, LANES * LANES)
        mask = k.mask(LANES) if rest is None else first_lanes(k, rest)
        last = k.sub(lanes, k.index(1))  # it stands beyond the columns, too
        other = k.constant(0, element, LANES)
        term = Counter(k.add(first, here))
        for start in range(0, width, LANES):
            taken = min(LANES, width - start)
            with k.loop(k.index(0), k.index(taken), 1) as loop:
                inside = k.minimum(k.add(loop.index, k.index(start)), last)
                value = self._element(Uniform(k.add(left, inside)), term, mask)
                at = k.mul(loop.index, k.index(LANES))
                store_wide(k, square, at, widen(k, value))
            rows = [k.index(n * LANES) for n in range(LANES)]
            every = k.mask(LANES)
            found = [k.op(vector.MaskedLoad, square, r, every, other) for r in rows]
            for number, row in enumerate(transpose(k, found)):
                kept = k.mask(taken)
                if rest is not None:
                    is_row = k.compare("slt", k.index(number), rest)
                    kept = first_lanes(k, k.select(is_row, k.index(taken), k.index(0)))
                there = place(k, target, k.add(here, k.index(number)), k.index(start))
                k.do(vector.MaskedStore, target.memref, there, kept, row)

    def _element(self, column: Rep, term: Rep, mask: Value) -> Rep:
        """Return elements of a column and a term, or of 16 of either."""
        k, op, storages = self.rows.k, self.op, self.rows.storages
        zero = Uniform(k.index(0))
        before = [Uniform(index) for index in self.batch]
        point = Point((*before, zero, column, term), mask)
        block, wanted = op.body.block, right_factor(op)
        reps: dict[Value, Rep] = {}
        for number in range(1, len(op.inputs)):
            if not is_shape_only(op, number):
                element = read_operand(self.rows, op, number, point)
                reps[block.arguments[number]] = element
        for inner in block.ops:
            if wanted in reps:
                break  # what is multiplied and added stands behind
            with k.at(inner.location):
                reps[inner.result] = emit_op(k, inner, point, reps, storages)
        return reps[wanted]
