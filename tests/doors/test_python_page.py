"""What docs/python.md shows is true: its programs run, its readers are there."""

import re

import tensorc as tc
from tensorc.runtime.training.data import READERS
from tests.snippets import ROOT, run_python, tables

PATH = ROOT / "docs" / "python.md"
PAGE = PATH.read_text()


def test_the_programs_give_what_they_say(monkeypatch):
    names = run_python(PATH, monkeypatch)
    assert "train" in names
    assert names["slopes"]["W"].shape == (4, 2)  # type: ignore[index]
    assert names["product"].tolist() == [1.0, 0.0]  # type: ignore[attr-defined]
    train = names["train"]
    assert f"flops  # {train.cost(x0=600).flops:,}\n" in PAGE  # type: ignore[attr-defined]
    assert f"the formula '{train.cost().flops}'" in PAGE  # type: ignore[attr-defined]


def test_the_readers_of_data_are_all_there(monkeypatch):
    names = [
        re.findall(r"`(\w+)\(", row["reader"])[0] for row in tables(PATH, "Data sets")
    ]
    assert set(names) == {*READERS, "arrays"}
    for name in names:
        assert getattr(tc.data, name).__doc__, name
    found = run_python(PATH, monkeypatch)
    flowers, parts, digits = found["flowers"], found["parts"], found["digits"]
    assert flowers.train.columns["x"].shape == (50, 3)  # type: ignore[attr-defined]
    assert flowers.valid is None  # type: ignore[attr-defined]
    assert (len(parts.train), len(parts.valid)) == (40, 10)  # type: ignore[attr-defined]
    assert len(digits.test.columns["x"][0]) == 784  # type: ignore[attr-defined]
