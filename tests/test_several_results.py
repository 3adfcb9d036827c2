"""An op with two results, `tc.top1`: meaning, all stages, and what passes do to it."""

from collections.abc import Sequence

import numpy as np
import pytest

from tensorc.errors import CompileError
from tensorc.ir.core import Value
from tensorc.ir.functions import new_module
from tensorc.ir.numerics import Array
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.tensor.elementwise import Add, Mul
from tensorc.ir.ops.tensor.reductions import ArgMax, Max, Top1
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import ELEMENTS, F64
from tensorc.passes.common.cse import CSE
from tensorc.passes.common.dce import DCE
from tensorc.passes.tensor.ad.autodiff import AUTODIFF
from tensorc.passes.tensor.simplify import SIMPLIFY
from tests.samples import CPU, build_module, grad, parse_type, run, same_bits, total
from tests.stages import Case, all_results
from tests.test_pipeline import add_function, check

NUMBERS = [name for name in ELEMENTS if name not in ("i1", "index")]


def top1(array: Array, axis: int) -> tuple[Array, Array]:
    """Return what the op is to give of at least one element, one after the other."""
    rows = np.moveaxis(array, axis, -1)
    best = np.zeros(rows.shape[:-1], np.int64)
    for index in np.ndindex(best.shape):
        for at, value in enumerate(rows[index]):
            kept = rows[index][best[index]]
            first_nan = value != value and kept == kept
            if first_nan or value > kept:
                best[index] = at
    value = np.take_along_axis(array, np.expand_dims(best, axis), axis)
    return np.squeeze(value, axis), best


def hurting(name: str, shape: tuple[int, ...]) -> list[Array]:
    """Return arrays of an element type: ties, both zeros, NaN, infinities, extremes."""
    rng = np.random.default_rng(len(name) + len(shape))
    dtype = ELEMENTS[name].dtype
    if not ELEMENTS[name].is_float:
        limits = np.iinfo(dtype)
        few = np.array([limits.min, limits.max, 1, 2], dtype)
        return [rng.choice(few, shape), np.full(shape, limits.min, dtype)]
    few = np.array([0.0, -0.0, -1.0, -np.inf], dtype)
    with_nan = np.array([np.nan, np.inf, 1.0, 2.0], dtype)
    return [
        *(rng.choice(few, shape), rng.choice(with_nan, shape)),
        *(np.full(shape, -np.inf, dtype), rng.choice(few[:2], shape)),
    ]


@pytest.mark.parametrize("name", NUMBERS)
def test_it_is_numpys_in_all_types_on_all_axes_at_every_stage(name: str) -> None:
    module, cases, wanted = new_module(), list[Case](), list[tuple[Array, Array]]()
    shapes = {"B, 3": (5, 3), "4, N": (4, 17), "B, N, 2": (3, 5, 2), "1": (1,)}
    for number, (dims, shape) in enumerate(shapes.items()):
        type_ = parse_type(f"{name}[{dims}]")
        for axis in range(len(shape)):

            def both(
                b: TensorBuilder, of: list[Value], axis: int = axis
            ) -> list[Value]:
                return b.results(Top1, of[0], axes=(axis,))

            add_function(module, f"f{number}_{axis}", [type_], both)
            for array in hurting(name, shape):
                cases.append((f"f{number}_{axis}", [array]))
                wanted.append(top1(array, axis))
    check(module, cases, exact=True, levels=(0, 2))
    given = all_results(module, cases)["tensor"]
    for found, expected in zip(given, wanted, strict=True):
        assert all(same_bits(a, b) for a, b in zip(found, expected, strict=True))


def test_rows_may_turn_out_empty() -> None:
    module = new_module()
    matrix = parse_type("f32[B, N]")
    for axis in (0, 1):

        def both(b: TensorBuilder, of: list[Value], axis: int = axis) -> list[Value]:
            return b.results(Top1, of[0], axes=(axis,))

        add_function(module, f"f{axis}", [matrix], both)
    cases: list[Case] = [
        (name, [np.ones(shape, np.float32)])
        for name in ("f0", "f1")
        for shape in ((0, 3), (3, 0), (0, 0))
    ]
    check(module, cases, exact=True)
    value, index = all_results(module, cases)["O2"][0]
    assert value.tolist() == [-np.inf] * 3
    assert index.tolist() == [0] * 3


def names_of(module: Module) -> list[str]:
    (function,) = module.functions
    return [op.name for op in function.body.block.ops]


def test_equal_ones_are_merged_result_by_result() -> None:
    def body(b: TensorBuilder, of: list[Value]) -> Sequence[Value]:
        (value, _), (_, index) = (b.results(Top1, of[0], axes=(0,)) for _ in range(2))
        return [b(Add, value, value), index]

    module = CSE.run(build_module(["f64[4]"], body), CPU)
    assert names_of(module) == ["tc.top1", "tc.add", "func.return"]
    value, index = run(module, [np.array([1.0, 3.0, 2.0, 3.0])])
    assert (value, index) == (6, 1)


