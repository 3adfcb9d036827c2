"""From a graph to a function of the IR, in one walk without recursion.

`givens` are an identity map: a value that it names is not emitted, its replacement
stands for it, also in other replacements, in whatever order they are listed. Only in
its own a value means itself, so that `givens={x: x + 1}` means what it says.
"""

import keyword
import re
from collections import ChainMap
from collections.abc import Callable, Container, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from tensorc.errors import UNKNOWN, CompileError, Diagnostic, Location, ShapeError
from tensorc.frontend.library.mistakes import argument_error, usage_error
from tensorc.frontend.library.operands import spell_type
from tensorc.frontend.library.sizes import NoDimError, dim_of, why
from tensorc.frontend.python.graph.nodes import (
    InputNode,
    SharedLeaf,
    inputs_in,
    renamed,
    sources_of,
)
from tensorc.frontend.python.graph.placing import (
    Close,
    Frame,
    Join,
    Make,
    Open,
    Scope,
    steps_of,
)
from tensorc.frontend.python.graph.regions import (
    Condition,
    Derivative,
    OwnGradient,
    type_of_both,
)
from tensorc.frontend.python.graph.walks import needed, ops_of
from tensorc.ir.attributes import Dict, make_dict
from tensorc.ir.branches import isolate
from tensorc.ir.builder import Builder
from tensorc.ir.captured import CAPTURED, Captured
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import VALUE, Dim, substitute, symbol
from tensorc.ir.functions import Parameter, close_function, new_module, open_function
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.control import Yield
from tensorc.ir.ops.derivatives import CustomGradient, Jvp
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import TensorType, element_type

Values = MutableMapping[Value, Value]
Givens = Sequence[tuple[Value, Value]]


@dataclass(frozen=True, slots=True)
class EmissionPlan:
    """A function to be: values of the graph, and pairs of memory and its new value.

    `names` are those of the arguments: of `shared`, then of `inputs`. They are all the
    leaves that are needed, and `givens` are the needed ones. `hypers` are the names of
    inputs that are numbers, the same for all batches. `swapped` has the memory that
    stands for others of `shared`.
    """

    name: str
    shared: tuple[SharedLeaf, ...]
    inputs: tuple[InputNode, ...]
    names: tuple[str, ...]
    outputs: tuple[Value, ...]
    updates: tuple[tuple[SharedLeaf, Value], ...]
    givens: Givens
    location: Location = UNKNOWN
    hypers: tuple[str, ...] = ()
    swapped: Mapping[SharedLeaf, SharedLeaf] = field(default_factory=dict)

    @property
    def memory(self) -> tuple[SharedLeaf, ...]:
        """What is read and updated for `shared`, in its order."""
        return tuple([self.swapped.get(leaf, leaf) for leaf in self.shared])


