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


GENERAL = "x = x.at[i].set(v)"
INSTEAD = {
    store: "u = u.at[1:-1].set(u[1:-1] * 2)",
    add: "u = u.at[1:-1].add(3.0)",
    subtract: "u = u.at[0].add(-(u[1] + 1))",
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
    assert f"make a new variable: `{INSTEAD[function]}`" in said(caught.value)


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
