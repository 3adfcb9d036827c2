"""A draw of random numbers in a trace: the warning is at its line."""

import functools
import random
from random import gauss

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import TensorcWarning


def direct(x):
    y = x + 1
    return y + np.random.normal(size=3)  # here


def helper(scale):
    return scale * np.random.rand(3)  # here


def in_another(x):
    return x + helper(2.0)


def imported(x):
    return x + gauss(0, 1)  # here


def of_two(x):
    z = random.uniform(0, 1)  # here
    return x + z + np.random.rand()


def several_lines(x):
    return x + sum(
        random.random()  # here
        for _ in range(3)
    )


def enclosing():
    def inner(x):
        noise = make(3)  # here
        return x + noise

    make = np.random.rand
    return inner


class Model:
    """Has a method that is traced."""

    def apply(self, x):
        """Return x with noise."""
        return x * np.random.rand(3)  # here


enclosed = enclosing()
method = Model().apply
part = functools.partial(direct)
short = lambda x: x + np.random.rand(3)  # noqa: E731  # here
DRAWING = {
    "direct": direct,
    "in another": in_another,
    "imported": imported,
    "of two": of_two,
    "several lines": several_lines,
    "enclosed": enclosed,
    "method": method,
    "short": short,
    "part": part,
}


@pytest.mark.parametrize("name", DRAWING)
def test_the_warning_is_at_the_draw(name):
    with pytest.warns(TensorcWarning, match="draws numbers of .*random") as seen:
        tc.jit(DRAWING[name])(np.ones(3))
    with open(__file__, encoding="utf-8") as file:  # noqa: PTH123
        line = file.read().splitlines()[seen[0].lineno - 1]
    assert seen[0].filename == __file__
    assert "# here" in line


def test_where_no_source_has_it_the_warning_is_at_the_function():
    space = {"np": np}
    exec("def f(x):\n    return x + np.random.rand(3)\n", space)
    with pytest.warns(TensorcWarning, match="draws numbers of np.random") as seen:
        tc.jit(space["f"])(np.ones(3))
    assert (seen[0].filename, seen[0].lineno) == ("<string>", 1)


def hidden(x, table):
    return x + table["draw"](3)


def test_a_draw_without_a_name_is_seen_too():
    drawn = functools.partial(hidden, table={"draw": np.random.rand})
    with pytest.warns(TensorcWarning, match="draws numbers of np.random"):
        tc.jit(lambda x: drawn(x))(np.ones(3))
