"""Random numbers of traced functions and of formulas: NumPy's generator, compiled.

    rng = tc.random.default_rng(1)

    @tc.jit
    def noisy(x): return x + 0.1 * rng.normal(size=x.shape)

A draw is a variable. Each call of a function that draws has new numbers: they depend on
the seed, on how often functions drew from this generator, and on which draw of the
function it is. So they are the same for any number of threads.
"""

import math
import operator
from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np

from tensorc.frontend.library.elementwise import elementwise, select, to_element
from tensorc.frontend.library.mistakes import (
    argument_error,
    door,
    misspelt,
    usage_error,
)
from tensorc.frontend.library.operands import (
    Operand,
    Shape,
    TensorOperand,
    number,
    strong,
)
from tensorc.frontend.library.random.counts import binomial, poisson
from tensorc.frontend.library.random.distributions import DISTRIBUTIONS, draw
from tensorc.frontend.library.random.keys import derived, key_of_state
from tensorc.frontend.library.random.orders import integers, order
from tensorc.frontend.python.describing import whole_number
from tensorc.frontend.python.graph.nodes import StreamLeaf
from tensorc.frontend.python.running import TURNS, current
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import (
    describe,
    element_named,
    emitter,
    float_x,
    is_symbolic,
    operand_of,
    size_of,
)
from tensorc.frontend.python.symbolic_variables import Shared
from tensorc.ir.core import Value
from tensorc.ir.numerics import integer_limits
from tensorc.ir.types import I1, I64, U64, Element, TensorType
from tensorc.runtime.shared import SharedCell as Cell

__all__ = ["Generator", "default_rng"]
_NAME = "random_state"
# Names of other generators, and how that is drawn here.
_ELSEWHERE: Mapping[str, str] = {
    "rand": "rng.random(size)",
    **dict.fromkeys(("random_sample", "ranf", "sample"), "rng.random(size)"),
    "randn": "rng.standard_normal(size)",
    **dict.fromkeys(("randint", "random_integers"), "rng.integers(low, high, size)"),
    **dict.fromkeys(("shuffle", "permuted"), "y = rng.permutation(x), a new variable"),
    "standard_exponential": "rng.exponential(1.0, size)",
    "lognormal": "np.exp(rng.normal(mean, sigma, size))",
    "laplace": "loc + rng.exponential(scale, n) - rng.exponential(scale, n)",
    "get_state": "rng.state.get_value()",
    "set_state": "rng.state.set_value(v)",
}
_MAKE = "rng = tc.random.default_rng(seed)"


def __getattr__(name: str) -> NoReturn:
    """Say where the draw is that NumPy has as a function of its module."""
    message = f"module 'tensorc.random' has no attribute '{name}'"
    if not name.startswith("_"):
        drawn = hasattr(Generator, name)
        call = f"rng.{name}(…)" if drawn else _ELSEWHERE.get(name, "")
        message += f": {_MAKE}" + (f"; {call}" if call else "")
    raise AttributeError(message, name=name)


@door
def default_rng(seed: int = 0) -> "Generator":
    """Return a generator of random numbers, for functions and formulas.

    Raises:
        TypeError: the seed is no integer.
    """
    whole = whole_number(seed)
    if whole is None:
        message = f"the seed of a generator is an integer, got {describe(seed)}"
        raise usage_error(message, "tc.random.default_rng(0)")
    return Generator(whole)


