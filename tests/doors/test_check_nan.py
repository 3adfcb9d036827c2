"""Checked calls: the first op that made a NaN or an infinity is named, in all doors."""

import pickle
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc.api.finite import reasons
from tensorc.cli.main import run
from tensorc.errors import DivergedError, NotFiniteError


def failing(f, *args, **named):
    """Return the diagnostic of a checked call."""
    with (
        tc.options(check_nan=True),
        pytest.raises(FloatingPointError, match="TC0512") as caught,
    ):
        f(*args, **named)
    assert isinstance(caught.value, NotFiniteError)
    (found,) = caught.value.diagnostics
    assert found.code == "TC0512"
    return found


def line_of(found):
    """Return the line of the source that a diagnostic is at."""
    return Path(found.location.file).read_text().split("\n")[found.location.line - 1]


def test_the_op_its_line_and_the_ranges_of_its_inputs():
    @tc.jit
    def f(x, y):
        shifted = x - 1.0
        logs = np.log(shifted)  # here
        return (logs * y).sum()

    found = failing(f, np.array([2.0, 1.0, 3.0]), np.ones(3))
    assert found.message == "`log` made -inf in 1 of 3 elements"
    assert line_of(found).endswith("# here")
    assert found.label == "at [1]: log(0.0) is -inf"
    assert found.notes[0] == "`x - 1.0` f64[3]: 0 to 2"
    assert found.notes[1:] == ("the result is -inf", "in a call of 'f'")
    assert "maximum(x, 1e-7)" in found.hints[0]
    assert f(np.array([2.0, 1.0, 3.0]), np.ones(3)) == -np.inf  # unchecked


def door_jit():
    return tc.jit(lambda x: np.sqrt(x) + 1), np.array([4.0, -1.0])


def door_grad():
    return tc.grad(lambda x: np.sum(np.log(x))), np.array([1.0, 0.0])


def door_function():
    x = tc.dvector("x")
    return tc.function([x], 1 / x), np.array([0.0, 1.0])


def door_eval():
    x = tc.dvector("x")
    return lambda value: tc.exp(x).eval({x: value}), np.array([1000.0])


def door_copy():
    w, v, x = tc.shared(np.zeros(2), "w"), tc.shared(np.zeros(2), "v"), tc.dvector("x")
    return tc.function([x], x / w).copy(swap={w: v}), np.ones(2)


def door_specialized():
    return tc.jit(lambda x: np.log(x)).specialize(np.zeros(2)), np.zeros(2)


def door_structures():
    f = tc.jit(lambda p: {"y": p["a"] / p["b"]})
    return f, {"a": np.ones(2), "b": np.zeros(2)}


@pytest.mark.parametrize(
    "door",
    [
        *(door_jit, door_grad, door_function, door_eval, door_copy, door_specialized),
        door_structures,
    ],
)
def test_every_door_is_checked(door):
    f, value = door()
    f(value)  # compiled outside of the block, and known
    assert failing(f, value).location.file == __file__
    with tc.options(check_nan=False):
        f(value)


def test_a_file_is_checked(tmp_path):
    path = tmp_path / "a.tc"
    path.write_text("fn f(x: float[N]) -> float =\n    sum(log(x))\n")
    program = tc.load(path)
    found = failing(program.f, [1.0, 0.0])
    assert (found.location.file, found.location.line) == (str(path), 2)
    assert found.message == "`log` made -inf in 1 of 2 elements"


def test_what_is_made_in_the_block_stays_checked(tmp_path):
    path = tmp_path / "a.tc"
    path.write_text("fn f(x: float[N]) -> float[N] = 1 / x\n")
    x = tc.dvector("x")
    with tc.options(check_nan=True):
        f, g = tc.function([x], 1 / x), tc.load(path)
    for function in (f, pickle.loads(pickle.dumps(f)), g.f):
        with pytest.raises(FloatingPointError, match="divisor is 0"):
            function(np.zeros(1))
        with tc.options(check_nan=False):
            function(np.zeros(1))


def test_other_options_and_mistakes():
    with pytest.raises(TypeError, match="check_nan must be True or False"):
        tc.options(check_nan=1)
    with tc.options(check_nan=True), tc.options(check_nan=False):
        assert tc.jit(lambda x: 1 / x)(0.0) == np.inf
    assert tc.jit(lambda x: 1 / x)(0.0) == np.inf


# Derivatives


