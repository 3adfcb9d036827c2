"""Elements combined with all before them, in numpy: the contract's order of scans."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from tensorc.floats import is_float
from tensorc.ir.numerics import BLOCK, Array, fma, widened

# How what there is so far is joined with the next element; LINEAR multiplies it, too.
ADD, MULTIPLY, LARGER, SMALLER, LINEAR = "add", "mul", "max", "min", "linear"


def cumulate(
    combine: str, operands: Sequence[Array], axis: int, reverse: bool = False
) -> Array:
    """Combine along an axis, in the contract's order; f16 and bf16 in f32."""
    element = operands[0].dtype
    walked = [np.moveaxis(v, axis, 0)[:: -1 if reverse else 1] for v in operands]
    walked = [widened(v) for v in walked]
    made = WAYS[combine](*walked) if operands[0].size else walked[-1]
    return np.array(np.moveaxis(made[:: -1 if reverse else 1], 0, axis), element)


def _in_blocks(join: np.ufunc, values: Array) -> Array:
    made = np.empty_like(values)
    for start in range(0, len(values), BLOCK):
        part = values[start : start + BLOCK]
        so_far = join.accumulate(part, axis=0, dtype=values.dtype)
        if start:
            so_far = join(made[start - 1], so_far)
        made[start : start + BLOCK] = so_far
    return made


def _largest(values: Array) -> Array:
    largest = np.maximum.accumulate(values, axis=0)
    if not is_float(values.dtype):
        return largest
    plus = np.logical_or.accumulate((values == 0) & ~np.signbit(values), axis=0)
    zero = np.where(plus, values.dtype.type(0.0), values.dtype.type(-0.0))
    return np.where(largest == 0, zero, largest)


def _smallest(values: Array) -> Array:
    if not is_float(values.dtype):
        return np.asarray(np.minimum.accumulate(values, axis=0))
    return np.asarray(np.negative(_largest(np.negative(values))))


def _linear(factors: Array, values: Array) -> Array:
    made = np.empty_like(values)
    made[0] = values[0]
    for i in range(1, len(values)):
        joined = fma(factors[i], made[i - 1], values[i])
        made[i] = np.where(factors[i] == 0, values[i], joined)
    return made


WAYS: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {
        ADD: lambda values: _in_blocks(np.add, values),
        MULTIPLY: lambda values: _in_blocks(np.multiply, values),
        LARGER: _largest,
        SMALLER: _smallest,
        LINEAR: _linear,
    }
)
