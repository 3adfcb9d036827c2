"""The arguments of a traced function: what of them a specialisation fixes.

Of an array these are the element type, the rank and which sizes are 1; of a typed one
the sizes that its type names; of a Python number its kind; of a shared variable which
one it is; of a static argument its value. Booleans, texts and types are static wherever
they stand: in a structure, as a default, given or not.
"""

import enum
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from tensorc.errors import Diagnostic, ShapeError
from tensorc.frontend.library.dtypes import ArrayType
from tensorc.frontend.library.locations import user_location
from tensorc.frontend.library.mistakes import usage_error
from tensorc.frontend.library.operands import (
    Array,
    TensorOperand,
    is_strong,
    materialize,
    spell_element,
)
from tensorc.frontend.python import tracer
from tensorc.frontend.python.facts import Answered, KnownSizes, read_given
from tensorc.frontend.python.grouping.pytree import LEAF, Static, Tree, flatten, paths
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import (
    describe,
    emitter,
    operand_of,
    type_of,
)
from tensorc.frontend.python.symbolic_variables import Shared
from tensorc.frontend.python.tracer import (
    ArrayLeaf,
    Leaf,
    MemoryLeaf,
    NumberLeaf,
    StaticLeaf,
)
from tensorc.ir.attributes import Dims
from tensorc.ir.dims import Dim
from tensorc.ir.ops.tensor.shape import Reshape
from tensorc.ir.types import ELEMENTS, element_of


@dataclass(frozen=True, slots=True)
class Key:
    """What a specialisation fixes: structures and leaves."""

    trees: tuple[Tree, ...]
    leaves: tuple[Leaf, ...]


@dataclass(slots=True)
class TracedCall:
    """A call taken apart: its structures by parameter, its leaves, what to pass on."""

    trees: dict[str, Tree] = field(default_factory=dict)
    leaves: list[Leaf] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def key(self) -> Key:
        """Return what the call's specialisation fixes."""
        return Key(tuple(self.trees.values()), tuple(self.leaves))

    def has_other_trees(self, before: Key) -> bool:
        """Return whether the structures are other ones: then no leaf compares."""
        return tuple(self.trees.values()) != before.trees

    def names(self) -> list[str]:
        """Return how Python spells each leaf."""
        return [path for name, tree in self.trees.items() for path in paths(tree, name)]

    def given(self) -> KnownSizes:
        """Return the sizes and numbers of the call."""
        pairs = zip(self.names(), self.leaves, strict=True)
        own = [
            (n, leaf) for n, leaf in pairs if isinstance(leaf, ArrayLeaf | NumberLeaf)
        ]
        values = zip(own, self.values, strict=True)
        return read_given(
            [name for name, _ in own], [_converted(leaf, v) for (_, leaf), v in values]
        )


def _converted(leaf: ArrayLeaf | NumberLeaf, value: object) -> object:
    """Return a number in the type of its parameter, as the call converts it.

    What the call refuses to convert is refused there.
    """
    if isinstance(leaf, NumberLeaf) or leaf.sizes:
        return value
    with np.errstate(all="ignore"):
        return np.asarray(value).astype(leaf.element.dtype)


@dataclass(frozen=True, slots=True)
class _Where:
    """A leaf in messages, spelled only when there is one."""

    function: str
    parameter: str
    tree: Tree
    number: int

    def __str__(self) -> str:
        path = paths(self.tree, self.parameter)[self.number]
        return f"argument '{path}' of '{self.function}'"


def read_call(
    function: str,
    arguments: Mapping[str, object],
    types: Mapping[str, ArrayType],
    static: Container[str],
) -> TracedCall | None:
    """Take the arguments of a call apart; None if there is a symbolic variable.

    Raises:
        TypeError: a leaf is no array, or a static argument cannot be told from others.
        ValueError: a size is not what the type of its parameter says.
    """
    call = TracedCall()
    sizes: _Sizes = {}
    for name, value in arguments.items():
        if name in static:
            call.trees[name] = LEAF
            call.leaves.append(_static(function, name, value))
            continue
        found, tree = flatten(value)
        call.trees[name] = tree
        type_ = types.get(name)
        if type_ is not None and tree is not LEAF:
            what = f"argument '{name}' of '{function}'"
            raise usage_error(f"{what} is {type_}, got {describe(value)}")
        for number, item in enumerate(found):
            if isinstance(item, Tensor) and not isinstance(item, Shared):
                return None
            where = _Where(function, name, tree, number)
            leaf, given = _leaf(item, type_, where, sizes)
            call.leaves.append(leaf)
            if isinstance(leaf, ArrayLeaf | NumberLeaf):
                call.values.append(given)
    return call


