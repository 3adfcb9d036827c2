"""`theano.tensor.signal.conv`: the convolution of one image, or of each of several."""

from tensorc.frontend.library.mistakes import door
from tensorc.frontend.python.symbolic import Tensor
from tensorc.theano import nnet


@door
def conv2d(
    input: Tensor,
    filters: Tensor,
    image_shape: object = None,
    filter_shape: object = None,
    border_mode: str = "valid",
    subsample: tuple[int, int] = (1, 1),
) -> Tensor:
    """Return images [H, W] or [N, H, W] under a filter [KH, KW], or under each of some.

    A filter is turned around, as in mathematics.
    """
    images, kernels = input, filters
    if images.ndim == 2:
        images = images.dimshuffle("x", 0, 1)
    if kernels.ndim == 2:
        kernels = kernels.dimshuffle("x", 0, 1)
    images, kernels = images.dimshuffle(0, "x", 1, 2), kernels.dimshuffle(0, "x", 1, 2)
    found = nnet.conv2d(images, kernels, None, None, border_mode, subsample)
    if filters.ndim == 2:
        found = found[:, 0]
    return found[0] if input.ndim == 2 else found
