"""LOOP IR to LLVM text: functions, control flow, calls, and the table of all rows.

Every function becomes `i32 @name(ptr slots, i64 begin, i64 end)`; what the slots hold
is said in `tensorc.artifact` for an entry. A kernel has a fourth parameter, the scratch
of who calls it; its slots hold its arguments but the last three, which are begin, end
and scratch, and then the pointer to the error record. A float lies at the start of its
slot. All launches of a function have one array of slots: a kernel does not change it,
and has ended in all threads when its launch returns.
"""

from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType

from tensorc.artifact import STATUS_INDEX, STATUS_OK, RecordWord
from tensorc.backend.emit import (
    BOOL,
    LONG,
    POINTER,
    VOID,
    WORD,
    FunctionEmitter,
    LlvmParameter,
    LType,
    LValue,
    ModuleEmitter,
    mangle,
    number,
)
from tensorc.backend.llvm import bounds
from tensorc.backend.llvm.control import CONTROL_ROWS
from tensorc.backend.llvm.epoch import emit_epoch_driver
from tensorc.backend.llvm.memory import MEMORY_ROWS
from tensorc.backend.llvm.microkernels import Tile, micro_kernel
from tensorc.backend.llvm.pool import launcher
from tensorc.backend.llvm.scalars import SCALAR_ROWS
from tensorc.backend.llvm.state import Lower, State, memory_type, scalar_of, type_of
from tensorc.backend.llvm.timing import time_now, write_times
from tensorc.errors import CompileError, Diagnostic, InternalError
from tensorc.ir.attributes import SymbolRef
from tensorc.ir.core import Op, Value
from tensorc.ir.opdef import TERMINATOR
from tensorc.ir.ops import builtin
from tensorc.ir.ops.builtin import KERNEL, Function, Module
from tensorc.ir.ops.memory import kernels
from tensorc.ir.types import I8, INDEX, Element, MemRefType, element_type
from tensorc.target import Options, Target

_PARAMETERS = (
    LlvmParameter("slots", POINTER),
    LlvmParameter("begin", LONG),
    LlvmParameter("end", LONG),
)
_OF_KERNELS = (*_PARAMETERS, LlvmParameter("scratch", POINTER, noalias=True))
_SLOT_BYTES = 8
_SCRATCH = MemRefType((None,), I8)


def lower_module(module: Module, target: Target, options: Options) -> str:
    """Return LLVM text for a module of the LOOP level.

    Raises:
        CompileError: a function does not fit the ABI (TC0250).
        InternalError: an op has no row.
    """
    attributes = {"prefer-vector-width": str(target.vector_bits)}
    emitter = ModuleEmitter(target.triple, attributes)
    functions = {f.sym_name: f for f in module.functions}
    failing = set(functions) if options.check_bounds else _failing(module)
    bodies: dict[str, Function] = {}
    for function in module.functions:
        emit = _lower_function(emitter, target, functions, failing, function, options)
        if is_kernel(function):
            # Layers and unrolled steps are alike: LLVM's time is most of compiling.
            first = bodies.setdefault(emit.body(), function)
            if first is not function:
                functions[function.sym_name] = first
                emitter.drop(emit)
        elif options.epochs:
            words = len(function.body.block.arguments) + 1
            emit_epoch_driver(emitter, function.sym_name, words)
    return emitter.text()


def is_kernel(function: Function) -> bool:
    """Tell kernels from entries."""
    return function.attributes.get(KERNEL) is True


def launches_of(function: Function) -> list[kernels.Launch]:
    """Return the launches of a function, by their numbers."""
    return [op for op in function.walk() if isinstance(op, kernels.Launch)]


def _failing(module: Module) -> set[str]:
    """Return the functions that may give another status than `STATUS_OK`."""
    calls: dict[str, set[str]] = {}
    found: set[str] = set()
    for function in module.functions:
        name = function.sym_name
        for op in function.walk():
            if isinstance(op, kernels.Fail):
                found.add(name)
            elif isinstance(op, kernels.Launch | builtin.Call):
                calls.setdefault(op.callee.name, set()).add(name)
    pending = list(found)
    while pending:
        callers = calls.get(pending.pop(), set()) - found
        found |= callers
        pending += callers
    return found


