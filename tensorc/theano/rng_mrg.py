"""`MRG_RandomStreams`: uniform numbers of MRG31k3p, many streams side by side.

The generator is that of L'Ecuyer and Touzin, "Fast combined multiple recursive
generators with multipliers of the form a = 2**q +- 2**r" (2000): two recurrences

    x[n] = (2**22 x[n-2] + (2**7 + 1) x[n-3]) mod 2**31 - 1
    y[n] = (2**15 y[n-1] + (2**15 + 1) y[n-3]) mod 2**31 - 21069

whose difference, mod 2**31 - 1, is the number. Streams of one variable are 2**72 steps
apart, variables 2**134. Element i of an array is of stream i mod n, where n is a sixth
of the elements, at most 15,360, and 15,360 if the size is not known.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tensorc.frontend.library.mistakes import (
    argument_error,
    hiding_methods,
    usage_error,
)
from tensorc.frontend.python import symbolic_functions
from tensorc.frontend.python.symbolic import Tensor
from tensorc.runtime.arrays import Array
from tensorc.theano.drawing import Drawn, drawn, shape_of, sizes_of
from tensorc.theano.settings import float_name

M1, M2 = 2**31 - 1, 2**31 - 21069
_MOST_STREAMS = 60 * 256
# The recurrences as matrices: a state holds the last three numbers, the newest first.
_STEP_1 = ((0, 1 << 22, (1 << 7) + 1), (1, 0, 0), (0, 1, 0))
_STEP_2 = ((1 << 15, 0, (1 << 15) + 1), (1, 0, 0), (0, 1, 0))
# 2**-31; in float32 the largest number whose product with M1 is below 1.
_NORMS = {"float64": np.float64(2.0**-31), "float32": np.float32(4.6566126e-10)}

Integers = NDArray[np.int64]
Matrix = tuple[tuple[int, ...], ...]
Jump = tuple[Matrix, Matrix]
_public = symbolic_functions.public


def _squared(matrix: Matrix, modulus: int) -> Matrix:
    columns = tuple(zip(*matrix, strict=True))
    return tuple(
        tuple(sum(map(math.prod, zip(r, c, strict=True))) % modulus for c in columns)
        for r in matrix
    )


def jump(power: int) -> Jump:
    """Return the matrices of 2**power steps."""
    first: Matrix = _STEP_1
    second: Matrix = _STEP_2
    for _ in range(power):
        first, second = _squared(first, M1), _squared(second, M2)
    return first, second


def _jumped(states: Integers, by: Jump) -> Integers:
    """Return states [n, 6] after a jump; products stay below 2**62."""
    halves = []
    for matrix, modulus, part in (
        (by[0], M1, states[:, :3]),
        (by[1], M2, states[:, 3:]),
    ):
        rows = [
            sum(part[:, j] * m % modulus for j, m in enumerate(row)) for row in matrix
        ]
        halves += [row % modulus for row in rows]
    return np.stack(halves, axis=1)


def streams_from(state: Integers, count: int) -> Integers:
    """Return the states [count, 6] of streams 2**72 steps apart, `state` the first."""
    states = state.reshape(1, 6)
    power = 72
    while len(states) < count:  # twice as many, each as far behind as there are
        states = np.concatenate([states, _jumped(states, jump(power))])
        power += 1
    return states[:count]


class StreamsOfMrg:
    """The state of a random variable: int32[n, 6], a row for each stream."""

    def __init__(self, states: Integers, dtype: str) -> None:
        self._states, self._dtype = states, dtype

    def get_value(self, borrow: bool = False) -> Array:
        """Return a copy of the state."""
        return self._states.astype("int32")

    def set_value(self, value: object, borrow: bool = False) -> None:
        """Replace the state; ValueError if it has another shape."""
        states = np.asarray(value)
        if states.shape != self._states.shape:
            message = f"the state has shape {self._states.shape}, got {states.shape}"
            raise argument_error(message)
        self._states = states.astype("int64")

    def mark(self) -> object:
        """Return where the streams are, for `reset`."""
        return self._states  # a draw makes new ones

    def reset(self, mark: object) -> None:
        """Go back to a mark."""
        assert isinstance(mark, np.ndarray)
        self._states = mark

    def draw(
        self, name: str, shape: Sequence[int], parameters: Sequence[Array]
    ) -> Array:
        """Return uniform numbers between 0 and 1, and go on."""
        total, states = math.prod(shape), self._states.copy()
        made = np.empty(total, np.int64)
        for start in range(0, total, len(states)):
            part = states[: total - start]  # the last turn is for some of them
            x = ((part[:, 1] << 22) + part[:, 2] * ((1 << 7) + 1)) % M1
            y = ((part[:, 3] << 15) + part[:, 5] * ((1 << 15) + 1)) % M2
            part[:, 1:3], part[:, 4:6] = part[:, 0:2].copy(), part[:, 3:5].copy()
            part[:, 0], part[:, 3] = x, y
            made[start : start + len(part)] = np.where(x <= y, x - y + M1, x - y)
        self._states = states
        # Converted first: the product is of floats, as in the reference.
        floats: Array = made.astype(self._dtype) * _NORMS[self._dtype]
        return floats.reshape(shape)


@hiding_methods
class MRG_RandomStreams:
    """Random variables of MRG31k3p; sizes and parameters as of `RandomStreams`.

    `seed` is an integer from 1 on, or six: three below 2**31 - 1 and three below
    2**31 - 21069.
    """

    def __init__(self, seed: int | Sequence[int] = 12345) -> None:
        self.state_updates: list[tuple[StreamsOfMrg, StreamsOfMrg]] = []
        self.set_rstate(seed)

    def set_rstate(self, seed: int | Sequence[int]) -> None:
        """Begin with a seed; ValueError if it is none."""
        parts = [seed] * 6 if isinstance(seed, int | np.integer) else list(seed)
        limits = [M1] * 3 + [M2] * 3
        fits = len(parts) == 6 and all(
            0 <= p < most for p, most in zip(parts, limits, strict=True)
        )
        if not fits or not any(parts[:3]) or not any(parts[3:]):
            message = f"a seed of MRG is an integer from 1 to {M2 - 1}, or six"
            raise argument_error(f"{message}, got {seed!r:.80}")
        self.default_instance_seed = seed
        self.rstate = np.array(parts, np.int64)

    def seed(self, seed: int | Sequence[int] | None = None) -> None:
        """Begin all streams anew; None takes the seed of the beginning."""
        self.set_rstate(self.default_instance_seed if seed is None else seed)
        for stream, _ in self.state_updates:
            count = len(stream.get_value())
            stream.set_value(streams_from(self.rstate, count))
            self.inc_rstate()

    def inc_rstate(self) -> None:
        """Go on to where the next variable begins."""
        self.rstate = _jumped(self.rstate.reshape(1, 6), jump(134))[0]

    def uniform(
        self,
        size: object,
        low: object = 0.0,
        high: object = 1.0,
        ndim: int | None = None,
        dtype: str = "floatX",
        nstreams: int | None = None,
    ) -> Tensor:
        """Return numbers between `low` and `high`, neither of them included."""
        made = self._uniform(size, dtype, nstreams)
        if (low, high) == (0.0, 1.0):
            return made
        least, most = (_public("cast")(v, str(made.dtype)) for v in (low, high))
        return made * (most - least) + least

    def _uniform(self, size: object, dtype: str, nstreams: int | None) -> Drawn:
        element = float_name() if dtype == "floatX" else dtype
        if element not in _NORMS:
            known = " or ".join(_NORMS)
            raise usage_error(f"MRG draws {known}, got {dtype!r}")
        sizes = sizes_of(size, "uniform")
        count = nstreams or _number_of_streams(sizes)
        stream = StreamsOfMrg(streams_from(self.rstate, count), element)
        made = drawn(stream, "uniform", sizes, (), element)
        self.inc_rstate()
        self.state_updates.append((stream, stream))
        return made

    def binomial(
        self,
        size: object = None,
        n: int = 1,
        p: object = 0.5,
        ndim: int | None = None,
        dtype: str = "int64",
        nstreams: int | None = None,
    ) -> Tensor:
        """Return 1 with probability `p`, else 0; TypeError for another `n`."""
        if n != 1:
            raise usage_error(f"MRG's binomial has n=1, got {n!r}", "RandomStreams")
        chosen = shape_of(p) if size is None else size
        return _public("cast")(self._uniform(chosen, "floatX", nstreams) < p, dtype)

    def normal(
        self,
        size: object,
        avg: object = 0.0,
        std: object = 1.0,
        ndim: int | None = None,
        dtype: str = "floatX",
        nstreams: int | None = None,
    ) -> Tensor:
        """Return normal numbers: Box and Muller's of pairs of uniform ones."""
        sizes = sizes_of(size, "normal")
        total: object = 1
        for item in sizes:
            total = total * item  # type: ignore[operator]
        even = total + total % 2  # type: ignore[operator]
        # The number of elements is not looked at here, as in the reference.
        u = self._uniform((even,), dtype, nstreams or _MOST_STREAMS)
        radius = _public("sqrt")(-2.0 * _public("log")(u[: even // 2]))
        angle = (2.0 * math.pi) * u[even // 2 :]
        both = [radius * _public("cos")(angle), radius * _public("sin")(angle)]
        numbers = _public("concatenate")(both)[:total]
        return numbers.reshape(tuple(sizes)) * std + avg

    def multinomial(
        self,
        size: object = None,
        n: int = 1,
        pvals: object = None,
        ndim: int | None = None,
        dtype: str = "int64",
        nstreams: int | None = None,
    ) -> Tensor:
        """Return for each row of `pvals` 1 in the class that is drawn, else 0."""
        if n != 1 or not isinstance(pvals, Tensor) or pvals.ndim != 2:
            message = "MRG's multinomial has n=1 and a matrix of pvals"
            raise usage_error(message, "rng.multinomial(pvals=p), a row for each draw")
        u = self._uniform(pvals.shape[:1], str(pvals.dtype), nstreams)
        above = _public("cumsum")(pvals, axis=1) > u.dimshuffle(0, "x")
        counted = _public("cast")(above, "int64")
        earlier = _public("cumsum")(counted, axis=1) - counted
        return _public("cast")(counted * _public("eq")(earlier, 0), dtype)


def _number_of_streams(sizes: Sequence[object]) -> int:
    if not all(isinstance(size, int) for size in sizes):
        return _MOST_STREAMS
    total = math.prod(sizes)  # type: ignore[arg-type]
    return min(total // 6 if total > 6 else max(total, 1), _MOST_STREAMS)
