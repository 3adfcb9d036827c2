"""Matrix products: tensorc's own micro-kernels beside NumPy's BLAS, one thread each.

    python benchmarks/gemm.py [--rounds N] [--threads N]

Every transposition of shapes that training meets, in float32 and float64, with sizes
that are symbols (one compiled function for all shapes of a form) and with sizes known
while compiling. They take turns; printed are the medians in microseconds, NumPy's time
over ours, and the largest difference in units of the largest result's last place.
"""

import argparse
import functools
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_NAMES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

# Rows, inner extent, columns: forward, gradient, hidden layer, its gradient, squares.
SHAPES = (
    (600, 784, 10),
    (784, 600, 10),
    (20, 784, 500),
    (784, 20, 500),
    (128, 500, 500),
    (1, 784, 500),
    (500, 500, 1),
    (257, 129, 65),
    (512, 512, 512),
    (1024, 1024, 1024),
)
Product = Callable[["np.ndarray", "np.ndarray"], "np.ndarray"]
FORMS: dict[str, Product] = {
    "a @ b": lambda a, b: a @ b,
    "a.T @ b": lambda a, b: a.T @ b,
    "a @ b.T": lambda a, b: a @ b.T,
    "a.T @ b.T": lambda a, b: a.T @ b.T,
}


def main() -> None:
    """Print a line per shape, form and dtype."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", default="1")
    parser.add_argument("--largest", type=int, default=1 << 31, help="multiply-adds")
    options = parser.parse_args()
    if os.environ.get(_NAMES[0]) != options.threads:
        # BLAS reads its threads when it is loaded.
        environment = {**os.environ, **dict.fromkeys(_NAMES, options.threads)}
        environment["TENSORC_NUM_THREADS"] = options.threads
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)
    import numpy as np

    print(f"Python {platform.python_version()}, NumPy {np.__version__}, ", end="")
    print(f"{options.threads} threads, median of {options.rounds} in turn")
    print(f"{'product':<18}{'form':<11}{'dtype':<9}", end="")
    print(f"{'NumPy':>9}{'symbols':>9}{'known':>9}{'ratio':>7}{'ulp':>6}")
    for dtype in ("float32", "float64"):
        for form in FORMS:
            for shape in SHAPES:
                if shape[0] * shape[1] * shape[2] <= options.largest:
                    _line(shape, form, dtype, options.rounds)


def _line(shape: tuple[int, int, int], form: str, dtype: str, rounds: int) -> None:
    import numpy as np

    import tensorc as tc

    m, k, n = shape
    rng = np.random.default_rng(1)
    left = (k, m) if "a.T" in form else (m, k)
    right = (n, k) if "b.T" in form else (k, n)
    a = rng.standard_normal(left).astype(dtype)
    b = rng.standard_normal(right).astype(dtype)
    product = FORMS[form]
    x, y = (tc.tensor(name, dtype, v.shape) for name, v in (("a", a), ("b", b)))
    known = tc.function([x, y], product(x, y))
    calls: list[Product] = [product, _symbols(form, dtype), known]
    results = [call(a, b) for call in calls]
    scale = np.spacing(np.abs(results[0]).max())
    ulp = max(float(np.abs(r - results[0]).max() / scale) for r in results[1:])
    repeats = max(1, 2_000_000 // (m * k * n))
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, found in zip(calls, times, strict=True):
            start = time.perf_counter()
            for _ in range(repeats):
                call(a, b)
            found.append((time.perf_counter() - start) / repeats * 1e6)
    theirs, symbols, ours = (statistics.median(found) for found in times)
    size = "x".join(map(str, shape))
    print(f"{size:<18}{form:<11}{dtype:<9}{theirs:>9.1f}{symbols:>9.1f}", end="")
    print(f"{ours:>9.1f}{theirs / ours:>7.2f}{ulp:>6.1f}", flush=True)


@functools.cache
def _symbols(form: str, dtype: str) -> Product:
    """Return the function of unknown sizes."""
    import tensorc as tc

    x, y = tc.matrix("a", dtype), tc.matrix("b", dtype)
    return tc.function([x, y], FORMS[form](x, y))


if __name__ == "__main__":
    main()
