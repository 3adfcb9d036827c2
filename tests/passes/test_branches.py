"""`tc.if` from TENSOR to machine code: each stage gives what the others give."""

import time

import numpy as np
import pytest

from tensorc import compiler
from tensorc.ir.dims import symbol
from tensorc.ir.ops.loop import scf
from tensorc.ir.ops.memory.kernels import CheckIndexInto, Launch
from tensorc.ir.ops.memory.memory import Copy
from tensorc.ir.ops.tensor.elementwise import Add, Compare, Exp, Log, Mul, Neg, Sub
from tensorc.ir.ops.tensor.indexing import ADD, CheckIndex
from tensorc.ir.ops.tensor.reductions import ArgMax
from tensorc.ir.ops.tensor.shape import Concatenate
from tensorc.ir.types import F32, F64, I1, I64, TensorType
from tensorc.runtime import cpu, threads
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.shared import SharedCell
from tests.branching import CONDITION, branches, branches_of, build
from tests.samples import same_bits
from tests.stages import TARGET, all_results, updates_of

N = symbol("N")
MATRIX = TensorType((N, 3), F32)
VECTOR = TensorType((4,), F32)
INDICES = TensorType((4,), I64)


def both_ways(b, c, x):
    return branches(b, c, lambda: [b(Exp, x)], lambda: [b(Neg, x)])


def of_views(b, c, x):
    """A transposed capture, a broadcast one, a constant that fills a tensor."""
    turned = b.transpose(x, (1, 0))
    row = b.broadcast(b.sum(x, 0), (N, 3), (1,))
    ones = b.full_like(x, 1.0)

    def then():
        return [b.transpose(turned, (1, 0)), b(Mul, row, ones), turned]

    def otherwise():
        return [b(Sub, ones, x), row, b(Neg, turned)]

    return branches(b, c, then, otherwise)


def of_several_types(b, c, x):
    def then():
        return [b.sum(b.sum(x, 0), 0), b.scalar(7, I64), b(ArgMax, x, axes=(1,))]

    def otherwise():
        zeros = b.cast(b.sum(x, 1), I64)
        return [b.scalar(0.5, F32), b.scalar(-1, I64), zeros]

    return branches(b, c, then, otherwise)


def of_results(b, c, x):
    """What comes after reads what the branch gave, and so does another branch."""
    y, z = branches(b, c, lambda: [b(Exp, x), x], lambda: [x, b(Neg, x)])
    (w,) = branches(b, c, lambda: [b(Add, y, z)], lambda: [b(Mul, y, z)])
    return [b(Add, w, y), w, z]


def of_one_value_twice(b, c, x):
    y = b(Exp, x)

    def then():
        z = b(Neg, y)
        return [z, z, y]

    return branches(b, c, then, lambda: [y, y, y])


def nested(b, c, x):
    def inner():
        above = b(Compare, b.sum(b.sum(x, 0), 0), b.scalar(0.0, F32), predicate="gt")
        return branches(b, above, lambda: [b(Exp, x)], lambda: [b(Neg, x)])

    def other():
        return branches(b, c, lambda: [x], lambda: [b(Mul, x, x)])

    return branches(b, c, inner, other)


def a_computed_condition(b, c, x):
    count = b.scalar(3, I64)
    mean = b.sum(b.mean(x, count, (1,)), 0)
    above = b(Compare, mean, b.scalar(0.0, F32), predicate="gt")
    return branches(b, above, lambda: [b(Log, x)], lambda: [b(Mul, x, x)])


def products(b, c, x):
    """Products in both branches, with scratch of their own; one feeds the other."""
    turned = b.transpose(x, (1, 0))

    def then():
        return [b.matmul(b.matmul(x, turned), x)]

    def otherwise():
        return [b(Add, b.matmul(x, b.matmul(turned, x)), b(Exp, x))]

    return branches(b, c, then, otherwise)


def reshapes(b, c, x):
    flat = b.reshape(x, (N * 3,))

    def then():
        return [flat, b.reshape(b(Exp, flat), (N, 3))]

    def otherwise():
        return [b(Neg, flat), x]

    return branches(b, c, then, otherwise)


