"""From a LOOP module to machine code: targets, optimisation, object code.

The text comes from `lower`; here LLVM parses, verifies, improves and encodes it. The
code is position-independent, so that one object serves the JIT and a shared library.
"""

from functools import cache

from llvmlite import binding as llvm

from tensorc.backend.emit import EXTERNALS, INTRINSICS, THREAD_EXTERNALS
from tensorc.backend.llvm.lower import lower_module
from tensorc.backend.llvm.pool import pool_text
from tensorc.backend.llvm.symbols import undefined_symbols
from tensorc.errors import Diagnostic, InternalError, TensorcError
from tensorc.ir.ops.builtin import Module
from tensorc.target import DEFAULT, Options, Target

# What LLVM calls where there is no instruction.
_FMA_FUNCTIONS = {"fma", "fmaf"}


def emit_llvm(module: Module, target: Target, options: Options = DEFAULT) -> str:
    """Return LLVM text for a module of the LOOP level.

    Raises:
        InternalError: an op has no lowering, or a function does not fit the ABI.
    """
    return lower_module(module, target, options)


def emit_pool(target: Target) -> bytes:
    """Return object code of the thread pool, which a process needs once."""
    machine = _machine(target, 1)
    externals = frozenset(THREAD_EXTERNALS)
    module = _optimized(pool_text(target), machine, 1, externals)
    code: bytes = machine.emit_object(module)
    return code


def emit_object(llvm_text: str, target: Target, optimize: int) -> bytes:
    """Return object code for the text of `emit_llvm`.

    `optimize` is 0 (no passes), 1 or 2 (a short list of passes; LLVM's code generator
    at that level) or 3 (LLVM's whole pipeline). Results do not depend on it.

    Raises:
        TensorcError: the processor lacks an instruction that the code needs (TC0701).
        InternalError: the text is not valid, or needs a library.
    """
    machine = _machine(target, optimize)
    code: bytes = machine.emit_object(_optimized(llvm_text, machine, optimize))
    needed = undefined_symbols(code) - EXTERNALS
    if needed & _FMA_FUNCTIONS:
        # Emulating it would take a hundred times as long; without it bits would differ.
        hint = "an x86 of 2013 or later has it (AVX2), and so has every 64-bit ARM"
        message = f"this processor lacks FMA (fused multiply-add): {target.cpu}"
        raise TensorcError(Diagnostic("TC0701", message, hints=(hint,)))
    if needed:
        raise InternalError(f"the object needs {', '.join(sorted(needed))}", "llvm")
    return code


def optimize_llvm(llvm_text: str, target: Target, optimize: int) -> str:
    """Return the text of `emit_llvm` after LLVM's passes.

    `optimize` is that of `emit_object`: at 0, without passes, it is the text itself.

    Raises:
        InternalError: the text is not valid.
    """
    if optimize == 0:
        return llvm_text
    return str(_optimized(llvm_text, _machine(target, optimize), optimize))


def emit_assembly(llvm_text: str, target: Target, optimize: int) -> str:
    """Return assembly for the text of `emit_llvm`; `optimize` as in `emit_object`.

    Raises:
        InternalError: the text is not valid.
    """
    machine = _machine(target, optimize)
    text: str = machine.emit_assembly(_optimized(llvm_text, machine, optimize))
    return text


@cache
def _initialize() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def _machine(target: Target, optimize: int) -> llvm.TargetMachine:
    _initialize()
    described = llvm.Target.from_triple(target.triple)
    return described.create_target_machine(
        cpu=target.cpu,
        features=target.features,
        opt=optimize,
        reloc="pic",
        codemodel="default",
    )


def _optimized(
    llvm_text: str,
    machine: llvm.TargetMachine,
    optimize: int,
    externals: frozenset[str] = EXTERNALS,
) -> llvm.ModuleRef:
    try:
        module = llvm.parse_assembly(llvm_text)
        module.verify()
    except RuntimeError as error:
        raise InternalError(f"LLVM rejects its text: {error}", "llvm") from error
    _check_declarations(module, externals)
    module.data_layout = str(machine.target_data)
    if optimize > 0:
        _run_passes(module, machine, optimize)
    return module


def _check_declarations(module: llvm.ModuleRef, externals: frozenset[str]) -> None:
    """Reject calls out of the module; an unknown intrinsic would end the process."""
    declared = {f.name for f in module.functions if f.is_declaration}
    known = tuple(f"llvm.{name}." for name in INTRINSICS)
    unknown = [n for n in declared - externals if not f"{n}.".startswith(known)]
    if unknown:
        raise InternalError(f"the text calls {', '.join(sorted(unknown))}", "llvm")


# What our text needs: constants into micro-kernels (a masked copy that no caller uses
# goes away), the slots of calls out of memory. As fast as LLVM's own -O2 on kernels and
# micro-kernels, in a quarter of its time. NewGVN would be welcome, but LLVM's assertion
# in it ends the process on correct text (a sum over f32[A, A, A]).
_PASSES = (
    llvm.ModulePassManager.add_ipsccp_pass,
    llvm.ModulePassManager.add_sroa_pass,
    llvm.ModulePassManager.add_instruction_combine_pass,
    llvm.ModulePassManager.add_simplify_cfg_pass,
)


def _run_passes(
    module: llvm.ModuleRef, machine: llvm.TargetMachine, optimize: int
) -> None:
    # Vectors are explicit and hot loops unrolled by hand: what LLVM would add there
    # costs compile time only.
    options = llvm.create_pipeline_tuning_options(speed_level=optimize)
    options.loop_vectorization = False
    options.slp_vectorization = False
    options.loop_unrolling = False
    options.loop_interleaving = False
    builder = llvm.create_pass_builder(machine, options)
    if optimize > 2:
        passes = builder.getModulePassManager()
    else:
        passes = llvm.create_new_module_pass_manager()
        for add in _PASSES:
            add(passes)
    passes.run(module, builder)
