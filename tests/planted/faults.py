"""Read faults, and plant them into a copy of the sources."""

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Change:
    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Fault:
    name: str
    says: str
    changes: tuple[Change, ...]


def read_fault(path: Path) -> Fault:
    """Read a file; ValueError if it has not the form of `tests.planted`."""
    head, *sections = path.read_text().split("\n=== ")
    if not head.strip() or not sections:
        raise ValueError(f"{path.name}: a text and at least one change")
    return Fault(path.stem, " ".join(head.split()), tuple(map(_change, sections)))


def _change(section: str) -> Change:
    name, *lines = section.splitlines()
    sides = {"-": "", "+": ""}
    for line in lines:
        if line:
            if line[0] not in sides:
                raise ValueError(f"{name}: a line begins with - or +: {line}")
            sides[line[0]] += line[1:] + "\n"
    return Change(name.strip(), sides["-"], sides["+"])


def all_faults() -> list[Fault]:
    return [read_fault(path) for path in sorted(FOLDER.glob("*.fault"))]


def changed(text: str, change: Change) -> str:
    """Return a source with a change; ValueError if it does not fit exactly once."""
    begins = [0, *(i + 1 for i, letter in enumerate(text) if letter == "\n")]
    found = [i for i in begins if change.old and text.startswith(change.old, i)]
    if len(found) != 1:
        times = f"has these lines {len(found)} times"
        raise ValueError(f"{change.path} {times}:\n{change.old}")
    return text[: found[0]] + change.new + text[found[0] + len(change.old) :]


def plant(fault: Fault | None, folder: Path) -> None:
    """Copy the sources to a folder, with a fault or as they are."""
    skip = shutil.ignore_patterns("__pycache__", "*.fault")
    for name in ("tensorc", "tests/planted"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    shutil.copy(ROOT / "tests/__init__.py", folder / "tests")
    for change in () if fault is None else fault.changes:
        path = folder / change.path
        path.write_text(changed(path.read_text(), change))
