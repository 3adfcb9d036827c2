"""The shell of Theano's names: what its tutorials import, and its own rules."""

import sys

import numpy as np
import pytest

from tensorc.frontend.python.symbolic_operands import DOOR
from tensorc.theano.installing import ALIASES, install


@pytest.fixture
def theano():
    """Return the module that `import theano` gives, with floatX float64."""
    before = {n: m for n, m in sys.modules.items() if n.split(".")[0] == "theano"}
    token = DOOR.set(DOOR.get())
    install()
    yield sys.modules["theano"]
    DOOR.reset(token)
    for name in [n for n in sys.modules if n.split(".")[0] == "theano"]:
        del sys.modules[name]
    sys.modules.update(before)


def test_the_imports_of_the_tutorials_resolve(theano):
    import theano.tensor as T
    from theano.sandbox.rng_mrg import MRG_RandomStreams
    from theano.tensor.nnet import conv, conv2d
    from theano.tensor.shared_randomstreams import RandomStreams
    from theano.tensor.signal import downsample, pool

    assert T is theano.tensor
    assert conv2d is T.nnet.conv2d
    assert pool.pool_2d is T.signal.pool.pool_2d
    assert downsample is T.signal.downsample
    assert conv.conv2d is conv2d is T.nnet.conv.conv2d
    assert T.nnet.neighbours.images2neibs is T.nnet.images2neibs
    assert RandomStreams is T.shared_randomstreams.RandomStreams
    assert MRG_RandomStreams is theano.sandbox.rng_mrg.MRG_RandomStreams
    assert theano.scalar.upcast("int8", "float32") == "float32"
    assert theano.compile.mode.get_default_mode() == "Mode"
    assert {f"theano.{name}" for name in ALIASES} <= sys.modules.keys()


def test_S0200_a_star_import_gives_the_names_of_the_tutorial(theano):
    names: dict[str, object] = {}
    exec("from theano import *", names)
    assert names["theano"] is theano
    assert {"function", "shared", "tensor", "config", "scan", "grad"} <= names.keys()


def test_S043_floatX_is_float64_and_may_be_set(theano):
    T = theano.tensor
    assert theano.config.floatX == "float64"
    assert T.matrix().dtype == "float64"
    assert (T.ivector() / 2).dtype == "float64"
    theano.config.floatX = "float32"
    assert T.matrix().dtype == "float32"
    assert T.cast(T.ivector(), "floatX").dtype == "float32"
    assert theano.shared(20.0).dtype == "float64"
    with pytest.raises(ValueError, match="float16"):
        theano.config.floatX = "float16"
    with pytest.raises(AttributeError, match="no setting 'flaotX'"):
        theano.config.flaotX = "float32"


def test_theano_flags_are_read(theano, monkeypatch):
    monkeypatch.setenv("THEANO_FLAGS", "device=cpu,floatX=float32, warn.x=False")
    install()
    assert theano.config.floatX == "float32"
    monkeypatch.setenv("THEANO_FLAGS", "device=cuda0")
    with pytest.raises(ValueError, match="device is 'cpu' here, got 'cuda0'"):
        install()


def test_variables_are_made_several_at_once(theano):
    T = theano.tensor
    x, y = T.dmatrices("x", "y")
    assert (x.name, y.name, x.ndim, y.dtype) == ("x", "y", 2, "float64")
    assert len(T.vectors(3)) == 3
    row = T.TensorType("float32", (True, False))("r")
    assert (row.dtype, row.shape[0]) == ("float32", 1)


def test_clip_below_the_least_is_the_least_where_bounds_cross(theano):
    x = theano.tensor.dvector("x")
    clipped = theano.tensor.clip(x, 2, 1)
    assert clipped.eval({x: [0.0, 1.5, 3.0]}).tolist() == [2.0, 2.0, 1.0]
    plain = theano.tensor.clip(x, -1, 1)
    assert plain.eval({x: [-3.0, 0.5, 3.0]}).tolist() == [-1.0, 0.5, 1.0]
    slope = theano.grad(plain.sum(), x)
    assert slope.eval({x: [-3.0, 0.5, 1.0]}).tolist() == [0.0, 1.0, 1.0]


