"""The tables of docs/functions.md, which follow from the rows of the registry.

TENSORC_UPDATE_GOLDEN=1 writes them.
"""

import inspect
import re
import textwrap
from collections.abc import Callable

import numpy as np
import pytest

import tensorc as tc
from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.options import REQUIRED, words
from tensorc.frontend.library.registry.numpy_names import PLANNED, is_planned
from tensorc.frontend.library.registry.rows import FUNCTIONS, GROUPS, PYTHON
from tensorc.frontend.python import symbolic_functions
from tensorc.frontend.python.numpy_compositions import COMPOSITIONS
from tensorc.frontend.python.numpy_functions import rows as numpy_rows
from tests.snippets import ROOT, UPDATE, tables, write_table

PAGE = ROOT / "docs" / "functions.md"
HEADINGS = {
    "elementwise": "Of elements",
    "reductions": "Reductions",
    "cumulative": "So far",
    "orders": "Order",
    "shapes": "Shapes",
    "making": "Making",
    "products": "Products",
    "matrices": "Matrices",
    "statistics": "Statistics",
    "images": "Images",
    "networks": "Networks",
}


def coded(text: str) -> str:
    """Return a text as code; a bar would end the cell."""
    return f"`{text}`".replace("|", r"\|") if text else ""


def call_of(row: LibraryFunction) -> str:
    defaults = {n: o.default for n, o in row.options.items()}
    defaults |= dict.fromkeys(row.optional)
    given = [
        n if defaults.get(n, REQUIRED) is REQUIRED else f"{n}={defaults[n]!r}"
        for n in row.arguments
    ]
    return f"{row.name}({', '.join(given)})"


def sign_of(row: LibraryFunction) -> str:
    """Return how a file writes an operator; it has none for bits."""
    return row.written if row.map and row.map.op else ""


def meaning(doc: str) -> str:
    return doc.splitlines()[0].replace("|", r"\|")


def rows_of(group: str) -> list[dict[str, str]]:
    """Return the lines of a group: what is there only to be refused has no door."""
    return [
        {
            "function": coded(call_of(row)),
            "in a file": coded(row.name if row.language else sign_of(row)),
            "`tc.`": coded(" ".join(row.names)),
            "`np.`": coded(" ".join(row.numpys)),
            "method": "yes" if row.method else "",
            "is": meaning(row.doc),
        }
        for row in GROUPS[group]
        if row.map is None or row.map.op or row.map.booleans
    ]


def pythons() -> list[dict[str, str]]:
    return [
        {
            "function of Python": coded(f"tc.{name}({plain(function)})"),
            "is": meaning(function.__doc__ or ""),
        }
        for name, function in sorted(symbolic_functions.OWN.items())
    ]


def plain(function: Callable) -> str:
    """Return parameters and defaults without types."""
    parameters = inspect.signature(function).parameters.values()
    return ", ".join(str(p.replace(annotation=p.empty)) for p in parameters)


def options() -> list[dict[str, str]]:
    """Return what each option is: those of one name and kind stand together."""
    rows: dict[tuple[str, str], list[str]] = {}
    for row in FUNCTIONS:
        name = f"tc.{row.names[0]}" if row.names else f"x.{row.name}"
        name = row.name if row.language else name
        for option, of in row.options.items():
            rows.setdefault((option, words(of, "none")), []).append(name)
        if row.dtype:
            rows.setdefault(("dtype", row.dtype), []).append(f"tc.{row.names[0]}")
    return [
        {"option": coded(option), "of": coded(" ".join(names)), "is": what}
        for (option, what), names in rows.items()
    ]


def aliases() -> list[dict[str, str]]:
    """Return which arguments have other words, too; those of one stand together."""
    rows: dict[tuple[str, str], list[str]] = {}
    for row in FUNCTIONS:
        for word, own in row.aliases.items():
            rows.setdefault((word, own), []).append(row.name)
    return [
        {"word": coded(word), "is": coded(own), "of": coded(" ".join(names))}
        for (word, own), names in rows.items()
    ]


