"""The example in the docstring of every op runs in the interpreter."""

import numpy as np
import pytest

from tensorc.errors import IndexOutOfRange
from tensorc.ir.dims import evaluate
from tensorc.ir.interpreter import interpret
from tensorc.ir.opdef import TERMINATOR, example_of
from tensorc.ir.ops import OPS
from tensorc.ir.ops.memory.kernels import Fail
from tensorc.ir.text.parser import parse_module
from tensorc.ir.types import INDEX, Element, MemRefType, TensorType, VectorType
from tests.test_op_contract import WITHOUT_MEANING, as_function

# Examples that one line cannot make complete: other tests run these ops.
ELSEWHERE = {
    "tc.size": "a function of memory is called with the values of its symbols",
    "tc.view": "its operands are the sizes of one and the same memory",
}
RUN = [
    c
    for c in OPS
    if c not in WITHOUT_MEANING
    and TERMINATOR not in c.traits
    and c.name not in ELSEWHERE
]
SIZES = {"B": 2, "N": 4}
SIZE = 1 << 14  # of memory whose size the type does not say


def value_of(type_, rng):
    """Return a value of a type: small numbers, which are indices everywhere."""
    match type_:
        case TensorType(shape=shape, element=element):
            sizes = [evaluate(d, SIZES) for d in shape]
        case MemRefType(shape=shape, element=element):
            sizes = [SIZE if d is None else d for d in shape]
        case VectorType(element=element):
            sizes = [type_.lanes]
        case Element() as element:
            if element == INDEX:
                return np.array(SIZES["B"])  # a size, a bound or a place
            sizes = []
    return np.asarray(rng.integers(0, 2, sizes)).astype(element.dtype)


@pytest.mark.parametrize("cls", RUN, ids=lambda c: c.name)
def test_example_runs(cls):
    module = parse_module(as_function(example_of(cls)))
    (function,) = module.functions
    rng = np.random.default_rng(3)
    arguments = [value_of(a.type, rng) for a in function.body.block.arguments]
    if cls is Fail:
        with pytest.raises(IndexOutOfRange):
            interpret(module, "f", arguments)
        return
    results = interpret(module, "f", arguments)
    returned = function.body.block.terminator.operands
    assert len(results) == len(returned)
    for result, value in zip(results, returned, strict=True):
        if isinstance(value.type, TensorType):
            assert result.shape == tuple(evaluate(d, SIZES) for d in value.type.shape)
