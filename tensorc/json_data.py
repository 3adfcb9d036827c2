"""Data of a known form out of JSON: whatever is not of it is a ValueError.

What the cache holds is read by these alone, so that hostile bytes give nothing else.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from tensorc.errors import Location

T = TypeVar("T")


def write_record(version: int, record: Mapping[str, object], rest: bytes) -> bytes:
    """Return the size of a header (8 bytes, little-endian), the header, the rest.

    The header is the record with its version.
    """
    data = {**record, "version": version}
    header = json.dumps(data, separators=(",", ":"), sort_keys=True).encode()
    return len(header).to_bytes(8, "little") + header + rest


def read_record(
    content: bytes, version: int, names: Sequence[str]
) -> tuple[dict[str, object], bytes]:
    """Return the record, which has these names and the version, and the rest.

    Raises ValueError for what `write_record` did not make of such a record.
    """
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 + size:
        raise ValueError("it is cut off")
    try:
        data = json.loads(content[8 : 8 + size], parse_constant=_refuse)
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    record = fields(data, (*names, "version"))
    if record["version"] != version:
        raise ValueError(f"it has the form {record['version']!r:.40}, not {version}")
    return record, content[8 + size :]


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} in its header")


def fields(data: object, names: Sequence[str]) -> dict[str, object]:
    """Return a record that has these names and no others."""
    if not isinstance(data, dict) or sorted(data) != sorted(names):
        raise ValueError(f"a record of {', '.join(names)} is missing")
    return data


def items(data: object, item: Callable[[object], T]) -> tuple[T, ...]:
    """Return what `item` makes of the members of a list."""
    if not isinstance(data, list):
        raise ValueError(f"a list is expected, not {data!r:.40}")
    return tuple([item(d) for d in data])


def row(data: object, count: int) -> list[object]:
    """Return a list of so many members."""
    if not isinstance(data, list) or len(data) != count:
        raise ValueError(f"a list of {count} is expected, not {data!r:.40}")
    return data


def location_data(at: Location) -> list[object]:
    """Return a location as JSON."""
    return [at.file, at.line, at.column, at.end_line, at.end_column]


def location_of(data: object) -> Location:
    """Return the location that `location_data` wrote."""
    file, *numbers = row(data, 5)
    return Location(text(file), *[integer(n) for n in numbers])


def text(data: object) -> str:
    """Return a text."""
    if not isinstance(data, str):
        raise ValueError(f"a text is expected, not {data!r:.40}")
    return data


def truth(data: object) -> bool:
    """Return true or false."""
    if not isinstance(data, bool):
        raise ValueError(f"true or false is expected, not {data!r:.40}")
    return data


def integer(data: object) -> int:
    """Return an integer."""
    if not isinstance(data, int) or isinstance(data, bool):
        raise ValueError(f"an integer is expected, not {data!r:.40}")
    return data
