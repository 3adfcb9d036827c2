"""The LLVM text emitter: the only place that knows how LLVM IR is spelled.

A `ModuleEmitter` collects functions, a `FunctionEmitter` appends instructions to one.
Values are typed, so a method needs no type that an operand already has. No instruction
carries a fast-math flag, every load and store says its alignment, and an intrinsic
must be in `INTRINSICS`: LLVM ends the process for one that it cannot lower.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from tensorc.errors import InternalError


@dataclass(frozen=True, slots=True)
class LType:
    """A first-class type: a scalar, or a vector of `lanes` of them."""

    scalar: str
    lanes: int = 0

    def __str__(self) -> str:
        return _spell(self.scalar, self.lanes)

    @property
    def suffix(self) -> str:
        """The spelling in an intrinsic's name: f32, v16f32, p0."""
        return (f"v{self.lanes}" if self.lanes else "") + _SUFFIXES[self.scalar]

    @property
    def is_float(self) -> bool:
        """Tell floats and vectors of floats from the rest."""
        return self.scalar in _FLOATS

    @property
    def bits(self) -> int:
        """The width of the scalar."""
        return _BITS[self.scalar]

    def of(self, scalar: str) -> "LType":
        """Return the type with another scalar and as many lanes."""
        return LType(scalar, self.lanes)


@cache
def _spell(scalar: str, lanes: int) -> str:
    return f"<{lanes} x {scalar}>" if lanes else scalar


_FLOATS = {"half": np.float16, "float": np.float32, "double": np.float64}
_BITS = {"half": 16, "float": 32, "double": 64, "ptr": 64}
_BITS |= {f"i{n}": n for n in (1, 8, 16, 32, 64)}
_SUFFIXES = {"half": "f16", "float": "f32", "double": "f64", "ptr": "p0"}
_SUFFIXES |= {name: name for name in _BITS if name.startswith("i")}

BOOL, BYTE, WORD, LONG = LType("i1"), LType("i8"), LType("i32"), LType("i64")
POINTER, VOID = LType("ptr"), LType("void")


class LValue(NamedTuple):
    """A register, argument or constant."""

    text: str
    type: LType

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


# Which types an intrinsic's name carries: -1 is the result, others are arguments.
INTRINSICS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "fma": (-1,),
        "sqrt": (-1,),
        "fabs": (-1,),
        "copysign": (-1,),
        "roundeven": (-1,),
        "floor": (-1,),
        "ceil": (-1,),
        "ldexp": (-1, 1),
        "maximum": (-1,),
        "minimum": (-1,),
        "smax": (-1,),
        "smin": (-1,),
        "umax": (-1,),
        "umin": (-1,),
        "fptosi.sat": (-1, 0),
        "fptoui.sat": (-1, 0),
        "masked.load": (-1, 0),
        "masked.store": (0, 1),
        "masked.gather": (-1, 0),
        "prefetch": (0,),
        "vector.reduce.fadd": (1,),
        "vector.reduce.fmul": (1,),
        "vector.reduce.fmaximum": (0,),
        "vector.reduce.fminimum": (0,),
        "vector.reduce.add": (0,),
        "vector.reduce.mul": (0,),
        "vector.reduce.or": (0,),
        "vector.reduce.and": (0,),
        "vector.reduce.smin": (0,),
        "vector.reduce.umin": (0,),
        "vector.reduce.smax": (0,),
        "vector.reduce.umax": (0,),
        "x86.sse2.pause": (),
    }
)

# C functions that generated code may call: LLVM itself makes these calls.
EXTERNALS = frozenset({"memcpy", "memset", "memmove"})

# What the thread pool alone may call, and how (POSIX): arguments are pointers.
THREAD_EXTERNALS: Mapping[str, int] = MappingProxyType(
    {
        "pthread_mutex_lock": 1,
        "pthread_mutex_unlock": 1,
        "pthread_cond_wait": 2,
        "pthread_cond_broadcast": 1,
        "sched_yield": 0,
    }
)


def mangle(name: str) -> str:
    """Return a symbol for a name of the user: only [A-Za-z0-9_.], no reserved one."""
    safe = re.sub(r"[^A-Za-z0-9_.]", lambda m: f".{ord(m[0]):x}.", name)
    reserved = safe in EXTERNALS or safe.startswith("llvm.") or not safe
    return f"tc.{safe}" if reserved else safe


