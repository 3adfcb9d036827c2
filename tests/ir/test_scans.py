"""`tc.scan`: its meaning, and `append_scan`, which finds what its region uses."""

import re

import numpy as np
import pytest

from tensorc.errors import IndexOutOfRange, ShapeError
from tensorc.ir.attributes import Dims
from tensorc.ir.dims import symbol
from tensorc.ir.interpreter import interpret
from tensorc.ir.levels import Level
from tensorc.ir.ops.tensor.elementwise import Add, Mul, Neg
from tensorc.ir.ops.tensor.making import Constant
from tensorc.ir.text.parser import parse_module
from tensorc.ir.types import F32, F64, I64, TensorType
from tensorc.ir.verifier import verify
from tests.branching import build
from tests.looping import loop, loops_of

T = symbol("T")
VECTOR = TensorType((4,), F32)
ROWS = TensorType((T, 4), F32)
INDICES = TensorType((T,), I64)
X = np.array([0.0, 1.0, -2.0, 3.0], np.float32)
XS = np.arange(12, dtype=np.float32).reshape(3, 4)


def run(module, *arguments):
    return interpret(module, "f", [np.asarray(a) for a in arguments])


def weighted(reverse):
    def fill(b, xs, h, w):
        def step(t, h, x):
            new = b(Add, b(Mul, h, w), x)
            return [new], [new, t]

        return loop(b, [h], [xs], T, step, reverse)

    return build([ROWS, VECTOR, VECTOR], fill)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_each_step_goes_on_from_the_one_before(reverse, count):
    w = np.float32(0.5) + X
    h, rows, numbers = X, np.zeros((count, 4), np.float32), list(range(count))
    for t in numbers[::-1] if reverse else numbers:
        h = rows[t] = h * w + XS[t]
    last, tops, at = run(weighted(reverse), XS[:count], X, w)
    assert last.tobytes() == h.tobytes()
    assert tops.tobytes() == rows.tobytes()
    assert tops.shape == rows.shape
    assert at.tolist() == numbers


def test_captures_are_what_is_used_each_once_in_order():
    def fill(b, xs, h, w):
        twice = b(Add, w, w)
        two = b.scalar(2.0, F32)

        def step(t, s, x):
            both = b(Add, b(Mul, x, w), twice)
            scaled = b.broadcast(b(Mul, b.sum(x, 0), two), (4,), ())
            return [b(Add, s, both)], [scaled]

        return loop(b, [h], [xs], T, step)

    module = build([ROWS, VECTOR, VECTOR], fill)
    (op,) = loops_of(module)
    _, h, w = module.functions[0].body.block.arguments
    twice = next(o for o in module.walk() if isinstance(o, Add)).result
    assert (op.inits, op.captures) == ([h], [w, twice])
    assert isinstance(op.body.block.ops[0], Constant)
    last, tops = run(module, XS, X, X)
    assert last.tolist() == (X + (XS * X).sum(0) + 3 * 2 * X).tolist()
    assert tops[:, 0].tolist() == (XS.sum(1) * 2).tolist()


def test_what_no_step_changes_is_moved_in_front():
    def fill(b, xs, h, w, i):
        def step(t, s, x):
            fixed = b.broadcast(b.sum(b(Mul, w, w), 0), (4,), ())
            read = b.gather(w, [b.check_index(i, 0, 4)], (0,))
            part = b.broadcast(b.sum(read, 0), (4,), ())
            return [b(Add, b(Mul, s, fixed), b(Add, x, part))], []

        return loop(b, [h], [xs], T, step)

    index = TensorType((2,), I64)
    module = build([ROWS, VECTOR, VECTOR, index], fill)
    (op,) = loops_of(module)
    inside = [o.name for o in op.body.block.ops]
    assert "tc.check_index" in inside  # what may fail stays
    assert inside.count("tc.sum") == 1
    assert inside.count("tc.mul") == 1
    h, at = X, np.array([1, 3])
    for x in XS:
        h = h * (X * X).sum() + (x + X[at].sum())
    assert run(module, XS, X, X, at)[0].tolist() == h.tolist()
    outside = np.array([1, 9])
    assert run(module, XS[:0], X, X, outside)[0].tolist() == X.tolist()
    with pytest.raises(IndexOutOfRange):
        run(module, XS, X, X, outside)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_sequence_that_counts_is_the_number_of_the_step(reverse):
    def fill(b, xs):
        counted = [b.iota((T,), 0, I64), b.iota((T,), 0, F32), b.iota((T, 4), 0, F32)]

        def step(t, x, i, v, rows):
            return [], [i, v, b(Add, x, rows)]

        return loop(b, [], [xs, *counted], T, step, reverse)

    module = build([ROWS], fill)
    (op,) = loops_of(module)
    assert op.sliced == 2
    whole, floats, rows = run(module, XS)
    assert whole.tolist() == floats.tolist() == [0, 1, 2]
    assert whole.dtype == np.int64
    assert rows.tolist() == (XS + np.arange(3)[:, None]).tolist()


def test_a_sequence_that_counts_has_the_length():
    def fill(b, xs):
        counted = b.iota((5,), 0, I64)
        return loop(b, [], [xs, counted], 4, lambda t, x, i: ([], [i]))

    with pytest.raises(ShapeError, match="of 4 steps walks along"):
        build([ROWS], fill)


