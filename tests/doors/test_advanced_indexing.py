"""Computed indices and new values for parts: numpy's results, errors in place."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import CompileError
from tests.said import said

INTEGERS = ("int64", "int32", "int8", "uint8", "uint16", "uint64")
SIZES = (0, 1, 2, 3, 4, 4)


def random_slice(rng, size):
    """Return a slice in all of numpy's spellings, often out of bounds."""

    def bound():
        return None if rng.random() < 0.5 else int(rng.integers(-size - 2, size + 3))

    step = int(rng.choice([1, 1, 1, 2, 3, -1, -2]))
    return slice(bound(), bound(), None if step == 1 else step)


def random_array(rng, size, shape):
    """Return indices of a shape that broadcasts to `shape`, as a variable would be."""
    own = [1 if rng.random() < 0.2 else d for d in shape]
    own = own[rng.integers(0, len(own) + 1) :] if rng.random() < 0.3 else own
    dtype = str(rng.choice(INTEGERS))
    low = 0 if dtype.startswith("u") else -size
    return rng.integers(low, max(size, 1), own if size else [0]).astype(dtype)


def random_expression(rng):
    """Return an array and an index of numpy's, of all kinds mixed."""
    shape = [int(rng.choice(SIZES)) for _ in range(rng.integers(1, 5))]
    x = rng.normal(size=shape) * (rng.random(size=shape) > 0.2)
    x[rng.random(size=shape) < 0.2] *= -1  # zeros of both signs
    if x.size:
        x.flat[rng.integers(x.size)] = rng.choice([np.nan, np.inf, -0.0])
    common = [int(rng.choice([1, 2, 3])) for _ in range(rng.integers(0, 3))]
    empty = 0 in shape and rng.random() < 0.5
    common = [0] if empty else common
    named = int(rng.integers(1, len(shape) + 1))
    front = int(rng.integers(0, named + 1)) if named < len(shape) else named
    index = []
    for place in range(named):
        axis = place if place < front else len(shape) - named + place
        size = shape[axis]
        kind = rng.integers(0, 10)
        if place == front and front < named:
            index.append(Ellipsis)
        if kind < 3 or (size == 0 and not empty):
            index.append(random_slice(rng, size))
        elif kind < 4 and size:
            index.append(int(rng.integers(-size, size)))
        else:
            index.append(random_array(rng, size, common))
        if rng.random() < 0.15:
            index.append(None)
    if front == named < len(shape) and rng.random() < 0.3:
        index.append(Ellipsis)
    return x, tuple(index)


def symbolic(x, index, rng):
    """Return variables for the arrays, with unknown sizes where that is possible."""

    def variable(name, array):
        unknown = [None if d != 1 and rng.random() < 0.5 else d for d in array.shape]
        return tc.tensor(name, str(array.dtype), unknown)

    inputs, values, items = [variable("x", x)], [x], []
    for number, item in enumerate(index):
        if isinstance(item, np.ndarray):
            inputs.append(variable(f"i{number}", item))
            values.append(item)
            item = inputs[-1]
        items.append(item)
    return inputs, values, tuple(items)


def same(got, wanted):
    """Tell whether arrays agree bit for bit, but for the payload of NaNs."""
    assert got.dtype == wanted.dtype
    assert got.shape == wanted.shape
    np.testing.assert_array_equal(got, wanted)
    if wanted.dtype.kind == "f":
        zeros = wanted == 0
        np.testing.assert_array_equal(np.signbit(got[zeros]), np.signbit(wanted[zeros]))


def expected(x, index, v):
    """Return numpy's part, x with it set, and x with it added to."""
    part, new, more = np.asarray(x[index]), x.copy(), x.copy()
    new[index] = v
    # NumPy 2.4 loses some of the values if `at` has to broadcast them itself.
    np.add.at(more, index, np.broadcast_to(v, part.shape).copy())
    return part, new, more


@pytest.mark.parametrize("start", range(0, 360, 40))
def test_mixed_indices_agree_with_numpy(start):
    inputs, outputs, values, wanted, shown = [], [], [], [], []
    for seed in range(start, start + 40):
        rng = np.random.default_rng(seed)
        x, index = random_expression(rng)
        part = x[index]
        given, arrays, items = symbolic(x, index, rng)
        outputs.append(given[0][items])
        wanted.append(part)
        shown.append((x.shape, index))
        if seed % 3 == 0:
            spread = [1 if rng.random() < 0.2 else d for d in part.shape]
            v = rng.normal(size=spread[rng.integers(0, 2) :])
            given.append(tc.tensor("v", "float64", v.shape))
            arrays.append(v)
            outputs += [given[0].at[items].set(given[-1])]
            outputs += [tc.inc_subtensor(given[0][items], given[-1])]
            wanted += expected(x, index, v)[1:]
            shown += [shown[-1]] * 2
        inputs += given
        values += arrays
    results = tc.function(inputs, outputs, on_unused_input="ignore")(*values)
    for got, right, what in zip(results, wanted, shown, strict=True):
        try:
            same(np.asarray(got), np.asarray(right))
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from None


