"""Nodes that hold programs: derivatives, conditions and loops.

Neither has a region yet. What stands in it is decided when a function is emitted.
"""

from collections.abc import Sequence
from typing import SupportsIndex

from tensorc.errors import Diagnostic, DTypeError, Location, ShapeError
from tensorc.frontend.library.operands import spell_type
from tensorc.frontend.python.graph.nodes import inputs_in, sources_of
from tensorc.ir.attributes import Dims
from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Reduced, Value, with_hints
from tensorc.ir.dims import Dim
from tensorc.ir.types import TensorType, Type


class Derivative(Op):
    """Derivatives of values, `outs`; becomes a region op, `kind`: a `tc.grad`, say.

    The operands are what to differentiate by, then those of the op besides, tangents or
    cotangents, and then what the region reads. `inner` are the nodes between `outs` and
    what to differentiate by, in order. `sources` are the inputs whose sizes stand in
    attributes of `inner`.
    """

    __slots__ = ("counts", "inner", "kind", "outs", "sources")

    name = "tc.derivative"

    def __init__(
        self,
        kind: type[Op],
        types: Sequence[Type],
        outs: Sequence[Value],
        operands: Sequence[Sequence[Value]],
        inner: Sequence[Op],
        location: Location,
    ) -> None:
        super().__init__(
            [v for part in operands for v in part], types, {}, (), location
        )
        self.kind = kind
        self.outs = tuple(outs)
        self.counts = tuple([len(part) for part in operands])
        self.inner = tuple(inner)
        found = (s for op in inner for s in inputs_in(op))
        self.sources = tuple(dict.fromkeys(found))

    @property
    def primals(self) -> list[Value]:
        """What to differentiate by."""
        return self.operands[: self.counts[0]]

    @property
    def given(self) -> list[Value]:
        """What the region op takes: the primals, and tangents or cotangents."""
        return self.operands[: sum(self.counts[:2])]

    @property
    def read(self) -> list[Value]:
        """What the region reads from outside, results of inner nodes that are held."""
        return self.operands[sum(self.counts[:2]) :]

    def __reduce_ex__(self, protocol: SupportsIndex) -> Reduced:
        primals, both = self.counts[0], len(self.given)
        parts = self.primals, self.given[primals:], self.operands[both:]
        types, hints = zip(*[(r.type, r.hint) for r in self.results], strict=True)
        made_of = (types, self.outs, parts, self.inner, self.location)
        return _derivative, (self.kind, *made_of, hints)


def _derivative(
    kind: type[Op],
    types: Sequence[Type],
    outs: Sequence[Value],
    operands: Sequence[Sequence[Value]],
    inner: Sequence[Op],
    location: Location,
    hints: Sequence[str],
) -> Op:
    return with_hints(Derivative(kind, types, outs, operands, inner, location), hints)


class Condition(Op):
    """One of two values for each result; becomes a `tc.if` with real branches.

    The operands are the condition, a value for each result if it holds, and one for
    each if not. They are nodes like all others: which of them stand in a branch is
    decided when a function is emitted.
    """

    __slots__ = ()

    name = "tc.if"

    def branches(self, result: Value) -> tuple[Value, Value]:
        """Return the two values of a result."""
        own, count = result.index, len(self.results)
        return self.operands[1 + own], self.operands[1 + count + own]


def type_of_both(
    b: Builder, then: Value, otherwise: Value, what: str = "it"
) -> TensorType:
    """Return the type of a condition's result, which both of its values have.

    `what` spells the result for messages.

    Raises:
        DTypeError: the element types differ (TC0302).
        ShapeError: ranks differ, or sizes can never be equal (TC0301).
    """
    left, right = then.type, otherwise.type
    assert isinstance(left, TensorType)
    assert isinstance(right, TensorType)
    message = f"the branches differ: {what} is {spell_type(left)} if the condition "
    message += f"holds, and {spell_type(right)} if not"
    if left.element != right.element:
        raise DTypeError(Diagnostic("TC0302", message, b.location))
    pairs = zip(left.shape, right.shape, strict=False)
    fits = [b.constraints.unify(own, new, b.location, message) for own, new in pairs]
    if left.rank != right.rank or not all(fits):
        is_number = left.rank != right.rank and 0 in (left.rank, right.rank)
        hint = "np.full_like(x, 0.0) is a number in the shape of x"
        hints = (hint,) if is_number else ()
        raise ShapeError(Diagnostic("TC0301", message, b.location, hints=hints))
    shape = tuple([b.constraints.resolve(dim) for dim in left.shape])
    return TensorType(shape, left.element)


