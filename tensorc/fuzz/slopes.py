"""Derivatives against differences, with an estimate of what the differences are worth.

The cost is computed at points on a line through the arguments. Where one-sided
differences of all steps agree, the cost is smooth there, and the derivative along the
line must be what they say; at a kink or a jump, and in noise, they spread, and nothing
is claimed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tensorc.fuzz.outcomes import Outcome
from tensorc.fuzz.program import ArgumentNode, OpNode, RandomProgram, needed_by
from tensorc.ir.numerics import Array
from tensorc.ir.ops.derivatives import StopGradient
from tensorc.ir.types import F64

FEW_STEPS = (1e-5, 2e-5)
_STEPS = (1e-5, 5e-6, 2.5e-6, 2e-5)
_IN_STEP = 0.4  # how often
_SPREAD = 4  # how much more than their spread differences may be wrong
_ROUNDING = 256  # units in the last place of the cost, lost on its way


@dataclass(frozen=True, slots=True)
class Slopes:
    """Where a function's cost is among its results, and its derivatives.

    `pairs` holds the numbers of an argument and of the result that is the derivative
    by it.
    """

    cost: int
    pairs: tuple[tuple[int, int], ...]


def slopes_of(program: RandomProgram) -> Slopes | None:
    """Return the slopes that differences can check: of f64 all the way."""
    if program.cost is None:
        return None
    for index in needed_by(program, [program.cost]):
        entry = program.entries[index]
        if isinstance(entry, OpNode) and (
            entry.cls is StopGradient or entry.attributes.get("element", F64) != F64
        ):
            return None
    wrt = [program.entries[w] for w in program.wrt]
    names = [g.name for g in program.givens]
    if any(isinstance(g, ArgumentNode) and g.type.element != F64 for g in wrt):
        return None
    cost = len(program.results)
    numbers = [names.index(g.name) for g in wrt if isinstance(g, ArgumentNode)]
    pairs = zip(numbers, range(cost + 1, cost + 1 + len(numbers)), strict=True)
    return Slopes(cost, tuple(pairs))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What differences say: `wrong` is "" if they do not contradict.

    `is_sharp` tells whether an error of a hundredth would have shown.
    """

    wrong: str
    is_sharp: bool


def judge(
    call: Callable[[list[Array]], Outcome],
    arguments: Sequence[Array],
    slopes: Slopes,
    rng: np.random.Generator,
    steps: Sequence[float] = _STEPS,
) -> Verdict:
    """Compare a function's derivatives with differences along a random line."""
    middle = call(list(arguments))
    if not isinstance(middle, list):
        return Verdict("", False)
    # All of an argument's elements in step: of ties, an extreme is smooth there.
    signs = np.array([1.0] if rng.random() < _IN_STEP else [-1.0, 1.0])
    lines = {
        number: rng.choice(signs, np.shape(arguments[number]))
        for number, _ in slopes.pairs
    }
    parts = [np.multiply(middle[r], lines[n]) for n, r in slopes.pairs]
    with np.errstate(all="ignore"):
        slope = float(sum(np.sum(p, dtype=np.float64) for p in parts))
        size = float(sum(np.sum(np.abs(p), dtype=np.float64) for p in parts))

    def cost_at(step: float) -> float:
        moved = list(arguments)
        for number, line in lines.items():
            moved[number] = np.asarray(np.add(arguments[number], step * line))
        outcome = call(moved)
        return float(outcome[slopes.cost]) if isinstance(outcome, list) else np.nan

    start = float(middle[slopes.cost])
    costs = {h: (cost_at(h), cost_at(-h)) for h in steps}
    sides = [(after - start) / h for h, (after, _) in costs.items()]
    sides += [(start - before) / h for h, (_, before) in costs.items()]
    if not np.isfinite([*sides, slope]).all():
        return Verdict("", False)
    spread = max(sides) - min(sides)
    largest = max(abs(c) for pair in costs.values() for c in pair)
    lost = _ROUNDING * np.finfo(np.float64).eps * largest / min(steps)
    tolerance = _SPREAD * spread + 1e-6 * size + float(lost)
    expected = float(np.median(sides))
    sharp = tolerance <= 0.01 * size
    if abs(slope - expected) <= tolerance:
        return Verdict("", sharp)
    detail = f"the slope is {slope!r}, differences say {expected!r}"
    return Verdict(f"{detail} within {tolerance:.2g}", sharp)
