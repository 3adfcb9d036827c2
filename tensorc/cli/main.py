"""The `tensorc` command: its verbs, and how every run of it ends.

Exit codes: 0 ok, 1 the user's program, data or call is wrong, 2 usage, 3 our bug,
4 a numerical check failed or a training diverged, 130 interrupted. A user never sees
a traceback; TENSORC_DEBUG=1 shows it for a bug of ours.
"""

import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import rich_click as click

import tensorc
from tensorc.address_space import MIB, has_room, require
from tensorc.cli.terminal import show
from tensorc.errors import (
    COMMAND_LINE,
    Diagnostic,
    DivergedError,
    InternalError,
    TensorcError,
    nearest,
)
from tensorc.runtime.threads import processors

OK, USER_ERROR, USAGE, BUG, MISMATCH, INTERRUPTED = 0, 1, 2, 3, 4, 130

# The modules behind the verbs load the compiler, so help must not import them.
VERBS = {
    "train": "Train what the `fit`s of a file describe.",
    "eval": "Validate and test what the `fit`s of a file describe.",
    "predict": "Call a function of a file with the rows of a data file.",
    "run": "Call what the `run`s of a file describe, and print the results.",
    "compile": "Compile a file, and write any stage of it.",
    "opt": "Run passes on MLIR text, and print what they make of it.",
    "explain": "Explain a diagnostic, or what the kernels of a file do.",
    "bench": "Measure a function of a file, kernel by kernel.",
    "check": "Check files: syntax, types and shapes.",
    "fuzz": "Look for bugs of the compiler with random programs.",
    "cache": "Show or clear what is kept of earlier compilations.",
    "completion": "Print a script that completes commands and files in a shell.",
}


# What is loaded without NumPy.
_LIGHT = {"explain", "completion"}
# A library that cannot be loaded, code that cannot be linked: if there is no room for
# this any more, that is why.
_ROOM = 16 * MIB


class Verbs(click.RichGroup):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the verbs, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a stand-in that knows its name and one line of help."""
        if cmd_name not in VERBS:
            return None
        return click.RichCommand(name=cmd_name, help=VERBS[cmd_name])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the real command that the arguments call."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            ctx.fail(f"No such command '{args[0]}'. {_advice(args[0])}")
        name, command, rest = super().resolve_command(ctx, args)
        if name in VERBS:
            if name not in _LIGHT:
                require(_room_for_numpy(), "NumPy")
                importlib.import_module("numpy")  # before LLVM takes that room
            command = importlib.import_module(f"tensorc.cli.{name}").command
        return name, command, rest


def _room_for_numpy() -> int:
    """Return how many bytes of addresses NumPy takes; without them it may just exit."""
    named = os.environ.get("OPENBLAS_NUM_THREADS", "")
    count = int(named) if named.isdecimal() else processors()
    return (85 + 40 * (min(max(count, 1), 64) - 1)) * MIB


def _advice(word: str) -> str:
    if word.endswith(".tc"):
        return f"Say what to do with the file: tensorc train {word}"
    near = nearest(word, VERBS)
    return f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(VERBS)}."


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    click.echo(f"tensorc {tensorc.__version__}")
    ctx.exit()


# A flag and its value in one column, as wide as they are: no name is cut.
click.rich_click.OPTIONS_TABLE_COLUMN_TYPES = ["opt_all_metavar", "help"]
_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}


@click.command(cls=Verbs, context_settings=_SETTINGS)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def program() -> None:
    """A tensor compiler: `.tc` model files become native code, and train."""


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; messages go to stderr."""
    before = COMMAND_LINE.set(True)
    try:
        return _run(arguments)
    finally:
        COMMAND_LINE.reset(before)


def _run(arguments: Sequence[str]) -> int:
    asked = os.environ.get("_TENSORC_COMPLETE")
    if asked:  # a shell asks what may stand in its line
        answer = importlib.import_module("tensorc.cli.completion").answer
        return int(answer(program, asked))
    try:
        result = program.main(
            args=list(arguments), prog_name="tensorc", standalone_mode=False
        )
        sys.stdout.flush()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    except click.ClickException as error:
        _show_usage(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except TensorcError as error:
        show(error.diagnostics)
        return MISMATCH if isinstance(error, DivergedError) else USER_ERROR
    except Exception as error:
        return _failed(error)
    return result if isinstance(result, int) else OK


def _failed(error: Exception) -> int:
    """Say what went wrong beside the user's program; return the exit code."""
    if isinstance(error, BrokenPipeError):
        _drop_output()
        return USER_ERROR
    if isinstance(error, MemoryError) or not has_room(_ROOM):
        known = str(error) if isinstance(error, MemoryError) else ""
        detail = known or "no more memory can be had"
        show([Diagnostic("TC0507", f"too little memory: {detail}")])
        return USER_ERROR
    if isinstance(error, OSError):
        _drop_output()
        named = error.filename or "the output"
        show([Diagnostic("TC0902", f"{named}: {error.strerror or error}")])
        return USER_ERROR
    _show_bug(error)
    return BUG


def main() -> None:
    """Run `tensorc` with the arguments of the process, and exit."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            sink = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (kept)
            setattr(sys, name, sink)
    warnings.showwarning = _show_warning
    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        leave(code)
    sys.exit(code)


def leave(code: int) -> NoReturn:
    """End the process at once: files are closed, and whoever pressed Ctrl-C waits.

    Python's own way takes apart LLVM and all arrays first, some 0.3 s.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _show_usage(error: click.ClickException) -> None:
    """Print what is wrong with the words of a command, then how it is called."""
    print(f"error: {error.format_message()}", file=sys.stderr)
    context = getattr(error, "ctx", None)
    if context is not None:
        words = context.command.collect_usage_pieces(context)
        path = context.command_path
        print(f"usage: {path} {' '.join(words)}", file=sys.stderr)
        print(f"`{path} --help` explains them", file=sys.stderr)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _drop_output() -> None:
    # Nobody takes our output; Python still flushes it at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_bug(error: Exception) -> None:
    if os.environ.get("TENSORC_DEBUG") == "1":
        traceback.print_exception(error)
    known = isinstance(error, InternalError)
    text = str(error) if known else f"internal error: {type(error).__name__}: {error}"
    print(text, file=sys.stderr)
    print(
        "this is a bug in tensorc; TENSORC_DEBUG=1 shows the traceback to report",
        file=sys.stderr,
    )
    if isinstance(error, InternalError) and error.reproducer:
        print(error.reproducer, file=sys.stderr)  # the last line, for scripts
