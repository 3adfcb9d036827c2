"""Distributions of random numbers, for all doors.

A draw is a function of a key; it has derivatives by what it is computed from besides,
such as `low` or `scale`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tensorc.frontend.library.elementwise import select, to_element
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    Scalar,
    Shape,
    TensorOperand,
    broadcast,
    common_shape,
    materialize,
    number,
    number_error,
    spell_shape,
    strong,
    type_error,
)
from tensorc.frontend.library.random.numbers import DIGITS, Draw, quantile
from tensorc.frontend.library.reductions import argmax
from tensorc.ir.core import Value
from tensorc.ir.dims import Poly
from tensorc.ir.types import Element

# How many deviations away the nearer end of a truncated normal distribution may be: its
# numbers are found by shares of the whole, of which those beyond are too small a part.
_FARTHEST: Mapping[str, float] = MappingProxyType({"f32": 4.5, "f64": 7.0})


def _uniform(d: Draw, low: Operand, high: Operand) -> Operand:
    made = d.apply("add", d.apply("mul", d.uniform(), d.apply("sub", high, low)), low)
    # What rounding made `high` is out of the interval.
    return select(d.b, d.apply("eq", made, high), low, made)


def _normal(d: Draw, mean: Operand, std: Operand) -> Operand:
    return d.apply("add", d.apply("mul", d.normal(), std), mean)


def _truncated(
    d: Draw, mean: Operand, std: Operand, low: Operand, high: Operand
) -> Operand:
    f = d.apply
    ends = [f("div", f("sub", end, mean), std) for end in (low, high)]
    first, last = [f("erf", f("mul", e, math.sqrt(0.5))) for e in ends]
    x = f("add", first, f("mul", d.open(), f("sub", last, first)))
    below = 1 - 2.0 ** -DIGITS[d.element.accumulator.name][1]
    x = f("minimum", f("maximum", x, -below), below)
    z = f("add", f("mul", quantile(d, x), std), mean)
    return f("minimum", f("maximum", z, low), high)


def _exponential(d: Draw, scale: Operand) -> Operand:
    return d.apply("mul", d.apply("neg", d.apply("log", d.open())), scale)


def _gumbel(d: Draw, loc: Operand, scale: Operand) -> Operand:
    f = d.apply
    made = f("neg", f("log", f("neg", f("log", d.open()))))
    return f("add", f("mul", made, scale), loc)


def _bernoulli(d: Draw, p: Operand) -> Operand:
    return d.apply("lt", d.uniform(), p)


def _categorical(d: Draw, logits: Operand) -> Operand:
    """Add Gumbel's noise, and take the largest: exact for unnormalised logarithms."""
    whole = strong(d.b, logits)
    wide = Draw(d.b, d.key, d.b.shape(whole), d.element)
    noisy = d.apply("add", whole, _gumbel(wide, number(0.0), number(1.0)))
    return argmax(d.b, noisy, axis=-1)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution: its arguments with their defaults, and how it is drawn.

    None is an argument that must be given. `kind` is that of the numbers; what
    `has_axis` draws along the last axis of its argument.
    """

    arguments: Mapping[str, float | None]
    draw: Callable[..., Operand]
    kind: str = "float"
    has_axis: bool = False


DISTRIBUTIONS: Mapping[str, Distribution] = MappingProxyType(
    {
        "uniform": Distribution({"low": 0.0, "high": 1.0}, _uniform),
        "normal": Distribution({"mean": 0.0, "std": 1.0}, _normal),
        "truncated_normal": Distribution(
            {"mean": 0.0, "std": 1.0, "low": -2.0, "high": 2.0}, _truncated
        ),
        "exponential": Distribution({"scale": 1.0}, _exponential),
        "gumbel": Distribution({"loc": 0.0, "scale": 1.0}, _gumbel),
        "bernoulli": Distribution({"p": 0.5}, _bernoulli, "bool"),
        "categorical": Distribution({"logits": None}, _categorical, "int", True),
    }
)


def draw(
    b: Emitter,
    name: str,
    key: Value,
    shape: Shape | None,
    element: Element,
    arguments: Sequence[Operand],
) -> TensorOperand:
    """Draw numbers of a shape, or of that of the arguments, in a float type.

    Raises:
        DTypeError: the type is no float, and the distribution has one.
        ShapeError: the arguments do not fit the shape.
        CompileError: a known argument is out of the distribution's domain.
    """
    row = DISTRIBUTIONS[name]
    if not element.is_float:
        raise type_error(b, f"{name} draws floats, not {element}")
    named = dict(zip(row.arguments, arguments, strict=True))
    _check(b, name, named)
    if name == "truncated_normal":
        _require_near(b, named, element.accumulator)
    given = [o for o in arguments if isinstance(o, TensorOperand)]
    shapes = [b.shape(o) for o in given]
    if row.has_axis:
        shapes = [s[:-1] for s in shapes]
    own = common_shape(b, shapes, name) if shapes else ()
    wanted = own if shape is None else common_shape(b, [shape, own], name)
    if shape is not None and wanted != b.resolve(shape):
        message = f"{name}: arguments of shape {spell_shape(own)} do not fit a draw of "
        raise number_error(b, message + spell_shape(b.resolve(shape)))
    wide = element if name == "uniform" else element.accumulator
    numbers: list[Operand] = [
        TensorOperand(materialize(b, o, wide)) if isinstance(o, TensorOperand) else o
        for o in arguments
    ]
    if row.has_axis and len(shapes[0]) < len(wanted):
        whole = (*wanted, b.shape(given[0])[-1])
        spread = [strong(b, o).value for o in numbers]
        numbers = [TensorOperand(broadcast(b, v, whole)) for v in spread]
    made = row.draw(Draw(b, key, wanted, wide), *numbers)
    if row.kind != "float":
        return strong(b, made)
    return to_element(b, made, element)


def _require_near(b: Emitter, given: Mapping[str, Operand], element: Element) -> None:
    """Refuse ends so far on one side that few numbers of the type are between them."""
    known = [o.number for o in given.values() if isinstance(o, Scalar)]
    numbers = [float(n) for n in known if isinstance(n, int | float)]
    if len(numbers) < len(given) or not numbers[1] > 0:
        return
    mean, std, low, high = numbers
    away = max(low - mean, mean - high) / std
    if away > _FARTHEST[element.name]:
        message = (
            f"truncated_normal: the ends are {away:.3g} deviations away, {element}"
        )
        hint = "beyond, it is nearly exponential: low + exponential(1 / low)"
        raise number_error(b, f"{message} has up to {_FARTHEST[element.name]}", hint)


def _check(b: Emitter, name: str, given: Mapping[str, Operand]) -> None:
    """Refuse known arguments that no distribution of the name has."""
    known = {
        k: o.number
        for k, o in given.items()
        if isinstance(o, Scalar) and o.number is not None and o.source is None
    }
    numbers = {k: float(v) for k, v in known.items() if not isinstance(v, Poly)}
    wrong = ""
    for key, value in numbers.items():
        if not math.isfinite(value):
            wrong = f"{key} is {value}"
        if key in ("std", "scale") and value < 0:
            wrong = f"{key} is {value}, which is negative"
        if key == "p" and not 0 <= value <= 1:
            wrong = f"p is {value}, a probability is from 0 to 1"
    low, high = numbers.get("low"), numbers.get("high")
    if low is not None and high is not None and low > high:
        wrong = f"low is {low}, high is {high}"
    if wrong:
        raise number_error(b, f"{name}: {wrong}")
