"""Make functions: open one, fill it with a builder, finish it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorc.errors import UNKNOWN, Diagnostic, Location, ShapeError
from tensorc.ir.attributes import (
    ArrayAttr,
    Attribute,
    Dict,
    Dims,
    dims_of,
    make_dict,
    with_dims,
)
from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Value, single_block
from tensorc.ir.dims import (
    VALUE,
    Constraints,
    Dim,
    DimGuard,
    Poly,
    as_symbol,
    is_value,
    known_at_most,
    maximum,
    symbols_of,
)
from tensorc.ir.ops.builtin import Function, Module, Return
from tensorc.ir.ops.scan import Scan
from tensorc.ir.types import FunctionType, TensorType, Type

NO_ATTRIBUTES = Dict(())


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument or result to be: its type, name hint and attributes (tc.name, …)."""

    type: Type
    hint: str = ""
    attributes: Dict = NO_ATTRIBUTES


def new_module(location: Location = UNKNOWN) -> Module:
    """Return an empty module."""
    region, _ = single_block()
    return Module([], [], {}, [region], location)


def open_function(
    name: str,
    parameters: Sequence[Parameter],
    constraints: Constraints | None = None,
    location: Location = UNKNOWN,
) -> tuple[Function, Builder]:
    """Return a function without a body's end, and a builder at its end."""
    region, block = single_block()
    for parameter in parameters:
        block.add_argument(parameter.type, parameter.hint)
    attributes: dict[str, Attribute] = {"sym_name": name}
    if parameters:
        attributes["arg_attrs"] = ArrayAttr(tuple(p.attributes for p in parameters))
    function = Function([], [], attributes, [region], location)
    return function, Builder(block, constraints or Constraints(), location)


def close_function(
    function: Function,
    builder: Builder,
    results: Sequence[Value],
    attributes: Sequence[Dict] = (),
) -> Function:
    """End a function: return the results, resolve all dimensions, store the guards."""
    builder.create(Return, *results)
    if attributes:
        function.attributes["res_attrs"] = ArrayAttr(tuple(attributes))
    resolve_function(function, builder.constraints)
    _mark_values(function)
    return function


def _mark_values(function: Function) -> None:
    """Note at each argument whose value stands in a size which symbol that is."""
    used = {name for dim in dims_in(function) for name in symbols_of(dim)}
    entries = function.attributes.get("arg_attrs")
    if not isinstance(entries, ArrayAttr) or not any(map(is_value, used)):
        return
    marked: list[Attribute] = []
    for entry in entries.items:
        assert isinstance(entry, Dict)
        symbol = f"{VALUE}{entry.get('tc.name')}"
        given = dict(entry.items)
        if symbol in used:
            given["tc.value"] = symbol
        marked.append(make_dict(**given))
    function.attributes["arg_attrs"] = ArrayAttr(tuple(marked))


def dims_in(function: Function) -> set[Dim]:
    """Return the dimensions in types, attributes and guards of a function."""
    found = {d for g in guards_of(function) for d in (g.left, g.right)}
    for op in function.walk():
        for value in (*op.results, *_arguments_in(op)):
            if isinstance(value.type, TensorType):
                found.update(value.type.shape)
        for attribute in op.attributes.values():
            found.update(dims_of(attribute))
    return found


def _arguments_in(op: Op) -> list[Value]:
    return [a for r in op.regions for block in r.blocks for a in block.arguments]


def set_function_type(function: Function) -> None:
    """Make the signature agree with the entry block and the return."""
    block = function.regions[0].block
    function.attributes["function_type"] = FunctionType(
        tuple(a.type for a in block.arguments),
        tuple(v.type for v in block.terminator.operands),
    )


def resolve_function(function: Function, constraints: Constraints) -> None:
    """Put what the constraints know into all types and attributes of a function."""
    _store_solved(function, constraints)
    for op in function.walk() if constraints.bindings else ():
        for argument in _arguments_in(op):
            argument.type = _resolve_type(argument.type, constraints)
        for result in op.results:
            result.type = _resolve_type(result.type, constraints)
        for name, attribute in op.attributes.items():
            op.attributes[name] = with_dims(attribute, constraints.resolve)
    _guard_signs(function, constraints)
    store_guards(function, constraints)
    set_function_type(function)


def _guard_signs(function: Function, constraints: Constraints) -> None:
    """Let the call check sizes that values of arguments may make negative."""
    known: set[Dim] = set()
    for op in function.walk():
        for dim, what in _sizes_of(op):
            if isinstance(dim, int) or dim in known:
                continue
            known.add(dim)
            if any(map(is_value, symbols_of(dim))) and not known_at_most(0, dim):
                words = f"{what} is negative"
                guard = DimGuard(maximum(0, dim), dim, op.location, words)
                constraints.guards.append(guard)


def _sizes_of(op: Op) -> list[tuple[Dim, str]]:
    """Return the sizes of what an op gives, and how many steps a loop has."""
    found = [(op.steps, "the number of steps")] if isinstance(op, Scan) else []
    types = [r.type for r in op.results if isinstance(r.type, TensorType)]
    return found + [(dim, "a size") for type_ in types for dim in type_.shape]


