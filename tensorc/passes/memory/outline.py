"""Write groups that are alike once: as a function that is called where they stood.

Source:
  fn f(x: float[3]) -> float[3] = cumsum(cumsum(x) * 0.3) * 0.7
Before:
  func.func @f(%x: memref<3xf32>, %result: memref<3xf32>, %arena: memref<?xi8>) {
    %0 = arith.constant {value = 0 : index} : index
    %1 = memref.view %arena, %0 : memref<3xf32>
    tc.cumulate_into %1, %x {axis = 0, combine = "add", reverse = false}
    %2 = arith.constant {value = 64 : index} : index
    %3 = memref.view %arena, %2 : memref<3xf32>
    tc.group %1, %3 {outer = 0, shapes = [[3], [3]]} {
    ^bb0(%arg0: memref<3xf32>, %arg1: memref<3xf32>):
      linalg.generic %arg0, %arg1 {indexing_maps = [(d0) -> (d0), (d0) -> (d0)], iterator_types = [parallel]} {
      ^bb0(%arg2: f32, %arg3: f32):
        %4 = arith.constant {value = 0.3 : f32} : f32
        %5 = arith.mulf %arg2, %4 : f32
        linalg.yield %5
      } {tc.place = ["memory"], tc.stage = 0}
      tc.yield
    } {tc.schedule = {}}
    %6 = arith.constant {value = 0 : index} : index
    %7 = memref.view %arena, %6 : memref<3xf32>
    tc.cumulate_into %7, %3 {axis = 0, combine = "add", reverse = false}
    tc.group %7, %result {outer = 0, shapes = [[3], [3]]} {
    ^bb0(%arg4: memref<3xf32>, %arg5: memref<3xf32>):
      linalg.generic %arg4, %arg5 {indexing_maps = [(d0) -> (d0), (d0) -> (d0)], iterator_types = [parallel]} {
      ^bb0(%arg6: f32, %arg7: f32):
        %8 = arith.constant {value = 0.7 : f32} : f32
        %9 = arith.mulf %arg6, %8 : f32
        linalg.yield %9
      } {tc.place = ["memory"], tc.stage = 0}
      tc.yield
    } {tc.schedule = {}}
    func.return
  } {tc.arena = [128], tc.shapes = [[3], [3]], tc.symbols = []}
After:
  func.func @f.group0(%arg0: memref<3xf32>, %arg1: memref<3xf32>, %arg2: f32) {
    tc.group %arg0, %arg1, %arg2 {outer = 0, shapes = [[3], [3]]} {
    ^bb0(%arg3: memref<3xf32>, %arg4: memref<3xf32>, %arg5: f32):
      linalg.generic %arg3, %arg4 {indexing_maps = [(d0) -> (d0), (d0) -> (d0)], iterator_types = [parallel]} {
      ^bb0(%arg6: f32, %arg7: f32):
        %0 = arith.mulf %arg6, %arg5 : f32
        linalg.yield %0
      } {tc.place = ["memory"], tc.stage = 0}
      tc.yield
    } {tc.schedule = {}}
    func.return
  } {tc.kernel = true, tc.shapes = [[3], [3]], tc.symbols = []}
  func.func @f(%x: memref<3xf32>, %result: memref<3xf32>, %arena: memref<?xi8>) {
    %0 = arith.constant {value = 0 : index} : index
    %1 = memref.view %arena, %0 : memref<3xf32>
    tc.cumulate_into %1, %x {axis = 0, combine = "add", reverse = false}
    %2 = arith.constant {value = 64 : index} : index
    %3 = memref.view %arena, %2 : memref<3xf32>
    %4 = arith.constant {value = 0.3 : f32} : f32
    func.call %1, %3, %4 {callee = @f.group0}
    %5 = arith.constant {value = 0 : index} : index
    %6 = memref.view %arena, %5 : memref<3xf32>
    tc.cumulate_into %6, %3 {axis = 0, combine = "add", reverse = false}
    %7 = arith.constant {value = 0.7 : f32} : f32
    func.call %6, %result, %7 {callee = @f.group0}
    func.return
  } {tc.arena = [128], tc.shapes = [[3], [3]], tc.symbols = []}

1. The key of a group is what its code is made of: ops, types, attributes, who reads
   what, and which of its operands are one memory. Names and source locations are not
   part of it: these are the call's.
2. Nor are constants that only arithmetic reads which costs and gives the same whether
   LLVM knows the number or not (`_KEEPS_ITS_COST`). Those that differ between groups of
   one key are arguments; the rest stays in the text.
3. Layers, unrolled steps and the updates of parameters are so lowered, verified and
   compiled once. A group that is like no other stays where it is, and so do groups in
   branches and loops.
"""  # noqa: E501

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from tensorc.ir.attributes import ArrayAttr, Attribute, SymbolRef, Typed
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value, single_block
from tensorc.ir.dims import symbol
from tensorc.ir.functions import set_function_type
from tensorc.ir.ops.builtin import KERNEL, Call, Function, Module, Return
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.scalar import arith
from tensorc.ir.types import INDEX
from tensorc.passes.common.base import Level, Pass
from tensorc.passes.common.cse import attribute_key
from tensorc.passes.common.structured_builder import size
from tensorc.target import Target

