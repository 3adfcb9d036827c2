"""A measurement beside an earlier one, read from its JSON."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from tensorc.api.benching.result import FORMAT, Bench, subject_of
from tensorc.errors import Diagnostic, TensorcError
from tensorc.json_data import items, text
from tensorc.tables import Table, spell_seconds, text_of

# By this kernels are known again: where they come from, what they compute, and which
# of those that are alike in both it is.
_Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Old:
    """What an earlier measurement found: seconds of a call, and of kernels.

    `subject` is the function with its sizes, and `path` the file that says so.
    """

    path: str
    subject: str
    seconds: float
    kernels: dict[_Key, float]


def compare(found: Bench, old: Old) -> str:
    """Return what has changed since an earlier measurement."""
    new = _keyed([(k.source, k.computes, k.seconds) for k in found.kernels])
    numbers = dict(zip(new, [k.number for k in found.kernels], strict=True))
    kernels = _of_a_copy(old.kernels, new)
    rows = [["", "now", "before", "ratio", "source", "computes"]]
    for key in [*new, *[k for k in kernels if k not in new]]:
        times = new.get(key), kernels.get(key)
        rows.append([numbers.get(key, "gone"), *_spelled(*times), *key[:2]])
    rows.append([found.unit, *_spelled(found.seconds, old.seconds), "", ""])
    table = Table("kernels, and all", rows, (), frozenset({1, 2, 3}))
    title = f"{found.name}, beside {old.path}"
    if old.subject != found.subject:
        title = f"{found.subject}, beside {old.path}, which measured {old.subject}"
    return text_of(title, [table]) + "\n"


def read_old(path: str | PathLike[str]) -> Old:
    """Return what an earlier measurement found.

    Raises:
        TensorcError: the file is not there, or holds no such result (TC0401).
    """
    name = fspath(path)
    try:
        return _old(name, json.loads(Path(name).read_text("utf-8")))
    except OSError as error:
        wrong = str(error.strerror or error)
    except (ValueError, RecursionError) as error:
        wrong = f"no result of `tensorc bench --json`: {error!s:.80}"
    raise TensorcError(Diagnostic("TC0401", f"{name}: {wrong}"))


def _old(path: str, data: object) -> Old:
    """Return what the JSON holds; a ValueError for what is not of its form."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")

    def kernel(given: object) -> tuple[str, str, float]:
        if not isinstance(given, dict):
            raise ValueError("a kernel is a record")
        source, computes = text(given.get("source")), text(given.get("computes"))
        return source, computes, _seconds(given.get("seconds"))

    kernels = _keyed(items(data.get("kernels"), kernel))
    sizes = data.get("sizes")
    if not isinstance(sizes, dict):
        raise ValueError("sizes are a record")
    subject = subject_of(text(data.get("name")), sizes)
    return Old(path, subject, _seconds(data.get("seconds")), kernels)


def _seconds(data: object) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise ValueError(f"seconds are a number, not {data!r:.40}")
    if not (math.isfinite(data) and data >= 0):
        raise ValueError(f"seconds are finite and not negative, not {data!r:.40}")
    return float(data)


def _keyed(kernels: Iterable[tuple[str, str, float]]) -> dict[_Key, float]:
    found: dict[_Key, float] = {}
    counts: dict[tuple[str, str], int] = {}
    for source, computes, seconds in kernels:
        number = counts.setdefault((source, computes), 0)
        counts[source, computes] = number + 1
        found[source, computes, number] = seconds
    return found


def _of_a_copy(old: Mapping[_Key, float], new: Iterable[_Key]) -> Mapping[_Key, float]:
    """Return earlier kernels of one file as those of the other that is measured now."""
    before, now = ({source.rpartition(":")[0] for source, *_ in k} for k in (old, new))
    if len(before) != 1 or len(now) != 1:
        return old
    (name,) = now
    return {
        (f"{name}:{source.rpartition(':')[2]}", computes, number): seconds
        for (source, computes, number), seconds in old.items()
    }


def _spelled(now: float | None, before: float | None) -> list[str]:
    """Return two times and their ratio; "" for what is not in both."""
    both = now is not None and before is not None and before > 0
    return [
        "" if now is None else spell_seconds(now),
        "" if before is None else spell_seconds(before),
        f"{now / before:.2f}" if both else "",  # type: ignore[operator]  # both are
    ]
