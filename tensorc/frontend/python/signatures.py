"""What a traced function takes: its parameters, and calls of arrays and numbers alone.

`Parameters.plain` is the way of a call that is like an earlier one: it looks at no
structure, and makes the key under which such a call is known.
"""

import inspect
from collections.abc import Callable, Container, Hashable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tensorc.errors import did_you_mean
from tensorc.frontend.library.dtypes import ArrayType, DType
from tensorc.frontend.library.mistakes import usage_error
from tensorc.frontend.python.grouping.pytree import LEAF, exact, flatten
from tensorc.frontend.python.symbolic_variables import Shared

VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

# How numbers of Python are passed on, and what is a part of the program instead.
_FREE = {int: np.dtype(np.int64), float: np.dtype(np.float64)}
_FIXED = frozenset([bool, str, type(None)])
_MISSING = object()

# Looked up once: small calls are short enough to notice.
_array, _ndarray = np.array, np.ndarray

# Element types and shapes of arrays, types of numbers, values of what is static.
Kinds = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a traced function.

    `words` are the defaults that are no arrays, such as "mean": static unless another
    value is given. `by_index` are the names, if a call can give all of them by place,
    and `count` is how many. `special` are the static and the typed ones.
    """

    name: str
    signature: inspect.Signature
    static: frozenset[str]
    types: Mapping[str, ArrayType]
    words: Mapping[str, object]
    defaults: Mapping[str, object]
    by_index: tuple[str, ...] | None
    count: int
    special: frozenset[str]

    def bind(
        self, args: tuple[object, ...], named: Mapping[str, object]
    ) -> inspect.BoundArguments:
        """Return the arguments of a call by name, defaults included."""
        if self.by_index is not None and not named and len(args) == self.count:
            arguments = dict(zip(self.by_index, args, strict=True))
            return inspect.BoundArguments(self.signature, arguments)
        try:
            bound = self.signature.bind(*args, **named)
        except TypeError as error:
            hint = f"call it as {self.name}{self.signature}"
            raise usage_error(f"{self.name}: {error}", hint) from None
        bound.apply_defaults()
        return bound

    def plain(
        self,
        args: tuple[object, ...],
        named: Mapping[str, object],
        valued: Container[str],
    ) -> tuple[tuple[object, ...], Kinds | None]:
        """Return all arguments in order as arrays, and what they were.

        Of the numbers in `valued`, and of all that is static, that is the value. It is
        None for what is no plain call, or does not fit.
        """
        if named or len(args) != self.count:
            given = self._in_order(args, named)
            if given is None:
                return (), None
            args = given
        arrays: list[object] = []
        kinds: list[Hashable] = []
        assert self.by_index is not None
        for name, value in zip(self.by_index, args):  # noqa: B905 (they are as many)
            kind: type = type(value)
            if kind is _ndarray and name not in valued:
                arrays.append(value)
                kinds.append(value.dtype)  # type: ignore[attr-defined]
                kinds.append(value.shape)  # type: ignore[attr-defined]
            elif kind in _FREE and name not in self.special and name not in valued:
                try:
                    arrays.append(_array(value, _FREE[kind]))
                except OverflowError:
                    return (), None
                kinds.append(kind)
            elif not self._read(name, value, valued, arrays, kinds):
                return (), None
        return tuple(arrays), tuple(kinds)

    def _read(
        self,
        name: str,
        value: object,
        valued: Container[str],
        arrays: list[object],
        kinds: list[Hashable],
    ) -> bool:
        """Take what is neither an array nor a free number; False if it is not plain."""
        kind = type(value)
        is_number = kind in _FREE or kind is bool
        if kind is _ndarray or isinstance(value, np.generic):
            array = np.asarray(value)
            arrays.append(array)
            kinds += (array.dtype, array.shape)
            if name in valued and not array.ndim:
                kinds.append(exact(array.item()))
        elif name in self.static or (kind in _FIXED and name not in self.types):
            kinds.append((kind, exact(value)))
            return is_number or kind in _FIXED
        elif value is self.words.get(name, _MISSING):
            kinds.append((kind, ()))
        elif is_number:
            try:
                arrays.append(_array(value, _FREE.get(kind, np.bool_)))
            except OverflowError:
                return False
            kinds.append((kind, exact(value) if name in valued else ()))
        else:
            return False
        return True

    def _in_order(
        self, args: tuple[object, ...], named: Mapping[str, object]
    ) -> tuple[object, ...] | None:
        if self.by_index is None or len(args) >= self.count:
            return None
        rest = self.by_index[len(args) :]
        values = {**self.defaults, **named}
        if any(n not in values for n in rest) or not named.keys() <= {*rest}:
            return None
        return (*args, *[values[name] for name in rest])


def computed(function: Callable[..., object], bound: inspect.BoundArguments) -> object:
    """Call a function; defaults that are no arguments are left to itself.

    Some of them mean "not given", and only the function's own code may pass them on.
    """
    parameters, given = bound.signature.parameters, bound.arguments
    spread = [n for n, p in parameters.items() if p.kind == p.VAR_POSITIONAL]
    if any(given.get(name) for name in spread):
        return function(*bound.args, **bound.kwargs)
    kept = {
        name: value
        for name, value in given.items()
        if parameters[name].kind == inspect.Parameter.POSITIONAL_ONLY
        or value is not parameters[name].default
    }
    bound = inspect.BoundArguments(bound.signature, kept)
    return function(*bound.args, **bound.kwargs)


def parameters_of(
    function: Callable[..., object], name: str, static: str | Iterable[str]
) -> Parameters:
    """Return what a function takes, of which the parameters in `static` are static."""
    signature = signature_of(function)
    parameters = signature.parameters
    defaults = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.default is not parameter.empty
    }
    positional = all(
        p.kind < inspect.Parameter.VAR_POSITIONAL for p in parameters.values()
    )
    fixed, types = _static_names(name, signature, static), _annotations(signature)
    return Parameters(
        name,
        signature,
        fixed,
        types,
        {name: default for name, default in defaults.items() if _is_word(default)},
        defaults,
        tuple(parameters) if positional else None,
        len(parameters) if positional else -1,
        fixed.union(types),
    )


def _is_word(default: object) -> bool:
    leaves, tree = flatten(default)
    numbers = bool | int | float | np.ndarray | np.generic
    return tree is LEAF and not isinstance(leaves[0], numbers | Shared)


def signature_of(function: Callable[..., object]) -> inspect.Signature:
    """Return the signature, annotations evaluated where they can be."""
    if isinstance(function, np.ufunc):
        names = ("x", "y", "z")[: function.nin]  # no `out`, `where`, …
        kind = inspect.Parameter.POSITIONAL_ONLY
        return inspect.Signature([inspect.Parameter(name, kind) for name in names])
    try:
        return inspect.signature(function, eval_str=True)
    except NameError:
        return inspect.signature(function)  # names that only a type checker knows
    except (TypeError, ValueError):
        # Some builtins do not say what they take.
        return inspect.Signature(
            [
                inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
                inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
            ]
        )


def _static_names(
    name: str, signature: inspect.Signature, static: str | Iterable[str]
) -> frozenset[str]:
    names = (static,) if isinstance(static, str) else tuple(static)
    for wish in names:
        if wish not in signature.parameters:
            message = f"static: {name} has no parameter {wish!r}"
            meant = did_you_mean(str(wish), signature.parameters, "'{}'")
            raise usage_error(message, *filter(None, [meant]))
        if signature.parameters[wish].kind in VARIADIC:
            raise usage_error(f"static: '{wish}' of {name} takes any number of values")
    return frozenset(names)


def _annotations(signature: inspect.Signature) -> dict[str, ArrayType]:
    found: dict[str, ArrayType] = {}
    for name, parameter in signature.parameters.items():
        annotation = parameter.annotation
        if isinstance(annotation, DType):
            annotation = ArrayType(annotation.element, ())
        if isinstance(annotation, ArrayType) and parameter.kind not in VARIADIC:
            found[name] = annotation
    return found
