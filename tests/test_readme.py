"""What the README shows is true: its Python runs, its model compiles."""

import re
from pathlib import Path

import numpy as np
import pytest

from tensorc import api

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    (text,) = blocks("python")
    exec(compile(text, "README.md", "exec"), names)
    assert float(names["train"]()) == pytest.approx(67.99)  # type: ignore[operator]
    given = names["predict"](np.ones((2, 4)), np.ones((4, 3)))  # type: ignore[operator]
    np.testing.assert_allclose(given, np.full(2, 3 * np.tanh(4.0)), rtol=1e-12)


def test_the_model_of_the_readme_compiles(tmp_path: Path) -> None:
    (text,) = blocks("tc")
    path = tmp_path / "model.tc"
    path.write_text(text)
    assert api.check(str(path), {}) == []
    given = api.load(str(path)).functions["logits"](np.ones((3, 784), np.float32))
    assert np.asarray(given).shape == (3, 10)


def test_the_readmes_text_is_a_line_of_the_real_dump() -> None:
    (text,) = blocks("mlir")
    dump = api.emit(str(ROOT / "examples" / "logreg.tc"), "tensor", "train", {})
    assert isinstance(dump, str)
    assert text.strip() in dump
