"""The floating-point contract in numpy: the orders of reductions and contractions.

See design section 7 and docs/numerics.md. Every `evaluate` that sums goes through
here, so that interpreted and compiled results agree bit for bit.
"""

import functools
import math
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from fractions import Fraction

import numpy as np

from tensorc.floats import as_single, is_float

LANES = 16  # element i of a reduction belongs to lane i mod 16
BLOCK = 1024  # a reduction starts afresh after so many elements
CONTRACTION_BLOCK = 512  # a contraction likewise
SUPERBLOCK = 16 * CONTRACTION_BLOCK  # its blocks are added ascending up to here

# The values of the `order` attribute.
LANES_ORDER = "lanes"  # 16 lanes, left to right; blocks of 1024; a balanced tree
FMA_ORDER = "fma"  # fused multiply-add, ascending; blocks of 512; see added_blocks
SEQUENTIAL = "sequential"  # one element after the other
OVERLAP_ORDER = "overlap"  # ascending from +0, each where its window's map says

Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]


def flatten(values: Array, axes: Sequence[int]) -> Array:
    """Return the elements along axes as one first axis: their flat index, row-major."""
    first = np.moveaxis(values, axes, range(len(axes)))
    shape = first.shape[len(axes) :]
    return first.reshape((math.prod(first.shape[: len(axes)]), *shape))


def widened(values: Array) -> Array:
    """Return values in the type that they are added up in: f16 and bf16 in f32."""
    return values.astype(np.float32) if is_narrow(values.dtype) else values


def is_narrow(dtype: "np.dtype[np.generic]") -> bool:
    """Return whether a NumPy type is f16 or bf16, which are added up in f32."""
    return dtype.itemsize == 2 and is_float(dtype)


def rounded(values: Array, dtype: "np.dtype[np.generic]") -> Array:
    """Return what was added up in the type that it is given in."""
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def ordered_sum(values: Array, axis: int) -> Array:
    """Sum along an axis in the contract's order; an empty sum is +0.

    The identity is -0.0, which changes no summand, so [-0.0] sums to -0.0.
    """
    values = np.moveaxis(values, axis, 0)
    if values.shape[0] == 0:
        return np.zeros(values.shape[1:], values.dtype)
    return _ordered(values, np.add, -0.0)


def ordered_product(values: Array, axis: int) -> Array:
    """Multiply along an axis in the order of sums; a product of nothing is 1."""
    values = np.moveaxis(values, axis, 0)
    if values.shape[0] == 0:
        return np.ones(values.shape[1:], values.dtype)
    return _ordered(values, np.multiply, 1.0)


def _ordered(values: Array, combine: np.ufunc, identity: float) -> Array:
    if not is_float(values.dtype):
        return np.asarray(combine.reduce(values, axis=0, dtype=values.dtype))
    if is_narrow(values.dtype):
        return rounded(_ordered(widened(values), combine, identity), values.dtype)
    count = values.shape[0]
    blocks = [
        _in_lanes(values[i : i + BLOCK], combine, identity)
        for i in range(0, count, BLOCK)
    ]
    return _in_tree(blocks, combine)


def _in_tree(parts: list[Array], combine: np.ufunc) -> Array:
    """Combine neighbours first; an odd one moves up."""
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        combined = [np.asarray(combine(a, b)) for a, b in pairs]
        parts = combined + (parts[-1:] if len(parts) % 2 else [])
    return parts[0]


def _in_lanes(values: Array, combine: np.ufunc, identity: float) -> Array:
    lanes = np.full((LANES, *values.shape[1:]), identity, values.dtype)
    for i in range(0, values.shape[0], LANES):
        part = values[i : i + LANES]
        lanes[: len(part)] = combine(lanes[: len(part)], part)
    total: Array = np.asarray(lanes[0])
    for lane in lanes[1:]:
        total = np.asarray(combine(total, lane))
    return total


def _add(left: Array, right: Array) -> Array:
    # An operator would need a dtype of numbers in the types of both.
    return np.asarray(np.add(left, right))


