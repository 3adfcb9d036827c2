"""Recipes against the functions that they name: arguments, columns, batches.

What is compared is what the file says: types as written, and plain values. Files of
data are not opened, so what only they know is reported at the run.
"""

from collections.abc import Mapping
from dataclasses import replace

from tensorc.errors import CompileError, Label, Location
from tensorc.frontend.dsl.irgen.calls import bind_arguments
from tensorc.frontend.dsl.irgen.context import Frame, FunctionDraft
from tensorc.frontend.dsl.irgen.errors import RECIPE, error, suggestion
from tensorc.frontend.dsl.irgen.types import bind_sizes, tensor_type
from tensorc.frontend.dsl.irgen.values import FunctionValue, Scope
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.operands import Literal
from tensorc.ir.functions import open_function
from tensorc.recipes import DataCall

# The columns that a reader always gives; those of others depend on the files.
COLUMNS: Mapping[str, tuple[str, ...]] = {"mnist": ("x", "y"), "idx": ("x", "y")}
ROLES = ("step", "validate", "test")


def check_call(frame: Frame, function: ast.Function | ast.Step, node: ast.Call) -> None:
    """Compare the arguments of a `run` with the types of its function.

    Raises `CompileError` at the argument that does not fit.
    """
    names = [f.name for f in function.formals]
    given = dict(zip(names, (a.value for a in node.arguments), strict=False))
    given.update((a.name, a.value) for a in node.arguments if a.name is not None)
    values = {name: (frame.evaluate(value), value) for name, value in given.items()}
    types = {f.name: f.type for f in function.formals}
    for name, (value, location) in values.items():
        if isinstance(value, Literal) and not value.values.size:
            # An empty list has elements of any type: integers fit all but bool.
            type_ = types.get(name)
            is_bool = isinstance(type_, ast.TensorType) and type_.dtype == "bool"
            empty = value.values.astype(bool if is_bool else int)
            values[name] = replace(value, values=empty), location
    bind_arguments(inside(frame, function), function.formals, values)


def check_data(
    frame: Frame, options: Mapping[str, object], locations: Mapping[str, Location]
) -> list[CompileError]:
    """Compare the functions of a `fit` with its columns and batches: what is wrong."""
    data, batch = options.get("data"), options.get("batch")
    columns = COLUMNS.get(data.reader) if isinstance(data, DataCall) else None
    wrong = []
    for role in ROLES:
        name = options.get(role)
        found = frame.scope.find(name) if isinstance(name, str) else None
        if found is None or not isinstance(found.value, FunctionValue):
            continue
        try:
            node = found.value.node
            _check_columns(frame, node, columns, batch, locations[role])
            if role != "step":
                _check_result(node, role, locations[role])
        except CompileError as failure:
            wrong.append(failure)
    return wrong


def inside(frame: Frame, function: ast.Function | ast.Step | None) -> Frame:
    """Return a frame for what a signature says, of which nothing is kept."""
    made, builder = open_function("", [])
    entry = FunctionDraft(frame.unit, made, builder, constant=True)
    return Frame(entry, Scope(frame.scope), False, function, frame)


def _check_columns(
    frame: Frame,
    function: ast.Function | ast.Step,
    columns: tuple[str, ...] | None,
    batch: object,
    location: Location,
) -> None:
    name = function.name
    declared = Label(function.location, f"`{name}` is declared here")
    if not function.formals:
        message = f"`{name}` takes no data: it has no arguments"
        raise error(RECIPE, message, location, labels=[declared])
    inner = inside(frame, function)
    for formal in function.formals:
        if formal.type is not None:
            bind_sizes(inner, formal.type, (), declare=True)
    for formal in function.formals:
        label = Label(formal.location, "this argument")
        if formal.default is not None and formal.name not in (columns or ()):
            continue  # without a column it is the same for all batches
        if columns is not None and formal.name not in columns:
            words = " and ".join(f"`{c}`" for c in columns)
            message = f"`{name}` takes `{formal.name}`, the data has {words}"
            hints = suggestion(formal.name, columns)
            raise error(RECIPE, message, location, *hints, labels=[label])
        if formal.type is None:
            continue
        shape = tensor_type(inner, formal.type).shape
        if not shape:
            message = f"`{name}` takes one number as `{formal.name}`, "
            message += "a batch of a column has an axis of rows"
            raise error(RECIPE, message, location, labels=[label])
        rows = shape[0]
        if isinstance(rows, int) and isinstance(batch, int) and rows != batch:
            message = f"`{name}` takes {rows} rows of `{formal.name}`, "
            message += f"a batch has {batch}"
            hint = "a size that each call may choose is capitalised: `B`"
            raise error(RECIPE, message, location, hint, labels=[label])


def _check_result(
    function: ast.Function | ast.Step, role: str, location: Location
) -> None:
    """Refuse what does not return one number, as far as its result is declared."""
    if function.result is None:
        return
    fields = function.result.fields
    only = fields[0].type
    if len(fields) == 1 and not (isinstance(only, ast.TensorType) and only.dims):
        return
    message = f"`{role}` must return one number, `{function.name}` does not"
    label = Label(function.result.location, "declared here")
    hint = "return its mean"
    raise error(RECIPE, message, location, hint, labels=[label])