def test_a_derivative_has_the_line_of_what_it_derives():
    def norm(x):
        square = np.sum(x * x)
        return np.sqrt(square)  # here

    found = failing(tc.grad(norm), np.zeros(3))
    assert found.message == "the derivative of `sqrt` made inf"
    assert line_of(found).endswith("# here")
    assert "here the derivative of `*` makes a NaN of it" in found.labels[0].text
    assert "sqrt(x + 1e-12)" in found.hints[0]


def test_what_where_hides_is_seen_by_its_derivative():
    def entropy(p):
        return np.sum(tc.where(p > 0, p * np.log(p), 0.0))

    p = np.array([0.5, 0.0])
    with tc.options(check_nan=True):
        tc.jit(entropy)(p)  # -inf is made, and not taken
    found = failing(tc.grad(entropy), p)
    assert found.message == "`log` made -inf in 1 of 2 elements"
    assert found.labels[0].text == "here the derivative of `*` makes a NaN of it"
    assert any("f(where(c, x, 1))" in hint for hint in found.hints)


def test_second_derivatives_and_forward():
    def f(x):
        return np.sum(np.sqrt(x))

    message = failing(lambda x: tc.hvp(f, (x,), (x,)), np.zeros(1)).message
    assert message.startswith("the derivative of `sqrt` made ")
    message = failing(lambda x: tc.jvp(f, (x,), (x + 1,)), np.zeros(1)).message
    assert message == "the derivative of `sqrt` made inf in 1 of 1 elements"


# What is given


def test_nan_in_inputs_is_named():
    x = np.ones((4, 3))
    x[2, 1] = np.nan
    found = failing(tc.jit(lambda x, y: np.sum(np.exp(x) + y)), x, 1.0)
    assert found.message == "the input 'x' holds NaN in 1 of 12 elements"
    assert found.notes[0] == "the first at [2, 1]"
    w = tc.shared(np.array([np.nan]), "w")
    found = failing(tc.function([], tc.sum(w * 2)))
    assert found.message == "the variable 'w' holds NaN in 1 of 1 elements"


def test_infinities_that_are_given_may_be_meant():
    with tc.options(check_nan=True):
        assert tc.jit(lambda x: -x)(np.array([np.inf])) == -np.inf
        assert tc.jit(lambda x: np.max(x))(np.full(3, -np.inf)) == -np.inf
        mask = tc.jit(lambda m: tc.where(m, 0.0, -np.inf))
        assert mask(np.array([True, False])).tolist() == [0.0, -np.inf]
        weights = tc.jit(lambda x, m: tc.softmax(tc.where(m, x, -np.inf)))
        given = np.ones(3), np.array([True, False, True])
        assert weights(*given).tolist() == [0.5, 0.0, 0.5]
        w = tc.shared(np.array([1.0, -np.inf]), "w")
        step = tc.function([], tc.sum(tc.exp(w)), updates=[(w, w + 1)])
        assert step() == np.e
    found = failing(weights, np.ones(3), np.zeros(3, bool))
    assert found.message == "`softmax` made NaN of infinities in 3 of 3 elements"
    assert "a constant is -inf" in found.notes
    assert "softmax(x, where=mask)" in found.hints[0]
    found = failing(tc.jit(lambda x: np.sum(x - x)), np.array([1.0, np.inf]))
    assert found.message == "`-` made NaN of infinities in 1 of 2 elements"
    assert "the input 'x' holds inf in 1 of 2 elements" in found.notes


def test_an_op_is_blamed_before_an_infinity_that_is_given():
    f = tc.jit(lambda x, m: np.exp(x) + m)
    found = failing(f, np.array([1000.0]), np.array([-np.inf]))
    assert found.message == "`exp` made inf in 1 of 1 elements"
    assert found.labels[0].text == "here `+` makes a NaN of it"


def test_what_is_not_taken_is_no_cause():
    @tc.jit
    def f(x):
        hidden = 1 / (x - 1)
        lost = np.log(x - 1)  # here
        return tc.where(x > 1.5, hidden, lost)

    found = failing(f, np.array([1.0, 2.0]))
    assert line_of(found).endswith("# here")
    assert found.message == "`log` made -inf in 1 of 2 elements"


def test_an_op_may_make_more_than_it_is_given():
    f = tc.jit(lambda x: 1 / np.exp(x))  # an infinity that ends as 0, and 1 / 0
    found = failing(f, np.array([1000.0, -1000.0]))
    assert found.message == "`/` made inf in 1 of 2 elements"
    assert found.label == "at [1]: 1.0 / 0.0 is inf"