def test_softmax_makes_a_row_of_a_vector(theano):
    x = theano.tensor.dvector("x")
    assert theano.tensor.nnet.softmax(x).eval({x: [1.0, 1.0]}).tolist() == [[0.5, 0.5]]


def test_relu_has_theanos_derivative_at_0(theano):
    x = theano.tensor.dvector("x")
    y = theano.tensor.nnet.relu(x)
    assert y.eval({x: [-2.0, 0.0, 3.0]}).tolist() == [0.0, 0.0, 3.0]
    slope = theano.grad(y.sum(), x).eval({x: [-2.0, 0.0, 3.0]})
    assert slope.tolist() == [0.0, 0.5, 1.0]
    leaky = theano.tensor.nnet.relu(x, 0.1).eval({x: [-2.0, 3.0]})
    np.testing.assert_allclose(leaky, [-0.2, 3.0], rtol=1e-15)


def test_conv2d_turns_its_filters_around(theano):
    T = theano.tensor
    image, filters = np.zeros((1, 1, 3, 3)), np.arange(9.0).reshape(1, 1, 3, 3)
    image[0, 0, 1, 1] = 1
    x, w = T.dtensor4("x"), T.dtensor4("w")
    found = T.nnet.conv2d(x, w, border_mode="half", input_shape=(1, 1, 3, 3))
    np.testing.assert_array_equal(found.eval({x: image, w: filters}), filters)
    one = T.signal.conv.conv2d(x[0, 0], w[0, 0], border_mode="full")
    assert one.eval({x: image, w: filters}).shape == (5, 5)


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [("max", 5.0), ("sum", 10.0), ("average_inc_pad", 2.5)],
)
def test_pool_2d_has_theanos_modes(theano, mode, wanted):
    x = theano.tensor.dtensor4("x")
    image = np.arange(16.0).reshape(1, 1, 4, 4)
    pool_2d = theano.tensor.signal.pool.pool_2d
    found = pool_2d(input=x, ds=(2, 2), ignore_border=True, mode=mode).eval({x: image})
    assert found.shape == (1, 1, 2, 2)
    assert found[0, 0, 0, 0] == wanted
    with pytest.raises(TypeError, match="one of ws and ds"):
        pool_2d(x)


def test_S04E_what_function_does_not_know_is_named(theano):
    x = theano.tensor.dscalar("x")
    with pytest.raises(TypeError, match="updates="):
        theano.function([x], x, update=[])
    with pytest.raises(TypeError, match="no mode 'FAST'"):
        theano.function([x], x, mode="FAST")
    for mode in ("FAST_RUN", "FAST_COMPILE", None):
        assert theano.function([x], x * 2, mode=mode)(3) == 6
    with pytest.raises(FloatingPointError, match="log"):
        theano.function([x], theano.tensor.log(x), mode="NanGuardMode")(0)


def test_S0207_arrays_that_lose_digits_are_refused(theano):
    T = theano.tensor
    x, target = T.fvector("x"), T.fscalar("target")
    y = x.sum() + target
    f = theano.function([x, target], y)
    assert f([1.0, 2.0], 100.0) == 103
    for given in ([0.1, 1.0], np.array([0.1, 1.0])):
        with pytest.raises(TypeError, match=r"cannot store .*0.1.* accurately"):
            f(given, 1.0)
    with pytest.raises(TypeError, match="accurately"):
        f([1.0], 0.1)
    cast = theano.function([x, target], y, allow_input_downcast=True)
    assert cast([0.5, 1.0], 0.1) == np.float32(1.5) + np.float32(0.1)
    theano.config.floatX = "float32"
    rounds = theano.function([x, target], y)
    assert rounds([0.5, 1.0], 0.1) == np.float32(1.5) + np.float32(0.1)
    with pytest.raises(TypeError, match="accurately"):
        rounds([0.1], 0.1)
    strict = theano.function([x, target], y, allow_input_downcast=False)
    with pytest.raises(TypeError, match="accurately"):
        strict([1.0], 0.1)


