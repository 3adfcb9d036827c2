"""Levels where IR comes in: at each door, an op of another is named at its line."""

import re

import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.cli import main
from tensorc.errors import CompileError, TensorcError, VerifyError
from tensorc.ir.levels import Level
from tensorc.ir.text.parser import parse_module
from tensorc.ir.verifier import level_of, verify
from tests.ir.programs import function

# A module of each level, with a line for an op in the function and one in a region.
MODULES = {
    Level.TENSOR: """\
"func.func"() <{function_type = (tensor<f32>, tensor<i1>) -> tensor<f32>, sym_name = "f"}> ({
^bb0(%x: tensor<f32>, %c: tensor<i1>):
  // in the function
  %0 = "tc.exp"(%x) : (tensor<f32>) -> tensor<f32>
  %1 = "tc.grad"(%0) ({
  ^bb0(%w: tensor<f32>):
    // in a region
    %2 = "tc.mul"(%w, %x) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "tc.yield"(%2) : (tensor<f32>) -> ()
  }) : (tensor<f32>) -> tensor<f32>
  %3 = "tc.if"(%c, %1) ({
  ^bb0(%a: tensor<f32>):
    // in a branch
    "tc.yield"(%a) : (tensor<f32>) -> ()
  }, {
  ^bb0(%b: tensor<f32>):
    // in the other branch
    %4 = "tc.neg"(%b) : (tensor<f32>) -> tensor<f32>
    "tc.yield"(%4) : (tensor<f32>) -> ()
  }) : (tensor<i1>, tensor<f32>) -> tensor<f32>
  "func.return"(%3) : (tensor<f32>) -> ()
}) : () -> ()
""",  # noqa: E501
    Level.STRUCTURED: """\
"func.func"() <{function_type = (tensor<4xf32>) -> tensor<4xf32>, sym_name = "f"}> ({
^bb0(%x: tensor<4xf32>):
  // in the function
  %0 = "tc.group"(%x) <{outer = 0 : i64, shapes = []}> ({
  ^bb0(%a: tensor<4xf32>):
    // in a region
    %1 = "tensor.empty"() : () -> tensor<4xf32>
    %2 = "linalg.generic"(%a, %1) <{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = [#linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
    ^bb0(%b: f32, %c: f32):
      // in a body
      %3 = "math.exp"(%b) : (f32) -> f32
      "linalg.yield"(%3) : (f32) -> ()
    }) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    "tc.yield"(%2) : (tensor<4xf32>) -> ()
  }) {tc.schedule = {}} : (tensor<4xf32>) -> tensor<4xf32>
  "func.return"(%0) : (tensor<4xf32>) -> ()
}) : () -> ()
""",  # noqa: E501
    Level.BUFFER: """\
"func.func"() <{function_type = (memref<4xf32>, memref<4xf32>, memref<?xi8>) -> (), sym_name = "f"}> ({
^bb0(%x: memref<4xf32>, %result: memref<4xf32>, %arena: memref<?xi8>):
  // in the function
  "tc.group"(%x, %result) <{outer = 0 : i64, shapes = [#tc.dims<[4]>, #tc.dims<[4]>]}> ({
  ^bb0(%a: memref<4xf32>, %1: memref<4xf32>):
    // in a region
    "linalg.generic"(%a, %1) <{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = [#linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
    ^bb0(%b: f32, %c: f32):
      // in a body
      %3 = "math.exp"(%b) : (f32) -> f32
      "linalg.yield"(%3) : (f32) -> ()
    }) : (memref<4xf32>, memref<4xf32>) -> ()
    "tc.yield"() : () -> ()
  }) {tc.schedule = {}} : (memref<4xf32>, memref<4xf32>) -> ()
  "func.return"() : () -> ()
}) {tc.arena = #tc.dims<[0]>, tc.shapes = [#tc.dims<[4]>, #tc.dims<[4]>], tc.symbols = []} : () -> ()
""",  # noqa: E501
    Level.LOOP: """\
"func.func"() <{function_type = (memref<?xf32>, index, index, memref<?xi8>) -> (), sym_name = "f.k0"}> ({
^bb0(%m: memref<?xf32>, %begin: index, %end: index, %scratch: memref<?xi8>):
  // in the function
  %0 = "arith.constant"() <{value = 1 : index}> : () -> index
  "scf.for"(%begin, %end, %0) ({
  ^bb0(%i: index):
    // in a region
    %1 = "memref.load"(%m, %i) : (memref<?xf32>, index) -> f32
    "memref.store"(%1, %m, %i) : (f32, memref<?xf32>, index) -> ()
    "scf.yield"() : () -> ()
  }) : (index, index, index) -> ()
  "func.return"() : () -> ()
}) {tc.kernel = true} : () -> ()
""",  # noqa: E501
}

