"""What a sample of an op is, and its types as texts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tensorc.ir.attributes import Attribute, Dims
from tensorc.ir.dims import Dim, symbol
from tensorc.ir.types import ELEMENTS, TensorType


@dataclass(frozen=True)
class Sample:
    """One use of an op: operand types, attributes, and the kind of values."""

    operands: tuple[str, ...]
    attributes: dict[str, Attribute] = field(default_factory=dict)
    values: tuple[str, ...] = ()
    step: float = 1e-6

    def __str__(self) -> str:
        return " ".join(self.operands) or "nothing"


def parse_type(text: str) -> TensorType:
    """Return the type that "f64[B, 3]" says."""
    found = re.fullmatch(r"(\w+)(?:\[(.*)\])?", text)
    assert found is not None
    inner = found[2] or ""
    return TensorType(
        tuple(_dim(d) for d in re.split(r",\s*", inner) if d), ELEMENTS[found[1]]
    )


def _dim(text: str) -> Dim:
    return int(text) if text.isdigit() else symbol(text)


def dims(*given: int | str) -> Dims:
    return Dims(tuple(symbol(d) if isinstance(d, str) else d for d in given))


def one(*operands: str, values: Sequence[str] = (), **attributes: Attribute) -> Sample:
    return Sample(operands, attributes, tuple(values))
