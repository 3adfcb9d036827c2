"""Many specialisations: the reasons, one warning, and a bound."""

import warnings

import numpy as np
import pytest

import tensorc as tc
from tensorc.api import jit as tracing

X = np.ones(3)


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch):
    monkeypatch.setattr(tracing, "FEW", 2)
    monkeypatch.setattr(tracing, "MANY", 4)


def told(call, values):
    """Return the texts of the warnings that calls give, and where they point."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for value in values:
            call(value)
    assert all(w.filename == __file__ and w.lineno for w in caught)
    return [str(w.message) for w in caught]


def test_static_values_are_told_once_with_the_way_out():
    power = tc.jit(lambda x, n: x**n, static="n")
    (text,) = told(lambda n: power(X, n), range(6))
    assert "2 compiled forms already, and is compiled again: " in text
    assert "again: static argument n: 2, was 1" in text
    assert "pass it as an argument" in text
    assert "TENSORC_LOGS=recompiles" in text


def test_other_reasons_have_other_ways_out():
    memories = [tc.shared(X, f"W{i}") for i in range(3)]
    cases = [
        ([X, X.astype("f4"), X.astype("i4")], "dtype int32, was float32", "astype"),
        ([[X], [X] * 2, [X] * 3], "argument x: structure [*, *, *], was", "stack"),
        (memories, "the shared variable W2, was the shared variable W1", "get_value"),
    ]
    for values, reason, way_out in cases:
        f = tc.jit(lambda x: x[0] + 1 if isinstance(x, list) else x + 1)
        (text,) = told(f, values)
        assert reason in text
        assert way_out in text


def test_few_forms_are_not_told():
    assert told(tc.jit(lambda x: x + 1), [X, np.ones(9), X.astype("f4"), X] * 3) == []


def test_old_forms_are_forgotten_and_made_again():
    power = tc.jit(lambda x, n: x * n, static="n")
    told(lambda n: power(X, n), range(9))
    forms = [about.arguments for about in power.cache_info()]
    assert forms == [f"x: f64[_], n={n}" for n in (5, 6, 7, 8)]
    np.testing.assert_array_equal(power(X, 2), 2 * X)
    assert len(power.cache_info()) == 4


def test_a_forgotten_form_takes_no_calls():
    f = tc.jit(lambda x: x + 1)
    values = [np.ones((3,) * rank) for rank in range(7)]
    told(lambda x: (f(x), f(x)), values)
    assert len(f._known) <= 4
    for value in values:
        np.testing.assert_array_equal(f(value), value + 1)


def test_the_nearest_form_gives_the_reason():
    f = tc.jit(lambda x: x)
    told(f, [X, 1.0, {"a": X}, np.ones(1)])
    reasons = [about.reason for about in f.cache_info()]
    assert reasons == [
        "the first call",
        "argument x: Python float, was f64[_]",
        "argument x: structure {a: *}, was *",
        "argument x: the size of axis 0 is 1, before it is not 1",
    ]
