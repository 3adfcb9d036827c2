"""Give every tensor memory: destination passing, commits at the end.

Source:
  fn f(x: float[B, 3]) -> float[B, 3] = x - max(x, axis=1)[:, none]
Before:
  func.func @f(%x: f32[B, 3]) -> (f32[B, 3]) {
    %0 = tc.group %x {outer = 1, shapes = []} {
    ^bb0(%x_1: f32[B, 3]):
      %1 = tc.size {dim = ["B"]} : index
      %2 = tensor.empty %1 : f32[B]
      %3 = arith.constant {value = 0xFF800000 : f32} : f32
      %4 = linalg.fill %3, %2 : f32[B]
      %5 = linalg.generic %x_1, %4 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0)], iterator_types = [parallel, reduction], order = "sequential"} {
      ^bb0(%arg0: f32, %arg1: f32):
        %6 = arith.maximumf %arg1, %arg0 : f32
        linalg.yield %6
      } {tc.place = ["register"], tc.stage = 0} : f32[B]
      %7 = tc.size {dim = ["B"]} : index
      %8 = tensor.empty %7 : f32[B, 3]
      %9 = linalg.generic %x_1, %5, %8 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0), (d0, d1) -> (d0, d1)], iterator_types = [parallel, parallel]} {
      ^bb0(%arg2: f32, %arg3: f32, %arg4: f32):
        %10 = arith.subf %arg2, %arg3 : f32
        linalg.yield %10
      } {tc.place = ["memory"], tc.stage = 0} : f32[B, 3]
      tc.yield %9
    } {tc.schedule = {rows = [1724]}, tc.why = "it reads no kernel's result"} : f32[B, 3]
    func.return %0
  }
After:
  func.func @f(%x: memref<?x3xf32>, %result: memref<?x3xf32>, %B: index) {
    tc.group %x, %result {outer = 1, shapes = [["B", 3], ["B", 3]]} {
    ^bb0(%x_1: memref<?x3xf32>, %arg0: memref<?x3xf32>):
      %0 = tc.size {dim = ["B"]} : index
      %1 = memref.alloc %0 : memref<?xf32>
      %2 = arith.constant {value = 0xFF800000 : f32} : f32
      linalg.fill %2, %1
      linalg.generic %x_1, %1 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0)], iterator_types = [parallel, reduction], order = "sequential"} {
      ^bb0(%arg1: f32, %arg2: f32):
        %3 = arith.maximumf %arg2, %arg1 : f32
        linalg.yield %3
      } {tc.place = ["register"], tc.stage = 0}
      linalg.generic %x_1, %1, %arg0 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0), (d0, d1) -> (d0, d1)], iterator_types = [parallel, parallel]} {
      ^bb0(%arg3: f32, %arg4: f32, %arg5: f32):
        %4 = arith.subf %arg3, %arg4 : f32
        linalg.yield %4
      } {tc.place = ["memory"], tc.stage = 0}
      tc.yield
    } {tc.schedule = {rows = [1724]}}
    func.return
  } {tc.shapes = [["B", 3], ["B", 3]], tc.symbols = ["B"]}

1. Arguments become memory, followed by memory for each result that is no new value of
   an argument, and by an index per symbol (`tc.symbols`).
2. A group's results become destinations: the result's memory if it is returned, else a
   fresh buffer. What only the group's own rows need stays inside (`memref.alloc` in the
   region); the rest is allocated by the function. So it is for the results of a
   `tc.if`: its regions write to them, or copy what they have no better way to give.
   What a `tc.scan` carries has two memories, of which a step reads one and writes the
   other; what it stacks is written where it belongs.
3. A new value is written into the argument that it replaces where that is safe
   (`in_place`). All other commits stand at the end: first returned arguments are copied
   out, then new values that live in other arguments are saved, then arguments are
   written.
"""  # noqa: E501

import math
from collections.abc import Callable, Mapping, Sequence

