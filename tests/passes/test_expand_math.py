"""The math library by arithmetic: errors, special values, and one library for all."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from tensorc.backend.llvm.host import host_target
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith, math
from tensorc.ir.types import BF16, F16, F32, F64
from tensorc.passes.math.angles import TWO_OVER_PI
from tensorc.passes.math.arcs import ARCTAN_TAIL
from tensorc.passes.math.bases import CBRT_START
from tensorc.passes.math.erf import (
    ERF_DOUBLE,
    ERF_SINGLE,
    ERFC_DOUBLE,
    ERFC_SINGLE,
    FAR_LOST,
)
from tensorc.passes.math.expand_math import EXPAND_MATH, FUNCTIONS
from tensorc.passes.math.powers import POW_TAIL
from tensorc.passes.math.trigonometry import (
    COS_DOUBLE,
    COS_SINGLE,
    SIN_DOUBLE,
    SIN_SINGLE,
)
from tests.backend.harness import (
    LANES,
    Code,
    assert_same_bits,
    constant,
    counted,
    entry,
    nasty,
)
from tests.passes.math_cases import CASES, sample_f64
from tests.passes.math_code import compiled, expanded, interpreted
from tests.passes.remez import fits, lost, two_over_pi
from tests.passes.ulps import errors, rows, true_of

EACH = pytest.mark.parametrize("name", CASES)
BINARY = (math.PowF, math.RemF, math.ArcTan2, math.Hypot)
BOUNDS = rows()
POINTS = Path(np.__file__).parent / "_core" / "tests" / "data"


@lru_cache(None)
def published(name):
    """Return NumPy's points and results of a function, by type; none if it has none."""
    path = POINTS / f"umath-validation-set-{name}.csv"
    if not path.exists():
        return ()
    lines = [x.split(",") for x in path.read_text().splitlines() if x[:3] == "np."]
    found = []
    for dtype in ("float32", "float64"):
        bits = [[int(v, 16) for v in x[1:3]] for x in lines if x[0] == f"np.{dtype}"]
        kind = np.dtype(dtype)
        pair = np.array(bits, f"u{kind.itemsize}").view(kind).T
        found.append(tuple(np.ascontiguousarray(v) for v in pair))
    return tuple(found)


def largest(case, x):
    return errors(compiled(case.cls, x), true_of(case, x), case.least(x)).max()


@EACH
def test_f32_is_within_its_bound(name):
    x = np.arange(0, 1 << 32, 4099, dtype=np.uint64).astype(np.uint32).view("f4")
    assert largest(CASES[name], x) <= BOUNDS[name]["f32"][0]


@EACH
def test_f32_around_the_edges(name):
    """All floats next to where the result's exponent, sign or class changes."""
    places = np.array(CASES[name].places, "f4").view(np.int32)
    bits = places[:, None] + np.arange(-3000, 3000)
    x = bits.astype(np.int32).ravel().view("f4")
    assert largest(CASES[name], x) <= BOUNDS[name]["f32"][0]


@EACH
def test_f64_is_within_its_bound(name):
    assert largest(CASES[name], sample_f64()) <= BOUNDS[name]["f64"][0]


@EACH
@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_the_worst_of_all_inputs_is_what_the_page_says(name, kind):
    bound, point = BOUNDS[name][kind]
    x = np.array([point], "f4" if kind == "f32" else "f8")
    assert bound - 0.00101 < largest(CASES[name], x) <= bound


@pytest.mark.parametrize("name", [n for n in CASES if published(n)])
def test_published_points_are_met_to_one_ulp(name):
    """The points of NumPy's own tests; their results are rounded correctly."""
    for x, want in published(name):
        got = compiled(CASES[name].cls, x)
        off = np.abs(ordered(got) - ordered(want))
        assert np.isnan(got).tolist() == np.isnan(want).tolist()
        assert off[~np.isnan(got)].max() <= 1


def test_functions_that_numpy_publishes_points_of():
    with_points = {n for n in CASES if published(n)}
    without = {"sigmoid", "softplus", "silu", "gelu", "erf", "erfc", "erfinv"}
    without |= {"gammaln", "digamma"}
    assert with_points == set(CASES) - without


def ordered(x):
    """Return integers whose differences are the numbers of floats between."""
    bits = x.view(f"i{x.itemsize}")
    return np.where(bits < 0, np.iinfo(bits.dtype).min - bits, bits).astype("O")


