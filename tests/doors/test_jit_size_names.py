"""Sizes that the user named in annotations keep their names in messages."""

import numpy as np
import pytest

import tensorc as tc


def ones(*shape):
    return np.ones(shape, "float32")


def test_an_equation_is_told_in_the_users_names():
    @tc.jit
    def halves(x: tc.f32["B"]):
        return x.reshape(2, -1)

    halves(ones(4))
    with pytest.raises(ValueError, match="sizes do not fit: B is 5, no") as caught:
        halves(ones(5))
    assert "B is 5, no multiple of 2" in str(caught.value)
    assert "'x' is f32[B], given f32[5]" in str(caught.value)


def test_an_argument_is_told_in_the_users_names():
    @tc.jit
    def layer(x: tc.f32["B", "n"], W: tc.f32["k", "m"]):
        return x @ W

    layer(ones(2, 3), ones(3, 4))
    with pytest.raises(ValueError, match="axis 0 has size 5, 3 expected") as caught:
        layer(ones(2, 3), ones(5, 4))
    assert "'W' is f32[n, m], given f32[5, 4]" in str(caught.value)
    assert "n is the size of axis 1 of 'x'" in str(caught.value)


def test_a_number_on_one_side_is_told_as_such():
    @tc.jit
    def join(x: tc.f32["B"], y: tc.f32["k"]):
        return tc.concatenate([x, y]) + np.zeros(5, "float32")

    with pytest.raises(ValueError, match="sizes do not fit") as caught:
        join(ones(4), ones(4))
    assert "B + k is 8, not 5" in str(caught.value)


@pytest.mark.parametrize("name", ["min", "floordiv", "x0", "y1", "größe", "B"])
def test_any_name_is_a_name(name):
    def scale(x, y):
        return y[1:] * x.sum() + y[:1].sum()

    scale.__annotations__ = {"x": tc.f32[name], "y": tc.f32[name, "_"]}
    f = tc.jit(scale)
    x, y = ones(3), ones(3, 2)
    np.testing.assert_array_equal(f(x, y), y[1:] * x.sum() + y[:1].sum())
    assert (f'"{name}"' in f.emit("tensor", x, y)) == name.isascii()
    with pytest.raises(ValueError, match=f"{name} is 4"):
        f(x, ones(4, 2))


def test_one_size_under_two_names_of_one_argument():
    @tc.jit
    def trace(x: tc.f32["n", "n"]):
        return (x * x.T).sum()

    assert trace(ones(3, 3)) == 9
    with pytest.raises(ValueError, match="n is 4"):
        trace(ones(3, 4))
