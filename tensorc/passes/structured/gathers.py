"""Read through cheap elementwise ops at computed indices: `(x - y)[i]` is `x[i] - y[i]`.

Source:
  fn f(x: float[5], y: int[3]) -> float[3] = (x - 1)[y]
Before:
  func.func @f(%x: f32[5], %y: i64[3]) -> (f32[3]) {
    %0 = tc.check_index %y {axis = 0, from_end = true, size = [5]} : i64[3]
    %1 = tensor.empty : f32[5]
    %2 = linalg.generic %x, %1 {indexing_maps = [(d0) -> (d0), (d0) -> (d0)], iterator_types = [parallel]} {
    ^bb0(%arg0: f32, %arg1: f32):
      %3 = arith.constant {value = 1.0 : f32} : f32
      %4 = arith.subf %arg0, %3 : f32
      linalg.yield %4
    } : f32[5]
    %5 = tensor.empty : f32[3]
    %6 = linalg.generic %0, %5 {indexing_maps = [(d0) -> (d0), (d0) -> (d0)], iterator_types = [parallel]} {
    …
      %13 = tensor.extract %2, %12 : f32
      linalg.yield %13
    } : f32[3]
    func.return %6
  }
After:
  func.func @f(%x: f32[5], %y: i64[3]) -> (f32[3]) {
    %0 = tc.check_index %y {axis = 0, from_end = true, size = [5]} : i64[3]
    %1 = tensor.empty : f32[3]
    %2 = linalg.generic %0, %1 {indexing_maps = [(d0) -> (d0), (d0) -> (d0)], iterator_types = [parallel]} {
    …
      %9 = tensor.extract %x, %8 : f32
      %10 = arith.constant {value = 1.0 : f32} : f32
      %11 = arith.subf %9, %10 : f32
      linalg.yield %11
    } : f32[3]
    func.return %2
  }

1. What a body reads with `tensor.extract` may be made by a generic that is elementwise,
   computes at most `MOST_AGAIN`, no function, and reads with plain maps: then its body
   stands there instead, and reads its own operands there.
2. An operand that is read at the dimensions of the reader alone becomes an operand of
   it; others are extracted in turn, until nothing cheap is left.
3. A value that the block gives is in memory anyway, and is read from there.

So a loss that picks an element of each row needs no matrix of all of them.
"""  # noqa: E501

from collections.abc import Iterable, Sequence

from tensorc.ir.attributes import AffineMap, ArrayAttr, Typed
from tensorc.ir.core import Block, Op, Value, clone_op
from tensorc.ir.opdef import MEMBER
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.structured.generics import Extract, Generic, Index
from tensorc.ir.types import INDEX, TensorType, element_type
from tensorc.passes.analysis.cost import calls_functions, computes
from tensorc.passes.analysis.generics import extracts, tensor_space
from tensorc.passes.common.base import Level, Pass
from tensorc.target import Target

MOST_AGAIN = 2  # that are computed again for each element that is read
MOST_BODY = 64  # ops of a body that reads through others


def read_through(function: Function) -> None:
    """Let the generics of a function, in nested regions too, read through others."""
    for block in [*_blocks(function)]:
        given = set(block.terminator.operands)
        changed = False
        for op in block.ops:
            while isinstance(op, Generic) and _step(op, given):
                changed = True
        if changed:
            remove_unused(block)


def _blocks(function: Function) -> Iterable[Block]:
    yield function.body.block
    for op in function.walk():
        if not isinstance(op, Generic):
            yield from (block for region in op.regions for block in region.blocks)


def remove_unused(block: Block) -> None:
    """Remove the structured ops of a block whose results nobody uses."""
    used: set[Value] = set()
    kept: list[Op] = []
    for op in reversed(block.ops):
        if MEMBER in op.traits and not any(r in used for r in op.results):
            continue
        kept.append(op)
        used.update(v for inner in op.walk() for v in inner.operands)
    block.ops[:] = reversed(kept)


def _step(op: Generic, given: set[Value]) -> bool:
    """Read one value of a generic through its maker; return whether there was one."""
    if len(op.body.block.ops) > MOST_BODY:
        return False
    for extract in extracts(op):
        value = extract.operands[0]
        made = value.op
        if isinstance(made, Generic) and value not in given and _is_cheap(made):
            _inline(op, extract, made)
            return True
    return False


