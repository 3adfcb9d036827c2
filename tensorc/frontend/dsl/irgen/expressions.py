"""Expressions: one function for each kind of node, in a table."""

import math
import re
from collections.abc import Callable, Container, Mapping
from typing import cast

import numpy as np

from tensorc.errors import CompileError, ShapeError
from tensorc.frontend.dsl.irgen import draws, loops
from tensorc.frontend.dsl.irgen.calls import call
from tensorc.frontend.dsl.irgen.context import Frame, operand_label
from tensorc.frontend.dsl.irgen.derivatives import DERIVATIVES
from tensorc.frontend.dsl.irgen.errors import (
    INDEX,
    NO_VALUE,
    NOT_KNOWN,
    UNKNOWN_NAME,
    error,
    moved,
    not_compiled,
    spelled,
    suggestion,
    with_labels,
)
from tensorc.frontend.dsl.irgen.types import element_of_name
from tensorc.frontend.dsl.irgen.values import (
    BuiltinValue,
    CastValue,
    DerivativeValue,
    GroupValue,
    Known,
    MemoryRef,
    NoneValue,
    TextValue,
    TupleValue,
    describe,
)
from tensorc.frontend.dsl.syntax import ast, habits
from tensorc.frontend.library.advanced_indexing import take
from tensorc.frontend.library.algebra.products import matmul
from tensorc.frontend.library.elementwise import elementwise
from tensorc.frontend.library.indexing import At, Index, NewAxis, Rest, SlicePart
from tensorc.frontend.library.maps import ROWS
from tensorc.frontend.library.operands import (
    Array,
    Literal,
    Operand,
    Scalar,
    TensorOperand,
    number,
    strong,
)
from tensorc.frontend.library.registry.numpy_names import PLANNED, is_planned
from tensorc.frontend.library.registry.rows import LANGUAGE
from tensorc.frontend.library.shapes import transpose

# Names of numbers; a file's own names win.
CONSTANTS: Mapping[str, float] = {"pi": math.pi, "inf": math.inf, "nan": math.nan}


def _signs(rules: Container[str]) -> Mapping[str, str]:
    """Return the functions of two operands by their signs."""
    pairs = [(row.name, row.map) for row in ROWS if len(row.tensors) == 2]
    return {m.sign: name for name, m in pairs if m and m.sign and m.rule in rules}


BINARY = _signs(("number", "quotient"))
COMPARE = _signs(("compare",))
_METHODS = {"T", "shape"}


def name(frame: Frame, node: ast.Name) -> Known:
    """Return what a name stands for: the file's own names win over the prelude's."""
    found = frame.scope.find(node.name)
    if found is not None:
        return frame.use(found.value, node.location)
    if node.name == "training":
        return number(frame.training)
    if node.name in DERIVATIVES:
        return DerivativeValue(node.name)
    if node.name in LANGUAGE:
        return BuiltinValue(node.name, LANGUAGE[node.name])
    if node.name == "params":
        raise not_compiled("a group", node.location, "name the params one by one")
    if node.name in CONSTANTS:
        return number(CONSTANTS[node.name])
    if node.name in draws.NAMES:
        habit = habits.SEMANTIC["draw"]
        raise CompileError(habits.diagnose(habit, node.location, name=node.name))
    if is_planned(node.name):
        hints = _instead(node.name)
        raise not_compiled(f"the library's `{node.name}`", node.location, *hints)
    known = [*frame.scope.all_names(), "training", *DERIVATIVES, *LANGUAGE, *CONSTANTS]
    hints = habits.instead_of(node.name) or suggestion(node.name, known)
    raise error(UNKNOWN_NAME, f"unknown name `{node.name}`", node.location, *hints)


# Ways out that NumPy has other words for.
_INSTEAD: Mapping[str, str] = {
    "dropout": "a function of steps: `if not training { return x }`, "
    "`keep: like x ~ bernoulli(1 - p)`, `return x * keep / (1 - p)`",
    "permutation": "`argsort(u)` of a draw `u: float[n] ~ uniform()`",
    "cond": "`if c { y = a } else { y = b }`",
    "scan": "`ys = for x in xs { … yield y }`",
}


def _instead(name: str) -> tuple[str, ...]:
    """Return what to write for a function of NumPy, if the language can say it."""
    given = PLANNED.get(name, "").replace("np.", "").replace("None", "none")
    called = re.findall(r"([A-Za-z_][\w.]*)\(", given)
    if not LANGUAGE.keys() >= {*called} or re.search(r"[(= ]\[|\bx\.", given):
        given = ""
    text = _INSTEAD.get(name, given)
    return (f"write {text}",) if text else ()


def number_(frame: Frame, node: ast.Number) -> Known:
    """Return a literal, which has no type yet."""
    return number(node.value)


def string(frame: Frame, node: ast.String) -> Known:
    """Return a text."""
    return TextValue(node.value)


def constant(frame: Frame, node: ast.Constant) -> Known:
    """Return true, false or none."""
    return NoneValue() if node.value is None else number(node.value)


