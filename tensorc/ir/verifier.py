"""Check that IR keeps its invariants; the type rules are the ops' own `infer`.

One pass in program order, with a stack instead of recursion:

1. Links (parents, owners of results) are consistent, and no op stands twice.
2. Operands are defined before, and do not come from outside an isolated region.
3. Operands, regions and attributes are those that the class declares.
4. `infer` gives the result types, or `check` accepts them, under the function's guards.
5. Regions have the arguments and the terminator that their op's `blocks` gives.
6. Names of functions are unique; what else an op asks for its own `verify` checks.
7. If a level is given, every op and every type of a value declares it.

It knows no op but the function, whose guards hold inside: the rest is declared.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from tensorc.errors import CompileError, Diagnostic, nearest
from tensorc.ir.attributes import (
    Affine,
    AffineMap,
    ArrayAttr,
    Attribute,
    Dense,
    Dict,
    Dims,
    Typed,
    affine,
)
from tensorc.ir.core import Block, Body, Op, Region, Value, value_types
from tensorc.ir.dims import Constraints
from tensorc.ir.functions import constraints_of
from tensorc.ir.invariants import fail, require_same
from tensorc.ir.levels import AT_BUFFER, AT_STRUCTURED, Level, spell_levels
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
from tensorc.ir.types import Element, TensorType, Type

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


def verify(module: Op, level: Level | None = None) -> None:
    """Raise `VerifyError` for the first op that breaks an invariant.

    With a level, ops that do not declare it, or have values of another, do.
    """
    _Verifier(level, module).run(module)


def level_of(module: Op) -> Level:
    """Return the highest level that all ops and types of values in a module declare.

    Raises:
        CompileError: there is none (TC0250). Of the level that the fewest ops lack, it
            names the first of these.
    """
    wrong: dict[Level, list[Op]] = {}
    for level in Level:
        wrong[level] = [op for op in module.walk() if level_fault(op, level)]
        if not wrong[level]:
            return level
    level = min(wrong, key=lambda given: len(wrong[given]))
    op = wrong[level][0]
    message = f"{op.name}: {level_fault(op, level)}"
    hint = f"a module is of one level, and the rest of this one is of {level.value}"
    raise CompileError(Diagnostic("TC0250", message, op.location, hints=(hint,)))


def level_fault(op: Op, level: Level) -> str:
    """Return why an op cannot stand at a level, or ""."""
    if level not in op.levels:
        return f"is an op of {spell_levels(op.levels)}, not of {level.value}"
    arguments = [a for r in op.regions for b in r.blocks for a in b.arguments]
    for what, values in (("result", op.results), ("argument", arguments)):
        for value in values:
            if level not in value.type.levels:
                levels = spell_levels(value.type.levels)
                given = f"{what} {value.index} is {value.type}"
                return f"{given}, a type of {levels}, not of {level.value}"
    return ""


class _Verifier:
    """Walks the ops; knows what is visible and which symbols there are."""

    def __init__(self, level: Level | None, module: Op) -> None:
        self.level = level
        self.legal: set[type] = set()
        self.functions = _functions(module)
        self.seen: set[Op | Block | Region] = set()
        self.visible: set[Value] = set()
        self.hidden: list[set[Value]] = []
        self.local: list[list[Value]] = [[]]
        self.context = InferContext(Constraints(frozen=True))
        # The class and the types of ops that are right, with neither attributes nor
        # regions: their rules say the same of all others, under the same guards.
        self.right: set[tuple[type[Op], tuple[Type, ...], tuple[Type, ...]]] = set()

    def run(self, top: Op) -> None:
        """Check an op and all that is in it."""
        work = [self.ops([top])]
        while work:
            op = next(work[-1], None)
            if op is None:
                work.pop()
            else:
                work.extend([self.region(op, r) for r in reversed(op.regions)])

    def ops(self, ops: Iterable[Op]) -> Iterator[Op]:
        """Check ops in turn; yield those with regions, which are to be checked then."""
        for op in ops:
            self.op(op)
            if op.regions:
                self.regions(op)
                yield op
            op.verify(self.functions, self.level)
            self.define(op.results)

    def op(self, op: Op) -> None:
        """Check an op, but neither its regions nor what it asks for itself."""
        results = tuple([v.type for v in op.results])
        alike = (type(op), tuple([v.type for v in op.operands]), results)
        is_plain = not op.attributes and not op.regions
        if is_plain and alike in self.right:
            self.links(op)
            self.operands(op)
            return
        if self.level is not None:
            self.declared(op, self.level)
        self.links(op)
        _check_counts(op)
        _check_attributes(op)
        self.operands(op)
        self.types(op, *alike[1:])
        if is_plain:
            self.right.add(alike)

    def declared(self, op: Op, level: Level) -> None:
        """Check that an op and its values may stand at the level."""
        # Few classes make up a module: what was met once costs a look in a set.
        classes = [type(op), *[type(v.type) for v in op.results]]
        if op.regions or not self.legal.issuperset(classes):
            if fault := level_fault(op, level):
                fail(op, fault)
            self.legal.update(classes)

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

    def types(
        self, op: Op, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Check the result types by the rule of the class."""
        cls = type(op)
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
            require_same(op, "result", results, given, self.same)
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

    def regions(self, op: Op) -> None:
        """Check that the regions hold what the op asks for."""
        bodies = op.blocks()
        if len(bodies) != len(op.regions):
            fail(op, f"declares {len(bodies)} blocks for {len(op.regions)} regions")
        for region, body in zip(op.regions, bodies, strict=True):
            if body.optional and not region.blocks:
                continue
            if len(region.blocks) != 1:
                fail(op, f"a region needs 1 block, got {len(region.blocks)}")
            self.block(op, region.block, body)

    def block(self, op: Op, block: Block, body: Body) -> None:
        """Check a block's arguments, what it holds, its terminator and its values."""
        found = value_types(block.arguments)
        require_same(op, "argument", found, body.arguments, self.same)
        wanted = body.terminator
        has_scalars = body.scalars or self.level not in AT_STRUCTURED | AT_BUFFER
        for inner in block.ops if wanted is None else block.ops[:-1]:
            if TERMINATOR in inner.traits:
                fail(inner, f"is not the last op of the block in {op.name}")
            if not has_scalars and inner.operands and _is_scalar(inner):
                fail(inner, f"computes a scalar, which no block in {op.name} does")
        if wanted is None:
            return
        last = block.ops[-1] if block.ops else None
        if not isinstance(last, wanted):
            name = last.name if last else "nothing"
            fail(op, f"the block must end with {wanted.name}, not {name}")
        given = value_types(last.operands)
        require_same(last, "operand", given, body.yields, self.same)

    def region(self, op: Op, region: Region) -> Iterator[Op]:
        """Check the ops of a region as `ops` does; its values are forgotten then."""
        outer, known = self.context, self.right
        isolated = ISOLATED in op.traits
        if isolated:
            self.hidden.append(self.visible)
            self.visible = set()
        if isinstance(op, Function):
            self.context, self.right = InferContext(_constraints(op)), set()
        self.local.append([])
        for block in region.blocks:
            self.define(block.arguments)
            yield from self.ops(block.ops)
        self.visible.difference_update(self.local.pop())
        if isolated:
            self.visible = self.hidden.pop()
        self.context, self.right = outer, known

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


