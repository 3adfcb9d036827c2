"""The house as design section 2 draws it: imports, docs, sizes, and what is banned.

Everything is read from the source with `ast`; nothing of the package is imported.
"""

import ast
import re
import sys
from collections.abc import Iterable
from graphlib import TopologicalSorter

import pytest

from tests.house import (
    FILE_LINES,
    FOLDER_MODULES,
    FUNCTION_LINES,
    PACKAGE,
    ROOT,
    Import,
    banned,
    crowded,
    effects,
    imports,
    llvm_text,
    modules,
    public,
    sizes,
    spelled,
)

Rooms = dict[str, tuple[set[str], set[str]]]
# What a room may import: rooms (itself always), and packages of third parties.
# A room in a room has a row of its own, and is imported only by those that name it.
LEVELS = ("passes.tensor", "passes.structured", "passes.memory", "passes.loops")
LEVEL = {
    *("passes.common", "passes.analysis", "passes.schedule", "ir", "target", "errors"),
}
ROOMS: Rooms = {
    "__init__": ({"api", "frontend.library", "frontend.python", "errors"}, set()),
    "errors": (set(), set()),
    "target": (set(), set()),
    "artifact": ({"errors"}, set()),
    "diagnostics": ({"errors"}, set()),  # renders them: excerpts, carets, colour
    "tables": ({"diagnostics"}, set()),  # what a value shows of itself, in a notebook
    "recipes": ({"errors"}, set()),  # read by files, Python, checkpoints and the loop
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
    "frontend.dsl.programs": ({"ir", "recipes", "errors", "json_data"}, {"numpy"}),
    "frontend.dsl.irgen": (
        {
            *("frontend.dsl.syntax", "frontend.dsl.programs", "frontend.library"),
            *("ir", "recipes", "errors"),
        },
        {"numpy"},
    ),
    "frontend.dsl": (
        {
            *("frontend.dsl.syntax", "frontend.dsl.programs", "frontend.dsl.irgen"),
            *("ir", "errors"),
        },
        set(),
    ),
    "frontend.python.graph": (
        {"frontend.library", "ir", "errors", "diagnostics"},
        set(),
    ),
    "frontend.python": (
        {"frontend.library", "frontend.python.graph", "ir", "errors"},
        {"numpy"},
    ),
    "passes": (set(), set()),
    "passes.common": ({"ir", "target", "errors"}, {"numpy"}),
    "passes.analysis": ({"ir"}, set()),
    "passes.schedule": ({"passes.analysis", "ir", "target"}, set()),
    "passes.math": ({"passes.common", "ir", "target"}, {"numpy"}),
    "passes.tensor": (LEVEL - {"passes.analysis", "passes.schedule"}, {"numpy"}),
    "passes.structured": (LEVEL, set()),
    "passes.memory": (LEVEL, set()),
    "passes.loops": (LEVEL, set()),
    "backend": ({"errors"}, {"numpy"}),
    "backend.llvm": (
        {"backend", "ir", "target", "artifact", "errors", "address_space"},
        {"llvmlite"},
    ),
    "runtime": ({"artifact", "errors"}, {"numpy"}),
    "runtime.files": (
        {"runtime", "errors", "plain_files"},
        {"numpy", "safetensors"},
    ),
    "runtime.training": (
        {"runtime", "runtime.files", "artifact", "recipes", "errors", "tables"},
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
            *("abi", "pipeline", "passes.common", "passes.structured"),
            *("passes.memory", "passes.loops", "passes.math", "backend.llvm"),
            *("ir", "target", "artifact", "errors"),
        },
        set(),
    ),
    # From a module to an artifact, out of the cache where that is possible.
    "driver": (
        {
            *("ir", "target", "artifact", "artifact_file", "cache"),
            *("address_space", "backend.llvm", "compiler", "runtime", "runtime.cpu"),
        },
        set(),
    ),
    "api": (
        {
            *("ir", "driver", "compiler", "pipeline", "runtime.cpu"),
            *("passes.common", "passes.analysis", "cache", "artifact", "target"),
            *("recipes", "errors", "tables", "frontend.library", "frontend.python"),
            *("frontend.python.graph", "frontend.dsl", "frontend.dsl.syntax"),
            *("frontend.dsl.programs", "runtime", "runtime.files", "runtime.training"),
        },
        {"numpy"},
    ),
    # Programs that look for bugs: whatever the compiler and the runtime are made of.
    "fuzz": (
        {
            *("ir", "compiler", "driver", "target", "artifact", "errors"),
            *(
                "passes.common",
                "passes.math",
                "passes.tensor",
                "runtime",
                "runtime.cpu",
            ),
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
    ("tensorc", "tensorc.frontend.library.mistakes"): "only where a name is wrong",
    ("tensorc", "tensorc.api.function"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.data"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.debugging"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.fit"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.grad"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.function_grad"): "symbolic names cost numpy",
    ("tensorc.api.grad", "tensorc.api.function_grad"): "variables need no tracer",
    ("tensorc", "tensorc.api.saving"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.options"): "symbolic names cost numpy",
    ("tensorc", "tensorc.api.jit"): "symbolic names cost numpy",
    ("tensorc", "tensorc.*"): "the public names, loaded when they are asked for",
    ("tensorc.driver", "tensorc.compiler"): "a hit in the cache imports no pass",
    ("tensorc.frontend.python.symbolic", "tensorc.api.function"): "`eval` compiles",
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

# The steps up, from a room to one that its row does not name: methods of variables.
UPWARD = {("tensorc.frontend.python.symbolic", "tensorc.api.function")}

# (module, statement): why it has an effect when it is imported.
EFFECTS = {
    ("tensorc.__main__", "main()"): "the command line",
    ("tensorc.compiler", "check_pipeline(CPU)"): "passes that do not fit never run",
    ("tensorc.backend.llvm", "require(160 * MIB, 'LLVM')"): "LLVM just exits without",
    (
        "tensorc.cli.main",
        "importlib.import_module('numpy')",
    ): "LLVM, loaded before it, would take the room that was found",
    (
        "tensorc.cli.main",
        "click.rich_click.OPTIONS_TABLE_COLUMN_TYPES = ['opt_all_metavar', 'help']",
    ): "how rich_click is configured",
    ("tensorc.runtime.cpu", "keep(LLVM_LOCK)"): "llvmlite's lock; a fork takes it, too",
    (
        "tensorc.runtime.locks",
        "os.register_at_fork(before=_before_fork, after_in_parent=_release, "
        "after_in_child=_after_fork_in_child)",
    ): "a fork takes all locks",
    (
        "tensorc.runtime.threads",
        "os.register_at_fork(after_in_child=_forget)",
    ): "a child has no pool",
}

LLVM_WRITER = "tensorc.backend.emit"
# Its machine is used without what imports and calls: `test_readers` has its tests.
CUT_DOWN = ("tensorc.runtime.files.pickled", "pickle")
BANNED_MODULES = {"pickle", "marshal", "shelve", "cPickle", "dill", "joblib", "yaml"}


def room_of(module: str) -> str:
    """Return the row of a module in ROOMS: the longest that its name begins with."""
    inside = module.removeprefix("tensorc").removeprefix(".")
    while inside and inside not in ROOMS:
        inside = inside.rpartition(".")[0]
    return inside or "__init__"


def test_every_module_has_a_room():
    unknown = [m for m in modules() if m != "tensorc" and room_of(m) == "__init__"]
    assert not unknown, "give these modules a row in ROOMS"


def crossings(items: Iterable[Import]) -> list[str]:
    """Return the imports that the rows of their rooms do not name."""
    wrong = []
    for item in items:
        room, target = room_of(item.importer), item.imported
        rooms, packages = ROOMS[room]
        first = target.partition(".")[0]
        if first == "tensorc":
            allowed = room_of(target) in {room, *rooms}
            allowed = allowed or (item.importer, target) in UPWARD
        else:
            allowed = first in sys.stdlib_module_names or first in packages
        if not allowed:
            wrong.append(item.place)
    return wrong


def test_rooms_import_only_what_their_rows_name():
    assert not crossings(imports())
    assert LAZY.keys() >= UPWARD, "these are lazy, with a reason"


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("tensorc.passes.memory.bufferize", "tensorc.passes.loops.rows"),
        ("tensorc.passes.analysis.cost", "tensorc.passes.structured.fuse"),
        ("tensorc.frontend.dsl.irgen.calls", "tensorc.frontend.python.symbolic"),
        ("tensorc.frontend.library.sizes", "tensorc.passes.tensor.simplify"),
        ("tensorc.frontend.python.tracer", "tensorc.api.function"),  # not its seam
        ("tensorc.runtime.function", "tensorc.ir.types"),
        ("tensorc.passes.loops.rows", "llvmlite"),
    ],
)
def test_a_crossing_is_seen(importer, imported):
    (found,) = crossings([Import(importer, imported, 7, True)])
    assert found == f"{importer}:7 imports {imported}"


def meeting_levels(rooms: Rooms) -> list[str]:
    """Return the rooms of levels whose rows name another level."""
    rows = {level: rooms[level][0] for level in LEVELS}
    return [f"{a} names {b}" for a in LEVELS for b in LEVELS if a != b and b in rows[a]]


def test_no_level_imports_another():
    assert not meeting_levels(ROOMS)
    (named, packages) = ROOMS["passes.memory"]
    rooms = {**ROOMS, "passes.memory": ({*named, "passes.loops"}, packages)}
    assert meeting_levels(rooms) == ["passes.memory names passes.loops"]


def stale(rooms: Rooms, items: Iterable[Import]) -> list[str]:
    """Return the rows of rooms that are not there, and what rows name for nothing."""
    used: dict[str, set[str]] = {room: set() for room in rooms}
    for item in items:
        first = item.imported.partition(".")[0]
        name = room_of(item.imported) if first == "tensorc" else first
        used[room_of(item.importer)].add(name)
    there = {room_of(module) for module in modules()}
    found = [f"there is no {room}" for room in rooms if room not in there]
    for room, (named, packages) in rooms.items():
        if room in there - {"cli"}:  # which may import everything
            idle = (named | packages) - used[room]
            found += [f"{room} does not import {name}" for name in sorted(idle)]
    return found


def test_no_row_is_stale():
    assert not stale(ROOMS, imports())


@pytest.mark.parametrize(
    ("room", "row", "words"),
    [
        ("passes.fusion", (set(), set()), "there is no passes.fusion"),
        ("errors", ({"target"}, set()), "errors does not import target"),
        ("diagnostics", ({"errors"}, {"rich"}), "diagnostics does not import rich"),
    ],
)
def test_a_stale_row_is_seen(room, row, words):
    assert words in stale({**ROOMS, room: row}, imports())


HARMLESS = """
import tensorc.frontend.library.joining
from dataclasses import dataclass
TABLE = {}
TABLE.update(registry.ROWS)
NAMES, OWN = tuple(row.name for row in ROWS), registry.all()
OWN[0], TABLE["a"] = 1, 2
READ = tensorc.frontend.library.joining.read
for name in NAMES:
    TABLE[name] = Base(name)
def f(x=registry.DEFAULT):
    ROWS.append(x)
    return register(x)
LATER = lambda: ROWS.append(1)
@dataclass(frozen=True)
class F(Base, metaclass=registry.Meta):
    names = []
    names.append(registry.NAME)
"""


def test_nothing_is_imported_for_a_side_effect():
    found = {
        (name, what): f"{name}:{line} {what}"
        for name, tree in modules().items()
        for line, what in effects(tree)
    }
    wrong = [place for pair, place in found.items() if pair not in EFFECTS]
    assert not wrong, "pass it in, or give the reason in EFFECTS"
    assert not EFFECTS.keys() - found.keys(), "these rows of EFFECTS are not used"


@pytest.mark.parametrize(
    "line",
    [
        "Tensor.evaluator = staticmethod(evaluate)",
        "setattr(Tensor, 'sum', total)",
        "symbolic.give_methods()",
        "registry.ROWS['exp'] = row",
        "registry.ROWS.update(rows)",
        "if True:\n    registry.ROWS += rows",
        "del registry.ROWS[0]",
        "register(rows)",
        "@ROWS.add\ndef f(): pass",
        "@ROWS.named('f')\nclass F: pass",
        "@register\ndef f(): pass",
        "class F:\n    @register\n    def f(self): pass",
        "_ = register(rows)",
        "table = [ROWS.append(i) for i in range(3)]",
        "table = ROWS.setdefault('a', [])",
        "[register(i) for i in range(3)]",
        "if register(rows):\n    pass",
        "for _ in register(rows):\n    pass",
        "with register(rows):\n    pass",
        "class F:\n    ROWS.append(1)",
        "try:\n    import fast\nexcept ImportError:\n    ROWS.append(1)",
        "try:\n    import fast\nfinally:\n    ROWS.append(1)",
        "match 1:\n    case 1:\n        ROWS.append(1)",
        "with open('f'):\n    ROWS.append(1)",
        "for i in range(3):\n    ROWS.append(i)",
        "OTHER = ROWS; OTHER.append(1)",
        "OTHER = ROWS if True else []; OTHER.append(1)",
        "for row in ROWS: row.clear()",
        "registry.a, registry.b = pair",
        "(a, *registry.b), c = pair",
        "for registry.a in range(3): pass",
        "class F(Base, register=True): pass",
        "import tensorc.frontend.library.shapes",
        "def f(of=ROWS.pop()): pass",
        "def f():\n    importlib.import_module('tensorc.api.function')",
    ],
)
def test_a_side_effect_is_seen(line):
    """The last line of each; what a module does to its own tables is none."""
    given = "from tensorc.frontend.library import registry, register, Base\n"
    given += (
        "from tensorc.frontend.library.registry.rows import ROWS\nimport importlib\n"
    )
    assert not list(effects(ast.parse(given + HARMLESS)))
    ((number, what),) = effects(ast.parse(given + line))
    assert number > 3
    assert "".join(what.split()) in "".join(line.split())


def test_the_tour_names_every_room():
    """At the head of the package, and in the page, which shows the same text."""
    tour = ast.get_docstring(modules()["tensorc"])
    named = set(re.findall(r"^    ([a-z_.]+) ", tour, re.MULTILINE))
    named |= set(re.findall(r"^    .*`([a-z_]+)`", tour, re.MULTILINE))
    folders = {room for room in _folders() if not room.startswith("ir.ops.")}
    files = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert not (folders | files) - named, "these are not in the tour"
    heads = set(re.findall(r"^    ([a-z_.]+) ", tour, re.MULTILINE))
    assert not heads - folders - files, "these are not there"


def _folders() -> set[str]:
    """Return the folders that hold modules, by their dotted names."""
    held = {p.parent for p in PACKAGE.rglob("*.py") if p.stem != "__init__"}
    return {".".join(p.relative_to(PACKAGE).parts) for p in held} - {""}


def test_no_folder_is_crowded():
    paths = sorted(PACKAGE.rglob("*.py"))
    assert not crowded(paths)
    one_more = [PACKAGE / "ir" / f"m{i}.py" for i in range(FOLDER_MODULES)]
    (found,) = crowded([*paths, *one_more])
    assert "/ir has " in found


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


def test_every_public_name_has_a_docstring():
    nodes = [(name, tree) for name, tree in modules().items()]
    nodes += [pair for name, tree in modules().items() for pair in public(name, tree)]
    missing = [
        name
        for name, node in nodes
        if not any(part.startswith("_") for part in name.split("."))
        # What it is for all ops is said once, in `tensorc.ir.opdef`.
        and not (name.startswith("tensorc.ir.ops.") and name.endswith(".evaluate"))
        and not ast.get_docstring(node)
    ]
    assert not missing


def test_nothing_evaluates_or_unpickles():
    wrong = [
        f"{name}:{line} {what}"
        for name, tree in modules().items()
        for line, what in banned(tree)
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
        if isinstance(node, ast.Attribute) and spelled(node.value) == module
    }
    assert used == {"_Unpickler", "Unpickler", "__all__"}
    # `Unpickler` stands in annotations: nothing calls it.
    called = {
        spelled(node.func)
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
    assert list(banned(ast.parse(source)))


def test_llvm_text_is_written_in_one_room_only():
    wrong = [
        f"{name}:{line} {text!r}"
        for name, tree in modules().items()
        if name != LLVM_WRITER
        for line, text in llvm_text(tree)
    ]
    assert not wrong
    assert list(llvm_text(modules()[LLVM_WRITER]))


def test_sizes():
    folders = ("tensorc", "tests", "benchmarks")
    paths = [path for f in folders for path in sorted((ROOT / f).rglob("*.py"))]
    long = [line for path in paths for line in sizes(path)]
    assert not long, f"limits: {FUNCTION_LINES} a function, {FILE_LINES} a file"
