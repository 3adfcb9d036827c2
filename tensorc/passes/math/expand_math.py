"""Replace functions of floats by arithmetic: the one math library of all targets.

Each function is written once (`functions`, `erf`, `powers`, `trigonometry`), as a builder
of arith, math.fma and tc_math.scale ops for a scalar or a vector, and has a row in the
table of its module; so the interpreter, the CPU and the GPU agree bit for bit.

Source:
  fn f(x: float) -> float = exp(x)
Before:
  func.func @f.k0(%x: memref<?xf32>, %result: memref<?xf32>, %begin: index, %end: index, %scratch: memref<?xi8>) {
    …
    %1 = memref.load %x, %0 : f32
    %2 = math.exp %1 : f32
    memref.store %2, %result, %0
    func.return
  } {tc.kernel = true}
  …
After:
  func.func @f.k0(%x: memref<?xf32>, %result: memref<?xf32>, %begin: index, %end: index, %scratch: memref<?xi8>) {
    %0 = arith.constant {value = 0 : index} : index
    %1 = memref.load %x, %0 : f32
    %2 = arith.constant {value = -104.0 : f32} : f32
    %3 = arith.constant {value = 89.0 : f32} : f32
    %4 = arith.cmpf %1, %3 {predicate = 2} : i1
    %5 = arith.select %4, %3, %1 : f32
    …
    %29 = math.fma %28, %18, %19 : f32
    %30 = math.fma %29, %18, %19 : f32
    %31 = tc_math.scale %30, %14 : f32
    memref.store %31, %result, %0
    func.return
  } {tc.kernel = true}
  …

Errors are stated in docs/numerics.md. The coefficients were fitted by
`tests/passes/remez.py` (the exchange algorithm of Remez).
"""  # noqa: E501

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value, clone_op, value_types
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.scalar import conversions
from tensorc.ir.ops.scalar.arith import with_element
from tensorc.ir.types import (
    BF16,
    F16,
    F32,
    F64,
    Element,
    Type,
    VectorType,
    element_type,
)
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.math import (
    arcs,
    bases,
    erf,
    erfinv,
    functions,
    gamma,
    hyperbolas,
    powers,
    trigonometry,
)
from tensorc.passes.math.builder import DOUBLE, SINGLE, Expansion, Format, MathBuilder
from tensorc.passes.math.builder import MathFunction as MathFunction
from tensorc.target import Target

Row = tuple[Format, MathFunction]


def _by_way_of(format_: Format, function: MathFunction) -> Row:
    """Return the row of a narrower type: the function of a wider one, rounded."""

    def narrow(m: MathBuilder, *operands: Value) -> Value:
        types = [with_element(operands[0].type, format_.element)]
        wide = [m.builder.value(conversions.ExtF, x, types=types) for x in operands]
        result = function(m, *wide)
        types = [operands[0].type]
        return m.builder.value(conversions.TruncF, result, types=types)

    return format_, narrow


def _rows(cls: type[Op], written: Expansion) -> dict[tuple[type[Op], Element], Row]:
    """Return the rows of a function; one of three is computed in f64 for every type."""
    if not isinstance(written, tuple):
        return {
            **{(cls, e): _by_way_of(SINGLE, written) for e in (F16, BF16)},
            (cls, F32): (SINGLE, written),
            (cls, F64): (DOUBLE, written),
        }
    half, single, double = written
    return {
        (cls, F16): _by_way_of(DOUBLE, half),
        # Its numbers are as large as those of f32.
        **{(cls, e): _by_way_of(DOUBLE, single) for e in (BF16, F32)},
        (cls, F64): (DOUBLE, double),
    }


_MODULES = (
    *(functions, erf, powers, trigonometry, arcs, hyperbolas, bases, erfinv),
    gamma,
)
FUNCTIONS: Mapping[tuple[type[Op], Element], Row] = MappingProxyType(
    {
        key: row
        for module in _MODULES
        for cls, written in module.EXPANSIONS.items()
        for key, row in _rows(cls, written).items()
    }
)
_EXPANDED = frozenset(cls for cls, _ in FUNCTIONS)


def expand_math(module: Module, target: Target) -> Module:
    """Replace every math op of the table in all functions."""
    for function in module.functions:
        _expand_function(function)
    return module


@dataclass(frozen=True, slots=True)
class _Expanded:
    """What one op became, of operands of its own: what is alike is a copy of it."""

    operands: Sequence[Value]
    ops: Sequence[Op]
    result: Value


# By the class of the op, and the types of its operands and its result.
_Known = dict[tuple[type[Op], tuple[Type, ...]], _Expanded]


def _expand_function(function: Function) -> None:
    replaced: dict[Value, Value] = {}
    known: _Known = {}
    for outer in [op for op in function.walk() if op.regions]:
        for region in outer.regions:
            for block in region.blocks:
                _expand_block(block, replaced, known)


def _expand_block(block: Block, replaced: dict[Value, Value], known: _Known) -> None:
    """Expand the ops of a block; what it reads was defined in blocks before it."""
    before, block.ops = block.ops, []
    for op in before:
        if replaced:
            op.operands = [replaced.get(v, v) for v in op.operands]
        if type(op) in _EXPANDED:
            replaced[op.result] = _expand(block, op, known)
        else:
            block.ops.append(op)


def _expand(block: Block, op: Op, known: _Known) -> Value:
    """Append what an op becomes, and return its result."""
    key = type(op), value_types([*op.operands, op.result])
    if key in known:
        model = known[key]
        values = dict(zip(model.operands, op.operands, strict=True))
        for inner in model.ops:
            block.append(clone_op(inner, values, op.location))
        return values.get(model.result, model.result)
    first, type_ = len(block.ops), op.result.type
    format_, function = FUNCTIONS[type(op), element_type(type_)]
    lanes = type_.lanes if isinstance(type_, VectorType) else 0
    builder = Builder(block, location=op.location)
    result = function(MathBuilder(builder, format_, lanes), *op.operands)
    made = block.ops[first:]
    # What stands in regions would keep its location.
    if len({*op.operands}) == len(op.operands) and not any(o.regions for o in made):
        known[key] = _Expanded(op.operands, made, result)
    return result


EXPAND_MATH = Pass("expand-math", Level.LOOP, Level.LOOP, expand_math, __doc__)
