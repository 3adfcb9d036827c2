"""The nodes of a function become ops: where `placing` says, in one walk."""

import re
from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

from tensorc.errors import CompileError, Diagnostic, Location, ShapeError
from tensorc.frontend.library.mistakes import usage_error
from tensorc.frontend.library.operands import spell_type
from tensorc.frontend.library.sizes import NoDimError, dim_of, why
from tensorc.frontend.python.graph.nodes import (
    REQUIRED,
    InputNode,
    inputs_in,
    sources_of,
)
from tensorc.frontend.python.graph.placing import (
    Close,
    Frame,
    Join,
    Make,
    Open,
    Replace,
    Scope,
    Step,
    steps_of,
)
from tensorc.frontend.python.graph.plan import EmissionPlan
from tensorc.frontend.python.graph.regions import (
    Condition,
    Derivative,
    Loop,
    OwnGradient,
    type_of_both,
)
from tensorc.frontend.python.graph.walks import needed, ops_of
from tensorc.ir.attributes import ArrayAttr, Attribute, Dims, dims_of, with_dims
from tensorc.ir.branches import isolate
from tensorc.ir.builder import Builder
from tensorc.ir.captured import Captured
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import Dim, substitute
from tensorc.ir.ops.control import Yield
from tensorc.ir.ops.derivatives import CustomGradient, Jvp
from tensorc.ir.scans import append_scan, step_types
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import TensorType, element_type

Values = MutableMapping[Value, Value]

# Of conditions and derivatives in each other: passes walk them by recursion.
MOST_NESTED = 128


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


def with_sizes(value: Value, sizes: Mapping[str, Dim]) -> TensorType:
    """Return the type of a value with other names for the symbols in its shape."""
    assert isinstance(value.type, TensorType)
    shape = tuple([substitute(d, sizes) for d in value.type.shape])
    return TensorType(shape, value.type.element)