from tensorc.errors import CompileError, Diagnostic
from tensorc.ir.attributes import MOST_WRITTEN, ArrayAttr, Attribute, Dims, Typed
from tensorc.ir.builder import Builder
from tensorc.ir.captured import CAPTURED, KIND
from tensorc.ir.core import Block, Op, Region, Value, single_block
from tensorc.ir.dims import symbols_of
from tensorc.ir.functions import constraints_of, guards_of, set_function_type
from tensorc.ir.ops import control
from tensorc.ir.ops.builtin import Function, Module, Return
from tensorc.ir.ops.memory import kernels, memory, rows
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.scan import Scan, part_of
from tensorc.ir.ops.tensor import indexing, making, shape
from tensorc.ir.ops.tensor.cumulative import CUMULATIVE
from tensorc.ir.ops.tensor.order import ORDERS, SearchSorted
from tensorc.ir.schedules import schedule_of
from tensorc.ir.types import I64, INDEX, TensorType
from tensorc.passes.analysis.generics import tensor_of
from tensorc.passes.analysis.in_place import (
    WRITERS,
    in_place,
    is_used_up,
    regions_in,
    sink_updates,
    updates_in,
    updates_of,
)
from tensorc.passes.analysis.traffic import continues
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.common.structured_builder import size
from tensorc.passes.memory.buffers import Buffers, allocate, memref_of
from tensorc.passes.memory.groups import bufferize_group
from tensorc.target import Target

MOST_BYTES = 1 << 60  # of a tensor: several of them still add up in 64 bits


def function_symbols(function: Function) -> list[str]:
    """Return the symbols that a function's arguments give, each once."""
    names: dict[str, None] = {}
    for i, argument in enumerate(function.body.block.arguments):
        for dim in tensor_of(argument).shape:
            names.update(dict.fromkeys(symbols_of(dim)))
        value = function.value_symbol(i)
        if value:
            names[value] = None
    return list(names)


def _check_ops(block: Block) -> None:
    """Refuse ops that are in no kernel yet."""
    for _, region in regions_in(block):
        _check_ops(region.block)
    for op in block.ops[:-1]:
        if type(op) not in RULES:
            message = f"{op.name} is part of a kernel before it gets memory"
            hint = "run a pass that makes kernels first: --fuse, or --separate"
        elif isinstance(op, control.KernelGroup) and schedule_of(op) is None:
            message = "a kernel has a schedule before it gets memory"
            hint = "run the pass that makes schedules first: --schedule"
        else:
            continue
        raise CompileError(Diagnostic("TC0250", message, op.location, hints=(hint,)))


def _check_guards(function: Function, names: Sequence[str]) -> None:
    """Refuse equations at entry between symbols that no argument gives."""
    for guard in guards_of(function):
        for name in (s for d in (guard.left, guard.right) for s in symbols_of(d)):
            if name not in names:
                message = f"'tc.guards': no argument gives '{name:.80}'"
                raise CompileError(Diagnostic("TC0250", message, function.location))


def _check_sizes(function: Function) -> None:
    """Refuse tensors with more bytes than addresses can tell."""
    block = function.body.block
    values = [(v, function.location) for v in block.arguments]
    values += [(v, op.location) for op in function.walk() for v in op.results]
    for value, location in values:
        type_ = value.type
        if not isinstance(type_, TensorType):
            continue
        known = [d for d in type_.shape if isinstance(d, int)]
        if 0 not in known and math.prod(known) * type_.element.bytes > MOST_BYTES:
            message = f"{type_} is larger than any memory"
            raise CompileError(Diagnostic("TC0301", message, location))


