"""Calls from Python: the short way of those that are like earlier ones; protocols."""

import signal
import threading

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import CallError
from tensorc.runtime.function import MAX_PLANS

X = np.arange(10.0)


def doors(formula):
    x = tc.dvector("x")
    return {"jit": tc.jit(formula), "function": tc.function([x], formula(x))}


@pytest.fixture(params=["jit", "function"])
def increment(request):
    call = doors(lambda x: x + 1)[request.param]
    call(X)
    call(X)
    return call


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def misaligned(x):
    return np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype)


def base_class(x):
    return x.view(type("Sub", (np.ndarray,), {}))


@pytest.mark.parametrize(
    "given",
    [
        X.copy(),
        np.arange(20.0)[::2],
        X[::-1],
        np.broadcast_to(np.float64(3), 10),
        read_only(X),
        misaligned(X),
        base_class(X),
        np.asfortranarray(X.reshape(2, 5)).T.ravel("K"),
        X.astype(">f8"),
        np.empty(0),
        np.arange(3.0),
        np.zeros(10, [("a", "f8"), ("b", "i4")])["a"],
    ],
    ids=lambda a: f"{type(a).__name__}-{a.dtype.str}-{a.shape}-{a.strides}",
)
def test_a_known_call_takes_every_layout(increment, given):
    before = given.copy()
    for _ in range(3):
        result = increment(given)
        assert type(result) is np.ndarray
        np.testing.assert_array_equal(result, before + 1)
        assert not np.shares_memory(result, given)
    np.testing.assert_array_equal(given, before)


def test_a_known_shape_of_another_type_is_not_known():
    f = tc.jit(lambda x: x + 1)
    for _ in range(2):
        for dtype in ("float64", "float32", "int64", "int32", "uint64", "bool"):
            x = np.ones(10, dtype)
            result = f(x)
            assert result.dtype == (x + 1).dtype
            np.testing.assert_array_equal(result, x + 1)
    x = tc.ivector("x")
    g = tc.function([x], x * 2)
    g(np.ones(3, "int32"))
    with pytest.raises(CallError, match="i32 expected"):
        g(np.ones(3, "float32"))
    with pytest.raises(CallError, match="does not fit i32"):
        g(np.array([1, 2, 2**40]))


def test_masked_arrays_are_refused_after_plain_ones(increment):
    with pytest.raises(TypeError, match="masked"):
        increment(np.ma.array(X, mask=X > 3))


def test_another_rank_or_size_is_looked_at(increment):
    both = tc.jit(lambda x, y: x + y)
    both(X, X)
    both(X, X)
    with pytest.raises(ValueError, match="axis 0 has size 4, 10 expected"):
        both(X, X[:4])
    x = tc.dvector("x")
    f = tc.function([x], x + 1)
    f(X)
    with pytest.raises(ValueError, match="rank 1 expected, rank 2 given"):
        f(X.reshape(2, 5))


def test_numbers_and_names_take_the_short_way():
    f = tc.jit(lambda x, by, bias: x * by + bias)
    x = np.ones(3, "float32")
    for _ in range(3):
        assert f(x, 2, 0.5).dtype == np.float32
        assert f(x, bias=0.5, by=2).dtype == np.float32
        np.testing.assert_array_equal(f(x, 2, bias=1), [3, 3, 3])
        np.testing.assert_array_equal(f(x, bias=2, by=1), [3, 3, 3])
        assert f(x, np.float64(2), 1).dtype == np.float64
        np.testing.assert_array_equal(f(x, True, bias=x), [2, 2, 2])
    # A number that no int64 holds is refused, also where others are known.
    with pytest.raises(TypeError, match="does not fit int64"):
        f(x, 2**63, 0.5)
    for named in ({"by": 2}, {"by": 2, "bias": 1, "rate": 1}, {"x": x, "by": 2}):
        with pytest.raises(TypeError):
            f(x, **named)


def test_a_default_is_not_forgotten():
    f = tc.jit(lambda x, by=3.0, kind="sum": x.sum() * by if kind == "sum" else x)
    for _ in range(3):
        assert f(X) == 135
        assert f(X, 2.0) == 90
        assert f(X, kind="sum") == 135
        assert f(X, 2.0, "sum") == 90


