"""Cases 31 to 53 of the casebook: shapes, broadcasting, indexing, order."""

import itertools

import numpy as np
import pytest

import tensorc as tc
from tests.said import said
from tests.semantics.running import results, same_bits
from tests.semantics.test_arithmetic import FLOATS, check

INF, NAN = np.inf, np.nan


def of(*arrays):
    """Return what makes arrays of a type."""
    return lambda t: tuple([np.asarray(a).astype(t) for a in arrays])


ROWS = np.arange(12).reshape(3, 4) - 5

PROGRAMS = {
    "31 of no axes": (
        lambda x, v: (x + 1, x.sum(), np.max(x), np.transpose(x), v.sum(), v * x),
        of(3.0, [3.0]),
    ),
    "32 zero meets one": (lambda x, y: x + y, of(np.ones((3, 1)), np.ones((1, 0)))),
    "33 nothing": (
        lambda x, y: (x.sum(0), x.prod(0), x.max(1), x.sum(), x.T @ y, x @ x.T),
        of(np.ones((0, 3)), np.ones((0, 2))),
    ),
    "34 reshape of nothing": (lambda x: x.reshape(-1, 5), of(np.ones((0, 5)))),
    "35 concatenate": (
        lambda x, y: (
            np.concatenate([x, y]),
            np.concatenate([x]),
            np.concatenate([x, x[0], y.astype("int8")[:0]], axis=None),
        ),
        of(ROWS, np.ones((0, 4))),
    ),
    "46 views of views": (
        lambda x: (
            x.T.reshape(3, 4) + 1,
            x.T.reshape(-1)[::-1],
            x[::-1, ::2].T.reshape(-1),
        ),
        of(ROWS),
    ),
    "48 a sum of a join": (
        lambda x: (
            np.concatenate([x, x], axis=0).sum(1),
            np.concatenate([x, x], axis=1).max(0),
        ),
        of(ROWS),
    ),
    "49 sums of sums": (
        lambda x: (
            x.sum(0).sum(0) == x.sum(),
            x.sum(1, keepdims=True).sum(0),
            x.sum(-1).sum(-1) == x.sum((0, 1)),
        ),
        of(ROWS),
    ),
    "53 tile repeat pad": (
        lambda x: (
            np.tile(x, 0),
            np.tile(x, (2, 1)),
            np.repeat(x[0, :2], [0, 3]),
            np.pad(x, 0),
            np.pad(x, ((0, 1), (2, 0))),
        ),
        of(ROWS),
    ),
}


@pytest.mark.parametrize("dtype", FLOATS)
def test_shapes(dtype):
    arrays = {n: make(dtype) for n, (_, make) in PROGRAMS.items()}
    check({n: f for n, (f, _) in PROGRAMS.items()}, arrays)


def test_a_mean_of_nothing_is_nan_and_a_largest_of_nothing_is_refused():
    """Case 33: what is known to be empty is an error before any code runs."""
    nothing = tc.constant(np.ones((0, 3)))
    assert np.isnan(tc.mean(nothing).eval())
    for function in (tc.max, tc.argmax, tc.min):
        with pytest.raises(ValueError, match="has no elements"):
            function(nothing)


def test_sizes_that_do_not_fit_are_refused_with_both_shapes():
    """Case 32: at the line, and 34: no size can be found beside one of 0."""
    with pytest.raises(ValueError, match="3 and 2") as caught:
        tc.constant(np.ones((2, 3))) + tc.constant(np.ones(2))
    assert "test_shapes.py" in str(caught.value)
    with pytest.raises(ValueError, match="multiple of 0"):
        tc.constant(np.ones((0, 5))).reshape(-1, 0)


