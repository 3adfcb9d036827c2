"""Constants of more elements than code writes one by one: data beside the code."""

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.backend.llvm import codegen
from tensorc.errors import IndexOutOfRange
from tensorc.ir.attributes import MOST_WRITTEN
from tensorc.ir.interpreter import interpret
from tensorc.ir.ops.memory.memory import Data, Store
from tensorc.ir.ops.tensor.elementwise import Add, Mul
from tensorc.ir.ops.tensor.indexing import ADD
from tensorc.ir.text.parser import parse_module
from tensorc.ir.types import F32, F64, TensorType, element_of
from tests.branching import CONDITION, branches, build
from tests.samples import same_bits
from tests.stages import TARGET, all_results, compiled_results, updates_of

MATRIX = TensorType((5, 7), F32)
TABLE = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
ROWS = np.array([4, 0, 3, 1, -1, 2, 2, 0, 4] * 3, np.int64)
X = np.random.default_rng(2).normal(size=(5, 7)).astype(np.float32)


def check(module, arguments):
    """Check that all stages agree; return what they give."""
    found = all_results(module, [("f", arguments)], (0, 2))
    (first,) = found.pop("tensor")
    for stage, (results,) in found.items():
        for left, right in zip(results, first, strict=True):
            assert same_bits(left, right), stage
    return first


def ops_at(module, stage, cls):
    """Return the ops of a class in the entry of a module that has that stage."""
    made = compiler.compile(module, TARGET, upto=stage).module
    return [op for op in made.functions[-1].walk() if isinstance(op, cls)]


@pytest.mark.parametrize(
    "name", ["bool", "int8", "uint16", "int64", "uint64", "float16", "float64"]
)
def test_elements_of_every_type(name):
    values = np.random.default_rng(3).integers(0, 2, 40).astype(name)
    values[7:9] = 1, 0
    if values.dtype.kind == "f":
        values[:5] = -0.0, np.inf, -np.inf, np.nan, 1e-7
    module = build([], lambda b: [b.constant(values.reshape(8, 5))])
    (given,) = check(module, [])
    assert same_bits(given, values.reshape(8, 5))


@pytest.mark.parametrize("count", [0, 1, MOST_WRITTEN, MOST_WRITTEN + 1])
def test_small_ones_are_stored_and_large_ones_are_data(count):
    values = np.arange(count, dtype=np.float64) - 3
    x = TensorType((count,), F64)
    module = build([x], lambda b, x: [b(Mul, x, b.constant(values))])
    (given,) = check(module, [values])
    assert same_bits(given, values * values)
    again = build([x], lambda b, x: [b(Mul, x, b.constant(values))])
    assert len(ops_at(again, "buffer", Data)) == (count > MOST_WRITTEN)
    again = build([x], lambda b, x: [b(Mul, x, b.constant(values))])
    stores = ops_at(again, "buffer", Store)
    assert len(stores) == (count if 1 < count <= MOST_WRITTEN else 0)


def test_in_branches_and_through_them():
    def fill(b, c, x):
        outside = b.constant(TABLE)

        def then():
            return [b(Add, x, outside), b.constant(TABLE * 2)]

        return branches(b, c, then, lambda: [x, outside])

    for c in (True, False):
        module = build([CONDITION, MATRIX], fill)
        given = check(module, [np.array(c), X])
        assert same_bits(given[0], X + TABLE if c else X)
        assert same_bits(given[1], TABLE * 2 if c else TABLE)


def test_as_indices_as_what_is_read_and_as_what_is_changed():
    def fill(b, x):
        rows = b.check_index(b.constant(ROWS), 0, 5)
        table = b.constant(TABLE)
        changed = b.scatter(table, b.constant(TABLE[ROWS]), [rows], (0,), ADD)
        return [b.gather(x, [rows], (0,)), changed, table]

    read, changed, table = check(build([MATRIX], fill), [X])
    assert same_bits(read, X[ROWS])
    wanted = TABLE.copy()
    np.add.at(wanted, ROWS, TABLE[ROWS])
    np.testing.assert_allclose(changed, wanted, 1e-5)
    assert same_bits(table, TABLE)


def test_an_update_to_a_constant_leaves_the_constant_as_it_is():
    def fill(b, w, v):
        table = b.constant(TABLE)
        return [table, b(Add, v, table), table]

    module = build([MATRIX, MATRIX], fill, {0: 0, 1: 1})
    new, added, given = sorted(
        check(module, [X, X]), key=lambda a: not same_bits(a, TABLE)
    )
    assert same_bits(new, TABLE)
    assert same_bits(added, TABLE)
    assert same_bits(given, X + TABLE)


def test_equal_constants_lie_once_in_the_code():
    def fill(b, c):
        return branches(
            b, c, lambda: [b.constant(TABLE)], lambda: [b.constant(TABLE.copy())]
        )

    loop = compiler.compile(build([CONDITION], fill), TARGET, upto="loop").module
    text = codegen.emit_llvm(loop, TARGET)
    assert text.count("unnamed_addr constant") == 1


def test_data_is_not_written():
    text = """
    "builtin.module"() ({
      "func.func"() <{function_type = (f32, index) -> (), sym_name = "f"}> ({
      ^bb0(%v: f32, %i: index):
        %0 = "tc.data"() <{value = dense<[1.0, 2.0]> : tensor<2xf32>}> : () -> memref<2xf32>
        "memref.store"(%v, %0, %i) : (f32, memref<2xf32>, index) -> ()
        "func.return"() : () -> ()
      }) : () -> ()
    }) : () -> ()
    """  # noqa: E501
    with pytest.raises(ValueError, match="read-only"):
        interpret(parse_module(text), "f", [np.float32(3), np.array(1)])


@pytest.mark.parametrize("name", ["float32", "int8"])
def test_a_million_elements_compile_in_time_of_their_size(name):
    values = np.random.default_rng(3).integers(0, 99, (1000, 1000)).astype(name)
    x = TensorType((1000, 1000), element_of(values.dtype))
    module = build([x], lambda b, x: [b(Add, x, b.constant(values))])
    made = compiler.compile(module, TARGET)
    assert values.nbytes <= len(made.artifact.object) <= values.nbytes + 100_000


def test_a_list_of_a_file_and_the_text_of_ir(tmp_path):
    numbers = ", ".join(str(n / 4) for n in range(40))
    path = tmp_path / "table.tc"
    path.write_text(f"fn f(x: f32[40]) = x * [{numbers}]\n")
    x = np.arange(40, dtype=np.float32)
    program = tc.load(path)
    given = program.functions["f"](x)
    assert same_bits(given, x * (np.arange(40, dtype=np.float32) / 4))
    kept = tmp_path / "f.mlir"
    kept.write_text(program.emit("tensor"))
    assert same_bits(tc.load(kept).functions["f"](x), given)


def test_an_index_of_a_constant_that_is_outside_is_an_error():
    def fill(b, x):
        rows = b.constant(np.full(20, 4, np.int64) + np.arange(20) // 19)
        return [b.gather(x, [b.check_index(rows, 0, 5)], (0,))]

    types = [TensorType((5,), F32)]
    updated = updates_of(build(types, fill))
    made = compiler.compile(build(types, fill), TARGET).artifact
    with pytest.raises(IndexOutOfRange, match="index 5 is out of range"):
        compiled_results(made, [("f", [np.zeros(5, np.float32)])], updated)
