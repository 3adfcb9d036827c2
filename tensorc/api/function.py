"""Compile symbolic expressions: `function`, `shared`, `In`, `Out`, in Theano's words.

    W = tc.shared(np.zeros(4), "W")
    train = tc.function([x], cost, updates=[(W, W - 0.1 * tc.grad(cost, W))])

All outputs and all new values are computed from the old values of the memory, then the
memory changes at once. The compiler is loaded when the first function is made.
"""

import dataclasses
import functools
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tensorc.api.inspection import Call, Costed, View, refuse_arguments, sizes_of
from tensorc.api.plans import cells_of, compile_plan, origin_of_plan
from tensorc.errors import (
    Diagnostic,
    DTypeError,
    ShapeError,
    TensorcError,
    did_you_mean,
)
from tensorc.floats import letter_of
from tensorc.frontend.library.locations import user_location
from tensorc.frontend.library.mistakes import (
    CALL_OUTSIDE,
    TRACING,
    argument_error,
    door,
    hide_our_frames,
    refuse_in_trace,
    rendered,
    usage_error,
    warn_user,
)
from tensorc.frontend.library.operands import (
    TensorOperand,
    is_strong,
    materialize,
    spell_type,
)
from tensorc.frontend.python.graph import emit as graph_emit
from tensorc.frontend.python.graph.nodes import InputNode, SharedLeaf
from tensorc.frontend.python.graph.plan import (
    EmissionPlan,
    identifier,
    needs,
    unique_names,
)
from tensorc.frontend.python.pairs import members_of, pairs_of
from tensorc.frontend.python.running import counted
from tensorc.frontend.python.swapping import swapped
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import (
    describe,
    emitter,
    is_symbolic,
    operand_of,
    value_of,
)
from tensorc.frontend.python.symbolic_variables import Shared, shared_of
from tensorc.ir.core import Value
from tensorc.ir.types import TensorType
from tensorc.runtime.arrays import Array, kinds_of
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.shared import SharedCell as Cell
from tensorc.target import CHOSEN, Options, choosing

_NOTHING = object()


class In:
    """An input of a function with more to say: a default value, a name for calls."""

    __slots__ = ("name", "value", "variable")

    def __init__(
        self, variable: Tensor, value: object = _NOTHING, name: str | None = None
    ) -> None:
        self.variable = variable
        self.value = value
        self.name = name

    def __reduce__(self) -> tuple[object, ...]:
        if self.value is _NOTHING:
            return _plain_in, (self.variable, self.name)
        return In, (self.variable, self.value, self.name)


def _plain_in(variable: Tensor, name: str | None) -> In:
    return In(variable, name=name)


class Out:
    """An output of a function; `borrow` is taken and makes no difference."""

    __slots__ = ("borrow", "variable")

    def __init__(self, variable: Tensor, borrow: bool = False) -> None:
        self.variable = variable
        self.borrow = borrow


@door
def shared(value: object, name: str | None = None, borrow: bool = False) -> Shared:
    """Return a variable with memory of its own, that holds a copy of `value`.

    The element type is NumPy's: a Python float gives float64, an int int64. `borrow` is
    taken and makes no difference, which Theano allows: the value is always copied, and
    only updates and `set_value` change the memory.
    """
    if is_symbolic(value):
        message = f"shared takes an array, got the variable {value!r}"
        raise usage_error(message, "a formula is computed by a function, or .eval()")
    if name is not None and not isinstance(name, str):
        message = f"the name of a shared variable is text, got {describe(name)}"
        raise usage_error(message, "shared(value, 'W')")
    if value is None or isinstance(value, str | bytes | dict | set):
        message = f"shared takes an array or a number, got {describe(value)}"
        raise usage_error(message)
    operand_of(np.asarray(value), "the value of shared")
    return shared_of(Cell(name or "", value), name)


@dataclass(frozen=True, slots=True)
class _Argument:
    """An input: the leaf, the name it has in calls, the default if there is one."""

    leaf: InputNode
    name: str | None
    default: object


