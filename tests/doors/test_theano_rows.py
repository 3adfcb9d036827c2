"""The rows of the Theano sheet that speak of symbolic functions, one test for each."""

import copy
import math
import pickle

import numpy as np
import pytest

import tensorc as tc

LABELS = np.array([0, 2, 1, 1])
IMAGES = np.linspace(-1, 1, 32, dtype="float32").reshape(4, 8)


class Classifier:
    """Softmax regression as the tutorials write it."""

    def __init__(self, x, n_in, n_out):
        self.W = tc.shared(np.zeros((n_in, n_out), "float32"), name="W", borrow=True)
        self.b = tc.shared(np.zeros(n_out, "float32"), name="b", borrow=True)
        self.p_y_given_x = tc.softmax(tc.dot(x, self.W) + self.b)
        self.y_pred = tc.argmax(self.p_y_given_x, axis=1)
        self.params = [self.W, self.b]
        self.input = x

    def negative_log_likelihood(self, y):
        return -tc.mean(tc.log(self.p_y_given_x)[tc.arange(y.shape[0]), y])

    def errors(self, y):
        return tc.mean(tc.neq(self.y_pred, y))


def log_softmax(scores):
    shifted = scores - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def nll(W, b):
    scores = IMAGES.astype("float64") @ W + b
    return -log_softmax(scores)[np.arange(4), LABELS].mean()


# 1.1: the four areas


def test_S000_grad_is_by_any_variable_not_only_shared_ones():
    W = tc.shared(np.array([1.0, 2.0]), "W")
    x = tc.dvector("x")
    h = x * W
    cost = (h**3).sum()
    f = tc.function([x], tc.grad(cost, [W, x, h]))
    by_w, by_x, by_h = f([3.0, -1.0])
    product = np.array([3.0, -2.0])
    np.testing.assert_array_equal(by_h, 3 * product**2)
    np.testing.assert_array_equal(by_w, 3 * product**2 * [3.0, -1.0])
    np.testing.assert_array_equal(by_x, 3 * product**2 * [1.0, 2.0])


def test_S002_a_classifier_can_be_copied_and_pickled_whole():
    x, y = tc.matrix("x"), tc.lvector("y")
    made = Classifier(x, 8, 3)
    made.cost = made.negative_log_likelihood(y)
    made.y = y
    for again in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        inputs = [again.input, again.y]
        gradients = tc.grad(again.cost, again.params)
        updates = [(p, p - g) for p, g in zip(again.params, gradients, strict=True)]
        train = tc.function(inputs, [again.cost, again.y_pred], updates=updates)
        cost, _ = train(IMAGES, LABELS)
        assert cost == pytest.approx(math.log(3), rel=1e-6)
        assert again.W.get_value().any()
        assert not made.W.get_value().any()


def test_S003_shared_holds_a_copy_of_its_value():
    data = np.arange(6.0).reshape(2, 3)
    x = tc.shared(data, name="x", borrow=True)
    data[:] = 7
    np.testing.assert_array_equal(x.get_value(), np.arange(6.0).reshape(2, 3))


def test_S004_an_expression_runs_only_inside_a_function():
    x = tc.vector("x")
    y = x * 2
    assert not hasattr(y, "get_value")
    np.testing.assert_array_equal(tc.function([x], y)([1, 2]), [2, 4])


def test_S005_inputs_may_be_empty():
    x = tc.shared(3.0)
    assert tc.function([], x * 2)() == 6.0
    assert tc.function(inputs=[])() == []


def test_S006_a_shared_variable_is_no_input():
    W = tc.shared(1.0, "W")
    with pytest.raises(
        TypeError, match=r"shared variable[\s\S]*givens=[\s\S]*updates="
    ):
        tc.function([W], W * 2)


def test_S007_any_lazy_expression_is_an_output():
    x = tc.matrix("x")
    made = Classifier(x, 8, 3)
    data = tc.shared(IMAGES)
    f = tc.function(inputs=[], outputs=made.y_pred, givens={x: data})
    np.testing.assert_array_equal(f(), [0, 0, 0, 0])


