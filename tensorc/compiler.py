"""The pipelines, and the one function that turns IR into an artifact.

A pipeline is a literal tuple of passes, each from one level of the IR to another; the
verifier runs after each level. What comes out at the end of a level is a stage that can
be printed, parsed back and interpreted.
"""

import hashlib
from dataclasses import replace

from tensorc.artifact import (
    Argument,
    Artifact,
    Default,
    DimExpr,
    FunctionInfo,
    Guard,
    Origin,
    Result,
    Site,
)
from tensorc.backend.emit import epoch_symbol, mangle
from tensorc.backend.llvm.codegen import emit_assembly, emit_llvm, emit_object
from tensorc.backend.llvm.host import host_target as host_target
from tensorc.errors import (
    CompileError,
    Diagnostic,
)
from tensorc.ir.attributes import Attribute, Dense, Dims, SymbolRef
from tensorc.ir.dims import Dim, Symbol, as_symbol, symbols_of
from tensorc.ir.functions import guards_of, solved_of
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.memory.kernels import UNSIGNED, Fail, Launch
from tensorc.ir.text.printer import print_module
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.cost import cost_of
from tensorc.passes.common.base import Around as Around
from tensorc.passes.common.base import Level as Level
from tensorc.passes.common.base import Pass, check_pipeline
from tensorc.passes.common.base import run_pass as run_pass
from tensorc.passes.loops.to_loops import TO_LOOPS
from tensorc.passes.math.expand_math import EXPAND_MATH
from tensorc.passes.memory.bufferize import BUFFERIZE
from tensorc.passes.memory.plan_memory import PLAN_MEMORY
from tensorc.passes.structured.fuse import FUSE, SEPARATE
from tensorc.passes.structured.to_structured import TO_STRUCTURED
from tensorc.pipeline import TENSOR, level_of
from tensorc.pipeline import run_passes as run_passes
from tensorc.target import Options as Options
from tensorc.target import Target

CPU: tuple[Pass, ...] = (
    *TENSOR,
    TO_STRUCTURED,
    FUSE,
    BUFFERIZE,
    PLAN_MEMORY,
    TO_LOOPS,
    EXPAND_MATH,
)
PASSES = {pass_.name: pass_ for pass_ in (*CPU, SEPARATE)}
STAGES = tuple(level.value for level in Level)

check_pipeline(CPU)


def lower(
    module: Module, target: Target, stage: str, around: Around = run_pass
) -> Module:
    """Return a module at the end of a stage: tensor, structured, buffer or loop.

    The module itself is changed: it is used up. Raises `CompileError` (TC0250) if it
    is below that stage.
    """
    level = level_of(module)
    if level != Level.TENSOR and stage not in STAGES[STAGES.index(level.value) :]:
        message = f"the module is at level {level.value}, below {stage}"
        raise CompileError(Diagnostic("TC0250", message, module.location))
    passes = passes_to(stage)
    if level != Level.TENSOR:  # what was read from a file
        passes = passes[len(passes_to(level.value)) :]
    return run_passes(module, target, passes, around=around)


def passes_to(stage: str) -> tuple[Pass, ...]:
    """Return the passes up to the end of a stage."""
    level = Level(stage)
    numbers = [i for i, p in enumerate(CPU) if p.writes == level]
    return CPU[: numbers[-1] + 1]


def compile_module(
    module: Module, target: Target, options: Options, around: Around = run_pass
) -> Artifact:
    """Compile a module of the TENSOR level; it is used up."""
    digests = {f.sym_name: _digest(f) for f in module.functions}
    tensor = lower(module, target, "tensor", around)
    artifact = compile_tensor(tensor, target, options, around)
    functions = [replace(f, digest=digests[f.name]) for f in artifact.functions]
    return replace(artifact, functions=tuple(functions))


def compile_tensor(
    tensor: Module, target: Target, options: Options, around: Around = run_pass
) -> Artifact:
    """Compile what `lower` gives for the stage "tensor"; it is used up."""
    begun, grouped = len(passes_to("tensor")), len(passes_to("structured"))
    passes = CPU[begun:grouped]
    if not options.fuse:
        passes = tuple(SEPARATE if pass_ is FUSE else pass_ for pass_ in passes)
    signatures = [_signature(function) for function in tensor.functions]
    kernels = run_passes(tensor, target, passes, around=around)
    costs = [cost_of(function) for function in kernels.functions]
    signatures = [
        replace(info, kernels=count, flops=dim_expr(flops))
        for info, (count, flops) in zip(signatures, costs, strict=True)
    ]
    loops = run_passes(kernels, target, CPU[grouped:], around=around)
    functions = tuple(_complete(info, loops) for info in signatures)
    if not options.epochs:
        functions = tuple(replace(info, epoch_symbol="") for info in functions)
    text = emit_llvm(loops, target, options)
    code = emit_object(text, target, options.optimize)
    return Artifact(target.name, code, functions)


