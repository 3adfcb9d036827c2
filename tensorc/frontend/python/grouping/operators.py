"""Python's operators, of variables and of groups of them: each is a map by its name."""

from typing import Generic, TypeVar

from tensorc.frontend.library.mistakes import hiding_methods

Result = TypeVar("Result")


@hiding_methods
class Operators(Generic[Result]):
    """The operators of a class whose `_operate` knows them by the names of `MAPS`.

    `==` compares elements; `x == None`, which old scripts ask, is false.
    """

    __slots__ = ()

    def _operate(self, name: str, *operands: object) -> Result:
        """Return the map of that name of these operands, of which one is `self`."""
        raise NotImplementedError

    def __add__(self, other: object) -> Result:
        return self._operate("add", self, other)

    def __radd__(self, other: object) -> Result:
        return self._operate("add", other, self)

    def __sub__(self, other: object) -> Result:
        return self._operate("sub", self, other)

    def __rsub__(self, other: object) -> Result:
        return self._operate("sub", other, self)

    def __mul__(self, other: object) -> Result:
        return self._operate("mul", self, other)

    def __rmul__(self, other: object) -> Result:
        return self._operate("mul", other, self)

    def __truediv__(self, other: object) -> Result:
        return self._operate("div", self, other)

    def __rtruediv__(self, other: object) -> Result:
        return self._operate("div", other, self)

    def __floordiv__(self, other: object) -> Result:
        return self._operate("floordiv", self, other)

    def __rfloordiv__(self, other: object) -> Result:
        return self._operate("floordiv", other, self)

    def __mod__(self, other: object) -> Result:
        return self._operate("mod", self, other)

    def __rmod__(self, other: object) -> Result:
        return self._operate("mod", other, self)

    def __pow__(self, other: object) -> Result:
        return self._operate("pow", self, other)

    def __rpow__(self, other: object) -> Result:
        return self._operate("pow", other, self)

    def __and__(self, other: object) -> Result:
        return self._operate("bitwise_and", self, other)

    def __rand__(self, other: object) -> Result:
        return self._operate("bitwise_and", other, self)

    def __or__(self, other: object) -> Result:
        return self._operate("bitwise_or", self, other)

    def __ror__(self, other: object) -> Result:
        return self._operate("bitwise_or", other, self)

    def __xor__(self, other: object) -> Result:
        return self._operate("bitwise_xor", self, other)

    def __rxor__(self, other: object) -> Result:
        return self._operate("bitwise_xor", other, self)

    def __lshift__(self, other: object) -> Result:
        return self._operate("left_shift", self, other)

    def __rlshift__(self, other: object) -> Result:
        return self._operate("left_shift", other, self)

    def __rshift__(self, other: object) -> Result:
        return self._operate("right_shift", self, other)

    def __rrshift__(self, other: object) -> Result:
        return self._operate("right_shift", other, self)

    def __neg__(self) -> Result:
        return self._operate("neg", self)

    def __abs__(self) -> Result:
        return self._operate("abs", self)

    def __invert__(self) -> Result:
        return self._operate("invert", self)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Result:  # type: ignore[override]
        if other is None:
            return False  # type: ignore[return-value]
        return self._operate("eq", self, other)

    def __ne__(self, other: object) -> Result:  # type: ignore[override]
        if other is None:
            return True  # type: ignore[return-value]
        return self._operate("ne", self, other)

    def __lt__(self, other: object) -> Result:
        return self._operate("lt", self, other)

    def __le__(self, other: object) -> Result:
        return self._operate("le", self, other)

    def __gt__(self, other: object) -> Result:
        return self._operate("gt", self, other)

    def __ge__(self, other: object) -> Result:
        return self._operate("ge", self, other)
