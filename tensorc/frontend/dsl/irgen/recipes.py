"""`fit` and `run` as plain data, with the settings put in."""

from collections.abc import Mapping, Sequence
from dataclasses import fields

from tensorc.errors import CompileError, Label, Location
from tensorc.frontend.dsl.irgen.context import Frame
from tensorc.frontend.dsl.irgen.errors import (
    RECIPE,
    UNKNOWN_NAME,
    Reports,
    error,
    not_compiled,
    suggestion,
    with_labels,
)
from tensorc.frontend.dsl.irgen.signatures import check_call, check_data
from tensorc.frontend.dsl.irgen.values import (
    Broken,
    FunctionValue,
    TextValue,
    describe,
)
from tensorc.frontend.dsl.programs.program import (
    CallValue,
    FunctionRef,
    PlainValue,
)
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.operands import Literal, Scalar
from tensorc.ir.dims import Poly
from tensorc.recipes import (
    CALL,
    DATA,
    FUNCTION,
    OPTIONS,
    PARSED_READERS,
    READERS,
    RULE,
    STEP,
    DataCall,
    Fit,
    Patience,
    RecipeOption,
    Run,
    conflicts,
    required,
    wrong_patience,
)

RULES = ("patience",)
_KINDS = {STEP: ast.Step, FUNCTION: ast.Function}


def recipe(
    frame: Frame,
    node: ast.Recipe,
    settings: Mapping[str, ast.Expression],
    reports: Reports,
) -> Fit | Run | None:
    """Return a recipe; its mistakes are reported, one for each option.

    There is none where an option is wrong or missing.
    """
    known = OPTIONS[node.kind]
    wrong: list[CompileError] = []
    given = _given(node, settings, wrong)
    locations = {name: location for name, (_, location) in given.items()}
    values: dict[str, object] = {}
    for name, (expression, _) in given.items():
        try:
            values[name] = _option(frame, known[name], expression)
        except CompileError as failure:
            wrong.append(failure)
    if missing := [name for name in required(node.kind) if name not in given]:
        words = " and ".join(f"`{m}`" for m in missing)
        wrong.append(error(RECIPE, f"`{node.kind}` lacks {words}", node.location))
    if node.kind == "fit":
        if not wrong:
            wrong += [error(RECIPE, why, locations[n]) for n, why in conflicts(values)]
        wrong += check_data(frame, values, locations)
    for mistake in wrong:
        reports.add(mistake)
    return None if wrong else _recipe(node, values, locations)


def _given(
    node: ast.Recipe, settings: Mapping[str, ast.Expression], wrong: list[CompileError]
) -> dict[str, tuple[ast.Expression, Location]]:
    """Return the options and where they stand; settings take the place of the file's.

    Names that are unknown or given twice are added to `wrong`.
    """
    known = OPTIONS[node.kind]
    found: dict[str, tuple[ast.Expression, Location]] = {}
    for option in node.options:
        name, location = option.name, option.location
        if name not in known:
            message = f"`{node.kind}` has no option `{name}`"
            wrong.append(error(RECIPE, message, location, *suggestion(name, known)))
        elif name in found:
            label = Label(found[name][1], "given here first")
            message = f"the option `{name}` is given twice"
            wrong.append(error(RECIPE, message, location, labels=[label]))
        else:
            found[name] = option.value, location
    given = {n: (v, v.location) for n, v in settings.items() if n in known}
    return {**found, **given}


def _recipe(
    node: ast.Recipe, values: dict[str, object], locations: Mapping[str, Location]
) -> Fit | Run:
    name, at = node.name or "", node.location
    if node.kind == "fit":
        return Fit(**values, name=name, location=at, locations=locations)  # type: ignore[arg-type]
    call = values.pop("call")
    assert isinstance(call, CallValue)
    given = call.callee, call.arguments
    return Run(name, *given, **values, named=call.named, location=at)  # type: ignore[arg-type]


