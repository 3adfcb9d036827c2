"""`tc.scan` from TENSOR to machine code: each stage gives what the others give."""

import numpy as np
import pytest

from tensorc import compiler
from tensorc.errors import CompileError
from tensorc.ir.dims import symbol
from tensorc.ir.levels import Level
from tensorc.ir.ops.memory.memory import Copy
from tensorc.ir.ops.tensor.elementwise import Add, Compare, Exp, Mul, Neg, Sub
from tensorc.ir.ops.tensor.shape import Concatenate
from tensorc.ir.ops.tensor.transcendental import Tanh
from tensorc.ir.types import F32, I64, TensorType
from tensorc.ir.verifier import verify
from tensorc.passes.analysis.cost import cost_of
from tensorc.passes.common.dce import remove_unused
from tensorc.runtime import cpu, threads
from tensorc.runtime.function import CompiledFunction
from tests.branching import branches, build
from tests.looping import loop, loops_of
from tests.samples import grad, jvp, same_bits, vjp
from tests.stages import TARGET, all_results

N, T = symbol("N"), symbol("T")
ROWS = TensorType((T, N), F32)
VECTOR = TensorType((N,), F32)
STEPS = [0, 1, 2, 5]


def recurrence(b, xs, h, w, reverse=False):
    """One value carried and stacked, one sequence, one capture."""

    def step(t, h, x):
        new = b(Tanh, b(Add, b(Mul, h, w), x))
        return [new], [new]

    return loop(b, [h], [xs], T, step, reverse)


def backwards(b, xs, h, w):
    return recurrence(b, xs, h, w, reverse=True)


def swapped(b, xs, h, w):
    """Two values that change places; nothing is computed but a stacked sum."""

    def step(t, left, right, x):
        return [right, left], [b(Add, left, x)]

    return loop(b, [h, w], [xs], T, step)


def numbers(b, xs, h, w):
    """The number of the step, no sequence; the length is a number."""

    def step(t, total):
        row = b.broadcast(b.cast(t, F32), (N,), ())
        return [b(Add, total, b(Mul, row, h))], [t]

    return loop(b, [w], [], 7, step)


def even(b, xs, h, w):
    return loop(b, [w], [], 4, lambda t, s: ([b(Mul, s, h)], []))


def never(b, xs, h, w):
    return loop(b, [w], [], 0, lambda t, s: ([b(Mul, s, h)], [s]))


def of_views(b, xs, h, w):
    """What is given are views: a transposed sequence, broadcasts, constants."""
    columns = b.transpose(b.transpose(xs, (1, 0)), (1, 0))
    doubled = b(Add, columns, columns)
    zeros = b.full_like(h, 0.0)
    turned = b.transpose(xs, (1, 0))

    def step(t, s, x):
        part = b.sum(b(Mul, turned, b.broadcast(x, (N, T), (0,))), 1)
        return [b(Add, s, part)], [b.broadcast(b.sum(x, 0), (3,), ())]

    return loop(b, [zeros], [doubled], T, step)


def products(b, xs, h, w):
    """Scratch of its own in each step, and a matrix that is carried."""
    outer = b(Mul, b.broadcast(h, (N, N), (0,)), b.broadcast(w, (N, N), (1,)))

    def step(t, m, x):
        column = b.reshape(x, (N, 1))
        next_ = b(Tanh, b.matmul(m, outer))
        return [next_], [b.reshape(b.matmul(next_, column), (N,))]

    return loop(b, [outer], [xs], T, step)


def nested(b, xs, h, w):
    def step(t, s, x):
        def inner(u, s, y):
            return [b(Add, b(Mul, s, x), y)], [s]

        last, tops = loop(b, [s], [xs], T, inner)
        return [b(Tanh, last)], [b.sum(tops, 0), tops]

    return loop(b, [h], [xs], T, step)


def with_conditions(b, xs, h, w):
    def step(t, s, x):
        above = b(Compare, b.sum(x, 0), b.scalar(0.0, F32), predicate="gt")
        (new,) = branches(b, above, lambda: [b(Exp, x)], lambda: [b(Sub, s, x)])
        return [new], [new, x]

    return loop(b, [h], [xs], T, step)


