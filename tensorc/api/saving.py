"""Keep parameters in files: `save` and `restore`, by name.

tc.save("model.safetensors", [W, b])
tc.restore("model.safetensors", [W, b])
tc.save("results.npz", {"W": W, "costs": np.array(costs)})
"""

from collections.abc import Iterable, Mapping
from os import PathLike

import numpy as np

from tensorc.api.paths import path_of
from tensorc.errors import TensorcError
from tensorc.floats import is_bfloat16
from tensorc.frontend.library.mistakes import outside, usage_error
from tensorc.frontend.python.grouping.groups import Group
from tensorc.frontend.python.symbolic_operands import describe
from tensorc.frontend.python.symbolic_variables import Shared
from tensorc.runtime.arrays import DTYPES, Array
from tensorc.runtime.files.weights import load_weights, save_arrays
from tensorc.runtime.shared import SharedCell as Cell

_EXAMPLE = 'tc.save("model.safetensors", {"W": W, "b": b})'


@outside("save would write")
def save(path: str | PathLike[str], params: object) -> None:
    """Write variables to a .safetensors or .npz file; it is the old or new one always.

    `restore`, `tensorc --init` and, of an .npz, `np.load` read it.

    Args:
        path: the file, whose ending says which of the two it is.
        params: shared variables that have names, a group or dictionary of them by name,
            or a program. There may be arrays of numbers among them.

    Raises:
        TensorcError: the file cannot be written, there is nothing to write, a variable
            has no name, or an array holds no numbers.
    """
    arrays = {
        name: held.get_value() if isinstance(held, Cell) else held
        for name, held in _named(params, arrays=True).items()
    }
    if not arrays:
        raise usage_error("there is nothing to save: params is empty", _EXAMPLE)
    save_arrays(path_of(path, "path"), arrays)


@outside("restore would set variables")
def restore(path: str | PathLike[str], params: object) -> list[str]:
    """Set shared variables to the arrays of their names in a file.

    A float array may be rounded to a variable's type, all else must be exact. The file
    may lack names: these variables keep their values, and their names are returned.

    Args:
        path: a .safetensors or .npz file.
        params: as for `save`.

    Raises:
        TensorcError: the file is missing or damaged, a name of it is not among the
            variables, or an array does not fit; no variable has changed.
    """
    named = _named(params, arrays=False)
    cells = {n: cell for n, cell in named.items() if isinstance(cell, Cell)}
    return load_weights(path_of(path, "path"), cells)


def _named(params: object, arrays: bool) -> dict[str, Cell | Array]:
    """Return memory, and arrays where they are possible, by name."""
    if isinstance(params, Shared):
        params = [params]
    held = getattr(params, "shared", params)  # a program
    found: dict[str, Cell | Array] = {}
    for name, variable in _pairs(held):
        cell = variable.cell if isinstance(variable, Shared) else variable
        if arrays and isinstance(cell, np.ndarray | np.generic):
            cell = _plain(cell, name)
        elif not isinstance(cell, Cell):
            message = f"params are shared variables, got {describe(variable)}"
            raise usage_error(message, _EXAMPLE)
        if not name or not isinstance(name, str):
            message = "a variable without a name cannot be found again"
            raise usage_error(message, 'tc.shared(value, "W")', _EXAMPLE)
        if "\0" in name or name != name.encode(errors="ignore").decode():
            message = (
                f"{name!r:.100} is not a name for a file: a zero or half a character"
            )
            raise usage_error(message, _EXAMPLE)
        if found.get(name, cell) is not cell:
            raise usage_error(f"two variables are called '{name}'", _EXAMPLE)
        found[name] = cell
    return found


def _plain(array: Array | np.generic, name: object) -> Array:
    """Return an array of numbers as files hold it."""
    native = np.array(array, order="C")
    native = native.astype(native.dtype.newbyteorder("="), copy=False)
    if native.dtype not in DTYPES.values() and not is_bfloat16(native.dtype):
        message = f"'{name}' is an array of {native.dtype}, files hold numbers"
        raise usage_error(
            message, "bool, int8 to uint64, float16 to float64 and bfloat16"
        )
    return native


def _pairs(held: object) -> Iterable[tuple[object, object]]:
    if isinstance(held, Mapping | Group):
        return held.items()
    if isinstance(held, Iterable) and not isinstance(held, str | bytes):
        return [(getattr(variable, "name", None), variable) for variable in held]
    raise _not_params(held)


def _not_params(held: object) -> TensorcError:
    message = f"params are shared variables, got {describe(held)}"
    return usage_error(message, _EXAMPLE)
