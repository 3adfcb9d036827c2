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
      }
      tc.yield
    }
    func.return
  } {tc.arena = [0], tc.shapes = [[3], [3]], tc.symbols = []}
After:
  func.func @f.k0(%x: memref<?xf32>, %result: memref<?xf32>, %begin: index, %end: index) {
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
  func.func @f(%x: memref<?xf32>, %result: memref<?xf32>, %arena: memref<?xi8>) {
    %0 = arith.constant {value = 1 : index} : index
    %1 = arith.constant {value = 3 : index} : index
    tc.launch %x, %result, %0, %1 {callee = @f.k0}
    func.return
  } {tc.arena = [0], tc.shapes = [[3], [3]], tc.symbols = []}

1. Each group becomes a kernel over chunks of 48 rows of its first outer dimension (one
   chunk if it has none); so do index checks and copies. A product whose neighbours are
   elementwise is cut along its columns, too. The chunk grid follows from shapes alone.
2. All memory becomes one-dimensional; index arithmetic is spelled out.
3. The entry computes sizes and offsets and calls the kernels in order, those of a
   `tc.if` in an `scf.if`: inside a kernel nothing branches but for errors.
"""  # noqa: E501

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from tensorc.errors import CompileError, Diagnostic
from tensorc.ir.attributes import ArrayAttr, Attribute, Dims, SymbolRef
from tensorc.ir.core import Block, Op, Value, single_block
from tensorc.ir.dims import Dim, ceildiv, floordiv, symbols_of
from tensorc.ir.functions import set_function_type
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.builtin import Function, Module, Return
from tensorc.ir.ops.control import If, KernelGroup
from tensorc.ir.ops.loop import scf
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.memory.kernels import (
    READ_ONCE,
    UNSIGNED,
    CheckIndexInto,
    Fail,
    Launch,
    ScatterInto,
    SizeOf,
)
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.types import I64, INDEX, Element, MemRefType, element_type
from tensorc.passes.analysis.generics import reads
from tensorc.passes.analysis.members import assign_levels, cut, make_member
from tensorc.passes.analysis.memory import ARENA, shape_of, sized_shape
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.loops.builder import LoopBuilder
from tensorc.passes.loops.contract import emit_contraction, emit_panel
from tensorc.passes.loops.lanes import (
    Counter,
    Point,
    Rep,
    Storage,
    Uniform,
    read,
    write,
)
from tensorc.passes.loops.rows import emit_row, tail_mask
from tensorc.passes.loops.rows_state import Rows, place_private
from tensorc.passes.loops.scatter import as_i64, emit_scatter
from tensorc.passes.schedule.cpu import CHUNK_COLUMNS, CHUNK_ROWS, PRODUCTS_PER_WORK
from tensorc.target import Target

Shape = tuple[Dim, ...]


@dataclass
class FunctionState:
    """The state of lowering one function."""

    function: Function
    k: LoopBuilder
    module: Block
    target: Target
    flat: dict[Value, Value] = field(default_factory=dict)
    shapes: dict[Value, Shape] = field(default_factory=dict)
    symbols: dict[str, Value] = field(default_factory=dict)
    kernels: int = 0
    sites: int = 0


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


def elements(shape: Shape) -> Dim:
    """Return the number of elements of a shape."""
    count: Dim = 1
    for extent in shape:
        count = count * extent
    return count


def lower_function(function: Function, module: Block, target: Target) -> None:
    """Lower one function; its kernels are appended to the module, then itself."""
    old = function.body.block
    new = Block(parent=function.body)
    names = function.attributes.get("tc.symbols")
    shapes = function.attributes.get("tc.shapes")
    if not isinstance(names, ArrayAttr) or not isinstance(shapes, ArrayAttr):
        message = "a function on memory has 'tc.symbols' and 'tc.shapes'"
        raise CompileError(Diagnostic("TC0250", message, function.location))
    symbols: dict[str, Value] = {}
    entry = FunctionState(
        function, LoopBuilder(new, symbols), module, target, symbols=symbols
    )
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
    for name in names.items:
        symbols[str(name)] = new.add_argument(INDEX, str(name))
    for op in old.ops[:-1]:
        with entry.k.at(op.location):
            _lower(entry, op)
    entry.k.do(Return)
    function.body.blocks[:] = [new]
    set_function_type(function)
    module.append(function)


def _lower(entry: FunctionState, op: Op) -> None:
    if isinstance(op, SizeOf | arith.Constant):
        return  # put where it is used
    row = _ROWS.get(type(op))
    if row is None:
        message = f"{op.name}: stands outside of a kernel, or is memory without a slot"
        hint = "make kernels and plan memory first: --fuse --bufferize --plan-memory"
        raise CompileError(Diagnostic("TC0250", message, op.location, hints=(hint,)))
    row(entry, op)


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


# Kernels.


def _open_kernel(
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
    name = f"{entry.function.sym_name}.k{entry.kernels}"
    entry.kernels += 1
    attributes: dict[str, Attribute] = {"sym_name": name, "tc.kernel": True}
    function = Function([], [], attributes, [region], entry.k.b.location)
    k = LoopBuilder(block, symbols)
    k.b.location = entry.k.b.location
    block.add_argument(INDEX, "begin")
    block.add_argument(INDEX, "end")
    return function, k, arguments, list(names)


def _close_kernel(
    entry: FunctionState,
    function: Function,
    k: LoopBuilder,
    values: Sequence[Value],
    names: Sequence[str],
    chunks: Dim,
    work: Dim = 0,
) -> None:
    k.do(Return)
    set_function_type(function)
    entry.module.append(function)
    outer = entry.k
    operands = [entry.flat[v] for v in values]
    operands += [entry.symbols[name] for name in names]
    operands += [outer.dim(chunks), outer.dim(work)]
    callee = SymbolRef(function.sym_name)
    outer.b.create(Launch, *operands, types=[], callee=callee)


def _copy_kernel(entry: FunctionState, op: Op) -> None:
    assert isinstance(op, memory.Copy)
    source, target = op.operands
    count = elements(entry.shapes[source])
    values = [source, target]
    function, k, (given, taken), names = _open_kernel(entry, values, [count])
    one = (k.index(1),)
    extent = k.dim(count)
    with k.loop(k.index(0), extent, LANES) as loop:
        mask = tail_mask(k, k.sub(extent, loop.index))
        point = Point((), mask)
        at = [Counter(loop.index)]
        rep = read(k, Storage(given, one), at, point)
        write(k, Storage(taken, one), at, rep, point)
    _close_kernel(entry, function, k, values, names, 1)


def _check_kernel(entry: FunctionState, op: Op) -> None:
    assert isinstance(op, CheckIndexInto)
    values = op.operands
    count, size = elements(entry.shapes[values[0]]), op.size.dims[0]
    function, k, arguments, names = _open_kernel(entry, values, [count, size])
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
    _close_kernel(entry, function, k, values, names, 1)


def _scatter_kernel(entry: FunctionState, op: Op) -> None:
    assert isinstance(op, ScatterInto)
    values = op.operands
    shapes = [entry.shapes[v] for v in values]
    sizes = [dim for shape in shapes for dim in shape]
    function, k, arguments, names = _open_kernel(entry, values, sizes)
    pairs = zip(arguments, shapes, strict=True)
    storages = [row_major(k, argument, shape) for argument, shape in pairs]
    emit_scatter(k, op, storages, shapes)
    _close_kernel(entry, function, k, values, names, 1)


def _group_kernel(entry: FunctionState, op: Op) -> None:
    assert isinstance(op, KernelGroup)
    if isinstance(op.attributes.get("tc.panel"), int):
        group = _open_group(entry, op)
        assert group.contraction is not None
        emit_panel(group.rows, group.contraction)
        _close_kernel(entry, group.function, group.k, op.operands, group.names, 1)
    group = _open_group(entry, op)
    chunks = _chunks(group)
    work: Dim = 0
    for extents, is_product in group.spaces:
        points = elements(tuple(extents))
        work = work + (floordiv(points, PRODUCTS_PER_WORK) if is_product else points)
    _close_kernel(
        entry, group.function, group.k, op.operands, group.names, chunks, work
    )


@dataclass
class _GroupKernel:
    """A group's kernel in the making: its outer space, its product, its other rows."""

    function: Function
    k: LoopBuilder
    names: list[str]
    outer: list[Dim]
    before: Rows  # what stands before the product
    contraction: Generic | None
    rows: Rows  # what comes after it
    spaces: list[tuple[list[Dim], bool]]


def _open_group(entry: FunctionState, op: KernelGroup) -> _GroupKernel:
    values = op.operands
    shapes = [d.dims for d in op.shapes.items if isinstance(d, Dims)]
    block = op.body.block
    sizes = [dim for shape in shapes for dim in shape]
    sizes += [o.dim.dims[0] for o in op.walk() if isinstance(o, SizeOf)]
    function, k, arguments, names = _open_kernel(entry, values, sizes)
    storages: dict[Value, Storage] = {}
    known: dict[Value, Shape] = {}
    for inside, argument, shape in zip(block.arguments, arguments, shapes, strict=True):
        known[inside] = shape
        storages[inside] = row_major(k, argument, shape)
    private = set()
    for inner in block.ops:
        if isinstance(inner, memory.Alloc):
            known[inner.result] = shape_of(inner)
            private.add(inner.result)
    generics = [o for o in block.ops if isinstance(o, Generic)]
    index = op.attributes.get("tc.panel")
    panel = arguments[index] if isinstance(index, int) else None
    first, contraction, last = cut(generics)
    parts = []
    for part in (first, last):
        members = [make_member(g, known, op.outer) for g in part]
        rows = Rows(k, entry.target, members, known, storages, panel, private)
        assign_levels(rows.members, rows.makers)
        place_private(rows)
        parts.append(rows)
    before, after = parts
    everything = [make_member(g, known, op.outer) for g in generics]
    outer = everything[0].extents[: op.outer]
    spaces = [(m.extents, m.op is contraction) for m in everything]
    return _GroupKernel(function, k, names, outer, before, contraction, after, spaces)


def _chunks(group: _GroupKernel) -> Dim:
    """Emit the loop over chunks [begin, end) and return how many there are."""
    k, rows, outer = group.k, group.rows, group.outer
    if not outer:
        emit_row(rows, [])
        return 1
    begin, end = group.function.body.block.arguments[-2:]
    contraction = group.contraction
    height = CHUNK_ROWS if contraction is None or len(outer) == 1 else 1
    columns = _split_columns(group)
    strips = 1 if columns is None else ceildiv(columns, CHUNK_COLUMNS)
    extent = k.dim(outer[0])
    with k.loop(begin, end, 1) as chunk:
        number = chunk.index
        if columns is not None:
            number = k.op(arith.FloorDivSI, chunk.index, k.dim(strips))
            strip = k.sub(chunk.index, k.mul(number, k.dim(strips)))
            left = k.mul(strip, k.index(CHUNK_COLUMNS))
            right = k.minimum(k.add(left, k.index(CHUNK_COLUMNS)), k.dim(columns))
            rows.span = (left, right)
        lower = k.mul(number, k.index(height))
        upper = k.minimum(k.add(lower, k.index(height)), extent)
        if group.before.members:
            _rows(k, group.before, outer, [], lower, upper)
        if contraction is not None:
            _contract(k, rows, contraction, outer, lower, upper)
        if rows.members:
            _rows(k, rows, outer, [], lower, upper)
    return ceildiv(outer[0], height) * strips


def _split_columns(group: _GroupKernel) -> Dim | None:
    """Return the columns of a product if chunks may have a part of them each.

    That is so if whatever else the group does goes along the same columns, element by
    element: few rows of a wide product are then work for several threads.
    """
    product = group.contraction
    if product is None or len(group.outer) != 1 or group.before.members:
        return None
    columns = group.spaces[0][0][1]
    if isinstance(columns, int) and columns <= CHUNK_COLUMNS:
        return None
    members = group.rows.members
    made = {v for m in members for v in m.op.outputs} | {*product.outputs}
    for member in members:
        along = member.is_sweep and member.op.reduction is None
        if not along or member.extents[1:] != [columns]:
            return None
        if any(r.value in made and r.axes != (0, 1) for r in reads(member.op)):
            return None  # it may read what another chunk makes
    return columns


def _contract(
    k: LoopBuilder,
    rows: Rows,
    op: Generic,
    outer: list[Dim],
    lower: Value,
    upper: Value,
) -> None:
    with k.at(op.location):
        if len(outer) == 1:
            emit_contraction(rows, op, [], lower, upper)
            return
        _batches(k, rows, op, outer, [], (lower, upper))


def _batches(
    k: LoopBuilder,
    rows: Rows,
    op: Generic,
    outer: list[Dim],
    batch: list[Value],
    chunk: tuple[Value, Value],
) -> None:
    """Emit loops over the batch of a contraction, the first over the chunk."""
    depth = len(batch)
    if depth == len(outer) - 1:
        emit_contraction(rows, op, batch, k.index(0), k.dim(outer[-1]))
        return
    lower, upper = chunk if depth == 0 else (k.index(0), k.dim(outer[depth]))
    with k.loop(lower, upper, 1) as loop:
        _batches(k, rows, op, outer, [*batch, loop.index], chunk)


def _rows(
    k: LoopBuilder,
    rows: Rows,
    outer: list[Dim],
    indices: list[Rep],
    lower: Value,
    upper: Value,
) -> None:
    """Emit loops over the outer space, the first from lower to upper."""
    with k.loop(lower, upper, 1) as loop:
        inner: list[Rep] = [*indices, Uniform(loop.index)]
        if len(inner) == len(outer):
            emit_row(rows, inner)
        else:
            last = k.dim(outer[len(inner)])
            _rows(k, rows, outer, inner, k.index(0), last)


_ROWS: Mapping[type[Op], Callable[[FunctionState, Op], None]] = MappingProxyType(
    {
        memory.View: _view,
        memory.Reshape: _reshape,
        memory.Data: _data,
        memory.Store: _store,
        memory.Copy: _copy_kernel,
        CheckIndexInto: _check_kernel,
        ScatterInto: _scatter_kernel,
        KernelGroup: _group_kernel,
        If: _branch,
    }
)


def run(module: Module, target: Target) -> Module:
    """Lower all functions."""
    functions = module.functions
    block = module.body.block
    block.ops = []
    for function in functions:
        lower_function(function, block, target)
    return module


TO_LOOPS = Pass("to-loops", Level.BUFFER, Level.LOOP, run, __doc__)
