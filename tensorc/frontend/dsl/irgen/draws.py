"""First values that are drawn: `param W: float[784, n] ~ glorot(seed=seed)`.

A draw depends on its seed and on the name of what is drawn alone, so a new draw shifts
no other. The bits are Philox4x64-10 (Salmon et al., 2011) with the key (seed, first
8 bytes of the name's SHA-256), counted from 0: NumPy keeps that stream for good, while
its distributions may change. So the distributions are computed here.
"""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tensorc.errors import Label
from tensorc.frontend.dsl.irgen.context import Frame
from tensorc.frontend.dsl.irgen.errors import (
    CALL,
    NO_VALUE,
    NUMBER,
    SIZES,
    TYPES,
    UNKNOWN_NAME,
    error,
    not_compiled,
    suggestion,
)
from tensorc.frontend.dsl.irgen.values import describe
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.operands import Scalar, spell_element
from tensorc.ir.types import TensorType

Shape = tuple[int, ...]
Array = np.ndarray[tuple[int, ...], np.dtype[np.floating]]


@dataclass(frozen=True, slots=True)
class _Distribution:
    """Its arguments with their defaults, and how it is drawn.

    `draw` takes a source of bits, the shape and the arguments; it gives f64. `fans`
    tells that it scales by the number of inputs and outputs of a weight.
    """

    arguments: Mapping[str, float]
    draw: "Callable[[_Bits, Shape, tuple[float, ...]], Array]"
    fans: bool = False


