"""Groups that are alike are one kernel; what tells them apart is given or stays."""

import re

import numpy as np
import pytest

from tensorc import compiler
from tensorc.api.stages import module_of
from tensorc.errors import TensorcError
from tensorc.ir.ops.builtin import KERNEL, Call
from tensorc.ir.ops.memory.kernels import Launch
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.ir.types import Element
from tensorc.ir.verifier import verify
from tests.samples import same_bits
from tests.snippets import ROOT
from tests.stages import TARGET, all_results

LAYERS = ROOT / "benchmarks" / "programs" / "layers.tc"


def kernels_and_launches(module) -> tuple[int, int]:
    """Return how many kernels a LOOP module launches, and how often.

    What kernels call, products of one form, is launched by none.
    """
    (entry,) = module.entries
    launches = [op.callee for op in entry.walk() if isinstance(op, Launch)]
    return len(set(launches)), len(launches)


def at(level, text, tmp_path, name="f"):
    path = tmp_path / "m.tc"
    path.write_text(text)
    module = module_of(str(path), name, {})
    return compiler.compile(module, TARGET, upto=level).module


def scaled(constants, op="x * {}"):
    """Return a function whose groups differ in these constants."""
    lines = ["fn f(x0: float[5, 3]) -> float[5, 3] {"]
    for i, constant in enumerate(constants):
        step = re.sub(r"\bx\b", f"x{i}", op).format(constant)
        lines.append(f"  x{i + 1} = cumsum({step}, axis=0)")
    return "\n".join([*lines, f"  return x{len(constants)}", "}\n"])


def given(module) -> list[list[str]]:
    """Return the scalars that each outlined function takes."""
    return [
        [str(a.type) for a in f.body.block.arguments if isinstance(a.type, Element)]
        for f in module.functions
        if KERNEL in f.attributes
    ]


def scalars_of(text, tmp_path):
    found = given(at("buffer", text, tmp_path))
    return [[t for t in types if t != "index"] for types in found]


def test_a_step_of_twelve_layers_lowers_each_kernel_once():
    module = module_of(str(LAYERS), "train", {})
    loops = compiler.compile(module, TARGET, upto="loop").module
    kernels, launches = kernels_and_launches(loops)
    assert kernels <= 10
    assert launches > 40


def test_groups_alike_but_for_a_constant_are_one(tmp_path):
    text = scaled([0.25, 0.5, 0.75])
    assert scalars_of(text, tmp_path) == [["f32"]]
    buffers = at("buffer", text, tmp_path)
    (entry,) = buffers.entries
    assert sum(isinstance(op, Call) for op in entry.walk()) == 3


def test_equal_constants_stay_in_the_text(tmp_path):
    assert scalars_of(scaled([0.25, 0.25]), tmp_path) == [[]]


def test_constants_that_are_equal_everywhere_are_one_argument(tmp_path):
    text = scaled([0.25, 0.5], "exp(x * {0}) + 0.125 + {0}")
    assert scalars_of(text, tmp_path) == [["f32"]]


@pytest.mark.parametrize(
    "op",
    ["x / {}", "x ** {}"],
)
def test_constants_that_choose_code_stay(tmp_path, op):
    assert scalars_of(scaled([3.0, 5.0], op), tmp_path) == []


@pytest.mark.parametrize("special", ["0.0", "1.0", "inf", "nan"])
def test_numbers_that_arithmetic_is_simplified_by_stay(tmp_path, special):
    """`x + 0` and its like are programs of their own."""
    text = scaled(["2.5", special, "3.5"], "maximum(x + {}, 0.5)")
    assert scalars_of(text, tmp_path) == [["f32"]]
    (entry,) = at("buffer", text, tmp_path).entries
    assert sum(isinstance(op, Call) for op in entry.walk()) == 2


def test_integers_stay(tmp_path):
    text = "fn f(x: int[5]) -> int[5] = cumsum(cumsum(cumsum(x) * 3) * 5)"
    assert scalars_of(text, tmp_path) == []


