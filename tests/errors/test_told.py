"""Errors and warnings of calls from Python: class, code, the user's line."""

import warnings
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import TensorcError, TensorcWarning


@pytest.mark.parametrize(
    ("arguments", "error", "code"),
    [
        ((np.ones((3, 4)),), ValueError, "TC0503"),
        ((np.ones(3),), ValueError, "TC0503"),
        (("a",), TypeError, "TC0502"),
        ((), TypeError, "TC0501"),
    ],
)
def test_a_wrong_call_of_a_loaded_program_is_told_at_its_line(
    tmp_path: Path, arguments: tuple[object, ...], error: type[Exception], code: str
) -> None:
    file = tmp_path / "model.tc"
    file.write_text("param W: float[3] = 1\nfn f(x: float[B, 3]) = x * W\n")
    program = tc.load(file)
    with pytest.raises(error) as caught:
        program.f(*arguments)
    assert isinstance(caught.value, TensorcError)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.location.file) == (code, __file__)
    assert f"{__file__}:{diagnostic.location.line}:" in str(caught.value)
    assert "program.f(*arguments)" in str(caught.value)
    x = np.ones((2, 3), np.float32)
    assert program.f(x).tolist() == program.functions["f"](x).tolist()


def test_a_known_index_outside_is_an_index_error_at_its_place(tmp_path: Path) -> None:
    file = tmp_path / "model.tc"
    file.write_text("fn f(x: float[B, 3]) = x[4]\n")
    program = tc.load(file)
    with pytest.raises(IndexError, match="index 4 is out of range") as caught:
        program.f(np.ones((3, 3)))
    assert isinstance(caught.value, TensorcError)
    assert not isinstance(caught.value, ValueError)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "TC0505"
    assert diagnostic.location.file == str(file)
    assert diagnostic.notes == ("'x' is f32[B, 3], given f32[3, 3]",)
    assert program.f(np.ones((5, 3))).shape == (3,)


def test_a_function_that_calls_itself_is_told() -> None:
    @tc.jit
    def again(x):
        return again(x - 1)

    with pytest.raises(TensorcError, match="`again` calls itself") as caught:
        again(np.ones(3))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "TC0311"
    assert diagnostic.location.file == __file__
    assert diagnostic.labels[0].text == "this function"


def test_a_function_that_calls_itself_an_end_in_sight_is_unrolled() -> None:
    @tc.jit(static=("n",))
    def power(x, n):
        return x * power(x, n - 1) if n else x

    assert power(np.full(2, 3.0), n=3).tolist() == [81.0, 81.0]


@pytest.mark.parametrize("index", [3, 2**63 - 1, 2**63 + 5, 2**64 - 1])
def test_an_index_without_a_sign_is_told_as_it_is(index: int) -> None:
    @tc.jit
    def take(x, i):
        return x[i]

    with pytest.raises(IndexError, match=f"index {index} is out of range"):
        take(np.ones(3), np.array([0, index], np.uint64))
    with pytest.raises(IndexError, match="index -4 is out of range"):
        take(np.ones(3), np.array([0, -4]))


def test_warnings_have_a_class_and_a_code() -> None:
    x, z = tc.matrix("x"), tc.matrix("z")
    with pytest.warns(TensorcWarning, match="^TC0319: z is not used") as seen:
        tc.function([x, z], x + 1, on_unused_input="warn")
    assert seen[0].filename == __file__

    @tc.jit(static=("n",))
    def times(x, n):
        return x * n

    with warnings.catch_warnings(record=True) as many:
        warnings.simplefilter("always")
        for n in range(20):
            times(np.ones(2), n=n)
    (warning,) = many
    assert warning.category is TensorcWarning
    assert str(warning.message).startswith("TC0320: times has 16 compiled forms")
    assert warning.filename == __file__