def test_formulas_are_written_in_a_line(theano, capsys):
    T = theano.tensor
    x, W = T.dvector("x"), theano.shared(np.eye(3), "W")
    cost = ((T.dot(x, W) - 1) ** 2).sum()
    assert theano.pp(T.exp(-x) * 2.5) == "(exp((-x)) * 2.5)"
    assert theano.pp(T.switch(x > 0, x, 0)) == "select((x > 0.0), x, 0.0)"
    # A square is a product; what is used twice stands twice.
    assert theano.pp(cost) == "sum((((x @ W) - 1.0) * ((x @ W) - 1.0)))"
    assert theano.pp(T.grad(cost, W)).startswith("grad(sum(")
    with pytest.raises(TypeError, match="pp takes a variable"):
        theano.pp(3)
    long = x
    for _ in range(20):
        long = long * long
    with pytest.raises(ValueError, match="100000 characters"):
        theano.pp(long)
    theano.printing.debugprint(cost)
    assert "matmul" in capsys.readouterr().out


def test_round_and_names_that_tc_has_not(theano):
    T = theano.tensor
    x = T.dvector("x")
    given = {x: [-2.5, -0.5, 0.5, 1.5, 2.4]}
    assert T.round(x).eval(given).tolist() == [-2, -0, 0, 2, 2]
    away = T.iround(x, mode="half_away_from_zero").eval(given)
    assert (away.tolist(), away.dtype) == ([-3, -1, 1, 2, 2], "int64")
    assert T.largest(x, 0.0, -x).eval(given).tolist() == [2.5, 0.5, 0.5, 1.5, 2.4]
    assert T.smallest(x, 0.0).eval(given).tolist() == [-2.5, -0.5, 0, 0, 0]
    m = T.dmatrix("m")
    ones = {m: np.ones((2, 3))}
    filled = T.fill_diagonal(m, 5).eval(ones)
    assert filled.tolist() == [[5, 1, 1], [1, 5, 1]]
    assert T.horizontal_stack(m, m).eval(ones).shape == (2, 6)
    assert T.vertical_stack(m, m).eval(ones).shape == (4, 3)
    assert T.stacklists([[m, m]]).eval(ones).shape == (1, 2, 2, 3)
    assert T.stack(m, m).eval(ones).shape == (2, 2, 3)
    assert T.join(1, m, m).eval(ones).shape == (2, 6)
    assert T.alloc(np.float32(2), 2, x.shape[0]).eval(given).shape == (2, 5)
    assert T.shape_padright(x, 2).ndim == 3
    assert T.addbroadcast(m, 0).eval({m: [[1.0, 2.0]]}).shape == (1, 2)
    assert T.to_one_hot(T.constant([1, 0]), 3).eval().tolist() == [[0, 1, 0], [1, 0, 0]]


def test_scan_has_theanos_forms(theano):
    T = theano.tensor
    x, k, A = T.dvector("x"), T.iscalar("k"), T.dvector("A")
    powers, updates = theano.scan(
        fn=lambda prior, A: prior * A,
        outputs_info=T.ones_like(A),
        non_sequences=A,
        n_steps=k,
    )
    assert not updates
    last = theano.function([A, k], powers[-1], updates=updates)
    assert last(range(5), 3).tolist() == [0, 1, 8, 27, 64]

    c, v = T.dvector("c"), T.dscalar("v")
    terms, _ = theano.scan(
        lambda c, p, v: c * v**p,
        sequences=[c, T.arange(10000)],  # the shortest one ends it
        non_sequences=v,
    )
    assert theano.function([c, v], terms.sum())([1, 0, 2], 3) == 19

    first = {"initial": T.constant([1.0, 1.0]), "taps": [-2, -1]}
    fib, _ = theano.scan(lambda a, b: a + b, outputs_info=[first], n_steps=5)
    assert theano.function([], fib)().tolist() == [2, 3, 5, 8, 13]

    moved, _ = theano.scan(lambda a, b: b - a, sequences={"input": x, "taps": [0, 1]})
    assert theano.function([x], moved)([1.0, 3.0, 7.0]).tolist() == [2, 4]

    both, _ = theano.scan(
        lambda s, h: ([h + s, s * 2], {}),
        sequences=x,
        outputs_info=[np.float64(0), None],
        go_backwards=True,
    )
    sums, doubled = theano.function([x], both)([1.0, 2.0, 4.0])
    assert (sums.tolist(), doubled.tolist()) == ([4, 6, 7], [8, 4, 2])


