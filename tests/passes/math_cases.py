"""The functions of the math library: what they give, how near, and where to look."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tensorc.ir.core import Op
from tensorc.ir.ops import math
from tensorc.ir.types import F64
from tests.backend.harness import nasty


def sigmoid(x):
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, 1) / (1 + small)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@dataclass(frozen=True)
class Case:
    """A function of one float: the truth in wider types, and bounds in ulp.

    Around `places` all neighbours are tried in f32. Beyond `farthest` it is NaN.
    """

    cls: type[Op]
    true: Callable
    f32: float
    f64: float
    places: tuple[float, ...]
    farthest: float = np.inf

    def inside(self, x):
        with np.errstate(invalid="ignore"):
            return x[~(np.abs(x) > self.farthest)] if self.farthest < np.inf else x


_EXPONENTS = (0.34657359, -0.34657359, 1.0, -1.0, 0.0, 1.17549435e-38, 3.4e38, 1e-45)
_WAVES = (*_EXPONENTS, 0.78539816, 1.5707964, -3.1415927, 355.0, 1e6, 2.0**44)

CASES: dict[str, Case] = {
    "exp": Case(
        math.Exp, np.exp, 0.95, 0.95, (*_EXPONENTS, 88.72284, -87.33655, -103.97208)
    ),
    "log": Case(
        math.Log, np.log, 0.95, 0.95, (*_EXPONENTS, np.sqrt(0.5), np.sqrt(2), 2.0)
    ),
    "log1p": Case(
        math.Log1p, np.log1p, 0.97, 0.95, (*_EXPONENTS, -0.2928932, 0.41421356, 2.0**24)
    ),
    "expm1": Case(
        math.Expm1, np.expm1, 1.05, 1.05, (*_EXPONENTS, 17.32868, 88.72284, -17.3, -25)
    ),
    "tanh": Case(
        math.Tanh, np.tanh, 0.95, 0.95, (*_EXPONENTS, 0.17328680, 9.0109, 10.0, -8.7)
    ),
    "sigmoid": Case(
        math.Sigmoid, sigmoid, 0.95, 0.95, (*_EXPONENTS, 17.3, -17.3, -87.3, -103.97)
    ),
    "softplus": Case(
        math.Softplus, softplus, 1.3, 1.3, (*_EXPONENTS, 17.3, -17.3, -87.3, -103.97)
    ),
    "sin": Case(math.Sin, np.sin, 0.6, 0.85, _WAVES, 2.0**45),
    "cos": Case(math.Cos, np.cos, 0.6, 0.85, _WAVES, 2.0**45),
}


def sample_f64(case: Case):
    """Return numbers of every size, and many where functions turn or end."""
    rng = np.random.default_rng(11)
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
    parts += [np.round(rng.uniform(-1e6, 1e6, 10000)) * (np.pi / 2)]
    return case.inside(np.concatenate(parts))
