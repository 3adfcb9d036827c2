"""Check that IR keeps its invariants; the type rules are the ops' own `infer`.

One pass in program order, with a stack instead of recursion:

1. Links (parents, owners of results) are consistent, and no op stands twice.
2. Operands are defined before, and do not come from outside an isolated region.
3. Operands, regions and attributes are those that the class declares.
4. `infer` gives the result types, or `check` accepts them, under the function's guards.
5. Regions have the arguments and the terminator that their op asks for.
6. Functions agree with their types; names are unique; calls resolve.
7. If a level is given, every op is legal there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from tensorc.errors import Diagnostic, VerifyError, nearest
from tensorc.ir.attributes import (
    AffineMap,
    ArrayAttr,
    Attribute,
    Dense,
    Dict,
    Dims,
    Typed,
)
from tensorc.ir.bodies import BODIES, value_types
from tensorc.ir.core import Block, Op, Region, Value
from tensorc.ir.dims import Constraints, is_value, symbols_of
from tensorc.ir.functions import constraints_of
from tensorc.ir.opdef import (
    ISOLATED,
    TERMINATOR,
    ConstraintError,
    InferContext,
    constraint_words,
    infer_types,
)
from tensorc.ir.ops.builtin import Function
from tensorc.ir.text.attribute_parser import limits
from tensorc.ir.text.schema import ABSENT, schema_of
from tensorc.ir.types import (
    Element,
    FunctionType,
    TensorType,
    Type,
)

_BOTH = frozenset(("builtin.", "func.", "linalg.", "arith.", "math.", "tc_math.")) | {
    "tc.group",
    "tc.if",
    "tc.yield",
    "tc.size",
}

# The ops of a level (design.md, section 5): a name, or a dialect with its point.
LEGAL: Mapping[str, frozenset[str]] = {
    "tensor": frozenset(("builtin.", "func.", "tc.")),
    "structured": _BOTH
    | {"tensor.", "tc.reshape", "tc.constant", "tc.scatter", "tc.check_index"},
    "buffer": _BOTH | {"memref.", "tc.view", "tc.scatter_into", "tc.check_index_into"},
    "loop": frozenset(
        (
            *("builtin.", "func.", "scf.", "memref.", "arith.", "math.", "vector."),
            *("tc_math.", "tc.gemm_tile", "tc.fail", "tc.launch"),
        )
    ),
}

# What a type rule may raise when it meets operands or attributes of a form that it
# never expected: the op is malformed, and the message says how the rule stumbled.
_STUMBLES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


def verify(module: Op, level: str | None = None) -> None:
    """Raise `VerifyError` for the first op that breaks an invariant.

    `level` ("tensor", "structured", "buffer", "loop") restricts which ops are legal.
    """
    verifier = _Verifier(None if level is None else LEGAL[level], module)
    verifier.run(module)


def is_legal(op: Op, legal: frozenset[str]) -> bool:
    """Return whether an op is one of those of a level: a row of `LEGAL`."""
    return op.name in legal or f"{op.name.partition('.')[0]}." in legal


def fail(op: Op, message: str) -> NoReturn:
    """Raise a `VerifyError` about an op."""
    raise VerifyError(Diagnostic("TC0250", f"{op.name}: {message}", op.location))


@dataclass(frozen=True, slots=True)
class _Enter:
    """Work to do: start a region."""

    op: Op
    region: Region


@dataclass(frozen=True, slots=True)
class _Leave:
    """Work to do: end a region, whose values are forgotten."""

    visible: set[Value] | None
    context: InferContext


@dataclass(frozen=True, slots=True)
class _Define:
    """Work to do: the results of an op, whose regions are done, can now be used."""

    op: Op


class _Verifier:
    """Walks the ops; knows what is visible and which symbols there are."""

    def __init__(self, legal: frozenset[str] | None, module: Op) -> None:
        self.legal = legal
        self.functions = _functions(module)
        self.seen: set[Op | Block | Region] = set()
        self.visible: set[Value] = set()
        self.hidden: list[set[Value]] = []
        self.local: list[list[Value]] = [[]]
        self.context = InferContext(Constraints(frozen=True))
        self.work: list[Op | Block | _Enter | _Leave | _Define] = []

    def run(self, top: Op) -> None:
        """Check an op and all that is in it."""
        self.work.append(top)
        while self.work:
            match self.work.pop():
                case Op() as op:
                    self.op(op)
                case Block() as block:
                    self.define(block.arguments)
                case _Enter(op, region):
                    self.enter(op, region)
                case _Leave() as leave:
                    self.leave(leave)
                case _Define(op):
                    self.define(op.results)

    def op(self, op: Op) -> None:
        """Check an op, and put its regions on the stack."""
        if self.legal is not None and not is_legal(op, self.legal):
            fail(op, "is not legal at this level")
        self.links(op)
        _check_counts(op)
        _check_attributes(op)
        self.operands(op)
        self.types(op)
        for region in op.regions:
            _check_region(op, region, self.same)
        check = _SPECIAL.get(op.name)
        if check is not None:
            check(op, self.functions)
        self.work.append(_Define(op))
        self.work.extend([_Enter(op, region) for region in reversed(op.regions)])

    def links(self, op: Op) -> None:
        """Check that an op and its parts know each other, and that it is met once."""
        self.once(op, op)
        _require_owner(op, "result", op.results, op)
        for region in op.regions:
            self.once(op, region)
            if region.parent is not op:
                fail(op, "a region has another parent")
            for block in region.blocks:
                self.once(op, block)
                if block.parent is not region:
                    fail(op, "a block has another parent")
                _require_owner(op, "argument", block.arguments, block)
                for inner in block.ops:
                    if inner.parent is not block:
                        fail(inner, f"its parent is not the block in {op.name}")

    def once(self, op: Op, part: Op | Block | Region) -> None:
        """Check that a part is met for the first time."""
        if part in self.seen:
            fail(op, f"{type(part).__name__.lower()} stands twice in the module")
        self.seen.add(part)

    def operands(self, op: Op) -> None:
        """Check that the operands are defined before the op."""
        for i, value in enumerate(op.operands):
            if value in self.visible:
                continue
            if any(value in outer for outer in self.hidden):
                fail(op, f"operand {i} comes from outside of an isolated region")
            fail(op, f"operand {i} is not defined before the op")

    def types(self, op: Op) -> None:
        """Check the result types by the rule of the class."""
        cls = type(op)
        operands = tuple([v.type for v in op.operands])
        results = tuple([r.type for r in op.results])
        _check_operand_types(op, operands)
        # `infer` knows the declared attributes only.
        declared = [n for n in cls.attribute_names if n in op.attributes]
        attributes = {n: op.attributes[n] for n in declared}
        check: Callable[..., None] | None = getattr(cls, "check", None)
        try:
            given = infer_types(cls, self.context, operands, attributes)
            if given is None and check is not None:
                check(self.context, operands, results, **attributes)
        except ConstraintError as error:
            words = constraint_words(cls).get(error.label, error.label)
            fail(op, f"needs {words}, got {error.detail} [{error.label}]")
        except _STUMBLES as error:
            fail(op, f"its type rule failed: {type(error).__name__}: {error}")
        if given is not None:
            _require_same(op, "result", results, given, self.same)
        for i, type_ in enumerate(results):
            if isinstance(type_, TensorType) and _has_negative(type_):
                fail(op, f"result {i} has a negative size: {type_}")

    def same(self, left: Type, right: Type) -> bool:
        """Return whether types are equal under the function's guards."""
        if left == right:
            return True
        if not (isinstance(left, TensorType) and isinstance(right, TensorType)):
            return False
        if left.element != right.element or left.rank != right.rank:
            return False
        pairs = zip(left.shape, right.shape, strict=True)
        return all(self.context.unify(a, b) for a, b in pairs)

    def enter(self, op: Op, region: Region) -> None:
        """Start a region: what is local to it, and what it may see."""
        isolated = ISOLATED in op.traits
        self.work.append(_Leave(self.visible if isolated else None, self.context))
        if isolated:
            self.hidden.append(self.visible)
            self.visible = set()
        if op.name == "func.func":
            self.context = InferContext(_constraints(op))
        self.local.append([])
        for block in reversed(region.blocks):
            self.work.extend(reversed(block.ops))
            self.work.append(block)

    def leave(self, leave: _Leave) -> None:
        """End a region."""
        self.visible.difference_update(self.local.pop())
        if leave.visible is not None:
            self.visible = self.hidden.pop()
        self.context = leave.context

    def define(self, values: Sequence[Value]) -> None:
        """Make values visible to the end of the region."""
        self.visible.update(values)
        self.local[-1].extend(values)