# The operands that may be arguments as well as constants: of divisors LLVM makes
# factors where it can, and powers are simpler where the exponent is known.
_KEEPS_ITS_COST: Mapping[type[Op], Sequence[int]] = MappingProxyType(
    {
        arith.AddF: (0, 1),
        arith.SubF: (0, 1),
        arith.MulF: (0, 1),
        arith.DivF: (0,),
        arith.MaximumF: (0, 1),
        arith.MinimumF: (0, 1),
        arith.Select: (1, 2),
        arith.CmpF: (0, 1),
    }
)
# What LLVM may simplify arithmetic by; an infinity or a NaN, too.
_SPECIAL = (0.0, 1.0, -1.0)
_FINITE = float("inf")


@dataclass(frozen=True, slots=True)
class _Found:
    """A group, the function that it stands in, and its constants that may differ."""

    group: KernelGroup
    function: Function
    constants: Sequence[arith.Constant]


@dataclass
class _Numbers:
    """Numbers for attributes and types: equal ones for equal things."""

    of_keys: dict[Hashable, int] = field(default_factory=dict)
    of_objects: dict[int, int] = field(default_factory=dict)
    met: list[object] = field(default_factory=list)  # so that no `id` is used again

    def number(self, thing: Attribute) -> int:
        """Return the number of an attribute or a type."""
        number = self.of_objects.get(id(thing))
        if number is None:
            number = self.of_keys.setdefault(attribute_key(thing), len(self.of_keys))
            self.of_objects[id(thing)] = number
            self.met.append(thing)
        return number


def outline(module: Module, target: Target) -> Module:
    """Write the groups of a module that are alike once."""
    numbers = _Numbers()
    alike: dict[Hashable, list[_Found]] = {}
    for function in module.functions:
        symbols = function.attributes["tc.symbols"]
        for group in _groups(function):
            key, constants = _key(group, numbers)
            found = _Found(group, function, constants)
            alike.setdefault((symbols, key), []).append(found)
    made: dict[Function, list[Function]] = {}
    calls: dict[Op, Sequence[Op]] = {}
    for several in alike.values():
        if len(several) > 1:
            before = made.setdefault(several[0].function, [])
            _write_once(several, before, calls)
    functions, module.body.block.ops = module.functions, []
    for function in functions:
        block = function.body.block
        stood, block.ops = block.ops, []
        for op in stood:
            for new in calls.get(op, (op,)):
                block.append(new)
        for op in (*made.get(function, ()), function):
            module.body.block.append(op)
    return module


def _groups(function: Function) -> Iterator[KernelGroup]:
    """Yield the groups of a function, but for those in its branches and loops.

    MLIR looks for what a call names up to the nearest op that may have symbols of its
    own, and an op that it does not know, as our branches and loops, may.
    """
    for op in function.body.block.ops:
        if isinstance(op, KernelGroup):
            yield op


