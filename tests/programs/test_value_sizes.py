"""Slices and shapes whose sizes follow from integers that the call gives.

The three doors, every stage of the compiler, and numpy's clamping; what a size cannot
be is an error at the call that has changed nothing.
"""

import copy
import pickle
import threading

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import CallError, ShapeError, VerifyError
from tensorc.frontend.python.graph import emit as graph_emit
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.ir.verifier import verify
from tensorc.runtime import function as runtime_function
from tensorc.runtime.training.epoch import prepare_epoch
from tests.frontend.irgen_helpers import diagnostics, program
from tests.stages import all_results

ROWS = np.random.RandomState(7).randn(11, 4)
PLACES = (-100, -5, -3, -2, -1, 0, 1, 2, 3, 4, 100)


def batch(value: int, size: int = 4) -> slice:
    return slice(value * size, (value + 1) * size)


# The three doors


def test_a_minibatch_by_index_in_givens():
    index, x, y = tc.lscalar("index"), tc.dmatrix("x"), tc.lvector("y")
    labels = np.arange(11)
    train_x, train_y = tc.shared(ROWS, "train_x"), tc.shared(labels, "train_y")
    part = {
        x: train_x[index * 4 : (index + 1) * 4],
        y: train_y[index * 4 : (index + 1) * 4],
    }
    # x and y have one size: no equation is left to the call.
    f = tc.function([index], [x, (x.sum(axis=1) * y)], givens=part)
    assert "tc.guards" not in f.emit("tensor")
    for value in PLACES:
        rows, products = f(value)
        np.testing.assert_array_equal(rows, ROWS[batch(value)])
        expected = ROWS[batch(value)].sum(axis=1) * labels[batch(value)]
        np.testing.assert_allclose(products, expected, rtol=1e-13)


@pytest.mark.parametrize("rows", [0, 1, 3, 11])
def test_bounds_of_an_input_are_clamped_as_in_numpy(rows):
    x, i, n = tc.dmatrix("x"), tc.iscalar("i"), tc.lscalar("n")
    f = tc.function([x, i, n], [x[i : i + 5], x[i:, :n], x[:i:-1], x[i:n:2]])
    data = ROWS[:rows]
    for i_, n_ in [(i_, n_) for i_ in range(-13, 14) for n_ in (-2, 0, 1, 3, 9)]:
        expected = data[i_ : i_ + 5], data[i_:, :n_], data[:i_:-1], data[i_:n_:2]
        for given, wanted in zip(f(data, i_, n_), expected, strict=True):
            np.testing.assert_array_equal(given, wanted)


def test_traced_functions_slice_by_numbers():
    @tc.jit
    def rows(x, i):
        return x[i * 4 : (i + 1) * 4]

    @tc.jit
    def columns(x, n, d):
        return x[:, n * d : (n + 1) * d]

    for value in PLACES:
        np.testing.assert_array_equal(rows(ROWS, value), ROWS[batch(value)])
        given = np.array(value, np.int32)
        np.testing.assert_array_equal(rows(ROWS, given), ROWS[batch(value)])
        expected = ROWS[:, batch(value, 2)]
        np.testing.assert_array_equal(columns(ROWS, value, 2), expected)
    assert len(rows.cache_info()) == 2  # one for each type, not for each number


LANGUAGE = """
hyper d = 2
param W: f64[4] = 1

fn part(x: f64[N, 4], i: int) = x[i * 4:(i + 1) * 4]
fn columns(x: f64[N, 4], n: i32) = x[:, n * d:(n + 1) * d]
fn first(n: int, x: f64[n]) = sum(x)
fn chosen(x: f64[N, 4], i: i32) = x[where(i > 2, i, 0):maximum(i, abs(i) % 3)]
fn counted(n: int) = range(n)
fn grown(x: f64[N, 4], n: int) = concatenate((x, x[0:n]))
step train(x: f64[N, 4], i: int) {
    cost = sum((part(x, i) * W) ** 2)
    W <- W - 0.01 * grad(cost, W)
    return cost
}
"""


