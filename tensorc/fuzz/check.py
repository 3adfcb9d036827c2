"""What must agree, of one module with many functions.

Printed, parsed and printed again, the text is the same. The interpreter gives the same
bits before and after the passes of the TENSOR level; and so does compiled code: fused
and not, at -O0 and -O3, for vectors of any machine, in one thread and in two, and for
inputs of any layout. An index error is an error everywhere, and leaves state and inputs
as they were. Results agree with each other by the laws of `laws`, derivatives with
differences, and what the compiler computes more stably is near what was written.

Two objects are compiled of a module, which differ in fusion, in LLVM's level and in the
width of vectors; `turn` chooses which pair. All results are compared with those of the
interpreter.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from tensorc import compiler
from tensorc.errors import IndexOutOfRange
from tensorc.fuzz.laws import Laws, broken_law
from tensorc.fuzz.outcomes import (
    Compiled,
    Outcome,
    difference,
    far_apart,
    interpreted,
    updated_by,
)
from tensorc.fuzz.reference import MEANINGS
from tensorc.fuzz.slopes import FEW_STEPS, Slopes, judge
from tensorc.fuzz.values import strided
from tensorc.ir.core import Value, clone_op
from tensorc.ir.numerics import Array, same_bits
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.derivatives import DERIVATIVES
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.ir.verifier import verify
from tensorc.passes.common.base import Pass, run_pass
from tensorc.passes.tensor.ad.autodiff import AUTODIFF
from tensorc.passes.tensor.stabilize import STABILIZE
from tensorc.runtime import threads
from tensorc.target import Options, Target

ROUND_TRIP = "printed = parsed"
BUILDS = "can be built"
COMPILES = "compiles"
PASSES = "before = after the passes of the TENSOR level"
NEAR = "stabilised is near what was written"
SLOPES = "derivative = differences"
LAWS = "a law holds"
INPUTS = "inputs are not written to"


@dataclass(frozen=True, slots=True)
class Way:
    """How to compile; `vector_bits` of 0 are those of this machine.

    Other widths give the schedules of other machines, which this one can run.
    """

    level: int
    fused: bool
    vector_bits: int = 0

    @property
    def name(self) -> str:
        """How messages call it."""
        words = f"-O{self.level} {'fused' if self.fused else 'unfused'}"
        bits = f" for {self.vector_bits} bits" if self.vector_bits else ""
        return words + bits

    @property
    def target(self) -> Target:
        """The machine to compile for."""
        host = compiler.host_target()
        return replace(host, vector_bits=self.vector_bits or host.vector_bits)


# -O2 is what users have; -O3 takes twice as long, and longest where most kernels are,
# which is without fusion.
PAIRS = (
    (Way(2, True), Way(0, False, 256)),
    (Way(2, True, 512), Way(0, False, 128)),
    (Way(2, True, 256), Way(0, False)),
    (Way(3, True), Way(0, False, 256)),
    (Way(2, True, 512), Way(0, False, 128)),
    (Way(2, True, 256), Way(0, False)),
    (Way(0, True, 128), Way(2, False, 512)),
    (Way(2, True), Way(0, False, 256)),
    (Way(3, True, 512), Way(0, False, 128)),
    (Way(2, True, 256), Way(0, False)),
    (Way(0, True, 128), Way(3, False, 512)),
)
ALL_WAYS = (
    *(Way(level, fused) for level in (0, 3) for fused in (True, False)),
    *(Way(0, True, bits) for bits in (128, 256, 512)),
    Way(2, True),
)
_AT_ONCE = 0  # work above which kernels run in several threads: all of them do


@dataclass(frozen=True, slots=True)
class SubjectCall:
    """Arguments; only of moderate ones (`is_tame`) slopes are compared."""

    arguments: tuple[Array, ...]
    is_tame: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """A function of a module, and its calls."""

    name: str
    calls: tuple[SubjectCall, ...]
    slopes: Slopes | None = None
    laws: Laws = field(default_factory=Laws)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A relation that does not hold for a function; `call` is the number of a call."""

    function: str
    relation: str
    detail: str
    call: int = 0


