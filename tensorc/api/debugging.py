"""Graphs as text: `debugprint`, in Theano's words."""

import sys
from collections.abc import Mapping

from tensorc.api.function import Function
from tensorc.api.inspection import Inspected, Text
from tensorc.api.jit import Jitted
from tensorc.frontend.library.mistakes import argument_error, door, usage_error
from tensorc.frontend.library.operands import TensorOperand
from tensorc.frontend.python.describing import describe, is_symbolic, whole_number
from tensorc.frontend.python.graph.plan import EmissionPlan
from tensorc.frontend.python.graph.text import DEEPEST, graph_text, type_of
from tensorc.frontend.python.grouping.groups import Group
from tensorc.frontend.python.symbolic_operands import value_of
from tensorc.ir.core import Value


@door
def debugprint(obj: object, depth: int = -1, file: object = None) -> str | None:
    """Print a graph: its nodes with their types, what is used twice shown once.

    Args:
        obj: a variable, a list, dictionary or group of them, a `tc.function`, or a
            traced function, of which the last new form is shown.
        depth: how many steps to the right a line stands at most; deeper parts follow
            below. -1 is 24.
        file: None prints, "str" returns the text, a file is written to.

    Raises:
        TypeError: it has no graph, or `file` is no file.
        ValueError: the depth is 0 or less.
    """
    steps = whole_number(depth)
    if steps is None:
        raise usage_error(f"depth must be an integer, got {describe(depth)}")
    if steps < 1 and steps != -1:
        raise argument_error(f"depth is 1 or more, or -1, got {steps}")
    deepest = DEEPEST if steps == -1 else steps
    if isinstance(obj, Function | Jitted):
        plan = obj.plan()
        text = f"{_head(plan)}\n{graph_text(_parts(plan), deepest)}"
    else:
        text = graph_text(_roots(obj), deepest)
    if file == "str":
        return Text(text)
    write = getattr(sys.stdout if file is None else file, "write", None)
    if write is None:
        message = f"file is None, 'str' or an open file, got {describe(file)}"
        raise usage_error(message)
    write(text)
    return None


def _head(plan: EmissionPlan) -> str:
    """Return the name of a function and what it takes."""
    names = plan.names[len(plan.shared) :]
    pairs = zip(names, plan.inputs, strict=True)
    return f"{plan.name}({', '.join(f'{n} {type_of(v)}' for n, v in pairs)})"


def _parts(plan: EmissionPlan) -> list[tuple[str, Value]]:
    parts = [
        (f"{old.hint or 'a formula'} is given as:", new) for old, new in plan.givens
    ]
    parts += [("returns:", value) for value in plan.outputs]
    memory = dict(zip(plan.shared, plan.memory, strict=True))
    parts += [(f"{memory[m].hint or 'memory'} becomes:", v) for m, v in plan.updates]
    return parts


def _roots(obj: object) -> list[tuple[str, Value]]:
    if is_symbolic(obj):
        return [("", _value(obj))]
    if isinstance(obj, Mapping | Group):
        return [(f"{name}:", _value(member)) for name, member in obj.items()]
    if isinstance(obj, list | tuple):
        return [("", _value(member)) for member in obj]
    message = f"debugprint takes a variable or a function of them, got {describe(obj)}"
    if isinstance(obj, Inspected):
        raise usage_error(message, 'the text of a program: f.emit("graph")')
    raise usage_error(message)


def _value(variable: object) -> Value:
    if not is_symbolic(variable):
        raise usage_error(f"debugprint takes variables, got {describe(variable)}")
    operand = variable.operand  # type: ignore[attr-defined]
    return (
        operand.value
        if isinstance(operand, TensorOperand)
        else value_of(variable, "it")
    )
