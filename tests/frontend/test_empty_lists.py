"""`tensorc check` compares the shape of an empty list; its type fits any."""

from pathlib import Path

import pytest

from tensorc.api import checking

SOURCE = """
fn f(x: float[B, 4]) -> float = sum(x)
fn g(x: u8[N]) -> u8[N] = x
fn h(x: bool[N]) -> bool[N] = x
fn m(x: f16[N, M]) -> f16[N, M] = x
"""


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("f([])", "TC0301"),
        ("f([[], []])", "TC0301"),
        ("g([])", ""),
        ("h([])", ""),
        ("m([[], []])", ""),
    ],
)
def test_empty_lists_have_a_shape(call: str, code: str, tmp_path: Path) -> None:
    path = tmp_path / "m.tc"
    path.write_text(f"{SOURCE}run {{ call = {call} }}\n")
    codes = [d.code for d in checking.check(str(path), {})]
    assert codes == ([code] if code else [])
