"""What the options of the library's functions take: a table of kinds, for all doors.

A door reads what a user wrote as plain: none, truth values, numbers, sizes, texts,
tuples of these, and `Odd` for the rest. `checked` compares it with the kind of the
option before the function runs, so that no function meets what it cannot read, and a
mistake has the same words in every door.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, Union

from tensorc.errors import Diagnostic, Location
from tensorc.frontend.library.mistakes import ArgumentError, UsageError
from tensorc.frontend.library.operands import Emitter, Operand, number
from tensorc.ir.dims import VALUE, Poly

REQUIRED = object()  # stands for the default of an option that must be given
MOST_BITS = 62  # of an integer: its negative and its neighbours fit 64 bits, too
LONGEST = 60  # characters of a value that a message shows
_WRONG_KIND = "TC0317"
_NOT_KNOWN = "TC0309"
_SIZES = "made of integers, sizes and integer inputs"


@dataclass(frozen=True, slots=True)
class Odd:
    """What a user gave that is nothing plain; `words` say what it is.

    `is_computed`: it has a value only in a call. `operand` is that of a computed
    number; `reason` and `hint` say why it is no size, and what to do.
    """

    words: str
    is_computed: bool = False
    operand: Operand | None = None
    reason: str = ""
    hint: str = ""


Plain: TypeAlias = Union[bool, int, float, str, Poly, "Odd", tuple["Plain", ...], None]


@dataclass(frozen=True, slots=True)
class OptionValue:
    """A value of an option as its door read it, and where it stands in the source."""

    plain: Plain
    location: Location | None = None


class _UnfitError(Exception):
    """What `part` is does not fit; `is_value`: its type does, its value does not."""

    def __init__(self, part: Plain, is_value: bool = False) -> None:
        super().__init__(part)
        self.part = part
        self.is_value = is_value


@dataclass(frozen=True, slots=True)
class Kind:
    """What an option may be.

    `words` follow "axis is" in messages; `read` returns the value that functions of
    the library get. With `sizes` formulas of sizes are taken, with `computed` numbers
    that only a call knows; everything else is known while compiling.
    """

    words: str
    read: Callable[[Plain], object]
    sizes: bool = False
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a function: its kind, its default, whether none is a value of it."""

    kind: Kind
    default: object = REQUIRED
    none: bool = False
    hint: str = ""


def words(option: Option, none: str) -> str:
    """Return what an option may be; `none` is how a door spells that."""
    kind = option.kind.words
    if not option.none:
        return kind
    return f"{none}, {kind}" if " or " in kind else f"{kind} or {none}"


# Readers: of one value, of several


def _integer(given: Plain) -> int:
    if type(given) is not int or given.bit_length() > MOST_BITS:
        raise _UnfitError(given)
    return given


def _size(given: Plain) -> "int | Poly":
    return given if isinstance(given, Poly) else _integer(given)


def _flag(given: Plain) -> bool:
    # NumPy's users write 1 for True, too.
    if type(given) not in (bool, int) or given not in (0, 1):
        raise _UnfitError(given)
    return bool(given)


def _truth(given: Plain) -> bool:
    if not isinstance(given, bool):
        raise _UnfitError(given)
    return given


def _number(given: Plain) -> Operand:
    if isinstance(given, Odd) and given.operand is not None:
        return given.operand
    if isinstance(given, bool) or not isinstance(given, int | float | Poly):
        raise _UnfitError(given)
    return number(given)


def _ends(given: Plain) -> tuple[Operand, Operand]:
    if not isinstance(given, tuple) or len(given) != 2:
        raise _UnfitError(given)
    return _number(given[0]), _number(given[1])


def _text(given: Plain) -> str:
    if not isinstance(given, str):
        raise _UnfitError(given)
    return given


def _several(leaf: Callable[[Plain], object]) -> Callable[[Plain], object]:
    """Return the reader of one value or a tuple of them."""

    def read(given: Plain) -> object:
        if isinstance(given, tuple):
            return tuple([leaf(part) for part in given])
        return leaf(given)

    return read


def _parts(given: Plain) -> object:
    if isinstance(given, tuple):
        return tuple([_size(part) for part in given])
    return _integer(given)


def _axes_of_two(given: Plain) -> object:
    if not isinstance(given, tuple):
        return _integer(given)
    if len(given) != 2:
        raise _UnfitError(given)
    return tuple([_several(_integer)(part) for part in given])


def _pattern(given: Plain) -> object:
    if not isinstance(given, tuple):
        raise _UnfitError(given)
    return tuple([part if part == "x" else _integer(part) for part in given])


def _padding(leaf: Callable[[Plain], object]) -> Callable[[Plain], object]:
    """Return the reader of padding: a word, or what `leaf` reads, for each axis."""

    def read(given: Plain) -> object:
        if isinstance(given, str) and given not in _PADDINGS:
            raise _UnfitError(given, is_value=True)
        if isinstance(given, tuple) and len({isinstance(p, tuple) for p in given}) > 1:
            raise _UnfitError(given)  # "(3)" is no tuple: (before, after) was meant
        return given if isinstance(given, str) else _several(_several(leaf))(given)

    return read


def one_of(*words: str) -> Kind:
    """Return the kind of an option that is one of some words."""

    def read(given: Plain) -> str:
        text = _text(given)
        if text not in words:
            raise _UnfitError(given, is_value=True)
        return text

    return Kind(" or ".join(map(repr, words)), read)