@door
def function(
    inputs: Sequence[Tensor | In],
    outputs: object = None,
    updates: object = None,
    givens: object = None,
    name: str | None = None,
    on_unused_input: str = "raise",
    allow_input_downcast: bool | str | None = None,
    **unknown: object,
) -> "Function":
    """Compile a function of symbolic variables.

    Args:
        inputs: a list of variables, or of `In(variable, value=default)`.
        outputs: a variable, or a list of them; a list gives a list, none gives [].
        updates: pairs (shared, new value), or a dictionary: all new values are
            computed from old ones, and take effect after the outputs are computed.
        givens: pairs (variable, replacement), or a dictionary.
        name: what the function is called in messages.
        on_unused_input: "raise", "warn" or "ignore".
        allow_input_downcast: False refuses arrays that lose digits in the input's
            type, "number" but for Python's floats, True casts anything; by default
            floats may be rounded.
        **unknown: a mistake; the message says what may have been meant.

    Raises:
        TypeError: an argument is not what the function takes.
        ValueError: an input is missing, unused or given twice; shapes do not fit.
    """
    if unknown:
        raise _unknown_argument(next(iter(unknown)))
    if on_unused_input not in ("raise", "warn", "ignore"):
        message = "on_unused_input is 'raise', 'warn' or 'ignore', "
        raise argument_error(f"{message}got {on_unused_input!r}")
    made = {
        "inputs": inputs,
        "outputs": outputs,
        "updates": updates,
        "givens": givens,
        "name": name,
        "on_unused_input": on_unused_input,
        "allow_input_downcast": allow_input_downcast,
    }
    return _made(made)


def _made(made: dict[str, object]) -> "Function":
    """Return the function of checked and copied arguments."""
    inputs, outputs = made["inputs"], made["outputs"]
    arguments = _arguments(inputs)
    values = [_output(o) for o in _listed(outputs)]
    changes = _updates(made["updates"])
    replaced = _givens(made["givens"])
    leaves, used = needs([*values, *(v for _, v in changes)], replaced)
    leaves += [memory for memory, _ in changes if memory not in leaves]
    _check_leaves(arguments, leaves, replaced, str(made["on_unused_input"]))
    memory = tuple([v for v in leaves if isinstance(v, SharedLeaf)])
    changes += counted(memory, dict(changes)).items()
    name = made["name"]
    # Columns of data and calls by name find the inputs, so these have the first choice.
    names = unique_names(
        [*(a.name or "" for a in arguments), *(m.hint for m in memory)]
    )
    plan = EmissionPlan(
        identifier(name if isinstance(name, str) else "", "function"),
        memory,
        tuple([a.leaf for a in arguments]),
        (*names[len(arguments) :], *names[: len(arguments)]),
        tuple(values),
        tuple(changes),
        used,
        user_location(),
    )
    kept = {key: _kept(value) for key, value in made.items()}
    return Function(plan, arguments, kept, isinstance(outputs, list | tuple))


def _kept(given: object) -> object:
    """Return an argument so that later changes of the user's list do not reach it."""
    if isinstance(given, Mapping):
        return dict(given)
    return list(given) if isinstance(given, list | tuple) else given


_ARGUMENTS = ("inputs", "outputs", "updates", "givens", "name")


def _unknown_argument(name: str) -> Exception:
    if name in ("mode", "profile", "no_default_updates", "accept_inplace"):
        message = f"function has no argument '{name}'"
        return usage_error(message, "leave it out: there is one way to compile")
    meant = did_you_mean(name, _ARGUMENTS, "`{}=`")
    return usage_error(f"function has no argument '{name}'", *filter(None, [meant]))


def _listed(given: object) -> list[object]:
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


# Reading the arguments


def _arguments(inputs: object) -> list[_Argument]:
    if not isinstance(inputs, list | tuple):
        message = f"inputs is a list of variables, got {describe(inputs)}"
        hint = "write brackets: function([x], …)" if is_symbolic(inputs) else ""
        raise usage_error(message, *([hint] if hint else []))
    found: list[_Argument] = []
    for item in inputs:
        default = item.value if isinstance(item, In) else _NOTHING
        variable = item.variable if isinstance(item, In) else item
        leaf = _leaf(variable)
        name = item.name if isinstance(item, In) and item.name else variable.name
        if any(a.leaf is leaf for a in found):
            raise argument_error(f"{variable!r} stands twice in the inputs")
        found.append(_Argument(leaf, name, default))
    return found


