"""Data sets in memory: columns by name, for training, validation and test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tensorc.errors import UNKNOWN, DataError, Diagnostic, Location
from tensorc.runtime.arrays import Array, aligned_empty, describe
from tensorc.runtime.files import data_error
from tensorc.runtime.idx import read_idx
from tensorc.runtime.recipes import DataCall


@dataclass(frozen=True, slots=True)
class Split:
    """Columns of equal length by name; row i of each belongs to example i."""

    columns: Mapping[str, Array]

    def __len__(self) -> int:
        return min((len(column) for column in self.columns.values()), default=0)


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a model is trained on, and validated and tested on, if anything."""

    name: str
    train: Split
    valid: Split | None = None
    test: Split | None = None


def mnist(directory: str | Path) -> Dataset:
    """Return MNIST, or a set of its form, from the four IDX files in `directory`.

    Columns: x f32[n, height * width], pixel / 256; y i64[n]. The last sixth of the
    training files is for validation: of MNIST's 60,000 images the first 50,000 are
    trained on. Files may be plain or end in .gz, in both spellings (`-idx3-ubyte`,
    `.idx3-ubyte`).

    Raises:
        DataError: a file is missing or damaged, or images and labels do not fit.
    """
    folder = Path(directory)
    images, labels = _mnist_pair(folder, "train")
    test = _mnist_pair(folder, "t10k")
    count = len(images)
    kept = count - count // 6
    return Dataset(
        "mnist",
        train=Split({"x": images[:kept], "y": labels[:kept]}),
        valid=Split({"x": images[kept:], "y": labels[kept:]}),
        test=Split({"x": test[0], "y": test[1]}),
    )


def idx(*paths: str | Path) -> Dataset:
    """Return the data set in pairs of IDX files: examples, labels.

    One pair is training data, a second validation, a third test data. Columns: x f32[n,
    k], each example flattened, bytes divided by 256; y i64[n].

    Raises:
        DataError: a file is missing or damaged, or the files of a pair do not fit.
    """
    if len(paths) not in (2, 4, 6):
        detail = f"idx takes 2, 4 or 6 files, given {len(paths)}"
        hint = 'idx("images", "labels", "valid images", "valid labels")'
        raise DataError(Diagnostic("TC0406", detail, hints=(hint,)))
    files = [Path(path) for path in paths]
    splits = [
        Split(dict(zip("xy", _read_pair(images, labels), strict=True)))
        for images, labels in zip(files[::2], files[1::2], strict=True)
    ]
    return Dataset("idx", *splits)


READERS: dict[str, Callable[..., Dataset]] = {"mnist": mnist, "idx": idx}


def open_dataset(
    call: DataCall, directory: Path, location: Location = UNKNOWN
) -> Dataset:
    """Return the data set that a recipe names; relative paths start at `directory`.

    Raises:
        DataError: there is no such reader, or it cannot read its files; at `location`.
    """
    reader = READERS.get(call.reader)
    try:
        if reader is None:
            detail = f"no data reader is called '{call.reader}'"
            hint = f"there are {' and '.join(sorted(READERS))}"
            raise DataError(Diagnostic("TC0406", detail, hints=(hint,)))
        paths = [_path(directory, call.reader, value) for value in call.arguments]
        if reader is mnist and len(paths) != 1:
            detail = f"mnist takes one directory, given {len(paths)} arguments"
            raise DataError(Diagnostic("TC0406", detail))
        return reader(*paths)
    except DataError as error:
        raise _at(error, location) from error


def _path(directory: Path, reader: str, value: object) -> Path:
    if not isinstance(value, str):
        raise DataError(Diagnostic("TC0406", f"{reader} takes paths, given {value!r}"))
    return directory / value


def _at(error: DataError, location: Location) -> DataError:
    return DataError(
        *(
            Diagnostic(d.code, d.message, location, notes=d.notes, hints=d.hints)
            for d in error.diagnostics
        )
    )


def _mnist_pair(directory: Path, part: str) -> tuple[Array, Array]:
    return _read_pair(
        _find(directory, f"{part}-images", "idx3-ubyte"),
        _find(directory, f"{part}-labels", "idx1-ubyte"),
    )


def _find(directory: Path, stem: str, form: str) -> Path:
    """Return the first spelling of a file's name that exists."""
    names = [f"{stem}{dot}{form}{gz}" for gz in (".gz", "") for dot in "-."]
    for name in names:
        if (directory / name).exists():
            return directory / name
    if not directory.is_dir():
        raise data_error(
            directory,
            "TC0401",
            "no such directory",
            "data paths are relative to the .tc file; name the directory that holds "
            f"{names[0]} and its three companions",
        )
    raise data_error(
        directory / names[0],
        "TC0401",
        "no such file",
        f"these names are tried, too: {', '.join(names[1:])}",
    )


def _read_pair(images: Path, labels: Path) -> tuple[Array, Array]:
    x, y = read_idx(images), read_idx(labels)
    if x.ndim < 2:
        raise data_error(
            images,
            "TC0407",
            f"examples of rank 2 or more expected, found {describe(x)}",
        )
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise data_error(
            labels, "TC0407", f"one integer per example expected, found {describe(y)}"
        )
    if len(x) != len(y):
        raise data_error(
            labels,
            "TC0407",
            f"{len(y):,} labels, but {images} holds {len(x):,} examples",
            "the two files are not of one set, or one is damaged",
        )
    return _features(x), _aligned_copy(y, np.dtype(np.int64))


def _features(x: Array) -> Array:
    """Return the examples as f32[n, k]; bytes become pixel / 256, which is exact."""
    flat = x.reshape(len(x), x[0].size if len(x) else 0)
    if x.dtype != np.uint8:
        return _aligned_copy(flat, np.dtype(np.float32))
    features = aligned_empty(flat.shape, np.float32)
    np.multiply(flat, np.float32(1 / 256), out=features)
    return features


def _aligned_copy(values: Array, dtype: np.dtype[np.generic]) -> Array:
    copy = aligned_empty(values.shape, dtype)
    copy[...] = values
    return copy
