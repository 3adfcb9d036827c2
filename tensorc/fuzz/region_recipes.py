"""How to use ops with regions: branches, loops, derivatives in both directions."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tensorc.fuzz.dependence import differentiable
from tensorc.fuzz.maker import MOST_ELEMENTS, Maker, fits
from tensorc.fuzz.program import LoopNode, RandomProgram
from tensorc.fuzz.recipes import RECIPES, Recipe
from tensorc.ir.attributes import Attribute, Dims
from tensorc.ir.core import Op
from tensorc.ir.dims import Dim
from tensorc.ir.numerics import LANES_ORDER
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import Jvp, StopGradient, Vjp
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.ops.tensor import indexing, transcendental
from tensorc.ir.ops.tensor.reductions import Max, Sum
from tensorc.ir.types import I1, I64, TensorType

_KNOWN, _NEGATED = 0.06, 0.15  # of the conditions
_NESTED = 0.2  # of what a branch yields
_WORKED, _READ = 0.7, 0.3  # of what a branch yields: computed there, read at indices
_RESULTS = (1, 1, 1, 2, 2, 3)
_MOST_STEPS, _DEEPEST = 24, 2  # of a loop, and loops in each other
_IN_BRANCHES: tuple[type[Op], ...] = (
    *(ew.Neg, ew.Add, ew.Sub, ew.Mul, ew.Maximum, ew.Exp, ew.Log, ew.And, ew.Or),
    transcendental.Sin,
)


def choice(m: Maker) -> int:
    """Append a `tc.if`: what its branches alone need is going to be inside."""
    condition = _condition(m)
    then: list[int] = []
    otherwise: list[int] = []
    for _ in range(m.rng.choice(_RESULTS)):
        first = choice(m) if m.chance(_NESTED) else m.primary()
        second = m.partner(m.type_of(first))
        if second == first:
            second = m.constant(m.type_of(first))
        if m.chance(0.5):
            first, second = second, first
        then.append(_worked(m, first))
        otherwise.append(_worked(m, second))
    return m.choose(condition, then, otherwise)


def _condition(m: Maker) -> int:
    """Return a boolean without axes: computed from values, given, or a constant."""
    if m.chance(_NEGATED):
        return m.apply(ew.Not, (_condition(m),))
    type_ = TensorType((), I1)
    if m.chance(_KNOWN):
        return m.constant(type_)
    found = m.indices(lambda t: t == type_)
    if found and m.chance(0.4):
        return m.pick(found)
    if m.may_give() and m.chance(0.3):
        return m.given(type_)
    value = m.primary("number")
    while m.type_of(value).rank:
        value = _less_by_an_axis(m, value)
    predicate = m.rng.choice(list(ew.PREDICATES))
    return m.apply(
        ew.Compare, (value, m.partner(m.type_of(value))), predicate=predicate
    )


def _less_by_an_axis(m: Maker, value: int) -> int:
    shape = m.type_of(value).shape
    axis = len(shape) - 1
    if m.number(shape[axis]) and m.chance(0.5):
        return m.apply(Max, (value,), axes=(axis,))
    return m.apply(Sum, (value,), axes=(axis,), order=LANES_ORDER)


def _worked(m: Maker, value: int) -> int:
    """Append ops that keep a type, for a branch to compute."""
    while m.chance(_WORKED):
        type_ = m.type_of(value)
        is_read = type_.rank and m.may_give() and m.chance(_READ)
        if is_read and m.number(type_.shape[0]):
            dims = type_.shape[:1]
            index = m.given(TensorType(dims, m.element("integer")), dims[0])
            value = m.apply(indexing.Gather, (value, index), axes=(0,))
            continue
        fitting = [
            c
            for c in _IN_BRANCHES
            if fits(str(getattr(c, "domain", "float")), type_.element)
        ]
        if not fitting:
            break
        cls = m.rng.choice(fitting)
        operands = [value, m.partner(type_)] if hasattr(cls, "lhs") else [value]
        value = m.apply(cls, operands)
    return value


def loop(m: Maker) -> int | None:
    """Append a `tc.scan`, whose steps are programs of a few ops."""
    if m.depth >= _DEEPEST:
        return None
    lengths = [d for d in m.palette if m.number(d) <= _MOST_STEPS]
    length = m.rng.choice(lengths) if lengths and m.chance(0.7) else m.below(5)
    inits = [m.primary() for _ in range(m.rng.choice((0, 1, 1, 1, 2, 2)))]
    sequences = [_sequence(m, length) for _ in range(m.rng.choice((0, 1, 1, 2)))]
    captures = [m.primary() for _ in range(m.rng.choice((0, 0, 1, 1, 2)))]
    operands = (*inits, *sequences, *captures)
    types = [TensorType((), I64), *[m.type_of(i) for i in inits]]
    for index in sequences:
        whole = m.type_of(index)
        types.append(TensorType(whole.shape[1:], whole.element))
    types += [m.type_of(i) for i in captures]
    step = m.step(types)
    for _ in range(m.below(4)):
        cls = m.rng.choice((*RECIPES, *(If, Scan) * 4))
        (REGION_RECIPES if cls in REGION_RECIPES else RECIPES)[cls](step, cls)
    results = [_worked(step, 1 + i) for i in range(len(inits))]
    results += [step.primary() for _ in range(m.below(3) if inits else 1)]
    made = RandomProgram("step", tuple(step.entries), tuple(results), {})
    attributes: dict[str, Attribute] = {
        "carried": len(inits),
        "sliced": len(sequences),
        "length": Dims((length,)),
        "reverse": m.chance(0.3),
    }
    return m.repeat(LoopNode(Scan, operands, attributes, made))


def _sequence(m: Maker, length: Dim) -> int:
    """Return a value whose leading axis is a loop's."""
    found = m.indices(lambda t: t.rank > 0 and t.shape[0] == length)
    if found and m.chance(0.7):
        return m.pick(found)
    shape = m.shape()
    if m.number(length) * m.count(shape) > MOST_ELEMENTS:
        shape = ()
    type_ = TensorType((length, *shape), m.element())
    return m.given(type_) if m.may_give() else m.partner(type_)


