"""NumPy's pad in all its modes, for all doors.

Each axis is padded after the one before it, corners included. What is put in front and
behind is a number, a number of the axis (its largest, its mean), or elements of the
axis at indices that walk over its ends: their edge, their mirror image, from the
other end.
"""

from collections.abc import Callable, Mapping, Sequence

from tensorc.frontend.library import reductions
from tensorc.frontend.library.advanced_indexing import take
from tensorc.frontend.library.elementwise import elementwise, to_element
from tensorc.frontend.library.indexing import SlicePart
from tensorc.frontend.library.joining import concatenate
from tensorc.frontend.library.operands import (
    Emitter,
    Operand,
    TensorOperand,
    broadcast,
    materialize,
    number,
    number_error,
    size_error,
    strong,
)
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim, maximum
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import F64, I64

Widths = int | Sequence[int] | Sequence[Sequence[int]]
ZERO = number(0.0)
MODES = (
    "constant",
    "edge",
    "linear_ramp",
    "maximum",
    "mean",
    "minimum",
    "reflect",
    "symmetric",
    "wrap",
)
# Which modes an option is for.
_OPTIONS: Mapping[str, Sequence[str]] = {
    "constant_values": ("constant",),
    "end_values": ("linear_ramp",),
    "stat_length": ("maximum", "mean", "minimum"),
}


def pad(
    b: Emitter,
    x: Operand,
    width: Widths,
    mode: str = "constant",
    constant_values: Operand = ZERO,
    end_values: Operand = ZERO,
    stat_length: int | None = None,
) -> Operand:
    """Put elements before and after those along each axis, by numpy's modes.

    `width` is one number, (before, after), or such a pair for each axis. What is put
    there is `constant_values`, steps from the edge to `end_values`, a number of the
    first or last `stat_length` elements, or elements at other indices of the axis.
    """
    tensor = strong(b, x)
    options = {"constant_values": constant_values, "end_values": end_values}
    for name, value in {**options, "stat_length": stat_length}.items():
        if value not in (None, ZERO) and mode not in _OPTIONS[name]:
            hint = f"it is for mode {' or '.join(map(repr, _OPTIONS[name]))}"
            raise number_error(b, f"pad: mode '{mode}' takes no `{name}`", hint)
    given = constant_values if mode == "constant" else end_values
    for axis, widths in enumerate(_widths(b, width, tensor.type.rank)):
        if not any(widths):
            continue
        if mode != "constant" and b.shape(tensor)[axis] == 0:
            message = f"pad: axis {axis} is empty, mode '{mode}' has nothing to extend"
            raise size_error(b, message, "mode='constant'")
        if mode in _INDICES:
            tensor = _walked(b, tensor, axis, widths, _INDICES[mode])
            continue
        sides = [
            _side(b, tensor, axis, n, mode, given, stat_length, is_end)
            for n, is_end in zip(widths, (False, True), strict=True)
        ]
        before, after = ([s] if s is not None else [] for s in sides)
        tensor = strong(b, concatenate(b, [*before, tensor, *after], axis))
    return tensor


def _widths(b: Emitter, width: Widths, rank: int) -> list[tuple[int, int]]:
    if isinstance(width, int):
        pairs = [(width, width)] * rank
    else:
        items: list[object] = list(width)
        if items and all(isinstance(i, int) for i in items):
            items = [items * 2 if len(items) == 1 else items]
        if len(items) == 1:
            items = items * rank
        pairs = []
        for item in items:
            pair = (item, item) if isinstance(item, int) else item
            if not isinstance(pair, Sequence) or len(pair) not in (1, 2):
                raise size_error(b, f"pad: {item} is not a pair (before, after)")
            pairs.append((int(pair[0]), int(pair[-1])))
    if len(pairs) != rank:
        message = f"pad: {len(pairs)} pairs of widths for a tensor of rank {rank}"
        raise size_error(b, message)
    if any(n < 0 for pair in pairs for n in pair):
        raise size_error(b, f"pad: a width in {tuple(pairs)} is negative")
    return pairs


# Elements at other indices


def _edge(b: Emitter, index: Operand, size: Dim) -> Operand:
    within = elementwise(b, "maximum", [index, number(0)])
    return elementwise(b, "minimum", [within, number(size - 1)])


