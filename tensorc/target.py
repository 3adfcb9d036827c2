"""Frozen descriptions of targets: what passes and backends may know of a machine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A machine to compile for.

    `vector_bits` is the preferred vector width. It chooses schedules only: results
    never depend on it.
    """

    name: str
    triple: str = ""
    cpu: str = ""
    features: str = ""
    vector_bits: int = 512