def _require_owner(
    op: Op, what: str, values: Sequence[Value], owner: Op | Block
) -> None:
    for i, value in enumerate(values):
        if value.owner is not owner or value.index != i:
            fail(op, f"{what} {i} belongs to another op or block")


def _has_negative(type_: TensorType) -> bool:
    return any(isinstance(d, int) and d < 0 for d in type_.shape)


Same = Callable[[Type, Type], bool]


def _require_same(
    op: Op, what: str, found: Sequence[Type], wanted: Sequence[Type], same: Same
) -> None:
    if len(found) != len(wanted):
        fail(op, f"{len(found)} {what}s instead of {len(wanted)}")
    for i, (left, right) in enumerate(zip(found, wanted, strict=True)):
        if not same(left, right):
            fail(op, f"{what} {i} is {left} instead of {right}")


# Counts and attributes


def _check_counts(op: Op) -> None:
    names, count = op.operand_names, len(op.operands)
    least = len(names) - 1 if op.variadic else len(names)
    if count < least or (count > least and not op.variadic):
        more = "at least " if op.variadic else ""
        fail(op, f"needs {more}{least} operands, got {count}")
    if len(op.regions) != len(op.region_names):
        fail(op, f"needs {len(op.region_names)} regions, got {len(op.regions)}")


