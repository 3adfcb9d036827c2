"""What the README shows is true: its Python runs, its model compiles."""

import re
from pathlib import Path

import numpy as np
import pytest

from tensorc.api import program as api
from tensorc.api import stages
from tests.snippets import PAGES, ROOT, blocks, run_python, tables

README = ROOT / "README.md"


def test_the_python_of_the_readme_gives_what_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = run_python(README, monkeypatch)
    assert float(names["train"]()) == pytest.approx(67.99)  # type: ignore[operator]
    given = names["predict"](np.ones((2, 4)), np.ones((4, 3)))  # type: ignore[operator]
    np.testing.assert_allclose(given, np.full(2, 3 * np.tanh(4.0)), rtol=1e-12)


def test_the_model_of_the_readme_runs(tmp_path: Path) -> None:
    (block,) = blocks(README, "tc")
    path = tmp_path / "model.tc"
    path.write_text(block.text)
    given = api.load(str(path)).functions["logits"](np.ones((3, 784), np.float32))
    assert np.asarray(given).shape == (3, 10)


def test_the_readmes_text_is_a_line_of_the_real_dump() -> None:
    (block,) = blocks(README, "mlir")
    dump = stages.emit(str(ROOT / "examples" / "logreg.tc"), "tensor", "train", {})
    assert isinstance(dump, str)
    assert block.text.strip() in dump


def test_the_measured_rows_name_their_scripts() -> None:
    rows = tables(README, "How fast")
    assert len(rows) > 5
    stated = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    for row in rows:
        script = row["measured by"].strip("`")
        assert (ROOT / "benchmarks" / script).is_file(), script
        assert f"python benchmarks/{script}" in stated


def test_the_links_of_the_pages_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
