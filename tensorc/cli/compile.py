"""`tensorc compile`: any stage of a file, as text or object code."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import rich_click as click

from tensorc.api import stages
from tensorc.api.inspection import FILE_STAGES
from tensorc.cli.completion import paths
from tensorc.cli.instruments import (
    Instruments,
    MlirCommand,
    instrument_options,
    instruments_of,
    write_reproducer,
)
from tensorc.cli.options import (
    check_output,
    float_option,
    optimize_option,
    path_option,
    settings_option,
    split_name,
    write_output,
)
from tensorc.errors import InternalError, did_you_mean

# Where mlir-opt splits its input, so that several stages can be told apart.
_SEPARATOR = "// -----\n"


@dataclass(frozen=True, slots=True)
class Output:
    """A stage to write, and where to; "-" is stdout."""

    stage: str
    path: str


_SHORT = "pipe IR into the command that writes it: … | tensorc opt - --emit=short"


def parse_emit(emit: str, output: str | None, stem: str) -> list[Output]:
    """Return the outputs that `--emit=stage[=PATH],…` and `-o` ask for.

    Text goes to stdout and object code to `stem`.o where no path is given.

    Raises:
        click.BadParameter: a stage is unknown, or one path would get several stages.
    """
    outputs = []
    for item in emit.split(","):
        stage, _, path = item.strip().partition("=")
        if stage not in FILE_STAGES:
            known = f"one of {', '.join(FILE_STAGES)}"
            hint = did_you_mean(stage, FILE_STAGES, "'{}'") or known
            hint = _SHORT if stage == "short" else hint
            raise click.BadParameter(f"no stage '{stage}': {hint}", param_hint="--emit")
        default = f"{stem}.o" if stage == "obj" else "-"
        outputs.append(Output(stage, path or output or default))
    paths = [o.path for o in outputs if o.path != "-"]
    if len(set(paths)) < len(paths):
        twice = next(p for p in paths if paths.count(p) > 1)
        detail = f"several stages would be written to '{twice}'; give each its path"
        raise click.BadParameter(detail, param_hint="-o" if output else "--emit")
    return outputs


@click.command("compile", cls=MlirCommand)
@click.argument("file", metavar="FILE.tc[::NAME]", shell_complete=paths)
@click.option(
    "--emit",
    default="obj",
    metavar="STAGE[=PATH],…",
    help=f"What to write: {', '.join(FILE_STAGES)}.",
)
@path_option("-o", "output", metavar="FILE", help="Where to write it; - is stdout.")
@instrument_options
@settings_option
@float_option
@optimize_option
def command(
    file: str,
    emit: str,
    output: str | None,
    settings: dict[str, str],
    default_float: str,
    optimize: int,
    **watch: object,
) -> None:
    """Compile FILE.tc, or one function or step of it, and write any stage."""
    path, function = split_name(file)
    outputs = parse_emit(emit, output, Path(path).stem)
    for wanted in outputs:
        check_output(wanted.path, path)
    emit_stage = partial(
        stages.emit,
        path,
        function=function or None,
        settings=settings,
        optimize=optimize,
        default_float=default_float,
    )
    printed = False
    for wanted in outputs:
        content = _emit(emit_stage, wanted.stage, instruments_of(watch))
        if isinstance(content, str) and not content.endswith("\n"):
            content += "\n"
        if wanted.path == "-" and printed:
            write_output("-", _SEPARATOR)
        printed = printed or wanted.path == "-"
        write_output(wanted.path, content)
        if output is None and wanted.path == f"{Path(path).stem}.o":
            print(f"wrote {wanted.path}: {len(content):,} bytes", file=sys.stderr)


def _emit(
    emit_stage: Callable[..., str | bytes], stage: str, instruments: Instruments
) -> str | bytes:
    """Return a stage; a pass that fails leaves a reproducer."""
    around = instruments.around if instruments.active else None
    try:
        content = emit_stage(stage, around=around, locations=instruments.locations)
    except InternalError as error:
        if not error.pass_name:
            raise
        if not instruments.keep:  # once more, keeping the text before each pass
            again = Instruments(locations=instruments.locations, keep=True)
            return _emit(emit_stage, stage, again)
        if instruments.last is not None:
            write_reproducer(error, instruments.last, "")
        raise
    instruments.report(stage)
    return content
