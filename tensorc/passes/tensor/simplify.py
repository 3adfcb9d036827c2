"""Bring ops to their canonical form by laws that hold for every input, bit for bit.

NaN, infinities, -0 and subnormals included: x + 0 is not x (-0 + 0 is +0), x - x is not
0, x * 0 is not 0. Rules do not ask how often a value is used, know no costs, and make
nothing longer. A constant of one number is a rank-0 constant, broadcast. Branches are
simplified by `branches`.

Before:
  %0 = "tc.neg"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "tc.add"(%y, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
After:
  %0 = "tc.sub"(%y, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
"""

from collections.abc import Callable, Sequence

import numpy as np

from tensorc.floats import is_float
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, evaluate
from tensorc.ir.evaluation import as_element, as_given
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import ELEMENTWISE, EXACT
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.derivatives import StopGradient
from tensorc.ir.ops.tensor.elementwise import (
    Add,
    And,
    Cast,
    Compare,
    Div,
    Maximum,
    Minimum,
    Mul,
    Neg,
    Not,
    Or,
    Select,
    Sub,
)
from tensorc.ir.ops.tensor.indexing import Gather
from tensorc.ir.ops.tensor.making import Constant, Iota
from tensorc.ir.ops.tensor.reductions import Max, Mean, Sum, Top1
from tensorc.ir.ops.tensor.shape import (
    Broadcast,
    Reshape,
    Size,
    Slice,
    Transpose,
    Unslice,
)
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import I1, I64, Element
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.common.rewriter import (
    Made,
    Match,
    Rule,
    Scalar,
    Splat,
    apply_to_fixpoint,
    splat_of,
    term,
    var,
)
from tensorc.passes.tensor.branches import simplify_branches
from tensorc.target import Target

LARGEST_FOLD = 64  # elements of an operand or result that is computed here
# Bits of an integer that is exact.
SIGNIFICAND = {"f16": 11, "bf16": 8, "f32": 24, "f64": 53}


def _bits(number: Scalar, value: float) -> bool:
    """Return whether a number is a value, and for zeros of the same sign."""
    return number.tobytes() == np.array(value).astype(number.dtype).tobytes()


def _is_float(number: Scalar) -> bool:
    return is_float(number.dtype)


def _changes_no_sum(number: Scalar) -> bool:
    """Return whether x + number is x: -0.0, because -0.0 + 0.0 is 0.0."""
    return _bits(number, -0.0) if _is_float(number) else bool(number == 0)


def _is_signed_minus_one(number: Scalar) -> bool:
    return bool(
        np.issubdtype(number.dtype, np.signedinteger) or _is_float(number)
    ) and (_bits(number, -1))


def _inverse(number: Scalar) -> float:
    with np.errstate(over="ignore"):
        return float(np.divide(number.dtype.type(1), number))


def _has_exact_inverse(number: Scalar) -> bool:
    """Tell powers of two whose inverse is a number of the type too."""
    value = float(number)
    if not np.isfinite(value) or value == 0 or abs(np.frexp(value)[0]) != 0.5:
        return False
    inverse = _inverse(number)
    return np.isfinite(inverse) and inverse * value == 1


x, y, c = var("x"), var("y"), var("c")
one = Splat("one", lambda n: bool(n == 1))
minus_one = Splat("minus_one", _is_signed_minus_one)
additive_zero = Splat("zero", _changes_no_sum)
plus_zero = Splat("zero", lambda n: _bits(n, 0.0))
power_of_two = Splat("power", _has_exact_inverse)
true = Splat("true", lambda n: n.dtype == np.bool_ and bool(n))
false = Splat("false", lambda n: n.dtype == np.bool_ and not bool(n))


def _multiply_by_inverse(b: TensorBuilder, match: Match) -> Value:
    inverse = b.full_like(match.root.operands[1], _inverse(match.numbers["power"]))
    return b(Mul, match.values["x"], inverse)


def _has_operand_type(match: Match) -> bool:
    return match.values["x"].type == match.root.result.type


def _keeps_axes(match: Match) -> bool:
    axes = match.root.attributes["axes"]
    return _has_operand_type(match) and axes == tuple(range(len(_dims(match))))