class _Bits:
    """A stream of bits of one draw."""

    def __init__(self, name: str, seed: int) -> None:
        digest = hashlib.sha256(name.encode()).digest()
        site = int.from_bytes(digest[:8], "little")
        key = np.array([seed % 2**64, site], np.uint64)
        self._philox = np.random.Philox(key=key, counter=0)

    def uniform(self, count: int) -> Array:
        """Return f64[count] in [0, 1): the upper 53 bits of each word."""
        words = np.asarray(self._philox.random_raw(count), np.uint64)
        values: Array = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return values

    def normal(self, count: int) -> Array:
        """Return f64[count] of the standard normal distribution (Box and Muller)."""
        pairs = self.uniform(2 * -(-count // 2)).reshape(2, -1)
        # 1 - u is in (0, 1]: the logarithm is finite.
        radius = np.sqrt(-2 * np.log1p(-pairs[0]))
        angle = 2 * np.pi * pairs[1]
        both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        values: Array = both.ravel()[:count]
        return values


def _uniform(bits: _Bits, shape: Shape, given: tuple[float, ...]) -> Array:
    low, high = given
    values: Array = low + (high - low) * bits.uniform(math.prod(shape))
    return values.reshape(shape)


def _normal(bits: _Bits, shape: Shape, given: tuple[float, ...]) -> Array:
    mean, std = given
    values: Array = mean + std * bits.normal(math.prod(shape))
    return values.reshape(shape)


def _glorot(bits: _Bits, shape: Shape, given: tuple[float, ...]) -> Array:
    fan_in, fan_out = _fans(shape)
    bound = given[0] * math.sqrt(6 / (fan_in + fan_out))
    return _uniform(bits, shape, (-bound, bound))


def _he(bits: _Bits, shape: Shape, given: tuple[float, ...]) -> Array:
    return _normal(bits, shape, (0, given[0] * math.sqrt(2 / _fans(shape)[0])))


def _lecun(bits: _Bits, shape: Shape, given: tuple[float, ...]) -> Array:
    return _normal(bits, shape, (0, given[0] * math.sqrt(1 / _fans(shape)[0])))


def _fans(shape: Shape) -> tuple[int, int]:
    """Return the inputs and outputs of a weight: f32[in, out], f32[out, in, h, w]."""
    if len(shape) == 2:
        return max(1, shape[0]), max(1, shape[1])
    window = math.prod(shape[2:])
    return max(1, shape[1] * window), max(1, shape[0] * window)


# Glorot and Bengio (2010); He et al. (2015); LeCun et al. (1998).
DISTRIBUTIONS: Mapping[str, _Distribution] = {
    "uniform": _Distribution({"low": 0.0, "high": 1.0}, _uniform),
    "normal": _Distribution({"mean": 0.0, "std": 1.0}, _normal),
    "glorot": _Distribution({"gain": 1.0}, _glorot, fans=True),
    "he": _Distribution({"gain": 1.0}, _he, fans=True),
    "lecun": _Distribution({"gain": 1.0}, _lecun, fans=True),
}
_LATER = ("bernoulli", "categorical", "permutation", "orthogonal")
NAMES = frozenset((*DISTRIBUTIONS, *_LATER))


def drawn(
    frame: Frame, node: ast.Memory, type_: TensorType, call: ast.Draw
) -> Callable[[], Array]:
    """Return what draws the first value of a memory, of the declared type.

    Raises `CompileError` at the distribution: it is unknown, its arguments do not fit
    it, or the memory is of no float type. What is drawn may not fit the type, either.
    """
    place = call.distribution
    distribution = _distribution(frame, place)
    assert isinstance(place, ast.Call)
    label = Label(node.type.location, f"`{node.name}` is declared here")
    if not type_.element.is_float:
        message = f"a draw gives floats, `{node.name}` is "
        message += spell_element(type_.element)
        raise error(TYPES, message, place.location, labels=[label])
    shape = tuple([d for d in type_.shape if isinstance(d, int)])
    if distribution.fans and len(shape) < 2:
        message = f"it scales by the sizes of a weight, `{node.name}` has rank "
        message += f"{len(shape)}"
        hint = "draw it from normal(0, std) or uniform(low, high)"
        raise error(SIZES, message, place.location, hint, labels=[label])
    given, seed = _arguments(frame, place, distribution)

    def draw() -> Array:
        values = distribution.draw(_Bits(node.name, seed), shape, given)
        with np.errstate(over="ignore"):
            rounded = values.astype(type_.element.dtype)
        if not np.isfinite(rounded).all():
            message = f"the draw does not fit {spell_element(type_.element)}"
            raise error(NUMBER, message, place.location, labels=[label])
        return _inside(rounded, distribution, given)

    return draw


def _inside(
    values: Array, distribution: _Distribution, given: tuple[float, ...]
) -> Array:
    """Keep what rounding made `high` of `uniform(low, high)` below it."""
    if distribution.draw is not _uniform or given[0] == given[1]:
        return values
    high = np.asarray(given[1], values.dtype)
    return np.where(
        values >= high, np.nextafter(high, -np.inf, dtype=high.dtype), values
    )


def _distribution(frame: Frame, node: ast.Expression) -> _Distribution:
    names = [*DISTRIBUTIONS, *_LATER]
    callee = node.callee if isinstance(node, ast.Call) else node
    if not isinstance(callee, ast.Name):
        message = f"after `~` stands a distribution: {', '.join(DISTRIBUTIONS)}"
        raise error(NO_VALUE, message, node.location)
    if callee.name in _LATER:
        raise not_compiled(f"`~ {callee.name}`", node.location)
    if callee.name not in DISTRIBUTIONS:
        message = f"`{callee.name}` is not a distribution"
        hints = suggestion(callee.name, names)
        hints = hints or (f"there are {', '.join(DISTRIBUTIONS)}",)
        raise error(UNKNOWN_NAME, message, callee.location, *hints)
    if not isinstance(node, ast.Call):
        message = f"`{callee.name}` needs parentheses"
        raise error(NO_VALUE, message, node.location, f"{callee.name}()")
    return DISTRIBUTIONS[callee.name]


def _arguments(
    frame: Frame, node: ast.Call, distribution: _Distribution
) -> tuple[tuple[float, ...], int]:
    """Return the arguments in order, and the seed (0 by default)."""
    assert isinstance(node.callee, ast.Name)
    name, order = node.callee.name, list(distribution.arguments)
    found: dict[str, float] = {}
    seed = 0
    for number, argument in enumerate(node.arguments):
        key = argument.name
        if key is None:
            if number >= len(order):
                message = f"`{name}` takes {', '.join(order)} and seed="
                raise error(CALL, message, argument.value.location)
            key = order[number]
        if key not in (*order, "seed"):
            hints = suggestion(key, (*order, "seed"))
            message = f"`{name}` has no argument `{key}`"
            raise error(CALL, message, argument.value.location, *hints)
        if key in found:
            message = f"`{name}` gets `{key}` twice"
            raise error(CALL, message, argument.value.location)
        if key == "seed":
            seed = _seed(frame, argument.value)
        else:
            found[key] = _number(frame, argument.value, key)
    values = tuple(found.get(k, d) for k, d in distribution.arguments.items())
    wrong = ""
    if name == "uniform" and not values[0] <= values[1]:
        wrong = f"low is {values[0]}, high is {values[1]}"
    if name == "normal" and values[1] < 0:
        wrong = f"std is {values[1]}"
    if wrong:
        raise error(NUMBER, f"`{name}`: {wrong}", node.location)
    return values, seed


def _number(frame: Frame, node: ast.Expression, key: str) -> float:
    value = frame.evaluate(node)
    number = value.number if isinstance(value, Scalar) else None
    if not isinstance(number, int | float) or isinstance(number, bool):
        message = f"`{key}` must be a number that is known while compiling, this is "
        raise error(NO_VALUE, message + describe(value), node.location)
    try:
        if math.isfinite(number):
            return float(number)
    except OverflowError:
        pass
    raise error(NUMBER, f"`{key}` must be finite", node.location)


def _seed(frame: Frame, node: ast.Expression) -> int:
    value = frame.evaluate(node)
    number = value.number if isinstance(value, Scalar) else None
    if isinstance(number, int) and not isinstance(number, bool):
        return number
    message = f"`seed` must be an integer, this is {describe(value)}"
    raise error(NO_VALUE, message, node.location)