class Generator:
    """Draws random numbers: its methods have NumPy's names and arguments.

    `state` is its memory, u64[2]: the seed, and how often functions have drawn. It goes
    into checkpoints; `state.set_value` goes back to what it was.
    """

    def __init__(self, seed: int) -> None:
        cell = Cell(_NAME, np.array([seed % 2**64, 0], np.uint64))
        leaf = StreamLeaf(TensorType((2,), U64), cell, _NAME)
        self.state = Shared(TensorOperand(leaf), _NAME)
        self._draws = 0  # of formulas outside of traces

    def __repr__(self) -> str:
        seed, count = self.state.cell.get_value().tolist()
        return f"Generator(seed={seed}, count={count})"

    def __getattr__(self, name: str) -> NoReturn:
        """Say what there is instead of a draw that is missing."""
        message = f"a generator has no attribute '{name}'"
        if name in _ELSEWHERE:
            message += f"; write {_ELSEWHERE[name]}"
        elif not name.startswith("_"):
            message += misspelt(name, [n for n in dir(type(self)) if n[0] != "_"])
        raise AttributeError(message, name=name, obj=self)

    # Continuous

    @door
    def random(self, size: object = None, dtype: object = None) -> Tensor:
        """Return numbers in [0, 1)."""
        return self._drawn("uniform", [0.0, 1.0], size, dtype)

    @door
    def uniform(
        self,
        low: object = 0.0,
        high: object = 1.0,
        size: object = None,
        dtype: object = None,
    ) -> Tensor:
        """Return numbers in [low, high)."""
        return self._drawn("uniform", [low, high], size, dtype)

    @door
    def normal(
        self,
        loc: object = 0.0,
        scale: object = 1.0,
        size: object = None,
        dtype: object = None,
    ) -> Tensor:
        """Return normal numbers of a mean and a standard deviation."""
        return self._drawn("normal", [loc, scale], size, dtype)

    @door
    def standard_normal(self, size: object = None, dtype: object = None) -> Tensor:
        """Return numbers of the standard normal distribution."""
        return self._drawn("normal", [0.0, 1.0], size, dtype)

    @door
    def truncated_normal(
        self,
        low: object = -2.0,
        high: object = 2.0,
        loc: object = 0.0,
        scale: object = 1.0,
        size: object = None,
        dtype: object = None,
    ) -> Tensor:
        """Return normal numbers, of those between low and high."""
        given = [loc, scale, low, high]
        return self._drawn("truncated_normal", given, size, dtype)

    @door
    def exponential(
        self, scale: object = 1.0, size: object = None, dtype: object = None
    ) -> Tensor:
        """Return exponential numbers of a mean."""
        return self._drawn("exponential", [scale], size, dtype)

    @door
    def gumbel(
        self,
        loc: object = 0.0,
        scale: object = 1.0,
        size: object = None,
        dtype: object = None,
    ) -> Tensor:
        """Return numbers of Gumbel's distribution: of largest ones."""
        return self._drawn("gumbel", [loc, scale], size, dtype)

    # Discrete

    @door
    def bernoulli(self, p: object = 0.5, size: object = None) -> Tensor:
        """Return booleans that are true with probability p."""
        return self._drawn("bernoulli", [p], size, None)

    @door
    def binomial(self, n: int, p: object, size: object = None) -> Tensor:
        """Return how many of n events there are that have a probability p, i64.

        n is known while compiling, and so is p where n is above 1.
        """
        whole, known = _whole(n, "n of binomial"), _plain_number(p)
        if whole == 1 and known is None:
            drawn = self._drawn("bernoulli", [p], size, None)
            return Tensor(to_element(emitter(), drawn.operand, I64))
        if known is None:
            raise usage_error(
                f"binomial of {whole} events needs a number for p, got {describe(p)}",
                "rng.bernoulli(p, (n, …)).sum(axis=0) counts them",
            )
        shape = () if size is None else _shape(size)
        b = emitter()
        return Tensor(binomial(b, self._key(), whole, known, shape))

    @door
    def poisson(self, lam: float = 1.0, size: object = None) -> Tensor:
        """Return how many events there are of a mean number, i64: a known number."""
        known = _plain_number(lam)
        if known is None:
            message = f"poisson needs a number for its mean, got {describe(lam)}"
            raise usage_error(message)
        shape = () if size is None else _shape(size)
        b = emitter()
        return Tensor(poisson(b, self._key(), known, shape))

    @door
    def categorical(self, logits: object, size: object = None) -> Tensor:
        """Return class numbers, i64: rows of `logits` hold logarithms of shares."""
        return self._drawn("categorical", [logits], size, None)

    @door
    def integers(
        self,
        low: int,
        high: int | None = None,
        size: object = None,
        dtype: object = np.int64,
        endpoint: bool = False,
    ) -> Tensor:
        """Return integers from low up to high, which is left out but for `endpoint`."""
        ends = [0, low] if high is None else [low, high]
        first, last = [_whole(end, "an end of integers") for end in ends]
        last += bool(endpoint)
        if first >= last:
            raise argument_error(f"integers: low is {first}, high is {last}")
        b, element = emitter(), element_named(dtype)
        _require_within(element, first, last - 1)
        shape = () if size is None else _shape(size)
        return Tensor(integers(b, self._key(), first, last, shape, element))

    @door
    def permutation(self, x: object) -> Tensor:
        """Return the rows of x, or the numbers 0 up to x, in a random order."""
        b, key = emitter(), self._key()
        count = whole_number(x)
        if count is not None:
            return Tensor(order(b, key, count))
        whole = _rows(x)
        if not whole.ndim:
            found = size_of(x, "the numbers to permute")
            return Tensor(order(b, key, found))
        length = b.shape(strong(b, whole.operand))[0]
        return whole[Tensor(order(b, key, length))]

    @door
    def choice(
        self, a: object, size: object = None, replace: bool = True, p: object = None
    ) -> Tensor:
        """Return rows of a, or of the numbers 0 up to a, drawn with or without return.

        `p` holds a probability for each of them, to draw with return.
        """
        count = whole_number(a)
        shape = () if size is None else _shape(size)
        if p is not None:
            if not replace:
                raise usage_error("choice with p draws with replace=True")
            logits = Tensor(elementwise(emitter(), "log", [operand_of(p, "p")]))
            found = self._drawn("categorical", [logits], shape, None)
        else:
            b, key = emitter(), self._key()
            known = len(_rows(a)) if count is None else count
            if replace:
                found = Tensor(integers(b, key, 0, known, shape, I64))
            else:
                wanted = math.prod([_whole(d, "a size without return") for d in shape])
                if wanted > known:
                    raise argument_error(f"choice: {wanted} of {known}, without return")
                found = Tensor(order(b, key, known))[:wanted].reshape(tuple(shape))
        if count is not None:
            return found
        return _rows(a)[found]

    # Networks

    @door
    def dropout(self, x: object, p: object = 0.5) -> Tensor:
        """Return x with a share p of it at 0, and the rest times 1 / (1 - p)."""
        known = _plain_number(p)
        if known is not None and not 0 <= known <= 1:
            raise argument_error(f"dropout: p is {p}, a share is from 0 to 1")
        b = emitter()
        whole = strong(b, operand_of(x, "x"))
        shape, share = b.shape(whole), operand_of(p, "p")
        kept = elementwise(b, "sub", [number(1.0), share])
        element = whole.type.element if whole.type.element.is_float else float_x()
        keep = draw(b, "bernoulli", self._key(), shape, element, [kept])
        # Where nothing is kept the derivative is 0, too, and not 0 * inf.
        is_none = elementwise(b, "eq", [kept, number(0.0)])
        divisor = select(b, is_none, number(1.0), kept)
        sides = [to_element(b, o, element) for o in (whole, divisor)]
        scaled = elementwise(b, "div", sides)
        return Tensor(select(b, keep, scaled, number(0.0)))

    # How

    def _key(self) -> Value:
        """Return the key of the next draw."""
        b, running = emitter(), current()
        if running is None:
            site = self._draws
            self._draws += 1
        else:
            site = running.draws[self.state.leaf]
            running.draws[self.state.leaf] += 1
        key = key_of_state(b, self.state.leaf, site)
        for turn in TURNS.get():
            key = derived(b, key, turn)
        return key

    def _drawn(
        self,
        name: str,
        given: Sequence[object],
        size: object,
        dtype: object,
    ) -> Tensor:
        b = emitter()
        words = DISTRIBUTIONS[name].arguments
        pairs = zip(given, words, strict=True)
        operands: list[Operand] = [operand_of(v, f"{w} of {name}") for v, w in pairs]
        shape = None if size is None else _shape(size)
        element = float_x() if dtype is None else element_named(dtype)
        if dtype is None:
            typed = [
                o.type.element
                for o in operands
                if isinstance(o, TensorOperand) and not o.weak
            ]
            element = next((e for e in typed if e.is_float), element)
        return Tensor(draw(b, name, self._key(), shape, element, operands))


