"""Generators in traced functions and formulas: streams, states, distributions."""

import pickle

import numpy as np
import pytest

import tensorc as tc
from tensorc.ir.arrays.philox import bits, derived

# A size, and how far from the expected value a mean of so many may be.
MANY = 200_000
SIGMAS = 5 / np.sqrt(MANY)


def drawn(make, *given):
    """Return what a traced function draws of a new generator."""
    rng = tc.random.default_rng(3)
    return tc.jit(lambda *arguments: make(rng, *arguments))(*given)


def cdf_distance(values, cdf) -> float:
    """Return the statistic of Kolmogorov and Smirnov, times the root of the count."""
    ordered = np.sort(values)
    expected = cdf(ordered)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    far = max(np.max(steps[1:] - expected), np.max(expected - steps[:-1]))
    return float(far * np.sqrt(len(ordered)))


def normal_cdf(x):
    return 0.5 * (1 + tc.jit(tc.erf)(x / np.sqrt(2)))


# The quantile of 1 - 1e-5 of the statistic, for an honest stream.
MOST = 2.47

CONTINUOUS = {
    "uniform": (lambda r, n: r.uniform(-1.0, 3.0, n), lambda x: (x + 1) / 4),
    "random": (lambda r, n: r.random(n), lambda x: x),
    "normal": (lambda r, n: r.normal(1.0, 2.0, n), lambda x: normal_cdf((x - 1) / 2)),
    "exponential": (lambda r, n: r.exponential(2.0, n), lambda x: -np.expm1(-x / 2)),
    "gumbel": (lambda r, n: r.gumbel(0.0, 1.0, n), lambda x: np.exp(-np.exp(-x))),
    "truncated_normal": (
        lambda r, n: r.truncated_normal(-1.0, 2.0, size=n),
        lambda x: (
            (normal_cdf(x) - normal_cdf(-np.ones(1)))
            / (normal_cdf(2 * np.ones(1)) - normal_cdf(-np.ones(1)))
        ),
    ),
}


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("door", ["float64", "float32"])
def test_distributions_are_what_they_are_called(name, door):
    make, cdf = CONTINUOUS[name]
    if door == "float32":
        rng = tc.random.default_rng(5)
        values = make(rng, MANY).eval()
    else:
        values = drawn(lambda rng: make(rng, MANY))
    assert values.dtype == door
    assert np.isfinite(values).all()
    assert cdf_distance(values.astype(np.float64), cdf) < MOST
    # Neighbours have nothing to do with each other, whatever lane and word they are.
    ranks = np.argsort(np.argsort(values)) / MANY - 0.5
    for lag in (1, 4, 16, 64):
        r = np.mean(ranks[lag:] * ranks[:-lag]) * 12
        assert abs(r) < SIGMAS, lag


def test_normals_are_those_of_the_bits_in_both_precisions():
    key = derived(derived(np.uint64(3), np.uint64(0)), np.uint64(0))
    wide = drawn(lambda rng: rng.standard_normal(1000))
    signed = bits(key, 1000, np.dtype("u8")).view("i8") >> 11
    x = (signed + 0.5) * 2.0**-52
    np.testing.assert_allclose(tc.jit(tc.erf)(wide / np.sqrt(2)), x, atol=1e-14)
    narrow = drawn(lambda rng: rng.standard_normal(1000, dtype="float32"))
    signed = bits(key, 1000, np.dtype("u4")).view("i4") >> 8
    x = (signed + 0.5) * 2.0**-23
    shown = tc.jit(tc.erf)(narrow.astype("f8") / np.sqrt(2))
    np.testing.assert_allclose(shown, x, atol=2e-7)


def test_discrete_draws():
    found = drawn(lambda rng: rng.bernoulli(0.3, MANY))
    assert found.dtype == bool
    assert abs(found.mean() - 0.3) < SIGMAS
    faces = drawn(lambda rng: rng.integers(1, 6, MANY, endpoint=True))
    counts = np.bincount(faces, minlength=7)
    assert counts[0] == 0
    chi2 = np.sum((counts[1:] - MANY / 6) ** 2) / (MANY / 6)
    assert chi2 < 36  # five degrees of freedom: 1e-6 of all streams are above
    wide = drawn(lambda rng: rng.integers(-(2**40), 2**40, 1000))
    assert wide.min() < -(2**39)
    assert wide.max() > 2**39
    shares = np.array([0.1, 0.2, 0.7])
    classes = drawn(lambda rng, p: rng.categorical(np.log(p), MANY), shares)
    got = np.bincount(classes, minlength=3) / MANY
    np.testing.assert_allclose(got, shares, atol=SIGMAS)
    np.testing.assert_array_equal(
        np.bincount(drawn(lambda rng: rng.choice(3, 9000, p=[0.0, 1.0, 0.0]))),
        [0, 9000],
    )


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64", "bool"])
def test_integers_go_to_the_ends_of_their_type(dtype):
    about = None if dtype == "bool" else np.iinfo(dtype)
    low, high = (int(about.min), int(about.max)) if about else (0, 1)
    every = drawn(lambda rng: rng.integers(low, high, 4000, dtype, endpoint=True))
    assert every.dtype == dtype
    middle = (every.astype(float) - low).mean() / (float(high) - low)
    assert abs(middle - 0.5) < 0.05