def llvm_text(module: Module, target: Target, around: Around = run_pass) -> str:
    """Return the LLVM text of a TENSOR module; it is used up."""
    return emit_llvm(lower(module, target, "loop", around), target)


def assembly(
    module: Module, target: Target, options: Options, around: Around = run_pass
) -> str:
    """Return the assembly of a TENSOR module; it is used up."""
    return emit_assembly(llvm_text(module, target, around), target, options.optimize)


def dim_expr(dim: Dim) -> DimExpr:
    """Return a dimension as the runtime reads it."""
    if isinstance(dim, int):
        return dim
    total: DimExpr | None = None
    for atoms, factor in dim.terms:
        term: DimExpr | None = None if factor == 1 and atoms else factor
        for atom in atoms:
            value: DimExpr
            if isinstance(atom, Symbol):
                value = atom.name
            else:
                operator = "//" if atom.kind == "floordiv" else atom.kind
                value = (operator, dim_expr(atom.left), dim_expr(atom.right))
            term = value if term is None else ("*", term, value)
        assert term is not None
        total = term if total is None else ("+", total, term)
    assert total is not None
    return total


def _digest(function: Function) -> str:
    return hashlib.sha256(print_module(function).encode()).hexdigest()[:16]


def _signature(function: Function) -> FunctionInfo:
    """Return what a function takes and gives, before its lowering."""
    block = function.body.block
    arguments = []
    symbols: dict[str, None] = {}
    for i, argument in enumerate(block.arguments):
        type_ = argument.type
        assert isinstance(type_, TensorType)
        info = function.argument_info(i)
        kind = info.get("tc.kind")
        assert kind in ("shared", "input", "hyper")
        shape = tuple(dim_expr(d) for d in type_.shape)
        name, given = str(info.get("tc.name")), function.value_symbol(i)
        known = _default(info.get("tc.default"))
        arguments.append(Argument(name, kind, type_.element.name, shape, given, known))  # type: ignore[arg-type]
        for dim in type_.shape:
            symbols.update(dict.fromkeys(symbols_of(dim)))
        if given:
            symbols[given] = None
    results = []
    for i, value in enumerate(block.terminator.operands):
        info = function.result_info(i)
        type_ = value.type
        assert isinstance(type_, TensorType)
        if info.get("tc.updates") is None:
            shape = tuple(dim_expr(d) for d in type_.shape)
            name = str(info.get("tc.name") or "")
            results.append(Result(name, type_.element.name, shape))
    guards = tuple(
        Guard(
            dim_expr(guard.left),
            dim_expr(guard.right),
            guard.message,
            guard.location if guard.location.line else function.location,
            guard.is_index,
        )
        for guard in guards_of(function)
    )
    origins = tuple(
        Origin(arguments[s.argument].name, s.axis, s.size, s.location)
        for s in solved_of(function)
        if s.argument < len(arguments)
    )
    name = function.sym_name
    return FunctionInfo(
        name,
        mangle(name),
        epoch_symbol(name),
        tuple(arguments),
        tuple(results),
        tuple(symbols),
        guards,
        0,
        (),
        _computed_sizes(function),
        origins=origins,
    )


def _default(known: Attribute | None) -> Default | None:
    if not isinstance(known, Dense):
        return None
    return Default(known.value.shape, known.value.tobytes())


def _computed_sizes(function: Function) -> tuple[DimExpr, ...]:
    """Return the dimensions in a function that are no number and no bare symbol."""
    found: dict[Dim, None] = {}
    for op in function.walk():
        types = [v.type for v in op.results if isinstance(v.type, TensorType)]
        found.update(dict.fromkeys(d for t in types for d in t.shape))
        for attribute in op.attributes.values():
            if isinstance(attribute, Dims):
                found.update(dict.fromkeys(attribute.dims))
    computed = [d for d in found if not isinstance(d, int) and as_symbol(d) is None]
    return tuple(dim_expr(d) for d in computed)


def _complete(info: FunctionInfo, loops: Module) -> FunctionInfo:
    """Add what only the lowered module knows: the arena and the sites."""
    functions = {f.sym_name: f for f in loops.functions}
    entry = functions[info.name]
    sites: dict[int, Site] = {}
    for call in entry.walk():
        if not isinstance(call, Launch):
            continue
        assert isinstance(call.callee, SymbolRef)
        for op in functions[call.callee.name].walk():
            if isinstance(op, Fail):
                sites[op.site] = Site(op.location, UNSIGNED in op.attributes)
    arena = entry.attributes["tc.arena"]
    assert isinstance(arena, Dims)
    places = tuple(sites[i] for i in sorted(sites))
    return replace(info, arena=dim_expr(arena.dims[0]), sites=places)
