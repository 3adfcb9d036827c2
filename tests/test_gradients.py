"""Every derivative rule against central differences in f64, and at its edges."""

import numpy as np
import pytest

from tensorc.ir.core import Op, Value
from tensorc.ir.numerics import Array
from tensorc.ir.ops import BY_NAME
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.tensor.elementwise import (
    Add,
    Compare,
    Log,
    Maximum,
    Mul,
    Select,
    Sqrt,
)
from tensorc.ir.ops.tensor.indexing import TakeAlongAxis
from tensorc.ir.ops.tensor.nn import LogSoftmax
from tensorc.ir.ops.tensor.reductions import Max
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.verifier import verify
from tensorc.passes.tensor.ad import reverse
from tensorc.passes.tensor.ad.autodiff import AUTODIFF
from tensorc.passes.tensor.ad.rules import VJP_RULES
from tests.samples import (
    CPU,
    SAMPLES,
    Sample,
    apply_op,
    build_module,
    grad,
    parse_type,
    run,
    sample_values,
    seed_of,
    total,
)

CASES = [
    pytest.param(cls, sample, id=f"{cls.name} {sample}")
    for cls in VJP_RULES
    for sample in SAMPLES[cls]
]


def differentiated(module: Module) -> Module:
    module = AUTODIFF.run(module, CPU)
    verify(module)
    return module


def float_places(sample: Sample) -> list[int]:
    types = [parse_type(t) for t in sample.operands]
    return [i for i, t in enumerate(types) if t.element.is_float]


def weighted(cls: type[Op], sample: Sample, order: int) -> Module:
    """Return cost (order 0) or gradient functions of (operands, weights).

    Order 1 is the gradient of sum(weight * op), order 2 that of the weighted sum of
    the first gradient.
    """
    places = float_places(sample)
    types = [parse_type(t) for t in sample.operands]
    shape = build_module(types, lambda b, of: [apply_op(b, cls, sample, of)])
    (function,) = shape.functions
    result = function.body.block.terminator.operands[0].type
    weights = [result, *(types[i] for i in places)]

    def body(b: TensorBuilder, arguments: list[Value]) -> list[Value]:
        operands, weight = arguments[: len(types)], arguments[len(types) :]

        def cost(b: TensorBuilder, wrt: list[Value]) -> Value:
            given = list(operands)
            for place, value in zip(places, wrt, strict=True):
                given[place] = value
            return total(b, b(Mul, apply_op(b, cls, sample, given), weight[0]))

        def second(b: TensorBuilder, wrt: list[Value]) -> Value:
            parts = zip(grad(b, wrt, cost), weight[1:], strict=True)
            sums = [total(b, b(Mul, g, w)) for g, w in parts]
            result = sums[0]
            for other in sums[1:]:
                result = b(Add, result, b.cast(other, result.type.element))
            return result

        wrt = [operands[i] for i in places]
        if order == 0:
            return [cost(b, wrt)]
        return grad(b, wrt, cost if order == 1 else second)

    return differentiated(build_module([*types, *weights], body))


def differences(module: Module, arguments: list[Array], place: int, step: float):
    """Return the derivative of the sum of all results by central differences."""
    base = arguments[place]
    result = np.zeros(base.shape)
    for index in np.ndindex(base.shape):
        values = []
        for sign in (1, -1):
            moved = base.copy()
            moved[index] += sign * step
            given = [*arguments[:place], moved, *arguments[place + 1 :]]
            values.append(sum(float(r) for r in run(module, given)))
        result[index] = (values[0] - values[1]) / (2 * step)
    return result


def weights_for(cls: type[Op], sample: Sample, rng) -> tuple[list, list]:
    operands = sample_values(sample, rng)
    (result,) = run(
        build_module(sample.operands, lambda b, of: [apply_op(b, cls, sample, of)]),
        operands,
    )
    # Few bits, so that casts to f32 keep them.
    wanted = [result, *(operands[i] for i in float_places(sample))]
    return operands, [
        (rng.integers(-8, 9, w.shape) / 4).astype(w.dtype) for w in wanted
    ]