@EACH
def test_special_values_are_those_of_numpy(name):
    case = CASES[name]
    for element in (F16, F32, F64):
        dtype = element.dtype
        x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -1.0], dtype)
        with np.errstate(all="ignore"):
            want = case.true(x).astype(dtype)
        got = compiled(case.cls, x)
        special = ~np.isfinite(want) | (want == 0)
        assert_same_bits(got[special], want[special], f"{case.cls.name} {dtype}")
        assert np.isfinite(got[~special]).all()


def test_log_of_one_is_plus_zero():
    assert_same_bits(compiled(math.Log, np.ones(3)), np.zeros(3))


def test_exp_underflows_gradually_and_overflows_late():
    x = np.array([-103.9, -100, -88, 88.72283], "f4")
    want = np.exp(x.astype("f8")).astype("f4")
    got = compiled(math.Exp, x)
    assert (np.abs(got - want) <= np.spacing(want)).all()
    assert (got[:3] > 0).all()
    assert (got[:3] < np.finfo("f4").tiny).all()
    assert np.isfinite(got[3])


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_tanh_and_sigmoid_saturate_exactly_and_never_pass_their_ends(dtype):
    with np.errstate(over="ignore"):
        x = np.concatenate([np.linspace(0, 1000, 20001), 10.0 ** np.arange(300)])
        x = np.unique(x.astype(dtype))
    tanh, sigmoid = compiled(math.Tanh, x), compiled(math.Sigmoid, x)
    assert tanh.max() == sigmoid.max() == 1
    assert (tanh[x > 20] == 1).all()
    assert (sigmoid[x > 40] == 1).all()
    assert_same_bits(compiled(math.Tanh, -x), -tanh)
    below = compiled(math.Sigmoid, -x)
    assert below.min() == 0
    assert (below <= 0.5).all()
    assert (below[x > 1000] == 0).all()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_softplus_is_exact_far_out(dtype):
    x = np.array([1000, 100, np.inf, -1000, -np.inf], dtype)
    assert compiled(math.Softplus, x).tolist() == [1000, 100, np.inf, 0, 0]


def test_waves_of_angles_that_end_next_to_a_quarter():
    """The f64 that is nearest to a multiple of pi/2 is 2^-61 from it (Muller, 2006)."""
    x = np.array([6381956970095103.0 * 2.0**797])
    assert compiled(math.Cos, x) == pytest.approx(-4.68716592425462761e-19, rel=2e-16)
    assert compiled(math.Sin, -x) == -compiled(math.Sin, x) == -1


def test_lanes_with_near_far_and_no_angles_do_not_disturb_each_other():
    x = np.array([0.5, 1e22, -1e22, np.inf, 1e300, np.nan, 1e22, -0.0, 2.0**45, -3e7])
    for cls, true in ((math.Sin, np.sin), (math.Cos, np.cos)):
        with np.errstate(invalid="ignore"):
            want = true(x.astype(np.longdouble))
        assert errors(compiled(cls, x), want).max() < 1
        alone = np.concatenate([compiled(cls, x[i : i + 1]) for i in range(x.size)])
        assert_same_bits(compiled(cls, x), alone)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_silu_and_gelu_end_as_their_limits_say(dtype):
    x = np.array([np.inf, -np.inf, -1000, 1e30, -1e30], dtype)
    want = np.array([np.inf, -0.0, -0.0, 1e30, -0.0], dtype)
    for cls in (math.Silu, math.Gelu):
        assert_same_bits(compiled(cls, x), want)


@EACH
def test_interpreter_and_every_level_give_the_same_bits(name):
    case = CASES[name]
    lanes, every = (LANES, 16) if name in ("sin", "cos", "tan") else (None, 1)
    bits = np.arange(0, 1 << 32, 1 << 18, dtype=np.uint64).astype(np.uint32)
    wide = np.append(sample_f64()[::401], nasty(F64))
    for x in (bits.view("f4"), wide, nasty(F16)):
        x = np.ascontiguousarray(x[::every])
        want = interpreted(case.cls, x, lanes=lanes)
        for optimize, at_once in ((0, 0), (3, LANES)):
            given = compiled(case.cls, x, lanes=at_once, optimize=optimize)
            assert_same_bits(given, want, f"{x.dtype}")


