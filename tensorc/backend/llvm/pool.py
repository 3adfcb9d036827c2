"""The thread pool's code: one caller, and workers that help while there is a job.

All state is a block of 64-bit words that the runtime owns (`tensorc.artifact` lists
them, and says how compiled code finds it). Words that different threads write lie in
different cache lines. A job is a kernel whose chunks are cut into ranges:

    caller, in `run`                    worker, in `work`
    write the job, open it              spin, then sleep, until generation changes
    generation += 1, wake sleepers      joined += 1; leave if the job is closed
    take ranges until none is left      take ranges until none is left
    close the job                       joined -= 1
    spin until joined = 0

Worker w has the scratch at SCRATCH + w * BYTES, the caller is worker 0; a worker for
whom there is none leaves.

So a worker that sleeps, or that the system runs elsewhere, is not waited for: the
caller does its part. A caller that finds the pool taken computes alone, so calls from
many threads neither wait nor meet. Who sleeps says so before it looks at the generation
once more, and who changes the generation looks for sleepers after it: one of the two
sees the other (all atomics are in one order). Workers never end: the process ends them.
"""

from tensorc.artifact import (
    POOL_CLOSED,
    STATUS_OK,
    PoolSymbol,
    PoolWord,
    RecordWord,
)
from tensorc.backend.emit import (
    LONG,
    POINTER,
    VOID,
    WORD,
    FunctionEmitter,
    LlvmParameter,
    LType,
    LValue,
    ModuleEmitter,
    number,
)
from tensorc.target import Target

_RANGES = 4  # per thread: who is late takes fewer
_SPINS = 1 << 14  # looks at a word before a worker sleeps: 0.2 to 0.8 ms
_YIELD = (1 << 10) - 1  # a caller that waits longer than so many looks lets others run


def launcher(module: ModuleEmitter, parallel_work: int) -> str:
    """Return the symbol of what runs a kernel over its chunks; define it if need be.

    It is called with the record, the kernel, its slots, the scratch, the chunks and the
    work; less than `parallel_work` is done alone.
    """
    symbol = "tc.launch"
    if symbol in module.functions:
        return symbol
    parameters = [
        *(LlvmParameter(n, POINTER) for n in ("record", "kernel", "slots", "scratch")),
        *(LlvmParameter(n, LONG) for n in ("chunks", "work")),
    ]
    emit = module.function(symbol, WORD, parameters, internal=True)
    record, kernel, slots, scratch, chunks, work = emit.arguments
    look, ask, share, alone = (emit.label(n) for n in ("look", "ask", "share", "alone"))
    several = emit.compare("sgt", chunks, number(LONG, 1))
    enough = emit.compare("sge", work, number(LONG, parallel_work))
    emit.branch_if(emit.binary("and", several, enough), look, alone)
    emit.place(look)
    block = emit.load(POINTER, _word(emit, record, RecordWord.POOL), 8)
    emit.branch_if(_is_null(emit, block), alone, ask)
    emit.place(ask)
    run = emit.load(POINTER, _word(emit, block, PoolWord.RUN), 8)
    emit.branch_if(_is_null(emit, run), alone, share)
    emit.place(share)
    given = [block, record, kernel, slots, scratch, chunks]
    emit.ret(emit.call_address(run, WORD, given))
    emit.place(alone)
    emit.ret(emit.call_address(kernel, WORD, [slots, number(LONG, 0), chunks, scratch]))
    return symbol


def pool_text(target: Target) -> str:
    """Return the LLVM text of the pool: the functions of `PoolSymbol`."""
    module = ModuleEmitter(target.triple)
    pauses = target.triple.startswith(("x86_64", "i686"))
    _emit_run(module, pauses)
    _emit_work(module, pauses)
    take = module.function(PoolSymbol.TAKE, LONG, [LlvmParameter("block", POINTER)])
    (block,) = take.arguments
    take.ret(take.exchange_atomic(_word(take, block, PoolWord.BUSY), number(LONG, 1)))
    return module.text()


def _word(emit: FunctionEmitter, block: LValue, index: PoolWord | RecordWord) -> LValue:
    return emit.offset(LONG, block, number(LONG, index))


def _is_null(emit: FunctionEmitter, pointer: LValue) -> LValue:
    return emit.compare("eq", pointer, LValue("null", POINTER))


def _pause(emit: FunctionEmitter, pauses: bool) -> None:
    if pauses:
        emit.intrinsic("x86.sse2.pause", VOID)


