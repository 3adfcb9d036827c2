"""Generics that reduce several dimensions, at every stage and compiled."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pytest

from tensorc import abi
from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Value
from tensorc.ir.functions import close_function, new_module, open_function
from tensorc.ir.numerics import (
    LANES_ORDER,
    SEQUENTIAL,
    Array,
    ordered_product,
    ordered_sum,
)
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.types import F32, I64, Element, TensorType
from tensorc.passes.analysis.generics import tensor_of
from tensorc.passes.common.structured_builder import compare
from tensorc.passes.schedule.schedule import SCHEDULE_CPU
from tensorc.passes.structured.fuse import FUSE
from tensorc.passes.structured.views import Lowering, whole
from tests.samples import parse_type, same_bits
from tests.stages import TARGET, Case, inputs, results_below, verified

Reduce = Callable[[Lowering, Value, Sequence[int]], list[Value]]
SHAPES = (
    (2, 3, 4),
    (5, 1, 7),
    (3, 17, 2),
    (2, 33, 40),
    (70, 3, 19),
    (0, 3, 4),
    (4, 3, 0),
)
SETS = [axes for n in (2, 3) for axes in combinations(range(3), n)]


def kept_type(
    type_: TensorType, axes: Sequence[int], element: Element | None = None
) -> TensorType:
    shape = tuple(d for i, d in enumerate(type_.shape) if i not in axes)
    return TensorType(shape, element or type_.element)


def combined(cls: type[Op], start: float, order: str) -> Reduce:
    """Return a reduction by a scalar op."""

    def build(low: Lowering, source: Value, axes: Sequence[int]) -> list[Value]:
        type_ = tensor_of(source)
        kept = tuple(d for d in range(type_.rank) if d not in axes)
        return low.loop(
            [(whole(source), tuple(range(type_.rank)))],
            [(kept_type(type_, axes), kept, start)],
            lambda v: [low.b.value(cls, v[1], v[0])],
            axes,
            order,
        )

    return build


def last_above(low: Lowering, source: Value, axes: Sequence[int]) -> list[Value]:
    """Give the last element above those before it, and its index along each axis."""
    type_ = tensor_of(source)
    kept = tuple(d for d in range(type_.rank) if d not in axes)
    places = [(kept_type(type_, axes, I64), kept, -1) for _ in axes]

    def body(values: list[Value]) -> list[Value]:
        value, best, *at = values
        better = compare(low.b, "gt", value, best)
        here = [
            low.b.value(conversions.IndexCast, low.index(d), types=[I64]) for d in axes
        ]
        return [
            low.b.value(arith.Select, better, new, old)
            for new, old in zip([value, *here], [best, *at], strict=True)
        ]

    writes = [(kept_type(type_, axes), kept, float("-inf")), *places]
    reads = [(whole(source), tuple(range(type_.rank)))]
    return low.loop(reads, writes, body, axes, SEQUENTIAL)


REDUCTIONS: dict[str, Reduce] = {
    "sum": combined(arith.AddF, -0.0, LANES_ORDER),
    "product": combined(arith.MulF, 1.0, LANES_ORDER),
    "largest": combined(arith.MaximumF, float("-inf"), SEQUENTIAL),
    "above": last_above,
}


def flat(values: Array, axes: Sequence[int]) -> Array:
    """Return values with the reduced axes as one, the first."""
    kept = [d for d in range(values.ndim) if d not in axes]
    first = np.transpose(values, [*axes, *kept])
    count = int(np.prod([values.shape[d] for d in axes]))
    return first.reshape(count, *[values.shape[d] for d in kept])


def expected(name: str, values: Array, axes: Sequence[int]) -> list[Array]:
    first = flat(values, axes)
    if name == "sum":
        return [ordered_sum(first, 0)]
    if name == "product":
        return [ordered_product(first, 0)]
    largest = np.asarray(first.max(axis=0, initial=-np.inf))
    if name == "largest":
        return [largest]
    if not len(first):
        none = np.full(largest.shape, -1, np.int64)
        return [largest, *[none for _ in axes]]
    places = np.unravel_index(first.argmax(axis=0), [values.shape[d] for d in axes])
    return [largest, *[np.asarray(p, np.int64) for p in places]]


def build(reduce: Reduce, type_: TensorType, axes: Sequence[int], name: str) -> Module:
    module = new_module()
    function, builder = open_function(name, inputs(type_))
    low = Lowering(Builder(function.body.block))
    results = reduce(low, function.body.block.arguments[0], axes)
    close_function(function, builder, results)
    module.body.block.append(function)
    return module


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("known", [True, False])
def test_several_dimensions_are_one_flat_index(name: str, known: bool) -> None:
    rng = np.random.default_rng(3)
    for axes in SETS:
        for shape in SHAPES:
            dims = ", ".join(map(str, shape)) if known else "A, B, C"
            module = build(REDUCTIONS[name], parse_type(f"f32[{dims}]"), axes, "f")
            x = rng.standard_normal(shape).astype(F32.dtype)
            cases: list[Case] = [("f", [x])]
            wanted = expected(name, x, axes)
            signatures = abi.signatures(module)
            fused = verified(FUSE, module, TARGET)
            fused = verified(SCHEDULE_CPU, fused, TARGET)
            outcome = results_below(fused, signatures, cases)
            for stage, results in outcome.items():
                for left, right in zip(wanted, results[0], strict=True):
                    assert same_bits(left, right), (stage, axes, shape)
