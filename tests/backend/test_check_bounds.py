"""Code that checks its accesses: each is compared, and planted faults are caught."""

import numpy as np
import pytest

import tensorc as tc
from tensorc import abi, compiler
from tensorc.artifact import Artifact
from tensorc.backend.llvm import bounds, codegen, lower
from tensorc.cli.main import run as command
from tensorc.errors import InternalError
from tensorc.frontend.dsl.reading import parsed
from tensorc.frontend.dsl.syntax.source_file import read_file
from tensorc.ir.attributes import Typed
from tensorc.ir.ops import builtin
from tensorc.ir.ops.loop import scf, vector
from tensorc.ir.ops.memory import kernels, memory
from tensorc.ir.ops.scalar import arith
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.ir.types import INDEX
from tensorc.target import CHOSEN, Options
from tests.stages import TARGET, compiled_results

PROGRAMS = {
    "elements": "fn f(x: float[N], w: float[M, K]) -> float[N] = exp(x) * 2 + 1",
    "rows": "fn f(x: float[N], w: float[M, K]) = sum(softmax(w, axis=1), axis=1)",
    "columns": "fn f(x: float[N], w: float[M, K]) = max(w, axis=0) + sum(w, axis=0)",
    "product": "fn f(x: float[N], w: float[13, 19]) = tanh(w[:, :6] @ w[:6])",
    "turned": "fn f(x: float[N], w: float[M, K]) -> float[K, M] = w.T[::-1] * 2",
    "picked": "fn f(x: float[N], w: float[M, K]) -> float[M, K] =\n"
    "    cumsum(w[argmax(w, axis=1) % 3], axis=0)",
    "steps": "fn f(x: float[N], w: float[M, K]) = x[::3]",
    "joined": "fn f(x: float[N], w: float[M, K]) = concatenate([x, w[0], x], axis=0)",
}
# Where the index of an access stands among its operands.
INDICES = {
    **{memory.Load: 1, memory.Store: 2, vector.MaskedLoad: 1, vector.MaskedStore: 1},
    **{vector.Gather: 1, memory.View: 1, memory.Part: 1},
}
MOST = 6  # accesses of a program that are shifted
CASE = ("f", [np.linspace(-1, 1, 37, dtype="f4"), np.zeros((13, 19), "f4")])
CASE[1][1][...] = np.random.default_rng(0).normal(size=(13, 19))


def loops(tmp_path, text):
    """Return the LOOP text of a program, and what the runtime knows of it."""
    path = tmp_path / "a.tc"
    path.write_text(f"{text}\n")
    made = parsed(read_file(str(path), {}, "f32")).emit(["f"])
    tensor = compiler.compile(made, TARGET, upto="tensor").module
    infos = abi.signatures(tensor)
    below = compiler.compile(tensor, TARGET, upto="loop", after="tensor").module
    return print_module(below), abi.with_memory(infos, below)


def run(module, infos):
    """Return the results of a module whose accesses are checked."""
    options = Options(check_bounds=True)
    text = codegen.emit_llvm(module, TARGET, options)
    code = codegen.emit_object(text, TARGET, 1)
    (found,) = compiled_results(Artifact("cpu", code, infos), [CASE], {"f": []})
    return [array.tobytes() for array in found]


def accesses(module, kinds):
    return [op for f in module.functions for op in f.walk() if type(op) in kinds]


