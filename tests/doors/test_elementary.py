"""NumPy's functions of elements that are formulas of others, on nasty values."""

import numpy as np
import pytest

import tensorc as tc

X = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1.5, -2.5, 1e-310, 1e300, -3, 7, 0.3])
Y = np.array([1, np.inf, np.nan, -0.0, 0, -1, 2, np.inf, 1e300, -3, 2, -0.3])
EXACT = {
    "fmod": np.fmod,
    "copysign": np.copysign,
    "isclose": np.isclose,
    "isclose with nan": lambda x, y: np.isclose(x, y, equal_nan=True, atol=2),
    "allclose": lambda x, y: np.allclose(x, x + 1e-9 * y, equal_nan=True),
    "signbit": lambda x, y: np.signbit(x * y),
    "fabs": lambda x, y: np.fabs(x),
    "isposinf": lambda x, y: np.isposinf(x),
    "isneginf": lambda x, y: np.isneginf(x),
    "nan_to_num": lambda x, y: np.nan_to_num(x),
    "nan_to_num given": lambda x, y: np.nan_to_num(x, nan=5, posinf=1.0, neginf=-2),
    "ldexp": lambda x, y: np.ldexp(x, 3) + np.ldexp(y, -2),
}
NEAR = {
    "deg2rad": lambda x, y: np.deg2rad(x),
    "degrees": lambda x, y: np.degrees(x),
    "sinc": lambda x, y: np.sinc(np.clip(x, -50, 50)),
    "logaddexp2": np.logaddexp2,
    "hypot": np.hypot,
    "arctan2": np.arctan2,
}
SIGNS = {"copysign", "fmod", "arctan2"}


@pytest.mark.parametrize("layout", [1, -1, 2])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("name", [*EXACT, *NEAR])
def test_nasty_values_are_numpys(name, dtype, layout):
    function = EXACT.get(name) or NEAR[name]
    with np.errstate(all="ignore"):
        x, y = X.astype(dtype)[::layout], Y.astype(dtype)[::layout]
        want = np.asarray(function(x, y))
        given = np.asarray(tc.jit(lambda x, y: function(x, y))(x, y))
    assert given.dtype == want.dtype
    if name in EXACT:
        np.testing.assert_array_equal(given, want)
    else:
        bound = 8 * np.finfo(dtype).eps
        np.testing.assert_allclose(given, want, bound, np.finfo(dtype).tiny)
    if name in SIGNS:
        number = ~np.isnan(want)
        assert (np.signbit(given) == np.signbit(want))[number].all()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_ldexp_rounds_once(dtype):
    rng = np.random.default_rng(4)
    span, most = {"f2": (10, 60), "f4": (100, 400), "f8": (900, 2300)}[dtype]
    x = np.exp2(rng.uniform(-span, span, 50_000)) * rng.normal(size=50_000)
    x, n = x.astype(dtype), rng.integers(-most, most, 50_000)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(tc.jit(tc.ldexp)(x, n), np.ldexp(x, n))


def test_what_numpy_has_for_integers():
    for dtype in ("i1", "i4", "u1", "u8"):
        x = np.array([-7, 7, 0, 100, -128]).astype(dtype)
        y = np.array([3, -3, 0, 7, -1]).astype(dtype)
        for function in (np.fmod, np.fmax, np.fmin):
            with np.errstate(all="ignore"):
                want = function(x, y)
            given = tc.jit(lambda x, y, f=function: f(x, y))(x, y)
            assert given.dtype == want.dtype
            np.testing.assert_array_equal(given, want)


def test_fmax_and_fmin_take_the_number():
    x, y = np.array([np.nan, 1.0, np.nan]), np.array([2.0, np.nan, np.nan])
    for function in (tc.fmax, tc.fmin):
        np.testing.assert_array_equal(tc.jit(function)(x, y), [2, 1, np.nan])


