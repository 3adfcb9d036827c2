"""NumPy's functions that are made of others: types, shapes and values are NumPy's."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.frontend.python.numpy_compositions import COMPOSITIONS


def changed(function, *args, **options):
    """Return what a function of NumPy makes of an array that it changes."""

    def call(x, y):
        whole = x * 1
        function(whole, *[a(x, y) for a in args], **options)
        return whole

    return call


CALLS = {
    np.copyto: [changed(np.copyto, lambda x, y: y)],
    np.put: [changed(np.put, lambda x, y: [0, -1], lambda x, y: y[0, :2])],
    np.putmask: [changed(np.putmask, lambda x, y: x > 2, lambda x, y: y)],
    np.put_along_axis: [
        changed(
            np.put_along_axis,
            lambda x, y: np.argsort(x, axis=1),
            lambda x, y: y,
            lambda x, y: 1,
        )
    ],
    np.take_along_axis: [
        lambda x, y: np.take_along_axis(x, np.argsort(y, axis=0), axis=0),
        lambda x, y: np.take_along_axis(x, np.argsort(y[:, :1], axis=1)),
    ],
    np.copy: [lambda x, y: np.copy(x)],
    np.astype: [lambda x, y: np.astype(x, np.float32)],
    np.real: [lambda x, y: np.real(x)],
    np.conjugate: [lambda x, y: np.conj(x)],
    np.size: [
        lambda x, y: np.size(x) + 0 * x,
        lambda x, y: x * np.size(x, 1),
        lambda x, y: x * np.size(x, (0, -1)),
    ],
    np.round: [
        lambda x, y: np.round(x * 1.2345),
        lambda x, y: np.round(x * 1.2345, 2),
        lambda x, y: np.round(x * 123.45, decimals=-1),
        lambda x, y: (x * 1.2345).round(1),
        lambda x, y: np.round(x * np.float32(1.2345), 3),
        lambda x, y: np.round(x > 1),
        lambda x, y: np.round(np.argmax(x, axis=0), 1),
    ],
    np.around: [lambda x, y: np.around(x / 3, 1)],
    np.ptp: [
        lambda x, y: np.ptp(x),
        lambda x, y: np.ptp(x, axis=1, keepdims=True),
        lambda x, y: np.ptp(x, (0, 1)),
    ],
    np.count_nonzero: [
        lambda x, y: np.count_nonzero(x > 1, axis=0),
        lambda x, y: np.count_nonzero(x, axis=1, keepdims=True),
    ],
    np.trapezoid: [
        lambda x, y: np.trapezoid(x),
        lambda x, y: np.trapezoid(x, dx=0.5, axis=0),
        lambda x, y: np.trapezoid(x, y[0]),
        lambda x, y: np.trapezoid(x, np.array([1, 2, 4]), axis=0),
        lambda x, y: np.trapezoid(x, y, axis=0),
        lambda x, y: np.trapezoid(x[0], y),  # the axis is that of the product
    ],
    np.atleast_1d: [lambda x, y: np.atleast_1d(x[0, 0], x)],
    np.atleast_2d: [lambda x, y: np.atleast_2d(x[0, 0], x[0], x)],
    np.atleast_3d: [lambda x, y: np.atleast_3d(x[0, 0], x[0], x)],
    np.vstack: [lambda x, y: np.vstack([x, y[0], np.ones(4)])],
    np.hstack: [
        lambda x, y: np.hstack([x, y]),
        lambda x, y: np.hstack((x[0], y[1, 1], 3)),
    ],
    np.dstack: [
        lambda x, y: np.dstack([x, y]),
        lambda x, y: np.dstack([x[0], y[0]]),
    ],
    np.column_stack: [
        lambda x, y: np.column_stack([x, y[:, 0]]),
        lambda x, y: np.column_stack((np.ones(3), x[:, 1])),
    ],
    np.append: [
        lambda x, y: np.append(x, y),
        lambda x, y: np.append(x, y, axis=0),
        lambda x, y: np.append(x[0], 3.5),
    ],
    np.flipud: [lambda x, y: np.flipud(x)],
    np.fliplr: [lambda x, y: np.fliplr(x)],
    np.matrix_transpose: [lambda x, y: np.matrix_transpose(x)],
    np.linalg.matrix_transpose: [lambda x, y: np.linalg.matrix_transpose(x)],
    np.linalg.matmul: [lambda x, y: np.linalg.matmul(x, y.T)],
    np.linalg.tensordot: [lambda x, y: np.linalg.tensordot(x, y, axes=2)],
    np.vdot: [lambda x, y: np.vdot(x, y)],
    np.inner: [lambda x, y: np.inner(x, y), lambda x, y: np.inner(x[0], 2)],
    np.polyval: [
        lambda x, y: np.polyval([1.0, -2.0, 3.0], x),
        lambda x, y: np.polyval(x[0], y),
    ],
    np.positive: [lambda x, y: np.positive(x)],
    np.divmod: [lambda x, y: np.divmod(x, y), lambda x, y: divmod(x, 2)],
    np.hsplit: [lambda x, y: np.hsplit(x, 2), lambda x, y: np.hsplit(x[0], [1])],
    np.vsplit: [lambda x, y: np.vsplit(x, 3)],
    np.dsplit: [lambda x, y: np.dsplit(x[None], [1, 3])],
    np.unstack: [lambda x, y: np.unstack(x), lambda x, y: np.unstack(x, axis=1)],
    np.rollaxis: [
        lambda x, y: np.rollaxis(x[None], 2),
        lambda x, y: np.rollaxis(x[None], 0, 3),
        lambda x, y: np.rollaxis(x, -1, -1),
    ],
    np.delete: [
        lambda x, y: np.delete(x, 1, 0),
        lambda x, y: np.delete(x, -1, 1),
        lambda x, y: np.delete(x, 5),
        lambda x, y: np.delete(x, -2),
    ],
    np.insert: [
        lambda x, y: np.insert(x, 1, y[0], axis=0),
        lambda x, y: np.insert(x, 4, y[:, 0], axis=1),
        lambda x, y: np.insert(x, -1, 7, axis=1),
        lambda x, y: np.insert(x, 3, y[0]),
    ],
    np.broadcast_arrays: [
        lambda x, y: np.broadcast_arrays(x, y[0], 3),
        lambda x, y: np.broadcast_arrays(x[0], y[:, :1]),
    ],
    np.block: [
        lambda x, y: np.block([[x, y], [y, x]]),
        lambda x, y: np.block([x[0], y[1], 5]),
        lambda x, y: np.block([[x], [y[0]]]),
        lambda x, y: np.block(x),
    ],
    np.select: [
        lambda x, y: np.select([x > 5, x > 2], [x, y], 9),
        lambda x, y: np.select([x > y], [x * 1.5]),
    ],
    np.isin: [
        lambda x, y: np.isin(x, y[0]),
        lambda x, y: np.isin(x, [1, 2, 30], invert=True),
    ],
    np.ediff1d: [lambda x, y: np.ediff1d(x * x)],
    np.gradient: [
        lambda x, y: np.gradient(x * x),
        lambda x, y: np.gradient(x * y, 0.5, axis=0),
        lambda x, y: np.gradient(x * x, 2, 3, edge_order=2),
        lambda x, y: np.gradient(x[0] * y[1]),
    ],
    np.cross: [
        lambda x, y: np.cross(x.T, y.T),
        lambda x, y: np.cross(x, y, axis=0),
        lambda x, y: np.cross(x, y.T, axisa=0, axisb=1, axisc=0),
        lambda x, y: np.cross(x[:, 0], y[:, 1]),
    ],
    np.vecdot: [lambda x, y: np.vecdot(x, y), lambda x, y: np.vecdot(x, y, axis=0)],
    np.linalg.vecdot: [lambda x, y: np.linalg.vecdot(x, y)],
    np.matvec: [lambda x, y: np.matvec(x, y), lambda x, y: np.matvec(x, y[0])],
    np.vecmat: [lambda x, y: np.vecmat(x[:, 0], y)],
    np.linalg.multi_dot: [
        lambda x, y: np.linalg.multi_dot([x, y.T, x]),
        lambda x, y: np.linalg.multi_dot([x, y.T, x[:, 0]]),
    ],
    np.linalg.vector_norm: [
        lambda x, y: np.linalg.vector_norm(x),
        lambda x, y: np.linalg.vector_norm(x, axis=1, keepdims=True),
    ],
    np.linalg.matrix_norm: [lambda x, y: np.linalg.matrix_norm(x)],
    np.linalg.outer: [lambda x, y: np.linalg.outer(x[0], y[:, 1])],
    np.linalg.diagonal: [lambda x, y: np.linalg.diagonal(x[None], offset=1)],
    np.linalg.trace: [lambda x, y: np.linalg.trace(x[None])],
    np.ravel_multi_index: [
        lambda x, y: np.ravel_multi_index((x.astype(int), y.astype(int)), (20, 20))
    ],
    np.unravel_index: [
        lambda x, y: np.unravel_index(x.astype(int), (3, 2, 2)),
        lambda x, y: np.unravel_index(x.astype(int), 12),
    ],
    np.cumulative_sum: [
        lambda x, y: np.cumulative_sum(x[0]),
        lambda x, y: np.cumulative_sum(x, axis=1, include_initial=True),
    ],
    np.cumulative_prod: [
        lambda x, y: np.cumulative_prod(y[0], include_initial=True),
        lambda x, y: np.cumulative_prod(y, axis=0),
    ],
    np.apply_over_axes: [lambda x, y: np.apply_over_axes(np.sum, x, [0, 1])],
    np.empty_like: [lambda x, y: np.where(x >= 0, x, np.empty_like(x))],
    np.polyadd: [lambda x, y: np.polyadd(x[0], y[0, :2])],
    np.polysub: [lambda x, y: np.polysub(x[0, :2], y[0])],
    np.polyder: [
        lambda x, y: np.polyder(x[0] + 1),
        lambda x, y: np.polyder(x[0] + 1, 2),
    ],
}


def flat(results):
    """Return a list of arrays of results, which may be tuples."""
    nested = [r if isinstance(r, tuple | list) else (r,) for r in results]
    return [part for parts in nested for part in parts]


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
def test_the_functions_give_what_numpy_gives(dtype):
    x = np.arange(12).reshape(3, 4).astype(dtype)
    y = (x[::-1] + 2).astype(dtype)
    calls = [call for several in CALLS.values() for call in several]

    def all_of_them(x, y):
        return [call(x, y) for call in calls]

    got, wanted = tc.jit(all_of_them)(x, y), all_of_them(x, y)
    for call, one, other in zip(calls, got, wanted, strict=True):
        for a, b in zip(flat([one]), flat([other]), strict=True):
            message = f"line {call.__code__.co_firstlineno}"
            assert (a.dtype, a.shape) == (b.dtype, b.shape), message
            np.testing.assert_allclose(a, b, rtol=1e-6, err_msg=message)


def test_every_function_has_calls():
    assert CALLS.keys() == COMPOSITIONS.keys()


def test_an_axis_that_is_not_there_is_refused_with_the_functions_name():
    for function in (np.diff, np.trapezoid):
        with pytest.raises(ValueError, match=f"`{function.__name__}`: axis 2 is out"):
            tc.jit(lambda x, f=function: f(x, axis=2))(np.ones((2, 3)))
