"""Windows that are added where they overlap: order "overlap" of a generic."""

import itertools

import numpy as np
import pytest

from tensorc import abi
from tensorc.errors import ShapeError
from tensorc.fuzz.outcomes import same_bits
from tensorc.ir.attributes import AffineMap, affine
from tensorc.ir.dims import symbol
from tensorc.ir.functions import close_function, new_module, open_function
from tensorc.ir.numerics import OVERLAP_ORDER
from tensorc.ir.ops.scalar import arith
from tensorc.ir.types import ELEMENTS, TensorType
from tensorc.ir.verifier import verify
from tensorc.passes.common.base import run_pass
from tensorc.passes.common.structured_builder import filled, generic
from tensorc.passes.schedule.schedule import SCHEDULE_CPU
from tensorc.passes.structured.fuse import FUSE
from tensorc.passes.structured.merge import MERGE
from tests.stages import TARGET, inputs, results_below


def overlapped(windows, size, strides, dilations, lows):
    """Add windows [kept, *windows, *positions], element by element in order."""
    count = len(size)
    kept = windows.shape[0]
    found = np.zeros((kept, *size), windows.dtype)
    inner = windows.shape[1:]
    for point in itertools.product(*map(range, inner)):
        elements, positions = point[:count], point[count:]
        pairs = zip(positions, strides, elements, dilations, lows, strict=True)
        place = tuple([p * s + k * d - lo for p, s, k, d, lo in pairs])
        if all(0 <= at < n for at, n in zip(place, size, strict=True)):
            found[(slice(None), *place)] += windows[(slice(None), *point)]
    return found


def module_of(element, shape, size, steps, kept=1, positions_first=False):
    """Return a function that overlaps its argument, and adds 1 to another result."""
    count = len(size)
    type_ = TensorType(shape, ELEMENTS[element])
    function, b = open_function("f", inputs(type_))
    (given,) = function.body.block.arguments
    dims = kept + 2 * count
    where = list(range(dims))
    if positions_first:
        where = [*where[:kept], *where[kept + count :], *where[kept : kept + count]]
    target = filled(b, TensorType((*shape[:kept], *size), ELEMENTS[element]), 0)
    axes = [*range(kept)]
    for number, (stride, dilation, low) in enumerate(zip(*steps, strict=True)):
        window, position = kept + number, kept + count + number
        axes.append(affine(-1 * low, [(window, dilation), (position, stride)]))
    add = arith.AddF if ELEMENTS[element].is_float else arith.AddI
    made = generic(
        b,
        [(given, AffineMap(dims, tuple(where)))],
        [(target, AffineMap(dims, tuple(axes)))],
        lambda v: [b.value(add, v[1], v[0])],
        range(kept, dims),
        OVERLAP_ORDER,
    )
    close_function(function, b, made)
    module = new_module()
    module.body.block.append(function)
    verify(module)
    for pass_ in (MERGE, FUSE, SCHEDULE_CPU):
        module = run_pass(pass_, module, TARGET)
    return module


# windows, positions, size, strides, dilations, what lies before the first place
CASES = [
    ((3,), (5,), (7,), (1,), (1,), (0,)),
    ((5, 5), (8, 8), (12, 12), (1, 1), (1, 1), (0, 0)),
    ((2, 2), (12, 12), (24, 24), (2, 2), (1, 1), (0, 0)),
    ((3, 3), (7, 9), (14, 18), (2, 2), (1, 1), (1, 1)),
    ((3, 2), (4, 6), (9, 21), (2, 3), (1, 2), (0, 1)),
    ((3, 3), (20, 40), (20, 40), (1, 1), (1, 1), (1, 1)),
    ((2, 3), (5, 5), (13, 19), (3, 4), (2, 2), (1, 2)),
    ((4, 3), (6, 4), (11, 40), (2, 7), (2, 3), (3, 2)),
    ((2, 9), (3, 30), (5, 50), (1, 1), (2, 2), (0, 0)),
    ((2, 2, 3), (3, 4, 5), (6, 4, 7), (2, 1, 1), (1, 1, 1), (0, 0, 0)),
    ((1, 1), (4, 4), (9, 9), (2, 2), (1, 1), (-1, -2)),
    ((2, 20), (2, 20), (3, 62), (1, 2), (1, 1), (0, 0)),
    ((1, 1), (2, 2), (6, 6), (3, 3), (1, 1), (0, 0)),
    ((2, 1), (3, 2), (9, 8), (3, 4), (1, 1), (0, 0)),
]


# Two axes are enough for other types.
OF_TYPES = [("f32", case) for case in CASES]
OF_TYPES += [(e, case) for e in ("f64", "i32") for case in CASES if len(case[0]) == 2]


@pytest.mark.parametrize(("element", "case"), OF_TYPES, ids=str)
def test_windows_are_added_ascending(element, case):
    windows, positions, size, *steps = case
    rng = np.random.default_rng(1)
    for first in (False, True):
        inner = (*positions, *windows) if first else (*windows, *positions)
        module = module_of(element, (3, *inner), size, steps, positions_first=first)
        given = rng.normal(size=(3, *inner)) * 8
        given = given.astype(ELEMENTS[element].dtype)
        count = len(size)
        order = [0, *range(1 + count, 1 + 2 * count), *range(1, 1 + count)]
        seen = given.transpose(order) if first else given
        wanted = overlapped(seen, size, *steps)
        found = results_below(module, abi.signatures(module), [("f", [given])], (0, 3))
        for stage, ((result,),) in found.items():
            assert same_bits(result, wanted), (stage, first)


def test_sizes_are_those_of_a_call():
    shape = tuple(map(symbol, ("N", "K", "J", "P", "Q")))
    sizes = shape[3] * 2 + 1, shape[4] * 2 + 3
    steps = (2, 2), (1, 1), (symbol("K") + -1, 1)
    module = module_of("f32", shape, sizes, steps)
    rng = np.random.default_rng(2)
    given = [(2, 3, 3, 5, 9), (3, 1, 4, 2, 30), (0, 2, 2, 2, 2), (2, 2, 9, 0, 3)]
    given += [(1, 4, 0, 3, 4), (1, 2, 40, 2, 3)]
    cases = [("f", [rng.normal(size=s).astype(np.float32)]) for s in given]
    found = results_below(module, abi.signatures(module), cases, (0, 3))
    for number, (_, (windows,)) in enumerate(cases):
        k, p, q = windows.shape[1], windows.shape[3], windows.shape[4]
        size = 2 * p + 1, 2 * q + 3
        wanted = overlapped(windows, size, (2, 2), (1, 1), (k - 1, 1))
        for stage, results in found.items():
            assert same_bits(results[number][0], wanted), (stage, windows.shape)


@pytest.mark.parametrize(
    "terms",
    [[(1, 1)], [(1, -1), (2, 1)], [(0, 1), (1, 1), (2, 1)]],
)
def test_other_maps_are_refused(terms):
    type_ = TensorType((3, 2, 4), ELEMENTS["f32"])
    function, b = open_function("f", inputs(type_))
    (given,) = function.body.block.arguments
    target = filled(b, TensorType((3, 9), ELEMENTS["f32"]), 0)
    maps = AffineMap(3, (0, 1, 2)), AffineMap(3, (0, affine(0, terms)))
    with pytest.raises(ShapeError, match="C8"):
        generic(
            b,
            [(given, maps[0])],
            [(target, maps[1])],
            lambda v: [b.value(arith.AddF, v[1], v[0])],
            (1, 2),
            OVERLAP_ORDER,
        )
