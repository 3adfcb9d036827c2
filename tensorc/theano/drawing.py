"""Random arrays as inputs of functions: who draws them says how, a call fills them in.

A `DrawNode` is an input that no caller gives. A function of such inputs is a
`DrawingFunction`: each call computes the sizes and parameters of its draws from what it
is given, lets the streams draw, and runs the compiled function. A call that fails
leaves the streams where they were.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tensorc.api.function import Function, In, Out, function
from tensorc.frontend.library.locations import user_location
from tensorc.frontend.library.mistakes import argument_error, calling, door, usage_error
from tensorc.frontend.library.operands import TensorOperand
from tensorc.frontend.python.graph.nodes import InputNode, is_in_body
from tensorc.frontend.python.graph.plan import needs
from tensorc.frontend.python.pairs import members_of, pairs_of
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import (
    element_named,
    is_symbolic,
    value_of,
)
from tensorc.ir.core import Value
from tensorc.ir.types import TensorType
from tensorc.runtime.arrays import Array


class Stream(Protocol):
    """Where a draw takes its numbers from; its state may be put back."""

    def get_value(self, borrow: bool = False) -> object:
        """Return the state."""
        ...

    def set_value(self, value: object, borrow: bool = False) -> None:
        """Replace the state."""
        ...

    def mark(self) -> object:
        """Return where the stream is, for `reset`."""
        ...

    def reset(self, mark: object) -> None:
        """Go back to a mark."""
        ...

    def draw(
        self, name: str, shape: Sequence[int], parameters: Sequence[Array]
    ) -> Array:
        """Return numbers of a distribution, and go on."""
        ...


@dataclass(frozen=True, eq=False)
class Draw:
    """What is drawn: a distribution, its sizes and parameters, some variables."""

    stream: Stream
    name: str
    sizes: Sequence[object]
    parameters: Sequence[object]


class DrawNode(InputNode):
    """An input that a stream of random numbers fills in."""

    __slots__ = ("draw",)

    def __init__(self, dtype: str, shape: Sequence[int | None], draw: Draw) -> None:
        super().__init__(element_named(dtype), shape, draw.name, user_location())
        self.draw = draw

    def __reduce__(self) -> tuple[object, ...]:
        shape = _static(self.draw.sizes)
        assert isinstance(self.type, TensorType)
        return DrawNode, (str(self.type.element.dtype), shape, self.draw)


class Drawn(Tensor):
    """A random variable; `rng` is the stream that it is drawn from."""

    __slots__ = ()

    @property
    def rng(self) -> Stream:
        """The stream: `get_value()` is its state, `set_value(state)` replaces it."""
        return _draw_of(self).stream

    @door
    def eval(self, inputs: Mapping[Tensor, object] | None = None) -> Array:
        """Return what is drawn next, for values of the variables that sizes need."""
        given = {} if inputs is None else inputs
        made = {"inputs": list(given), "outputs": self, "updates": None}
        asked = {**made, "givens": None, "on_unused_input": "ignore"}
        drawing = DrawingFunction(asked, draws_of(asked), function, False)
        found = drawing(*given.values())
        assert isinstance(found, np.ndarray)
        return found


def _draw_of(variable: Tensor) -> Draw:
    value = value_of(variable, "it")
    assert isinstance(value, DrawNode)
    return value.draw


def drawn(
    stream: Stream,
    name: str,
    sizes: Sequence[object],
    parameters: Sequence[object],
    dtype: str,
) -> Drawn:
    """Return a variable that each call of a function draws anew.

    Raises:
        TypeError: a parameter is random itself, or it stands in a step of a loop, where
            each step would have the same numbers.
    """
    if is_in_body():
        message = f"{name} in a step of a loop would be the same in all steps"
        hint = "draw before the loop, with an axis of steps, and give it as a sequence"
        raise usage_error(message, hint)
    for part in (*sizes, *parameters):
        if is_symbolic(part):
            leaves, _ = needs([value_of(part, "a parameter")], ())
            if any(isinstance(leaf, DrawNode) for leaf in leaves):
                message = f"a parameter of {name} depends on another random variable"
                hint = "compute with it: 2 + 3 * rng.normal(…) instead of parameters"
                raise usage_error(message, hint)
    draw = Draw(stream, name, tuple(sizes), tuple(parameters))
    return Drawn(TensorOperand(DrawNode(dtype, _static(sizes), draw)), name)


def _static(sizes: Sequence[object]) -> list[int | None]:
    return [int(s) if isinstance(s, int | np.integer) else None for s in sizes]


def draws_of(made: Mapping[str, object]) -> list[DrawNode]:
    """Return the draws that a function's outputs and new values need, in order."""
    leaves = _leaves(_wanted(made), made["givens"])
    return [leaf for leaf in leaves if isinstance(leaf, DrawNode)]


def _wanted(made: Mapping[str, object]) -> list[object]:
    """Return the outputs and new values of a function."""
    outputs, updates = made["outputs"], made["updates"]
    listed = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    changes = members_of(pairs_of(updates, "updates", "updates=[(W, W - g)]"))
    return [*map(_variable, listed), *(new for _, new in changes)]


