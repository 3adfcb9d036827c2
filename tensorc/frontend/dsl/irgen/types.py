"""Types as written, against values: binding of sizes, checks, conversion of numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tensorc.errors import CompileError, DTypeError, Label, Location, ShapeError
from tensorc.frontend.dsl.irgen.context import Frame, Unit, operand_label
from tensorc.frontend.dsl.irgen.errors import (
    NO_VALUE,
    SIZE_NAME,
    SIZES,
    TYPES,
    UNKNOWN_NAME,
    error,
    moved,
    not_compiled,
    suggestion,
    with_labels,
)
from tensorc.frontend.dsl.irgen.values import (
    DeclaredType,
    GroupValue,
    Known,
    MemoryRef,
    describe,
)
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.operands import (
    KINDS,
    Literal,
    Operand,
    Shape,
    TensorOperand,
    broadcast,
    kind_of,
    kind_of_element,
    materialize,
    number,
    spell_element,
    spell_shape,
    spell_type,
)
from tensorc.ir.dims import Dim
from tensorc.ir.types import ELEMENTS, I1, I64, Element, TensorType

_ANY = "_"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A type that a value must have: what it is for, and where it is written.

    `giver` is the call in which the value is written, if that is another one.
    """

    type: ast.Type
    what: str
    scalar_fills: bool = False
    giver: Frame | None = None


def element_of_name(unit: Unit, dtype: str, location: Location) -> Element:
    """Return the element type of a dtype's name."""
    if dtype == "float":
        return unit.default_float
    name = {"int": "i64", "bool": "i1"}.get(dtype, dtype)
    name = f"ui{dtype[1:]}" if dtype.startswith("u") else name
    if name not in ELEMENTS:
        raise not_compiled(f"the type `{dtype}`", location)
    return ELEMENTS[name]


# Sizes


def is_open(frame: Frame, dim: ast.Dim) -> bool:
    """Tell whether a dimension is a capitalised name that has no value yet."""
    if not isinstance(dim, ast.Name) or dim.name == _ANY:
        return False
    return dim.name[0].isupper() and frame.scope.find(dim.name) is None


def dimension(frame: Frame, node: ast.Expression) -> Dim:
    """Return the value of a dimension in a type; it is an integer and not negative."""
    unknown = _unknown_size(frame, node)
    if unknown is not None:
        raise unknown
    value = frame.size(node, "a size")
    if isinstance(value, int) and value < 0:
        raise error(SIZES, f"a size is negative: {value}", node.location)
    return value


def _unknown_size(frame: Frame, node: ast.Node) -> CompileError | None:
    """Return the error about the first name in a dimension that has no value."""
    if isinstance(node, ast.Name):
        if frame.scope.find(node.name) is not None:
            return None
        name = node.name
        if name[0].isupper():
            message = f"the size `{name}` is not bound by an argument"
            hint = f"an argument's type must have `{name}` alone as a size"
            return error(SIZE_NAME, message, node.location, hint)
        message = f"unknown size `{name}`"
        hints = suggestion(name, frame.scope.all_names())
        free = f"a size that each call may choose is capitalised: `{name.capitalize()}`"
        return error(SIZE_NAME, message, node.location, *(hints or (free,)))
    if isinstance(node, ast.Binary):
        return _unknown_size(frame, node.lhs) or _unknown_size(frame, node.rhs)
    return None


def shape_of(frame: Frame, type_: ast.TensorType) -> tuple[Dim | None, ...]:
    """Return the sizes of a type; None stands for `...` that no argument bound."""
    dims: list[Dim | None] = []
    for dim in type_.dims:
        if isinstance(dim, ast.AnyDims):
            dims.extend((None,) if frame.any_dims is None else frame.any_dims)
        elif isinstance(dim, ast.Name) and dim.name == _ANY:
            dims.append(new_size(frame))
        else:
            dims.append(dimension(frame, dim))
    return tuple(dims)


def new_size(frame: Frame) -> Dim:
    """Return a size without a name."""
    entry = frame.entry
    entry.unknowns += 1
    return entry.builder.constraints.declare(f"_{entry.unknowns}")


