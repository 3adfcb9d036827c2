"""Ops with regions above LOOP: branches and groups, and what ends a region."""

from collections.abc import Mapping

from tensorc.ir.attributes import ArrayAttr, Attribute, Dims
from tensorc.ir.core import Body, Op, Region, Value, value_types
from tensorc.ir.evaluation import RegionRunner
from tensorc.ir.invariants import fail
from tensorc.ir.levels import AT_BUFFER, AT_STRUCTURED, AT_TENSOR, Level
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import (
    ISOLATED,
    MEMBER,
    PURE,
    TERMINATOR,
    InferContext,
    Values,
    op,
    require,
)
from tensorc.ir.schedules import places_of, schedule_of, stage_of
from tensorc.ir.types import (
    I1,
    Element,
    MemRefType,
    TensorType,
    Type,
)

# On a group on memory: which of its panels a kernel before it has filled.
FILLED = "tc.filled"


@op("tc.yield", traits=(TERMINATOR,), levels=AT_TENSOR | AT_STRUCTURED | AT_BUFFER)
class Yield(Op):
    """End a region and give its results.

    Example:
      "tc.yield"(%0) : (tensor<f32>) -> ()
    """

    values: Values

    @staticmethod
    def infer(ctx: InferContext, *values: Type) -> tuple[Type, ...]:
        """Give nothing."""
        return ()


