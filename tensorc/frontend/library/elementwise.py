"""Elementwise functions of operands: folded while compiling where that is possible.

One table names them all. Numbers fold in Python, sizes as polynomials, arrays of
numbers in numpy; the rest becomes ops, with casts and broadcasts written out.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tensorc.frontend.library.comparing import compare
from tensorc.frontend.library.operands import (
    Apply,
    Array,
    Emitter,
    Known,
    Literal,
    Operand,
    Scalar,
    Tensor,
    broadcast,
    broadcast_together,
    common_element,
    default_element,
    exact_array,
    is_strong,
    kind_of,
    materialize,
    number,
    number_error,
    spell_type,
    strong,
    type_error,
    unsupported,
)
from tensorc.frontend.library.suspicions import warn_of_flat_place, warn_of_outer
from tensorc.ir import numerics
from tensorc.ir.core import Op
from tensorc.ir.dims import Dim, Poly, floordiv, known_at_most, maximum, minimum
from tensorc.ir.ops.tensor import elementwise as ops
from tensorc.ir.ops.tensor import rounding, transcendental
from tensorc.ir.types import F64, I1, I8, Element, element_of

MAX_BITS = 1024  # of an integer while compiling
MAX_TERMS = 256  # of a size's polynomial
MAX_POWER = 64  # the largest exponent that is written out as products

Fold = Callable[..., "bool | int | float"]


@dataclass(frozen=True, slots=True)
class Elementwise:
    """How a function is computed.

    `rule` says what its operands become: "number" (their common type), "quotient" and
    "float" (a float type), "class" (a float type, gives bool), "compare" (the common
    type, gives bool), "logic" (bool), "whole" (their type; integers stay as they are),
    "bits" (booleans; of integers bits are meant).
    """

    rule: str
    fold: Fold
    op: type[Op] | None = None
    array: Callable[..., Array] | None = None
    predicate: str = ""
    sign: str = ""


def _and(left: object, right: object) -> bool:
    return bool(left) and bool(right)


def _or(left: object, right: object) -> bool:
    return bool(left) or bool(right)


def _power(base: float, exponent: float) -> float | int:
    if isinstance(base, int) and isinstance(exponent, int):
        if base.bit_length() * abs(exponent) > MAX_BITS:
            raise OverflowError
    elif exponent == 0.5:
        return math.sqrt(base)  # as of tensors: of -0.0 it is -0.0
    else:
        # Python's ** of these would be complex.
        base, exponent = float(base), float(exponent)
        fraction = math.isfinite(exponent) and not exponent.is_integer()
        if base < 0 and math.isfinite(base) and fraction:
            raise ValueError
    return base**exponent


def _extreme(
    of_whole: Callable[..., int], of_floats: Callable[[Array, Array], Array]
) -> Fold:
    """Return a fold by Python's max or min, and as the op has it for a float."""

    def fold(left: float, right: float) -> float | int:
        if isinstance(left, float) or isinstance(right, float):
            return float(of_floats(np.float64(left), np.float64(right)))  # type: ignore[arg-type]
        return of_whole(left, right)

    return fold


def _sign(value: float) -> float | int:
    if value != value:
        return value
    return type(value)((value > 0) - (value < 0))


def _as_array(function: Callable[[Array], Array]) -> Fold:
    """Return a function of arrays as one of numbers."""
    return lambda value: float(function(np.asarray(value, np.float64)))


