"""`theano.scan`: loops in Theano's words, made of `tc.scan`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tensorc.frontend.library.mistakes import door, usage_error
from tensorc.frontend.python.control.loops import scan as loop
from tensorc.frontend.python.symbolic import Tensor
from tensorc.theano.tensor import as_tensor_variable
from tensorc.theano.updates import OrderedUpdates

Results = tuple[object, OrderedUpdates]


@dataclass(frozen=True)
class _Output:
    """A result of a step: the state it begins with, None if it is not carried on."""

    initial: Tensor | None
    taps: Sequence[int]


@door
def scan(
    fn: Callable[..., object],
    sequences: object = None,
    outputs_info: object = None,
    non_sequences: object = None,
    n_steps: object = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    mode: object = None,
    name: str | None = None,
    profile: object = False,
    allow_gc: object = None,
    strict: bool = False,
    return_list: bool = False,
) -> Results:
    """Run a function for each element of sequences, and stack what it returns.

    `fn` takes the elements at the taps of each sequence, the earlier results at the
    taps of each output that is carried on, and `non_sequences`; it returns the
    results of a step. The updates are empty: those of a step, random numbers in it and
    `until` are not in this version. Derivatives do not go through a loop.

    Raises:
        TypeError: an argument is not what Theano's `scan` takes.
    """
    if truncate_gradient != -1:
        message = "truncate_gradient is not in this version, where loops have "
        raise usage_error(f"{message}no derivative")
    given = [_sequence(item) for item in _listed(sequences)]
    infos = [_output(item) for item in _listed(outputs_info)]
    others = _listed(non_sequences)
    columns, count = _columns(given, n_steps, go_backwards)

    def step(carry: object, elements: object) -> tuple[object, object]:
        seen = list(carry)  # type: ignore[call-overload]
        past = iter(seen)
        read: list[object] = list(elements) if columns else []  # type: ignore[call-overload]
        for info in infos:
            if info.initial is not None:
                window = next(past)
                read += [window[tap] for tap in info.taps]
        made = _results(fn(*read, *others))
        if infos and len(made) != len(infos):
            message = f"outputs_info has {len(infos)} outputs, the step returns "
            raise usage_error(f"{message}{len(made)}")
        carried = [
            m for m, i in zip(made, infos, strict=False) if i.initial is not None
        ]
        moved = [(*window[1:], new) for window, new in zip(seen, carried, strict=True)]
        return tuple(moved), tuple(made)

    windows = tuple(_window(i) for i in infos if i.initial is not None)
    _, found = loop(step, windows, tuple(columns) or None, count)
    outputs = list(found)  # type: ignore[call-overload]
    single = len(outputs) == 1 and not return_list
    return (outputs[0] if single else outputs or None), OrderedUpdates()


def _listed(given: object) -> list[object]:
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def _sequence(item: object) -> tuple[Tensor, Sequence[int]]:
    """Return a sequence and its taps."""
    taps: object = [0]
    if isinstance(item, Mapping):
        taps, item = item.get("taps", [0]), item.get("input")
    listed = [taps] if isinstance(taps, int) else list(taps)  # type: ignore[call-overload]
    return as_tensor_variable(item), listed


def _columns(
    given: Sequence[tuple[Tensor, Sequence[int]]], n_steps: object, backwards: bool
) -> tuple[list[Tensor], object]:
    """Return what each step reads at its index, and the number of steps without any.

    Sequences of different lengths end with the shortest, from the end if `backwards`.
    """
    columns: list[Tensor] = []
    for variable, taps in given:
        first, last = min(0, *taps, 0), max(0, *taps, 0)
        size = variable.shape[0]
        for tap in taps:
            if first or last:
                stop = size - (last - tap)
                columns.append(variable[tap - first : stop])
            else:
                columns.append(variable)
    if backwards:
        columns = [column[::-1] for column in columns]
    if n_steps is None and not columns:
        raise usage_error("scan takes sequences, or n_steps=")
    if n_steps is not None:
        return [column[:n_steps] for column in columns], None if columns else n_steps
    sizes = [column.shape[0] for column in columns]
    for size in sizes:
        columns = [column[:size] for column in columns]
    return columns, None


def _output(item: object) -> _Output:
    if item is None:
        return _Output(None, ())
    taps: object = [-1]
    if isinstance(item, Mapping):
        taps, item = item.get("taps", [-1]), item.get("initial")
        if item is None:
            return _Output(None, ())
    listed = [taps] if isinstance(taps, int) else list(taps)  # type: ignore[call-overload]
    return _Output(as_tensor_variable(item), listed)


def _window(info: _Output) -> tuple[object, ...]:
    """Return the states that the first step sees, the oldest first."""
    assert info.initial is not None
    if list(info.taps) == [-1]:
        return (info.initial,)
    return tuple(info.initial[i] for i in range(-min(info.taps)))


def _results(given: object) -> list[object]:
    """Return the results of a step; TypeError if it has updates or an end."""
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping):
        if given[1]:
            raise usage_error("updates of a step are not in this version of scan")
        return _listed(given[0])
    return _listed(given)


# Theano's loops of one output.


@door
def map(
    fn: Callable[..., object],
    sequences: object,
    non_sequences: object = None,
    go_backwards: bool = False,
    name: str | None = None,
) -> Results:
    """Return what a function gives of each element of sequences."""
    options = {"go_backwards": go_backwards, "name": name}
    return scan(fn, sequences, None, non_sequences, **options)  # type: ignore[arg-type]


@door
def reduce(
    fn: Callable[..., object],
    sequences: object,
    outputs_info: object,
    non_sequences: object = None,
    go_backwards: bool = False,
    name: str | None = None,
) -> Results:
    """Return what a function has carried on behind the last element of sequences."""
    options = {"go_backwards": go_backwards, "name": name, "return_list": True}
    infos = outputs_info if isinstance(outputs_info, list | tuple) else [outputs_info]
    found, updates = scan(fn, sequences, infos, non_sequences, **options)  # type: ignore[arg-type]
    last = [states[-1] for states in found]  # type: ignore[attr-defined]
    return (last if isinstance(outputs_info, list | tuple) else last[0]), updates


foldl = reduce


@door
def foldr(
    fn: Callable[..., object],
    sequences: object,
    outputs_info: object,
    non_sequences: object = None,
    name: str | None = None,
) -> Results:
    """Return what a function has carried on, from the last element to the first."""
    return reduce(fn, sequences, outputs_info, non_sequences, True, name)
