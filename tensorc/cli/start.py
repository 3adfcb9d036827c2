"""Whose params a verb calls functions with: those of `--init`, or the file's."""

import sys
from collections.abc import Iterable
from pathlib import Path

from tensorc.api import program as api
from tensorc.cli.terminal import show
from tensorc.errors import Diagnostic
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.training.checkpoint import tell_source


def restore(program: "api.Program", init: str | None) -> None:
    """Set the params to those of `--init`, if it is given, and say whose they are."""
    if init is None:
        return
    program.restore(init)
    names = [recipe.name for recipe in program.fits]
    source = tell_source(Path(init), program.shared, names)
    print(f"params of {source}", file=sys.stderr, flush=True)


def warn_untrained(
    program: "api.Program", functions: Iterable[CompiledFunction], init: str | None
) -> None:
    """Warn where `fit` trains params of the functions, and none are given."""
    if init is not None or not program.fits:
        return
    params = {m.name for m in program.functions.source.memories if m.kind == "param"}
    read = {
        argument.name
        for function in functions
        for argument in function.info.arguments
        if argument.kind == "shared"
    }
    untrained = [name for name in program.shared if name in params & read]
    if not untrained:
        return
    names = ", ".join(untrained[:6]) + (", …" if len(untrained) > 6 else "")
    message = f"params are untrained: {names}"
    hint = "give the params of a run: --init DIR, as `train --save DIR` wrote it"
    show([Diagnostic("TC0606", message, hints=(hint,), severity="warning")])
