"""`tc.jit`: what is traced, when it is compiled again, what goes in and out."""

import array
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pytest

import tensorc as tc


def test_an_ordinary_function_is_compiled():
    @tc.jit
    def predict(x, W):
        return np.exp(x @ W).sum(axis=1)

    x, W = np.linspace(0, 1, 12).reshape(3, 4), np.linspace(-1, 1, 8).reshape(4, 2)
    np.testing.assert_allclose(predict(x, W), np.exp(x @ W).sum(axis=1), rtol=1e-14)
    assert type(predict(x, W)) is np.ndarray


def test_one_compilation_serves_all_sizes():
    @tc.jit
    def double(x):
        return x + x

    for size in (0, 2, 3, 17):
        np.testing.assert_array_equal(double(np.arange(size)), 2 * np.arange(size))
    assert len(double.cache_info()) == 1


def test_types_ranks_and_sizes_of_1_are_compiled_by_themselves():
    @tc.jit
    def double(x):
        return x + x

    double(np.zeros(3))
    double(np.zeros(3, "float32"))
    double(np.zeros((3, 3)))
    double(np.zeros((3, 1)))
    double(np.zeros((9, 1)))
    reasons = [made.reason for made in double.cache_info()]
    assert reasons == [
        "the first call",
        "argument x: dtype float32, was float64",
        "argument x: rank 2, was 1",
        "argument x: the size of axis 1 is 1, before it is not 1",
    ]


