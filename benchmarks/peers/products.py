"""The products: what they multiply, and how, in words that every peer understands.

`@` and `.T` mean the same to all, so that a form is stated once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

Shape = tuple[int, ...]


class Operand(Protocol):
    """An array of any peer, as far as products know it."""

    @property
    def T(self) -> "Operand":
        """The transpose."""

    def __matmul__(self, other: "Operand", /) -> "Operand":
        """Return the product."""


# The forms by the letters that BLAS gives them: which side is transposed.
FORMS: dict[str, Callable[[Operand, Operand], Operand]] = {
    "nn": lambda a, b: a @ b,
    "tn": lambda a, b: a.T @ b,
    "nt": lambda a, b: a @ b.T,
    "tt": lambda a, b: a.T @ b.T,
}
_SPELLED = {"nn": "a @ b", "tn": "a.T @ b", "nt": "a @ b.T", "tt": "a.T @ b.T"}


@dataclass(frozen=True, slots=True)
class Product:
    """A product of an array `a` by an array `b`.

    `known`: the compiler that is ours is given the sizes; others always have them.
    `training`: one of the many shapes of training, measured beside NumPy alone.
    """

    name: str
    left: Shape
    right: Shape
    form: str = "nn"
    dtype: str = "float32"
    known: bool = False
    training: bool = False

    def arrays(self) -> dict[str, np.ndarray]:
        """Return both operands."""
        rng = np.random.default_rng(13)
        shapes = {"a": self.left, "b": self.right}
        if np.dtype(self.dtype).kind == "i":
            return {n: rng.integers(-9, 9, s) for n, s in shapes.items()}
        return {n: rng.standard_normal(s).astype(self.dtype) for n, s in shapes.items()}

    @property
    def flops(self) -> float:
        """Multiplications and additions."""
        rows = self.right if self.form[1] == "n" else self.right[::-1]
        columns = rows[-1] if len(rows) > 1 else 1
        return 2.0 * float(np.prod(self.left)) * columns

    @property
    def read(self) -> float:
        """Bytes of both operands where they set the time: a side is one vector."""
        if min(len(self.left), len(self.right)) > 1:
            return 0.0
        size = np.dtype(self.dtype).itemsize
        return float(size * (np.prod(self.left) + np.prod(self.right)))

    @property
    def unit(self) -> str:
        """The unit that its time is spelled in."""
        return "ms" if self.flops > 1e8 else "us"

    @property
    def what(self) -> str:
        """What is computed."""
        given = [f"a [{', '.join(map(str, s))}]" for s in (self.left, self.right)]
        words = f"{_SPELLED[self.form]}, {given[0]}, b{given[1][1:]}"
        words += "" if self.dtype == "float32" else f", {self.dtype}"
        return words + (", sizes known to the compiler" if self.known else "")


def _training() -> tuple[Product, ...]:
    """Return a layer's product and both of its gradient, for sizes of training."""
    found = []
    for m in (20, 128, 600):
        for k, n in ((784, 500), (784, 10), (500, 10), (500, 500)):
            name = f"{m}x{k}x{n}"
            for suffix, left, right, form in (
                ("", (m, k), (k, n), "nn"),
                ("_dW", (m, k), (m, n), "tn"),
                ("_dx", (m, n), (k, n), "nt"),
            ):
                found.append(Product(name + suffix, left, right, form, training=True))
    square = Product("256x256x256", (256, 256), (256, 256), training=True)
    return (*found, square)


PRODUCTS = (
    *(
        Product(f"gemm{n}" + ("" if form == "nn" else f"_{form}"), (n, n), (n, n), form)
        for form in FORMS
        for n in (512, 1024, 2048)
    ),
    *(Product(f"gemm{n}_known", (n, n), (n, n), known=True) for n in (512, 1024, 2048)),
    *(Product(f"gemm{n}_f64", (n, n), (n, n), dtype="float64") for n in (512, 1024)),
    Product("gemm256_i64", (256, 256), (256, 256), dtype="int64"),
    Product("batched_wide", (8, 1024, 64), (8, 64, 1024)),
    Product("batched_deep", (8, 1024, 1024), (8, 1024, 64)),
    Product("dot", (10**6,), (10**6,)),
    Product("matrix_vector", (1000, 1000), (1000,)),
    Product("vector_matrix", (1000,), (1000, 1000)),
    Product("two_rows", (2, 10**6), (10**6,)),
    *_training(),
)
