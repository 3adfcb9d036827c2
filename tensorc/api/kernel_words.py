"""What an op of a kernel does, and where it comes from, in words of the source."""

import re
from collections.abc import Sequence

from tensorc.ir.core import Op, Value
from tensorc.ir.dims import VALUE
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.scalar.arith import (
    FLOAT_PREDICATES,
    INTEGER_PREDICATES,
    CmpF,
    CmpI,
    OrI,
    Select,
)
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.ops.tensor.indexing import CheckIndex, Scatter
from tensorc.ir.types import F64, TensorType
from tensorc.passes.analysis.cost import computes
from tensorc.passes.analysis.generics import AGAIN, extracts, is_contraction

# What a body computes that chooses an index by comparing with "gt" or "lt".
_CHOOSES = {"gt": ("top1", "argmax"), "lt": ("argmin", "argmin")}


def generics_of(kernel: KernelGroup) -> list[Generic]:
    """Return the generics of a group, in order."""
    return [op for op in kernel.body.block.ops if isinstance(op, Generic)]


def members_of(kernel: Op) -> Sequence[Op]:
    """Return what a kernel is made of: the generics of a group, or the op itself."""
    return generics_of(kernel) if isinstance(kernel, KernelGroup) else [kernel]


def words(op: Op) -> str:
    """Return what an op does, in a few words."""
    if isinstance(op, Generic):
        return _words_of_generic(op)
    if isinstance(op, Scatter):
        return f"scatter ({op.combine})"
    return (
        "check of indices" if isinstance(op, CheckIndex) else op.name.partition(".")[2]
    )


def _words_of_generic(op: Generic) -> str:
    if is_contraction(op):
        return "contraction again" if AGAIN in op.attributes else "contraction"
    if chosen := _chosen(op):
        return chosen
    body = [o.name.partition(".")[2] for o in op.body.block.ops if computes(o)]
    nothing = "copy" if op.inputs or extracts(op) else "fill"
    what = ", ".join(dict.fromkeys(body)) or nothing
    return f"reduction by {what}" if op.reductions else what


def _chosen(op: Generic) -> str:
    """Return argmax, argmin or top1 if a generic is one; else ""."""
    given = [v.op for v in op.body.block.terminator.operands]
    if not op.reductions or len(given) != 2:
        return ""
    value, index = given
    if not (isinstance(value, Select) and isinstance(index, Select)):
        return ""
    if value.operands[0] is not index.operands[0]:
        return ""
    better = value.operands[0].op
    better = better.operands[0].op if isinstance(better, OrI) else better  # or a NaN
    if not isinstance(better, CmpF | CmpI):
        return ""
    of_floats = isinstance(better, CmpF)
    names = FLOAT_PREDICATES if of_floats else INTEGER_PREDICATES
    both, alone = _CHOOSES[names[better.predicate][-2:]]
    block = op.parent
    is_read = block is not None and any(op.results[0] in o.operands for o in block.ops)
    return both if is_read else alone


def element_of(members: Sequence[Op]) -> str:
    """Return f64 if a kernel computes something in that, else f32."""
    inner = (op for member in members for op in member.walk())
    return "f64" if any(_is_double(v) for op in inner for v in op.results) else "f32"


def _is_double(value: Value) -> bool:
    type_ = value.type
    return type_ == F64 or (isinstance(type_, TensorType) and type_.element == F64)


def lines_of(ops: Sequence[Op]) -> str:
    """Return the lines that ops come from: `a.tc:3, 5-7`."""
    found: dict[str, set[int]] = {}
    for member in ops:
        for op in member.walk():  # a body may be made of several ops of the source
            if op.location.line:
                found.setdefault(op.location.file, set()).add(op.location.line)
    spelled = [f"{file}:{_ranges(sorted(lines))}" for file, lines in found.items()]
    return "; ".join(spelled) or "none (the compiler made it)"


def _ranges(lines: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][1] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return ", ".join(f"{a}-{b}" if a < b else f"{a}" for a, b in runs)


def plain(formula: object) -> str:
    """Return formulas as people write them: `a // b`, and values by their names."""
    text, at = str(formula).replace(VALUE, ""), 0
    while (at := text.find(_FLOORDIV)) >= 0:
        left, right, end = _arguments(text, at + len(_FLOORDIV))
        divided = f"{_side(plain(left))} // {_side(plain(right))}"
        is_factor = text[max(at - 1, 0) : at] in _BINDS or text[end : end + 1] == "*"
        text = text[:at] + (f"({divided})" if is_factor else divided) + text[end:]
    return text


_FLOORDIV = "floordiv("
_BINDS = ("*", "-")  # what stands right before a factor: binary minus has a space


def _arguments(text: str, at: int) -> tuple[str, str, int]:
    """Return the two arguments of a call that begin at `at`, and where it ends."""
    depth, begin, comma = 0, at, at
    while depth or text[at] != ")":
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        comma = at if text[at] == "," and not depth else comma
        at += 1
    return text[begin:comma], text[comma + 2 : at], at + 1


def _side(text: str) -> str:
    """Return a side of a division, in parentheses unless it is one name or number."""
    return text if re.fullmatch(r"\w+|(min|max|bound)\([^()]*\)", text) else f"({text})"
