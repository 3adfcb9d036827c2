"""Sizes that a library function needs to be equal are checked at the call.

A graph's builder is thrown away after each expression: what only it knew was checked by
nobody, so that calls gave results of another shape than was asked for, or wrote outside
of memory (tests/doors/test_image_calls.py).
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


# Two sizes of which an equation made one a formula of the other: what each is, where
# they meet, and the way out where a size of 1 was meant to be repeated.
MEETINGS = {
    "slice": ("x[1:] - y", "x[1:] - y", 2, "y0 is 5, but max(0, x0 - 1) is 1"),
    "longer slice": ("x[1:] - y", "x[1:] - y", 4, "y0 is 5, but max(0, x0 - 1) is 3"),
    "one argument": ("x[1:] - y", "x[1:] - y", 9, "y0 is 5, but max(0, x0 - 1) is 8"),
    "joined": (
        "tc.concatenate([x, x]) * y",
        "concatenate([x, x]) * y",
        3,
        "y0 is 5, but 2 * x0 is 6",
    ),
}


@pytest.mark.parametrize("name", MEETINGS)
def test_both_sizes_are_named_where_they_meet(name, tmp_path):
    text, own, rows, words = MEETINGS[name]
    x, y = tc.dvector("x"), tc.dvector("y")
    function = tc.function([x, y], eval(text))
    path = tmp_path / "meet.tc"
    path.write_text(f"fn f(x: f64[X], y: f64[Y]) {{\n    return {own}\n}}\n")
    calls = {"symbolic": function, "tc": tc.load(path).f}
    for door, call in calls.items():
        expected = words if door == "symbolic" else _in_language(words)
        with pytest.raises(ValueError, match="TC0504") as caught:
            call(np.ones(rows), np.ones(5))
        message = str(caught.value)
        assert f"sizes do not fit: {expected}" in message
        way_out = "a size is broadcast that is 1 in every call"
        assert (way_out in message) == words.endswith("is 1")
        place = caught.value.diagnostics[0].location
        assert (place.file, place.line) == (
            (str(path), 2) if door == "tc" else ("<string>", 1)
        )


def test_the_notes_show_the_shapes_that_were_given():
    x, y, z = tc.dvector("x"), tc.dvector("y"), tc.dvector("z")
    function = tc.function([x, y, z], x + y + z[1:])
    with pytest.raises(ValueError, match="sizes do not fit") as caught:
        function(np.ones(5), np.ones(5), np.ones(4))
    notes = caught.value.diagnostics[0].notes
    assert "'y' is f64[max(0, z0 - 1)], given f64[5]" in notes
    assert "'z' is f64[z0], given f64[4]" in notes


def _in_language(words):
    return words.replace("x0", "X").replace("y0", "Y")