@op(
    "tc.if",
    traits=(PURE, ISOLATED),
    levels=AT_TENSOR | AT_STRUCTURED | AT_BUFFER,
)
class If(Op):
    """One of two programs, chosen when it runs: `then` if the condition is true.

    Both regions take the captures, which are all that they see, and yield the results.
    What the region that is not taken would compute costs nothing, and its errors do not
    happen. On memory, destinations and the arena are captures too, and there are no
    results.

    Constraints:
      (C1) The condition is a tensor or memory of i1, without axes.
      (C2) On memory there are no results.
      (C3) The captures are tensors, or memory if the condition is.

    Example:
      %2 = "tc.if"(%0, %1) ({
      ^bb0(%x: tensor<4xf32>):
        %3 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
        "tc.yield"(%3) : (tensor<4xf32>) -> ()
      }, {
      ^bb0(%x_1: tensor<4xf32>):
        "tc.yield"(%x_1) : (tensor<4xf32>) -> ()
      }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
    """

    condition: Value
    captures: Values
    then: Region
    otherwise: Region

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require C1, C2 and C3."""
        condition, *captures = operands
        is_memory = isinstance(condition, MemRefType)
        require(condition in _CONDITIONS, "C1", "{}", condition)
        require(not (is_memory and results), "C2", "{} results", len(results))
        for type_ in captures:
            require(isinstance(type_, type(condition)), "C3", "{}", type_)

    @staticmethod
    def evaluate(
        ctx: RegionRunner, condition: Array, *captures: Array
    ) -> tuple[Array, ...]:
        """Evaluate by running one of the regions."""
        return tuple(ctx.run(ctx.block(0 if condition else 1), captures))

    def blocks(self) -> tuple[Body, ...]:
        """Take the captures and yield the results, in either region."""
        body = Body(Yield, value_types(self.captures), value_types(self.results))
        return body, body


_CONDITIONS = (TensorType((), I1), MemRefType((), I1))


def _check_number(op: Op, name: str) -> None:
    """Check an attribute that is the number of an operand, if it is there."""
    number = op.attributes.get(name, 0)
    if not isinstance(number, int) or not 0 <= number < max(1, len(op.operands)):
        fail(op, f"attribute '{name}' names no operand")


def _check_filled(op: Op) -> None:
    """Check the numbers of panels that are filled, if they are there."""
    filled = op.attributes.get(FILLED, ())
    if not isinstance(filled, tuple) or not all(isinstance(n, int) for n in filled):
        fail(op, f"attribute '{FILLED}' has numbers of panels")


def _describes(shape: Attribute, operand: Type) -> bool:
    """Tell whether a shape is one of memory: as many axes, and the known sizes."""
    if not isinstance(shape, Dims) or not isinstance(operand, MemRefType):
        return False
    known, sizes = operand.shape, shape.dims
    return len(known) == len(sizes) and all(
        a in (None, b) for a, b in zip(known, sizes, strict=True)
    )


@op("tc.group", traits=(ISOLATED,), levels=AT_STRUCTURED | AT_BUFFER)
class KernelGroup(Op):
    """The unit of fusion: one kernel.

    Its region holds stages: contractions, and the generics between them. It
    sees nothing from outside but its arguments, which are the operands. On tensors it
    gives what it yields; on memory its operands are memory, of which the last are its
    destinations, and scalars behind it; `shapes` holds the dimensions of the memory.
    The kernel loops over the `outer` leading dimensions; its members run row by row
    inside that loop.

    `tc.schedule` says how threads share it out and how its members run, `tc.place`
    where results lie: architecture.md, "The words of a schedule", has all keys.

    Constraints:
      (C1) outer is not negative.
      (C2) On memory, shapes has an entry per operand but scalars, on tensors none.
      (C3) Each entry has the axes of its operand, and the sizes that are known.
      (C4) Scalars stand behind memory.

    Example:
      %1 = "tc.group"(%0) <{outer = 0 : i64, shapes = []}> ({
      ^bb0(%x: tensor<4xf32>):
        "tc.yield"(%x) : (tensor<4xf32>) -> ()
      }) : (tensor<4xf32>) -> tensor<4xf32>
    """

    inputs: Values
    outer: int
    shapes: ArrayAttr
    body: Region

    @staticmethod
    def check(
        ctx: InferContext,
        operands: tuple[Type, ...],
        results: tuple[Type, ...],
        *,
        outer: int,
        shapes: ArrayAttr,
    ) -> None:
        """Require C1, C2, C3 and C4."""
        require(outer >= 0, "C1", "{}", outer)
        found = [o for o in operands if not isinstance(o, Element)]
        on_memory = any(isinstance(o, MemRefType) for o in operands)
        detail = f"{len(shapes.items)} for {len(found)}"
        require(len(shapes.items) == len(found) * on_memory, "C2", detail)
        for i, (shape, operand) in enumerate(zip(shapes.items, operands, strict=False)):
            detail = f"entry {i} for {operand}"
            require(_describes(shape, operand), "C3", detail)
        behind = all(isinstance(o, Element) for o in operands[len(found) :])
        require(behind or not on_memory, "C4", "{}", operands)

    def blocks(self) -> tuple[Body, ...]:
        """Take the operands and yield the results."""
        return (Body(Yield, value_types(self.operands), value_types(self.results)),)

    def verify(self, functions: Mapping[str, Op], level: Level | None) -> None:
        """Check that there are members, with the outer dimensions."""
        for name in ("tc.panel", "tc.partials"):
            _check_number(self, name)
        _check_filled(self)
        members = self.body.block.ops[:-1]
        for member in (self, *members):
            schedule_of(member)
            stage_of(member)
            places = places_of(member)
            sizes = member.attributes.get("operandSegmentSizes")
            if places and isinstance(sizes, tuple) and len(places) != sizes[-1]:
                fail(member, f"{len(places)} places for {sizes[-1]} results")
        for member in members:
            if level is not None and MEMBER not in member.traits:
                fail(member, f"is no part of a kernel, which a {self.name} is")
        if level is not None and not any(member.regions for member in members):
            fail(self, "computes nothing: it has no linalg.generic")
        for member in members:
            iterators = member.attributes.get("iterator_types")
            if not isinstance(iterators, ArrayAttr):
                continue
            count = sum(str(i).endswith("<parallel>") for i in iterators.items)
            if self.outer > count:
                fail(
                    member,
                    f"has {count} parallel dimensions, its group {self.outer} outer",
                )

    @staticmethod
    def evaluate(
        ctx: RegionRunner, *inputs: Array, outer: int, shapes: ArrayAttr
    ) -> tuple[Array, ...]:
        """Evaluate by running the region."""
        return tuple(ctx.run(ctx.block(0), inputs))
