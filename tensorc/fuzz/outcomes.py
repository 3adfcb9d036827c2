"""What a call of a function gives, interpreted or compiled, in one form to compare.

A call gives the plain results first, then the final values of the arguments that it
updates; or it stops with an index error; or it fails, and a text says how.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tensorc import driver
from tensorc.artifact import Artifact, FunctionInfo
from tensorc.errors import IndexOutOfRange
from tensorc.floats import is_float
from tensorc.ir.interpreter import Meanings, interpret
from tensorc.ir.numerics import Array, same_bits
from tensorc.ir.ops.builtin import Function, Module
from tensorc.runtime.cpu import Library
from tensorc.runtime.function import CompiledFunction, Results
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.signature import CallPlan

_GUARD = 128  # bytes: 16 of the largest elements
_FAR = 0.02  # of a value, or of 1

Outcome = list[Array] | IndexOutOfRange | str


def updated_by(function: Function) -> list[int]:
    """Return the numbers of the arguments that a function updates, ascending."""
    count = len(function.body.block.terminator.operands)
    marks = [function.result_info(i).get("tc.updates") for i in range(count)]
    return sorted(m for m in marks if isinstance(m, int))


def in_order(function: Function, given: Sequence[Array]) -> list[Array]:
    """Return the results of a function: the plain ones, then those that update."""
    marks = [function.result_info(i).get("tc.updates") for i in range(len(given))]
    plain = [g for g, m in zip(given, marks, strict=True) if m is None]
    new = {m: g for g, m in zip(given, marks, strict=True) if isinstance(m, int)}
    return plain + [new[m] for m in sorted(new)]


def interpreted(
    module: Module, function: Function, arguments: Sequence[Array], meanings: Meanings
) -> Outcome:
    """Interpret a function of the TENSOR or STRUCTURED level."""
    try:
        given = interpret(module, function.sym_name, arguments, meanings)
    except IndexOutOfRange as error:
        return error
    except Exception as error:
        return f"the interpreter fails: {type(error).__name__}: {error}"
    return in_order(function, given)


class WritesOutside(Exception):
    """Compiled code wrote where nothing of its own is."""


class _Guarded(CompiledFunction):
    """A function whose memory is NaN before a call, and between guards."""

    def run(
        self, plan: CallPlan, inputs: Sequence[Array], hypers: Mapping[str, Array] = {}
    ) -> Results:
        """Run a call with memory of its own.

        Raises:
            WritesOutside: bytes beside a result, the arena or the scratch have changed.
        """
        frame = self.take_frame(plan, hypers)
        copies = self.fill(frame, inputs)
        sizes = [size for _, _, size in plan.fresh]
        blocks = [_guarded(n) for n in (*sizes, plan.arena, frame.scratch.size)]
        frame.arena, frame.scratch = (part for _, part in blocks[-2:])
        for number, (_, part) in enumerate(blocks):
            frame.slots[self._first_result + number] = part.ctypes.data
        arguments = (frame.address, 0, 1)
        status = self.locked(self._entry, arguments)
        del copies
        names = [
            *(f"result {i}" for i in range(len(sizes))),
            "its arena",
            "its scratch",
        ]
        for name, (memory, part) in zip(names, blocks, strict=True):
            if not _is_intact(memory, part):
                raise WritesOutside(f"bytes beside {name} have changed")
        if status:
            raise self.failure(status, frame)
        self._frames.append(frame)
        results = tuple(
            part.view(dtype).reshape(shape)
            for (_, part), (shape, dtype, _) in zip(blocks, plan.fresh, strict=False)
        )
        return results or None


class _GuardedCell(SharedCell):
    """A shared variable whose memory lies between guards."""

    __slots__ = ("_memory", "_part")

    def __init__(self, name: str, value: Array) -> None:
        super().__init__(name, value)
        self._memory, self._part = _guarded(self.nbytes)
        self._array = self._part.view(self.dtype).reshape(self.shape)
        self._array[...] = value
        self.address = self._part.ctypes.data

    def is_intact(self) -> bool:
        """Return whether no byte beside the memory has changed."""
        return _is_intact(self._memory, self._part)


def _guarded(size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return memory of ones, which is NaN, and the aligned part for so many bytes."""
    memory = np.full(size + 3 * _GUARD, 0xFF, np.uint8)
    start = _GUARD + -memory.ctypes.data % _GUARD
    return memory, memory[start : start + size]


def _is_intact(memory: NDArray[np.uint8], part: NDArray[np.uint8]) -> bool:
    begin = part.ctypes.data - memory.ctypes.data
    before, after = memory[:begin], memory[begin + part.size :]
    return bool((before == 0xFF).all() and (after == 0xFF).all())


