"""The levels of the IR; ops and types declare at which of them they may stand."""

from collections.abc import Set
from enum import Enum


class Level(Enum):
    """The levels of the IR, top to bottom (design section 5)."""

    TENSOR = "tensor"
    STRUCTURED = "structured"
    BUFFER = "buffer"
    LOOP = "loop"


AT_TENSOR = frozenset((Level.TENSOR,))
AT_STRUCTURED = frozenset((Level.STRUCTURED,))
AT_BUFFER = frozenset((Level.BUFFER,))
AT_LOOP = frozenset((Level.LOOP,))
BELOW_TENSOR = AT_STRUCTURED | AT_BUFFER | AT_LOOP
EVERYWHERE = AT_TENSOR | BELOW_TENSOR


def spell_levels(levels: Set[Level]) -> str:
    """Return levels as a message names them: "levels structured and buffer"."""
    *first, last = [level.value for level in Level if level in levels] or ["none"]
    return f"levels {', '.join(first)} and {last}" if first else f"level {last}"
