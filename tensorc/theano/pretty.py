"""`pp`: a formula in one line, with Python's operators."""

from collections.abc import Mapping

from tensorc.frontend.library.mistakes import argument_error, door, usage_error
from tensorc.frontend.python.describing import describe
from tensorc.frontend.python.graph.regions import Derivative
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import value_of
from tensorc.ir.core import Op, Value
from tensorc.ir.ops.tensor.making import Constant

_OPERATORS: Mapping[str, str] = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "pow": "**",
    "floordiv": "//",
    "mod": "%",
    "matmul": "@",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
}
# Of shapes and types, which the text leaves out.
_SILENT = frozenset({"broadcast", "cast", "reshape"})
_LONGEST = 100_000


@door
def pp(variable: Tensor) -> str:
    """Return a formula as text: "((x * x) + y)"; axes and types are left out.

    Raises:
        TypeError: it is no variable.
        ValueError: the text is too long, since a part that is used twice is written
            twice.
    """
    if not isinstance(variable, Tensor):
        raise usage_error(f"pp takes a variable, got {describe(variable)}")
    root = value_of(variable, "it")
    texts: dict[Value, str] = {}
    stack = [root]
    while stack:
        value = stack[-1]
        missing = [p for p in _parts(value) if p not in texts]
        if missing:
            stack += missing
            continue
        texts[stack.pop()] = text = _written(value, [texts[p] for p in _parts(value)])
        if len(text) > _LONGEST:
            message = f"the text has more than {_LONGEST} characters"
            raise argument_error(message, "theano.printing.debugprint(cost)")
    return texts[root]


def _parts(value: Value) -> list[Value]:
    op = value.op
    if op is None:
        return []
    return [*op.outs, *op.given] if isinstance(op, Derivative) else list(op.operands)


def _written(value: Value, parts: list[str]) -> str:
    op = value.op
    if op is None:
        return value.hint or "a variable"
    if isinstance(op, Constant):
        known = op.value.value
        return "constant" if known.ndim else str(known[()])
    name = _name(op)
    if name == "neg":
        return f"(-{parts[0]})"
    if name in _SILENT:
        return parts[0]
    if name in _OPERATORS and len(parts) == 2:
        return f"({parts[0]} {_OPERATORS[name]} {parts[1]})"
    which = f"[{op.results.index(value)}]" if len(op.results) > 1 else ""
    return f"{name}({', '.join(parts)}){which}"


def _name(op: Op) -> str:
    """Return what an op is called, of a comparison what it compares by."""
    made = op.kind if isinstance(op, Derivative) else op
    predicate = getattr(op, "predicate", None)
    return predicate or made.name.partition(".")[2]
