"""The rows of functions of elements that are one op: operators and named ones."""

import math
import operator
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tensorc.frontend.library import powers
from tensorc.frontend.library.library_function import (
    Fold,
    LibraryFunction,
    Map,
    Rewrite,
    computed,
)
from tensorc.frontend.library.operands import Array
from tensorc.frontend.library.suspicions import warn_of_flat_index
from tensorc.ir import gamma, numerics
from tensorc.ir.core import Op
from tensorc.ir.dims import Dim, floordiv, maximum, minimum
from tensorc.ir.ops.tensor import bits, rounding, transcendental
from tensorc.ir.ops.tensor import elementwise as ops
from tensorc.ir.types import I8, Element

MAX_BITS = 1024  # of an integer while compiling


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


def _remainder(left: Dim, right: Dim) -> Dim:
    return left - floordiv(left, right) * right


def _compare(fold: Fold, sign: str, rewrite: Rewrite | None = None) -> Map:
    return Map("compare", fold, ops.Compare, sign=sign, rewrite=rewrite)


def _has_sign(value: float) -> bool:
    return math.copysign(1, value) < 0


def _fmod(left: float, right: float) -> float | int:
    if isinstance(left, int) and isinstance(right, int):
        size = abs(left) % abs(right)
        return size if left >= 0 else -size
    return math.fmod(left, right)


def _shift_left(value: int, count: int) -> int:
    if count > MAX_BITS:
        raise OverflowError
    return value << count if count >= 0 else 0


def _shift_right(value: int, count: int) -> int:
    return value >> count if count >= 0 else -int(value < 0)


def _whole(
    function: Callable[[Array], Array],
    op: type[Op],
    unchanged: tuple[str, ...],
    array: Callable[..., Array] | None = None,
) -> Map:
    fold = _as_array(function)
    return Map("whole", fold, op, array or function, unchanged=unchanged)


_X, _XY = ("x",), ("x", "y")


def _map(
    name: str,
    map_: Map,
    numpy: str = "",
    python: str | None = None,
    tensors: tuple[str, ...] = _X,
    language: bool = True,
) -> LibraryFunction:
    return LibraryFunction(
        name,
        computed(name),
        tensors,
        numpy=numpy,
        python=python,
        language=language,
        is_elementwise=True,
        map=map_,
    )


def _operator(
    name: str, map_: Map, numpy: str, python: str, tensors: tuple[str, ...] = _XY
) -> LibraryFunction:
    """Return the row of an operator, which a file has by its sign alone."""
    return _map(name, map_, numpy, python, tensors, language=False)


def _bits(
    name: str,
    fold: Fold,
    sign: str,
    op: type[Op],
    array: Callable[..., Array],
    booleans: Element | str,
    tensors: tuple[str, ...] = _XY,
) -> LibraryFunction:
    map_ = Map("bits", fold, op, array, sign=sign, booleans=booleans)
    return _map(name, map_, name, tensors=tensors)


def _float(
    name: str,
    fold: Fold,
    op: type[Op],
    numpy: str = "",
    python: str | None = None,
    tensors: tuple[str, ...] = _X,
) -> LibraryFunction:
    return _map(name, Map("float", fold, op), numpy, python, tensors)


