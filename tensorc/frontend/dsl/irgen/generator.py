"""From the syntax tree of a `.tc` file to a `Program`, which makes IR on demand.

The walk evaluates the tree abstractly: numbers, sizes and functions while compiling,
tensors as ops that one builder per entry appends. Calls are inlined. Mistakes are
collected: one per declaration at the top, one per statement of a function or step when
it is emitted. What follows from a mistake is not reported.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from tensorc.errors import UNKNOWN, CompileError, Label
from tensorc.frontend.dsl.irgen.calls import returned_by, run_body
from tensorc.frontend.dsl.irgen.context import Frame, FunctionDraft, Unit
from tensorc.frontend.dsl.irgen.errors import (
    ASSERTION,
    NO_VALUE,
    NOT_KNOWN,
    SETTING,
    SIZES,
    TWICE,
    TYPES,
    Reports,
    error,
    joined,
    not_compiled,
    suggestion,
    with_labels,
)
from tensorc.frontend.dsl.irgen.expressions import EXPRESSIONS
from tensorc.frontend.dsl.irgen.memory import (
    bind,
    declare_memory,
    home_of,
    require_kind,
)
from tensorc.frontend.dsl.irgen.recipes import plain, recipe
from tensorc.frontend.dsl.irgen.samples import count_call, declare_state
from tensorc.frontend.dsl.irgen.signatures import inside
from tensorc.frontend.dsl.irgen.statements import STATEMENTS
from tensorc.frontend.dsl.irgen.types import bind_sizes, sizes_named, tensor_type
from tensorc.frontend.dsl.irgen.values import (
    Broken,
    BuiltinValue,
    FunctionValue,
    GroupValue,
    Known,
    MemoryRef,
    NotYet,
    Scope,
    TextValue,
    TupleValue,
    describe,
)
from tensorc.frontend.dsl.programs.program import (
    FileProgram,
    FunctionRef,
    HyperValue,
    PlainValue,
)
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.operands import (
    Literal,
    Scalar,
    TensorOperand,
    exact_array,
    spell_type,
    strong,
)
from tensorc.ir.attributes import ArrayAttr, Dense, make_dict
from tensorc.ir.core import Value
from tensorc.ir.dims import Poly
from tensorc.ir.functions import close_function, new_module, open_function
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.text.printer import print_module
from tensorc.ir.types import F32, Element, TensorType
from tensorc.recipes import OPTIONS, Fit, Run

# The parser limits the nesting of one function, the generator that of calls; the
# product is more than Python's default. Python frames take no C stack since 3.11.
RECURSION_LIMIT = 150_000

Settings = Mapping[str, ast.Expression]


def generate(
    file: ast.File, settings: Settings | None = None, default_float: Element = F32
) -> FileProgram:
    """Return the program of a file, with hypers and recipe options set anew.

    `default_float` is what `float` means. Raises `CompileError` with a diagnostic for
    each wrong declaration.
    """
    reports = Reports()
    with _deep_recursion():
        unit = Unit(
            file.path, Scope(), EXPRESSIONS, STATEMENTS, default_float=default_float
        )
        hypers, recipes = _declare(unit, file, settings or {}, reports)
        if reports.diagnostics:
            # Whoever mends these wants to know of the mistakes in functions, too.
            try:
                _emit(unit, list(unit.entries))
            except CompileError as failure:
                reports.add(failure)
    reports.check()

    def emit(names: Sequence[str]) -> Module:
        with _deep_recursion():
            return _emit(unit, names)

    def varies(entry: str, hyper: str) -> bool:
        with _deep_recursion():
            return _varies(file, settings or {}, unit, entry, hyper)

    return FileProgram(
        file.path,
        tuple(unit.memories.values()),
        hypers,
        tuple(unit.entries),
        recipes,
        emit,
        varies,
        unit.warnings,
        tuple([n for n, v in unit.entries.items() if isinstance(v.node, ast.Step)]),
    )


def _varies(
    file: ast.File, settings: Settings, unit: Unit, entry: str, hyper: str
) -> bool:
    """Tell whether an entry is the same program for every value of a hyper.

    It is if it can be made without knowing the value: what is decided while compiling
    then fails, or makes another text.
    """
    reports = Reports()
    blind = replace(
        unit, scope=Scope(), memories={}, hypers={}, entries={}, warnings=[]
    )
    try:
        _declare(blind, file, settings, reports, hyper)
        reports.check()
        texts = [print_module(_emit(u, [entry])) for u in (unit, blind)]
    except CompileError:
        return False
    return texts[0] == texts[1]


@contextmanager
def _deep_recursion() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


# Declarations


def _declare(
    unit: Unit, file: ast.File, settings: Settings, reports: Reports, unknown: str = ""
) -> tuple[dict[str, HyperValue], tuple[Fit | Run, ...]]:
    """Fill an empty unit with what a file declares; return its hypers and recipes."""
    scope = unit.scope
    function, builder = open_function("", [])
    frame = Frame(FunctionDraft(unit, function, builder, constant=True), scope, False)
    hypers: dict[str, HyperValue] = {}
    _functions_first(frame, file, reports)
    for item in file.items:
        try:
            if isinstance(item, ast.Hyper):
                hypers[item.name] = _hyper(frame, item, settings)
                if item.name == unknown:
                    _forget(frame, item.name)
            else:
                _DECLARATIONS[type(item)](frame, item)
        except CompileError as failure:
            reports.add(failure)
            _break(frame, item)
    try:
        declare_state(frame, file)
    except CompileError as failure:
        reports.add(failure)
    _check_settings(file, settings, reports)
    rest = {name: v for name, v in settings.items() if name not in hypers}
    nodes = [i for i in file.items if isinstance(i, ast.Recipe) and not unknown]
    recipes = [recipe(frame, node, rest, reports) for node in nodes]
    return hypers, tuple([r for r in recipes if r is not None])


def _break(frame: Frame, item: ast.FileItem) -> None:
    """Let the name of a wrong declaration stand for nothing, if it is not taken."""
    name = getattr(item, "name", None)
    if not name:
        return
    try:
        home, own = home_of(frame, name, item)
    except CompileError:  # a part of the name is taken
        return
    if own not in home.names:
        home.bind(own, Broken(), item.location)


def plain_value(expression: ast.Expression) -> PlainValue:
    """Return an expression of numbers and lists as plain data, without any names.

    Raises `CompileError` if it is wrong, or of another kind.
    """
    unit = Unit(expression.location.file, Scope(), EXPRESSIONS, STATEMENTS)
    function, builder = open_function("", [])
    return plain(
        Frame(FunctionDraft(unit, function, builder, constant=True), unit.scope, False),
        expression,
    )


def _functions_first(frame: Frame, file: ast.File, reports: Reports) -> None:
    """Bind functions and steps, which may be used before they stand in the file."""
    for item in file.items:
        if not isinstance(item, ast.Function | ast.Step):
            continue
        try:
            if item.name is None:
                message = "only a module has a function without a name"
                raise error(NO_VALUE, message, item.location)
            value = FunctionValue(item, frame.scope)
            bind(frame, item.name, value, item)
            if all(_is_typed(f.type) for f in item.formals):
                frame.unit.entries[item.name] = value
        except CompileError as failure:
            reports.add(failure)


def _is_typed(type_: ast.Type | None) -> bool:
    if isinstance(type_, ast.TensorType):
        return not any(isinstance(d, ast.AnyDims) for d in type_.dims)
    return type_ is not None


def _hyper(frame: Frame, node: ast.Hyper, settings: Settings) -> HyperValue:
    if node.type is not None and (
        not isinstance(node.type, ast.TensorType) or node.type.dims
    ):
        raise error(TYPES, "a hyper is a number", node.type.location)
    default = frame.evaluate(node.default)
    given = settings.get(node.name)
    location = node.default if given is None else given
    value = default if given is None else _set_to(frame, node.name, given, default)
    match value:
        case Scalar(number=number) if number is not None:
            assert not isinstance(number, Poly)
            number = _like_default(node, number, default, location)
            kind = "float" if isinstance(number, float) else "int"
            source = None if isinstance(number, bool) else node.name
            kind = "bool" if isinstance(number, bool) else kind
            scalar = Scalar(number, kind, source)
            bind(frame, node.name, scalar, node)
            frame.unit.hypers[node.name] = scalar
            return number
        case TextValue(text):
            bind(frame, node.name, value, node)
            return text
        case FunctionValue() | BuiltinValue():
            bind(frame, node.name, value, node)
            return FunctionRef(value.name)
        case _:
            message = "a hyper must be a number, a text or a function, this is "
            message += describe(value)
            raise error(NO_VALUE, message, location.location)


def _set_to(frame: Frame, name: str, given: ast.Expression, default: Known) -> Known:
    """Return what a hyper is set to; of an unknown name the kind is reported."""
    try:
        return frame.evaluate(given)
    except CompileError as failure:
        if not isinstance(default, Scalar) or default.kind == "bool":
            raise
        hint = f"`{name}` is a number, in the file {default.number}"
        raise with_labels(failure, [], hint) from None


def _forget(frame: Frame, name: str) -> None:
    """Make a hyper a number that is known at run time alone."""
    scalar = replace(frame.unit.hypers[name], number=None)
    frame.unit.hypers[name] = scalar
    frame.scope.names[name] = replace(frame.scope.names[name], value=scalar)


def _like_default(
    node: ast.Hyper,
    value: bool | int | float,
    default: Known,
    location: ast.Expression,
) -> bool | int | float:
    """Keep a float a float when it is set to an integer: the IR stays the same."""
    declared = node.type.dtype if isinstance(node.type, ast.TensorType) else ""
    wants_float = declared.startswith(("f", "bf")) or (
        not declared and isinstance(default, Scalar) and default.kind == "float"
    )
    if wants_float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    wants_int = declared.startswith(("i", "u"))
    is_int = isinstance(value, int) and not isinstance(value, bool)
    is_bool = isinstance(value, bool)
    wants_bool = declared == "bool"
    if not declared and isinstance(default, Scalar):
        wants_bool = default.kind == "bool"
        declared = "a truth value" if wants_bool else "a number"
    if declared and ((wants_int and not is_int) or wants_bool != is_bool):
        text = str(value).lower() if is_bool else value
        message = f"the hyper `{node.name}` must be {declared}, got {text}"
        raise error(TYPES, message, location.location)
    return value


def _const(frame: Frame, node: ast.Const) -> None:
    value = frame.evaluate(node.value)
    if isinstance(value, TensorOperand):
        what = "a constant with a type"
        raise not_compiled(what, node.value.location, "make it a function")
    if isinstance(value, MemoryRef | GroupValue):
        what = "group" if isinstance(value, GroupValue) else "memory"
        message = f"`{node.name}` would only be another name of a {what}"
        hint = f"use the {what}'s own name"
        raise error(NOT_KNOWN, message, node.value.location, hint)
    bind(frame, node.name, value, node)


def _assertion(frame: Frame, node: ast.Assertion) -> None:
    value = frame.operand(node.condition)
    known = value.number if isinstance(value, Scalar) else None
    if known is None or isinstance(known, Poly):
        message = "the assertion cannot be decided while compiling"
        raise error(NOT_KNOWN, message, node.condition.location)
    if not known:
        message = node.message or "the assertion does not hold"
        raise error(ASSERTION, message, node.condition.location, label="is false")


def _module(frame: Frame, node: ast.Module) -> None:
    bind(frame, node.name, NotYet("a module"), node)
    raise not_compiled("a module", node.location)


def _use(frame: Frame, node: ast.Use) -> None:
    for name in node.names:
        bind(frame, name.name, Broken(), name)
    if not node.names:
        bind(frame, node.path[-1], Broken(), node)
    raise not_compiled("`use`", node.location)


def _nothing(frame: Frame, node: ast.Node) -> None:
    """Functions are bound already; recipes come last, when all names are known."""


_DECLARATIONS: Mapping[type, Callable[..., None]] = {
    ast.Use: _use,
    ast.Const: _const,
    ast.Memory: declare_memory,
    ast.Module: _module,
    ast.Function: _nothing,
    ast.Step: _nothing,
    ast.Recipe: _nothing,
    ast.Assertion: _assertion,
}


def _check_settings(file: ast.File, settings: Settings, reports: Reports) -> None:
    hypers = [i.name for i in file.items if isinstance(i, ast.Hyper)]
    kinds = dict.fromkeys(i.kind for i in file.items if isinstance(i, ast.Recipe))
    known = [*hypers, *[name for kind in kinds for name in OPTIONS[kind]]]
    for name, value in settings.items():
        if name not in known:
            message = f"the program has no setting `{name}`"
            hints = suggestion(name, known)
            if not hints and known:
                hints = (f"it has {', '.join(f'`{k}`' for k in known)}",)
            reports.add(error(SETTING, message, value.location, *hints))


# Entries


def _emit(unit: Unit, names: Sequence[str]) -> Module:
    reports = Reports()
    module = new_module()
    for name in names:
        if name not in unit.entries:
            message = f"there is no function `{name}` whose arguments all have types"
            raise error(NO_VALUE, message, UNKNOWN, *suggestion(name, unit.entries))
        try:
            function = _emit_entry(unit, unit.entries[name])
        except CompileError as failure:
            reports.add(failure)
        else:
            module.body.block.append(function)
    reports.check()
    return module


def _argument(frame: Frame, formal: ast.Formal) -> None:
    """Add an argument of an entry and bind its name."""
    entry = frame.entry
    assert formal.type is not None
    if formal.name in entry.inputs:
        message = f"two arguments have the name `{formal.name}`"
        raise error(TWICE, message, formal.location)
    type_ = tensor_type(frame, formal.type)
    block = entry.function.regions[0].block
    argument = block.add_argument(type_, formal.name)
    entry.inputs[formal.name] = argument
    frame.scope.bind(formal.name, TensorOperand(argument), formal.location)
    if formal.default is not None:
        _note_default(frame, formal, type_)


def _note_default(frame: Frame, formal: ast.Formal, type_: TensorType) -> None:
    """Keep what an argument of an entry is that a call leaves out, if it is known."""
    assert formal.default is not None
    value = inside(frame, frame.function).evaluate(formal.default)
    if not isinstance(value, Scalar | Literal):
        return
    plain = value.values if isinstance(value, Literal) else value.number
    if plain is None or isinstance(plain, Poly):
        return
    label = Label(formal.location, "this argument")
    require_kind(formal.name, value, type_, formal.default, label)
    array = exact_array(frame.emitter, plain, type_.element)
    fitting = len(array.shape) == type_.rank and all(
        not isinstance(wanted, int) or wanted == size
        for wanted, size in zip(type_.shape, array.shape, strict=False)
    )
    if not fitting:
        message = f"`{formal.name}` is {spell_type(type_)}, its default has the shape "
        raise error(SIZES, f"{message}{list(array.shape)}", formal.default.location)
    known = TensorType(array.shape, type_.element)
    frame.entry.defaults[formal.name] = Dense(array, known)


def _emit_entry(unit: Unit, value: FunctionValue) -> Function:
    node = value.node
    function, builder = open_function(value.name, [], location=node.location)
    entry = FunctionDraft(unit, function, builder, isinstance(node, ast.Step))
    frame = Frame(entry, Scope(value.scope), entry.is_step, node)
    for formal in node.formals:
        if isinstance(formal.type, ast.TensorType):
            bind_sizes(frame, formal.type, (), declare=True)
    entry.sizes.update(sizes_named(node))
    wrong: list[CompileError] = []
    for formal in node.formals:
        try:
            _argument(frame, formal)
        except CompileError as failure:
            wrong.append(failure)
            frame.scope.bind(formal.name, Broken(), formal.location)
    try:
        results, attributes = _results(frame, run_body(frame, node), node)
    except CompileError as failure:
        raise joined([*wrong, failure]) from None
    if wrong:
        raise joined(wrong)
    count_call(frame)
    for name, updated in entry.updates.items():
        results.append(updated.value)
        attributes.append({"tc.updates": name})
    return _close(entry, results, attributes)


def _results(
    frame: Frame, result: Known | None, node: ast.Function | ast.Step
) -> tuple[list[Value], list[dict[str, str]]]:
    if result is None:
        if isinstance(node, ast.Function):
            message = f"`{node.name}` returns nothing"
            raise error(NO_VALUE, message, node.location, "end it with `return e`")
        return [], []
    names = [f.name or "" for f in node.result.fields] if node.result else []
    elements = result.elements if isinstance(result, TupleValue) else (result,)
    returned = returned_by(node)
    operands = [frame.as_operand(e, returned) for e in elements]
    values = [strong(frame.emitter, o).value for o in operands]
    names += [""] * (len(values) - len(names))
    return values, [{"tc.name": n} for n in names]


def _close(
    entry: FunctionDraft, results: list[Value], attributes: list[dict[str, str]]
) -> Function:
    """Order the arguments, name what the results are, and finish the function."""
    function = entry.function
    parameters = entry.arrange()
    indices = {p.hint: i for i, p in enumerate(parameters) if p.hint in entry.shared}
    if parameters:
        function.attributes["arg_attrs"] = ArrayAttr(
            tuple([p.attributes for p in parameters])
        )
    order = list(entry.unit.memories)
    outputs = [i for i, a in enumerate(attributes) if "tc.name" in a]
    updates = [i for i, a in enumerate(attributes) if "tc.updates" in a]
    updates.sort(key=lambda i: order.index(attributes[i]["tc.updates"]))
    dicts = [make_dict(**attributes[i]) for i in outputs]
    dicts += [
        make_dict(**{"tc.updates": indices[attributes[i]["tc.updates"]]})
        for i in updates
    ]
    values = [results[i] for i in (*outputs, *updates)]
    entry.builder.location = function.location
    return close_function(function, entry.builder, values, dicts)
