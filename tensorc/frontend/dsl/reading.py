"""From the text of a file to its program: of the language, or of IR."""

from tensorc.errors import CompileError, Diagnostic, way
from tensorc.frontend.dsl.irgen.generator import generate, plain_value
from tensorc.frontend.dsl.programs.mlir_file import mlir_program
from tensorc.frontend.dsl.programs.program import FileProgram, PlainValue
from tensorc.frontend.dsl.syntax import ast, parser
from tensorc.frontend.dsl.syntax.ast_printer import print_ast
from tensorc.frontend.dsl.syntax.source_file import SourceFile
from tensorc.ir.types import ELEMENTS


def parsed(file: SourceFile) -> FileProgram:
    """Return the program of a file. Raises `CompileError` if it is wrong."""
    settings = file.settings
    if file.is_mlir:
        if settings:
            name = next(iter(settings))
            message = f"{file.path} has no hyper '{name}': it is a file of IR"
            raise CompileError(Diagnostic("TC0314", message))
        return mlir_program(file.text, file.path)
    tree = parser.parse(file.text, file.path)
    given: dict[str, ast.Expression] = {
        name: parser.parse_expression(text, way(f"{name}=", f"--set {name}"))
        for name, text in settings.items()
    }
    return generate(tree, given, ELEMENTS[file.default_float])


def plain(text: str, name: str) -> PlainValue:
    """Return the value of an expression of numbers and lists: `[1, 2.5]`.

    `name` stands for the text in messages. Raises `CompileError` if it is wrong.
    """
    return plain_value(parser.parse_expression(text, name))


def syntax(file: SourceFile) -> str:
    """Return the syntax tree of a file of the language, for people."""
    if file.is_mlir:
        message = f"{file.path} is a file of IR, which has no syntax tree"
        raise CompileError(Diagnostic("TC0250", message))
    return print_ast(parser.parse(file.text, file.path))
