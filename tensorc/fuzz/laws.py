"""Laws that need no other implementation: a program must agree with itself.

They are read off the program, so that one that is made smaller keeps those that still
hold for it. Twins are two results that are the same by a law: a product, and the
transposed product of its transposed operands; a value, and a choice of it by a constant
condition. A function works by rows if all that it reads and gives along some symbol
goes row by row: then rows that are permuted, or split in two calls, give the same rows.
A derivative forward and one backward are each other's transpose: of tangents and of
cotangents they give the same inner product.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tensorc.fuzz.maker import Maker
from tensorc.fuzz.outcomes import Outcome, difference
from tensorc.fuzz.program import (
    ArgumentNode,
    OpNode,
    RandomProgram,
    ResultNode,
    further_results,
    is_of_f64,
)
from tensorc.ir.attributes import Dense, Dims, dims_of
from tensorc.ir.dims import Dim, as_symbol, symbols_of
from tensorc.ir.numerics import FMA_ORDER, Array
from tensorc.ir.opdef import ELEMENTWISE
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import Jvp, Vjp
from tensorc.ir.ops.tensor.cumulative import CUMULATIVE
from tensorc.ir.ops.tensor.elementwise import Select
from tensorc.ir.ops.tensor.indexing import TakeAlongAxis
from tensorc.ir.ops.tensor.making import Constant, Iota
from tensorc.ir.ops.tensor.nn import LogSoftmax, Softmax
from tensorc.ir.ops.tensor.products import MatMul
from tensorc.ir.ops.tensor.random import RandomBits
from tensorc.ir.ops.tensor.reductions import (
    All,
    Any,
    ArgMax,
    ArgMin,
    Max,
    Mean,
    Min,
    Prod,
    Sum,
    Top1,
)
from tensorc.ir.ops.tensor.shape import Broadcast, Concatenate, Transpose
from tensorc.ir.types import I1

_NEAR = 1e-7  # of inner products: what rounding may take away
# By rows along any axis but the first.
_ALONG = (
    *(Sum, Prod, Max, Min, ArgMax, ArgMin, Any, All),
    *(Top1, Softmax, LogSoftmax, TakeAlongAxis, Concatenate, *CUMULATIVE),
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Which arguments and results have rows; the others are the same for all rows."""

    arguments: tuple[bool, ...]
    results: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Dual:
    """A derivative in both directions, by the numbers of arguments and of results.

    Each tangent goes with what comes `back`, each cotangent with what comes `forward`.
    """

    tangents: tuple[int, ...]
    back: tuple[int, ...]
    cotangents: tuple[int, ...]
    forward: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Laws:
    """Pairs of results that are equal, what goes by rows, and in both directions."""

    twins: tuple[tuple[int, int], ...] = ()
    rows: Rows | None = None
    duals: tuple[Dual, ...] = ()


def add_twin(m: Maker, index: int) -> None:
    """Append what must equal an entry by a law, and show both."""
    m.shown |= {index, _twin(m, index)}


def _twin(m: Maker, index: int) -> int:
    entry, type_ = m.entries[index], m.type_of(index)
    if isinstance(entry, OpNode) and entry.cls is MatMul:
        order = _last_swapped(type_.rank)
        left, right = (
            m.apply(Transpose, (o,), permutation=order) for o in entry.operands[::-1]
        )
        product = m.apply(MatMul, (left, right), order=FMA_ORDER)
        return m.apply(Transpose, (product,), permutation=order)
    chosen = m.chance(0.5)
    condition = m.literal(np.array(chosen), I1)
    if type_.shape:
        condition = m.apply(Broadcast, (condition,), axes=(), shape=Dims(type_.shape))
    other = m.partner(type_)
    pair = (index, other) if chosen else (other, index)
    return m.apply(Select, (condition, *pair))


def laws_of(program: RandomProgram) -> Laws:
    """Return the laws that hold for a program's results."""
    return Laws(_twins(program), _rows(program), _duals(program))


def _twins(program: RandomProgram) -> tuple[tuple[int, int], ...]:
    found = []
    for number, index in enumerate(program.results):
        twin = _twin_of(program, index)
        for other, given in enumerate(program.results):
            if other != number and twin is not None and _same(program, given, twin):
                found.append((other, number))
                break
    return tuple(found)


