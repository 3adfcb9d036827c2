"""`theano.tensor`: variables and functions. What is not here is `tc`'s, by its name."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from tensorc.frontend.library.mistakes import (
    argument_error,
    door,
    hiding,
    usage_error,
)
from tensorc.frontend.python import symbolic_functions, symbolic_variables
from tensorc.frontend.python.derivatives.products import Lop, Rop
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import operand_of
from tensorc.frontend.python.symbolic_variables import Shared
from tensorc.theano import nnet, shared_randomstreams, signal, xlogx
from tensorc.theano.gradient import grad, hessian, jacobian
from tensorc.theano.settings import float_name
from tensorc.theano.variables import PLURALS, TensorType

Variable = TensorVariable = Tensor
TensorSharedVariable = Shared
_public = symbolic_functions.public

__all__ = [
    "Lop",
    "Rop",
    "TensorSharedVariable",
    "TensorType",
    "TensorVariable",
    "Variable",
    "grad",
    "hessian",
    "jacobian",
    "nnet",
    "shared_randomstreams",
    "signal",
    "xlogx",
]

# Theano's names of what `tc` calls in another way.
_NAMES = {
    "abs_": "abs",
    "and_": "bitwise_and",
    "psi": "digamma",
    "batched_dot": "matmul",
    "batched_tensordot": "tensordot",
    "extract_diag": "diagonal",
    "inv": "reciprocal",
    "int_div": "floor_divide",
    "invert": "invert",
    "or_": "bitwise_or",
    "pow": "power",
    "sgn": "sign",
    "trunc": "trunc",
    "xor": "bitwise_xor",
}


# Functions that give floats, also of integers.
_OF_FLOATS = {
    *("arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cos", "cosh"),
    *("deg2rad", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "gammaln", "inv"),
    *("log", "log10", "log1p", "log2", "psi", "rad2deg", "sin", "sinh", "sqrt", "tan"),
    "tanh",
}
_NARROW = frozenset(("bool", "int8", "int16", "uint8", "uint16"))


def __getattr__(name: str) -> Callable[..., object]:
    if name.startswith("__"):
        raise AttributeError(name)
    if name in PLURALS:
        return PLURALS[name]
    found = _public(_NAMES.get(name, name))
    return _of_floats(name, found) if name in _OF_FLOATS else found


@functools.cache
def _of_floats(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a function that computes small integers in float32, others in float64."""

    @door
    def upgraded(x: object) -> Tensor:
        given = Tensor(operand_of(x))
        if not isinstance(x, int) and str(given.dtype.kind) in "biu":
            wide = "float32" if str(given.dtype) in _NARROW else "float64"
            return function(cast(given, wide))
        return function(x)

    upgraded.__name__ = upgraded.__qualname__ = name
    upgraded.__doc__ = function.__doc__
    return upgraded


def _summed(
    name: str, x: object, axis: object, dtype: object, keepdims: bool, wide: object
) -> Tensor:
    """Return a sum or product: of float32 in float64, as a result in float32."""
    given = Tensor(operand_of(x))
    element = str(given.dtype if dtype is None else _type(dtype))
    options = {"axis": axis, "keepdims": keepdims}
    if element not in ("float16", "float32") or given.dtype.kind != "f":
        chosen = {} if dtype is None else {"dtype": element}
        return _public(name)(given, **options, **chosen)
    most = "float64" if wide is None else _type(wide)
    return cast(_public(name)(cast(given, most), **options), element)


@door
def sum(
    input: object,
    axis: object = None,
    dtype: object = None,
    keepdims: bool = False,
    acc_dtype: object = None,
) -> Tensor:
    """Return the sum along axes; float32 is added up in float64, or in `acc_dtype`."""
    return _summed("sum", input, axis, dtype, keepdims, acc_dtype)


@door
def prod(
    input: object,
    axis: object = None,
    dtype: object = None,
    keepdims: bool = False,
    acc_dtype: object = None,
) -> Tensor:
    """Return the product along axes; of float32 in float64, or in `acc_dtype`."""
    return _summed("prod", input, axis, dtype, keepdims, acc_dtype)