def in_a_condition(b, xs, h, w):
    above = b(Compare, b.sum(h, 0), b.scalar(0.0, F32), predicate="gt")
    return branches(
        b,
        above,
        lambda: recurrence(b, xs, h, w),
        lambda: [w, b(Neg, xs)],
    )


def of_results(b, xs, h, w):
    last, tops = recurrence(b, xs, h, w)
    again, more = recurrence(b, tops, last, h)
    return [again, b.sum(more, 0), tops]


def kept_and_counted(b, xs, h, w):
    """What is carried unchanged, what is given twice, and integers."""

    def step(t, s, n, k, x):
        new = b(Add, s, x)
        return [new, b(Add, n, b.scalar(1, I64)), k], [new, new]

    zero = b.scalar(0, I64)
    return loop(b, [h, zero, w], [xs], T, step)


def stacked_as_carried(b, xs, h, w):
    """What a step stacks is read by the next one: one value, two names, other types."""

    def step(t, left, right, n, x):
        new = b(Add, b(Mul, left, w), x)
        old = b(Sub, right, new)
        count = b(Add, n, t)
        return [new, new, count], [old, new, new, count, right]

    return loop(b, [h, w, b.scalar(5, I64)], [xs], T, step, reverse=True)


def reads_the_caller(b, xs, h, w):
    """What a step reads at is carried: at first memory of the caller."""

    def step(t, s):
        index = b.cast(b.broadcast(t, (1,), ()), I64)
        row = b.reshape(b.gather(xs, [index], (0,)), (N,))
        return [b(Add, s, row)], []

    return loop(b, [h], [], T, step)


EACH = [
    recurrence,
    backwards,
    swapped,
    numbers,
    even,
    never,
    of_views,
    products,
    nested,
    with_conditions,
    in_a_condition,
    of_results,
    kept_and_counted,
    stacked_as_carried,
    reads_the_caller,
]


def check_stages(module, cases, optimize=(0, 2, 3)):
    outcome = all_results(module, cases, optimize)
    expected = outcome.pop("tensor")
    for stage, results in outcome.items():
        for given, wanted in zip(results, expected, strict=True):
            for left, right in zip(given, wanted, strict=True):
                if stage in ("structured", "buffer") or left.dtype.kind != "f":
                    assert same_bits(left, right), stage
                else:  # functions are expanded below
                    np.testing.assert_allclose(left, right, 2e-6, 1e-6, err_msg=stage)


@pytest.mark.parametrize("fill", EACH, ids=lambda f: f.__name__)
def test_all_stages_agree(fill):
    module = build([ROWS, VECTOR, VECTOR], fill)
    rng = np.random.default_rng(1)
    cases = []
    for steps in STEPS:
        for columns in (1, 3, 20):
            arrays = [
                rng.standard_normal(s) for s in ((steps, columns), columns, columns)
            ]
            cases.append(("f", [a.astype(np.float32) for a in arrays]))
    check_stages(module, cases)


def test_what_no_step_needs_is_dropped():
    def fill(b, xs, h, w):
        def step(t, s, own, other, x):
            unused = b(Exp, x)
            new = b(Add, s, b(Mul, other, w))
            return [new, b(Neg, own), b(Sub, other, h)], [unused, t]

        made = loop(b, [h, w, w], [xs], T, step)
        return [made[0], made[4]]

    module = build([ROWS, VECTOR, VECTOR], fill)
    (function,) = module.functions
    remove_unused(function)
    verify(module, Level.TENSOR)
    (op,) = loops_of(module)
    _, h, w = function.body.block.arguments
    assert (op.carried, op.sliced, op.stacked) == (2, 0, 1)
    assert (op.inits, op.captures) == ([h, w], [w, h])
    assert [o.name for o in op.body.block.ops[:-1]] == ["tc.mul", "tc.add", "tc.sub"]


@pytest.mark.parametrize("derivative", [grad, jvp, vjp], ids=lambda d: d.__name__)
def test_a_derivative_through_a_loop_is_refused(derivative):
    def fill(b, xs, h, w):
        def made(b, of):
            return recurrence(b, xs, of[0], w)[:1]

        if derivative is grad:
            return grad(b, [h], lambda b, of: b.sum(made(b, of)[0], 0))
        return derivative(b, [h], [w], made)

    module = build([ROWS, VECTOR, VECTOR], fill)
    with pytest.raises(CompileError, match="a loop has no derivative yet") as caught:
        compiler.compile(module, TARGET, upto="tensor")
    (found,) = caught.value.diagnostics
    assert found.code == "TC0350"
    assert "stop_gradient" in " ".join(found.hints)


