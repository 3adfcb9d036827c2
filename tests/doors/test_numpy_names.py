"""All public names of NumPy, called with a variable in a trace.

Each gives variables, numbers or types, or a refusal of its own kind at that line.
"""

import inspect
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import TensorcError
from tensorc.frontend.library.registry.numpy_names import PLANNED, reason_of
from tests.said import said

# What works on no arrays: settings, files, texts, types, classes of other data.
NO_ARRAYS = frozenset(
    """base_repr binary_repr broadcast_shapes busdaycalendar datetime_data
    errstate format_float_positional format_float_scientific frombuffer fromfile
    fromregex fromstring genfromtxt get_include get_printoptions getbufsize geterr
    geterrcall info isdtype issubdtype load loadtxt mintypecode nested_iters
    printoptions promote_types set_printoptions setbufsize seterr seterrcall
    show_config show_runtime test typename finfo iinfo dtype frompyfunc vectorize
    ufunc flatiter poly1d
    from_dlpack fromfunction memmap character flexible generic inexact
    integer number floating complexfloating signedinteger unsignedinteger broadcast
    recarray ndarray ndindex linalg.test linalg.LinAlgError isfortran bool object_ void
    record bytes_ str_ datetime64 timedelta64""".split()  # noqa: SIM905
)
# Arguments of what takes others than one, two or three matrices.
SPECIAL = {
    "apply_along_axis": lambda f, x: f(np.sum, 0, x),
    "apply_over_axes": lambda f, x: f(np.sum, x, 0),
    "arange": lambda f, x: f(x[0, 0]),
    "broadcast_to": lambda f, x: f(x, (2, 3, 3)),
    "bmat": lambda f, x: f([[x, x]]),
    "choose": lambda f, x: f(x > 0, [x, x]),
    "einsum": lambda f, x: f("ij,jk->ik", x, x),
    "einsum_path": lambda f, x: f("ij,jk->ik", x, x),
    "expand_dims": lambda f, x: f(x, 0),
    "eye": lambda f, x: f(x.sum()),
    "full": lambda f, x: f(3, x[0, 0]),
    "identity": lambda f, x: f(x.sum()),
    "indices": lambda f, x: f([x.sum(), 3]),
    "invert": lambda f, x: f(x > 0),
    "bitwise_not": lambda f, x: f(x > 0),
    "bitwise_invert": lambda f, x: f(x > 0),
    "bitwise_and": lambda f, x: f(x > 0, x > 1),
    "bitwise_or": lambda f, x: f(x > 0, x > 1),
    "bitwise_xor": lambda f, x: f(x > 0, x > 1),
    "left_shift": lambda f, x: f(x.astype(int), 1),
    "right_shift": lambda f, x: f(x.astype(int), 1),
    "bitwise_left_shift": lambda f, x: f(x.astype(int), 1),
    "bitwise_right_shift": lambda f, x: f(x.astype(int), 1),
    "roll": lambda f, x: f(x, 1),
    "insert": lambda f, x: f(x, 0, x[0], axis=0),
    "array_split": lambda f, x: f(x, 2),
    "partition": lambda f, x: f(x, 1),
    "argpartition": lambda f, x: f(x, 1),
    "searchsorted": lambda f, x: f(x[0], x),
    "digitize": lambda f, x: f(x, x[0]),
    "bincount": lambda f, x: f(x[0].astype(int), minlength=3),
    "ldexp": lambda f, x: f(x, x.astype(int)),
    "hsplit": lambda f, x: f(x, [1]),
    "vsplit": lambda f, x: f(x, [1]),
    "dsplit": lambda f, x: f(x[None], [1]),
    "convolve": lambda f, x: f(x[0], x[1]),
    "correlate": lambda f, x: f(x[0], x[1]),
    "cumulative_prod": lambda f, x: f(x, axis=0),
    "cumulative_sum": lambda f, x: f(x, axis=0),
    "vander": lambda f, x: f(x[0]),
    "linalg.matrix_power": lambda f, x: f(x, 3),
    "linalg.multi_dot": lambda f, x: f([x, x]),
    "linspace": lambda f, x: f(0.0, x[0, 0], 3),
    "logspace": lambda f, x: f(0.0, x[0, 0], 3),
    "mask_indices": lambda f, x: f(x.sum(), np.triu),
    "matvec": lambda f, x: f(x, x[0]),
    "vecmat": lambda f, x: f(x[0], x),
    "moveaxis": lambda f, x: f(x, 0, 1),
    "rollaxis": lambda f, x: f(x, 0, 1),
    "swapaxes": lambda f, x: f(x, 0, 1),
    "linalg.outer": lambda f, x: f(x[0], x[0]),
    "pad": lambda f, x: f(x, 1),
    "piecewise": lambda f, x: f(x, [x > 0], [1.0]),
    "put": lambda f, x: f(np.zeros(3), [0], x[0]),
    "copyto": lambda f, x: f(np.zeros((3, 3)), x),
    "put_along_axis": lambda f, x: f(x.copy(), x.astype(int), x, 0),
    "putmask": lambda f, x: f(x.copy(), x > 0, x),
    "reshape": lambda f, x: f(x, -1),
    "select": lambda f, x: f([x > 0], [x]),
    "split": lambda f, x: f(x, 3),
    "take": lambda f, x: f(x, [0]),
    "take_along_axis": lambda f, x: f(x, x.astype(int), 0),
    "tensordot": lambda f, x: f(x, x, 1),
    "linalg.tensordot": lambda f, x: f(x, x, axes=1),
    "tile": lambda f, x: f(x, 2),
    "repeat": lambda f, x: f(x, 2),
    "where": lambda f, x: f(x > 0, x, x),
    "astype": lambda f, x: f(x, "float32"),
    "fromiter": lambda f, x: f(x, float),
    "zeros": lambda f, x: f(x.sum()),
    "ones": lambda f, x: f(x.sum()),
    "empty": lambda f, x: f(x.sum()),
    "tri": lambda f, x: f(x.sum()),
    "save": lambda f, x: f("x", x),
    "savetxt": lambda f, x: f("x", x),
    "savez": lambda f, x: f("x", x),
    "savez_compressed": lambda f, x: f("x", x),
    "concatenate": lambda f, x: f([x, x]),
    "concat": lambda f, x: f([x, x]),
    "block": lambda f, x: f([x, x]),
    "column_stack": lambda f, x: f([x, x]),
    "dstack": lambda f, x: f([x, x]),
    "hstack": lambda f, x: f([x, x]),
    "vstack": lambda f, x: f([x, x]),
    "stack": lambda f, x: f([x, x]),
}
GENERAL = (
    lambda f, x: f(x),
    lambda f, x: f(x, x),
    lambda f, x: f(x, 1),
    lambda f, x: f(x, x, x),
)


