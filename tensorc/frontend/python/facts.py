"""Facts: what a trace asks of the call that it is made for.

A trace knows types, not values. Where Python needs a number (an axis, `range(n)`, an
`if`), or where it decides the program whether a size is 1, that of the call is taken,
which makes it a fact of the compiled form: other calls have the form if they answer the
same. A function that asks nothing has one form for all values and sizes.

    facts.integer(x0 // 2)      # 3: the form is for calls where x.shape[0] // 2 is 3
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tensorc.errors import TensorcError
from tensorc.floats import letter_of
from tensorc.frontend.library.operands import Array
from tensorc.frontend.library.sizes import NoDimError, formula_of
from tensorc.frontend.python.graph.nodes import InputNode, sources_of
from tensorc.frontend.python.graph.walks import ordered
from tensorc.frontend.python.grouping.pytree import Static
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import (
    VALUE,
    Dim,
    as_symbol,
    evaluate,
    is_value,
    known_at_most,
    substitute,
    symbol,
    symbols_of,
)
from tensorc.ir.evaluation import as_given
from tensorc.ir.ops.tensor.elementwise import Compare
from tensorc.ir.ops.tensor.shape import Size
from tensorc.ir.types import I1, Element, TensorType, element_type

Plain = bool | int | float


# What is asked


@dataclass(frozen=True, slots=True)
class KnownSizes:
    """The sizes and numbers of a call, as Python spells them: x.shape[0], $n, lr.

    `floats` are truth values of NumPy, too.
    """

    integers: Mapping[str, int]
    floats: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Integer:
    """What an integer is that is made of sizes and integer arguments."""

    dim: Dim

    @property
    def numbers(self) -> list[str]:
        """The number arguments that it is made of."""
        return _numbers(self.dim)

    def answer(self, given: KnownSizes) -> int | None:
        """Return it; None if it divides by zero."""
        try:
            return _evaluated(self.dim, given)
        except ZeroDivisionError:
            return None

    def spell(self, answer: object) -> str:
        """Say what the answer is."""
        return f"{self} is {answer}"

    def __str__(self) -> str:
        return _spelled(self.dim)


COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


@dataclass(frozen=True, slots=True)
class SizeComparison:
    """Whether two such integers compare as a condition asks."""

    predicate: str
    left: Dim
    right: Dim

    @property
    def numbers(self) -> list[str]:
        """The number arguments that it is made of."""
        return _numbers(self.left) + _numbers(self.right)

    def answer(self, given: KnownSizes) -> bool | None:
        """Return it; None if one divides by zero."""
        try:
            sides = [_evaluated(d, given) for d in (self.left, self.right)]
        except ZeroDivisionError:
            return None
        return COMPARISONS[self.predicate](*sides)

    def spell(self, answer: object) -> str:
        """Say what the answer is."""
        return f"{self} is {answer}"

    def __str__(self) -> str:
        return f"{_spelled(self.left)} {_SIGNS[self.predicate]} {_spelled(self.right)}"


@dataclass(frozen=True, slots=True)
class Float:
    """What an argument is that is a float, or a truth value of NumPy."""

    path: str

    @property
    def numbers(self) -> list[str]:
        """The number argument that it is."""
        return [self.path]

    def answer(self, given: KnownSizes) -> Static:
        """Return its value."""
        return Static(given.floats[self.path])

    def spell(self, answer: object) -> str:
        """Say what the answer is."""
        return f"{self.path} is {answer}"

    def __str__(self) -> str:
        return self.path


Fact = Integer | SizeComparison | Float
Answered = tuple[Fact, object]


def _numbers(dim: Dim) -> list[str]:
    return [n.removeprefix(VALUE) for n in symbols_of(dim) if is_value(n)]


def _evaluated(dim: Dim, given: KnownSizes) -> int:
    """Return the number of a formula, which wraps as the value does: formulas are i64.

    An argument alone may be of u64, too.
    """
    number = evaluate(dim, given.integers)
    is_formula = not isinstance(dim, int) and as_symbol(dim) is None
    return (number + 2**63) % 2**64 - 2**63 if is_formula else number


def _spelled(dim: Dim) -> str:
    return str(dim).replace(VALUE, "")


# Asking


@dataclass
class Facts:
    """What a trace has asked: answers in order, of the call that it is made for."""

    given: KnownSizes
    # What Python calls the sizes and values of the arguments.
    names: Mapping[str, Dim]
    floats: Mapping[Value, str]
    numbers: frozenset[Value]
    answers: dict[Fact, object] = field(default_factory=dict)
    # The last number that was asked for and is none: NumPy may hide the error.
    refused: TensorcError | None = None
    _known: dict[str, Dim] = field(default_factory=dict)

    def _ask(self, fact: Fact) -> object:
        if fact not in self.answers:
            self.answers[fact] = fact.answer(self.given)
        return self.answers[fact]

    def _own(self, dim: Dim) -> Dim | None:
        """Return a dimension as Python spells it; None if it is of another trace."""
        if any(name not in self.names for name in symbols_of(dim)):
            return None
        return substitute(substitute(dim, self.names), self._known)

    def fixed(self, dim: Dim) -> Dim:
        """Return what a dimension is at the call, or itself where that is unknown."""
        answer = self.integer(dim)
        return dim if answer is None else answer

    def integer(self, dim: Dim) -> int | None:
        """Return what a dimension is at the call, or None if it does not give it."""
        own = self._own(dim)
        if own is None or isinstance(own, int):
            return own
        answer = self._ask(Integer(own))
        if answer is None:
            raise ZeroDivisionError(f"{_spelled(own)}: division by zero")
        assert isinstance(answer, int)
        name = as_symbol(own)
        if name is not None:
            self._known[name] = answer
        return answer

    def number(self, value: Value) -> Plain | None:
        """Return what a scalar is at the call; None if it is made of elements."""
        type_ = value.type
        assert isinstance(type_, TensorType)
        if type_.shape:
            return None
        try:
            dim = self.integer(formula_of(value, _given))
        except NoDimError:
            return self._computed(value)
        return dim if dim is None or type_.element != I1 else bool(dim)

    def truth(self, value: Value) -> bool | None:
        """Return whether a scalar is not 0 at the call, and no more of it than that."""
        op = value.op
        try:
            if isinstance(op, Compare):
                left, right = [formula_of(v, _given) for v in op.operands]
                return self.holds(op.predicate, left, right)
            return self.holds("ne", formula_of(value, _given), 0)
        except NoDimError:
            number = self.number(value)
            return None if number is None else bool(number)

    def holds(self, predicate: str, left: Dim, right: Dim) -> bool | None:
        """Return whether a comparison holds at the call; None if that is not known."""
        a, b = self._own(left), self._own(right)
        if a is None or b is None:
            return None
        if isinstance(a, int) and isinstance(b, int):
            return COMPARISONS[predicate](a, b)
        answer = self._ask(SizeComparison(predicate, a, b))
        if answer is None:
            raise ZeroDivisionError(f"{_spelled(a)}, {_spelled(b)}: division by zero")
        return bool(answer)

    def is_rest(self, dim: Dim) -> bool:
        """Tell whether a size of a new shape is -1 at the call: what is left."""
        own = self._own(dim)
        if own is None or isinstance(own, int):
            return own == -1
        return bool(_numbers(own)) and self.holds("eq", dim, -1) is True

    def is_one(self, dim: Dim) -> bool:
        """Tell whether a size is 1 at the call."""
        own = self._own(dim)
        return own == 1 or (_may_be_one(own) and self.holds("eq", dim, 1) is True)

    def is_same(self, left: Dim, right: Dim) -> bool:
        """Tell whether two sizes are equal at the call, which no retrace depends on."""
        a, b = self._own(left), self._own(right)
        if left == right or a is None or b is None:
            return left == right
        return SizeComparison("eq", a, b).answer(self.given) is True

    def misfit(self, value: Value, element: Element) -> int | None:
        """Return what an integer is at the call, if an element type cannot hold it."""
        limits = np.iinfo(str(element.dtype))
        try:
            dim = formula_of(value, _given)
        except NoDimError:  # it is computed from elements, and wraps as they do
            return None
        # No number is beyond the largest int64: nothing is asked for uint64.
        sides = {"ge": int(limits.min), "le": min(int(limits.max), 2**63 - 1)}
        fits = [self.holds(side, dim, limit) for side, limit in sides.items()]
        return self.integer(dim) if False in fits else None

    def _computed(self, value: Value) -> Plain | None:
        """Return a number that is computed from floats, all of which become known."""
        found: dict[Value, Array] = {}
        values = ordered([value], before=_parents)
        if not all(self._is_known(v) for v in values):
            return None
        with np.errstate(all="ignore"):
            for each in values:
                found[each] = self._value(each, found)
        result: Plain = found[value].item()
        return result

    def _is_known(self, value: Value) -> bool:
        if value.op is None:
            return value in self.numbers
        return isinstance(value.op, Size) or hasattr(value.op, "evaluate")

    def _value(self, value: Value, found: Mapping[Value, Array]) -> Array:
        type_, op = value.type, value.op
        assert isinstance(type_, TensorType)
        if op is None:
            dim = _given(value)
            if dim is not None:
                return np.asarray(self.integer(dim), type_.element.dtype)
            answer = self._ask(Float(self.floats[value]))
            assert isinstance(answer, Static)
            return np.asarray(answer.value, type_.element.dtype)
        if isinstance(op, Size):
            shape = op.operands[0].type
            assert isinstance(shape, TensorType)
            return np.asarray(self.integer(shape.shape[op.axis]), np.int64)
        declared = {
            n: op.attributes[n] for n in op.attribute_names if n in op.attributes
        }
        operands = as_given(op, [found[v] for v in op.operands])
        made = op.evaluate(_Context(self, op), *operands, **declared)
        return np.asarray(made, type_.element.dtype)


@dataclass(frozen=True, slots=True)
class _Context:
    """What `evaluate` of an op may ask for."""

    facts: Facts
    op: Op

    def size(self, dim: Dim) -> int:
        found = self.facts.integer(dim)
        assert found is not None
        return found

    def result_type(self) -> TensorType:
        type_ = self.op.result.type
        assert isinstance(type_, TensorType)
        return type_

    def result_element(self) -> Element:
        return element_type(self.op.result.type)


def _parents(op: Op) -> list[Value]:
    return [] if isinstance(op, Size) else op.operands


def _given(value: Value) -> Dim | None:
    return value.given if isinstance(value, InputNode) else None


def _may_be_one(dim: Dim | None) -> bool:
    """Tell whether a size may be 1; those of arguments that are 1 are known to be."""
    if dim is None or isinstance(dim, int):
        return False
    name = as_symbol(dim)
    return is_value(name) if name is not None else not known_at_most(2, dim)


# Reading a call


def read_given(paths: Sequence[str], values: Sequence[object]) -> KnownSizes:
    """Return the sizes and numbers of the arguments with these paths."""
    integers: dict[str, int] = {}
    floats: dict[str, float] = {}
    for path, value in zip(paths, values, strict=True):
        array = np.asarray(value)
        for axis, size in enumerate(array.shape):
            integers[f"{path}.shape[{axis}]"] = size
        if not array.ndim and letter_of(array.dtype) in "iu":
            integers[f"{VALUE}{path}"] = int(array)
        elif not array.ndim and letter_of(array.dtype) in "bf":
            floats[path] = array.item()
    return KnownSizes(integers, floats)


def facts_of(inputs: Mapping[str, tuple[InputNode, bool]], given: KnownSizes) -> Facts:
    """Return the facts that a trace of these inputs may ask for, by their paths.

    Each comes with whether it is a number, of Python or of NumPy: arrays stay arrays,
    so of them only the sizes are known.
    """
    names: dict[str, Dim] = {}
    floats: dict[Value, str] = {}
    for path, (value, is_number) in inputs.items():
        assert isinstance(value.type, TensorType)
        for axis, dim in enumerate(value.type.shape):
            for size in sources_of(dim):
                names.setdefault(size.name, symbol(f"{path}.shape[{axis}]"))
        if is_number and value.given is not None:
            (own,) = sources_of(value.given)
            names[own.name] = symbol(f"{VALUE}{path}")
        elif is_number:
            floats[value] = path
    numbers = [value for value, is_number in inputs.values() if is_number]
    return Facts(given, names, floats, frozenset(numbers))
