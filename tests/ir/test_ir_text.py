"""The printer and the parser: canonical text, and what else is accepted."""

import re
import time

import numpy as np
import pytest

from tensorc.errors import CompileError, Location
from tensorc.ir.attributes import (
    Affine,
    AffineMap,
    ArrayAttr,
    Dense,
    Dims,
    Enum,
    SymbolRef,
    Typed,
    make_dict,
)
from tensorc.ir.builder import Builder
from tensorc.ir.core import single_block
from tensorc.ir.dims import ceildiv, floordiv, maximum, minimum, symbol
from tensorc.ir.opdef import TERMINATOR, example_of
from tensorc.ir.ops import OPS
from tensorc.ir.ops.builtin import Function, Module, Return
from tensorc.ir.ops.tensor.elementwise import Add
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import attribute_text, print_module, print_short
from tensorc.ir.types import (
    ELEMENTS,
    F16,
    F32,
    F64,
    I1,
    I8,
    I64,
    INDEX,
    FunctionType,
    MemRefType,
    TensorType,
    VectorType,
)
from tensorc.ir.verifier import verify
from tests.ir.programs import EVERYTHING, function, split_types

N, B = symbol("n"), symbol("B")


def module_of(*ops):
    region, block = single_block()
    for op in ops:
        block.append(op)
    return Module([], [], regions=[region])


def add_function(count, hints=("x", "")):
    type_ = TensorType((B, 10), F32)
    region, block = single_block()
    values = [block.add_argument(type_, hint) for hint in hints]
    builder = Builder(block)
    for _ in range(count):
        values.append(builder.value(Add, values[-1], values[0]))
    builder.create(Return, values[-1])
    function_type = FunctionType((type_,) * len(hints), (type_,))
    attributes = {"sym_name": "f", "function_type": function_type}
    return module_of(Function([], [], attributes, [region]))


def with_attribute(value):
    module = add_function(0)
    module.functions[0].attributes["tc.x"] = value
    return module


def test_everything_is_canonical_and_valid():
    module = parse_module(EVERYTHING)
    verify(module)
    assert print_module(module) == EVERYTHING


def test_places_round_trip():
    module = parse_module(EVERYTHING, "a b.tcir")
    text = print_module(module, locations=True)
    again = parse_module(text)
    assert print_module(again, locations=True) == text
    places = [op.location for op in again.walk()]
    assert [str(p) for p in places] == [str(op.location) for op in module.walk()]
    assert str(places[2]) == "a b.tcir:4:10"


