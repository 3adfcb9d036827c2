"""Calls: of functions of the file, which are inlined, of the prelude, of types."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tensorc.errors import CompileError, Label
from tensorc.frontend.dsl.irgen.context import Frame, operand_label
from tensorc.frontend.dsl.irgen.derivatives import derivative
from tensorc.frontend.dsl.irgen.errors import (
    CALL,
    NO_VALUE,
    NOT_KNOWN,
    error,
    spelled,
    suggestion,
    with_labels,
)
from tensorc.frontend.dsl.irgen.options import option_given
from tensorc.frontend.dsl.irgen.types import Wanted, fit
from tensorc.frontend.dsl.irgen.values import (
    BuiltinValue,
    CastValue,
    DerivativeValue,
    FunctionValue,
    Known,
    MemoryRef,
    NothingValue,
    TupleValue,
    describe,
)
from tensorc.frontend.dsl.syntax import ast, habits
from tensorc.frontend.library.elementwise import to_element
from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.mistakes import NO_OPTIONS, RENAMED
from tensorc.frontend.library.operands import Operand, Scalar
from tensorc.frontend.library.options import REQUIRED
from tensorc.frontend.library.registry.calls import invoke

_MAKERS: Mapping[str, str] = {"zeros": "0", "ones": "1", "empty": "0", "full": "0"}


def call(frame: Frame, node: ast.Call) -> Known:
    """Return the value of a call."""
    maker = _maker(frame, node.callee)
    if maker is not None:
        raise _no_array(node, maker)
    callee = frame.evaluate(node.callee)
    match callee:
        case FunctionValue():
            return inline(frame, callee, node)
        case BuiltinValue(name, row):
            return _prelude(frame, name, row, node)
        case DerivativeValue(name):
            return derivative(frame, name, node)
        case CastValue(element):
            operand = frame.operand(_single(node))
            frame.entry.builder.location = node.location
            return to_element(frame.emitter, operand, element)
        case _:
            message = f"{describe(callee)} cannot be called"
            raise error(CALL, message, node.callee.location)


def _maker(frame: Frame, callee: ast.Expression) -> str | None:
    """Return zeros, ones or their like, unless the file has a name like that."""
    if isinstance(callee, ast.Name) and callee.name in _MAKERS:
        return callee.name if frame.scope.find(callee.name) is None else None
    return None


def _no_array(node: ast.Call, maker: str) -> CompileError:
    sizes = [a.value for a in node.arguments[:1]]
    if sizes and isinstance(sizes[0], ast.Tuple):
        sizes = list(sizes[0].elements)
    habit = habits.SEMANTIC["zeros"]
    return CompileError(
        habits.diagnose(
            habit,
            node.location,
            name=maker,
            sizes=", ".join(spelled(s) or "n" for s in sizes) or "n",
            value=_MAKERS[maker],
        )
    )


def _single(node: ast.Call) -> ast.Expression:
    if len(node.arguments) != 1 or node.arguments[0].name is not None:
        raise error(CALL, "a cast takes one argument", node.location)
    return node.arguments[0].value


# Matching of arguments


def match_arguments(
    callee: str,
    node: ast.Call,
    names: Sequence[str],
    required: Sequence[str],
    declaration: Sequence[Label] = (),
    fix: Callable[[], str] | None = None,
) -> dict[str, ast.Expression]:
    """Return the argument expressions by parameter, in the order of the call.

    `fix` gives the hint where there are too many arguments, or too few.
    """
    given: dict[str, ast.Expression] = {}
    for i, argument in enumerate(node.arguments):
        if argument.name is None and i >= len(names):
            message = f"`{callee}` takes {count(len(names), 'argument')}, "
            message += f"{len(node.arguments)} given"
            fixes = (fix(),) if fix else ()
            raise error(CALL, message, argument.location, *fixes, labels=declaration)
        name = names[i] if argument.name is None else argument.name
        if name not in names:
            other = RENAMED.get(name)
            same = (f"write `{other}=`",) if other in names else ()
            none = (NO_OPTIONS[name],) if name in NO_OPTIONS else ()
            hints = same or none or suggestion(name, names)
            message = f"`{callee}` has no argument `{name}`"
            raise error(CALL, message, argument.location, *hints, labels=declaration)
        if name in given:
            message = f"the argument `{name}` of `{callee}` is given twice"
            raise error(CALL, message, argument.location, labels=declaration)
        given[name] = argument.value
    missing = [n for n in required if n not in given]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        words = ", ".join(f"`{n}`" for n in missing)
        message = f"`{callee}` lacks the argument{plural} {words}"
        fixes = (fix(),) if fix else ()
        raise error(CALL, message, node.location, *fixes, labels=declaration)
    return given


def count(number_: int, noun: str) -> str:
    """Return "1 argument", "2 arguments"."""
    return f"{number_} {noun}{'' if number_ == 1 else 's'}"


# Functions of the file


def inline(frame: Frame, callee: FunctionValue, node: ast.Call) -> Known:
    """Run a function's body here, with its formals bound to the arguments."""
    function = callee.node
    formals = {f.name: f for f in function.formals}
    training, rest = frame.training, node
    if isinstance(function, ast.Step):
        message = f"`{callee.name}` is a step: only the outside calls it"
        raise error(CALL, message, node.location, "make the shared part a function")
    if "training" not in formals:
        training, rest = _training(frame, node)
    required = [f.name for f in function.formals if f.default is None]
    label = Label(function.location, f"`{callee.name}` is declared here")
    given = match_arguments(callee.name, rest, list(formals), required, [label])
    values = {name: (frame.evaluate(value), value) for name, value in given.items()}
    frame.entry.builder.location = node.location
    inner = frame.enter(callee, training, node.location)
    bind_arguments(inner, function.formals, values)
    try:
        result = run_body(inner, function)
    except CompileError as failure:
        location = Label(node.location, f"in this call of `{callee.name}`")
        raise with_labels(failure, [location]) from None
    return NothingValue(callee.name) if result is None else result


