"""What the branches of an `if` on a value agree on: the results of its `tc.if`.

A name has one type behind the `if`. Typed values have it already, numbers without a
type take that of the other branch, shape included; two of these stay a number without
a type. Sizes are made equal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tensorc.errors import Label, Location
from tensorc.frontend.dsl.irgen.context import Frame, resolved
from tensorc.frontend.dsl.irgen.errors import NO_VALUE, SIZES, TYPES
from tensorc.frontend.dsl.irgen.values import (
    Binding,
    Broken,
    BuiltinValue,
    FunctionValue,
    Known,
    MemoryRef,
    TupleValue,
    Unusable,
    describe,
)
from tensorc.frontend.library.operands import (
    Emitter,
    Formula,
    Literal,
    Operand,
    Scalar,
    Shape,
    TensorOperand,
    broadcast,
    common_element,
    is_strong,
    kind_of,
    materialize,
    pinned,
    spell_shape,
)
from tensorc.ir.branches import isolate
from tensorc.ir.core import Region, Value
from tensorc.ir.dims import symbols_of
from tensorc.ir.ops.control import Yield
from tensorc.ir.types import I1, Element, TensorType

Finish: TypeAlias = Callable[[Sequence[Value]], Known]
Formulas: TypeAlias = dict[int, tuple[Formula, TensorOperand]]

_NO_FUNCTIONS = "only numbers and tensors are chosen while running: call both there"


@dataclass(eq=False)
class Join:
    """A `tc.if` to be: its regions, and what they yield so far.

    `formulas` are those that each branch computed: numbers are computed there.
    """

    frame: Frame
    regions: tuple[Region, Region]
    formulas: tuple[Formulas, Formulas]
    yields: tuple[list[Value], list[Value]] = field(default_factory=lambda: ([], []))
    types: list[TensorType] = field(default_factory=list)

    def close(self, condition: Value, location: Location) -> Sequence[Value]:
        """Append the op, if anything depends on it; return its results."""
        if not self.types:
            return []
        builder = self.frame.entry.builder
        builder.location = location
        for region, values in zip(self.regions, self.yields, strict=True):
            with builder.inside(region.block):
                builder.create(Yield, *values)
        return isolate(builder, condition, *self.regions, self.types)

    def add(self, name: str, then: Binding, otherwise: Binding) -> Finish | Unusable:
        """Add the results that a name needs; what it is follows from their values.

        What the branches do not agree on cannot be used.
        """
        pair = then.value, otherwise.value
        for value in pair:
            if isinstance(value, Broken | Unusable):
                return lambda results: value
        if _is_same(*pair):
            return lambda results: pair[0]
        then, otherwise = self._read(then), self._read(otherwise)
        match then.value, otherwise.value:
            case (TupleValue(left), TupleValue(right)) if len(left) == len(right):
                return self._add_tuple(name, then, otherwise)
            case (
                TensorOperand() | Scalar() | Literal() as left,
                TensorOperand() | Scalar() | Literal() as right,
            ):
                return self._add_operands(name, (left, right), (then, otherwise))
        functions = all(isinstance(v, FunctionValue | BuiltinValue) for v in pair)
        hints = [_NO_FUNCTIONS] if functions else []
        return self._apart(NO_VALUE, name, (then, otherwise), *hints)

    def _read(self, binding: Binding) -> Binding:
        """Return what a name or a part of a tuple is: memory is read."""
        if not isinstance(binding.value, MemoryRef):
            return binding
        value = self.frame.entry.read(binding.value.memory, binding.location)
        return Binding(TensorOperand(value), binding.location)

    def _add_tuple(
        self, name: str, then: Binding, otherwise: Binding
    ) -> Finish | Unusable:
        assert isinstance(then.value, TupleValue)
        assert isinstance(otherwise.value, TupleValue)
        parts: list[Finish] = []
        pairs = zip(then.value.elements, otherwise.value.elements, strict=True)
        for i, (left, right) in enumerate(pairs):
            both = Binding(left, then.location), Binding(right, otherwise.location)
            part = self.add(f"element {i} of {name}", *both)
            if isinstance(part, Unusable):
                return part
            parts.append(part)
        return lambda results: TupleValue(tuple([part(results) for part in parts]))

    def _add_operands(
        self,
        name: str,
        operands: tuple[Operand, Operand],
        bindings: tuple[Binding, Binding],
    ) -> Finish | Unusable:
        b = self.frame.emitter
        b.builder.location = bindings[1].location
        element = _common_element(b, operands)
        if element is None:
            return self._apart(TYPES, name, bindings, "give both the same type")
        shape = _common_shape(b, operands, name)
        if shape is None:
            return self._apart(SIZES, name, bindings)
        type_ = TensorType(shape, element)
        branches = zip(self.regions, self.formulas, operands, bindings, strict=True)
        for yields, branch in zip(self.yields, branches, strict=True):
            yields.append(self._converted(type_, *branch))
        is_weak = element != I1 and not any(is_strong(o) for o in operands)
        number = len(self.types)
        self.types.append(type_)
        return lambda results: TensorOperand(results[number], is_weak)

    def _converted(
        self,
        type_: TensorType,
        region: Region,
        formulas: Formulas,
        operand: Operand,
        binding: Binding,
    ) -> Value:
        """Return an operand as a value of a type, computed in its branch."""
        b = self.frame.emitter
        b.builder.location = binding.location
        before, b.formulas = b.formulas, formulas
        try:
            with b.builder.inside(region.block):
                value = TensorOperand(materialize(b, operand, type_.element))
                if _fills(operand):
                    return broadcast(b, value.value, type_.shape)
                return pinned(b, value, type_.shape).value
        finally:
            b.formulas = before

    def _apart(
        self, code: str, name: str, bindings: tuple[Binding, Binding], *hints: str
    ) -> Unusable:
        """Return what a name is whose values have nothing in common."""
        words = [describe(resolved(self.frame, b.value)) for b in bindings]
        other = "another" if words[0] == words[1] else words[1]
        message = f"{name} is {words[0]} if the condition is true, else {other}"
        pairs = zip(bindings, words, strict=True)
        labels = tuple([Label(b.location, text) for b, text in pairs])
        return Unusable(code, message, labels, hints)

    def add_memory(self, values: tuple[Value, Value]) -> int:
        """Add the new value of a memory; return the number of the result."""
        for yields, value in zip(self.yields, values, strict=True):
            yields.append(value)
        type_ = values[0].type
        assert isinstance(type_, TensorType)
        shape = self.frame.emitter.resolve(type_.shape)
        self.types.append(TensorType(shape, type_.element))
        return len(self.types) - 1


def _is_same(left: Known, right: Known) -> bool:
    """Tell whether both branches have a value that stood before them, or is known."""
    match left, right:
        case TensorOperand(), TensorOperand():
            return left == right
        case Scalar(), Scalar() if not isinstance(left.source, Formula):
            # As text, so that a NaN is one and zeros have their signs.
            return left == right and str(left.number) == str(right.number)
        case FunctionValue(), FunctionValue():
            return left.node is right.node and left.scope is right.scope
        case BuiltinValue(), BuiltinValue():
            return left.name == right.name
    return left is right


def _common_element(b: Emitter, operands: Sequence[Operand]) -> Element | None:
    """Return the type of both, which numbers take; None if there is none."""
    element = common_element(b, operands)
    given = [
        o.type.element for o in operands if isinstance(o, TensorOperand) and not o.weak
    ]
    mixed = len({kind_of(o) == "bool" for o in operands}) > 1
    return None if mixed or any(e != element for e in given) else element


def _common_shape(b: Emitter, operands: Sequence[Operand], name: str) -> Shape | None:
    """Return the shape of both, which numbers take; None if there is none."""
    shapes = [_shape(b, o) for o in operands if not _fills(o)]
    if len(shapes) < 2:
        return shapes[0] if shapes else ()
    left, right = shapes
    both = f"{spell_shape(left)} and {spell_shape(right)}"
    claim = f"{name} of both branches: {both} fit"
    rule = f"both branches must give {name} one size: {both}"
    if len(left) != len(right):
        return None
    guards = b.builder.constraints.guards
    before = len(guards)
    if not all(b.match(m, n, claim, rule) for m, n in zip(left, right, strict=True)):
        return None
    for guard in guards[before:]:
        # Of one symbol: nearly all of its sizes are wrong.
        if symbols_of(guard.left) == symbols_of(guard.right):
            b.suspect(f"{claim} only if {guard.left} is {guard.right}")
    return b.resolve(left)


def _fills(operand: Operand) -> bool:
    """Tell a number without a type: it takes any shape."""
    if isinstance(operand, TensorOperand):
        return operand.weak and not operand.type.rank
    return isinstance(operand, Scalar)


def _shape(b: Emitter, operand: Operand) -> Shape:
    if isinstance(operand, TensorOperand):
        return b.shape(operand)
    return tuple(operand.values.shape) if isinstance(operand, Literal) else ()