@pytest.mark.parametrize(("cls", "sample"), CASES)
def test_gradient_equals_central_differences(cls, sample):
    check_gradient(cls, sample)


@pytest.mark.parametrize("cls", VJP_RULES, ids=lambda c: c.name)
def test_the_check_finds_a_planted_wrong_rule(cls, monkeypatch):
    """Scale each cotangent by 1.001: the second sample of every op shows it."""
    right = VJP_RULES[cls]

    def wrong(b: TensorBuilder, op: Op, cts):
        return right(b, op, scaled(b, cts, 1.001))

    monkeypatch.setattr(reverse, "VJP_RULES", {**VJP_RULES, cls: wrong})
    with pytest.raises(AssertionError, match="tolerance"):
        check_gradient(cls, SAMPLES[cls][1])


def scaled(b: TensorBuilder, values, factor: float):
    """Return derivatives by a factor, where there are some."""
    return tuple(v and b(Mul, v, b.full_like(v, factor)) for v in values)


def check_gradient(cls: type[Op], sample: Sample) -> None:
    rng = seed_of(cls.name, sample)
    operands, weights = weights_for(cls, sample, rng)
    arguments = [*operands, *weights]
    gradients = run(weighted(cls, sample, 1), arguments)
    cost = weighted(cls, sample, 0)
    for place, gradient in zip(float_places(sample), gradients, strict=True):
        expected = differences(cost, arguments, place, sample.step)
        assert gradient.dtype == arguments[place].dtype
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("cls", "sample"), CASES)
def test_second_gradient_equals_central_differences(cls, sample):
    rng = seed_of(cls.name, sample, 2)
    operands, weights = weights_for(cls, sample, rng)
    arguments = [*operands, *weights]
    gradients = run(weighted(cls, sample, 2), arguments)
    first = weighted_first(cls, sample)
    for place, gradient in zip(float_places(sample), gradients, strict=True):
        expected = differences(first, arguments, place, sample.step)
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def weighted_first(cls: type[Op], sample: Sample) -> Module:
    """Return the weighted sum of the first gradient, as scalars."""
    places = float_places(sample)
    module = weighted(cls, sample, 1)
    (function,) = module.functions
    block = function.body.block
    gradients = block.terminator.operands
    weights = block.arguments[len(sample.operands) + 1 :]
    types = [a.type for a in block.arguments]

    def body(b: TensorBuilder, arguments: list[Value]) -> list[Value]:
        values = dict(zip(block.arguments, arguments, strict=True))
        for op in block.ops[:-1]:
            given = [values[v] for v in op.operands]
            made = b.results(type(op), *given, **op.attributes)
            values.update(zip(op.results, made, strict=True))
        pairs = zip(gradients, weights, strict=True)
        return [total(b, b(Mul, values[g], values[w])) for g, w in pairs]

    assert len(gradients) == len(places)
    return build_module(types, body)


def gradient_at(types, values, cost) -> list[Array]:
    """Return the gradient of a cost with respect to all arguments."""
    module = build_module(types, lambda b, of: grad(b, of, cost))
    arrays = [
        np.array(v, parse_type(t).element.dtype)
        for t, v in zip(types, values, strict=True)
    ]
    return run(differentiated(module), arrays)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_tie_of_two_is_split_in_halves(name):
    lhs, rhs = gradient_at(
        ["f64[3]", "f64[3]"],
        [[1, 2, 3], [1, 3, 2]],
        lambda b, of: total(b, b(BY_NAME[f"tc.{name}"], *of)),
    )
    larger = [0.5, 0, 1] if name == "maximum" else [0.5, 1, 0]
    assert lhs.tolist() == larger
    assert rhs.tolist() == [1 - v for v in larger]


def test_nan_in_maximum_is_seen_by_both():
    lhs, rhs = gradient_at(
        ["f64[2]", "f64[2]"],
        [[np.nan, 1], [1, np.nan]],
        lambda b, of: total(b, b(Maximum, *of)),
    )
    assert lhs.tolist() == rhs.tolist() == [1, 1]