@door
def mean(
    input: object,
    axis: object = None,
    dtype: object = None,
    keepdims: bool = False,
    acc_dtype: object = None,
) -> Tensor:
    """Return the mean along axes; float32 is added up in float64, integers, too."""
    given = Tensor(operand_of(input))
    if dtype is None and str(given.dtype.kind) in "biu":
        dtype = "float64"
        given = cast(given, dtype)
    return _summed("mean", given, axis, dtype, keepdims, acc_dtype)


@door
def as_tensor_variable(
    x: object, name: str | None = None, ndim: int | None = None
) -> Tensor:
    """Return a variable as it is, and an array or a number as a constant one.

    A list of variables is stacked. `ndim` adds axes of size 1 in front.
    """
    if isinstance(x, list | tuple) and any(isinstance(item, Tensor) for item in x):
        x = _public("stack")(list(x))
    variable = x if isinstance(x, Tensor) else constant(x, name)
    missing = 0 if ndim is None else ndim - variable.ndim
    return shape_padleft(variable, missing) if missing > 0 else variable


@door
def constant(
    x: object, name: str | None = None, ndim: int | None = None, dtype: object = None
) -> Tensor:
    """Return a constant variable; `ndim` adds axes of size 1 in front."""
    if isinstance(x, list | tuple):
        x = np.asarray(x)
    wanted = _type(dtype)
    variable = symbolic_variables.constant(x, name, wanted)  # type: ignore[arg-type]
    missing = 0 if ndim is None else ndim - variable.ndim
    return shape_padleft(variable, missing) if missing > 0 else variable


def _type(dtype: object) -> object:
    """Return a type by its name; "floatX" is what the setting says."""
    return float_name() if isinstance(dtype, str) and dtype == "floatX" else dtype


@door
def cast(x: object, dtype: object) -> Tensor:
    """Convert to another element type; "floatX" is what the setting says."""
    return _public("cast")(x, _type(dtype))


@hiding
def shape(x: object) -> object:
    """Return the size of each axis."""
    return Tensor(operand_of(x)).shape


@door
def switch(condition: object, ift: object, iff: object) -> Tensor:
    """Choose elementwise; a number holds if it is not 0."""
    chosen = Tensor(operand_of(condition))
    if chosen.dtype != "bool":
        chosen = _public("neq")(chosen, 0)
    return _public("where")(chosen, ift, iff)


where = switch


@door
def clip(x: object, min: object, max: object) -> Tensor:
    """Return x between two bounds; where they cross, below `min` it is `min`."""
    least, most = _public("lt")(x, min), _public("gt")(x, max)
    return switch(least, min, switch(most, max, x))


@door
def alloc(value: object, *sizes: object) -> Tensor:
    """Return a value, repeated in a shape of the given sizes."""
    variable = Tensor(operand_of(value))
    return _public("broadcast_to")(variable, tuple(sizes))


@door
def fill(x: object, value: object) -> Tensor:
    """Return an array like x with one value in it, in the type of the value."""
    single = as_tensor_variable(value)
    return _public("full_like")(x, single, dtype=str(single.dtype))


@door
def join(axis: int, *tensors: object) -> Tensor:
    """Put arrays one behind the other along an axis."""
    return _public("concatenate")(list(tensors), axis=axis)


@door
def stack(*tensors: object, axis: int = 0) -> Tensor:
    """Put arrays along a new axis: `stack([x, y], axis=0)`, or `stack(x, y)`."""
    first = tensors[0] if tensors else None
    if isinstance(first, list | tuple):
        axis = int(tensors[1]) if len(tensors) > 1 else axis  # type: ignore[call-overload]
        return _public("stack")(list(first), axis=axis)
    return _public("stack")(list(tensors), axis=axis)


@door
def reshape(x: object, newshape: object, ndim: int | None = None) -> Tensor:
    """Return the elements in a new shape, of which one size may be -1."""
    sizes = tuple(newshape) if isinstance(newshape, list) else newshape
    found = _public("reshape")(x, sizes)
    if ndim is not None and found.ndim != ndim:
        message = f"reshape has ndim={ndim}, but a shape with {found.ndim} sizes"
        raise usage_error(message)
    return found


