"""The graph of the Python doors: what expressions are before they are compiled.

A node is an op that stands in no block: its class, operands and attributes, its types
from `infer`, the user's line as its place. Nodes are never changed. Leaves are values
without an op: an `Input`, or a `SharedLeaf`, memory of the runtime.

    b = GraphBuilder(Block(), location=place)
    z = b.value(Add, x, y)              # a node; z is a value, as in the IR

`GraphBuilder` is a `Builder`, so the library and the operands of `frontend` make nodes
as they make IR. Each use has constraints of its own, which are thrown away: sizes that
can never fit are found at the user's line, all others when a function is compiled. What
the library asks of a call in its own words stands on the nodes that are made behind it,
`REQUIRED`.
"""

import itertools
from collections.abc import Iterator, MutableSet, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from weakref import WeakSet, WeakValueDictionary

from tensorc.errors import UNKNOWN, Location
from tensorc.ir.attributes import ArrayAttr, Attribute, Dims, dims_of
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Region, Value
from tensorc.ir.dims import VALUE, Compound, Dim, Poly, Symbol, is_value
from tensorc.ir.ops.tensor.elementwise import Cast
from tensorc.ir.ops.tensor.shape import Size
from tensorc.ir.types import I64, Element, TensorType, Type

# Symbols of different inputs must differ; functions give them names of their own.
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class SizeOf(Symbol):
    """What each call chooses: the size of an axis of an input, or (None) its value.

    `spelled` is what the user calls it, if there is a name: `tc.f32["B"]`.
    """

    source: "InputNode" = field(compare=False, repr=False)
    axis: int | None
    spelled: str = ""

    def __reduce__(self) -> tuple[object, ...]:
        return _size_of, (self.source, self.axis)


class InputNode(Value):
    """A leaf that a call gives, or `givens` replaces; an unknown size is a symbol.

    A text in `shape` is the user's name of an unknown size.
    `given` is the value of an integer scalar as a dimension, None for all else.
    """

    __slots__ = ("__weakref__", "_location", "given")

    def __init__(
        self,
        element: Element,
        shape: Sequence[int | str | None],
        hint: str = "",
        location: Location = UNKNOWN,
    ) -> None:
        self._location = location
        dims = [
            size
            if isinstance(size, int)
            else self._size(size or f"{hint or '_'}{axis}", axis, size or "")
            for axis, size in enumerate(shape)
        ]
        super().__init__(TensorType(tuple(dims), element), Block(), 0, hint)
        self.given: Poly | None = None
        if not dims and element.is_integer:
            self.given = self._size(f"{VALUE}{hint or '_'}", None)

    def _size(self, name: str, axis: int | None, spelled: str = "") -> Poly:
        name = f"{name}#{next(_NUMBERS)}"
        _INPUTS[name] = self
        return Poly((((SizeOf(name, self, axis, spelled),), 1),))

    @property
    def location(self) -> Location:
        """Where the user made it."""
        return self._location

    def __reduce__(self) -> tuple[object, ...]:
        assert isinstance(self.type, TensorType)
        shape = tuple([_wish(dim) for dim in self.type.shape])
        return InputNode, (self.type.element, shape, self.hint, self._location)


_INPUTS: WeakValueDictionary[str, InputNode] = WeakValueDictionary()


def _wish(dim: Dim) -> int | str | None:
    """Return what a size of an input was asked to be."""
    return dim if isinstance(dim, int) else next(sources_of(dim)).spelled or None


def _size_of(source: InputNode, axis: int | None) -> SizeOf:
    """Return the symbol of an input that was copied."""
    assert isinstance(source.type, TensorType)
    dim = source.given if axis is None else source.type.shape[axis]
    assert dim is not None
    return next(sources_of(dim))


class SharedLeaf(Value):
    """A leaf that is memory; `cell` is the runtime's, which the graph does not know."""

    __slots__ = ("__weakref__", "cell")

    def __init__(self, type_: TensorType, cell: object, hint: str = "") -> None:
        super().__init__(type_, Block(), 0, hint)
        self.cell = cell

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.type, self.cell, self.hint)


class StreamLeaf(SharedLeaf):
    """The state of random numbers: functions that read it let its count go on."""

    __slots__ = ()


