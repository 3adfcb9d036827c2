"""Masks that are known while a function is traced are the indices of what they hold."""

import numpy as np
import pytest

import tensorc as tc

X = np.arange(6.0).reshape(2, 3)
WIDE = np.array([True, False, True])
WHOLE = np.array([[True, False, True], [False, True, False]])

USES = [
    lambda x: x[WHOLE],
    lambda x: x[~WHOLE],
    lambda x: x[np.zeros((2, 3), bool)],
    lambda x: x[WIDE[:2]],
    lambda x: x[[False, True]],
    lambda x: x[..., WIDE],
    lambda x: x[0, WIDE],
    lambda x: x[::-1, WIDE],
    lambda x: x[:, WIDE, None],
    lambda x: x[None, ..., WIDE],
    lambda x: x[np.array([1, 0]), WIDE],
    lambda x: (x.T @ x)[np.triu(np.ones((3, 3), bool))],
]


@pytest.mark.parametrize("use", USES)
def test_a_known_mask_takes_what_numpy_takes(use):
    np.testing.assert_array_equal(tc.jit(use)(X), use(X), strict=True)


def test_the_derivative_goes_to_what_was_taken():
    slope = tc.grad(lambda x: tc.sum(x[WHOLE] ** 2))(X)
    np.testing.assert_array_equal(slope, np.where(WHOLE, 2 * X, 0))


@pytest.mark.parametrize(
    "use", [lambda x: x[WIDE], lambda x: x[WHOLE.T], lambda x: x[:, WIDE[:2]]]
)
def test_a_mask_of_another_shape_is_refused(use):
    with pytest.raises((tc.ShapeError, IndexError)):
        tc.jit(use)(X)
    with pytest.raises(tc.ShapeError, match=r"a mask of . elements along an axis"):
        use(tc.constant(X))


def test_a_mask_of_values_is_not_known():
    with pytest.raises(tc.CompileError, match="indexing with a mask"):
        tc.jit(lambda x: x[x > 2])(X)