FUNCTIONS: Mapping[str, Elementwise] = {
    "add": Elementwise("number", operator.add, ops.Add, np.add, sign="+"),
    "sub": Elementwise("number", operator.sub, ops.Sub, np.subtract, sign="-"),
    "mul": Elementwise("number", operator.mul, ops.Mul, np.multiply, sign="*"),
    "div": Elementwise("quotient", operator.truediv, ops.Div, np.divide, sign="/"),
    "floordiv": Elementwise(
        "number", operator.floordiv, rounding.FloorDiv, np.floor_divide, sign="//"
    ),
    "mod": Elementwise("number", operator.mod, rounding.Mod, np.mod, sign="%"),
    "pow": Elementwise("number", _power, transcendental.Pow, sign="**"),
    "neg": Elementwise("number", operator.neg, ops.Neg, np.negative, sign="-"),
    "maximum": Elementwise(
        "number", _extreme(max, numerics.maximum), ops.Maximum, numerics.maximum
    ),
    "minimum": Elementwise(
        "number", _extreme(min, numerics.minimum), ops.Minimum, numerics.minimum
    ),
    "abs": Elementwise("number", abs, rounding.Abs, np.abs),
    "sign": Elementwise("number", _sign, rounding.Sign, np.sign),
    "exp": Elementwise("float", math.exp, ops.Exp),
    "log": Elementwise("float", math.log, ops.Log),
    "sqrt": Elementwise("float", math.sqrt, ops.Sqrt),
    "tanh": Elementwise("float", math.tanh, transcendental.Tanh),
    "sigmoid": Elementwise(
        "float", _as_array(numerics.sigmoid), transcendental.Sigmoid
    ),
    "softplus": Elementwise(
        "float", _as_array(numerics.softplus), transcendental.Softplus
    ),
    "silu": Elementwise("float", _as_array(numerics.silu), transcendental.Silu),
    "gelu": Elementwise("float", _as_array(numerics.gelu), transcendental.Gelu),
    "log1p": Elementwise("float", math.log1p, transcendental.Log1p),
    "expm1": Elementwise("float", math.expm1, transcendental.Expm1),
    "erf": Elementwise("float", math.erf, transcendental.Erf),
    "erfc": Elementwise("float", math.erfc, transcendental.Erfc),
    "sin": Elementwise("float", math.sin, transcendental.Sin),
    "cos": Elementwise("float", math.cos, transcendental.Cos),
    "floor": Elementwise("whole", _as_array(np.floor), rounding.Floor, np.floor),
    "ceil": Elementwise("whole", _as_array(np.ceil), rounding.Ceil, np.ceil),
    "round": Elementwise("whole", _as_array(np.rint), rounding.Round, np.round),
    "isnan": Elementwise("class", math.isnan, rounding.IsNan, np.isnan),
    "isfinite": Elementwise("class", math.isfinite, rounding.IsFinite, np.isfinite),
    "eq": Elementwise("compare", operator.eq, ops.Compare, None, "eq", "=="),
    "ne": Elementwise("compare", operator.ne, ops.Compare, None, "ne", "!="),
    "lt": Elementwise("compare", operator.lt, ops.Compare, None, "lt", "<"),
    "le": Elementwise("compare", operator.le, ops.Compare, None, "le", "<="),
    "gt": Elementwise("compare", operator.gt, ops.Compare, None, "gt", ">"),
    "ge": Elementwise("compare", operator.ge, ops.Compare, None, "ge", ">="),
    "and": Elementwise("logic", _and, ops.And, sign="and"),
    "or": Elementwise("logic", _or, ops.Or, sign="or"),
    "not": Elementwise("logic", operator.not_, ops.Not, sign="not"),
    "bit_and": Elementwise("bits", operator.and_, sign="&"),
    "bit_or": Elementwise("bits", operator.or_, sign="|"),
    "bit_xor": Elementwise("bits", operator.xor, sign="^"),
    "bit_not": Elementwise("bits", operator.invert, sign="~"),
    "left_shift": Elementwise("bits", operator.lshift, sign="<<"),
    "right_shift": Elementwise("bits", operator.rshift, sign=">>"),
}

# What some functions are on booleans, as in numpy.
_ON_BOOLEANS: Mapping[str, type[Op]] = {
    "add": ops.Or,
    "mul": ops.And,
    "maximum": ops.Or,
    "minimum": ops.And,
}
# What is not defined on booleans, but on the smallest integers: numpy takes those.
_AS_INT8 = frozenset({"floordiv", "mod", "pow"})

# What stays as it is.
_UNCHANGED: Mapping[str, tuple[str, ...]] = {
    "abs": ("bool",),
    "floor": ("bool", "int"),
    "ceil": ("bool", "int"),
    "round": ("int",),
}

# What is done with bits, if they are booleans. A shift of them is a number.
_BITS_OF_BOOLEANS: Mapping[str, str] = {
    "bit_and": "and",
    "bit_or": "or",
    "bit_xor": "ne",
    "bit_not": "not",
}


def _remainder(left: Dim, right: Dim) -> Dim:
    return left - floordiv(left, right) * right


_SIZE_FOLDS: Mapping[str, Callable[..., Dim]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "neg": operator.neg,
    "floordiv": floordiv,
    "mod": _remainder,
    "maximum": maximum,
    "minimum": minimum,
}


