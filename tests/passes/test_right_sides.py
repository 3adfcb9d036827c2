"""Right sides of products that are gathers and casts: their copy computes them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.fuzz.outcomes import Compiled
from tensorc.ir.arrays.windows import pairs_of
from tensorc.ir.attributes import Dims, Typed
from tensorc.ir.core import Op, Value
from tensorc.ir.functions import new_module
from tensorc.ir.numerics import Array, ordered_matmul, same_bits
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.tensor.convolution import Windows
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.text.parser import parse_module
from tensorc.ir.types import F32
from tensorc.passes.schedule import products
from tensorc.runtime import threads
from tensorc.target import DEFAULT
from tests import stages
from tests.samples import dims, drawn, parse_type
from tests.stages import all_results, assert_same_bits_everywhere, updates_of
from tests.test_pipeline import add_function

M, K, N, FAR = 19, 21, 83, 31  # rows, terms, columns; rows that are gathered from
Given = list[tuple[tuple[int, ...], str]]

# What is computed, and the shapes and types of what it is computed of; int64 are
# indices of FAR rows, from the end, too.
FORMS: dict[str, tuple[Callable[..., object], Given]] = {
    "a cast": (
        lambda x, w: x @ w.astype("float32"),
        [((M, K), "float32"), ((K, N), "float16")],
    ),
    "a cast, turned": (
        lambda x, w: x @ w.T.astype("float32"),
        [((M, K), "float32"), ((N, K), "int8")],
    ),
    "halves": (lambda x, w: x @ w, [((M, K), "float16"), ((K, N), "float16")]),
    "integers": (
        lambda x, w: x @ w.astype("int32"),
        [((M, K), "int32"), ((K, N), "uint8")],
    ),
    "rows": (
        lambda x, e, i: x @ e[i],
        [((M, K), "float32"), ((FAR, N), "float32"), ((K,), "int64")],
    ),
    "rows, turned": (
        lambda x, e, i: x @ e[i].T,
        [((M, K), "float32"), ((FAR, K), "float32"), ((N,), "int64")],
    ),
    "columns": (
        lambda x, e, i: x @ e[:, i],
        [((M, K), "float32"), ((K, FAR), "float32"), ((N,), "int64")],
    ),
    "rows and a cast": (
        lambda x, e, i: tc.maximum(x @ e[i].astype("float64"), 0),
        [((M, K), "float64"), ((FAR, N), "int16"), ((K,), "int64")],
    ),
    "a batch": (
        lambda x, w: x @ w.astype("float32"),
        [((3, M, K), "float32"), ((3, K, N), "float16")],
    ),
    "a batch, turned": (
        lambda x, w: x @ w.transpose((0, 2, 1)).astype("float32"),
        [((3, M, K), "float32"), ((3, N, K), "int16")],
    ),
    "two products": (
        lambda x, w: (x @ w.astype("float32")) @ w.T.astype("float32"),
        [((M, K), "float32"), ((K, N), "float16")],
    ),
    "a part": (
        lambda x, w: x @ w[3:, ::2].astype("float32"),
        [((M, K), "float32"), ((K + 3, N), "float16")],
    ),
}


def _text(name: str, known: bool) -> str:
    function, given = FORMS[name]
    values = [
        tc.tensor(
            name=f"v{i}", dtype=dtype, shape=shape if known else [None] * len(shape)
        )
        for i, (shape, dtype) in enumerate(given)
    ]
    return tc.function(values, function(*values)).emit("graph")


def _values(name: str, depth: int | None = None) -> list[Array]:
    """Return what a form is given; of another number of terms if that is said."""
    rng = np.random.default_rng(len(name))
    found = []
    for shape, dtype in FORMS[name][1]:
        sizes = tuple([depth if size == K and depth else size for size in shape])
        if dtype == "int64":
            found.append(rng.integers(-FAR, FAR, sizes))
        else:
            found.append(drawn(rng, sizes, np.dtype(dtype)))
    return found


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch):
    """Few rows, columns and terms are many, and chunks are low."""
    monkeypatch.setattr(products, "PACK_LEAST", (5, 2, 2))
    monkeypatch.setattr(products, "PACKED_SIDE", 2)
    monkeypatch.setattr(products, "MATRIX_ROWS", 16)
    yield
    threads.use(None)


def _check(name: str, bits: int, known: bool) -> None:
    target = replace(stages.TARGET, vector_bits=bits)
    text, values = _text(name, known), _values(name)
    assert_same_bits_everywhere(text, values, target, (1, 3))


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("bits", [256, 512])
@pytest.mark.parametrize("name", FORMS)
def test_copies_before_a_product_compute_its_right_side(
    name: str, bits: int, known: bool
) -> None:
    _check(name, bits, known)


@pytest.mark.parametrize("name", FORMS)
def test_copies_of_a_strip_compute_it(name: str) -> None:
    """Few rows copy strips for themselves."""
    _check(name, 512, known=True)


@pytest.mark.parametrize("depth", [0, 1, 16, 513, 8300])
@pytest.mark.parametrize("name", ["a cast, turned", "rows", "rows, turned"])
def test_any_number_of_terms(name: str, depth: int) -> None:
    text, values = _text(name, known=False), _values(name, depth)
    outcome = stages.tensor_results(parse_module(text), [("function", values)])
    module = parse_module(text)
    updated = updates_of(module)
    made = compiler.compile(module, stages.TARGET, DEFAULT)
    given = Compiled(made.artifact, updated).call("function", values)
    assert not isinstance(given, str), given
    assert same_bits(given[0], outcome[0][0])


def _groups(text: str) -> list[Op]:
    made = compiler.compile(parse_module(text), stages.TARGET, upto="structured")
    return [op for op in made.module.walk() if isinstance(op, KernelGroup)]


@pytest.mark.parametrize("name", sorted({*FORMS} - {"halves", "two products"}))
def test_there_is_no_kernel_of_copies(name: str) -> None:
    assert len(_groups(_text(name, known=True))) == 1


def test_what_costs_more_than_a_copy_is_a_kernel() -> None:
    """A function is not computed for each chunk; nor what others read, too."""
    x, w = (tc.tensor(name=n, dtype="float32", shape=(600, 600)) for n in "xw")
    assert len(_groups(tc.function([x, w], x @ tc.exp(w)).emit("graph"))) == 2
    h = tc.tensor(name="h", dtype="float16", shape=(600, 600))
    wide = h.astype("float32")
    assert len(_groups(tc.function([h], wide.T @ wide).emit("graph"))) == 2
    few = tc.tensor(name="f", dtype="float16", shape=(600, 10))
    shown = tc.function([x, few], x.T @ few.astype("float32")).emit("graph")
    assert len(_groups(shown)) == 2


@pytest.mark.parametrize("size", [23, "S"])
def test_the_copy_reads_a_constant_outside(size: int | str) -> None:
    """Windows of a padded signal are terms and columns of a right side."""
    padding, count = pairs_of([(3, 5)]), 23 + 3 + 5 - 7 + 1
    given = {"strides": (1,), "padding": padding, "dilation": (1,)}
    columns = count if size == 23 else parse_type("f32[S + 2]").shape[0]
    types = [parse_type("f32[19, 7]"), parse_type(f"f32[{size}]")]
    module = new_module()

    def body(b: TensorBuilder, of: Sequence[Value]) -> list[Value]:
        taken = b(
            Windows,
            of[1],
            window=dims(7),
            output=Dims((columns,)),
            fill=Typed(2.0, F32),
            **given,
        )
        return [b.matmul(of[0], b.transpose(taken, (1, 0)))]

    add_function(module, "f", types, body)
    rng = np.random.default_rng(2)
    values = [drawn(rng, s, np.dtype("f4")) for s in ((19, 7), (23,))]
    outcome = all_results(module, [("f", values)], (0, 2))
    ((expected,),) = outcome["tensor"]
    around = np.pad(values[1], (3, 5), constant_values=2.0)
    wanted = ordered_matmul(
        values[0], np.lib.stride_tricks.sliding_window_view(around, 7).T
    )
    assert same_bits(expected, wanted)
    for stage, ((result,),) in outcome.items():
        assert same_bits(result, expected), stage


def test_casts_of_keys_stay_apart_where_scores_are_made_again_transposed() -> None:
    """A matrix of unknown size is made transposed, so its sides change places."""
    rng = np.random.default_rng(4)
    q, v, k = (drawn(rng, (40, 24), np.dtype(t)) for t in ("f4", "f4", "f2"))

    def loss(q, v, k):
        return (tc.softmax(q @ k.T.astype("float32"), axis=1) @ v * v).sum()

    slopes = tc.grad(loss, wrt=(0, 1))
    for given, wanted in zip(
        slopes(q, v, k), slopes(q, v, k.astype("f4")), strict=True
    ):
        assert same_bits(given, wanted)
