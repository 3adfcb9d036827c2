"""Products of few columns whose left side is transposed: vectors along their rows.

A tile computes the transposed result, in which no lane is idle.
"""

from dataclasses import replace

from tensorc.ir.core import Value
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith
from tensorc.ir.types import element_type
from tensorc.passes.loops.accumulate import shared_scratch
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.shuffles import first_lanes, transpose
from tensorc.passes.loops.tiles import (
    Matrix,
    Product,
    cut_rows,
    each_strip,
    place,
    strip_sums,
    zero_if_empty,
)


def emit_along_rows(k: LoopBuilder, product: Product, most: int) -> None:
    """Emit a product of up to `most` columns, 16 at most.

    What a tile computes lies in scratch, and is then put where it belongs. A single
    column is a row of the transposed result, and is written where it belongs.
    """
    (a, b, c), width = product.matrices, product.size.width
    zero = k.index(0)
    columns, rows = product.columns, product.rows
    is_line = most == 1 and k.known(c.row) == 1
    if is_line:
        result, whole = Matrix(c.memref, c.at, k.index(1), k.index(1)), rows
    else:
        element = element_type(c.memref.type)
        memref = shared_scratch(k, "columns", element, most * width)
        result = Matrix(memref, zero, k.index(width), k.index(1))
        whole = zero, k.index(width)
    left = Matrix(b.memref, b.at, b.column, b.row)
    right = Matrix(a.memref, a.at, a.column, a.row)
    turned = replace(
        product,
        matrices=(left, right, result),
        rows=columns,
        columns=rows,
        is_whole=False,
    )
    zero_if_empty(k, product.depth, result, columns, whole)
    bands = cut_rows(k, *columns, product.size)
    with each_strip(k, turned) as strip:
        target = strip.at if is_line else zero
        strip_sums(k, turned, replace(strip, target=target), bands)
        if not is_line:
            there = replace(c, at=place(k, c, strip.at, zero))
            _put(k, result, there, strip.lanes, (*columns, most))


def _put(
    k: LoopBuilder,
    source: Matrix,
    target: Matrix,
    count: Value,
    columns: tuple[Value, Value, int],
) -> None:
    """Write so many columns of a matrix as rows: 16 at a time, and then one by one.

    `columns` is which elements of a row are written, from one to before another, and
    how many a row may have.
    """
    left, right, most = columns
    element = element_type(source.memref.type)
    first = zero = k.index(0)
    if k.known(target.column) == 1:
        first = k.mul(k.floordiv(count, k.index(LANES)), k.index(LANES))
        mask, every = first_lanes(k, right), k.mask(LANES)
        if k.known(left) != 0:  # other columns are another chunk's
            others = k.op(arith.XOrI, first_lanes(k, left), every)
            mask = k.op(arith.AndI, mask, others)
        other = k.constant(0, element, LANES)
        with k.loop(zero, first, LANES) as group:
            places = [place(k, source, k.index(j), group.index) for j in range(most)]
            found = [
                k.op(vector.MaskedLoad, source.memref, at, every, other)
                for at in places
            ]
            found += [other] * (LANES - most)
            for number, row in enumerate(transpose(k, found)):
                at = place(k, target, k.add(group.index, k.index(number)), zero)
                k.do(vector.MaskedStore, target.memref, at, mask, row)
    with k.loop(first, count, 1) as i, k.loop(left, right, 1) as j:
        at = place(k, source, j.index, i.index)
        value = k.op(memory.Load, source.memref, at)
        k.do(memory.Store, value, target.memref, place(k, target, i.index, j.index))
