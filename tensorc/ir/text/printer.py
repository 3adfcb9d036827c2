"""Write IR as text: MLIR's generic form with properties, which stock tools read.

    %2 = "tc.max"(%x) <{axes = array<i64: 0>}> : (tensor<4xf32>) -> tensor<f32>

The text is canonical: equal modules give equal text, and it parses back to itself.
Names of values are given here; `hint` is followed where it is a good name.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np

from tensorc.errors import Location
from tensorc.floats import bytes_of, is_float
from tensorc.ir.attributes import (
    AffineMap,
    ArrayAttr,
    Attribute,
    Dense,
    Dict,
    Dims,
    Enum,
    SymbolRef,
    Typed,
)
from tensorc.ir.core import Block, Op, Region, Value, single_block
from tensorc.ir.dims import Dim
from tensorc.ir.opdef import ISOLATED
from tensorc.ir.text.spelling import FILL, SPELLED, outside_of, spell
from tensorc.ir.types import (
    I1,
    Element,
    FunctionType,
    MemRefType,
    TensorType,
    Type,
    VectorType,
)

LONGEST_LIST = 16  # a longer constant is written as bytes
# MLIR declares these two as arrays of i32; every other integer array is i64.
SEGMENT_SIZES = ("operandSegmentSizes", "resultSegmentSizes")

_BARE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$.]*")
_AUTOMATIC = re.compile(r"arg[0-9]+|[0-9]*")
_PLAIN_TEXT = re.compile(r'[ !#-\[\]-~]*"?')


def print_module(op: Op, *, locations: bool = False) -> str:
    """Return the canonical text of an op and all that is in it.

    `locations` appends each op's location in the user's source.
    """
    printer = _Printer(locations=locations)
    printer.op(op, "")
    return "\n".join([*printer.lines, ""])


def print_short(op: Op) -> str:
    """Return a short text of an op and all that is in it, for people; not parsed.

    %2 = tc.add %0, %1 : f32[B, 10]
    """
    printer = _Printer(short=True)
    printer.op(op, "")
    return "\n".join([*printer.lines, ""])


def value_name(hint: str) -> str:
    """Return the name that a hint asks for, or "" if it asks for none.

    Names that the printer gives by itself (%arg0) are not taken from hints: a parsed
    text would otherwise keep them as wishes, and they would go stale.
    """
    if _AUTOMATIC.fullmatch(hint):
        return ""
    name = re.sub(r"[^A-Za-z0-9_]", "_", hint)
    return f"_{name}" if name[0].isdigit() else name


@dataclass
class _Scope:
    """The names of one function."""

    suffixes: dict[str, int] = field(default_factory=dict)
    results: int = 0
    arguments: int = 0

    def unique(self, name: str) -> str:
        """Return the name, with a number behind it if it is taken."""
        found = name
        while found in self.suffixes:
            self.suffixes[name] += 1
            found = f"{name}_{self.suffixes[name]}"
        self.suffixes[found] = 0
        return found


@dataclass
class _Printer:
    """Collects lines; knows the names of the values seen so far."""

    locations: bool = False
    short: bool = False
    lines: list[str] = field(default_factory=list)
    names: dict[Value, str] = field(default_factory=dict)
    types: dict[Type, str] = field(default_factory=dict)
    scope: _Scope = field(default_factory=_Scope)

    def op(self, op: Op, indent: str) -> None:
        """Print an op with its regions."""
        if self.short and op.name == "func.func":
            self.function(op, indent)
            return
        head = indent + self.results(op) + self.use(op)
        if op.regions:
            separator = " {" if self.short else " ({"
            for number, region in enumerate(op.regions):
                if number and not region.blocks:
                    head += "" if self.short else separator
                    continue
                self.lines.append(head + separator)
                self.region(op, region, indent)
                head, separator = indent, "}, {"
            head += "}" if self.short else "})"
        elif op.name == FILL and not self.short:
            self.lines.append(head + " ({")
            self.fill_body(op, indent)
            head = indent + "})"
        self.lines.append(head + self.tail(op))

    def function(self, op: Op, indent: str) -> None:
        """Print a function for people: its arguments stand behind its name."""
        outer, self.scope = self.scope, _Scope()
        block = op.regions[0].blocks[0]
        inside = self.label(0, block).partition("(")[2].removesuffix("):")
        name = op.attributes.get("sym_name")
        self.lines.append(f"{indent}func.func @{name}({inside}){self.given(op)} {{")
        for inner in block.ops:
            self.op(inner, f"{indent}  ")
        self.lines.append(f"{indent}}}{self.tail(op)}")
        self.scope = outer

    def given(self, op: Op) -> str:
        """Return what a function gives: types, and which argument a result renews."""
        type_, about = (
            op.attributes.get("function_type"),
            op.attributes.get("res_attrs"),
        )
        if not isinstance(type_, FunctionType) or not type_.results:
            return ""
        texts = [str(t) for t in type_.results]
        for i, item in enumerate(about.items if isinstance(about, ArrayAttr) else ()):
            if isinstance(item, Dict):
                shown = _short_text([(n, a) for n, a in sorted(item.items) if a != ""])
                texts[i] += f" {{{shown}}}" if shown else ""
        return f" -> ({', '.join(texts)})"

    def fill_body(self, op: Op, indent: str) -> None:
        """Print the region that MLIR's `linalg.fill` has: it yields the scalar."""
        _, block = single_block()
        element = op.operands[0].type
        value, _ = block.add_argument(element), block.add_argument(element)
        self.lines.append(indent + self.label(0, block))
        name = self.name(value)
        self.lines.append(f'{indent}  "linalg.yield"({name}) : ({element}) -> ()')

    def use(self, op: Op) -> str:
        """Return an op's name, operands and properties."""
        operands = ", ".join([self.name(v) for v in op.operands])
        given = op.attributes
        inherent = [(n, given[n]) for n in sorted(op.attribute_names) if n in given]
        if op.name in SPELLED and not self.short:
            inherent, _ = spell(op, inherent)
        if self.short:
            text = _short_text([(n, a) for n, a in inherent if _tells(n, a)])
            return f"{op.name} {operands}".rstrip() + (f" {{{text}}}" if text else "")
        text = entries_text(inherent)
        return f'"{op.name}"({operands})' + (f" <{{{text}}}>" if text else "")

    def tail(self, op: Op) -> str:
        """Return an op's discardable attributes, type and source location."""
        known = op.attribute_names
        others = [(n, a) for n, a in op.attributes.items() if n not in known]
        if op.name in SPELLED and not self.short:
            others += spell(op, list(op.attributes.items()))[1]
        if op.name in SPELLED and self.short:
            others += outside_of(op.attributes.items())
        others.sort(key=itemgetter(0))
        text = _short_text(others) if self.short else entries_text(others)
        tail = f" {{{text}}}" if text else ""
        if self.short:
            types = ", ".join([str(r.type) for r in op.results])
            return f"{tail} : {types}" if types else tail
        operands = ", ".join([self.type(v.type) for v in op.operands])
        results = [self.type(r.type) for r in op.results]
        tail += f" : ({operands}) -> {_results_text(op.results, results)}"
        return f"{tail} {location_text(op.location)}" if self.locations else tail

    def region(self, op: Op, region: Region, indent: str) -> None:
        """Print the blocks of a region."""
        outer = self.scope
        # Stock tools know which of their own ops are isolated, but not which of ours:
        # the names inside a tc op must differ from those around it.
        if ISOLATED in op.traits and not op.name.startswith("tc."):
            self.scope = _Scope()
        for number, block in enumerate(region.blocks):
            label = self.label(number, block)
            optional = len(region.blocks) == 1 and block.ops and op.name != "func.func"
            if block.arguments or not optional:
                self.lines.append(indent + label)
            for inner in block.ops:
                self.op(inner, f"{indent}  ")
        self.scope = outer

    def label(self, number: int, block: Block) -> str:
        """Name a block's arguments and return its label line."""
        for value in block.arguments:
            wish = value_name(value.hint)
            if not wish:
                wish = f"arg{self.scope.arguments}"
                self.scope.arguments += 1
            self.names[value] = f"%{self.scope.unique(wish)}"
        arguments = ", ".join(
            [f"{self.names[v]}: {self.type(v.type)}" for v in block.arguments]
        )
        return f"^bb{number}({arguments}):" if arguments else f"^bb{number}:"

    def results(self, op: Op) -> str:
        """Name an op's results and return the left side: `%0 = `, `%a, %b:2 = `."""
        groups: list[list[Value]] = []
        for value in op.results:
            if groups and not value_name(value.hint):
                groups[-1].append(value)
            else:
                groups.append([value])
        texts = [self.group(group) for group in groups]
        return f"{', '.join(texts)} = " if texts else ""

    def group(self, values: Sequence[Value]) -> str:
        """Give results one name, and return how it is written at their definition."""
        wish = value_name(values[0].hint)
        if not wish:
            wish = str(self.scope.results)
            self.scope.results += 1
        name = f"%{self.scope.unique(wish)}"
        if len(values) == 1:
            self.names[values[0]] = name
            return name
        for i, value in enumerate(values):
            self.names[value] = f"{name}#{i}"
        return f"{name}:{len(values)}"

    def name(self, value: Value) -> str:
        """Return a value's name; broken IR is printed too, so that it can be seen."""
        return self.names.get(value, "<<undefined value>>")

    def type(self, type_: Type) -> str:
        """Return the text of a type; most ops have types that were printed before."""
        if self.short:
            return str(type_)
        text = self.types.get(type_)
        if text is None:
            text = self.types[type_] = type_text(type_)
        return text


