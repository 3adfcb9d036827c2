"""What the pages promise is there: commands, options, variables, tables, names.

Options and variables are looked for both ways: none is shown that does not exist, none
exists that no page shows, and none is shown that no test gives to a command.
"""

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import click
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.api import checking
from tensorc.api.options import options
from tensorc.cli import main
from tensorc.ir.ops import BY_NAME
from tensorc.ir.schedules import PLACES, Schedule
from tensorc.recipes import READERS
from tests.snippets import PAGES, ROOT, tables

TESTS = ROOT / "tests"
CODE = re.compile(r"`([^`\n]+)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z](?![\w-])")
VARIABLE = re.compile(r"\bTENSORC_[A-Z_]+")
# Of other programs, or made up for an example.
FOREIGN = {"--write", "--signs", "--check", "--list"}
# Of the tests, and of what a shell asks.
OF_TESTS = {"TENSORC_MUTATIONS", "TENSORC_MUTATION_SEED", "TENSORC_UPDATE_GOLDEN"}
INTERNAL = {"TENSORC_COMPLETE"}


@cache
def text_of(path: Path) -> str:
    return path.read_text("utf-8")


@cache
def commands() -> dict[str, click.Command]:
    """Return every command by its words: train, cache ls, …"""
    found: dict[str, click.Command] = {}
    for verb in main.VERBS:
        command = importlib.import_module(f"tensorc.cli.{verb}").command
        found[verb] = command
        if isinstance(command, click.Group):
            found |= {f"{verb} {n}": c for n, c in command.commands.items()}
    return found


def flags_of(command: click.Command) -> set[str]:
    flags = {o for p in command.params for o in p.opts if o.startswith("--")}
    return flags | {"--help"}


def spelled_code(page: Path) -> Iterator[str]:
    """Yield the inline code of a page, and its indented lines."""
    text = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    yield from CODE.findall(text)
    yield from re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)


def shown_options() -> set[str]:
    shown = {o for p in PAGES for code in spelled_code(p) for o in OPTION.findall(code)}
    return shown - FOREIGN


@cache
def source_of_tests() -> str:
    """Return the tests that give words to commands: all but those of the pages."""
    files = [p for p in TESTS.rglob("*.py") if not p.name.startswith("test_docs")]
    files += [*TESTS.glob("golden/*"), ROOT / "docs" / "terminal.py"]
    return "\n".join(text_of(p) for p in files if p.suffix in (".py", ".mlir", ".tc"))


def test_every_command_is_shown_on_a_page():
    text = "\n".join(text_of(page) for page in PAGES)
    missing = [v for v in main.VERBS if not re.search(rf"tensorc {v}\b", text)]
    assert not missing


def test_every_option_of_the_pages_exists():
    known = {"--version"}
    for command in commands().values():
        known |= flags_of(command)
    known |= {f"--{name}" for name in compiler.PASSES}
    assert not sorted(shown_options() - known)


def test_a_command_of_a_table_has_its_options():
    rows = tables(ROOT / "docs" / "language.md", "Training, and what is kept of it")
    verb = ""
    for row in rows:
        for code in CODE.findall(row["command"]):
            named = re.search(r"tensorc ([a-z]+)", code)
            verb = named[1] if named else verb
            assert set(OPTION.findall(code)) <= flags_of(commands()[verb]), code


def test_every_option_is_given_by_a_test():
    """Shown or not: an option that nothing drives may do anything."""
    given = source_of_tests()
    every = {(n, o) for n, c in commands().items() for o in flags_of(c)}
    unused = {f"{n} {o}" for n, o in every if o not in given}
    assert not sorted(unused)


def test_every_command_is_run_by_a_test():
    given = source_of_tests()
    missing = []
    for name in commands():
        words = r'",\s*"'.join(name.split())
        if not re.search(rf'"{words}"', given) and f"tensorc {name} " not in given:
            missing.append(name)
    assert not missing


def test_every_variable_is_shown_and_read():
    shown = {v for p in PAGES for v in VARIABLE.findall(text_of(p))}
    read = {
        v
        for path in (ROOT / "tensorc").rglob("*.py")
        for v in re.findall(r"[\"'](?:_)?(TENSORC_[A-Z_]+)[\"']", text_of(path))
    }
    assert shown - OF_TESTS == read - INTERNAL
    rows = tables(ROOT / "docs" / "python.md", "Environment")
    stated = {VARIABLE.findall(row["variable"])[0] for row in rows}
    assert stated == read - INTERNAL
    for name in OF_TESTS:
        assert name in "".join(text_of(p) for p in TESTS.rglob("*.py"))


