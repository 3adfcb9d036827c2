"""`tensorc bench`: what a function takes, kernel by kernel."""

import sys
from pathlib import Path

import rich_click as click

from tensorc.api import program as programs
from tensorc.api.benching import bench as api
from tensorc.api.benching import comparing
from tensorc.api.benching.comparing import read_old
from tensorc.api.benching.measuring import SECONDS
from tensorc.cli.completion import paths
from tensorc.cli.options import (
    FileCommand,
    check_output,
    dim_option,
    float_option,
    init_option,
    optimize_option,
    path_option,
    settings_option,
    split_name,
    threads_option,
    time_option,
    write_output,
)
from tensorc.cli.start import restore


@click.command("bench", cls=FileCommand)
@click.argument("file", metavar="FILE.tc::NAME", shell_complete=paths)
@dim_option
@time_option("--seconds", default=SECONDS, help="How long to measure.")
@path_option(
    "--json", "json_path", metavar="FILE", help="Write all of it; - is stdout."
)
@path_option("--compare", metavar="OLD.json", help="Show what changed since --json.")
@path_option("--trace", metavar="FILE", help="Write one call as a Chrome trace.")
@init_option
@settings_option
@float_option
@optimize_option
@threads_option
def command(
    file: str,
    sizes: dict[str, int],
    seconds: float,
    json_path: str | None,
    compare: str | None,
    trace: str | None,
    init: str | None,
    settings: dict[str, str],
    default_float: str,
    optimize: int,
) -> None:
    """Measure a function or step of FILE.tc, kernel by kernel."""
    path, name = split_name(file)
    for output in (json_path, trace):
        check_output(output, path, init)
    old = None if compare is None else read_old(compare)  # before the work
    program = programs.load(path, settings, optimize, default_float)
    restore(program, init)
    found = api.bench_of_program(program, name, sizes, seconds)
    # What is read by a machine must not have a line for people in it.
    people = sys.stderr if json_path == "-" else sys.stdout
    print(found, end="", file=people, flush=True)
    if old is not None:
        print(f"\n{comparing.compare(found, old)}", end="", file=people)
    if json_path is not None:
        write_output(json_path, found.to_json() + "\n")
    if trace is not None:
        found.save_trace(Path(trace))
