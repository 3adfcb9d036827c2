"""docs/ops.md: every op, as its class and the tables of the passes say it.

TENSORC_UPDATE_GOLDEN=1 writes all that stands below the line that says so.
"""

import inspect
import itertools
import sys
from collections.abc import Iterator

from tensorc.ir.attributes import Dense
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Value
from tensorc.ir.levels import Level
from tensorc.ir.opdef import ELEMENTWISE, constraint_words, example_of, formula_of
from tensorc.ir.ops import OPS
from tensorc.ir.ops.tensor import elementwise as ew
from tensorc.ir.ops.tensor import reductions
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.types import F32
from tensorc.passes.tensor.ad.rules import NOT_DIFFERENTIABLE, STEPS, VJP_RULES
from tests.samples import SAMPLES, build_module
from tests.snippets import ROOT, UPDATE

PAGE = ROOT / "docs" / "ops.md"
WRITTEN = "<!-- from here on written by tests/test_docs_ops.py -->\n"
SIGNS = {ew.Add: "+", ew.Sub: "-", ew.Mul: "*", ew.Div: "/"}
MOST_NAMED = 4  # ops of a family in its heading
LONGEST = 48  # of a derivative that is written as a formula


def level_names(cls: type[Op]) -> list[str]:
    return [level.value for level in Level if level in cls.levels]


def kernel_of(cls: type[Op]) -> str:
    """Return what an elementwise op is at one element."""
    if cls.scalars:
        return " ".join(f"`{scalar.name}`" for scalar in cls.scalars)
    return "made of others" if cls.made_of is not None else "by the type"


def derivative_of(cls: type[Op]) -> str:
    """Return the cotangents of the operands: a formula where it is short."""
    if cls in NOT_DIFFERENTIABLE:
        return "0" if cls in STEPS else "none: an error"
    rule = VJP_RULES[cls]
    said = (rule.__doc__ or "").partition("\n")[0]
    formulas = _formulas(cls) if ELEMENTWISE in cls.traits else []
    if formulas and max(map(len, formulas)) <= LONGEST:
        return ", ".join(f"`{f}`" for f in formulas)
    assert said, f"{cls.name}: its rule lacks a docstring"
    return said


def _formulas(cls: type[Op]) -> list[str]:
    """Return the cotangent of each operand, written with the operands, y and ct."""
    sample = SAMPLES[cls][1]
    formulas: list[str] = []

    def body(b: TensorBuilder, of: list[Value]) -> list[Value]:
        result = b(cls, *of, **sample.attributes)
        ct = Block().add_argument(result.type)
        names = {**dict(zip(of, _names(cls), strict=True)), result: "y", ct: "ct"}
        inner = TensorBuilder(Builder(Block(), b.builder.constraints))
        for value in VJP_RULES[cls](inner, result.op, (ct,)):
            formulas.append("none" if value is None else _spelled(value, names))
        return [result]

    build_module(sample.operands, body)
    return formulas


def _names(cls: type[Op]) -> tuple[str, ...]:
    short = {"operand": "x", "lhs": "x", "rhs": "z"}
    return tuple(short.get(n, n) for n in cls.operand_names)


def _spelled(value: Value, names: dict[Value, str], inside: bool = False) -> str:
    if value in names:
        return names[value]
    op = value.op
    assert op is not None
    number = op.attributes.get("value")
    if isinstance(number, Dense):
        return f"{number.value.item():g}"
    if op.name == "tc.broadcast":
        return _spelled(op.operands[0], names)
    if type(op) in SIGNS:
        left, right = (_spelled(v, names, True) for v in op.operands)
        text = f"{left} {SIGNS[type(op)]} {right}"
        return f"({text})" if inside else text
    parts = [_spelled(v, names) for v in op.operands]
    parts += [str(v) for v in op.attributes.values()]
    return f"{op.name.removeprefix('tc.')}({', '.join(parts)})"


