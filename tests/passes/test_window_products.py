"""Contractions with windows: a strip of what windows cover is copied for tiles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

import tensorc as tc
from tensorc import compiler
from tensorc.ir.arrays.windows import pairs_of
from tensorc.ir.attributes import Attribute, Dims
from tensorc.ir.core import Value
from tensorc.ir.functions import new_module
from tensorc.ir.numerics import FMA_ORDER
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.ops.tensor.convolution import Conv
from tensorc.ir.tensor_builder import TensorBuilder
from tensorc.passes.analysis.generics import (
    adds_up_images,
    is_contraction,
    product_space,
)
from tensorc.passes.schedule import windows
from tensorc.passes.structured.open_groups import OpenGroup, misfit
from tests import stages
from tests.sample_types import parse_type
from tests.samples import same_bits
from tests.stages import Case
from tests.test_pipeline import add_function, check


@dataclass(frozen=True)
class Filtered:
    """Images [N, G, C, *S], filters [G, F, C, *K], and how windows lie."""

    images: tuple[int, ...]
    filters: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @property
    def positions(self) -> tuple[int, ...]:
        """How many windows there are along each axis."""
        each = zip(
            self.images[3:],
            self.filters[3:],
            self.strides,
            self.padding,
            self.dilation,
            strict=True,
        )
        return tuple(
            [
                (size + sum(pair) - (extent - 1) * by - 1) // stride + 1
                for size, extent, stride, pair, by in each
            ]
        )

    def attributes(self, turned: bool = False) -> dict[str, Attribute]:
        """Return those of the convolution, or of that of its weight gradient."""
        ways = (self.strides, self.dilation)
        strides, dilation = reversed(ways) if turned else ways
        output = self.filters[3:] if turned else self.positions
        return {
            "strides": strides,
            "dilation": dilation,
            "padding": pairs_of(self.padding),
            "output": Dims(output),
            "order": FMA_ORDER,
        }


PLAIN, NONE = (1, 1), ((0, 0), (0, 0))
FILTERED = (
    Filtered((2, 1, 2, 6, 7), (1, 5, 2, 3, 3), PLAIN, NONE, PLAIN),
    Filtered((2, 2, 2, 9, 11), (2, 3, 2, 3, 2), (2, 1), NONE, (1, 2)),
    Filtered((1, 1, 3, 8, 30), (1, 13, 3, 1, 3), (1, 3), NONE, PLAIN),
    Filtered((2, 1, 1, 12, 12), (1, 4, 1, 5, 5), PLAIN, NONE, PLAIN),
    Filtered((1, 3, 1, 7, 7), (3, 1, 1, 3, 3), PLAIN, ((1, 1), (1, 1)), PLAIN),
    Filtered((2, 1, 4, 20), (1, 6, 4, 3), (2,), ((1, 0),), (2,)),
    Filtered((2, 1, 4, 6, 6), (1, 6, 4, 1, 1), (2, 2), NONE, PLAIN),
    Filtered(
        (1, 1, 2, 4, 5, 6), (1, 3, 2, 2, 2, 2), (1, 2, 1), ((1, 0),) * 3, (1, 1, 2)
    ),
    Filtered((1, 1, 2, 4, 5), (1, 0, 2, 2, 2), PLAIN, NONE, PLAIN),
    Filtered((0, 1, 2, 4, 5), (1, 2, 2, 2, 2), PLAIN, NONE, PLAIN),
)
# More terms than a block, and in the gradient of the weights than a superblock.
DEEP = (
    Filtered((2, 1, 25, 7, 7), (1, 3, 25, 5, 5), PLAIN, ((2, 2), (1, 3)), PLAIN),
    Filtered((3, 1, 1, 60, 58), (1, 2, 1, 3, 3), PLAIN, NONE, PLAIN),
)


def _type(element: str, shape: Sequence[int], unknown: bool) -> str:
    sizes = [str(size) for size in shape]
    if unknown:
        sizes[0] = "B"
    return f"{element}[{', '.join(sizes)}]"


def _add(module: Module, given: Filtered, element: str, unknown: bool) -> list[Case]:
    """Add a convolution, and the gradient of its weights; return a case of each."""
    number = len(module.functions)
    rank = len(given.images)
    space = range(3, rank)
    results = (given.images[0], *given.filters[:2], *given.positions)
    images, outcome = (
        parse_type(_type(element, shape, unknown)) for shape in (given.images, results)
    )
    filters = parse_type(_type(element, given.filters, False))

    def forward(b: TensorBuilder, arguments: Sequence[Value]) -> list[Value]:
        return [b(Conv, *arguments, **given.attributes())]

    def gradient(b: TensorBuilder, arguments: Sequence[Value]) -> list[Value]:
        x = b.transpose(arguments[0], [2, 1, 0, *space])
        y = b.transpose(arguments[1], [1, 2, 0, *space])
        made = b(Conv, x, y, **given.attributes(turned=True))
        return [b.transpose(made, [1, 2, 0, *space])]

    add_function(module, f"f{number}", [images, filters], forward)
    add_function(module, f"g{number}", [images, outcome], gradient)
    rng = np.random.default_rng(number)
    dtype = {"f32": "float32", "f64": "float64"}[element]
    x, w, y = (
        rng.standard_normal(shape).astype(dtype)
        for shape in (given.images, given.filters, results)
    )
    return [(f"f{number}", [x, w]), (f"g{number}", [x, y])]


def _all(
    module: Module, given: Sequence[Filtered], element: str, unknown: bool
) -> list[Case]:
    return [case for each in given for case in _add(module, each, element, unknown)]


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize(
    ("element", "bits"), [("f32", 512), ("f32", 256), ("f64", 128)]
)
def test_convolutions_agree_at_every_stage(
    element: str, bits: int, unknown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "TARGET", replace(stages.TARGET, vector_bits=bits))
    module = new_module()
    check(module, _all(module, FILTERED, element, unknown), True)


@pytest.mark.parametrize("unknown", [False, True])
def test_many_terms_agree_at_every_stage(unknown: bool) -> None:
    module = new_module()
    check(module, _all(module, DEEP, "f32", unknown), True, (0, 2))


def test_a_gradient_of_single_elements_has_channels_as_columns() -> None:
    module = new_module()
    _add(
        module,
        Filtered((2, 1, 4, 6, 6), (1, 7, 4, 1, 1), (2, 2), NONE, PLAIN),
        "f32",
        False,
    )
    made = compiler.compile(module, stages.TARGET, upto="structured").module
    products = [op for op in made.walk() if isinstance(op, Generic)]
    spaces = [product_space(op) for op in products if is_contraction(op)]
    assert (7, 4, 2 * 3 * 3) in spaces


def test_parts_of_terms_agree_at_every_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "SPLIT_WORK", 1)
    module = new_module()
    check(module, _all(module, DEEP[1:], "f32", True)[1:], True)


@pytest.mark.parametrize("unknown", [False, True])
def test_parts_of_terms_have_the_bits_of_the_whole(
    unknown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = Filtered(
        (13, 1, 2, 65, 58), (1, 5, 2, 3, 3), (2, 1), ((1, 0), (0, 0)), PLAIN
    )
    found, kernels = [], []
    for strips in (windows.SPLIT_STRIPS, 0):  # in parts, or not
        monkeypatch.setattr(windows, "SPLIT_STRIPS", strips)
        monkeypatch.setattr(windows, "SPLIT_WORK", 1)
        module = new_module()
        cases = _add(module, many, "f32", unknown)[1:]
        updated = stages.updates_of(module)
        made = compiler.compile(module, stages.TARGET)
        kernels.append(len(made.module.functions))
        found.append(stages.compiled_results(made.artifact, cases, updated))
    assert kernels[0] == kernels[1] + 1
    ((parts,),), ((whole,),) = found
    assert same_bits(parts, whole)


def test_one_channel_of_a_gradient_leaves_its_filters_the_rows() -> None:
    rng = np.random.default_rng(29)
    x, w, d = (
        rng.normal(size=shape).astype("float32")
        for shape in ((3, 1, 12, 13), (5, 1, 4, 3), (3, 5, 9, 11))
    )
    slope = tc.jit(lambda x, w, d: tc.grad(lambda w: (tc.conv2d(x, w) * d).sum())(w))
    found = slope(x, w, d)
    emitted = slope.emit("structured")
    assert "split = " in emitted
    assert "tensor<5x4x3xf32>" in emitted
    two = slope(np.repeat(x, 2, axis=1), np.repeat(w, 2, axis=1), d)
    np.testing.assert_array_equal(found, two[:, :1])


def test_what_follows_a_weight_gradient_is_another_kernel() -> None:
    """Threads share out its columns, or parts of its terms."""
    module = new_module()
    _add(module, FILTERED[0], "f32", True)
    made = compiler.compile(module, stages.TARGET, upto="structured").module
    function = next(f for f in made.functions if f.sym_name == "g0")
    (product,) = [op for op in function.walk() if adds_up_images(op)]
    assert isinstance(product, Generic)
    assert product.parent is not None
    assert [op for op in product.parent.ops if isinstance(op, Generic)] == [product]
    assert misfit(product, _opened_by(product), set(), {}).startswith("that adds up")


def _opened_by(op: Generic) -> OpenGroup:
    kernel = OpenGroup((), "a test")
    kernel.add([op])
    return kernel
