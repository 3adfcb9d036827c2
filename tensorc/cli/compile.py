"""`tensorc compile`: any stage of a file, as text or object code."""

import difflib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import rich_click as click

from tensorc import api
from tensorc.cli.options import (
    check_output,
    optimize_option,
    settings_option,
    split_name,
    write_output,
)

STAGES = ("ast", "tensor", "structured", "buffer", "loop", "llvm", "asm", "obj")

# Where mlir-opt splits its input, so that several stages can be told apart.
_SEPARATOR = "// -----\n"


@dataclass(frozen=True, slots=True)
class Output:
    """A stage to write, and where to; "-" is stdout."""

    stage: str
    path: str


def parse_emit(emit: str, output: str | None, stem: str) -> list[Output]:
    """Return the outputs that `--emit=stage[=PATH],…` and `-o` ask for.

    Text goes to stdout and object code to `stem`.o where no path is given.

    Raises:
        click.BadParameter: a stage is unknown, or one path would get several stages.
    """
    outputs = []
    for item in emit.split(","):
        stage, _, path = item.strip().partition("=")
        if stage not in STAGES:
            near = difflib.get_close_matches(stage, STAGES, 1)
            hint = (
                f"did you mean '{near[0]}'?" if near else f"one of {', '.join(STAGES)}"
            )
            raise click.BadParameter(f"no stage '{stage}': {hint}", param_hint="--emit")
        default = f"{stem}.o" if stage == "obj" else "-"
        outputs.append(Output(stage, path or output or default))
    paths = [o.path for o in outputs if o.path != "-"]
    if len(set(paths)) < len(paths):
        detail = f"several stages would be written to '{output}'; give each its path"
        raise click.BadParameter(detail, param_hint="-o")
    return outputs


@click.command("compile")
@click.argument("file", metavar="FILE.tc[::NAME]")
@click.option(
    "--emit",
    default="obj",
    metavar="STAGE[=PATH],…",
    help=f"What to write: {', '.join(STAGES)}.",
)
@click.option("-o", "output", metavar="PATH", help="Where to write it; - is stdout.")
@click.option("--timing", is_flag=True, help="Print the time of each stage on stderr.")
@settings_option
@optimize_option
def command(
    file: str,
    emit: str,
    output: str | None,
    timing: bool,
    settings: dict[str, str],
    optimize: int,
) -> None:
    """Compile FILE.tc, or one function or step of it, and write any stage."""
    path, function = split_name(file)
    outputs = parse_emit(emit, output, Path(path).stem)
    for wanted in outputs:
        check_output(wanted.path)
    printed = False
    for wanted in outputs:
        start = time.perf_counter()
        content = api.emit(path, wanted.stage, function or None, settings, optimize)
        if timing:
            seconds = time.perf_counter() - start
            print(f"{wanted.stage:<12}{1000 * seconds:10.1f} ms", file=sys.stderr)
        if isinstance(content, str) and not content.endswith("\n"):
            content += "\n"
        if wanted.path == "-" and printed:
            write_output("-", _SEPARATOR)
        printed = printed or wanted.path == "-"
        write_output(wanted.path, content)
