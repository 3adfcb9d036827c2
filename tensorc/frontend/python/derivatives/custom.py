"""Functions with derivatives of their own: `custom_gradient`, Theano's `grad_clip`.

@tc.custom_gradient(backward=lambda x, ct: ct)
def rounded(x):                  # its derivative is that of x
    return np.round(x)
"""

import functools
from collections.abc import Callable, Sequence

from tensorc.frontend.library.mistakes import door, usage_error
from tensorc.frontend.library.operands import TensorOperand, strong
from tensorc.frontend.python.derivatives.given import (
    along,
    outs_of,
    points_of,
    type_of_value,
    zeros_like,
)
from tensorc.frontend.python.graph.grad import reads_of
from tensorc.frontend.python.graph.nodes import StandIn, in_body
from tensorc.frontend.python.graph.regions import OwnGradient
from tensorc.frontend.python.grouping.pytree import LEAF, Tree, flatten, unflatten
from tensorc.frontend.python.signatures import signature_of
from tensorc.frontend.python.symbolic import Tensor, one
from tensorc.frontend.python.symbolic_operands import (
    describe,
    emitter,
    is_symbolic,
    operand_of,
)
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Value
from tensorc.ir.ops.tensor.shape import Reshape

Function = Callable[..., object]
_WAY = "it has a value only in there, where a derivative is computed"


@door
def custom_gradient(
    function: Function | None = None, backward: Function | None = None
) -> Function:
    """Return a function that computes what another does, with a derivative of its own.

    `backward(*arguments, ct)` takes the arguments and the cotangent of the result, in
    its structure: the derivative of a cost by it. It returns that by the arguments, a
    tuple with a value for each of them, or the value alone if there is one; None is
    for zeros, and for arguments that are no floats. Arguments by keyword alone go to
    both as they are. Without `function` it returns the
    decorator. The function of arrays alone is called as it is.

    What either uses from outside is constant. It goes backward only: `jvp` through it
    is an error.

    Raises:
        TypeError: the results are no floats, or `backward` returns something else.
        ValueError: a derivative has not the shape of its argument.
    """
    if not callable(backward) or is_symbolic(backward):
        message = f"custom_gradient takes a function backward, got {describe(backward)}"
        raise usage_error(message, "tc.custom_gradient(f, lambda x, ct: …)")
    if function is None:
        return functools.partial(custom_gradient, backward=backward)
    if not callable(function) or is_symbolic(function):
        message = f"custom_gradient takes a function, got {describe(function)}"
        raise usage_error(message, "tc.custom_gradient(f, lambda x, ct: …)")
    signature = signature_of(function)
    own, back = function, backward
    name = str(getattr(function, "__name__", "the function"))

    @functools.wraps(function)
    def called(*args: object, **named: object) -> object:
        bound = signature.bind(*args, **named)
        bound.apply_defaults()
        options = {n: v for n, v in bound.kwargs.items() if n in named}
        if not any(map(is_symbolic, flatten(bound.args)[0])):
            return own(*bound.args, **options)
        forward = functools.partial(own, **options)
        return _called(name, forward, functools.partial(back, **options), bound.args)

    return called


@door
def grad_clip(x: object, lower_bound: float, upper_bound: float) -> object:
    """Return x, whose derivative is clipped: Theano's function."""

    def clipped(x: object, ct: object) -> object:
        return one("clip", [ct, lower_bound, upper_bound])

    return custom_gradient(_same, clipped)(x)


@door
def grad_scale(x: object, multiplier: float) -> object:
    """Return x, whose derivative is multiplied by a number: Theano's function."""
    return custom_gradient(_same, lambda x, ct: ct * multiplier)(x)


def _same(x: object) -> object:
    return x


@door
def _called(
    name: str, function: Function, backward: Function, given: Sequence[object]
) -> object:
    """Return the results of variables, a node of the graph."""
    operands: list[Value] = []
    arguments: list[Value] = []
    own: list[object] = []
    trees: list[tuple[Tree, list[Value | None]]] = []
    for argument in given:
        leaves, tree = flatten(argument)
        standing: list[Value | None] = [None] * len(leaves)
        for i, leaf in enumerate(leaves):
            if is_symbolic(leaf):
                value = strong(emitter(), operand_of(leaf)).value
                operands.append(value)
                standing[i] = stand_in = _standing_for(value)
                leaves[i] = Tensor(TensorOperand(stand_in))
                arguments.append(stand_in)
        own.append(unflatten(tree, leaves))
        trees.append((tree, standing))
    result = function(*own)
    outs, tree = outs_of(result, f"a result of {name}")
    words, here = f"a cotangent is used outside of the backward of {name}", emitter()
    with in_body() as inside:
        cotangents = [
            StandIn(type_of_value(out), out.hint, words, _WAY, here.location, inside)
            for out in outs
        ]
        ct = unflatten(tree, [Tensor(TensorOperand(c)) for c in cotangents])
        back = _cotangents(f"backward of {name}", backward(*own, ct), trees)
    read, sources = reads_of([*outs, *back], [*arguments, *cotangents])
    node = OwnGradient(
        [*operands, *read],
        arguments,
        outs,
        cotangents,
        back,
        sources,
        emitter().location,
    )
    return unflatten(tree, [Tensor(TensorOperand(r)) for r in node.results])


def _standing_for(value: Value) -> Value:
    """Return a value of the same type that stands for it in a program."""
    made = emitter().builder.value(
        Reshape, value, shape=Dims(type_of_value(value).shape)
    )
    made.hint = value.hint
    return made


def _cotangents(
    what: str, result: object, trees: Sequence[tuple[Tree, Sequence[Value | None]]]
) -> list[Value]:
    """Return what `backward` gives for the float operands, in order."""
    count = len(trees)
    is_one = isinstance(result, tuple) and (len(result) == 1 or trees[0][0] is LEAF)
    if count == 1 and not is_one:
        result = (result,)
    if not isinstance(result, list | tuple) or len(result) != count:
        plural = "s" if count > 1 else ""
        message = f"{what} returns {describe(result)}, for {count} argument{plural}"
        raise usage_error(message, "return a tuple, None for what has no derivative")
    found: list[Value] = []
    for i, (part, (tree, values)) in enumerate(zip(result, trees, strict=True)):
        points = points_of(tree, part, f"what {what} returns for argument {i}")
        for value, point in zip(values, points, strict=True):
            if value is None or not type_of_value(value).element.is_float:
                continue
            words = f"the derivative by argument {i} that {what} returns"
            zero = zeros_like(value) if point is None else None
            found.append(along(point, value, words) if zero is None else zero)
    return found