def test_ties_of_a_max_reduction_share_equally():
    (gradient,) = gradient_at(
        ["f64[4]"], [[1, 2, 2, 2]], lambda b, of: b(Max, of[0], axes=(0,))
    )
    np.testing.assert_array_equal(gradient, [0, 1 / 3, 1 / 3, 1 / 3])


def test_sqrt_at_zero_is_infinite():
    (gradient,) = gradient_at(["f64"], [0.0], lambda b, of: b(Sqrt, of[0]))
    assert gradient == np.inf


def test_log_at_zero_is_infinite():
    (gradient,) = gradient_at(["f64"], [0.0], lambda b, of: b(Log, of[0]))
    assert gradient == np.inf


def test_x_log_x_at_zero_is_nan():
    (gradient,) = gradient_at(
        ["f64"], [0.0], lambda b, of: b(Mul, of[0], b(Log, of[0]))
    )
    assert np.isnan(gradient)


def test_unsafe_where_at_zero_is_nan_and_the_safe_one_is_finite():
    def unsafe(b, of):
        positive = b(Compare, of[0], b.zeros_like(of[0]), predicate="gt")
        return b(Select, positive, b(Sqrt, of[0]), b.zeros_like(of[0]))

    def safe(b, of):
        positive = b(Compare, of[0], b.zeros_like(of[0]), predicate="gt")
        inside = b(Select, positive, of[0], b.full_like(of[0], 1))
        return b(Select, positive, b(Sqrt, inside), b.zeros_like(of[0]))

    assert np.isnan(gradient_at(["f64"], [0.0], unsafe)[0])
    assert gradient_at(["f64"], [0.0], safe)[0] == 0


@pytest.mark.parametrize("scale", [800.0, 1000.0])
def test_log_softmax_gradient_is_exact_far_out(scale):
    (gradient,) = gradient_at(
        ["f64[3]"],
        [[scale, 0, -scale]],
        lambda b, of: b(
            TakeAlongAxis,
            b(LogSoftmax, of[0], axis=0),
            b.scalar(1, parse_type("i64").element),
            axis=0,
        ),
    )
    assert gradient.tolist() == [-1, 1, 0]


def test_negative_indices_count_from_the_end():
    module = build_module(
        ["f64[2, 3]", "i64[2]"],
        lambda b, of: grad(
            b, of[:1], lambda b, w: total(b, b(TakeAlongAxis, w[0], of[1], axis=1))
        ),
    )
    operand = np.zeros((2, 3))
    (gradient,) = run(differentiated(module), [operand, np.array([-1, -3])])
    assert gradient.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_a_value_used_twice_gets_both_parts():
    (gradient,) = gradient_at(["f64"], [3.0], lambda b, of: b(Mul, of[0], of[0]))
    assert gradient == 6


@pytest.mark.parametrize("size", [0, 1, 2, 3, 31, 32, 33, 1025])
@pytest.mark.parametrize("known", [True, False])
def test_derivative_of_a_product_is_that_of_the_others(size, known):
    """One whose tree is known, and one whose size only the call says."""
    x = seed_of(size).uniform(0.5, 1.5, (2, size)) * np.array([[1], [-1]])
    x[0, : size // 40 + 1] = 0
    types = [f"f64[2, {size if known else 'N'}]"]

    def body(b, of):
        def cost(b, w):
            return total(b, b.prod(w[0], 1))

        return grad(b, of, cost)

    (found,) = run(differentiated(build_module(types, body)), [x])
    others = [np.prod(np.delete(x, i, 1), 1) for i in range(size)]
    wanted = np.array(others).reshape(size, 2).T
    np.testing.assert_allclose(found, wanted, 1e-12)


def test_derivative_of_a_long_product_takes_linear_work():
    """100,000 elements by the square of that were ten billion products."""
    x = np.full(100_000, 1 + 1e-5)
    types = ["f64[N]"]
    body = lambda b, of: grad(b, of, lambda b, w: b.prod(w[0], 0))  # noqa: E731
    (found,) = run(differentiated(build_module(types, body)), [x])
    np.testing.assert_allclose(found, (1 + 1e-5) ** 99_999, 1e-11)