def _results_text(results: Sequence[object], texts: Sequence[str]) -> str:
    """Return result types: one stands alone, unless its arrow would be misread."""
    single = len(texts) == 1 and not texts[0].startswith("(")
    return texts[0] if single else f"({', '.join(texts)})"


def location_text(location: Location) -> str:
    """Return MLIR's text of a source location."""
    if not location.line:
        return "loc(unknown)"
    return f"loc({quoted(location.file)}:{location.line}:{location.column})"


def quoted(text: str) -> str:
    """Return a string literal: what is not printable ASCII is written as bytes."""
    plain = _PLAIN_TEXT.fullmatch(text)
    if plain and not text.endswith('"'):
        return f'"{text}"'
    data = text.encode("utf-8", "surrogatepass")
    return '"' + "".join([_ESCAPED[byte] for byte in data]) + '"'


_ESCAPED = [
    chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f"\\{b:02X}"
    for b in range(256)
]


def entries_text(entries: Iterable[tuple[str, Attribute | None]]) -> str:
    """Return named attributes as `a = 1 : i64, b = "x"`; None means absent."""
    texts = []
    for name, value in entries:
        if value is None:
            continue
        key = name if _BARE_NAME.fullmatch(name) else quoted(name)
        if name in SEGMENT_SIZES and isinstance(value, tuple):
            text = _integers_text(value, "i32")
        else:
            text = attribute_text(value)
        texts.append(f"{key} = {text}")
    return ", ".join(texts)


