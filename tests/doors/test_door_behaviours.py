"""What the Python doors do with names, memory, order, numbers and callbacks."""

import warnings

import numpy as np
import pytest

import tensorc as tc
from tensorc.api import checking

X = np.arange(24, dtype="float32").reshape(12, 2)


# Names


def test_inputs_have_the_first_choice_of_names():
    x = tc.matrix("x")
    memory = tc.shared(np.float32(2), "x")
    f = tc.function([x], (x * memory).sum(), updates=[(memory, memory + 1)])
    assert f(x=np.ones((2, 2), "float32")) == 8
    history = tc.fit(f, {"x": X}, batch=6)
    assert memory.get_value() == 5
    expected = [3 * X[:6].sum(), 4 * X[6:].sum()]
    assert history.epochs[0].train_cost == pytest.approx(np.mean(expected))


# Memory


def test_a_borrowed_value_is_a_read_only_view():
    W = tc.shared(np.zeros(3), "W")
    view = W.get_value(borrow=True)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    tc.function([], updates=[(W, W + 1)])()
    assert view.tolist() == [1, 1, 1]
    W.set_value([3.0, 4.0, 5.0])
    assert view.tolist() == [3, 4, 5]
    W.set_value(view[::-1], borrow=True)
    assert view.tolist() == [5, 4, 3]


def test_borrowing_in_shared_and_set_value_copies():
    value = np.zeros(2)
    W = tc.shared(value, "W", borrow=True)
    value[:] = 7
    assert W.get_value().tolist() == [0, 0]
    W.set_value(value, borrow=True)
    value[:] = 8
    assert W.get_value().tolist() == [7, 7]


def test_a_view_of_the_memory_is_an_argument():
    W = tc.shared(np.ones(3), "W")
    x = tc.dvector("x")
    double = tc.function([x], x.sum(), updates=[(W, W + x)])
    assert double(W.get_value(borrow=True)) == 3
    assert W.get_value().tolist() == [2, 2, 2]


# Order


def reading(W, use):
    @tc.step
    def train():
        tc.update(W, W * 2)
        return use(W)

    return train


@pytest.mark.parametrize(
    "use",
    [
        lambda W: W,
        lambda W: W + 1,
        lambda W: W[0],
        lambda W: W.astype("float32"),
        lambda W: np.exp(W),
        lambda W: W.dimshuffle("x", 0),
        lambda W: tc.jit(lambda v: v + 1)(W),
        lambda W: tc.group(W) + 1,
    ],
)
def test_memory_is_not_read_after_its_update(use):
    W = tc.shared(np.ones(3), "W")
    with pytest.raises(ValueError, match="W is read after its update") as caught:
        reading(W, use)()
    message = str(caught.value)
    assert "TC0306" in message
    assert "test_door_behaviours.py" in message
    assert "updated here" in message
    assert "name the new value first" in message
    assert "stands above the update" in message
    assert W.get_value().tolist() == [1, 1, 1]


def test_what_was_read_before_keeps_its_meaning():
    W, b = tc.shared(np.ones(3), "W"), tc.shared(np.zeros(3), "b")

    @tc.step
    def train(x):
        cost = tc.sum(W * x + b)
        square = W**2
        tc.update(W, W - tc.grad(cost, W))
        tc.update(b, b - tc.grad(cost, b))
        return square, tc.grad(cost, W), W.shape[0], repr(W).count("W") + 0 * cost

    square, gradient, size, count = train(np.full(3, 2.0))
    assert square.tolist() == [1, 1, 1]
    assert gradient.tolist() == [2, 2, 2]
    assert (size, count) == (3, 1)
    assert W.get_value().tolist() == [-1, -1, -1]
    assert b.get_value().tolist() == [-1, -1, -1]


def test_a_swap_reads_both_first():
    W, b = tc.shared(1.0, "W"), tc.shared(2.0, "b")

    @tc.step
    def swap():
        tc.update((W, b), (b, W))

    swap()
    assert (W.get_value(), b.get_value()) == (2, 1)

    @tc.step
    def twice():
        tc.update((W, W), (b, b))

    with pytest.raises(ValueError, match="updated twice"):
        twice()


# Numbers and callbacks of `fit`


def counted():
    W = tc.shared(0.0, "W")

    @tc.step
    def train(x, lr=0.5):
        old = W * 1
        tc.update(W, W + lr)
        return old + 0 * tc.sum(x)

    return W, train


def test_the_numbers_of_a_step_are_hyperparameters():
    W, train = counted()
    tc.fit(train, {"x": X}, batch=4)
    assert W.get_value() == 1.5
    for rate in (1.0, 0.25, np.float64(2)):
        W.set_value(0.0)
        tc.fit(train, {"x": X}, batch=4, lr=rate)
        assert W.get_value() == 3 * rate
    # One for Python's numbers, one for NumPy's, which have a type of their own.
    assert len(train._batched) == 2
    with pytest.raises(TypeError, match="neither fit nor 'train' has an option 'rate'"):
        tc.fit(train, {"x": X}, batch=4, rate=1)
    with pytest.raises(TypeError, match="'x' is a column of the data and"):
        tc.fit(train, {"x": X}, batch=4, x=1)