def table(rows: list[dict[str, str]]) -> str:
    kept = [name for name in rows[0] if any(row[name] for row in rows)]
    lines = [kept, ["---"] * len(kept)]
    lines += [[row[n].replace("|", r"\|") for n in kept] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def row_of(cls: type[Op]) -> dict[str, str]:
    """Return what a table says of an op; `table` leaves empty columns out."""
    of_elements = ELEMENTWISE in cls.traits
    along = issubclass(cls, reductions.Along) and hasattr(cls, "combine")
    return {
        "op": f"`{cls.name}`",
        "is": " ".join(formula_of(cls).partition("\n\n")[0].split()),
        "at one element": kernel_of(cls) if of_elements else "",
        "combines by": f"`{cls.combine.name}`" if along else "",
        "of f32 from": f"`{cls.start(F32.dtype)}`" if along else "",
        "derivative": derivative_of(cls) if cls in SAMPLES else "",
    }


def family_of(cls: type[Op]) -> object:
    """Return what ops that are shown together share: a base class and its words."""
    (base,) = cls.__bases__
    if base is Op:
        return cls
    example = example_of(cls).replace(cls.name, "")
    sample = getattr(cls, "sample", "")
    return base, tuple(constraint_words(cls).items()), example.count("\n"), sample


def section(members: list[type[Op]]) -> Iterator[str]:
    """Yield the paragraphs on the ops of a family, or on one op."""
    first = members[0]
    (base,) = first.__bases__
    if base is Op:
        yield f"### `{first.name}`"
        yield formula_of(first)
    else:
        names = [f"`{cls.name}`" for cls in members]
        few = len(names) <= MOST_NAMED
        yield f"### {', '.join(names) if few else f'{names[0]} to {names[-1]}'}"
        yield formula_of(base)
    rows = [row_of(cls) for cls in members]
    if base is not Op:
        yield table(rows).rstrip()
    elif rows[0]["derivative"]:
        kernel = rows[0]["at one element"]
        at = f" At one element: {kernel}." if kernel else ""
        yield f"Derivative: {rows[0]['derivative']}.{at}".replace("..", ".")
    for cls in members:
        more = formula_of(cls).partition("\n\n")[2]
        if base is not Op and more:
            yield f"`{cls.name}`: {more}"
    words = constraint_words(first).items()
    if words:
        yield "\n".join(f"- {label}: {text}." for label, text in words)
    yield f"```mlir\n{example_of(first)}\n```"


def page() -> str:
    """Return the part of the page that follows from the code."""
    paragraphs: list[str] = []
    for module, ops in itertools.groupby(OPS, lambda c: c.__module__):
        members = list(ops)
        title = inspect.getdoc(sys.modules[module]) or ""
        levels = dict.fromkeys(n for cls in members for n in level_names(cls))
        paragraphs.append(f"## {title.partition(chr(10))[0].rstrip('.')}")
        paragraphs.append(f"`{module}`, at the levels {', '.join(levels)}.")
        groups: dict[object, list[type[Op]]] = {}
        for cls in members:
            groups.setdefault(family_of(cls), []).append(cls)
        for group in groups.values():
            paragraphs.extend(section(group))
    return "\n\n".join(paragraphs) + "\n"


def test_the_page_is_what_the_code_says():
    before, line, after = PAGE.read_text("utf-8").partition(WRITTEN)
    assert line
    if UPDATE:
        PAGE.write_text(f"{before}{WRITTEN}\n{page()}", "utf-8")
        return
    assert after == f"\n{page()}"


def test_formulas_of_derivatives_are_those_of_the_rules():
    assert derivative_of(ew.Mul) == "`ct * z`, `ct * x`"
    assert derivative_of(ew.Exp) == "`ct * y`"
    assert derivative_of(ew.Neg) == "`neg(ct)`"
    assert derivative_of(ew.Compare) == "0"
    assert derivative_of(reductions.ArgMax) == "none: an error"
