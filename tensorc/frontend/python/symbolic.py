"""Symbolic variables: Theano's door. An expression of them is a graph, computed later.

    x = tc.matrix("x")
    cost = ((x @ W - y) ** 2).mean()

A `Tensor` wraps a value of the graph, or a number made of sizes such as `x.shape[0]`.
Operators and methods are the library's functions, with NumPy's rules for broadcasting,
indexing and types; Python numbers are weak. `==` compares elements, so variables are
told apart by identity.
"""

import copy
import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import DTypeLike

from tensorc.errors import TensorcError
from tensorc.frontend.library import advanced_indexing
from tensorc.frontend.library.dtypes import DTypeName
from tensorc.frontend.library.elementwise import elementwise, to_element
from tensorc.frontend.library.indexing import Index, Rest
from tensorc.frontend.library.library_function import LibraryFunction
from tensorc.frontend.library.maps import MAPS
from tensorc.frontend.library.mistakes import TRACING, door, hiding_methods, usage_error
from tensorc.frontend.library.operands import (
    Array,
    Operand,
    TensorOperand,
    number,
    strong,
)
from tensorc.frontend.library.registry.calls import invoke
from tensorc.frontend.library.registry.rows import BY_NAME, FUNCTIONS, PYTHON
from tensorc.frontend.python import numpy_functions
from tensorc.frontend.python.assigning import stores
from tensorc.frontend.python.assigning.known_masks import without_known_masks
from tensorc.frontend.python.assigning.stores import Changes, Relative, View
from tensorc.frontend.python.graph.store import landings
from tensorc.frontend.python.group_functions import apply_to_groups, has_groups
from tensorc.frontend.python.grouping.groups import mapped
from tensorc.frontend.python.grouping.operators import Operators
from tensorc.frontend.python.habits import attribute_hint
from tensorc.frontend.python.numpy_compositions import rounded
from tensorc.frontend.python.row_functions import composed_of, method_of, of_row
from tensorc.frontend.python.running import HOME
from tensorc.frontend.python.symbolic_numbers import AskedNumber, repeated, stored_way
from tensorc.frontend.python.symbolic_operands import (
    DOOR,
    describe,
    element_named,
    emitter,
    indices_of,
    is_symbolic,
    operand_of,
    option_given,
    type_of,
)
from tensorc.frontend.python.symbolic_parts import Selector
from tensorc.ir.core import Op
from tensorc.ir.dims import Dim, Poly
from tensorc.ir.ops.tensor.indexing import ADD
from tensorc.ir.types import TensorType


@door
def apply(name: str, *operands: object) -> "Tensor":
    """Apply an elementwise function of the table to variables, numbers and arrays."""
    if has_groups(operands):
        each = functools.partial(apply, name)
        return mapped(f"`{name}`", each, operands)  # type: ignore[return-value]
    given = [operand_of(o, f"an operand of {name}") for o in operands]
    return Tensor(elementwise(emitter(), name, given))


@door
def compose(
    function: LibraryFunction,
    tensors: Sequence[object],
    options: Mapping[str, object],
    name: str = "",
) -> "Tensor | tuple[Tensor, ...]":
    """Call a function of the registry; some take or give several variables.

    `name` is what the user called, if it is not the function's own name.
    """
    called = name or function.name
    if has_groups(tensors):
        return _compose_groups(called, function, tensors, options)  # type: ignore[return-value]
    what = f"an argument of {called}"
    given: list[object] = list(tensors)
    if function.sequence:
        if is_symbolic(given[0]) and DOOR.get().facts is not None:
            given[0] = list(given[0])  # type: ignore[call-overload]  # its rows
        if not isinstance(given[0], list | tuple):
            message = f"{called} takes a list of variables, got {describe(given[0])}"
            raise usage_error(message, f"{called}([x, y], …)")
        given[0] = [operand_of(t, what) for t in given[0]]
    first = 1 if function.sequence else 0
    names = function.tensors[first:]
    given[first:] = [
        None if t is None and n in function.optional else operand_of(t, what)
        for n, t in zip(names, given[first:], strict=True)
    ]
    kinds = function.options
    plain = {k: option_given(v, kinds[k].kind) for k, v in options.items()}
    result = invoke(emitter(), function, given, plain, called)  # type: ignore[arg-type]
    made = [
        Tensor(part) for part in (result if isinstance(result, tuple) else (result,))
    ]
    if function.name in stores.VIEWS and isinstance(tensors[0], Tensor):
        for part in made:
            if part.home is not None:
                part.view_of = stores.relative(tensors[0])
    return tuple(made) if isinstance(result, tuple) else made[0]