def test_counts():
    given = {
        "binomial": (lambda r: r.binomial(40, 0.3, MANY), 12, 8.4),
        "poisson": (lambda r: r.poisson(3.5, MANY), 3.5, 3.5),
        "large": (lambda r: r.poisson(1e6, MANY), 1e6, 1e6),
    }
    for name, (make, mean, variance) in given.items():
        values = drawn(make)
        assert values.dtype == np.int64
        assert values.min() >= 0
        assert abs(values.mean() - mean) < SIGMAS * np.sqrt(variance), name
        assert abs(values.var() / variance - 1) < 2 * SIGMAS, name
    poisson = drawn(lambda rng: rng.poisson(3.5, MANY))
    shares = np.exp(-3.5) * 3.5 ** np.arange(4) / [1, 1, 2, 6]
    got = np.bincount(poisson)[:4] / MANY
    np.testing.assert_allclose(got, shares, atol=SIGMAS / 2)
    assert np.all(drawn(lambda rng: rng.binomial(7, 1.0, 9)) == 7)
    assert np.all(drawn(lambda rng: rng.poisson(0, 9)) == 0)
    one = drawn(lambda rng, p: rng.binomial(1, p, 1000), np.array(0.5))
    assert set(np.unique(one)) == {0, 1}
    with pytest.raises(TypeError, match="needs a number for p"):
        drawn(lambda rng, p: rng.binomial(2, p), np.array(0.5))
    with pytest.raises(ValueError, match="n is 3, p is 2"):
        drawn(lambda rng: rng.binomial(3, 2))


def test_orders():
    order = drawn(lambda rng: rng.permutation(1000))
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    assert abs(np.corrcoef(order, np.arange(1000))[0, 1]) < 0.16
    rows = np.arange(12.0).reshape(6, 2)
    mixed = drawn(lambda rng, x: rng.permutation(x), rows)
    np.testing.assert_array_equal(np.sort(mixed, axis=0), rows)
    few = drawn(lambda rng: rng.choice(10, (2, 4), replace=False))
    assert few.shape == (2, 4)
    assert len(np.unique(few)) == 8
    with pytest.raises(ValueError, match="12 of 10"):
        drawn(lambda rng: rng.choice(10, 12, replace=False))


def test_each_call_draws_anew_and_the_state_can_be_set_back():
    rng = tc.random.default_rng(1)
    noise = tc.jit(lambda x: x + rng.normal(size=x.shape))
    first, second = noise(np.zeros((3, 4))), noise(np.zeros((3, 4)))
    assert not np.any(first == second)
    other_size = noise(np.zeros((2, 3)))
    rng.state.set_value(np.array([1, 0], np.uint64))
    np.testing.assert_array_equal(noise(np.zeros((3, 4))), first)
    rng.state.set_value(np.array([1, 2], np.uint64))
    np.testing.assert_array_equal(noise(np.zeros((2, 3))), other_size)


def test_draws_of_formulas_are_one_value_in_all_outputs():
    rng = tc.random.default_rng(2)
    u, v = rng.uniform(size=4), rng.uniform(size=4)
    f = tc.function([], [u, 2 * u, v])
    one, twice, other = f()
    np.testing.assert_array_equal(twice, 2 * one)
    assert not np.any(one == other)
    assert rng.state.get_value()[1] == 1
    assert not np.any(f()[0] == one)
    again = pickle.loads(pickle.dumps(rng))
    assert again.state.get_value()[1] == 2


def test_turns_of_a_loop_draw_numbers_of_their_own():
    def walk(rng, x):
        return tc.scan(lambda c, e: (c + rng.normal(), rng.random()), 0.0, x)

    last, shown = drawn(walk, np.zeros(50))
    assert len(np.unique(shown)) == 50
    assert np.ndim(last) == 0


def test_gradients_go_through_loc_and_scale_and_not_through_bits():
    rng = tc.random.default_rng(4)

    def cost(loc, scale):
        return rng.normal(loc, scale, 500).mean()

    d_loc, d_scale = tc.jit(tc.grad(cost, argnums=(0, 1)))(1.0, 2.0)
    assert d_loc == pytest.approx(1)
    rng.state.set_value(np.array([4, 0], np.uint64))
    z = tc.jit(lambda: rng.normal(size=500))()
    assert d_scale == pytest.approx(z.mean())


def test_dropout():
    rng = tc.random.default_rng(0)
    step = tc.jit(lambda x: rng.dropout(x, 0.25))
    kept = step(np.ones(MANY, np.float32))
    assert set(np.unique(kept)) == {0, np.float32(4 / 3)}
    assert abs(kept.mean() - 1) < SIGMAS
    slopes = tc.jit(lambda x, p: tc.grad(tc.sum(rng.dropout(x, p)), x))
    np.testing.assert_array_equal(slopes(np.ones(3), 1.0), np.zeros(3))
    seed_004 = tc.jit(lambda x: tc.where(rng.bernoulli(0.25, x.shape), x, 0))
    assert abs(seed_004(np.ones(MANY)).mean() - 0.25) < SIGMAS


