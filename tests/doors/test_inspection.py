"""Looking at functions from Python: `emit`, `explain`, `cost`."""

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.api.inspection import FILE_STAGES, STAGES, Text
from tensorc.cli import main
from tests.snippets import ROOT

EXAMPLE = str(ROOT / "examples" / "logreg.tc")


@pytest.fixture
def symbolic():
    x, y = tc.matrix("x"), tc.ivector("y")
    W = tc.shared(np.zeros((4, 3), "f"), "W")
    cost = tc.mean(tc.cross_entropy(x @ W, y))
    updates = [(W, W - 0.1 * tc.grad(cost, W))]
    return tc.function([x, y], cost, updates=updates, name="train")


def traced():
    @tc.jit
    def f(x, W):
        return np.tanh(x @ W)

    return f


def annotated():
    @tc.jit
    def f(x: tc.f32["B", 784], k=2):
        return (x * k).sum(axis=1)

    return f


def test_a_program_says_what_the_command_prints(capsys):
    program = tc.load(EXAMPLE)
    for words, text in (
        ([EXAMPLE], program.explain()),
        ([EXAMPLE, "--dim", "B=600"], program.explain(B=600)),
        ([f"{EXAMPLE}::train", "--dim", "B=7"], program.train.explain(B=7)),
    ):
        assert main.run(["explain", *words]) == 0
        assert capsys.readouterr().out == text
    assert repr(text) == text  # a shell shows its lines


def test_a_symbolic_function(symbolic):
    cost = symbolic.cost()
    assert "x0" in str(cost.flops)
    assert symbolic.explain().startswith(f"train: {cost}\n")
    known = symbolic.cost(x0=np.int64(600))
    assert known.kernels == cost.kernels
    assert {type(n) for n in (known.flops, known.bytes, known.arena)} == {int}
    assert f"{known.flops:,} flops" in symbolic.explain(x0=600)


def test_a_traced_function_by_arguments_and_by_its_last_form():
    f = traced()
    x, W = np.ones((5, 7)), np.ones((7, 3))
    given = f.cost(x, W)
    # Of 5 x 3 results: 7 multiply-adds of 2 flops and a tanh.
    assert (given.kernels, given.flops) == (1, 5 * 3 * (7 * 2 + 1))
    assert given.bytes == 8 * (5 * 7 + 7 * 3 + 5 * 3)
    assert f.cost().flops == "2*W1*x0*x1 + W1*x0"
    assert f.cost(x, W=W) == given == f.cost(x0=5, x1=7, W1=3)
    assert "f64[5, 7]" in f.explain(x, W)
    assert "f64[x0, x1]" in f.explain()
    f(x.astype("f"), W.astype("f"))
    assert "f32[x0, x1]" in f.explain()  # of the last form


def test_annotations_are_enough():
    f = annotated()
    assert f.cost(B=3).flops == 3 * f.cost(B=1).flops
    assert "B" in f.cost().flops
    assert f.cache_info() == ()
    assert ".text" in f.emit("asm")


def test_what_is_not_known_is_said():
    with pytest.raises(TypeError, match=r"(?s)f was not called yet.*f.explain\(x, W\)"):
        traced().explain()

    @tc.jit
    def rows(x: tc.f32["B", 2]):
        return sum(x[i] for i in range(x.shape[0]))  # each size has a program

    with pytest.raises(TypeError, match="rows was not called yet"):
        rows.cost()
    assert rows.cost(np.ones((3, 2), "f")).kernels
    f = traced()
    with pytest.raises(tc.ShapeError, match="axis 0 has size 5, 4 expected"):
        f.cost(np.ones((3, 4), "f"), np.ones((5, 2), "f"))


