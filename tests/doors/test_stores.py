"""A store into a part of a variable: the message has the line to write instead."""

import types

import numpy as np
import pytest

import tensorc as tc
from tests.said import said


def store(u):
    u[1:-1] = u[1:-1] * 2


def add(u):
    u[1:-1] += 3.0


def subtract(u):
    u[0] -= u[1] + 1


def multiply(u):
    u[0] *= 2 + u[1]


def mask(u):
    u[u > 0.5] = 0.0


def all_of_it(u):
    u[:] = np.zeros(4)


def several_lines(u):
    u[0] = np.sum(
        u,
    )


def conditional(u):
    if True: u[0] = 1  # fmt: skip # noqa: E701


def attribute(u):
    state = types.SimpleNamespace(u=u)
    state.u[..., 0] = 1


def long(u):
    u[0] = u[0] + u[1] + u[2] + u[3] + u[0] + u[1] + u[2] + u[3] + u[0] + u[1]


# What is not one store into a name says what to do in general.
def part_of_a_part(u):
    u[0:2][1] = 1


def two(u):
    u[0] = u[1] = 1


def by_name(u):
    u.__setitem__(0, 1)


GENERAL = "`x.at[i].set(new)` makes a new variable"
LINE = "make a new variable: `"
INSTEAD = {
    store: "u = u.at[1:-1].set(u[1:-1] * 2)",
    add: "u = u.at[1:-1].set(u[1:-1] + 3.0)",
    subtract: "u = u.at[0].set(u[0] - (u[1] + 1))",
    multiply: "u = u.at[0].set(u[0] * (2 + u[1]))",
    mask: "u = np.where(u > 0.5, 0.0, u)",
    all_of_it: "u = u.at[:].set(np.zeros(4))",
    several_lines: "u = u.at[0].set(np.sum(u))",
    conditional: "u = u.at[0].set(1)",
    attribute: "state.u = state.u.at[..., 0].set(1)",
    long: "u = u.at[0].set(v)",
    part_of_a_part: GENERAL,
    two: GENERAL,
    by_name: GENERAL,
}
VALUES = np.array([0.25, 0.75, 1.0, 2.0])


@pytest.mark.parametrize("function", INSTEAD, ids=lambda f: f.__name__)
def test_the_message_has_what_to_write(function):
    with pytest.raises(TypeError, match="cannot be changed in place") as caught:
        tc.jit(function)(VALUES)
    text = INSTEAD[function]
    wanted = text if text == GENERAL else f"{LINE}{text}`"
    assert wanted in said(caught.value)


SINGLE = [f for f, text in INSTEAD.items() if text.startswith("u =")]


@pytest.mark.parametrize("function", SINGLE, ids=lambda f: f.__name__)
def test_what_it_says_computes_what_numpy_does(function):
    wanted = VALUES.copy()
    function(wanted)
    text = INSTEAD[function]
    if function is long:
        text = text.replace("(v)", "(3 * (u[0] + u[1]) + 2 * (u[2] + u[3]))")

    def instead(u):
        return eval(text.removeprefix("u = "), {"np": np, "u": u})

    np.testing.assert_array_equal(tc.jit(instead)(VALUES), wanted)


