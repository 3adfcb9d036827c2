"""Pairs of old and new, as `updates`, `givens` and `swap` take them."""

from collections.abc import Iterable, Iterator, Mapping

from tensorc.frontend.library.mistakes import usage_error
from tensorc.frontend.python.grouping.groups import Group, partners
from tensorc.frontend.python.symbolic_operands import describe, is_symbolic


def pairs_of(given: object, what: str, example: str) -> list[tuple[object, object]]:
    """Return a list of pairs, or a dictionary, as pairs; `example` shows its form."""
    if given is None:
        return []
    items = given.items() if isinstance(given, Mapping) else given
    if not isinstance(items, Iterable) or is_symbolic(items):
        message = (
            f"{what} must be a list of pairs or a dictionary, got {describe(given)}"
        )
        raise usage_error(message, f"write {example}")
    pairs: list[tuple[object, object]] = []
    for item in items:
        if not isinstance(item, list | tuple) or len(item) != 2:
            message = f"{what} holds pairs, got {describe(item)}"
            raise usage_error(message, f"write {example}")
        pairs.append((item[0], item[1]))
    return pairs


def members_of(
    pairs: Iterable[tuple[object, object]],
) -> Iterator[tuple[object, object]]:
    """Yield the pairs, those of groups member by member."""
    for old, new in pairs:
        if isinstance(old, Group):
            yield from partners(old, new, "updates")
        else:
            yield old, new