def _same(program: RandomProgram, index: int, twin: int | tuple[int, int]) -> bool:
    if isinstance(twin, int):
        return index == twin
    entry = program.entries[index]
    is_product = isinstance(entry, OpNode) and entry.cls is MatMul
    return is_product and entry.operands == twin  # type: ignore[union-attr]


def _twin_of(program: RandomProgram, index: int) -> int | tuple[int, int] | None:
    """Return the entry that one must equal; of a product, its operands."""
    entry = program.entries[index]
    if not isinstance(entry, OpNode):
        return None
    if entry.cls is Select:
        chosen = _constant(program, entry.operands[0])
        return None if chosen is None else entry.operands[1 if chosen else 2]
    inner = _swapped(program, index)
    product = None if inner is None else program.entries[inner]
    if not isinstance(product, OpNode) or product.cls is not MatMul:
        return None
    right, left = (_swapped(program, o) for o in product.operands)
    return None if left is None or right is None else (left, right)


def _swapped(program: RandomProgram, index: int) -> int | None:
    """Return the operand of a transpose that swaps the last two axes."""
    entry = program.entries[index]
    if not isinstance(entry, OpNode) or entry.cls is not Transpose:
        return None
    order = entry.attributes["permutation"]
    assert isinstance(order, tuple)
    swaps = len(order) > 1 and order == _last_swapped(len(order))
    return entry.operands[0] if swaps else None


def _last_swapped(rank: int) -> tuple[int, ...]:
    """Return the permutation that swaps the last two axes."""
    return (*range(rank - 2), rank - 1, rank - 2)


def _constant(program: RandomProgram, index: int) -> bool | None:
    """Return the one truth that a constant holds everywhere."""
    entry = program.entries[index]
    while isinstance(entry, OpNode) and entry.cls is Broadcast:
        entry = program.entries[entry.operands[0]]
    if not isinstance(entry, OpNode) or entry.cls is not Constant:
        return None
    value = entry.attributes["value"]
    assert isinstance(value, Dense)
    return bool(value.value) if value.value.ndim == 0 else None


# Directions


def _duals(program: RandomProgram) -> tuple[Dual, ...]:
    """Return the derivatives that stand in both directions, of f64 all the way."""
    nodes = [(i, e) for i, e in enumerate(program.entries) if isinstance(e, OpNode)]
    backward = {n.parts[:2]: (i, n) for i, n in nodes if n.cls is Vjp}
    givens = [i for i, e in enumerate(program.entries) if isinstance(e, ArgumentNode)]
    numbers = {index: number for number, index in enumerate(givens)}
    found = []
    for index, node in nodes:
        if node.cls is not Jvp or node.parts[:2] not in backward:
            continue
        other, back = backward[node.parts[:2]]
        if not is_of_f64(program, [index, other]):
            continue
        try:
            tangents, cotangents = (
                tuple(numbers[d] for d in n.parts[2]) for n in (node, back)
            )
            results = [
                tuple(
                    program.results.index(r)
                    for r in (i, *further_results(program.entries, i))
                )
                for i in (other, index)
            ]
        except (KeyError, ValueError):
            continue  # a direction that is no argument, or no result of the function
        if [len(r) for r in results] == [len(tangents), len(cotangents)]:
            found.append(Dual(tangents, results[0], cotangents, results[1]))
    return tuple(found)


def _broken_dual(dual: Dual, arguments: Sequence[Array], outcome: list[Array]) -> str:
    def inner(given: Sequence[int], results: Sequence[int]) -> tuple[float, float]:
        pairs = zip(given, results, strict=True)
        parts = [np.ravel(np.multiply(arguments[a], outcome[r])) for a, r in pairs]
        whole = np.concatenate(parts)
        return float(whole.sum()), float(np.abs(whole).sum())

    with np.errstate(all="ignore"):
        forward, size = inner(dual.cotangents, dual.forward)
        backward, other = inner(dual.tangents, dual.back)
    if not np.isfinite([size, other]).all():
        return ""
    if abs(forward - backward) <= _NEAR * (size + other) + _NEAR**2:
        return ""
    return f"forward gives {forward!r}, backward {backward!r}"


# Rows


def _rows(program: RandomProgram) -> Rows | None:
    if program.updates or program.cost is not None:
        return None
    for given in program.givens:
        name = as_symbol(given.type.shape[0]) if given.type.shape else None
        if name is not None and program.sizes.get(name, 0) > 1:
            return _by_rows(program, name)
    return None


