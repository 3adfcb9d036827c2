"""Compiled functions as Python callables.

A call checks element types, ranks and contiguity, and jumps. What it needs in memory
for that (the slots of the entry, an error record, an arena) is a frame; frames are
recycled, and calls from several threads have frames of their own.
"""

import ctypes
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from tensorc.artifact import (
    RECORD_WORDS,
    STATUS_BOUNDS,
    STATUS_INDEX,
    Argument,
    FunctionInfo,
    RecordWord,
)
from tensorc.errors import CallError, Diagnostic, IndexOutOfRange, InternalError, way
from tensorc.runtime.arrays import (
    SMALL,
    Array,
    Kinds,
    Pool,
    address_of,
    aligned_bytes,
    aligned_empty,
    contiguous,
    kinds_of,
    numpy_dtype,
)
from tensorc.runtime.checking import IN_USE
from tensorc.runtime.finite import UNKNOWN_ORIGIN, Origin, run_checked
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.signature import CallPlan, make_signature
from tensorc.runtime.threads import (
    MOST,
    ThreadedLibrary,
    block_address,
    workers_for,
)

Number = int | float | bool
Results = Array | tuple[Array, ...] | None
T = TypeVar("T")

# Calling through a CFUNCTYPE releases the GIL. `begin` and `end` are i64: ctypes turns
# an int into a word of a pointer's size in half the time that it takes for a c_int64.
_ENTRY = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
)

# Looked up once: small calls are short enough to notice.
_empty = np.empty
_addressof = ctypes.addressof
_byte = ctypes.c_char.from_buffer  # of a writable, contiguous array with elements

_NO_HYPERS: Mapping[str, Array] = MappingProxyType({})

# More different sizes than this in one program are served, but not remembered. A slice
# that depends on a number has a plan for each: as many as an epoch has minibatches.
MAX_PLANS = 4096


class CallFrame:
    """The machine words of one running call, and the memory that they point to."""

    __slots__ = (
        *("address", "arena", "cells", "hypers", "plan", "record", "scratch"),
        "slots",
    )

    def __init__(self, words: int, hypers: Sequence[np.dtype[np.generic]]) -> None:
        self.slots = (ctypes.c_int64 * words)()
        self.address = ctypes.addressof(self.slots)
        self.record = (ctypes.c_int64 * RECORD_WORDS)()
        self.record[RecordWord.POOL] = block_address()
        self.record[RecordWord.WORKERS] = MOST
        self.cells = [aligned_empty((), dtype) for dtype in hypers]
        self.arena = self.scratch = aligned_bytes(0)
        # Whose sizes the slots hold, and whose numbers the cells.
        self.plan: CallPlan | None = None
        self.hypers: Mapping[str, Array] | None = None


