"""Loops, branches, kernels, failures and the epoch driver."""

import ctypes
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from tensorc.artifact import STATUS_INDEX, STATUS_NOT_FINITE, EpochWatch
from tensorc.backend.llvm.codegen import emit_llvm
from tensorc.backend.llvm.host import host_target
from tensorc.errors import CompileError, InternalError
from tensorc.ir.attributes import Enum, SymbolRef
from tensorc.ir.functions import new_module
from tensorc.ir.ops import builtin
from tensorc.ir.ops.loop import scf, vector
from tensorc.ir.ops.memory import kernels, memory
from tensorc.ir.ops.scalar import arith, conversions, math
from tensorc.ir.types import F32, F64, I1, I64, INDEX, VectorType
from tests.backend.harness import (
    ARENA,
    LANES,
    Code,
    assert_same_bits,
    constant,
    counted,
    entry,
    flat,
    if_else,
    if_true,
    make_function,
    run_interpreter,
    splat,
)

DRIVER = ctypes.CFUNCTYPE(
    ctypes.c_int64,
    *[ctypes.c_void_p] * 2,
    *[ctypes.c_int64] * 2,
    *[ctypes.POINTER(ctypes.c_int32)] * 2,
    ctypes.c_void_p,
)
LEVELS = pytest.mark.parametrize("optimize", [0, 1, 2, 3])


def index_less(b, left, right):
    return b.value(arith.CmpI, left, right, predicate=2)


def as_i64(b, value):
    return b.value(conversions.IndexCast, value, types=[I64])


@LEVELS
@pytest.mark.parametrize(
    "bounds", [(0, 10, 1), (0, 10, 3), (5, 5, 1), (7, 2, 1), (-3, 4, 2)]
)
def test_for_carries_values(bounds, optimize):
    """Two values that swap, beside a running sum: phis must read the old values."""

    def fill(b, out, arena, lower, upper, step):
        start = [constant(b, v) for v in (1, 100, 0)]
        with b.region([INDEX] * 4) as (region, (i, first, second, total)):
            more = b.value(arith.AddI, total, b.value(arith.MulI, first, i))
            b.create(scf.Yield, second, first, more)
        loop = b.create(scf.For, lower, upper, step, *start, regions=[region])
        for at, value in enumerate(loop.results):
            b.create(memory.Store, value, out, constant(b, at))

    module = entry([INDEX], 3, fill)
    got, want = np.zeros(3, np.int64), np.zeros(3, np.int64)
    run_interpreter(module, [want], bounds)
    assert Code(module, optimize)(got, symbols=bounds) == 0
    assert_same_bits(got, want)


@LEVELS
def test_nested_loops_and_conditions(optimize):
    """out[i * n + j] = 1 where i < j, and the loop's carried sum crosses the if."""

    def fill(b, out, arena, n):
        zero, one = constant(b, 0), constant(b, 1)
        with counted(b, zero, n, one) as i:
            row = b.value(arith.MulI, i, n)
            with (
                counted(b, zero, n, one) as j,
                if_true(b, index_less(b, i, j)),
                if_true(b, index_less(b, j, n)),
            ):
                at = b.value(arith.AddI, row, j)
                b.create(memory.Store, constant(b, 1.0, F64), out, at)

    n = 7
    out = np.zeros(n * n)
    assert Code(entry([F64], 1, fill), optimize)(out, symbols=(n,)) == 0
    np.testing.assert_array_equal(out.reshape(n, n), np.triu(np.ones((n, n)), 1))


@LEVELS
def test_one_of_two_regions_runs(optimize):
    """out[i] = 10 * (i < 3) + (i < 5), and a loop goes on behind them."""

    def fill(b, out, arena, n):
        zero, one = constant(b, 0), constant(b, 1)

        def store(value, i):
            return lambda: b.create(memory.Store, constant(b, value, F64), out, i)

        with counted(b, zero, n, one) as i:
            below = index_less(b, i, constant(b, 5))

            def inner(low, high):
                return lambda: if_else(b, below, store(high, i), store(low, i))

            if_else(b, index_less(b, i, constant(b, 3)), inner(10, 11), inner(0, 1))

    n = 7
    out = np.full(n, -1.0)
    assert Code(entry([F64], 1, fill), optimize)(out, symbols=(n,)) == 0
    np.testing.assert_array_equal(out, [11, 11, 11, 1, 1, 0, 0])


def test_deep_nesting_does_not_meet_pythons_limit():
    depth = 600

    def fill(b, out, arena, n):
        zero, true = constant(b, 0), index_less(b, constant(b, 0), n)
        with Nested(b, true, depth):
            b.create(memory.Store, n, out, zero)

    module = entry([INDEX], 1, fill)
    out = np.zeros(1, np.int64)
    assert Code(module, 0)(out, symbols=(5,)) == 0
    assert out[0] == 5


class Nested:
    """Conditions inside each other, opened and closed without recursion."""

    def __init__(self, b, condition, depth):
        self.open = [if_true(b, condition) for _ in range(depth)]

    def __enter__(self):
        for context in self.open:
            context.__enter__()

    def __exit__(self, *error):
        for context in reversed(self.open):
            context.__exit__(None, None, None)


