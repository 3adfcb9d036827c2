"""Other memory for a function: `f.copy(swap={old: new})`, in Theano's words."""

from collections.abc import Iterable
from dataclasses import replace

from tensorc.errors import Diagnostic, DTypeError, ShapeError
from tensorc.frontend.library.locations import user_location
from tensorc.frontend.library.mistakes import argument_error, usage_error
from tensorc.frontend.library.operands import spell_type
from tensorc.frontend.python.graph.plan import EmissionPlan
from tensorc.frontend.python.symbolic_operands import describe
from tensorc.frontend.python.symbolic_variables import Shared

_EXAMPLE = "f.copy(swap={W: other_W})"


def swapped(plan: EmissionPlan, pairs: Iterable[tuple[object, object]]) -> EmissionPlan:
    """Return a plan in which shared variables stand for others, all at once.

    Raises:
        TypeError: what is swapped is no shared variable, or has another element type.
        ValueError: the function lacks the old one, has the new one already, or the
            shapes differ.
    """
    memory = list(plan.memory)
    indices = {leaf.cell: i for i, leaf in enumerate(memory)}
    found: set[int] = set()
    for old, new in pairs:
        for variable in (old, new):
            if not isinstance(variable, Shared):
                message = "swap takes shared variables, old and new, got "
                raise usage_error(message + describe(variable), f"write {_EXAMPLE}")
        assert isinstance(old, Shared)
        assert isinstance(new, Shared)
        index = indices.get(old.cell)
        if index is None:
            known = ", ".join(leaf.hint or "one without a name" for leaf in memory)
            hint = f"it has {known}" if known else "it has none"
            raise argument_error(f"{plan.name} has no shared variable {old!r}", hint)
        if index in found:
            raise argument_error(f"{old!r} is swapped twice")
        found.add(index)
        _check_fit(old, new)
        memory[index] = new.leaf
    cells = [leaf.cell for leaf in memory]
    for leaf in memory:
        if cells.count(leaf.cell) > 1:
            name = leaf.hint or "a variable"
            message = f"{name} would stand for two shared variables of {plan.name}"
            raise argument_error(message, "each has a memory of its own")
    return replace(plan, swapped=dict(zip(plan.shared, memory, strict=True)))


def _check_fit(old: Shared, new: Shared) -> None:
    was, given = old.type, new.type
    message = f"{new!r} cannot stand for {old!r}: it is {spell_type(given)}, "
    message += f"not {spell_type(was)}"
    location = user_location()
    if given.element != was.element:
        raise DTypeError(Diagnostic("TC0302", message, location))
    if given.shape != was.shape:
        raise ShapeError(Diagnostic("TC0301", message, location))
