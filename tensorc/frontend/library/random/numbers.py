"""Random numbers of one key: uniform and normal ones, as formulas over bits.

Floats have as many random bits as their type can hold.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tensorc.frontend.library.elementwise import elementwise, select, to_element
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    Shape,
    TensorOperand,
    number,
    strong,
)
from tensorc.frontend.library.random.keys import derived
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Value
from tensorc.ir.ops.tensor.random import RandomBits
from tensorc.ir.types import F64, I32, I64, U32, U64, Element

# Of each float: the type of its bits, and how many of them a number in [0, 1) has.
DIGITS: Mapping[str, tuple[Element, int]] = MappingProxyType(
    {"f16": (U32, 11), "bf16": (U32, 8), "f32": (U32, 24), "f64": (U64, 53)}
)
_Terms = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Draw:
    """Numbers to be drawn: a key, a shape and a float type."""

    b: Emitter
    key: Value
    shape: Shape
    element: Element

    def apply(self, name: str, *operands: Operand | float) -> Operand:
        """Apply an elementwise function."""
        given = [o if _is_operand(o) else number(o) for o in operands]  # type: ignore[arg-type]
        return elementwise(self.b, name, given)  # type: ignore[arg-type]

    def bits(self, element: Element) -> Operand:
        """Return random bits."""
        made = self.b.builder.value(
            RandomBits, self.key, shape=Dims(self.shape), element=element
        )
        return TensorOperand(made)

    def again(self, word: int) -> "Draw":
        """Return a draw of other numbers."""
        key = derived(self.b, self.key, word)
        return Draw(self.b, key, self.shape, self.element)

    def uniform(self) -> Operand:
        """Return multiples of 2**-digits in [0, 1)."""
        bits, digits = DIGITS[self.element.name]
        whole = self.apply("right_shift", self.bits(bits), bits.bits - digits)
        # Numbers below 2**31 are converted faster where they have a sign.
        if bits == U32:
            whole = to_element(self.b, whole, I32)
        return self.apply("mul", to_element(self.b, whole, self.element), 2.0**-digits)

    def centered(self) -> Operand:
        """Return odd multiples of 2**-digits in (-1, 1), in the type sums are made in.

        They are never 0, nor at an end.
        """
        wide = self.element.accumulator
        bits, digits = DIGITS[wide.name]
        signed = to_element(self.b, self.bits(bits), I32 if bits == U32 else I64)
        whole = self.apply("right_shift", signed, bits.bits - digits)
        middle = self.apply("add", to_element(self.b, whole, wide), 0.5)
        return self.apply("mul", middle, 2.0 ** (1 - digits))

    def open(self) -> Operand:
        """Return odd multiples of 2**-digits in (0, 1): see `centered`."""
        wide = self.element.accumulator
        bits, digits = DIGITS[wide.name]
        whole = self.apply("right_shift", self.bits(bits), bits.bits - digits + 1)
        if bits == U32:
            whole = to_element(self.b, whole, I32)
        middle = self.apply("add", to_element(self.b, whole, wide), 0.5)
        return self.apply("mul", middle, 2.0 ** (1 - digits))

    def normal(self) -> Operand:
        """Return numbers of the standard normal distribution: its inverse, of bits."""
        return quantile(self, self.centered())

    def polynomial(self, x: Operand, terms: _Terms) -> Operand:
        """Return a polynomial: the coefficients from the highest power down."""
        result: Operand = number(terms[0])
        for term in terms[1:]:
            result = self.apply("add", self.apply("mul", result, x), term)
        return result


def _is_operand(value: object) -> bool:
    return not isinstance(value, bool | int | float)


# The inverse of the normal distribution, from the highest power down. In single
# precision by Giles (2010, Approximating the erfinv function), of w - 2.5 where
# w = -log(1 - x * x) < 5, of sqrt(w) - 3 elsewhere; else by Wichura (1988, AS 241).
# `tc.erfinv`, which is good to the last place, takes 1.6 to 3.4 times as long.
_NEAR: _Terms = (
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06),
    *(0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941),
)
_FAR: _Terms = (
    *(-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844),
    *(0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682),
)
_MIDDLE: tuple[_Terms, _Terms] = (
    (
        *(2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4),
        *(4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3),
        *(1.3314166789178437745e2, 3.3871328727963666080),
    ),
    (
        *(5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4),
        *(2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2),
        *(4.2313330701600911252e1, 1.0),
    ),
)
_TAIL: tuple[_Terms, _Terms] = (
    (
        *(7.74545014278341407640e-4, 2.27238449892691845833e-2),
        *(2.41780725177450611770e-1, 1.27045825245236838258, 3.64784832476320460504),
        *(5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734),
    ),
    (
        *(1.05075007164441684324e-9, 5.47593808499534494600e-4),
        *(1.51986665636164571966e-2, 1.48103976427480074590e-1),
        *(6.89767334985100004550e-1, 1.67638483018380384940),
        *(2.05319162663775882187, 1.0),
    ),
)
_END: tuple[_Terms, _Terms] = (
    (
        *(2.01033439929228813265e-7, 2.71155556874348757815e-5),
        *(1.24266094738807843860e-3, 2.65321895265761230930e-2),
        *(2.96560571828504891230e-1, 1.78482653991729133580),
        *(5.46378491116411436990, 6.65790464350110377720),
    ),
    (
        *(2.04426310338993978564e-15, 1.42151175831644588870e-7),
        *(1.84631831751005468180e-5, 7.86869131145613259100e-4),
        *(1.48753612908506148525e-2, 1.36929880922735805310e-1),
        *(5.99832206555887937690e-1, 1.0),
    ),
)


def quantile(draw: Draw, x: Operand) -> Operand:
    """Return z such that a normal number is in (-z, z) with probability x.

    It has the sign of x, which is in (-1, 1).
    """
    f = draw.apply
    if strong(draw.b, x).type.element == F64:
        return _double(draw, x)
    rest = f("mul", f("sub", 1, x), f("add", 1, x))
    w = f("neg", f("log", rest))
    near = draw.polynomial(f("sub", w, 2.5), _NEAR)
    far = draw.polynomial(f("sub", f("sqrt", w), 3), _FAR)
    chosen = select(draw.b, f("lt", w, 5), near, far)
    return f("mul", f("mul", chosen, x), math.sqrt(2))


def _double(draw: Draw, x: Operand) -> Operand:
    f = draw.apply

    def ratio(at: Operand, terms: tuple[_Terms, _Terms]) -> Operand:
        return f("div", *[draw.polynomial(at, t) for t in terms])

    half = f("mul", x, 0.5)
    inside = ratio(f("sub", 0.180625, f("mul", half, half)), _MIDDLE)
    size = f("abs", x)
    w = f("sqrt", f("neg", f("log", f("mul", f("sub", 1, size), 0.5))))
    tail = ratio(f("sub", w, 1.6), _TAIL)
    end = ratio(f("sub", w, 5), _END)
    outside = select(draw.b, f("le", w, 5), tail, end)
    signed = select(draw.b, f("lt", x, 0), f("neg", outside), outside)
    return select(draw.b, f("le", size, 0.85), f("mul", half, inside), signed)
