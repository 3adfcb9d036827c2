"""Products with a side of no elements, each side as it is or transposed."""

import numpy as np
import pytest

import tensorc as tc

SIZES = [(5, 7, 0), (0, 7, 5), (5, 0, 5), (1, 7, 0), (0, 7, 1), (1, 0, 1), (0, 0, 0)]


@pytest.mark.parametrize("turned", [(0, 0), (1, 0), (0, 1), (1, 1)], ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_is_what_numpy_gives(size, turned):
    m, k, n = size
    shapes = [(k, m) if turned[0] else (m, k), (n, k) if turned[1] else (k, n)]
    x, y = (
        tc.tensor(name, "float32", shape)
        for name, shape in zip("xy", shapes, strict=True)
    )
    sides = [
        v.T if is_turned else v for v, is_turned in zip((x, y), turned, strict=True)
    ]
    function = tc.function([x, y], sides[0] @ sides[1])
    given = [np.ones(shape, np.float32) for shape in shapes]
    result = function(*given)
    assert result.shape == (m, n)
    assert not result.any()
