"""A loop above LOOP: one program, once for each element of an axis or a count."""

from collections.abc import Mapping, Sequence

from tensorc.ir.arrays.elements import step_numbers
from tensorc.ir.attributes import Dims
from tensorc.ir.core import Body, Op, Region, Value, value_types
from tensorc.ir.dims import Dim
from tensorc.ir.evaluation import StepRunner
from tensorc.ir.levels import AT_BUFFER, AT_STRUCTURED, AT_TENSOR, Level
from tensorc.ir.numerics import Array
from tensorc.ir.opdef import ISOLATED, PURE, InferContext, Values, op, require
from tensorc.ir.ops.control import Yield
from tensorc.ir.schedules import schedule_of
from tensorc.ir.types import I64, MemRefType, TensorType, Type, element_type


@op(
    "tc.scan",
    traits=(PURE, ISOLATED),
    levels=AT_TENSOR | AT_STRUCTURED | AT_BUFFER,
)
class Scan(Op):
    """A program that is run `length` times, each time on what it gave before.

    The operands are first values of what is carried, sequences, and captures. The
    region takes the number of the step, what is carried, the part of each sequence at
    that number of its leading axis, and the captures. It yields what is carried next,
    and what is stacked: the results are what is carried in the end, and tensors whose
    leading axis has what each step stacks. In `reverse` the numbers go down from
    length - 1 to 0.

    On memory there are no results. The operands are first values, sequences, where what
    is carried goes in the end and a spare for each of these, where is stacked, memory
    for the number of the step, and captures. The region takes the number, what is
    carried, the parts of sequences, where to write what is carried next and this step's
    part of what is stacked, and the captures. With `tc.schedule` all steps are one
    kernel, whose chunks run them for their rows. `stacked_as` says of what is carried
    which part of what is stacked is the same, or -1: the next step reads that.

    Constraints:
      (C1) carried, sliced and stacked are not negative, something is carried or
           stacked, and length is one dimension that is not negative.
      (C2) The operands are as many as these counts need, all tensors or all memory.
      (C3) The leading axis of sequences and of what is stacked is the length.
      (C4) The results are what is carried, then what is stacked; of memory nothing.
      (C5) On memory, what is carried is of one type in all its memory, and the number
           of the step is memref<i64>.
      (C6) On memory, stacked_as has an entry for each that is carried: -1, or the
           number of what is stacked, whose parts are of its type.

    Example:
      %0 = "tc.scan"(%h0, %xs, %w) <{carried = 1 : i64, length = #tc.dims<[3]>, reverse = false, sliced = 1 : i64, stacked = 0 : i64}> ({
      ^bb0(%t: tensor<i64>, %h: tensor<4xf32>, %x: tensor<4xf32>, %w_1: tensor<4xf32>):
        %1 = "tc.mul"(%h, %w_1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
        %2 = "tc.add"(%1, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
        "tc.yield"(%2) : (tensor<4xf32>) -> ()
      }) : (tensor<4xf32>, tensor<3x4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """  # noqa: E501

    values: Values
    carried: int
    sliced: int
    stacked: int
    length: Dims
    reverse: bool
    stacked_as: tuple[int, ...] | None
    body: Region

    @property
    def inits(self) -> list[Value]:
        """The first values of what is carried."""
        return self.operands[: self.carried]

    @property
    def sequences(self) -> list[Value]:
        """What the region takes a part of in each step."""
        return self.operands[self.carried : self.carried + self.sliced]

    @property
    def captures(self) -> list[Value]:
        """What the region takes as it is."""
        return self.operands[self.carried + self.sliced + self._written :]

    @property
    def destinations(self) -> list[Value]:
        """On memory, where what is carried goes in the end."""
        return self._part(0, self.carried)

    @property
    def spares(self) -> list[Value]:
        """On memory, where every other step writes what is carried."""
        return self._part(self.carried, self.carried)

    @property
    def stacks(self) -> list[Value]:
        """On memory, where is stacked."""
        return self._part(2 * self.carried, self.stacked)

    @property
    def number(self) -> Value:
        """On memory, where the number of the step is written."""
        return self._part(2 * self.carried + self.stacked, 1)[0]

    def _part(self, start: int, count: int) -> list[Value]:
        first = self.carried + self.sliced + start
        return self.operands[first : first + count]

    @property
    def _written(self) -> int:
        """How many operands are where to write."""
        if not any(isinstance(v.type, MemRefType) for v in self.operands):
            return 0
        return 2 * self.carried + self.stacked + 1

    @property
    def sources(self) -> list[int]:
        """On memory, where in what is stacked each carried value is then, or -1."""
        return list(self.stacked_as or ())

    @property
    def steps(self) -> Dim:
        """The length."""
        return self.length.dims[0]

    @staticmethod
    def check(
        ctx: InferContext,
        operands: tuple[Type, ...],
        results: tuple[Type, ...],
        *,
        carried: int,
        sliced: int,
        stacked: int,
        length: Dims,
        reverse: bool,
        stacked_as: tuple[int, ...] | None = None,
    ) -> None:
        """Require C1 to C6."""
        counts = carried, sliced, stacked
        fits = min(counts) >= 0 < carried + stacked and len(length.dims) == 1
        require(fits, "C1", "{} and {}", counts, length)
        count = length.dims[0]
        require(not isinstance(count, int) or count >= 0, "C1", "{}", count)
        is_memory = any(isinstance(t, MemRefType) for t in operands)
        needed = carried + sliced + is_memory * (2 * carried + stacked + 1)
        wanted = MemRefType if is_memory else TensorType
        alike = all(isinstance(t, wanted) for t in operands)
        require(alike and len(operands) >= needed, "C2", "{} operands", len(operands))
        inits = operands[:carried]
        if is_memory:
            require(not results, "C4", "{} results", len(results))
            written = operands[carried + sliced : needed]
            given = [*written[: 2 * carried], written[-1]]
            same = given == [*inits, *inits, _NUMBERS[1]]
            require(same, "C5", "{} for {}", given, list(inits))
            stacks = written[2 * carried : -1]
            _require_stacked_as(inits, stacks, stacked_as)
        else:
            require(stacked_as is None, "C6", "tensors")
            require(len(results) == carried + stacked, "C4", "{} results", len(results))
            for init, result in zip(inits, results, strict=False):
                alike = element_type(init) == element_type(result)
                require(alike, "C4", "{} for {}", result, init)
                ctx.require_same_shape(init, result, "C4")
            stacks = results[carried:]
        for type_ in (*operands[carried : carried + sliced], *stacks):
            _require_leading(ctx, type_, count)

    def blocks(self) -> tuple[Body, ...]:
        """Take number, carried, parts and captures; yield carried and stacked parts."""
        inits, captures = value_types(self.inits), value_types(self.captures)
        parts = [part_of(t) for t in value_types(self.sequences)]
        if self._written:
            stacks = [part_of(t) for t in value_types(self.stacks)]
            taken = (_NUMBERS[1], *inits, *parts, *inits, *stacks, *captures)
            return (Body(Yield, taken, ()),)
        stacks = [part_of(t) for t in value_types(self.results[self.carried :])]
        taken = (_NUMBERS[0], *inits, *parts, *captures)
        return (Body(Yield, taken, (*inits, *stacks)),)

    def verify(self, functions: Mapping[str, Op], level: Level | None) -> None:
        """Check that a schedule, with which all steps are one kernel, says what is."""
        schedule_of(self)

    @staticmethod
    def evaluate(
        ctx: StepRunner,
        *operands: Array,
        carried: int,
        sliced: int,
        stacked: int,
        length: Dims,
        reverse: bool,
        stacked_as: tuple[int, ...] | None = None,
    ) -> tuple[Array, ...]:
        """Evaluate by running the region once for each number."""
        numbers = step_numbers(ctx.size(length.dims[0]), reverse)
        inits, rest = operands[:carried], operands[carried:]
        sequences, rest = rest[:sliced], rest[sliced:]
        block = ctx.block(0)
        if not ctx.gives_results():
            given = inits, sequences, rest
            return _on_memory(ctx, numbers, given, stacked, stacked_as or ())
        made = list(inits)
        stacks = ctx.fresh_results()[carried:]
        for number in numbers:
            parts = _parts(sequences, number)
            yielded = ctx.run(block, [number, *made, *parts, *rest])
            made = yielded[:carried]
            for stack, top in zip(stacks, yielded[carried:], strict=True):
                stack[int(number), ...] = top
        return (*made, *stacks)


