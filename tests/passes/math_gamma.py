"""The truth of ln |gamma| and of its derivative, in extended precision."""

from functools import lru_cache

import numpy as np

EULER, PI, LN2 = map(
    np.longdouble,
    (
        "0.577215664901532860606512090082402431",
        "3.14159265358979323846264338327950288",
        "0.693147180559945309417232121458176568",
    ),
)
ROOT = float.fromhex("0x1.762d86356be3fp+0"), float.fromhex("0x1.b86a722197829p-54")
BERNOULLI = ((1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6))
BERNOULLI = [np.longdouble(a) / b for a, b in (*BERNOULLI, (-3617, 510), (43867, 798))]
FAR = 20


@lru_cache(None)
def zeta_less_one(k):
    """Return the sum of 1 / n^k from n = 2 on, by Euler and Maclaurin from 20 on."""
    k, n = np.longdouble(k), np.arange(20, 1, -1, dtype=np.longdouble)
    end = n[0] ** -k
    rest, factor = end * (n[0] / (k - 1) - np.longdouble(0.5)), k * end / n[0]
    for i, b in enumerate(BERNOULLI, 1):
        factor = factor / (2 * i * (2 * i - 1))
        rest = rest + b * factor
        factor = factor * (k + 2 * i - 1) * (k + 2 * i) / n[0] ** 2
    return (n**-k).sum() + rest


def _taylor(z, whole):
    """Return ln gamma(1 + z), or of 2 + z, for |z| <= 1/2."""
    total = np.zeros_like(z)
    for k in range(70, 1, -1):
        total = (total + (zeta_less_one(k) + whole) / k * (-1) ** k) * z
    return z * (total + (1 - whole) - EULER)


def _series(y, first):
    """Return the sum of B(2k) / (2k) / y^(2k), over 2k - 1 and times y if `first`."""
    total = np.zeros_like(y)
    for k in range(len(BERNOULLI), 0, -1):
        total = (
            (total + BERNOULLI[k - 1] / (2 * k * (2 * k - 1 if first else 1))) / y / y
        )
    return total * y if first else total


def _turn(a):
    """Return sin(pi r) and cos(pi r) of r = a - round(a)."""
    rest = a - np.rint(a)
    return np.sin(PI * rest), np.cos(PI * rest)


def gammaln(x):
    """Return ln |gamma(x)|."""
    x = np.asarray(x, np.longdouble)
    a = np.abs(x)
    inside = np.where(a < FAR, a, 1)
    n = np.maximum(np.floor(inside - 1.5), 0)
    factor = np.ones_like(a)
    for i in range(1, FAR):
        factor = factor * np.where(i <= n, inside - i, 1)
    b = inside - n
    low = np.where(b < 0.5, _taylor(b, 1) - np.log(b), _taylor(b - 1, 1))
    near = np.where(b < 1.5, low, _taylor(b - 2, 0)) + np.log(factor)
    y = np.where(a < FAR, FAR, a)
    far = (y - 0.5) * (np.log(y) - 1) + ((np.log(PI) + LN2 - 1) / 2 + _series(y, True))
    found = np.where(a < FAR, near, far)
    sine, _ = _turn(a)
    found = np.where(x < 0, np.log(PI / (a * np.abs(sine))) - found, found)
    return np.where(np.abs(x) == np.inf, x, np.where(np.isnan(x), x, found))


def digamma(x):
    """Return the derivative of ln |gamma|."""
    x = np.asarray(x, np.longdouble)
    a = np.abs(x)
    is_near = a < FAR
    y = np.where(is_near, a + FAR, a)
    found = np.log(y) - 0.5 / y - _series(y, False)
    for i in range(FAR - 1, -1, -1):
        found = found - np.where(is_near, 1 / (a + i), 0)
    sine, cosine = _turn(a)
    turned = found + 1 / a + PI * cosine / sine
    turned = np.where((sine == 0) & (a > 0), np.nan, turned)
    found = np.where(x < 0, turned, np.where(a == 0, -1 / x, found))
    d = (x - ROOT[0]) - ROOT[1]
    near = np.abs(d) < 0.05
    found[near] = d[near] * _share_of_root(x[near], d[near])
    return np.where(x == -np.inf, np.nan, found)


def _share_of_root(x, d):
    """Return digamma(x) / d next to its zero x - d."""
    total = sum(1 / ((n + x - d) * (n + x)) for n in range(FAR - 1, -1, -1))
    m = FAR + x - d / 2
    first = (
        1 / m
        + 0.5 / m**2
        + sum(b / m ** (2 * k + 1) for k, b in enumerate(BERNOULLI, 1))
    )
    third = 2 / m**3 + 3 / m**4 + 2 / m**5 - 1 / m**7 + 4 / 3 / m**9
    fifth = 24 / m**5 + 60 / m**6 + 60 / m**7
    return total + first + d * d * (third / 24 + d * d / 1920 * fifth)