def test_the_language_slices_by_arguments(tmp_path):
    file = tmp_path / "values.tc"
    file.write_text(LANGUAGE)
    made = tc.load(file)
    W = np.ones(4)
    for value in PLACES:
        np.testing.assert_array_equal(made.part(ROWS, value), ROWS[batch(value)])
        expected = ROWS[:, batch(value, 2)]
        np.testing.assert_array_equal(made.columns(ROWS, value), expected)
        expected = ROWS[value if value > 2 else 0 : max(value, abs(value) % 3)]
        np.testing.assert_array_equal(made.chosen(ROWS, value), expected)
        np.testing.assert_array_equal(made.counted(value), np.arange(value))
        joined = np.concatenate([ROWS, ROWS[0:value]])
        np.testing.assert_array_equal(made.grown(ROWS, value), joined)
        part = ROWS[batch(value)]
        cost = made.train(ROWS, value)
        np.testing.assert_allclose(cost, ((part * W) ** 2).sum(), rtol=1e-12)
        W = W - 0.01 * (2 * part * part * W).sum(axis=0)
    assert made.first(3, [1.0, 2.0, 4.0]) == 7
    with pytest.raises(ShapeError, match="axis 0 has size 2, 3 expected"):
        made.first(3, [1.0, 2.0])


# Every stage


def stages_agree(module, cases):
    """Run cases at all stages; they agree to the bit. Return the results of one."""
    found = all_results(module, cases, (0, 2, 3))
    first = found.pop("tensor")
    for stage, results in found.items():
        for given, wanted in zip(results, first, strict=True):
            for a, b in zip(given, wanted, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=stage)
    return first


def test_slices_and_their_derivatives_at_every_stage():
    x, w, i = tc.dmatrix("x"), tc.dvector("w"), tc.lscalar("i")
    cost = ((x[i * 4 : (i + 1) * 4] * w) ** 3).sum() + x[i:, 1 : i + 1].sum()
    f = tc.function([x, w, i], [cost, *tc.grad(cost, [x, w])])
    module = graph_emit.emit(f._plan)
    w_ = np.array([0.5, -1.0, 2.0, 0.25])
    cases = [("function", [ROWS, w_, np.array(v)]) for v in PLACES]
    for (_, (_, _, v)), given in zip(cases, stages_agree(module, cases), strict=True):
        value = int(v)

        def price(data, weights, value=value):
            part = (data[batch(value)] * weights) ** 3
            return part.sum() + data[value:, 1 : value + 1].sum()

        np.testing.assert_allclose(given[0], price(ROWS, w_), rtol=1e-12, atol=1e-12)
        differences = central(lambda data, p=price: p(data, w_), ROWS)
        np.testing.assert_allclose(given[1], differences, rtol=1e-6, atol=1e-6)
        differences = central(lambda weights, p=price: p(ROWS, weights), w_)
        np.testing.assert_allclose(given[2], differences, rtol=1e-6, atol=1e-6)


def central(function, at, step=1e-5):
    """Return the derivative by central differences."""
    result = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        shift = np.zeros_like(at)
        shift[place] = step
        result[place] = (function(at + shift) - function(at - shift)) / (2 * step)
    return result


def test_shapes_made_of_values_at_every_stage():
    n, m, x = tc.lscalar("n"), tc.iscalar("m"), tc.dvector("x")
    wide = tc.zeros((n, m)) + tc.arange(m)
    f = tc.function([x, n, m], [wide, x.reshape((n, -1)).sum(axis=0), tc.arange(n, m)])
    given = np.arange(12.0)
    cases = [
        ("function", [given, np.array(n_), np.array(m_, np.int32)])
        for n_, m_ in ((1, 0), (3, 4), (12, 20), (2, 1))
    ]
    found = stages_agree(graph_emit.emit(f._plan), cases)
    for (_, (_, n_, m_)), (first, second, third) in zip(cases, found, strict=True):
        np.testing.assert_array_equal(first, np.zeros((n_, m_)) + np.arange(m_))
        np.testing.assert_array_equal(second, given.reshape(n_, -1).sum(axis=0))
        np.testing.assert_array_equal(third, np.arange(n_, m_))