GROUP = """"tc.group"() <{outer = 0 : i64, shapes = []}> ({
  "tc.yield"() : () -> ()
}) : () -> ()"""
IOTA = (
    '%e = "tc.iota"() <{axis = 0 : i64, element = i64, shape = #tc.dims<[4]>}>'
    " : () -> tensor<4xi64>"
)
GRAD = """"tc.grad"() ({
  %k = "tc.constant"() <{value = dense<1.0> : tensor<f32>}> : () -> tensor<f32>
  "tc.yield"(%k) : (tensor<f32>) -> ()
}) : () -> ()"""
EMPTY = '%e = "tensor.empty"() : () -> tensor<4xf32>'
ALLOC = '%e = "memref.alloc"() : () -> memref<4xf32>'
ALLOCA = '%e = "memref.alloca"() : () -> memref<4xf32>'
STEP = '%e = "vector.step"() : () -> vector<16xindex>'
SIZE = '%e = "tc.size"() <{dim = #tc.dims<[4]>}> : () -> index'
NUMBER = '%e = "arith.constant"() <{value = 1.0 : f32}> : () -> f32'
CONSTANT = (
    '%e = "tc.constant"() <{value = dense<1.0> : tensor<f32>}> : () -> tensor<f32>'
)

# An op of another level: the level of the module, where it stands, and the message.
PLANTED = [
    (
        Level.TENSOR,
        "in the function",
        GROUP,
        "levels structured and buffer",
    ),
    (Level.TENSOR, "in the function", ALLOCA, "level loop"),
    (Level.TENSOR, "in a region", NUMBER, "levels structured, buffer and loop"),
    (Level.TENSOR, "in a region", SIZE, "levels structured and buffer"),
    (Level.TENSOR, "in a branch", EMPTY, "level structured"),
    (Level.TENSOR, "in the other branch", STEP, "level loop"),
    (Level.STRUCTURED, "in the function", IOTA, "level tensor"),
    (Level.STRUCTURED, "in the function", GRAD, "level tensor"),
    (Level.STRUCTURED, "in a region", IOTA, "level tensor"),
    (Level.STRUCTURED, "in a region", ALLOC, "level buffer"),
    (Level.STRUCTURED, "in a body", STEP, "level loop"),
    (Level.BUFFER, "in the function", EMPTY, "level structured"),
    (Level.BUFFER, "in the function", CONSTANT, "levels tensor and structured"),
    (Level.BUFFER, "in a region", ALLOCA, "level loop"),
    (Level.BUFFER, "in a region", IOTA, "level tensor"),
    (Level.BUFFER, "in a body", STEP, "level loop"),
    (Level.LOOP, "in the function", CONSTANT, "levels tensor and structured"),
    (Level.LOOP, "in the function", IOTA, "level tensor"),
    (Level.LOOP, "in a region", SIZE, "levels structured and buffer"),
    (Level.LOOP, "in a region", ALLOC, "level buffer"),
    (Level.LOOP, "in a region", EMPTY, "level structured"),
]


@pytest.fixture(params=range(len(PLANTED)))
def planted(request, tmp_path):
    """Return a file with one op of another level, its level, line and message."""
    level, where, op, levels = PLANTED[request.param]
    text = MODULES[level].replace(f"// {where}", op)
    path = tmp_path / "m.mlir"
    path.write_text(text)
    line = MODULES[level].partition(f"// {where}")[0].count("\n") + 1
    name = re.search(r'"([\w.]+)"\(', op)[1]
    return path, level, line, f"{name}: is an op of {levels}, not of {level.value}"


@pytest.mark.parametrize("level", MODULES)
def test_the_modules_are_of_their_levels(level):
    module = parse_module(MODULES[level])
    verify(module, level)
    assert level_of(module) is level
    for other in set(Level) - {level}:
        with pytest.raises(TensorcError, match=f"level.* not of {other.value}"):
            verify(module, other)


def test_twenty_are_planted_at_all_levels_and_in_regions():
    assert len(PLANTED) >= 20
    assert {level for level, *_ in PLANTED} == set(Level)
    for level in Level:
        assert len({where for given, where, *_ in PLANTED if given is level}) >= 2


def test_it_is_named_at_its_line(planted):
    path, level, line, message = planted
    module = parse_module(path.read_text(), str(path))
    verify(module)  # but for the level it is right
    with pytest.raises(CompileError) as caught:
        level_of(module)
    (found,) = caught.value.diagnostics
    assert (found.code, found.location.line) == ("TC0250", line)
    assert message in found.message
    assert found.hints == (
        f"a module is of one level, and the rest of this one is of {level.value}",
    )