def test_S008_get_value_of_an_intermediate_says_what_to_do():
    x = tc.vector("x")
    with pytest.raises(AttributeError, match=r"not a shared variable.*eval"):
        (x * 2).get_value()


def test_S009_updates_read_old_values_and_commit_together():
    a, b = tc.shared(1.0, "a"), tc.shared(2.0, "b")
    swap = tc.function([], [a, b], updates=[(a, b), (b, a + 10)])
    assert [float(v) for v in swap()] == [1.0, 2.0]
    assert (a.get_value(), b.get_value()) == (2.0, 11.0)
    again = tc.function([], a + b, updates={a: b})
    assert again() == 13.0
    assert a.get_value() == 11.0


def test_S010_every_holder_sees_an_update_and_get_value_copies():
    W = tc.shared(np.zeros(3), "W")
    held, copied = W.get_value(borrow=True), W.get_value()
    tc.function([], updates=[(W, W + 1)])()
    np.testing.assert_array_equal(held, [1, 1, 1])
    np.testing.assert_array_equal(copied, [0, 0, 0])
    W.get_value()[:] = 9
    np.testing.assert_array_equal(W.get_value(), [1, 1, 1])


def test_S011_set_value_is_the_door_to_shared_memory():
    W = tc.shared(np.zeros(3), "W")
    f = tc.function([], W.sum())
    W.set_value(np.array([1.0, 2.0, 3.0]), borrow=True)
    assert f() == 6.0


def test_S012_givens_replace_by_identity():
    x, y, other = tc.vector("x"), tc.lvector("y"), tc.vector("x")
    data = tc.shared(np.array([1, 2, 3], "float32"))
    labels = tc.shared(np.array([0, 1, 1]))
    out = (x * 2).sum() + y.sum()
    f = tc.function([], out, givens={x: data[:], y: labels[:], other: data})
    assert f() == 14
    g = tc.function([y], out, givens=[(x, data[1:])])
    assert g([5]) == 15


def test_S012_givens_replace_intermediates_and_may_use_what_they_replace():
    x = tc.vector("x")
    h = x + 1
    assert tc.function([x], h * 2, givens={h: x * 10})([3]) == [60]
    assert tc.function([x], h * 2, givens={x: x * 10})([3]) == [62]


def test_S014_dot_works_on_ordinary_variables():
    a, b = tc.matrix("a"), tc.matrix("b")
    left, right = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    got = tc.function([a, b], tc.dot(a, b))(left, right)
    np.testing.assert_array_equal(got, left @ right)


def test_S015_train_validate_and_test_share_the_parameters():
    x, y = tc.matrix("x"), tc.lvector("y")
    made = Classifier(x, 8, 3)
    cost = made.negative_log_likelihood(y)
    g_W, g_b = tc.grad(cost=cost, wrt=[made.W, made.b])
    data, labels = tc.shared(IMAGES), tc.shared(LABELS)
    updates = [(made.W, made.W - 0.5 * g_W), (made.b, made.b - 0.5 * g_b)]
    givens = {x: data[0:4], y: labels[0:4]}
    train = tc.function([], cost, updates=updates, givens=givens)
    test = tc.function([], made.errors(y), givens=givens)
    W, b = np.zeros((8, 3)), np.zeros(3)
    onehot = np.eye(3)[LABELS]
    for _ in range(5):
        assert train() == pytest.approx(nll(W, b), rel=1e-5)
        slope = (np.exp(log_softmax(IMAGES @ W + b)) - onehot) / 4
        W, b = W - 0.5 * IMAGES.T @ slope, b - 0.5 * slope.sum(axis=0)
    np.testing.assert_allclose(made.W.get_value(), W, rtol=1e-4, atol=1e-6)
    wrong = (IMAGES @ W + b).argmax(axis=1) != LABELS
    assert test() == pytest.approx(wrong.mean())


# 1.2: variables, gradient descent, a network of two layers


