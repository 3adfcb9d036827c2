"""What a pass is: a named function from one level of the IR to another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tensorc.ir.levels import Level as Level
from tensorc.ir.ops.builtin import Module
from tensorc.target import Target


@dataclass(frozen=True, slots=True)
class Pass:
    """A transformation of a module.

    `run` may change the module that it is given and returns the module to go on with.
    `name` is the spelling on the command line, in kebab-case; `doc` is the docstring of
    the module that holds the pass.
    """

    name: str
    reads: Level
    writes: Level
    run: Callable[[Module, Target], Module]
    doc: str | None = None

    @property
    def summary(self) -> str:
        """The first sentence of the docs, on one line."""
        return " ".join((self.doc or "").strip().partition("\n\n")[0].split())


# Runs a pass and returns its module; may look at the module before and after.
Around = Callable[[Pass, Module, Target], Module]


def run_pass(pass_: Pass, module: Module, target: Target) -> Module:
    """Run a pass, and do nothing else: the plain `Around`."""
    return pass_.run(module, target)


def check_pipeline(passes: Sequence[Pass], start: Level = Level.TENSOR) -> Level:
    """Return the level that a pipeline ends at; ValueError if passes do not fit."""
    level = start
    for pass_ in passes:
        if pass_.reads != level:
            raise ValueError(
                f"pass '{pass_.name}' reads level {pass_.reads.value}, "
                f"the pipeline is at {level.value}"
            )
        level = pass_.writes
    return level