def _by_rows(program: RandomProgram, name: str) -> Rows | None:
    """Return what has rows along a symbol, or None if something mixes them."""
    state: list[bool] = []
    for entry in program.entries:
        if isinstance(entry, ArgumentNode):
            has = _leads(entry.type.shape, name)
            below = () if entry.below is None else (entry.below,)
            if has is None or _mentions(below, name):
                return None
        elif isinstance(entry, ResultNode):
            has = state[entry.of]
        else:
            has = _keeps_rows(entry, [state[o] for o in entry.operands], name)
            if has is None:
                return None
        state.append(has)
    arguments = [
        s
        for s, e in zip(state, program.entries, strict=True)
        if isinstance(e, ArgumentNode)
    ]
    return Rows(tuple(arguments), tuple(state[r] for r in program.results))


def _mentions(dims: Sequence[Dim], name: str) -> bool:
    return any(name in symbols_of(d) for d in dims)


def _leads(dims: Sequence[Dim], name: str) -> bool | None:
    """Return whether a shape begins with a symbol; None if it has it elsewhere."""
    first = bool(dims) and as_symbol(dims[0]) == name
    return None if _mentions(dims[1:] if first else dims, name) else first


def _keeps_rows(op: OpNode, operands: list[bool], name: str) -> bool | None:
    """Return whether an op's result has rows, given who of its operands has them.

    None if it may mix rows.
    """
    shape = op.attributes.get("shape")
    led = _leads(shape.dims if isinstance(shape, Dims) else (), name)
    others = [v for n, v in op.attributes.items() if n != "shape"]
    if led is None or any(_mentions(dims_of(v), name) for v in others):
        return None
    if op.cls is Iota:
        return None if led and op.attributes.get("axis") == 0 else led
    if op.cls is RandomBits:
        return None if led else False
    if op.cls is Broadcast:
        axes = op.attributes["axes"]
        assert isinstance(axes, tuple)
        return None if operands[0] and axes[:1] != (0,) else led
    if not any(operands):
        return None if led else False
    return True if _goes_by_rows(op, operands) else None


def _goes_by_rows(op: OpNode, operands: list[bool]) -> bool:
    if ELEMENTWISE in op.cls.traits:
        return True
    if op.cls in _ALONG:
        axes = op.attributes.get("axes", (op.attributes.get("axis"),))
        return isinstance(axes, tuple) and 0 not in axes and all(operands)
    if op.cls is If:
        return not operands[0] and all(operands[1:])
    if op.cls is Mean:
        axes = op.attributes["axes"]
        return isinstance(axes, tuple) and 0 not in axes and operands == [True, False]
    if op.cls is Transpose:
        order = op.attributes["permutation"]
        return isinstance(order, tuple) and order[0] == 0
    return op.cls is MatMul and operands == [True, False]


def broken_law(
    call: Callable[[list[Array]], Outcome],
    arguments: Sequence[Array],
    laws: Laws,
    rng: np.random.Generator,
) -> str:
    """Return which law does not hold for a call, or ""."""
    outcome = call(list(arguments))
    if not isinstance(outcome, list):
        return ""
    for left, right in laws.twins:
        if detail := difference([outcome[left]], [outcome[right]]):
            return f"results {left} and {right} are the same by a law: {detail}"
    for dual in laws.duals:
        if detail := _broken_dual(dual, arguments, outcome):
            return detail
    if laws.rows is None:
        return ""
    return _broken_rows(call, arguments, laws.rows, outcome, rng)


def _broken_rows(
    call: Callable[[list[Array]], Outcome],
    arguments: Sequence[Array],
    rows: Rows,
    outcome: list[Array],
    rng: np.random.Generator,
) -> str:
    (count,) = {len(a) for a, has in zip(arguments, rows.arguments, strict=True) if has}
    if count < 2:
        return ""
    cut = int(rng.integers(1, count))
    for word, chosen in (
        ("permuted", rng.permutation(count)),
        ("the first of two parts of", np.arange(cut)),
        ("the second of two parts of", np.arange(cut, count)),
    ):
        given = [
            np.array(a[chosen]) if has else a
            for a, has in zip(arguments, rows.arguments, strict=True)
        ]
        wanted: Outcome = [
            r[chosen] if has else r
            for r, has in zip(outcome, rows.results, strict=True)
        ]
        if detail := difference(wanted, call(given)):
            return f"{word} {count} rows: {detail}"
    return ""
