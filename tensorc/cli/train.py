"""`tensorc train`: run the `fit`s of a file."""

import sys
from dataclasses import replace

import rich_click as click

from tensorc import api
from tensorc.cli.options import (
    check_output,
    existing_file,
    optimize_option,
    settings_option,
    write_output,
)
from tensorc.cli.progress import reporter, spell_error
from tensorc.errors import Diagnostic, TensorcError
from tensorc.runtime.history import History
from tensorc.runtime.training import train


@click.command("train")
@click.argument("file", metavar="FILE.tc")
@settings_option
@click.option("--init", metavar="FILE", help="Start with the arrays of a .npz file.")
@click.option("--json", "json_path", metavar="FILE", help="Write the run; - is stdout.")
@click.option("--quiet", is_flag=True, help="Show no progress, only the summary.")
@optimize_option
def command(
    file: str,
    settings: dict[str, str],
    init: str | None,
    json_path: str | None,
    quiet: bool,
    optimize: int,
) -> None:
    """Train what the `fit`s of FILE.tc describe, in order."""
    existing_file(file)
    check_output(json_path)
    program = api.load(file, settings, optimize)
    if not program.fits:
        message = f"{file}: there is no 'fit' to train"
        raise TensorcError(Diagnostic("TC0903", message))
    if init is not None:
        program.restore(init)
    histories = []
    for recipe in program.fits:
        with reporter(recipe.epochs, quiet) as heard:
            history = train(
                program.functions,
                recipe,
                on_epoch=heard.on_epoch,
                on_progress=heard.on_progress,
            )
        # Only now: functions may be compiled when they are first used.
        history = replace(history, compile_seconds=program.compile_seconds)
        histories.append(history)
        name = f"{recipe.name}: " if recipe.name and len(program.fits) > 1 else ""
        # What is read by a machine must not have a line for people in it.
        summary = sys.stderr if json_path == "-" else sys.stdout
        print(name + summarize(history), file=summary, flush=True)
    if json_path is not None:
        documents = [history.to_json() for history in histories]
        text = documents[0] if len(documents) == 1 else f"[{', '.join(documents)}]"
        write_output(json_path, text + "\n")


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
        parts += [] if cost is None else [f"train cost {cost:.6f}"]
    count = len(history.epochs)
    ended = "stopped in" if history.stopped_early else "ended with"
    parts.append(f"{ended} epoch {count:,}")
    seconds = sum(record.seconds for record in history.epochs)
    speed = (
        f"{history.steps_per_second:,.0f} steps per second, "
        f"trained for {seconds:.2f} s, compiled in {history.compile_seconds:.2f} s"
    )
    return f"{', '.join(parts)}\n{speed}"
