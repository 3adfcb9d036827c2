"""Choose how kernels run: chunks, tiles, places; the passes below only read it.

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
      } : f32[B]
      %7 = tc.size {dim = ["B"]} : index
      %8 = tensor.empty %7 : f32[B, 3]
      %9 = linalg.generic %x_1, %5, %8 {indexing_maps = [(d0, d1) -> (d0, d1), (d0, d1) -> (d0), (d0, d1) -> (d0, d1)], iterator_types = [parallel, parallel]} {
      ^bb0(%arg2: f32, %arg3: f32, %arg4: f32):
        %10 = arith.subf %arg2, %arg3 : f32
        linalg.yield %10
      } : f32[B, 3]
      tc.yield %9
    } {tc.why = "it reads no kernel's result"} : f32[B, 3]
    func.return %0
  }
After:
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

1. Each group gets a dictionary (`tc.schedule`, see `tensorc.ir.schedules`), each
   contraction in it another.
2. Each member gets the number of its stage (`tc.stage`) and says for each of its
   results where it lies (`tc.place`).
3. A loop whose steps work row by row gets a schedule where it is one kernel with all
   steps in it (`passes.schedule.steps`); its groups say the same of a chunk.

What is chosen for a key is a function of `passes.schedule.cpu`, or of `products`. It
follows from shapes, types and the target alone.
"""  # noqa: E501

from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType

from tensorc.ir.attributes import ArrayAttr
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.scan import Scan
from tensorc.ir.schedules import PLACE, SCHEDULE, STAGE, Schedule
from tensorc.passes.analysis.shared_sides import Shared, shared_sides
from tensorc.passes.analysis.stages import kernel_of
from tensorc.passes.analysis.steps import steps_of
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.schedule import cpu, products, windows
from tensorc.passes.schedule.steps import steps_schedules
from tensorc.target import Target


def schedule_group(
    op: KernelGroup,
    target: Target,
    leaving: Collection[Value] = (),
    shared: Mapping[Op, Shared] = MappingProxyType({}),
) -> None:
    """Write the schedule of one group on it and on its members.

    `leaving` are values of the function that are returned, and read by nothing in it;
    `shared` are products whose right sides others read, too.
    """
    kernel = kernel_of(op)
    pairs = zip(op.body.block.terminator.operands, op.results, strict=True)
    places = cpu.places(kernel, [v for v, result in pairs if result in leaving])
    columns = cpu.columns_per_chunk(kernel, target)
    rows = cpu.rows_per_chunk(kernel, target)
    block = cpu.block_rows(kernel, places, rows, columns, target)
    chosen = Schedule(
        rows=block or rows,
        columns=columns,
        kept=cpu.kept_per_chunk(kernel),
        split=cpu.split_per_chunk(kernel)
        or products.product_split(kernel)
        or windows.window_split(kernel, target),
        block=block,
    )
    op.attributes[SCHEDULE] = chosen.attribute()
    for number, part in enumerate(kernel.stages):
        for member in part:
            member.op.attributes[STAGE] = number
            member.op.attributes[PLACE] = ArrayAttr(tuple(places[member.op]))
    for product in kernel.products:
        along = "rows" if products.reads_along_rows(product) else None
        size = windows.tile(kernel, product, target)
        others = shared.get(product)
        panel = products.panel_columns(product, target, others)
        packed = None if panel is None else products.is_packed(product, target, others)
        if isinstance(packed, int):
            packed = None
        given = Schedule(tile=size, panel=panel, packed=packed, along=along)
        product.attributes[SCHEDULE] = given.attribute()


def schedule_scan(op: Scan, target: Target) -> None:
    """Write on a loop and on its groups how all its steps run as one kernel, if so."""
    found = steps_of(op)
    chosen = None if found is None else steps_schedules(op, found, target)
    if found is None or chosen is None:
        return
    whole, given = chosen
    op.attributes[SCHEDULE] = whole.attribute()
    for group, own in zip(found.groups, given, strict=True):
        group.attributes[SCHEDULE] = own.attribute()


def run(module: Module, target: Target) -> Module:
    """Schedule the groups of all functions, those in branches and loops too."""
    for function in module.functions:
        leaving = _leaving(function)
        shared = shared_sides(function.regions[0].block)
        for op in function.walk():
            if isinstance(op, KernelGroup):
                schedule_group(op, target, leaving, shared)
        for op in function.walk():
            if isinstance(op, Scan):
                schedule_scan(op, target)
    return module


def _leaving(function: Op) -> set[Value]:
    """Return what a function returns once, and reads nowhere."""
    read = Counter(v for op in function.walk() for v in op.operands)
    last = function.regions[0].block.terminator.operands
    return {value for value in last if read[value] == 1}


SCHEDULE_CPU = Pass("schedule", Level.STRUCTURED, Level.STRUCTURED, run, __doc__)