# Products of more terms than this are NumPy's, whose last bits are others. It is set by
# who wants to know where a number was lost, and not its bits.
EXACT_TERMS: ContextVar[float] = ContextVar("exact_terms", default=math.inf)


def ordered_matmul(lhs: Array, rhs: Array) -> Array:
    """Multiply [..., m, k] by [..., k, n] in the contract's order."""
    depth = lhs.shape[-1]
    if not is_float(lhs.dtype):
        return np.asarray(np.matmul(lhs, rhs)).astype(lhs.dtype)
    if lhs.size * rhs.shape[-1] > EXACT_TERMS.get():
        wide = np.matmul(lhs.astype(np.float64), rhs.astype(np.float64))
        return rounded(wide, lhs.dtype)
    if is_narrow(lhs.dtype):
        return rounded(ordered_matmul(widened(lhs), widened(rhs)), lhs.dtype)
    if depth == 0:
        return np.zeros((*lhs.shape[:-1], rhs.shape[-1]), lhs.dtype)
    whole = depth - depth % CONTRACTION_BLOCK
    blocks = _chains(lhs[..., :whole], rhs[..., :whole, :], CONTRACTION_BLOCK)
    if whole < depth:
        rest = depth - whole
        blocks += _chains(lhs[..., whole:], rhs[..., whole:, :], rest)
    return added_blocks(blocks)


def _chains(lhs: Array, rhs: Array, length: int) -> list[Array]:
    """Multiply in blocks of so many terms, each a chain of its own from +0."""
    count = lhs.shape[-1] // length
    left = lhs.reshape(*lhs.shape[:-1], count, length)
    right = rhs.reshape(*rhs.shape[:-2], count, length, rhs.shape[-1])
    left, right = np.moveaxis(left, -2, 0), np.moveaxis(right, -3, 0)
    sums = np.zeros((*left.shape[:-1], right.shape[-1]), lhs.dtype)
    for k in range(length if count else 0):
        sums = fma(left[..., k : k + 1], right[..., k : k + 1, :], sums)
    return list(sums)


def added_blocks(blocks: Sequence[Array]) -> Array:
    """Add the blocks of a contraction, ascending in superblocks, these in the tree."""
    step = SUPERBLOCK // CONTRACTION_BLOCK
    parts = [blocks[i : i + step] for i in range(0, len(blocks), step)]
    return _in_tree([functools.reduce(_add, part) for part in parts], np.add)


