"""Replace math.exp and math.log by arithmetic: the one math library of all targets.

Each function is written once, as a builder of arith and math.fma ops for a scalar or a
vector, so the interpreter, the CPU and the GPU agree bit for bit. No tables, no
branches, no conversions: exponents are read and written as bits.

Before:
  %1 = "math.exp"(%0) : (f32) -> f32
After:
  some twenty ops: arith.mulf, math.fma, arith.bitcast, arith.shli, …

Errors are below 1 ulp. The coefficients were fitted by `tests/passes/remez.py` (the
exchange algorithm of Remez); the reduction with a two-part ln 2 is Cody and Waite's
(1980), the magic number that rounds is common knowledge.
"""

import math as libm
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from tensorc.ir.attributes import Typed
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.ops import arith, conversions, math, vector
from tensorc.ir.ops.arith import FLOAT_PREDICATES, with_element
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.types import F16, F32, F64, I32, I64, Element, VectorType, element_type
from tensorc.passes.base import Level, Pass
from tensorc.target import Target


@dataclass(frozen=True, slots=True)
class _Format:
    """A float type, its constants and its polynomials (ascending coefficients).

    `ln2_high` has so few bits that its product with an exponent is exact. The clamps
    are where e^x has certainly become 0 and infinity.
    """

    element: Element
    bits: Element
    mantissa: int
    bias: int
    ln2_high: float
    ln2_low: float
    lowest: float
    highest: float
    exp_tail: tuple[float, ...]
    log_tail: tuple[float, ...]

    @property
    def integers(self) -> float:
        """A number whose neighbours differ by 1: adding it rounds to an integer."""
        return 1.5 * 2.0**self.mantissa

    def bits_of(self, value: float) -> int:
        """Return the bits of a number of this format as a signed integer."""
        return int(np.array(value, self.element.dtype).view(self.bits.dtype))


# exp_tail is (e^r - 1 - r) / r^2 for |r| <= ln(2)/2, to 2^-28 and 2^-57 of e^r.
# log_tail is (ln(1+f) - f + f^2/2) / f^3 for f32 (to 2^-27), and for f64 the series of
# 2 atanh(s)/s - 2 in s^2 with s = f / (2 + f) (to 2^-58).
_SINGLE = _Format(
    F32,
    I32,
    23,
    127,
    float.fromhex("0x1.62e4p-1"),
    float.fromhex("0x1.7f7d1cf79abcap-20"),
    -104.0,
    89.0,
    (
        float.fromhex("0x1.fffffb9a3f29bp-2"),
        float.fromhex("0x1.55549153fa4cfp-3"),
        float.fromhex("0x1.5558f18e4ec38p-5"),
        float.fromhex("0x1.1239e2c09322cp-7"),
        float.fromhex("0x1.6a24294f1bc5ap-10"),
    ),
    (
        float.fromhex("0x1.5555543e537a3p-2"),
        float.fromhex("-0x1.000226fb0f812p-2"),
        float.fromhex("0x1.99a008571ad52p-3"),
        float.fromhex("-0x1.547245032bacap-3"),
        float.fromhex("0x1.22da1abbceeffp-3"),
        float.fromhex("-0x1.0d853af3bf3c4p-3"),
        float.fromhex("0x1.055b7aad5ab7fp-3"),
        float.fromhex("-0x1.38b5ce54dd512p-4"),
    ),
)
_DOUBLE = _Format(
    F64,
    I64,
    52,
    1023,
    float.fromhex("0x1.62e42feep-1"),
    float.fromhex("0x1.a39ef35793c76p-33"),
    -746.0,
    710.0,
    (
        float.fromhex("0x1.000000000000ap-1"),
        float.fromhex("0x1.55555555554fap-3"),
        float.fromhex("0x1.555555555087dp-5"),
        float.fromhex("0x1.1111111127bdep-7"),
        float.fromhex("0x1.6c16c18429fddp-10"),
        float.fromhex("0x1.a01a012a58529p-13"),
        float.fromhex("0x1.a0199a0c96dd8p-16"),
        float.fromhex("0x1.71df25545c806p-19"),
        float.fromhex("0x1.28ad72a487ba2p-22"),
        float.fromhex("0x1.ad7f670c256e5p-26"),
    ),
    (
        float.fromhex("0x1.5555555555592p-1"),
        float.fromhex("0x1.999999997fd7ap-2"),
        float.fromhex("0x1.24924941f4de1p-2"),
        float.fromhex("0x1.c71c52061d0fep-3"),
        float.fromhex("0x1.74663f9e419f3p-3"),
        float.fromhex("0x1.39a1a75282310p-3"),
        float.fromhex("0x1.2f06313b305eep-3"),
    ),
)


