"""Modules and files that docstrings, comments and pages name are there."""

import re
from pathlib import Path

import pytest

from tests.house import PACKAGE, ROOT

ROOMS = {p.stem for p in PACKAGE.iterdir() if p.is_dir() or p.suffix == ".py"}
PAGES = [*ROOT.glob("docs/*.md"), ROOT / "CONTRIBUTING.md", ROOT / "README.md"]


def named(text: str) -> list[str]:
    """Return the names in backticks that begin with the package or a room of it."""
    found = re.findall(r"`((?:\w+[./])+\w+)`", text)
    return [n for n in found if re.split("[./]", n)[0] in {*ROOMS, "tensorc"}]


def is_there(name: str) -> bool:
    """Tell names of modules, of files, and of what a module has."""
    parts = re.split("[./]", re.sub("^tensorc[./]", "", name))
    if parts[-1] == "py":
        return PACKAGE.joinpath(*parts[:-1]).with_suffix(".py").exists()
    at = PACKAGE
    for i, part in enumerate(parts):
        if (at / part).is_dir():
            at /= part
        elif (at / f"{part}.py").exists():
            return _has(at / f"{part}.py", parts[i + 1 :])
        else:
            return _has(at / "__init__.py", parts[i:])
    return True


def _has(path: Path, names: list[str]) -> bool:
    text = path.read_text("utf-8")
    return not names or re.search(rf"\b{names[0]}\b", text) is not None


def test_what_is_named_is_there():
    names = [
        (path.relative_to(ROOT), name)
        for path in [*sorted(PACKAGE.rglob("*.py")), *PAGES]
        for name in named(path.read_text("utf-8"))
    ]
    assert len(names) > 50
    assert not [each for each in names if not is_there(each[1])]


@pytest.mark.parametrize(
    "name",
    [
        "passes.base.run_pass",
        "frontend/facts.py",
        "passes.cost",
        "api.jit.no_such_name",
    ],
)
def test_a_stale_name_is_found(name):
    assert named(f"see `{name}`, say") == [name]
    assert not is_there(name)
