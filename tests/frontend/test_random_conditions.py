"""Random functions of conditions, against the same statements in Python."""

import random
import re

import pytest

from tensorc.errors import CompileError
from tests.frontend.irgen_helpers import call, prepare

NAMES = "abc"
INPUTS = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
BRACES = {True: (" {", "}", "} else {"), False: (":", "", "else:")}


def expression(rng):
    left, right = (rng.choice([*NAMES, "x", "1", "2"]) for _ in range(2))
    return f"{left} {rng.choice('+-*')} {right}"


def condition(rng):
    text = f"{rng.choice([*NAMES, 'x'])} {rng.choice(('<', '>=', '=='))} "
    return text + rng.choice([*NAMES, "0", "1"])


def statements(rng, depth, may_return):
    """Return a list of statements: lines, and conditions as tuples."""
    found = []
    for _ in range(rng.randint(1, 3)):
        kind = rng.random()
        if depth and kind < 0.5:
            then = statements(rng, depth - 1, may_return)
            otherwise = statements(rng, depth - 1, may_return)
            otherwise = otherwise if rng.random() < 0.7 else []
            found.append((condition(rng), then, otherwise))
        elif kind < 0.65 and may_return:
            return [*found, f"return {expression(rng)}"]
        elif kind < 0.8:
            one, other = rng.sample(NAMES, 2)
            found.append(f"{one}, {other} = {expression(rng)}, {expression(rng)}")
        else:
            found.append(f"{rng.choice(NAMES)} = {expression(rng)}")
    return found


def reached(body):
    """Return a body without what is never reached, and whether it always returns."""
    found = []
    for statement in body:
        if isinstance(statement, str):
            found.append(statement)
            returns = statement.startswith("return")
        else:
            test, *branches = statement
            pairs = [reached(branch) for branch in branches]
            found.append((test, *[kept for kept, _ in pairs]))
            returns = all(ends for _, ends in pairs)
        if returns:
            return found, True
    return found, False


def spelled(body, braces, indent=1):
    """Return the lines of a body, with braces or as Python has it."""
    opening, closing, between = BRACES[braces]
    space = "    " * indent
    for statement in body:
        if isinstance(statement, str):
            yield space + statement
            continue
        test, then, otherwise = statement
        yield f"{space}if {test}{opening}"
        yield from spelled(then, braces, indent + 1)
        if otherwise:
            yield space + between
            yield from spelled(otherwise, braces, indent + 1)
        if closing:
            yield space + closing


def prepared_of(text):
    return prepare(f"fn f(x: f64) -> f64 {{\n{text}\n}}", "f")


@pytest.mark.parametrize("seed", range(60))
def test_the_same_statements_in_python(seed):
    rng = random.Random(seed)
    start = ["a, b, c = x, 1, 2 * x"]
    body = [*start, *statements(rng, 3, seed % 3 > 0), f"return {expression(rng)}"]
    whole, (body, _) = body, reached(body)
    if whole != body:
        with pytest.raises(CompileError, match="TC0321"):
            # A branch that is known not to be taken is not looked at: nothing is known.
            prepared_of(re.sub(r"\b\d\b", "x", "\n".join(spelled(whole, braces=True))))
    text = "\n".join(spelled(body, braces=True))
    lines = "\n".join(spelled(body, braces=False))
    names: dict[str, object] = {}
    exec(f"def f(x):\n{lines}", names)
    prepared = prepared_of(text)
    for x in INPUTS:
        (got,), _ = call(prepared, x)
        assert got == names["f"](x), f"f({x})\n{text}"