def test_a_loop_beside_a_derivative_and_one_inside_a_loop():
    """A loop is a constant for what does not depend on it; a step may differentiate."""

    def fill(b, xs, h, w):
        def step(t, w, x):
            def cost(b, of):
                return b.sum(b(Mul, b(Tanh, of[0]), x), 0)

            (slope,) = grad(b, [w], cost)
            return [b(Sub, w, slope)], []

        (trained,) = loop(b, [w], [xs], T, step)
        return grad(b, [h], lambda b, of: b.sum(b(Mul, of[0], trained), 0))

    module = build([ROWS, VECTOR, VECTOR], fill)
    rng = np.random.default_rng(2)
    xs, h, w = (rng.standard_normal(s).astype(np.float32) for s in ((4, 3), 3, 3))
    check_stages(module, [("f", [xs, h, w])])
    wanted = w.astype(np.float64)
    for x in xs:
        wanted = wanted - x * (1 - np.tanh(wanted) ** 2)
    (found,) = all_results(module, [("f", [xs, h, w])])["O2"][0]
    np.testing.assert_allclose(found, wanted, 1e-5, 1e-6)


def test_sizes_that_are_equal_by_a_guard_alone():
    """What a step makes has another type than what is carried: 2*N elements, or 6."""
    six = TensorType((6,), F32)

    def fill(b, y, x):
        double = b(Concatenate, x, x, axis=0)
        first = loop(b, [y], [], 3, lambda t, s: ([b(Add, s, double)], [double]))
        second = loop(b, [double], [], 3, lambda t, s: ([b(Add, s, y)], [y]))
        return [*first, *second]

    module = build([six, VECTOR], fill)
    x, y = np.arange(3, dtype=np.float32), np.arange(6, dtype=np.float32)
    check_stages(module, [("f", [y, x])])


def test_updates_of_what_a_loop_reads_are_written_in_place():
    def fill(b, w, xs):
        (total,) = loop(
            b, [b.full_like(w, 0.0)], [xs], T, lambda t, s, x: ([b(Mul, w, x)], [])
        )
        return [b(Sub, w, total)]

    module = build([VECTOR, ROWS], fill, {0: 0})
    cases = [("f", [np.ones(3, np.float32), np.ones((2, 3), np.float32)])]
    check_stages(module, cases)
    made = compiler.compile(module, TARGET, upto="buffer").module
    assert not any(isinstance(op, Copy) for op in made.walk())


def test_flops_are_those_of_all_steps():
    module = build([ROWS, VECTOR, VECTOR], recurrence)
    made = compiler.compile(module, TARGET, upto="structured").module
    kernels, flops = cost_of(made.functions[0])
    assert (kernels, str(flops)) == (1, "3*N*T")


def linked(module):
    """Return the function `f` of a module without shared variables, to be called."""
    artifact = compiler.compile(module, TARGET).artifact
    (info,) = artifact.functions
    return CompiledFunction(info, cpu.link(artifact), {}, {})


def test_nothing_is_copied_to_be_stacked():
    module = build([ROWS, VECTOR, VECTOR], recurrence)
    made = compiler.compile(module, TARGET, upto="buffer").module
    (op,) = loops_of(made)
    assert op.stacked_as == (0,)
    assert not any(isinstance(inner, Copy) for inner in op.walk())


def test_threads_do_not_change_a_bit():
    function = linked(build([ROWS, VECTOR, VECTOR], products))
    rng = np.random.default_rng(3)
    shapes = (9, 230), 230, 230
    given = [rng.standard_normal(s).astype(np.float32) / 9 for s in shapes]
    results = []
    before = threads.wanted()
    try:
        for count in (1, 2, 4):
            threads.use(count)
            results.append(function(*given))
    finally:
        threads.use(before)
    for other in results[1:]:
        assert all(same_bits(a, b) for a, b in zip(results[0], other, strict=True))
