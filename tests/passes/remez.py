"""Fits of polynomials: where the coefficients of `passes/expand_math` come from.

Remez's exchange algorithm (E. Remez, 1934; as in J.-M. Muller, "Elementary Functions",
chapter 3) in decimal arithmetic: solve for equal errors of alternating sign at a set of
points, move the points to the extrema of the error, repeat.

    python -m tests.passes.remez
"""

from decimal import Decimal, getcontext

import numpy as np

getcontext().prec = 60
D = Decimal
LN2 = D(2).ln()
HALF = D("0.5")
ROOT_PI = D("3.14159265358979323846264338327950288419716939937510582097494459").sqrt()


def solve(matrix, right):
    """Solve a linear system by elimination with pivots."""
    n = len(right)
    rows = [[*row, r] for row, r in zip(matrix, right, strict=True)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(i + 1, n):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i], strict=True)]
    solution = [D(0)] * n
    for i in reversed(range(n)):
        known = sum(rows[i][j] * solution[j] for j in range(i + 1, n))
        solution[i] = (rows[i][n] - known) / rows[i][i]
    return solution


def evaluate(coefficients, x):
    total = D(0)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def remez(function, weight, low, high, terms, rounds=12, grid=600):
    """Return coefficients (ascending) and the largest weighted error.

    Minimises max |weight(x) * (p(x) - function(x))| over [low, high].
    """
    low, high = D(low), D(high)
    # The points of a grid that is denser at the ends, as extrema are.
    places = [
        low + (high - low) * (D(i) / grid) ** 2 * (3 - 2 * D(i) / grid)
        for i in range(grid + 1)
    ]
    values = [(x, function(x), weight(x)) for x in places]
    chosen = [round(i * grid / terms) for i in range(terms + 1)]
    for _ in range(rounds):
        matrix, right = [], []
        for sign, index in enumerate(chosen):
            x, f, w = values[index]
            matrix.append([D(1)] + [x**k for k in range(1, terms)] + [(-1) ** sign / w])
            right.append(f)
        *coefficients, _ = solve(matrix, right)
        errors = [w * (evaluate(coefficients, x) - f) for x, f, w in values]
        chosen = _extrema(errors, terms + 1)
    return coefficients, max(abs(e) for e in errors)


def two_over_pi(bits):
    """Return the integral part of 2^bits 2/pi, by Machin's formula in integers."""
    one = 1 << (bits + 64)

    def arctan_of_inverse(n):
        total, term, k = 0, one // n, 1
        while term:
            total += term // k if k % 4 == 1 else -(term // k)
            term, k = term // (n * n), k + 2
        return total

    pi = 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))
    return (2 << bits) * one // pi


def lost(coefficient, kind):
    """Return what a coefficient loses when it becomes a number of a float type."""
    return float(coefficient - D(float(kind(float(coefficient)))))


def _extrema(errors, count):
    """Return the places of the largest errors of alternating sign."""
    best = []
    for i, error in enumerate(errors):
        if best and (errors[best[-1]] > 0) == (error > 0):
            if abs(error) > abs(errors[best[-1]]):
                best[-1] = i
        else:
            best.append(i)
    while len(best) > count:
        ends = (0, -1)
        best.pop(min(ends, key=lambda e: abs(errors[best[e]])))
    return best


def exp_tail(x):
    """(e^x - 1 - x) / x^2, by its series near 0."""
    if abs(x) > D("1e-3"):
        return (x.exp() - 1 - x) / x**2
    total, term = D(0), D(1) / 2
    for k in range(3, 30):
        total += term
        term = term * x / k
    return total


def exp_rest(x):
    """(e^x - 1 - x - x^2/2) / x^3, by its series near 0."""
    if abs(x) > D("1e-3"):
        return (x.exp() - 1 - x - x**2 / 2) / x**3
    total, term = D(0), D(1) / 6
    for k in range(4, 30):
        total += term
        term = term * x / k
    return total


def log_tail(x):
    """(ln(1 + x) - x + x^2/2) / x^3, by its series near 0."""
    if abs(x) > D("1e-3"):
        return ((1 + x).ln() - x + x**2 / 2) / x**3
    return sum((D(1) if k % 2 else D(-1)) * x ** (k - 3) / k for k in range(3, 25))


def atanh_tail(z):
    """(2 atanh(s)/s - 2) / z with z = s^2, by its series near 0."""
    if z > D("1e-4"):
        s = z.sqrt()
        return (((1 + s) / (1 - s)).ln() / s - 2) / z
    return D(2) / 3 + sum(2 * z ** (k - 1) / (2 * k + 1) for k in range(2, 20))


def atanh_rest(z):
    """(2 atanh(s)/s - 2 - 2/3 z) / z^2 with z = s^2, by its series near 0."""
    if z > D("1e-4"):
        return (atanh_tail(z) - D(2) / 3) / z
    return D(2) / 5 + sum(2 * z ** (k - 2) / (2 * k + 1) for k in range(3, 20))


def tanh_tail(z):
    """(tanh(x) - x) / x^3 with z = x^2, by its series near 0."""
    if z > D("1e-4"):
        x = z.sqrt()
        square = (2 * x).exp()
        return ((square - 1) / (square + 1) / x - 1) / z
    odd = (1, 2, 17, 62, 1382, 21844, 929569)
    below = (3, 15, 315, 2835, 155925, 6081075, 638512875)
    series = [D(a) / b for a, b in zip(odd, below, strict=True)]
    return -evaluate(series, -z)


