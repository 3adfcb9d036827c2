"""Maps that leave their operand, and read a constant there."""

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import TensorcError
from tensorc.ir.arrays.windows import pairs_of
from tensorc.ir.attributes import Typed
from tensorc.ir.functions import close_function, new_module, open_function
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.ops.tensor import convolution
from tensorc.ir.ops.tensor.elementwise import Neg
from tensorc.ir.ops.tensor.reductions import Max
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module, print_short
from tensorc.ir.types import ELEMENTS, TensorType
from tensorc.ir.verifier import verify
from tensorc.passes.common.base import run_pass
from tensorc.passes.structured.to_structured import TO_STRUCTURED
from tests.samples import dims, same_bits
from tests.stages import TARGET, all_results, inputs

PADDED = pairs_of([(1, 2), (2, 0)])
INFINITY = float("inf")
CASES = {"f32": -INFINITY, "f64": 0.0, "f16": -0.0, "i64": 7, "i8": -128, "i1": 1}


def module_of(element, fill, *, window=(3, 2), of=lambda b, v: [v]):
    """Return a function that takes windows of a padded image."""
    given = {"strides": (1, 2), "padding": PADDED, "dilation": (2, 1)}
    function, builder = open_function(
        "f", inputs(TensorType((2, 5, 7), ELEMENTS[element]))
    )
    b, (image,) = TensorBuilder(builder), function.body.block.arguments
    taken = b(
        convolution.Windows,
        image,
        window=dims(*window),
        output=dims(4, 4),
        fill=Typed(fill, ELEMENTS[element]),
        **given,
    )
    close_function(function, builder, of(b, taken))
    module = new_module()
    module.body.block.append(function)
    return module


def outside_of(module):
    (function,) = module.functions
    generics = [op for op in function.walk() if isinstance(op, Generic)]
    return [m.outside for op in generics for m in op.maps if m.outside is not None]


def structured(module):
    return run_pass(TO_STRUCTURED, module, TARGET)


@pytest.mark.parametrize("element", CASES)
def test_what_is_read_outside_is_in_the_text(element):
    module = structured(module_of(element, CASES[element]))
    wanted = Typed(CASES[element], ELEMENTS[element])
    assert outside_of(module) == [wanted]
    text = print_module(module)
    assert text.count("tc.outside = [") == 1
    read = parse_module(text)
    verify(read)
    assert outside_of(read) == [wanted]
    assert print_module(read) == text
    assert "tc.outside = [" in print_short(module)


@pytest.mark.parametrize("element", CASES)
def test_elements_and_their_largest_agree_at_every_stage(element):
    dtype = ELEMENTS[element].dtype
    values = np.random.default_rng(3).standard_normal((2, 5, 7)) * 9
    image = values.astype(dtype)

    def of(b, v):
        made = [b(Neg, v)] if element != "i1" else [v]
        return [*made, b(Max, v, axes=(3, 4))] if element != "i1" else made

    module = module_of(element, CASES[element], of=of)
    outcome = all_results(module, [("f", [image])], (0, 2))
    first = outcome["tensor"][0]
    padded = np.full((2, 8, 9), CASES[element], dtype)
    padded[:, 1:6, 2:] = image
    wanted = np.stack(
        [padded[:, u : u + 4, v : v + 7 : 2] for u in (0, 2, 4) for v in (0, 1)], -1
    ).reshape(2, 4, 4, 3, 2)
    assert same_bits(first[0], -wanted if element != "i1" else wanted)
    for results in outcome.values():
        assert all(map(same_bits, first, results[0]))


@pytest.mark.parametrize("to", ["[0.0 : f32]", "[true, 1]", '"x"', '["inside"]'])
def test_a_text_that_fits_no_maps_is_refused(to):
    text = print_module(structured(module_of("f32", 0.5)))
    start = text.index("tc.outside = ") + len("tc.outside = ")
    end = text.index("]", start) + 1
    with pytest.raises(TensorcError, match=r"tc\.outside|outside"):
        verify(parse_module(text[:start] + to + text[end:]))


def test_a_constant_of_another_type_is_refused():
    text = print_module(structured(module_of("f32", 0.5)))
    wrong = text.replace("tc.outside = [0.5 : f32", "tc.outside = [0.5 : f64")
    assert wrong != text
    with pytest.raises(TensorcError, match="C9"):
        verify(parse_module(wrong))


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("reduced", [False, True])
def test_nothing_is_read_of_an_image_without_elements(size, reduced):
    def outer(x, y):
        columns = tc.unfold(x, (2,), padding=1)[0]
        product = columns[:, :, None] * y
        return tc.max(product, axis=1) if reduced else product

    x, y = np.full((1, 1, size), 3, np.float32), np.arange(40, dtype=np.float32)
    with tc.options(check_bounds=True):
        made = tc.jit(outer)(x, y)
    wide = np.pad(x[0, 0], 1)
    expected = np.stack([wide[:-1], wide[1:]])[:, :, None] * y
    np.testing.assert_array_equal(made, expected.max(1) if reduced else expected)
