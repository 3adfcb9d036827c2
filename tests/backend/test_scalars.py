"""Every arith and math op, compiled and interpreted: the same bits on nasty values."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tensorc.backend.llvm.host import host_target
from tensorc.backend.llvm.scalars import SCALAR_ROWS
from tensorc.ir.attributes import Typed
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.scalar import arith, conversions, math
from tensorc.ir.types import ELEMENTS, F16, F32, F64, I1, I32, I64, VectorType
from tests.backend.harness import (
    LANES,
    Code,
    assert_same_bits,
    constant,
    counted,
    entry,
    nasty,
    run_interpreter,
    splat,
)

FLOATS = (F16, F32, F64)
INTEGERS = tuple(e for e in ELEMENTS.values() if e.is_integer)
FLOAT_BINARY = (
    arith.AddF,
    arith.SubF,
    arith.MulF,
    arith.DivF,
    arith.MaximumF,
    arith.MinimumF,
    math.CopySign,
)
FLOAT_UNARY = (
    arith.NegF,
    math.Sqrt,
    math.AbsF,
    math.RoundEven,
    math.Floor,
    math.Ceil,
)
INTEGER_BINARY = (
    arith.AddI,
    arith.SubI,
    arith.MulI,
    arith.FloorDivSI,
    arith.RemSI,
    arith.MinSI,
    arith.MaxSI,
    arith.MinUI,
    arith.MaxUI,
    arith.AndI,
    arith.OrI,
    arith.XOrI,
    arith.ShLI,
    arith.ShRSI,
)
# Ops on booleans that numpy has with a boolean result.
BOOLEAN_BINARY = (
    arith.AddI,
    arith.MulI,
    arith.MinSI,
    arith.MaxSI,
    arith.MinUI,
    arith.MaxUI,
    arith.AndI,
    arith.OrI,
    arith.XOrI,
)


class Case:
    """An op to apply: class, element of the operands and of the result, attributes."""

    def __init__(self, cls, source, target, arity, **attributes):
        self.cls, self.source, self.target = cls, source, target
        self.arity, self.attributes = arity, attributes

    def build(self, b, operands, lanes):
        kind = VectorType(lanes, self.target) if lanes else self.target
        free = not hasattr(self.cls, "infer")
        types = [kind] if free else None
        return b.value(self.cls, *operands, types=types, **self.attributes)

    def __str__(self):
        return f"{self.cls.name} {self.source}->{self.target} {self.attributes}"


def cases_of(element):
    if element.is_float:
        cases = [Case(c, element, element, 2) for c in FLOAT_BINARY]
        cases += [Case(c, element, element, 1) for c in FLOAT_UNARY]
        cases.append(Case(math.Fma, element, element, 3))
        predicates = range(len(arith.FLOAT_PREDICATES))
        cases += [Case(arith.CmpF, element, I1, 2, predicate=p) for p in predicates]
        return cases
    binary = BOOLEAN_BINARY if element == I1 else INTEGER_BINARY
    cases = [Case(c, element, element, 2) for c in binary]
    # Predicates that agree with the sign, and those that have none.
    unsigned = element.is_unsigned or element == I1
    codes = (0, 1, 6, 7, 8, 9) if unsigned else (0, 1, 2, 3, 4, 5)
    return cases + [Case(arith.CmpI, element, I1, 2, predicate=p) for p in codes]


def conversions_of(element):
    cases = []
    for other in ELEMENTS.values():
        if element.is_float and other.is_float:
            wider = other.bits > element.bits
            if other != element:
                cls = conversions.ExtF if wider else conversions.TruncF
                cases.append(Case(cls, element, other, 1))
        elif element.is_float:
            signed = other.is_integer and not other.is_unsigned
            cls = conversions.FPToSI if signed else conversions.FPToUI
            cases.append(Case(cls, element, other, 1))
        elif other.is_float:
            signed = element.is_integer and not element.is_unsigned
            cls = conversions.SIToFP if signed else conversions.UIToFP
            cases.append(Case(cls, element, other, 1))
        else:
            wider = other.bits > element.bits
            signed = element.is_integer and not element.is_unsigned
            widen = conversions.ExtSI if signed else conversions.ExtUI
            cls = widen if wider else conversions.TruncI
            if other.bits == element.bits or "index" in (element.name, other.name):
                cls = conversions.IndexCast
            cases.append(Case(cls, element, other, 1))
        same = other.bits == element.bits > 1
        if same and other != element:
            cases.append(Case(conversions.Bitcast, element, other, 1))
    return cases


def module_of(cases, arity, *, lanes):
    """One entry: inputs x0…, an output per case, and the number of elements."""
    source = cases[0].source
    elements = [source] * arity + [c.target for c in cases]

    def scalar(b, arguments, i):
        x = [b.value(memory.Load, a, i) for a in arguments[:arity]]
        for case, out in zip(cases, arguments[arity:], strict=False):
            value = case.build(b, x[: case.arity], 0)
            b.create(memory.Store, value, out, i)

    def vectors(b, arguments, i, n):
        mask_type = [VectorType(lanes, I1)]
        left = b.value(arith.SubI, n, i)
        mask = b.value(vector.CreateMask, left, types=mask_type)
        zero = splat(b, constant(b, 0, source), lanes)
        x = [b.value(vector.MaskedLoad, a, i, mask, zero) for a in arguments[:arity]]
        for case, out in zip(cases, arguments[arity:], strict=False):
            value = case.build(b, x[: case.arity], lanes)
            b.create(vector.MaskedStore, out, i, mask, value)

    def fill(b, *arguments):
        n = arguments[-1]
        with counted(b, constant(b, 0), n, constant(b, lanes or 1)) as i:
            if lanes:
                vectors(b, arguments, i, n)
            else:
                scalar(b, arguments, i)

    return entry(elements, 1, fill)


@cache
def inputs_of(element, arity):
    values = nasty(element)
    grids = np.meshgrid(*[values] * min(arity, 2), indexing="ij")
    given = [np.ascontiguousarray(g.ravel()) for g in grids]
    if arity == 3:
        given.append(np.roll(given[0], 7))
    return given


def group(element, kind):
    cases = conversions_of(element) if kind == "convert" else cases_of(element)
    return cases, max(c.arity for c in cases)


@cache
def interpreted(element, kind):
    cases, arity = group(element, kind)
    inputs = inputs_of(element, arity)
    # One vector holds all elements: the interpreter's work is per op.
    module = module_of(cases, arity, lanes=inputs[0].size)
    outputs = [np.zeros(inputs[0].size, c.target.dtype) for c in cases]
    run_interpreter(module, [*inputs, *outputs], (inputs[0].size,))
    return outputs


@pytest.mark.parametrize("lanes", [0, LANES], ids=["scalar", "vector"])
@pytest.mark.parametrize("optimize", [0, 3])
@pytest.mark.parametrize("kind", ["arith", "convert"])
@pytest.mark.parametrize("element", ELEMENTS.values(), ids=str)
def test_compiled_equals_interpreted(element, kind, optimize, lanes):
    cases, arity = group(element, kind)
    inputs = inputs_of(element, arity)
    code = Code(module_of(cases, arity, lanes=lanes), optimize)
    outputs = [np.zeros(inputs[0].size, c.target.dtype) for c in cases]
    assert code(*inputs, *outputs, symbols=(inputs[0].size,)) == 0
    for case, got, want in zip(cases, outputs, interpreted(element, kind), strict=True):
        assert_same_bits(got, want, str(case))


def test_select_takes_one_condition_or_one_per_lane():
    def fill(b, c, x, y, out, lane_out, arena):
        zero = constant(b, 0)
        mask = b.value(vector.CreateMask, constant(b, LANES), types=[mask_type])
        none = splat(b, constant(b, 0.0, F32))
        left, right = (b.value(vector.MaskedLoad, v, zero, mask, none) for v in (x, y))
        flags = splat(b, constant(b, 0, I1))
        lanes = b.value(vector.MaskedLoad, c, zero, mask, flags)
        one = b.value(memory.Load, c, constant(b, 1))
        whole = b.value(arith.Select, one, left, right)
        each = b.value(arith.Select, lanes, left, right)
        b.create(vector.MaskedStore, out, zero, mask, whole)
        b.create(vector.MaskedStore, lane_out, zero, mask, each)

    mask_type = VectorType(LANES, I1)
    module = entry([I1, F32, F32, F32, F32], 0, fill)
    flags = np.arange(LANES) % 3 == 0
    x, y = np.arange(LANES, dtype="f4"), -np.arange(LANES, dtype="f4")
    for optimize in (0, 3):
        out, each = np.zeros(LANES, "f4"), np.zeros(LANES, "f4")
        assert Code(module, optimize)(flags, x, y, out, each) == 0
        np.testing.assert_array_equal(out, y)
        np.testing.assert_array_equal(each, np.where(flags, x, y))


@pytest.mark.parametrize("element", ELEMENTS.values(), ids=str)
def test_constants_keep_their_bits(element):
    values = nasty(element)

    def fill(b, out, arena):
        for i, value in enumerate(values):
            typed = Typed(value.item(), element)
            number = b.value(arith.Constant, value=typed)
            b.create(memory.Store, number, out, constant(b, i))

    out = np.zeros(len(values), element.dtype)
    assert Code(entry([element], 0, fill), 0)(out) == 0
    assert_same_bits(out, values, str(element))


WITHOUT_SCALING = replace(
    host_target(), features=host_target().features.replace("+avx512", "-avx512")
)


@pytest.mark.parametrize("lanes", [0, LANES], ids=["scalar", "vector"])
@pytest.mark.parametrize("optimize", [0, 3])
@pytest.mark.parametrize("target", [host_target(), WITHOUT_SCALING], ids=["host", "x"])
@pytest.mark.parametrize(("element", "bits"), [(F32, I32), (F64, I64)], ids=str)
def test_powers_of_two_round_once(element, bits, target, optimize, lanes):
    """With an instruction for it and without: into subnormals, and to infinity."""
    scale = Case(math.Scale, element, element, 2)

    def fill(b, x, e, out, arena, n):
        with counted(b, constant(b, 0), n, constant(b, lanes or 1)) as i:
            if not lanes:
                made = b.value(
                    math.Scale, *(b.value(memory.Load, v, i) for v in (x, e))
                )
                b.create(memory.Store, made, out, i)
                return
            left = b.value(arith.SubI, n, i)
            mask = b.value(vector.CreateMask, left, types=[VectorType(lanes, I1)])
            given = [
                b.value(
                    vector.MaskedLoad, v, i, mask, splat(b, constant(b, 0, t), lanes)
                )
                for v, t in ((x, element), (e, bits))
            ]
            b.create(vector.MaskedStore, out, i, mask, scale.build(b, given, lanes))

    rng = np.random.default_rng(3)
    values = rng.standard_normal(40).astype(element.dtype)
    values = np.append(values, [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, 2.0**-30])
    twice = 254 if element == F32 else 2046
    powers = np.arange(-twice // 2 - 60, twice // 2 + 20)
    x, e = np.meshgrid(values.astype(element.dtype), powers + twice)
    x, e = x.ravel(), e.ravel().astype(bits.dtype)
    out = np.zeros_like(x)
    code = Code(entry([element, bits, element], 1, fill), optimize, target=target)
    assert code(x, e, out, symbols=(x.size,)) == 0
    with np.errstate(all="ignore"):
        wanted = np.ldexp(x, (e - twice).astype(np.int32))
    assert_same_bits(out, wanted)
    assert_same_bits(math.Scale.evaluate(None, x, e), wanted)


def test_every_scalar_row_is_tested():
    tested = {c.cls for e in ELEMENTS.values() for c in cases_of(e)}
    tested |= {c.cls for e in ELEMENTS.values() for c in conversions_of(e)}
    assert set(SCALAR_ROWS) - tested == {
        arith.Constant,
        arith.Select,
        math.Scale,
    }
