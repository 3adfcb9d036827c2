"""Programs of files out of the cache: a hit needs no parser, no IR and no pass.

What is kept follows from the file's text and name, the settings, the options, the
machine and the package, which are its key. It is written when something was compiled,
and names the keys of compiled code, which are those of the driver.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache as once

import numpy as np

from tensorc import cache, driver
from tensorc.artifact import Artifact
from tensorc.frontend.dsl.programs.program import FileProgram
from tensorc.frontend.dsl.programs.program_file import Known, decode, encode
from tensorc.frontend.dsl.syntax.source_file import SourceFile
from tensorc.target import Options


@dataclass
class KeptProgram:
    """A program and what was found out about it; `key` is "" if nothing is kept."""

    program: FileProgram
    key: str = ""
    known: Known = field(default_factory=Known)

    def artifact(self, names: Sequence[str]) -> Artifact | None:
        """Return the code of these entries, if the cache has it."""
        key = self.known.code.get(_joined(names))
        return None if key is None else driver.stored(key)

    def keep_artifact(self, names: Sequence[str], key: str) -> None:
        """Note the key of the code of these entries."""
        self._note(self.known.code, names, key)

    def digest(self, names: Sequence[str], make: Callable[[], str]) -> str:
        """Return the digest of the IR of these entries, made now if it is not known."""
        found = self.known.digests.get(_joined(names))
        if found is None:
            found = make()
            self._note(self.known.digests, names, found)
        return found

    def _note(self, notes: dict[str, str], names: Sequence[str], found: str) -> None:
        notes[_joined(names)] = found
        content = encode(self.program, self.known) if self.key else None
        if content is not None:
            cache.save(self.key, content)


def load(file: SourceFile, options: Options) -> KeptProgram:
    """Return the program of a file, out of the cache if that has it.

    Raises `CompileError` if the file is wrong.
    """

    @once
    def parsed() -> FileProgram:
        from tensorc.frontend.dsl import reading

        return reading.parsed(file)

    if file.is_mlir or not cache.is_on():
        return KeptProgram(parsed())
    settings = [part for pair in file.settings.items() for part in pair]
    parts = ("program", file.path, file.text, file.default_float, *settings)
    target = driver.host_target()
    key = driver.key_of_source((*parts, np.__version__), target, options)
    content = cache.load(key)
    if content is not None:
        try:
            program, known = decode(content, parsed)
            return KeptProgram(program, key, known)
        except ValueError as error:
            cache.reject(key, str(error))
    return KeptProgram(parsed(), key)


def _joined(names: Sequence[str]) -> str:
    return " ".join(names)