def _resolve_type(type_: Type, constraints: Constraints) -> Type:
    if not isinstance(type_, TensorType):
        return type_
    shape = tuple(constraints.resolve(d) for d in type_.shape)
    return TensorType(shape, type_.element)


def store_guards(function: Function, constraints: Constraints) -> None:
    """Put the guards of the constraints into the attributes of a function.

    Raises:
        ShapeError: an equation can never hold (TC0300).
    """
    locations: dict[Attribute, DimGuard] = {}
    for guard in constraints.guards:
        left, right = (constraints.resolve(d) for d in (guard.left, guard.right))
        if isinstance(left, int) and isinstance(right, int) and left != right:
            # Each equation alone could hold; what was found later says otherwise.
            message = f"sizes that must be equal are {left} and {right}"
            raise ShapeError(Diagnostic("TC0300", message, guard.location))
        if left != right:
            locations.setdefault(Dims((left, right)), guard)
    if locations:
        function.attributes["tc.guards"] = ArrayAttr(tuple(locations))
    if any(guard.location.line for guard in locations.values()):
        stored = tuple(_stored_guard(guard) for guard in locations.values())
        function.attributes["tc.guard_places"] = ArrayAttr(stored)


def _store_solved(function: Function, constraints: Constraints) -> None:
    """Note which sizes of arguments an equation makes formulas, and where it is."""
    found: list[Attribute] = []
    known: set[str] = set()
    for number, argument in enumerate(function.regions[0].block.arguments):
        shape = argument.type.shape if isinstance(argument.type, TensorType) else ()
        for axis, dim in enumerate(shape):
            name = as_symbol(dim) or ""
            walked = constraints.walked.get(name)
            location = walked or constraints.solved.get(name, UNKNOWN)
            is_made = walked or isinstance(constraints.bindings.get(name, 0), Poly)
            if location.line and name not in known and is_made:
                known.add(name)
                at = _stored_location(location)
                own = "" if walked else name
                found.append(make_dict(argument=number, axis=axis, size=own, **at))
    if found:
        function.attributes["tc.solved"] = ArrayAttr(tuple(found))


@dataclass(frozen=True, slots=True)
class Solved:
    """A size of an argument that an equation makes a formula; `size` was its name.

    It is "" where a loop needs a number of turns, whatever that is.
    """

    argument: int
    axis: int
    size: str
    location: Location


def solved_of(function: Op) -> list[Solved]:
    """Return which sizes of arguments equations of a finished function decide."""
    stored = function.attributes.get("tc.solved")
    found = []
    for each in stored.items if isinstance(stored, ArrayAttr) else ():
        if not isinstance(each, Dict):
            continue
        match each.get("argument"), each.get("axis"), each.get("size"):
            case int(number), int(axis), str(size):
                found.append(Solved(number, axis, size, _read_location(each)))
    return found


def _stored_guard(guard: DimGuard) -> Attribute:
    at = _stored_location(guard.location)
    return make_dict(message=guard.message, index=guard.is_index, **at)


def _stored_location(location: Location) -> dict[str, Attribute]:
    return {
        "file": location.file,
        "line": location.line,
        "column": location.column,
        "end_line": location.end_line,
        "end_column": location.end_column,
    }


def _read_location(stored: Attribute) -> Location:
    """Return the location in an entry of `tc.guard_places`, if it is well formed."""
    file = stored.get("file") if isinstance(stored, Dict) else None
    if not isinstance(stored, Dict) or not isinstance(file, str):
        return UNKNOWN
    found = [stored.get(n) for n in ("line", "column", "end_line", "end_column")]
    numbers = [n for n in found if isinstance(n, int)]
    return Location(file, *numbers) if len(numbers) == len(found) else UNKNOWN


def guards_of(function: Op) -> list[DimGuard]:
    """Return what dimensions are equal in a finished function, and where that is so."""
    stored = function.attributes.get("tc.guards")
    items = stored.items if isinstance(stored, ArrayAttr) else ()
    kept = function.attributes.get("tc.guard_places")
    locations = list(kept.items) if isinstance(kept, ArrayAttr) else []
    locations += [NO_ATTRIBUTES] * (len(items) - len(locations))
    return [
        DimGuard(
            d.dims[0],
            d.dims[1],
            _read_location(location),
            _message(location),
            _is_index(location),
        )
        for d, location in zip(items, locations, strict=False)
        if isinstance(d, Dims)
    ]


def _message(stored: Attribute) -> str:
    message = stored.get("message") if isinstance(stored, Dict) else None
    return message if isinstance(message, str) else ""


def _is_index(stored: Attribute) -> bool:
    return isinstance(stored, Dict) and stored.get("index") is True


def constraints_of(function: Op) -> Constraints:
    """Return a finished function's constraints, closed to new facts."""
    return Constraints(guards=guards_of(function), frozen=True)
