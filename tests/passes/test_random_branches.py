"""Random programs with branches at every stage and compiled: the same bits."""

import random
from dataclasses import replace

import numpy as np
import pytest

from tensorc import compiler
from tensorc.errors import IndexOutOfRange
from tensorc.ir.interpreter import interpret
from tensorc.ir.ops.tensor.elementwise import Add, Compare, Maximum, Neg, Sub
from tensorc.ir.ops.tensor.indexing import ADD, SET
from tensorc.ir.tensor_builder import tensor_type
from tensorc.ir.types import F32, I64, TensorType
from tensorc.runtime import cpu
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.shared import SharedCell
from tensorc.target import DEFAULT
from tests.branching import CONDITION, branches, build
from tests.samples import same_bits
from tests.stages import TARGET, all_results, compiled_results, updates_of

ROWS, COLUMNS = 3, 4
MATRIX = TensorType((ROWS, COLUMNS), F32)
ROW = TensorType((COLUMNS,), F32)
SCALAR = TensorType((), F32)
INDICES = TensorType((ROWS,), I64)
TYPES = (MATRIX, MATRIX, MATRIX, ROW, ROW, SCALAR, CONDITION, CONDITION, INDICES)
UPDATED = (0, 1, 2, 3, 4, 5)
DEEPEST = 3


class Maker:
    """Builds one program from a seed; numbers stay small, so that sums are exact."""

    def __init__(self, seed, b, arguments):
        self.source = random.Random(seed)
        self.b = b
        self.indices = arguments[-1]
        self.conditions = list(arguments[6:8])

    def pick(self, known, type_):
        """Return a value of a type, more often a late one."""
        fitting = [v for v in known if v.type == type_]
        place = int(len(fitting) * self.source.random() ** 0.5)
        return fitting[min(place, len(fitting) - 1)]

    def step(self, known, depth):
        """Append something that gives one value or several."""
        kind = self.source.random()
        if depth < DEEPEST and kind < 0.25:
            return self.branch(known, depth)
        return [self.source.choice(self.steps())(known)]

    def steps(self):
        return (
            self.elementwise,
            self.elementwise,
            self.total,
            self.rows_to_row,
            self.spread,
            self.product,
            self.turned,
            self.flat,
            self.picked,
            self.scattered,
            self.constant,
        )

    def elementwise(self, known):
        type_ = self.source.choice((MATRIX, MATRIX, ROW, SCALAR))
        x, y = self.pick(known, type_), self.pick(known, type_)
        if self.source.random() < 0.2:
            return self.b(Neg, x)
        return self.b(self.source.choice((Add, Sub, Maximum)), x, y)

    def total(self, known):
        return self.small(self.b.sum(self.pick(known, ROW), 0))

    def rows_to_row(self, known):
        return self.small(self.b.sum(self.pick(known, MATRIX), 0))

    def spread(self, known):
        x = self.pick(known, self.source.choice((ROW, SCALAR)))
        axes = (1,) if tensor_type(x).rank else ()
        return self.b.broadcast(x, (ROWS, COLUMNS), axes)

    def product(self, known):
        x = self.pick(known, MATRIX)
        square = self.b.matmul(self.b.transpose(x, (1, 0)), self.pick(known, MATRIX))
        return self.small(self.b.matmul(self.pick(known, MATRIX), self.small(square)))

    def turned(self, known):
        x = self.b.transpose(self.pick(known, MATRIX), (1, 0))
        return self.b.reshape(x, (ROWS, COLUMNS))

    def flat(self, known):
        return self.b.reshape(self.b.reshape(self.pick(known, MATRIX), (12,)), (3, 4))

    def picked(self, known):
        checked = self.b.check_index(self.indices_in(known), 0, ROWS)
        return self.b.gather(self.pick(known, MATRIX), [checked], (0,))

    def scattered(self, known):
        base, values = self.pick(known, MATRIX), self.pick(known, MATRIX)
        checked = self.b.check_index(self.indices_in(known), 0, ROWS)
        combine = self.source.choice((ADD, SET))
        return self.small(self.b.scatter(base, values, [checked], (0,), combine))

    def constant(self, known):
        return self.b.full((ROWS, COLUMNS), float(self.source.randrange(-2, 3)), F32)

    def indices_in(self, known):
        return self.pick(known, INDICES)

    def small(self, value):
        """Return a value brought back into the range of small integers."""
        type_ = tensor_type(value)
        bound = self.b.full(type_.shape, 5.0, F32)
        below = self.b(Maximum, value, self.b(Neg, bound))
        over = self.b(Maximum, self.b(Neg, below), self.b(Neg, bound))
        return self.b(Neg, over)

    def condition(self, known):
        if self.source.random() < 0.4:
            return self.pick(known, CONDITION)
        x, y = self.pick(known, SCALAR), self.pick(known, SCALAR)
        return self.b(Compare, x, y, predicate=self.source.choice(("gt", "le")))

    def branch(self, known, depth):
        types = self.source.choices((MATRIX, ROW, SCALAR), (4, 2, 1), k=self.few())

        def region():
            inner = list(known)
            for _ in range(self.few()):
                inner += self.step(inner, depth + 1)
            return [self.pick(inner, type_) for type_ in types]

        return branches(self.b, self.condition(known), region, region)

    def few(self):
        return self.source.choice((1, 1, 2, 2, 3))


