"""A count that has to be a multiple: the message names both numbers and the way out."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import divisor_hint
from tests.said import said

FILE = "fn f(x: f64[B]) = reshape(x, [3, -1])\n"
OUT = "take a divisor of 200 for 3: 2 or 4; or make 200 a multiple of 3: 198 or 201"


def test_a_reshape_of_unknown_size_says_at_the_call_what_fits():
    x, n = tc.dvector("x"), tc.dmatrix("n")
    for call in (
        tc.jit(lambda x: x.reshape(3, -1)),
        tc.function([x], x.reshape((3, -1))),
        tc.jit(lambda x: np.reshape(x, (-1, 3))),
        tc.jit(lambda x: tc.split(x, 3)),
    ):
        with pytest.raises(ValueError, match="x0 is 200, no multiple of 3") as caught:
            call(np.ones(200))
        assert OUT in said(caught.value)
    flat = tc.function([n], n.reshape((-1, 3)))
    with pytest.raises(ValueError, match=r"n0 \* n1 is 8, no multiple of 3") as caught:
        flat(np.ones((4, 2)))
    assert "make 8 a multiple of 3: 6 or 9" in said(caught.value)
    rows = tc.function([x, n], x.reshape((n.shape[0], -1)))
    with pytest.raises(ValueError, match="x0 is 7, no multiple of n0, 2") as caught:
        rows(np.ones(7), np.ones((2, 2)))
    assert "make 7 a multiple of 2: 6 or 8" in said(caught.value)
    # No error where it fits.
    assert flat(np.ones((6, 2))).shape == (4, 3)


def test_a_reshape_of_known_size_says_it_at_its_line():
    with pytest.raises(ValueError, match="200 elements") as caught:
        tc.shared(np.ones(200)).reshape((3, -1))
    assert "[3, -1] needs a multiple of 3" in said(caught.value)
    assert OUT in said(caught.value)
    with pytest.raises(ValueError, match="needs a multiple of 0"):
        tc.shared(np.ones(200)).reshape((0, -1))


def test_the_language_says_the_same(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text(FILE)
    with pytest.raises(ValueError, match="B is 200, no multiple of 3") as caught:
        tc.load(path).f(np.ones(200))
    assert OUT in said(caught.value)


@pytest.mark.parametrize(
    ("count", "divisor", "words"),
    [
        (7, 2, "make 7 a multiple of 2: 6 or 8"),
        (2, 3, "take a divisor of 2 for 3: 2; or make 2 a multiple of 3: 3"),
        (10**12 + 1, 10**6, "make 1000000000001 a multiple of 1000000"),
        (12, 5, "take a divisor of 12 for 5: 4 or 6; or make 12 a multiple of 5: 10"),
    ],
)
def test_the_nearest_on_both_sides(count, divisor, words):
    assert words in divisor_hint(count, divisor)
