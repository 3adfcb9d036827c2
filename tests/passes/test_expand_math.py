"""exp and log by arithmetic: errors, special values, and one library for all."""

import numpy as np
import pytest

from tensorc.backend.llvm.codegen import host_target
from tensorc.ir.ops import arith, math, memory, vector
from tensorc.ir.types import F16, F32, F64, I1, VectorType
from tensorc.passes.expand_math import EXPAND_MATH, FUNCTIONS
from tests.backend.harness import (
    LANES,
    Code,
    assert_same_bits,
    constant,
    counted,
    entry,
    nasty,
    run_interpreter,
    splat,
)
from tests.passes.remez import fits

CASES = [(math.Exp, np.exp), (math.Log, np.log)]
BOTH = pytest.mark.parametrize(("cls", "true"), CASES, ids=["exp", "log"])


def expanded(cls, element, lanes=LANES):
    """out[i] = f(x[i]), in vectors or (lanes 0) one by one."""

    def fill(b, x, out, arena, n):
        with counted(b, constant(b, 0), n, constant(b, lanes or 1)) as i:
            if not lanes:
                value = b.value(cls, b.value(memory.Load, x, i))
                b.create(memory.Store, value, out, i)
                return
            left = b.value(arith.SubI, n, i)
            kind = [VectorType(lanes, I1)]
            mask = b.value(vector.CreateMask, left, types=kind)
            zero = splat(b, constant(b, 0.0, element), lanes)
            value = b.value(cls, b.value(vector.MaskedLoad, x, i, mask, zero))
            b.create(vector.MaskedStore, out, i, mask, value)

    return EXPAND_MATH.run(entry([element, element], 1, fill), host_target())


def compiled(cls, x, lanes=LANES, optimize=2):
    out = np.empty_like(x)
    element = {2: F16, 4: F32, 8: F64}[x.itemsize]
    assert Code(expanded(cls, element, lanes), optimize)(x, out, symbols=(x.size,)) == 0
    return out


def interpreted(cls, x):
    # One vector of all elements: the interpreter's work is per op.
    out = np.empty_like(x)
    element = {2: F16, 4: F32, 8: F64}[x.itemsize]
    run_interpreter(expanded(cls, element, x.size), [x, out], (x.size,))
    return out


def ulps(got, want):
    """Return the largest error in units in the last place; classes must agree.

    `want` is of a wider type.
    """
    with np.errstate(all="ignore"):
        rounded = want.astype(got.dtype)
    finite = np.isfinite(rounded) & np.isfinite(got)
    special = ~finite
    np.testing.assert_array_equal(got[special], rounded[special])
    got, want, rounded = got[finite], want[finite], rounded[finite]
    unit = np.spacing(np.abs(rounded)).astype(want.dtype)
    return float(np.max(np.abs(got.astype(want.dtype) - want) / unit))


def sample_f64(cls):
    rng = np.random.default_rng(11)
    bits = rng.integers(0, 1 << 64, 40000, dtype=np.uint64).view(np.float64)
    parts = [bits, nasty(F64), 1 + rng.uniform(-1e-8, 1e-8, 20000)]
    if cls is math.Exp:
        parts += [rng.uniform(-746, 711, 40000), rng.uniform(-1, 1, 20000)]
        parts += [rng.uniform(-746, -708, 10000), np.array([709.79, -745.2, 1e-300])]
    else:
        parts += [rng.uniform(0.4, 2.1, 40000), np.exp(rng.uniform(-740, 700, 20000))]
        parts += [rng.uniform(0, 1e-310, 10000), np.array([5e-324, 2.2e-308])]
    return np.concatenate(parts)


@BOTH
def test_f32_is_within_one_ulp(cls, true):
    x = np.arange(0, 1 << 32, 4099, dtype=np.uint64).astype(np.uint32).view("f4")
    with np.errstate(all="ignore"):
        want = true(x.astype(np.float64))
    assert ulps(compiled(cls, x), want) < 0.95


@BOTH
def test_f32_around_the_edges(cls, true):
    """All floats next to where the result's exponent, sign or class changes."""
    places = [88.72284, -87.33655, -103.97208, 0.34657359, -0.34657359, 1.0, 0.0]
    places += [np.sqrt(0.5), np.sqrt(2), 1.17549435e-38, 3.4e38, 1e-45, 2.0]
    bits = np.array(places, "f4").view(np.int32)[:, None] + np.arange(-3000, 3000)
    x = bits.astype(np.int32).ravel().view("f4")
    with np.errstate(all="ignore"):
        want = true(x.astype(np.float64))
    assert ulps(compiled(cls, x), want) < 0.95


