"""Programs with `tc.scan`, made without a door."""

from collections.abc import Callable, Sequence

from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Dim
from tensorc.ir.ops.control import Yield
from tensorc.ir.ops.scan import Scan
from tensorc.ir.scans import append_scan, step_types
from tensorc.ir.tensor_builder import TensorBuilder

# The number of the step, what is carried and parts of sequences give what is carried
# next, and what is stacked.
Step = Callable[..., tuple[Sequence[Value], Sequence[Value]]]


def loop(
    b: TensorBuilder,
    inits: Sequence[Value],
    sequences: Sequence[Value],
    length: Dim,
    step: Step,
    reverse: bool = False,
) -> list[Value]:
    """Append a `tc.scan` of a function of the number, what is carried and parts."""
    with b.builder.region(step_types(inits, sequences)) as (body, arguments):
        carried, stacked = step(*arguments)
        b.builder.create(Yield, *carried, *stacked)
    return append_scan(b.builder, body, inits, sequences, length, reverse)


def loops_of(module: Op) -> list[Scan]:
    """Return the loops of a module, in order."""
    return [op for op in module.walk() if isinstance(op, Scan)]
