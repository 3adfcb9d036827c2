"""What a compiled function can say of a call that is not finite: how it was made.

The modules that look for it are loaded when a call has failed.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tensorc.runtime.arrays import Array
from tensorc.runtime.finite import Explanation, Origin

if TYPE_CHECKING:
    from tensorc.ir.ops.builtin import Module


def origin_of(make: "Callable[[], Module]", name: str, checks: bool) -> Origin:
    """Return what explains calls of a function of the module that `make` makes."""

    def explain(arguments: Sequence[Array]) -> Explanation:
        from tensorc.api.finite import reasons

        return reasons.explain(make, name, arguments)

    return Origin(explain, checks)
