"""Read numbers from CSV files: comma-separated, with or without a line of names."""

import csv
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tensorc.errors import DataError
from tensorc.runtime.arrays import Array
from tensorc.runtime.files import data_error, unzipped

_MAX_COLUMNS = 100_000
_NUMBER = re.compile(
    r"\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|nan|inf(inity)?)\s*", re.I
)


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of a file, f64[rows, columns]; `names` is empty without a header."""

    names: tuple[str, ...]
    values: Array


def read_csv(path: Path) -> Table:
    """Return the numbers in a CSV file, plain or compressed by gzip.

    The first line names the columns if one of its cells is no number. Empty lines are
    left out.

    Raises:
        DataError: the file cannot be read (TC0401, TC0402, TC0405), or a cell is no
            number, or a line has more or fewer cells than the first (TC0408).
    """
    try:
        text = unzipped(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"byte {error.start:,} is not UTF-8: no CSV file"
        raise data_error(path, "TC0408", detail) from None
    if text.count('"') % 2:
        raise data_error(path, "TC0408", "a quote is not closed")
    lines = io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n"), newline="\n")
    first = _cells(path, lines.readline(), 1)
    if not any(first):
        raise data_error(path, "TC0408", "the first line is empty")
    names = () if all(map(_NUMBER.fullmatch, first)) else tuple(first)
    if not names:
        lines.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # there may be no rows
            values = np.loadtxt(
                lines, np.float64, comments=None, delimiter=",", ndmin=2, quotechar='"'
            )
    except (ValueError, OverflowError) as error:
        raise _wrong_cell(path, text, len(first), bool(names), error) from None
    if not values.size:
        values = np.empty((0, len(first)))
    if values.shape[1] != len(first):
        raise _wrong_cell(path, text, len(first), bool(names), None)
    return Table(names, values)


def _cells(path: Path, line: str, number: int) -> list[str]:
    try:
        cells = next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise data_error(path, "TC0408", f"line {number:,}: {error}") from None
    if len(cells) > _MAX_COLUMNS:
        detail = f"line {number:,} has {len(cells):,} cells, at most {_MAX_COLUMNS:,}"
        raise data_error(path, "TC0408", detail)
    return [cell.strip() for cell in cells]


def _wrong_cell(
    path: Path, text: str, columns: int, has_names: bool, error: Exception | None
) -> DataError:
    """Return the error at the first cell that is no number."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or (number == 1 and has_names):
            continue
        cells = _cells(path, line, number)
        if len(cells) != columns:
            detail = f"line {number:,} has {len(cells):,} cells, the first {columns:,}"
            return data_error(path, "TC0408", detail)
        for column, cell in enumerate(cells, 1):
            if not _NUMBER.fullmatch(cell):
                shown = repr(cell[:80]) if cell else "empty"
                detail = f"line {number:,}, column {column:,} is no number: {shown}"
                hint = "give classes numbers, from 0 on"
                return data_error(path, "TC0408", detail, hint)
    detail = " ".join(str(error).split())[:200]
    return data_error(path, "TC0408", f"is no table of numbers: {detail}")
