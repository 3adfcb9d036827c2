"""What a compiled function accepts: names, element types, sizes and symbols."""

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tensorc.artifact import (
    Argument,
    DimExpr,
    FunctionInfo,
    Guard,
    Origin,
    Result,
    evaluate_dim,
)
from tensorc.errors import (
    CallError,
    Diagnostic,
    IndexOutOfRange,
    InternalError,
    ShapeError,
    divisor_hint,
)
from tensorc.runtime.arrays import Array, describe, numpy_dtype
from tensorc.runtime.convert import convert
from tensorc.runtime.formulas import Formulas, make_formulas
from tensorc.runtime.threads import workers_for

Shape = tuple[int, ...]

MEMORY_LIMIT = 1 << 47


@dataclass(frozen=True, slots=True)
class Input:
    """An input of a function; `binds` are the pairs (axis, symbol's index) it binds.

    `value` is the index of the symbol that stands for its value, or None.
    """

    argument: Argument
    dtype: np.dtype[np.generic]
    rank: int
    binds: tuple[tuple[int, int], ...]
    value: int | None = None


@dataclass(frozen=True, slots=True)
class CallPlan:
    """The sizes of a call: they follow from the value of each symbol.

    `fresh` holds shape, element type and bytes of each result, `scratch` the bytes for
    each worker, `sides` the sides of each equation.
    """

    symbols: Shape
    inputs: tuple[Shape, ...]
    shared: tuple[Shape, ...]
    fresh: tuple[tuple[Shape, np.dtype[np.generic], int], ...]
    arena: int
    scratch: int
    sides: tuple[tuple[int, int], ...]