def test_a_step_trains_and_resumes_to_the_same_bits(tmp_path):
    x = np.linspace(-1, 1, 400, dtype=np.float32)

    def made():
        rng = tc.random.default_rng(7)
        w = tc.shared(np.zeros(1, np.float32), "w")

        @tc.step
        def train(x):
            noise = rng.normal(size=x.shape, dtype="float32")
            cost = tc.mean((w * x - x + 0.1 * noise) ** 2)
            tc.update(w, w - 0.1 * tc.grad(cost, w))
            return cost

        return train, w

    def fit(train, epochs, **kept):
        return tc.fit(train, {"x": x}, batch=20, epochs=epochs, **kept)

    whole, w = made()
    fit(whole, 4)
    half, _ = made()
    fit(half, 2, save=tmp_path)
    again, v = made()
    fit(again, 4, resume=tmp_path)
    np.testing.assert_array_equal(v.get_value(), w.get_value())


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda r: r.normal(0.0, -1.0), ValueError, "std is -1.0, which is negative"),
        (lambda r: r.bernoulli(1.5), ValueError, "a probability is from 0 to 1"),
        (lambda r: r.uniform(2.0, 1.0), ValueError, "low is 2.0, high is 1.0"),
        (lambda r: r.random(-1), ValueError, "the size of a draw is negative"),
        (lambda r: r.random("3"), TypeError, "the size of a draw"),
        (lambda r: r.integers(3, 3), ValueError, "low is 3, high is 3"),
        (lambda r: r.integers(300, dtype="int8"), ValueError, "-128 to 127"),
        (lambda r: r.integers(-1, 5, dtype="uint8"), ValueError, "-1 is no number of"),
        (lambda r: r.integers(5, dtype="float32"), TypeError, "draws integers"),
        (lambda r: r.truncated_normal(8.0, 9.0), ValueError, "8 deviations away, f"),
        (lambda r: r.integers(2.5), TypeError, "an end of integers is an integer"),
        (lambda r: r.normal(dtype="int32"), TypeError, "normal draws floats"),
        (lambda r: tc.random.default_rng("a"), TypeError, "the seed of a generator"),
        (lambda r: r.normal(np.zeros(3), size=4), ValueError, "normal"),
    ],
)
def test_mistakes(make, error, words):
    with pytest.raises(error, match=words):
        make(tc.random.default_rng(0))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("normal", "rng = tc.random.default_rng(seed); rng.normal(…)"),
        ("randn", "rng = tc.random.default_rng(seed); rng.standard_normal(size)"),
        ("RandomState", "rng = tc.random.default_rng(seed)"),
    ],
)
def test_what_numpy_draws_by_its_module_a_generator_draws(name, words):
    with pytest.raises(AttributeError) as caught:
        getattr(tc.random, name)
    assert str(caught.value) == (
        f"module 'tensorc.random' has no attribute '{name}': {words}"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("shuffle", "; write y = rng.permutation(x), a new variable"),
        ("randint", "; write rng.integers(low, high, size)"),
        ("unifrom", "; did you mean `uniform`?"),
        ("dirichlet", ""),
    ],
)
def test_a_draw_that_is_not_there_says_what_is(name, words):
    with pytest.raises(AttributeError) as caught:
        getattr(tc.random.default_rng(1), name)
    assert str(caught.value) == f"a generator has no attribute '{name}'{words}"


def test_rows_of_a_variable_are_chosen():
    rng = tc.random.default_rng(3)
    with_return = tc.jit(lambda x: rng.choice(x, 40))
    without = tc.jit(lambda x: rng.choice(x, (2, 2), replace=False))
    x = np.arange(10.0).reshape(5, 2)
    rows = {tuple(row) for row in x.tolist()}
    assert {tuple(row) for row in with_return(x).tolist()} == rows
    assert {tuple(row) for row in with_return(x[:2]).tolist()} == {
        (0.0, 1.0),
        (2.0, 3.0),
    }
    chosen = without(x).reshape(4, 2).tolist()
    assert len({tuple(row) for row in chosen} & rows) == 4
    with pytest.raises(ValueError, match="choice: 4 of 3, without return"):
        without(x[:3])


def test_integers_up_to_a_size():
    rng = tc.random.default_rng(3)
    f = tc.jit(lambda x: rng.integers(0, x.shape[0], size=(200,)))
    assert set(f(np.zeros(5)).tolist()) == set(range(5))
    assert set(f(np.zeros(3)).tolist()) == set(range(3))


def test_dropout_of_all_has_a_derivative():
    rng = tc.random.default_rng(3)
    x = np.ones(4)
    assert tc.jit(lambda x: rng.dropout(x, 1))(x).tolist() == [0.0] * 4
    assert tc.grad(lambda x: tc.sum(rng.dropout(x, 1.0)))(x).tolist() == [0.0] * 4
    with pytest.raises(ValueError, match=r"dropout: p is 1.5, a share is from 0 to 1"):
        tc.jit(lambda x: rng.dropout(x, 1.5))(x)