def _lower_function(
    module: ModuleEmitter,
    target: Target,
    functions: Mapping[str, Function],
    failing: Set[str],
    function: Function,
    options: Options,
) -> FunctionEmitter:
    inside = is_kernel(function)
    parameters = _OF_KERNELS if inside else _PARAMETERS
    symbol = mangle(function.sym_name)
    emit = module.function(symbol, WORD, parameters, internal=inside)
    values, record = _unpack(emit, function)
    work = options.parallel_work
    state = State(module, emit, target, functions, failing, record, values, work)
    if options.check_bounds:
        _learn_extents(state, function)
    state.slots = _slots_of_launches(emit, function, options.check_bounds)
    if options.timed:
        state.launches = {op: i for i, op in enumerate(launches_of(function))}
    state.open(function.body.block.ops, lambda given: None)
    _lower_regions(state, options.check_bounds)
    emit.ret(number(WORD, STATUS_OK))
    return emit


def _unpack(
    emit: FunctionEmitter, function: Function
) -> tuple[dict[Value, LValue], LValue]:
    """Load the slots; return the values of the arguments and the error record."""
    slots, *own = emit.arguments
    arguments = function.body.block.arguments
    values: dict[Value, LValue] = {}
    if is_kernel(function):
        types = [a.type for a in arguments[-len(own) :]]
        if types != [INDEX, INDEX, _SCRATCH]:
            raise _wrong(function, "a kernel takes begin, end and scratch last")
        arguments, last = arguments[: -len(own)], arguments[-len(own) :]
        values.update(zip(last, own, strict=True))
        record_slot = len(arguments)
    else:
        # The record stands between the scratch, the last memory, and the symbols.
        record_slot = sum(isinstance(a.type, MemRefType) for a in arguments)
        if any(isinstance(a.type, MemRefType) for a in arguments[record_slot:]):
            raise _wrong(function, "takes memory after a size")
    for i, argument in enumerate(arguments):
        slot = i if is_kernel(function) or i < record_slot else i + 1
        type_ = _word_type(function, argument)
        values[argument] = emit.load(type_, _slot(emit, slots, slot), _SLOT_BYTES)
    record = emit.load(POINTER, _slot(emit, slots, record_slot), _SLOT_BYTES)
    return values, record


def _word_type(function: Function, argument: Value) -> LType:
    """Return the type that a slot is read as; a kernel may take floats."""
    given = argument.type
    if isinstance(given, MemRefType):
        return POINTER
    takes = given == INDEX or (isinstance(given, Element) and given.is_float)
    if not takes or (given != INDEX and not is_kernel(function)):
        raise _wrong(function, f"takes {given}, no memory or index")
    return type_of(given)


def _wrong(op: Op, message: str) -> CompileError:
    """Return the error about an op that fits no calling convention of ours."""
    return CompileError(Diagnostic("TC0250", f"{op.name}: {message}", op.location))


def _slot(emit: FunctionEmitter, slots: LValue, index: int) -> LValue:
    return emit.offset(LONG, slots, number(LONG, index))


def _learn_extents(state: State, function: Function) -> None:
    """Find the extents of the memory that a function is given."""
    if not is_kernel(function):
        bounds.learn_of_entry(state, function)
        return
    emit, after = state.emit, len(function.body.block.arguments) - len(_OF_KERNELS) + 2
    slots = emit.arguments[0]

    def load(index: int) -> LValue:
        return emit.load(LONG, _slot(emit, slots, after + index), _SLOT_BYTES)

    bounds.learn_of_kernel(state, function, load)


def _slots_of_launches(
    emit: FunctionEmitter, function: Function, checks_bounds: bool
) -> list[LValue]:
    """Return the addresses of slots for the launch or call that is given most."""
    # What is not given stands last, but for the record, which each is given.
    counts = [
        len(op.operands)
        - len(_OF_KERNELS)
        + 2
        + (bounds.words_passed(op) if checks_bounds else 0)
        for op in function.walk()
        if isinstance(op, builtin.Call | kernels.Launch)
    ]
    if not counts:
        return []
    slots = emit.alloca(LONG, max(counts), _SLOT_BYTES)
    return [_slot(emit, slots, i) for i in range(max(counts))]


def _lower_regions(state: State, checks_bounds: bool) -> None:
    # Regions are on a stack of our own, so nesting is not limited by Python's.
    before = None
    while state.regions:
        region = state.regions[-1]
        if region is not before:
            state.words.clear()  # what runs before is not known
            before = region
        op = next(region.ops)
        if TERMINATOR in op.traits:
            state.regions.pop()
            region.close(state.operands(op))
            continue
        row = ROWS.get(type(op))
        if row is None:
            raise InternalError(f"no lowering of {op.name} at {op.location}", "llvm")
        if checks_bounds:
            bounds.check(state, op)
        row(state, op)


