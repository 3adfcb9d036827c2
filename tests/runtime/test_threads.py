"""Threads: the same bits for any number of them, and no way to get stuck."""

import hashlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import tensorc as tc
from tensorc.api import program as api
from tensorc.artifact import PoolWord
from tensorc.cli.main import run
from tensorc.errors import TensorcError
from tensorc.runtime import threads

PROGRAM = """
hyper lr = 0.1
param W1: float[40, 300] = 0.01
param b1: float[300] = 0
param W2: float[300, 10] = 0.02
fn hidden(x: float[B, 40]) = tanh(x @ W1 + b1)
fn logits(x: float[B, 40]) = hidden(x) @ W2
step train(x: float[B, 40], y: int[B]) {
  cost = mean(cross_entropy(logits(x), y)) + 0.001 * sum(W1**2)
  params = (W1, b1, W2)
  g1, h1, g2 = grad(cost, params)
  W1 <- W1 - lr * g1
  b1 <- b1 - lr * h1
  W2 <- W2 - lr * g2
  return cost
}
"""


@pytest.fixture(autouse=True)
def _default_threads():
    yield
    threads.use(None)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text(PROGRAM)
    return path


def trained(path, batch):
    """Return a digest of all memory after some steps."""
    program = api.load(path)
    rng = np.random.default_rng(0)
    digest = hashlib.blake2b()
    for size in (batch, 1, batch + 7):
        x = rng.random((size, 40), np.float32)
        y = rng.integers(0, 10, size)
        digest.update(program.train(x, y).tobytes())
        digest.update(program.hidden(x).tobytes())
    for cell in program.shared.values():
        digest.update(cell.get_value().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("batch", [20, 48, 600])
def test_bits_do_not_depend_on_the_number_of_threads(path, batch):
    digests = set()
    for number in (1, 2, 4, 3, 1):
        threads.use(number)
        digests.add(trained(path, batch))
    assert len(digests) == 1


def test_work_is_shared():
    threads.use(4)
    x = tc.matrix("x")
    product = tc.function([x], x @ x)
    before = threads._WORDS[PoolWord.GENERATION]
    product(np.ones((200, 200), np.float32))
    assert threads._WORDS[PoolWord.GENERATION] == before + 1
    product(np.ones((2, 2), np.float32))  # too little to share
    assert threads._WORDS[PoolWord.GENERATION] == before + 1
    threads.use(1)
    product(np.ones((200, 200), np.float32))
    assert threads._WORDS[PoolWord.GENERATION] == before + 1


def test_sizes_around_the_chunks():
    x, y = tc.matrix("x"), tc.matrix("y")
    product = tc.function([x, y], tc.tanh(x @ y))
    rng = np.random.default_rng(1)
    sizes = [(1, 127), (48, 128), (49, 129), (20, 500), (95, 256), (144, 1), (0, 300)]
    for rows, columns in sizes:
        a = rng.random((rows, 300), np.float32)
        b = rng.random((300, columns), np.float32)
        results = []
        for number in (1, 2, 4):
            threads.use(number)
            results.append(product(a, b).tobytes())
        assert len(set(results)) == 1
        expected = np.tanh(a.astype(np.float64) @ b)
        given = np.frombuffer(results[0], np.float32).reshape(rows, columns)
        np.testing.assert_allclose(given, expected, rtol=1e-5)


def test_an_epilogue_that_reads_other_columns_is_not_cut():
    x, y = tc.matrix("x"), tc.matrix("y")
    product = x @ y
    turned = tc.function([x, y], product + product[:, ::-1])
    rng = np.random.default_rng(2)
    a, b = rng.random((20, 30), np.float32), rng.random((30, 500), np.float32)
    whole = tc.function([x, y], product)(a, b)
    threads.use(4)
    for _ in range(20):
        assert (turned(a, b) == whole + whole[:, ::-1]).all()


def test_many_callers_neither_wait_nor_meet():
    threads.use(4)
    x = tc.matrix("x")
    product = tc.function([x], x @ x)
    rng = np.random.default_rng(3)
    inputs = [rng.random((150, 150), np.float32) for _ in range(6)]
    expected = [product(i).tobytes() for i in inputs]
    wrong = []

    def work(number):
        for _ in range(100):
            if product(inputs[number]).tobytes() != expected[number]:
                wrong.append(number)

    workers = [threading.Thread(target=work, args=[i]) for i in range(6)]
    for worker in workers:
        worker.start()
    for number in (1, 3, 2, 4):  # while they run
        threads.use(number)
    for worker in workers:
        worker.join()
    assert not wrong


def test_ten_thousand_jobs():
    threads.use(2)
    x = tc.vector("x")
    # Rows of a matrix made of a vector: two chunks, just enough work to share.
    outer = tc.function([x], tc.exp(x[:, None] + x[None, :]).sum(axis=1))
    values = np.linspace(-1, 0, 192, dtype=np.float32)
    before = threads._WORDS[PoolWord.GENERATION]
    expected = outer(values).tobytes()
    assert all(outer(values).tobytes() == expected for _ in range(10_000))
    assert threads._WORDS[PoolWord.GENERATION] == before + 10_001


def test_an_index_error_comes_through_and_changes_nothing(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text(
        "param W: float[600, 300] = 0\n"
        "step go(x: float[600, 300], y: int[600]) {\n"
        "  W <- W + x * x[range(600), y][:, none]\n}\n"
    )
    threads.use(4)
    program = api.load(path)
    x, y = np.ones((600, 300), np.float32), np.zeros(600, np.int64)
    program.go(x, y)
    y[500] = 300
    with pytest.raises(IndexError):
        program.go(x, y)
    assert (program.W.get_value() == 1).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_computes():
    code = """
import os, numpy as np, tensorc as tc
x = tc.matrix("x")
f = tc.function([x], x @ x)
a = np.ones((200, 200), "float32")
expected = f(a).tobytes()
for _ in range(5):
    child = os.fork()
    if not child:
        same = f(a).tobytes() == expected
        y = tc.matrix("y")
        same = same and (tc.function([y], y @ y + 1)(a) == f(a) + 1).all()
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert f(a).tobytes() == expected
print("well")
"""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "TENSORC_NUM_THREADS": "3"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.stdout, result.stderr) == ("well\n", "")


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "257", "9" * 30, "²"])
def test_what_is_no_number_of_threads_is_refused(monkeypatch, text):
    monkeypatch.setenv("TENSORC_NUM_THREADS", text)
    with pytest.raises(TensorcError, match="TENSORC_NUM_THREADS is a number of"):
        threads.count()
    with pytest.raises(TensorcError, match="threads is a number of threads from 1 to"):
        threads.use(text)


def test_the_environment_decides_unless_somebody_did(monkeypatch):
    monkeypatch.setenv("TENSORC_NUM_THREADS", " 3 ")
    assert threads.count() == 3
    threads.use(2)
    assert threads.count() == 2
    threads.use(None)
    monkeypatch.setenv("TENSORC_NUM_THREADS", "")
    assert threads.count() >= 1


def test_the_command_line_sets_them(path, capsys):
    text = PROGRAM + "\nrun { call = hidden(1)\n}\n"
    path.write_text(text)
    run(["run", str(path), "--threads", "2"])
    assert threads.count() == 2
    assert run(["run", str(path), "--threads", "0"]) == 2
    assert "0 is not in the range 1<=x<=256" in capsys.readouterr().err