def checked_copy(bad_index):
    """A kernel copies x to out in [begin, end); an index past `size` fails."""
    module = new_module()

    def kernel(b, x, out, size, begin, end, scratch):
        with counted(b, begin, end, constant(b, 1)) as i:
            value = b.value(memory.Load, x, i)
            past = b.value(arith.CmpI, as_i64(b, size), value, predicate=2)
            with if_true(b, past):
                b.create(kernels.Fail, value, as_i64(b, size), site=3, axis=1)
            b.create(memory.Store, value, out, i)

    types = [flat(I64), flat(I64), INDEX, INDEX, INDEX, ARENA]
    make_function(module, "copy.checked", types, kernel, kernel=True)

    def fill(b, x, out, arena, n, size):
        zero = constant(b, 0)
        half = b.value(arith.FloorDivSI, n, constant(b, 2))
        for lower, upper in ((zero, half), (half, n)):
            operands = (x, out, size, lower, upper, arena)
            callee = SymbolRef("copy.checked")
            b.create(builtin.Call, *operands, types=[], callee=callee)

    return entry([I64, I64], 2, fill, module)


@LEVELS
def test_kernel_fails_with_a_record_and_stops_its_caller(optimize):
    code = Code(checked_copy(0), optimize)
    x, out = np.arange(10), np.zeros(10, np.int64)
    assert code(x, out, symbols=(10, 100)) == 0
    np.testing.assert_array_equal(out, x)
    x[2], out[:] = 1000, -1
    assert code(x, out, symbols=(10, 100)) == STATUS_INDEX
    np.testing.assert_array_equal(code.record[:4], [3, 1, 1000, 100])
    # Neither the rest of the kernel nor the second call ran.
    np.testing.assert_array_equal(out, [0, 1, *[-1] * 8])


def accumulate():
    """w[0] += sum(x); result = w[0] before. A value of 99 is an index error."""

    def fill(b, w, x, out, arena, n):
        zero, one = constant(b, 0), constant(b, 1)
        with counted(b, zero, n, one) as i:
            value = b.value(memory.Load, x, i)
            limit = constant(b, 99.0, F64)
            bad = b.value(arith.CmpF, value, limit, predicate=1)
            with if_true(b, bad):
                number = b.value(conversions.FPToSI, value, types=[I64])
                b.create(kernels.Fail, number, as_i64(b, n), site=0, axis=0)
        start = b.value(memory.Load, w, zero)
        b.create(memory.Store, start, out, zero)
        with b.region([INDEX, F64]) as (region, (i, total)):
            value = b.value(memory.Load, x, i)
            b.create(scf.Yield, b.value(arith.AddF, total, value))
        loop = b.create(scf.For, zero, n, one, start, regions=[region])
        b.create(memory.Store, loop.results[0], w, zero)

    return entry([F64, F64, F64], 1, fill)


