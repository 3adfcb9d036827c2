"""Updates of a matrix that could be written in place, each beside another reader.

The new value is made of the old one element by element and of something else that
reads the old one in another order, or after it; or a check of indices stands behind.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from tensorc.fuzz.maker import Maker
from tensorc.fuzz.program import ArgumentNode
from tensorc.ir.attributes import Dims
from tensorc.ir.dims import Dim, symbol
from tensorc.ir.numerics import FMA_ORDER, LANES_ORDER
from tensorc.ir.ops.tensor.elementwise import Add, Cast, Mul
from tensorc.ir.ops.tensor.indexing import ADD, Gather, Scatter
from tensorc.ir.ops.tensor.products import MatMul
from tensorc.ir.ops.tensor.reductions import Sum
from tensorc.ir.ops.tensor.shape import (
    Broadcast,
    Concatenate,
    Reshape,
    Slice,
    Transpose,
)
from tensorc.ir.types import ELEMENTS, I1, I64, TensorType

N = symbol("N")
_SQUARE = (N, N)


def _reversed(m: Maker, w: int) -> int:
    return _part(m, w, (N + -1, 0), _SQUARE, (-1, 1))


def _part(
    m: Maker,
    w: int,
    starts: tuple[Dim, ...],
    sizes: tuple[Dim, ...],
    steps: tuple[int, ...] = (1, 1),
) -> int:
    return m.apply(Slice, (w,), starts=Dims(starts), sizes=Dims(sizes), steps=steps)


def _shifted(m: Maker, w: int) -> int:
    after, first = (
        _part(m, w, (0, 1), (N, N + -1)),
        _part(m, w, (0, 0), (N, 1)),
    )
    return m.apply(Concatenate, (after, first), axis=1)


def _rolled(m: Maker, w: int) -> int:
    last, before = (
        _part(m, w, (N + -1, 0), (1, N)),
        _part(m, w, (0, 0), (N + -1, N)),
    )
    return m.apply(Concatenate, (last, before), axis=0)


def _viewed(m: Maker, w: int) -> int:
    """Read the memory by another name, and backwards."""
    flat = m.apply(Reshape, (w,), shape=Dims((N * N,)))
    back = m.apply(
        Slice,
        (flat,),
        starts=Dims((N * N + -1,)),
        sizes=Dims((N * N,)),
        steps=(-1,),
    )
    return m.apply(Reshape, (back,), shape=Dims(_SQUARE))


def _flat(m: Maker, w: int) -> int:
    return m.apply(Reshape, (w,), shape=Dims((N * N,)))


def _turned(m: Maker, w: int) -> int:
    return m.apply(Transpose, (w,), permutation=(1, 0))


def _summed(m: Maker, w: int) -> int:
    total = m.apply(Sum, (w,), axes=(0,), order=LANES_ORDER)
    return m.apply(Broadcast, (total,), axes=(1,), shape=Dims(_SQUARE))


def _diagonal(m: Maker, w: int) -> int:
    column = _part(m, w, (0, 0), (N, 1))
    return m.apply(Broadcast, (column,), axes=(0, 1), shape=Dims(_SQUARE))


def _squared(m: Maker, w: int) -> int:
    return m.apply(MatMul, (w, w), order=FMA_ORDER)


def _gathered(m: Maker, w: int) -> int:
    return m.apply(Gather, (w, _index(m)), axes=(0,))


def _picked(m: Maker, w: int) -> int:
    """Take rows whose numbers are computed, most of them out of range."""
    total = m.apply(Sum, (w,), axes=(0,), order=LANES_ORDER)
    return m.apply(Gather, (w, m.apply(Cast, (total,), element=I64)), axes=(0,))


def _scattered(m: Maker, w: int) -> int:
    return m.apply(Scatter, (w, w, _index(m)), axes=(0,), combine=ADD)


def _same(m: Maker, w: int) -> int:
    return w


def _index(m: Maker) -> int:
    return m.given(TensorType((N,), I64), below=N)


READERS: Mapping[str, Callable[[Maker, int], int]] = MappingProxyType(
    {
        "same": _same,
        "turned": _turned,
        "reversed": _reversed,
        "viewed": _viewed,
        "shifted": _shifted,
        "rolled": _rolled,
        "summed": _summed,
        "column": _diagonal,
        "squared": _squared,
        "gathered": _gathered,
        "picked": _picked,
        "scattered": _scattered,
    }
)

# What stands beside the update as a result may also be a name of the value itself.
BESIDE: Mapping[str, Callable[[Maker, int], int]] = MappingProxyType(
    {**READERS, "flat": _flat}
)
# A call with a bad index changes nothing.
FALLIBLE = (
    "gathered",
    "picked",
    "scattered",
)

# What reads the old value in the same group; what is a result beside it, read of the
# old value or of the new one; or two arguments exchange their values.
KINDS = (
    *((inside, "", "") for inside in READERS),
    *(("same", "old", beside) for beside in BESIDE),
    *(("same", "new", beside) for beside in BESIDE),
    *((inside, "exchanged", "") for inside in ("same", "turned", "shifted", "viewed")),
    ("flat", "exchanged", ""),
    *(("turned", "new", beside) for beside in READERS if beside != "same"),
)


Kind = tuple[str, str, str]

# In which branches the new value is made: in no other one, the old one stays there.
# "after" is for what stands beside it, in a branch of its own.
WHERE = ("", "then", "otherwise", "both", "crossed")


def branches_of(kind: Kind, number: int) -> tuple[str, ...]:
    """Return in which branches a kind is made, by its number among all."""
    after = ("after",) if kind[2] in FALLIBLE else ()
    return ("", WHERE[1 + number % 4], *after)


def group(kind: Kind, where: str = "") -> str:
    """Return what kinds have in common: one of each group shows most."""
    inside, whose, beside = kind
    is_new = inside != "same" and whose == "new"
    return f"{is_new} {whose} {beside in FALLIBLE} {where}"


def make(kind: Kind, where: str, m: Maker) -> dict[str, object]:
    """Append an update of a kind; return the fields of the program that it gives."""
    inside, whose, beside = kind
    element = ELEMENTS[m.rng.choice(("f32", "f64", "i32"))]
    w = m.given(TensorType(_SQUARE, element))
    x = m.given(TensorType((N * N,) if inside == "flat" else _SQUARE, element))
    _share(m, w)
    other = BESIDE[inside](m, w)
    if whose == "exchanged":
        _share(m, x)
        flat = inside == "flat"
        back = m.apply(Reshape, (x,), shape=Dims(_SQUARE)) if flat else x
        back, other = _chosen(m, where, [back, other], [w, x])
        return {"updates": ((w, back), (x, other))}
    new = m.apply(Add, (m.apply(Mul, (w, x)), other))
    if where != "after":
        (new,) = _chosen(m, where, [new], [w])
    if whose:
        other = BESIDE[beside](m, w if whose == "old" else new)
        if where == "after":
            (other,) = _chosen(m, "then", [other], [x])
        m.shown.add(other)
    return {"updates": ((w, new),)}


def _chosen(m: Maker, where: str, new: list[int], old: list[int]) -> list[int]:
    """Return new values that are made in branches alone, of a condition that is given.

    If in both, the second one adds the old value to it. Crossed, one of them gives the
    new values for memory and the old ones as results, the other one the reverse.
    """
    if not where:
        return new
    if where == "crossed":
        condition = m.given(TensorType((), I1))
        made = m.results_of(m.choose(condition, [*new, *old], [*old, *new]))
        m.shown.update(made[len(new) :])
        return made[: len(new)]
    then = old if where == "otherwise" else new
    otherwise = old if where == "then" else new
    if where == "both":
        pairs = zip(new, old, strict=True)
        otherwise = [m.apply(Add, pair) for pair in pairs]
    condition = m.given(TensorType((), I1))
    return m.results_of(m.choose(condition, then, otherwise))


def _share(m: Maker, index: int) -> None:
    given = m.entries[index]
    assert isinstance(given, ArgumentNode)
    m.entries[index] = replace(given, shared=True)
