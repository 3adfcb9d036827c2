"""Draws in functions and steps of files: streams, counts, loops, declared types."""

import hashlib

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import CompileError
from tensorc.ir.arrays.philox import bits, derived
from tensorc.ir.numerics import same_bits

TEXT = """
state seen: float[200] = 0
fn dropout(x, p) {
    if not training { return x }
    keep: like x ~ bernoulli(1 - p)
    return x * keep / (1 - p)
}
fn output(x: float[N]) -> float[N] = dropout(x, 0.25)
step both(x: float[200]) -> (float[200], float[200]) {
    first = dropout(x, 0.5)
    second = dropout(x, 0.5)
    return first, second
}
step train(x: float[200]) -> float[200] { return output(x) }
step plain(x: float[200]) -> float[200] { return dropout(x, 0.5, training=false) }
step named() -> float[200] {
    u: float[200] ~ uniform()
    seen <- u
    return u
}
step turns() -> float[5] {
    us = for i in range(5) { u: float ~ uniform()  yield u }
    return us
}
fn written(seed: int) -> float[200] {
    u: float[200] ~ uniform(seed=seed)
    return u
}
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "draws.tc"
    path.write_text(TEXT)
    return lambda **options: tc.load(str(path), **options)


def key(*words: int):
    made = np.uint64(words[0])
    for word in words[1:]:
        made = derived(made, np.uint64(word))
    return made


def uniform(stream, count: int):
    return (bits(stream, count, np.dtype("u4")) >> np.uint32(8)).astype("f4") / 2**24


def test_dropout_keeps_a_share_and_only_in_steps(program):
    model, x = program(), np.ones(200, np.float32)
    np.testing.assert_array_equal(model.output(x), x)
    np.testing.assert_array_equal(model.plain(x), x)
    first, second = model.both(x)
    for got, scale in ((first, 2), (second, 2), (model.train(x), 4 / 3)):
        assert set(np.unique(got)) == {0, np.float32(scale)}
        assert abs(np.mean(got) - 1) < 5 / np.sqrt(200)
    assert not same_bits(first, second)
    assert not same_bits(model.train(x), model.train(x))


def test_a_draw_depends_on_seed_name_and_count_alone(program):
    model = program()
    model.train(np.ones(200, np.float32))  # the count is that of all steps
    got = model.named()
    site = int.from_bytes(hashlib.sha256(b"u").digest()[:8], "little")
    np.testing.assert_array_equal(got, uniform(key(0, site, 1), 200))
    np.testing.assert_array_equal(model.seen.get_value(), got)
    turns = [uniform(key(key(0, site, 2), i), 1)[0] for i in range(5)]
    np.testing.assert_array_equal(model.turns(), turns)
    np.testing.assert_array_equal(model.written(7), uniform(key(7, site), 200))
    np.testing.assert_array_equal(model.written(7), model.written(7))


def test_the_state_goes_into_checkpoints(program, tmp_path):
    model, x = program(), np.ones(200, np.float32)
    model.train(x)
    tc.save(tmp_path / "kept.safetensors", model)
    wanted = [model.train(x), model.named()]
    other = program()
    tc.restore(tmp_path / "kept.safetensors", other)
    for want, got in zip(wanted, [other.train(x), other.named()], strict=True):
        np.testing.assert_array_equal(want, got)


def test_same_numbers_for_any_number_of_threads(program):
    found = []
    for threads in (1, 2, 4):
        with tc.options(threads=threads):
            found.append(program().named())
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_a_file_may_not_name_a_memory_so(tmp_path):
    path = tmp_path / "taken.tc"
    path.write_text(
        "state random.state: float = 0\nstep f() { u: float ~ uniform() }\n"
    )
    with pytest.raises(CompileError, match="state of the random numbers"):
        tc.load(str(path))