class OwnGradient(Op):
    """A program with its own derivative; becomes a `tc.custom_gradient`.

    The operands are the arguments, then what both directions read besides. `forward`
    goes from `arguments`, which stand for the arguments, to results; `backward` from
    these and `cotangents`, one for each result, to a cotangent of each float operand.
    `sources` are the inputs whose sizes stand in attributes on the way.
    """

    __slots__ = ("arguments", "backward", "cotangents", "forward", "sources")

    name = "tc.custom_gradient"

    def __init__(
        self,
        operands: Sequence[Value],
        arguments: Sequence[Value],
        forward: Sequence[Value],
        cotangents: Sequence[Value],
        backward: Sequence[Value],
        sources: Sequence[Value],
        location: Location,
    ) -> None:
        super().__init__(operands, [v.type for v in forward], {}, (), location)
        self.arguments = tuple(arguments)
        self.forward = tuple(forward)
        self.cotangents = tuple(cotangents)
        self.backward = tuple(backward)
        self.sources = tuple(sources)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Reduced:
        made_of = (self.operands, self.arguments, self.forward, self.cotangents)
        rest = (self.backward, self.sources, self.location)
        return _own_gradient, (*made_of, *rest, [r.hint for r in self.results])


def _own_gradient(*made_of: object) -> Op:
    *parts, hints = made_of
    return with_hints(OwnGradient(*parts), hints)  # type: ignore[arg-type]


class Loop(Op):
    """A program that runs again and again; becomes a `tc.scan`.

    The operands are first values of what is carried, sequences, and what steps read
    besides. `arguments` stand for what a step is given: its number, what is carried,
    parts of the sequences. `outs` are what it carries on, and what it stacks. `sources`
    are the inputs whose sizes stand in attributes on the way.
    """

    __slots__ = ("arguments", "carried", "length", "outs", "reverse", "sources")

    name = "tc.scan"

    def __init__(
        self,
        operands: Sequence[Value],
        carried: int,
        arguments: Sequence[Value],
        outs: Sequence[Value],
        length: Dim,
        reverse: bool,
        sources: Sequence[Value],
        location: Location,
    ) -> None:
        types = [v.type for v in operands[:carried]]
        for out in outs[carried:]:
            assert isinstance(out.type, TensorType)
            types.append(TensorType((length, *out.type.shape), out.type.element))
        super().__init__(operands, types, {}, (), location)
        self.carried = carried
        self.arguments = tuple(arguments)
        self.outs = tuple(outs)
        self.length = length
        self.reverse = reverse
        own = (s.source for s in sources_of(length))
        self.sources = tuple(dict.fromkeys((*sources, *own)))

    def __reduce_ex__(self, protocol: SupportsIndex) -> Reduced:
        made_of = (self.operands, self.carried, self.arguments, self.outs)
        rest = (Dims((self.length,)), self.reverse, self.sources, self.location)
        return _loop, (*made_of, *rest, [r.hint for r in self.results])


def _loop(
    operands: Sequence[Value],
    carried: int,
    arguments: Sequence[Value],
    outs: Sequence[Value],
    length: Dims,
    *rest: object,
) -> Op:
    *parts, hints = rest
    made_of = (operands, carried, arguments, outs, length.dims[0])
    return with_hints(Loop(*made_of, *parts), hints)  # type: ignore[arg-type]


# A node of these is what its program does: operands and attributes do not say it.
PROGRAMS = (Condition, Derivative, OwnGradient, Loop)
