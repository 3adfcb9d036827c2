"""What holds for every op: docs, types and tables agree. Walks OPS."""

import inspect
import re
from pathlib import Path

import pytest

from tensorc import compiler
from tensorc.backend.llvm import lower
from tensorc.errors import TensorcError
from tensorc.frontend.dsl.programs.mlir_file import mlir_program
from tensorc.frontend.library.maps import MAPS
from tensorc.fuzz.recipes import RECIPES
from tensorc.ir import ops
from tensorc.ir.core import Op
from tensorc.ir.dims import evaluate
from tensorc.ir.levels import Level
from tensorc.ir.opdef import (
    COMMUTATIVE,
    ELEMENTWISE,
    EXACT,
    ISOLATED,
    MEMBER,
    PURE,
    STEPWISE,
    TERMINATOR,
    constraint_words,
    example_of,
    formula_of,
)
from tensorc.ir.ops import BY_NAME, OPS, builtin, control, derivatives
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.loop import scf
from tensorc.ir.ops.memory import kernels
from tensorc.ir.ops.structured import generics as structured
from tensorc.ir.ops.tensor import elementwise
from tensorc.ir.tensor_builder import tensor_type
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.ir.verifier import verify
from tensorc.passes.common.structured_builder import KERNELS
from tensorc.passes.math import expand_math
from tensorc.passes.memory import bufferize
from tensorc.passes.structured import to_structured
from tensorc.passes.tensor.ad import forward, reverse
from tensorc.passes.tensor.ad.both import COTANGENTS, TANGENTS
from tensorc.passes.tensor.ad.linear import LINEAR, TRANSPOSES
from tensorc.passes.tensor.ad.partials import PARTIALS
from tensorc.passes.tensor.ad.rules import JVP_RULES, NOT_DIFFERENTIABLE, VJP_RULES
from tests.samples import SAMPLES, SIZES, one_op, run, sample_values, seed_of

TENSOR_OPS = [cls for cls in OPS if cls.__module__.startswith("tensorc.ir.ops.tensor.")]

# Legal at LOOP but nothing that code is emitted for.
WITHOUT_CODE = {
    builtin.Module: "the module",
    builtin.Function: "a function, or a kernel",
    builtin.Return: "its end",
    scf.Yield: "the end of a region",
}
# The interpreter runs regions and calls itself, or a pass comes first.
WITHOUT_MEANING = {
    builtin.Module,
    builtin.Function,
    builtin.Return,
    builtin.Call,
    kernels.Launch,
    *derivatives.DERIVATIVES,
    control.Yield,
    scf.Yield,
    structured.Yield,
}

# Elementwise ops that are no function of elements for users.
BY_OTHER_WAYS = {
    elementwise.Select: "where, whose condition is no number",
    elementwise.Cast: "conversions, which name a type",
}


def test_every_module_of_ops_is_listed():
    """What `_MODULES` of `tensorc/ir/ops/__init__.py` lacks no parser would find."""
    root = Path(ops.__file__).parent
    found = {
        ".".join(("tensorc.ir.ops", *path.relative_to(root).with_suffix("").parts))
        for path in root.rglob("*.py")
        if path.stem != "__init__"
    }
    assert found == {cls.__module__ for cls in OPS}


# Region ops that autodiff expands, before anything is lowered.
EXPANDED = {*derivatives.DERIVATIVES, derivatives.CustomGradient}
REGION_OPS = [
    cls
    for cls in OPS
    if cls.region_names and cls not in (builtin.Module, builtin.Function)
]

each_op = pytest.mark.parametrize("cls", OPS, ids=lambda c: c.name)
each_tensor_op = pytest.mark.parametrize("cls", TENSOR_OPS, ids=lambda c: c.name)
each_sample = pytest.mark.parametrize(
    ("cls", "sample"),
    [
        pytest.param(cls, sample, id=f"{cls.name} {sample}")
        for cls, samples in SAMPLES.items()
        for sample in samples
    ],
)


def as_function(text: str) -> str:
    """Return a function around ops, whose unknown values are its arguments.

    It returns the results of the last op.
    """
    arguments = free_values(text)
    head = ", ".join(f"{name}: {type_}" for name, type_ in arguments.items())
    types = ", ".join(arguments.values())
    last = [line for line in text.splitlines() if re.match(r"%|\"|\}", line)][-1]
    result, result_type = "", ""
    if '"func.return"' in last:
        text = text.removesuffix(last)
        result = ", ".join(re.findall(r"%\w+", last))
        result_type = last.partition(" : (")[2].partition(") -> ")[0]
    elif (opening := [x for x in text.splitlines() if x.startswith("%")]) and (
        last.startswith("%") or last.startswith("}")
    ):
        result = opening[-1].partition(" = ")[0]
        result_type = last.rpartition(" -> ")[2]
        result_type = result_type.removeprefix("(").removesuffix(")")
    indented = "\n".join("  " + line for line in text.splitlines())
    return (
        f'"func.func"() <{{function_type = ({types}) -> ({result_type}), '
        f'sym_name = "f"}}> ({{\n^bb0({head}):\n{indented}\n'
        f'  "func.return"({result}) : ({result_type}) -> ()\n}}) : () -> ()\n'
    )