def _is_cheap(op: Generic) -> bool:
    """Return whether an elementwise generic is cheap enough to be computed again."""
    inside = [inner for inner in op.body.block.ops if computes(inner)]
    if op.reductions or calls_functions(op) or len(inside) > MOST_AGAIN or extracts(op):
        return False
    whole = tuple(range(op.maps[0].dims))
    inputs = op.maps[: len(op.inputs)]
    return all(m.results == whole for m in op.maps[len(inputs) :]) and all(
        m.is_plain for m in inputs
    )


def _inline(op: Generic, extract: Op, made: Generic) -> None:
    """Put the body of `made` where its element is extracted."""
    block = op.body.block
    indices = extract.operands[1:]
    values: dict[Value, Value] = {}
    ops: list[Op] = []
    for value, map_, argument in zip(
        made.inputs, made.maps, made.body.block.arguments, strict=False
    ):
        at = [indices[d] if isinstance(d, int) else None for d in map_.results]
        values[argument] = _element(op, value, at, ops)
    for inner in made.body.block.ops[:-1]:
        if isinstance(inner, Index):
            values[inner.result] = indices[inner.dim]
        else:
            ops.append(clone_op(inner, values))
    number = made.results.index(extract.operands[0])
    found = made.body.block.terminator.operands[number]
    replaced = {extract.result: values.get(found, found)}
    at_extract = block.ops.index(extract)
    rest = block.ops[at_extract + 1 :]
    block.ops[at_extract:] = []
    for inner in ops:
        block.append(inner)
    for inner in rest:
        inner.operands = [replaced.get(v, v) for v in inner.operands]
        block.append(inner)


def _element(
    op: Generic, value: Value, at: Sequence[Value | None], ops: list[Op]
) -> Value:
    """Return the element of a value at indices in the body of a generic."""
    assert isinstance(value.type, TensorType)
    location = op.location
    dims = [None if i is None else _dim_of(i) for i in at]
    extents = tensor_space(op)
    plain = all(
        i is None or (d is not None and extents[d] == size)
        for i, d, size in zip(at, dims, value.type.shape, strict=True)
    )
    if plain and len({d for d in dims if d is not None}) == sum(
        d is not None for d in dims
    ):
        return _operand(op, value, tuple(dims))
    indices = []
    for index in at:
        if index is None:
            zero = arith.Constant([], [INDEX], {"value": Typed(0, INDEX)}, [], location)
            ops.append(zero)
            indices.append(zero.result)
        else:
            indices.append(index)
    for other in ops:
        if isinstance(other, Extract) and other.operands == [value, *indices]:
            return other.result
    element = element_type(value.type)
    read = Extract([value, *indices], [element], {}, [], location)
    ops.append(read)
    return read.result


def _dim_of(index: Value) -> int | None:
    return index.op.dim if isinstance(index.op, Index) else None


def _operand(op: Generic, value: Value, results: tuple[int | None, ...]) -> Value:
    """Return the argument of a body for an operand with a map, a new one if need be."""
    map_ = AffineMap(op.maps[0].dims, results)
    inputs = op.inputs
    for known, other, argument in zip(
        inputs, op.maps, op.body.block.arguments, strict=False
    ):
        if known is value and other == map_:
            return argument
    number = len(inputs)
    maps = [*op.maps]
    maps.insert(number, map_)
    op.operands = [*inputs, value, *op.outputs]
    op.attributes["indexing_maps"] = ArrayAttr(tuple(maps))
    op.attributes["operandSegmentSizes"] = (number + 1, len(op.operands) - number - 1)
    block = op.body.block
    argument = Value(element_type(value.type), block, number)
    block.arguments.insert(number, argument)
    for index, each in enumerate(block.arguments):
        each.index = index
    return argument


def run(module: Module, target: Target) -> Module:
    """Let all functions read through cheap elementwise ops."""
    for function in module.functions:
        read_through(function)
    return module


READ_THROUGH = Pass("read-through", Level.STRUCTURED, Level.STRUCTURED, run, __doc__)
