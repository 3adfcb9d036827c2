"""`tensorc explain`: a diagnostic's code, or the kernels of a file."""

import re
import textwrap
import tomllib
from pathlib import Path

import rich_click as click

from tensorc.cli.completion import paths
from tensorc.cli.options import (
    FileCommand,
    dim_option,
    existing_file,
    float_option,
    settings_option,
)
from tensorc.errors import Diagnostic, TensorcError, nearest

CODES = Path(__file__).with_name("codes.toml")
WIDTH = 80


@click.command("explain", cls=FileCommand)
@click.argument("what", metavar="CODE|FILE.tc[::NAME]", shell_complete=paths)
@dim_option
@settings_option
@float_option
def command(
    what: str, sizes: dict[str, int], settings: dict[str, str], default_float: str
) -> None:
    """Explain a diagnostic (TC0301), or what the kernels of a file do and why."""
    if re.fullmatch(r"\[?(TC)?[0-9]+\]?", what, re.IGNORECASE):
        digits = re.sub(r"\D", "", what)
        click.echo(code_text(f"TC{digits}"), nl=False)
        return
    from tensorc.api import stages

    path, _, name = what.partition("::")
    existing_file(path)
    text = stages.explain(path, name or None, settings, sizes, default_float)
    click.echo(text, nl=False)


def codes() -> dict[str, dict[str, str]]:
    """Return what is to be said of each code: title, text, example, fix."""
    found: dict[str, dict[str, str]] = tomllib.loads(CODES.read_text("utf-8"))
    return found


def code_text(code: str) -> str:
    """Return the explanation of a code.

    Raises:
        TensorcError: there is no such code (TC0923).
    """
    known = codes()
    if code not in known:
        near = nearest(code, known, count=3)
        form = "a code is TC and four digits, as TC0301"
        hints = (f"there are {', '.join(near)}" if near else form,)
        message = f"there is no diagnostic {code}"
        raise TensorcError(Diagnostic("TC0923", message, hints=hints))
    entry = known[code]
    parts = [f"{code}: {entry['title']}", textwrap.fill(entry["text"], WIDTH)]
    example = entry.get("tc") or entry.get("mlir") or entry.get("example")
    if example:
        body = "\n".join(f"    {x}" for x in example.strip("\n").split("\n"))
        parts.append(f"For example:\n\n{body}")
    parts.append(textwrap.fill(f"How to fix it: {entry['fix']}", WIDTH))
    return "\n\n".join(parts) + "\n"