def _derivative(m: Maker, cls: type[Op]) -> int | None:
    """Append a derivative in one direction of values by arguments, or by values."""
    found = _outs_and_by(m)
    if found is None:
        return None
    outs, by = found
    like = by if cls is Jvp else outs
    return m.derive(cls, outs, by, [m.partner(m.type_of(index)) for index in like])


def both_directions(m: Maker, outs: Sequence[int], by: Sequence[int]) -> None:
    """Append and show what goes forward and what goes backward: a law joins them."""
    tangents = [m.given(m.type_of(index)) for index in by]
    cotangents = [m.given(m.type_of(index)) for index in outs]
    for cls, directions in ((Jvp, tangents), (Vjp, cotangents)):
        m.shown.update(m.results_of(m.derive(cls, outs, by, directions)))


def _outs_and_by(m: Maker) -> tuple[list[int], list[int]] | None:
    paths = differentiable(m)
    if not paths:
        return None
    count = 2 if len(paths) > 1 and m.chance(0.3) else 1
    outs = m.rng.sample(sorted(paths), count)
    known = sorted(set[int]().union(*(paths[out] for out in outs)))
    return outs, m.rng.sample(known, min(len(known), 2))


def _dual(m: Maker, cls: type[Op]) -> int | None:
    """Append a derivative; more often both directions, which a law joins."""
    found = _outs_and_by(m) if m.chance(0.6) else None
    if found is None:
        return _derivative(m, cls)
    both_directions(m, *found)
    return len(m.entries) - 1


REGION_RECIPES: Mapping[type[Op], Recipe] = MappingProxyType(
    {
        If: lambda m, cls: choice(m),
        Scan: lambda m, cls: loop(m),
        Jvp: _dual,
        Vjp: _dual,
        StopGradient: lambda m, cls: m.apply(cls, (m.primary("float"),)),
    }
)
ALL_RECIPES: Mapping[type[Op], Recipe] = MappingProxyType({**RECIPES, **REGION_RECIPES})
