"""The three doors make the same module, once it is simplified."""

import re
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.frontend.dsl.irgen.generator import generate
from tensorc.frontend.dsl.syntax import parser
from tensorc.ir.core import Block, Op
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module

LOGREG = """
param W: float[784, 10] = 0
param b: float[10] = 0
fn logits(x: float[B, 784]) -> float[B, 10] = x @ W + b
step train(x: float[B, 784], y: int[B]) -> float {
    cost = mean(cross_entropy(logits(x), y))
    W <- W - 0.13 * grad(cost, W)
    b <- b - 0.13 * grad(cost, b)
    return cost
}
"""

MLP = """
param W1: float[784, 500] = 0
param b1: float[500] = 0
param W2: float[500, 10] = 0
param b2: float[10] = 0
step train(x: float[B, 784], y: int[B]) -> float {
    h = relu(x @ W1 + b1)
    cost = mean(cross_entropy(h @ W2 + b2, y)) + 0.0001 * sum(W1 * W1)
    gW1, gb1, gW2, gb2 = grad(cost, (W1, b1, W2, b2))
    W1 <- W1 - 0.1 * gW1
    b1 <- b1 - 0.1 * gb1
    W2 <- W2 - 0.1 * gW2
    b2 <- b2 - 0.1 * gb2
    return cost
}
"""


def in_order_of_use(block: Block) -> None:
    """Order ops as the results need them: doors differ in what they write first."""
    ops: dict[Op, None] = {}
    stack = [(block.terminator, False)]
    while stack:
        op, is_left = stack.pop()
        if is_left:
            ops[op] = None
        elif op not in ops:
            stack.append((op, True))
            inner = [v.op for v in reversed(op.operands) if v.op is not None]
            stack += [(i, False) for i in inner]
    assert len(ops) == len(block.ops), "an op without a use would not be compared"
    block.ops[:] = ops


def normal(text: str) -> str:
    """Return a module at the end of TENSOR, in the order of use, symbols renamed."""
    module = compiler.compile(
        parse_module(text), compiler.host_target(), upto="tensor"
    ).module
    for function in module.functions:
        in_order_of_use(function.body.block)
    names: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        return f'"{names.setdefault(match[1], f"s{len(names)}")}"'

    dims = r"#tc\.dims<\[[^\]]*\]>"
    symbols = r'"(\w+)"'
    return re.sub(dims, lambda m: re.sub(symbols, renamed, m[0]), print_module(module))


def from_tc(text: str, tmp_path: Path) -> str:
    path = tmp_path / "model.tc"
    path.write_text(text, encoding="utf-8")
    return print_module(generate(parser.parse_file(str(path)), {}).emit(["train"]))


def zeros(*shape: int, name: str) -> tc.Shared:
    return tc.shared(np.zeros(shape, "float32"), name)


def logreg_memory():
    return zeros(784, 10, name="W"), zeros(10, name="b")


def mlp_memory():
    shapes = {"W1": (784, 500), "b1": (500,), "W2": (500, 10), "b2": (10,)}
    return tuple(zeros(*shape, name=name) for name, shape in shapes.items())


def logreg_cost(params, x, y):
    W, b = params
    return tc.mean(tc.cross_entropy(x @ W + b, y)), 0.13


def mlp_cost(params, x, y):
    W1, b1, W2, b2 = params
    h = tc.relu(x @ W1 + b1)
    penalty = 0.0001 * tc.sum(W1 * W1)
    return tc.mean(tc.cross_entropy(h @ W2 + b2, y)) + penalty, 0.1


CASES = {
    "logreg": (LOGREG, logreg_memory, logreg_cost),
    "mlp": (MLP, mlp_memory, mlp_cost),
}


def from_symbolic(memory, model) -> str:
    params = memory()
    x, y = tc.tensor("x", "float32", (None, 784)), tc.lvector("y")
    cost, rate = model(params, x, y)
    new = [p - rate * g for p, g in zip(params, tc.grad(cost, params), strict=True)]
    updates = list(zip(params, new, strict=True))
    return tc.function([x, y], cost, updates=updates, name="train").emit("graph")


def from_jit(memory, model) -> str:
    params = memory()

    @tc.step
    def train(x: tc.f32["B", 784], y: tc.i64["B"]):
        cost, rate = model(params, x, y)
        for p, g in zip(params, tc.grad(cost, params), strict=True):
            tc.update(p, p - rate * g)
        return cost

    return train.emit("graph", np.zeros((3, 784), "f"), np.zeros(3, "int64"))


def from_function_gradient(memory, model) -> str:
    params = memory()

    @tc.step
    def train(x: tc.f32["B", 784], y: tc.i64["B"]):
        def cost_of(params):
            return model(params, x, y)[0]

        cost, gradients = tc.value_and_grad(cost_of)(params)
        rate = model(params, x, y)[1]
        for p, g in zip(params, gradients, strict=True):
            tc.update(p, p - rate * g)
        return cost

    return train.emit("graph", np.zeros((3, 784), "f"), np.zeros(3, "int64"))


@pytest.mark.parametrize("case", CASES)
def test_the_three_doors_make_the_same_module(case, tmp_path):
    text, memory, model = CASES[case]
    expected = normal(from_tc(text, tmp_path))
    assert normal(from_jit(memory, model)) == expected
    assert normal(from_symbolic(memory, model)) == expected
    assert normal(from_function_gradient(memory, model)) == expected
