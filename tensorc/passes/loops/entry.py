"""The entry in the making: flat memory, symbols, and the kernels that it launches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tensorc.ir.attributes import Attribute, SymbolRef
from tensorc.ir.core import Block, Value, single_block
from tensorc.ir.dims import Dim, maximum, symbols_of
from tensorc.ir.functions import set_function_type
from tensorc.ir.ops.builtin import KERNEL, Function, Return
from tensorc.ir.ops.memory.kernels import NUMBER, Launch
from tensorc.ir.types import INDEX, Element, MemRefType
from tensorc.passes.analysis.memory import ARENA
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.lanes import (
    Storage,
)
from tensorc.target import Target

Shape = tuple[Dim, ...]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that is done: what it is given, how many chunks and how much work."""

    function: Function
    values: Sequence[Value]
    names: Sequence[str]
    chunks: Dim
    work: Dim
    scratch_bytes: Dim


@dataclass
class Outlined:
    """A function of one group, and the kernels that it was lowered to, if it was."""

    function: Function
    kernels: list[Kernel] = field(default_factory=list)


@dataclass
class FunctionState:
    """The state of lowering one function."""

    function: Function
    k: LoopBuilder
    module: Block
    target: Target
    outlined: Mapping[str, Outlined]
    flat: dict[Value, Value] = field(default_factory=dict)
    shapes: dict[Value, Shape] = field(default_factory=dict)
    symbols: dict[str, Value] = field(default_factory=dict)
    kernels: list[Kernel] = field(default_factory=list)
    sites: int = 0
    scratch: Value | None = None
    scratch_bytes: Dim = 0  # enough for each of the kernels so far
    number: Attribute | None = None  # of the op that is lowered, if ops have numbers


def flat_type(element: Element) -> MemRefType:
    """Return one-dimensional memory of unknown size."""
    return MemRefType((None,), element)


def row_major(k: LoopBuilder, memref: Value, shape: Shape) -> Storage:
    """Return the storage of a whole tensor in flat memory."""
    strides: list[Value] = []
    count: Dim = 1
    for extent in reversed(shape):
        strides.insert(0, k.dim(count))
        count = count * extent
    return Storage(memref, tuple(strides))


def open_kernel(
    entry: FunctionState, values: Sequence[Value], dims: Sequence[Dim]
) -> tuple[Function, LoopBuilder, list[Value], list[str]]:
    """Return a new kernel, its builder, its memory arguments and its symbols."""
    region, block = single_block()
    arguments = [block.add_argument(entry.flat[v].type, v.hint) for v in values]
    names: dict[str, None] = {}
    for dim in dims:
        names.update(dict.fromkeys(symbols_of(dim)))
    symbols = {name: block.add_argument(INDEX, name) for name in names}
    # No name in a `.tc` has a dot.
    name = f"{entry.function.sym_name}.k{len(entry.kernels)}"
    attributes: dict[str, Attribute] = {"sym_name": name, KERNEL: True}
    function = Function([], [], attributes, [region], entry.k.b.location)
    k = LoopBuilder(block, symbols)
    k.b.location = entry.k.b.location
    block.add_argument(INDEX, "begin")
    block.add_argument(INDEX, "end")
    k.scratch = block.add_argument(ARENA, "scratch")
    return function, k, arguments, list(names)


def close_kernel(
    entry: FunctionState,
    function: Function,
    k: LoopBuilder,
    values: Sequence[Value],
    names: Sequence[str],
    chunks: Dim,
    work: Dim = 0,
) -> None:
    """End a kernel, and launch it over so many chunks; `work` as in `tc.launch`."""
    k.do(Return)
    set_function_type(function)
    entry.module.append(function)
    kernel = Kernel(function, values, names, chunks, work, k.scratch_bytes)
    entry.kernels.append(kernel)
    launch(entry, kernel)


def launch(entry: FunctionState, kernel: Kernel) -> None:
    """Launch a kernel with what its values are now."""
    entry.scratch_bytes = maximum(entry.scratch_bytes, kernel.scratch_bytes)
    outer = entry.k
    operands = [entry.flat[v] for v in kernel.values]
    operands += [entry.symbols[name] for name in kernel.names]
    assert entry.scratch is not None
    operands += [outer.dim(kernel.chunks), outer.dim(kernel.work), entry.scratch]
    callee = SymbolRef(kernel.function.sym_name)
    made = outer.b.create(Launch, *operands, types=[], callee=callee)
    if entry.number is not None:
        made.attributes[NUMBER] = entry.number
