"""Where a training run stands: what a checkpoint holds besides the memory.

The state is taken between two batches. With it and the memory, training goes on as if
it had never stopped, to the bit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from tensorc.runtime.arrays import Array
from tensorc.runtime.training.history import EpochRecord

# What happened: a slice of batches is done; validation is done; it gave the best so
# far; training is over.
Event = Literal["slice", "validation", "best", "end"]

# The state of NumPy's Philox generator, as plain numbers.
GeneratorState = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class FitState:
    """A run of `fit` after `position` batches of epoch `epoch` (from 1).

    `pending` tells that what follows the last batch (validation, the test of patience)
    is still to be done. `error` is the last validation error of this epoch, `costs`
    what the step gave for each of its batches. `elapsed` is the wall time of this
    epoch so far, `seconds` the time of all `steps` batches. `order` is the shuffling
    generator as it was before this epoch. `sizes` are the batches of training,
    validation and test data.
    """

    epoch: int
    position: int
    pending: bool
    done: bool
    best: float
    patience: float
    test_error: float | None
    error: float | None
    is_fraction: bool
    steps: int
    seconds: float
    elapsed: float
    sizes: tuple[int, int, int]
    costs: Array | None
    order: GeneratorState | None
    records: tuple[EpochRecord, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Where a run goes on from: a state, and what puts the memory back that it had."""

    state: FitState
    put_back: Callable[[], None]


Snapshot = Callable[[], FitState]
# Hears of events; it may ask for the state, and may raise to end training there.
OnState = Callable[[Event, Snapshot], None]
