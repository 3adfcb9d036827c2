"""What functions cost, and what their kernels do: `tensorc explain`, `f.explain()`.

A kernel is a `tc.group` of the STRUCTURED level. Bytes are those that it reads of its
operands and writes of its results, each counted once (`passes.analysis.traffic`), flops
those of `passes.analysis.cost`. Both are formulas of the symbols of the call, or
numbers where these are given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from tensorc.errors import Diagnostic, TensorcError
from tensorc.ir.attributes import Attribute, Dims
from tensorc.ir.branches import NEGATED
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import VALUE, Dim, substitute, symbols_of
from tensorc.ir.ops.builtin import Function, Module, Return
from tensorc.ir.ops.control import If, KernelGroup
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.schedules import Schedule, schedule_of
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.cost import (
    computes,
    cost_of,
    flops_of_kernel,
    sum_of_kernels,
)
from tensorc.passes.analysis.generics import (
    WHY,
    continued,
    is_contraction,
    output_dims,
    reads,
    tensor_space,
)
from tensorc.passes.analysis.traffic import Moved, continues, read_by, written_by

_LATER = "what reads it also reads what that kernel makes"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call costs: numbers, or formulas of its sizes ("15690*B").

    `bytes` are read and written by the kernels, `arena` is memory for what they pass
    to each other; results and shared variables are not in it.
    """

    kernels: int
    flops: int | str
    bytes: int | str
    arena: int | str

    def spelled(self) -> dict[str, str]:
        """Return each count for people, by its name."""
        return {f.name: _spell(getattr(self, f.name)) for f in fields(self)}

    def __str__(self) -> str:
        spelled = self.spelled()
        kernels = f"{spelled['kernels']} kernel{'' if self.kernels == 1 else 's'}"
        return (
            f"{kernels}, {spelled['flops']} flops, {spelled['bytes']} bytes read "
            f"and written, an arena of {spelled['arena']} bytes"
        )


def _spell(count: int | str) -> str:
    return f"{count:,}" if isinstance(count, int) else count


@dataclass(frozen=True, slots=True)
class _Sizes:
    """What is known of symbols, and how formulas of them are written."""

    known: Mapping[str, Dim]

    def put(self, dim: Dim) -> Dim:
        """Return a size in which known symbols are numbers.

        Raises:
            TensorcError: it divides by what is 0 for these sizes (TC0904).
        """
        try:
            return substitute(dim, self.known)
        except ZeroDivisionError:
            message = f"{_plain(dim)} divides by 0 for these sizes"
            raise TensorcError(Diagnostic("TC0904", message)) from None

    def count(self, dim: Dim) -> int | str:
        """Return what is counted by a size: 9414000, or the formula 15690*B."""
        made = self.put(dim)
        return made if isinstance(made, int) else _plain(made)

    def spell(self, dim: Dim) -> str:
        """Return a count for people: 9,414,000, or 15690*B."""
        return _spell(self.count(dim))

    def type(self, type_: TensorType) -> TensorType:
        """Return a type in which known symbols are numbers."""
        return replace(type_, shape=tuple(map(self.put, type_.shape)))


def report(module: Module, buffers: Module, sizes: Mapping[str, int]) -> str:
    """Return what each function of a STRUCTURED module does, kernel by kernel.

    `buffers` is the same module at the BUFFER level, which knows the arenas; `sizes`
    are numbers for symbols.

    Raises:
        TensorcError: a size is of no symbol (TC0904).
    """
    known = _known(module, sizes)
    pairs = zip(module.functions, buffers.functions, strict=True)
    texts = [_function(f, b.attributes.get("tc.arena"), known) for f, b in pairs]
    return "\n".join(texts)


def costs(module: Module, buffers: Module, sizes: Mapping[str, int]) -> list[Cost]:
    """Return what a call of each function costs; the arguments are those of `report`.

    Raises:
        TensorcError: a size is of no symbol (TC0904).
    """
    known = _known(module, sizes)
    pairs = zip(module.functions, buffers.functions, strict=True)
    return [_cost(f, b.attributes.get("tc.arena"), known) for f, b in pairs]


