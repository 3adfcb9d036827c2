"""Build loops: index arithmetic that folds, loops with carried values, constants once.

Constants and sizes depend on nothing but a function's arguments. They are put at the
start of the function, each once, so that any loop can use them.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tensorc.errors import UNKNOWN, Location
from tensorc.ir.attributes import Attribute, Typed
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Region, Value, single_block
from tensorc.ir.dims import Compound, Dim, Poly, Symbol
from tensorc.ir.numerics import LANES
from tensorc.ir.ops.builtin import Function
from tensorc.ir.ops.loop import scf, vector
from tensorc.ir.ops.scalar import arith
from tensorc.ir.types import I1, INDEX, Element, Type, VectorType

COMPOUNDS: Mapping[str, type[Op]] = {
    "floordiv": arith.FloorDivSI,
    "min": arith.MinSI,
    "max": arith.MaxSI,
}


@dataclass
class Loop:
    """A loop being built: its counter, what it carries, and what comes out."""

    index: Value
    carried: list[Value]
    yields: list[Value] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)


@dataclass
class Callees:
    """The functions that kernels of an entry call, by what their code follows from."""

    module: Block
    prefix: str
    made: dict[Hashable, tuple[Function, Dim]] = field(default_factory=dict)


class LoopBuilder:
    """Appends LOOP ops to a function whose symbols are given."""

    def __init__(self, block: Block, symbols: Mapping[str, Value]) -> None:
        self.b = Builder(block)
        self._entry = block
        self._symbols = symbols
        self._prefix = 0
        self._known: dict[Value, int] = {}
        self._constants: dict[tuple[Typed, int], Value] = {}
        self._dims: dict[Dim, Value] = {}
        self._compounds: dict[Compound, Value] = {}
        self._lanes: Value | None = None
        self.scratch: Value | None = None  # of a kernel: bytes of who runs it
        self.scratch_bytes: Dim = 0  # of these, how many are taken
        self.stack_bytes = 0  # what the memory takes that is allocated on the stack
        self.shared: dict[tuple[str, Element, int], Value] = {}  # memory by its use
        self.callees: Callees | None = None
        self.given: dict[Value, Value] = {}  # scalars that a group is given
        self._masks: dict[tuple[int, int], Value] = {}

    def op(
        self,
        cls: type[Op],
        *operands: Value,
        types: Sequence[Type] | None = None,
        **attributes: Attribute,
    ) -> Value:
        """Append an op with one result."""
        return self.b.value(cls, *operands, types=types, **attributes)

    def do(self, cls: type[Op], *operands: Value, **attributes: Attribute) -> None:
        """Append an op without results."""
        self.b.append(cls, operands, attributes)

    @contextmanager
    def at(self, location: Location) -> Iterator[None]:
        """Give the ops created in the `with` block this location."""
        with self.b.at(location):
            yield

    @contextmanager
    def at_entry(self) -> Iterator[None]:
        """Put what is appended in the `with` block at the start of the function."""
        scratch = Block()
        with self.b.inside(scratch), self.b.at(UNKNOWN):
            yield
        for op in scratch.ops:
            op.parent = self._entry
        self._entry.ops[self._prefix : self._prefix] = scratch.ops
        self._prefix += len(scratch.ops)

    def at_start(self, cls: type[Op], *operands: Value, types: Sequence[Type]) -> Value:
        """Append an op with one result at the start of the function."""
        with self.at_entry():
            return self.op(cls, *operands, types=types)

    # Constants and sizes.

    def constant(self, value: float, element: Element, lanes: int = 0) -> Value:
        """Return a scalar, or with `lanes` a vector of it."""
        key = (Typed(value, element), lanes)
        if key not in self._constants:
            if lanes:
                scalar = self.constant(value, element)
                types = [VectorType(lanes, element)]
                made = self.at_start(vector.Broadcast, scalar, types=types)
            else:
                with self.at_entry():
                    made = self.op(arith.Constant, value=key[0])
                if element == INDEX:
                    self._known[made] = int(value)
            self._constants[key] = made
        return self._constants[key]

    def index(self, value: int) -> Value:
        """Return an index constant."""
        return self.constant(value, INDEX)

    def known(self, value: Value) -> int | None:
        """Return the number that an index is, if it is a constant."""
        return self._known.get(value)

    def dim(self, dim: Dim) -> Value:
        """Return the value of a dimension."""
        if isinstance(dim, int):
            return self.index(dim)
        if dim not in self._dims:
            with self.at_entry():
                total = self._polynomial(dim)
            self._dims[dim] = total
        return self._dims[dim]

    def _polynomial(self, dim: Poly) -> Value:
        total = self.index(0)
        for atoms, factor in dim.terms:
            product = self.index(factor)
            for atom in atoms:
                product = self.mul(product, self._atom(atom))
            total = self.add(total, product)
        return total

    def _atom(self, atom: Symbol | Compound) -> Value:
        if isinstance(atom, Symbol):
            return self._symbols[atom.name]
        if atom not in self._compounds:
            with self.at_entry():
                value = self._compound(atom)
            self._compounds[atom] = value
        return self._compounds[atom]

    def _compound(self, atom: Compound) -> Value:
        left, right = self.dim(atom.left), self.dim(atom.right)
        if atom.kind == "bound":
            negative = self.compare("slt", left, self.index(0))
            from_end = self.op(arith.AddI, left, right)
            low = self.op(arith.MaxSI, from_end, self.index(0))
            return self.select(negative, low, self.op(arith.MinSI, left, right))
        return self.op(COMPOUNDS[atom.kind], left, right)

    def mask(self, count: int, lanes: int = LANES) -> Value:
        """Return the mask of the first `count` of so many lanes."""
        key = count, lanes
        if key not in self._masks:
            number = self.index(count)
            types = [VectorType(lanes, I1)]
            self._masks[key] = self.at_start(vector.CreateMask, number, types=types)
        return self._masks[key]

    def lane_numbers(self) -> Value:
        """Return the vector 0, 1, 2, …."""
        if self._lanes is None:
            self._lanes = self.at_start(vector.Step, types=[VectorType(LANES, INDEX)])
        return self._lanes

    # Arithmetic on index values; constants fold.

    def add(self, a: Value, b: Value) -> Value:
        """Return a + b."""
        x, y = self.known(a), self.known(b)
        if x is not None and y is not None:
            return self.index(x + y)
        if x == 0:
            return b
        return a if y == 0 else self.op(arith.AddI, a, b)

    def sub(self, a: Value, b: Value) -> Value:
        """Return a - b."""
        x, y = self.known(a), self.known(b)
        if x is not None and y is not None:
            return self.index(x - y)
        return a if y == 0 else self.op(arith.SubI, a, b)

    def mul(self, a: Value, b: Value) -> Value:
        """Return a * b."""
        x, y = self.known(a), self.known(b)
        if x is not None and y is not None:
            return self.index(x * y)
        if x == 0 or y == 0:
            return self.index(0)
        if x == 1:
            return b
        return a if y == 1 else self.op(arith.MulI, a, b)

    def minimum(self, a: Value, b: Value) -> Value:
        """Return the smaller index."""
        x, y = self.known(a), self.known(b)
        if x is not None and y is not None:
            return self.index(min(x, y))
        return self.op(arith.MinSI, a, b)

    def maximum(self, a: Value, b: Value) -> Value:
        """Return the larger index."""
        x, y = self.known(a), self.known(b)
        if x is not None and y is not None:
            return self.index(max(x, y))
        return self.op(arith.MaxSI, a, b)

    def floordiv(self, a: Value, b: Value) -> Value:
        """Return a // b; the divisor is not 0."""
        x, y = self.known(a), self.known(b)
        if x is not None and y:
            return self.index(x // y)
        return a if y == 1 else self.op(arith.FloorDivSI, a, b)

    def compare(self, predicate: str, a: Value, b: Value) -> Value:
        """Compare integers by a name of arith.INTEGER_PREDICATES."""
        code = arith.INTEGER_PREDICATES.index(predicate)
        return self.op(arith.CmpI, a, b, predicate=code)

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """Return a where the condition holds, b elsewhere."""
        return self.op(arith.Select, condition, a, b)

    # Control.

    @contextmanager
    def loop(
        self, lower: Value, upper: Value, step: int, initial: Sequence[Value] = ()
    ) -> Iterator[Loop]:
        """Append a loop; set `yields` inside, read `results` after."""
        region, block = single_block()
        counter = block.add_argument(INDEX)
        carried = [block.add_argument(v.type) for v in initial]
        loop = Loop(counter, carried)
        distance = self.index(step)
        with self.b.inside(block):
            yield loop
            self.do(scf.Yield, *loop.yields)
        op = self.b.create(scf.For, lower, upper, distance, *initial, regions=[region])
        loop.results = op.results

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Append ops that run only if the condition holds."""
        region, block = single_block()
        with self.b.inside(block):
            yield
            self.do(scf.Yield)
        self.b.create(scf.If, condition, regions=[region, Region()])

    def choose(
        self,
        condition: Value,
        then: Callable[[], None],
        otherwise: Callable[[], None],
    ) -> None:
        """Append what one of two functions emits, for when it is chosen."""
        regions = []
        for emit in (then, otherwise):
            region, block = single_block()
            with self.b.inside(block):
                emit()
                self.do(scf.Yield)
            regions.append(region)
        self.b.create(scf.If, condition, regions=regions)