def refuse_truth(value: object, argument: Argument, what: str) -> None:
    """Raise TC0502 for a truth value where one number is expected."""
    if isinstance(value, bool | np.bool_) and argument.dtype != "i1":
        detail = f"{what}: {argument.dtype} expected, {str(bool(value)).lower()} given"
        hint = "a truth value is not a number: 1 or 0"
        raise CallError(Diagnostic("TC0502", detail, hints=(hint,)))


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs and hypers of a function; `bound` holds what shared variables bind."""

    info: FunctionInfo
    inputs: tuple[Input, ...]
    hypers: Mapping[str, Argument]
    shared: Mapping[str, Shape]
    bound: Shape
    formulas: Formulas
    defaults: Mapping[str, Array]

    def collect(
        self, given: Sequence[object], named: Mapping[str, object]
    ) -> tuple[list[Array], Mapping[str, object]]:
        """Return the input arrays in order, and the hypers that are given by name.

        Raises:
            CallError: a name or the number of arguments is wrong (TC0501), or a value
            does
                not fit its element type (TC0502).
        """
        if named or len(given) != len(self.inputs):
            given, named = self._by_name(given, named)
        arrays = []
        for spec, value in zip(self.inputs, given, strict=True):
            # Subclasses (masked arrays) mean more than their elements.
            if type(value) is np.ndarray and value.dtype == spec.dtype:
                arrays.append(value)
            else:
                arrays.append(convert(value, spec.dtype, self._what(spec.argument)))
            if spec.value is not None:
                # Sizes follow from it, and it is read again: both see one value.
                arrays[-1] = arrays[-1].copy()
        return arrays, named

    def hyper(self, name: str, value: object) -> Array:
        """Return the 0-d array of a hyper's value.

        Raises:
            CallError: it is not one number, or does not fit the element type (TC0502).
        """
        argument = self.hypers[name]
        what = self._what(argument)
        refuse_truth(value, argument, what)
        array = convert(value, numpy_dtype(argument.dtype), what)
        if array.ndim:
            detail = f"{what}: one number expected, {describe(array)} given"
            raise CallError(Diagnostic("TC0502", detail))
        return array

    def symbols(self, arrays: Sequence[Array]) -> Shape:
        """Return what each symbol is: a size where it first stands bare, or a value.

        Raises:
            ShapeError: an input has another rank (TC0503).
        """
        values = list(self.bound)
        for spec, array in zip(self.inputs, arrays, strict=True):
            shape = array.shape
            if len(shape) != spec.rank:
                expected = f"rank {spec.rank} expected, rank {len(shape)} given"
                raise self._shape_error(spec, array, expected)
            for axis, index in spec.binds:
                values[index] = shape[axis]
            if spec.value is not None:
                values[spec.value] = int(array.item())
        return tuple(values)

    def plan(self, symbols: Shape) -> CallPlan:
        """Return the sizes that follow from the values of the symbols.

        Raises:
            ShapeError: a size divides by zero, or is beyond the machine's integers or
                memory (TC0508).
        """
        info = self.info
        try:
            values = self.formulas.evaluate(symbols)
            made = CallPlan(
                symbols,
                tuple([_take(values, s.argument.shape) for s in self.inputs]),
                tuple([_take(values, a.shape) for a in _shared_of(info)]),
                tuple([_fresh(values, r) for r in info.results]),
                next(values),
                next(values),
                tuple([(next(values), next(values)) for _ in info.guards]),
            )
            _check_memory(made)
            return made
        except ArithmeticError as error:
            what = f"a size cannot be computed: {error}"
            raise self._size_error(symbols, what) from None

    def no_memory(self, plan: CallPlan) -> ShapeError:
        """Return the error that a call asks for more memory than there is."""
        scratch = plan.scratch * workers_for(plan.scratch)
        needed = sum(_bytes_of(plan)) + plan.arena + scratch
        return self._size_error(plan.symbols, f"{needed} bytes cannot be allocated")

    def _size_error(self, symbols: Shape, what: str) -> ShapeError:
        pairs = zip(self.info.symbols, symbols, strict=True)
        given = ", ".join(f"{spell_dim(name)} = {size}" for name, size in pairs)
        message = f"{self.info.name}: {what}"
        return ShapeError(Diagnostic("TC0508", message, notes=(given,)))

    def check_inputs(self, plan: CallPlan, arrays: Sequence[Array]) -> None:
        """Check every size of every input.

        Raises:
            ShapeError: a size is another one; names the argument and the axis (TC0503).
        """
        for spec, array, shape in zip(self.inputs, arrays, plan.inputs, strict=True):
            for axis, size in enumerate(shape):
                if array.shape[axis] != size:
                    given = array.shape[axis]
                    origin = self._origin(spec.argument, axis)
                    if origin is not None and origin.size:
                        shapes = tuple([array.shape for array in arrays])
                        actual = replace(plan, inputs=shapes)
                        raise self._solved_error(origin, given, size, spec, actual)
                    detail = f"axis {axis} has size {given}, {size} expected"
                    raise self._shape_error(spec, array, detail, axis, origin)

    def _origin(self, argument: Argument, axis: int) -> Origin | None:
        """Return where the size of an axis is required to be what a formula says."""
        for origin in self.info.origins:
            if (origin.argument, origin.axis) == (argument.name, axis):
                return origin
        return None

    def _solved_error(
        self, origin: Origin, given: int, wanted: int, spec: Input, plan: CallPlan
    ) -> ShapeError:
        """Return the error that two sizes differ, of which one is an argument's own."""
        formula = spec.argument.shape[origin.axis]
        own = f"{origin.size} is {given}"
        message = f"sizes do not fit: {own}, but {_spell_side(formula, wanted)}"
        note = f"{origin.size} is the size of axis {origin.axis} of '{origin.argument}'"
        notes = [note, *self._given(_symbols_of(formula), plan, {origin.argument})]
        hints: tuple[str, ...] = ()
        if 1 in (given, wanted):
            hints = ("a size is broadcast that is 1 in every call, not in this alone",)
        diagnostic = Diagnostic(
            "TC0504",
            f"{self.info.name}: {message}",
            origin.location,
            notes=tuple(notes),
            hints=hints,
        )
        return ShapeError(diagnostic)

    def check_guards(self, plan: CallPlan) -> None:
        """Check the sizes of shared variables and the equations at entry.

        Raises:
            ShapeError: a shared variable has another shape (TC0503), or an equation
                does not hold (TC0504).
            IndexOutOfRange: an index known before the call is outside an axis (TC0505).
        """
        for argument, expected in zip(_shared_of(self.info), plan.shared, strict=True):
            given = self.shared[argument.name]
            if expected != given:
                detail = (
                    f"{self.info.name}: shared variable '{argument.name}' has "
                    f"shape {list(given)}, {list(expected)} expected"
                )
                raise ShapeError(Diagnostic("TC0503", detail))
        for guard, (left, right) in zip(self.info.guards, plan.sides, strict=True):
            if left != right:
                raise self._guard_error(guard, left, right, plan)

    def _guard_error(
        self, guard: Guard, left: int, right: int, plan: CallPlan
    ) -> ShapeError | IndexOutOfRange:
        """Return the error that an equation does not hold, and for what arguments."""
        detail = f"{_spell_side(guard.left, left)}, "
        detail += "not " if isinstance(guard.right, int) else "but "
        detail += _spell_side(guard.right, right)
        wanted = _symbols_of(guard.left) | _symbols_of(guard.right)
        notes = self._given(wanted, plan)
        name = self.info.name
        if guard.is_index:
            message = f"{name}: {guard.message}"
            location = guard.location
            return IndexOutOfRange(
                Diagnostic("TC0505", message, location, notes=tuple(notes))
            )
        hints: tuple[str, ...] = ()
        divided = None if guard.message else _divided(guard)
        if divided is not None:
            values = dict(zip(self.info.symbols, plan.symbols, strict=True))
            whole, divisor = (evaluate_dim(d, values) for d in divided)
            own = _spell_side(divided[0], whole)
            detail = f"{own}, no multiple of {_spelled_value(divided[1], divisor)}"
            hints = (divisor_hint(whole, divisor),) if divisor > 0 else ()
        message = f"{name}: {guard.message or f'sizes do not fit: {detail}'}"
        if guard.message:
            notes = [_at_least(guard, left, right) or detail, *notes]
        return ShapeError(
            Diagnostic(
                "TC0504", message, guard.location, notes=tuple(notes), hints=hints
            )
        )

    def _given(
        self, symbols: set[str], plan: CallPlan, without: Container[str] = ()
    ) -> list[str]:
        """Say of each argument whose sizes some symbols are what it was."""
        found: list[str] = []
        values = dict(zip(self.info.symbols, plan.symbols, strict=True))
        pairs = [
            *zip([s.argument for s in self.inputs], plan.inputs, strict=True),
            *zip(_shared_of(self.info), plan.shared, strict=True),
        ]
        for argument, shape in pairs:
            if argument.name in without:
                continue
            if argument.value in symbols:
                found.append(f"'{argument.name}' is {values[argument.value]}")
            elif any(_symbols_of(d) & symbols for d in argument.shape):
                given = f"{argument.dtype}[{', '.join(map(str, shape))}]"
                wanted = spell_type(argument)
                found.append(f"'{argument.name}' is {wanted}, given {given}")
        return found

    def _by_name(
        self, given: Sequence[object], named: Mapping[str, object]
    ) -> tuple[list[object], dict[str, object]]:
        """Return the values of all inputs in order, and those of hypers by name."""
        names = [spec.argument.name for spec in self.inputs]
        values = dict(zip(names, given, strict=False))
        for name, value in named.items():
            if name in values:
                raise self._call_error(f"argument '{name}' is given twice")
            if name not in names and name not in self.hypers:
                raise self._call_error(f"there is no argument '{name}'")
            values[name] = value
        values = {**self.defaults, **values}
        missing = [name for name in names if name not in values]
        if len(given) > len(names) or (missing and not named):
            plural = "" if len(names) == 1 else "s"
            detail = f"{len(names)} input{plural} expected, {len(given)} given"
            raise self._call_error(detail)
        if missing:
            raise self._call_error(f"argument '{missing[0]}' is missing")
        hypers = {name: value for name, value in named.items() if name in self.hypers}
        return [values[name] for name in names], hypers

    def _what(self, argument: Argument) -> str:
        return f"argument '{argument.name}' of '{self.info.name}'"

    def _call_error(self, detail: str) -> CallError:
        formals = [
            f"{s.argument.name}: {spell_type(s.argument)}"
            + (" = …" if s.argument.default else "")
            for s in self.inputs
        ]
        formals += [f"{name}=…" for name in self.hypers]
        hint = f"call it as {self.info.name}({', '.join(formals)})"
        message = f"{self.info.name}: {detail}"
        return CallError(Diagnostic("TC0501", message, hints=(hint,)))

    def _shape_error(
        self,
        spec: Input,
        array: Array,
        detail: str,
        axis: int | None = None,
        origin: Origin | None = None,
    ) -> ShapeError:
        argument = spec.argument
        note = f"'{argument.name}' is {spell_type(argument)}, given {describe(array)}"
        notes = [note, *self._origins(argument.shape, axis)]
        if origin is not None:
            notes.append(f"the loop at {origin.location} walks along this axis")
        message = f"{self._what(argument)}: {detail}"
        return ShapeError(Diagnostic("TC0503", message, notes=tuple(notes)))

    def _origins(self, shape: tuple[DimExpr, ...], axis: int | None) -> list[str]:
        """Say which inputs decided the symbols in the size of an axis."""
        wanted = set() if axis is None else _symbols_of(shape[axis])
        found = [
            f"{self.info.symbols[index]} is the size of axis {bound} "
            f"of '{spec.argument.name}'"
            for spec in self.inputs
            for bound, index in spec.binds
            if self.info.symbols[index] in wanted
        ]
        values = [s.argument for s in self.inputs if s.argument.value in wanted]
        return found + [
            f"{spell_dim(a.value)} is the value of '{a.name}'" for a in values
        ]


