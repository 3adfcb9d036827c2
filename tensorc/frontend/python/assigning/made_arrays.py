"""Arrays that NumPy makes in a trace, np.zeros(n), and that variables may go into.

NumPy makes them with no variable to ask, and keeps numbers in them. So while a function
is traced, these functions of NumPy give a `Made`: an array like any other, until a
variable is assigned to a part of it. From then on it stands for a variable itself, by
all its names; what was a view of its memory before may not be read any more.
"""

import dis
import functools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from tensorc.frontend.library.mistakes import door, usage_error
from tensorc.frontend.library.operands import Scalar
from tensorc.frontend.python import numpy_functions
from tensorc.frontend.python.assigning.numpy_stores import CHANGING
from tensorc.frontend.python.describing import is_symbolic
from tensorc.frontend.python.running import HOME
from tensorc.frontend.python.symbolic import Tensor, one
from tensorc.frontend.python.symbolic_operands import SETTLED, operand_of
from tensorc.runtime.locks import keep

_NAMES = ("zeros", "ones", "empty", "full", "eye", "identity", "arange", "linspace")
_LISTS = ("array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray")
_OTHERS = ("numpy", "tensorc")  # whose own calls are as they were
_OWN = frozenset(
    ("handle", "base", "__class__", "__dict__", "view", "__array_struct__")
)
NumpyFunction = Callable[..., object]


class Made(np.ndarray):
    """An array of a trace; `handle` is the variable that it has become, if any."""

    handle: Tensor | None
    home: object

    def __array_finalize__(self, obj: object) -> None:
        """Begin as an array of numbers, of which another may be a view."""
        self.handle = None
        self.home = HOME.get()

    def __getattribute__(self, name: str) -> object:
        if name not in _OWN and not name.startswith("__array_"):
            variable = _variable(self)
            if variable is not None:
                return getattr(variable, name)
        return super().__getattribute__(name)

    @door
    def __getitem__(self, index: object) -> object:  # type: ignore[override]
        variable = _variable(self)
        if variable is None and _has_variables(index):
            variable = Tensor(operand_of(np.asarray(self)))
        return super().__getitem__(index) if variable is None else variable[index]  # type: ignore[call-overload]

    @door
    def __setitem__(self, index: object, value: object) -> None:
        variable = _variable(self)
        if variable is None and _has_variables((index, value)):
            variable = _become(self)
        if variable is None:
            super().__setitem__(index, value)  # type: ignore[call-overload]
        else:
            variable[index] = stacked(value)

    def __copy__(self) -> object:  # type: ignore[override]
        return self.copy()

    def __iter__(self) -> Iterator[object]:  # type: ignore[override]
        variable = _variable(self)
        return super().__iter__() if variable is None else iter(variable)

    def __bool__(self) -> bool:
        return bool(_plain(self))

    def __float__(self) -> float:
        return float(_plain(self))  # type: ignore[arg-type]

    def __int__(self) -> int:
        return int(_plain(self))  # type: ignore[call-overload,no-any-return]

    def __repr__(self) -> str:
        return repr(_plain(self))

    def __str__(self) -> str:
        return str(_plain(self))

    @door
    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: object, **options: object
    ) -> object:
        """Compute with numbers as NumPy does, and with variables as they do."""
        given = [_plain(value) for value in inputs]
        out = options.pop("out", None)
        target = out[0] if isinstance(out, tuple) else out
        if method == "at" and isinstance(inputs[0], Made) and _has_variables(inputs):
            given[0] = _changed(inputs[0])
        call = getattr(ufunc, method)
        if not any(is_symbolic(v) for v in (*given, _plain(target))):
            if out is not None:
                assert isinstance(out, tuple)
                call(*given, out=tuple([_plain(o) for o in out]), **options)
                return out[0] if len(out) == 1 else out
            made = call(*given, **options)
            return made.view(Made) if type(made) is np.ndarray else made
        if target is None:
            return call(*given, **options)
        if not isinstance(target, Made):
            options["out"] = (target,)
            return call(*given, **options)
        new = call(*given, **options)
        if _is_part(target):
            return _stored_next(target, new)
        _changed(target)[...] = new
        return target

    @door
    def __array_function__(  # type: ignore[override]
        self,
        function: NumpyFunction,
        types: Iterable[type],
        args: Sequence[object],
        options: Mapping[str, object],
    ) -> object:
        """Call NumPy's function on variables where there is one, else as it is."""
        if not _has_variables((args, options)):
            return super().__array_function__(function, types, args, options)
        given = [_exchanged(value) for value in args]
        if function in CHANGING and args and isinstance(args[0], Made):
            given[0] = _changed(args[0])
        return function(*given, **{n: _exchanged(v) for n, v in options.items()})


def _variable(array: Made) -> Tensor | None:
    """Return the variable that an array has become; TypeError for a view of one."""
    handle = array.handle
    base = array.base
    if handle is None and isinstance(base, Made) and base.handle is not None:
        message = "this is a view of an array that a variable was assigned to since"
        raise usage_error(message, "take the part where it is read: w[1:]")
    return handle


def _become(array: Made) -> Tensor:
    """Let an array be a variable from now on; its own memory is read by nobody."""
    if _is_part(array):
        message = "a variable cannot be assigned to a view of an array of NumPy"
        raise usage_error(
            message, "index the array itself: w[i, j] = x for w[i][j] = x"
        )
    if array.home is not HOME.get():
        message = "this array was made outside of this branch or loop"
        raise usage_error(message, "return the new values, and assign them outside")
    variable = Tensor(operand_of(np.asarray(array)))
    array.handle = variable
    return variable


