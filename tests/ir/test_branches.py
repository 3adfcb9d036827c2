"""`tc.if`: its meaning, and `isolate`, which finds what its regions use."""

import re

import numpy as np
import pytest

from tensorc.errors import IndexOutOfRange, ShapeError, VerifyError
from tensorc.ir.dims import symbol
from tensorc.ir.interpreter import interpret
from tensorc.ir.levels import Level
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.tensor.elementwise import Add, Exp, Mul, Neg
from tensorc.ir.ops.tensor.making import Constant
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.ir.types import F32, I64, TensorType
from tensorc.ir.verifier import verify
from tests.branching import CONDITION, branches, branches_of, build

VECTOR = TensorType((4,), F32)
X = np.array([0.0, 1.0, -2.0, 3.0], np.float32)


def only_if(module):
    (op,) = branches_of(module)
    return op


def run(module, *arguments):
    return interpret(module, "f", [np.asarray(a) for a in arguments])


def test_one_of_two_programs_runs():
    def fill(b, c, x):
        return branches(b, c, lambda: [b(Exp, x)], lambda: [b(Neg, x)])

    module = build([CONDITION, VECTOR], fill)
    assert run(module, True, X)[0].tobytes() == np.exp(X).tobytes()
    assert run(module, False, X)[0].tobytes() == (-X).tobytes()


def test_captures_are_what_is_used_each_once_in_order():
    def fill(b, c, x, y, z):
        unused = b(Neg, z)
        doubled = b(Add, y, y)

        def otherwise():
            return [b(Add, b(Mul, x, y), doubled)]

        (chosen,) = branches(b, c, lambda: [b(Mul, doubled, x)], otherwise)
        return [chosen, unused]

    module = build([CONDITION, VECTOR, VECTOR, VECTOR], fill)
    op = only_if(module)
    _, x, y, _ = module.functions[0].body.block.arguments
    assert [v.op.name if v.op else v for v in op.captures] == ["tc.add", x, y]
    for region in op.regions:
        assert [a.type for a in region.block.arguments] == [VECTOR] * 3
    given = [np.asarray(v, np.float32) for v in (X, X + 1, X)]
    assert (run(module, True, *given)[0] == 2 * (X + 1) * X).all()
    assert (run(module, False, *given)[0] == X * (X + 1) + 2 * (X + 1)).all()


def test_branches_without_captures_have_their_own_constants():
    def fill(b, c):
        shared = b.scalar(2.5, F32)
        return branches(b, c, lambda: [shared], lambda: [b(Neg, shared)])

    module = build([CONDITION], fill)
    op = only_if(module)
    assert op.captures == []
    assert [type(r.block.ops[0]) for r in op.regions] == [Constant, Constant]
    assert (run(module, True)[0], run(module, False)[0]) == (2.5, -2.5)


def test_what_an_inner_branch_uses_its_outer_one_captures():
    def fill(b, c, d, x, y):
        def inner():
            return branches(b, d, lambda: [b(Mul, x, y)], lambda: [x])

        return branches(b, c, inner, lambda: [y])

    module = build([CONDITION, CONDITION, VECTOR, VECTOR], fill)
    outer, inner = branches_of(module)
    _, d, x, y = module.functions[0].body.block.arguments
    assert outer.captures == [d, x, y]
    assert all(v.owner is outer.then.block for v in inner.operands)
    for c in (True, False):
        for d in (True, False):
            wanted = X * (X + 1) if c and d else X if c else X + 1
            assert (run(module, c, d, X, X + np.float32(1))[0] == wanted).all()


def test_results_of_several_types():
    def fill(b, c, x):
        def then():
            return [b.sum(x, 0), x, b.scalar(7, I64)]

        def otherwise():
            return [b.scalar(0.5, F32), b(Neg, x), b.scalar(8, I64)]

        return branches(b, c, then, otherwise)

    module = build([CONDITION, VECTOR], fill)
    total, same, number = run(module, True, X)
    assert (total, number, number.dtype) == (2.0, 7, np.int64)
    assert (same == X).all()
    assert run(module, False, X)[2] == 8


def test_errors_of_the_branch_that_is_not_taken_do_not_happen():
    def fill(b, c, x, i):
        def then():
            return [b.gather(x, [b.check_index(i, 0, 4)], [0])]

        return branches(b, c, then, lambda: [b(Neg, x)])

    module = build([CONDITION, VECTOR, TensorType((4,), I64)], fill)
    assert (run(module, False, X, np.full(4, 9))[0] == -X).all()
    with pytest.raises(IndexOutOfRange, match="index 9 is out of range"):
        run(module, True, X, np.full(4, 9))


