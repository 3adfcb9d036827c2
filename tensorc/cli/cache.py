"""`tensorc cache`: what is kept of earlier compilations."""

import time
from contextlib import suppress

import rich_click as click

from tensorc import artifact_file, cache
from tensorc.frontend.dsl.programs import program_file

# How object code begins; entries of functions hold it behind a header of their own.
_OBJECT = (b"\x7fELF", b"\xcf\xfa\xed\xfe")
_UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


@click.group("cache", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Show or clear what is kept of earlier compilations."""


@command.command("path")
def path() -> None:
    """Print the directory of the cache; TENSORC_CACHE_DIR names another one."""
    folder = cache.directory()
    print("off" if folder is None else folder)


@command.command("ls")
def show_entries() -> None:
    """List the entries, the most recently used first: key, bytes, age, functions."""
    total = 0
    found = cache.entries()
    for entry in found:
        total += entry.size
        names = _functions(entry.key)
        age = _age(time.time() - entry.used)
        print(f"{entry.key[:12]}  {entry.size:>10,}  {age:>12}  {names}")
    plural = "entry" if len(found) == 1 else "entries"
    print(f"{len(found)} {plural}, {total:,} bytes")


@command.command("clear")
def clear() -> None:
    """Remove all entries."""
    count, size = cache.clear()
    plural = "entry" if count == 1 else "entries"
    print(f"removed {count} {plural}, {size:,} bytes")


def _functions(key: str) -> str:
    stored = cache.load(key, touch=False)
    if stored is None:
        return "(damaged)"
    if stored.startswith(_OBJECT):
        return "(the threads' code)"
    with suppress(ValueError):
        artifact = artifact_file.decode(stored)
        return ", ".join(f.name for f in artifact.functions)
    with suppress(ValueError):
        path, names = program_file.summary(stored)
        return f"{path}: {', '.join(names)}"
    return "(of another version of tensorc)"


def _age(seconds: float) -> str:
    for size, unit in _UNITS:
        count = int(seconds // size)
        if count > 1:
            return f"{count} {unit}"
    return "now"