# Rules whose operands become floats.
_TO_FLOAT = ("quotient", "float", "class", "whole")


def elementwise(b: Emitter, name: str, operands: Sequence[Operand]) -> Operand:
    """Apply an elementwise function of the table."""
    if kind_of(operands[0]) in _UNCHANGED.get(name, ()):
        return operands[0]
    spec = FUNCTIONS[name]
    if spec.rule == "bits":
        return _bits(b, name, operands)
    scalars = [o for o in operands if isinstance(o, Scalar)]
    if len(scalars) == len(operands):
        return _fold(b, name, scalars)
    if name == "pow":
        return _power_of(b, operands[0], operands[1])
    if name in ("eq", "ne"):
        warn_of_flat_place(b, operands)
    if spec.rule == "compare":
        all_weak = not any(map(is_strong, operands))
        result = compare(b, spec.predicate, operands, f"`{spec.sign}`")
        return replace(result, weak=all_weak)
    arrays = [_plain_array(o) for o in operands]
    if spec.array is not None and all(a is not None for a in arrays):
        return _fold_arrays(b, spec.array, arrays)
    return _emit(b, name, operands)


def _bits(b: Emitter, name: str, operands: Sequence[Operand]) -> Operand:
    """Combine booleans; numbers are refused, of which a `not` would be another one."""
    kinds = {kind_of(o) for o in operands}
    if kinds == {"bool"} and name in _BITS_OF_BOOLEANS:
        return elementwise(b, _BITS_OF_BOOLEANS[name], operands)
    sign = FUNCTIONS[name].sign
    given = " and ".join([_spelled(o) for o in operands])
    if "float" in kinds:
        message = f"`{sign}` combines the bits of integers and booleans, got {given}"
        hint = "put comparisons in parentheses: (x > 0) & (x < 1)"
        raise type_error(b, message, hint)
    message = f"`{sign}` of integers is not in this version, got {given}"
    fixes = {"~": "a logical not is x == 0; the complement is -x - 1"}
    fixes |= {"<<": "write x * 2**n", ">>": "write x // 2**n"}
    hint = "put comparisons in parentheses: (x > 0) & (x < 1)"
    raise type_error(b, message, fixes.get(sign, hint))


def _spelled(operand: Operand) -> str:
    if isinstance(operand, Tensor):
        return spell_type(operand.type)
    known = operand.number if isinstance(operand, Scalar) else "a list"
    return f"{known} ({operand.kind})"


# Folding


def _fold(b: Emitter, name: str, operands: Sequence[Scalar]) -> Scalar:
    constraints = b.builder.constraints
    known = [
        constraints.resolve(o.number) if isinstance(o.number, Poly) else o.number
        for o in operands
    ]
    result = fold_known(b, name, known)
    kind = _kind_of_result(name, operands)
    if result is not None:
        kind = number(result).kind
    at_run_time = result is None or any(o.source is not None for o in operands)
    source = Apply(name, tuple(operands)) if at_run_time else None
    return Scalar(result, kind, source)


def fold_known(b: Emitter, name: str, known: Sequence[Known]) -> Known:
    """Return a function of numbers and sizes, or None where it is not decided."""
    if any(isinstance(k, Poly) for k in known):
        return _fold_sizes(b, name, known)
    if any(k is None for k in known):
        return None
    sign = FUNCTIONS[name].sign or name
    try:
        result = FUNCTIONS[name].fold(*known)
    except ZeroDivisionError:
        raise number_error(b, f"division by zero: {_formula(sign, known)}") from None
    except OverflowError:
        raise number_error(b, f"{_formula(sign, known)} is too large") from None
    except ValueError:
        raise number_error(b, f"{_formula(sign, known)} is not a number") from None
    if isinstance(result, int) and result.bit_length() > MAX_BITS:
        raise number_error(b, f"the result of `{sign}` is too large")
    return result


def _formula(sign: str, known: Sequence[Known]) -> str:
    if len(known) == 2 and not sign.isalpha():
        return f"{known[0]} {sign} {known[1]}"
    return f"{sign}({', '.join(map(str, known))})"


