"""The micro-kernel against the op's own meaning, bit for bit."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tensorc.backend.llvm.host import host_target
from tensorc.ir.ops.memory import kernels
from tensorc.ir.ops.memory.kernels import DYNAMIC
from tensorc.ir.types import ELEMENTS, F32, F64, I1
from tests.backend.harness import (
    Code,
    assert_same_bits,
    constant,
    entry,
    run_interpreter,
)
from tests.samples import drawn


def gemm_module(
    element, rows, width, a_strides, b_stride, c_stride, dynamic, add, whole=()
):
    """One tile; offsets 3, 2 and 1; symbols: count, height, columns and the strides.

    `whole` says of which of rows and columns the code knows that there are all.
    """
    strides = (*a_strides, b_stride, c_stride)
    given = [DYNAMIC if d else s for d, s in zip(dynamic, strides, strict=True)]

    def fill(b, a, x, c, arena, count, height, columns, *sizes):
        operands = [a, constant(b, 3), x, constant(b, 2), c, constant(b, 1)]
        height = constant(b, rows) if "rows" in whole else height
        columns = constant(b, width) if "columns" in whole else columns
        operands += [count, height, columns, constant(b, int(add), I1)]
        unknown = [s for s, d in zip(sizes, dynamic, strict=True) if d]
        b.create(
            kernels.GemmTile,
            *operands,
            *unknown,
            rows=rows,
            width=width,
            a_strides=(given[0], given[1]),
            b_stride=given[2],
            c_stride=given[3],
            padded=False,
        )

    return entry([element] * 3, 7, fill)


def check(element, rows, width, layout, *, dynamic=(False,) * 4, add=False, **options):
    counts = options.get("counts", (0, 1, 9))
    a_strides, b_stride, c_stride = layout
    whole = options.get("whole", ())
    module = gemm_module(
        element, rows, width, a_strides, b_stride, c_stride, dynamic, add, whole
    )
    heights = {rows} if "rows" in whole else {1, rows // 2, rows - 1, rows} - {0}
    widths = {width} if "columns" in whole else {1, width // 2, width - 1, width} - {0}
    code = Code(module, options.get("optimize", 2), target=options.get("target"))
    rng = np.random.default_rng(rows * width)
    most, behind = max(counts), np.nan if element.is_float else 99
    for count in counts:
        for height, columns in itertools.product(sorted(heights), sorted(widths)):
            a_size = (
                3 + (height - 1) * a_strides[0] + max(0, most - 1) * a_strides[1] + 1
            )
            shape = [a_size, 2 + max(0, most - 1) * b_stride + columns]
            shape.append(1 + (height - 1) * c_stride + columns)
            # Exactly as large as the tile needs, with NaN behind each matrix.
            full = [np.full(s + 64, behind, element.dtype) for s in shape]
            a, b, c = (f[:s] for f, s in zip(full, shape, strict=True))
            for array in (a, b, c):
                array[:] = drawn(rng, array.shape, array.dtype)
            before, want = c.copy(), c.copy()
            symbols = (count, height, columns, *a_strides, b_stride, c_stride)
            run_interpreter(module, [a, b, want], symbols)
            assert code(a, b, c, symbols=symbols) == 0
            assert_same_bits(c, want, f"{rows}x{width}, {height}x{columns}, {count}")
            after = full[2][shape[2] :]
            assert (np.isnan(after) if element.is_float else after == behind).all()
            if count == 0 and add:
                assert_same_bits(c, before)


SHAPES = [(1, 1), (1, 16), (3, 5), (6, 16), (5, 24), (12, 16), (4, 32), (2, 10), (8, 8)]


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize(("rows", "width"), SHAPES)
def test_tile_shapes(rows, width, add):
    check(F32, rows, width, ((11, 1), width, width + 3), add=add)


@pytest.mark.parametrize("whole", [("rows",), ("columns",), ("rows", "columns")])
@pytest.mark.parametrize("add", [False, True])
def test_tiles_without_edges(whole, add):
    check(F32, 6, 16, ((11, 1), 16, 19), add=add, whole=whole)
    check(F32, 4, 32, ((1, 9), 32, 33), add=add, whole=whole, dynamic=(True,) * 4)


@pytest.mark.parametrize(("rows", "width"), [(1, 3), (3, 8), (4, 10), (2, 16)])
def test_tiles_of_doubles(rows, width):
    check(F64, rows, width, ((11, 1), width, width), add=True)


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("bits", [128, 256, 512])
@pytest.mark.parametrize("element", ["i8", "ui8", "i16", "ui32", "i64"])
def test_tiles_of_integers(element, bits, add):
    target = replace(host_target(), vector_bits=bits)
    for rows, width in ((1, 3), (3, 40), (8, 16)):
        layout = (11, 1), width, width
        check(ELEMENTS[element], rows, width, layout, add=add, target=target)


@pytest.mark.parametrize(
    "layout", [((1, 7), 20, 16), ((10, 1), 10, 10), ((0, 1), 16, 16), ((1, 0), 0, 99)]
)
def test_strides(layout):
    check(F32, 4, 10, layout)
    check(F32, 4, 10, layout, add=True)


@pytest.mark.parametrize("dynamic", [(True,) * 4, (1, 0, 0, 1), (0, 1, 1, 0)])
def test_strides_known_at_run_time(dynamic):
    check(F32, 5, 16, ((9, 1), 18, 17), dynamic=dynamic, add=True)


@pytest.mark.parametrize("optimize", [0, 1, 3])
@pytest.mark.parametrize("bits", [128, 256, 512])
def test_bits_do_not_depend_on_vector_width_or_level(bits, optimize):
    target = replace(host_target(), vector_bits=bits)
    check(F32, 6, 16, ((9, 1), 16, 16), optimize=optimize, target=target)


def test_special_values_go_through():
    module = gemm_module(F32, 2, 8, (2, 1), 8, 8, (False,) * 4, False)
    code = Code(module)
    a = np.zeros(7, "f4")
    a[3:] = [np.inf, 1, -0.0, 1e-45]
    b = np.full(18, 2.0, "f4")
    b[2:10] = [0, 1, -1, np.nan, np.inf, 1e38, -0.0, 5]
    got, want = np.zeros(17, "f4"), np.zeros(17, "f4")
    run_interpreter(module, [a, b, want], (2, 2, 8, 2, 1, 8, 8))
    assert code(a, b, got, symbols=(2, 2, 8, 2, 1, 8, 8)) == 0
    assert_same_bits(got, want)