def test_scan_goes_backwards_folds_and_maps(theano):
    x = theano.tensor.dvector("x")
    given = {x: [1.0, 2.0, 4.0]}
    total, _ = theano.reduce(lambda s, a: 2 * a + s, x, np.float64(0))
    assert total.eval(given) == 12
    right, _ = theano.foldr(lambda s, a: 2 * a + s, x, np.float64(0))
    assert right.eval(given) == 21
    squares, _ = theano.map(lambda s: s * s, x)
    assert squares.eval(given).tolist() == [1, 4, 16]


def test_scan_refuses_what_it_has_not(theano):
    x = theano.tensor.dvector("x")
    s = theano.shared(0.0, "s")
    with pytest.raises(TypeError, match="updates of a step"):
        theano.scan(lambda e: (e, {s: s + 1}), sequences=x)
    with pytest.raises(TypeError, match="n_steps"):
        theano.scan(lambda: 1)
    with pytest.raises(TypeError, match="outputs_info has 2"):
        theano.scan(lambda e: e, sequences=x, outputs_info=[None, None])


def test_float32_is_added_up_in_float64(theano):
    T = theano.tensor
    x = T.fmatrix("x")
    values = np.full((3, 4097), 0.1, "float32")
    values[:, 0] = 2**24
    exact = values.astype("float64").sum(axis=1).astype("float32")
    total = T.sum(x, axis=1).eval({x: values})
    assert total.dtype == "float32"
    np.testing.assert_array_equal(total, exact)
    mean = T.mean(x, axis=1, keepdims=True).eval({x: values})
    wanted = (values.astype("float64").sum(axis=1) / 4097).astype("float32")
    np.testing.assert_array_equal(mean, wanted[:, None])
    assert T.sum(x, dtype="float64").dtype == "float64"
    assert T.grad(T.sum(x), x).dtype == "float32"
    half = T.prod(x, axis=1).eval({x: np.full((1, 2), 0.5, "float32")})
    assert half.tolist() == [0.25]


def test_integers_become_the_floats_that_theano_makes_of_them(theano):
    T = theano.tensor
    for make, wanted in ((T.bvector, "float32"), (T.wvector, "float32")):
        assert T.exp(make()).dtype == wanted
    for make in (T.ivector, T.lvector):
        assert T.tanh(make()).dtype == "float64"
    assert T.log(T.fvector() > 0).dtype == "float32"
    theano.config.floatX = "float32"
    assert T.sqrt(T.lvector()).dtype == "float64"
    x = T.lvector("x")
    mean = T.mean(T.neq(x, 1)).eval({x: [1, 1, 2]})
    assert (mean.dtype, mean) == ("float64", 1 / 3)
    assert T.sum(T.neq(x, 1)).dtype == "int64"
    assert T.exp(T.fvector()).dtype == "float32"


def test_variables_tell_which_sizes_are_known_to_be_1(theano):
    T = theano.tensor
    assert T.row().broadcastable == (True, False)
    assert T.dvector().dimshuffle(0, "x").broadcastable == (False, True)
    assert T.dscalar().broadcastable == ()
