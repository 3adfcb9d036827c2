"""Functions of hand-made IR, called: what the call decides is checked, or refused.

Each case runs in a process of its own: the fault to find is a signal.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tensorc.api import stages
from tensorc.errors import VerifyError
from tensorc.frontend.dsl.programs.mlir_file import mlir_program
from tensorc.ir.levels import Level
from tensorc.ir.text.parser import parse_module
from tensorc.ir.verifier import verify
from tests.hostile.corpus import EXAMPLES, FEATURES

Shape = tuple[int | str, ...]
Given = dict[str, tuple[str, str]]  # name -> type and value


def dims(*sizes: int | str) -> str:
    words = [str(s) if isinstance(s, int) else f'"{s}"' for s in sizes]
    return f"#tc.dims<[{', '.join(words)}]>"


def typed(*shape: int | str, element: str = "f32") -> str:
    sizes = "".join(f"{s if isinstance(s, int) else '?'}x" for s in shape)
    known = all(isinstance(s, int) for s in shape)
    return f"tensor<{sizes}{element}{'' if known else ', ' + dims(*shape)}>"


X = {"x": (typed("N"), "[1.0, 2.0, 3.0]")}
TABLE = {"m": (typed("N", "M"), "[[1.0, 2.0], [3.0, 4.0]]")}
FAR = {"i": (typed("K", element="i64"), "[0, 99999999]")}
BELOW = {"i": (typed("K", element="i64"), "[0, -4]")}
VALUE = {"i": ("tensor<i64>", "1000000000")}
MARKED = (
    'arg_attrs = [{tc.kind = "input", tc.name = "x"}, '
    '{tc.kind = "input", tc.name = "i", tc.value = "$i"}]'
)


def module(given: Given, body: str, result: str, attributes: str = "") -> str:
    types = ", ".join(type_ for type_, _ in given.values())
    arguments = ", ".join(f"%{name}: {type_}" for name, (type_, _) in given.items())
    return f"""\