@dataclass
class Emission:
    """The state of emitting one function: leaves and what stands for them."""

    plan: EmissionPlan
    builder: Builder
    captured: Captured
    leaves: dict[Value, Value]
    sizes: dict[str, Dim]
    # Dimensions in attributes, of the graph, and what they are in the function.
    named: dict[Attribute, Attribute] = field(default_factory=dict)
    # What stands for what `givens` replaces, as far as it is emitted.
    replaced: dict[Value, Value] = field(default_factory=dict)
    # Inputs whose replacement is no dimension, and the error that their use as one is.
    failures: dict[InputNode, CompileError] = field(default_factory=dict)

    def run(self, roots: Sequence[Value]) -> Values:
        """Emit what values need; returns what stands for each value.

        Replacements are emitted before, but placed behind what needs them: a branch
        that alone does has them.
        """
        top = Scope(self.builder.block)
        replacements = Frame(top, self.replaced, ())
        keys = [old for old, _ in self.plan.givens]
        main = self._frame(top, keys, replacements)
        parts = [_steps(main, roots, top)]
        for number, (old, new) in reversed(list(enumerate(self.plan.givens))):
            frame = self._frame(top, keys[:number], replacements)
            steps = _steps(frame, [new], replacements.scopes.get(old, top))
            parts.append([*steps, Replace(old, new, frame)])
        for part in reversed(parts):
            self._emit(part)
        return main.values

    def _frame(self, scope: Scope, keys: Sequence[Value], replacements: Frame) -> Frame:
        """Return a frame in which the replacements of some keys stand for these."""
        values = ChainMap({}, self.replaced, self.leaves)
        given = {*self.leaves, *keys}
        return Frame(
            scope, values, given, replaced=frozenset(keys), replacements=replacements
        )

    def _replace(self, old: Value, new: Value) -> None:
        """Let a value stand for another, and its sizes for the other's."""
        self._replace_sizes(old, new)
        self.replaced[old] = new

    def _replace_sizes(self, old: Value, new: Value) -> None:
        assert isinstance(old.type, TensorType)
        assert isinstance(new.type, TensorType)
        if not isinstance(old, InputNode):
            self.fit(new, with_sizes(old, self.sizes), "a replacement in `givens`")
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
                self.failures[old] = _no_size(old, error, self.plan)
        self.sizes = {**self.sizes, **sizes}
        self.named.clear()
        what = f"the replacement of `{old.hint or 'a variable'}` in `givens`"
        self.fit(new, with_sizes(old, self.sizes), what)

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

    def _run(self, roots: Sequence[Value], given: Values) -> Values:
        """Emit what values need in this block; returns what stands for each value."""
        frame = Frame(Scope(self.builder.block), ChainMap({}, given), given)
        self._emit(_steps(frame, roots, frame.scope))
        return frame.values

    def _emit(self, steps: Sequence[Step]) -> None:
        for step in steps:
            match step:
                case Replace(old, new, frame):
                    self._replace(old, frame.value(new))
                case Make(op, frame, scope):
                    self._make(op, frame, scope)
                case Open(op, frame, inner):
                    self._open(op, frame, inner)
                case Close(op, frame, inner, scope):
                    self._close(op, frame, inner, scope)
                case Join():
                    self._join(step)

    def _make(self, op: Op, frame: Frame, scope: Scope) -> None:
        """Emit one node."""
        self.builder.location = op.location
        if self.failures:
            for source in inputs_in(op):
                if source in self.failures:
                    raise self.failures[source]
        attributes = self._renamed(op.attributes)
        self._require(attributes.pop(REQUIRED, ArrayAttr(())))
        captured = self.captured.stands_for(op)
        if captured is not None:
            frame.values[op.results[0]] = captured
            return
        operands = [frame.value(v) for v in op.operands]
        if isinstance(op, OwnGradient | Loop):
            emit = self._loop if isinstance(op, Loop) else self._own_gradient
            with self.builder.inside(scope.block):
                results = emit(op, operands)  # type: ignore[arg-type]
        else:
            types = self.builder.infer(type(op), operands, attributes)
            made = type(op)(operands, types, attributes, (), op.location)
            results = scope.block.append(made).results
        _name(frame, op.results, results)

    def _require(self, required: Attribute) -> None:
        """Let the call see to what a node says of its sizes."""
        assert isinstance(required, ArrayAttr)
        for sides, words in zip(required.items[::2], required.items[1::2], strict=True):
            assert isinstance(sides, Dims)
            message = str(words)
            for name in sorted(self.sizes, key=len, reverse=True):  # not x1#1 of x1#12
                message = message.replace(name, str(self.sizes[name]))
            message = re.sub(r"#\d+", "", message)  # of sizes that were replaced
            left, right = sides.dims
            if not self.builder.unify(left, right, message):
                raise ShapeError(Diagnostic("TC0301", message, self.builder.location))

    def _renamed(self, attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
        """Return attributes with the function's symbols in their dimensions."""
        found = dict(attributes)
        for name, given in attributes.items():
            if dims_of(given):
                if given not in self.named:
                    self.named[given] = with_dims(
                        given, lambda d: substitute(d, self.sizes)
                    )
                found[name] = self.named[given]
        return found

    def _own_gradient(self, op: OwnGradient, operands: Sequence[Value]) -> list[Value]:
        """Emit a program that says its own derivative, with what stands in it."""
        b = self.builder
        types, hints = [v.type for v in operands], [v.hint for v in op.operands]
        captures = op.operands[len(op.arguments) :]
        given = [*op.arguments, *captures]
        standing = ChainMap(self.replaced, self.leaves)
        sources = {source: standing[source] for source in op.sources}
        with b.region(types, hints) as (forward, inside):
            env = self._run(op.forward, sources | dict(zip(given, inside, strict=True)))
            results = [env[v] for v in op.forward]
            b.create(Yield, *results)
        b.location = op.location
        given += op.cotangents
        both = [v.type for v in results]
        with b.region([*types, *both], hints + [""] * len(both)) as (backward, inside):
            env = self._run(
                op.backward, sources | dict(zip(given, inside, strict=True))
            )
            beside = inside[len(op.arguments) : len(operands)]
            constant = [v for v in beside if element_type(v.type).is_float]
            zeros = map(TensorBuilder(b).zeros_like, constant)
            b.create(Yield, *[env[v] for v in op.backward], *zeros)
        b.location = op.location
        regions = (forward, backward)
        return b.create(CustomGradient, *operands, types=both, regions=regions).results

    def _loop(self, op: Loop, operands: Sequence[Value]) -> list[Value]:
        """Emit a loop: what a step reads from outside stands outside."""
        b = self.builder
        count = len(op.arguments) - 1
        inits, sequences = operands[: op.carried], operands[op.carried : count]
        standing = ChainMap(self.replaced, self.leaves)
        known = {source: standing[source] for source in op.sources}
        known |= dict(zip(op.operands[count:], operands[count:], strict=True))
        hints = [v.hint for v in op.arguments]
        with b.region(step_types(inits, sequences), hints) as (body, inside):
            env = self._run(
                op.outs, known | dict(zip(op.arguments, inside, strict=True))
            )
            b.create(Yield, *[env[v] for v in op.outs])
        b.location = op.location
        length = substitute(op.length, self.sizes)
        return append_scan(b, body, inits, sequences, length, op.reverse)

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
        if step.then.depth > MOST_NESTED:
            message = (
                f"conditions and derivatives are nested more than {MOST_NESTED} deep"
            )
            hint = "compute both sides and choose: tc.where(condition, x, y)"
            where = step.results[0].location
            raise CompileError(Diagnostic("TC0311", message, where, hints=(hint,)))
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


def _steps(frame: Frame, roots: Sequence[Value], scope: Scope) -> list[Step]:
    """Return the steps that emit what values need which stand in a scope."""
    missing = [v for v in needed(roots, frame.given) if v not in frame.given]
    assert all(v.op is not None for v in missing), f"{missing} are no arguments"
    return steps_of(frame, ops_of(missing), roots, scope)


def _name(frame: Frame, old: Sequence[Value], new: Sequence[Value]) -> None:
    """Let new values stand for the results of a node, but for arguments."""
    for own, made in zip(old, new, strict=True):
        made.hint = own.hint
        if own not in frame.given:
            frame.values[own] = made
