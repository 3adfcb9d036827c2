"""Many formulas of sizes computed at once, each part of them once.

A call whose sizes are new computes dozens of formulas that share most of their parts;
where a slice depends on a number, every minibatch of the first epoch is such a call.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tensorc.artifact import OPERATORS, SIZE_LIMIT, DimExpr

FormulaStep = tuple[Callable[[int, int], int], int, int]


@dataclass(frozen=True, slots=True)
class Formulas:
    """Steps that compute formulas: symbols, then numbers, then a value per step."""

    numbers: tuple[int, ...]
    steps: tuple[FormulaStep, ...]
    results: tuple[int, ...]

    def evaluate(self, symbols: Sequence[int]) -> Iterator[int]:
        """Return an iterator over the values of the formulas, for these symbols.

        Raises:
            ZeroDivisionError: one divides by a size of 0.
            OverflowError: one, or a part of one, is beyond `SIZE_LIMIT`.
        """
        values = [*symbols, *self.numbers]
        for value in values:
            _require_small(value)
        for function, left, right in self.steps:
            value = function(values[left], values[right])
            if not -SIZE_LIMIT < value < SIZE_LIMIT:
                _require_small(value)
            values.append(value)
        return iter([values[i] for i in self.results])


def _require_small(value: int) -> None:
    if not -SIZE_LIMIT < value < SIZE_LIMIT:
        raise OverflowError(f"{value} does not fit 64 bits")


def make_formulas(formulas: Sequence[DimExpr], symbols: Sequence[str]) -> Formulas:
    """Return how to compute formulas from the values of symbols."""
    parts: dict[DimExpr, None] = {}
    for formula in formulas:
        _collect(formula, parts)
    numbers = [p for p in parts if isinstance(p, int)]
    slots: dict[DimExpr, int] = {}
    given: list[DimExpr] = [*symbols, *numbers]
    for part in given:
        slots[part] = len(slots)
    steps: list[FormulaStep] = []
    for part in parts:
        if isinstance(part, tuple):
            operator, left, right = part
            slots[part] = len(slots)
            steps.append((OPERATORS[operator], slots[left], slots[right]))
    return Formulas(tuple(numbers), tuple(steps), tuple([slots[f] for f in formulas]))


def _collect(formula: DimExpr, parts: dict[DimExpr, None]) -> None:
    """Add a formula and its parts, each after its own parts."""
    chain: list[tuple[str, DimExpr, DimExpr]] = []
    while isinstance(formula, tuple) and formula not in parts:
        chain.append(formula)
        formula = formula[1]  # sums lean to the left: no recursion for their length
    parts.setdefault(formula)
    for part in reversed(chain):
        _collect(part[2], parts)
        parts[part] = None
