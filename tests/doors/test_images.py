"""Convolution, pooling and patches, in all doors, against direct loops in NumPy."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import TensorcError
from tests import images
from tests.said import said

rng = np.random.default_rng(15)


def normal(*shape):
    return rng.normal(size=shape)


def close(ours, theirs):
    assert np.shape(ours) == np.shape(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


CONVS = [
    ((2, 3, 7), (4, 3, 3), {}),
    ((2, 3, 7, 6), (4, 3, 3, 2), {}),
    ((2, 2, 4, 5, 4), (3, 2, 2, 3, 2), {"padding": "same"}),
    ((2, 3, 7, 6), (4, 3, 3, 2), {"stride": 2, "padding": ((1, 0), (2, 1))}),
    ((2, 3, 9, 8), (4, 3, 3, 2), {"dilation": (2, 3), "padding": "full"}),
    ((2, 3, 9, 8), (4, 3, 3, 4), {"dilation": (2, 1), "padding": "half"}),
    ((2, 3, 9, 8), (4, 3, 4, 3), {"stride": (3, 2), "padding": "same"}),
    ((1, 4, 6, 6), (6, 2, 3, 3), {"groups": 2, "padding": 1}),
    ((1, 4, 6, 6), (8, 1, 3, 3), {"groups": 4, "stride": 2}),
    ((1, 2, 4, 4), (3, 2, 1, 1), {"stride": 3}),
    ((1, 2, 5, 4), (3, 2, 2, 3), {"flip": True, "padding": (1, 2)}),
    ((0, 2, 5, 4), (3, 2, 2, 3), {}),
]


@pytest.mark.parametrize(("x", "w", "options"), CONVS)
def test_convolution(x, w, options):
    x, w, b = normal(*x), normal(*w), normal(w[0])
    function = getattr(tc, f"conv{x.ndim - 2}d")
    close(
        tc.jit(lambda x, w: function(x, w, **options))(x, w),
        images.conv(x, w, **options),
    )
    with_bias = tc.jit(lambda x, w, b: function(x, w, b, **options))
    close(with_bias(x, w, b), images.conv(x, w, b, **options))
    # Sizes that are known, in a graph.
    vx, vw = tc.tensor("x", "float64", x.shape), tc.tensor("w", "float64", w.shape)
    close(
        tc.function([vx, vw], function(vx, vw, **options))(x, w),
        images.conv(x, w, **options),
    )


TRANSPOSES = [
    ((2, 3, 5), (3, 2, 3), {}),
    ((2, 3, 4, 5), (3, 2, 3, 2), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((1, 2, 3, 3, 2), (2, 2, 2, 2, 3), {"stride": (1, 2, 1)}),
    ((2, 4, 4, 5), (4, 2, 3, 3), {"groups": 2, "padding": ((0, 1), (1, 2))}),
    ((1, 2, 3, 4), (2, 3, 2, 3), {"stride": 3, "padding": "same"}),
    ((1, 2, 5, 4), (2, 3, 3, 3), {"padding": "half", "dilation": 2, "flip": True}),
    ((1, 2, 6, 5), (2, 3, 3, 3), {"padding": "full"}),
]


@pytest.mark.parametrize(("x", "w", "options"), TRANSPOSES)
def test_transposed_convolution(x, w, options):
    x, w = normal(*x), normal(*w)
    b = normal(w.shape[1] * options.get("groups", 1))
    function = getattr(tc, f"conv_transpose{x.ndim - 2}d")
    made = tc.jit(lambda x, w, b: function(x, w, b, **options))(x, w, b)
    close(made, images.conv_transpose(x, w, b, **options))


@pytest.mark.parametrize(("x", "w", "options"), CONVS[:-1])
def test_a_transpose_is_the_derivative_by_the_images(x, w, options):
    if options.get("padding") == "same" or "flip" in options:
        options = {**options, "padding": "valid", "flip": False}
    x, w = normal(*x), normal(*w)
    rank = x.ndim - 2
    conv = getattr(tc, f"conv{rank}d")
    y = images.conv(x, w, **options)
    ct = normal(*y.shape)
    slope = tc.jit(tc.grad(lambda x: tc.sum(conv(x, w, **options) * ct)))(x)
    transpose = getattr(tc, f"conv_transpose{rank}d")
    words = {k: v for k, v in options.items() if k != "flip"}
    bare = images.conv_transpose(ct, w, **words)
    more = tuple(n - m for n, m in zip(x.shape[2:], bare.shape[2:], strict=True))
    made = tc.jit(lambda ct: transpose(ct, w, output_padding=more, **words))(ct)
    close(made, slope)


def test_two_ways_through_strided_convolutions_meet_in_the_gradient():
    """As in a residual network; elements that no window reads get 0."""
    x, w, v = normal(3, 4, 7, 6), normal(5, 4, 3, 3), normal(5, 4, 1, 1)
    ct = normal(3, 5, 4, 3)

    def cost(x, w, v, ct):
        both = tc.conv2d(x, w, stride=2, padding=1) + tc.conv2d(x, v, stride=2)
        return tc.sum(both * ct)

    made = tc.jit(tc.grad(cost))(x, w, v, ct)
    at = slice(0, 7, 2), slice(0, 6, 2)
    wide = images.conv_transpose(ct, w, stride=2, padding=1, output_padding=(0, 1))
    wide[(..., *at)] += np.einsum("nfhw,fc->nchw", ct, v[:, :, 0, 0])
    close(made, wide)
    zero = tc.jit(tc.grad(cost))(x, w, v, np.zeros_like(ct))
    assert not zero.any()


POOLS = [
    ((2, 3, 8), 2, {}),
    ((2, 3, 8, 7), 2, {}),
    ((2, 1, 4, 6, 4), 2, {}),
    ((2, 3, 8, 7), (3, 2), {"stride": 2}),
    ((2, 3, 8, 7), 3, {"stride": 2, "padding": 1}),
    ((5, 8), (3, 2), {"stride": (1, 2), "padding": ((1, 0), (0, 1))}),
    ((7,), (3,), {"stride": 3}),
    ((2, 3, 8, 7), 3, {"stride": 2, "ignore_border": False}),
    ((2, 3, 7, 7), 2, {"stride": 3, "ignore_border": False}),
    ((2, 3, 7, 8), (3, 2), {"stride": 2, "padding": 1, "ignore_border": False}),
    ((2, 3, 8, 7), 3, {"stride": 2, "padding": "same"}),
    ((0, 3, 8, 7), 2, {}),
]


@pytest.mark.parametrize(("x", "window", "options"), POOLS)
def test_pooling(x, window, options):
    x = normal(*x)
    made = tc.jit(lambda x: tc.max_pool(x, window, **options))(x)
    close(made, images.pool(x, window, **options))
    for count in (True, False):
        words = {**options, "count_padding": count}
        made = tc.jit(lambda x, w=words: tc.avg_pool(x, window, **w))(x)
        close(made, images.pool(x, window, mean=True, **words))


def test_pooling_with_dilation_and_of_integers():
    x = rng.integers(-99, 99, (2, 3, 9, 8))
    made = tc.jit(lambda x: tc.max_pool(x, 3, stride=1, dilation=(2, 3), padding=1))(x)
    assert made.dtype == x.dtype
    theirs = images.pool(x, 3, stride=1, dilation=(2, 3), padding=1)
    assert made.tolist() == theirs.tolist()
    bytes_ = x.astype("u1")
    assert tc.jit(lambda x: tc.max_pool(x, 2))(bytes_).dtype == bytes_.dtype


def test_pools_pass_nan_and_infinities_on():
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 0, 1], x[0, 0, 3, 0] = np.nan, -np.inf
    x[0, 0, 2:, 2:] = -np.inf
    largest, mean = tc.jit(lambda x: (tc.max_pool(x, 2), tc.avg_pool(x, 2)))(x)
    np.testing.assert_array_equal(largest[0, 0], [[np.nan, 0], [0, -np.inf]])
    np.testing.assert_array_equal(mean[0, 0], [[np.nan, 0], [-np.inf, -np.inf]])


def test_a_gradient_goes_to_the_first_maximum():
    x = np.float32([[1, 3, 3, 0], [3, 2, 3, 3], [0, 0, 0, 0], [0, 0, 0, 0]])
    slope = tc.jit(tc.grad(lambda x: tc.sum(tc.max_pool(x, (2, 2)))))(x)
    assert slope.tolist() == [[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    overlapping = tc.jit(tc.grad(lambda x: tc.sum(tc.max_pool(x, (2, 2), stride=1))))(x)
    assert overlapping.tolist() == [
        [0, 2, 1, 0],
        [1, 0, 2, 0],
        [1, 1, 1, 0],
        [0, 0, 0, 0],
    ]


def test_pools_of_the_whole_image():
    x = normal(2, 3, 5, 4)
    made = tc.jit(
        lambda x: (tc.global_max_pool(x), tc.global_avg_pool(x, keepdims=True))
    )(x)
    close(made[0], x.max((2, 3)))
    close(made[1], x.mean((2, 3), keepdims=True))


@pytest.mark.parametrize(
    ("x", "window", "options"),
    [
        ((2, 3, 7), 3, {}),
        ((2, 3, 7, 6), (3, 2), {"stride": 2, "padding": 1}),
        ((1, 2, 4, 5, 4), 2, {"dilation": (1, 2, 1)}),
    ],
)
def test_patches(x, window, options):
    x = normal(*x)
    made = tc.jit(lambda x: tc.unfold(x, window, **options))(x)
    theirs = images.unfold(x, window, **options)
    close(made, theirs)
    size = x.shape[2:]
    ct = normal(*theirs.shape)
    folded = tc.jit(lambda c: tc.fold(c, size, window, **options))(ct)
    # <fold(c), x> is <c, unfold(x)>.
    assert np.isclose(np.sum(folded * x), np.sum(ct * theirs))


def test_rows_of_neighbours_as_theano_has_them():
    x = np.arange(2 * 1 * 4 * 6).reshape(2, 1, 4, 6).astype("f")
    rows = tc.jit(lambda x: tc.images2neibs(x, (2, 3)))(x)
    assert rows.shape == (8, 6)
    assert rows[0].tolist() == [0, 1, 2, 6, 7, 8]
    assert rows[-1].tolist() == [39, 40, 41, 45, 46, 47]
    back = tc.jit(lambda r: tc.neibs2images(r, (2, 3), (2, 1, 4, 6)))(rows)
    assert back.tolist() == x.tolist()
    steps = tc.jit(lambda x: tc.images2neibs(x, (2, 2), neib_step=(2, 3)))
    with pytest.raises(TensorcError, match="they leave a rest"):
        steps(x)
    ignoring = tc.jit(
        lambda x: tc.images2neibs(x, (2, 2), (2, 3), mode="ignore_borders")
    )
    assert ignoring(x).shape == (2 * 2 * 2, 4)


def test_words_of_theano_and_pytorch():
    x, w = normal(1, 2, 6, 6), normal(3, 2, 3, 3)
    own = images.conv(x, w, stride=2, padding="full", flip=True)
    call = tc.jit(
        lambda x, w: tc.conv2d(
            input=x, filters=w, border_mode="full", subsample=(2, 2), filter_flip=True
        )
    )
    close(call(x, w), own)
    b = normal(3)
    call = tc.jit(lambda x, w, b: tc.conv2d(x, weight=w, bias=b, padding=1))
    close(call(x, w, b), images.conv(x, w, b, padding=1))
    pools = {
        "ws": lambda x: tc.max_pool(x, ws=(2, 2), st=1, pad=1),
        "torch": lambda x: tc.max_pool2d(x, kernel_size=2, stride=1, padding=1),
        "words": lambda x: tc.max_pool(x, kernel_size=2, strides=1, padding=1),
    }
    for pool in pools.values():
        close(tc.jit(pool)(x), images.pool(x, 2, stride=1, padding=1))
    words = {"ceil_mode": True, "count_include_pad": False}
    call = tc.jit(lambda x: tc.avg_pool2d(x, 4, padding=1, **words))
    own = images.pool(
        x, 4, padding=1, ignore_border=False, count_padding=False, mean=True
    )
    close(call(x), own)
    with pytest.raises(
        TypeError, match="got an unexpected keyword argument 'subsample'"
    ):
        tc.conv2d(tc.tensor4("x"), tc.tensor4("w"), stride=1, subsample=2)


@pytest.mark.parametrize("pool", [tc.max_pool, tc.avg_pool])
def test_a_window_larger_than_the_image_is_refused_over_the_border_too(pool):
    call = tc.jit(lambda x: pool(x, 3, stride=2, ignore_border=False))
    assert call(normal(2, 2, 3, 4)).shape == (2, 2, 1, 2)
    with pytest.raises(TensorcError, match="window is larger"):
        call(normal(2, 2, 2, 4))


PROGRAM = """
fn same(x: f64[B, 2, H, W], w: f64[3, 2, 3, 3], b: f64[3]) -> f64[B, 3, _, _] =
    conv2d(x, w, b, stride=2, padding="same")