def test_derivatives():
    assert tc.grad(lambda x: tc.sinc(x))(0.0) == 0
    assert tc.grad(lambda x: tc.sinc(x))(0.5) == pytest.approx(-4 / np.pi)
    by_x, by_y = tc.grad(lambda x, y: tc.fmod(x, y), argnums=(0, 1))(-7.0, 3.0)
    assert (by_x, by_y) == (1, 2)
    by_x, by_y = tc.grad(lambda x, y: tc.copysign(x, y), argnums=(0, 1))(-7.0, 3.0)
    assert (by_x, by_y) == (-1, 0)
    slope = tc.grad(lambda x: tc.logaddexp2(x, 1.0))
    assert slope(1.0) == pytest.approx(0.5)
    assert slope(40.0) == pytest.approx(1)
    assert tc.grad(lambda x: tc.nan_to_num(x) * 2)(np.inf) == 0


def test_names_in_a_file(tmp_path):
    path = tmp_path / "f.tc"
    path.write_text(
        "fn f(x: float[N], y: float[N]) -> float[N] ="
        " copysign(fmod(hypot(x, y), 2.0), sinc(y)) + arctan2(y, nan_to_num(x))\n"
    )
    x, y = np.array([3.0, -4, 0.5], "f4"), np.array([1.0, 0.25, -8], "f4")
    want = np.copysign(np.fmod(np.hypot(x, y), 2), np.sinc(y)) + np.arctan2(y, x)
    np.testing.assert_allclose(tc.load(path).f(x, y), want, 1e-6)


def test_floats_are_no_exponents_of_ldexp():
    with pytest.raises(TypeError, match="ldexp takes integers n"):
        tc.jit(tc.ldexp)(np.ones(3), np.ones(3))


# Of SciPy's gammaln and psi, to 17 digits.
GAMMA = [
    (0.1, 2.2527126517342059, -10.423754940411076),
    (1.0, 0.0, -0.57721566490153286),
    (1.25, -0.09827183642181316, -0.22745353337626541),
    (3.5, 1.2009736023470743, 1.1031566406452432),
    (50.0, 144.56574394634489, 3.9019896734278921),
    (-0.5, 1.2655121234846454, 0.03648997397857652),
    (-2.5, -0.056243716497674054, 1.1031566406452432),
    (0.0, np.inf, -np.inf),
    (-0.0, np.inf, np.inf),
    (-3.0, np.inf, np.nan),
    (np.inf, np.inf, np.inf),
    (-np.inf, -np.inf, np.nan),
]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_gamma(dtype, tmp_path):
    points = np.array(GAMMA)
    x = points[:, 0].astype(dtype)
    path = tmp_path / "g.tc"
    path.write_text("fn f(x: float[N]) -> float[N] = gammaln(x)\n")
    exact = x == points[:, 0]
    want = points[exact, 1:]
    tolerance = 2 * np.finfo(dtype).eps
    given = tc.jit(lambda x: (tc.gammaln(x), tc.digamma(x), tc.psi(x)))(x)
    for values, truth in zip(given, want.T[[0, 1, 1]], strict=True):
        assert values.dtype == dtype
        np.testing.assert_allclose(values[exact], truth, tolerance)
    if dtype == "f4":
        np.testing.assert_array_equal(tc.load(path).f(x), given[0])


def test_derivatives_of_gamma():
    x = np.array([0.3, 1.0, 4.5, 30.0, -0.5, -2.25])
    slope = tc.jit(tc.grad(lambda x: tc.sum(tc.gammaln(x))))
    np.testing.assert_array_equal(slope(x), tc.jit(tc.digamma)(x))
    slope = tc.jit(tc.grad(lambda x: tc.sum(tc.digamma(x))))
    # SciPy's polygamma(1, x) and polygamma(2, x).
    first = [
        12.245364546107732,
        1.6449340668482264,
        0.24872510303901038,
        0.033895060357739946,
        8.934802200544679,
        19.37941051186914,
    ]
    np.testing.assert_allclose(slope(x), first, 4e-15)
    inner = tc.grad(lambda x: tc.sum(tc.digamma(x)))
    slope = tc.jit(tc.grad(lambda x: tc.sum(inner(x))))
    second = [
        -75.27253658872604,
        -2.4041138063191885,
        -0.061556821321027695,
        -0.0011487652037286,
        -0.82879664423432,
        123.89694977406016,
    ]
    np.testing.assert_allclose(slope(x), second, 1e-13)
