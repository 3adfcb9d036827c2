"""How a kernel runs, as attributes that print and parse back: `tc.schedule`.

A group, and a contraction in it, have a dictionary of what the pass `schedule` chose;
what is absent is not used. Formulas are dimensions of the function, rows those of the
group's outer space:

| key | what it says |
|---|---|
| rows | rows of a chunk; without it there is one chunk |
| columns | columns of a chunk, where columns are shared out, too |
| kept | kept elements of a chunk, of a reduction down the rows |
| split | terms of a chunk: full reductions, dots, weight gradients; 1024 x 2^j |
| block | rows that all stages work on before the next ones |
| tile | rows and columns of a contraction's tile in registers |
| panel | the width of the strips that its right side is copied to, before it runs |
| packed | 1 if that is done, else 0; without it, it always is |
| along | "rows" where its vectors run along the rows of the result |

A member has the number of its stage (`tc.stage`) and, for each of its results, where
it lies (`tc.place`): in registers, in memory for one row or for a block of rows of the
worker, or in memory of its own. Such memory is "stream" where nothing here reads it
soon: if it is large, it is written past the caches.
"""

from dataclasses import dataclass, fields

from tensorc.ir.attributes import ArrayAttr, Attribute, Dict, Dims, make_dict
from tensorc.ir.core import Op
from tensorc.ir.dims import Atom, Compound, Dim, Poly, known_at_most
from tensorc.ir.invariants import fail
from tensorc.ir.numerics import BLOCK as SUMMED

SCHEDULE = "tc.schedule"
STAGE = "tc.stage"
PLACE = "tc.place"
REGISTER, ROW, BLOCK, MEMORY, STREAM = PLACES = (
    "register",
    "row",
    "block",
    "memory",
    "stream",
)

_FORMULAS = ("rows", "columns", "kept", "block", "packed")
_MOST = 1 << 30  # elements of a chunk
_MOST_TILE = (64, 1024)  # its code has lines for each row and vector


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is chosen for a group, or for a contraction in one; see the module."""

    rows: Dim | None = None
    columns: Dim | None = None
    kept: Dim | None = None
    split: int | None = None
    block: Dim | None = None
    tile: tuple[int, int] | None = None
    panel: int | None = None
    packed: Dim | None = None
    along: str | None = None

    def attribute(self) -> Dict:
        """Return the dictionary that says so."""
        entries: dict[str, Attribute] = {}
        for key in (f.name for f in fields(self)):
            value = getattr(self, key)
            if value is not None:
                entries[key] = Dims((value,)) if key in _FORMULAS else value
        return make_dict(**entries)

    def sizes(self) -> list[Dim]:
        """Return the formulas that code has to compute."""
        return [v for key in _FORMULAS if (v := getattr(self, key)) is not None]


def schedule_of(op: Op) -> Schedule | None:
    """Return the schedule of a group or of a contraction, or None if it has none.

    Raises:
        VerifyError: the attribute says what no schedule says.
    """
    given = op.attributes.get(SCHEDULE)
    if given is None:
        return None
    if not isinstance(given, Dict):
        fail(op, f"attribute '{SCHEDULE}' is a dictionary")
    found: dict[str, object] = {}
    for key, attribute in given.items:
        value: object = attribute
        if isinstance(attribute, Dims):
            value = attribute.dims[0] if len(attribute.dims) == 1 else None
        if not _fits(key, value):
            fail(op, f"attribute '{SCHEDULE}' says '{key:.40}' in no known form")
        found[key] = value
    if not _is_part(found.get("split", SUMMED)):
        fail(op, f"attribute '{SCHEDULE}': a split is of 1024 x 2^j elements")
    if "panel" in found and found["panel"] != found.get("tile", (0, 0))[1]:  # type: ignore[index]
        fail(op, f"attribute '{SCHEDULE}': a panel is as wide as the tile")
    return Schedule(**found)  # type: ignore[arg-type]


def _fits(key: str, value: object) -> bool:
    """Return whether a key is known, and its value of its form: formulas are positive.

    What may be left out is a choice between 0 and 1.
    """
    if key == "packed":
        return isinstance(value, Poly) and _is_zero_or_one(value)
    if key in _FORMULAS:
        return isinstance(value, int | Poly) and _at_least_one(value)
    if key == "along":
        return value == "rows"
    if key == "tile":
        pair = isinstance(value, tuple) and len(value) == 2
        limits = zip(value, _MOST_TILE, strict=True) if pair else ()  # type: ignore[call-overload]
        return pair and all(0 < n <= most for n, most in limits)
    known = key in ("split", "panel")
    return known and type(value) is int and 0 < value <= _MOST


def _is_part(size: object) -> bool:
    """Return whether parts of so many elements are subtrees of a sum: 1024 x 2^j."""
    return isinstance(size, int) and size % SUMMED == 0 and size.bit_count() == 1


def _at_least_one(dim: Dim) -> bool:
    """Return whether a formula is no 0 for any sizes: `max(1, …)`, a sum with it."""
    if isinstance(dim, int):
        return dim > 0
    rest = (p for p in (Poly((term,)) for term in dim.terms) if not _is_positive(p))
    return any(map(_is_positive, (Poly((t,)) for t in dim.terms))) and all(
        known_at_most(0, p) for p in rest
    )


def _is_zero_or_one(dim: Dim) -> bool:
    return known_at_most(0, dim) and _is_at_most_one(dim)


def _is_at_most_one(dim: Dim) -> bool:
    if isinstance(dim, int):
        return dim <= 1
    match dim.terms:
        case (((Compound("min" | "max" as kind, left, right),), 1),):
            sides = _is_at_most_one(left), _is_at_most_one(right)
            return any(sides) if kind == "min" else all(sides)
    return False


def _is_positive(term: Poly) -> bool:
    ((atoms, factor),) = term.terms
    return factor > 0 and all(map(_is_positive_atom, atoms))


def _is_positive_atom(atom: Atom) -> bool:
    if not isinstance(atom, Compound):
        return False
    sides = (_at_least_one(atom.left), _at_least_one(atom.right))
    return any(sides) if atom.kind == "max" else atom.kind == "min" and all(sides)


def places_of(op: Op) -> tuple[str, ...]:
    """Return where each result of a group's member lies; none if nothing says so.

    Raises:
        VerifyError: the attribute names no places.
    """
    given = op.attributes.get(PLACE)
    if given is None:
        return ()
    items = given.items if isinstance(given, ArrayAttr) else (None,)
    if not all(item in PLACES for item in items):
        fail(op, f"attribute '{PLACE}' is a list of {', '.join(PLACES)}")
    return tuple(str(item) for item in items)


def stage_of(op: Op) -> int:
    """Return the number of a member's stage, 0 if nothing says it.

    Raises:
        VerifyError: the attribute is no number.
    """
    number = op.attributes.get(STAGE, 0)
    if type(number) is not int or number < 0:
        fail(op, f"attribute '{STAGE}' is a number from 0")
    return number