def _dims(match: Match) -> tuple[Dim, ...]:
    return tensor_type(match.root.result).shape


def _tuple(op: Op, name: str) -> tuple[int, ...]:
    given = op.attributes[name]
    assert isinstance(given, tuple)
    return given


def _broadcast_once(b: TensorBuilder, match: Match) -> Value:
    outer = _tuple(match.root, "axes")
    axes = [outer[a] for a in _tuple(match.ops["inner"], "axes")]
    return b.broadcast(match.values["x"], _dims(match), axes)


def _transpose_once(b: TensorBuilder, match: Match) -> Value:
    inner = _tuple(match.ops["inner"], "permutation")
    outer = _tuple(match.root, "permutation")
    return b.transpose(match.values["x"], [inner[a] for a in outer])


def _is_identity(match: Match) -> bool:
    permutation = _tuple(match.root, "permutation")
    return permutation == tuple(range(len(permutation)))


def _reshape_to_result(b: TensorBuilder, match: Match) -> Value:
    return b.reshape(match.values["x"], _dims(match))


def _is_whole(match: Match) -> bool:
    """Return whether a slice starts at 0, takes each element and has the same type."""
    starts = match.root.attributes["starts"]
    assert isinstance(starts, Dims)
    taken = zip(starts.dims, _tuple(match.root, "steps"), _dims(match), strict=True)
    fits = all(s == 0 and (step == 1 or n == 1) for s, step, n in taken)
    return fits and _has_operand_type(match)


def _reduces_one_element(match: Match) -> bool:
    shape = tensor_type(match.values["x"]).shape
    return all(shape[axis] == 1 for axis in _tuple(match.root, "axes"))


def _element_at_zero(b: TensorBuilder, match: Match) -> list[Value]:
    value = b.reshape(match.values["x"], tensor_type(match.root.results[0]).shape)
    return [value, b.zeros_like(match.root.results[1])]


def _quotient_by_count(b: TensorBuilder, match: Match) -> Value:
    shape, element = _dims(match), tensor_type(match.root.result).element
    count = b.everywhere(b.cast(match.values["y"], element), shape)
    return b(Div, _reshape_to_result(b, match), count)


def _elements(match: Match) -> tuple[Element, Element, Element]:
    values = (match.values["x"], match.ops["inner"].result, match.root.result)
    source, middle, target = (tensor_type(v).element for v in values)
    return source, middle, target


def _keeps_values(source: Element, target: Element) -> bool:
    """Return whether each value of a type is one of another type."""
    if source in (target, I1):
        return True
    if source.is_float or target == I1:
        # f16 and bf16 have each what the other has not.
        return source.is_float and target.is_float and source.bits < target.bits
    unsigned = source.is_unsigned
    if target.is_float:
        return source.bits - (0 if unsigned else 1) <= SIGNIFICAND[target.name]
    if unsigned and not target.is_unsigned:
        return source.bits < target.bits
    return unsigned == target.is_unsigned and source.bits <= target.bits


def _middle_is_exact(match: Match) -> bool:
    """Return whether the first of two casts can be left out.

    An integer that goes through a float to another integer type stays: floats saturate
    where integers wrap.
    """
    source, middle, target = _elements(match)
    wraps = middle.is_float and not (source.is_float or target.is_float)
    harmless = not wraps or target in (source, I1) or source == I1
    return _keeps_values(source, middle) and harmless


def _cast_once(b: TensorBuilder, match: Match) -> Value:
    return b.cast(match.values["x"], _elements(match)[2])


def _has_known_size(match: Match) -> bool:
    return isinstance(_size(match), int)


def _size(match: Match) -> Dim:
    axis = match.root.attributes["axis"]
    assert isinstance(axis, int)
    return tensor_type(match.values["x"]).shape[axis]


def _size_constant(b: TensorBuilder, match: Match) -> Value:
    size = _size(match)
    assert isinstance(size, int)
    return b.scalar(size, I64)


def _is_scalar(match: Match) -> bool:
    return tensor_type(match.values["x"]).rank == 0


def _spread(b: TensorBuilder, match: Match) -> Value:
    """Move a number that is everywhere: broadcast it to the shape at once."""
    return b.everywhere(match.values["x"], _dims(match))


