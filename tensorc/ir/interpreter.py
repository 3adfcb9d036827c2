"""Run IR of any level on numpy arrays: the meaning that every pass must keep.

Tensors, vectors and scalars are arrays; memory is an array that stores change in place.
Slow on purpose: every op is its `evaluate`, one after the other.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from tensorc.errors import Diagnostic, IndexOutOfRange, InternalError
from tensorc.ir.attributes import ArrayAttr
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import Dim, as_symbol, evaluate
from tensorc.ir.evaluation import as_element, as_given
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import TERMINATOR
from tensorc.ir.ops.builtin import Call, Function, Module
from tensorc.ir.ops.memory.kernels import Launch
from tensorc.ir.types import Element, MemRefType, TensorType, Type, element_type

Meanings = Mapping[type[Op], Callable[..., Array]]
_OWN: Meanings = MappingProxyType({})


def interpret(
    module: Module, name: str, arguments: Sequence[Array], meanings: Meanings = _OWN
) -> list[Array]:
    """Call a function of a module.

    Arguments have the dtypes of the function's; memory arguments are changed in place.
    Ops of the classes in `meanings` are evaluated by these functions instead of their
    own `evaluate`, with the same arguments but the context.
    Raises `IndexOutOfRange` where compiled code would report an index error.
    """
    functions = {f.sym_name: f for f in module.functions}
    return Frame(functions, functions[name], meanings).call(arguments)


class Frame:
    """One call: the values so far, the sizes of symbols, and the op being evaluated."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        function: Function,
        meanings: Meanings = _OWN,
    ) -> None:
        self.functions = functions
        self.function = function
        self.meanings = meanings
        self.values: dict[Value, Array] = {}
        self.sizes: dict[str, int] = {}
        self.stack: list[Op] = []
        self.points: list[Sequence[Array]] = []

    def call(self, arguments: Sequence[Array]) -> list[Array]:
        """Return the results of the function on these arguments."""
        block = self.function.body.block
        for i, (value, argument) in enumerate(
            zip(block.arguments, arguments, strict=True)
        ):
            self._bind_sizes(value, argument)
            given = self.function.value_symbol(i)
            if given:
                self.sizes[given] = int(argument)
        names = self.function.attributes.get("tc.symbols")
        if isinstance(names, ArrayAttr) and names.items:
            # Below TENSOR the last arguments are the sizes (design section 4).
            words = arguments[-len(names.items) :]
            sizes = zip(names.items, words, strict=True)
            self.sizes.update((str(n), int(size)) for n, size in sizes)
        with np.errstate(all="ignore"):
            return self.run(block, arguments)

    def _bind_sizes(self, value: Value, argument: Array) -> None:
        if isinstance(value.type, TensorType):
            for dim, size in zip(value.type.shape, argument.shape, strict=True):
                name = as_symbol(dim)
                if name is not None:
                    self.sizes.setdefault(name, size)

    # What `evaluate` may ask for (the protocols in tensorc.ir.evaluation).

    def size(self, dim: Dim) -> int:
        """Return the value of a dimension in this call."""
        return evaluate(dim, self.sizes)

    def result_type(self) -> Type:
        """Return the type of the only result."""
        return self.stack[-1].result.type

    def result_element(self) -> Element:
        """Return the element type of the only result."""
        return element_type(self.result_type())

    def gives_results(self) -> bool:
        """Return whether the op gives tensors, or writes to memory."""
        return bool(self.stack[-1].results)

    def fresh_results(self) -> list[Array]:
        """Return arrays of zeros of the types of the op's results."""
        types = [r.type for r in self.stack[-1].results]
        return [
            np.zeros([self.size(d) for d in t.shape], t.element.dtype)
            for t in types
            if isinstance(t, TensorType)
        ]

    def block(self, region: int) -> Block:
        """Return the only block of a region of the op; an empty one without it."""
        blocks = self.stack[-1].regions[region].blocks
        return blocks[0] if blocks else Block()

    def iteration(self, dim: int) -> Array:
        """Return the indices of the points along a dimension."""
        return self.points[-1][dim]

    def fail_index(self, axis: int, index: int, size: int) -> None:
        """Raise `IndexOutOfRange` at the op's source location."""
        op = self.stack[-1]
        message = f"index {index} is out of range for axis {axis} with size {size}"
        raise IndexOutOfRange(Diagnostic("TC0505", message, op.location))

    def run_at(
        self, block: Block, arguments: Sequence[Array], point: Sequence[Array]
    ) -> list[Array]:
        """Run a block at a point, whose indices it may ask for."""
        self.points.append(point)
        try:
            return self.run(block, arguments)
        finally:
            self.points.pop()

    def run(self, block: Block, arguments: Sequence[Array]) -> list[Array]:
        """Run a block and return the operands of its terminator."""
        values = self.values
        values.update(zip(block.arguments, arguments, strict=True))
        for op in block.ops:
            operands = [values[v] for v in op.operands]
            if TERMINATOR in op.traits:
                return operands
            values.update(zip(op.results, self.evaluate(op, operands), strict=True))
        return []

    def evaluate(self, op: Op, operands: Sequence[Array]) -> Sequence[Array]:
        """Return the results of an op on these operands."""
        if isinstance(op, Launch):
            # All chunks in one call; the work is for schedulers.
            *given, chunks, _, scratch = operands
            operands = [*given, np.array(0, np.int64), chunks, scratch]
        if isinstance(op, Call | Launch):
            callee = self.functions[op.callee.name]
            return Frame(self.functions, callee, self.meanings).call(operands)
        attributes = op.attributes
        declared = {n: attributes[n] for n in op.attribute_names if n in attributes}
        meaning = self.meanings.get(type(op))
        if meaning is not None:
            return [_as_declared(meaning(*operands, **declared), op.result)]
        evaluate_op = getattr(op, "evaluate", None)
        if evaluate_op is None:
            raise InternalError(f"{op.name} has no meaning here: run its pass first")
        self.stack.append(op)
        try:
            given = evaluate_op(self, *as_given(op, operands), **declared)
        finally:
            self.stack.pop()
        results: Sequence[Array] = given if isinstance(given, tuple) else (given,)
        return [_as_declared(v, r) for v, r in zip(results, op.results, strict=True)]


def _as_declared(value: Array, result: Value) -> Array:
    """Check dtype of what `evaluate` gave: a wrong one is a bug of the op."""
    if isinstance(result.type, MemRefType):
        return value
    element = element_type(result.type)
    value, dtype = as_element(value, element), element.dtype
    if value.dtype != dtype:
        source = result.op.name if result.op else ""
        raise InternalError(f"{source} gave {value.dtype}, its type says {dtype}")
    return value