def epoch_symbol(name: str) -> str:
    """Return the symbol of a function's epoch driver: no name in a `.tc` has a dot."""
    return mangle(f"{name}.epoch")


def number(type_: LType, value: float | int | bool) -> LValue:
    """Return a constant; a vector type gives one with `value` in each lane."""
    scalar = LType(type_.scalar)
    text = _float_bits(type_, value) if type_.is_float else _integer(type_, int(value))
    if type_.lanes:
        text = f"splat ({scalar} {text})"
    return LValue(text, type_)


def lane_numbers(type_: LType) -> LValue:
    """Return the constant vector 0, 1, 2, … of an integer vector type."""
    lanes = ", ".join(f"{type_.scalar} {i}" for i in range(type_.lanes))
    return LValue(f"<{lanes}>", type_)


def _integer(type_: LType, value: int) -> str:
    if type_.bits == 1:
        return "true" if value else "false"
    return str(value)


def _float_bits(type_: LType, value: float) -> str:
    """Spell a float exactly; f32 is written as the f64 of the same value."""
    return _spell_float(type_.scalar, struct.pack("<d", value))


@lru_cache(1024)  # by the bits: 0.0 and -0.0 are equal
def _spell_float(scalar: str, double: bytes) -> str:
    (value,) = struct.unpack("<d", double)
    with np.errstate(all="ignore"):
        narrow = np.array(value, _FLOATS[scalar])
        if scalar == "half":
            return f"0xH{int(narrow.view(np.uint16)):04X}"
        return f"0x{int(narrow.astype(np.float64).view(np.uint64)):016X}"


@dataclass(frozen=True, slots=True)
class LlvmParameter:
    """A parameter of a function to be: pointers may promise not to overlap."""

    name: str
    type: LType
    noalias: bool = False

    def __str__(self) -> str:
        promise = " noalias" if self.noalias else ""
        return f"{self.type}{promise} %{self.name}"


@dataclass
class ModuleEmitter:
    """The functions of a module, and what they need declared.

    `attributes` are string attributes for every function ("prefer-vector-width").
    """

    triple: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    functions: "dict[str, FunctionEmitter]" = field(default_factory=dict)
    declarations: dict[str, str] = field(default_factory=dict)
    constants: dict[bytes, str] = field(default_factory=dict)
    unrolled: int = 0

    def function(
        self,
        name: str,
        result: LType,
        parameters: Sequence[LlvmParameter],
        *,
        internal: bool = False,
    ) -> "FunctionEmitter":
        """Open a function at its entry block; an internal one is not exported.

        Raises:
            InternalError: the module has a function of that symbol.
        """
        if not re.fullmatch(r"[A-Za-z0-9_.]+", name) or name in self.functions:
            raise InternalError(f"symbol '{name}' is bad or defined twice", "emit")
        function = FunctionEmitter(self, name, result, tuple(parameters), internal)
        self.functions[name] = function
        return function

    def data(self, content: bytes, align: int) -> LValue:
        """Return the address of bytes that no code may change; equal ones lie once."""
        name = self.constants.setdefault(content, f"@data.{len(self.constants)}")
        if name not in self.declarations:
            kind = f"private unnamed_addr constant [{len(content)} x i8]"
            text = content.hex("\\")
            self.declarations[name] = f'{name} = {kind} c"\\{text}", align {align}'
        return LValue(name, POINTER)

    def drop(self, function: "FunctionEmitter") -> None:
        """Take a function out again: another one stands for it."""
        del self.functions[function.name]

    def text(self) -> str:
        """Return the module."""
        lines = [f'target triple = "{self.triple}"'] if self.triple else []
        lines += [f.text() for f in self.functions.values()]
        lines += self.declarations.values()
        pairs = " ".join(f'"{k}"="{v}"' for k, v in sorted(self.attributes.items()))
        # Kernels are called often, and an entry must not be compiled once more inside
        # its epoch driver.
        lines.append(f"attributes #0 = {{ noinline nounwind {pairs} }}")
        # A loop's metadata refers to itself, so that no two loops share it.
        last = self.unrolled
        for i in range(last):
            lines.append(f"!{i} = distinct !{{!{i}, !{last}}}")
        if last:
            lines.append(f'!{last} = !{{!"llvm.loop.unroll.disable"}}')
        return "\n".join(lines) + "\n"