def _tells(name: str, value: Attribute | None) -> bool:
    """Return whether the short form shows an attribute, or it is there anyway."""
    return name not in SEGMENT_SIZES and value != ""


def _short_text(entries: Iterable[tuple[str, Attribute | None]]) -> str:
    """Return named attributes for people: without the names of their kinds."""
    text = entries_text(entries)
    for wrapped, plain in _WRAPPED:
        text = wrapped.sub(plain, text)
    return text


# How the generic form writes a map, a kind of loop, sizes and an integer.
_WRAPPED = (
    (re.compile(r"affine_map<(\([^()]*\)(?:\[[^<>]*?\])? -> \([^<>\[\]]*\))>"), r"\1"),
    (re.compile(r"#[\w.]+<(\w+|\[[^<>]*\])>"), r"\1"),
    (re.compile(r"array<i64(?:: )?([^<>]*)>"), r"[\1]"),
    (re.compile(r"(?<=\d) : i64\b"), ""),
)


def attribute_text(value: Attribute) -> str:
    """Return the text of an attribute."""
    write: Callable[[Attribute], str] = _ATTRIBUTES[type(value)]
    return write(value)


def type_text(type_: Type) -> str:
    """Return MLIR's text of a type."""
    match type_:
        case TensorType(shape=shape, element=element):
            known = all(isinstance(d, int) for d in shape)
            sizes = _sizes_text([d if isinstance(d, int) else None for d in shape])
            encoding = "" if known else f", {_dims_text(shape)}"
            return f"tensor<{sizes}{element}{encoding}>"
        case MemRefType(shape=shape, element=element):
            return f"memref<{_sizes_text(shape)}{element}>"
        case FunctionType(inputs=inputs, results=results):
            texts = [type_text(t) for t in results]
            left = ", ".join([type_text(t) for t in inputs])
            return f"({left}) -> {_results_text(results, texts)}"
        case VectorType() | Element():
            return str(type_)


