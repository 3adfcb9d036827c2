"""What is kept of a checked program, as bytes: all but its functions.

    size of the header (8 bytes, little-endian), header, first values

A program that was kept is used without being parsed; whoever asks for its IR all the
same parses it then. Hostile bytes give a ValueError and nothing else.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from tensorc.errors import CompileError, Diagnostic
from tensorc.floats import BFLOAT16, bfloat16, text_of
from tensorc.frontend.dsl.programs.program import (
    Array,
    CallValue,
    FileProgram,
    FunctionRef,
    HyperValue,
    Kind,
    PlainValue,
    Stored,
)
from tensorc.json_data import (
    integer,
    items,
    location_data,
    location_of,
    read_record,
    row,
    text,
    write_record,
)
from tensorc.recipes import (
    OPTIONS,
    DataCall,
    Fit,
    Patience,
    Run,
)

if TYPE_CHECKING:
    from tensorc.ir.ops.builtin import Module

_VERSION = 2
_FIELDS = (
    *("path", "memories", "hypers", "entries", "steps", "recipes"),
    *("code", "digests"),
)
_KINDS: Mapping[str, Kind] = {"param": "param", "state": "state"}
LARGEST = 1 << 24  # bytes of first values; more than that is made anew each time
_DTYPES = {
    np.dtype(kind).str: np.dtype(kind)
    for kind in (*"?bhilBHILefd", "int64", "uint64")  # what the language has
}


@dataclass
class Known:
    """What was found out about a program: names of entries, joined, and its keys.

    `code` has the keys of compiled code, `digests` those of IR without places.
    """

    code: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Memory:
    """A param or state whose first value was kept."""

    name: str
    kind: Kind
    initial: Array


def encode(program: FileProgram, known: Known) -> bytes | None:
    """Return a program as bytes; None if it has warnings to report, or is too large."""
    if program.warnings:
        return None
    values: list[bytes] = []
    memories: list[object] = []
    room = LARGEST
    for memory in program.memories:
        initial = memory.initial
        # One value for all elements is a view; it is kept as what it is.
        is_filled = initial.size > 1 and not any(initial.strides)
        whole = initial[(0,) * initial.ndim] if is_filled else initial
        room -= whole.nbytes
        if room < 0:
            return None
        shape = list(initial.shape)
        memories.append(
            [memory.name, memory.kind, text_of(whole.dtype), shape, is_filled]
        )
        values.append(whole.tobytes())
    data = {
        "path": program.path,
        "memories": memories,
        "hypers": _named_data(program.hypers),
        "entries": program.entries,
        "steps": program.steps,
        "recipes": [_recipe_data(recipe) for recipe in program.recipes],
        "code": known.code,
        "digests": known.digests,
    }
    return write_record(_VERSION, data, b"".join(values))


def decode(
    content: bytes, parsed: Callable[[], FileProgram]
) -> tuple[FileProgram, Known]:
    """Return the program that bytes stand for, and what is known of it.

    `parsed` gives the program as its file says it, for those who want IR. Raises
    ValueError if the bytes are of no program.
    """
    header, values = read_record(content, _VERSION, _FIELDS)
    warnings: list[Diagnostic] = []

    def emit(names: Sequence[str]) -> "Module":
        module = parsed().emit(names)
        warnings[:] = parsed().warnings
        return module

    try:
        program = FileProgram(
            text(header["path"]),
            _memories(header["memories"], values),
            {n: _hyper(v) for n, v in _named(header["hypers"]).items()},
            items(header["entries"], text),
            items(header["recipes"], _recipe),
            emit,
            lambda entry, hyper: parsed().varies(entry, hyper),
            warnings,
            items(header["steps"], text),
        )
    except (OverflowError, RecursionError) as error:
        raise ValueError(f"{error}") from None
    return program, Known(_texts(header["code"]), _texts(header["digests"]))


def summary(content: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the path and the entries of a program. Raises ValueError."""
    header, _ = read_record(content, _VERSION, _FIELDS)
    return text(header["path"]), items(header["entries"], text)


def _memories(data: object, values: bytes) -> tuple[Stored, ...]:
    found: list[Stored] = []
    start = 0
    for name, given, dtype, sizes, is_filled in items(data, lambda d: row(d, 5)):
        shape, kind = items(sizes, integer), _KINDS.get(text(given))
        type_ = bfloat16() if dtype == BFLOAT16 else _DTYPES.get(text(dtype))
        if kind is None or type_ is None or min(shape, default=0) < 0:
            raise ValueError(f"a memory of {given!r:.40}, {dtype!r:.40}, {shape!r:.40}")
        whole = () if is_filled else shape
        size = math.prod(whole) * type_.itemsize
        if len(values) < start + size:
            raise ValueError("its first values are cut off")
        array = np.frombuffer(values[start : start + size], type_).reshape(whole)
        start += size
        found.append(_Memory(text(name), kind, np.broadcast_to(array, shape)))
    return tuple(found)