ROWS: Sequence[LibraryFunction] = (
    # arithmetic
    _operator(
        "add",
        Map(
            "number",
            operator.add,
            ops.Add,
            np.add,
            sign="+",
            size=operator.add,
            booleans=ops.Or,
        ),
        "add",
        "add",
    ),
    _operator(
        "sub",
        Map(
            "number",
            operator.sub,
            ops.Sub,
            np.subtract,
            sign="-",
            size=operator.sub,
            fix="write `a != b`, or cast: `int(a)`",
        ),
        "subtract",
        "sub subtract",
    ),
    _operator(
        "mul",
        Map(
            "number",
            operator.mul,
            ops.Mul,
            np.multiply,
            sign="*",
            size=operator.mul,
            booleans=ops.And,
        ),
        "multiply",
        "mul multiply",
    ),
    _operator(
        "div",
        Map("quotient", operator.truediv, ops.Div, np.divide, sign="/"),
        "divide",
        "divide true_div",
    ),
    _operator(
        "floordiv",
        Map(
            "number",
            operator.floordiv,
            rounding.FloorDiv,
            np.floor_divide,
            sign="//",
            size=floordiv,
            booleans=I8,
        ),
        "floor_divide",
        "floor_divide",
    ),
    _operator(
        "mod",
        Map(
            "number",
            operator.mod,
            rounding.Mod,
            np.mod,
            sign="%",
            size=_remainder,
            booleans=I8,
        ),
        "remainder",
        "mod remainder",
    ),
    _operator(
        "pow",
        Map(
            "number",
            _power,
            transcendental.Pow,
            sign="**",
            size=powers.of_size,
            booleans=powers.BOOLEANS,
            rewrite=powers.written_out,
        ),
        "power",
        "power",
    ),
    _operator(
        "neg",
        Map(
            "number",
            operator.neg,
            ops.Neg,
            np.negative,
            sign="-",
            size=operator.neg,
            fix="write `not x`",
        ),
        "negative",
        "neg negative",
        _X,
    ),
    # comparisons and logic
    _operator(
        "eq", _compare(operator.eq, "==", warn_of_flat_index), "equal", "eq equal"
    ),
    _operator(
        "ne",
        _compare(operator.ne, "!=", warn_of_flat_index),
        "not_equal",
        "not_equal neq",
    ),
    _operator("lt", _compare(operator.lt, "<"), "less", "lt less"),
    _operator("le", _compare(operator.le, "<="), "less_equal", "le less_equal"),
    _operator("gt", _compare(operator.gt, ">"), "greater", "gt greater"),
    _operator("ge", _compare(operator.ge, ">="), "greater_equal", "ge greater_equal"),
    _operator(
        "and", Map("logic", _and, ops.And, sign="and"), "logical_and", "logical_and"
    ),
    _operator("or", Map("logic", _or, ops.Or, sign="or"), "logical_or", "logical_or"),
    _operator(
        "not",
        Map("logic", operator.not_, ops.Not, sign="not"),
        "logical_not",
        "logical_not",
        _X,
    ),
    # bits: of integers, and of booleans, of which shifts make integers
    _bits("bitwise_and", operator.and_, "&", bits.BitwiseAnd, np.bitwise_and, "and"),
    _bits("bitwise_or", operator.or_, "|", bits.BitwiseOr, np.bitwise_or, "or"),
    _bits("bitwise_xor", operator.xor, "^", bits.BitwiseXor, np.bitwise_xor, "ne"),
    _bits("invert", operator.invert, "~", bits.Invert, np.invert, "not", _X),
    _bits("left_shift", _shift_left, "<<", bits.LeftShift, np.left_shift, I8),
    _bits("right_shift", _shift_right, ">>", bits.RightShift, np.right_shift, I8),
    # with names in a file
    _map(
        "maximum",
        Map(
            "number",
            _extreme(max, numerics.maximum),
            ops.Maximum,
            numerics.maximum,
            size=maximum,
            booleans=ops.Or,
        ),
        "maximum",
        tensors=_XY,
    ),
    _map(
        "minimum",
        Map(
            "number",
            _extreme(min, numerics.minimum),
            ops.Minimum,
            numerics.minimum,
            size=minimum,
            booleans=ops.And,
        ),
        "minimum",
        tensors=_XY,
    ),
    _map(
        "abs",
        Map("number", abs, rounding.Abs, np.abs, unchanged=("bool",)),
        "absolute",
        "abs absolute",
    ),
    _map("sign", Map("number", _sign, rounding.Sign, np.sign), "sign", "sign sgn"),
    _float("exp", math.exp, ops.Exp, "exp"),
    _float("log", math.log, ops.Log, "log"),
    _float("sqrt", math.sqrt, ops.Sqrt, "sqrt"),
    _float("tanh", math.tanh, transcendental.Tanh, "tanh"),
    _float("sigmoid", _as_array(numerics.sigmoid), transcendental.Sigmoid),
    _float("softplus", _as_array(numerics.softplus), transcendental.Softplus),
    _float("log1p", math.log1p, transcendental.Log1p, "log1p"),
    _float("expm1", math.expm1, transcendental.Expm1, "expm1"),
    _float("erf", math.erf, transcendental.Erf),
    _float("erfc", math.erfc, transcendental.Erfc),
    _float("erfinv", _as_array(numerics.erfinv), transcendental.ErfInv),
    _float("gammaln", _as_array(gamma.gammaln), transcendental.GammaLn),
    _float(
        "digamma", _as_array(gamma.digamma), transcendental.Digamma, "", "digamma psi"
    ),
    _float("gelu", _as_array(numerics.gelu), transcendental.Gelu),
    _float("silu", _as_array(numerics.silu), transcendental.Silu),
    _float("sin", math.sin, transcendental.Sin, "sin"),
    _float("cos", math.cos, transcendental.Cos, "cos"),
    _float("tan", math.tan, transcendental.Tan, "tan"),
    _float("arcsin", math.asin, transcendental.ArcSin, "arcsin", "arcsin asin"),
    _float("arccos", math.acos, transcendental.ArcCos, "arccos", "arccos acos"),
    _float("arctan", math.atan, transcendental.ArcTan, "arctan", "arctan atan"),
    _float("sinh", math.sinh, transcendental.Sinh, "sinh"),
    _float("cosh", math.cosh, transcendental.Cosh, "cosh"),
    _float("arcsinh", math.asinh, transcendental.ArcSinh, "arcsinh", "arcsinh asinh"),
    _float("arccosh", math.acosh, transcendental.ArcCosh, "arccosh", "arccosh acosh"),
    _float("arctanh", math.atanh, transcendental.ArcTanh, "arctanh", "arctanh atanh"),
    _float("exp2", math.exp2, transcendental.Exp2, "exp2"),
    _float("log2", math.log2, transcendental.Log2, "log2"),
    _float("log10", math.log10, transcendental.Log10, "log10"),
    _float("cbrt", math.cbrt, transcendental.Cbrt, "cbrt"),
    _float(
        "arctan2", math.atan2, transcendental.ArcTan2, "arctan2", "arctan2 atan2", _XY
    ),
    _float("hypot", math.hypot, transcendental.Hypot, "hypot", None, _XY),
    _map("floor", _whole(np.floor, rounding.Floor, ("bool", "int")), "floor"),
    _map("ceil", _whole(np.ceil, rounding.Ceil, ("bool", "int")), "ceil"),
    # np.round has decimals; np.rint makes floats of integers.
    _map("round", _whole(np.rint, rounding.Round, ("int",), np.round)),
    _map("isnan", Map("class", math.isnan, rounding.IsNan, np.isnan), "isnan"),
    _map("signbit", Map("class", _has_sign, rounding.SignBit, np.signbit), "signbit"),
    _float("copysign", math.copysign, rounding.CopySign, "copysign", tensors=_XY),
    _map(
        "fmod",
        Map("number", _fmod, rounding.Fmod, np.fmod, booleans=I8),
        "fmod",
        tensors=_XY,
    ),
    _map(
        "isfinite",
        Map("class", math.isfinite, rounding.IsFinite, np.isfinite),
        "isfinite",
    ),
)
MAPS: Mapping[str, Map] = {row.name: row.map for row in ROWS if row.map}
