"""Rules of ops that order rows: the derivative goes with each element."""

from tensorc.ir.core import Value
from tensorc.ir.ops.tensor import indexing, order
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import I64
from tensorc.passes.tensor.ad.rows import Cotangents, Tangents, only


def sort(b: TensorBuilder, op: order.Sort, cts: Cotangents) -> Cotangents:
    """Put each cotangent back to where its element came from."""
    return (_put_back(b, op.operand, _origin(b, op), only(cts)),)


def sort_tangent(b: TensorBuilder, op: order.Sort, tangents: Tangents) -> Tangents:
    """Take the tangents in the order of the elements."""
    return (_taken(b, only(tangents), _origin(b, op)),)


def topk(b: TensorBuilder, op: order.TopK, cts: Cotangents) -> Cotangents:
    """Put each cotangent back to where its element came from."""
    return (_put_back(b, op.operand, op.results[1], only(cts)),)


def topk_tangent(b: TensorBuilder, op: order.TopK, tangents: Tangents) -> Tangents:
    """Take the tangents of the largest elements; indices have none."""
    return _taken(b, only(tangents), op.results[1]), None


def _origin(b: TensorBuilder, op: order.Sort) -> Value:
    return b(order.ArgSort, op.operand)


def _taken(b: TensorBuilder, x: Value, indices: Value) -> Value:
    """Return the elements at indices of the last axis."""
    every = _of_all_axes(b, indices)
    return b.gather(x, every, range(len(every)))


def _put_back(b: TensorBuilder, like: Value, indices: Value, ct: Value) -> Value:
    """Return zeros with cotangents at indices of the last axis."""
    every = _of_all_axes(b, indices)
    return b.scatter(b.zeros_like(like), ct, every, range(len(every)), indexing.ADD)


def _of_all_axes(b: TensorBuilder, indices: Value) -> list[Value]:
    shape = tensor_type(indices).shape
    return [*[b.iota(shape, a, I64) for a in range(len(shape) - 1)], indices]
