"""From what a front end made to what a call runs: code, memory and captured arrays."""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import replace

from tensorc.api.finite.explained import origin_of
from tensorc.artifact import Default, FunctionInfo
from tensorc.frontend.python.graph import emit as graph_emit
from tensorc.frontend.python.graph.plan import EmissionPlan
from tensorc.ir.attributes import Dense
from tensorc.ir.captured import take_values
from tensorc.runtime.finite import Origin
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.shared import SharedCell as Cell
from tensorc.target import CHOSEN


def compile_plan(
    plan: EmissionPlan,
    hypers: Mapping[str, int | float] | None = None,
    *,
    checks: bool | None = None,
) -> CompiledFunction:
    """Compile a function, bound to its memory; `hypers` are the plan's defaults.

    `checks` tells whether its calls are checked wherever they are made, as the options
    say if it is not given.
    """
    # The compiler and its wheels are loaded when the first function is made.
    from tensorc import driver

    module = graph_emit.emit(plan)
    values = take_values(module)
    artifact, library = driver.load(module, CHOSEN.get())
    (info,) = artifact.functions
    bound, cells = bound_to(info, values), cells_of(plan)
    origin = origin_of_plan(plan, bound.name, checks)
    return CompiledFunction(bound, library, cells, hypers or {}, origin=origin)


def origin_of_plan(plan: EmissionPlan, name: str, checks: bool | None = None) -> Origin:
    """Return what explains calls of a function that a plan is compiled to."""
    wanted = CHOSEN.get().check_nan if checks is None else checks
    return origin_of(functools.partial(graph_emit.emit, plan), name, wanted)


def cells_of(plan: EmissionPlan) -> dict[str, Cell]:
    """Return the memory that a function reads and updates, by its names."""
    cells = {n: m.cell for n, m in zip(plan.names, plan.memory, strict=False)}
    return {n: c for n, c in cells.items() if isinstance(c, Cell)}


def bound_to(info: FunctionInfo, values: Mapping[str, Dense]) -> FunctionInfo:
    """Return a function with the arrays that it captures: to a fit, another program."""
    if not values:
        return info
    digest = hashlib.sha256(info.digest.encode())
    made = {}
    for name, value in values.items():
        made[name] = Default(value.value.shape, value.value.tobytes())
        digest.update(made[name].content)
    arguments = [
        replace(a, default=made.get(a.name, a.default)) for a in info.arguments
    ]
    return replace(info, arguments=tuple(arguments), digest=digest.hexdigest()[:16])