@EACH
def test_f16_is_rounded_from_f32(name):
    case = CASES[name]
    x = np.arange(1 << 16, dtype=np.uint16).view("f2")
    with np.errstate(all="ignore"):
        # NumPy rounds what is wider than f64 to f32 first.
        want = case.true(x.astype("f8")).astype("f8").astype("f2")
    got = compiled(case.cls, x)
    # Two roundings: at most a few ties go the other way.
    differs = ~((got == want) | (np.isnan(got) & np.isnan(want)))
    assert np.count_nonzero(differs) < 8


# Two operands


def pairs(element, count=4000):
    """Return all pairs of nasty numbers, and pairs of random bits."""
    numbers = [-1, 1, 2, -2, 3, -3, -8, 1 / 3, -1 / 3, 0.5, 1e3, 2.0**60]
    with np.errstate(over="ignore"):
        single = np.append(nasty(element), numbers).astype(element.dtype)
    lhs, rhs = np.meshgrid(single, single)
    rng = np.random.default_rng(4)
    size = element.bits // 8
    random = np.frombuffer(rng.bytes(2 * count * size), element.dtype)
    x = np.concatenate([lhs.ravel(), random[:count]])
    return x, np.concatenate([rhs.ravel(), random[count:]])


@pytest.mark.parametrize("element", [F16, F32, F64], ids=str)
@pytest.mark.parametrize("lanes", [0, LANES])
def test_remainder_is_exact(element, lanes):
    x, y = pairs(element, 50000)
    with np.errstate(all="ignore"):
        want = np.fmod(x, y)
    assert_same_bits(compiled(math.RemF, x, y, lanes=lanes), want)


@pytest.mark.parametrize("element", [F16, F32, F64], ids=str)
def test_powers_have_the_special_values_of_numpy(element):
    x, y = pairs(element)
    with np.errstate(all="ignore"):
        want = np.power(x, y)
    got = compiled(math.PowF, x, y)
    special = ~np.isfinite(want) | (x == 0) | (np.abs(x) == 1) | (y == 0)
    special |= ~np.isfinite(x) | ~np.isfinite(y)
    assert_same_bits(got[special], want[special])


def powers(dtype):
    rng = np.random.default_rng(6)
    count = 20000
    most = 80 if dtype == "f4" else 700
    y = np.concatenate(
        [
            rng.uniform(-3, 3, count),
            rng.uniform(-most, most, count),
            rng.uniform(-1e9, 1e9, count),
            rng.integers(-30, 30, count),
        ]
    )
    # Results of every size: x = e^(t / y).
    t = rng.uniform(-most, most, y.size)
    with np.errstate(over="ignore"):
        x = np.exp(t / np.where(y == 0, 1, y))
    x[-count:] *= rng.choice([-1, 1], count)
    with np.errstate(over="ignore"):
        return x.astype(dtype), y.astype(dtype)


def test_powers_of_f32_are_rounded_once():
    x, y = powers("f4")
    with np.errstate(all="ignore"):
        want = np.power(x.astype("f8"), y.astype("f8"))
    assert errors(compiled(math.PowF, x, y), want).max() < 0.501


def test_powers_of_f64_are_within_their_bound():
    x, y = powers("f8")
    with np.errstate(all="ignore"):
        want = np.power(x.astype(np.longdouble), y.astype(np.longdouble))
    # The truth itself is good to a third of an ulp.
    assert errors(compiled(math.PowF, x, y), want).max() < 1.1


PLANE = ((math.ArcTan2, np.arctan2), (math.Hypot, np.hypot))


@pytest.mark.parametrize("element", [F16, F32, F64], ids=str)
@pytest.mark.parametrize(("cls", "true"), PLANE)
def test_functions_of_points_have_the_special_values_of_numpy(cls, true, element):
    x, y = pairs(element)
    with np.errstate(all="ignore"):
        want = true(x, y)
    got = compiled(cls, x, y)
    special = ~np.isfinite(want) | (want == 0)
    assert_same_bits(got[special], want[special])