def test_the_random_indices_are_of_all_kinds():
    kinds, ranks, apart = set(), set(), 0
    for seed in range(360):
        x, index = random_expression(np.random.default_rng(seed))
        ranks.add(x.ndim)
        kinds.update(type(i).__name__ for i in index)
        arrays = [n for n, i in enumerate(index) if isinstance(i, np.ndarray | int)]
        apart += bool(arrays) and arrays[-1] - arrays[0] >= len(arrays)
    assert ranks == {1, 2, 3, 4}
    assert kinds == {"slice", "int", "ndarray", "NoneType", "ellipsis"}
    assert apart > 30


X = np.arange(24.0).reshape(2, 3, 4)


def compiled(inputs, outputs):
    return tc.function(inputs, outputs, on_unused_input="ignore")


def test_indices_are_variables_constants_sizes_and_shared_integers():
    x, i = tc.tensor3("x", dtype="float64"), tc.iscalar("i")
    k = tc.shared(np.int8(1), "k")
    size = x.shape[0]
    f = compiled(
        [x, i],
        [
            x[:, i],
            x[i, k],
            x[k - 3, ..., i],
            x[size - 1, [2, 0], 1:],
            x[np.array([1, 0]), :, np.uint8(3)],
            x[[]],
            x[tc.arange(size), tc.arange(size) + 1, -1],
        ],
    )
    wanted = [
        X[:, 0],
        X[0, 1],
        X[-2, ..., 0],
        X[1, [2, 0], 1:],
        X[[1, 0], :, 3],
        X[np.zeros(0, int)],
        X[[0, 1], [1, 2], -1],
    ]
    for got, right in zip(f(X, 0), wanted, strict=True):
        same(np.asarray(got), np.asarray(right))
    k.set_value(np.int8(2))
    same(f(X, 0)[1], np.asarray(X[0, 2]))


def test_take_is_numpys():
    x, i = tc.dmatrix("x"), tc.lmatrix("i")
    indices = np.array([[0, -1, 2], [1, 1, -3]])
    f = compiled([x, i], [tc.take(x, i), tc.take(x, i, axis=-1), tc.take(x, 1, 0)])
    flat, columns, row = f(X[0], indices)
    same(flat, np.take(X[0], indices))
    same(columns, np.take(X[0], indices, axis=-1))
    same(row, X[0][1])
    traced = tc.jit(lambda x, i, n: (np.take(x, i, axis=1), x[n], x[:, n], x[i, n]))
    for got, right in zip(
        traced(X[0], indices, -2),
        (np.take(X[0], indices, 1), X[0][-2], X[0][:, -2], X[0][indices, -2]),
        strict=True,
    ):
        same(got, np.asarray(right))


def test_rows_that_are_taken_twice_get_both_derivatives():
    table, i = tc.shared(X[0], "table"), tc.lvector("i")
    rows = table[i]
    cost = (rows**3).sum()
    first = tc.grad(cost, table)
    second = tc.grad((first**2).sum(), table)
    slope, curve = compiled([i], [first, second])([2, 0, 2, -1])
    count = np.array([1.0, 0, 3])[:, None]
    same(slope, 3 * X[0] ** 2 * count)
    np.testing.assert_allclose(curve, 36 * X[0] ** 3 * count**2, rtol=1e-15)


def test_derivatives_of_new_values_go_to_the_last_of_each_place():
    x, v, i = tc.dvector("x"), tc.dvector("v"), tc.lvector("i")
    weights = np.array([1.0, 2, 3, 5])
    wanted = {
        "set": ([1, 0, 3, 0], [0, 5, 2]),
        "add": ([1, 2, 3, 5], [2, 5, 2]),
    }
    for name, (to_x, to_v) in wanted.items():
        new = getattr(x.at[i], name)(v)
        f = compiled([x, v, i], tc.grad((new * weights).sum(), [x, v]))
        by_x, by_v = f([0, 1, 0, 2], [7, 8, 9], [1, 3, 1])
        same(by_x, np.array(to_x, "float64"))
        same(by_v, np.array(to_v, "float64"))


