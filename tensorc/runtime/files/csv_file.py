"""Read numbers from CSV files: comma-separated, with or without a line of names."""

import csv
import io
import itertools
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tensorc.errors import DataError
from tensorc.runtime.arrays import Array
from tensorc.runtime.files.columns import PIECE, Source, data_error, unfolding

_MAX_COLUMNS = 100_000
_MAX_LINE = 1 << 22  # bytes
# A cell of two bytes becomes a number of eight.
_WIDENING = 4
_NUMBER = re.compile(
    r"\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|nan|inf(inity)?)\s*", re.I
)
_INTEGER = re.compile(r"[+-]?\d{16,400}")
_EXACT = 2.0**53  # up to here f64 holds every integer

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}


@dataclass(frozen=True, slots=True)
class CsvTable:
    """The numbers of a file, f64[rows, columns]; `names` is empty without a header."""

    names: tuple[str, ...]
    values: Array


@dataclass(slots=True)
class _Text:
    """The lines of a file, read piece by piece; `quotes` counts what was read."""

    source: Source
    quotes: int = 0

    def lines(self) -> Iterator[str]:
        """Yield lines, which end in a newline whatever they end in there."""
        rest, start = b"", 0
        while piece := self.source.read(PIECE):
            self.quotes += piece.count(b'"')
            block = rest + piece
            # A return at the end may be half of an end of line.
            end = max(block.rfind(b"\n"), block.rfind(b"\r", 0, len(block) - 1)) + 1
            if len(block) - end > _MAX_LINE:
                detail = f"a line has more than {_MAX_LINE:,} bytes"
                raise data_error(self.source.path, "TC0408", detail)
            yield from self._decoded(block[:end], start)
            start, rest = start + end, block[end:]
        yield from self._decoded(rest, start)

    def _decoded(self, block: bytes, start: int) -> Iterator[str]:
        try:
            text = block.decode("utf-8" if start else "utf-8-sig")
        except UnicodeDecodeError as error:
            detail = (
                f"byte {start + error.start:,} is not UTF-8: this is not a CSV file"
            )
            raise data_error(self.source.path, "TC0408", detail) from None
        plain = text.replace("\r\n", "\n").replace("\r", "\n")
        yield from io.StringIO(plain, newline="\n")


def read_csv(path: Path) -> CsvTable:
    """Return the numbers in a CSV file, plain or compressed by gzip.

    The first line names the columns if none of its cells is a number. Empty lines are
    left out.

    Raises:
        DataError: the file cannot be read (TC0401, TC0402, TC0405), or a cell is no
            number, or an integer that would be rounded, or a line has more or fewer
            cells than the first (TC0408).
    """
    with unfolding(path, _WIDENING) as source:
        text = _Text(source)
        lines = text.lines()
        line = next(lines, "")
        first = _cells(path, line, 1)
        if not any(first):
            empty = not (line or next(lines, ""))
            detail = "the file is empty" if empty else "the first line is empty"
            raise data_error(path, "TC0408", detail)
        stray = [n for n, cell in enumerate(first, 1) if not _NUMBER.fullmatch(cell)]
        names = tuple(first) if stray else ()
        if stray and len(stray) < len(first):
            at = f"line 1, column {stray[0]:,}"
            detail, hint = _why(at, first[stray[0] - 1])
            hint += "; a first line of names has no number among them"
            raise data_error(path, "TC0408", detail, hint)
        if not names:
            lines = itertools.chain([line], lines)
        values = _numbers(path, text, lines)
    if values is not None and not values.size:
        values = np.empty((0, len(first)))
    if values is None or values.shape[1] != len(first):
        raise _wrong_cell(path, len(first), bool(names))
    if (np.isfinite(values) & (np.abs(values) >= _EXACT)).any():
        _check_integers(path, bool(names))
    return CsvTable(names, values)


def _check_integers(path: Path, has_names: bool) -> None:
    """Refuse integers that a float of 64 bits would round: labels, say, or keys."""
    for number, cells in _rows(path, has_names):
        for column, cell in enumerate(cells, 1):
            if _INTEGER.fullmatch(cell) and int(float(cell)) != int(cell):
                at = f"line {number:,}, column {column:,}"
                detail = f"{at} is an integer that a float of 64 bits would round"
                hint = "number classes from 0 on; an .npz file keeps int64 exactly"
                raise data_error(path, "TC0408", detail, hint)


def _rows(path: Path, has_names: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield the numbers of lines and their cells, without names and empty lines."""
    with unfolding(path, _WIDENING) as source:
        for number, line in enumerate(_Text(source).lines(), 1):
            if line.strip() and not (number == 1 and has_names):
                yield number, _cells(path, line, number)


def _numbers(path: Path, text: _Text, lines: Iterator[str]) -> Array | None:
    """Return the numbers of lines; None if some are none."""
    values = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # there may be no rows
            values = np.loadtxt(
                lines, np.float64, comments=None, delimiter=",", ndmin=2, quotechar='"'
            )
    except DataError:
        raise
    except (ValueError, OverflowError):
        for _ in lines:
            pass  # its quotes are counted
    if text.quotes % 2:
        raise data_error(path, "TC0408", "a quote is not closed")
    return values


def _cells(path: Path, line: str, number: int) -> list[str]:
    try:
        cells = next(csv.reader([line], strict=True), [])
    except csv.Error:
        detail = f"line {number:,} has a wrong quote, or a cell that is too long"
        raise data_error(path, "TC0408", detail) from None
    if len(cells) > _MAX_COLUMNS:
        detail = f"line {number:,} has {len(cells):,} cells, at most {_MAX_COLUMNS:,}"
        raise data_error(path, "TC0408", detail)
    return [cell.strip() for cell in cells]


def _wrong_cell(path: Path, columns: int, has_names: bool) -> DataError:
    """Return the error at the first cell that is no number, without showing it."""
    for number, cells in _rows(path, has_names):
        if len(cells) != columns:
            detail = f"line {number:,} has {len(cells):,} cells, the first "
            hint = "a cell of each line for each column, with commas between them"
            return data_error(path, "TC0408", f"{detail}{columns:,}", hint)
        for column, cell in enumerate(cells, 1):
            if not _NUMBER.fullmatch(cell):
                at = f"line {number:,}, column {column:,}"
                return data_error(path, "TC0408", *_why(at, cell))
    return data_error(path, "TC0408", "is not a table of numbers")


def _why(at: str, cell: str) -> tuple[str, str]:
    """Return why a cell is no number, and the way out; without showing it."""
    if not cell:
        return f"{at} is empty", "fill the gap with a number, or leave the line out"
    for sign, name in _SEPARATORS.items():
        parts = cell.split(sign)
        if len(parts) > 1 and all(_NUMBER.fullmatch(p) for p in parts if p.strip()):
            detail = f"{at} has {len(parts):,} numbers with {name} between them"
            return detail, "write commas between cells, and decimals with a point"
    characters = f"{len(cell):,} character{'' if len(cell) == 1 else 's'}"
    hint = "a cell is a number: number classes from 0 on, leave out columns of texts"
    return f"{at} is not a number: {characters}", hint
