"""Which calls are checked for NaNs and infinities; `runtime.finite` checks them.

NumPy is not needed to say so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# What a block says, and whether any block was entered, or function made, that checks:
# calls ask this list first, which costs them nothing.
CHECKS: ContextVar[bool | None] = ContextVar("check_nan", default=None)
IN_USE: list[object] = []


@contextmanager
def checking(wanted: bool) -> Iterator[None]:
    """Check calls in a block, or do not."""
    token = CHECKS.set(wanted)
    IN_USE.append(token)
    try:
        yield
    finally:
        IN_USE.remove(token)
        CHECKS.reset(token)
