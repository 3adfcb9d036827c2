"""Keep parameters in files: `save` and `restore`, by name.

tc.save("model.safetensors", [W, b])
tc.restore("model.safetensors", [W, b])
"""

from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path

from tensorc.errors import TensorcError
from tensorc.frontend.places import door, usage_error
from tensorc.frontend.symbolic_operands import describe
from tensorc.frontend.symbolic_variables import Shared
from tensorc.runtime.shared import Shared as Cell
from tensorc.runtime.weights import load_weights, save_weights

_EXAMPLE = 'tc.save("model.safetensors", {"W": W, "b": b})'


@door
def save(path: str | PathLike[str], params: object) -> None:
    """Write shared variables to a .safetensors file; it is the old or new one always.

    Args:
        path: the file.
        params: shared variables that have names, a dictionary of them by name, or a
            program.

    Raises:
        TensorcError: the file cannot be written, or a variable has no name.
    """
    save_weights(Path(fspath(path)), _cells(params))


@door
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
    return load_weights(Path(fspath(path)), _cells(params))


def _cells(params: object) -> dict[str, Cell]:
    """Return memory by name."""
    if isinstance(params, Shared):
        params = [params]
    held = getattr(params, "shared", params)  # a program
    found: dict[str, Cell] = {}
    for name, variable in _pairs(held):
        cell = variable.cell if isinstance(variable, Shared) else variable
        if not isinstance(cell, Cell):
            message = f"params are shared variables, got {describe(variable)}"
            raise usage_error(message, _EXAMPLE)
        if not name or not isinstance(name, str):
            message = "a variable without a name cannot be found again"
            raise usage_error(message, 'tc.shared(value, "W")', _EXAMPLE)
        if found.get(name, cell) is not cell:
            raise usage_error(f"two variables are called '{name}'", _EXAMPLE)
        found[name] = cell
    return found


def _pairs(held: object) -> Iterable[tuple[object, object]]:
    if isinstance(held, Mapping):
        return held.items()
    if isinstance(held, Iterable) and not isinstance(held, str | bytes):
        return [(getattr(variable, "name", None), variable) for variable in held]
    raise _not_params(held)


def _not_params(held: object) -> TensorcError:
    message = f"params are shared variables, got {describe(held)}"
    return usage_error(message, _EXAMPLE)
