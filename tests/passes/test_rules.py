"""Every rewrite rule: both sides on nasty inputs, by the interpreter.

CASES is a literal table: for each rule the functions that it must change.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tensorc.ir.attributes import Dims
from tensorc.ir.core import Value
from tensorc.ir.dims import symbol
from tensorc.ir.numerics import Array
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.derivatives import StopGradient
from tensorc.ir.ops.tensor.elementwise import (
    Add,
    And,
    Cast,
    Compare,
    Div,
    Exp,
    Log,
    Maximum,
    Minimum,
    Mul,
    Neg,
    Not,
    Or,
    Select,
    Sqrt,
    Sub,
)
from tensorc.ir.ops.tensor.reductions import Max, Top1
from tensorc.ir.ops.tensor.shape import Size
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import ELEMENTS, F16, F32, F64, I64
from tensorc.ir.verifier import verify
from tensorc.passes.common.rewriter import EXACT, Rule, RuleTable, rewrite
from tensorc.passes.tensor import simplify, stabilize
from tests.samples import (
    CPU,
    build_module,
    grad,
    parse_type,
    run,
    same_bits,
    seed_of,
    total,
)

Make = Callable[..., Value | list[Value]]
FLOATS = ("f32[N]", "f64[N]", "f16[N]")
INTS = ("i32[N]", "i64[N]", "ui8[N]")
N, K = symbol("N"), symbol("K")


def like(b: TensorBuilder, x: Value, number: float) -> Value:
    return b.full_like(x, number)


def each(types: Sequence[str], arity: int, make: Make) -> list[tuple]:
    return [((t,) * arity, make) for t in types]


def cast_chain(source: str, *targets: str) -> tuple:
    def make(b, x):
        for name in targets:
            x = b(Cast, x, element=ELEMENTS[name])
        return x

    return (f"{source}[N]",), make


def eye(b: TensorBuilder, n: int, m: int) -> Value:
    rows, columns = (b.iota((n, m), axis, I64) for axis in (0, 1))
    return b.cast(b(Compare, rows, columns, predicate="eq"), F32)


def matrix(make: Make, type_: str = "f32[N, K]") -> list[tuple]:
    return [((type_,), make)]


def whole(b, x):
    return b.slice(x, (0, 0), (N, 3), (1, 1))


CASES: dict[str, list[tuple]] = {
    "add-zero": [
        *each(FLOATS, 1, lambda b, x: b(Add, x, like(b, x, -0.0))),
        *each(FLOATS, 1, lambda b, x: b(Add, like(b, x, -0.0), x)),
        *each(INTS, 1, lambda b, x: b(Add, x, like(b, x, 0))),
    ],
    "sub-zero": each((*FLOATS, *INTS), 1, lambda b, x: b(Sub, x, like(b, x, 0))),
    "zero-sub": [
        *each(FLOATS, 1, lambda b, x: b(Sub, like(b, x, -0.0), x)),
        *each(INTS, 1, lambda b, x: b(Sub, like(b, x, 0), x)),
    ],
    "add-neg": [
        *each((*FLOATS, *INTS), 2, lambda b, x, y: b(Add, x, b(Neg, y))),
        *each((*FLOATS, *INTS), 2, lambda b, x, y: b(Add, b(Neg, y), x)),
    ],
    "sub-neg": each((*FLOATS, *INTS), 2, lambda b, x, y: b(Sub, x, b(Neg, y))),
    "neg-of-neg": each((*FLOATS, *INTS), 1, lambda b, x: b(Neg, b(Neg, x))),
    "mul-one": each((*FLOATS, *INTS), 1, lambda b, x: b(Mul, like(b, x, 1), x)),
    "mul-minus-one": each(
        (*FLOATS, *INTS[:2]), 1, lambda b, x: b(Mul, x, like(b, x, -1))
    ),
    "mul-neg-neg": each(
        (*FLOATS, *INTS), 2, lambda b, x, y: b(Mul, b(Neg, x), b(Neg, y))
    ),
    "div-one": each(FLOATS, 1, lambda b, x: b(Div, x, like(b, x, 1))),
    "div-minus-one": each(FLOATS, 1, lambda b, x: b(Div, x, like(b, x, -1))),
    "div-neg-neg": each(FLOATS, 2, lambda b, x, y: b(Div, b(Neg, x), b(Neg, y))),
    "div-power-of-two": [
        *each(FLOATS, 1, lambda b, x: b(Div, x, like(b, x, 8))),
        *each(FLOATS, 1, lambda b, x: b(Div, x, like(b, x, -0.25))),
        *each(("f32[N]",), 1, lambda b, x: b(Div, x, like(b, x, 2.0**127))),
        *each(("f32[N]",), 1, lambda b, x: b(Div, x, like(b, x, 2.0**-127))),
        *each(("f64[N]",), 1, lambda b, x: b(Div, x, like(b, x, 2.0**1023))),
    ],
    "select-same": [(("i1[N]", "f32[N]"), lambda b, c, x: b(Select, c, x, x))],
    "select-true": each(
        FLOATS, 2, lambda b, x, y: b(Select, b.full((N,), 1, ELEMENTS["i1"]), x, y)
    ),
    "select-false": each(
        FLOATS, 2, lambda b, x, y: b(Select, b.full((N,), 0, ELEMENTS["i1"]), x, y)
    ),
    "select-not": [
        (
            ("i1[N]", "f32[N]", "f32[N]"),
            lambda b, c, x, y: b(Select, b(Not, c), x, y),
        )
    ],
    "maximum-same": each((*FLOATS, *INTS), 1, lambda b, x: b(Maximum, x, x)),
    "minimum-same": each((*FLOATS, *INTS), 1, lambda b, x: b(Minimum, x, x)),
    "not-of-not": matrix(lambda b, x: b(Not, b(Not, x)), "i1[N]"),
    "and-same": matrix(lambda b, x: b(And, x, x), "i1[N]"),
    "or-same": matrix(lambda b, x: b(Or, x, x), "i1[N]"),
    "and-true": matrix(lambda b, x: b(And, like(b, x, 1), x), "i1[N]"),
    "and-false": matrix(lambda b, x: b(And, x, like(b, x, 0)), "i1[N]"),
    "or-false": matrix(lambda b, x: b(Or, x, like(b, x, 0)), "i1[N]"),
    "or-true": matrix(lambda b, x: b(Or, like(b, x, 1), x), "i1[N]"),
    "cast-same": [cast_chain("f32", "f32"), cast_chain("i64", "i64")],
    "cast-of-cast": [
        cast_chain("f32", "f64", "f32"),
        cast_chain("f16", "f32", "f64"),
        cast_chain("f32", "f64", "f16"),
        cast_chain("f32", "f64", "i32"),
        cast_chain("i32", "i64", "i8"),
        cast_chain("i32", "f64", "i32"),
        cast_chain("i32", "i64", "f32"),
        cast_chain("i32", "f64", "f32"),
        cast_chain("ui8", "i32", "f32"),
        cast_chain("ui8", "i16", "i8"),
        cast_chain("i1", "f32", "i64"),
        cast_chain("i1", "i8", "i1"),
        cast_chain("i8", "f16", "i1"),
    ],
    "broadcast-same": matrix(lambda b, x: b.broadcast(x, (N, K), (0, 1))),
    "broadcast-of-broadcast": [
        *matrix(
            lambda b, x: b.broadcast(b.broadcast(x, (2, N), (1,)), (2, 3, N), (0, 2)),
            "f32[N]",
        ),
        *matrix(
            lambda b, x: b.broadcast(b.broadcast(x, (N, 1), (0,)), (N, 5), (0, 1)),
            "f32[N]",
        ),
    ],
    "reshape-of-splat": matrix(
        lambda b, x: b.reshape(b.full((N, 6), 2.5, F32), (N, 2, 3))
    ),
    "transpose-of-splat": matrix(
        lambda b, x: b.transpose(b.full((N, 6), -0.0, F32), (1, 0))
    ),
    "slice-of-splat": matrix(
        lambda b, x: b.slice(b.full((N, 6), 7, F32), (0, 4), (N, 2), (1, -3))
    ),
    "reshape-same": matrix(lambda b, x: b.reshape(x, (N, K))),
    "reshape-of-reshape": matrix(
        lambda b, x: b.reshape(b.reshape(x, (N, 3, 2)), (N, 2, 3)), "f32[N, 6]"
    ),
    "transpose-same": matrix(lambda b, x: b.transpose(x, (0, 1))),
    "transpose-of-transpose": [
        *matrix(lambda b, x: b.transpose(b.transpose(x, (1, 0)), (1, 0))),
        *matrix(
            lambda b, x: b.transpose(b.transpose(x, (1, 2, 0)), (0, 2, 1)),
            "f32[N, 3, K]",
        ),
    ],
    "slice-whole": matrix(whole, "f32[N, 3]"),
    "unslice-whole": matrix(
        lambda b, x: b.unslice(x, (0, 0), (N, 3), (1, 1)), "f32[N, 3]"
    ),
    "max-of-one": [
        *matrix(lambda b, x: b(Max, x, axes=(1,)), "f64[N, 1]"),
        *matrix(lambda b, x: b(Max, x, axes=(1,)), "ui8[N, 1]"),
    ],
    "top1-of-one": [
        *matrix(lambda b, x: b.results(Top1, x, axes=(1,)), "f32[N, 1]"),
        *matrix(lambda b, x: b.results(Top1, x, axes=(0,)), "i16[1, N]"),
    ],
    "known-size": matrix(lambda b, x: b(Size, x, axis=1), "f32[N, 3]"),
    "gather-of-eye": [
        (("ui8[N]",), lambda b, y: b.gather(eye(b, 256, 5), [y], (0,))),
        (("ui8[N, 3]",), lambda b, y: b.gather(eye(b, 256, 300), [y], (0,))),
        (("i8[N]",), lambda b, y: b.gather(eye(b, 128, 4), [y], (0,))),
    ],
    "sum-of-one": [
        *matrix(lambda b, x: b.sum(x, 1), "f32[N, 1]"),
        *matrix(lambda b, x: b.sum(x, 0), "i32[1, N]"),
    ],
    "mean-of-one": [
        *matrix(lambda b, x: b.mean(x, b.scalar(1, I64), (1,)), "f32[N, 1]"),
        *matrix(lambda b, x: b.mean(x, b.scalar(3, I64), (0, 1)), "f64[1, 1]"),
    ],
    "stop-gradient": each(FLOATS, 1, lambda b, x: b(StopGradient, x)),
}


def nasty(element: str) -> Array:
    """Return the values of a type that break careless rules."""
    dtype = ELEMENTS[element].dtype
    if element == "i1":
        return np.array([False, True])
    if not np.issubdtype(dtype, np.floating):
        limits = np.iinfo(dtype)
        return np.array(
            [0, 1, 2, 3, 100, limits.max, limits.min, limits.max - 1], dtype
        )
    limits = np.finfo(dtype)
    numbers = [0.0, 1, 1.5, 3, 1 / 3, 7, float(limits.max), float(limits.tiny)]
    numbers += [float(limits.smallest_subnormal), np.inf, 65504, float(limits.eps)]
    return np.array([*numbers, *(-n for n in numbers), np.nan], dtype)


def nasty_arguments(types: Sequence[str], rng: np.random.Generator) -> list[Array]:
    """Return arguments that hold each pair of nasty values, in every place."""
    parsed = [parse_type(t) for t in types]
    rows = max(len(nasty(t.element.name)) for t in parsed) ** 2
    arguments = []
    for place, type_ in enumerate(parsed):
        values = nasty(type_.element.name)
        repeats = 1 if place % 2 else len(values)
        column = np.resize(np.repeat(values, repeats), rows)
        shape = [_size(d, rows) for d in type_.shape]
        if shape == [rows]:
            arguments.append(column)
        else:
            arguments.append(rng.choice(values, shape))
    return arguments


def _size(dim, rows: int) -> int:
    return dim if isinstance(dim, int) else rows if dim == N else 5


def apply_rules(module: Module, rules: Sequence[Rule]) -> dict[str, int]:
    table = RuleTable(rules)
    fired: dict[str, int] = {}
    for function in module.functions:
        for name, count in rewrite(function, table).items():
            fired[name] = fired.get(name, 0) + count
    verify(module)
    return fired


def module_of(types: Sequence[str], make: Make) -> Module:
    def body(b: TensorBuilder, of: list[Value]) -> Sequence[Value]:
        made = make(b, *of)
        return [made] if isinstance(made, Value) else made

    return build_module(types, body)


EXACT_RULES = {rule.name: rule for rule in simplify.RULES}


def test_every_rule_has_a_case_and_a_kind():
    assert list(CASES) == list(EXACT_RULES)
    assert len(EXACT_RULES) == len(simplify.RULES)
    assert {r.kind for r in simplify.RULES} == {EXACT}


@pytest.mark.parametrize(
    ("name", "types", "make"),
    [
        pytest.param(name, types, make, id=f"{name} {' '.join(types)} {i}")
        for name, cases in CASES.items()
        for i, (types, make) in enumerate(cases)
    ],
)
def test_exact_rule_keeps_every_bit(name, types, make):
    arguments = nasty_arguments(types, seed_of(name, types))
    before = run(module_of(types, make), arguments)
    module = module_of(types, make)
    assert apply_rules(module, [EXACT_RULES[name]]) == {name: 1}
    after = run(module, arguments)
    assert all(same_bits(*pair) for pair in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("types", "make"),
    [
        pytest.param(types, make, id=f"{name} {i}")
        for name, cases in CASES.items()
        for i, (types, make) in enumerate(cases)
    ],
)
def test_whole_pass_keeps_every_bit(types, make):
    arguments = nasty_arguments(types, seed_of(types))
    before = run(module_of(types, make), arguments)
    module = simplify.SIMPLIFY.run(module_of(types, make), CPU)
    verify(module)
    after = run(module, arguments)
    assert all(same_bits(*pair) for pair in zip(before, after, strict=True))


# What holds over the reals only, or only for some types: no rule may fire.
KEPT: dict[str, list[tuple]] = {
    "x + 0": each(FLOATS, 1, lambda b, x: b(Add, x, like(b, x, 0.0))),
    "x - -0": each(FLOATS, 1, lambda b, x: b(Sub, x, like(b, x, -0.0))),
    "0 - x": each(FLOATS, 1, lambda b, x: b(Sub, like(b, x, 0.0), x)),
    "x - x": each(FLOATS, 1, lambda b, x: b(Sub, x, x)),
    "x / x": each(FLOATS, 1, lambda b, x: b(Div, x, x)),
    "x * 0": each(FLOATS, 1, lambda b, x: b(Mul, x, like(b, x, 0))),
    "x / 3": each(FLOATS, 1, lambda b, x: b(Div, x, like(b, x, 3))),
    "x / smallest": matrix(lambda b, x: b(Div, x, like(b, x, 2.0**-149)), "f32[N]"),
    "log exp": each(FLOATS, 1, lambda b, x: b(Log, b(Exp, x))),
    "sqrt square": each(FLOATS, 1, lambda b, x: b(Sqrt, b(Mul, x, x))),
    "square sqrt": each(FLOATS, 1, lambda b, x: b(Mul, b(Sqrt, x), b(Sqrt, x))),
    "exp exp": each(FLOATS, 2, lambda b, x, y: b(Mul, b(Exp, x), b(Exp, y))),
    "x >= x": each(FLOATS, 1, lambda b, x: b(Compare, x, x, predicate="ge")),
    "not <": each(FLOATS, 2, lambda b, x, y: b(Not, b(Compare, x, y, predicate="lt"))),
    "neg of difference": each(FLOATS, 2, lambda b, x, y: b(Neg, b(Sub, x, y))),
    "maximum -inf": each(FLOATS, 1, lambda b, x: b(Maximum, x, like(b, x, -1e30))),
    "lossy casts": [
        cast_chain("f64", "f32", "f64"),
        cast_chain("f32", "i32", "f32"),
        cast_chain("i32", "f32", "i32"),
        cast_chain("i32", "f64", "i8"),
        cast_chain("i64", "f64", "i64"),
        cast_chain("i32", "i8", "i32"),
        cast_chain("ui8", "i8", "i32"),
    ],
    "sum of two": matrix(lambda b, x: b.sum(x, 1), "f32[N, 2]"),
    "sum of none": matrix(lambda b, x: b.sum(x, 1), "f32[N, 0]"),
    "part": matrix(lambda b, x: b.slice(x, (0, 2), (N, 3), (1, -1)), "f32[N, 3]"),
}


@pytest.mark.parametrize(
    ("types", "make"),
    [
        pytest.param(types, make, id=f"{name} {i}")
        for name, cases in KEPT.items()
        for i, (types, make) in enumerate(cases)
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_what_is_not_exact_is_kept(types, make):
    module = module_of(types, make)
    assert apply_rules(module, [*simplify.RULES, *stabilize.RULES]) == {}


# Naive spellings. `z` is x minus its maximum along the axis.


def test_no_rule_crosses_the_boundary_of_a_gradient():
    def body(b, of):
        outside = b(Neg, of[0])
        return grad(b, [outside], lambda b, w: total(b, b(Neg, b(Mul, w[0], outside))))

    module = build_module(["f64[3]"], body)
    assert apply_rules(module, simplify.RULES) == {}


def test_rules_apply_inside_the_region_of_a_gradient():
    def body(b, of):
        return grad(b, of, lambda b, w: total(b, b(Neg, b(Neg, w[0]))))

    module = build_module(["f64[3]"], body)
    assert apply_rules(module, simplify.RULES) == {"neg-of-neg": 1}


def simplified(types: Sequence[str], make: Make) -> Module:
    module = simplify.SIMPLIFY.run(module_of(types, make), CPU)
    verify(module)
    return module


def names_of(module: Module) -> list[str]:
    return [op.name for op in module.functions[0].body.block.ops[:-1]]


def test_exact_ops_on_constants_are_folded():
    def make(b, x):
        two = b.constant(np.array([[2.0, 1], [4, 8]]))
        return b(Add, b.sum(b.matmul(two, two), 0), x)

    module = simplified(["f64[2]"], make)
    assert names_of(module) == ["tc.constant", "tc.add"]
    assert run(module, [np.zeros(2)])[0].tolist() == [48.0, 78.0]


def test_functions_that_are_not_exact_are_not_folded():
    module = simplified(["f64"], lambda b, x: b(Add, x, b(Exp, b.scalar(1, F64))))
    assert "tc.exp" in names_of(module)


def test_numbers_everywhere_are_computed_once_and_stay_broadcast():
    def make(b, x):
        half = b(Div, like(b, x, 1), like(b, x, 3))
        return b(Mul, x, b.cast(b.cast(half, F16), F32))

    module = simplified(["f32[N, K]"], make)
    assert names_of(module) == ["tc.constant", "tc.broadcast", "tc.mul"]
    expected = np.float32(np.float16(np.float32(1) / np.float32(3)))
    assert run(module, [np.ones((2, 2), np.float32)])[0][0, 0] == expected


def test_a_constant_of_one_number_becomes_rank_0():
    module = simplified(
        ["i32[3]"], lambda b, x: b(Add, x, b.constant(np.full(3, 7, np.int32)))
    )
    assert names_of(module) == ["tc.constant", "tc.broadcast", "tc.add"]


def test_large_constants_are_not_folded():
    module = simplified(["i64"], lambda b, x: b(Neg, b.constant(np.arange(65))))
    assert names_of(module) == ["tc.constant", "tc.neg"]


def test_slice_with_an_unknown_start_is_not_folded():
    def make(b, x):
        return b.slice(b.constant(np.arange(5)), (N,), (1,), (1,))

    assert names_of(simplified(["f32[N]"], make)) == ["tc.constant", "tc.slice"]


def test_long_chains_take_linear_time():
    def make(b, x):
        for _ in range(5000):
            x = b(Neg, b(Add, x, like(b, x, -0.0)))
        return x

    module = simplified(["f64"], make)
    assert names_of(module) == []


def test_shape_attributes_keep_their_type():
    module = simplified(
        ["f32[N, 6]"], lambda b, x: b.reshape(b.reshape(x, (N, 3, 2)), (2, N, 3))
    )
    (op, _) = module.functions[0].body.block.ops
    assert op.attributes["shape"] == Dims((2, N, 3))