"builtin.module"() ({{
  "func.func"() <{{function_type = ({types}) -> {result}, sym_name = "h"}}> ({{
  ^bb0({arguments}):
    {body}
    "func.return"(%r) : ({result}) -> ()
  }}) {{{attributes}}} : () -> ()
}}) : () -> ()
"""


def one(name: str, given: Given, attributes: str, result: str, marks: str = "") -> str:
    """Return a module whose function is one op of all its arguments."""
    operands = ", ".join(f"%{n}" for n in given)
    types = ", ".join(type_ for type_, _ in given.values())
    op = f'%r = "{name}"({operands}) <{{{attributes}}}> : ({types}) -> {result}'
    return module(given, op, result, marks)


def part(start: int | str, size: int | str, step: int = 1) -> str:
    """Return a module that slices its argument of the size N."""
    steps = f"steps = array<i64: {step}>"
    attributes = f"sizes = {dims(size)}, starts = {dims(start)}, {steps}"
    return one("tc.slice", X, attributes, typed(size))


def windows(
    count: int | str, window: int | str, low: int | str = 0, stride: int = 1
) -> str:
    """Return a module that takes windows of its argument of the size N."""
    attributes = (
        f"dilation = array<i64: 1>, fill = 0.0 : f32, output = {dims(count)}, "
        f"padding = [{dims(low, 0)}], strides = array<i64: {stride}>, "
        f"window = {dims(window)}"
    )
    return one("tc.windows", X, attributes, typed(count, window))


def overlapped(size: str, low: int | str = 0) -> str:
    """Return a module that adds 2 windows of the size N up."""
    attributes = (
        f"dilation = array<i64: 1>, output = {dims(size)}, "
        f"padding = [{dims(low, 0)}], strides = array<i64: 2>"
    )
    given = {"x": (typed(2, "N"), "[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]")}
    return one("tc.overlap_add", given, attributes, typed(size))


ROWS = {"x": ("", "[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]")}


def whole(start: int | str, size: int | str, step: int = 1) -> str:
    """Return a module that puts its argument of the size N into zeros."""
    steps = f"steps = array<i64: {step}>"
    attributes = f"shape = {dims(size)}, starts = {dims(start)}, {steps}"
    return one("tc.unslice", X, attributes, typed(size))


def rows(start: int | str, size: int | str) -> str:
    """Return a module that puts the rows of its argument into zeros."""
    steps = "steps = array<i64: 1, 1>"
    attributes = f"shape = {dims(size, 'M')}, starts = {dims(start, 0)}, {steps}"
    return one("tc.unslice", TABLE, attributes, typed(size, "M"))


def repeated(*shape: int | str) -> str:
    attributes = f"axes = array<i64: 1>, shape = {dims(*shape)}"
    return one("tc.broadcast", X, attributes, typed(*shape))


def counted(size: str) -> str:
    type_ = typed(size, element="i64")
    attributes = f"axis = 0 : i64, element = i64, shape = {dims(size)}"
    return module(X, f'%r = "tc.iota"() <{{{attributes}}}> : () -> {type_}', type_)


def joined(whole_size: int | str, *sizes: str) -> str:
    """Return a module that puts counts of sizes behind its argument, one by one."""
    made, parts = "", ["%x"]
    types = [X["x"][0]]
    for number, size in enumerate(sizes):
        attributes = f"axis = 0 : i64, element = f32, shape = {dims(size)}"
        parts.append(f"%a{number}")
        types.append(typed(size))
        made += (
            f'{parts[-1]} = "tc.iota"() <{{{attributes}}}> : () -> {types[-1]}\n    '
        )
    all_ = typed(whole_size)
    op = f'"tc.concatenate"({", ".join(parts)}) <{{axis = 0 : i64}}>'
    return module(X, f"{made}%r = {op} : ({', '.join(types)}) -> {all_}", all_)


def gathered(given: Given) -> str:
    return one("tc.gather", X | given, "axes = array<i64: 0>", typed("K"))


def gathered_after_a_check_of_another_axis() -> str:
    index = FAR["i"][0]
    attributes = f"axis = 0 : i64, from_end = true, size = {dims(10**9)}"
    body = f'%j = "tc.check_index"(%i) <{{{attributes}}}> : ({index}) -> {index}\n'
    types = f"({X['x'][0]}, {index}) -> {typed('K')}"
    body += f'    %r = "tc.gather"(%x, %j) <{{axes = array<i64: 0>}}> : {types}'
    return module(X | FAR, body, typed("K"))


def taken() -> str:
    given = {"m": TABLE["m"], "i": (typed("N", element="i64"), FAR["i"][1])}
    return one("tc.take_along_axis", given, "axis = 1 : i64", typed("N"))


def scattered(combine: str) -> str:
    given = X | {"v": (typed("K"), "[1.0, 2.0]")} | FAR
    attributes = f'axes = array<i64: 0>, combine = "{combine}"'
    return one("tc.scatter", given, attributes, typed("N"))


def at_a_value() -> str:
    attributes = f"sizes = {dims('N')}, starts = {dims('$i')}, steps = array<i64: 1>"
    operand = X["x"][0]
    op = f'%r = "tc.slice"(%x) <{{{attributes}}}> : ({operand}) -> {operand}'
    return module(X | VALUE, op, operand, MARKED)


INDEX, SIZE, NONE = "TC0505", "TC0504", "TC0508"

# name -> the text, the arguments, the code of the diagnostic
WRONG: dict[str, tuple[str, Given, str]] = {
    "start is huge": (part("1000000000000", "N"), X, INDEX),
    "start grows": (part("N*N", "N"), X, INDEX),
    "start is negative": (part("-N", "N"), X, INDEX),
    "part is larger": (part(0, "2*N"), X, INDEX),
    "step is too large": (part(0, "N", 2), X, INDEX),
    "backwards from the start": (part(0, "N", -1), X, INDEX),
    "too far backwards": (part("N - 1", "N", -2), X, INDEX),
    "last overflows": (part(0, "N", 2**63 - 1), X, NONE),
    "size is negative": (part(0, "N - 5"), X, SIZE),
    "size divides by zero": (part(0, "floordiv(N, N - 3)"), X, NONE),
    "start is a value": (at_a_value(), X | VALUE, INDEX),
    "whole is smaller": (whole(0, "N - 1"), X, INDEX),
    "whole is negative": (whole(0, "N - 5"), X, SIZE),
    "outside the whole": (whole(100000000000, "N"), X, INDEX),
    "before the whole": (whole("-N", "N"), X, INDEX),
    "around the whole": (whole("-1", "N - 2"), X, INDEX),
    "from before the whole on": (whole("-N", "2*N"), X, INDEX),
    "behind the whole": (whole("2*N", "N"), X, INDEX),
    "in steps past the whole": (whole(0, "N", 2), X, INDEX),
    "backwards before the whole": (whole(0, "N", -1), X, INDEX),
    "in steps before the whole": (whole("-N", "N", 2), X, INDEX),
    "rows before the whole": (rows("-N", "N"), TABLE, INDEX),
    "rows of a smaller whole": (rows(0, "N - 1"), TABLE, INDEX),
    "rows of a negative whole": (rows(0, "N - 5"), TABLE, SIZE),
    "repeated a negative number of times": (repeated("N - 5", "N"), X, SIZE),
    "repeated beyond memory": (repeated("N*N*N*1000000000000000", "N"), X, NONE),
    "count of a negative size": (counted("N - 5"), X, SIZE),
    "joined with a negative size": (joined("2*N - 5", "N - 5"), X, SIZE),
    "joined to nothing": (joined(0, "-N"), X, SIZE),
    "joined behind what may only be empty": (joined("N", "-N", "N"), X, SIZE),
    "joined behind less than nothing": (joined("N", "-2*N", "2*N"), X, SIZE),
    "reshaped to negative sizes": (
        one("tc.reshape", TABLE, f"shape = {dims('-N', '-M')}", typed("-N", "-M")),
        TABLE,
        SIZE,
    ),
    "windows beyond": (windows("N", 2), X, SIZE),
    "long windows": (windows(1, "2*N - 2"), X, SIZE),
    "windows far apart": (windows("N - 1", 2, stride=2), X, SIZE),
    "windows of negative padding": (windows("N", 2, "1 - N"), X, SIZE),
    "windows added beyond": (overlapped("N + 1"), ROWS, SIZE),
    "windows added before": (overlapped("2*N + 6", "-2*N"), ROWS, SIZE),
    "gather beyond": (gathered(FAR), X | FAR, INDEX),
    "gather before": (gathered(BELOW), X | BELOW, INDEX),
    "gather checked for another": (
        gathered_after_a_check_of_another_axis(),
        X | FAR,
        INDEX,
    ),
    "take beyond": (taken(), TABLE | FAR, INDEX),
    "add beyond": (scattered("add"), X | {"v": ("", "[1.0, 2.0]")} | FAR, INDEX),
    "set beyond": (scattered("set"), X | {"v": ("", "[1.0, 2.0]")} | FAR, INDEX),
}


def called(path: Path, given: Given) -> "subprocess.CompletedProcess[str]":
    arguments = [f"--arg={name}={value}" for name, (_, value) in given.items()]
    command = [sys.executable, "-m", "tensorc", "run", f"{path}::h", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", WRONG)
def test_what_only_the_call_decides_is_checked(name: str, tmp_path: Path) -> None:
    text, given, code = WRONG[name]
    path = tmp_path / "m.mlir"
    path.write_text(text)
    # Whatever the call says, it is well formed.
    verify(parse_module(text), Level.TENSOR)
    done = called(path, given)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.startswith(f"error[{code}]"), done.stderr


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (part("N", "N - 3"), "[]"),
        (part("N - 1", "N", -1), "[3.0, 2.0, 1.0]"),
        (part("N - 2", "floordiv(N, 2)", 5), "[2.0]"),
        (whole("N", "3*N"), "[0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0, 0.0]"),
        (counted("N - 1"), "[0, 1]"),
        (windows("N - 1", 2), "[[1.0, 2.0], [2.0, 3.0]]"),
        (windows("N", 2, 1), "[[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]"),
        (windows("floordiv(N - 2, 2) + 1", 2, stride=2), "[[1.0, 2.0]]"),
        (windows(1, "N"), "[[1.0, 2.0, 3.0]]"),
    ],
)
def test_what_is_inside_passes(text: str, result: str, tmp_path: Path) -> None:
    path = tmp_path / "m.mlir"
    path.write_text(text)
    done = called(path, X)
    assert (done.returncode, done.stdout.strip()) == (0, result), done.stderr


def test_a_function_that_takes_arrays_calls_no_other(tmp_path: Path) -> None:
    """The equations of a function that is called would be nobody's."""
    call = f'%r = "func.call"(%x) <{{callee = @g}}> : ({typed("N")}) -> {typed("N")}'
    first = part("N*N", "N").replace('"h"', '"g"').splitlines()[:-1]
    second = module(X, call, typed("N")).splitlines()[1:]
    path = tmp_path / "m.mlir"
    path.write_text("\n".join(first + second))
    done = called(path, X)
    assert done.returncode == 1
    assert (
        "TC0250]: func.call: is an op of levels buffer and loop, not of tensor"
        in done.stderr
    )


