"""Pickle, copy, clone and compile random graphs in random orders, and compare bits.

python -m tests.graphs.drive SEED START STOP     prints a report as JSON
python -m tests.graphs.drive read FILE           a fresh process: reads, computes
"""

import copy
import io
import json
import pickle
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

import tensorc as tc
from tensorc import compiler, driver
from tensorc.api import function as functions
from tensorc.frontend.python.graph import emit as graph_emit
from tensorc.frontend.python.graph.plan import EmissionPlan
from tensorc.ir.captured import values_of
from tensorc.ir.interpreter import interpret
from tests.graphs.random_graphs import Graph, Wanted, form, make, reachable

BATCH = 500  # graphs that one fresh process reads
COMPILED = 10  # of so many graphs one is compiled, the others are interpreted
Bits = list[tuple[str, tuple[int, ...], bytes]]


class Interpreted:
    """What a function of the doors calls: a plan, interpreted instead of compiled."""

    def __init__(self, plan: EmissionPlan, hypers: object = None) -> None:
        self.plan = plan
        self.module = compiler.compile(
            graph_emit.emit(plan), driver.host_target(), upto="tensor"
        ).module
        self.run = None

    def known(self, kinds: object) -> None:
        """Return that no call is like an earlier one."""

    def __call__(self, *given: np.ndarray) -> tuple[np.ndarray, ...]:
        cells = [memory.cell for memory in self.plan.shared]
        (function,) = self.module.functions
        captured = [v.value for v in values_of(function).values()]
        arguments = [*(c.get_value() for c in cells), *given, *captured]
        found = interpret(self.module, function.sym_name, arguments)
        count = len(self.plan.outputs)
        updates = [memory.cell for memory, _ in self.plan.updates]
        for cell, new in zip(updates, found[count:], strict=True):
            cell.set_value(new)
        return tuple(found[:count])


@contextmanager
def door_of(number: int) -> Iterator[None]:
    """Compile a graph, or interpret it, as its number says."""
    if number % COMPILED == 0:
        with tc.options(optimize=0):
            yield
        return
    with mock.patch.object(functions, "compile_plan", Interpreted):
        yield


class Holder:
    """An object of the user's, that holds variables and functions by name."""

    def __init__(self, **parts: object) -> None:
        self.__dict__.update(parts)


def compiled(graph: Graph, plan: Wanted, rng: random.Random | None) -> tc.Function:
    """Return the function of a plan, all that has no order listed in a random one."""
    updates = [(k.tensor, v.tensor) for k, v in plan.updates]
    givens = [(k.tensor, v.tensor) for k, v in plan.givens]
    if rng is not None:
        rng.shuffle(updates)
        rng.shuffle(givens)
    as_dict = rng is not None and rng.random() < 0.5
    return tc.function(
        [x.tensor for x in graph.inputs],
        [o.tensor for o in plan.outputs],
        updates=dict(updates) if as_dict else updates,
        givens=dict(givens) if as_dict else givens,
        on_unused_input="ignore",
    )


def bits(
    called: Sequence[tc.Function], shared: Sequence[tc.Shared], data: object
) -> Bits:
    """Call functions twice in turn; return all results, and the memory afterwards."""
    found: list[object] = []
    for _ in range(2):
        for f in called:
            found += f(*data)
    arrays = [np.asarray(v) for v in [*found, *(w.get_value() for w in shared)]]
    return [(str(a.dtype), a.shape, a.tobytes()) for a in arrays]


# What goes together: inputs, memory, roots, functions, in this order.


def parts_of(graph: Graph, made: list[tc.Function]) -> list[object]:
    terms = [*graph.inputs, *graph.shared, *graph.roots]
    return [*(t.tensor for t in terms), *made]


def checked(graph: Graph, parts: list[object], data: list[np.ndarray]) -> Bits:
    """Return what copied parts compute; what they shared they must share still."""
    i, j = len(graph.inputs), len(graph.inputs) + len(graph.shared)
    k = j + len(graph.roots)
    return recomputed(parts, (i, j, k), data)


def recomputed(
    parts: list[object], cuts: tuple[int, int, int], data: list[np.ndarray]
) -> Bits:
    """Return the bits of functions that came along, and of the formulas themselves."""
    i, j, k = cuts
    inputs, shared, roots, made = parts[:i], parts[i:j], parts[j:k], parts[k:]
    leaves = {v.operand.value for v in [*inputs, *shared]}
    for f in made:
        plan = f._plan
        assert {*plan.shared, *plan.inputs} <= leaves, "a function has other leaves"
    formulas = tc.function(inputs, roots, on_unused_input="ignore")
    return bits([formulas, *made], shared, data)


def dumped(
    parts: list[object], way: str, rng: random.Random
) -> tuple[bytes, list[object]]:
    """Return a pickle in a random order, and how to find the parts in it."""
    order = list(range(len(parts)))
    rng.shuffle(order)
    protocol = rng.randint(2, pickle.HIGHEST_PROTOCOL)
    if way == "list":
        return pickle.dumps([parts[i] for i in order], protocol), order
    if way == "object":
        made = Holder(**{f"p{i}": [parts[i]] for i in order})
        return pickle.dumps(made, protocol), order
    file = io.BytesIO()  # several dumps of one pickler
    pickler = pickle.Pickler(file, protocol)
    for i in order:
        pickler.dump(parts[i])
    return file.getvalue(), order


