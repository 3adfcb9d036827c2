"""Programs that come first, and that chance does not choose.

Random programs seldom meet a rule with each type, or an update beside a transposed
reader. Here are all of a kind, in turn: rules and derivatives, ops with each element
type, pairs of movements, products, updates in place, and chains of values that live at
the same time. Details (an axis, a number, what an operand is) follow from the seed.

A light program is interpreted before and after the passes of the TENSOR level alone:
no more is needed for a rule or a derivative, and it takes a tenth of the time.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from tensorc.errors import ShapeError
from tensorc.floats import has_bfloat16
from tensorc.fuzz import updates
from tensorc.fuzz.dependence import differentiable
from tensorc.fuzz.generate import fits_a_module, weighted_cost
from tensorc.fuzz.idioms import RULES, Unspellable, spell
from tensorc.fuzz.maker import Maker, Theme, fits
from tensorc.fuzz.program import (
    ArgumentNode,
    Ask,
    RandomProgram,
    unbound,
    with_known,
    without_dead,
)
from tensorc.fuzz.recipes import RECIPES
from tensorc.fuzz.region_recipes import ALL_RECIPES, both_directions, choice, loop
from tensorc.fuzz.window_recipes import WINDOW_RECIPES
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Op
from tensorc.ir.dims import Dim, symbol
from tensorc.ir.numerics import FMA_ORDER, LANES_ORDER
from tensorc.ir.opdef import ELEMENTWISE, EXACT
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import Jvp, Vjp
from tensorc.ir.ops.tensor import (
    elementwise,
    indexing,
    reductions,
    shape,
    transcendental,
)
from tensorc.ir.ops.tensor.convolution import Windows
from tensorc.ir.ops.tensor.cumulative import CUMULATIVE, CumSum, Recurrence
from tensorc.ir.ops.tensor.elementwise import PREDICATES, Cast, Compare, Select
from tensorc.ir.ops.tensor.nn import LogSoftmax, Softmax
from tensorc.ir.ops.tensor.products import MatMul
from tensorc.ir.types import ELEMENTS, F32, F64, I1, Element, TensorType
from tensorc.passes.common.rewriter import Rule
from tensorc.passes.tensor import simplify
from tensorc.passes.tensor.ad.rules import VJP_RULES

Extras = dict[str, object]  # fields of a program beside its entries

N, M, K = symbol("N"), symbol("M"), symbol("K")
# Without the package that has its arrays there is no bf16.
_NONE = {"index"} if has_bfloat16() else {"index", "bf16"}
TYPES = tuple(e for name, e in ELEMENTS.items() if name not in _NONE)
_FLOATS = tuple(e for e in TYPES if e.is_float)
_MOVEMENTS = (
    *(shape.Broadcast, shape.Reshape, shape.Transpose, shape.Slice, shape.Unslice),
    *(shape.Concatenate, indexing.Gather, reductions.Sum),
)
_REDUCTIONS = (
    *(reductions.Sum, reductions.Prod, reductions.Max, reductions.Min),
    *(reductions.ArgMax, reductions.ArgMin, reductions.Any, reductions.All),
    reductions.Top1,
)
_NEED_ELEMENTS = (
    *(reductions.Max, reductions.Min, reductions.ArgMax, reductions.ArgMin),
    reductions.Top1,
)
_BY_NUMBERS = (
    *(elementwise.Add, elementwise.Sub, elementwise.Mul, elementwise.Div),
    *(elementwise.Maximum, elementwise.Minimum),
)
_NUMBERS = (0.1, -0.7, 2.5, 1.0, 3.0, -0.25)
_TRIES = 30
_TAME_ABOVE = 512
_SPELLINGS, _VARIANTS = 3, 4  # of a rule in a program; of the derivative of an op


@dataclass(frozen=True, slots=True)
class Item:
    """How to make a program; `sizes` are those of each call, of its symbols."""

    make: partial[Extras]
    dims: tuple[Dim, ...]
    sizes: tuple[Mapping[str, int], ...] = ({},)
    kinds: tuple[str, ...] = ("tame", "nasty", "zeros")
    slopes: bool = False
    each: bool = False  # element by element
    group: object = None  # items of one function that show other things than others


# What is the same for all: nothing, one, both sides of a vector and of a tile.
_TABLES = ({"N": 17, "M": 9}, {"N": 33, "M": 40}, {"N": 1, "M": 1}, {"N": 9, "M": 16})
_EMPTY = ({"N": 0, "M": 3}, {"N": 4, "M": 0})
# Of known sizes: sums of more than a block of terms, and of fewer than a vector.
_KNOWN: tuple[tuple[Dim, ...], ...] = ((1030, 3), (3, 1030), (37, 31))
_AXES = ((0,), (1,), (0, 1))
_LONG = ({"N": 2, "M": 1030}, {"N": 1030, "M": 2})
_SMALL: tuple[tuple[Dim, ...], ...] = ((3,), (4, 3), (2, 3, 4), (3, 1))


def light_items() -> Iterator[Item]:
    """Yield what is interpreted alone: rules, derivatives, what looks equal, casts."""
    for number, rule in enumerate(RULES):
        exact = rule in simplify.RULES
        for element in (*_FLOATS, None) if exact else (_FLOATS[1 + number % 2],):
            dims = _SMALL[number % len(_SMALL)]
            yield Item(partial(_rule, rule, element), dims)
    for cls, variant in itertools.product(VJP_RULES, range(_VARIANTS)):
        if ELEMENTWISE in cls.traits and variant > 1:
            continue  # of these the axes are nothing to go wrong
        kinds: tuple[str, ...] = ("tame", "positive")
        if cls in _REDUCTIONS:
            kinds += ("level",) * 3  # of ties only some lines tell
        yield Item(partial(_slope, cls), _SMALL[variant], kinds=kinds, slopes=True)
        both = partial(_directions, cls)
        yield Item(both, _SMALL[variant], kinds=kinds, slopes=True)
    for dims, cls in itertools.product(_SMALL * 3, (If, Jvp, Vjp)):
        yield Item(partial(_slope, cls), dims, slopes=True)
        yield Item(partial(_directions, cls), dims, slopes=True)
    for dims in _SMALL:
        yield Item(partial(_used_often), dims, slopes=True)
    for element in TYPES:
        yield Item(partial(_look_equal, element), (5, 7))
        yield Item(partial(_casts_twice, element), (40,))
    for first, second in itertools.product(_MOVEMENTS, repeat=2):
        yield Item(partial(_moved, first, second), (3,))


def heavy_items() -> Iterator[Item]:
    """Yield what is compiled."""
    for element in TYPES:
        real, tables = element.is_float, (*_TABLES, *_EMPTY)
        make = partial(_elementwise, element)
        yield Item(make, (N, M), tables, each=True, group=real)
        few = (*_TABLES[:2], *_EMPTY[:1])
        yield Item(partial(_casts, element), (N,), few, each=True, group=real)
        yield from _sums(element)
    slow = [c for c in RECIPES if EXACT not in c.traits and ELEMENTWISE in c.traits]
    for element, start in itertools.product(_FLOATS, range(0, len(slow), 3)):
        functions = partial(_functions, tuple(slow[start : start + 3]), element)
        lengths = ({"N": 17}, {"N": 200}, {"N": 1})
        yield Item(functions, (N,), lengths, each=True, group=element)
    yield from _products()
    square = ({"N": 9}, {"N": 17}, {"N": 40}, {"N": 1})
    called = ("tame", "nasty", "bad")
    for number, kind in enumerate(updates.KINDS):
        for where in updates.branches_of(kind, number):
            update = partial(updates.make, kind, where)
            together = updates.group(kind, where)
            yield Item(update, (N,), square, called, group=together)
    for first, last in itertools.product(_MOVEMENTS, repeat=2):
        yield Item(partial(_moved, first, last), (7, 3))
    for one, other in itertools.product(_INDEXED, repeat=2):
        sizes = ({"N": 5, "M": 2}, {"N": 9, "M": 1}, {"N": 3, "M": 7})
        kinds = ("tame", "nasty", "tame", "bad")
        yield Item(partial(_indexed_twice, one, other), (N, M), sizes, kinds)
    for number in range(24):
        of: tuple[Dim, ...] = (N, M) if number % 3 else (7, 3)
        asked = ("tame", "nasty", "bad")
        yield Item(partial(_branched), of, _TABLES, asked, group=number % 3)
    for number in range(16):
        of = (N, M) if number % 2 else (4, 3)
        asked = ("tame", "nasty", "bad")
        yield Item(partial(_repeated), of, _TABLES, asked, group=("loops", number % 2))
    yield from _steps()
    yield from _windows()


def _windows() -> Iterator[Item]:
    """Yield convolutions and windows of each type, padded, with strides and without."""
    for number, (cls, element) in enumerate(itertools.product(WINDOW_RECIPES, TYPES)):
        if element == I1 and cls is not Windows:
            continue
        few = (*_TABLES[:2], *_EMPTY[number % 2 :][:1])
        for dims in ((N, 5, M), (2, N, 3, 7), (3, 2, 6, 20)):
            yield Item(partial(_windowed, cls, element), dims, few)


def _sums(element: Element) -> Iterator[Item]:
    """Yield reductions: the order of a sum of floats shows, on each axis another."""
    for number, axes in enumerate(_AXES):
        real = element.is_float and number + 1
        some = partial(_reduced, element, axes, False)
        kinds = ("tame", "nasty", "zeros", "few", "few")
        sizes = (*_TABLES, *_LONG)
        yield Item(some, (N, M), sizes, kinds, group=("not of nothing", real))
        sums = partial(_reduced, element, axes, True)
        sizes = (*_TABLES[:2], *_EMPTY, *_LONG)
        yield Item(sums, (N, M), sizes, group=("any", real))
        yield Item(sums, _KNOWN[number], group=("known", real))


def _products() -> Iterator[Item]:
    sizes = [
        {"N": n, "K": k, "M": m}
        for n, k, m in (
            *((17, 9, 7), (33, 0, 40), (1, 129, 3), (7, 16, 17), (0, 3, 1)),
            *((40, 3, 24), (47, 2, 8), (3, 1025, 2), (9, 3, 300)),
        )
    ]
    names = ("f32", "f64")
    widths: tuple[Dim, ...] = (1, 5, 9, 260, M)
    for name, columns, left in itertools.product(names, widths, (False, True)):
        element = ELEMENTS[name]
        make = partial(_product, element, columns, left, False)
        yield Item(make, (N, K, M), tuple(sizes), group=(left, columns is M))
    for name in ("f16", "bf16", "f32", "i8", "i64", "ui16"):
        if name in _NONE:
            continue
        make = partial(_product, ELEMENTS[name], M, False, name == "f32")
        yield Item(make, (N, K, M), tuple(sizes))


def _steps() -> Iterator[Item]:
    for number in range(3):
        yield Item(partial(_chain, number), (N,), ({"N": 9}, {"N": 24}, {"N": 1}))
    for element, cls in itertools.product(_FLOATS, _BY_NUMBERS):
        lengths = ({"N": 17}, {"N": 200}, {"N": 1})
        yield Item(partial(_alike, element, cls), (N,), lengths, group=("alike", cls))


@cache
def items(light: bool) -> tuple[Item, ...]:
    """Return all programs that are light, or all that are not."""
    return tuple(light_items() if light else heavy_items())


def count() -> int:
    """Return how many programs there are."""
    return len(items(True)) + len(items(False))


@cache
def _order(seed: int, light: bool) -> tuple[int, ...]:
    """Return the order of items: one of each kind in turn, so that few come early."""
    rng = random.Random(f"{seed} {light}")
    kinds: dict[object, list[int]] = {}
    for number, item in enumerate(items(light)):
        kinds.setdefault((item.make.func, item.group), []).append(number)
    columns = list(kinds.values())
    for numbers in columns:
        rng.shuffle(numbers)
    rng.shuffle(columns)
    rows = itertools.zip_longest(*columns)
    return tuple(n for row in rows for n in row if n is not None)


def surveyed(seed: int, number: int) -> RandomProgram:
    """Return a program; the first numbers are those of light ones.

    Which one it is depends on the seed, so that short runs do not all see the same.
    """
    light = number < len(items(True))
    index = number if light else number - len(items(True))
    item = items(light)[_order(seed, light)[index]]
    for attempt in range(_TRIES):
        rng = random.Random(f"survey {seed} {number} {attempt}")
        m = Maker(rng, Theme(item.dims, dict(item.sizes[0])), slopes=item.slopes)
        try:
            extras = item.make(m)
        except (ShapeError, Unspellable):
            continue
        program = _finished(m, item, extras, f"s{number}")
        if program is not None:
            about = f"seed {seed}, program {-number - 1}"
            return replace(program, light=light, about=about)
    given = ArgumentNode("a0", TensorType((2,), F64))  # what cannot be made: nothing
    return RandomProgram(f"s{number}", (given,), (0,), {}, light=light)


def _finished(m: Maker, item: Item, extras: Extras, name: str) -> RandomProgram | None:
    """Return a program of what was made, or None if it is not one."""
    results = tuple(sorted(m.shown))
    if not results and not extras:
        return None
    program = RandomProgram(name, tuple(m.entries), results, dict(m.sizes), **extras)  # type: ignore[arg-type]
    program = without_dead(program)
    program = with_known(program, unbound(program))
    if not program.givens or not fits_a_module(program):
        return None
    # The first calls have the sizes of the making.
    if not m.holds(m.sizes):
        return None
    sizes = [{n: s.get(n, k) for n, k in program.sizes.items()} for s in item.sizes]
    sizes[1:] = [s for s in sizes[1:] if m.holds({**m.sizes, **s})]
    asks = [Ask(kind, sizes[0]) for kind in item.kinds]
    # Long ones are tame: one NaN would hide all that is added to it. Element by element
    # the second sizes, which are the largest, are for the nasty ones.
    for number, more in enumerate(sizes[1:], item.each):
        is_long = max(more.values(), default=0) > _TAME_ABOVE
        asks.append(Ask(item.kinds[0 if is_long else number % 2], more))
    return replace(program, asks=tuple(asks))


# Light ones


def _rule(rule: Rule, element: Element | None, m: Maker) -> Extras:
    if element is None:
        element = m.rng.choice([e for e in TYPES if e.is_integer])
    for _ in range(_SPELLINGS):
        index = spell(m, rule, element)
        m.shown |= set() if index is None else {index}
    return {}


def _slope(cls: type[Op], m: Maker) -> Extras:
    m.weights = {"f64": 20, "i64": 1, "i1": 1}
    index = _made(cls, m)
    cost, wrt = weighted_cost(m, index)
    return {"cost": cost, "wrt": tuple(wrt)}


def _made(cls: type[Op], m: Maker) -> int:
    """Append an op; a derivative is of a product, by an argument or on the way."""
    if cls in (Jvp, Vjp):
        x = m.given(TensorType(tuple(m.palette), F64))
        y = m.apply(transcendental.Sin, (x,))
        by = m.rng.choice((x, y))
        direction = m.partner(m.type_of(x))
        return m.derive(cls, [m.apply(elementwise.Mul, (y, x))], [by], [direction])
    index = ALL_RECIPES[cls](m, cls)
    if index is None:
        raise Unspellable("no way to make it")
    return index


def _directions(cls: type[Op], m: Maker) -> Extras:
    """The derivative of an op forward and backward, which a law joins."""
    m.weights = {"f64": 20, "i64": 1, "i1": 1}
    index = _made(cls, m)
    by = differentiable(m, most=24).get(index)
    if by is None:
        raise Unspellable("no argument leads to it")
    both_directions(m, [index], sorted(by))
    return {}


def _branched(m: Maker) -> Extras:
    """Branches of branches, of whatever types: all that they give is a result."""
    index = choice(m)
    m.shown.update(m.results_of(index))
    condition, other = m.given(TensorType((), I1)), m.partner(m.type_of(index))
    m.shown.update(m.results_of(m.choose(condition, [index], [other])))
    return {}


def _repeated(m: Maker) -> Extras:
    """Loops, one of which reads what another gives: all that they give is a result."""
    for _ in range(2):
        index = loop(m)
        if index is not None:
            m.shown.update(m.results_of(index))
    return {}


def _used_often(m: Maker) -> Extras:
    """A derivative by what several ops read, by way of a value that several read."""
    x = m.given(TensorType(tuple(m.palette), F64))
    y = m.apply(elementwise.Mul, (x, x))
    total = y
    for cls in (transcendental.Sin, transcendental.Tanh, elementwise.Neg):
        other = m.apply(cls, (m.rng.choice((x, y)),))
        total = m.apply(elementwise.Mul, (m.apply(elementwise.Add, (total, other)), y))
    cost, wrt = weighted_cost(m, total)
    return {"cost": cost, "wrt": tuple(wrt)}


def _look_equal(element: Element, m: Maker) -> Extras:
    """Ops with their operands in both orders, comparisons, casts: all are results."""
    type_ = TensorType(tuple(m.palette), element)
    x, y = m.given(type_), m.given(type_)
    for pair in ((x, y), (y, x), (x, x)):
        for cls in _with_operands(2, element):
            m.shown.add(m.apply(cls, pair))
        for predicate in PREDICATES:
            m.shown.add(m.apply(Compare, pair, predicate=predicate))
    for axes in _AXES:
        for cls in _reductions(element, True) + _reductions(element, False):
            m.shown.update(m.results_of(_reduce(m, cls, x, axes)))
    return {}


def _casts_twice(element: Element, m: Maker) -> Extras:
    x = m.given(TensorType(tuple(m.palette), element))
    for between in TYPES:
        first = m.apply(Cast, (x,), element=between)
        for last in {element, F64, ELEMENTS["i64"], ELEMENTS["i8"]}:
            m.shown.add(m.apply(Cast, (first,), element=last))
    return {}


# Compiled ones


def _with_operands(count: int, element: Element) -> list[type[Op]]:
    """Return the exact elementwise ops of so many operands of an element type."""
    return [
        cls
        for cls in RECIPES
        if ELEMENTWISE in cls.traits
        and EXACT in cls.traits
        and cls not in (Compare, Select, Cast)
        and len(_operands(cls)) == count
        and fits(str(getattr(cls, "domain", "float")), element)
    ]


def _operands(cls: type[Op]) -> tuple[str, ...]:
    return ("lhs", "rhs") if hasattr(cls, "lhs") else ("operand",)


def _elementwise(element: Element, m: Maker) -> Extras:
    type_ = TensorType((N, M), element)
    x, y = m.given(type_), m.given(type_)
    for cls in _with_operands(1, element):
        m.shown.add(m.apply(cls, (x,)))
    for cls in _with_operands(2, element):
        m.shown.add(m.apply(cls, (x, y)))
    for predicate in PREDICATES:
        m.shown.add(m.apply(Compare, (x, y), predicate=predicate))
    chosen = m.given(TensorType((N, M), I1))
    m.shown.add(m.apply(Select, (chosen, x, y)))
    return {}


def _casts(element: Element, m: Maker) -> Extras:
    x = m.given(TensorType((N,), element))
    m.shown |= {m.apply(Cast, (x,), element=e) for e in TYPES if e != element}
    return {}


def _reductions(element: Element, empty: bool) -> list[type[Op]]:
    """Return the reductions of an element type which may, or may not, be of nothing."""
    found: list[type[Op]] = []
    for cls in _REDUCTIONS:
        domain = "boolean" if cls in (reductions.Any, reductions.All) else "number"
        if fits(domain, element) and (cls not in _NEED_ELEMENTS) == empty:
            found.append(cls)
    return found


def _reduced(element: Element, axes: tuple[int, ...], empty: bool, m: Maker) -> Extras:
    x = m.given(TensorType(tuple(m.palette), element))
    for cls in _reductions(element, empty):
        m.shown.update(m.results_of(_reduce(m, cls, x, axes)))
    if empty and element in (F32, F64):
        count = m.apply(shape.Size, (x,), axis=axes[0])
        order = {"order": LANES_ORDER}
        m.shown.add(m.apply(reductions.Mean, (x, count), axes=axes, **order))
    if len(axes) == 1:
        m.shown.update(_along(m, x, axes[0], element, empty))
    return {}


def _along(m: Maker, x: int, axis: int, element: Element, empty: bool) -> Iterator[int]:
    """Append softmaxes and cumulative ops of a value along an axis."""
    if not empty and element.is_float:
        yield m.apply(LogSoftmax, (x,), axis=axis)
        yield m.apply(Softmax, (x,), axis=axis)
        mask = m.given(TensorType(m.type_of(x).shape, I1))
        yield m.apply(Softmax, (x, mask), axis=axis)
    for cls in CUMULATIVE if element != I1 else ():
        if cls is Recurrence and not element.is_float:
            continue
        reverse = {"reverse": m.chance(0.5)} if "reverse" in cls.attribute_names else {}
        operands = (x,) * len(cls.operand_names)
        yield m.apply(cls, operands, axis=axis, **reverse)


def _reduce(m: Maker, cls: type[Op], index: int, axes: tuple[int, ...]) -> int:
    ordered = cls in (reductions.Sum, reductions.Prod)
    more = {"order": LANES_ORDER} if ordered else {}
    return m.apply(cls, (index,), axes=axes, **more)


def _functions(part: tuple[type[Op], ...], element: Element, m: Maker) -> Extras:
    type_ = TensorType((N,), element)
    x, y = m.given(type_), m.given(type_)
    for cls in part:
        operands = (x, y) if hasattr(cls, "lhs") else (x,)
        m.shown.add(m.apply(cls, operands))
    return {}


def _product(
    element: Element, columns: Dim, left: bool, right: bool, m: Maker
) -> Extras:
    """A product; `left` and `right` tell which of its sides is transposed."""
    shapes = ((K, N) if left else (N, K)), ((columns, K) if right else (K, columns))
    sides = [m.given(TensorType(dims, element)) for dims in shapes]
    for number, turned in enumerate((left, right)):
        if turned:
            sides[number] = m.apply(
                shape.Transpose, (sides[number],), permutation=(1, 0)
            )
    m.shown.add(m.apply(MatMul, sides, order=FMA_ORDER))
    return {}


def _moved(first: type[Op], second: type[Op], m: Maker) -> Extras:
    """One movement of what another one gives, of as many axes as may be."""
    m.weights = {"f32": 6, "i64": 2, "f64": 1, "i8": 1, "i1": 1}
    dims = tuple(m.rng.choice(m.palette) for _ in range(m.rng.choice((2, 3))))
    m.given(TensorType(dims, m.element("number")))
    made = RECIPES[first](m, first)
    last = None if made is None else RECIPES[second](m, second)
    if last is None or made not in getattr(m.entries[last], "operands", ()):
        raise Unspellable("the second does not read the first")
    m.shown.add(last)
    return {}


def _windowed(cls: type[Op], element: Element, m: Maker) -> Extras:
    """One op on windows, of images of these sizes."""
    m.weights = {element.name: 1}
    m.given(TensorType(tuple(m.palette), element))
    made = RECIPES[cls](m, cls)
    if made is None:
        raise Unspellable("the images are too large")
    m.shown.add(made)
    return {}


def _indexed_twice(first: str, last: str, m: Maker) -> Extras:
    """Two that read at the same indices, and may allow others: from the end, or not."""
    element = ELEMENTS[m.rng.choice(("f32", "f64", "i32"))]
    x = m.given(TensorType((N, M), element))
    index = m.given(TensorType((M,), ELEMENTS[m.rng.choice(("i64", "i32"))]), below=N)
    for word in (first, last):
        m.shown.add(_INDEXED[word](m, x, index))
    return {}


def _checked(from_end: bool, m: Maker, x: int, index: int) -> int:
    size = Dims((N,))
    return m.apply(indexing.CheckIndex, (index,), axis=0, size=size, from_end=from_end)


def _scattered(m: Maker, x: int, index: int) -> int:
    rows = m.given(TensorType((M, M), m.type_of(x).element))
    how = indexing.SET
    return m.apply(indexing.Scatter, (x, rows, index), axes=(0,), combine=how)


_INDEXED: Mapping[str, Callable[[Maker, int, int], int]] = {
    "from the end": partial(_checked, True),
    "from zero": partial(_checked, False),
    "gather": lambda m, x, i: m.apply(indexing.Gather, (x, i), axes=(0,)),
    "take": lambda m, x, i: m.apply(indexing.TakeAlongAxis, (x, i), axis=0),
    "scatter": _scattered,
}


def _alike(element: Element, cls: type[Op], m: Maker) -> Extras:
    """Steps that differ in a number alone: they share a kernel, or must not."""
    value = m.given(TensorType((N,), element))
    for number in m.rng.sample(_NUMBERS, 4):
        given = m.literal(np.array(number, element.dtype), element)
        wide = m.apply(shape.Broadcast, (given,), axes=(), shape=Dims((N,)))
        pair = (value, wide) if m.chance(0.8) else (wide, value)
        made = m.apply(cls, pair)
        value = m.apply(CumSum, (made,), axis=0, reverse=False)
        m.shown.add(made)
    return {}


def _chain(number: int, m: Maker) -> Extras:
    """Values that cannot share a loop with what reads them, and live side by side."""
    element = ELEMENTS[("f32", "f64", "i32")[number % 3]]
    type_ = TensorType((N, N), element)
    kept = [m.given(type_), m.given(type_)]
    for step in range(3):
        left = kept[-1]
        right = left if m.chance(0.3) else m.rng.choice(kept[:-1])
        made = m.apply(MatMul, (left, right), order=FMA_ORDER)
        if step % 2:
            order = (1, 0)
            turned = m.apply(shape.Transpose, (made,), permutation=order)
            made = m.apply(elementwise.Add, (turned, m.rng.choice(kept)))
        kept.append(made)
    m.shown.add(kept[-1])
    return {}