def some_of(text, kinds):
    """Return the numbers of a dozen accesses of some kinds, spread over the module."""
    count = len(accesses(parse_module(text), kinds))
    return sorted({i * count // MOST for i in range(MOST)}) if count else []


def fault(text, infos, number, at, shift):
    """Return the message of a call of a shifted module, "" if it does not fail."""
    try:
        run(shifted(text, number, at, shift), infos)
    except InternalError as error:
        return str(error)
    return ""


def shifted(text, number, at, shift):
    """Return a module in which an operand of one op is so much more."""
    module = parse_module(text)
    op = accesses(module, at)[number]
    place, block = at[type(op)], op.parent
    more = arith.Constant([], [INDEX], {"value": Typed(shift, INDEX)})
    total = arith.AddI([op.operands[place], more.result], [INDEX])
    index = block.ops.index(op)
    block.ops[index:index] = [more, total]
    more.parent = total.parent = block
    op.operands[place] = total.result
    return module


def test_every_op_on_memory_is_checked_or_harmless():
    on_memory = {cls for cls in lower.ROWS if "memref<" in (cls.__doc__ or "")}
    known = {*bounds.CHECKS, *bounds.HARMLESS}
    assert on_memory - {builtin.Call} == known - {builtin.Call, scf.For}


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_access_far_outside_is_caught_wherever_it_is(name, tmp_path):
    text, infos = loops(tmp_path, PROGRAMS[name])
    right = run(parse_module(text), infos)
    ops = accesses(parse_module(text), INDICES)
    outcomes = []
    for number in some_of(text, INDICES):
        shift = (1 << 40) * (1 - 2 * (number % 2))
        message = fault(text, infos, number, INDICES, shift)
        outcomes.append(bool(message))
        if message:
            assert f"{ops[number].name} in " in message
        else:  # no access of this call
            assert run(shifted(text, number, INDICES, shift), infos) == right
    assert sum(outcomes) > len(outcomes) / 3


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("shift", [1, -1])
def test_one_element_outside_is_caught(name, shift, tmp_path):
    text, infos = loops(tmp_path, PROGRAMS[name])
    at = {cls: i for cls, i in INDICES.items() if cls is not memory.Part}
    found = [fault(text, infos, n, at, shift) for n in some_of(text, at)]
    caught = [message for message in found if message]
    assert caught  # what reads or writes first or last
    assert all("element -1 of " in m or shift > 0 for m in caught if "view" not in m)


@pytest.mark.parametrize(
    ("at", "shift"),
    [
        *((place, shift) for place in (1, 3, 5) for shift in (-1000, 10000)),
        *((6, 513), (7, 100), (8, 100)),
    ],
)
def test_tiles_of_products_are_checked_at_their_corners(at, shift, tmp_path):
    text, infos = loops(tmp_path, PROGRAMS["product"])
    tiles = {kernels.GemmTile: at}
    found = [fault(text, infos, n, tiles, shift) for n in some_of(text, tiles)]
    assert any("tc.gemm_tile in " in message for message in found)


def test_a_view_that_is_too_short_is_seen_by_who_reads_it(tmp_path):
    text, infos = loops(tmp_path, PROGRAMS["product"])
    views = {memory.View: 2}
    numbers = some_of(text, views)
    short = [fault(text, infos, n, views, -1) for n in numbers]
    assert any(message and "memref.view" not in message for message in short)
    long = [fault(text, infos, n, views, 1 << 40) for n in numbers]
    assert any("memref.view" in message for message in long)


def test_a_mask_that_is_too_wide_is_caught(tmp_path):
    text, infos = loops(tmp_path, PROGRAMS["elements"])
    masks = {vector.CreateMask: 0}
    caught = 0
    for number in range(len(accesses(parse_module(text), masks))):
        with pytest.raises(InternalError, match="element 37 of 37"):
            run(shifted(text, number, masks, 1), infos)
        caught += 1
    assert caught


def test_the_text_names_the_line(tmp_path):
    path = tmp_path / "a.tc"
    path.write_text("fn f(x: float[N]) -> float[N] =\n    x * 2\n")
    made = parsed(read_file(str(path), {}, "f32")).emit(["f"])
    loop = compiler.compile(made, TARGET, upto="loop").module
    text = codegen.emit_llvm(loop, TARGET, Options(check_bounds=True))
    hexed = f" in f.k0 of {path}:2:5".encode().hex("\\")
    assert hexed in text


def test_doors_have_the_mode(tmp_path):
    path = tmp_path / "a.tc"
    path.write_text("fn f(x: float[N]) -> float[N] = x * 2\n")
    with tc.options(check_bounds=True):
        assert CHOSEN.get().check_bounds
        assert tc.load(path, optimize=0).f(np.ones(3)).tolist() == [2, 2, 2]
        assert tc.jit(lambda x: x + 1)(np.ones(2)).tolist() == [2, 2]
    assert not CHOSEN.get().check_bounds


def test_the_command_has_the_mode(tmp_path, capsys):
    path = tmp_path / "a.tc"
    path.write_text("fn f(x: float[N]) -> float[N] = x * 2\n")
    words = ["run", f"{path}::f", "--arg", "x=[1, 2]", "--check-bounds"]
    assert command(words) == 0
    assert capsys.readouterr().out == "[2.0, 4.0]\n"
    assert not CHOSEN.get().check_bounds
