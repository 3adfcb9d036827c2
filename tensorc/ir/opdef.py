"""How ops are declared: one class, one statement of meaning.

What the members of a family share stands in their base class: operands, `infer`, and in
its docstring the constraints and the example. A member is what is its own:

    @op("tc.exp", traits=(PURE, ELEMENTWISE), scalar=math.Exp)
    class Exp(FloatUnary):
        '''Exponential: result = e ** operand.'''

`$name` in a docstring is the op's name, `$has` its class attribute `has`. The words are
put together by `formula_of`, `constraint_words` and `example_of`. An elementwise op
names the scalar op that it is at each element, and means what that means, or is
`made_of` other elementwise ops; others have an `evaluate`. In full, an op of no family
is

    @op("tc.matmul", traits=(PURE,), levels=AT_TENSOR)
    class MatMul(Op):
        '''…formula, constraints C1…, example…'''
        lhs: Value                  # operands, in order; `Values` takes the rest
        rhs: Value
        order: str                  # everything else is an attribute

        @staticmethod
        def infer(ctx, lhs, rhs, *, order): …    # operand types -> result type(s)

        @staticmethod
        def evaluate(ctx, lhs, rhs, *, order): … # numpy arrays -> result(s)

`evaluate` is a function of numpy arrays, `each(np.exp)` for short; `ctx` is what it may
ask of the interpreter. Types are computed by `infer` alone: the builder
calls it, and the verifier compares. An op whose result types are free (a cast, an
allocation, a call) has `check(ctx, operands, results, **attributes)` instead, and its
user gives the builder the types. Nothing registers itself: `tensorc.ir.ops.OPS` is the
list.

Every class declares the levels where it may stand, by `levels=` or as an attribute of
its family, `levels = AT_TENSOR`; `@op` refuses a class without. One with regions says
in `blocks` what each must hold; what no rule of types can say, `verify` checks:

    @op("tc.grad", traits=(PURE,), levels=AT_TENSOR)
    class Grad(Op):
        wrt: Values
        body: Region

        def blocks(self):                        # one per region
            return (Body(Yield, value_types(self.operands), (scalar,)),)

The verifier knows ops by these alone.
"""

import inspect
import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, TypeVar, get_origin

import numpy as np

from tensorc.errors import UNKNOWN, Location
from tensorc.floats import as_single, bfloat16, is_bfloat16
from tensorc.ir.attributes import Attribute
from tensorc.ir.core import Op, Region, Value
from tensorc.ir.dims import Constraints, Dim
from tensorc.ir.levels import Level
from tensorc.ir.numerics import Array
from tensorc.ir.types import I1, Element, MemRefType, TensorType, Type

Values = list[Value]

PURE = "pure"  # no effect: may be removed, repeated and merged
COMMUTATIVE = "commutative"  # the first two operands may be swapped
ELEMENTWISE = "elementwise"  # acts on each element alone; `scalar` names its kernel
EXACT = "exact"  # evaluate gives the same bits as compiled code
TERMINATOR = "terminator"  # ends its block
ISOLATED = "isolated"  # its regions see nothing from outside
STEPWISE = "stepwise"  # rounds after each of its steps, in the operand's type
MEMBER = "member"  # stands in a kernel, which computes what its generics compute

T = TypeVar("T", bound=type[Op])


class ConstraintError(Exception):
    """A type rule does not hold: the label (C1…) and both values."""

    def __init__(self, label: str, detail: str) -> None:
        super().__init__(detail)
        self.label = label
        self.detail = detail


def require(condition: bool, label: str, detail: str, *values: object) -> None:
    """Raise `ConstraintError` unless the condition holds.

    `detail` is a format of the values: nothing is spelled that nobody reads.
    """
    if not condition:
        raise ConstraintError(label, detail.format(*values) if values else detail)


def memory(type_: Type, label: str = "C1") -> MemRefType:
    """Require a memory type and return it."""
    require(isinstance(type_, MemRefType), label, "{}", type_)
    assert isinstance(type_, MemRefType)
    return type_


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
        require(self.unify(left, right), label, "{}{} and {}", prefix, left, right)

    def require_same_shape(self, left: Type, right: Type, label: str) -> None:
        """Raise `ConstraintError` if two tensor types can never have one shape."""
        assert isinstance(left, TensorType)
        assert isinstance(right, TensorType)
        same = len(left.shape) == len(right.shape) and all(
            map(self.unify, left.shape, right.shape)
        )
        require(same, label, "{} and {}", left, right)


