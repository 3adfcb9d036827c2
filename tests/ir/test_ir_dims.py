"""Normal forms of dimensions: equal sizes are equal values, and formulas stay short."""

import itertools

from tensorc.ir.dims import evaluate, maximum, symbol

N = symbol("N")


def test_a_floor_under_a_floor_goes_away() -> None:
    for size, added, taken in itertools.product(range(5), (-2, 0, 1), range(-3, 2)):
        nested = maximum(0, maximum(0, N + added) + taken)
        expected = max(0, max(0, size + added) + taken)
        assert evaluate(nested, {"N": size}) == expected


def test_slices_of_slices_have_short_sizes() -> None:
    size = N
    for _ in range(100):
        size = maximum(0, size - 1)
    assert str(size) == "max(0, N - 100)"