@dataclass
class _Math:
    """Builds ops on scalars, or on vectors of `lanes`, of one float format."""

    builder: Builder
    format: _Format
    lanes: int = 0
    constants: dict[Typed, Value] = field(default_factory=dict)

    def _constant(self, typed: Typed) -> Value:
        if typed not in self.constants:
            value = self.builder.value(arith.Constant, value=typed)
            if self.lanes:
                types = [VectorType(self.lanes, typed.type)]
                value = self.builder.value(vector.Broadcast, value, types=types)
            self.constants[typed] = value
        return self.constants[typed]

    def number(self, value: float) -> Value:
        """Return a constant of the format."""
        return self._constant(Typed(value, self.format.element))

    def integer(self, value: int) -> Value:
        """Return a constant of the integers that hold the format's bits."""
        return self._constant(Typed(value, self.format.bits))

    def apply(self, cls: type[Op], *operands: Value) -> Value:
        """Apply an op that infers its type."""
        return self.builder.value(cls, *operands)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """Return a * b + c."""
        return self.builder.value(math.Fma, a, b, c)

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """Return a polynomial by Horner's rule."""
        *rest, last = (self.number(c) for c in coefficients)
        total = last
        for c in reversed(rest):
            total = self.fma(total, x, c)
        return total

    def select_if(
        self, predicate: str, a: Value, b: Value, x: Value, y: Value
    ) -> Value:
        """Return x where the comparison of a and b holds, y elsewhere."""
        code = FLOAT_PREDICATES.index(predicate)
        holds = self.builder.value(arith.CmpF, a, b, predicate=code)
        return self.builder.value(arith.Select, holds, x, y)

    def bits(self, value: Value) -> Value:
        """Return the bits of floats as integers."""
        return self._bitcast(value, self.format.bits)

    def from_bits(self, value: Value) -> Value:
        """Return the floats of these bits."""
        return self._bitcast(value, self.format.element)

    def _bitcast(self, value: Value, element: Element) -> Value:
        types = [with_element(value.type, element)]
        return self.builder.value(conversions.Bitcast, value, types=types)


def _exp(m: _Math, x: Value) -> Value:
    """Return e^x = 2^n e^r with n = round(x / ln 2).

    2^n is applied in two factors, so that a result below the normal range is rounded
    once and one above it overflows only if it must.
    """
    f = m.format
    # A NaN compares false and passes through.
    low, high = m.number(f.lowest), m.number(f.highest)
    x = m.select_if("ogt", x, high, high, x)
    x = m.select_if("olt", x, low, low, x)
    # With twice the bias added, the low bits of `shifted` are n as two biased
    # exponents.
    magic = m.number(f.integers + 2 * f.bias)
    shifted = m.fma(x, m.number(1 / libm.log(2)), magic)
    n = m.apply(arith.SubF, shifted, magic)
    r = m.fma(n, m.number(-f.ln2_high), x)
    r = m.fma(n, m.number(-f.ln2_low), r)
    p = m.polynomial(r, (1.0, 1.0, *f.exp_tail))
    both = m.apply(arith.SubI, m.bits(shifted), m.integer(f.bits_of(f.integers)))
    half = m.apply(arith.ShRSI, both, m.integer(1))
    for exponent in (half, m.apply(arith.SubI, both, half)):
        power = m.apply(arith.ShLI, exponent, m.integer(f.mantissa))
        p = m.apply(arith.MulF, p, m.from_bits(power))
    return p


