"""What the test of the architecture finds in the sources.

Everything is read with `ast`; nothing of the package is imported.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tensorc"
PREFIX = "tensorc"
FUNCTION_LINES, FILE_LINES, FOLDER_MODULES = 60, 600, 24

BANNED_CALLS = {
    *("eval", "exec", "compile", "__import__"),
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
}
BANNED_ARGUMENTS = {"shell", "allow_pickle"}

# Words of LLVM's text that stand in no English sentence.
LLVM_TEXT = re.compile(
    r"\b(getelementptr|insertelement|extractelement|shufflevector|insertvalue|zext"
    r"|alloca|icmp|fcmp|fadd|fsub|fmul|fdiv|sext|fptrunc|fpext|sitofp|fptosi)\b"
    r"|\b(define|declare) \S+ @|\blabel %|\bptr %|= phi|@llvm\.|<\d+ x "
)


@dataclass(frozen=True, slots=True)
class Import:
    """One module that another one imports."""

    importer: str
    imported: str
    line: int
    is_top: bool

    @property
    def place(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


@cache
def modules() -> dict[str, ast.Module]:
    """Return the syntax tree of every module of the package, by its name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


@cache
def imports() -> tuple[Import, ...]:
    return tuple(i for name, tree in modules().items() for i in _imports(name, tree))


def _imports(name: str, tree: ast.Module) -> Iterator[Import]:
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{name}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [n if n in modules() else node.module for n in names]
        elif isinstance(node, ast.Call) and spelled(node.func).endswith(
            "import_module"
        ):
            targets = [_pattern(node.args[0])]
        for target in dict.fromkeys(targets):
            yield Import(name, target, node.lineno, id(node) in top)


def _pattern(argument: ast.expr) -> str:
    """Return the name that is imported by a computed name, with * for what varies."""
    if isinstance(argument, ast.JoinedStr):
        parts = [
            v.value if isinstance(v, ast.Constant) else "*" for v in argument.values
        ]
        return "".join(map(str, parts))
    return str(argument.value) if isinstance(argument, ast.Constant) else "*"


def spelled(node: ast.expr) -> str:
    """Return "a.b.c" for names and attributes, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{spelled(node.value)}.{node.attr}"
    return ""


_DEFINED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def effects(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield what a module does to others when it is imported.

    These are calls whose result is dropped, new values for attributes and items, and
    decorators that are methods, each of what comes from elsewhere; and at any depth
    imports whose result is dropped.
    """
    own, given = set(_made(tree.body)), set(_given(tree.body))
    for node in _run_at_import(tree.body):
        for changed in _changed(node, given):
            if _root(changed) not in own:
                yield node.lineno, _first_line(node)
    for node in ast.walk(tree):
        is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        if is_call and spelled(node.value.func).endswith("import_module"):
            yield node.lineno, _first_line(node)


def _run_at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if not isinstance(node, _DEFINED):
            for inner in ("body", "orelse", "finalbody"):
                yield from _run_at_import(getattr(node, inner, []))


def _changed(node: ast.stmt, given: set[str]) -> Iterator[ast.expr]:
    """Yield what a statement may change: targets, owners of methods, functions."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign | ast.Delete):
        targets = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        yield call.args[0] if spelled(call.func) == "setattr" else call.func
    elif isinstance(node, _DEFINED):
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call):
                decorator = decorator.func
            if isinstance(decorator, ast.Attribute) and _root(decorator) in given:
                yield decorator
    yield from (t for t in targets if isinstance(t, ast.Attribute | ast.Subscript))


def _made(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names of the classes and values that a module makes."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (t.id for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def _given(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names of what a module has from others of the package, but modules."""
    for node in body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
            for alias in node.names:
                if f"{node.module}.{alias.name}" not in modules():
                    yield alias.asname or alias.name


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _first_line(node: ast.stmt) -> str:
    return ast.unparse(node).splitlines()[0]


def crowded(paths: list[Path]) -> list[str]:
    """Return the folders that hold more modules than `FOLDER_MODULES`."""
    counts: dict[Path, int] = {}
    for path in paths:
        counts[path.parent] = counts.get(path.parent, 0) + 1
    return [
        f"{folder} has {count} modules"
        for folder, count in counts.items()
        if count > FOLDER_MODULES
    ]


def public(name: str, tree: ast.AST, inside: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("_") or _is_overload(node):
                continue
            spelled = f"{inside or name}.{node.name}"
            yield spelled, node
            if isinstance(node, ast.ClassDef):
                yield from public(name, node, spelled)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from public(name, node, inside)


def _is_overload(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(spelled(d) == "overload" for d in node.decorator_list)


def banned(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = spelled(node.func)
            if called in BANNED_CALLS:
                yield node.lineno, called
            for keyword in node.keywords:
                value = keyword.value
                harmless = isinstance(value, ast.Constant) and value.value is False
                if keyword.arg in BANNED_ARGUMENTS and not harmless:
                    yield node.lineno, f"{called}({keyword.arg}=…)"


def llvm_text(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the f-strings, and other strings of several words, with LLVM's text."""
    docs = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.JoinedStr):
            parts = [v for v in node.values if isinstance(v, ast.Constant)]
            text = "{}".join(str(part.value) for part in parts)
        elif isinstance(node, ast.Constant) and id(node) not in docs:
            text = node.value if isinstance(node.value, str) else ""
            text = text if " " in text.strip() else ""  # one word may name an opcode
        if LLVM_TEXT.search(text):
            yield node.lineno, text


def sizes(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    place = path.relative_to(ROOT)
    if (count := len(text.splitlines())) > FILE_LINES:
        yield f"{place} has {count} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            count = (node.end_lineno or first) - first + 1
            if count > FUNCTION_LINES:
                yield f"{place}:{first} {node.name} has {count} lines"
