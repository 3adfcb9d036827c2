"""Run a module at every stage and compiled, to compare the results.

Functions may have shared arguments and updates: a run returns the plain results first,
then the final values of the arguments that are updated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tensorc import abi, compiler
from tensorc.artifact import Artifact, FunctionInfo, evaluate_dim
from tensorc.backend.llvm import codegen
from tensorc.fuzz.outcomes import Compiled, in_order, updated_by
from tensorc.ir.attributes import make_dict
from tensorc.ir.functions import Parameter
from tensorc.ir.interpreter import interpret
from tensorc.ir.numerics import Array, same_bits
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.ir.types import ELEMENTS, TensorType
from tensorc.ir.verifier import verify
from tensorc.passes.common.base import Pass, run_pass
from tensorc.runtime import cpu, threads
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.shared import SharedCell
from tensorc.target import Options, Target

TARGET = compiler.host_target()
SMALL = 40_000  # characters of LOOP text whose code is compiled with checks, too
Case = tuple[str, list[Array]]  # a function of the module, and its arguments


def inputs(*types: TensorType) -> list[Parameter]:
    """Return parameters of kind "input" called a0, a1, …."""
    return [
        Parameter(t, f"a{i}", make_dict(**{"tc.name": f"a{i}", "tc.kind": "input"}))
        for i, t in enumerate(types)
    ]


def name_arguments(function: Function) -> None:
    """Make every argument an input, as tests build functions without doors."""
    from tensorc.ir.attributes import ArrayAttr

    count = len(function.body.block.arguments)
    entries = [
        make_dict(**{"tc.name": f"a{i}", "tc.kind": "input"}) for i in range(count)
    ]
    function.attributes["arg_attrs"] = ArrayAttr(tuple(entries))


def tensor_results(module: Module, cases: Sequence[Case]) -> list[list[Array]]:
    """Interpret cases at the TENSOR or STRUCTURED level."""
    functions = {f.sym_name: f for f in module.functions}
    outcome = []
    for name, arguments in cases:
        given = interpret(module, name, arguments)
        outcome.append(in_order(functions[name], given))
    return outcome


def memory_results(
    module: Module,
    cases: Sequence[Case],
    infos: Mapping[str, FunctionInfo],
    updated: Mapping[str, Sequence[int]],
    flat: bool,
    planned: bool = True,
) -> list[list[Array]]:
    """Interpret cases at the BUFFER or (flat) LOOP level."""
    outcome = []
    for name, arguments in cases:
        info = infos[name]
        symbols = bind(info, arguments)
        results = [
            np.zeros([evaluate_dim(d, symbols) for d in r.shape], dtype(r.dtype))
            for r in info.results
        ]
        memory = [a.copy() for a in arguments]
        given = [a.reshape(-1) if flat else a for a in [*memory, *results]]
        if planned:
            size = evaluate_dim(info.arena, symbols)
            # Poison: what is read before it is written must show.
            given.append(np.full(size, -1, np.int8))
        if flat:
            given.append(np.full(evaluate_dim(info.scratch, symbols), -1, np.int8))
        sizes = [np.array(symbols[s], np.int64) for s in info.symbols]
        interpret(module, name, [*given, *sizes])
        outcome.append(results + [memory[i] for i in updated[name]])
    return outcome


def bind(info: FunctionInfo, arguments: Sequence[Array]) -> dict[str, int]:
    """Return the sizes of a function's symbols."""
    symbols: dict[str, int] = {}
    for argument, array in zip(info.arguments, arguments, strict=True):
        for dim, size in zip(argument.shape, array.shape, strict=True):
            if isinstance(dim, str):
                symbols.setdefault(dim, size)
        if argument.value:
            symbols[argument.value] = int(array)
    return symbols


def dtype(name: str) -> "np.dtype[np.generic]":
    return ELEMENTS[name].dtype