def test_S020_variables_by_rank_are_float32():
    names = ("scalar", "vector", "matrix", "tensor3", "tensor4")
    for rank, name in enumerate(names):
        variable = getattr(tc, name)("v")
        assert (variable.ndim, variable.dtype, variable.name) == (rank, "float32", "v")
    assert tc.ivector().dtype == "int32"
    assert tc.dmatrix("m").dtype == "float64"
    assert tc.row().shape[0] == 1
    assert tc.col().shape[1] == 1
    assert tc.matrix("m", dtype="int64").dtype == "int64"


def test_S021_variables_have_no_value():
    x = tc.vector("x")
    for use in (bool, list, len, float):
        with pytest.raises(TypeError):
            use(x)
    assert (x == None) is False  # noqa: E711
    assert len({x: 1, tc.vector("x"): 2}) == 2


def test_S022_dot_is_a_method():
    A, v = tc.matrix("A"), tc.vector("v")
    assert A.dot(v).ndim == 1


def test_S023_integer_arrays_go_into_float_inputs():
    A, v = tc.matrix("A"), tc.vector("v")
    f = tc.function(inputs=[A, v], outputs=[A.dot(v)])
    got = f(np.array([[1, 2], [3, 4]]), np.array([5, 6]))
    assert isinstance(got, list)
    np.testing.assert_array_equal(got[0], [17.0, 39.0])


def test_S024_shared_of_a_python_float_is_float64():
    x = tc.shared(20.0, "x")
    assert (x.dtype, x.name, x.ndim) == ("float64", "x", 0)
    assert tc.shared(0).dtype == "int64"


def test_S025_gradient_descent_prints_the_costs():
    x = tc.shared(20.0, "x")
    cost = x * x + x + 1
    x_update = x - 0.3 * tc.grad(cost, x)
    train = tc.function(inputs=[], outputs=cost, updates=[(x, x_update)])
    costs = [train() for _ in range(25)]
    np.testing.assert_allclose(
        costs[:5], [421.0, 67.99, 11.5084, 2.471344, 1.02541504], rtol=1e-14
    )
    assert costs[-1] == pytest.approx(0.75, abs=1e-12)
    assert x.get_value() == pytest.approx(-0.49999999769, abs=1e-11)


def test_S026_grad_by_a_list_gives_a_list():
    a, b = tc.shared(2.0), tc.shared(3.0)
    found = tc.grad(a * a * b, [a, b])
    assert isinstance(found, list)
    assert [g.eval() for g in found] == [12.0, 4.0]
    assert isinstance(tc.grad(a * b, (a, b)), tuple)


def test_S027_the_output_is_the_cost_before_the_update():
    x = tc.shared(20.0, "x")
    cost = x * x + x + 1
    train = tc.function([], cost, updates=[(x, x - 0.3 * tc.grad(cost, x))])
    assert train() == 421.0


def test_S028_shared_of_an_array_keeps_its_type():
    W1 = tc.shared(np.random.default_rng(0).standard_normal((4, 3)), "W1")
    assert W1.dtype == "float64"
    assert W1.shape == (4, 3)


def two_layers():
    random = np.random.default_rng(1)
    W1 = tc.shared(random.standard_normal((8, 5)), "W1")
    W2 = tc.shared(random.standard_normal((5, 3)), "W2")
    X, T = tc.dmatrix("X"), tc.dmatrix("T")
    Y = tc.softmax(tc.tanh(X.dot(W1)).dot(W2))
    return W1, W2, X, T, -(T * tc.log(Y)).sum(), tc.argmax(Y, axis=1)


def test_S029_cross_entropy_with_one_hot_targets():
    W1, W2, X, T, cost, prediction = two_layers()
    targets = np.eye(3)[LABELS]
    got, found = tc.function([X, T], [cost, prediction])(IMAGES, targets)
    scores = np.tanh(IMAGES.astype(float) @ W1.get_value()) @ W2.get_value()
    assert got == pytest.approx(-(targets * log_softmax(scores)).sum(), rel=1e-12)
    np.testing.assert_array_equal(found, scores.argmax(axis=1))