def test_every_public_name_is_on_the_page_of_python():
    text = text_of(ROOT / "docs" / "python.md") + text_of(ROOT / "docs" / "language.md")
    missing = [n for n in tc.__all__ if not re.search(rf"\b{n}\b", text)]
    assert not missing
    named = set(
        re.findall(r"`tc\.([a-z_A-Z]\w*)", text_of(ROOT / "docs" / "python.md"))
    )
    assert not [n for n in sorted(named) if n != "f" and not hasattr(tc, n)]


# Tables, row by row


@pytest.mark.parametrize(
    "row", tables(ROOT / "docs" / "architecture.md", "The way of a program")
)
def test_the_passes_of_a_level(row):
    ended = [p.name for p in compiler.CPU if p.writes.value == row["level"].lower()]
    assert CODE.findall(row["passes that end there"]) == list(dict.fromkeys(ended))


def test_the_words_of_a_schedule():
    text = text_of(ROOT / "docs" / "architecture.md")
    _, _, table = text.partition("| key | what it says |")
    keys = re.findall(r"^\| `(\w+)` \|", table.partition("\n\n")[0], re.MULTILINE)
    assert keys == [field.name for field in fields(Schedule)]


def test_the_places_of_results():
    text = text_of(ROOT / "docs" / "architecture.md")
    _, _, table = text.partition("| place | what it is |")
    places = re.findall(r"^\| `(\w+)` \|", table.partition("\n\n")[0], re.MULTILINE)
    assert places == list(PLACES)


@pytest.mark.parametrize("row", tables(ROOT / "docs" / "numerics.md", "Orders"))
def test_the_ops_of_an_order(row):
    named = [code for code in CODE.findall(row["op"]) if code.startswith("tc.")]
    assert named or row["order"] == "`fma`"
    if row["order"] == "ascending":  # of keys, whatever the order of the work
        assert not any("order" in BY_NAME[n].attribute_names for n in named)
        return
    for name in named:
        attributes, order = BY_NAME[name].attribute_names, CODE.findall(row["order"])[0]
        if order == "overlap":  # of windows; what is added may be sums in an order
            assert {"strides", "padding", "output"} <= {*attributes}, name
        else:
            assert ("order" in attributes) == (order != "sequential"), name


LANGUAGE = ROOT / "docs" / "language.md"
# The first cell of a row, and a program that has it.
FORMS = {
    "`hyper lr = 0.1, n = 500`": "hyper lr = 0.1, n = 500",
    "`param W: float[784, n] = 0`": "hyper n = 2\nparam W: float[784, n] = 0",
    "`param conv1.W: float[20, 1, 5, 5] = 0`": "param conv1.W: float[20, 1, 5, 5] = 0",
    "`state t: int = 0`": "state t: int = 0",
    "`r = 4 * sqrt(6 / n)`": "hyper n = 2\nr = 4 * sqrt(6 / n)",
    "`fn f(x: T, k = 2) -> T = e`": "fn f(x: float, k = 2) -> float = x * k",
    "`step f(x: T) -> T { … }`": "step f(x: float) -> float { return x }",
    '`assert n % 2 == 0, "…"`': 'hyper n = 2\nassert n % 2 == 0, "even"',
    "`fit [name] { … }`, `run [name] { … }`": "fn f() -> float = 1\n"
    "run a { call = f() }\nstep s(x: float[B, 3]) { }\n"
    'fit b { data = npz("d.npz")  batch = 1  step = s }',
    "`h = e`; `a, b = f(x)`": "fn g(x: float) = (x, x)\n"
    "fn f(x: float) -> float {\n    h = x\n    a, b = g(h)\n    return a * b\n}",
    "`h: float[B, n] = e`": "fn f(x: float[B, 2]) -> float[B, 2] {\n"
    "    h: float[B, 2] = 1\n    return h + x\n}",
    "`W <- e`; `a, b <- b, a`": "state a: float = 1\nstate b: float = 2\n"
    "step s() { a, b <- b, a }\nstep t() { a <- 2 }",
    "`if c { … } else { … }`": "hyper c = true\nfn f(x: float) -> float {\n"
    "    if c { return x } else { return -x }\n}",
    '`assert c, "…"`; `fn f(x) = e`': "fn f(x: float[N]) -> float {\n"
    '    assert N % 2 == 0, "two"\n    fn g(y) = y * 2\n    return sum(g(x))\n}',
    "`return a, b`": "fn f(x: float) -> (float, float) { return x, x }",
}


