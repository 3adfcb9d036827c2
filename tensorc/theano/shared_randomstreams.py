"""`RandomStreams`: random variables that draw what NumPy's `RandomState` draws.

The k-th variable has a stream of its own, whose seed is the k-th
`RandomState(seed).randint(2**30)`: so the numbers are Theano's, bit for bit.
"""

import copy
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tensorc.frontend.library.mistakes import door, hiding_methods, usage_error
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import is_symbolic
from tensorc.runtime.arrays import Array
from tensorc.theano.drawing import Drawn, drawn, shape_of, sizes_of
from tensorc.theano.settings import float_name

Sampler = Callable[..., Array]
Size = object


def _each(name: str) -> Sampler:
    def sample(
        state: np.random.RandomState, shape: tuple[int, ...], *of: Array
    ) -> Array:
        return np.asarray(getattr(state, name)(*[a[()] for a in of], size=shape))

    return sample


def _integers(
    state: np.random.RandomState, shape: tuple[int, ...], low: Array, high: Array
) -> Array:
    return np.asarray(state.randint(int(low), int(high) + 1, shape, np.int64))


def _rows(
    state: np.random.RandomState, shape: tuple[int, ...], n: Array, *of: Array
) -> Array:
    """Return permutations, one behind the other."""
    made = np.empty((*shape[:-1], int(n)), np.int64)
    for index in np.ndindex(*shape[:-1]):
        made[index] = state.permutation(int(n))
    return made


def _multinomial(
    state: np.random.RandomState, shape: tuple[int, ...], n: Array, p: Array
) -> Array:
    rows = np.broadcast_to(p, shape).astype("float64")
    made = np.empty(shape, np.int64)
    for index in np.ndindex(*shape[:-1]):
        made[index] = state.multinomial(int(n), rows[index])
    return made


def _choice(
    state: np.random.RandomState, shape: tuple[int, ...], a: Array, replace: Array
) -> Array:
    return np.asarray(state.choice(a[()], size=shape, replace=bool(replace)))


SAMPLERS: Mapping[str, Sampler] = {
    **{name: _each(name) for name in ("uniform", "normal", "binomial", "poisson")},
    "random_integers": _integers,
    "permutation": _rows,
    "multinomial": _multinomial,
    "choice": _choice,
}


class StreamOfNumpy:
    """The state of a random variable: a `RandomState` of NumPy."""

    def __init__(self, state: np.random.RandomState) -> None:
        self._state = state

    def get_value(self, borrow: bool = False) -> np.random.RandomState:
        """Return a copy of the state, or with `borrow` the state itself."""
        return self._state if borrow else copy.deepcopy(self._state)

    @door
    def set_value(self, value: object, borrow: bool = False) -> None:
        """Replace the state; TypeError if it is no `RandomState`."""
        if not isinstance(value, np.random.RandomState):
            message = f"a stream is a numpy.random.RandomState, got {value!r:.60}"
            raise usage_error(message)
        self._state = value if borrow else copy.deepcopy(value)

    def mark(self) -> object:
        """Return where the stream is, for `reset`."""
        return self._state.get_state(legacy=False)

    def reset(self, mark: object) -> None:
        """Go back to a mark."""
        self._state.set_state(mark)  # type: ignore[arg-type]

    def draw(
        self, name: str, shape: Sequence[int], parameters: Sequence[Array]
    ) -> Array:
        """Return numbers of a distribution, and go on."""
        return SAMPLERS[name](self._state, tuple(shape), *parameters)


