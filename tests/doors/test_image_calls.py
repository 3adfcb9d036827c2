"""Sizes of images and filters that only a call gives: what it says when they are wrong.

In all doors one message, which names the function and where it is called, with the
shapes and the formula of the size that does not fit.
"""

import copy
import math
import pickle

import numpy as np
import pytest

import tensorc as tc
from tests.said import said

IMAGES = (1, 2, 4, 4)
# The call, the filters' shape, what is said, and the size that is too small.
WRONG = {
    "window": (
        "conv2d(x, w, stride=3)",
        (3, 2, 5, 5),
        "(x2 + 0 - 1 * (w2 - 1) - 1) // 3 + 1 elements",
        "(x2 - w2) // 3 is -1, it must be at least 0",
    ),
    "dilated": (
        "conv2d(x, w, dilation=3, padding=1)",
        (3, 2, 3, 3),
        "(x2 + 2 - 3 * (w2 - 1) - 1) // 1 + 1 elements",
        "x2 - 3 * w2 is -5, it must be at least -4",
    ),
    "transposed": (
        "conv_transpose2d(x, w, padding=3)",
        (2, 3, 2, 2),
        "(x2 - 1) * 1 - 6 + 1 * (w2 - 1) + 0 + 1 elements",
        "w2 + x2 is 6, it must be at least 8",
    ),
    "empty": (
        'conv2d(x, w, padding="full")',
        (3, 2, 0, 2),
        'padding is not negative, "full" is w2 - 1',
        "w2 is 0, it must be at least 1",
    ),
    "pool": (
        "max_pool(x, 5)",
        None,
        "under windows [5, 5]: the window is larger than the padded image",
        "(x2 - 5) // 5 is -1, it must be at least 0",
    ),
    "unfold": (
        "unfold(x, 5)",
        None,
        "(x2 + 0 - 1 * (5 - 1) - 1) // 1 + 1 elements",
        "x2 is 4, it must be at least 5",
    ),
    "rest": (
        "images2neibs(x, (3, 3))",
        None,
        "they leave a rest of the image",
        "x2 is 4, but 3 * ((x2 - 3) // 3) + 3 is 3",
    ),
}
# What is said of them where a trace has put in the sizes of filters' windows.
TRACED = {
    "window": ("(x2 + 0 - 1 * (5 - 1) - 1) // 3 + 1 elements", "(x2 - 5) // 3 is -1"),
    "dilated": ("(x2 + 2 - 3 * (3 - 1) - 1) // 1 + 1 elements", "x2 is 4, it must be"),
    "transposed": ("(x2 - 1) * 1 - 6 + 1 * (2 - 1) + 0 + 1 elements", "x2 is 4"),
}


def written(call, has_filters, folder):
    """Return the function of a file with that call, whose symbols are those of jit."""
    signature = "x: float[X0, X1, X2, X3]"
    signature += ", w: float[W0, W1, W2, W3]" * has_filters
    path = folder / "wrong.tc"
    path.write_text(f"fn f({signature}) = {call}\n")
    return tc.load(path).f


def python(call):
    """Return the body of that call for the doors of Python."""
    names = ("conv2d", "conv_transpose2d", "max_pool", "unfold", "images2neibs")
    known = {name: getattr(tc, name) for name in names}
    return lambda *given: eval(call, known | dict(zip("xw", given, strict=False)))


def symbolic(body, count):
    variables = [tc.tensor(name, "float32", (None,) * 4) for name in "xw"[:count]]
    return tc.function(variables, body(*variables))


DOORS = ("file", "jit", "symbolic")
CASES = [(name, door) for name in WRONG for door in DOORS]
CASES.remove(("rest", "file"))  # Theano's word is one of Python


@pytest.mark.parametrize(("name", "door"), CASES)
def test_a_call_says_what_does_not_fit_and_how_sizes_are_computed(name, door, tmp_path):
    call, filters, words, least = WRONG[name]
    shapes = [IMAGES] if filters is None else [IMAGES, filters]
    is_traced = door == "jit" and name in TRACED
    words, least = TRACED[name] if is_traced else (words, least)
    match door:
        case "file":
            f = written(call, filters is not None, tmp_path)
        case "jit":
            body = python(call)
            f = tc.jit(
                (lambda x: body(x)) if filters is None else lambda x, w: body(x, w)
            )
        case _:
            f = symbolic(python(call), len(shapes))
    arrays = [np.ones(shape, "f") for shape in shapes]
    with pytest.raises(tc.ShapeError) as caught:
        f(*arrays)
    (diagnostic,) = caught.value.diagnostics
    text = said(caught.value).lower()
    assert diagnostic.code == "TC0504"
    assert f"`{call.partition('(')[0]}`: " in text
    assert words.lower() in text
    assert least in text
    read = shapes[1:] if name == "empty" else shapes
    if is_traced:
        read = shapes[:1]
        height, width = shapes[1][2:]
        assert f"filters f32[w0, w1, {height}, {width}]" in text
    for shape in read:
        assert f"given f32[{', '.join(map(str, shape))}]" in text
    assert diagnostic.location.line