def constants(b, c, x):
    table = b.constant(np.arange(3, dtype=np.float32))
    row = b.broadcast(table, (N, 3), (1,))
    large = b.constant(np.arange(60, dtype=np.float32).reshape(20, 3))

    def then():
        own = b.constant(np.arange(90, dtype=np.float32).reshape(30, 3))
        return [b(Add, x, row), table, b(Add, b.sum(own, 0), b.sum(large, 0))]

    return branches(b, c, then, lambda: [x, b(Neg, table), b.sum(large, 0)])


def scatters(b, c, x):
    rows = b.iota((2,), 0, I64)

    def then():
        spread = b.full((2, 3), 2.0, F32)
        return [b.scatter(x, spread, [b.cast(rows, I64)], (0,), ADD), b(Neg, x)]

    def otherwise():
        ones = b.full((2, 3), 1.0, F32)
        return [b.scatter(b(Exp, x), ones, [rows], (0,), ADD), x]

    return branches(b, c, then, otherwise)


PROGRAMS = [
    both_ways,
    of_views,
    of_several_types,
    of_results,
    of_one_value_twice,
    nested,
    a_computed_condition,
    products,
    reshapes,
    constants,
    scatters,
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


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_all_stages_agree(program):
    rng = np.random.default_rng(5)
    module = build([CONDITION, MATRIX], program)
    rows = (2, 5, 50) if program is scatters else (0, 1, 5, 50)
    cases = []
    for count in rows:
        x = rng.normal(size=(count, 3)).astype(np.float32)
        cases += [("f", [np.array(c), x]) for c in (True, False)]
    check_stages(module, cases)


def test_sizes_that_are_equal_by_a_guard_alone():
    """What a region makes has another type than the result: 2*N elements, or 6."""

    def fill(b, c, x, y):
        double = b(Concatenate, x, x, axis=0)
        (six,) = branches(b, c, lambda: [y], lambda: [b(Exp, double)])
        (other,) = branches(b, c, lambda: [b(Neg, double)], lambda: [y])
        return [six, other]

    vector, six = TensorType((N,), F32), TensorType((6,), F32)
    module = build([CONDITION, vector, six], fill)
    x, y = np.arange(3, dtype=np.float32), np.arange(6, dtype=np.float32)
    check_stages(module, [("f", [np.array(c), x, y]) for c in (True, False)])

    def step(b, w, c, x):
        double = b(Concatenate, x, x, axis=0)
        return branches(b, c, lambda: [b(Neg, double)], lambda: [w])

    module = build([six, CONDITION, vector], step, {0: 0})
    check_stages(module, [("f", [y, np.array(c), x]) for c in (True, False)])


def checks_in(block):
    return sum(isinstance(op, CheckIndex) for op in block.ops)


def test_what_was_checked_outside_is_not_checked_inside():
    other = TensorType((7,), F32)

    def fill(b, c, x, y, i):
        indices = b.check_index(i, 0, 4)
        picked = b.gather(x, [indices], (0,))

        def then():
            known = b.gather(x, [i], (0,))
            return [b(Add, b.gather(known, [indices], (0,)), b.gather(y, [i], (0,)))]

        return [picked, *branches(b, c, then, lambda: [x])]

    types = [CONDITION, VECTOR, other, INDICES]
    module = compiler.compile(build(types, fill), TARGET, upto="structured").module
    block = module.functions[0].body.block
    (op,) = branches_of(module)
    assert (checks_in(block), checks_in(op.then.block)) == (1, 1)  # the one of 7
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=4), rng.normal(size=7)
    floats = [x.astype(np.float32), y.astype(np.float32)]
    cases = [
        ("f", [np.array(c), *floats, np.array([3, -4, 0, 1])]) for c in (True, False)
    ]
    check_stages(build(types, fill), cases)


