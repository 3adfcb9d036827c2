"""Put all buffers of a function into one arena, with a formula for its size.

Source:
  fn f(x: float[N, 3]) -> float = max(exp(max(x, axis=1)))
Before:
  func.func @f(%x: memref<?x3xf32>, %result: memref<f32>, %N: index) {
    %0 = tc.size {dim = ["N"]} : index
    %1 = memref.alloc %0 : memref<?xf32>
    tc.group %x, %1 {outer = 1, shapes = [["N", 3], ["N"]]} {
    ^bb0(%x_1: memref<?x3xf32>, %arg0: memref<?xf32>):
      %2 = arith.constant {value = 0xFF800000 : f32} : f32
      linalg.fill %2, %arg0
      linalg.generic %x_1, %arg0 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0)], iterator_types = [parallel, reduction], order = "sequential"} {
      ^bb0(%arg1: f32, %arg2: f32):
        %3 = arith.maximumf %arg2, %arg1 : f32
        linalg.yield %3
      } {tc.place = ["memory"], tc.stage = 0}
      tc.yield
    } {tc.schedule = {rows = [3449]}}
    %4 = tc.size {dim = ["floordiv(N + 8191, 8192)"]} : index
    %partials = memref.alloc %4 : memref<?x1xf32>
    tc.group %1, %result, %partials {outer = 0, shapes = [["N"], [], ["floordiv(N + 8191, 8192)", 1]]} {
    ^bb0(%arg3: memref<?xf32>, %arg4: memref<f32>, %partials_1: memref<?x1xf32>):
      %5 = arith.constant {value = 0xFF800000 : f32} : f32
      linalg.fill %5, %arg4
      linalg.generic %arg3, %arg4 {indexing_maps = [(d0) -> (d0), (d0) -> ()], iterator_types = [reduction], order = "sequential"} {
      ^bb0(%arg5: f32, %arg6: f32):
        %6 = math.exp %arg5 : f32
        %7 = arith.maximumf %arg6, %6 : f32
        linalg.yield %7
      } {tc.place = ["memory"], tc.stage = 0}
      tc.yield
    } {tc.partials = 2, tc.schedule = {split = 8192}}
    func.return
  } {tc.shapes = [["N", 3], []], tc.symbols = ["N"]}
After:
  func.func @f(%x: memref<?x3xf32>, %result: memref<f32>, %arena: memref<?xi8>, %N: index) {
    %0 = tc.size {dim = ["N"]} : index
    %1 = arith.constant {value = 0 : index} : index
    %2 = memref.view %arena, %1, %0 : memref<?xf32>
    tc.group %x, %2 {outer = 1, shapes = [["N", 3], ["N"]]} {
    ^bb0(%x_1: memref<?x3xf32>, %arg0: memref<?xf32>):
      %3 = arith.constant {value = 0xFF800000 : f32} : f32
      linalg.fill %3, %arg0
      linalg.generic %x_1, %arg0 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0)], iterator_types = [parallel, reduction], order = "sequential"} {
      ^bb0(%arg1: f32, %arg2: f32):
        %4 = arith.maximumf %arg2, %arg1 : f32
        linalg.yield %4
      } {tc.place = ["memory"], tc.stage = 0}
      tc.yield
    } {tc.schedule = {rows = [3449]}}
    %5 = tc.size {dim = ["floordiv(N + 8191, 8192)"]} : index
    %6 = tc.size {dim = ["64*floordiv(4*N + 63, 64)"]} : index
    %partials = memref.view %arena, %6, %5 : memref<?x1xf32>
    tc.group %2, %result, %partials {outer = 0, shapes = [["N"], [], ["floordiv(N + 8191, 8192)", 1]]} {
    ^bb0(%arg3: memref<?xf32>, %arg4: memref<f32>, %partials_1: memref<?x1xf32>):
      %7 = arith.constant {value = 0xFF800000 : f32} : f32
      linalg.fill %7, %arg4
      linalg.generic %arg3, %arg4 {indexing_maps = [(d0) -> (d0), (d0) -> ()], iterator_types = [reduction], order = "sequential"} {
      ^bb0(%arg5: f32, %arg6: f32):
        %8 = math.exp %arg5 : f32
        %9 = arith.maximumf %arg6, %8 : f32
        linalg.yield %9
      } {tc.place = ["memory"], tc.stage = 0}
      tc.yield
    } {tc.partials = 2, tc.schedule = {split = 8192}}
    func.return
  } {tc.arena = ["64*floordiv(4*N + 63, 64) + 64*floordiv(4*floordiv(N + 8191, 8192) + 63, 64)"], tc.shapes = [["N", 3], []], tc.symbols = ["N"]}

1. A buffer lives from its allocation to its last use, through views too.
2. Buffers are placed in order of birth, in blocks of 64 bytes: in the smallest free
   part of the arena that holds them for all sizes, else at the end, which grows by what
   is missing there. Formulas are compared as polynomials (`arena`).
"""  # noqa: E501

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from tensorc.ir.attributes import Dims
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import Dim, ceildiv
from tensorc.ir.functions import constraints_of, set_function_type
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scan import Scan
from tensorc.ir.schedules import SCHEDULE
from tensorc.passes.analysis.in_place import NESTS
from tensorc.passes.analysis.memory import ARENA, shape_of
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.common.structured_builder import size
from tensorc.passes.memory.arena import Arena, Part
from tensorc.target import Target

