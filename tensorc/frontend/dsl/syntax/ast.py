"""The syntax tree of a `.tc` file: one class of frozen nodes for each construct.

Every node knows where it is (`location`, keyword-only, so that `match` patterns see
the other fields alone). Nothing is resolved here: names are strings, `params` and
`training` are ordinary names, types are as written. Brackets leave no node. The parser
warrants that no tree is nested deeper than its limit, so recursion over it is safe.
"""

from dataclasses import field
from typing import NoReturn, TypeAlias, dataclass_transform

from tensorc.errors import Location


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class _NodeClass(type):
    """Makes a class of nodes of its annotations, as a frozen dataclass with slots is.

    It compiles no text for that: fifty dataclasses are a tenth of what `check` loads.
    """

    __match_args__: tuple[str, ...] = ()  # the fields that are given in order
    keywords: tuple[str, ...] = ()  # and those by name

    def __new__(
        cls, name: str, bases: tuple["_NodeClass", ...], names: dict[str, object]
    ) -> "_NodeClass":
        own = names.get("__annotations__", {})
        assert isinstance(own, dict)
        keywords = [n for n in own if names.pop(n, None) is not None]
        ordered = [n for n in own if n not in keywords]
        for base in bases:
            keywords = [*base.keywords, *keywords]
            ordered = [*base.__match_args__, *ordered]
        names |= {"__slots__": tuple(own), "__match_args__": tuple(ordered)}
        names["keywords"] = tuple(keywords)
        return super().__new__(cls, name, bases, names)


class Node(metaclass=_NodeClass):
    """Anything with a location in the source; equal to one with equal fields."""

    location: Location = field(kw_only=True, repr=False)

    def __init__(self, *values: object, **named: object) -> None:
        cls = type(self)
        if len(values) != len(cls.__match_args__) or {*named} != {*cls.keywords}:
            fields = ", ".join((*cls.__match_args__, *cls.keywords))
            raise TypeError(f"{cls.__name__} takes {fields}")
        for name, value in zip(cls.__match_args__, values, strict=True):
            object.__setattr__(self, name, value)
        for name, value in named.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _content(self) == _content(other)

    def __hash__(self) -> int:
        return hash(_content(self))

    def __repr__(self) -> str:
        names = type(self).__match_args__
        shown = ", ".join(f"{n}={getattr(self, n)!r}" for n in names)
        return f"{type(self).__name__}({shown})"


def _content(node: object) -> tuple[object, ...]:
    assert isinstance(node, Node)
    cls = type(node)
    return tuple([getattr(node, n) for n in (*cls.__match_args__, *cls.keywords)])


# Expressions


class Name(Node):
    """A name: `x`, `params`, `training`, `_`."""

    name: str


class Number(Node):
    """A number without sign or type; `text` is its spelling: `1e-3`, `5_000`.

    It is an int exactly if the spelling has neither a point nor an exponent.
    """

    value: int | float
    text: str


class String(Node):
    """A text; `value` is what stands between the quotes."""

    value: str


class Constant(Node):
    """`true`, `false` or `none`."""

    value: bool | None


class Cast(Node):
    """A dtype as an expression, the callee of `f32(x)`."""

    dtype: str


class Negative(Node):
    """`-x`."""

    operand: "Expression"


class Not(Node):
    """`not x`."""

    operand: "Expression"


class Binary(Node):
    """`lhs op rhs` with op one of `+ - * / // % @ **`; `op_location` is the sign's."""

    op: str
    lhs: "Expression"
    rhs: "Expression"
    op_location: Location = field(kw_only=True, repr=False)


class Compare(Node):
    """A chain `0 <= i < n`: one more operand than ops, of `== != < <= > >=`."""

    operands: tuple["Expression", ...]
    ops: tuple[str, ...]


class Logical(Node):
    """`a and b and c`: op is `and` or `or`, operands are two or more."""

    op: str
    operands: tuple["Expression", ...]


class Field(Node):
    """`operand.name`."""

    operand: "Expression"
    name: str


class Argument(Node):
    """One argument of a call, `value` or `name=value`; positional ones come first."""

    name: str | None
    value: "Expression"


class Call(Node):
    """`callee(arguments)`."""

    callee: "Expression"
    arguments: tuple[Argument, ...]


class Slice(Node):
    """`start:stop:step` as an index; a part left out is None."""

    start: "Expression | None"
    stop: "Expression | None"
    step: "Expression | None"


class AnyDims(Node):
    """`...` as an index or as a dimension of a type."""


class Item(Node):
    """`operand[indices]`."""

    operand: "Expression"
    indices: tuple["Index", ...]


class Tuple(Node):
    """`(a, b)` or `(a,)`: never empty."""

    elements: tuple["Expression", ...]


class List(Node):
    """`[a, b]`, possibly empty."""

    elements: tuple["Expression", ...]


class Each(Node):
    """`[element for names in values]`."""

    element: "Expression"
    names: tuple[Name, ...]
    values: tuple["Expression", ...]