def test_functions_of_the_language_at_every_stage():
    module = program(LANGUAGE).emit(["train", "part"])
    memory = np.linspace(0, 1, 4)
    cases = [("train", [memory, ROWS, np.array(v)]) for v in PLACES]
    cases += [("part", [ROWS, np.array(v)]) for v in PLACES]
    stages_agree(module, cases)


# Derivatives in the other doors


def test_derivatives_of_traced_functions():
    @tc.jit
    def price(x, i):
        return (x[i : i + 3] ** 2).sum()

    slope = tc.grad(price)
    for value in (-12, -4, -2, 0, 9, 10, 11, 30):
        expected = np.zeros_like(ROWS)
        expected[value : value + 3] = 2 * ROWS[value : value + 3]
        np.testing.assert_array_equal(slope(ROWS, value), expected)


# What a bound may be computed from


def test_bounds_are_made_of_integers_sizes_and_inputs():
    x, i, j = tc.dvector("x"), tc.lscalar("i"), tc.bscalar("j")
    n = x.shape[0]
    made = [
        tc.maximum(i, 1) // 2 - i % 3,
        -i + n // 2,
        tc.minimum(abs(i), n),
        i.astype("int8"),
        i.astype("uint8") - 100,
        tc.switch(i > 1, i, n),
        i + x[i:].shape[0],
        i * j,
        tc.constant(3) * j,
    ]
    f = tc.function([x, i, j], [x[a:] for a in made], on_unused_input="ignore")
    data = np.arange(7.0)
    for i_, j_ in [(i_, j_) for i_ in (*range(-9, 10), 300, -200) for j_ in (-2, 1)]:
        bounds = [
            max(i_, 1) // 2 - i_ % 3,
            -i_ + 3,
            min(abs(i_), 7),
            int(np.array(i_).astype("int8")),
            (int(np.array(i_).astype("uint8")) - 100) % 256,
            i_ if i_ > 1 else 7,
            i_ + len(data[i_:]),
            i_ * j_,
            3 * j_,
        ]
        for given, first in zip(f(data, i_, j_), bounds, strict=True):
            np.testing.assert_array_equal(given, data[first:])


def test_sizes_of_slices_are_values_too():
    x, i = tc.dvector("x"), tc.lscalar("i")
    size = x[i : i + 2].shape[0]
    f = tc.function([x, i], [size, x.sum() * size, x[size:], tc.ones((size, 2)).sum()])
    for value in range(-5, 5):
        data = np.arange(3.0)
        n = len(data[value : value + 2])
        given = f(data, value)
        assert given[0] == n
        assert given[1] == 3.0 * n
        np.testing.assert_array_equal(given[2], data[n:])
        assert given[3] == 2 * n


def test_arrays_are_split_at_values():
    x, i, j = tc.dmatrix("x"), tc.lscalar("i"), tc.lscalar("j")
    f = tc.function([x, i, j], tc.split(x, [i, j]))
    g = tc.function([x, i], tc.split(x, [2, i, -2]))
    for i_, j_ in np.ndindex(16, 16):
        for rows in (0, 3, 6):
            i__, j__ = i_ - 8, j_ - 8
            wanted = np.split(ROWS[:rows], [i__, j__])
            for a, b in zip(f(ROWS[:rows], i__, j__), wanted, strict=True):
                np.testing.assert_array_equal(a, b)
            wanted = np.split(ROWS[:rows], [2, i__, -2])
            for a, b in zip(g(ROWS[:rows], i__), wanted, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (lambda x, k: k, r"`k` is memory[\s\S]*give it as an input"),
        (lambda x, k: x.sum(), "computed from f64"),
        (lambda x, k: tc.cast(x.sum(), "int64"), "computed from f64"),
        (lambda x, k: tc.argmax(x), "computed from arrays"),
        (lambda x, k: tc.lscalar("i") / 2, "for whole numbers write `//`"),
        (lambda x, k: tc.lscalar("i") // 0, "division by zero: i // 0"),
        (lambda x, k: tc.lscalar("i") > 0, "computed from bool"),
        (lambda x, k: tc.lvector("v"), r"got i64\[v0\]"),
        (lambda x, k: tc.lscalar("i") * 2**62 * 4, "too long"),
    ],
)
def test_other_bounds_are_refused(bound, words):
    x, k = tc.dvector("x"), tc.shared(3, "k")
    with pytest.raises(TypeError, match=words):
        x[bound(x, k) :]


