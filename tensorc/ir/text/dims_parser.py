"""Read dimensions from text: sums of products of names and functions of two.

    2*n + 1        floordiv(B + 3, 4)*H        min(n, 10)        bound(20*$i, n)

The result is in normal form, whatever the order of the text.
"""

import re

from tensorc.ir.dims import COMPOUNDS, Dim, Poly, compound, symbol

LONGEST = 4000  # characters: the arithmetic is quadratic in them
NESTING = 32
LARGEST = (1 << 63) - 1

_TOKEN = re.compile(r" *+(?:(\d++)|([A-Za-z_$][\w.$']*+)|([-+*(),]))", re.ASCII)


class DimsError(Exception):
    """The text is no dimension; says why."""


def parse_dim(text: str) -> Dim:
    """Return the dimension that a text means."""
    if len(text) > LONGEST:
        raise DimsError(f"a dimension is longer than {LONGEST} characters")
    reader = _Reader(text)
    result = reader.sum()
    if reader.token:
        raise DimsError(f"unexpected '{reader.token}'")
    return result


class _Reader:
    """Stands on one token of the text; "" at the end."""

    def __init__(self, text: str) -> None:
        self.text = text.rstrip(" ")
        self.end = 0
        self.depth = 0
        self.token = ""
        self.advance()

    def advance(self) -> str:
        left = self.token
        if self.end == len(self.text):
            self.token = ""
            return left
        match = _TOKEN.match(self.text, self.end)
        if match is None:
            raise DimsError("not a name, number or operator of dimensions")
        self.token, self.end = match.group().lstrip(" "), match.end()
        return left

    def expect(self, token: str) -> None:
        if self.token != token:
            raise DimsError(f"expected '{token}', got '{self.token}'")
        self.advance()

    def sum(self) -> Dim:
        """Read products with + and - between."""
        sign = -1 if self.token == "-" else 1
        if sign < 0:
            self.advance()
        total = self.product() * sign
        while self.token in ("+", "-"):
            sign = -1 if self.advance() == "-" else 1
            total = total + self.product() * sign
        _require_small(total)
        return total

    def product(self) -> Dim:
        """Read factors with * between."""
        result = self.factor()
        while self.token == "*":
            self.advance()
            result = result * self.factor()
            _require_small(result)
        return result

    def factor(self) -> Dim:
        """Read a number, a name, or a function of two dimensions."""
        token = self.advance()
        if token.isdigit():
            if len(token) > len(str(LARGEST)):
                raise DimsError("a number is too large")
            return int(token)
        if not token or token in "-+*(),":
            raise DimsError(f"expected a name or a number, got '{token}'")
        if self.token != "(":
            return symbol(token)
        return self.function(token)

    def function(self, kind: str) -> Dim:
        """Read the two arguments of floordiv, min, max or bound."""
        if kind not in COMPOUNDS:
            raise DimsError("only floordiv, min, max and bound have arguments")
        self.depth += 1
        if self.depth > NESTING:
            raise DimsError(f"nested more than {NESTING} deep")
        self.expect("(")
        left = self.sum()
        self.expect(",")
        right = self.sum()
        self.expect(")")
        self.depth -= 1
        if kind == "floordiv" and right == 0:
            raise DimsError("division by zero")
        return compound(kind, left, right)


def _require_small(dim: Dim) -> None:
    """Refuse numbers that compiled code could not hold."""
    factors = [n for _, n in dim.terms] if isinstance(dim, Poly) else [dim]
    if any(not -LARGEST <= n <= LARGEST for n in factors):
        raise DimsError("a number is too large")
