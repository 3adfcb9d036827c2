"""The rooms of the package, as design section 2 draws them, and what is excepted.

`tests/test_architecture.py` compares them with the sources.
"""

Rooms = dict[str, tuple[set[str], set[str]]]
# What a room may import: rooms (itself always), and packages of third parties.
# A room in a room has a row of its own, and is imported only by those that name it.
LEVELS = ("passes.tensor", "passes.structured", "passes.memory", "passes.loops")
LEVEL = {"passes.common", "passes.analysis", "passes.schedule", "target", "errors"}


def ir(*parts: str) -> set[str]:
    """Return the IR itself and rooms in it."""
    return {"ir", *(f"ir.{part}" for part in parts)}


ROOMS: Rooms = {
    "__init__": (
        {
            *("api", "api.benching", "api.random", "errors"),
            *("frontend.library", "frontend.python"),
            *("frontend.python.derivatives", "frontend.python.grouping"),
        },
        set(),
    ),
    "errors": (set(), set()),
    "floats": ({"errors"}, {"numpy", "ml_dtypes"}),
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
    # The verifier, the interpreter and the builder of tensors stand above the ops.
    "ir": (
        {"errors", "floats", "ir.text", "ir.ops", "ir.ops.tensor", "ir.ops.memory"},
        {"numpy"},
    ),
    "ir.arrays": ({"ir", "floats"}, {"numpy"}),
    "ir.text": ({"ir", "ir.ops", "errors", "floats"}, {"numpy"}),
    # The list of all; of the levels, each sees scalars only.
    "ir.ops": (
        {
            *ir("arrays", "ops.tensor", "ops.structured", "ops.memory"),
            *("ir.ops.loop", "ir.ops.scalar"),
        },
        set(),
    ),
    "ir.ops.scalar": ({"ir", "floats"}, {"numpy"}),
    "ir.ops.tensor": ({*ir("arrays", "ops.scalar"), "floats"}, {"numpy"}),
    "ir.ops.structured": ({*ir("arrays", "ops.scalar")}, {"numpy"}),
    "ir.ops.memory": ({*ir("arrays"), "floats"}, {"numpy"}),
    "ir.ops.loop": ({*ir("arrays", "ops.scalar")}, {"numpy"}),
    "frontend": (set(), set()),
    # Errors of the Python doors hold the rendered text.
    "frontend.library": (
        {"floats", *ir("text", "ops", "ops.tensor"), "errors", "diagnostics"},
        {"numpy"},
    ),
    "frontend.library.algebra": ({*ir(), "frontend.library"}, set()),
    "frontend.library.images": (
        {*ir("arrays", "ops.tensor"), "frontend.library"},
        {"numpy"},
    ),
    "frontend.library.orders": (
        {*ir("ops.tensor"), "frontend.library"},
        {"numpy"},
    ),
    "frontend.library.random": (
        {*ir("ops.tensor"), "frontend.library", "frontend.library.orders"},
        {"numpy"},
    ),
    "frontend.library.registry": (
        {
            *("frontend.library", "frontend.library.algebra"),
            *("frontend.library.images", "frontend.library.orders", "errors"),
        },
        set(),
    ),
    "frontend.dsl.syntax": ({"errors"}, {"lark"}),
    "frontend.dsl.programs": (
        {"floats", *ir("text", "ops"), "recipes", "errors", "json_data"},
        {"numpy"},
    ),
    "frontend.dsl.irgen": (
        {
            *("frontend.dsl.syntax", "frontend.dsl.programs", "frontend.library"),
            *("frontend.library.algebra", "frontend.library.random"),
            *(
                *ir("text", "ops", "ops.tensor"),
                "frontend.library.registry",
                "recipes",
                "errors",
            ),
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
        {"frontend.library", *ir("ops", "ops.tensor"), "errors", "diagnostics"},
        set(),
    ),
    "frontend.python.grouping": ({"frontend.library", "errors"}, {"numpy"}),
    "frontend.python.assigning": (
        {
            *("frontend.library", "frontend.python", "ir.ops.tensor", "runtime"),
        },
        {"numpy"},
    ),
    "frontend.python.control": (
        {
            *("frontend.library", "frontend.python", "frontend.python.graph"),
            *("frontend.python.grouping", "ir", "errors"),
        },
        {"numpy"},
    ),
    "frontend.python.derivatives": (
        {
            *("frontend.library", "frontend.python", "frontend.python.graph"),
            *("frontend.python.grouping", *ir("ops", "ops.tensor"), "errors"),
        },
        {"numpy"},
    ),
    "frontend.python": (
        {
            "floats",
            *("frontend.library", "frontend.library.random"),
            *("frontend.python.graph", "frontend.python.grouping"),
            *("frontend.python.control", "frontend.python.assigning"),
            *ir("ops.tensor"),
            "frontend.library.registry",
            "errors",
        },
        {"numpy"},
    ),
    "passes": (set(), set()),
    "passes.common": (
        {
            *ir("ops", "ops.tensor", "ops.structured", "ops.memory", "ops.scalar"),
            "target",
            "errors",
        },
        {"numpy"},
    ),
    "passes.analysis": (
        {
            *ir(
                "arrays",
                "ops",
                "ops.tensor",
                "ops.structured",
                "ops.memory",
                "ops.scalar",
            )
        },
        set(),
    ),
    "passes.schedule": (
        {"passes.common", "passes.analysis", *ir("ops", "ops.structured"), "target"},
        set(),
    ),
    "passes.math": (
        {"passes.common", *ir("ops", "ops.loop", "ops.scalar"), "target"},
        {"numpy"},
    ),
    "passes.tensor": (
        {
            *("passes.common", "passes.analysis", "target", "floats"),
            *ir("ops", "ops.tensor"),
        },
        {"numpy"},
    ),
    "passes.tensor.ad": (
        {"passes.common", "target", "errors", *ir("ops", "ops.tensor")},
        set(),
    ),
    "passes.structured": (
        LEVEL
        | {
            *ir(
                "arrays",
                "ops",
                "ops.tensor",
                "ops.structured",
                "ops.memory",
                "ops.scalar",
            )
        },
        set(),
    ),
    "passes.memory": (
        LEVEL - {"passes.schedule"}
        | {*ir("ops", "ops.tensor", "ops.structured", "ops.memory", "ops.scalar")},
        set(),
    ),
    "passes.loops": (
        LEVEL
        | {
            *("passes.loops.reductions", "passes.loops.orders"),
            *ir(
                "ops",
                "ops.tensor",
                "ops.structured",
                "ops.memory",
                "ops.loop",
                "ops.scalar",
            ),
        },
        set(),
    ),
    "passes.loops.reductions": (
        {
            *("passes.loops", "passes.analysis", "passes.schedule"),
            *ir("arrays", "ops", "ops.tensor", "ops.structured"),
            *ir("ops.memory", "ops.loop", "ops.scalar"),
        },
        set(),
    ),
    "passes.loops.orders": (
        {"passes.loops", *ir("arrays", "ops.memory", "ops.loop", "ops.scalar")},
        set(),
    ),
    "backend": ({"errors"}, {"numpy"}),
    "backend.llvm": (
        {
            "backend",
            *ir("ops", "ops.loop", "ops.memory", "ops.scalar"),
            "target",
            "artifact",
            "errors",
            "address_space",
        },
        {"llvmlite"},
    ),
    "profiling": (
        {
            *("ir", "ir.text", "ir.ops", "backend.llvm", "target", "artifact"),
            *("runtime", "runtime.cpu", "errors"),
        },
        {"numpy"},
    ),
    "runtime": ({"artifact", "errors", "floats"}, {"numpy"}),
    "runtime.files": (
        {"floats", "runtime", "errors", "plain_files"},
        {"numpy", "safetensors"},
    ),
    "runtime.training": (
        {
            "floats",
            "runtime",
            "runtime.files",
            "artifact",
            "recipes",
            "errors",
            "tables",
        },
        {"numpy"},
    ),
    # Links objects.
    "runtime.cpu": (
        {"runtime", "artifact", "errors", "address_space"},
        {"llvmlite"},
    ),
    "pipeline": (
        {
            "passes.common",
            "passes.tensor",
            "passes.tensor.ad",
            *ir("ops"),
            "target",
            "errors",
        },
        set(),
    ),
    # What the runtime must know of a function, read off its IR.
    "abi": (
        {*ir("text", "ops", "ops.memory"), "passes.analysis", "backend", "artifact"},
        set(),
    ),
    "compiler": (
        {
            *("abi", "pipeline", "passes.common", "passes.structured"),
            "passes.schedule",
            *("passes.memory", "passes.loops", "passes.math", "backend.llvm"),
            *(*ir("ops", "text"), "target", "artifact", "errors"),
        },
        set(),
    ),
    # From a module to an artifact, out of the cache where that is possible.
    "driver": (
        {
            *("ir.ops", "ir.text", "target", "artifact", "artifact_file", "cache"),
            *("address_space", "backend.llvm", "compiler", "runtime", "runtime.cpu"),
        },
        set(),
    ),
    # Why a call gave what is not finite: loaded when one has.
    "api.finite": (
        {
            "floats",
            *("pipeline", "passes.common", *ir("ops", "ops.tensor"), "runtime"),
            *("target", "errors"),
        },
        {"numpy"},
    ),
    "api": (
        {
            "floats",
            "api.finite",
            *(
                *ir("text", "ops", "ops.structured", "ops.scalar", "ops.tensor"),
                "driver",
                "compiler",
                "pipeline",
                "profiling",
                "runtime.cpu",
            ),
            *("passes.common", "passes.analysis", "cache", "artifact", "target"),
            *("recipes", "errors", "tables", "frontend.library", "frontend.python"),
            *("frontend.python.graph", "frontend.python.grouping"),
            *("frontend.python.derivatives",),
            *("frontend.dsl", "frontend.dsl.syntax", "frontend.dsl.programs"),
            *("runtime", "runtime.files", "runtime.training"),
        },
        {"numpy"},
    ),
    "api.random": (
        {
            *("frontend.library", "frontend.library.random", "frontend.python"),
            *("frontend.python.graph", "runtime", *ir()),
        },
        {"numpy"},
    ),
    "api.benching": (
        {
            "floats",
            *(*ir("ops", "ops.structured", "ops.memory"), "abi", "driver", "compiler"),
            *("passes.common", "passes.analysis", "artifact", "target", "errors"),
            *("api", "profiling", "runtime", "runtime.cpu", "runtime.training"),
            *("recipes", "json_data", "tables", "frontend.library", "frontend.python"),
        },
        {"numpy"},
    ),
    # Theano's names for what the symbolic door has.
    "theano": (
        {
            *("api", "frontend.library", "frontend.python", "frontend.python.control"),
            *("frontend.python.derivatives", "frontend.python.graph", "runtime"),
            *ir("ops.tensor"),
        },
        {"numpy"},
    ),
    # Programs that look for bugs: whatever the compiler and the runtime are made of.
    "fuzz": (
        {
            *(
                *ir("arrays", "text", "ops", "ops.tensor"),
                "compiler",
                "driver",
                "target",
                "artifact",
                "errors",
                "floats",
            ),
            *(
                "passes.common",
                "passes.math",
                "passes.tensor",
                "passes.tensor.ad",
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
    ("tensorc.floats", "ml_dtypes"): "an extra, for programs with bf16 alone",
    ("tensorc", "importlib"): "the version, for those who ask for it",
    ("tensorc", "tensorc.api.benching.bench"): "for type checkers only",
    ("tensorc", "tensorc.api.checking"): "for type checkers only",
    (
        "tensorc",
        "tensorc.api.program",
    ): "`import tensorc` costs no llvmlite, lark or numpy",
    ("tensorc", "tensorc.api.stages"): "for type checkers only",
    ("tensorc", "tensorc.errors"): "for type checkers only",
    ("tensorc", "tensorc.api.function_products"): "for type checkers only",
    (
        "tensorc",
        "tensorc.frontend.python.derivatives.custom",
    ): "for type checkers only",
    (
        "tensorc",
        "tensorc.frontend.python.derivatives.products",
    ): "for type checkers only",
    ("tensorc.api.grad", "tensorc.api.function_products"): "variables need no tracer",
    ("tensorc", "tensorc.frontend.python.group_functions"): "for type checkers only",
    ("tensorc", "tensorc.frontend.python.grouping.groups"): "for type checkers only",
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
    ("tensorc", "tensorc.api.random.generator"): "symbolic names cost numpy",
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
        "tensorc.frontend.python.grouping.groups",
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
    (
        "tensorc.api.finite.explained",
        "tensorc.api.finite.reasons",
    ): "only a call that failed needs the passes",
    (
        "tensorc.api.finite.explained",
        "tensorc.ir.ops.builtin",
    ): "for type checkers only",
    ("tensorc.runtime.finite", "tensorc.runtime.function"): "for type checkers only",
    (
        "tensorc.runtime.training.checked",
        "tensorc.runtime.training.epoch",
    ): "for type checkers only",
    ("tensorc.api.plans", "tensorc.driver"): "llvmlite, with the first function",
    ("tensorc.cli.entry", "tensorc.cli.main"): "Ctrl-C while this loads: no traceback",
    ("tensorc.cli.main", "tensorc.cli.*"): "help loads no compiler",
    ("tensorc.cli.main", "numpy"): "with the first command that needs it",
    ("tensorc.cli.main", "tensorc.cli.completion"): "only a shell asks for it",
    ("tensorc.cli.options", "tensorc.cli.file_help"): "only this help parses a file",
    (
        "tensorc.cli.explain",
        "tensorc.api.stages",
    ): "a code is explained without a compiler",
    ("tensorc.cli.train", "tensorc.api.benching.profile"): "only `--profile` compiles",
    ("tensorc.cli.progress", "rich.console"): "only a terminal needs a bar",
    ("tensorc.cli.progress", "rich.progress"): "only a terminal needs a bar",
}

# The steps up, from a room to one that its row does not name: methods of variables.
UPWARD = {("tensorc.frontend.python.symbolic", "tensorc.api.function")}

# (module, statement): why it has an effect when it is imported.
EFFECTS = {
    ("tensorc.__main__", "main()"): "the command line",
    ("tensorc.theano.__main__", "main()"): "the command line of scripts",
    ("tensorc.compiler", "check_pipeline(CPU)"): "passes that do not fit never run",
    ("tensorc.compiler", "check_pipeline(CPU_UNFUSED)"): "the same",
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
