"""Where nodes are emitted: a value that only one branch needs stands in that branch.

The scopes of a function are a tree: its block, the regions of derivatives, the branches
of conditions. One walk from what is returned to the leaves, in which all users of a
node come before it, puts each into the innermost scope that has all its users:

- A condition's own values are used in its branches. What both branches need, or what is
  needed besides, so stands outside of them.
- The inner nodes of a derivative stand in its region, once more if they are needed
  outside, too. What the region only reads stands outside of it, but in a branch of it
  if that alone reads it.
- Conditions on one value, or on formulas that are written alike, become one op if they
  stand in one scope and neither needs the other. What they share so stands in its
  branches: a step that may be skipped is one branch for all of its updates.

What comes of it is a list of steps in the order in which they are emitted.
"""

from collections import Counter
from collections.abc import (
    Container,
    Hashable,
    Iterable,
    Iterator,
    MutableMapping,
    Sequence,
)
from dataclasses import dataclass, field
from heapq import heappop, heappush
from operator import itemgetter

from tensorc.frontend.python.graph.regions import PROGRAMS, Condition, Derivative
from tensorc.ir.core import Block, Op, Region, Value, single_block

# How deep formulas of conditions are compared, where they are not the same node.
_WRITTEN = 4


@dataclass(eq=False, slots=True)
class Scope:
    """Where ops go: a block within that of another scope."""

    block: Block
    parent: "Scope | None" = None
    depth: int = 0
    # What only reads does not stand in the region of a derivative.
    is_region: bool = False

    def inside(self, is_region: bool = False) -> "Scope":
        """Return a scope in this one, with a region of its own."""
        _, block = single_block()
        return Scope(block, self, self.depth + 1, is_region)

    @property
    def region(self) -> Region:
        """The region of the block, which is to be an op's."""
        assert self.block.parent is not None
        return self.block.parent


@dataclass(eq=False, slots=True)
class Frame:
    """What nodes stand for: in a function, or in the region of a derivative.

    `given` stand for arguments, `own` are those and what the nodes of this frame give;
    all other values are those of `parent`. `values` grow as steps are emitted. Of those
    given, `replaced` stand for formulas of other frames, whose scopes are those of
    `replacements`.
    """

    scope: Scope
    values: MutableMapping[Value, Value]
    given: Container[Value]
    own: Container[Value] = ()
    parent: "Frame | None" = None
    replaced: Container[Value] = ()
    replacements: "Frame | None" = None
    scopes: dict[Value, Scope] = field(default_factory=dict)

    def value(self, value: Value) -> Value:
        """Return what a value of the graph stands for here."""
        return self._owner(value).values[value]

    def _owner(self, value: Value) -> "Frame":
        frame = self
        while frame.parent is not None and value not in frame.own:
            frame = frame.parent
        return frame

    def use(self, values: Iterable[Value], scope: Scope) -> None:
        """Let values be needed in a scope."""
        for value in values:
            frame = self._owner(value)
            if frame.replacements is not None and value in frame.replaced:
                frame = frame.replacements
            if value in frame.given:
                continue
            found = _common(frame.scopes.get(value, scope), scope)
            while found.is_region and found is not frame.scope:
                assert found.parent is not None
                found = found.parent
            frame.scopes[value] = found

    def scope_of(self, op: Op) -> Scope | None:
        """Return the scope of an op of this frame, None if nothing needs it."""
        found: Scope | None = None
        for result in op.results:
            own = self.scopes.get(result)
            if own is not None:
                found = own if found is None else _common(found, own)
        return found


def _common(left: Scope, right: Scope) -> Scope:
    """Return the innermost scope that both are in."""
    while left is not right:
        if left.depth >= right.depth:
            left, right = right, left
        assert right.parent is not None
        right = right.parent
    return left


@dataclass(frozen=True, slots=True)
class Make:
    """Emit a node as it is."""

    op: Op
    frame: Frame
    scope: Scope


@dataclass(frozen=True, slots=True)
class Open:
    """Begin the region of a derivative, which is `inner`."""

    op: Derivative
    frame: Frame
    inner: Frame


@dataclass(frozen=True, slots=True)
class Close:
    """End the region of a derivative, and emit that in `scope`."""

    op: Derivative
    frame: Frame
    inner: Frame
    scope: Scope


