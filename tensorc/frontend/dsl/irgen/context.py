"""What the IR generator knows while it walks: the file, the entry, the function.

A `Unit` is a file, an `Entry` one function of the IR being built, a `Frame` one call of
a source function inside it (calls are inlined). Expressions and statements are
evaluated through tables that the unit holds, so that their modules need not import
each other.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tensorc.errors import CompileError, Diagnostic, Label, Location
from tensorc.frontend.dsl.irgen.errors import (
    DEPTH,
    NEVER_REACHED,
    NO_VALUE,
    NOT_KNOWN,
    NUMBER,
    SIZE_NAME,
    UNKNOWN_NAME,
    UPDATE_ORDER,
    error,
    is_fatal,
    joined,
    not_compiled,
    suggestion,
)
from tensorc.frontend.dsl.irgen.liveness import ReadAfter, read_after, returns_of
from tensorc.frontend.dsl.irgen.values import (
    Binding,
    Broken,
    FunctionValue,
    GroupValue,
    Known,
    MemoryRef,
    NothingValue,
    NotYet,
    Scope,
    TupleValue,
    Unusable,
    describe,
)
from tensorc.frontend.dsl.programs.program import MemoryDecl
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.library.elementwise import elementwise
from tensorc.frontend.library.operands import (
    Emitter,
    Literal,
    Operand,
    Scalar,
    Shape,
    TensorOperand,
    cast,
)
from tensorc.frontend.library.sizes import NoDimError, dim_of, why
from tensorc.ir.attributes import Attribute, Dense, make_dict
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.dims import VALUE, Dim, Poly, as_symbol, is_value, symbol
from tensorc.ir.functions import Parameter
from tensorc.ir.ops.builtin import Function
from tensorc.ir.ops.tensor.shape import Size
from tensorc.ir.types import F32, F64, I64, Element, TensorType

MAX_CALL_DEPTH = 64
MAX_CALLS = 20_000
MAX_OPS = 400_000
MAX_MISTAKES = 100  # of one function, in all calls: nobody reads more

Evaluate: TypeAlias = "Callable[[Frame, ast.Expression], Known]"


@dataclass(eq=False)
class Unit:
    """A file: its scope, what it declares, and the tables that walk it."""

    path: str
    scope: Scope
    expressions: Mapping[type, "Callable[[Frame, ast.Node], Known]"]
    statements: Mapping[type, "Callable[[Frame, ast.Node], Known | None]"]
    memories: dict[str, MemoryDecl] = field(default_factory=dict)
    hypers: dict[str, Scalar] = field(default_factory=dict)
    entries: dict[str, FunctionValue] = field(default_factory=dict)
    warnings: list[Diagnostic] = field(default_factory=list)
    default_float: Element = F32
    reads: dict[int, ReadAfter] = field(default_factory=dict)  # by a function's id

    def warn(self, diagnostic: Diagnostic) -> None:
        """Keep a warning; functions are emitted more than once, it is kept once."""
        if diagnostic not in self.warnings:
            self.warnings.append(diagnostic)


@dataclass(frozen=True, slots=True)
class Updated:
    """The new value of a memory, and where the step says so."""

    value: Value
    location: Location


def new_name(memory: MemoryDecl) -> str:
    """Return how messages name the new value of a memory: a local has no point."""
    return f"{memory.name.replace('.', '_')}1"


@dataclass(eq=False)
class FunctionDraft:
    """A function of the IR being built; its arguments grow with what it uses."""

    unit: Unit
    function: Function
    builder: Builder
    is_step: bool = False
    constant: bool = False
    inputs: dict[str, Value] = field(default_factory=dict)
    shared: dict[str, Value] = field(default_factory=dict)
    hypers: dict[str, Value] = field(default_factory=dict)
    updates: dict[str, Updated] = field(default_factory=dict)
    defaults: dict[str, Dense] = field(default_factory=dict)  # of inputs
    sizes: Counter[str] = field(default_factory=Counter)  # names in the signature
    calls: int = 0
    mistakes: int = 0
    unknowns: int = 0
    branches: int = 0
    around: list[Block] = field(default_factory=list)  # the blocks that a branch is in
    turns: list[Value] = field(default_factory=list)  # of the loops around
    sites: Counter[str] = field(default_factory=Counter)  # draws by their names
    emitter: Emitter = field(init=False)

    def __post_init__(self) -> None:
        self.emitter = Emitter(
            self.builder,
            self._hyper,
            self._size,
            elementwise,
            self.unit.default_float,
            self.unit.warn,
            spell=lambda value: str(value).lower(),
            written=self.sizes.__getitem__,
        )

    def ops(self) -> list[Op]:
        """Return the ops so far whose values can be used here, in order."""
        return [op for b in (*self.around, self.builder.block) for op in b.ops]

    def read(self, memory: MemoryDecl, location: Location) -> Value:
        """Return the old value of a memory; after its update that is an error."""
        if self.constant:
            message = f"`{memory.name}` is memory: a formula over it is not a constant"
            hint = "make it a function, which is computed at each call"
            raise error(NOT_KNOWN, message, location, hint)
        updated = self.updates.get(memory.name)
        if updated is not None:
            message = f"`{memory.name}` is read after its update"
            new = new_name(memory)
            hint = f"name the new value first: `{new} = ...`, then "
            hint += f"`{memory.name} <- {new}`"
            label = Label(updated.location, "updated here")
            raise error(UPDATE_ORDER, message, location, hint, labels=[label])
        return self.argument_of(memory)

    def argument_of(self, memory: MemoryDecl) -> Value:
        """Return the argument that holds a memory."""
        if memory.name not in self.shared:
            self.shared[memory.name] = self._add(memory.type, memory.name)
        return self.shared[memory.name]

    def _hyper(self, name: str) -> Value:
        if name not in self.hypers:
            kind = self.unit.hypers[name].kind
            type_ = TensorType((), F64 if kind == "float" else I64)
            self.hypers[name] = self._add(type_, name)
        return self.hypers[name]

    def _add(self, type_: TensorType, name: str) -> Value:
        return self.function.regions[0].block.add_argument(type_, name)

    def _size(self, name: str) -> Value:
        """Return the size that a symbol stands for, read off an argument."""
        if is_value(name):
            return cast(self.emitter, self.inputs[name.removeprefix(VALUE)], I64)
        for value in (*self.inputs.values(), *self.shared.values()):
            assert isinstance(value.type, TensorType)
            shape = self.emitter.resolve(value.type.shape)
            for axis, dim in enumerate(shape):
                if as_symbol(dim) == name:
                    return self.builder.value(Size, value, axis=axis)
        message = f"the size `{name}` stands alone in no argument's type"
        raise error(SIZE_NAME, message, self.builder.location)

    def given(self, value: Value) -> Dim | None:
        """Return what an argument is in dimensions: an integer's value, a hyper's."""
        for name, argument in self.inputs.items():
            type_ = argument.type
            assert isinstance(type_, TensorType)
            if argument is value and not type_.shape and type_.element.is_integer:
                return symbol(f"{VALUE}{name}")
        for name, argument in self.hypers.items():
            number = self.unit.hypers[name].number
            if argument is value and isinstance(number, int):
                return int(number)
        return None

    def arrange(self) -> list[Parameter]:
        """Order the arguments: memory as declared, inputs, hypers as declared."""
        groups = (
            ("shared", self.shared, list(self.unit.memories)),
            ("input", self.inputs, list(self.inputs)),
            ("hyper", self.hypers, list(self.unit.hypers)),
        )
        block = self.function.regions[0].block
        block.arguments.clear()
        parameters = []
        for kind, values, order in groups:
            for name in order:
                if name not in values:
                    continue
                value = values[name]
                value.index = len(block.arguments)
                block.arguments.append(value)
                said: dict[str, Attribute] = {"tc.name": name, "tc.kind": kind}
                if kind == "input" and name in self.defaults:
                    said["tc.default"] = self.defaults[name]
                attributes = make_dict(**said)
                parameters.append(Parameter(value.type, name, attributes))
        return parameters


@dataclass(eq=False)
class Frame:
    """One call of a source function: its names, and whether it trains."""

    entry: FunctionDraft
    scope: Scope
    training: bool
    function: ast.Function | ast.Step | None = None
    caller: "Frame | None" = None
    depth: int = 0
    any_dims: Shape | None = None
    returned: Location | None = None
    # The statements that are being run, outermost first, and where each list goes on.
    rest: "list[tuple[Sequence[ast.Statement], int]]" = field(default_factory=list)

    @property
    def unit(self) -> Unit:
        """The file."""
        return self.entry.unit

    @property
    def emitter(self) -> Emitter:
        """Where ops go."""
        return self.entry.emitter

    def evaluate(self, node: "ast.Expression") -> Known:
        """Return the value of an expression; its ops get the expression's place."""
        builder = self.entry.builder
        before, builder.location = builder.location, node.location
        result = self.unit.expressions[type(node)](self, node)
        builder.location = before
        return result

    def execute(self, statements: "Sequence[ast.Statement]") -> Known | None:
        """Run statements; return what a `return` gives, or None.

        After a mistake the names of its statement stand for nothing, and the rest is
        looked at as well: all mistakes are raised together.
        """
        table, constraints = self.unit.statements, self.entry.builder.constraints
        wrong: list[CompileError] = []
        result: Known | None = None
        for i, statement in enumerate(statements, 1):
            self.entry.builder.location = statement.location
            bindings, guards = dict(constraints.bindings), len(constraints.guards)
            self.rest.append((statements, i))
            try:
                result = table[type(statement)](self, statement)
            except CompileError as failure:
                if is_fatal(failure):
                    raise
                wrong.append(failure)
                self.entry.mistakes += 1
                if self.entry.mistakes > MAX_MISTAKES:
                    break
                # What it took two sizes for is no reason for further messages.
                constraints.bindings = bindings
                del constraints.guards[guards:]
                for name in _named_by(statement, self.scope):
                    self.scope.bind(name, Broken(), statement.location)
            finally:
                self.rest.pop()
            if result is not None:
                wrong += _never_reached(statement, statements[i:])
                break
        if wrong:
            raise joined(wrong)
        return result

    def operand(self, node: "ast.Expression") -> Operand:
        """Return the value of an expression that must be a number or tensor."""
        return self.as_operand(self.evaluate(node), node)

    def as_operand(self, value: Known, node: ast.Node) -> Operand:
        """Return a value as a number or tensor: memory is read."""
        if isinstance(value, TensorOperand | Scalar | Literal):
            return value
        if isinstance(value, MemoryRef):
            return TensorOperand(self.entry.read(value.memory, node.location))
        if isinstance(value, NothingValue):
            message = f"`{value.name}` returns nothing, a value is needed here"
            raise error(NO_VALUE, message, node.location)
        if isinstance(value, GroupValue):
            raise not_compiled("a group as a value", node.location, value.way())
        message = f"a number or tensor is needed here, this is {describe(value)}"
        hint = "name the parts of a tuple, `a, b = …`, or take one of them: `…[0]`"
        hints = [hint] if isinstance(value, TupleValue) else []
        raise error(NO_VALUE, message, node.location, *hints)

    def find(self, node: ast.Node) -> Binding | None:
        """Return what a name, or the name of a member of a group, stands for."""
        if isinstance(node, ast.Name):
            return self.scope.find(node.name)
        if not isinstance(node, ast.Field):
            return None
        found = self.find(node.operand)
        if found is None or not isinstance(found.value, GroupValue):
            return None
        return found.value.members.names.get(node.name)

    def member(self, group: GroupValue, name: str, location: Location) -> Known:
        """Return a member of a group; errors stand at `location`."""
        found = group.members.names.get(name)
        if found is not None:
            return self.use(found.value, location)
        message = f"the group `{group.name}` has no `{name}`"
        hints = suggestion(name, group.members.names) or (group.way(),)
        raise error(UNKNOWN_NAME, message, location, *hints)

    def size(self, node: "ast.Expression", what: str) -> Dim:
        """Return the value of an expression that must be a size: known, an integer."""
        value = self.evaluate(node)
        return self.as_size(value, node, what)

    def as_size(self, value: Known, node: ast.Node, what: str) -> Dim:
        """Return a value as a size; errors say `what` it is for."""
        if isinstance(value, MemoryRef) and not value.memory.type.shape:
            value = TensorOperand(self.entry.read(value.memory, node.location))
        if isinstance(value, TensorOperand) and not value.type.shape:
            return self._computed_size(value, node, what)
        if isinstance(value, TensorOperand | MemoryRef | Literal):
            message = f"{what} must be known while compiling, this is {describe(value)}"
            raise error(NOT_KNOWN, message, node.location)
        if isinstance(value, Scalar):
            known = value.number
            if isinstance(known, Poly):
                return self.entry.builder.constraints.resolve(known)
            if isinstance(known, int) and known.bit_length() > 62:
                message = f"{what} is too large: {known}"
                raise error(NUMBER, message, node.location)
            if isinstance(known, int) and not isinstance(known, bool):
                return known
            if known is None:
                message = f"{what} must be known while compiling"
                raise error(NOT_KNOWN, message, node.location)
        if isinstance(value, Scalar) and isinstance(value.source, str):
            raise self._fractional_hyper(value, value.source, node, what)
        message = f"{what} must be an integer, this is {describe(value)}"
        hint = ("for sizes write `//`",) if isinstance(value, Scalar) else ()
        raise error(NO_VALUE, message, node.location, *hint)

    def _fractional_hyper(
        self, value: Scalar, name: str, node: ast.Node, what: str
    ) -> CompileError:
        """Return the error that a hyper is no integer: at the hyper, for all uses."""
        found = self.scope.find(name)
        location = node.location if found is None else found.location
        message = f"{what} is an integer, the hyper `{name}` is {value.number}"
        known = value.number
        whole = isinstance(known, float) and known.is_integer()
        hint = f"write `hyper {name} = {int(known)}`" if whole else "give it an integer"  # type: ignore[arg-type]
        label = Label(node.location, f"{what} here")
        return error(NO_VALUE, message, location, hint, labels=[label])

    def _computed_size(self, value: TensorOperand, node: ast.Node, what: str) -> Dim:
        """Return the size that an integer scalar is, computed from arguments."""
        resolve = self.entry.builder.constraints.resolve
        try:
            return resolve(dim_of(value.value, self.entry.given))
        except NoDimError as failure:
            shared = self.entry.shared.items()
            names = [name for name, v in shared if v is failure.value]
            text, hint = why(failure, names[0] if names else "")
            message = f"{what} must be made of integers, sizes and integer arguments: "
            raise error(NOT_KNOWN, message + text, node.location, hint) from None

    def use(self, value: Known, location: Location) -> Known:
        """Return the value of a name, unless it is of the kinds that only report."""
        if isinstance(value, Broken):
            raise CompileError
        if isinstance(value, NotYet):
            raise not_compiled(value.what, location)
        if isinstance(value, Unusable):
            labels = value.labels
            raise error(
                value.code, value.message, location, *value.hints, labels=labels
            )
        return value

    def is_running(self, node: ast.Node) -> bool:
        """Tell whether a function is being called already: it would be recursive."""
        frame: Frame | None = self
        while frame is not None:
            if frame.function is node:
                return True
            frame = frame.caller
        return False

    def read_after(self, node: ast.If | ast.For) -> frozenset[str]:
        """Return the names that the function reads behind an `if` or a loop of its own.

        Of a loop, those that its next turn reads are among them.
        """
        assert self.function is not None
        found = self.unit.reads.get(id(self.function))
        if found is None:
            found = self.unit.reads[id(self.function)] = read_after(self.function)
        return found[id(node)]

    def enter(self, function: FunctionValue, training: bool, at: Location) -> "Frame":
        """Return the frame of a call; refuse recursion and runaway programs."""
        entry = self.entry
        if self.is_running(function.node):
            message = f"`{function.name}` calls itself: there is no recursion"
            label = Label(function.node.location, "this function")
            hint = "write its steps one by one: the number of calls must be known"
            raise error(DEPTH, message, at, hint, labels=[label])
        entry.calls += 1
        too_big = len(entry.builder.block.ops) > MAX_OPS
        if self.depth >= MAX_CALL_DEPTH or entry.calls > MAX_CALLS or too_big:
            message = "the calls in this function are nested too deep or too many"
            raise error(DEPTH, message, at)
        return Frame(
            entry,
            Scope(function.scope),
            training,
            function.node,
            self,
            self.depth + 1,
        )