def test_an_infinity_that_is_given_is_no_cover():
    f = tc.jit(lambda x, m: np.concatenate([m, np.exp(x)]))
    found = failing(f, np.array([1000.0]), np.array([np.inf]))
    assert found.message == "`exp` made inf in 1 of 1 elements"


def test_an_op_is_blamed_before_a_nan_of_an_earlier_call():
    w = tc.shared(np.array([np.nan, 1.0]), "w")
    x = tc.vector("x", "float64")
    step = tc.function([x], [], updates=[(w, w * tc.exp(x))])
    found = failing(step, np.array([0.0, 1000.0]))
    assert found.message == "`exp` made inf in 1 of 2 elements"
    assert "the new value of 'w' holds NaN and inf in 2 of 2 elements" in found.notes
    two = tc.function([x], [w * 2, tc.log(x)])
    found = failing(two, np.array([0.0, 1.0]))
    assert found.message == "`log` made -inf in 1 of 2 elements"
    found = failing(two, np.array([1.0, 1.0]))
    assert found.message == "the variable 'w' holds NaN in 1 of 2 elements"


def test_what_a_stride_leaves_out_makes_no_nan_of_a_convolution():
    x, w = np.full((1, 1, 5), 1e200), np.full((1, 1, 1), 1e200)
    x[0, 0, 1] = np.nan
    f = tc.jit(lambda x, w: tc.conv1d(x, w, stride=2))
    found = failing(f, x, w)
    assert found.message == "`conv` made inf in 3 of 3 elements"


def test_convolutions_are_shown_without_an_axis_of_groups():
    x, w = np.ones((2, 4, 3, 3)), np.ones((6, 2, 2, 2))
    f = tc.jit(lambda x, w: tc.conv2d(x * 1e308, w * 1e308, groups=2))
    found = failing(f, x, w)
    assert found.label == "at [0, 0, 0, 0]: inf"
    assert [n.partition(":")[0].rpartition(" f")[2] for n in found.notes[:2]] == [
        "64[2, 4, 3, 3]",
        "64[6, 2, 2, 2]",
    ]


# Memory


def test_no_variable_changes():
    w, n = tc.shared(np.array([1.0, 2.0]), "w"), tc.shared(0, "n")
    x = tc.dvector("x")
    step = tc.function([x], tc.sum(w), updates=[(w, w / x), (n, n + 1)])
    found = failing(step, np.array([1.0, 0.0]))
    assert "the new value of 'w' holds inf in 1 of 2 elements" in found.notes
    assert found.notes[-1] == "no shared variable has changed"
    assert w.get_value().tolist() == [1.0, 2.0]
    assert n.get_value() == 0
    with tc.options(check_nan=True):
        step(np.array([2.0, 4.0]))
    assert w.get_value().tolist() == [0.5, 0.5]
    assert n.get_value() == 1


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_no_variable_changes_where_the_search_ends_early(monkeypatch, error):
    def search(*_):
        raise error

    monkeypatch.setattr(reasons, "explain", search)
    w, x = tc.shared(np.array([1.0, 2.0]), "w"), tc.dvector("x")
    step = tc.function([x], tc.sum(w), updates=[(w, w / x)])
    with tc.options(check_nan=True), pytest.raises(error):
        step(np.array([1.0, 0.0]))
    assert w.get_value().tolist() == [1.0, 2.0]


def test_an_input_may_be_the_memory_that_changes():
    w, x = tc.shared(np.array([1.0, 0.0]), "w"), tc.dvector("x")
    step = tc.function([x], [], updates=[(w, 1 / x)])
    found = failing(step, w.get_value(borrow=True))
    assert found.label == "at [1]: 1.0 / 0.0 is inf"
    assert w.get_value().tolist() == [1.0, 0.0]


def test_an_index_error_is_one():
    f = tc.jit(lambda x, i: np.log(x)[i])
    with tc.options(check_nan=True), pytest.raises(IndexError):
        f(np.zeros(3), 5)


# Branches and loops


