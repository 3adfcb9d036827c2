"""Groups in the making, and what may join them: a model of what it costs.

A generic joins a kernel if it has the same rows and reads what the kernel makes row by
row: then memory is saved, and no work is repeated. It does not where that would cost:

1. threads: a product of many columns shares them out, which rows of whole columns end;
   a whole sum is cut into parts only together with sums of as many elements;
2. memory: what a contraction reads and others read at other rows, too, is stored in any
   case, so that a stage of its own saves nothing; but it does where the result meets
   something else of the kernel;
3. time to compile: bodies of a kernel have an end, as LLVM takes more than linear time
   for a long function.

The reasons are words that the user reads (`tc.why`).
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from tensorc.ir.attributes import terms_of
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, elements
from tensorc.ir.ops.structured.generics import Generic
from tensorc.passes.analysis.cost import body_size
from tensorc.passes.analysis.generics import (
    adds_up_images,
    continued,
    has_windows,
    identity_depth,
    is_contraction,
    is_overlap,
    outer_rank,
    output_dims,
    product_space,
    reads,
    roles,
    tensor_space,
)
from tensorc.passes.analysis.joins import follows
from tensorc.passes.schedule.products import CHUNK_COLUMNS

MOST_OPS = 512  # in the bodies of a kernel, as `body_size` counts
MOST_BESIDE = 64  # of these, where scalars join that have nothing to do with the rest
LEAST_ROWS = 512  # of a square matrix, for chunks of all its columns
FEW = 2048  # elements of a sum that are one part in any case

Uses = Mapping[Value, set[Op]]  # the ops of a block that read a value


@dataclass
class OpenGroup:
    """A group in the making: its outer space and its generics."""

    outer: tuple[Dim, ...]
    why: str  # it was opened
    members: list[Generic] = field(default_factory=list)
    made: dict[Value, None] = field(default_factory=dict)  # what they give, in order
    read: set[Value] = field(default_factory=set)  # what they read
    size: int = 0  # of their bodies
    has_contraction: bool = False
    reduces: bool = False
    has_planes: bool = False  # windows along several axes of a row
    adds_up_images: bool = False  # in columns that threads share out
    total: Dim | None = None  # elements of each result of its whole sums

    @property
    def shares_columns(self) -> bool:
        """Whether the columns of a product may be shared out to threads."""
        if len(self.outer) != 1 or self.reduces or not self.members:
            return False
        first = self.members[0]
        wide = is_contraction(first) and not _is_narrow(product_space(first)[1])
        return wide and not _has_rows(first)

    def add(self, ops: Sequence[Generic]) -> None:
        """Append generics."""
        for op in ops:
            self.members.append(op)
            self.made.update(dict.fromkeys(op.results))
            self.read.update(needs(op))
            self.size += body_size(op)
            self.has_contraction |= is_contraction(op)
            self.reduces |= bool(op.reductions) and not is_contraction(op)
            self.has_planes |= _has_planes(op)
            self.adds_up_images |= adds_up_images(op)
            if not self.outer and (total := long_total(op)) is not None:
                self.total = total


def needs(op: Generic) -> list[Value]:
    """Return what a generic reads or continues."""
    return [*[read.value for read in reads(op)], *continued(op)]


def rows_rank(op: Generic, uses: Uses) -> int:
    """Return how many dimensions the rows of a kernel have, at least, for a generic.

    A product that windows alone are made of, which are added up where they overlap, may
    have several rows in a row of these: whatever lies side by side.
    """
    rank, readers = outer_rank(op), uses.get(op.results[0], set())
    if not is_contraction(op) or len(readers) != 1:
        return rank
    (reader,) = readers
    if not isinstance(reader, Generic) or not is_overlap(reader):
        return rank
    depth = outer_rank(reader)
    maps = [op.maps[number].results for number in (0, -1)]
    rows = range(depth, roles(op).row + 1)
    joined = all(follows(m, dim - 1, dim) for m in maps for dim in rows)
    return depth if depth and joined else rank


def _has_planes(op: Generic) -> bool:
    """Return whether a generic has windows along several axes of a row."""
    if is_overlap(op) or is_contraction(op):
        return is_overlap(op) or has_windows(op)
    read = [terms_of(r) for m in op.maps[: len(op.inputs)] for r in m.results]
    dims = [{dim for dim, _ in terms} for terms in read]
    return any(d & {*op.reductions} and d - {*op.reductions} for d in dims)


def misfit(op: Generic, kernel: OpenGroup, made: set[Value], uses: Uses) -> str:
    """Return why a generic cannot join a kernel, or ""; the user reads it.

    `made` is what joins together with it, `uses` who reads what.
    """
    depth = len(kernel.outer)
    if kernel.size + body_size(op) > MOST_OPS:
        return f"that has {kernel.size} operations, a kernel at most {MOST_OPS}"
    if kernel.members and (kernel.adds_up_images or adds_up_images(op)):
        which = "that" if kernel.adds_up_images else "it"
        return f"{which} adds up many images, in columns which kernels share out"
    extents = tensor_space(op)
    dims = output_dims(op)
    outer = tuple(extents[d] for d in dims[:depth])
    if any(d < depth for d in op.reductions) or _adds_up_rows(op, kernel):
        return "it reduces across rows"
    least = 0 if kernel.has_planes and not op.reductions else rows_rank(op, uses)
    if outer != kernel.outer or depth < least:
        wanted = tuple(extents[d] for d in dims[: max(depth, least)])
        return f"its rows are {_spell(wanted)}, not {_spell(kernel.outer)}"
    if read_across(op, depth, kernel.made) or read_across(op, depth, made):
        return "it reads across rows"
    total = None if kernel.outer else long_total(op)
    if None not in (total, kernel.total) and total != kernel.total:
        return f"it adds up {total} elements, that kernel {kernel.total}"
    return _misfit_stage(op, kernel, uses) if is_contraction(op) else ""


def long_total(op: Generic) -> Dim | None:
    """Return how many elements a result of a reduction is made of, if not a few."""
    if not op.reductions or is_contraction(op):
        return None
    extents = tensor_space(op)
    total = elements(extents[dim] for dim in op.reductions)
    return None if isinstance(total, int) and total < FEW else total


def _adds_up_rows(op: Generic, kernel: OpenGroup) -> bool:
    """Return whether a contraction adds up the rows of what a kernel makes."""
    return is_contraction(op) and any(
        read.value in kernel.made and read.axes[:1] == op.reductions
        for read in reads(op)
    )


def _misfit_stage(op: Generic, kernel: OpenGroup, uses: Uses) -> str:
    """Return why a contraction cannot be a stage of a kernel with its rows, or ""."""
    if len(kernel.outer) == 1:
        columns = product_space(op)[1]
        if not _is_narrow(columns) and not _has_rows(op):
            known = isinstance(columns, int)
            limit = f", and {columns} is not known to be at most {CHUNK_COLUMNS}"
            why = "it is a contraction of many columns, which kernels share out"
            return why + ("" if known else limit)
        if kernel.shares_columns:
            return "that is a contraction of many columns, which kernels share out"
    if kernel.has_contraction:
        read = [v for v in needs(op) if v in kernel.made]
        stored = any(_is_stored(v, op, kernel, uses) for v in read)
        if stored and not _meets(op, kernel, uses):
            return "it is a contraction, and others read what it reads, too"
    return ""


def _is_stored(value: Value, op: Generic, kernel: OpenGroup, uses: Uses) -> bool:
    """Return whether others than a kernel and one more op read a value for certain."""
    inside = {*kernel.members, op}
    depth = len(kernel.outer)
    return any(
        not isinstance(user, Generic)
        or any(dim < depth for dim in user.reductions)
        or bool(read_across(user, depth, {value}))
        for user in uses.get(value, ())
        if user not in inside
    )


def _meets(op: Generic, kernel: OpenGroup, uses: Uses) -> bool:
    """Return whether who reads a result reads what a kernel makes in the same rows."""
    depth = len(kernel.outer)
    return any(
        isinstance(user, Generic)
        and any(read.value in kernel.made for read in reads(user))
        and not read_across(user, depth, kernel.made)
        for user in uses.get(op.results[0], ())
    )


def _is_narrow(columns: Dim) -> bool:
    return isinstance(columns, int) and columns <= CHUNK_COLUMNS


def _has_rows(op: Generic) -> bool:
    """Return whether threads may share a contraction's rows rather than its columns.

    They may if there are as many rows as columns, or as elements in a row that it
    reads: where the matrix is large, it has many rows.
    """
    m, n, k = product_space(op)
    return m in (n, k) and not (isinstance(m, int) and m < LEAST_ROWS)


def _spell(outer: tuple[Dim, ...]) -> str:
    return " x ".join(map(str, outer)) or "the whole"


def read_across(op: Generic, depth: int, made: Container[Value]) -> list[Value]:
    """Return what an op reads of some values at other rows than its own."""
    return [
        read.value
        for read in reads(op)
        if read.value in made
        and (identity_depth(read.axes) < depth or _written_across(read.value, depth))
    ]


def _written_across(value: Value, depth: int) -> bool:
    """Return whether a row of a value is written where other rows are computed."""
    while isinstance(value.op, Generic):
        op, number = value.op, value.index
        map_ = op.maps[len(op.inputs) + number]
        if not map_.is_plain and identity_depth(map_.results) < depth:
            return True
        value = op.outputs[number]
    return False
