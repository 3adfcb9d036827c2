"""Derivatives as ops, what stops one, and what gives its own; autodiff expands them."""

from tensorc.ir.core import Body, Op, Region, Value, value_types
from tensorc.ir.evaluation import RegionRunner
from tensorc.ir.levels import AT_TENSOR
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import (
    EXACT,
    ISOLATED,
    PURE,
    InferContext,
    Values,
    each,
    op,
    require,
)
from tensorc.ir.ops.control import Yield
from tensorc.ir.types import F32, FunctionType, TensorType, Type, element_type


def _is_float(type_: Type) -> bool:
    return isinstance(type_, TensorType) and type_.element.is_float


def _require_floats(types: tuple[Type, ...], label: str) -> None:
    for type_ in types:
        require(_is_float(type_), label, str(type_))


def _require_pairs(
    ctx: InferContext, left: tuple[Type, ...], right: tuple[Type, ...], label: str
) -> None:
    """Require float tensors of the same types, one for each."""
    require(len(left) == len(right), label, f"{len(left)} and {len(right)}")
    for a, b in zip(left, right, strict=True):
        assert isinstance(a, TensorType)
        assert isinstance(b, TensorType)
        require(a.element == b.element, label, f"{a} and {b}")
        ctx.require_same_shape(a, b, label)


@op("tc.grad", traits=(PURE,), levels=AT_TENSOR)
class Grad(Op):
    """The derivative of a scalar with respect to each operand.

    The operands are the block arguments of the region, which computes the cost from
    them and yields it. No rewrite crosses the region's boundary. The pass `autodiff`
    expands the op, innermost first; a module with pending derivatives is interpreted
    after that pass.

    Constraints:
      (C1) The operands are float tensors.
      (C2) Each result has the type of its operand.

    Example:
      %1 = "tc.grad"(%0) ({
      ^bb0(%w: tensor<f32>):
        %2 = "tc.mul"(%w, %w) : (tensor<f32>, tensor<f32>) -> tensor<f32>
        "tc.yield"(%2) : (tensor<f32>) -> ()
      }) : (tensor<f32>) -> tensor<f32>
    """

    wrt: Values
    body: Region

    @staticmethod
    def infer(ctx: InferContext, *wrt: Type) -> tuple[Type, ...]:
        """Give the types of the operands."""
        _require_floats(wrt, "C1")
        return wrt

    def blocks(self) -> tuple[Body, ...]:
        """Take the operands and yield one float without axes, of any width."""
        ops = [op for block in self.body.blocks for op in block.ops]
        cost = ops[-1].operands[0].type if ops and ops[-1].operands else F32
        element = F32 if isinstance(cost, FunctionType) else element_type(cost)
        scalar = TensorType((), element if element.is_float else F32)
        return (Body(Yield, value_types(self.operands), (scalar,)),)


@op("tc.jvp", traits=(PURE,), levels=AT_TENSOR)
class Jvp(Op):
    """The tangents of what a region yields, forward: the Jacobian times a vector.

    The first half of the operands are the block arguments of the region, the other half
    their tangents. The region sees what is around it, which has no tangent. No rewrite
    crosses its boundary. The pass `autodiff` expands the op, innermost first.

    Constraints:
      (C1) The operands and the results are float tensors.
      (C2) There is a tangent for each value, of its type.

    Example:
      %2 = "tc.jvp"(%0, %1) ({
      ^bb0(%w: tensor<4xf32>):
        %3 = "tc.exp"(%w) : (tensor<4xf32>) -> tensor<4xf32>
        "tc.yield"(%3) : (tensor<4xf32>) -> ()
      }) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """

    values: Values
    body: Region

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require C1 and C2."""
        _require_floats((*operands, *results), "C1")
        half = len(operands) // 2
        _require_pairs(ctx, operands[:half], operands[half:], "C2")

    def blocks(self) -> tuple[Body, ...]:
        """Take the values without their tangents; yield what the results belong to."""
        taken = value_types(self.operands[: len(self.operands) // 2])
        return (Body(Yield, taken, value_types(self.results)),)


@op("tc.vjp", traits=(PURE,), levels=AT_TENSOR)
class Vjp(Op):
    """The cotangents of values, backward: a vector times the Jacobian of a region.

    The first operands, as many as there are results, are the block arguments of the
    region; the others are the cotangents of what it yields. `tc.grad` is the case of
    one scalar with the cotangent 1. The region sees what is around it, and no rewrite
    crosses its boundary. The pass `autodiff` expands the op, innermost first.

    Constraints:
      (C1) The operands are float tensors.
      (C2) Each result has the type of its operand.

    Example:
      %2 = "tc.vjp"(%0, %1) ({
      ^bb0(%w: tensor<4xf32>):
        %3 = "tc.exp"(%w) : (tensor<4xf32>) -> tensor<4xf32>
        "tc.yield"(%3) : (tensor<4xf32>) -> ()
      }) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """

    values: Values
    body: Region

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require C1 and C2."""
        _require_floats((*operands, *results), "C1")
        _require_pairs(ctx, operands[: len(results)], results, "C2")

    def blocks(self) -> tuple[Body, ...]:
        """Take the values without the cotangents; yield what these belong to."""
        types, count = value_types(self.operands), len(self.results)
        return (Body(Yield, types[:count], types[count:]),)


@op("tc.stop_gradient", traits=(PURE, EXACT), levels=AT_TENSOR)
class StopGradient(Op):
    """The operand, as a constant for derivatives: result = operand.

    The pass `simplify` puts the operand in its place, after the derivatives.

    Example:
      %1 = "tc.stop_gradient"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    """

    operand: Value

    @staticmethod
    def infer(ctx: InferContext, operand: TensorType) -> TensorType:
        """Give the operand's type."""
        return operand

    evaluate = each(lambda x: x)


@op("tc.custom_gradient", traits=(PURE, ISOLATED), levels=AT_TENSOR)
class CustomGradient(Op):
    """A program that says itself how cotangents go back through it.

    `forward` takes the operands and yields the results. `backward` takes the operands
    and a cotangent for each result, and yields one for each operand that is a float, in
    their order. The pass `autodiff` uses `backward`, and then puts `forward` in the
    op's place. There is no derivative forward (`tc.jvp`).

    Constraints:
      (C1) The results are float tensors.

    Example:
      %1 = "tc.custom_gradient"(%0) ({
      ^bb0(%x: tensor<4xf32>):
        %2 = "tc.floor"(%x) : (tensor<4xf32>) -> tensor<4xf32>
        "tc.yield"(%2) : (tensor<4xf32>) -> ()
      }, {
      ^bb0(%x_1: tensor<4xf32>, %ct: tensor<4xf32>):
        "tc.yield"(%ct) : (tensor<4xf32>) -> ()
      }) : (tensor<4xf32>) -> tensor<4xf32>
    """

    inputs: Values
    forward: Region
    backward: Region

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require C1."""
        _require_floats(results, "C1")

    @staticmethod
    def evaluate(ctx: RegionRunner, *inputs: Array) -> tuple[Array, ...]:
        """Evaluate by running the region that goes forward."""
        return tuple(ctx.run(ctx.block(0), inputs))

    def blocks(self) -> tuple[Body, ...]:
        """Say what goes in and out in each direction."""
        taken, given = value_types(self.operands), value_types(self.results)
        floats = tuple(t for t in taken if _is_float(t))
        return Body(Yield, taken, given), Body(Yield, (*taken, *given), floats)


# What autodiff replaces; nothing but it looks through their regions.
DERIVATIVES: tuple[type[Op], ...] = (Grad, Jvp, Vjp)