def compiled_results(
    artifact: Artifact, cases: Sequence[Case], updated: Mapping[str, Sequence[int]]
) -> list[list[Array]]:
    """Call cases in compiled code."""
    library = cpu.link(artifact)
    infos = {f.name: f for f in artifact.functions}
    outcome = []
    for name, arguments in cases:
        info = infos[name]
        shared = {
            a.name: SharedCell(a.name, value)
            for a, value in zip(info.arguments, arguments, strict=True)
            if a.kind == "shared"
        }
        hypers = {
            a.name: value.item()
            for a, value in zip(info.arguments, arguments, strict=True)
            if a.kind == "hyper"
        }
        function = CompiledFunction(info, library, shared, hypers)
        given = [
            value
            for a, value in zip(info.arguments, arguments, strict=True)
            if a.kind == "input"
        ]
        results = function(*given)
        listed = (
            []
            if results is None
            else [*results]
            if isinstance(results, tuple)
            else [results]
        )
        new = [shared[info.arguments[i].name].get_value() for i in updated[name]]
        outcome.append([np.asarray(r) for r in [*listed, *new]])
    return outcome


def updates_of(module: Module) -> dict[str, list[int]]:
    """Return for each function the numbers of the arguments that it updates."""
    return {f.sym_name: updated_by(f) for f in module.functions}


def round_trip(module: Module) -> Module:
    """Return the module printed and parsed back; the texts must agree."""
    text = print_module(module)
    again = parse_module(text)
    assert isinstance(again, Module)
    assert print_module(again) == text
    return again


def all_results(
    module: Module, cases: Sequence[Case], optimize: Sequence[int] = (2,)
) -> dict[str, list[list[Array]]]:
    """Return the results of the cases at each stage and compiled, by stage.

    Every stage is printed and parsed back before it runs, and verified.
    """
    module = _advance(module, "tensor")
    outcome = {"tensor": tensor_results(module, cases)}
    module_below = _advance(module, "structured", after="tensor")
    return outcome | results_below(
        module_below, abi.signatures(module), cases, optimize
    )


def results_below(
    module: Module,
    signatures: abi.Infos,
    cases: Sequence[Case],
    optimize: Sequence[int] = (2,),
) -> dict[str, list[list[Array]]]:
    """Return the results of a STRUCTURED module's cases at its stage and below."""
    updated = updates_of(module)
    outcome = {"structured": tensor_results(module, cases)}
    module = _advance(module, "buffer", after="structured")
    arenas = {f.sym_name: f.attributes["tc.arena"] for f in module.entries}
    infos = {
        s.name: replace(s, arena=abi.dim_expr(arenas[s.name].dims[0]))  # type: ignore[union-attr]
        for s in signatures
    }
    outcome["buffer"] = memory_results(module, cases, infos, updated, flat=False)
    module = _advance(module, "loop", after="buffer")
    functions = abi.with_memory(signatures, module)
    infos = {f.name: f for f in functions}
    outcome["loop"] = memory_results(module, cases, infos, updated, flat=True)
    if len(print_module(module)) < SMALL:
        text = codegen.emit_llvm(module, TARGET, Options(check_bounds=True))
        artifact = Artifact("cpu", codegen.emit_object(text, TARGET, 1), functions)
        outcome["bounds"] = compiled_results(artifact, cases, updated)
    text = codegen.emit_llvm(module, TARGET)
    for level in optimize:
        code = codegen.emit_object(text, TARGET, level)
        artifact = Artifact("cpu", code, functions)
        outcome[f"O{level}"] = compiled_results(artifact, cases, updated)
    return outcome


def assert_same_bits_everywhere(
    text: str, values: list[Array], target: Target, numbers: Sequence[int]
) -> None:
    """Assert that `function` gives the same bits at each stage, and in many threads.

    It has one result. Code for the target runs in so many threads, one after the other.
    """
    outcome = all_results(parse_module(text), [("function", values)], (0,))
    (expected,) = outcome["tensor"][0]
    for stage, (given,) in outcome.items():
        assert same_bits(given[0], expected), stage
    module = parse_module(text)
    updated = updates_of(module)
    options = Options(parallel_work=1, optimize=1)
    code = Compiled(compiler.compile(module, target, options).artifact, updated)
    before = threads.wanted()
    try:
        for number in numbers:
            threads.use(number)
            found = code.call("function", values)
            assert not isinstance(found, str), found
            assert same_bits(found[0], expected), number
    finally:
        threads.use(before)


def _advance(module: Module, upto: str, after: str = "") -> Module:
    made = compiler.compile(module, TARGET, upto=upto, around=verified, after=after)
    return round_trip(made.module)


def verified(pass_: Pass, module: Module, target: Target) -> Module:
    """Run a pass, and verify what it makes."""
    made = run_pass(pass_, module, target)
    verify(made, pass_.writes)
    return made
