"""The functions of the Python doors: the library's, under NumPy's and Theano's names.

Each row of the registry that has a name in Python is a function here, made when it is
asked for. `OWN` holds those whose arguments are read in Python's way.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import DTypeLike

from tensorc.frontend.library import elementwise, shapes
from tensorc.frontend.library.indexing import Index
from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.mistakes import (
    door,
    misspelt,
    usage_error,
)
from tensorc.frontend.library.operands import (
    TensorOperand,
    materialize,
)
from tensorc.frontend.library.options import SHAPE, Option
from tensorc.frontend.library.registry.numpy_names import (
    is_listed,
    is_planned,
    reason_of,
)
from tensorc.frontend.library.registry.rows import BY_NAME, PYTHON
from tensorc.frontend.python.control.conditions import cond, ifelse
from tensorc.frontend.python.control.loops import scan
from tensorc.frontend.python.grouping.groups import Group
from tensorc.frontend.python.numpy_compositions import COMPOSITIONS
from tensorc.frontend.python.symbolic import (
    Tensor,
    apply,
    compose,
    one,
    put,
    row_function,
)
from tensorc.frontend.python.symbolic_operands import (
    describe,
    element_named,
    emitter,
    float_x,
    operand_of,
    type_of,
    value_of,
)
from tensorc.frontend.python.symbolic_variables import CONSTRUCTORS
from tensorc.ir.ops.tensor.indexing import ADD, SET, TakeAlongAxis
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type

SymbolicFunction = Callable[..., Tensor]
_EMPTY = inspect.Parameter.empty
_HOME = "tensorc"  # where pickle finds what is made here, by its name

# Making

_FULL = LibraryFunction(
    "full", shapes.broadcast_to, ("value",), {"shape": Option(SHAPE)}, python=""
)


def _filled(name: str, number: object) -> SymbolicFunction:
    def make(shape: object, dtype: DTypeLike | None = None) -> Tensor:
        return _full(name, shape, number, dtype)

    make.__name__ = make.__qualname__ = name
    make.__module__ = _HOME
    make.__doc__ = f"Return {name} in a shape: sizes, or variables such as x.shape[0]."
    return door(make)


@door
def full(shape: object, value: object, dtype: DTypeLike | None = None) -> Tensor:
    """Return one number in a shape; float32 unless a type is given."""
    return _full("full", shape, value, dtype)


def _full(name: str, shape: object, value: object, dtype: DTypeLike | None) -> Tensor:
    element = float_x() if dtype is None else element_named(dtype)
    single = Tensor(TensorOperand(materialize(emitter(), operand_of(value), element)))
    return compose(_FULL, [single], {"shape": shape}, name)  # type: ignore[return-value]


@door
def einsum(spec: str, *operands: object) -> Tensor:
    """Sum products by labels of axes, as numpy's einsum of any number of operands.

    `spec` names each axis by a letter: "bik,bkj->bij" multiplies stacks of matrices.
    """
    if not isinstance(spec, str):
        message = f"einsum takes a text first, got {describe(spec)}"
        raise usage_error(message, 'einsum("ij,jk->ik", x, y)')
    return one("einsum", [list(operands)], {"spec": spec})


@door
def meshgrid(
    *arrays: object, indexing: str = "xy", sparse: bool = False
) -> tuple[Tensor, ...]:
    """Return each vector repeated along the others: all points of a grid.

    By "xy" the first vector goes along the columns, by "ij" along the rows; `sparse`
    results have size 1 where they are alike.
    """
    options = {"indexing": indexing, "sparse": sparse}
    return compose(BY_NAME["meshgrid"], [list(arrays)], options)  # type: ignore[return-value]


@door
def dimshuffle(x: object, *pattern: object) -> Tensor:
    """Reorder the axes; 'x' makes an axis of size 1, one left out must have it."""
    return Tensor(operand_of(x)).dimshuffle(*pattern)


@door
def categorical_crossentropy(output: object, target: object) -> Tensor:
    """Return -log of the probability of each example's class, Theano's function.

    `output` holds probabilities, a row per example; `target` class numbers, or rows of
    probabilities, such as one-hot ones. `cross_entropy` takes logits instead.
    """
    p = Tensor(operand_of(output))
    t = Tensor(operand_of(target))
    log = apply("log", p)
    if t.ndim == p.ndim:
        return apply("neg", apply("mul", t, log).sum(axis=-1))
    if not type_of(t).element.is_integer or t.ndim + 1 != p.ndim:
        message = f"target is {describe(t)}: class numbers for {describe(p)} are "
        hint = "cast them: y.astype('int64')"
        raise usage_error(f"{message}integers, one for each row", hint)
    build, axis = TensorBuilder(emitter().builder), p.ndim - 1
    likelihood = value_of(log, "output")
    classes = tensor_type(likelihood).shape[axis]
    labels = build.check_index(value_of(t, "target"), axis, classes, from_end=False)
    picked = build(TakeAlongAxis, likelihood, labels, axis=axis)
    return apply("neg", Tensor(TensorOperand(picked)))


@door
def astype(x: object, dtype: DTypeLike) -> Tensor:
    """Convert to another element type; of a group, each member."""
    if isinstance(x, Group):
        return x.map(lambda m: astype(m, dtype))  # type: ignore[return-value]
    b = emitter()
    return Tensor(elementwise.to_element(b, operand_of(x), element_named(dtype)))


# New values for parts


def set_subtensor(x: Tensor, y: object) -> Tensor:
    """Return the variable that `x` is a part of, a[i], with `y` in that part."""
    whole, indices = _part(x, "set_subtensor")
    return put(whole, indices, y, SET)


def inc_subtensor(x: Tensor, y: object) -> Tensor:
    """Return the variable that `x` is a part of, a[i], with `y` added there."""
    whole, indices = _part(x, "inc_subtensor")
    return put(whole, indices, y, ADD)


@door
def _part(x: object, name: str) -> tuple[Tensor, Sequence[Index]]:
    found = x.part_of if isinstance(x, Tensor) else None
    if found is None:
        message = f"{name} takes a part, a[i], got {describe(x)}"
        raise usage_error(message, f"write {name}(a[i], y), or a.at[i].set(y)")
    return found


# Functions whose arguments are read in Python's way: sizes or axes one by one, a text
# before the operands, parts of a variable; and what is Theano's alone.
OWN: Mapping[str, SymbolicFunction] = {
    "cast": astype,
    "categorical_crossentropy": categorical_crossentropy,
    "cond": cond,  # type: ignore[dict-item]  # of structures, too
    "dimshuffle": dimshuffle,
    "einsum": einsum,
    "full": full,
    "ifelse": ifelse,  # type: ignore[dict-item]
    "inc_subtensor": inc_subtensor,
    "meshgrid": meshgrid,  # type: ignore[dict-item]  # several results
    "ones": _filled("ones", 1),
    "scan": scan,  # type: ignore[dict-item]
    "set_subtensor": set_subtensor,
    "zeros": _filled("zeros", 0),
}


def function_named(name: str) -> SymbolicFunction | None:
    """Return a function by its name in Python; None if there is none."""
    if name in OWN:
        return OWN[name]
    return row_function(name) if name in PYTHON else None


_STEP = "there are no optimizers in this version; a step says how a variable changes, "
_STEP += "tc.update(W, W - lr * g)"
_POOL = "tc.global_avg_pool(x) and tc.global_max_pool(x) pool whole images, "
_POOL += "tc.avg_pool(x, 2) and tc.max_pool(x, 2) windows of them"
_ADAPTIVE = [f"adaptive_{kind}_pool{n}d" for kind in ("avg", "max") for n in (1, 2, 3)]
_BY_CHANNEL = "tc.conv2d(x, w, groups=C) of filters [C, 1, KH, KW]: one a channel"
_SMALLER = "tc.jacobian(f) goes along the smaller side, forward or backward"
_OWN_GRADIENT = "tc.custom_gradient(f, backward), where backward(*arguments, ct) "
_OWN_GRADIENT += "returns the derivatives by the arguments"
_LOOP = "tc.scan(f, init, xs), or length=n, runs f(carry, x) again and again and "
_LOOP += "returns (carry, stacked results)"
_MAP = "tc.scan(lambda _, x: (None, f(x)), None, xs) stacks f(x) in its second result"
_DRAWN = "rng = tc.random.default_rng(seed) draws, in traced functions and formulas: "
# What a generator draws, and the words of other frameworks for it.
_DRAWS: Mapping[str, str] = {
    "dropout": "rng.dropout(x, p)",
    **dict.fromkeys(("rand", "uniform"), "rng.uniform(low, high, size)"),
    **dict.fromkeys(("randn", "normal"), "rng.normal(loc, scale, size)"),
    "randint": "rng.integers(low, high, size)",
    "bernoulli": "rng.bernoulli(p, size)",
    **dict.fromkeys(("categorical", "multinomial"), "rng.categorical(logits)"),
    **dict.fromkeys(("permutation", "shuffle", "randperm"), "rng.permutation(x)"),
    **dict.fromkeys(("seed", "manual_seed", "PRNGKey"), "rng.normal(size=x.shape)"),
}
# Names of other frameworks, and how that is done here.
_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("adam", "Adam", "sgd", "SGD", "optim", "optimizers"), _STEP),
    "nn": "networks are functions: tc.relu, tc.softmax, tc.cross_entropy",
    **dict.fromkeys(("pool_2d", *_ADAPTIVE), _POOL),
    **dict.fromkeys(("depthwise_conv2d", "separable_conv2d"), _BY_CHANNEL),
    "conv": "tc.conv1d, tc.conv2d and tc.conv3d by the axes of an image",
    "nnet": "functions stand in tc itself: tc.conv2d, tc.softmax, tc.cross_entropy",
    "array": "tc.constant(v) makes a variable of an array, tc.shared(v) memory",
    "asarray": "tc.constant(v) makes a variable of an array, tc.shared(v) memory",
    **dict.fromkeys(("jacfwd", "jacrev"), _SMALLER),
    **dict.fromkeys(("fori_loop", "foldl", "foldr", "reduce"), _LOOP),
    "map": _MAP,
    "lax": "what is in jax.lax stands without it: tc.scan, tc.cond",
    **dict.fromkeys(("custom_vjp", "custom_jvp"), _OWN_GRADIENT),
    "no_grad": "tc.stop_gradient(x) is x, as a constant for derivatives",
    "Variable": "tc.matrix('x') and its like are inputs, tc.shared(v) is memory",
    **{name: f"{_DRAWN}{call}" for name, call in _DRAWS.items()},
}


def names() -> list[str]:
    """Return the names of all functions and constructors."""
    return [*PYTHON, *[n for n in OWN if n not in PYTHON], *CONSTRUCTORS]


def public(name: str) -> SymbolicFunction:
    """Return a function or constructor by name; AttributeError if there is none."""
    found = function_named(name) or CONSTRUCTORS.get(name)
    if found is not None:
        return found
    message = f"module 'tensorc' has no attribute '{name}'"
    if name in _ELSEWHERE:
        raise AttributeError(f"{message}: {_ELSEWHERE[name]}")
    if is_planned(name):
        theirs = (BY_NAME[name].numpys or (name,))[0] if name in BY_NAME else name
        why, hints = reason_of(theirs)
        message = f"`{name}` is not in this version"
        written = hints if why in message else ()
        raise AttributeError("; ".join([message, *written]))
    if is_listed(name):
        why, hints = reason_of(name)
        raise AttributeError("; ".join([f"{message}: np.{name} {why}", *hints]))
    if getattr(np, name, None) in COMPOSITIONS:
        raise AttributeError(f"{message}; np.{name} takes variables")
    raise AttributeError(message + misspelt(name, names()))