def test_sizes_of_1_broadcast():
    add = tc.jit(lambda x, y: x + y)
    for a, b in (((3, 1), (1, 4)), ((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (3, 4))):
        x, y = np.ones(a), np.arange(float(np.prod(b))).reshape(b)
        np.testing.assert_array_equal(add(x, y), x + y)


def test_recompilations_are_logged_on_demand(monkeypatch, capsys):
    @tc.jit
    def double(x):
        return x + x

    double(np.zeros(3, "float32"))
    double(np.zeros(3, "float64"))
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("TENSORC_LOGS", "recompiles")
    double(np.zeros(3, "int32"))
    line = double.location.line
    assert capsys.readouterr().err == (
        f"recompiling double at {__file__}:{line}: "
        "argument x: dtype int32, was float64\n"
    )


def test_python_numbers_are_weak_arguments():
    scale = tc.jit(lambda x, by: x * by)
    x = np.ones(3, "float32")
    assert scale(x, 2).dtype == np.float32
    assert scale(x, 2.5).dtype == np.float32
    assert scale(x, np.float64(2.5)).dtype == np.float64
    assert scale(np.arange(3), 2.5).dtype == np.float64
    assert scale(2, 3).dtype == np.int64
    assert scale(2, 3.5).dtype == np.float64
    assert scale(True, 3).item() == 3
    assert scale(x, 3.25)[0] == np.float32(3.25)
    assert len(scale.cache_info()) == 7


def test_results_have_numpys_types():
    x = np.arange(3)
    assert tc.jit(np.mean)(x).dtype == np.float64
    assert tc.jit(lambda x: x / 2)(x).dtype == np.float64
    assert tc.jit(lambda x: x / 2)(x.astype("float32")).dtype == np.float32
    assert tc.jit(lambda x: x + np.ones(3))(x.astype("float32")).dtype == np.float64
    assert tc.jit(lambda: 2.5)().dtype == np.float64
    assert tc.matrix("x").mean().dtype == "float32"


class Pair(NamedTuple):
    a: object
    b: object


@dataclass(frozen=True)
class Layer:
    W: object
    b: object
    name: str = field(default="layer", metadata={"static": True})


def test_structures_go_in_and_out():
    @tc.jit
    def turn(pair, layer, members):
        first, (second, nothing) = members["list"]
        return {
            "pair": Pair(pair.b, pair.a),
            "layer": Layer(layer.b, layer.W + 1, layer.name),
            "rest": [first, (second, nothing), ()],
        }

    result = turn(
        Pair(np.ones(2), 2),
        Layer(np.zeros(3), 4.0),
        {"list": [np.arange(2), (1, None)]},
    )
    assert list(result) == ["pair", "layer", "rest"]
    assert type(result["pair"]) is Pair
    np.testing.assert_array_equal(result["pair"].b, np.ones(2))
    assert result["layer"].name == "layer"
    np.testing.assert_array_equal(result["layer"].b, np.ones(3))
    first, (second, nothing), empty = result["rest"]
    np.testing.assert_array_equal(first, np.arange(2))
    assert second == 1
    assert nothing is None
    assert empty == ()


def test_another_structure_is_another_specialisation():
    total = tc.jit(lambda tree: tree["a"] + (0 if tree["b"] is None else tree["b"]))
    assert total({"a": 1, "b": None}) == 1
    assert total({"a": 1, "b": 2}) == 3
    reason = total.cache_info()[1].reason
    assert reason == "argument tree: structure {a: *, b: *}, was {a: *, b: None}"
    assert tc.jit(lambda t: t)(OrderedDict(x=1)) == OrderedDict(x=np.asarray(1))


def test_defaults_keywords_and_variadic_arguments():
    @tc.jit
    def f(x, /, y=2.0, *rest, k=1.0, **named):
        return x + 10 * y + 100 * k + sum(rest) + sum(named.values())

    assert f(1.0) == 121
    assert f(1.0, 3.0) == 131
    assert f(1.0, k=2.0, y=1.0) == 211
    assert f(1.0, 2.0, 0.5, 0.25) == 121.75
    assert f(1.0, z=0.5) == 121.5


def test_static_arguments_are_part_of_the_program():
    traced = []

    @tc.jit(static=("n", "mode"))
    def power(x, n, mode="plain"):
        traced.append((n, mode))
        result = x
        for _ in range(n - 1):
            result = result * x
        return -result if mode == "negative" else result

    assert power(2.0, 3) == 8
    assert power(3.0, 3) == 27
    assert power(3.0, n=2, mode="negative") == -9
    assert traced == [(3, "plain"), (2, "negative")]
    power(2.0, 1)
    power(2.0, True)
    assert traced[2:] == [(1, "plain"), (True, "plain")]


def test_captured_arrays_are_constants_and_shared_variables_are_memory():
    table = np.arange(3.0)
    W = tc.shared(np.ones(3), "W")
    f = tc.jit(lambda x: x * table + W)
    np.testing.assert_array_equal(f(np.ones(3)), table + 1)
    table += 100
    W.set_value(np.full(3, 5.0))
    np.testing.assert_array_equal(f(np.ones(3)), np.arange(3.0) + 5)


def test_shared_variables_may_be_arguments():
    V, W = tc.shared(np.ones(3), "V"), tc.shared(np.full(3, 2.0), "V")
    f = tc.jit(lambda x, params: x * params["W"])
    assert f(3.0, {"W": W})[0] == 6
    W.set_value(np.zeros(3))
    assert f(3.0, {"W": W})[0] == 0
    assert f(3.0, {"W": V})[0] == 3
    assert "shared variable" in f.cache_info()[1].reason


def test_a_compiled_function_within_another_one_becomes_part_of_it():
    inner = tc.jit(lambda x: x * 2)
    outer = tc.jit(lambda x: inner(x) + inner(np.ones(3)))
    np.testing.assert_array_equal(outer(np.ones(3)), np.full(3, 4.0))
    assert not inner.cache_info()


def test_a_function_called_with_variables_gives_variables():
    x = tc.dvector("x")
    y = tc.jit(lambda x: x * 2)(x)
    assert isinstance(y, tc.Tensor)
    np.testing.assert_array_equal(y.eval({x: np.ones(2)}), np.full(2, 2.0))


def test_typed_arguments_are_converted_and_their_sizes_are_known():
    sizes = []

    @tc.jit
    def f(x: tc.f32["B", 3], y: tc.float32["B"], k: tc.f64 = 1.0):
        sizes.append(x.shape[1])
        return (x.sum(axis=1) + y) * k

    result = f(np.ones((2, 3)), [0.5, 1.5][0] + np.zeros(2))
    assert sizes == [3]
    assert result.dtype == np.float64
    assert f(np.ones((5, 3), "float32"), np.ones(5), 2).tolist() == [8.0] * 5
    assert len(f.cache_info()) == 1
    rows = tc.jit(leading)
    assert rows(np.ones((2, 3, 4))).shape == (2, 3)
    assert rows(np.ones(4)).shape == ()


def leading(x: tc.f32[..., 4]):
    return x.sum(axis=-1)


def test_element_types_stand_for_numpys():
    assert np.zeros(2, tc.float32).dtype == np.float32
    assert np.dtype(tc.i64) == np.int64
    assert tc.u8 == tc.uint8
    assert repr(tc.f32["B", 784]) == "f32[B, 784]"
    assert repr(tc.bool_) == "tensorc.bool"


class Dlpack:
    def __init__(self, values):
        self.values = values

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class Interface:
    def __init__(self, values):
        self.values = values
        self.__array_interface__ = values.__array_interface__


def test_arrays_of_other_libraries_are_taken():
    double = tc.jit(lambda x: x + x)
    values = np.arange(4.0)
    expected = values + values
    given = [
        Dlpack(values),
        Interface(values),
        memoryview(values),
        array.array("d", values),
        values[::-1][::-1],
        values.astype(">f8"),
        np.arange(8.0)[::2] / 2,
    ]
    for value in given:
        np.testing.assert_array_equal(double(value), expected)
    assert len(double.cache_info()) == 1
    assert double(bytearray(b"\x01\x02")).tolist() == [2, 4]
    assert double(np.float32(2)).dtype == np.float32
    read_only = values.copy()
    read_only.flags.writeable = False
    np.testing.assert_array_equal(double(read_only), expected)


def test_results_are_fresh_and_can_be_exported():
    same = tc.jit(lambda x: x)
    x = np.arange(3.0)
    result = same(x)
    result[0] = 7
    assert x[0] == 0
    assert np.from_dlpack(same(x)).tolist() == [0, 1, 2]
    kept = [same(np.full(40_000, float(i))) for i in range(3)]
    assert [k[0] for k in kept] == [0, 1, 2]


def test_methods_are_compiled_with_their_instance():
    class Model:
        scale = 3.0

        @tc.jit(static="self")
        def predict(self, x):
            return x * self.scale

    assert Model().predict(2.0) == 6


def test_threads_share_one_compilation():
    traced = []

    @tc.jit
    def double(x):
        traced.append(threading.get_ident())
        return x + x

    results = []
    work = [
        threading.Thread(
            target=lambda i=i: results.append(double(np.full(3, float(i))))
        )
        for i in range(8)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert len(traced) == 1
    assert sorted(r[0] for r in results) == [2.0 * i for i in range(8)]


def test_stages_of_a_specialisation_can_be_read():
    f = tc.jit(lambda x: x + 1)
    assert '"tc.add"' in f.emit("graph", np.zeros(3))
    assert "linalg.generic" in f.emit("structured", np.zeros(3))
    assert "define" in f.emit("llvm", np.zeros(3))


def test_what_was_compiled_can_be_forgotten():
    f = tc.jit(lambda x: x + 1)
    f(1.0)
    f.cache_clear()
    assert f.cache_info() == ()
    assert f(2.0) == 3


@pytest.mark.parametrize("plain", [True, False])
def test_100_000_calls_do_not_grow(plain):
    import resource

    f = tc.jit(lambda x: x + 1) if plain else tc.jit(lambda t: {"y": t["x"] + 1})
    x = np.arange(10.0)
    given = x if plain else {"x": x}
    count = 100_000 if plain else 20_000
    for _ in range(2_000):
        f(given)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(count):
        f(given)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 1024, "kilobytes"
