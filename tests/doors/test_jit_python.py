"""`tc.jit`: what Python asks of arrays, their length, their rows, as NumPy answers."""

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

TABLE = np.arange(6.0).reshape(2, 3) + 1
PAIR = np.array([3.0, 4.0])


def unpacked(x):
    a, b = x
    return a - b


def rows_by_place(x):
    return sum(i * row for i, row in enumerate(x))


def nested_rows(x):
    total = 0
    for row in x:
        for element in row:
            total = total * 2 + element
    return total


def copied(x):
    y = x.copy()
    y += 1
    return y - x


USES = {
    "len": lambda x: x / len(x),
    "len of a part": lambda x: x[1:] * len(x[1:]),
    "range of len": lambda x: sum(x[i] * i for i in range(len(x))),
    "rows": lambda x: sum(x),
    "nested rows": nested_rows,
    "rows of a formula": lambda x: [row + 1 for row in (x * 2).T],
    "unpacked": unpacked,
    "starred": lambda x: np.add(*x),
    "enumerate": rows_by_place,
    "zip": lambda x: sum(a * b for a, b in zip(x, x[::-1], strict=True)),
    "reversed": lambda x: list(reversed(x)),
    "a dictionary": lambda x: dict(enumerate(x)),
    "size": lambda x: x / x.size,
    "size of a part": lambda x: x[:, 1:].size * x,
    "np.size of a size": lambda x: np.zeros(x.size) + x[0, 0],
    "copy": copied,
    "take": lambda x: x.take([1, 0], axis=0),
    "mT": lambda x: x.mT @ x,
    "item of a number": lambda x: x * np.float64(3).item(),
    "stack": lambda x: np.stack([x[0], x[1], np.ones(3), [1, 2, 3]]),
    "stack of numbers": lambda x: np.stack([x[0, 1], 1.5, 2, x[1, 1]]),
    "stack of rows": lambda x: np.stack(x, axis=1),
    "concatenate of rows": lambda x: np.concatenate(x),
    "concatenate": lambda x: np.concatenate([x, np.zeros((1, 3)), x[:1] * 2]),
    "a range as index": lambda x: x[range(len(x)), [0, 2]],
}


@pytest.mark.parametrize("name", USES)
def test_python_asks_arrays_as_in_numpy(name):
    function = USES[name]
    got, wanted = tc.jit(function)(TABLE), function(TABLE)
    if isinstance(wanted, dict):
        got, wanted = list(got.values()), list(wanted.values())
    if not isinstance(wanted, list):
        got, wanted = [got], [wanted]
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.asarray(other).dtype


def test_a_length_is_a_fact_of_the_call():
    mean = tc.jit(lambda x: sum(x) / len(x))
    for n in (3, 5, 3, 4):
        assert mean(np.arange(float(n))) == (n - 1) / 2
    reasons = [form.reason for form in mean.cache_info()]
    assert reasons == [
        "the first call",
        "x.shape[0] is 5, was 3",
        "x.shape[0] is 4, was 5",
    ]


def test_a_size_that_is_a_number_of_no_python_stays_free():
    mean = tc.jit(lambda x: x.sum() / x.size)
    for shape in ((2, 3), (4, 5), (3, 2)):
        assert mean(np.ones(shape)) == 1
    assert len(mean.cache_info()) == 1


def test_an_annotated_size_is_a_number_from_the_start():
    def rows(x: tc.f64[2, "n"]):
        a, b = x
        return len(x) * (a - b)

    compiled = tc.jit(rows)
    for n in (2, 3, 4):
        x = np.arange(2.0 * n).reshape(2, n)
        np.testing.assert_array_equal(compiled(x), rows(x))
    assert len(compiled.cache_info()) == 1
    x = tc.tensor("x", "float64", (2, None))
    a, b = x
    assert (a.ndim, b.ndim, len(x)) == (1, 1, 2)


def test_no_rows_are_none():
    assert tc.jit(lambda x: [row * 2 for row in x])(np.ones((0, 2))) == []


@pytest.mark.parametrize("ask", [len, list, lambda x: sum(x)])
def test_a_graph_knows_no_length(ask):
    with pytest.raises(TypeError) as caught:
        ask(tc.dmatrix("x"))
    assert "x.shape[0], a variable" in said(caught.value)


def test_an_assignment_with_an_operator_makes_a_new_variable():
    def twice(x):
        old = x
        x += 1
        return old, x

    old, new = tc.jit(twice)(PAIR)
    np.testing.assert_array_equal((old, new), (PAIR, PAIR + 1))
    np.testing.assert_array_equal(PAIR, [3, 4])


def test_item_is_the_number_of_python_of_the_call():
    scaled = tc.jit(lambda x, n: x * (2 if n.item() > 1 else 3))
    assert (scaled(PAIR, 2)[0], scaled(PAIR, 1)[0]) == (6, 9)


def test_the_square_of_booleans_is_that_of_numpy():
    x = np.array([True, False])
    for function in (lambda x: x**2, lambda x: x**3, lambda x: np.power(x, 2)):
        assert tc.jit(function)(x).dtype == function(x).dtype


def test_the_copy_of_a_shared_variable_is_none():
    W = tc.shared(PAIR, "W")
    assert not hasattr(W.copy(), "set_value")
    np.testing.assert_array_equal(tc.function([], W.copy() * 2)(), PAIR * 2)
