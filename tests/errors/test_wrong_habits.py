"""Habits of NumPy and of other frameworks: what a variable lacks, and what to write."""

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

X = np.arange(6.0).reshape(2, 3)
TABLE = np.eye(2)
rename, generator = np.array, np.random.default_rng(0)

ATTRIBUTES = [
    (lambda x: x.to("cpu"), "write x.astype('float32')"),
    (lambda x: x.numpy(), "write `return x`"),
    (lambda x: x.tolist(), "write `return x`"),
    (lambda x: x.detach(), "write tc.stop_gradient(x)"),
    (lambda x: x.stop_gradient(), "write tc.stop_gradient(x)"),
    (lambda x: x.backward(), "tc.grad(cost, wrt)"),
    (lambda x: x.unsqueeze(0), "write np.expand_dims(x, axis)"),
    (lambda x: x.view(-1), "write x.reshape(shape)"),
    (lambda x: x.exp(), "write np.exp(x)"),
    (lambda x: x.sigmoid(), "write tc.sigmoid(x)"),
    (lambda x: x.matmul(x), "write x @ y"),
    (lambda x: x.nbytes, "no memory"),
    (lambda x: x.cond(x, x), "write tc.cond(x, f, g)"),
    (lambda x: x.sort(), "write np.sort(x)"),
    (lambda x: x.nonzero(), "np.where(c, x, 0)"),
    (lambda x: x.nonzero(), "the size of its result depends on values"),
    (lambda x: x.fill(0), "tc.full_like(x, v)"),
    (lambda x: x.dropout(0.5), "write rng.dropout(x, p)"),
    (lambda x: x.sigmod(), "did you mean `sigmoid`?"),
    (lambda x: x.reshap(-1), "did you mean `reshape`?"),
]


@pytest.mark.parametrize(("use", "words"), ATTRIBUTES)
def test_an_attribute_that_is_not_there_says_what_is(use, words):
    with pytest.raises(AttributeError) as caught:
        tc.jit(use)(X)
    assert words in str(caught.value)


def test_every_attribute_of_arrays_is_there_or_told():
    x = tc.dmatrix("x")
    for name in dir(np.ndarray):
        if name.startswith("_") or hasattr(x, name):
            continue
        with pytest.raises(AttributeError) as caught:
            getattr(x, name)
        told = str(caught.value).partition(f"has no attribute '{name}'")[2]
        assert len(told) > len(" , ;"), name
        assert "did you mean" not in told


CALLS = [
    (lambda x: x.sum(dim=0), "write `axis=` for `dim=`"),
    (lambda x: x.max(0, keepdim=True), "write `keepdims=` for `keepdim=`"),
    (lambda x: x.var(dim=0), "write `axis=` for `dim=`"),
    (lambda x: tc.softmax(x, dim=1), "write `axis=` for `dim=`"),
    (lambda x: tc.mean(x, dim=1), "write `axis=` for `dim=`"),
    (lambda x: max(x[0]), "np.max(x) of an array"),
    (lambda x: sorted(x[0]), "np.sort(x)"),
    (lambda x: any(x[0] > 1), "neither true nor false"),
    (lambda x: round(x[0, 0], 2), "np.round(x)"),
    (lambda x: np.float32(x[0, 0]), "x.astype(np.float32) converts"),
    (lambda x: max(x[0, 0], 3), "np.maximum(x, y) of two"),
    (lambda x: np.sum([x[0, 0], x[1, 1]]), "np.sum takes variables, no lists of them"),
    (lambda x: np.linalg.norm([x[0, 0], 1]), "np.linalg.norm takes variables, no li"),
    (lambda x: np.cumsum([x[0, 0], 1]), "np.cumsum takes variables, no lists of them"),
    (lambda x: rename([x[0, 0], 1]), "np.stack([a, b]) makes an array of variables"),
    (lambda x: TABLE.dot(x), "np.dot(TABLE, x) takes variables"),
    (lambda x: TABLE[0, x[0].astype(int)], "tc.constant(TABLE)[0, x[0].astype(int)] t"),
    (lambda x: [1, 2][x[0, 0].astype(int)], "tc.constant([1, 2])[x[0, 0].astype(int)]"),
    (lambda x: TABLE.__setitem__(0, x[0]), "no value yet"),
    (lambda x: np.full(3, x[0, 0]), "tc.full(shape, x), whose value may be a variable"),
    (lambda x: np.full_like(TABLE, x[0, 0]), "write tc.full_like(a, v)"),
    (lambda x: generator.normal(x[0, 0]), "draw outside"),
    (lambda x: np.zeros(x.sum()), "tc.zeros takes sizes and numbers of the call"),
    (lambda x: np.random.normal(x[0, 0]), "draw outside"),
    (lambda x: np.zeros(x.shape[0] / 2), "is 1.0 at this call, where an integer is"),
    (lambda x: np.add.outer(x, x), "write np.add(x[:, None], y)"),
    (lambda x: np.trapezoid(x, x=x, axis=5), "axis 5 is out of range for rank 2"),
    (lambda x: np.diff(x, prepend=0), "it takes a, n, axis"),
    (lambda x: 1j * x, "there are no complex numbers"),
]


