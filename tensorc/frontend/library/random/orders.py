"""Random integers, and orders of what is there."""

from tensorc.frontend.library.elementwise import to_element
from tensorc.frontend.library.operands import Emitter, Operand, Shape, TensorOperand
from tensorc.frontend.library.orders.sorting import argsort
from tensorc.frontend.library.random.numbers import Draw
from tensorc.ir.core import Value
from tensorc.ir.dims import Dim
from tensorc.ir.types import F32, I64, U64, Element


def integers(
    b: Emitter, key: Value, low: int, high: int, shape: Shape, element: Element
) -> TensorOperand:
    """Draw integers from low up to, not including, high: 64 bits for each of them."""
    d = Draw(b, key, shape, F32)
    span = high - low
    bits = d.bits(U64)
    if span <= 1 << 32:
        # The upper half of bits * span, from products of 64 bits.
        upper = d.apply("mul", d.apply("right_shift", bits, 32), span)
        lower = d.apply("mul", d.apply("bitwise_and", bits, 2**32 - 1), span)
        total = d.apply("add", upper, d.apply("right_shift", lower, 32))
        found = d.apply("right_shift", total, 32)
    else:  # all bits, if there are as many integers
        found = bits if span == 1 << 64 else d.apply("mod", bits, span)
    # What wraps here wraps back when `low` is added.
    made = to_element(b, found, U64 if element == U64 else I64)
    return to_element(b, d.apply("add", made, low), element)


def order(b: Emitter, key: Value, count: Dim) -> Operand:
    """Draw an order of 0 up to count: the indices that sort random bits."""
    bits = Draw(b, key, (count,), F32).bits(U64)
    return argsort(b, bits)