def op(
    name: str,
    *,
    traits: Sequence[str] = (),
    levels: Set[Level] = frozenset(),
    scalar: type[Op] | tuple[type[Op], ...] = (),
    made_of: Callable[..., object] | None = None,
) -> Callable[[T], T]:
    """Return a decorator that completes the declaration of an op class.

    `levels` is where the op may stand; without them, those of its family hold.
    `scalar` is the scalar op that an elementwise op applies, or several: for floats,
    for signed and for unsigned integers, and for i1 if that is allowed. All of them
    have one meaning, which is that of the op. One that is several ops is `made_of`
    them: a function of `b` and the operands, `lambda b, x: b(Mul, x, b(Abs, x))`. A
    number in it is a constant of the other operand's type.

    Raises:
        TypeError: neither the class nor its family has levels.
    """
    scalars = scalar if isinstance(scalar, tuple) else (scalar,)

    def complete(cls: T) -> T:
        _declare(cls)
        cls.name = name
        cls.traits = frozenset(traits)
        cls.levels = frozenset(levels) or cls.levels
        if not cls.levels:
            raise TypeError(f"{name}: @op needs levels=, where the op may stand")
        if scalars:
            cls.scalars = scalars
            cls.evaluate = staticmethod(scalars[0].evaluate)
        elif made_of is not None:
            cls.made_of = made_of
            cls.evaluate = staticmethod(partial(_evaluate_parts, made_of))
        return cls

    return complete


def _declare(cls: type[Op]) -> None:
    """Make the annotations of a class, behind those of its family, what an op has.

    They are read as they stand: `typing.get_type_hints` takes milliseconds a class,
    and every start of the compiler would pay for it.
    """
    if "operand_names" in cls.__dict__:
        return
    for base in cls.__bases__:
        _declare(base)
    own: dict[str, object] = inspect.get_annotations(cls)
    if not own:
        return
    operands, attributes = list(cls.operand_names), list(cls.attribute_names)
    regions = list(cls.region_names)
    for key, hint in own.items():
        if isinstance(hint, str):
            raise TypeError(f"{cls.__name__}.{key}: write its type without quotes")
        if hint in (Value, Values):
            setattr(cls, key, _operand(len(operands), hint == Values))
            cls.variadic = cls.variadic or hint == Values
            operands.append(key)
        elif hint is Region:
            setattr(cls, key, _region(len(regions)))
            regions.append(key)
        elif get_origin(hint) is not ClassVar:
            setattr(cls, key, _attribute(key))
            attributes.append(key)
    cls.operand_names = tuple(operands)
    cls.attribute_names = tuple(attributes)
    cls.region_names = tuple(regions)


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


def each(function: Callable[..., Array]) -> "staticmethod[..., Array]":
    """Return the `evaluate` of an op that is a function of numpy arrays."""
    return staticmethod(lambda ctx, *operands: function(*operands))


def _evaluate_parts(
    made_of: Callable[..., object], ctx: object, *operands: Array
) -> object:
    """Evaluate what is made of other ops, with their meanings."""

    def apply(cls: type[Op], *values: Array | float, **attributes: Attribute) -> object:
        dtype = next(v.dtype for v in values if isinstance(v, np.ndarray | np.generic))
        arrays = [np.asarray(v, dtype) if isinstance(v, float) else v for v in values]
        given = np.asarray(cls.evaluate(ctx, *map(as_single, arrays), **attributes))
        narrows = any(is_bfloat16(v.dtype) for v in arrays)
        return (
            given.astype(bfloat16()) if narrows and given.dtype == np.float32 else given
        )

    return made_of(apply, *operands)


def scalar_of(cls: type[Op], element: Element) -> type[Op]:
    """Return the scalar op that an elementwise op declares for an element type.

    Raises:
        TypeError: it has none for this type.
    """
    if len(cls.scalars) == 1:
        return cls.scalars[0]
    kind = 0 if element.is_float else 3 if element == I1 else 1 + element.is_unsigned
    if kind >= len(cls.scalars):
        raise TypeError(f"{cls.name} has no scalar op for {element}")
    return cls.scalars[kind]


_HEADINGS = r"(?m)^(Constraints|Example):\n"


def constraint_words(cls: type[Op]) -> dict[str, str]:
    """Return the words of each constraint by its label: {"C1": "axes is ascending"}."""
    found: dict[str, str] = {}
    for line in _section(cls, "Constraints").splitlines():
        label = re.match(r"\((C\d+)\) ", line)
        if label:
            found[label[1]] = line.removeprefix(label[0])
        else:
            found[list(found)[-1]] += f" {line.strip()}"
    return {label: words.removesuffix(".") for label, words in found.items()}


def example_of(cls: type[Op]) -> str:
    """Return the example of an op, as text that parses."""
    return _section(cls, "Example")


def formula_of(cls: type[Op]) -> str:
    """Return what an op is: its docstring without constraints and example."""
    return re.split(_HEADINGS, inspect.cleandoc(cls.__doc__ or ""))[0].rstrip()


def _section(cls: type[Op], heading: str) -> str:
    """Return the text below a heading, of the class or of the family it is in."""
    for base in cls.__mro__:
        text = inspect.cleandoc(base.__dict__["__doc__"] or "")
        _, *parts = re.split(_HEADINGS, text)
        sections = dict(zip(parts[::2], parts[1::2], strict=True))
        if heading in sections:
            return inspect.cleandoc(_filled(cls, sections[heading])).rstrip()
    return ""


def _filled(cls: type[Op], text: str) -> str:
    """Return a text with `$word` replaced by that attribute of the class."""
    return re.sub(r"\$(\w+)", lambda m: _filled(cls, getattr(cls, m[1])), text)
