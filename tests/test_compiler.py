"""What an artifact says of its code, and what stops its making."""

from dataclasses import replace

import pytest

from tensorc.api import stages
from tensorc.backend.llvm.codegen import emit_object
from tensorc.backend.llvm.host import host_target
from tensorc.compiler import Options, compile_module, llvm_text
from tensorc.errors import CompileError, TensorcError
from tensorc.ir.functions import guards_of
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
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
    artifact = compile_module(module, host_target(), Options())
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
        compile_module(program(PRODUCT).emit(), old, Options())
    assert caught.value.diagnostics[0].hints
    # What needs no product still compiles.
    assert emit_object(
        llvm_text(program("fn g(x: float[4]) = x + x").emit(), old), old, 2
    )


def test_a_stage_of_an_unknown_function_names_the_known_ones(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text("fn twice(x: float) = 2 * x\n")
    with pytest.raises(CompileError) as caught:
        stages.emit(str(path), "tensor", "thrice", {})
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "TC0303"
    assert "'thrice'" in diagnostic.message
    assert diagnostic.hints == ("there are twice",)
