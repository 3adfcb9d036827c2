"""Loads, stores, masks, gathers and reductions, compiled and interpreted."""

import ctypes
import mmap
from dataclasses import replace

import numpy as np
import pytest

from tensorc.backend.llvm.host import host_target
from tensorc.backend.llvm.memory import MEMORY_ROWS
from tensorc.ir.attributes import Enum
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.types import (
    ELEMENTS,
    F32,
    F64,
    I1,
    I32,
    I64,
    INDEX,
    MemRefType,
    VectorType,
)
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

MASK = VectorType(LANES, I1)
PAGE = mmap.PAGESIZE


@pytest.fixture
def guarded():
    """Return a function that gives an array which ends at memory nobody may touch."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    maps = []

    def make(values, *, after=True):
        pages = mmap.mmap(-1, 3 * PAGE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
        for page in (0, 2):
            assert libc.mprotect(start + page * PAGE, PAGE, 0) == 0
        at = 2 * PAGE - values.nbytes if after else PAGE
        array = np.frombuffer(pages, values.dtype, values.size, at)
        array[:] = values
        maps.append(pages)
        return array

    return make


def copy_module(element):
    """out[i] = x[i] in vectors with one masked tail; every element type."""

    def fill(b, x, out, arena, n):
        zero = splat(b, constant(b, 0, element))
        with counted(b, constant(b, 0), n, constant(b, LANES)) as i:
            mask = b.value(vector.CreateMask, b.value(arith.SubI, n, i), types=[MASK])
            value = b.value(vector.MaskedLoad, x, i, mask, zero)
            b.create(vector.MaskedStore, out, i, mask, value)

    return entry([element, element], 1, fill)


@pytest.mark.parametrize("bits", [256, 512])
@pytest.mark.parametrize("optimize", [0, 3])
@pytest.mark.parametrize("element", ELEMENTS.values(), ids=str)
def test_masked_moves_touch_nothing_outside(element, optimize, bits, guarded):
    # Below 512 bits loops are peeled.
    target = replace(host_target(), vector_bits=bits)
    code = Code(copy_module(element), optimize, target=target)
    values = np.resize(nasty(element), 70)
    for count in (0, 1, 2, 15, 16, 17, 31, 33, 70):
        for after in (True, False):
            source = guarded(values[:count], after=after)
            target = guarded(np.zeros(count, element.dtype), after=after)
            assert code(source, target, symbols=(count,)) == 0
            assert_same_bits(target, values[:count], f"{count}")


@pytest.mark.parametrize("optimize", [0, 3])
def test_masked_load_keeps_other_and_store_keeps_memory(optimize):
    def fill(b, x, m, out, arena):
        zero, mask = (
            constant(b, 0),
            b.value(vector.CreateMask, constant(b, LANES), types=[MASK]),
        )
        flags = b.value(vector.MaskedLoad, m, zero, mask, splat(b, constant(b, 0, I1)))
        other = splat(b, constant(b, 7.0, F32))
        value = b.value(vector.MaskedLoad, x, zero, flags, other)
        b.create(vector.MaskedStore, out, zero, mask, value)
        b.create(vector.MaskedStore, out, constant(b, LANES), flags, value)

    module = entry([F32, I1, F32], 0, fill)
    x = np.arange(LANES, dtype="f4")
    flags = np.array([i in (0, 3, 4, 15) for i in range(LANES)])
    got, want = np.full(2 * LANES, -1, "f4"), np.full(2 * LANES, -1, "f4")
    run_interpreter(module, [x, flags, want])
    assert Code(module, optimize)(x, flags, got) == 0
    assert_same_bits(got, want)


@pytest.mark.parametrize("optimize", [0, 3])
@pytest.mark.parametrize("element", ELEMENTS.values(), ids=str)
def test_gather(element, optimize):
    def fill(b, x, places, out, arena, n):
        other = splat(b, constant(b, 1, element))
        zero, all_ = (
            constant(b, 0),
            b.value(vector.CreateMask, constant(b, LANES), types=[MASK]),
        )
        none = splat(b, zero)
        offsets = b.value(vector.MaskedLoad, places, zero, all_, none)
        mask = b.value(vector.CreateMask, n, types=[MASK])
        at = constant(b, 5)
        value = b.value(vector.Gather, x, at, offsets, mask, other)
        b.create(vector.MaskedStore, out, zero, all_, value)

    module = entry([element, INDEX, element], 1, fill)
    x = np.resize(nasty(element), 40)
    places = np.arange(LANES)[::-1] * 2 - 4
    places[13:] = 1 << 40  # masked out
    code = Code(module, optimize)
    for count in (-1, 0, 1, 13):
        got, want = np.zeros(LANES, element.dtype), np.zeros(LANES, element.dtype)
        run_interpreter(module, [x, places, want], (count,))
        assert code(x, places, got, symbols=(count,)) == 0
        assert_same_bits(got, want, f"{count}")


@pytest.mark.parametrize("optimize", [0, 3])
@pytest.mark.parametrize("element", list(ELEMENTS.values()), ids=str)
def test_lanes_change_their_order(element, optimize):
    order = tuple(np.random.default_rng(5).permutation(2 * LANES)[:LANES].tolist())

    def fill(b, x, out, arena, n):
        all_ = b.value(vector.CreateMask, constant(b, LANES), types=[MASK])
        zero = splat(b, constant(b, 0, element))
        first = b.value(vector.MaskedLoad, x, constant(b, 0), all_, zero)
        second = b.value(vector.MaskedLoad, x, constant(b, LANES), all_, zero)
        mixed = b.value(vector.Shuffle, first, second, mask=order)
        b.create(vector.MaskedStore, out, constant(b, 0), all_, mixed)

    module = entry([element] * 2, 1, fill)
    x = np.resize(nasty(element), 2 * LANES)
    got, want = np.zeros(LANES, element.dtype), np.zeros(LANES, element.dtype)
    run_interpreter(module, [x, want], (0,))
    assert Code(module, optimize)(x, got, symbols=(0,)) == 0
    assert_same_bits(want, x[list(order)], "interpreted")
    assert_same_bits(got, want, "compiled")


KINDS = [(e, "add") for e in ELEMENTS.values() if e != I1]
KINDS += [(e, "maximumf") for e in ELEMENTS.values() if e.is_float]
KINDS += [(e, "maxsi") for e in ELEMENTS.values() if e.is_integer and not e.is_unsigned]
KINDS += [(e, "maxui") for e in ELEMENTS.values() if e.is_unsigned or e == I1]


@pytest.mark.parametrize("optimize", [0, 3])
@pytest.mark.parametrize(("element", "kind"), KINDS, ids=str)
def test_reduction_goes_from_left_to_right(element, kind, optimize):
    def fill(b, x, first, out, arena, n):
        all_ = b.value(vector.CreateMask, constant(b, LANES), types=[MASK])
        zero = splat(b, constant(b, 0, element))
        with counted(b, constant(b, 0), n, constant(b, 1)) as i:
            values = b.value(vector.MaskedLoad, x, i, all_, zero)
            acc = b.value(memory.Load, first, i)
            chosen = Enum("vector.kind", kind)
            total = b.value(vector.Reduction, values, acc, kind=chosen)
            b.create(memory.Store, total, out, i)

    module = entry([element] * 3, 1, fill)
    rng = np.random.default_rng(3)
    x = np.concatenate([nasty(element), nasty(element)[::-1]])
    x = np.resize(x, max(40, x.size))
    if element.is_float:
        middle = rng.standard_normal(300) * 10.0 ** rng.integers(-3, 4, 300)
        x = np.concatenate([x, middle.astype(element.dtype)])
    count = x.size - LANES
    first = rng.permutation(x)[:count].copy()
    got, want = np.zeros(count, element.dtype), np.zeros(count, element.dtype)
    run_interpreter(module, [x, first, want], (count,))
    assert Code(module, optimize)(x, first, got, symbols=(count,)) == 0
    assert_same_bits(got, want, kind)


@pytest.mark.parametrize("optimize", [0, 3])
@pytest.mark.parametrize("element", [F64, I1, I32], ids=str)
def test_scratch_memory_and_views_of_the_arena(element, optimize):
    """x goes through an alloca and through the arena, element by element."""

    def fill(b, x, out, arena, n):
        scratch = b.value(memory.Alloca, types=[MemRefType((48,), element)])
        flat = [MemRefType((None,), element)]
        part = b.value(memory.View, arena, constant(b, 128), n, types=flat)
        one = constant(b, 1)
        for source, target in ((x, scratch), (scratch, part), (part, out)):
            with counted(b, constant(b, 0), n, one) as i:
                value = b.value(memory.Load, source, i)
                b.create(memory.Store, value, target, i)

    module = entry([element, element], 1, fill)
    x = np.resize(nasty(element), 48)
    out = np.zeros_like(x)
    code = Code(module, optimize)
    assert code(x, out, symbols=(48,)) == 0
    assert_same_bits(out, x)
    assert_same_bits(code.arena[128 : 128 + x.nbytes].view(x.dtype), x)


def test_unaligned_arrays_are_read_in_place():
    code = Code(copy_module(F32), 3)
    raw = np.zeros(4 * 40 + 64, np.int8)
    for shift in (0, 4, 8, 12, 20, 36):
        x = raw[shift : shift + 160].view("f4")
        x[:] = np.arange(40)
        out = np.zeros(41, "f4")[1:]
        assert code(x, out, symbols=(40,)) == 0
        np.testing.assert_array_equal(out, x)


@pytest.mark.parametrize("value", [0, 1, 2, 255])
def test_booleans_in_memory_are_true_unless_zero(value):
    def fill(b, x, out, arena):
        zero = constant(b, 0)
        wide = b.value(memory.Load, x, zero)
        number = b.value(conversions.ExtUI, wide, types=[I64])
        b.create(memory.Store, number, out, zero)

    out = np.zeros(1, np.int64)
    x = np.array([value], np.uint8).view(np.bool_)
    assert Code(entry([I1, I64], 0, fill), 3)(x, out) == 0
    assert out[0] == (value != 0)


def test_step_numbers_the_lanes():
    def fill(b, out, arena):
        zero, mask = (
            constant(b, 0),
            b.value(vector.CreateMask, constant(b, 99), types=[MASK]),
        )
        lanes = b.value(vector.Step, types=[VectorType(LANES, INDEX)])
        b.create(vector.MaskedStore, out, zero, mask, lanes)

    out = np.zeros(LANES, np.int64)
    assert Code(entry([INDEX], 0, fill), 3)(out) == 0
    np.testing.assert_array_equal(out, np.arange(LANES))


def test_rows_are_those_of_memory_and_vectors():
    names = {c.name for c in MEMORY_ROWS}
    assert {n.split(".")[0] for n in names} == {"memref", "vector", "tc"}


@pytest.mark.parametrize("optimize", [0, 3])
def test_asking_for_memory_changes_nothing_inside_or_outside(optimize):
    def fill(b, x, arena, n):
        for index in (constant(b, 0), n, constant(b, -(1 << 40)), constant(b, 1 << 60)):
            hints = {"isWrite": False, "localityHint": 3, "isDataCache": True}
            b.create(memory.Prefetch, x, index, types=[], **hints)

    module = entry([F32], 1, fill)
    x = np.arange(5, dtype=np.float32)
    before = x.copy()
    assert Code(module, optimize)(x, symbols=(5,)) == 0
    run_interpreter(module, [x], (5,))
    np.testing.assert_array_equal(x, before)