class DoneError(Exception):
    """The call was answered: nothing is to be compiled."""


def public() -> Iterator[tuple[str, object]]:
    """Yield NumPy's functions and classes by name."""
    for prefix, module in (("", np), ("linalg.", np.linalg)):
        for name in dir(module):
            with warnings.catch_warnings(action="ignore"):
                found = getattr(module, name)
            if name.startswith("_") or inspect.ismodule(found) or not callable(found):
                continue
            if prefix + name not in NO_ARRAYS:
                yield prefix + name, found


NAMES = dict(public())


def tried(name: str) -> object:
    """Return what a call of NumPy's function gives, or the refusal."""
    for call in [SPECIAL[name]] if name in SPECIAL else GENERAL:

        def traced(x, call=call):
            found = call(NAMES[name], x)
            raise DoneError(found)

        try:
            with warnings.catch_warnings(action="ignore"):
                tc.jit(traced)(np.eye(3))
        except DoneError as done:
            return done.args[0]
        except TensorcError as error:
            return error
        except TypeError as error:
            few = ("missing", "takes from", "takes exactly", "positional arg", "needs")
            if not any(words in str(error) for words in few):
                raise
    raise AssertionError("no call fits: it needs a row in SPECIAL")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_numpy_traces_or_says_why_not(name):
    found = tried(name)
    if not isinstance(found, TensorcError):
        return
    text, own = said(found), getattr(NAMES[name], "__name__", name)
    own = f"linalg.{own}" if name.startswith("linalg.") else own
    place = found.diagnostics[0].location
    line = Path(__file__).read_text(encoding="utf-8").splitlines()[place.line - 1]
    assert place.file == __file__
    assert "lambda f, x: f(" in line
    if "no value yet" in text:  # what asks for values, before NumPy asks the variable
        return
    why, hints = reason_of(own)
    assert why in text
    assert all(hint in text for hint in hints)
    assert reason_of(own) != reason_of("unheard of")


def test_what_is_written_instead_is_here():
    """Ways out name no function that is refused in turn."""
    for name, instead in PLANNED.items():
        for word in instead.replace("(", " ").replace("[", " ").split():
            if word.startswith("np.") and callable(getattr(np, word[3:], None)):
                assert word[3:] not in PLANNED, (name, instead)
