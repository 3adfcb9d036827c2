"""Loops whose steps work row by row: one kernel, whose chunks run all steps alone."""

import itertools

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.fuzz.outcomes import Compiled
from tensorc.ir.ops.loop.scf import For
from tensorc.ir.ops.memory.kernels import Launch, SizeOf
from tensorc.ir.ops.memory.memory import View
from tensorc.ir.schedules import schedule_of
from tensorc.ir.text.parser import parse_module
from tensorc.passes.schedule import schedule, steps
from tensorc.runtime import cpu, threads
from tensorc.runtime.function import CompiledFunction
from tests.looping import loops_of
from tests.samples import same_bits
from tests.stages import TARGET, all_results, updates_of

RNG = np.random.default_rng(11)


def each_element(x, y, u):
    def step(s, _):
        s, v = s
        v = v - s * 0.01
        return (s + v, v), None

    return tc.scan(step, (x, y), length=6)[0]


def few_elements(x, y, u):
    return tc.scan(lambda s, v: (s * v, s), x[0], y)


def each_row(x, y, u):
    """Reductions of the row, the number of the step, and results that are stacked."""

    def step(s, t):
        e = np.exp(np.tanh(s))
        new = e / e.sum(1, keepdims=True) - t * y
        return new, (new, new.max(1))

    return tc.scan(step, x, np.arange(5.0, dtype=np.float32), reverse=True)


def scans_of_rows(x, y, u):
    """What is made lies in scratch of the worker, in steps of a size."""
    return tc.scan(lambda s, v: (np.tanh(s + v.sum()), None), x, u.T)[0]


def places_change(x, y, u):
    """What is carried is copied: as it is, from a sequence, from what is captured."""

    def step(s, part):
        left, right, _ = s
        return (right, left + part, x), (left, part)

    return tc.scan(step, (x, y, y), np.stack([x, y, x]))


def rows_of_products(x, y, u):
    """Two products a step, whose right sides are the same in each."""
    w = np.tanh(u)

    def step(s, _):
        h, c = s
        gates = h @ w
        c = c + np.tanh(gates)
        mixed = (c / (1 + np.abs(c).sum(1, keepdims=True))) @ u
        return (np.tanh(c - mixed), c), gates

    return tc.scan(step, (x, y), length=4)


def wide_products(x, y, u):
    """What a product makes is wider than tiles, and its parts are read."""
    w = np.concatenate([u, u + 1, u - 1, u * 2] * 4, axis=1)

    def step(h, _):
        g = h @ w
        return np.tanh(g[:, :12] * g[:, 60:72] - g[:, 180:]), None

    return tc.scan(step, x, length=3)[0]


def several_wide_products(x, y, u):
    """What steps make is of several widths: it would not fit in one memory by rows."""
    wide, wider = np.concatenate([u] * 13, axis=1), np.concatenate([u] * 25, axis=1)

    def step(h, _):
        g = np.tanh(h @ wide)
        h = g @ wide.T + g.sum(1, keepdims=True)
        g = np.tanh(h @ wider)
        h = g @ wider.T - g.max(1, keepdims=True)
        return np.tanh(h) * y, None

    return tc.scan(step, x, length=3)[0]


def columns_of_products(x, y, u):
    return tc.scan(lambda h, _: (np.tanh(u @ h), None), u, length=4)[0]


def weights_of_steps(x, y, u):
    """The right side is another one in each step, and is copied to a panel."""
    return tc.scan(lambda h, w: (np.tanh(h @ w), None), x, np.stack([u, u + 1]))[0]


def rows_turn(x, y, u):
    def step(s, _):
        return np.concatenate([s[1:], s[:1]]) + y, None

    return tc.scan(step, x, length=4)[0]


def rows_backwards(x, y, u):
    return tc.scan(lambda s, _: (s[::-1] * 0.5 + y, None), x, length=3)[0]


def columns_turn(x, y, u):
    return tc.scan(lambda s, _: (s[:, ::-1] * 0.5 + y, None), x, length=3)[0]


def total_of_rows(x, y, u):
    return tc.scan(lambda s, _: (s - 0.1 * s.sum(0), None), x, length=3)[0]


def counted_beside(x, y, u):
    def step(s, _):
        return (s[0] + y, s[1] + 1), None

    return tc.scan(step, (x, 0), length=3)[0]


def elements_and_rows(x, y, u):
    """Elements go into rows: kernels of a step with spaces of two forms."""

    def step(s, _):
        s, v = s
        v = v * 0.5 + s
        return (np.cumsum(v, 1), v), None

    return tc.scan(step, (x, y), length=3)[0]


ALONE = {  # what a chunk has
    each_element: "elements",
    few_elements: "elements",
    each_row: "rows",
    places_change: "elements",
    rows_of_products: "rows",
    wide_products: "rows",
    several_wide_products: "rows",
    columns_turn: "rows",
}
TOGETHER = [
    columns_of_products,
    weights_of_steps,
    rows_turn,
    rows_backwards,
    total_of_rows,
    counted_beside,
    elements_and_rows,
    scans_of_rows,
]


