"""Computed indices and new values for parts: numpy's results, errors at their places."""

import numpy as np
import pytest

import tensorc as tc

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
    """Return an array and an index of numpy's: slices, integers, arrays, None, `...`."""
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
    new, more = x.copy(), x.copy()
    new[index] = v
    np.add.at(more, index, v)
    return np.asarray(x[index]), new, more


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
            v = rng.normal(size=part.shape)
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
