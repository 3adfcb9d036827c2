"""Elementwise ops and reductions on nasty numbers, at every stage, as numpy has them.

What numpy leaves open, gradients at edges, is the table of docs/numerics.md.
"""

import numpy as np
import pytest

from tensorc.floats import as_single
from tensorc.ir.core import Op
from tensorc.ir.evaluation import as_element
from tensorc.ir.functions import new_module
from tensorc.ir.ops import BY_NAME
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.tensor.elementwise import Mul
from tensorc.ir.ops.tensor.reductions import All, Any, ArgMin, Min, Prod
from tensorc.ir.ops.tensor.rounding import Abs, FloorDiv, Mod
from tensorc.ir.ops.tensor.shape import Concatenate
from tensorc.ir.ops.tensor.transcendental import Log1p, Pow
from tensorc.ir.types import ELEMENTS
from tests.backend.harness import nasty
from tests.frontend.irgen_helpers import run as run_text
from tests.samples import build_module, grad, parse_type, run, same_bits, total
from tests.stages import Case
from tests.test_gradients import differentiated, gradient_at
from tests.test_pipeline import add_function, check

SIGNED = ("i8", "i16", "i32", "i64")
UNSIGNED = ("ui8", "ui16", "ui32", "ui64")
FLOATS = ("f16", "bf16", "f32", "f64")
ROUNDING = {"floor": np.floor, "ceil": np.ceil, "round": np.rint}
CLASSES = {"isnan": np.isnan, "isfinite": np.isfinite}
SIGNS = {"abs": np.abs, "sign": np.sign}
DIVISIONS = {"floordiv": np.floor_divide, "mod": np.mod}


def all_pairs(element: str) -> list[np.ndarray]:
    """Return all pairs of nasty numbers of a type, as two arrays."""
    numbers = nasty(ELEMENTS[element])
    if ELEMENTS[element].is_float:
        more = np.array([-7, 3, -3, 2, -1e-3, 5], numbers.dtype)
        numbers = np.concatenate([numbers, more])
    lhs, rhs = np.meshgrid(numbers, numbers)
    return [np.ascontiguousarray(v.ravel()) for v in (lhs, rhs)]


def named(name: str) -> type[Op]:
    return BY_NAME[f"tc.{name}"]


def compare_with_numpy(element: str, functions, arity: int) -> None:
    """Check functions at every stage, and the first stage with numpy."""
    arguments = all_pairs(element)[:arity]
    module, cases = new_module(), []
    types = [parse_type(f"{element}[N]")] * arity
    for name, function in functions.items():
        add_function(
            module,
            name,
            types,
            lambda b, of, name=name: [b(named(name), *of)],  # type: ignore[misc]
        )
        cases.append((name, arguments))
        with np.errstate(all="ignore"):
            found = function(*map(as_single, arguments))
            expected = as_element(found, ELEMENTS[element])
        (given,) = run(only(module, name), arguments)
        assert same_bits(given, expected), name
    check(module, cases, exact=True, levels=(0, 2))


def only(module: Module, name: str) -> Module:
    """Return a module whose function "f" is one of another module."""
    (function,) = [f for f in module.functions if f.sym_name == name]
    types = [a.type for a in function.body.block.arguments]
    return build_module(types, lambda b, of: [b(named(name), *of)])


@pytest.mark.parametrize("element", [*SIGNED, *UNSIGNED])
def test_integer_division_and_signs_are_numpys(element):
    compare_with_numpy(element, DIVISIONS, 2)
    compare_with_numpy(element, SIGNS, 1)


@pytest.mark.parametrize("element", SIGNED)
def test_the_smallest_integer_by_minus_one_and_anything_by_zero(element):
    dtype = ELEMENTS[element].dtype
    least = np.iinfo(dtype).min
    x = np.array([least, least, 5, -7, 7, -7], dtype)
    y = np.array([-1, 0, 0, 2, -2, 3], dtype)
    module = build_module([f"{element}[6]"] * 2, lambda b, of: [b(FloorDiv, *of)])
    assert run(module, [x, y])[0].tolist() == [least, 0, 0, -4, -4, -3]
    module = build_module([f"{element}[6]"] * 2, lambda b, of: [b(Mod, *of)])
    assert run(module, [x, y])[0].tolist() == [0, 0, 0, 1, -1, 2]
    module = build_module([f"{element}[6]"], lambda b, of: [b(Abs, of[0])])
    assert run(module, [x])[0][0] == least


@pytest.mark.parametrize("element", FLOATS)
def test_float_division_rounding_and_classes_are_numpys(element):
    compare_with_numpy(element, DIVISIONS, 2)
    compare_with_numpy(element, {**ROUNDING, **CLASSES, **SIGNS}, 1)


