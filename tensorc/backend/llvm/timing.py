"""When launches begin and end: calls of two functions, defined where they are needed.

Where the times go is said in `tensorc.artifact`. The clock is called by its address,
so that the object needs no library.
"""

from tensorc.artifact import TIMES_OF_A_LAUNCH, RecordWord, TimesWord
from tensorc.backend.emit import (
    LONG,
    POINTER,
    WORD,
    FunctionEmitter,
    LlvmParameter,
    LValue,
    ModuleEmitter,
    number,
)

_NOW, _WRITE = "tc.times.now", "tc.times.write"
_SECOND = 1_000_000_000  # nanoseconds
_RECORD = LlvmParameter("record", POINTER)


def time_now(module: ModuleEmitter, emit: FunctionEmitter, record: LValue) -> LValue:
    """Return the nanoseconds of the clock, 0 if no times are wanted."""
    if _NOW not in module.functions:
        _define_now(module)
    return emit.call(_NOW, LONG, [record])


def write_times(
    module: ModuleEmitter,
    emit: FunctionEmitter,
    record: LValue,
    launch: int,
    begun: LValue,
) -> None:
    """Write the times of a launch that ends now, if they are wanted."""
    if _WRITE not in module.functions:
        _define_write(module)
    emit.call(_WRITE, WORD, [record, number(LONG, launch), begun])


def _word(emit: FunctionEmitter, words: LValue, index: int) -> LValue:
    return emit.offset(LONG, words, number(LONG, index))


def _times(emit: FunctionEmitter, record: LValue, otherwise: LValue) -> LValue:
    """Return the address of the words of times; return from here if there are none."""
    times = emit.load(POINTER, _word(emit, record, RecordWord.TIMES), 8)
    nothing, wanted = emit.label("nothing"), emit.label("wanted")
    is_off = emit.compare("eq", times, LValue("null", POINTER))
    emit.branch_if(is_off, nothing, wanted)
    emit.place(nothing)
    emit.ret(otherwise)
    emit.place(wanted)
    return times


def _define_now(module: ModuleEmitter) -> None:
    emit = module.function(_NOW, LONG, [_RECORD], internal=True)
    (record,) = emit.arguments
    times = _times(emit, record, number(LONG, 0))
    clock = emit.load(POINTER, _word(emit, times, TimesWord.CLOCK), 8)
    which = emit.load(WORD, _word(emit, times, TimesWord.WHICH), 8)
    seconds = emit.alloca(LONG, 2, 8)
    emit.call_address(clock, WORD, [which, seconds])
    whole = emit.binary("mul", emit.load(LONG, seconds, 8), number(LONG, _SECOND))
    emit.ret(emit.binary("add", whole, emit.load(LONG, _word(emit, seconds, 1), 8)))


def _define_write(module: ModuleEmitter) -> None:
    parameters = [_RECORD, LlvmParameter("launch", LONG), LlvmParameter("begun", LONG)]
    emit = module.function(_WRITE, WORD, parameters, internal=True)
    record, launch, begun = emit.arguments
    zero, one = number(WORD, 0), number(LONG, 1)
    times = _times(emit, record, zero)
    ended = time_now(module, emit, record)
    counter = _word(emit, times, TimesWord.COUNT)
    count = emit.load(LONG, counter, 8)
    emit.store(emit.binary("add", count, one), counter, 8)
    write, after = emit.label("write"), emit.label("after")
    room = emit.load(LONG, _word(emit, times, TimesWord.ROOM), 8)
    emit.branch_if(emit.compare("slt", count, room), write, after)
    emit.place(write)
    index = emit.binary("mul", count, number(LONG, TIMES_OF_A_LAUNCH))
    first = emit.offset(LONG, _word(emit, times, len(TimesWord)), index)
    for i, value in enumerate((launch, begun, ended)):
        emit.store(value, _word(emit, first, i), 8)
    emit.branch(after)
    emit.place(after)
    emit.ret(zero)