@dataclass
class Report:
    """What a check found, and how often it looked."""

    mismatches: list[Mismatch] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class FailedModule(Exception):
    """A relation fails for a module as a whole: one of its functions is to blame."""

    def __init__(self, relation: str, detail: str) -> None:
        super().__init__(f"{relation}: {detail}")
        self.relation = relation
        self.detail = detail


Outcomes = dict[str, list[Outcome]]


def check_module(
    module: Module,
    subjects: Sequence[Subject],
    turn: int = 0,
    ways: Sequence[Way] = (),
) -> Report:
    """Check all relations; the module is used up.

    `ways` are what to compile instead of the pair of the turn.

    Raises:
        FailedModule: the module cannot be printed and parsed, or not be compiled.
    """
    report = Report()
    updated = {f.sym_name: updated_by(f) for f in module.functions}
    kept = [[a.copy() for a in c.arguments] for s in subjects for c in s.calls]
    tensor, expected = _check_passes(report, module, subjects)
    for number, way in enumerate(ways or PAIRS[turn % len(PAIRS)]):
        code = _compile(tensor, way, updated)
        _compare_code(report, subjects, expected, code, way, is_first=number == 0)
    _compare_inputs(report, subjects, kept)
    return report


def check_meaning(module: Module, subjects: Sequence[Subject]) -> Report:
    """Check what the passes of the TENSOR level do, and slopes; compile nothing.

    Raises:
        FailedModule: the module cannot be printed and parsed, or a pass fails.
    """
    report = Report()
    tensor, expected = _check_passes(report, module, subjects)
    functions = {f.sym_name: f for f in tensor.functions}
    rng = np.random.default_rng(len(subjects))
    for subject in subjects:
        if all(isinstance(o, list) for o in expected[subject.name]):

            def call(name: str, arguments: Sequence[Array]) -> Outcome:
                return interpreted(tensor, functions[name], arguments, MEANINGS)

            _compare_slopes(report, subject, call, rng, steps=FEW_STEPS)
            duals = replace(subject, laws=Laws(duals=subject.laws.duals))
            _compare_laws(report, duals, call, rng)
    return report


def _check_passes(
    report: Report, module: Module, subjects: Sequence[Subject]
) -> tuple[Module, Outcomes]:
    """Interpret a module before and after its passes; return it, and what it gives."""
    slopes = {f.sym_name for f in module.functions if _has_derivative(f)}
    before = _as_written(module, [s for s in subjects if s.name not in slopes])
    with_slopes = [s for s in subjects if s.name in slopes]
    tensor, stabilised, expanded = _at_tensor_level(module, with_slopes)
    before |= expanded
    expected = _interpret(tensor, subjects)
    for subject in subjects:
        if subject.name not in stabilised:
            _compare_passes(report, subject, before, expected)
        else:
            _compare_stable(report, subject, before, expected)
    report.counts["calls"] += sum(len(s.calls) for s in subjects)
    errors = [o for given in expected.values() for o in given]
    report.counts["index errors"] += sum(isinstance(o, IndexOutOfRange) for o in errors)
    return tensor, expected


def _as_written(module: Module, subjects: Sequence[Subject]) -> Outcomes:
    """Interpret functions of the module printed and parsed."""
    text = print_module(module)
    with _module_fails(ROUND_TRIP):
        again = parse_module(text)
        assert isinstance(again, Module)
        assert print_module(again) == text, "the text of what was parsed is another"
    return _interpret(again, subjects)


def _has_derivative(function: Function) -> bool:
    return any(isinstance(op, DERIVATIVES) for op in function.walk())


