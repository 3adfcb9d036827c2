"""bf16 in both Python doors: types and values of NumPy's functions, memory, files."""

import pickle

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import CallError, DTypeError, TensorcError
from tensorc.ir.numerics import same_bits
from tests.doors.test_numpy_table import (
    COMPOSED,
    ROWS,
    UFUNCS,
    arrays_of,
    calls_of,
    computed,
    reason_of,
    sample,
)

BF16 = np.dtype(pytest.importorskip("ml_dtypes").bfloat16)
# Of several operations: the largest error in units of the last place.
ULPS = {**COMPOSED, "linspace": 2.0}
# The type of the array has pi, too: 2^-9 of an argument of some 3.
NEAR_ZERO = {"sinc": 2.0**-8}


def bf16_calls(function):
    """Return calls of bf16 arrays alone, as those of float32 are in NumPy's table."""
    for call in calls_of(function):
        named = {t for t in call.types if isinstance(t, str)}
        asked = "dtype" in dict(call.options) or reason_of(call)
        if named == {"float32"} and not asked:
            yield call


def operands_of(call):
    """Return the operands of a call, in bf16 and the same numbers in float32."""
    with np.errstate(all="ignore"):
        narrow = [
            a.astype(BF16) if isinstance(a, np.ndarray) else a for a in arrays_of(call)
        ]
    return narrow, [a.astype("f4") if isinstance(a, np.ndarray) else a for a in narrow]


def wanted_of(call, wide):
    """Return what NumPy gives of float32, rounded to bf16 where it is a float32."""
    found = computed(call, wide)
    if isinstance(found, Exception):
        return None
    with np.errstate(all="ignore"):
        return [np.asarray(v).astype(_type_of(np.asarray(v).dtype)) for v in found]


def _type_of(dtype):
    # What NumPy makes float64 of is of the default float.
    return {"float32": BF16, "float64": np.dtype("float32")}.get(dtype.name, dtype)


def variables_of(narrow):
    return [
        tc.tensor(f"x{i}", "bfloat16", a.shape) if isinstance(a, np.ndarray) else a
        for i, a in enumerate(narrow)
    ]


@pytest.mark.parametrize("function", UFUNCS + ROWS, ids=lambda f: f.__name__)
def test_types_are_those_of_float32(function):
    for call in bf16_calls(function):
        narrow, wide = operands_of(call)
        wanted = wanted_of(call, wide)
        if wanted is None:
            continue
        given = computed(call, variables_of(narrow))
        assert not isinstance(given, Exception), (call.key, given)
        types = [np.dtype(str(g.dtype)) for g in given]
        assert types == [np.asarray(w).dtype for w in wanted], call.key


def differences(calls):
    """Compile calls as one function; return those whose values are not NumPy's."""
    operands = {c.key: operands_of(c) for c in calls}
    wanted = {c.key: wanted_of(c, operands[c.key][1]) for c in calls}
    calls = [c for c in calls if wanted[c.key] is not None]
    arrays = {
        c.key: {
            str(i): a
            for i, a in enumerate(operands[c.key][0])
            if isinstance(a, np.ndarray)
        }
        for c in calls
    }

    def traced(given):
        whole = {c.key: operands[c.key][0] for c in calls}
        return {
            c.key: computed(
                c, [given[c.key].get(str(i), v) for i, v in enumerate(whole[c.key])]
            )
            for c in calls
        }

    with tc.options(optimize=0):
        found = tc.jit(traced)(arrays)
    return [
        c.key
        for c in calls
        for given, want in zip(found[c.key], wanted[c.key], strict=True)
        if not agrees(c, given, want)
    ]


def agrees(call, given, wanted):
    if wanted.dtype == np.float32:
        return np.allclose(given, wanted, equal_nan=True)
    if wanted.dtype != BF16:
        return np.array_equal(given, wanted)
    with np.errstate(all="ignore"):
        same = (given == wanted) | (np.isnan(given) & np.isnan(wanted))
        unit = np.spacing(np.abs(wanted)).astype("f4")
        off = np.abs(given.astype("f4") - wanted.astype("f4"))
        same |= off <= ULPS.get(call.function.__name__, 0) * unit
        same |= off <= NEAR_ZERO.get(call.function.__name__, 0)
    return bool(np.all(same))


def test_values_are_those_of_float32_rounded():
    calls = [c for f in UFUNCS + ROWS for c in sample([*bf16_calls(f)])]
    assert len(calls) > 200
    assert [
        d for i in range(0, len(calls), 64) for d in differences(calls[i : i + 64])
    ] == []


def test_memory_and_symbolic_functions():
    cell = tc.shared(np.ones(3, BF16), "w")
    x = tc.vector("x", dtype="bfloat16")
    f = tc.function([x], (x * cell).sum(), updates=[(cell, cell + x)])
    given = np.array([0.1, 0.2, 1000], np.float32).astype(BF16)
    assert f(given).dtype == BF16
    assert same_bits(cell.get_value(), given + BF16.type(1))
    shown = cell.get_value(borrow=True)
    assert shown.dtype == BF16
    assert not shown.flags.writeable
    cell.set_value(np.array([1.0, 2.0, 3.0]))
    assert shown.tolist() == [1, 2, 3]
    with pytest.raises(CallError, match="bf16"):
        cell.set_value(np.array([257, 1, 2]))  # not exact
    again = pickle.loads(pickle.dumps(f))
    assert again(given).dtype == BF16


def test_what_goes_into_arrays():
    x, i = np.zeros(4, BF16), np.arange(4)
    with pytest.raises(DTypeError, match="bf16 does not go into i64"):
        tc.jit(lambda a, b: b.at[1].set(a[0]))(x, i)
    given = tc.jit(lambda a, b: a.at[1].set(b[3]))(x, i)
    assert same_bits(given, np.array([0, 3, 0, 0]).astype(BF16))
    with pytest.raises(TensorcError, match="does not fit bf16"):
        tc.jit(lambda a: a + 1e39)(x)


def test_in_files(tmp_path):
    given = {"W": np.linspace(0, 1, 7).astype(BF16), "n": np.zeros((0, 2), BF16)}
    cells = {name: tc.shared(value, name) for name, value in given.items()}
    path = tmp_path / "w.safetensors"
    tc.save(path, list(cells.values()))
    for cell in cells.values():
        cell.set_value(np.ones(cell.shape))
    tc.restore(path, list(cells.values()))
    for name, cell in cells.items():
        assert same_bits(cell.get_value(), given[name])


def test_integers_that_fit_meet_it_in_bf16():
    x, small = np.ones(3, BF16), np.arange(3, dtype=np.int8)
    for f in (np.add, np.true_divide, np.logaddexp, np.arctan2, tc.xlogy):
        for made in (tc.jit(f)(x, small), tc.jit(f)(small, x)):
            assert made.dtype == BF16, f
        assert tc.jit(f)(x, small.astype("i2")).dtype == np.float32
        assert tc.jit(f)(x, x.astype("f2")).dtype == np.float32