def _changed(array: Made) -> Tensor:
    """Return the variable that is to be changed, which the array becomes."""
    variable = _variable(array)
    return _become(array) if variable is None else variable


def _is_part(array: Made) -> bool:
    return isinstance(array.base, Made)


def _stored_next(part: Made, new: object) -> object:
    """Return w[i] + x for `w[i] += x`, which stores it next; else TypeError."""
    frame = sys._getframe(2)
    while frame.f_back is not None and _is_others(frame.f_globals):
        frame = frame.f_back
    following = frame.f_code.co_code[frame.f_lasti + 2 : frame.f_lasti + 24 : 2]
    names = [dis.opname[code] for code in following]
    stores = [name for name in names if name.startswith("STORE")]
    if not stores or stores[0] != "STORE_SUBSCR":
        _become(part)
    assert isinstance(new, Tensor)
    return new.astype(part.dtype)


def _plain(value: object) -> object:
    """Return an array of a trace as what it stands for, a variable or an array."""
    if not isinstance(value, Made):
        return value
    variable = _variable(value)
    return np.asarray(value) if variable is None else variable


def _exchanged(value: object) -> object:
    if isinstance(value, list | tuple):
        return type(value)([_exchanged(v) for v in value])
    return _plain(value)


def _has_variables(value: object) -> bool:
    """Tell whether there is a variable in what NumPy is given."""
    if isinstance(value, list | tuple):
        return any(_has_variables(v) for v in value)
    if isinstance(value, dict):
        return any(_has_variables(v) for v in value.values())
    if isinstance(value, slice):
        return False  # bounds are numbers of the call
    return is_symbolic(_plain(value)) and not _is_size(_plain(value))


def _is_size(value: object) -> bool:
    """Tell a number that the call gives, which NumPy asks for."""
    return isinstance(value, Tensor) and isinstance(value.operand, Scalar)


def stacked(value: object) -> object:
    """Return lists that hold variables as one; all else as it is."""
    if isinstance(value, list | tuple) and _has_variables(value):
        return one("stack", [[stacked(v) for v in value]])
    return _plain(value)


# While a trace runs


_LOCK = keep(threading.Lock())
_RUNNING = [0]
_ORIGINALS: dict[str, NumpyFunction] = {}


def _is_others(names: Mapping[str, object]) -> bool:
    return str(names.get("__name__", "")).partition(".")[0] in _OTHERS


def _making(original: NumpyFunction) -> NumpyFunction:
    @functools.wraps(original)
    def function(*args: object, **options: object) -> object:
        made = original(*args, **options)
        if HOME.get() is None or _is_others(sys._getframe(1).f_globals):
            return made
        return made.view(Made) if type(made) is np.ndarray else made

    return function


def _collecting(original: NumpyFunction) -> NumpyFunction:
    @functools.wraps(original)
    def function(*args: object, **options: object) -> object:
        given = args[0] if args else None
        if HOME.get() is None or _is_others(sys._getframe(1).f_globals):
            _require_numbers(given)
            return original(*args, **options)
        if isinstance(given, list | tuple | Made) and _has_variables(given):
            return _collected(original, *args, **options)
        made = original(*args, **options)
        if type(made) is not np.ndarray:
            return made
        if isinstance(given, Made) and np.may_share_memory(made, given):
            # The same array, by another name: what it becomes this one becomes, too.
            alike = made.shape == given.shape and made.dtype == given.dtype
            return given if alike else np.ndarray.reshape(given, made.shape)
        # What NumPy makes a new array of: a list, or another array.
        is_new = made is not given and made.base is None
        return made.view(Made) if is_new else made

    return function


@door
def _require_numbers(given: object) -> None:
    """Raise TypeError for what became a variable, whose memory NumPy would read."""
    if isinstance(given, Made) and _variable(given) is not None:
        message = "this function of NumPy reads numbers; a variable was assigned here"
        raise usage_error(message, "index the array, or call one that takes variables")


@door
def _collected(
    original: NumpyFunction, values: object, dtype: object = None, **options: object
) -> object:
    """Return an array of lists that hold variables, and of what became one."""
    made = stacked(values)
    assert isinstance(made, Tensor)
    is_copy = options.get("copy", original is _ORIGINALS.get("array"))
    if dtype is not None:
        return made.astype(dtype)  # type: ignore[arg-type]
    return made.copy() if is_copy else made


@contextmanager
def numpys_arrays() -> Iterator[None]:
    """Let NumPy's functions give arrays that variables may go into, in this trace."""
    numpy_functions.rows()  # by the functions themselves
    settled = SETTLED.set(_plain)
    with _LOCK:
        _RUNNING[0] += 1
        if _RUNNING[0] == 1:
            for names, wrap in ((_NAMES, _making), (_LISTS, _collecting)):
                for name in names:
                    _ORIGINALS[name] = getattr(np, name)
                    setattr(np, name, wrap(_ORIGINALS[name]))
    try:
        yield
    finally:
        SETTLED.reset(settled)
        with _LOCK:
            _RUNNING[0] -= 1
            if not _RUNNING[0]:
                for name, original in _ORIGINALS.items():
                    setattr(np, name, original)