def _check_operand_types(op: Op, operands: Sequence[Type]) -> None:
    """Check the classes of the operands' types by the annotations of `infer`."""
    schema = schema_of(type(op))
    for i, type_ in enumerate(operands):
        known = i < len(schema.operands)
        classes = schema.operands[i] if known else schema.rest
        if classes and not isinstance(type_, classes):
            names = " or ".join([c.__name__ for c in classes])
            fail(op, f"operand {i} must be a {names}, got {type_}")


def _check_attributes(op: Op) -> None:
    """Check the declared attributes by their annotations, and all by their values."""
    declared = schema_of(type(op)).attributes
    for name, types in declared.items():
        value = op.attributes.get(name)
        # bool is a subclass of int, but `true` is no number.
        if type(value) in types:
            continue
        if value is None and ABSENT not in types:
            strange = [n for n in op.attributes if n not in declared]
            near = nearest(name, strange)
            advice = f": is '{near[0]}' misspelt?" if near else ""
            fail(op, f"attribute '{name}' is missing{advice}")
        if value is not None:
            names = " or ".join([t.__name__ for t in types if t is not ABSENT])
            fail(op, f"attribute '{name}' must be {names}, got {value!r:.80}")
    for name, value in op.attributes.items():
        if name not in declared and "." not in name:
            fail(op, f"attribute '{name}' is not declared, and has no dialect prefix")
        fault = "" if value is None else attribute_fault(value)
        if fault:
            fail(op, f"attribute '{name}': {fault}")


def attribute_fault(value: Attribute) -> str:
    """Return what is wrong with an attribute in itself, or ""."""
    match value:
        case bool():
            return ""
        case int():
            return _integer_fault(value, -(1 << 63), (1 << 63) - 1)
        case tuple():
            faults = [_integer_fault(v, -(1 << 63), (1 << 63) - 1) for v in value]
        case Typed(value=number, type=element) if not element.is_float:
            return _integer_fault(number, *limits(element))
        case Dense(value=array, type=type_):
            fits = array.shape == type_.shape and array.dtype == type_.element.dtype
            return "" if fits else f"{array.dtype}{array.shape} for {type_}"
        case AffineMap(dims=dims, results=results):
            used = [r for r in results if r is not None]
            fits = len(set(used)) == len(used) and all(0 <= r < dims for r in used)
            return "" if fits else f"{value} is no projected permutation"
        case ArrayAttr(items=items):
            faults = [attribute_fault(v) for v in items]
        case Dict(items=entries):
            faults = [attribute_fault(v) for _, v in entries]
        case _:
            return ""
    return next((fault for fault in faults if fault), "")


