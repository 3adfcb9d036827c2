"""Sample inputs of every tensor op, and helpers that build functions of them.

SAMPLES is a literal table, a row per op. Values keep away from the points where an op
has no derivative; those points are tested by name.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tensorc.ir.attributes import Attribute, Dense, Dims
from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import evaluate, symbol
from tensorc.ir.functions import Parameter, close_function, new_module, open_function
from tensorc.ir.interpreter import interpret
from tensorc.ir.numerics import FMA_ORDER, LANES_ORDER, Array, integer_limits
from tensorc.ir.numerics import same_bits as same_bits
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.control import Yield
from tensorc.ir.ops.derivatives import Grad, Jvp, Vjp
from tensorc.ir.ops.tensor import (
    bits,
    cumulative,
    indexing,
    making,
    nn,
    order,
    products,
    random,
    reductions,
    rounding,
)
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.ops.tensor import shape as shapes
from tensorc.ir.ops.tensor import transcendental as fn
from tensorc.ir.tensor_builder import TensorBuilder, tensor_type
from tensorc.ir.types import F32, F64, I64, U32, U64, TensorType
from tensorc.target import Target
from tests.sample_types import Sample as Sample
from tests.sample_types import dims as dims
from tests.sample_types import one as one
from tests.sample_types import parse_type as parse_type
from tests.window_samples import WINDOW_SAMPLES

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

CPU = Target("cpu")
SIZES = {"B": 3, "N": 4}
SHAPES = ("", "[4]", "[B, 3]", "[1, 1]", "[0, 3]", "[B, 1, N]")


def assert_all_alike(outcomes: Sequence[Sequence[Array] | Exception | str]) -> None:
    """Assert that calls gave results, and all of them the same bits."""
    for outcome in outcomes:
        assert not isinstance(outcome, (str, Exception)), outcome
        assert all(map(same_bits, outcome, outcomes[0]))


def each_shape(*operands: str, **attributes: Attribute) -> tuple[Sample, ...]:
    """Return a sample for each shape; an operand is "f64" or "f64:positive"."""
    elements, values = zip(*(o.partition(":")[::2] for o in operands), strict=True)
    return tuple(
        Sample(tuple(e + shape for e in elements), attributes, values)
        for shape in SHAPES
    )


def _part(starts: Sequence[int], sizes: Sequence[int | str], *steps: int) -> Sample:
    given: dict[str, Attribute] = {
        "starts": dims(*starts),
        "sizes": dims(*sizes),
        "steps": tuple(steps),
    }
    return Sample(("f64[4, 5]",), given)


MATRIX = np.array([[1.0, -2.0], [0.5, 8.0]])

# What is reduced along which axes, by sums and products, and by comparisons.
SUMMED = (
    ("f64[4]", (0,)),
    ("f64[B, 3]", (0,)),
    ("f64[B, N, 2]", (1,)),
    ("f64[B, N, 2]", (0, 2)),
    ("f64[B, 3, 2]", (1, 2)),
    ("f64[2, B, 1, 3]", (0, 1, 2)),
    ("f64[1, 3]", (0,)),
    ("f64[0, 3]", (0,)),
    ("f64[3, 0]", (0,)),
)
COMPARED = (
    ("f64[4]", (0,)),
    ("f64[B, 3]", (1,)),
    ("f64[B, N, 2]", (1,)),
    ("f64[B, N, 2]", (0, 2)),
    ("f64[B, 3, 2]", (1, 2)),
    ("f64[2, B, 1, 3]", (0, 1, 2)),
    ("f64[1, 3]", (0,)),
    ("f64[3, 0]", (0,)),
)


SAMPLES: Mapping[type[Op], tuple[Sample, ...]] = {
    ew.Add: each_shape("f64", "f64"),
    ew.Sub: each_shape("f64", "f64"),
    ew.Mul: each_shape("f64", "f64"),
    ew.Div: each_shape("f64", "f64:nonzero"),
    ew.Maximum: each_shape("f64", "f64"),
    ew.Minimum: each_shape("f64", "f64"),
    ew.And: each_shape("i1", "i1"),
    ew.Or: each_shape("i1", "i1"),
    ew.Not: each_shape("i1"),
    bits.BitwiseAnd: each_shape("i32", "i32"),
    bits.BitwiseOr: each_shape("i32", "i32"),
    bits.BitwiseXor: each_shape("i32", "i32"),
    bits.Invert: each_shape("i32"),
    bits.LeftShift: each_shape("i32", "i32"),
    bits.RightShift: each_shape("i32", "i32"),
    ew.Neg: each_shape("f64"),
    ew.Exp: each_shape("f64:small"),
    ew.Log: each_shape("f64:positive"),
    ew.Sqrt: each_shape("f64:positive"),
    fn.Tanh: each_shape("f64"),
    fn.Sigmoid: each_shape("f64"),
    fn.Softplus: each_shape("f64"),
    fn.Silu: each_shape("f64"),
    fn.Gelu: each_shape("f64"),
    fn.Log1p: each_shape("f64:positive"),
    fn.Expm1: each_shape("f64:small"),
    fn.Erf: each_shape("f64"),
    fn.ErfInv: each_shape("f64:share"),
    fn.GammaLn: each_shape("f64:positive"),
    fn.Digamma: each_shape("f64:positive"),
    fn.Erfc: each_shape("f64"),
    fn.Sin: each_shape("f64"),
    fn.Cos: each_shape("f64"),
    fn.Tan: each_shape("f64:small"),
    fn.ArcSin: each_shape("f64:share"),
    fn.ArcCos: each_shape("f64:share"),
    fn.ArcTan: each_shape("f64"),
    fn.ArcTan2: each_shape("f64", "f64:nonzero"),
    fn.Sinh: each_shape("f64:small"),
    fn.Cosh: each_shape("f64:small"),
    fn.ArcSinh: each_shape("f64"),
    fn.ArcCosh: each_shape("f64:count"),
    fn.ArcTanh: each_shape("f64:share"),
    fn.Exp2: each_shape("f64:small"),
    fn.Log2: each_shape("f64:positive"),
    fn.Log10: each_shape("f64:positive"),
    fn.Cbrt: each_shape("f64:nonzero"),
    fn.Hypot: each_shape("f64", "f64:nonzero"),
    fn.Pow: each_shape("f64:positive", "f64:small"),
    rounding.FloorDiv: each_shape("f64", "f64:nonzero"),
    rounding.Fmod: each_shape("f64", "f64:nonzero"),
    rounding.CopySign: each_shape("f64:nonzero", "f64:nonzero"),
    rounding.SignBit: each_shape("f64"),
    rounding.Mod: each_shape("f64", "f64:nonzero"),
    rounding.Abs: each_shape("f64"),
    rounding.Sign: each_shape("f64"),
    rounding.Floor: each_shape("f64"),
    rounding.Ceil: each_shape("f64"),
    rounding.Round: each_shape("f64"),
    rounding.IsNan: each_shape("f64"),
    rounding.IsFinite: each_shape("f64"),
    ew.Compare: each_shape("f64", "f64", predicate="lt"),
    ew.Select: each_shape("i1", "f64", "f64"),
    # Values and steps are few bits long, so that f32 differences are exact.
    ew.Cast: (
        Sample(("f32[B, 3]",), {"element": F64}, ("binary",), 2**-10),
        Sample(("f64[4]",), {"element": F32}, ("binary",), 2**-10),
        Sample(("f64",), {"element": F64}, ("binary",), 2**-10),
        Sample(("f64[0]",), {"element": F32}),
    ),
    reductions.Sum: tuple(
        one(type_, axes=axes, order=LANES_ORDER) for type_, axes in SUMMED
    ),
    reductions.Mean: tuple(
        one(type_, "i64", values=("", "count"), axes=axes, order=LANES_ORDER)
        for type_, axes in (
            ("f64[4]", (0,)),
            ("f64[B, 3]", (0,)),
            ("f64[B, 3]", (0, 1)),
            ("f64[B, N, 2]", (0, 2)),
            ("f64[1, 3]", (0,)),
            ("f64[0, 3]", (0,)),
            ("f64[3, 0]", (0,)),
            ("f64", ()),
        )
    ),
    reductions.Max: tuple(one(type_, axes=axes) for type_, axes in COMPARED),
    reductions.Min: tuple(one(type_, axes=axes) for type_, axes in COMPARED),
    reductions.Prod: tuple(
        one(type_, axes=axes, order=LANES_ORDER) for type_, axes in SUMMED
    ),
    reductions.Any: tuple(
        one(type_, axes=axes)
        for type_, axes in (
            ("i1[4]", (0,)),
            ("i1[B, 3]", (0,)),
            ("i1[2, 0]", (1,)),
            ("i1[B, 3, 2]", (0, 2)),
        )
    ),
    reductions.All: tuple(
        one(type_, axes=axes)
        for type_, axes in (
            ("i1[N]", (0,)),
            ("i1[3, B]", (1,)),
            ("i1[2, 0]", (1,)),
            ("i1[B, 3]", (0, 1)),
        )
    ),
    reductions.Top1: tuple(
        one(type_, axes=axes)
        for type_, axes in (
            ("f64[4]", (0,)),
            ("f64[B, 3]", (1,)),
            ("f64[3, B]", (0,)),
            ("f64[2, N, B]", (1,)),
            ("f64[2, N, B]", (0, 2)),
            ("f64[2, N, 3]", (1, 2)),
            ("f64[0, 3]", (1,)),
        )
    ),
    reductions.ArgMax: (
        one("f64[4]", axes=(0,)),
        one("f64[B, 3]", axes=(1,)),
        one("f64[2, 3, B]", axes=(0, 2)),
    ),
    reductions.ArgMin: (
        one("f64[4]", axes=(0,)),
        one("f64[B, 3]", axes=(0,)),
        one("f64[2, 1, B]", axes=(0, 1, 2)),
    ),
    products.MatMul: tuple(
        one(lhs, rhs, order=FMA_ORDER)
        for lhs, rhs in (
            ("f64[B, 3]", "f64[3, 2]"),
            ("f64[1, 1]", "f64[1, 1]"),
            ("f64[2, 0]", "f64[0, 3]"),
            ("f64[0, 3]", "f64[3, 2]"),
            ("f64[2, B, 3]", "f64[2, 3, N]"),
        )
    ),
    **WINDOW_SAMPLES,
    shapes.Broadcast: (
        one("f64", axes=(), shape=dims(3, 2)),
        one("f64[N]", axes=(1,), shape=dims(2, "N")),
        one("f64[B, 1]", axes=(0, 1), shape=dims("B", 3)),
        one("f64[1, 3, 1]", axes=(0, 2, 3), shape=dims(1, 2, 3, 4)),
        one("f64[1]", axes=(0,), shape=dims(0)),
        one("f64[1, B]", axes=(0, 1), shape=dims(2, "B")),
    ),
    shapes.Reshape: (
        one("f64[4, 3]", shape=dims(2, 6)),
        one("f64[B, 6]", shape=dims("B", 2, 3)),
        one("f64[1]", shape=dims()),
        one("f64[0, 3]", shape=dims(3, 0)),
    ),
    shapes.Transpose: (
        one("f64[B, 3]", permutation=(1, 0)),
        one("f64[2, B, 4]", permutation=(2, 0, 1)),
        one("f64[0, 1]", permutation=(1, 0)),
        one("f64", permutation=()),
    ),
    shapes.Slice: (
        _part((1, 0), (2, 3), 2, 2),
        _part((3, 4), (4, 2), -1, -2),
        _part((0, 0), (0, 5), 1, 1),
        one("f64[B]", starts=dims(1), sizes=Dims((symbol("B") + -1,)), steps=(1,)),
    ),
    shapes.Unslice: (
        one("f64[2, B]", starts=dims(1, 0), shape=dims(4, "B"), steps=(2, 1)),
        one("f64[2]", starts=dims(3), shape=dims(5), steps=(-2,)),
        one("f64[0]", starts=dims(0), shape=dims(3), steps=(1,)),
        one(
            "f64[N, B]",
            starts=dims(1, 0),
            shape=Dims((symbol("N") + 2, symbol("B"))),
            steps=(1, 1),
        ),
    ),
    shapes.Concatenate: (
        one("f64[2, 3]", "f64[B, 3]", axis=0),
        one("f64[B, 2]", "f64[B, 0]", "f64[B, N]", "f64[B, 1]", axis=1),
        one("f64[N]", axis=0),
        one("f64[0, 3]", "f64[0, 3]", axis=0),
        one("f64[2, 0]", "f64[1, 0]", axis=0),
    ),
    shapes.Size: (one("f64[B, 3]", axis=0), one("f64[B, 3]", axis=1)),
    making.Constant: (one(value=Dense(MATRIX, TensorType((2, 2), F64))),),
    making.Iota: (
        one(shape=dims(2, 3), axis=0, element=I64),
        one(shape=dims(2, 0), axis=1, element=F32),
    ),
    random.RandomKey: (one("ui64", "ui64"),),
    random.RandomBits: (
        one("ui64", shape=dims(3, 70), element=U32),
        one("ui64", shape=dims(3, 5), element=U64),
        one("ui64", shape=dims(2, 0), element=U32),
        one("ui64", shape=dims(), element=U64),
    ),
    indexing.TakeAlongAxis: (
        one("f64[B, 3]", "i64[B]", values=("", "index 3"), axis=1),
        one("f64[3, B]", "i32[B]", values=("", "index 3"), axis=0),
        one("f64[N]", "i64", values=("", "index 4"), axis=0),
        one("f64[2, 1, 3]", "ui8[2, 3]", values=("", "index 1"), axis=1),
        one("f64[0, 3]", "i64[0]", values=("", "index 3"), axis=1),
    ),
    indexing.CheckIndex: (
        one("i64[5]", values=("label 4",), axis=0, size=dims(4), from_end=False),
        one("ui8[2, N]", values=("index 3",), axis=1, size=dims("N"), from_end=True),
    ),
    indexing.Gather: (
        one("f64[4, 3]", "i64[5]", values=("", "index 4"), axes=(0,)),
        one("f64[N, 3]", "i32[2, 3]", values=("", "index 3"), axes=(1,)),
        one("f64[N]", "i64", values=("", "index 4"), axes=(0,)),
        one(
            *("f64[2, B, N]", "i8[B]", "ui16[B]"),
            values=("", "index 2", "index 4"),
            axes=(0, 2),
        ),
        one("f64[2, 3, N]", "ui64[1]", values=("", "index 3"), axes=(1,)),
        one("f64[3, 0]", "i64[2]", values=("", "index 3"), axes=(0,)),
        one("f64[0, 3]", "i64[0]", values=("", "index 1"), axes=(0,)),
    ),
    indexing.Scatter: tuple(
        one(*types, values=("", "", *indices), axes=axes, combine=combine)
        for combine in ("add", "set")
        for types, indices, axes in (
            (("f64[4, 3]", "f64[5, 3]", "i64[5]"), ("index 4",), (0,)),
            (("f64[N, 3]", "f64[N, 2, 3]", "i32[2, 3]"), ("index 3",), (1,)),
            (("f64[N, 2]", "f64[2]", "i64"), ("index 4",), (0,)),
            (("f64[N]", "f64", "i64"), ("index 4",), (0,)),
            (
                ("f64[2, B, N]", "f64[B, B]", "i8[B]", "ui16[B]"),
                ("index 2", "index 4"),
                (0, 2),
            ),
            (("f64[3, 0]", "f64[2, 0]", "i64[2]"), ("index 3",), (0,)),
            (("f64[0, 3]", "f64[0, 3]", "i64[0]"), ("index 1",), (0,)),
        )
    ),
    **{
        cls: tuple(
            one(*["f64[B, 3]"] * count, axis=axis, **extra)
            for axis in (0, 1)
            for extra in extras
        )
        + tuple(one(*["f64[N]"] * count, axis=0, **extra) for extra in extras)
        + tuple(one(*["f64[0, 3]"] * count, axis=0, **extra) for extra in extras)
        for cls, count, extras in (
            (cumulative.CumSum, 1, ({"reverse": False}, {"reverse": True})),
            (cumulative.CumProd, 1, ({},)),
            (cumulative.CumMax, 1, ({},)),
            (cumulative.CumMin, 1, ({},)),
            (cumulative.Recurrence, 2, ({"reverse": False}, {"reverse": True})),
        )
    },
    **{
        cls: tuple(
            one(type_)
            for type_ in (
                "f64[5]",
                "f64[B, 3]",
                "f64[3, B]",
                "f64[2, N, B]",
                "f64[0, 3]",
            )
        )
        for cls in (order.Sort, order.ArgSort)
    },
    order.TopK: tuple(
        one(type_, count=count)
        for type_, count in (
            ("f64[5]", 2),
            ("f64[B, 3]", 3),
            ("f64[3, B]", 1),
            ("f64[2, N, B]", 2),
            ("f64[0, 3]", 2),
            ("f64[4]", 0),
        )
    ),
    order.SearchSorted: tuple(
        one(row, values, side=side)
        for row, values in (
            ("f64[5]", "f64[B]"),
            ("f64[N]", "f64[3, B]"),
            ("i8[N]", "i8"),
            ("f64[0]", "f64[3]"),
            ("f64[3]", "f64[2, 0]"),
        )
        for side in ("left", "right")
    ),
    nn.Softmax: (
        one("f64[4]", axis=0),
        one("f64[B, 3]", axis=1),
        one("f64[3, B]", axis=0),
        one("f64[B, 1]", axis=1),
        one("f64[0, 3]", axis=1),
        one("f64[B, 7]", "i1[B, 7]", axis=1),
        one("f64[7, B]", "i1[7, B]", axis=0),
    ),
    nn.LogSoftmax: (
        one("f64[4]", axis=0),
        one("f64[B, 3]", axis=1),
        one("f64[3, B]", axis=0),
        one("f64[B, 1]", axis=1),
        one("f64[0, 3]", axis=1),
    ),
}


def seed_of(*things: object) -> np.random.Generator:
    """Return a generator that the things in the test's name decide."""
    return np.random.default_rng(zlib.crc32(" ".join(map(str, things)).encode()))


