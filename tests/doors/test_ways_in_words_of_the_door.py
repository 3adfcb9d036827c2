"""Ways out are stated once and read in the words of each door; those of Python work."""

import re

import numpy as np
import pytest

import tensorc as tc
from tensorc.frontend.python.describing import in_python
from tests.house import PACKAGE

MASK = np.array([True, False, True])
WHOLE = np.array([1, 2, 3])
X = np.array([1.0, 2.0, 4.0])

# What is refused of a mask `a`, whole numbers `x` and floats `v`; a variable for each.
REFUSED = {
    "not": (lambda a, x, v: -a, "np.logical_not(x)"),
    "difference": (lambda a, x, v: a - a, "a.astype('int64')"),
    "product": (lambda a, x, v: a @ a, "a.astype('float64')"),
    "negative power": (lambda a, x, v: x**-2, "x.astype('float64')**-2"),
    "power": (lambda a, x, v: x**x, "a.astype('float64') ** b"),
    "mask": (lambda a, x, v: v[a], "np.sum(np.where(c, x, 0))"),
    "index": (lambda a, x, v: v[v], "i.astype('int64')"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_way_out_of_python_is_python_and_works(name):
    call, way = REFUSED[name]
    with pytest.raises(tc.TensorcError) as caught:
        tc.jit(call)(MASK, WHOLE, X)
    hints = "; ".join(caught.value.diagnostics[0].hints)
    assert way in hints
    codes = re.findall(r"`([^`]+)`", hints)
    whole, other, truth = tc.shared(WHOLE), tc.shared(WHOLE), tc.shared(MASK)
    known = {"x": whole, "b": other, "a": truth, "c": truth, "i": whole, "v": whole}
    for code in codes:
        made = eval(code, {"np": np, "tc": tc, **known})
        assert np.all(np.isfinite(made.eval()))


def test_no_way_out_of_the_library_stays_in_words_of_a_file():
    """Of all casts and functions that texts of the library show in backticks."""
    count = 0
    for path in sorted((PACKAGE / "frontend" / "library").rglob("*.py")):
        text = path.read_text("utf-8")
        for code in re.findall(r"`([^`\n]*\b(?:int|float)\(\w+\)[^`\n]*)`", text):
            assert ".astype('" in in_python(f"`{code}`"), (path, code)
            count += 1
    assert count > 5


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("cast: `f32(x)`", "cast: `x.astype('float32')`"),
        ("cast: `u8(x)`", "cast: `x.astype('uint8')`"),
        ("`np.sum(np.where(c, x, 0))`", "`np.sum(np.where(c, x, 0))`"),
        ("`sum(where(c, x, 0))`", "`np.sum(np.where(c, x, 0))`"),
        ("`x.sum(0)`, `point(x)`", "`x.sum(0)`, `point(x)`"),
    ],
)
def test_a_way_out_is_spelled_for_python(way, expected):
    assert in_python(way) == expected


def test_a_lookup_in_a_table_of_numpy_is_shown_as_it_works():
    labels, table = np.array([2, 0]), np.eye(3)
    with pytest.raises(TypeError) as caught:
        tc.jit(lambda lab: table[lab])(labels)
    assert "tc.take(table, lab, axis=0)" in str(caught.value)
    found = tc.jit(lambda lab: tc.take(table, lab, axis=0))(labels)
    assert found.tolist() == np.eye(3)[labels].tolist()


def test_a_norm_of_another_order_is_shown():
    with pytest.raises(TypeError, match=r"np\.abs\(x\)\.sum\(\)"):
        tc.jit(lambda x: np.linalg.norm(x, 1))(X)


def test_an_array_that_cannot_take_a_variable_is_named_as_such():
    outer = np.zeros(3)

    def step(x):
        w = outer
        w -= x
        return w

    with pytest.raises(TypeError) as caught:
        tc.jit(step)(X)
    assert "a NumPy array cannot take a variable in place" in str(caught.value)
    assert "`a = a - x` for `a -= x`" in str(caught.value)


def test_a_loop_that_a_value_ends_stands_outside():
    def halved(x):
        while np.sum(x) > 1:
            x = x / 2
        return x

    with pytest.raises(TypeError, match="compile its body"):
        tc.jit(halved)(X)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("nanargmax", "np.argmax(np.where(np.isnan(x), -np.inf, x))"),
    ],
)
def test_a_name_that_is_planned_comes_with_what_to_write(name, way):
    with pytest.raises(AttributeError) as caught:
        getattr(tc, name)
    assert f"`{name}` is not in this version; write {way}" in str(caught.value)


def test_what_there_is_no_way_around_is_just_planned():
    with pytest.raises(AttributeError, match=r"^`while_loop` is not in this version$"):
        _ = tc.while_loop