def test_checked_indices_of_the_caller_are_copied_and_others_are_not():
    """The caller's memory may change after the check; what a kernel made may not."""

    def fill(b, c, x, i):
        made = b(Neg, b(Neg, b(Add, i, i)))

        def then():
            return [b(Add, b.gather(x, [i], (0,)), b.gather(x, [made], (0,)))]

        return [b.sum(made, 0), *branches(b, c, then, lambda: [x])]

    types = [CONDITION, VECTOR, INDICES]
    module = compiler.compile(build(types, fill), TARGET, upto="buffer").module
    (op,) = branches_of(module)
    checks = [o for o in op.then.block.ops if isinstance(o, CheckIndexInto)]
    assert sorted(len(check.operands) for check in checks) == [1, 2]


def test_branches_without_captures():
    def fill(b, c):
        def then():
            return [b.full((20,), 1.5, F64), b.scalar(True, I1), b.full((0, 3), 1, I64)]

        def otherwise():
            numbers = b.cast(b.iota((20,), 0, I64), F64)
            return [numbers, b.scalar(False, I1), b.full((0, 3), 2, I64)]

        return branches(b, c, then, otherwise)

    check_stages(
        build([CONDITION], fill), [("f", [np.array(c)]) for c in (True, False)]
    )


def test_fifty_deep():
    def fill(b, c, limit, x):
        def nest(depth, value):
            if not depth:
                return [value]
            below = b(Compare, b.scalar(float(depth), F32), limit, predicate="lt")
            more = b(Add, value, x)
            return branches(b, below, lambda: nest(depth - 1, more), lambda: [value])

        return nest(50, x)

    module = build([CONDITION, TensorType((), F32), VECTOR], fill)
    x = np.arange(4, dtype=np.float32)
    limits = [np.array(n, np.float32) for n in (0, 25.5, 51)]
    check_stages(module, [("f", [np.array(True), limit, x]) for limit in limits], (2,))


def linked(module):
    """Return the function `f` of a module without shared variables, to be called."""
    artifact = compiler.compile(module, TARGET).artifact
    (info,) = artifact.functions
    return CompiledFunction(info, cpu.link(artifact), {}, {})


def test_the_branch_that_is_not_taken_costs_nothing_and_raises_nothing():
    def fill(b, c, x, i):
        def then():
            picked = b.gather(b.matmul(x, x), [b.check_index(i, 0, 2000)], [0])
            return [b.sum(b.sum(picked, 0), 0)]

        return branches(b, c, then, lambda: [b.scalar(0.5, F64)])

    size = 2000
    types = [CONDITION, TensorType((size, size), F64), INDICES]
    function = linked(build(types, fill))
    x, outside = np.ones((size, size)), np.array([0, 1, 2, 2000])
    assert function(np.array(True), x, np.arange(4)) == 4 * size * size
    with pytest.raises(IndexError, match="index 2000 is out of range"):
        function(np.array(True), x, outside)
    spent = []
    for _ in range(20):
        start = time.perf_counter()
        assert function(np.array(False), x, outside) == 0.5
        spent.append(time.perf_counter() - start)
    assert min(spent) < 1e-3


def test_a_nan_of_the_other_branch_stays_there():
    def fill(b, c, x):
        bad = b.full_like(x, float("nan"))
        return branches(b, c, lambda: [b(Mul, x, bad)], lambda: [b(Add, x, x)])

    x = np.ones((5, 3), np.float32)
    assert (linked(build([CONDITION, MATRIX], fill))(np.array(False), x) == 2).all()


@pytest.mark.parametrize("count", [1, 2])
def test_threads_change_nothing(count):
    x = np.random.default_rng(2).normal(size=(3000, 3)).astype(np.float32)
    function = linked(build([CONDITION, MATRIX], products))
    wanted = {c: function(np.array(c), x) for c in (True, False)}
    before = threads.wanted()
    threads.use(count)
    try:
        for c in (True, False):
            assert same_bits(function(np.array(c), x), wanted[c])
    finally:
        threads.use(before)


# Steps on W (a0) and V (a1): what the branches yield for one or both, and which of them
# are written in place, so that the entry copies nothing to them.

SQUARE = TensorType((3, 3), F32)


def moved(b, value, by):
    return b(Add, value, b(Mul, by, b.full_like(by, 0.5)))


def stay(b, w, v, x):
    return [w]


