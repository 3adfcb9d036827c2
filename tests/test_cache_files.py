"""What is deleted: files that tensorc wrote, by name and by content, and no others."""

import os
import signal
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc import cache, plain_files
from tensorc.cli.main import run
from tensorc.errors import CacheWarning
from tensorc.runtime.files.tensor_file import read_tensors, write_tensors

KEY = "0123456789abcdef" * 4
MAGIC = b"tensorc1"
posix = pytest.mark.skipif(os.name != "posix", reason="signals and links of POSIX")


def ended_process():
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def snapshot(directory):
    """Return all that is in a directory: names, kinds, targets, contents."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        else:
            found[name] = ("file", path.read_bytes()) if path.is_file() else ("dir",)
    return found


def foreign_files(directory, process):
    """Fill a directory with files of others, some of which look like ours; all old."""
    directory.mkdir(exist_ok=True)
    spare = f"{process}-0123abcd.tmp"
    contents = {
        ".bashrc": b"export A=1",
        ".netrc": b"",
        ".env": MAGIC,
        "notes.txt": b"text",
        "model.tca": b"an archive of somebody else",
        "other.tca": MAGIC + b"with our magic and a name of its own",
        f"{KEY.upper()}.tca": MAGIC,
        f"{'1' * 64}.tca": b"our name, other content",
        f"{'2' * 64}.tca": b"",
        f"{'3' * 63}.tca": MAGIC,
        f"{'4' * 64}.tca.bak": MAGIC,
        f".{'5' * 64}.tca.{spare}": b"our name, other content",
        f".{'6' * 64}.tca.{spare}": b"",
        f".{'6' * 63}.tca.{spare}": MAGIC,
        f".{KEY[:12]}.abcd1234": MAGIC,
        f".last.safetensors.{spare}": MAGIC,
        f".{KEY}.tca.{process}-0123ABCD.tmp": MAGIC,
        f".{KEY}.tca.0-0123abcd.tmp": MAGIC,
        f".{KEY}.tca.9999999999-0123abcd.tmp": MAGIC,
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    (directory / f"{'7' * 64}.tca").mkdir()
    (directory / f".{'7' * 64}.tca.{spare}").mkdir()
    (directory / ".git").mkdir()
    (directory / ".git" / ".config").write_bytes(MAGIC)
    if os.name == "posix":
        outside = directory.parent / "outside"
        outside.write_bytes(MAGIC + b"an entry elsewhere")
        (directory / f"{'8' * 64}.tca").symlink_to(outside)
        (directory / f".{'8' * 64}.tca.{spare}").symlink_to(outside)
        (directory / ".link").symlink_to(outside)
        os.mkfifo(directory / f"{'9' * 64}.tca")
    for path in directory.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (1000, 1000))


def compiled():
    x = tc.vector("x")
    assert tc.function([x], x * 3)([1.0, 2.0]).tolist() == [3.0, 6.0]


@pytest.fixture
def place(tmp_path, monkeypatch):
    place = tmp_path / "place"
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(place))
    monkeypatch.setenv("TENSORC_NUM_THREADS", "1")
    return place


@pytest.mark.parametrize("limit", [1 << 29, 0], ids=["room", "no room"])
def test_files_of_others_are_never_deleted(place, monkeypatch, limit):
    monkeypatch.setattr(cache, "LARGEST_STORE", limit)  # 0: every entry goes at once
    foreign_files(place, ended_process())
    before = snapshot(place)
    compiled()
    for command in ("ls", "clear", "path"):
        assert run(["cache", command]) == 0
    after = snapshot(place)
    assert {n for n in after if n not in before} == {
        cache.FOLDER,
        f"{cache.FOLDER}/{cache.MARKER}",
    }
    assert {n: after[n] for n in before} == before


@pytest.mark.parametrize("limit", [1 << 29, 0], ids=["room", "no room"])
def test_files_of_others_in_our_own_directory_are_never_deleted(
    place, monkeypatch, limit
):
    compiled()
    assert cache.directory() == place
    foreign_files(place, ended_process())
    before = snapshot(place)
    monkeypatch.setattr(cache, "LARGEST_STORE", limit)
    cache.save(KEY, b"another entry")
    assert run(["cache", "clear"]) == 0
    after = snapshot(place)
    entries = {n for n, c in before.items() if n not in after}
    assert len(entries) == 1
    assert all(before[n][1].startswith(MAGIC) for n in entries)
    assert {n: after[n] for n in before if n not in entries} == {
        n: c for n, c in before.items() if n not in entries
    }
    assert set(after) <= set(before)


def test_the_directory_of_the_cache(place):
    assert cache.directory() == place, "a new one is ours"
    place.mkdir()
    assert cache.directory() == place, "an empty one is ours"
    (place / ".bashrc").write_text("")
    assert cache.directory() == place / cache.FOLDER, "one with files is another's"
    cache.save(KEY, b"payload")
    assert cache.load(KEY) == b"payload"
    assert sorted(p.name for p in place.iterdir()) == [".bashrc", cache.FOLDER]
    (place / ".bashrc").unlink()
    assert cache.directory() == place / cache.FOLDER
    assert cache.load(KEY) == b"payload"


def test_our_own_directory_stays_ours_whatever_comes_into_it(place):
    cache.save(KEY, b"payload")
    (place / "notes.txt").write_text("")
    assert cache.directory() == place
    assert cache.load(KEY) == b"payload"


def test_a_directory_of_entries_without_a_mark_is_ours(place):
    cache.save(KEY, b"payload")
    (place / cache.MARKER).unlink()
    assert cache.directory() == place
    assert cache.load(KEY) == b"payload"


@pytest.mark.parametrize("name", [".env", "x.tca", f"{KEY}.tca.bak"])
def test_a_directory_of_files_with_our_first_bytes_alone_is_not_ours(place, name):
    place.mkdir()
    (place / name).write_bytes(MAGIC)
    assert cache.directory() == place / cache.FOLDER


@pytest.mark.parametrize(
    "mark", [b"Signature: 8a477f597d28d172789f06886806bc55\n# of another", b"x"]
)
def test_a_mark_of_another_program_is_no_mark_of_ours(place, mark):
    place.mkdir()
    (place / cache.MARKER).write_bytes(mark)
    assert cache.directory() == place / cache.FOLDER


def test_a_mark_that_is_being_written_is_a_mark(place):
    place.mkdir()
    (place / cache.MARKER).write_bytes(b"")
    assert cache.directory() == place


@posix
def test_a_mark_that_is_a_link_is_no_mark(place, tmp_path):
    cache.save(KEY, b"payload")
    (place / cache.MARKER).rename(tmp_path / "mark")
    (place / cache.MARKER).symlink_to(tmp_path / "mark")
    assert cache.directory() == place / cache.FOLDER


def test_a_folder_of_our_name_that_holds_other_files_is_not_used(place):
    folder = place / cache.FOLDER
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("")
    for use in (lambda: cache.save(KEY, b"payload"), lambda: cache.load(KEY)):
        with pytest.warns(CacheWarning, match="holds files of others"):
            use()
    assert sorted(p.name for p in folder.iterdir()) == ["notes.txt"]


# What writers leave


@posix
@pytest.mark.parametrize("act", [lambda: cache.save(KEY, b"x"), cache.clear])
def test_an_entry_that_a_killed_writer_left_goes(place, act):
    cache.save("2" * 64, b"payload")
    left = place / f".{'5' * 64}.tca.{ended_process()}-0123abcd.tmp"
    left.write_bytes(MAGIC + b"half")
    act()
    assert not left.exists()


WRITER = """
import os, sys, time
from pathlib import Path
import numpy as np
from tensorc.runtime.files import columns as files
from tensorc.runtime.files import tensor_file
def stop(handle):
    print("written", flush=True)
    time.sleep(600)
