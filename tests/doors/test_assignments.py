"""Assignment in a trace: what NumPy computes, by all names and parts of an array."""

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

X = np.arange(12.0).reshape(4, 3) - 4
BODIES = [
    "y = x * 1; z = y; y[0] = 5; r = z",
    "y = x.copy(); v = y[1:]; y[2] = 7; r = v, y",
    "y = x.copy(); v = y[1:]; v[0] = 7; v *= 2; r = v, y",
    "y = x.copy(); v = y[1:][1:]; y += 1; v[:, 0] = 3; r = v, y",
    "y = x.copy(); k = np.argmax(x[:, 0]); v = y[k]; y[k] = 8; r = v, y",
    "y = x * 1; y = y.reshape(-1); z = y; z[2] = 1; r = y",
    "y = x.T + 0; y[0] += 1; r = y",
    "y = +x; y[:, 1][y[:, 1] > 0] = -1; r = y",
    "y = x.copy(); y[y[:, 0] > 0] = np.arange(3.0); r = y",
    "y = x.copy(); y[y[:, 0] > 0, 1] = 9; y[..., y[0] > -3] = 4; r = y",
    "y = x.copy(); y[1:, x[0] > -4] = 5; r = y",
    "y = x.copy(); y[x > 0] = x[0, 0]; r = y",
    "y = x.astype('f4'); y += x; r = y",
    "y = x.astype('i8'); y //= 2; y %= 3; y **= 2; y <<= 1; r = y",
    "m = x > 1; m |= x < -3; m[0] = False; r = m",
    "y = x[:3].copy(); y @= y; y[np.array([0, 0])] += 1; r = y",
    "s = x.sum(); t = s; s += 1; r = s, t",
    "w = np.zeros(3); q = w; w += x[0]; w[1:] -= x[1, 1:]; r = q, w @ w, len(w)",
    "w = np.zeros(3); np.add(w, x[0], out=w); r = w, np.stack([w, w])",
    "w = np.full((2, 3), 1.5); w[:, 0] = x[0, 0]; w[0] = [x[0, 0], 2, x[1, 1]]; r = w",
    "w = np.ones(3); w[0] = 2; v = np.asarray(w); r = x * w + v",
    "w = np.zeros(3); w[0] = x[0, 0]; r = np.asarray(w), np.array(w), -w",
    "a = x[0]; r = np.array([[a[0], 1], [2, a[1]]]), np.eye(3)[np.argmax(a)]",
    "w = np.zeros((3, 2), dtype='f4'); w[x[:3, 0] > -4] = x[0, 1]; r = w",
]

# Other names of an array, which it has before it becomes a variable and after.
BODIES += [
    "w = np.zeros(3); v = np.asarray(w); w[0] = x[0, 0]; r = v, w",
    "w = np.zeros(3); v = np.ascontiguousarray(w); w[0] = x[0, 0]; v[1] = 2; r = v, w",
    "w = np.zeros(3); v = np.array(w, copy=False); w += x[0]; r = v",
    "w = np.zeros(3); v = np.asarray(w, 'f4'); w[0] = x[0, 0]; v[1] = 2; r = v, w",
    "w = np.zeros(3); w[0] = x[0, 0]; r = np.ascontiguousarray(w), np.asanyarray(w)",
    "import copy; w = np.zeros(3); w[0] = x[0, 0]; v = copy.copy(w); w[1] = 1; r = v",
    "w = np.zeros(3); v = np.array(w); w[0] = x[0, 0]; v[1] = x[0, 1]; r = v, w",
]

BODIES += [
    "i = np.argsort(x, axis=0); r = np.take_along_axis(x, i, axis=0)",
    "j = x[:, :1].astype('i8') % 3; r = np.take_along_axis(x, j, axis=1)",
    "r = np.take_along_axis(x, np.array([3, -1]), None)",
    "y = x.copy(); j = x[:, :1].astype(int) % 3; np.put_along_axis(y, j, 9, 1); r = y",
    "y = x.copy(); np.put(y, [0, -1, 5], x[0]); r = y",
    "y = x.copy(); np.put(y, np.array([13, -2]), 7, mode='wrap'); r = y",
    "y = x.copy(); np.put(y, [40, -3], 1, mode='clip'); r = y",
    "y = x.copy(); np.putmask(y, y > 3, y * 2); np.copyto(y[:1], x[1]); r = y",
    "y = np.zeros((4, 3)); np.copyto(y, x, where=x > 0); r = y",
    "h = np.zeros(5); i = x.astype('i8').ravel() % 5; np.add.at(h, i, 1); r = h",
    "y = x[0] * 1; np.subtract.at(y, [0, 0, 1], x[1]); r = y",
]


def written(body):
    space = {"np": np}
    lines = "".join(f"    {line}\n" for line in body.split("; "))
    exec(f"def f(x):\n{lines}    return r\n", space)
    return space["f"]