def _variable(given: object) -> object:
    return given.variable if isinstance(given, In | Out) else given


def _leaves(wanted: Sequence[object], givens: object) -> list[Value]:
    pairs = pairs_of(givens, "givens", "givens={x: data}")
    replaced = [(_value(a), _value(b)) for a, b in pairs]
    known = [(a, b) for a, b in replaced if a is not None and b is not None]
    return needs([v for v in map(_value, wanted) if v is not None], known)[0]


def _value(variable: object) -> Value | None:
    """Return a variable's value; of what is no variable the compiler says so."""
    return value_of(variable, "it") if is_symbolic(variable) else None


class DrawingFunction:
    """A compiled function of random variables: call it as any other."""

    def __init__(
        self,
        made: Mapping[str, object],
        draws: Sequence[DrawNode],
        build: Callable[..., Function],
        keeps: bool,
    ) -> None:
        self._made, self._build, self._keeps = dict(made), build, keeps
        self._nodes, self._draws = draws, [node.draw for node in draws]
        inputs = made["inputs"]
        if not isinstance(inputs, list | tuple):
            build(**made)  # which says so
        assert isinstance(inputs, list | tuple)
        wanted = [p for draw in self._draws for p in (*draw.sizes, *draw.parameters)]
        asked = [part for part in wanted if is_symbolic(part)]
        asks = {"outputs": asked, "updates": None, "on_unused_input": "ignore"}
        self._sizes = build(**{**made, **asks})
        variables = [Tensor(TensorOperand(node)) for node in draws]
        # What sizes and parameters alone are made of is used, too.
        read = _leaves(asked, made["givens"])
        alone = set(read) - set(_leaves(_wanted(made), made["givens"]))
        if alone and made["on_unused_input"] != "ignore":
            rest = [v for v in inputs if _value(_variable(v)) not in alone]
            build(**{**made, "inputs": [*variables, *rest]})
            made = {**made, "on_unused_input": "ignore"}
        self._function = build(**{**made, "inputs": [*variables, *inputs]})
        self.name = self._function.name

    @calling
    def __call__(self, *given: object, **named: object) -> object:
        """Draw, compute the outputs, then change the memory.

        Raises:
            TypeError: the arguments do not fit in number, name or element type.
            ValueError: a shape or a parameter of a distribution does not fit.
        """
        found = iter(self._sizes(*given, **named))  # type: ignore[call-overload]
        streams = list(dict.fromkeys(draw.stream for draw in self._draws))
        before = [stream.mark() for stream in streams]
        kept = self._keeps
        try:
            arrays = [_drawn(node, found) for node in self._nodes]
            return self._function(*arrays, *given, **named)
        except BaseException:
            kept = True
            raise
        finally:
            if kept:
                for stream, mark in zip(streams, before, strict=True):
                    stream.reset(mark)

    @property
    def compiled(self) -> Function:
        """The function that takes what is drawn before the other inputs."""
        return self._function

    def __repr__(self) -> str:
        return f"<function {self.name}, which draws>"

    def __reduce__(self) -> tuple[object, ...]:
        return _made_again, (self._made, self._build, self._keeps)


def _made_again(
    made: Mapping[str, object], build: Callable[..., Function], keeps: bool
) -> DrawingFunction:
    return DrawingFunction(made, draws_of(made), build, keeps)


def _drawn(node: DrawNode, found: Iterator[Array]) -> Array:
    draw, type_ = node.draw, node.type
    assert isinstance(type_, TensorType)
    known = [_known(size, found) for size in draw.sizes]
    shape = [int(size) for size in known]
    parameters = [_known(value, found) for value in draw.parameters]
    made = draw.stream.draw(draw.name, shape, parameters)
    return made.astype(type_.element.dtype, copy=False)


def _known(part: object, found: Iterator[Array]) -> Array:
    return next(found) if is_symbolic(part) else np.asarray(part)


def shape_of(value: object) -> Sequence[object]:
    """Return the sizes of a parameter, a variable or what NumPy reads."""
    return value.shape if isinstance(value, Tensor) else np.asarray(value).shape


def sizes_of(size: object, what: str) -> Sequence[object]:
    """Return the sizes of a draw: numbers, or variables made of sizes.

    Raises:
        TypeError: it is no list of these.
        ValueError: a size is negative.
    """
    if isinstance(size, int | np.integer):
        size = (size,)
    if not isinstance(size, list | tuple):
        message = f"the size of {what} is a tuple of sizes, got {size!r:.60}"
        raise usage_error(message, f"{what}(size=x.shape), {what}(size=(2, 3))")
    for item in size:
        if not isinstance(item, int | np.integer) and not is_symbolic(item):
            raise usage_error(f"a size of {what} is an integer, got {item!r:.60}")
        if isinstance(item, int | np.integer) and item < 0:
            raise argument_error(f"a size of {what} is negative: {item}")
    return [int(s) if isinstance(s, np.integer) else s for s in size]