def bind_sizes(frame: Frame, type_: ast.Type, shape: Shape, declare: bool) -> None:
    """Bind the free sizes of a type to those of a value, or declare them as symbols."""
    if not isinstance(type_, ast.TensorType):
        return
    dims = list(type_.dims)
    dots = next((i for i, d in enumerate(dims) if isinstance(d, ast.AnyDims)), None)
    if dots is not None and not declare:
        count = len(shape) - (len(dims) - 1)
        if count < 0:
            return
        if frame.any_dims is None:
            frame.any_dims = shape[dots : dots + count]
        dims[dots : dots + 1] = [ast.Name(_ANY, location=type_.location)] * count
    for i, dim in enumerate(dims):
        if isinstance(dim, ast.Name) and is_open(frame, dim):
            if declare:
                size: Dim = frame.entry.builder.constraints.declare(dim.name)
            elif i < len(shape):
                size = shape[i]
            else:
                continue
            known = number(size) if not isinstance(size, int) else number(int(size))
            frame.scope.bind(dim.name, known, dim.location)


def sizes_named(node: ast.Function | ast.Step) -> Iterator[str]:
    """Yield the names that stand alone as sizes in a signature, as often as they do."""
    types = [formal.type for formal in node.formals]
    types += [field.type for field in node.result.fields] if node.result else []
    for type_ in types:
        for dim in type_.dims if isinstance(type_, ast.TensorType) else ():
            if isinstance(dim, ast.Name):
                yield dim.name


# Types


def declared(frame: Frame, type_: ast.Type) -> DeclaredType:
    """Return a type with its sizes as numbers."""
    if isinstance(type_, ast.TensorType):
        element = element_of_name(frame.unit, type_.dtype, type_.location)
        return DeclaredType(element, shape_of(frame, type_))
    value = _named(frame, type_)
    if isinstance(value, MemoryRef):
        return DeclaredType(value.memory.type.element, value.memory.type.shape)
    if isinstance(value, TensorOperand):
        return DeclaredType(value.type.element, frame.emitter.shape(value))
    raise error(NO_VALUE, "`like` needs a tensor or a memory", type_.location)


def _named(frame: Frame, type_: ast.LikeType) -> Known:
    name = type_.path[0]
    binding = frame.scope.find(name)
    if binding is None:
        if name == "params":
            raise not_compiled("a group", type_.location)
        hints = suggestion(name, frame.scope.all_names())
        raise error(UNKNOWN_NAME, f"unknown name `{name}`", type_.location, *hints)
    value = frame.use(binding.value, type_.location)
    for part in type_.path[1:]:
        if not isinstance(value, GroupValue):
            message = f"`{name}` is {describe(value)}, it has no `.{part}`"
            raise error(NO_VALUE, message, type_.location)
        value = frame.member(value, part, type_.location)
        name += f".{part}"
    if isinstance(value, GroupValue):
        raise not_compiled("`like` of a group", type_.location, value.way())
    return value


def tensor_type(frame: Frame, type_: ast.Type) -> TensorType:
    """Return a type in which no `...` stands."""
    found = declared(frame, type_)
    dims = [d for d in found.dims if d is not None]
    if len(dims) < len(found.dims):
        raise error(SIZES, "`...` has no meaning here", type_.location)
    return TensorType(tuple(dims), found.element)


def fit(frame: Frame, value: Known, wanted: Wanted, node: ast.Node) -> TensorOperand:
    """Return a value as a tensor of a type; numbers are converted, tensors checked."""
    operand = frame.as_operand(value, node)
    shape = _shape_of_operand(frame, operand)
    bind_sizes(frame, wanted.type, shape, declare=False)
    target = declared(frame, wanted.type)
    label = Label(wanted.type.location, f"{wanted.what} is declared here")
    return _fitted(frame, operand, target, wanted, node, label)


