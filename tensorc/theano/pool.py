"""Pooling of the last two axes: `theano.tensor.signal.pool`, once `downsample`."""

from collections.abc import Sequence

from tensorc.frontend.library.mistakes import argument_error, door, usage_error
from tensorc.frontend.python import symbolic_functions
from tensorc.frontend.python.symbolic import Tensor

Pair = int | Sequence[int]
_MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")


@door
def pool_2d(
    input: Tensor,
    ws: Pair | None = None,
    ignore_border: bool | None = None,
    stride: Pair | None = None,
    pad: Pair = (0, 0),
    mode: str = "max",
    ds: Pair | None = None,
    st: Pair | None = None,
    padding: Pair | None = None,
) -> Tensor:
    """Return the largest element, the sum or the mean of windows of the last two axes.

    `ds`, `st` and `padding` are older names of `ws`, `stride` and `pad`. Without
    `ignore_border` the windows count, too, that reach over the end.

    Raises:
        TypeError: there is no window.
        ValueError: there is no such mode, or none with the border.
    """
    window = _chosen("ws", ws, "ds", ds)
    step = stride if st is None else st
    width = pad if padding is None else padding
    if mode not in _MODES:
        raise argument_error(f"mode is one of {', '.join(_MODES)}, got {mode!r:.40}")
    border = bool(ignore_border)
    given: dict[str, object] = {"stride": step, "ignore_border": border}
    given["padding"] = tuple(width) if isinstance(width, Sequence) else width
    if mode == "max":
        return symbolic_functions.public("max_pool")(input, window, **given)
    given["count_padding"] = mode != "average_exc_pad"
    mean = symbolic_functions.public("avg_pool")(input, window, **given)
    if mode != "sum":
        return mean
    if not border:
        message = "the sum of windows over the end is not in this version"
        raise argument_error(message, "pool_2d(…, ignore_border=True)")
    height, breadth = (window, window) if isinstance(window, int) else window
    return mean * (height * breadth)


def _chosen(name: str, value: Pair | None, older: str, old: Pair | None) -> Pair:
    if (value is None) == (old is None):
        message = f"pool_2d takes one of {name} and {older}, a window"
        raise usage_error(message, "pool_2d(x, ws=(2, 2), ignore_border=True)")
    return value if value is not None else old  # type: ignore[return-value]


@door
def max_pool_2d(
    input: Tensor,
    ds: Pair,
    ignore_border: bool | None = None,
    st: Pair | None = None,
    padding: Pair = (0, 0),
    mode: str = "max",
) -> Tensor:
    """Return `pool_2d` of windows `ds` with steps `st`."""
    return pool_2d(input, ds, ignore_border, st, padding, mode)