def test_the_remainder_of_a_tiny_negative_is_the_divisor():
    x, y = np.array([-1e-20, 1.0, np.inf, 5.0, -5.0]), np.array([3.0, 0, 2, 3, 3])
    module = build_module(["f64[5]"] * 2, lambda b, of: [b(Mod, *of), b(FloorDiv, *of)])
    mod, floordiv = run(module, [x, y])
    np.testing.assert_array_equal(mod, [3.0, np.nan, np.nan, 2, 1])
    np.testing.assert_array_equal(floordiv, [-1, np.inf, np.nan, 1, -2])


REDUCTIONS = (Min, Prod, ArgMin)
SHAPES = ((3, 5), (5, 3), (1, 17), (17, 1), (40, 33), (1030, 3), (3, 1030), (3, 0))


@pytest.mark.parametrize(
    "element", ["f16", "bf16", "f32", "f64", "i8", "i32", "ui8", "i64"]
)
def test_reductions_agree_at_every_stage(element):
    rng = np.random.default_rng(7)
    module = new_module()
    cases: list[Case] = []
    matrix = parse_type(f"{element}[B, N]")
    for cls in REDUCTIONS:
        name = cls.__name__
        for axis in (0, 1):
            add_function(
                module,
                f"{name}{axis}",
                [matrix],
                lambda b, of, cls=cls, axis=axis: [b.reduce(cls, of[0], axis)],  # type: ignore[misc]
            )
            cases += [(f"{name}{axis}", [_matrix(rng, s, element)]) for s in SHAPES]
    check(module, cases, exact=True)


def _matrix(rng: np.random.Generator, shape, element: str):
    dtype = ELEMENTS[element].dtype
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    values = rng.uniform(0.5, 1.9, shape) * rng.choice([-1, 1], shape)
    return values.astype(dtype)


@pytest.mark.parametrize("share", [0, 0.01, 0.99, 1])
def test_quantifiers_agree_at_every_stage(share):
    rng = np.random.default_rng(8)
    module = new_module()
    cases: list[Case] = []
    for cls in (Any, All):
        name = cls.__name__.lower()
        for axis in (0, 1):
            add_function(
                module,
                f"{name}{axis}",
                [parse_type("i1[B, N]")],
                lambda b, of, cls=cls, axis=axis: [b.reduce(cls, of[0], axis)],  # type: ignore[misc]
            )
            for shape in SHAPES:
                flags = rng.uniform(size=shape) < share
                cases.append((f"{name}{axis}", [flags]))
                module_of_one = only_axis(cls, axis)
                expected = getattr(np, name)(flags, axis=axis)
                assert same_bits(run(module_of_one, [flags])[0], expected)
    check(module, cases, exact=True)


def only_axis(cls: type[Op], axis: int) -> Module:
    return build_module(["i1[B, N]"], lambda b, of: [b.reduce(cls, of[0], axis)])


def test_min_and_argmin_take_the_first_and_nan_wins():
    x = np.array([[2.0, 1, 1], [np.nan, -1, np.nan], [np.inf, np.inf, np.inf]])
    module = build_module(["f64[3, 3]"], lambda b, of: [b(Min, of[0], axes=(1,))])
    np.testing.assert_array_equal(run(module, [x])[0], [1, np.nan, np.inf])
    module = build_module(["f64[3, 3]"], lambda b, of: [b(ArgMin, of[0], axes=(1,))])
    assert run(module, [x])[0].tolist() == [1, 0, 0]


def test_products_keep_the_order_of_sums():
    rng = np.random.default_rng(9)
    module = new_module()
    cases: list[Case] = []
    for extent in (0, 1, 15, 16, 17, 1023, 1024, 1025, 2049, 5000):
        name = f"prod_{extent}"
        types = [parse_type(f"f32[{extent}, 3]")]
        add_function(
            module, name, types, lambda b, of: [b.prod(of[0], 0), b.prod(of[0], 1)]
        )
        values = np.exp(rng.uniform(-1, 1, (extent, 3)) / 20)
        cases.append((name, [values.astype("f4")]))
    check(module, cases, exact=True)


def test_concatenation_of_every_element_type():
    rng = np.random.default_rng(10)
    module = new_module()
    cases: list[Case] = []
    for element in ("i1", *SIGNED, *UNSIGNED, *FLOATS):
        types = [parse_type(f"{element}[{n}, 3]") for n in ("A", "2", "B")]
        add_function(
            module, element, types, lambda b, of: [b(Concatenate, *of, axis=0)]
        )
        for a, c in ((0, 3), (4, 0), (0, 0), (40, 17)):
            dtype = ELEMENTS[element].dtype
            parts = [rng.integers(0, 2, (n, 3)).astype(dtype) for n in (a, 2, c)]
            cases.append((element, parts))
            whole = build_module(types, lambda b, of: [b(Concatenate, *of, axis=0)])
            assert same_bits(run(whole, parts)[0], np.concatenate(parts))
    check(module, cases, exact=True)


