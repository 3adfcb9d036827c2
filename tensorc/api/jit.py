"""Compile ordinary Python: `jit`, `step`, `update`, derivatives of functions.

    @tc.jit
    def predict(x, W):
        return np.tanh(x @ W).sum(axis=1)

The function runs once for each specialisation: element types, ranks, which sizes are 1,
the structure of the arguments and the values of static ones. All other sizes and
numbers may differ from call to call, but for what the function asks of them as it runs:
such facts (`frontend/python/facts.py`) are a part of the specialisation. The compiler
is loaded when the first function is called.
"""

import functools
import inspect
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar, overload

import numpy as np

from tensorc.api.inspection import Call, Costed, View, sizes_of, sizes_of_call
from tensorc.api.plans import cells_of, compile_plan
from tensorc.api.untraced import Called
from tensorc.errors import CompileError, Diagnostic, Label, Location, TensorcError
from tensorc.frontend.library.locations import user_location
from tensorc.frontend.library.mistakes import (
    CALL_OUTSIDE,
    door,
    hide_our_frames,
    outside,
    rendered,
    usage_error,
    warn_user,
)
from tensorc.frontend.python import tracer
from tensorc.frontend.python.forms import Forms, Found, way_out
from tensorc.frontend.python.graph import emit as graph_emit
from tensorc.frontend.python.graph.plan import EmissionPlan
from tensorc.frontend.python.graph.store import found_by_name
from tensorc.frontend.python.grouping.groups import Group, partners
from tensorc.frontend.python.grouping.pytree import (
    LEAF,
    NONE,
    Tree,
    flatten,
    unflatten,
)
from tensorc.frontend.python.signatures import computed, parameters_of
from tensorc.frontend.python.symbolic_operands import concrete, describe, is_symbolic
from tensorc.frontend.python.symbolic_variables import Shared
from tensorc.frontend.python.trace_arguments import (
    Key,
    TracedCall,
    differences,
    fit_tensor,
    read_call,
    sample,
    spell,
)
from tensorc.frontend.python.tracer import MemoryLeaf, Traced
from tensorc.ir.dims import Dim
from tensorc.runtime.arrays import Kinds, kinds_of
from tensorc.runtime.function import MAX_PLANS, CompiledFunction, Results
from tensorc.runtime.locks import reentrant_lock
from tensorc.runtime.signature import CallPlan
from tensorc.target import CHOSEN, Options

J = TypeVar("J", bound="Jitted")

# More specialisations than this have a cause that the user should know, and of more
# than that the oldest ones are forgotten.
FEW, MANY = 16, 256


@dataclass(frozen=True, slots=True)
class Specialization:
    """One compiled form of a function: for which arguments, why, how long it took."""

    arguments: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class _Made:
    """A compiled specialisation."""

    key: Key
    compiled: CompiledFunction
    traced: Traced
    about: Specialization
    # It takes arrays, numbers and static values: no structures, no memory.
    is_plain: bool
    options: Options


_Known = tuple[CompiledFunction, CallPlan | None, Tree]


def _in_structure(tree: Tree, results: Results) -> object:
    """Return results in the structure that the function returned."""
    if tree is LEAF:
        return results
    single = isinstance(results, np.ndarray)
    leaves = () if results is None else (results,) if single else results
    return unflatten(tree, leaves)


