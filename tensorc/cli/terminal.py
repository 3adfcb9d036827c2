"""Diagnostics on stderr."""

import os
import sys
from collections.abc import Iterable, Mapping

from tensorc.diagnostics import render
from tensorc.errors import Diagnostic


def show(
    diagnostics: Iterable[Diagnostic], sources: Mapping[str, str] | None = None
) -> None:
    """Print diagnostics on stderr, coloured on a terminal unless NO_COLOR is set.

    `sources` has the texts of what is no file: stdin, an option.
    """
    color = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    for diagnostic in diagnostics:
        sys.stderr.write(render(diagnostic, sources, color))
