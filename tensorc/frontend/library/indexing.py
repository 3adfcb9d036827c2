"""Indexing as numpy's, for all doors: slices with any step and bound, `...`, new axes.

Bounds are clamped as numpy does. Where that depends on a size which each call chooses,
the clamped bound is a formula with min and max over that size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.errors import CompileError, Diagnostic
from tensorc.frontend.library.operands import (
    Emitter,
    Shape,
    TensorOperand,
    spell_type,
)
from tensorc.ir.dims import Dim, Poly, ceildiv, known_at_most, maximum, minimum
from tensorc.ir.dims import bound as clamped
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.text.dims_parser import LONGEST


@dataclass(frozen=True, slots=True)
class SlicePart:
    """start:stop:step; None where a part is left out."""

    start: Dim | None = None
    stop: Dim | None = None
    step: int = 1


@dataclass(frozen=True, slots=True)
class At:
    """One index: the axis disappears."""

    index: Dim


@dataclass(frozen=True, slots=True)
class NewAxis:
    """A new axis of size 1."""


@dataclass(frozen=True, slots=True)
class Rest:
    """`...`: all axes that no other index names."""


Index = SlicePart | At | NewAxis | Rest | TensorOperand


def index_error(b: Emitter, message: str, *hints: str) -> CompileError:
    """Return the error that an index does not fit."""
    return CompileError(Diagnostic("TC0312", message, b.location, hints=hints))


@dataclass(frozen=True, slots=True)
class SliceRegion:
    """What indices without integer arrays select: a slice per axis, and its shape."""

    starts: tuple[Dim, ...]
    sizes: tuple[Dim, ...]
    steps: tuple[int, ...]
    kept: Shape  # without the axes of single indices, with the new ones
    is_whole: bool


def region(b: Emitter, x: TensorOperand, indices: Sequence[Index]) -> SliceRegion:
    """Return what indices select of a tensor; there is no integer array among them."""
    shape = b.shape(x)
    starts, sizes, steps = list[Dim](), list[Dim](), list[int]()
    kept: list[Dim] = []
    axis = 0
    for item in per_axis(b, x, indices):
        if isinstance(item, NewAxis):
            kept.append(1)
            continue
        assert isinstance(item, SlicePart | At)
        start, size, step = _extent(b, item, shape[axis], axis)
        starts.append(start)
        sizes.append(size)
        steps.append(step)
        if isinstance(item, SlicePart):
            kept.append(size)
        axis += 1
    plain = all(s == 0 for s in starts) and all(s == 1 for s in steps)
    is_whole = plain and tuple(sizes) == shape
    return SliceRegion(tuple(starts), tuple(sizes), tuple(steps), tuple(kept), is_whole)


def take(b: Emitter, x: TensorOperand, indices: Sequence[Index]) -> TensorOperand:
    """Return x[indices]; `advanced_indexing.take` takes integer arrays too."""
    part = region(b, x, indices)
    t, value = TensorBuilder(b.builder), x.value
    if not part.is_whole:
        value = t.slice(value, part.starts, part.sizes, part.steps)
    if part.kept != part.sizes:
        value = t.reshape(value, part.kept)
    return TensorOperand(value)


def per_axis(
    b: Emitter, x: TensorOperand, indices: Sequence[Index]
) -> list[SlicePart | At | NewAxis | TensorOperand]:
    """Write `...` out, and the axes that are not mentioned at the end."""
    rank = x.type.rank
    named = sum(isinstance(i, SlicePart | At | TensorOperand) for i in indices)
    if named > rank:
        plural = "index" if named == 1 else "indices"
        message = f"{named} {plural} for {spell_type(x.type)}, which has rank {rank}"
        raise index_error(b, message)
    dots = [i for i, item in enumerate(indices) if isinstance(item, Rest)]
    if len(dots) > 1:
        raise index_error(b, "`...` stands twice in an index")
    index = dots[0] if dots else len(indices)
    rest = [SlicePart()] * (rank - named)
    given = [*indices[:index], *rest, *indices[index + 1 :]]
    return [i for i in given if not isinstance(i, Rest)]


def _extent(
    b: Emitter, item: SlicePart | At, size: Dim, axis: int
) -> tuple[Dim, Dim, int]:
    """Return start, length and step along one axis."""
    if isinstance(item, At):
        return _from_start(b, item.index, size, axis), 1, 1
    if item.step == 0:
        raise index_error(b, "the step of a slice is 0")
    start, length = clamp(item, size)
    if isinstance(length, Poly) and len(str(length)) > LONGEST:
        # Slices of slices by values double it each time.
        message = "the formula of the size of this part is too long"
        raise index_error(b, message, "take it at once: `x[a + c:a + d]`")
    return start, length, item.step


def _from_start(b: Emitter, index: Dim, size: Dim, axis: int) -> Dim:
    """Return a single index counted from the start; out of range is an error."""
    from_end = known_at_most(index, -1)
    start = index + size if from_end else index
    if isinstance(start, int) and isinstance(size, int):
        if not 0 <= start < size:
            message = f"index {index} is out of range for axis {axis} with size {size}"
            raise index_error(b, message)
        return start
    # Where the size is only known at the call, these equations are checked there.
    late = f"index {index} is out of range for axis {axis}"
    inside = b.unify(minimum(start, size - 1), start, late, is_index=True)
    inside = inside and b.unify(maximum(start, 0), start, late, is_index=True)
    if not inside:
        message = f"index {index} is out of range for axis {axis} with size {size}"
        raise index_error(b, message)
    return start


def clamp(part: SlicePart, size: Dim) -> tuple[Dim, Dim]:
    """Return the start and the length of a slice of an axis, as numpy clamps them."""
    if part.step > 0:
        start = 0 if part.start is None else _bound(part.start, size)
        stop = size if part.stop is None else _bound(part.stop, size)
        span = stop - start
        if (
            part.stop is None
            and part.start is not None
            and known_at_most(0, part.start)
        ):
            # Past the end this is negative, and the length 0 all the same: a formula
            # without a minimum, so that slices of slices stay short.
            span = size - part.start
    else:
        # Downward, a bound lies from -1 (before the first) to size - 1.
        start = size - 1 if part.start is None else _bound(part.start, size, 1)
        stop = -1 if part.stop is None else _bound(part.stop, size, 1)
        span = start - stop
    length = maximum(0, ceildiv(span, abs(part.step)))
    # An empty part has no index; its start must not lie outside of a known axis.
    return (0 if length == 0 else start), length


def _bound(bound: Dim, size: Dim, below: int = 0) -> Dim:
    """Clamp a bound into [-below, size - below]."""
    if not below:
        return clamped(bound, size)
    if known_at_most(0, bound):
        return minimum(bound, size - below)
    from_end = bound + size
    if known_at_most(bound, -1):
        return maximum(from_end, -below)
    # The sign depends on the call: one of the two readings, chosen by min(negative, 1).
    negative = maximum(0, -bound)
    upward = minimum(maximum(bound, 0), size - below)
    is_negative = minimum(negative, 1)
    downward = maximum(from_end, -below)
    return upward * (1 - is_negative) + downward * is_negative
