"""`tensorc opt`: run passes on MLIR text, as `mlir-opt` does."""

import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import rich_click as click

from tensorc import compiler
from tensorc.cli.completion import paths
from tensorc.cli.instruments import (
    AnyCommand,
    Instruments,
    MlirCommand,
    instrument_options,
    instruments_of,
    write_reproducer,
)
from tensorc.cli.options import check_output, existing_file, write_output
from tensorc.cli.terminal import show
from tensorc.cli.verify_diagnostics import mismatches
from tensorc.errors import CompileError, Diagnostic, InternalError, TensorcError
from tensorc.ir.ops.builtin import Module
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_short
from tensorc.ir.verifier import level_of, verify
from tensorc.passes.common import pipelines as pipeline
from tensorc.passes.common.base import Level, Pass

SPLIT = re.compile(r"^// -----[^\n]*\n?", re.MULTILINE)
SEPARATOR = "// -----\n"
USER_ERROR, USAGE = 1, 2


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with each module of the input."""

    path: str
    passes: tuple[Pass, ...]
    verify_each: bool
    emit: str
    instruments: Instruments
    reproducer: str


class OptCommand(MlirCommand):
    """A command to which each pass is a flag, in the order of the passes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; an option that is not there may be meant as a pass."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            message = f"{error.message} `tensorc opt --list-passes` lists the passes."
            found = error.possibilities
            raise click.NoSuchOption(error.option_name, message, found, ctx) from None

    def spell(self, argument: str, options: set[str]) -> str:
        """Return an argument as click reads it; `--cse` is a pass."""
        name = argument.lstrip("-")
        if name != argument and name in compiler.PASSES:
            return f"--pass={name}"
        return super().spell(argument, options)