os.fsync = stop
arrays = {"W": np.zeros(1000)}
tensor_file.write_tensors(Path(sys.argv[1]), arrays, {"tensorc": "text"})
"""


@contextmanager
def stopped_writer(path):
    """Run a process that stops within a save, when all of it is in the spare file.

    It is killed when the block ends.
    """
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"written\n"
            yield
        finally:
            process.send_signal(signal.SIGKILL)


def spares(directory):
    return [p for p in directory.iterdir() if p.name.endswith(".tmp")]


@posix
@pytest.mark.parametrize("cut", [None, 300], ids=["whole", "cut off"])
def test_a_save_removes_what_killed_saves_of_its_file_left(tmp_path, cut):
    path = tmp_path / "last.safetensors"
    with stopped_writer(path):
        pass
    (left,) = spares(tmp_path)
    if cut:
        os.truncate(left, cut)
    others = tmp_path / "best.safetensors"
    write_tensors(others, {"W": np.zeros(3)}, {})
    assert left.exists(), "it is of another file"
    write_tensors(path, {"W": np.zeros(3)}, {})
    assert not spares(tmp_path)
    assert set(read_tensors(path, 1 << 20).arrays) == {"W"}


@posix
def test_the_file_of_a_save_that_goes_on_stays(tmp_path):
    path = tmp_path / "last.safetensors"
    with stopped_writer(path):
        (spare,) = spares(tmp_path)
        write_tensors(path, {"W": np.zeros(3)}, {})
        assert spares(tmp_path) == [spare]
        # The number of its process says nothing in another container: the lock does.
        hidden = spare.with_name(f".{path.name}.{ended_process()}-0123abcd.tmp")
        spare.rename(hidden)
        write_tensors(path, {"W": np.zeros(3)}, {})
        assert spares(tmp_path) == [hidden]
    write_tensors(path, {"W": np.zeros(3)}, {})
    assert not spares(tmp_path)


@posix
def test_a_left_file_with_the_number_of_this_process_goes(tmp_path):
    """In a container, a process and the one that follows it have the same number."""
    path = tmp_path / "last.safetensors"
    write_tensors(path, {"W": np.zeros(3)}, {})
    left = tmp_path / f".{path.name}.{os.getpid()}-0123abcd.tmp"
    left.write_bytes(path.read_bytes())
    seen = []
    original = plain_files.remove_leftovers

    def within_a_save(file):
        seen.append([p for p in spares(tmp_path) if p != left])
        original(tmp_path, lambda name: name == path.name, lambda _: True)
        seen.append(spares(tmp_path))

    with plain_files.replacing(path) as file:
        file.write(b"x")
        within_a_save(file)
        # Also before it is locked, and when it is closed and waits for its name.
        (own,) = seen[1]
        assert not plain_files._is_gone(own.name, os.getpid())
    assert seen[0] == seen[1], "the file that is written stays, the other one went"
    assert len(seen[0]) == 1


@posix
def test_what_is_not_proven_to_be_a_left_save_stays(tmp_path):
    path = tmp_path / "last.safetensors"
    write_tensors(path, {"W": np.zeros(3)}, {})
    ours, process = path.read_bytes(), ended_process()
    foreign = ours.replace(b"tensorc.sha256", b"another.sha256")
    names = {
        f".last.safetensors.{process}-0123abcd.tmp": foreign,
        f".last.safetensors.{process}-1123abcd.tmp": b"",
        f".last.safetensors.{process}-2123abcd.tmp": b"text of somebody",
        f".last.safetensors.{process}-3123ABCD.tmp": ours,
        f".last.safetensors.{process}.tmp": ours,
        f"last.safetensors.{process}-4123abcd.tmp": ours,
        f".a.last.safetensors.{process}-5123abcd.tmp": ours,
        ".last.safetensors.1-6123abcd.tmp": ours,  # its process runs
        ".last.safetensors.swp": ours,
    }
    for name, content in names.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / f".last.safetensors.{process}-7123abcd.tmp").mkdir()
    (tmp_path / f".last.safetensors.{process}-8123abcd.tmp").symlink_to(path)
    before = set(tmp_path.iterdir())
    write_tensors(path, {"W": np.ones(3)}, {})
    assert set(tmp_path.iterdir()) == before
    for name, content in names.items():
        assert (tmp_path / name).read_bytes() == content


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write():
        with plain_files.replacing(path) as file:
            file.write(b"new")
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_nothing_of_a_warning_is_shown_where_all_is_well(place):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start = time.time()
        compiled()
    assert start - 1 <= max(e.used for e in cache.entries())
    assert isinstance(cache.directory(), Path)


def test_processes_that_start_together_use_one_directory(place):
    """None takes the mark or the first file of another for a file of others."""
    code = f"from tensorc import cache; cache.save({KEY!r}, b'payload')"
    command = [sys.executable, "-W", "error", "-c", code]
    for _ in range(3):
        running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
        assert [process.communicate()[1] for process in running] == [b""] * 4
        names = sorted(path.name for path in place.iterdir())
        assert names == [f"{KEY}.tca", cache.MARKER]
        for path in place.iterdir():
            path.unlink()
