"""`tensorc bench`: a row for each kernel, files for machines, sizes that lack."""

import json
import math
from pathlib import Path

import pytest

from tensorc.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples"
LOGREG = str(EXAMPLES / "logreg.tc")
SHORT = ("--seconds", "0.02")


def test_a_step_is_measured_kernel_by_kernel(capsys):
    assert main.run(["bench", f"{LOGREG}::train", "--dim", "B=60", *SHORT]) == 0
    printed = capsys.readouterr().out
    head, limits, kernels, lines = printed.split("\n\n")
    assert head.startswith("train, B=60: ")
    assert "GFLOP/s f32" in limits
    rows = [row.split() for row in kernels.splitlines()[2:]]
    assert [row[0] for row in rows[:-1]] == [str(i) for i in range(6)]
    assert kernels.endswith("between kernels")
    assert f"{LOGREG}:8, 11" in kernels
    assert f"{LOGREG}:8" in lines


def test_files_hold_what_is_printed(tmp_path, capsys):
    result, trace = tmp_path / "a.json", tmp_path / "trace.json"
    words = ["bench", f"{LOGREG}::train", "--dim", "B=60", *SHORT]
    assert main.run([*words, "--json", str(result), "--trace", str(trace)]) == 0
    capsys.readouterr()
    found = json.loads(result.read_text())
    assert found["sizes"] == {"B": 60}
    kernels = found["kernels"]
    (product,) = [k for k in kernels if k["number"] == "2"]
    assert product["flops"] == 15776 * 60  # as `tensorc explain` counts
    assert product["bytes"] == 3188 * 60 + 31404
    total = sum(k["seconds"] for k in kernels) + found["between"]
    assert total == pytest.approx(found["seconds"], rel=0.5)
    events = json.loads(trace.read_text())["traceEvents"]
    assert len(events) >= len(kernels)
    assert {e["args"]["kernel"] for e in events} == {k["number"] for k in kernels}
    ends = [e["ts"] + e["dur"] for e in events]
    assert all(e["ts"] >= end - 1e-6 for e, end in zip(events[1:], ends, strict=False))


def test_json_alone_on_stdout(capsys):
    words = ["bench", f"{LOGREG}::loss", "--dim", "B=6", *SHORT, "--json", "-"]
    assert main.run(words) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "loss"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "to measure 'train' each size needs a number: B has none"),
        ((), "give sizes: --dim B=1024"),
        (("--dim", "C=6"), "no argument has a size 'C'"),
    ],
)
def test_sizes_that_do_not_fit(words, said, capsys):
    assert main.run(["bench", f"{LOGREG}::train", *words]) == main.USER_ERROR
    assert said in capsys.readouterr().err


def test_a_name_is_needed(capsys):
    assert main.run(["bench", LOGREG]) == main.USER_ERROR
    said = capsys.readouterr().err
    assert "say which function or step: FILE.tc::NAME" in said
    assert "there are logits, loss, error, train" in said


def test_what_changed_since(tmp_path, capsys):
    old = tmp_path / "old.json"
    words = ["bench", f"{LOGREG}::loss", "--dim", "B=6", *SHORT]
    assert main.run([*words, "--json", str(old)]) == 0
    document = json.loads(old.read_text())
    document["seconds"] = 1000.0
    document["kernels"][0]["seconds"] = 100.0
    document["kernels"].append({**document["kernels"][0], "source": "elsewhere.tc:1"})
    old.write_text(json.dumps(document))
    capsys.readouterr()
    assert main.run([*words, "--compare", str(old)]) == 0
    *rows, gone, total = capsys.readouterr().out.split("\n\n")[-1].splitlines()[2:]
    assert "100 s" in rows[0]
    assert gone.split()[:3] == ["gone", "100", "s"]
    assert "elsewhere.tc:1" in gone
    assert total.split()[0] == "call"
    assert "1,000 s   0.00" in total


def test_another_function_or_size_is_named(tmp_path, capsys):
    old = tmp_path / "old.json"
    words = ["bench", f"{LOGREG}::loss", *SHORT, "--dim"]
    assert main.run([*words, "B=6", "--json", str(old)]) == 0
    assert main.run([*words, "B=7", "--compare", str(old)]) == 0
    title = f"loss, B=7, beside {old}, which measured loss, B=6\n"
    assert title in capsys.readouterr().out


def test_a_copy_of_a_file_has_the_kernels_of_the_file(tmp_path, capsys):
    old, copy = tmp_path / "old.json", tmp_path / "copy.tc"
    copy.write_text(Path(LOGREG).read_text())
    words = ["--dim", "B=6", *SHORT]
    assert main.run(["bench", f"{LOGREG}::loss", *words, "--json", str(old)]) == 0
    capsys.readouterr()
    words += ["--compare", str(old)]
    assert main.run(["bench", f"{copy}::loss", *words]) == 0
    rows = capsys.readouterr().out.split("\n\n")[-1].splitlines()[2:]
    assert all(str(copy) in row for row in rows[:-1])
    assert not any(row.split()[0] == "gone" for row in rows)


@pytest.mark.parametrize(
    "text",
    [
        *("[1", "[]", '{"format": 1}', '{"format": 1, "seconds": 1, "kernels": [2]}'),
        *(
            json.dumps(
                {"format": 1, "name": "f", "sizes": {}, "kernels": [], "seconds": n}
            )
            for n in (math.nan, -1, math.inf, True)
        ),
    ],
)
def test_what_is_no_result_is_refused_before_the_work(text, tmp_path, capsys):
    old = tmp_path / "old.json"
    old.write_text(text)
    words = ["bench", f"{LOGREG}::loss", "--dim", "B=6", "--compare", str(old)]
    assert main.run(words) == main.USER_ERROR
    said = capsys.readouterr()
    assert "no result of `tensorc bench --json`" in said.err
    assert not said.out


def test_an_epoch_is_profiled(capsys):
    words = ["train", LOGREG, "--set", "epochs=2", "--quiet"]
    assert main.run([*words, "--profile"]) == 0
    printed = capsys.readouterr().out
    head, _, kernels, lines = printed.partition("train, B=600: ")[2].split("\n\n")
    assert "for one epoch" in head
    assert ", of 2; " in head
    rows = kernels.splitlines()[2:-1]
    assert [row.split()[:3] for row in rows] == [[str(i), "x", "83"] for i in range(6)]
    assert f"{LOGREG}:8" in lines
    plain = main.run(words)
    assert plain == 0
    # The same bits: errors have six digits.
    assert capsys.readouterr().out.splitlines()[0] == printed.splitlines()[0]