class CompiledFunction:
    """A function of an artifact, bound to its shared variables.

    `library` is the linked code, `shared` the variables and `hypers` the defaults of
    the hyperparameters, by the names of the arguments. `varies` tells whether the code
    is the same for every value of a hyperparameter, which it is if nobody says so;
    it is asked once for each. `origin` explains calls that are checked. Thread-safe:
    calls that use a shared variable in common run one after the other.
    """

    def __init__(
        self,
        info: FunctionInfo,
        library: ThreadedLibrary,
        shared: Mapping[str, SharedCell],
        hypers: Mapping[str, Number],
        varies: Callable[[str], bool] | None = None,
        origin: Origin = UNKNOWN_ORIGIN,
    ) -> None:
        used = [a for a in info.arguments if a.kind == "shared"]
        self.origin = origin
        if origin.checks:
            IN_USE.append(None)
        self.info = info
        self.name = info.name
        self.library = library
        self.shared = {
            a.name: _shared_for(info.name, a.name, a.dtype, shared) for a in used
        }
        self.signature = make_signature(
            info, {name: cell.shape for name, cell in self.shared.items()}
        )
        # Everybody locks in the order of addresses, so nobody waits for each other.
        cells = {cell.address: cell for cell in self.shared.values()}
        self._cells = [cells[address] for address in sorted(cells)]
        self._locks = [cell.lock for cell in self._cells]
        self._low = min(cells, default=0)
        self._high = max((c.address + c.nbytes for c in self._cells), default=0)
        self._defaults = {
            name: self.signature.hyper(name, hypers[name])
            for name in self.signature.hypers
        }
        self._varies = varies
        # Hypers that calls may change, as far as that was asked.
        self._varying: dict[str, bool] = {}
        self._entry = _ENTRY(library.address(info.symbol))
        self._positions = {
            kind: [i for i, a in enumerate(info.arguments) if a.kind == kind]
            for kind in ("shared", "input", "hyper", "captured")
        }
        self._captured = [
            _captured_of(info.name, info.arguments[i])
            for i in self._positions["captured"]
        ]
        self._pool = Pool()
        # Where code that is compiled `timed` writes when launches ran; 0: nowhere.
        self.times = 0
        self._frames: deque[CallFrame] = deque()
        self._plans: dict[tuple[int, ...], CallPlan] = {}
        # Of calls that need no conversion and no check. Where sizes follow from the
        # value of an input, there are none.
        self._seen: dict[Kinds | None, CallPlan] = {}
        self.known = self._seen.get
        self._has_values = any(s.value is not None for s in self.signature.inputs)
        self._input_slots = self._positions["input"]
        self._first_result = len(info.arguments)

    def __call__(self, *inputs: object, **named: object) -> Results:
        """Call the function: inputs in order or by name, hypers by name.

        Inputs are arrays or what NumPy makes arrays of; a float array may be rounded to
        the declared type, all else must be exact. Nothing given is written to, results
        are fresh arrays: none gives None, one the array, several a tuple.

        Raises:
            CallError: the arguments do not fit in number, name or element type.
            ShapeError: a rank or size does not fit.
            IndexOutOfRange: the program indexed outside an axis. No shared variable has
                changed.
            NotFiniteError: the call is checked, and made a NaN or an infinity. No
                shared variable has changed.
        """
        plan = None if named else self.known(kinds_of(inputs))
        if plan is not None:
            return self.run(plan, inputs)  # type: ignore[arg-type]  # plain arrays
        arrays, given = self.signature.collect(inputs, named)
        hypers = self.hypers(given) if given else _NO_HYPERS
        return self.run(self.bind(arrays), arrays, hypers)

    def hypers(self, given: Mapping[str, object]) -> Mapping[str, Array]:
        """Return the values of hypers as 0-d arrays of their element types.

        Raises:
            CallError: a value is not one number of the element type (TC0502), or the
                program was compiled for another one (TC0511).
        """
        hypers = {n: self.signature.hyper(n, value) for n, value in given.items()}
        if self._varies is None:
            return hypers
        for name, value in hypers.items():
            if value == self._defaults[name]:
                continue
            if name not in self._varying:
                self._varying[name] = self._varies(name)
            if not self._varying[name]:
                raise self._fixed(name, value)
        return hypers

    def _fixed(self, name: str, value: Array) -> CallError:
        compiled = self._defaults[name]
        message = f"{self.name}: the hyper '{name}' is {compiled} in the compiled "
        message += f"program, a call cannot make it {value}"
        note = "a size, a branch or another decision of compiling was made of it"
        setting = way(f"tc.load(path, {name}={value})", f"--set {name}={value}")
        hint = f"load the program with it: {setting}"
        return CallError(Diagnostic("TC0511", message, notes=(note,), hints=(hint,)))

    def run(
        self,
        plan: CallPlan,
        inputs: Sequence[Array],
        hypers: Mapping[str, Array] = _NO_HYPERS,
    ) -> Results:
        """Run a call that is checked: `inputs` have the types and sizes of `plan`.

        `known(kinds_of(inputs))` is such a plan, or None where something is to be
        converted or checked: then `bind` is the way to one.
        """
        try:
            frame = self.take_frame(plan, hypers)
            copies = self.fill(frame, inputs)
            slots, after = frame.slots, self._first_result
            results = []
            for shape, dtype, size in plan.fresh:
                if 0 < size < SMALL:
                    result = _empty(shape, dtype)
                    try:
                        start = _addressof(_byte(result))  # type: ignore[arg-type]
                    except ValueError:  # bf16, which buffers do not know
                        start = address_of(result)
                    slots[after] = start
                else:
                    result = self._pool.empty(shape, dtype)
                    slots[after] = address_of(result)
                results.append(result)
                after += 1
        except MemoryError:
            if self._has_values:
                raise self.signature.no_memory(plan) from None
            raise
        if IN_USE and self.origin.is_checked():
            status = run_checked(self, frame, inputs, results)
        elif self._locks:
            status = self.locked(self._entry, (frame.address, 0, 1))
        else:
            status = self._entry(frame.address, 0, 1)
        del copies  # until here compiled code read them
        if status:
            raise self.failure(status, frame)
        self._frames.append(frame)
        if len(results) == 1:
            return results[0]
        return tuple(results) if results else None

    def bind(self, arrays: Sequence[Array]) -> CallPlan:
        """Return the sizes of a call with these inputs, all of them checked.

        Raises:
            ShapeError: a rank, a size or an equation between sizes does not fit.
        """
        symbols = self.signature.symbols(arrays)
        plan = self._plans.get(symbols)
        if plan is None:
            plan = self.signature.plan(symbols)
            self.signature.check_inputs(plan, arrays)
            self.signature.check_guards(plan)
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
            self._plans[symbols] = plan
        if tuple([array.shape for array in arrays]) != plan.inputs:
            self.signature.check_inputs(plan, arrays)
        # All sizes follow from the shapes: a call with the same ones needs no look. The
        # doors rely on `known`, so what is not stored here is checked at each call.
        if len(self._seen) >= MAX_PLANS:
            self._seen.clear()
        kinds = None if self._has_values else kinds_of(arrays)
        if kinds is not None:
            self._seen[kinds] = plan
        return plan

    def take_frame(self, plan: CallPlan, hypers: Mapping[str, Array]) -> CallFrame:
        """Return a frame of its own for a call of these sizes, without the arrays."""
        try:
            frame = self._frames.pop()
        except IndexError:
            frame = self._new_frame()
        if frame.plan is not plan or frame.hypers is not hypers:
            self._fit(frame, plan, hypers)
        return frame

    def fill(self, frame: CallFrame, inputs: Sequence[Array]) -> list[Array]:
        """Write the addresses of the inputs into a frame.

        An input that is not laid out as compiled code reads it, or that overlaps a
        shared variable, is replaced by a copy. Returned are the copies: they and the
        inputs must live as long as the call.
        """
        copies = []
        slots, high = frame.slots, self._high
        positions = self._input_slots
        for number, given in enumerate(inputs):  # half the time of a `zip`
            array = given
            if array.flags.carray and array.size:
                try:
                    start = _addressof(_byte(array))  # type: ignore[arg-type]
                except ValueError:  # bf16, which buffers do not know
                    start = address_of(array)
            else:
                array = contiguous(given)
                start = address_of(array)
            if start < high and self._low < start + array.nbytes:
                array = self.apart(array)
                start = address_of(array)
            if array is not given:
                copies.append(array)
            slots[positions[number]] = start
        return copies

    def enter(self, frame: CallFrame) -> int:
        """Run the call of a frame, whose locks the caller holds; return its status."""
        status: int = self._entry(frame.address, 0, 1)
        return status

    def locked(
        self, call: Callable[..., T], arguments: tuple[object, ...], number: int = 0
    ) -> T:
        """Return `call(*arguments)`, made while no other call uses a shared variable.

        An interrupt while waiting releases what was taken: no instruction of Python
        stands between taking a lock and entering its block, as there would in a loop.
        """
        locks = self._locks
        left = len(locks) - number
        if left >= 4:  # four at a time: fewer calls of this
            a, b, c, d = locks[number : number + 4]
            with a, b, c, d:
                return self.locked(call, arguments, number + 4)
        if left:
            with locks[number]:
                return self.locked(call, arguments, number + 1)
        return call(*arguments)

    def failure(self, status: int, frame: CallFrame) -> IndexOutOfRange | InternalError:
        """Return the error that compiled code reported in its record."""
        site, axis, index, size = frame.record[: RecordWord.POOL]
        if status == STATUS_BOUNDS:
            what = ctypes.string_at(site).decode()
            detail = f"'{self.name}': {what}: element {index} of {size}"
            return InternalError(detail, "runtime")
        if status != STATUS_INDEX or not 0 <= site < len(self.info.sites):
            return InternalError(f"'{self.name}' returned status {status}", "runtime")
        location = self.info.sites[site]
        if location.is_unsigned:
            index %= 1 << 64
        bounds = f"out of range for axis {axis} with size {size}"
        message = f"index {index} is {bounds}"
        notes = ["no shared variable has changed"]
        if -size <= index < 0:  # where indices may count from the end, it is inside
            notes.append("labels are numbers of classes: they count from 0")
        return IndexOutOfRange(
            Diagnostic("TC0505", message, location.location, notes=tuple(notes))
        )

    def __reduce__(self) -> str | tuple[object, ...]:
        message = f"{self!r} is machine code of this process: copy or pickle what made "
        message += "it, a tc.function, a traced function or a program"
        raise CallError(Diagnostic("TC0601", message))

    def __repr__(self) -> str:
        names = ", ".join(s.argument.name for s in self.signature.inputs)
        return f"<compiled function {self.name}({names})>"

    def _new_frame(self) -> CallFrame:
        info = self.info
        words = len(info.arguments) + len(info.results) + 3 + len(info.symbols)
        frame = CallFrame(words, [cell.dtype for cell in self._defaults.values()])
        for position, cell in zip(
            self._positions["shared"], self.shared.values(), strict=True
        ):
            frame.slots[position] = cell.address
        for position, array in zip(
            self._positions["captured"], self._captured, strict=True
        ):
            frame.slots[position] = address_of(array)
        for position, number in zip(self._positions["hyper"], frame.cells, strict=True):
            frame.slots[position] = address_of(number)
        after = len(info.arguments) + len(info.results)
        frame.slots[after] = address_of(frame.arena)
        frame.slots[after + 1] = address_of(frame.scratch)
        frame.slots[after + 2] = ctypes.addressof(frame.record)
        frame.record[RecordWord.TIMES] = self.times
        return frame

    def _fit(
        self, frame: CallFrame, plan: CallPlan, hypers: Mapping[str, Array]
    ) -> None:
        """Write the sizes of a call, its memory and its hypers into a frame."""
        after = self._first_result + len(plan.fresh)
        if frame.arena.size < plan.arena:
            frame.arena = aligned_bytes(plan.arena)
            frame.slots[after] = address_of(frame.arena)
        if plan.scratch:
            workers = workers_for(plan.scratch)
            if frame.scratch.size < plan.scratch * workers:
                frame.scratch = aligned_bytes(plan.scratch * workers)
                frame.slots[after + 1] = address_of(frame.scratch)
            count = frame.scratch.size // plan.scratch
        else:
            count = MOST
        frame.record[RecordWord.BYTES] = plan.scratch
        frame.record[RecordWord.WORKERS] = count
        if plan.symbols:
            frame.slots[after + 3 :] = list(plan.symbols)
        frame.plan = plan
        if hypers is not frame.hypers:
            defaults = self._defaults.items()
            for cell, (name, default) in zip(frame.cells, defaults, strict=True):
                cell[...] = hypers.get(name, default)
            frame.hypers = hypers

    def apart(self, array: Array) -> Array:
        """Return an input, or a copy of it if a shared variable overlaps."""
        start = address_of(array)
        stop = start + array.nbytes
        for cell in self._cells:
            if start < cell.address + cell.nbytes and cell.address < stop:
                with cell.lock:
                    return array.copy()
        return array


def _captured_of(function: str, argument: Argument) -> Array:
    if argument.default is None:
        detail = f"'{function}' lacks the array '{argument.name}' that it captures"
        raise InternalError(detail, "runtime")
    return np.frombuffer(argument.default.content, numpy_dtype(argument.dtype))


def _shared_for(
    function: str, name: str, dtype: str, shared: Mapping[str, SharedCell]
) -> SharedCell:
    if name not in shared:
        raise InternalError(f"'{function}' lacks shared variable '{name}'", "runtime")
    cell = shared[name]
    if cell.dtype != numpy_dtype(dtype):
        detail = f"shared variable '{name}' is {cell.dtype}, '{function}' takes {dtype}"
        raise InternalError(detail, "runtime")
    return cell