def cast_(frame: Frame, node: ast.Cast) -> Known:
    """Return a dtype."""
    return CastValue(element_of_name(frame.unit, node.dtype, node.location))


def negative(frame: Frame, node: ast.Negative) -> Known:
    """Return -x."""
    return _unary(frame, "neg", node.operand)


def not_(frame: Frame, node: ast.Not) -> Known:
    """Return not x."""
    return _unary(frame, "not", node.operand)


def _unary(frame: Frame, name: str, node: ast.Expression) -> Known:
    operand = frame.operand(node)
    try:
        return elementwise(frame.emitter, name, [operand])
    except CompileError as failure:
        raise with_labels(failure, [operand_label(frame, node, operand)]) from None


def binary(frame: Frame, node: ast.Binary) -> Known:
    """Return lhs op rhs; an error shows both operands."""
    lhs, rhs = frame.operand(node.lhs), frame.operand(node.rhs)
    frame.entry.builder.location = node.location
    try:
        if node.op == "@":
            return matmul(frame.emitter, lhs, rhs)
        return elementwise(frame.emitter, BINARY[node.op], [lhs, rhs])
    except CompileError as failure:
        labels = [operand_label(frame, *p) for p in ((node.lhs, lhs), (node.rhs, rhs))]
        hints = _matmul_hint(frame, node, lhs, rhs) if node.op == "@" else ()
        failure = with_labels(failure, labels, *hints)
        raise moved(failure, node.op_location) from None


def _matmul_hint(
    frame: Frame, node: ast.Binary, lhs: Operand, rhs: Operand
) -> tuple[str, ...]:
    """Propose to transpose the right operand if that would fit."""
    if not isinstance(lhs, TensorOperand) or not isinstance(rhs, TensorOperand):
        return ()
    left, right = frame.emitter.shape(lhs), frame.emitter.shape(rhs)
    if len(right) != 2 or not left or left[-1] != right[-1]:
        return ()
    names = spelled(node.lhs), spelled(node.rhs)
    if names[1].endswith(".T"):
        plain = names[1].removesuffix(".T")
        return (f"leave the transpose out: {names[0] or '...'} @ {plain}",)
    if not names[1]:
        return ("transpose the right operand",)
    what = "weight" if _is_memory(frame, node.rhs) else "right operand"
    formula = f"{names[0]} @ {names[1]}.T" if names[0] else f"... @ {names[1]}.T"
    return (f"transpose the {what}: {formula}",)


def _is_memory(frame: Frame, node: ast.Expression) -> bool:
    found = frame.find(node)
    return found is not None and isinstance(found.value, MemoryRef)


def compare(frame: Frame, node: ast.Compare) -> Known:
    """Return a chain of comparisons; each operand is computed once."""
    operands = [frame.operand(o) for o in node.operands]
    frame.entry.builder.location = node.location
    result: Operand | None = None
    for i, sign in enumerate(node.ops):
        pair = operands[i : i + 2]
        try:
            link = elementwise(frame.emitter, COMPARE[sign], pair)
        except CompileError as failure:
            sides = zip(node.operands[i : i + 2], pair, strict=True)
            labels = [operand_label(frame, n, v) for n, v in sides]
            raise with_labels(failure, labels) from None
        if result is not None:
            link = elementwise(frame.emitter, "and", [result, link])
        result = link
    assert result is not None
    return result


def logical(frame: Frame, node: ast.Logical) -> Known:
    """Return a and b, a or b: elementwise; known operands decide at once."""
    result = frame.operand(node.operands[0])
    for other in node.operands[1:]:
        decides = isinstance(result, Scalar) and result.number is (node.op == "or")
        if decides:
            return result
        value = frame.operand(other)
        frame.entry.builder.location = node.location
        try:
            result = elementwise(frame.emitter, node.op, [result, value])
        except CompileError as failure:
            # Of `a and b and c` the left side is the rest without its last part.
            pairs = [(node.operands[0], result), (other, value)]
            labels = [operand_label(frame, *pair) for pair in pairs]
            raise with_labels(failure, labels) from None
    return result


# Fields and items


def field(frame: Frame, node: ast.Field) -> Known:
    """Return x.T, x.shape or a member of a group; everything else is a function."""
    value = frame.evaluate(node.operand)
    if isinstance(value, GroupValue):
        return frame.member(value, node.name, node.location)
    if isinstance(value, MemoryRef | TensorOperand | Literal | Scalar):
        operand = frame.as_operand(value, node.operand)
        if node.name == "T":
            return transpose(frame.emitter, operand)
        if node.name == "shape":
            return _shape(frame, operand)
        raise _no_field(node)
    message = f"`.{node.name}` of {describe(value)}"
    raise error(NO_VALUE, f"{message} means nothing", node.location)


def _shape(frame: Frame, operand: Operand) -> TupleValue:
    shape = frame.emitter.shape(strong(frame.emitter, operand))
    return TupleValue(tuple(number(d) for d in shape))