def _static(function: str, name: str, value: object) -> StaticLeaf:
    leaf = StaticLeaf(Static(value))
    try:
        hash(leaf)
    except TypeError:
        message = f"the static argument '{name}' of '{function}' must be hashable, "
        hint = "give a tuple for a list; arrays are not static"
        raise usage_error(f"{message}got {describe(value)}", hint) from None
    return leaf


_Sizes = dict[str, tuple[int, _Where]]


def _leaf(
    value: object, type_: ArrayType | None, what: _Where, sizes: _Sizes
) -> tuple[Leaf, object]:
    """Return what is fixed of a leaf, and the value to call with."""
    if isinstance(value, Shared):
        if type_ is not None:
            fit_tensor(value, type_, what, {})
        return MemoryLeaf(value.leaf), None
    if type_ is None and isinstance(value, STATIC):
        return StaticLeaf(Static(value)), None
    if isinstance(value, bool | int | float) and not isinstance(value, np.generic):
        if type_ is None:
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                message = f"{what} is {value}, which does not fit int64"
                raise usage_error(message, "pass a float, or an array of uint64")
            kind = "int" if isinstance(value, int) else "float"
            return NumberLeaf(kind), np.array(value, _NUMBERS[kind])
        array: Array = np.asarray(value)
    else:
        array = _array(value, what)
    if type_ is not None:
        return _typed_leaf(array, type_, what, sizes), value
    return _array_leaf(array.dtype, array.shape), array


