"""`theano.function`: the symbolic door's, with Theano's keywords and its draws."""

from collections.abc import Sequence

from tensorc.api.function import Function, In
from tensorc.api.function import function as compiled
from tensorc.api.options import options
from tensorc.frontend.library.mistakes import door, usage_error
from tensorc.frontend.python.symbolic import Tensor
from tensorc.theano.drawing import DrawingFunction, draws_of
from tensorc.theano.settings import float_name

# Theano's modes, and LLVM's level for each; None is the package's own.
MODES = {
    "FAST_RUN": None,
    "FAST_COMPILE": 0,
    "JIT": None,
    "Mode": None,
    "DEBUG_MODE": None,
    "DebugMode": None,
    "NanGuardMode": None,
}


@door
def function(
    inputs: Sequence[Tensor | In],
    outputs: object = None,
    mode: object = None,
    updates: object = None,
    givens: object = None,
    no_default_updates: bool = False,
    accept_inplace: bool = False,
    name: str | None = None,
    rebuild_strict: bool = True,
    allow_input_downcast: bool | None = None,
    profile: object = None,
    on_unused_input: str | None = None,
    **unknown: object,
) -> Function | DrawingFunction:
    """Compile a function of variables: `tc.function` in Theano's words.

    Args:
        inputs: variables, or `In(variable, value=default)`.
        outputs: a variable, or a list of them.
        mode: "FAST_COMPILE" compiles faster code less, "NanGuardMode" and "DebugMode"
            let calls fail that make a NaN or an infinity; all else is one way.
        updates: pairs (shared, new value), or a dictionary.
        givens: pairs (variable, replacement), or a dictionary.
        no_default_updates: True lets streams of random numbers stand still.
        accept_inplace: taken, and makes no difference.
        name: what the function is called in messages.
        rebuild_strict: taken, and makes no difference.
        allow_input_downcast: None refuses arrays that lose digits, but for a Python
            float; True casts, False refuses all that lose digits.
        profile: taken, and makes no difference: `tc.bench` measures.
        on_unused_input: "raise", "warn" or "ignore".
        unknown: a mistake.

    Raises:
        TypeError: an argument is not what the function takes.
        ValueError: an input is missing, unused or given twice; shapes do not fit.
    """
    mode_name = mode if isinstance(mode, str) else "FAST_RUN"
    if mode_name not in MODES:
        known = ", ".join(MODES)
        raise usage_error(f"there is no mode {mode_name!r}", f"modes are {known}")
    guarded = mode_name in ("NanGuardMode", "DebugMode", "DEBUG_MODE")
    made = {
        "inputs": inputs,
        "outputs": outputs,
        "updates": updates,
        "givens": givens,
        "name": name,
        "on_unused_input": on_unused_input or "raise",
        "allow_input_downcast": _downcast(allow_input_downcast, inputs),
    }
    with options(optimize=MODES[mode_name], check_nan=guarded or None):
        draws = draws_of(made)
        if draws:
            keeps = no_default_updates is True
            return DrawingFunction({**made, **unknown}, draws, compiled, keeps)
        return compiled(**made, **unknown)  # type: ignore[arg-type]


def _downcast(asked: bool | None, inputs: object) -> bool | str | None:
    """Return what to do with floats of too many digits.

    Theano's rule: a Python float is rounded to floatX, an array is not. Where no input
    can lose digits nothing is looked at, for speed.
    """
    if asked is not None:
        return asked
    listed = inputs if isinstance(inputs, list | tuple) else []
    found = [v.variable if isinstance(v, In) else v for v in listed]
    types = [str(v.dtype) for v in found if isinstance(v, Tensor)]
    if {"float16", "bfloat16", "float32"}.isdisjoint(types):
        return None
    return "number" if float_name() == "float32" else False
