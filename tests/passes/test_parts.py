"""Parts of tensors: they are read through maps, and written where they belong."""

import numpy as np
import pytest

from tensorc import compiler
from tensorc.errors import VerifyError
from tensorc.ir.dims import symbol
from tensorc.ir.functions import new_module
from tensorc.ir.levels import Level
from tensorc.ir.ops.control import KernelGroup
from tensorc.ir.ops.memory import memory
from tensorc.ir.ops.structured.generics import Generic
from tensorc.ir.ops.tensor.elementwise import Add, Mul, Neg
from tensorc.ir.ops.tensor.shape import Concatenate
from tensorc.ir.text.parser import parse_module
from tensorc.ir.verifier import verify
from tensorc.passes.structured import fuse
from tensorc.target import Options
from tests.ir.programs import function
from tests.samples import parse_type
from tests.stages import TARGET
from tests.test_pipeline import add_function, check

TYPES = "f32[{N}, 5]", "f32[{M}, 5]", "f32[{N}, 2]"


def joined(b, of, n, m):
    """Concatenate along both axes; producers and readers are in rows and across."""
    x, y, z = of
    rows = b(Concatenate, b(Neg, x), x, y, axis=0)
    columns = b(Concatenate, b(Mul, x, x), z, b(Neg, x), axis=1)
    flipped = b(Concatenate, x, b(Neg, x), axis=0)
    return [
        rows,
        b.sum(rows, 1),
        columns,
        b(Neg, columns),
        b.sum(columns, 1),
        b.sum(columns, 0),
        b(Add, flipped, flipped),
    ]


def moved(b, of, n, m):
    """Read parts, in steps, backwards, transposed, of what a kernel made, too."""
    x, y, z = of
    backwards = b.slice(b(Add, x, x), (n + -1, 4), (n, 5), (-1, -1))
    columns = b.slice(x, (0, 1), (n, 2), (1, 3))
    middle = b.slice(b(Neg, x), (0, 1), (n, 3), (1, 1))
    left = b.slice(y, (0, 1), (m, 4), (1, 1))
    right = b.slice(x, (0, 0), (n, 4), (1, 1))
    return [
        b(Add, backwards, x),
        b(Neg, b.transpose(columns, (1, 0))),
        b.sum(columns, 0),
        b.sum(middle, 1),
        b.sum(b.transpose(middle, (1, 0)), 1),
        b(Add, middle, b.slice(x, (0, 2), (n, 3), (1, 1))),
        b.matmul(left, b.transpose(right, (1, 0))),
        b.matmul(b.transpose(backwards, (1, 0)), x),
        b.matmul(b.transpose(columns, (1, 0)), b.slice(z, (0, 1), (n, 1), (1, 1))),
        b(Concatenate, backwards, x, axis=0),
    ]


def split(b, of, n, m):
    """Split axes of parts and transposes; some are merged, and copied for it."""
    x = of[0]
    wide = b.reshape(b.matmul(x, b.transpose(x, (1, 0))), (n, n))
    flat = b.reshape(b.slice(x, (0, 1), (n, 4), (1, 1)), (n, 2, 1, 2))
    turned = b.reshape(
        b.transpose(b.slice(x, (0, 0), (n, 4), (1, 1)), (1, 0)), (2, 2, n)
    )
    joined = b(Concatenate, x, x, x, axis=1)
    inner = b.reshape(b.slice(joined, (0, 1), (n, 12), (1, 1)), (n, 3, 4))
    return [
        b(Neg, flat),
        b.sum(flat, 1),
        b(Add, turned, turned),
        b.sum(turned, 2),
        b.sum(inner, 0),
        b.matmul(b.transpose(inner, (0, 2, 1)), inner),
        b(Neg, b.reshape(b.slice(x, (0, 1), (n, 4), (1, 1)), (4 * n,))),
        b(Neg, wide),
    ]