def points(dtype):
    """Return coordinates of every size and quotient, and of subnormal ones."""
    rng = np.random.default_rng(8)
    count, far = 100_000, 300 if dtype == "f8" else 38
    angle, size = rng.uniform(-np.pi, np.pi, count), 10 ** rng.uniform(-far, far, count)
    near = np.array([np.cos(angle) * size, np.sin(angle) * size])
    random = np.frombuffer(rng.bytes(16 * count), dtype).reshape(2, -1)
    tiny = rng.integers(-1000, 1000, (2, count)) * np.finfo(dtype).smallest_subnormal
    with np.errstate(over="ignore", under="ignore"):
        parts = [near.astype(dtype), random, tiny.astype(dtype)]
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("cls", "true"), PLANE)
def test_functions_of_points_are_within_their_bounds(cls, true, dtype):
    x, y = points(dtype)
    wide = np.longdouble if dtype == "f8" else "f8"
    with np.errstate(all="ignore"):
        want = true(x.astype(wide), y.astype(wide))
        found = errors(compiled(cls, x, y), want).max()
    assert found < (0.501 if dtype == "f4" else 0.75)


@pytest.mark.parametrize("cls", BINARY, ids=lambda c: c.name)
def test_functions_of_two_give_the_same_bits_everywhere(cls):
    for element in (F16, F32, F64):
        x, y = (np.ascontiguousarray(v[::7]) for v in pairs(element, 500))
        want = interpreted(cls, x, y)
        for optimize, lanes in ((0, 0), (3, LANES)):
            given = compiled(cls, x, y, lanes=lanes, optimize=optimize)
            assert_same_bits(given, want, str(element))


# The pass


def test_uses_inside_and_outside_of_loops_see_the_new_values():
    def fill(b, x, out, arena):
        zero = constant(b, 0)
        value = b.value(math.Log, b.value(math.Exp, b.value(memory.Load, x, zero)))
        value = b.value(math.RemF, value, constant(b, 0.5, F64))
        with counted(b, zero, constant(b, 3), constant(b, 1)) as i:
            more = b.value(arith.AddF, value, b.value(math.Exp, value))
            b.create(memory.Store, more, out, i)

    module = EXPAND_MATH.run(entry([F64, F64], 0, fill), host_target())
    expanded_ops = {cls for cls, _ in FUNCTIONS}
    assert not any(type(op) in expanded_ops for op in module.walk())
    out = np.zeros(3)
    assert Code(module)(np.array([1.25]), out) == 0
    np.testing.assert_allclose(out, 0.25 + np.exp(0.25), rtol=1e-15)


def test_every_function_has_a_row_per_float_and_is_tested():
    tested = {*(case.cls for case in CASES.values()), *BINARY}
    assert set(FUNCTIONS) == {(c, e) for c in tested for e in (F16, BF16, F32, F64)}


def test_exp_is_short():
    module = expanded(math.Exp, F32)
    ops = [op for op in module.walk() if op.name.startswith(("arith", "math"))]
    free = ("arith.constant", "arith.bitcast")
    assert sum(op.name not in free for op in ops) <= 24


def test_polynomials_are_those_of_the_fit():
    formats = {e: FUNCTIONS[math.Exp, e][0] for e in (F32, F64)}
    known = {
        "exp f32": formats[F32].exp_tail,
        "exp f64": formats[F64].exp_tail,
        "expm1 f32": formats[F32].exp_rest,
        "expm1 f64": formats[F64].exp_rest,
        "tanh f32": formats[F32].tanh_tail,
        "tanh f64": formats[F64].tanh_tail,
        "log f32": formats[F32].log_tail,
        "log f64": formats[F64].log_tail,
        "pow f64": POW_TAIL,
        "sin f32": SIN_SINGLE,
        "sin f64": SIN_DOUBLE,
        "cos f32": COS_SINGLE,
        "cos f64": COS_DOUBLE,
        "arctan f64": ARCTAN_TAIL,
        "cbrt": CBRT_START,
        "erf f32": ERF_SINGLE,
        "erf f64": ERF_DOUBLE,
        "erfc f32": ERFC_SINGLE,
        "erfc f64": ERFC_DOUBLE,
    }
    found = list(fits())
    assert {name for name, _, _ in found} == set(known)
    for name, coefficients, error in found:
        assert tuple(float(c) for c in coefficients) == known[name]
        least = {"cbrt": 2**-10}.get(name, 2**-27 if name.endswith("f32") else 2**-57)
        assert error < least
        if name.startswith("erfc"):
            element = F32 if name.endswith("f32") else F64
            kind = element.dtype.type
            assert lost(coefficients[0], kind) == FAR_LOST[element]


def test_the_bits_of_two_over_pi():
    assert two_over_pi(37 * 32 - 9) == TWO_OVER_PI
