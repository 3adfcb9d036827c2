"""Files of IR as programs: what a call relies on is checked beforehand."""

import pytest

from tensorc.errors import CompileError, ShapeError
from tensorc.frontend.dsl.programs.mlir_file import mlir_program


def function(types: list[str], infos: list[str], name: str = "f") -> str:
    """Return a function of some arguments that returns the first."""
    arguments = ", ".join(f"%a{i}: {type_}" for i, type_ in enumerate(types))
    return f"""
  "func.func"() <{{arg_attrs = [{", ".join(infos)}],
    function_type = ({", ".join(types)}) -> {types[0]},
    res_attrs = [{{tc.name = ""}}], sym_name = "{name}"}}> ({{
  ^bb0({arguments}):
    "func.return"(%a0) : ({types[0]}) -> ()
  }}) : () -> ()"""


def program(*functions: str) -> None:
    text = '"builtin.module"() ({' + "".join(functions) + "\n}) : () -> ()\n"
    mlir_program(text, "hand.mlir")


def tensor(*dims: str) -> str:
    marks, names = "?x" * len(dims), ", ".join(f'"{d}"' for d in dims)
    return f"tensor<{marks}f32, #tc.dims<[{names}]>>"


def named(*names: str) -> list[str]:
    return [f'{{tc.kind = "input", tc.name = "{name}"}}' for name in names]


@pytest.mark.parametrize(
    ("types", "size"),
    [
        ([tensor("N*N")], "N"),
        ([tensor("N + 1")], "N"),
        ([tensor("2*N", "M")], "N"),
        ([tensor("N"), tensor("N*K")], "K"),
        ([tensor("max(N, 3)")], "N"),
    ],
)
def test_each_size_is_an_axis_of_an_argument(types, size):
    infos = named(*"xy"[: len(types)])
    with pytest.raises(CompileError, match=f"no argument of 'f' gives the size {size}"):
        program(function(types, infos))
    program(function([*types, tensor(size)], [*infos, *named("z")]))


def test_two_arguments_have_two_names():
    types = [tensor("N"), tensor("N")]
    with pytest.raises(CompileError, match="two arguments of 'f' are named 'x'"):
        program(function(types, named("x", "x")))
    program(function(types, named("x", "y")))


@pytest.mark.parametrize("name", ["", "a b", "1x", "../f", "é", "f.g", "x\\1B[31m"])
def test_names_are_those_that_a_call_can_give(name):
    words = "is no name that a call can give"
    with pytest.raises(CompileError, match=words) as refused:
        program(function(["tensor<f32>"], named("x"), name))
    assert "\x1b" not in refused.value.diagnostics[0].message
    with pytest.raises(CompileError, match=words):
        program(function(["tensor<f32>"], named(name)))
    on_memory = f"""
  "func.func"() <{{arg_attrs = [{{tc.kind = "input", tc.name = "x"}}],
    function_type = (memref<f32>) -> (), sym_name = "{name}",
    tc.shapes = [#tc.dims<[]>], tc.symbols = []}}> ({{
  ^bb0(%a0: memref<f32>):
    "func.return"() : () -> ()
  }}) : () -> ()"""
    with pytest.raises(CompileError, match=words):
        program(on_memory)
    program(function(["tensor<f32>"], named("_x1"), "_F2"))


def test_memory_may_be_a_part_of_a_whole():
    for name in ("hidden..W", ".W", "hidden.", "hidden.1"):
        shared = [f'{{tc.kind = "shared", tc.name = "{name}"}}']
        with pytest.raises(CompileError, match="is no name that a call can give"):
            program(function(["tensor<f32>"], shared))
    shared = ['{tc.kind = "shared", tc.name = "hidden.W"}']
    program(function(["tensor<f32>"], shared))


def test_a_memory_that_no_machine_holds_is_refused():
    """As in the language, whose message it is."""
    shared = ['{tc.kind = "shared", tc.name = "W"}']
    with pytest.raises(ShapeError, match="`W` would need 372529 GiB") as refused:
        program(function(["tensor<10000000x10000000xf32>"], shared))
    (diagnostic,) = refused.value.diagnostics
    assert (diagnostic.code, diagnostic.location.line) == ("TC0301", 2)
    program(function(["tensor<10000000x0xf32>"], shared))


def test_memory_has_one_type():
    shared = ['{tc.kind = "shared", tc.name = "W"}']
    three, four = (function([f"tensor<{n}xf32>"], shared, f"f{n}") for n in (3, 4))
    with pytest.raises(CompileError, match=r"the memory W is .*3.*, elsewhere .*4"):
        program(three, four)
    program(three, three.replace('"f3"', '"g"'))
