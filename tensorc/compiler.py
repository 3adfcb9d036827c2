"""The pipelines, and `compile`, the one way from IR to code.

A pipeline is a literal tuple of passes, each from one level of the IR to another; the
verifier runs after each level. What comes out at the end of a level is a stage that can
be printed, parsed back and interpreted; below the last one stand LLVM's text, assembly
and object code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tensorc import abi
from tensorc.artifact import Artifact, FunctionInfo
from tensorc.backend.llvm.codegen import (
    emit_assembly,
    emit_llvm,
    emit_object,
    optimize_llvm,
)
from tensorc.backend.llvm.host import host_target as host_target
from tensorc.errors import CompileError, Diagnostic
from tensorc.ir.ops.builtin import Module
from tensorc.ir.text.printer import print_module
from tensorc.ir.verifier import level_of
from tensorc.passes.common.base import Around as Around
from tensorc.passes.common.base import Level as Level
from tensorc.passes.common.base import Pass, check_pipeline
from tensorc.passes.common.base import run_pass as run_pass
from tensorc.passes.loops.to_loops import TO_LOOPS
from tensorc.passes.math.expand_math import EXPAND_MATH
from tensorc.passes.memory.bufferize import BUFFERIZE
from tensorc.passes.memory.outline import OUTLINE
from tensorc.passes.memory.plan_memory import PLAN_MEMORY
from tensorc.passes.schedule.schedule import SCHEDULE_CPU
from tensorc.passes.structured.fuse import FUSE, SEPARATE
from tensorc.passes.structured.gathers import READ_THROUGH
from tensorc.passes.structured.merge import MERGE
from tensorc.passes.structured.recompute import RECOMPUTE
from tensorc.passes.structured.to_structured import TO_STRUCTURED
from tensorc.pipeline import TENSOR
from tensorc.pipeline import run_passes as run_passes
from tensorc.target import DEFAULT, Target
from tensorc.target import Options as Options

CPU: tuple[Pass, ...] = (
    *TENSOR,
    TO_STRUCTURED,
    READ_THROUGH,
    MERGE,
    RECOMPUTE,
    FUSE,
    SCHEDULE_CPU,
    BUFFERIZE,
    PLAN_MEMORY,
    OUTLINE,
    TO_LOOPS,
    EXPAND_MATH,  # behind TO_LOOPS, which chooses where functions are of vectors
)
# For comparisons: each generic is a kernel of its own.
CPU_UNFUSED: tuple[Pass, ...] = (
    *TENSOR,
    TO_STRUCTURED,
    READ_THROUGH,
    MERGE,
    SEPARATE,
    SCHEDULE_CPU,
    BUFFERIZE,
    PLAN_MEMORY,
    TO_LOOPS,
    EXPAND_MATH,
)
PASSES = {pass_.name: pass_ for pass_ in (*CPU, *CPU_UNFUSED)}
STAGES = tuple(level.value for level in Level)
CODE = ("llvm", "asm", "obj")

check_pipeline(CPU)
check_pipeline(CPU_UNFUSED)


@dataclass(frozen=True, slots=True)
class Compilation:
    """What `compile` made of a module.

    `module` is the IR at the end of the stage; for a stage of `CODE`, what the code was
    made of. `code` is the text of "llvm" or "asm" or the bytes of "obj", else empty.
    `functions` is what the runtime must know of them, for "obj" alone.
    """

    target: Target
    module: Module
    code: str | bytes = ""
    functions: abi.Infos = ()

    def text(self, locations: bool = False) -> str:
        """Return the text of a stage; `locations` adds the source's to the ops of IR.

        Object code has none.
        """
        assert isinstance(self.code, str)
        return self.code or print_module(self.module, locations=locations)

    @property
    def artifact(self) -> Artifact:
        """The object code, with what the runtime must know."""
        assert isinstance(self.code, bytes)
        return Artifact(self.target.name, self.code, self.functions)


def compile(
    module: Module,
    target: Target,
    options: Options = DEFAULT,
    upto: str = "obj",
    around: Around = run_pass,
    after: str = "",
) -> Compilation:
    """Compile a module up to the end of a stage; it is used up.

    Args:
        module: of any level; for "obj" of TENSOR, where signatures are known.
        target: the machine to compile for.
        options: how, for all stages alike: "llvm" is the text after LLVM's passes at
            this level, that of -O0 is ours.
        upto: tensor, structured, buffer, loop, llvm, asm or obj.
        around: what runs each pass, and may look at the module before and after it.
        after: the stage that the module is at the end of. A TENSOR module may be at the
            beginning of its stage; one below is at the end of its own in any case.

    Raises:
        CompileError: the module is below the stage (TC0250).
        TensorcError: a program is wrong, or the processor lacks an instruction.
        InternalError: a pass fails; it is named.
    """
    begun = Level(after) if after else level_of(module)
    last = Level.LOOP if upto in CODE else Level(upto)
    _check_begin(module, begun, Level.TENSOR if upto == "obj" else last)
    digests = abi.digests(module) if upto == "obj" and not after else {}
    functions: abi.Infos = ()
    levels = list(Level)
    for level in levels[levels.index(begun) : levels.index(last) + 1]:
        is_done = level is begun and (after or level is not Level.TENSOR)
        passes = () if is_done else passes_of(level, options)
        module = run_passes(module, target, passes, around=around)
        if upto == "obj":
            functions = _learned(functions, module, level)
    if upto == "obj":
        functions = tuple([_finished(f, digests, options) for f in functions])
    return Compilation(target, module, _code(module, target, options, upto), functions)


def passes_of(level: Level, options: Options = DEFAULT) -> tuple[Pass, ...]:
    """Return the passes that end at a level."""
    pipeline = CPU if options.fuse else CPU_UNFUSED
    return tuple(pass_ for pass_ in pipeline if pass_.writes is level)


def _check_begin(module: Module, begun: Level, last: Level) -> None:
    levels = list(Level)
    if levels.index(begun) > levels.index(last):
        message = f"the module is at level {begun.value}, below {last.value}"
        raise CompileError(Diagnostic("TC0250", message, module.location))


def _learned(functions: abi.Infos, module: Module, level: Level) -> abi.Infos:
    """Return what is known of functions when a level ends."""
    if level is Level.TENSOR:
        return abi.signatures(module)
    if level is Level.STRUCTURED:
        return abi.with_costs(functions, module)
    return abi.with_memory(functions, module) if level is Level.LOOP else functions


def _finished(
    info: FunctionInfo, digests: Mapping[str, str], options: Options
) -> FunctionInfo:
    symbol = info.epoch_symbol if options.epochs else ""
    return replace(info, digest=digests.get(info.name, ""), epoch_symbol=symbol)


def _code(module: Module, target: Target, options: Options, upto: str) -> str | bytes:
    """Return the code of a LOOP module, empty where a stage of IR is asked for."""
    if upto not in CODE:
        return ""
    text = emit_llvm(module, target, options)
    if upto == "obj":
        return emit_object(text, target, options.optimize)
    emit = optimize_llvm if upto == "llvm" else emit_assembly
    return emit(text, target, options.optimize)
