"""Random programs: the same seed and number give the same program.

A program is ops, one after the other, each by its recipe, until there are as many as
were drawn; whatever no op reads is a result. Then some values update shared arguments,
and some programs get a cost and its derivatives.
"""

import itertools
import random
from dataclasses import replace

from tensorc.errors import ShapeError, VerifyError
from tensorc.fuzz.maker import Maker
from tensorc.fuzz.program import (
    Apply,
    Given,
    Program,
    module_of,
    needed_by,
    unbound,
    with_known,
    without_dead,
)
from tensorc.fuzz.recipes import RECIPES
from tensorc.ir.numerics import LANES_ORDER
from tensorc.ir.opdef import EXACT
from tensorc.ir.ops.elementwise import Mul
from tensorc.ir.ops.indexing import Gather, Scatter, TakeAlongAxis
from tensorc.ir.ops.nn import LogSoftmax
from tensorc.ir.ops.reductions import Sum
from tensorc.ir.ops.rounding import FloorDiv, Mod
from tensorc.ir.verifier import verify
from tensorc.passes.vjp_rules import NOT_DIFFERENTIABLE, STEPS, VJP_RULES

COMPUTED_PLACES = (TakeAlongAxis, Gather, Scatter)

_OPS = tuple(RECIPES)
_SLOW = {  # to compile: long expansions
    *(cls for cls in _OPS if EXACT not in cls.traits and cls.scalar),
    *(LogSoftmax, FloorDiv, Mod),
}
_WEIGHTS = [1 if cls in _SLOW else 2 for cls in _OPS]
_COUNTS = (3, 4, 5, 7, 8, 8, 8, 8, 9, 10)  # ops that are asked for
_WITH_UPDATES, _WITH_COST, _SHOWN = 0.25, 0.4, 0.12
_MOST_SLOPES = 10  # entries below a cost: there are twice as many for its derivatives


def generate(seed: int, number: int) -> Program:
    """Return a program; numbers count from 0."""
    for attempt in itertools.count():
        program = _attempt(random.Random(f"{seed} {number} {attempt}"), number)
        missing = unbound(program)
        known = with_known(program, missing)
        if (missing or 0 in program.sizes.values()) and not _fits(known):
            continue  # an extreme of what turned out to be empty
        return replace(known, about=f"seed {seed}, program {number}")
    raise AssertionError


def _fits(program: Program) -> bool:
    try:
        verify(module_of([program]), "tensor")
    except (ShapeError, VerifyError):
        return False
    return True


def _attempt(rng: random.Random, number: int) -> Program:
    m = Maker(rng)
    wanted = rng.choice(_COUNTS)
    for _ in range(8 * wanted):
        if sum(isinstance(e, Apply) for e in m.entries) >= wanted:
            break
        (cls,) = rng.choices(_OPS, _WEIGHTS)
        try:
            RECIPES[cls](m, cls)
        except ShapeError:
            continue  # an equation that earlier ones contradict
    cost, wrt = _cost(m)
    entries = range(len(m.entries))
    made = [i for i in entries if isinstance(m.entries[i], Apply)]
    results = [
        i for i in made if i != cost and (not m.uses[i] or rng.random() < _SHOWN)
    ]
    if not results and cost is None:
        results = made[-1:] or [0]
    program = Program(
        f"p{number}",
        tuple(m.entries),
        tuple(results),
        dict(m.sizes),
        cost=cost,
        wrt=tuple(wrt),
    )
    return without_dead(_with_updates(program, m))


def _with_updates(program: Program, m: Maker) -> Program:
    """Let some values be the new ones of shared arguments."""
    if m.rng.random() >= _WITH_UPDATES:
        return program
    entries, updates = list(program.entries), list[tuple[int, int]]()
    for place, entry in enumerate(program.entries):
        if not isinstance(entry, Given) or entry.below is not None:
            continue
        if f"${entry.name}" in program.sizes or place in program.wrt:
            continue
        type_ = m.type_of(place)
        new = [i for i in range(len(entries)) if i != place and m.type_of(i) == type_]
        if new:
            entries[place] = replace(entry, shared=True)
            updates.append((place, m.rng.choice(new)))
    return replace(program, entries=tuple(entries), updates=tuple(updates))


def _cost(m: Maker) -> tuple[int | None, list[int]]:
    """Append a cost to some programs; return it and the arguments that it follows."""
    paths = _differentiable(m)
    if not paths or m.rng.random() >= _WITH_COST:
        return None, []
    place = m.rng.choice(list(paths))
    wrt = m.rng.sample(sorted(paths[place]), min(len(paths[place]), 2))
    cost = place
    if m.rng.random() < 0.5:
        weight = m.partner(m.type_of(cost))
        if weight not in _of_places(m):
            cost = m.apply(Mul, (cost, weight))
    while m.type_of(cost).rank:
        axis = m.type_of(cost).rank - 1
        cost = m.apply(Sum, (cost,), axis=axis, order=LANES_ORDER)
    return cost, wrt


def _differentiable(m: Maker) -> dict[int, set[int]]:
    """Return values that follow from arguments by ops with derivatives alone."""
    paths: dict[int, set[int]] = {}
    for place, entry in enumerate(m.entries):
        if not m.type_of(place).element.is_float:
            continue
        if isinstance(entry, Given):
            paths[place] = {place}
        elif entry.cls in VJP_RULES:
            found = [paths[o] for o in entry.operands if o in paths]
            if found:
                paths[place] = set[int]().union(*found)
    scratch = Program("", tuple(m.entries), (), {})
    refused = _of_places(m)
    return {
        place: found
        for place, found in paths.items()
        if isinstance(m.entries[place], Apply)
        and place not in refused
        and len(needed_by(scratch, [place])) <= _MOST_SLOPES
    }


def _of_places(m: Maker) -> set[int]:
    """Return what is computed from places of extremes: `grad` refuses such a cost."""
    found: set[int] = set()
    for place, entry in enumerate(m.entries):
        if isinstance(entry, Given) or entry.cls in STEPS:
            continue
        operands = entry.operands
        if entry.cls in COMPUTED_PLACES:  # where to read is no path of a derivative
            operands = operands[: 2 if entry.cls is Scatter else 1]
        if entry.cls in NOT_DIFFERENTIABLE or found & set(operands):
            found.add(place)
    return found
