"""Build small LOOP modules, run them in the interpreter and as machine code."""

import ctypes
from contextlib import contextmanager

import numpy as np

from tensorc.artifact import RECORD_WORDS, Artifact, FunctionInfo
from tensorc.backend.llvm.codegen import emit_llvm, emit_object
from tensorc.backend.llvm.host import host_target
from tensorc.floats import is_float
from tensorc.fuzz.values import nasty as nasty
from tensorc.ir.attributes import Typed
from tensorc.ir.core import Region
from tensorc.ir.functions import Parameter, close_function, new_module, open_function
from tensorc.ir.interpreter import interpret
from tensorc.ir.ops.loop import scf, vector
from tensorc.ir.ops.scalar import arith
from tensorc.ir.types import I8, INDEX, MemRefType, VectorType
from tensorc.runtime.cpu import link

ARENA = MemRefType((None,), I8)
LANES = 16


def flat(element):
    return MemRefType((None,), element)


def constant(builder, value, element=INDEX):
    return builder.value(arith.Constant, value=Typed(value, element))


def splat(builder, value, lanes=LANES):
    types = [VectorType(lanes, value.type)]
    return builder.value(vector.Broadcast, value, types=types)


@contextmanager
def counted(builder, lower, upper, step):
    """Build an scf.for that carries nothing; yields the counter."""
    with builder.region([INDEX], ["i"]) as (region, (i,)):
        yield i
        builder.create(scf.Yield)
    builder.create(scf.For, lower, upper, step, regions=[region])


@contextmanager
def if_true(builder, condition):
    with builder.region([]) as (region, _):
        yield
        builder.create(scf.Yield)
    builder.create(scf.If, condition, regions=[region, Region()])


def if_else(builder, condition, then, otherwise):
    """Build an scf.if of what two functions append."""
    regions = []
    for append in (then, otherwise):
        with builder.region([]) as (region, _):
            append()
            builder.create(scf.Yield)
        regions.append(region)
    builder.create(scf.If, condition, regions=regions)


def make_function(module, name, types, fill, *, kernel=False):
    """Append a function; `fill` gets the builder and the arguments."""
    function, builder = open_function(name, [Parameter(t) for t in types])
    fill(builder, *builder.block.arguments)
    close_function(function, builder, [])
    if kernel:
        function.attributes["tc.kernel"] = True
    return module.body.block.append(function)


def entry(elements, symbols, fill, module=None, name="f"):
    """Return a module with one entry on flat memory, the arena and symbols."""
    module = module or new_module()
    types = [*map(flat, elements), ARENA, *[INDEX] * symbols]
    make_function(module, name, types, fill)
    return module


def load_code(module, optimize, names=("f",), target=None):
    """Compile a module; returns addresses by symbol, and what keeps them alive."""
    target = target or host_target()
    code = emit_object(emit_llvm(module, target), target, optimize)
    infos = [FunctionInfo(n, n, f"{n}.epoch", (), (), (), (), 0, ()) for n in names]
    return link(Artifact("cpu", code, tuple(infos)))


ENTRY = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)


class Code:
    """A compiled entry as a function of arrays and symbols."""

    def __init__(self, module, optimize=2, name="f", target=None):
        self.library = load_code(module, optimize, (name,), target)
        self.entry = ENTRY(self.library.address(name))
        self.record = np.zeros(RECORD_WORDS, np.int64)
        self.arena = np.zeros(1 << 16, np.int8)

    def slots(self, arrays, symbols):
        memory = [*arrays, self.arena, self.record]
        return np.array([a.ctypes.data for a in memory] + list(symbols), np.int64)

    def __call__(self, *arrays, symbols=()):
        return self.entry(self.slots(arrays, symbols).ctypes.data, 0, 1)


def run_interpreter(module, arrays, symbols=(), name="f"):
    arena = np.zeros(1 << 16, np.int8)
    sizes = [np.array(s, np.int64) for s in symbols]
    interpret(module, name, [*arrays, arena, *sizes])


def assert_same_bits(left, right, context=""):
    """Compare bit for bit; a NaN equals any NaN."""
    __tracebackhide__ = True
    assert left.dtype == right.dtype
    if is_float(left.dtype):
        both = np.isnan(left) & np.isnan(right)
        unsigned = np.dtype(f"u{left.dtype.itemsize}")
        same = both | (left.view(unsigned) == right.view(unsigned))
    else:
        same = left == right
    if not same.all():
        i = np.flatnonzero(~same)[0]
        raise AssertionError(
            f"{context}: {np.count_nonzero(~same)} differ, first at {i}: "
            f"{left[i]!r} and {right[i]!r}"
        )
