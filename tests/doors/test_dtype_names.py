"""`x.dtype` answers as a text does, for Theano's scripts, and as NumPy's dtype does."""

import copy
import pickle

import numpy as np
import pytest

import tensorc as tc

NAMES = ("bool", "int8", "uint8", "int64", "float16", "float32", "float64")


def of_all_doors(name):
    """Return what a trace, a variable and memory of a type say of it."""
    seen = []
    tc.jit(lambda x: seen.append(x.dtype) or x)(np.zeros(2, name))
    return [*seen, tc.tensor("x", name, (2,)).dtype, tc.shared(np.zeros(2, name)).dtype]


@pytest.mark.parametrize("name", NAMES)
def test_a_dtype_is_equal_to_what_numpy_says(name):
    numpys = np.dtype(name)
    others = [*NAMES, *map(np.dtype, NAMES), *[np.dtype(n).type for n in NAMES]]
    others += [bool, int, float, "f8", "f4", "?", "<i8", "double", str, object]
    for given in of_all_doors(name):
        for other in others:
            assert (given == other) is (numpys == other), other
            assert (other == given) is (numpys == other), other
            assert (given != other) is (numpys != other), other
        assert given != "floatX"
        assert given != None  # noqa: E711  (old scripts ask so)
        assert given == getattr(tc, "bool_" if name == "bool" else name)
        told = (given.kind, given.itemsize, given.type, given.name)
        assert told == (numpys.kind, numpys.itemsize, numpys.type, name)
        assert np.zeros(1, given).dtype == numpys
        assert np.issubdtype(given, np.floating) == (numpys.kind == "f")
        with pytest.raises(AttributeError, match="kinds"):
            given.kinds  # noqa: B018


@pytest.mark.parametrize("name", NAMES)
def test_a_dtype_is_a_text(name):
    for given in of_all_doors(name):
        assert isinstance(given, str)
        assert f"{given}" == name
        assert "a" + given == "a" + name
        assert {name: 1}[given] == 1
        assert given in (name,)
        assert given.startswith("float") == name.startswith("float")
        for same in (pickle.loads(pickle.dumps(given)), copy.deepcopy(given)):
            assert same == np.dtype(name)


def test_a_branch_on_a_dtype_is_the_right_one():
    @tc.jit
    def f(x):
        if x.dtype == np.float64:
            return x * 2
        return x if x.dtype in (np.int32, np.dtype("float32")) else -x

    for dtype, factor in (
        (np.float64, 2),
        (np.float32, 1),
        (np.int32, 1),
        (np.int8, -1),
    ):
        np.testing.assert_array_equal(f(np.ones(2, dtype)), factor * np.ones(2))