def identifier(name: str, default: str) -> str:
    """Return a name for the IR: params["W"] is params_W."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    if not plain or plain[0].isdigit():
        return default
    return f"{plain}_" if keyword.iskeyword(plain) else plain


def unique_names(wished: Sequence[str]) -> tuple[str, ...]:
    """Return different names, the wished ones where that is possible."""
    names: list[str] = []
    for i, wish in enumerate(wished):
        base = identifier(wish, f"a{i}")
        name, number = base, 1
        while name in names or (name != wish and name in wished):
            number += 1
            name = f"{base}_{number}"
        names.append(name)
    return tuple(names)


def needs(roots: Sequence[Value], givens: Givens) -> tuple[list[Value], Givens]:
    """Return the leaves that values need, and the givens that matter, in order.

    Raises:
        ValueError: replacements need each other.
    """
    replacements = dict(givens)
    leaves: dict[Value, None] = {}

    def visit(start: Sequence[Value], keys: Container[Value]) -> list[Value]:
        met = []
        for value in needed(start, keys):
            if value in keys:
                met.append(value)
            elif value.op is None:
                leaves[value] = None
        return met

    # The keys that each replacement is made of; its own is what it replaces.
    made_of: dict[Value, list[Value]] = {}
    found = visit(roots, replacements)
    while found:
        key = found.pop()
        if key not in made_of:
            made_of[key] = visit([replacements[key]], replacements.keys() - {key})
            found += made_of[key]
    try:
        order = list(TopologicalSorter(made_of).static_order())
    except CycleError as error:
        names = ", ".join(f"`{v.hint or 'a variable'}`" for v in error.args[1][1:])
        message = f"the replacements of {names} in `givens` need each other"
        hint = "take new variables for what one of them is made of"
        raise argument_error(message, hint) from None
    return list(leaves), [(key, replacements[key]) for key in order]


def emit(plan: EmissionPlan) -> Module:
    """Return a module with one function; shape errors are at the user's lines."""
    values = (*plan.shared, *plan.inputs)
    sizes = _size_names(plan)
    parameters = [
        Parameter(
            _with_sizes(value, sizes),
            name,
            make_dict(**{"tc.name": name, "tc.kind": _kind(plan, value, name)}),
        )
        for value, name in zip(values, plan.names, strict=True)
    ]
    function, builder = open_function(plan.name, parameters, location=plan.location)
    for dim in sizes.values():
        builder.constraints.declare(str(dim))
    arguments = function.regions[0].block.arguments
    captured = Captured(function, _names_beside(plan.names))
    leaves = dict(zip(values, arguments, strict=True))
    emission = Emission(builder, captured, leaves, sizes)
    emission.replace(plan)
    updated = [new for _, new in plan.updates]
    env = emission.run([*plan.outputs, *updated])
    for memory, new in plan.updates:
        emission.fit(env[new], memory.type, f"the update of `{memory.hint}`")
    results = [env[v] for v in (*plan.outputs, *updated)]
    indices = {v: i for i, v in enumerate(values)}
    kinds: list[Dict] = [make_dict(**{"tc.name": ""})] * len(plan.outputs)
    kinds += [make_dict(**{"tc.updates": indices[m]}) for m, _ in plan.updates]
    builder.location = plan.location
    close_function(function, builder, results, kinds)
    module = new_module(plan.location)
    module.body.block.append(function)
    return module


def _names_beside(names: Sequence[str]) -> Callable[[str], str]:
    """Return what makes of a wish a name that is none of these and was not given."""
    given = list(names)

    def name(wish: str) -> str:
        given.append(unique_names([*given, identifier(wish, CAPTURED)])[-1])
        return given[-1]

    return name


def _kind(plan: EmissionPlan, value: Value, name: str) -> str:
    if isinstance(value, SharedLeaf):
        return "shared"
    return "hyper" if name in plan.hypers else "input"


def _size_names(plan: EmissionPlan) -> dict[str, Dim]:
    """Name the sizes of the inputs: as the user does, or x0, x1 for a matrix x.

    The value of an input i is $i.
    """
    found: dict[str, tuple[bool, str]] = {}
    sizes: dict[str, Dim] = {}
    names = plan.names[len(plan.shared) :]
    for source, name in zip(plan.inputs, names, strict=True):
        assert isinstance(source.type, TensorType)
        if source.given is not None:
            (value,) = sources_of(source.given)
            sizes[value.name] = symbol(f"{VALUE}{name}")
        for dim in source.type.shape:
            for size in sources_of(dim):
                # Inputs share a size that has a name: the first one has it.
                # The IR's texts are ASCII.
                own = size.spelled if size.spelled.isascii() else ""
                found.setdefault(size.name, (not own, own or f"{name}{size.axis}"))
    taken: set[str] = set()
    # The user's names have the first choice.
    for key, (_, wish) in sorted(found.items(), key=lambda item: item[1][0]):
        new = wish
        while new in taken:
            new += "_"
        taken.add(new)
        sizes[key] = symbol(new)
    return sizes


def _no_size(old: InputNode, error: NoDimError, plan: EmissionPlan) -> CompileError:
    """Return the error that a bound or size is replaced by what is none."""
    block = error.value.owner
    arguments = block.arguments if isinstance(block, Block) else []
    index = arguments.index(error.value) if error.value in arguments else None
    is_memory = index is not None and index < len(plan.shared)
    text, hint = why(
        error, plan.names[index] if is_memory and index is not None else ""
    )
    message = f"`{old.hint or 'a variable'}` is a bound or a size, its replacement "
    message += f"in `givens` cannot be one: {text}"
    return usage_error(message, hint)


