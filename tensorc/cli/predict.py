"""`tensorc predict`: a function's results for the rows of a data file."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import rich_click as click

from tensorc.api import program as api
from tensorc.cli.completion import paths
from tensorc.cli.options import (
    FileCommand,
    check_nan_option,
    check_output,
    float_option,
    init_option,
    optimize_option,
    path_option,
    settings_option,
    split_name,
    threads_option,
    write_output,
)
from tensorc.cli.start import restore, warn_untrained
from tensorc.errors import Diagnostic, TensorcError
from tensorc.runtime.arrays import Array, describe
from tensorc.runtime.training.data import Split, open_data, read_columns
from tensorc.runtime.training.evaluation import check_rows, predict

_PARTS = ("train", "valid", "test")


@click.command("predict", cls=FileCommand)
@click.argument("file", metavar="FILE.tc::NAME", shell_complete=paths)
@path_option("--data", metavar="FILE", help="Rows: .npy, .npz, .csv or IDX.")
@click.option(
    "--split",
    "part",
    type=click.Choice(_PARTS),
    default="test",
    help="Without --data: which part of the data of the fit.",
)
@click.option(
    "-o",
    "output",
    metavar="FILE",
    shell_complete=paths,
    default="-",
    help="Where to write: .npy, .npz or .csv; - prints CSV.",
)
@click.option(
    "--batch", type=click.IntRange(1), metavar="N", default=1000, help="Rows in a call."
)
@init_option
@settings_option
@float_option
@optimize_option
@threads_option
@check_nan_option
def command(
    file: str,
    data: str | None,
    part: str,
    output: str,
    batch: int,
    init: str | None,
    settings: dict[str, str],
    default_float: str,
    optimize: int,
) -> None:
    """Call the function NAME of FILE.tc with the rows of a file; write the results."""
    path, name = split_name(file)
    check_form(output)
    check_output(output, path, data, init)
    program = api.load(path, settings, optimize, default_float)
    _check_function(program, path, name)
    function = program.functions[name]
    check_rows(function)
    if data:
        columns = read_columns(Path(data), label_of(program))
    else:
        columns = _columns_of(program, part)
    restore(program, init)
    warn_untrained(program, [function], init)
    results = predict(function, columns, batch)
    names = [r.name or f"result{i}" for i, r in enumerate(function.info.results)]
    write_output(output, encode(output, dict(zip(names, results, strict=True))))


def check_form(output: str) -> None:
    """Refuse the name of an output that `encode` has no form for."""
    if output != "-" and Path(output).suffix not in (".npy", ".npz", ".csv"):
        raise click.BadParameter(f"'{output}' ends in none of .npy, .npz and .csv")


def _check_function(program: "api.Program", path: str, name: str) -> None:
    source = program.functions.source
    known = [n for n in source.entries if n not in source.steps]
    if name not in known:
        wrong = f"'{name}' is a step, which changes memory"
        if name not in source.entries:
            wrong = f"there is no function '{name}'" if name else "a name is missing"
        names = ", ".join(known) or "none whose arguments have types"
        hints = (f"functions: {names}", f"tensorc predict {path}::NAME")
        raise TensorcError(Diagnostic("TC0904", f"{path}: {wrong}", hints=hints))


def label_of(program: "api.Program") -> str | int | None:
    """Return which column of a CSV file is the label, by the data of the `fit`.

    There is none where the data have another form.
    """
    named = program.fits[0].data.named if program.fits else {}
    label = named.get("label")
    return label if isinstance(label, str | int) else None


def _columns_of(program: "api.Program", part: str) -> Mapping[str, Array]:
    if not program.fits:
        message = f"{program.path}: there is no 'fit' with data: give --data"
        raise TensorcError(Diagnostic("TC0903", message))
    recipe = program.fits[0]
    dataset = open_data(recipe)
    found: Split | None = getattr(dataset, part)
    if found is None:
        message = f"'{dataset.name}' has no {part} data"
        raise TensorcError(Diagnostic("TC0602", message, recipe.location_of("data")))
    return found.columns


def encode(output: str, results: Mapping[str, Array]) -> bytes:
    """Return results as the bytes of a file of that name, or as CSV for "-".

    Raises:
        TensorcError: the form cannot hold them (TC0905).
    """
    stream = io.BytesIO()
    if output.endswith(".npz"):
        # As numpy.savez does, which takes no array of the name "file".
        with zipfile.ZipFile(stream, "w") as archive:
            for name, result in results.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.save(member, result)
        return stream.getvalue()
    if len(results) != 1:
        message = f"{output}: {len(results)} results go to an .npz file only"
        raise TensorcError(Diagnostic("TC0905", message))
    (result,) = results.values()
    if output.endswith(".npy"):
        np.save(stream, result)
        return stream.getvalue()
    if result.ndim > 2:
        message = f"{output}: {describe(result)} is not a table: write an .npy file"
        raise TensorcError(Diagnostic("TC0905", message))
    table = result.reshape(len(result) if result.ndim else 1, -1)
    return "".join(f"{_line(row)}\n" for row in table).encode()


def _line(row: Sequence[object] | Array) -> str:
    """Return numbers as short as they are exact, truth values as 0 and 1."""
    return ",".join(str(int(x) if isinstance(x, np.bool_) else x) for x in row)
