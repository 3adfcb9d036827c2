"""Elementwise ops on the bits of integers; of booleans `elementwise` has them."""

import numpy as np

from tensorc.ir.opdef import COMMUTATIVE, ELEMENTWISE, EXACT, PURE, each, op
from tensorc.ir.ops.scalar import arith
from tensorc.ir.ops.tensor.elementwise import Binary, Unary

_EXACT = (PURE, ELEMENTWISE, EXACT)


class IntegerBinary(Binary):
    """An op on each pair of integers of two tensors of one type."""

    domain, have, sample = "integer", "have one integer type", "i32"


@op("tc.bitwise_and", traits=(*_EXACT, COMMUTATIVE), scalar=arith.AndI)
class BitwiseAnd(IntegerBinary):
    """Bits that both integers have: result = lhs & rhs."""


@op("tc.bitwise_or", traits=(*_EXACT, COMMUTATIVE), scalar=arith.OrI)
class BitwiseOr(IntegerBinary):
    """Bits that either of two integers has: result = lhs | rhs."""


@op("tc.bitwise_xor", traits=(*_EXACT, COMMUTATIVE), scalar=arith.XOrI)
class BitwiseXor(IntegerBinary):
    """Bits that exactly one of two integers has: result = lhs ^ rhs."""


@op("tc.invert", traits=_EXACT)
class Invert(Unary):
    """Complement of all bits of an integer: result = ~operand."""

    domain, has, sample = "integer", "has an integer type", "i32"
    evaluate = each(np.invert)


@op("tc.left_shift", traits=_EXACT, scalar=arith.ShLI)
class LeftShift(IntegerBinary):
    """Integer moved to the left: result = lhs << rhs, what leaves it is lost.

    0 for a shift of the width or more, and for a negative one, as in numpy.
    """


@op("tc.right_shift", traits=_EXACT, scalar=arith.ShRSI)
class RightShift(IntegerBinary):
    """Integer moved to the right: result = lhs >> rhs, rounded down.

    0 for a shift of the width or more, and for a negative one, as in numpy; -1 where
    lhs is negative.
    """