PROGRAMS = {
    "constants": scaled([0.1, 0.7, -2.5, 1e-30]),
    "many in one": scaled([0.1, 0.7], "maximum(abs(x * {0} - {0}), 3 * {0}) + 0.3"),
    "what is chosen": scaled([0.1, 0.7], "where(x > {0}, x, {0} + 0.1)"),
    "divided": scaled([0.1, 0.7], "{} / (x + 4)"),
    "in sums": scaled([0.1, 0.7], "x + sum(x * {0} - 0.1, axis=1)[:, none]"),
    "f64": scaled([0.1, 0.7]).replace("float", "f64"),
    "symbols": scaled([0.1, 0.7]).replace("5, 3", "N, 3"),
    "in place": (
        "fn f(x: float[5, 3]) -> float[5, 3] {\n"
        "  a = cumsum(x * 0.5, axis=0)\n"
        "  b = cumsum(a * a, axis=0)\n"
        "  c = cumsum(b * x, axis=0)\n"
        "  return c * c\n}"
    ),
    "a branch": (
        "fn f(x: float[5, 3]) -> float[5, 3] {\n"
        "  y = cumsum(x * 0.3, axis=0)\n"
        "  if sum(x) > 0 {\n"
        "    z = cumsum(y * 0.7, axis=0)\n"
        "  } else {\n"
        "    z = cumsum(y * 0.9, axis=0)\n  }\n"
        "  return z\n}"
    ),
    "a loop that is one kernel": (
        "fn f(x: float[5, 3]) -> float[5, 3] {\n"
        "  y = cumsum(x * 0.7, axis=0)\n"
        "  y = cumsum(y * 0.3, axis=0)\n"
        "  for i in range(4) {\n"
        "    y = y * 0.9\n"
        "  }\n"
        "  return y\n}"
    ),
    "a loop": (
        "fn f(x: float[5, 3]) -> float[5, 3] {\n"
        "  y = cumsum(x * 0.3, axis=0)\n"
        "  for i in range(4) {\n"
        "    y = cumsum(y * 0.7, axis=0)\n  }\n"
        "  return y\n}"
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_results_are_those_without_outlines(tmp_path, name):
    """All levels, and code, give the bits that the program has above `outline`."""
    path = tmp_path / "m.tc"
    path.write_text(PROGRAMS[name])
    element = np.float64 if name == "f64" else np.float32
    x = np.linspace(-2, 2, 15, dtype=element).reshape(5, 3)
    module = module_of(str(path), "f", {})
    first, *others = all_results(module, [("f", [x])]).values()
    for other in others:
        assert all(same_bits(a, b) for a, b in zip(first[0], other[0], strict=True))


CALLED = {
    "a function that is none": ("@nothing", "there is no function 'nothing'"),
    "an entry": ("@f", "@f is no 'tc.kernel' of one tc.group"),
    "a function without a group": ("@empty", "@empty is no 'tc.kernel' of one"),
}
EMPTY = """\
  "func.func"() <{function_type = (memref<5x3xf32>, memref<?xi8>) -> (), sym_name = "empty"}> ({
  ^bb0(%a: memref<5x3xf32>, %b: memref<?xi8>):
    "func.return"() : () -> ()
  }) {tc.kernel = true, tc.shapes = [#tc.dims<[5, 3]>], tc.symbols = []} : () -> ()
"""  # noqa: E501


def lower(module):
    verify(module)
    compiler.compile(module, TARGET, upto="loop")


@pytest.mark.parametrize("name", CALLED)
def test_what_is_called_is_a_kernel(tmp_path, name):
    callee, message = CALLED[name]
    text = print_module(at("buffer", scaled([0.25]), tmp_path))
    start = text.index("\n") + 1
    call = re.sub(r'(?m)^ *"tc.group"(?:.|\n)*?^    }\).*$', "CALL", text)
    kinds = re.search(r"function_type = \((.*?)\) -> \(\)", text)
    assert kinds is not None
    text = call[:start] + EMPTY + call[start:]
    names = re.search(r'sym_name = "f"}> \({\n  \^bb0\((.*?)\):', text)
    assert names is not None
    values = re.findall(r"(%\w+):", names[1])
    types = re.findall(r": ([^,]+)", names[1])
    if name != "an entry":
        values, types = [values[0], values[-1]], [types[0], types[-1]]
    made = f'"func.call"({", ".join(values)}) <{{callee = {callee}}}>'
    text = text.replace("CALL", f"    {made} : ({', '.join(types)}) -> ()")
    with pytest.raises(TensorcError, match=re.escape(message)):
        lower(parse_module(text))


@pytest.mark.parametrize("name", PROGRAMS)
def test_there_are_calls(tmp_path, name):
    buffers = at("buffer", PROGRAMS[name], tmp_path)
    if name in ("a branch", "a loop"):  # its groups stay, and are compared as code
        assert not given(buffers)
    else:
        assert given(buffers), "nothing is alike, so that nothing is tested"
    again = parse_module(print_module(buffers))
    assert print_module(again) == print_module(buffers)