@pytest.mark.parametrize("dtype", FLOATS)
def test_derivatives_have_the_shapes_of_their_operands(dtype):
    """Case 37, 36: rows, columns, scalars and both; sizes known and unknown."""
    shapes = [((4,), (3, 4)), ((3, 4), ()), ((1, 4), (3, 4)), ((1, 4), (3, 1))]
    rng = np.random.default_rng(1)
    for one, other in shapes:
        x, y = rng.normal(size=one).astype(dtype), rng.normal(size=other).astype(dtype)

        def slopes(x, y):
            return tc.grad(np.sum((x + y) * (x * y)), [x, y])

        wide = np.broadcast_shapes(one, other)
        dx, dy = 2 * x * y + y * y, 2 * x * y + x * x
        wanted = [
            _folded(np.broadcast_to(d, wide), s) for d, s in ((dx, one), (dy, other))
        ]
        known = [tc.tensor(n, dtype, a.shape) for n, a in (("x", x), ("y", y))]
        compiled = tc.function(known, slopes(*known))
        for given in (tc.jit(slopes)(x, y), compiled(x, y)):
            for a, b in zip(given, wanted, strict=True):
                assert a.shape == b.shape
                np.testing.assert_allclose(a, b, rtol=1e-5 if dtype == "f4" else 1e-13)


def _folded(d, shape):
    lead = d.ndim - len(shape)
    d = d.sum(tuple(range(lead)))
    ones = tuple(i for i, n in enumerate(shape) if n == 1)
    return d.sum(ones, keepdims=True)


def test_every_slice_of_short_axes():
    """Case 41: all starts, ends and steps of lengths 0 to 6, and slices of slices."""
    bounds, steps = (None, -7, -3, -1, 0, 2, 5, 9), (1, 2, -1, -3)
    slices = [slice(*s) for s in itertools.product(bounds, bounds, steps)]

    def program(x):
        first = [x[s] for s in slices]
        return first + [x[s][t] for s, t in zip(slices, slices[::-1], strict=True)]

    for level in (0, 3):
        for length in range(7):
            x = np.arange(float(length))
            with tc.options(optimize=level):
                n = tc.tensor("x", "float64", (length,))
                found = tc.function([n], program(n))(x)
            for given, wanted in zip(found, program(x), strict=True):
                assert same_bits(given, wanted), (level, length)


def test_indices_out_of_range():
    """Case 38: an index error that names axis, index and size; state stays."""
    memory = tc.shared(np.zeros(3), "memory")

    @tc.step
    def put(i, v):
        tc.update(memory, memory.at[i].set(v))
        return v

    for index in (3, -4):
        with pytest.raises(IndexError) as caught:
            put(np.array([0, index]), np.array([1.0, 2.0]))
        assert f"index {index} is out of range for axis 0 with size 3" in said(
            caught.value
        )
        assert not memory.get_value().any()
    wrapped = tc.jit(lambda x, i: x[i])(np.arange(3.0), np.array([-1, -3]))
    assert same_bits(wrapped, np.array([2.0, 0.0]))
    far = tc.jit(lambda x, i: x[i])(np.arange(300.0), np.array([200], "u1"))
    assert same_bits(far, np.array([200.0]))


@pytest.mark.parametrize("dtype", FLOATS)
def test_places_that_are_meant_twice(dtype):
    """Cases 39, 40: the last one that is set wins, all that are added count."""
    i, v = np.array([1, 0, 1, 1]), np.array([1, 2, 4, 8], dtype)
    programs = {
        "set": lambda x, v: x.at[i].set(v),
        "add": lambda x, v: x.at[i].add(v),
        "read": lambda x, v: (x * 0).at[i].add(v)[i],
    }
    x = np.ones(3, dtype)
    wanted = {"set": [2, 8, 1], "add": [3, 14, 1], "read": [13, 2, 13, 13]}
    for found in results(programs, dict.fromkeys(programs, (x, v))):
        for name, expected in wanted.items():
            assert same_bits(found[name], np.array(expected, dtype)), name


@pytest.mark.parametrize("dtype", FLOATS)
def test_layouts_of_inputs(dtype):
    """Case 42: any strides give the bits of the contiguous copy."""
    rng = np.random.default_rng(2)
    base = rng.normal(size=(6, 8)).astype(dtype)
    buffer = np.zeros(base.nbytes + 1, "u1")
    odd = buffer[1:].view(dtype).reshape(base.shape)
    odd[...] = base
    layouts = {
        "fortran": np.asfortranarray(base),
        "backwards": base[::-1, ::-1],
        "repeated": np.broadcast_to(base[:1], (6, 8)),
        "part": np.pad(base, 2)[2:-2, 2:-2],
        "odd": odd,
    }

    @tc.jit
    def program(x):
        return [np.tanh(x) @ x.T, x.sum(0), x.max(1), x[::2, ::-1]]

    for name, x in layouts.items():
        for a, b in zip(program(x), program(np.ascontiguousarray(x)), strict=True):
            assert same_bits(a, b), name