def test_plans_are_bounded_and_serve_all_sizes():
    f = tc.jit(lambda x: x[:1] + x[-1])
    x = tc.dvector("x")
    g = tc.function([x], x.sum())
    data = np.arange(float(3 * MAX_PLANS))
    for _ in range(2):
        for size in range(2, len(data)):
            assert f(data[:size])[0] == size - 1
            g(data[:size])
    compiled = [f._specialized((data,), {}).compiled, g.compiled]
    kept = [len(f._known), *(len(c._seen) for c in compiled)]
    kept += [len(c._plans) for c in compiled]
    assert max(kept) <= MAX_PLANS
    assert all(len(c._frames) == 1 for c in compiled)


def test_calls_in_several_threads_have_memory_of_their_own(increment):
    wrong = []

    def work(start):
        x = np.arange(start, start + 10.0)
        for _ in range(2000):
            if (increment(x) != x + 1).any():
                wrong.append(start)

    threads = [threading.Thread(target=work, args=(i * 100,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def memories(count):
    return [tc.shared(np.zeros(3), f"W{i}") for i in range(count)]


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_all_memory_is_held_during_a_call_and_free_after_it(count):
    variables = memories(count)
    x = tc.dvector("x")
    i = tc.ivector("i")
    picked = tc.reshape(x, (1, 3))[tc.arange(1), i]
    add = tc.function([x, i], picked, updates=[(w, w + x) for w in variables])
    add(np.ones(3), [0])
    with pytest.raises(IndexError):
        add(np.ones(3), [7])
    assert not any(w.cell.lock.locked() for w in variables)
    # Whoever holds one of them keeps the call waiting.
    for held in variables:
        thread = threading.Thread(target=add, args=(np.ones(3), [0]))
        with held.cell.lock:
            thread.start()
            thread.join(0.02)
            assert thread.is_alive()
        thread.join()
    for w in variables:
        np.testing.assert_array_equal(w.get_value(), [1 + count] * 3)


@pytest.mark.parametrize("number", [0, 2, 4, 6])
def test_an_interrupt_while_waiting_releases_what_was_taken(number):
    variables = sorted(memories(7), key=lambda w: w.cell.address)
    x = tc.dvector("x")
    add = tc.function([x], updates=[(w, w + x) for w in variables])
    held = variables[number].cell.lock
    main = threading.main_thread().ident
    timer = threading.Timer(0.1, signal.pthread_kill, [main, signal.SIGINT])
    with held:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            add(np.ones(3))
        timer.join()
        assert [w.cell.lock.locked() for w in variables].count(True) == 1
    add(np.ones(3))
    assert [w.get_value()[0] for w in variables] == [1] * 7


def test_functions_that_share_some_memory_do_not_block_each_other():
    a, b, c, d, e, f = memories(6)
    x = tc.dvector("x")
    groups = [(a, b, c, d, e), (e, d, b), (f, e, a), (c,), (f, d, c, b, a)]
    calls = [tc.function([x], updates=[(w, w + x) for w in group]) for group in groups]
    threads = [
        threading.Thread(target=lambda add=add: [add(np.ones(3)) for _ in range(300)])
        for add in calls
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    for w in (a, b, c, d, e, f):
        count = sum(w is other for group in groups for other in group)
        assert w.get_value()[0] == 300 * count


def test_strided_views_of_memory_are_copied_first():
    memory = tc.shared(np.arange(10.0))
    x = tc.dvector("x")
    shift = tc.function([x], updates=[(memory, memory + tc.concatenate([x, x]))])
    for view in (slice(None, None, 2), slice(5), slice(None, 5, -1)):
        alias = memory.get_value(borrow=True)[view]
        if len(alias) != 5:
            alias = memory.get_value(borrow=True)[4::-1]
        want = memory.get_value() + np.tile(alias, 2)
        shift(alias)
        np.testing.assert_array_equal(memory.get_value(), want)


# What else is an array


class Interface:
    def __init__(self, array):
        self.kept = array
        self.__array_interface__ = array.__array_interface__


class Struct:
    def __init__(self, array):
        self.kept = array
        self.__array_struct__ = array.__array_struct__


class Method:
    def __init__(self, array):
        self.kept = array

    def __array__(self, dtype=None, copy=None):
        return self.kept


class Exchanged:
    def __init__(self, array):
        self.kept = array

    def __dlpack__(self, **options):
        return self.kept.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.kept.__dlpack_device__()


@pytest.mark.parametrize("shape", [(), (0,), (10,), (2, 5), (1, 1, 1)])
@pytest.mark.parametrize("wrap", [Interface, Struct, Method, Exchanged, memoryview])
def test_foreign_arrays_are_read(wrap, shape):
    x = np.arange(float(np.prod(shape, dtype=int))).reshape(shape)
    f = tc.jit(lambda x: x * 2)
    v = tc.tensor("v", "float64", (None,) * x.ndim)
    g = tc.function([v], v * 2)
    for call in (f, g, f, g):
        result = call(wrap(x))
        assert result.dtype == np.float64
        np.testing.assert_array_equal(result, x * 2)
        assert result.shape == x.shape


@pytest.mark.parametrize("change", [read_only, lambda x: x.astype(">f8"), misaligned])
def test_foreign_arrays_of_odd_layouts_are_read(change, increment):
    x = change(X)
    for wrap in (Interface, Struct, Method):
        np.testing.assert_array_equal(increment(wrap(x)), X + 1)
    np.testing.assert_array_equal(increment(Interface(X[::-1])), X[::-1] + 1)
    np.testing.assert_array_equal(increment(Exchanged(X[::2])), X[::2] + 1)


def test_buffers_of_python_are_read():
    import array

    f = tc.jit(lambda x: x * 2)
    given = (
        array.array("d", [1, 2]),
        array.array("i", [1, 2]),
        memoryview(array.array("f", [1, 2])),
        memoryview(bytearray([1, 2])),
    )
    for value in given:
        want = np.asarray(value) * 2
        for _ in range(2):
            result = f(value)
            assert result.dtype == want.dtype
            np.testing.assert_array_equal(result, want)
    b = tc.bvector("b")
    total = tc.function([b], b.sum())
    assert total(array.array("b", [1, 2])) == 3


@pytest.mark.parametrize("value", [b"ab", "ab", object(), 1j, None])
def test_what_is_no_array_is_refused(value, increment):
    with pytest.raises(TypeError):
        increment(value)


def test_results_are_exchanged_without_a_copy(increment):
    for x in (X, np.zeros(0), np.zeros(100_000)):
        result = increment(x)
        other = np.from_dlpack(result)
        assert np.shares_memory(result, other) or not x.size
        assert result.__dlpack_device__()[0] == 1
        assert result.flags.writeable
        assert memoryview(result).c_contiguous
        result += 1
        np.testing.assert_array_equal(other, x + 2)


def test_odd_element_types_of_known_shapes(increment):
    texts = np.array(["a"] * 10)
    dates = np.zeros(10, "M8[s]")
    records = np.zeros(10, [("a", "f8")])
    objects = np.array([1.0] * 10, object)
    for value in (texts, dates, records, objects):
        with pytest.raises(TypeError):
            increment(value)
    noted = X.astype(np.dtype("f8", metadata={"unit": "m"}))
    np.testing.assert_array_equal(increment(noted), X + 1)


def test_what_is_converted_is_checked_at_each_call():
    @tc.jit
    def scale(x: tc.f32["n"], by: tc.i32):
        return x * by

    for _ in range(3):
        result = scale(X, 2)
        np.testing.assert_array_equal(result, 2 * X)
        np.testing.assert_array_equal(scale(X.astype(">f8"), by=3), 3 * X)
        with pytest.raises(TypeError, match="1e\\+300 does not fit f32"):
            scale(np.full(10, 1e300), 2)
        with pytest.raises(TypeError, match="does not fit i32"):
            scale(X, 2**40)
        with pytest.raises(TypeError, match="i32 expected"):
            scale(X, 0.5)


def test_all_ways_to_give_arguments():
    def weigh(x, by=2.0, plus=X):
        return x * by + plus

    def only_by_name(*, by=2.0):
        return by * 3

    def both(x, *rest, by=2.0):
        return x * by + sum(rest)

    f, g, h = map(tc.jit, (weigh, only_by_name, both))
    x = np.ones(10)
    calls = [
        (f, weigh, (x,), {}),
        (f, weigh, (x, 3.0), {}),
        (f, weigh, (x,), {"plus": 1.0}),
        (f, weigh, (), {"plus": 1.0, "x": x}),
        (f, weigh, (x, x, x), {}),
        (g, only_by_name, (), {}),
        (g, only_by_name, (), {"by": 4.0}),
        (h, both, (x,), {}),
        (h, both, (x, 1.0, x), {"by": x}),
        (h, both, (x,), {"by": 1.0}),
    ]
    for _ in range(3):
        for compiled, plain, args, named in calls:
            result = compiled(*args, **named)
            np.testing.assert_array_equal(result, plain(*args, **named))
    wrong = [((), {}), ((x, x, x, x), {}), ((x,), {"x": x}), ((x, 1.0, x), {"b": 1})]
    for args, named in wrong:
        with pytest.raises(TypeError):
            f(*args, **named)
