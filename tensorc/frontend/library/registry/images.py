"""The rows of functions of images: convolution, pooling, patches.

Theano's and PyTorch's words for arguments are aliases where they mean the same.
"""

from collections.abc import Callable, Mapping, Sequence

from tensorc.frontend.library.images import convolution, patches, pooling
from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.operands import Operand
from tensorc.frontend.library.options import (
    FLAG,
    INTEGER,
    INTEGERS,
    KNOWN_PADDING,
    PADDING,
    SHAPE,
    TRUTH,
    Option,
    one_of,
)

_TENSORS = {"input": "x", "weight": "w", "filters": "w", "bias": "b"}
_LAYOUT = {"subsample": "stride", "strides": "stride", "border_mode": "padding"}
_OF_CONV = {
    "filter_dilation": "dilation",
    "num_groups": "groups",
    "filter_flip": "flip",
}
_CONV_WORDS: Mapping[str, str] = {**_TENSORS, **_LAYOUT, **_OF_CONV}
_POOL_WORDS: Mapping[str, str] = {
    **{"input": "x", "kernel_size": "window", "pool_size": "window"},
    **{"ws": "window", "ds": "window", "st": "stride", "strides": "stride"},
    **{"pad": "padding", "ceil_mode": "not ignore_border"},
}
_AVG_WORDS = {**_POOL_WORDS, "count_include_pad": "count_padding"}
_PATCH_WORDS = {"input": "x", "kernel_size": "window", "output_size": "size"}

_STRIDE = Option(INTEGERS, 1)
_DILATION = Option(INTEGERS, 1)
_NONE = Option(PADDING, 0)
_CONV: Mapping[str, Option] = {
    "stride": _STRIDE,
    "padding": Option(PADDING, "valid"),
    "dilation": _DILATION,
    "groups": Option(INTEGER, 1),
    "flip": Option(TRUTH, False),
}
_TRANSPOSE: Mapping[str, Option] = {
    "stride": _STRIDE,
    "padding": Option(PADDING, "valid"),
    "output_padding": Option(INTEGERS, 0),
    "groups": Option(INTEGER, 1),
    "dilation": _DILATION,
    "flip": Option(TRUTH, False),
}
_OVER: Mapping[str, Option] = {
    "stride": Option(INTEGERS, None, none=True),
    "padding": Option(KNOWN_PADDING, 0),  # no window lies in it alone
}
_POOL: Mapping[str, Option] = {"window": Option(SHAPE), **_OVER}
_MAX_POOL: Mapping[str, Option] = {
    **_POOL,
    "dilation": _DILATION,
    "ignore_border": Option(TRUTH, True),
}
_AVG_POOL: Mapping[str, Option] = {
    **_POOL,
    "ignore_border": Option(TRUTH, True),
    "count_padding": Option(TRUTH, True),
}
# PyTorch's own, in its order.
_MAX_POOLS: Mapping[str, Option] = {
    "kernel_size": Option(SHAPE),
    **_OVER,
    "dilation": _DILATION,
    "ceil_mode": Option(TRUTH, False),
}
_AVG_POOLS: Mapping[str, Option] = {
    "kernel_size": Option(SHAPE),
    **_OVER,
    "ceil_mode": Option(TRUTH, False),
    "count_include_pad": Option(TRUTH, True),
}
_PATCHES: Mapping[str, Option] = {
    "dilation": _DILATION,
    "padding": _NONE,
    "stride": _STRIDE,
}
_NEIGHBOURS: Mapping[str, Option] = {
    "neib_shape": Option(SHAPE),
    "neib_step": Option(INTEGERS, None, none=True),
    "mode": Option(one_of("valid", "ignore_borders", "half", "full"), "valid"),
}
_OF_CHANNELS: Mapping[str, Option] = {"keepdims": Option(FLAG, False)}


def _conv(
    function: Callable[..., Operand], options: Mapping[str, Option]
) -> LibraryFunction:
    return LibraryFunction(
        function.__name__,
        function,
        ("x", "w", "b"),
        options,
        optional=("b",),
        early=True,
        aliases=_CONV_WORDS,
    )


def _pool(
    function: Callable[..., Operand],
    options: Mapping[str, Option],
    aliases: Mapping[str, str],
    language: bool = True,
) -> LibraryFunction:
    return LibraryFunction(
        function.__name__, function, options=options, aliases=aliases, language=language
    )


ROWS: Sequence[LibraryFunction] = (
    _conv(convolution.conv1d, _CONV),
    _conv(convolution.conv2d, _CONV),
    _conv(convolution.conv3d, _CONV),
    _conv(convolution.conv_transpose1d, _TRANSPOSE),
    _conv(convolution.conv_transpose2d, _TRANSPOSE),
    _conv(convolution.conv_transpose3d, _TRANSPOSE),
    _pool(pooling.max_pool, _MAX_POOL, _POOL_WORDS),
    _pool(pooling.avg_pool, _AVG_POOL, _AVG_WORDS),
    *[_pool(f, _MAX_POOLS, {"input": "x"}, language=False) for f in pooling.max_pools],
    *[_pool(f, _AVG_POOLS, {"input": "x"}, language=False) for f in pooling.avg_pools],
    _pool(pooling.global_max_pool, _OF_CHANNELS, {}),
    _pool(pooling.global_avg_pool, _OF_CHANNELS, {}),
    _pool(patches.unfold, {"window": Option(SHAPE), **_PATCHES}, _PATCH_WORDS),
    _pool(
        patches.fold,
        {"size": Option(SHAPE), "window": Option(SHAPE), **_PATCHES},
        _PATCH_WORDS,
    ),
    _pool(patches.images2neibs, _NEIGHBOURS, {"ten4": "x"}, language=False),
    _pool(
        patches.neibs2images,
        {"neib_shape": Option(SHAPE), "original_shape": Option(SHAPE)},
        {"neibs": "x"},
        language=False,
    ),
)
