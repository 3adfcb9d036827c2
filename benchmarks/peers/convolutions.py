"""The convolutions: LeNet's at batch 500, and ResNet-18's shapes at batches 1 and 8.

Each is measured forward (`y`), and by both gradients: the filters' (`_dw`) and the
images' (`_dx`), given a cotangent `d` of the result's shape.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Shape = tuple[int, ...]
FORWARD, BY_FILTERS, BY_IMAGES = "", "_dw", "_dx"


@dataclass(frozen=True, slots=True)
class Convolution:
    """A correlation of images [N, C, H, W] with filters [F, C, K, K], or a gradient.

    `kind` is one of the three above.
    """

    name: str
    images: Shape
    filters: Shape
    stride: int = 1
    padding: int = 0
    kind: str = FORWARD

    @property
    def result(self) -> Shape:
        """The shape of the images that are made."""
        sizes = [
            (size + 2 * self.padding - window) // self.stride + 1
            for size, window in zip(self.images[2:], self.filters[2:], strict=True)
        ]
        return (self.images[0], self.filters[0], *sizes)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return images `x`, filters `w` and a cotangent `d`."""
        rng = np.random.default_rng(17)
        shapes = {"x": self.images, "w": self.filters, "d": self.result}
        return {
            name: rng.standard_normal(shape, dtype=np.float32)
            for name, shape in shapes.items()
        }

    @property
    def flops(self) -> float:
        """Multiplications and additions, those by padding too."""
        return 2.0 * float(np.prod(self.result)) * float(np.prod(self.filters[1:]))

    @property
    def unit(self) -> str:
        """The unit that its time is spelled in."""
        return "ms" if self.flops > 1e8 else "us"

    @property
    def what(self) -> str:
        """What is computed."""
        words = {
            FORWARD: "the convolution of",
            BY_FILTERS: "the gradient by the filters of",
            BY_IMAGES: "the gradient by the images of",
        }
        given = [f"[{', '.join(map(str, s))}]" for s in (self.images, self.filters)]
        rest = f", stride {self.stride}, padding {self.padding}"
        return f"{words[self.kind]} {given[0]} and {given[1]}{rest}"


def _kinds(
    name: str, images: Shape, filters: Shape, stride: int = 1, padding: int = 0
) -> Iterator[Convolution]:
    for kind in (FORWARD, BY_FILTERS, BY_IMAGES):
        yield Convolution(name + kind, images, filters, stride, padding, kind)


# Channels, size, filters, window, stride.
_RESNET = (
    (3, 224, 64, 7, 2),
    (64, 56, 64, 3, 1),
    (64, 56, 128, 3, 2),
    (64, 56, 128, 1, 2),
    (128, 28, 128, 3, 1),
    (128, 28, 256, 3, 2),
    (128, 28, 256, 1, 2),
    (256, 14, 256, 3, 1),
    (256, 14, 512, 3, 2),
    (256, 14, 512, 1, 2),
    (512, 7, 512, 3, 1),
)


def _resnet() -> Iterator[Convolution]:
    for batch in (1, 8):
        for channels, size, filters, window, stride in _RESNET:
            name = f"b{batch}_{channels}x{size}_{window}x{window}_{filters}"
            yield from _kinds(
                name + ("s2" if stride == 2 else ""),
                (batch, channels, size, size),
                (filters, channels, window, window),
                stride,
                window // 2,
            )


CONVOLUTIONS = (
    # The first layer of LeNet needs no gradient by its images.
    *list(_kinds("lenet_conv1", (500, 1, 28, 28), (20, 1, 5, 5)))[:2],
    *_kinds("lenet_conv2", (500, 20, 12, 12), (50, 20, 5, 5)),
    *_resnet(),
)