def test_other_arguments_of_a_step_are_a_part_of_it():
    W = tc.shared(np.zeros(2), "W")

    @tc.step
    def train(x, shift=(1.0, 2.0), kind="add", lr=2.0):
        assert kind == "add"
        tc.update(W, W + lr * np.asarray(shift))
        return tc.sum(x)

    tc.fit(train, {"x": X}, batch=12)
    assert W.get_value().tolist() == [2, 4]
    tc.fit(train, {"x": X}, batch=12, shift=np.ones(2), lr=1)
    assert W.get_value().tolist() == [3, 5]


def test_inputs_with_defaults_of_a_function_are_hyperparameters():
    x, lr = tc.matrix("x"), tc.scalar("lr")
    W = tc.shared(np.float32(0), "W")
    new = [(W, W + lr)]
    train = tc.function([x, tc.In(lr, value=0.5)], x.sum(), updates=new)
    tc.fit(train, {"x": X}, batch=4)
    assert W.get_value() == 1.5
    tc.fit(train, {"x": X}, batch=4, lr=2)
    assert W.get_value() == 7.5
    with pytest.raises(TypeError, match="takes no number 'rate'"):
        tc.fit(train, {"x": X}, batch=4, rate=2)
    with pytest.raises(TypeError, match=r"'lr' .* is not a column, so it is one"):
        tc.fit(train, {"x": X}, batch=4, lr=[1, 2])
    needed = tc.function([x, lr], x.sum(), updates=new)
    with pytest.raises(tc.TensorcError, match="takes 'lr', the data has no such"):
        tc.fit(needed, {"x": X}, batch=4)


def test_callbacks_see_metrics_and_end_the_training():
    W, train = counted()
    seen = []

    def watch(record):
        seen.append((record.epoch, record.train_cost, record.seconds >= 0))
        return record.train_cost > 3

    also = []
    history = tc.fit(
        train, {"x": X}, batch=4, epochs=50, callbacks=[watch, also.append]
    )
    assert seen == [(1, 0.5, True), (2, 2.0, True), (3, 3.5, True)]
    assert len(history.epochs) == len(also) == 3
    assert history.stopped_early

    class Enough(Exception):
        pass

    def fail(record):
        raise Enough

    before = W.get_value()
    with pytest.raises(Enough):
        tc.fit(train, {"x": X}, batch=4, epochs=50, callbacks=fail)
    assert W.get_value() == before + 1.5
    with pytest.raises(TypeError, match="callbacks are functions"):
        tc.fit(train, {"x": X}, batch=4, callbacks=3)


# What is legal, but most likely a mistake


def test_S045_argmax_without_an_axis_against_a_vector_is_warned_of():
    p, y = tc.matrix("p"), tc.lvector("y")
    with pytest.warns(tc.TensorcWarning, match=r"argmax\(p, axis=1\)") as seen:
        loss = tc.sum(tc.neq(tc.argmax(p), y))
    assert seen[0].filename == __file__
    assert "one index in all of f32" in str(seen[0].message)
    assert loss.eval({p: np.eye(3, dtype="float32"), y: [0, 1, 2]}) == 2
    with pytest.warns(tc.TensorcWarning, match=r"argmin\(p, axis=1\)"):
        y == tc.argmin(p)  # noqa: B015
    with pytest.warns(tc.TensorcWarning):
        tc.jit(lambda p, y: np.sum(np.argmax(p) != y))(np.eye(2), np.array([0, 1]))


def test_other_comparisons_of_places_are_not_warned_of(recwarn):
    p, y = tc.matrix("p"), tc.lvector("y")
    tc.neq(tc.argmax(p, axis=1), y)
    tc.eq(tc.argmax(p[0]), y)
    tc.eq(tc.argmax(p), 3)
    tc.eq(tc.argmax(p), y[0])
    assert not recwarn.list


def test_a_place_is_warned_of_once(recwarn):
    p, y = tc.matrix("p"), tc.lvector("y")
    warnings.simplefilter("default")
    for _ in range(3):
        tc.eq(tc.argmax(p), y)
    assert len(recwarn.list) == 1


def test_the_language_warns_too(tmp_path):

    path = tmp_path / "m.tc"
    path.write_text(
        "fn f(p: float[B, 3], y: int[B]) -> float = mean(argmax(p) != y)\n"
        "fn g(p: float[B, 3], y: int[B]) -> float = mean(argmax(p, axis=1) != y)\n"
    )
    (found,) = checking.check(str(path), {})
    assert found.severity == "warning"
    assert (found.code, found.location.line) == ("TC0319", 1)
    with pytest.warns(tc.TensorcWarning, match="axis=1") as seen:
        assert tc.load(path).f(np.eye(3, dtype="float32"), [0, 1, 2]) == 2 / 3
    assert seen[0].filename == str(path)