def free_values(text: str) -> dict[str, str]:
    """Return the values that are used and not defined, with their types."""
    defined: set[str] = set()
    free: dict[str, str] = {}
    uses = re.compile(r'"[\w.]+"\(([^)]*)\).*? : \((.*)\) -> ', re.DOTALL)
    for line in text.splitlines():
        defined.update(re.findall(r"(%\w+):", line))
        if given := re.match(r"\s*([%\w, ]+) = ", line):
            defined.update(re.findall(r"%\w+", given[1]))
    for line in _with_types(text):
        found = uses.search(line)
        if found is None:
            continue
        names = [n for n in found[1].split(", ") if n]
        for name, type_ in zip(names, _split_types(found[2]), strict=False):
            if name not in defined:
                free.setdefault(name, type_)
    return free


def _with_types(text: str) -> list[str]:
    """Return the lines; the head of an op with a region together with its types."""
    lines = text.splitlines()
    whole = []
    for i, line in enumerate(lines):
        if line.endswith("({"):
            indent = len(line) - len(line.lstrip())
            closing = (" " * indent + "})", " " * indent + "}, {})")
            end = next(x for x in lines[i:] if x.startswith(closing))
            line += end
        whole.append(line)
    return whole


def _split_types(text: str) -> list[str]:
    """Split at the commas that are outside of brackets."""
    return [t.strip() for t in re.split(r",(?![^<\[]*[>\]])", text) if t.strip()]


@each_op
def test_docstring_has_an_example_of_the_op(cls):
    assert f'"{cls.name}"(' in example_of(cls)


@each_op
def test_example_parses_and_prints_back(cls):
    example = example_of(cls)
    # A module and a function stand in no function.
    whole = cls in (builtin.Module, builtin.Function)
    module = parse_module(example if whole else as_function(example))
    assert isinstance(module, Module)
    if cls is builtin.Return or TERMINATOR not in cls.traits:
        verify(module)  # what ends a region stands in a function here
    text = print_module(module)
    assert print_module(parse_module(text)) == text
    assert any(isinstance(op, cls) for op in module.walk())


@each_op
def test_documented_constraints_are_those_that_are_raised(cls):
    documented = list(constraint_words(cls))
    assert documented == [f"C{i + 1}" for i in range(len(documented))]
    rules = [f for n in ("infer", "check") if (f := getattr(cls, n, None))]
    raised = set(re.findall(r'"(C\d+)"', "".join(map(_source, rules))))
    assert raised <= set(documented)
    # What an op does not raise itself, a function beside it does.
    beside = _source(inspect.getmodule(cls)) + _source(elementwise)
    assert set(documented) <= set(re.findall(r'"(C\d+)"', beside))


def _source(function) -> str:
    return inspect.getsource(function)


@each_tensor_op
def test_op_has_samples(cls):
    assert SAMPLES.get(cls), f"tests/samples.py lacks a row for {cls.name}"


@each_sample
def test_infer_agrees_with_evaluate(cls, sample):
    module = one_op(cls, sample)
    verify(module)
    (function,) = module.functions
    returned = function.body.block.terminator.operands
    values = run(module, sample_values(sample, seed_of(cls.name, sample)))
    for result, value in zip(returned, values, strict=True):
        type_ = tensor_type(result)
        assert value.dtype == type_.element.dtype
        assert value.shape == tuple(evaluate(d, SIZES) for d in type_.shape)


@each_sample
def test_module_of_one_op_prints_and_parses_back(cls, sample):
    text = print_module(one_op(cls, sample))
    assert print_module(parse_module(text)) == text


@each_tensor_op
def test_op_has_a_derivative_or_is_listed_as_having_none(cls):
    tables = "PARTIALS, in LINEAR and TRANSPOSES, or in COTANGENTS and TANGENTS"
    for rules, direction in ((VJP_RULES, "backward"), (JVP_RULES, "forward")):
        assert (cls in rules) != (cls in NOT_DIFFERENTIABLE), (
            f"{cls.name} lacks its derivative {direction}: a row in {tables}, "
            "or a row in NOT_DIFFERENTIABLE"
        )


def test_the_tables_of_derivatives_have_each_op_once():
    assert LINEAR.keys() == TRANSPOSES.keys()
    assert TANGENTS.keys() == COTANGENTS.keys()
    count = len(PARTIALS) + len(LINEAR) + len(TANGENTS)
    assert count == len(JVP_RULES) == len(VJP_RULES)


@pytest.mark.parametrize("cls", LINEAR, ids=lambda c: c.name)
def test_groups_of_a_linear_op_name_its_operands(cls):
    names = [name for group in LINEAR[cls] for name in group]
    assert len(set(names)) == len(names)
    assert set(names) <= set(cls.operand_names)


@each_op
def test_docstring_begins_with_a_sentence(cls):
    first = formula_of(cls).partition("\n\n")[0]
    assert re.match(r"[A-Z].*[.;:]", first, re.DOTALL), first