def drawn(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: "np.dtype[np.generic]"
) -> Array:
    """Return floats of a normal distribution, or integers of all their type holds."""
    if not np.issubdtype(dtype, np.integer):
        return rng.standard_normal(shape).astype(dtype)
    least, largest = integer_limits(dtype)
    return rng.integers(least, largest, shape, dtype, endpoint=True)


def sizes_of(types: Sequence[TensorType]) -> list[list[int]]:
    return [[evaluate(d, SIZES) for d in t.shape] for t in types]


def sample_values(sample: Sample, rng: np.random.Generator) -> list[Array]:
    """Return operands: distinct numbers, at most one of them near another."""
    types = [parse_type(t) for t in sample.operands]
    kinds = [*sample.values, *[""] * len(types)]
    return [
        _values(type_, shape, kind, i, rng)
        for i, (type_, shape, kind) in enumerate(
            zip(types, sizes_of(types), kinds, strict=False)
        )
    ]


def _values(
    type_: TensorType, shape: list[int], kind: str, place: int, rng: np.random.Generator
) -> Array:
    count = int(np.prod(shape, dtype=int))
    if type_.element.name == "i1":
        return rng.integers(0, 2, shape).astype(bool)
    if kind.startswith(("index", "label")):
        size = int(kind.split()[1])
        low = 0 if type_.element.is_unsigned or "label" in kind else -size
        return rng.integers(low, size, shape).astype(type_.element.dtype)
    # No two numbers are equal, in one operand or in two.
    distinct = (rng.permutation(count) - count / 2 + 0.3 * place + 0.1) * 0.25
    by_kind: dict[str, Callable[[Floats], Floats]] = {
        "": lambda v: v,
        "small": lambda v: v / 4,
        "positive": lambda v: np.abs(v) + 0.5,
        "nonzero": lambda v: np.sign(v) * (np.abs(v) + 0.5),
        "binary": lambda v: np.round(v * 8) / 8,
        "count": lambda v: np.abs(v) + 2,
        "share": lambda v: v / (np.abs(v) + 2),
    }
    values = by_kind[kind](distinct.astype(np.float64)).reshape(shape)
    return np.asarray(values, type_.element.dtype)