def _takes_rows_of_eye(match: Match) -> bool:
    axes = (match.ops["row"].attributes["axis"], match.ops["column"].attributes["axis"])
    return axes == (0, 1) and _tuple(match.root, "axes") == (0,)


def _one_hot(b: TensorBuilder, match: Match) -> Value:
    """Gather the numbers of the rows instead: what wraps and what fails stays."""
    row, shape = match.ops["row"].result, _dims(match)
    element, last = tensor_type(row).element, len(shape) - 1
    count = b.iota(tensor_type(row).shape[:1], 0, element)
    number = b.gather(count, [match.values["y"]], (0,))
    rows = b.broadcast(number, shape, range(last))
    equal = b(Compare, rows, b.iota(shape, last, element), predicate="eq")
    return b.cast(equal, tensor_type(match.root.result).element)


inner_broadcast = term(Broadcast, x, name="inner")
inner_transpose = term(Transpose, x, name="inner")
inner_cast = term(Cast, x, name="inner")
row, column = term(Iota, name="row"), term(Iota, name="column")
eye = term(Cast, term(Compare, row, column, predicate="eq"))

# What hides no naive spelling from `stabilize`, which knows a softmax by its sum.
SPELLINGS = (
    # Sums and differences. -0.0 is what changes nothing.
    Rule("add-zero", term(Add, x, additive_zero), x),
    Rule("sub-zero", term(Sub, x, plus_zero), x),
    Rule("zero-sub", term(Sub, additive_zero, x), term(Neg, x)),
    Rule("add-neg", term(Add, x, term(Neg, y)), term(Sub, x, y)),
    Rule("sub-neg", term(Sub, x, term(Neg, y)), term(Add, x, y)),
    Rule("neg-of-neg", term(Neg, term(Neg, x)), x),
    # Products and quotients.
    Rule("mul-one", term(Mul, x, one), x),
    Rule("mul-minus-one", term(Mul, x, minus_one), term(Neg, x)),
    Rule("mul-neg-neg", term(Mul, term(Neg, x), term(Neg, y)), term(Mul, x, y)),
    Rule("div-one", term(Div, x, one), x),
    Rule("div-minus-one", term(Div, x, minus_one), term(Neg, x)),
    Rule("div-neg-neg", term(Div, term(Neg, x), term(Neg, y)), term(Div, x, y)),
    Rule("div-power-of-two", term(Div, x, power_of_two), _multiply_by_inverse),
    # Choices.
    Rule("select-same", term(Select, c, x, x), x),
    Rule("select-true", term(Select, true, x, y), x),
    Rule("select-false", term(Select, false, x, y), y),
    Rule("select-not", term(Select, term(Not, c), x, y), term(Select, c, y, x)),
    Rule("maximum-same", term(Maximum, x, x), x),
    Rule("minimum-same", term(Minimum, x, x), x),
    # Booleans.
    Rule("not-of-not", term(Not, term(Not, x)), x),
    Rule("and-same", term(And, x, x), x),
    Rule("or-same", term(Or, x, x), x),
    Rule("and-true", term(And, x, true), x),
    Rule("and-false", term(And, x, false), Splat("false", lambda n: True)),
    Rule("or-false", term(Or, x, false), x),
    Rule("or-true", term(Or, x, true), Splat("true", lambda n: True)),
    # Casts.
    Rule("cast-same", term(Cast, x), x, _has_operand_type),
    Rule("cast-of-cast", term(Cast, inner_cast), _cast_once, _middle_is_exact),
    # Movement.
    Rule("broadcast-same", term(Broadcast, x), x, _keeps_axes),
    Rule("broadcast-of-broadcast", term(Broadcast, inner_broadcast), _broadcast_once),
    Rule("reshape-of-splat", term(Reshape, inner_broadcast), _spread, _is_scalar),
    Rule("transpose-of-splat", term(Transpose, inner_broadcast), _spread, _is_scalar),
    Rule("slice-of-splat", term(Slice, inner_broadcast), _spread, _is_scalar),
    Rule("reshape-same", term(Reshape, x), x, _has_operand_type),
    Rule("reshape-of-reshape", term(Reshape, term(Reshape, x)), _reshape_to_result),
    Rule("transpose-same", term(Transpose, x), x, _is_identity),
    Rule("transpose-of-transpose", term(Transpose, inner_transpose), _transpose_once),
    Rule("slice-whole", term(Slice, x), x, _is_whole),
    Rule("unslice-whole", term(Unslice, x), x, _is_whole),
    Rule("max-of-one", term(Max, x), _reshape_to_result, _reduces_one_element),
    Rule("top1-of-one", term(Top1, x), _element_at_zero, _reduces_one_element),
    Rule("known-size", term(Size, x), _size_constant, _has_known_size),
    # Rows of a unit matrix are compared with a count, and no matrix is made.
    Rule("gather-of-eye", term(Gather, eye, y), _one_hot, _takes_rows_of_eye),
)
RULES = (
    *SPELLINGS,
    Rule("sum-of-one", term(Sum, x), _reshape_to_result, _reduces_one_element),
    Rule("mean-of-one", term(Mean, x, y), _quotient_by_count, _reduces_one_element),
    # Not before: derivatives stop at it.
    Rule("stop-gradient", term(StopGradient, x), x),
)


