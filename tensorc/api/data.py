"""Data sets for `fit`: readers of files, and arrays of one's own.

data = tc.data.mnist("examples/data/mnist")
data = tc.data.arrays({"x": x, "y": y}, valid={"x": xv, "y": yv})
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tensorc.errors import DataError, Diagnostic
from tensorc.frontend.library.mistakes import door, usage_error
from tensorc.runtime.training import data
from tensorc.runtime.training.data import Dataset, Split

Columns = Mapping[str, object]


@door
def mnist(directory: str | Path) -> Dataset:
    """Return MNIST, or a set of its form, from a directory or mnist.pkl.gz.

    The directory holds the four IDX files. Columns: x f32[n, height * width], pixel /
    256; y i64[n]. The last sixth of the training files is for validation.

    Raises:
        DataError: a file is missing or damaged.
    """
    return data.mnist(Path(directory))


@door
def idx(*paths: str | Path) -> Dataset:
    """Return pairs of IDX files, examples and labels: training, validation, test."""
    return data.idx(*map(Path, paths))


@door
def npz(*paths: str | Path) -> Dataset:
    """Return the arrays of .npz files as columns: training, validation, test data.

    One file may hold all parts: `x_train`, `y_train`, `x_valid`, …
    """
    return data.npz(*map(Path, paths))


@door
def csv(*paths: str | Path, label: str | int | None = None) -> Dataset:
    """Return the numbers of CSV files: training, validation, test data.

    With `label`, the name or number of a column, that is y and all others x f64[n, k].
    Without it, columns have the names in the first line, or there is x alone.
    """
    return data.csv(*map(Path, paths), label=label)


@door
def arrays(
    train: Columns, valid: Columns | None = None, test: Columns | None = None
) -> Dataset:
    """Return arrays by name as a data set; row i of each column is example i."""
    valid_split = None if valid is None else split(valid, "valid")
    test_split = None if test is None else split(test, "test")
    return Dataset("arrays", split(train, "train"), valid_split, test_split)


def split(columns: object, name: str) -> Split:
    """Return a user's columns by name as a part of a data set."""
    if not isinstance(columns, Mapping) or not columns:
        message = f"the {name} data is a dictionary of columns"
        raise usage_error(message, '{"x": x, "y": y}: columns bind to arguments')
    found = {}
    for key, values in columns.items():
        array = np.asarray(values)
        if not array.ndim:
            message = f"column '{key}' of the {name} data is one number, not a column"
            raise DataError(Diagnostic("TC0407", message))
        found[str(key)] = array
    lengths = {key: len(array) for key, array in found.items()}
    if len(set(lengths.values())) > 1:
        spelled = ", ".join(f"{key} has {n:,}" for key, n in lengths.items())
        message = f"the columns of the {name} data differ in length: {spelled}"
        raise DataError(Diagnostic("TC0407", message))
    return Split(found, is_own=True)