def one(
    name: str, tensors: Sequence[object], options: Mapping[str, object] | None = None
) -> "Tensor":
    """Call a function of the library that gives one variable."""
    return compose(BY_NAME[name], tensors, options or {})  # type: ignore[return-value]


def _compose_groups(
    name: str,
    function: LibraryFunction,
    tensors: Sequence[object],
    options: Mapping[str, object],
) -> object:
    own = function.of_members or function.function
    of_member = dataclasses.replace(function, function=own)

    def each(*members: object, **plain: object) -> object:
        return compose(of_member, members, plain, name)

    def join(results: Sequence[object]) -> object:
        if function.joined in MAPS:
            return functools.reduce(functools.partial(apply, function.joined), results)
        return one(function.joined, [one("stack", [results])])

    return apply_to_groups(name, function, each, tensors, options, join)


@hiding_methods
class Tensor(AskedNumber, Operators["Tensor"]):
    """A symbolic variable: a leaf or a formula; `name` may be changed, nothing else."""

    __slots__ = (
        *("__weakref__", "_compiled", "_name", "_operand", "_part_of"),
        *("changes", "home", "version", "view_of"),
    )

    def __init__(self, operand: Operand, name: str | None = None) -> None:
        self._operand = operand
        self._name = name
        self._compiled: object = None
        self._part_of: tuple[Tensor, Sequence[Index]] | None = None
        is_given = isinstance(operand, TensorOperand) and operand.value.op is None
        self.home: object = None if is_given else HOME.get()
        self.version = 0
        self.changes = Changes()
        self.view_of: View | Relative | None = None

    @property
    def operand(self) -> Operand:
        """What the variable stands for in the graph."""
        if self.view_of is not None:
            stores.refresh(self)
        return self._operand

    def replace(self, operand: Operand) -> None:
        """Have another value from now on: what an assignment in a trace made."""
        self._operand = operand
        self._part_of = None
        self.version += 1

    def kept(self) -> "Tensor":
        """Return the variable itself, which no assignment changes from now on."""
        self.home = None
        return self

    @property
    def is_leaf(self) -> bool:
        """Tell variables, shared ones too, from formulas, constants and numbers."""
        operand = self.operand
        return isinstance(operand, TensorOperand) and operand.value.op is None

    @property
    def name(self) -> str | None:
        """The name for messages and for arguments given by name."""
        return self._name

    @name.setter
    def name(self, name: str | None) -> None:
        """Change the name."""
        operand, self._name = self.operand, name
        if isinstance(operand, TensorOperand):
            operand.value.hint = name or ""

    @property
    def type(self) -> TensorType:
        """The element type and the shape, as far as they are known."""
        return type_of(self)

    @property
    def dtype(self) -> DTypeName:
        """NumPy's name of the element type, which equals the element type, too."""
        return DTypeName(self.type.element.dtype)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.type.rank

    @property
    def shape(self) -> "tuple[int | Tensor, ...]":
        """The size of each axis: an int where it is known."""
        return tuple([_size(d) for d in self.type.shape])

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        """Of each axis whether its size is known to be 1, in Theano's words."""
        return tuple([size == 1 for size in self.type.shape])

    @property
    def size(self) -> "int | Tensor":
        """The number of elements: an int where it is known."""
        return _size(math.prod(self.type.shape, start=cast(Dim, 1)))

    @property
    def T(self) -> "Tensor":
        """The variable with its axes reversed."""
        return one("transpose", [self])

    @property
    def mT(self) -> "Tensor":
        """The variable with its last two axes exchanged."""
        return one("swapaxes", [self], {"axis1": -1, "axis2": -2})

    def copy(self) -> "Tensor":
        """Return a variable of the same value, which others do not change."""
        made = Tensor(self.operand, self._name)
        made.home = HOME.get()
        return made

    # Operators: those that are more than a map; the others are `Operators`.

    def _operate(self, name: str, *operands: object) -> "Tensor":
        if name in ("eq", "ne"):
            return _compared(name, self, operands[1])
        return apply(name, *operands)

    def __mul__(self, other: object) -> "Tensor":
        again = repeated(other, self)
        return apply("mul", self, other) if again is None else again  # type: ignore[return-value]

    def __rmul__(self, other: object) -> "Tensor":
        again = repeated(other, self)
        return apply("mul", other, self) if again is None else again  # type: ignore[return-value]

    @door
    def __pow__(self, other: object, modulus: object = None) -> "Tensor":
        if modulus is not None:
            message = "pow of a variable takes no modulus: it is `x ** y`"
            raise usage_error(message, "write `x ** y % z`, whose power wraps first")
        if type(other) is int and other == 2 and self.dtype == "bool":
            return one("square", [self])  # NumPy's: int8, where np.power gives int64
        return apply("pow", self, other)

    def __matmul__(self, other: object) -> "Tensor":
        return one("matmul", [self, other])

    def __rmatmul__(self, other: object) -> "Tensor":
        return one("matmul", [other, self])

    def __pos__(self) -> "Tensor":
        return self.copy() if TRACING.get() else self

    def _in_place(self, name: str, other: object) -> "Tensor":
        """Compute `x += y`: of an array that the trace made, in the array itself."""
        if has_groups((other,)) or not stores.is_array_of_trace(self):
            return NotImplemented  # type: ignore[no-any-return]
        new: Tensor = (
            self @ other if name == "matmul" else self._operate(name, self, other)
        )
        stores.store(self, (Rest(),), new.operand)
        return self

    @door
    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: object, **options: object
    ) -> object:
        """Take NumPy's elementwise functions: np.exp(x), array + x."""
        if method == "at" and ufunc in (np.add, np.subtract) and len(inputs) == 3:
            _add_at(*inputs, is_less=ufunc is np.subtract)
            return None
        made = numpy_functions.composed(ufunc, inputs, options)
        if made is not None and method == "__call__":
            return made()
        row = numpy_functions.of_ufunc(ufunc, method, options)
        return apply(row.name, *inputs) if row.map else compose(row, inputs, {})

    @door
    def __array_function__(
        self,
        function: Callable[..., object],
        types: object,
        args: Sequence[object],
        options: Mapping[str, object],
    ) -> object:
        """Take NumPy's other functions: np.sum(x, axis=0), np.where(c, x, y)."""
        attribute = numpy_functions.ATTRIBUTES.get(function)
        if attribute is not None and is_symbolic(args[0]):
            return getattr(args[0], attribute)
        call = numpy_functions.composed(function, args, options)
        if call is not None:
            return call()
        return composed_of(numpy_functions.bound(function, args, options), compose)

    def __getattr__(self, name: str) -> "Callable[..., Tensor]":
        """Say what there is instead; only called for what is missing.

        Its type is that of the methods which type checkers do not see, those of rows.
        """
        if name in ("get_value", "set_value"):
            hint = "is not a shared variable: compile it, or evaluate it with x.eval()"
            raise AttributeError(f"{self!r} {hint}", name=name, obj=self)
        message = f"a symbolic variable has no attribute '{name}'"
        if not name.startswith("__"):  # protocols, which libraries ask for
            message += attribute_hint(name, type(self))
        raise AttributeError(message, name=name, obj=self)

    def __repr__(self) -> str:
        words = self.type
        shape = ", ".join(str(s).split("#")[0] for s in words.shape)
        shown = f"{words.element}[{shape}]" if words.shape else f"{words.element}"
        return f"<{self._name or 'variable'}: {shown}>"

    # Indexing

    @door
    def __getitem__(self, index: object) -> "Tensor":
        b = emitter()
        x = strong(b, operand_of(self))
        indices = indices_of(without_known_masks(b, x, index))
        part = Tensor(advanced_indexing.take(b, x, indices))
        part._part_of = self, indices
        if part.home is not None and part.ndim and stores.is_basic(indices):
            part.view_of = View(self, indices, self.version)
        return part

    @door
    def __setitem__(self, index: object, value: object) -> None:
        stores.require_own(self, lambda: stored_way(self, index, value))
        new = operand_of(value, "the new value of a part")
        stores.store(self, indices_of(index), new)

    @property
    def at(self) -> "Selector[Tensor]":
        """Parts that get new values: `x.at[i].set(v)`, `x.at[i].add(v)`."""
        return Selector(self, put)

    @property
    def part_of(self) -> "tuple[Tensor, Sequence[Index]] | None":
        """For x[…] what was indexed and how, as long as nothing else was done."""
        return self._part_of

    # Methods of NumPy and Theano; those that rows of the registry name are set below.

    @door
    def astype(self, dtype: DTypeLike) -> "Tensor":
        """Convert to another element type."""
        element = element_named(dtype)
        return Tensor(to_element(emitter(), operand_of(self), element)).copy()

    @door
    def round(self, decimals: int = 0) -> "Tensor":
        """Round to so many decimals, as np.round: halves to even, integers stay."""
        return rounded(self, decimals)  # type: ignore[arg-type,return-value]

    @door
    def eval(self, inputs: "Mapping[Tensor, object] | None" = None) -> Array:
        """Compile the variable and return its value, given those of its inputs."""
        # The one step up from this room: what compiles is loaded for the first value.
        from tensorc.api.function import evaluate

        return evaluate(self, {} if inputs is None else inputs)

    def __reduce__(self) -> tuple[Callable[..., "Tensor"], tuple[object, ...]]:
        operand, part = self._operand, self._part_of
        before = landings(operand.value) if isinstance(operand, TensorOperand) else []
        # What was indexed goes without its own past, which may be long.
        part_of = None if part is None else (part[0].operand, list(part[1]))
        return restored, (type(self), before, operand, self._name, part_of)

    def __deepcopy__(self, memo: dict[int, object]) -> "Tensor":
        if TRACING.get():
            # A value that never changes; the trace knows the inputs that it has.
            return self.copy()
        restore, parts = self.__reduce__()
        return restore(*copy.deepcopy(parts, memo))