def test_new_values_of_parts_keep_all_other_bits():
    x = np.array([-0.0, np.nan, 0.0, -np.inf, 5.0, -0.0], "float32")
    v = tc.fvector("v")
    given, i = tc.fvector("x"), tc.lscalar("i")
    f = compiled(
        [given, v, i],
        [
            given.at[1:3].set(v),
            given.at[::-2].add(v[:1]),
            given.at[i].set(np.float64(7)),
            tc.inc_subtensor(given[i], 1),
            tc.set_subtensor(given[-2:][0], v[0]),
            given.at[[4, 4, 4]].add(0.5),
            given.at[[0, 0]].set([1, 2]),
            given.at[...].set(v[0]),
            given.at[6:].set(v[2:]),
        ],
    )
    new = np.array([2.5, -0.0], "float32")

    def changed(index, values, combine=None):
        result = x.copy()
        result[index] = values if combine is None else result[index] + values
        return result

    wanted = [
        changed(slice(1, 3), new),
        changed(slice(None, None, -2), new[0], "add"),
        changed(4, 7),
        changed(4, 1, "add"),
        np.array([new[0], -0.0], "float32"),
        changed(4, 1.5, "add"),
        changed(0, 2),
        np.full(6, new[0]),
        x,
    ]
    for got, right in zip(f(x, new, -2), wanted, strict=True):
        same(got, right)


def test_integers_and_booleans_take_new_values():
    x, i = tc.tensor("x", "int8", (None,)), tc.lvector("i")
    b = tc.tensor("b", "bool", (None,))
    f = compiled(
        [x, b, i],
        [x.at[i].add(100), x.at[i].set(tc.cast(i, "int8")), b.at[i].set(True), b[i]],
    )
    values, flags = np.array([1, 2, 3], "int8"), np.array([False, True, False])
    added, new, marked, read = f(values, flags, [0, 2, 0])
    same(added, np.array([-55, 2, 103], "int8"))
    same(new, np.array([0, 2, 2], "int8"))
    same(marked, np.array([True, True, True]))
    same(read, flags[[0, 2, 0]])


def test_a_column_of_a_step_is_replaced_and_a_counter_moves_on():
    """The pattern of contrastive divergence: x[:, i] with a shared i."""
    x = tc.matrix("x")
    i = tc.shared(0, "bit")
    flipped = tc.set_subtensor(x[:, i], 1 - x[:, i])
    f = tc.function([x], flipped, updates={i: (i + 1) % 3})
    bits = np.zeros((2, 3), "float32")
    for turn in range(4):
        wanted = bits.copy()
        wanted[:, turn % 3] = 1
        same(f(bits), wanted)


def test_the_language_indexes_alike(tmp_path):
    text = """
    fn f(x: f64[B, N, 4], i: int[K], n: i32) {
        return x[:, i], x[n, i, i], x[n, :, i], x[i[0], none, 1:, n], take(x, i, axis=1)
    }
    """
    file = tmp_path / "f.tc"
    file.write_text(text)
    i, n = np.array([0, 2, -1]), 1
    wanted = (
        X[:, i],
        X[n, i, i],
        X[n, :, i],
        X[i[0], None, 1:, n],
        np.take(X, i, axis=1),
    )
    for got, right in zip(tc.load(file).f(X, i, n), wanted, strict=True):
        same(got, right)


@pytest.mark.parametrize(
    "part", [np.s_[0], np.s_[::2], np.s_[2:3], np.s_[1::-1], np.s_[:1]]
)
def test_parts_of_indices_are_checked_alone(part):
    """What a part leaves out may be out of range."""
    i = np.array([1, 0, 1, 9])
    compiled = tc.jit(lambda x, i: x[i[part]])
    same(compiled(X, i), X[i[part]])
    with pytest.raises(IndexError, match="index 9 is out of range for axis 0"):
        compiled(X, np.array([9, 9, 9, 0]))


# Errors


@pytest.mark.parametrize(
    ("make", "index", "words"),
    [
        (lambda x, i: x[i], [0, 2], "index 2 is out of range for axis 0 with size 2"),
        (lambda x, i: x[:, i], [-4], "index -4 is out of range for axis 1 with size 3"),
        (lambda x, i: x[i, :, i], [0, 2], "index 2 is out of range for axis 0"),
        (lambda x, i: x[0, :, i], [5], "index 5 is out of range for axis 2"),
        (lambda x, i: x[..., i[0]], [4], "index 4 is out of range for axis 2"),
        (lambda x, i: x.at[:, i].add(1), [3], "index 3 is out of range for axis 1"),
        (lambda x, i: x[:0].at[:, i].set(1), [3], "index 3 is out of range for axis 1"),
        (lambda x, i: tc.take(x, i, 1) * 0, [3], "index 3 is out of range for axis 1"),
    ],
)
def test_out_of_range_is_an_index_error_at_the_users_line(make, index, words):
    x, i = tc.dtensor3("x"), tc.lvector("i")
    f = compiled([x, i], make(x, i))
    with pytest.raises(IndexError) as caught:
        f(X, index)
    assert words in said(caught.value)
    assert "test_advanced_indexing.py" in str(caught.value)