def _list_passes(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    for name, pass_ in compiler.PASSES.items():
        levels = f"{pass_.reads.value} -> {pass_.writes.value}"
        click.echo(f"--{name:<14} {levels:<24} {pass_.summary}")
    ctx.exit()


# In the order of the help.
_OPTIONS = (
    click.option(
        "-o",
        "output",
        metavar="FILE",
        shell_complete=paths,
        default="-",
        help="Where to write.",
    ),
    click.option(
        "--pass-pipeline",
        metavar="PIPELINE",
        help="The passes: 'builtin.module(cse,dce)', or 'cse,dce'.",
    ),
    click.option(
        "--pass",
        "passes",
        multiple=True,
        metavar="PASS",
        help="A pass; `--cse` for short. Passes run in the order in which they stand.",
    ),
    click.option(
        "--verify-each",
        type=click.BOOL,
        default=True,
        metavar="[=false]",
        help="Verify the IR after each pass (the default), or only where a level ends.",
    ),
    click.option(
        "--split-input-file",
        is_flag=True,
        help="The input is several modules, between lines of `// -----`.",
    ),
    click.option(
        "--verify-diagnostics",
        is_flag=True,
        help="Check that the diagnostics are those of `// expected-error {{…}}`.",
    ),
    click.option(
        "--emit",
        type=click.Choice(["mlir", "short", "none"]),
        default="mlir",
        help="What to write: text that parses, short text for people, or nothing.",
    ),
    click.option(
        "--mlir-pass-pipeline-crash-reproducer",
        "reproducer",
        metavar="FILE",
        shell_complete=paths,
        default="",
        help="Where to write the IR before a pass that fails; by default a new file.",
    ),
    click.option(
        "--list-passes",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_list_passes,
        help="List the passes, with their levels.",
    ),
)


def _options(function: AnyCommand) -> AnyCommand:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("opt", cls=OptCommand)
@click.argument("file", metavar="FILE.mlir|-", shell_complete=paths, default="-")
@_options
@instrument_options
def command(
    file: str,
    output: str,
    pass_pipeline: str | None,
    passes: tuple[str, ...],
    verify_each: bool,
    split_input_file: bool,
    verify_diagnostics: bool,
    emit: str,
    reproducer: str,
    **watch: object,
) -> int:
    """Run passes on FILE.mlir, or on stdin, and print what they make of it.

    Every pass is a flag: tensorc opt a.mlir --cse --dce.
    """
    chosen = _passes(pass_pipeline, passes)
    if chosen is None:
        return USAGE
    check_output(output)
    path, text = _read(file)
    instruments = instruments_of(watch)
    instruments.keep = True
    job = Job(path, chosen, verify_each, emit, instruments, reproducer)
    modules = split(text) if split_input_file else [text]
    made, found = _run_all(modules, job)
    instruments.report()
    if verify_diagnostics:
        found = mismatches(text, path, found)
    show(found, {path: text})
    if not found or not verify_diagnostics:
        write_output(output, SEPARATOR.join(made))
    return USER_ERROR if any(d.severity == "error" for d in found) else 0


def split(text: str) -> list[str]:
    """Return the modules between lines of `// -----`, each at its lines of the file."""
    parts, start = [], 0
    for match in SPLIT.finditer(text):
        parts.append((start, text[start : match.start()]))
        start = match.end()
    parts.append((start, text[start:]))
    return ["\n" * text.count("\n", 0, start) + part for start, part in parts]


def _passes(text: str | None, flags: tuple[str, ...]) -> tuple[Pass, ...] | None:
    """Return the pipeline; None, with the message shown, if there is no such one."""
    if text is not None and flags:
        raise click.UsageError("passes are flags or a --pass-pipeline, not both")
    text = ",".join(flags) if text is None else text
    try:
        return pipeline.parse_pipeline(text, compiler.PASSES)
    except CompileError as error:
        show(error.diagnostics, {pipeline.SOURCE: text})
        return None


def _read(file: str) -> tuple[str, str]:
    """Return the name and the text of the input.

    Raises:
        TensorcError: there is no such file (TC0901), or it is not UTF-8 (TC0200).
    """
    try:
        if file == "-":
            return "<stdin>", sys.stdin.buffer.read().decode("utf-8")
        return file, Path(existing_file(file)).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = f"{file}: not UTF-8 at byte {error.start}"
        raise TensorcError(Diagnostic("TC0200", message)) from error


def _run_all(modules: list[str], job: Job) -> tuple[list[str], list[Diagnostic]]:
    """Return the texts of the modules that are right, and all diagnostics."""
    made: list[str] = []
    found: list[Diagnostic] = []
    for text in modules:
        try:
            made.append(_run(text, job))
        except InternalError as error:
            if job.instruments.last is not None:
                write_reproducer(error, job.instruments.last, job.reproducer)
            raise
        except TensorcError as error:
            found.extend(error.diagnostics)
    return made, found


def _run(text: str, job: Job) -> str:
    """Parse, verify, run and print one module."""
    module = parse_module(text, job.path)
    if not isinstance(module, Module):
        message = f"the outermost op is {module.name}, it must be a module"
        raise CompileError(Diagnostic("TC0250", message, module.location))
    verify(module)
    if job.passes:
        _verify_level(module, job.passes[0])
    module = compiler.run_passes(
        module,
        compiler.host_target(),
        job.passes,
        job.verify_each,
        job.instruments.around,
    )
    if job.emit == "none":
        return ""
    if job.emit == "short":
        return print_short(module)
    return job.instruments.print(module)


def _way_to(wanted: Pass, level: Level) -> str:
    """Return a hint at the passes that bring a module of this level to another."""
    passes = compiler.CPU
    lowering = (p for p in passes if p.reads is level and p.writes is not level)
    start = next((passes.index(p) for p in lowering), len(passes))
    same = (p for p in passes if p.reads is wanted.reads)
    stop = passes.index(wanted if wanted in passes else next(same))
    if flags := [f"--{p.name}" for p in passes[start:stop]]:
        return f"run {' '.join(flags)} first"
    flags = [f"--{p.name}" for p in compiler.PASSES.values() if p.reads is level]
    return (
        f"no pass raises a module: those of level {level.value} are {', '.join(flags)}"
    )


def _verify_level(module: Module, first: Pass) -> None:
    """Reject a module that the first pass cannot read, which is the user's mistake."""
    try:
        verify(module, first.reads)
    except TensorcError as error:
        note = f"pass '{first.name}' reads level {first.reads.value}"
        found = error.diagnostics
        try:
            level = level_of(module)
            if level is first.reads:
                raise  # it is wrong in itself
            way = _way_to(first, level)
            found = tuple([replace(d, hints=(*d.hints, way)) for d in found])
        except CompileError as mixed:  # no pass reads it, whatever runs before
            found = mixed.diagnostics
        noted = [replace(d, notes=(*d.notes, note)) for d in found]
        raise CompileError(*noted) from error
