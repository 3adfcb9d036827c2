"""Targets, text, objects: what leaves the back end."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from llvmlite import binding as llvm

from tensorc.backend.emit import (
    LONG,
    POINTER,
    LlvmParameter,
    LType,
    ModuleEmitter,
    mangle,
    number,
)
from tensorc.backend.llvm.codegen import (
    emit_assembly,
    emit_llvm,
    emit_object,
)
from tensorc.backend.llvm.host import host_target
from tensorc.backend.llvm.symbols import undefined_symbols
from tensorc.errors import InternalError, TensorcError
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith, math
from tensorc.ir.types import F32
from tests.backend.harness import Code, constant, counted, entry


def multiply_add():
    """out[i] = x[i] * x[i] - x[i] * x[i], which contraction would spoil."""

    def fill(b, x, out, arena, n):
        with counted(b, constant(b, 0), n, constant(b, 1)) as i:
            v = b.value(memory.Load, x, i)
            left, right = (b.value(arith.MulF, v, v) for _ in range(2))
            b.create(memory.Store, b.value(arith.SubF, left, right), out, i)

    return entry([F32, F32], 1, fill)


def square_plus():
    def fill(b, x, out, arena, n):
        with counted(b, constant(b, 0), n, constant(b, 1)) as i:
            v = b.value(memory.Load, x, i)
            total = b.value(arith.AddF, b.value(arith.MulF, v, v), v)
            b.create(memory.Store, total, out, i)

    return entry([F32, F32], 1, fill)


def test_host_target_describes_this_machine():
    target = host_target()
    assert target.name == "cpu"
    assert target.triple
    assert target.vector_bits in (128, 256, 512)
    assert ("+avx512f" in target.features) == (target.vector_bits == 512)


@pytest.mark.parametrize("optimize", [0, 1, 2, 3])
def test_nothing_is_contracted(optimize):
    x = np.random.default_rng(0).standard_normal(1000).astype("f4")
    out = np.empty_like(x)
    assert Code(square_plus(), optimize)(x, out, symbols=(1000,)) == 0
    np.testing.assert_array_equal(out, x * x + x)


def test_text_is_a_function_of_the_module():
    texts = {emit_llvm(multiply_add(), host_target()) for _ in range(2)}
    assert len(texts) == 1
    (text,) = texts
    for flag in (" fast", " contract", " reassoc", " nnan", " nsz", " afn"):
        assert flag not in text
    assert '"prefer-vector-width"' in text


def test_object_has_no_undefined_symbols():
    for optimize in (0, 3):
        text = emit_llvm(multiply_add(), host_target())
        assert not undefined_symbols(emit_object(text, host_target(), optimize))


def test_undefined_symbols_are_rejected():
    text = "declare i32 @puts(ptr)\ndefine i32 @f() {\n ret i32 0\n}\n"
    with pytest.raises(InternalError, match="the text calls puts"):
        emit_object(text, host_target(), 1)

    text = "declare float @llvm.exp.f32(float)\n"
    with pytest.raises(InternalError, match=r"the text calls llvm\.exp\.f32"):
        emit_object(text, host_target(), 1)

    # Without the instruction LLVM calls the C library's fmaf.
    def fill(b, x, arena):
        zero = constant(b, 0)
        v = b.value(memory.Load, x, zero)
        b.create(memory.Store, b.value(math.Fma, v, v, v), x, zero)

    old = replace(host_target(), cpu="x86-64", features="", vector_bits=128)
    if not old.triple.startswith("x86_64"):
        pytest.skip("for x86-64")
    with pytest.raises(TensorcError, match="lacks FMA"):
        emit_object(emit_llvm(entry([F32], 0, fill), old), old, 1)


def test_undefined_symbols_of_an_object_are_found():
    host_target()
    emit_object("define void @g() {\n ret void\n}\n", host_target(), 0)
    machine = llvm.Target.from_triple(host_target().triple).create_target_machine()
    text = "declare void @far()\ndefine void @f() {\n call void @far()\n ret void\n}\n"
    code = machine.emit_object(llvm.parse_assembly(text))
    assert undefined_symbols(code) == {"far"}


def test_bad_text_is_an_internal_error():
    with pytest.raises(InternalError, match="LLVM rejects its text"):
        emit_object("define i32 @f() { ret i64 0 }", host_target(), 1)


def test_assembly():
    assembly = emit_assembly(emit_llvm(multiply_add(), host_target()), host_target(), 2)
    assert "f.epoch:" in assembly


def test_names_are_mangled():
    assert mangle("train") == "train"
    assert mangle("k.0_a") == "k.0_a"
    assert mangle('a"b\n') == "a.22.b.a."
    assert mangle("größe") == "gr.f6..df.e"
    assert mangle("memcpy") == "tc.memcpy"
    assert mangle("llvm.fma.f32") == "tc.llvm.fma.f32"
    emitter = ModuleEmitter()
    emitter.function("f", LONG, [LlvmParameter("p", POINTER)])
    with pytest.raises(InternalError, match="defined twice"):
        emitter.function("f", LONG, [])


@pytest.mark.parametrize(
    ("scalar", "value", "text"),
    [
        ("float", 0.1, "0x3FB99999A0000000"),
        ("float", -0.0, "0x8000000000000000"),
        ("double", 0.1, "0x3FB999999999999A"),
        ("half", 1.0, "0xH3C00"),
        ("float", float("inf"), "0x7FF0000000000000"),
        ("i1", True, "true"),
        ("i64", -1, "-1"),
    ],
)
def test_constants_are_exact(scalar, value, text):
    assert number(LType(scalar), value).text == text


def test_tensorc_does_not_import_llvmlite():
    code = "import sys, tensorc; sys.exit('llvmlite' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