fn words(x: f64[B, 2, H, W], w: f64[3, 2, 3, 3]) -> f64[B, 3, _, _] =
    conv2d(x, filters=w, border_mode=((1, 0), (0, 2)), filter_flip=true)
fn pools(x: f64[B, 2, H, W]) -> (f64[B, 2, _, _], f64[B, 2, _, _], f64[B, 2]) {
    return max_pool(x, 2, ceil_mode=true), avg_pool(x, (3, 2), 1), global_avg_pool(x)
}
"""


def test_files_call_them_too(tmp_path):
    path = tmp_path / "images.tc"
    path.write_text(PROGRAM)
    made = tc.load(path)
    for size in ((7, 6), (4, 9), (3, 3)):
        x, w, b = normal(2, 2, *size), normal(3, 2, 3, 3), normal(3)
        close(made.same(x, w, b), images.conv(x, w, b, stride=2, padding="same"))
        own = images.conv(x, w, padding=((1, 0), (0, 2)), flip=True)
        close(made.words(x, w), own)
        largest, mean, whole = made.pools(x)
        close(largest, images.pool(x, 2, ignore_border=False))
        close(mean, images.pool(x, (3, 2), stride=1, mean=True))
        close(whole, x.mean((2, 3)))
    with pytest.raises(TensorcError) as caught:
        made.pools(normal(2, 2, 2, 5))
    assert "(H + 0 - 1 * (3 - 1) - 1) // 1 + 1 elements" in said(caught.value)


WRONG = {
    "ranks": ("conv2d(x[0], w)", ("f32[2, 8, 8]", "[N, C, H, W]", "f32[3, 2, 3, 3]")),
    "channels": ("conv2d(x, w[:, :1])", ("have 2 channels", "filters take 1")),
    "groups": ("conv2d(x, w, groups=2)", ("have 2 channels", "filters take 2 * 2")),
    "filters": ("conv2d(x, w[:, :1], groups=2)", ("are 3, no multiple of 2 groups",)),
    "window": ("conv2d(x[:, :, :2], w)", ("(2 + 0 - 1 * (3 - 1) - 1) // 1 + 1 = 0",)),
    "dilation": (
        "conv2d(x, w, dilation=4)",
        ("(8 + 0 - 4 * (3 - 1) - 1) // 1 + 1 = 0",),
    ),
    "bias": ("conv2d(x, w, w[0, 0, 0, :2])", ("each of 3 channels, got f32[2]",)),
    "negative": (
        "conv_transpose2d(x[:, :, :1], w[:2], padding=2)",
        ("(1 - 1) * 1 - 4 + 1 * (3 - 1) + 0 + 1 = -1 elements",),
    ),
    "pool": (
        "max_pool(x, 9)",
        ("f32[1, 2, 8, 8] under windows [9, 9]", "= 0 elements"),
    ),
    "alone": ("max_pool(x, 2, padding=2)", ("padding 2, 2 fills a window alone",)),
    "stride": ("conv2d(x, w, stride=0)", ("stride is at least 1, got 0",)),
    "strides": ("conv2d(x, w, stride=(1, 2, 3))", ("3 numbers, there are 2 axes",)),
    "pairs": ("conv2d(x, w, padding=(1, 2, 3))", ("3 parts, there are 2 axes",)),
    "padding": ("conv2d(x, w, padding=-1)", ("padding is not negative",)),
    "flip": ("conv2d(x, w, flip=1)", ("flip must be true or false, got 1",)),
    "mixed": (
        "conv2d(x, w, padding=((1, 2), (3)))",
        ("or sizes or pairs (before, after) of all axes, got ((1, 2), 3)",),
    ),
    "word": ('conv2d(x, w, padding="vald")', ("'valid', 'same', 'full', 'half'",)),
    "one": ("conv1d(x, w)", ("[N, C, L]", "[F, C / groups, KL]")),
    "type": ("conv2d(x > 0, w > 0)", ("no convolution of booleans",)),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_message_with_shapes_and_sizes(name, tmp_path):
    call, words = WRONG[name]
    path = tmp_path / "wrong.tc"
    head = "fn f(x: float[1, 2, 8, 8], w: float[3, 2, 3, 3])"
    path.write_text(f"{head} = {call}\nfn g() -> float = 1\n")
    with pytest.raises(TensorcError) as caught:
        tc.load(path).f(np.zeros((1, 2, 8, 8), "f"), np.zeros((3, 2, 3, 3), "f"))
    (diagnostic,) = caught.value.diagnostics
    for word in words:
        assert word in said(caught.value)
    assert diagnostic.location.line == 1
    # The same in a trace.
    names = ["conv1d", "conv2d", "conv_transpose2d", "max_pool"]
    with pytest.raises(TensorcError) as traced:
        tc.jit(lambda x, w: eval(call, {n: getattr(tc, n) for n in names} | locals()))(
            np.zeros((1, 2, 8, 8), "f"), np.zeros((3, 2, 3, 3), "f")
        )
    assert len(traced.value.diagnostics) == 1


def test_the_slope_of_a_mean_needs_no_known_batch():
    """It is one number for all elements, the left side of the weight's gradient."""
    x, w = normal(2, 1, 4, 5), normal(2, 1, 3, 3)

    def mean(w, x):
        return np.mean(tc.conv2d(x, w))

    found = tc.jit(tc.grad(mean))(w, x)
    sums = [x[:, 0, i : i + 2, j : j + 3].sum() for i in range(3) for j in range(3)]
    wanted = np.broadcast_to(np.reshape(sums, (1, 1, 3, 3)) / 24, w.shape)
    close(found, wanted)


