"""Keys of streams of random bits, and the state that leads to them."""

import numpy as np

from tensorc.frontend.library.operands import Emitter, constant
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Value
from tensorc.ir.ops.tensor.elementwise import Add, Cast
from tensorc.ir.ops.tensor.random import KEY, RandomKey
from tensorc.ir.ops.tensor.shape import Reshape, Slice
from tensorc.ir.types import U64


def key_of(b: Emitter, seed: int, *words: int) -> Value:
    """Return the key that a seed and words lead to."""
    key = constant(b, np.array(seed % 2**64, np.uint64), U64)
    for word in words:
        key = derived(b, key, word)
    return key


def derived(b: Emitter, key: Value, word: Value | int) -> Value:
    """Return the key that follows from another one and a word, an integer of rank 0."""
    if isinstance(word, int):
        word = constant(b, np.array(word % 2**64, np.uint64), U64)
    elif word.type != KEY:
        word = b.builder.value(Cast, word, element=U64)
    return b.builder.value(RandomKey, key, word)


def key_of_state(b: Emitter, state: Value, site: int) -> Value:
    """Return the key of a draw: of the seed, the site, and the count of the calls.

    `state` is u64[2]: the seed and the count.
    """
    seed, count = [_element(b, state, place) for place in (0, 1)]
    return derived(b, derived(b, seed, site), count)


def advanced(b: Emitter, state: Value) -> Value:
    """Return the state after a call: the count goes on by 1."""
    return b.builder.value(Add, state, constant(b, np.array([0, 1], np.uint64), U64))


def _element(b: Emitter, state: Value, place: int) -> Value:
    part = b.builder.value(
        Slice, state, starts=Dims((place,)), sizes=Dims((1,)), steps=(1,)
    )
    return b.builder.value(Reshape, part, shape=Dims(()))