@pytest.mark.parametrize(("use", "words"), CALLS)
def test_a_call_that_cannot_be_says_what_can(use, words):
    with pytest.raises((TypeError, ValueError)) as caught:
        tc.jit(use)(X)
    assert words in said(caught.value)
    line = use.__code__.co_firstlineno
    assert str(caught.value).count(f"{__file__}:{line}:") == 1


PUBLIC = [
    *((n, "is not in this version") for n in ("lexsort", "remat", "vmap", "i0")),
    ("jacrev", "tc.jacobian(f) goes along the smaller side"),
    ("custom_vjp", "tc.custom_gradient(f, backward)"),
    *((n, "tc.scan(f, init, xs), or length=n") for n in ("fori_loop", "foldl")),
    ("map", "tc.scan(lambda _, x: (None, f(x)), None, xs)"),
    ("lax", "tc.scan, tc.cond"),
    ("dropout", "tc.random.default_rng(seed) draws"),
    ("dropout", "rng.dropout(x, p)"),
    ("randn", "rng.normal(loc, scale, size)"),
    ("permutation", "rng.permutation(x)"),
    ("nonzero", "the size of its result depends on values"),
    ("array_equal", "write np.all(x == y)"),
    ("no_grad", "tc.stop_gradient(x)"),
    ("sigmod", "did you mean `sigmoid`?"),
    ("linalg", "no attribute 'linalg'"),
    ("hstack", "np.hstack takes variables"),
]


@pytest.mark.parametrize(("name", "words"), PUBLIC)
def test_a_name_of_the_package_that_is_not_there(name, words):
    with pytest.raises(AttributeError) as caught:
        getattr(tc, name)
    text = str(caught.value)
    assert words in text
    assert text.count("did you mean") == words.count("did you mean")


def test_a_call_of_several_lines_is_read():
    def together(x):
        return np.linalg.inv(
            x[
                :2,
                :2,
            ]
        )

    with pytest.raises(TypeError, match="is not in this version"):
        tc.jit(together)(X)


def test_a_call_without_source_is_told():
    names: dict[str, object] = {}
    exec("def f(x): return float(x[0, 0])", names)
    with pytest.raises(TypeError, match="no value yet while f is traced"):
        tc.jit(names["f"])(X)


def test_a_power_has_no_modulus():
    with pytest.raises(TypeError, match=r"takes no modulus[\s\S]*x \*\* y % z"):
        tc.jit(lambda x: pow(x, 2, 3))(X)


def test_printing_in_a_trace_shows_types(capsys):
    def show(x, n):
        print(f"{x}", f"{x.sum()}", x, f"{n:03d}")  # noqa: T201
        return x

    tc.jit(show)(X, 7)
    shown = "<x: f64[x0, x1]> <variable: f64> <x: f64[x0, x1]> 007\n"
    assert capsys.readouterr().out == shown
