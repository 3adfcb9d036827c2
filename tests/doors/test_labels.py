"""Labels are numbers of classes from 0: in no door do they count from the end."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.api import program as api
from tensorc.errors import IndexOutOfRange

CLASSES = 3
Z = np.linspace(-1, 1, 2 * CLASSES, dtype=np.float32).reshape(2, CLASSES)
P = np.exp(Z) / np.exp(Z).sum(1, keepdims=True)
ROWS = np.arange(2)

# Of each function that takes labels: the call, what it is of, and NumPy's value.
CALLS = {
    "cross_entropy": (tc.cross_entropy, Z, lambda y: -np.log(P[ROWS, y])),
    "error_rate": (tc.error_rate, Z, lambda y: np.mean(Z.argmax(1) != y)),
    "one_hot": (lambda z, y: tc.one_hot(y, CLASSES), Z, lambda y: np.eye(CLASSES)[y]),
    "categorical_crossentropy": (
        tc.categorical_crossentropy,
        P,
        lambda y: -np.log(P[ROWS, y]),
    ),
}
IN_A_FILE = {
    "cross_entropy": "float[B] = cross_entropy(z, y)",
    "error_rate": "float = error_rate(z, y)",
    "one_hot": f"float[B, {CLASSES}] = one_hot(y, {CLASSES})",
}
INTEGERS = [np.dtype(kind + size) for kind in "iu" for size in "1248"]


def through_jit(name, dtype, tmp_path):
    return tc.jit(CALLS[name][0])


def through_a_graph(name, dtype, tmp_path):
    z, y = tc.fmatrix("z"), tc.vector("y", dtype=dtype.name)
    return tc.function([z, y], CALLS[name][0](z, y), on_unused_input="ignore")


def through_a_file(name, dtype, tmp_path):
    word = dtype.name.replace("uint", "u").replace("int", "i")
    path = tmp_path / "labels.tc"
    head = f"fn f(z: float[B, {CLASSES}], y: {word}[B]) -> "
    path.write_text(head + IN_A_FILE[name] + "\n")
    return api.load(path).f


DOORS = [
    (door, name)
    for door in (through_jit, through_a_graph, through_a_file)
    for name in (IN_A_FILE if door is through_a_file else CALLS)
]


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize(("door", "name"), DOORS)
def test_a_label_that_is_no_class_is_an_index_error(door, name, dtype, tmp_path):
    function = door(name, dtype, tmp_path)
    given, expected = CALLS[name][1:]
    right = np.array([CLASSES - 1, 0], dtype)
    np.testing.assert_allclose(
        np.asarray(function(given, right)), expected(right.astype(int)), rtol=1e-6
    )
    wrong = [CLASSES, np.iinfo(dtype).max]
    wrong += [] if dtype.kind == "u" else [-1, -CLASSES, np.iinfo(dtype).min]
    for label in wrong:
        with pytest.raises(IndexOutOfRange, match=rf"index {label} is out of range"):
            function(given, np.array([0, label], dtype))


def test_a_step_that_returns_no_cost_refuses_such_a_label():
    w = tc.shared(Z, "w")

    @tc.step
    def train(y):
        tc.update(w, w - tc.grad(tc.mean(tc.cross_entropy(w, y)), w))

    for label in (-1, CLASSES):
        with pytest.raises(IndexOutOfRange):
            train(np.array([0, label]))
    np.testing.assert_array_equal(w.get_value(), Z)
    train(np.array([0, 1]))
    assert not np.array_equal(w.get_value(), Z)


def test_the_message_says_that_labels_count_from_0():
    with pytest.raises(IndexOutOfRange, match="they count from 0"):
        tc.jit(tc.cross_entropy)(Z, np.array([0, -1]))


def test_indices_still_count_from_the_end():
    x = np.arange(4.0)
    i = np.array([-1, -4])
    np.testing.assert_array_equal(tc.jit(lambda x, i: x[i])(x, i), x[i])
    np.testing.assert_array_equal(tc.jit(lambda x, i: tc.take(x, i))(x, i), x[i])
    picked = tc.jit(lambda z, y: z[tc.arange(2), y])(Z, np.array([-1, 0]))
    np.testing.assert_array_equal(picked, Z[ROWS, [-1, 0]])


def test_one_check_serves_two_readers_with_the_strictest_bounds():
    y = np.array([0, -1])
    f = tc.jit(lambda z, y: (tc.cross_entropy(z, y), z[tc.arange(2), y]))
    with pytest.raises(IndexOutOfRange):
        f(Z, y)
    costs, picked = f(Z, y + 1)
    np.testing.assert_array_equal(picked, Z[ROWS, y + 1])
    np.testing.assert_allclose(costs, -np.log(P[ROWS, y + 1]), rtol=1e-6)
