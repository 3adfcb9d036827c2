"""Artifacts as bytes: a JSON header, then the object code.

    size of the header (8 bytes, little-endian), header, object

The header is data of known form: `decode` checks every field of it, so that hostile
bytes give a ValueError and nothing else. (Object code that somebody else has written is
code all the same: who may write the cache may run what they like.)
"""

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from tensorc.artifact import (
    OPERATORS,
    Argument,
    Artifact,
    DimExpr,
    FunctionInfo,
    Guard,
    Origin,
    Result,
    Site,
)
from tensorc.errors import Location

_VERSION = 4
_DEEPEST = 100  # nested operators of a dimension
_KINDS = ("shared", "input", "hyper")
T = TypeVar("T")


def encode(artifact: Artifact) -> bytes:
    """Return an artifact as bytes; equal artifacts give equal bytes."""
    functions = [_function_data(f) for f in artifact.functions]
    data = {"version": _VERSION, "target": artifact.target, "functions": functions}
    header = json.dumps(data, separators=(",", ":"), sort_keys=True).encode()
    return len(header).to_bytes(8, "little") + header + artifact.object


def decode(content: bytes) -> Artifact:
    """Return the artifact that bytes stand for. Raises ValueError if they are none."""
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 + size:
        raise ValueError("it is cut off")
    try:
        data = json.loads(content[8 : 8 + size], parse_constant=_refuse)
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    header = _fields(data, ("functions", "target", "version"))
    if header["version"] != _VERSION:
        raise ValueError(f"it has the form {header['version']!r:.40}, not {_VERSION}")
    functions = _items(header["functions"], _function)
    return Artifact(_text(header["target"]), content[8 + size :], functions)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} in its header")


_FUNCTION = (
    *("name", "symbol", "epoch_symbol", "arguments", "results", "symbols"),
    *("guards", "arena", "sites", "sizes", "kernels", "flops", "digest"),
    "origins",
)


def _function_data(f: FunctionInfo) -> dict[str, object]:
    return {
        "name": f.name,
        "symbol": f.symbol,
        "epoch_symbol": f.epoch_symbol,
        "arguments": [
            [a.name, a.kind, a.dtype, _shape_data(a.shape), a.value]
            for a in f.arguments
        ],
        "results": [[r.name, r.dtype, _shape_data(r.shape)] for r in f.results],
        "symbols": f.symbols,
        "guards": [
            [
                _dim_data(g.left),
                _dim_data(g.right),
                g.message,
                _location_data(g.location),
                g.is_index,
            ]
            for g in f.guards
        ],
        "arena": _dim_data(f.arena),
        "sites": [[_location_data(s.location), s.is_unsigned] for s in f.sites],
        "sizes": _shape_data(f.sizes),
        "kernels": f.kernels,
        "flops": _dim_data(f.flops),
        "digest": f.digest,
        "origins": [
            [o.argument, o.axis, o.size, _location_data(o.location)] for o in f.origins
        ],
    }


def _shape_data(shape: tuple[DimExpr, ...]) -> list[object]:
    return [_dim_data(d) for d in shape]


def _dim_data(dim: DimExpr) -> object:
    """Return a dimension as JSON; a sum of many terms is one flat list."""
    if not isinstance(dim, tuple):
        return dim
    operator = dim[0]
    terms: list[object] = []
    left: DimExpr = dim
    while isinstance(left, tuple) and left[0] == operator:
        terms.append(_dim_data(left[2]))
        left = left[1]
    return [operator, _dim_data(left), *reversed(terms)]


def _location_data(at: Location) -> list[object]:
    return [at.file, at.line, at.column, at.end_line, at.end_column]


def _function(data: object) -> FunctionInfo:
    given = _fields(data, _FUNCTION)
    return FunctionInfo(
        _text(given["name"]),
        _text(given["symbol"]),
        _text(given["epoch_symbol"]),
        _items(given["arguments"], _argument),
        _items(given["results"], _result),
        _items(given["symbols"], _text),
        _items(given["guards"], _guard),
        _dim(given["arena"]),
        _items(given["sites"], _site),
        _shape(given["sizes"]),
        _integer(given["kernels"]),
        _dim(given["flops"]),
        _text(given["digest"]),
        _items(given["origins"], _origin),
    )


def _argument(data: object) -> Argument:
    name, kind, dtype, shape, value = _row(data, 5)
    if kind not in _KINDS:
        raise ValueError(f"an argument of the kind {kind!r:.80}")
    given = _text(name), kind, _text(dtype), _shape(shape), _text(value)
    return Argument(*given)  # type: ignore[arg-type]  # checked above


def _result(data: object) -> Result:
    name, dtype, shape = _row(data, 3)
    return Result(_text(name), _text(dtype), _shape(shape))


def _guard(data: object) -> Guard:
    left, right, message, place, is_index = _row(data, 5)
    at = _location(place)
    return Guard(_dim(left), _dim(right), _text(message), at, _truth(is_index))


def _origin(data: object) -> Origin:
    argument, axis, size, place = _row(data, 4)
    return Origin(_text(argument), _integer(axis), _text(size), _location(place))


def _site(data: object) -> Site:
    place, is_unsigned = _row(data, 2)
    return Site(_location(place), _truth(is_unsigned))


def _location(data: object) -> Location:
    file, *numbers = _row(data, 5)
    return Location(_text(file), *[_integer(n) for n in numbers])


def _shape(data: object) -> tuple[DimExpr, ...]:
    return _items(data, _dim)


def _dim(data: object, depth: int = 0) -> DimExpr:
    if isinstance(data, str):
        return data
    if not isinstance(data, list):
        return _integer(data)
    operator = data[0] if len(data) > 2 else None
    known = isinstance(operator, str) and operator in OPERATORS
    if not known or depth > _DEEPEST:
        raise ValueError(f"a size made by {operator!r:.40}")
    total, *rest = [_dim(d, depth + 1) for d in data[1:]]
    for term in rest:
        total = (str(operator), total, term)
    return total


def _fields(data: object, names: Sequence[str]) -> dict[str, object]:
    if not isinstance(data, dict) or sorted(data) != sorted(names):
        raise ValueError(f"a record of {', '.join(names)} is missing")
    return data


def _items(data: object, item: Callable[[object], T]) -> tuple[T, ...]:
    if not isinstance(data, list):
        raise ValueError(f"a list is expected, not {data!r:.40}")
    return tuple([item(d) for d in data])


def _row(data: object, count: int) -> list[object]:
    if not isinstance(data, list) or len(data) != count:
        raise ValueError(f"a list of {count} is expected, not {data!r:.40}")
    return data


def _text(data: object) -> str:
    if not isinstance(data, str):
        raise ValueError(f"a text is expected, not {data!r:.40}")
    return data


def _truth(data: object) -> bool:
    if not isinstance(data, bool):
        raise ValueError(f"true or false is expected, not {data!r:.40}")
    return data


def _integer(data: object) -> int:
    if not isinstance(data, int) or isinstance(data, bool):
        raise ValueError(f"an integer is expected, not {data!r:.40}")
    return data
