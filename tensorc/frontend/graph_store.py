"""Graphs as indexed lists, so that copying and pickling never recurse.

A `Bundle` is a part of a graph: rows that refer to rows before them. What a user copies
or pickles refers to a bundle and a row. While a bundle is alive, which is as long as
the copy or the dump that made it, later variables of the same dump refer to its rows:
so a classifier's input, layers and cost still share their nodes afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias
from weakref import ReferenceType, ref

from tensorc.errors import Location
from tensorc.frontend.graph import (
    Derivative,
    Input,
    SharedLeaf,
    ordered,
    parents,
    renamed,
    sources_of,
)
from tensorc.ir.attributes import Attribute
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import VALUE, Dim, substitute, symbol
from tensorc.ir.types import Element, TensorType, Type

Indices: TypeAlias = tuple[int, ...]


class Bundle:
    """Values of a graph in order; `values` is what they are in this process."""

    __slots__ = ("__weakref__", "values")

    def __init__(self, values: Sequence[Value]) -> None:
        self.values = tuple(values)

    def __reduce__(self) -> tuple[object, ...]:
        return _load, (_rows(self),)


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    bundle: Bundle
    index: int


@dataclass(frozen=True, slots=True)
class _Input:
    element: Element
    shape: tuple[int | None, ...]
    hint: str
    place: Location


@dataclass(frozen=True, slots=True)
class _Shared:
    type: TensorType
    cell: object
    hint: str


@dataclass(frozen=True, slots=True)
class _Node:
    """A node and which of its results the row is.

    Symbols are named "row:axis" or, for the value of a scalar, "$row".
    """

    cls: type[Op]
    operands: Indices
    types: tuple[Type, ...]
    attributes: dict[str, Attribute]
    location: Location
    hint: str
    result: int
    cost: int = 0
    count: int = 0
    inner: Indices = ()


@dataclass(frozen=True, slots=True)
class _Result:
    """Another result of the node in a row before."""

    row: int
    result: int
    hint: str


_Row: TypeAlias = _Elsewhere | _Input | _Shared | _Node | _Result

# The row of each value in a living bundle, by identity: the bundle keeps it alive.
_LIVING: dict[int, tuple[ReferenceType[Bundle], int]] = {}


def stored(value: Value) -> tuple[Bundle, int]:
    """Return the bundle that holds a value, and its row there."""
    found = _find(value)
    if found is not None:
        return found
    values = ordered([value], _Living(), _all_parents)
    bundle = Bundle(values)
    fresh = [id(v) for v in values if _find(v) is None]

    def forget(dead: ReferenceType[Bundle]) -> None:
        for key in fresh:
            if _LIVING.get(key, (None, 0))[0] is dead:
                del _LIVING[key]

    weak = ref(bundle, forget)
    kept = set(fresh)
    for i, v in enumerate(values):
        if id(v) in kept:
            _LIVING[id(v)] = weak, i
    return bundle, len(values) - 1


def restore(bundle: Bundle, index: int) -> Value:
    """Return the value of a row."""
    return bundle.values[index]


def _find(value: Value) -> tuple[Bundle, int] | None:
    weak, index = _LIVING.get(id(value), (None, 0))
    bundle = weak() if weak is not None else None
    if bundle is None or bundle.values[index] is not value:
        return None
    return bundle, index


class _Living:
    """The values that some living bundle holds."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, Value) and _find(value) is not None


def _all_parents(op: Op) -> list[Value]:
    """Return what must be stored before a node: the cost holds the inner nodes."""
    return [*parents(op), op.cost] if isinstance(op, Derivative) else parents(op)


# Writing


