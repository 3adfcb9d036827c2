"""The text of a file on disk, before anything is made of it."""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tensorc.errors import CompileError, Diagnostic, Location

MAX_BYTES = 1 << 20
_IR = re.compile(r'(?:\s|//[^\n]*\n)*"(?:builtin\.module|func\.func)"')


@dataclass(frozen=True, slots=True)
class SourceFile:
    """What a program is made of: its text, and how it is read."""

    path: str
    text: str
    settings: Mapping[str, str]
    default_float: str

    @property
    def is_mlir(self) -> bool:
        """Whether it is a file of IR: by its name, or as no other file begins."""
        return Path(self.path).suffix == ".mlir" or _IR.match(self.text) is not None


def read_file(path: str, settings: Mapping[str, str], default_float: str) -> SourceFile:
    """Return a file on disk with how it is read, or refuse what is not a text file."""
    return SourceFile(path, read_source(path), settings, default_float)


def read_source(path: str | Path) -> str:
    """Return the text of a file on disk, or refuse what is not a text file."""
    location = Location(str(path))
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise CompileError(
                Diagnostic("TC0101", f"`{path}` is a directory", location)
            )
        if not stat.S_ISREG(mode):
            raise CompileError(
                Diagnostic("TC0101", f"`{path}` is not a regular file", location)
            )
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        message = f"cannot read `{path}`: {reason or error}"
        raise CompileError(Diagnostic("TC0101", message, location)) from error
    if len(data) > MAX_BYTES:
        message = f"`{path}` is longer than {MAX_BYTES} bytes"
        raise CompileError(Diagnostic("TC0103", message, location))
    return _decode(data, str(path))


def _decode(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        diagnostic = Diagnostic(
            "TC0102",
            f"the byte 0x{data[error.start]:02x} is not UTF-8",
            Location(path, line, column, line, column + 1),
            hints=("save the file as UTF-8",),
        )
        raise CompileError(diagnostic) from error
