"""bf16 in registers and in memory, by operations on integers that every processor has.

A bf16 is the upper half of an f32. In registers it is that f32, with a lower half of
zeros, so that arithmetic is that of f32 and a rounding; in memory it is 16 bits. LLVM's
own `bfloat` is not used: most processors have nothing for it, and what has (AVX-512's
`vcvtneps2bf16`) takes subnormal numbers for zero.
"""

import struct

from tensorc.backend.emit import FunctionEmitter, LValue, number

_HALF = 16
_UPPER = -1 << _HALF


def rounded(emit: FunctionEmitter, value: LValue) -> LValue:
    """Round an f32 that arithmetic on bf16 gave, to nearest even.

    The lower half of a NaN is zeros then: it is that of an operand, or the processor's.
    """
    bits = emit.cast("bitcast", value, "i32")
    return _cut(emit, _nearest(emit, bits))


def narrowed(emit: FunctionEmitter, value: LValue) -> LValue:
    """Round any f32 to nearest even; a NaN stays one."""
    bits = emit.cast("bitcast", value, "i32")
    # What is added, or cut off, may make a number of it.
    quiet = emit.binary("or", bits, number(bits.type, 1 << 22))
    is_nan = emit.compare("uno", value, value)
    return _cut(emit, emit.select(is_nan, quiet, _nearest(emit, bits)))


def _nearest(emit: FunctionEmitter, bits: LValue) -> LValue:
    one, type_ = number(bits.type, 1), bits.type
    last = emit.binary("lshr", bits, number(type_, _HALF))
    odd = emit.binary("and", last, one)
    below = emit.binary("add", bits, number(type_, (1 << (_HALF - 1)) - 1))
    return emit.binary("add", below, odd)


def _cut(emit: FunctionEmitter, bits: LValue) -> LValue:
    upper = emit.binary("and", bits, number(bits.type, _UPPER))
    return emit.cast("bitcast", upper, "float")


def from_memory(emit: FunctionEmitter, cell: LValue) -> LValue:
    """Return the f32 of 16 bits."""
    wide = emit.cast("zext", cell, "i32")
    bits = emit.binary("shl", wide, number(wide.type, _HALF))
    return emit.cast("bitcast", bits, "float")


def to_memory(emit: FunctionEmitter, value: LValue) -> LValue:
    """Return the 16 bits of a bf16 in a register."""
    bits = emit.cast("bitcast", value, "i32")
    return emit.cast(
        "trunc", emit.binary("lshr", bits, number(bits.type, _HALF)), "i16"
    )


def nearest(value: float) -> float:
    """Return a number of the compiler as bf16: by way of f32, as casts are."""
    try:
        (bits,) = struct.unpack("<I", struct.pack("<f", value))
    except OverflowError:
        return value * float("inf")
    if value != value:
        return value
    bits += (1 << (_HALF - 1)) - 1 + (bits >> _HALF & 1)
    return float(struct.unpack("<f", struct.pack("<I", bits & _UPPER))[0])
