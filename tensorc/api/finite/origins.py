"""Find the op that first made a NaN or an infinity: from results back to origins.

A function is interpreted, and all that its blocks computed is kept. Then its ops are
walked in program order. Where a result holds what is not finite, the op is evaluated
again with finite numbers in place of what is not in its operands. If that is finite,
the operands are the cause, and the origin is theirs; else the op has made it. So what
an op does not choose, a slice leaves out or a comparison hides is no cause.

Infinities that arguments and constants hold are not made by an op: a mask, say. What
becomes a NaN of them is. A loop keeps, for each result, the first turn from which on it
was not finite.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from tensorc.floats import as_single, is_float
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.interpreter import Frame
from tensorc.ir.numerics import FMA_ORDER, Array
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.tensor.convolution import walks_of

Kind = Literal["NaN", "infinity"]
Test = Callable[[Array], Array]

TESTS: Mapping[Kind, Test] = {"NaN": np.isnan, "infinity": np.isinf}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where numbers that are not finite come from.

    `op` is what made them, as `value`; it is None where an argument or a constant
    `value` held them. `operands` and `array` are what it was given and gave. `turns`
    are the numbers of the loops' turns that it stands in. `became` is the later op
    that made a NaN of its infinity, and `given` the infinities of arguments and
    constants that it made a NaN of itself.
    """

    value: Value
    kind: Kind
    array: Array
    op: Op | None = None
    operands: tuple[Array, ...] = ()
    position: tuple[int, ...] = (-1,)
    turns: tuple[int, ...] = ()
    became: Op | None = None
    given: "Origin | None" = None

    @property
    def is_made(self) -> bool:
        """Tell whether somebody did wrong: an infinity that is given may be meant."""
        return self.op is not None or self.kind == "NaN"


@dataclass(slots=True)
class _Run:
    """One run of a block: its values, and the runs of blocks inside it.

    `inside` has runs by op and number of the result: of a loop those of the first turn
    from which on that was not finite. `number` counts the turns.
    """

    block: Block
    values: Mapping[Value, Array] = field(default_factory=dict)
    inside: dict[tuple[Op, int], "_Run"] = field(default_factory=dict)
    counts: dict[Op, int] = field(default_factory=dict)
    number: int = 0
    turn: int = 0
    found: dict[tuple[Value, Kind], Origin] | None = None


class _Recorder(Frame):
    """A call that keeps what its blocks computed, where that is not finite."""

    def __init__(
        self, functions: Mapping[str, Function], function: Function, now: _Run
    ) -> None:
        super().__init__(functions, function)
        self.now = now

    def run(self, block: Block, arguments: Sequence[Array]) -> list[Array]:
        """Run a block, and keep it where a result is not finite."""
        if not self.stack:
            return super().run(block, arguments)
        outer, op, run = self.now, self.stack[-1], _Run(block)
        self.now = run
        try:
            yielded = super().run(block, arguments)
        finally:
            self.now = outer
        run.number = outer.counts.get(op, 0)
        outer.counts[op] = run.number + 1
        carried = op.carried if isinstance(op, Scan) else 0
        if carried:
            run.turn = int(arguments[0])
        for number, array in enumerate(yielded):
            if is_finite(array):
                if number < carried:
                    outer.inside.pop((op, number), None)
                continue
            if not run.values:
                run.values = {v: self.values[v] for v in _values_of(block)}
            outer.inside.setdefault((op, number), run)
        return yielded


def _values_of(block: Block) -> Iterator[Value]:
    yield from block.arguments
    for op in block.ops:
        yield from op.results


def is_finite(array: Array) -> bool:
    """Tell whether an array holds neither NaN nor infinity."""
    return not is_float(array.dtype) or bool(np.isfinite(as_single(array)).all())


def origins(
    module: Module, name: str, arguments: Sequence[Array]
) -> tuple[list[Array], list[Origin | None]]:
    """Return what a function of a TENSOR module gives, and the origin of each result.

    A result that is finite has none. Of a NaN and an infinity in one result the NaN
    counts, but for one that was given beside an infinity that an op has made.
    """
    functions = {f.sym_name: f for f in module.functions}
    block = functions[name].body.block
    root = _Run(block)
    frame = _Recorder(functions, functions[name], root)
    results = frame.call(arguments)
    root.values = frame.values
    search = _Search(frame)
    with np.errstate(all="ignore"):
        return results, [
            search.worst(root, value) if not is_finite(array) else None
            for value, array in zip(block.terminator.operands, results, strict=True)
        ]


