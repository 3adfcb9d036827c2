"""Read `mnist.pkl.gz`, which is a pickle, without unpickling: nothing in it is called.

A pickle is a program for a small stack machine, and most of its instructions can be
made to run any code. Here a few are interpreted that give tuples, lists, numbers, texts
and bytes; three functions and two classes of NumPy are known by their names, and only
say how bytes are to be read as an array. Everything else is refused by its name.
"""

import codecs
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from tensorc.errors import DataError
from tensorc.runtime.arrays import Array
from tensorc.runtime.files.columns import SMALL, data_error, unzipped

_MAX_VALUES = 100_000  # on the stack, in the memo, in a list
_MAX_INSTRUCTIONS = 1_000_000
_MAX_LINE = 1 << 28
_MAX_MARKS = 1000
_MAX_RANK = 32
_MAX_COPIES = 4  # of what the file holds, in bytes
_INSTEAD = "save the arrays with numpy.savez, and read them with npz(…)"


@dataclass(frozen=True, slots=True)
class _Global:
    """A function or class by its name."""

    name: str


@dataclass(slots=True)
class _Type:
    """A NumPy dtype; its state tells the order of the bytes."""

    spelling: str
    order: str = ""


@dataclass(slots=True)
class _Array:
    """A NumPy array, empty until its state is built."""

    array: Array | None = None


Value: TypeAlias = (
    "bool | int | str | bytes | memoryview | tuple[Value, ...] | list[Value]"
    " | _Global | _Type | _Array | None"
)