def stay_both(b, w, v, x):
    return [w, v]


def step(b, w, v, x):
    return [moved(b, w, x)]


def centred(b, w, v, x):
    return [b(Sub, w, b.broadcast(b.sum(w, 0), (3, 3), (1,)))]


def with_momentum(b, w, v, x):
    speed = moved(b, v, x)
    return [b(Add, w, speed), speed]


def same_twice(b, w, v, x):
    new = moved(b, w, x)
    return [new, new]


def deeper(b, w, v, x):
    above = b(Compare, b.sum(b.sum(x, 0), 0), b.scalar(0.0, F32), predicate="gt")
    return branches(b, above, lambda: step(b, w, v, x), lambda: [w])


STEPS = {
    "a step or none": (step, stay, "W"),
    "none or a step": (stay, step, "W"),
    "two ways": (step, lambda b, w, v, x: [b(Mul, w, x)], "W"),
    "set": (lambda b, w, v, x: [b.full_like(w, 2.0)], stay, "W"),
    "of an input": (lambda b, w, v, x: [x], stay, ""),
    "of sums down the rows": (centred, stay, "W"),
    "of a product with the old": (lambda b, w, v, x: [b.matmul(w, w)], stay, "W"),
    "transposed": (lambda b, w, v, x: [b.transpose(w, (1, 0))], stay, "W"),
    "two": (
        lambda b, w, v, x: [moved(b, w, x), moved(b, v, x)],
        stay_both,
        "W V",
    ),
    "momentum": (with_momentum, stay_both, "W V"),
    "swap": (lambda b, w, v, x: [v, w], stay_both, ""),
    "one takes the other's": (
        lambda b, w, v, x: [moved(b, w, x), w],
        stay_both,
        "",
    ),
    "the same twice": (same_twice, stay_both, "W V"),
    "in a branch of a branch": (deeper, stay, "W"),
    "in both branches": (deeper, step, "W"),
}


def build_step(name, after=lambda b, results, w, v, x: [], before=None):
    """Return a module whose first results are the new values, then what is after."""
    then, otherwise, _ = STEPS[name]
    count = []

    def fill(b, w, v, c, x):
        first = [] if before is None else before(b, w, v, x)
        results = branches(
            b, c, lambda: then(b, w, v, x), lambda: otherwise(b, w, v, x)
        )
        count[:] = results
        return [*results, *first, *after(b, results, w, v, x)]

    types = [SQUARE, SQUARE, CONDITION, SQUARE]
    build(types, fill)
    return build(types, fill, {i: i for i in range(len(count))})


def written_in_place(module):
    """Return which of W and V the entry does not copy to, of those that are renewed."""
    renewed = updates_of(module)["f"]
    (function,) = compiler.compile(module, TARGET, upto="buffer").module.entries
    block = function.body.block
    copied = {
        op.operands[1] for op in block.ops if isinstance(op, Copy) and op.operands
    }
    names = zip("WV", block.arguments, strict=False)
    kept = [n for i, (n, a) in enumerate(names) if i in renewed and a not in copied]
    return " ".join(kept)


def step_cases():
    rng = np.random.default_rng(7)
    w, v, x = (rng.integers(-3, 4, (3, 3)).astype(np.float32) for _ in range(3))
    return [
        ("f", [w, v, np.array(c), sign * x]) for c in (True, False) for sign in (1, -1)
    ]


@pytest.mark.parametrize("name", STEPS)
def test_steps_give_what_copies_at_the_end_give(name):
    check_stages(build_step(name), step_cases())


@pytest.mark.parametrize("name", STEPS)
def test_only_what_is_safe_is_written_in_place(name):
    module = build_step(name)
    assert written_in_place(module) == STEPS[name][2]


@pytest.mark.parametrize("name", ["a step or none", "two", "momentum"])
def test_a_branch_that_gives_the_old_value_does_nothing(name):
    module = compiler.compile(build_step(name), TARGET, upto="buffer").module
    assert not [op for op in module.walk() if isinstance(op, Copy)]