def _known(module: Module, sizes: Mapping[str, int]) -> _Sizes:
    """Return numbers by symbol; a value is named without the mark of its symbol."""
    found: dict[str, str] = {}
    for function in module.functions:
        for i, value in enumerate(function.body.block.arguments):
            shape = value.type.shape if isinstance(value.type, TensorType) else ()
            symbols = [s for dim in shape for s in symbols_of(dim)]
            for name in (*symbols, *filter(None, [function.value_symbol(i)])):
                found.setdefault(name.removeprefix(VALUE), name)
    wrong = [name for name in sizes if name not in found]
    if wrong:
        known = ", ".join(found) or "all sizes are numbers"
        message = f"no argument has a size '{wrong[0]}'"
        raise TensorcError(Diagnostic("TC0904", message, hints=(f"sizes: {known}",)))
    return _Sizes({found[name]: size for name, size in sizes.items()})


def _cost(function: Function, arena: Attribute | None, sizes: _Sizes) -> Cost:
    kernels, flops = cost_of(function)
    moved = sum_of_kernels(function.body.block, _moved_by)
    size = arena.dims[0] if isinstance(arena, Dims) else 0
    return Cost(kernels, *map(sizes.count, (flops, moved, size)))


def _moved_by(kernel: KernelGroup) -> Dim:
    """Return the bytes that a kernel reads and writes."""
    moved: Dim = 0
    for _, size in (*read_by(kernel), *written_by(kernel)):
        moved = moved + size
    return moved


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A kernel, the block that it stands in, and when and how often that runs."""

    op: KernelGroup
    block: Block
    conditions: tuple[str, ...]
    loops: tuple[str, ...]

    def runs(self) -> str:
        """Return when it runs, in words; "" if that is once in each call."""
        when = ", and ".join(self.conditions)
        return ", ".join([*self.loops, *([f"if {when}"] if when else [])])


def _kernels_in(
    block: Block,
    sizes: _Sizes,
    conditions: tuple[str, ...] = (),
    loops: tuple[str, ...] = (),
) -> list[_Kernel]:
    """Return the kernels of a block and of branches and loops in it, in order."""
    found = []
    for op in block.ops:
        place = f" at {op.location}" if op.location.line else ""
        if isinstance(op, KernelGroup):
            found.append(_Kernel(op, block, conditions, loops))
        elif isinstance(op, If):
            at = f"the condition{place}" if place else "a condition"
            words = ("true", "false")
            words = words[::-1] if NEGATED in op.attributes else words
            for region, holds in zip(op.regions, words, strict=True):
                inside = (*conditions, f"{at} is {holds}")
                found += _kernels_in(region.block, sizes, inside, loops)
        elif isinstance(op, Scan):
            steps = f"in each of {sizes.spell(op.steps)} steps of "
            steps += f"the loop{place}" if place else "a loop"
            inside = (*loops, steps)
            found += _kernels_in(op.body.block, sizes, conditions, inside)
    return found


def _function(function: Function, arena: Attribute | None, sizes: _Sizes) -> str:
    found = _kernels_in(function.body.block, sizes)
    kernels = [each.op for each in found]
    lines = [f"{function.sym_name}: {_cost(function, arena, sizes)}"]
    for number, kernel in enumerate(found):
        lines += ["", *_kernel(kernel, number, sizes)]
        lines.append(f"  ends     {_end(kernel.op, kernels, kernel.block.ops)}")
    return "\n".join([*lines, ""])


def _kernel(found: _Kernel, number: int, sizes: _Sizes) -> list[str]:
    kernel, returned = found.op, set(found.block.terminator.operands)
    members = [op for op in kernel.body.block.ops if isinstance(op, Generic)]
    flops = flops_of_kernel(kernel)
    last = {r: _written_last(r, found.block) for r in kernel.results}
    kept = [
        (r, _size(r))
        for r in kernel.results
        if last[r] not in returned and continues(r) is None
    ]
    runs = found.runs()
    return [
        f"kernel {number}: {_rows(kernel, members, sizes)}",
        *([f"  runs     {runs}"] if runs else []),
        f"  source   {_lines(members)}",
        f"  computes {', then '.join(dict.fromkeys(map(_words, members)))}",
        f"  reads    {_bytes(read_by(kernel), sizes)}",
        f"  writes   {_bytes(written_by(kernel), sizes)}",
        f"  flops    {sizes.spell(flops)}",
        f"  arena    {_bytes(kept, sizes) if kept else 'nothing of it'}",
        f"  schedule {_schedule(kernel, sizes)}",
        f"  opened   {kernel.attributes.get(WHY, '')}",
    ]


def _schedule(kernel: KernelGroup, sizes: _Sizes) -> str:
    """Return how a kernel is shared out to threads."""
    chosen = schedule_of(kernel) or Schedule()
    cut = [
        f"{sizes.spell(extent)} {what}"
        for what, extent in (
            ("rows", chosen.rows),
            ("columns", chosen.columns),
            ("results", chosen.kept),
            ("terms", chosen.split),
        )
        if extent is not None
    ]
    return f"chunks of {' x '.join(cut)}" if cut else "one chunk"


def _rows(kernel: KernelGroup, members: Sequence[Generic], sizes: _Sizes) -> str:
    first = members[0]
    extents = tensor_space(first)
    rows = [sizes.spell(extents[d]) for d in output_dims(first)[: kernel.outer]]
    return f"one pass for each of {' x '.join(rows)} rows" if rows else "one pass"


def _lines(members: Sequence[Generic]) -> str:
    """Return the lines of a kernel's members: `a.tc:3, 5-7`."""
    found: dict[str, set[int]] = {}
    for member in members:
        for op in member.walk():  # a body may be made of several ops of the source
            if op.location.line:
                found.setdefault(op.location.file, set()).add(op.location.line)
    spelled = [f"{file}:{_ranges(sorted(lines))}" for file, lines in found.items()]
    return "; ".join(spelled) or "none (the compiler made it)"


