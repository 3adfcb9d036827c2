"""Functions whose kernels are timed: code, and what each launch of it is a part of.

Kernels are those of `tensorc explain`, with its numbers. The passes down to memory keep
their order, so that those of the STRUCTURED level and the ops that they become on
memory are pairs; these have numbers (`NUMBER`), which the launches take over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tensorc import compiler, driver
from tensorc.api.kernel_words import element_of, lines_of, members_of, words
from tensorc.artifact import FunctionInfo
from tensorc.compiler import Level
from tensorc.errors import InternalError
from tensorc.ir.core import Op
from tensorc.ir.dims import Dim, elements
from tensorc.ir.ops.builtin import Call, Function, Module
from tensorc.ir.ops.control import If, KernelGroup
from tensorc.ir.ops.memory.kernels import (
    NUMBER,
    CheckIndexInto,
    CumulateInto,
    Launch,
    ScatterInto,
)
from tensorc.ir.ops.memory.memory import Copy
from tensorc.ir.ops.memory.rows import OrderInto, SearchInto
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.schedules import schedule_of
from tensorc.passes.analysis.cost import (
    KERNELS,
    body_size,
    copied,
    flops_of_kernel,
    is_function,
)
from tensorc.passes.analysis.generics import tensor_space
from tensorc.passes.analysis.in_place import as_sunk, updates_of
from tensorc.passes.analysis.traffic import read_by, size_of, written_by
from tensorc.passes.common.base import Pass
from tensorc.runtime.cpu import Library
from tensorc.target import Options, Target

# What a kernel becomes on memory.
_BECOMES = (
    KernelGroup,
    Call,
    CheckIndexInto,
    ScatterInto,
    CumulateInto,
    OrderInto,
    SearchInto,
)


@dataclass(frozen=True, slots=True)
class Share:
    """A member of a kernel: the lines it comes from, and about how much it computes."""

    lines: tuple[str, ...]
    weight: Dim


@dataclass(frozen=True, slots=True)
class Work:
    """What some launches do together, each time: a kernel, or all of a loop.

    `number` is that of `tensorc explain` ("3", of a loop "2-4"), "" for copies that the
    compiler makes. `flops` and `bytes` are formulas of the sizes of the call, of one of
    the `steps` of a loop; `element` is the type whose arithmetic limits it.
    """

    number: str
    source: str
    computes: str
    flops: Dim
    bytes: Dim
    element: str
    shares: tuple[Share, ...]
    steps: Dim = 1


@dataclass(frozen=True, slots=True)
class TimedFunction:
    """A compiled function, what it does, and for each of its launches the work."""

    info: FunctionInfo
    works: tuple[Work, ...]
    owners: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TimedCode:
    """The functions of a module, compiled so that calls write when launches ran."""

    library: Library
    functions: tuple[TimedFunction, ...]


@dataclass
class _Watch:
    """What is learned of each function on the way through the passes."""

    ends: dict[str, Level]
    kernels: dict[str, list[Work]] = field(default_factory=dict)
    copies: dict[str, list[Work]] = field(default_factory=dict)
    works: dict[str, list[Work]] = field(default_factory=dict)
    owners: dict[str, list[int]] = field(default_factory=dict)

    def __call__(self, pass_: Pass, module: Module, target: Target) -> Module:
        """Run a pass; look at what it made where a level ends."""
        made = compiler.run_pass(pass_, module, target)
        level = self.ends.get(pass_.name)
        if level is Level.STRUCTURED:
            for function in made.functions:
                name = function.sym_name
                self.kernels[name] = _kernels(function)
                self.copies[name] = _copies(function, len(self.kernels[name]))
        elif level is Level.BUFFER:
            for function in made.entries:
                name = function.sym_name
                found = _numbered(function, self.kernels[name], self.copies[name])
                self.works[name] = found
        elif level is Level.LOOP:
            for function in made.functions:
                if function.sym_name in self.works:
                    self.owners[function.sym_name] = _owners(function)
        return made


def compile_timed(module: Module, options: Options) -> TimedCode:
    """Compile a TENSOR module, past the cache; the module is used up."""
    options = replace(options, timed=True)
    below = (Level.STRUCTURED, Level.BUFFER, Level.LOOP)
    ends = {compiler.passes_of(level, options)[-1].name: level for level in below}
    watch = _Watch(ends)
    target = driver.host_target()
    artifact = compiler.compile(module, target, options, "obj", watch).artifact
    functions = [
        TimedFunction(
            info, tuple(watch.works[info.name]), tuple(watch.owners[info.name])
        )
        for info in artifact.functions
    ]
    return TimedCode(driver.link(artifact), tuple(functions))


def _kernels(function: Function) -> list[Work]:
    """Return the work of each kernel, in the order in which they stand on memory."""
    order = [op for op in function.walk() if isinstance(op, KERNELS)]
    numbers = {op: str(i) for i, op in enumerate(order)}
    ops = as_sunk(function.body.block, updates_of(function))
    return [_work(op, numbers[op]) for op in ops if isinstance(op, KERNELS)]


def _work(kernel: Op, number: str) -> Work:
    members = members_of(kernel)
    moved: Dim = 0
    for _, size in (*read_by(kernel), *written_by(kernel)):
        moved = moved + size
    computes = ", ".join(_heavy(members))
    shares = tuple([_share(member) for member in members])
    flops, element = flops_of_kernel(kernel), element_of(members)
    return Work(number, lines_of(members), computes, flops, moved, element, shares)


def _heavy(members: Sequence[Op]) -> list[str]:
    """Return what a kernel does that takes long; if that is nothing, all it does."""
    found: dict[str, None] = {}
    for member in members:
        if isinstance(member, Generic) and not member.reductions:
            inside = [op for op in member.body.block.ops if is_function(op)]
            found.update((op.name.partition(".")[2], None) for op in inside)
        else:
            found[words(member)] = None
    return list(found or dict.fromkeys(map(words, members)))


def _share(member: Op) -> Share:
    places = {
        f"{op.location.file}:{op.location.line}": None
        for op in member.walk()
        if op.location.line
    }
    points: Dim = 1
    if isinstance(member, Generic):
        points = elements(tensor_space(member)) * body_size(member)
    return Share(tuple(places), points)


def _copies(function: Function, first: int) -> list[Work]:
    """Return the work of each copy of a result, numbered behind the kernels."""
    found = []
    for number, value in enumerate(copied(function), first):
        source = lines_of([] if value.op is None else [value.op])
        moved = 2 * size_of(value)
        found.append(Work(str(number), source, "copy", 0, moved, "f32", ()))
    return found


def _numbered(
    function: Function, kernels: Sequence[Work], copies: Sequence[Work]
) -> list[Work]:
    """Number the ops on memory that become launches; return the work of each."""
    found: list[Work] = []
    given, block = iter(kernels), function.body.block
    last = block.ops[_first_commit(block.ops) :]
    ends = iter([op for op in last if isinstance(op, Copy)])
    outputs = dict(zip(ends, copies, strict=False))
    inside: set[Op] = set()  # what is a part of one kernel of all steps of a loop
    for op in function.walk():
        if op in inside:
            continue
        if isinstance(op, Scan) and schedule_of(op) is not None:
            inner = list(op.walk())[1:]
            inside.update(inner)
            taken = [next(given) for o in inner if isinstance(o, _BECOMES)]
            work = _whole(op, taken)
        elif isinstance(op, _BECOMES):
            work = next(given)
        elif isinstance(op, Copy):
            work = outputs.get(op, _copy(op))
        elif isinstance(op, Scan | If):
            work = _copy(op)
        else:
            continue
        op.attributes[NUMBER] = len(found)
        found.append(work)
    if next(given, None) is not None:
        raise InternalError("a kernel has no op on memory", "bench")
    return found


def _first_commit(ops: Sequence[Op]) -> int:
    """Return where the copies begin that end a function."""
    kernels = [i for i, op in enumerate(ops) if isinstance(op, (*_BECOMES, Scan, If))]
    return kernels[-1] + 1 if kernels else 0


def _copy(op: Op) -> Work:
    """Return the work of a copy that the compiler makes, of which no size is known."""
    return Work("", lines_of([op]), "copy", 0, 0, "f32", ())


def _whole(op: Scan, works: Sequence[Work]) -> Work:
    """Return the work of all steps of a loop."""
    flops: Dim = 0
    moved: Dim = 0
    for work in works:
        flops, moved = flops + work.flops, moved + work.bytes
    numbers = sorted([int(work.number) for work in works])
    shares = tuple([share for work in works for share in work.shares])
    computes = f"loop: {'; '.join(dict.fromkeys(work.computes for work in works))}"
    return Work(
        f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else str(numbers[0]),
        "; ".join(dict.fromkeys(work.source for work in works)),
        computes,
        flops,
        moved,
        "f64" if any(work.element == "f64" for work in works) else "f32",
        shares,
        op.steps,
    )


def _owners(function: Function) -> list[int]:
    """Return the number that each launch of a function took over."""
    found = []
    for op in function.walk():
        if isinstance(op, Launch):
            number = op.attributes.get(NUMBER)
            if not isinstance(number, int):
                raise InternalError("a launch is of no kernel", "bench")
            found.append(number)
    return found
