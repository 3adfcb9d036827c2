"""What Python asks of values, which variables lack: errors with a way out."""

from collections.abc import Iterator
from typing import NoReturn

from tensorc.frontend.operands import Array
from tensorc.frontend.places import door, usage_error
from tensorc.frontend.symbolic_operands import DOOR


class WithoutValue:
    """A variable: its truth, length, elements and numbers are not known yet."""

    __slots__ = ()

    @door
    def __bool__(self) -> bool:
        message = f"{self!r} has no value yet, so it is neither true nor false"
        hint = "choose elementwise: tc.where(condition, x, y); `x is y` asks for one "
        hint += "and the same variable"
        if DOOR.get().tracing:
            hint += "; what is static may decide: jit(f, static=('n',))"
        raise usage_error(message, hint)

    @door
    def __iter__(self) -> Iterator[object]:
        message = f"{self!r} cannot be iterated over: its length is known at the call"
        raise usage_error(message, "index it, x[0], or work on whole axes")

    @door
    def __len__(self) -> int:
        message = f"{self!r} has no length yet"
        raise usage_error(message, "its first size is x.shape[0], a variable")

    @door
    def __setitem__(self, index: object, value: object) -> None:
        message = f"{self!r} cannot be changed in place"
        hint = "make a new variable: `x = x.at[i].set(v)`, or .add(v) for `x[i] += v`"
        raise usage_error(message, hint)

    def _no_value(self, *_: object) -> NoReturn:
        message = f"{self!r} has no value yet"
        hint = "compile it, tc.function([…], x), or evaluate it: x.eval({…})"
        if tracing := DOOR.get().tracing:
            message += f" while {tracing} is traced, once for all values"
            hint = "stay with variables: np.where(c, x, y), x.astype('int64'); "
            hint += "or make the argument static: jit(f, static=('n',))"
        raise usage_error(message, hint)

    @door
    def __float__(self) -> float:
        self._no_value()

    @door
    def __int__(self) -> int:
        self._no_value()

    @door
    def __index__(self) -> int:
        self._no_value()

    @door
    def __array__(self, *args: object, **options: object) -> Array:
        self._no_value()
