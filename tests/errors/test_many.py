"""A mistake made a thousand times: the first are shown, the others counted."""

import pytest

from tensorc.cli.main import run
from tensorc.diagnostics import render_error
from tensorc.errors import MOST_SHOWN, Diagnostic, TensorcError, shortened

MANY = 200
PROGRAM = "".join(f"fn get{i}(x: float[B]) = x + y{i}\n" for i in range(MANY))
TRAIN = 'fit { data = idx("x", "y")  batch = 1  step = get0  epochs = 1 }\n'
MLIR = "// -----\n".join(
    f'"func.func"() <{{sym_name = "f{i}", function_type = () -> ()}}> ({{\n'
    f'  "no.op{i}"() : () -> ()\n}}) : () -> ()\n'
    for i in range(MANY)
)


@pytest.mark.parametrize(
    "verb", ["check", "train", "eval", "compile", "run", "explain"]
)
def test_commands_print_the_first(tmp_path, verb, capsys):
    path = tmp_path / "m.tc"
    path.write_text(PROGRAM + TRAIN)
    assert run([verb, str(path)]) == 1
    err = capsys.readouterr().err
    assert f"and {MANY + 1 - MOST_SHOWN} more\n" in err  # the fit lacks its step
    assert err.count("error[TC") == MOST_SHOWN
    assert len(err) < 20_000


def test_many_files_are_one_run(tmp_path, capsys):
    paths = [tmp_path / f"{i}.tc" for i in range(50)]
    for path in paths:
        path.write_text("fn f(x: float[B]) = x + y\n")
    assert run(["check", *map(str, paths)]) == 1
    err = capsys.readouterr().err
    assert err.endswith("and 30 more\n50 errors\n")
    assert err.count("error[TC") == MOST_SHOWN


def test_opt_prints_the_first(tmp_path, capsys):
    path = tmp_path / "m.mlir"
    path.write_text(MLIR)
    assert run(["opt", "--split-input-file", "--cse", str(path)]) == 1
    err = capsys.readouterr().err
    assert f"and {MANY - MOST_SHOWN:,} more\n" in err
    assert len(err) < 20_000


def test_texts_of_an_error_are_bounded():
    error = TensorcError(*(Diagnostic("TC0001", f"wrong {i}") for i in range(2000)))
    assert len(error.diagnostics) == 2000
    for text in (str(error), render_error(error)):
        assert text.rstrip().endswith("and 1,980 more")
        assert text.count("error[") == MOST_SHOWN


@pytest.mark.parametrize("count", [0, 1, MOST_SHOWN, MOST_SHOWN + 1])
def test_as_many_as_are_shown(count):
    given = [Diagnostic("TC0001", str(i)) for i in range(count)]
    shown, others = shortened(given)
    assert shown == given[:MOST_SHOWN]
    assert others == ("and 1 more" if count > MOST_SHOWN else "")


def test_errors_come_before_warnings_where_some_are_left_out():
    warnings = [Diagnostic("TC0319", "w", severity="warning")] * MOST_SHOWN
    error = Diagnostic("TC0001", "wrong")
    assert shortened([*warnings, error])[0][0] == error
