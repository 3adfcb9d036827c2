"""tensorc: a tensor compiler.

A `.tc` model file becomes one typed SSA IR; passes differentiate, stabilise, fold, fuse
and plan its memory; llvmlite turns it into machine code; a runtime drives minibatch
training. This page is the tour; the code follows its order.

    frontend.dsl     .tc text -> syntax tree -> IR (grammar.lark, parser, irgen)
    frontend.symbolic Python's door: variables with operators, which build a graph
    frontend.library composite functions, the same for all doors
    ir               values, ops, dimensions; printer, parser, verifier, interpreter
    ir.ops           one module per family of ops; OPS is the only list
    passes           one algorithm or one table per module; four levels:
                       TENSOR      tc.*: stabilize, autodiff, simplify, cse, dce
                       STRUCTURED  linalg.generic: to_structured, fuse (tc.group)
                       BUFFER      memref: bufferize, plan_memory
                       LOOP        scf, vector, micro-kernels: to_loops, expand_math
    pipeline         the passes of TENSOR, and how passes run
    compiler         THE pipeline as a literal tuple; compile(module) -> Artifact
    checking         what is wrong with a file
    backend          the LLVM text emitter, and `llvm`: object code for the CPU
    functions        function, shared, In, Out: from a graph to a compiled function
    tracing          jit, step, update: from ordinary Python to compiled functions
    gradients        grad, value_and_grad, of values and of functions
    fitting          fit, patience, data: training from Python
    saving           save, restore: parameters in files
    settings         options: how a block of Python compiles and runs
    kept_program     programs of files out of the cache, without a parser
    inspection       emit, explain, cost: what the doors show of functions
    summaries        tables of what programs and functions are
    debugging        debugprint: graphs as text
    artifact         what compiled code is, as data: all that the runtime knows
    runtime          shared variables, the call path, data, the epoch driver
    cli              one module per verb
    errors           places, diagnostics, error classes; `diagnostics` renders them

`docs/architecture.md` walks one program through all of it.
"""

import importlib
import os

# As type checkers read it; `typing` would be most of the time of `import tensorc`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tensorc import data
    from tensorc.api import Program, emit, load
    from tensorc.checking import check
    from tensorc.debugging import debugprint
    from tensorc.errors import (
        CompileError,
        DTypeError,
        InternalError,
        ShapeError,
        TensorcError,
        TensorcWarning,
    )
    from tensorc.fitting import fit, patience
    from tensorc.frontend.group_functions import group, params
    from tensorc.frontend.groups import Group
    from tensorc.frontend.symbolic import Tensor
    from tensorc.frontend.symbolic_variables import Shared, constant, tensor
    from tensorc.functions import Function, In, Out, function, shared
    from tensorc.gradients import grad, value_and_grad
    from tensorc.saving import restore, save
    from tensorc.settings import options
    from tensorc.tracing import jit, step, update

_MODULES = {
    "CompileError": "errors",
    "DTypeError": "errors",
    "Function": "functions",
    "Group": "frontend.groups",
    "In": "functions",
    "InternalError": "errors",
    "Out": "functions",
    "Program": "api",
    "Shared": "frontend.symbolic_variables",
    "ShapeError": "errors",
    "Tensor": "frontend.symbolic",
    "TensorcError": "errors",
    "TensorcWarning": "errors",
    "check": "checking",
    "constant": "frontend.symbolic_variables",
    "debugprint": "debugging",
    "emit": "api",
    "fit": "fitting",
    "function": "functions",
    "grad": "gradients",
    "group": "frontend.group_functions",
    "jit": "tracing",
    "load": "api",
    "options": "settings",
    "params": "frontend.group_functions",
    "patience": "fitting",
    "restore": "saving",
    "save": "saving",
    "shared": "functions",
    "step": "tracing",
    "tensor": "frontend.symbolic_variables",
    "update": "tracing",
    "value_and_grad": "gradients",
}
# Element types, by NumPy's names and the language's: `tc.f32["B", 784]` is a type.
_DTYPES = """bool_ i8 i16 i32 i64 u8 u16 u32 u64 f16 f32 f64 int8 int16 int32 int64
    uint8 uint16 uint32 uint64 float16 float32 float64"""
_MODULES.update(dict.fromkeys(_DTYPES.split(), "frontend.dtypes"))

__all__ = [
    "CompileError",
    "DTypeError",
    "Function",
    "Group",
    "In",
    "InternalError",
    "Out",
    "Program",
    "ShapeError",
    "Shared",
    "Tensor",
    "TensorcError",
    "TensorcWarning",
    "check",
    "constant",
    "data",
    "debugprint",
    "emit",
    "fit",
    "function",
    "grad",
    "group",
    "jit",
    "load",
    "options",
    "params",
    "patience",
    "restore",
    "save",
    "shared",
    "step",
    "tensor",
    "update",
    "value_and_grad",
]


def __getattr__(name: str) -> "Callable[..., Tensor]":
    # Lazy: `import tensorc` must not pay for llvmlite, lark and numpy.
    if name == "__version__":
        return _version()  # type: ignore[return-value]
    if name.startswith("__"):
        raise AttributeError(f"module 'tensorc' has no attribute '{name}'")
    if name == "data":
        return importlib.import_module("tensorc.data")  # type: ignore[return-value]
    # `from tensorc import driver` asks here first, and then imports the module.
    if os.path.exists(f"{__path__[0]}/{name}.py"):  # noqa: PTH110  (pathlib is slow)
        raise AttributeError(f"module 'tensorc' has no attribute '{name}'")
    found: Callable[..., Tensor]
    if _MODULES.get(name, "frontend").startswith("frontend"):
        importlib.import_module("tensorc.functions")  # gives variables their `eval`
    if name in _MODULES:
        found = getattr(importlib.import_module(f"tensorc.{_MODULES[name]}"), name)
    else:
        # matrix, ivector, …, and NumPy's names: exp, sum, where, …
        from tensorc.frontend import symbolic_functions

        found = symbolic_functions.public(name)
    globals()[name] = found
    return found


def _version() -> str:
    """Return the installed version; "0+unknown" for sources that are not installed."""
    from importlib import metadata

    try:
        return metadata.version("tensorc")
    except metadata.PackageNotFoundError:
        return "0+unknown"


def __dir__() -> list[str]:
    from tensorc.frontend import symbolic_functions

    names = [*_MODULES, "__version__", "data", *symbolic_functions.names()]
    return sorted(names)
