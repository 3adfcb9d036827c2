"""What users import: load a `.tc` file, compile it, call its functions, train it."""

import functools
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from tensorc import driver
from tensorc.api import inspection, kept_program, kept_runs
from tensorc.api.finite.explained import origin_of
from tensorc.api.kept_runs import (
    Kept,
    OnEpoch,
    epoch_callback,
    read_kept,
    resumable,
    warn_anew,
    warn_differences,
    warn_left_out,
)
from tensorc.api.paths import path_of
from tensorc.api.untraced import Called, Cell
from tensorc.artifact import Artifact, FunctionInfo
from tensorc.errors import CompileError, Diagnostic, TensorcError, did_you_mean
from tensorc.frontend.dsl.programs import program as source
from tensorc.frontend.dsl.programs.program import plain_hypers
from tensorc.frontend.dsl.syntax.source_file import SourceFile, read_file
from tensorc.frontend.library.mistakes import (
    argument_error,
    door,
    hiding,
    outside,
    usage_error,
    warn_user,
)
from tensorc.frontend.python.describing import describe, plain_number
from tensorc.recipes import SECONDS, Fit, Run
from tensorc.runtime.arrays import Array
from tensorc.runtime.cpu import Library
from tensorc.runtime.files.weights import save_weights
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training import checkpoint as checkpoints
from tensorc.runtime.training.checkpoint import (
    About,
    Checkpoint,
    compare,
    read_checkpoint,
)
from tensorc.runtime.training.content import digest_of_data
from tensorc.runtime.training.data import Dataset, open_data
from tensorc.runtime.training.fit import fit
from tensorc.runtime.training.history import History
from tensorc.runtime.training.keeping import Keeper, find_last
from tensorc.runtime.training.preparing import roles_of
from tensorc.tables import Table, html_of, text_of
from tensorc.target import CHOSEN, Options

if TYPE_CHECKING:
    from tensorc.frontend.python.grouping.groups import Group
    from tensorc.frontend.python.symbolic_variables import Shared as SharedVariable

F = TypeVar("F", bound=CompiledFunction)