def _shape(size: object) -> Shape:
    """Return the sizes of a draw: an integer or a size, or several."""
    several = size if isinstance(size, list | tuple | np.ndarray) else (size,)
    found = [s if _is_dim(s) else size_of(s, "the size of a draw") for s in several]
    for extent in found:
        if isinstance(extent, int) and extent < 0:
            raise argument_error(f"the size of a draw is negative: {extent}")
    return tuple(found)


def _require_within(element: Element, first: int, last: int) -> None:
    """TypeError for a type of no integers, ValueError for ends that do not fit."""
    if element.is_float:
        raise usage_error(f"integers draws integers, not {element}", "rng.uniform(…)")
    least, most = (0, 1) if element == I1 else integer_limits(element.dtype)
    for end in (first, last):
        if not least <= end <= most:
            message = f"integers: {end} is no number of {element.dtype}"
            raise argument_error(f"{message}, which has {least} to {most}")


def _is_dim(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _plain_number(value: object) -> float | None:
    """Return a number of Python or NumPy as a float, None for all else."""
    if isinstance(value, int | float | np.integer | np.floating):
        return float(value)
    return None


def _rows(value: object) -> Tensor:
    """Return an array or a variable whose rows are chosen or permuted."""
    rows = value if is_symbolic(value) else np.asarray(value)
    return Tensor(operand_of(rows, "what is drawn from"))


def _whole(value: object, what: str) -> int:
    """Return an integer; of a size or an argument its value at this call."""
    is_asked = is_symbolic(value) and not getattr(value, "ndim", 1)
    found = operator.index(value) if is_asked else whole_number(value)  # type: ignore[arg-type]
    if found is None:
        raise usage_error(f"{what} is an integer, got {describe(value)}")
    return found