@hiding_methods
class RandomStreams:
    """Random variables, each with a stream of numbers that calls go on with.

    `size` is a tuple of sizes, numbers or variables such as `x.shape`; parameters are
    numbers or variables. Results are of type `dtype`, "floatX" by default, int64 of
    those that count.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.default_instance_seed = seed
        self.gen_seedgen = np.random.RandomState(seed)
        self.state_updates: list[tuple[StreamOfNumpy, StreamOfNumpy]] = []

    def seed(self, seed: int | None = None) -> None:
        """Begin all streams anew; None takes the seed of the beginning."""
        chosen = self.default_instance_seed if seed is None else seed
        seeds = np.random.RandomState(chosen)
        for stream, _ in self.state_updates:
            stream.set_value(np.random.RandomState(int(seeds.randint(2**30))))

    def updates(self) -> list[tuple[StreamOfNumpy, StreamOfNumpy]]:
        """Return the streams, in the order of their variables, each twice."""
        return list(self.state_updates)

    def _drawn(self, name: str, size: Size, of: Sequence[object], dtype: str) -> Drawn:
        state = np.random.RandomState(int(self.gen_seedgen.randint(2**30)))
        stream = StreamOfNumpy(state)
        element = float_name() if dtype == "floatX" else dtype
        made = drawn(stream, name, sizes_of(_size(size, of), name), of, element)
        self.state_updates.append((stream, stream))
        return made

    def uniform(
        self,
        size: Size = None,
        low: object = 0.0,
        high: object = 1.0,
        ndim: int | None = None,
        dtype: str = "floatX",
    ) -> Drawn:
        """Return numbers from `low` to below `high`."""
        return self._drawn("uniform", size, (low, high), dtype)

    def normal(
        self,
        size: Size = None,
        avg: object = 0.0,
        std: object = 1.0,
        ndim: int | None = None,
        dtype: str = "floatX",
    ) -> Drawn:
        """Return normal numbers with a mean and a standard deviation."""
        return self._drawn("normal", size, (avg, std), dtype)

    def binomial(
        self,
        size: Size = None,
        n: object = 1,
        p: object = 0.5,
        ndim: int | None = None,
        dtype: str = "int64",
    ) -> Drawn:
        """Return how often of `n` times happens what has probability `p`."""
        return self._drawn("binomial", size, (n, p), dtype)

    def poisson(
        self,
        size: Size = None,
        lam: object = 5,
        ndim: int | None = None,
        dtype: str = "int64",
    ) -> Drawn:
        """Return counts with mean `lam`."""
        return self._drawn("poisson", size, (lam,), dtype)

    def random_integers(
        self,
        size: Size = None,
        low: object = 0,
        high: object = 1,
        ndim: int | None = None,
        dtype: str = "int64",
    ) -> Drawn:
        """Return integers from `low` to `high`, which is among them."""
        return self._drawn("random_integers", size, (low, high), dtype)

    def choice(
        self,
        size: Size = (),
        a: object = 2,
        replace: bool = True,
        dtype: str = "int64",
    ) -> Drawn:
        """Return integers below `a`; without `replace` each once."""
        return self._drawn("choice", size, (a, replace), dtype)

    def permutation(
        self, size: Size = (), n: int = 1, ndim: int | None = None, dtype: str = "int64"
    ) -> Drawn:
        """Return the numbers below `n` in a random order, for each of a size."""
        sizes = (*sizes_of(_size(size, ()), "permutation"), n)
        return self._drawn("permutation", sizes, (n,), dtype)

    def multinomial(
        self,
        size: Size = None,
        n: object = 1,
        pvals: object = (0.5, 0.5),
        ndim: int | None = None,
        dtype: str = "int64",
    ) -> Drawn:
        """Return how often of `n` draws each class came; `pvals` has their shares."""
        shape = shape_of(pvals)
        rows = shape[:-1] if size is None else sizes_of(size, "multinomial")
        return self._drawn("multinomial", (*rows, shape[-1]), (n, pvals), dtype)

    def shuffle_row_elements(self, input: Tensor) -> Tensor:
        """Return a matrix or vector whose rows are shuffled, each by itself."""
        order = self.permutation(input.shape[:-1], input.shape[-1])  # type: ignore[arg-type]
        if input.ndim == 1:
            return input[order]
        return input[np.arange(input.shape[0])[:, None], order]  # type: ignore[arg-type]


def _size(size: Size, of: Sequence[object]) -> Size:
    """Return the size; without one, that of the parameters."""
    if size is not None:
        return size
    shapes = [shape_of(value) for value in of]
    longest = max(shapes, key=len)
    if all(not s or s is longest for s in shapes):
        return tuple(longest)
    if any(is_symbolic(value) for value in of):
        raise usage_error("say the size: parameters with axes are variables here")
    return np.broadcast_shapes(*shapes)  # type: ignore[arg-type]
