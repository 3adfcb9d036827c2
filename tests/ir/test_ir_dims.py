"""Normal forms of dimensions: equal sizes are equal values, and formulas stay short."""

import itertools

import pytest

from tensorc.abi import dim_expr
from tensorc.artifact import evaluate_dim
from tensorc.frontend.library.indexing import SlicePart, clamp
from tensorc.ir.dims import (
    Constraints,
    Dim,
    bound,
    evaluate,
    floordiv,
    known_at_most,
    maximum,
    minimum,
    substitute,
    symbol,
)
from tensorc.ir.text.dims_parser import parse_dim

N, K = symbol("N"), symbol("$i")


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


PLACES = (K, 3 * K + 1, -K, K - N, 2 * N + K, N - 1, N - 2, N, -2, 0, 3)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_bound_is_where_python_starts_a_slice(place: Dim) -> None:
    made = bound(place, N)
    for size, value in itertools.product(range(6), range(-14, 15)):
        given = {"N": size, "$i": value}
        expected = slice(evaluate(place, given), None).indices(size)[0]
        assert evaluate(made, given) == expected
        # What is decided by the signs is decided the same way once a size is known.
        assert evaluate(substitute(made, {"$i": value}), {"N": size}) == expected
        assert substitute(made, {"$i": value, "N": size}) == expected


def test_a_bound_lies_inside_its_axis() -> None:
    for place in PLACES:
        made = bound(place, N)
        assert known_at_most(0, made)
        if place in (K, 3 * K + 1, -K):
            assert known_at_most(made, N)
            assert known_at_most(0, 2 * N - 2 * made)
            assert maximum(0, N - made) == N - made
    assert not known_at_most(bound(K, N), N - 1)
    # Of an axis whose own size may be negative nothing is known.
    assert not known_at_most(0, bound(K, K))


@pytest.mark.parametrize("step", [1, 2, 3, -1, -2])
def test_slices_are_clamped_as_python_clamps_them(step: int) -> None:
    bounds: list[Dim | None] = [None, K, 2 * K + 1, N - 1, K + N, -2, 2]
    for first, last in itertools.product(bounds, bounds):
        start, length = clamp(SlicePart(first, last, step), N)
        for size, value in itertools.product(range(5), range(-11, 12)):
            given = {"N": size, "$i": value}
            numbers = [None if b is None else evaluate(b, given) for b in (first, last)]
            taken = range(size)[slice(*numbers, step)]
            assert evaluate(length, given) == len(taken)
            if taken:
                assert evaluate(start, given) == taken[0]


def test_only_sizes_are_known_to_be_no_less_than_nothing() -> None:
    assert known_at_most(0, N)
    assert not known_at_most(0, K)
    assert maximum(0, K) != K
    assert minimum(K, K + N) == K


def test_dimensions_with_values_are_read_back() -> None:
    start = bound(20 * K, N)
    length = maximum(0, bound(20 * K + 20, N) - start)
    for dim in (K, start, length, floordiv(length, K), minimum(K, maximum(K - 1, N))):
        assert parse_dim(str(dim)) == dim
    assert str(length) == "max(0, bound(20*$i + 20, N) - bound(20*$i, N))"


def test_the_runtime_reads_bounds_as_the_compiler_does() -> None:
    made = bound(3 * K + 1, N) + floordiv(K, 2)
    for size, value in itertools.product(range(6), range(-9, 9)):
        given = {"N": size, "$i": value}
        assert evaluate_dim(dim_expr(made), given) == evaluate(made, given)


def test_a_value_is_checked_not_bound() -> None:
    constraints = Constraints()
    assert constraints.declare("N") == N  # older, but it does not stay
    assert constraints.declare("$i") == K
    assert constraints.unify(K, N)
    assert constraints.bindings == {"N": K}
    other = Constraints()
    assert other.unify(K, 3)
    assert not other.bindings
    assert [(g.left, g.right) for g in other.guards] == [(K, 3)]
