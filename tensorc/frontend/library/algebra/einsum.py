"""NumPy's einsum: sums of products that are named by the labels of axes.

The letters of an operand name its axes. Of more than two operands pairs are multiplied
one after the other. Which pair is first follows from the labels alone, so that the bits
of a result do not depend on sizes: see `_next_pair` and docs/numerics.md.
"""

import itertools
from collections.abc import Sequence

from tensorc.frontend.library.algebra.matrices import diagonal
from tensorc.frontend.library.algebra.products import contract
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    TensorOperand,
    pinned,
    size_error,
    spell_type,
    strong,
)
from tensorc.frontend.library.shapes import moveaxis, squeeze

Labels = list[str]


def einsum(b: Emitter, operands: Sequence[Operand], spec: str) -> Operand:
    """Sum products by labels of axes, as numpy's einsum of any number of operands.

    `spec` is known while compiling: "bik,bkj->bij". A label that stands twice in an
    operand takes its diagonal, `...` stands for all axes that have no label. Without
    "->" the result has the labels that stand once, in alphabetical order, after those
    of `...`.
    """
    shown = f"einsum '{spec}'"
    sides, arrow, result = spec.replace(" ", "").partition("->")
    tensors = [strong(b, o) for o in operands]
    written = sides.split(",") if tensors else []
    if not tensors or len(written) != len(tensors):
        message = f"{shown} names {len(sides.split(','))} operands, "
        raise size_error(b, f"{message}{len(tensors)} are given")
    labels = [
        _labels(b, shown, side, t) for side, t in zip(written, tensors, strict=True)
    ]
    rest = max(([n for n in side if not n.isalpha()] for side in labels), key=len)
    kept = _of_result(b, shown, labels, rest, result if arrow else None)
    for i, side in enumerate(labels):
        tensors[i], labels[i] = _without_twins(b, shown, tensors[i], side)
    tensors, labels = _without_ones(b, tensors, labels)
    return _multiplied(b, shown, tensors, labels, kept)


def _labels(b: Emitter, shown: str, side: str, tensor: TensorOperand) -> Labels:
    """Return a label for each axis; those of `...` are the numbers from the last."""
    before, dots, after = side.partition("...")
    named = [*before, *after]
    if not all(n.isascii() and n.isalpha() for n in named):
        message = f"{shown}: a label must be one letter"
        raise size_error(b, message, "`...` stands once, for all other axes")
    rank = tensor.type.rank
    if len(named) > rank or (not dots and len(named) < rank):
        message = f"{shown}: '{side}' names {len(named)} axes of "
        raise size_error(b, f"{message}{spell_type(tensor.type)}")
    rest = [str(i) for i in reversed(range(rank - len(named)))]
    return [*before, *rest, *after]


def _of_result(
    b: Emitter, shown: str, labels: list[Labels], rest: Labels, given: str | None
) -> Labels:
    """Return the labels of the result, those of `...` in full."""
    every = [n for side in labels for n in side]
    if given is None:
        once = sorted({n for n in every if n.isalpha() and every.count(n) == 1})
        return [*rest, *once]
    before, dots, after = given.partition("...")
    if rest and not dots:
        message = f"{shown}: the result has not the axes that `...` stands for"
        raise size_error(b, message, "write `...` in the result, too")
    result = [*before, *(rest if dots else []), *after]
    if not all(n.isascii() and n.isalnum() for n in result):
        raise size_error(b, f"{shown}: a label must be one letter")
    lost = [n for n in result if n not in every]
    if lost:
        raise size_error(b, f"{shown}: '{lost[0]}' of the result is in no operand")
    twice = [n for n in result if result.count(n) > 1]
    if twice:
        message = f"{shown}: '{twice[0]}' stands twice in the result"
        raise size_error(b, message, "diag(x) puts a vector on a diagonal")
    return result


def _without_twins(
    b: Emitter, shown: str, tensor: TensorOperand, labels: Labels
) -> tuple[TensorOperand, Labels]:
    """Take the diagonal of axes that have one label."""
    while twins := [n for n in labels if labels.count(n) > 1]:
        first, second = [i for i, n in enumerate(labels) if n == twins[0]][:2]
        size, other = (b.shape(tensor)[i] for i in (first, second))
        if not b.unify(size, other):
            message = f"{shown}: '{twins[0]}' has sizes {size} and {other}"
            raise size_error(b, message)
        alike = [
            size if n == twins[0] else d
            for n, d in zip(labels, b.shape(tensor), strict=True)
        ]
        tensor = pinned(b, tensor, tuple(alike))
        tensor = strong(b, diagonal(b, tensor, 0, first, second))
        tensor = strong(b, moveaxis(b, tensor, -1, first))
        labels = [*labels[:second], *labels[second + 1 :]]
    return tensor, labels


def _without_ones(
    b: Emitter, tensors: list[TensorOperand], labels: list[Labels]
) -> tuple[list[TensorOperand], list[Labels]]:
    """Leave out axes of size 1 where another operand has more of that label."""
    wide = {
        n
        for t, side in zip(tensors, labels, strict=True)
        for n, d in zip(side, b.shape(t), strict=True)
        if not b.is_one(d)
    }
    for i, (tensor, side) in enumerate(zip(tensors, labels, strict=True)):
        shape = b.shape(tensor)
        ones = [
            a
            for a, (n, d) in enumerate(zip(side, shape, strict=True))
            if n in wide and b.is_one(d)
        ]
        if ones:
            tensors[i] = strong(b, squeeze(b, tensor, ones))
            labels[i] = [n for a, n in enumerate(side) if a not in ones]
    return tensors, labels


def _multiplied(
    b: Emitter,
    shown: str,
    tensors: list[TensorOperand],
    labels: list[Labels],
    result: Labels,
) -> Operand:
    """Multiply pair by pair until one or two tensors are left."""
    while len(tensors) > 2:
        i, j = _next_pair(labels, result)
        others = [side for k, side in enumerate(labels) if k not in (i, j)]
        kept = _kept([labels[i], labels[j]], others, result)
        pair = [tensors[i], tensors[j]]
        made = strong(b, contract(b, shown, pair, [labels[i], labels[j]], kept))
        tensors = [made, *[t for k, t in enumerate(tensors) if k not in (i, j)]]
        labels = [kept, *others]
    return contract(b, shown, tensors, labels, result)


def _kept(pair: Sequence[Labels], others: Sequence[Labels], result: Labels) -> Labels:
    """Return the labels of a pair that something else needs, in their order."""
    needed = {n for side in (*others, result) for n in side}
    return [n for n in dict.fromkeys(itertools.chain(*pair)) if n in needed]


def _next_pair(labels: Sequence[Labels], result: Labels) -> tuple[int, int]:
    """Return the pair to multiply next: that of the least labels.

    First counts all labels of the pair, which is its work, then those of its product,
    which is its memory; of equal ones the first is taken. A label counts as one
    whatever its size.
    """

    def cost(pair: tuple[int, int]) -> tuple[int, int]:
        sides = [labels[i] for i in pair]
        others = [side for k, side in enumerate(labels) if k not in pair]
        work = len(set(itertools.chain(*sides)))
        return work, len(_kept(sides, others, result))

    return min(itertools.combinations(range(len(labels)), 2), key=cost)