ATTRIBUTES = {
    "true": True,
    "2 : i64": 2,
    "-9223372036854775808 : i64": -(1 << 63),
    "0.001 : f64": 1e-3,
    "1.0e+22 : f64": 1e22,
    "5.0e-324 : f64": 5e-324,
    "-0.0 : f64": -0.0,
    "0x7FF0000000000000 : f64": float("inf"),
    '"a\\22\\5C\\0A\\C3\\A9"': 'a"\\\né',
    "array<i64>": (),
    "array<i64: 1, -2>": (1, -2),
    "0 : index": Typed(0, INDEX),
    "-128 : i8": Typed(-128, I8),
    "255 : ui8": Typed(255, ELEMENTS["ui8"]),
    "0.1 : f32": Typed(float(np.float32(0.1)), F32),
    "0x7F800000 : f32": Typed(float("inf"), F32),
    "0x7E00 : f16": Typed(float("nan"), F16),
    "6.55e+04 : f16": Typed(65504.0, F16),
    "f32": F32,
    "index": INDEX,
    "tensor<f32>": TensorType((), F32),
    "tensor<4x10xf32>": TensorType((4, 10), F32),
    "tensor<0x1xf64>": TensorType((0, 1), F64),
    'tensor<?x10xf32, #tc.dims<["B", 10]>>': TensorType((B, 10), F32),
    "memref<?x0x4xi8>": MemRefType((None, 0, 4), I8),
    "vector<16xi1>": VectorType(16, I1),
    "(i1, index) -> ()": FunctionType((I1, INDEX), ()),
    "() -> f32": FunctionType((), (F32,)),
    "() -> (() -> ())": FunctionType((), (FunctionType((), ()),)),
    "#tc.dims<[]>": Dims(()),
    '#tc.dims<["2*B + 1", 7, "-B + n", "B*n"]>': Dims((2 * B + 1, 7, N - B, B * N)),
    '#tc.dims<["floordiv(n + 3, 4)"]>': Dims((ceildiv(N, 4),)),
    '#tc.dims<["max(2, n) + 2*min(B, n)"]>': Dims((2 * minimum(N, B) + maximum(N, 2),)),
    '#tc.dims<["floordiv(min(B, n), B)"]>': Dims((floordiv(minimum(B, N), B),)),
    "affine_map<(d0, d1) -> (d1, 0)>": AffineMap(2, (1, None)),
    "affine_map<() -> ()>": AffineMap(0, ()),
    "affine_map<(d0, d1) -> (d0 * 2 + d1 + 1, d1 + 0)>": AffineMap(
        2, (Affine(1, ((0, 2), (1, 1))), Affine(0, ((1, 1),)))
    ),
    "affine_map<(d0, d1) -> (-d0 + 9, d1 * -2 + 3, 5)>": AffineMap(
        2, (Affine(9, ((0, -1),)), Affine(3, ((1, -2),)), Affine(5))
    ),
    "affine_map<(d0)[B, n] -> (-d0 + B * n + n - 1)>": AffineMap(
        1, (Affine(B * N + N - 1, ((0, -1),)),)
    ),
    'affine_map<(d0)["min(B, n)", "$i"] -> (d0 + "min(B, n)" * 2, "$i")>': AffineMap(
        1, (Affine(2 * minimum(B, N), ((0, 1),)), Affine(symbol("$i")))
    ),
    'affine_map<(d0)["d0"] -> (d0 + "d0")>': AffineMap(
        1, (Affine(symbol("d0"), ((0, 1),)),)
    ),
    "@f": SymbolRef("f"),
    '@"a b\\22"': SymbolRef('a b"'),
    "#linalg.iterator_type<parallel>": Enum("linalg.iterator_type", "parallel"),
    "[1 : i64, [], true]": ArrayAttr((1, ArrayAttr(()), True)),
    '{"a b" = 1 : i64, c = {}}': make_dict(c=make_dict(), **{"a b": 1}),
}


@pytest.mark.parametrize("text", ATTRIBUTES)
def test_attribute_text(text):
    value = ATTRIBUTES[text]
    assert attribute_text(value) == text
    printed = print_module(with_attribute(value))
    module = parse_module(printed)
    found = module.functions[0].attributes["tc.x"]
    assert found == value
    assert type(found) is type(value)
    assert print_module(module) == printed


def dense(values, element):
    array = np.array(values, element.dtype)
    return Dense(array, TensorType(array.shape, element))


DENSE = {
    "dense<[[1.0, 2.0]]> : tensor<1x2xf32>": dense([[1, 2]], F32),
    "dense<0.0> : tensor<3x4xf32>": dense(np.zeros((3, 4)), F32),
    "dense<[0.0, -0.0]> : tensor<2xf32>": dense([0.0, -0.0], F32),
    "dense<0x7FC00000> : tensor<2xf32>": dense([np.nan, np.nan], F32),
    "dense<1.5> : tensor<f64>": dense(1.5, F64),
    "dense<> : tensor<2x0xf32>": dense(np.zeros((2, 0)), F32),
    "dense<[true, false]> : tensor<2xi1>": dense([True, False], I1),
    "dense<true> : tensor<20xi1>": dense([True] * 20, I1),
    "dense<[-1, 127]> : tensor<2xi8>": dense([-1, 127], I8),
    'dense<"0x' + bytes(range(17)).hex().upper() + '"> : tensor<17xi8>': dense(
        range(17), I8
    ),
}