Body = Callable[[TensorBuilder, list[Value]], Sequence[Value]]


def build_module(types: Sequence[TensorType | str], body: Body) -> Module:
    """Return a module with one function "f" of these arguments."""
    parsed = [parse_type(t) if isinstance(t, str) else t for t in types]
    function, builder = open_function("f", [Parameter(t) for t in parsed])
    arguments = function.body.block.arguments
    results = body(TensorBuilder(builder), arguments)
    close_function(function, builder, results)
    module = new_module()
    module.body.block.append(function)
    return module


def run(module: Module, arguments: Sequence[Array]) -> list[Array]:
    return interpret(module, "f", arguments)


def apply_op(b: TensorBuilder, cls: type[Op], sample: Sample, of: list[Value]) -> Value:
    """Append an op and return its first result."""
    return b.results(cls, *of, **sample.attributes)[0]


def one_op(cls: type[Op], sample: Sample) -> Module:
    """Return a module whose function is one op, and gives all of its results."""
    attributes = sample.attributes
    return build_module(
        sample.operands, lambda b, of: b.results(cls, *of, **attributes)
    )


Cost = Callable[[TensorBuilder, list[Value]], Value]


def grad(b: TensorBuilder, wrt: Sequence[Value], cost: Cost) -> list[Value]:
    """Append a `tc.grad` of a cost that is made from the block arguments."""
    base: Builder = b.builder
    with base.region([v.type for v in wrt]) as (region, arguments):
        base.create(Yield, cost(b, arguments))
    return base.create(Grad, *wrt, regions=[region]).results


Outs = Callable[[TensorBuilder, list[Value]], Sequence[Value]]


def jvp(
    b: TensorBuilder, by: Sequence[Value], tangents: Sequence[Value], outs: Outs
) -> list[Value]:
    """Append a `tc.jvp` of what is made from the block arguments."""
    return _derivative(b, Jvp, by, tangents, outs)


def vjp(
    b: TensorBuilder, by: Sequence[Value], cotangents: Sequence[Value], outs: Outs
) -> list[Value]:
    """Append a `tc.vjp` of what is made from the block arguments."""
    return _derivative(b, Vjp, by, cotangents, outs)


def _derivative(
    b: TensorBuilder,
    cls: type[Op],
    by: Sequence[Value],
    vector: Sequence[Value],
    outs: Outs,
) -> list[Value]:
    base: Builder = b.builder
    with base.region([v.type for v in by]) as (region, arguments):
        made = outs(b, arguments)
        base.create(Yield, *made)
    types = [v.type for v in (made if cls is Jvp else by)]
    return base.create(cls, *by, *vector, types=types, regions=[region]).results


def total(b: TensorBuilder, value: Value) -> Value:
    """Return the sum of all elements."""
    return b.sum(value, range(tensor_type(value).rank))
