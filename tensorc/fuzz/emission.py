"""A program as functions of the IR: where each entry is computed, and its regions.

What only one branch of a `tc.if` needs is computed in that branch, all else outside. A
derivative computes anew, in its region, what lies between the values that it is by and
those that it is of.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tensorc.fuzz.program import (
    ArgumentNode,
    LoopNode,
    Node,
    OpNode,
    RandomProgram,
    ResultNode,
    needed_by,
    read_by,
)
from tensorc.ir.attributes import Dims, make_dict
from tensorc.ir.branches import isolate
from tensorc.ir.core import Region, Value
from tensorc.ir.functions import Parameter, close_function, new_module, open_function
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.control import If, Yield
from tensorc.ir.ops.derivatives import Grad, Jvp, Vjp
from tensorc.ir.scans import append_scan, step_types
from tensorc.ir.tensor_builder import TensorBuilder

# The branches around an entry, the outermost first: an op, and which of its regions.
Path = tuple[tuple[int, int], ...]


def module_of(programs: Sequence[RandomProgram]) -> Module:
    """Return a module with the functions of programs."""
    module = new_module()
    for program in programs:
        module.body.block.append(function_of(program))
    return module


def function_of(program: RandomProgram) -> Function:
    """Return a program's function.

    Its results are those of the program, then the cost and its derivatives, then what
    updates the shared arguments.

    Raises:
        ShapeError: an op does not fit its operands.
    """
    parameters = [
        Parameter(
            given.type,
            given.name,
            make_dict(
                **{
                    "tc.name": given.name,
                    "tc.kind": "shared" if given.shared else "input",
                }
            ),
        )
        for given in program.givens
    ]
    function, builder = open_function(program.name, parameters)
    indices = [i for i, e in enumerate(program.entries) if isinstance(e, ArgumentNode)]
    values = dict(zip(indices, function.body.block.arguments, strict=True))
    number = {index: i for i, index in enumerate(indices)}
    emission = _Emission(program, TensorBuilder(builder), paths_of(program))
    emission.all_at((), values)
    results = [values[r] for r in program.results]
    if program.cost is not None:
        wrt = [values[w] for w in program.wrt]
        region = emission.region((program.cost,), program.wrt, (), values)
        slopes = builder.create(Grad, *wrt, regions=[region]).results
        results += [values[program.cost], *slopes]
    attributes = [make_dict(**{"tc.name": f"r{i}"}) for i in range(len(results))]
    for argument, new in program.updates:
        results.append(values[new])
        attributes.append(make_dict(**{"tc.updates": number[argument]}))
    return close_function(function, builder, results, attributes)


def append_loop(
    b: TensorBuilder, node: LoopNode, operands: Sequence[Value]
) -> list[Value]:
    """Append a loop on values; returns its results."""
    carried, sliced = node.given
    inits, sequences = operands[:carried], operands[carried : carried + sliced]
    length, step = node.attributes["length"], node.step
    assert isinstance(length, Dims)
    indices = [i for i, e in enumerate(step.entries) if isinstance(e, ArgumentNode)]
    with b.builder.region(step_types(inits, sequences)) as (region, arguments):
        given = [*arguments, *operands[carried + sliced :]]
        values = dict(zip(indices, given, strict=True))
        _Emission(step, b, paths_of(step)).all_at((), values)
        b.builder.create(Yield, *[values[r] for r in step.results])
    reverse = node.attributes["reverse"] is True
    return append_scan(b.builder, region, inits, sequences, length.dims[0], reverse)


def paths_of(program: RandomProgram) -> list[Path]:
    """Return the branches in which each entry is computed: all that need it are there.

    Arguments, and what nothing needs, are outside of all.
    """
    found: dict[int, Path] = dict.fromkeys((*program.roots, *program.wrt), ())
    for index in reversed(range(len(program.entries))):
        entry = program.entries[index]
        if isinstance(entry, ArgumentNode):
            found[index] = ()
        for value, path in _readings(index, entry, found.setdefault(index, ())):
            found[value] = _common(found.get(value, path), path)
    for index, entry in enumerate(program.entries):
        if isinstance(entry, ResultNode):
            found[index] = found[entry.of]
    return [found[index] for index in range(len(program.entries))]


def _readings(index: int, entry: Node, path: Path) -> Iterator[tuple[int, Path]]:
    """Yield what an entry reads, and in which branches."""
    if not isinstance(entry, OpNode) or entry.cls is not If:
        yield from ((value, path) for value in read_by(entry))
        return
    yield entry.operands[0], path
    for number, branch in enumerate(entry.branches):
        yield from ((value, (*path, (index, number))) for value in branch)


def _common(left: Path, right: Path) -> Path:
    count = 0
    while count < min(len(left), len(right)) and left[count] == right[count]:
        count += 1
    return left[:count]


@dataclass
class _Emission:
    """A program whose entries become ops, and where they are computed."""

    program: RandomProgram
    b: TensorBuilder
    paths: list[Path]

    def all_at(self, path: Path, values: dict[int, Value]) -> None:
        """Append all that is computed in a branch, or outside of all."""
        for index, own in enumerate(self.paths):
            if own == path:
                self.entry(index, values)

    def entry(self, index: int, values: dict[int, Value]) -> None:
        """Append an entry, and note the value that it is."""
        entry = self.program.entries[index]
        if isinstance(entry, ResultNode):
            op = values[entry.of].op
            assert op is not None
            values[index] = op.results[entry.number]
        elif isinstance(entry, OpNode):
            values[index] = self.results(index, entry, values)[0]

    def results(
        self, index: int, entry: OpNode, values: Mapping[int, Value]
    ) -> list[Value]:
        """Append an op and return its results."""
        if isinstance(entry, LoopNode):
            return append_loop(self.b, entry, [values[o] for o in entry.operands])
        if entry.cls is If:
            return self.choice(index, entry, values)
        if entry.cls in (Jvp, Vjp):
            return self.derivative(index, entry, values)
        operands = [values[o] for o in entry.operands]
        return self.b.results(entry.cls, *operands, **entry.attributes)

    def choice(
        self, index: int, entry: OpNode, values: Mapping[int, Value]
    ) -> list[Value]:
        """Append a `tc.if` with what its branches compute."""
        builder, regions = self.b.builder, []
        for number, branch in enumerate(entry.branches):
            with builder.region([]) as (region, _):
                inner = dict(values)
                self.all_at((*self.paths[index], (index, number)), inner)
                builder.create(Yield, *[inner[value] for value in branch])
            regions.append(region)
        then, otherwise = regions
        return isolate(builder, values[entry.operands[0]], then, otherwise)

    def derivative(
        self, index: int, entry: OpNode, values: Mapping[int, Value]
    ) -> list[Value]:
        """Append a `tc.jvp` or a `tc.vjp`."""
        outs, by, ways = entry.parts
        region = self.region(outs, by, self.paths[index], values)
        yielded = region.block.terminator.operands
        like = yielded if entry.cls is Jvp else [values[w] for w in by]
        operands = [values[o] for o in (*by, *ways)]
        types = [v.type for v in like]
        made = self.b.builder.create(
            entry.cls, *operands, types=types, regions=[region]
        )
        return made.results

    def region(
        self,
        outs: Sequence[int],
        by: Sequence[int],
        path: Path,
        values: Mapping[int, Value],
    ) -> Region:
        """Return a region that computes `outs` anew from `by`, within branches."""
        builder, changed = self.b.builder, set(by)
        with builder.region([values[w].type for w in by]) as (region, arguments):
            inner = {**values, **dict(zip(by, arguments, strict=True))}
            for index in sorted(needed_by(self.program, outs) - changed):
                if changed & set(read_by(self.program.entries[index])):
                    changed.add(index)
                    own = self.paths[index]
                    if own == path[: len(own)]:
                        self.entry(index, inner)
            builder.create(Yield, *[inner[out] for out in outs])
        return region