def test_every_form_of_the_language_has_a_program():
    lines = re.findall(r"^\| (.*?) \| .* \|$", text_of(LANGUAGE), re.MULTILINE)
    start = lines.index("declaration") + 1
    end = lines.index("compiles")
    rows = [line for line in lines[start:end] if line != "statement"]
    assert rows == list(FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_of_the_language_compiles(form, tmp_path):
    path = tmp_path / "m.tc"
    path.write_text(FORMS[form] + "\n")
    assert checking.check(str(path), {}) == []


def test_the_readers_of_files_are_told():
    names = {re.findall(r"`(\w+)\(", r["reader"])[0] for r in tables(LANGUAGE, "Data")}
    assert names == set(READERS)


def test_the_options_of_python_are_told():
    rows = tables(ROOT / "docs" / "python.md", "Options")
    stated = [CODE.findall(row["option"])[0] for row in rows]
    taken = [n for n in inspect.signature(options).parameters if n != "unknown"]
    assert stated == taken


def test_the_draws_of_a_generator_are_told():
    rows = tables(ROOT / "docs" / "python.md", "Random numbers")
    stated = {
        word
        for row in rows
        for code in CODE.findall(row["methods"])
        for word in re.sub(r"\(.*\)", "", code).split()
    }
    generator = type(tc.random.default_rng(0))
    assert stated == {n for n in vars(generator) if not n.startswith("_")}


# The first line of each table, and the test that goes through its rows.
ROWS = {
    "| op | is |": "test_docs_ops.py::test_the_page_is_what_the_code_says",
    "| level | ops |": "test_docs_promises.py::test_the_passes_of_a_level",
    "| declaration |": "test_docs_promises.py::test_a_form_of_the_language_compiles",
    "| statement |": "test_docs_promises.py::test_a_form_of_the_language_compiles",
    "| compiles |": "test_docs_language.py::test_what_is_parsed_only_says_so",
    "| written | is |": "test_docs_language.py::test_every_type_is_told",
    "| function | in a file ": "test_docs_functions.py::"
    "test_a_table_follows_from_the_rows",
    "| function of Python ": "test_docs_functions.py::"
    "test_a_table_follows_from_the_rows",
    "| option | of ": "test_docs_functions.py::test_a_table_follows_from_the_rows",
    "| word | is | of ": "test_docs_functions.py::test_a_table_follows_from_the_rows",
    "| draw in a function |": "test_docs_language.py::test_draws_in_functions",
    "| draw |": "test_docs_language.py::test_every_draw_is_told_with_its_defaults",
    "| field of `fit` |": "test_docs_language.py::test_the_table_of_a_recipe",
    "| option of `fit` |": "test_docs_language.py::test_the_table_of_how_a_run_is_kept",
    "| field of `run` |": "test_docs_language.py::test_the_table_of_a_recipe",
    "| code |": "test_docs_language.py::test_the_codes_are_those_of_the_messages",
    "| reader | gives |": "test_docs_promises.py::test_the_readers_of_files_are_told",
    "| draws |": "test_docs_promises.py::test_the_draws_of_a_generator_are_told",
    "| command |": "test_docs_promises.py::test_a_command_of_a_table_has_its_options",
    "| | bool |": "test_docs_numerics.py::test_promotions",
    "| operation |": "test_docs_numerics.py::test_types_of_operations",
    "| expression | of |": "test_docs_numerics.py::test_values_at_the_edges",
    "| key | what ": "test_docs_promises.py::test_the_words_of_a_schedule",
    "| place | what ": "test_docs_promises.py::test_the_places_of_results",
    "| order |": "test_docs_promises.py::test_the_ops_of_an_order",
    "| function | largest ": "test_docs_numerics.py::"
    "test_every_function_of_the_library_has_a_bound_of_at_most_one_ulp",
    "| composed |": "test_docs_numerics.py::test_what_is_composed_is_within_its_bound",
    "| written | computed |": "passes/test_stabilize.py::test_only_an_exact_one_makes",
    "| expression | x |": "test_docs_numerics.py::test_derivatives_at_edges",
    "| function | x |": "test_docs_numerics.py::test_second_derivatives_at_edges",
    "| reader | reads |": "doors/test_python_page.py::"
    "test_the_readers_of_data_are_all_there",
    "| option | in ": "test_docs_promises.py::test_the_options_of_python_are_told",
    "| variable |": "test_docs_promises.py::test_every_variable_is_shown_and_read",
    "| file | what it ": "test_docs_security.py::test_a_recipe_writes_nothing",
    "| promise |": "test_docs_security.py::"
    "test_each_promise_names_tests_that_are_there",
    "| what | limit ": "test_docs_security.py::test_the_limits_are_those_of_the_code",
}


def test_every_table_has_a_test_of_its_rows():
    pages = [p for p in PAGES if p.name != "README.md"]
    found = [
        line
        for page in pages
        for line in re.findall(r"^(\|.*)\n\|[-|: ]+$", text_of(page), re.MULTILINE)
    ]
    assert len(found) > 25
    for line in found:
        assert [start for start in ROWS if line.startswith(start)], line
    for start, place in ROWS.items():
        assert [line for line in found if line.startswith(start)], start
        file, name = place.split("::")
        assert f"\ndef {name}" in text_of(TESTS / file), place