@lru_cache(1024)
def _array_leaf(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> ArrayLeaf:
    element = element_of(dtype.newbyteorder("="))
    return ArrayLeaf(element, tuple([1 if s == 1 else None for s in shape]))


# No numbers: a program is made for each of their values.
STATIC = (bool, str, bytes, type, np.dtype, enum.Enum, type(Ellipsis))
_NUMBERS = {"int": np.int64, "float": np.float64}
_PLAIN = frozenset(element.numpy for element in ELEMENTS.values() if element.numpy)


def _array(value: object, what: _Where) -> Array:
    if type(value) is np.ndarray and value.dtype in _PLAIN:
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise usage_error(f"{what} is a masked array", "fill it: x.filled(0)")
    try:
        array = tracer.as_array(value)
    except (ValueError, TypeError, BufferError, RuntimeError) as error:
        raise usage_error(f"{what} cannot be read as an array: {error}") from None
    if array is None:
        message = f"{what} is {describe(value)}, which is not an array"
        hint = f"make it static: jit(f, static=('{what.parameter}',)), or capture it"
        if what.parameter == "self":
            hint = "compile the method of an object: tc.step(obj.method)"
        raise usage_error(message, hint)
    try:
        element_of(array.dtype.newbyteorder("="))
    except KeyError:
        message = f"{what} is an array: dtype {array.dtype} is not supported"
        hint = "bool, int8 to uint64, float16 to float64 and bfloat16 are possible"
        if array.dtype.kind == "c":
            hint = "pass the real and the imaginary part: z.real, z.imag"
        raise usage_error(message, hint) from None
    return array


def _typed_leaf(array: Array, type_: ArrayType, what: _Where, sizes: _Sizes) -> Leaf:
    per_axis = type_.per_axis(array.ndim)
    if per_axis is None:
        message = f"{what} is {type_}, got {_spell_array(array)}"
        raise ShapeError(Diagnostic("TC0503", message, user_location()))
    fixed: list[int | str | None] = []
    for size, wanted in zip(array.shape, per_axis, strict=True):
        if isinstance(wanted, int) and size != wanted:
            message = (
                f"{what} is {type_}, got {_spell_array(array)}: {size}, not {wanted}"
            )
            raise ShapeError(Diagnostic("TC0503", message, user_location()))
        if isinstance(wanted, str) and wanted != "_":
            before, origin = sizes.setdefault(wanted, (size, what))
            if before != size:
                message = (
                    f"{what} is {type_}, got {_spell_array(array)}: {wanted} is {size}"
                )
                note = f"{wanted} is {before} in {origin}"
                location = user_location()
                raise ShapeError(Diagnostic("TC0503", message, location, notes=(note,)))
        known = isinstance(wanted, int) or size == 1
        fixed.append(size if known else None if wanted == "_" else wanted)
    return ArrayLeaf(type_.element, tuple(fixed))


def _spell_array(array: Array) -> str:
    try:
        name = spell_element(element_of(array.dtype.newbyteorder("=")))
    except KeyError:
        name = str(array.dtype)
    return f"{name}{list(array.shape)}" if array.ndim else name


def fit_tensor(
    value: object, type_: ArrayType, what: object, sizes: dict[str, Dim]
) -> Tensor:
    """Return a value for a typed parameter while another function is traced.

    Nothing is converted but Python numbers; sizes that are not known become those of
    the type, and are checked at the call. `sizes` are those that have a name.
    """
    b = emitter()
    operand = operand_of(value, str(what))
    message = f"{what} is {type_}, got {describe(value)}"
    if is_strong(operand) and type_of(value).element != type_.element:
        raise usage_error(message, f"cast it: x.astype('{type_.element.dtype}')")
    fitting = TensorOperand(materialize(b, operand, type_.element))
    given = fitting.type.shape
    per_axis = type_.per_axis(len(given))
    if per_axis is None:
        raise ShapeError(Diagnostic("TC0301", message, b.location))
    shape: list[Dim] = []
    for size, wanted in zip(given, per_axis, strict=True):
        expected = size if wanted == "_" else wanted
        if isinstance(expected, str):
            expected = sizes.setdefault(expected, size)
        if not b.unify(size, expected):
            message += f": {wanted} is {size}, not {expected}"
            raise ShapeError(Diagnostic("TC0301", message, b.location))
        shape.append(expected)
    if tuple(shape) == given:
        return (
            value
            if isinstance(value, Tensor) and is_strong(operand)
            else Tensor(fitting)
        )
    known = b.builder.value(Reshape, fitting.value, shape=Dims(tuple(shape)))
    known.hint = fitting.value.hint
    return Tensor(TensorOperand(known))


def sample(type_: ArrayType | None) -> Array | None:
    """Return an array of a type, of no memory; None if its rank is not known."""
    if type_ is None or ... in type_.sizes:
        return None
    shape = [size if isinstance(size, int) else 2 for size in type_.sizes]
    return np.broadcast_to(np.zeros((), type_.element.dtype), shape)


# Why something was compiled


def spell(key: Key, names: Sequence[str], answered: Sequence[Answered] = ()) -> str:
    """Return the arguments of a specialisation for people, and what it asks of them."""
    words = [
        f"{n}={leaf}" if isinstance(leaf, StaticLeaf) else f"{n}: {leaf}"
        for n, leaf in zip(names, key.leaves, strict=True)
    ]
    return ", ".join([*words, *(fact.spell(answer) for fact, answer in answered)])


def differences(call: TracedCall, before: Key) -> list[str]:
    """Say in what a call differs from a specialisation, in the user's words."""
    found = []
    for (name, new), old_tree in zip(call.trees.items(), before.trees, strict=True):
        if new != old_tree:
            found.append(f"argument {name}: structure {new}, was {old_tree}")
    if call.has_other_trees(before):
        return found
    for name, leaf, old_leaf in zip(
        call.names(), call.leaves, before.leaves, strict=True
    ):
        if leaf != old_leaf:
            pair = isinstance(leaf, StaticLeaf), isinstance(old_leaf, StaticLeaf)
            what = f"{'static ' if all(pair) else ''}argument {name}"
            found += [f"{what}: {w}" for w in _difference(leaf, old_leaf)]
    return found


def _difference(new: Leaf, old: Leaf) -> list[str]:
    if not isinstance(new, ArrayLeaf) or not isinstance(old, ArrayLeaf):
        return [f"{new}, was {old}"]
    found = []
    if new.element != old.element:
        found.append(f"dtype {new.element.dtype}, was {old.element.dtype}")
    if len(new.sizes) != len(old.sizes):
        return [*found, f"rank {len(new.sizes)}, was {len(old.sizes)}"]
    for axis, (size, before) in enumerate(zip(new.sizes, old.sizes, strict=True)):
        if size != before:
            words = ["is 1" if s == 1 else "is not 1" for s in (size, before)]
            found.append(f"the size of axis {axis} {words[0]}, before it {words[1]}")
    return found
