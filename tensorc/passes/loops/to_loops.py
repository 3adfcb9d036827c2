"""Lower memory programs to loops: a kernel function per group, and an entry.

Source:
  fn f(x: float[3]) -> float[3] = -x
Before:
  func.func @f(%x: memref<3xf32>, %result: memref<3xf32>, %arena: memref<?xi8>) {
    tc.group %x, %result {outer = 0, shapes = [[3], [3]]} {
    ^bb0(%x_1: memref<3xf32>, %arg0: memref<3xf32>):
      linalg.generic %x_1, %arg0 {indexing_maps = [(d0) -> (d0), (d0) -> (d0)], iterator_types = [parallel]} {
      ^bb0(%arg1: f32, %arg2: f32):
        %0 = arith.negf %arg1 : f32
        linalg.yield %0
      } {tc.place = ["memory"], tc.stage = 0}
      tc.yield
    } {tc.schedule = {}}
    func.return
  } {tc.arena = [0], tc.shapes = [[3], [3]], tc.symbols = []}
After:
  func.func @f.k0(%x: memref<?xf32>, %result: memref<?xf32>, %begin: index, %end: index, %scratch: memref<?xi8>) {
    %0 = arith.constant {value = 1 : index} : index
    %1 = arith.constant {value = 3 : index} : index
    %2 = vector.create_mask %1 : vector<16xi1>
    %3 = arith.constant {value = 0 : index} : index
    %4 = arith.constant {value = 0.0 : f32} : f32
    %5 = vector.broadcast %4 : vector<16xf32>
    %6 = vector.maskedload %x, %3, %2, %5 : vector<16xf32>
    %7 = arith.negf %6 : vector<16xf32>
    vector.maskedstore %result, %3, %2, %7
    func.return
  } {tc.kernel = true}
  func.func @f(%x: memref<?xf32>, %result: memref<?xf32>, %arena: memref<?xi8>, %scratch: memref<?xi8>) {
    %0 = arith.constant {value = 1 : index} : index
    %1 = arith.constant {value = 3 : index} : index
    tc.launch %x, %result, %0, %1, %scratch {callee = @f.k0}
    func.return
  } {tc.arena = [0], tc.scratch = [0], tc.shapes = [[3], [3]], tc.symbols = []}

1. Each group becomes a kernel over the chunks that its schedule says; so do index
   checks and copies, of one chunk. The chunk grid follows from shapes alone.
2. All memory becomes one-dimensional; index arithmetic is spelled out.
3. The entry computes sizes and offsets and calls the kernels in order, those of a
   `tc.if` in an `scf.if`, those of a `tc.scan` in an `scf.for`; or the scan has a
   schedule, and is one kernel, whose chunks run all steps. No kernel has a branch
   of the program inside.
4. What a kernel needs while it runs a chunk, and whose size is a formula, lies in the
   scratch of who runs it: `tc.scratch` is the size that is enough for all kernels.
"""  # noqa: E501

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from tensorc.errors import CompileError, Diagnostic
from tensorc.ir.attributes import ArrayAttr, Dims
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import elements
from tensorc.ir.functions import set_function_type
from tensorc.ir.ops.builtin import KERNEL, Call, Function, Module, Return
from tensorc.ir.ops.control import If, KernelGroup
from tensorc.ir.ops.loop import scf
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.memory.kernels import (
    NUMBER,
    READ_ONCE,
    UNSIGNED,
    CheckIndexInto,
    CumulateInto,
    Fail,
    ScatterInto,
    SizeOf,
)
from tensorc.ir.ops.memory.rows import OrderInto, SearchInto
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.ops.scan import Scan
from tensorc.ir.schedules import schedule_of
from tensorc.ir.types import I64, INDEX, MemRefType, element_type
from tensorc.passes.analysis.memory import ARENA, sized_shape
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.loops.builder import Callees, LoopBuilder
from tensorc.passes.loops.entry import (
    FunctionState,
    Outlined,
    close_kernel,
    flat_type,
    launch,
    open_kernel,
    row_major,
)
from tensorc.passes.loops.groups import group_kernel
from tensorc.passes.loops.lanes import (
    Point,
    Uniform,
    write,
)
from tensorc.passes.loops.orders.searching import search_kernel
from tensorc.passes.loops.orders.sorting import order_kernel
from tensorc.passes.loops.reductions.cumulative import cumulate_kernel
from tensorc.passes.loops.scans import copy_elements, emit_steps, steps_kernel
from tensorc.passes.loops.scatter import as_i64, emit_scatter
from tensorc.target import Target


