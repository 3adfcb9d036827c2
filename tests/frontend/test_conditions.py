"""`if` on a value: what the names, the memory and the results are behind it."""

import re

import numpy as np
import pytest

import tensorc as tc
from tensorc.api import checking
from tensorc.ir.ops.control import If
from tests.frontend.irgen_helpers import diagnostics, prepare, program, run

CHOICES = {
    "both": (
        "if x > 0 { y = x } else { y = -2 * x }  return y",
        lambda x: x if x > 0 else -2 * x,
    ),
    "rebound": (
        "y = x  if x > 0 { y = y * y }  return y",
        lambda x: x * x if x > 0 else x,
    ),
    "chain": (
        "if x < -1 { y = 1 } else if x < 1 { y = x } else { y = x - 1 }  return y",
        lambda x: 1 if x < -1 else x if x < 1 else x - 1,
    ),
    "nested": (
        """y = 0
        if x > 0 { if x > 1 { y = x } else { y = 2 * x }  y = y + 1 }
        return y""",
        lambda x: (x if x > 1 else 2 * x) + 1 if x > 0 else 0,
    ),
    "swapped": (
        "a = x  b = 1  if x > 0 { a, b = b, a }  return a - 3 * b",
        lambda x: 1 - 3 * x if x > 0 else x - 3,
    ),
    "tuple": (
        "if x > 0 { p = (x, 1) } else { p = (2, x) }  a, b = p  return a - b",
        lambda x: x - 1 if x > 0 else 2 - x,
    ),
    "both_return": (
        "if x > 0 { return x } else { return 3 }",
        lambda x: x if x > 0 else 3,
    ),
    "early": (
        """if x < -1 { return 0 }
        y = x + 1
        if y > 1 {
            if y > 2 { return 20 }
            y = y * 2
        }
        return y""",
        lambda x: 0 if x < -1 else 20 if x + 1 > 2 else (x + 1) * (1 + (x > 0)),
    ),
    "not_taken_back": (
        "if x > 0 { y = 1 } else { y = 2  return x }  return y + x",
        lambda x: 1 + x if x > 0 else x,
    ),
    "local": (
        """k = 2
        fn scaled(v) = k * v
        if x > 0 { k = 3  y = scaled(x) } else { y = scaled(x) }
        return y + scaled(1)""",
        lambda x: 3 * x + 3 if x > 0 else 2 * x + 2,
    ),
    "known_too": (
        """if training { y = 1 } else { y = x }
        if x > 0 { if 1 > 0 { return y } }
        return 2 * y""",
        lambda x: x if x > 0 else 2 * x,
    ),
    "used_below_by_a_function": (
        "k = x  fn g(v) = k * v  if x > 0 { k = 1 }  return g(2)",
        lambda x: 2 if x > 0 else 2 * x,
    ),
}


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("x", [-1.5, -0.5, 0.5, 1.5])
def test_one_branch_decides(name, x):
    body, meant = CHOICES[name]
    (got,), _ = run(f"fn f(x: f64) -> f64 {{ {body} }}", "f", x)
    assert got == meant(x)


def test_compiled_code_decides_as_the_interpreter(tmp_path):
    functions = [
        f"fn {name}(x: f64) -> f64 {{ {body} }}\n"
        for name, (body, _) in CHOICES.items()
    ]
    path = tmp_path / "choices.tc"
    path.write_text("".join(functions))
    program = tc.load(path)
    for name, (_, meant) in CHOICES.items():
        for x in (-1.5, -0.5, 0.5, 1.5):
            assert getattr(program, name)(x) == meant(x), (name, x)


def test_a_compiled_step_changes_memory_in_one_branch(tmp_path):
    path = tmp_path / "step.tc"
    path.write_text(STEP)
    program = tc.load(path)
    assert program.train([1.0, 2, 3], True) == 6
    assert program.W.get_value().tolist() == [-5, -5, -5]
    assert program.train([1.0, np.nan, 3], True) == 0
    assert program.train([1.0, 0, 0], False) == -5
    assert program.W.get_value().tolist() == [-10, -10, -10]
    assert program.skipped.get_value() == 2
    with pytest.raises(IndexError):
        program.pick([1.0, 2, 3], 3, True)
    assert program.pick([1.0, 2, 3], 3, False) == 0


