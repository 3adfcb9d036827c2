"""Values, ops, blocks and regions: the SSA graph that everything works on.

An op class is a declaration (see `opdef`); an `Op` object is one use of it. Names of
values belong to the printer; `hint` is only a wish.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, SupportsIndex, TypeAlias

from tensorc.errors import UNKNOWN, Location
from tensorc.ir.attributes import Attribute
from tensorc.ir.levels import Level
from tensorc.ir.types import Type

# What pickle and copy take of an object: `object.__reduce_ex__` gives it.
Reduced: TypeAlias = str | tuple[object, ...]


class Value:
    """What an op gives or a block takes: one definition, any number of uses."""

    __slots__ = ("hint", "index", "owner", "type")

    def __init__(
        self, type_: Type, owner: "Op | Block", index: int, hint: str = ""
    ) -> None:
        self.type = type_
        self.owner = owner
        self.index = index
        self.hint = hint

    @property
    def op(self) -> "Op | None":
        """The op that defines the value, or None for a block argument."""
        return self.owner if isinstance(self.owner, Op) else None

    @property
    def location(self) -> Location:
        """Where the value comes from in the user's source."""
        return self.owner.location if isinstance(self.owner, Op) else UNKNOWN

    def __reduce_ex__(self, protocol: SupportsIndex) -> Reduced:
        if isinstance(self.owner, Op) and self.owner.is_node:
            return _result, (self.owner, self.index)
        return super().__reduce_ex__(protocol)

    def __repr__(self) -> str:
        source = self.owner.name if isinstance(self.owner, Op) else "argument"
        return f"<{self.hint or 'value'} {self.index} of {source}: {self.type}>"


class Op:
    """One instruction. `operands`, `attributes` and `regions` may be replaced."""

    name: ClassVar[str] = ""
    operand_names: ClassVar[tuple[str, ...]] = ()
    variadic: ClassVar[bool] = False
    attribute_names: ClassVar[tuple[str, ...]] = ()
    region_names: ClassVar[tuple[str, ...]] = ()
    traits: ClassVar[frozenset[str]] = frozenset()
    levels: ClassVar[frozenset[Level]] = frozenset()
    # What an elementwise op is at one element: a scalar op, or made of other ops.
    scalars: ClassVar[tuple[type["Op"], ...]] = ()
    made_of: ClassVar[Callable[..., object] | None] = None
    # Of those that are not expanded before: numpy arrays give arrays.
    evaluate: ClassVar[Callable[..., object]]

    __slots__ = (
        "__weakref__",
        "attributes",
        "location",
        "operands",
        "parent",
        "regions",
        "results",
    )

    def __init__(
        self,
        operands: Sequence[Value],
        result_types: Sequence[Type],
        attributes: dict[str, Attribute] | None = None,
        regions: Sequence["Region"] = (),
        location: Location = UNKNOWN,
    ) -> None:
        self.operands: list[Value] = list(operands)
        self.results: list[Value] = []
        for type_ in result_types:  # no comprehension: a call for each op
            self.results.append(Value(type_, self, len(self.results)))
        self.attributes: dict[str, Attribute] = dict(attributes) if attributes else {}
        self.regions = list(regions)
        self.location = location
        self.parent: Block | None = None
        for region in self.regions:
            region.parent = self

    @property
    def result(self) -> Value:
        """The only result."""
        (value,) = self.results
        return value

    @property
    def is_node(self) -> bool:
        """Tell a node of a graph, which stands in no block, from an instruction."""
        return self.parent is None and not self.regions

    def __reduce_ex__(self, protocol: SupportsIndex) -> Reduced:
        """Copy or pickle a node by what it is made of: its operands stand before it."""
        if not self.is_node:
            return super().__reduce_ex__(protocol)
        types = tuple([r.type for r in self.results])
        hints = tuple([r.hint for r in self.results])
        made_of = (tuple(self.operands), types, self.attributes, self.location)
        return _node, (type(self), *made_of, hints)

    def attribute(self, name: str) -> Attribute:
        """Return an attribute; KeyError if the op has none of that name."""
        return self.attributes[name]

    def blocks(self) -> tuple["Body", ...]:
        """Return what the block of each region must hold; every op with regions does.

        The verifier asks when operands, results and attributes are right, and the
        regions as many as declared, but before it looks at their blocks.
        """
        return ()

    def verify(self, functions: Mapping[str, "Op"], level: Level | None) -> None:
        """Check what neither type rule nor `blocks` says; what is inside is right.

        Args:
            functions: those of the module, by name.
            level: the one that the module is at, None if it is not known.

        Raises:
            VerifyError: the op, or one inside it, is wrong.
        """

    def walk(self) -> Iterator["Op"]:
        """Yield the op and all ops inside it, in program order, without recursion."""
        stack: list[Op] = [self]
        while stack:
            op = stack.pop()
            yield op
            for region in reversed(op.regions):
                for block in reversed(region.blocks):
                    stack.extend(reversed(block.ops))

    def __repr__(self) -> str:
        return f"<{self.name} at {self.location}>"


