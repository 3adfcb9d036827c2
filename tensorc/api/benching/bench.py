"""How long a function takes, kernel by kernel, beside what the machine can do at most.

    tc.bench(f, x, W)           # time, GFLOP/s, GB/s and share of the limit
    tc.bench(f, B=500)          # of arrays that are drawn, of these sizes
    tc.bench(f, x, W).save_trace("trace.json")

A call is compiled anew so that it writes when each launch began and ended. It has
shared variables of its own, with the values of those of the function.
"""

from collections.abc import Mapping
from dataclasses import replace

from tensorc import abi
from tensorc.api.benching.drawing import symbols_of_call
from tensorc.api.benching.measuring import SECONDS, Subject, measure
from tensorc.api.benching.result import Bench
from tensorc.api.benching.timed import compile_timed
from tensorc.api.inspection import Call, Costed
from tensorc.api.plans import bound_to
from tensorc.api.program import Program
from tensorc.errors import Diagnostic, TensorcError
from tensorc.frontend.library.mistakes import argument_error, outside, usage_error
from tensorc.frontend.python.describing import describe, plain_number
from tensorc.ir.captured import take_values
from tensorc.runtime.signature import make_signature


@outside("bench would call the function")
def bench(
    function: Costed, /, *args: object, seconds: float = SECONDS, **named: object
) -> Bench:
    """Measure a function: what each kernel takes, and what the machine could do.

    Args:
        function: a `tc.function`, a traced function or step, or one of a `.tc` file.
        args: the arguments of a call. Without them inputs are drawn: floats from 0 to
            1, and integers that are in range.
        seconds: about how long calls are repeated.
        named: arguments by name, and sizes of inputs that are drawn: `B=500`.

    Raises:
        TypeError: it is no such function, or the arguments do not fit.
        TensorcError: a size of drawn inputs lacks (TC0904).
    """
    if not isinstance(function, Costed):
        message = f"bench takes a compiled function, got {describe(function)}"
        raise usage_error(message, "compile it: tc.bench(tc.jit(f), x)")
    limit = plain_number(seconds)
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        message = f"seconds is a number, got {describe(seconds)}"
        raise usage_error(message, "tc.bench(f, x, seconds=0.5)")
    if not 0 < limit < float("inf"):
        raise argument_error(f"seconds is above 0, got {seconds}")
    return measure(_subject(function.call_of(args, named)), float(limit))


def bench_of_program(
    program: Program, name: str, sizes: Mapping[str, int], seconds: float = SECONDS
) -> Bench:
    """Measure a function or step of a file, with inputs that are drawn.

    Raises:
        TensorcError: there is no such function, or the sizes do not fit (TC0904).
    """
    functions = program.functions
    if name not in functions.source.entries:
        names = ", ".join(functions.source.entries) or "none whose arguments have types"
        message = f"{program.path}: there is no function or step '{name}'"
        if not name:
            message = f"{program.path}: say which function or step: FILE.tc::NAME"
        raise TensorcError(Diagnostic("TC0904", message, hints=(f"there are {names}",)))
    view = functions.view([name], sizes)
    call = Call(view, program.shared, functions.hypers(), None)
    return measure(_subject(call), seconds)


def _subject(call: Call) -> Subject:
    """Return a call with its function compiled anew, so that kernels are timed."""
    module = call.view.make()
    captured = take_values(module)
    if call.inputs is None:  # before it is compiled
        (function,) = module.functions
        shapes = {name: cell.shape for name, cell in call.shared.items()}
        known = make_signature(abi.signature(function), shapes)
        symbols_of_call(known, call.view.sizes)
    code = compile_timed(module, call.view.options)
    (timed,) = code.functions
    timed = replace(timed, info=bound_to(timed.info, captured))
    view, shared = call.view, call.shared
    return Subject(timed, code.library, shared, call.hypers, call.inputs, view.sizes)