@pytest.mark.parametrize("padding", ["k", "(k, 0)", "((0, k), (1, 1))"])
def test_padding_that_a_call_gives_is_not_negative(padding, tmp_path):
    path = tmp_path / "padded.tc"
    path.write_text(
        "fn f(x: float[1, 1, 5, 5], w: float[1, 1, 2, 2], k: int) ="
        f" conv2d(x, w, padding={padding})\n"
    )
    program = tc.load(path)
    x, w = np.ones((1, 1, 5, 5), "f"), np.ones((1, 1, 2, 2), "f")
    assert program.f(x, w, 0).shape[0] == 1
    with pytest.raises(tc.ShapeError, match="padding is not negative"):
        program.f(x, w, -1)


MISTAKES = {
    "channels last": (
        "conv2d(x, w)",
        (2, 8, 8, 3),
        "channels are axis 1, not the last: `transpose(x, (0, 3, 1, 2))`",
    ),
    "channels": (
        "conv2d(x, w)",
        (2, 5, 8, 8),
        "axis 1 of the images has C channels, axis 1 of the filters C / groups",
    ),
    "rank": (
        "conv1d(x, w)",
        (2, 3, 8, 8),
        "images [N, C, H, W] are for `conv2d`",
    ),
    "one image": (
        "conv2d(x, w)",
        (3, 8, 8),
        "a batch of one: `expand_dims(x, 0)`",
    ),
    "transposed": (
        "conv_transpose1d(x, w)",
        (2, 4, 8, 8),
        "images [N, C, H, W] are for `conv_transpose2d`",
    ),
    "groups": (
        "conv2d(x, w, groups=3)",
        (2, 9, 8, 8),
        "`groups` divides both",
    ),
    "word": ('conv2d(x, w, padding="SAME")', (2, 3, 8, 8), "write 'same'"),
    "option": (
        "conv2d(x, w, kernel_size=3)",
        (2, 3, 8, 8),
        "the window is that of the filters",
    ),
    "misspelt": ("conv2d(x, w, dilations=2)", (2, 3, 8, 8), "mean `dilation`?"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_way_out_of_a_mistake_is_named_in_both_doors(name, tmp_path):
    written, shape, way = MISTAKES[name]
    path = tmp_path / "m.tc"
    sizes = ", ".join(map(str, shape))
    path.write_text(f"fn f(x: f64[{sizes}], w: f64[4, 3, 3, 3]) = {written}\n")
    with pytest.raises(TensorcError) as caught:
        tc.load(path).f(np.ones(shape), np.ones((4, 3, 3, 3)))
    assert way in str(caught.value)
    scope = {"tc": tc, "x": tc.constant(np.ones(shape)), "w": np.ones((4, 3, 3, 3))}
    with pytest.raises(TensorcError) as caught:
        eval(f"tc.{written}", scope)
    assert way in str(caught.value)
