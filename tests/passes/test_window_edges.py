"""Convolutions of padded images: strips read the image, and zeros around it.

Each has the bits of one whose image a user padded, and no array of that.
"""

import numpy as np
import pytest

import tensorc as tc
from tensorc.passes.loops import edges

rng = np.random.default_rng(23)

# Images, filters, options: rows that follow each other in memory, and others.
CASES = [
    ((2, 3, 7, 7), (5, 3, 3, 3), {"padding": 1}),
    ((2, 3, 20, 21), (17, 3, 3, 3), {"padding": 1}),
    ((1, 2, 9, 40), (3, 2, 5, 1), {"padding": (2, 0)}),
    ((2, 3, 20, 37), (4, 3, 5, 7), {"padding": ((4, 1), (0, 6)), "stride": (1, 2)}),
    ((2, 2, 40, 40), (3, 2, 3, 3), {"padding": 4, "dilation": 4}),
    ((1, 2, 12, 70), (3, 2, 3, 3), {"padding": (0, 3), "stride": (2, 3)}),
    ((1, 2, 12, 99), (3, 2, 3, 3), {"padding": 2, "stride": 5}),
    ((1, 600, 5, 5), (3, 600, 3, 3), {"padding": 1}),
    ((1, 1, 2, 3), (2, 1, 9, 9), {"padding": 8}),
    ((3, 4, 30), (2, 4, 3), {"padding": 1}),
]


def padded_by(x, padding):
    count = x.ndim - 2
    pairs = padding if isinstance(padding, tuple) else (padding,) * count
    pairs = [pair if isinstance(pair, tuple) else (pair, pair) for pair in pairs]
    return np.pad(x, [(0, 0), (0, 0), *pairs])


def forms(function, *arrays):
    """What is compiled for unknown sizes, and for known ones."""
    given = [tc.tensor(f"a{i}", a.dtype, a.shape) for i, a in enumerate(arrays)]
    return [tc.jit(function), tc.function(given, function(*given))]


def check(x, w, options, turned=lambda x: x, element="float32"):
    conv = getattr(tc, f"conv{x.ndim - 2}d")
    x, w = x.astype(element), w.astype(element)
    rest = {n: v for n, v in options.items() if n != "padding"}
    around = padded_by(np.ascontiguousarray(turned(x)), options["padding"])
    wanted = tc.jit(lambda x, w: conv(x, w, **rest))(around, w)
    d = rng.normal(size=wanted.shape).astype(element)

    def slope(x, w, d, **options):
        return tc.grad(lambda w: (conv(x, w, **options) * d).sum())(w)

    wanted_slope = tc.jit(lambda x, w, d: slope(x, w, d, **rest))(around, w, d)
    for form in forms(lambda x, w: conv(turned(x), w, **options), x, w):
        np.testing.assert_array_equal(form(x, w), wanted)
    for form in forms(lambda x, w, d: slope(turned(x), w, d, **options), x, w, d):
        np.testing.assert_array_equal(form(x, w, d), wanted_slope)


@pytest.mark.parametrize(("x", "w", "options"), CASES)
def test_a_padded_image_gives_the_bits_of_one_that_is_larger(x, w, options):
    check(rng.normal(size=x), rng.normal(size=w), options)


def test_views_that_are_turned_around_are_read_as_they_lie():
    x, w = rng.normal(size=(2, 3, 20, 37)), rng.normal(size=(4, 3, 3, 3))
    for options in ({"padding": 1}, {"padding": (2, 1), "stride": 2}):
        check(x, w, options, lambda x: x[:, :, ::-1, ::-1])
        check(x, w, options, lambda x: x.transpose(0, 1, 3, 2), "float64")


def test_axes_too_long_for_narrow_indices_are_read_in_runs(monkeypatch):
    monkeypatch.setattr(edges, "NARROW_SIZES", 1)
    for x, w, options in CASES[:3]:
        check(rng.normal(size=x), rng.normal(size=w), options)


def test_zeros_around_meet_what_is_not_finite():
    x, w = np.ones((1, 1, 4, 4)), np.full((1, 1, 3, 3), np.inf)
    found = tc.jit(lambda x, w: tc.conv2d(x, w, padding=1))(x, w)
    assert np.isnan(found[0, 0, 0]).all()
    assert np.isposinf(found[0, 0, 1:3, 1:3]).all()


def test_no_array_holds_the_padded_image():
    text = tc.jit(lambda x, w: tc.conv2d(x, w, padding=1))
    text(np.ones((2, 2, 6, 6)), np.ones((3, 2, 3, 3)))
    emitted = text.emit("structured")
    assert emitted.count("linalg.generic") == 1
    assert "tc.outside" in emitted
    assert "x2 + 2" not in emitted.split("tc.guard")[0]


def test_filters_of_one_window_share_a_form():
    conv = tc.jit(lambda x, w: tc.conv2d(x, w))
    x = np.ones((1, 2, 6, 6))
    for window in ((3, 3), (3, 3), (2, 3)):
        for count in (4, 5):
            assert conv(x, np.ones((count, 2, *window))).shape[1] == count
    assert len(conv.cache_info()) == 2


DEPTHWISE = [
    ((2, 4, 9, 20), (4, 1, 3, 3), {"padding": 1}),
    ((2, 3, 19, 40), (3, 1, 3, 3), {"padding": 1, "stride": 2}),
    ((1, 2, 8, 33), (2, 1, 5, 5), {"padding": (0, 2)}),
    ((1, 2, 8, 9), (2, 1, 2, 3), {"padding": 0, "dilation": (2, 1)}),
    ((2, 3, 40), (3, 1, 7), {"padding": 3}),
]


@pytest.mark.parametrize(("x", "w", "options"), DEPTHWISE)
def test_a_filter_for_each_channel_adds_as_filters_of_all_do(x, w, options):
    conv = getattr(tc, f"conv{len(x) - 2}d")
    x, w = (rng.normal(size=shape).astype("float32") for shape in (x, w))
    channels = x.shape[1]
    alone = tc.jit(lambda x, w: conv(x, w, **options))
    wanted = [
        alone(x[:, [c] * 1], np.concatenate([w[[c]]] * 20))[:, :1]
        for c in range(channels)
    ]
    for form in forms(lambda x, w: conv(x, w, groups=channels, **options), x, w):
        np.testing.assert_array_equal(form(x, w), np.concatenate(wanted, axis=1))
