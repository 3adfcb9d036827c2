"""`tensorc eval`: validate and test what the `fit`s of a file describe."""

import json
import math

import rich_click as click

from tensorc.api import program as api
from tensorc.cli.completion import paths
from tensorc.cli.options import (
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
    write_output,
)
from tensorc.cli.progress import spell_error
from tensorc.cli.start import restore, warn_untrained
from tensorc.cli.terminal import show
from tensorc.errors import Diagnostic, TensorcError
from tensorc.runtime.training.evaluation import Evaluation, evaluate
from tensorc.runtime.training.history import rows_left_out


@click.command("eval", cls=FileCommand)
@click.argument("file", metavar="FILE.tc", shell_complete=paths)
@settings_option
@float_option
@init_option
@path_option("--json", "json_path", metavar="FILE", help="Write it; - is stdout.")
@optimize_option
@threads_option
@check_nan_option
def command(
    file: str,
    settings: dict[str, str],
    default_float: str,
    init: str | None,
    json_path: str | None,
    optimize: int,
) -> None:
    """Print the validation and test errors of FILE.tc with the params of --init."""
    existing_file(file)
    check_output(json_path, file, init)
    program = api.load(file, settings, optimize, default_float)
    if not program.fits:
        message = f"{file}: there is no 'fit' to evaluate"
        raise TensorcError(Diagnostic("TC0903", message))
    restore(program, init)
    used = [n for r in program.fits for n in (r.validate, r.test) if n]
    known = [program.functions[n] for n in used if n in program.functions]
    warn_untrained(program, known, init)
    documents = []
    for recipe in program.fits:
        found = evaluate(program.functions, recipe)
        parts = [(e.part, e.rows - e.examples, e.rows) for e in found]
        if warning := rows_left_out(parts, recipe.batch):
            show([warning])
        documents.append({e.part: _document(e) for e in found})
        name = f"{recipe.name}: " if recipe.name and len(program.fits) > 1 else ""
        if json_path != "-":
            for evaluation in found:
                print(name + spell(evaluation), flush=True)
    if json_path is not None:
        document = documents[0] if len(documents) == 1 else documents
        write_output(json_path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def spell(evaluation: Evaluation) -> str:
    """Return an evaluation in one line: validation 7.5 % (720 of 9,600)."""
    error = spell_error(evaluation.error, evaluation.share_of)
    if not evaluation.share_of:
        return f"{evaluation.part} {error} (of {evaluation.examples:,})"
    wrong = round(evaluation.error * evaluation.share_of)
    return f"{evaluation.part} {error} ({wrong:,} of {evaluation.share_of:,})"


def _document(evaluation: Evaluation) -> dict[str, object]:
    error = evaluation.error if math.isfinite(evaluation.error) else None
    return {
        "function": evaluation.function,
        "error": error,
        "examples": evaluation.examples,
    }
