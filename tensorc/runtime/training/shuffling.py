"""The examples in a new order each epoch, gathered through a permutation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tensorc.runtime.arrays import Array, aligned_empty
from tensorc.runtime.training.fit_state import GeneratorState

# The words of NumPy's Philox: how many, and how large each may be.
_WORDS: Mapping[str, tuple[int, int]] = {
    "counter": (4, 2**64),
    "key": (2, 2**64),
    "buffer": (4, 2**64),
    "buffer_pos": (1, 5),
    "has_uint32": (1, 2),
    "uinteger": (1, 2**32),
}


WINDOW_BYTES = 1 << 22  # of examples gathered at once: they stay in the cache


@dataclass(slots=True)
class Shuffled:
    """Columns, which stay as they are, and windows of their rows in another order.

    `order` is the permutation of this epoch, `before` the generator as it was before it
    was drawn. A window holds the rows of `span` batches, one array for each column.
    """

    columns: tuple[Array, ...]
    windows: tuple[Array, ...]
    span: int
    generator: np.random.Philox
    order: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    before: GeneratorState = field(default_factory=dict)

    def reorder(self) -> None:
        """Draw a new order."""
        self.before = self.state()
        self.order = np.random.Generator(self.generator).permutation(len(self.order))

    def gather(self, first: int, last: int) -> None:
        """Fill the windows with the rows [first, last) of the order."""
        rows = self.order[first:last]
        for column, window in zip(self.columns, self.windows, strict=True):
            # Clipping changes nothing here, but spares NumPy a copy of the result.
            np.take(column, rows, axis=0, out=window[: len(rows)], mode="clip")

    def state(self) -> GeneratorState:
        """Return the generator as it is now."""
        found = self.generator.state
        words = {**found["state"], **found}
        return {name: tuple(_listed(words[name])) for name in _WORDS}

    def go_back(self, state: GeneratorState) -> None:
        """Set the generator to an earlier state."""
        words = {n: np.array(state[n], np.uint64) for n in ("counter", "key", "buffer")}
        self.generator.state = {
            "bit_generator": "Philox",
            "state": {"counter": words["counter"], "key": words["key"]},
            "buffer": words["buffer"],
            "buffer_pos": state["buffer_pos"][0],
            "has_uint32": state["has_uint32"][0],
            "uinteger": state["uinteger"][0],
        }


def shuffled(columns: tuple[Array, ...], batch: int, seed: int) -> Shuffled:
    """Return columns ready to be read in orders drawn from `seed`."""
    count = min(len(column) for column in columns)
    bytes_of_batch = max(1, sum(column[:batch].nbytes for column in columns))
    span = max(1, min(WINDOW_BYTES // bytes_of_batch, count // batch))
    windows = tuple(
        aligned_empty((span * batch, *c.shape[1:]), c.dtype) for c in columns
    )
    order = np.arange(count)
    return Shuffled(columns, windows, span, np.random.Philox(seed), order)


def is_generator_state(value: object) -> bool:
    """Tell whether a value has the form of a `GeneratorState` with lists for tuples."""
    if not isinstance(value, dict) or set(value) != set(_WORDS):
        return False
    return all(
        isinstance(value[name], list)
        and len(value[name]) == count
        and all(type(word) is int and 0 <= word < limit for word in value[name])
        for name, (count, limit) in _WORDS.items()
    )


def _listed(value: object) -> list[int]:
    return [int(word) for word in np.ravel(np.asarray(value))]
