"""The entry in the making: flat memory, symbols, and the kernels that it launches.

Kernels may call functions that share code between their parts. A product of unknown
sizes is long code, which depends on what is known of its strides and sizes alone: it is
written once, and called for each product of its form, since LLVM's time is most of
compiling. A callee has the form of a kernel: its rows are the chunks, and its scratch
is a part of the caller's. It has nothing on the stack.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from tensorc.ir.attributes import Attribute, SymbolRef
from tensorc.ir.core import Block, Value, single_block
from tensorc.ir.dims import Dim, maximum, symbols_of
from tensorc.ir.functions import set_function_type
from tensorc.ir.ops.builtin import KERNEL, Call, Function, Return
from tensorc.ir.ops.memory.kernels import NUMBER, Launch
from tensorc.ir.types import I8, INDEX, Element, MemRefType
from tensorc.passes.analysis.memory import ARENA
from tensorc.passes.loops.accumulate import worker_scratch
from tensorc.passes.loops.builder import Callees, LoopBuilder
from tensorc.passes.loops.lanes import (
    Storage,
)
from tensorc.passes.schedule.cpu import STACK_BYTES
from tensorc.target import Target

Shape = tuple[Dim, ...]
Limits = tuple[Value, Value]
Emit = Callable[[LoopBuilder, Sequence[Value], Limits], None]


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
    callees: Callees | None = None
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
    k.callees = entry.callees
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


def call_shared(
    k: LoopBuilder,
    kind: Hashable,
    values: Sequence[Value],
    limits: Limits,
    emit: Emit,
    general: bool = False,
) -> None:
    """Call the function of a kind, with memory and indices, for some rows.

    `emit` is given its builder, its values, and its rows. Its code follows from `kind`,
    the types of the values and, if it is not `general`, from those that are numbers.
    Without an entry around the kernel, the code stands where it is called.
    """
    callees = k.callees
    if callees is None:
        emit(k, values, limits)
        return
    known = [None if general else k.known(value) for value in values]
    key = (kind, *known, *[value.type for value in values])
    if key not in callees.made:
        callees.made[key] = _function(
            k, callees, list(zip(values, known, strict=True)), emit
        )
    function, size = callees.made[key]
    assert k.scratch is not None
    assert isinstance(size, int)
    use = "callees", I8, size
    if size and use not in k.shared:
        k.shared[use] = worker_scratch(k, I8, size)
    scratch = k.shared[use] if size else k.scratch
    given = [v for v, number in zip(values, known, strict=True) if number is None]
    callee = SymbolRef(function.sym_name)
    k.b.create(Call, *given, *limits, scratch, types=[], callee=callee)


def _function(
    k: LoopBuilder,
    callees: Callees,
    values: Sequence[tuple[Value, int | None]],
    emit: Emit,
) -> tuple[Function, Dim]:
    """Return a new function of values and what is known of them, and its scratch."""
    region, block = single_block()
    inner = LoopBuilder(block, {})
    inner.callees = callees
    inner.stack_bytes = STACK_BYTES
    inner.b.location = k.b.location
    inside = []
    for value, number in values:
        if number is None:
            inside.append(block.add_argument(value.type, value.hint))
        else:
            inside.append(inner.index(number))
    limits = block.add_argument(INDEX, "begin"), block.add_argument(INDEX, "end")
    inner.scratch = block.add_argument(ARENA, "scratch")
    emit(inner, inside, limits)
    inner.do(Return)
    name = f"{callees.prefix}.p{len(callees.made)}"
    attributes: dict[str, Attribute] = {"sym_name": name, KERNEL: True}
    function = Function([], [], attributes, [region], k.b.location)
    set_function_type(function)
    callees.module.append(function)
    return function, inner.scratch_bytes
