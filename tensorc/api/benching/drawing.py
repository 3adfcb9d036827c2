"""What a function is given to be measured, where the caller gives nothing."""

from collections.abc import Mapping

import numpy as np

from tensorc.artifact import Argument, RecordWord, evaluate_dim
from tensorc.errors import (
    Diagnostic,
    IndexOutOfRange,
    InternalError,
    TensorcError,
    way,
)
from tensorc.floats import is_float
from tensorc.ir.dims import VALUE
from tensorc.runtime.arrays import Array, numpy_dtype
from tensorc.runtime.function import CallFrame, CompiledFunction
from tensorc.runtime.signature import Signature

_LARGE = 1 << 15  # what drawn integers are below at first


class Probed(CompiledFunction):
    """A function that keeps the size of the axis that an index was outside of."""

    extent = 0

    def failure(self, status: int, frame: CallFrame) -> IndexOutOfRange | InternalError:
        """Return the error, as ever."""
        self.extent = frame.record[RecordWord.SIZE]
        return super().failure(status, frame)


def drawn(function: Probed, sizes: Mapping[str, int]) -> list[Array]:
    """Return inputs of these sizes: floats from 0 to 1, and integers in range."""
    signature = function.signature
    symbols = symbols_of_call(signature, sizes)
    bound = _LARGE
    while True:
        rng = np.random.default_rng(0)
        inputs = [spec.argument for spec in signature.inputs]
        arrays = [_draw(signature, i, symbols, rng, bound) for i in inputs]
        try:
            function.run(function.bind(arrays), arrays)
        except IndexOutOfRange:
            if not 0 < function.extent < bound:
                raise
            bound = function.extent
        else:
            return arrays


def symbols_of_call(signature: Signature, sizes: Mapping[str, int]) -> dict[str, int]:
    """Return what each symbol of a call is, given the sizes by their names.

    Raises:
        TensorcError: a size lacks, or is of no argument (TC0904).
    """
    every = signature.info.symbols
    free = {index for spec in signature.inputs for _, index in spec.binds}
    free |= {spec.value for spec in signature.inputs if spec.value is not None}
    names = {s.removeprefix(VALUE): s for i, s in enumerate(every) if i in free}
    wrong = [name for name in sizes if name not in names]
    if wrong:
        known = ", ".join(names) or "all sizes are numbers"
        message = f"no argument has a size '{wrong[0]}'"
        raise TensorcError(Diagnostic("TC0904", message, hints=(f"sizes: {known}",)))
    lacking = [name for name in names if name not in sizes]
    if lacking:
        message = f"to measure '{signature.info.name}' each size needs a number: "
        message += f"{', '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} none"
        all_of = {name: sizes.get(name, 1024) for name in names}
        flags = " ".join(f"--dim {name}={size}" for name, size in all_of.items())
        named = ", ".join(f"{name}={size}" for name, size in all_of.items())
        hints = (f"give sizes: {way(f'tc.bench(f, {named})', flags)}",)
        raise TensorcError(Diagnostic("TC0904", message, hints=hints))
    given = {symbol: sizes[name] for name, symbol in names.items()}
    return {**dict(zip(every, signature.bound, strict=True)), **given}


def _draw(
    signature: Signature,
    argument: Argument,
    symbols: Mapping[str, int],
    rng: np.random.Generator,
    bound: int,
) -> Array:
    fixed = signature.defaults.get(argument.name)
    if fixed is not None:
        return fixed
    dtype = numpy_dtype(argument.dtype)
    if argument.value:
        return np.array(symbols[argument.value], dtype)
    shape = tuple([evaluate_dim(size, symbols) for size in argument.shape])
    if is_float(dtype):
        return rng.random(shape, np.float32).astype(dtype)
    # The largest number of a signed type has a bit less than the type.
    most = 2 if dtype.kind == "b" else min(bound, 1 << (8 * dtype.itemsize - 1))
    return rng.integers(0, most, shape).astype(dtype)
