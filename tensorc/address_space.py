"""Whether there is room for a library, code or stacks, before they are loaded or made.

NumPy, LLVM and the linker end the process, or say something else, when the operating
system refuses them memory (`ulimit -v`). So we ask it first, which takes microseconds.
"""

import mmap
import os

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None  # type: ignore[assignment]

MIB = 1 << 20


def require(size: int, purpose: str) -> None:
    """Check that there are addresses for `size` bytes.

    Raises:
        MemoryError: there are not; the text says for which purpose, and the limit.
    """
    if not has_room(size):
        detail = f"{purpose} takes some {size // MIB} MiB of addresses"
        raise MemoryError(f"{detail}{_limit()}")


def has_room(size: int) -> bool:
    """Tell whether a mapping of `size` bytes can be had; none is kept."""
    if os.name != "posix":
        return True
    try:
        # Addresses alone are asked for: no page, and no promise of one.
        flags = (
            mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
        )
        mmap.mmap(-1, size, flags=flags).close()
    except (OSError, MemoryError):
        return False
    return True


def _limit() -> str:
    if resource is None:
        return ""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY:
        return ""
    return f", `ulimit -v` allows {soft // MIB} MiB in total"
