"""Several variables at once, `dmatrices("x", "y")`, and types that make variables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tensorc.frontend.library.mistakes import door, hiding
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_variables import CONSTRUCTORS, tensor


@dataclass(frozen=True)
class TensorType:
    """A type: an element type, and for each axis whether its size is 1."""

    dtype: str
    broadcastable: Sequence[bool] = ()

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.broadcastable)

    @door
    def __call__(self, name: str | None = None) -> Tensor:
        """Return a variable of the type."""
        return tensor(name, self.dtype, [1 if b else None for b in self.broadcastable])


def _several(make: Callable[..., Tensor], plural: str) -> Callable[..., object]:
    @hiding
    def variables(*names: str | int) -> list[Tensor]:
        """Return a variable for each name, or as many as a number says."""
        if len(names) == 1 and isinstance(names[0], int):
            return [make() for _ in range(names[0])]
        return [make(name) for name in names]

    variables.__name__ = variables.__qualname__ = plural
    return variables


def _plural(name: str) -> str:
    """Return Theano's plural: matrices, cols, tensor3s."""
    return f"{name[:-2]}ices" if name.endswith("matrix") else f"{name}s"


PLURALS: Mapping[str, Callable[..., object]] = {
    _plural(name): _several(make, _plural(name)) for name, make in CONSTRUCTORS.items()
}
