"""The house as design section 2 draws it: imports, docs, sizes, and what is banned.

Everything is read from the source with `ast`; nothing of the package is imported.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tensorc"

# What a room may import: rooms (itself always), and packages of third parties.
# A room in a room has a row of its own, and is imported only by those that name it.
LEVEL = {"passes.common", "passes.analysis", "ir", "target", "errors"}
DSL = {
    *("frontend.dsl", "frontend.dsl.syntax", "frontend.dsl.programs"),
    "frontend.dsl.irgen",
}
PYTHON = {"frontend.library", "frontend.python", "frontend.python.graph"}
RUNTIME = {"runtime", "runtime.files", "runtime.training"}
PASSES = {
    *("passes.common", "passes.analysis", "passes.tensor", "passes.structured"),
    *("passes.memory", "passes.loops", "passes.math"),
}
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "__init__": ({"api", "frontend.python", "errors"}, set()),
    "errors": (set(), set()),
    "target": ({"errors", "artifact"}, set()),
    "artifact": ({"errors", "target"}, set()),
    "diagnostics": ({"errors"}, set()),  # renders them: excerpts, carets, colour
    "tables": ({"diagnostics"}, set()),  # what a value shows of itself, in a notebook
    "plain_files": (set(), set()),
    "address_space": (set(), set()),
    "cache": ({"errors", "plain_files"}, {"platformdirs"}),
    "json_data": ({"errors"}, set()),  # what the cache holds is read by it
    "artifact_file": ({"artifact", "json_data"}, set()),
    "ir": ({"errors"}, {"numpy"}),
    "frontend": (set(), set()),
    # Errors of the Python doors hold the rendered text.
    "frontend.library": ({"ir", "errors", "diagnostics"}, {"numpy"}),
    "frontend.dsl.syntax": ({"errors"}, {"lark"}),
    "frontend.dsl.programs": ({"ir", "errors", "json_data"}, {"numpy"}),
    "frontend.dsl.irgen": (
        {
            *DSL - {"frontend.dsl", "frontend.dsl.irgen"},
            "frontend.library",
            "ir",
            "errors",
        },
        {"numpy"},
    ),
    "frontend.dsl": ({*DSL, "ir", "errors"}, set()),
    "frontend.python.graph": (
        {"frontend.library", "ir", "errors", "diagnostics"},
        {"numpy"},
    ),
    "frontend.python": (
        {"frontend.library", "frontend.python.graph", "ir", "errors"},
        {"numpy"},
    ),
    "passes": (set(), set()),
    "passes.common": ({"ir", "target", "errors"}, {"numpy"}),
    "passes.analysis": ({"ir", "target"}, set()),
    "passes.math": ({"passes.common", "ir", "target"}, {"numpy"}),
    "passes.tensor": (LEVEL, {"numpy"}),
    "passes.structured": (LEVEL, {"numpy"}),
    "passes.memory": (LEVEL, {"numpy"}),
    "passes.loops": (LEVEL, {"numpy"}),
    "backend": ({"ir", "target", "artifact", "errors"}, {"numpy"}),
    "backend.llvm": (
        {"backend", "ir", "target", "artifact", "errors", "address_space"},
        {"llvmlite", "numpy"},
    ),
    "runtime": (
        {"artifact", "cache", "errors", "plain_files"},
        {"numpy"},
    ),
    "runtime.files": (
        {"runtime", "artifact", "errors", "plain_files"},
        {"numpy", "safetensors"},
    ),
    "runtime.training": (
        {"runtime", "runtime.files", "artifact", "errors", "plain_files", "tables"},
        {"numpy"},
    ),
    # Links objects.
    "runtime.cpu": (
        {"runtime", "artifact", "errors", "address_space"},
        {"llvmlite"},
    ),
    "pipeline": (
        {"passes.common", "passes.tensor", "ir", "target", "errors"},
        set(),
    ),
    # What the runtime must know of a function, read off its IR.
    "abi": ({"ir", "passes.analysis", "backend", "artifact"}, set()),
    "compiler": (
        {
            *("abi", "pipeline", "ir", "backend.llvm"),
            *("target", "artifact", "errors", *PASSES),
        },
        set(),
    ),
    # From a module to an artifact, out of the cache where that is possible.
    "driver": (
        {
            *("ir", "target", "artifact", "artifact_file", "cache", "errors"),
            *("address_space", "backend.llvm", "compiler", "runtime", "runtime.cpu"),
        },
        set(),
    ),
    "api": (
        {
            *("ir", "driver", "compiler", "pipeline", "runtime.cpu"),
            *("passes.common", "passes.analysis", "cache", "artifact", "target"),
            *("errors", "diagnostics", "tables", *DSL, *PYTHON, *RUNTIME),
        },
        {"numpy"},
    ),
    # Programs that look for bugs: whatever the compiler and the runtime are made of.
    "fuzz": (
        {
            *("ir", "compiler", "driver", "target", "artifact", "errors", *PASSES),
            *("runtime", "runtime.cpu"),
        },
        {"numpy"},
    ),
}
ROOMS["cli"] = (set(ROOMS), {"numpy", "rich_click", "click", "rich"})
ROOMS["__main__"] = ({"cli"}, set())

# (importer, imported): why this import does not stand at the top of its module.
LAZY = {
    ("tensorc", "collections.abc"): "for type checkers only",
    ("tensorc", "importlib"): "the version, for those who ask for it",
    ("tensorc", "tensorc.api.checking"): "for type checkers only",
    (
        "tensorc",
        "tensorc.api.program",
    ): "`import tensorc` costs no llvmlite, lark or numpy",
    ("tensorc", "tensorc.api.stages"): "for type checkers only",
    ("tensorc", "tensorc.errors"): "for type checkers only",
    ("tensorc", "tensorc.frontend.python.group_functions"): "for type checkers only",
    ("tensorc", "tensorc.frontend.python.groups"): "for type checkers only",
    ("tensorc", "tensorc.frontend.python.symbolic"): "for type checkers only",
    (
        "tensorc",
        "tensorc.frontend.python.symbolic_functions",
    ): "symbolic names cost numpy",
    (
        "tensorc",
        "tensorc.frontend.python.symbolic_variables",
    ): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.function"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.data"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.debugging"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.fit"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.grad"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.saving"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.options"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.jit"): "symbolic names cost numpy",
    ("tensorc", "tensorc.*"): "the public names, loaded when they are asked for",
    ("tensorc.driver", "tensorc.compiler"): "a hit in the cache imports no pass",
    ("tensorc.api.stages", "tensorc.compiler"): "only stages need the passes",
    (
        "tensorc.api.stages",
        "tensorc.frontend.dsl.reading",
    ): "a kept program is not parsed",
    (
        "tensorc.api.program",
        "tensorc.frontend.python.groups",
    ): "only `params` needs them",
    (
        "tensorc.api.program",
        "tensorc.frontend.python.symbolic_variables",
    ): "only memory needs them",
    ("tensorc.api.stages", "tensorc.ir.ops.builtin"): "for type checkers only",
    ("tensorc.api.program", "tensorc.ir.text.printer"): "a kept program has no IR",
    ("tensorc.driver", "tensorc.ir.ops.builtin"): "for type checkers only",
    ("tensorc.driver", "tensorc.ir.text.printer"): "a kept program has no IR",
    ("tensorc.api.kept_program", "tensorc.frontend.dsl.reading"): "a hit is not parsed",
    (
        "tensorc.frontend.python.describing",
        "tensorc.frontend.library.operands",
    ): "only for variables",
    ("tensorc.api.summaries", "tensorc.ir.dims"): "a kept program has no IR",
    ("tensorc.api.summaries", "tensorc.ir.ops.builtin"): "for type checkers only",
    ("tensorc.api.summaries", "tensorc.ir.types"): "for type checkers only",
    ("tensorc.api.inspection", "tensorc.ir.dims"): "a kept program has no IR",
    ("tensorc.api.inspection", "tensorc.ir.ops.builtin"): "for type checkers only",
    ("tensorc.api.inspection", "tensorc.ir.text.printer"): "a kept program has no IR",
    ("tensorc.frontend.dsl.programs.program", "tensorc.ir.ops.builtin"): "names only",
    ("tensorc.frontend.dsl.programs.program", "tensorc.ir.types"): "names only",
    (
        "tensorc.frontend.dsl.programs.program_file",
        "tensorc.ir.ops.builtin",
    ): "names only",
    ("tensorc.driver", "tensorc.backend.llvm.codegen"): "the pool's code is kept, too",
    ("tensorc.runtime.files.tensor_file", "safetensors"): "only files of weights",
    ("tensorc.cache", "platformdirs"): "not needed where TENSORC_CACHE_DIR is set",
    ("tensorc.plain_files", "fcntl"): "Windows has none",
    ("tensorc.address_space", "resource"): "Windows has none",
    ("tensorc.api.inspection", "tensorc.compiler"): "only stages need the passes",
    ("tensorc.api.inspection", "tensorc.driver"): "llvmlite, with the first function",
    ("tensorc.api.inspection", "tensorc.passes.common.base"): "for type checkers only",
    ("tensorc.api.program", "tensorc.api.summaries"): "a kept program has no IR",
    ("tensorc.api.inspection", "tensorc.api.summaries"): "a kept program has no IR",
    ("tensorc.api.inspection", "tensorc.api.report"): "only kernels need the passes",
    ("tensorc.api.function", "tensorc.driver"): "llvmlite, with the first function",
    ("tensorc.cli.entry", "tensorc.cli.main"): "Ctrl-C while this loads: no traceback",
    ("tensorc.cli.main", "tensorc.cli.*"): "help loads no compiler",
    ("tensorc.cli.main", "numpy"): "with the first command that needs it",
    ("tensorc.cli.main", "tensorc.cli.completion"): "only a shell asks for it",
    ("tensorc.cli.options", "tensorc.cli.file_help"): "only this help parses a file",
    (
        "tensorc.cli.explain",
        "tensorc.api.stages",
    ): "a code is explained without a compiler",
    ("tensorc.cli.progress", "rich.console"): "only a terminal needs a bar",
    ("tensorc.cli.progress", "rich.progress"): "only a terminal needs a bar",
}

# Its machine is used without what imports and calls: `test_readers` has its tests.
CUT_DOWN = ("tensorc.runtime.files.pickled", "pickle")
BANNED_MODULES = {"pickle", "marshal", "shelve", "cPickle", "dill", "joblib", "yaml"}
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
LLVM_WRITER = "tensorc.backend.emit"

FUNCTION_LINES, FILE_LINES = 60, 600


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


def room_of(module: str) -> str:
    """Return the row of a module in ROOMS: the longest that its name begins with."""
    inside = module.removeprefix("tensorc").removeprefix(".")
    while inside and inside not in ROOMS:
        inside = inside.rpartition(".")[0]
    return inside or "__init__"


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
        elif isinstance(node, ast.Call) and _spelled(node.func).endswith(
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


def _spelled(node: ast.expr) -> str:
    """Return "a.b.c" for names and attributes, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_spelled(node.value)}.{node.attr}"
    return ""


