"""How to use each op of the TENSOR level: operands that fit, made by a `Maker`.

RECIPES is a literal table with a row per op; a recipe returns the index of the op, or
None where there is no way now. Domains come from the classes of the ops themselves.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from tensorc.fuzz.maker import MOST_ELEMENTS, Maker
from tensorc.fuzz.program import ArgumentNode
from tensorc.fuzz.window_recipes import WINDOW_RECIPES
from tensorc.ir.attributes import Attribute, Dims
from tensorc.ir.core import Op
from tensorc.ir.dims import Dim, bound, symbol
from tensorc.ir.numerics import FMA_ORDER, LANES_ORDER
from tensorc.ir.opdef import ELEMENTWISE
from tensorc.ir.ops import OPS
from tensorc.ir.ops.tensor import (
    elementwise,
    indexing,
    making,
    nn,
    products,
    random,
    reductions,
    rounding,
    shape,
)
from tensorc.ir.ops.tensor.cumulative import CUMULATIVE, Recurrence
from tensorc.ir.ops.tensor.order import ORDERS, SearchSorted, Sort, TopK
from tensorc.ir.types import I1, I64, U32, U64, TensorType

Recipe = Callable[[Maker, type[Op]], int | None]

_MOST_PRODUCTS = 200_000  # multiplications of one product


def _domain(cls: type[Op]) -> str:
    return str(getattr(cls, "domain", "float"))


def _unary(m: Maker, cls: type[Op]) -> int:
    return m.apply(cls, (m.primary(_domain(cls)),))


def _pair(m: Maker, domain: str) -> tuple[int, int]:
    first = m.primary(domain)
    second = first if m.chance(0.08) else m.partner(m.type_of(first))
    return (first, second) if m.chance(0.5) else (second, first)


def _binary(m: Maker, cls: type[Op]) -> int:
    return m.apply(cls, _pair(m, _domain(cls)))


def _compare(m: Maker, cls: type[Op]) -> int:
    predicate = m.rng.choice(list(elementwise.PREDICATES))
    return m.apply(cls, _pair(m, "any"), predicate=predicate)


def _select(m: Maker, cls: type[Op]) -> int:
    choices = _pair(m, "any")
    condition = m.partner(TensorType(m.type_of(choices[0]).shape, I1))
    return m.apply(cls, (condition, *choices))


def _cast(m: Maker, cls: type[Op]) -> int:
    return m.apply(cls, (m.primary(),), element=m.element())


def _axis(m: Maker, type_: TensorType, empty: bool = True) -> int:
    """Return an axis; without `empty` one that is not known to be empty."""
    axes = [a for a, d in enumerate(type_.shape) if empty or d != 0]
    return m.rng.choice(axes)


def _axes(m: Maker, type_: TensorType, empty: bool = True) -> tuple[int, ...]:
    """Return at least one axis; without `empty` none that is known to be empty."""
    first = _axis(m, type_, empty)
    others = [a for a, d in enumerate(type_.shape) if empty or d != 0]
    return tuple([a for a in others if a == first or m.chance(0.3)])


def _has_elements(type_: TensorType) -> bool:
    return any(d != 0 for d in type_.shape)


def _sum(m: Maker, cls: type[Op]) -> int:
    operand = m.primary("number", 1)
    axes = _axes(m, m.type_of(operand))
    return m.apply(cls, (operand,), axes=axes, order=LANES_ORDER)


def _mean(m: Maker, cls: type[Op]) -> int:
    operand = m.primary("float", 1, lambda type_: type_.element.bits > 16)
    rank = m.type_of(operand).rank
    axes = tuple(axis for axis in range(rank) if m.chance(0.5)) or (0,)
    count = m.partner(TensorType((), I64))
    return m.apply(cls, (operand, count), axes=axes, order=LANES_ORDER)


def _quantifier(m: Maker, cls: type[Op]) -> int:
    operand = m.primary("boolean", 1)
    return m.apply(cls, (operand,), axes=_axes(m, m.type_of(operand)))


def _extreme(m: Maker, cls: type[Op]) -> int:
    operand = m.primary("number", 1, _has_elements)
    return m.apply(cls, (operand,), axes=_axes(m, m.type_of(operand), empty=False))


def _log_softmax(m: Maker, cls: type[Op]) -> int:
    operand = m.primary("float", 1, _has_elements)
    return m.apply(cls, (operand,), axis=_axis(m, m.type_of(operand), empty=False))


def _cumulative(m: Maker, cls: type[Op]) -> int:
    kind = "float" if cls is Recurrence else "number"
    operand = m.primary(kind, 1)
    type_ = m.type_of(operand)
    operands = [operand]
    if cls is Recurrence:
        operands.insert(0, m.partner(type_))
    attributes: dict[str, Attribute] = {"axis": _axis(m, type_)}
    if "reverse" in cls.attribute_names:
        attributes["reverse"] = m.chance(0.4)
    return m.apply(cls, operands, **attributes)


def _order(m: Maker, cls: type[Op]) -> int:
    operand = m.primary("number", 1)
    if cls is not TopK:
        return m.apply(cls, (operand,))
    most = m.number(m.type_of(operand).shape[-1])
    return m.apply(cls, (operand,), count=m.rng.randint(0, min(most, 20)))


def _search(m: Maker, cls: type[Op]) -> int:
    """Return a search; the row is in order mostly."""
    row = m.primary("number", 1, lambda type_: type_.rank == 1)
    element = m.type_of(row).element
    values = m.partner(TensorType(m.shape(), element))
    if m.chance(0.7):
        row = m.apply(Sort, (row,))
    return m.apply(cls, (row, values), side=m.rng.choice(("left", "right")))


def _softmax(m: Maker, cls: type[Op]) -> int:
    operand = m.primary("float", 1, _has_elements)
    type_ = m.type_of(operand)
    mask = (m.partner(TensorType(type_.shape, I1)),) if m.chance(0.4) else ()
    return m.apply(cls, (operand, *mask), axis=_axis(m, type_, empty=False))


def _swap(m: Maker, index: int) -> int:
    """Return a matrix transposed, or each of a batch of matrices."""
    rank = m.type_of(index).rank
    order = (*range(rank - 2), rank - 1, rank - 2)
    return m.apply(shape.Transpose, (index,), permutation=order)


def _matmul(m: Maker, cls: type[Op]) -> int | None:
    lhs = m.primary("number", 2)
    if m.chance(0.35):
        lhs = _swap(m, lhs)
    type_ = m.type_of(lhs)
    *batch, rows, inner = type_.shape
    if m.chance(0.2):  # a matrix by itself, which is one operand read in two ways
        columns: Dim = rows
        rhs = _swap(m, lhs)
    else:
        columns = m.dim()
        turned = m.chance(0.4)
        wanted = (columns, inner) if turned else (inner, columns)
        if m.count((*batch, rows, inner, columns)) > _MOST_PRODUCTS:
            return None
        rhs = m.partner(TensorType((*batch, *wanted), type_.element))
        rhs = _swap(m, rhs) if turned else rhs
    work = m.count((*batch, rows, inner, columns))
    if work > _MOST_PRODUCTS or m.count((*batch, rows, columns)) > MOST_ELEMENTS:
        return None
    made = m.apply(cls, (lhs, rhs), order=FMA_ORDER)
    return _over_rows(m, cls, made, lhs) if rows == columns and m.chance(0.5) else made


def _over_rows(m: Maker, cls: type[Op], square: int, values: int) -> int:
    """Return what adds up the rows of a square matrix, or of its softmax.

    Such a matrix is made again for it.
    """
    type_ = m.type_of(square)
    if type_.element.is_float and _has_elements(type_) and m.chance(0.5):
        square = m.apply(nn.Softmax, (square,), axis=type_.rank - 1)
    return m.apply(cls, (_swap(m, square), values), order=FMA_ORDER)


def _broadcast(m: Maker, cls: type[Op]) -> int | None:
    operand = m.primary()
    dims: list[Dim] = []
    axes: list[int] = []
    for dim in m.type_of(operand).shape:
        while m.chance(0.3):
            dims.append(m.dim())
        axes.append(len(dims))
        dims.append(m.dim() if dim == 1 and m.chance(0.6) else dim)
    if not dims or m.chance(0.2):
        dims.append(m.dim())
    if m.count(dims) > MOST_ELEMENTS or len(dims) > 5:
        return None
    return m.apply(cls, (operand,), axes=tuple(axes), shape=Dims(tuple(dims)))


def _reshape(m: Maker, cls: type[Op]) -> int:
    operand = m.primary()
    dims = list(m.type_of(operand).shape)
    for _ in range(1 + m.below(2)):
        at = m.below(len(dims) + 1)
        two = len(dims) > 1 and at + 1 < len(dims)
        if two and m.chance(0.6):
            dims[at : at + 2] = [dims[at] * dims[at + 1]]
        elif at < len(dims) and m.chance(0.6):
            dims[at : at + 1] = _factors(m, dims[at])
        elif at < len(dims) and dims[at] == 1:
            del dims[at]
        elif len(dims) < 5:
            dims.insert(at, 1)
    return m.apply(cls, (operand,), shape=Dims(tuple(dims)))


def _factors(m: Maker, dim: Dim) -> list[Dim]:
    known = [f for f in (2, 3, 4, 5, 8, 11) if isinstance(dim, int) and dim % f == 0]
    if not known or not isinstance(dim, int):
        return [dim]
    factor = m.rng.choice(known)
    return m.rng.sample([factor, dim // factor], 2)


def _transpose(m: Maker, cls: type[Op]) -> int:
    operand = m.primary("any", 1)
    rank = m.type_of(operand).rank
    order = tuple(m.rng.sample(range(rank), rank))
    return m.apply(cls, (operand,), permutation=order)


def _slice(m: Maker, cls: type[Op]) -> int:
    operand = m.primary("any", 1)
    parts = [_part(m, dim) for dim in m.type_of(operand).shape]
    starts, sizes, steps = zip(*parts, strict=True)
    return m.apply(
        cls, (operand,), starts=Dims(starts), sizes=Dims(sizes), steps=tuple(steps)
    )


def _part(m: Maker, dim: Dim) -> tuple[Dim, Dim, int]:
    """Return start, size and step of a part of an axis."""
    length = m.number(dim)
    kind = m.below(7)
    if kind == 0 and length:
        return dim + -1, dim, -1
    if kind == 1 and length > 1:
        cut = 1 + m.below(min(length, 4))
        return m.rng.choice((0, cut)), dim + -cut, 1
    if kind in (2, 5, 6) and m.may_give():
        return _computed_part(m, dim, length)
    if kind in (3, 4) and length:
        start, step = m.below(length), m.rng.choice((1, 1, 2, 3, -1, -1, -2, -3))
        room = length - 1 - start if step > 0 else start
        return start, m.below(room // abs(step) + 2), step
    return 0, dim, 1


def _computed_part(m: Maker, dim: Dim, length: int) -> tuple[Dim, Dim, int]:
    """Return x[i:] or x[:i], where i is an argument of any value."""
    name = m.next_name()
    m.sizes[f"${name}"] = m.rng.randint(-length - 1, length + 2)
    m.given(TensorType((), I64))
    at = bound(symbol(f"${name}"), dim)
    return (at, dim - at, 1) if m.chance(0.5) else (0, at, 1)


def _unslice(m: Maker, cls: type[Op]) -> int | None:
    operand = m.primary("any", 1)
    starts: list[Dim] = []
    dims: list[Dim] = []
    steps: list[int] = []
    for dim in m.type_of(operand).shape:
        before, after = m.below(3), m.below(3)
        step = m.rng.choice((1, 1, 1, 2, -1, -2))
        # `before` places, then the part, which has at most size * |step|, then `after`.
        whole = dim * abs(step) + (before + after)
        first: Dim = before if step > 0 else dim * abs(step) + (before - 1)
        starts.append(first if m.number(dim) else 0)
        dims.append(whole)
        steps.append(step)
    if m.count(dims) > MOST_ELEMENTS:
        return None
    return m.apply(
        cls,
        (operand,),
        starts=Dims(tuple(starts)),
        shape=Dims(tuple(dims)),
        steps=tuple(steps),
    )


def _concatenate(m: Maker, cls: type[Op]) -> int | None:
    first = m.primary("any", 1)
    type_ = m.type_of(first)
    axis = _axis(m, type_)
    parts = [first]
    for _ in range(m.below(4)):
        dim = type_.shape[axis] if m.chance(0.5) else m.dim()
        dims = (*type_.shape[:axis], dim, *type_.shape[axis + 1 :])
        if m.count(dims) <= MOST_ELEMENTS // 4:
            parts.append(m.partner(TensorType(dims, type_.element)))
    m.rng.shuffle(parts)
    if m.count(type_.shape) * len(parts) > 2 * MOST_ELEMENTS:
        return None
    return m.apply(cls, parts, axis=axis)


def _size(m: Maker, cls: type[Op]) -> int:
    operand = m.primary("any", 1)
    return m.apply(cls, (operand,), axis=_axis(m, m.type_of(operand)))


def _constant(m: Maker, cls: type[Op]) -> int:
    return m.constant(TensorType(m.shape(), m.element()))


def _iota(m: Maker, cls: type[Op]) -> int:
    dims = m.shape(1)
    axis, element = m.below(len(dims)), m.element("number")
    return m.apply(cls, (), shape=Dims(dims), axis=axis, element=element)


def _random_key(m: Maker, cls: type[Op]) -> int:
    return m.apply(cls, (m.partner(random.KEY), m.partner(random.KEY)))


def _random_bits(m: Maker, cls: type[Op]) -> int:
    element = m.rng.choice((U32, U64))
    return m.apply(
        cls, (m.partner(random.KEY),), shape=Dims(m.shape()), element=element
    )


def _index(m: Maker, dims: tuple[Dim, ...], size: Dim) -> int | None:
    """Return indices of a shape into an axis: given ones, or computed ones."""
    if m.number(size) == 0 and m.count(dims) and m.chance(0.95):
        return None

    def fits_axis(index: int) -> bool:
        entry = m.entries[index]
        return isinstance(entry, ArgumentNode) and entry.below == size

    def is_shaped(type_: TensorType) -> bool:
        return type_.element.is_integer and type_.shape == dims

    given = [p for p in m.indices(is_shaped) if fits_axis(p)]
    if given and m.chance(0.3):
        return m.rng.choice(given)
    computed = m.indices(lambda t: t == TensorType(dims, I64))
    sized = [
        (p, axis)
        for p in range(len(m.entries))
        for axis, dim in enumerate(m.type_of(p).shape)
        if dim == size
    ]
    if computed and sized and m.number(size) and m.chance(0.5):
        return _wrapped(m, m.rng.choice(computed), *m.rng.choice(sized))
    return m.given(TensorType(dims, m.element("integer")), below=size)


def _wrapped(m: Maker, index: int, p: int, axis: int) -> int:
    """Return integers modulo the size of an axis, which is all that they need."""
    dims = m.type_of(index).shape
    number = m.apply(shape.Size, (p,), axis=axis)
    if dims:
        number = m.apply(shape.Broadcast, (number,), axes=(), shape=Dims(dims))
    return m.apply(rounding.Mod, (index, number))


def _take_along_axis(m: Maker, cls: type[Op]) -> int | None:
    operand = m.primary("any", 1)
    dims = m.type_of(operand).shape
    axis = _axis(m, m.type_of(operand))
    index = _index(m, dims[:axis] + dims[axis + 1 :], dims[axis])
    return None if index is None else m.apply(cls, (operand, index), axis=axis)


def _check_index(m: Maker, cls: type[Op]) -> int | None:
    size = m.dim()
    index = _index(m, m.shape(), size)
    if index is None:
        return None
    axis, from_end = m.below(3), m.chance(0.5)
    return m.apply(cls, (index,), axis=axis, size=Dims((size,)), from_end=from_end)


def _places(m: Maker, dims: Sequence[Dim]) -> tuple[tuple[int, ...], list[int]] | None:
    """Return some axes of a shape, and indices into each of them."""
    count = 2 if len(dims) > 1 and m.chance(0.3) else 1
    axes = tuple(sorted(m.rng.sample(range(len(dims)), count)))
    points = () if m.chance(0.25) else (m.dim(),) if m.chance(0.7) else m.shape()
    part = indexing.gathered_shape(dims, points, axes)
    if m.count(part) > MOST_ELEMENTS or len(part) > 5:
        return None
    found = [_index(m, points, dims[axis]) for axis in axes]
    known = [index for index in found if index is not None]
    return (axes, known) if len(known) == len(found) else None


def _gather(m: Maker, cls: type[Op]) -> int | None:
    operand = m.primary("any", 1)
    indices = _places(m, m.type_of(operand).shape)
    if indices is None:
        return None
    axes, found = indices
    return m.apply(cls, (operand, *found), axes=axes)


def _scatter(m: Maker, cls: type[Op]) -> int | None:
    combine = m.rng.choice(indexing.COMBINES)
    base = m.primary("number" if combine == indexing.ADD else "any", 1)
    type_ = m.type_of(base)
    indices = _places(m, type_.shape)
    if indices is None:
        return None
    axes, found = indices
    points = m.type_of(found[0]).shape
    part = indexing.gathered_shape(type_.shape, points, axes)
    values = m.partner(TensorType(part, type_.element))
    return m.apply(cls, (base, values, *found), axes=axes, combine=combine)


def _of_elements(cls: type[Op]) -> Recipe:
    """Return the recipe of a map of elements, by the number of its operands."""
    special = {
        elementwise.Compare: _compare,
        elementwise.Select: _select,
        elementwise.Cast: _cast,
    }
    return special.get(cls) or (_unary if len(cls.operand_names) == 1 else _binary)


def _along(cls: type[Op]) -> Recipe:
    """Return the recipe of a reduction, by its family."""
    if cls is reductions.Mean:
        return _mean
    if issubclass(cls, reductions.Ordered):
        return _sum
    return _quantifier if issubclass(cls, reductions.Quantifier) else _extreme


RECIPES: Mapping[type[Op], Recipe] = MappingProxyType(
    {
        **{cls: _of_elements(cls) for cls in OPS if ELEMENTWISE in cls.traits},
        **{cls: _along(cls) for cls in OPS if cls.__module__ == reductions.__name__},
        products.MatMul: _matmul,
        shape.Broadcast: _broadcast,
        shape.Reshape: _reshape,
        shape.Transpose: _transpose,
        shape.Slice: _slice,
        shape.Unslice: _unslice,
        shape.Concatenate: _concatenate,
        shape.Size: _size,
        making.Constant: _constant,
        making.Iota: _iota,
        random.RandomKey: _random_key,
        random.RandomBits: _random_bits,
        indexing.TakeAlongAxis: _take_along_axis,
        indexing.CheckIndex: _check_index,
        indexing.Gather: _gather,
        indexing.Scatter: _scatter,
        **dict.fromkeys(CUMULATIVE, _cumulative),
        **dict.fromkeys(ORDERS, _order),
        SearchSorted: _search,
        nn.Softmax: _softmax,
        nn.LogSoftmax: _log_softmax,
        **WINDOW_RECIPES,
    }
)