class Epoch:
    def __init__(self, optimize, data, batch):
        self.code = Code(accumulate(), optimize)
        self.driver = DRIVER(self.code.library.address("f.epoch"))
        self.w, self.data = np.zeros(1), data
        self.out = np.zeros(len(data) // batch)
        self.slots = self.code.slots([self.w, data, self.out], (batch,))
        self.before = self.slots.copy()
        self.strides = np.array([0, batch * 8, 8, 0, 0, 0])
        self.stop, self.status = ctypes.c_int32(0), ctypes.c_int32(0)
        self.watch = np.zeros(len(EpochWatch), np.int64)

    def run(self, first, last):
        tables = (self.slots.ctypes.data, self.strides.ctypes.data)
        words = (self.stop, self.status, self.watch.ctypes.data)
        reached = self.driver(*tables, first, last, *words)
        np.testing.assert_array_equal(self.slots, self.before)
        return reached


@LEVELS
def test_epoch_driver_strides_through_the_batches(optimize):
    epoch = Epoch(optimize, np.arange(12.0), 3)
    assert epoch.run(0, 2) == 2
    assert epoch.run(2, 4) == 4
    assert epoch.status.value == 0
    assert epoch.w[0] == 66
    np.testing.assert_array_equal(epoch.out, [0, 3, 15, 36])
    assert epoch.run(4, 4) == 4


@LEVELS
def test_epoch_driver_obeys_the_stop_word(optimize):
    epoch = Epoch(optimize, np.arange(12.0), 3)
    epoch.stop.value = 1
    assert epoch.run(1, 4) == 1
    assert epoch.w[0] == 0


@LEVELS
def test_epoch_driver_sees_a_stop_from_another_thread(optimize):
    epoch = Epoch(optimize, np.arange(12.0), 3)
    epoch.strides[:] = 0
    reached = []
    thread = threading.Thread(target=lambda: reached.append(epoch.run(0, 1 << 60)))
    thread.start()
    time.sleep(0.02)
    epoch.stop.value = 1
    thread.join(10)
    assert reached
    assert epoch.w[0] == 3 * reached[0]
    assert "load volatile i32" in emit_llvm(accumulate(), host_target())


@LEVELS
def test_epoch_driver_returns_the_failed_batch(optimize):
    data = np.arange(12.0)
    data[7] = 99
    epoch = Epoch(optimize, data, 3)
    assert epoch.run(0, 4) == 2
    assert epoch.status.value == STATUS_INDEX
    assert epoch.w[0] == 15
    np.testing.assert_array_equal(epoch.code.record[:4], [0, 0, 99, 3])


@LEVELS
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_epoch_driver_returns_a_batch_whose_cost_is_not_finite(optimize, value):
    data = np.arange(12.0)
    data[4] = value  # the cost of a batch is the sum before it
    epoch = Epoch(optimize, data, 3)
    epoch.watch[:] = [2, 6, 0x7FF0]
    assert epoch.run(0, 4) == 2
    assert epoch.status.value == STATUS_NOT_FINITE
    assert not np.isfinite(epoch.out[2])
    epoch.status.value, epoch.watch[EpochWatch.EXPONENT] = 0, 0
    assert epoch.run(0, 4) == 4
    assert epoch.status.value == 0


def test_symbol_strides_count_units():
    epoch = Epoch(2, np.arange(12.0), 3)
    epoch.strides[:] = [0, 0, 8, 0, 0, 1]
    epoch.run(0, 3)
    assert epoch.w[0] == sum(range(3)) + sum(range(4)) + sum(range(5))


def masked_sums(b, x, out, arena, n, rows):
    """out = the sums of the columns of x[rows, n]; out[n] = the sum of all."""
    zero, one, lanes = constant(b, 0), constant(b, 1), constant(b, LANES)
    none = splat(b, constant(b, 0.0, F64))
    with b.region([INDEX, VectorType(LANES, F64)]) as (outer, (i, total)):
        kind = [VectorType(LANES, I1)]
        mask = b.value(vector.CreateMask, b.value(arith.SubI, n, i), types=kind)
        with b.region([INDEX, VectorType(LANES, F64)]) as (inner, (k, column)):
            at = b.value(arith.AddI, b.value(arith.MulI, k, n), i)
            part = b.value(vector.MaskedLoad, x, at, mask, none)
            b.create(scf.Yield, b.value(arith.AddF, column, part))
        (column,) = b.create(scf.For, zero, rows, one, none, regions=[inner]).results
        b.create(vector.MaskedStore, out, i, mask, column)
        b.create(scf.Yield, b.value(arith.AddF, total, column))
    (total,) = b.create(scf.For, zero, n, lanes, none, regions=[outer]).results
    start, add = constant(b, 0.0, F64), Enum("vector.kind", "add")
    whole = b.value(vector.Reduction, total, start, kind=add)
    b.create(memory.Store, whole, out, n)


@LEVELS
@pytest.mark.parametrize("bits", [256, 512])
def test_masked_loops_may_be_peeled(bits, optimize):
    target = replace(host_target(), vector_bits=bits)
    module = entry([F64, F64], 2, masked_sums)
    code = Code(module, optimize, target=target)
    for n in (0, 1, 15, 16, 17, 48, 50):
        x = np.random.default_rng(n).standard_normal(3 * n)
        got, want = np.full(n + 2, 7.0), np.full(n + 2, 7.0)
        run_interpreter(module, [x, want], (n, 3))
        assert code(x, got, symbols=(n, 3)) == 0
        assert_same_bits(got, want, f"{n}")


@pytest.mark.parametrize("bits", [256, 512])
def test_only_the_innermost_masked_loop_is_peeled(bits):
    def masked_loop(b, x, n, body):
        with counted(b, constant(b, 0), n, constant(b, LANES)) as i:
            kind = [VectorType(LANES, I1)]
            mask = b.value(vector.CreateMask, b.value(arith.SubI, n, i), types=kind)
            zero = splat(b, constant(b, 0.0, F64))
            value = b.value(vector.MaskedLoad, x, i, mask, zero)
            b.create(vector.MaskedStore, x, i, mask, value)
            body()

    def fill(b, x, arena, n, m):
        masked_loop(b, x, n, lambda: masked_loop(b, x, m, lambda: None))

    target = replace(host_target(), vector_bits=bits)
    text = emit_llvm(entry([F64], 2, fill), target).split(".epoch")[0]
    assert text.count("call void @llvm.masked.store") == 3


def test_missing_row_names_the_op():
    def fill(b, x, arena):
        zero = constant(b, 0)
        b.value(math.Exp, b.value(memory.Load, x, zero))

    with pytest.raises(InternalError, match=r"math\.exp at <unknown>"):
        emit_llvm(entry([F32], 0, fill), host_target())


def test_functions_must_fit_the_abi():
    module = new_module()
    make_function(module, "f", [flat(F32), F32], lambda b, *a: None)
    with pytest.raises(CompileError, match="takes f32, no memory or index"):
        emit_llvm(module, host_target())


def test_calls_of_what_is_no_kernel_are_rejected():
    def fill(b, arena):
        b.create(builtin.Call, types=[], callee=SymbolRef("f"))

    with pytest.raises(CompileError, match="no kernel"):
        emit_llvm(entry([], 0, fill), host_target())
