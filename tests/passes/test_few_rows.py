"""Updates of few rows of a table: bits as over all rows, and only those touched."""

import re

import numpy as np
import pytest

import tensorc as tc
from tensorc.api import program as api
from tests.samples import same_bits
from tests.stages import all_results

ROWS, WIDTH = 40, 21

# Updates, and what they are in numpy: of the old table w, the gradient s and lr.
UPDATES = {
    "W - 0.5 * G": lambda w, s, lr: w - w.dtype.type(0.5) * s,
    "W - G": lambda w, s, lr: w - s,
    "W - G / 3": lambda w, s, lr: w - s / w.dtype.type(3),
    "W + -0.5 * G": lambda w, s, lr: w + w.dtype.type(-0.5) * s,
    "-G * 0.1 + W": lambda w, s, lr: -s * w.dtype.type(0.1) + w,
    "W - lr * G": lambda w, s, lr: w - lr * s,
    "W - G * lr / 7": lambda w, s, lr: w - s * lr / w.dtype.type(7),
    # All rows: -0 changes where nothing is added, or the gradient is read again.
    "W + 0.5 * G": lambda w, s, lr: w + w.dtype.type(0.5) * s,
    "W - -0.5 * G": lambda w, s, lr: w - w.dtype.type(-0.5) * s,
    "0.5 * G - W": lambda w, s, lr: w.dtype.type(0.5) * s - w,
    "W - 0.5 * G * G": lambda w, s, lr: w - w.dtype.type(0.5) * s * s,
    "0.5 * W - 0.5 * G": lambda w, s, lr: w.dtype.type(0.5) * w - w.dtype.type(0.5) * s,
}
FEW = list(UPDATES)[:7]


def source_of(update, rows=str(ROWS)):
    new = update.replace("G", "grad(cost, W)")
    return (
        f"param W: float[{rows}, {WIDTH}] = 0\nparam b: float[{WIDTH}] = 0\n"
        f"step go(i: int[N], y: float[N, {WIDTH}], lr: float) {{\n"
        "  cost = sum(W[i] * y + b)\n"
        f"  W <- {new}\n  b <- b - 0.5 * grad(cost, b)\n  return cost\n}}\n"
    ).replace("}}", "}")


def the_program(tmp_path, update, element="f32"):
    path = tmp_path / "m.tc"
    path.write_text(source_of(update))
    return tc.load(path, default_float=element)


def table(dtype, seed=0):
    """Return a table with zeros of both signs, infinities and NaN."""
    w = np.random.default_rng(seed).standard_normal((ROWS, WIDTH)).astype(dtype)
    w[::3, ::2] = dtype(-0.0)
    w[1::3, ::2] = dtype(0.0)
    w[7, :3] = [np.inf, -np.inf, np.nan]
    return w


def expected(update, w, i, y, lr):
    s = np.zeros_like(w)
    with np.errstate(invalid="ignore"):
        for row, value in zip(i, y, strict=True):
            s[row] = s[row] + value
        return UPDATES[update](w, s, lr)


BATCHES = {
    "none": [],
    "one": [5],
    "repeated": [3, -37, 3, 39, -1, 3, 7, 0],
    "half": list(range(0, ROWS, 2)),
    "more than half": [1, 2, 3] * 7,
}


OTHERS = ("W - lr * G", "W + -0.5 * G", "W - G / 3")  # in other types than f32


@pytest.mark.parametrize(
    ("update", "element"),
    [
        *((update, "f32") for update in UPDATES),
        *((u, e) for u in OTHERS for e in ("f16", "bf16", "f64")),
    ],
)
def test_bits_are_those_of_a_pass_over_all_rows(tmp_path, update, element):
    program = the_program(tmp_path, update, element)
    dtype = program.W.get_value().dtype.type
    rng = np.random.default_rng(1)
    for name, rows in BATCHES.items():
        i = np.array(rows, np.int64)
        y = rng.standard_normal((len(rows), WIDTH)).astype(dtype)
        for lr in (0.3, 0.0, -0.0, -2.0, np.inf, np.nan):
            w, lr = table(dtype), dtype(lr)
            program.W.set_value(w)
            program.go(i, y, lr)
            wanted = expected(update, w, i, y, lr)
            assert same_bits(program.W.get_value(), wanted), (name, lr)


@pytest.mark.parametrize("update", ["W - 0.5 * G", "W - lr * G", "W + 0.5 * G"])
def test_stages_agree(tmp_path, update):
    path = tmp_path / "m.tc"
    path.write_text(source_of(update))
    module = api.load(path).functions.source.emit(["go"])
    i = np.array(BATCHES["repeated"])
    y = np.random.default_rng(2).standard_normal((len(i), WIDTH)).astype(np.float32)
    w, b = table(np.float32), np.zeros(WIDTH, np.float32)
    lr = np.float32(0.3)
    (function,) = module.functions
    by_name = {"W": w, "b": b, "i": i, "y": y, "lr": lr}
    order = [a.hint for a in function.body.block.arguments]
    arguments = [by_name[name] for name in order]
    wanted = expected(update, w, i, y, lr)
    for stage, (given,) in all_results(module, [("go", arguments)], (0, 2, 3)).items():
        (new,) = [v for v in given if v.shape == w.shape]
        assert same_bits(new, wanted), stage


@pytest.mark.parametrize("update", UPDATES)
def test_few_rows_are_put_in_place(tmp_path, update):
    text = the_program(tmp_path, update).go.emit("buffer")
    assert "memref.copy" not in text
    into_table = (
        rf'tc.scatter_into"\(%W\w*, .*combine = "set".*memref<{ROWS}x{WIDTH}xf32>'
    )
    assert bool(re.search(into_table, text)) == (update in FEW)


