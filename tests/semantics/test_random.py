"""Cases 84 to 90 of the casebook: random numbers."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.frontend.library.operands import TensorOperand, constant, number
from tensorc.frontend.library.random.distributions import draw as drawn
from tensorc.frontend.library.random.numbers import Draw, quantile
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import emitter
from tensorc.ir.types import F32, F64, U64

LEVELS = pytest.mark.parametrize("optimize", [0, 3])


@LEVELS
def test_same_stream_for_any_threads_and_level(optimize):
    """Case 84."""
    found = []
    for threads in (1, 2):
        rng = tc.random.default_rng(11)
        with tc.options(threads=threads, optimize=optimize):
            draw = tc.jit(lambda rng=rng: (rng.normal(size=5000), rng.random(7)))
            found += [*draw()]
    rng = tc.random.default_rng(11)
    wanted = tc.jit(lambda: (rng.normal(size=5000), rng.random(7)))()
    for got, want in zip(found, [*wanted, *wanted], strict=True):
        np.testing.assert_array_equal(got, want)


def test_every_seed_is_one():
    """Case 85: seed 0 is not degenerate, and no two of these are alike."""
    seeds = (0, 1, 2**32, 2**64 - 2, -1, 2**70 + 5)
    streams = []
    for seed in seeds:
        rng = tc.random.default_rng(seed)
        streams.append(rng.random(1000, dtype="float64").eval())
        assert abs(streams[-1].mean() - 0.5) < 0.05
        assert abs(streams[-1].std() - 12**-0.5) < 0.03
    assert len({s.tobytes() for s in streams}) == len(seeds)


@LEVELS
def test_draws_are_neither_merged_nor_shifted(optimize):
    """Case 86: two draws are two, and what is not read shifts no other."""
    rng = tc.random.default_rng(1)
    first, unread, last = (rng.normal(size=50) for _ in range(3))
    with tc.options(optimize=optimize):
        three = tc.function([], [first, unread, last])()
        rng.state.set_value(np.array([1, 0], np.uint64))
        two = tc.function([], [first, last])()
        again = tc.function([], [first])()
    assert not np.any(three[0] == three[2])
    np.testing.assert_array_equal(two[0], three[0])
    np.testing.assert_array_equal(two[1], three[2])
    assert not np.any(again[0] == two[0])  # another function goes on in the stream


def test_streams_have_nothing_to_do_with_each_other():
    """Case 87: of 45 pairs of streams, by seed, by count and by draw."""
    count = 4000
    streams = [tc.random.default_rng(s).normal(size=count).eval() for s in range(4)]
    rng = tc.random.default_rng(0)
    draw = tc.jit(lambda: (rng.normal(size=count), rng.normal(size=count)))
    streams += [values for _ in range(3) for values in draw()]
    r = np.corrcoef(np.array(streams[1:]))
    assert np.max(np.abs(r - np.eye(len(r)))) < 5 / np.sqrt(count)


@LEVELS
@pytest.mark.parametrize("element", [F32, F64], ids=str)
def test_the_ends_of_bits_give_finite_numbers(element, optimize):
    """Case 88: the numbers nearest to the ends of (-1, 1)."""
    digits = 24 if element == F32 else 53
    ends = np.array([1 - 2.0**-digits, 2.0**-digits]).astype(element.dtype)

    def normals(x):
        b = emitter()
        key = constant(b, np.array(0, np.uint64), U64)
        made = quantile(Draw(b, key, (4,), element), x.operand)
        assert isinstance(made, TensorOperand)
        return Tensor(made)

    with tc.options(optimize=optimize):
        z = tc.jit(normals)(np.concatenate([ends, -ends]))
    assert np.isfinite(z).all()
    np.testing.assert_array_equal(z[2:], -z[:2])
    assert 5 < z[0] < 9
    assert 0 < z[1] < 1e-6


@LEVELS
@pytest.mark.parametrize("name", ["exponential", "gumbel", "truncated_normal"])
def test_the_ends_of_bits_through_each_distribution(name, optimize, monkeypatch):
    """Case 88: all bits 0, and all 1."""
    given = {"exponential": [1.0], "gumbel": [0.0, 1.0]}
    given["truncated_normal"] = [0.0, 1.0, -2.0, 2.0]
    for element in (F32, F64):
        for ends in (0, -1):

            def bits(draw, kind, ends=ends):
                least = np.full(4, ends, f"i{kind.bits // 8}").view(kind.dtype)
                return TensorOperand(constant(draw.b, least, kind))

            def made(element=element):
                b = emitter()
                key = constant(b, np.array(0, np.uint64), U64)
                numbers = [number(v) for v in given[name]]
                return Tensor(drawn(b, name, key, (4,), element, numbers))

            monkeypatch.setattr(Draw, "bits", bits)
            with tc.options(optimize=optimize):
                values = tc.jit(made)()
            assert values.dtype == element.dtype
            assert np.isfinite(values).all(), (element, ends)
            if name == "exponential":
                assert (values > 0).all()


@LEVELS
def test_uniform_numbers_stay_below_their_end(optimize):
    """Case 88: also where rounding gives the end."""
    rng = tc.random.default_rng(2)
    with tc.options(optimize=optimize):
        for dtype in ("float16", "float32", "float64"):
            low = np.asarray(1000, dtype)
            high = np.nextafter(low, np.asarray(np.inf, dtype))
            u = tc.jit(lambda low, high: rng.uniform(low, high, 1000))(low, high)
            assert u.dtype == dtype
            assert np.all(u == low)
            plain = tc.jit(lambda d=dtype: rng.random(20_000, dtype=d))()
            assert plain.min() >= 0
            assert plain.max() < 1


@LEVELS
def test_certain_events(optimize):
    """Case 89: p = 0 and p = 1 are exact; a share that rounding lost loses nothing."""
    rng = tc.random.default_rng(3)
    with tc.options(optimize=optimize):
        draw = tc.jit(lambda p: rng.bernoulli(p, 5000))
        assert not draw(np.float32(0)).any()
        assert draw(np.float32(1)).all()
        p = np.array([0.25, 0.25, 0.5 - 1e-7])
        classes = tc.jit(lambda p: rng.categorical(tc.log(p), 3000))(p)
    assert np.bincount(classes, minlength=3).min() > 600