ALIGNMENT = 64


@dataclass
class Buffer:
    """One allocation: how many blocks of `ALIGNMENT` bytes, and when it lives."""

    op: Op
    blocks: Dim
    birth: int
    death: int


def lifetimes(block: Block) -> list[Buffer]:
    """Return the buffers that a block allocates, in order of birth."""
    buffers: dict[Value, Buffer] = {}
    _follow(block, 0, buffers)
    unique = {id(b): b for b in buffers.values()}
    return list(unique.values())


def _follow(block: Block, number: int, buffers: dict[Value, Buffer]) -> int:
    """Note when the buffers of a block live; return the number behind its last op.

    The regions of a branch stand one after the other, so that they share memory; what
    the branch captures lives until both have ended. The region of a loop needs nothing
    that it made in the step before, and what the loop is given lives until its end.
    """
    for op in block.ops:
        birth, number = number, number + 1
        for region in op.regions if isinstance(op, NESTS) else ():
            number = _follow(region.block, number, buffers)
            if isinstance(op, Scan) and SCHEDULE in op.attributes:
                _keep(region.block, (birth, number - 1), buffers)
        for operand in op.operands:
            if operand in buffers:
                buffers[operand].death = number - 1
        if isinstance(op, memory.Alloc):
            total: Dim = op.result.type.element.bytes  # type: ignore[union-attr]
            for dim in shape_of(op):
                total = total * dim
            blocks = ceildiv(total, ALIGNMENT)
            buffers[op.result] = Buffer(op, blocks, birth, birth)
        elif isinstance(op, memory.Reshape) and op.operands[0] in buffers:
            buffers[op.result] = buffers[op.operands[0]]
    return number


def _keep(
    block: Block, steps: tuple[int, int], buffers: Mapping[Value, Buffer]
) -> None:
    """Let what a step makes live in all of them: chunks are at steps of their own."""
    for op in block.ops:
        if op.results and op.results[0] in buffers:
            buffer = buffers[op.results[0]]
            buffer.birth, buffer.death = steps


def slots_for(buffers: Sequence[Buffer]) -> tuple[list[Dim], Dim]:
    """Return the offset of each buffer, and the size of the arena."""
    arena = Arena()
    taken: list[tuple[int, int, Part]] = []  # a heap: until when, a number, the part
    offsets: list[Dim] = []
    for buffer in buffers:
        while taken and taken[0][0] < buffer.birth:
            arena.give_back(heappop(taken)[2])
        part = arena.take(buffer.blocks)
        heappush(taken, (buffer.death, len(offsets), part))
        offsets.append(part.start * ALIGNMENT)
    return offsets, arena.blocks * ALIGNMENT


def plan_function(function: Function) -> None:
    """Place all buffers of one function."""
    block = function.body.block
    buffers = lifetimes(block)
    offsets, total = slots_for(buffers)
    names = function.attributes["tc.symbols"]
    count = len(names.items)  # type: ignore[union-attr]
    arena = Value(ARENA, block, 0, "arena")
    block.arguments.insert(len(block.arguments) - count, arena)
    for index, argument in enumerate(block.arguments):
        argument.index = index
    at = {b.op: o for b, o in zip(buffers, offsets, strict=True)}
    _place(Builder(block, constraints_of(function)), arena, at)
    function.attributes["tc.arena"] = Dims((total,))
    set_function_type(function)


def _place(b: Builder, arena: Value, at: Mapping[Op, Dim]) -> None:
    """Put the buffers of the builder's block at their offsets in the arena."""
    ops, b.block.ops = b.block.ops, []
    values: dict[Value, Value] = {}
    for op in ops:
        op.operands = [values.get(v, v) for v in op.operands]
        if op in at:
            with b.at(op.location):
                offset, type_ = size(b, at[op]), op.result.type
                view = b.value(memory.View, arena, offset, *op.operands, types=[type_])
            view.hint = op.result.hint
            values[op.result] = view
            continue
        if isinstance(op, NESTS) and any(inner in at for inner in op.walk()):
            op.operands.append(arena)
            for region in op.regions:
                inside = region.block.add_argument(ARENA, arena.hint)
                with b.inside(region.block):
                    _place(b, inside, at)
        b.block.append(op)


def run(module: Module, target: Target) -> Module:
    """Plan the memory of all functions."""
    for function in module.functions:
        plan_function(function)
    return module


PLAN_MEMORY = Pass("plan-memory", Level.BUFFER, Level.BUFFER, run, __doc__)