def test_each_door_refuses_it(planted, capfd):
    path, level, line, message = planted
    first = next(p for p in compiler.PASSES.values() if p.reads is level)
    for command in (
        ["opt", str(path), f"--{first.name}"],
        ["check", str(path)],
        ["compile", str(path), "--emit=loop"],
        ["explain", str(path)],
    ):
        assert main.run(command) == 1, command
        said = capfd.readouterr().err
        assert f"error[TC0250]: {message}" in said, command
        assert f"{path}:{line}:" in said, command
    with pytest.raises(tc.CompileError, match=re.escape(message)):
        tc.load(path)


@pytest.mark.parametrize("name", compiler.PASSES)
@pytest.mark.parametrize("level", MODULES)
def test_a_pass_reads_modules_of_its_level(level, name, tmp_path, capfd):
    path = tmp_path / "m.mlir"
    path.write_text(MODULES[level])
    wanted = compiler.PASSES[name].reads
    code = main.run(["opt", str(path), f"--{name}"])
    said = capfd.readouterr().err
    if wanted is level:
        assert (code, said) == (0, "") or "run the pass autodiff first" in said
        return
    assert code == 1
    assert f"not of {wanted.value}" in said
    assert f"pass '{name}' reads level {wanted.value}" in said
    is_above = list(Level).index(level) < list(Level).index(wanted)
    assert ("= help: run --" if is_above else "= help: no pass raises a module") in said


ADD = '%e = "arith.addf"(%k, %k) : (f32, f32) -> f32'
TWO = NUMBER.replace("%e", "%k") + "\n" + ADD
COPY = '"memref.copy"(%a, %1) : (memref<4xf32>, memref<4xf32>) -> ()'
GENERIC = '"linalg.generic"(%a, %1)'

INNER_FUNCTION = """"func.func"() <{function_type = () -> (), sym_name = "g"}> ({
  "func.return"() : () -> ()
}) : () -> ()"""
INNER_MODULE = """"builtin.module"() ({
}) : () -> ()"""

# What a level asks of a module beside its ops: what is changed, and the message.
FORMS = [
    (Level.TENSOR, "// in a branch", INNER_FUNCTION, "func.func: stands in tc.if"),
    (Level.TENSOR, "// in a region", INNER_FUNCTION, "func.func: stands in tc.grad"),
    (Level.TENSOR, "// in a branch", INNER_MODULE, "builtin.module: stands in tc.if"),
    (Level.LOOP, "// in the function", INNER_MODULE, "module: stands in func.func"),
    (
        Level.STRUCTURED,
        "// in the function",
        TWO,
        "arith.addf: computes a scalar, which",
    ),
    (Level.STRUCTURED, "// in a region", TWO, "no block in tc.group does"),
    (Level.BUFFER, "// in the function", TWO, "no block in func.func does"),
    (
        Level.STRUCTURED,
        GENERIC,
        '"linalg.generic"(%a, %a)',
        "linalg.generic: its destination must be what tensor.empty or linalg.fill",
    ),
    (
        Level.STRUCTURED,
        "// in a body",
        '%e = "linalg.index"() <{dim = 1 : i64}> : () -> index',
        "linalg.index: dim is 1, the linalg.generic has 1",
    ),
    (
        Level.STRUCTURED,
        "// in a region",
        '%e = "linalg.index"() <{dim = 0 : i64}> : () -> index',
        "linalg.index: stands outside of a linalg.generic",
    ),
    (Level.STRUCTURED, "// in a region", CONSTANT, "tc.constant: is no part of a kern"),
    (Level.STRUCTURED, "// in a body", CONSTANT, "tc.constant: makes no scalar for"),
    (Level.STRUCTURED, "// in the function", GROUP, "tc.group: computes nothing"),
    (Level.BUFFER, "// in a region", COPY, "memref.copy: is no part of a kernel"),
    (Level.BUFFER, "// in a body", COPY, "memref.copy: makes no scalar for the"),
    (Level.BUFFER, "tc.symbols", "tc.names", "has 'tc.symbols' and 'tc.shapes'"),
]


@pytest.mark.parametrize("case", range(len(FORMS)))
def test_what_a_level_asks_beside_its_ops(case, tmp_path, capfd):
    level, old, new, words = FORMS[case]
    path = tmp_path / "m.mlir"
    path.write_text(MODULES[level].replace(old, new))
    first = next(p for p in compiler.PASSES.values() if p.reads is level)
    for command in (["opt", str(path), f"--{first.name}"], ["check", str(path)]):
        assert main.run(command) == 1
        said = capfd.readouterr().err
        assert words in said
        assert "reads level" not in said


