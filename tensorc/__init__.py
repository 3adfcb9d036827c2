"""tensorc: a tensor compiler.

A `.tc` model file becomes one typed SSA IR; passes differentiate, stabilise, fold, fuse
and plan its memory; llvmlite turns it into machine code; a runtime drives minibatch
training. This page is the tour; the code follows its order.

    frontend.dsl           .tc text -> IR: `reading` goes through its rooms
    frontend.dsl.syntax    text -> syntax tree: grammar.lark, scanner, parser
    frontend.dsl.irgen     syntax tree -> TENSOR, on demand
    frontend.dsl.programs  what a file is to the rest: memory, recipes, functions
    frontend.python        variables with operators; traces of functions
    frontend.python.graph  the expressions that both build: nodes, emission, storage
    frontend.python.grouping  groups with operators, trees of lists and fields
    frontend.python.assigning  `y[i] = v` in a trace: to its variables, to np.zeros(n)
    frontend.python.control  what is computed, and how often: conditions, loops
    frontend.python.derivatives  of variables: gradients, products, jacobians
    frontend.library       what the functions of all doors are made of
    frontend.library.algebra   products, matrices and statistics
    frontend.library.images    convolution, pooling and patches of images
    frontend.library.orders    sorting, searching and quantiles
    frontend.library.random    keys, distributions and orders of random numbers
    frontend.library.registry  a row for each function that users call
    ir                     values, ops, dimensions; verifier, interpreter
    ir.arrays              what ops of several levels mean, in numpy
    ir.text                MLIR's generic form: lexer, parser, printer
    ir.ops                 a room per level, a module per family; OPS is the only list
    passes.common          what passes are made with: rewriter, pipelines; cse, dce
    passes.analysis        what is known of kernels: maps, members, costs; read only
    passes.schedule        how a target runs them: chunks, tiles, places; `cpu`
    passes.tensor          TENSOR, tc.*: stabilize, simplify
    passes.tensor.ad       derivatives: tables of both directions, and autodiff
    passes.structured      STRUCTURED, linalg.generic: to_structured, fuse (tc.group)
    passes.memory          BUFFER, memref: bufferize, plan_memory, outline
    passes.loops           LOOP, scf, vector, micro-kernels: to_loops
    passes.loops.reductions  what they keep, in which order, in parts
    passes.loops.orders    rows in their order: sorting and searching
    passes.math            functions as scalar IR: expand_math
    target                 machines and options, as frozen data
    pipeline               the passes of TENSOR, and how passes run
    compiler               THE pipeline, a literal tuple; `compile`, the only way in
    abi                    what the runtime must know of a function, read off its IR
    backend                the LLVM text emitter
    backend.llvm           LOOP -> LLVM's text -> object code for the CPU
    profiling              when launches ran, and what the machine can do at most
    artifact               what compiled code is, as data; `artifact_file`: as bytes
    cache                  code on disk, by content; read with `json_data`
    driver                 from a module to loaded code: from the cache where possible
    runtime                shared variables and the call path; `cpu` links objects
    runtime.files          formats of files, through `plain_files`
    runtime.training       data, the epoch driver, checkpoints, history
    api.finite             why a call gave a NaN: the op that made the first
    api                    what users call: function, jit, grad, fit, program, saving
    api.random             draws in traced functions and formulas
    api.benching           what kernels take, beside what the machine can do
    cli                    one module per verb
    theano                 the shell that Theano's tutorials import, over `api`
    fuzz                   random programs, compared with the interpreter
    errors                 source locations and messages; `diagnostics` renders them
    recipes                what a `fit` and a `run` say: the table of their options
    tables                 what programs and runs show of themselves: text and HTML
    floats                 float types of arrays, bfloat16 among them
    address_space          whether there is room for a library, before it is loaded

`docs/architecture.md` walks one program through all of it.
"""

import importlib
import os