class Comparison(Tensor):
    """`x == y` or `x != y` of two variables that have no value yet, elementwise.

    Its truth says whether they are the same one, as `x in [y, x]` asks. What keeps
    them from being compared elementwise is raised where that is needed.
    """

    __slots__ = ("_error", "_truth")

    def __init__(self, name: str, left: Tensor, right: Tensor) -> None:
        self._truth = (left is right) == (name == "eq")
        self._error: TensorcError | None = None
        try:
            operand = apply(name, left, right).operand
        except TensorcError as error:
            self._error = error.with_traceback(None)
            operand = left.operand  # never read
        super().__init__(operand)

    @property
    def operand(self) -> Operand:
        """What it stands for in the graph; raises what keeps it from that."""
        if self._error is not None:
            raise self._error
        return self._operand

    def __bool__(self) -> bool:
        return self._truth

    def __reduce__(self) -> tuple[Callable[..., Tensor], tuple[object, ...]]:
        return Tensor(self.operand, self._name).__reduce__()


def _compared(name: str, left: Tensor, right: object) -> Tensor:
    leaves = isinstance(right, Tensor) and left.is_leaf and right.is_leaf
    # While a function is traced, its arguments are values: equal ones may differ.
    if leaves and not TRACING.get():
        return Comparison(name, left, right)  # type: ignore[arg-type]
    return apply(name, left, right)