@pytest.mark.parametrize(
    ("level", "inputs", "results", "words"),
    [
        (
            Level.TENSOR,
            "f32",
            "",
            "argument 0 is f32, a type of levels struct",
        ),
        (Level.STRUCTURED, "f32", "", "argument 0 is f32, it must be a tensor"),
        (Level.STRUCTURED, "", "f32", "result 0 is f32, it must be a tensor"),
        (Level.BUFFER, "f32", "", "argument 0 is f32, it must be memory"),
        (Level.BUFFER, "", "f32", "gives values, on memory it must write to"),
    ],
)
def test_a_function_above_loop_takes_arrays(level, inputs, results, words):
    given = NUMBER if results else ""
    end = f'"func.return"({"%e" if results else ""}) : ({results}) -> ()'
    module = parse_module(function(f"{given}\n{end}", inputs, results))
    verify(module)
    verify(module, Level.LOOP)
    with pytest.raises(VerifyError, match=re.escape(words)):
        verify(module, level)


# A branch of each level: what `tc.if` takes and gives, and its blocks.
BRANCHES = {
    Level.TENSOR: ("tensor<i1>", "tensor<4xf32>", "tensor<4xf32>", "%a"),
    Level.STRUCTURED: ("tensor<i1>", "tensor<4xf32>", "tensor<4xf32>", "%a"),
    Level.BUFFER: ("memref<i1>", "memref<4xf32>", "", ""),
}


def branch(level, first="", second=""):
    """Return a function of one `tc.if`, with what its branches hold put in."""
    condition, type_, given, value = BRANCHES[level]
    head = f'{"%r = " if given else ""}"tc.if"(%c, %x) ({{'
    end = f'"tc.yield"({value}) : ({given}) -> ()'
    blocks = f"\n^bb0(%a: {type_}):\n{first}\n{end}\n}}, {{\n^bb0(%a: {type_}):\n"
    last = f"{second}\n{end}\n}}) : ({condition}, {type_}) -> ({given})"
    done = f'"func.return"({"%r" if given else ""}) : ({given}) -> ()'
    body = f"{head}{blocks}{last}\n{done}"
    text = function(body, f"{condition}, {type_}", given, "%c %x")
    if level is Level.BUFFER:
        given = "tc.shapes = [#tc.dims<[]>, #tc.dims<[4]>], tc.symbols = []"
        text = text.replace("}) : () -> ()", f"}}) {{{given}}} : () -> ()", 1)
    return text


@pytest.mark.parametrize("level", BRANCHES)
def test_branches_are_verified_at_each_level(level):
    module = parse_module(branch(level))
    verify(module, level)
    assert level_of(module) in (level, Level.TENSOR)
    for text in (branch(level, STEP), branch(level, "", STEP)):
        with pytest.raises(VerifyError, match=r"vector.step: .* not of " + level.value):
            verify(parse_module(text), level)
    type_ = BRANCHES[level][1]
    text = branch(level).replace(f"%a: {type_}", f"%a: {type_}, %b: {type_}", 1)
    with pytest.raises(VerifyError, match=r"tc.if: 2 arguments instead of 1"):
        verify(parse_module(text))
    last = f'"tc.yield"(%a) : ({type_}) -> ()'
    with pytest.raises(VerifyError, match=r"tc.yield: is not the last op"):
        verify(parse_module(branch(level, "", last)))


def test_a_branch_on_memory_gives_nothing():
    types = "(memref<i1>, memref<4xf32>) -> "
    text = branch(Level.BUFFER).replace('"tc.if"', '%r = "tc.if"')
    text = text.replace(f"}}) : {types}()", f"}}) : {types}memref<4xf32>")
    with pytest.raises(VerifyError, match="On memory there are no results"):
        verify(parse_module(text), Level.BUFFER)


def test_what_no_kernel_holds_gets_no_loops(tmp_path, capfd):
    fill = '"linalg.fill"(%k, %result) : (f32, memref<4xf32>) -> ()'
    text = f"{NUMBER.replace('%e', '%k')}\n{fill}"
    path = tmp_path / "m.mlir"
    path.write_text(MODULES[Level.BUFFER].replace("// in the function", text))
    assert main.run(["compile", str(path), "--emit=loop"]) == 1
    said = capfd.readouterr().err
    assert "linalg.fill: stands outside of a kernel, or is memory without a" in said