def _training(frame: Frame, node: ast.Call) -> tuple[bool, ast.Call]:
    """Take `training=false` out of a call."""
    for argument in node.arguments:
        if argument.name != "training":
            continue
        value = frame.evaluate(argument.value)
        if not isinstance(value, Scalar) or not isinstance(value.number, bool):
            message = "`training` is true or false, known while compiling"
            raise error(NOT_KNOWN, message, argument.location)
        rest = tuple([a for a in node.arguments if a is not argument])
        return value.number, ast.Call(node.callee, rest, location=node.location)
    return frame.training, node


def bind_arguments(
    frame: Frame,
    formals: Sequence[ast.Formal],
    values: Mapping[str, tuple[Known, ast.Expression]],
) -> None:
    """Bind formals to arguments or defaults; types are checked, sizes bound first."""
    pairs: list[tuple[ast.Formal, Known, ast.Expression]] = []
    for formal in formals:
        if formal.name in values:
            pairs.append((formal, *values[formal.name]))
        elif formal.default is not None:
            pairs.append((formal, frame.evaluate(formal.default), formal.default))
    for formal, value, node in pairs:
        if formal.type is None:
            if isinstance(value, MemoryRef):
                value = frame.as_operand(value, node)
            frame.scope.bind(formal.name, value, formal.location)
            continue
        giver = frame.caller if formal.name in values else None
        wanted = Wanted(formal.type, f"the argument `{formal.name}`", giver=giver)
        tensor = fit(frame, value, wanted, node)
        frame.scope.bind(formal.name, tensor, formal.location)


def run_body(frame: Frame, function: ast.Function | ast.Step) -> Known | None:
    """Run a body and check its results."""
    result = frame.execute(function.body)
    if function.result is None:
        return result
    fields = function.result.fields
    if result is None:
        message = f"`{function.name}` must return {count(len(fields), 'value')}"
        label = Label(function.result.location, "declared here")
        raise error(NO_VALUE, message, function.location, labels=[label])
    node = returned_by(function)
    values = result.elements if isinstance(result, TupleValue) else (result,)
    if len(values) != len(fields):
        message = f"`{function.name}` returns {count(len(values), 'value')}, "
        message += f"{len(fields)} declared"
        label = Label(function.result.location, "declared here")
        raise error(NO_VALUE, message, node.location, labels=[label])
    nodes = node.values if len(node.values) == len(fields) else (node,) * len(fields)
    checked: list[Known] = []
    for field, value, location in zip(fields, values, nodes, strict=True):
        what = f"the result `{field.name}`" if field.name else "the result"
        checked.append(fit(frame, value, Wanted(field.type, what), location))
    return checked[0] if len(fields) == 1 else TupleValue(tuple(checked))


