"""What programs and functions are, as tables for `summary()` and notebooks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tensorc.errors import TensorcError
from tensorc.frontend.dsl.programs.program import FunctionRef, HyperValue
from tensorc.recipes import Fit, Run
from tensorc.runtime.arrays import describe
from tensorc.runtime.shared import SharedCell
from tensorc.tables import Table, spell_bytes

if TYPE_CHECKING:
    from tensorc.ir.ops.builtin import Function, Module
    from tensorc.ir.types import Type


def memory_table(shared: Mapping[str, SharedCell], most: int | None = None) -> Table:
    """Return params and states with type, count and bytes, and what they are in all.

    Of more than `most` the others are counted.
    """
    rows = [
        (name, spell_type(cell), f"{cell.size:,}", spell_bytes(cell.nbytes))
        for name, cell in list(shared.items())[:most]
    ]
    if len(shared) > len(rows):
        rows.append((f"and {len(shared) - len(rows):,} more", "", "", ""))
    count = sum(cell.size for cell in shared.values())
    size = spell_bytes(sum(cell.nbytes for cell in shared.values()))
    rows.append(("in all", "", f"{count:,}", size))
    columns = ("name", "type", "count", "bytes")
    return Table("params and states", rows, columns, frozenset({2, 3}))


def spell_type(cell: SharedCell) -> str:
    """Return the type of a variable as the language writes it: f32[784, 10]."""
    return describe(cell.get_value(borrow=True))


def hyper_table(hypers: Mapping[str, HyperValue]) -> Table:
    """Return hypers and their values."""
    rows = []
    for name, value in hypers.items():
        shown = value.name if isinstance(value, FunctionRef) else repr(value)
        if isinstance(value, bool):
            shown = shown.lower()
        rows.append((name, shown))
    return Table("hypers", rows, ("name", "value"))


def function_table(
    emit: "Callable[[Sequence[str]], Module]", names: Sequence[str]
) -> Table:
    """Return functions and steps: what they take and give, and what they change.

    Of one that does not compile it says so.
    """
    rows = []
    for name in names:
        try:
            (function,) = emit([name]).functions
        except TensorcError as error:
            rows.append((name, f"does not compile: {error.diagnostics[0].code}"))
            continue
        changes = ", ".join(updates_of(function))
        rows.append((_signature(function), f"changes {changes}" if changes else ""))
    return Table("functions", rows)


def _signature(function: "Function") -> str:
    takes = [f"{n}: {t}" for kind, n, t in arguments_of(function) if kind != "shared"]
    gives = ", ".join([type_ for _, type_ in results_of(function)])
    return f"{function.sym_name}({', '.join(takes)}) -> {gives or 'nothing'}"


def arguments_of(function: "Function") -> list[tuple[str, str, str]]:
    """Return what a function reads: kind (shared, input, hyper), name and type.

    What it captures stands last, and is left out: nobody gives it.
    """
    found = []
    for i, value in enumerate(function.body.block.arguments):
        info = function.argument_info(i)
        name, kind = str(info.get("tc.name")), str(info.get("tc.kind"))
        if kind != "captured":
            found.append((kind, name, _spelled(value.type)))
    return found


def results_of(function: "Function") -> list[tuple[str, str]]:
    """Return the name and type of each result."""
    found = []
    for i, value in enumerate(function.body.block.terminator.operands):
        info = function.result_info(i)
        if info.get("tc.updates") is None:
            found.append((str(info.get("tc.name") or ""), _spelled(value.type)))
    return found


def updates_of(function: "Function") -> list[str]:
    """Return the names of the memory that a function changes."""
    names = [name for _, name, _ in arguments_of(function)]
    count = len(function.body.block.terminator.operands)
    indices = [function.result_info(i).get("tc.updates") for i in range(count)]
    return [names[index] for index in indices if isinstance(index, int)]


def _spelled(type_: "Type") -> str:
    from tensorc.ir.dims import VALUE

    return str(type_).replace(VALUE, "")


def recipe_table(fits: Iterable[Fit], runs: Iterable[Run]) -> Table:
    """Return the recipes of a program."""
    rows = [("fit", f.name, _fit(f)) for f in fits]
    rows += [("run", r.name, f"{r.function}, {r.times:,} times") for r in runs]
    return Table("recipes", rows, ("kind", "name", "what"))


def _fit(fit: Fit) -> str:
    parts = [f"{fit.step} over {fit.data.reader}", f"batch {fit.batch:,}"]
    parts.append(f"{fit.epochs:,} epoch{'' if fit.epochs == 1 else 's'}")
    parts += [f"validate {fit.validate}"] if fit.validate else []
    parts += [f"test {fit.test}"] if fit.test else []
    return ", ".join(parts)


def parameters(function: "Function", cost: Mapping[str, str]) -> list[Table]:
    """Return what one function takes, gives and costs."""
    rows = [(name, type_, kind) for kind, name, type_ in arguments_of(function)]
    gives = [(name or "result", type_, "") for name, type_ in results_of(function)]
    types = {name: type_ for name, type_, _ in rows}
    gives += [(name, types[name], "new value") for name in updates_of(function)]
    return [
        Table("takes", rows, ("name", "type", "kind")),
        Table("gives", gives, ("name", "type", "kind")),
        Table("a call costs", list(cost.items())),
    ]
