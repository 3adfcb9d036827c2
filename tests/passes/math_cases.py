"""The functions of the math library: what they give, and where to look."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tensorc.ir import numerics
from tensorc.ir.core import Op
from tensorc.ir.ops.scalar import math as ops
from tensorc.ir.types import F64
from tests.backend.harness import nasty
from tests.passes.math_gamma import digamma, gammaln


def sigmoid(x):
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, 1) / (1 + small)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def erf(x):
    if x.dtype != np.longdouble:
        return np.vectorize(math.erf, otypes=["f8"])(x.astype("f8"))
    size = np.minimum(np.abs(x), 30)
    result = np.where(size < 1, _erf_near_0(size), 1 - _scaled_tail(size))
    return np.copysign(np.where(np.isnan(x), x, result), x)


def erfc(x):
    if x.dtype != np.longdouble:
        return np.vectorize(math.erfc, otypes=["f8"])(x.astype("f8"))
    size = np.minimum(np.abs(x), 30)
    tail = np.where(size < 1, 1 - _erf_near_0(size), _scaled_tail(size))
    result = np.where((size < 1) & (x < 0), 1 + _erf_near_0(size), tail)
    return np.where(np.isnan(x), x, np.where(x <= -1, 2 - tail, result))


def erfinv(x):
    if x.dtype != np.longdouble:
        return numerics.erfinv(x)
    size = np.abs(x)
    found = numerics.erfinv(size.astype("f8")).astype(x.dtype)
    inside = np.where(size < 1, found, 1)
    for _ in range(2):
        near, far = size - erf(inside), erfc(inside) - (1 - size)
        off = np.where(size < 0.5, near, far)
        inside = inside + off * np.exp(inside * inside) * ROOT_PI / 2
    tiny = size < 1e-15
    inside = np.where(tiny, size * ROOT_PI / 2, inside)
    return np.copysign(np.where(size < 1, inside, found), x)


def silu(x):
    # e^x is 0 before x e^x is, and minus infinity times 0 would be NaN.
    x = np.maximum(x, -20000)
    root = np.exp(x / 2)
    return np.where(x < 0, x * root / (1 + root * root) * root, x / (1 + np.exp(-x)))


def gelu(x):
    x = np.maximum(x, -1000)
    if x.dtype != np.longdouble:
        # To some 300 units of f64, which are few of f32.
        return x * 0.5 * erfc(-x * np.sqrt(0.5)).astype(x.dtype)
    return x * _distribution(np.clip(x, -60, 60))


def _distribution(x):
    """Return erfc(-x / sqrt(2)) / 2, where the square is taken of x itself."""
    size = np.abs(x)
    z = size / np.sqrt(np.longdouble(2))
    near = 0.5 + 0.5 * np.copysign(_erf_near_0(z), x)
    tail = _tail_over_power(z) * _power_of_square(size, 0.5) / 2
    far = np.where(x < 0, tail, 1 - tail)
    return np.where(np.isnan(x), x, np.where(z < 1, near, far))


ROOT_PI = np.sqrt(np.longdouble("3.14159265358979323846264338327950288"))


def _erf_near_0(x):
    """Return erf by its series, for x from 0 to 1."""
    x = np.minimum(x, 1)
    term = 2 / ROOT_PI * x * np.exp(-x * x)
    total = np.zeros_like(x)
    for n in range(1, 40):
        total, term = total + term, term * 2 * x * x / (2 * n + 1)
    return total


def _scaled_tail(x):
    """Return erfc by its continued fraction, for x from 1 on."""
    x = np.maximum(x, 1)
    return _tail_over_power(x) * _power_of_square(x)


def _tail_over_power(x):
    """Return erfc(x) e^(x^2), for x from 1 on."""
    x = np.maximum(x, 1)
    rest = x
    for k in range(300, 0, -1):
        rest = x + np.longdouble(k) / 2 / rest
    return 1 / (ROOT_PI * rest)


def _power_of_square(x, factor=1):
    """Return e^(-x^2 factor)."""
    # The square of the first 24 bits is exact; what is left of x^2 is small.
    high = x.astype("f4").astype(x.dtype)
    return np.exp(-high * high * factor) * np.exp(-(x - high) * (x + high) * factor)


@dataclass(frozen=True)
class Case:
    """A function of one float, and the truth in wider types.

    Around `places` all neighbours are tried in f32.
    """

    cls: type[Op]
    true: Callable
    places: tuple[float, ...]
    # At negative numbers errors in f64 are measured as if results were as large.
    floor: float = 0.0

    def least(self, x):
        """Return the least sizes of results that errors at x are measured by."""
        return np.where((x < 0) & (x.dtype == "f8"), self.floor, 0.0)


_EXPONENTS = (0.34657359, -0.34657359, 1.0, -1.0, 0.0, 1.17549435e-38, 3.4e38, 1e-45)
_WAVES = (*_EXPONENTS, 0.78539816, 1.5707964, -3.1415927, 355.0, 1e6, 2.0**45, 1e30)


_GAMMA = (*_EXPONENTS, 2.0, 1.4616321, -2.0, -2.4570247, -2.7476826, -0.5, -100.0)
FLOOR = 1 / 16


def _case(cls, true, *places):
    return Case(cls, true, (*_EXPONENTS, *places))


CASES: dict[str, Case] = {
    "exp": _case(ops.Exp, np.exp, 88.72284, -87.33655, -103.97208),
    "log": _case(ops.Log, np.log, np.sqrt(0.5), np.sqrt(2), 2.0),
    "log1p": _case(ops.Log1p, np.log1p, -0.2928932, 0.41421356, 2.0**24),
    "expm1": _case(ops.Expm1, np.expm1, 17.32868, 88.72284, -17.3, -25),
    "tanh": _case(ops.Tanh, np.tanh, 0.17328680, 9.0109, 10.0, -8.7),
    "sigmoid": _case(ops.Sigmoid, sigmoid, 17.3, -17.3, -87.3, -103.97),
    "softplus": _case(ops.Softplus, softplus, 17.3, -17.3, -87.3, -103.97),
    "silu": _case(ops.Silu, silu, 17.3, -17.3, -87.3, -108.5),
    "gelu": _case(ops.Gelu, gelu, 1.06066, -1.06066, 5.5, -14.3),
    "erf": _case(ops.Erf, erf, 0.5, -0.5, 3.9, -5.9),
    "erfc": _case(ops.Erfc, erfc, 0.5, -0.5, 9.19, 10.05, -4),
    "erfinv": _case(ops.ErfInv, erfinv, 0.75, -0.75, 0.9966, 0.99999),
    "gammaln": Case(ops.GammaLn, gammaln, (*_GAMMA, 0.9, 1.1, 1.9, 2.1, 12.0), FLOOR),
    "digamma": Case(ops.Digamma, digamma, (*_GAMMA, 1.2616, 1.6616, 12.0), FLOOR),
    "sin": Case(ops.Sin, np.sin, _WAVES),
    "cos": Case(ops.Cos, np.cos, _WAVES),
    "tan": Case(ops.Tan, np.tan, _WAVES),
    "arcsin": _case(ops.ArcSin, np.arcsin, 0.2297, 0.7071068, 0.58476),
    "arccos": _case(ops.ArcCos, np.arccos, 0.2297, -0.7071068, 0.58476),
    "arctan": _case(ops.ArcTan, np.arctan, 0.236068, 0.7207592, 4.236068, 2.0**60),
    "sinh": _case(ops.Sinh, np.sinh, 20.0, 89.41599, -89.41599),
    "cosh": _case(ops.Cosh, np.cosh, 20.0, 89.41599, -89.41599),
    "arcsinh": _case(ops.ArcSinh, np.arcsinh, 2.0**28, 0.35355, -(2.0**28)),
    "arccosh": _case(ops.ArcCosh, np.arccosh, 2.0**28, 1.0606602),
    "arctanh": _case(ops.ArcTanh, np.arctanh, 0.17157288, -0.17157288),
    "exp2": _case(ops.Exp2, np.exp2, 127.5, -149.5, -126.0, 0.5),
    "log2": _case(ops.Log2, np.log2, np.sqrt(0.5), np.sqrt(2), 2.0),
    "log10": _case(ops.Log10, np.log10, np.sqrt(0.5), np.sqrt(2), 10.0),
    "cbrt": _case(ops.Cbrt, np.cbrt, 8.0, 27.0, -8.0),
}


def sample_f64(seed=11):
    """Return numbers of every size, and many where functions turn or end."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 1 << 64, 40000, dtype=np.uint64).view(np.float64)
    parts = [bits, nasty(F64), 1 + rng.uniform(-1e-8, 1e-8, 20000)]
    parts += [rng.uniform(-746, 711, 40000), rng.uniform(-1, 1, 20000)]
    parts += [rng.uniform(-746, -708, 10000), np.array([709.79, -745.2, 1e-300])]
    parts += [rng.uniform(0.4, 2.1, 40000), np.exp(rng.uniform(-740, 700, 20000))]
    parts += [rng.uniform(0, 1e-310, 10000), np.array([5e-324, 2.2e-308])]
    parts += [
        np.exp(rng.uniform(-40, 0, 20000)) - 1,
        -np.exp(rng.uniform(-40, 3, 20000)),
    ]
    parts += [rng.uniform(-6, 28, 30000), rng.uniform(26, 27.5, 3000)]
    parts += [np.round(rng.uniform(-1e6, 1e6, 10000)) * (np.pi / 2)]
    return np.concatenate(parts)
