"""What the pages show runs: Python, models, and what is printed of them."""

import pytest

from tests.snippets import PAGES, blocks, check_model, run_python

MODELS = [b for page in PAGES for b in blocks(page, "tc")]
LANGUAGES = {"", "python", "tc", "text", "mlir", "sh", "diff"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_python_runs(page, monkeypatch):
    run_python(page, monkeypatch)


@pytest.mark.parametrize("block", MODELS, ids=str)
def test_the_model_is_what_the_page_says(block, tmp_path, capfdbinary):
    check_model(block, tmp_path, capfdbinary)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_blocks_say_what_they_are(page):
    assert {b.language for b in blocks(page)} <= LANGUAGES