def test_what_is_known_keeps_one_branch_and_makes_no_op():
    text = """hyper wide = true, n = 3
    fn f(x: float) -> float {
        if wide and n > 2 { y = x } else { y = 2 * x }
        if not training { return y }
        return 3 * y
    }"""
    ops = [type(op) for op in program(text).emit().walk()]
    assert If not in ops


def test_the_other_branch_computes_nothing():
    text = """fn f(x: float[3], i: int) -> float {
        if i < 3 { y = x[i] } else { y = -1 }
        return y
    }"""
    (got,), _ = run(text, "f", [5.0, 6, 7], 7)
    assert got == -1
    (got,), _ = run(text, "f", [5.0, 6, 7], 2)
    assert got == 7


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_numbers_of_both_branches_stay_without_a_type(bits):
    text = f"""fn f(x: f{bits}[N], c: bool) -> f{bits}[N] {{
        if c {{ rate = 0.1  k = 2 }} else {{ rate = 1  k = 3 }}
        return rate * x + k
    }}"""
    x = np.array([1, 3], f"float{bits}")
    for c in (True, False):
        (got,), _ = run(text, "f", x, c)
        wanted = x * x.dtype.type(0.1) + 2 if c else x + 3
        assert got.dtype == x.dtype
        assert np.array_equal(got, wanted.astype(x.dtype))


def test_a_number_takes_type_and_shape_of_the_other_branch():
    text = """fn f(x: float[N, 2], c: bool) -> float[N, 2] {
        if c { h = 0  m = [1, 2] } else { h = x  m = x[0] }
        return h + m
    }"""
    x = np.array([[1, 2], [3, 4]], "f4")
    assert run(text, "f", x, True)[0][0].tolist() == [[1, 2], [1, 2]]
    assert run(text, "f", x, False)[0][0].tolist() == (x + x[0]).tolist()


def test_names_that_nobody_reads_need_not_agree():
    text = """fn f(x: float[N], y: float[M]) -> float {
        if sum(x) > 0 {
            part = x  other = 1  s = sum(part)
        } else {
            part = y[:3]  s = sum(part)
        }
        part = s + 1
        return part
    }"""
    prepared = prepare(text, "f")
    (op,) = [op for op in prepared.module.walk() if isinstance(op, If)]
    assert len(op.results) == 1
    (got,), _ = run(text, "f", [1.0, 2], [1.0, 2, 3, 4])
    assert got == 4
    (got,), _ = run(text, "f", [-1.0, -2], [1.0, 2, 3, 4])
    assert got == 7


def test_names_of_a_function_inside_are_its_own():
    text = """fn f(x: float[N], y: float[M]) -> float {
        fn total(part) { k = sum(part)  return k * n }
        n = 2
        if sum(x) > 0 {
            part = x  k = x  n = 3  s = sum(part)
        } else {
            part = y[:3]  k = part  s = sum(part)
        }
        return s + total(y)
    }"""
    (op,) = [op for op in prepare(text, "f").module.walk() if isinstance(op, If)]
    assert len(op.results) == 2
    assert run(text, "f", [1.0, 2], [1.0, 2, 3, 4])[0] == [33]
    assert run(text, "f", [-1.0, -2], [1.0, 2, 3, 4])[0] == [26]


def test_memory_in_tuples_is_read():
    text = """param a: float = 2
    param b: float = 3
    fn f(c: bool) -> float {
        if c { p = (a, a) } else { p = (a, b) }
        return p[0] * p[1]
    }"""
    assert run(text, "f", True)[0] == [4]
    assert run(text, "f", False)[0] == [6]


def test_sizes_of_the_branches_are_made_equal():
    text = """fn f(x: float[N], y: float[M], c: bool) -> float[N] {
        if c { h = x } else { h = y }
        return h
    }"""
    (function,) = program(text).emit().functions
    x, y, _ = function.body.block.arguments
    assert str(x.type) == str(y.type) == "f32[N]"