def _callee(state: State, op: Op) -> tuple[str, bool]:
    """Return the symbol of the kernel that an op calls, or of one like it.

    And whether it can fail.
    """
    reference = op.attribute("callee")
    assert isinstance(reference, SymbolRef)
    callee = state.functions.get(reference.name)
    if callee is None or not is_kernel(callee):
        raise _wrong(op, f"{reference} is no kernel")
    return mangle(callee.sym_name), callee.sym_name in state.failing


def _pass_words(state: State, op: Op, given: Sequence[LValue]) -> LValue:
    """Return the slots of a kernel that is given so many words, and the record."""
    extents = bounds.extents_passed(state, op) if state.extents else []
    for i, word in enumerate((*given, state.record, *extents)):
        if state.words.get(i) != word:
            state.emit.store(word, state.slots[i], _SLOT_BYTES)
            state.words[i] = word
    return state.slots[0]


def _return_failure(emit: FunctionEmitter, status: LValue) -> None:
    failed, passed = emit.label("failed"), emit.label("passed")
    bad = emit.compare("ne", status, number(WORD, STATUS_OK))
    emit.branch_if(bad, failed, passed)
    emit.place(failed)
    emit.ret(status)
    emit.place(passed)


def _call(state: State, op: Op) -> None:
    kernel, can_fail = _callee(state, op)
    *given, begin, end, scratch = state.operands(op)
    arguments = [_pass_words(state, op, given), begin, end, scratch]
    status = state.emit.call(kernel, WORD, arguments)
    if can_fail:
        _return_failure(state.emit, status)


def _launch(state: State, op: Op) -> None:
    """Call a kernel over all its chunks, in several threads where that pays."""
    emit, (kernel, can_fail) = state.emit, _callee(state, op)
    *given, chunks, work, scratch = state.operands(op)
    slots = _pass_words(state, op, given)
    number_ = state.launches.get(op)
    begun = None if number_ is None else time_now(state.module, emit, state.record)
    if chunks.text == "1":
        status = emit.call(kernel, WORD, [slots, number(LONG, 0), chunks, scratch])
    else:
        address = LValue(f"@{kernel}", POINTER)
        arguments = [state.record, address, slots, scratch, chunks, work]
        status = emit.call(launcher(state.module, state.parallel_work), WORD, arguments)
    if number_ is not None and begun is not None:
        write_times(state.module, emit, state.record, number_, begun)
    if can_fail:
        _return_failure(emit, status)


def _fail(state: State, op: Op) -> None:
    emit = state.emit
    index, size = state.operands(op)
    site, axis = op.attribute("site"), op.attribute("axis")
    assert isinstance(site, int)
    assert isinstance(axis, int)
    words = {
        RecordWord.SITE: number(LONG, site),
        RecordWord.AXIS: number(LONG, axis),
        RecordWord.INDEX: index,
        RecordWord.SIZE: size,
    }
    for i, word in words.items():
        emit.store(word, _slot(emit, state.record, i), _SLOT_BYTES)
    emit.ret(number(WORD, STATUS_INDEX))
    # Nothing comes here: what follows in the region is dead.
    emit.place(emit.label("dead"))


def _gemm_tile(state: State, op: Op) -> None:
    emit = state.emit
    a, a_at, b, b_at, c, c_at, count, height, columns, accumulate, *strides = (
        state.operands(op)
    )
    element = element_type(op.operands[0].type)
    a_strides = op.attribute("a_strides")
    numbers = [op.attribute(n) for n in ("rows", "width", "b_stride", "c_stride")]
    assert isinstance(a_strides, tuple)
    rows, width, b_stride, c_stride = (n for n in numbers if isinstance(n, int))
    padded = op.attribute("padded")
    assert isinstance(padded, bool)
    tile = Tile(
        LType(scalar_of(element)),
        rows,
        width,
        (a_strides[0], a_strides[1], b_stride, c_stride),
        padded,
        short=height != number(LONG, rows),
        whole=columns == number(LONG, width),
    )
    name = micro_kernel(state.module, state.target, tile)
    cell = memory_type(element)
    addresses = [
        emit.offset(cell, p, at) for p, at in ((a, a_at), (b, b_at), (c, c_at))
    ]
    assert accumulate.type == BOOL
    sizes = [height] * tile.short + [columns] * (not tile.whole)
    emit.call(name, VOID, [*addresses, count, *sizes, accumulate, *strides])


ROWS: Mapping[type[Op], Lower] = MappingProxyType(
    {
        **SCALAR_ROWS,
        **MEMORY_ROWS,
        **CONTROL_ROWS,
        builtin.Call: _call,
        kernels.Launch: _launch,
        kernels.Fail: _fail,
        kernels.GemmTile: _gemm_tile,
    }
)