def test_a_bound_of_many_factors_is_refused_at_once():
    x, i = tc.dvector("x"), tc.lscalar("i")
    for _ in range(64):
        i = (i + 1) * i
    with pytest.raises(TypeError, match="too long"):
        x[i:]


def test_slices_of_slices_end_before_they_explode():
    x, i, j = tc.dvector("x"), tc.lscalar("i"), tc.lscalar("j")
    twice = tc.function([x, i, j], x[i:j][i:j])
    data = np.arange(9.0)
    for i_, j_ in np.ndindex(12, 12):
        given = twice(data, i_ - 6, j_ - 6)
        part = slice(i_ - 6, j_ - 6)
        np.testing.assert_array_equal(given, data[part][part])

    def sliced(x, times):
        return sliced(x, times - 1)[i:j] if times else x

    with pytest.raises(IndexError, match="too long"):
        sliced(x, 30)


def test_a_deep_formula_is_a_bound():
    x, i = tc.dvector("x"), tc.lscalar("i")
    place = i
    for _ in range(5000):
        place = place + 1
    f = tc.function([x, i], x[place:])
    np.testing.assert_array_equal(f(np.arange(4.0), -4998), [2, 3])


def test_options_that_are_fixed_say_so():
    x, n = tc.dmatrix("x"), tc.lscalar("n")
    with pytest.raises(TypeError, match="`sum`: axis must be known while compiling"):
        x.sum(axis=n)
    with pytest.raises(IndexError, match="the step of a slice must be an integer"):
        x[::n]


def test_wrong_bounds_in_the_language():
    text = """
state k: int = 2
fn memory(x: f64[N]) = x[k:]
fn fraction(x: f64[N], i: int) = x[i / 2:]
fn computed(x: f64[N]) = x[argmax(x):]
fn step_(x: f64[N], i: int) = x[::i]
"""
    found = diagnostics(text)
    assert [d.code for d in found] == ["TC0309"] * 4
    words = ["`k` is memory", "computed from f32", "computed from arrays", "step"]
    for diagnostic, part in zip(found, words, strict=True):
        assert part in diagnostic.message
        assert diagnostic.location.line
    assert "give it as an input" in found[0].hints[0]


# Replacements and copies


def test_givens_replace_what_bounds_are_made_of():
    x, i, j = tc.dvector("x"), tc.lscalar("i"), tc.lscalar("j")
    part, data = x[i : i + 2], np.arange(6.0)
    f = tc.function([x, j], part, givens={i: 2 * j + x.shape[0] - 6})
    np.testing.assert_array_equal(f(data, 1), [2, 3])
    f = tc.function([x], part * i, givens={i: tc.constant(3)})
    np.testing.assert_array_equal(f(data), [9, 12])
    f = tc.function([x, i], part, givens={x: x * 2, i: i + 1})
    np.testing.assert_array_equal(f(data, 0), [2, 4])
    memory = tc.shared(2, "memory")
    assert tc.function([x], x.sum() * i, givens={i: memory})(data) == 30
    with pytest.raises(TypeError, match=r"`i` is a bound[\s\S]*`memory` is memory"):
        tc.function([x], part, givens={i: memory})
    with pytest.raises(ValueError, match=r"i, made at .* is needed"):
        tc.function([x], part)


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_copies_keep_their_sizes(again):
    x, i = tc.dvector("x"), tc.lscalar("i")
    part = x[i : i + 2]
    size, twice = part.shape[0], x.shape[0] * 2
    half = x.shape[0] / 2
    x, i, part, size, twice, half = again([x, i, part, size, twice, half])
    f = tc.function([x, i], [part, x[size:], x[: twice - 4], x[:size].sum() * half])
    data = np.arange(3.0)
    for value in range(-4, 4):
        first, rest, some, scaled = f(data, value)
        n = len(data[value : value + 2])
        np.testing.assert_array_equal(first, data[value : value + 2])
        np.testing.assert_array_equal(rest, data[n:])
        np.testing.assert_array_equal(some, data[:2])
        assert scaled == data[:n].sum() * 1.5