class Jitted(Costed):
    """A Python function that is compiled when it is called.

    Called with symbolic variables, or while another function is traced, it computes
    with those: it becomes a part of what is traced.
    """

    is_step = False

    def __init__(
        self, function: Callable[..., object], static: str | Iterable[str] = ()
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = getattr(function, "__name__", type(function).__name__)
        self.location = _location_of(function)
        self._takes = parameters_of(function, self.name, static)
        self.signature = self._takes.signature
        self.static = self._takes.static
        self._count, self._plain = self._takes.count, self._takes.plain
        self._made: Forms[_Made] = Forms()
        self._batched: Forms[CompiledFunction] = Forms()
        # Of the numbers among the arguments those whose values decide a form.
        self._valued: frozenset[str] = frozenset()
        # Calls with arrays and numbers alone, which need no look at their structure:
        # see `__call__`. Without a plan they are still converted or checked.
        self._known: dict[Kinds | None, _Known] = {}
        self.made_by: tuple[object, ...] = ()  # a call that makes the same
        self._lock = reentrant_lock()
        # Whether the user knows that there are many specialisations.
        self._is_told = False

    def __call__(self, *args: object, **named: object) -> object:
        """Compute the function of these arguments.

        Raises:
            TypeError: the arguments do not fit in number, name or element type, or the
                function does what a trace cannot.
            ValueError: sizes do not fit.
            IndexError: an index is out of range; no memory has changed.
        """
        try:
            if tracer.current() is None:
                arrays, kinds = args, None
                if not named and len(args) == self._count and not self._valued:
                    kinds = kinds_of(args)
                if kinds is None:
                    arrays, kinds = self._plain(args, named, self._valued)
                found = self._known.get(kinds)
                if found is not None:
                    compiled, plan, tree = found
                    try:
                        if plan is None:
                            results = compiled(*arrays)
                        else:
                            results = compiled.run(plan, arrays)  # type: ignore[arg-type]
                    except TensorcError as error:
                        raise rendered(error) from None
                    return results if tree is LEAF else _in_structure(tree, results)
            return self._slow(args, named)
        except Exception as error:
            hide_our_frames(error)
            raise

    @outside("{0!r} would be compiled", CALL_OUTSIDE)
    def specialize(self, *args: object, **named: object) -> CompiledFunction:
        """Return what these arguments are compiled to, compiling it if need be.

        TypeError in a traced function, there or when the result is called.
        """
        made = self._specialized(args, named).compiled
        return Called(made.info, made.library, made.shared, {}, origin=made.origin)

    @door
    def training(
        self, columns: Mapping[str, object], numbers: Mapping[str, int | float]
    ) -> CompiledFunction:
        """Return what batches like `columns` run; `numbers` are the same for all.

        Other values of the numbers need no compiling: they are hyperparameters.
        TypeError if the function updates nothing.
        """
        if not numbers:
            made = self._specialized((), columns)
            if not made.traced.plan.updates:
                raise changes_nothing(self)
            return made.compiled
        call = self._call(self._bind((), {**columns, **numbers}))
        assert call is not None, "columns are arrays"
        key = call.key()
        with self._lock:
            found = self._batched.find((key, tuple(numbers)), call.given).form
            if found is None:
                traced = self._trace(key, call)
                if not traced.plan.updates:
                    raise changes_nothing(self)
                found = compile_plan(
                    replace(traced.plan, hypers=tuple(numbers)), numbers, checks=False
                )
                if len(self._batched) >= MANY:
                    self._batched.forget_oldest()
                self._batched.add((key, tuple(numbers)), traced.answered, found)
            return found

    def plan(self) -> EmissionPlan:
        """Return what was traced for the last new form, or what annotations tell.

        Raises:
            TypeError: there was no call yet, and annotations do not tell.
        """
        made = self._newest()
        return self._declared() if made is None else made.traced.plan

    def _view(self, args: tuple[object, ...], named: Mapping[str, object]) -> View:
        """Return what to look at: the form for these arguments, or the newest one."""
        parameters = self.signature.parameters
        spread = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
        given = {n: v for n, v in named.items() if spread or n in parameters}
        sizes = sizes_of({n: v for n, v in named.items() if n not in given})
        made: _Made | None
        if args or given or not parameters:
            call = self._array_call(self._bind(args, given))
            found = made = self._find(call)
            sizes = {**sizes_of_call(found.compiled, call.values), **sizes}
        else:
            made = self._newest()
        plan = self._declared() if made is None else made.traced.plan
        options = CHOSEN.get() if made is None else made.options
        return View(functools.partial(graph_emit.emit, plan), options, sizes)

    def call_of(self, args: tuple[object, ...], named: Mapping[str, object]) -> Call:
        """Return the call of these arguments, to be measured."""
        view = self._view(args, named)
        given = {n: v for n, v in named.items() if n in self.signature.parameters}
        if args or given:
            values = self._array_call(self._bind(args, given)).values
            return Call(
                view, self._specialized(args, given).compiled.shared, {}, values
            )
        made = self._newest()
        plan = self._declared() if made is None else made.traced.plan
        return Call(view, cells_of(plan), {}, None)

    def _newest(self) -> _Made | None:
        """Return the last new form, if there was a call yet."""
        forms = list(self._made)
        return forms[-1] if forms else None

    def _declared(self) -> EmissionPlan:
        """Return the form that the annotations tell, before there was any call."""
        given: dict[str, object] = {}
        for name, parameter in self.signature.parameters.items():
            if parameter.default is parameter.empty:
                given[name] = sample(self._takes.types.get(name))
        if not any(value is None for value in given.values()):
            call = self._array_call(self._bind((), given))
            traced = self._trace(call.key(), call)
            if not traced.answered:
                return traced.plan
        names = ", ".join(self.signature.parameters)
        message = f"{self.name} was not called yet: no call says what types it takes"
        hint = f"call it first, or give the arguments: {self.name}.explain({names})"
        raise usage_error(message, hint)

    @door
    def _specialized(
        self, args: tuple[object, ...], named: Mapping[str, object]
    ) -> _Made:
        return self._find(self._array_call(self._bind(args, named)))

    def _array_call(self, bound: inspect.BoundArguments) -> TracedCall:
        call = self._call(bound)
        if call is None:
            message = f"{self.name} is compiled for arrays, not for variables"
            raise usage_error(message, "tc.function([x], f(x)) compiles a formula")
        return call

    def cache_info(self) -> tuple[Specialization, ...]:
        """Return what was compiled so far, in order, and why."""
        return tuple([made.about for made in self._made])

    def cache_clear(self) -> None:
        """Forget what was compiled."""
        with self._lock:
            self._made, self._batched = Forms(), Forms()
            self._known, self._valued = {}, frozenset()

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(self.signature.parameters)

    def __reduce__(self) -> str | tuple[object, ...]:
        """Pickle by name, or make again `grad(f)` and `fast = jit(slow)`."""
        name = str(getattr(self.function, "__qualname__", self.name))
        if found_by_name(self.__module__, name) is self:
            return name
        return self.made_by or (type(self), (self.function, tuple(self.static)))

    def __deepcopy__(self: J, *_: object) -> J:
        return self

    __copy__ = __deepcopy__

    def __get__(self, instance: object, owner: type | None = None) -> object:
        """Bind to an instance, as a method does; `self` is then the first argument."""
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        kind = "step" if self.is_step else "jit"
        return f"<{kind} {self.name}{self.signature}>"

    # From arguments to a specialisation

    def _slow(self, args: tuple[object, ...], named: Mapping[str, object]) -> object:
        bound = self._bind(args, named)
        call = None if tracer.current() is not None else self._call(bound)
        if call is None:
            self._fit_types(bound)
            return tracer.part_of_another(self.name, self.function, bound)
        made = self._find(call)
        compiled, tree = made.compiled, made.traced.tree
        try:
            results = compiled(*call.values)
        except TensorcError as error:
            raise rendered(error) from None
        if made.is_plain:
            arrays, kinds = self._plain(args, named, self._valued)
            plan = compiled.known(kinds_of(arrays))
            if kinds is not None:
                if len(self._known) >= MAX_PLANS:
                    self._known.clear()
                self._known[kinds] = compiled, plan, tree
        return _in_structure(tree, results)

    @door
    def _bind(
        self, args: tuple[object, ...], named: Mapping[str, object]
    ) -> inspect.BoundArguments:
        return self._takes.bind(args, named)

    @door
    def _fit_types(self, bound: inspect.BoundArguments) -> None:
        """Give arguments the types of their parameters, which may know more sizes."""
        sizes: dict[str, Dim] = {}
        for name in self.static:
            bound.arguments[name] = concrete(bound.arguments[name])
        for name, type_ in self._takes.types.items():
            what = f"argument '{name}' of '{self.name}'"
            fitting = fit_tensor(bound.arguments[name], type_, what, sizes)
            bound.arguments[name] = fitting

    @door
    def _call(self, bound: inspect.BoundArguments) -> TracedCall | None:
        given, takes = bound.arguments, self._takes
        unchanged = [n for n, default in takes.words.items() if given[n] is default]
        return read_call(self.name, given, takes.types, self.static.union(unchanged))

    def _find(self, call: TracedCall) -> _Made:
        key = call.key()
        made = self._made.find(key, call.given).form
        if made is not None:
            return made
        with self._lock:
            found = self._made.find(key, call.given)
            return found.form or self._add(key, call, found)

    def _add(self, key: Key, call: TracedCall, found: Found[_Made]) -> _Made:
        start = time.perf_counter()
        reason = found.reason or self._reason(call)
        self._bound(reason, way_out(reason, found.fact))
        if self._made and "recompiles" in os.environ.get("TENSORC_LOGS", "").split(","):
            location = f"{self.location.file}:{self.location.line}"
            sys.stderr.write(f"recompiling {self.name} at {location}: {reason}\n")
        traced = self._trace(key, call)
        try:
            compiled = compile_plan(traced.plan, checks=False)
        except TensorcError as error:
            raise rendered(error) from None
        seconds = time.perf_counter() - start
        spelled = spell(key, call.names(), traced.answered)
        about = Specialization(spelled, reason, seconds)
        plain = not any(isinstance(leaf, MemoryLeaf) for leaf in key.leaves)
        plain = plain and all(tree in (LEAF, NONE) for tree in key.trees)
        made = _Made(key, compiled, traced, about, plain, CHOSEN.get())
        valued = self._valued.union(*[fact.numbers for fact, _ in traced.answered])
        if valued != self._valued:
            # Calls were known whatever these numbers were.
            self._valued, self._known = valued, {}
        self._made.add(key, traced.answered, made)
        return made

    def _trace(self, key: Key, call: TracedCall) -> Traced:
        try:
            return tracer.trace(
                functools.partial(self._run, key),
                key.leaves,
                call.names(),
                call.given(),
                self.name,
                self.function,
                self.location,
                self.is_step,
            )
        except RecursionError:
            pass
        message = f"`{self.name}` calls itself, or what it calls does, without an end"
        hint = "a trace knows no values to stop at: write a loop over a known range"
        label = Label(self.location, "this function")
        location = user_location()
        found = Diagnostic("TC0311", message, location, labels=(label,), hints=(hint,))
        raise rendered(CompileError(found))

    def _run(self, key: Key, tensors: list[object]) -> object:
        """Call the function with variables instead of the leaves."""
        members = iter(tensors)
        arguments = {
            name: unflatten(tree, members)
            for name, tree in zip(self.signature.parameters, key.trees, strict=True)
        }
        bound = inspect.BoundArguments(self.signature, arguments)
        return computed(self.function, bound)

    def _reason(self, call: TracedCall) -> str:
        """Say in what a call differs from the nearest one that was compiled."""
        if not self._made:
            return "the first call"
        kinds = [type(leaf) for leaf in call.leaves]

        def distance(key: Key) -> tuple[bool, bool, int]:
            other_kinds = kinds != [type(leaf) for leaf in key.leaves]
            return call.has_other_trees(key), other_kinds, len(differences(call, key))

        # Of the nearest ones the last, which is what the user remembers.
        keys = [made.key for made in self._made]
        return "; ".join(differences(call, min(reversed(keys), key=distance)))

    def _bound(self, reason: str, way_out: str) -> None:
        """Warn of a function that is compiled again and again; forget old forms."""
        if len(self._made) >= FEW and not self._is_told:
            self._is_told = True
            location = user_location()
            message = (
                f"{self.name} has {FEW} compiled forms already, and is compiled again: "
                f"{reason}; {way_out}. TENSORC_LOGS=recompiles prints each one"
            )
            at = location if location.file else self.location
            warn_user(Diagnostic("TC0320", message, at, severity="warning"))
        while len(self._made) >= MANY:
            self._made.forget_oldest()
            self._known.clear()


class Step(Jitted):
    """A function whose `update`s take effect together, after its outputs."""

    is_step = True


def changes_nothing(function: object) -> TensorcError:
    """Return the error about a function to train with that updates no memory."""
    message = f"{function!r} changes no variable: there is nothing to train"
    hint = "decorate the function with @tc.step, and call tc.update(W, new) in it"
    return usage_error(message, f"{hint}; of a tc.function, updates=[(W, new)]")


def _location_of(function: Callable[..., object]) -> Location:
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return Location()
    return Location(code.co_filename, code.co_firstlineno, 1)


# The public functions


@overload
def jit(
    function: Callable[..., object], /, *, static: str | Iterable[str] = ()
) -> Jitted: ...


@overload
def jit(
    function: None = None, /, *, static: str | Iterable[str] = ()
) -> Callable[[Callable[..., object]], Jitted]: ...


@door
def jit(
    function: Callable[..., object] | None = None,
    /,
    *,
    static: str | Iterable[str] = (),
) -> Jitted | Callable[[Callable[..., object]], Jitted]:
    """Compile a Python function of arrays; a decorator, with or without arguments.

    `static` names parameters whose values are a part of the program: each value is
    compiled by itself. Arrays that the function captures are constants, shared
    variables are memory, read at each call. Results are new NumPy arrays.
    """
    if function is None:
        return lambda wrapped: _decorated(Jitted, wrapped, static)
    return _decorated(Jitted, function, static)


@overload
def step(
    function: Callable[..., object], /, *, static: str | Iterable[str] = ()
) -> Step: ...


@overload
def step(
    function: None = None, /, *, static: str | Iterable[str] = ()
) -> Callable[[Callable[..., object]], Step]: ...


@door
def step(
    function: Callable[..., object] | None = None,
    /,
    *,
    static: str | Iterable[str] = (),
) -> Step | Callable[[Callable[..., object]], Step]:
    """Compile a Python function that changes shared variables by `update`.

    All new values are computed from the old ones, and take effect together after the
    outputs; if anything fails, nothing has changed. `fit` trains with steps.
    """
    if function is None:
        return lambda wrapped: _decorated(Step, wrapped, static)
    return _decorated(Step, function, static)


@door
def _decorated(
    cls: type[J], function: Callable[..., object], static: str | Iterable[str]
) -> J:
    if isinstance(function, Jitted):
        function = function.function
    if not callable(function) or is_symbolic(function):
        door_name = "step" if cls.is_step else "jit"
        message = f"{door_name} takes a Python function, "
        hint = "a formula is compiled by tc.function([x], formula)"
        raise usage_error(f"{message}got {describe(function)}", hint)
    return cls(function, static)


@door
def update(variable: object, value: object) -> None:
    """Give a shared variable, or each in a structure of them, a new value in a step.

    The new value is there when the step ends. Below the update the variable is not
    read: what needs the old value stands above, and the new one has a name.

    Raises:
        TypeError: it stands outside of a step, or the types do not fit.
        ValueError: a variable is updated twice or read after its update, or the shapes
            do not fit.
    """
    pairs: list[tuple[Shared, object]] = []
    for memory, new in _update_pairs(variable, value):
        if not isinstance(memory, Shared):
            message = f"update changes a shared variable, got {describe(memory)}"
            raise usage_error(message, "make it one: W = tc.shared(value, 'W')")
        pairs.append((memory, new))
    tracer.record_updates(pairs)


def _update_pairs(variable: object, value: object) -> Iterable[tuple[object, object]]:
    if isinstance(variable, Group):
        return partners(variable, value, "update")
    variables, tree = flatten(variable)
    values, given = ([value], LEAF) if tree is LEAF else flatten(value)
    if tree != given:
        message = f"update: the new values have the structure {given}, not {tree}"
        raise usage_error(message)
    return zip(variables, values, strict=True)
