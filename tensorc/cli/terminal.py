"""Diagnostics on stderr."""

import os
import sys
from collections.abc import Iterable

from tensorc.diagnostics import render
from tensorc.errors import Diagnostic


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics on stderr, coloured on a terminal unless NO_COLOR is set."""
    color = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    for diagnostic in diagnostics:
        sys.stderr.write(render(diagnostic, color=color))