@pytest.mark.parametrize(
    ("heading", "rows"),
    [
        *((heading, rows_of(group)) for group, heading in HEADINGS.items()),
        ("Read in Python's way", pythons()),
        ("Options", options()),
        ("Words of Theano and PyTorch", aliases()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_table_follows_from_the_rows(heading, rows):
    if UPDATE:
        write_table(PAGE, heading, rows)
    written = [
        {k: v.replace("|", r"\|") for k, v in r.items()} for r in tables(PAGE, heading)
    ]
    assert written == rows


def test_every_group_has_a_table():
    assert HEADINGS.keys() == GROUPS.keys()


def names_alone() -> str:
    names = {
        f"{str(f.__module__).removeprefix('numpy')}.{f.__name__}".lstrip(".")
        for f in COMPOSITIONS
    }
    return textwrap.fill(" ".join(sorted(names)), 98)


def test_what_is_numpys_alone_is_listed():
    text = PAGE.read_text("utf-8")
    pattern = r"(made of the others:).*?\n\n"
    whole = f"made of the others:\n`{names_alone()}`.\n\n"
    if UPDATE:
        PAGE.write_text(
            re.sub(pattern, lambda _: whole, text, flags=re.DOTALL), "utf-8"
        )
    assert whole in PAGE.read_text("utf-8")


# What the rows say is so.


@pytest.mark.parametrize("name", [*PYTHON, *symbolic_functions.OWN])
def test_a_function_of_python_is_there_with_a_docstring(name):
    assert getattr(tc, name).__doc__


def test_no_name_stands_for_two_functions():
    """Of a door; NumPy's functions are told apart by what they are."""
    for names in (
        [row.name for row in FUNCTIONS if row.language],
        [name for row in FUNCTIONS for name in row.names] + [*symbolic_functions.OWN],
        [name for row in FUNCTIONS for name in row.numpys],
        [row.written for row in FUNCTIONS if row.written],
    ):
        assert len(set(names)) == len(names)


def test_a_method_is_one_of_the_class_and_has_its_options():
    for row in FUNCTIONS:
        if not row.method:
            continue
        taken = inspect.signature(getattr(tc.Tensor, row.name)).parameters.values()
        if not any(p.kind is p.VAR_POSITIONAL for p in taken):
            assert set(row.options) <= {p.name for p in taken}, row.name


# NumPy takes the operands one by one, or has the weights behind an option.
SPREAD = (np.einsum, np.meshgrid, np.average)
# What is one of its keywords.
KEYWORDS = {np.pad: ("constant_values", "end_values", "stat_length")}


def test_the_parameters_of_numpy_are_its_own():
    """In NumPy's order, as far as it says which they are."""
    count = 0
    for function, row in numpy_rows().items():
        if isinstance(function, np.ufunc) or function in SPREAD:
            continue
        try:
            signature = inspect.signature(function)
        except ValueError:  # older ones do not say
            continue
        own = [
            n for n, p in signature.parameters.items() if p.kind is not p.VAR_KEYWORD
        ]
        stated = [p.partition("=")[0] for p in row.parameters]
        stated = [n for n in stated if n not in KEYWORDS.get(function, ())]
        assert own[: len(stated)] == stated, row.name
        count += 1
    assert count > 30


def test_what_joins_a_group_is_a_map_of_two_or_the_function_itself():
    for row in FUNCTIONS:
        if row.joined and row.joined != row.name:
            (joins,) = [r for r in FUNCTIONS if r.map and r.name == row.joined]
            assert len(joins.tensors) == 2


def test_no_name_is_here_and_planned_by_the_rows():
    here = {n for row in FUNCTIONS for n in (row.name, *row.names, *row.numpys)}
    planned = {n for n in here if is_planned(n)}
    assert not {n for n in planned if f"linalg.{n}" not in PLANNED}
