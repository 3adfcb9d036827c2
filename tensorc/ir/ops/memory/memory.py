"""Memory: buffers, loads and stores, with MLIR's names (memref).

At the BUFFER level memory has the shape of the tensor it holds; at the LOOP level it
is one-dimensional, and index arithmetic is spelled out.
"""

import numpy as np

from tensorc.ir.arrays.elements import as_number, read
from tensorc.ir.attributes import Dense
from tensorc.ir.core import Op, Value
from tensorc.ir.evaluation import Allocating
from tensorc.ir.levels import AT_BUFFER, AT_LOOP
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import MEMBER, PURE, InferContext, Values, memory, op, require
from tensorc.ir.types import INDEX, MemRefType, Type


def _indices(memref: MemRefType, indices: tuple[Type, ...], label: str) -> None:
    fits = len(indices) == memref.rank and all(i == INDEX for i in indices)
    require(fits, label, f"{len(indices)} for {memref}")


@op("memref.alloca", levels=AT_LOOP)
class Alloca(Op):
    """Scratch memory of a kernel, of static size, 64-byte aligned; undefined at first.

    Constraints:
      (C1) The result is memory of static shape.

    Example:
      %0 = "memref.alloca"() : () -> memref<16xf32>
    """

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require C1."""
        static = None not in memory(results[0]).shape
        require(static and not operands, "C1", "{}", results[0])

    @staticmethod
    def evaluate(ctx: Allocating) -> Array:
        shape = memory(ctx.result_type()).shape
        return np.zeros([d or 0 for d in shape], ctx.result_element().dtype)


@op("memref.alloc", traits=(MEMBER,), levels=AT_BUFFER)
class Alloc(Op):
    """Fresh memory; undefined at first. The memory plan gives it a slot.

    Constraints:
      (C1) The result is memory, and there is an index per unknown size of it.

    Example:
      %1 = "memref.alloc"(%0) : (index) -> memref<?x10xf32>
    """

    sizes: Values

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require C1."""
        unknown = sum(d is None for d in memory(results[0]).shape)
        fits = len(operands) == unknown and all(o == INDEX for o in operands)
        require(fits, "C1", "{} for {}", len(operands), results[0])

    @staticmethod
    def evaluate(ctx: Allocating, *sizes: Array) -> Array:
        shape = fill_shape(memory(ctx.result_type()), sizes)
        return np.zeros(shape, ctx.result_element().dtype)


@op("tc.data", traits=(PURE,), levels=AT_BUFFER | AT_LOOP)
class Data(Op):
    """The elements of a large constant, in memory that is part of the code: read only.

    Constraints:
      (C1) The result is memory of the elements' type and shape, or one-dimensional
           memory of unknown size.

    Example:
      %0 = "tc.data"() <{value = dense<[1.0, 2.0]> : tensor<2xf32>}> : () -> memref<2xf32>
    """  # noqa: E501

    value: Dense

    @staticmethod
    def check(
        ctx: InferContext,
        operands: tuple[Type, ...],
        results: tuple[Type, ...],
        *,
        value: Dense,
    ) -> None:
        """Require C1."""
        given, made = value.type, memory(results[0])
        fits = made.shape in (given.shape, (None,)) and made.element == given.element
        require(fits, "C1", "{} of {}", made, given)

    @staticmethod
    def evaluate(ctx: Allocating, *, value: Dense) -> Array:
        is_flat = memory(ctx.result_type()).shape == (None,)
        found = value.value.reshape(-1) if is_flat else value.value.view()
        found.flags.writeable = False
        return found


