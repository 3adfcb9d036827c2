"""Arguments for programs: sizes and numbers at which compilers go wrong."""

from collections.abc import Callable, Mapping
from types import EllipsisType

import numpy as np

from tensorc.floats import is_float, limits
from tensorc.fuzz.program import ArgumentNode, RandomProgram, shape_of
from tensorc.ir.dims import evaluate
from tensorc.ir.numerics import Array, integer_limits
from tensorc.ir.types import F64, Element

# Nothing, one, both sides of each vector's width, 8 mod 16, both sides of a chunk.
SIZES = (
    *(0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 31, 33, 40),
    *(47, 48, 49, 64, 65),
)
# Three chunks of rows, a strip of columns, a block of terms, a block of a sum, three of
# these, and more chunks of rows than two threads have ranges. What stands twice here is
# drawn twice as often.
LONG = (97, 127, 128, 129, 136, 511, 513, *range(1016, 1033), 1024, 1025, 2056, 2056)

_ZEROS = 0.1  # how often an argument is zeros of both signs, or negative ones alone
_ALIASED = 0.15  # how often an argument is the same array as another one
_RELATED = 0.4  # how often one has to do with another one
_BAD_INDEX = 0.08  # how often an array of indices has one out of range


def nasty(element: Element) -> Array:
    """Return values of an element type that hurt: limits, zeros, NaN, ties."""
    dtype = element.dtype
    if dtype.kind == "b":
        return np.array([False, True])
    if dtype.kind in "iu":
        return _nasty_integers(element)
    info = limits(dtype)
    floats = [0.0, 0.5, 1.0, 1.5, 2.5, 3.5, 1 / 3, 0.1, 7.0, 1e4, 127.5, 255.9]
    floats += [float(info.max), float(info.tiny), float(info.smallest_subnormal)]
    floats += [float(info.eps), 1 + float(info.eps), 65504.0, 65519.9, 2049.0, 2047.5]
    floats += [2.0**31, 2.0**63, 2.0**64, np.inf]
    floats += _beside_ties(element)
    if element == F64:
        floats += [2.0**31 - 0.5, 2.0**53 + 2]
    with np.errstate(all="ignore"):
        return np.array([*floats, *(-f for f in floats), np.nan]).astype(dtype)


def _beside_ties(element: Element) -> list[float]:
    """Return what a narrower type rounds to even, and both neighbours of it."""
    found = []
    for digits in (8, 11, 24):  # of the significands of bf16, f16 and f32
        for odd in (1, 3):
            tie = 1 + odd * 2.0**-digits
            beside = [np.nextafter(element.dtype.type(tie), to) for to in (0, 2)]
            found += [tie, *map(float, beside)]
    return found


