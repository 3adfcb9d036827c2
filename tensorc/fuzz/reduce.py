"""Make a failing program small: fewer results and ops, smaller shapes, plain values.

Whatever is tried is kept if the same kind of relation still fails. An op is taken away
by making its value an argument, so types never change on the way.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tensorc.compiler import host_target
from tensorc.errors import TensorcError
from tensorc.fuzz.check import (
    ALL_WAYS,
    COMPILES,
    INPUTS,
    LAWS,
    NEAR,
    PASSES,
    ROUND_TRIP,
    SLOPES,
    FailedModule,
    Mismatch,
    Subject,
    SubjectCall,
    Way,
    check_module,
)
from tensorc.fuzz.emission import function_of, module_of
from tensorc.fuzz.laws import laws_of
from tensorc.fuzz.program import (
    ArgumentNode,
    Node,
    OpNode,
    RandomProgram,
    ResultNode,
    further_results,
    read_by,
    unbound,
    with_known,
    with_others,
    without_dead,
)
from tensorc.fuzz.reference import MEANINGS
from tensorc.fuzz.slopes import slopes_of
from tensorc.ir.attributes import Attribute, Dense, dims_of, with_dims
from tensorc.ir.dims import Dim, as_symbol
from tensorc.ir.interpreter import interpret
from tensorc.ir.numerics import Array
from tensorc.ir.ops.control import If
from tensorc.ir.types import TensorType
from tensorc.passes.tensor.ad.autodiff import AUTODIFF

_CODE = "compiled code"
_MOST_PLAIN = 200  # elements of an argument that are tried one by one


@dataclass(frozen=True, slots=True)
class Failure:
    """A program, a call, and the relation that does not hold for it."""

    program: RandomProgram
    call: SubjectCall
    found: Mismatch


def check_program(
    program: RandomProgram, calls: Sequence[SubjectCall], ways: Sequence[Way] = ALL_WAYS
) -> list[Mismatch]:
    """Return what does not hold for one program, compiled in all these ways."""
    try:
        module = module_of([program])
        laws = laws_of(program)
        subject = Subject(program.name, tuple(calls), slopes_of(program), laws)
        return check_module(module, [subject], ways=ways).mismatches
    except FailedModule as failed:
        return [Mismatch(program.name, failed.relation, failed.detail)]


def reduced(failure: Failure, seconds: float) -> Failure:
    """Return a failure of the same kind, as small as can be found in this time."""
    kind = _kind(failure.found.relation)
    found = check_program(failure.program, [failure.call])
    relations = [m.relation for m in found if _kind(m.relation) == kind]
    if not relations:
        return failure  # not alone, or not again: the whole is the report
    # The cheapest way that fails is enough from here on.
    ways = [w for w in ALL_WAYS if any(f"{w.name}, " in r for r in relations)]
    state = _Search(failure, kind, ways[:1] or ALL_WAYS[:1], time.monotonic() + seconds)
    before: tuple[int, ...] = ()
    while state.size() != before and not state.is_late():
        before = state.size()
        for step in _STEPS:
            step(state)
    return state.best


def _kind(relation: str) -> str:
    known = (ROUND_TRIP, COMPILES, PASSES, NEAR, SLOPES, LAWS, INPUTS)
    return relation if relation in known else _CODE


@dataclass
class _Search:
    """The smallest failure so far, and how to tell whether another one is one."""

    best: Failure
    kind: str
    ways: Sequence[Way]
    deadline: float

    def is_late(self) -> bool:
        return time.monotonic() > self.deadline

    def size(self) -> tuple[int, ...]:
        program, arguments = self.best.program, self.best.call.arguments
        numbers = sum(a.size for a in arguments)
        plain = sum(int(np.count_nonzero(a != 1)) for a in arguments)
        return len(program.entries), len(program.roots), numbers, plain

    def accepts(self, program: RandomProgram, arguments: Mapping[str, Array]) -> bool:
        """Keep a program if it still fails; arguments are found by their names."""
        if self.is_late():
            return False
        try:
            program = without_dead(program)
            program = with_known(program, unbound(program))
            given = tuple(arguments[g.name] for g in program.givens)
            call = replace(self.best.call, arguments=given)
            found = check_program(program, [call], self.ways)
        except (TensorcError, ValueError, LookupError, ArithmeticError):
            return False  # not a program
        for mismatch in found:
            if _kind(mismatch.relation) == self.kind:
                self.best = Failure(program, call, mismatch)
                return True
        return False

    def named(self) -> dict[str, Array]:
        pairs = zip(self.best.program.givens, self.best.call.arguments, strict=True)
        return {given.name: array for given, array in pairs}


def _fewer_roots(state: _Search) -> None:
    program = state.best.program
    if program.cost is not None and state.kind != SLOPES:
        results = (*program.results, program.cost)
        plain = replace(program, results=results, cost=None, wrt=())
        state.accepts(plain, state.named())
    for update in state.best.program.updates:
        program = state.best.program
        rest = tuple(u for u in program.updates if u != update)
        results = (*program.results, update[1])
        state.accepts(replace(program, updates=rest, results=results), state.named())
    for number in reversed(range(len(state.best.program.results))):
        program = state.best.program
        kept = program.results[:number] + program.results[number + 1 :]
        if kept or program.cost is not None or program.updates:
            state.accepts(replace(program, results=kept), state.named())


def _earlier_roots(state: _Search) -> None:
    """Give what a last op reads instead of what it makes."""
    number = 0
    while number < len(state.best.program.results) and not state.is_late():
        program = state.best.program
        last = program.entries[program.results[number]]
        for operand in dict.fromkeys(read_by(last)):
            results = list(program.results)
            results[number] = operand
            earlier = replace(program, results=tuple(results))
            is_given = isinstance(program.entries[operand], ArgumentNode)
            if not is_given and state.accepts(earlier, state.named()):
                break
        else:
            number += 1


def _known_sizes(state: _Search) -> None:
    program = state.best.program
    names = [n for n in program.sizes if not n.startswith("$")]
    if names and not state.accepts(with_known(program, names), state.named()):
        for name in names:
            if name in state.best.program.sizes:
                one = with_known(state.best.program, [name])
                state.accepts(one, state.named())


def _passed_by(state: _Search) -> None:
    """Read what an op reads in its place, the last ops first: of a choice, a branch."""
    for index in reversed(range(len(state.best.program.entries))):
        count = len(_shortcuts(state.best.program, index))
        for number in range(count):
            program = state.best.program
            found = _shortcuts(program, index)
            if number < len(found) and not state.is_late():
                state.accepts(with_others(program, found[number]), state.named())


def _shortcuts(program: RandomProgram, index: int) -> list[dict[int, int]]:
    """Return what can take the place of an op's results: entries of their types."""
    entry = program.entries[index] if index < len(program.entries) else None
    if not isinstance(entry, OpNode) or not entry.operands:
        return []
    results = [index, *further_results(program.entries, index)]
    if entry.cls is If:
        return [dict(zip(results, values, strict=True)) for values in entry.branches]
    types = _types(program)
    same = [o for o in entry.operands if types.get(o) == types.get(index)]
    return [{index: operand} for operand in same] if len(results) == 1 else []


