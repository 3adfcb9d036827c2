"""A process that compiles: for each line `NAME SIZE` or `NAME` it answers seconds.

    python benchmarks/peers/compiling.py tensorc | jax

Seconds are of processors (all threads): from a program's text, or function, until its
first result for long programs, and until its code for `logreg` and `layers`, the steps
of softmax regression and of a perceptron of twelve layers. Nothing is taken from a
cache.
"""

import os
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["TENSORC_CACHE_DIR"] = "off"

from peers.long import LONG

ROOT = Path(__file__).parents[2]
SIZE = 3  # of each dimension
LAYERS = 12
FILES = {
    "logreg": ROOT / "examples" / "logreg.tc",
    "layers": ROOT / "benchmarks" / "programs" / "layers.tc",
}
Compile = Callable[[str, int], object]


def _tensorc() -> Compile:
    import tensorc as tc
    from tensorc.api.stages import emit

    kinds = (tc.scalar, tc.vector, tc.matrix)

    def compile(name: str, n: int) -> object:
        if name in FILES:
            return emit(str(FILES[name]), "obj", "train", {})
        program, ranks = LONG[name]
        given = [kinds[rank]("xw"[i]) for i, rank in enumerate(ranks)]
        function = tc.function(given, program(tc, n, *given))
        return function(*[np.full((SIZE,) * rank, 0.5, np.float32) for rank in ranks])

    return compile


def _jax() -> Compile:
    import jax
    import jax.numpy as jnp

    def step(layers: int) -> object:
        """Compile the step of a perceptron."""
        sizes = (784, 10) if layers == 1 else (64,) * (layers + 1)

        def cost(p: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
            for i in range(layers):
                x = x @ p[2 * i] + p[2 * i + 1]
                x = x if i == layers - 1 else jnp.tanh(x)
            return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1).mean()

        def train(p: list[jax.Array], x: jax.Array, y: jax.Array) -> object:
            c, slopes = jax.value_and_grad(cost)(p, x, y)
            return c, [v - 0.1 * slope for v, slope in zip(p, slopes, strict=True)]

        shapes = [s for i, o in pairwise(sizes) for s in ((i, o), (o,))]
        weights = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
        x = jax.ShapeDtypeStruct((128, sizes[0]), jnp.float32)
        y = jax.ShapeDtypeStruct((128,), jnp.int32)
        return jax.jit(train).lower(weights, x, y).compile()

    def compile(name: str, n: int) -> object:
        if name in FILES:
            return step(LAYERS if name == "layers" else 1)
        program, ranks = LONG[name]
        given = [np.full((SIZE,) * rank, 0.5, np.float32) for rank in ranks]
        return jax.jit(lambda *v: program(jnp, n, *v))(*given)

    return compile


def main() -> None:
    """Answer until the input ends."""
    compile = {"tensorc": _tensorc, "jax": _jax}[sys.argv[1]]()
    for name in (*FILES, *LONG):
        compile(name, 10)  # what loads once is no program's
    print(flush=True)
    for line in sys.stdin:
        name, _, size = line.strip().partition(" ")
        begun = time.process_time()
        compile(name, int(size or 0))
        print(time.process_time() - begun, flush=True)


if __name__ == "__main__":
    main()
