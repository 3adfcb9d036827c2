"""The syntax tree of a `.tc` file: one frozen dataclass for each construct.

Every node knows its place (`location`, keyword-only, so that `match` patterns see the
other fields alone). Nothing is resolved here: names are strings, `params` and
`training` are ordinary names, types are as written. Brackets leave no node. The parser
warrants that no tree is nested deeper than its limit, so recursion over it is safe.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from tensorc.errors import Location


@dataclass(frozen=True, slots=True)
class Node:
    """Anything with a place in the source."""

    location: Location = field(kw_only=True, repr=False)


# Expressions


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A name: `x`, `params`, `training`, `_`."""

    name: str


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A number without sign or type; `text` is its spelling: `1e-3`, `5_000`.

    It is an int exactly if the spelling has neither a point nor an exponent.
    """

    value: int | float
    text: str


@dataclass(frozen=True, slots=True)
class String(Node):
    """A text; `value` is what stands between the quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """`true`, `false` or `none`."""

    value: bool | None


@dataclass(frozen=True, slots=True)
class Cast(Node):
    """A dtype as an expression, the callee of `f32(x)`."""

    dtype: str


@dataclass(frozen=True, slots=True)
class Negative(Node):
    """`-x`."""

    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Not(Node):
    """`not x`."""

    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`lhs op rhs` with op one of `+ - * / // % @ **`; `op_location` is the sign's."""

    op: str
    lhs: "Expression"
    rhs: "Expression"
    op_location: Location = field(kw_only=True, repr=False)


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """A chain `0 <= i < n`: one more operand than ops, of `== != < <= > >=`."""

    operands: tuple["Expression", ...]
    ops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Logical(Node):
    """`a and b and c`: op is `and` or `or`, operands are two or more."""

    op: str
    operands: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Field(Node):
    """`operand.name`."""

    operand: "Expression"
    name: str


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """One argument of a call, `value` or `name=value`; positional ones come first."""

    name: str | None
    value: "Expression"


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`callee(arguments)`."""

    callee: "Expression"
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Slice(Node):
    """`start:stop:step` as an index; a part left out is None."""

    start: "Expression | None"
    stop: "Expression | None"
    step: "Expression | None"


@dataclass(frozen=True, slots=True)
class AnyDims(Node):
    """`...` as an index or as a dimension of a type."""


@dataclass(frozen=True, slots=True)
class Item(Node):
    """`operand[indices]`."""

    operand: "Expression"
    indices: tuple["Index", ...]


@dataclass(frozen=True, slots=True)
class Tuple(Node):
    """`(a, b)` or `(a,)`: never empty."""

    elements: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class List(Node):
    """`[a, b]`, possibly empty."""

    elements: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class TensorType(Node):
    """`float[B, 2 * n, ...]`; without brackets `dims` is empty: a scalar."""

    dtype: str
    dims: tuple[Dim, ...]


@dataclass(frozen=True, slots=True)
class LikeType(Node):
    """`like a.b`: the type, or the group's structure, of what the path names."""

    path: tuple[str, ...]


Type: TypeAlias = TensorType | LikeType


@dataclass(frozen=True, slots=True)
class Formal(Node):
    """A parameter of a function, step or module."""

    name: str
    type: Type | None
    default: Expression | None


@dataclass(frozen=True, slots=True)
class ResultField(Node):
    """One result of a function, with a name if `-> (cost: float)` gives it one."""

    name: str | None
    type: Type


@dataclass(frozen=True, slots=True)
class Result(Node):
    """What stands behind `->`: `fields` has one field or, in brackets, several."""

    fields: tuple[ResultField, ...]


# Statements


@dataclass(frozen=True, slots=True)
class Value(Node):
    """A first value: `= expression`."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Draw(Node):
    """A drawn first value: `~ distribution`."""

    distribution: Expression


Initial: TypeAlias = Value | Draw
Target: TypeAlias = Name | Field | Item


@dataclass(frozen=True, slots=True)
class Bind(Node):
    """`targets = values`: as many values as targets, or one with several results."""

    targets: tuple[Target, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Collect(Node):
    """`targets = for … { … yield … }`."""

    targets: tuple[Target, ...]
    loop: "For | While"


@dataclass(frozen=True, slots=True)
class Declare(Node):
    """`name: type = value` or `name: type ~ distribution`."""

    name: str
    type: Type
    initial: Initial


@dataclass(frozen=True, slots=True)
class Sample(Node):
    """`name ~ distribution`."""

    name: str
    distribution: Expression


@dataclass(frozen=True, slots=True)
class Update(Node):
    """`targets <- values`."""

    targets: tuple[Target, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Perform(Node):
    """A call for its updates alone: `counter.reset()`."""

    call: Call


@dataclass(frozen=True, slots=True)
class Return(Node):
    """`return values`."""

    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Yield(Node):
    """`yield values`."""

    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class For(Node):
    """`for names in values [until expression] { body }`."""

    names: tuple[Name, ...]
    values: tuple[Expression, ...]
    until: Expression | None
    body: tuple["Statement", ...]


@dataclass(frozen=True, slots=True)
class While(Node):
    """`while condition { body }`."""

    condition: Expression
    body: tuple["Statement", ...]


@dataclass(frozen=True, slots=True)
class If(Node):
    """`if condition { then } else { otherwise }`; `else if` is one If in it."""

    condition: Expression
    then: tuple["Statement", ...]
    otherwise: tuple["Statement", ...]


@dataclass(frozen=True, slots=True)
class Assertion(Node):
    """`assert condition, "message"`; in a body, a module or a file."""

    condition: Expression
    message: str | None


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Use(Node):
    """`use nn: Dense, dropout`; without names the module itself is named."""

    path: tuple[str, ...]
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Hyper(Node):
    """One setting of `hyper lr = 0.1, n = 500`."""

    name: str
    type: Type | None
    default: Expression
    doc: str


@dataclass(frozen=True, slots=True)
class Const(Node):
    """`name = value` at file or module level: known at compile time."""

    name: str
    value: Expression
    doc: str


@dataclass(frozen=True, slots=True)
class Memory(Node):
    """`param W: type = value` or `state t: type = value`; kind is that keyword."""

    kind: str
    name: str
    type: Type
    initial: Initial
    doc: str


@dataclass(frozen=True, slots=True)
class Module(Node):
    """`module Dense(n_in, n_out) { … }`."""

    name: str
    formals: tuple[Formal, ...]
    items: tuple["ModuleItem", ...]
    doc: str


@dataclass(frozen=True, slots=True)
class Step(Node):
    """`step train(formals) -> result { body }`: the only place where memory changes."""

    name: str
    formals: tuple[Formal, ...]
    result: Result | None
    body: tuple[Statement, ...]
    doc: str


@dataclass(frozen=True, slots=True)
class Option(Node):
    """`batch = 600` in a recipe."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class File(Node):
    """A whole file: its declarations in source order; `doc` is its first comment."""

    path: str
    items: tuple[FileItem, ...]
    doc: str
