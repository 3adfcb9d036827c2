"""The trace that runs, through which `update` and conditions find what it collects."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from tensorc.errors import Location
from tensorc.frontend.library.random.keys import advanced
from tensorc.frontend.python.graph.nodes import SharedLeaf, StreamLeaf
from tensorc.frontend.python.symbolic_operands import emitter
from tensorc.ir.core import Value


@dataclass
class Trace:
    """What a running trace collects; `updates` is None where nothing may change."""

    name: str
    updates: dict[SharedLeaf, Value] | None
    # Where they stand.
    locations: dict[Value, Location] = field(default_factory=dict)
    # How many draws there were from the generators of these states.
    draws: Counter[SharedLeaf] = field(default_factory=Counter)

    def record(self, memory: SharedLeaf, new: Value, location: Location) -> None:
        """Give memory a new value when the step ends."""
        assert self.updates is not None
        self.updates[memory] = new
        self.locations[memory] = location


CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)

current = CURRENT.get

# The turns of the loops whose bodies are being traced, outermost first.
TURNS: ContextVar[tuple[Value, ...]] = ContextVar("turns", default=())

# Whose arrays an assignment may change: those made in this trace, in this branch or
# body of it; None outside, where nothing may.
HOME: ContextVar[object] = ContextVar("home", default=None)

# New values of memory, and where they are given.
Updates = dict[SharedLeaf, tuple[Value, Location]]


@contextmanager
def updates_apart() -> Iterator[Updates]:
    """Collect the updates of a branch, which the trace does not make, in a dictionary.

    It is filled when the branch ends.
    """
    running, found = current(), Updates()
    made = {} if running is None or running.updates is None else running.updates
    before = frozenset(made)
    outer = HOME.set(object())
    try:
        yield found
    finally:
        HOME.reset(outer)
        for memory in [m for m in made if m not in before]:
            assert running is not None
            found[memory] = made.pop(memory), running.locations.pop(memory)


def counted(
    memory: Iterable[SharedLeaf], updates: Container[SharedLeaf]
) -> dict[SharedLeaf, Value]:
    """Return new values of the states of random numbers that a function reads.

    Those that it updates itself are left out.
    """
    found = [m for m in memory if isinstance(m, StreamLeaf) and m not in updates]
    return {leaf: advanced(emitter(), leaf) for leaf in found}