def leaves(made):
    return [v for m in made for v in leaves(m)] if isinstance(made, tuple) else [made]


def text_of(program, rows, columns=12):
    """Return the text of TENSOR, of known sizes, and arguments."""
    shapes = (rows, columns), (rows, columns), (columns, columns)
    given = [(RNG.standard_normal(s) / 4).astype(np.float32) for s in shapes]
    names = [tc.tensor(n, "float32", s) for n, s in zip("xyu", shapes, strict=True)]
    function = tc.function(names, leaves(program(*names)), on_unused_input="ignore")
    return function.emit("tensor"), given


def called(text, given):
    artifact = compiler.compile(parse_module(text), TARGET).artifact
    (info,) = artifact.functions
    made = CompiledFunction(info, cpu.link(artifact), {}, {})(*given)
    return made if isinstance(made, tuple) else (made,)


@pytest.mark.parametrize("rows", [1, 24, 37])
@pytest.mark.parametrize("program", [*ALONE, *TOGETHER], ids=lambda p: p.__name__)
def test_all_stages_agree(program, rows, monkeypatch):
    """In chunks of a row or two, or of a vector: of other rows, a step is long ago."""
    monkeypatch.setattr(steps, "CHUNK_WORK", 1)
    monkeypatch.setattr(steps, "STEP_WORK", 1)
    text, given = text_of(program, rows)
    module = parse_module(text)
    (name,) = [f.sym_name for f in module.functions]
    outcome = all_results(module, [(name, given)], (0, 3))
    wanted, lowered = outcome["tensor"][0], outcome["loop"][0]
    for stage, (results,) in outcome.items():
        is_above = stage in ("tensor", "structured", "buffer")
        for left, right in zip(results, wanted if is_above else lowered, strict=True):
            assert same_bits(left, right), stage
    for left, right in zip(lowered, wanted, strict=True):  # functions are expanded
        np.testing.assert_allclose(left, right, 1e-4, 1e-4)


@pytest.mark.parametrize("program", [*ALONE, *TOGETHER], ids=lambda p: p.__name__)
def test_which_loops_are_one_kernel(program):
    text, _ = text_of(program, 40)
    made = compiler.compile(parse_module(text), TARGET, upto="structured").module
    (loop,) = loops_of(made)
    chosen = schedule_of(loop)
    assert (chosen is not None) == (program in ALONE)
    if chosen is not None:
        by_rows = chosen.rows is not None
        assert by_rows == (ALONE[program] == "rows")
    made = compiler.compile(made, TARGET, upto="loop", after="structured").module
    entry = made.functions[-1]
    loops = [op for op in entry.walk() if isinstance(op, For)]
    assert (not loops) == (program in ALONE)
    assert any(isinstance(op, Launch) for op in entry.walk())


@pytest.mark.parametrize("program", ALONE, ids=lambda p: p.__name__)
def test_neither_chunks_nor_threads_nor_launches_change_a_bit(program, monkeypatch):
    """Of many rows, so that there are chunks for each thread."""
    monkeypatch.setattr(steps, "CHUNK_WORK", 1)
    monkeypatch.setattr(steps, "STEP_WORK", 1 << 10)
    text, given = text_of(program, 500)
    before = threads.wanted()
    results = []
    try:
        for count in (1, 2, 4):
            threads.use(count)
            results.append(called(text, given))
        monkeypatch.setattr(schedule, "schedule_scan", lambda op, target: None)
        results.append(called(text, given))
    finally:
        threads.use(before)
    for other in results[1:]:
        assert all(same_bits(a, b) for a, b in zip(results[0], other, strict=True))


def test_what_steps_make_shares_no_memory():
    """Chunks are at steps of their own: memory that is free in one is not in others."""
    text, _ = text_of(several_wide_products, 130)
    made = compiler.compile(parse_module(text), TARGET, upto="buffer").module
    (loop,) = loops_of(made)
    views = [op for op in loop.walk() if isinstance(op, View)]
    parts = sorted((_number(op.offset), _bytes(op.result.type)) for op in views)
    assert len(parts) >= 3
    for (begin, size), (following, _) in itertools.pairwise(parts):
        assert begin + size <= following


def _number(offset):
    if isinstance(offset.op, SizeOf):
        return offset.op.dim.dims[0]
    return offset.op.value.value


def _bytes(type_):
    return np.prod(type_.shape) * type_.element.bytes


@pytest.mark.parametrize("shape", [(9, 0), (0, 3), (0, 1, 1)])
def test_steps_of_no_elements_write_nothing(shape):
    """All dimensions are walked as one, which has no elements then."""
    x = tc.tensor("x", "float32", shape)
    made = tc.scan(lambda s, _: (s * 2 - 1, None), x, length=3)[0]
    module = parse_module(tc.function([x], made).emit("graph"))
    updated = updates_of(module)
    code = Compiled(compiler.compile(module, TARGET).artifact, updated)
    # Bytes beside what is given and made are looked after.
    outcome = code.call("function", [np.zeros(shape, np.float32)])
    assert not isinstance(outcome, str), outcome
    assert outcome[0].shape == shape
