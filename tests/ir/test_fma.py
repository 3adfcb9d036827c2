"""`numerics.fma` of doubles rounds once: compared with exact fractions."""

import numpy as np
import pytest

from tensorc.ir.numerics import _fma_f64, fma

NASTY = np.array(
    [
        *(0.0, -0.0, 1, -1, 3, 1 + 2.0**-52, 5e-324, -5e-324, 2.2e-308, 1e-300),
        *(1e-200, 1e200, 1.7e308, -1.7e308, np.inf, -np.inf, np.nan),
    ]
)


def random_doubles(rng: np.random.Generator, exponents: int) -> np.ndarray:
    mantissas = rng.standard_normal(3000)
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(mantissas, rng.integers(-exponents, exponents, 3000))


def check(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    given = fma(a, b, c)
    triples = zip(a, b, c, strict=True)
    expected = np.array([_fma_f64(*map(float, triple)) for triple in triples])
    nans = np.isnan(expected)
    assert (np.isnan(given) == nans).all()
    assert (given[~nans].view("i8") == expected[~nans].view("i8")).all()


def test_nasty_triples():
    check(*(v.ravel() for v in np.meshgrid(NASTY, NASTY, NASTY)))


@pytest.mark.parametrize("exponents", [1, 30, 500, 1100])
def test_random_triples(exponents):
    rng = np.random.default_rng(exponents)
    check(*(random_doubles(rng, exponents) for _ in range(3)))


def test_sums_that_cancel():
    rng = np.random.default_rng(7)
    a, b = (random_doubles(rng, 60) for _ in range(2))
    check(a, b, -(a * b) * (1 + rng.integers(-4, 5, 3000) * 2.0**-52))
