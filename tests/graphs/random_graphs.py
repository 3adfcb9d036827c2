"""Random graphs of the Python doors: the same seed and number give the same graph.

A graph has inputs, shared variables and formulas of them, among these conditions,
derivatives and their derivatives. Of some formulas functions are made, with updates and
givens, listed in an order that the caller draws: what they compute must not depend on
it.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

import numpy as np

import tensorc as tc
from tensorc.frontend.python.graph.regions import Derivative
from tensorc.frontend.python.graph.walks import ordered, parents

# What a shape is called. Sizes of inputs are unknown, those of memory known.
SHAPES: Mapping[str, tuple[int, ...]] = {"s": (), "v": (4,), "w": (3,), "m": (3, 4)}
TYPES = ("float64", "float64", "float32")
INDEX = np.array([2, 0, 3, 1])


@tc.jit
def traced(x):
    return np.tanh(x) * 2 - x


# Its derivative is the true one, written by hand.
own = tc.custom_gradient(
    lambda x: tc.sin(x) * x, lambda x, ct: ct * (tc.cos(x) * x + tc.sin(x))
)


@dataclass(frozen=True, eq=False)
class Term:
    """A variable with what is known of it: the letter of its shape, its type."""

    tensor: tc.Tensor
    kind: str
    dtype: str


Pairs = list[tuple[Term, Term]]


@dataclass(frozen=True)
class Wanted:
    """What a function is to be made of, besides the inputs."""

    outputs: list[Term]
    updates: Pairs
    givens: Pairs


@dataclass
class Graph:
    """Formulas, the leaves under them, and what functions are made of."""

    inputs: list[Term] = field(default_factory=list)
    shared: list[Term] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    roots: list[Term] = field(default_factory=list)
    plans: list["Wanted"] = field(default_factory=list)
    data: list[np.ndarray] = field(default_factory=list)
    made_of: list[str] = field(default_factory=list)


# Formulas: kinds of operands, kind of the result, the function.

UNARY: Mapping[str, Callable[[tc.Tensor], tc.Tensor]] = {
    "tanh": lambda x: tc.tanh(x),
    "sigmoid": lambda x: tc.sigmoid(x),
    "sin": lambda x: tc.sin(x),
    "square": lambda x: x * x,
    "neg": lambda x: -x,
    "exp": lambda x: tc.exp(-abs(x)),
    "log1p": lambda x: tc.log1p(x * x),
    "relu": lambda x: tc.maximum(x, 0),
    "where": lambda x: tc.where(x > 0.25, x, 2 * x),
    "traced": lambda x: traced(1 * x),  # of a formula: memory would be read
    "own": lambda x: own(x),
    "along": lambda x: tc.Rop(tc.sin(x) * x, x, 1 * x),
    "back": lambda x: tc.Lop(tc.tanh(x) * x, x, 1 * x),
    "cast": lambda x: x.astype("float32").astype(x.dtype),
    "more": lambda x: x + 1,
}
BINARY: Mapping[str, Callable[[tc.Tensor, tc.Tensor], tc.Tensor]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / (1 + y * y),
    "maximum": lambda x, y: tc.maximum(x, y),
    "equal": lambda x, y: x + (x == y),
}
# Which shapes meet by broadcasting.
MEETS = ("ss", "vv", "ww", "mm", "sv", "vm", "sm", "ms", "mv", "vs", "ws")
SHAPED: tuple[tuple[str, str, str, Callable[..., tc.Tensor]], ...] = (
    ("sum", "v", "s", lambda x: x.sum()),
    ("mean", "w", "s", lambda x: x.mean()),
    ("sum all", "m", "s", lambda x: x.sum()),
    ("logsumexp", "v", "s", lambda x: tc.logsumexp(x)),
    ("max", "m", "w", lambda x: x.max(axis=1)),
    ("rows", "m", "v", lambda x: x.mean(axis=0)),
    ("columns", "m", "w", lambda x: x.sum(axis=1)),
    ("at", "v", "s", lambda x: x[1]),
    ("row", "m", "v", lambda x: x[-1]),
    ("reversed", "v", "v", lambda x: x[::-1]),
    ("picked", "v", "v", lambda x: x[INDEX]),
    ("columns picked", "m", "m", lambda x: x[:, INDEX]),
    ("half", "v", "v", lambda x: tc.concatenate([x[2:], x[: x.shape[0] - 2]])),
    ("set", "vs", "v", lambda x, y: x.at[1].set(y)),
    ("added", "mv", "m", lambda x, y: x.at[1].add(y)),
    ("part set", "v", "v", lambda x: tc.inc_subtensor(x[1:3], 1.0)),
    ("product", "mv", "w", lambda x, y: x @ y),
    ("from the left", "wm", "v", lambda x, y: x @ y),
    ("dot", "vv", "s", lambda x, y: tc.dot(x, y)),
    ("outer", "wv", "m", lambda x, y: x.dimshuffle(0, "x") * y),
    ("gram", "m", "w", lambda x: (x @ x.T).sum(axis=0)),
    ("size", "v", "v", lambda x: x / x.shape[0]),
    ("shaped", "m", "m", lambda x: x.flatten().reshape(x.shape)),
    ("spread", "vm", "m", lambda x, y: tc.broadcast_to(x, y.shape)),
    ("counted", "v", "v", lambda x: x + tc.arange(x.shape[0]).astype(x.dtype)),
)


Choose = Callable[[tc.Tensor, list[tc.Tensor], list[tc.Tensor]], list[tc.Tensor]]


def make(seed: int, number: int, choose: Choose = tc.ifelse) -> Graph:
    """Return a graph with everything but its functions; numbers count from 0.

    `choose` makes its conditions.
    """
    rng = random.Random(f"{seed} {number}")
    graph = Graph()
    for i in range(rng.randint(1, 3)):
        kind, dtype = rng.choice("svwmm"), rng.choice(TYPES)
        known = SHAPES[kind] if rng.random() < 0.2 else (None,) * len(SHAPES[kind])
        graph.inputs.append(Term(tc.tensor(f"x{i}", dtype, known), kind, dtype))
        graph.data.append(_array(rng, kind, dtype))
    for i in range(rng.randint(1, 3)):
        kind, dtype = rng.choice("svwm"), rng.choice(TYPES)
        memory = tc.shared(_array(rng, kind, dtype), f"W{i}")
        graph.shared.append(Term(memory, kind, dtype))
    graph.terms += [*graph.inputs, *graph.shared]
    for _ in range(rng.choice((3, 5, 8, 8, 12, 16, 24))):
        _grow(graph, rng, choose)
    if rng.random() < 0.1:
        _chain(graph, rng, rng.randint(20, 60))
    graph.roots = rng.sample(graph.terms, min(len(graph.terms), rng.randint(2, 5)))
    for _ in range(rng.choice((1, 1, 2))):
        graph.plans.append(_plan(graph, rng))
    return graph


def _array(rng: random.Random, kind: str, dtype: str) -> np.ndarray:
    shape = SHAPES[kind]
    count = int(np.prod(shape))
    numbers = [rng.choice((0.25, 1.0, rng.uniform(-2, 2))) for _ in range(count)]
    return np.array(numbers, dtype).reshape(shape)


def _grow(graph: Graph, rng: random.Random, choose: Choose) -> None:
    way = rng.random()
    if way < 0.3:
        _unary(graph, rng, rng.choice(graph.terms))
    elif way < 0.5:
        _binary(graph, rng)
    elif way < 0.7:
        _shaped(graph, rng)
    elif way < 0.85:
        _condition(graph, rng, choose)
    elif way < 0.94:
        _slope(graph, rng)
    else:
        _product(graph, rng)


def _add(graph: Graph, name: str, tensor: tc.Tensor, kind: str, dtype: str) -> Term:
    graph.made_of.append(name)
    term = Term(tensor, kind, dtype)
    graph.terms.append(term)
    return term


def _unary(graph: Graph, rng: random.Random, x: Term) -> Term:
    name = rng.choice(list(UNARY))
    return _add(graph, name, UNARY[name](x.tensor), x.kind, x.dtype)


def _binary(graph: Graph, rng: random.Random) -> None:
    x = rng.choice(graph.terms[-8:])
    partners = [
        y for y in graph.terms if y.dtype == x.dtype and x.kind + y.kind in MEETS
    ]
    y = rng.choice(partners)
    name = rng.choice(list(BINARY))
    kind = max(x.kind, y.kind, key=lambda k: len(SHAPES[k]))
    _add(graph, name, BINARY[name](x.tensor, y.tensor), kind, x.dtype)


def _shaped(graph: Graph, rng: random.Random) -> None:
    name, kinds, kind, function = rng.choice(SHAPED)
    dtype = rng.choice(TYPES)
    fits = [[t for t in graph.terms if (t.kind, t.dtype) == (k, dtype)] for k in kinds]
    if all(fits):
        given = [rng.choice(f).tensor for f in fits]
        _add(graph, name, function(*given), kind, dtype)


def _condition(graph: Graph, rng: random.Random, choose: Choose) -> None:
    """Add one or several values, which a condition on elements chooses."""
    tested = rng.choice(graph.terms[-8:]).tensor
    drawn = rng.sample(graph.terms, min(len(graph.terms), rng.randint(1, 3)))
    found = [(t, rng.choice(_like(graph, t))) for t in drawn if _like(graph, t)]
    ones, others = [[pair[i].tensor for pair in found] for i in (0, 1)]
    made = choose(tc.sum(tested) > rng.choice((0.0, 0.5, 2.0)), ones, others)
    for (term, _), chosen in zip(found, made, strict=True):
        _add(graph, "condition", chosen, term.kind, term.dtype)


def _slope(graph: Graph, rng: random.Random) -> None:
    """Add derivatives of a scalar by leaves, or by formulas it is made of."""
    x = rng.choice(graph.terms[-6:])
    cost = x.tensor if x.kind == "s" else tc.mean(tc.square(x.tensor))
    several = rng.sample(graph.terms, min(len(graph.terms), rng.randint(1, 3)))
    held = rng.sample(graph.terms, 1) if rng.random() < 0.15 else []
    slopes = tc.grad(
        cost,
        [t.tensor for t in several],
        consider_constant=[t.tensor for t in held if t not in several],
        disconnected_inputs="zeros",
    )
    assert isinstance(slopes, list)
    for term, slope in zip(several, slopes, strict=True):
        _add(graph, "grad", slope, term.kind, term.dtype)


def _product(graph: Graph, rng: random.Random) -> None:
    """Add a jacobian times a direction, or weights times a jacobian."""
    x = rng.choice(graph.terms[-6:])
    several = rng.sample(graph.terms, min(len(graph.terms), rng.randint(1, 3)))
    wrt = [t.tensor for t in several]
    if rng.random() < 0.5:
        along = [rng.choice([*_like(graph, t), t]).tensor for t in several]
        made = tc.Rop(x.tensor, wrt, along, disconnected_outputs="zeros")
        _add(graph, "Rop", made, x.kind, x.dtype)
        return
    weights = rng.choice([*_like(graph, x), x]).tensor
    made = tc.Lop(x.tensor, wrt, weights, disconnected_inputs="zeros")
    for term, slope in zip(several, made, strict=True):
        _add(graph, "Lop", slope, term.kind, term.dtype)


def _chain(graph: Graph, rng: random.Random, depth: int) -> None:
    term = rng.choice(graph.terms)
    for _ in range(depth):
        term = _unary(graph, rng, term)


# Functions


def _plan(graph: Graph, rng: random.Random) -> Wanted:
    outputs = rng.sample(graph.roots, rng.randint(1, len(graph.roots)))
    updates = []
    for memory in graph.shared:
        fits = _like(graph, memory)
        if fits and rng.random() < 0.6:
            updates.append((memory, rng.choice(fits)))
    keys = [
        t for t in graph.terms if rng.random() < (0.4 if t in graph.inputs else 0.05)
    ]
    pairs = [(k, rng.choice(_like(graph, k) or [k])) for k in keys]
    return Wanted(outputs, updates, _without_circles(pairs))


def _like(graph: Graph, term: Term) -> list[Term]:
    return [
        t
        for t in graph.terms
        if (t.kind, t.dtype) == (term.kind, term.dtype) and t is not term
    ]


def _without_circles(pairs: Pairs) -> Pairs:
    """Return the pairs that do not need each other."""
    kept: Pairs = []
    keys = [key.tensor.operand.value for key, _ in pairs]
    made_of: dict[object, set[object]] = {}
    for key, pair in zip(keys, pairs, strict=True):
        below = set(reachable([pair[1].tensor])) & {*keys} - {key}
        try:
            list(TopologicalSorter({**made_of, key: below}).static_order())
        except CycleError:
            continue
        if key not in made_of:
            made_of[key] = below
            kept.append(pair)
    return kept


def reachable(tensors: list[tc.Tensor]) -> list[object]:
    """Return the values that variables are made of, in order."""

    def made_of(op):
        return [*parents(op), *op.outs] if isinstance(op, Derivative) else parents(op)

    return ordered([t.operand.value for t in tensors], before=made_of)


def form(tensors: list[tc.Tensor]) -> list[object]:
    """Return a graph as plain data: equal for graphs that share the same nodes."""
    values = reachable(tensors)
    place = {v: i for i, v in enumerate(values)}
    made: list[object] = [place[t.operand.value] for t in tensors]
    for value in values:
        op = value.op
        if op is None:
            made.append((type(value).__name__, value.hint, len(value.type.shape)))
            continue
        inner = len(op.inner) if isinstance(op, Derivative) else 0
        operands = [place[o] for o in op.operands]
        first = place[next(r for r in op.results if r in place)]
        made.append((op.name, operands, value.index, first, inner, value.hint))
    return made
