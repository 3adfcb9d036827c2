"""What may be watched while passes run: the IR around them, their times, a crash.

The flags have MLIR's names, with and without `mlir-`; dumps and tables go to stderr.
"""

import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import rich_click as click

from tensorc import compiler
from tensorc.cli.options import FileCommand
from tensorc.errors import InternalError
from tensorc.ir.ops.builtin import Module
from tensorc.ir.text.printer import print_module
from tensorc.passes.common.base import Pass, run_pass
from tensorc.passes.common.pipelines import spell_pipeline
from tensorc.target import Target

AnyCommand = TypeVar("AnyCommand", bound=Callable[..., object])

ALL = "*"

# Flags whose value may be left out: what they mean then.
OPTIONAL = {
    "mlir-print-ir-before": ALL,
    "mlir-print-ir-after": ALL,
    "mlir-print-ir-before-all": "true",
    "mlir-print-ir-after-all": "true",
    "mlir-print-ir-after-change": "true",
    "mlir-timing": "true",
    "verify-each": "true",
}


class MlirCommand(FileCommand):
    """A command with MLIR's spellings: `-flag` for `--flag`, flags without a value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Bring the arguments to the one spelling that click reads, and parse them."""
        options = {o for p in self.params for o in p.opts if o.startswith("--")}
        return super().parse_args(ctx, [self.spell(a, options) for a in args])

    def spell(self, argument: str, options: set[str]) -> str:
        """Return an argument as click reads it."""
        name, equals, value = argument.partition("=")
        bare = name.lstrip("-")
        if not bare or name == bare:
            return argument
        if bare.startswith("print-ir-") or bare == "timing":
            bare = f"mlir-{bare}"
        if not equals and bare in OPTIONAL:
            equals, value = "=", OPTIONAL[bare]
        return f"--{bare}{equals}{value}" if f"--{bare}" in options else argument


@dataclass
class Instruments:
    """What to do around each pass; `around` is for `compiler.run_passes`."""

    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    only_changed: bool = False
    timing: bool = False
    locations: bool = False  # print the source locations of ops
    keep: bool = False  # the text before each pass, for a reproducer
    times: list[tuple[str, float]] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)
    last: tuple[Pass, str] | None = None

    @property
    def active(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.before or self.after or self.timing or self.keep)

    def around(self, pass_: Pass, module: Module, target: Target) -> Module:
        """Run a pass, and print, time and keep what is asked for."""
        text = ""
        if self.keep or self.only_changed:
            text = self.print(module)
            self.last = (pass_, text)
        if not self.before.isdisjoint((ALL, pass_.name)):
            _dump("Before", pass_, text or self.print(module))
        start = time.perf_counter()
        try:
            module = run_pass(pass_, module, target)
        finally:
            self.times.append((pass_.name, time.perf_counter() - start))
        if not self.after.isdisjoint((ALL, pass_.name)):
            made = self.print(module)
            if not self.only_changed or made != text:
                _dump("After", pass_, made)
        return module

    def print(self, module: Module) -> str:
        """Return the text of a module, as `--mlir-print-debuginfo` has it."""
        return print_module(module, locations=self.locations)

    def report(self, title: str = "") -> None:
        """Print the table of times on stderr, if it is asked for."""
        if self.timing:
            total = time.perf_counter() - self.started
            sys.stderr.write(timing_table(self.times, total, title))


def _dump(when: str, pass_: Pass, text: str) -> None:
    sys.stderr.write(f"// -----// IR Dump {when} {pass_.name} //----- //\n{text}\n")


def timing_table(
    times: Sequence[tuple[str, float]], total: float, title: str = ""
) -> str:
    """Return the times of passes as a table in MLIR's manner; seconds."""
    line = f"===-{73 * '-'}-===\n"
    what = f"... Execution time report{f' of {title}' if title else ''} ..."
    head = f"{line}{f'{what:^79}'.rstrip()}\n{line}"
    head += f"  Total Execution Time: {total:.4f} seconds\n\n"
    rest = total - sum(seconds for _, seconds in times)
    named = [*times, ("Rest", rest), ("Total", total)]
    rows = [
        f"  {s:10.4f} ({100 * s / max(total, 1e-9):5.1f}%)  {name}\n"
        for name, s in named
    ]
    return f"{head}  ----Wall Time----   ----Name----\n{''.join(rows)}"


def _names(_: click.Context, __: click.Parameter, values: Sequence[str]) -> list[str]:
    names = [name for value in values for name in value.split(",")]
    for name in names:
        if name != ALL and name not in compiler.PASSES:
            known = ", ".join(compiler.PASSES)
            raise click.BadParameter(f"there is no pass '{name}'; there are {known}")
    return names


def instrument_options(function: AnyCommand) -> AnyCommand:
    """Add MLIR's flags for dumps and times; `instruments_of` reads their values."""
    for name in ("after", "before"):
        function = click.option(
            f"--mlir-print-ir-{name}",
            f"print_{name}",
            multiple=True,
            metavar="[=PASS,…]",
            callback=_names,
            help=f"Print the IR {name} a pass, on stderr; all without a name.",
        )(function)
    function = click.option(
        "--mlir-print-debuginfo",
        is_flag=True,
        help="Print the source locations of ops, in dumps too.",
    )(function)
    flags = {
        "--mlir-timing": "Print the time of each pass on stderr.",
        "--mlir-print-ir-after-change": "Print the IR after passes that changed it.",
        "--mlir-print-ir-after-all": "Print the IR after each pass.",
        "--mlir-print-ir-before-all": "Print the IR before each pass.",
    }
    for flag, help_ in flags.items():
        function = click.option(
            flag, type=click.BOOL, default=False, metavar="=BOOL", help=help_
        )(function)
    return function


def instruments_of(values: Mapping[str, object]) -> Instruments:
    """Return the instruments that the flags of `instrument_options` ask for."""
    before, after = values["print_before"], values["print_after"]
    assert isinstance(before, list)
    assert isinstance(after, list)
    changed = bool(values["mlir_print_ir_after_change"])
    if values["mlir_print_ir_before_all"]:
        before = [ALL]
    if values["mlir_print_ir_after_all"] or (changed and not after):
        after = [ALL]
    timing = bool(values["mlir_timing"])
    locations = bool(values["mlir_print_debuginfo"])
    return Instruments(frozenset(before), frozenset(after), changed, timing, locations)


def write_reproducer(error: InternalError, last: tuple[Pass, str], path: str) -> None:
    """Write the IR before a failing pass, and the command that runs it, to a file.

    `path` "" is a new file in the directory for temporary files. The error learns its
    name; what cannot be written is left out, since the error itself is to be seen.
    """
    pass_, text = last
    try:
        if not path:
            with tempfile.NamedTemporaryFile(
                prefix=f"tensorc-{pass_.name}-", suffix=".mlir", delete=False
            ) as file:
                path = file.name
        pipeline = shlex.quote(f"--pass-pipeline={spell_pipeline((pass_,))}")
        reason = " ".join(str(error).split())
        head = f"// tensorc opt {shlex.quote(path)} {pipeline}\n// {reason}\n"
        Path(path).write_text(head + text, encoding="utf-8")
    except OSError as problem:
        error.notes.append(f"no reproducer could be written: {problem}")
        return
    error.reproducer = path