def make_signature(info: FunctionInfo, shared: Mapping[str, Shape]) -> Signature:
    """Return the signature of a function whose shared variables have these shapes.

    Raises:
        InternalError: a symbol stands bare in no shape, so nothing can bind it.
    """
    unbound = {symbol: index for index, symbol in enumerate(info.symbols)}
    bound = [0] * len(unbound)
    # First: a size that must be equal to a value does not give it.
    values = {a.name: unbound.pop(a.value, None) for a in info.arguments}
    for argument in info.arguments:
        if argument.kind == "shared":
            sizes = shared[argument.name]
            for axis, index in _take_bare(argument.shape, unbound):
                bound[index] = sizes[axis]
    inputs = tuple(
        Input(
            a,
            numpy_dtype(a.dtype),
            len(a.shape),
            _take_bare(a.shape, unbound),
            values[a.name],
        )
        for a in info.arguments
        if a.kind == "input"
    )
    if unbound:
        names = ", ".join(unbound)
        raise InternalError(f"'{info.name}': no shape binds {names}", "runtime")
    hypers = {a.name: a for a in info.arguments if a.kind == "hyper"}
    formulas = _formulas(info, inputs)
    defaults = {
        a.name: np.frombuffer(a.default.content, numpy_dtype(a.dtype))
        .reshape(a.default.shape)
        .copy()
        for a in info.arguments
        if a.default is not None and a.kind == "input"
    }
    return Signature(info, inputs, hypers, shared, tuple(bound), formulas, defaults)