@pytest.mark.parametrize("stage", ["structured", "buffer", "loop"])
def test_levels_below_tensor_are_not_called(stage: str, tmp_path: Path) -> None:
    path = tmp_path / "m.tc"
    path.write_text("fn h(x: float[N]) -> float[N] = exp(x) * 2")
    text = stages.emit(str(path), stage, None, {})
    assert isinstance(text, str)
    below = tmp_path / "m.mlir"
    below.write_text(text)
    done = called(below, X)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error["), done.stderr


@pytest.mark.parametrize(
    "path", [*sorted(EXAMPLES.glob("*.tc")), FEATURES], ids=lambda p: p.stem
)
def test_what_the_frontends_build_needs_no_more_checks(path: Path) -> None:
    text = stages.emit(str(path), "tensor", None, {})
    assert isinstance(text, str)
    functions = parse_module(text).functions
    guards = [f.attributes.get("tc.guards") for f in functions]
    made = mlir_program(text, "m.mlir").emit([f.sym_name for f in functions])
    assert [f.attributes.get("tc.guards") for f in made.functions] == guards


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('#tc.dims<["B", 10]>', '#tc.dims<["B"]>'),
        ('#tc.dims<["B", 10]>', '#tc.dims<["B", 11]>'),
        ('#tc.dims<["B", 10]>', "1 : i64"),
        ("shapes = [", "shapes = [#tc.dims<[]>, "),
    ],
)
def test_shapes_of_a_group_are_those_of_its_memory(old: str, new: str) -> None:
    text = stages.emit(str(EXAMPLES / "mlp.tc"), "buffer", None, {})
    assert isinstance(text, str)
    verify(parse_module(text))
    at = text.index('"tc.group"')
    assert old in text[at:]
    damaged = text[:at] + text[at:].replace(old, new, 1)
    with pytest.raises(VerifyError, match=r"tc\.group.*\[C[23]\]"):
        verify(parse_module(damaged))