def program(seed, updated):
    """Return a function that builds a program whose first results are updates."""

    def fill(b, *arguments):
        maker = Maker(seed, b, arguments)
        known = list(arguments)
        for _ in range(3 + maker.few() * 2):
            known += maker.step(known, 0)
        new = [maker.pick(known, TYPES[i]) for i in updated]
        returned = maker.source.sample(known, maker.few())
        return [*new, *[v for v in returned if v.type != CONDITION]]

    return fill


def arguments_of(seed, wrong):
    rng = np.random.default_rng(seed)
    found = []
    for type_ in TYPES:
        if type_ == INDICES:
            indices = rng.integers(-ROWS, ROWS, ROWS)
            indices[1] = ROWS if wrong else indices[1]
            found.append(indices)
        elif type_ == CONDITION:
            found.append(np.array(rng.random() < 0.5))
        else:
            found.append(rng.integers(-3, 4, type_.shape).astype(np.float32))
    return found


def module_of(seed):
    source = random.Random(seed)
    updated = sorted(source.sample(UPDATED, source.randrange(len(UPDATED))))
    return build(TYPES, program(seed, updated), dict(enumerate(updated)))


@pytest.mark.parametrize("seed", range(60))
def test_all_stages_give_the_same_bits(seed):
    module = module_of(seed)
    cases = [("f", arguments_of(seed * 10 + i, wrong=False)) for i in range(4)]
    outcome = all_results(module, cases, (0, 2))
    expected = outcome.pop("tensor")
    for stage, results in outcome.items():
        for given, wanted in zip(results, expected, strict=True):
            for left, right in zip(given, wanted, strict=True):
                assert same_bits(left, right), stage


@pytest.mark.parametrize("seed", range(20))
def test_kernels_that_are_not_fused_give_the_same_bits(seed):
    updated = updates_of(module_of(seed))
    cases = [("f", arguments_of(seed * 10 + i, wrong=False)) for i in range(2)]

    def results(fuse):
        options = replace(DEFAULT, fuse=fuse)
        artifact = compiler.compile(module_of(seed), TARGET, options).artifact
        return compiled_results(artifact, cases, updated)

    fused, separate = results(True), results(False)
    for left, right in zip(fused, separate, strict=True):
        assert all(map(same_bits, left, right))


@pytest.mark.parametrize("seed", range(60))
def test_an_index_error_happens_where_it_is_met_and_changes_nothing(seed):
    tensor = compiler.compile(module_of(seed), TARGET, upto="tensor").module
    artifact = compiler.compile(module_of(seed), TARGET).artifact
    (info,) = artifact.functions
    library = cpu.link(artifact)
    for number in range(4):
        arguments = arguments_of(seed * 10 + number, wrong=True)
        pairs = list(zip(info.arguments, arguments, strict=True))
        shared = {
            a.name: SharedCell(a.name, value) for a, value in pairs if a.kind != "input"
        }
        function = CompiledFunction(info, library, shared, {})
        given = [value for a, value in pairs if a.kind == "input"]
        try:
            interpret(tensor, "f", arguments)
        except IndexOutOfRange:
            with pytest.raises(IndexError):
                function(*given)
            for a, value in pairs:
                if a.kind != "input":
                    assert same_bits(shared[a.name].get_value(), value)
        else:
            function(*given)
