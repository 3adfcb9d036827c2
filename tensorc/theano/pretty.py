"""`pp`: a formula in one line, with Python's operators."""

from collections.abc import Mapping

from tensorc.frontend.library.mistakes import door, usage_error
from tensorc.frontend.python.describing import describe
from tensorc.frontend.python.graph.walks import parents
from tensorc.frontend.python.symbolic import Tensor
from tensorc.frontend.python.symbolic_operands import value_of
from tensorc.ir.core import Op, Value

_OPERATORS: Mapping[str, str] = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "pow": "**",
    "floordiv": "//",
    "mod": "%",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
}
_LONGEST = 100_000


@door
def pp(variable: Tensor) -> str:
    """Return a formula as text: ((x ** 2) + y).

    Raises:
        TypeError: it is no variable.
        ValueError: the text would be too long, since parts are written out twice.
    """
    if not isinstance(variable, Tensor):
        raise usage_error(f"pp takes a variable, got {describe(variable)}")
    texts: dict[Value, str] = {}
    stack = [value_of(variable, "it")]
    while stack:
        value = stack[-1]
        op = value.op
        missing = [] if op is None else [p for p in parents(op) if p not in texts]
        if missing:
            stack += missing
            continue
        stack.pop()
        text = value.hint or str(value.type) if op is None else _written(op, texts)
        if len(text) > _LONGEST:
            raise usage_error("the formula is too long for pp", "debugprint(cost)")
        texts[value] = text
    return texts[value_of(variable, "it")]


def _written(op: Op, texts: Mapping[Value, str]) -> str:
    name = op.name.rpartition(".")[2]
    parts = [texts[parent] for parent in parents(op)]
    if name == "constant":
        return _constant(op)
    if name == "neg":
        return f"(-{parts[0]})"
    if name in _OPERATORS:
        return f"({parts[0]} {_OPERATORS[name]} {parts[1]})"
    if name in ("broadcast", "cast") and len(parts) == 1:
        return parts[0]
    return f"{name}({', '.join(parts)})"


def _constant(op: Op) -> str:
    value = next(iter(op.attributes.values()))
    return str(getattr(value, "values", value))