def test_a_pickled_function_slices():
    x, i = tc.dvector("x"), tc.lscalar("i")
    f = pickle.loads(pickle.dumps(tc.function([x, i], x[i : i + 2])))
    np.testing.assert_array_equal(f(np.arange(4.0), 1), [1, 2])


# Values that no size can be


@pytest.mark.parametrize(
    "value", [-1, -7, 2**44, 2**50, 2**61, 2**62, -(2**63), 2**63 - 1]
)
def test_impossible_sizes_are_errors_of_the_call(value):
    n, x = tc.lscalar("n"), tc.dvector("x")
    memory = tc.shared(0.0, "memory")
    made = [
        tc.function([n], tc.zeros((n,)), updates=[(memory, memory + 1)]),
        tc.function([n], tc.zeros((3, n + 2)).sum() + memory * 0),
        tc.function([n, x], x.reshape((n, -1))),
        tc.function([n, x], x.reshape((n,))),
    ]
    calls = [(value,), (max(value - 2, -(2**63)) if value < 0 else value,)]
    calls += [(value, np.arange(6.0))] * 2
    for f, given in zip(made, calls, strict=True):
        if value in (2**44, 2**50, 2**61) and f is made[1]:
            continue  # a sum of many zeros, that needs no memory
        with pytest.raises(ShapeError):
            f(*given)
    assert memory.get_value() == 0


