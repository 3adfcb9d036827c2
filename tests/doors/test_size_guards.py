"""Sizes that a library function needs to be equal are checked at the call.

A graph's builder is thrown away after each expression: what only it knew was checked by
nobody, so that calls gave results of another shape than was asked for.
"""

import numpy as np
import pytest

import tensorc as tc


def zeros(*shape):
    return np.zeros(shape)


WRONG = {
    "broadcast_to": (lambda x: tc.broadcast_to(x, (4, 3)), zeros(2, 3)),
    "broadcast_to, as many": (lambda x: tc.broadcast_to(x, (4, 3)), zeros(6, 2)),
    "split": (lambda x: tc.split(x, 2, axis=1)[0], zeros(4, 5)),
    "set": (lambda x, y: x.at[0:2].set(y), zeros(5), zeros(3)),
    "add": (lambda x, y: x.at[0:2].add(y), zeros(5), zeros(3)),
    "einsum": (lambda x, y: tc.einsum("ij,ij->", x, y), zeros(2, 3), zeros(3, 2)),
    "dimshuffle": (lambda x: x.dimshuffle(1), zeros(2, 0)),
}


@pytest.mark.parametrize("name", WRONG)
def test_sizes_that_do_not_fit_are_errors_of_the_call(name):
    build, *arrays = WRONG[name]
    with pytest.raises(ValueError, match="TC050"):
        tc.jit(build)(*arrays)
    variables = [tc.tensor(None, "float64", (None,) * a.ndim) for a in arrays]
    function = tc.function(variables, build(*variables))
    with pytest.raises(ValueError, match="TC050"):
        function(*arrays)


def test_sizes_that_fit_are_served():
    x, y = np.arange(12.0).reshape(4, 3), np.arange(2.0)
    broadcast = tc.jit(lambda x: tc.broadcast_to(x, (4, 3)) + 1)
    np.testing.assert_array_equal(broadcast(x), x + 1)
    halves = tc.jit(lambda x: tc.split(x, 2))(x)
    np.testing.assert_array_equal(halves[1], x[2:])
    changed = tc.jit(lambda x, y: x.at[0:2].set(y))(x[:, 0], y)
    np.testing.assert_array_equal(changed, [0, 1, 6, 9])
    slope = tc.jit(tc.grad(lambda y, x: (x.at[0:2].set(y) ** 2).sum()))(y, x[:, 0])
    np.testing.assert_array_equal(slope, 2 * y)