def _take_ranges(emit: FunctionEmitter, block: LValue, scratch: LValue) -> None:
    """Run ranges of the job until all are taken; keep a status that is not 0."""
    one = number(LONG, 1)
    kernel, slots = (
        emit.load(POINTER, _word(emit, block, word), 8)
        for word in (PoolWord.KERNEL, PoolWord.SLOTS)
    )
    chunks, ranges = (
        emit.load(LONG, _word(emit, block, word), 8)
        for word in (PoolWord.CHUNKS, PoolWord.RANGES)
    )

    def bound(range_: LValue) -> LValue:
        return emit.binary("sdiv", emit.binary("mul", chunks, range_), ranges)

    take, run, note, after = (emit.label(n) for n in ("take", "run", "note", "after"))
    emit.branch(take)
    emit.place(take)
    taken = emit.add_atomic(_word(emit, block, PoolWord.NEXT), one)
    emit.branch_if(emit.compare("slt", taken, ranges), run, after)
    emit.place(run)
    limits = [bound(taken), bound(emit.binary("add", taken, one))]
    status = emit.call_address(kernel, WORD, [slots, *limits, scratch])
    emit.branch_if(emit.compare("ne", status, number(WORD, STATUS_OK)), note, take)
    emit.place(note)
    kept = emit.cast("sext", status, "i64")
    emit.store_atomic(kept, _word(emit, block, PoolWord.STATUS))
    emit.branch(take)
    emit.place(after)


def _emit_run(module: ModuleEmitter, pauses: bool) -> None:
    pointers = ("block", "record", "kernel", "slots", "scratch")
    parameters = [
        *(LlvmParameter(name, POINTER) for name in pointers),
        LlvmParameter("chunks", LONG),
    ]
    emit = module.function(PoolSymbol.RUN, WORD, parameters)
    block, record, kernel, slots, scratch, chunks = emit.arguments
    zero, one = number(LONG, 0), number(LONG, 1)
    alone, ask, share = (emit.label(n) for n in ("alone", "ask", "share"))
    active = emit.load_atomic(_word(emit, block, PoolWord.ACTIVE))
    emit.branch_if(emit.compare("sgt", active, one), ask, alone)
    emit.place(ask)
    before = emit.exchange_atomic(_word(emit, block, PoolWord.BUSY), one)
    emit.branch_if(emit.compare("eq", before, zero), share, alone)
    emit.place(alone)
    emit.ret(emit.call_address(kernel, WORD, [slots, zero, chunks, scratch]))
    emit.place(share)
    finest = emit.binary("mul", active, number(LONG, _RANGES))
    job = {
        PoolWord.KERNEL: kernel,
        PoolWord.SLOTS: slots,
        PoolWord.CHUNKS: chunks,
        PoolWord.RANGES: emit.intrinsic("smin", LONG, finest, chunks),
        PoolWord.SCRATCH: scratch,
        PoolWord.BYTES: emit.load(LONG, _word(emit, record, RecordWord.BYTES), 8),
        PoolWord.WORKERS: emit.load(LONG, _word(emit, record, RecordWord.WORKERS), 8),
        PoolWord.NEXT: zero,
        PoolWord.STATUS: zero,
    }
    for word, value in job.items():
        emit.store(value, _word(emit, block, word), 8)
    joined = _word(emit, block, PoolWord.JOINED)
    emit.add_atomic(joined, number(LONG, -POOL_CLOSED))
    emit.add_atomic(_word(emit, block, PoolWord.GENERATION), one)
    _wake(emit, block)
    _take_ranges(emit, block, scratch)
    emit.add_atomic(joined, number(LONG, POOL_CLOSED))
    _wait_for_workers(emit, joined, pauses)
    status = emit.load_atomic(_word(emit, block, PoolWord.STATUS))
    emit.store_atomic(zero, _word(emit, block, PoolWord.BUSY))
    emit.ret(emit.cast("trunc", status, "i32"))


def _wake(emit: FunctionEmitter, block: LValue) -> None:
    wake, awake = emit.label("wake"), emit.label("awake")
    sleepers = emit.load_atomic(_word(emit, block, PoolWord.SLEEPERS))
    emit.branch_if(emit.compare("ne", sleepers, number(LONG, 0)), wake, awake)
    emit.place(wake)
    mutex = _word(emit, block, PoolWord.MUTEX)
    emit.call_thread("pthread_mutex_lock", mutex)
    condition = _word(emit, block, PoolWord.CONDITION)
    emit.call_thread("pthread_cond_broadcast", condition)
    emit.call_thread("pthread_mutex_unlock", mutex)
    emit.branch(awake)
    emit.place(awake)


