"""What a file becomes: its IR at each stage, code, and what its kernels do."""

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tensorc import driver
from tensorc.api import inspection
from tensorc.errors import CompileError, Diagnostic
from tensorc.frontend.dsl.programs import program as source
from tensorc.frontend.dsl.programs.program import UNKNOWN_NAME
from tensorc.frontend.dsl.syntax.source_file import read_file
from tensorc.frontend.library.mistakes import door
from tensorc.target import CHOSEN

if TYPE_CHECKING:
    from tensorc.compiler import Around
    from tensorc.ir.ops.builtin import Module


@door
def emit(
    path: str,
    stage: str,
    function: str | None,
    settings: Mapping[str, str],
    optimize: int | None = None,
    around: "Around | None" = None,
    default_float: str = "f32",
    locations: bool = False,
) -> str | bytes:
    """Return a stage of a file: ast, tensor, structured, buffer, loop, llvm, asm, obj.

    `function` restricts it to one function or step. Without `optimize` the level is
    that of `tc.options`. `around` runs each pass
    (`passes.common.base.run_pass`, say), and then nothing is taken from the cache.
    `locations` adds the location in the file to each op of IR.
    """
    inspection.check_stage(stage, inspection.FILE_STAGES)
    if stage == "ast":
        from tensorc.frontend.dsl import reading

        return reading.syntax(read_file(path, settings, default_float))
    chosen = CHOSEN.get()
    options = chosen if optimize is None else replace(chosen, optimize=optimize)
    module = module_of(path, function, settings, default_float)
    if stage != "obj":
        return inspection.emit(module, stage, options, around, locations)
    target = driver.host_target()
    if around is None:
        return driver.compile_module(module, target, options).object
    from tensorc import compiler

    return compiler.compile(module, target, options, "obj", around).artifact.object


def explain(
    path: str,
    function: str | None,
    settings: Mapping[str, str],
    sizes: Mapping[str, int],
    default_float: str = "f32",
) -> str:
    """Return what the kernels of a file, or of one function or step of it, do and why.

    The arguments are those of `emit`; `sizes` are numbers for sizes of the arguments.
    """
    make = functools.partial(module_of, path, function, settings, default_float)
    return inspection.explain(inspection.View(make, CHOSEN.get(), sizes))


def module_of(
    path: str,
    function: str | None,
    settings: Mapping[str, str],
    default_float: str = "f32",
) -> "Module":
    """Return the module of a file, or of one function or step of it."""
    from tensorc.frontend.dsl import reading

    program = reading.parsed(read_file(path, settings, default_float))
    if function is not None and function not in program.entries:
        known = ", ".join(program.entries)
        message = f"{path} has no function '{function}' with typed arguments"
        hint = f"there are {known}" if known else "give its arguments types"
        raise CompileError(Diagnostic(UNKNOWN_NAME, message, hints=(hint,)))
    return program.emit(None if function is None else [function])


def plain(text: str, name: str) -> source.PlainValue:
    """Return the value of an expression of numbers and lists: `[1, 2.5]`.

    `name` stands for the text in messages. Raises `CompileError` if it is wrong.
    """
    from tensorc.frontend.dsl import reading

    return reading.plain(text, name)
