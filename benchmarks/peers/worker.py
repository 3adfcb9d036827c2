"""A peer's process: reads orders from its input, a line of JSON each, and answers.

    {"begin": NAME}     make the workload and run it once; answers its check
    {"run": SECONDS}    run it again and again; answers seconds of a unit (the median)
    {"end": NAME}       forget it

`limits` stands for the machine: its workloads are what it can do at most.
"""

import gc
import importlib
import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1]
MOST = 2000  # repetitions of one block


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
            yield measured(job.run, job.units, order["run"])
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
