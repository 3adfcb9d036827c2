"""Random programs with one op that loses a number: its line is named, and no other."""

import random

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import NotFiniteError

# What stays finite, of two values that are in [-1, 1].
SAFE = (
    *("tanh({a})", "sin({a} * {b})", "0.5 * {a} + 0.25 * {b}", "sigmoid({a})"),
    *("maximum({a}, {b})", "softmax({a}, axis=1)", "{a} - mean({a}, axis=0)"),
    *("where({a} > {b}, {a}, {b})", "0.1 * cumsum({a}, axis=1)", "{a}[::-1]"),
    *("0.1 * {a} @ w", "concatenate([{a}[1:], {b}[:1]], axis=0)", "{a} * {b}"),
    *("exp({a} - max({a}, axis=1, keepdims=true))", "0.2 * {a} @ {b}.T @ {a} / 9"),
)
# What makes a number that is not finite, and does not show it.
HIDDEN = (
    *("where({a} > 9, 1 / ({a} - {a}), {b})", "where({a} > 9, log(-{a} ** 2), {b})"),
    "softmax(where({a} >= max({a}, axis=1, keepdims=true), {a}, -inf), axis=1)",
    "tanh(1 / ({a} * {a} * 0))",
    *(
        "exp(log({a} * {a} * 0))",
        "minimum({a}, 1 / ({b} * 0) ** 2)",
        "1 / exp({a} + 2000)",
    ),
)
LOST = (
    *("log({a} - max({a}))", "{b} / ({a} - max({a}))", "exp({a} + 1000) + {b}"),
    *("sqrt({a} - max({a}) - 1)", "({a} - min({a}) + 1e30) * 1e30", "({a} - 9) ** 0.3"),
    *("sum({a} + 9, axis=0) * 1e30 * 1e30 + {b}", "log1p({a} - max({a}) - 1)"),
    *("(1e20 * ({a} + 9)) @ (w * 0 + 1e20)", "cumprod({a} * 0 + 1e20, axis=1)"),
)
# What has a value, and no slope.
STEEP = (
    *("sqrt({a} - min({a}))", "({a} - min({a})) ** 0.5", "sqrt(abs({a} - min({a})))"),
    *("({a} - min({a})) ** 0.25 + {b}", "where({a} > 9, log({a} * 0), {b})"),
)
SEEDS = range(24)


def program(seed, lost, others):
    """Return a text with one of the lost, and the number of its line."""
    rng = random.Random(seed)
    count = rng.randrange(3, 16)
    at = rng.randrange(count)
    lines, names = ["fn f(x: float[6, 6], w: float[6, 6]) -> float {"], ["tanh(x)"]
    for number in range(count):
        form = rng.choice(lost if number == at else others)
        operands = {n: rng.choice(names[-4:]) for n in "ab"}
        # What is lost must not be lost again, nor be healed.
        if number > at and f"v{at}" in operands.values():
            form = "0.5 * {a} + 0.25 * {b}"
        lines.append(f"    v{number} = {form.format(**operands)}")
        names.append(f"v{number}")
    lines += [f"    return {' + '.join(f'sum({n})' for n in names)}", "}", ""]
    return "\n".join(lines), at + 2


def checked(f, *given):
    with tc.options(check_nan=True), pytest.raises(NotFiniteError) as caught:
        f(*given)
    return caught.value.diagnostics[0]


def inputs(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(6, 6)), rng.normal(size=(6, 6))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_line_that_loses_a_number_is_named(seed, tmp_path):
    text, line = program(seed, LOST, SAFE + HIDDEN)
    path = tmp_path / "a.tc"
    path.write_text(text)
    with tc.options(optimize=0):
        found = checked(tc.load(path).f, *inputs(seed))
    assert found.location.line == line, f"{text}\n{found}"
    assert " made " in found.message


@pytest.mark.parametrize("seed", SEEDS)
def test_the_line_without_a_slope_is_named(seed, tmp_path):
    text, line = program(seed, STEEP, SAFE)
    path = tmp_path / "a.tc"
    slope = "fn slope(x: float[6, 6], w: float[6, 6]) = grad(f(x, w), x)\n"
    path.write_text(text + slope)
    with tc.options(optimize=0):
        made = tc.load(path)
        assert np.isfinite(made.f(*inputs(seed))), text
        found = checked(made.slope, *inputs(seed))
    assert found.location.line == line, f"{text}\n{found}"
