"""Schedules: each kernel has one, its text says it, and what lies is refused."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.api import stages
from tensorc.cli import main
from tensorc.errors import CompileError, VerifyError
from tensorc.frontend.dsl.irgen.generator import generate
from tensorc.frontend.dsl.syntax import parser
from tensorc.ir.dims import maximum, symbol
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.schedules import (
    PLACES,
    STAGE,
    Schedule,
    places_of,
    schedule_of,
    stage_of,
)
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.ir.verifier import verify
from tensorc.passes.analysis.generics import is_contraction
from tensorc.passes.schedule import products
from tests.stages import TARGET

ROOT = Path(__file__).parents[2]
FILES = [
    *sorted((ROOT / "examples").glob("*.tc")),
    *sorted((ROOT / "benchmarks" / "programs").glob("*.tc")),
]


def structured(path: Path) -> str:
    text = stages.emit(str(path), "structured", None, {})
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_group_says_its_schedule_and_parses_back(path: Path) -> None:
    text = structured(path)
    module = parse_module(text)
    assert isinstance(module, Module)
    verify(module)
    assert print_module(module) == text
    groups = [op for op in module.walk() if isinstance(op, KernelGroup)]
    assert text.count('"tc.group"') == len(groups) > 0
    for group in groups:
        chosen = schedule_of(group)
        assert chosen is not None
        members = [o for o in group.body.block.ops if isinstance(o, Generic)]
        assert group.outer > 0 or chosen.rows is None
        # What goes along all of memory is cut by elements, not by rows.
        reduced = any(member.reductions for member in members)
        assert chosen.rows is not None or group.outer == 0 or not reduced
        numbers = [stage_of(member) for member in members]
        assert numbers == sorted(numbers)
        assert set(numbers) == set(range(numbers[-1] + 1))
        for member in members:
            assert STAGE in member.attributes
            assert len(places_of(member)) == len(member.results)
            product = schedule_of(member)
            assert is_contraction(member) == (product is not None)
            assert product is None or product.tile is not None


def test_explain_says_the_schedule_of_each_kernel(capsys) -> None:
    path = ROOT / "examples" / "mlp.tc"
    assert main.run(["explain", f"{path}::train"]) == 0
    for kernel in capsys.readouterr().out.split("\n\n")[1:-1]:
        (line,) = re.findall(r"^  schedule (.*)$", kernel, re.MULTILINE)
        number = r"[^ ]+(((?<=,)| //| [+*/-]) [^ ]+)*"
        part = rf"{number} (rows|columns|elements|results|terms)"
        assert re.fullmatch(rf"one chunk|chunks of {part}( x {part})*", line), line


def _chunks_of_product(m: int, k: int, n: int) -> tuple[int, int]:
    x, y = tc.tensor("x", "float32", (m, k)), tc.tensor("y", "float32", (k, n))
    text = tc.function([x, y], x @ y).emit("structured")
    (found,) = re.findall(
        r"columns = #tc.dims<\[(\d+)\]>, rows = #tc.dims<\[(\d+)\]>", text
    )
    columns, rows = map(int, found)
    return rows, columns


@pytest.mark.parametrize(
    ("m", "k", "n"), [(1024, 1024, 1024), (512, 512, 512), (600, 784, 500)]
)
def test_chunks_of_large_products_are_tall(m: int, k: int, n: int) -> None:
    """They copy the right side seldom, are about equal, and some for each thread."""
    rows, columns = _chunks_of_product(m, k, n)
    chunks = -(-m // rows)
    assert chunks == -(-m // products.MATRIX_ROWS)
    assert rows * chunks - m < chunks * max(products.TILE_ROWS)
    assert chunks * -(-n // columns) >= products.FEW_CHUNKS


@pytest.mark.parametrize("m", [20, 128, 384])
def test_few_rows_of_a_product_are_one_chunk(m: int) -> None:
    """Threads share its columns: no strip of the right side is copied twice."""
    rows, columns = _chunks_of_product(m, 784, 500)
    assert m <= rows < m + max(products.TILE_ROWS)
    assert columns <= 48


@pytest.mark.parametrize(("k", "n"), [(127, 500), (784, 255)])
def test_products_that_copy_nothing_have_low_chunks(k: int, n: int) -> None:
    rows, columns = _chunks_of_product(9999, k, n)
    assert rows == products.CHUNK_ROWS
    assert 96 < columns <= products.CHUNK_COLUMNS


def test_a_schedule_comes_back_from_its_attribute() -> None:
    (group,) = [o for o in _smallest().walk() if isinstance(o, KernelGroup)]
    n = symbol("N")
    for chosen in (
        Schedule(),
        Schedule(rows=48, columns=128),
        Schedule(rows=maximum(1, n), block=3 + n, columns=maximum(1, n) * 64),
        Schedule(tile=(6, 16), panel=16, along="rows", split=1024, kept=7),
    ):
        group.attributes["tc.schedule"] = chosen.attribute()
        assert schedule_of(group) == chosen


def _smallest() -> Module:
    source = "fn f(x: float[3]) -> float[3] = -x"
    module = generate(parser.parse(source, "a.tc"), {}).emit()
    return compiler.compile(module, TARGET, upto="structured").module


WRONG = [
    ("tc.schedule = {}", "tc.schedule = 3 : i64", "dictionary"),
    ("rows = #tc.dims<[48]>", "rows = #tc.dims<[0]>", "'rows' in no known form"),
    ("rows = #tc.dims<[48]>", 'rows = #tc.dims<["B"]>', "'rows' in no known form"),
    ("rows = #tc.dims<[48]>", "rows = #tc.dims<[4, 8]>", "'rows' in no known form"),
    ("rows = #tc.dims<[48]>", "row = #tc.dims<[48]>", "'row' in no known form"),
    *[
        ("rows = #tc.dims<[48]>", f"split = {n} : i64", "a split is of 1024 x 2")
        for n in (1, 1000, 1536, 3072)
    ],
    ("rows = #tc.dims<[48]>", "split = 0 : i64", "'split' in no known form"),
    ("rows = #tc.dims<[48]>", "scratch = #tc.dims<[48]>", "'scratch' in no known"),
    ("panel = 16 : i64", "panel = 8 : i64", "as wide as the tile"),
    ("panel = 16 : i64", "panel = true", "'panel' in no known form"),
    ("tile = array<i64: 12, 16>", "tile = array<i64: 12>", "'tile' in no known"),
    ("tile = array<i64: 12, 16>", "tile = array<i64: 99, 16>", "'tile' in no known"),
    ('tc.place = ["memory"]', 'tc.place = ["disk"]', "a list of register, row"),
    ('tc.place = ["memory"]', 'tc.place = ["memory", "row"]', "2 places for 1"),
    ("tc.stage = 1 : i64", "tc.stage = -1 : i64", "a number from 0"),
]


@pytest.mark.parametrize(("old", "new", "words"), WRONG)
def test_what_no_schedule_says_is_refused(old: str, new: str, words: str) -> None:
    module = stages.module_of(str(ROOT / "examples" / "logreg.tc"), "train", {})
    wide = compiler.Target("cpu", vector_bits=512)
    text = compiler.compile(module, wide, upto="structured").text()
    assert old in text
    with pytest.raises(VerifyError, match=words):
        verify(parse_module(text.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("level", "attribute", "words"),
    [
        ("structured", "tc.schedule", "has a schedule before it gets memory"),
        ("buffer", "tc.schedule", r"'tc\.(schedule|place)'"),
        ("buffer", "tc.place", "memory that no other member writes"),
    ],
)
def test_a_kernel_without_a_schedule_is_refused(level, attribute, words) -> None:
    module = stages.module_of(str(ROOT / "examples" / "logreg.tc"), "train", {})
    module = compiler.compile(module, TARGET, upto=level).module
    for op in module.walk():
        op.attributes.pop(attribute, None)
    with pytest.raises((CompileError, VerifyError), match=words):
        compiler.compile(module, TARGET, upto="loop")


def test_the_page_has_every_word_of_a_schedule():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    section = text[text.index("**The words of a schedule.**") :]
    words = re.findall(r"^\| `(\w+)` \|", section.partition("\n**")[0], re.MULTILINE)
    assert words == [*(f.name for f in fields(Schedule)), *PLACES]