def same_bits(left: Array, right: Array) -> bool:
    """Return whether arrays are equal bit for bit, but for the payload of NaNs."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if not is_float(left.dtype):
        return bool((left == right).all())
    nans = np.isnan(as_single(left))
    if not (nans == np.isnan(as_single(right))).all():
        return False
    bits = f"i{left.dtype.itemsize}"
    return bool((left[~nans].view(bits) == right[~nans].view(bits)).all())


def integer_limits(dtype: "np.dtype[np.generic]") -> tuple[int, int]:
    """Return the least and the largest value of an integer type."""
    limits = np.iinfo(dtype.name)
    return int(limits.min), int(limits.max)


def fma(a: Array, b: Array, c: Array) -> Array:
    """Return a * b + c with one rounding."""
    if a.dtype == np.float32:
        return _fma_f32(a, b, c)
    if is_narrow(a.dtype):
        return _fma_f32(*(v.astype(np.float32) for v in (a, b, c))).astype(a.dtype)
    return _fma_doubles(*(np.asarray(v, np.float64) for v in (a, b, c)))


def _fma_f32(a: Array, b: Array, c: Array) -> Array:
    # The product of two f32 is exact in f64. Rounding the sum to odd in f64 makes the
    # second rounding, to f32, the only one (Boldo and Melquiond, 2008).
    with np.errstate(all="ignore"):
        x, y, z = (np.asarray(v, np.float64) for v in (a, b, c))
        return _odd_sum(np.asarray(x * y), z).astype(np.float32)


def scaled(value: Array, exponent: Array) -> Array:
    """Return value * 2^(exponent - 2 bias) with one rounding."""
    twice = 2 * 127 if value.dtype == np.float32 else 2 * 1023
    # Beyond these limits everything is 0 or infinite, and `ldexp` takes 32 bits.
    power = np.clip(np.asarray(exponent, np.int64), -5000, 5000) - twice
    with np.errstate(all="ignore"):
        return np.asarray(np.ldexp(value, power.astype(np.int32)), value.dtype)


Doubles = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def _two_sum(a: Doubles, b: Doubles) -> tuple[Doubles, Doubles]:
    """Return the sum of doubles, and exactly what its rounding lost."""
    total = np.asarray(a + b)
    back = total - a
    return total, np.asarray((a - (total - back)) + (b - back))


def _odd_sum(a: Doubles, b: Doubles) -> Doubles:
    """Return the sum of doubles, rounded to odd where it is inexact."""
    total, error = _two_sum(np.asarray(a), np.asarray(b))
    bits = total.view(np.int64)
    inexact = np.isfinite(total) & (error != 0) & (bits & 1 == 0)
    away = (error > 0) == (total > 0)
    odd = bits + np.where(away, 1, -1)
    return np.asarray(np.where(inexact, odd, bits).view(np.float64))


def _two_product(a: Doubles, b: Doubles, product: Doubles) -> Doubles:
    """Return exactly what the rounding of a product lost (Veltkamp, Dekker)."""
    high_a, high_b = ((2.0**27 + 1) * v for v in (a, b))
    high_a, high_b = high_a - (high_a - a), high_b - (high_b - b)
    low_a, low_b = a - high_a, b - high_b
    cross = ((high_a * high_b - product) + high_a * low_b) + low_a * high_b
    return np.asarray(cross + low_a * low_b)


def _fma_doubles(a: Doubles, b: Doubles, c: Doubles) -> Doubles:
    """Return a * b + c with one rounding, one by one only where exponents are extreme.

    Boldo and Melquiond (2008): all errors are caught, the last but one sum is odd.
    """
    with np.errstate(all="ignore"):
        a, b, c = np.broadcast_arrays(a, b, c)
        product = a * b
        total, rest = _two_sum(c, _two_product(a, b, product))
        high, low = _two_sum(product, total)
        result = high + _odd_sum(rest, low)
        sizes = [np.abs(v) for v in (a, b, c, product)]
        largest = np.maximum(np.maximum(sizes[0], sizes[1]), sizes[2])
        usual = (sizes[3] > 2.0**-900) & (sizes[3] < 2.0**990) & (largest < 2.0**990)
        # A product with 0 is exact, one with infinity or NaN is final; and c stays what
        # it is if it alone is not finite, where the product may round to infinity.
        finite = np.isfinite(a) & np.isfinite(b)
        plain = ((a == 0) | (b == 0)) | ~finite
        kept = finite & ~np.isfinite(c)
        other = np.where(kept, c, product + c)
        result = np.where(usual, result, other)
        for at in np.argwhere(~usual & ~plain & ~kept):
            index = tuple(at)
            result[index] = _fma_f64(*(float(v[index]) for v in (a, b, c)))
    return np.asarray(result)


def _fma_f64(a: float, b: float, c: float) -> float:
    if not (np.isfinite(a) and np.isfinite(b) and np.isfinite(c)):
        if np.isfinite(a) and np.isfinite(b):
            return c  # a * b may overflow when it is rounded
        with np.errstate(all="ignore"):
            return float(np.float64(a) * b + c)
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        # The sign of a zero follows IEEE: of equal signs that sign, otherwise +0.
        product_sign = np.copysign(1.0, a) * np.copysign(1.0, b)
        if a == 0 or b == 0 or c == 0:
            same = product_sign == np.copysign(1.0, c)
            return float(np.copysign(0.0, c)) if same else 0.0
        return 0.0
    try:
        return float(exact)
    except OverflowError:
        return float("inf") if exact > 0 else float("-inf")


def maximum(lhs: Array, rhs: Array) -> Array:
    """Return the larger elements: NaN if either is NaN, and of zeros +0."""
    larger = np.asarray(np.maximum(lhs, rhs))
    if not is_float(larger.dtype):
        return larger
    # A sum of zeros is -0 only if both are; of others it is not looked at.
    with np.errstate(all="ignore"):
        return np.where((lhs == 0) & (rhs == 0), np.add(lhs, rhs), larger)


def minimum(lhs: Array, rhs: Array) -> Array:
    """Return the smaller elements: NaN if either is NaN, and of zeros -0."""
    smaller = np.asarray(np.minimum(lhs, rhs))
    if not is_float(smaller.dtype):
        return smaller
    lhs, rhs = (np.asarray(v, smaller.dtype) for v in (lhs, rhs))
    return np.asarray(np.negative(maximum(np.negative(lhs), np.negative(rhs))))


def maximum_along(values: Array, axes: tuple[int, ...], initial: float) -> Array:
    """Return the `maximum` of all elements along axes, and of `initial`."""
    largest = np.asarray(np.max(values, axis=axes, initial=initial))
    if not is_float(values.dtype):
        return largest
    plus = ((values == 0) & ~np.signbit(values)).any(axis=axes)
    zero = np.where(plus, values.dtype.type(0.0), values.dtype.type(-0.0))
    return np.where(largest == 0, zero, largest)


def minimum_along(values: Array, axes: tuple[int, ...], initial: float) -> Array:
    """Return the `minimum` of all elements along axes, and of `initial`."""
    if not is_float(values.dtype):
        return np.asarray(np.min(values, axis=axes, initial=initial))
    return np.asarray(np.negative(maximum_along(np.negative(values), axes, -initial)))


def sigmoid(values: Array) -> Array:
    """Return 1 / (1 + e^-x) without overflow, in the type of the values."""
    power = np.exp(-np.abs(values))
    one = values.dtype.type(1)
    return np.asarray(np.where(np.less(values, 0), power, one) / (one + power))


def erf(values: Array) -> Array:
    """Return the error function, in the type of the values."""
    return _each(math.erf, values)


def erfc(values: Array) -> Array:
    """Return 1 - erf, accurate where it is small, in the type of the values."""
    return _each(math.erfc, values)


def erfinv(values: Array) -> Array:
    """Return the inverse of the error function, in the type of the values."""
    return _each(_erfinv, values)


def _erfinv(y: float) -> float:
    """Return the x whose erf is y, by Newton's method with a term of second order."""
    size = abs(y)
    if not size < 1:
        return math.copysign(math.inf, y) if size == 1 else math.nan
    x = math.sqrt(-math.log((1 - size) * (1 + size))) if size > 0.5 else size
    for _ in range(60):
        rest = math.erfc(x) - (1 - size) if size > 0.5 else size - math.erf(x)
        step = rest * math.exp(x * x) * math.sqrt(math.pi) / 2
        x, before = x + step / (1 - max(-0.5, min(0.5, x * step))), x
        if abs(x - before) <= 1e-16 * x:
            break
    return math.copysign(x, y)


def silu(values: Array) -> Array:
    """Return x * sigmoid(x), in the type of the values; -0 at minus infinity."""
    return _each(_silu, values)


def _silu(x: float) -> float:
    # e^x is 0 before x e^x is: half of the exponent at a time.
    if x < 0:
        root = math.exp(max(x, -1e4) / 2)
        return max(x, -1e4) * root / (1 + root * root) * root
    return x / (1 + math.exp(-x))


def gelu(values: Array) -> Array:
    """Return x times the normal distribution at x, in the type of the values."""
    root = math.sqrt(0.5)
    return _each(lambda x: max(x, -1e4) * 0.5 * math.erfc(-x * root), values)


def _each(function: Callable[[float], float], values: Array) -> Array:
    found = [function(v) for v in values.astype(np.float64).ravel().tolist()]
    with np.errstate(under="ignore"):
        return np.array(found, np.float64).astype(values.dtype).reshape(values.shape)


def softplus(values: Array) -> Array:
    """Return ln(1 + e^x) without overflow, in the type of the values."""
    positive = np.maximum(values, values.dtype.type(0))
    return np.asarray(positive + np.log1p(np.exp(-np.abs(values))))