def surrounded(b, of, n, m):
    """Put parts into zeros, without holes and with them."""
    x, _, z = of
    part = b.slice(x, (0, 1), (n, 2), (1, 2))
    return [
        b.unslice(x, (2, 1), (n + 3, 9), (1, 1)),
        b.sum(b.unslice(b(Neg, x), (0, 3), (n, 8), (1, 1)), 1),
        b.unslice(z, (n + -1, 0), (n, 2), (-1, 1)),
        b.unslice(x, (1, 0), (3 * n + 1, 5), (3, 1)),
        b.unslice(part, (0, 1), (n, 4), (1, 2)),
    ]


def module_of(body, n, m):
    types = [parse_type(t.format(N=n, M=m)) for t in TYPES]
    dims = [d if isinstance(d, int) else symbol(d) for d in (n, m)]
    module = new_module()
    add_function(module, "f", types, lambda b, of: body(b, of, *dims))
    return module


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("body", [joined, moved, split, surrounded])
def test_parts_agree_at_every_stage(body, fused, monkeypatch):
    if not fused:
        monkeypatch.setattr(fuse, "misfit", lambda *_: "apart")
    rng = np.random.default_rng(5)
    for sizes, known in (((), False), ((1, 1), True), ((70, 33), True)):
        module = module_of(body, *(sizes if known else ("N", "M")))
        cases = [
            ("f", [rng.normal(size=s).astype(np.float32) for s in shapes])
            for n, m in ([sizes] if known else [(1, 4), (2, 2), (50, 17), (51, 0)])
            for shapes in [((n, 5), (m, 5), (n, 2))]
        ]
        check(module, cases, exact=True, levels=(0, 3))


@pytest.mark.parametrize("known", [True, False])
def test_right_sides_are_packed_from_any_strides(known):
    rng = np.random.default_rng(6)
    columns = 50  # of three widths of tiles
    for n, m in [(1, 1), (20, 70), (530, 33), (49, 530)] if known else [("N", "M")]:
        types = [f"f32[{n}, {columns}]", f"f32[{m}, {columns}]", f"f64[{n}, 40]"]
        module = new_module()
        dims = [d if isinstance(d, int) else symbol(d) for d in (n, m)]
        wanted = [parse_type(t) for t in types]

        def body(b, of, dims=dims):
            x, y, z = of
            n, m = dims
            back = b.slice(x, (n + -1, 49), (n, 25), (-1, -2))
            return [
                b.matmul(x, b.transpose(y, (1, 0))),
                b.matmul(
                    b.slice(x, (0, 1), (n, 34), (1, 1)),
                    b.transpose(b.slice(y, (0, 2), (m, 34), (1, 1)), (1, 0)),
                ),
                b.matmul(b.transpose(x, (1, 0)), back),
                b.matmul(z, b.transpose(z, (1, 0))),
                b.matmul(z, b.transpose(b.slice(z, (0, 39), (n, 40), (1, -1)), (1, 0))),
            ]

        add_function(module, "f", wanted, body)
        sizes = [(n, m)] if known else [(1, 1), (20, 70), (530, 33), (49, 530), (3, 0)]
        cases = [
            (
                "f",
                [
                    rng.normal(size=(a, columns)).astype(np.float32),
                    rng.normal(size=(c, columns)).astype(np.float32),
                    rng.normal(size=(a, 40)),
                ],
            )
            for a, c in sizes
        ]
        check(module, cases, exact=True, levels=(0, 3))


def across(b, of, n, m):
    """Read transposed matrices, parts of them, and batches."""
    x, y, z = of
    back = b.slice(y, (m + -1, 0), (m, n), (-1, 1))
    part = b.slice(b.transpose(y, (1, 0)), (0, 1), (n, m + -1), (1, 1))
    return [
        b(Add, x, b.transpose(y, (1, 0))),
        b(Mul, b.transpose(x, (1, 0)), back),
        b(Add, b(Neg, part), b.slice(x, (0, 1), (n, m + -1), (1, 1))),
        b(Concatenate, x, b.transpose(back, (1, 0)), axis=0),
        b(Concatenate, x, b.transpose(y, (1, 0)), axis=1),
        b(Neg, b.transpose(z, (0, 2, 1))),
        b(Neg, b.transpose(z, (2, 0, 1))),
        b(Neg, b.transpose(z, (2, 1, 0))),
    ]


