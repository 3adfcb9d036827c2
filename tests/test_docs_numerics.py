"""The tables of docs/numerics.md: each row is computed, compiled and interpreted.

TENSORC_UPDATE_GOLDEN=1 writes the table of promotions anew.
"""

import ast
import itertools
import re

import numpy as np
import pytest

import tensorc as tc
from tensorc.api import program as api
from tensorc.frontend.library.operands import promote
from tensorc.ir.builder import Builder
from tensorc.ir.functions import constraints_of, set_function_type
from tensorc.ir.interpreter import interpret
from tensorc.ir.ops.builtin import Return
from tensorc.ir.ops.control import Yield
from tensorc.ir.ops.derivatives import Grad, Jvp
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import ELEMENTS, F32, F64, element_of
from tensorc.ir.verifier import verify
from tensorc.passes.tensor.ad.autodiff import AUTODIFF
from tests.frontend.irgen_helpers import program
from tests.passes.math_cases import CASES
from tests.passes.ulps import rows
from tests.samples import CPU
from tests.snippets import ROOT, UPDATE, tables

PAGE = ROOT / "docs" / "numerics.md"
TYPES = (
    "bool",
    *["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"],
    *["f16", "bf16", "f32", "f64"],
)
LONG = {"bool": "i1"} | {f"u{n}": f"ui{n}" for n in (8, 16, 32, 64)}


def element(name):
    return ELEMENTS[LONG.get(name, name)]


def name_of(given):
    names = {v: k for k, v in LONG.items()}
    return names.get(given.name, given.name)


def number(text):
    """Return a number or a list of a table: nan and inf, true and false are known."""
    names = {"nan": "float('nan')", "inf": "float('inf')"}
    words = {"true": True, "false": False}
    if text in words:
        return words[text]
    if "nan" in text or "inf" in text:
        spelled = re.sub(r"nan|inf", lambda m: names[m[0]], text)
        return eval(spelled, {"float": float})
    return ast.literal_eval(text)


def of_columns(*columns):
    return [r for r in ROWS if set(columns) <= set(r)]


