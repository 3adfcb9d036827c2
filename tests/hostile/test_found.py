"""What mutations found, each with a test of its own."""

from pathlib import Path

import pytest

from tensorc import api, compiler
from tensorc.errors import VerifyError
from tensorc.ir.ops.builtin import Module
from tensorc.ir.parser import parse_module
from tensorc.ir.printer import print_module
from tensorc.ir.verifier import verify
from tests.hostile.corpus import EXAMPLES, FEATURES


def stage_of(path: Path, stage: str) -> str:
    text = api.emit(str(path), stage, None, {})
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize(
    ("stage", "old", "new", "words"),
    [
        ("tensor", "tc.updates = 1 :", "tc.updates = 9 :", "names no argument"),
        ("tensor", "tc.updates = 1 :", "tc.updates = -1 :", "names no argument"),
        ("tensor", "tc.updates = 1 :", "tc.updates = 0 :", "names no argument"),
        (
            "structured",
            "outer = 0 :",
            "outer = 3 :",
            "parallel dimensions, its group 3",
        ),
        ("buffer", 'dims<["B"', 'dims<["C"', "the function takes no 'C'"),
        ("buffer", "tc.panel = ", "tc.panel = 99", "'tc.panel' names no operand"),
        ("buffer", "tc.panel = ", "tc.panel = -", "'tc.panel' names no operand"),
    ],
)
def test_what_passes_rely_on_is_verified(
    stage: str, old: str, new: str, words: str
) -> None:
    text = stage_of(EXAMPLES / "mlp.tc", stage)
    assert old in text
    with pytest.raises(VerifyError, match=words):
        verify(parse_module(text.replace(old, new, 1)))


def test_a_new_value_has_the_type_of_the_old_one() -> None:
    text = stage_of(EXAMPLES / "trivial.tc", "tensor")
    changed = text.replace("tc.updates = 0 :", "tc.updates = 1 :")
    assert changed != text
    with pytest.raises(VerifyError, match=r"result 1 is .*, it updates"):
        verify(parse_module(changed))


@pytest.mark.parametrize("path", [EXAMPLES / "mlp.tc", FEATURES], ids=lambda p: p.stem)
def test_fuse_leaves_groups_as_they_are(path: Path) -> None:
    text = stage_of(path, "structured")
    module = parse_module(text)
    assert isinstance(module, Module)
    passes = (compiler.PASSES["fuse"],)
    again = compiler.run_passes(module, compiler.host_target(), passes)
    assert print_module(again) == text