def _fold_sizes(b: Emitter, name: str, known: Sequence[Known]) -> Known:
    dims: list[Dim] = []
    for k in known:
        if k is None or isinstance(k, float):
            return None
        dims.append(k if isinstance(k, Poly) else int(k))
    if FUNCTIONS[name].rule == "compare":
        return compare_sizes(name, dims[0], dims[1])
    if name == "pow" and isinstance(dims[1], int) and 0 <= dims[1] <= MAX_POWER:
        return math.prod([dims[0]] * dims[1], start=1)
    fold = _SIZE_FOLDS.get(name)
    if fold is None:
        return None
    if name in ("floordiv", "mod") and dims[1] == 0:
        raise number_error(b, f"division by zero: {dims[0]} {FUNCTIONS[name].sign} 0")
    result = fold(*dims)
    if isinstance(result, Poly) and len(result.terms) > MAX_TERMS:
        raise number_error(b, "the formula of a size is too long")
    return result


def compare_sizes(name: str, left: Dim, right: Dim) -> bool | None:
    """Compare two sizes; None if the answer depends on the call."""
    if name in ("gt", "ge"):
        left, right = right, left
    if name in ("eq", "ne"):
        if left == right:
            return name == "eq"
        apart = known_at_most(left + 1, right) or known_at_most(right + 1, left)
        return (name == "ne") if apart else None
    margin = 1 if name in ("lt", "gt") else 0
    if known_at_most(left + margin, right):
        return True
    return False if known_at_most(right + (1 - margin), left) else None


def _kind_of_result(name: str, operands: Sequence[Scalar]) -> str:
    rule = FUNCTIONS[name].rule
    if rule in ("compare", "logic", "class"):
        return "bool"
    if rule in ("quotient", "float"):
        return "float"
    kinds = {o.kind for o in operands}
    return "float" if "float" in kinds else "int"


def _plain_array(operand: Operand) -> Array | None:
    if isinstance(operand, Literal):
        return operand.values
    if not isinstance(operand, Scalar) or operand.source is not None:
        return None
    if isinstance(operand.number, int) and operand.number.bit_length() > 63:
        return None
    plain = isinstance(operand.number, bool | int | float)
    return np.asarray(operand.number) if plain else None


def _fold_arrays(
    b: Emitter, function: Callable[..., Array], arrays: Sequence[Array | None]
) -> Literal:
    try:
        with np.errstate(all="ignore"):
            return Literal(np.asarray(function(*arrays)))
    except TypeError:
        raise type_error(b, "booleans do not subtract", "write `!=`") from None
    except ValueError:
        shapes = " and ".join(str(list(a.shape)) for a in arrays if a is not None)
        raise number_error(b, f"the lists do not fit: {shapes}") from None


# Emitting


def _emit(b: Emitter, name: str, operands: Sequence[Operand]) -> Tensor:
    spec = FUNCTIONS[name]
    element = _operand_element(b, name, operands)
    cls = _op_class(b, name, element)
    all_weak = not any(map(is_strong, operands))
    values = [materialize(b, o, element) for o in operands]
    what = f"`{spec.sign}`" if spec.sign else name
    spread = broadcast_together(b, values, what)
    if len(values) == 2:
        warn_of_outer(b, values, b.shape(Tensor(spread[0])), what)
    return Tensor(b.builder.value(cls, *spread), weak=all_weak)


def _operand_element(b: Emitter, name: str, operands: Sequence[Operand]) -> Element:
    rule = FUNCTIONS[name].rule
    if rule == "logic":
        return I1
    element = common_element(b, operands)
    if element == I1 and name in _AS_INT8:
        return I8
    if rule not in _TO_FLOAT or element.is_float:
        return element
    if not any(map(is_strong, operands)):
        return F64
    return b.default_float if rule == "quotient" else float_element(b, element)


def float_element(b: Emitter, element: Element) -> Element:
    """Return the float type in which numpy computes functions such as exp.

    i8 goes to f16 and i16 to f32; where numpy goes to f64, it is the default.
    """
    given = element_of(np.exp(np.zeros(0, element.dtype)).dtype)
    return b.default_float if given == F64 != element else given


def _op_class(b: Emitter, name: str, element: Element) -> type[Op]:
    spec = FUNCTIONS[name]
    cls = spec.op
    if cls is None:
        raise unsupported(b, f"`{spec.sign or name}` on tensors")
    if spec.rule != "number" or element != I1:
        return cls
    if name in _ON_BOOLEANS:
        return _ON_BOOLEANS[name]
    fixes = {"neg": "write `not x`", "sub": "write `a != b`, or cast: `int(a)`"}
    fix = fixes.get(name, "cast them: `int(a)`")
    raise type_error(b, f"`{spec.sign or name}` is not defined on booleans", fix)


