"""Rows of to-structured for random bits: each element computes its own counter.

So bits are computed where they are read, and are no array in memory. Products of words
of 32 bits are made in u64: of such factors machines have them at full rate.
"""

from collections.abc import Sequence

from tensorc.ir.arrays.philox import (
    FOR_BITS,
    FOR_KEYS,
    LANES,
    MULTIPLIERS,
    ROUNDS,
    STEPS,
    WORDS,
)
from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.tensor import bits
from tensorc.ir.ops.tensor import random as randoms
from tensorc.ir.types import INDEX, U32, U64
from tensorc.passes.analysis.generics import tensor_of
from tensorc.passes.common.structured_builder import (
    apply_scalar,
    cast,
    compare,
    scalar,
    size,
)
from tensorc.passes.structured.views import Lowering, MappedRead, whole

_HALF = 32


def random_key(low: Lowering, op: randoms.RandomKey) -> MappedRead:
    """Compute a key of another one and a word."""
    b = low.b

    def body(values: list[Value]) -> list[Value]:
        key, word = values
        zero, purpose = (scalar(b, n, U64) for n in (0, FOR_KEYS))
        first, second, *_ = _philox(b, [*_halves(b, word), zero, purpose], key)
        return [_joined(b, first, second)]

    views = [low.views[op.key], low.views[op.word]]
    return whole(low.pointwise(views, tensor_of(op.result), body))


def random_bits(low: Lowering, op: randoms.RandomBits) -> MappedRead:
    """Compute words of a key's stream by the indices of elements."""
    b, type_ = low.b, tensor_of(op.result)
    key = low.views[op.key].through(type_, ())

    def body(values: list[Value]) -> list[Value]:
        index = cast(b, _flat_index(low, op), U64)
        if op.element == U32:
            return [cast(b, _word(b, index, values[0]), U32)]
        first = _bitwise(b, arith.ShLI, index, 1)
        second = b.value(arith.OrI, first, scalar(b, 1, U64))
        return [_joined(b, *[_word(b, i, values[0]) for i in (first, second)])]

    return whole(low.pointwise([key], type_, body))


def _flat_index(low: Lowering, op: randoms.RandomBits) -> Value:
    """Return the index of an element in row-major order."""
    b = low.b
    total: Value | None = None
    for axis, extent in enumerate(op.shape.dims):
        index = low.index(axis)
        if total is not None:
            before = b.value(arith.MulI, total, size(b, extent))
            index = b.value(arith.AddI, before, index)
        total = index
    return scalar(b, 0, INDEX) if total is None else total


def _word(b: Builder, index: Value, key: Value) -> Value:
    """Return a word of the stream of a key, u64 below 2**32."""
    lane = _bitwise(b, arith.AndI, index, LANES - 1)
    block = _shifted(b, index, (LANES * WORDS).bit_length() - 1)
    blocks = _bitwise(b, arith.ShLI, block, LANES.bit_length() - 1)
    counter = b.value(arith.OrI, blocks, lane)
    zero, purpose = (scalar(b, n, U64) for n in (0, FOR_BITS))
    four = _philox(b, [*_halves(b, counter), zero, purpose], key)
    number = _shifted(b, index, LANES.bit_length() - 1)
    odd = _bit(b, number, 1)
    pairs = [b.value(arith.Select, odd, *four[i : i + 2][::-1]) for i in (0, 2)]
    return b.value(arith.Select, _bit(b, number, 2), *pairs[::-1])


def _bit(b: Builder, value: Value, mask: int) -> Value:
    masked = _bitwise(b, arith.AndI, value, mask)
    return compare(b, "ne", masked, scalar(b, 0, U64))


def _philox(b: Builder, counter: Sequence[Value], key: Value) -> list[Value]:
    """Return the four words of a counter of four; see `philox` of `ir.arrays`.

    All of them are u64 below 2**32, as factors of products are.
    """
    first, second, third, fourth = counter
    keys = _halves(b, key)
    for number in range(ROUNDS):
        if number:
            keys = [
                _lower(b, b.value(arith.AddI, k, scalar(b, step, U64)))
                for k, step in zip(keys, STEPS, strict=True)
            ]
        low0, high0 = _product(b, first, MULTIPLIERS[0])
        low1, high1 = _product(b, third, MULTIPLIERS[1])
        first = _exclusive(b, high1, second, keys[0])
        third = _exclusive(b, high0, fourth, keys[1])
        second, fourth = low1, low0
    return [first, second, third, fourth]


def _product(b: Builder, word: Value, factor: int) -> list[Value]:
    """Return the lower and the upper half of a product of words."""
    return _halves(b, b.value(arith.MulI, word, scalar(b, factor, U64)))


def _exclusive(b: Builder, *words: Value) -> Value:
    first, second, third = words
    return b.value(arith.XOrI, b.value(arith.XOrI, first, second), third)


def _halves(b: Builder, value: Value) -> list[Value]:
    return [_lower(b, value), _shifted(b, value, _HALF)]


def _lower(b: Builder, value: Value) -> Value:
    return _bitwise(b, arith.AndI, value, (1 << _HALF) - 1)


def _joined(b: Builder, low: Value, high: Value) -> Value:
    return b.value(arith.OrI, _bitwise(b, arith.ShLI, high, _HALF), low)


def _bitwise(b: Builder, cls: type[Op], value: Value, number: int) -> Value:
    return b.value(cls, value, scalar(b, number, U64))


def _shifted(b: Builder, value: Value, count: int) -> Value:
    return apply_scalar(b, bits.RightShift, [value, scalar(b, count, U64)], {})