class _Search:
    """The origins of all that is not finite in a call."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def origin(self, run: _Run, value: Value, kind: Kind) -> Origin:
        """Return where what a value holds in a run comes from."""
        if run.found is None:
            run.found = {}
            self._walk(run, run.found)
        known = run.found.get((value, kind))
        return known or Origin(value, kind, run.values[value])

    def worst(self, run: _Run, value: Value) -> Origin:
        """Return where the worst of what a value holds in a run comes from."""
        array = run.values[value]
        kinds = [kind for kind, test in TESTS.items() if test(array).any()]
        found = [self.origin(run, value, kind) for kind in kinds]
        return min(found, key=lambda o: o.op is None)  # of two the NaN's, the first

    def _walk(self, run: _Run, found: dict[tuple[Value, Kind], Origin]) -> None:
        for position, op in enumerate(run.block.ops):
            if not op.operands:  # a constant is given
                continue
            for number, result in enumerate(op.results):
                array = run.values[result]
                if is_finite(array):
                    continue
                for kind, test in TESTS.items():
                    if test(array).any():
                        made = self._of_result(run, op, number, kind, position)
                        found[result, kind] = made

    def _of_result(
        self, run: _Run, op: Op, number: int, kind: Kind, position: int
    ) -> Origin:
        operands = [run.values[v] for v in op.operands]
        value = op.results[number]
        made = Origin(value, kind, run.values[value], op, tuple(operands), (position,))
        if op.regions:
            inner = run.inside.get((op, number))
            return made if inner is None else self._inside(run, inner, made, number)
        if kind == "infinity":
            causes, is_left = self._causes(op, number, operands, kind, kind)
            parts = [self.origin(run, op.operands[i], kind) for i in causes]
            return min([*parts, *([made] if is_left else [])], key=by_blame)
        causes, is_left = self._causes(op, number, operands, "NaN", "NaN")
        parts = [self.origin(run, op.operands[i], kind) for i in causes]
        if is_left:
            tame = [_tamed(a, "NaN") for a in operands]
            causes, is_left = self._causes(op, number, tame, "infinity", "NaN")
            for i in causes:
                parts.append(
                    _became(self.origin(run, op.operands[i], "infinity"), made)
                )
            parts += [made] if is_left else []
        return min(parts, key=by_blame)

    def _causes(
        self, op: Op, number: int, operands: Sequence[Array], bad: Kind, made: Kind
    ) -> tuple[list[int], bool]:
        """Return the operands whose `bad` numbers make some of what is `made`.

        The second tells whether the op makes some without them, too.
        """
        test = TESTS[made]
        suspects = [
            i
            for i, array in enumerate(operands)
            if is_float(array.dtype) and TESTS[bad](array).any()
        ]
        if not suspects:
            return [], True
        if op.attributes.get("order") == FMA_ORDER and _reads_all(op):
            return suspects, False  # without evaluating it, which takes its time

        def count(tamed: Sequence[int]) -> int:
            given = [
                _tamed(a, bad) if i in tamed else a for i, a in enumerate(operands)
            ]
            return int(test(self.frame.evaluate(op, given)[number]).sum())

        all_of_it, left = count([]), count(suspects)
        if left >= all_of_it:
            return [], True
        if len(suspects) == 1:
            return suspects, left > 0
        # Those without which less is made, or with which alone something is.
        others = [[i for i in suspects if i != own] for own in suspects]
        causes = [
            own
            for own, rest in zip(suspects, others, strict=True)
            if count(rest) > left
        ]
        return causes or suspects, left > 0

    def _inside(self, run: _Run, inner: _Run, made: Origin, number: int) -> Origin:
        """Return the origin of a result of an op with regions: inside, or outside."""
        op = made.op
        assert op is not None
        found = self.origin(inner, inner.block.terminator.operands[number], made.kind)
        turns = (inner.turn, *found.turns) if isinstance(op, Scan) else found.turns
        position = (*made.position, inner.number, *found.position)
        placed = replace(found, turns=turns, position=position)
        if found.op is None:
            return self._outside(run, inner, placed, made)
        if found.given is None:
            return placed
        return _became(self._outside(run, inner, found.given, made), placed)

    def _outside(self, run: _Run, inner: _Run, given: Origin, made: Origin) -> Origin:
        """Return the origin of what a region was given, as its op was given it."""
        op = made.op
        assert op is not None
        if given.value.owner is not inner.block:
            return given
        number = given.value.index
        if not isinstance(op, Scan):
            return self.origin(run, op.operands[number + 1], given.kind)
        before = run.inside.get((op, number - 1))
        if number <= op.carried and before and before.number < inner.number:
            kind = replace(made, kind=given.kind)
            return self._inside(run, before, kind, number - 1)
        return self.origin(run, op.operands[number - 1], given.kind)


def _reads_all(op: Op) -> bool:
    """Tell whether each element of an operand counts: strides may leave some out."""
    return all(walk.axis.stride == 1 for walk in walks_of(op))


def by_blame(origin: Origin) -> tuple[int, tuple[int, ...]]:
    """Return what sorts origins: what an op made before what was given.

    Of what was given an infinity may be meant.
    """
    is_given = origin.op is None
    return is_given + (not origin.is_made), origin.position


def _became(infinity: Origin, made: Origin) -> Origin:
    """Return the origin of a NaN that an op makes of an infinity."""
    if infinity.op is None:
        return replace(made, given=infinity)
    return infinity if infinity.became else replace(infinity, became=made.op)


def _tamed(array: Array, kind: Kind) -> Array:
    """Return an array with ones in place of those of a kind: few ops fail at one."""
    if not is_float(array.dtype):
        return array
    bad = TESTS[kind](array)
    if not bad.any():
        return array
    tame = array.copy()
    tame[bad] = 1
    return tame