Expression: TypeAlias = (
    Name
    | Number
    | String
    | Constant
    | Cast
    | Negative
    | Not
    | Binary
    | Compare
    | Logical
    | Field
    | Call
    | Item
    | Tuple
    | List
    | Each
)
Index: TypeAlias = Expression | Slice | AnyDims
Dim: TypeAlias = Expression | AnyDims


# Types


class TensorType(Node):
    """`float[B, 2 * n, ...]`; without brackets `dims` is empty: a scalar."""

    dtype: str
    dims: tuple[Dim, ...]


class LikeType(Node):
    """`like a.b`: the type, or the group's structure, of what the path names."""

    path: tuple[str, ...]


Type: TypeAlias = TensorType | LikeType


class Formal(Node):
    """A parameter of a function, step or module."""

    name: str
    type: Type | None
    default: Expression | None


class ResultField(Node):
    """One result of a function, with a name if `-> (cost: float)` gives it one."""

    name: str | None
    type: Type


class Result(Node):
    """What stands behind `->`: `fields` has one field or, in brackets, several."""

    fields: tuple[ResultField, ...]


# Statements


class Value(Node):
    """A first value: `= expression`."""

    value: Expression


class Draw(Node):
    """A drawn first value: `~ distribution`."""

    distribution: Expression


Initial: TypeAlias = Value | Draw
Target: TypeAlias = Name | Field | Item


class Bind(Node):
    """`targets = values`: as many values as targets, or one with several results."""

    targets: tuple[Target, ...]
    values: tuple[Expression, ...]


class Collect(Node):
    """`targets = for … { … yield … }`."""

    targets: tuple[Target, ...]
    loop: "For | While"


class Declare(Node):
    """`name: type = value` or `name: type ~ distribution`."""

    name: str
    type: Type
    initial: Initial


class Sample(Node):
    """`name ~ distribution`."""

    name: str
    distribution: Expression


class Update(Node):
    """`targets <- values`."""

    targets: tuple[Target, ...]
    values: tuple[Expression, ...]


class Perform(Node):
    """A call for its updates alone: `counter.reset()`."""

    call: Call


class Return(Node):
    """`return values`."""

    values: tuple[Expression, ...]


class Yield(Node):
    """`yield values`."""

    values: tuple[Expression, ...]


class For(Node):
    """`for names in values [until expression] { body }`."""

    names: tuple[Name, ...]
    values: tuple[Expression, ...]
    until: Expression | None
    body: tuple["Statement", ...]


class While(Node):
    """`while condition { body }`."""

    condition: Expression
    body: tuple["Statement", ...]


class If(Node):
    """`if condition { then } else { otherwise }`; `else if` is one If in it."""

    condition: Expression
    then: tuple["Statement", ...]
    otherwise: tuple["Statement", ...]


class Assertion(Node):
    """`assert condition, "message"`; in a body, a module or a file."""

    condition: Expression
    message: str | None


class Function(Node):
    """`fn name(formals) -> result { body }`; a module's call has no name.

    The body `= e` is kept as one `Return`, whose location is e's.
    """

    name: str | None
    formals: tuple[Formal, ...]
    result: Result | None
    body: tuple["Statement", ...]
    doc: str


Statement: TypeAlias = (
    Bind
    | Collect
    | Declare
    | Sample
    | Update
    | Perform
    | Return
    | Yield
    | For
    | While
    | If
    | Assertion
    | Function
)


# Declarations


class Use(Node):
    """`use nn: Dense, dropout`; without names the module itself is named."""

    path: tuple[str, ...]
    names: tuple[Name, ...]


class Hyper(Node):
    """One setting of `hyper lr = 0.1, n = 500`."""

    name: str
    type: Type | None
    default: Expression
    doc: str


class Const(Node):
    """`name = value` at file or module level: known at compile time."""

    name: str
    value: Expression
    doc: str


class Memory(Node):
    """`param W: type = value` or `state t: type = value`; kind is that keyword.

    The name may have parts: `conv1.W` is the member `W` of the group `conv1`.
    """

    kind: str
    name: str
    type: Type
    initial: Initial
    doc: str


class Module(Node):
    """`module Dense(n_in, n_out) { … }`."""

    name: str
    formals: tuple[Formal, ...]
    items: tuple["ModuleItem", ...]
    doc: str


class Step(Node):
    """`step train(formals) -> result { body }`: the only place where memory changes."""

    name: str
    formals: tuple[Formal, ...]
    result: Result | None
    body: tuple[Statement, ...]
    doc: str


class Option(Node):
    """`batch = 600` in a recipe."""

    name: str
    value: Expression


class Recipe(Node):
    """`fit { … }` or `run name { … }`; kind is that keyword."""

    kind: str
    name: str | None
    options: tuple[Option, ...]
    doc: str


ModuleItem: TypeAlias = Const | Memory | Function | Assertion
FileItem: TypeAlias = (
    Use | Hyper | Const | Memory | Module | Function | Step | Recipe | Assertion
)


class File(Node):
    """A whole file: its declarations in source order; `doc` is its first comment."""

    path: str
    items: tuple[FileItem, ...]
    doc: str
