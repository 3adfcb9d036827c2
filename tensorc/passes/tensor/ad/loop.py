"""The derivative of `tc.scan`, which has none yet."""

from typing import NoReturn

from tensorc.errors import CompileError, Diagnostic
from tensorc.ir.core import Op
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.passes.tensor.ad.activity import Activity
from tensorc.passes.tensor.ad.rows import Cotangents, Tangents


def backward(
    b: TensorBuilder, op: Op, cts: Cotangents, activity: Activity
) -> Cotangents:
    """Raise `CompileError` (TC0350): cotangents do not go through the steps."""
    _refuse(op)


def forward(
    b: TensorBuilder, op: Op, tangents: Tangents, activity: Activity
) -> Tangents:
    """Raise `CompileError` (TC0350): tangents do not go through the steps."""
    _refuse(op)


def _refuse(op: Op) -> NoReturn:
    message = "unsupported: a loop has no derivative yet"
    hints = (
        "write the steps out: a Python loop in a traced function, one line each in .tc",
        "in Python give it one: tc.custom_gradient, with a loop in reverse backward",
        "if it is to count as a constant, wrap its result in stop_gradient",
    )
    raise CompileError(Diagnostic("TC0350", message, op.location, hints=hints))
