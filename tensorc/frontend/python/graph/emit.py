"""From a graph to a function of the IR, in one walk without recursion."""

from collections.abc import Callable, Sequence

from tensorc.frontend.python.graph.emission import Emission, with_sizes
from tensorc.frontend.python.graph.nodes import (
    SharedLeaf,
    sources_of,
)
from tensorc.frontend.python.graph.plan import EmissionPlan, identifier, unique_names
from tensorc.ir.attributes import Dict, make_dict
from tensorc.ir.captured import CAPTURED, Captured
from tensorc.ir.core import Value
from tensorc.ir.dims import VALUE, Dim, symbol
from tensorc.ir.functions import Parameter, close_function, new_module, open_function
from tensorc.ir.ops.builtin import Module
from tensorc.ir.types import TensorType


def emit(plan: EmissionPlan) -> Module:
    """Return a module with one function; shape errors are at the user's lines."""
    values = (*plan.shared, *plan.inputs)
    sizes = _size_names(plan)
    parameters = [
        Parameter(
            with_sizes(value, sizes),
            name,
            make_dict(**{"tc.name": name, "tc.kind": _kind(plan, value, name)}),
        )
        for value, name in zip(values, plan.names, strict=True)
    ]
    function, builder = open_function(plan.name, parameters, location=plan.location)
    for dim in sizes.values():
        builder.constraints.declare(str(dim))
    arguments = function.regions[0].block.arguments
    captured = Captured(function, _names_beside(plan.names))
    leaves = dict(zip(values, arguments, strict=True))
    emission = Emission(plan, builder, captured, leaves, sizes)
    updated = [new for _, new in plan.updates]
    env = emission.run([*plan.outputs, *updated])
    for memory, new in plan.updates:
        emission.fit(env[new], memory.type, f"the update of `{memory.hint}`")
    results = [env[v] for v in (*plan.outputs, *updated)]
    indices = {v: i for i, v in enumerate(values)}
    kinds: list[Dict] = [make_dict(**{"tc.name": ""})] * len(plan.outputs)
    kinds += [make_dict(**{"tc.updates": indices[m]}) for m, _ in plan.updates]
    builder.location = plan.location
    close_function(function, builder, results, kinds)
    module = new_module(plan.location)
    module.body.block.append(function)
    return module


def _names_beside(names: Sequence[str]) -> Callable[[str], str]:
    """Return what makes of a wish a name that is none of these and was not given."""
    given = list(names)

    def name(wish: str) -> str:
        given.append(unique_names([*given, identifier(wish, CAPTURED)])[-1])
        return given[-1]

    return name


def _kind(plan: EmissionPlan, value: Value, name: str) -> str:
    if isinstance(value, SharedLeaf):
        return "shared"
    return "hyper" if name in plan.hypers else "input"


def _size_names(plan: EmissionPlan) -> dict[str, Dim]:
    """Name the sizes of the inputs: as the user does, or x0, x1 for a matrix x.

    The value of an input i is $i.
    """
    found: dict[str, tuple[bool, str]] = {}
    sizes: dict[str, Dim] = {}
    names = plan.names[len(plan.shared) :]
    for source, name in zip(plan.inputs, names, strict=True):
        assert isinstance(source.type, TensorType)
        if source.given is not None:
            (value,) = sources_of(source.given)
            sizes[value.name] = symbol(f"{VALUE}{name}")
        for dim in source.type.shape:
            for size in sources_of(dim):
                # Inputs share a size that has a name: the first one has it.
                # The IR's texts are ASCII.
                own = size.spelled if size.spelled.isascii() else ""
                found.setdefault(size.name, (not own, own or f"{name}{size.axis}"))
    taken: set[str] = set()
    # The user's names have the first choice.
    for key, (_, wish) in sorted(found.items(), key=lambda item: item[1][0]):
        new = wish
        while new in taken:
            new += "_"
        taken.add(new)
        sizes[key] = symbol(new)
    return sizes