def test_S02A_a_function_without_outputs_returns_an_empty_list():
    W1, W2, X, T, cost, _ = two_layers()
    updates = [(W, W - 0.01 * tc.grad(cost, W)) for W in (W1, W2)]
    before = W1.get_value()
    train = tc.function(inputs=[X, T], updates=updates)
    assert train(IMAGES, np.eye(3)[LABELS]) == []
    assert np.any(W1.get_value() != before)


def test_S02B_several_outputs_are_a_list_of_arrays():
    _, _, X, T, cost, prediction = two_layers()
    found = tc.function(inputs=[X, T], outputs=[cost, prediction])
    results = found(IMAGES, np.eye(3)[LABELS])
    assert [type(r) for r in results] == [np.ndarray, np.ndarray]
    assert [r.shape for r in results] == [(), (4,)]


def test_S02C_strided_views_are_taken():
    x = tc.matrix("x")
    f = tc.function([x], x.sum(axis=0))
    whole = np.arange(48, dtype="float32").reshape(8, 6)
    for view in (whole[2:5,], whole[::2, ::-1], whole.T):
        np.testing.assert_array_equal(f(view), view.sum(axis=0))


# 1.3: four weights


def test_S0201_prefixed_constructors():
    x, target = tc.fvector("x"), tc.fscalar("target")
    assert (x.dtype, x.ndim, target.dtype, target.ndim) == ("float32", 1, "float32", 0)


def test_S0202_shared_of_an_array_prints_as_numpy_does():
    W = tc.shared(np.asarray([0.1, 0.25, 0.15, 0.3]), "W")
    assert str(W.get_value()) == "[0.1  0.25 0.15 0.3 ]"


def test_S0203_float32_with_float64_is_float64():
    x = tc.fvector("x")
    W = tc.shared(np.asarray([0.1, 0.25, 0.15, 0.3]), "W")
    y = (x * W).sum()
    assert y.dtype == "float64"
    assert y.eval({x: [1, 1, 1, 1]}) == ((0.1 + 0.25) + 0.15) + 0.3


def test_S0204_sqr_is_a_product():
    x = tc.dscalar("x")
    assert tc.sqr(x).eval({x: -3.0}) == 9.0


def test_S0205_grad_of_a_list_of_one():
    x = tc.dscalar("x")
    (by_x,) = tc.grad(tc.sqr(x), [x])
    assert by_x.eval({x: 4.0}) == 8.0


def weights():
    x, target = tc.fvector("x"), tc.fscalar("target")
    W = tc.shared(np.asarray([0.1, 0.25, 0.15, 0.3]), "W")
    y = (x * W).sum()
    gradients = tc.grad(tc.sqr(target - y), [W])
    return W, tc.function([x, target], y, updates=[(W, W - (0.1 * gradients[0]))])


def test_S0206_the_output_is_from_before_the_update():
    _, f = weights()
    assert f([1.0, 1.0, 1.0, 1.0], 100.0) == 0.8


def test_S0207_inexact_floats_are_refused_on_request():
    x = tc.fvector("x")
    with pytest.raises(TypeError, match=r"cannot store .*0\.1.* accurately"):
        tc.function([x], x.sum(), allow_input_downcast=False)([0.1])
    strict = tc.function([x], x.sum(), allow_input_downcast=False)
    assert strict([1.0, 2.5]) == 3.5
    i = tc.ivector("i")
    assert tc.function([i], i.sum(), allow_input_downcast=True)([1.9]) == 1


def test_S0208_the_outputs_digit_for_digit():
    _, f = weights()
    expected = [
        "0.8",
        "80.16000000000001",
        "96.03200000000001",
        "99.2064",
        "99.84128",
        "99.968256",
        "99.9936512",
        "99.99873024",
        "99.99974604799999",
        "99.99994920960002",
    ]
    assert [str(f([1.0, 1.0, 1.0, 1.0], 100.0)) for _ in range(10)] == expected


