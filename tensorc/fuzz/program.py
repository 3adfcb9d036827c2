"""A program as data, so that parts of it can be taken away.

A program is a list of entries: arguments, and ops on earlier entries, which are named
by their indices in the list. An entry is one value: an op is its first result, and each
further one is an entry of its own. Ops with regions have none here: a `tc.if` reads its
condition, then what each branch yields; a derivative reads the values that it is of
(`outs`), what it is by, and the directions. `emission` says what stands in a region.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tensorc.ir.attributes import Attribute, with_dims
from tensorc.ir.core import Op
from tensorc.ir.dims import Dim, as_symbol, evaluate, substitute
from tensorc.ir.ops.control import If
from tensorc.ir.ops.derivatives import Jvp, Vjp
from tensorc.ir.types import F64, Element, TensorType


@dataclass(frozen=True, slots=True)
class ArgumentNode:
    """An argument; `below` is the size of the axis that its values are indices of."""

    name: str
    type: TensorType
    shared: bool = False
    below: Dim | None = None


@dataclass(frozen=True, slots=True)
class OpNode:
    """An op on earlier entries; of a derivative the attribute `outs` is a count."""

    cls: type[Op]
    operands: tuple[int, ...]
    attributes: Mapping[str, Attribute]

    @property
    def branches(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What the branches of a `tc.if` yield."""
        count = len(self.operands) // 2
        return self.operands[1 : 1 + count], self.operands[1 + count :]

    @property
    def parts(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Of a derivative, what it is of, what it is by, and the directions."""
        outs = self.attributes["outs"]
        assert isinstance(outs, int)
        ways = (len(self.operands) - outs) // 2 if self.cls is Jvp else outs
        by = len(self.operands) - ways
        return self.operands[:outs], self.operands[outs:by], self.operands[by:]


@dataclass(frozen=True, slots=True)
class LoopNode(OpNode):
    """A `tc.scan` on earlier entries: first values, sequences, captures.

    The attributes are those of the op. A step is a program of its own, whose arguments
    are what the region takes, and whose results are what it yields.
    """

    step: "RandomProgram"

    @property
    def given(self) -> tuple[int, int]:
        """How many first values there are, and how many sequences."""
        carried, sliced = self.attributes["carried"], self.attributes["sliced"]
        assert isinstance(carried, int)
        assert isinstance(sliced, int)
        return carried, sliced


# Ops with regions: what one of their results depends on is any of their operands.
REGIONS: tuple[type[Op], ...] = (If, Jvp, Vjp)


@dataclass(frozen=True, slots=True)
class ResultNode:
    """A further result of an op; the entry `of` is the op, and its first result."""

    of: int
    number: int


Node = ArgumentNode | OpNode | ResultNode


def further_results(entries: Sequence[Node], index: int) -> list[int]:
    """Return the entries that are the results of an op but its first, its own index."""
    return [
        number
        for number, entry in enumerate(entries)
        if isinstance(entry, ResultNode) and entry.of == index
    ]


def read_by(entry: Node) -> tuple[int, ...]:
    """Return the entries that one follows from at once."""
    match entry:
        case ArgumentNode():
            return ()
        case ResultNode(of):
            return (of,)
        case OpNode(operands=operands):
            return operands


@dataclass(frozen=True, slots=True)
class Ask:
    """The kind of arguments of a call, and the numbers of its symbols."""

    kind: str
    sizes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RandomProgram:
    """A function: `sizes` are those that its arguments are to have.

    `updates` are pairs of a shared argument and its new value. With a `cost`, a scalar
    of floats, the function also gives the cost, and its derivative by each of `wrt`.
    `asks` are its calls, where they are not those of all programs; a `light` one is
    checked at the TENSOR level alone.
    """

    name: str
    entries: tuple[Node, ...]
    results: tuple[int, ...]
    sizes: Mapping[str, int]
    updates: tuple[tuple[int, int], ...] = ()
    cost: int | None = None
    wrt: tuple[int, ...] = ()
    asks: tuple[Ask, ...] = ()
    light: bool = False
    about: str = field(default="", compare=False)  # where it comes from

    @property
    def givens(self) -> list[ArgumentNode]:
        """The arguments in order."""
        return [e for e in self.entries if isinstance(e, ArgumentNode)]

    @property
    def ops(self) -> list[OpNode]:
        """The ops in order."""
        return [e for e in self.entries if isinstance(e, OpNode)]

    @property
    def roots(self) -> list[int]:
        """The entries that the function gives."""
        cost = [] if self.cost is None else [self.cost]
        return [*self.results, *(new for _, new in self.updates), *cost]


def shape_of(given: ArgumentNode, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return the shape that an argument is to have."""
    return tuple(evaluate(d, sizes) for d in given.type.shape)


def needed_by(program: RandomProgram, roots: Sequence[int]) -> set[int]:
    """Return the entries that others follow from, and those others."""
    needed, pending = set[int](), list(roots)
    while pending:
        index = pending.pop()
        entry = program.entries[index]
        if index not in needed:
            pending.extend(read_by(entry))
        needed.add(index)
    return needed


def without_dead(program: RandomProgram) -> RandomProgram:
    """Return a program without entries that no result needs; `wrt` shrinks, too."""
    kept = sorted(needed_by(program, program.roots) | {a for a, _ in program.updates})
    index = {old: new for new, old in enumerate(kept)}
    entries: list[Node] = []
    for old in kept:
        entry = program.entries[old]
        if isinstance(entry, OpNode):
            operands = tuple(index[o] for o in entry.operands)
            entry = replace(entry, operands=operands)
        elif isinstance(entry, ResultNode):
            entry = replace(entry, of=index[entry.of])
        entries.append(entry)
    return replace(
        program,
        entries=tuple(entries),
        results=tuple(index[r] for r in program.results),
        updates=tuple((index[a], index[n]) for a, n in program.updates),
        cost=None if program.cost is None else index[program.cost],
        wrt=tuple(index[w] for w in program.wrt if w in index),
    )


def with_others(program: RandomProgram, others: Mapping[int, int]) -> RandomProgram:
    """Return a program in which other entries are read in the place of some."""

    def instead(indices: Sequence[int]) -> tuple[int, ...]:
        return tuple(others.get(index, index) for index in indices)

    entries: list[Node] = [
        replace(e, operands=instead(e.operands)) if isinstance(e, OpNode) else e
        for e in program.entries
    ]
    return replace(
        program,
        entries=tuple(entries),
        results=instead(program.results),
        updates=tuple((a, others.get(n, n)) for a, n in program.updates),
        cost=None if program.cost is None else others.get(program.cost, program.cost),
    )


def with_known(program: RandomProgram, names: Collection[str]) -> RandomProgram:
    """Return a program in which these symbols of sizes are their numbers."""
    known: dict[str, Dim] = {n: program.sizes[n] for n in names}
    sizes = {n: size for n, size in program.sizes.items() if n not in known}
    return replace(_with_sizes(program, known), sizes=sizes)


def _with_sizes(program: RandomProgram, known: Mapping[str, Dim]) -> RandomProgram:
    def replaced(dims: tuple[Dim, ...]) -> tuple[Dim, ...]:
        return tuple(substitute(d, known) for d in dims)

    entries: list[Node] = []
    for entry in program.entries:
        if isinstance(entry, ArgumentNode):
            type_ = TensorType(replaced(entry.type.shape), entry.type.element)
            below = None if entry.below is None else replaced((entry.below,))[0]
            entries.append(replace(entry, type=type_, below=below))
            continue
        if isinstance(entry, ResultNode):
            entries.append(entry)
            continue
        attributes = {
            name: with_dims(value, lambda d: substitute(d, known))
            for name, value in entry.attributes.items()
        }
        entry = replace(entry, attributes=attributes)
        if isinstance(entry, LoopNode):
            entry = replace(entry, step=_with_sizes(entry.step, known))
        entries.append(entry)
    return replace(program, entries=tuple(entries))


def unbound(program: RandomProgram) -> set[str]:
    """Return the symbols of sizes that no argument gives: a call could not know them.

    A size is given by an axis that is the bare symbol, a value by its argument.
    """
    given = {as_symbol(d) for g in program.givens for d in g.type.shape}
    given |= {f"${g.name}" for g in program.givens}
    return set(program.sizes) - given


def is_of_f64(program: RandomProgram, roots: Sequence[int]) -> bool:
    """Return whether all floats that values follow from are f64."""
    for index in needed_by(program, roots):
        entry = program.entries[index]
        element: object = F64
        if isinstance(entry, ArgumentNode):
            element = entry.type.element
        elif isinstance(entry, OpNode):
            element = entry.attributes.get("element", F64)
        if isinstance(element, Element) and element.is_float and element != F64:
            return False
    return True