def bufferize_function(function: Function, target: Target) -> None:
    """Bufferize one function in place."""
    old = function.body.block
    names = function_symbols(function)
    _check_ops(old)
    _check_guards(function, names)
    _check_sizes(function)
    new = Block(parent=function.body)
    state = Buffers(Builder(new, constraints_of(function)), target)
    for argument in old.arguments:
        type_ = memref_of(tensor_of(argument))
        state.memory[argument] = new.add_argument(type_, argument.hint)
        if function.argument_info(argument.index).get(KIND) == CAPTURED:
            state.frozen.add(state.memory[argument])
    returned = old.terminator.operands
    targets = updates_of(function)
    sink_updates(old, targets)
    _write_over(state, in_place(old, targets))
    outputs: list[tuple[Value, Value]] = []
    for number, value in enumerate(returned):
        if function.result_info(number).get("tc.updates") is None:
            destination = new.add_argument(memref_of(tensor_of(value)), "result")
            outputs.append((value, destination))
            _write_straight(state, value, destination)
    for name in names:
        new.add_argument(INDEX, name)
    _lower_ops(state, old)
    _commit(state, outputs, targets)
    state.b.create(Return)
    arguments = [*old.arguments, *[v for v, _ in outputs]]
    shapes = tuple(Dims(tensor_of(v).shape) for v in arguments)
    function.attributes["tc.shapes"] = ArrayAttr(shapes)
    function.attributes["tc.symbols"] = ArrayAttr(tuple(names))
    function.body.blocks[:] = [new]
    for key in ("arg_attrs", "res_attrs"):
        function.attributes.pop(key, None)
    set_function_type(function)


def _write_over(state: Buffers, over: Mapping[Value, Value]) -> None:
    """Give new values the memory of the arguments that they replace."""
    state.over.update(over)
    for value, argument in over.items():
        state.given[value] = state.given[_written_first(value)] = state.memory[argument]


def _write_straight(state: Buffers, value: Value, destination: Value) -> None:
    """Give a value this memory, if it is no other's and its op can write there.

    Not where sizes are equal by a guard alone: one is a number, the other unknown.
    """
    origin = _written_first(value)
    same = memref_of(tensor_of(origin)) == destination.type
    if same and isinstance(origin.op, WRITERS):
        state.given.setdefault(origin, destination)


def _lower_ops(state: Buffers, block: Block) -> None:
    for op in block.ops[:-1]:
        with state.b.at(op.location):
            RULES[type(op)](state, op)


def _commit(
    state: Buffers,
    outputs: list[tuple[Value, Value]],
    targets: list[tuple[Value, Value]],
) -> None:
    b = state.b
    for value, destination in outputs:
        if state.memory[value] is not destination:
            b.create(memory.Copy, state.memory[value], destination)
    saved = []
    for value, argument in targets:
        source, target = state.memory[value], state.memory[argument]
        if source is target:
            continue
        if _is_argument(source):
            copy = allocate(b, tensor_of(value), "saved")
            b.create(memory.Copy, source, copy)
            source = copy
        saved.append((source, target))
    for source, target in saved:
        b.create(memory.Copy, source, target)


def _is_argument(value: Value) -> bool:
    while isinstance(value.op, memory.Reshape):
        value = value.op.operands[0]
    return value.op is None


def _check(state: Buffers, op: Op) -> None:
    """Check indices; those of an argument are copied, since others may write to it."""
    b = state.b
    given = state.memory[op.operands[0]]
    operands = [given]
    if _is_argument(given) and given not in state.frozen:
        operands.append(allocate(b, tensor_of(op.result), op.result.hint))
    b.append(kernels.CheckIndexInto, operands, op.attributes)
    state.memory[op.result] = operands[-1]


def _written_first(value: Value) -> Value:
    """Return what a value's memory holds first, before others change it in place."""
    while True:
        op = value.op
        base = continues(value)
        base = op.base if isinstance(op, indexing.Scatter) else base
        if op is None or base is None or not is_used_up(op, base):
            return value
        value = base


def _scatter(state: Buffers, op: Op) -> None:
    assert isinstance(op, indexing.Scatter)
    b = state.b
    target = state.memory[op.base]
    if not is_used_up(op, op.base):
        given = state.given.get(op.result)
        target = given or allocate(b, tensor_of(op.result), op.result.hint)
        if target is not state.memory[op.base]:
            b.create(memory.Copy, state.memory[op.base], target)
    state.memory[op.result] = target
    values = [state.memory[v] for v in op.operands[1:]]
    b.append(kernels.ScatterInto, [target, *values], op.attributes)


def _cumulate(state: Buffers, op: Op) -> None:
    b = state.b
    given = state.given.get(op.result)
    target = given or allocate(b, tensor_of(op.result), op.result.hint)
    values = [state.memory[v] for v in op.operands]
    attributes: dict[str, Attribute] = {
        "axis": op.attributes["axis"],
        "combine": CUMULATIVE[type(op)],
        "reverse": op.attributes.get("reverse", False),
    }
    b.append(kernels.CumulateInto, [target, *values], attributes)
    state.memory[op.result] = target


