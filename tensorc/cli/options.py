"""Options that several verbs share, and the files that they name."""

import functools
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import rich_click as click

from tensorc.cli.completion import paths
from tensorc.errors import Diagnostic, TensorcError
from tensorc.recipes import TIME, RecipeKind
from tensorc.runtime import threads
from tensorc.runtime.checking import checking
from tensorc.target import CHOSEN, choosing

_HELP_FILE = "tensorc.file"

Named = tuple[str, str]
AnyCommand = TypeVar("AnyCommand", bound=Callable[..., object])


def _parse_settings(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    return dict(named_values(values))


def named_values(values: Sequence[str], form: str = "NAME=VALUE") -> Iterator[Named]:
    """Yield the names and the texts of words such as lr=0.1; `form` is for messages.

    Raises:
        click.BadParameter: a name, a text or the sign between them is missing.
    """
    for value in values:
        name, _, text = value.partition("=")
        if not name.strip() or not text.strip():
            raise click.BadParameter(f"'{value}' is not of the form {form}")
        yield name.strip(), text.strip()


class FileCommand(click.RichCommand):
    """A command whose help, asked for with a file, lists the hypers of the file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note the file before `--help` ends the run."""
        paths = [word.partition("::")[0] for word in args]
        files = [
            path for path in paths if path.endswith(".tc") and Path(path).is_file()
        ]
        ctx.meta[_HELP_FILE] = files[0] if files else None
        return super().parse_args(ctx, args)

    def format_help(  # type: ignore[override]
        self, ctx: click.RichContext, formatter: click.RichHelpFormatter
    ) -> None:
        """Write the help, and the hypers with their defaults and their comments."""
        super().format_help(ctx, formatter)
        file = ctx.meta.get(_HELP_FILE)
        if not file:
            return
        from tensorc.cli.file_help import hypers_panel

        panel = hypers_panel(file)
        if panel is not None:
            formatter.write(panel)


def path_option(
    *names: str, metavar: str, help: str
) -> Callable[[AnyCommand], AnyCommand]:
    """Return a decorator that adds an option whose value shells complete as a path."""
    return click.option(
        *names, metavar=metavar, shell_complete=paths, callback=a_path, help=help
    )


def settings_option(function: AnyCommand) -> AnyCommand:
    """Add `--set NAME=VALUE`, which may be repeated: `settings: dict[str, str]`."""
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_parse_settings,
        help="Set a hyper of the file, or a field of its fit: lr=0.1, batch=300.",
    )(function)


