"""A file of IR as a program: its functions are entries, its shared arguments memory.

What `tensorc compile --emit=tensor` writes can be compiled, called and explained again.
Arguments that say nothing of themselves are inputs, called as in the text. Memory
starts as zeros: `--init` gives it other values. Captured arrays are constants.
"""

import re
from collections.abc import Sequence

import numpy as np

from tensorc.errors import CompileError, Diagnostic, Location
from tensorc.frontend.dsl.programs.program import FileProgram, MemoryDecl, check_memory
from tensorc.ir.attributes import ArrayAttr, make_dict
from tensorc.ir.call_guards import guard_sizes
from tensorc.ir.captured import spell_out
from tensorc.ir.dims import as_symbol, symbols_of
from tensorc.ir.functions import dims_in
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.text.parser import parse_module
from tensorc.ir.types import TensorType
from tensorc.ir.verifier import level_of, verify

_BREAKS_A_RULE = "TC0250"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def mlir_program(text: str, path: str) -> FileProgram:
    """Return the program of a file of IR; `path` is its name in messages.

    Raises:
        TensorcError: the text is no valid module.
    """
    module = _parsed(text, path)
    memories: dict[str, MemoryDecl] = {}
    for function in module.functions:
        for memory in _memories(function):
            known = memories.setdefault(memory.name, memory)
            if known.type != memory.type:
                message = f"the memory {memory.name} is {known.type}, elsewhere "
                raise _wrong(f"{message}{memory.type}", memory.location)

    def emit(names: Sequence[str]) -> Module:
        made = _parsed(text, path)
        dropped = {f.sym_name for f in made.entries} - set(names)
        made.body.block.ops[:] = [
            f for f in made.functions if f.sym_name not in dropped
        ]
        return made

    entries = module.entries
    steps = [f.sym_name for f in entries if _updates(f)]
    return FileProgram(
        path,
        tuple(memories.values()),
        {},
        tuple([f.sym_name for f in entries]),
        (),
        emit,
        lambda entry, hyper: True,
        (),
        tuple(steps),
    )


def _parsed(text: str, path: str) -> Module:
    module = parse_module(text, path)
    if not isinstance(module, Module):
        message = f"the outermost op is {module.name}, it must be a module"
        raise _wrong(message, module.location)
    verify(module, level_of(module))
    for function in module.entries:
        _check_name(function.sym_name, function.location)
        if _takes_arrays(function):
            spell_out(function)
            _name_arguments(function)
            _check_signature(function)
            guard_sizes(function)
    return module


def _wrong(message: str, location: Location, *hints: str) -> CompileError:
    return CompileError(Diagnostic(_BREAKS_A_RULE, message, location, hints=hints))


def _takes_arrays(function: Function) -> bool:
    # From BUFFER on it takes memory and sizes.
    arguments = function.body.block.arguments
    return all(isinstance(argument.type, TensorType) for argument in arguments)


def _updates(function: Function) -> bool:
    count = len(function.body.block.terminator.operands)
    infos = [function.result_info(i) for i in range(count)]
    return any(info.get("tc.updates") is not None for info in infos)


def _name_arguments(function: Function) -> None:
    """Give each argument a name and a kind; what a call may set is an input."""
    made = []
    arguments = function.body.block.arguments
    for i, argument in enumerate(arguments):
        known = dict(function.argument_info(i).items)
        hint = argument.hint or ""
        known.setdefault("tc.name", hint if _NAME.fullmatch(hint) else f"arg{i}")
        if known.get("tc.kind") != "shared":
            known["tc.kind"] = "input"
        made.append(make_dict(**known))
    if made:
        function.attributes["arg_attrs"] = ArrayAttr(tuple(made))


def _check_signature(function: Function) -> None:
    """Check what a call relies on: names that differ, and sizes that shapes give."""
    arguments = function.body.block.arguments
    infos = [function.argument_info(i) for i in range(len(arguments))]
    names = [str(info.get("tc.name")) for info in infos]
    for i, name in enumerate(names):
        # Memory may be a part of a whole: `hidden.W`.
        is_shared = infos[i].get("tc.kind") == "shared"
        for part in name.split(".") if is_shared else [name]:
            _check_name(part, function.location)
        if name in names[:i]:
            message = f"two arguments of '{function.sym_name}' are named '{name}'"
            raise _wrong(message, function.location, "give each a tc.name of its own")
    given = {str(info.get("tc.value")) for info in infos}
    for argument in arguments:
        assert isinstance(argument.type, TensorType)
        given.update(filter(None, map(as_symbol, argument.type.shape)))
    used = {name: dim for dim in dims_in(function) for name in symbols_of(dim)}
    for name in sorted(used.keys() - given):
        message = f"no argument of '{function.sym_name}' gives the size {name}"
        where = (
            f"it is used in {used[name]}; an axis of an argument must be {name} alone"
        )
        raise _wrong(message, function.location, where)


def _check_name(name: str, location: Location) -> None:
    """Refuse what the language has no names like: a command line shows and takes it."""
    if not _NAME.fullmatch(name):
        message = f"{name!r:.60} is no name that a call can give"
        hint = "a name is of letters, digits and _, and begins with no digit"
        raise _wrong(message, location, hint)


def _memories(function: Function) -> list[MemoryDecl]:
    found = []
    for i, argument in enumerate(function.body.block.arguments):
        info = function.argument_info(i)
        type_ = argument.type
        if info.get("tc.kind") != "shared" or not isinstance(type_, TensorType):
            continue
        shape = tuple([d for d in type_.shape if isinstance(d, int)])
        if len(shape) < type_.rank:
            message = f"the memory {info.get('tc.name')} has a size that no call gives"
            raise CompileError(Diagnostic("TC0301", message, function.location))
        name = str(info.get("tc.name"))
        check_memory(name, type_, function.location)
        dtype = type_.element.dtype

        def zeros(
            shape: tuple[int, ...] = shape, dtype: np.dtype[np.generic] = dtype
        ) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
            return np.broadcast_to(np.zeros((), dtype), shape)

        found.append(MemoryDecl(name, "param", type_, zeros, function.location))
    return found
