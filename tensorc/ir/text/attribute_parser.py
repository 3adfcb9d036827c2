"""Read types, attributes and locations from MLIR text: the parser below ops.

Every error is a `CompileError` at an exact location; numbers are checked for range, and
sizes for sense, before anything is computed or allocated from them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from tensorc.errors import UNKNOWN, Location
from tensorc.floats import from_bytes
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
from tensorc.ir.dims import Dim
from tensorc.ir.text.dims_parser import DimsError, parse_dim
from tensorc.ir.text.lexer import LONGEST_NUMBER, Lexer, quote
from tensorc.ir.text.maps_parser import read_affine_map
from tensorc.ir.types import (
    ELEMENTS,
    F64,
    I1,
    I64,
    Element,
    FunctionType,
    MemRefType,
    TensorType,
    Type,
    VectorType,
)

NESTING = 64  # of attributes and types; nobody needs more, and it bounds recursion
HIGHEST_RANK = 32
LARGEST_DENSE = 1 << 28  # bytes that a splat may stand for
LARGEST_SIZE = (1 << 63) - 1

_SIZES = re.compile(r"(?:(?:[0-9]++|\?)x)*+")
_WHOLE_TYPE = re.compile(r"\w++<[^<>]*+(?:<[^<>]*+>[^<>]*+)?>", re.ASCII)
_ENUM_VALUE = re.compile(r"[\w$., =|+-]*+", re.ASCII)

Token = tuple[str, str, Location]  # kind, text and location of a literal


class AttributeParser:
    """Reads types and attributes from a lexer; knows the aliases (`#map = …`)."""

    def __init__(self, lexer: Lexer) -> None:
        self.lexer = lexer
        self.aliases: dict[str, Attribute] = {}
        self.depth = 0
        self.dims: dict[str, Dim] = {}
        self.types: dict[str, Type] = {}

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Count the nesting, and refuse what is too deep."""
        self.depth += 1
        if self.depth > NESTING:
            self.lexer.fail("TC0209", f"nested more than {NESTING} deep")
        yield
        self.depth -= 1

    # Types

    def type(self) -> Type:
        """Read a type."""
        lexer = self.lexer
        if lexer.kind == "(":
            return self.function_type()
        if lexer.text in _SHAPED:
            return self.shaped_type()
        if lexer.text not in ELEMENTS:
            lexer.expected("a type")
        return ELEMENTS[lexer.advance()]

    def shaped_type(self) -> Type:
        """Read a type with a shape; most stand in a text many times."""
        lexer = self.lexer
        match = _WHOLE_TYPE.match(lexer.source, lexer.start)
        whole = match.group() if match else ""
        if whole in self.types:
            lexer.end = lexer.start + len(whole)
            lexer.advance()
            return self.types[whole]
        end = lexer.start + len(whole)
        type_ = _SHAPED[lexer.text](self)
        if lexer.left == end:
            self.types[whole] = type_
        return type_

    def element(self) -> Element:
        """Read a scalar type."""
        if self.lexer.text not in ELEMENTS:
            self.lexer.expected("a scalar type")
        return ELEMENTS[self.lexer.advance()]

    def function_type(self) -> FunctionType:
        """Read `(inputs) -> result` or `(inputs) -> (results)`."""
        with self.nested():
            inputs = self.type_list()
            self.lexer.expect("->")
            if self.lexer.kind == "(":
                return FunctionType(inputs, self.type_list())
            return FunctionType(inputs, (self.type(),))

    def type_list(self) -> tuple[Type, ...]:
        """Read types in parentheses."""
        self.lexer.expect("(")
        types: list[Type] = []
        while self.lexer.kind != ")":
            types.append(self.type())
            if not self.lexer.accept(","):
                break
        self.lexer.expect(")")
        return tuple(types)

    def _shape(self) -> tuple[list[int | None], Element]:
        """Read `tensor<4x?xf32` up to the element; the caller reads the rest."""
        lexer = self.lexer
        lexer.advance()
        if lexer.kind != "<":
            lexer.expected("'<'")
        location = lexer.location(lexer.skip(lexer.end))
        sizes: list[int | None] = []
        for text in lexer.raw(_SIZES).split("x")[:-1]:
            known = text != "?"
            if known and (len(text) > LONGEST_NUMBER or int(text) > LARGEST_SIZE):
                lexer.fail("TC0206", f"size {quote(text)} is too large", location)
            sizes.append(int(text) if known else None)
        if len(sizes) > HIGHEST_RANK:
            lexer.fail("TC0206", f"rank {len(sizes)} is above {HIGHEST_RANK}", location)
        lexer.advance()
        return sizes, self.element()

    def tensor(self) -> TensorType:
        """Read a tensor type; sizes that are not numbers stand in its `#tc.dims`."""
        start = self.lexer.here()
        sizes, element = self._shape()
        dims: tuple[Dim | None, ...] = tuple(sizes)
        if self.lexer.accept(","):
            dims = self.dims_attribute().dims
        known = [d if isinstance(d, int) else None for d in dims]
        if known != sizes:
            self.lexer.fail("TC0208", "#tc.dims differs from the sizes", start)
        self.lexer.expect(">")
        shape = tuple(d for d in dims if d is not None)
        if len(shape) != len(dims):
            hint = 'write for example tensor<?xf32, #tc.dims<["n"]>>'
            message = "a tensor of unknown size needs #tc.dims"
            self.lexer.fail("TC0208", message, start, hints=[hint])
        return TensorType(shape, element)

    def memref(self) -> MemRefType:
        """Read a memory type."""
        sizes, element = self._shape()
        self.lexer.expect(">")
        return MemRefType(tuple(sizes), element)

    def vector(self) -> VectorType:
        """Read a vector type."""
        start = self.lexer.here()
        sizes, element = self._shape()
        self.lexer.expect(">")
        if len(sizes) != 1 or not sizes[0]:
            self.lexer.fail("TC0206", "a vector has one size, above 0", start)
        return VectorType(sizes[0], element)

    # Attributes

    def attribute(self) -> Attribute:
        """Read an attribute."""
        read = _WORDS.get(self.lexer.text) or _KINDS.get(self.lexer.kind)
        with self.nested():
            return read(self) if read is not None else self.type()

    def string(self) -> str:
        """Read a string."""
        return self.lexer.string()

    def boolean(self) -> bool:
        """Read `true` or `false`."""
        return self.lexer.advance() == "true"

    def number(self) -> int | float | Typed:
        """Read `2 : i64`, `1.0e-3 : f32`, `0x7F800000 : f32`; a type may lack."""
        token = self._token()
        default = F64 if token[0] == "float" else I64
        element = self.element() if self.lexer.accept(":") else default
        value = self.scalar(token, element)
        plain: int | float = value.item()
        return plain if element in (I64, F64) else Typed(plain, element)

    def _token(self) -> Token:
        kind, location = self.lexer.kind, self.lexer.here()
        return kind, self.lexer.advance(), location

    def scalar(self, token: Token, element: Element) -> np.generic:
        """Return the value of a literal as a scalar of that type, exactly."""
        kind, text, location = token
        if len(text) > LONGEST_NUMBER:
            self.lexer.fail("TC0206", f"{quote(text)} is too long", location)
        if kind == "hex":
            return self._bits(token, element)
        if kind == "word" and element == I1:
            return np.bool_(text == "true")
        if kind != ("float" if element.is_float else "int"):
            hint = [f"write {text}.0"] if kind == "int" else []
            message = f"{quote(text)} is no literal of {element}"
            self.lexer.fail("TC0206", message, location, hints=hint)
        if element.is_float:
            with np.errstate(over="ignore"):
                value = element.dtype.type(float(text))
            fits = bool(np.isfinite(value))
        else:
            low, high = limits(element)
            fits = low <= int(text) <= high
            value = element.dtype.type(int(text) if fits else 0)
        if not fits:
            message = f"{quote(text)} does not fit into {element}"
            self.lexer.fail("TC0206", message, location)
        return value

    def _bits(self, token: Token, element: Element) -> np.generic:
        _, text, location = token
        bits = int(text, 16)
        if bits >> element.bits:
            message = f"{quote(text)} has more than {element.bits} bits"
            self.lexer.fail("TC0206", message, location)
        data = bits.to_bytes(element.bytes, "little")
        value = from_bytes(data, element.dtype)[0]
        assert isinstance(value, np.generic)
        return value

    def symbol(self) -> SymbolRef:
        """Read `@name`."""
        text = self.lexer.text[1:]
        name = self.lexer.unescape(text[1:-1]) if text[0] == '"' else text
        self.lexer.advance()
        if self.lexer.kind == "::":
            self.lexer.fail("TC0210", "nested references are not supported")
        return SymbolRef(name)

    def array(self) -> ArrayAttr:
        """Read `[a, b]`."""
        self.lexer.expect("[")
        items: list[Attribute] = []
        while self.lexer.kind != "]":
            items.append(self.attribute())
            if not self.lexer.accept(","):
                break
        self.lexer.expect("]")
        return ArrayAttr(tuple(items))

    def dictionary(self) -> Dict:
        """Read `{a = 1 : i64}`."""
        return Dict(tuple(sorted(self.entries().items(), key=lambda e: e[0])))

    def entries(self) -> dict[str, Attribute]:
        """Read named attributes in braces."""
        lexer = self.lexer
        lexer.expect("{")
        found: dict[str, Attribute] = {}
        while lexer.kind != "}":
            if lexer.kind not in ("word", "string"):
                lexer.expected("the name of an attribute")
            location = lexer.here()
            name = lexer.string() if lexer.kind == "string" else lexer.advance()
            if name in found:
                lexer.fail(
                    "TC0204", f"attribute '{quote(name)}' stands twice", location
                )
            if lexer.kind in (",", "}"):
                hint = f"write {quote(name)} = true"
                lexer.fail("TC0210", "unit attributes are not supported", hints=[hint])
            lexer.expect("=")
            found[name] = self.attribute()
            if not lexer.accept(","):
                break
        lexer.expect("}")
        return found

    def integers(self) -> tuple[int, ...]:
        """Read `array<i64: 1, 2>`; i32 is accepted too, and checked."""
        lexer = self.lexer
        lexer.advance()
        lexer.expect("<")
        if lexer.text not in ("i64", "i32"):
            lexer.expected("i64 or i32")
        low, high = limits(self.element())
        values: list[int] = []
        if lexer.accept(":"):
            values.append(lexer.integer(low, high, "an integer"))
            while lexer.accept(","):
                values.append(lexer.integer(low, high, "an integer"))
        lexer.expect(">")
        return tuple(values)

    def affine_map(self) -> AffineMap:
        """Read `affine_map<(d0, d1) -> (d1, 0)>`."""
        self.lexer.advance()
        return read_affine_map(self.lexer)

    def hash(self) -> Attribute:
        """Read `#tc.dims<…>`, an enumeration's value, or an alias."""
        lexer = self.lexer
        if lexer.text == "#tc.dims":
            return self.dims_attribute()
        if lexer.text in self.aliases:
            return self.aliases[lexer.advance()]
        if "." not in lexer.text:
            lexer.fail("TC0203", f"'{quote(lexer.text)}' is not defined")
        name = lexer.advance()[1:]
        if lexer.kind != "<":
            lexer.expected("'<'")
        value = lexer.raw(_ENUM_VALUE).strip()
        lexer.advance()
        lexer.expect(">", "a plain value and '>'")
        return Enum(name, value)

    def dims_attribute(self) -> Dims:
        """Read `#tc.dims<["B", 10]>`."""
        lexer = self.lexer
        if lexer.text != "#tc.dims":
            lexer.expected("#tc.dims")
        lexer.advance()
        lexer.expect("<")
        lexer.expect("[")
        dims: list[Dim] = []
        while lexer.kind != "]":
            dims.append(self._dim())
            if not lexer.accept(","):
                break
        lexer.expect("]")
        lexer.expect(">")
        return Dims(tuple(dims))

    def _dim(self) -> Dim:
        lexer = self.lexer
        if lexer.kind != "string":
            return lexer.integer(-LARGEST_SIZE - 1, LARGEST_SIZE, "a dimension")
        if lexer.text not in self.dims:
            try:
                self.dims[lexer.text] = parse_dim(lexer.unescape(lexer.text[1:-1]))
            except DimsError as error:
                lexer.fail("TC0208", f"{quote(lexer.text)}: {error}")
        return self.dims[lexer.advance()]

    # Constant arrays

    def dense(self) -> Dense:
        """Read `dense<[[1.0, 2.0]]> : tensor<1x2xf32>`, a splat, or hex bytes."""
        lexer = self.lexer
        start = lexer.here()
        lexer.advance()
        lexer.expect("<")
        data = lexer.string() if lexer.kind == "string" else None
        tokens: list[Token] = []
        empty = data is not None or lexer.kind == ">"
        listed = None if empty else self._elements(tokens, 0)
        lexer.expect(">")
        lexer.expect(":")
        type_ = self.type()
        if not isinstance(type_, TensorType):
            lexer.fail("TC0207", f"dense needs a tensor type, got {type_}", start)
        shape = [d for d in type_.shape if isinstance(d, int)]
        if len(shape) != type_.rank:
            lexer.fail("TC0207", f"dense needs known sizes, got {type_}", start)
        count = 1
        for size in shape:
            count *= size
        if count * type_.element.bytes > LARGEST_DENSE:
            lexer.fail("TC0207", f"{type_} is too large for a constant", start)
        if data is not None:
            flat = self._from_hex(data, type_.element, count, start)
        else:
            splat = listed == () and count > 0
            if not splat and not (listed is None and count == 0):
                self._require_shape(listed, shape, start)
            values = [self.scalar(t, type_.element) for t in tokens]
            flat = np.array(values, type_.element.dtype)
        if len(flat) == 1:
            flat = np.repeat(flat, count)
        return Dense(flat.reshape(shape), type_)

    def _require_shape(
        self, listed: tuple[int, ...] | None, shape: list[int], start: Location
    ) -> None:
        # An empty list cannot show the sizes behind its 0.
        found = list(listed or ())
        fits = found == shape[: len(found)] if 0 in found else found == shape
        if not fits or (listed is not None and not listed):
            message = f"dense lists {found}, its type says {shape}"
            self.lexer.fail("TC0207", message, start)

    def _elements(self, tokens: list[Token], depth: int) -> tuple[int, ...]:
        """Read a nested list of literals; return its shape."""
        lexer = self.lexer
        if lexer.kind != "[":
            literal = lexer.kind in ("int", "float", "hex")
            if not literal and lexer.text not in ("true", "false"):
                lexer.expected("a number")
            tokens.append(self._token())
            return ()
        if depth >= HIGHEST_RANK:
            lexer.fail("TC0209", f"nested more than {HIGHEST_RANK} deep")
        lexer.advance()
        count, inner = 0, None
        while lexer.kind != "]":
            location = lexer.here()
            shape = self._elements(tokens, depth + 1)
            if inner not in (None, shape):
                lexer.fail("TC0207", "the lists of dense differ in length", location)
            count, inner = count + 1, shape
            if not lexer.accept(","):
                break
        lexer.expect("]")
        return (count, *(inner or ()))

    def _from_hex(
        self, text: str, element: Element, count: int, start: Location
    ) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
        if element == I1:
            self.lexer.fail("TC0210", "dense hex bytes of i1 are not supported", start)
        digits = text.removeprefix("0x")
        try:
            data = bytes.fromhex(digits)
        except ValueError:
            self.lexer.fail("TC0207", "dense has bad hex digits", start)
        sizes = (element.bytes, count * element.bytes)
        if len(digits) != 2 * len(data) or len(data) not in sizes:
            message = f"dense has {len(data)} bytes, its type needs {sizes[1]}"
            self.lexer.fail("TC0207", message, start)
        return from_bytes(data, element.dtype)

    # Locations

    def location(self) -> Location | str:
        """Read `(…)` behind `loc`; return the location, or the alias that names it."""
        self.lexer.expect("(")
        location = self._location()
        self.lexer.expect(")")
        return location

    def _location(self) -> Location | str:
        lexer = self.lexer
        if lexer.kind == "hash":
            return lexer.advance()
        if lexer.kind == "word" and lexer.text in _PLACES:
            with self.nested():
                return _PLACES[lexer.advance()](self)
        file = lexer.string()
        if lexer.kind == "(":
            with self.nested():
                return self.location()
        if lexer.kind != ":":
            return UNKNOWN
        return self._line_and_columns(file)

    def _line_and_columns(self, file: str) -> Location:
        lexer = self.lexer
        numbers = []
        for what in ("a line", "a column"):
            lexer.expect(":")
            numbers.append(lexer.integer(0, 1 << 31, what))
        line, column = numbers
        end_line = end_column = 0
        if lexer.kind == "word" and lexer.text == "to":
            lexer.advance()
            if lexer.kind == "int":
                end_line = lexer.integer(0, 1 << 31, "a line")
            lexer.expect(":")
            end_column = lexer.integer(0, 1 << 31, "a column")
        return Location(file, line, column, end_line, end_column)

    def _fused(self) -> Location | str:
        if self.lexer.accept("<"):
            self.attribute()
            self.lexer.expect(">")
        self.lexer.expect("[")
        first = self._location()
        while self.lexer.accept(","):
            self._location()
        self.lexer.expect("]")
        return first

    def _callsite(self) -> Location | str:
        self.lexer.expect("(")
        callee = self._location()
        self.lexer.expect("word", "'at'")
        self._location()
        self.lexer.expect(")")
        return callee


