"""Convolutions and poolings by direct loops in NumPy, in f64: what ours are held to."""

import itertools

import numpy as np


def per_axis(value, count):
    return tuple(value) if isinstance(value, tuple | list) else (value,) * count


def pads(padding, sizes, window, stride, dilation):
    """Return (before, after) of each axis."""
    extents = [(k - 1) * d for k, d in zip(window, dilation, strict=True)]
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    if padding == "full":
        return [(e, e) for e in extents]
    if padding == "half":
        return [((e + 1) // 2, (e + 1) // 2) for e in extents]
    if padding == "same":
        found = []
        for size, extent, step in zip(sizes, extents, stride, strict=True):
            count = -(-size // step)
            total = max((count - 1) * step + extent + 1 - size, 0)
            found.append((total // 2, total - total // 2))
        return found
    parts = per_axis(padding, len(sizes))
    return [p if isinstance(p, tuple) else (p, p) for p in parts]


def counts(sizes, window, stride, dilation, pairs):
    """Return how many windows lie along each axis, by trying them."""
    found = []
    for size, k, step, d, (lo, hi) in zip(
        sizes, window, stride, dilation, pairs, strict=True
    ):
        count = 0
        while count * step + (k - 1) * d < size + lo + hi:
            count += 1
        found.append(count)
    return found


def conv(x, w, b=None, stride=1, padding="valid", dilation=1, groups=1, flip=False):
    """Return the correlation of [N, C, *S] with [F, C / groups, *K], by loops."""
    rank = x.ndim - 2
    stride, dilation = per_axis(stride, rank), per_axis(dilation, rank)
    window = w.shape[2:]
    pairs = pads(padding, x.shape[2:], window, stride, dilation)
    output = counts(x.shape[2:], window, stride, dilation, pairs)
    if flip:
        w = np.flip(w, range(2, w.ndim))
    wide = np.pad(x, [(0, 0), (0, 0), *pairs])
    each, own = w.shape[1], w.shape[0] // groups
    result = np.zeros((x.shape[0], w.shape[0], *output))
    for f in range(w.shape[0]):
        part = wide[:, f // own * each : (f // own + 1) * each]
        for at in np.ndindex(*output):
            under = [
                slice(o * s, o * s + (k - 1) * d + 1, d)
                for o, s, k, d in zip(at, stride, window, dilation, strict=True)
            ]
            axes = tuple(range(1, x.ndim))
            result[(slice(None), f, *at)] = (part[(..., *under)] * w[f]).sum(axes)
    return result if b is None else result + b.reshape(-1, *[1] * rank)


def conv_transpose(
    x, w, b=None, stride=1, padding="valid", output_padding=0, dilation=1, groups=1,
    flip=False,
):  # fmt: skip
    """Return what [N, C, *S] adds of filters [C, F / groups, *K], by loops."""
    rank = x.ndim - 2
    stride, dilation = per_axis(stride, rank), per_axis(dilation, rank)
    more, window = per_axis(output_padding, rank), w.shape[2:]
    reach = [(k - 1) * d for k, d in zip(window, dilation, strict=True)]
    if padding == "same":
        cut = [max(e + 1 - s, 0) for e, s in zip(reach, stride, strict=True)]
        pairs = [(c // 2, c - c // 2) for c in cut]
        sizes = [n * s + m for n, s, m in zip(x.shape[2:], stride, more, strict=True)]
    else:
        pairs = pads(padding, x.shape[2:], window, stride, dilation)
        sizes = [
            (n - 1) * s + e + 1 + m - lo - hi
            for n, s, e, m, (lo, hi) in zip(
                x.shape[2:], stride, reach, more, pairs, strict=True
            )
        ]
    if flip:
        w = np.flip(w, range(2, w.ndim))
    own, each = w.shape[0] // groups, w.shape[1]
    whole = [n + lo + hi for n, (lo, hi) in zip(sizes, pairs, strict=True)]
    result = np.zeros((x.shape[0], groups * each, *whole))
    for c, f in itertools.product(range(w.shape[0]), range(each)):
        for at in np.ndindex(*x.shape[2:]):
            under = [
                slice(o * s, o * s + (k - 1) * d + 1, d)
                for o, s, k, d in zip(at, stride, window, dilation, strict=True)
            ]
            value = x[(slice(None), c, *at)].reshape(-1, *[1] * rank)
            result[(slice(None), c // own * each + f, *under)] += value * w[c, f]
    inner = [slice(lo, lo + n) for n, (lo, _) in zip(sizes, pairs, strict=True)]
    result = result[(..., *inner)]
    return result if b is None else result + b.reshape(-1, *[1] * rank)


def pool(
    x, window, stride=None, padding=0, dilation=1, ignore_border=True,
    count_padding=True, mean=False,
):  # fmt: skip
    """Return the largest or the mean of windows along the last axes, by loops."""
    window = per_axis(window, x.ndim - 2)
    rank = len(window)
    stride = per_axis(window if stride is None else stride, rank)
    dilation = per_axis(dilation, rank)
    lead, sizes = x.shape[: x.ndim - rank], x.shape[x.ndim - rank :]
    pairs = pads(padding, sizes, window, stride, dilation)
    output = counts(sizes, window, stride, dilation, pairs)
    if not ignore_border:
        for axis, (size, (lo, hi)) in enumerate(zip(sizes, pairs, strict=True)):
            reach = (window[axis] - 1) * dilation[axis] + 1
            last = (output[axis] - 1) * stride[axis]
            if last + reach < size + lo + hi and last + stride[axis] < size + lo:
                output[axis] += 1
    result = np.zeros((*lead, *output))
    for at in np.ndindex(*output):
        inside, allowed = [], 1
        for axis, (size, (lo, hi)) in enumerate(zip(sizes, pairs, strict=True)):
            first = at[axis] * stride[axis] - lo
            under = [first + u * dilation[axis] for u in range(window[axis])]
            inside.append([i for i in under if 0 <= i < size])
            whole = [i for i in under if -lo <= i < size + hi]
            allowed *= len(whole if count_padding else inside[-1])
        part = x[(..., *np.ix_(*inside))]
        axes = tuple(range(len(lead), x.ndim))
        value = part.sum(axes) / allowed if mean else part.max(axes)
        result[(..., *at)] = value
    return result


def unfold(x, window, stride=1, padding=0, dilation=1):
    """Return windows of [N, C, *S] as columns, by loops."""
    rank = x.ndim - 2
    window, stride, dilation = (per_axis(v, rank) for v in (window, stride, dilation))
    pairs = pads(padding, x.shape[2:], window, stride, dilation)
    output = counts(x.shape[2:], window, stride, dilation, pairs)
    wide = np.pad(x, [(0, 0), (0, 0), *pairs])
    columns = []
    for at in np.ndindex(*output):
        under = [
            slice(o * s, o * s + (k - 1) * d + 1, d)
            for o, s, k, d in zip(at, stride, window, dilation, strict=True)
        ]
        columns.append(wide[(..., *under)].reshape(x.shape[0], -1))
    return np.stack(columns, axis=-1)
