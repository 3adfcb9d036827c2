"""What the functions of the math library are written with: formats and short names.

A function takes a `MathBuilder` and values, scalars or vectors, and appends arith,
math.fma and tc_math.scale ops. There are no tables, no branches and no conversions of
integers: exponents are read and written as bits.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from tensorc.ir.attributes import Enum, Typed
from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.loop import scf, vector
from tensorc.ir.ops.scalar import arith, conversions, math
from tensorc.ir.ops.scalar.arith import (
    FLOAT_PREDICATES,
    INTEGER_PREDICATES,
    with_element,
)
from tensorc.ir.types import (
    F32,
    F64,
    I32,
    I64,
    INDEX,
    Element,
    VectorType,
    element_type,
)


@dataclass(frozen=True, slots=True)
class Format:
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
    exp_rest: tuple[float, ...]
    tanh_tail: tuple[float, ...]
    log_tail: tuple[float, ...]

    @property
    def integers(self) -> float:
        """A number whose neighbours differ by 1: adding it rounds to an integer."""
        return 1.5 * 2.0**self.mantissa

    @property
    def negligible(self) -> float:
        """A size below which x^2 is lost in the rounding of x."""
        return 2.0 ** -(self.mantissa + 7)

    def bits_of(self, value: float) -> int:
        """Return the bits of a number of this format as a signed integer."""
        return int(np.array(value, self.element.dtype).view(self.bits.dtype))


# exp_tail is (e^r - 1 - r) / r^2 for |r| <= ln(2)/2, to 2^-28 and 2^-57 of e^r.
# exp_rest is (e^r - 1 - r - r^2/2) / r^3, to 2^-31 and 2^-61 of r.
# tanh_tail is (tanh h - h) / h^3 in h^2 for |h| <= ln(2)/4, to 2^-32 and 2^-57 of h.
# log_tail is (ln(1+f) - f + f^2/2) / f^3 for f32 (to 2^-27), and for f64 the series of
# 2 atanh(s)/s - 2 in s^2 with s = f / (2 + f) (to 2^-58).
SINGLE = Format(
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
        float.fromhex("0x1.55555579a83efp-3"),
        float.fromhex("0x1.5554f22e68c86p-5"),
        float.fromhex("0x1.1110a3270ed50p-7"),
        float.fromhex("0x1.6d40e744bcf77p-10"),
        float.fromhex("0x1.a18957b029d20p-13"),
    ),
    (
        float.fromhex("-0x1.55554e3a83afcp-2"),
        float.fromhex("0x1.1105cfd31928dp-3"),
        float.fromhex("-0x1.aff21d2807ec4p-5"),
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
DOUBLE = Format(
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
        float.fromhex("0x1.5555555555559p-3"),
        float.fromhex("0x1.5555555555559p-5"),
        float.fromhex("0x1.111111110f6dcp-7"),
        float.fromhex("0x1.6c16c16c14a84p-10"),
        float.fromhex("0x1.a01a01afd5c75p-13"),
        float.fromhex("0x1.a01a01af62d92p-16"),
        float.fromhex("0x1.71ddf875e2d65p-19"),
        float.fromhex("0x1.27e4c7c7c5c7bp-22"),
        float.fromhex("0x1.af5e88e9866eep-26"),
        float.fromhex("0x1.1f92b90dc795fp-29"),
    ),
    (
        float.fromhex("-0x1.55555555554bdp-2"),
        float.fromhex("0x1.11111110e0da1p-3"),
        float.fromhex("-0x1.ba1ba117604dfp-5"),
        float.fromhex("0x1.664eca28db4dcp-6"),
        float.fromhex("-0x1.223c8761f6d81p-7"),
        float.fromhex("0x1.c387468e52ae3p-9"),
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

MathFunction = Callable[..., Value]
# One for f32 and f64, or those of f16, f32 and f64, of which all are computed in f64.
Expansion = MathFunction | tuple[MathFunction, MathFunction, MathFunction]
Pair = tuple[Value, Value]  # a number as the unrounded sum of a large and a small one


@dataclass
class Repeat:
    """A loop being built: what it carries, what it yields, and what comes out."""

    carried: Sequence[Value]
    yields: Sequence[Value] = ()
    results: Sequence[Value] = ()


@dataclass
class MathBuilder:
    """Builds ops on scalars, or on vectors of `lanes`, of one float format."""

    builder: Builder
    format: Format
    lanes: int = 0
    constants: dict[Typed, Value] = field(default_factory=dict)

    def _constant(self, typed: Typed) -> Value:
        if typed not in self.constants:
            value = self.builder.value(arith.Constant, value=typed)
            self.constants[typed] = self.on_lanes(value)
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

    def add(self, a: Value, b: Value) -> Value:
        """Return a + b."""
        return self.apply(arith.AddF, a, b)

    def sub(self, a: Value, b: Value) -> Value:
        """Return a - b."""
        return self.apply(arith.SubF, a, b)

    def mul(self, a: Value, b: Value) -> Value:
        """Return a * b."""
        return self.apply(arith.MulF, a, b)

    def div(self, a: Value, b: Value) -> Value:
        """Return a / b."""
        return self.apply(arith.DivF, a, b)

    def neg(self, a: Value) -> Value:
        """Return -a."""
        return self.apply(arith.NegF, a)

    def abs(self, a: Value) -> Value:
        """Return |a|."""
        return self.apply(math.AbsF, a)

    def round(self, a: Value) -> Value:
        """Return the nearest integer, halves to even."""
        return self.apply(math.RoundEven, a)

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

    # Pairs

    def fast_sum(self, a: Value, b: Value) -> Pair:
        """Return a + b exactly (Dekker, 1971), for |a| >= |b| or a = 0."""
        total = self.add(a, b)
        return total, self.sub(b, self.sub(total, a))

    def exact_sum(self, a: Value, b: Value) -> Pair:
        """Return a + b exactly (Knuth)."""
        total = self.add(a, b)
        part = self.sub(total, a)
        lost = self.add(self.sub(a, self.sub(total, part)), self.sub(b, part))
        return total, lost

    def exact_product(self, a: Value, b: Value) -> Pair:
        """Return a * b exactly."""
        product = self.mul(a, b)
        return product, self.fma(a, b, self.neg(product))

    # Choices

    def compare(self, predicate: str, a: Value, b: Value) -> Value:
        """Compare floats by a name of FLOAT_PREDICATES."""
        code = FLOAT_PREDICATES.index(predicate)
        return self.builder.value(arith.CmpF, a, b, predicate=code)

    def select(self, holds: Value, x: Value, y: Value) -> Value:
        """Return x where a condition holds, y elsewhere."""
        return self.builder.value(arith.Select, holds, x, y)

    def select_if(
        self, predicate: str, a: Value, b: Value, x: Value, y: Value
    ) -> Value:
        """Return x where the comparison of a and b holds, y elsewhere."""
        return self.select(self.compare(predicate, a, b), x, y)

    def both(self, a: Value, b: Value) -> Value:
        """Return the conjunction of conditions."""
        return self.apply(arith.AndI, a, b)

    # Bits

    def either(self, a: Value, b: Value) -> Value:
        """Return whether one of two conditions holds, or both."""
        return self.apply(arith.OrI, a, b)

    def bits(self, value: Value) -> Value:
        """Return the bits of floats as integers."""
        return self._bitcast(value, self.format.bits)

    def from_bits(self, value: Value) -> Value:
        """Return the floats of these bits."""
        return self._bitcast(value, self.format.element)

    def _bitcast(self, value: Value, element: Element) -> Value:
        types = [with_element(value.type, element)]
        return self.builder.value(conversions.Bitcast, value, types=types)

    def plus(self, a: Value, b: int) -> Value:
        """Return an integer plus a constant."""
        return self.apply(arith.AddI, a, self.integer(b))

    def minus(self, a: Value, b: Value) -> Value:
        """Return a difference of integers."""
        return self.apply(arith.SubI, a, b)

    def plus_integer(self, a: Value, b: Value) -> Value:
        """Return a sum of integers."""
        return self.apply(arith.AddI, a, b)

    def times(self, a: Value, b: Value) -> Value:
        """Return a product of integers."""
        return self.apply(arith.MulI, a, b)

    def masked(self, a: Value, mask: int) -> Value:
        """Return the bits of an integer that a mask has."""
        return self.apply(arith.AndI, a, self.integer(mask))

    def shift_left(self, a: Value, count: int) -> Value:
        """Return an integer times a power of two."""
        return self.apply(arith.ShLI, a, self.integer(count))

    def shift_right(self, a: Value, count: int) -> Value:
        """Return an integer divided by a power of two, rounded down."""
        return self.apply(arith.ShRSI, a, self.integer(count))

    def compare_integers(self, predicate: str, a: Value, b: Value) -> Value:
        """Compare integers by a name of INTEGER_PREDICATES."""
        code = INTEGER_PREDICATES.index(predicate)
        return self.builder.value(arith.CmpI, a, b, predicate=code)

    def integers_if(
        self, predicate: str, a: Value, b: Value, x: Value, y: Value
    ) -> Value:
        """Return x where a comparison of integers holds, y elsewhere."""
        return self.select(self.compare_integers(predicate, a, b), x, y)

    def power_of_two(self, biased: Value) -> Value:
        """Return 2^(n - bias) for a biased exponent n of the normal range."""
        return self.from_bits(self.shift_left(biased, self.format.mantissa))

    def with_sign_of(self, size: Value, sign: Value) -> Value:
        """Return a number that is not negative with the sign of another."""
        mask = self.integer(self.format.bits_of(-0.0))
        sign_bit = self.apply(arith.AndI, self.bits(sign), mask)
        return self.from_bits(self.apply(arith.OrI, self.bits(size), sign_bit))

    # Loops

    def scalar(self) -> "MathBuilder":
        """Return a builder of the same format for scalars."""
        return MathBuilder(self.builder, self.format)

    def of_lanes(self, kind: str, a: Value) -> Value:
        """Return the sum (`add`) or the largest (`maxsi`) of an integer's lanes."""
        if not self.lanes:
            return a
        start = 0 if kind == "add" else -(1 << (self.format.bits.bits - 1))
        typed = Typed(start, self.format.bits)
        first = self.builder.value(arith.Constant, value=typed)
        of_kind = Enum("vector.kind", kind)
        return self.builder.value(vector.Reduction, a, first, kind=of_kind)

    def on_lanes(self, scalar: Value) -> Value:
        """Return a scalar in every lane."""
        if not self.lanes:
            return scalar
        types = [VectorType(self.lanes, element_type(scalar.type))]
        return self.builder.value(vector.Broadcast, scalar, types=types)

    def as_index(self, scalar: Value) -> Value:
        """Return a scalar integer as an index."""
        return self.builder.value(conversions.IndexCast, scalar, types=[INDEX])

    @contextmanager
    def repeat(self, count: Value, *initial: Value) -> Iterator[Repeat]:
        """Append a loop; set `yields` inside, read `results` after."""
        zero, one = (
            self.builder.value(arith.Constant, value=Typed(i, INDEX)) for i in (0, 1)
        )
        # Constants made inside are not seen after the loop.
        outside = dict(self.constants)
        types = [INDEX, *(v.type for v in initial)]
        with self.builder.region(types) as (region, (_, *carried)):
            loop = Repeat(carried)
            yield loop
            self.builder.create(scf.Yield, *loop.yields)
        self.constants = outside
        op = self.builder.create(scf.For, zero, count, one, *initial, regions=[region])
        loop.results = op.results