def test_unsigned_indices_do_not_count_from_the_end():
    x = tc.dvector("x")
    for dtype in ("uint8", "uint64"):
        i = tc.tensor("i", dtype, (None,))
        f = compiled([x, i], x[i])
        same(f([1.0, 2.0], np.array([1, 0], dtype)), np.array([2.0, 1.0]))
        with pytest.raises(IndexError, match="out of range for axis 0 with size 2"):
            f([1.0, 2.0], np.array([255], dtype))


def test_an_index_error_leaves_all_state_as_it_was():
    table, count = tc.shared(np.zeros((3, 2)), "table"), tc.shared(0, "count")
    i = tc.lvector("i")
    new = table.at[i].add(1.0)
    f = tc.function([i], new.sum(), updates={table: new, count: count + 1})
    f([0, 2, 0])
    with pytest.raises(IndexError, match="no shared variable has changed"):
        f([1, 3])
    same(table.get_value(), np.array([[2.0, 2], [0, 0], [1, 1]]))
    assert count.get_value() == 1


WRONG = [
    (lambda x, i: x[i, [1, 2]], ValueError, ["index arrays", "3 and 2"]),
    (lambda x, i: x[i, 4], IndexError, ["index 4", "axis 1 with size 4"]),
    (lambda x, i: x[i, -5], IndexError, ["index -5", "axis 1 with size 4"]),
    (lambda x, i: x[i, i, i], IndexError, ["3 indices", "rank 2"]),
    (lambda x, i: x[x > 0], CompileError, ["mask", "where(c, x, 0)"]),
    (lambda x, i: x[i * 1.0], IndexError, ["an integer", "astype('int64')"]),
    (lambda x, i: tc.take(x, x), TypeError, ["an integer", "f32"]),
    (lambda x, i: tc.take(x, i, axis=2), ValueError, ["axis 2"]),
    (lambda x, i: x.at[i].set([1.0, 2.0]), ValueError, ["[2]", "[3, 4]"]),
    (lambda x, i: x.at[:1].add(tc.zeros((1, 1, 4))), ValueError, ["[1, 1, 4]"]),
    (lambda x, i: i.at[0].set(0.5), TypeError, ["float", "i64[3]", "astype"]),
    (lambda x, i: i.at[0].set(x[0, 0]), TypeError, ["f32", "i64[3]", "astype"]),
    (lambda x, i: (x > 0).at[0].add(True), TypeError, ["booleans", ".set(v)"]),
    (lambda x, i: tc.set_subtensor(x * 2, 1.0), TypeError, ["a[i]", "f32[2, 4]"]),
    (lambda x, i: x.at[i].divide(2), AttributeError, ["'divide'", "set(2 * x[i])"]),
    (lambda x, i: x.at[i].multiply(2), TypeError, ["array of indices", "f(x[i], v)"]),
    (lambda x, i: tc.inc_subtensor(3, 1.0), TypeError, ["a[i]", "3 (int)"]),
    (lambda x, i: x.__setitem__(i, 0), TypeError, ["in place", ".at[i].set(new)"]),
]


@pytest.mark.parametrize(("make", "error", "words"), WRONG)
def test_what_does_not_fit_is_told_at_the_users_line(make, error, words):
    x, i = tc.tensor("x", "float32", (2, 4)), tc.tensor("i", "int64", (3,))
    with pytest.raises(error) as caught:
        make(x, i)
    for word in words:
        assert word in said(caught.value)
    if error is not AttributeError:
        assert "test_advanced_indexing.py" in str(caught.value)


def test_same_kind_values_are_cast_into_the_part():
    x, v = tc.fvector("x"), tc.dvector("v")
    f = compiled([x, v], x.at[1:].set(v))
    same(f([1.0, 2, 3], [0.1, 0.2]), np.array([1, 0.1, 0.2], "float32"))


def test_a_count_of_some_rows_takes_these():
    x, y = tc.dmatrix("x"), tc.lvector("y")
    f = compiled([x, y], x[tc.arange(2), y])
    same(f(X[0], [3, -1]), X[0][np.arange(2), [3, -1]])
    with pytest.raises(IndexError, match="index 1 is out of range for axis 0"):
        f(X[0][:1], [3, -1])
