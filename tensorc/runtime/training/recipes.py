"""The recipes of a program (`fit`, `run`) as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tensorc.errors import UNKNOWN, Location


@dataclass(frozen=True, slots=True)
class Patience:
    """Early stopping: train at least `patience` batches, longer while it gets better.

    When the validation error falls below `threshold` times the best so far at batch i,
    training goes on to batch i * `increase` at least.
    """

    patience: int
    increase: float = 2
    threshold: float = 0.995


@dataclass(frozen=True, slots=True)
class DataCall:
    """A reader of data and its arguments: `mnist("data/mnist")`."""

    reader: str
    arguments: tuple[object, ...]
    named: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FitRecipe:
    """A `fit`: which step to run on what, how long, and what to validate with.

    `every` is the number of batches between validations, where the rule of early
    stopping (or once per epoch) shall not decide it.
    """

    name: str
    data: DataCall
    batch: int
    step: str
    validate: str | None = None
    test: str | None = None
    epochs: int = 1
    stop: Patience | None = None
    shuffle: bool = False
    seed: int | None = None
    every: int | None = None
    location: Location = UNKNOWN


@dataclass(frozen=True, slots=True)
class RunRecipe:
    """A `run`: a function to call with fixed arguments, some number of times."""

    name: str
    function: str
    arguments: tuple[object, ...]
    times: int = 1
    location: Location = UNKNOWN
