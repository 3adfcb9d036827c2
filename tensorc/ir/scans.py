"""Make loops, and change what they take and give.

A region is written with the values around it, and isolated then:

    with builder.region(step_types(inits, sequences)) as (body, (t, h, x)):
        new = b(Tanh, b(Add, b(Mul, h, w), x))
        builder.create(Yield, new, new)
    last, all_of_them = append_scan(builder, body, [h0], [xs], length)
"""

from collections.abc import Sequence

from tensorc.errors import Diagnostic, ShapeError
from tensorc.ir.attributes import Attribute, Dims
from tensorc.ir.branches import capture, is_copied, ops_in
from tensorc.ir.builder import Builder
from tensorc.ir.core import Block, Op, Region, Value
from tensorc.ir.dims import Dim
from tensorc.ir.opdef import PURE, ConstraintError, InferContext, require
from tensorc.ir.ops.scan import Scan
from tensorc.ir.ops.tensor import indexing
from tensorc.ir.ops.tensor.elementwise import Cast
from tensorc.ir.ops.tensor.making import Iota
from tensorc.ir.types import I64, TensorType, Type, element_type


def step_types(inits: Sequence[Value], sequences: Sequence[Value]) -> list[TensorType]:
    """Return the types of what a step takes: its number, what is carried, and parts."""
    types = [TensorType((), I64)]
    for value in inits:
        assert isinstance(value.type, TensorType)
        types.append(value.type)
    for value in sequences:
        assert isinstance(value.type, TensorType)
        types.append(TensorType(value.type.shape[1:], value.type.element))
    return types


def append_scan(
    b: Builder,
    body: Region,
    inits: Sequence[Value],
    sequences: Sequence[Value],
    length: Dim,
    reverse: bool = False,
) -> list[Value]:
    """Append a `tc.scan` of a region that uses what is around it, as if open.

    Its block takes what `step_types` says, and ends with a `tc.yield` of what is
    carried next and then of what is stacked. It is given arguments for its captures.
    What no step changes and what cannot fail is moved in front of the loop, and a
    sequence that counts is the number of the step.

    Raises:
        ShapeError: what is carried can never keep its type, or a sequence never has
            this length (TC0300).
    """
    _require_length(b, sequences, length)
    sequences = _counted(b, body, len(inits), sequences)
    _hoist(b, body)
    yields = body.block.terminator.operands
    carried, tops = yields[: len(inits)], yields[len(inits) :]
    _require_types(b, inits, carried)
    types: list[Type] = [v.type for v in inits]
    for top in tops:
        assert isinstance(top.type, TensorType)
        types.append(TensorType((length, *top.type.shape), top.type.element))
    attributes: dict[str, Attribute] = {
        "carried": len(inits),
        "sliced": len(sequences),
        "stacked": len(tops),
        "length": Dims((length,)),
        "reverse": reverse,
    }
    captures = capture([body])
    operands = [*inits, *sequences, *captures]
    return b.append(Scan, operands, attributes, types, [body]).results


def _counted(
    b: Builder, body: Region, carried: int, sequences: Sequence[Value]
) -> list[Value]:
    """Let parts of 0, 1, 2, … be the number of the step; return the other sequences."""
    block = body.block
    number, parts = block.arguments[0], block.arguments[1 + carried :]
    made, known, kept = Block(parent=body), dict[Value, Value](), list[Value]()
    for part, value in zip(parts, sequences, strict=True):
        assert isinstance(value.type, TensorType)
        if not isinstance(value.op, Iota) or value.type.rank > 1:
            kept.append(value)
            continue
        element = value.type.element
        with b.inside(made):
            is_same = element == I64
            known[part] = number if is_same else b.value(Cast, number, element=element)
    for op in ops_in(body):
        op.operands = [known.get(v, v) for v in op.operands]
    for op in made.ops:
        op.parent = block
    block.ops[:0] = made.ops
    block.arguments = [a for a in block.arguments if a not in known]
    for index, argument in enumerate(block.arguments):
        argument.index = index
    return kept


def _hoist(b: Builder, body: Region) -> None:
    """Move what no step changes in front of the loop.

    Not what may fail, since there may be no step, and what is copied into regions.
    """
    block = body.block
    inside = set(block.arguments)
    kept: list[Op] = []
    for op in block.ops:
        is_free = PURE in op.traits and not op.regions and not is_copied(op)
        fails = type(op).__module__ == indexing.__name__
        if is_free and not fails and inside.isdisjoint(op.operands):
            b.block.append(op)
        else:
            kept.append(op)
            inside.update(op.results)
    block.ops = kept


def _require_types(b: Builder, inits: Sequence[Value], new: Sequence[Value]) -> None:
    """Unify what a step carries on with what it was given."""
    context = InferContext(b.constraints, b.location)
    try:
        require(len(inits) == len(new), "", f"{len(inits)} and {len(new)} values")
        for before, after in zip(inits, new, strict=True):
            same = element_type(before.type) == element_type(after.type)
            require(same, "", f"{before.type} and {after.type}")
            words = f"what a loop carries keeps its type: it is {before.type} before "
            words += f"a turn, and {after.type} after it"
            for one, other in zip(_shape(before), _shape(after), strict=False):
                b.constraints.unify(one, other, b.location, words)
            context.require_same_shape(before.type, after.type, "")
    except ConstraintError as error:
        message = f"what {Scan.name} carries keeps its type, got {error.detail}"
        raise ShapeError(Diagnostic("TC0300", message, b.location)) from None


def _shape(value: Value) -> tuple[Dim, ...]:
    assert isinstance(value.type, TensorType)
    return value.type.shape


def _require_length(b: Builder, sequences: Sequence[Value], length: Dim) -> None:
    """Unify the leading axes of sequences with the length."""
    for value in sequences:
        assert isinstance(value.type, TensorType)
        shape = value.type.shape
        message = f"{Scan.name} of {length} steps walks along {value.type}"
        words = f"a loop of {length} steps walks along {value.type}"
        if not shape or not b.constraints.walk(length, shape[0], b.location, words):
            raise ShapeError(Diagnostic("TC0300", message, b.location))


def keep_parts(
    op: Scan, carried: Sequence[int], stacked: Sequence[int], taken: Sequence[int]
) -> None:
    """Drop all that a loop carries and stacks but these, and what else it takes.

    `taken` are the numbers of the sequences and captures to keep, counted together.
    """
    block = op.body.block
    first = op.carried
    rest, inner = op.operands[first:], block.arguments[1 + first :]
    number, states = block.arguments[0], block.arguments[1 : 1 + first]
    sliced = sum(i < op.sliced for i in taken)
    op.operands = [*[op.operands[i] for i in carried], *[rest[i] for i in taken]]
    block.arguments = [
        number,
        *[states[i] for i in carried],
        *[inner[i] for i in taken],
    ]
    kept = [*carried, *[first + i for i in stacked]]
    op.results = [op.results[i] for i in kept]
    last = block.terminator
    last.operands = [last.operands[i] for i in kept]
    for values in (op.results, block.arguments):
        for index, value in enumerate(values):
            value.index = index
    counts = {"carried": len(carried), "sliced": sliced, "stacked": len(stacked)}
    op.attributes.update(counts)


def states_of(op: Scan) -> list[Value]:
    """Return what the region of a loop on tensors is given of what is carried."""
    return op.body.block.arguments[1 : 1 + op.carried]
