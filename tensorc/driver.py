"""From a module to an artifact: out of the cache, or by the compiler.

The key holds all that the code follows from: the module's text with its locations, the
target, the options, the versions of LLVM and of this package. A hit neither runs nor
imports a pass. What is kept of a file (`kept`) follows from its text instead, so that
a hit needs no module either.
"""

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache as once
from pathlib import Path
from typing import TYPE_CHECKING

from tensorc import artifact_file, cache
from tensorc.address_space import MIB, require
from tensorc.artifact import Artifact, PoolSymbol
from tensorc.backend.llvm.host import code_generator
from tensorc.backend.llvm.host import host_target as host_target
from tensorc.runtime import cpu, threads
from tensorc.runtime.cpu import Library
from tensorc.target import Options, Target

if TYPE_CHECKING:
    from tensorc.ir.ops.builtin import Module


def compile_module(module: "Module", target: Target, options: Options) -> Artifact:
    """Return the artifact of a TENSOR module; the module is used up."""
    if not cache.is_on():
        return _compiled(module, target, options)
    key = key_of_module(module, target, options)
    artifact = stored(key)
    if artifact is None:
        artifact = _compiled(module, target, options)
        cache.save(key, artifact_file.encode(artifact))
    return artifact


def key_of_module(module: "Module", target: Target, options: Options) -> str:
    """Return the key of what a TENSOR module is compiled to."""
    from tensorc.ir.text.printer import print_module

    text = print_module(module, locations=True)
    return key_of_source((text,), target, options)


def key_of_source(parts: Sequence[str], target: Target, options: Options) -> str:
    """Return the key of what follows from a source, all of whose parts are given."""
    about = (repr(target), repr(options), code_generator(), _package())
    return cache.key_of(*parts, *about)


def stored(key: str) -> Artifact | None:
    """Return the artifact of a key, if the cache has it."""
    content = cache.load(key)
    if content is None:
        return None
    try:
        return artifact_file.decode(content)
    except ValueError as error:
        cache.reject(key, str(error))
        return None


def load(module: "Module", options: Options) -> tuple[Artifact, Library]:
    """Return the artifact of a TENSOR module, and its code in this process."""
    artifact = compile_module(module, host_target(), options)
    return artifact, link(artifact)


def link(artifact: Artifact) -> Library:
    """Return the code of an artifact in this process, whose threads are made ready."""
    threads.start(_load_pool)
    return cpu.link(artifact)


def _load_pool() -> Library:
    target = host_target()
    key = cache.key_of("pool", repr(target), code_generator(), _package())
    code = cache.load(key)
    if code is None:
        from tensorc.backend.llvm.codegen import emit_pool

        code = emit_pool(target)
        cache.save(key, code)
    return cpu.link_object(code, list(PoolSymbol))


def _compiled(module: "Module", target: Target, options: Options) -> Artifact:
    from tensorc import compiler

    require(24 * MIB, "compiling")  # LLVM ends the process without it
    with _no_collecting():
        return compiler.compile(module, target, options).artifact


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Keep the garbage collector out of a block that makes many objects and few cycles.

    It would walk all of a large program again and again, a third of the passes' time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@once
def _package() -> str:
    """Return what tells this package from any other version or edit of it.

    Names, sizes and times of its files: reading them all would cost more than a hit.
    """
    root = Path(__file__).parent
    found: list[str] = []
    pending = [root]
    while pending:
        with os.scandir(pending.pop()) as items:
            for item in items:
                if item.is_dir():
                    pending.append(Path(item.path))
                elif not item.name.endswith(".pyc"):
                    status = item.stat()
                    name = item.path.removeprefix(str(root))
                    found.append(f"{name} {status.st_size} {status.st_mtime_ns}")
    return "\n".join(sorted(found))
