"""What kernels need beyond MLIR's dialects: micro-kernels, checks, sizes."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from tensorc.floats import is_float
from tensorc.ir.arrays.cumulation import LINEAR, WAYS, cumulate
from tensorc.ir.arrays.elements import COMBINES, check_indices, scatter, wrapped_indices
from tensorc.ir.attributes import Dims, SymbolRef
from tensorc.ir.core import Op, Value
from tensorc.ir.evaluation import Failing, SizedFailing, Sizes
from tensorc.ir.invariants import check_call
from tensorc.ir.levels import AT_BUFFER, AT_LOOP, AT_STRUCTURED, Level
from tensorc.ir.numerics import Array, fma
from tensorc.ir.opdef import MEMBER, PURE, InferContext, Values, memory, op, require
from tensorc.ir.types import (
    F32,
    F64,
    I1,
    I8,
    I64,
    INDEX,
    MemRefType,
    Type,
)

DYNAMIC = -1  # a stride that only the operand gives


@op("tc.size", traits=(PURE, MEMBER), levels=AT_STRUCTURED | AT_BUFFER)
class SizeOf(Op):
    """The value of a dimension of the function, below TENSOR and above LOOP.

    Constraints:
      (C1) dim is one dimension.

    Example:
      %0 = "tc.size"() <{dim = #tc.dims<["2*B"]>}> : () -> index
    """

    dim: Dims

    @staticmethod
    def infer(ctx: InferContext, *, dim: Dims) -> Type:
        """Give an index."""
        require(len(dim.dims) == 1, "C1", "{}", dim)
        return INDEX

    @staticmethod
    def evaluate(ctx: Sizes, *, dim: Dims) -> Array:
        return np.array(ctx.size(dim.dims[0]), np.int64)


# A discardable attribute of what becomes launches, and of these: which of the ops of
# its function that is. It is there while kernels are timed.
NUMBER = "tc.number"
# A discardable attribute of `memref.load`: code reads there exactly once.
READ_ONCE = "tc.read_once"


@op("tc.check_index_into", levels=AT_BUFFER)
class CheckIndexInto(Op):
    """Check indices, and copy them: `tc.check_index` on memory.

    Each index is read once. Without `target` the indices lie where nobody else writes.

    Constraints:
      (C1) indices is memory of integers, and target, if there is one, of their type.
      (C2) size is one dimension.

    Example:
      "tc.check_index_into"(%0, %1) <{axis = 1 : i64, from_end = true, size = #tc.dims<[10]>}> : (memref<4xi64>, memref<4xi64>) -> ()
    """  # noqa: E501

    indices: Value
    target: Values
    axis: int
    size: Dims
    from_end: bool

    @staticmethod
    def infer(
        ctx: InferContext,
        indices: Type,
        *target: Type,
        axis: int,
        size: Dims,
        from_end: bool,
    ) -> tuple[Type, ...]:
        """Give nothing."""
        given = memory(indices, "C1")
        fits = given.element.is_integer and target in ((), (indices,))
        require(fits, "C1", "{} and {}", indices, target)
        require(len(size.dims) == 1, "C2", "{}", size)
        return ()

    @staticmethod
    def evaluate(
        ctx: SizedFailing,
        indices: Array,
        *target: Array,
        axis: int,
        size: Dims,
        from_end: bool,
    ) -> tuple[Array, ...]:
        """Raise IndexOutOfRange for the first bad index."""
        check_indices(ctx, indices, axis, size, from_end)
        for copy in target:
            copy[...] = indices
        return ()


@op("tc.scatter_into", levels=AT_BUFFER)
class ScatterInto(Op):
    """Change memory at computed indices, which were checked: `tc.scatter` on memory.

    Constraints:
      (C1) target and values are memory of one element type.
      (C2) axes has an entry per index, strictly ascending and below target's rank.
      (C3) The indices are memory of integers, all of one rank.
      (C4) values has the rank of the part.
      (C5) combine is "add" or "set".

    Example:
      "tc.scatter_into"(%0, %1, %2) <{axes = array<i64: 0>, combine = "add"}> : (memref<4x3xf32>, memref<5x3xf32>, memref<5xi64>) -> ()
    """  # noqa: E501

    target: Value
    values: Value
    indices: Values
    axes: tuple[int, ...]
    combine: str

    @staticmethod
    def infer(
        ctx: InferContext,
        target: Type,
        values: Type,
        *indices: Type,
        axes: tuple[int, ...],
        combine: str,
    ) -> tuple[Type, ...]:
        """Give nothing."""
        whole, part = memory(target), memory(values)
        require(whole.element == part.element, "C1", "{} and {}", target, values)
        ascending = all(a < b for a, b in pairwise(axes))
        inside = bool(axes) and axes[0] >= 0 and axes[-1] < whole.rank
        fits = ascending and inside and len(axes) == len(indices)
        require(fits, "C2", "axes {} of {} and {} indices", axes, target, len(indices))
        given = [memory(i, "C3") for i in indices]
        rank = given[0].rank
        alike = all(i.element.is_integer and i.rank == rank for i in given)
        require(alike, "C3", "{}", indices)
        require(part.rank == whole.rank - len(axes) + rank, "C4", "{}", values)
        require(combine in COMBINES, "C5", combine)
        return ()

    @staticmethod
    def evaluate(
        ctx: Failing,
        target: Array,
        values: Array,
        *indices: Array,
        axes: tuple[int, ...],
        combine: str,
    ) -> tuple[Array, ...]:
        wrapped = wrapped_indices(ctx, target.shape, indices, axes)
        scatter(target, values, wrapped, axes, combine)
        return ()


@op("tc.cumulate_into", levels=AT_BUFFER)
class CumulateInto(Op):
    """Fill memory with what an axis adds up to so far: `tc.cumsum` and its kin on memory.

    Constraints:
      (C1) target and the operands are memory of one element type and one rank.
      (C2) 0 <= axis < rank(target).
      (C3) combine is "add", "mul", "max" or "min" of one operand, or "linear" of two.

    Example:
      "tc.cumulate_into"(%0, %1) <{axis = 1 : i64, combine = "add", reverse = false}> : (memref<4x3xf32>, memref<4x3xf32>) -> ()
    """  # noqa: E501

    target: Value
    values: Values
    axis: int
    combine: str
    reverse: bool

    @staticmethod
    def infer(
        ctx: InferContext,
        target: Type,
        *values: Type,
        axis: int,
        combine: str,
        reverse: bool,
    ) -> tuple[Type, ...]:
        """Give nothing."""
        whole, given = memory(target), [memory(v) for v in values]
        alike = all((v.element, v.rank) == (whole.element, whole.rank) for v in given)
        require(alike, "C1", "{} and {}", target, values)
        require(0 <= axis < whole.rank, "C2", "axis {} of {}", axis, target)
        fits = combine in WAYS and len(values) == 1 + (combine == LINEAR)
        require(fits, "C3", "{} of {} operands", combine, len(values))
        return ()

    @staticmethod
    def evaluate(
        ctx: object,
        target: Array,
        *values: Array,
        axis: int,
        combine: str,
        reverse: bool,
    ) -> tuple[Array, ...]:
        target[...] = cumulate(combine, values, axis, reverse)
        return ()


# A discardable attribute of `tc.fail`: the index has no sign.
UNSIGNED = "tc.unsigned"


@op("tc.fail", levels=AT_LOOP)
class Fail(Op):
    """Stop the whole function with an index error: the record gets these values.

    `site` is the number of the op in the function's table of sites. The attribute
    `tc.unsigned` says that the index was one of ui64.

    Constraints:
      (C1) index and size are i64.

    Example:
      "tc.fail"(%0, %1) <{axis = 1 : i64, site = 0 : i64}> : (i64, i64) -> ()
    """

    index: Value
    size: Value
    site: int
    axis: int

    @staticmethod
    def infer(
        ctx: InferContext, index: Type, size: Type, *, site: int, axis: int
    ) -> tuple[Type, ...]:
        """Give nothing."""
        require(index == I64 and size == I64, "C1", "{} and {}", index, size)
        return ()

    @staticmethod
    def evaluate(
        ctx: Failing, index: Array, size: Array, *, site: int, axis: int
    ) -> tuple[Array, ...]:
        """Raise IndexOutOfRange."""
        ctx.fail_index(axis, int(index), int(size))
        return ()


@op("tc.launch", levels=AT_LOOP)
class Launch(Op):
    """Run a kernel over all its chunks, in any order and perhaps several at a time.

    The last operands are the number of chunks, an estimate of the work, in element
    operations (what is small is not worth a second thread), and scratch. The kernel is
    called as `callee(arguments…, begin, end, scratch)` for ranges that cover
    [0, chunks) once; who calls it at the same time has other scratch. Chunks write to
    different memory, so the result depends neither on the ranges nor on their order. It
    fails if the kernel fails.

    Constraints:
      (C1) The last operands are two of type index, and memory of bytes.

    Example:
      "tc.launch"(%m, %i, %j, %s) <{callee = @f}> : (memref<?xf32>, index, index, memref<?xi8>) -> ()
    """  # noqa: E501

    callee: SymbolRef
    arguments: Values

    @staticmethod
    def check(
        ctx: InferContext,
        operands: tuple[Type, ...],
        results: tuple[Type, ...],
        *,
        callee: SymbolRef,
    ) -> None:
        """Require C1."""
        fits = operands[-3:] == (INDEX, INDEX, MemRefType((None,), I8))
        require(fits and not results, "C1", str(operands[-3:]))

    def verify(self, functions: Mapping[str, Op], level: Level | None) -> None:
        """Check the callee: chunks and work stand where it takes [begin, end)."""
        check_call(self, functions)


@op("tc.gemm_tile", levels=AT_LOOP)
class GemmTile(Op):
    """A tile of a matrix product in registers: the micro-kernel.

        partial[i, j] = fma over ascending k in [0, count), from 0, of
          a[a_at + i * a_strides[0] + k * a_strides[1]] * b[b_at + k * b_stride + j]
        c[c_at + i * c_stride + j] = partial[i, j], or c[…] + partial[i, j] if accumulate

    for i in [0, height) and j in [0, columns), where 1 <= height <= rows and columns <=
    width. Integers are multiplied, added and wrap. Rows and width are the size of the
    tile; b and c are contiguous along j. A stride of -1 is given by the operand
    `strides` (in the order a row, a k, b, c; one per -1). With `padded` the rows of b
    have `width` elements that may be read.

    Constraints:
      (C1) a, b and c are one-dimensional memory of one type: f32, f64 or integers.
      (C2) accumulate is i1, all others are of type index.
      (C3) strides holds one operand per stride of -1.
      (C4) rows and width are positive.

    Example:
      "tc.gemm_tile"(%a, %i, %b, %i, %c, %i, %k, %m, %n, %p) <{a_strides = array<i64: 784, 1>, b_stride = 10 : i64, c_stride = 10 : i64, padded = false, rows = 12 : i64, width = 16 : i64}> : (memref<?xf32>, index, memref<?xf32>, index, memref<?xf32>, index, index, index, index, i1) -> ()
    """  # noqa: E501

    a: Value
    a_at: Value
    b: Value
    b_at: Value
    c: Value
    c_at: Value
    count: Value
    height: Value
    columns: Value
    accumulate: Value
    strides: Values
    rows: int
    width: int
    a_strides: tuple[int, ...]
    b_stride: int
    c_stride: int
    padded: bool

    @staticmethod
    def infer(
        ctx: InferContext,
        *operands: Type,
        rows: int,
        width: int,
        a_strides: tuple[int, ...],
        b_stride: int,
        c_stride: int,
        padded: bool,
    ) -> tuple[Type, ...]:
        """Give nothing."""
        matrices = [memory(t) for t in operands[0:6:2]]
        flat = all(m.rank == 1 and m.element == matrices[0].element for m in matrices)
        element = matrices[0].element
        is_number = element in (F32, F64) or element.is_integer
        require(flat and is_number, "C1", "{}", matrices)
        numbers = (*operands[1:6:2], *operands[6:9], *operands[10:])
        fits = all(t == INDEX for t in numbers) and operands[9] == I1
        require(fits, "C2", "{}", operands)
        unknown = [*a_strides, b_stride, c_stride].count(DYNAMIC)
        require(
            len(operands) == 10 + unknown, "C3", "{}, {}", len(operands) - 10, unknown
        )
        require(rows > 0 and width > 0, "C4", "{} and {}", rows, width)
        return ()

    @staticmethod
    def evaluate(
        ctx: object,
        a: Array,
        a_at: Array,
        b: Array,
        b_at: Array,
        c: Array,
        c_at: Array,
        count: Array,
        height: Array,
        columns: Array,
        accumulate: Array,
        *given: Array,
        rows: int,
        width: int,
        a_strides: tuple[int, ...],
        b_stride: int,
        c_stride: int,
        padded: bool,
    ) -> tuple[Array, ...]:
        rest = iter(given)
        strides = (*a_strides, b_stride, c_stride)
        row, inner, b_row, c_row = (
            int(next(rest)) if s == DYNAMIC else s for s in strides
        )
        i, j = np.arange(int(height))[:, None], np.arange(int(columns))[None, :]
        partial: Array = np.zeros((int(height), int(columns)), c.dtype)
        for k in range(int(count)):
            left = a[int(a_at) + i * row + k * inner]
            right = b[int(b_at) + k * b_row + j]
            if is_float(c.dtype):
                partial = fma(left, right, partial)
            else:
                partial = np.asarray(np.add(partial, np.multiply(left, right)))
        target = int(c_at) + i * c_row + j
        c[target] = c[target] + partial if accumulate else partial
        return ()
