"""What the Python doors show of a function: its stages, its kernels, what it costs.

    predict.emit("asm")         # the text of a stage
    predict.explain()           # what `tensorc explain` prints
    predict.cost(B=600).flops   # 9414000; without B the formula 15690*B

The compiler is loaded when one of them is asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tensorc.errors import TensorcError, did_you_mean
from tensorc.frontend.library.mistakes import argument_error, door, usage_error
from tensorc.frontend.python.describing import describe, whole_number
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.shared import SharedCell
from tensorc.tables import html_of, preformatted
from tensorc.target import Options

if TYPE_CHECKING:
    from tensorc.api.report import Cost
    from tensorc.ir.ops.builtin import Module
    from tensorc.passes.common.base import Around

# "graph" is what a front end made, before all passes.
STAGES = ("graph", "tensor", "structured", "buffer", "loop", "llvm", "asm")
FILE_STAGES = ("ast", *STAGES[1:], "obj")  # what a file is written as


class Text(str):
    """A text that shows its lines, also where Python or a notebook shows a value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return preformatted(self)


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at: how to make its module, which compiling uses up.

    `sizes` are those of the arguments that were given, by name.
    """

    make: "Callable[[], Module]"
    options: Options
    sizes: Mapping[str, int] = field(default_factory=dict)


class Inspected:
    """Functions and programs that can be looked at."""

    __slots__ = ()

    # Each kind has its own: what to look at, given the arguments of a call and sizes.
    _view: Callable[[tuple[object, ...], Mapping[str, object]], View]

    @door
    def emit(self, stage: str = "tensor", *args: object, **named: object) -> str:
        """Return the text of a stage: graph, tensor … loop, llvm, asm.

        "graph" is what was written, before all passes. A traced function takes the
        arguments of a call; without them it is that of the last new form.

        Raises:
            ValueError: there is no such stage.
        """
        check_stage(stage, STAGES)
        view = self._view(args, named)
        return emit(view.make(), stage, view.options)

    @door
    def explain(self, *args: object, **named: object) -> str:
        """Return what each kernel does, reads, writes and costs, and why it ends.

        It is the text of `tensorc explain`. Names of sizes are numbers to count with:
        `explain(B=600)`. A traced function takes the arguments of a call, too, whose
        sizes are counted with; without them it is about the last new form.

        Raises:
            TensorcError: no argument has a size of this name.
        """
        return explain(self._view(args, named))


@dataclass(frozen=True, slots=True)
class Call:
    """A call to be measured: what to look at, what it is bound to, its values.

    Without `inputs` they are drawn, in the sizes of the view.
    """

    view: View
    shared: Mapping[str, SharedCell]
    hypers: Mapping[str, bool | int | float]
    inputs: Sequence[object] | None


class Costed(Inspected):
    """Functions, which have a cost each."""

    __slots__ = ()

    # Each kind has its own: the call of these arguments, by order and by name; names
    # of no arguments are sizes of inputs that are drawn.
    call_of: Callable[[tuple[object, ...], Mapping[str, object]], Call]

    @door
    def cost(self, *args: object, **named: object) -> "Cost":
        """Return what a call costs: kernels, flops, bytes that they move, arena.

        These are formulas ("15690*B") of the sizes that are not given: by name as in
        `cost(B=600)`, or for a traced function by the arguments of a call.

        Raises:
            TensorcError: no argument has a size of this name.
        """
        from tensorc.api import report

        view = self._view(args, named)
        (cost,) = report.costs(*_lowered(view), view.sizes)
        return cost

    def _repr_html_(self) -> str:
        """Return tables for a notebook: what the function takes, gives and costs."""
        from tensorc.api import summaries

        try:
            (function,) = self._view((), {}).make().functions
            cost = self.cost()
        except TensorcError:  # a traced function that has no form yet
            return html_of(repr(self), [])
        return html_of(repr(self), summaries.parameters(function, cost.spelled()))


def explain(view: View) -> str:
    """Return what the kernels of a module do and why, for people."""
    from tensorc.api import report

    return Text(report.report(*_lowered(view), view.sizes))


def _lowered(view: View) -> "tuple[Module, Module]":
    """Return a module at the levels that a report reads: STRUCTURED and BUFFER."""
    from tensorc import compiler, driver

    target = driver.host_target()
    module = compiler.compile(view.make(), target, view.options, "structured").module
    lower = compiler.compile(view.make(), target, view.options, "buffer").module
    return module, lower


def emit(
    module: "Module",
    stage: str,
    options: Options,
    around: "Around | None" = None,
    locations: bool = False,
) -> str:
    """Return the text of one of `STAGES`; the module is used up.

    `around` runs each pass (`passes.common.base.run_pass`, say); `locations` adds that
    of each op in the file.
    """
    from tensorc import compiler, driver
    from tensorc.ir.text.printer import print_module

    if stage == "graph":
        return Text(print_module(module, locations=locations))
    run = around or compiler.run_pass
    made = compiler.compile(module, driver.host_target(), options, stage, run)
    return Text(made.text(locations))


def refuse_arguments(args: Sequence[object]) -> None:
    """Raise a TypeError for arguments of a function that has its types."""
    if args:
        message = "the types are known, so only sizes are given, and by name; "
        raise usage_error(f"{message}got {describe(args[0])}", "f.cost(B=600)")


def check_stage(stage: object, known: Sequence[str]) -> None:
    """Raise a ValueError, with what may have been meant, for an unknown stage."""
    if stage in known:
        return
    if not isinstance(stage, str):
        raise usage_error(f"a stage is a text, got {describe(stage)}")
    meant = did_you_mean(stage, known, "'{}'")
    message = f"there is no stage {stage!r:.40}: one of {', '.join(known)}"
    raise argument_error(message, *filter(None, [meant]))


def sizes_of_call(
    function: CompiledFunction, values: Sequence[object]
) -> dict[str, int]:
    """Return the sizes of a call, by name. Raises ShapeError, as the call does."""
    from tensorc.ir.dims import VALUE

    arrays, _ = function.signature.collect(values, {})
    found = function.bind(arrays).symbols
    names = [name.removeprefix(VALUE) for name in function.info.symbols]
    return dict(zip(names, found, strict=True))


def sizes_of(named: Mapping[str, object]) -> dict[str, int]:
    """Return sizes that are given by name; a TypeError for what is none."""
    sizes: dict[str, int] = {}
    for name, given in named.items():
        size = whole_number(given)
        if size is None:
            message = f"the size {name} must be an integer, got {describe(given)}"
            raise usage_error(message, f"{name}=600")
        if size < 0:
            raise argument_error(f"the size {name} is 0 or more, got {size}")
        sizes[name] = size
    return sizes
