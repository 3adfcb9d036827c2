"""What a class of ops declares, read from its annotations: for parser and verifier."""

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Union, get_args, get_origin, get_type_hints

from tensorc.ir.core import Op

ABSENT = type(None)


@dataclass(frozen=True, slots=True)
class Schema:
    """What an op must look like.

    `attributes` gives the Python types that each declared attribute may have; `ABSENT`
    among them means that it may be missing. `operands` gives the classes of types that
    `infer` takes, by position, and `rest` those of all further operands.
    """

    attributes: Mapping[str, tuple[type, ...]]
    operands: tuple[tuple[type, ...], ...]
    rest: tuple[type, ...]


# Reading annotations takes longer than checking an op; a declaration never changes.
_KNOWN: dict[type[Op], Schema] = {}


def schema_of(cls: type[Op]) -> Schema:
    """Return the schema of a class of ops."""
    known = _KNOWN.get(cls)
    if known is None:
        hints = get_type_hints(cls)
        attributes = {name: members(hints[name]) for name in cls.attribute_names}
        infer: Callable[..., object] | None = getattr(cls, "infer", None)
        operands, rest = _positional(infer) if infer is not None else ((), ())
        known = _KNOWN[cls] = Schema(attributes, operands, rest)
    return known


def _positional(
    infer: Callable[..., object],
) -> tuple[tuple[tuple[type, ...], ...], tuple[type, ...]]:
    """Return the classes that the parameters behind `ctx` and the rest take."""
    hints = get_type_hints(infer)
    parameters = list(inspect.signature(infer).parameters.values())[1:]
    single = [
        members(hints[p.name])
        for p in parameters
        if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    rest = [
        members(hints[p.name])
        for p in parameters
        if p.kind is inspect.Parameter.VAR_POSITIONAL
    ]
    return tuple(single), rest[0] if rest else ()


def members(hint: object) -> tuple[type, ...]:
    """Return the classes in an annotation: `int | None` is int and NoneType."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return tuple(t for part in get_args(hint) for t in members(part))
    found = hint if origin is None else origin
    return (found,) if isinstance(found, type) else ()
