"""A program in the making: operands of the types that a recipe asks for.

Shapes are solved by construction. All dimensions of a program come from a small
palette of numbers and symbols, so that shapes meet; where no value of the wanted type
is there, one is made: by a cast, a broadcast, a constant, or a new argument. A builder
of a function that is thrown away infers the types.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tensorc.floats import has_bfloat16
from tensorc.fuzz.emission import append_loop
from tensorc.fuzz.program import (
    ArgumentNode,
    LoopNode,
    Node,
    OpNode,
    ResultNode,
    further_results,
)
from tensorc.fuzz.values import LONG, SIZES, hurting, tame
from tensorc.ir.attributes import Attribute, Dense, Dims
from tensorc.ir.branches import isolate
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim, evaluate, symbol
from tensorc.ir.functions import open_function
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import ConstraintError
from tensorc.ir.ops.control import If, Yield
from tensorc.ir.ops.derivatives import Jvp
from tensorc.ir.ops.tensor.elementwise import Cast, require_domain
from tensorc.ir.ops.tensor.making import Constant
from tensorc.ir.ops.tensor.shape import Broadcast
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import ELEMENTS, Element, TensorType

MOST_ELEMENTS = 4500  # of one value: two of the longest rows
_MOST_GIVENS = 5
_MOST_WRITTEN = 64  # elements of a constant, each of which is code

_WEIGHTS: Mapping[str, int] = {
    **{"f32": 44, "f64": 18, "f16": 4, "i1": 5, "i64": 12, "i32": 8, "i8": 2},
    **{"i16": 1, "ui8": 2, "ui16": 1, "ui32": 2, "ui64": 2},
    **({"bf16": 4} if has_bfloat16() else {}),
}
# Differences can tell whether a derivative is right if all that leads to it is f64.
_SLOPE_WEIGHTS: Mapping[str, int] = {
    **{"f64": 80, "f32": 8, "f16": 1, "i1": 5, "i64": 4, "i32": 2},
}

_NAMES = ("N", "M", "K")
_GROUP, _LONG_THEMES = 5, 2  # of so many themes, so many have a long dimension
ROWS = "R"  # the symbol of programs that work by rows

Test = Callable[[TensorType], bool]


def _anything(_: TensorType) -> bool:
    return True


def fits(domain: str, element: Element) -> bool:
    """Return whether an element type is "any" or of a domain of the ops."""
    if domain == "any":
        return True
    try:
        require_domain(domain, element, "")
    except ConstraintError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Theme:
    """What programs that are compiled together share, so that their kernels are alike.

    `dims` are the dimensions of their shapes, `sizes` the numbers of the symbols.
    """

    dims: tuple[Dim, ...]
    sizes: Mapping[str, int]


def theme_of(seed: int, number: int) -> Theme:
    """Return the theme of that number, which has few dimensions: at most one is long.

    Sizes are dealt, not drawn: a few dozen themes have all of them.
    """
    rng = random.Random(f"theme {seed} {number}")
    group, index = divmod(number, _GROUP)
    long = rng.choice(_NAMES) if index < _LONG_THEMES else ""
    dims: list[Dim] = [1] if rng.random() < 0.3 else []
    sizes: dict[str, int] = {}
    for turn, name in enumerate(_NAMES, number * len(_NAMES)):
        if name == long:
            size = _dealt(LONG, seed, group * _LONG_THEMES + index)
        else:
            size = _dealt(SIZES, seed, turn)
        if rng.random() < (0.6 if size == 0 else 0.25):  # nothing, but only at the call
            sizes[name] = size
            dims.append(symbol(name))
        else:
            dims.append(size)
    return Theme(tuple(dims), sizes)


def _dealt(sizes: Sequence[int], seed: int, turn: int) -> int:
    """Return the size of a turn: each round has all of them, in another order."""
    round_, index = divmod(turn, len(sizes))
    rng = random.Random(f"{seed} {round_} {len(sizes)}")
    return rng.sample(sizes, len(sizes))[index]


class Maker:
    """Entries so far, their types, and a source of chance.

    With `rows` a symbol leads most shapes; with `slopes` most elements are f64.
    """

    def __init__(
        self,
        rng: random.Random,
        theme: Theme,
        rows: bool = False,
        slopes: bool = False,
    ) -> None:
        self.rng = rng
        self.weights = _SLOPE_WEIGHTS if slopes else _WEIGHTS
        self.palette = list(theme.dims)
        self.rows = rows
        self.numbers = np.random.default_rng(rng.getrandbits(64))
        self.entries: list[Node] = []
        self.values: list[Value] = []
        self.uses: list[int] = []
        self.shown: set[int] = set()  # what is a result, whoever uses it
        self.sizes: dict[str, int] = dict(theme.sizes)
        self.depth = 0  # of loops around it
        self.is_closed = False  # it takes no more arguments
        if rows:
            self.sizes[ROWS] = rng.choice([n for n in SIZES if n > 1])
        function, builder = open_function("scratch", [])
        self.block = function.body.block
        self.b = TensorBuilder(builder)

    # Chance

    def chance(self, share: float) -> bool:
        """Return whether something happens that happens with this share."""
        return self.rng.random() < share

    def below(self, count: int) -> int:
        """Return a number from 0 to count - 1."""
        return self.rng.randrange(count)

    def element(self, domain: str = "any") -> Element:
        """Return an element type of a domain, those of programs more often."""
        (name,) = self.rng.choices(list(self.weights), list(self.weights.values()))
        found = ELEMENTS[name]
        return found if fits(domain, found) else self.element(domain)

    def dim(self) -> Dim:
        """Return a dimension of the program's."""
        return self.rng.choice(self.palette)

    def shape(self, least_rank: int = 0) -> tuple[Dim, ...]:
        """Return a shape from the palette."""
        (rank,) = self.rng.choices(range(5), (10, 40, 39, 9, 2))
        rank = max(rank, least_rank)
        dims: list[Dim] = []
        count = 1
        if self.rows and rank and self.chance(0.9):
            dims.append(symbol(ROWS))
            count = self.sizes[ROWS]
        while len(dims) < rank:
            again = bool(dims) and self.chance(0.15)  # a square
            dim = self.beside(count, dims[-1] if again else self.dim())
            count *= max(self.number(dim), 1)
            dims.append(dim)
        return tuple(dims)

    def beside(self, count: int, dim: Dim) -> Dim:
        """Return a dimension that makes no large value of so many elements."""
        fits = count * self.number(dim) <= MOST_ELEMENTS
        return dim if fits else self.rng.choice((1, 2, 3))

    # What is known of entries

    def type_of(self, index: int) -> TensorType:
        """Return the type of an entry, as far as it is known by now."""
        type_ = tensor_type(self.values[index])
        resolve = self.b.builder.constraints.resolve
        return TensorType(tuple(resolve(d) for d in type_.shape), type_.element)

    def number(self, dim: Dim) -> int:
        """Return the size that a dimension is going to have."""
        return evaluate(dim, self.sizes)

    def count(self, shape: Sequence[Dim]) -> int:
        """Return the number of elements that a shape is going to have."""
        total = 1
        for dim in shape:
            total *= self.number(dim)
        return total

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Return whether all equations that shapes have led to hold for these sizes."""
        facts = self.b.builder.constraints
        pairs: list[tuple[Dim, Dim]] = [
            (symbol(name), dim) for name, dim in facts.bindings.items()
        ]
        pairs += [(guard.left, guard.right) for guard in facts.guards]
        return all(evaluate(a, sizes) == evaluate(b, sizes) for a, b in pairs)

    def indices(self, test: Test) -> list[int]:
        """Return the entries whose types pass a test."""
        return [i for i in range(len(self.entries)) if test(self.type_of(i))]

    # Entries

    def apply(
        self, cls: type[Op], operands: Sequence[int], **attributes: Attribute
    ) -> int:
        """Append an op and return its index; ShapeError if it does not fit.

        Of one with several results it is the index of the first; the others follow.
        """
        values = [self.values[o] for o in operands]
        results = self.b.results(cls, *values, **attributes)
        return self._append(OpNode(cls, tuple(operands), attributes), results)

    def choose(
        self, condition: int, then: Sequence[int], otherwise: Sequence[int]
    ) -> int:
        """Append a `tc.if` that yields these entries; ShapeError if types differ."""
        types = [self.type_of(value) for value in then]
        with self.b.builder.region([]) as (first, _):
            self.b.builder.create(Yield, *[self.values[value] for value in then])
        with self.b.builder.region([]) as (last, _):
            self.b.builder.create(Yield, *[self.values[value] for value in otherwise])
        made = isolate(self.b.builder, self.values[condition], first, last, types)
        node = OpNode(If, (condition, *then, *otherwise), {})
        return self._append(node, made)

    def derive(
        self,
        cls: type[Op],
        outs: Sequence[int],
        by: Sequence[int],
        directions: Sequence[int],
    ) -> int:
        """Append a `tc.jvp` or `tc.vjp` of entries by others, in directions."""
        node = OpNode(cls, (*outs, *by, *directions), {"outs": len(outs)})
        like = outs if cls is Jvp else by
        made = [self.block.add_argument(self.type_of(index)) for index in like]
        return self._append(node, made)

    def repeat(self, node: LoopNode) -> int:
        """Append a loop; ShapeError if what it carries changes its type."""
        values = [self.values[o] for o in node.operands]
        return self._append(node, append_loop(self.b, node, values))

    def step(self, types: Sequence[TensorType]) -> "Maker":
        """Return a maker for the step of a loop, with arguments of these types."""
        inner = Maker(self.rng, Theme(tuple(self.palette), self.sizes))
        inner.rows, inner.weights, inner.depth = self.rows, self.weights, self.depth + 1
        for type_ in types:
            inner.given(type_)
        inner.is_closed = True
        return inner

    def _append(self, node: OpNode, results: Sequence[Value]) -> int:
        """Append an op with results whose types are those of these values."""
        index = len(self.entries)
        self.entries.append(node)
        self.entries += [ResultNode(index, n) for n in range(1, len(results))]
        self.values += results
        for operand in node.operands:
            self.uses[operand] += 1
        self.uses += [0] * len(results)
        return index

    def results_of(self, index: int) -> list[int]:
        """Return the entries of all results of an op, whose first one is given."""
        return [index, *further_results(self.entries, index)]

    def given(self, type_: TensorType, below: Dim | None = None) -> int:
        """Append an argument and return its index; where there is none, a constant."""
        if self.is_closed and below is not None:
            zero = self.literal(np.zeros((), type_.element.dtype), type_.element)
            return self.apply(Broadcast, (zero,), axes=(), shape=Dims(type_.shape))
        if self.is_closed:
            return self.constant(type_)
        name = self.next_name()
        self.values.append(self.block.add_argument(type_, name))
        self.entries.append(ArgumentNode(name, type_, below=below))
        self.uses.append(0)
        return len(self.entries) - 1

    def next_name(self) -> str:
        """Return the name of the next argument."""
        return f"a{sum(isinstance(e, ArgumentNode) for e in self.entries)}"

    def may_give(self) -> bool:
        """Return whether the program may have one more argument."""
        count = sum(isinstance(e, ArgumentNode) for e in self.entries)
        return count < _MOST_GIVENS and not self.is_closed

    def constant(self, type_: TensorType) -> int:
        """Append a constant of a type, whose shape may be broadcast from rank 0."""
        known = all(isinstance(d, int) for d in type_.shape)
        small = self.count(type_.shape) <= _MOST_WRITTEN
        whole = known and small and self.chance(0.4)
        shape = tuple(self.number(d) for d in type_.shape) if whole else ()
        draw = tame if self.chance(0.7) else hurting
        value = self.literal(draw(type_.element, shape, self.numbers), type_.element)
        if whole or not type_.shape:
            return value
        return self.apply(Broadcast, (value,), axes=(), shape=Dims(type_.shape))

    def literal(self, array: Array, element: Element) -> int:
        """Append a constant."""
        dense = Dense(array, TensorType(array.shape, element))
        return self.apply(Constant, (), value=dense)

    # Operands

    def pick(self, indices: Sequence[int]) -> int:
        """Return one of these indices; what nobody reads yet comes more often."""
        fresh = [p for p in indices if not self.uses[p]]
        if fresh and self.chance(0.7):
            return self.rng.choice(fresh)
        return self.rng.choice(list(indices))

    def primary(
        self, domain: str = "any", least_rank: int = 0, test: Test = _anything
    ) -> int:
        """Return an operand of a domain and of at least a rank."""

        def suits(type_: TensorType) -> bool:
            return type_.rank >= least_rank and test(type_)

        shaped = self.indices(suits)
        found = [p for p in shaped if fits(domain, self.type_of(p).element)]
        if found and (self.chance(0.85) or not self.may_give()):
            return self.pick(found)
        if shaped and (self.chance(0.5) or not self.may_give()):
            return self.apply(Cast, (self.pick(shaped),), element=self.element(domain))
        for _ in range(20):
            type_ = TensorType(self.shape(least_rank), self.element(domain))
            if test(type_):
                return self.given(type_)
        return self.given(TensorType((2,) * max(least_rank, 1), self.element(domain)))

    def partner(self, type_: TensorType) -> int:
        """Return an operand of exactly this type: often an earlier value."""
        same = self.indices(lambda t: t == type_)
        if same and self.chance(0.7):
            return self.pick(same)
        others: list[Callable[[TensorType], int | None]] = [self._by_cast] * 2
        others += [self._by_broadcast] * 2 + [self._by_size, self.constant]
        if self.may_give():
            others += [self.given] * 3
        for make in self.rng.sample(others, len(others)):
            index = make(type_)
            if index is not None:
                return index
        return self.constant(type_)

    def _by_cast(self, type_: TensorType) -> int | None:
        found = self.indices(
            lambda t: t.shape == type_.shape and t.element != type_.element
        )
        if not found:
            return None
        return self.apply(Cast, (self.pick(found),), element=type_.element)

    def _by_broadcast(self, type_: TensorType) -> int | None:
        rank = type_.rank
        indices = self.indices(lambda t: t.element == type_.element and t.rank <= rank)
        for index in self.rng.sample(indices, min(len(indices), 4)):
            axes = self._axes_in(self.type_of(index).shape, type_.shape)
            if axes is not None and self.type_of(index) != type_:
                shape = Dims(type_.shape)
                return self.apply(Broadcast, (index,), axes=axes, shape=shape)
        return None

    @staticmethod
    def _axes_in(part: Sequence[Dim], whole: Sequence[Dim]) -> tuple[int, ...] | None:
        """Return axes of `whole` that those of `part` can become, or None."""
        axes: list[int] = []
        for dim in part:
            start = axes[-1] + 1 if axes else 0
            found = [a for a in range(start, len(whole)) if dim in (1, whole[a])]
            if not found:
                return None
            axes.append(found[0])
        return tuple(axes)

    def _by_size(self, type_: TensorType) -> int | None:
        """Take what has the same sizes by other names: an equation for the call."""
        wanted = [self.number(d) for d in type_.shape]
        found = self.indices(
            lambda t: (
                t.element == type_.element
                and t.shape != type_.shape
                and [self.number(d) for d in t.shape] == wanted
            )
        )
        return self.pick(found) if found and self.chance(0.3) else None
