"""Modules and functions, with MLIR's names."""

from tensorc.ir.attributes import ArrayAttr, Attribute, Dict, SymbolRef
from tensorc.ir.core import Op, Region
from tensorc.ir.opdef import ISOLATED, TERMINATOR, InferContext, Values, op, require
from tensorc.ir.types import FunctionType, Type


@op("builtin.module", traits=(ISOLATED,))
class Module(Op):
    """A compilation unit: functions.

    Example:
      "builtin.module"() ({
      }) : () -> ()
    """

    body: Region

    @staticmethod
    def infer(ctx: InferContext) -> tuple[Type, ...]:
        """Give nothing."""
        return ()

    @property
    def functions(self) -> "list[Function]":
        """The functions in order."""
        return [op for op in self.body.block.ops if isinstance(op, Function)]


@op("func.func", traits=(ISOLATED,))
class Function(Op):
    """A function; a step is one whose results update some of its arguments.

    `arg_attrs` and `res_attrs` hold a dictionary per argument and result:
    `tc.name` (text), `tc.kind` ("shared", "input", "hyper") of an argument,
    `tc.updates` (the index of the argument that takes this new value) of a result.
    `tc.value` ("$i") of an argument, an integer scalar, is the symbol that stands for
    its value in dimensions; all symbols start with `$` that stand for values.
    Discardable: `tc.guards` (pairs of equal dimensions), `tc.guard_places`, `tc.level`.

    Example:
      "func.func"() <{function_type = () -> (), sym_name = "f"}> ({
        "func.return"() : () -> ()
      }) : () -> ()
    """

    sym_name: str
    function_type: FunctionType
    arg_attrs: ArrayAttr | None
    res_attrs: ArrayAttr | None
    body: Region

    @staticmethod
    def infer(ctx: InferContext, **attributes: Attribute) -> tuple[Type, ...]:
        """Give nothing."""
        return ()

    def argument_info(self, index: int) -> Dict:
        """Return the dictionary of an argument."""
        return _entry(self.attributes.get("arg_attrs"), index)

    def value_symbol(self, index: int) -> str:
        """Return the symbol that stands for the value of an argument, or ""."""
        symbol = self.argument_info(index).get("tc.value")
        return symbol if isinstance(symbol, str) else ""

    def result_info(self, index: int) -> Dict:
        """Return the dictionary of a result."""
        return _entry(self.attributes.get("res_attrs"), index)


def _entry(array: Attribute | None, index: int) -> Dict:
    if not isinstance(array, ArrayAttr):
        return Dict(())
    entry = array.items[index]
    assert isinstance(entry, Dict)
    return entry


@op("func.return", traits=(TERMINATOR,))
class Return(Op):
    """End a function and give its results.

    Example:
      "func.return"(%0) : (tensor<4xf32>) -> ()
    """

    values: Values

    @staticmethod
    def infer(ctx: InferContext, *values: Type) -> tuple[Type, ...]:
        """Give nothing."""
        return ()


@op("func.call")
class Call(Op):
    """Call a function of the module; it fails if the callee fails.

    Constraints:
      (C1) callee is the name of a function of the module.

    Example:
      "func.call"(%0) <{callee = @f}> : (memref<?xf32>) -> ()
    """

    callee: SymbolRef
    arguments: Values

    @staticmethod
    def check(
        ctx: InferContext,
        operands: tuple[Type, ...],
        results: tuple[Type, ...],
        *,
        callee: SymbolRef,
    ) -> None:
        """Nothing to check without the module."""
        require(callee.name != "", "C1", "an empty name")
