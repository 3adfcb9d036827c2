"""The verifier: each invariant has a module that breaks it."""

import re

import numpy as np
import pytest

from tensorc.errors import VerifyError
from tensorc.ir.attributes import AffineMap, ArrayAttr, Dense, Dims, Typed
from tensorc.ir.core import Block, Op, Region, single_block
from tensorc.ir.dims import symbol
from tensorc.ir.levels import AT_LOOP, Level
from tensorc.ir.opdef import op as declared
from tensorc.ir.text.parser import parse_module
from tensorc.ir.types import F32, I8, TensorType
from tensorc.ir.verifier import verify
from tests.ir.programs import EVERYTHING, function

T = "tensor<4xf32>"
RETURN = '"func.return"() : () -> ()'
GRAD = '"tc.grad"(%0) ({{\n{}\n}}) : (tensor<f32>) -> tensor<f32>\n' + RETURN
MUL = '"tc.mul"(%x, %x) : (tensor<f32>, tensor<f32>) -> tensor<f32>'


def sum_with(properties):
    return f'"tc.sum"(%0) <{{{properties}}}> : ({T}) -> tensor<f32>\n{RETURN}'


HALF_SUM = """%1 = "tensor.empty"() : () -> tensor<f16>
%2 = "linalg.generic"(%0, %1) <{indexing_maps = [affine_map<(d0) -> (d0)>,
  affine_map<(d0) -> ()>], iterator_types = [#linalg.iterator_type<reduction>],
  operandSegmentSizes = array<i32: 1, 1>}> ({
^bb0(%a: f16, %b: f16):
  %c = "arith.addf"(%b, %a) : (f16, f16) -> f16
  "linalg.yield"(%c) : (f16) -> ()
}) {tc.order = "lanes"} : (tensor<4xf16>, tensor<f16>) -> tensor<f16>
"""

