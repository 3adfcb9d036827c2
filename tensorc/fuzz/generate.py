"""Random programs: the same seed and number give the same program.

A program is ops, one after the other, each by its recipe, until there are as many as
were drawn; whatever no op reads is a result. Now and then it is a spelling that some
rewrite looks for, or what must equal an earlier value by a law. Then some values update
shared arguments, and half of the programs get a cost and its derivatives. Most are
short: they show what long ones do, and many more of them are compiled in a minute.
"""

import itertools
import random
from dataclasses import replace

from tensorc.errors import ShapeError, VerifyError
from tensorc.fuzz.dependence import differentiable, from_indices
from tensorc.fuzz.emission import module_of
from tensorc.fuzz.idioms import Unspellable, spell
from tensorc.fuzz.laws import add_twin
from tensorc.fuzz.maker import Maker, theme_of
from tensorc.fuzz.program import (
    REGIONS,
    ArgumentNode,
    OpNode,
    RandomProgram,
    ResultNode,
    needed_by,
    unbound,
    with_known,
    without_dead,
)
from tensorc.fuzz.region_recipes import ALL_RECIPES, REGION_RECIPES
from tensorc.fuzz.window_recipes import WINDOW_RECIPES
from tensorc.ir.core import Op
from tensorc.ir.levels import Level
from tensorc.ir.numerics import LANES_ORDER
from tensorc.ir.opdef import EXACT
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import Jvp, StopGradient, Vjp
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.tensor.cumulative import CUMULATIVE
from tensorc.ir.ops.tensor.elementwise import PREDICATES, Cast, Compare, Mul
from tensorc.ir.ops.tensor.indexing import Gather, Scatter
from tensorc.ir.ops.tensor.making import Iota
from tensorc.ir.ops.tensor.nn import LogSoftmax, Softmax
from tensorc.ir.ops.tensor.order import ORDERS, ArgSort, SearchSorted
from tensorc.ir.ops.tensor.products import MatMul
from tensorc.ir.ops.tensor.random import RandomBits
from tensorc.ir.ops.tensor.reductions import Along, ExtremeIndex, Sum, Top1
from tensorc.ir.ops.tensor.rounding import FloorDiv, Mod
from tensorc.ir.ops.tensor.shape import Reshape, Slice, Transpose, Unslice
from tensorc.ir.verifier import verify
from tensorc.passes.tensor.ad.rules import VJP_RULES

_OPS = tuple(ALL_RECIPES)
_SHARES: dict[type[Op], float] = {  # less of what takes long to compile
    **{cls: 0.8 for cls in _OPS if EXACT not in cls.traits and cls.scalars},
    **{**dict.fromkeys(CUMULATIVE, 0.6), Softmax: 0.35, LogSoftmax: 0.35},
    **{FloorDiv: 0.8, Mod: 0.8, If: 7.0, Jvp: 3.0, Vjp: 3.0, Scan: 5.0},
    **{ArgSort: 4.0, SearchSorted: 4.0},  # without a derivative
    **{StopGradient: 0.7, Slice: 4.0, **dict.fromkeys(WINDOW_RECIPES, 0.8)},
}
_REGION_OPS = (*REGIONS, Scan)
THEME = 32  # programs that share their dimensions, and so the kernels of products
_ELSEWHERE = 1_000_000  # from a theme to that of another attempt
_COUNTS = (1, 2, 2, 3, 3, 4, 5, 6, 8)  # ops that are asked for
_SLOPE_COUNTS = (1, 1, 1, 2, 2, 3, 5)
_WITH_UPDATES, _WITH_COST, _BY_ROWS, _SHOWN = 0.35, 0.6, 0.5, 0.12
_EXCHANGED = 0.8  # of the arguments of one type that are updated
_UNREAD = 0.4  # of the results of ops with several that nothing reads
_RETURNED = 0.1  # of the arguments that are updated, the old value
_SPELLED, _TWINS, _VARIED = 0.15, 0.05, 0.05  # of the ops
_MOST_SURVEYED = 24  # entries below a cost of the survey
_MIXES_ROWS = (
    *(Transpose, Reshape, Slice, Unslice, Scatter, Gather, Iota, RandomBits),
    *(Jvp, Vjp, Scan, *WINDOW_RECIPES, *ORDERS, SearchSorted),
)