def _fewer_ops(state: _Search) -> None:
    """Make values arguments, the last ones first: most of the program goes at once."""
    for index in reversed(range(len(state.best.program.entries))):
        program = state.best.program
        is_given = index < len(program.entries) and isinstance(
            program.entries[index], ArgumentNode
        )
        if index < len(program.entries) and not is_given:
            _cut(state, index)


def _cut(state: _Search, index: int) -> None:
    program, arguments = state.best.program, state.named()
    values = _values(program, arguments)
    if index not in values:
        return
    entries, types = list(program.entries), _types(program)
    for is_known in (False, True):
        given = dict(arguments)
        for cut in (index, *further_results(program.entries, index)):
            name = f"v{cut}"
            while name in given:
                name += "x"
            whole = types[cut]
            shape: tuple[Dim, ...] = values[cut].shape
            type_ = TensorType(shape, whole.element) if is_known else whole
            entries[cut], given[name] = ArgumentNode(name, type_), values[cut]
        if state.accepts(replace(program, entries=tuple(entries)), given):
            return


def _types(program: RandomProgram) -> dict[int, TensorType]:
    """Return the types of all entries."""
    everything = tuple(range(len(program.entries)))
    plain = replace(program, results=everything, updates=(), cost=None, wrt=())
    returned = function_of(plain).body.block.terminator.operands
    types = [v.type for v in returned]
    return {i: t for i, t in enumerate(types) if isinstance(t, TensorType)}


