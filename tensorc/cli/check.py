"""`tensorc check`: find what is wrong in files, without generating code."""

import sys

import rich_click as click

from tensorc.api import checking
from tensorc.cli.completion import paths
from tensorc.cli.options import (
    FileCommand,
    existing_file,
    float_option,
    settings_option,
)
from tensorc.cli.terminal import show


@click.command("check", cls=FileCommand)
@click.argument(
    "files", metavar="FILE.tc…", shell_complete=paths, nargs=-1, required=True
)
@settings_option
@float_option
def command(
    files: tuple[str, ...], settings: dict[str, str], default_float: str
) -> int:
    """Check files: syntax, types and shapes. Says nothing if all is well."""
    found = [
        diagnostic
        for file in files
        for diagnostic in checking.check(existing_file(file), settings, default_float)
    ]
    show(found)
    wrong = sum(d.severity == "error" for d in found)
    if wrong:
        plural = "" if wrong == 1 else "s"
        print(f"{wrong} error{plural}", file=sys.stderr)
    return 1 if wrong else 0
