"""What is said of NaNs and infinities: the op, the numbers it met, and the way out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from tensorc.api.finite.origins import TESTS, Origin
from tensorc.errors import Diagnostic, Label, Location, way
from tensorc.floats import is_float, limits
from tensorc.ir.core import Op, Value
from tensorc.ir.opdef import ELEMENTWISE
from tensorc.ir.ops.tensor.convolution import Conv, ConvTranspose
from tensorc.runtime.arrays import Array, describe, spelling_of
from tensorc.runtime.finite import CODE

# How ops are written, where their names are not what is written.
_SIGNS: Mapping[str, str] = MappingProxyType(
    {
        **{"tc.add": "+", "tc.sub": "-", "tc.mul": "*", "tc.div": "/", "tc.pow": "**"},
        **{"tc.matmul": "@", "tc.neg": "-", "tc.mod": "%", "tc.floordiv": "//"},
        "tc.select": "where",
    }
)
_SHOWN = 4  # inputs of an op whose ranges are shown
_LONGEST = 40  # characters of a piece of source that names a value
_FAR = 1 << 20  # bytes of a file that is read for it

Named = Callable[[Value], str]
_TESTS: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {"NaN": np.isnan, "inf": np.isposinf, "-inf": np.isneginf}
)


def spelled(name: str) -> str:
    """Return the name of an op as it is written."""
    return f"`{_SIGNS.get(name, name.removeprefix('tc.'))}`"


def holds(array: Array) -> str:
    """Return how much of an array is not finite: holds NaN in 3 of 10 elements."""
    if array.ndim == 0:
        return f"is {array[()]}"
    bad = ~np.isfinite(array)
    return f"holds {_kinds(array)} in {_count(bad)}"


def made(origin: Origin, derives: str) -> str:
    """Return what an op has made, in one line."""
    assert origin.op is not None
    who = spelled(origin.op.name)
    if derives:
        who = f"the derivative of {spelled(derives)}"
    bad = TESTS[origin.kind](origin.array)
    what = _kinds(origin.array[bad])
    source = " of infinities" if origin.given is not None else ""
    where = "" if origin.array.ndim == 0 else f" in {_count(bad)}"
    return f"{who} made {what}{source}{where}"


def given(origin: Origin, named: Named) -> Diagnostic:
    """Return that an argument or a constant held it: no op made it."""
    message = f"{named(origin.value)} {holds(origin.array)}"
    notes = [] if origin.array.ndim == 0 else [_first(origin)]
    hint = "no op made it: look where it comes from"
    return Diagnostic(
        CODE, message, _location(origin.value), notes=tuple(notes), hints=(hint,)
    )


def nothing_found(name: str) -> Diagnostic:
    """Return what is said where the interpreter finds nothing."""
    message = f"a call of '{name}' gave a NaN or an infinity"
    note = "interpreted again it is finite: it overflows by the last bits of a function"
    hint = "the numbers are at the end of the range of their type: scale them"
    return Diagnostic(CODE, message, notes=(note,), hints=(hint,))


def label(origin: Origin) -> str:
    """Return the first element that is wrong, and what it was made of."""
    op, index = origin.op, _index(origin)
    assert op is not None
    shown = _index(replace(origin, array=_in_one_group(op, origin.array)))
    at = f"at [{', '.join(map(str, shown))}]: " if shown else ""
    value = origin.array[index]
    if ELEMENTWISE not in op.traits:
        return f"{at}{value}"
    numbers = [str(a[index]) for a in origin.operands if a.shape == origin.array.shape]
    sign = _SIGNS.get(op.name, "")
    if len(numbers) == 2 and sign:
        formula = f"{numbers[0]} {sign} {numbers[1]}"
    else:
        formula = f"{spelled(op.name)[1:-1]}({', '.join(numbers)})"
    return f"{at}{formula} is {value}"


def later(origin: Origin, derives: str) -> tuple[Label, ...]:
    """Return where an infinity has become a NaN."""
    if origin.became is None:
        return ()
    who = spelled(origin.became.name)
    if derives:
        who = f"the derivative of {spelled(derives)}"
    return (Label(origin.became.location, f"here {who} makes a NaN of it"),)


def turns(origin: Origin) -> list[str]:
    """Return in which turns of loops it was."""
    return [f"in turn {turn:,} of the loop, counted from 0" for turn in origin.turns]


def inputs(origin: Origin) -> list[str]:
    """Return the ranges of what an op was given."""
    assert origin.op is not None
    found = []
    pairs = list(zip(origin.op.operands, origin.operands, strict=True))
    for number, (value, array) in enumerate(pairs[:_SHOWN]):
        name = _source_of(value, origin.op)
        if not name:
            name = "its input" if len(pairs) == 1 else f"its input {number + 1}"
        shown = describe(_in_one_group(origin.op, array, number))
        found.append(f"{name} {shown}: {spell_range(array)}")
    rest = len(pairs) - _SHOWN
    return list(dict.fromkeys(found)) + (
        [f"and {rest} more inputs"] if rest > 0 else []
    )


def _in_one_group(op: Op, array: Array, operand: int = 0) -> Array:
    """Return what a convolution gives, or is given, as it is written: without groups.

    They are an axis of their own, before that of channels; filters have it in front.
    """
    if not isinstance(op, Conv | ConvTranspose):
        return array
    at = 0 if operand == 1 else 1
    groups, each, *rest = array.shape[at:]
    return array.reshape(*array.shape[:at], groups * each, *rest)


def given_to(origin: Origin, named: Named) -> list[str]:
    """Return which infinities an op has made a NaN of, if it was given these."""
    if origin.given is None:
        return []
    return [f"{named(origin.given.value)} {holds(origin.given.array)}"]


def spell_range(array: Array) -> str:
    """Return the least and the largest element: -0.5 to 88.2, and 3 NaN."""
    if not array.size:
        return "no elements"
    if not is_float(array.dtype):
        low, high = array.min(), array.max()
        return str(low) if low == high else f"{low} to {high}"
    finite = array[np.isfinite(array)]
    parts = []
    if finite.size:
        low, high = _number(finite.min()), _number(finite.max())
        parts.append(low if low == high else f"{low} to {high}")
    for word, test in _TESTS.items():
        count = int(np.count_nonzero(test(array)))
        if count:
            parts.append(word if array.ndim == 0 else f"{count:,} {word}")
    return ", ".join(parts)


def _number(value: object) -> str:
    return f"{float(value):.6g}"  # type: ignore[arg-type]  # a float of NumPy


def _kinds(array: Array) -> str:
    """Return what is not finite in an array, in words."""
    return " and ".join([word for word, test in _TESTS.items() if test(array).any()])


def _count(bad: Array) -> str:
    return f"{int(np.count_nonzero(bad)):,} of {bad.size:,} elements"


def _index(origin: Origin) -> tuple[int, ...]:
    """Return where the first element of the kind is."""
    bad = TESTS[origin.kind](origin.array)
    flat = int(np.argmax(bad.reshape(-1)))
    return tuple(int(i) for i in np.unravel_index(flat, bad.shape))


def _first(origin: Origin) -> str:
    index = _index(origin)
    return f"the first at [{', '.join(map(str, index))}]"


def _location(value: Value) -> Location:
    return value.location


def _source_of(value: Value, reader: Op) -> str:
    """Return the name of a value, or the piece of source that it is made of."""
    if value.hint:
        return f"`{value.hint}`"
    at = value.location
    if not at.line or _span(at) == _span(reader.location) or at.end_line > at.line:
        return ""
    try:
        path = Path(at.file)
        if not path.is_file() or path.stat().st_size > _FAR:
            return ""
        lines = path.read_text("utf-8", errors="replace").split("\n")
    except (OSError, ValueError):
        return ""
    if at.line > len(lines):
        return ""
    text = lines[at.line - 1][at.column - 1 : at.end_column - 1].strip()
    return f"`{text}`" if 0 < len(text) <= _LONGEST else ""


def _span(at: Location) -> tuple[str, int, int]:
    return at.file, at.line, at.column


# Ways out


def ways(origin: Origin, derives: str, later: str) -> tuple[str, ...]:
    """Return what to do: by the op, and by what it was given.

    `derives` is the op whose derivative it is, and `later` that of the op that has made
    a NaN of its infinity, "" where it is none.
    """
    assert origin.op is not None
    name = origin.op.name
    found = []
    if derives in _SLOPES and name in _STEEP:
        found.append(_SLOPES[derives])
        found.append(_BOTH_SIDES)
    elif origin.given is not None:
        found.append(_OF_INFINITIES.get(name, _INFINITIES))
    elif not all(a.size for a in origin.operands):
        found.append("there are no elements: let there be one, or choose before")
    elif name in _WAYS:
        found.append(_WAYS[name](origin))
    if not found or found == [""]:
        found = [_too_large(origin)]
    if later and not derives:  # the program itself does not take what it made
        found.append(_BOTH_SIDES)
    return tuple(found)


def _too_large(origin: Origin) -> str:
    """Return the way out of an overflow."""
    dtype = origin.array.dtype
    largest = f"{_end_of(dtype):.5g}"
    double = "" if dtype.itemsize == 8 else f", or compute in {_WIDER[dtype.itemsize]}"
    text = f"{spelling_of(dtype)} ends at {largest}: "
    return f"{text}take smaller steps or scale the numbers{double}"


def _end_of(dtype: np.dtype[np.generic]) -> float:
    return float(limits(dtype).max)


_WIDER = {2: "float32", 4: f"float64 ({way('floatX', '--float f64')})"}
_BOTH_SIDES = (
    "where(c, f(x), 0) still has the slope of f at all x: choose the argument, too, "
    "f(where(c, x, 1))"
)
_SLOPES: Mapping[str, str] = MappingProxyType(
    {
        "tc.sqrt": "the slope of sqrt is infinite at 0: sqrt(x + 1e-12)",
        "tc.log": "the slope of log is infinite at 0: log(maximum(x, 1e-7))",
        "tc.log1p": "the slope of log1p is infinite at -1: keep x above it",
        "tc.div": "the divisor is 0, or nearly: add a small number, x / (d + 1e-7)",
        "tc.pow": "the slope of x ** y is infinite at 0 for y < 1: add a small number",
    }
)
_STEEP = frozenset({"tc.div", "tc.log", "tc.pow", "tc.mul"})
_INFINITIES = "inf - inf, 0 * inf and inf / inf are no numbers: choose before, by where"
_OF_INFINITIES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        ("tc.softmax", "tc.log_softmax"),
        "a row of -inf alone has no softmax: leave each row an element, or write "
        "softmax(x, where=mask)",
    )
)


def _of_log(origin: Origin) -> str:
    return (
        "log is -inf at 0 and NaN below: log(maximum(x, 1e-7)); a loss of logits takes "
        "no log of its own: cross_entropy, binary_cross_entropy, log_softmax"
    )


def _of_exp(origin: Origin) -> str:
    end = np.log(_end_of(origin.array.dtype))
    return (
        f"exp overflows above {end:.4g}: subtract the largest element first, or "
        "write softmax, logsumexp, sigmoid or softplus, which do not overflow"
    )


def _of_div(origin: Origin) -> str:
    divisor = origin.operands[1][_index(origin)]
    if divisor == 0:
        return (
            "the divisor is 0: add a small number, x / (d + 1e-7), or choose it: "
            "where(d == 0, 0, x / where(d == 0, 1, d))"
        )
    return f"the divisor is {divisor}, nearly 0: add a small number, x / (d + 1e-7)"


def _of_sqrt(origin: Origin) -> str:
    return "sqrt of a negative number is NaN: sqrt(maximum(x, 0))"


def _of_pow(origin: Origin) -> str:
    if origin.kind == "NaN":
        return "a negative number has no power that is not whole: abs(x) ** y"
    if origin.operands[0][_index(origin)] == 0:
        return "0 has no negative power: add a small number"
    return ""


def _of_log1p(origin: Origin) -> str:
    return "log1p is -inf at -1 and NaN below: keep x above -1"


_WAYS: Mapping[str, Callable[[Origin], str]] = MappingProxyType(
    {
        "tc.log": _of_log,
        "tc.log1p": _of_log1p,
        "tc.exp": _of_exp,
        "tc.expm1": _of_exp,
        "tc.div": _of_div,
        "tc.sqrt": _of_sqrt,
        "tc.pow": _of_pow,
    }
)


def so(affected: Sequence[str]) -> list[str]:
    """Return what is not finite in the end, the first few of it."""
    rest = len(affected) - _SHOWN
    return [*affected[:_SHOWN], *([f"and {rest} more results"] if rest > 0 else [])]