def _is_scalar(op: Op) -> bool:
    return any(isinstance(result.type, Element) for result in op.results)


def _has_negative(type_: TensorType) -> bool:
    return any(isinstance(d, int) and d < 0 for d in type_.shape)


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
            plain = [r for r in results if isinstance(r, int)]
            fits = len(set(plain)) == len(plain) and all(0 <= r < dims for r in plain)
            others = [r for r in results if isinstance(r, Affine)]
            fits = fits and all(_is_normal(r, dims) for r in others)
            return "" if fits else f"{value} is no map of points to elements"
        case ArrayAttr(items=items):
            faults = [attribute_fault(v) for v in items]
        case Dict(items=entries):
            faults = [attribute_fault(v) for _, v in entries]
        case _:
            return ""
    return next((fault for fault in faults if fault), "")


def _is_normal(result: Affine, dims: int) -> bool:
    """Return whether an index of a map has its normal form, and dimensions exist."""
    constant = result.constant
    numbers = [factor for _, factor in result.terms]
    if isinstance(constant, int):
        numbers.append(constant)
    bits = [n for n in numbers if _integer_fault(n, -(1 << 63), (1 << 63) - 1)]
    inside = all(0 <= dim < dims for dim, _ in result.terms)
    return inside and not bits and affine(constant, result.terms) == result


def _integer_fault(value: object, low: int, high: int) -> str:
    fits = isinstance(value, int) and low <= value <= high
    return "" if fits else f"{value!r:.80} is no integer in {low}..{high}"


# Functions


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