def _power_of(b: Emitter, base: Operand, exponent: Operand) -> Operand:
    """Write out the powers that products express; a hyper is its number for that."""
    known = exponent.number if isinstance(exponent, Scalar) else None
    element = _operand_element(b, "pow", [base, exponent])
    if not _is_written_out(known, element):
        if not element.is_float and _is_zeroth_or_first(base, exponent):
            return _zeroth_or_first(b, base, exponent, element)
        if not element.is_float:
            hint = "cast: `float(a) ** b`"
            raise unsupported(b, "`**` of integers with this exponent", hint)
        return _emit(b, "pow", [base, exponent])
    assert isinstance(known, int | float)
    x = base if isinstance(base, Tensor) else strong(b, base)
    element = _operand_element(b, "pow", [x, exponent])
    x = Tensor(materialize(b, x, element), x.weak)
    if known == 0.5:
        return elementwise(b, "sqrt", [x])
    if known < 0 and not element.is_float:
        hint = f"write `1 / x**{-known}`, or cast: `float(x)**{known}`"
        raise type_error(b, "integers have no negative powers", hint)
    if known == 0:
        one = materialize(b, number(1), element)
        return Tensor(broadcast(b, one, b.shape(x)), x.weak)
    if known > MAX_POWER:
        exact_array(b, known, element)  # raises what does not fit
        return _squared(b, x, int(known))
    result: Operand = x
    for _ in range(abs(int(known)) - 1):
        result = elementwise(b, "mul", [result, x])
    return elementwise(b, "div", [number(1), result]) if known < 0 else result


def _squared(b: Emitter, x: Operand, exponent: int) -> Operand:
    """Return a power of integers, which is the same in every order."""
    result: Operand | None = None
    while exponent:
        if exponent % 2:
            result = x if result is None else elementwise(b, "mul", [result, x])
        exponent //= 2
        if exponent:
            x = elementwise(b, "mul", [x, x])
    assert result is not None
    return result


def _is_zeroth_or_first(base: Operand, exponent: Operand) -> bool:
    """Tell powers that are 1 or the base: to a boolean, or of one but to negatives."""
    if kind_of(exponent) == "bool":
        return True
    unsigned = isinstance(exponent, Tensor) and exponent.type.element.is_unsigned
    return kind_of(base) == "bool" and unsigned


def _zeroth_or_first(
    b: Emitter, base: Operand, exponent: Operand, element: Element
) -> Operand:
    one = Tensor(materialize(b, number(1), element))
    return select(b, exponent, Tensor(materialize(b, base, element)), one)


def _is_written_out(known: Known, element: Element) -> bool:
    if not isinstance(known, int | float):
        return False
    if known < 0 and not element.is_float:
        return True  # to be refused
    if not element.is_float and isinstance(known, int):
        return known.bit_length() <= MAX_POWER  # by squaring
    return known == 0.5 or (abs(known) <= MAX_POWER and known == int(known))


def select(b: Emitter, condition: Operand, yes: Operand, no: Operand) -> Operand:
    """Choose elementwise."""
    element = common_element(b, [yes, no])
    if not any(isinstance(o, Tensor) and not o.weak for o in (yes, no)):
        kind = max((kind_of(yes), kind_of(no)), key=("bool", "int", "float").index)
        element = default_element(b, kind)
    values = [materialize(b, condition, I1)]
    values += [materialize(b, o, element) for o in (yes, no)]
    values = broadcast_together(b, values, "where")
    return Tensor(b.builder.value(ops.Select, *values))


def to_element(b: Emitter, operand: Operand, element: Element) -> Tensor:
    """Convert to an element type, as `f32(x)` does."""
    if not isinstance(operand, Tensor) and operand.kind == "float":
        # A number is converted by the language's cast, not refused for its fraction.
        wide = materialize(b, operand, F64 if not element.is_float else element)
        return Tensor(materialize(b, Tensor(wide), element))
    return Tensor(materialize(b, operand, element))


def as_float(b: Emitter, operand: Operand) -> Tensor:
    """Return a float tensor: integers and booleans take the default float."""
    x = strong(b, operand)
    if x.type.element.is_float:
        return x
    return Tensor(materialize(b, x, b.default_float))
