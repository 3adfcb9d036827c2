"""The tables of docs/language.md: types, draws, recipes, codes.

TENSORC_UPDATE_GOLDEN=1 writes the table of codes anew.
"""

import re

import pytest

from tensorc.cli import explain
from tensorc.frontend.dsl.irgen.draws import DISTRIBUTIONS
from tensorc.frontend.dsl.irgen.errors import NOT_COMPILED
from tensorc.frontend.dsl.syntax.parser import parse
from tensorc.frontend.library.random.distributions import (
    DISTRIBUTIONS as OF_FUNCTIONS,
)
from tensorc.frontend.library.registry.numpy_names import PLANNED
from tensorc.ir.types import ELEMENTS
from tensorc.recipes import OPTIONS, required
from tests.frontend.irgen_helpers import diagnostics, program
from tests.snippets import ROOT, UPDATE, tables, write_table

PAGE = ROOT / "docs" / "language.md"


def codes() -> list[dict[str, str]]:
    known = explain.codes().items()
    return [{"code": code, "meaning": entry["title"]} for code, entry in known]


def test_the_codes_are_those_of_the_messages():
    if UPDATE:
        write_table(PAGE, "Errors", codes())
    assert tables(PAGE, "Errors") == codes()


def test_every_type_is_told():
    text = " ".join(row["written"] for row in tables(PAGE, "Types"))
    words = set(re.findall(r"`(\w+)`", text))
    exact = {n.replace("ui", "u") for n in ELEMENTS} - {"i1", "index"}
    assert words == exact | {"float", "int", "bool"}
    for word in words:
        assert program(f"fn f(x: {word}) = x").emit()


def test_every_draw_is_told_with_its_defaults():
    given = {}
    for row in tables(PAGE, "Draws"):
        if "draw" not in row:
            continue
        name, arguments = re.fullmatch(r"`~ (\w+)\((.*)\)`", row["draw"]).groups()
        pairs = [a.split("=") for a in arguments.split(", ")]
        given[name] = {n: float(v) for n, v in pairs}
    assert given == {
        name: {**d.arguments, "seed": 0.0} for name, d in DISTRIBUTIONS.items()
    }


def test_draws_in_functions():
    given = {}
    for row in tables(PAGE, "Draws"):
        if "draw" in row:
            continue
        name, arguments = re.fullmatch(
            r"`~ (\w+)\((.*)\)`", row["draw in a function"]
        ).groups()
        pairs = [a.partition("=") for a in arguments.split(", ")]
        given[name] = {n: float(v) if v else None for n, _, v in pairs}
    assert given == {n: dict(d.arguments) for n, d in OF_FUNCTIONS.items()}


@pytest.mark.parametrize("kind", ["fit", "run"])
def test_the_table_of_a_recipe(kind):
    rows = [
        {f"field of `{kind}`": f"`{o.name}`", "is": o.doc, "without it": o.without}
        for o in OPTIONS[kind].values()
    ]
    field = f"field of `{kind}`"
    assert [row for row in tables(PAGE, "Recipes") if field in row] == rows
    needed = [o.name for o in OPTIONS[kind].values() if o.without == "required"]
    assert needed == required(kind)


def test_the_table_of_how_a_run_is_kept():
    rows = [
        {"option of `fit`": f"`{o.name}`", "is": o.doc, "without it": o.without}
        for o in OPTIONS["keep"].values()
    ]
    page = PAGE.with_name("python.md")
    found = [row for row in tables(page, "Training") if "option of `fit`" in row]
    assert found == rows


NOT_YET_COMPILED = {
    "~ orthogonal": "param W: float[3, 3] ~ orthogonal()",
    "use": "use nn: Dense",
    "module": "module M(n) { param W: float[n] = 0 }  m = M(3)",
    "x[i] = v": "fn f(x: float[3]) -> float[3] { x[0] = 1  return x }",
    "until": "fn f(x: float[3]) { for a in x until a > 1 { b = a }  return x }",
    "while": "fn f(x: float) -> float { while x < 1 { x = x + 1 }  return x }",
    "stack((x, y))": "fn f(x: float) -> float[2] = [x, -x]",
}


# What stands for a function of NumPy, as its help says it: a program with that.
INSTEAD = {
    "nanargmax": ("x: f32[N]", "argmax(where(isnan(x), -inf, x))"),
}


@pytest.mark.parametrize("name", INSTEAD)
def test_the_help_of_a_function_that_is_not_there_compiles(name):
    formals, formula = INSTEAD[name]
    (found,) = diagnostics(f"fn f({formals}) = {name}(x)\n")
    assert found.code == NOT_COMPILED
    assert [h.partition(" for ")[0] for h in found.hints] == [f"write {formula}"]
    assert not diagnostics(f"fn f({formals}) = {formula}\n")


def test_help_is_written_in_the_words_of_the_language():
    for name in PLANNED:
        (found,) = diagnostics(f"fn f(x: float[N]) = {name.rpartition('.')[2]}(x)\n")
        assert not any("np." in h or "None" in h for h in found.hints), name


@pytest.mark.parametrize("construct", NOT_YET_COMPILED)
def test_what_is_parsed_only_says_so(construct):
    text = NOT_YET_COMPILED[construct]
    assert parse(text + "\n", "a.tc").items
    assert [d.code for d in diagnostics(text + "\n")][:1] == [NOT_COMPILED]
    rows = tables(PAGE, "What compiles today")
    assert any(construct in row["parsed only"] for row in rows)


def test_rules_mark_what_is_parsed_only():
    cells = " ".join(row["parsed only"] for row in tables(PAGE, "What compiles today"))
    words = {*re.findall(r"[a-z_]{3,}", " ".join(re.findall(r"`([^`]+)`", cells)))}
    # Of these the cells say which use is not compiled; a group has no word in rules.
    words -= {"stack", "where"}
    assert words >= {"module", "use", "until", "while", "bytes", "orthogonal"}
    text = PAGE.read_text("utf-8").partition("\n## Semantics\n")[2]
    rules = re.findall(r"^\d+\. .*$", text.partition("\n## ")[0], re.MULTILINE)
    assert len(rules) == 30
    for rule in rules:
        spelled = " ".join(re.findall(r"`([^`]+)`", rule))
        if words & {*re.findall(r"\w+", spelled)}:
            assert "†" in rule, rule