def _with_sizes(value: Value, sizes: Mapping[str, Dim]) -> TensorType:
    assert isinstance(value.type, TensorType)
    shape = tuple([substitute(d, sizes) for d in value.type.shape])
    return TensorType(shape, value.type.element)


@dataclass
class Emission:
    """The state of emitting one function: leaves and what stands for them."""

    builder: Builder
    captured: Captured
    leaves: dict[Value, Value]
    sizes: dict[str, Dim]
    # Inputs whose replacement is no dimension, and the error that their use as one is.
    failures: dict[InputNode, CompileError] = field(default_factory=dict)

    def replace(self, plan: EmissionPlan) -> None:
        """Emit the replacements, and let them stand for their keys."""
        replaced: dict[Value, Value] = {}
        for old, new in plan.givens:
            made = self.run([new], ChainMap(replaced, self.leaves))[new]
            self._replace_sizes(plan, old, made)
            replaced[old] = made
        self.leaves = {**self.leaves, **replaced}

    def _replace_sizes(self, plan: EmissionPlan, old: Value, new: Value) -> None:
        assert isinstance(old.type, TensorType)
        assert isinstance(new.type, TensorType)
        if not isinstance(old, InputNode):
            self.fit(new, _with_sizes(old, self.sizes), "a replacement in `givens`")
            return
        sizes = {}
        for own, dim in zip(old.type.shape, new.type.shape, strict=True):
            for size in sources_of(own):
                sizes[size.name] = dim
        if old.given is not None:
            (value,) = sources_of(old.given)
            try:
                sizes[value.name] = dim_of(new, self._given)
            except NoDimError as error:
                self.failures[old] = _no_size(old, error, plan)
        self.sizes = {**self.sizes, **sizes}
        what = f"the replacement of `{old.hint or 'a variable'}` in `givens`"
        self.fit(new, _with_sizes(old, self.sizes), what)

    def _given(self, value: Value) -> Dim | None:
        """Return what a value of the function is, if it stands for an input."""
        for leaf, argument in self.leaves.items():
            if (
                argument is value
                and isinstance(leaf, InputNode)
                and leaf.given is not None
            ):
                return substitute(leaf.given, self.sizes)
        return None

    def fit(
        self, value: Value, wanted: object, what: str, location: Location | None = None
    ) -> None:
        """Raise `ShapeError` unless a value has the sizes of a type."""
        location = location or value.location
        type_, resolve = value.type, self.builder.constraints.resolve
        assert isinstance(type_, TensorType)
        assert isinstance(wanted, TensorType)
        unify = self.builder.constraints.unify
        pairs = zip(type_.shape, wanted.shape, strict=True)
        if not all(unify(a, b, location) for a, b in pairs):
            shape = tuple(resolve(d) for d in type_.shape)
            given = spell_type(TensorType(shape, type_.element))
            message = f"{what} needs {spell_type(wanted)}, got {given}"
            raise ShapeError(Diagnostic("TC0301", message, location))

    def run(self, roots: Sequence[Value], base: Values | None = None) -> Values:
        """Emit what values need; returns what stands for each value."""
        given = base or self.leaves
        missing = [v for v in needed(roots, given) if v not in given]
        assert all(v.op is not None for v in missing), f"{missing} are no arguments"
        frame = Frame(Scope(self.builder.block), ChainMap({}, given), given)
        for step in steps_of(frame, ops_of(missing), roots):
            match step:
                case Make(op, frame, scope):
                    self._make(op, frame, scope)
                case Open(op, frame, inner):
                    self._open(op, frame, inner)
                case Close(op, frame, inner, scope):
                    self._close(op, frame, inner, scope)
                case Join():
                    self._join(step)
        return frame.values

    def _make(self, op: Op, frame: Frame, scope: Scope) -> None:
        """Emit one node."""
        self.builder.location = op.location
        if self.failures:
            for source in inputs_in(op):
                if source in self.failures:
                    raise self.failures[source]
        captured = self.captured.stands_for(op)
        if captured is not None:
            frame.values[op.results[0]] = captured
            return
        operands = [frame.value(v) for v in op.operands]
        if isinstance(op, OwnGradient):
            with self.builder.inside(scope.block):
                results = self._own_gradient(op, operands)
        else:
            attributes = renamed(op.attributes, self.sizes)
            types = self.builder.infer(type(op), operands, attributes)
            made = type(op)(operands, types, attributes, (), op.location)
            results = scope.block.append(made).results
        _name(frame, op.results, results)

    def _own_gradient(self, op: OwnGradient, operands: Sequence[Value]) -> list[Value]:
        """Emit a program that says its own derivative, with what stands in it."""
        b = self.builder
        types, hints = [v.type for v in operands], [v.hint for v in op.operands]
        captures = op.operands[len(op.arguments) :]
        given = [*op.arguments, *captures]
        sources = {source: self.leaves[source] for source in op.sources}
        with b.region(types, hints) as (forward, inside):
            env = self.run(op.forward, sources | dict(zip(given, inside, strict=True)))
            results = [env[v] for v in op.forward]
            b.create(Yield, *results)
        b.location = op.location
        given += op.cotangents
        both = [v.type for v in results]
        with b.region([*types, *both], hints + [""] * len(both)) as (backward, inside):
            env = self.run(op.backward, sources | dict(zip(given, inside, strict=True)))
            beside = inside[len(op.arguments) : len(operands)]
            constant = [v for v in beside if element_type(v.type).is_float]
            zeros = map(TensorBuilder(b).zeros_like, constant)
            b.create(Yield, *[env[v] for v in op.backward], *zeros)
        b.location = op.location
        regions = (forward, backward)
        return b.create(CustomGradient, *operands, types=both, regions=regions).results

    def _open(self, op: Derivative, frame: Frame, inner: Frame) -> None:
        """Begin the region of a derivative, whose arguments are the primals."""
        for primal in op.primals:
            type_ = frame.value(primal).type
            argument = inner.scope.block.add_argument(type_, primal.hint)
            inner.values[primal] = argument

    def _close(self, op: Derivative, frame: Frame, inner: Frame, scope: Scope) -> None:
        """End the region of a derivative, and emit the derivative."""
        outs = [inner.value(v) for v in op.outs]
        operands = [frame.value(v) for v in op.given]
        # Tangents go with primals and give those of outs, cotangents the other way.
        taken, given = operands, outs
        if op.kind is not Jvp:
            taken, given = outs, operands
        for value, own in zip(operands[len(op.primals) :], taken, strict=False):
            self.fit(value, own.type, "a tangent or cotangent", op.location)
        types = [v.type for v in given][: len(op.results)]
        self.builder.location = op.location
        with self.builder.inside(inner.scope.block):
            self.builder.create(Yield, *outs)
        with self.builder.inside(scope.block):
            made = self.builder.create(
                op.kind, *operands, types=types, regions=[inner.scope.region]
            )
        _name(frame, op.results, made.results)

    def _join(self, step: Join) -> None:
        """End the branches of conditions that are one, and emit that one."""
        b, frame = self.builder, step.frame
        pairs, types = [], []
        for result in step.results:
            assert isinstance(result.op, Condition)
            b.location = result.op.location
            then, otherwise = [frame.value(v) for v in result.op.branches(result)]
            types.append(type_of_both(b, then, otherwise))
            pairs.append((then, otherwise))
        for scope, values in zip(
            (step.then, step.otherwise), zip(*pairs, strict=True), strict=True
        ):
            with b.inside(scope.block):
                b.create(Yield, *values)
        condition = frame.value(step.condition)
        b.location = step.results[0].location
        regions = step.then.region, step.otherwise.region
        with b.inside(step.scope.block):
            made = isolate(b, condition, *regions, types)
        _name(frame, step.results, made)


def _name(frame: Frame, old: Sequence[Value], new: Sequence[Value]) -> None:
    """Let new values stand for the results of a node, but for arguments."""
    for own, made in zip(old, new, strict=True):
        made.hint = own.hint
        if own not in frame.given:
            frame.values[own] = made
