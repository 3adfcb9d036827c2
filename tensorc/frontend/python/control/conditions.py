"""Conditions: `cond`, of which one branch is computed, and Theano's `ifelse`.

slope = tc.cond(tc.sum(x) > 0, lambda x: x @ W, lambda x: 0.1 * x @ W, x)

Both branches become nodes, as do all expressions. Which of these stand in a branch is
decided when a function is compiled: what one branch alone needs is computed there.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tensorc.frontend.library.mistakes import door, usage_error
from tensorc.frontend.library.operands import (
    Operand,
    Scalar,
    TensorOperand,
    cast,
    common_element,
    is_strong,
    materialize,
    weak,
)
from tensorc.frontend.python.describing import describe, is_symbolic
from tensorc.frontend.python.graph.nodes import SharedLeaf
from tensorc.frontend.python.graph.regions import Condition, type_of_both
from tensorc.frontend.python.grouping.pytree import (
    flatten,
    in_words,
    paths,
    unflatten,
)
from tensorc.frontend.python.running import Updates, current, updates_apart
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import emitter, operand_of
from tensorc.ir.core import Value
from tensorc.ir.types import I1, TensorType

Function = Callable[..., object]
_NUMBERS = bool | int | float | np.ndarray | np.generic


@door
def cond(
    condition: object,
    then_function: Function,
    else_function: Function,
    *operands: object,
) -> object:
    """Return what one of two functions gives of the operands; only that is computed.

    The condition is a scalar: a truth value, or a number that is not 0. If it is known
    (a truth value or number of Python or NumPy), one function is called. Otherwise both
    are, with the operands, and give arrays and numbers in one structure, each of one
    shape in both; element types meet as in NumPy. `update`s of a function happen if
    it is the one that is taken.

    Raises:
        TypeError: the condition is no scalar, or the structures differ.
        ValueError: the shapes differ.
    """
    for function, name in ((then_function, "then"), (else_function, "else")):
        if is_symbolic(function) or not callable(function):
            message = f"cond takes a function for `{name}`, got {describe(function)}"
            hint = "tc.cond(c, lambda: x, lambda: y); of values: tc.ifelse(c, x, y)"
            raise usage_error(message, hint)
    known = _known(condition, "cond")
    if known is not None:
        return (then_function if known else else_function)(*operands)
    with updates_apart() as taken:
        then = then_function(*operands)
    with updates_apart() as left:
        otherwise = else_function(*operands)
    memory = list({**taken, **left})
    pairs = [(_new(taken, leaf), _new(left, leaf)) for leaf in memory]
    result, new = _joined("cond", condition, then, otherwise, pairs)
    running = current()
    for leaf, value in zip(memory, new, strict=True):
        assert running is not None
        running.record(leaf, value, (taken.get(leaf) or left[leaf])[1])
    return result


def _new(updates: Updates, leaf: SharedLeaf) -> Value:
    """Return the new value of memory after a branch, which may not change it."""
    return updates[leaf][0] if leaf in updates else leaf


@door
def ifelse(
    condition: object, then_branch: object, else_branch: object, name: str | None = None
) -> object:
    """Return one of two variables, of which only that is computed: Theano's function.

    Lists of variables give a list, as do other structures. What one of them alone needs
    is computed if it is taken. `name` becomes that of the result.

    Raises:
        TypeError: the condition is no scalar, or the structures differ.
        ValueError: the shapes differ.
    """
    known = _known(condition, "ifelse")
    if known is not None:
        return then_branch if known else else_branch
    result, _ = _joined("ifelse", condition, then_branch, else_branch, ())
    if name is not None and isinstance(result, Tensor):
        result.name = name
    return result


def _known(condition: object, name: str) -> bool | None:
    """Return what a condition is while compiling, None if that is not known."""
    if not is_symbolic(condition):
        if isinstance(condition, _NUMBERS) and not np.ndim(condition):
            return bool(condition)
        if not isinstance(condition, np.ndarray):
            message = f"the condition of {name} is a scalar, got {describe(condition)}"
            raise usage_error(message)
    operand = operand_of(condition, f"the condition of {name}")
    if isinstance(operand, TensorOperand) and operand.type.shape:
        message = f"the condition of {name} is a scalar, got {describe(condition)}"
        hint = "tc.where(condition, x, y) chooses elementwise; "
        hint += "tc.any(c) and tc.all(c) are scalars"
        raise usage_error(message, hint)
    if isinstance(operand, Scalar) and operand.source is None:
        number = operand.number
        return bool(number) if isinstance(number, bool | int | float) else None
    return None


def _joined(
    name: str,
    condition: object,
    then: object,
    otherwise: object,
    memory: Sequence[tuple[Value, Value]],
) -> tuple[object, list[Value]]:
    """Return a structure of the values of two, and what becomes of pairs of values."""
    left, tree = flatten(then)
    right, other = flatten(otherwise)
    if tree != other:
        one, two = in_words(tree, other)
        message = f"the branches of {name} differ: `then` returns {one}, `else` {two}"
        raise usage_error(message, "give the same from both, 0.0 or None where needed")
    pairs: list[_Pair] = []
    kept: dict[int, object] = {}
    weaks: dict[int, bool] = {}
    for i, (path, x, y) in enumerate(zip(paths(tree, "it"), left, right, strict=True)):
        given = [_operand(name, v) for v in (x, y)]
        if x is y and is_symbolic(x):
            kept[i] = x
            continue
        weaks[i] = not any(map(is_strong, given))
        pairs.append(_pair(given, path))
    pairs += [_pair([TensorOperand(v) for v in pair], "it") for pair in memory]
    made = _results(condition, pairs)
    found = iter(made)
    leaves = [
        kept[i] if i in kept else Tensor(TensorOperand(next(found), weaks[i]))
        for i in range(len(left))
    ]
    return unflatten(tree, leaves), list(found)


def _operand(name: str, value: object) -> Operand:
    if is_symbolic(value) or isinstance(value, _NUMBERS):
        return operand_of(value, f"a result of {name}")
    message = f"a branch of {name} gives {describe(value)}, which is not an array"
    hint = "give variables, numbers and arrays, in tuples, lists, dicts, dataclasses"
    if callable(value):
        hint = "of functions: tc.cond(condition, f, g)"
    raise usage_error(message, hint)


# What a result is in both branches, and its type.
_Pair = tuple[Value, Value, TensorType]


def _pair(given: Sequence[Operand], path: str) -> _Pair:
    """Return two operands as values of one type."""
    b = emitter()  # what one pair says of sizes is not said of another
    element = common_element(b, given)
    then, otherwise = [materialize(b, operand, element) for operand in given]
    return then, otherwise, type_of_both(b.builder, then, otherwise, path)


def _results(condition: object, pairs: Sequence[_Pair]) -> list[Value]:
    """Return one of each pair, as a condition chooses."""
    if not pairs:
        return []
    b = emitter()
    truth = cast(b, weak(b, operand_of(condition)).value, I1)
    then, otherwise, types = zip(*pairs, strict=True)
    return Condition([truth, *then, *otherwise], types, {}, (), b.location).results