def _parse_sizes(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> dict[str, int]:
    sizes = {}
    for name, number in named_values(values, "NAME=SIZE"):
        if not re.fullmatch("[0-9]{1,18}", number):
            message = f"'{name}={number}' is not of the form NAME=SIZE"
            raise click.BadParameter(message)
        sizes[name] = int(number)
    return sizes


def dim_option(function: AnyCommand) -> AnyCommand:
    """Add `--dim NAME=SIZE`, which may be repeated: `sizes: dict[str, int]`."""
    return click.option(
        "--dim",
        "sizes",
        multiple=True,
        metavar="NAME=SIZE",
        callback=_parse_sizes,
        help="Take a number for a size of the arguments: B=600.",
    )(function)


def init_option(function: AnyCommand) -> AnyCommand:
    """Add `--init FILE`: `init: str | None`."""
    return click.option(
        "--init",
        metavar="FILE|DIR",
        shell_complete=paths,
        callback=a_path,
        help="Set params from the arrays of an .npz or .safetensors file, by name, or "
        "from the best checkpoint in a directory of --save.",
    )(function)


def optimize_option(function: AnyCommand) -> AnyCommand:
    """Add `-O0` to `-O3`: `optimize: int`."""
    return click.option(
        "-O",
        "optimize",
        type=click.IntRange(0, 3),
        default=2,
        metavar="0..3",
        help="How much to optimise: -O0 to -O3. The results are the same.",
    )(function)


def float_option(function: AnyCommand) -> AnyCommand:
    """Add `--float f64`: `default_float: str`."""
    return click.option(
        "--float",
        "default_float",
        type=click.Choice(["f32", "f64", "f16", "bf16"]),
        default="f32",
        help="What `float` means in the file: f64 to compute in double precision.",
    )(function)


def threads_option(function: AnyCommand) -> AnyCommand:
    """Add `--threads N`, which takes effect at once; nothing reaches the function."""
    return click.option(
        "--threads",
        type=click.IntRange(1, threads.MOST),
        metavar="N",
        expose_value=False,
        callback=lambda _, __, value: threads.use(value),
        help="How many threads compute; by default all processors, or what "
        "TENSORC_NUM_THREADS says. The results are the same.",
    )(function)


def check_nan_option(function: AnyCommand) -> AnyCommand:
    """Add `--check-nan`, which takes effect at once; nothing reaches the function."""

    def callback(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            context.with_resource(checking(True))

    function = check_bounds_option(function)
    return click.option(
        "--check-nan",
        is_flag=True,
        expose_value=False,
        callback=callback,
        help="End where a call makes a NaN or an infinity, and name the operation that "
        "made the first: its line, its numbers and the way out.",
    )(function)


def check_bounds_option(function: AnyCommand) -> AnyCommand:
    """Add `--check-bounds`, which takes effect at once."""

    def callback(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            changed = replace(CHOSEN.get(), check_bounds=True)
            context.with_resource(choosing(changed))

    return click.option(
        "--check-bounds",
        is_flag=True,
        expose_value=False,
        callback=callback,
        help="Compile code that compares each index with the extent of its memory: to "
        "find faults of the compiler.",
    )(function)


def existing_file(path: str) -> str:
    """Return the path of a program's file.

    Raises:
        TensorcError: it is no file (TC0901).
    """
    if not Path(path).is_file():
        reason = "is a directory" if Path(path).is_dir() else "no such file"
        raise TensorcError(Diagnostic("TC0901", f"{path}: {reason}"))
    return path


def split_name(file: str) -> tuple[str, str]:
    """Return the path and the name in FILE.tc::NAME; "" without one.

    Raises:
        TensorcError: there is a '::' and no name (TC0904), or no such file (TC0901).
    """
    path, _, name = file.partition("::")
    if not name and file.endswith("::"):
        message = f"{file}: a name is expected after '::'"
        raise TensorcError(Diagnostic("TC0904", message))
    return existing_file(path), name


def a_path(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    """Refuse an empty text, which would be the working directory."""
    if value == "":
        raise click.BadParameter("an empty text is not a path: the directory here is .")
    return value


def time_option(
    name: str, *, help: str, default: float | None = None, kind: RecipeKind = TIME
) -> Callable[[AnyCommand], AnyCommand]:
    """Return a decorator that adds an option of seconds: `float`, or None if not given.

    What is refused, and its words, are those of the doors of Python.
    """
    return click.option(
        name,
        metavar="SECONDS",
        callback=functools.partial(_a_time, kind),
        default=None if default is None else f"{default:g}",
        help=help,
    )


def _a_time(
    kind: RecipeKind,
    context: click.Context,
    parameter: click.Parameter,
    text: str | None,
) -> float | None:
    if text is None:
        return None
    try:
        value: object = float(text)
    except ValueError:
        value = text
    if words := kind.wrong(value):
        message = f"`{parameter.opts[0]}` {words}, got {value!r:.60}"
        raise click.UsageError(message, context)
    assert isinstance(value, float)
    return value


def check_output(path: str | None, *inputs: str | None) -> None:
    """Check, before the work, that the output can be written.

    Raises:
        TensorcError: the directory of `path` does not exist, it is one, or it is one of
            the files that are read (TC0902).
    """
    if path is None or path == "-":
        return
    if Path(path).is_dir():
        raise TensorcError(Diagnostic("TC0902", f"{path}: is a directory"))
    if not Path(path).absolute().parent.is_dir():
        parent = Path(path).absolute().parent
        raise TensorcError(
            Diagnostic("TC0902", f"{path}: there is no directory {parent}")
        )
    for read in inputs:
        if read is not None and _is_same(path, read):
            message = f"{path}: is read, and would be lost"
            raise TensorcError(Diagnostic("TC0902", message))


def make_directory(path: str) -> None:
    """Make a directory for the output, with those above it, if it is not there.

    Raises:
        TensorcError: it cannot be made, or it is a file (TC0902).
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        message = f"{path}: cannot be made: {reason or error}"
        raise TensorcError(Diagnostic("TC0902", message)) from error


def _is_same(path: str, other: str) -> bool:
    try:
        return Path(path).samefile(other)
    except (OSError, ValueError):
        return False


def write_output(path: str, content: str | bytes) -> None:
    """Write text or bytes to a file, or to stdout if `path` is "-".

    Raises:
        TensorcError: the file cannot be written (TC0902).
    """
    data = content.encode() if isinstance(content, str) else content
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror or error}"
        raise TensorcError(Diagnostic("TC0902", message)) from error