def test_a_condition_on_sizes_is_decided_by_the_call():
    text = """fn f(x: float[N]) -> float {
        if N > 2 { y = sum(x) } else { y = N }
        return y
    }"""
    assert run(text, "f", [1.0, 2, 3])[0] == [6]
    assert run(text, "f", [7.0])[0] == [1]


def test_a_size_that_both_branches_bind():
    text = """fn f(x: float[N], c: bool) -> float {
        if c { h: float[K] = x[1:] } else { h: float[K] = x[:-1] }
        return sum(h) / K
    }"""
    assert run(text, "f", [1.0, 2, 3], True)[0] == [2.5]
    assert run(text, "f", [1.0, 2, 3], False)[0] == [1.5]


def test_numbers_that_a_branch_computes_are_computed_again_behind_it():
    text = """hyper lr = 0.5
    fn f(x: float) -> float {
        r = lr * lr
        if x > 0 { x = x * r }
        return x * r
    }"""
    assert run(text, "f", 4.0)[0] == [0.25]
    assert run(text, "f", -4.0)[0] == [-1]


STEP = """param W: float[3] = 1
state skipped: int = 0
fn skip() { skipped <- skipped + 1 }
step train(x: float[3], c: bool) -> float {
    cost = sum(W * x)
    if isfinite(cost) and c {
        W <- W - cost
    } else if c {
        skip()
        return 0
    } else {
        skip()
        W <- 2 * W
    }
    return cost
}
fn pick(x: float[3], i: int, c: bool) -> float {
    if c { return x[i] }
    return 0
}
"""


def test_memory_keeps_its_value_in_a_branch_that_does_not_update_it():
    (cost,), new = run(STEP, "train", [1.0, 2, 3], True)
    assert (cost, new["W"].tolist(), new["skipped"]) == (6, [-5, -5, -5], 0)
    (cost,), new = run(STEP, "train", [1.0, np.nan, 3], True)
    assert (cost, new["W"].tolist(), new["skipped"]) == (0, [1, 1, 1], 1)
    (cost,), new = run(STEP, "train", [1.0, 2, 3], False)
    assert (cost, new["W"].tolist(), new["skipped"]) == (6, [2, 2, 2], 1)


def test_a_step_may_return_before_it_updates():
    text = """param W: float = 1
    step train(x: float) -> float {
        if x < 0 { return 0 }
        W <- W + x
        return W
    }"""
    text = text.replace("return W\n", "return x\n")
    (got,), new = run(text, "train", 2.0)
    assert (got, new["W"]) == (2, 3)
    (got,), new = run(text, "train", -2.0)
    assert (got, new["W"]) == (0, 1)


def test_a_step_without_a_result_may_be_one_condition():
    text = """state n: int = 0
    step count(c: bool) { if c { n <- n + 1 } }"""
    assert run(text, "count", True)[1] == {"n": 1}
    assert run(text, "count", False)[1] == {"n": 0}


def test_a_condition_may_be_memory():
    text = """state done: bool = false
    step once() -> int {
        was = done
        if done { r = 0 } else { r = 1  done <- true }
        return r
    }"""
    (got,), new = run(text, "once")
    assert (got, new["done"]) == (1, True)
    (got,), new = run(text, "once", memory={"done": True})
    assert (got, new["done"]) == (0, True)


def test_an_assertion_about_sizes_is_checked_whichever_branch_is_taken():
    text = """fn f(x: float[N], c: bool) -> float {
        if c { assert N == 3, "three are needed"  y = 1 } else { y = sum(x) }
        return y
    }"""
    (function,) = program(text).emit().functions
    assert str(function.body.block.arguments[0].type) == "f32[3]"


def test_as_many_early_returns_as_branches_may_be_nested():
    def text(count):
        lines = [f"    if x < {i} {{ return {i} }}\n" for i in range(count)]
        return f"fn f(x: float) -> float {{\n{''.join(lines)}    return x\n}}"

    assert run(text(60), "f", 17.5)[0] == [18]
    (found,) = diagnostics(text(70))
    assert found.code == "TC0311"
    assert "branches and loops of this function are nested too deep" in found.message


