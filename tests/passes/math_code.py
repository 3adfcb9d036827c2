"""A function of the math library alone in a loop: compiled, and interpreted."""

from functools import lru_cache

import numpy as np

from tensorc.backend.llvm.host import host_target
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith
from tensorc.ir.types import F16, F32, F64, I1, VectorType
from tensorc.passes.math.expand_math import EXPAND_MATH
from tests.backend.harness import (
    LANES,
    Code,
    constant,
    counted,
    entry,
    run_interpreter,
    splat,
)

ELEMENT = {2: F16, 4: F32, 8: F64}


def expanded(cls, element, lanes=LANES, arity=1):
    """out[i] = f(x[i], …), in vectors or (lanes 0) one by one."""

    def fill(b, *arguments):
        *inputs, out, _, n = arguments
        with counted(b, constant(b, 0), n, constant(b, lanes or 1)) as i:
            if not lanes:
                values = [b.value(memory.Load, x, i) for x in inputs]
                b.create(memory.Store, b.value(cls, *values), out, i)
                return
            left = b.value(arith.SubI, n, i)
            kind = [VectorType(lanes, I1)]
            mask = b.value(vector.CreateMask, left, types=kind)
            zero = splat(b, constant(b, 0.0, element), lanes)
            values = [b.value(vector.MaskedLoad, x, i, mask, zero) for x in inputs]
            b.create(vector.MaskedStore, out, i, mask, b.value(cls, *values))

    return EXPAND_MATH.run(entry([element] * (arity + 1), 1, fill), host_target())


@lru_cache(None)
def code(cls, element, lanes, arity, optimize):
    """Return the machine code of a function, which is made once."""
    return Code(expanded(cls, element, lanes, arity), optimize)


def compiled(cls, *inputs, lanes=LANES, optimize=2):
    """Return what machine code makes of arrays of one float type."""
    x = inputs[0]
    out = np.empty_like(x)
    made = code(cls, ELEMENT[x.itemsize], lanes, len(inputs), optimize)
    assert made(*inputs, out, symbols=(x.size,)) == 0
    return out


def interpreted(cls, *inputs, lanes=None):
    """Return what the interpreter makes of them, of all in a single vector.

    Its work is per op, but where a loop takes the lanes one by one: give their number.
    """
    x = inputs[0]
    out = np.empty_like(x)
    module = expanded(cls, ELEMENT[x.itemsize], lanes or x.size, len(inputs))
    run_interpreter(module, [*inputs, out], (x.size,))
    return out