def _no_field(node: ast.Field) -> CompileError:
    if node.name in LANGUAGE or is_planned(node.name):
        operand = spelled(node.operand) or "x"
        habit = habits.SEMANTIC["method"]
        diagnostic = habits.diagnose(
            habit, node.location, name=node.name, operand=operand
        )
        return CompileError(diagnostic)
    hints = suggestion(node.name, [*_METHODS, *LANGUAGE])
    message = f"a tensor has no `.{node.name}`"
    return error(UNKNOWN_NAME, message, node.location, *hints)


def item(frame: Frame, node: ast.Item) -> Known:
    """Return x[indices]."""
    value = frame.evaluate(node.operand)
    if isinstance(value, TupleValue):
        return _element(frame, value, node)
    x = strong(frame.emitter, frame.as_operand(value, node.operand))
    indices = [_index(frame, i) for i in node.indices]
    frame.entry.builder.location = node.location
    try:
        return take(frame.emitter, x, indices)
    except CompileError as failure:
        labels = [operand_label(frame, node.operand, x)]
        labels += [
            operand_label(frame, location, TensorOperand(index.value))
            for location, index in zip(node.indices, indices, strict=True)
            if isinstance(index, TensorOperand)
        ]
        raise with_labels(failure, labels) from None


def _element(frame: Frame, value: TupleValue, node: ast.Item) -> Known:
    if len(node.indices) != 1 or isinstance(node.indices[0], ast.Slice | ast.AnyDims):
        raise error(INDEX, "a tuple takes one index", node.location)
    index = frame.size(node.indices[0], "the index of a tuple")
    count = len(value.elements)
    if not isinstance(index, int):
        message = "the index of a tuple must be known while compiling"
        raise error(NOT_KNOWN, message, node.location)
    if not -count <= index < count:
        message = f"index {index} is out of range for {count} elements"
        raise error(INDEX, message, node.indices[0].location)
    return value.elements[index]


def _index(frame: Frame, node: ast.Index) -> Index:
    if isinstance(node, ast.AnyDims):
        return Rest()
    if isinstance(node, ast.Slice):
        return _slice(frame, node)
    value = frame.evaluate(node)
    if isinstance(value, NoneValue):
        return NewAxis()
    if isinstance(value, Scalar):
        return At(frame.as_size(value, node, "an index"))
    return strong(frame.emitter, frame.as_operand(value, node))


def _slice(frame: Frame, node: ast.Slice) -> SlicePart:
    start, stop = (
        None if n is None else frame.size(n, "a bound of a slice")
        for n in (node.start, node.stop)
    )
    step = 1 if node.step is None else frame.size(node.step, "the step of a slice")
    if not isinstance(step, int):
        message = "the step of a slice must be known while compiling"
        raise error(NOT_KNOWN, message, node.location)
    return SlicePart(start, stop, step)


# Tuples and lists


def tuple_(frame: Frame, node: ast.Tuple) -> Known:
    """Return several values."""
    return TupleValue(tuple([frame.evaluate(e) for e in node.elements]))


def list_(frame: Frame, node: ast.List) -> Known:
    """Return an array of numbers without a type; tensors are not stacked yet."""
    parts = [_list_element(frame, e) for e in node.elements]
    shapes = sorted({p.shape for p in parts})
    if len(shapes) > 1:
        message = f"the elements of a list have different shapes: {list(shapes[0])} "
        message += f"and {list(shapes[1])}"
        failure = error("TC0301", message, node.location)
        raise ShapeError(*failure.diagnostics)
    array = np.stack(parts) if parts else np.zeros(0)
    return Literal(array)


def _list_element(frame: Frame, node: ast.Expression) -> Array:
    value = frame.evaluate(node)
    if isinstance(value, Literal):
        return value.values
    if isinstance(value, Scalar) and value.source is None:
        plain = value.number
        if isinstance(plain, int) and plain.bit_length() > 63:
            raise error("TC0315", f"{plain} does not fit int", node.location)
        if isinstance(plain, bool | int | float):
            return np.asarray(plain)
    if isinstance(value, TensorOperand | MemoryRef | Scalar):
        raise not_compiled("a list of values that are not plain numbers", node.location)
    message = f"a list holds numbers, this is {describe(value)}"
    raise error(NO_VALUE, message, node.location)


def each(frame: Frame, node: ast.Each) -> Known:
    """Stack an expression for each element of axes: [f(x) for x in xs]."""
    if frame.entry.constant:
        raise not_compiled("a list made with `for` outside of functions", node.location)
    return loops.each(frame, node)


EXPRESSIONS: Mapping[type, Callable[[Frame, ast.Node], Known]] = cast(
    "Mapping[type, Callable[[Frame, ast.Node], Known]]",
    {
        ast.Name: name,
        ast.Number: number_,
        ast.String: string,
        ast.Constant: constant,
        ast.Cast: cast_,
        ast.Negative: negative,
        ast.Not: not_,
        ast.Binary: binary,
        ast.Compare: compare,
        ast.Logical: logical,
        ast.Field: field,
        ast.Call: call,
        ast.Item: item,
        ast.Tuple: tuple_,
        ast.List: list_,
        ast.Each: each,
    },
)
