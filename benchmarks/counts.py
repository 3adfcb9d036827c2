"""What some programs become: kernels, code and memory, counted, not timed.

    python benchmarks/counts.py > benchmarks/counts.txt

For each program and width of vectors: launches of an entry (those in branches and loops
count once), distinct kernels, instructions of our LLVM text (before LLVM's own passes),
and bytes of the arena at the sizes below. The numbers do not depend on the machine. A
test compares them with `counts.txt`: a change that moves them says so in the commit.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tensorc import compiler
from tensorc.api.stages import module_of
from tensorc.ir.attributes import Dims
from tensorc.ir.dims import evaluate
from tensorc.ir.ops.memory.kernels import Launch
from tensorc.target import Options, Target

ROOT = Path(__file__).parents[1]
PROGRAMS = ROOT / "benchmarks" / "programs"
EXAMPLES = ROOT / "examples"
WIDTHS = (256, 512)  # bits of a vector: AVX2 and AVX-512
KERNEL = re.compile(r"define internal i32 @\S+\.k\d+\(ptr %slots, i64 %begin")
HEADER = "program vectors launches kernels instructions arena"
# LLVM's own passes, whose results change with its version, do not count.
OPTIONS = Options(optimize=0, epochs=False)

# Each program: its file, its function, and numbers for its sizes.
CASES: dict[str, tuple[Path, str, dict[str, int]]] = {
    "logreg": (EXAMPLES / "logreg.tc", "train", {"B": 600}),
    "mlp": (EXAMPLES / "mlp.tc", "train", {"B": 20}),
    "layers": (PROGRAMS / "layers.tc", "train", {"B": 128}),
    "losses": (PROGRAMS / "losses.tc", "slope", {"B": 8192, "K": 1000}),
    "pooling": (PROGRAMS / "pooling.tc", "pool", {}),
    "attention": (PROGRAMS / "attention.tc", "attend", {"T": 1024}),
    "causal": (PROGRAMS / "attention.tc", "causal", {"T": 1024}),
    "slopes": (PROGRAMS / "attention.tc", "slopes", {"T": 1024}),
    "turned": (PROGRAMS / "reads.tc", "turned", {"B": 128}),
    "part": (PROGRAMS / "reads.tc", "part", {"N": 10000, "i": 7}),
    "gathered": (PROGRAMS / "reads.tc", "gathered", {"B": 128, "V": 5000}),
}


def counts(name: str, width: int) -> str:
    """Return a line of the table: the numbers of a program for a width of vectors."""
    path, function, sizes = CASES[name]
    target = Target("cpu", "x86_64-unknown-linux-gnu", vector_bits=width)
    module = module_of(str(path), function, {})
    done = compiler.compile(module, target, OPTIONS, upto="llvm")
    (entry,) = [f for f in done.module.functions if f.sym_name == function]
    launches = sum(isinstance(op, Launch) for op in entry.walk())
    arena = entry.attribute("tc.arena")
    assert isinstance(arena, Dims)
    lines = done.text().splitlines()
    kernels = sum(bool(KERNEL.match(line)) for line in lines)
    code = sum(line.startswith("  ") for line in lines)
    bytes_ = evaluate(arena.dims[0], sizes)
    return f"{name} {width} {launches} {kernels} {code} {bytes_}"


def table() -> Iterator[str]:
    """Yield the lines of the table, the header first."""
    yield HEADER
    for name in CASES:
        for width in WIDTHS:
            yield counts(name, width)


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    for line in table():
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
