"""`tensorc run`: call what the `run`s of a file describe."""

import numpy as np
import rich_click as click

from tensorc import api
from tensorc.cli.options import (
    existing_file,
    optimize_option,
    settings_option,
    threads_option,
)
from tensorc.errors import Diagnostic, TensorcError
from tensorc.runtime.arrays import Array
from tensorc.runtime.function import Results


@click.command("run")
@click.argument("file", metavar="FILE.tc")
@settings_option
@optimize_option
@threads_option
def command(file: str, settings: dict[str, str], optimize: int) -> None:
    """Call what the `run`s of FILE.tc describe; print the results, one call a line."""
    program = api.load(existing_file(file), settings, optimize)
    if not program.runs:
        raise TensorcError(Diagnostic("TC0903", f"{file}: there is no 'run' to call"))
    for recipe in program.runs:
        function = program.functions[recipe.function]
        for _ in range(recipe.times):
            print(spell(function(*recipe.arguments)), flush=True)


def spell(results: Results) -> str:
    """Return the results of a call in one line, each number as short as it is exact."""
    if results is None:
        return "none"
    if isinstance(results, tuple):
        return ", ".join(map(_spell_array, results))
    return _spell_array(results)


def _spell_array(array: Array) -> str:
    if array.ndim:
        return f"[{', '.join(_spell_array(np.asarray(row)) for row in array)}]"
    return str(array[()])