_RECONSTRUCT = frozenset(
    f"numpy.{core}.multiarray _reconstruct" for core in ("core", "_core")
)
_KNOWN = frozenset({*_RECONSTRUCT, "numpy ndarray", "numpy dtype", "_codecs encode"})
_SCALARS = frozenset(
    {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
)


class _Refused(Exception):
    """Why the file is not read."""


@dataclass(slots=True)
class _Machine:
    """The stack machine: `marks` are places in the stack."""

    data: memoryview
    position: int = 0
    stack: list[Value] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Value] = field(default_factory=dict)
    copied: int = 0

    def take(self, count: int) -> memoryview:
        """Return the next bytes of the program."""
        piece = self.data[self.position : self.position + count]
        if len(piece) < count:
            raise _Refused("it ends early")
        self.position += count
        return piece

    def copy(self, size: int) -> None:
        """Count bytes that are about to be copied: a value may be copied often."""
        self.copied += size
        if self.copied > max(SMALL, _MAX_COPIES * len(self.data)):
            raise _Refused("it copies its values again and again")

    def number(self, count: int) -> int:
        """Return the next bytes as a little-endian number without a sign."""
        return int.from_bytes(self.take(count), "little")

    def line(self) -> bytes:
        """Return the next bytes up to a newline, which is skipped."""
        window = 256
        while True:
            piece = bytes(self.data[self.position : self.position + window])
            end = piece.find(b"\n")
            if end >= 0:
                self.position += end + 1
                return piece[:end]
            if len(piece) < window or window > _MAX_LINE:
                raise _Refused("it ends within a line")
            window *= 16

    def pop(self) -> Value:
        """Take the value on top of the stack."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise _Refused("it takes a value from an empty stack")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Value]:
        """Take the values above the last mark."""
        if not self.marks:
            raise _Refused("it takes values from a mark that is not there")
        mark = self.marks.pop()
        values = self.stack[mark:]
        del self.stack[mark:]
        return values

    def push(self, value: Value) -> None:
        """Put a value on the stack."""
        if len(self.stack) >= _MAX_VALUES:
            raise _Refused(f"it holds more than {_MAX_VALUES:,} values")
        self.stack.append(value)


def read_pickled(path: Path) -> object:
    """Return tuples, lists and arrays that a pickle of protocol 0 to 2 describes.

    Raises:
        DataError: the file cannot be read (TC0401, TC0402, TC0405), or it holds an
            instruction or a name that is not of nested tuples of arrays (TC0409).
    """
    machine = _Machine(memoryview(unzipped(path)).toreadonly())
    try:
        return _finished(_run(machine))
    except _Refused as error:
        raise refused(path, str(error)) from None


def refused(path: Path, detail: str) -> DataError:
    """Return the error that a pickle is not read."""
    return data_error(path, "TC0409", f"a pickle, but {detail}", _INSTEAD)


def _run(machine: _Machine) -> Value:
    for _ in range(_MAX_INSTRUCTIONS):
        code = machine.take(1)[0]
        if code == ord("."):
            value = machine.pop()
            if machine.stack or machine.position < len(machine.data):
                raise _Refused("more follows after its end")
            return value
        instruction = _INSTRUCTIONS.get(code)
        if instruction is None:
            name = _OTHERS.get(code, "an unknown instruction")
            raise _Refused(f"byte {machine.position - 1:,} is {code:#04x}, {name}")
        instruction(machine)
    raise _Refused(f"it has more than {_MAX_INSTRUCTIONS:,} instructions")


def _finished(value: Value) -> object:
    """Return a value of tuples, lists and arrays to the depth of a data set."""

    def plain(value: Value, depth: int) -> object:
        if isinstance(value, _Array) and value.array is not None:
            return value.array
        if isinstance(value, tuple | list) and depth < 4 and len(value) <= 16:
            return tuple(plain(element, depth + 1) for element in value)
        raise _Refused("it is no tuple of tuples of arrays")

    return plain(value, 0)


# Instructions


def _protocol(m: _Machine) -> None:
    version = m.take(1)[0]
    if version > 2:
        raise _Refused(f"its protocol is {version}, at most 2 is read")


def _mark(m: _Machine) -> None:
    if len(m.marks) >= _MAX_MARKS:
        raise _Refused("it is nested too deep")
    m.marks.append(len(m.stack))


def _decimal(m: _Machine) -> None:
    text = m.line()
    if text in (b"00", b"01"):
        m.push(text == b"01")
        return
    digits = text.removesuffix(b"L")
    if not digits.removeprefix(b"-").isdigit() or len(digits) > 20:
        raise _Refused("it holds a number that is none, or a long one")
    m.push(int(digits))


def _long(m: _Machine) -> None:
    count = m.take(1)[0]
    if count > 9:
        raise _Refused(f"it holds an integer of {count} bytes")
    m.push(int.from_bytes(m.take(count), "little", signed=True))


def _quoted(m: _Machine) -> None:
    text = m.line().strip()
    if len(text) < 2 or text[:1] not in b"'\"" or text[:1] != text[-1:]:
        raise _Refused("it holds a text without quotes")
    try:
        m.push(codecs.escape_decode(text[1:-1])[0])
    except ValueError:
        raise _Refused("it holds a text with a wrong escape") from None


def _unicode(m: _Machine, raw: bytes, encoding: str) -> None:
    try:
        m.push(raw.decode(encoding, "surrogatepass"))
    except UnicodeDecodeError:
        raise _Refused(f"it holds a text that is not {encoding}") from None


def _global(m: _Machine) -> None:
    names = m.line().decode("latin-1"), m.line().decode("latin-1")
    name = " ".join(names)
    if name not in _KNOWN:
        raise _Refused("it names what nothing here calls or makes")
    m.push(_Global(name))


def _reduce(m: _Machine) -> None:
    """What would call a function; here it makes an array, a dtype or bytes."""
    arguments, function = m.pop(), m.pop()
    if not isinstance(function, _Global) or not isinstance(arguments, tuple):
        raise _Refused("it calls what is no function")
    m.push(_made(m, function.name, arguments))


def _made(m: _Machine, name: str, arguments: tuple[Value, ...]) -> Value:
    match arguments:
        case (_Global("numpy ndarray"), _, _) if name in _RECONSTRUCT:
            return _Array()
        case (str() | bytes() | memoryview() as spelling, *_) if name == "numpy dtype":
            text = _text(spelling)
            if text.lstrip("|<>=") not in _SCALARS:
                raise _Refused("it holds an array that is not of numbers")
            return _Type(text.lstrip("|<>="), text[:1] if text[0] in "<>" else "")
        case (str(text), "latin1" | "latin-1") if name == "_codecs encode":
            # How Python 3 writes bytes in protocol 2.
            m.copy(len(text))
            try:
                return text.encode("latin-1")
            except UnicodeEncodeError:
                raise _Refused("it holds bytes that are none") from None
        case _:
            raise _Refused(f"it calls {name.replace(' ', '.')!r} in its own way")


def _build(m: _Machine) -> None:
    """Set the state of a dtype or an array."""
    state = m.pop()
    target = m.stack[-1] if m.stack else None
    match target, state:
        case _Type(), (int(), str() | bytes() | memoryview() as order, *_):
            text = _text(order)
            if text not in ("<", ">", "|", "="):
                raise _Refused("it holds numbers of an unknown order")
            target.order = text if text in "<>" else ""
        case _Array(), (int(), tuple(shape), _Type() as type_, int(fortran), data):
            if target.array is not None:
                raise _Refused("it sets an array twice")
            target.array = _array(m, shape, type_, bool(fortran), data)
        case _:
            raise _Refused("it sets the state of what is no array")


def _array(
    m: _Machine, shape: tuple[Value, ...], type_: _Type, fortran: bool, data: Value
) -> Array:
    sizes = [s for s in shape if type(s) is int and 0 <= s < 1 << 40]
    if len(sizes) < len(shape) or len(shape) > _MAX_RANK:
        raise _Refused("it holds an array without a shape")
    if not isinstance(data, bytes | memoryview):
        raise _Refused("it holds an array whose elements are no bytes")
    dtype = np.dtype(type_.order + type_.spelling)
    if math.prod(sizes) * dtype.itemsize != len(data):
        spelled = " x ".join(map(str, sizes))
        detail = f"it holds an array of {spelled} elements in {len(data):,} bytes"
        raise _Refused(detail)
    flat = np.frombuffer(data, dtype) if len(data) else np.empty(0, dtype)
    if dtype.kind == "b" and flat.view(np.uint8).max(initial=0) > 1:
        raise _Refused("it holds a truth value that is neither 0 nor 1")
    m.copy(len(data))  # if it is not in the order of this machine
    array = flat.reshape(sizes, order="F" if fortran else "C")
    return np.ascontiguousarray(array, dtype.newbyteorder("=")).reshape(sizes)


def _text(value: str | bytes | memoryview) -> str:
    """Return a short text; Python 2 wrote texts as bytes."""
    text = value if isinstance(value, str) else bytes(value[:32]).decode("latin-1")
    return text[:32] or " "


def _append(m: _Machine, values: list[Value]) -> None:
    target = m.stack[-1] if m.stack else None
    if not isinstance(target, list) or len(target) + len(values) > _MAX_VALUES:
        raise _Refused("it adds to what is no list, or to a long one")
    target.extend(values)


def _put(m: _Machine, key: int) -> None:
    if not m.stack or len(m.memo) >= _MAX_VALUES:
        raise _Refused("it keeps too much, or nothing")
    m.memo[key] = m.stack[-1]


def _get(m: _Machine, key: int) -> None:
    if key not in m.memo:
        raise _Refused("it asks for a value that it did not keep")
    m.push(m.memo[key])


def _key(m: _Machine) -> int:
    text = m.line()
    if not text.isdigit() or len(text) > 10:
        raise _Refused("it keeps a value under what is no number")
    return int(text)


def _tuple(m: _Machine, count: int) -> None:
    values = [m.pop() for _ in range(count)]
    m.push(tuple(reversed(values)))


def _signed(m: _Machine) -> int:
    return int.from_bytes(m.take(4), "little", signed=True)


def _length(m: _Machine) -> int:
    count = _signed(m)
    if count < 0:
        raise _Refused("it holds bytes of a negative length")
    return count


_INSTRUCTIONS: Mapping[int, Callable[[_Machine], None]] = {
    ord("\x80"): _protocol,
    ord("("): _mark,
    ord("N"): lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    ord("I"): _decimal,
    ord("L"): _decimal,
    ord("J"): lambda m: m.push(_signed(m)),
    ord("K"): lambda m: m.push(m.number(1)),
    ord("M"): lambda m: m.push(m.number(2)),
    0x8A: _long,
    ord("S"): _quoted,
    ord("T"): lambda m: m.push(m.take(_length(m))),
    ord("U"): lambda m: m.push(m.take(m.number(1))),
    ord("V"): lambda m: _unicode(m, m.line(), "raw-unicode-escape"),
    ord("X"): lambda m: _unicode(m, bytes(m.take(m.number(4))), "utf-8"),
    ord("c"): _global,
    ord("R"): _reduce,
    ord("b"): _build,
    ord(")"): lambda m: m.push(()),
    ord("t"): lambda m: m.push(tuple(m.pop_to_mark())),
    0x85: lambda m: _tuple(m, 1),
    0x86: lambda m: _tuple(m, 2),
    0x87: lambda m: _tuple(m, 3),
    ord("]"): lambda m: m.push([]),
    ord("l"): lambda m: m.push(m.pop_to_mark()),
    ord("a"): lambda m: _append(m, [m.pop()]),
    ord("e"): lambda m: _append(m, m.pop_to_mark()),
    ord("p"): lambda m: _put(m, _key(m)),
    ord("q"): lambda m: _put(m, m.number(1)),
    ord("r"): lambda m: _put(m, m.number(4)),
    ord("g"): lambda m: _get(m, _key(m)),
    ord("h"): lambda m: _get(m, m.number(1)),
    ord("j"): lambda m: _get(m, m.number(4)),
}


# Instructions of pickle that are not interpreted, for messages.
_OTHERS: Mapping[int, str] = {
    ord("i"): "INST, which calls a class",
    ord("o"): "OBJ, which calls a class",
    0x81: "NEWOBJ, which calls a class",
    0x92: "NEWOBJ_EX, which calls a class",
    0x93: "STACK_GLOBAL, which imports",
    ord("P"): "PERSID, which asks the reader for an object",
    ord("Q"): "BINPERSID, which asks the reader for an object",
    0x82: "EXT1, a registered object",
    0x83: "EXT2, a registered object",
    0x84: "EXT4, a registered object",
    0x8B: "LONG4, a long integer",
    ord("d"): "DICT",
    ord("}"): "EMPTY_DICT",
    ord("s"): "SETITEM",
    ord("u"): "SETITEMS",
    ord("F"): "FLOAT",
    ord("G"): "BINFLOAT",
    0x8C: "SHORT_BINUNICODE",
    0x8E: "BINBYTES8",
    0x95: "FRAME",
}