AFTER = {
    "the new value is returned": (lambda b, new, w, v, x: [b(Neg, new[0])], "W"),
    "the old value is returned": (lambda b, new, w, v, x: [w], ""),
    "the old value is read": (lambda b, new, w, v, x: [b(Mul, new[0], w)], ""),
    "an index is checked": (
        lambda b, new, w, v, x: [b.gather(x, [index_of(b, new[0])], [0])],
        "",
    ),
    "an index is checked in a branch": (
        lambda b, new, w, v, x: checked_in_a_branch(b, new[0], x),
        "",
    ),
    "a branch reads the old value": (
        lambda b, new, w, v, x: branches(
            b,
            b(Compare, b.sum(b.sum(new[0], 0), 0), b.scalar(0.0, F32), predicate="gt"),
            lambda: [w],
            lambda: [x],
        ),
        "",
    ),
}


def index_of(b, value):
    return b.check_index(b.cast(b.sum(value, 0), I64), 0, 3)


def checked_in_a_branch(b, new, x):
    above = b(Compare, b.sum(b.sum(new, 0), 0), b.scalar(1e6, F32), predicate="gt")
    return branches(
        b, above, lambda: [b.gather(x, [index_of(b, new)], [0])], lambda: [x]
    )


@pytest.mark.parametrize("name", AFTER)
def test_nothing_after_reads_the_old_value_or_can_fail(name):
    after, wanted = AFTER[name]
    assert written_in_place(build_step("a step or none", after)) == wanted
    if name != "an index is checked":
        check_stages(build_step("a step or none", after), step_cases())


@pytest.mark.parametrize("taken", [True, False])
def test_an_index_error_leaves_all_shared_variables(taken):
    """The branch writes W, then V fails, or the other way round."""

    def fill(b, w, v, c, x, i):
        def then():
            rows = b.gather(x, [b.check_index(i, 0, 3)], [0])
            return [moved(b, w, x), b(Add, v, rows)]

        return branches(b, c, then, lambda: [w, moved(b, v, x)])

    types = [SQUARE, SQUARE, CONDITION, SQUARE, TensorType((3,), I64)]
    artifact = compiler.compile(build(types, fill, {0: 0, 1: 1}), TARGET).artifact
    (info,) = artifact.functions
    ones = np.ones((3, 3), np.float32)
    shared = {name: SharedCell(name, ones) for name in ("a0", "a1")}
    function = CompiledFunction(info, cpu.link(artifact), shared, {})
    outside = np.array([0, 1, 3])
    if taken:
        with pytest.raises(IndexError, match="index 3 is out of range"):
            function(np.array(True), ones, outside)
    else:
        function(np.array(False), ones, outside)
    assert (shared["a0"].get_value() == 1).all()
    assert (shared["a1"].get_value() == (1 if taken else 1.5)).all()


def test_the_entry_branches_and_no_kernel_does():
    module = build([CONDITION, MATRIX], nested)
    loops = compiler.compile(module, TARGET, upto="loop").module
    for function in loops.functions:
        is_kernel = function.attributes.get("tc.kernel") is True
        chosen = [op for op in function.walk() if isinstance(op, scf.If)]
        # The branch on a condition that is known in a branch is gone.
        assert len(chosen) == (0 if is_kernel else 2)
    entry = loops.functions[-1]
    assert all(not isinstance(op, Launch) for op in entry.body.block.ops[:-2])


def test_branches_share_memory_and_costs_are_those_of_the_dearer():
    # Nothing is the right side of several products: its copy would be memory, too.
    def fill(b, c, x):
        def then():
            return [b.matmul(x, b.matmul(x, x))]

        def otherwise():
            return [b.matmul(x, b.matmul(x, b.matmul(x, x)))]

        return branches(b, c, then, otherwise)

    def alone(b, c, x):
        return [b.matmul(x, b.matmul(x, b.matmul(x, x)))]

    big = TensorType((256, 256), F32)
    both, one = (
        compiler.compile(build([CONDITION, big], f), TARGET).artifact.functions[0]
        for f in (fill, alone)
    )
    assert both.arena == one.arena
    assert both.flops == one.flops == 3 * 2 * 256**3
    assert (both.kernels, one.kernels) == (5, 3)