def test_static_sizes_choose_when_compiling(tmp_path):
    path = tmp_path / "m.tc"
    for count, is_few in ((ROWS // 2, True), (ROWS // 2 + 1, False)):
        source = source_of("W - 0.5 * G").replace("N", str(count))
        path.write_text(source)
        text = tc.load(path).go.emit("tensor")
        assert "tc.if" not in text
        assert ('combine = "set"' in text) == is_few


def test_threads_change_no_bit(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text(source_of("W - lr * G", "20_000"))
    rng = np.random.default_rng(4)
    i = rng.integers(-300, 300, 5_000)
    y = rng.standard_normal((5_000, WIDTH)).astype(np.float32)
    w = rng.standard_normal((20_000, WIDTH)).astype(np.float32)
    lr = np.float32(0.1)
    for threads in (1, 2, 5):
        with tc.options(threads=threads):
            program = tc.load(path)
            program.W.set_value(w)
            program.go(i, y, lr)
            wanted = expected("W - lr * G", w, i, y, lr)
            assert same_bits(program.W.get_value(), wanted)


def test_an_epoch_is_its_calls():
    w = tc.shared(np.ones((ROWS, WIDTH), np.float32), name="W")

    @tc.step
    def go(i, y, lr=0.1):
        cost = tc.sum(w[i] * y)
        tc.update(w, w - lr * tc.grad(cost, w))
        return cost

    rng = np.random.default_rng(5)
    i = rng.integers(0, ROWS, 60)
    y = rng.standard_normal((60, WIDTH)).astype(np.float32)
    for lr in (0.25, -0.25):
        wanted = w.get_value()
        for begin in range(0, 60, 10):
            at = slice(begin, begin + 10)
            wanted = expected("W - lr * G", wanted, i[at], y[at], np.float32(lr))
        tc.fit(go, {"i": i, "y": y}, batch=10, lr=lr)
        assert same_bits(w.get_value(), wanted)


def test_several_tables_and_indices_with_two_axes():
    rng = np.random.default_rng(6)
    start = [rng.standard_normal((ROWS, 3)).astype(np.float64) for _ in range(2)]
    w, v = (tc.shared(a, name=n) for a, n in zip(start, "WV", strict=True))
    i, j = tc.tensor("i", "int64", (4, 2)), tc.tensor("j", "int64", (5,))
    x = tc.tensor("x", "float64", (4, 2, 3))
    cost = tc.sum(w[i] * x) + tc.sum(v[j] * v[j])
    updates = [(p, p - 0.5 * tc.grad(cost, p)) for p in (w, v)]
    step = tc.function([i, j, x], cost, updates=updates)
    assert step.emit("buffer").count('combine = "set"') >= 4
    rows, others = rng.integers(-ROWS, ROWS, (4, 2)), np.array([1, 1, 2, -1, 39])
    given = rng.standard_normal((4, 2, 3))
    step(rows, others, given)
    sums = np.zeros_like(start[0])
    np.add.at(sums, rows, given)
    assert same_bits(w.get_value(), start[0] - 0.5 * sums)
    sums = np.zeros_like(start[1])
    np.add.at(sums, others, start[1][others] + start[1][others])
    assert same_bits(v.get_value(), start[1] - 0.5 * sums)


def test_an_index_error_leaves_all_as_it_was(tmp_path):
    program = the_program(tmp_path, "W - lr * G")
    w = table(np.float32)
    program.W.set_value(w)
    y = np.ones((3, WIDTH), np.float32)
    for bad in ([0, 1, ROWS], [-ROWS - 1, 0, 0]):
        with pytest.raises(IndexError, match="out of range for axis 0"):
            program.go(bad, y, np.float32(0.1))
        assert same_bits(program.W.get_value(), w)
        assert not program.b.get_value().any()


# Updates of V by scatters, and whether they change it where it lies.
SCATTERS = {
    "once": (lambda v, x: v.at[[0, 2, 0]].add(x), True),
    "twice": (lambda v, x: v.at[[0, 2, 0]].add(x).at[[1, 2, 2]].set(x + 1), True),
    "of itself": (lambda v, x: v.at[[0, 2, 0]].add(v[[2, 1, 0]] * x), True),
    "its own rows": (lambda v, x: v.at[[0, 2, 0]].add(v).at[[0, 1, 1]].add(x), False),
    "the old rows": (lambda v, x: v.at[[0, 2, 0]].add(x).at[[1, 2, 2]].add(v), False),
    "read between": (lambda v, x: _read_between(v, x), False),
}


def _read_between(v, x):
    first = v.at[[0, 2, 0]].add(x)
    return first.at[[1, 2, 2]].add(v[[0, 0, 1]] * first[[0, 1, 2]])


@pytest.mark.parametrize("name", SCATTERS)
def test_scatters_change_a_shared_variable_in_place(name):
    make, is_in_place = SCATTERS[name]
    start = np.random.default_rng(7).standard_normal((3, 4))
    v, x = tc.shared(start, name="V"), tc.tensor("x", "float64", (3, 4))
    step = tc.function([x], [], updates=[(v, make(v, x))])
    given = np.full((3, 4), 0.25)
    plain = tc.function([v2 := tc.tensor("v", "float64", (3, 4)), x], make(v2, x))
    wanted = plain(start, given)
    assert ("memref.copy" not in step.emit("buffer")) == is_in_place
    step(given)
    assert same_bits(v.get_value(), wanted)
