"""Sizes, bounds and conditions of small integers: they wrap, as values do."""

import operator
import warnings

import numpy as np
import pytest

import tensorc as tc

DATA = np.arange(5.0)
INTEGERS = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
DTYPES = [*INTEGERS, "float32"]
OPERATIONS = {
    "itself": lambda n: n,
    "add": lambda n: n + 10,
    "next": lambda n: n + 1,
    "sub": lambda n: n - 1,
    "rsub": lambda n: 3 - n,
    "mul": lambda n: n * 4,
    "product": lambda n: n * n,
    "square": lambda n: n**2,
    "neg": operator.neg,
    "abs": abs,
    "floordiv": lambda n: n // 3,
    "mod": lambda n: n % 7,
    "minimum": lambda n: np.minimum(n, 9) + 1,
    "maximum": lambda n: np.maximum(n, 9) - 10,
    "where": lambda n: np.where(n > 3, n + 1, n - 1),
    "nested": lambda n: (n + 1) // 2 * 2 - n,
}


def given(dtype):
    """Return numbers of a type, its limits among them."""
    if dtype == "float32":
        return [np.float32(v) for v in (0, 1, 2.5, -3, 2**24)]
    limits = np.iinfo(dtype)
    numbers = (limits.min, limits.min + 1, 0, 1, 2, 3, limits.max // 2, limits.max - 1)
    numbers = (*numbers, limits.max, limits.max // 4 + 1)
    return [np.dtype(dtype).type(v) for v in dict.fromkeys(numbers)]


def numpys(function, number):
    """Return what NumPy computes, which warns where it wraps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(DATA, number)


@pytest.mark.filterwarnings("ignore::tensorc.TensorcWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_condition_is_of_the_value_in_its_type(name, dtype):
    operation = OPERATIONS[name]

    def sides(x, n):
        made = operation(n)
        one = x * 2 if made > 0 else x
        other = x * 3 if made < n else one
        return x * 5 if made else other

    f = tc.jit(sides)
    for number in given(dtype):
        wanted = numpys(sides, number)
        np.testing.assert_array_equal(f(DATA, number), wanted, str(number))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_bound_is_the_value_in_its_type(name, dtype):
    operation = OPERATIONS[name]
    if dtype == "uint64" and name != "itself":
        with pytest.raises(TypeError, match="cast to i64 first"):
            tc.jit(lambda x, n: x[operation(n) :])(DATA, np.uint64(3))
        return

    def parts(x, n):
        made = operation(n)
        return x[made:], x[:made], x[-2:made]

    n = tc.tensor("n", dtype, ())
    x = tc.dvector("x")
    compiled = [tc.jit(parts), tc.function([x, n], parts(x, n))]
    for number in given(dtype):
        most = 2**30 if name in ("product", "square") else 2**32
        if abs(int(number)) > most:
            continue  # what is computed of it is no size: test_value_sizes.py
        wanted = numpys(parts, number)
        for f in compiled:
            for own, part in zip(f(DATA, number), wanted, strict=True):
                np.testing.assert_array_equal(own, part, str(number))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16"])
@pytest.mark.parametrize("name", [n for n in OPERATIONS if n != "nested"])
def test_a_size_is_the_value_in_its_type(name, dtype):
    operation = OPERATIONS[name]
    n = tc.tensor("n", dtype, ())
    compiled = [
        tc.jit(lambda n: tc.zeros(np.abs(operation(n) // 2))),
        tc.function([n], tc.zeros(np.abs(operation(n) // 2))),
    ]
    for number in given(dtype):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            size = int(np.abs(operation(number) // 2))
        for f in compiled:
            assert f(number).shape == (size,), number


def test_a_number_of_python_is_an_int64():
    f = tc.jit(lambda x, n: x * 2 if n * 4 > 10 else x)
    np.testing.assert_array_equal(f(DATA, 2**62), DATA)
    np.testing.assert_array_equal(f(DATA, 3), DATA * 2)


def test_a_size_of_the_language_wraps(tmp_path):
    text = "fn w(x: float[N], n: u8) -> (u8, float[_]) = (n + 1, x[n + 1:])"
    file = tmp_path / "w.tc"
    file.write_text(text)
    w = tc.load(file).w
    for number in (255, 0, 1):
        following, rest = w(DATA, np.uint8(number))
        assert following == (number + 1) % 256
        np.testing.assert_array_equal(rest, DATA[int(following) :])