def _integer_fault(value: object, low: int, high: int) -> str:
    fits = isinstance(value, int) and low <= value <= high
    return "" if fits else f"{value!r:.80} is no integer in {low}..{high}"


# Regions


def _check_region(op: Op, region: Region, same: Same) -> None:
    """Check a region's block, its arguments, its terminator and what that gives."""
    if op.name not in BODIES:
        fail(op, "the verifier knows no rule for its regions")
    body = BODIES[op.name](op)
    if body.optional and not region.blocks and region is not op.regions[0]:
        return
    if len(region.blocks) != 1:
        fail(op, f"a region needs 1 block, got {len(region.blocks)}")
    block = region.block
    _require_same(op, "argument", value_types(block.arguments), body.arguments, same)
    for inner in block.ops[:-1] if body.terminator else block.ops:
        if TERMINATOR in inner.traits:
            fail(inner, f"is not the last op of the block in {op.name}")
    if not body.terminator:
        return
    if not block.ops or block.ops[-1].name != body.terminator:
        last = block.ops[-1].name if block.ops else "nothing"
        fail(op, f"the block must end with {body.terminator}, not {last}")
    last_types = value_types(block.ops[-1].operands)
    _require_same(block.ops[-1], "operand", last_types, body.yields, same)


# Functions and calls


def _functions(module: Op) -> dict[str, Op]:
    """Return the functions of a module by name, refusing names given twice."""
    found: dict[str, Op] = {}
    for region in module.regions:
        for block in region.blocks:
            for op in block.ops:
                name = op.attributes.get("sym_name")
                if not isinstance(name, str):
                    continue
                if name in found:
                    fail(op, f"the name '{name:.80}' is given twice")
                found[name] = op
    return found


def _constraints(function: Op) -> Constraints:
    """Return what a function knows of its symbols, to be read only."""
    stored = function.attributes.get("tc.guards", ArrayAttr(()))
    pairs = stored.items if isinstance(stored, ArrayAttr) else (stored,)
    if not all(isinstance(p, Dims) and len(p.dims) == 2 for p in pairs):
        fail(function, "attribute 'tc.guards' must hold pairs of dimensions")
    return constraints_of(function)


def _check_function(op: Op, functions: Mapping[str, Op]) -> None:
    type_ = op.attributes["function_type"]
    assert isinstance(type_, FunctionType)
    for name, types in (("arg_attrs", type_.inputs), ("res_attrs", type_.results)):
        entries = op.attributes.get(name)
        if entries is None:
            continue
        items = entries.items if isinstance(entries, ArrayAttr) else ()
        found = sum(isinstance(item, Dict) for item in items)
        if not found == len(items) == len(types):
            fail(op, f"attribute '{name}' must hold {len(types)} dictionaries")
    _check_values(op, type_.inputs)
    _check_updates(op, type_)
    _check_symbols(op)


def _check_updates(function: Op, type_: FunctionType) -> None:
    """Check that results replace arguments of their types, each at most once."""
    assert isinstance(function, Function)
    seen: set[int] = set()
    for i, result in enumerate(type_.results):
        target = function.result_info(i).get("tc.updates")
        if target is None:
            continue
        known = isinstance(target, int) and 0 <= target < len(type_.inputs)
        if not isinstance(target, int) or not known or target in seen:
            fail(function, f"'tc.updates' of result {i} names no argument of its own")
        seen.add(target)
        if not _fits(result, type_.inputs[target]):
            fail(function, f"result {i} is {result}, it updates {type_.inputs[target]}")


