"""Programs with `tc.if`, made without a door."""

from collections.abc import Callable, Mapping, Sequence

from tensorc.ir.attributes import make_dict
from tensorc.ir.branches import isolate
from tensorc.ir.core import Op, Value
from tensorc.ir.functions import (
    Parameter,
    close_function,
    new_module,
    open_function,
)
from tensorc.ir.levels import Level
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.control import If, Yield
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import I1, TensorType, Type
from tensorc.ir.verifier import verify
from tests.stages import round_trip

Make = Callable[[], Sequence[Value]]
CONDITION = TensorType((), I1)


def branches(
    b: TensorBuilder,
    condition: Value,
    then: Make,
    otherwise: Make,
    types: Sequence[Type] | None = None,
) -> list[Value]:
    """Append a `tc.if` of two functions without arguments that give values."""
    regions = []
    for make in (then, otherwise):
        with b.builder.region([]) as (region, _):
            b.builder.create(Yield, *make())
        regions.append(region)
    return isolate(b.builder, condition, regions[0], regions[1], types)


def build(
    types: Sequence[Type],
    fill: Callable[..., Sequence[Value]],
    updates: Mapping[int, int] | None = None,
) -> Module:
    """Return a module of one function `f` of these types, printed and parsed back.

    `updates` gives the argument that a result replaces, by the number of the result.
    """
    targets = updates or {}
    parameters = []
    for i, type_ in enumerate(types):
        kind = "shared" if i in targets.values() else "input"
        entry = make_dict(**{"tc.name": f"a{i}", "tc.kind": kind})
        parameters.append(Parameter(type_, f"a{i}", entry))
    function, builder = open_function("f", parameters)
    results = fill(TensorBuilder(builder), *builder.block.arguments)
    entries = [
        make_dict(**{"tc.updates": targets[i]} if i in targets else {"tc.name": ""})
        for i in range(len(results))
    ]
    close_function(function, builder, results, entries)
    module = new_module()
    module.body.block.append(function)
    verify(module, Level.TENSOR)
    return round_trip(module)


def branches_of(module: Op) -> list[If]:
    """Return the branches of a module, in order."""
    return [op for op in module.walk() if isinstance(op, If)]