def _wait_for_workers(emit: FunctionEmitter, joined: LValue, pauses: bool) -> None:
    """Wait until nobody is in the job, which is closed."""
    looks = emit.alloca(LONG, 1, 8)
    emit.store(number(LONG, 0), looks, 8)
    wait, again, give, after = (
        emit.label(n) for n in ("wait", "again", "give", "after")
    )
    emit.branch(wait)
    emit.place(wait)
    inside = emit.load_atomic(joined)
    alone = emit.compare("eq", inside, number(LONG, POOL_CLOSED))
    emit.branch_if(alone, after, again)
    emit.place(again)
    _pause(emit, pauses)
    count = emit.binary("add", emit.load(LONG, looks, 8), number(LONG, 1))
    emit.store(count, looks, 8)
    low = emit.binary("and", count, number(LONG, _YIELD))
    emit.branch_if(emit.compare("eq", low, number(LONG, 0)), give, wait)
    emit.place(give)
    emit.call_thread("sched_yield")
    emit.branch(wait)
    emit.place(after)


def _emit_work(module: ModuleEmitter, pauses: bool) -> None:
    """Emit a worker; `generation` is the one it has seen, `worker` counts from 1."""
    parameters = [LlvmParameter("block", POINTER)]
    parameters += [LlvmParameter(name, LONG) for name in ("worker", "generation")]
    emit = module.function(PoolSymbol.WORK, VOID, parameters)
    block, worker, generation = emit.arguments
    seen = emit.alloca(LONG, 1, 8)
    emit.store(generation, seen, 8)
    head, ready, join = emit.label("head"), emit.label("ready"), emit.label("join")
    look, work, leave = emit.label("look"), emit.label("work"), emit.label("leave")
    emit.branch(head)
    emit.place(head)
    _wait_for_job(emit, block, emit.load(LONG, seen, 8), ready, pauses)
    emit.place(ready)
    now = emit.load_atomic(_word(emit, block, PoolWord.GENERATION))
    emit.store(now, seen, 8)
    active = emit.load_atomic(_word(emit, block, PoolWord.ACTIVE))
    emit.branch_if(emit.compare("slt", worker, active), join, head)
    emit.place(join)
    joined = _word(emit, block, PoolWord.JOINED)
    before = emit.add_atomic(joined, number(LONG, 1))
    is_open = emit.compare("slt", before, number(LONG, POOL_CLOSED))
    emit.branch_if(is_open, look, leave)
    emit.place(look)
    workers = emit.load(LONG, _word(emit, block, PoolWord.WORKERS), 8)
    emit.branch_if(emit.compare("slt", worker, workers), work, leave)
    emit.place(work)
    bytes_ = emit.load(LONG, _word(emit, block, PoolWord.BYTES), 8)
    base = emit.load(POINTER, _word(emit, block, PoolWord.SCRATCH), 8)
    scratch = emit.offset(LType("i8"), base, emit.binary("mul", worker, bytes_))
    _take_ranges(emit, block, scratch)
    emit.branch(leave)
    emit.place(leave)
    emit.add_atomic(joined, number(LONG, -1))
    emit.branch(head)


def _wait_for_job(
    emit: FunctionEmitter, block: LValue, seen: LValue, ready: str, pauses: bool
) -> None:
    """Wait until the generation is another one; go to `ready`."""
    zero, one = number(LONG, 0), number(LONG, 1)
    looks = emit.alloca(LONG, 1, 8)
    emit.store(zero, looks, 8)
    spin, again, sleep, check, wait, awake = (
        emit.label(n) for n in ("spin", "again", "sleep", "check", "wait", "awake")
    )

    def is_same() -> LValue:
        return emit.compare(
            "eq", emit.load_atomic(_word(emit, block, PoolWord.GENERATION)), seen
        )

    emit.branch(spin)
    emit.place(spin)
    emit.branch_if(is_same(), again, ready)
    emit.place(again)
    _pause(emit, pauses)
    count = emit.binary("add", emit.load(LONG, looks, 8), one)
    emit.store(count, looks, 8)
    emit.branch_if(emit.compare("slt", count, number(LONG, _SPINS)), spin, sleep)
    emit.place(sleep)
    mutex, condition = (
        _word(emit, block, PoolWord.MUTEX),
        _word(emit, block, PoolWord.CONDITION),
    )
    emit.call_thread("pthread_mutex_lock", mutex)
    emit.add_atomic(_word(emit, block, PoolWord.SLEEPERS), one)
    emit.branch(check)
    emit.place(check)
    emit.branch_if(is_same(), wait, awake)
    emit.place(wait)
    emit.call_thread("pthread_cond_wait", condition, mutex)
    emit.branch(check)
    emit.place(awake)
    emit.add_atomic(_word(emit, block, PoolWord.SLEEPERS), number(LONG, -1))
    emit.call_thread("pthread_mutex_unlock", mutex)
    emit.branch(ready)
