"""A peer's process: reads orders from its input, a line of JSON each, and answers.

    {"begin": NAME}     make the workload and run it once; answers its check
    {"run": SECONDS}    run it again and again; answers seconds of a unit (the median)
    {"memory": NAME}    make it anew; answers the most bytes beyond its arrays
    {"end": NAME}       forget it

`limits` stands for the machine: its workloads are what it can do at most.
"""

import ctypes
import gc
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1]
MOST = 2000  # repetitions of one block
NAP = 0.005


def busy() -> float:
    """Return the seconds of processors that the machine has used, stolen ones too."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    ticks = [int(f) for f in fields]
    return (sum(ticks) - ticks[3] - ticks[4]) / 100


def measured(run: object, units: int, seconds: float) -> dict[str, float]:
    """Return the median seconds of a unit, and the processors that others used."""
    assert callable(run)
    times: list[float] = []
    start, own, all_ = time.perf_counter(), time.process_time(), busy()
    while not times or (time.perf_counter() - start < seconds and len(times) < MOST):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    wall = time.perf_counter() - start
    used = time.process_time() - own
    others = max(0.0, busy() - all_ - used) / wall
    return {"seconds": statistics.median(times) / units, "others": others}


def settle() -> None:
    """Wait until this process's threads sleep: OpenBLAS's spin on for 0.1 seconds."""
    for _ in range(100):
        used = time.process_time()
        time.sleep(NAP)
        if time.process_time() - used < NAP / 4:
            return


def resident(field: str) -> int:
    """Return bytes of memory: `VmRSS` is what is there, `VmHWM` the most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (found,) = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(found) * 1024


def trim() -> None:
    """Give freed memory back, so that what is resident is in use."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def memory(make: Callable[..., object], arrays: object) -> int:
    """Return the most bytes that a workload has beyond its arrays while it runs.

    Weights, results (of the last run, too) and all between count.
    """
    make(arrays).run()  # type: ignore[attr-defined]  # what loads once is no step's
    trim()
    base = resident("VmRSS")
    job = make(arrays)
    job.run()  # type: ignore[attr-defined]
    trim()
    Path("/proc/self/clear_refs").write_text("5")  # begin a new peak
    job.run()  # type: ignore[attr-defined]
    return max(resident("VmHWM") - base, 0)


def answers(peer: str) -> Iterator[object]:
    """Yield an answer to each order, first the version."""
    module = importlib.import_module(f"peers.{peer}_peer")
    inputs = importlib.import_module("peers.inputs")
    yield {"version": module.VERSION}
    job = None
    for line in sys.stdin:
        order = json.loads(line)
        if "begin" in order:
            name = order["begin"]
            if name not in module.JOBS:
                yield {"lacks": f"no {name}"}
                continue
            try:
                job = module.JOBS[name](inputs.BY_NAME[name].arrays())
                job.run()
                yield {"check": job.check()}
            except Exception as error:
                # A peer that fails is a line of the report, not the end of it.
                yield {"lacks": f"{type(error).__name__}: {error}"[:200]}
        elif "run" in order:
            assert job is not None
            answer = measured(job.run, job.units, order["run"])
            settle()
            yield answer
        elif "memory" in order:
            job = None
            name = order["memory"]
            yield {"bytes": memory(module.JOBS[name], inputs.BY_NAME[name].arrays())}
        else:
            job = None
            gc.collect()
            yield {}


def main() -> None:
    """Answer until the input ends."""
    sys.path.insert(0, str(BENCHMARKS))
    for answer in answers(sys.argv[1]):
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
