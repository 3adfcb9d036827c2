"""Data sets in memory: columns by name, for training, validation and test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tensorc import tables
from tensorc.errors import UNKNOWN, DataError, Diagnostic, Location
from tensorc.recipes import DataCall, Fit
from tensorc.runtime.arrays import Array, aligned_empty, describe
from tensorc.runtime.files.columns import data_error
from tensorc.runtime.files.csv_file import CsvTable, read_csv
from tensorc.runtime.files.idx import read_idx
from tensorc.runtime.files.npy import read_npy, read_npz
from tensorc.runtime.files.pickled import read_pickled, refused


@dataclass(frozen=True, slots=True)
class Split:
    """Columns of equal length by name; row i of each belongs to example i.

    Messages show the names if they are the user's own, and not the texts of a file.
    """

    columns: Mapping[str, Array] = field(repr=False)
    is_own: bool = field(default=False, repr=False)

    def __len__(self) -> int:
        return min((len(column) for column in self.columns.values()), default=0)


@dataclass(frozen=True, slots=True, repr=False)
class Dataset:
    """What a model is trained on, and validated and tested on, if anything."""

    name: str
    train: Split
    valid: Split | None = None
    test: Split | None = None

    def __repr__(self) -> str:
        parts = {"train": self.train, "valid": self.valid, "test": self.test}
        sizes = [f"{name} {len(part):,}" for name, part in parts.items() if part]
        return f"<Dataset {self.name}: {', '.join(sizes)}>"

    def _repr_html_(self) -> str:
        """Return a table of the columns of each part for a notebook."""
        parts = {"training": self.train, "validation": self.valid, "test": self.test}
        shown = [
            tables.Table(
                f"{name} data",
                [(column, describe(array)) for column, array in part.columns.items()],
                ("column", "type"),
            )
            for name, part in parts.items()
            if part
        ]
        return tables.html_of(repr(self), shown)


def mnist(source: str | Path) -> Dataset:
    """Return MNIST, or a set of its form, from a directory or from mnist.pkl.gz.

    The directory holds the four IDX files, plain or ending in .gz, in both spellings
    (`-idx3-ubyte`, `.idx3-ubyte`). Columns: x f32[n, height * width], pixel / 256; y
    i64[n]. The last sixth of the training files is for validation: of MNIST's 60,000
    images the first 50,000 are trained on. `mnist.pkl.gz` of deeplearning.net holds
    ((x, y), (x, y), (x, y)) for training, validation and test; nothing that it names
    is called.

    Raises:
        DataError: a file is missing or damaged, or images and labels do not fit.
    """
    folder = Path(source)
    if folder.name.endswith((".pkl", ".pkl.gz", ".pickle")):
        return _mnist_pickled(folder)
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


def _mnist_pickled(path: Path) -> Dataset:
    splits = []
    given = read_pickled(path)
    for pair in given if isinstance(given, tuple) and len(given) == 3 else (None,):
        match pair:
            case (np.ndarray() as x, np.ndarray() as y):
                pass
            case _:
                raise refused(path, "it is not ((x, y), (x, y), (x, y))")
        if x.ndim < 2 or y.shape != x.shape[:1] or y.dtype.kind not in "iu":
            detail = f"{describe(x)} and {describe(y)} are no examples and labels"
            raise data_error(path, "TC0407", detail)
        labels = _aligned_copy(y, np.dtype(np.int64))
        splits.append(Split({"x": _features(x), "y": labels}))
    return Dataset("mnist", *splits)


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


def npz(*paths: str | Path) -> Dataset:
    """Return the arrays of .npz files: training, validation, test data.

    The names of arrays are those of columns. One file may hold all parts: then the
    names end in `_train`, `_valid` or `_test`, as in `x_train`.

    Raises:
        DataError: a file is missing or damaged, or its arrays are no columns of one
            length.
    """
    _check_count("npz", paths, 'npz("train.npz", "valid.npz", "test.npz")')
    files = [Path(path) for path in paths]
    columns = [read_npz(file) for file in files]
    if len(files) > 1 or not any(n.endswith(_PARTS) for n in columns[0]):
        splits = [_columns(f, c) for f, c in zip(files, columns, strict=True)]
        return Dataset("npz", *splits)
    (path,), (found,) = files, columns
    stray = [n for n, name in enumerate(found, 1) if not name.endswith(_PARTS)]
    if stray:
        detail = f"array {stray[0]:,} is of no part, names of others end in "
        raise data_error(path, "TC0407", detail + ", ".join(_PARTS))
    parts = {
        part: {n.removesuffix(part): a for n, a in found.items() if n.endswith(part)}
        for part in _PARTS
    }
    if not parts["_train"]:
        raise data_error(path, "TC0407", "no name of an array ends in _train")
    train, valid, test = (_columns(path, c) if c else None for c in parts.values())
    assert train is not None
    return Dataset("npz", train, valid, test)


_PARTS = ("_train", "_valid", "_test")


def csv(*paths: str | Path, label: str | int | None = None) -> Dataset:
    """Return the numbers of CSV files: training, validation, test data.

    With `label`, a column by name or by number from 0 (from the end if negative),
    columns are x f64[n, k], all others, and y f64[n], or i64[n] if all are integers.
    Without it, the columns have the names in the first line, or there is x alone.

    Raises:
        DataError: a file is missing, or is no table of numbers (TC0408); there is no
            such label (TC0407), or it is neither a name nor a number (TC0406).
    """
    _check_count("csv", paths, 'csv("train.csv", "valid.csv", label="class")')
    if label is not None:
        _check_named("csv", "label", label)
    tables = [(Path(path), read_csv(Path(path))) for path in paths]
    return Dataset("csv", *[_table(path, table, label) for path, table in tables])


def _table(path: Path, table: CsvTable, label: str | int | None) -> Split:
    names, values = table.names, table.values
    if label is None:
        if not names:
            return Split({"x": values})
        if len(set(names)) < len(names):
            raise data_error(path, "TC0407", "two columns have the same name")
        return Split(dict(zip(names, values.T.copy(), strict=True)))
    count = values.shape[1]
    if isinstance(label, str) and label in names:
        column = names.index(label)
    elif not isinstance(label, str) and -count <= label < count:
        column = label % count
    else:
        detail = f"there is no column {label!r}"
        known = f"it has {count:,} columns, by number from 0 to {count - 1:,}"
        known += ", and names in its first line" if names else ""
        raise data_error(path, "TC0407", detail, known)
    y = values[:, column]
    is_whole = bool((np.isfinite(y) & (y == np.rint(y)) & (np.abs(y) < 2.0**63)).all())
    x = np.ascontiguousarray(np.delete(values, column, axis=1))
    return Split({"x": x, "y": y.astype(np.int64) if is_whole else y.copy()})


def _columns(path: Path, arrays: Mapping[str, Array]) -> Split:
    # By number: messages show no texts of a file.
    single = [n for n, array in enumerate(arrays.values(), 1) if not array.ndim]
    if single or not arrays:
        wrong = (
            f"array {single[0]:,} is one number, no column" if single else "is empty"
        )
        raise data_error(path, "TC0407", wrong)
    lengths = list(map(len, arrays.values()))
    other = next((n for n, length in enumerate(lengths, 1) if length != lengths[0]), 0)
    if other:
        detail = (
            f"array 1 has {lengths[0]:,}, array {other:,} has {lengths[other - 1]:,}"
        )
        raise data_error(path, "TC0407", f"the columns differ in length: {detail}")
    return Split(dict(arrays))


def _check_count(reader: str, paths: Sequence[object], example: str) -> None:
    if not 1 <= len(paths) <= 3:
        detail = f"{reader} takes 1 to 3 files, given {len(paths)}"
        raise DataError(Diagnostic("TC0406", detail, hints=(example,)))


def read_columns(path: Path, label: str | int | None = None) -> Mapping[str, Array]:
    """Return the columns of one file: .npz, .npy, .csv, else IDX.

    A single array is the column "x"; bytes of an IDX file are divided by 256. With a
    `label`, a CSV file has the form of a data set: that column is "y", all others are
    "x". Rows to predict may lack it.

    Raises:
        DataError: as the reader of the form.
    """
    if not is_csv(path):
        return _columns(path, read_arrays(path)).columns
    table = read_csv(path)
    if label is None:
        return _table(path, table, None).columns
    if isinstance(label, str) and label not in table.names:
        return {"x": table.values}
    return _table(path, table, label).columns


def read_arrays(path: Path) -> Mapping[str, Array]:
    """Return the arrays of one file by name: .npz, .npy, .csv, else IDX.

    A single array is called "x"; bytes of an IDX file are divided by 256.

    Raises:
        DataError: as the reader of the form.
    """
    if path.suffix == ".npz":
        return read_npz(path)
    if path.suffix == ".npy":
        return {"x": read_npy(path)}
    if is_csv(path):
        return {"x": read_csv(path).values}
    array = read_idx(path)
    return {"x": _features(array) if array.ndim > 1 else array}


def is_csv(path: Path) -> bool:
    """Tell whether a file is a table of numbers as text, by its name."""
    return path.name.endswith((".csv", ".csv.gz"))


READERS: dict[str, Callable[..., Dataset]] = {
    "mnist": mnist,
    "idx": idx,
    "npz": npz,
    "csv": csv,
}
# What readers take by name besides paths.
_NAMED: Mapping[str, tuple[str, ...]] = {"csv": ("label",)}


def open_data(recipe: Fit) -> Dataset:
    """Return the data of a `fit`, whose paths are relative to its file.

    Raises:
        DataError: as `open_dataset`, at the recipe's `data`.
    """
    directory = Path(recipe.location.file).parent
    return open_dataset(recipe.data, directory, recipe.location_of("data"))


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
        for name, value in call.named.items():
            _check_named(call.reader, name, value)
        return reader(*paths, **call.named)
    except DataError as error:
        raise _at(error, location) from error


def _check_named(reader: str, name: str, value: object) -> None:
    known = _NAMED.get(reader, ())
    if name not in known:
        hints = (f"it takes {', '.join(known)}",) if known else ()
        detail = f"{reader} has no argument '{name}'"
        raise DataError(Diagnostic("TC0406", detail, hints=hints))
    if isinstance(value, bool) or not isinstance(value, str | int | np.integer):
        detail = f"{reader}: {name} is the name or number of a column, got {value!r}"
        raise DataError(Diagnostic("TC0406", detail))


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
