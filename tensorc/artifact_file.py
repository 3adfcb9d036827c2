"""Artifacts as bytes: a JSON header, then the object code.

    size of the header (8 bytes, little-endian), header, object

The header is data of known form: `decode` checks every field of it, so that hostile
bytes give a ValueError and nothing else. (Object code that somebody else has written is
code all the same: who may write the cache may run what they like.)
"""

from tensorc.artifact import (
    OPERATORS,
    Argument,
    Artifact,
    Default,
    DimExpr,
    FunctionInfo,
    Guard,
    Origin,
    Result,
    Site,
)
from tensorc.json_data import (
    fields,
    integer,
    items,
    location_data,
    location_of,
    read_record,
    row,
    text,
    truth,
    write_record,
)

_VERSION = 6
_DEEPEST = 100  # nested operators of a dimension
_KINDS = ("shared", "input", "hyper", "captured")


def encode(artifact: Artifact) -> bytes:
    """Return an artifact as bytes; equal artifacts give equal bytes."""
    functions = [_function_data(f) for f in artifact.functions]
    data = {"target": artifact.target, "functions": functions}
    return write_record(_VERSION, data, artifact.object)


def decode(content: bytes) -> Artifact:
    """Return the artifact that bytes stand for. Raises ValueError if they are none."""
    header, code = read_record(content, _VERSION, ("functions", "target"))
    functions = items(header["functions"], _function)
    return Artifact(text(header["target"]), code, functions)


_FUNCTION = (
    *("name", "symbol", "epoch_symbol", "arguments", "results", "symbols"),
    *("guards", "arena", "sites", "sizes", "kernels", "flops", "digest"),
    *("origins", "scratch"),
)


def _function_data(f: FunctionInfo) -> dict[str, object]:
    return {
        "name": f.name,
        "symbol": f.symbol,
        "epoch_symbol": f.epoch_symbol,
        "arguments": [
            [a.name, a.kind, a.dtype, _shape_data(a.shape), a.value, _default_data(a)]
            for a in f.arguments
        ],
        "results": [[r.name, r.dtype, _shape_data(r.shape)] for r in f.results],
        "symbols": f.symbols,
        "guards": [
            [
                _dim_data(g.left),
                _dim_data(g.right),
                g.message,
                location_data(g.location),
                g.is_index,
            ]
            for g in f.guards
        ],
        "arena": _dim_data(f.arena),
        "scratch": _dim_data(f.scratch),
        "sites": [[location_data(s.location), s.is_unsigned] for s in f.sites],
        "sizes": _shape_data(f.sizes),
        "kernels": f.kernels,
        "flops": _dim_data(f.flops),
        "digest": f.digest,
        "origins": [
            [o.argument, o.axis, o.size, location_data(o.location)] for o in f.origins
        ],
    }


def _default_data(argument: Argument) -> list[object] | None:
    default = argument.default
    return None if default is None else [default.shape, default.content.hex()]


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


def _function(data: object) -> FunctionInfo:
    given = fields(data, _FUNCTION)
    return FunctionInfo(
        text(given["name"]),
        text(given["symbol"]),
        text(given["epoch_symbol"]),
        items(given["arguments"], _argument),
        items(given["results"], _result),
        items(given["symbols"], text),
        items(given["guards"], _guard),
        _dim(given["arena"]),
        items(given["sites"], _site),
        _shape(given["sizes"]),
        integer(given["kernels"]),
        _dim(given["flops"]),
        text(given["digest"]),
        items(given["origins"], _origin),
        _dim(given["scratch"]),
    )


def _argument(data: object) -> Argument:
    name, kind, dtype, shape, value, default = row(data, 6)
    if kind not in _KINDS:
        raise ValueError(f"an argument of the kind {kind!r:.80}")
    given = text(name), kind, text(dtype), _shape(shape), text(value)
    return Argument(*given, _default(default))  # type: ignore[arg-type]  # checked above


def _default(data: object) -> Default | None:
    if data is None:
        return None
    shape, content = row(data, 2)
    return Default(items(shape, integer), bytes.fromhex(text(content)))


def _result(data: object) -> Result:
    name, dtype, shape = row(data, 3)
    return Result(text(name), text(dtype), _shape(shape))


def _guard(data: object) -> Guard:
    left, right, message, at, is_index = row(data, 5)
    return Guard(
        _dim(left), _dim(right), text(message), location_of(at), truth(is_index)
    )


def _origin(data: object) -> Origin:
    argument, axis, size, at = row(data, 4)
    return Origin(text(argument), integer(axis), text(size), location_of(at))


def _site(data: object) -> Site:
    at, is_unsigned = row(data, 2)
    return Site(location_of(at), truth(is_unsigned))


def _shape(data: object) -> tuple[DimExpr, ...]:
    return items(data, _dim)


def _dim(data: object, depth: int = 0) -> DimExpr:
    if isinstance(data, str):
        return data
    if not isinstance(data, list):
        return integer(data)
    operator = data[0] if len(data) > 2 else None
    known = isinstance(operator, str) and operator in OPERATORS
    if not known or depth > _DEEPEST:
        raise ValueError(f"a size made by {operator!r:.40}")
    total, *rest = [_dim(d, depth + 1) for d in data[1:]]
    for term in rest:
        total = (str(operator), total, term)
    return total
