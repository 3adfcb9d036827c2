"""What the runtime must know of a function, read off its IR: the way to `artifact`.

Each level of the IR knows a part: TENSOR what a function takes and gives, its sizes and
its guards, STRUCTURED what its kernels cost, LOOP its memory and the sites that can
fail. What is known so far is a `FunctionInfo` for each function of the module.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from tensorc.artifact import (
    Argument,
    Default,
    DimExpr,
    FunctionInfo,
    Guard,
    Origin,
    Result,
    Site,
)
from tensorc.backend.emit import epoch_symbol, mangle
from tensorc.ir.attributes import Attribute, Dense, Dims, dims_of
from tensorc.ir.dims import Dim, Symbol, as_symbol, symbols_of
from tensorc.ir.functions import guards_of, solved_of
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.memory.kernels import UNSIGNED, Fail, Launch
from tensorc.ir.text.printer import print_module
from tensorc.ir.types import TensorType
from tensorc.passes.analysis.cost import cost_of

Infos = tuple[FunctionInfo, ...]


def digests(module: Module) -> dict[str, str]:
    """Return what tells each program, as a front end made it, from any other."""
    return {f.sym_name: _digest(f) for f in module.functions}


def signatures(tensor: Module) -> Infos:
    """Return what the functions of a TENSOR module take and give, and their guards."""
    return tuple([signature(function) for function in tensor.functions])


def with_costs(infos: Sequence[FunctionInfo], structured: Module) -> Infos:
    """Add the kernels and the flops, which a STRUCTURED module knows."""
    found = []
    for info, function in zip(infos, structured.functions, strict=True):
        kernels, flops = cost_of(function)
        found.append(replace(info, kernels=kernels, flops=dim_expr(flops)))
    return tuple(found)


def with_memory(infos: Sequence[FunctionInfo], loops: Module) -> Infos:
    """Add arena, scratch and sites, which only a LOOP module knows."""
    functions = {f.sym_name: f for f in loops.functions}
    found = []
    for info in infos:
        entry = functions[info.name]
        sites: dict[int, Site] = {}
        launches = [op for op in entry.walk() if isinstance(op, Launch)]
        for name in dict.fromkeys(launch.callee.name for launch in launches):
            for op in functions[name].walk():
                if isinstance(op, Fail):
                    sites[op.site] = Site(op.location, UNSIGNED in op.attributes)
        arena, scratch = (_bytes_of(entry, n) for n in ("tc.arena", "tc.scratch"))
        ordered = tuple([sites[i] for i in sorted(sites)])
        found.append(replace(info, arena=arena, scratch=scratch, sites=ordered))
    return tuple(found)


def _bytes_of(entry: Function, name: str) -> DimExpr:
    size = entry.attributes[name]
    assert isinstance(size, Dims)
    return dim_expr(size.dims[0])


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


def signature(function: Function) -> FunctionInfo:
    """Return what a function takes and gives, before its lowering."""
    name, arguments = function.sym_name, _arguments(function)
    return FunctionInfo(
        name,
        mangle(name),
        epoch_symbol(name),
        arguments,
        _results(function),
        _symbols(function),
        _guards(function),
        0,
        (),
        _computed_sizes(function),
        origins=_origins(function, arguments),
    )


def _arguments(function: Function) -> tuple[Argument, ...]:
    arguments = []
    for i, argument in enumerate(function.body.block.arguments):
        type_ = argument.type
        assert isinstance(type_, TensorType)
        info = function.argument_info(i)
        kind = info.get("tc.kind")
        assert kind in ("shared", "input", "hyper", "captured")
        shape = tuple(dim_expr(d) for d in type_.shape)
        name, given = str(info.get("tc.name")), function.value_symbol(i)
        known = _default(info.get("tc.default"))
        arguments.append(Argument(name, kind, type_.element.name, shape, given, known))  # type: ignore[arg-type]
    return tuple(arguments)


def _symbols(function: Function) -> tuple[str, ...]:
    symbols: dict[str, None] = {}
    for i, argument in enumerate(function.body.block.arguments):
        assert isinstance(argument.type, TensorType)
        for dim in argument.type.shape:
            symbols.update(dict.fromkeys(symbols_of(dim)))
        if given := function.value_symbol(i):
            symbols[given] = None
    return tuple(symbols)


def _results(function: Function) -> tuple[Result, ...]:
    results = []
    for i, value in enumerate(function.body.block.terminator.operands):
        info = function.result_info(i)
        type_ = value.type
        assert isinstance(type_, TensorType)
        if info.get("tc.updates") is None:
            shape = tuple(dim_expr(d) for d in type_.shape)
            name = str(info.get("tc.name") or "")
            results.append(Result(name, type_.element.name, shape))
    return tuple(results)


def _guards(function: Function) -> tuple[Guard, ...]:
    return tuple(
        Guard(
            dim_expr(guard.left),
            dim_expr(guard.right),
            guard.message,
            guard.location if guard.location.line else function.location,
            guard.is_index,
        )
        for guard in guards_of(function)
    )


def _origins(function: Function, arguments: Sequence[Argument]) -> tuple[Origin, ...]:
    return tuple(
        Origin(arguments[s.argument].name, s.axis, s.size, s.location)
        for s in solved_of(function)
        if s.argument < len(arguments)
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
            found.update(dict.fromkeys(dims_of(attribute)))
    computed = [d for d in found if not isinstance(d, int) and as_symbol(d) is None]
    return tuple(dim_expr(d) for d in computed)
