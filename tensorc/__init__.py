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
    compiler         THE pipeline as a literal tuple; compile(module) -> Artifact
    backend          the LLVM text emitter, and `llvm`: object code for the CPU
    functions        function, shared, In, Out: from a graph to a compiled function
    artifact         what compiled code is, as data: all that the runtime knows
    runtime          shared variables, the call path, data, the epoch driver
    cli              one module per verb
    errors           places, diagnostics, error classes; `diagnostics` renders them

`docs/architecture.md` walks one program through all of it.
"""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorc.api import Program, check, emit, load
    from tensorc.errors import (
        CompileError,
        DTypeError,
        InternalError,
        ShapeError,
        TensorcError,
    )
    from tensorc.frontend.symbolic import Tensor
    from tensorc.frontend.symbolic_functions import grad
    from tensorc.frontend.symbolic_variables import Shared, constant, tensor
    from tensorc.functions import Function, In, Out, function, shared

_MODULES = {
    "CompileError": "errors",
    "DTypeError": "errors",
    "Function": "functions",
    "In": "functions",
    "InternalError": "errors",
    "Out": "functions",
    "Program": "api",
    "Shared": "frontend.symbolic_variables",
    "ShapeError": "errors",
    "Tensor": "frontend.symbolic",
    "TensorcError": "errors",
    "check": "api",
    "constant": "frontend.symbolic_variables",
    "emit": "api",
    "function": "functions",
    "grad": "frontend.symbolic_functions",
    "load": "api",
    "shared": "functions",
    "tensor": "frontend.symbolic_variables",
}

__all__ = [
    "CompileError",
    "DTypeError",
    "Function",
    "In",
    "InternalError",
    "Out",
    "Program",
    "ShapeError",
    "Shared",
    "Tensor",
    "TensorcError",
    "check",
    "constant",
    "emit",
    "function",
    "grad",
    "load",
    "shared",
    "tensor",
]


def __getattr__(name: str) -> "Callable[..., Tensor]":
    # Lazy: `import tensorc` must not pay for llvmlite, lark and numpy.
    if name.startswith("__"):
        raise AttributeError(f"module 'tensorc' has no attribute '{name}'")
    found: Callable[..., Tensor]
    if name in _MODULES:
        found = getattr(importlib.import_module(f"tensorc.{_MODULES[name]}"), name)
    else:
        # matrix, ivector, …, and NumPy's names: exp, sum, where, …
        from tensorc.frontend import symbolic_functions

        found = symbolic_functions.public(name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    from tensorc.frontend import symbolic_functions

    return sorted([*_MODULES, *symbolic_functions.names()])
