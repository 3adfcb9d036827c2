"""Keys of elements: integers in the order of the elements, as code."""

from tensorc.ir.arrays.ordering import infinity_bits
from tensorc.ir.core import Value
from tensorc.ir.numerics import integer_limits
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.types import ELEMENTS, Element, VectorType, element_type
from tensorc.passes.loops.builder import LoopBuilder


def without_sign(element: Element) -> Element:
    """Return the integers of as many bits that have no sign."""
    return ELEMENTS[f"ui{element.bits}"]


def with_sign(element: Element) -> Element:
    """Return the integers of as many bits that have a sign."""
    return ELEMENTS[f"i{element.bits}"]


def order_key(k: LoopBuilder, value: Value, zeros_differ: bool = False) -> Value:
    """Return an integer whose bits are in the order of the elements: see `order_keys`.

    Its type has a sign, which does not count. Of a vector it is one of keys.
    """
    element = element_type(value.type)
    signed, lanes = with_sign(element), _lanes(value)
    bits = value
    if element != signed:
        bits = k.op(conversions.Bitcast, value, types=[_like(value, signed)])
    lowest = k.constant(integer_limits(signed.dtype)[0], signed, lanes)
    if element.is_unsigned:
        return bits
    if not element.is_float:
        return k.op(arith.XOrI, bits, lowest)
    shift = k.constant(element.bits - 1, signed, lanes)
    flipped = k.op(arith.OrI, k.op(arith.ShRSI, bits, shift), lowest)
    key = k.op(arith.XOrI, bits, flipped)
    if not zeros_differ:
        key = k.select(k.compare("eq", bits, lowest), lowest, key)
    highest = k.constant(integer_limits(signed.dtype)[1], signed, lanes)
    size = k.op(arith.AndI, bits, highest)
    infinity = k.constant(infinity_bits(element.dtype), signed, lanes)
    is_nan = k.compare("sgt", size, infinity)
    return k.select(is_nan, k.constant(-1, signed, lanes), key)


def element_of_key(k: LoopBuilder, key: Value, element: Element) -> Value:
    """Return the element that has a key, by which zeros differ; of NaNs one."""
    signed = element_type(key.type)
    lowest = k.constant(integer_limits(signed.dtype)[0], signed)
    if element.is_unsigned:
        return k.op(conversions.Bitcast, key, types=[element])
    if not element.is_float:
        return k.op(arith.XOrI, key, lowest)
    # The sign is turned back; of what was negative all bits are.
    shift = k.constant(element.bits - 1, signed)
    every = k.constant(-1, signed)
    negative = k.op(arith.XOrI, k.op(arith.ShRSI, key, shift), every)
    bits = k.op(arith.XOrI, key, k.op(arith.OrI, negative, lowest))
    return k.op(conversions.Bitcast, bits, types=[element])


def signed_key(k: LoopBuilder, value: Value, zeros_differ: bool = False) -> Value:
    """Return an integer with a sign in the order of the elements."""
    key = order_key(k, value, zeros_differ)
    signed = element_type(key.type)
    lowest = k.constant(integer_limits(signed.dtype)[0], signed, _lanes(value))
    return k.op(arith.XOrI, key, lowest)


def widened(k: LoopBuilder, key: Value, element: Element) -> Value:
    """Return keys with a sign in a type as wide or wider."""
    if element_type(key.type) == element:
        return key
    return k.op(conversions.ExtSI, key, types=[_like(key, element)])


def _lanes(value: Value) -> int:
    return value.type.lanes if isinstance(value.type, VectorType) else 0


def _like(value: Value, element: Element) -> Element | VectorType:
    lanes = _lanes(value)
    return VectorType(lanes, element) if lanes else element
