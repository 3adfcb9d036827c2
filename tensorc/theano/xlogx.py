"""`theano.tensor.xlogx`: products with logarithms that are 0 at 0."""

from tensorc.frontend.python import symbolic_functions
from tensorc.frontend.python.symbolic import Tensor

xlogy0 = symbolic_functions.public("xlogy")


def xlogx(x: Tensor) -> Tensor:
    """Return x log(x), 0 at 0."""
    return xlogy0(x, x)
