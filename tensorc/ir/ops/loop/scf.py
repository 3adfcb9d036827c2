"""Structured control flow, with MLIR's names."""

import numpy as np

from tensorc.ir.core import Body, Op, Region, Value, value_types
from tensorc.ir.evaluation import RegionRunner
from tensorc.ir.levels import AT_LOOP
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import TERMINATOR, InferContext, Values, op, require
from tensorc.ir.types import I1, INDEX, Type


@op("scf.yield", traits=(TERMINATOR,), levels=AT_LOOP)
class Yield(Op):
    """End a region and give its results.

    Example:
      "scf.yield"() : () -> ()
    """

    values: Values

    @staticmethod
    def infer(ctx: InferContext, *values: Type) -> tuple[Type, ...]:
        """Give nothing."""
        return ()


@op("scf.for", levels=AT_LOOP)
class For(Op):
    """Count from lower up to below upper, carrying values.

    The region's arguments are the counter and what is carried; it yields the next
    values of what is carried, whose last ones are the results.

    Constraints:
      (C1) lower, upper and step are of type index.

    Example:
      "scf.for"(%0, %1, %2) ({
      ^bb0(%i: index):
        "scf.yield"() : () -> ()
      }) : (index, index, index) -> ()
    """

    lower: Value
    upper: Value
    step: Value
    initial: Values
    body: Region

    @staticmethod
    def infer(
        ctx: InferContext, lower: Type, upper: Type, step: Type, *initial: Type
    ) -> tuple[Type, ...]:
        """Give the types of what is carried."""
        bounds = (lower, upper, step)
        require(bounds == (INDEX, INDEX, INDEX), "C1", "{}", bounds)
        return initial

    def blocks(self) -> tuple[Body, ...]:
        """Take the counter and what is carried, and yield the latter."""
        carried = value_types(self.initial)
        return (Body(Yield, (INDEX, *carried), carried),)

    @staticmethod
    def evaluate(
        ctx: RegionRunner, lower: Array, upper: Array, step: Array, *initial: Array
    ) -> tuple[Array, ...]:
        """Evaluate by running the region for each value of the counter.

        The fuzzer evaluates functions of a scalar on whole arrays, element by element:
        each element then has a bound of its own, and stays as it is from there on.
        """
        carried = list(initial)
        most = int(upper) if not upper.ndim else max([int(lower), *upper.flat])
        for i in range(int(lower), most, int(step)):
            made = ctx.run(ctx.block(0), [np.asarray(i, lower.dtype), *carried])
            if upper.ndim:
                pairs = zip(made, carried, strict=True)
                goes_on = np.greater(upper, i)
                made = [np.where(goes_on, new, old) for new, old in pairs]
            carried = made
        return tuple(carried)


@op("scf.if", levels=AT_LOOP)
class If(Op):
    """Run one of two regions: `then` if the condition is true.

    `otherwise` may be without a block: then nothing is run.

    Constraints:
      (C1) condition is i1.

    Example:
      "scf.if"(%0) ({
        "scf.yield"() : () -> ()
      }, {}) : (i1) -> ()
    """

    condition: Value
    then: Region
    otherwise: Region

    @staticmethod
    def infer(ctx: InferContext, condition: Type) -> tuple[Type, ...]:
        """Give nothing."""
        require(condition == I1, "C1", "{}", condition)
        return ()

    def blocks(self) -> tuple[Body, ...]:
        """Take and yield nothing; `otherwise` may be without a block."""
        return Body(Yield), Body(Yield, optional=True)

    @staticmethod
    def evaluate(ctx: RegionRunner, condition: Array) -> tuple[Array, ...]:
        """Evaluate by running one of the regions."""
        ctx.run(ctx.block(0 if condition else 1), [])
        return ()