def _leaf(variable: object) -> InputNode:
    if isinstance(variable, Shared):
        message = f"{variable!r} is a shared variable, which cannot be an input"
        hint = "it keeps its value: replace it by givens={W: …}, change it by updates="
        raise usage_error(message, hint)
    if not is_symbolic(variable):
        message = f"an input is a variable, got {describe(variable)}"
        raise usage_error(message, "make one: x = tc.matrix('x')")
    operand = operand_of(variable)
    if not isinstance(operand, TensorOperand) or not isinstance(
        operand.value, InputNode
    ):
        message = f"an input is a variable of its own, {variable!r} is computed"
        raise usage_error(message, "replace it: givens={formula: variable}")
    return operand.value


def _output(output: object) -> Value:
    variable = output.variable if isinstance(output, Out) else output
    if not is_symbolic(variable):
        message = f"an output is a variable, got {describe(variable)}"
        raise usage_error(message, "numbers and arrays: tc.constant(…)")
    return value_of(variable, "an output")


def _updates(given: object) -> list[tuple[SharedLeaf, Value]]:
    found: dict[SharedLeaf, Value] = {}
    pairs = pairs_of(given, "updates", "updates=[(W, W - lr * g)]")
    for old, new in members_of(pairs):
        if not isinstance(old, Shared):
            message = f"an update changes a shared variable, got {describe(old)}"
            hint = "make it one: W = tc.shared(value, 'W')"
            if isinstance(old, list | tuple):
                hint = "group them: params = tc.group(W, b), then "
                hint += "updates=[(params, params - lr * tc.grad(cost, params))]"
            raise usage_error(message, hint)
        if old.leaf in found:
            raise argument_error(f"{old!r} is updated twice", "add the two changes up")
        found[old.leaf] = _fitting(new, old, "the update of")
    return list(found.items())


def _givens(given: object) -> list[tuple[Value, Value]]:
    found: dict[Value, Value] = {}
    for old, new in pairs_of(given, "givens", "givens={x: data[0:600]}"):
        if not is_symbolic(old):
            message = f"givens replaces variables, got {describe(old)}"
            hint = "the key is the variable itself, not its name"
            raise usage_error(message, hint)
        operand = operand_of(old)
        if not isinstance(operand, TensorOperand):
            raise usage_error("givens replaces variables, got a size")
        if operand.value in found:
            raise argument_error(f"{old!r} is replaced twice")
        found[operand.value] = _fitting(new, old, "the replacement of")
    return list(found.items())


def _fitting(new: object, old: object, what: str) -> Value:
    """Return a value for `old`: of its element type and rank."""
    wanted = value_of(old, what).type
    assert isinstance(wanted, TensorType)
    operand = operand_of(new, f"{what} {old!r}")
    b = emitter()
    if not is_strong(operand):
        return materialize(b, operand, wanted.element)
    value = value_of(new, what)
    given = value.type
    assert isinstance(given, TensorType)
    message = f"{what} {old!r} is {_spelled(given)}, not {_spelled(wanted)}"
    if given.element != wanted.element:
        hint = f"cast it: new.astype('{wanted.element.dtype}')"
        raise DTypeError(Diagnostic("TC0302", message, b.location, hints=(hint,)))
    if given.rank != wanted.rank:
        raise ShapeError(Diagnostic("TC0301", message, b.location))
    return value


def _spelled(type_: TensorType) -> str:
    return spell_type(type_)


def _check_leaves(
    arguments: Sequence[_Argument],
    leaves: Sequence[Value],
    givens: Sequence[tuple[Value, Value]],
    on_unused: str,
) -> None:
    inputs = {a.leaf for a in arguments}
    for leaf in leaves:
        if isinstance(leaf, InputNode) and leaf not in inputs:
            name = leaf.hint or "a variable without a name"
            location = f", made at {leaf.location}," if leaf.location.line else ""
            message = f"{name}{location} is needed, but it is not among the inputs"
            hint = f"add it: function([…, {leaf.hint or 'x'}], …), or replace it by "
            raise argument_error(message, f"{hint}givens={{…}}")
    replaced = {old for old, _ in givens}
    for argument in arguments:
        if argument.leaf in leaves:
            continue
        name = argument.name or "an input without a name"
        message = f"{name} is not used by the outputs and updates"
        if argument.leaf in replaced:
            message = f"{name} is replaced by givens, so its value would not be used"
        if on_unused == "raise":
            raise argument_error(message, "leave it out, or on_unused_input='ignore'")
        if on_unused == "warn":
            at = user_location()
            warn_user(Diagnostic("TC0319", message, at, severity="warning"))


# Calling


