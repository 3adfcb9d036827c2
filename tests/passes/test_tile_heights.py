"""How rows of a product are cut into tiles, whose heights change no bit."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.ir.numerics import ordered_matmul
from tensorc.ir.types import ELEMENTS
from tensorc.passes.schedule.products import short_of, tile_heights
from tensorc.runtime import threads
from tests.samples import drawn, same_bits


@pytest.mark.parametrize("tallest", [2, 4, 6, 8, 12])
@pytest.mark.parametrize("vectors", [1, 2, 3])
def test_tiles_have_all_rows_and_none_is_thin(tallest: int, vectors: int) -> None:
    """But where all rows are fewer than a short tile has."""
    short = short_of(vectors)
    for rows in range(1, 4 * tallest):
        heights = [h for h, n in tile_heights(rows, tallest, short) for _ in range(n)]
        assert sum(heights) == rows
        assert max(heights) <= tallest
        assert len(heights) == -(-rows // tallest)
        least = min(rows, short, (tallest + 1) // 2)
        assert min(heights) >= least, (rows, heights)


@pytest.mark.parametrize("element", ["f32", "f64", "i16"])
def test_any_known_number_of_rows(element: str) -> None:
    """One chunk has all rows, or all chunks have as many, or the last has fewer."""
    rng = np.random.default_rng(7)
    dtype = ELEMENTS[element].dtype
    for rows in (*range(2, 22), 27, 96, 100, 144):
        shapes = (rows, 19), (19, 50)
        x, y = (
            tc.tensor(name=name, dtype=dtype.name, shape=shape)
            for name, shape in zip("xy", shapes, strict=True)
        )
        left, right = (drawn(rng, shape, dtype) for shape in shapes)
        product = tc.function([x, y], x @ y)
        for number in (1, 2):
            threads.use(number)
            found = np.asarray(product(left, right))
            assert same_bits(found, ordered_matmul(left, right)), rows
    threads.use(None)
