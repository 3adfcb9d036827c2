"""What is wrong with a file: neither LLVM nor the runtime is loaded to find it."""

from collections.abc import Mapping

from tensorc.errors import Diagnostic, TensorcError
from tensorc.frontend.dsl.reading import parsed
from tensorc.frontend.dsl.syntax.source_file import read_file
from tensorc.frontend.library.mistakes import door
from tensorc.ir.levels import Level
from tensorc.ir.verifier import level_of
from tensorc.pipeline import TENSOR, run_passes
from tensorc.target import Target


@door
def check(
    path: str, settings: Mapping[str, str], default_float: str = "f32"
) -> list[Diagnostic]:
    """Return what is wrong with a file, and warnings: syntax, types and shapes.

    Nothing is raised for a file that is wrong, or that cannot be read.

    Args:
        path: a file of the language, or of IR (`.mlir`).
        settings: expressions of the language for hypers and fields of recipes, by name.
        default_float: what `float` means: "f32", "f64", "f16" or "bf16".
    """
    try:
        program = parsed(read_file(path, settings, default_float))
    except TensorcError as error:
        return list(error.diagnostics)
    found: list[Diagnostic] = []
    try:
        module = program.emit()
        if level_of(module) == Level.TENSOR:
            run_passes(module, Target("cpu"), TENSOR)
    except TensorcError as error:
        found += error.diagnostics
    return [*found, *program.warnings]