def read(text: bytes, way: str, order: list[int]) -> list[object]:
    """Return the parts of a pickle in their own order."""
    if way == "list":
        found = dict(zip(order, pickle.loads(text), strict=True))
    elif way == "object":
        made = pickle.loads(text)
        found = {i: getattr(made, f"p{i}")[0] for i in order}
    else:
        unpickler = pickle.Unpickler(io.BytesIO(text))
        found = {i: unpickler.load() for i in order}
    return [found[i] for i in range(len(order))]


WAYS = ("list", "object", "pickler")


# One graph


def examine(seed: int, number: int) -> tuple[dict[str, object], Counter[str]]:
    """Raise AssertionError if something differs; return what a fresh process needs."""
    rng = random.Random(f"drive {seed} {number}")
    graph = make(seed, number)
    originals = [compiled(graph, plan, None) for plan in graph.plans]
    shared = [w.tensor for w in graph.shared]
    first = [w.get_value() for w in shared]
    parts = parts_of(graph, originals)
    way = rng.choice(WAYS)
    text, order = dumped(parts, way, rng)
    copies = {
        way: lambda: read(text, way, order),
        "deepcopy": lambda: shuffled(parts, rng, copy.deepcopy),
        "one by one": lambda: one_by_one(parts, rng),
        "copy": lambda: [copy.copy(p) for p in parts],
    }
    made = {name: make_copy() for name, make_copy in copies.items()}
    # Before the first call: it changes the memory.
    shape = form([p for p in parts if isinstance(p, tc.Tensor)])
    for name, again in made.items():
        tensors = [p for p in again if isinstance(p, tc.Tensor)]
        assert form(tensors) == shape, f"{name}: nodes are shared otherwise"
    wanted = checked(graph, parts, graph.data)
    for name, again in made.items():
        reset(shared, first)
        assert checked(graph, again, graph.data) == wanted, f"{name}: other bits"
    for _ in range(2):
        reset(shared, first)
        clones = [compiled(graph, plan, rng) for plan in graph.plans]
        cloned = checked(graph, parts_of(graph, clones), graph.data)
        assert cloned == wanted, "another order of updates and givens: other bits"
    reset(shared, first)
    i, j = len(graph.inputs), len(graph.inputs) + len(graph.shared)
    cuts = (i, j, j + len(graph.roots))
    counts = Counter(graph.made_of)
    counts["nodes"] = len(reachable([t.tensor for t in graph.roots]))
    counts["updates"] = sum(len(p.updates) for p in graph.plans)
    counts["givens"] = sum(len(f._plan.givens) for f in originals)
    job = {"number": number, "text": text, "way": way, "order": order, "cuts": cuts}
    return {**job, "data": graph.data, "wanted": wanted}, counts


def shuffled(
    parts: list[object], rng: random.Random, function: Callable[..., list[object]]
) -> list[object]:
    order = list(range(len(parts)))
    rng.shuffle(order)
    made = dict(zip(order, function([parts[i] for i in order]), strict=True))
    return [made[i] for i in range(len(parts))]


def one_by_one(parts: list[object], rng: random.Random) -> list[object]:
    """Copy parts in a random order, with one memo for all."""
    memo: dict[int, object] = {}
    return shuffled(parts, rng, lambda ps: [copy.deepcopy(p, memo) for p in ps])


def reset(shared: Sequence[tc.Shared], first: Sequence[np.ndarray]) -> None:
    for memory, value in zip(shared, first, strict=True):
        memory.set_value(value)


# Many graphs


def main(seed: int, start: int, stop: int) -> dict[str, object]:
    """Return a report of graphs start to stop - 1."""
    failures: list[tuple[int, str]] = []
    counts: Counter[str] = Counter()
    jobs: list[dict[str, object]] = []
    for number in range(start, stop):
        with door_of(number):
            try:
                job, found = examine(seed, number)
            except Exception as error:
                failures.append((number, f"{type(error).__name__}: {error}"))
                continue
            counts += found
            jobs.append(job)
    for i in range(0, len(jobs), BATCH):
        failures += read_elsewhere(jobs[i : i + BATCH])
    return {"graphs": stop - start, "failures": failures, "counts": dict(counts)}


def read_elsewhere(jobs: list[dict[str, object]]) -> list[tuple[int, str]]:
    """Return the graphs that a fresh process computes otherwise, and how."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.pkl"
        path.write_bytes(pickle.dumps(jobs))
        command = [sys.executable, "-m", "tests.graphs.drive", "read", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return [(int(str(jobs[0]["number"])), done.stderr[-3000:])]
    return [(number, text) for number, text in json.loads(done.stdout)]


def read_here(path: str) -> list[tuple[int, str]]:
    """Read what another process wrote, and compare."""
    failures = []
    for job in pickle.loads(Path(path).read_bytes()):
        with door_of(job["number"]):
            try:
                parts = read(job["text"], job["way"], job["order"])
                same = recomputed(parts, job["cuts"], job["data"]) == job["wanted"]
                wrong = "" if same else "other bits in a fresh process"
            except Exception as error:
                wrong = f"fresh process: {type(error).__name__}: {error}"
            if wrong:
                failures.append((job["number"], wrong))
    return failures


if __name__ == "__main__":
    if sys.argv[1] == "read":
        report: object = read_here(sys.argv[2])
    else:
        report = main(*(int(a) for a in sys.argv[1:4]))
    sys.stdout.write(json.dumps(report) + "\n")
