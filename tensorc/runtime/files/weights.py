"""The memory of a program from and to files: `--init`, `save` and `restore`."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tensorc.errors import DataError, Diagnostic, TensorcError, TensorcWarning
from tensorc.runtime.arrays import Array, describe
from tensorc.runtime.convert import convert
from tensorc.runtime.files.columns import data_error, replace_file
from tensorc.runtime.files.npy import npz_of, read_npz
from tensorc.runtime.files.tensor_file import limit_for, read_tensors, write_tensors
from tensorc.runtime.shared import SharedCell

# What the driver of `fit` adds to a checkpoint; no name of a program has a colon.
DRIVERS = "fit:"
BEST = "best.safetensors"
LAST = "last.safetensors"


def load_weights(path: Path, shared: Mapping[str, SharedCell]) -> list[str]:
    """Set params and states to the arrays of their names in an .npz or .safetensors.

    For a directory of checkpoints its best is taken, or its last, with a warning, if
    nothing was validated. The file may lack names: they keep
    their values, and are returned. On an error nothing has changed. A float array may
    be rounded to the declared float type, all else must be exact.

    Raises:
        DataError: the file cannot be read, a name of it is unknown (TC0802), or an
            array does not fit (TC0803).
    """
    arrays = _read(path, shared)
    unknown = [name for name in arrays if name not in shared]
    if unknown or not arrays:
        raise _unknown(path, unknown, arrays, shared)
    fitting = {n: _fitting(path, shared[n], array) for n, array in arrays.items()}
    set_exactly(fitting, shared)
    return [name for name in shared if name not in arrays]


def newest(directory: Path, name: str) -> Path:
    """Return the newest file `name` or `….name` of a directory, or where it would be.

    A recipe among several writes its own name before that of the file.
    """
    found = [*directory.glob(name), *directory.glob(f"*.{name}")]
    whole = [path for path in found if not path.name.startswith(".")]
    return max(whole, key=lambda p: p.stat().st_mtime_ns, default=directory / name)


def set_exactly(arrays: Mapping[str, Array], shared: Mapping[str, SharedCell]) -> None:
    """Set variables to arrays that have their types and shapes."""
    for name, array in arrays.items():
        shared[name].set_value(array)


def save_weights(path: Path, shared: Mapping[str, SharedCell]) -> None:
    """Write params and states to a .safetensors or .npz file, by their names.

    Raises:
        TensorcError: as `save_arrays`.
    """
    save_arrays(path, {name: cell.get_value() for name, cell in shared.items()})


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays to a .safetensors or .npz file, by their names.

    Raises:
        TensorcError: it cannot be written (TC0902), its name has another ending
            (TC0806), or what it would hold cannot be read again (TC0805).
    """
    if path.suffix == ".safetensors":
        if of_driver := [name for name in arrays if name.startswith(DRIVERS)]:
            detail = f"{path}: {of_driver[0][:80]!r} is no name of an array: "
            detail += f"{DRIVERS} begins what training adds to a checkpoint"
            raise TensorcError(Diagnostic("TC0805", detail))
        write_tensors(path, arrays, {})
    elif path.suffix == ".npz":
        # Nothing in them tells who wrote them: what a killed writer left stays.
        replace_file(path, npz_of(path, arrays), lambda _: False)
    else:
        detail = f"{path}: weights are .npz or .safetensors files"
        hint = "the name decides: model.safetensors, model.npz"
        raise TensorcError(Diagnostic("TC0806", detail, hints=(hint,)))


def _read(path: Path, shared: Mapping[str, SharedCell]) -> dict[str, Array]:
    directory, path = path, checkpoint_of(path)
    if path != directory and path.name.endswith(LAST):
        message = f"{directory} has no {BEST} (nothing was validated): "
        message += f"{path.name} is used"
        warnings.warn(message, TensorcWarning, stacklevel=2)
    if not path.exists():
        raise data_error(path, "TC0401", "no such file or directory")
    if path.suffix == ".npz":
        return read_npz(path)
    if path.suffix == ".safetensors":
        held = [cell.get_value(borrow=True) for cell in shared.values()]
        arrays = read_tensors(path, limit_for(held)).arrays
        return {n: a for n, a in arrays.items() if not n.startswith(DRIVERS)}
    raise data_error(path, "TC0806", "weights are .npz or .safetensors files")


def checkpoint_of(path: Path) -> Path:
    """Return the checkpoint that a directory stands for: the best, else the last."""
    if not path.is_dir():
        return path
    best, last = newest(path, BEST), newest(path, LAST)
    return best if best.exists() or not last.exists() else last


def _unknown(
    path: Path,
    unknown: list[str],
    arrays: Mapping[str, Array],
    shared: Mapping[str, SharedCell],
) -> DataError:
    if not arrays:
        detail = f"{path}: there is no array in it"
    else:
        names = ", ".join(repr(name[:80]) for name in unknown[:10])
        detail = f"{path}: the program has no param or state {names}"
    return DataError(
        Diagnostic(
            "TC0802",
            detail,
            notes=(
                f"the file has {_listed(arrays)}",
                f"the program has {_listed(shared)}",
            ),
            hints=("arrays go to the params of their names",),
        )
    )


def _listed(names: Mapping[str, object]) -> str:
    shown = ", ".join(name[:80] for name in list(names)[:20])
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"{shown}{more}" or "none"


def _fitting(path: Path, cell: SharedCell, array: Array) -> Array:
    """Return an array as the variable takes it."""
    held = describe(np.broadcast_to(np.empty((), cell.dtype), cell.shape))
    if array.shape != cell.shape:
        detail = f"{path}: '{cell.name}' is {held} in the program, "
        raise DataError(Diagnostic("TC0803", f"{detail}{describe(array)} in the file"))
    try:
        return convert(array, cell.dtype, f"{path}: '{cell.name}'")
    except TensorcError as error:
        raise DataError(
            *(
                Diagnostic("TC0803", d.message, notes=d.notes, hints=d.hints)
                for d in error.diagnostics
            )
        ) from error
