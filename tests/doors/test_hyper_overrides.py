"""Calls may give hypers other values, unless compiling decided something by them."""

from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import CallError

X = np.arange(1, 7, dtype="float32")

# Programs in which a call decides, not compiling: d is 2 when compiled.
VARYING = {
    "factor": "hyper d = 2 fn f(x: float[N]) = x * d",
    "branchless": "hyper d = 2 fn f(x: float[N]) = where(d > 1, x, x * d)",
    "constant": "hyper d = 2 m = d * 2 fn f(x: float[N]) = x * m",
    "integer": "hyper d = 2 fn f(x: float[N]) = x * f32(d // 2) + i32(d)",
    "clipped": "hyper d = 2 fn f(x: float[N]) = clip(x, d, 3)",
    "padded": "hyper d = 2.5 fn f(x: float[N]) = pad(x, 1, constant_values=d)",
    "elsewhere": "hyper d = 2 fn f(x: float[N]) = x * d fn g(x: float[N]) = x[0:d]",
}

# Those of which a decision was made.
DECIDED = {
    "slice": "hyper d = 2 fn f(x: float[N]) = x[0:d] * d",
    "index": "hyper d = 2 fn f(x: float[N]) = x[d] * d",
    "branch": "hyper d = 2 fn f(x: float[N]) { if d > 1 { y = x } else { y = 0 * x } "
    "return y * d }",
    "logic": "hyper d = 2 fn f(x: float[N]) = where(d < 2 and d < 1, x, x * d)",
    "assertion": 'hyper d = 2 fn f(x: float[N]) { assert d == 2, "two" return x * d }',
    "power": "hyper d = 2 fn f(x: float[N]) = x ** d * d",
    "axis": "hyper d = 0 fn f(x: float[N]) = sum(x, axis=d) * d",
    "argument": "hyper d = 6 fn f(x: float[d]) = sum(x) / d",
    "shape": "hyper d = 2 fn f(x: float[N]) = reshape(x, (d, 3)) * d",
    "range": "hyper d = 2 fn f(x: float[N]) = range(d) * d",
    "size of memory": "hyper d = 6 param W: float[d] = 1 fn f(x: float[N]) = W * x * d",
    "first value": "hyper d = 6 param W: float[3] = d fn f(x: float[N]) = sum(W) * d",
    "another hyper": "hyper d = 2 hyper m = d * 2 fn f(x: float[N]) = x * m + d",
    "flag": "hyper d = 2 fn f(x: float[N]) = sum(x, keepdims=(d > 1)) * d",
}


def _path(directory: Path, text: str) -> str:
    path = directory / "program.tc"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", VARYING)
def test_a_call_gives_a_hyper_another_value(name: str, tmp_path: Path) -> None:
    path = _path(tmp_path, VARYING[name])
    program = tc.load(path)
    for value in (1, 3, 2):
        np.testing.assert_array_equal(
            program.f(X, d=value), tc.load(path, d=value).f(X)
        )


@pytest.mark.parametrize("name", DECIDED)
def test_a_hyper_that_was_decided_on_is_kept(name: str, tmp_path: Path) -> None:
    program = tc.load(_path(tmp_path, DECIDED[name]))
    result = program.f(X)
    compiled = program.hypers["d"]
    for value in (5, 7):
        with pytest.raises(CallError) as caught:
            program.f(X, d=value)
        text = str(caught.value)
        assert caught.value.diagnostics[0].code == "TC0511"
        assert f"'d' is {compiled}" in text
        assert f"make it {value}" in text
    np.testing.assert_array_equal(program.f(X, d=compiled), result)


def test_fit_refuses_a_hyper_that_was_decided_on(tmp_path: Path) -> None:
    text = "hyper d = 2 param w: float = 0 step s(x: float[B, 6]) "
    text += "{ c = d * sum(x[:, 0:d]) w <- w + c return c }"
    program = tc.load(_path(tmp_path, text))
    with pytest.raises(CallError, match="the hyper 'd' is 2"):
        tc.fit(program.s, {"x": np.ones((4, 6), "float32")}, batch=2, d=3)
    assert program.w.get_value() == 0


@pytest.mark.parametrize("number", [np.int64(6), np.int8(6), np.array(6)])
def test_numbers_of_numpy_are_numbers(number: object, tmp_path: Path) -> None:
    path = _path(tmp_path, DECIDED["size of memory"])
    assert tc.load(path, d=number).W.get_value().shape == (6,)
    path = _path(tmp_path, VARYING["factor"])
    np.testing.assert_array_equal(tc.load(path, d=number).f(X), X * 6)
    half = tc.load(path, d=np.float32(0.5)).f(X)
    np.testing.assert_array_equal(half, X / 2)
    assert tc.patience(number, increase=np.float32(2)) == tc.patience(6, increase=2.0)


def test_a_truth_value_of_numpy_is_one(tmp_path: Path) -> None:
    path = _path(tmp_path, "hyper d = true fn f(x: float[N]) = where(d, x, -x)")
    np.testing.assert_array_equal(tc.load(path, d=np.False_).f(X), -X)


@pytest.mark.parametrize(("given", "meant"), [("lrr", "lr"), ("epoch", "epochs")])
def test_a_misspelt_setting_is_answered_with_what_is_meant(tmp_path, given, meant):
    (tmp_path / "m.tc").write_text(
        "hyper lr = 0.1\nparam w: float = 0\n"
        "step up(x: float[B]) { w <- w + lr * sum(x) }\n"
        'fit { data = npz("d.npz")  batch = 1  step = up }\n'
    )
    with pytest.raises(tc.TensorcError, match=f"did you mean `{meant}`") as caught:
        tc.load(tmp_path / "m.tc", **{given: 0.5})
    assert f"no setting `{given}`" in str(caught.value)