@door
def flatten(x: object, ndim: int | None = None, outdim: int | None = None) -> Tensor:
    """Return x with its last axes made one, so that `ndim` are left."""
    kept = ndim if ndim is not None else outdim
    return _public("flatten")(x, ndim=1 if kept is None else kept)


@door
def shape_padleft(t: Tensor, n_ones: int = 1) -> Tensor:
    """Return a variable with axes of size 1 in front."""
    return t.dimshuffle(*["x"] * n_ones, *range(t.ndim))


@door
def shape_padright(t: Tensor, n_ones: int = 1) -> Tensor:
    """Return a variable with axes of size 1 behind."""
    return t.dimshuffle(*range(t.ndim), *["x"] * n_ones)


@door
def shape_padaxis(t: Tensor, axis: int) -> Tensor:
    """Return a variable with an axis of size 1 at an index of the result."""
    return _public("expand_dims")(t, axis)


@door
def addbroadcast(x: Tensor, *axes: int) -> Tensor:
    """Return x, whose axes at `axes` have size 1, which the call is held to."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    order = [kept.index(a) if a in kept else "x" for a in range(x.ndim)]
    return x.dimshuffle(*kept).dimshuffle(*order)


@door
def patternbroadcast(x: Tensor, broadcastable: Sequence[bool]) -> Tensor:
    """Return x, whose axes have size 1 where the pattern is true."""
    axes = [axis for axis, single in enumerate(broadcastable) if single]
    return addbroadcast(x, *axes) if axes else x


@door
def unbroadcast(x: Tensor, *axes: int) -> Tensor:
    """Return x: sizes of 1 repeat here, whatever is said of them."""
    return x


@door
def to_one_hot(y: Tensor, nb_class: int, dtype: object = None) -> Tensor:
    """Return 1 at each label's index of a row of `nb_class`, 0 elsewhere."""
    found = _public("one_hot")(y, nb_class)
    return cast(found, "floatX" if dtype is None else dtype)


@door
def identity_like(x: Tensor) -> Tensor:
    """Return the matrix of x's shape and type with 1 on its diagonal."""
    rows, columns = x.shape
    return _public("eye")(rows, columns, dtype=str(x.dtype))


@door
def round(x: object, mode: str | None = None) -> Tensor:
    """Return whole numbers: of two that are as near the even one.

    With `mode="half_away_from_zero"` the larger one, with the sign of x.
    """
    if mode in (None, "half_to_even"):
        return _public("round")(x)
    if mode != "half_away_from_zero":
        message = f"mode is 'half_to_even' or 'half_away_from_zero', got {mode!r:.40}"
        raise argument_error(message)
    variable = as_tensor_variable(x)
    return _public("sign")(variable) * _public("floor")(abs(variable) + 0.5)


@door
def iround(x: object, mode: str | None = None) -> Tensor:
    """Return `round` as int64."""
    return cast(round(x, mode), "int64")


@door
def horizontal_stack(*tensors: object) -> Tensor:
    """Put matrices side by side."""
    return join(1, *tensors)


@door
def vertical_stack(*tensors: object) -> Tensor:
    """Put matrices one below the other."""
    return join(0, *tensors)


@door
def stacklists(x: object) -> Tensor:
    """Return one variable of lists of variables, an axis for each level of lists."""
    if isinstance(x, list | tuple):
        return _public("stack")([stacklists(item) for item in x])
    return as_tensor_variable(x)


@door
def smallest(*tensors: object) -> Tensor:
    """Return the smallest of several elements, each by itself."""
    return functools.reduce(_public("minimum"), map(as_tensor_variable, tensors))


@door
def largest(*tensors: object) -> Tensor:
    """Return the largest of several elements, each by itself."""
    return functools.reduce(_public("maximum"), map(as_tensor_variable, tensors))


@door
def fill_diagonal(x: Tensor, value: object) -> Tensor:
    """Return a matrix with a value on its diagonal."""
    rows, columns = x.shape
    on = _public("eye")(rows, columns, dtype="bool")
    return switch(on, value, x)
