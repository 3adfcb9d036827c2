"""Random steps whose updates stand in branches change memory as NumPy's program does.

The number of steps comes from the environment: TENSORC_STEPS=300.
"""

import os
import random

import numpy as np
import pytest

import tensorc as tc

COUNT = int(os.environ.get("TENSORC_STEPS", "0")) or 25
FORMULAS = (
    lambda x, y: x,
    lambda x, y: x + y,
    lambda x, y: x * 0.5 - y[::-1],
    lambda x, y: np.tanh(x)[::-1],
)


def statements(rng, names, free, depth):
    """Return updates and conditions, and the memory that they may update."""
    found, used = [], set()
    for _ in range(rng.randint(1, 3)):
        left = sorted(free - used)
        if not left:
            break
        if depth and rng.random() < 0.5:
            tested, limit = rng.choice(names), rng.choice((-0.5, 0.0, 0.5))
            parts = [statements(rng, names, {*left}, depth - 1) for _ in range(2)]
            found.append(("if", (tested, limit), *[part for part, _ in parts]))
            used.update(*[part for _, part in parts])
        else:
            name = rng.choice(left)
            formula = rng.choice(FORMULAS), rng.choice(names), rng.choice(names)
            found.append(("update", name, formula))
            used.add(name)
    return found, used


def run(program, old, update, cond):
    for kind, what, *parts in program:
        if kind == "update":
            function, left, right = parts[0]
            update(what, function(old[left], old[right]))
        else:
            then, other = [lambda p=p: run(p, old, update, cond) for p in parts]
            cond(np.sum(old[what[0]]) > what[1], then, other)


def taken(condition, then, other):
    (then if condition else other)()


@pytest.mark.parametrize("number", range(COUNT))
def test_a_step_changes_memory_as_numpy_does(number):
    rng = random.Random(number)
    names = [f"m{i}" for i in range(rng.randint(1, 4))]
    size = rng.choice((3, 40))
    values = {n: np.array([rng.uniform(-1, 1) for _ in range(size)]) for n in names}
    memory = {n: tc.shared(v, n) for n, v in values.items()}
    program, _ = statements(rng, names, {*names}, 2)

    @tc.step
    def step():
        old = {n: tc.reshape(m, (size,)) for n, m in memory.items()}
        run(program, old, lambda n, new: tc.update(memory[n], new), tc.cond)

    for _ in range(4):
        new = {}
        run(program, values, new.__setitem__, taken)
        values = {**values, **new}
        step()
        for name in names:
            found = memory[name].get_value()
            np.testing.assert_allclose(found, values[name], rtol=1e-12, atol=1e-12)