def _sizes_text(sizes: Iterable[int | None]) -> str:
    return "".join(["?x" if size is None else f"{size}x" for size in sizes])


def _dims_text(dims: Iterable[Dim]) -> str:
    texts = [str(d) if isinstance(d, int) else quoted(str(d)) for d in dims]
    return f"#tc.dims<[{', '.join(texts)}]>"


def _integers_text(values: Sequence[int], element: str = "i64") -> str:
    listed = ", ".join([str(v) for v in values])
    return f"array<{element}: {listed}>" if values else f"array<{element}>"


def _typed_text(typed: Typed) -> str:
    text = scalar_text(typed.type.dtype.type(typed.value))
    return text if typed.type == I1 else f"{text} : {typed.type}"


def scalar_text(value: np.generic) -> str:
    """Return a scalar; a float has a point, or is bits where decimals would not do."""
    if isinstance(value, np.bool_):
        return "true" if value else "false"
    if not is_float(value.dtype):
        return str(value)
    mantissa, e, exponent = str(value).partition("e")
    text = mantissa + ("" if "." in mantissa else ".0") + e + exponent
    # Readers go through f64, which can round twice: what they get must be the value.
    if np.isfinite(value) and type(value)(float(text)) == value:
        return text
    return f"0x{bytes_of(np.asarray(value), '>').hex().upper()}"


def _dense_text(dense: Dense) -> str:
    values, data = dense.value, dense.content
    if not values.size:
        body = ""
    elif dense.is_splat:
        body = scalar_text(values.flat[0])
    elif values.size > LONGEST_LIST and dense.type.element != I1:
        body = f'"0x{data.hex().upper()}"'
    else:
        texts = iter([scalar_text(v) for v in values.flat])
        body = _nested_text(texts, values.shape)
    return f"dense<{body}> : {type_text(dense.type)}"


def _nested_text(texts: Iterator[str], shape: Sequence[int]) -> str:
    if not shape:
        return next(texts)
    parts = [_nested_text(texts, shape[1:]) for _ in range(shape[0])]
    return f"[{', '.join(parts)}]"


def symbol_text(name: str) -> str:
    """Return the reference to a function of that name."""
    return f"@{name}" if _BARE_NAME.fullmatch(name) else f"@{quoted(name)}"


_ATTRIBUTES: Mapping[type, Callable[..., str]] = {
    bool: lambda value: "true" if value else "false",
    int: lambda value: f"{value} : i64",
    float: lambda value: f"{scalar_text(np.float64(value))} : f64",
    str: quoted,
    tuple: _integers_text,
    TensorType: type_text,
    MemRefType: type_text,
    VectorType: type_text,
    FunctionType: type_text,
    Element: type_text,
    Dims: lambda value: _dims_text(value.dims),
    Typed: _typed_text,
    Dense: _dense_text,
    AffineMap: str,
    SymbolRef: lambda value: symbol_text(value.name),
    Enum: str,
    ArrayAttr: lambda value: f"[{', '.join([attribute_text(a) for a in value.items])}]",
    Dict: lambda value: f"{{{entries_text(sorted(value.items))}}}",
}
