"""Keys of elements: integers in the order of the elements, as code."""

from tensorc.ir.arrays.ordering import infinity_bits
from tensorc.ir.core import Value
from tensorc.ir.numerics import integer_limits
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.types import ELEMENTS, Element, element_type
from tensorc.passes.loops.builder import LoopBuilder


def without_sign(element: Element) -> Element:
    """Return the integers of as many bits that have no sign."""
    return ELEMENTS[f"ui{element.bits}"]


def order_key(k: LoopBuilder, value: Value) -> Value:
    """Return an integer whose bits are in the order of the elements: see `order_keys`.

    Its type has a sign, which does not count.
    """
    element = element_type(value.type)
    signed = ELEMENTS[f"i{element.bits}"]
    bits = value
    if element != signed:
        bits = k.op(conversions.Bitcast, value, types=[signed])
    lowest = k.constant(integer_limits(signed.dtype)[0], signed)
    if element.is_unsigned:
        return bits
    if not element.is_float:
        return k.op(arith.XOrI, bits, lowest)
    shift = k.constant(element.bits - 1, signed)
    flipped = k.op(arith.OrI, k.op(arith.ShRSI, bits, shift), lowest)
    key = k.op(arith.XOrI, bits, flipped)
    key = k.select(k.compare("eq", bits, lowest), lowest, key)
    highest = k.constant(integer_limits(signed.dtype)[1], signed)
    size = k.op(arith.AndI, bits, highest)
    infinity = k.constant(infinity_bits(element.dtype), signed)
    is_nan = k.compare("sgt", size, infinity)
    return k.select(is_nan, k.constant(-1, signed), key)


def signed_key(k: LoopBuilder, value: Value) -> Value:
    """Return an integer with a sign in the order of the elements."""
    key = order_key(k, value)
    signed = element_type(key.type)
    return k.op(arith.XOrI, key, k.constant(integer_limits(signed.dtype)[0], signed))
