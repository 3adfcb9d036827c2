"""A graph as a short text: a tree of its nodes with their types.

    c = mul f32[x0]
    ├─ A = tanh f32[x0]
    │  └─ x f32[x0]
    └─ A

What is used several times has a name, and is shown once; broadcasts are left out.
"""

import itertools
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase

from tensorc.diagnostics import escape
from tensorc.frontend.library.operands import spell_shape, spell_type
from tensorc.frontend.python.graph.nodes import SharedLeaf
from tensorc.frontend.python.graph.regions import Condition, Derivative
from tensorc.frontend.python.graph.walks import ops_of
from tensorc.ir.attributes import Attribute, Dims
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.tensor.making import Constant
from tensorc.ir.ops.tensor.shape import Broadcast
from tensorc.ir.types import TensorType

# Sub-graphs below stand by themselves behind the tree, so that a line is a line.
DEEPEST = 24
# What types tell, and how sums are ordered.
_SILENT = frozenset({"shape", "element", "order"})
# What makes names of sizes unique.
_NUMBER = re.compile(r"#\d+")


@dataclass
class _Text:
    """The lines so far; `uses` counts how often an op is read, `names` has its name.

    `letters` are names for ops to which the user gave none.
    """

    uses: Counter[Op]
    deepest: int
    letters: Iterator[str]
    names: dict[Op, str] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    shown: set[Op] = field(default_factory=set)
    below: list[Value] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def graph_text(roots: Sequence[tuple[str, Value]], deepest: int = DEEPEST) -> str:
    """Return the graph of some values, each below its label if that is not empty.

    A line stands at most `deepest` steps to the right.
    """
    uses, hints = _uses([value for _, value in roots])
    text = _Text(uses, deepest, _letters(hints))
    for label, value in roots:
        if label:
            text.lines.append(escape(label))
        _tree(text, value)
    while text.below:
        value = text.below.pop(0)
        if value.op not in text.shown:
            text.lines.append("")
            _tree(text, value)
    return "\n".join(text.lines) + "\n"


def _children(op: Op) -> list[Value]:
    if isinstance(op, Derivative):
        found: Iterable[Value] = [*op.outs, *op.given]
    else:
        found = op.operands
    return [_plain(value) for value in found]


def _labels(op: Op, count: int) -> list[str]:
    """Return what stands before the children: of several results the branch of each."""
    if not isinstance(op, Condition) or len(op.results) == 1:
        return [""] * count
    results = range(len(op.results))
    return ["", *[f"{name}[{i}]: " for name in ("then", "else") for i in results]]


def _plain(value: Value) -> Value:
    """Return what a broadcast repeats."""
    while isinstance(value.op, Broadcast):
        value = value.op.operands[0]
    return value


def _uses(roots: Sequence[Value]) -> tuple[Counter[Op], set[str]]:
    """Count how often ops are read, by roots, too, and collect the user's names.

    No recursion: graphs are deep.
    """
    uses: Counter[Op] = Counter(v.op for v in roots if v.op is not None)
    hints = {value.hint for value in roots}
    pending, seen = ops_of(roots), set(uses)
    while pending:
        children = _children(pending.pop())
        hints.update(child.hint for child in children)
        read = [child.op for child in children if child.op is not None]
        uses.update(read)
        pending += [op for op in dict.fromkeys(read) if op not in seen]
        seen.update(read)
    return uses, hints


def _tree(text: _Text, root: Value) -> None:
    """Add the lines of a value and of what it is computed from."""
    # A value, what stands before its line and before the lines below, its depth.
    stack: list[tuple[Value, str, str, int]] = [(root, "", "", 0)]
    while stack:
        value, before, below, depth = stack.pop()
        op = value.op
        is_known = op in text.shown
        is_deep = depth >= text.deepest and op is not None and bool(_children(op))
        if op is not None and (text.uses[op] > 1 or is_deep):
            _give_name(text, op)
        is_named = op in text.names and (is_known or is_deep)
        text.lines.append(
            before + (_reference(text, value) if is_named else _line(text, value))
        )
        if op is None or is_known:
            continue
        if is_deep:
            text.below.append(value)
            continue
        text.shown.add(op)
        children = _children(op)
        labels = _labels(op, len(children))
        for i, child in reversed(list(enumerate(children))):
            last = i + 1 == len(children)
            mark, rest = ("└─ ", "   ") if last else ("├─ ", "│  ")
            stack.append((child, below + mark + labels[i], below + rest, depth + 1))


def _give_name(text: _Text, op: Op) -> None:
    if op in text.names or isinstance(op, Constant):
        return
    wish = op.results[0].hint
    is_free = wish and wish not in text.given
    text.names[op] = wish if is_free else next(text.letters)
    text.given.add(text.names[op])


def _letters(taken: Container[str]) -> Iterator[str]:
    for number in itertools.count():
        for letter in ascii_uppercase:
            name = f"{letter}{number or ''}"
            if name not in taken:
                yield name


def _reference(text: _Text, value: Value) -> str:
    assert value.op is not None
    name = text.names[value.op]
    return name + _which(value) + ("" if value.op in text.shown else ": below")


def _which(value: Value) -> str:
    """Tell the results of an op with several apart."""
    op = value.op
    assert op is not None
    return f"[{op.results.index(value)}]" if len(op.results) > 1 else ""


def _line(text: _Text, value: Value) -> str:
    spelled = type_of(value)
    op = value.op
    if op is None:
        kind = ", shared" if isinstance(value, SharedLeaf) else ""
        return f"{escape(value.hint) or 'a variable'} {spelled}{kind}"
    if isinstance(op, Constant):
        known = op.value.value
        # By `str`, which writes a number as short as its type allows.
        return f"{'constant' if known.ndim else str(known[()])} {spelled}"
    name = text.names.get(op) or value.hint
    equals = f"{escape(name)} = " if name else ""
    options = [_option(name, a) for name, a in op.attributes.items()]
    listed = ", ".join(filter(None, options))
    braces = f" {{{listed}}}" if listed else ""
    made = op.kind if isinstance(op, Derivative) else op
    return f"{equals}{made.name.partition('.')[2]}{_which(value)} {spelled}{braces}"


def type_of(value: Value) -> str:
    """Return the type of a value of a graph as people write it: f32[x0, 3]."""
    assert isinstance(value.type, TensorType)
    return _NUMBER.sub("", spell_type(value.type))


def _option(name: str, value: Attribute) -> str:
    if name in _SILENT:
        return ""
    if isinstance(value, Dims):
        return f"{name}={_NUMBER.sub('', spell_shape(value.dims))}"
    if isinstance(value, tuple):
        return f"{name}={list(value)}"
    return f"{name}={value}" if isinstance(value, int | float | str) else ""