def _key(
    group: KernelGroup, numbers: _Numbers
) -> tuple[Hashable, list[arith.Constant]]:
    """Return what groups that are alike share, and the constants that may differ."""
    values: dict[Value, int] = {}
    parts: list[Hashable] = []
    at: dict[Value, int] = {}  # of constants that may differ: their part
    for op in group.walk():
        reads: list[int] = []
        for i, value in enumerate(op.operands):
            reads.append(values.setdefault(value, len(values)))
            if value in at and i not in _KEEPS_ITS_COST.get(type(op), ()):
                constant = value.op
                assert isinstance(constant, arith.Constant)
                parts[at.pop(value)] = numbers.number(constant.value)
        for result in op.results:
            values[result] = len(values)
        if isinstance(op, arith.Constant) and _may_differ(op.value):
            at[op.result] = len(parts)
            parts.append(op.value.type)
            continue
        named = op.attributes
        parts.append(
            (
                *(type(op), *reads, *named),
                *[numbers.number(a) for a in named.values() if a is not None],
                *[numbers.number(r.type) for r in op.results],
            )
        )
        for region in op.regions:
            for block in region.blocks:
                for argument in block.arguments:
                    values[argument] = len(values)
                types = [numbers.number(a.type) for a in block.arguments]
                parts.append((len(block.ops), *types))
    constants = [v.op for v in at if isinstance(v.op, arith.Constant)]
    return tuple(parts), constants


def _may_differ(number: Typed) -> bool:
    """Return whether code is the same for this number and others."""
    value = number.value
    is_plain = -_FINITE < value < _FINITE and value not in _SPECIAL
    return number.type.is_float and is_plain


def _write_once(
    several: Sequence[_Found], made: list[Function], calls: dict[Op, Sequence[Op]]
) -> None:
    """Write a function of the first of some groups, and a call of it for each."""
    first = several[0]
    columns = zip(*[found.constants for found in several], strict=True)
    # Constants that are equal wherever they are called are one argument.
    given: dict[tuple[Typed, ...], list[arith.Constant]] = {}
    for column in columns:
        typed = tuple([constant.value for constant in column])
        if len(set(typed)) > 1:
            given.setdefault(typed, []).append(column[0])
    symbols = first.function.attributes["tc.symbols"]
    assert isinstance(symbols, ArrayAttr)
    names = [str(name) for name in symbols.items]
    operands = [found.group.operands for found in several]
    name = f"{first.function.sym_name}.group{len(made)}"
    made.append(_function(name, first.group, list(given.values()), names))
    numbers = list(zip(*given, strict=True)) or [()] * len(several)
    for found, memory, typed in zip(several, operands, numbers, strict=True):
        b = Builder(Block(), location=found.group.location)
        scalars = [b.value(arith.Constant, value=number) for number in typed]
        sizes = [size(b, symbol(name)) for name in names]
        given_all = [*memory, *scalars, *sizes]
        b.create(Call, *given_all, types=[], callee=SymbolRef(name))
        calls[found.group] = b.block.ops


def _function(
    name: str,
    group: KernelGroup,
    given: Sequence[Sequence[arith.Constant]],
    names: Sequence[str],
) -> Function:
    """Move a group into a new function; what is `given` becomes arguments of both."""
    region, block = single_block()
    inside = group.body.block
    for value, argument in zip(group.operands, inside.arguments, strict=True):
        block.add_argument(value.type, value.hint or argument.hint)
    replaced: dict[Value, Value] = {}
    for constants in given:
        type_ = constants[0].result.type
        block.add_argument(type_)
        argument = inside.add_argument(type_)
        replaced.update((constant.result, argument) for constant in constants)
    group.operands = list(block.arguments)
    if replaced:
        _put_arguments(group, replaced)
    symbols = [block.add_argument(INDEX, name).hint for name in names]
    block.append(group)
    block.append(Return([], []))
    attributes: dict[str, Attribute] = {
        "sym_name": name,
        KERNEL: True,
        "tc.shapes": group.shapes,
        "tc.symbols": ArrayAttr(tuple(symbols)),
    }
    function = Function([], [], attributes, [region], group.location)
    set_function_type(function)
    return function


def _put_arguments(group: KernelGroup, replaced: Mapping[Value, Value]) -> None:
    """Read arguments in the place of constants, and drop these."""
    for op in list(group.walk()):
        op.operands = [replaced.get(v, v) for v in op.operands]
        for region in op.regions:
            block = region.block
            block.ops = [
                inner
                for inner in block.ops
                if not inner.results or inner.results[0] not in replaced
            ]


OUTLINE = Pass("outline", Level.BUFFER, Level.BUFFER, outline, __doc__)
