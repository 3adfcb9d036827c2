"""Philox 4x32-10 (Salmon, Moraes, Dror and Shaw, 2011), in numpy."""

from collections.abc import Sequence

import numpy as np

from tensorc.ir.numerics import Array

_Words = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]

ROUNDS = 10
# What the first and the third word of a counter are multiplied by, and what is added
# to the two words of the key between rounds.
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
STEPS = (0x9E3779B9, 0xBB67AE85)
# Sixteen counters are neighbours, and give a word each before they give another one.
LANES, WORDS = 16, 4
# The last word of a counter says what is made of it: bits, or another key.
FOR_BITS, FOR_KEYS = 0, 1

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox(counter: Sequence[Array], key: Array) -> list[_Words]:
    """Return the four words, as u64 below 2**32, of counters of four such words."""
    a, b, c, d = [np.asarray(word, np.uint64) for word in counter]
    whole: _Words = np.asarray(key, np.uint64)
    keys = [whole & _LOW, whole >> _HALF]
    for _ in range(ROUNDS):
        first, third = a * np.uint64(MULTIPLIERS[0]), c * np.uint64(MULTIPLIERS[1])
        a, b, c, d = (
            (third >> _HALF) ^ b ^ keys[0],
            third & _LOW,
            (first >> _HALF) ^ d ^ keys[1],
            first & _LOW,
        )
        keys = [
            (k + np.uint64(step)) & _LOW for k, step in zip(keys, STEPS, strict=True)
        ]
    return [a, b, c, d]


def derived(key: Array, word: Array) -> Array:
    """Return the key, u64, that follows from a key and a word of 64 bits."""
    whole: _Words = np.asarray(word, np.uint64)
    zero = np.zeros((), np.uint64)
    counter = [whole & _LOW, whole >> _HALF, zero, zero + np.uint64(FOR_KEYS)]
    low, high, *_ = philox(counter, key)
    return np.asarray(low | high << _HALF, np.uint64)


def words(key: Array, indices: Array) -> _Words:
    """Return words of the stream of a key, u64 below 2**32, by their indices.

    Word i is word i // 16 % 4 of the counter i // 64 * 16 + i % 16.
    """
    i = np.asarray(indices, np.uint64)
    lanes, words = np.uint64(LANES), np.uint64(WORDS)
    counter = i // (lanes * words) * lanes + i % lanes
    zero = np.zeros((), np.uint64)
    four = philox([counter & _LOW, counter >> _HALF, zero, zero + FOR_BITS], key)
    return np.select([i // lanes % words == w for w in range(WORDS)], four)


def bits(key: Array, count: int, dtype: np.dtype[np.generic]) -> Array:
    """Return the first bits of a key's stream: u32[count], or u64[count] of pairs."""
    indices = np.arange(count, dtype=np.uint64)
    if dtype.itemsize == 4:
        return words(key, indices).astype(dtype)
    pair = [words(key, 2 * indices + np.uint64(half)) for half in range(2)]
    joined: Array = (pair[0] | pair[1] << _HALF).astype(dtype)
    return joined