def test_S0209_the_weights_after_each_call():
    W, f = weights()
    rows = []
    for _ in range(10):
        f([1.0, 1.0, 1.0, 1.0], 100.0)
        rows.append(str(W.get_value()))
    assert rows[0] == "[19.94 20.09 19.99 20.14]"
    assert rows[3] == "[24.86032 25.01032 24.91032 25.06032]"
    assert rows[7] == "[24.89993651 25.04993651 24.94993651 25.09993651]"
    assert rows[9] == "[24.89999746 25.04999746 24.94999746 25.09999746]"


# 1.4: losses, labels, penalties


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([[0.3, 0.3, 0.4], [0.3, 0.4, 0.3], [0.1, 0.2, 0.7]], 1.3784),
        ([[0.1, 0.2, 0.7], [0.1, 0.7, 0.2], [0.3, 0.4, 0.3]], 0.6391),
    ],
)
def test_S040_cross_entropy_tells_tables_with_one_error_apart(table, expected):
    targets = {1.3784: [2, 1, 0], 0.6391: [2, 1, 0]}[expected]
    p, y = tc.dmatrix("p"), tc.lvector("y")
    cost = -tc.mean(tc.log(p)[tc.arange(y.shape[0]), y])
    error = tc.mean(tc.neq(tc.argmax(p, axis=1), y))
    got, wrong = tc.function([p, y], [cost, error])(table, targets)
    assert wrong == pytest.approx(1 / 3)
    first = {1.3784: -math.log(0.1), 0.6391: -math.log(0.3)}[expected]
    rest = {1.3784: -2 * math.log(0.4), 0.6391: -2 * math.log(0.7)}[expected]
    assert got == pytest.approx((first + rest) / 3, rel=1e-12)
    assert got == pytest.approx({1.3784: 1.3784, 0.6391: 0.6391}[expected], abs=5e-5)


def test_S042_switch_takes_integers_and_python_numbers():
    mask, state = tc.lvector("mask"), tc.vector("state")
    out = tc.switch(mask, state, 0)
    assert out.dtype == "float32"
    by_state = tc.grad(out.sum(), state)
    got, slope = tc.function([mask, state], [out, by_state])([1, 0, 2], [5, 6, 7])
    np.testing.assert_array_equal(got, [5, 0, 7])
    np.testing.assert_array_equal(slope, [1, 0, 1])


def test_S043_constants_keep_a_float32_graph_float32():
    x = tc.fmatrix("x")
    for y in (x * 0.1, np.float32(0.01) * x, x / 3, x**2, 1 - x, x + np.ones(3, "f4")):
        assert y.dtype == "float32"
    assert x.astype("float64").dtype == "float64"
    assert (x * np.float64(0.1)).dtype == "float64"
    assert (x * x.shape[0]).dtype == "float32"


def test_S044_shared_by_keyword():
    w = tc.shared(np.zeros((2, 3)).astype("float32"), name="w")
    assert (w.name, w.dtype) == ("w", "float32")


def test_S045_zero_one_loss():
    p, y = tc.matrix("p"), tc.lvector("y")
    loss = tc.sum(tc.neq(tc.argmax(p, axis=1), y))
    got = tc.function([p, y], loss)([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]], [1, 1, 1])
    assert (got, got.dtype) == (1, np.int64)


def test_S046_likelihood_of_labels_is_stable_and_has_the_known_gradient():
    x, y = tc.dmatrix("x"), tc.lvector("y")
    p = tc.softmax(x)
    cost = -tc.sum(tc.log(p)[tc.arange(y.shape[0]), y])
    f = tc.function([x, y], [cost, tc.grad(cost, x)])
    scores = np.array([[1000.0, 0.0, -1000.0], [0.0, 1.0, 2.0]])
    got, slope = f(scores, [1, 2])
    assert got == pytest.approx(1000 - log_softmax(scores)[1, 2])
    expected = np.exp(log_softmax(scores)) - np.eye(3)[[1, 2]]
    np.testing.assert_allclose(slope, expected, rtol=1e-14, atol=1e-15)


def test_S047_data_sets_are_shared_arrays():
    data = tc.shared(np.asarray(IMAGES, dtype="float32"), borrow=True)
    np.testing.assert_array_equal(data.get_value(), IMAGES)


