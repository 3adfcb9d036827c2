"""tensorc: a tensor compiler.

A `.tc` model file becomes one typed SSA IR; passes differentiate, stabilise, fold, fuse
and plan its memory; llvmlite turns it into machine code; a runtime drives minibatch
training. This page is the tour; the code follows its order.

    frontend.dsl     .tc text -> syntax tree -> IR (grammar.lark, parser, irgen)
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
    artifact         what compiled code is, as data: all that the runtime knows
    runtime          shared variables, the call path, data, the epoch driver
    cli              one module per verb
    errors           places, diagnostics, error classes; `diagnostics` renders them

`docs/architecture.md` walks one program through all of it.
"""

from collections.abc import Callable

__all__ = ["Program", "check", "emit", "load"]


def __getattr__(name: str) -> Callable[..., object]:
    # Lazy: `tensorc --help` must not pay for llvmlite, lark and numpy.
    if name in __all__:
        from tensorc import api

        attribute: Callable[..., object] = getattr(api, name)
        return attribute
    raise AttributeError(f"module 'tensorc' has no attribute '{name}'")
