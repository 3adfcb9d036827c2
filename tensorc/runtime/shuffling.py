"""The examples in a new order each epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tensorc.runtime.arrays import Array
from tensorc.runtime.fit_state import GeneratorState

# The words of NumPy's Philox: how many, and how large each may be.
_WORDS: Mapping[str, tuple[int, int]] = {
    "counter": (4, 2**64),
    "key": (2, 2**64),
    "buffer": (4, 2**64),
    "buffer_pos": (1, 5),
    "has_uint32": (1, 2),
    "uinteger": (1, 2**32),
}


@dataclass(slots=True)
class Shuffled:
    """Columns in the order of the data, and those that the step reads.

    `before` is the generator as it was before the present order was drawn.
    """

    sources: tuple[Array, ...]
    columns: tuple[Array, ...]
    generator: np.random.Philox
    before: GeneratorState = field(default_factory=dict)

    def reorder(self) -> None:
        """Fill the columns with the rows in a new order."""
        self.before = self.state()
        count = min(len(s) for s in self.sources)
        order = np.random.Generator(self.generator).permutation(count)
        for source, column in zip(self.sources, self.columns, strict=True):
            # Clipping changes nothing here, but spares NumPy a copy of the result.
            np.take(source, order, axis=0, out=column[: len(order)], mode="clip")

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


def shuffled(columns: tuple[Array, ...], seed: int) -> Shuffled:
    """Return columns ready to be reordered; they are changed in place."""
    sources = tuple(column.copy() for column in columns)
    return Shuffled(sources, columns, np.random.Philox(seed))


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