@pytest.mark.parametrize("text", DENSE)
def test_dense_text(text):
    assert attribute_text(DENSE[text]) == text
    module = parse_module(print_module(with_attribute(DENSE[text])))
    assert module.functions[0].attributes["tc.x"] == DENSE[text]


def test_long_i1_constants_are_lists():
    value = dense([i % 3 == 0 for i in range(40)], I1)
    assert attribute_text(value).count("false") == 26
    module = parse_module(print_module(with_attribute(value)))
    assert module.functions[0].attributes["tc.x"] == value


@pytest.mark.parametrize("name", [n for n in ELEMENTS if n.startswith("f")])
def test_every_float_round_trips(name):
    element = ELEMENTS[name]
    random = np.random.default_rng(7)
    data = random.integers(0, 256, 4000 * element.bytes, np.uint8).tobytes()
    values = np.frombuffer(data, element.dtype)
    # A signalling NaN goes quiet in arithmetic, but a constant is only copied.
    items = tuple(Dense(v.reshape(1), TensorType((1,), element)) for v in values)
    module = parse_module(print_module(with_attribute(ArrayAttr(items))))
    assert module.functions[0].attributes["tc.x"] == ArrayAttr(items)


def test_names():
    hints = ["x", "x", "x_1", "2b", "", "arg9", 'q"%}\n@', "é", "_"]
    text = print_module(add_function(1, hints))
    names = re.findall(r"(%\w+):", text)
    assert names == [
        *("%x", "%x_1", "%x_1_1", "%_2b", "%arg0", "%arg1"),
        *("%q_____", "%_", "%__1"),
    ]
    again = parse_module(text)
    assert print_module(again) == text
    block = again.functions[0].body.block
    assert [v.hint for v in block.arguments][:5] == ["x", "x_1", "x_1_1", "_2b", ""]


def test_names_of_several_results_are_kept():
    body = """
    %a, %5:2, %d = "tc.group"(%0, %1, %2, %3) <{outer = 0 : i64, shapes = []}> ({
    ^bb0(%w: i1, %x: i8, %y: f32, %z: f64):
      "tc.yield"(%w, %x, %y, %z) : (i1, i8, f32, f64) -> ()
    }) : (i1, i8, f32, f64) -> (i1, i8, f32, f64)
    "func.return"(%a, %5#0, %5#1, %d) : (i1, i8, f32, f64) -> ()"""
    types = "i1, i8, f32, f64"
    module = parse_module(function(body, types, types))
    verify(module)
    text = print_module(module)
    assert "%a:3, %d = " in text
    assert '"func.return"(%a#0, %a#1, %a#2, %d)' in text
    assert print_module(parse_module(text)) == text


OTHER_TEXT = """
// written by hand, or by another tool
#map = affine_map<(a, b) -> (b, 0)>
#loc = loc(unknown)
"func.func"() ({
^entry(%a.b$c: f32 loc("x":1:2), %-x : tensor<2xf32> loc(#loc)): // names
  %7 = "arith.constant"() {value = 0x3F800000 : f32} : () -> f32 loc(#loc2)
  %8 = "tc.group"(%7) <{outer = 0 : i64, shapes = []}> ({
  ^bb0(%7: f32):
    "tc.yield"(%7) {tc.m = #map} : (f32) -> () loc(fused["f":3:4, "g":5:6])
  }) : (f32) -> (f32) loc("relu"(#loc2))
  "func.return"() : () -> () loc(callsite("f":7:8 at "g":1:1))
}) {sym_name = "f", function_type = (f32, tensor<2xf32>) -> ()} : () -> ()
#loc1 = loc("m.tc":9:10)
#loc2 = loc(#loc1)
"""


def test_other_text_is_accepted():
    module = parse_module(OTHER_TEXT)
    verify(module)
    ops = list(module.walk())
    places = [str(op.location) for op in ops]
    assert places[2:] == ["m.tc:9:10", "m.tc:9:10", "f:3:4", "f:7:8"]
    assert ops[2].attributes["value"] == Typed(1.0, F32)
    assert ops[4].attributes["tc.m"] == AffineMap(2, (1, None))
    text = print_module(module)
    assert "^bb0(%a_b_c: f32, %_x: tensor<2xf32>):" in text
    assert print_module(parse_module(text)) == text