@each_op
def test_traits_are_known(cls):
    known = {PURE, COMMUTATIVE, ELEMENTWISE, EXACT, TERMINATOR, ISOLATED, MEMBER}
    known.add(STEPWISE)
    assert cls.traits <= known
    assert COMMUTATIVE not in cls.traits or len(cls.operand_names) == 2


@pytest.mark.parametrize(
    "cls", [c for c in OPS if ELEMENTWISE in c.traits], ids=lambda c: c.name
)
def test_elementwise_op_has_a_scalar_kernel(cls):
    declared = bool(cls.scalars) or cls.made_of is not None
    assert declared != (cls in KERNELS), (
        f"{cls.name}: `scalar` or `made_of` in its declaration, or a row in KERNELS of "
        "tensorc/passes/common/structured_builder.py"
    )


@pytest.mark.parametrize(
    "cls", [c for c in OPS if ELEMENTWISE in c.traits], ids=lambda c: c.name
)
def test_elementwise_op_is_a_function_that_users_call(cls):
    called = {m.op for m in MAPS.values()} | {m.booleans for m in MAPS.values()}
    assert (cls in called) != (cls in BY_OTHER_WAYS), (
        f"{cls.name}: a row in tensorc/frontend/library/maps.py, "
        "or a reason in BY_OTHER_WAYS"
    )


@each_tensor_op
def test_tensor_op_has_a_structured_form(cls):
    assert to_structured.rule_of(cls) is not None, (
        f"{cls.name}: a row in tensorc/passes/structured/to_structured.py, "
        "or `combine` in the class of a reduction"
    )


@pytest.mark.parametrize(
    "cls", [c for c in OPS if Level.LOOP in c.levels], ids=lambda c: c.name
)
def test_loop_op_has_machine_code(cls):
    expanded = {expanded for expanded, _ in expand_math.FUNCTIONS}
    has_row = cls in lower.ROWS or cls in expanded
    assert has_row != (cls in WITHOUT_CODE), (
        f"{cls.name}: a row in ROWS of a module in tensorc/backend/llvm, in EXPANSIONS "
        "of one in tensorc/passes/math, or a reason in WITHOUT_CODE"
    )


@each_op
def test_op_with_regions_says_what_they_hold(cls):
    assert bool(cls.region_names) == (cls.blocks is not Op.blocks), (
        f"{cls.name}: `blocks` in its class, if it has regions"
    )
    assert ISOLATED not in cls.traits or cls.region_names


@pytest.mark.parametrize("cls", REGION_OPS, ids=lambda c: c.name)
def test_op_with_regions_is_lowered_from_each_of_its_levels(cls):
    """At LOOP all ops are code, see above; a structured op stands in a kernel."""
    if Level.TENSOR in cls.levels:
        has_row = to_structured.rule_of(cls) is not None
        assert has_row != (cls in EXPANDED), (
            f"{cls.name}: a row in RULES of passes/structured/to_structured.py, "
            "or one in EXPANDED"
        )
    if Level.STRUCTURED in cls.levels and cls is not structured.Generic:
        assert cls in bufferize.RULES, (
            f"{cls.name}: a row in RULES of tensorc/passes/memory/bufferize.py"
        )


@pytest.mark.parametrize(
    "cls", [c for c in REGION_OPS if Level.TENSOR in c.levels], ids=lambda c: c.name
)
def test_op_with_regions_has_a_derivative_or_is_one(cls):
    for module in (forward, reverse):
        assert (cls in module.REGION_RULES) != (cls in derivatives.DERIVATIVES), (
            f"{cls.name}: a row in REGION_RULES of {module.__name__}"
        )


@each_op
def test_op_has_a_meaning_or_is_expanded(cls):
    assert hasattr(cls, "evaluate") != (cls in WITHOUT_MEANING), (
        f"{cls.name}: `evaluate` in its class, or a row in WITHOUT_MEANING"
    )


@each_op
def test_each_pass_lowers_an_op_or_says_why_not(cls):
    """Whatever a hand writes, a pass that cannot read it is no bug of ours."""
    text = as_function(example_of(cls))
    if TERMINATOR in cls.traits and cls is not builtin.Return:
        return  # it ends a region that its example does not show
    for pass_ in compiler.PASSES.values():
        module, found = parse_module(text), ()
        try:
            verify(module, pass_.reads)
            compiler.run_passes(module, compiler.host_target(), (pass_,))
        except TensorcError as error:
            found = error.diagnostics
        assert all(d.location.line for d in found), pass_.name


@each_op
def test_whoever_loads_an_op_has_its_code_or_a_reason(cls):
    text = as_function(example_of(cls))
    found = ()
    try:
        module = mlir_program(text, "m.mlir").emit()
        compiler.compile(module, compiler.host_target(), upto="llvm")
    except TensorcError as error:
        found = error.diagnostics
    assert all(d.location.line for d in found)


@each_tensor_op
def test_op_has_a_recipe_of_the_fuzzer(cls):
    assert cls in RECIPES, f"{cls.name}: a row in RECIPES of tensorc/fuzz/recipes.py"


def test_names_are_unique():
    assert len(BY_NAME) == len(OPS)
