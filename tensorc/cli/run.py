"""`tensorc run`: call what the `run`s of a file describe, or one function of it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rich_click as click

from tensorc.api import program as api
from tensorc.api import stages
from tensorc.cli.completion import paths
from tensorc.cli.options import (
    FileCommand,
    check_nan_option,
    check_output,
    float_option,
    init_option,
    named_values,
    optimize_option,
    settings_option,
    split_name,
    threads_option,
    write_output,
)
from tensorc.cli.predict import check_form, encode, label_of
from tensorc.cli.start import restore
from tensorc.errors import Diagnostic, TensorcError
from tensorc.runtime.arrays import Array
from tensorc.runtime.function import CompiledFunction, Results
from tensorc.runtime.signature import refuse_truth
from tensorc.runtime.training.data import is_csv, read_arrays, read_columns

_FILES = (".npy", ".npz", ".csv", ".csv.gz", ".gz", "-ubyte")


def _parse_arguments(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, text in named_values(values):
        if name in given:
            raise click.BadParameter(f"'{name}' is given twice")
        given[name] = text
    return given


@click.command("run", cls=FileCommand)
@click.argument("file", metavar="FILE.tc[::NAME]", shell_complete=paths)
@click.option(
    "--arg",
    "arguments",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_parse_arguments,
    help="An argument of NAME: a file (x=x.npy) or an expression (x=[1, 2]).",
)
@click.option(
    "-o",
    "output",
    metavar="FILE",
    shell_complete=paths,
    default="-",
    help="Where NAME's results go: .npy, .npz or .csv; - prints them.",
)
@init_option
@settings_option
@float_option
@optimize_option
@threads_option
@check_nan_option
def command(
    file: str,
    arguments: dict[str, str],
    output: str,
    init: str | None,
    settings: dict[str, str],
    default_float: str,
    optimize: int,
) -> None:
    """Call what the `run`s of FILE.tc describe; print the results, one call a line.

    With ::NAME, call that function or step once, with the arguments of --arg.
    """
    path, name = split_name(file)
    if not name and (arguments or output != "-"):
        raise click.UsageError(f"--arg and -o are for one function: {path}::NAME")
    check_form(output)
    check_output(output, path, init, *arguments.values())
    program = api.load(path, settings, optimize, default_float)
    restore(program, init)
    if name:
        function = _function(program, name)
        results = function(**_values(function, arguments, label_of(program)))
        _write(output, function, results)
        return
    if not program.runs:
        message = f"{path}: there is no 'run' to call"
        hint = f"call one function: tensorc run {path}::NAME --arg x=…"
        raise TensorcError(Diagnostic("TC0903", message, hints=(hint,)))
    for recipe in program.runs:
        function = program.functions[recipe.function]
        for _ in range(recipe.times):
            print(spell(function(*recipe.arguments, **recipe.named)), flush=True)


def _function(program: "api.Program", name: str) -> CompiledFunction:
    known = program.functions.source.entries
    if name not in known:
        names = ", ".join(known) or "none whose arguments have types"
        message = f"{program.path}: there is no function or step '{name}'"
        hints = (f"there are {names}",)
        raise TensorcError(Diagnostic("TC0904", message, hints=hints))
    return program.functions[name]


def _values(
    function: CompiledFunction, arguments: Mapping[str, str], label: str | int | None
) -> dict[str, object]:
    """Return the values of `--arg`; an error for what is unknown or missing."""
    specs = function.info.arguments
    inputs = [a.name for a in specs if a.kind == "input"]
    hypers = [a.name for a in specs if a.kind == "hyper"]
    wrong = [f"has no argument '{n}'" for n in arguments if n not in inputs + hypers]
    needed = [a.name for a in specs if a.kind == "input" and a.default is None]
    wrong += [f"needs the argument '{n}'" for n in needed if n not in arguments]
    if wrong:
        hint = " ".join(f"--arg {n}=…" for n in inputs) or "leave --arg out"
        message = f"'{function.name}' {wrong[0]}"
        raise TensorcError(Diagnostic("TC0506", message, hints=(hint,)))
    values = {name: _value(name, text, label) for name, text in arguments.items()}
    for argument in specs:
        what = f"argument '{argument.name}' of '{function.name}'"
        refuse_truth(values.get(argument.name), argument, what)
    return values


def _value(name: str, text: str, label: str | int | None) -> object:
    """Return what `--arg` gives: the array of a file, or an expression's value.

    Of a CSV file it is the column of that name, if the file has the form of the
    training data, whose `label` is y and all else x; else the whole table.
    """
    if not text.endswith(_FILES):
        return stages.plain(text, f"--arg {name}")
    path = Path(text)
    if is_csv(path) and label is not None:
        columns = read_columns(path, label)
        if name in columns:
            return columns[name]
    columns = read_arrays(path)
    if len(columns) == 1:
        return next(iter(columns.values()))
    if name in columns:
        return columns[name]
    # Their names are texts of a file, which no message shows.
    message = f"{text}: it holds {len(columns)} arrays, none of them called '{name}'"
    raise TensorcError(Diagnostic("TC0506", message))


def _write(output: str, function: CompiledFunction, results: Results) -> None:
    if output == "-":
        print(spell(results), flush=True)
        return
    listed = results if isinstance(results, tuple) else (results,)
    arrays = [np.asarray(r) for r in listed if r is not None]
    names = [r.name or f"result{i}" for i, r in enumerate(function.info.results)]
    write_output(output, encode(output, dict(zip(names, arrays, strict=True))))


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