def test_ops_without_a_place_are_placed_in_their_text():
    module = parse_module(EVERYTHING, "m.tcir")
    first = module.functions[0].body.block.ops[0]
    assert first.location == Location("m.tcir", 4, 10, 0, 21)


def test_plain_numbers_become_typed_where_declared():
    module = parse_module(EVERYTHING)
    constants = [o for o in module.walk() if o.name == "arith.constant"]
    values = [o.attributes["value"] for o in constants]
    assert values[2:] == [Typed(True, I1), Typed(2.5, F64), Typed(-7, I64)]


def test_several_blocks_and_empty_regions():
    text = """\
"builtin.module"() ({
  "tc.group"() ({
  ^bb0:
    "tc.yield"() : () -> ()
  ^bb1(%x: f32):
    "tc.yield"() : () -> ()
  }) : () -> ()
  "tc.group"() ({
  }) : () -> ()
  "tc.group"() ({
  ^bb0:
  }) : () -> ()
}) : () -> ()
"""
    assert print_module(parse_module(text)) == text


def test_undefined_operands_can_be_printed():
    module = add_function(1)
    del module.functions[0].body.block.ops[0]
    assert "<<undefined value>>" in print_module(module)


def test_short_text():
    text = print_short(parse_module(EVERYTHING))
    assert "    %z = tc.add %0, %bias {tc.note = " in text
    assert " : f32[B, 10]\n" in text
    assert "(%W: f32[784, 10], %arg0: f32[B, 784])" in text
    assert ") -> (f32) {\n" in text
    assert "linalg.iterator" not in text
    assert "affine_map" not in text
    assert "Segment" not in text


def example_in_function(cls):
    """Return the example of an op in a function that defines what it uses."""
    example = example_of(cls)
    if cls.name in ("builtin.module", "func.func"):
        return example
    used = re.search(r'"[\w.]+"\(([^)]*)\)', example)[1]
    inputs = example.strip().rpartition(" : (")[2].rpartition(") -> ")[0]
    types = split_types(inputs)
    pairs = dict(zip(used.split(", ") if used else [], types, strict=True))
    if TERMINATOR not in cls.traits:
        example += '\n"func.return"() : () -> ()'
    results = inputs if cls.name == "func.return" else ""
    return function(example, ", ".join(pairs.values()), results, " ".join(pairs))


@pytest.mark.parametrize("cls", OPS, ids=lambda cls: cls.name)
def test_examples_in_docstrings(cls):
    module = parse_module(example_in_function(cls))
    assert any(type(op) is cls for op in module.walk())
    text = print_module(module)
    assert print_module(parse_module(text)) == text
    # Others end a region that their example does not show.
    if TERMINATOR not in cls.traits or cls.name == "func.return":
        verify(module)


def seconds(count):
    module = add_function(count)
    start = time.process_time()
    text = print_module(module)
    printed = time.process_time()
    again = parse_module(text)
    verify(again)
    assert len(text.splitlines()) == count + 6
    return printed - start, time.process_time() - printed


def test_large_functions_take_linear_time():
    small, large = seconds(2_000), seconds(20_000)
    assert large[0] < 2
    assert large[1] < 15
    # Ten times the ops: quadratic would be a hundred times the seconds.
    assert sum(large) < 30 * sum(small)


def test_deep_regions():
    head = '"tc.group"() <{outer = 0 : i64, shapes = []}> ({\n'
    tail = '"tc.yield"() : () -> ()\n}) : () -> ()\n'

    def nest(depth):
        return head * depth + tail * depth

    # The module around them is the 200th.
    module = parse_module(nest(199))
    verify(module)
    text = print_module(module)
    assert print_module(parse_module(text)) == text
    with pytest.raises(CompileError, match="TC0209"):
        parse_module(nest(5000))
