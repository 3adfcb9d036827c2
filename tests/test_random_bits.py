"""Philox 4x32-10: the published vectors, the layout of streams, and every stage."""

import numpy as np
import pytest

from tensorc.ir.arrays.philox import FOR_KEYS, bits, derived, philox
from tensorc.ir.attributes import Dims
from tensorc.ir.functions import new_module
from tensorc.ir.numerics import same_bits
from tensorc.ir.ops.tensor.random import KEY, RandomBits, RandomKey
from tensorc.ir.types import U32, U64
from tests.samples import parse_type
from tests.stages import all_results
from tests.test_indexing_pipeline import add_function

# Salmon et al., Random123: counter, key, and the four words.
PUBLISHED = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    (
        [0xFFFFFFFF] * 4,
        [0xFFFFFFFF] * 2,
        [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
    ),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]
KEYS = [0, 1, 0x299F31D0A4093822, 2**64 - 1]


def block(key: int, counter: list[int]) -> list[int]:
    """Return what Philox gives, in Python's integers: not the code under test."""
    a, b, c, d = counter
    low, high = key % 2**32, key >> 32
    for number in range(10):
        one, two = a * 0xD2511F53, c * 0xCD9E8D57
        first = (low + number * 0x9E3779B9) % 2**32
        second = (high + number * 0xBB67AE85) % 2**32
        a, b, c, d = (
            (two >> 32) ^ b ^ first,
            two % 2**32,
            (one >> 32) ^ d ^ second,
            one % 2**32,
        )
    return [a, b, c, d]


@pytest.mark.parametrize(("counter", "key", "wanted"), PUBLISHED)
def test_published_vectors(counter, key, wanted):
    whole = key[0] | key[1] << 32
    assert [int(w) for w in philox(counter, np.uint64(whole))] == wanted
    assert block(whole, counter) == wanted


@pytest.mark.parametrize("key", KEYS)
def test_layout_of_a_stream(key):
    stream = bits(np.uint64(key), 300, np.dtype(np.uint32))
    for i in (0, 1, 15, 16, 63, 64, 65, 130, 299):
        counter = i // 64 * 16 + i % 16
        assert stream[i] == block(key, [counter, 0, 0, 0])[i // 16 % 4]
    pairs = stream.astype(np.uint64)
    wide = bits(np.uint64(key), 150, np.dtype(np.uint64))
    assert same_bits(wide, pairs[::2] | pairs[1::2] << np.uint64(32))


@pytest.mark.parametrize("word", [0, 7, 2**40 + 3])
def test_keys_are_blocks_of_their_own(word):
    for key in KEYS:
        first, second, *_ = block(key, [word % 2**32, word >> 32, 0, FOR_KEYS])
        assert derived(np.uint64(key), np.uint64(word)) == first | second << 32


@pytest.mark.parametrize("element", [U32, U64], ids=str)
def test_every_stage_gives_the_same_bits(element):
    module, cases, wanted = new_module(), [], []
    shapes = [("", ()), ("[N]", (0,)), ("[B, N]", (3, 37)), ("[2, N, 3]", (2, 12, 3))]
    for number, (shape, sizes) in enumerate(shapes):
        like = parse_type(f"i1{shape}")

        def body(b, given):
            key = b(RandomKey, *given[:2])
            dims = Dims(given[2].type.shape)
            return [key, b(RandomBits, key, shape=dims, element=element)]

        add_function(module, f"f{number}", [KEY, KEY, like], body)
        for key in KEYS[1:3]:
            arguments = [np.uint64(key), np.uint64(key // 3), np.zeros(sizes, bool)]
            cases.append((f"f{number}", [np.asarray(a) for a in arguments]))
            made = derived(*arguments[:2])
            count = int(np.prod(sizes, dtype=int))
            wanted.append([made, bits(made, count, element.dtype).reshape(sizes)])
    for stage, results in all_results(module, cases).items():
        for got, expected in zip(results, wanted, strict=True):
            assert all(map(same_bits, map(np.asarray, got), expected)), stage
