"""Groups of variables: arithmetic, updates, names, and what is wrong with them."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

import tensorc as tc


def two(dtype="float64"):
    W = tc.shared(np.arange(6, dtype=dtype).reshape(3, 2), "W")
    b = tc.shared(np.array([-1.0, 2.0], dtype), "b")
    return W, b


def values(group):
    """Return what a group of formulas is, as arrays."""
    return [member.eval() for member in group]


def test_the_general_form_of_gradient_descent_of_seed_004():
    W, b = two()
    x = tc.dmatrix("x")
    params = tc.group(W, b)
    cost = tc.mean((x @ W + b) ** 2)
    gradient = tc.grad(cost, params)
    assert isinstance(gradient, tc.Group)
    assert gradient.names == ("W", "b")
    train = tc.function([x], cost, updates=[(params, params - 0.13 * gradient)])
    W0, b0, X = W.get_value(), b.get_value(), np.ones((4, 3))
    residual = X @ W0 + b0
    assert train(X) == pytest.approx(np.mean(residual**2))
    expected = W0 - 0.13 * 2 / residual.size * X.T @ residual
    np.testing.assert_allclose(W.get_value(), expected, rtol=1e-14)
    expected = b0 - 0.13 * 2 / residual.size * residual.sum(axis=0)
    np.testing.assert_allclose(b.get_value(), expected, rtol=1e-14)


def test_operators_of_masks_work_member_by_member():
    W, b = two()
    params = tc.group(W, b)
    inside = (params > 0) & ~(params >= 2)
    arrays = [W.get_value(), b.get_value()]
    expected = [(a > 0) & ~(a >= 2) for a in arrays]
    for found, wanted in zip(values(inside), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    numbers = params.get_value() > 0
    assert [m.tolist() for m in numbers ^ numbers | False] == [
        np.zeros_like(a, bool).tolist() for a in arrays
    ]


def test_updates_takes_a_dictionary_with_a_group():
    params = tc.group(*two())
    halve = tc.function([], [], updates={params: params / 2})
    halve()
    assert params[1].get_value().tolist() == [-0.5, 1.0]


def test_a_step_updates_a_group_and_returns_one():
    W, b = two()
    params = tc.group(W, b)

    @tc.step
    def train(x, rate):
        cost = np.mean((x @ W + b) ** 2)
        gradient = tc.grad(cost, params)
        tc.update(params, params - rate * gradient)
        return cost, gradient

    before = params.get_value()
    cost, gradient = train(np.ones((4, 3)), 0.5)
    assert cost.shape == ()
    assert isinstance(gradient, tc.Group)
    assert isinstance(gradient["W"], np.ndarray)
    after = before - 0.5 * gradient
    for memory, expected in zip(params, after, strict=True):
        np.testing.assert_allclose(memory.get_value(), expected, rtol=1e-14)


def test_a_group_of_arrays_is_an_argument():
    @tc.jit
    def total(params, x):
        return tc.sum(params["W"] @ x) + params["b"]

    arrays = tc.group(W=np.ones((2, 3)), b=np.float64(1.0))
    assert total(arrays, np.ones(3)) == 7.0
    slope = tc.grad(lambda p: tc.sum(p**2))(arrays)
    assert slope.names == ("W", "b")
    assert slope["b"] == 2.0


def test_momentum_of_other_names_meets_the_members():
    W, b = two()
    params = tc.group(W, b)
    moments = tc.group(*[tc.shared(np.ones(p.get_value().shape), "m") for p in params])
    assert moments.names == ("m", "m_2")
    new = 0.9 * moments + params
    assert values(new)[1].tolist() == pytest.approx([-0.1, 2.9])


OPERATORS = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / (y + 10),
    "//": lambda x, y: x // (y + 10),
    "%": lambda x, y: x % (y + 10),
    "**": lambda x, y: (x + 10) ** (y + 1),
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "unary": lambda x, y: abs(-x) + +y,
}


@pytest.mark.parametrize("sign", OPERATORS)
def test_operators_work_member_by_member(sign):
    function = OPERATORS[sign]
    params = tc.group(*two())
    arrays = [p.get_value() for p in params]
    for other in (2.0, np.float64(2.0), tc.constant(2.0, dtype="float64")):
        number = 2.0
        for given, expected in (
            (function(params, other), [function(a, number) for a in arrays]),
            (function(other, params), [function(number, a) for a in arrays]),
        ):
            for result, wanted in zip(values(given), expected, strict=True):
                np.testing.assert_allclose(result, wanted)
    both = function(params, params)
    for result, a in zip(values(both), arrays, strict=True):
        np.testing.assert_allclose(result, function(a, a))
    of_arrays = function(params.get_value(), params.get_value())
    assert all(isinstance(m, np.ndarray) for m in of_arrays)


def test_functions_work_member_by_member():
    params = tc.group(*two())
    for given, function in (
        (tc.exp(params), np.exp),
        (np.exp(params), np.exp),
        (tc.square(params), np.square),
        (tc.maximum(params, 0.5), lambda a: np.maximum(a, 0.5)),
        (tc.maximum(0.5, params), lambda a: np.maximum(a, 0.5)),
        (tc.clip(params, -1, 1), lambda a: np.clip(a, -1, 1)),
        (tc.where(params > 0, params, 0.0), lambda a: np.where(a > 0, a, 0)),
        (tc.zeros_like(params), np.zeros_like),
        (tc.cast(params, "float32"), lambda a: a.astype("float32")),
    ):
        assert given.names == ("W", "b")
        for result, memory in zip(values(given), params, strict=True):
            np.testing.assert_allclose(result, function(memory.get_value()))


def test_reductions_reduce_over_all_members():
    params = tc.group(*two())
    flat = np.concatenate([p.get_value().ravel() for p in params])
    assert tc.sum(params).eval() == flat.sum()
    assert tc.sum(params**2).eval() == np.sum(flat**2)
    assert tc.prod(params).eval() == pytest.approx(np.prod(flat), rel=1e-15)
    assert tc.max(params).eval() == flat.max()
    assert tc.min(params).eval() == flat.min()
    assert tc.norm(params).eval() == pytest.approx(np.linalg.norm(flat), rel=1e-15)
    assert tc.all(params > -2).eval()
    assert not tc.any(params > 9).eval()
    with pytest.raises(TypeError, match="it takes no axis"):
        tc.sum(params, axis=0)
    with pytest.raises(TypeError, match="transpose of a group is not defined"):
        tc.transpose(params)
    vectors = tc.group(tc.constant([1.0, 2.0]), tc.constant([3.0, 4.0, 5.0]))
    assert tc.dot(vectors, vectors).eval() == 55.0


def test_the_sum_over_the_members_is_pythons():
    W, b = two()
    params = tc.group(W, b)
    squares = sum((p**2).sum() for p in params)
    assert squares.eval() == (W.get_value() ** 2).sum() + (b.get_value() ** 2).sum()
    pair = tc.group(W[0], b)
    expected = W.get_value()[0] ** 2 + b.get_value() ** 2
    np.testing.assert_array_equal(sum(p**2 for p in pair).eval(), expected)


@dataclasses.dataclass
class Layer:
    W: object
    b: object


def test_names_follow_the_structure():
    W, b = two()
    plain = tc.shared(1.0)
    assert tc.group([W, b]).names == ("W", "b")
    assert tc.group({"scale": W, "shift": b}).names == ("scale", "shift")
    assert tc.group(Layer(W, b)).names == ("W", "b")
    assert tc.group(scale=W, shift=b).names == ("scale", "shift")
    assert tc.group(hidden=Layer(W, b)).names == ("hidden.W", "hidden.b")
    assert tc.group({"layers": [Layer(W, b)]}).names == ("layers.0.W", "layers.0.b")
    assert tc.group(tc.group(W), tc.group(b)).names == ("W", "b")
    assert tc.group(plain, tc.shared(2.0)).names == ("0", "1")
    assert tc.group(W, b, W).names == ("W", "b")
    assert len(tc.group(W, [b, W])) == 2
    again = tc.group(tc.shared(0.0, "W"), tc.shared(0.0, "W"))
    assert again.names == ("W", "W_2")


def test_members_are_found_by_name_place_and_pattern():
    W, b = two()
    c = tc.shared(np.zeros(2), "c")
    group = tc.group(hidden=Layer(W, b), output=tc.group(W=c))
    assert group["hidden.W"] is W
    assert group[1] is b
    assert group[-1] is c
    assert group["hidden"].names == ("W", "b")
    assert group["*.W"].names == ("hidden.W", "output.W")
    assert group[1:].names == ("hidden.b", "output.W")
    assert all(m is v for m, v in zip(group, [W, b, c], strict=True))
    assert W in group
    assert "output.W" in group
    assert [name for name, _ in group.items()] == list(group.names)
    assert dict(group)["hidden.b"] is b
    assert repr(group) == "<group of 3: hidden.W, hidden.b, output.W>"
    with pytest.raises(KeyError, match=r"did you mean 'hidden\.W'"):
        group["hiden.W"]
    with pytest.raises(IndexError, match="no member 3"):
        group[3]
    with pytest.raises(TypeError, match="a name, a number or a slice"):
        group[1.5]
    with pytest.raises(TypeError, match="neither true nor false"):
        assert group == group[:]


def test_two_groups_must_have_the_same_members():
    W, b = two()
    params = tc.group(W, b)
    with pytest.raises(ValueError, match="a group of 2 and a group of 1") as caught:
        params + tc.group(W)
    assert "test_groups.py" in str(caught.value)
    with pytest.raises(ValueError, match="a group of 2 and a group of 1"):
        tc.function([], [], updates=[(params, tc.group(W))])
    c = tc.shared(np.zeros(2), "c")
    with pytest.raises(ValueError, match="'W' of one group would meet member 'c'"):
        params + tc.group(c, W)
    # The same names in another order are the same members.
    turned = values(params - tc.group(b, W))
    assert all(not np.any(v) for v in turned)


def test_a_list_of_gradients_meets_a_group():
    W, b = two()
    params = tc.group(W, b)
    cost = tc.sum(W**2) + tc.sum(b**2)
    step = params - tc.grad(cost, [W, b])
    for result, memory in zip(values(step), params, strict=True):
        np.testing.assert_allclose(result, -memory.get_value())


def test_groups_are_copied_and_pickled_with_their_values():
    W, b = two()
    params = tc.group(W, b)
    for other in (
        pickle.loads(pickle.dumps(params)),
        copy.deepcopy(params),
    ):
        assert other.names == params.names
        W.set_value(W.get_value() + 1)
        assert not np.array_equal(other["W"].get_value(), W.get_value())
        W.set_value(W.get_value() - 1)
        np.testing.assert_array_equal(other["W"].get_value(), W.get_value())
    assert copy.copy(params)["W"] is W


def test_values_are_read_and_set_together():
    params = tc.group(*two())
    kept = params.get_value()
    params.set_value(tc.zeros_like(params).map(lambda v: v.eval()))
    assert not params["W"].get_value().any()
    params.set_value(kept)
    assert params["W"].get_value()[2, 1] == 5.0
    wrong = {"W": np.zeros((3, 2)), "b": np.zeros(5)}
    with pytest.raises(ValueError, match="b"):
        params.set_value(wrong)
    assert params["W"].get_value()[2, 1] == 5.0


def test_params_finds_what_an_object_holds():
    W, b = two()

    class Dense:
        def __init__(self, W, b):
            self.W, self.b = W, b
            self.count = tc.shared(0, "count")

    class Net:
        def __init__(self):
            self.hidden = Dense(W, b)
            self.layers = [Dense(tc.shared(1.0), W)]

    assert tc.params(Net()).names == ("hidden.W", "hidden.b", "layers.0.W")
    assert tc.params([W, b]).names == ("W", "b")

    class Theano:
        def __init__(self):
            self.W, self.b, self.other = W, b, tc.shared(1.0)
            self.params = [self.W, self.b]

    assert tc.params(Theano()).names == ("W", "b")
    with pytest.raises(TypeError, match="a formula holds no variables"):
        tc.params(W * 2)


def test_params_finds_what_objects_hold_that_are_called():
    class Dense:
        def __init__(self):
            self.W, self.b = two()
            self.activation = np.tanh

        def __call__(self, x):
            return self.activation(self.W @ x + self.b)

    class Net:
        def __init__(self):
            self.hidden = Dense()
            self.output = Dense()
            self.loss = tc.jit(self)

        def __call__(self, x):
            return tc.sum(self.output(self.hidden(x)) ** 2)

    def noted(x):
        return x

    noted.W = tc.shared(1.0)
    net = Net()
    names = ("hidden.W", "hidden.b", "output.W", "output.b")
    assert tc.params(net).names == names
    assert tc.params(net, noted).names == tuple(f"0.{name}" for name in names)
    assert not tc.params(noted).names


def test_params_of_a_program_are_those_it_declares(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text("""
param W: float[2] = 1
param b: float = 0
state t: float = 0
step f(x: float[2]) -> float { t <- t + 1 return sum(x * W) + b }
""")
    program = tc.load(path)
    assert program.params.names == ("W", "b")
    assert tc.params(program).names == ("W", "b")
    assert program.params["W"] is program.W


def test_lists_in_updates_are_told_to_be_groups():
    W, b = two()
    with pytest.raises(TypeError, match=r"params = tc.group\(W, b\)"):
        tc.function([], [], updates=[([W, b], [W, b])])
    with pytest.raises(TypeError, match="a member of a group must be a variable"):
        tc.group("W")


def test_a_gradient_has_the_structure_of_what_it_is_by():
    W, b = two()
    cost = tc.sum(W**2) + tc.sum(b * 3)
    by_name = tc.grad(cost, {"W": W, "rest": (b, None)})
    assert set(by_name) == {"W", "rest"}
    assert by_name["rest"][1] is None
    assert by_name["rest"][0].eval().tolist() == [3, 3]
    layer = tc.grad(cost, Layer(W, b))
    assert isinstance(layer, Layer)
    np.testing.assert_array_equal(layer.W.eval(), 2 * W.get_value())
    with pytest.raises(ValueError, match="does not depend on"):
        tc.grad(cost, tc.group(W, tc.shared(1.0, "other")))


def ones(*shapes):
    made = [tc.shared(np.arange(1.0, 1 + np.prod(s)).reshape(s), "m") for s in shapes]
    return tc.group(*made)


@pytest.mark.parametrize(
    "shapes", [[()], [(3,)], [(2, 2)], [(3,), (2, 2), (), (1, 2, 3)]]
)
@pytest.mark.parametrize("dot", [tc.dot, np.dot], ids=["tc", "np"])
def test_dot_of_groups_is_one_number_for_members_of_any_rank(shapes, dot):
    group = ones(*shapes)
    expected = sum(float(np.sum(p.get_value() ** 2)) for p in group)
    assert dot(group, group).shape == ()
    assert dot(group, group).eval() == expected


def test_dot_of_groups_takes_members_of_one_shape():
    message = r"f64\[2, 2\] and f64\[2\] have other shapes"
    with pytest.raises(tc.TensorcError, match=message):
        tc.dot(ones((2, 2)), ones((2,)))


def test_norm_of_a_group_has_no_slope_where_it_is_zero():
    group = tc.group(tc.shared(np.zeros(3), "a"), tc.shared(np.zeros((2, 2)), "b"))
    for norm in (tc.norm, np.linalg.norm):
        slopes = tc.grad(norm(group), group)
        assert all(not np.any(slope.eval()) for slope in slopes)


REDUCING = ["sum", "prod", "max", "min", "norm", "dot", "all", "any"]


@pytest.mark.parametrize("name", REDUCING)
def test_numpys_function_of_a_group_is_the_function_here(name):
    group = ones((3,), (2, 2))
    theirs = np.linalg.norm if name == "norm" else getattr(np, name)
    operands = [group] * (2 if name == "dot" else 1)
    assert theirs(*operands).eval() == getattr(tc, name)(*operands).eval()


@pytest.mark.parametrize("name", [n for n in REDUCING if n != "dot"])
def test_reductions_of_a_group_name_themselves_when_they_refuse_an_axis(name):
    message = f"{name} of a group reduces over all members: it takes no axis"
    with pytest.raises(TypeError, match=message):
        getattr(tc, name)(ones((3,), (2, 2)), axis=0)
