"""What an artifact says of its code, and what stops its making."""

from dataclasses import replace

import pytest

from tensorc import compiler
from tensorc.api import stages
from tensorc.backend.llvm.host import host_target
from tensorc.errors import CompileError, TensorcError
from tensorc.ir.core import clone_op
from tensorc.ir.functions import guards_of
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.target import Options
from tests.frontend.irgen_helpers import program

GUARDED = """\
fn f(x: float[N], y: float[M], a: float[2 * N], b: float[M + 1]) -> float {
    return sum(x) + sum(y) + sum(
        a * b)
}
"""


def test_a_guard_knows_its_place():
    module = program(GUARDED).emit()
    (guard,) = guards_of(module.functions[0])
    assert (guard.location.file, guard.location.line) == ("test.tc", 3)
    parsed = parse_module(print_module(module))
    assert guards_of(parsed.functions[0]) == [guard]
    artifact = compiler.compile(module, host_target()).artifact
    (entry,) = artifact.functions[0].guards
    assert entry.location == guard.location
    assert (entry.left, entry.right) == (("*", 2, "N"), ("+", "M", 1))
    assert entry.message == ""  # the runtime spells the equation


PRODUCT = "fn f(x: float[B, 8], y: float[8, 8]) -> float[B, 8] = x @ y\n"


@pytest.mark.skipif(
    not host_target().triple.startswith("x86_64"), reason="others have FMA always"
)
def test_a_processor_without_fma_is_refused():
    old = replace(host_target(), cpu="x86-64", features="", vector_bits=128)
    with pytest.raises(TensorcError, match="lacks FMA") as caught:
        compiler.compile(program(PRODUCT).emit(), old)
    assert caught.value.diagnostics[0].hints
    # What needs no product still compiles.
    module = program("fn g(x: float[4]) = x + x").emit()
    assert compiler.compile(module, old).artifact.object


# Rows for several threads, a product for vectors, two ops for fusion.
ROWS = "fn f(x: float[N, 8], y: float[8, 40]) -> float[N, 40] = exp(x @ y)\n"
# The stages whose text an option changes.
SEEN = {
    "optimize": (Options(optimize=0), host_target(), {"llvm", "asm", "obj"}),
    "fuse": (
        Options(fuse=False),
        host_target(),
        {"structured", "buffer", "loop", "llvm", "asm", "obj"},
    ),
    "threads": (Options(parallel_work=1), host_target(), {"llvm", "asm", "obj"}),
    "epochs": (Options(epochs=False), host_target(), {"llvm", "asm", "obj"}),
    "target": (
        Options(),
        replace(host_target(), vector_bits=128),
        {"structured", "buffer", "loop", "llvm", "asm", "obj"},
    ),
}


def made(options, target, stage):
    module = program(ROWS).emit()
    result = compiler.compile(module, target, options, stage)
    return result.code if stage == "obj" else result.text()


@pytest.mark.parametrize("name", SEEN)
def test_every_stage_obeys_the_options(name):
    options, target, seen = SEEN[name]
    stages = [*compiler.STAGES, *compiler.CODE]
    wide = replace(host_target(), vector_bits=512)
    usual = host_target() if target == host_target() else wide
    differing = {
        stage
        for stage in stages
        if made(options, target, stage) != made(Options(), usual, stage)
    }
    assert differing == seen


def test_a_stage_goes_on_from_the_text_of_any_before():
    host = host_target()
    module = program(GUARDED).emit()
    wanted = compiler.compile(clone_op(module, {}), host, upto="asm").text()
    for stage in compiler.STAGES:
        text = compiler.compile(clone_op(module, {}), host, upto=stage).text()
        again = parse_module(text)
        assert compiler.compile(again, host, upto="asm", after=stage).text() == wanted
        if stage != "tensor":  # what the runtime must know is read there
            message = f"the module is at level {stage}, below tensor"
            with pytest.raises(CompileError, match=message):
                compiler.compile(parse_module(text), host)


def test_a_stage_of_an_unknown_function_names_the_known_ones(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text("fn twice(x: float) = 2 * x\n")
    with pytest.raises(CompileError) as caught:
        stages.emit(str(path), "tensor", "thrice", {})
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "TC0303"
    assert "'thrice'" in diagnostic.message
    assert diagnostic.hints == ("there are twice",)