# A line of the message, or none: what the user writes, x, y.
INTS, BYTES = np.arange(4) - 2, np.arange(4, dtype="u1")
FLOATS, SINGLES = np.arange(4.0) - 2, np.arange(4, dtype="f4") - 2
TABLE = np.arange(9.0).reshape(3, 3) - 4
TWO = np.array([5.0, 2.0])
PROPOSED = [
    ("x[x < 0] = 0", FLOATS, TWO),
    ("x[x < 0] = 2.5", SINGLES, TWO),
    ("x[x < 0] = 7", INTS, TWO),
    ("x[x < 0] = True", INTS, TWO),
    ("x[x < 0] = 7", BYTES, TWO),
    ("x[x < 0] = y[0]", FLOATS, TWO),
    ("x[1] -= 1", BYTES, TWO),
    ("x[1] -= y[0] - y[1]", FLOATS, TWO),
    ("x[1] **= y[0] - y[1]", FLOATS, TWO),
    ("x[1:3] -= 2", INTS, TWO),
    ("x[1:3] += 0.5", SINGLES, TWO),
    ("x[2:0:-1] += y", FLOATS, TWO),
    ("x[np.array([0, 0])] += 1", FLOATS, TWO),
    ("x[np.array([0, 0])] -= y", FLOATS, TWO),
    ("x[0] = y[0] if True else y[1]", FLOATS, TWO),
    ("x[0, 1:] = y", TABLE, TWO),
    ("x[-y.shape[0] :] *= 2", FLOATS, TWO),
]
NONE = [
    ("x[(x < 0).any(axis=1)] = 0", TABLE, TWO),
    ("x[x[0] < 0] = 0", TABLE, TWO),
    ("x[x[:, 0] < 0, :] = 1", TABLE, TWO),
    ("x[:, x[0] < 0] = 1", TABLE, TWO),
    ("x[x < 0] = y", FLOATS, TWO),
    ("x[x < 0] = 0.5", INTS, TWO),
    ("x[x < 0] = y[0]", SINGLES, TWO),
    ("x[1] = 2.7", INTS, TWO),
    ("x[1:3] = y", SINGLES, TWO),
    ("x[1:3] += y", SINGLES, TWO),
    ("x[1:3] /= 2", INTS, TWO),
    ("x[0], y = 5, y", FLOATS, TWO),
    ("x.T[0] = 3", TABLE, TWO),
    ("z = x[1:]\n    z[0] = 1", FLOATS, TWO),
    ("z = x\n    z[0] = 1", FLOATS, TWO),
    ("x[1:3] = x[0:2] = y", FLOATS, TWO),
    ("x[1:3] = [5, 6]", FLOATS, TWO),
    ("x[y.argmax() :] = 3", FLOATS, TWO),
]


def written(tmp_path, body, name):
    """Return a function of a file, whose lines a message can read."""
    file = tmp_path / f"{name}.py"
    file.write_text(f"import numpy as np\n\ndef f(x, y):\n    {body}\n    return x\n")
    space = {}
    exec(compile(file.read_text(), str(file), "exec"), space)
    return space["f"]


def refusal(function, *values):
    with pytest.raises(TypeError, match="cannot be changed in place") as caught:
        tc.jit(function)(*values)
    return said(caught.value)


@pytest.mark.parametrize(("body", "x", "y"), PROPOSED)
def test_a_line_gives_what_numpy_does(tmp_path, body, x, y):
    text = refusal(written(tmp_path, body, "given"), x, y)
    line = text.split(LINE)[1].split("`")[0]
    wanted = written(tmp_path, body, "given")(x.copy(), y)
    made = tc.jit(written(tmp_path, line, "proposed"))(x, y)
    assert made.dtype == wanted.dtype
    np.testing.assert_array_equal(made, wanted)


@pytest.mark.parametrize(("body", "x", "y"), NONE)
def test_there_is_no_line_where_numpy_may_do_something_else(tmp_path, body, x, y):
    text = refusal(written(tmp_path, body, "given"), x, y)
    assert LINE not in text
    assert "makes a new variable" in text


@pytest.mark.parametrize(
    "function", [lambda x: f"{x[0]:.2f}", lambda x: format(x[0], "d")]
)
def test_a_variable_has_no_digits(function):
    with pytest.raises(TypeError, match="has no value yet"):
        tc.jit(function)(FLOATS)


def test_a_number_and_a_variable_have_a_text():
    shown = []
    tc.jit(lambda x, n: (shown.append(f"{x} {n:03d}"), x)[1])(FLOATS, 5)
    assert shown[0].startswith("<x: f64[")
    assert shown[0].endswith("005")
