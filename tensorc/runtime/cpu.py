"""Link an artifact's object code into this process and find its symbols."""

from collections.abc import Sequence
from dataclasses import dataclass

from llvmlite import binding as llvm
from llvmlite.binding import ffi

from tensorc.address_space import MIB, require
from tensorc.artifact import Artifact
from tensorc.errors import InternalError
from tensorc.runtime.locks import keep

# LLVM runs under one lock of llvmlite's, here and in `backend`: forks wait for it, too.
# It has no public name. With a release that calls it otherwise a child that is forked
# within a compilation may hang, which a test finds; all else works.
LLVM_LOCK = getattr(getattr(ffi.lib, "_lock", None), "_lock", None)
if LLVM_LOCK is not None:
    keep(LLVM_LOCK)


@dataclass(frozen=True, slots=True)
class Library:
    """Linked code. The addresses are valid as long as the library lives."""

    addresses: dict[str, int]
    # The JIT and the tracker own the memory of the code.
    owners: tuple[object, ...]

    def address(self, symbol: str) -> int:
        """Return the address of an exported symbol.

        Raises:
            InternalError: the artifact's functions do not name it.
        """
        if symbol not in self.addresses:
            raise InternalError(f"symbol '{symbol}' is not in the artifact", "link")
        return self.addresses[symbol]


def link(artifact: Artifact) -> Library:
    """Return the artifact's code, loaded, with the addresses of its symbols.

    Raises:
        InternalError: the object is damaged, or a symbol of it cannot be resolved.
    """
    functions = artifact.functions
    symbols = [f.symbol for f in functions]
    symbols += [f.epoch_symbol for f in functions if f.epoch_symbol]
    return link_object(artifact.object, symbols)


def link_object(code: bytes, symbols: Sequence[str]) -> Library:
    """Return object code, loaded, with the addresses of these symbols.

    Raises:
        InternalError: the object is damaged, or a symbol of it cannot be resolved.
    """
    require(len(code) + 8 * MIB, "linking")  # LLVM ends the process without it
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    builder = llvm.JITLibraryBuilder()
    builder.add_object_img(code)
    builder.add_current_process()
    for symbol in symbols:
        builder.export_symbol(symbol)
    try:
        # One JIT per object: a library's name cannot be used twice in one.
        jit = llvm.create_lljit_compiler(use_jit_link=True)
        tracker = builder.link(jit, "tensorc")
    except RuntimeError as error:
        raise InternalError(f"the object cannot be linked: {error}", "link") from error
    addresses = {symbol: int(tracker[symbol]) for symbol in symbols}
    return Library(addresses, (jit, tracker))
