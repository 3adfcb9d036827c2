"""`fit` and `run` as plain data, with the settings put in."""

from collections.abc import Mapping, Sequence

from tensorc.errors import CompileError, Label, Location
from tensorc.frontend.dsl.irgen.context import Frame
from tensorc.frontend.dsl.irgen.errors import (
    RECIPE,
    UNKNOWN_NAME,
    Reports,
    error,
    suggestion,
    with_labels,
)
from tensorc.frontend.dsl.irgen.signatures import check_call, check_data
from tensorc.frontend.dsl.irgen.values import (
    Broken,
    FunctionValue,
    Text,
    describe,
)
from tensorc.frontend.dsl.programs.program import (
    FIT_OPTIONS,
    RUN_OPTIONS,
    CallValue,
    FunctionRef,
    PlainValue,
    Recipe,
)
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.operands import Literal, Scalar
from tensorc.ir.dims import Poly

OPTIONS: Mapping[str, tuple[str, ...]] = {"fit": FIT_OPTIONS, "run": RUN_OPTIONS}
REQUIRED: Mapping[str, tuple[str, ...]] = {"fit": ("data", "step"), "run": ("call",)}
READERS = ("mnist", "idx", "npz", "csv", "bytes")
RULES = ("patience",)

# What an option must be: a kind of value, in words.
_NUMBERS = ("batch", "epochs", "every", "times")
_FUNCTIONS = {"step": ast.Step, "validate": ast.Function, "test": ast.Function}


def recipe(
    frame: Frame,
    node: ast.Recipe,
    settings: Mapping[str, ast.Expression],
    reports: Reports,
) -> Recipe:
    """Return a recipe; its mistakes are reported, one for each option."""
    known = OPTIONS[node.kind]
    options: dict[str, PlainValue] = {}
    places: dict[str, Location] = {}
    for option in node.options:
        try:
            name, place = option.name, option.location
            if name not in known:
                message = f"`{node.kind}` has no option `{name}`"
                raise error(RECIPE, message, place, *suggestion(name, known))
            if name in places:
                label = Label(places[name], "given here first")
                message = f"the option `{name}` is given twice"
                raise error(RECIPE, message, place, labels=[label])
            places[name] = place
            value = settings.get(name, option.value)
            options[name] = _option(frame, name, value)
        except CompileError as failure:
            reports.add(failure)
    for name, value in settings.items():
        if name in known and name not in places:
            try:
                places[name] = value.location
                options[name] = _option(frame, name, value)
            except CompileError as failure:
                reports.add(failure)
    missing = [name for name in REQUIRED[node.kind] if name not in places]
    if missing:
        words = " and ".join(f"`{m}`" for m in missing)
        reports.add(error(RECIPE, f"`{node.kind}` lacks {words}", node.location))
    if node.kind == "fit":
        check_data(frame, options, places, reports)
    return Recipe(node.kind, node.name or "", options, node.location)  # type: ignore[arg-type]


def _data(frame: Frame, node: ast.Expression) -> PlainValue:
    try:
        return plain(frame, node)
    except CompileError as failure:
        if [d.code for d in failure.diagnostics] != [UNKNOWN_NAME]:
            raise
        readers = ", ".join(f"`{reader}(…)`" for reader in READERS)
        raise with_labels(failure, [], f"`data` is one of {readers}") from None


def _option(frame: Frame, name: str, node: ast.Expression) -> PlainValue:
    value = _data(frame, node) if name == "data" else plain(frame, node)
    if name in _NUMBERS:
        good = isinstance(value, int) and not isinstance(value, bool) and value > 0
        if not good:
            message = f"`{name}` is a positive integer"
            raise error(RECIPE, message, node.location)
    if name == "seed" and (not isinstance(value, int) or isinstance(value, bool)):
        raise error(RECIPE, "`seed` is an integer", node.location)
    if name == "shuffle" and not isinstance(value, bool):
        raise error(RECIPE, "`shuffle` is true or false", node.location)
    if name in _FUNCTIONS:
        _check_function(frame, name, value, node)
    if name == "data":
        _check_call(value, node, "data", READERS)
    if name == "stop" and value is not None:
        _check_call(value, node, "stop", RULES)
    if name == "call":
        _check_run(frame, value, node)
    return value