def _named_by(statement: ast.Statement, scope: Scope) -> list[str]:
    """Return the names, of values and of new sizes, that a statement would bind."""
    match statement:
        case ast.Bind(targets) | ast.Collect(targets):
            return [t.name for t in targets if isinstance(t, ast.Name)]
        case ast.Declare(name, type_):
            dims = type_.dims if isinstance(type_, ast.TensorType) else ()
            sizes = [d.name for d in dims if isinstance(d, ast.Name)]
            new = [s for s in sizes if s[0].isupper() and scope.find(s) is None]
            return [name, *new]
        case ast.Sample(name) | ast.Function(name):
            return [name] if name else []
        case ast.If(_, then, otherwise):
            return [n for s in (*then, *otherwise) for n in _named_by(s, scope)]
        case ast.For(_, _, _, body) | ast.While(_, body):
            return [n for s in body for n in _named_by(s, scope)]
    return []


def _never_reached(
    statement: "ast.Statement", rest: "Sequence[ast.Statement]"
) -> list[CompileError]:
    """Return the mistake that statements stand behind one that always returns."""
    returns = returns_of(statement) if rest else []
    if not returns:
        return []
    message = "this is never reached: the function has returned before"
    labels = [Label(at, "returns here") for at in dict.fromkeys(returns)]
    hint = "drop it, or put it in front of the `return`"
    return [error(NEVER_REACHED, message, rest[0].location, hint, labels=labels)]


def operand_label(frame: Frame, node: ast.Node, value: Known) -> Label:
    """Return a label that says what an operand is, and where it was declared."""
    text = describe(resolved(frame, value))
    found = frame.find(node)
    if found is not None and found.location.line:
        text += f", declared at {found.location.file}:{found.location.line}"
    return Label(node.location, text)


def resolved(frame: Frame, value: Known) -> Known:
    """Return a tensor whose type has all that is known put in, for messages."""
    if isinstance(value, TensorOperand):
        shape = frame.emitter.shape(value)
        value.value.type = type(value.type)(shape, value.type.element)
    return value