def test_offsets_beyond_32_bits():
    """Case 45: in an array whose pages are not there until they are written."""
    size = 2**31 + 64
    flat = np.zeros(size, "i1")
    flat[-3:] = 5, 6, 7
    index = np.array([2**31 + 62, -1, 0])
    wide = flat.reshape(4, size // 4)

    def program(x, y, i):
        return x[i], x[2**31 + 61 :], y[3, -2:], y[i[1:] + 0 * i[1:], -1]

    found = tc.jit(program)(flat, wide, index)
    for given, wanted in zip(found, program(flat, wide, index), strict=True):
        assert same_bits(given, wanted)


def test_the_first_largest():
    """Case 47: the first of equal ones, the first NaN; 64 bits; after views too."""
    for dtype in FLOATS:
        x = np.array([[1, 3, 3, 0], [NAN, 5, NAN, 9], [-INF, -INF, -INF, -INF]], dtype)
        programs = {
            "47": lambda x: (
                np.argmax(x, 1),
                np.argmin(x, 0),
                np.argmax(x),
                np.argmax(np.broadcast_to(x[0], (3, 4)), -1),
                np.argmax(x[None], axis=-2).squeeze(0),
            )
        }
        check(programs, {"47": (x,)})


def test_einsum_of_repeated_labels_and_ones():
    """Case 50: diagonals, and axes of size 1 that spread; the derivatives too."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(4, 4)), rng.normal(size=(1, 4))
    cases = {"ii->i": (x,), "ij,ij->i": (x, y), "ii,i->": (x, x[0])}
    for spec, arrays in cases.items():
        given = tc.jit(lambda *a, s=spec: np.einsum(s, *a))(*arrays)
        np.testing.assert_allclose(given, np.einsum(spec, *arrays), rtol=1e-14)
    slope = tc.jit(tc.grad(lambda y: np.sum(np.einsum("ij,ij->i", x, y) ** 2)))(y)
    wanted = 2 * (x * (x @ y.T)).sum(0, keepdims=True)
    np.testing.assert_allclose(slope, wanted, rtol=1e-13)


@pytest.mark.parametrize("dtype", FLOATS)
def test_sorts_and_ties(dtype):
    """Case 51: NaN is last, equal ones keep their order."""
    x = np.array([3, NAN, -0.0, 0.0, 3, -INF, INF, NAN, 1], dtype)
    check(
        {
            "51": lambda x: (
                np.sort(x, stable=True),
                np.argsort(x, stable=True),
                np.sort(x[::-1], stable=True) + 0,
            )
        },
        {"51": (x,)},
    )


@pytest.mark.parametrize("dtype", FLOATS)
def test_running_products_of_axes_of_length_0_and_1(dtype):
    """Case 52: and the derivative of a product with a zero in it."""
    for length in (0, 1, 3):
        x = np.array([2, 0, 3], dtype)[:length]
        check({"52": lambda x: (np.cumsum(x), np.cumprod(x))}, {"52": (x,)})
    slope = tc.jit(tc.grad(lambda x: np.sum(np.cumprod(x))))(np.array([2, 0, 3], dtype))
    assert same_bits(slope, np.array([1, 8, 0], dtype))


def test_arrays_that_are_none():
    """Case 43: types that nothing can be computed of are a TypeError."""

    @tc.jit
    def twice(x):
        return x * 2

    odd = [np.array([None]), np.array(["a"]), np.zeros(2, [("a", "f4")]), np.array(1j)]
    for x in odd:
        with pytest.raises(TypeError):
            twice(x)
    swapped = np.arange(3.0).astype(">f8")
    assert np.array_equal(twice(swapped), [0, 2, 4])
    still = np.arange(3.0)
    still.flags.writeable = False
    assert np.array_equal(twice(still), [0, 2, 4])


def test_sizes_beyond_memory():
    """Case 44: products of sizes that overflow are refused before anything is made."""
    big = 2**31
    for shape in ((big, big, 8), (2**62, 4), (-2,), (2**63,)):
        with pytest.raises((ValueError, TypeError, MemoryError, OverflowError)):
            tc.jit(lambda x, s=shape: np.broadcast_to(x, s) + 1)(np.ones(()))