SIZES = """
param w: float[5, 1] = 1
fn a(x: float[B, 5], y: float[B]) -> float[B, 5] = x + y
fn b(x: float[B, 5], y: float[B]) -> float = mean(binary_cross_entropy(x, y))
fn c(x: float[A, 5], y: float[B, 5]) -> float[A, 5] = maximum(x, y)
fn d(x: float[B, 2], y: float[N, 2], z: float[N]) = concatenate((x, y), axis=1)
fn e(x: float[B, 784]) = reshape(x, (B, 28, 29))
fn f(x: float[B, 784]) = reshape(x, (10, 784))
fn g(x: float[B, 784]) = reshape(x, (7, 100))
fn h(x: float[B, 5], y: float[B]) -> float = mean((x @ w - y)**2)
fn i(x: float[3, 1], y: float[3]) = x * y
fn still_1(x: float[B], y: float[B]) = x[:, none] - y
fn still_2(x: float[B, 784], y: float[B]) = reshape(x, (B, 28, 28)) * y[:, none, none]
fn still_3(x: float[B, N], y: float[B]) = sum(x @ w) * y
fn still_4(x: float[N]) = x * reshape(w, 5)
fn still_5(x: float[B, 1], y: float[B, 3]) = x * y
"""


def test_sizes_that_an_operation_decides_warn(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text(SIZES)
    found = checking.check(str(path), {})
    assert {(d.code, d.severity) for d in found} == {("TC0319", "warning")}
    assert [(d.location.line, d.message) for d in found] == [
        (3, "`+`: [B, 5] and [B] fit only if B is 5"),
        (4, "`*`: [B] and [B, 5] fit only if B is 5"),
        (5, "maximum: [A, 5] and [B, 5] fit only if B is A"),
        (6, "concatenate: [B, 2] and [N, 2] fit only if N is B"),
        *(
            (line, f"reshape: f32[B, 784] has 784*B elements, {size}")
            for line, size in (
                (7, "[B, 28, 29] has 812*B: they fit only if B is 0"),
                (8, "[10, 784] has 7840: they fit only if B is 10"),
                (9, "[7, 100] has 700: they fit for no size"),
            )
        ),
        (10, "`-`: [B, 1] and [B] make [B, B]: each row meets every other"),
        (11, "`*`: [3, 1] and [3] make [3, 3]: each row meets every other"),
    ]


def test_a_column_against_a_vector_warns_in_a_trace():
    def loss(x, w, y):
        return tc.mean((x @ w - y) ** 2)

    x, w = np.ones((4, 5)), np.ones((5, 1))
    with pytest.warns(tc.TensorcWarning, match="each row meets every other") as seen:
        assert tc.jit(loss)(x, w, np.ones(4)) == 16
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tc.jit(loss)(x, w, np.ones((4, 1)))
        tc.jit(lambda a, b: a[:, None] * b)(np.ones(4), np.ones(4))
        tc.jit(lambda a, b: a * b)(np.ones((4, 1)), np.ones(3))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("mean(cross_entropy(softmax(p), y))", "the logits: `cross_entropy(z, y)`"),
        (
            "mean(cross_entropy(exp(p) / sum(exp(p), axis=1, keepdims=true), y))",
            "the logits: `cross_entropy(z, y)`",
        ),
        ("-mean(log(p)[:, y])", "one of each row: `p[range(B), y]`"),
    ],
)
def test_losses_that_mean_something_else_warn(tmp_path, body, words):
    path = tmp_path / "m.tc"
    path.write_text(f"fn f(p: float[B, 10], y: int[B]) -> float = {body}\n")
    (found,) = checking.check(str(path), {})
    assert (found.severity, found.code, found.location.line) == ("warning", "TC0319", 1)
    assert words in found.hints[0]


@pytest.mark.parametrize(
    "body",
    [
        "mean(cross_entropy(p, y))",
        "mean(cross_entropy(log_softmax(p), y))",
        "-mean(log(p)[range(B), y])",
        "mean(p[:, [1, 2]])",
        "mean(p[:, i])",
    ],
)
def test_losses_that_mean_what_they_say_do_not(tmp_path, body):
    path = tmp_path / "m.tc"
    arguments = "p: float[B, 10], y: int[B], i: int[10]"
    path.write_text(f"fn f({arguments}) -> float = {body}\n")
    assert checking.check(str(path), {}) == []


def test_annotated_losses_warn_at_their_line():
    @tc.jit
    def f(p: tc.f32["B", 10], y: tc.i64["B"]):
        return -np.mean(np.log(p)[:, y])

    with pytest.warns(tc.TensorcWarning, match="np.arange"):
        f(np.ones((3, 10), "f"), np.array([1, 2, 3]))
