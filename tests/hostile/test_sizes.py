"""Tensors that no memory holds are reported where they stand, by no pass that fails."""

from pathlib import Path

import pytest

import tensorc as tc


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "fn f(x: float[4294967296, 4294967296, 4]) -> float = sum(x)",
            "f32[4294967296, 4294967296, 4] is larger than any memory",
        ),
        (
            "hyper n = 3037000500\nfn f(x: float[n, n]) -> float = sum(x)",
            "f32[3037000500, 3037000500] is larger than any memory",
        ),
        (
            "fn f(x: float[" + "2, " * 69 + "2]) -> float = sum(x)",
            "2] is larger than any memory",
        ),
        (
            "fn f(x: float[N]) -> float[_] = pad(pad(x, 4*10**18), 4*10**18)",
            "is larger than any memory",
        ),
        (
            "fn f(x: float[N, 5]) -> float[5 * 10**10] = "
            "sum(tile(x, (10**10, 10**10)), axis=0)",
            "is larger than any memory",
        ),
    ],
)
def test_too_large_tensors(source: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "m.tc"
    path.write_text(source)
    with pytest.raises(tc.CompileError) as caught:
        tc.load(path).f(0)
    assert words in str(caught.value)
    assert "TC0301" in str(caught.value)
    assert "m.tc:" in str(caught.value)