def _at_tensor_level(
    module: Module, with_slopes: Sequence[Subject]
) -> tuple[Module, set[str], Outcomes]:
    """Run the passes of the TENSOR level; tell which functions were stabilised.

    What `stabilize` changes has other bits by intent. What a derivative is, bit for
    bit, follows from the program in which equal ops are one: functions with derivatives
    are interpreted behind `autodiff`, and that is returned, too.
    """
    changed: set[str] = set()
    expanded: Outcomes = {}

    def watch(pass_: Pass, module: Module, target: Target) -> Module:
        written = _structure(module) if pass_ is STABILIZE else {}
        module = _verified(pass_, module, target)
        if pass_ is STABILIZE:
            after = _structure(module)
            changed.update(
                f.sym_name
                for f in module.functions
                if after[f.sym_name] != written[f.sym_name] and not _has_derivative(f)
            )
        if pass_ is AUTODIFF:
            expanded.update(_interpret(module, with_slopes))
        return module

    with _module_fails(COMPILES):
        host = compiler.host_target()
        made = compiler.compile(module, host, upto="tensor", around=watch)
        module = made.module
    return module, changed, expanded


def _verified(pass_: Pass, module: Module, target: Target) -> Module:
    """Run a pass and verify what it makes."""
    made = run_pass(pass_, module, target)
    verify(made, pass_.writes)
    return made


def _structure(module: Module) -> dict[str, list[tuple[str, list[int]]]]:
    """Return the ops of each function, and what each one reads: values are numbered.

    Counts of ops are not enough: softplus(-|x|) + (max(x, 0) + 0) and softplus(x) + 0
    may have the same ones, when the parts are results, too.
    """
    found: dict[str, list[tuple[str, list[int]]]] = {}
    for function in module.functions:
        numbers: dict[Value, int] = {}
        found[function.sym_name] = [
            (op.name, [numbers.setdefault(v, len(numbers)) for v in op.operands])
            for op in function.walk()
        ]
    return found


def _interpret(module: Module, subjects: Sequence[Subject]) -> Outcomes:
    functions = {f.sym_name: f for f in module.functions}
    return {
        s.name: [
            interpreted(module, functions[s.name], call.arguments, MEANINGS)
            for call in s.calls
        ]
        for s in subjects
    }


def _compare_passes(
    report: Report, subject: Subject, before: Outcomes, after: Outcomes
) -> None:
    pairs = zip(before[subject.name], after[subject.name], strict=True)
    for number, (left, right) in enumerate(pairs):
        if isinstance(left, IndexOutOfRange) and not isinstance(right, IndexOutOfRange):
            continue  # what read there turned out not to be needed
        if detail := difference(left, right):
            report.mismatches.append(Mismatch(subject.name, PASSES, detail, number))


def _compare_stable(
    report: Report, subject: Subject, before: Outcomes, after: Outcomes
) -> None:
    """Compare what `stabilize` changed where neither form loses much."""
    pairs = zip(before[subject.name], after[subject.name], strict=True)
    for number, (left, right) in enumerate(pairs):
        if subject.calls[number].is_tame and (detail := far_apart(left, right)):
            report.mismatches.append(Mismatch(subject.name, NEAR, detail, number))
        report.counts["stabilised"] += 1


def _compile(
    tensor: Module, way: Way, updated: Mapping[str, Sequence[int]]
) -> Compiled:
    copy = clone_op(tensor, {})
    assert isinstance(copy, Module)
    options = Options(way.level, way.fused, _AT_ONCE, epochs=False)
    with _module_fails(COMPILES):
        made = compiler.compile(copy, way.target, options, after="tensor")
        return Compiled(made.artifact, updated)