def arctan(t):
    """The angle whose tangent is t, by its series after three halvings."""
    for _ in range(3):
        t = t / (1 + (1 + t * t).sqrt())
    z, total, term, k = t * t, D(0), t, 1
    while abs(term) > D("1e-58"):
        total, term, k = total + term / k, -term * z, k + 2
    return 8 * total


def arctan_tail(z):
    """(atan(t) / t - 1) / z with z = t^2, by its series near 0."""
    if z > D("1e-6"):
        t = z.sqrt()
        return (arctan(t) / t - 1) / z
    return D(-1) / 3 + sum((-1) ** k * z ** (k - 1) / (2 * k + 1) for k in range(2, 12))


def cube_root(x):
    return (x.ln() / 3).exp()


def sin_tail(z):
    """(sin r - r) / r^3 with z = r^2, by its series."""
    return _alternating(z, 3)


def cos_tail(z):
    """(cos r - 1 + r^2/2) / r^4 with z = r^2, by its series."""
    return -_alternating(z, 4)


def _alternating(z, first):
    """-1/first! + z/(first + 2)! - …"""
    total, term = D(0), D(-1)
    for k in range(2, first + 1):
        term /= k
    for k in range(first, first + 60, 2):
        total += term
        term *= -z / ((k + 1) * (k + 2))
    return total


def erf_over(z):
    """erf(x) / x with z = x^2, by its series."""
    total, term, n = D(0), 2 / ROOT_PI * (-z).exp(), 1
    while term > D("1e-55"):
        total += term
        term = term * 2 * z / (2 * n + 1)
        n += 1
    return total


def erf_rest(u):
    """erf(x) / x - 1, where x^2 = u + 1/2."""
    return erf_over(u + HALF) - 1


def scaled_erfc(x):
    """e^(x^2) erfc(x), by the series of erf or by Laplace's continued fraction."""
    if x < 2:
        return (1 - x * erf_over(x * x)) * (x * x).exp()
    rest = x
    for k in range(600, 0, -1):
        rest = x + D(k) / 2 / rest
    return 1 / (ROOT_PI * rest)


def erfc_tail(t):
    """(1 + 2 x) e^(x^2) erfc(x), where 8 / (x + 4) = t + 1."""
    x = 8 / (t + 1) - 4
    return (1 + 2 * x) * scaled_erfc(x)


def _tail_place(x):
    return 8 / (D(x) + 4) - 1


def fits():
    """Yield name, coefficients and relative error of each polynomial."""
    half = LN2 / 2 * D("1.0001")
    for name, terms in (("exp f32", 5), ("exp f64", 10)):
        yield name, *remez(exp_tail, _exp_weight, -half, half, terms)
    for name, terms in (("expm1 f32", 5), ("expm1 f64", 10)):
        yield name, *remez(exp_rest, lambda x: x**2 + TINY, -half, half, terms)
    most = (LN2 / 4 * D("1.0001")) ** 2
    for name, terms in (("tanh f32", 3), ("tanh f64", 6)):
        yield name, *remez(tanh_tail, lambda z: z + TINY, D(0), most, terms)
    low, high = D("0.5").sqrt() - 1, D(2).sqrt() - 1
    yield "log f32", *remez(log_tail, _log_weight, low, high, 8)
    most = (high / (2 + high)) ** 2 * D("1.0001")
    yield "log f64", *remez(atanh_tail, lambda z: z + TINY, D(0), most, 7)
    yield "pow f64", *remez(atanh_rest, lambda z: z**2 + TINY**2, D(0), most, 8)
    most = (D("0.7855") ** 2) * D("1.001")
    for name, terms in (("f32", 3), ("f64", 6)):
        yield f"sin {name}", *remez(sin_tail, lambda z: z + TINY, D(0), most, terms)
        yield f"cos {name}", *remez(cos_tail, _cos_weight, D(0), most, terms)
    most = D("0.2363") ** 2 * D("1.01")
    yield "arctan f64", *remez(arctan_tail, lambda z: z + TINY, D(0), most, 10)
    yield "cbrt", *remez(cube_root, lambda x: 1 / cube_root(x), D(1), D(8), 6)
    for name, terms in (("f32", 7), ("f64", 13)):
        fit = remez(erf_rest, _erf_weight, D("-0.5"), D("0.5"), terms, 6, 250)
        yield f"erf {name}", *fit
    for name, far, terms in (("f32", "10.25", 10), ("f64", "27.5", 22)):
        low, high = _tail_place(far), _tail_place("0.75")
        yield f"erfc {name}", *remez(erfc_tail, _tail_weight, low, high, terms, 6, 250)


# The weight turns the error of a tail into that of the function; never 0.
TINY = D("1e-9")


def _exp_weight(x):
    return x**2 / x.exp() + TINY


def _cos_weight(z):
    return z**2 + TINY


def _log_weight(x):
    return (abs(x**3 / (1 + x).ln()) if x else D(0)) + TINY


def _erf_weight(u):
    return 1 / erf_over(u + HALF)


def _tail_weight(t):
    return 1 / erfc_tail(t)


if __name__ == "__main__":
    for name, coefficients, error in fits():
        print(f"{name}: error 2^{float(error.ln() / LN2):.2f}")  # noqa: T201
        kind = np.float32 if name.endswith("f32") else np.float64
        for c in coefficients:
            print(f"    {float(c).hex()}, and {lost(c, kind).hex()}")  # noqa: T201
