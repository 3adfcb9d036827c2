"""Rows for arith and math: what each op on scalars and vectors is in LLVM.

The element type alone says whether an integer is signed. Nothing traps and nothing is
undefined: see the op's docstring for what stands in for it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tensorc.backend.emit import FunctionEmitter, LValue, number
from tensorc.backend.llvm import bfloat16
from tensorc.backend.llvm.state import (
    Lower,
    State,
    is_signed,
    memory_type,
    scalar_of,
    type_of,
)
from tensorc.errors import InternalError
from tensorc.ir.attributes import Typed
from tensorc.ir.core import Op
from tensorc.ir.ops.scalar import arith, conversions, math
from tensorc.ir.types import BF16, Element, element_type


def _result_element(op: Op) -> Element:
    return element_type(op.result.type)


def _operand_element(op: Op) -> Element:
    return element_type(op.operands[0].type)


def _constant(state: State, op: Op) -> None:
    typed = op.attribute("value")
    assert isinstance(typed, Typed)
    value = typed.value
    if typed.type == BF16:
        value = bfloat16.nearest(value)
    state.values[op.result] = number(type_of(typed.type), value)


def _float(opcode: str) -> Lower:
    """Return the row of a binary float op."""

    def lower(state: State, op: Op) -> None:
        lhs, rhs = state.operands(op)
        value = state.emit.binary(opcode, lhs, rhs)
        if _result_element(op) == BF16:
            value = bfloat16.rounded(state.emit, value)
        state.values[op.result] = value

    return lower


def _integer(opcode: str, of_booleans: str = "") -> Lower:
    """Return the row of a binary integer op, the same for either sign."""

    def lower(state: State, op: Op) -> None:
        boolean = _result_element(op).name == "i1"
        if boolean and not of_booleans:
            raise InternalError(f"{op.name} at {op.location} on booleans", "llvm")
        lhs, rhs = state.operands(op)
        chosen = of_booleans if boolean else opcode
        state.values[op.result] = state.emit.binary(chosen, lhs, rhs)

    return lower


def _extremum(word: str) -> Lower:
    """Return the row of an integer min or max."""

    def lower(state: State, op: Op) -> None:
        sign = "s" if is_signed(_result_element(op)) else "u"
        lhs, rhs = state.operands(op)
        state.values[op.result] = state.emit.intrinsic(sign + word, lhs.type, lhs, rhs)

    return lower


_ROUNDING = ("sqrt", "fma")  # others give what a narrow type has, too


def _floats(name: str) -> Lower:
    """Return the row of an intrinsic on floats of one type."""

    def lower(state: State, op: Op) -> None:
        given = state.operands(op)
        if given[0].type.scalar == "half":
            # By way of f32, which is exact or rounds twice to the same value; left to
            # itself LLVM may call a library.
            wide = [state.emit.cast("fpext", v, "float") for v in given]
            value = state.emit.intrinsic(name, wide[0].type, *wide)
            state.values[op.result] = state.emit.cast("fptrunc", value, "half")
        else:
            value = state.emit.intrinsic(name, given[0].type, *given)
            if name in _ROUNDING and _result_element(op) == BF16:
                value = bfloat16.rounded(state.emit, value)
            state.values[op.result] = value

    return lower


def _negate(state: State, op: Op) -> None:
    state.values[op.result] = state.emit.negate(state.operands(op)[0])


def _divide(
    emit: FunctionEmitter, lhs: LValue, rhs: LValue, signed: bool, opcode: str
) -> tuple[LValue, LValue, LValue]:
    """Divide without a trap; return the quotient or remainder, and two conditions.

    The conditions say where the divisor is 0 and where it is -1 (of signed integers,
    whose least value must not be divided by it).
    """
    one, zero = number(lhs.type, 1), number(lhs.type, 0)
    none = emit.compare("eq", rhs, zero)
    minus = emit.compare("eq", rhs, number(lhs.type, -1))
    unsafe = emit.binary("or", none, minus) if signed else none
    divisor = emit.select(unsafe, one, rhs)
    return emit.binary(("s" if signed else "u") + opcode, lhs, divisor), none, minus


def _floor_divide(state: State, op: Op) -> None:
    emit, signed = state.emit, is_signed(_result_element(op))
    lhs, rhs = state.operands(op)
    zero = number(lhs.type, 0)
    quotient, none, minus = _divide(emit, lhs, rhs, signed, "div")
    if signed:
        # Truncation is one too high where the signs differ and it is not exact.
        product = emit.binary("mul", quotient, rhs)
        inexact = emit.compare("ne", product, lhs)
        signs = emit.compare("slt", emit.binary("xor", lhs, rhs), zero)
        lower = emit.binary("sub", quotient, number(lhs.type, 1))
        below = emit.binary("and", inexact, signs)
        quotient = emit.select(below, lower, quotient)
        quotient = emit.select(minus, emit.binary("sub", zero, lhs), quotient)
    state.values[op.result] = emit.select(none, zero, quotient)


def _remainder(state: State, op: Op) -> None:
    emit, signed = state.emit, is_signed(_result_element(op))
    lhs, rhs = state.operands(op)
    # Where the divisor was replaced by 1 the remainder is 0, as it should be.
    state.values[op.result] = _divide(emit, lhs, rhs, signed, "rem")[0]


def _shift(left: bool) -> Lower:
    """Return the row of a shift; a count outside [0, width) shifts all bits out."""

    def lower(state: State, op: Op) -> None:
        emit, signed = state.emit, is_signed(_result_element(op))
        lhs, rhs = state.operands(op)
        zero, last = number(lhs.type, 0), number(lhs.type, lhs.type.bits - 1)
        inside = emit.compare("ule", rhs, last)
        if signed and not left:
            count = emit.select(inside, rhs, last)
            state.values[op.result] = emit.binary("ashr", lhs, count)
            return
        count = emit.select(inside, rhs, zero)
        value = emit.binary("shl" if left else "lshr", lhs, count)
        state.values[op.result] = emit.select(inside, value, zero)

    return lower


def _compare_integers(state: State, op: Op) -> None:
    lhs, rhs = state.operands(op)
    code = op.attribute("predicate")
    assert isinstance(code, int)
    name = arith.INTEGER_PREDICATES[code]
    if name not in ("eq", "ne"):
        name = ("s" if is_signed(_operand_element(op)) else "u") + name[1:]
    state.values[op.result] = state.emit.compare(name, lhs, rhs)


def _compare_floats(state: State, op: Op) -> None:
    lhs, rhs = state.operands(op)
    code = op.attribute("predicate")
    assert isinstance(code, int)
    name = arith.FLOAT_PREDICATES[code]
    state.values[op.result] = state.emit.compare(name, lhs, rhs)


def _select(state: State, op: Op) -> None:
    state.values[op.result] = state.emit.select(*state.operands(op))


def _float_to_float(state: State, op: Op) -> None:
    (value,) = state.operands(op)
    scalar = scalar_of(_result_element(op))
    if value.type.bits == 64 and scalar == "half":
        value = _round_to_odd(state.emit, value)
    narrower = value.type.of(scalar).bits < value.type.bits
    opcode = "fptrunc" if narrower else "fpext"
    value = state.emit.cast(opcode, value, scalar)
    if _result_element(op) == BF16:
        value = bfloat16.narrowed(state.emit, value)
    state.values[op.result] = value


def _round_to_odd(emit: FunctionEmitter, value: LValue) -> LValue:
    """Narrow f64 to f32 so that a second rounding, to f16, is as good as one.

    The processor has no f64 to f16; LLVM would call a library.
    """
    near = emit.cast("fptrunc", value, "float")
    back = emit.cast("fpext", near, "double")
    bits = emit.cast("bitcast", near, "i32")
    size, given = (emit.intrinsic("fabs", v.type, v) for v in (back, value))
    # Rounded to nearest, it lies beside the value: step back to the smaller
    # neighbour, then make the last bit 1 if anything was lost.
    above = emit.compare("ogt", size, given)
    lost = emit.compare("one", back, value)
    down = emit.cast("zext", above, "i32")
    lower = emit.binary("sub", bits, down)
    odd = emit.binary("or", lower, emit.cast("zext", lost, "i32"))
    return emit.cast("bitcast", odd, "float")


def _integer_to_float(state: State, op: Op) -> None:
    (value,) = state.operands(op)
    scalar = scalar_of(_result_element(op))
    opcode = "sitofp" if is_signed(_operand_element(op)) else "uitofp"
    if scalar == "half":
        wide = state.emit.cast(opcode, value, "float")
        state.values[op.result] = state.emit.cast("fptrunc", wide, "half")
    else:
        value = state.emit.cast(opcode, value, scalar)
        if _result_element(op) == BF16:
            value = bfloat16.rounded(state.emit, value)
        state.values[op.result] = value


def _float_to_integer(state: State, op: Op) -> None:
    (value,) = state.operands(op)
    element = _result_element(op)
    if value.type.scalar == "half":
        value = state.emit.cast("fpext", value, "float")
    if element.name == "i1":
        result = state.emit.compare("une", value, number(value.type, 0.0))
    else:
        name = "fptosi.sat" if is_signed(element) else "fptoui.sat"
        type_ = value.type.of(scalar_of(element))
        result = state.emit.intrinsic(name, type_, value)
    state.values[op.result] = result


def _integer_to_integer(state: State, op: Op) -> None:
    (value,) = state.operands(op)
    element = _result_element(op)
    target = value.type.of(scalar_of(element))
    if element.name == "i1" and value.type.bits > 1:
        result = state.emit.compare("ne", value, number(value.type, 0))
    elif target.bits < value.type.bits:
        result = state.emit.cast("trunc", value, target.scalar)
    else:
        opcode = "sext" if is_signed(_operand_element(op)) else "zext"
        result = state.emit.cast(opcode, value, target.scalar)
    state.values[op.result] = result


def _bitcast(state: State, op: Op) -> None:
    (value,) = state.operands(op)
    given, element = _operand_element(op), _result_element(op)
    if given == BF16:
        value = bfloat16.to_memory(state.emit, value)
    value = state.emit.cast("bitcast", value, memory_type(element).scalar)
    if element == BF16:
        value = bfloat16.from_memory(state.emit, value)
    state.values[op.result] = value


def _scale(state: State, op: Op) -> None:
    """Multiply by a power of two: by an instruction, or else by two factors.

    With one of them a result below the normal range might be rounded twice, and one
    above it overflow where it need not.
    """
    value, exponent = state.operands(op)
    emit, bias, mantissa = state.emit, *_FORMATS[value.type.scalar]
    if all(f"+{name}" in state.target.features.split(",") for name in _SCALING):
        twice = number(exponent.type, 2 * bias)
        power = emit.cast("trunc", emit.binary("sub", exponent, twice), "i32")
        state.values[op.result] = emit.intrinsic("ldexp", value.type, value, power)
        return
    half = emit.binary("ashr", exponent, number(exponent.type, 1))
    for part in (half, emit.binary("sub", exponent, half)):
        bits = emit.binary("shl", part, number(part.type, mantissa))
        factor = emit.cast("bitcast", bits, value.type.scalar)
        value = emit.binary("fmul", value, factor)
    state.values[op.result] = value


# The bias of an exponent, and the bits below it.
_FORMATS = MappingProxyType({"float": (127, 23), "double": (1023, 52)})
_SCALING = ("avx512f", "avx512vl")  # x86 processors have `vscalef` then

SCALAR_ROWS: Mapping[type[Op], Callable[[State, Op], None]] = MappingProxyType(
    {
        arith.Constant: _constant,
        arith.AddF: _float("fadd"),
        arith.SubF: _float("fsub"),
        arith.MulF: _float("fmul"),
        arith.DivF: _float("fdiv"),
        arith.MaximumF: _floats("maximum"),
        arith.MinimumF: _floats("minimum"),
        arith.AddI: _integer("add", "or"),
        arith.SubI: _integer("sub"),
        arith.MulI: _integer("mul", "and"),
        arith.FloorDivSI: _floor_divide,
        arith.RemSI: _remainder,
        arith.MinSI: _extremum("min"),
        arith.MaxSI: _extremum("max"),
        arith.MinUI: _extremum("min"),
        arith.MaxUI: _extremum("max"),
        arith.AndI: _integer("and", "and"),
        arith.OrI: _integer("or", "or"),
        arith.XOrI: _integer("xor", "xor"),
        arith.ShLI: _shift(left=True),
        arith.ShRSI: _shift(left=False),
        arith.NegF: _negate,
        arith.CmpI: _compare_integers,
        arith.CmpF: _compare_floats,
        arith.Select: _select,
        conversions.ExtF: _float_to_float,
        conversions.TruncF: _float_to_float,
        conversions.SIToFP: _integer_to_float,
        conversions.UIToFP: _integer_to_float,
        conversions.FPToSI: _float_to_integer,
        conversions.FPToUI: _float_to_integer,
        conversions.ExtSI: _integer_to_integer,
        conversions.ExtUI: _integer_to_integer,
        conversions.TruncI: _integer_to_integer,
        conversions.IndexCast: _integer_to_integer,
        conversions.Bitcast: _bitcast,
        math.Sqrt: _floats("sqrt"),
        math.AbsF: _floats("fabs"),
        math.CopySign: _floats("copysign"),
        math.RoundEven: _floats("roundeven"),
        math.Floor: _floats("floor"),
        math.Ceil: _floats("ceil"),
        math.Fma: _floats("fma"),
        math.Scale: _scale,
    }
)
