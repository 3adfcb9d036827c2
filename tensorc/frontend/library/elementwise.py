"""Elementwise functions of operands: folded while compiling where that is possible.

`maps` names them all. Numbers fold in Python, sizes as polynomials, arrays of
numbers in numpy; the rest becomes ops, with casts and broadcasts written out.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tensorc.frontend.library.comparing import compare
from tensorc.frontend.library.maps import MAPS, MAX_BITS
from tensorc.frontend.library.operands import (
    Array,
    Emitter,
    Formula,
    Known,
    Literal,
    Operand,
    Scalar,
    TensorOperand,
    broadcast_together,
    common_element,
    default_element,
    is_strong,
    kind_of,
    materialize,
    number,
    number_error,
    promote,
    spell_type,
    strong,
    type_error,
    unsupported,
)
from tensorc.frontend.library.suspicions import warn_of_outer
from tensorc.ir.core import Op
from tensorc.ir.dims import Dim, Poly, known_at_most
from tensorc.ir.ops.tensor import elementwise as ops
from tensorc.ir.types import F64, I1, Element, element_of

PARENTHESES = "put comparisons in parentheses: (x > 0) & (x < 1)"
MAX_TERMS = 256  # of a size's polynomial

# Rules whose operands become floats.
_TO_FLOAT = ("quotient", "float", "class", "whole")


def elementwise(b: Emitter, name: str, operands: Sequence[Operand]) -> Operand:
    """Apply an elementwise function of the table."""
    spec = MAPS[name]
    if kind_of(operands[0]) in spec.unchanged:
        return operands[0]
    if spec.rule == "bits":
        combined = _of_bits(b, name, operands)
        if combined is not None:
            return combined
    scalars = [o for o in operands if isinstance(o, Scalar)]
    if len(scalars) == len(operands):
        return _fold(b, name, scalars)
    rewritten = spec.rewrite(b, operands) if spec.rewrite else None
    if rewritten is not None:
        return rewritten
    if spec.rule == "compare":
        all_weak = not any(map(is_strong, operands))
        result = compare(b, name, operands, f"`{spec.sign}`")
        return replace(result, weak=all_weak)
    arrays = [_plain_array(o) for o in operands]
    if spec.array is not None and all(a is not None for a in arrays):
        return _fold_arrays(b, spec.array, arrays)
    return _emit(b, name, operands)


def _of_bits(b: Emitter, name: str, operands: Sequence[Operand]) -> Operand | None:
    """Return what combines booleans; None of integers. Floats are refused."""
    spec = MAPS[name]
    kinds = {kind_of(o) for o in operands}
    if kinds == {"bool"} and isinstance(spec.booleans, str):
        return elementwise(b, spec.booleans, operands)
    given = " and ".join([_spelled(o) for o in operands])
    if "float" in kinds:
        message = (
            f"`{spec.sign}` combines the bits of integers and booleans, got {given}"
        )
        raise type_error(b, message, PARENTHESES)
    if any(map(is_strong, operands)) and common_element(b, operands).is_float:
        message = f"`{spec.sign}` of {given}: no integer type holds both"
        raise type_error(b, message, "cast one of them to the other's type")
    return None


def _spelled(operand: Operand) -> str:
    if isinstance(operand, TensorOperand):
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
    source = Formula(name, tuple(operands)) if at_run_time else None
    return Scalar(result, kind, source)


def fold_known(b: Emitter, name: str, known: Sequence[Known]) -> Known:
    """Return a function of numbers and sizes, or None where it is not decided."""
    if any(isinstance(k, Poly) for k in known):
        return _fold_sizes(b, name, known)
    if any(k is None for k in known):
        return None
    sign = MAPS[name].sign or name
    try:
        result = MAPS[name].fold(*known)
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
    if MAPS[name].rule == "compare":
        return compare_sizes(name, dims[0], dims[1])
    fold = MAPS[name].size
    if fold is None:
        return None
    if name in ("floordiv", "mod") and dims[1] == 0:
        raise number_error(b, f"division by zero: {dims[0]} {MAPS[name].sign} 0")
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
    rule = MAPS[name].rule
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


def _emit(b: Emitter, name: str, operands: Sequence[Operand]) -> TensorOperand:
    spec = MAPS[name]
    element = _operand_element(b, name, operands)
    cls = _op_class(b, name, element)
    all_weak = not any(map(is_strong, operands))
    values = [materialize(b, o, element) for o in operands]
    what = f"`{spec.sign}`" if spec.sign else name
    spread = broadcast_together(b, values, what)
    if len(values) == 2:
        warn_of_outer(b, values, b.shape(TensorOperand(spread[0])), what)
    return TensorOperand(b.builder.value(cls, *spread), weak=all_weak)


def _operand_element(b: Emitter, name: str, operands: Sequence[Operand]) -> Element:
    rule = MAPS[name].rule
    if rule == "logic":
        return I1
    element = common_element(b, operands)
    booleans = MAPS[name].booleans
    if element == I1 and isinstance(booleans, Element):
        return booleans
    if rule not in _TO_FLOAT or element.is_float:
        return element
    if not any(map(is_strong, operands)):
        return F64
    return b.default_float if rule == "quotient" else common_float(b, operands)


def common_float(b: Emitter, operands: Sequence[Operand]) -> Element:
    """Return the float type in which operands meet, of which one has a type.

    As in numpy integers become floats before they meet: i8 and u8 are f16.
    """
    typed = [
        o.type.element for o in operands if isinstance(o, TensorOperand) and not o.weak
    ]
    if len(typed) > 1:
        common = promote(typed, b.default_float)
        if common.is_float:
            return common
        return promote([float_element(b, e) for e in typed], b.default_float)
    return float_element(b, common_element(b, operands))


def float_element(b: Emitter, element: Element) -> Element:
    """Return the float type in which numpy computes functions such as exp.

    i8 goes to f16 and i16 to f32; where numpy goes to f64, it is the default.
    """
    given = element_of(np.exp(np.zeros(0, element.dtype)).dtype)
    return b.default_float if given == F64 != element else given


def _op_class(b: Emitter, name: str, element: Element) -> type[Op]:
    spec = MAPS[name]
    cls = spec.op
    if cls is None:
        raise unsupported(b, f"`{spec.sign or name}` on tensors")
    if spec.rule != "number" or element != I1:
        return cls
    if isinstance(spec.booleans, type):
        return spec.booleans
    fix = spec.fix or "cast them: `int(a)`"
    raise type_error(b, f"`{spec.sign or name}` is not defined on booleans", fix)


def select(b: Emitter, condition: Operand, yes: Operand, no: Operand) -> Operand:
    """Choose elementwise."""
    element = common_element(b, [yes, no])
    if not any(isinstance(o, TensorOperand) and not o.weak for o in (yes, no)):
        kind = max((kind_of(yes), kind_of(no)), key=("bool", "int", "float").index)
        element = default_element(b, kind)
    values = [materialize(b, condition, I1)]
    values += [materialize(b, o, element) for o in (yes, no)]
    values = broadcast_together(b, values, "where")
    return TensorOperand(b.builder.value(ops.Select, *values))


def to_element(b: Emitter, operand: Operand, element: Element) -> TensorOperand:
    """Convert to an element type, as `f32(x)` does."""
    if not isinstance(operand, TensorOperand) and operand.kind == "float":
        # A number is converted by the language's cast, not refused for its fraction.
        wide = materialize(b, operand, F64 if not element.is_float else element)
        return TensorOperand(materialize(b, TensorOperand(wide), element))
    return TensorOperand(materialize(b, operand, element))


def as_float(b: Emitter, operand: Operand) -> TensorOperand:
    """Return a float tensor: integers and booleans take the default float."""
    x = strong(b, operand)
    if x.type.element.is_float:
        return x
    return TensorOperand(materialize(b, x, b.default_float))
