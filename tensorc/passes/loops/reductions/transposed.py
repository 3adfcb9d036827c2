"""Panels: operands of a sum whose memory runs across its order, copied to run along it.

The sum of a transposed matrix goes down its columns, which lie far apart. 16 of them at
a time are copied to scratch as rows, transposed in registers; there they are read as
rows of any matrix are.
"""

from collections.abc import Sequence
from dataclasses import replace

from tensorc.ir.core import Value
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.scalar import arith
from tensorc.ir.types import element_type
from tensorc.passes.analysis.generics import extracts
from tensorc.passes.analysis.members import Member
from tensorc.passes.analysis.walks import Axis
from tensorc.passes.loops.accumulate import bit_mask, store_wide, worker_scratch
from tensorc.passes.loops.lanes import Storage
from tensorc.passes.loops.reductions.reduce_state import At, Reduction
from tensorc.passes.loops.shuffles import load_transposed

MOST = 1024  # elements of a row of a panel


def panel_operands(member: Member, axes: Sequence[Axis]) -> tuple[int, ...]:
    """Return the operands that a sum over two axes reads across its order."""
    if len(axes) != 2 or not all(axis.reduced for axis in axes):
        return ()
    (first, last), op = axes, member.op
    known = isinstance(last.extent, int) and LANES <= last.extent <= MOST
    if not known or len(first.dims) + len(last.dims) != 2:
        return ()
    loaded = {load.operands[0] for load in extracts(op)}
    found = []
    for number, value in enumerate(op.inputs):
        results = op.maps[number].results
        across = bool(results) and results[-1] == first.dims[0]
        plain = all(isinstance(r, int) for r in results)
        alone = op.inputs.count(value) == 1 and value not in loaded
        if across and plain and last.dims[0] in results and alone:
            found.append(number)
    return tuple(found)


def with_panels(r: Reduction, at: At) -> Reduction:
    """Copy what a row needs if it is the first of 16; return who reads it there."""
    k, op = r.rows.k, r.member.op
    first, last = r.axes
    assert isinstance(last.extent, int)
    assert r.begin is not None
    begin, row = r.begin
    lower, _ = at.bounds(k, last)
    index = at.indices[first.dims[0]].value
    number = k.sub(index, row)
    inside = bit_mask(k, number, LANES - 1)
    base = k.sub(index, inside)
    fresh = k.op(
        arith.OrI,
        k.compare("eq", lower, k.index(0)),
        k.compare("eq", k.add(at.reduced, lower), begin),
    )
    is_first = k.compare("eq", inside, k.index(0))
    width = -(-last.extent // LANES) * LANES
    storages = dict(r.rows.storages)
    with k.when(k.op(arith.AndI, fresh, is_first)):
        for operand, memref in r.panels:
            _copy(r, at, operand, memref, base)
    steps: dict[object, Value] = {
        first.dims[0]: k.index(width),
        last.dims[0]: k.index(1),
    }
    for operand, memref in r.panels:
        strides = [steps.get(dim, k.index(0)) for dim in op.maps[operand].results]
        origin = k.sub(k.index(0), k.mul(base, k.index(width)))
        storages[op.inputs[operand]] = Storage(memref, tuple(strides), origin)
    return replace(r, rows=replace(r.rows, storages=storages))


def open_panels(r: Reduction) -> Reduction:
    """Give a reduction memory for the panels that it wants."""
    k, op = r.rows.k, r.member.op
    panels = []
    for operand in panel_operands(r.member, r.axes) if r.is_sum else ():
        extent = r.axes[-1].extent
        assert isinstance(extent, int)
        width = -(-extent // LANES) * LANES
        element = element_type(op.inputs[operand].type)
        memref = worker_scratch(k, element, LANES * width)
        panels.append((operand, memref))
    return replace(r, panels=tuple(panels))


def _copy(r: Reduction, at: At, operand: int, memref: Value, base: Value) -> None:
    """Copy 16 columns of an operand, from `base` on, to rows."""
    k, op = r.rows.k, r.member.op
    first, last = r.axes
    source = r.rows.storages[op.inputs[operand]]
    extent = last.extent
    assert isinstance(extent, int)
    width = -(-extent // LANES) * LANES
    start, stride = source.at or k.index(0), k.index(1)
    for dim, by in zip(op.maps[operand].results, source.strides, strict=True):
        if dim == last.dims[0]:
            stride = by
        else:
            assert isinstance(dim, int)
            known = at.indices.get(dim)
            index = base if dim == first.dims[0] else known.value  # type: ignore[union-attr]
            start = k.add(start, k.mul(index, by))
    columns = k.minimum(k.sub(k.dim(first.extent), base), k.index(LANES))

    def tile(index: Value, inside: Sequence[bool]) -> None:
        begin = k.add(start, k.mul(index, stride))
        found = load_transposed(k, source.memref, begin, stride, inside, columns)
        for number, row in enumerate(found):
            store_wide(k, memref, k.add(index, k.index(number * width)), row)

    whole = extent // LANES * LANES
    with k.loop(k.index(0), k.index(whole), LANES) as loop:
        tile(loop.index, [True] * LANES)
    if whole < extent:
        tile(k.index(whole), [n < extent - whole for n in range(LANES)])
