"""What functions cost, and what their kernels do: `tensorc explain`, `f.explain()`.

Kernels are those of the STRUCTURED level (`passes.analysis.cost`). Bytes are those that
one reads of its operands and writes of its results, each counted once
(`passes.analysis.traffic`). They and flops are formulas of the symbols of the call, or
numbers where these are given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from tensorc.api.kernel_words import (
    element_of,
    generics_of,
    lines_of,
    members_of,
    plain,
    words,
)
from tensorc.errors import Diagnostic, TensorcError
from tensorc.ir.attributes import Attribute, Dims
from tensorc.ir.branches import NEGATED
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import VALUE, Dim, substitute, symbols_of
from tensorc.ir.ops.builtin import Call, Function, Module, Return
from tensorc.ir.ops.control import If, KernelGroup
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.tensor.cumulative import CUMULATIVE
from tensorc.ir.schedules import Schedule, schedule_of
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.cost import (
    KERNELS,
    copied,
    cost_of,
    flops_of_kernel,
    sum_of_kernels,
)
from tensorc.passes.analysis.generics import (
    UNREAD,
    WHY,
    continued,
    output_dims,
    reads,
    tensor_space,
)
from tensorc.passes.analysis.in_place import as_sunk, updates_of
from tensorc.passes.analysis.traffic import (
    Moved,
    continues,
    read_by,
    size_of,
    written_by,
)
from tensorc.profiling.limits import limits_now
from tensorc.tables import spell_rate, spell_seconds

_LATER = "what reads it there waits for another result of that kernel"
_NESTED: Mapping[type[Op], str] = MappingProxyType(
    {
        Scan: "the loop at {} reads it",
        If: "the condition at {}, or a branch of it, reads it",
    }
)


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
    names: Mapping[str, str]  # symbols by the names that people give them

    def put(self, dim: Dim) -> Dim:
        """Return a size in which known symbols are numbers.

        Raises:
            TensorcError: it divides by what is 0 for these sizes (TC0904).
        """
        try:
            return substitute(dim, self.known)
        except ZeroDivisionError:
            message = f"{plain(dim)} divides by 0 for these sizes"
            raise TensorcError(Diagnostic("TC0904", message)) from None

    def count(self, dim: Dim) -> int | str:
        """Return what is counted by a size: 9414000, or the formula 15690*B."""
        made = self.put(dim)
        return made if isinstance(made, int) else plain(made)

    def spell(self, dim: Dim) -> str:
        """Return a count for people: 9,414,000, or 15690*B."""
        return _spell(self.count(dim))

    def type(self, type_: TensorType) -> TensorType:
        """Return a type in which known symbols are numbers."""
        return replace(type_, shape=tuple(map(self.put, type_.shape)))


def report(module: Module, buffers: Module, sizes: Mapping[str, int]) -> str:
    """Return what each function of a STRUCTURED module does, kernel by kernel.

    `buffers` is the same module at the BUFFER level, which knows the arenas and which
    kernels are alike; `sizes` are numbers for symbols.

    Raises:
        TensorcError: a size is of no symbol (TC0904).
    """
    known = _known(module, sizes)
    pairs = zip(module.functions, buffers.entries, strict=True)
    texts = [_function(f, b, known) for f, b in pairs]
    return "\n".join([*texts, *_hint(known)])


def costs(module: Module, buffers: Module, sizes: Mapping[str, int]) -> list[Cost]:
    """Return what a call of each function costs; the arguments are those of `report`.

    Raises:
        TensorcError: a size is of no symbol (TC0904).
    """
    known = _known(module, sizes)
    pairs = zip(module.functions, buffers.entries, strict=True)
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
    return _Sizes({found[name]: size for name, size in sizes.items()}, found)


def _cost(function: Function, arena: Attribute | None, sizes: _Sizes) -> Cost:
    kernels, flops = cost_of(function)
    moved = sum_of_kernels(function.body.block, _moved_by)
    for value in copied(function):
        moved = moved + 2 * size_of(value)
    size = arena.dims[0] if isinstance(arena, Dims) else 0
    return Cost(kernels, *map(sizes.count, (flops, moved, size)))


def _moved_by(kernel: Op) -> Dim:
    """Return the bytes that a kernel reads and writes."""
    moved: Dim = 0
    for _, size in (*read_by(kernel), *written_by(kernel)):
        moved = moved + size
    return moved


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A kernel, the block that it stands in, and when and how often that runs."""

    op: Op
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
        at = f" at {op.location}" if op.location.line else ""
        if isinstance(op, KERNELS):
            found.append(_Kernel(op, block, conditions, loops))
        elif isinstance(op, If):
            condition = f"the condition{at}" if at else "a condition"
            words = ("true", "false")
            words = words[::-1] if NEGATED in op.attributes else words
            for region, holds in zip(op.regions, words, strict=True):
                inside = (*conditions, f"{condition} is {holds}")
                found += _kernels_in(region.block, sizes, inside, loops)
        elif isinstance(op, Scan):
            steps = f"in each of {sizes.spell(op.steps)} steps of "
            steps += f"the loop{at}" if at else "a loop"
            # Chunks do not wait for each other between steps.
            steps += ", each chunk by itself" if schedule_of(op) else ""
            inside = (*loops, steps)
            found += _kernels_in(op.body.block, sizes, conditions, inside)
    return found