def _compare_code(
    report: Report,
    subjects: Sequence[Subject],
    expected: Outcomes,
    code: Compiled,
    way: Way,
    is_first: bool,
) -> None:
    """Call compiled code in one thread and in two, and compare with what is expected.

    Of the first object of a module also inputs of other layouts, and slopes.
    """
    rng = np.random.default_rng(len(subjects))
    wrong: set[str] = set()
    for count in (1, 2):
        shared = threads.jobs()
        with _thread_count(count):
            words = f"{way.name}, {count} thread{'s' if count > 1 else ''}"
            for subject in subjects:
                if subject.name in wrong:
                    continue  # known by one thread: not a matter of two
                found = _compare_calls(
                    subject, expected, code, f"interpreted = {words}"
                )
                if count == 1 and is_first:
                    strides = f"contiguous = strided inputs at {way.name}"
                    found = found or _compare_calls(
                        subject, expected, code, strides, rng
                    )
                wrong.update(m.function for m in found)
                report.mismatches += found
                if count == 1 and is_first and not found:
                    _compare_slopes(report, subject, code.call, rng)
                    _compare_laws(report, subject, code.call, rng)
        report.counts["jobs of two threads"] += threads.jobs() - shared


def _compare_calls(
    subject: Subject,
    expected: Outcomes,
    code: Compiled,
    relation: str,
    rng: np.random.Generator | None = None,
) -> list[Mismatch]:
    """Return the first call that gives other results; `rng` makes inputs strided."""
    for number, call in enumerate(subject.calls):
        given = (
            call.arguments if rng is None else [strided(a, rng) for a in call.arguments]
        )
        outcome = code.call(subject.name, given)
        detail = difference(expected[subject.name][number], outcome)
        if detail:
            return [Mismatch(subject.name, relation, detail, number)]
    return []


def _compare_slopes(
    report: Report,
    subject: Subject,
    call: Callable[[str, Sequence[Array]], Outcome],
    rng: np.random.Generator,
    **how: Sequence[float],
) -> None:
    slopes = subject.slopes
    if slopes is None:
        return
    for number, given in enumerate(subject.calls):
        if not given.is_tame:
            continue

        def cost(arguments: list[Array]) -> Outcome:
            return call(subject.name, arguments)

        verdict = judge(cost, given.arguments, slopes, rng, **how)
        report.counts["slopes"] += 1
        report.counts["sharp slopes"] += verdict.is_sharp
        if verdict.wrong:
            found = Mismatch(subject.name, SLOPES, verdict.wrong, number)
            report.mismatches.append(found)


def _compare_laws(
    report: Report,
    subject: Subject,
    call: Callable[[str, Sequence[Array]], Outcome],
    rng: np.random.Generator,
) -> None:
    laws = subject.laws
    if laws == Laws():
        return
    report.counts["twins"] += len(laws.twins)
    report.counts["by rows"] += laws.rows is not None
    report.counts["both directions"] += len(laws.duals)

    def outcome(arguments: list[Array]) -> Outcome:
        return call(subject.name, arguments)

    for number, given in enumerate(subject.calls):
        own = laws if given.is_tame else replace(laws, duals=())
        if detail := broken_law(outcome, given.arguments, own, rng):
            report.mismatches.append(Mismatch(subject.name, LAWS, detail, number))
            return


def _compare_inputs(
    report: Report, subjects: Sequence[Subject], kept: Sequence[Sequence[Array]]
) -> None:
    calls = [(s, i, c) for s in subjects for i, c in enumerate(s.calls)]
    for (subject, number, call), copies in zip(calls, kept, strict=True):
        pairs = zip(call.arguments, copies, strict=True)
        if not all(same_bits(a, b) for a, b in pairs):
            detail = "an input has changed"
            report.mismatches.append(Mismatch(subject.name, INPUTS, detail, number))


@contextmanager
def _module_fails(relation: str) -> Iterator[None]:
    """Turn whatever goes wrong into `FailedModule`."""
    try:
        yield
    except Exception as error:
        detail = f"{type(error).__name__}: {error}"
        raise FailedModule(relation, detail) from error


@contextmanager
def _thread_count(count: int) -> Iterator[None]:
    try:
        threads.use(count)
        yield
    finally:
        threads.use(None)
