"""Modules and functions, with MLIR's names."""

from collections.abc import Mapping, Sequence

from tensorc.ir.attributes import ArrayAttr, Attribute, Dict, Dims, SymbolRef
from tensorc.ir.core import Body, Op, Region
from tensorc.ir.dims import is_value, symbols_of
from tensorc.ir.invariants import check_call, fail, fits
from tensorc.ir.levels import AT_BUFFER, AT_LOOP, EVERYWHERE, Level
from tensorc.ir.opdef import ISOLATED, TERMINATOR, InferContext, Values, op, require
from tensorc.ir.types import INDEX, Element, FunctionType, MemRefType, TensorType, Type

# A discardable attribute of functions that only functions of their module run.
KERNEL = "tc.kernel"


@op("builtin.module", traits=(ISOLATED,), levels=EVERYWHERE)
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

    def blocks(self) -> tuple[Body, ...]:
        """Hold functions, and no terminator."""
        return (Body(None),)

    def verify(self, functions: Mapping[str, Op], level: Level | None) -> None:
        """Check that it stands in no other op."""
        around = _around(self)
        if around is not None:
            fail(self, f"stands in {around.name}: a module stands alone")

    @property
    def functions(self) -> "list[Function]":
        """The functions in order."""
        return [op for op in self.body.block.ops if isinstance(op, Function)]

    @property
    def entries(self) -> "list[Function]":
        """The functions that are called from outside, in order."""
        return [f for f in self.functions if KERNEL not in f.attributes]


@op("func.func", traits=(ISOLATED,), levels=EVERYWHERE)
class Function(Op):
    """A function; a step is one whose results update some of its arguments.

    `arg_attrs` and `res_attrs` hold a dictionary per argument and result:
    `tc.name` (text), `tc.kind` ("shared", "input", "hyper", "captured") of an argument,
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

    def blocks(self) -> tuple[Body, ...]:
        """Take the arguments and return the results of the function's type."""
        type_ = self.function_type
        return (Body(Return, type_.inputs, type_.results),)

    def verify(self, functions: Mapping[str, Op], level: Level | None) -> None:
        """Check that it stands in a module, and what is said of its type."""
        around = _around(self)
        if around is not None and not isinstance(around, Module):
            fail(self, f"stands in {around.name}: a function stands in a module")
        type_ = self.function_type
        for name, types in (("arg_attrs", type_.inputs), ("res_attrs", type_.results)):
            entries = self.attributes.get(name)
            if entries is None:
                continue
            items = entries.items if isinstance(entries, ArrayAttr) else ()
            found = sum(isinstance(item, Dict) for item in items)
            if not found == len(items) == len(types):
                fail(self, f"attribute '{name}' must hold {len(types)} dictionaries")
        _check_values(self, type_.inputs)
        _check_updates(self, type_)
        _check_symbols(self)
        if level is not None:
            _check_signature(self, level)

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


def _around(op: Op) -> Op | None:
    """Return the op in a region of which another one stands, if there is one."""
    region = None if op.parent is None else op.parent.parent
    return None if region is None else region.parent


def _entry(array: Attribute | None, index: int) -> Dict:
    if not isinstance(array, ArrayAttr):
        return Dict(())
    entry = array.items[index]
    assert isinstance(entry, Dict)
    return entry


def _check_values(function: Function, types: Sequence[Type]) -> None:
    """Check that value symbols stand for inputs that are integer scalars."""
    seen: set[str] = set()
    for i, type_ in enumerate(types):
        info = function.argument_info(i)
        symbol = info.get("tc.value")
        if symbol is None:
            continue
        if not isinstance(symbol, str) or not is_value(symbol) or symbol in seen:
            fail(function, f"'tc.value' of argument {i} must be a symbol of its own")
        seen.add(symbol)
        is_scalar = isinstance(type_, TensorType) and not type_.shape
        is_integer = isinstance(type_, TensorType) and type_.element.is_integer
        if not (is_scalar and is_integer and info.get("tc.kind") == "input"):
            fail(function, f"'tc.value' of argument {i}: an integer input is needed")


def _check_signature(function: Function, level: Level) -> None:
    """Check that a function above LOOP takes arrays, and on memory says their sizes."""
    type_ = function.function_type
    if level is Level.BUFFER:
        for i, given in enumerate(type_.inputs):
            # Scalars of a kernel come behind the memory, then the values of sizes.
            is_scalar = KERNEL in function.attributes and isinstance(given, Element)
            if not (isinstance(given, MemRefType) or given == INDEX or is_scalar):
                fail(function, f"argument {i} is {given}, it must be memory")
        if type_.results:
            fail(function, "gives values, on memory it must write to its arguments")
        names = ("tc.symbols", "tc.shapes")
        if not all(isinstance(function.attributes.get(n), ArrayAttr) for n in names):
            fail(function, "a function on memory has 'tc.symbols' and 'tc.shapes'")
    elif level is not Level.LOOP:
        for what, types in (("argument", type_.inputs), ("result", type_.results)):
            for i, given in enumerate(types):
                if not isinstance(given, TensorType):
                    fail(function, f"{what} {i} is {given}, it must be a tensor")


def _check_updates(function: Function, type_: FunctionType) -> None:
    """Check that results replace arguments of their types, each at most once."""
    seen: set[int] = set()
    for i, result in enumerate(type_.results):
        target = function.result_info(i).get("tc.updates")
        if target is None:
            continue
        known = isinstance(target, int) and 0 <= target < len(type_.inputs)
        if not isinstance(target, int) or not known or target in seen:
            fail(function, f"'tc.updates' of result {i} names no argument of its own")
        seen.add(target)
        if not fits(result, type_.inputs[target]):
            fail(function, f"result {i} is {result}, it updates {type_.inputs[target]}")


def _check_symbols(function: Function) -> None:
    """Check that on memory, sizes are made of the symbols that the function takes."""
    names = function.attributes.get("tc.symbols")
    if not isinstance(names, ArrayAttr):
        return
    for inner in function.walk():
        for name, value in inner.attributes.items():
            found = value.items if isinstance(value, ArrayAttr) else (value,)
            if isinstance(value, Dict):
                found = tuple([entry for _, entry in value.items])
            dims = [d for dims in found if isinstance(dims, Dims) for d in dims.dims]
            for symbol in (s for d in dims for s in symbols_of(d)):
                if symbol not in names.items:
                    fail(inner, f"attribute '{name}': the function takes no '{symbol}'")


@op("func.return", traits=(TERMINATOR,), levels=EVERYWHERE)
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


@op("func.call", levels=AT_BUFFER | AT_LOOP)
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

    def verify(self, functions: Mapping[str, Op], level: Level | None) -> None:
        """Check the callee, and the types that it takes and gives."""
        check_call(self, functions)