def test_what_is_in_a_branch_is_found():
    @tc.jit
    def f(x, c):
        return tc.cond(c > 0, lambda: np.log(x), lambda: x * 2)  # here

    with tc.options(check_nan=True):
        f(np.zeros(2), -1.0)
    found = failing(f, np.array([1.0, 0.0]), 1.0)
    assert found.label == "at [1]: log(0.0) is -inf"
    assert line_of(found).endswith("# here")
    assert failing(f, np.array([1.0, np.nan]), 1.0).message.startswith("the input 'x'")
    before = tc.jit(lambda x, c: tc.cond(c > 0, lambda y: y * 2, lambda y: y, 1 / x))
    assert failing(before, np.zeros(1), 1.0).message.startswith("`/` made inf")


def test_the_turn_of_a_loop_is_named():
    @tc.jit
    def f(xs, a):
        def step(h, x):
            return h * h + a, 1 / x

        return tc.scan(step, np.float64(2.0), xs)

    found = failing(f, np.ones(20), 1.0)
    assert found.message == "`*` made inf"
    assert found.notes[0] == "in turn 9 of the loop, counted from 0"
    found = failing(f, np.array([1.0, 2.0, 0.0, 3.0]), 1.0)
    assert found.label == "1.0 / 0.0 is inf"
    assert found.notes[0] == "in turn 2 of the loop, counted from 0"
    assert failing(f, np.array([1.0, np.nan]), 1.0).message.startswith("the input 'xs'")
    assert failing(f, np.ones(3), np.nan).message.startswith("the input 'a'")


def test_a_loop_may_recover():
    f = tc.jit(lambda xs: tc.scan(lambda h, x: (np.log(x), h), np.float64(0), xs)[0])
    found = failing(f, np.array([1.0, 0.0, 1.0, 0.0]))
    assert found.notes[0] == "in turn 3 of the loop, counted from 0"


def test_a_loop_hands_on_from_one_carry_to_another():
    @tc.jit
    def f(xs):
        def step(carry, x):
            a, b = carry
            return (np.log(x) * 0 + a, a + b), None

        return tc.scan(step, (np.float64(1.0), np.float64(1.0)), xs)[0][1]

    found = failing(f, np.array([1.0, 0.0, 1.0, 1.0]))
    assert found.label == "log(0.0) is -inf"
    assert found.notes[0] == "in turn 1 of the loop, counted from 0"


# Ways out


@pytest.mark.parametrize(
    ("f", "value", "hint"),
    [
        (lambda x: np.exp(x), 800.0, "exp overflows above 709.8"),
        (lambda x: np.log1p(x), -1.0, "keep x above -1"),
        (lambda x: x**0.3, -1.0, "abs(x) ** y"),
        (lambda x: x**0.5, -1.0, "sqrt(maximum(x, 0))"),
        (lambda x: x**-1.5, 0.0, "0 has no negative power"),
        (lambda x: x * x, 1e200, "f64 ends at 1.7977e+308"),
        (lambda x: x.astype("float32") + 1, 1e200, "compute in float64"),
        (lambda x: np.mean(x[:0]), np.ones(3), "there are no elements"),
        (lambda x: 1e300 / x, 1e-100, "the divisor is 1e-100, nearly 0"),
    ],
)
def test_each_message_has_a_way_out(f, value, hint):
    assert any(hint in h for h in failing(tc.jit(f), value).hints)


# Training


def training(lr=0.1, batch=3):
    """Return a step that loses its numbers at a negative x, and its memory."""
    w = tc.shared(np.float64(1.0), "w")

    @tc.step
    def train(x):
        cost = tc.mean(np.sqrt(x) * w)
        tc.update(w, w - lr * tc.grad(cost, w))
        return cost

    return train, w


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_batch_of_a_fit_is_named(shuffle):
    x = np.arange(1.0, 301.0)
    x[200] = -4.0
    train, w = training()
    options = {"batch": 3, "epochs": 3, "shuffle": shuffle, "seed": 3}
    with tc.options(check_nan=True), pytest.raises(DivergedError) as caught:
        tc.fit(train, {"x": x}, **options)
    (found,) = caught.value.diagnostics
    assert found.message == "`sqrt` made NaN in 1 of 3 elements"
    assert "sqrt(-4.0) is nan" in found.label
    assert line_of(found) == "        cost = tc.mean(np.sqrt(x) * w)"
    note = found.notes[-2]
    assert note.endswith("of epoch 1")
    assert "200" in note
    assert found.notes[-1] == "no shared variable has changed"
    before = w.get_value()
    assert np.isfinite(before)
    if not shuffle:
        assert "in batch 67 of the data, rows 198 to 200, counted from 0" in note
        train, again = training()
        tc.fit(train, {"x": x[:198]}, batch=3)
        assert before == again.get_value()  # as before this batch


