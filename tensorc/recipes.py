"""What a `fit` and a `run` say, as plain data: each option is stated and checked here.

`FIT`, `RUN` and `KEEP` are the tables of options. Files (`frontend.dsl`), `tc.fit`,
checkpoints and the training loop all read a `Fit`, so the same value is refused with
the same words at each door, and what identifies a run is the same whoever started it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields

from tensorc.errors import UNKNOWN, CompileError, Diagnostic, Location

CODE = "TC0313"
REQUIRED = object()  # stands for the default of an option that must be given
SECONDS = 60.0  # between two checkpoints at least, if nothing is validated

INCREASE, THRESHOLD = 2, 0.995  # of `patience`, where they are not given

_LIMIT = 1 << 62  # batches are counted in 64 bits; without an end is infinity

# The memory of a file that draws numbers: u64[2], the seed and the count of calls.
RANDOM_STATE = "random.state"

# The readers of data that a `fit` may name, and those that are only parsed.
READERS = ("mnist", "idx", "npz", "csv")
PARSED_READERS = ("bytes",)


@dataclass(frozen=True, slots=True)
class DataCall:
    """A reader of data and its arguments: `mnist("data/mnist")`."""

    reader: str
    arguments: tuple[object, ...] = ()
    named: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecipeKind:
    """What the value of an option is: in words, its type, and which of these it takes.

    The doors of Python raise TypeError for another type, and ValueError for the rest.
    What is counted is below a `limit`, too.
    """

    words: str
    has_type: Callable[[object], bool]
    takes: Callable[[object], bool] = lambda value: True
    limit: int | None = None

    def wrong(self, value: object) -> str | None:
        """Return what such a value is instead of this one; None if that is right."""
        if not (self.has_type(value) and self.takes(value)):
            return f"is {self.words}"
        if self.limit is None or not isinstance(value, int | float):
            return None
        power = self.limit.bit_length() - 1
        return f"is below 2**{power}" if value >= self.limit else None


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _from(least: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int | float) and value >= least


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0 < value <= 1


COUNT = RecipeKind("a positive integer", _is_integer, _from(1), _LIMIT)
BATCHES = RecipeKind("a number of batches, 1 or more", _is_number, _from(1), _LIMIT)
FACTOR = RecipeKind("a number from 1", _is_number, _from(1), _LIMIT)
SHARE = RecipeKind("a number above 0, at most 1", _is_number, _is_share)
# The arguments of `patience`, by name.
PATIENCE: Mapping[str, RecipeKind] = {
    **{"steps": BATCHES, "increase": FACTOR, "threshold": SHARE}
}


@dataclass(frozen=True, slots=True)
class Patience:
    """Early stopping: train at least `steps` batches, longer while it gets better.

    When the validation error falls below `threshold` times the best so far at batch i,
    training goes on to batch i * `increase` at least.

    Raises:
        CompileError: a number is not as `PATIENCE` says (TC0313).
    """

    steps: float
    increase: float = INCREASE
    threshold: float = THRESHOLD

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in PATIENCE}
        if wrong := wrong_patience(given):
            name, words = wrong
            raise CompileError(Diagnostic(CODE, f"{words}, got {given[name]!r:.60}"))

    def __str__(self) -> str:
        # As checkpoints hold it.
        return f"{self.steps}, {self.increase}, {self.threshold}"


def wrong_patience(given: Mapping[str, object]) -> tuple[str, str] | None:
    """Return which argument of `patience` is wrong, and what it is instead."""
    for name, value in given.items():
        if words := PATIENCE[name].wrong(value):
            return name, f"`{name}` of `patience` {words}"
    return None


SEED = RecipeKind("an integer from 0", _is_integer, _from(0))
TRUTH = RecipeKind("true or false", lambda value: isinstance(value, bool))
DATA = RecipeKind("a reader of data", lambda value: isinstance(value, DataCall))
STEP = RecipeKind("a step", lambda value: isinstance(value, str))
FUNCTION = RecipeKind("a function", lambda value: isinstance(value, str))
RULE = RecipeKind("a rule, `patience(…)`", lambda value: isinstance(value, Patience))
TIME = RecipeKind("a number of seconds, 0 or more", _is_number, _from(0))
# These need what is not known here: the functions of a file, and what a path may be.
CALL = RecipeKind("a call", lambda value: True)
PATH = RecipeKind("a path", lambda value: True)


@dataclass(frozen=True, slots=True)
class RecipeOption:
    """An option: what it is, and what holds without it.

    `doc` and `without` are the cells of a table in docs/language.md or python.md;
    `unsaid` is what the default does not say of itself. None stands for an option that
    is not given, where that is the default. What `decides` a run must be the same when
    it goes on from a checkpoint.
    """

    name: str
    kind: RecipeKind
    default: object
    doc: str
    unsaid: str = ""
    decides: bool = True

    @property
    def without(self) -> str:
        """What holds where the option is not given."""
        if self.default is REQUIRED:
            return "required"
        return self.unsaid or f"{self.default:g}"

    def wrong(self, value: object) -> str | None:
        """Return what the option is instead of this value; None if that is right."""
        if value is None and self.default is None:
            return None
        words = self.kind.wrong(value)
        return None if words is None else f"`{self.name}` {words}"


def _spelled_patience() -> str:
    """Return a call of `patience`, with what holds where it is not given."""
    given = ((f.name, f.default) for f in fields(Patience))
    words = (name if d is MISSING else f"{name}={d}" for name, d in given)
    return f"patience({', '.join(words)})"


FIT = (
    RecipeOption("data", DATA, REQUIRED, 'a reader: `mnist("data/mnist")`'),
    RecipeOption(
        *("batch", COUNT, REQUIRED),
        "the examples in a batch; an incomplete last one is left out",
    ),
    RecipeOption(
        *("step", STEP, REQUIRED),
        "the step to run; columns bind to its arguments by name",
    ),
    RecipeOption(
        *("validate", FUNCTION, None),
        "a function that is averaged over the validation data; lower is better",
        "no validation",
    ),
    RecipeOption(
        *("test", FUNCTION, None),
        "likewise over the test data, whenever validation is the best so far",
        "`validate`",
    ),
    RecipeOption("epochs", COUNT, 1, "the most passes over the data", decides=False),
    RecipeOption(
        *("every", COUNT, None),
        *("batches between validations", "once per epoch, or as `stop` says"),
    ),
    RecipeOption(
        *("stop", RULE, None),
        *(f"`{_spelled_patience()}`", "all epochs"),
    ),
    RecipeOption(
        *("shuffle", TRUTH, False),
        "`true`: the examples in a new order each epoch",
        "the order of the data",
    ),
    RecipeOption("seed", SEED, 0, "of the order, and of what the step draws"),
)
RUN = (
    RecipeOption("call", CALL, REQUIRED, "`f(…)`, with numbers and lists"),
    RecipeOption("times", COUNT, 1, "how often"),
)
# How a run is kept: what `tc.fit`, `Program.fit` and `tensorc train` take besides. It
# decides no result.
KEEP = (
    RecipeOption(
        *("save", PATH, None),
        "a directory for `last.safetensors` and `best.safetensors`",
        "nothing is kept",
    ),
    RecipeOption(
        "save_every", TIME, SECONDS, "seconds until `last` is written at least"
    ),
    RecipeOption(
        *("resume", PATH, None),
        "a directory of `save`, or a file of it: go on, to the same bits",
        "a new run",
    ),
    RecipeOption(
        *("overwrite", TRUTH, False),
        "let `save` write over checkpoints of another or a longer run",
        "refused (TC0807)",
    ),
    RecipeOption(
        *("allow_nan", TRUTH, False),
        "go on when a cost or a variable is NaN or infinite",
        "an error (TC0604)",
    ),
)
OPTIONS: Mapping[str, Mapping[str, RecipeOption]] = {
    "fit": {option.name: option for option in FIT},
    "run": {option.name: option for option in RUN},
    "keep": {option.name: option for option in KEEP},
}


def required(kind: str) -> list[str]:
    """Return the options that a `fit` or a `run` must have."""
    return [o.name for o in OPTIONS[kind].values() if o.default is REQUIRED]


def conflicts(given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield which options of a `fit` do not go with the others, and why not."""
    if given.get("stop") is not None and given.get("validate") is None:
        yield "stop", "`stop` needs `validate`: patience follows the validation error"