def test_every_module_has_a_room():
    unknown = [m for m in modules() if m != "tensorc" and room_of(m) == "__init__"]
    assert not unknown, "give these modules a row in ROOMS"


def test_rooms_import_only_what_their_rows_name():
    wrong = []
    for item in imports():
        room, target = room_of(item.importer), item.imported
        rooms, packages = ROOMS[room]
        first = target.partition(".")[0]
        if first == "tensorc":
            allowed = room_of(target) in {room, *rooms}
        else:
            allowed = first in sys.stdlib_module_names or first in packages
        if not allowed:
            wrong.append(item.place)
    assert not wrong


def test_imports_stand_at_the_top_but_for_the_lazy_seams():
    hidden = {(i.importer, i.imported): i.place for i in imports() if not i.is_top}
    wrong = [place for pair, place in hidden.items() if pair not in LAZY]
    assert not wrong, "import at the top, or give the reason in LAZY"
    assert not LAZY.keys() - hidden.keys(), "these rows of LAZY are not used"


def test_imports_run_downward():
    graph: dict[str, set[str]] = {name: set() for name in modules()}
    for item in imports():
        if item.is_top and item.imported in graph:
            graph[item.importer].add(item.imported)
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, naming it


def _public(
    name: str, tree: ast.AST, inside: str = ""
) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("_") or _is_overload(node):
                continue
            spelled = f"{inside or name}.{node.name}"
            yield spelled, node
            if isinstance(node, ast.ClassDef):
                yield from _public(name, node, spelled)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from _public(name, node, inside)


