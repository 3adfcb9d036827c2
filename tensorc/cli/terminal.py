"""Diagnostics on stderr."""

import os
import sys
from collections.abc import Iterable, Mapping

from tensorc.diagnostics import render
from tensorc.errors import Diagnostic, shortened


def show(
    diagnostics: Iterable[Diagnostic], sources: Mapping[str, str] | None = None
) -> None:
    """Print the first diagnostics on stderr, coloured where `wants_color` says so.

    `sources` has the texts of what is no file: stdin, an option.
    """
    color = wants_color(sys.stderr.isatty(), os.environ)
    shown, others = shortened(diagnostics)
    for diagnostic in shown:
        sys.stderr.write(render(diagnostic, sources, color))
    if others:
        sys.stderr.write(f"{others}\n")


def wants_color(is_terminal: bool, environment: Mapping[str, str]) -> bool:
    """Tell whether to write colours: on a terminal, unless the environment decides.

    NO_COLOR, if it is not empty, turns them off (no-color.org), else FORCE_COLOR turns
    them on, also in a pipe, but for FORCE_COLOR=0; TERM=dumb has none.
    """
    if environment.get("NO_COLOR"):
        return False
    forced = environment.get("FORCE_COLOR")
    if forced:
        return forced not in ("0", "false")
    return is_terminal and environment.get("TERM") != "dumb"