def test_zero_is_a_size_and_not_a_divisor():
    n, x = tc.lscalar("n"), tc.dvector("x")
    assert tc.function([n], tc.ones((n, 3)))(0).shape == (0, 3)
    assert tc.function([n], tc.arange(n))(-3).shape == (0,)
    with pytest.raises(ShapeError, match=r"n = 0"):
        tc.function([n, x], x.reshape((n, -1)))(0, np.arange(6.0))
    with pytest.raises(ShapeError, match=r"n = 0"):
        tc.function([n, x], x[5 // n :])(0, np.arange(6.0))


def test_an_empty_array_may_not_be_endless():
    n = tc.lscalar("n")
    f = tc.function([n], tc.zeros((0, n)))
    assert f(2**30).shape == (0, 2**30)
    with pytest.raises(ShapeError, match="more than a machine addresses"):
        f(2**61)


def test_a_size_and_a_value_must_agree():
    n, x = tc.lscalar("n"), tc.dvector("x")
    f = tc.function([x, n], tc.zeros((n,)) + x)
    np.testing.assert_array_equal(f([1.0, 2.0], 2), [1, 2])
    with pytest.raises(ShapeError, match="n is the value of 'n'"):
        f([1.0, 2.0], 3)
    with pytest.raises(ShapeError):
        f([1.0, 2.0], -2)


def test_arguments_that_are_no_number_are_refused():
    x, i = tc.dvector("x"), tc.lscalar("i")
    f = tc.function([x, i], x[i:])
    assert len(f(np.arange(3.0), 1)) == 2
    for wrong in ([1], np.array([1]), 1.0, "1", None):
        with pytest.raises((TypeError, ValueError)):
            f(np.arange(3.0), wrong)
    assert len(f(np.arange(3.0), np.uint8(2))) == 1


# The runtime


def test_plans_are_remembered_and_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(runtime_function, "MAX_PLANS", 16)
    x, i = tc.dvector("x"), tc.lscalar("i")
    compiled = tc.function([x, i], x[i : i + 2]).compiled
    data = np.arange(300.0)
    for value in [*range(100), *range(50)]:
        given = compiled(data, np.array(value))
        np.testing.assert_array_equal(given, data[value : value + 2])
        assert len(compiled._plans) <= 16
    plan = compiled.bind([data, np.array(49)])
    assert plan is compiled.bind([data, np.array(49)])
    assert plan is not compiled.bind([data, np.array(48)])


def test_numbers_that_decide_no_size_have_one_plan():
    x, i = tc.dvector("x"), tc.lscalar("i")
    f = tc.function([x, i], x * i)
    assert "tc.value" not in f.emit("graph")
    for value in range(20):
        assert f([1.0, 2.0], value)[1] == 2 * value
    assert len(f.compiled._plans) == 1


def test_threads_have_values_of_their_own():
    x, i = tc.dvector("x"), tc.lscalar("i")
    f = tc.function([x, i], x[i : i + 3].sum())
    data = np.arange(64.0)
    wrong = []

    def work(first):
        for k in range(300):
            value = (first + k) % 60
            if f(data, value) != data[value : value + 3].sum():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(0, 60, 15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_batches_of_data_give_no_numbers():
    x, i = tc.dmatrix("x"), tc.lscalar("i")
    f = tc.function([x, i], x[i : i + 3].sum())
    columns = {"x": ROWS, "i": np.arange(11)}
    with pytest.raises(CallError, match=r"TC0510.* computes sizes from the number 'i'"):
        prepare_epoch(f.compiled, columns, 2)


# The text of the IR

GOOD = """
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "x"}, {tc.kind = "input", tc.name = "i", tc.value = "$i"}], function_type = (tensor<?xf64, #tc.dims<["N"]>>, tensor<i64>) -> tensor<?xf64, #tc.dims<["N - bound($i, N)"]>>, sym_name = "f"}> ({
  ^bb0(%x: tensor<?xf64, #tc.dims<["N"]>>, %i: tensor<i64>):
    %0 = "tc.slice"(%x) <{sizes = #tc.dims<["N - bound($i, N)"]>, starts = #tc.dims<["bound($i, N)"]>, steps = array<i64: 1>}> : (tensor<?xf64, #tc.dims<["N"]>>) -> tensor<?xf64, #tc.dims<["N - bound($i, N)"]>>
    "func.return"(%0) : (tensor<?xf64, #tc.dims<["N - bound($i, N)"]>>) -> ()
  }) : () -> ()
}) : () -> ()
"""  # noqa: E501


def test_values_stand_in_the_text():
    module = parse_module(GOOD)
    verify(module)
    assert print_module(parse_module(print_module(module))) == print_module(module)
    cases = [("f", [np.arange(5.0), np.array(v)]) for v in PLACES]
    for (_, (x, v)), (given,) in zip(cases, stages_agree(module, cases), strict=True):
        np.testing.assert_array_equal(given, x[int(v) :])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('tc.value = "$i"', 'tc.value = "i"'),
        ('tc.value = "$i"', "tc.value = 3 : i64"),
        ('tc.name = "x"}', 'tc.name = "x", tc.value = "$x"}'),
        ('tc.kind = "input", tc.name = "i"', 'tc.kind = "shared", tc.name = "i"'),
        ("tensor<i64>", "tensor<f64>"),
        ("tensor<i64>", "tensor<2xi64>"),
    ],
)
def test_wrong_values_in_the_text_are_found(old, new):
    text = GOOD.replace(old, new)
    assert text != GOOD
    with pytest.raises(VerifyError, match=r"tc\.value"):
        verify(parse_module(text))


@pytest.mark.parametrize(
    ("condition", "fitting", "others"),
    [
        ("N % 2 == 0 and M % 3 == 0", (4, 6), [(3, 6), (4, 5)]),
        ("N % 2 == 0 and (M % 3 == 0 and 1 < 2)", (4, 6), [(3, 6), (4, 5)]),
        ("N == M == 4", (4, 4), [(4, 5), (5, 5)]),
    ],
)
def test_each_part_of_an_assertion_is_checked(tmp_path, condition, fitting, others):
    path = tmp_path / "parts.tc"
    path.write_text(
        "fn f(x: float[N], y: float[M]) -> float {\n"
        f'    assert {condition}, "these do not fit"\n'
        "    return sum(x) + sum(y)\n}\n"
    )
    run = tc.load(path).f
    assert run(*(np.ones(n, np.float32) for n in fitting)) == sum(fitting)
    for sizes in others:
        with pytest.raises(tc.ShapeError):
            run(*(np.ones(n, np.float32) for n in sizes))