def _check_memory(plan: CallPlan) -> None:
    """Refuse results, arenas and scratch beyond what any machine addresses."""
    largest = max([plan.arena, plan.scratch, *_bytes_of(plan)])
    if largest > MEMORY_LIMIT:
        raise OverflowError(f"{largest} bytes are more than a machine addresses")


def _bytes_of(plan: CallPlan) -> list[int]:
    """Return the size of each result; NumPy, too, counts an axis of size 0 as 1."""
    return [math.prod([d or 1 for d in s]) * t.itemsize for s, t, _ in plan.fresh]


def spell_type(argument: Argument) -> str:
    """Return an argument's type as the language writes it: "f32[B, 784]"."""
    if not argument.shape:
        return argument.dtype
    return f"{argument.dtype}[{', '.join(map(spell_dim, argument.shape))}]"


def spell_dim(expr: DimExpr) -> str:
    """Return a dimension as the language writes it: "2 * n + 1"."""
    if not isinstance(expr, tuple):
        return str(expr).removeprefix("$")
    operator, left, right = expr
    if operator in ("min", "max", "bound"):
        return f"{operator}({spell_dim(left)}, {spell_dim(right)})"
    if operator == "+":
        for whole, other in ((left, right), (right, left)):
            taken = _taken_off(other)
            if taken is not None:
                return f"{spell_dim(whole)} - {spell_dim(taken)}"
    sides = [
        f"({spell_dim(s)})"
        if isinstance(s, tuple) and operator != "+"
        else spell_dim(s)
        for s in (left, right)
    ]
    return f" {operator} ".join(sides)