def _check_function(
    frame: Frame, name: str, value: PlainValue, node: ast.Expression
) -> None:
    if value is None and name != "step":
        return
    kind = _FUNCTIONS[name]
    word = "a step" if kind is ast.Step else "a function"
    if not isinstance(value, FunctionRef):
        message = f"`{name}` names {word} of this file"
        raise error(RECIPE, message, node.location)
    found = _function(frame, value.name)
    label = [Label(found.location, "declared here")]
    if not isinstance(found, kind):
        message = f"`{name}` names {word}, `{value.name}` is not one"
        raise error(RECIPE, message, node.location, labels=label)
    if value.name not in frame.unit.entries:
        message = f"`{value.name}` cannot be run: its arguments need types"
        raise error(RECIPE, message, node.location, labels=label)


def _function(frame: Frame, name: str) -> ast.Function | ast.Step:
    found = frame.scope.find(name)
    assert found is not None
    assert isinstance(found.value, FunctionValue)
    return found.value.node


def _check_call(
    value: PlainValue, node: ast.Expression, name: str, known: Sequence[str]
) -> None:
    if isinstance(value, CallValue) and value.callee in known:
        return
    hints = suggestion(value.callee, known) if isinstance(value, CallValue) else ()
    words = ", ".join(f"`{k}(...)`" for k in known)
    raise error(RECIPE, f"`{name}` is one of {words}", node.location, *hints)


def _check_run(frame: Frame, value: PlainValue, node: ast.Expression) -> None:
    if not isinstance(value, CallValue) or value.callee not in frame.unit.entries:
        message = "`call` is a call of a function or step whose arguments have types"
        raise error(RECIPE, message, node.location)
    function = _function(frame, value.callee)
    names = [f.name for f in function.formals]
    given = [*names[: len(value.arguments)], *value.named]
    wrong = [n for n in value.named if n not in names]
    label = [Label(function.location, "declared here")]
    if wrong:
        message = f"`{value.callee}` has no argument `{wrong[0]}`"
        hints = suggestion(wrong[0], names)
        raise error(RECIPE, message, node.location, *hints, labels=label)
    required = [f.name for f in function.formals if f.default is None]
    doubled = len(set(given)) < len(given)
    if len(value.arguments) > len(names) or doubled or {*required} - {*given}:
        message = f"`{value.callee}` takes {len(names)} arguments, "
        message += f"{len(value.arguments) + len(value.named)} given"
        raise error(RECIPE, message, node.location, labels=label)
    assert isinstance(node, ast.Call)
    check_call(frame, function, node)


# Plain values


def plain(frame: Frame, node: ast.Expression) -> PlainValue:
    """Return an expression of a recipe as plain data."""
    match node:
        case ast.List(elements):
            return [plain(frame, e) for e in elements]
        case ast.Tuple(elements):
            return tuple([plain(frame, e) for e in elements])
        case ast.Constant(None):
            return None
        case ast.Call(ast.Name(callee), arguments) if _is_call(frame, callee):
            positional = [plain(frame, a.value) for a in arguments if a.name is None]
            named = {a.name: plain(frame, a.value) for a in arguments if a.name}
            return CallValue(callee, tuple(positional), named, node.location)
        case ast.Name(name) if frame.scope.find(name) is None and name in RULES:
            raise error(UNKNOWN_NAME, f"`{name}` needs arguments", node.location)
        case _:
            return _value(frame, node)


def _is_call(frame: Frame, callee: str) -> bool:
    found = frame.scope.find(callee)
    if found is None:
        return callee in READERS + RULES or bool(suggestion(callee, READERS + RULES))
    return isinstance(found.value, FunctionValue)


def _value(frame: Frame, node: ast.Expression) -> PlainValue:
    value = frame.evaluate(node)
    match value:
        case Text(text):
            return text
        case FunctionValue():
            return FunctionRef(value.name)
        case Scalar(number=number) if number is not None:
            assert not isinstance(number, Poly)
            return number
        case Literal(values=values):
            listed: PlainValue = values.tolist()
            return listed
        case Broken():
            raise CompileError
        case _:
            message = f"a recipe holds plain values, this is {describe(value)}"
            raise error(RECIPE, message, node.location)