def _ranges(lines: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][1] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return ", ".join(f"{a}-{b}" if a < b else f"{a}" for a, b in runs)


def _words(op: Generic) -> str:
    """Return what one generic does, in a few words."""
    body = [o.name.partition(".")[2] for o in op.body.block.ops if computes(o)]
    what = ", ".join(dict.fromkeys(body)) or "copy"
    if is_contraction(op):
        return "contraction"
    return f"reduction by {what}" if op.reductions else what


def _written_last(value: Value, block: Block) -> Value:
    """Return what becomes of a value when later kernels have written all its parts."""
    for op in block.ops:
        for result in op.results if value in op.operands else ():
            if continues(result) is value:
                value = result
    return value


def _bytes(moved: Sequence[Moved], sizes: _Sizes) -> str:
    """Return the bytes of tensors, all of them and each: `48*B bytes: x f32[B, 4]`."""
    total: Dim = 0
    parts = []
    for value, size in moved:
        type_ = value.type
        assert isinstance(type_, TensorType)
        total = total + size
        name = f"{value.hint} " if value.hint else ""
        part = "" if size == _size(value) else f"{sizes.spell(size)} of "
        parts.append(_plain(f"{part}{name}{sizes.type(type_)}"))
    return f"{sizes.spell(total)} bytes: {', '.join(parts)}" if parts else "nothing"


def _size(value: Value) -> Dim:
    """Return the bytes of a tensor."""
    type_ = value.type
    assert isinstance(type_, TensorType)
    size: Dim = type_.element.bytes
    for extent in type_.shape:
        size = size * extent
    return size


def _plain(formula: object) -> str:
    """Return a formula without the mark of values, which is nothing for people."""
    return str(formula).replace(VALUE, "")


def _end(kernel: KernelGroup, kernels: Sequence[KernelGroup], ops: Sequence[Op]) -> str:
    """Return why a kernel ends where it does: what reads it, and did not join it."""
    made = set(kernel.results)
    for op in ops:
        if made.isdisjoint(op.operands):
            continue
        if not isinstance(op, KernelGroup):
            if op is ops[-1]:
                return _given_to(op)
            return f"a {op.name} reads it at {op.location}"
        why = op.attributes.get(WHY, "") if _opens(op, made) else _LATER
        location = f" ({op.location})" if op.location.line else ""
        return f"at kernel {kernels.index(op)}{location}: {why}"
    return "nothing reads it"


def _given_to(last: Op) -> str:
    """Return what becomes of a result that ends a block."""
    if isinstance(last, Return):
        return "its result is returned"
    region = last.parent.parent if last.parent is not None else None
    is_loop = region is not None and isinstance(region.parent, Scan)
    return "its result is the step's" if is_loop else "its result is the branch's"


def _opens(reader: KernelGroup, made: set[Value]) -> bool:
    """Return whether the generic that opened a kernel reads one of the values."""
    pairs = zip(reader.operands, reader.body.block.arguments, strict=True)
    inside = {argument for operand, argument in pairs if operand in made}
    first = next(op for op in reader.body.block.ops if isinstance(op, Generic))
    needed = [*[read.value for read in reads(first)], *continued(first)]
    return any(value in inside for value in needed)
