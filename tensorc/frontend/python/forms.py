"""Compiled forms, found by what they depend on: a key, then facts one after the other.

What a trace asks first depends on the key alone, what it asks next on the answer
before: so forms are the leaves of a tree, and a call that answers a question as no call
did is one to compile for.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tensorc.frontend.python.facts import Answered, Fact, KnownSizes

F = TypeVar("F")


@dataclass
class _Node(Generic[F]):
    """A question and what follows each answer, or without a question a form."""

    fact: Fact | None = None
    after: "dict[object, _Node[F]]" = field(default_factory=dict)
    form: F | None = None


@dataclass(frozen=True, slots=True)
class Found(Generic[F]):
    """The form of a call; without one the fact that differs, and how it does."""

    form: F | None
    reason: str = ""
    fact: Fact | None = None


class Forms(Generic[F]):
    """Forms by keys and answers."""

    def __init__(self) -> None:
        self._roots: dict[Hashable, _Node[F]] = {}
        self._paths: dict[tuple[Hashable, tuple[Answered, ...]], F] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[F]:
        """Iterate over the forms in the order in which they were made."""
        return iter(list(self._paths.values()))

    def find(self, key: Hashable, read: Callable[[], KnownSizes]) -> Found[F]:
        """Return the form of a call; `read` reads its sizes and numbers if need be."""
        node = self._roots.get(key)
        given: KnownSizes | None = None
        while node is not None and node.fact is not None:
            given = given or read()
            answer = node.fact.answer(given)
            after = node.after.get(answer)
            if after is None and node.after:
                # Of the answers before the last, which is what the user remembers.
                before = next(reversed(node.after))
                was = node.fact.spell(before).removeprefix(f"{node.fact} is ")
                reason = f"{node.fact.spell(answer)}, was {was}"
                return Found(None, reason, node.fact)
            node = after
        return Found(None if node is None else node.form)

    def add(self, key: Hashable, answered: Sequence[Answered], form: F) -> None:
        """Keep the form of a call that answered so.

        A function that asks another question than before, though all was answered
        alike, loses the forms below: it depends on what no call says.
        """
        node = self._roots.setdefault(key, _Node())
        for fact, answer in answered:
            if node.fact != fact:
                self._forget(node)
                node.fact = fact
            node = node.after.setdefault(answer, _Node())
        self._forget(node)
        node.form = form
        self._paths[key, tuple(answered)] = form

    def forget_oldest(self) -> None:
        """Forget the form that was made first."""
        key, answered = next(iter(self._paths))
        del self._paths[key, answered]
        steps = [self._roots[key]]
        for _, answer in answered:
            steps.append(steps[-1].after[answer])
        steps[-1].form = None
        for (_, answer), node in zip(answered[::-1], steps[-2::-1], strict=True):
            if node.after[answer].after:
                return
            del node.after[answer]
        if not steps[0].after:
            del self._roots[key]

    def _forget(self, node: _Node[F]) -> None:
        if node.fact is None and node.form is None:
            return
        lost = {id(form) for form in _forms_below(node)}
        self._paths = {p: f for p, f in self._paths.items() if id(f) not in lost}
        node.fact, node.form = None, None
        node.after.clear()


def _forms_below(node: _Node[F]) -> Iterator[F]:
    stack = [node]
    while stack:
        top = stack.pop()
        if top.form is not None:
            yield top.form
        stack += top.after.values()


def way_out(reason: str, fact: Fact | None) -> str:
    """Return how to have fewer forms, from what made the last one differ."""
    if fact is not None and fact.numbers:
        names = ", ".join(fact.numbers)
        return (
            f"each value of {names} that Python needs is a program of its own: "
            "formulas and sizes take any (x * n, tc.zeros(n), np.where)"
        )
    if fact is not None:
        return (
            "each size that Python needs is a program of its own: tc.zeros(x.shape), "
            "tc.arange(x.shape[0]) and their like stay symbolic"
        )
    if "static argument" in reason:
        return "each static value is a program of its own: pass it as an argument"
    if ": structure" in reason:
        return "each structure is a program of its own: stack its arrays into one"
    if "the shared variable" in reason:
        return "each shared variable is compiled in: pass its value, W.get_value()"
    return "give the argument one type: x.astype(…), or annotate it, x: tc.f32[...]"
