"""Loops: `scan`, a function that is run for each element of an axis.

h, hs = tc.scan(lambda h, x: 2 * (np.tanh(h @ U + x),), np.zeros(n), xs)

The function is traced once, on variables that stand for what a step is given; what it
makes of them stands in the loop, everything else in front of it.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tensorc.errors import Diagnostic, ShapeError
from tensorc.frontend.library.mistakes import argument_error, door, usage_error
from tensorc.frontend.library.operands import (
    Operand,
    TensorOperand,
    carried_on,
    settled,
    strong,
    weak,
)
from tensorc.frontend.python.describing import describe, is_symbolic, whole_number
from tensorc.frontend.python.graph.grad import reads_of
from tensorc.frontend.python.graph.nodes import StandIn, in_body
from tensorc.frontend.python.graph.regions import Loop
from tensorc.frontend.python.grouping.pytree import (
    Tree,
    flatten,
    in_words,
    paths,
    unflatten,
)
from tensorc.frontend.python.running import TURNS, updates_apart
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import emitter, operand_of, size_of
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.types import I64, TensorType

Function = Callable[..., object]
_MOST_TYPES = 4  # a number takes the type that a step gives it, and that step's, …


@door
def scan(
    f: Function,
    init: object,
    xs: object = None,
    length: object = None,
    reverse: bool = False,
) -> tuple[object, object]:
    """Return what a function carries from step to step, and what its steps give.

    `f(carry, x)` returns the next carry and a result of the step. The first carry is
    `init`, arrays and numbers in any structure, and x what `xs` have at one index of
    their first axis, in their structure; None without `xs`. The results of all steps
    are stacked, along a new first axis. `length` is the number of steps, needed where
    there are no `xs`; in `reverse` the last index is the first step's. Arrays keep
    shape and type while they are carried; numbers take the type that a step gives them.

    Derivatives do not go through a loop in this version.

    Raises:
        TypeError: `f` returns something else, or what is carried changes its structure
            or element type.
        ValueError: what is carried changes its shape, or lengths differ.
    """
    if is_symbolic(f) or not callable(f):
        message = f"scan takes a function f(carry, x), got {describe(f)}"
        raise usage_error(
            message, "tc.scan(lambda carry, x: (carry + x, carry), 0, xs)"
        )
    given = _Given(f, *_operands(init, "init"), *_operands(xs, "xs"))
    sequences = _sequences(given, xs)
    count = _length(sequences, length)
    states: Sequence[Operand] = list(map(operand_of, given.init))
    for _ in range(_MOST_TYPES):
        traced = _trace(given, states, sequences)
        before, states = states, _settled(given, states, traced)
        if all(map(operator.is_, before, states)):
            break
    return _loop(given, states, sequences, count, bool(reverse), traced)


@dataclass(frozen=True, slots=True)
class _Given:
    """A function, and what it is called with: leaves and structures."""

    function: Function
    init: list[object]
    carry: Tree
    xs: list[object]
    elements: Tree


@dataclass(frozen=True, slots=True)
class _Traced:
    """One step: what stands for what it is given, and what it makes of that."""

    arguments: list[Value]
    carried: list[Operand]
    results: list[Operand]
    tree: Tree


def _operands(value: object, name: str) -> tuple[list[object], Tree]:
    leaves, tree = flatten(value)
    for leaf in leaves:
        operand_of(leaf, f"{name} of scan")  # refuses what is none
    return leaves, tree


def _sequences(given: _Given, xs: object) -> list[Value]:
    """Return what steps are given parts of."""
    found = []
    for leaf, path in zip(given.xs, paths(given.elements, "xs"), strict=True):
        value = strong(emitter(), operand_of(leaf)).value
        assert isinstance(value.type, TensorType)
        if not value.type.rank:
            message = f"scan walks along the first axis, and {path} is {describe(leaf)}"
            raise usage_error(message, "give the number of steps as `length`")
        found.append(value)
    return found


def _length(sequences: Sequence[Value], length: object) -> Dim:
    """Return the number of steps, which all sequences have."""
    sizes: list[Dim] = []
    for value in sequences:
        assert isinstance(value.type, TensorType)
        sizes.append(value.type.shape[0])
    if length is not None:
        whole = whole_number(length)
        if whole is not None and whole < 0:
            raise argument_error(f"the length of scan is {whole}")
        known = size_of(length, "the length of scan") if whole is None else whole
        sizes.insert(0, known)
    if not sizes:
        message = "scan needs `xs`, or the number of steps as `length`"
        raise usage_error(message, "tc.scan(f, init, length=10)")
    b = emitter()
    for size in sizes:
        if not b.unify(sizes[0], size):
            message = f"scan walks along axes of one length, got {sizes[0]} and {size}"
            raise ShapeError(Diagnostic("TC0301", message, b.location))
    return b.resolve((sizes[0],))[0]


_ESCAPED = "a value of the loop's body is used outside of it"
_WAY = "return it from the step, and all of them are stacked: `return carry, c`"


def _trace(
    given: _Given, states: Sequence[Operand], sequences: Sequence[Value]
) -> _Traced:
    """Call the function once."""
    b = emitter()
    with in_body() as inside, updates_apart() as changed:
        standing = partial(
            StandIn, what=_ESCAPED, way=_WAY, location=b.location, inside=inside
        )
        arguments: list[Value] = [standing(TensorType((), I64), "t")]
        carry: list[object] = []
        for state in states:
            operand = weak(b, state)
            stand_in = standing(operand.type, operand.value.hint)
            arguments.append(stand_in)
            carry.append(Tensor(TensorOperand(stand_in, operand.weak)))
        parts: list[object] = []
        for value in sequences:
            type_ = value.type
            assert isinstance(type_, TensorType)
            part = standing(TensorType(type_.shape[1:], type_.element), value.hint)
            arguments.append(part)
            parts.append(Tensor(TensorOperand(part)))
        turns = TURNS.set((*TURNS.get(), arguments[0]))
        try:
            made = given.function(
                unflatten(given.carry, carry), unflatten(given.elements, parts)
            )
        finally:
            TURNS.reset(turns)
    for leaf in changed:
        name = leaf.hint or "a shared variable"
        message = f"{name} is updated in a loop, which may only return values"
        hint = "carry its value, and update it behind the loop with what comes out"
        raise usage_error(message, hint)
    return _made(given, arguments, made)


def _made(given: _Given, arguments: list[Value], made: object) -> _Traced:
    """Take apart what a step returned."""
    if not isinstance(made, tuple | list) or len(made) != 2:
        message = f"the function of scan returns a pair, got {describe(made)}"
        hint = "return what is carried on, and what is stacked: carry, y"
        raise usage_error(message, hint, "`return carry, None` if nothing is stacked")
    carried, tree = flatten(made[0])
    if tree != given.carry:
        one, two = in_words(given.carry, tree)
        message = f"what scan carries keeps its structure: init is {one}, "
        raise usage_error(f"{message}the function returns {two}")
    results, outer = flatten(made[1])
    own = [operand_of(v, "what scan carries") for v in carried]
    tops = [operand_of(v, "a result of scan") for v in results]
    return _Traced(arguments, own, tops, outer)


def _settled(
    given: _Given, states: Sequence[Operand], traced: _Traced
) -> list[Operand]:
    """Return first values of the types that steps carry on: these, if all agree."""
    b = emitter()
    names = paths(given.carry, "carry")
    steps = zip(names, states, traced.carried, strict=True)
    return [settled(b, name, first, new) for name, first, new in steps]


def _loop(
    given: _Given,
    states: Sequence[Operand],
    sequences: Sequence[Value],
    length: Dim,
    reverse: bool,
    traced: _Traced,
) -> tuple[object, object]:
    """Return the results of the node that all of this is."""
    b = emitter()
    inits = [weak(b, state) for state in states]
    pairs = zip(inits, traced.carried, strict=True)
    outs = [carried_on(b, init, new) for init, new in pairs]
    outs += [strong(b, top).value for top in traced.results]
    read, sources = reads_of(outs, traced.arguments)
    operands = [*[v.value for v in inits], *sequences, *read]
    count = len(inits)
    node = Loop(
        operands, count, traced.arguments, outs, length, reverse, sources, b.location
    )
    last = [
        Tensor(TensorOperand(r, init.weak))
        for r, init in zip(node.results, inits, strict=False)
    ]
    tops = [Tensor(TensorOperand(r)) for r in node.results[count:]]
    return unflatten(given.carry, last), unflatten(traced.tree, tops)
