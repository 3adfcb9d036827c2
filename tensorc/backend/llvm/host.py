"""The processor that we run on, as a target; without the rest of the backend."""

from functools import cache

from llvmlite import __version__ as _llvmlite_version
from llvmlite import binding as llvm

from tensorc.target import Target

_WIDTHS = (("avx512f", 512), ("avx2", 256))


@cache
def host_target() -> Target:
    """Return the description of the processor that we run on."""
    features = llvm.get_host_cpu_features()
    return Target(
        "cpu",
        llvm.get_process_triple(),
        llvm.get_host_cpu_name(),
        features.flatten(),
        next((bits for name, bits in _WIDTHS if features.get(name)), 128),
    )


def code_generator() -> str:
    """Return the versions of what turns LLVM text into code, for cache keys."""
    numbers = ".".join(str(n) for n in llvm.llvm_version_info)
    return f"LLVM {numbers}, llvmlite {_llvmlite_version}"