@dataclass(frozen=True, slots=True)
class Join:
    """End both branches of a condition, and emit that in `scope`."""

    results: Sequence[Value]
    frame: Frame
    scope: Scope
    then: Scope
    otherwise: Scope

    @property
    def condition(self) -> Value:
        """The condition; those of the other results are written as it is."""
        op = self.results[0].op
        assert op is not None
        return op.operands[0]


@dataclass(frozen=True, slots=True)
class Replace:
    """Let a formula of a frame stand for a value that `givens` replaces."""

    old: Value
    new: Value
    frame: Frame


Step = Make | Open | Close | Join | Replace


def steps_of(
    frame: Frame, ops: Sequence[Op], roots: Sequence[Value], scope: Scope
) -> list[Step]:
    """Return the steps that emit what `roots` in a scope need of nodes, in order."""
    frame.use(roots, scope)
    steps: list[Step] = []
    _place(frame, ops, steps)
    steps.reverse()
    return steps


def _place(frame: Frame, ops: Sequence[Op], steps: list[Step]) -> None:
    """Add the steps of the nodes of a frame, from the last one to the first."""
    has_conditions = any(isinstance(op, Condition) for op in ops)
    each = _from_the_end(frame, ops) if has_conditions else ([o] for o in reversed(ops))
    for first, *others in each:
        scope = frame.scope_of(first)
        if scope is None:
            continue
        if isinstance(first, Condition):
            steps.append(_joined(frame, [first, *others], scope))
        elif isinstance(first, Derivative):
            _place_derivative(first, frame, scope, steps)
        else:
            steps.append(Make(first, frame, scope))
            frame.use(first.operands, scope)


def _place_derivative(
    op: Derivative, frame: Frame, scope: Scope, steps: list[Step]
) -> None:
    given = frozenset(op.primals)
    made = frozenset().union(*[inner.results for inner in op.inner])
    own = given | made.difference(op.read)
    inner = Frame(scope.inside(is_region=True), {}, given, own, frame)
    steps.append(Close(op, frame, inner, scope))
    inner.use(op.outs, inner.scope)
    _place(inner, op.inner, steps)
    steps.append(Open(op, frame, inner))
    frame.use(op.given, scope)


def _joined(frame: Frame, conditions: Sequence[Op], scope: Scope) -> Join:
    """Return the op that conditions become, of which none needs another."""
    results = [r for op in conditions for r in op.results if r in frame.scopes]
    step = Join(results, frame, scope, scope.inside(), scope.inside())
    frame.use([step.condition], scope)
    for result in results:
        assert isinstance(result.op, Condition)
        then, otherwise = result.op.branches(result)
        frame.use([then], step.then)
        frame.use([otherwise], step.otherwise)
    return step


def _from_the_end(frame: Frame, ops: Sequence[Op]) -> Iterator[list[Op]]:
    """Yield nodes after all that need them, and as one the conditions that become one.

    Those wait until nothing else is left: then most of them have met.
    """
    index = {op: i for i, op in enumerate(ops)}
    below = [{v.op for v in op.operands if v.op in index} for op in ops]
    users = Counter(op for each in below for op in each)
    alike: dict[Hashable, list[Op]] = {}
    left: list[tuple[bool, int, Hashable]] = []

    def add(op: Op) -> None:
        is_condition, key = isinstance(op, Condition), None
        if is_condition:
            key = _formula(op.operands[0]), frame.scope_of(op)
            alike.setdefault(key, []).append(op)
        heappush(left, (is_condition, -index[op], key))

    for op in ops:
        if not users[op]:
            add(op)
    while left:
        is_condition, number, key = heappop(left)
        found = alike.pop(key, []) if is_condition else [ops[-number]]
        if not found:
            continue  # it was one with another
        yield sorted(found, key=index.__getitem__)
        for op in found:
            for lower in below[index[op]]:
                users[lower] -= 1
                if not users[lower]:
                    add(lower)


def _formula(condition: Value, depth: int = _WRITTEN) -> Hashable:
    """Return what conditions that are written alike have in common."""
    op = condition.op
    if op is None or not depth or isinstance(op, PROGRAMS):
        return condition
    operands = tuple([_formula(v, depth - 1) for v in op.operands])
    attributes = tuple(sorted(op.attributes.items(), key=itemgetter(0)))
    return type(op), condition.index, operands, attributes