def fit_like(
    frame: Frame,
    value: Known,
    like: TensorOperand,
    what: str,
    node: ast.Node,
    location: Location,
) -> TensorOperand:
    """Return a value as a tensor of another one's type; a scalar fills its shape.

    Errors say `what` the value is, and show the location of the other one.
    """
    target = DeclaredType(like.type.element, frame.emitter.shape(like))
    wanted = Wanted(ast.LikeType((), location=location), what, scalar_fills=True)
    label = Label(location, f"{what} has the type of this")
    return _fitted(frame, frame.as_operand(value, node), target, wanted, node, label)


def _fitted(
    frame: Frame,
    operand: Operand,
    target: DeclaredType,
    wanted: Wanted,
    node: ast.Node,
    label: Label,
) -> TensorOperand:
    frame.entry.builder.location = node.location
    try:
        converted = _fit_element(frame, operand, target.element, wanted)
        return _fit_shape(frame, converted, target.dims, wanted)
    except CompileError as failure:
        given = operand_label(wanted.giver or frame, node, operand).text
        raise with_labels(moved(failure, node.location, given), [label]) from None


def _shape_of_operand(frame: Frame, operand: Operand) -> Shape:
    if isinstance(operand, TensorOperand):
        return frame.emitter.shape(operand)
    return tuple(operand.values.shape) if isinstance(operand, Literal) else ()


def _fit_element(
    frame: Frame, operand: Operand, element: Element, wanted: Wanted
) -> TensorOperand:
    if isinstance(operand, TensorOperand) and not operand.weak:
        own = operand.type.element
        if own == element:
            return operand
        message = f"{wanted.what} is {spell_element(element)}, "
        message += f"got {spell_type(operand.type)}"
        fix = f"cast it: `{_spell_cast(frame, element)}(...)`"
        raise error_types(message, frame, fix)
    kind, rank = kind_of(operand), KINDS.index(kind_of_element(element))
    fits = KINDS.index(kind) <= rank and (kind != "bool" or element == I1)
    if not fits:
        text = {"bool": "a boolean", "int": "an integer", "float": "a number with a "}
        given = "a float" if kind == "float" else text[kind]
        message = f"{wanted.what} is {spell_element(element)}, got {given}"
        raise error_types(message, frame)
    return TensorOperand(materialize(frame.emitter, operand, element))


def error_types(message: str, frame: Frame, *hints: str) -> DTypeError:
    """Return an error about element types at the current place."""
    failure = error(TYPES, message, frame.entry.builder.location, *hints)
    return DTypeError(*failure.diagnostics)


def _spell_cast(frame: Frame, element: Element) -> str:
    if element == frame.unit.default_float:
        return "float"
    return "int" if element == I64 else spell_element(element)


def _fit_shape(
    frame: Frame, tensor: TensorOperand, dims: Sequence[Dim | None], wanted: Wanted
) -> TensorOperand:
    shape = frame.emitter.shape(tensor)
    if None in dims:
        if len(shape) < len(dims) - 1:
            raise _shape_error(frame, tensor, dims, wanted)
        return tensor
    sizes = tuple(d for d in dims if d is not None)
    if wanted.scalar_fills and not shape and sizes:
        return TensorOperand(broadcast(frame.emitter, tensor.value, sizes))
    if len(shape) != len(sizes):
        raise _shape_error(frame, tensor, dims, wanted)
    for own, size in zip(shape, sizes, strict=True):
        if not frame.emitter.unify(size, own):
            raise _shape_error(frame, tensor, dims, wanted)
    return tensor


def _shape_error(
    frame: Frame, tensor: TensorOperand, dims: Sequence[Dim | None], wanted: Wanted
) -> ShapeError:
    resolve = frame.entry.builder.constraints.resolve
    words = ["..." if d is None else str(resolve(d)) for d in dims]
    shape = f"has shape [{', '.join(words)}]" if words else "is a scalar"
    given = spell_shape(frame.emitter.shape(tensor)) if tensor.type.rank else "a scalar"
    message = f"{wanted.what} {shape}, got {given}"
    # One number of many: what is meant is mostly a cost.
    hints = [] if words else ["make one number of it: `mean(…)` or `sum(…)`"]
    failure = error(SIZES, message, frame.entry.builder.location, *hints)
    return ShapeError(*failure.diagnostics)