def _on_memory(
    ctx: StepRunner,
    numbers: Sequence[Array],
    operands: Sequence[Sequence[Array]],
    stacked: int,
    stacked_as: Sequence[int],
) -> tuple[Array, ...]:
    """Run the region on memory: every other step writes the destinations."""
    inits, sequences, rest = operands
    carried = len(inits)
    final, spare, rest = (
        rest[:carried],
        rest[carried : 2 * carried],
        rest[2 * carried :],
    )
    stacks, at, captures = rest[:stacked], rest[stacked], rest[stacked + 1 :]
    block, left, now = ctx.block(0), len(numbers), inits
    for number in numbers:
        left -= 1
        following = spare if left % 2 else final
        at[...] = number
        parts, tops = _parts(sequences, number), _parts(stacks, number)
        pairs = zip(following, stacked_as, strict=True)
        following = [tops[i] if i >= 0 else target for target, i in pairs]
        ctx.run(block, [at, *now, *parts, *following, *tops, *captures])
        now = following
    for target, value in zip(final, now, strict=True):
        target[...] = value
    return ()


def _parts(arrays: Sequence[Array], number: Array) -> list[Array]:
    """Return views of arrays at a number of their leading axes."""
    return [array[int(number), ...] for array in arrays]


# The type of the number of a step: of tensors, and of memory.
_NUMBERS = (TensorType((), I64), MemRefType((), I64))


def _require_stacked_as(
    inits: Sequence[Type], stacks: Sequence[Type], stacked_as: tuple[int, ...] | None
) -> None:
    fits = stacked_as is not None and len(stacked_as) == len(inits)
    require(fits, "C6", "{} for {}", stacked_as, len(inits))
    for init, number in zip(inits, stacked_as or (), strict=True):
        known = -1 <= number < len(stacks)
        same = known and (number < 0 or part_of(stacks[number]) == init)
        require(same, "C6", "{} for {}", number, init)


def _require_leading(ctx: InferContext, type_: Type, length: Dim) -> None:
    assert isinstance(type_, TensorType | MemRefType)
    require(bool(type_.shape), "C3", "{} has no axis", type_)
    first = type_.shape[0]
    if isinstance(type_, TensorType):
        assert first is not None
        require(ctx.unify(first, length), "C3", "{} and {}", type_, length)
    else:
        fits = first is None or not isinstance(length, int) or first == length
        require(fits, "C3", "{} and {}", type_, length)


def part_of(type_: Type) -> Type:
    """Return the type of what one step takes or stacks."""
    if isinstance(type_, MemRefType):
        return MemRefType(type_.shape[1:], type_.element)
    assert isinstance(type_, TensorType)
    return TensorType(type_.shape[1:], type_.element)