ROWS = [
    row
    for heading in ("Types", "Values at the edges", "Derivatives at edges")
    for row in tables(PAGE, heading)
]
EDGES = of_columns("of", "x", "gives")
OPERATIONS = of_columns("operation", "gives")
SLOPES = of_columns("expression", "by x")
COMPOSITES = [r for r in tables(PAGE, "Functions") if "composed" in r]
CURVES = of_columns("function", "slope", "curvature")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Return a function of a text: one program, as rows are many."""
    directory = tmp_path_factory.mktemp("rows")

    def load(text):
        path = directory / "rows.tc"
        path.write_text(text)
        return api.load(path), program(text)

    return load


def both(pair, name, arguments):
    """Return what compiled code and the interpreter make of a call."""
    loaded, source = pair
    given = [loaded.functions[name](*arguments)]
    module = AUTODIFF.run(source.emit([name]), CPU)
    given.append(tuple(interpret(module, name, arguments)))
    results = [g if isinstance(g, tuple) else (g,) for g in given]
    return [[np.asarray(r) for r in parts] for parts in results]


def slopes_forward(source, name, arguments):
    """Return derivatives of a function that ends in a `tc.grad`, each by a `tc.jvp`."""
    found = []
    for place, like in enumerate(arguments):
        slope = np.zeros(like.shape)
        for index in np.ndindex(like.shape):
            unit = np.zeros(like.shape)
            unit[index] = 1
            module = AUTODIFF.run(forward_of(source.emit([name]), place, unit), CPU)
            verify(module)
            slope[index] = interpret(module, name, arguments)[0]
        found.append(slope)
    return found


def forward_of(module, place, tangent):
    """Let a function return the tangent of a cost, if one argument has one."""
    (function,) = module.functions
    block = function.body.block
    (at,) = [i for i, op in enumerate(block.ops) if isinstance(op, Grad)]
    gradient = block.ops[at]
    del block.ops[at:]
    b = TensorBuilder(Builder(block, constraints_of(function)))
    outer = gradient.operands[place]
    with b.builder.region([outer.type]) as (region, (argument,)):
        given = [*gradient.operands]
        given[place] = argument
        (cost,) = b.builder.inline(gradient.body.block, given)
        b.builder.create(Yield, cost)
    values = [outer, b.constant(tangent)]
    types = [cost.type]
    op = b.builder.create(Jvp, *values, types=types, regions=[region])
    b.builder.create(Return, op.result)
    function.attributes.pop("res_attrs", None)
    set_function_type(function)
    return module


def same(left, right):
    """Compare to the sign of zeros; a nan is a nan."""
    equal = np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
    if left.dtype.kind != "f":
        return equal
    known = ~np.isnan(left)
    return equal and (np.signbit(left) == np.signbit(right))[known].all()


def test_values_at_the_edges(compiled):
    assert len(EDGES) > 40
    lines = []
    for i, row in enumerate(EDGES):
        second = f", y: {row['of']}" if row["y"] else ""
        body = row["expression"].strip("`")
        lines.append(f"fn row{i}(x: {row['of']}{second}) = {body}\n")
    pair = compiled("".join(lines))
    wrong = []
    for i, row in enumerate(EDGES):
        dtype = element(row["of"]).dtype
        given = [number(row[n]) for n in ("x", "y") if row[n]]
        arguments = [np.array(g, dtype) for g in given]
        for (result,) in both(pair, f"row{i}", arguments):
            if not same(result, np.asarray(number(row["gives"]), result.dtype)):
                wrong.append((row, result))
    assert not wrong


def test_derivatives_at_edges(compiled):
    assert len(SLOPES) > 25
    lines, calls = [], []
    for i, row in enumerate(SLOPES):
        given = {n: np.array(number(row[n]), np.float64) for n in "xy" if row[n]}
        formals = ", ".join(
            f"{n}: f64" + (f"[{len(v)}]" if v.ndim else "") for n, v in given.items()
        )
        body = row["expression"].strip("`")
        wrt = f"({', '.join(given)})" if len(given) > 1 else next(iter(given))
        names = ", ".join(f"d{n}" for n in given)
        block = f"{names} = grad({body}, {wrt})  return {names}"
        lines.append(f"fn row{i}({formals}) {{ {block} }}\n")
        calls.append(given)
    pair = compiled("".join(lines))
    wrong = []
    for i, (row, given) in enumerate(zip(SLOPES, calls, strict=True)):
        wanted = [np.array(number(row[f"by {n}"]), np.float64) for n in given]
        ways = both(pair, f"row{i}", list(given.values()))
        ways.append(slopes_forward(pair[1], f"row{i}", list(given.values())))
        for results in ways:
            for result, value in zip(results, wanted, strict=True):
                close = np.allclose(result, value, rtol=1e-14, atol=0, equal_nan=True)
                if result.shape != value.shape or not close:
                    wrong.append((row, result))
    assert not wrong


def test_second_derivatives_at_edges(compiled):
    assert len(CURVES) > 8
    lines = []
    for i, row in enumerate(CURVES):
        body = row["function"].strip("`")
        block = f"g = grad(sum({body}), x)  h = grad(sum(g), x)  return g, h"
        lines.append(f"fn row{i}(x: f64[{len(number(row['x']))}]) {{ {block} }}\n")
    pair = compiled("".join(lines))
    wrong = []
    for i, row in enumerate(CURVES):
        wanted = [np.array(number(row[n]), float) for n in ("slope", "curvature")]
        for results in both(pair, f"row{i}", [np.array(number(row["x"]), float)]):
            if not np.allclose(results, wanted, rtol=1e-14, atol=0):
                wrong.append((row, results))
    assert not wrong


def test_types_of_operations(compiled):
    assert len(OPERATIONS) > 10
    lines = []
    for i, row in enumerate(OPERATIONS):
        size = "[3]" if "(" in row["operation"] else ""
        body = row["operation"].strip("`")
        second = f", y: {row['of']}" if "y" in body else ""
        lines.append(f"fn row{i}(x: {row['of']}{size}{second}) = {body}\n")
    module = compiled("".join(lines))[1].emit()
    found = {}
    for function in module.functions:
        (value,) = function.body.block.terminator.operands
        found[function.sym_name] = name_of(value.type.element)
    given = [{**row, "gives": found[f"row{i}"]} for i, row in enumerate(OPERATIONS)]
    assert given == OPERATIONS


def meeting(left, right):
    return name_of(promote([element(left), element(right)], F32))


def promotions():
    return [{"": a} | {b: meeting(a, b) for b in TYPES} for a in TYPES]


def test_promotions():
    rows = promotions()
    if UPDATE:
        text = PAGE.read_text("utf-8")
        lines = "".join(f"| {' | '.join(r.values())} |\n" for r in rows)
        head = re.escape(f"| | {' | '.join(TYPES)} |\n") + r"\|[-|]+\n"
        found = re.search(head, text)
        assert found
        rest = re.sub(r"\A(?:\|.*\n)*", "", text[found.end() :])
        PAGE.write_text(text[: found.end()] + lines + rest, "utf-8")
    assert [r for r in tables(PAGE, "Types") if "" in r] == rows
    known = [element(name) for name in TYPES if name != "bf16"]
    for left, right in itertools.product(known, repeat=2):
        numpys = element_of(np.result_type(left.dtype, right.dtype))
        assert promote([left, right], F64) == numpys


def test_what_is_compiled_meets_by_the_table(compiled):
    pairs = list(itertools.combinations(TYPES, 2))
    text = "".join(
        f"fn row{i}(x: {a}, y: {b}) = where(true, x, y)\n"
        for i, (a, b) in enumerate(pairs)
    )
    rows = {r[""]: r for r in tables(PAGE, "Types") if "" in r}
    for function, (a, b) in zip(compiled(text)[1].emit().functions, pairs, strict=True):
        (value,) = function.body.block.terminator.operands
        assert name_of(value.type.element) == rows[a][b] == rows[b][a]


def log_sum(x):
    return np.log(np.exp(x).sum(-1, keepdims=True))


def largest(x):
    return abs(x).max(-1, keepdims=True)


# What is composed, in extended precision, and what the ulp is of if not of the result.
COMPOSED = {
    "reciprocal(x)": (lambda x: 1 / x, None),
    "xlogy(x, y)": (lambda x, y: x * np.log(y), None),
    "logaddexp(x, y)": (np.logaddexp, lambda x, y: np.maximum(abs(x), abs(y))),
    "logsumexp(x)": (lambda x: log_sum(x)[..., 0], lambda x: largest(x)[..., 0]),
    "logcumsumexp(x)": (
        lambda x: np.logaddexp.accumulate(x, 1),
        lambda x: np.maximum.accumulate(abs(x), 1),
    ),
    "log_softmax(x)": (lambda x: x - log_sum(x), largest),
    "softmax(x)": (lambda x: np.exp(x - log_sum(x)), None),
    "norm(x)": (lambda x: np.sqrt((x * x).sum(-1)), None),
    "std(x)": (lambda x: x.std(-1), None),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", COMPOSITES, ids=lambda r: r["composed"])
def test_what_is_composed_is_within_its_bound(row, dtype):
    call = row["composed"].strip("`")
    name, *names = re.findall(r"\w+", call)
    true, size_of = COMPOSED[call]
    given = np.random.default_rng(9).uniform(-8, 8, (2, 20000, 10)).astype(dtype)
    if name == "xlogy":
        given[1] = abs(given[1])
    given = given[: len(names)]
    of_rows = name in ("norm", "std") or "softmax" in name or "sumexp" in name
    options = {"axis": 1} if of_rows else {}
    got = tc.jit(lambda *v: getattr(tc, name)(*v, **options))(*given)
    want = true(*given.astype(np.longdouble))
    size = abs(want) if size_of is None else np.maximum(abs(want), size_of(*given))
    off = abs(got.astype(np.longdouble) - want) / np.spacing(size.astype(dtype))
    assert 0.2 * float(row[dtype]) < off.max() <= float(row[dtype])


def test_every_composition_of_the_table_is_measured():
    assert {r["composed"].strip("`") for r in COMPOSITES} == set(COMPOSED)


def test_every_function_of_the_library_has_a_bound_of_at_most_one_ulp():
    # tests/passes/test_expand_math.py holds the functions to it.
    bounds = rows()
    assert set(bounds) == set(CASES)
    assert all(0 < size <= 1 for row in bounds.values() for size, _ in row.values())