def _log(m: _Math, x: Value) -> Value:
    """Return ln x = e ln 2 + ln(1 + f) with 1 + f in [sqrt(1/2), sqrt(2))."""
    f = m.format
    zero, one, infinity = m.number(0.0), m.number(1.0), m.number(libm.inf)
    # Subnormal numbers are scaled into the normal range first.
    shift = f.mantissa + 1
    least = m.number(2.0 ** (1 - f.bias))
    scaled = m.apply(arith.MulF, x, m.number(2.0**shift))
    normal = m.select_if("olt", x, least, scaled, x)
    extra = m.select_if("olt", x, least, m.number(float(shift)), zero)
    bits = m.bits(normal)
    above = m.apply(arith.SubI, bits, m.integer(f.bits_of(libm.sqrt(0.5))))
    exponent = m.apply(arith.ShRSI, above, m.integer(f.mantissa))
    power = m.apply(arith.ShLI, exponent, m.integer(f.mantissa))
    fraction = m.from_bits(m.apply(arith.SubI, bits, power))
    # Integers of this size become floats by the same magic number as in _exp.
    magic = m.integer(f.bits_of(f.integers))
    e = m.from_bits(m.apply(arith.AddI, exponent, magic))
    e = m.apply(arith.SubF, e, m.number(f.integers))
    e = m.apply(arith.SubF, e, extra)
    t = m.apply(arith.SubF, fraction, one)
    tail = m.fma(e, m.number(f.ln2_low), _LOG_TAILS[f.element](m, t))
    # e ln 2 is exact in its high part, and 0 or larger than t: what the sum loses
    # (Dekker, 1971) is added to the small terms.
    main = m.apply(arith.MulF, e, m.number(f.ln2_high))
    total = m.apply(arith.AddF, main, t)
    lost = m.apply(arith.SubF, t, m.apply(arith.SubF, total, main))
    result = m.apply(arith.AddF, total, m.apply(arith.AddF, lost, tail))
    result = m.select_if("olt", x, infinity, result, x)
    below = m.select_if("olt", x, zero, m.number(libm.nan), x)
    below = m.select_if("oeq", x, zero, m.number(-libm.inf), below)
    return m.select_if("ogt", x, zero, result, below)


def _log_tail_single(m: _Math, t: Value) -> Value:
    """Return ln(1 + t) - t as t^2 (-1/2 + t P(t))."""
    p = m.polynomial(t, (-0.5, *m.format.log_tail))
    return m.apply(arith.MulF, m.apply(arith.MulF, t, t), p)


def _log_tail_double(m: _Math, t: Value) -> Value:
    """Return ln(1 + t) - t as s (h + R(s^2)) - h with s = t / (2 + t), h = t^2 / 2.

    It follows from ln(1 + t) = 2 atanh(s) and 2 s = t - s t; one division replaces
    half of the polynomial.
    """
    s = m.apply(arith.DivF, t, m.apply(arith.AddF, t, m.number(2.0)))
    z = m.apply(arith.MulF, s, s)
    rest = m.apply(arith.MulF, z, m.polynomial(z, m.format.log_tail))
    h = m.apply(arith.MulF, m.number(0.5), m.apply(arith.MulF, t, t))
    return m.fma(s, m.apply(arith.AddF, h, rest), m.apply(arith.NegF, h))


_LOG_TAILS = {F32: _log_tail_single, F64: _log_tail_double}

Function1 = Callable[[_Math, Value], Value]


def _by_way_of_single(function: Function1) -> Function1:
    """Return a function on f16: f32's, rounded."""

    def narrow(m: _Math, x: Value) -> Value:
        types = [with_element(x.type, F32)]
        wide = m.builder.value(conversions.ExtF, x, types=types)
        result = function(m, wide)
        return m.builder.value(conversions.TruncF, result, types=[x.type])

    return narrow


FUNCTIONS: Mapping[tuple[type[Op], Element], tuple[_Format, Function1]] = (
    MappingProxyType(
        {
            (math.Exp, F16): (_SINGLE, _by_way_of_single(_exp)),
            (math.Exp, F32): (_SINGLE, _exp),
            (math.Exp, F64): (_DOUBLE, _exp),
            (math.Log, F16): (_SINGLE, _by_way_of_single(_log)),
            (math.Log, F32): (_SINGLE, _log),
            (math.Log, F64): (_DOUBLE, _log),
        }
    )
)


def expand_math(module: Module, target: Target) -> Module:
    """Replace every math op of the table in all functions."""
    for function in module.functions:
        _expand_function(function)
    return module


def _expand_function(function: Function) -> None:
    replaced: dict[Value, Value] = {}
    for op in list(function.walk()):
        for region in op.regions:
            for block in region.blocks:
                _expand_block(block, replaced)
    if not replaced:
        return
    for op in function.walk():
        op.operands = [replaced.get(v, v) for v in op.operands]


def _expand_block(block: Block, replaced: dict[Value, Value]) -> None:
    if not any(isinstance(op, math.Exp | math.Log) for op in block.ops):
        return
    before, block.ops = block.ops, []
    for op in before:
        if not isinstance(op, math.Exp | math.Log):
            block.append(op)
            continue
        x = op.operands[0]
        format_, function = FUNCTIONS[type(op), element_type(x.type)]
        lanes = x.type.lanes if isinstance(x.type, VectorType) else 0
        builder = Builder(block, location=op.location)
        replaced[op.result] = function(_Math(builder, format_, lanes), x)


EXPAND_MATH = Pass("expand-math", Level.LOOP, Level.LOOP, expand_math)