class _Static:
    """What `evaluate` may ask when an op is folded: sizes that are numbers."""

    def size(self, dim: Dim) -> int:
        return evaluate(dim, {})


def fold(b: TensorBuilder, op: Op) -> Made | None:
    """Compute an exact op whose operands are constants, by its `evaluate`.

    Elementwise ops are computed on the one number that fills their operands.
    """
    if isinstance(op, Constant):
        return _as_splat(b, op)
    if EXACT not in op.traits or not op.operands or isinstance(op, Broadcast):
        return None
    if ELEMENTWISE in op.traits and tensor_type(op.result).rank > 0:
        numbers = [splat_of(v) for v in op.operands]
        arrays = [np.asarray(n) for n in numbers if n is not None]
        if len(arrays) == len(numbers):
            (number,) = _evaluate(op, arrays)
            type_ = tensor_type(op.result)
            return b.broadcast(b.constant(number), type_.shape, ())
    constants = [v.op.value.value for v in op.operands if isinstance(v.op, Constant)]
    small = all(values.size <= LARGEST_FOLD for values in constants)
    if len(constants) < len(op.operands) or not small:
        return None
    return _fold_constants(b, op, constants)


def _as_splat(b: TensorBuilder, op: Constant) -> Value | None:
    number = splat_of(op.result)
    type_ = tensor_type(op.result)
    if number is None or type_.rank == 0:
        return None
    return b.broadcast(b.constant(np.asarray(number)), type_.shape, ())


def _fold_constants(b: TensorBuilder, op: Op, constants: list[Array]) -> Made | None:
    for result in op.results:
        size = 1
        for dim in tensor_type(result).shape:
            if not isinstance(dim, int):
                return None
            size *= dim
        if size > LARGEST_FOLD:
            return None
    try:
        return [b.constant(value) for value in _evaluate(op, constants)]
    except KeyError:
        # A symbol in an attribute: the start of a slice that is not known yet.
        return None


def _evaluate(op: Op, operands: list[Array]) -> list[Array]:
    with np.errstate(all="ignore"):
        given = op.evaluate(_Static(), *as_given(op, operands), **op.attributes)
    results = given if isinstance(given, tuple) else (given,)
    pairs = zip(results, op.results, strict=True)
    return [as_element(v, tensor_type(r).element) for v, r in pairs]


def _with_branches(
    rules: Sequence[Rule], join: bool
) -> Callable[[Module, Target], Module]:
    """Return the function of a pass that applies rules, and simplifies branches.

    `join` is that of `simplify_branches`.
    """
    rewrite = apply_to_fixpoint(rules, fold)

    def run(module: Module, target: Target) -> Module:
        changed = [True]
        while any(changed):
            module = rewrite(module, target)
            changed = [simplify_branches(f, join) for f in module.functions]
        return module

    return run


TIDY = Pass(
    "tidy",
    Level.TENSOR,
    Level.TENSOR,
    _with_branches(SPELLINGS, join=False),
    "Bring ops to their canonical form, as `simplify` does, but drop no sum or mean.",
)
SIMPLIFY = Pass(
    "simplify", Level.TENSOR, Level.TENSOR, _with_branches(RULES, join=True), __doc__
)
