"""Read affine maps: sums of products of dimensions, symbols and numbers.

    affine_map<(d0, d1)[N] -> (d1, 0, d0 * 2 + N + 1)>

A symbol in quotes is any atom of a formula of sizes, which MLIR has no name for.
"""

import re
from collections.abc import Mapping

from tensorc.ir.attributes import Affine, AffineMap, MapResult, affine
from tensorc.ir.dims import Dim, Poly
from tensorc.ir.text.dims_parser import LARGEST, DimsError, parse_dim
from tensorc.ir.text.lexer import Lexer, quote

MOST_FACTORS = 100  # of one result: arithmetic of formulas is quadratic in them

_DIM_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def read_affine_map(lexer: Lexer) -> AffineMap:
    """Read a map behind its keyword."""
    lexer.expect("<")
    names: dict[str, Affine] = {}
    lexer.expect("(")
    while lexer.kind == "word":
        if lexer.text in names or not _DIM_NAME.fullmatch(lexer.text):
            text = quote(lexer.text)
            lexer.fail("TC0201", f"'{text}' cannot name a dimension")
        names[lexer.text] = Affine(0, ((len(names), 1),))
        lexer.advance()
        if not lexer.accept(","):
            break
    lexer.expect(")")
    dims = len(names)
    if lexer.accept("["):
        _read_symbols(lexer, names)
    lexer.expect("->")
    lexer.expect("(")
    results: list[MapResult] = []
    while lexer.kind != ")":
        results.append(_Sum(lexer, names).read())
        if not lexer.accept(","):
            break
    lexer.expect(")")
    lexer.expect(">")
    return AffineMap(dims, tuple(results))


def _read_symbols(lexer: Lexer, names: dict[str, Affine]) -> None:
    while lexer.kind in ("word", "string"):
        name = lexer.text
        if name in names:
            lexer.fail("TC0201", f"'{quote(name)}' stands twice")
        text = lexer.unescape(name[1:-1]) if lexer.kind == "string" else name
        try:
            names[name] = Affine(parse_dim(text))
        except DimsError as error:
            lexer.fail("TC0208", f"{quote(name)}: {error}")
        lexer.advance()
        if not lexer.accept(","):
            break
    lexer.expect("]")


class _Sum:
    """Reads one result of a map."""

    def __init__(self, lexer: Lexer, names: Mapping[str, Affine]) -> None:
        self.lexer = lexer
        self.names = names
        self.factors = 0

    def read(self) -> MapResult:
        """Read products with + and - between; a dimension alone is plain."""
        lexer = self.lexer
        start = lexer.here()
        constant: Dim = 0
        terms: list[tuple[int, int]] = []
        signed = lexer.accept("-")
        sign = -1 if signed else 1
        while True:
            part = self._product()
            constant = constant + part.constant * sign
            terms += [(dim, factor * sign) for dim, factor in part.terms]
            # `d0 -1` is a difference: the sign is part of the number.
            if lexer.kind == "int" and lexer.text.startswith("-"):
                sign = 1
            elif lexer.kind in ("+", "-"):
                sign = -1 if lexer.advance() == "-" else 1
            else:
                break
        if self.factors == 1 and not signed and constant == 0 and terms:
            return terms[0][0]
        result = affine(constant, terms)
        numbers = [factor for _, factor in result.terms] if result else []
        if isinstance(constant, Poly):
            numbers += [factor for _, factor in constant.terms]
        else:
            numbers.append(constant)
        if any(not -LARGEST <= n <= LARGEST for n in numbers):
            lexer.fail("TC0206", "a number of a map is too large", start)
        return result

    def _product(self) -> Affine:
        result = self._factor()
        while self.lexer.accept("*"):
            other = self._factor()
            if other.terms:
                result, other = other, result
            by = other.constant
            terms: list[tuple[int, int]] = []
            if other.terms or result.terms:
                if other.terms or not isinstance(by, int):
                    message = "a dimension is multiplied by more than a number"
                    self.lexer.fail("TC0210", message)
                terms = [(dim, factor * by) for dim, factor in result.terms]
            result = Affine(result.constant * by, tuple(terms))
        return result

    def _factor(self) -> Affine:
        lexer = self.lexer
        self.factors += 1
        if self.factors > MOST_FACTORS:
            message = f"a result of a map has more than {MOST_FACTORS} factors"
            lexer.fail("TC0206", message)
        if lexer.kind == "int":
            return Affine(lexer.integer(-LARGEST, LARGEST, "a number"))
        if lexer.text not in self.names:
            if lexer.kind not in ("word", "string"):
                lexer.expected("a dimension, a symbol or a number")
            message = f"'{quote(lexer.text)}' is neither a dimension nor a symbol"
            lexer.fail("TC0210", message)
        return self.names[lexer.advance()]