def test_an_inner_loop_takes_the_parts_of_the_outer_one():
    cube = TensorType((T, 2, 4), F32)

    def fill(b, xs, h):
        def step(t, s, rows):
            return loop(b, [s], [rows], 2, lambda u, s, x: ([b(Add, s, x)], [])), []

        return loop(b, [h], [xs], T, step)

    module = build([cube, VECTOR], fill)
    given = np.arange(24, dtype=np.float32).reshape(3, 2, 4)
    assert run(module, given, X)[0].tolist() == (X + given.sum((0, 1))).tolist()


def test_errors_happen_in_their_step():
    def fill(b, x, i):
        def step(t, at):
            index = b.reshape(at, (1,))
            taken = b.gather(x, [b.check_index(index, 0, 4)], (0,))
            return [], [b.reshape(taken, ())]

        return loop(b, [], [i], T, step)

    module = build([VECTOR, INDICES], fill)
    assert run(module, X, np.array([3, -4]))[0].tolist() == [3.0, 0.0]
    assert run(module, X, np.zeros(0, np.int64))[0].shape == (0,)
    with pytest.raises(IndexOutOfRange, match="index 9 is out of range"):
        run(module, X, np.array([1, 9]))


def test_sizes_are_unified():
    other = TensorType((symbol("S"), 4), F32)

    def fill(b, xs, ys):
        return loop(b, [], [xs, ys], T, lambda t, x, y: ([], [b(Add, x, y)]))

    module = build([ROWS, other], fill)
    assert run(module, XS, XS)[0].tolist() == (XS + XS).tolist()
    guards = module.functions[0].attributes.get("tc.guards")
    first, second = module.functions[0].body.block.arguments
    assert guards is not None or first.type == second.type


CHANGED = [
    (lambda b, h: b.sum(h, 0), "got f32[4] and f32"),
    (lambda b, h: b.cast(h, F64), "got f32[4] and f64[4]"),
    (lambda b, h: b.slice(h, (0,), (3,), (1,)), "f32[3]"),
]


@pytest.mark.parametrize("case", range(len(CHANGED)))
def test_what_is_carried_keeps_its_type(case):
    change, words = CHANGED[case]

    def fill(b, h):
        return loop(b, [h], [], T, lambda t, s: ([change(b, s)], []))

    with pytest.raises(ShapeError, match=re.escape(words)):
        build([VECTOR], fill)


def test_sequences_have_the_length():
    def fill(b, x):
        return loop(b, [], [x], 5, lambda t, x: ([], [x]))

    with pytest.raises(ShapeError, match=r"of 5 steps walks along f32\[4\]"):
        build([VECTOR], fill)


TEXT = """
"func.func"() <{function_type = (tensor<4xf32>, tensor<3x4xf32>) -> (tensor<4xf32>, tensor<3xf32>), sym_name = "f"}> ({
^bb0(%h0: tensor<4xf32>, %xs: tensor<3x4xf32>):
  %0:2 = "tc.scan"(%h0, %xs, %h0) <{carried = 1 : i64, length = #tc.dims<[3]>, reverse = false, sliced = 1 : i64, stacked = 1 : i64}> ({
  ^bb0(%t: tensor<i64>, %h: tensor<4xf32>, %x: tensor<4xf32>, %w: tensor<4xf32>):
    %1 = "tc.add"(%h, %w) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %2 = "tc.sum"(%x) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<4xf32>) -> tensor<f32>
    "tc.yield"(%1, %2) : (tensor<4xf32>, tensor<f32>) -> ()
  }) : (tensor<4xf32>, tensor<3x4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<3xf32>)
  "func.return"(%0#0, %0#1) : (tensor<4xf32>, tensor<3xf32>) -> ()
}) : () -> ()
"""  # noqa: E501
WRONG = [
    ("carried = 1", "carried = -1", "[C1]"),
    ("stacked = 1", "stacked = 2", "[C4]"),
    ("sliced = 1", "sliced = 3", "[C2]"),
    ("length = #tc.dims<[3]>", "length = #tc.dims<[3, 4]>", "[C1]"),
    ("length = #tc.dims<[3]>", "length = #tc.dims<[2]>", "[C3]"),
    ("length = #tc.dims<[3]>", "length = #tc.dims<[-3]>", "[C1]"),
    ("(%t: tensor<i64>", "(%t: tensor<i32>", "argument 0"),
    (", %w: tensor<4xf32>", "", "'%w'"),
    ('"tc.yield"(%1, %2)', '"tc.yield"(%2, %1)', "the operand is f32"),
    ("(%1, %2) : (tensor<4xf32>, tensor<f32>)", "(%1) : (tensor<4xf32>)", "1 operands"),
    ('"tc.add"(%h, %w)', '"tc.add"(%h, %h0)', "not defined here"),
]


@pytest.mark.parametrize("case", range(len(WRONG)))
def test_wrong_loops_are_refused(case):
    old, new, words = WRONG[case]
    verify(parse_module(TEXT), Level.TENSOR)
    with pytest.raises(Exception, match=re.escape(words)) as caught:
        verify(parse_module(TEXT.replace(old, new)), Level.TENSOR)
    assert type(caught.value).__name__ in ("VerifyError", "CompileError")


def test_dims_of_the_length_are_resolved():
    """What is learned of a symbol later holds in the loop's length, too."""
    other = TensorType((symbol("S"), 4), F32)

    def fill(b, xs, ys):
        made = loop(b, [], [xs], T, lambda t, x: ([], [b(Neg, x)]))
        return [b(Add, made[0], ys)]

    module = build([ROWS, other], fill)
    (op,) = loops_of(module)
    assert isinstance(op.length, Dims)
    assert op.results[0].type.shape[0] == op.steps