FLOATS = ("f32", "f64", "f16", "bf16")  # what `float` may mean


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What a program holds."""

    path: str
    functions: "Functions"
    shared: Mapping[str, SharedCell]
    hypers: Mapping[str, source.HyperValue]
    fits: tuple[Fit, ...]
    runs: tuple[Run, ...]
    variables: "dict[str, SharedVariable]" = field(default_factory=dict, repr=False)


class Program(inspection.Inspected, _Loaded):
    """A `.tc` file, ready to call: its functions, its memory and its recipes.

    `functions` compiles on first use: the functions that recipes name together, each
    other one when it is asked for. Functions, steps, params, states and hypers are
    attributes, by their names in the file.
    """

    __slots__ = ()

    @property
    def compile_seconds(self) -> float:
        """The time spent compiling so far, in seconds."""
        return self.functions.compile_seconds

    @property
    def params(self) -> "Group":
        """The group of the params of the file and its modules; states are not in it."""
        from tensorc.frontend.python.grouping.groups import Group

        names = [m.name for m in self.functions.source.memories if m.kind == "param"]
        return Group([(name, _member(self, name)) for name in names])

    def _view(
        self, args: tuple[object, ...], named: Mapping[str, object]
    ) -> inspection.View:
        return self.functions.view(None, named, args)

    def summary(self) -> str:
        """Return what the program holds: memory, hypers, functions, recipes.

        Memory has its types, counts and bytes, functions the types of what they take
        and give. Nothing is compiled.
        """
        title = f"program {self.path}"
        return inspection.Text(text_of(title, _tables(self)) + "\n")

    def _repr_html_(self) -> str:
        return html_of(f"program {self.path}", _tables(self))

    @outside("{0!r} would be trained")
    def fit(
        self,
        recipe: Fit | None = None,
        allow_nan: bool = False,
        *,
        callbacks: OnEpoch | Iterable[OnEpoch] = (),
        save: str | PathLike[str] | None = None,
        save_every: float = SECONDS,
        resume: str | PathLike[str] | None = None,
        overwrite: bool = False,
        **unknown: object,
    ) -> History:
        """Run a `fit`: the first one, or with `resume` that of the checkpoint.

        Args:
            recipe: one of `fits`.
            allow_nan: go on when a cost is NaN or infinite.
            callbacks: called with an `EpochRecord` after an epoch; True ends the
                training.
            save: a directory for `last.safetensors` and `best.safetensors`.
            save_every: seconds after which `last` is written at least.
            resume: such a directory, or a file of it: continue, to the same bits.
            overwrite: let `save` write over checkpoints of another or a longer run.
            **unknown: a mistake; values of the recipe are given to `tc.load`.

        Raises:
            TensorcError: recipe, data or checkpoint do not fit, or a file fails.
            DivergedError: a cost is not finite, unless `allow_nan`.
        """
        kept_runs.refuse_settings(self.path, unknown)
        if recipe is not None:
            self._number(recipe)
        heard = epoch_callback(callbacks)
        kept = read_kept(save, save_every, resume, overwrite, allow_nan)
        last = None if kept.resume is None else self.last(kept.resume, recipe)
        recipe = self.fits[last.about.fit] if last else recipe or self._first_fit()
        data = open_data(recipe)
        about = self.about(recipe, data if kept.compares else None)
        if last:
            warn_differences(compare(last, about, self.shared))
        about = about.beginning(kept.begun(last, self.shared))
        keeper = self.keeper(recipe, kept, about)
        warn_anew(kept.protect(keeper, recipe.epochs))
        with resumable(keeper):
            return fit(
                recipe,
                roles_of(self.functions, recipe),
                data,
                on_start=warn_left_out,
                on_epoch=heard,
                keeper=keeper,
                start=last.start(self.shared) if last else None,
                compile_seconds=self.compile_seconds,
                allow_nan=kept.allow_nan,
            )

    def _number(self, recipe: Fit) -> int:
        """Return which of `fits` a recipe is. TypeError if it is none of them."""
        if recipe not in self.fits:
            message = (
                f"recipe is one of the fits of {self.path}, got {describe(recipe)}"
            )
            raise usage_error(message, "program.fit(program.fits[0])")
        return self.fits.index(recipe)

    def _first_fit(self) -> Fit:
        if self.fits:
            return self.fits[0]
        message = f"{self.path}: there is no 'fit' to train"
        raise TensorcError(Diagnostic("TC0903", message))

    def last(self, path: Path, recipe: Fit | None = None) -> Checkpoint:
        """Return the checkpoint of a directory, or a file, to go on from.

        Raises:
            DataError: the file is missing or damaged (TC0401, TC0801).
            TensorcError: it is of another `fit` than `recipe`, or of none (TC0804).
        """
        checkpoint = read_checkpoint(find_last(path), self.shared)
        number, count = checkpoint.about.fit, len(self.fits)
        wanted = None if recipe is None else self._number(recipe)
        if number < count and wanted in (None, number):
            return checkpoint
        message = f"{checkpoint.path} is of fit {number + 1}, "
        message += f"there are {count}" if wanted is None else f"not {wanted + 1}"
        raise TensorcError(Diagnostic("TC0804", message))

    def keeper(self, recipe: Fit, kept: Kept, about: About) -> Keeper | None:
        """Return what writes the checkpoints of a run, if there is a directory."""
        if kept.save is None:
            return None
        # Several recipes keep their checkpoints side by side.
        stem = f"{recipe.name or about.fit + 1}." if len(self.fits) > 1 else ""
        seconds, nan = kept.save_every, kept.allow_nan
        return Keeper(kept.save, about, self.shared, seconds, stem, nan)

    def about(self, recipe: Fit, data: Dataset | None = None) -> About:
        """Return what a run of one of `fits` is of, over `data` if they are known."""
        names = [n for n in (recipe.step, recipe.validate, recipe.test) if n]
        same = recipe.identity(self.functions.digest(list(dict.fromkeys(names))))
        about = About(same, plain_hypers(self.hypers), self._number(recipe))
        return about if data is None else about.over(digest_of_data(data))

    @outside("save would write")
    def save(self, path: str | PathLike[str]) -> None:
        """Write params and states to a .safetensors or .npz file, by their names."""
        save_weights(path_of(path, "path"), self.shared)

    @outside("restore would set variables")
    def restore(self, path: str | PathLike[str]) -> list[str]:
        """Set params and states from an .npz or .safetensors file, by their names.

        The file may lack names: they keep their values, and are returned.

        Raises:
            DataError: the file is damaged, a name of it is unknown, or an array does
                not fit; nothing has changed.
        """
        hypers = plain_hypers(self.hypers)
        return checkpoints.restore(path_of(path, "path"), self.shared, hypers)

    @hiding
    def __getattr__(self, name: str) -> "ProgramMember":
        """Return a function, a variable, a hyper, or a part that holds some."""
        return _member(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        way = "it has no such attribute"
        if name in self.shared:
            way = f"write `{name}.set_value(…)`"
        elif name in self.hypers:
            way = f"load it anew: tc.load({self.path!r}, {name}=…)"
        elif name in (*self.functions.source.entries, *_Loaded.__slots__):
            way = "what the file declares stays"
        message = f"`{name}` of the program {self.path} is not assigned to: {way}"
        raise AttributeError(message)

    def __repr__(self) -> str:
        functions = ", ".join(self.functions.source.entries) or "none"
        memory = ", ".join(self.shared) or "none"
        return f"<program {self.path}: functions {functions}; memory {memory}>"

    def __dir__(self) -> list[str]:
        names = [*self.functions, *self.shared, *self.hypers]
        return sorted({n.split(".")[0] for n in names} | set(object.__dir__(self)))


@dataclass(frozen=True, slots=True)
class ProgramPart:
    """An instance of a module in a program: `model.hidden.W`."""

    program: Program
    name: str

    def __getattr__(self, name: str) -> "ProgramMember":
        """Return a function, a shared variable or a part of the instance."""
        return _member(self.program, f"{self.name}.{name}")

    def _repr_html_(self) -> str:
        title = f"{self.name} of program {self.program.path}"
        return html_of(title, _tables(self.program, f"{self.name}."))

    def __dir__(self) -> list[str]:
        start = f"{self.name}."
        names = [*self.program.functions, *self.program.shared]
        inside = [n.removeprefix(start) for n in names if n.startswith(start)]
        return sorted({n.split(".")[0] for n in inside})


ProgramMember: TypeAlias = (
    "CompiledFunction | SharedVariable | ProgramPart | bool | int | float | str"
)


def _tables(program: Program, start: str = "") -> list[Table]:
    """Return what a program holds, or the part whose names have this start."""
    from tensorc.api import summaries

    functions = program.functions
    shared = {n: c for n, c in program.shared.items() if n.startswith(start)}
    hypers = {n: v for n, v in program.hypers.items() if n.startswith(start)}
    names = [n for n in functions if n.startswith(start)]
    tables = [
        summaries.memory_table(shared),
        summaries.hyper_table(hypers),
        summaries.function_table(functions.source.emit, names),
    ]
    recipes = summaries.recipe_table(program.fits, program.runs)
    return tables if start else [*tables, recipes]


def _member(program: Program, name: str) -> ProgramMember:
    if name in program.shared:
        if name not in program.variables:
            from tensorc.frontend.python.symbolic_variables import shared_of

            program.variables[name] = shared_of(program.shared[name], name)
        return program.variables[name]
    if name in program.functions.source.entries:
        return program.functions.for_users(name)
    if name in program.hypers:
        value = program.hypers[name]
        return value.name if isinstance(value, source.FunctionRef) else value
    known = [*program.functions, *program.shared, *program.hypers]
    if any(n.startswith(f"{name}.") for n in known):
        return ProgramPart(program, name)
    message = f"{program.path} has no function or param '{name}'"
    raise AttributeError("; ".join(filter(None, [message, did_you_mean(name, known)])))


class UserFunction(inspection.Costed, Called):
    """A function of a program as Python calls it: its errors name the caller's line."""

    home: "Functions"

    def _view(
        self, args: tuple[object, ...], named: Mapping[str, object]
    ) -> inspection.View:
        return self.home.view([self.name], named, args)

    def call_of(
        self, args: tuple[object, ...], named: Mapping[str, object]
    ) -> inspection.Call:
        """Return the call of these arguments, to be measured."""
        names = [spec.argument.name for spec in self.signature.inputs]
        given = {n: value for n, value in named.items() if n in names}
        sizes = {n: value for n, value in named.items() if n not in names}
        values: list[Array] | None = None
        if args or given:
            values, _ = self.signature.collect(args, given)
        view = self._view((), sizes)
        return inspection.Call(view, self.shared, self.home.hypers(), values)

    def __reduce__(self) -> tuple[object, ...]:
        return Functions.for_users, (self.home, self.name)


