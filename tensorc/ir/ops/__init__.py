"""All ops. `OPS` is the only list of them; a parser finds classes by name in it."""

from collections.abc import Mapping
from types import MappingProxyType

from tensorc.ir.core import Op
from tensorc.ir.ops import builtin, control, derivatives, scan
from tensorc.ir.ops.loop import scf, vector
from tensorc.ir.ops.memory import kernels, memory, rows
from tensorc.ir.ops.scalar import arith, conversions, math
from tensorc.ir.ops.structured import generics as structured
from tensorc.ir.ops.tensor import (
    bits,
    convolution,
    cumulative,
    elementwise,
    indexing,
    making,
    nn,
    order,
    products,
    random,
    reductions,
    rounding,
    shape,
    transcendental,
)

_MODULES = (
    builtin,
    elementwise,
    transcendental,
    rounding,
    bits,
    reductions,
    cumulative,
    order,
    products,
    convolution,
    shape,
    making,
    random,
    indexing,
    nn,
    control,
    scan,
    derivatives,
    structured,
    arith,
    conversions,
    math,
    memory,
    scf,
    vector,
    kernels,
    rows,
)

OPS: tuple[type[Op], ...] = tuple(
    cls
    for module in _MODULES
    for cls in vars(module).values()
    if isinstance(cls, type)
    and issubclass(cls, Op)
    and cls.name
    and cls.__module__ == module.__name__
)
BY_NAME: Mapping[str, type[Op]] = MappingProxyType({cls.name: cls for cls in OPS})
