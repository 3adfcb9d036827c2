"""What users hold of compiled code, and may not use in a traced function.

There it would run once, while the function is traced, and not in each call.
"""

from tensorc.frontend.library.mistakes import calling, door, refuse_in_trace
from tensorc.runtime.arrays import Array
from tensorc.runtime.function import CompiledFunction, Results
from tensorc.runtime.shared import SharedCell


class Called(CompiledFunction):
    """A compiled function as Python calls it: its errors name the caller's line."""

    @calling
    def __call__(self, *inputs: object, **named: object) -> Results:
        """Call the function; see `CompiledFunction`. TypeError in a traced function."""
        return super().__call__(*inputs, **named)


class Cell(SharedCell):
    """A param or state as `program.shared` gives it."""

    __slots__ = ()

    @door
    def get_value(self, borrow: bool = False) -> Array:
        """Return the value; see `Shared`. TypeError in a traced function."""
        hint = f"write `program.{self.name}`, which is read at each call"
        refuse_in_trace(f"the value of {self!r} would be read", hint)
        return super().get_value(borrow)

    @door
    def set_value(self, value: object) -> None:
        """Replace the value; see `Shared`. TypeError in a traced function."""
        hint = f"write `tc.update(program.{self.name}, …)` in a @tc.step"
        refuse_in_trace(f"{self!r} would be set", hint)
        super().set_value(value)