def returned_by(function: ast.Function | ast.Step) -> ast.Return:
    """Return the last `return` of a body, for messages."""
    stack: list[ast.Statement] = list(function.body)
    while stack:
        statement = stack.pop()
        if isinstance(statement, ast.Return):
            return statement
        if isinstance(statement, ast.If):
            stack.extend((*statement.then, *statement.otherwise))
    return ast.Return((), location=function.location)


# The prelude


def _prelude(frame: Frame, name: str, row: LibraryFunction, node: ast.Call) -> Known:
    names = row.arguments
    required = [n for n in row.tensors if n not in row.optional]
    required += [k for k, v in row.options.items() if v.default is REQUIRED]
    fix = partial(_as_shown, name, row)
    given = match_arguments(name, _own_words(row, node), names, required, fix=fix)
    tensors = {n: given[n] for n in given if n in row.tensors}
    for n in row.optional:
        plain = tensors.get(n)
        if isinstance(plain, ast.Constant) and plain.value is None:
            del tensors[n]
    operands = {
        n: _parts(frame, name, argument, fix)
        if row.sequence and n == row.tensors[0]
        else [(argument, frame.operand(argument))]
        for n, argument in tensors.items()
    }
    options = {
        n: option_given(frame, given[n], row.options[n].kind)
        for n in given
        if n in row.options
    }
    frame.entry.builder.location = node.location
    ordered: list[Operand | list[Operand] | None] = []
    for n in row.tensors:
        if n not in operands:
            ordered.append(None)
            continue
        values = [operand for _, operand in operands[n]]
        is_sequence = row.sequence and not ordered
        ordered.append(values if is_sequence else values[0])
    try:
        result = invoke(frame.emitter, row, ordered, options)
    except CompileError as failure:
        pairs = [pair for n in operands for pair in operands[n]]
        labels = [operand_label(frame, location, value) for location, value in pairs]
        raise with_labels(failure, labels) from None
    return TupleValue(result) if isinstance(result, tuple) else result


def _own_words(row: LibraryFunction, node: ast.Call) -> ast.Call:
    """Return a call with the row's names for arguments, of which some have others."""
    given: list[ast.Argument] = []
    for argument in node.arguments:
        own = row.aliases.get(argument.name or "", argument.name)
        value = argument.value
        if own and own.startswith("not "):
            own = own.removeprefix("not ")
            value = ast.Not(value, location=value.location)
        given.append(ast.Argument(own, value, location=argument.location))
    return ast.Call(node.callee, tuple(given), location=node.location)


def _as_shown(name: str, row: LibraryFunction) -> str:
    """Return a hint with all arguments: write `sum(x, axis=none, keepdims=false)`."""
    shown = []
    for argument in row.arguments:
        option = row.options.get(argument)
        if row.sequence and argument == row.tensors[0]:
            shown.append("(a, b)")
        elif argument in row.optional:
            shown.append(f"{argument}=none")
        elif option is None or option.default is REQUIRED:
            shown.append(argument)
        else:
            shown.append(f"{argument}={_literal(option.default)}")
    return f"write `{name}({', '.join(shown)})`"


def _literal(default: object) -> str:
    """Return a default of an option as the language writes it."""
    if default is None or isinstance(default, bool):
        return str(default).lower()
    return f'"{default}"' if isinstance(default, str) else str(default)


def _parts(
    frame: Frame, name: str, node: ast.Expression, fix: Callable[[], str]
) -> list[tuple[ast.Expression, Operand]]:
    # A list of tensors is none of numbers: take its elements as they are written.
    if isinstance(node, ast.Tuple | ast.List):
        return [(element, frame.operand(element)) for element in node.elements]
    value = frame.evaluate(node)
    if not isinstance(value, TupleValue):
        message = f"`{name}` takes a tuple of tensors, this is {describe(value)}"
        raise error(NO_VALUE, message, node.location, fix())
    return [(node, frame.as_operand(v, node)) for v in value.elements]
