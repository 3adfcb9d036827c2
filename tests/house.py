"""What the test of the architecture finds in the sources.

Everything is read with `ast`; nothing of the package is imported.
"""

import ast
import re
from collections.abc import Iterable, Iterator
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
    def sentence(self) -> str:
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


_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
_DEFINED = _FUNCTION | ast.ClassDef
# Methods of containers that change them, and functions that change what they are given.
CHANGING = {
    *("append", "add", "update", "extend", "insert", "remove", "pop", "popitem"),
    *("setdefault", "clear", "discard", "sort", "reverse", "register"),
    *("__setitem__", "__delitem__", "__setattr__"),
}
SETTERS = {"setattr", "delattr"}
# Decorators from elsewhere that keep nothing of what they decorate.
DECORATORS = {
    *("dataclass", "dataclasses.dataclass", "dataclass_transform", "contextmanager"),
    *("cache", "functools.cache", "lru_cache", "once", "overload"),
    *("op", "door", "outside", "hiding", "hiding_methods", "calling"),
    *("click.command", "click.group", "click.option", "click.argument"),
    *("path_option", "settings_option", "float_option", "optimize_option"),
    *("dim_option", "init_option", "threads_option", "time_option"),
    *("instrument_options", "check_nan_option"),
}
CLASS_OPTIONS = {"metaclass", "total"}


def effects(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield what a module does to others when it is imported.

    These are, in all code outside of functions: new values for attributes and items,
    and calls of methods that change things, of what comes from elsewhere; calls and
    decorators from elsewhere whose result is dropped, options of classes, modules that
    are imported and not used; and at any depth `import_module` for nothing.
    """
    own = _own(tree)
    given = {name for name, _ in _imported(tree)} | (_bound(tree) - own)
    used = {
        spelled(n) for n in ast.walk(tree) if isinstance(n, ast.Name | ast.Attribute)
    }
    for node in _run_at_import(tree.body):
        changed = [c for c in _changed(node) if _root(c) not in own]
        changed += [d for d in _dropped(node) if _root(d) in given]
        changed += [d for d in _decorators(node) if _root(d) in given]
        if changed or _has_options(node) or _is_unused(node, used):
            yield node.lineno, _first_line(node)
    for node in ast.walk(tree):
        is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        if is_call and spelled(node.value.func).endswith("import_module"):
            yield node.lineno, _first_line(node)


def _run_at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, _FUNCTION):
            continue
        for inner in ("body", "orelse", "finalbody"):
            yield from _run_at_import(getattr(node, inner, []))
        for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            yield from _run_at_import(part.body)


def _changed(node: ast.stmt) -> Iterator[ast.expr]:
    """Yield what a statement may change: targets, owners of methods, functions."""
    for target in _targets(node):
        if isinstance(target, ast.Attribute | ast.Subscript):
            yield target
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        yield call.args[0] if spelled(call.func) in SETTERS else call.func
    for call in _calls(_expressions(node)):
        if isinstance(call.func, ast.Attribute) and call.func.attr in CHANGING:
            yield call.func
        elif spelled(call.func) in SETTERS:
            yield call.args[0]


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    """Yield what a statement gives a value to, or deletes; out of tuples, too."""
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    if isinstance(node, ast.With | ast.AsyncWith):
        targets = [item.optional_vars for item in node.items]
    for target in filter(None, targets):
        inner = [n for n in ast.walk(target) if isinstance(n, ast.Tuple | ast.List)]
        leaves = [e for n in inner for e in n.elts] or [target]
        yield from (e.value if isinstance(e, ast.Starred) else e for e in leaves)


def _dropped(node: ast.stmt) -> Iterator[ast.expr]:
    """Yield the functions that a statement calls without a name for the result."""
    kept = [t for t in _targets(node) if spelled(t) != "_"]
    is_header = isinstance(node, ast.If | ast.While | ast.Assert | ast.Match | ast.With)
    if is_header or (isinstance(node, ast.Expr | ast.Assign | ast.For) and not kept):
        yield from (call.func for call in _calls(_expressions(node)))


def _decorators(node: ast.stmt) -> Iterator[ast.expr]:
    for decorator in node.decorator_list if isinstance(node, _DEFINED) else ():
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if spelled(called) not in DECORATORS:
            yield called


def _has_options(node: ast.stmt) -> bool:
    names = node.keywords if isinstance(node, ast.ClassDef) else ()
    return any(keyword.arg not in CLASS_OPTIONS for keyword in names)


def _is_unused(node: ast.stmt, used: set[str]) -> bool:
    """Return whether a module of the package is imported, and then not named."""
    if not isinstance(node, ast.Import):
        return False
    names = [alias.asname or alias.name for alias in node.names]
    ours = [
        n for n, a in zip(names, node.names, strict=True) if a.name.startswith(PREFIX)
    ]
    return any(name not in used for name in ours)


def _expressions(node: ast.stmt) -> Iterator[ast.AST]:
    """Yield the expressions that run with a statement, but not those in its blocks."""
    if isinstance(node, _FUNCTION):
        yield from (*node.decorator_list, *node.args.defaults)
        yield from filter(None, node.args.kw_defaults)
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.match_case):
            yield from filter(None, [child.guard])
        elif not isinstance(child, ast.stmt | ast.excepthandler):
            yield child


def _calls(expressions: Iterable[ast.AST]) -> Iterator[ast.Call]:
    """Yield the calls in expressions, but for those that wait in a lambda."""
    for node in expressions:
        if isinstance(node, ast.Call):
            yield node
        if not isinstance(node, ast.Lambda):
            yield from _calls(ast.iter_child_nodes(node))


def _own(tree: ast.Module) -> set[str]:
    """Return the names of the classes and values that a module makes.

    Another name for what comes from elsewhere is none of them.
    """
    own: set[str] = set()
    for node in _run_at_import(tree.body):
        if isinstance(node, ast.ClassDef):
            own.add(node.name)
        value = getattr(node, "value", None)
        if not isinstance(node, ast.Assign | ast.AnnAssign) or value is None:
            continue
        names = {t.id for t in _targets(node) if isinstance(t, ast.Name)}
        own = own | names if _is_made(value, own) else own - names
    return own


def _is_made(value: ast.expr, own: set[str]) -> bool:
    if isinstance(value, ast.IfExp):
        return _is_made(value.body, own) and _is_made(value.orelse, own)
    if isinstance(value, ast.BoolOp):
        return all(_is_made(part, own) for part in value.values)
    if isinstance(value, ast.Tuple):  # of a dict or a list there is no other name
        return all(_is_made(part, own) for part in value.elts)
    alias = isinstance(value, ast.Name | ast.Attribute | ast.Subscript)
    return not alias or _root(value) in own


def _bound(tree: ast.Module) -> set[str]:
    """Return the names that statements outside of functions give a value."""
    nodes = [t for node in _run_at_import(tree.body) for t in _targets(node)]
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names that a module imports, and what each stands for."""
    for node in _run_at_import(tree.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                yield name, alias.name


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
    name = path.relative_to(ROOT)
    if (count := len(text.splitlines())) > FILE_LINES:
        yield f"{name} has {count} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            count = (node.end_lineno or first) - first + 1
            if count > FUNCTION_LINES:
                yield f"{name}:{first} {node.name} has {count} lines"
