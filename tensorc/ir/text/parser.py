"""Read MLIR's generic form: what `printer` writes, and what other tools write in it.

    module = parse_module(text, "model.tcir")
    print_module(module)

Accepted beyond the canonical text: comments, `loc(…)`, aliases (`#map = …`),
attributes in any order and in `{…}` instead of `<{…}>`, names used again in separate
regions. A file without a module is one. Every error is a `CompileError` with the exact
location; whether ops make sense is the verifier's question.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tensorc.errors import UNKNOWN, Label, Location, did_you_mean
from tensorc.ir.attributes import Attribute, Typed
from tensorc.ir.core import Block, Op, Region, Value, single_block
from tensorc.ir.opdef import ISOLATED
from tensorc.ir.ops import BY_NAME
from tensorc.ir.ops.builtin import Module
from tensorc.ir.text.attribute_parser import AttributeParser
from tensorc.ir.text.lexer import END, Lexer, quote
from tensorc.ir.text.printer import value_name
from tensorc.ir.text.schema import schema_of
from tensorc.ir.text.spelling import understand
from tensorc.ir.types import F64, I1, I64, Type

NESTING = 200  # of regions: passes walk them by recursion
MOST_RESULTS = 1000  # of one op

# A property that is declared as a typed scalar is one also where its text is that of
# a plain number.
_SCALARS = {bool: I1, int: I64, float: F64}


def parse_module(
    text: str, path: str = "<mlir>", *, ops: Mapping[str, type[Op]] = BY_NAME
) -> Op:
    """Return the module in a text. `path` is for messages and the locations of ops."""
    parser = _Parser(Lexer(text, path), ops)
    parser.run()
    parser.resolve_places()
    top = parser.block.ops
    if len(top) == 1 and isinstance(top[0], Module):
        top[0].parent = None
        return top[0]
    region, block = single_block()
    for op in top:
        block.append(op)
    return Module([], [], regions=[region])


@dataclass
class _Defined:
    """The values behind a name, and where the name was given."""

    values: list[Value]
    location: Location


@dataclass
class _Results:
    """A name on the left of an op, for one or several results."""

    name: str
    count: int
    location: Location


@dataclass
class _Open:
    """An op that is being read; its regions come before its type."""

    cls: type[Op]
    location: Location
    results: list[_Results]
    operands: list[tuple[Value, Location]]
    attributes: dict[str, Attribute]
    block: Block
    outer: dict[str, _Defined]
    regions: list[Region] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    local: list[str] = field(default_factory=list)


class _Parser:
    """Reads ops with a stack of its own: `open` are the ops around the token."""

    def __init__(self, lexer: Lexer, ops: Mapping[str, type[Op]]) -> None:
        self.lexer = lexer
        self.attributes = AttributeParser(lexer)
        self.ops = ops
        self.block = Block()
        self.open: list[_Open] = []
        self.names: dict[str, _Defined] = {}
        self.locations: dict[str, Location | str] = {}
        self.deferred: list[tuple[Op, str]] = []

    def run(self) -> None:
        """Read to the end."""
        lexer = self.lexer
        while lexer.kind != END:
            if self.open and lexer.kind == "}":
                self.close_region()
            elif self.open and lexer.kind == "block":
                self.label()
            elif not self.open and lexer.kind == "hash":
                self.alias()
            else:
                self.op()
        if self.open:
            opener = Label(self.open[-1].location, "opened here")
            message = "expected '}', got the end"
            lexer.fail("TC0201", message, labels=[opener])
        if not self.block.ops:
            lexer.fail("TC0201", "expected an op, got the end")

    # Ops

    def op(self) -> None:
        """Read an op up to its regions, and to its end if it has none."""
        lexer = self.lexer
        results = self.results()
        location = lexer.here()
        if lexer.kind != "string":
            lexer.expected("an op")
        cls = self.find_class(lexer.string(), location)
        operands = self.operands()
        if lexer.kind == "[":
            lexer.fail("TC0210", "successors are not supported: use scf")
        attributes: dict[str, Attribute] = {}
        if lexer.accept("<"):
            attributes = self.attributes.entries()
            lexer.expect(">")
        here = _Open(
            cls, location, results, operands, attributes, self.block, self.names
        )
        if not lexer.accept("("):
            self.finish(here)
            return
        if len(self.open) >= NESTING:
            lexer.fail("TC0209", f"regions are nested more than {NESTING} deep")
        self.open.append(here)
        self.open_region()

    def find_class(self, name: str, location: Location) -> type[Op]:
        """Return the class of an op."""
        cls = self.ops.get(name)
        if cls is None:
            meant = did_you_mean(name, self.ops, "'{}'")
            hints = [meant] if meant else []
            message = f"there is no op '{quote(name)}'"
            self.lexer.fail("TC0202", message, location, hints=hints)
        return cls

    def results(self) -> list[_Results]:
        """Read `%a, %b:2 =`, if the op has names for its results."""
        lexer = self.lexer
        found: list[_Results] = []
        while lexer.kind == "value":
            location = lexer.here()
            name = lexer.advance()
            if "#" in name:
                lexer.fail("TC0201", f"'{quote(name)}' names no result", location)
            count = 1
            if lexer.accept(":"):
                count = lexer.integer(1, MOST_RESULTS, "a number of results")
            found.append(_Results(name, count, location))
            if not lexer.accept(","):
                break
        if found:
            lexer.expect("=")
        return found

    def operands(self) -> list[tuple[Value, Location]]:
        """Read `(%a, %b#1)`."""
        lexer = self.lexer
        lexer.expect("(")
        found: list[tuple[Value, Location]] = []
        while lexer.kind == "value":
            location = lexer.here()
            found.append((self.use(lexer.advance(), location), location))
            if not lexer.accept(","):
                break
        lexer.expect(")")
        return found

    def finish(self, op: _Open) -> None:
        """Read what follows the regions, and append the op."""
        lexer = self.lexer
        if lexer.kind == "{":
            start = lexer.here()
            for name, value in self.attributes.entries().items():
                if name in op.attributes:
                    message = f"attribute '{quote(name)}' stands twice"
                    lexer.fail("TC0204", message, start)
                op.attributes[name] = value
        lexer.expect(":")
        start = lexer.here()
        type_ = self.attributes.function_type()
        self.check_operands(op, type_.inputs, start)
        location = self.read_location(op.location)
        understand(op.cls.name, op.attributes, op.regions, len(op.operands))
        made = op.cls(
            [value for value, _ in op.operands],
            type_.results,
            _typed(op.cls, op.attributes),
            op.regions,
            UNKNOWN if isinstance(location, str) else location,
        )
        if isinstance(location, str):
            self.deferred.append((made, location))
        self.block.append(made)
        self.name_results(op, made, start)

    def check_operands(
        self, op: _Open, types: tuple[Type, ...], location: Location
    ) -> None:
        """Compare the operands with their types in the text."""
        if len(types) != len(op.operands):
            message = f"{len(op.operands)} operands have {len(types)} types"
            self.lexer.fail("TC0205", message, location)
        for (value, used), type_ in zip(op.operands, types, strict=True):
            if value.type != type_:
                message = f"the operand is {value.type}, the op's type says {type_}"
                self.lexer.fail("TC0205", message, used)

    def name_results(self, op: _Open, made: Op, location: Location) -> None:
        """Give the results their names."""
        named = sum(r.count for r in op.results)
        if op.results and named != len(made.results):
            message = f"{named} results are named, {len(made.results)} have types"
            self.lexer.fail("TC0205", message, location)
        start = 0
        for result in op.results:
            values = made.results[start : start + result.count]
            self.define(result.name, values, result.location)
            start += result.count

    # Regions

    def open_region(self) -> None:
        """Start to read the next region of the innermost open op."""
        op = self.open[-1]
        self.lexer.expect("{")
        if ISOLATED in op.cls.traits:
            self.names = {}
        op.labels, op.local = set(), []
        region = Region()
        op.regions.append(region)
        # MLIR's empty region has no block, but a module always has one.
        if self.lexer.kind not in ("}", "block") or (
            self.lexer.kind == "}" and op.cls is Module
        ):
            self.add_block(region)

    def add_block(self, region: Region) -> None:
        """Append a block, and go on in it."""
        self.block = Block(parent=region)
        region.blocks.append(self.block)

    def close_region(self) -> None:
        """End a region, and the op if it was its last."""
        lexer, op = self.lexer, self.open[-1]
        lexer.expect("}")
        for name in op.local:
            del self.names[name]
        self.names, self.block = op.outer, op.block
        if lexer.accept(","):
            self.open_region()
            return
        lexer.expect(")")
        self.open.pop()
        self.finish(op)

    def label(self) -> None:
        """Read `^bb0(%x: f32):` and start a block."""
        lexer, op = self.lexer, self.open[-1]
        if lexer.text in op.labels:
            lexer.fail("TC0204", f"block '{quote(lexer.text)}' stands twice")
        op.labels.add(lexer.advance())
        self.add_block(op.regions[-1])
        if lexer.accept("("):
            while lexer.kind == "value":
                self.argument()
                if not lexer.accept(","):
                    break
            lexer.expect(")")
        lexer.expect(":")

    def argument(self) -> None:
        """Read `%x: f32`."""
        location = self.lexer.here()
        name = self.lexer.advance()
        if "#" in name:
            self.lexer.fail("TC0201", f"'{quote(name)}' names no argument", location)
        self.lexer.expect(":")
        value = self.block.add_argument(self.attributes.type())
        self.read_location(UNKNOWN)
        self.define(name, [value], location)

    # Names

    def define(self, name: str, values: list[Value], location: Location) -> None:
        """Give values a name; the name is kept as a hint unless it is a number."""
        known = self.names.get(name)
        if known is not None:
            message = f"'{quote(name)}' is defined twice"
            label = Label(known.location, "first defined here")
            self.lexer.fail("TC0204", message, location, labels=[label])
        self.names[name] = _Defined(values, location)
        if self.open:
            self.open[-1].local.append(name)
        values[0].hint = name[1:] if value_name(name[1:]) else ""

    def use(self, text: str, location: Location) -> Value:
        """Return the value that `%a` or `%a#1` means."""
        name, hash_, number = text.partition("#")
        known = self.names.get(name)
        if known is None:
            self.lexer.fail("TC0203", f"'{quote(name)}' is not defined here", location)
        index = int(number[:9]) if hash_ else 0
        count = len(known.values)
        if index >= count or (count > 1 and not hash_):
            message = f"'{quote(text)}' is not one of {count} results"
            label = Label(known.location, "defined here")
            self.lexer.fail("TC0203", message, location, labels=[label])
        return known.values[index]

    # Aliases and locations

    def alias(self) -> None:
        """Read `#map = affine_map<…>` or `#loc1 = loc(…)`."""
        lexer = self.lexer
        location = lexer.here()
        name = lexer.advance()
        if "." in name or name in self.locations or name in self.attributes.aliases:
            message = f"'{quote(name)}' cannot be defined here"
            lexer.fail("TC0204", message, location)
        lexer.expect("=")
        if lexer.text == "loc":
            lexer.advance()
            self.locations[name] = self.attributes.location()
        else:
            self.attributes.aliases[name] = self.attributes.attribute()

    def read_location(self, default: Location) -> Location | str:
        """Read `loc(…)` if it stands here."""
        if self.lexer.text != "loc":
            return default
        self.lexer.advance()
        return self.attributes.location()

    def resolve_places(self) -> None:
        """Put in the locations whose names may be defined behind their uses."""
        for op, name in self.deferred:
            seen: list[str] = []
            location: Location | str = name
            while isinstance(location, str):
                if location in seen or location not in self.locations:
                    message = f"'{quote(location)}' is not defined"
                    self.lexer.fail("TC0203", message)
                seen.append(location)
                location = self.locations[location]
            op.location = location


def _typed(cls: type[Op], attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    """Turn plain numbers into typed ones where the op declares these."""
    declared = schema_of(cls).attributes
    for name, value in attributes.items():
        types = declared.get(name, ())
        if (
            isinstance(value, bool | int | float)
            and Typed in types
            and type(value) not in types
        ):
            attributes[name] = Typed(value, _SCALARS[type(value)])
    return attributes