def lower_function(
    function: Function,
    module: Block,
    target: Target,
    outlined: Mapping[str, Outlined],
) -> None:
    """Lower one function; its kernels are appended to the module, then itself."""
    old = function.body.block
    new = Block(parent=function.body)
    names = function.attributes.get("tc.symbols")
    shapes = function.attributes.get("tc.shapes")
    if not isinstance(names, ArrayAttr) or not isinstance(shapes, ArrayAttr):
        message = "a function on memory has 'tc.symbols' and 'tc.shapes'"
        raise CompileError(Diagnostic("TC0250", message, function.location))
    symbols: dict[str, Value] = {}
    k = LoopBuilder(new, symbols)
    entry = FunctionState(function, k, module, target, outlined, symbols=symbols)
    entry.callees = Callees(module, function.sym_name)
    known = iter(shapes.items)
    for argument in old.arguments:
        if isinstance(argument.type, MemRefType):
            type_ = argument.type if argument.type == ARENA else None
            flat = type_ or flat_type(argument.type.element)
            entry.flat[argument] = new.add_argument(flat, argument.hint)
            if argument.hint != "arena":
                dims = next(known)
                assert isinstance(dims, Dims)
                entry.shapes[argument] = dims.dims
    entry.scratch = new.add_argument(ARENA, "scratch")
    for name in names.items:
        symbols[str(name)] = new.add_argument(INDEX, str(name))
    for op in old.ops[:-1]:
        with entry.k.at(op.location):
            _lower(entry, op)
    entry.k.do(Return)
    function.body.blocks[:] = [new]
    function.attributes["tc.scratch"] = Dims((entry.scratch_bytes,))
    set_function_type(function)
    module.append(function)


def _lower(entry: FunctionState, op: Op) -> None:
    if isinstance(op, SizeOf | arith.Constant):
        return  # put where it is used
    row = _ROWS.get(type(op))
    if row is None:
        message = f"{op.name}: stands outside of a kernel, or is memory without a slot"
        passes = "--fuse --schedule --bufferize --plan-memory"
        hints = (f"make kernels and plan memory first: {passes}",)
        raise CompileError(Diagnostic("TC0250", message, op.location, hints=hints))
    around = entry.number
    entry.number = op.attributes.get(NUMBER, around)
    row(entry, op)
    entry.number = around


def _reshape(entry: FunctionState, op: Op) -> None:
    entry.flat[op.result] = entry.flat[op.operands[0]]
    sizes = op.operands[_FIRST_SIZE[type(op)] :]
    entry.shapes[op.result] = sized_shape(op.result.type, sizes)


def _store(entry: FunctionState, op: Op) -> None:
    k = entry.k
    value, target, *indices = op.operands
    storage = row_major(k, entry.flat[target], entry.shapes[target])
    at = [Uniform(_constant(k, i)) for i in indices]
    write(k, storage, at, Uniform(_constant(k, value)), Point(()))


def _branch(entry: FunctionState, op: Op) -> None:
    """Write an `scf.if`, whose regions run the kernels of those of a `tc.if`."""
    assert isinstance(op, If)
    k = entry.k
    condition = k.op(memory.Load, entry.flat[op.condition], k.index(0))
    regions = []
    for region in op.regions:
        for outside, inside in zip(op.captures, region.block.arguments, strict=True):
            entry.flat[inside] = entry.flat[outside]
            if outside in entry.shapes:  # the arena has none
                entry.shapes[inside] = entry.shapes[outside]
        with k.b.region([]) as (made, _):
            for inner in region.block.ops[:-1]:
                with k.at(inner.location):
                    _lower(entry, inner)
            k.do(scf.Yield)
        regions.append(made)
    then, otherwise = regions
    if len(otherwise.block.ops) == 1:
        otherwise.blocks.clear()
    k.b.create(scf.If, condition, regions=[then, otherwise])


def _scan(entry: FunctionState, op: Op) -> None:
    """Write a loop around the kernels of a region, or one kernel with all steps."""
    assert isinstance(op, Scan)
    chosen = schedule_of(op)
    if chosen is not None:
        steps_kernel(entry, op, chosen, _lower)
        return
    number = entry.flat[op.number]
    emit_steps(entry, op, number, _lower, partial(_copy, entry))


# The operand from which on views give the unknown sizes.
_FIRST_SIZE: dict[type[Op], int] = {memory.View: 2, memory.Reshape: 1}


def _constant(k: LoopBuilder, value: Value) -> Value:
    assert isinstance(value.op, arith.Constant)
    return k.constant(value.op.value.value, value.op.value.type)


def _view(entry: FunctionState, op: Op) -> None:
    assert isinstance(op, memory.View)
    k = entry.k
    shape = sized_shape(op.result.type, op.operands[_FIRST_SIZE[type(op)] :])
    source = op.offset.op
    offset = k.dim(source.dim.dims[0]) if isinstance(source, SizeOf) else None
    at = _constant(k, op.offset) if offset is None else offset
    type_ = flat_type(element_type(op.result.type))
    count = k.dim(elements(shape))
    value = k.op(memory.View, entry.flat[op.source], at, count, types=[type_])
    value.hint = op.result.hint
    entry.flat[op.result] = value
    entry.shapes[op.result] = shape


def _data(entry: FunctionState, op: Op) -> None:
    assert isinstance(op, memory.Data)
    type_ = flat_type(op.value.type.element)
    value = entry.k.b.value(memory.Data, value=op.value, types=[type_])
    value.hint = op.result.hint
    entry.flat[op.result] = value
    entry.shapes[op.result] = op.value.type.shape