# Sizes that are equal, where one makes the other: the call, the filters, words.
EQUAL = {
    "channels": ("conv2d(x, w)", (3, 5, 2, 2), "w1 is 5, but x1 is 2"),
    "groups": ("conv2d(x, w, groups=2)", (4, 2, 2, 2), "x1 is 2, but 2 * w1 is 4"),
    "transposed": ("conv_transpose2d(x, w)", (3, 2, 2, 2), "w0 is 3, but x1 is 2"),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", EQUAL)
def test_a_call_says_where_sizes_must_be_equal(name, door, tmp_path):
    call, filters, words = EQUAL[name]
    match door:
        case "file":
            f = written(call, True, tmp_path)
        case "jit":
            body = python(call)
            f = tc.jit(lambda x, w: body(x, w))
        case _:
            f = symbolic(python(call), 2)
    with pytest.raises(tc.ShapeError) as caught:
        f(np.ones(IMAGES, "f"), np.ones(filters, "f"))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "TC0504"
    assert words in said(caught.value).lower()
    assert diagnostic.location.line
    if door == "file":
        assert diagnostic.location.column > len("fn f(x: float[")


@pytest.mark.parametrize("first", [True, False])
def test_a_filter_without_elements_writes_outside_of_nothing(first):
    """Its "full" padding is negative; a trace had left it unchecked."""
    f = tc.jit(lambda x, w: tc.conv2d(x, w, padding="full"))
    x = np.ones((1, 1, 3, 3))
    for width in (2, 0) if first else (0, 2):
        w = np.ones((1, 1, 2, width))
        if width:
            assert f(x, w).shape == (1, 1, 4, 4)
        else:
            with pytest.raises(tc.ShapeError, match='"full" is w3 - 1'):
                f(x, w)


def test_words_stand_for_the_sizes_of_what_is_compiled():
    """Names of sizes in a graph are its own: x1#1 is no beginning of x1#12."""
    variables = [tc.tensor("x", "float32", (None,) * 3) for _ in range(5)]
    total = sum(tc.sum(tc.max_pool(v, (5,), stride=1)) for v in variables)
    f = tc.function(variables, total)
    arrays = [np.ones((1, 1, 5 + i), "f") for i in range(5)]
    assert math.isclose(float(f(*arrays)), 15)
    for wrong in range(5):
        given = [a[..., :4] if i == wrong else a for i, a in enumerate(arrays)]
        with pytest.raises(tc.ShapeError) as caught:
            f(*given)
        assert "#" not in said(caught.value)
        assert "given f32[1, 1, 4]" in said(caught.value)


IN_WHAT = {
    "loop": lambda x, w: tc.scan(
        lambda c, _: (c + tc.sum(tc.conv2d(x, w)), None), 0.0, None, length=2
    )[0],
    "branch": lambda x, w: tc.cond(
        tc.sum(x) > 1e9, lambda: tc.sum(tc.conv2d(x, w)), lambda: 0.0
    ),
    "slope": tc.grad(lambda x, w: tc.sum(tc.conv2d(x, w))),
    "direction": lambda x, w: tc.jvp(lambda v: tc.conv2d(x, v), (w,), (w,))[1],
}


@pytest.mark.parametrize("where", IN_WHAT)
def test_it_is_said_of_what_is_in_loops_branches_and_derivatives(where):
    f = tc.jit(lambda x, w: IN_WHAT[where](x, w))
    small = f(np.ones(IMAGES), np.ones((1, 2, 2, 2)))
    assert np.isfinite(small).all()
    with pytest.raises(tc.ShapeError, match=r"`conv2d`: images .* \(5 - 1\)"):
        f(np.ones(IMAGES), np.ones((1, 2, 5, 2)))


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))]
)
def test_a_copy_of_a_graph_asks_the_same(copied):
    x, w = (tc.tensor(name, "float64", (None,) * 4) for name in "xw")
    y, x, w = copied((tc.max_pool(tc.conv2d(x, w, groups=2), 3), x, w))
    f = tc.function([x, w], y)
    assert f(np.ones(IMAGES), np.ones((2, 1, 1, 1))).shape == (1, 2, 1, 1)
    with pytest.raises(tc.ShapeError) as caught:
        f(np.ones(IMAGES), np.ones((3, 1, 1, 1)))
    assert "the filters are w0, no multiple of 2 groups" in said(caught.value)
    given = tc.tensor("v", "float64", (None,) * 4)
    f = tc.function([given, w], y, givens=[(x, given[:, :, 1:])])
    with pytest.raises(tc.ShapeError) as caught:
        f(np.ones(IMAGES), np.ones((2, 1, 2, 1)))
    assert "`max_pool`" in said(caught.value)
    assert "#" not in said(caught.value)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("max_pool2d", "write `max_pool(x, window)`, for any number of axes"),
        ("adaptive_avg_pool2d", "a whole image: `global_avg_pool(x)`"),
        ("images2neibs", "write `unfold(x, (2, 2), stride=2)`"),
        ("pool_2d", "write `max_pool(x, 2)` or `avg_pool(x, 2)`"),
    ],
)
def test_a_file_says_what_stands_for_names_of_others(name, way, tmp_path):
    path = tmp_path / "pools.tc"
    path.write_text(f"fn f(x: float[B, 1, 8, 8]) = {name}(x, 2)\n")
    images = np.ones((1, 1, 8, 8), "f")
    with pytest.raises(tc.TensorcError) as caught:
        tc.load(path).f(images)
    assert way in said(caught.value)
    path.write_text(
        "fn f(x: float[B, 1, 8, 8]) = max_pool(x, 2)\n"
        "fn g(x: float[B, 1, 8, 8]) = avg_pool(x, 2)\n"
        "fn h(x: float[B, 1, 8, 8]) = unfold(x, (2, 2), stride=2)\n"
        "fn i(x: float[B, 1, 8, 8]) = global_avg_pool(x)\n"
    )
    program = tc.load(path)
    shapes = [f(images).shape for f in (program.f, program.g, program.h, program.i)]
    assert shapes == [(1, 1, 4, 4), (1, 1, 4, 4), (1, 4, 16), (1, 1)]