def _order(state: Buffers, op: Op) -> None:
    state.b.append(rows.OrderInto, _filled(state, op), {"gives": ORDERS[type(op)]})


def _search(state: Buffers, op: Op) -> None:
    state.b.append(rows.SearchInto, _filled(state, op), op.attributes)


def _filled(state: Buffers, op: Op) -> list[Value]:
    """Return the memory of an op's operands and, behind, of its results."""
    for result in op.results:
        given = state.given.get(result)
        made = given or allocate(state.b, tensor_of(result), result.hint)
        state.memory[result] = made
    return [state.memory[v] for v in (*op.operands, *op.results)]


def _branch(state: Buffers, op: Op) -> None:
    """Give both regions what they capture and where their results go."""
    assert isinstance(op, control.If)
    b = state.b
    for result in op.results:
        given = state.given.get(result)
        made = given or allocate(b, tensor_of(result), result.hint)
        state.memory[result] = made
    condition, *passed = [state.memory[v] for v in (*op.operands, *op.results)]
    passed = list(dict.fromkeys(passed))
    regions = [_branch_region(state, op, region, passed) for region in op.regions]
    b.create(control.If, condition, *passed, types=[], regions=regions)


def _branch_region(
    state: Buffers, op: control.If, region: Region, passed: Sequence[Value]
) -> Region:
    """Return a region on memory: what it does not write where it goes is copied."""
    made, block = single_block()
    inside = {v: block.add_argument(v.type, v.hint) for v in passed}
    body = Buffers(Builder(block, state.b.constraints, op.location), state.target)
    old = region.block
    for value, argument in zip(op.captures, old.arguments, strict=True):
        body.memory[argument] = inside[state.memory[value]]
    lasting = (v for v in passed if v in state.frozen or not _is_argument(v))
    body.frozen.update(inside[v] for v in lasting)
    _write_over(body, in_place(old, updates_in(op, region, state.over.items())))
    outputs = []
    for value, result in zip(old.terminator.operands, op.results, strict=True):
        destination = inside[state.memory[result]]
        outputs.append((value, destination))
        if result not in state.over:
            _write_straight(body, value, destination)
    _lower_ops(body, old)
    _commit(body, outputs, [])
    body.b.create(control.Yield)
    return made


def _scan(state: Buffers, op: Op) -> None:
    """Give a loop where its results go, and a spare for what it carries.

    A step reads what is carried in one of the two and writes the other. What is stacked
    as it is carried is read from there.
    """
    assert isinstance(op, Scan)
    b, stacked_as = state.b, _stacked_as(op)
    given = [state.memory[v] for v in (*op.inits, *op.sequences)]
    written = []
    for result in op.results:
        init = op.operands[result.index] if result.index < op.carried else result
        type_ = tensor_of(init)
        destination = state.given.get(result)
        if destination is None or destination.type != memref_of(type_):
            destination = allocate(b, type_, result.hint)
        written.append(destination)
    finals, stacks = written[: op.carried], written[op.carried :]
    spares = [
        allocate(b, tensor_of(v), "spare") if source < 0 else final
        for v, final, source in zip(op.inits, finals, stacked_as, strict=True)
    ]
    number = allocate(b, TensorType((), I64), "step")
    captures = [state.memory[v] for v in op.captures]
    region = _scan_region(state, op, (given, finals, stacks, captures), stacked_as)
    operands = [*given, *finals, *spares, *stacks, number, *captures]
    attributes = {**op.attributes, "stacked_as": stacked_as}
    b.append(Scan, operands, attributes, (), [region])
    for result, memory_ in zip(op.results, written, strict=True):
        state.memory[result] = _typed(state, result, memory_)


def _stacked_as(op: Scan) -> tuple[int, ...]:
    """Return which stacked value each carried one is, with its type; -1 for none."""
    yields = op.body.block.terminator.operands
    tops = yields[op.carried :]
    types = [tensor_of(r).shape[1:] for r in op.results[op.carried :]]
    return tuple(
        tops.index(value)
        if value in tops and types[tops.index(value)] == tensor_of(init).shape
        else -1
        for value, init in zip(yields, op.inits, strict=False)
    )


