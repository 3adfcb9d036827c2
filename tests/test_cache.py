"""The cache of compiled code: hits give the same, and nothing else is trusted."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc import artifact_file, cache, driver
from tensorc.api import program as api
from tensorc.artifact import Argument, Artifact, FunctionInfo, Guard, Result, Site
from tensorc.cli.main import run
from tensorc.errors import CacheWarning, Location

MAIN = "from tensorc.cli.entry import main; main()"
PROGRAM = """
param W: float[3, 2] = 0.5
fn apply(x: float[B, 3]) = tanh(x @ W)
"""


@pytest.fixture
def store(tmp_path, monkeypatch):
    place = tmp_path / "cache"
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(place))
    monkeypatch.setenv("TENSORC_NUM_THREADS", "1")  # the pool's code is kept, too
    return place


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "model.tc"
    path.write_text(PROGRAM)
    return path


def apply(program):
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
    return api.load(program).functions["apply"](x).tobytes()


def the_entry(store):
    """Return the only entry, or the only one with code: what is known is kept, too."""
    found = list(store.glob("*.tca"))
    (entry,) = [p for p in found if len(found) == 1 or holds_code(p)]
    return entry


def holds_code(path):
    with suppress(ValueError):
        return artifact_file.decode(path.read_bytes()[40:]) is not None
    return False


def known_of(store):
    """Return the only entry with what is known of a program."""
    (entry,) = [p for p in store.glob("*.tca") if not holds_code(p)]
    return entry


def test_a_hit_gives_the_same_bits_and_runs_no_pass(store, program, monkeypatch):
    first = apply(program)
    stored = the_entry(store).read_bytes()
    monkeypatch.setattr(driver, "_compiled", lambda *_: pytest.fail("it compiled"))
    assert apply(program) == first
    assert the_entry(store).read_bytes() == stored


def test_a_hit_in_a_new_process_imports_no_pass(store, program):
    apply(program)
    code = (
        "import sys; from tensorc.api import program as api\n"
        f"api.load({str(program)!r}).functions['apply']\n"
        "print([m for m in sys.modules if m.startswith('tensorc.passes')])"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
    assert not result.stderr


def test_the_key_follows_text_place_options_target_and_package(
    store, program, monkeypatch
):
    def entries():
        found = list(store.glob("*.tca"))
        count = sum(holds_code(path) for path in found)
        assert len(found) == 2 * count  # what is known of the program, and its code
        return count

    apply(program)
    program.write_text(f"# moved\n{PROGRAM}")  # errors must name the new lines
    apply(program)
    assert entries() == 2
    program.write_text(PROGRAM.replace("tanh", "exp"))
    apply(program)
    assert entries() == 3
    api.load(program, optimize=0).functions["apply"]
    assert entries() == 4
    monkeypatch.setattr(driver, "_package", lambda: "another version")
    apply(program)
    assert entries() == 5
    monkeypatch.setattr(driver, "code_generator", lambda: "another LLVM")
    apply(program)
    assert entries() == 6


def test_parts_of_a_key_keep_their_borders():
    assert cache.key_of("ab", "c") != cache.key_of("a", "bc")
    assert cache.key_of("a") == cache.key_of(b"a")


def test_it_can_be_turned_off(tmp_path, program, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for off in ("off", ""):
        monkeypatch.setenv("TENSORC_CACHE_DIR", off)
        apply(program)
        assert cache.directory() is None
        assert [p.name for p in tmp_path.iterdir()] == ["model.tc"]


# What cannot be trusted


def test_an_entry_cut_off_anywhere_is_a_miss(store):
    cache.save("k", b"payload")
    whole = the_entry(store).read_bytes()
    for length in range(len(whole)):
        the_entry(store).write_bytes(whole[:length])
        with pytest.warns(CacheWarning, match=r"is (damaged|no cache entry)"):
            assert cache.load("k") is None
    cache.save("k", b"payload")
    assert cache.load("k") == b"payload"


def test_an_entry_with_any_bit_flipped_is_a_miss(store):
    cache.save("k", b"payload")
    whole = the_entry(store).read_bytes()
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        the_entry(store).write_bytes(changed)
        with pytest.warns(CacheWarning):
            assert cache.load("k") is None


def test_damaged_entries_are_compiled_again_and_replaced(store, program):
    first = apply(program)
    entry = the_entry(store)
    whole = entry.read_bytes()
    rng = random.Random(5)
    for _ in range(20):
        changed = bytearray(whole)
        changed[rng.randrange(len(whole))] ^= rng.randrange(1, 256)
        entry.write_bytes(changed)
        with pytest.warns(CacheWarning):
            assert apply(program) == first
        assert entry.read_bytes() == whole


def test_an_entry_under_another_key_is_a_miss(store):
    cache.save("a", b"payload")
    (store / "a.tca").rename(store / "b.tca")
    with pytest.warns(CacheWarning, match="is damaged"):
        assert cache.load("b") is None


def test_a_payload_of_another_form_is_a_miss(store, program):
    first = apply(program)
    key = the_entry(store).name.removesuffix(".tca")
    forms = [b"", b"x" * 9, bytes(8), b"\xff" * 20, (2).to_bytes(8, "little") + b"{}"]
    deep = b"[" * 100_000
    forms.append(len(deep).to_bytes(8, "little") + deep)
    for payload in forms:
        cache.save(key, payload)
        with pytest.warns(CacheWarning, match="is not used"):
            assert apply(program) == first


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="modes are those of POSIX")
def test_what_others_can_write_is_not_used(store):
    cache.save("k", b"payload")
    the_entry(store).chmod(0o666)
    with pytest.warns(CacheWarning, match="others can write it"):
        assert cache.load("k") is None
    the_entry(store).chmod(0o600)
    store.chmod(0o777)
    with pytest.warns(CacheWarning, match="`chmod go-w` it"):
        assert cache.load("k") is None
    with pytest.warns(CacheWarning, match="`chmod go-w` it"):
        cache.save("l", b"payload")
    store.chmod(0o700)
    assert cache.load("k") == b"payload"
    assert cache.load("l") is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in files")
def test_links_pipes_and_directories_are_misses(store, tmp_path):
    cache.save("k", b"payload")
    elsewhere = tmp_path / "elsewhere"
    the_entry(store).rename(elsewhere)
    entry = store / "k.tca"
    for make in (lambda: entry.symlink_to(elsewhere), lambda: os.mkfifo(entry)):
        make()
        with pytest.warns(CacheWarning, match="cannot be read"):
            assert cache.load("k") is None
        entry.unlink()
    entry.mkdir()
    with pytest.warns(CacheWarning, match="cannot be read"):
        assert cache.load("k") is None


def test_a_directory_that_cannot_be_made_costs_a_warning(
    tmp_path, program, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.warns(CacheWarning, match="is not used"):
        assert apply(program)
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(CacheWarning, match="is not used"):
        assert apply(program)


# Writers and readers together


def test_many_writers_and_readers_see_whole_entries(store):
    payloads = [bytes([i]) * 100_000 for i in range(4)]
    wrong: list[object] = []

    def work(seed):
        rng = random.Random(seed)
        for _ in range(50):
            number = rng.randrange(4)
            cache.save(f"k{number}", payloads[number])
            number = rng.randrange(4)
            found = cache.load(f"k{number}")
            if found not in (None, payloads[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=[i]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    kept = [f"k{i}.tca" for i in range(4)]
    assert sorted(p.name for p in store.iterdir()) == [cache.MARKER, *kept]


def test_processes_share_one_cache(store, program):
    code = (
        "import numpy as np; from tensorc.api import program as api\n"
        f"f = api.load({str(program)!r}).functions['apply']\n"
        "print(f(np.ones((2, 3), 'float32')).tolist())"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    outputs = [p.communicate() for p in started]
    assert {err for _, err in outputs} == {b""}
    assert len({out for out, _ in outputs}) == 1
    assert the_entry(store)


def test_the_longest_unused_entries_go_first(store, monkeypatch):
    monkeypatch.setattr(cache, "LARGEST_STORE", 1000)
    keys = [cache.key_of(str(number)) for number in range(6)]
    for number in range(5):
        cache.save(keys[number], bytes(200))
        os.utime(store / f"{keys[number]}.tca", (number, number))
    assert cache.load(keys[2]) is not None  # now the most recently used one
    cache.save(keys[5], bytes(200))
    assert {e.key for e in cache.entries()} == {keys[i] for i in (2, 3, 4, 5)}


# Artifacts as bytes


def an_artifact():
    size = ("+", ("*", 2, "n"), ("max", 0, ("//", "m", 3)))
    long: object = 0
    for number in range(900):  # an arena's formula: one term per value
        long = ("+", long, ("*", number, "n"))
    place = Location("a.tc", 3, 4, 0, 9)
    info = FunctionInfo(
        "f",
        "f",
        "f.epoch",
        (
            Argument("x", "input", "f32", ("n", size)),
            Argument("W", "shared", "f64", ()),
        ),
        (Result("", "i1", (3,)),),
        ("n", "m"),
        (Guard(size, 4, "a size", place),),
        long,
        (Site(place), Site(Location())),
        (size,),
        3,
        ("*", 7, "n"),
        "a1b2",
    )
    return Artifact("cpu", b"\x7fELF code", (info, info))


def test_artifacts_come_back_as_they_were():
    artifact = an_artifact()
    content = artifact_file.encode(artifact)
    assert artifact_file.decode(content) == artifact
    assert artifact_file.encode(artifact_file.decode(content)) == content


def mutated(rng, data):
    """Return JSON data with one part replaced by something else."""
    if isinstance(data, dict) and data and rng.random() < 0.9:
        key = rng.choice(sorted(data))
        return {**data, key: mutated(rng, data[key])}
    if isinstance(data, list) and data and rng.random() < 0.9:
        place = rng.randrange(len(data))
        return [*data[:place], mutated(rng, data[place]), *data[place + 1 :]]
    return rng.choice([None, True, -1, 10**30, 0.5, "", "x", [], {}, [1], ["+", 1, 2]])


def test_hostile_headers_give_value_errors_only():
    content = artifact_file.encode(an_artifact())
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    rng, refused = random.Random(7), 0
    for _ in range(800):
        text = json.dumps(mutated(rng, header)).encode()
        try:
            artifact_file.decode(len(text).to_bytes(8, "little") + text)
        except ValueError:
            refused += 1
    assert refused > 400
    for _ in range(800):
        changed = bytearray(content)
        changed[rng.randrange(len(changed))] = rng.randrange(256)
        try:
            artifact_file.decode(bytes(changed))
        except ValueError:
            refused += 1
    assert refused > 600


# The verb, and the doors


def test_the_verb_shows_and_clears(store, program, capsys):
    apply(program)
    assert run(["cache", "path"]) == 0
    assert capsys.readouterr().out == f"{store}\n"
    assert run(["cache", "ls"]) == 0
    listed = capsys.readouterr().out
    key = the_entry(store).name[:12]
    assert f"{key}  " in listed
    assert " apply\n" in listed
    assert f" {program}: apply\n" in listed
    assert "\n2 entries, " in listed
    assert run(["cache", "clear"]) == 0
    assert capsys.readouterr().out.startswith("removed 2 entries, ")
    assert run(["cache", "ls"]) == 0
    assert capsys.readouterr().out == "0 entries, 0 bytes\n"


def test_the_verb_says_that_the_cache_is_off(capsys, monkeypatch):
    monkeypatch.setenv("TENSORC_CACHE_DIR", "off")
    assert run(["cache", "path"]) == 0
    assert capsys.readouterr().out == "off\n"
    assert run(["cache", "clear"]) == 0


def test_a_warning_of_the_command_is_one_line(store, program):
    command = [sys.executable, "-c", MAIN, "compile", str(program)]
    command += ["-o", str(program.with_suffix(".o"))]
    subprocess.run(command, check=True)
    entry = the_entry(store)
    entry.write_bytes(entry.read_bytes()[:-1])
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == f"warning: {entry} is damaged; it is replaced\n"


def test_python_functions_are_kept_too(store):
    def compiled():
        x = tc.vector("x")
        return tc.function([x], x + 1)([1.0, 2.0]).tolist()

    assert compiled() == compiled() == [2.0, 3.0]
    assert the_entry(store)


def test_a_hit_is_quick(store):
    path = Path(__file__).parent.parent / "examples/logreg.tc"
    names = ("train", "error")

    def seconds():
        program = api.load(path)
        start = time.perf_counter()
        for name in names:
            program.functions[name]
        return time.perf_counter() - start

    cold = seconds()
    assert min(seconds() for _ in range(3)) < cold / 3


def test_the_home_in_the_name_of_the_directory_is_expanded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TENSORC_CACHE_DIR", "~/kept")
    assert cache.directory() == tmp_path / "kept"


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORC_CACHE_DIR", "~nobody-of-this-name/kept")
    assert cache.directory() is None


def test_a_warning_quotes_little_of_an_entry(monkeypatch):
    told = []
    monkeypatch.setattr(cache, "_warn", told.append)
    cache.reject("0" * 64, "an argument of the kind " + "9" * 5000)
    assert len(told[0]) < 300
    assert told[0].endswith("999")