def test_sizes_of_the_branches_are_unified():
    def fill(b, c, x, y):
        return branches(b, c, lambda: [x], lambda: [y])

    types = [TensorType((symbol(n),), F32) for n in "NM"]
    module = build([CONDITION, *types], fill)
    assert (run(module, False, X, X + 1)[0] == X + 1).all()
    guards = module.functions[0].attributes.get("tc.guards")
    shapes = {a.type for a in module.functions[0].body.block.arguments[1:]}
    assert guards or len(shapes) == 1


def test_branches_of_different_types_are_an_error():
    def fill(other):
        def make(b, c, x):
            return branches(b, c, lambda: [x], lambda: [other(b, x)])

        return make

    cases = [
        (lambda b, x: b.sum(x, 0), "got f32[4] and f32"),
        (lambda b, x: b.cast(x, I64), "got f32[4] and i64[4]"),
        (lambda b, x: b.slice(x, (0,), (3,), (1,)), "f32[3]"),
    ]
    for other, words in cases:
        with pytest.raises(ShapeError, match=re.escape(words)):
            build([CONDITION, VECTOR], fill(other))


TEXT = """
"func.func"() <{function_type = (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>, sym_name = "f"}> ({
^bb0(%c: tensor<i1>, %x: tensor<4xf32>):
  %0 = "tc.if"(%c, %x) ({
  ^bb0(%x_1: tensor<4xf32>):
    %1 = "tc.exp"(%x_1) : (tensor<4xf32>) -> tensor<4xf32>
    "tc.yield"(%1) : (tensor<4xf32>) -> ()
  }, {
  ^bb0(%x_2: tensor<4xf32>):
    "tc.yield"(%x_2) : (tensor<4xf32>) -> ()
  }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>
  "func.return"(%0) : (tensor<4xf32>) -> ()
}) : () -> ()
"""  # noqa: E501
WRONG = [
    ('tc.yield"(%x_2) : (tensor<4xf32>)', 'tc.yield"() : ()', "0 operands instead"),
    ("(%x_1: tensor<4xf32>)", "(%x_1: tensor<4xf32>, %y: tensor<i1>)", "2 arguments"),
    ('"tc.exp"(%x_1)', '"tc.exp"(%x)', "not defined here"),
    ("tensor<i1>", "tensor<1xi1>", "[C1]"),
]


@pytest.mark.parametrize("case", range(len(WRONG)))
def test_wrong_branches_are_refused(case):
    old, new, words = WRONG[case]
    verify(parse_module(TEXT), Level.TENSOR)
    with pytest.raises(Exception, match=re.escape(words)) as caught:
        verify(parse_module(TEXT.replace(old, new)), Level.TENSOR)
    assert type(caught.value).__name__ in ("VerifyError", "CompileError")


def test_no_kernel_branches():
    """Below TENSOR a branch chooses between kernels."""
    inner = TEXT[TEXT.index("  %0 =") : TEXT.index('  "func.return"')]
    inner = inner.replace("%c, %x)", "%d, %y)").replace("%0 =", "%5 =")
    inner = inner.replace(
        '"tc.exp"(%x_1)', '"tc.reshape"(%x_1) <{shape = #tc.dims<[4]>}>'
    )
    group = (
        '  %0 = "tc.group"(%c, %x) <{outer = 0 : i64, shapes = []}> ({\n'
        "  ^bb0(%d: tensor<i1>, %y: tensor<4xf32>):\n"
        f'{inner}  "tc.yield"(%5) : (tensor<4xf32>) -> ()\n'
        "  }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>\n"
    )
    head, tail = TEXT[: TEXT.index("  %0 =")], TEXT[TEXT.index('  "func.return"') :]
    with pytest.raises(VerifyError, match=r"tc.if: is no part of a kernel"):
        verify(parse_module(head + group + tail), Level.STRUCTURED)


def test_captures_are_of_the_condition_s_kind():
    text = TEXT.replace("tensor<4xf32>", "memref<4xf32>")
    with pytest.raises(VerifyError, match=r"captures are tensors, or memory .* \[C3\]"):
        verify(parse_module(text))


def test_a_region_sees_nothing_around_it():
    module = parse_module(TEXT)
    assert isinstance(module, Module)
    outer = module.functions[0].body.block.arguments[1]
    only_if(module).then.block.ops[0].operands = [outer]
    with pytest.raises(VerifyError, match="from outside of an isolated region"):
        verify(module, Level.TENSOR)


def test_fifty_deep():
    def fill(b, c, x):
        def nest(depth, value):
            if not depth:
                return [b(Neg, value)]
            return branches(
                b, c, lambda: nest(depth - 1, b(Add, value, x)), lambda: [value]
            )

        return nest(50, x)

    module = build([CONDITION, VECTOR], fill)
    assert (run(module, True, X)[0] == -51 * X).all()
    assert print_module(module).count("tc.if") == 50
