"""`theano.tensor.nnet`: functions of networks, with Theano's arguments and formulas."""

from collections.abc import Sequence

from tensorc.frontend.library.mistakes import door
from tensorc.frontend.python import symbolic_functions
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import operand_of

_public = symbolic_functions.public
sigmoid = _public("sigmoid")
softplus = _public("softplus")
binary_crossentropy = _public("binary_crossentropy")
sigmoid_binary_crossentropy = _public("binary_cross_entropy")
categorical_crossentropy = _public("categorical_crossentropy")
crossentropy_categorical_1hot = categorical_crossentropy
images2neibs = _public("images2neibs")
neibs2images = _public("neibs2images")


@door
def softmax(x: object) -> Tensor:
    """Return exp(x) / sum(exp(x)) of each row; a vector is one row, [1, n]."""
    return _public("softmax")(_rows(x), axis=-1)


@door
def logsoftmax(x: object) -> Tensor:
    """Return the logarithm of `softmax`."""
    return _public("log_softmax")(_rows(x), axis=-1)


log_softmax = logsoftmax


def _rows(x: object) -> Tensor:
    """Return a matrix: Theano's softmax makes a row of a vector."""
    variable = Tensor(operand_of(x))
    return variable.dimshuffle("x", 0) if variable.ndim == 1 else variable


@door
def relu(x: Tensor, alpha: float | Tensor = 0) -> Tensor:
    """Return x where it is positive, else alpha x.

    By Theano's formula, whose derivative at 0 is the mean of both sides.
    """
    if isinstance(alpha, int) and not alpha:
        return 0.5 * (x + abs(x))
    return 0.5 * (1 + alpha) * x + 0.5 * (1 - alpha) * abs(x)


@door
def elu(x: Tensor, alpha: float = 1) -> Tensor:
    """Return x where it is positive, else alpha (exp(x) - 1)."""
    return _public("switch")(x > 0, x, alpha * _public("expm1")(x))


@door
def selu(x: Tensor) -> Tensor:
    """Return the self-normalizing unit: `elu` with two fixed factors."""
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * elu(x, alpha)


@door
def hard_sigmoid(x: Tensor) -> Tensor:
    """Return 0.2 x + 0.5, between 0 and 1."""
    return _public("clip")(x * 0.2 + 0.5, 0, 1)


@door
def softsign(x: Tensor) -> Tensor:
    """Return x / (1 + |x|)."""
    return x / (1.0 + abs(x))


@door
def batch_normalization(
    inputs: Tensor,
    gamma: Tensor,
    beta: Tensor,
    mean: Tensor,
    std: Tensor,
    mode: str = "low_mem",
) -> Tensor:
    """Return (inputs - mean) / std * gamma + beta; `mode` makes no difference."""
    return (inputs - mean) * (gamma / std) + beta


@door
def conv2d(
    input: Tensor,
    filters: Tensor,
    input_shape: object = None,
    filter_shape: object = None,
    border_mode: object = "valid",
    subsample: Sequence[int] = (1, 1),
    filter_flip: bool = True,
    image_shape: object = None,
    filter_dilation: Sequence[int] = (1, 1),
    num_groups: int = 1,
) -> Tensor:
    """Return images [N, C, H, W] under filters [F, C, KH, KW], each turned around.

    `border_mode` is "valid", "full", "half", or the padding of each axis. The shapes
    are taken, and make no difference: a function serves all sizes.
    """
    options = _windows(border_mode, subsample, filter_flip, filter_dilation)
    return _public("conv2d")(input, filters, groups=num_groups, **options)


@door
def conv3d(
    input: Tensor,
    filters: Tensor,
    input_shape: object = None,
    filter_shape: object = None,
    border_mode: object = "valid",
    subsample: Sequence[int] = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Sequence[int] = (1, 1, 1),
    num_groups: int = 1,
) -> Tensor:
    """Return images [N, C, D, H, W] under filters: `conv2d` with one axis more."""
    options = _windows(border_mode, subsample, filter_flip, filter_dilation)
    return _public("conv3d")(input, filters, groups=num_groups, **options)


def _windows(
    border: object, step: Sequence[int], flip: bool, dilation: Sequence[int]
) -> dict[str, object]:
    """Return Theano's options of a convolution as this package names them."""
    padding = tuple(border) if isinstance(border, list) else border
    return {
        "padding": padding,
        "stride": tuple(step) if isinstance(step, Sequence) else step,
        "flip": flip,
        "dilation": tuple(dilation) if isinstance(dilation, Sequence) else dilation,
    }