def _data(frame: Frame, node: ast.Expression) -> PlainValue:
    try:
        return plain(frame, node)
    except CompileError as failure:
        if [d.code for d in failure.diagnostics] != [UNKNOWN_NAME]:
            raise
        readers = ", ".join(f"`{reader}(…)`" for reader in READERS)
        raise with_labels(failure, [], f"`data` is one of {readers}") from None


def _option(frame: Frame, option: RecipeOption, node: ast.Expression) -> object:
    """Return what an option is, of the kind that it has."""
    kind = option.kind
    value = _data(frame, node) if kind is DATA else plain(frame, node)
    found: object = value
    if kind in _KINDS:
        found = _check_function(frame, option, value, node)
    elif kind is DATA:
        call = _check_reader(value, node, option.name)
        found = DataCall(call.callee, call.arguments, call.named)
    elif kind is RULE and value is not None:
        found = _patience(_check_call(value, node, option.name, RULES), node)
    elif kind is CALL:
        _check_run(frame, value, node)
    if wrong := option.wrong(found):
        raise error(RECIPE, f"{wrong}, got {_spelled(value)}", node.location)
    return found


def _spelled(value: PlainValue) -> str:
    """Return a plain value as the language writes it, a call without its arguments."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case FunctionRef(name):
            return f"`{name}`"
        case CallValue(callee):
            return f"`{callee}(…)`"
        case _:
            return f"{value!r:.60}"


def _patience(call: CallValue, node: ast.Expression) -> Patience:
    """Return the rule of stopping that a call says."""
    names = [field.name for field in fields(Patience)]
    unknown = [name for name in call.named if name not in names]
    if unknown:
        message = f"`patience` has no argument `{unknown[0]}`"
        raise error(RECIPE, message, node.location, *suggestion(unknown[0], names))
    given = dict(zip(names, call.arguments, strict=False))
    count = len(call.arguments) + len(call.named)
    if "steps" not in {**given, **call.named} or len({*given, *call.named}) < count:
        message = f"`patience` takes {', '.join(names)}: 1 to 3 numbers, {count} given"
        raise error(RECIPE, message, node.location)
    given |= call.named
    if wrong := wrong_patience(given):
        name, words = wrong
        message = f"{words}, got {_spelled(given[name])}"
        raise error(RECIPE, message, node.location)
    return Patience(**given)  # type: ignore[arg-type]  # they are numbers


def _check_function(
    frame: Frame, option: RecipeOption, value: PlainValue, node: ast.Expression
) -> str | None:
    """Return the name of the function or step that an option gives, if it gives one."""
    if value is None and option.default is None:
        return None
    name, kind, word = option.name, _KINDS[option.kind], option.kind.words
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
    return value.name


def _function(frame: Frame, name: str) -> ast.Function | ast.Step:
    found = frame.scope.find(name)
    assert found is not None
    assert isinstance(found.value, FunctionValue)
    return found.value.node


def _check_call(
    value: PlainValue, node: ast.Expression, name: str, known: Sequence[str]
) -> CallValue:
    if isinstance(value, CallValue) and value.callee in known:
        return value
    hints = suggestion(value.callee, known) if isinstance(value, CallValue) else ()
    words = ", ".join(f"`{k}(...)`" for k in known)
    raise error(RECIPE, f"`{name}` is one of {words}", node.location, *hints)


def _check_reader(value: PlainValue, node: ast.Expression, name: str) -> CallValue:
    """Return the call of a reader; some are only parsed."""
    if isinstance(value, CallValue) and value.callee in PARSED_READERS:
        raise not_compiled(f"the reader `{value.callee}`", node.location)
    return _check_call(value, node, name, READERS)


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
        known = READERS + PARSED_READERS + RULES
        return callee in known or bool(suggestion(callee, known))
    return isinstance(found.value, FunctionValue)


def _value(frame: Frame, node: ast.Expression) -> PlainValue:
    value = frame.evaluate(node)
    match value:
        case TextValue(text):
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