@op("memref.view", traits=(PURE,), levels=AT_BUFFER | AT_LOOP)
class View(Op):
    """Part of the arena as memory of a type: at a byte offset, with the unknown sizes.

    Constraints:
      (C1) source is memref<?xi8>, the result is memory.
      (C2) There is an index per unknown size of the result.

    Example:
      %3 = "memref.view"(%0, %1, %2) : (memref<?xi8>, index, index) -> memref<?x10xf32>
    """

    source: Value
    offset: Value
    sizes: Values

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require C1 and C2."""
        require(str(operands[0]) == "memref<?xi8>", "C1", "{}", operands[0])
        unknown = sum(d is None for d in memory(results[0]).shape)
        fits = len(operands) == unknown + 2 and all(o == INDEX for o in operands[1:])
        require(fits, "C2", "{} for {}", len(operands) - 2, results[0])

    @staticmethod
    def evaluate(ctx: Allocating, source: Array, offset: Array, *sizes: Array) -> Array:
        shape = fill_shape(memory(ctx.result_type()), sizes)
        dtype = ctx.result_element().dtype
        count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        return source[int(offset) : int(offset) + count].view(dtype).reshape(shape)


def fill_shape(type_: MemRefType, sizes: tuple[Array, ...]) -> list[int]:
    """Return the shape with the unknown sizes put in."""
    rest = iter(sizes)
    return [int(next(rest)) if d is None else d for d in type_.shape]


@op("tc.view", traits=(PURE,), levels=AT_BUFFER)
class Reshape(Op):
    """The same memory, read in another shape of as many elements.

    Constraints:
      (C1) source and result are memory of one element type.
      (C2) There is an index per unknown size of the result.

    Example:
      %2 = "tc.view"(%0, %1) : (memref<?x10xf32>, index) -> memref<?xf32>
    """

    source: Value
    sizes: Values

    @staticmethod
    def check(
        ctx: InferContext, operands: tuple[Type, ...], results: tuple[Type, ...]
    ) -> None:
        """Require C1 and C2."""
        source, target = memory(operands[0]), memory(results[0])
        require(source.element == target.element, "C1", "{} and {}", source, target)
        unknown = sum(d is None for d in target.shape)
        fits = len(operands) == unknown + 1 and all(o == INDEX for o in operands[1:])
        require(fits, "C2", "{} for {}", len(operands) - 1, target)

    @staticmethod
    def evaluate(ctx: Allocating, source: Array, *sizes: Array) -> Array:
        return source.reshape(fill_shape(memory(ctx.result_type()), sizes))


@op("tc.part", traits=(PURE,), levels=AT_LOOP)
class Part(Op):
    """Memory from an element on: the part that one step of a loop reads or writes.

    Constraints:
      (C1) source and result are one-dimensional memory of one element type and of
           unknown size; start and count are of type index.

    Example:
      %3 = "tc.part"(%0, %1, %2) : (memref<?xf32>, index, index) -> memref<?xf32>
    """

    source: Value
    start: Value
    count: Value

    @staticmethod
    def infer(ctx: InferContext, source: Type, start: Type, count: Type) -> Type:
        """Give the type of the source."""
        flat = memory(source).shape == (None,) and start == count == INDEX
        require(flat, "C1", "{}, {} and {}", source, start, count)
        return source

    @staticmethod
    def evaluate(ctx: object, source: Array, start: Array, count: Array) -> Array:
        return source[int(start) : int(start) + int(count)]


@op("memref.copy", levels=AT_BUFFER)
class Copy(Op):
    """Copy all elements of source to target, which do not overlap.

    Constraints:
      (C1) source and target are memory of one rank and element type.

    Example:
      "memref.copy"(%0, %1) : (memref<4xf32>, memref<4xf32>) -> ()
    """

    source: Value
    target: Value

    @staticmethod
    def infer(ctx: InferContext, source: Type, target: Type) -> tuple[Type, ...]:
        """Give nothing."""
        a, b = memory(source), memory(target)
        fits = a.rank == b.rank and a.element == b.element
        require(fits, "C1", "{} and {}", source, target)
        return ()

    @staticmethod
    def evaluate(ctx: object, source: Array, target: Array) -> tuple[Array, ...]:
        target[...] = source
        return ()


@op("memref.load", levels=AT_BUFFER | AT_LOOP)
class Load(Op):
    """Read one element.

    Constraints:
      (C1) memref is memory.
      (C2) There is an index per axis.

    Example:
      %2 = "memref.load"(%0, %1) : (memref<?xf32>, index) -> f32
    """

    memref: Value
    indices: Values

    @staticmethod
    def infer(ctx: InferContext, memref: Type, *indices: Type) -> Type:
        """Give the element type."""
        _indices(memory(memref), indices, "C2")
        return memory(memref).element

    @staticmethod
    def evaluate(ctx: object, memref: Array, *indices: Array) -> Array:
        return read(memref, indices)


@op("memref.prefetch", levels=AT_LOOP)
class Prefetch(Op):
    """Ask for the memory around an element before it is read; it may lie outside.

    Constraints:
      (C1) memref is one-dimensional memory, and index of type index.
      (C2) It is for reading, into the data cache; localityHint is from 0 to 3.

    Example:
      "memref.prefetch"(%0, %1) <{isDataCache = true, isWrite = false, localityHint = 3 : i64}> : (memref<?xf32>, index) -> ()
    """  # noqa: E501

    memref: Value
    index: Value
    isWrite: bool  # MLIR's spelling
    localityHint: int
    isDataCache: bool

    @staticmethod
    def infer(
        ctx: InferContext,
        memref: Type,
        index: Type,
        *,
        isWrite: bool,
        localityHint: int,
        isDataCache: bool,
    ) -> tuple[Type, ...]:
        """Give nothing."""
        fits = memory(memref).rank == 1 and index == INDEX
        require(fits, "C1", "{} at {}", memref, index)
        fits = isDataCache and not isWrite and 0 <= localityHint <= 3
        require(fits, "C2", "{}, {}, {}", isDataCache, isWrite, localityHint)
        return ()

    @staticmethod
    def evaluate(
        ctx: object, memref: Array, index: Array, **hints: object
    ) -> tuple[Array, ...]:
        """Do nothing: memory is the same."""
        return ()


@op("memref.store", levels=AT_BUFFER | AT_LOOP)
class Store(Op):
    """Write one element.

    Constraints:
      (C1) memref is memory of the value's type.
      (C2) There is an index per axis.

    Example:
      "memref.store"(%0, %1, %2) : (f32, memref<?xf32>, index) -> ()
    """

    value: Value
    memref: Value
    indices: Values

    @staticmethod
    def infer(
        ctx: InferContext, value: Type, memref: Type, *indices: Type
    ) -> tuple[Type, ...]:
        """Give nothing."""
        require(memory(memref).element == value, "C1", "{} and {}", value, memref)
        _indices(memory(memref), indices, "C2")
        return ()

    @staticmethod
    def evaluate(
        ctx: object, value: Array, memref: Array, *indices: Array
    ) -> tuple[Array, ...]:
        memref[tuple(as_number(i) for i in indices)] = value
        return ()