def test_a_fit_without_a_fault_has_the_same_bits():
    x = np.linspace(1, 2, 300)
    histories = []
    for check in (False, True):
        train, w = training()
        with tc.options(check_nan=check):
            history = tc.fit(train, {"x": x}, batch=7, epochs=4, shuffle=True)
        histories.append(([e.train_cost for e in history.epochs], w.get_value()))
    assert histories[0] == histories[1]


def test_a_variable_that_no_cost_shows_is_seen_at_its_batch():
    w = tc.shared(np.zeros(2), "w")

    @tc.step
    def train(x):
        tc.update(w, tc.where(x[0] > 7, np.log(w), w))
        return tc.sum(x)

    with tc.options(check_nan=True), pytest.raises(DivergedError) as caught:
        tc.fit(train, {"x": np.arange(20.0)}, batch=1)
    (found,) = caught.value.diagnostics
    assert "the new value of 'w' holds -inf in 2 of 2 elements" in found.notes
    assert "in batch 9 of the data, row 8, counted from 0, of epoch 1" in found.notes


def test_an_array_of_a_batch_in_the_middle_is_seen():
    w = tc.shared(0.0, "w")

    @tc.step
    def train(x):
        tc.update(w, w + 1)
        return tc.sum(x), 1 / x

    x = np.ones(30)
    x[10] = 0
    with tc.options(check_nan=True), pytest.raises(DivergedError) as caught:
        tc.fit(train, {"x": x}, batch=2)
    (found,) = caught.value.diagnostics
    assert found.notes[-2].startswith("in batch 6 of the data, rows 10 to 11")
    assert w.get_value() == 5


def test_an_infinite_cost_that_was_given_names_the_column():
    train, _ = training()
    with tc.options(check_nan=True), pytest.raises(DivergedError) as caught:
        tc.fit(train, {"x": np.array([1.0, np.inf])}, batch=1)
    assert caught.value.diagnostics[0].message == (
        "the input 'x' holds inf in 1 of 1 elements"
    )


def test_validation_is_checked():
    train, _ = training()
    error = tc.jit(lambda x: tc.mean(np.log(x)))
    data = tc.data.arrays({"x": np.ones(4)}, valid={"x": np.array([1.0, 0.0])})
    with tc.options(check_nan=True), pytest.raises(DivergedError, match="`log` made"):
        tc.fit(train, data, batch=1, validate=error)


def test_both_ways_at_once_are_refused():
    train, _ = training()
    with (
        tc.options(check_nan=True),
        pytest.raises(tc.TensorcError, match="allow_nan=True goes on"),
    ):
        tc.fit(train, {"x": np.ones(3)}, batch=1, allow_nan=True)


# The command line

MODEL = """
hyper lr = 0.1
param w: float = 1

step train(x: float[B, 1]) -> float {
    cost = mean(log(x) * w)
    w <- w - lr * grad(cost, w)
    return cost
}

fn f(x: float[N]) -> float = sum(1 / x)

fit {
    data = npz("data.npz")
    batch = 2
    step = train
}

run {
    call = f([1, 0])
}
"""


def test_the_commands(tmp_path, capsys):
    path = tmp_path / "a.tc"
    path.write_text(MODEL)
    x = np.ones((10, 1), np.float32)
    x[5] = 0
    np.savez(tmp_path / "data.npz", x_train=x)
    assert run(["train", str(path), "--quiet", "--check-nan"]) == 4
    text = capsys.readouterr().err
    assert "error[TC0512]: `log` made -inf in 1 of 2 elements" in text
    assert f"{path}:6:17" in text
    assert "^^^^^^ at [1, 0]: log(0.0) is -inf" in text
    assert "in batch 3 of the data, rows 4 to 5, counted from 0, of epoch 1" in text
    assert "--set lr=…" in text
    assert run(["run", str(path)]) == 0
    assert capsys.readouterr().out == "inf\n"
    assert run(["run", str(path), "--check-nan"]) == 4
    assert f"{path}:11:34" in capsys.readouterr().err
    assert run(["run", f"{path}::f", "--arg", "x=[0]", "--check-nan"]) == 4
    assert "1.0 / 0.0 is inf" in capsys.readouterr().err
    assert run(["train", str(path), "--check-nan", "--allow-nan"]) == 1
    assert "--allow-nan goes on" in capsys.readouterr().err
    assert run(["run", str(path)]) == 0  # the option ends with its command