@BOTH
def test_f64_is_within_one_ulp(cls, true):
    x = sample_f64(cls)
    with np.errstate(all="ignore"):
        want = true(x.astype(np.longdouble))
    assert ulps(compiled(cls, x), want) < 0.95


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_special_values(dtype):
    inf, nan = np.inf, np.nan
    x = np.array([0.0, -0.0, inf, -inf, nan, 1.0], dtype)
    y = compiled(math.Exp, x)
    np.testing.assert_array_equal(y[:5], np.array([1, 1, inf, 0, nan], dtype))
    x = np.array([0.0, -0.0, inf, -inf, nan, 1.0, -1.0, -1e-7], dtype)
    want = np.array([-inf, -inf, inf, nan, nan, 0, nan, nan], dtype)
    np.testing.assert_array_equal(compiled(math.Log, x), want)
    assert not np.signbit(compiled(math.Log, x)[5])


def test_exp_underflows_gradually_and_overflows_late():
    x = np.array([-103.9, -100, -88, 88.72283], "f4")
    want = np.exp(x.astype("f8")).astype("f4")
    got = compiled(math.Exp, x)
    assert (np.abs(got - want) <= np.spacing(want)).all()
    assert (got[:3] > 0).all()
    assert (got[:3] < np.finfo("f4").tiny).all()
    assert np.isfinite(got[3])


@BOTH
def test_interpreter_and_every_level_give_the_same_bits(cls, true):
    bits = np.arange(0, 1 << 32, 1 << 18, dtype=np.uint64).astype(np.uint32)
    wide = sample_f64(cls)[::101]
    for x in (bits.view("f4"), np.append(wide, nasty(F64)), nasty(F16)):
        want = interpreted(cls, x)
        for optimize, lanes in ((0, 0), (3, 0), (0, LANES), (3, LANES)):
            assert_same_bits(compiled(cls, x, lanes, optimize), want, f"{x.dtype}")


@BOTH
def test_f16_is_rounded_from_f32(cls, true):
    x = np.arange(1 << 16, dtype=np.uint16).view("f2")
    with np.errstate(all="ignore"):
        want = true(x.astype("f8")).astype("f2")
    got = compiled(cls, x)
    # Two roundings: at most a tie goes the other way.
    differs = ~((got == want) | (np.isnan(got) & np.isnan(want)))
    assert np.count_nonzero(differs) < 4


def test_uses_inside_and_outside_of_loops_see_the_new_values():
    def fill(b, x, out, arena):
        zero = constant(b, 0)
        value = b.value(math.Log, b.value(math.Exp, b.value(memory.Load, x, zero)))
        with counted(b, zero, constant(b, 3), constant(b, 1)) as i:
            more = b.value(arith.AddF, value, b.value(math.Exp, value))
            b.create(memory.Store, more, out, i)

    module = EXPAND_MATH.run(entry([F64, F64], 0, fill), host_target())
    assert not any(isinstance(op, math.Exp | math.Log) for op in module.walk())
    out = np.zeros(3)
    assert Code(module)(np.array([1.25]), out) == 0
    np.testing.assert_allclose(out, 1.25 + np.exp(1.25), rtol=1e-15)


def test_every_function_has_a_row_per_float():
    assert set(FUNCTIONS) == {(c, e) for c, _ in CASES for e in (F16, F32, F64)}


def test_exp_is_short():
    module = expanded(math.Exp, F32)
    ops = [op for op in module.walk() if op.name.startswith(("arith", "math"))]
    free = ("arith.constant", "arith.bitcast")
    assert sum(op.name not in free for op in ops) <= 24


def test_polynomials_are_those_of_the_fit():
    formats = {e: FUNCTIONS[math.Exp, e][0] for e in (F32, F64)}
    known = {
        "exp f32": formats[F32].exp_tail,
        "exp f64": formats[F64].exp_tail,
        "log f32": formats[F32].log_tail,
        "log f64": formats[F64].log_tail,
    }
    for name, coefficients, error in fits():
        assert tuple(float(c) for c in coefficients) == known[name]
        assert error < (2**-27 if name.endswith("f32") else 2**-57)