# The kinds

AXIS = Kind("one integer", _integer)
AXES = Kind("an integer or a tuple of integers", _several(_integer))
INTEGER = Kind("an integer", _integer)
INTEGERS = Kind("an integer or a tuple of integers", _several(_integer))
SIZE = Kind("an integer or a size", _size, sizes=True)
SHAPE = Kind("a size or a tuple of sizes", _several(_size), sizes=True)
PARTS = Kind(
    "a number of parts, or a tuple of the indices between them", _parts, sizes=True
)
FLAG = Kind("true or false", _flag)
TRUTH = Kind("true or false", _truth)  # of functions that NumPy has not
NUMBER = Kind("a number", _number, sizes=True, computed=True)
ENDS = Kind("a pair (low, high)", _ends, sizes=True, computed=True)
TEXT = Kind("a text", _text)
WIDTHS = Kind(
    "an integer, a pair (before, after), or such a pair for each axis",
    _several(_several(_integer)),
)
_PADDINGS = ("valid", "same", "full", "half")
_WORDS_OF_PADDING = ", ".join(map(repr, _PADDINGS))
PADDING = Kind(
    f"{_WORDS_OF_PADDING}, a size, or sizes or pairs (before, after) of all axes",
    _padding(_size),
    sizes=True,
)
KNOWN_PADDING = Kind(
    f"{_WORDS_OF_PADDING}, an integer, or such or pairs (before, after) of all axes",
    _padding(_integer),
)
AXES_OF_TWO = Kind("an integer, or a pair (axes of x, axes of y)", _axes_of_two)
PATTERN = Kind("axes and 'x'", _pattern)


# Checking


def checked_all(
    b: Emitter,
    function: str,
    options: Mapping[str, Option],
    given: Mapping[str, OptionValue],
) -> dict[str, object]:
    """Return the values of all options of a function, defaults for those not given."""
    values: dict[str, object] = {}
    for name, option in options.items():
        default = option.default
        if name in given:
            values[name] = checked(b, function, name, option, given[name])
        elif default is REQUIRED:
            message = f"`{function}` lacks the argument `{name}`"
            raise UsageError(Diagnostic("TC0305", message, b.location))
        else:
            plain: Plain = default  # type: ignore[assignment]
            values[name] = None if plain is None else option.kind.read(plain)
    return values


def checked(
    b: Emitter, function: str, name: str, option: Option, given: OptionValue
) -> object:
    """Return an option's value; an error at its source location if it is none."""
    if given.plain is None and option.none:
        return None
    try:
        return option.kind.read(given.plain)
    except _UnfitError as unfit:
        code, message, hints = _complaint(b, name, option, given.plain, unfit)
        if option.hint:
            hints = (option.hint,)
        location = given.location or b.location
        cls = ArgumentError if unfit.is_value else UsageError
        message = f"`{function}`: {name} {message}"
        diagnostic = Diagnostic(code, message, location, hints=hints)
        raise cls(diagnostic) from None


def _complaint(
    b: Emitter, name: str, option: Option, plain: Plain, unfit: _UnfitError
) -> tuple[str, str, tuple[str, ...]]:
    """Return the code, what follows the option's name, and the ways out."""
    part, shown = unfit.part, spell(b, plain)
    if isinstance(part, int) and part.bit_length() > MOST_BITS:
        unfit.is_value = True
        return _WRONG_KIND, f"is too large: {shown}", ()
    if isinstance(part, Odd) and part.is_computed and option.kind.sizes:
        message = (
            f"must be {_SIZES}: {part.reason}" if part.reason else f"must be {_SIZES}"
        )
        ways = (part.hint,) if part.hint else ()
        return _NOT_KNOWN, message if part.reason else f"{message}, got {shown}", ways
    if isinstance(part, Poly) or (isinstance(part, Odd) and part.is_computed):
        message = f"must be known while compiling, got {shown}"
        return _NOT_KNOWN, message, (f"write {option.kind.words}",)
    hints: tuple[str, ...] = ()
    if isinstance(part, float) and not option.kind.computed:
        hints = ("write an integer: `n // 2` where you wrote `n / 2`",)
    if isinstance(part, str) and f"'{part.lower()}'" in option.kind.words:
        hints = (f"write '{part.lower()}'",)
    return _WRONG_KIND, f"must be {words(option, b.spell(None))}, got {shown}", hints


def spell(b: Emitter, plain: Plain) -> str:
    """Return a value as the door writes it, for messages."""
    text = _spelled(b, plain)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _spelled(b: Emitter, plain: Plain) -> str:
    match plain:
        case Odd():
            return plain.words
        case None | bool():
            return b.spell(plain)
        case Poly():
            return str(plain).replace(VALUE, "")
        case tuple():
            comma = "," if len(plain) == 1 else ""
            # Longer than a message shows: no more than that is spelled.
            inner = ", ".join([_spelled(b, part) for part in plain[:LONGEST]])
            return f"({inner}{comma})"
        case str():
            return repr(plain[:LONGEST])
        case int() if plain.bit_length() > 2 * MOST_BITS:
            return f"an integer of {plain.bit_length()} bits"
        case _:
            return repr(plain)