@pytest.mark.parametrize("element", ["f32", "f64", "i8", "i1"])
@pytest.mark.parametrize("known", [True, False])
def test_what_lies_across_is_transposed_piece_by_piece(known, element):
    rng = np.random.default_rng(8)
    sizes = [(1, 1), (17, 40), (40, 281)]
    if element in ("i1", "i8"):
        sizes = sizes[1:2]
    for n, m in sizes if known else [("N", "M")]:
        shapes = f"[{n}, {m}]", f"[{m}, {n}]", f"[3, {n}, {m}]"
        types = [parse_type(element + shape) for shape in shapes]
        dims = [d if isinstance(d, int) else symbol(d) for d in (n, m)]
        module = new_module()

        def body(b, of, dims=dims):
            if element != "i1":
                return across(b, of, *dims)
            return [b(Concatenate, of[0], b.transpose(of[1], (1, 0)), axis=1)]

        add_function(module, "f", types, body)
        cases = [
            (
                "f",
                [
                    (rng.normal(size=shape) * 9).astype(types[0].element.dtype)
                    for shape in ((a, c), (c, a), (3, a, c))
                ],
            )
            for a, c in ([(n, m)] if known else sizes)
        ]
        check(module, cases, exact=True, levels=(0, 3))


def test_parts_are_written_straight_into_the_result():
    module = module_of(
        lambda b, of, n, m: [b(Concatenate, b(Neg, of[0]), of[1], axis=0)], 6, 4
    )
    made = compiler.compile(module, TARGET, Options(), upto="buffer").module
    groups = [op for op in made.functions[0].walk() if isinstance(op, KernelGroup)]
    assert not any(
        isinstance(op, memory.Copy | memory.View) for op in made.functions[0].walk()
    )
    assert len(groups) == 2
    assert groups[0].operands[-1] is groups[1].operands[-1]


def test_views_make_no_kernel():
    def body(b, of, n, m):
        part = b.slice(of[0], (1, 4), (n + -1, 5), (1, -1))
        left = b.slice(of[2], (0, 0), (1, 2), (1, 1))
        return [b.matmul(left, b.slice(part, (0, 1), (2, 3), (2, 1)))]

    made = compiler.compile(module_of(body, 6, 4), TARGET, upto="structured").module
    generics = [op for op in made.functions[0].walk() if isinstance(op, Generic)]
    assert [op.order for op in generics] == ["fma"]


KINDS = "iterator_types = [#linalg.iterator_type<parallel>]"


def write(result, target, where):
    maps = f"[affine_map<(d0) -> (d0)>, affine_map<(d0) -> ({where})>]"
    sizes = "operandSegmentSizes = array<i32: 1, 1>"
    return f"""{result} = "linalg.generic"(%0, {target}) <{{indexing_maps = {maps}, {KINDS}, {sizes}}}> ({{
      ^bb0(%a: f32, %b: f32):
        "linalg.yield"(%a) : (f32) -> ()
      }}) : (tensor<4xf32>, tensor<8xf32>) -> tensor<8xf32>"""  # noqa: E501


@pytest.mark.parametrize(
    ("where", "returned", "words"),
    [
        ("d0 + 4", "%3", ""),
        ("d0 + 5", "%3", "5..8 of 8"),
        ("-d0 + 2", "%3", "-1..2 of 8"),
        ("5", "%3", "C6"),
        ("d0 + 4", "%3, %2", "that another op reads"),
    ],
)
def test_wrong_parts_are_refused(where, returned, words):
    results = ", ".join(["tensor<8xf32>"] * len(returned.split(",")))
    body = [
        '%1 = "tensor.empty"() : () -> tensor<8xf32>',
        write("%2", "%1", "d0 + 0"),
        write("%3", "%2", where),
        f'"func.return"({returned}) : ({results}) -> ()',
    ]
    module = parse_module(function("\n".join(body), "tensor<4xf32>", results))
    if not words:
        verify(module, Level.STRUCTURED)
        return
    with pytest.raises(VerifyError) as caught:
        verify(module, Level.STRUCTURED)
    assert words in caught.value.diagnostics[0].message