@dataclass
class Functions(Mapping[str, CompiledFunction]):
    """The compiled functions of a program, by name."""

    file: SourceFile = field(repr=False)
    kept: kept_program.KeptProgram = field(repr=False)
    shared: Mapping[str, SharedCell]
    together: tuple[str, ...]
    options: Options
    compile_seconds: float = 0.0
    compiled: dict[str, CompiledFunction] = field(default_factory=dict)
    called: dict[str, UserFunction] = field(default_factory=dict)

    @door
    def for_users(self, name: str) -> UserFunction:
        """Return a function for callers in Python; KeyError if there is none."""
        if name not in self.called:
            made = self[name]
            self.called[name] = UserFunction(
                made.info,
                made.library,
                self.shared,
                self.hypers(),
                self._varies(name),
                made.origin,
            )
            self.called[name].home = self
        return self.called[name]

    def __reduce__(self) -> tuple[object, ...]:
        # Its file need not be there where it is read.
        return _functions, (self.file, self.shared, self.together, self.options)

    def __getitem__(self, name: str) -> CompiledFunction:
        """Return a function, compiling it if need be; KeyError if there is none."""
        if name not in self.compiled:
            if name not in self.source.entries:
                raise KeyError(name)
            names = self.together if name in self.together else (name,)
            self._compile([n for n in names if n not in self.compiled])
        return self.compiled[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the functions."""
        return iter(self.source.entries)

    def __len__(self) -> int:
        """Return the number of functions."""
        return len(self.source.entries)

    @property
    def source(self) -> source.FileProgram:
        """What the file says."""
        return self.kept.program

    def digest(self, names: Sequence[str]) -> str:
        """Return what tells the IR of these functions from any other."""

        def made() -> str:
            from tensorc.ir.text.printer import print_module

            text = print_module(self.source.emit(names))
            return hashlib.sha256(text.encode()).hexdigest()[:16]

        return self.kept.digest(names, made)

    def _load(self, names: list[str]) -> tuple[Artifact, Library]:
        artifact = self.kept.artifact(names)
        if artifact is not None:
            return artifact, driver.link(artifact)
        module = self.source.emit(names)
        for warning in self.source.warnings:
            warn_user(warning)
        key = ""
        if self.kept.key:
            key = driver.key_of_module(module, driver.host_target(), self.options)
        loaded = driver.load(module, self.options)
        if key:
            self.kept.keep_artifact(names, key)
        return loaded

    def _compile(self, names: list[str]) -> None:
        start = time.perf_counter()
        artifact, library = self._load(names)
        for info in artifact.functions:
            self.keep(info, library, CompiledFunction)
        self.compile_seconds += time.perf_counter() - start

    def keep(self, info: FunctionInfo, library: Library, kind: type[F]) -> F:
        """Bind code to the memory; it is the function of its name from now on."""
        hypers, varies = self.hypers(), self._varies(info.name)
        make = functools.partial(self.source.emit, [info.name])
        origin = origin_of(make, info.name, self.options.check_nan)
        function = kind(info, library, self.shared, hypers, varies, origin)
        self.compiled[info.name] = function
        return function

    def view(
        self,
        names: list[str] | None,
        named: Mapping[str, object],
        args: tuple[object, ...] = (),
    ) -> inspection.View:
        """Return what to look at: these functions, or all; `named` are sizes.

        TypeError for arguments of a call, which tell nothing new.
        """
        inspection.refuse_arguments(args)
        make = functools.partial(self.source.emit, names)
        return inspection.View(make, self.options, inspection.sizes_of(named))

    def hypers(self) -> dict[str, bool | int | float]:
        """Return the hypers that are numbers, as the file sets them."""
        return {
            name: value
            for name, value in self.source.hypers.items()
            if isinstance(value, bool | int | float)
        }

    def _varies(self, name: str) -> Callable[[str], bool]:
        return functools.partial(self.source.varies, name)


@door
def load(
    path: str | PathLike[str],
    settings: Mapping[str, str] | None = None,
    optimize: int | None = None,
    default_float: str = "f32",
    **values: object,
) -> Program:
    """Return the program of a `.tc` file: `load("model.tc", lr=0.1).train(x, y)`.

    Its functions, steps and params are attributes. `settings` overrides hypers and
    fields of recipes by expressions of the language ("0.1"), `values` by Python's
    values; a text is an expression there, too. `default_float` is what `float` means:
    "f32", "f64", "f16" or "bf16". A file of TENSOR IR (`.mlir`) is a program, too.

    Raises:
        CompileError: the file is wrong; it has the diagnostics.
        ValueError: `optimize` is not from 0 to 3, or there is no such float.
    """
    if optimize not in (None, 0, 1, 2, 3):
        raise argument_error(f"optimize is from 0 to 3, got {optimize!r:.40}")
    if default_float not in FLOATS:
        known = ", ".join(FLOATS)
        message = f"default_float is one of {known}, got {default_float!r:.40}"
        raise argument_error(message)
    path = fspath(path)
    spelled = {name: _spelled(name, value) for name, value in values.items()}
    file = read_file(path, {**(settings or {}), **spelled}, default_float)
    options = CHOSEN.get()
    if optimize is not None:
        options = replace(options, optimize=optimize)
    kept = kept_program.load(file, options)
    program = kept.program
    fits = tuple(r for r in program.recipes if isinstance(r, Fit))
    runs = tuple(r for r in program.recipes if isinstance(r, Run))
    shared = {m.name: Cell(m.name, m.initial) for m in program.memories}
    named = [n for f in fits for n in (f.step, f.validate, f.test) if n]
    named += [r.function for r in runs]
    together = tuple(n for n in program.entries if n in named)
    functions = Functions(file, kept, shared, together, options)
    return Program(path, functions, shared, program.hypers, fits, runs)


def _functions(
    file: SourceFile,
    shared: Mapping[str, SharedCell],
    together: tuple[str, ...],
    options: Options,
) -> Functions:
    """Return functions that were copied or pickled, with their memory."""
    kept = kept_program.load(file, options)
    return Functions(file, kept, shared, together, options)


def _spelled(name: str, value: object) -> str:
    """Return a Python value as the language writes it."""
    value = plain_number(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if value is None:
        return "none"
    if isinstance(value, int | float):
        return repr(value)
    message = f"load: {name} is a number, a truth value or a text, got {value!r}"
    raise CompileError(Diagnostic("TC0180", message))
