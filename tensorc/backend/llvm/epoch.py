"""The epoch driver: the loop over batches around an entry (see `tensorc.artifact`)."""

from tensorc.artifact import STATUS_NOT_FINITE, STATUS_OK, EpochWatch
from tensorc.backend.emit import (
    LONG,
    POINTER,
    WORD,
    FunctionEmitter,
    LlvmParameter,
    LType,
    LValue,
    ModuleEmitter,
    epoch_symbol,
    mangle,
    number,
)

_PARAMETERS = (
    LlvmParameter("slots", POINTER),
    LlvmParameter("strides", POINTER),
    LlvmParameter("first", LONG),
    LlvmParameter("last", LONG),
    LlvmParameter("stop", POINTER),
    LlvmParameter("status", POINTER),
    LlvmParameter("watch", POINTER),
)
_BYTE, _HALF = LType("i8"), LType("i16")


def emit_epoch_driver(module: ModuleEmitter, name: str, words: int) -> None:
    """Define the driver of a function whose slots are so many words."""
    symbol = mangle(name)
    emit = module.function(epoch_symbol(name), LONG, _PARAMETERS)
    slots, strides, first, last, stop, status, watch = emit.arguments
    zero, one = number(LONG, 0), number(LONG, 1)
    own = emit.alloca(LONG, words, 8)
    head, poll, run = emit.label("batch"), emit.label("poll"), emit.label("run")
    failed, following = emit.label("failed"), emit.label("next")
    ran, diverged = emit.label("ran"), emit.label("diverged")
    stopped = emit.label("stopped")
    # Emitted before its definition, at the end of the loop.
    counter = emit.alloca(LONG, 1, 8)
    emit.store(first, counter, 8)
    emit.branch(head)
    emit.place(head)
    batch = emit.load(LONG, counter, 8)
    emit.branch_if(emit.compare("slt", batch, last), poll, stopped)
    emit.place(poll)
    # Another thread sets the word: it must be read anew for each batch.
    word = emit.load(WORD, stop, 4, volatile=True)
    emit.branch_if(emit.compare("eq", word, number(WORD, 0)), run, stopped)
    emit.place(run)
    loop = emit.begin_loop(zero, number(LONG, words), one, keep_rolled=True)

    def word_of(table: LValue) -> LValue:
        return emit.offset(LONG, table, loop.index)

    stride = emit.load(LONG, word_of(strides), 8)
    moved = emit.binary("mul", batch, stride)
    base = emit.load(LONG, word_of(slots), 8)
    emit.store(emit.binary("add", base, moved), word_of(own), 8)
    emit.end_loop(loop, [])
    result = emit.call(symbol, WORD, [own, zero, one])
    good = emit.compare("eq", result, number(WORD, STATUS_OK))
    emit.branch_if(good, ran, failed)
    emit.place(ran)
    _branch_if_finite(emit, own, watch, following, diverged)
    emit.place(following)
    emit.store(emit.binary("add", batch, one), counter, 8)
    emit.branch(head)
    emit.place(failed)
    emit.store(result, status, 4)
    emit.branch(stopped)
    emit.place(diverged)
    emit.store(number(WORD, STATUS_NOT_FINITE), status, 4)
    emit.branch(stopped)
    emit.place(stopped)
    emit.ret(batch)


def _branch_if_finite(
    emit: FunctionEmitter, slots: LValue, watch: LValue, finite: str, otherwise: str
) -> None:
    """Go on by whether the watched float is finite, or nothing is watched."""

    def word(which: EpochWatch) -> LValue:
        return emit.load(LONG, emit.offset(LONG, watch, number(LONG, which)), 8)

    watched = emit.label("watched")
    mask = word(EpochWatch.EXPONENT)
    is_off = emit.compare("eq", mask, number(LONG, 0))
    emit.branch_if(is_off, finite, watched)
    emit.place(watched)
    slot = emit.offset(LONG, slots, word(EpochWatch.SLOT))
    cost = emit.load(POINTER, slot, 8)
    high = emit.load(_HALF, emit.offset(_BYTE, cost, word(EpochWatch.OFFSET)), 2)
    exponent = emit.binary("and", emit.cast("zext", high, "i64"), mask)
    # An exponent of ones alone: infinity or NaN.
    emit.branch_if(emit.compare("eq", exponent, mask), otherwise, finite)