@dataclass(frozen=True, slots=True)
class Fit:
    """A `fit`: which step to run on what, how long, and what to validate with.

    `FIT` says what the options are. `location` is where the whole stands, `locations`
    where each option does that stands somewhere of its own.

    Raises:
        CompileError: an option has a value that it cannot have (TC0313).
    """

    data: DataCall
    batch: int
    step: str
    validate: str | None = None
    test: str | None = None
    epochs: int = 1
    every: int | None = None
    stop: Patience | None = None
    shuffle: bool = False
    seed: int = 0
    name: str = ""
    location: Location = UNKNOWN
    locations: Mapping[str, Location] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in OPTIONS["fit"]}
        _check("fit", given, self.location_of)
        for name, why in conflicts(given):
            raise CompileError(Diagnostic(CODE, why, self.location_of(name)))

    def location_of(self, *names: str) -> Location:
        """Return where an option stands: the first of these that is given."""
        found = [self.locations[name] for name in names if name in self.locations]
        return found[0] if found else self.location

    def identity(self, program: str) -> dict[str, bool | int | float | str | None]:
        """Return what must be the same when a run goes on from a checkpoint.

        `program` is the digest of the functions. The names and forms are those of all
        checkpoints that were ever written.
        """
        deciding = {o.name: getattr(self, o.name) for o in FIT if o.decides}
        stop = str(self.stop) if self.stop else None
        return {**deciding, "data": self.data.reader, "stop": stop, "program": program}


@dataclass(frozen=True, slots=True)
class Run:
    """A `run`: a function to call with fixed arguments, some number of times.

    Raises:
        CompileError: `times` is no positive integer (TC0313).
    """

    name: str
    function: str
    arguments: Sequence[object]
    times: int = 1
    named: Mapping[str, object] = field(default_factory=dict)
    location: Location = UNKNOWN

    def __post_init__(self) -> None:
        given = {"call": self.function, "times": self.times}
        _check("run", given, lambda name: self.location)


def _check(
    kind: str, given: Mapping[str, object], location: Callable[[str], Location]
) -> None:
    for name, value in given.items():
        if wrong := OPTIONS[kind][name].wrong(value):
            message = f"{wrong}, got {value!r:.60}"
            raise CompileError(Diagnostic(CODE, message, location(name)))