def _taken_off(expr: DimExpr) -> DimExpr | None:
    """Return what a term takes off; None of one that adds."""
    match expr:
        case int(number) if number < 0:
            return -number
        case ("*", int(factor), other) if factor < 0:
            return other if factor == -1 else ("*", -factor, other)
        case _:
            return None


def _spell_side(expr: DimExpr, value: int) -> str:
    return str(value) if isinstance(expr, int) else f"{spell_dim(expr)} is {value}"


def _at_least(guard: Guard, left: int, right: int) -> str:
    """Say of a size with a least one what both are; "" of another equation.

    That no size d is below 0 is min(d, 0) = 0, or max(d, 0) = d.
    """
    for side, other in ((guard.left, guard.right), (guard.right, guard.left)):
        match side:
            case ("min", *sizes) if other == 0 and 0 in sizes:
                value = min(left, right)
            case ("max", *sizes) if 0 in sizes and other in sizes:
                value = min(left, right)
            case _:
                continue
        size = sizes[1 - sizes.index(0)]
        least = 0
        match size:
            case ("+", whole, int(number)):
                size, least = whole, -number
        return f"{_spell_side(size, value + least)}, it must be at least {least}"
    return ""


def _spelled_value(expr: DimExpr, value: int) -> str:
    return str(value) if isinstance(expr, int) else f"{spell_dim(expr)}, {value}"


def _divided(guard: Guard) -> tuple[DimExpr, DimExpr] | None:
    """Return n and k of an equation n = k * (n // k), as a reshape to -1 has it."""
    for whole, product in (
        (guard.left, guard.right),
        (guard.right, guard.left),
    ):
        match product:
            case ("*", divisor, ("//", inner, again)) | (
                "*",
                ("//", inner, again),
                divisor,
            ) if inner == whole and again == divisor:
                return whole, divisor
    return None


def _symbols_of(expr: DimExpr) -> set[str]:
    if isinstance(expr, tuple):
        return _symbols_of(expr[1]) | _symbols_of(expr[2])
    return {expr} if isinstance(expr, str) else set()


def _take_bare(
    shape: tuple[DimExpr, ...], unbound: dict[str, int]
) -> tuple[tuple[int, int], ...]:
    """Return the pairs (axis, symbol's index) bound here, and mark them as bound."""
    return tuple(
        (axis, unbound.pop(dim))
        for axis, dim in enumerate(shape)
        if isinstance(dim, str) and dim in unbound
    )


def _shared_of(info: FunctionInfo) -> list[Argument]:
    return [a for a in info.arguments if a.kind == "shared"]


def _formulas(info: FunctionInfo, inputs: Sequence[Input]) -> Formulas:
    """Return all formulas of a call in the order of `Plan`, the rest at the end."""
    shapes = [s.argument.shape for s in inputs]
    shapes += [a.shape for a in _shared_of(info)]
    shapes += [r.shape for r in info.results]
    needed = [dim for shape in shapes for dim in shape]
    needed += [info.arena, info.scratch]
    needed += [side for guard in info.guards for side in (guard.left, guard.right)]
    return make_formulas([*needed, *info.sizes], info.symbols)


def _fresh(
    values: Iterator[int], result: Result
) -> tuple[Shape, np.dtype[np.generic], int]:
    shape, dtype = _take(values, result.shape), numpy_dtype(result.dtype)
    return shape, dtype, math.prod(shape) * dtype.itemsize


def _take(values: Iterator[int], shape: tuple[DimExpr, ...]) -> Shape:
    return tuple([next(values) for _ in shape])