def test_values_are_sizes_by_their_names():
    x, i = tc.vector("x"), tc.lscalar("i")
    f = tc.function([x, i], tc.sum(x[i : i + 20]))
    assert f.cost(i=3, x0=5).flops == 2
    assert "$" not in f.explain()
    g = tc.function([x, i], x.reshape((x.shape[0] // i, i)).sum(axis=0))
    with pytest.raises(tc.TensorcError, match="divides by 0"):
        g.explain(i=0)


@pytest.mark.parametrize(
    ("sizes", "error", "words"),
    [
        ({"B": 5}, tc.TensorcError, r"(?s)no argument has a size 'B'.*sizes: x0"),
        ({"x0": -1}, ValueError, "the size x0 is 0 or more, got -1"),
        ({"x0": 2.5}, TypeError, "the size x0 must be an integer, got 2.5"),
        ({"x0": True}, TypeError, "the size x0 must be an integer, got True"),
    ],
)
def test_sizes_are_checked(sizes, error, words, symbolic):
    for look in (symbolic.cost, symbolic.explain):
        with pytest.raises(error, match=words):
            look(**sizes)
    with pytest.raises(TypeError, match="sizes are given, and by name; got 5"):
        symbolic.cost(5)


MARKS = {
    "graph": '"tc.grad"',
    "tensor": '"tc.',
    "structured": "linalg.generic",
    "buffer": "memref<",
    "loop": "scf.for",
    "llvm": "define ",
    "asm": ".text",
}


@pytest.mark.parametrize("stage", ["llvm", "asm"])
def test_code_is_that_of_the_functions_own_level(stage):
    """Whatever holds where it is looked at: what is shown is what runs."""
    x = tc.vector("x")
    shown = {}
    for level in (0, 1, 3):
        with tc.options(optimize=level):
            symbolic, program = tc.function([x], tc.exp(x)), tc.load(EXAMPLE)
            called, annotation = traced(), annotated()
            called(np.ones((2, 3)), np.ones((3, 2)))
            declared = annotation.emit(stage)  # it was not called yet
        texts = (symbolic, program, program.train, called)
        shown[level] = [*(f.emit(stage) for f in texts), declared]
    for few, some, most in zip(*shown.values(), strict=True):
        assert len({few, some, most}) == 3


@pytest.mark.parametrize("stage", FILE_STAGES)
def test_a_stage_of_a_file_is_that_of_the_options_around_it(stage):
    made = []
    for level in (0, 3):
        with tc.options(optimize=level):
            text = tc.emit(EXAMPLE, stage, "error", {})
            program = tc.load(EXAMPLE)
        assert text == tc.emit(EXAMPLE, stage, "error", {}, level)
        if stage in STAGES:
            assert text == program.error.emit(stage)
        made.append(text)
    assert (made[0] != made[1]) == (stage in compiler.CODE)


def test_the_stages_are_those_of_the_compiler():
    made = (*compiler.STAGES, *compiler.CODE)
    assert ("graph", *made) == (*STAGES, "obj")
    assert ("ast", *made) == FILE_STAGES
    assert MARKS.keys() == {*STAGES}


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_of_every_door(stage, symbolic):
    @tc.jit
    def f(x):
        return tc.grad(lambda v: (v * v).sum())(x)

    program = tc.load(EXAMPLE)
    for text in (
        symbolic.emit(stage),
        program.emit(stage),
        program.train.emit(stage),
        f.emit(stage, np.ones(3)),
        f.emit(stage),
    ):
        assert MARKS[stage] in text
        assert isinstance(text, Text)


def test_an_unknown_stage_says_what_was_meant(symbolic):
    program = tc.load(EXAMPLE)
    for emit in (symbolic.emit, annotated().emit, program.emit, program.error.emit):
        with pytest.raises(ValueError, match=r"(?s)no stage 'tensr'.*mean 'tensor'\?"):
            emit("tensr")
        with pytest.raises(TypeError, match="a stage is a text, got 3"):
            emit(3)
    with pytest.raises(ValueError, match=r"(?s)no stage 'obj'"):
        program.emit("obj")
    with pytest.raises(ValueError, match=r"(?s)no stage 'onj'.*did you mean 'obj'\?"):
        tc.emit(EXAMPLE, "onj", None, {})