def _check_symbols(function: Op) -> None:
    """Check that on memory, sizes are made of the symbols that the function takes."""
    names = function.attributes.get("tc.symbols")
    if not isinstance(names, ArrayAttr):
        return
    for op in function.walk():
        for name, value in op.attributes.items():
            found = value.items if isinstance(value, ArrayAttr) else (value,)
            dims = [d for dims in found if isinstance(dims, Dims) for d in dims.dims]
            for symbol in (s for d in dims for s in symbols_of(d)):
                if symbol not in names.items:
                    fail(op, f"attribute '{name}': the function takes no '{symbol}'")


def _check_generic(op: Op, _: Mapping[str, Op]) -> None:
    """Check that the body takes no scalar from outside: kernels have none to give."""
    blocks = [b for o in op.walk() for r in o.regions for b in r.blocks]
    inside = {v for b in blocks for v in b.arguments}
    inside.update(v for b in blocks for o in b.ops for v in o.results)
    for inner in (o for b in blocks for o in b.ops):
        if any(isinstance(v.type, Element) and v not in inside for v in inner.operands):
            fail(inner, "reads a scalar from outside of the linalg.generic")


def _check_group(op: Op, _: Mapping[str, Op]) -> None:
    """Check that the members of a group have its outer dimensions."""
    panel = op.attributes.get("tc.panel", 0)
    if not isinstance(panel, int) or not 0 <= panel < max(1, len(op.operands)):
        fail(op, "attribute 'tc.panel' names no operand")
    outer = op.attributes["outer"]
    assert isinstance(outer, int)
    for member in op.regions[0].block.ops:
        iterators = member.attributes.get("iterator_types")
        if not isinstance(iterators, ArrayAttr):
            continue
        parallel = sum(str(i).endswith("<parallel>") for i in iterators.items)
        if outer > parallel:
            fail(member, f"has {parallel} parallel dimensions, its group {outer} outer")


def _check_values(function: Op, types: Sequence[Type]) -> None:
    """Check that value symbols stand for inputs that are integer scalars."""
    assert isinstance(function, Function)
    seen: set[str] = set()
    for i, type_ in enumerate(types):
        info = function.argument_info(i)
        symbol = info.get("tc.value")
        if symbol is None:
            continue
        if not isinstance(symbol, str) or not is_value(symbol) or symbol in seen:
            fail(function, f"'tc.value' of argument {i} must be a symbol of its own")
        seen.add(symbol)
        is_scalar = isinstance(type_, TensorType) and not type_.shape
        is_integer = isinstance(type_, TensorType) and type_.element.is_integer
        if not (is_scalar and is_integer and info.get("tc.kind") == "input"):
            fail(function, f"'tc.value' of argument {i}: an integer input is needed")


def _callee_type(op: Op, functions: Mapping[str, Op]) -> FunctionType:
    name = getattr(op.attributes["callee"], "name", "")
    callee = functions.get(name)
    type_ = callee.attributes.get("function_type") if callee is not None else None
    if not isinstance(type_, FunctionType):
        fail(op, f"there is no function '{name:.80}'")
    return type_


def _check_call(op: Op, functions: Mapping[str, Op]) -> None:
    type_ = _callee_type(op, functions)
    _require_same(op, "operand", value_types(op.operands), type_.inputs, _fits)
    _require_same(op, "result", value_types(op.results), type_.results, _fits)


def _fits(given: Type, wanted: Type) -> bool:
    """Return whether types can be equal; symbols of two functions are not compared."""
    if not (isinstance(given, TensorType) and isinstance(wanted, TensorType)):
        return given == wanted
    if given.element != wanted.element or given.rank != wanted.rank:
        return False
    pairs = zip(given.shape, wanted.shape, strict=True)
    known = [(a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int)]
    return all(a == b for a, b in known)


_SPECIAL: Mapping[str, Callable[[Op, Mapping[str, Op]], None]] = {
    "func.func": _check_function,
    "func.call": _check_call,
    "linalg.generic": _check_generic,
    "tc.group": _check_group,
    # Chunks and work stand where the kernel takes the range [begin, end).
    "tc.launch": _check_call,
}
