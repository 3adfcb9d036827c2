"""`tensorc train`: run the `fit`s of a file."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from tensorc.api import program as api
from tensorc.api.kept_runs import ANEW, Kept
from tensorc.api.summaries import memory_table, spell_type
from tensorc.cli.completion import paths
from tensorc.cli.log import Log, open_log
from tensorc.cli.options import (
    AnyCommand,
    FileCommand,
    check_nan_option,
    check_output,
    existing_file,
    float_option,
    init_option,
    optimize_option,
    path_option,
    settings_option,
    threads_option,
    time_option,
    write_output,
)
from tensorc.cli.progress import Reporter, reporter, spell_cost, spell_error
from tensorc.cli.terminal import show
from tensorc.errors import Diagnostic, DivergedError, TensorcError
from tensorc.frontend.dsl.programs.program import plain_hypers
from tensorc.recipes import KEEP, PATH, TIME, Fit, RecipeOption
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training.checkpoint import About, Checkpoint, compare
from tensorc.runtime.training.data import Dataset, open_data
from tensorc.runtime.training.fit import fit
from tensorc.runtime.training.history import (
    EpochRecord,
    Footprint,
    History,
    Progress,
)
from tensorc.runtime.training.keeping import Keeper
from tensorc.runtime.training.loop import OnEpoch, OnProgress
from tensorc.runtime.training.preparing import roles_of
from tensorc.tables import spell_bytes

if TYPE_CHECKING:
    from tensorc.api.benching.profile import Profile

_SHOWN = 12


_METAVARS = {"save": "DIR", "resume": "DIR|FILE"}


def _kept_option(option: RecipeOption) -> Callable[[AnyCommand], AnyCommand]:
    """Return a decorator that adds an option of how a run is kept."""
    flag, help = _flag(option.name), _kept_help(option)
    if option.kind is PATH:
        return path_option(flag, metavar=_METAVARS[option.name], help=help)
    if option.kind is TIME:
        assert isinstance(option.default, float)
        return time_option(flag, default=option.default, help=help)
    return click.option(flag, is_flag=True, default=option.default, help=help)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _kept_help(option: RecipeOption) -> str:
    """Return what the table says of an option, with flags for the names of others."""
    text = option.doc
    for other in KEEP:
        text = text.replace(f"`{other.name}`", _flag(other.name))
    shown = "" if option.kind is TIME else f"; without it: {option.without}"
    return f"{text[:1].upper()}{text[1:]}{shown}.".replace("`", "")


def _kept_options(function: AnyCommand) -> AnyCommand:
    """Add the options of `KEEP`, by their names."""
    for option in reversed(KEEP):
        function = _kept_option(option)(function)
    return function


@click.command("train", cls=FileCommand)
@click.argument("file", metavar="FILE.tc", shell_complete=paths)
@settings_option
@float_option
@init_option
@_kept_options
@path_option("--log", metavar="FILE", help="Append events to FILE, a JSON line each.")
@path_option("--json", "json_path", metavar="FILE", help="Write the run; - is stdout.")
@click.option("--profile", is_flag=True, help="Say what each kernel of a step takes.")
@click.option("--quiet", is_flag=True, help="Show no progress, only the summary.")
@optimize_option
@threads_option
@check_nan_option
def command(
    file: str,
    settings: dict[str, str],
    default_float: str,
    init: str | None,
    save: str | None,
    save_every: float,
    overwrite: bool,
    resume: str | None,
    allow_nan: bool,
    log: str | None,
    json_path: str | None,
    profile: bool,
    quiet: bool,
    optimize: int,
) -> None:
    """Train what the `fit`s of FILE.tc describe, in order."""
    _check_files(file, init, resume, json_path, log)
    program = _loaded(file, settings, optimize, default_float)
    if init is not None:
        _note_missing(init, program.restore(init), quiet)
    kept = Kept(_path(save), save_every, _path(resume), overwrite, allow_nan)
    start = None if kept.resume is None else program.last(kept.resume)
    fits = program.fits[start.about.fit if start else 0 :]
    # Later recipes read their data again, when those before have let theirs go.
    data = [open_data(fits[0])]
    about = program.about(fits[0], data[0] if kept.compares else None)
    if start:
        _show_start(program, start, about, quiet)
    begun = kept.begun(start, program.shared)
    abouts = _protected(program, fits, about.beginning(begun), kept)
    if not quiet:
        print(summarize_memory(program.shared), file=sys.stderr)
    with open_log(log) as events:
        histories = []
        for recipe, about in zip(fits, abouts, strict=True):
            read = data.pop() if data else open_data(recipe)
            keeper = program.keeper(recipe, kept, about)
            watch = _profile(program, recipe) if profile else None
            history = _train(
                program, recipe, read, start, keeper, events, quiet, allow_nan, watch
            )
            start = None
            histories.append(history)
            _print_summary(history, recipe, program, json_path)
            _print_profile(watch, history, json_path)
    _write_json(json_path, histories, program.shared)


def _check_files(
    file: str, init: str | None, resume: str | None, *outputs: str | None
) -> None:
    """Refuse files that do not fit each other, before anything is read."""
    existing_file(file)
    for path in outputs:
        check_output(path, file, init, resume)
    if init is not None and resume is not None:
        raise click.UsageError("--init starts a run, --resume goes on with one")


def _protected(
    program: "api.Program", fits: Sequence[Fit], first: About, kept: Kept
) -> list[About]:
    """Return what each run is of; the first one is known.

    Refuses to write over checkpoints of other runs, before anything is trained.
    """
    abouts: list[About] = []
    for recipe in fits:
        about = first
        if abouts:
            data = open_data(recipe) if kept.save else None
            about = program.about(recipe, data).beginning(first.begun)
        keeper = program.keeper(recipe, kept, about)
        if anew := kept.protect(keeper, recipe.epochs):
            show([Diagnostic(ANEW, anew, severity="warning")])
        abouts.append(about)
    return abouts


def _print_summary(
    history: History, recipe: Fit, program: "api.Program", json_path: str | None
) -> None:
    # What is read by a machine must not have a line for people in it.
    file = sys.stderr if json_path == "-" else sys.stdout
    name = f"{recipe.name}: " if recipe.name and len(program.fits) > 1 else ""
    print(name + summarize(history), file=file, flush=True)


def _write_json(
    path: str | None, histories: Sequence[History], shared: Mapping[str, SharedCell]
) -> None:
    if path is None:
        return
    memory = [
        {
            "name": name,
            "type": spell_type(cell),
            "count": cell.size,
            "bytes": cell.nbytes,
        }
        for name, cell in shared.items()
    ]
    documents = [history.to_json(memory=memory) for history in histories]
    text = documents[0] if len(documents) == 1 else f"[{', '.join(documents)}]"
    write_output(path, text + "\n")


def _loaded(
    file: str, settings: dict[str, str], optimize: int, default_float: str
) -> "api.Program":
    program = api.load(file, settings, optimize, default_float)
    if not program.fits:
        message = f"{file}: there is no 'fit' to train"
        raise TensorcError(Diagnostic("TC0903", message))
    return program


def _train(
    program: "api.Program",
    recipe: Fit,
    data: Dataset,
    start: Checkpoint | None,
    keeper: Keeper | None,
    log: Log,
    quiet: bool,
    allow_nan: bool,
    watch: "Profile | None",
) -> History:
    """Run one recipe; its history has the time of compiling."""
    log.write("start", fit=recipe.name, hypers=plain_hypers(program.hypers))
    try:
        with reporter(recipe.epochs, quiet) as heard:
            history = fit(
                recipe,
                roles_of(program.functions, recipe),
                data,
                on_start=None if quiet else _show_footprint,
                on_epoch=_heard(heard, log, watch),
                on_progress=_progressing(heard, watch),
                on_state=log.on_state,
                keeper=keeper,
                start=start.start(program.shared) if start else None,
                allow_nan=allow_nan,
            )
    except (KeyboardInterrupt, DivergedError) as error:
        log.write("diverged" if isinstance(error, DivergedError) else "interrupted")
        if keeper and keeper.has_written:
            print(f"continue with: --resume {keeper.last}", file=sys.stderr)
        raise
    # Only now: functions may be compiled when they are first used.
    history = replace(history, compile_seconds=program.compile_seconds)
    log.on_end(history)
    return history


def _heard(shown: Reporter, log: Log, watch: "Profile | None") -> OnEpoch:
    """Return what tells everybody of epochs."""

    def on_epoch(record: EpochRecord) -> None:
        if watch is not None:
            watch.on_epoch()
        shown.on_epoch(record)
        log.on_epoch(record)

    return on_epoch


def _progressing(shown: Reporter, watch: "Profile | None") -> OnProgress | None:
    """Return what tells everybody of batches."""
    if watch is None:
        return shown.on_progress

    def on_progress(progress: Progress) -> None:
        watch.on_progress(progress)
        if shown.on_progress:
            shown.on_progress(progress)

    return on_progress


def _profile(program: "api.Program", recipe: Fit) -> "Profile":
    """Have the step of a recipe timed, for which it is compiled anew."""
    from tensorc.api.benching.profile import profile

    return profile(program, recipe)


def _print_profile(
    watch: "Profile | None", history: History, json_path: str | None
) -> None:
    found = None if watch is None else watch.result(history)
    if found is not None:
        file = sys.stderr if json_path == "-" else sys.stdout
        print(f"\n{found}", end="", file=file, flush=True)


def _path(given: str | None) -> Path | None:
    return None if given is None else Path(given)


def _show_start(
    program: "api.Program", checkpoint: Checkpoint, about: About, quiet: bool
) -> None:
    """Say where the checkpoint is from which a run goes on, if it is of that run."""
    for difference in compare(checkpoint, about, program.shared):
        print(f"warning: {difference} (the checkpoint)", file=sys.stderr)
    if not quiet:
        epoch, batch = checkpoint.state.epoch, checkpoint.state.position
        recipe = program.fits[checkpoint.about.fit]
        reached = epoch if batch else epoch - 1
        line = f"continuing in epoch {epoch:,} after batch {batch:,}"
        if checkpoint.state.done:
            line = "already finished: early stopping ended it"
        elif reached >= recipe.epochs and not checkpoint.state.pending:
            line = f"already finished: raise --set epochs={recipe.epochs}"
        print(line, file=sys.stderr)


def _note_missing(path: str, missing: list[str], quiet: bool) -> None:
    if missing and not quiet:
        names = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
        print(f"{path} lacks {names}: these keep their values", file=sys.stderr)


def summarize_memory(shared: Mapping[str, SharedCell]) -> str:
    """Return params and states with type, count and bytes, a line each."""
    return memory_table(shared, _SHOWN).text()


def _show_footprint(footprint: Footprint) -> None:
    print(summarize_footprint(footprint), file=sys.stderr)
    if warning := footprint.warning():
        show([warning])


def summarize_footprint(cost: Footprint) -> str:
    """Return what a step costs, in one line."""
    kernels = f"{cost.kernels:,} kernel{'' if cost.kernels == 1 else 's'}"
    return (
        f"{cost.step}: {kernels}, {spell_flops(cost.flops)} for a batch of "
        f"{cost.batch:,}, arena {spell_bytes(cost.arena)}, "
        f"data {spell_bytes(cost.data)}"
    )


def spell_flops(count: int) -> str:
    """Return a number of operations for people: 18.9 Mflop."""
    power = min((len(str(count)) - 1) // 3, 5)
    return (
        f"{count / 1000**power:.1f} {'kMGTP'[power - 1]}flop"
        if power
        else (f"{count} flop")
    )


def summarize(history: History) -> str:
    """Return the result of a run and its speed, in two lines."""
    parts = []
    fraction = history.is_fraction
    if history.best_validation_error is not None:
        share_of = history.validation_examples if fraction else 0
        best = spell_error(history.best_validation_error, share_of)
        parts.append(f"validation {best}")
    if history.test_error is not None:
        share_of = history.test_examples if fraction else 0
        test = f"test {spell_error(history.test_error, share_of)}"
        if fraction:
            wrong = round(history.test_error * history.test_examples)
            test += f" ({wrong:,} of {history.test_examples:,})"
        parts.append(test)
    elif history.best_validation_error is None and history.epochs:
        cost = history.epochs[-1].train_cost
        parts += [] if cost is None else [f"train cost {spell_cost(cost)}"]
    count = len(history.epochs)
    ended = "stopped in" if history.stopped_early else "ended with"
    parts.append(f"{ended} epoch {count:,}")
    seconds = sum(record.seconds for record in history.epochs)
    speed = (
        f"{history.steps_per_second:,.0f} steps per second, "
        f"trained for {seconds:.2f} s, compiled in {history.compile_seconds:.2f} s"
    )
    return f"{', '.join(parts)}\n{speed}"
