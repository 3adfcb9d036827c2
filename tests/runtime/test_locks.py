"""A fork while other threads work: the child never waits for a thread it lacks."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tensorc

HEAD = """
import faulthandler, os, signal, sys, threading, time
import numpy as np
import tensorc as tc
from tensorc.api import options as settings
from tensorc.runtime import cpu, locks, threads

w = tc.shared(np.zeros(300_000), "w")
step = tc.function([], tc.sum(w[:1]), updates=[(w, w + 1)])
f = tc.jit(lambda x: x + 1)
f(np.zeros(3))
step()

def child_of(check, seconds=20):
    # Return what a forked child ended with: 0 unless the check fails or never ends.
    number = os.fork()
    if number == 0:
        signal.alarm(seconds)
        code = 1
        try:
            check()
            code = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    return os.waitpid(number, 0)[1]

def whole():
    values = w.get_value()
    assert (values == values[0]).all(), "a step is half done"
    before = values[0]
    step()
    assert (w.get_value() == before + 1).all()
"""

HELD = (
    HEAD
    + """
def compiled():
    assert tc.jit(lambda x: x * 3 + len(sys.argv))(np.ones(2))[0] == 3 + len(sys.argv)

def traced():
    assert f(np.zeros((2, 2))).sum() == 4

def with_threads():
    with tc.options(threads=2):
        whole()

# Each lock of the package, and what needs it.
CASES = {
    "shared": (next(iter(step.compiled.shared.values())).lock, whole),
    "jit": (f._lock, traced),
    "options": (settings._LOCK, with_threads),
    "pool": (threads._POOL.lock, with_threads),
    "llvm": (cpu.LLVM_LOCK, compiled),
}
locks.WAIT = 0.2
lock, check = CASES[sys.argv[1]]
is_held, end = threading.Event(), threading.Event()

def hold():
    with lock:
        is_held.set()
        end.wait()

holder = threading.Thread(target=hold)
holder.start()
is_held.wait()
start = time.monotonic()
assert child_of(check) == 0
assert time.monotonic() - start < 20
end.set()
holder.join()
check()  # the parent goes on
assert child_of(check) == 0
"""
)

STEPPING = (
    HEAD
    + """
end = threading.Event()

def work():
    while not end.is_set():
        step()

workers = [threading.Thread(target=work) for _ in range(2)]
for worker in workers:
    worker.start()
worst = 0.0
for _ in range(40):
    start = time.monotonic()
    assert child_of(whole) == 0
    worst = max(worst, time.monotonic() - start)
end.set()
for worker in workers:
    worker.join()
whole()
print(f"slowest fork and child: {worst:.3f} s")
"""
)

needs_fork = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="this system cannot fork"
)


def passes(script, *arguments):
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]


@needs_fork
@pytest.mark.parametrize("case", re.findall(r'^    "(\w+)": \(', HELD, re.MULTILINE))
def test_a_child_uses_what_another_thread_held(case):
    passes(HELD, case)


@needs_fork
def test_a_child_sees_whole_steps_and_goes_on():
    passes(STEPPING)


def test_every_lock_is_made_for_forks():
    package = Path(tensorc.__file__).parent
    made = 0
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text())
        kept = {
            id(argument)
            for call in ast.walk(tree)
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "keep"
            for argument in call.args
        }
        # A node of the graph is called `Condition`, too.
        own = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "threading"
            for alias in node.names
        }
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call):
                continue
            module, _, name = ast.unparse(call.func).rpartition(".")
            is_made = module == "threading" or (not module and name in own)
            if is_made and name in ("Lock", "RLock", "Condition", "Semaphore"):
                assert id(call) in kept, f"{path.name}:{call.lineno}: use locks.keep"
                made += 1
    assert made >= 4