@pytest.mark.parametrize("body", BODIES)
def test_assignments_are_numpys(body):
    wanted = written(body)(X.copy())
    got = tc.jit(written(body))(X)
    pairs = (
        zip(got, wanted, strict=True) if isinstance(wanted, tuple) else [(got, wanted)]
    )
    for one, other in pairs:
        assert np.shape(one) == np.shape(other)
        assert np.asarray(one).dtype == np.asarray(other).dtype
        np.testing.assert_array_equal(one, other)


def in_a_branch(x):
    w = np.zeros(3)

    def set_it(v):
        w[0] = v
        return v

    return tc.cond(x[0, 0] > 0, set_it, lambda v: v, x[0, 1]), w


def in_a_loop(x):
    y = x * 2

    def step(total, row):
        y[0] = row
        return total, None

    return tc.scan(step, 0.0, x), y


REFUSED = [
    (written("x[0] = 1; r = x"), ["argument", "`y = x.copy()`"]),
    (written("v = x[1:]; v[0] = 1; r = x"), ["argument", "`y = x.copy()`"]),
    (written("y = x * 2; y.T[0] = 1; r = y"), ["a view of another", ".copy()"]),
    (written("y = x * 2; z = y.T; y[0] = 1; r = z"), ["changed since", ".copy()"]),
    (written("w = np.zeros(3); v = w[1:]; w += x[0]; r = v + 1"), ["view", "w[1:]"]),
    (written("w = np.zeros(3); v = w[1:]; v += x[0, 1:]; r = w"), ["view of an array"]),
    (written("w = np.zeros((3, 3)); w[0][1] = x[0, 0]; r = w"), ["w[i, j] = x"]),
    (written("w = np.zeros(3, int); w[0] = x[0, 0]; r = w"), ["without loss"]),
    (written("y = x * 1; y[x > 0] = x[0, :1]; r = y"), ["along a mask", "where"]),
    (
        written("w = np.zeros(2); w[0] = x[0, 0]; r = dict(np.ndenumerate(w))"),
        ["reads numbers"],
    ),
    (
        written(
            "w = np.zeros(3); v = np.array(w, copy=False, ndmin=2); w += x[0]; r = -v"
        ),
        ["this is a view"],
    ),
    (in_a_branch, ["outside of this branch or loop"]),
    (in_a_loop, ["outside of this branch or loop"]),
]


@pytest.mark.parametrize(("function", "words"), REFUSED)
def test_what_is_not_changed_says_so(function, words):
    with pytest.raises((TypeError, tc.CompileError)) as caught:
        tc.jit(function)(X)
    text = said(caught.value)
    assert not [word for word in words if word not in text], text


def test_numpys_functions_are_as_they_were_after_a_trace():
    before = np.zeros, np.array
    tc.jit(lambda x: x + np.zeros(3))(X)
    assert (np.zeros, np.array) == before
    assert type(np.zeros(3)) is np.ndarray


@pytest.mark.parametrize("index", [np.s_[1:3], np.s_[0], np.s_[..., 1], np.s_[::2, 1:]])
def test_parts_are_computed_with(index):
    ufuncs = {"multiply": np.multiply, "max": np.maximum, "min": np.minimum}
    for name, ufunc in ufuncs.items():
        wanted = X.copy()
        wanted[index] = ufunc(wanted[index], 1.5)
        made = tc.jit(lambda x, name=name: getattr(x.at[index], name)(1.5))(X)
        np.testing.assert_array_equal(made, wanted)


def test_a_mask_beside_slices_and_added():
    x, m = tc.matrix("x"), tc.vector("m")
    made = x.at[:, m > 0].add(10), x.at[1:, m > 0].set(0), x.at[x > 1].set(m[0])
    values, chosen = X.astype("f4"), np.array([1, -1, 1], "f4")
    found = tc.function([x, m], made)(values, chosen)
    wanted = [values.copy() for _ in made]
    wanted[0][:, chosen > 0] += 10
    wanted[1][1:, chosen > 0] = 0
    wanted[2][values > 1] = 1
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_put_out_of_range_says_so():
    def put(x):
        y = x.copy()
        np.put(y, [99], 1)
        return y

    with pytest.raises(IndexError, match="index 99"):
        tc.jit(put)(X)


def test_derivatives_go_through_assignments():
    def cost(x):
        y = x * x
        y[0] = 1
        y[1] += y[2] * 3
        y[y > 50] = 0
        return y.sum()

    def instead(x):
        y = x * x
        y = y.at[0].set(1)
        y = y.at[1].add(y[2] * 3)
        return np.where(y > 50, 0, y).sum()

    got, wanted = tc.jit(tc.grad(cost))(X), tc.jit(tc.grad(instead))(X)
    np.testing.assert_array_equal(got, wanted)
    assert got[2].any()
    assert not got[0].any()