def _function(function: Function, buffers: Function, sizes: _Sizes) -> str:
    found = _kernels_in(function.body.block, sizes)
    kernels = [each.op for each in found]
    cost = _cost(function, buffers.attributes.get("tc.arena"), sizes)
    lines = [f"{function.sym_name}: {cost}"]
    first = _first_alike(kernels, function, buffers)
    for number, kernel in enumerate(found):
        alike = first.get(kernel.op, number)
        lines += ["", *_kernel(kernel, number, alike, kernels, sizes)]
        lines.append(f"  ends     {_end(kernel.op, kernels, kernel.block.ops)}")
    for number, value in enumerate(copied(function), len(found)):
        lines += ["", *_copy(value, number, sizes)]
    return "\n".join([*lines, ""])


def _first_alike(
    kernels: Sequence[Op], function: Function, buffers: Function
) -> dict[Op, int]:
    """Return the number of the first kernel that has the code of each group.

    That is called where others have groups of their own (`outline`); there, kernels
    that only make new values stand at the end (`sink_updates`).
    """
    ops = as_sunk(function.body.block, updates_of(function))
    groups = [op for op in ops if isinstance(op, KernelGroup)]
    made = [op for op in buffers.walk() if isinstance(op, KernelGroup | Call)]
    code: dict[Op, object] = {
        group: op.callee if isinstance(op, Call) else op
        for group, op in zip(groups, made, strict=True)
    }
    first: dict[object, int] = {}
    return {
        kernel: first.setdefault(code[kernel], number)
        for number, kernel in enumerate(kernels)
        if kernel in code
    }


def _hint(sizes: _Sizes) -> list[str]:
    """Return how to give the sizes that are not known, if there are any."""
    unknown = [
        name for name, symbol in sizes.names.items() if symbol not in sizes.known
    ]
    given = ", ".join(f"{name}=1024" for name in unknown)
    options = " ".join(f"--dim {name}=1024" for name in unknown)
    return [f"give sizes for numbers: {options}, or explain({given})\n"] * bool(unknown)


def _kernel(
    found: _Kernel, number: int, alike: int, kernels: Sequence[Op], sizes: _Sizes
) -> list[str]:
    kernel, returned = found.op, set(found.block.terminator.operands)
    written = written_by(kernel)
    last = {r: _written_last(r, found.block) for r, _ in written}
    kept = [
        (r, size_of(r))
        for r, _ in written
        if last[r] not in returned and continues(r) is None
    ]
    runs = found.runs()
    return [
        f"kernel {number}: {_rows(kernel, sizes)}",
        *([f"  runs     {runs}"] if runs else []),
        f"  source   {lines_of(members_of(kernel))}",
        f"  computes {', then '.join(dict.fromkeys(map(words, members_of(kernel))))}",
        *([f"  code     that of kernel {alike}"] if alike != number else []),
        f"  reads    {_bytes(read_by(kernel), sizes)}",
        f"  writes   {_bytes(written, sizes)}",
        f"  flops    {sizes.spell(flops_of_kernel(kernel))}",
        *_possible(kernel, sizes),
        f"  arena    {_bytes(kept, sizes) if kept else 'nothing of it'}",
        f"  schedule {_schedule(kernel, sizes)}",
        f"  opened   {_opened(kernel, kernels)}",
    ]


