"""Random numbers of the shell: NumPy's `RandomState`, and MRG31k3p as defined."""

import pickle

import numpy as np
import pytest

import tensorc as tc
from tensorc.theano import function
from tensorc.theano import tensor as T
from tensorc.theano.rng_mrg import M1, M2, MRG_RandomStreams
from tensorc.theano.shared_randomstreams import RandomStreams

SEED = 234


def states(count, seed=SEED):
    """Return NumPy's states of the first streams."""
    seeds = np.random.RandomState(seed)
    return [np.random.RandomState(int(seeds.randint(2**30))) for _ in range(count)]


def test_S041_streams_are_numpys_bit_for_bit():
    assert np.random.RandomState(SEED).randint(2**30) == 133003720
    draws = RandomStreams(SEED).binomial(size=(2, 5), n=1, p=0.5)
    found = function([], draws)
    assert found().tolist() == [[0, 1, 0, 1, 0], [0, 0, 0, 0, 0]]
    (state,) = states(1)
    state.binomial(1, 0.5, (2, 5))
    np.testing.assert_array_equal(found(), state.binomial(1, 0.5, (2, 5)))


CASES = {
    "uniform": (
        lambda r, n: r.uniform((n, 3), -1, 2),
        lambda s: s.uniform(-1, 2, (4, 3)),
    ),
    "normal": (
        lambda r, n: r.normal(size=(n,), avg=1, std=3, dtype="float64"),
        lambda s: s.normal(1, 3, (4,)),
    ),
    "binomial": (
        lambda r, n: r.binomial((n, 2), n=7, p=0.3),
        lambda s: s.binomial(7, 0.3, (4, 2)),
    ),
    "poisson": (lambda r, n: r.poisson((n,), lam=2.5), lambda s: s.poisson(2.5, (4,))),
    "random_integers": (
        lambda r, n: r.random_integers((n, 9), 2, 5),
        lambda s: s.randint(2, 6, (4, 9)),
    ),
    "choice": (lambda r, n: r.choice((n,), a=9), lambda s: s.choice(9, (4,))),
    "permutation": (
        lambda r, n: r.permutation((n,), n=6),
        lambda s: np.array([s.permutation(6) for _ in range(4)]),
    ),
    "multinomial": (
        lambda r, n: r.multinomial((n,), n=5, pvals=[0.2, 0.3, 0.5]),
        lambda s: s.multinomial(5, [0.2, 0.3, 0.5], 4),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_distribution_is_that_of_the_second_stream(name):
    ours, theirs = CASES[name]
    x = tc.dvector("x")
    streams = RandomStreams(SEED)
    streams.uniform((3,))  # takes the first one
    draw = ours(streams, x.shape[0])
    found = function([x], draw, on_unused_input="ignore")
    state = states(2)[1]
    for _ in range(2):
        wanted = theirs(state)
        got = found(np.zeros(4))
        assert (got.shape, got.dtype) == (wanted.shape, draw.dtype)
        np.testing.assert_array_equal(got, wanted.astype(draw.dtype))


def dropped(p=0.5):
    """Return a function that drops elements as the fifth tutorial does."""
    trng = RandomStreams(SEED)
    x = tc.dmatrix("x")
    state = T.switch(trng.binomial(size=x.shape, p=p), x, 0)
    return function([x], [state, tc.grad(state.sum(), x)])


def test_S042_dropout_draws_anew_for_each_call_and_has_a_derivative():
    f, x = dropped(), np.arange(1.0, 13).reshape(3, 4)
    (stream,) = states(1)
    for _ in range(3):
        mask = stream.binomial(1, 0.5, (3, 4))
        state, slope = f(x)
        np.testing.assert_array_equal(state, x * mask)
        np.testing.assert_array_equal(slope, mask)
    other = stream.binomial(1, 0.5, (1, 2))  # another size goes on with the stream
    np.testing.assert_array_equal(f(np.ones((1, 2)))[0], other)


def test_dropout_in_training_changes_what_the_gradient_reaches():
    trng = RandomStreams(7)
    x, W = tc.dmatrix("x"), tc.shared(np.ones((4, 2)), "W")
    h = T.switch(trng.binomial(size=x.shape, p=0.5), x, 0)
    cost = tc.dot(h, W).sum()
    train = function([x], cost, updates=[(W, W - tc.grad(cost, W))])
    (stream,) = states(1, 7)
    wanted = np.ones((4, 2))
    for _ in range(2):
        masked = np.ones((3, 4)) * stream.binomial(1, 0.5, (3, 4))
        assert train(np.ones((3, 4))) == (masked @ wanted).sum()
        wanted = wanted - masked.sum(axis=0)[:, None]
        np.testing.assert_array_equal(W.get_value(), wanted)


def test_a_parameter_may_be_an_input_with_a_default():
    p = tc.dscalar("p")
    draw = RandomStreams(SEED).binomial((1000,), p=1 - p)
    f = function([tc.In(p, value=0.0)], draw.sum())
    assert (f(), f(1.0), f(p=1.0)) == (1000, 0, 0)
    assert 300 < f(0.5) < 700
    unused = tc.dscalar("unused")
    with pytest.raises(ValueError, match="unused is not used"):
        function([p, unused], draw)
    with pytest.raises(TypeError, match="takes 1 input, 2 given"):
        f(0.5, 0.5)


def test_givens_reach_the_sizes():
    x, data = tc.dmatrix("x"), tc.shared(np.ones((6, 2)))
    i = tc.lscalar("i")
    noisy = x * RandomStreams(SEED).uniform(x.shape)
    f = function([i], noisy, givens={x: data[:i]})
    (stream,) = states(1)
    assert f(3).dtype == "float64"
    stream.uniform(size=(3, 2))
    wanted = stream.uniform(size=(5, 2))
    np.testing.assert_allclose(f(5), wanted, rtol=1e-6)


def test_a_failed_call_leaves_the_streams_where_they_were():
    x, y = tc.dvector("x"), tc.dvector("y")
    draw = RandomStreams(SEED).uniform(x.shape)
    f = function([x, y], draw + x * y)
    with pytest.raises(ValueError, match="size"):
        f(np.zeros(3), np.zeros(2))
    (stream,) = states(1)
    np.testing.assert_allclose(
        f(np.zeros(3), np.zeros(3)), stream.uniform(size=3), rtol=1e-6
    )


def test_streams_are_seeded_read_and_set():
    streams = RandomStreams(SEED)
    a, b = streams.uniform((2,), dtype="float64"), streams.normal((2,), dtype="float64")
    f = function([], [a, b])
    first = f()
    assert not np.array_equal(first, f())
    streams.seed(SEED)
    np.testing.assert_array_equal(f(), first)
    streams.seed()  # the seed of the beginning
    np.testing.assert_array_equal(f(), first)
    state = a.rng.get_value(borrow=True)
    state.seed(89234)
    a.rng.set_value(state)
    wanted = np.random.RandomState(89234).uniform(size=2)
    np.testing.assert_array_equal(f()[0], wanted)
    still = function([], a, no_default_updates=True)
    np.testing.assert_array_equal(still(), still())
    assert streams.state_updates[0][0] is a.rng
    with pytest.raises(TypeError, match="RandomState"):
        a.rng.set_value(3)


def test_eval_of_a_random_variable_draws():
    x = tc.dvector("x")
    draw = RandomStreams(SEED).uniform(x.shape, dtype="float64")
    (stream,) = states(1)
    for _ in range(2):
        found = draw.eval({x: np.zeros(3)})
        np.testing.assert_array_equal(found, stream.uniform(size=3))


def test_functions_that_draw_are_pickled_with_their_streams():
    f = dropped()
    f(np.ones((3, 4)))
    again = pickle.loads(pickle.dumps(f))
    wanted = f(np.ones((3, 4)))
    np.testing.assert_array_equal(again(np.ones((3, 4)))[0], wanted[0])


def test_a_draw_in_a_step_and_a_random_parameter_are_refused():
    streams = RandomStreams(SEED)
    with pytest.raises(TypeError, match="same in all steps"):
        tc.scan(lambda h, x: (h + streams.uniform((3,)), h), np.zeros(3), length=4)
    with pytest.raises(TypeError, match="another random variable"):
        streams.normal((3,), avg=streams.uniform((3,)))
    with pytest.raises(TypeError, match="tuple of sizes"):
        streams.uniform("3")
    with pytest.raises(ValueError, match="negative"):
        streams.uniform((-3,))


class Reference:
    """MRG31k3p by its definition, one number at a time, in Python's integers."""

    def __init__(self, state):
        self.x, self.y = list(state[:3]), list(state[3:])

    def skip(self, power):
        """Go 2**power steps: the matrices of a step are squared so often."""
        for values, rule, modulus in (
            (self.x, [[0, 2**22, 2**7 + 1], [1, 0, 0], [0, 1, 0]], M1),
            (self.y, [[2**15, 0, 2**15 + 1], [1, 0, 0], [0, 1, 0]], M2),
        ):
            matrix = np.array(rule, object)
            for _ in range(power):
                matrix = matrix.dot(matrix) % modulus
            values[:] = list(matrix.dot(np.array(values, object)) % modulus)
        return self

    def next(self):
        x = (2**22 * self.x[1] + (2**7 + 1) * self.x[2]) % M1
        y = (2**15 * self.y[0] + (2**15 + 1) * self.y[2]) % M2
        self.x, self.y = [x, *self.x[:2]], [y, *self.y[:2]]
        return x - y + M1 if x <= y else x - y


def mrg(seed, total, count, skipped=0):
    """Return `total` integers of `count` streams, and the streams."""
    streams = []
    for k in range(count):
        made = Reference([seed] * 6)
        for _ in range(skipped):
            made.skip(134)
        for _ in range(k):
            made.skip(72)
        streams.append(made)
    return [streams[i % count].next() for i in range(total)], streams


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_mrg_is_its_definition(dtype):
    rng = MRG_RandomStreams(SEED)
    first = rng.uniform((4, 5), dtype=dtype)
    second = rng.uniform((7,), dtype=dtype)
    f = function([], [first, second])
    norm = np.float32(4.6566126e-10) if dtype == "float32" else 2.0**-31
    wanted, streams = mrg(SEED, 20, 20 // 6)
    later, _ = mrg(SEED, 7, 1, skipped=1)
    a, b = f()
    np.testing.assert_array_equal(
        a.ravel(), np.array(wanted, "int64").astype(dtype) * norm
    )
    np.testing.assert_array_equal(b, np.array(later, "int64").astype(dtype) * norm)
    # The next call goes on where each stream is: two of the three had seven turns.
    following = [streams[i % 3].next() for i in range(20)]
    a, _ = f()
    np.testing.assert_array_equal(
        a.ravel(), np.array(following, "int64").astype(dtype) * norm
    )


def test_mrg_draws_are_of_their_distributions():
    rng = MRG_RandomStreams(12345)
    x = tc.dmatrix("x")
    u = rng.uniform(x.shape, low=-1, high=3, dtype="float64")
    b = rng.binomial(size=(300, 100), p=0.3)
    n = rng.normal((101, 99), avg=2.0, std=0.5, dtype="float64")
    m = rng.multinomial(pvals=x / x.sum(axis=1, keepdims=True))
    uniform, bits, normal, rows = function([x], [u, b, n, m])(
        np.tile([1.0, 2, 5], (9000, 1))
    )
    assert uniform.shape == (9000, 3)
    assert abs(uniform.mean() - 1) < 0.03
    assert (uniform.min() > -1, uniform.max() < 3) == (True, True)
    assert (bits.dtype, abs(bits.mean() - 0.3) < 0.01) == ("int64", True)
    assert normal.shape == (101, 99)
    assert abs(normal.mean() - 2) < 0.02
    assert abs(normal.std() - 0.5) < 0.01
    np.testing.assert_array_equal(rows.sum(axis=1), 1)
    np.testing.assert_allclose(rows.mean(axis=0), [1 / 8, 2 / 8, 5 / 8], atol=0.02)


def test_mrg_is_seeded_and_refuses_what_it_has_not():
    rng = MRG_RandomStreams(5)
    f = function([], rng.uniform((50,), dtype="float64"))
    first = f()
    assert not np.array_equal(first, f())
    rng.seed(5)
    np.testing.assert_array_equal(f(), first)
    for seed in (0, -1, 2**31, [1, 2, 3], [0, 0, 0, 1, 1, 1]):
        with pytest.raises(ValueError, match="a seed of MRG"):
            MRG_RandomStreams(seed)
    with pytest.raises(TypeError, match="n=1"):
        rng.binomial((3,), n=2)