@dataclass
class LoopBlocks:
    """An open loop: its counter, what it carries, and what is needed to close it."""

    index: LValue
    carried: list[LValue]
    upper: LValue
    step: LValue
    initial: list[LValue]
    lower: LValue
    before: str
    body: str
    exit: str
    phis: int
    keep_rolled: bool


@dataclass
class FunctionEmitter:
    """A function; instructions go to the end of the current block."""

    module: ModuleEmitter
    name: str
    result: LType
    parameters: tuple[LlvmParameter, ...]
    internal: bool
    lines: list[str] = field(default_factory=list)
    prologue: list[str] = field(default_factory=list)  # of the entry block
    unknown: dict[int, LValue] = field(default_factory=dict)  # masks, by their lanes
    current: str = "entry"
    registers: int = 0
    labels: int = 0

    @property
    def arguments(self) -> list[LValue]:
        """The parameters as values."""
        return [LValue(f"%{p.name}", p.type) for p in self.parameters]

    def text(self) -> str:
        """Return the definition."""
        linkage = "internal " if self.internal else ""
        given = ", ".join(str(p) for p in self.parameters)
        head = f"define {linkage}{self.result} @{self.name}({given})"
        return f"{head} #0 {{\nentry:\n{self.body()}\n}}"

    def body(self) -> str:
        """Return the instructions; equal texts do the same, whatever their name."""
        return "\n".join([*self.prologue, *self.lines])

    def _emit(self, type_: LType, text: str) -> LValue:
        register = f"%v{self.registers}"
        self.registers += 1
        self.lines.append(f"  {register} = {text}")
        return LValue(register, type_)

    # Blocks and branches.

    def label(self, name: str) -> str:
        """Return a new label; `place` starts its block."""
        self.labels += 1
        return f"{name}{self.labels}"

    def place(self, label: str) -> None:
        """Start a block."""
        self.lines.append(f"{label}:")
        self.current = label

    def branch(self, label: str) -> None:
        """Go to a block."""
        self.lines.append(f"  br label %{label}")

    def branch_if(self, condition: LValue, if_true: str, if_false: str) -> None:
        """Go to one of two blocks."""
        self.lines.append(f"  br {condition}, label %{if_true}, label %{if_false}")

    def ret(self, value: LValue | None = None) -> None:
        """Return from the function."""
        self.lines.append(f"  ret {VOID if value is None else value}")

    def phi(self, incoming: Sequence[tuple[LValue, str]]) -> LValue:
        """Return the value that belongs to the block we came from."""
        type_ = incoming[0][0].type
        pairs = ", ".join(f"[ {value.text}, %{label} ]" for value, label in incoming)
        return self._emit(type_, f"phi {type_} {pairs}")

    def begin_loop(
        self,
        lower: LValue,
        upper: LValue,
        step: LValue,
        initial: Sequence[LValue] = (),
        *,
        keep_rolled: bool = False,
    ) -> LoopBlocks:
        """Open a loop that counts from lower up to below upper, tested at its end."""
        body, exit_ = self.label("loop"), self.label("done")
        before = self.current
        self.branch_if(self.compare("slt", lower, upper), body, exit_)
        self.place(body)
        # The values from the end of the body are not known yet: see end_loop.
        phis = len(self.lines)
        values = [self._emit(v.type, "") for v in (lower, *initial)]
        return LoopBlocks(
            values[0],
            values[1:],
            upper,
            step,
            list(initial),
            lower,
            before,
            body,
            exit_,
            phis,
            keep_rolled,
        )

    def end_loop(self, loop: LoopBlocks, following: Sequence[LValue]) -> list[LValue]:
        """Close a loop with the next values of what it carries; return the results."""
        latch = self.current
        index = self.binary("add", loop.index, loop.step)
        again = self.compare("slt", index, loop.upper)
        note = ""
        if loop.keep_rolled:
            note = f", !llvm.loop !{self.module.unrolled}"
            self.module.unrolled += 1
        self.lines.append(f"  br {again}, label %{loop.body}, label %{loop.exit}{note}")
        first, phis = (loop.lower, *loop.initial), (loop.index, *loop.carried)
        rows = zip(phis, first, (index, *following), strict=True)
        for i, (phi, start, after) in enumerate(rows):
            self.lines[loop.phis + i] = (
                f"  {phi.text} = phi {phi.type} "
                f"[ {start.text}, %{loop.before} ], [ {after.text}, %{latch} ]"
            )
        self.place(loop.exit)
        return [
            self.phi([(a, loop.before), (b, latch)])
            for a, b in zip(loop.initial, following, strict=True)
        ]

    # Arithmetic.

    def binary(self, opcode: str, lhs: LValue, rhs: LValue) -> LValue:
        """Apply add, fadd, and, shl, …; never with a flag."""
        return self._emit(lhs.type, f"{opcode} {lhs}, {rhs.text}")

    def negate(self, operand: LValue) -> LValue:
        """Flip the sign of a float."""
        return self._emit(operand.type, f"fneg {operand}")

    def compare(self, predicate: str, lhs: LValue, rhs: LValue) -> LValue:
        """Compare integers (eq, slt, ult, …) or floats (oeq, ult, …)."""
        opcode = "fcmp" if lhs.type.is_float else "icmp"
        type_ = lhs.type.of("i1")
        return self._emit(type_, f"{opcode} {predicate} {lhs}, {rhs.text}")

    def select(self, condition: LValue, if_true: LValue, if_false: LValue) -> LValue:
        """Choose by a boolean or by a vector of booleans."""
        return self._emit(if_true.type, f"select {condition}, {if_true}, {if_false}")

    def cast(self, opcode: str, operand: LValue, scalar: str) -> LValue:
        """Apply sext, fptrunc, bitcast, …; a cast to the same type is none."""
        type_ = operand.type.of(scalar)
        if type_ == operand.type:
            return operand
        return self._emit(type_, f"{opcode} {operand} to {type_}")

    def splat(self, operand: LValue, lanes: int) -> LValue:
        """Return a vector with the scalar in each lane."""
        type_ = LType(operand.type.scalar, lanes)
        if not operand.text.startswith("%"):  # a constant: nothing to compute
            return LValue(f"splat ({operand})", type_)
        one = self._emit(type_, f"insertelement {type_} poison, {operand}, i64 0")
        return self._emit(
            type_,
            f"shufflevector {one}, {type_} poison, <{lanes} x i32> zeroinitializer",
        )

    def shuffle(self, left: LValue, right: LValue, mask: Sequence[int]) -> LValue:
        """Return lanes of two vectors in another order, as many as the mask has."""
        lanes = ", ".join([f"i32 {at}" for at in mask])
        return self._emit(
            LType(left.type.scalar, len(mask)),
            f"shufflevector {left}, {right}, <{len(mask)} x i32> <{lanes}>",
        )

    # Calls.

    def call(self, name: str, result: LType, arguments: Sequence[LValue]) -> LValue:
        """Call a function of the module."""
        given = ", ".join(str(a) for a in arguments)
        if result == VOID:
            self.lines.append(f"  call void @{name}({given})")
            return LValue("", VOID)
        return self._emit(result, f"call {result} @{name}({given})")

    def call_address(
        self, function: LValue, result: LType, arguments: Sequence[LValue]
    ) -> LValue:
        """Call the function that a pointer points to."""
        given = ", ".join(str(a) for a in arguments)
        return self._emit(result, f"call {result} {function.text}({given})")

    def call_thread(self, name: str, *arguments: LValue) -> None:
        """Call a function of `THREAD_EXTERNALS`; what it returns is not needed."""
        types = ", ".join(["ptr"] * THREAD_EXTERNALS[name])
        self.module.declarations[name] = f"declare {WORD} @{name}({types})"
        self.call(name, WORD, arguments)

    def intrinsic(
        self, name: str, result: LType, *arguments: LValue, align: int = 0
    ) -> LValue:
        """Call an intrinsic of `INTRINSICS`; `align` is what its pointers keep to."""
        parts = [result if i < 0 else arguments[i].type for i in INTRINSICS[name]]
        symbol = ".".join(["llvm", name, *(t.suffix for t in parts)])
        types = ", ".join(str(a.type) for a in arguments)
        self.module.declarations[symbol] = f"declare {result} @{symbol}({types})"
        given = ", ".join(
            f"{a.type} align {align} {a.text}"
            if align and a.type.scalar == "ptr"
            else str(a)
            for a in arguments
        )
        if result == VOID:
            self.lines.append(f"  call void @{symbol}({given})")
            return LValue("", VOID)
        return self._emit(result, f"call {result} @{symbol}({given})")

    # Memory.

    def alloca(self, type_: LType, count: int, align: int) -> LValue:
        """Reserve memory of the function, in its entry block."""
        return self._first(POINTER, f"alloca [{count} x {type_}], align {align}")

    def all_lanes(self, lanes: int) -> LValue:
        """Return a mask that is true in all lanes, which LLVM cannot know."""
        if lanes not in self.unknown:
            bits, mask = LType(f"i{lanes}"), LType("i1", lanes)
            memory = self.alloca(bits, 1, 8)
            self.prologue.append(f"  store {bits} -1, {memory}, align 8")
            load = f"load volatile {mask}, {memory}, align 8"
            self.unknown[lanes] = self._first(mask, load)
        return self.unknown[lanes]

    def _first(self, type_: LType, text: str) -> LValue:
        register = f"%m{len(self.prologue)}"
        self.prologue.append(f"  {register} = {text}")
        return LValue(register, type_)

    def offset(self, type_: LType, pointer: LValue, index: LValue) -> LValue:
        """Return the address of element `index`, or a vector of addresses."""
        if index.text == "0":
            return pointer
        result = LType("ptr", index.type.lanes)
        return self._emit(result, f"getelementptr {type_}, {pointer}, {index}")

    def load(
        self, type_: LType, pointer: LValue, align: int, *, volatile: bool = False
    ) -> LValue:
        """Read a scalar or vector."""
        word = "load volatile" if volatile else "load"
        return self._emit(type_, f"{word} {type_}, {pointer}, align {align}")

    def store(
        self, value: LValue, pointer: LValue, align: int, nontemporal: bool = False
    ) -> None:
        """Write a scalar or vector; `nontemporal`: past the caches."""
        note = ", !nontemporal !{i32 1}" if nontemporal else ""
        self.lines.append(f"  store {value}, {pointer}, align {align}{note}")

    def address(self, pointer: LValue) -> LValue:
        """Return a pointer as a number of 32 bits, its low ones."""
        return self._emit(WORD, f"ptrtoint {pointer} to {WORD}")

    # Memory that several threads use; all of it in one order (seq_cst).

    def load_atomic(self, pointer: LValue) -> LValue:
        """Read a word of 64 bits."""
        return self._emit(LONG, f"load atomic {LONG}, {pointer} seq_cst, align 8")

    def store_atomic(self, value: LValue, pointer: LValue) -> None:
        """Write a word of 64 bits."""
        self.lines.append(f"  store atomic {value}, {pointer} seq_cst, align 8")

    def add_atomic(self, pointer: LValue, value: LValue) -> LValue:
        """Add to a word; return what it was."""
        return self._emit(value.type, f"atomicrmw add {pointer}, {value} seq_cst")

    def exchange_atomic(self, pointer: LValue, value: LValue) -> LValue:
        """Replace a word; return what it was."""
        return self._emit(value.type, f"atomicrmw xchg {pointer}, {value} seq_cst")

    def masked_load(
        self, pointer: LValue, mask: LValue, other: LValue, align: int
    ) -> LValue:
        """Read the lanes where the mask is true, elsewhere keep `other`."""
        return self.intrinsic(
            "masked.load", other.type, pointer, mask, other, align=align
        )

    def masked_store(
        self, value: LValue, pointer: LValue, mask: LValue, align: int
    ) -> None:
        """Write the lanes where the mask is true."""
        self.intrinsic("masked.store", VOID, value, pointer, mask, align=align)

    def gather(
        self, pointers: LValue, mask: LValue, other: LValue, align: int
    ) -> LValue:
        """Read scattered lanes where the mask is true, elsewhere keep `other`."""
        return self.intrinsic(
            "masked.gather", other.type, pointers, mask, other, align=align
        )
