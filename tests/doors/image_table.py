"""Functions of images as NumPy would have them: loops, and values that are refused."""

import numpy as np

from tests import images

LARGEST = 10**6  # elements; of more than that nothing is computed here


def plain(value):
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


def integers(value, count, least=1):
    """Return an integer for each axis; ValueError for what is none."""
    value = plain(value)
    parts = value if isinstance(value, tuple) else (value,) * count
    if len(parts) != count or any(type(p) is not int or p < least for p in parts):
        raise ValueError
    return parts


def flag(value):
    value = plain(value)
    if type(value) not in (bool, int) or value not in (0, 1):
        raise ValueError
    return bool(value)


def padded(value, count):
    """Return padding as it is; ValueError for what is none."""
    value = plain(value)
    if isinstance(value, str):
        if value not in ("valid", "same", "full", "half"):
            raise ValueError
        return value
    parts = value if isinstance(value, tuple) else (value,) * count
    if len(parts) != count:
        raise ValueError
    return tuple([integers(p, 2, least=0) for p in parts])


def some(result):
    if 0 in result.shape:
        raise ValueError
    return result


def small(sizes):
    if np.prod([float(n) for n in sizes]) > LARGEST:
        raise ValueError


def conv(rank):
    def function(
        x, w, stride=1, padding="valid", dilation=1, groups=1, flip=False
    ):  # fmt: skip
        stride, dilation = integers(stride, rank), integers(dilation, rank)
        padding, flip = padded(padding, rank), flag(flip)
        (groups,) = integers(groups, 1)
        if x.shape[1] != groups * w.shape[1] or w.shape[0] % groups:
            raise ValueError
        pairs = images.pads(padding, x.shape[2:], w.shape[2:], stride, dilation)
        small([n + sum(p) for n, p in zip(x.shape[2:], pairs, strict=True)])
        return some(images.conv(x, w, None, stride, padding, dilation, groups, flip))

    return function


def conv_transpose(rank):
    def function(
        x, w, stride=1, padding="valid", output_padding=0, groups=1, dilation=1,
        flip=False,
    ):  # fmt: skip
        stride, dilation = integers(stride, rank), integers(dilation, rank)
        padding, flip = padded(padding, rank), flag(flip)
        more = integers(output_padding, rank, least=0)
        (groups,) = integers(groups, 1)
        if x.shape[1] != w.shape[0] or w.shape[0] % groups:
            raise ValueError
        sides = zip(x.shape[2:], stride, w.shape[2:], dilation, more, strict=True)
        small([n * s + k * d + m for n, s, k, d, m in sides])
        result = images.conv_transpose(
            x, w, None, stride, padding, more, dilation, groups, flip
        )
        return some(result)

    return function


def pool(mean):
    def function(
        x, window, stride=None, padding=0, dilation=1, ignore_border=True,
        count_padding=True,
    ):  # fmt: skip
        window = plain(window)
        rank = len(window) if isinstance(window, tuple) else 2
        if not 1 <= rank <= 3:
            raise ValueError
        window, dilation = integers(window, rank), integers(dilation, rank)
        stride = window if stride is None else integers(stride, rank)
        padding, border = padded(padding, rank), flag(ignore_border)
        count = flag(count_padding)
        sizes = x.shape[x.ndim - rank :]
        pairs = images.pads(padding, sizes, window, stride, dilation)
        for n, k, d, pair in zip(sizes, window, dilation, pairs, strict=True):
            if max(pair) > (k - 1) * d or n + sum(pair) <= (k - 1) * d:
                raise ValueError
        return images.pool(
            x, window, stride, padding, dilation, border, count, mean=mean
        )

    return function


def unfold(x, window, stride=1, padding=0, dilation=1):
    window, stride, dilation = (integers(v, 2) for v in (window, stride, dilation))
    padding = padded(padding, 2)
    pairs = images.pads(padding, x.shape[2:], window, stride, dilation)
    small([n + sum(p) for n, p in zip(x.shape[2:], pairs, strict=True)])
    for n, k, d, pair in zip(x.shape[2:], window, dilation, pairs, strict=True):
        if n + sum(pair) <= (k - 1) * d:
            raise ValueError
    return images.unfold(x, window, stride, padding, dilation)


def fold(x, size, window, stride=1, padding=0, dilation=1):
    """Add up columns by adding what each of them puts in."""
    size = plain(size)
    size = integers(size, len(size) if isinstance(size, tuple) else 1)
    rank = len(size)
    small(size)
    window = integers(window, rank)
    each = int(np.prod(window))
    if not 1 <= rank <= 3 or x.shape[1] % each:
        raise ValueError
    shape = (x.shape[0], x.shape[1] // each, *size)
    stride, dilation = integers(stride, rank), integers(dilation, rank)
    padding = padded(padding, rank)
    marks = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
    pairs = images.pads(padding, size, window, stride, dilation)
    small([n + sum(p) for n, p in zip(size, pairs, strict=True)])
    at = images.unfold(marks, window, stride, padding, dilation).astype(int)
    if at.shape != x.shape:
        raise ValueError
    flat = np.zeros(marks.size + 1)
    np.add.at(flat, at, x)
    return flat[1:].reshape(shape)


def whole(function):
    def over(x, keepdims=False):
        return function(x, axis=(2, 3), keepdims=flag(keepdims))

    return over


FUNCTIONS = {
    "conv1d": conv(1),
    "conv2d": conv(2),
    "conv_transpose1d": conv_transpose(1),
    "conv_transpose2d": conv_transpose(2),
    "max_pool": pool(mean=False),
    "avg_pool": pool(mean=True),
    "global_max_pool": whole(np.max),
    "global_avg_pool": whole(np.mean),
    "unfold": unfold,
    "fold": fold,
}
