"""Create ops at the end of a block: types from `infer`, locations from the context."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tensorc.errors import UNKNOWN, Diagnostic, Location, ShapeError
from tensorc.ir.attributes import Attribute
from tensorc.ir.core import Block, Op, Region, Value, clone_op, single_block
from tensorc.ir.dims import Constraints, Dim
from tensorc.ir.opdef import (
    ConstraintError,
    InferContext,
    constraint_words,
    infer_types,
)
from tensorc.ir.types import Type


@dataclass
class Builder:
    """Appends ops to `block`; one per function, so that they share its constraints."""

    block: Block
    constraints: Constraints = field(default_factory=Constraints)
    location: Location = UNKNOWN

    def create(
        self,
        cls: type[Op],
        *operands: Value,
        types: Sequence[Type] | None = None,
        regions: Sequence[Region] = (),
        **attributes: Attribute,
    ) -> Op:
        """Append an op. `types` is for classes whose result types are free.

        Raises `ShapeError` (code TC0300) at the current location if a constraint of
        the op does not hold.
        """
        return self.append(cls, operands, attributes, types, regions)

    def value(
        self,
        cls: type[Op],
        *operands: Value,
        types: Sequence[Type] | None = None,
        **attributes: Attribute,
    ) -> Value:
        """Append an op and return its only result."""
        return self.append(cls, operands, attributes, types).result

    def append(
        self,
        cls: type[Op],
        operands: Sequence[Value],
        attributes: dict[str, Attribute],
        types: Sequence[Type] | None = None,
        regions: Sequence[Region] = (),
    ) -> Op:
        """Append an op as `create` does; the attributes may have any names."""
        if types is None:
            types = self.infer(cls, operands, attributes)
        op = cls(operands, types, attributes, regions, self.location)
        return self.block.append(op)

    def unify(
        self, left: Dim, right: Dim, message: str = "", is_index: bool = False
    ) -> bool:
        """Make two sizes equal, as `Constraints.unify` at the current location."""
        known = self.constraints
        before = len(known.bindings)
        fits = known.unify(left, right, self.location, message, is_index)
        if message and len(known.bindings) > before:
            known.solved.setdefault(next(reversed(known.bindings)), self.location)
        return fits

    def infer(
        self,
        cls: type[Op],
        operands: Sequence[Value],
        attributes: dict[str, Attribute],
    ) -> tuple[Type, ...]:
        """Return the result types of an op that would be created here."""
        context = InferContext(self.constraints, self.location)
        try:
            types = infer_types(cls, context, [v.type for v in operands], attributes)
        except ConstraintError as error:
            raise ShapeError(self._explain(cls, operands, error)) from None
        if types is None:
            raise TypeError(f"{cls.name}: result types must be given")
        return types

    def _explain(
        self, cls: type[Op], operands: Sequence[Value], error: ConstraintError
    ) -> Diagnostic:
        notes = tuple(
            f"{name} is {value.type}"
            for name, value in zip(cls.operand_names, operands, strict=False)
        )
        words = constraint_words(cls).get(error.label, error.label)
        message = f"{cls.name} needs {words}, got {error.detail} [{error.label}]"
        return Diagnostic("TC0300", message, self.location, notes=notes)

    def inline(self, block: Block, operands: Sequence[Value]) -> list[Value]:
        """Append copies of the ops of a block, with operands for its arguments.

        Returns what the block yields.
        """
        values = dict(zip(block.arguments, operands, strict=True))
        for op in block.ops[:-1]:
            self.block.append(clone_op(op, values))
        return [values.get(v, v) for v in block.terminator.operands]

    @contextmanager
    def at(self, location: Location) -> Iterator[None]:
        """Give the ops created in the `with` block this location."""
        before, self.location = self.location, location
        try:
            yield
        finally:
            self.location = before

    @contextmanager
    def inside(self, block: Block) -> Iterator[None]:
        """Append to another block in the `with` block."""
        before, self.block = self.block, block
        try:
            yield
        finally:
            self.block = before

    @contextmanager
    def region(
        self, types: Sequence[Type], hints: Sequence[str] = ()
    ) -> Iterator[tuple[Region, list[Value]]]:
        """Append to a new region with arguments of these types; yields both."""
        region, block = single_block()
        names = [*hints, *[""] * (len(types) - len(hints))]
        arguments = [
            block.add_argument(t, n) for t, n in zip(types, names, strict=True)
        ]
        with self.inside(block):
            yield region, arguments
