"""`tc.options`: how a block compiles and runs, and that it ends with the block."""

import numpy as np
import pytest

import tensorc as tc
from tensorc import cache, driver
from tensorc.runtime import threads
from tensorc.target import CHOSEN, Options


@pytest.fixture
def compiled(monkeypatch):
    """Collect the options of whatever is compiled."""
    seen = []
    real = driver.compile_module

    def compile_module(module, target, options):
        seen.append(options)
        return real(module, target, options)

    monkeypatch.setattr(driver, "compile_module", compile_module)
    return seen


def test_the_level_reaches_every_door(compiled, tmp_path):
    path = tmp_path / "a.tc"
    path.write_text("fn f(x: float[N]) -> float = sum(x * x)\n")
    x = tc.vector("x")

    def square(v):
        return (v * v).sum()

    results = []
    for level in (0, 3):
        with tc.options(optimize=level):
            program = tc.load(path)
            given = np.arange(9, dtype=np.float32)
            results.append(tc.function([x], (x * x).sum())(given))
            results.append(tc.jit(square)(given))
        results.append(program.f(given))  # compiled later, as it was loaded
        assert {o.optimize for o in compiled[-3:]} == {level}
    assert len({r.tobytes() for r in results}) == 1
    assert CHOSEN.get() == Options()


def test_blocks_nest_and_end_with_an_error():
    before = threads.count()
    with pytest.raises(KeyError), tc.options(threads=2, optimize=1):  # noqa: PT012
        assert threads.count() == 2
        with tc.options(threads=1):
            assert threads.count() == 1
            assert CHOSEN.get().optimize == 1
        assert threads.count() == 2
        raise KeyError
    assert threads.count() == before
    assert threads.wanted() is None


def test_nothing_is_kept_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(tmp_path))
    x = tc.vector("x")
    with tc.options(cache=False):
        tc.function([x], x + 31)
        assert cache.directory() is None
    assert not list(tmp_path.iterdir())
    tc.function([x], x + 31)
    assert cache.entries()


def test_float_x():
    with tc.options(floatX="float64"):
        x, i = tc.matrix("x"), tc.ivector("i")
        wide = tc.function([x], x * 0.1)
        mean = tc.function([i], tc.mean(i))
    narrow = tc.matrix("x")
    assert (x.dtype, narrow.dtype) == ("float64", "float32")
    assert wide([[1.0]]).dtype == np.float64
    assert wide([[1.0]])[0, 0] == 0.1
    assert mean(np.arange(3, dtype=np.int32)).dtype == np.float64
    assert tc.function([narrow], narrow * 0.1)([[1.0]]).dtype == np.float32


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"target": "cuda"}, TypeError, "options takes no 'target'"),
        ({"optimize": 4}, ValueError, "optimize is from 0 to 3, got 4"),
        ({"optimize": True}, TypeError, "optimize must be an integer"),
        ({"threads": 0}, ValueError, "threads is from 1 to 256, got 0"),
        ({"threads": 1.5}, TypeError, "threads must be an integer"),
        ({"cache": "off"}, TypeError, "cache must be True or False"),
        ({"floatX": "float16"}, ValueError, "floatX is 'float32' or 'float64'"),
    ],
)
def test_a_mistake_is_told_at_the_call(given, error, words):
    with pytest.raises(error, match=words):
        tc.options(**given)


def test_one_object_serves_many_blocks():
    wide = tc.options(floatX="float64")
    for _ in range(2):
        with wide:
            with wide:
                assert tc.vector("v").dtype == "float64"
            assert tc.vector("v").dtype == "float64"
        assert tc.vector("v").dtype == "float32"


def test_a_file_is_compiled_at_levels_that_exist():
    with pytest.raises(ValueError, match="optimize is from 0 to 3, got 7") as caught:
        tc.load("examples/trivial.tc", optimize=7)
    assert caught.value.diagnostics[0].location.file == __file__