def _typed(state: Buffers, value: Value, given: Value) -> Value:
    """Return memory of a value's type: a copy where a guard alone makes sizes equal."""
    if given.type == memref_of(tensor_of(value)):
        return given
    copy = allocate(state.b, tensor_of(value), value.hint)
    state.b.create(memory.Copy, given, copy)
    return copy


def _scan_region(
    state: Buffers,
    op: Scan,
    parts: Sequence[Sequence[Value]],
    stacked_as: Sequence[int],
) -> Region:
    """Return the region of a loop on memory, which writes what it yields."""
    given, finals, stacks, captures = parts
    made, block = single_block()
    old = op.body.block
    body = Buffers(Builder(block, state.b.constraints, op.location), state.target)
    own = old.arguments[: 1 + len(given)]
    for argument in own:
        type_ = memref_of(tensor_of(argument))
        body.memory[argument] = block.add_argument(type_, argument.hint)
    yields = old.terminator.operands
    written = [value.type for value in finals]
    written += [part_of(value.type) for value in stacks]
    outputs = [
        (v, block.add_argument(t, v.hint)) for v, t in zip(yields, written, strict=True)
    ]
    stays = [number >= 0 for number in stacked_as] + [False] * len(stacks)
    outputs = [o for o, is_kept in zip(outputs, stays, strict=True) if not is_kept]
    for argument, outside in zip(old.arguments[len(own) :], captures, strict=True):
        body.memory[argument] = block.add_argument(outside.type, argument.hint)
    body.frozen.add(body.memory[own[0]])
    sources = zip((*given, *captures), old.arguments[1:], strict=True)
    for outside, argument in sources:
        if outside in state.frozen or not _is_argument(outside):
            body.frozen.add(body.memory[argument])
    for value, destination in outputs:
        _write_straight(body, value, destination)
    _lower_ops(body, old)
    _commit(body, outputs, [])
    body.b.create(control.Yield)
    return made


def _reshape(state: Buffers, op: Op) -> None:
    type_ = tensor_of(op.result)
    b = state.b
    sizes = [size(b, d) for d in type_.shape if not isinstance(d, int)]
    source = state.memory[op.operands[0]]
    view = b.value(memory.Reshape, source, *sizes, types=[memref_of(type_)])
    state.memory[op.result] = view


def _constant(state: Buffers, op: Op) -> None:
    assert isinstance(op, making.Constant)
    b = state.b
    type_ = op.value.type
    if op.value.value.size > MOST_WRITTEN:
        data = b.value(memory.Data, value=op.value, types=[memref_of(type_)])
        data.hint = op.result.hint
        state.memory[op.result] = data
        return
    destination = allocate(b, type_, op.result.hint)
    for indices in _indices([d for d in type_.shape if isinstance(d, int)]):
        item = op.value.value[tuple(indices)].item()
        value = b.value(arith.Constant, value=Typed(item, type_.element))
        at = [b.value(arith.Constant, value=Typed(i, INDEX)) for i in indices]
        b.create(memory.Store, value, destination, *at)
    state.memory[op.result] = destination


def _indices(shape_: list[int]) -> list[list[int]]:
    found: list[list[int]] = [[]]
    for extent in shape_:
        found = [[*head, i] for head in found for i in range(extent)]
    return found


RULES: Mapping[type[Op], Callable[[Buffers, Op], None]] = {
    control.KernelGroup: bufferize_group,
    control.If: _branch,
    Scan: _scan,
    indexing.CheckIndex: _check,
    indexing.Scatter: _scatter,
    **dict.fromkeys(CUMULATIVE, _cumulate),
    **dict.fromkeys(ORDERS, _order),
    SearchSorted: _search,
    shape.Reshape: _reshape,
    making.Constant: _constant,
}


def run(module: Module, target: Target) -> Module:
    """Bufferize all functions."""
    for function in module.functions:
        bufferize_function(function, target)
    return module


BUFFERIZE = Pass("bufferize", Level.STRUCTURED, Level.BUFFER, run, __doc__)
