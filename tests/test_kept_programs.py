"""Programs out of the cache: the same as parsed ones, without what makes them."""

import json
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import tensorc as tc
from tensorc import cache, driver
from tensorc.api import kept_program
from tensorc.api import program as api
from tensorc.errors import CacheWarning, Location
from tensorc.frontend.dsl import reading
from tensorc.frontend.dsl.programs import program_file
from tensorc.frontend.dsl.programs.program import (
    CallValue,
    FileProgram,
    FunctionRef,
)
from tensorc.frontend.dsl.syntax.source_file import SourceFile
from tensorc.recipes import DataCall, Fit, Patience, Run
from tensorc.target import Options, Target
from tests.test_cache import mutated

MODEL = """
hyper lr = 0.5, n = 3, deep = true, word = "a", act = tanh
param W: float[4, n] ~ uniform(-1, 1, seed=7)
param b: f64[n] = [1, 2, 3]
param e: float[0] = 0
state on: bool[2] = true
state seen: int = -3
fn f(x: float[B, 4]) -> float[B, n] = act(x @ W) * lr
fn g(x: float[B, 4]) -> float = mean(f(x) * (1 / n))
fn error(x: float[B, 4]) -> float = mean(f(x))
step train(x: float[B, 4], y: int[B]) -> float {
    cost = mean(f(x) ** 2)
    W <- W - lr * grad(cost, W)
    return cost
}
fit {
    data = npz("data.npz", "data.npz")
    batch = 2
    step = train
    validate = error
    epochs = 2
    stop = patience(50, increase=2, threshold=0.995)
    test = error
}
run { call = f([[1, 2, 3, 4], [0, 0, 0, 0.5]])  times = 2 }
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "model.tc"
    path.write_text(MODEL)
    x = np.linspace(-1, 1, 24, dtype=np.float32).reshape(6, 4)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(6, dtype=np.int32))
    return path


@pytest.fixture
def unparsed(monkeypatch):
    """Let whoever parses fail."""

    def refuse():
        monkeypatch.setattr(reading, "parsed", lambda _: pytest.fail("it parsed"))

    return refuse


def told(program):
    """Return all that a program says of itself, but for its functions."""
    about = [program.about(fit) for fit in program.fits]
    memory = {
        n: (str(c.dtype), c.get_value().tolist()) for n, c in program.shared.items()
    }
    source = program.functions.source
    kinds = [(m.name, m.kind) for m in source.memories]
    return memory, kinds, program.hypers, program.fits, program.runs, about, source


def test_a_hit_is_the_same_program_unparsed(model, unparsed):
    first = api.load(model)
    results = [first.functions["f"](np.ones((2, 4), "f"))]
    before = told(first)
    first.fit()
    unparsed()
    second = api.load(model)
    assert second.functions.source is not first.functions.source
    after = told(second)
    assert before[:-1] == after[:-1]
    assert before[-1].entries == after[-1].entries
    assert before[-1].steps == after[-1].steps
    results.append(second.functions["f"](np.ones((2, 4), "f")))
    np.testing.assert_array_equal(*results)
    second.fit()
    for name, cell in first.shared.items():
        np.testing.assert_array_equal(cell.get_value(), second.shared[name].get_value())


def test_what_was_not_asked_before_is_parsed_then(model):
    api.load(model).functions["f"]
    second = api.load(model)
    assert second.functions["train"].info.name == "train"
    assert second.f.info.name == "f"
    with pytest.raises(tc.TensorcError, match="TC0511"):
        second.g(np.ones((1, 4), "f"), n=5)
    assert second.f(np.ones((1, 4), "f"), lr=0.0).sum() == 0


def keys_of(monkeypatch, file, options):
    asked = []
    with monkeypatch.context() as patch:
        patch.setattr(cache, "load", asked.append)
        kept_program.load(file, options)
    return asked


def test_each_part_of_the_key_alone_makes_another(model, monkeypatch):
    shorter = MODEL.replace("[1, 2, 3]", "0")  # for any n
    file, options = SourceFile(str(model), shorter, {"lr": "2"}, "f32"), Options()
    before = keys_of(monkeypatch, file, options)
    assert before == keys_of(monkeypatch, file, options)
    files = [
        replace(file, path="other.tc"),
        replace(file, text=shorter + "\n"),
        replace(file, settings={"lr": "3"}),
        replace(file, settings={"n": "2"}),
        replace(file, settings={}),
        replace(file, default_float="f64"),
    ]
    found = [keys_of(monkeypatch, changed, options) for changed in files]
    found.append(keys_of(monkeypatch, file, Options(optimize=1)))
    for place, name, value in (
        (driver, "_package", lambda: "another"),
        (driver, "code_generator", lambda: "another"),
        (driver, "host_target", lambda: Target("cpu", "another")),
        (np, "__version__", "another"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, value)
            found.append(keys_of(monkeypatch, file, options))
    assert all(len(keys) == 1 for keys in found)
    assert len({keys[0] for keys in (before, *found)}) == len(found) + 1


def test_a_program_with_warnings_is_parsed_and_tells_them_each_time(model):
    odd = "fn odd(p: float[B, 3], y: int[B]) -> float = mean(argmax(p) != y)\n"
    model.write_text(MODEL + odd)
    for _ in range(2):
        with pytest.warns(tc.TensorcWarning, match="TC0319"):
            api.load(model).functions["odd"]


def test_large_first_values_are_not_kept(model, monkeypatch):
    monkeypatch.setattr(program_file, "LARGEST", 40)
    api.load(model).functions["f"]
    calls = []
    real = reading.parsed
    monkeypatch.setattr(reading, "parsed", lambda file: calls.append(1) or real(file))
    api.load(model)
    assert calls == [1]


def test_without_a_cache_nothing_is_kept(model, monkeypatch):
    monkeypatch.setenv("TENSORC_CACHE_DIR", "off")
    api.load(model).functions["f"]
    assert {p.name for p in model.parent.iterdir()} == {"model.tc", "data.npz"}


def test_a_lost_entry_of_code_is_compiled_again(model):
    first = api.load(model).functions["f"](np.ones((2, 4), "f"))
    for entry in cache.entries():
        if b"\x7fELF" in entry.path.read_bytes():
            entry.path.unlink()
    second = api.load(model).functions["f"](np.ones((2, 4), "f"))
    np.testing.assert_array_equal(first, second)


# As bytes


def a_program():
    """Return a program with every kind of value."""
    at = Location("m.tc", 1, 2, 3, 4)
    call = DataCall("npz", ("a", 1, None), {"label": [1.5, (True, -0.0)]})
    stop, places = Patience(5, 1e18, 1e-300), {"batch": Location("m.tc", 5, 6)}
    fit = Fit(call, 2, "train", "f", stop=stop, location=at, locations=places)
    run = Run("again", "f", ([1, 2.5], "a"), 3, {"k": CallValue("f", (), {}, at)}, at)
    big = np.arange(6, dtype=np.int64).reshape(2, 3)
    memories = (
        program_file._Memory("W", "param", big),
        program_file._Memory("z", "state", np.broadcast_to(np.float32(3), (4, 5))),
        program_file._Memory("e", "state", np.zeros((0, 3), np.float16)),
        program_file._Memory("s", "state", np.array(True)),
    )
    hypers = {"lr": 1e-300, "n": 2**70, "t": "\ud800", "f": FunctionRef("g")}
    entries, steps = ("f", "train"), ("train",)
    return FileProgram(
        "m.tc", memories, hypers, entries, (fit, run), None, None, (), steps
    )


def test_programs_come_back_as_they_were():
    program = a_program()
    known = program_file.Known({"f train": "key"}, {"f": "digest"})
    content = program_file.encode(program, known)
    found, notes = program_file.decode(content, lambda: None)
    assert notes == known
    for name in ("path", "hypers", "entries", "recipes", "steps"):
        assert getattr(found, name) == getattr(program, name)
    for one, other in zip(found.memories, program.memories, strict=True):
        assert (one.name, one.kind) == (other.name, other.kind)
        assert one.initial.dtype == other.initial.dtype
        np.testing.assert_array_equal(one.initial, other.initial)
    assert found.memories[1].initial.strides == (0, 0)
    assert program_file.encode(found, notes) == content
    assert program_file.summary(content) == ("m.tc", ("f", "train"))


def test_hostile_bytes_give_value_errors_only():
    content = program_file.encode(a_program(), program_file.Known())
    size = int.from_bytes(content[:8], "little")
    header, values = json.loads(content[8 : 8 + size]), content[8 + size :]
    rng, refused = random.Random(7), 0
    for turn in range(800):
        text = json.dumps(mutated(rng, header)).encode()
        changed = bytearray(len(text).to_bytes(8, "little") + text + values)
        if turn % 2:
            changed = bytearray(content)
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        try:
            program_file.decode(bytes(changed), lambda: None)
        except ValueError:
            refused += 1
    assert refused > 300
    deep = dict(header, hypers=[["x", _nested(450)]], memories=[])
    text = json.dumps(deep).encode()
    with pytest.raises(ValueError, match="recursion"):
        program_file.decode(len(text).to_bytes(8, "little") + text, lambda: None)


def _nested(depth):
    value = 1
    for _ in range(depth):
        value = ["list", [value]]
    return value


def test_an_entry_of_another_form_is_a_miss(model):
    first = told(api.load(model))
    api.load(model).functions["f"]
    (entry,) = [e for e in cache.entries() if b"\x7fELF" not in e.path.read_bytes()]
    cache.save(entry.key, b"\x02" + bytes(7) + b"{}")
    with pytest.warns(CacheWarning, match="is not used"):
        assert told(api.load(model))[:-1] == first[:-1]


# What a start loads

_HEAVY = ("tensorc.passes", "tensorc.compiler", "tensorc.backend.llvm.codegen", "lark")
_OF_FILES = (
    *_HEAVY,
    "tensorc.frontend.dsl.syntax.parser",
    "tensorc.ir",
    "tensorc.api.function",
)


def loaded(code, cwd):
    """Return what a process has loaded after some code that ran before.

    It must not parse LLVM's text either.
    """
    subprocess.run([sys.executable, "-c", code], check=True, cwd=cwd)
    watched = (
        "from llvmlite import binding\n"
        "def refuse(*_): raise SystemExit('it parses LLVM text')\n"
        "binding.parse_assembly = refuse\n"
    )
    show = "\nimport sys; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", watched + code + show],
        capture_output=True,
        text=True,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()[-1].split()


def of(modules, names):
    return [m for m in modules for n in names if m == n or m.startswith(f"{n}.")]


def test_a_cached_train_loads_no_compiler(model):
    command = ["train", str(model), "--quiet", "--save", str(model.parent / "kept")]
    code = f"from tensorc.cli import main; assert main.run({command!r}) == 0"
    assert not of(loaded(code, model.parent), _OF_FILES)


def test_a_cached_load_loads_no_compiler(model):
    code = "import tensorc as tc; tc.load('model.tc').functions['f']([[1, 2, 3, 4]])"
    assert not of(loaded(code, model.parent), _OF_FILES)


def test_a_cached_jit_loads_no_compiler(model):
    code = (
        "import numpy as np, tensorc as tc\n"
        "W = tc.shared(np.ones((4, 2)), 'W')\n"
        "@tc.step\n"
        "def train(x):\n"
        "    cost = np.mean(np.tanh(x @ W) ** 2)\n"
        "    tc.update(W, W - 0.1 * tc.grad(cost, W))\n"
        "    return cost\n"
        "train(np.ones((3, 4)))\n"
    )
    (model.parent / "script.py").write_text(code)
    run_it = "import runpy; runpy.run_path('script.py')"
    assert not of(loaded(run_it, model.parent), _HEAVY)
