"""`tensorc explain`: every code has its entry, every kernel its reason."""

import re
from pathlib import Path

import pytest

import tensorc as tc
from tensorc.api import checking
from tensorc.api.kernel_words import plain
from tensorc.cli import main
from tensorc.cli.explain import codes
from tensorc.ir.dims import evaluate, symbol

ROOT = Path(__file__).parents[2]
EXAMPLE = str(ROOT / "examples" / "logreg.tc")
ENTRIES = codes()


def test_every_code_has_an_entry_and_every_entry_a_code():
    used = set()
    for path in sorted((ROOT / "tensorc").rglob("*.py")):
        used |= set(re.findall(r"\"(TC[0-9]{4})\"", path.read_text(encoding="utf-8")))
    assert set(ENTRIES) == used


@pytest.mark.parametrize("code", ENTRIES)
def test_an_entry_is_complete(code, capsys):
    entry = ENTRIES[code]
    assert {"title", "text", "fix"} <= set(entry)
    assert len(set(entry) & {"tc", "mlir", "example"}) == 1
    assert not entry["title"].endswith(".")
    assert entry["text"].endswith(".")
    assert entry["fix"].endswith(".")
    assert main.run(["explain", code]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{code}: {entry['title']}\n")
    assert "For example:" in printed


@pytest.mark.parametrize("code", [c for c in ENTRIES if "tc" in ENTRIES[c]])
def test_a_tc_example_has_its_diagnostic(code, tmp_path):
    path = tmp_path / "a.tc"
    path.write_text(ENTRIES[code]["tc"])
    found = [d.code for d in checking.check(str(path), {})]
    assert found[:1] == [code]
    assert len(found) == found.count(code)


@pytest.mark.parametrize("code", [c for c in ENTRIES if "mlir" in ENTRIES[c]])
def test_an_mlir_example_has_its_diagnostic(code, tmp_path, capsys):
    path = tmp_path / "a.mlir"
    path.write_text(ENTRIES[code]["mlir"])
    assert main.run(["opt", str(path), "--autodiff"]) == main.USER_ERROR
    assert f"error[{code}]" in capsys.readouterr().err


def test_codes_may_be_written_shortly(capsys):
    for spelled in ("0301", "tc0301", "[TC0301]"):
        assert main.run(["explain", spelled]) == 0
        assert capsys.readouterr().out.startswith("TC0301: ")
    assert main.run(["explain", "TC0399"]) == main.USER_ERROR
    assert "there is no diagnostic TC0399" in capsys.readouterr().err


def test_kernels_are_explained(tmp_path, capsys):
    path = tmp_path / "a.tc"
    path.write_text(
        "param W: float[3, 4] = 0\n"
        "fn f(x: float[B, 3]) -> float[4] {\n"
        "    h = tanh(x @ W)\n"
        "    return sum(h, axis=0)\n"
        "}\n"
    )
    assert main.run(["explain", f"{path}::f"]) == 0
    first, second, last = capsys.readouterr().out.split("\n\n")[1:]
    assert last == "give sizes for numbers: --dim B=1024, or explain(B=1024)\n"
    assert first.splitlines() == [
        "kernel 0: one pass for each of B rows",
        f"  source   {path}:3",
        "  computes contraction, then tanh",
        "  reads    12*B + 48 bytes: x f32[B, 3], W f32[3, 4]",
        "  writes   16*B bytes: f32[B, 4]",
        "  flops    28*B",  # 3 multiply-adds of 2 and a tanh, at each of 4 columns
        "  arena    16*B bytes: f32[B, 4]",
        "  schedule chunks of 48 rows",
        "  opened   it reads no kernel's result",
        f"  ends     at kernel 1 ({path}:4:12): it reduces across rows",
    ]
    assert second.splitlines()[-4:] == [
        "  arena    nothing of it",
        "  schedule chunks of 32,768 terms",
        "  opened   it reduces across rows",
        "  ends     its result is returned",
    ]


def test_kernels_of_a_branch_say_when_they_run(tmp_path, capsys):
    path = tmp_path / "a.tc"
    path.write_text(
        "fn f(x: float[B, 3], n: int) -> float[B, 3] {\n"
        "    if n > 2 {\n"
        "        if n > 9 { y = tanh(x) } else { y = x * sum(x) }\n"
        "    } else { y = x + 1 }\n"
        "    return y\n"
        "}\n"
    )
    assert main.run(["explain", f"{path}::f"]) == 0
    head, *kernels, _ = capsys.readouterr().out.split("\n\n")
    # Of two branches the dearer one counts: 3*B for the sum, 3*B for the product.
    assert head.startswith("f: 6 kernels, 6*B flops, ")
    outer, inner = (f"the condition at {path}:{at} is" for at in ("2:5", "3:9"))
    assert [re.findall(r"  runs     if (.*)", kernel) for kernel in kernels] == [
        [],
        [f"{outer} true"],
        [f"{outer} true, and {inner} true"],
        *[[f"{outer} true, and {inner} false"]] * 2,
        [f"{outer} false"],
    ]
    assert "  ends     its result is the branch's" in kernels[-1]


_ALONE = """
fn sums(x: float[N, M]) -> float[N, M] = cumsum(x, axis=1)
fn whole(x: int[N]) -> int[N] = cumprod(x)
fn slope(x: float[N, M], i: int[K]) -> float[N, M] = grad(sum(x[i] ** 2), x)
fn flat(x: float[N, M]) -> float[N * M] = reshape(x, (N * M,))
fn given(x: float[N, M]) -> float[N, M] = x
fn twice(x: float[N, M]) {
    y = tanh(x)
    return y, y
}
fn best(x: float[N, M]) = top1(x, axis=1)
fn first(x: float[N, M]) = argmax(x, axis=1)
fn least(x: int[N, M]) = argmin(x, axis=1)
fn late(x: float[N, M], W: float[M, 8], U: float[8, 300]) = tanh(x @ W) @ U
"""


@pytest.fixture
def alone(tmp_path):
    path = tmp_path / "a.tc"
    path.write_text(_ALONE)
    return tc.load(str(path))


@pytest.mark.parametrize(
    ("name", "kernels", "flops", "moved"),
    [
        ("sums", 1, "M*N", "8*M*N"),
        ("whole", 1, 0, "16*N"),  # integers
        ("flat", 1, 0, "8*M*N"),
        ("given", 1, 0, "8*M*N"),
        ("twice", 2, "M*N", "16*M*N"),
    ],
)
def test_what_joins_no_group_is_counted(alone, name, kernels, flops, moved):
    """As often as the lowered function launches kernels."""
    function = getattr(alone, name)
    cost = function.cost()
    assert (cost.kernels, cost.flops, cost.bytes) == (kernels, flops, moved)
    assert function.explain().count("\nkernel ") == kernels
    assert function.emit("loop").count('"tc.launch"') == kernels


def test_a_scatter_is_counted(alone):
    """The gradient of a gather: indices are checked, zeros made, slopes, and added."""
    cost = alone.slope.cost(N=100, M=2, K=5)
    indices, part, all_ = 8 * 5, 4 * 5 * 2, 4 * 100 * 2
    check, fill, slopes = 2 * indices, all_, indices + all_ + part
    assert cost.bytes == check + fill + slopes + (2 * part + indices + part)
    assert (cost.kernels, cost.flops) == (4, 2 * 5 * 2)
    text = alone.slope.explain()
    assert "computes scatter (add)\n" in text
    assert "computes fill\n  reads    nothing" in text
    assert alone.slope.emit("loop").count('"tc.launch"') == 4


@pytest.mark.parametrize(
    ("name", "words"),
    [("best", "top1"), ("first", "argmax"), ("least", "argmin"), ("sums", "cumsum")],
)
def test_what_is_computed_has_its_name(alone, name, words):
    assert re.findall("computes (.*)", getattr(alone, name).explain()) == [words]


def test_a_sweep_over_joined_dimensions_is_of_elements(alone):
    text = alone.twice.explain(N=3000, M=400)
    assert text.split("\n")[2] == "kernel 0: one pass over 3,000 x 400 elements"
    assert re.search(r"schedule chunks of [0-9,]+ elements\n", text)
    assert "give sizes" not in text


@pytest.mark.parametrize(
    ("formula", "spelled"),
    [
        ("64*floordiv(4*B + 63, 64) + 8", "64*((4*B + 63) // 64) + 8"),
        ("floordiv(B, 2) - floordiv(floordiv(B, 3), M)", "B // 2 - (B // 3) // M"),
        ("-floordiv(min(B, 4), max(1, M))", "-(min(B, 4) // max(1, M))"),
        ("max(1, floordiv($n, 2*M))", "max(1, n // (2*M))"),
    ],
)
def test_quotients_are_spelled_as_they_are_written(formula, spelled):
    assert plain(formula) == spelled


_NEGATED = """
fn plain(x: float, c: bool) -> float {
    if not x > 0 { return exp(x) }
    return sqrt(x)
}
fn of_two(x: float, c: bool) -> float {
    if not (x > 0 and c) { return exp(x) }
    return sqrt(x)
}
fn of_an_argument(x: float, c: bool) -> float {
    if not c { return exp(x) }
    return sqrt(x)
}
fn twice(x: float, c: bool) -> float {
    d = not c
    if not d { return sqrt(x) } else { return exp(x) }
}
fn slope(x: float, c: bool) -> float = grad(plain(x, c), x)
fn joined(x: float, c: bool) -> float {
    y = 1
    if c { y = sqrt(x) }
    if not c { y = exp(x) * y }
    return y
}
fn joined_the_other_way(x: float, c: bool) -> float {
    y = 1
    if not c { y = exp(x) }
    if c { y = sqrt(x) * y }
    return y
}
"""


@pytest.mark.parametrize(
    ("name", "line", "exp_runs_if"),
    [
        ("plain", 3, "true"),
        ("of_two", 7, "true"),
        ("of_an_argument", 11, "true"),
        ("twice", 16, "false"),
        ("slope", 3, "true"),
        ("joined", 22, "true"),
        ("joined_the_other_way", 28, "false"),
    ],
)
def test_a_negated_condition_is_the_one_that_was_written(
    tmp_path, capsys, name, line, exp_runs_if
):
    path = tmp_path / "a.tc"
    path.write_text(_NEGATED)
    assert main.run(["explain", f"{path}::{name}"]) == 0
    kernels = capsys.readouterr().out.split("\n\n")[1:]
    found = {
        word: re.search(r"runs     if (.*)", kernel)[1]
        for kernel in kernels
        for word in ("exp", "sqrt")
        if re.search(rf"computes .*\b{word}\b", kernel)
    }
    at = f"the condition at {path}:{line}:5 is"
    other = {"true": "false", "false": "true"}[exp_runs_if]
    assert found == {"exp": f"{at} {exp_runs_if}", "sqrt": f"{at} {other}"}


def test_a_negated_condition_of_python_is_the_one_that_was_written():
    @tc.jit
    def f(x):
        return tc.cond(~(x > 0), lambda: tc.exp(x), lambda: tc.sqrt(x))

    text = f.explain(1.0)
    exp, sqrt = (
        next(k for k in text.split("\n\n") if f"computes {word}" in k)
        for word in ("exp", "sqrt")
    )
    assert re.search(r"runs     if the condition at \S+ is true\n", exp)
    assert re.search(r"runs     if the condition at \S+ is false\n", sqrt)


def test_kernels_of_a_loop_say_how_often_they_run(tmp_path, capsys):
    path = tmp_path / "a.tc"
    path.write_text(
        """fn f(x: float[N, M]) {
    s = 0
    for row in x {
        for v in row { if v > 0 { s = s + exp(v) } }
    }
    return s
}
"""
    )
    assert main.run(["explain", f"{path}::f"]) == 0
    head, *kernels = capsys.readouterr().out.split("\n\n")
    assert re.match(r"f: \d kernels, \d\*M\*N flops", head)
    (exp,) = (k for k in kernels if "computes exp" in k)
    loops = f"in each of N steps of the loop at {path}:3:5, "
    loops += f"in each of M steps of the loop at {path}:4:9, "
    assert f"runs     {loops}if the condition at {path}:4:24 is true\n" in exp
    at_each = [k for k in kernels if f"{loops}if" not in k and "runs" in k]
    assert at_each
    assert all(f"runs     {loops.removesuffix(', ')}\n" in k for k in at_each)


def test_a_loop_that_is_one_kernel_says_that_chunks_run_alone(tmp_path, capsys):
    path = tmp_path / "a.tc"
    path.write_text(
        """fn f(x: float[9, 20000]) {
    s = x[0]
    for row in x { s = s * 0.5 + row }
    return s
}
"""
    )
    assert main.run(["explain", f"{path}::f"]) == 0
    text = capsys.readouterr().out
    runs = (
        f"runs     in each of 9 steps of the loop at {path}:3:5, each chunk by itself"
    )
    assert f"{runs}\n" in text
    assert "schedule chunks of 4,848 elements\n" in text


def test_every_kernel_of_an_example_says_why(capsys):
    assert main.run(["explain", EXAMPLE]) == 0
    lines = [x.strip() for x in capsys.readouterr().out.splitlines()]
    whys = [x.partition(" ")[2].strip() for x in lines if x.startswith("opened")]
    ends = [x.partition(" ")[2].strip() for x in lines if x.startswith("ends")]
    assert all(whys)
    assert len(whys) == len(ends) == sum(x.startswith("kernel ") for x in lines)
    assert {"it reads no kernel's result", "it reduces across rows"} <= set(whys)
    assert any("it reduces across rows" in end for end in ends)
    assert main.run(["explain", f"{EXAMPLE}::nothing"]) == main.USER_ERROR
    assert "TC0303" in capsys.readouterr().err


def test_sizes_may_be_numbers(capsys):
    assert main.run(["explain", f"{EXAMPLE}::train"]) == 0
    formulas = capsys.readouterr().out
    assert main.run(["explain", f"{EXAMPLE}::train", "--dim", "B=600"]) == 0
    numbers = capsys.readouterr().out
    assert "x f32[B, 784]" in formulas
    assert "x f32[600, 784]" in numbers
    assert not re.search(r"\bB\b", numbers)
    flops = re.search(r"kernels, (.*?) flops", formulas)[1].replace("*", " * ")
    counted = int(re.search(r"kernels, (.*?) flops", numbers)[1].replace(",", ""))
    assert counted == evaluate(_formula(flops), {"B": 600})


def _formula(text):
    terms = re.findall(r"(\d+)( \* B)?", text)
    return sum((int(n) * (symbol("B") if b else 1) for n, b in terms), start=0)


@pytest.mark.parametrize(
    ("word", "code", "message"),
    [
        ("C=600", 1, "no argument has a size 'C'"),
        ("B=-1", 2, "is not of the form NAME=SIZE"),
        ("B", 2, "is not of the form NAME=SIZE"),
    ],
)
def test_sizes_are_checked(word, code, message, capsys):
    assert main.run(["explain", EXAMPLE, "--dim", word]) == code
    assert message in capsys.readouterr().err


def test_kernels_that_are_alike_name_the_first(capsys):
    path = ROOT / "benchmarks" / "programs" / "layers.tc"
    assert main.run(["explain", f"{path}::train"]) == 0
    blocks = capsys.readouterr().out.split("\n\n")
    found = [re.match(r"kernel (\d+):", block) for block in blocks]
    kernels = {int(m[1]): b for m, b in zip(found, blocks, strict=True) if m}
    alike = 0
    for number, block in kernels.items():
        named = re.search(r"^  code     that of kernel (\d+)$", block, re.MULTILINE)
        if named is None:
            continue
        alike += 1
        first = int(named[1])
        assert first < number
        computes = [re.search(r"computes .*", kernels[n]) for n in (first, number)]
        assert computes[0] is not None
        assert computes[1] is not None
        assert computes[0][0] == computes[1][0]
        assert "  code " not in kernels[first]
    assert alike > 30


def test_kernels_that_are_alike_are_those_of_the_lower_level(tmp_path, capsys):
    """New values of memory are computed last there: kernels 1 and 4 of the text."""
    path = tmp_path / "a.tc"
    path.write_text(_SUNK)
    assert main.run(["explain", f"{path}::f"]) == 0
    blocks = capsys.readouterr().out.split("\n\n")
    named = {
        block.partition(":")[0]: re.findall(r"^  code +(.*)$", block, re.MULTILINE)
        for block in blocks
        if block.startswith("kernel ")
    }
    alike = {f"kernel {n}": ["that of kernel 2"] for n in (5, 7)}
    assert named == {f"kernel {n}": [] for n in range(8)} | alike
    module = tc.load(str(path)).f.emit("buffer")
    assert module.count("func.call") == 3


_SUNK = """
param A: float[5] = 0
param B: float[5] = 0
step f(x: float[N, 4], y: float[N, 5]) -> float[N, 4] {
    a = cumsum(x, axis=1) * 0.3
    A <- sum(y, axis=0)
    b = cumsum(a, axis=1) * 0.7
    B <- sum(exp(y), axis=0)
    return cumsum(b, axis=1) * 0.9
}
"""


def test_what_reads_a_kernel_is_named_in_words(tmp_path, capsys):
    path = tmp_path / "a.tc"
    path.write_text(_READERS)
    assert main.run(["explain", str(path)]) == 0
    out = capsys.readouterr().out
    ends = re.findall(r"^  ends +(.*)$", out, re.MULTILINE)
    assert f"the condition at {path}:4:5, or a branch of it, reads it" in ends
    assert f"the loop at {path}:9:10 reads it" in ends
    assert f"a tc.reshape at {path}:15:44 reads it" in ends


_READERS = """fn branches(x: float[N], i: int) -> float {
    y = cumsum(x) * 2
    z = cumsum(y)
    if i > 0 { s = sum(z * 3) } else { s = max(z) }
    return s
}
fn loops(xs: float[T, N]) -> float[T, N] {
    m: float[N] = 0
    ys = for x in xs {
        m = 0.9 * m + x
        yield m
    }
    return ys
}
fn moves(x: float[N, 2]) -> float[2 * N] = reshape(exp(x.T), 2 * N) + 1
"""


def test_every_word_of_a_kernel_is_in_the_docs(capsys):
    words = set()
    for path in (EXAMPLE, ROOT / "benchmarks" / "programs" / "layers.tc"):
        assert main.run(["explain", f"{path}::train"]) == 0
        out = capsys.readouterr().out
        words |= set(re.findall(r"^  (\w+) ", out, re.MULTILINE))
    assert {"computes", "opened", "ends", "arena", "code"} <= words
    text = (ROOT / "docs" / "python.md").read_text("utf-8")
    stated = text[text.index("- A kernel is one pass") :].partition("\n- ")[0]
    assert [w for w in sorted(words) if w not in stated] == []


@pytest.mark.parametrize("code", ["TC9", "9", "tc99999", "TC0999"])
def test_what_is_no_code_is_no_file(code, capsys):
    assert main.run(["explain", code]) == 1
    shown = capsys.readouterr().err
    assert f"there is no diagnostic TC{code.lower().removeprefix('tc')}" in shown
    assert "help: " in shown


_ATTENTION = """
fn unknown(q: float[T, D], k: float[T, D], v: float[T, D]) =
    softmax(q @ transpose(k), axis=1) @ v
fn known(q: float[T, 64], k: float[T, 64], v: float[T, 64]) =
    softmax(q @ transpose(k), axis=1) @ v
fn other(q: float[T, D], k: float[S, D], v: float[S, D]) =
    softmax(q @ transpose(k), axis=1) @ v
fn slope(q: float[T, 64], k: float[T, 64], v: float[T, 64]) =
    grad(sum(known(q, k, v)), k)
fn heads(q: float[T, 4, 8], k: float[T, 4, 8], v: float[T, 4, 8]) =
    softmax(transpose(q, (1, 0, 2)) @ transpose(k, (1, 2, 0)), axis=2)
        @ transpose(v, (1, 0, 2))
fn heads_slope(q: float[T, 4, 8], k: float[T, 4, 8], v: float[T, 4, 8]) =
    grad(sum(heads(q, k, v)), k)
"""


def test_when_attention_is_one_kernel(tmp_path):
    path = tmp_path / "a.tc"
    path.write_text(_ATTENTION)
    program = tc.load(str(path))
    assert program.known.cost().kernels == 1
    assert program.unknown.cost().kernels == 1
    assert program.other.cost().kernels == 2
    assert "D is not known to be at most 144\n" in program.other.explain()


def test_what_is_computed_again(tmp_path):
    path = tmp_path / "a.tc"
    path.write_text(_ATTENTION)
    program = tc.load(str(path))
    for text in (program.slope.explain(), program.heads_slope.explain()):
        assert "computes contraction again, then" in text
        assert "T*T bytes: f32" not in text  # no matrix is written


def test_short_text_is_what_opt_writes(capsys):
    assert main.run(["compile", EXAMPLE, "--emit=short"]) == 2
    assert "tensorc opt - --emit=short" in capsys.readouterr().err


def test_several_axes_of_an_index_are_joined_first(tmp_path, capsys):
    path = tmp_path / "a.tc"
    path.write_text("fn f(x: float[B, H, W]) = argmax(x, axis=(1, 2))\n")
    assert main.run(["explain", str(path)]) == 1
    assert "reshape(x, (B, H * W)), then axis=1" in capsys.readouterr().err