# Gradients at edges


def test_slopes_of_absolute_value_and_relu_at_zero():
    (slope,) = gradient_at(
        ["f64[4]"], [[0.0, -0.0, 2, -3]], lambda b, of: total(b, b(Abs, of[0]))
    )
    assert slope.tolist() == [0, 0, 1, -1]
    text = "fn f(x: float[B]) = grad(sum(relu(x)), x)\nfn g(x: float[B]) = relu(x)"
    x = np.array([0, -0.0, 2, -3, np.nan], "f4")
    (slope,), _ = run_text(text, "f", x)
    assert slope[:4].tolist() == [0, 0, 1, 0]
    (value,), _ = run_text(text, "g", x)
    np.testing.assert_array_equal(value, [0, 0, 2, 0, np.nan])


@pytest.mark.parametrize(
    ("base", "exponent", "to_base", "to_exponent"),
    [
        (0.0, 0.0, 0, 0),
        (0.0, 1.0, 1, 0),
        (0.0, 2.0, 0, 0),
        (-2.0, 2.0, -4, np.nan),
        (2.0, 0.0, 0, np.log(2)),
        (np.nan, 0.0, 0, np.nan),
        (4.0, 0.5, 0.25, 2 * np.log(4)),
        (0.0, -1.0, -np.inf, -np.inf),
    ],
)
def test_slopes_of_powers(base, exponent, to_base, to_exponent):
    slopes = gradient_at(["f64", "f64"], [base, exponent], lambda b, of: b(Pow, *of))
    np.testing.assert_allclose(slopes, [to_base, to_exponent])


def test_second_slope_of_a_power_at_zero():
    def second(b, of):
        def first(b, x):
            (slope,) = grad(b, x, lambda b, y: b(Pow, y[0], of[1]))
            return slope

        return grad(b, of[:1], first)

    module = differentiated(build_module(["f64", "f64"], second))
    for exponent, expected in ((0.0, 0), (1.0, 0), (2.0, 2), (3.0, 0)):
        (given,) = run(module, [np.zeros(()), np.array(exponent)])
        assert given == expected


def test_slopes_of_a_remainder():
    slopes = gradient_at(
        ["f64[2]", "f64[2]"], [[5, -5], [3, 3]], lambda b, of: total(b, b(Mod, *of))
    )
    assert [s.tolist() for s in slopes] == [[1, 1], [-1, 2]]


@pytest.mark.parametrize("name", ["floor", "ceil", "round", "sign"])
def test_steps_stop_the_gradient(name):
    (slope,) = gradient_at(
        ["f64[2]"],
        [[0.0, 1.7]],
        lambda b, of: total(b, b(named(name), of[0])),
    )
    assert slope.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2.0, 0, 3], [0, 6, 0]),
        ([0.0, 0, 3], [0, 0, 0]),
        ([1e-200, 1e-200], [1e-200] * 2),
    ],
)
def test_slopes_of_a_product_with_zeros_are_exact(values, expected):
    (slope,) = gradient_at(
        [f"f64[{len(values)}]"], [values], lambda b, of: b.prod(of[0], 0)
    )
    assert slope.tolist() == expected


def test_second_slopes_of_a_product_with_zeros_are_exact():
    def body(b, of):
        def first(b, x):
            (slope,) = grad(b, x, lambda b, y: b.prod(y[0], 0))
            return total(b, b(Mul, slope, of[1]))

        return grad(b, of[:1], first)

    module = differentiated(build_module(["f64[3]", "f64[3]"], body))
    x = np.array([2.0, 0, 3])
    # The matrix of second derivatives has the product of the others off its diagonal.
    expected = np.array([[0, 3, 0], [3, 0, 2], [0, 2, 0]])
    for i in range(3):
        (row,) = run(module, [x, np.eye(3)[i]])
        assert row.tolist() == expected[i].tolist()


def test_ties_of_a_min_reduction_share_equally():
    (slope,) = gradient_at(
        ["f64[4]"], [[3, 2, 2, 2]], lambda b, of: b(Min, of[0], axes=(0,))
    )
    np.testing.assert_array_equal(slope, [0, 1 / 3, 1 / 3, 1 / 3])


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "tanh"])
@pytest.mark.parametrize("scale", [800.0, 1000.0])
def test_slopes_far_out_are_finite_and_exact(name, scale):
    (slope,) = gradient_at(
        ["f64[2]"],
        [[scale, -scale]],
        lambda b, of: total(b, b(named(name), of[0])),
    )
    assert slope.tolist() == ([1, 0] if name == "softplus" else [0, 0])


def test_slope_of_log1p_at_its_pole_is_infinite():
    (slope,) = gradient_at(["f64"], [-1.0], lambda b, of: b(Log1p, of[0]))
    assert slope == np.inf