def _copy_kernel(entry: FunctionState, op: Op) -> None:
    assert isinstance(op, memory.Copy)
    _copy(entry, *op.operands)


def _copy(entry: FunctionState, source: Value, target: Value) -> None:
    count = elements(entry.shapes[target])
    values = [source, target]
    function, k, (given, taken), names = open_kernel(entry, values, [count])
    copy_elements(k, given, taken, (k.index(0), k.dim(count)))
    close_kernel(entry, function, k, values, names, 1)


def _check_kernel(entry: FunctionState, op: Op) -> None:
    assert isinstance(op, CheckIndexInto)
    values = op.operands
    count, size = elements(entry.shapes[values[0]]), op.size.dims[0]
    function, k, arguments, names = open_kernel(entry, values, [count, size])
    given, *targets = arguments
    extent = k.op(conversions.IndexCast, k.dim(size), types=[I64])
    element = element_type(given.type)
    # What has no sign does not count from the end: a sign here means 2^63 and more.
    zero = k.constant(0, I64)
    counts = op.from_end and not element.is_unsigned
    lowest = k.op(arith.SubI, zero, extent) if counts else zero
    with k.loop(k.index(0), k.dim(count), 1) as loop:
        read = k.op(memory.Load, given, loop.index)
        for target in targets:  # the caller's memory may change between two reads
            k.b.block.ops[-1].attributes[READ_ONCE] = True
            k.do(memory.Store, read, target, loop.index)
        index = as_i64(k, read)
        below = k.compare("slt", index, lowest)
        above = k.compare("sge", index, extent)
        with k.when(k.op(arith.OrI, below, above)):
            k.do(Fail, index, extent, site=entry.sites, axis=op.axis)
            if element.is_unsigned:
                k.b.block.ops[-1].attributes[UNSIGNED] = True
    entry.sites += 1
    close_kernel(entry, function, k, values, names, 1)


def _call(entry: FunctionState, op: Op) -> None:
    """Launch the kernels of an outlined function, which the first call lowers."""
    assert isinstance(op, Call)
    k, outlined = entry.k, entry.outlined.get(op.callee.name)
    if outlined is None:
        raise _no_kernel(op)
    block = outlined.function.body.block
    group, *others = block.ops
    if not isinstance(group, KernelGroup) or len(others) > 1:
        raise _no_kernel(op)
    shapes = outlined.function.attribute("tc.shapes")
    assert isinstance(shapes, ArrayAttr)
    known = iter(shapes.items)
    for inside, outside in zip(block.arguments, op.operands, strict=True):
        if isinstance(inside.type, MemRefType):
            dims = next(known)
            assert isinstance(dims, Dims)
            entry.flat[inside], entry.shapes[inside] = entry.flat[outside], dims.dims
        elif isinstance(outside.op, arith.Constant):
            entry.flat[inside] = _constant(k, outside)
    if outlined.kernels:
        for kernel in outlined.kernels:
            launch(entry, kernel)
        return
    first = len(entry.kernels)
    _lower(entry, group)
    outlined.kernels = entry.kernels[first:]


def _no_kernel(op: Call) -> CompileError:
    message = f"func.call: @{op.callee.name} is no '{KERNEL}' of one tc.group"
    return CompileError(Diagnostic("TC0250", message, op.location))


def _scatter_kernel(entry: FunctionState, op: Op) -> None:
    assert isinstance(op, ScatterInto)
    values = op.operands
    shapes = [entry.shapes[v] for v in values]
    sizes = [dim for shape in shapes for dim in shape]
    function, k, arguments, names = open_kernel(entry, values, sizes)
    pairs = zip(arguments, shapes, strict=True)
    storages = [row_major(k, argument, shape) for argument, shape in pairs]
    emit_scatter(k, op, storages, shapes)
    close_kernel(entry, function, k, values, names, 1)


_ROWS: Mapping[type[Op], Callable[[FunctionState, Op], None]] = MappingProxyType(
    {
        memory.View: _view,
        memory.Reshape: _reshape,
        memory.Data: _data,
        memory.Store: _store,
        memory.Copy: _copy_kernel,
        CheckIndexInto: _check_kernel,
        ScatterInto: _scatter_kernel,
        CumulateInto: cumulate_kernel,
        OrderInto: order_kernel,
        SearchInto: search_kernel,
        KernelGroup: group_kernel,
        Call: _call,
        If: _branch,
        Scan: _scan,
    }
)


def run(module: Module, target: Target) -> Module:
    """Lower all functions."""
    functions = module.functions
    block = module.body.block
    block.ops = []
    outlined = {f.sym_name: Outlined(f) for f in functions if KERNEL in f.attributes}
    for function in functions:
        if function.sym_name not in outlined:
            lower_function(function, block, target, outlined)
    return module


TO_LOOPS = Pass("to-loops", Level.BUFFER, Level.LOOP, run, __doc__)