def _named_data(values: Mapping[str, object]) -> list[object]:
    return [[name, _value_data(value)] for name, value in values.items()]


def _value_data(value: object) -> object:
    """Return a value as JSON: what JSON lacks is a list that begins with its name."""
    match value:
        case float():
            return ["float", value.hex()]
        case FunctionRef(name):
            return ["function", name]
        case CallValue(callee, arguments, named, at):
            given = [_value_data(a) for a in arguments]
            return ["call", callee, given, _named_data(named), location_data(at)]
        case list() | tuple():
            return [type(value).__name__, [_value_data(v) for v in value]]
        case _:
            return value


def _named(data: object) -> dict[str, PlainValue]:
    pairs = items(data, lambda d: row(d, 2))
    return {text(name): _value(value) for name, value in pairs}


def _value(data: object) -> PlainValue:
    if data is None or isinstance(data, bool | int | str):
        return data
    match data:
        case ["float", str(digits)]:
            return float.fromhex(digits)
        case ["function", str(name)]:
            return FunctionRef(name)
        case ["call", str(callee), arguments, named, at]:
            given = items(arguments, _value)
            return CallValue(callee, given, _named(named), location_of(at))
        case ["list", values]:
            return list(items(values, _value))
        case ["tuple", values]:
            return items(values, _value)
    raise ValueError(f"a value is expected, not {data!r:.40}")


def _hyper(value: PlainValue) -> HyperValue:
    if isinstance(value, bool | int | float | str | FunctionRef):
        return value
    raise ValueError(f"a hyper is expected, not {value!r:.40}")


def _recipe_data(recipe: Fit | Run) -> list[object]:
    """Return a recipe as JSON: its kind, its name, its values and where it stands."""
    at = location_data(recipe.location)
    if isinstance(recipe, Run):
        call = _call_data(recipe.function, recipe.arguments, recipe.named)
        return ["run", recipe.name, call, recipe.times, at]
    data, stop = recipe.data, recipe.stop
    call = _call_data(data.reader, data.arguments, data.named)
    rule = stop and [_value_data(getattr(stop, f.name)) for f in fields(Patience)]
    plain = {name: getattr(recipe, name) for name in _PLAIN}
    locations = [
        [name, location_data(where)] for name, where in recipe.locations.items()
    ]
    return ["fit", recipe.name, call, rule, _named_data(plain), at, locations]


def _call_data(
    callee: str, arguments: Sequence[object], named: Mapping[str, object]
) -> list[object]:
    return [callee, [_value_data(a) for a in arguments], _named_data(named)]


# The options of a `fit` that are plain values.
_PLAIN = tuple(name for name in OPTIONS["fit"] if name not in ("data", "stop"))


def _recipe(data: object) -> Fit | Run:
    """Return the recipe that JSON stands for; its options are checked as any others."""
    try:
        match data:
            case ["run", name, call, times, at]:
                function, arguments, named = _call(call)
                count = integer(times)
                return Run(
                    text(name), function, arguments, count, named, location_of(at)
                )
            case ["fit", name, call, rule, plain, at, places]:
                return _fit(text(name), call, rule, plain, at, places)
    except CompileError as error:
        raise ValueError(f"{error}") from None
    raise ValueError(f"a recipe is expected, not {data!r:.40}")


def _fit(
    name: str, call: object, rule: object, plain: object, at: object, locations: object
) -> Fit:
    values = _named(plain)
    if sorted(values) != sorted(_PLAIN):
        raise ValueError("a fit has other options")
    stop = None if rule is None else row(rule, len(fields(Patience)))
    pairs = items(locations, lambda d: row(d, 2))
    return Fit(
        data=DataCall(*_call(call)),
        stop=None if stop is None else Patience(*map(_value, stop)),  # type: ignore[arg-type]
        name=name,
        location=location_of(at),
        locations={text(option): location_of(where) for option, where in pairs},
        **values,  # type: ignore[arg-type]  # `Fit` checks them
    )


def _call(data: object) -> tuple[str, tuple[PlainValue, ...], dict[str, PlainValue]]:
    callee, arguments, named = row(data, 3)
    return text(callee), items(arguments, _value), _named(named)


def _texts(data: object) -> dict[str, str]:
    if not isinstance(data, dict):
        raise ValueError(f"a record is expected, not {data!r:.40}")
    return {name: text(value) for name, value in data.items()}
