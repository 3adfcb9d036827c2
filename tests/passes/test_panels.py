"""Products whose right side is copied before they run: few columns, or many rows.

How wide a panel is follows from the vectors of the machine: those of all machines are
interpreted and compiled here.
"""

import re
from dataclasses import replace

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.errors import CompileError, VerifyError
from tensorc.fuzz.outcomes import Compiled
from tensorc.ir.functions import new_module
from tensorc.ir.numerics import same_bits as same
from tensorc.ir.ops.memory.kernels import Launch
from tensorc.ir.text.parser import parse_module
from tensorc.passes.schedule import products
from tensorc.runtime import threads
from tensorc.target import DEFAULT
from tests import stages
from tests.samples import drawn, parse_type, same_bits
from tests.stages import Case, all_results, assert_same_bits_everywhere, updates_of
from tests.test_pipeline import add_function

COLUMNS = (1, 9, 16, 17, 23, 32, 47, 49)


@pytest.mark.parametrize("bits", [128, 256, 512])
@pytest.mark.parametrize(
    "element", ["f16", "bf16", "f32", "f64", "i8", "ui16", "i32", "i64"]
)
def test_products_of_static_columns_for_any_vectors(
    element: str, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "TARGET", replace(stages.TARGET, vector_bits=bits))
    rng = np.random.default_rng(bits)
    module, cases = new_module(), list[Case]()
    for columns in COLUMNS:
        shapes = [(3, 2), (2, columns)]
        types = [parse_type(f"{element}{list(shape)}") for shape in shapes]
        name = f"f{columns}"
        add_function(module, name, types, lambda b, of: [b.matmul(*of)])
        dtype = types[0].element.dtype
        cases.append((name, [drawn(rng, s, dtype) for s in shapes]))
    outcome = all_results(module, cases, (0,))
    for stage, results in outcome.items():
        for (name, _), (left,), (right,) in zip(
            cases, outcome["tensor"], results, strict=True
        ):
            assert same_bits(left, right), f"{name} at {stage}"


# Each is given x [m, k] and w, which is [k, n], or [n, k] where it is transposed.
PACKED = {
    "plain": lambda x, w: x @ w,
    "transposed": lambda x, w: x @ w.T,
    "an epilogue": lambda x, w: tc.maximum(x @ w, 1) * 2,
    "rows and a sum": lambda x, w: (x @ w) - (x @ w).sum(axis=1)[:, None],
    "transposed, two products": lambda x, w: (x @ w.T) @ w,
    "a part": lambda x, w: x[:, 3:] @ w[3:, ::2],
    "transposed, of two": lambda x, w: (x @ w.T) * 2 - (x * x) @ w.T,
    "of two": lambda x, w: (x @ w) * 2 - (x * x) @ w,
}
SHAPES = [(37, 35, 157), (4, 33, 150)]


def _packed_text(name: str, shapes: list[tuple[int, ...]], known: bool) -> str:
    given = shapes if known else [tuple(None for _ in shape) for shape in shapes]
    x, w = (
        tc.tensor(name=name, dtype="float32", shape=shape)
        for name, shape in zip("xw", given, strict=True)
    )
    return tc.function([x, w], PACKED[name](x, w)).emit("graph")


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch):
    """Few rows, columns and terms are many, and chunks are low."""
    monkeypatch.setattr(products, "PACK_LEAST", (5, 2, 2))
    monkeypatch.setattr(products, "PACKED_SIDE", 2)
    monkeypatch.setattr(products, "MATRIX_ROWS", 16)
    monkeypatch.setattr(products, "COPY_LEAST", (1, 2, 2))
    yield
    threads.use(None)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("bits", [256, 512])
@pytest.mark.parametrize("name", PACKED)
def test_right_sides_that_are_copied_once_give_the_same_bits(
    name: str, bits: int, known: bool
) -> None:
    rng = np.random.default_rng(bits)
    target = replace(stages.TARGET, vector_bits=bits)
    for m, k, n in SHAPES:
        shapes = [(m, k), (n, k) if "transposed" in name else (k, n)]
        values = [np.asarray(rng.integers(-9, 9, s) / 2, np.float32) for s in shapes]
        text = _packed_text(name, shapes, known)
        assert_same_bits_everywhere(text, values, target, (1, 2, 4))


def _packed_module(known: bool, upto: str) -> compiler.Compilation:
    text = _packed_text("plain", [(37, 35), (35, 157)], known)
    return compiler.compile(parse_module(text), stages.TARGET, upto=upto)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("known", [True, False])
def test_a_right_side_is_copied_by_a_launch_of_its_own(known: bool) -> None:
    """Of unknown sizes the call says whether: there are as many chunks, or none."""
    made = _packed_module(known, "loop").module
    assert sum(isinstance(op, Launch) for op in made.walk()) == 2
    assert ("packed = " in _packed_module(known, "structured").text()) != known


def _steps(turned: bool, count: int, size: int) -> str:
    """Return steps that all read one weight, and what changes it behind them."""
    h, u = (
        tc.tensor(name=name, dtype="float32", shape=(rows, size))
        for name, rows in (("h", 20), ("u", size))
    )
    side, value = (u.T if turned else u), h
    for _ in range(count):
        value = tc.maximum(value @ side, 0)
    changed = u * 2
    last = value @ (changed.T if turned else changed)
    return tc.function([h, u], [last, changed]).emit("graph")


def _launches(text: str) -> int:
    made = compiler.compile(parse_module(text), stages.TARGET, upto="loop")
    return sum(isinstance(op, Launch) for op in made.module.walk())


@pytest.mark.parametrize("turned", [True, False])
def test_a_side_that_several_products_read_is_copied_once(turned: bool) -> None:
    """One that each would transpose is; another is if the rows of all are many."""
    text = _steps(turned, 3, 256)
    rng = np.random.default_rng(5)
    shapes = (20, 256), (256, 256)
    values = [np.asarray(rng.integers(-2, 3, s) / 8, np.float32) for s in shapes]
    outcome = stages.tensor_results(parse_module(text), [("function", values)])
    for number in (1, 3):
        threads.use(number)
        module = parse_module(text)
        updated = updates_of(module)
        options = replace(DEFAULT, parallel_work=1)
        made = compiler.compile(module, stages.TARGET, options)
        given = Compiled(made.artifact, updated).call("function", values)
        assert not isinstance(given, str), given
        assert all(map(same, given, outcome[0]))
    threads.use(None)
    # Three products, the change, the last product; and the copies.
    assert _launches(text) == 5 + int(turned)
    assert _launches(_steps(turned, 20, 256)) == 22 + 1


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            r"columns = #tc.dims<\[\d+",
            "columns = #tc.dims<[20",
            "whole strips of a panel",
        ),
        (r"panel = ", 'packed = #tc.dims<["a0"]>, panel = ', "'packed' in no known"),
        (
            r"panel = ",
            'packed = #tc.dims<["min(2, a0)"]>, panel = ',
            "'packed' in no known",
        ),
        (r"panel = ", "packed = #tc.dims<[1]>, panel = ", "'packed' in no known"),
    ],
)
def test_copies_of_other_strips_are_refused(old: str, new: str, words: str) -> None:
    text, count = re.subn(old, new, _packed_module(True, "structured").text())
    assert count == 1
    with pytest.raises((CompileError, VerifyError), match=words):
        compiler.compile(parse_module(text), stages.TARGET, upto="loop")
