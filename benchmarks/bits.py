"""Which bits do programs give? Their hashes, to compare two versions of the compiler.

    python benchmarks/bits.py write DIR [--programs 2000] [--seed 11]
    python benchmarks/bits.py hash DIR > hashes.txt
    python benchmarks/bits.py examples >> hashes.txt

`write` draws random programs and arguments and keeps them as files (IR and .npz), so
that versions whose generators differ run the same ones. `hash` compiles and runs what
it finds, once fused at -O3 and once not at -O0, and prints a line for each function and
call; all NaNs count as one. `examples` trains the models of `examples` for an epoch and
hashes their shared variables, and what the other examples print. `bits.txt` beside this
file holds such lines; its first ones name the version and the programs.
"""

import argparse
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import load_file

from tensorc import compiler
from tensorc.fuzz.emission import module_of
from tensorc.fuzz.generate import generate
from tensorc.fuzz.outcomes import Compiled, Outcome, updated_by
from tensorc.fuzz.values import draw_arguments
from tensorc.ir.ops.builtin import Module
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.target import Options

BATCH = 20
KINDS = ("tame", "nasty")
TRAINED = ("logreg.tc", "mlp.tc")
PRINTING = ("trivial.py", "jit.py", "gradient_descent.py", "one_hot_and_losses.py")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=("write", "hash", "examples"))
    parser.add_argument("folder", type=Path, nargs="?", default=Path("bits"))
    parser.add_argument("--programs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=11)
    given = parser.parse_args()
    if given.verb == "write":
        write(given.folder, given.programs, given.seed)
        return
    for line in examples() if given.verb == "examples" else hashes(given.folder):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def write(folder: Path, count: int, seed: int) -> None:
    """Write `count` programs in modules of BATCH functions, with two calls of each."""
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, count, BATCH):
        programs = [generate(seed, n) for n in range(first, min(first + BATCH, count))]
        calls: dict[str, np.ndarray] = {}
        for number, program in enumerate(programs, first):
            rng = np.random.default_rng([seed, number])
            for kind in KINDS:
                for i, array in enumerate(draw_arguments(program, kind, rng)):
                    calls[f"{program.name}/{kind}/{i}"] = array
        path = folder / f"{first:05}.mlir"
        path.write_text(print_module(module_of(programs)))
        np.savez(path.with_suffix(".npz"), **calls)


def hashes(folder: Path) -> Iterator[str]:
    """Yield "program kind hash": of what a call gives; two hashes, if code differs."""
    for path in sorted(folder.glob("*.mlir")):
        ways = [Options(3, True, epochs=False), Options(0, False, epochs=False)]
        code = [compiled(path, options) for options in ways]
        names = updated(parse_module(path.read_text()))
        with np.load(path.with_suffix(".npz")) as calls:
            for name in names:
                for kind in KINDS:
                    arguments = [
                        calls[f"{name}/{kind}/{i}"]
                        for i in range(len(code[0].infos[name].arguments))
                    ]
                    found = {digest(c.call(name, arguments)): c for c in code}
                    yield f"{name} {kind} {' '.join(found)}"


def compiled(path: Path, options: Options) -> Compiled:
    """Compile the module in a file and link it."""
    module = parse_module(path.read_text())
    names = updated(module)
    made = compiler.compile(module, compiler.host_target(), options)
    return Compiled(made.artifact, names)


def updated(module: Module) -> dict[str, list[int]]:
    """Return the numbers of the arguments that each function updates."""
    return {f.sym_name: updated_by(f) for f in module.functions}


def digest(outcome: Outcome) -> str:
    """Return a short hash of results, or the name of the error."""
    if not isinstance(outcome, list):
        return type(outcome).__name__ if isinstance(outcome, Exception) else "failed"
    whole = hashlib.sha256()
    for array in outcome:
        array = np.ascontiguousarray(array)
        if array.dtype.kind == "f":
            array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
        whole.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
    return whole.hexdigest()[:12]


def examples() -> Iterator[str]:
    """Yield "example hash": of the shared variables after an epoch, or of the text."""
    for model in TRAINED:
        with TemporaryDirectory() as folder:
            run = f"tensorc train examples/{model} --set epochs=1 --save {folder}"
            run_quietly([sys.executable, "-m", *run.split()])
            kept = load_file(Path(folder, "last.safetensors"))
        # What is named with a colon is of the run, seconds among it.
        shared = [kept[name] for name in sorted(kept) if ":" not in name]
        yield f"{model} {digest(shared)}"
    for name in PRINTING:
        shown = run_quietly([sys.executable, f"examples/{name}"])
        yield f"{name} {hashlib.sha256(shown).hexdigest()[:12]}"


def run_quietly(command: list[str]) -> bytes:
    """Run a command, and return what it prints on stdout."""
    return subprocess.run(command, check=True, capture_output=True).stdout


if __name__ == "__main__":
    main()
