"""What mutations found, each with a test of its own."""

import re
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from tensorc import compiler
from tensorc.api import stages
from tensorc.errors import CompileError, DataError, VerifyError
from tensorc.ir.levels import Level
from tensorc.ir.ops.builtin import Module
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.ir.verifier import verify
from tensorc.runtime.files.npy import read_npz
from tests.hostile.corpus import EXAMPLES, FEATURES
from tests.hostile.files import npz_of


def stage_of(path: Path, stage: str) -> str:
    text = stages.emit(str(path), stage, None, {})
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


def test_a_generic_takes_no_scalar_from_outside() -> None:
    text = stage_of(EXAMPLES / "mlp.tc", "structured")
    outer = re.search(r'^      (%\d+) = "arith.constant"\(\).*-> f32$', text, re.M)
    assert outer is not None
    start = text.index('"linalg.generic"', outer.end())
    at = text.index('"linalg.yield"(%', start)
    end = text.index(")", at)
    changed = f'{text[:at]}"linalg.yield"({outer[1]}{text[end:]}'
    with pytest.raises(VerifyError, match="reads a scalar from outside"):
        verify(parse_module(changed))


def test_a_generic_that_reduces_nothing_reads_no_destination(tmp_path: Path) -> None:
    path = tmp_path / "negative.tc"
    path.write_text("fn f(x: float[3]) -> float[3] = -x")
    text = stage_of(path, "structured")
    body = re.search(r"\^bb0\(%\w+: f32, (%\w+): f32\):", text)
    assert body is not None
    changed = re.sub(r'"linalg.yield"\(%\w+\)', f'"linalg.yield"({body[1]})', text)
    with pytest.raises(VerifyError, match="reads a destination"):
        verify(parse_module(changed))


def test_guards_are_between_symbols_of_arguments() -> None:
    source = """"func.func"() <{function_type = (tensor<?xf32, #tc.dims<["n"]>>) -> (),
      sym_name = "f"}> ({
    ^bb0(%x: tensor<?xf32, #tc.dims<["n"]>>):
      "func.return"() : () -> ()
    }) {tc.guards = [#tc.dims<["n", "GIVEN"]>]} : () -> ()"""
    passes = (compiler.PASSES["bufferize"],)
    for given, wrong in (("2*n", False), ("m", True)):
        module = parse_module(source.replace("GIVEN", given))
        assert isinstance(module, Module)
        verify(module)
        words = "no argument gives 'm'"
        outcome = pytest.raises(CompileError, match=words) if wrong else nullcontext()
        with outcome:
            compiler.run_passes(module, compiler.host_target(), passes)


def test_a_member_that_swallows_the_next_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    content = npz_of({"x": np.ones((6, 4), np.float32), "y": np.arange(6)})
    entry = content.index(b"PK\1\2")
    following = content.index(b"PK\1\2", entry + 4)
    size = content.index(b"PK\5\6") - following
    # The second entry becomes the comment of the first.
    changed = bytearray(content)
    changed[entry + 32 : entry + 34] = size.to_bytes(2, "little")
    path.write_bytes(content)
    assert set(read_npz(path)) == {"x", "y"}
    path.write_bytes(changed)
    with pytest.raises(DataError, match="said to have 2 members, 1 are found"):
        read_npz(path)


@pytest.mark.parametrize("name", ["tc.shapes", "tc.symbols"])
def test_functions_on_memory_say_their_shapes(name: str) -> None:
    text = stage_of(EXAMPLES / "trivial.tc", "buffer")
    module = parse_module(text.replace(f"{name} = ", "tc.other = "))
    assert isinstance(module, Module)
    passes = (compiler.PASSES["to-loops"],)
    with pytest.raises(CompileError, match=r"'tc\.symbols' and 'tc\.shapes'"):
        compiler.run_passes(module, compiler.host_target(), passes)


def test_a_member_reads_what_others_have_written() -> None:
    text = stage_of(EXAMPLES / "logreg.tc", "buffer")
    for name in re.findall(r'(%\w+) = "memref.alloc"', text):
        own = rf'("linalg.generic"\()(%\w+)((?:, %\w+)*, {name}\) <)'
        changed = re.sub(own, rf"\1{name}\3", text, count=1)
        try:
            module = parse_module(changed)
            assert isinstance(module, Module)
            verify(module, Level.BUFFER)
        except (CompileError, VerifyError):
            continue  # that memory has another type
        if changed != text:
            break
    passes = (compiler.PASSES["to-loops"],)
    with pytest.raises(CompileError, match="no other member writes"):
        compiler.run_passes(module, compiler.host_target(), passes)