def _node(
    cls: type[Op],
    operands: Sequence[Value],
    types: Sequence[Type],
    attributes: dict[str, Attribute],
    location: Location,
    hints: Sequence[str],
) -> Op:
    return with_hints(cls(operands, types, attributes, (), location), hints)


def with_hints(op: Op, hints: Sequence[str]) -> Op:
    """Return an op whose results wish for these names."""
    for result, hint in zip(op.results, hints, strict=True):
        result.hint = hint
    return op


def _result(op: Op, index: int) -> Value:
    return op.results[index]


@dataclass(eq=False)
class Block:
    """A list of ops with arguments; the last op ends it."""

    arguments: list[Value] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    parent: "Region | None" = None

    def add_argument(self, type_: Type, hint: str = "") -> Value:
        """Append an argument and return it."""
        value = Value(type_, self, len(self.arguments), hint)
        self.arguments.append(value)
        return value

    def adopt_arguments(self, values: Sequence[Value]) -> None:
        """Have these arguments, of blocks that are given up, in place of its own."""
        self.arguments = list(values)
        for index, value in enumerate(values):
            value.owner, value.index = self, index

    def append(self, op: Op) -> Op:
        """Append an op and return it."""
        op.parent = self
        self.ops.append(op)
        return op

    @property
    def terminator(self) -> Op:
        """The last op."""
        return self.ops[-1]


@dataclass(eq=False)
class Region:
    """Blocks owned by an op; structured control flow needs only one."""

    blocks: list[Block] = field(default_factory=list)
    parent: Op | None = None

    @property
    def block(self) -> Block:
        """The only block."""
        (block,) = self.blocks
        return block


@dataclass(frozen=True, slots=True)
class Body:
    """What a block must have: arguments, the op that ends it, and its operands.

    Without a terminator it holds what is no terminator. Where it is optional, a region
    may have no block at all. Between TENSOR and LOOP, only a block with `scalars` holds
    ops that make scalars of other values.
    """

    terminator: type[Op] | None
    arguments: tuple[Type, ...] = ()
    yields: tuple[Type, ...] = ()
    optional: bool = False
    scalars: bool = False


def value_types(values: Sequence[Value]) -> tuple[Type, ...]:
    """Return the types of values."""
    return tuple([v.type for v in values])


def single_block() -> tuple[Region, Block]:
    """Return a region with one empty block, and the block."""
    region = Region()
    block = Block(parent=region)
    region.blocks.append(block)
    return region, block


def clone_op(
    op: Op, values: dict[Value, Value], location: Location | None = None
) -> Op:
    """Copy an op and its regions; operands are looked up in `values`, which grows.

    Values that `values` lacks are kept: they are defined outside of what is copied.
    """
    regions = [clone_region(r, values) for r in op.regions]
    copy = type(op)(
        [values.get(v, v) for v in op.operands],
        [r.type for r in op.results],
        op.attributes,
        regions,
        op.location if location is None else location,
    )
    for old, new in zip(op.results, copy.results, strict=True):
        new.hint = old.hint
        values[old] = new
    return copy


def clone_region(region: Region, values: dict[Value, Value]) -> Region:
    """Copy a region; `values` maps what is defined outside and grows."""
    copy = Region()
    for block in region.blocks:
        new = Block(parent=copy)
        for argument in block.arguments:
            values[argument] = new.add_argument(argument.type, argument.hint)
        for op in block.ops:
            new.append(clone_op(op, values))
        copy.blocks.append(new)
    return copy
