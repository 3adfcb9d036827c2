"""Frozen descriptions of targets: what passes and backends may know of a machine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A machine to compile for.

    `vector_bits` is the preferred vector width; `l1_bytes` and `l2_bytes` are per core.
    The values choose schedules only: results never depend on them.
    """

    name: str
    triple: str = ""
    cpu: str = ""
    features: str = ""
    vector_bits: int = 512
    cores: int = 1
    l1_bytes: int = 32 * 1024
    l2_bytes: int = 1024 * 1024
