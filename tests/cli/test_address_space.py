"""Too little address space is said, wherever something is loaded or started."""

import os
import subprocess
import sys

import pytest

from tensorc import address_space

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")

MIB = 1 << 20
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv.pop(1)) << 20,) * 2)
from tensorc.cli.entry import main; main()
"""
ENVIRONMENT = {
    **os.environ,
    **{"OPENBLAS_NUM_THREADS": "2", "TENSORC_NUM_THREADS": "2"},
    "TENSORC_CACHE_DIR": "off",
}


def limited(mib, *arguments):
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(mib), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )


# From too little for NumPy, through too little for LLVM, to enough.
@pytest.mark.parametrize(
    "mib", [20, 24, 50, 80, 110, 140, 150, 200, 250, 290, 310, 320, 330, 340, 360, 1500]
)
def test_any_limit_gives_a_diagnostic_or_the_result(tmp_path, mib):
    path, out = tmp_path / "m.tc", tmp_path / "m.o"
    path.write_text("fn apply(x: float[B, 3]) = tanh(x)\n")
    result = limited(mib, "compile", path, "-o", out)
    assert "Traceback" not in result.stderr
    assert "bug" not in result.stderr
    assert result.returncode in (0, 1), result.stderr
    if result.returncode:
        assert result.stderr.startswith("error[TC0507]: too little memory")
        assert result.stderr.count("\n") == 1
        assert not out.exists()
    assert (result.returncode == 0) == (mib > 1000) or 300 < mib < 1000


@pytest.mark.parametrize(
    ("mib", "words"),
    [(60, "NumPy takes some 125 MiB"), (200, "LLVM takes some 160 MiB")],
)
def test_the_limit_and_who_needs_more_are_named(tmp_path, mib, words):
    path = tmp_path / "m.tc"
    path.write_text("fn apply(x: float[B, 3]) = tanh(x)\n")
    err = limited(mib, "compile", path, "-o", tmp_path / "m.o").stderr
    assert words in err
    assert f"`ulimit -v` allows {mib} MiB in total" in err


def test_what_needs_no_compiler_works_with_little():
    assert limited(80, "--help").returncode == 0
    assert limited(80, "explain", "TC0507").returncode == 0


# What is tried in a process that has some room beside what it has loaded.
IN_PYTHON = """
import resource, sys
import numpy as np
import tensorc as tc
{before}
size = [int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmSize")]
resource.setrlimit(resource.RLIMIT_AS, (size[0] * 1024 + ({room} << 20),) * 2)
try:
    {call}
except MemoryError as error:
    print("MemoryError:", error)
"""
X = "x = tc.dvector('x'); "
CASES = {
    "LLVM": ("", 20, X + "tc.function([x], x + 1)", "LLVM takes some"),
    "compiling": (
        X + "tc.function([x], x + 1)([1.0])",
        10,
        "tc.function([x], tc.tanh(x))",
        "compiling takes some",
    ),
    "threads": (
        X + "tc.function([x], x + 1)([1.0])",
        30,
        "tc.options(threads=64).__enter__()",
        "thread",
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", CASES)
def test_python_gets_a_memory_error_that_says_so(name):
    before, room, call, words = CASES[name]
    code = IN_PYTHON.format(before=before, room=room, call=call)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("MemoryError:")
    assert words in result.stdout


def test_the_probe_keeps_nothing():
    for _ in range(3):
        assert address_space.has_room(1 << 30)
    assert not address_space.has_room(1 << 62)
    with pytest.raises(MemoryError, match="all of it takes some"):
        address_space.require(1 << 62, "all of it")
