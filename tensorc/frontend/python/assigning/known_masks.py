"""Masks that are known while a function is traced: `x[np.array([True, False])]`.

They are the indices of what they hold, so the size of the part is known.
"""

import numpy as np

from tensorc.frontend.library.operands import Emitter, TensorOperand, size_error
from tensorc.frontend.python.describing import is_symbolic


def without_known_masks(b: Emitter, x: TensorOperand, index: object) -> object:
    """Return what stands in x[…], with indices in place of masks that are known.

    Raises:
        ShapeError: a mask has another shape than the axes that it stands for.
    """
    items = index if isinstance(index, tuple) else (index,)
    masks = [_known(item) for item in items]
    if all(mask is None for mask in masks):
        return index
    taken = [
        _axes(item) if m is None else m.ndim
        for item, m in zip(items, masks, strict=True)
    ]
    rests = [i for i, item in enumerate(items) if item is Ellipsis]
    found: list[object] = []
    for i, (item, mask) in enumerate(zip(items, masks, strict=True)):
        if mask is None:
            found.append(item)
            continue
        behind_rest = bool(rests) and i > rests[0]
        start = x.type.rank - sum(taken[i:]) if behind_rest else sum(taken[:i])
        sizes = b.shape(x)[start : start + mask.ndim]
        for size, known in zip(sizes, mask.shape, strict=False):
            what = f"a mask of {known} elements along an axis of size {size}"
            if not b.unify(size, known, what):
                raise size_error(b, what)
        found.extend(np.nonzero(mask))
    return tuple(found)


def _axes(item: object) -> int:
    """Return how many axes of x an item stands for that is no mask which is known."""
    if item is None or item is Ellipsis:
        return 0
    is_mask = is_symbolic(item) and str(getattr(item, "dtype", "")) == "bool"
    return int(getattr(item, "ndim", 1)) if is_mask else 1


def _known(item: object) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]] | None:
    """Return a mask of known elements, None for all else."""
    if isinstance(item, list):
        if not item or not all(isinstance(v, bool | np.bool_) for v in item):
            return None
        return np.array(item)
    if not isinstance(item, np.ndarray) or is_symbolic(item):
        return None
    # an array of the trace that became a variable has a text for a type
    if not isinstance(item.dtype, np.dtype) or item.dtype != np.bool_ or not item.ndim:
        return None
    return np.array(item)