def _weights(rows: bool, slopes: bool) -> list[float]:
    """Return how often each op is asked for: less if it takes long to compile."""
    weights = [_SHARES.get(cls, 2.0) for cls in _OPS]
    for number, cls in enumerate(_OPS):
        is_smooth = cls in VJP_RULES or (cls in REGION_RECIPES and cls is not Scan)
        if (rows and cls in _MIXES_ROWS) or (slopes and not is_smooth):
            weights[number] *= 0.15
        if cls is MatMul:
            weights[number] *= 2
    return weights


def generate(seed: int, number: int) -> RandomProgram:
    """Return a program; numbers count from 0."""
    for attempt in itertools.count():
        program = _attempt(seed, number, attempt)
        if program is None:
            continue
        missing = unbound(program)
        known = with_known(program, missing)
        if (missing or 0 in program.sizes.values()) and not fits_a_module(known):
            continue  # an extreme of what turned out to be empty
        return replace(known, about=f"seed {seed}, program {number}")
    raise AssertionError


def fits_a_module(program: RandomProgram) -> bool:
    """Return whether a program's function is valid."""
    try:
        verify(module_of([program]), Level.TENSOR)
    except (ShapeError, VerifyError):
        return False
    return True


def _attempt(seed: int, number: int, attempt: int) -> RandomProgram | None:
    rng = random.Random(f"{seed} {number} {attempt}")
    slopes = rng.random() < _WITH_COST
    rows = not slopes and rng.random() < _BY_ROWS
    # Another attempt is another theme: of this one nothing may be possible.
    theme = theme_of(seed, number // THEME + attempt * _ELSEWHERE)
    m = Maker(rng, theme, rows, slopes)
    wanted = rng.choice(_SLOPE_COUNTS if slopes else _COUNTS)
    weights = _weights(rows, slopes)
    for _ in range(8 * wanted):
        if sum(isinstance(e, OpNode) for e in m.entries) >= wanted:
            break
        try:
            _step(m, weights)
        except ShapeError:
            continue  # an equation that earlier ones contradict
    cost, wrt = _cost(m) if slopes else (None, [])
    if not m.holds(m.sizes):
        return None  # an op has made a size that is no 1 one, say
    entries = range(len(m.entries))
    made = [i for i in entries if not isinstance(m.entries[i], ArgumentNode)]
    results = [
        i
        for i in made
        if i != cost and (_is_unread(m, i) or i in m.shown or rng.random() < _SHOWN)
    ]
    if not results and cost is None:
        results = made[-1:] or [0]
    program = RandomProgram(
        f"p{number}",
        tuple(m.entries),
        tuple(results),
        dict(m.sizes),
        cost=cost,
        wrt=tuple(wrt),
    )
    return without_dead(_with_updates(program, m))


def _is_unread(m: Maker, index: int) -> bool:
    """Return whether nothing reads a value; one of several results may stay unread."""
    is_one_of_several = (
        isinstance(m.entries[index], ResultNode) or len(m.results_of(index)) > 1
    )
    return not m.uses[index] and not (is_one_of_several and m.chance(_UNREAD))


def _step(m: Maker, weights: list[float]) -> None:
    """Append an op, a spelling, or a twin of what is there, which is a result then."""
    if m.chance(_SPELLED):
        spell(m)
        return
    made = [i for i, e in enumerate(m.entries) if isinstance(e, OpNode)]
    if made and m.chance(_TWINS):
        add_twin(m, m.rng.choice(made))
        return
    plain = [i for i in made if m.entries[i].cls not in _REGION_OPS]  # type: ignore[union-attr]
    if plain and m.chance(_VARIED):
        _vary(m, m.rng.choice(plain))
        return
    (cls,) = m.rng.choices(_OPS, weights)
    index = ALL_RECIPES[cls](m, cls)
    if index is not None and cls is MatMul and m.chance(4 * _TWINS):
        add_twin(m, index)


def _vary(m: Maker, index: int) -> None:
    """Append an op once more, with its operands swapped or another attribute.

    What looks equal and is not: no pass may take one for the other.
    """
    entry = m.entries[index]
    assert isinstance(entry, OpNode)
    attributes = dict(entry.attributes)
    operands = entry.operands
    if entry.cls is Compare:
        attributes["predicate"] = m.rng.choice(list(PREDICATES))
    elif entry.cls is Cast:
        attributes["element"] = m.element()
    elif "axis" in attributes and len(operands) == 1 and m.type_of(operands[0]).rank:
        attributes["axis"] = m.below(m.type_of(operands[0]).rank)
    elif issubclass(entry.cls, Along | ExtremeIndex | Top1):
        axes = range(m.type_of(operands[0]).rank)
        count = m.rng.randint(1, len(axes))
        attributes["axes"] = tuple(sorted(m.rng.sample(axes, count)))
    elif len(operands) == 2:
        operands = operands[::-1]
    m.shown |= {index, m.apply(entry.cls, operands, **attributes)}


def _with_updates(program: RandomProgram, m: Maker) -> RandomProgram:
    """Let some values be the new ones of shared arguments."""
    if m.rng.random() >= _WITH_UPDATES:
        return program
    entries, updates = list(program.entries), dict[int, int]()
    results = program.results
    for index, entry in enumerate(program.entries):
        if not isinstance(entry, ArgumentNode) or entry.below is not None:
            continue
        if f"${entry.name}" in program.sizes or index in program.wrt:
            continue
        type_ = m.type_of(index)
        new = [i for i in range(len(entries)) if i != index and m.type_of(i) == type_]
        if new:
            # More often one that is made of the old value: it may be written over it.
            own = [i for i in new if index in needed_by(program, [i])]
            entries[index] = replace(entry, shared=True)
            updates[index] = m.rng.choice(own if own and m.chance(0.7) else new)
            results += (index,) if m.chance(_RETURNED) else ()
    _exchange(m, updates)
    renewed = tuple(updates.items())
    return replace(program, entries=tuple(entries), results=results, updates=renewed)


def _exchange(m: Maker, updates: dict[int, int]) -> None:
    """Let arguments of one type hand their values on, in a ring or in a line.

    What is written over is needed once more: by the next one.
    """
    for index in list(updates):
        ring = [p for p in updates if m.type_of(p) == m.type_of(index)]
        if index == ring[0] and len(ring) > 1 and m.chance(_EXCHANGED):
            m.rng.shuffle(ring)
            begin = 0 if m.chance(0.6) else 1  # the first one gets what was made
            for at in range(begin, len(ring)):
                updates[ring[at]] = ring[at - 1]


def _cost(m: Maker) -> tuple[int | None, list[int]]:
    """Append a cost to some programs; return it and the arguments that it follows."""
    paths = differentiable(m)
    if not paths:
        return None, []
    # The later of two: more ops lead to it.
    index = max(m.rng.choice(list(paths)) for _ in range(2))
    wrt = m.rng.sample(sorted(paths[index]), min(len(paths[index]), 2))
    cost = index
    if m.rng.random() < 0.5:
        weight = m.partner(m.type_of(cost))
        if weight not in from_indices(m):
            cost = m.apply(Mul, (cost, weight))
    return _summed(m, cost), wrt


def weighted_cost(m: Maker, index: int) -> tuple[int, list[int]]:
    """Append a cost that follows each element of a value by a number of its own.

    Raises:
        Unspellable: no argument leads to the value by ops with derivatives.
    """
    wrt = sorted(differentiable(m, _MOST_SURVEYED).get(index, ()))
    if not wrt:
        raise Unspellable("no argument leads to the cost")
    weight = m.given(m.type_of(index))
    return _summed(m, m.apply(Mul, (index, weight))), wrt


def _summed(m: Maker, cost: int) -> int:
    while m.type_of(cost).rank:
        axis = m.type_of(cost).rank - 1
        cost = m.apply(Sum, (cost,), axes=(axis,), order=LANES_ORDER)
    return cost