def _nasty_integers(element: Element) -> Array:
    least, most = integer_limits(element.dtype)
    bits = element.bits
    numbers = {0, 1, 2, 3, 5, 7, bits - 1, bits, bits + 1, 100}
    numbers |= {most, most - 1, most // 2, least, least // 2}
    exact = (2**11, 2**24, 2**53)  # floats hold the integers up to here
    numbers |= {n + 1 for n in exact if n < most} | {n + 3 for n in exact if n < most}
    if least:
        numbers |= {-1, -2, -3, -7, -bits, least + 1}
    return np.array(sorted(numbers), element.dtype)


def hurting(
    element: Element, shape: tuple[int, ...], rng: np.random.Generator
) -> Array:
    """Return nasty numbers, powers of two and their neighbours, and uniform ones."""
    dtype = element.dtype
    special = rng.choice(nasty(element), shape)
    if dtype.kind == "b":
        return np.asarray(special)
    if dtype.kind in "iu":
        least, most = integer_limits(dtype)
        uniform = rng.integers(least, most, shape, dtype, endpoint=True)
        powers = _powers_of_two(element, shape, rng)
    else:
        uniform = _of_any_size(element, shape, rng)
        exponents = rng.integers(-6, 7, shape)
        powers = np.ldexp(np.ones(shape, dtype), exponents).astype(dtype)
        beside = np.nextafter(powers, rng.choice([-100, 100], shape).astype(dtype))
        powers = np.where(rng.random(shape) < 0.5, powers, beside)
    if is_float(dtype) and rng.random() < _ZEROS:
        zeros = [-0.0] if rng.random() < 0.5 else [-0.0, 0.0]
        return rng.choice(np.array(zeros, dtype), shape)
    kind = rng.integers(0, 4, shape)
    picked = np.where(kind == 0, special, np.where(kind == 1, powers, uniform))
    return picked.astype(dtype)


def _of_any_size(
    element: Element, shape: tuple[int, ...], rng: np.random.Generator
) -> Array:
    """Return floats up to 4, floats of some 60 exponents, and floats of any."""
    dtype = element.dtype
    near = rng.uniform(-4, 4, shape)
    most = int(limits(dtype).maxexp)
    some = rng.integers(-min(30, most), min(30, most), shape)
    exponents = np.where(
        rng.random(shape) < 0.1, rng.integers(-most, most, shape), some
    )
    far = np.ldexp(near / 4, exponents)
    return np.asarray(np.where(rng.random(shape) < 0.5, near, far)).astype(dtype)


def few(element: Element, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Return few numbers that hurt, each many times: ties of extremes, several NaN."""
    numbers = rng.choice(nasty(element), 3)
    if element.is_float and rng.random() < 0.7:
        numbers[0] = np.nan
    return rng.choice(numbers, shape)


def _powers_of_two(
    element: Element, shape: tuple[int, ...], rng: np.random.Generator
) -> Array:
    """Return powers of two and their neighbours."""
    exponents = rng.integers(0, element.bits, shape).astype(element.dtype)
    powers = np.left_shift(np.ones(shape, element.dtype), exponents)
    return np.asarray(np.add(powers, rng.integers(-1, 2, shape).astype(element.dtype)))


def tame(element: Element, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Return numbers of moderate size, so that no NaN hides what comes after."""
    dtype = element.dtype
    if dtype.kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.kind in "iu":
        return rng.integers(-5 if dtype.kind == "i" else 0, 9, shape).astype(dtype)
    sizes = rng.uniform(0.1, 2, shape)
    return np.asarray(np.where(rng.random(shape) < 0.3, -sizes, sizes)).astype(dtype)


def indices(
    element: Element,
    shape: tuple[int, ...],
    size: int,
    rng: np.random.Generator,
    bad: bool,
) -> Array:
    """Return indices into an axis; signed ones may count from its end.

    With `bad` one of them is out of range, if the type has such a number.
    """
    least, most = integer_limits(element.dtype)
    lowest, highest = max(-size, least), min(size - 1, most)
    if size == 0:
        lowest = highest = 0
    picked = rng.integers(lowest, highest, shape, np.int64, endpoint=True)
    outside = [n for n in (size, -size - 1) if least <= n <= most]
    if bad and picked.size and outside:
        picked.flat[rng.integers(picked.size)] = rng.choice(outside)
    return picked.astype(element.dtype)


def positive(
    element: Element, shape: tuple[int, ...], rng: np.random.Generator
) -> Array:
    """Return tame numbers that have logarithms and roots: between 0 and 1."""
    if not element.is_float:
        return tame(element, shape, rng)
    return rng.uniform(0.1, 0.9, shape).astype(element.dtype)


def level(element: Element, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Return one number everywhere, or two: extremes are ties."""
    if not element.is_float:
        return tame(element, shape, rng)
    numbers = np.array([0.75, 0.75 if rng.random() < 0.5 else 0.5], element.dtype)
    return rng.choice(numbers, shape)


def zeros(element: Element, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Return zeros: of floats negative ones, or of both signs."""
    zeros = [0.0, -0.0] if element.is_float and rng.random() < 0.5 else [-0.0]
    with np.errstate(all="ignore"):
        return rng.choice(np.array(zeros).astype(element.dtype), shape)


Draw = Callable[[Element, tuple[int, ...], np.random.Generator], Array]
KINDS: Mapping[str, Draw] = {"tame": tame, "nasty": hurting}  # of random programs
DRAWS: Mapping[str, Draw] = {
    **KINDS,
    "bad": hurting,  # with an index out of range, too
    "positive": positive,
    "level": level,
    "zeros": zeros,
    "few": few,
}
TAME = ("tame", "positive", "level")  # of moderate size


def draw_arguments(
    program: RandomProgram, kind: str, rng: np.random.Generator
) -> list[Array]:
    """Return arguments of a kind, tame or nasty, for a program."""
    drawn: list[Array] = []
    for given in program.givens:
        array = _draw(given, program, kind, rng)
        same = [a for a in drawn if (a.dtype, a.shape) == (array.dtype, array.shape)]
        alias = kind == "nasty" and same and rng.random() < _ALIASED
        free = given.below is None and f"${given.name}" not in program.sizes
        if alias and free and not given.shared:
            array = same[-1]
        elif kind == "nasty" and same and free and rng.random() < _RELATED:
            array = related(same[-1], array, rng)
        drawn.append(array)
    return drawn


def related(array: Array, others: Array, rng: np.random.Generator) -> Array:
    """Return numbers of which most have to do with those of an array.

    They are equal, opposite, next to each other, or a multiple: two operands of an op
    that are drawn alone seldom cancel, tie or divide each other.
    """
    dtype = array.dtype
    if dtype.kind == "b":
        return others
    digits = min(8 * dtype.itemsize - 2, 12)
    factors = (
        np.exp2(rng.uniform(0, digits, array.shape)).astype(np.int64).astype(dtype)
    )
    with np.errstate(all="ignore"):
        found = [array, np.negative(array), np.multiply(array, factors)]
        if is_float(dtype):
            to = rng.choice(np.array([-np.inf, np.inf], dtype), array.shape)
            found += [np.nextafter(array, to), np.divide(array, factors)]
        else:
            found += [np.add(array, 1).astype(dtype), np.floor_divide(array, factors)]
    kind = rng.integers(0, len(found) + 1, array.shape)
    return np.choose(kind, [others, *found]).astype(dtype)


def _draw(
    given: ArgumentNode, program: RandomProgram, kind: str, rng: np.random.Generator
) -> Array:
    element, shape = given.type.element, shape_of(given, program.sizes)
    if f"${given.name}" in program.sizes:
        return np.array(program.sizes[f"${given.name}"], element.dtype)
    if given.below is not None:
        bad = kind == "bad" or (kind == "nasty" and rng.random() < _BAD_INDEX)
        size = evaluate(given.below, program.sizes)
        return indices(element, shape, size, rng, bad)
    return DRAWS[kind](element, shape, rng)


def strided(array: Array, rng: np.random.Generator) -> Array:
    """Return the same values in another layout: as few as can be are contiguous."""
    spread = _repeated(array)
    if spread is not None and rng.random() < 0.5:
        return spread
    return LAYOUTS[int(rng.integers(len(LAYOUTS)))](array)


def _repeated(array: Array) -> Array | None:
    """Return an array of equal elements with strides of 0."""
    if array.size < 2 or array.tobytes() != array.flat[:1].tobytes() * array.size:
        return None
    return np.broadcast_to(array.reshape(-1)[:1].reshape([1] * array.ndim), array.shape)


def _reversed(array: Array) -> Array:
    return np.flip(np.flip(array).copy())


def _columns(array: Array) -> Array:
    return np.array(array, order="F")


def _stepped(array: Array) -> Array:
    whole = np.zeros([2 * n + 1 for n in array.shape], array.dtype)
    odd: tuple[slice | EllipsisType, ...] = (slice(1, None, 2),) * array.ndim
    part = whole[(*odd, ...)]
    part[...] = array
    return part


def _beside(array: Array) -> Array:
    """Return a copy that starts one byte past where its elements should."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    view = memory[1:].view(array.dtype) if array.size else array.reshape(-1)
    shifted = view.reshape(array.shape)
    if array.size:
        shifted[...] = array
    return shifted


LAYOUTS: tuple[Callable[[Array], Array], ...] = (_reversed, _columns, _stepped, _beside)