@pytest.mark.parametrize(
    ("type_", "kept", "name"),
    [
        ("f32[4]", (0, 1), "tc.top1"),
        ("f32[4]", (1,), "tc.argmax"),
        ("f32[4]", (0,), "tc.top1"),  # of zeros the first, the maximum is +0
        ("i8[4]", (0,), "tc.max"),
        ("ui64[4]", (1,), "tc.argmax"),
    ],
)
def test_a_result_that_nobody_reads_goes_where_that_changes_no_bit(type_, kept, name):
    def body(b: TensorBuilder, of: list[Value]) -> Sequence[Value]:
        results = b.results(Top1, of[0], axes=(0,))
        return [results[k] for k in kept]

    array = np.array([0.0, 0.0, 1.0, 0.0], parse_type(type_).element.dtype)
    if array.dtype.kind == "f":
        array = -array
    (first,) = run(build_module([type_], body), [array])[:1]
    module = DCE.run(build_module([type_], body), CPU)
    assert names_of(module) == [name, "func.return"]
    assert same_bits(run(module, [array])[0], first)


def test_it_goes_where_nobody_reads_any() -> None:
    def body(b: TensorBuilder, of: list[Value]) -> Sequence[Value]:
        b.results(Top1, of[0], axes=(0,))
        return of

    assert names_of(DCE.run(build_module(["f32[4]"], body), CPU)) == ["func.return"]


def test_rewrites_around_it_reach_both_results() -> None:
    def body(b: TensorBuilder, of: list[Value]) -> Sequence[Value]:
        once = b(Mul, of[0], b.full_like(of[0], 1))
        value, index = b.results(Top1, once, axes=(0,))
        return [b(Mul, value, b.full_like(value, 1)), b(Add, index, index)]

    module = SIMPLIFY.run(build_module(["f32[4]"], body), CPU)
    assert names_of(module) == ["tc.top1", "tc.add", "func.return"]
    assert run(module, [np.float32([1, 3, 2, 3])]) == [3, 2]


def test_one_of_a_constant_is_folded_to_two_constants() -> None:
    def body(b: TensorBuilder, of: list[Value]) -> Sequence[Value]:
        array = np.array([[1.0, np.nan, 2.0], [-0.0, 0.0, -1.0]], np.float32)
        return b.results(Top1, b.constant(array), axes=(1,))

    module = SIMPLIFY.run(build_module([], body), CPU)
    assert names_of(module) == ["tc.constant", "tc.constant", "func.return"]
    value, index = run(module, [])
    assert same_bits(value, np.array([np.nan, -0.0], np.float32))
    assert index.tolist() == [1, 0]


def test_ties_send_the_derivative_to_the_first_where_max_shares_it() -> None:
    def slopes(b: TensorBuilder, of: list[Value]) -> Sequence[Value]:
        first = grad(b, of, lambda b, w: total(b, b.results(Top1, w[0], axes=(0,))[0]))
        return [*first, *grad(b, of, lambda b, w: total(b, b(Max, w[0], axes=(0,))))]

    module = AUTODIFF.run(build_module(["f64[4]"], slopes), CPU)
    first, shared = run(module, [np.array([1.0, 3.0, 2.0, 3.0])])
    assert first.tolist() == [0, 1, 0, 0]
    assert shared.tolist() == [0, 0.5, 0, 0.5]


def test_a_derivative_of_the_second_order_goes_through_it() -> None:
    def cost(b: TensorBuilder, w: list[Value]) -> Value:
        value, _ = b.results(Top1, b(Mul, w[0], w[0]), axes=(1,))
        return total(b, b(Mul, value, value))

    def slope(b: TensorBuilder, w: list[Value]) -> Value:
        return total(b, grad(b, w, cost)[0])

    module = build_module(["f64[2, 3]"], lambda b, of: grad(b, of, slope))
    x = np.array([[1.0, -2.0, 1.5], [0.5, 0.25, -0.25]])
    (second,) = run(AUTODIFF.run(module, CPU), [x])
    assert second.tolist() == [[0, 48, 0], [3, 0, 0]]  # 12 x^2 at the largest square


def test_an_index_in_the_cost_is_refused_where_it_is_made() -> None:
    def cost(b: TensorBuilder, w: list[Value]) -> Value:
        value, index = b.results(Top1, w[0], axes=(0,))
        return b(Mul, value, b.cast(b(Add, index, index), F64))

    module = build_module(["f64[4]"], lambda b, of: grad(b, of, cost))
    message = "unsupported: tc.top1 has no derivative"
    with pytest.raises(CompileError, match=message):
        AUTODIFF.run(module, CPU)


def test_an_index_that_reads_elements_is_no_path() -> None:
    def cost(b: TensorBuilder, w: list[Value]) -> Value:
        value, index = b.results(Top1, w[0], axes=(0,))
        return b(Mul, value, b.gather(w[0], [index], (0,)))

    module = build_module(["f64[3]"], lambda b, of: grad(b, of, cost))
    (slope,) = run(AUTODIFF.run(module, CPU), [np.array([1.0, 3.0, 2.0])])
    assert slope.tolist() == [0, 6, 0]


def test_it_is_max_and_argmax_together_but_for_the_sign_of_a_zero() -> None:
    def body(b: TensorBuilder, of: list[Value]) -> Sequence[Value]:
        both = b.results(Top1, of[0], axes=(0,))
        return [*both, b(Max, of[0], axes=(0,)), b(ArgMax, of[0], axes=(0,))]

    module = build_module(["f32[3]"], body)
    for row in ([1, 2, 2], [np.nan, 1, np.nan], [0.0, -0.0, -1], [-0.0, 0.0, -1]):
        value, index, largest, place = run(module, [np.float32(row)])
        assert index == place
        assert np.array_equal(value, largest, equal_nan=True)
        assert np.signbit(value) == np.signbit(np.float32(row)[index])
