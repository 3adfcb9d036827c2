"""Values at the borders: constants that do not fit, names for pickles."""

import copy
import pickle

import numpy as np
import pytest

import tensorc as tc


@tc.jit
def doubled(x):
    return x * 2


@pytest.mark.parametrize(
    ("value", "dtype", "spelled"),
    [(1e308, None, "f32"), (-1e39, None, "f32"), (1e6, "float16", "f16")],
)
def test_a_constant_that_its_type_cannot_hold_is_an_error(value, dtype, spelled):
    with pytest.raises(ValueError, match=f"does not fit {spelled}"):
        tc.constant(value, dtype=dtype)


def test_an_integer_constant_must_fit_its_type():
    with pytest.raises(ValueError, match="300 does not fit i8"):
        tc.constant(300, dtype="int8")
    assert tc.constant(float("inf")).eval() == np.inf
    assert tc.constant(7, dtype="float32").eval().dtype == np.float32


def test_a_traced_function_is_pickled_by_name():
    doubled(np.ones(2))
    assert pickle.loads(pickle.dumps(doubled)) is doubled
    assert copy.deepcopy([doubled])[0] is doubled