class Function(Costed):
    """A compiled function: call it with arrays, in order or by name."""

    def __init__(
        self,
        plan: EmissionPlan,
        arguments: Sequence[_Argument],
        made: Mapping[str, object],
        several: bool,
    ) -> None:
        self.name = str(made["name"] or "function")
        self._plan = plan
        self._arguments = tuple(arguments)
        self._single = not several and made["outputs"] is not None
        self._made = made
        self._options = CHOSEN.get()
        self._swaps: tuple[object, ...] = ()  # those of the copies that led here
        self._downcast = made["allow_input_downcast"]
        # Only None leaves conversion to the compiled function.
        self._casts = self._downcast is not None
        self._compiled = compile_plan(plan)
        self._known, self._run = self._compiled.known, self._compiled.run
        # By which inputs are the same for all batches.
        self._batched: dict[tuple[str, ...], CompiledFunction] = {}

    def __call__(self, *given: object, **named: object) -> object:
        """Compute the outputs, then change the memory.

        Raises:
            TypeError: the arguments do not fit in number, name or element type.
            ValueError: a shape does not fit.
            IndexError: an index is out of range; no memory has changed.
        """
        try:
            try:
                if TRACING.get():
                    refuse_in_trace(f"{self!r} would run", CALL_OUTSIDE)
                # A call like an earlier one has as many arrays, of the right types.
                plan = None if named or self._casts else self._known(kinds_of(given))
                if plan is not None:
                    results = self._run(plan, given)  # type: ignore[arg-type]
                else:
                    if named or len(given) != len(self._arguments):
                        given = self._arranged(given, named)
                    if self._casts:
                        given = self._converted(given)
                    results = self._compiled(*given)
            except TensorcError as error:
                raise rendered(error) from None
        except Exception as error:
            hide_our_frames(error)
            raise
        if self._single:
            return results
        if results is None:
            return []
        return list(results) if isinstance(results, tuple) else [results]

    def plan(self) -> EmissionPlan:
        """Return what is compiled: formulas, and the memory that they read."""
        return self._plan

    def _view(self, args: tuple[object, ...], named: Mapping[str, object]) -> View:
        refuse_arguments(args)
        make = functools.partial(graph_emit.emit, self._plan)
        return View(make, self._options, sizes_of(named))

    @door
    def call_of(self, args: tuple[object, ...], named: Mapping[str, object]) -> Call:
        """Return the call of these arguments, to be measured."""
        names = [a.name for a in self._arguments]
        given = {n: value for n, value in named.items() if n in names}
        sizes = {n: value for n, value in named.items() if n not in names}
        values: tuple[object, ...] | None = None
        if args or given:
            values = self._arranged(args, given)
            values = self._converted(values) if self._casts else values
        return Call(self._view((), sizes), self._compiled.shared, {}, values)

    @door
    def batched(
        self, columns: Container[str], numbers: Mapping[str, object]
    ) -> tuple[CompiledFunction, dict[str, int | float]]:
        """Return what batches of columns run, and the numbers for its other inputs.

        These are given by name, or have a default. An input that has neither is left
        for the columns to miss.
        """
        names = self._plan.names[len(self._plan.shared) :]
        fixed: dict[str, int | float] = {}
        for argument, name in zip(self._arguments, names, strict=True):
            value = numbers.get(name, argument.default)
            if name in columns or value is _NOTHING:
                continue
            single = np.asarray(value)
            if single.ndim or letter_of(single.dtype) not in "iuf":
                message = (
                    f"the input '{name}' of {self!r} is not a column, so it is one "
                )
                message += f"number for all batches, got {describe(value)}"
                raise usage_error(message)
            fixed[name] = single.item()
        wrong = [n for n in numbers if n not in fixed]
        if wrong:
            message = f"{self!r} takes no number '{wrong[0]}' beside the columns"
            raise usage_error(message)
        key = tuple(fixed)
        if key and key not in self._batched:
            plan = dataclasses.replace(self._plan, hypers=key)
            self._batched[key] = compile_plan(
                plan, fixed, checks=self._options.check_nan
            )
        return self._batched.get(key, self._compiled), fixed

    @property
    def compiled(self) -> CompiledFunction:
        """What a call runs, without what `In` and `allow_input_downcast` add."""
        return self._compiled

    def __repr__(self) -> str:
        names = ", ".join(a.name or "_" for a in self._arguments)
        return f"<function {self.name}({names})>"

    def __reduce__(self) -> tuple[object, ...]:
        return _made_again, (dict(self._made), self._options, self._swaps)

    @door
    def copy(self, *, swap: object = None, name: str | None = None) -> "Function":
        """Return the same function with other shared variables: `copy(swap={W: V})`.

        Updates are kept: they change the new ones. Nothing is compiled. Variables that
        are not swapped are common to both; arguments keep their names.

        Raises:
            TypeError: what is swapped is no shared variable, or has another type.
            ValueError: the function lacks the old one, has the new one already, or the
                shapes differ.
        """
        pairs = list(members_of(pairs_of(swap, "swap", "swap={W: V}")))
        made = object.__new__(Function)
        made.__dict__.update(self.__dict__, name=name or self.name, _batched={})
        made._plan = plan = swapped(self._plan, pairs)
        made._swaps = (*self._swaps, pairs) if pairs else self._swaps
        old, cells = self._compiled, cells_of(plan)
        origin = origin_of_plan(plan, old.name, old.origin.checks)
        made._compiled = CompiledFunction(
            old.info, old.library, cells, {}, origin=origin
        )
        made._known, made._run = made._compiled.known, made._compiled.run
        made._made = {**self._made, "name": name or self._made["name"]}
        return made

    def _arranged(
        self, given: Sequence[object], named: Mapping[str, object]
    ) -> tuple[object, ...]:
        """Return the values in order: given, by name, or the defaults."""
        arguments = self._arguments
        if len(given) > len(arguments):
            count = f"{len(arguments)} input{'' if len(arguments) == 1 else 's'}"
            raise usage_error(f"{self!r} takes {count}, {len(given)} given")
        values = list(given) + [a.default for a in arguments[len(given) :]]
        indices = {a.name: i for i, a in reversed(list(enumerate(arguments)))}
        for name, value in named.items():
            if name not in indices:
                raise usage_error(f"{self!r} has no input '{name}'")
            if indices[name] < len(given):
                raise usage_error(f"the input '{name}' of {self!r} is given twice")
            values[indices[name]] = value
        for argument, value in zip(arguments, values, strict=True):
            if value is _NOTHING:
                name = argument.name or "without a name"
                message = (
                    f"{self!r} takes {len(arguments)} inputs, {len(given)} given: "
                )
                raise usage_error(f"{message}the input {name} is missing")
        return tuple(values)

    def _converted(self, given: Sequence[object]) -> tuple[object, ...]:
        return tuple(
            [
                self._convert(value, argument)
                for value, argument in zip(given, self._arguments, strict=True)
            ]
        )

    def _convert(self, value: object, argument: _Argument) -> object:
        array = np.asarray(value)
        assert isinstance(argument.leaf.type, TensorType)
        dtype = argument.leaf.type.element.dtype
        if array.dtype == dtype or letter_of(array.dtype) not in "biuf":
            return value
        with np.errstate(all="ignore"):
            cast: Array = array.astype(dtype)
        if self._downcast is True or (self._downcast and type(value) is float):
            return cast
        same = (cast == array) | ((cast != cast) & (array != array))
        if not np.all(same):
            lost = array[~np.asarray(same)].flat[0]
            message = f"{argument.name or 'an input'} of {self!r} is {dtype}, which "
            hint = f"round it: x.astype('{dtype}'), or allow_input_downcast=True"
            raise usage_error(f"{message}cannot store {lost!r} accurately", hint)
        return cast


def _made_again(
    made: dict[str, object], options: Options, swaps: Sequence[object] = ()
) -> Function:
    with choosing(options):
        function = _made({**made, "on_unused_input": "ignore"})
        for swap in swaps:
            function = function.copy(swap=swap)
        return function


def evaluate(variable: Tensor, inputs: Mapping[Tensor, object]) -> Array:
    """Return the value of a variable, given those of its inputs: its `eval`."""
    refuse_in_trace(f"{variable!r} would be computed", "use it as it is: `return x`")
    if not isinstance(inputs, Mapping):
        message = f"eval takes a dictionary of variables, got {describe(inputs)}"
        raise usage_error(message, "x.eval({v: array})")
    cached = variable._compiled if isinstance(variable._compiled, dict) else {}
    variable._compiled = cached
    key = tuple(inputs)
    if key not in cached:
        cached[key] = function(list(inputs), variable, on_unused_input="ignore")
    result = cached[key](*inputs.values())
    assert isinstance(result, np.ndarray)
    return result
