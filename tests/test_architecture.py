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
from tests.rooms import EFFECTS, LAZY, LEVELS, ROOMS, UPWARD, Rooms

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
            wrong.append(item.sentence)
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
        ("tensorc.passes.memory.bufferize", "tensorc.ir.ops.loop.scf"),
        ("tensorc.ir.ops.memory.kernels", "tensorc.ir.ops.tensor.indexing"),
        ("tensorc.ir.ops.structured.generics", "tensorc.ir.ops.loop.scf"),
        ("tensorc.api.jit", "tensorc.frontend.library.registry.rows"),
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
    wrong = [where for pair, where in found.items() if pair not in EFFECTS]
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
    hidden = {(i.importer, i.imported): i.sentence for i in imports() if not i.is_top}
    wrong = [where for pair, where in hidden.items() if pair not in LAZY]
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
        i.sentence
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