@door
def put(x: Tensor, indices: Sequence[Index], values: object, combine: str) -> Tensor:
    """Return x with values set at, or added to, a part."""
    b = emitter()
    new = operand_of(values, "the new value of a part")
    whole = strong(b, x.operand)
    return Tensor(advanced_indexing.put(b, whole, indices, new, combine))


def _add_at(x: object, index: object, values: object, is_less: bool) -> None:
    """Compute np.add.at, of an array of the trace: all values for an index count."""
    if not isinstance(x, Tensor):
        message = "np.add.at: an array from outside of the trace holds no variables"
        raise usage_error(message, "write x.at[i].add(v), which is a new variable")
    stores.require_own(x, lambda: "write x.at[i].add(v), which is a new variable")
    given = operand_of(values, "the new value of a part")
    new = apply("neg", Tensor(given)).operand if is_less else given
    stores.store(x, indices_of(index), new, ADD)


def restored(
    cls: type[Tensor],
    _before: Sequence[Op],
    operand: Operand,
    name: str | None,
    part_of: tuple[Operand, Sequence[Index]] | None,
) -> Tensor:
    """Return a variable that was copied or pickled; its nodes were read before it."""
    made = cls(operand, name)
    if part_of is not None:
        made._part_of = Tensor(part_of[0]), part_of[1]
    return made


def _size(dim: Dim) -> "int | Tensor":
    return Tensor(number(dim)) if isinstance(dim, Poly) else dim


@functools.cache
def row_function(name: str) -> Callable[..., Tensor]:
    """Return the function of a row of the registry, by its name in Python."""
    return of_row(name, PYTHON[name], compose)  # type: ignore[return-value]  # `split`


def _method(row: LibraryFunction) -> Callable[..., object]:
    return method_of(row, compose)


_IN_PLACE = {
    **{f"__i{name}__": name for name in ("add", "sub", "mul", "mod", "pow", "matmul")},
    **{"__itruediv__": "div", "__ifloordiv__": "floordiv"},
    **{f"__i{name}__": f"bitwise_{name}" for name in ("and", "or", "xor")},
    **{"__ilshift__": "left_shift", "__irshift__": "right_shift"},
}


def _changing(name: str) -> Callable[..., object]:
    def method(self: Tensor, other: object) -> Tensor:
        return self._in_place(name, other)

    return door(method)


for _called, _name in _IN_PLACE.items():
    setattr(Tensor, _called, _changing(_name))
for _row in FUNCTIONS:
    if _row.method:
        setattr(Tensor, _row.name, _method(_row))
