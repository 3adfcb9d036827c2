"""What the recipes of a `.tc` file say, as the runtime reads them."""

from typing import TypeVar

from tensorc.errors import CompileError, Diagnostic, Location
from tensorc.frontend.dsl.programs import program as source
from tensorc.frontend.dsl.programs.program import FIT_OPTIONS
from tensorc.runtime.training.recipes import DataCall, FitRecipe, Patience, RunRecipe

T = TypeVar("T")
U = TypeVar("U")


def fit_of(recipe: source.Recipe) -> FitRecipe:
    """Return a `fit` as the runtime reads it; diagnostics for what does not fit."""
    options = dict(recipe.options)
    for required in ("data", "batch", "step"):
        if required not in options:
            raise _wrong(recipe.location, f"fit: '{required} = …' is missing")
    for name in options:
        if name not in FIT_OPTIONS:
            expected = ", ".join(FIT_OPTIONS)
            raise _wrong(recipe.location, f"fit has no field '{name}'", expected)
    data = _call(recipe, "data", 'mnist("data/mnist")')
    stop = _call(recipe, "stop", "patience(5000)") if options.get("stop") else None
    return FitRecipe(
        name=recipe.name,
        data=DataCall(data.callee, data.arguments, data.named),
        step=_function(recipe, "step") or "",
        validate=_function(recipe, "validate"),
        test=_function(recipe, "test"),
        stop=None if stop is None else _patience(stop),
        batch=_typed(recipe, "batch", int, 0),
        epochs=_typed(recipe, "epochs", int, 1),
        shuffle=_typed(recipe, "shuffle", bool, False),
        seed=_typed(recipe, "seed", int, None),
        every=_typed(recipe, "every", int, None),
        location=recipe.location,
    )


def _wrong(location: Location, message: str, hint: str = "") -> CompileError:
    hints = (hint,) if hint else ()
    return CompileError(Diagnostic("TC0180", message, location, hints=hints))


def _typed(recipe: source.Recipe, name: str, type_: type[T], default: U) -> T | U:
    value = recipe.options.get(name)
    if value is None:
        return default
    if not isinstance(value, type_) or (type_ is int and isinstance(value, bool)):
        wanted = "true or false" if type_ is bool else "an integer"
        raise _wrong(recipe.location, f"fit: {name} must be {wanted}, got {value!r}")
    return value


def _call(recipe: source.Recipe, name: str, example: str) -> source.CallValue:
    value = recipe.options[name]
    if not isinstance(value, source.CallValue):
        message = f"{recipe.kind}: {name} must be a call, got {value!r}"
        raise _wrong(recipe.location, message, f"for example {name} = {example}")
    return value


def _function(recipe: source.Recipe, name: str) -> str | None:
    value = recipe.options.get(name)
    if value is None:
        return None
    if not isinstance(value, source.FunctionRef):
        message = f"fit: {name} must name a function or step, got {value!r}"
        raise _wrong(recipe.location, message)
    return value.name


_PATIENCE_FIELDS = ("patience", "increase", "threshold")


def _patience(call: source.CallValue) -> Patience:
    if call.callee != "patience":
        raise _wrong(call.location, f"fit: stop must be patience(…), got {call.callee}")
    values = dict(zip(_PATIENCE_FIELDS, call.arguments, strict=False))
    values.update(call.named)
    for name, value in values.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if name not in _PATIENCE_FIELDS or not is_number:
            message = f"patience takes numbers for {', '.join(_PATIENCE_FIELDS)}"
            raise _wrong(call.location, f"{message}; got {name}={value!r}")
    if "patience" not in values or len(call.arguments) > len(_PATIENCE_FIELDS):
        raise _wrong(call.location, "patience takes 1 to 3 numbers")
    return Patience(**values)  # type: ignore[arg-type]  # checked above


def run_of(recipe: source.Recipe) -> RunRecipe:
    """Return a `run` as the runtime reads it."""
    if "call" not in recipe.options:
        raise _wrong(recipe.location, "run: 'call = f(…)' is missing")
    call = _call(recipe, "call", "f(1)")
    times = recipe.options.get("times", 1)
    if not isinstance(times, int) or isinstance(times, bool) or times < 0:
        raise _wrong(recipe.location, f"run: times must be an integer, got {times!r}")
    if call.named:
        raise _wrong(call.location, "run: arguments are given by position")
    return RunRecipe(recipe.name, call.callee, call.arguments, times, recipe.location)