# The nodes of the body whose function is being called: a loop's, say.
_BODY: ContextVar[MutableSet[Op] | None] = ContextVar("body", default=None)


class StandIn(Value):
    """A leaf that stands for what a body is given: it has a value only in there.

    `inside` are the nodes that the body's function made. `what` is it in messages, and
    `way` what to write for one who needs it outside.
    """

    __slots__ = ("_location", "inside", "way", "what")

    def __init__(
        self,
        type_: Type,
        hint: str,
        what: str,
        way: str,
        location: Location,
        inside: MutableSet[Op] | None = None,
    ) -> None:
        super().__init__(type_, Block(), 0, hint)
        self.what = what
        self.way = way
        self._location = location
        self.inside: MutableSet[Op] = WeakSet() if inside is None else inside

    @property
    def location(self) -> Location:
        """Where the user asked for what has the body."""
        return self._location

    def __reduce__(self) -> tuple[object, ...]:
        return StandIn, (self.type, self.hint, self.what, self.way, self._location)


@contextmanager
def in_body() -> Iterator[MutableSet[Op]]:
    """Collect the nodes that are made until the end, for the stand-ins of a body."""
    outer, own = _BODY.get(), WeakSet[Op]()
    token = _BODY.set(own)
    try:
        yield own
    finally:
        _BODY.reset(token)
        if outer is not None:
            outer |= own


def is_in_body() -> bool:
    """Return whether a body's function is being called: a loop's, say."""
    return _BODY.get() is not None


# An attribute of nodes alone: pairs of sizes that the call makes equal, each before the
# words for a call that does not.
REQUIRED = "required"


@dataclass
class GraphBuilder(Builder):
    """Makes nodes: ops that are appended to nothing."""

    required: tuple[Attribute, ...] = ()

    def unify(
        self, left: Dim, right: Dim, message: str = "", is_index: bool = False
    ) -> bool:
        """Make two sizes equal; what only the call decides goes with later nodes.

        Without words, and of indices, the ops say it themselves.
        """
        known = self.constraints
        before = len(known.guards), len(known.bindings)
        fits = super().unify(left, right, message, is_index)
        is_new = before != (len(known.guards), len(known.bindings))
        if fits and is_new and message and not is_index:
            self.required += Dims((left, right)), message
        return fits

    def append(
        self,
        cls: type[Op],
        operands: Sequence[Value],
        attributes: dict[str, Attribute],
        types: Sequence[Type] | None = None,
        regions: Sequence[Region] = (),
    ) -> Op:
        """Return a node. Raises `ShapeError` if a constraint cannot hold."""
        if types is None:
            types = self.infer(cls, operands, attributes)
        if self.required:
            attributes = {**attributes, REQUIRED: ArrayAttr(self.required)}
        made = cls(operands, types, attributes, regions, self.location)
        body = _BODY.get()
        if body is not None:
            body.add(made)
        return made

    def size(self, name: str) -> Value:
        """Return the size that a symbol stands for, as a node."""
        source = _INPUTS[name]
        if is_value(name):
            return self._whole(source)
        assert isinstance(source.type, TensorType)
        for dim in source.type.shape:
            for symbol in sources_of(dim):
                if symbol.name == name and symbol.axis is not None:
                    return self.value(Size, source, axis=symbol.axis)
        raise KeyError(name)

    def _whole(self, source: Value) -> Value:
        assert isinstance(source.type, TensorType)
        if source.type.element == I64:
            return source
        return self.value(Cast, source, element=I64)


def sources_of(dim: Dim) -> Iterator[SizeOf]:
    """Yield the sizes and values of inputs that a dimension is computed from."""
    stack: list[Dim] = [dim]
    while stack:
        top = stack.pop()
        if isinstance(top, int):
            continue
        for atoms, _ in top.terms:
            for atom in atoms:
                if isinstance(atom, SizeOf):
                    yield atom
                elif isinstance(atom, Compound):
                    stack += [atom.left, atom.right]


def inputs_in(op: Op) -> Iterator[InputNode]:
    """Yield the inputs that the dimensions in a node's attributes are computed from."""
    for attribute in op.attributes.values():
        for dim in dims_of(attribute):
            yield from (symbol.source for symbol in sources_of(dim))