def limits(element: Element) -> tuple[int, int]:
    """Return the least and the greatest value of an integer type."""
    if element == I1:
        return 0, 1
    if element.is_unsigned:
        return 0, (1 << element.bits) - 1
    half = 1 << (element.bits - 1)
    return -half, half - 1


_SHAPED: Mapping[str, Callable[[AttributeParser], Type]] = {
    "tensor": AttributeParser.tensor,
    "memref": AttributeParser.memref,
    "vector": AttributeParser.vector,
}
_WORDS: Mapping[str, Callable[[AttributeParser], Attribute]] = {
    "true": AttributeParser.boolean,
    "false": AttributeParser.boolean,
    "array": AttributeParser.integers,
    "dense": AttributeParser.dense,
    "affine_map": AttributeParser.affine_map,
}
_KINDS: Mapping[str, Callable[[AttributeParser], Attribute]] = {
    "string": AttributeParser.string,
    "int": AttributeParser.number,
    "hex": AttributeParser.number,
    "float": AttributeParser.number,
    "symbol": AttributeParser.symbol,
    "hash": AttributeParser.hash,
    "[": AttributeParser.array,
    "{": AttributeParser.dictionary,
}
_PLACES: Mapping[str, Callable[[AttributeParser], Location | str]] = {
    "unknown": lambda _: UNKNOWN,
    "fused": AttributeParser._fused,
    "callsite": AttributeParser._callsite,
}