def _is_overload(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(_spelled(d) == "overload" for d in node.decorator_list)


def test_every_public_name_has_a_docstring():
    nodes = [(name, tree) for name, tree in modules().items()]
    nodes += [pair for name, tree in modules().items() for pair in _public(name, tree)]
    missing = [
        name
        for name, node in nodes
        if not any(part.startswith("_") for part in name.split("."))
        # What it is for all ops is said once, in `tensorc.ir.opdef`.
        and not (name.startswith("tensorc.ir.ops.") and name.endswith(".evaluate"))
        and not ast.get_docstring(node)
    ]
    assert not missing


def _banned(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = _spelled(node.func)
            if called in BANNED_CALLS:
                yield node.lineno, called
            for keyword in node.keywords:
                value = keyword.value
                harmless = isinstance(value, ast.Constant) and value.value is False
                if keyword.arg in BANNED_ARGUMENTS and not harmless:
                    yield node.lineno, f"{called}({keyword.arg}=…)"


def test_nothing_evaluates_or_unpickles():
    wrong = [
        f"{name}:{line} {what}"
        for name, tree in modules().items()
        for line, what in _banned(tree)
    ]
    wrong += [
        i.place
        for i in imports()
        if i.imported.split(".")[0] in BANNED_MODULES
        and (i.importer, i.imported) != CUT_DOWN
    ]
    assert not wrong


def test_of_pickle_only_the_machine_is_used():
    importer, module = CUT_DOWN
    used = {
        node.attr
        for node in ast.walk(modules()[importer])
        if isinstance(node, ast.Attribute) and _spelled(node.value) == module
    }
    assert used == {"_Unpickler", "Unpickler", "__all__"}
    # `Unpickler` stands in annotations: nothing calls it.
    called = {
        _spelled(node.func)
        for node in ast.walk(modules()[importer])
        if isinstance(node, ast.Call)
    }
    assert not {name for name in called if name.startswith(module)}


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "exec(text)",
        "os.system(command)",
        "subprocess.run(command, shell=True)",
        "np.load(path, allow_pickle=flag)",
        "__import__(name)",
    ],
)
def test_the_ban_sees(source):
    assert list(_banned(ast.parse(source)))


def _llvm_text(tree: ast.Module) -> Iterator[tuple[int, str]]:
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


def test_llvm_text_is_written_in_one_room_only():
    wrong = [
        f"{name}:{line} {text!r}"
        for name, tree in modules().items()
        if name != LLVM_WRITER
        for line, text in _llvm_text(tree)
    ]
    assert not wrong
    assert list(_llvm_text(modules()[LLVM_WRITER]))


def _sizes(path: Path) -> Iterator[str]:
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


def test_sizes():
    folders = ("tensorc", "tests", "benchmarks")
    paths = [path for f in folders for path in sorted((ROOT / f).rglob("*.py"))]
    long = [line for path in paths for line in _sizes(path)]
    assert not long, f"limits: {FUNCTION_LINES} a function, {FILE_LINES} a file"