def test_S048_labels_are_cast_where_they_are_used():
    labels = tc.shared(np.array([0, 2, 1, 1], "float32"))
    y = tc.cast(labels, "int32")
    assert y.dtype == "int32"
    assert not isinstance(y, tc.Shared)
    np.testing.assert_array_equal(y.eval(), LABELS)


def test_S049_a_slice_of_a_shared_variable_is_symbolic():
    x = tc.matrix("x")
    train_set_x = tc.shared(np.arange(20.0, dtype="float32").reshape(10, 2))
    data = train_set_x[2 * 3 : 3 * 3]
    f = tc.function([], x.sum(axis=1), givens={x: data})
    np.testing.assert_array_equal(f(), [25, 29, 33])


def test_S04A_one_hot_rows():
    np.testing.assert_array_equal(tc.eye(2).eval(), np.eye(2))
    np.testing.assert_array_equal(tc.eye(2, 3, 1).eval(), np.eye(2, 3, 1))
    y = tc.lvector("y")
    rows = tc.one_hot(y, 3)
    np.testing.assert_array_equal(rows.eval({y: LABELS}), np.eye(3)[LABELS])


def test_S04B_penalties():
    W = tc.shared(np.array([[1.0, -2.0], [0.0, 3.0]]), "W")
    L1, L2 = tc.sum(abs(W)), tc.sum(W**2)
    loss = 0.5 * L1 + 0.25 * L2
    got, slope = tc.function([], [loss, tc.grad(loss, W)])()
    assert got == 0.5 * 6 + 0.25 * 14
    np.testing.assert_array_equal(slope, [[1.0, -1.5], [0.0, 2.0]])


def test_S04E_the_general_form_zipped():
    x, y = tc.matrix("x"), tc.lvector("y")
    made = Classifier(x, 8, 3)
    loss = made.negative_log_likelihood(y)
    gradients = tc.grad(loss, made.params)
    pairs = zip(made.params, gradients, strict=True)
    train = tc.function([x, y], loss, updates=[(p, p - 0.1 * g) for p, g in pairs])
    assert train(IMAGES, LABELS) > train(IMAGES, LABELS)


def test_S04E_the_three_slips_are_told():
    W = tc.shared(np.zeros(3), "W")
    x = tc.dvector("x")
    params, loss = [W], (W * x).sum()
    with pytest.raises(TypeError, match="did you mean `updates=`"):
        tc.function([x], loss, update=[(W, W)])
    with pytest.raises(TypeError, match="group them"):
        tc.function([x], loss, updates=[(params, tc.grad(loss, params))])
    with pytest.raises(TypeError, match="group them"):
        W - params


def test_S04F_cross_entropy_with_logits():
    x, y = tc.dmatrix("x"), tc.lvector("y")
    got = tc.cross_entropy(x, y).eval({x: IMAGES, y: LABELS})
    scores = log_softmax(IMAGES.astype(float))
    np.testing.assert_allclose(got, -scores[np.arange(4), LABELS], rtol=1e-12)


def test_S04A_rows_of_a_unit_matrix():
    y = tc.lvector("y")
    rows = tc.eye(3)[y]
    assert rows.dtype == "float32"
    np.testing.assert_array_equal(rows.eval({y: LABELS}), np.eye(3)[LABELS])
    np.testing.assert_array_equal(rows.eval({y: [-1]}), [[0, 0, 1]])
    with pytest.raises(IndexError, match="index 3 is out of range for axis 0"):
        rows.eval({y: [0, 3]})


def test_S046_pairs_of_rows_and_columns_of_any_kind():
    p, y = tc.dmatrix("p"), tc.lvector("y")
    rows = tc.lvector("rows")
    cost = -tc.sum(tc.log(p)[rows, y])
    f = tc.function([p, rows, y], [cost, tc.grad(cost, p)])
    values = np.array([[0.5, 0.25], [0.125, 1.0]])
    got, slope = f(values, [0, 1, 0], [1, -2, 1])
    assert got == pytest.approx(-np.log([0.25, 0.125, 0.25]).sum())
    np.testing.assert_array_equal(slope, [[0, -8], [-8, 0]])