# the body of a function, the types of its arguments, words of the message
INVALID = {
    "a sum in f16": (
        HALF_SUM + RETURN,
        "tensor<4xf16>",
        'linalg.generic: needs No destination of "lanes" or "fma" is f16',
    ),
    "no terminator": (
        "",
        "",
        "func.func: the block must end with func.return, not nothing",
    ),
    "wrong terminator": (
        '"scf.yield"() : () -> ()',
        "",
        "must end with func.return, not scf.yield",
    ),
    "terminator in the middle": (f"{RETURN}\n{RETURN}", "", "is not the last op"),
    "results of a function": (
        f'"func.return"(%0) : ({T}) -> ()',
        T,
        "func.return: 1 operands instead of 0",
    ),
    "too few operands": (
        f'"tc.add"(%0) : ({T}) -> {T}\n{RETURN}',
        T,
        "tc.add: needs 2 operands, got 1",
    ),
    "too few operands of many": (
        f'"memref.load"() : () -> f32\n{RETURN}',
        T,
        "memref.load: needs at least 1 operands, got 0",
    ),
    "too many regions": (
        f'"tc.add"(%0, %0) ({{}}) : ({T}, {T}) -> {T}\n{RETURN}',
        T,
        "tc.add: needs 0 regions, got 1",
    ),
    "no region": (
        f'"tc.grad"(%0) : ({T}) -> {T}\n{RETURN}',
        T,
        "tc.grad: needs 1 regions, got 0",
    ),
    "operand of the wrong kind": (
        f'"tc.exp"(%0) : (f32) -> f32\n{RETURN}',
        "f32",
        "tc.exp: operand 0 must be a TensorType, got f32",
    ),
    "constraint": (
        f'"tc.add"(%0, %1) : ({T}, tensor<5xf32>) -> {T}\n{RETURN}',
        f"{T}, tensor<5xf32>",
        "tc.add: needs lhs and rhs have one shape, got f32[4] and f32[5] [C2]",
    ),
    "unproven equality": (
        f'"tc.add"(%0, %1) : (tensor<?xf32, #tc.dims<["n"]>>, {T}) -> {T}\n{RETURN}',
        f'tensor<?xf32, #tc.dims<["n"]>>, {T}',
        "got f32[n] and f32[4] [C2]",
    ),
    "result type": (
        f'"tc.exp"(%0) : ({T}) -> tensor<5xf32>\n{RETURN}',
        T,
        "tc.exp: result 0 is f32[5] instead of f32[4]",
    ),
    "number of results": (
        f'"tc.exp"(%0) : ({T}) -> ()\n{RETURN}',
        T,
        "tc.exp: 0 results instead of 1",
    ),
    "check of free results": (
        f'"arith.extf"(%0) : (f32) -> vector<4xf64>\n{RETURN}',
        "f32",
        "arith.extf: needs operand and result are scalars, or vectors of one length",
    ),
    "free results lack": (
        f'"arith.extf"(%0) : (f32) -> ()\n{RETURN}',
        "f32",
        "arith.extf: its type rule failed: IndexError",
    ),
    "missing attribute": (
        sum_with("axes = array<i64: 0>"),
        T,
        "tc.sum: attribute 'order' is missing",
    ),
    "attribute type": (
        sum_with('axes = "0", order = "lanes"'),
        T,
        "attribute 'axes' must be tuple, got '0'",
    ),
    "boolean for a number": (
        f'"tc.log_softmax"(%0) <{{axis = false}}> : ({T}) -> {T}\n{RETURN}',
        T,
        "attribute 'axis' must be int, got False",
    ),
    "undeclared attribute": (
        sum_with('axes = array<i64: 0>, axis = 1, order = "lanes"'),
        T,
        "attribute 'axis' is not declared",
    ),
    "attribute value": (
        sum_with('axes = array<i64: 1>, order = "lanes"'),
        T,
        "tc.sum: needs axes are ascending axes of operand, at least one, "
        "got axes (1,) of rank 1 [C1]",
    ),
    "no axis": (
        sum_with('axes = array<i64>, order = "lanes"'),
        T,
        "tc.sum: needs axes are ascending axes of operand, at least one, "
        "got no axis [C1]",
    ),
    "an axis twice": (
        sum_with('axes = array<i64: 0, 0>, order = "lanes"'),
        T,
        "got axes (0, 0) of rank 1 [C1]",
    ),
    "no such function": (
        f'"func.call"() <{{callee = @g}}> : () -> ()\n{RETURN}',
        "",
        "func.call: there is no function 'g'",
    ),
    "call with other types": (
        f'"func.call"() <{{callee = @f}}> : () -> ()\n{RETURN}',
        T,
        "func.call: 0 operands instead of 1",
    ),
    "argument of a region": (
        GRAD.format('^bb0(%x: f32):\n"tc.yield"(%x) : (f32) -> ()'),
        "tensor<f32>",
        "tc.grad: argument 0 is f32 instead of f32",
    ),
    "arguments of a region": (
        GRAD.format('"tc.yield"(%0) : (tensor<f32>) -> ()'),
        "tensor<f32>",
        "tc.grad: 0 arguments instead of 1",
    ),
    "cost of two": (
        GRAD.format(
            f"^bb0(%x: tensor<f32>):\n%y = {MUL}\n"
            '"tc.yield"(%x, %y) : (tensor<f32>, tensor<f32>) -> ()'
        ),
        "tensor<f32>",
        "tc.yield: 2 operands instead of 1",
    ),
    "no block": (GRAD.format(""), "tensor<f32>", "a region needs 1 block, got 0"),
    "two blocks": (
        GRAD.format("^bb0(%x: tensor<f32>):\n^bb1:"),
        "tensor<f32>",
        "a region needs 1 block, got 2",
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_functions(name):
    body, inputs, words = INVALID[name]
    module = parse_module(function(body, inputs), "m.tcir")
    with pytest.raises(VerifyError, match=re.escape(words)) as caught:
        verify(module)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "TC0250"
    assert diagnostic.location.file == "m.tcir"


def test_function_type():
    text = function(RETURN, T).replace(f"({T}) -> ()", "(f32) -> ()")
    with pytest.raises(VerifyError, match=re.escape("argument 0 is f32[4] instead")):
        verify(parse_module(text))
    text = function(RETURN, T).replace("<{", "<{arg_attrs = [{}, {}], ")
    with pytest.raises(VerifyError, match="'arg_attrs' must hold 1 dictionaries"):
        verify(parse_module(text))
    text = function(RETURN, T).replace("<{", "<{arg_attrs = [1], ")
    with pytest.raises(VerifyError, match="'arg_attrs' must hold 1 dictionaries"):
        verify(parse_module(text))


def test_names_of_functions_are_unique():
    text = EVERYTHING.replace('"kernel"', '"loss"')
    with pytest.raises(VerifyError, match="the name 'loss' is given twice"):
        verify(parse_module(text))


def test_guards_allow_equalities():
    n = 'tensor<?xf32, #tc.dims<["n"]>>'
    body = f'"tc.add"(%0, %1) : ({n}, {T}) -> {n}\n{RETURN}'
    module = parse_module(function(body, f"{n}, {T}"))
    function_ = module.functions[0]
    with pytest.raises(VerifyError, match="C2"):
        verify(module)
    function_.attributes["tc.guards"] = ArrayAttr((Dims((symbol("n"), 4)),))
    verify(module)
    function_.attributes["tc.guards"] = ArrayAttr((Dims((symbol("n"),)),))
    with pytest.raises(VerifyError, match=r"'tc.guards' must hold pairs"):
        verify(module)


def everything():
    return parse_module(EVERYTHING)


def find(module, name) -> Op:
    return next(op for op in module.walk() if op.name == name)


def swap(module):
    block = find(module, "tc.matmul").parent
    block.ops[0], block.ops[2] = block.ops[2], block.ops[0]


def leak(module):
    inner = find(module, "tc.mul")
    find(module, "func.return").operands = [inner.result]


def pierce(module):
    group = find(module, "tc.group")
    group.regions[0].block.terminator.operands[0] = group.operands[0]


def own_result(module):
    op = find(module, "tc.mul")
    op.operands[0] = op.result


def result_in_its_region(module):
    op = find(module, "tc.grad")
    op.regions[0].block.ops[0].operands[0] = op.result


def twice(module):
    block = find(module, "tc.matmul").parent
    block.ops.insert(0, block.ops[0])


def cycle(module):
    block = find(module, "tc.grad").regions[0].block
    module.parent = block
    block.ops.insert(0, module)


def shared_region(module):
    first, second = module.functions[:2]
    second.regions = first.regions


def orphan(module):
    find(module, "tc.mul").parent = None


def block_parent(module):
    find(module, "tc.grad").regions[0].block.parent = Region()


def foreign_argument(module):
    find(module, "tc.grad").regions[0].block.arguments[0].owner = Block()


def foreign_result(module):
    find(module, "tc.mul").results[0].index = 1


def negative_size(module):
    find(module, "tc.broadcast").attributes["shape"] = Dims((-1, 10))
    find(module, "tc.broadcast").result.type = TensorType((-1, 10), F32)


def attribute(name, key, value):
    def change(module):
        find(module, name).attributes[key] = value

    return change


LINKS = [
    (swap, "operand 0 is not defined before the op"),
    (leak, "func.return: operand 0 is not defined before the op"),
    (pierce, "tc.yield: operand 0 comes from outside of an isolated region"),
    (own_result, "tc.mul: operand 0 is not defined before the op"),
    (result_in_its_region, "tc.mul: operand 0 is not defined before the op"),
    (twice, "stands twice in the module"),
    (cycle, "stands twice in the module"),
    (shared_region, "func.func: region stands twice in the module"),
    (orphan, "tc.mul: its parent is not the block in tc.grad"),
    (block_parent, "tc.grad: a block has another parent"),
    (foreign_argument, "tc.grad: argument 0 belongs to another"),
    (foreign_result, "tc.mul: result 0 belongs to another"),
    (negative_size, "tc.broadcast: result 0 has a negative size"),
    (attribute("tc.group", "outer", 1 << 70), "'outer': 1180591620717411303424 is no"),
    (attribute("tc.add", "tc.x", (1, "a")), "'tc.x': 'a' is no integer"),
    (attribute("tc.add", "tc.x", ArrayAttr((Typed(300, I8),))), "300 is no integer in"),
    (attribute("tc.add", "tc.x", AffineMap(1, (0, 0))), "no map of points"),
    (
        attribute("tc.constant", "value", Dense(np.zeros(3), TensorType((10,), F32))),
        "'value': float64(3,) for f32[10]",
    ),
]


@pytest.mark.parametrize("case", range(len(LINKS)))
def test_broken_links(case):
    change, words = LINKS[case]
    module = everything()
    change(module)
    with pytest.raises(VerifyError, match=re.escape(words)):
        verify(module)


def test_regions_see_what_is_around_them():
    body = f"""
    "scf.if"(%0) ({{
      %2 = "math.exp"(%1) : (f32) -> f32
      "scf.yield"() : () -> ()
    }}, {{}}) : (i1) -> ()
    {RETURN}"""
    verify(parse_module(function(body, "i1, f32")))


def test_levels():
    tensor = parse_module(function(f'"tc.exp"(%0) : ({T}) -> {T}\n{RETURN}', T))
    verify(tensor, Level.TENSOR)
    words = "tc.exp: is an op of level tensor, not of structured"
    with pytest.raises(VerifyError, match=words):
        verify(tensor, Level.STRUCTURED)
    words = re.escape("argument 0 is f32[4], a type of levels tensor and structured")
    with pytest.raises(VerifyError, match=words):
        verify(tensor, Level.LOOP)
    scalar = parse_module(function(f'"math.exp"(%0) : (f32) -> f32\n{RETURN}', "f32"))
    verify(scalar, Level.LOOP)
    words = "func.func: argument 0 is f32, a type of levels structured, buffer and loop"
    with pytest.raises(VerifyError, match=words):
        verify(scalar, Level.TENSOR)


def test_an_op_without_levels_is_refused():
    with pytest.raises(TypeError, match="@op needs levels="):
        declared("tc.nowhere")(type("Nowhere", (Op,), {}))
    somewhere = declared("tc.somewhere", levels=AT_LOOP)(type("Some", (Op,), {}))
    assert somewhere.levels == AT_LOOP


def test_an_op_must_say_what_its_regions_hold():
    class Held(Op):
        body: Region

    cls = declared("tc.held", levels=AT_LOOP)(Held)
    region, _ = single_block()
    with pytest.raises(VerifyError, match="declares 0 blocks for 1 regions"):
        verify(cls([], [], {}, [region]))