def test_what_follows_many_partial_returns_is_given_up_soon():
    body = "if x > 0 { if x > 1 { return 1 }  x = x - 1 }\n" * 30
    (found,) = diagnostics(f"fn f(x: float) -> float {{ {body} return x }}")
    assert found.code == "TC0311"


def test_a_mistake_in_a_branch_is_reported_once():
    text = """fn f(x: float[3], y: float[4]) -> float {
        if sum(x) > 0 { z = x + y } else { z = x }
        return sum(z)
    }"""
    (found,) = diagnostics(text)
    assert found.code == "TC0301"


def test_a_hyper_that_decides_is_part_of_the_program():
    text = """hyper lr = 0.5
    fn f(x: float) -> float { if lr > 0.1 { x = 2 * x }  return x }
    fn g(x: float) -> float { if x > lr { x = 2 * x }  return x }
    """
    p = program(text)
    assert not p.varies("f", "lr")
    assert p.varies("g", "lr")


def test_sizes_are_checked_before_a_branch_is_taken_and_indices_in_it(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text("""
fn known(x: float[N]) -> float { if sum(x) > 0 { return x[2] }  return 1 }
fn given(x: float[N], i: int[1]) -> float { if sum(x) > 0 { return x[i[0]] }  return 1 }
""")
    model = tc.load(str(path))
    two = np.array([1, 2], "float32")
    assert model.known(np.zeros(3, "float32")) == 1
    assert model.given(-two, [2]) == 1
    with pytest.raises(IndexError, match="index 2 is out of range"):
        model.given(two, [2])
    with pytest.raises(IndexError, match="index 2 is out of range"):
        model.known(-two)


_OTHER_SIZE = """
fn returned(x: float[N]) -> float[N] {
    if sum(x) > 0 { return x }
    return x[1:]
}
fn named(x: float[N]) -> float {
    if sum(x) > 0 { y = x[1:] } else { y = x }
    return sum(y)
}
fn of_two(x: float[N], z: float[M]) -> float {
    if sum(x) > 0 { y = x[1:] } else { y = z[1:] }
    return sum(y)
}
"""


@pytest.mark.filterwarnings("ignore:TC0319")
def test_branches_of_other_sizes_are_warned_of_and_the_call_says_which(tmp_path):
    path = tmp_path / "m.tc"
    path.write_text(_OTHER_SIZE)
    shorter = "max(0, N - 1)"
    warnings = checking.check(str(path), {})
    returned = "the result of both branches: [N] and [{}] fit only if N is {}"
    named = "`y` of both branches: [{}] and [N] fit only if {} is N"
    assert [(d.code, d.location.line, d.message) for d in warnings] == [
        ("TC0319", 4, returned.format(shorter, shorter)),
        ("TC0319", 7, named.format(shorter, shorter)),
    ]
    model = tc.load(str(path))
    x = np.ones(2, "float32")
    rule = r"both branches must give {} one size: \[{}\] and \[{}\]"
    small = re.escape(shorter)
    with pytest.raises(ValueError, match=rule.format("the result", "N", small)) as seen:
        model.returned(x)
    assert "N is 2, but max(0, N - 1) is 1" in str(seen.value)
    with pytest.raises(ValueError, match=rule.format("`y`", small, "N")):
        model.named(x)
    assert model.of_two(x, x) == 1
    other = re.escape("max(0, M - 1)")
    with pytest.raises(ValueError, match=rule.format("`y`", small, other)):
        model.of_two(x, np.ones(3, "float32"))


def test_branches_of_other_sizes_are_said_to_differ_in_python():
    def f(x):
        return tc.cond(tc.sum(x) > 0, lambda: x, lambda: x[1:])

    words = "the branches differ: it is .* if the condition holds, and .* if not"
    with pytest.raises(ValueError, match=words) as seen:
        tc.jit(f)(np.ones(2, "float32"))
    assert re.search(r"is 2, but max\(0, \w+ - 1\) is 1", str(seen.value))