def _possible(kernel: Op, sizes: _Sizes) -> list[str]:
    """Return how fast a kernel may be, where its sizes are numbers."""
    flops, moved = (sizes.put(d) for d in (flops_of_kernel(kernel), _moved_by(kernel)))
    if not (isinstance(flops, int) and isinstance(moved, int) and flops + moved):
        return []
    limits, element = limits_now(), element_of(members_of(kernel))
    seconds = limits.seconds(flops, moved, element)
    rates = [f"{spell_rate(flops / seconds)} GFLOP/s"] * bool(flops)
    rates.append(f"{spell_rate(moved / seconds)} GB/s")
    bound = limits.bound(flops, moved, element)
    said = f"{', '.join(rates)}: {spell_seconds(seconds)} by the limit of {bound}"
    return [f"  possible {said}"]


def _copy(value: Value, number: int, sizes: _Sizes) -> list[str]:
    """Return what is said of the copy of a result."""
    moved = _bytes([(value, size_of(value))], sizes)
    source = [value.op] if value.op is not None else []
    return [
        f"kernel {number}: one pass",
        f"  source   {lines_of(source)}",
        "  computes copy",
        f"  reads    {moved}",
        f"  writes   {moved}",
        "  flops    0",
        "  arena    nothing of it",
        "  schedule one chunk",
        "  opened   a result is memory of its own, and no kernel wrote this one there",
        "  ends     its result is returned",
    ]


def _is_sweep(kernel: KernelGroup) -> bool:
    """Return whether a kernel goes over elements, whichever row they are in."""
    chosen = schedule_of(kernel) or Schedule()
    is_joined = chosen.columns is not None and chosen.rows is None
    return is_joined and not any(m.reductions for m in generics_of(kernel))


def _schedule(kernel: Op, sizes: _Sizes) -> str:
    """Return how a kernel is shared out to threads."""
    if type(kernel) in CUMULATIVE:
        type_ = kernel.results[0].type
        assert isinstance(type_, TensorType)
        many = "chunks of the other axes"
        return many if type_.rank > 1 else "one chunk"
    if not isinstance(kernel, KernelGroup):
        return "one chunk"
    chosen = schedule_of(kernel) or Schedule()
    cut = [
        f"{sizes.spell(extent)} {what}"
        for what, extent in (
            ("rows", chosen.rows),
            ("elements" if _is_sweep(kernel) else "columns", chosen.columns),
            ("results", chosen.kept),
            ("terms", chosen.split),
        )
        if extent is not None
    ]
    return f"chunks of {' x '.join(cut)}" if cut else "one chunk"


def _rows(kernel: Op, sizes: _Sizes) -> str:
    if not isinstance(kernel, KernelGroup):
        return "one pass"
    first = generics_of(kernel)[0]
    extents = tensor_space(first)
    spelled = [sizes.spell(extents[d]) for d in output_dims(first)]
    if _is_sweep(kernel):
        return f"one pass over {' x '.join(spelled)} elements"
    rows = " x ".join(spelled[: kernel.outer])
    return f"one pass for each of {rows} rows" if rows else "one pass"


def _opened(kernel: Op, kernels: Sequence[Op]) -> str:
    """Return why a kernel began, in words of the source."""
    if not isinstance(kernel, KernelGroup):
        return f"{words(kernel)} is a kernel by itself"
    why = str(kernel.attributes.get(WHY, ""))
    earlier = {r for other in kernels for r in other.results}
    if why == UNREAD and not earlier.isdisjoint(kernel.operands):
        first = generics_of(kernel)[0]
        at = f" at {first.location}" if first.location.line else ""
        return f"the {words(first)}{at} reads no kernel's result"
    return plain(why)


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
        part = "" if size == size_of(value) else f"{sizes.spell(size)} of "
        parts.append(plain(f"{part}{name}{sizes.type(type_)}"))
    return f"{sizes.spell(total)} bytes: {', '.join(parts)}" if parts else "nothing"


def _end(kernel: Op, kernels: Sequence[Op], ops: Sequence[Op]) -> str:
    """Return why a kernel ends where it does: what reads it, and did not join it."""
    made = set(kernel.results)
    for op in ops:
        if made.isdisjoint(op.operands):
            continue
        if not isinstance(op, KERNELS):
            if op is ops[-1]:
                return _given_to(op)
            said = _NESTED.get(type(op), f"a {op.name} at {{}} reads it")
            return said.format(op.location)
        if not isinstance(op, KernelGroup) or _opens(op, made):
            why = _opened(op, kernels)
        else:
            why = _LATER
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
    first = generics_of(reader)[0]
    needed = [*[read.value for read in reads(first)], *continued(first)]
    return any(value in inside for value in needed)