def _rows(bundle: Bundle) -> list[_Row]:
    place = {v: i for i, v in enumerate(bundle.values)}
    names: dict[str, Dim] = {}
    nodes: dict[Op, int] = {}
    rows: list[_Row] = []
    for row, value in enumerate(bundle.values):
        if isinstance(value, Input):
            names.update(_row_names(value, row))
        living = _find(value)
        if living is not None and living[0] is not bundle:
            rows.append(_Elsewhere(*living))
        elif isinstance(value, Input):
            rows.append(_input_row(value))
        elif isinstance(value, SharedLeaf):
            assert isinstance(value.type, TensorType)
            rows.append(_Shared(value.type, value.cell, value.hint))
        else:
            assert value.op is not None
            first = nodes.setdefault(value.op, row)
            if first != row:
                rows.append(_Result(first, value.index, value.hint))
            else:
                rows.append(_node_row(value.op, value, place, nodes, names))
    return rows


def _row_names(value: Input, row: int) -> dict[str, Dim]:
    assert isinstance(value.type, TensorType)
    sizes = [s for dim in value.type.shape for s in sources_of(dim)]
    names: dict[str, Dim] = {s.name: symbol(f"{row}:{s.axis}") for s in sizes}
    if value.given is not None:
        # The mark keeps formulas in normal form: a value may be negative.
        names.update({s.name: symbol(f"{VALUE}{row}") for s in sources_of(value.given)})
    return names


def _input_row(value: Input) -> _Input:
    assert isinstance(value.type, TensorType)
    shape = tuple([d if isinstance(d, int) else None for d in value.type.shape])
    return _Input(value.type.element, shape, value.hint, value.place)


def _node_row(
    op: Op,
    value: Value,
    place: dict[Value, int],
    nodes: dict[Op, int],
    names: dict[str, Dim],
) -> _Node:
    types = tuple([_with_names(r.type, names) for r in op.results])
    attributes = renamed(op.attributes, names)
    operands = tuple([place[v] for v in op.operands])
    row = (type(op), operands, types, attributes, op.location, value.hint, value.index)
    if not isinstance(op, Derivative):
        return _Node(*row)
    inner = tuple([place[next(r for r in i.results if r in place)] for i in op.inner])
    return _Node(*row, place[op.cost], op.count, inner)


def _with_names(type_: Type, names: dict[str, Dim]) -> Type:
    assert isinstance(type_, TensorType)
    shape = tuple([substitute(d, names) for d in type_.shape])
    return TensorType(shape, type_.element)


# Reading


def _load(rows: list[_Row]) -> Bundle:
    values: list[Value] = []
    names: dict[str, Dim] = {}
    for row in rows:
        values.append(_value(row, values, names))
        last = values[-1]
        if isinstance(last, Input):
            assert isinstance(last.type, TensorType)
            sizes = enumerate(last.type.shape)
            names.update({f"{len(values) - 1}:{axis}": dim for axis, dim in sizes})
            if last.given is not None:
                names[f"{VALUE}{len(values) - 1}"] = last.given
    return Bundle(values)


def _value(row: _Row, values: list[Value], names: dict[str, Dim]) -> Value:
    match row:
        case _Elsewhere(bundle, index):
            return bundle.values[index]
        case _Input(element, shape, hint, place):
            return Input(element, shape, hint, place)
        case _Shared(type_, cell, hint):
            return SharedLeaf(type_, cell, hint)
        case _Result(first, result, hint):
            op = values[first].op
            assert op is not None
        case _Node(result=result, hint=hint):
            op = _node(row, values, names)
    value = op.results[result]
    value.hint = hint
    return value


def _node(row: _Node, values: list[Value], names: dict[str, Dim]) -> Op:
    operands = [values[i] for i in row.operands]
    if issubclass(row.cls, Derivative):
        inner = [op for op in (values[i].op for i in row.inner) if op is not None]
        wrt, read = operands[: row.count], operands[row.count :]
        return row.cls(values[row.cost], wrt, read, inner, row.location)
    types = [_with_names(t, names) for t in row.types]
    return row.cls(operands, types, renamed(row.attributes, names), (), row.location)