def _values(program: RandomProgram, arguments: Mapping[str, Array]) -> dict[int, Array]:
    """Return the interpreted values of all entries; none if it stops."""
    everything = tuple(range(len(program.entries)))
    plain = replace(program, results=everything, updates=(), cost=None, wrt=())
    given = [arguments[g.name] for g in program.givens]
    try:
        module = AUTODIFF.run(module_of([plain]), host_target())
        values = interpret(module, program.name, given, MEANINGS)
    except TensorcError:
        return {}
    return dict(enumerate(values))


def _smaller(state: _Search) -> None:
    """Replace sizes, wherever they stand, by smaller ones."""
    for name in [n for n in state.best.program.sizes if not n.startswith("$")]:
        for size in _less(state.best.program.sizes[name]):
            if _with_symbol(state, name, size):
                break
    for size in sorted(_known(state.best.program), reverse=True):
        for less in _less(size):
            if _with_size(state, size, less):
                break


def _less(size: int) -> Iterator[int]:
    tried = dict.fromkeys((1, 2, 3, size // 4, size // 2, size - 1))
    yield from (n for n in tried if 0 < n < size)


def _known(program: RandomProgram) -> set[int]:
    dims = [d for g in program.givens for d in g.type.shape]
    dims += [d for op in program.ops for d in _dims_of(op)]
    return {d for d in dims if isinstance(d, int) and d > 1}


def _dims_of(op: OpNode) -> list[Dim]:
    return [d for v in op.attributes.values() for d in dims_of(v)]


def _with_symbol(state: _Search, name: str, size: int) -> bool:
    program = state.best.program
    arguments = {
        given.name: _part(array, [as_symbol(d) == name for d in given.type.shape], size)
        for given, array in zip(program.givens, state.best.call.arguments, strict=True)
    }
    sizes = {**program.sizes, name: size}
    return state.accepts(replace(program, sizes=sizes), arguments)


def _with_size(state: _Search, size: int, less: int) -> bool:
    program = state.best.program

    def smaller(dims: tuple[Dim, ...]) -> tuple[Dim, ...]:
        return tuple(less if d == size else d for d in dims)

    def changed(value: Attribute) -> Attribute:
        if isinstance(value, Dense):
            part = _part(value.value, [d == size for d in value.value.shape], less)
            return Dense(part, TensorType(part.shape, value.type.element))
        return with_dims(value, lambda d: less if d == size else d)

    entries: list[Node] = []
    for entry in program.entries:
        if isinstance(entry, ArgumentNode):
            type_ = TensorType(smaller(entry.type.shape), entry.type.element)
            entries.append(replace(entry, type=type_))
        elif isinstance(entry, ResultNode):
            entries.append(entry)
        else:
            attributes = {n: changed(v) for n, v in entry.attributes.items()}
            entries.append(replace(entry, attributes=attributes))
    arguments = {
        given.name: _part(array, [d == size for d in given.type.shape], less)
        for given, array in zip(program.givens, state.best.call.arguments, strict=True)
    }
    return state.accepts(replace(program, entries=tuple(entries)), arguments)


def _part(array: Array, shrinks: Sequence[bool], size: int) -> Array:
    for axis, shrink in enumerate(shrinks):
        if shrink:
            array = np.take(array, np.arange(size), axis)
    return array


def _plainer(state: _Search) -> None:
    """Make elements 1: all of an argument, then halves, and so on down to each."""
    for name in state.named():
        array = state.named()[name]
        width = array.size
        while width and not state.is_late():
            for start in range(0, array.size, width):
                _plain_part(state, name, slice(start, start + width))
            width = width // 2 if array.size <= _MOST_PLAIN or width > 16 else 0


def _plain_part(state: _Search, name: str, part: slice) -> None:
    arguments = state.named()
    array = arguments[name].copy()
    if (array.reshape(-1)[part] == 1).all():
        return
    array.reshape(-1)[part] = 1
    if f"${name}" not in state.best.program.sizes:
        state.accepts(state.best.program, {**arguments, name: array})


_STEPS = (
    _fewer_roots,
    _earlier_roots,
    _known_sizes,
    _passed_by,
    _fewer_ops,
    _smaller,
    _plainer,
)
