"""The cases of convolution and pooling at which other libraries failed, one by one.

Derivatives are checked by what makes them transposes: <d, conv(v, w)> is <grad, v>.
"""

import itertools

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import TensorcError
from tests import images
from tests.said import said

rng = np.random.default_rng(83)


def normal(*shape):
    return rng.normal(size=shape)


def close(ours, theirs):
    assert np.shape(ours) == np.shape(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)


def check_slopes(make, x, w, options):
    """Check the gradients of the sum of `d * conv2d(x, w)` by linearity in each."""
    d = normal(*images.conv(x, w, **options).shape)
    to_x, to_w = make(x, w, d)
    v, u = normal(*x.shape), normal(*w.shape)
    assert to_x.shape == x.shape
    assert to_w.shape == w.shape
    for slope, by, at in ((to_x, v, (v, w)), (to_w, u, (x, u))):
        close(np.sum(slope * by), np.sum(d * images.conv(*at, **options)))


def slopes(options):
    def cost(x, w, d):
        return tc.sum(d * tc.conv2d(x, w, **options))

    return tc.jit(tc.grad(cost, argnums=(0, 1)))


EDGES = {
    "one by one": ((2, 3, 5, 4), (4, 3, 1, 1), {}),
    "strides over the kernel": ((1, 2, 9, 8), (3, 2, 2, 1), {"stride": (3, 2)}),
    "asymmetric padding": ((1, 2, 5, 4), (3, 2, 3, 2), {"padding": ((2, 0), (0, 1))}),
    "dilation, full": ((1, 2, 5, 4), (2, 2, 3, 2), {"dilation": 2, "padding": "full"}),
    "dilation, half": ((1, 2, 7, 6), (2, 2, 3, 3), {"dilation": 2, "padding": "half"}),
    "groups": ((2, 4, 5, 4), (6, 2, 3, 2), {"groups": 2}),
    "depthwise": ((2, 4, 5, 4), (4, 1, 3, 2), {"groups": 4, "padding": "same"}),
}


@pytest.mark.parametrize("name", EDGES)
def test_79_edges_of_convolutions_have_values_and_slopes(name):
    x, w, options = EDGES[name]
    x, w = normal(*x), normal(*w)
    made = tc.jit(lambda x, w: tc.conv2d(x, w, **options))(x, w)
    close(made, images.conv(x, w, **options))
    check_slopes(slopes(options), x, w, options)


def test_79_a_kernel_that_is_larger_than_the_padded_image_is_refused():
    made = tc.jit(lambda x, w: tc.conv2d(x, w, padding=1))
    assert made(normal(1, 1, 3, 3), normal(1, 1, 5, 5)).shape == (1, 1, 1, 1)
    with pytest.raises(TensorcError) as caught:
        made(normal(1, 1, 2, 3), normal(1, 1, 5, 5))
    assert "window" in said(caught.value)


def test_79_what_pads_an_image_counts():
    x, w = np.ones((1, 1, 3, 3)), np.full((1, 1, 2, 2), np.inf)
    made = tc.jit(lambda x, w: tc.conv2d(x, w, padding=((1, 0), (0, 0))))(x, w)
    assert np.isnan(made[0, 0, 0]).all()
    assert np.isinf(made[0, 0, 1:]).all()


def test_80_a_convolution_flips_its_kernel_and_a_correlation_does_not():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1
    kernel = np.arange(1.0, 10).reshape(1, 1, 3, 3)
    plain, flipped = tc.jit(
        lambda x, w: (
            tc.conv2d(x, w, padding=1),
            tc.conv2d(x, w, padding=1, flip=True),
        )
    )(x, kernel)
    assert flipped.tolist() == kernel.tolist()
    assert plain.tolist() == kernel[:, :, ::-1, ::-1].tolist()


def test_81_a_declared_shape_that_the_array_has_not_is_refused(tmp_path):
    path = tmp_path / "a.tc"
    path.write_text(
        "fn f(x: float[1, 1, 4, 4]) -> float[1, 1, 2, 2] = max_pool(x, 2)\n"
    )
    made = tc.load(path)
    assert made.f(np.ones((1, 1, 4, 4), np.float32)).shape == (1, 1, 2, 2)
    with pytest.raises(TensorcError, match="4"):
        made.f(np.ones((1, 1, 5, 4), np.float32))


@pytest.mark.parametrize(
    ("stride", "pad", "dilation"), [*itertools.product((2, 3), (0, 1), (1, 2))]
)
def test_82_sizes_that_give_one_size_have_their_own_gradients(stride, pad, dilation):
    options = {"stride": stride, "padding": pad, "dilation": dilation}
    make, w = slopes(options), normal(2, 1, 3, 2)
    found = set()
    for extra in range(stride + 1):
        x = normal(1, 1, 7 + extra, 6)
        found.add(images.conv(x, w, **options).shape)
        check_slopes(make, x, w, options)
    assert len(found) < stride + 1


def test_83_a_mean_counts_the_padding_or_not_and_the_last_windows_or_not():
    x = normal(1, 2, 5, 7)
    for count, ignore in itertools.product((True, False), repeat=2):
        words = {"padding": 1, "count_padding": count, "ignore_border": ignore}
        made = tc.jit(lambda x, w=words: tc.avg_pool(x, 2, **w))(x)
        close(made, images.pool(x, 2, mean=True, **words))


def test_83_windows_of_infinities_and_nan():
    x = np.full((1, 1, 2, 4), -np.inf)
    x[0, 0, 0, 3] = np.nan
    largest, slope = tc.jit(
        tc.value_and_grad(lambda x: tc.sum(tc.max_pool(x, 2, padding=1)))
    )(x)
    assert np.isnan(largest)
    # Each window gives its slope to its first largest element, if it is no padding.
    assert slope[0, 0].tolist() == [[0, 0, 0, 1], [0, 1, 0, 1]]
    pooled = tc.jit(lambda x: tc.max_pool(x, 2, padding=1))(x)
    assert pooled[0, 0].tolist()[0][:2] == [-np.inf, -np.inf]
    assert np.isnan(pooled[0, 0, 0, 2])


def test_83_a_window_in_the_padding_alone_is_refused():
    with pytest.raises(TensorcError) as caught:
        tc.jit(lambda x: tc.max_pool(x, 2, padding=2))(normal(1, 1, 4, 4))
    assert "fills a window alone" in said(caught.value)
