"""How ops are declared: one class, one statement of meaning.

    @op("tc.matmul", traits=(PURE,))
    class MatMul(Op):
        '''…formula, constraints C1…, example…'''
        lhs: Value                  # operands, in order; `Values` takes the rest
        rhs: Value
        order: str                  # everything else is an attribute

        @staticmethod
        def infer(ctx, lhs, rhs, *, order): …    # operand types -> result type(s)

        @staticmethod
        def evaluate(ctx, lhs, rhs, *, order): … # numpy arrays -> result(s)

`infer` is the only place where types are computed: the builder calls it, and the
verifier compares. An op whose result types are free (a cast, an allocation, a call) has
`check(ctx, operands, results, **attributes)` instead, and its user gives the builder
the types. Nothing registers itself: `tensorc.ir.ops.OPS` is the list.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar, get_origin

from tensorc.errors import UNKNOWN, Location
from tensorc.ir.attributes import Attribute
from tensorc.ir.core import Op, Region, Value
from tensorc.ir.dims import Constraints, Dim
from tensorc.ir.types import TensorType, Type

Values = list[Value]

PURE = "pure"  # no effect: may be removed, repeated and merged
COMMUTATIVE = "commutative"  # the first two operands may be swapped
ELEMENTWISE = "elementwise"  # acts on each element alone; `scalar` names its kernel
EXACT = "exact"  # evaluate gives the same bits as compiled code
TERMINATOR = "terminator"  # ends its block
ISOLATED = "isolated"  # its regions see nothing from outside

T = TypeVar("T", bound=type[Op])


class ConstraintError(Exception):
    """A type rule does not hold: the label (C1…) and both values."""

    def __init__(self, label: str, detail: str) -> None:
        super().__init__(detail)
        self.label = label
        self.detail = detail


def require(condition: bool, label: str, detail: str) -> None:
    """Raise `ConstraintError` unless the condition holds."""
    if not condition:
        raise ConstraintError(label, detail)


@dataclass
class InferContext:
    """What `infer` may ask: equality of dimensions under the function's constraints."""

    constraints: Constraints = field(default_factory=Constraints)
    location: Location = UNKNOWN

    def unify(
        self, left: Dim, right: Dim, message: str = "", is_index: bool = False
    ) -> bool:
        """Make two dimensions equal; False if they can never be.

        `message` is what to say if they turn out different at the call; `is_index`
        tells that an index is wrong then.
        """
        at = self.location
        return self.constraints.unify(left, right, at, message, is_index)

    def resolve(self, dim: Dim) -> Dim:
        """Return the dimension with all that is known put in."""
        return self.constraints.resolve(dim)

    def require_equal(self, left: Dim, right: Dim, label: str, what: str = "") -> None:
        """Raise `ConstraintError` if two dimensions can never be equal."""
        prefix = f"{what}: " if what else ""
        require(self.unify(left, right), label, f"{prefix}{left} and {right}")

    def require_same_shape(self, left: Type, right: Type, label: str) -> None:
        """Raise `ConstraintError` if two tensor types can never have one shape."""
        assert isinstance(left, TensorType)
        assert isinstance(right, TensorType)
        detail = f"{left} and {right}"
        require(left.rank == right.rank, label, detail)
        for a, b in zip(left.shape, right.shape, strict=True):
            require(self.unify(a, b), label, detail)


def op(name: str, *, traits: Sequence[str] = (), scalar: str = "") -> Callable[[T], T]:
    """Return a decorator that completes the declaration of an op class.

    `scalar` names the scalar op (arith, math) that an elementwise op applies.
    """

    def complete(cls: T) -> T:
        operands: list[str] = []
        attributes: list[str] = []
        regions: list[str] = []
        for key, hint in _declared(cls).items():
            if hint in (Value, Values):
                setattr(cls, key, _operand(len(operands), hint == Values))
                cls.variadic = cls.variadic or hint == Values
                operands.append(key)
            elif hint is Region:
                setattr(cls, key, _region(len(regions)))
                regions.append(key)
            else:
                setattr(cls, key, _attribute(key))
                attributes.append(key)
        cls.name = name
        cls.traits = frozenset(traits)
        cls.scalar = scalar
        cls.operand_names = tuple(operands)
        cls.attribute_names = tuple(attributes)
        cls.region_names = tuple(regions)
        return cls

    return complete


def _declared(cls: type[Op]) -> dict[str, object]:
    """Return the annotations of a class and of its bases, in the order of operands.

    They are read as they stand: `typing.get_type_hints` takes milliseconds a class,
    and every start of the compiler would pay for it.
    """
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Op) and base is not Op:
            found.update(inspect.get_annotations(base))
    quoted = [key for key, hint in found.items() if isinstance(hint, str)]
    if quoted:
        raise TypeError(f"{cls.__name__}.{quoted[0]}: write its type without quotes")
    return {k: h for k, h in found.items() if get_origin(h) is not ClassVar}


def _operand(index: int, variadic: bool) -> property:
    if variadic:
        return property(lambda self: self.operands[index:])
    return property(lambda self: self.operands[index])


def _region(index: int) -> property:
    return property(lambda self: self.regions[index])


def _attribute(key: str) -> property:
    return property(lambda self: self.attributes.get(key))


def infer_types(
    cls: type[Op],
    ctx: InferContext,
    operands: Sequence[Type],
    attributes: dict[str, Attribute],
) -> tuple[Type, ...] | None:
    """Return the result types of an op, or None if they are free for its class."""
    infer: Callable[..., Type | tuple[Type, ...]] | None = getattr(cls, "infer", None)
    if infer is None:
        return None
    given = infer(ctx, *operands, **attributes)
    return given if isinstance(given, tuple) else (given,)
