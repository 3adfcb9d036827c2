"""Programs of many ops, for any library of arrays: what they cost to compile.

`m` is the library: its `tanh`, `exp` and `maximum` are used, and methods of its arrays.
"""

from collections.abc import Callable
from typing import Protocol


class Array(Protocol):
    """An array or a variable of a library."""

    def __add__(self, other: "Array | float") -> "Array":
        """Return the sum."""

    def __sub__(self, other: "Array | float") -> "Array":
        """Return the difference."""

    def __mul__(self, other: "Array | float") -> "Array":
        """Return the product, element by element."""

    def __matmul__(self, other: "Array") -> "Array":
        """Return the product of matrices."""

    def __neg__(self) -> "Array":
        """Return the negative."""

    def sum(self, axis: int | None = None) -> "Array":
        """Return a sum."""

    def max(self) -> "Array":
        """Return the largest element."""


class Library(Protocol):
    """Functions of arrays."""

    tanh: Callable[[Array], Array]
    exp: Callable[[Array], Array]
    maximum: Callable[[Array, float], Array]


# Constants differ, so that no two kernels are alike.
_STEPS: tuple[Callable[[Library, Array, int], Array], ...] = (
    lambda m, v, i: v * (1 + 1 / (i + 1)),
    lambda m, v, i: m.tanh(v),
    lambda m, v, i: v + 1 / (i + 1),
    lambda m, v, i: -v,
    lambda m, v, i: m.maximum(v, -0.75),
)


def chain(m: Library, n: int, x: Array) -> list[Array]:
    """Return n ops, each of which reads the one before."""
    for i in range(n):
        x = _STEPS[i % len(_STEPS)](m, x, i)
    return [x]


def straight(m: Library, n: int, x: Array, w: Array) -> list[Array]:
    """Return n ops, dependent and independent: maps, reductions, products."""
    row, outputs = x, []
    for i in range(0, n, 10):
        near = m.tanh(row * (1 + 1 / (i + 1)))  # 2: on the chain
        apart = m.exp(-(x + i))  # 3: of the argument alone
        total = (near * apart).sum(axis=1)  # 2
        row = row + near @ w if i % 100 == 0 else row + near * 0.5  # 2
        outputs.append((total - total.max()).sum())  # 3, less one that counts above
    return [row, *outputs]


# Each program, and the dimensions of its arguments.
LONG: dict[str, tuple[Callable[..., list[Array]], tuple[int, ...]]] = {
    "chain": (chain, (1,)),
    "numbers": (chain, (0,)),
    "straight": (straight, (2, 2)),
}
