"""Sample inputs of convolutions and windows: strides, paddings, dilations, nothing."""

from collections.abc import Mapping, Sequence

from tensorc.ir.arrays.windows import pairs_of
from tensorc.ir.attributes import Attribute, Dims, Typed
from tensorc.ir.core import Op
from tensorc.ir.dims import Dim, symbol
from tensorc.ir.numerics import FMA_ORDER
from tensorc.ir.ops.tensor import convolution
from tensorc.ir.types import F64
from tests.sample_types import Sample, dims, one, parse_type


def windows(
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    *output: int | str | Dim,
) -> dict[str, Attribute]:
    """Return what says how windows lie; `output` as in `dims`, or formulas."""
    sizes = [symbol(d) if isinstance(d, str) else d for d in output]
    return {
        "strides": tuple(strides),
        "padding": pairs_of(padding),
        "dilation": tuple(dilation),
        "output": Dims(tuple(sizes)),
    }


N_ = symbol("N")

# Images, filters, how windows lie, and what a convolution of them gives.
CONVOLVED: tuple[tuple[str, str, dict[str, Attribute], Sequence[int | str]], ...] = (
    ("f64[B, 1, 2, 5]", "f64[1, 3, 2, 2]", windows((1,), [(0, 0)], (1,), 4), (3, 4)),
    (
        *("f64[2, 2, 1, 5, 4]", "f64[2, 1, 1, 3, 2]"),
        windows((2, 1), [(1, 1), (0, 2)], (1, 2), 3, 4),
        (1, 3, 4),
    ),
    (
        *("f64[1, 1, 2, N, 4]", "f64[1, 2, 2, 1, 1]"),
        windows((1, 1), [(0, 0), (0, 0)], (1, 1), "N", 4),
        (2, "N", 4),
    ),
    (
        *("f64[2, 1, 1, 2, 3, 4]", "f64[1, 2, 1, 2, 2, 2]"),
        windows((1, 2, 3), [(0, 0), (1, 0), (0, 1)], (1, 1, 1), 1, 2, 2),
        (2, 1, 2, 2),
    ),
    (
        *("f64[B, 1, 1, N]", "f64[1, 2, 1, 2]"),
        windows((1,), [(1, 0)], (1,), "N"),
        (2, "N"),
    ),
    ("f64[0, 1, 2, 5]", "f64[1, 3, 2, 2]", windows((1,), [(0, 0)], (1,), 4), (3, 4)),
    ("f64[2, 1, 0, 5]", "f64[1, 3, 0, 2]", windows((1,), [(1, 0)], (1,), 5), (3, 5)),
    ("f64[2, 1, 1, 5]", "f64[1, 2, 1, 9]", windows((1,), [(0, 0)], (1,), 0), (2, 0)),
)


def _transposed(
    images: str,
    filters: str,
    given: dict[str, Attribute],
    channels: Sequence[int | str],
) -> Sample:
    """Return the transpose of a convolution, from what it gives to its images."""
    type_ = parse_type(images)
    shape = (*type_.shape[:2], *channels)
    positions = ", ".join(map(str, shape))
    sizes = Dims(type_.shape[3:])
    return one(
        f"f64[{positions}]", filters, **{**given, "output": sizes}, order=FMA_ORDER
    )


WINDOW_SAMPLES: Mapping[type[Op], tuple[Sample, ...]] = {
    convolution.Conv: tuple(
        one(images, filters, **given, order=FMA_ORDER)
        for images, filters, given, _ in CONVOLVED
    ),
    convolution.ConvTranspose: tuple(_transposed(*sample) for sample in CONVOLVED),
    convolution.Windows: tuple(
        one(type_, **given, window=window, fill=Typed(0.5, F64))
        for type_, window, given in (
            ("f64[3, 8]", dims(2), windows((2,), [(0, 0)], (1,), 4)),
            ("f64[N]", dims(3), windows((1,), [(1, 1)], (1,), "N")),
            (
                *("f64[B, 5, N]", dims(2, 2)),
                windows((2, 1), [(1, 0), (0, 0)], (3, 1), 2, N_ + -1),
            ),
            ("f64[2, 3]", dims(1, 3), windows((1, 1), [(0, 0)] * 2, (1, 1), 2, 1)),
            ("f64[0, 3]", dims(2), windows((1,), [(1, 1)], (1,), 4)),
            ("f64[2, 0]", dims(2), windows((1,), [(1, 1)], (1,), 1)),
        )
    ),
    convolution.OverlapAdd: tuple(
        one(type_, **given)
        for type_, given in (
            ("f64[3, 4, 2]", windows((2,), [(0, 0)], (1,), 9)),
            ("f64[N, 3]", windows((1,), [(1, 1)], (1,), "N")),
            ("f64[B, 2, 2, 2, 3]", windows((2, 1), [(1, 0), (0, 0)], (3, 1), 5, 4)),
            (
                "f64[2, 2, 2, 2, 2, 1]",
                windows((1, 2, 1), [(0, 0)] * 3, (1,) * 3, 3, 4, 3),
            ),
            ("f64[0, 3, 2]", windows((1,), [(0, 0)], (1,), 4)),
            ("f64[2, 3, 0]", windows((1,), [(0, 0)], (1,), 4)),
            ("f64[2, 0, 3]", windows((1,), [(0, 0)], (1,), 4)),
        )
    ),
}