# As type checkers read it; `typing` would be most of the time of `import tensorc`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tensorc.api import data
    from tensorc.api.benching.bench import bench
    from tensorc.api.checking import check
    from tensorc.api.debugging import debugprint
    from tensorc.api.fit import fit, patience
    from tensorc.api.function import Function, In, Out, function, shared
    from tensorc.api.function_grad import value_and_grad
    from tensorc.api.function_products import jvp, vjp
    from tensorc.api.grad import grad, hessian, hvp, jacobian
    from tensorc.api.jit import jit, step, update
    from tensorc.api.options import options
    from tensorc.api.program import Program, load
    from tensorc.api.random import generator as random
    from tensorc.api.saving import restore, save
    from tensorc.api.stages import emit
    from tensorc.errors import (
        CompileError,
        DTypeError,
        InternalError,
        ShapeError,
        TensorcError,
        TensorcWarning,
    )
    from tensorc.frontend.python.derivatives.custom import (
        custom_gradient,
        grad_clip,
        grad_scale,
    )
    from tensorc.frontend.python.derivatives.products import Lop, Rop
    from tensorc.frontend.python.group_functions import group, params
    from tensorc.frontend.python.grouping.groups import Group
    from tensorc.frontend.python.symbolic import Tensor
    from tensorc.frontend.python.symbolic_variables import Shared, constant, tensor

# Where the public names are. Element types have NumPy's names and the language's:
# `tc.f32["B", 784]` is a type.
_NAMES = {
    "api.benching.bench": "bench",
    "api.checking": "check",
    "api.debugging": "debugprint",
    "api.fit": "fit patience",
    "api.function": "Function In Out function shared",
    "api.function_grad": "value_and_grad",
    "api.function_products": "jvp vjp",
    "api.grad": "grad hessian hvp jacobian",
    "api.jit": "jit step update",
    "api.options": "options",
    "api.program": "Program load",
    "api.saving": "restore save",
    "api.stages": "emit",
    "errors": """CompileError DTypeError InternalError ShapeError TensorcError
        TensorcWarning""",
    "frontend.python.derivatives.custom": "custom_gradient grad_clip grad_scale",
    "frontend.python.derivatives.products": "Lop Rop",
    "frontend.python.group_functions": "group params",
    "frontend.python.grouping.groups": "Group",
    "frontend.python.symbolic": "Tensor",
    "frontend.python.symbolic_variables": "Shared constant tensor",
    "frontend.library.dtypes": """bool_ i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64
        int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32
        float64""",
}
_MODULES = {name: module for module, n in _NAMES.items() for name in n.split()}

__all__ = [
    "CompileError",
    "DTypeError",
    "Function",
    "Group",
    "In",
    "InternalError",
    "Lop",
    "Out",
    "Program",
    "Rop",
    "ShapeError",
    "Shared",
    "Tensor",
    "TensorcError",
    "TensorcWarning",
    "bench",
    "check",
    "constant",
    "custom_gradient",
    "data",
    "debugprint",
    "emit",
    "fit",
    "function",
    "grad",
    "grad_clip",
    "grad_scale",
    "group",
    "hessian",
    "hvp",
    "jacobian",
    "jit",
    "jvp",
    "load",
    "options",
    "params",
    "patience",
    "random",
    "restore",
    "save",
    "shared",
    "step",
    "tensor",
    "update",
    "value_and_grad",
    "vjp",
]


def __getattr__(name: str) -> "Callable[..., Tensor]":
    # Lazy: `import tensorc` must not pay for llvmlite, lark and numpy.
    if name == "__version__":
        return _version()  # type: ignore[return-value]
    if name.startswith("__"):
        raise AttributeError(f"module 'tensorc' has no attribute '{name}'")
    if name == "data":
        return importlib.import_module("tensorc.api.data")  # type: ignore[return-value]
    if name == "random":
        return importlib.import_module("tensorc.api.random.generator")  # type: ignore[return-value]
    # `from tensorc import driver` asks here first, and then imports the module.
    if os.path.exists(f"{__path__[0]}/{name}.py"):  # noqa: PTH110  (pathlib is slow)
        raise AttributeError(f"module 'tensorc' has no attribute '{name}'")
    found: Callable[..., Tensor]
    if name in _MODULES:
        found = getattr(importlib.import_module(f"tensorc.{_MODULES[name]}"), name)
    else:
        # matrix, ivector, …, and NumPy's names: exp, sum, where, …
        from tensorc.frontend.python import symbolic_functions

        try:
            found = symbolic_functions.public(name)
        except AttributeError as error:
            from tensorc.frontend.library.mistakes import hide_our_frames

            hide_our_frames(error)
            raise
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
    from tensorc.frontend.python import symbolic_functions

    names = [*_MODULES, "__version__", "data", "random", *symbolic_functions.names()]
    return sorted(names)