class Compiled:
    """The functions of an artifact, linked, with shared variables of their own."""

    def __init__(
        self, artifact: Artifact, updated: Mapping[str, Sequence[int]]
    ) -> None:
        self.infos = {info.name: info for info in artifact.functions}
        self.library: Library = driver.link(artifact)
        self.updated = updated
        self._functions: dict[
            tuple[object, ...], tuple[CompiledFunction, list[_GuardedCell]]
        ] = {}

    def call(self, name: str, arguments: Sequence[Array]) -> Outcome:
        """Call a function; its shared variables get their values first."""
        try:
            return self._call(name, arguments)
        except Exception as error:
            return f"the call fails: {type(error).__name__}: {error}"

    def _call(self, name: str, arguments: Sequence[Array]) -> Outcome:
        info = self.infos[name]
        function, cells = self._function(info, arguments)
        initial = [v for v, a in self._pairs(info, arguments) if a == "shared"]
        for cell, value in zip(cells, initial, strict=True):
            cell.set_value(value)
        inputs = [
            _between_guards(v) for v, a in self._pairs(info, arguments) if a == "input"
        ]
        try:
            results = function(*inputs)
        except IndexOutOfRange as error:
            _require_intact(cells)
            kept = zip(cells, initial, strict=True)
            if not all(same_bits(c.get_value(), v) for c, v in kept):
                return "an index error, and state has changed"
            return error
        _require_intact(cells)
        listed = results if isinstance(results, tuple) else (results,)
        plain = [np.asarray(r) for r in listed if r is not None]
        named = {cell.name: cell for cell in cells}
        updated = [info.arguments[i].name for i in self.updated[name]]
        return plain + [named[n].get_value() for n in updated]

    @staticmethod
    def _pairs(
        info: FunctionInfo, arguments: Sequence[Array]
    ) -> list[tuple[Array, str]]:
        kinds = [a.kind for a in info.arguments]
        return list(zip(arguments, kinds, strict=True))

    def _function(
        self, info: FunctionInfo, arguments: Sequence[Array]
    ) -> tuple[CompiledFunction, list[_GuardedCell]]:
        # A shared variable has one shape: calls of other sizes have others.
        key = (
            info.name,
            *(v.shape for v, a in self._pairs(info, arguments) if a == "shared"),
        )
        found = self._functions.get(key)
        if found is None:
            shared = {
                a.name: _GuardedCell(a.name, value)
                for a, value in zip(info.arguments, arguments, strict=True)
                if a.kind == "shared"
            }
            function = _Guarded(info, self.library, shared, {})
            found = function, list(shared.values())
            self._functions[key] = found
        return found


def _require_intact(cells: Sequence[_GuardedCell]) -> None:
    """Raise `WritesOutside` if bytes beside a shared variable have changed."""
    for cell in cells:
        if not cell.is_intact():
            raise WritesOutside(f"bytes beside '{cell.name}' have changed")


def _between_guards(array: Array) -> Array:
    """Return an array with memory around it that no result may depend on.

    Its bytes are all ones, which is NaN: what reads past an end shows it. What has
    another layout than the runtime wants is copied by it, and stays as it is.
    """
    if not array.size or not (array.flags.c_contiguous and array.flags.aligned):
        return array
    guarded = _guarded(array.nbytes)[1].view(array.dtype).reshape(array.shape)
    guarded[...] = array
    return guarded


def difference(expected: Outcome, given: Outcome) -> str:
    """Return how two outcomes differ, or "" if they agree bit for bit."""
    if isinstance(expected, str) or isinstance(given, str):
        return next(o for o in (expected, given) if isinstance(o, str))
    if isinstance(expected, IndexOutOfRange) or isinstance(given, IndexOutOfRange):
        both = isinstance(expected, IndexOutOfRange) and isinstance(
            given, IndexOutOfRange
        )
        # Where several indices are bad, any of them may be reported.
        return "" if both else f"{_spell(expected)} and {_spell(given)}"
    if len(expected) != len(given):
        return f"{len(expected)} results and {len(given)}"
    for number, (left, right) in enumerate(zip(expected, given, strict=True)):
        if not same_bits(left, right):
            return f"result {number}: {_first_difference(left, right)}"
    return ""


def far_apart(expected: Outcome, given: Outcome) -> str:
    """Return where floats differ by more than rounding can, or "".

    What is not finite, and what is no float, may depend on rounding in any way.
    """
    if not isinstance(expected, list) or not isinstance(given, list):
        return ""
    for number, (left, right) in enumerate(zip(expected, given, strict=True)):
        if not is_float(left.dtype) or left.dtype.itemsize < 4:
            continue
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(left), 1)
            off = np.abs(np.subtract(left, right)) > _FAR * size
        if bool((off & np.isfinite(left) & np.isfinite(right)).any()):
            return f"result {number}: {_first_difference(left, right)}"
    return ""


def _spell(outcome: list[Array] | IndexOutOfRange) -> str:
    if isinstance(outcome, IndexOutOfRange):
        return str(outcome).partition("\n")[0]
    return f"{len(outcome)} results"


def _first_difference(left: Array, right: Array) -> str:
    if left.dtype != right.dtype or left.shape != right.shape:
        types = [f"{a.dtype}{list(a.shape)}" for a in (left, right)]
        return " and ".join(types)
    for index in np.ndindex(left.shape):
        if not same_bits(left[index].reshape(1), right[index].reshape(1)):
            return f"{left[index]!r} and {right[index]!r} at {list(index)}"
    return "no difference"