def _wrap(b: Emitter, index: Operand, size: Dim) -> Operand:
    return elementwise(b, "mod", [index, number(size)])


def _reflect(b: Emitter, index: Operand, size: Dim) -> Operand:
    return _mirrored(b, index, maximum(2 * size - 2, 1), 0)


def _symmetric(b: Emitter, index: Operand, size: Dim) -> Operand:
    return _mirrored(b, index, 2 * size, 1)


def _mirrored(b: Emitter, index: Operand, period: Dim, repeated: int) -> Operand:
    """Return where an index is on a way forth and back, with its ends or without."""
    forth = elementwise(b, "mod", [index, number(period)])
    back = elementwise(b, "sub", [number(period - repeated), forth])
    return elementwise(b, "minimum", [forth, back])


# From an index that may lie outside of an axis, and its size, to one inside.
_INDICES: Mapping[str, Callable[[Emitter, Operand, Dim], Operand]] = {
    "edge": _edge,
    "reflect": _reflect,
    "symmetric": _symmetric,
    "wrap": _wrap,
}


def _walked(
    b: Emitter,
    x: TensorOperand,
    axis: int,
    widths: tuple[int, int],
    inside: Callable[[Emitter, Operand, Dim], Operand],
) -> TensorOperand:
    size = b.shape(x)[axis]
    counts = TensorBuilder(b.builder).iota((size + sum(widths),), 0, I64)
    walked = elementwise(b, "sub", [TensorOperand(counts), number(widths[0])])
    index = strong(b, inside(b, walked, size))
    return take(b, x, [*[SlicePart()] * axis, index])


# Numbers of an axis


def _side(
    b: Emitter,
    x: TensorOperand,
    axis: int,
    width: int,
    mode: str,
    given: Operand,
    count: int | None,
    is_end: bool,
) -> Operand | None:
    """Return what is put on one side of an axis; None for nothing."""
    if not width:
        return None
    shape = b.shape(x)
    if mode == "constant":
        made = materialize(b, given, x.type.element)
    elif mode == "linear_ramp":
        made = _ramp(b, x, axis, width, given, is_end)
    else:
        made = _statistic(b, x, axis, mode, count, is_end)
    wide = (*shape[:axis], width, *shape[axis + 1 :])
    return TensorOperand(broadcast(b, made, wide))


def _part(b: Emitter, x: TensorOperand, axis: int, part: SlicePart) -> TensorOperand:
    return take(b, x, [*[SlicePart()] * axis, part])


def _statistic(
    b: Emitter, x: TensorOperand, axis: int, mode: str, count: int | None, is_end: bool
) -> Value:
    """Return the largest, the smallest or the mean of the elements near an end."""
    if count is not None:
        if count < 1:
            raise size_error(b, f"pad: stat_length must be positive, got {count}")
        x = _part(b, x, axis, SlicePart(-count) if is_end else SlicePart(None, count))
    reducers = {"maximum": reductions.max_, "minimum": reductions.min_}
    if mode in reducers:
        return strong(b, reducers[mode](b, x, axis, keepdims=True)).value
    mean = reductions.mean(b, x, axis, keepdims=True)
    if x.type.element.is_integer:  # of booleans any that is true is left
        mean = elementwise(b, "round", [mean])
    return to_element(b, mean, x.type.element).value


def _ramp(
    b: Emitter, x: TensorOperand, axis: int, width: int, end: Operand, is_end: bool
) -> Value:
    """Return steps from `end` to the edge, which is not among them, in f64."""
    edge = _part(b, x, axis, SlicePart(-1) if is_end else SlicePart(None, 1))
    rank = x.type.rank
    sizes = [width if i == axis else 1 for i in range(rank)]
    steps = TensorOperand(TensorBuilder(b.builder).iota(sizes, axis, F64))
    if is_end:
        steps = strong(b, elementwise(b, "sub", [number(width - 1.0), steps]))
    start, stop = (to_element(b, o, F64) for o in (end, edge))
    step = elementwise(b, "div", [elementwise(b, "sub", [stop, start]), number(width)])
    ramp = elementwise(b, "add", [elementwise(b, "mul", [steps, step]), start])
    if not x.type.element.is_float:
        ramp = elementwise(b, "floor", [ramp])
    return to_element(b, ramp, x.type.element).value
