"""Damaged files of data, weights and compiled code, and what reads them.

A reader answers with a `TensorcError`, or with what the whole file holds. Where the
file has a checksum, damage that is not reported must have changed nothing.
"""

import copy
import gzip
import io
import json
import os
import pickle
import random
import struct
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache as once
from pathlib import Path

import numpy as np

from tensorc import artifact_file, cache
from tensorc.api import program as api
from tensorc.errors import CacheWarning, TensorcError
from tensorc.runtime.arrays import Array
from tensorc.runtime.files.tensor_file import read_tensors, write_tensors
from tensorc.runtime.files.weights import load_weights, save_weights
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training.checkpoint import About, read_checkpoint, write_checkpoint
from tensorc.runtime.training.data import Dataset, csv, idx, mnist, npz, read_columns
from tensorc.runtime.training.fit_state import FitState
from tensorc.runtime.training.history import EpochRecord
from tensorc.runtime.training.shuffling import shuffled
from tests.hostile.mutate import damage_bytes

SECONDS = 1.0
LONGEST = 400  # of a message, in characters
PROGRAM = """param W: float[3, 2] = [[1, 2], [3, 4], [5, 6]]
fn apply(x: float[B, 3]) -> float[B, 2] = tanh(x @ W[:, ::-1]) + x[3, 0]
"""
NASTY: tuple[object, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**40, 0.5, 1e308, "", "x"),
    *("\0", "é" * 50, "i1", "f32", [], [[]], {}, {"a": 1}, [0] * 50, "9" * 5000),
)

Arrays = Mapping[str, Array]
Damage = Callable[[random.Random], bytes]


@dataclass(frozen=True, slots=True)
class File:
    """A sound file: its name, its reader, and what can be wrong inside it.

    `inside` makes files whose outer checksums are right. `is_checked` tells that bytes
    of it cannot change unseen.
    """

    name: str
    content: bytes
    read: Callable[[Path], Arrays]
    is_checked: bool
    inside: Damage | None = None
    beside: Mapping[str, bytes] = field(default_factory=dict)


def wrong_answer(
    file: File, content: bytes, folder: Path, whole: bool = False
) -> tuple[bool, str]:
    """Read a damaged file; return whether it was accepted, and what was wrong.

    `whole` tells that the damage is inside of right checksums.
    """
    path = folder / file.name
    for name, other in file.beside.items():
        (folder / name).write_bytes(other)
    path.write_bytes(content)
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = file.read(path)
    except TensorcError as error:
        taken = time.process_time() - start
        return False, _wrong_message(error) or _slow(taken)
    except BaseException:
        return False, traceback.format_exc()
    if file.is_checked and not whole and not _same(found, sound(file, folder)):
        return True, f"other values are read from {file.name} without a word"
    return True, _slow(time.process_time() - start)


def _slow(taken: float) -> str:
    return f"{taken:.2f} s" if taken > SECONDS else ""


def _wrong_message(error: TensorcError) -> str:
    for d in error.diagnostics:
        text = d.message
        if not (d.code and text and text.isprintable() and len(text) < LONGEST + 200):
            return f"{d.code} with the message {text[:1000]!r}"
    return "" if error.diagnostics else "no diagnostic"


_SOUND: dict[str, Arrays] = {}


def sound(file: File, folder: Path) -> Arrays:
    """Return what the file holds where nothing is wrong with it."""
    if file.name not in _SOUND:
        path = folder / f"sound-{file.name}"
        for name, other in file.beside.items():
            (folder / name).write_bytes(other)
        kept = folder / file.name
        before = kept.read_bytes() if kept.exists() else None
        kept.write_bytes(file.content)
        _SOUND[file.name] = file.read(kept)
        path.unlink(missing_ok=True)
        if before is not None:
            kept.write_bytes(before)
    return _SOUND[file.name]


def _same(left: Arrays, right: Arrays) -> bool:
    return left.keys() == right.keys() and all(
        left[n].dtype == right[n].dtype
        and left[n].shape == right[n].shape
        and left[n].tobytes() == right[n].tobytes()
        for n in left
    )


# The files


@once
def files() -> tuple[File, ...]:
    """Return a sound file of each form."""
    rng = np.random.default_rng(5)
    x, y = rng.random((6, 4)).astype(np.float32), rng.integers(0, 3, 6)
    pixels = rng.integers(0, 256, (6, 2, 2)).astype(np.uint8)
    labels = y.astype(np.uint8)
    columns = {"x": x, "y": y}
    pictures, classes = idx_of(pixels), idx_of(labels)
    table = "\n".join(["a,b,label", *(f"{i},{i / 4},{i % 3}" for i in range(6)), ""])
    pickled = pickle.dumps(((x, y), (x, y), (x, y)), protocol=2)

    def inside(plain: bytes) -> Damage:
        return lambda source: gzip.compress(damage_bytes(source, plain), 1, mtime=0)

    beside = {"labels-idx1-ubyte": classes}
    return (
        File("x.npy", npy_of(x), _columns, is_checked=False),
        File("d.npz", npz_of(columns), _npz, True, lambda s: _npz_inside(s, columns)),
        File("w.npz", npz_of({"W": x}), _weights, True, _weights_inside),
        File("pictures", pictures, _idx, False, beside=beside),
        File(
            "p.gz",
            gzip.compress(pictures, mtime=0),
            _idx,
            True,
            inside(pictures),
            beside,
        ),
        File("t.csv", table.encode(), _csv, False),
        File(
            "t.csv.gz",
            gzip.compress(table.encode(), mtime=0),
            _csv,
            True,
            inside(table.encode()),
        ),
        File(
            "m.pkl.gz", gzip.compress(pickled, mtime=0), _mnist, True, inside(pickled)
        ),
        File("w.safetensors", _saved(), _weights, True, _tensors_inside),
        File("c.safetensors", _checkpoint(), _resumed, True, _state_inside),
    )


def idx_of(array: Array) -> bytes:
    """Return an array of bytes as an IDX file."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def npy_of(array: Array) -> bytes:
    """Return an array as an .npy file."""
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def npz_of(arrays: Arrays) -> bytes:
    """Return arrays as an .npz file."""
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def _zipped(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _npz_inside(source: random.Random, arrays: Arrays) -> bytes:
    members = {f"{n}.npy": npy_of(a) for n, a in arrays.items()}
    name = source.choice(sorted(members))
    members[name] = damage_bytes(source, members[name])
    if source.random() < 0.2:
        members[source.choice(("../x.npy", "a.txt", "é.npy", "/"))] = members[name]
    return _zipped(members)


def _weights_inside(source: random.Random) -> bytes:
    return _npz_inside(source, {"W": np.ones((6, 4), np.float32)})


def _shared() -> dict[str, SharedCell]:
    return {
        "W": SharedCell("W", np.zeros((6, 4), np.float32)),
        "n": SharedCell("n", np.int64(3)),
    }


def _state() -> FitState:
    return FitState(
        **{"epoch": 3, "position": 2, "pending": True, "done": False},
        **{"best": 0.5, "patience": 70.5, "test_error": None, "error": 0.25},
        **{"is_fraction": True, "steps": 22, "seconds": 1.5, "elapsed": 0.125},
        **{"sizes": (10, 2, 0), "costs": np.array([0.5, 0.25], np.float32)},
        order=shuffled((np.arange(5),), 1, 7).state(),
        records=(EpochRecord(1, 0.5, None, 1.25, 0),),
    )


def _written(write: Callable[[Path], None]) -> bytes:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"hostile-{os.getpid()}.safetensors"
    try:
        write(path)
        return path.read_bytes()
    finally:
        path.unlink(missing_ok=True)


def _saved() -> bytes:
    return _written(lambda path: save_weights(path, _shared()))


def _checkpoint() -> bytes:
    memory = {name: cell.get_value() for name, cell in _shared().items()}
    about = About({"batch": 16, "stop": None}, {"lr": 0.5, "deep": True}, 1)
    return _written(lambda path: write_checkpoint(path, about, _state(), memory))


def _tensors_inside(source: random.Random) -> bytes:
    """Damage the JSON of the header, and put the right length before it."""
    content = _saved()
    length = int.from_bytes(content[:8], "little")
    header = damaged_json(source, json.loads(content[8 : 8 + length]))
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


def _state_inside(source: random.Random) -> bytes:
    """Damage the state of a run, under a right digest."""

    def write(path: Path) -> None:
        path.write_bytes(_checkpoint())
        file = read_tensors(path, 1 << 20)
        text = damaged_json(source, json.loads(file.metadata["tensorc"])).decode(
            errors="replace"
        )
        write_tensors(path, file.arrays, {"tensorc": text})

    return _written(write)


def damaged_json(source: random.Random, document: object) -> bytes:
    """Return a document as JSON, with one value of it replaced, dropped or repeated."""
    document = copy.deepcopy(document)
    holders = list(_holders(document))
    holder, key = source.choice(holders)
    if source.random() < 0.2:
        del holder[key]
    else:
        holder[key] = source.choice([*NASTY, source.choice(holders)[0]])
    try:
        text = json.dumps(document)
    except (ValueError, RecursionError):  # it holds itself
        text = "[" * 10_000
    data = text.encode()
    return damage_bytes(source, data) if source.random() < 0.2 else data


def _holders(value: object) -> list[tuple[dict[object, object] | list[object], object]]:
    """Return every place in a document, as what holds it and the key or number."""
    found: list[tuple[dict[object, object] | list[object], object]] = []
    pending = [value]
    while pending:
        holder = pending.pop()
        if isinstance(holder, dict | list):
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            found += [(holder, key) for key in keys]
            pending += [holder[key] for key in keys]
    return found


# How they are read


def _columns(path: Path) -> Arrays:
    return read_columns(path)


def _of(data: Dataset) -> Arrays:
    parts = {"train": data.train, "valid": data.valid, "test": data.test}
    return {
        f"{name} {column}": array
        for name, part in parts.items()
        if part is not None
        for column, array in part.columns.items()
    }


def _npz(path: Path) -> Arrays:
    return _of(npz(path))


def _idx(path: Path) -> Arrays:
    return _of(idx(path, path.parent / "labels-idx1-ubyte"))


def _csv(path: Path) -> Arrays:
    return _of(csv(path, label="label"))


def _mnist(path: Path) -> Arrays:
    return _of(mnist(path))


def _weights(path: Path) -> Arrays:
    shared = _shared()
    before = {name: cell.get_value() for name, cell in shared.items()}
    try:
        load_weights(path, shared)
    except TensorcError:
        after = {name: cell.get_value() for name, cell in shared.items()}
        assert _same(before, after), "an error has changed the memory"
        raise
    return {name: cell.get_value() for name, cell in shared.items()}


def _resumed(path: Path) -> Arrays:
    found = read_checkpoint(path, _shared())
    costs = found.state.costs
    return {**found.memory, "costs": np.zeros(0) if costs is None else costs}


# Cache entries


@once
def _compiled(folder: Path) -> tuple[str, bytes, bytes]:
    """Return the key and the content of an entry, and what its program computes."""
    os.environ["TENSORC_CACHE_DIR"] = str(folder / "cache")
    (folder / "model.tc").write_text(PROGRAM)
    right = apply(folder)
    entry = max(cache.entries(), key=lambda e: artifact_like(e.path))
    return entry.key, entry.path.read_bytes(), right


def artifact_like(path: Path) -> bool:
    """Tell whether an entry is a program: the pool's code is kept, too."""
    with suppress(ValueError):
        artifact_file.decode(path.read_bytes()[40:])
        return True
    return False


def apply(folder: Path) -> bytes:
    """Compile the program, or take it from the cache, and call it."""
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
    return np.asarray(api.load(folder / "model.tc").functions["apply"](x)).tobytes()


def wrong_entry(source: random.Random, folder: Path) -> tuple[bool, str]:
    """Damage an entry of the cache; return whether it was used, and what was wrong."""
    key, content, right = _compiled(folder)
    path = folder / "cache" / f"{key}.tca"
    kind = source.random()
    try:
        if kind < 0.3:
            return _hostile_payload(source, key, content)
        if kind < 0.4:
            _foreign(source, path, content)
        else:
            path.write_bytes(damage_bytes(source, content))
        used, wrong = _loaded(key, content)
        if not wrong and source.random() < 0.03:
            wrong = _computed(folder, right)
    except Exception:
        return False, traceback.format_exc()
    finally:
        _remove(path)
        path.parent.chmod(0o700)
        path.write_bytes(content)
    return used, wrong


def _loaded(key: str, content: bytes) -> tuple[bool, str]:
    """Load the entry: it is whole, or a miss with a warning."""
    start = time.process_time()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = cache.load(key)
    wrong = _slow(time.process_time() - start)
    if found is not None:
        return True, wrong if found == content[40:] else "a damaged entry is used"
    warned = [w for w in said if issubclass(w.category, CacheWarning)]
    return False, wrong or ("" if warned else "a miss without a warning")


def _computed(folder: Path, right: bytes) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        return "" if apply(folder) == right else "another result"


def _hostile_payload(
    source: random.Random, key: str, content: bytes
) -> tuple[bool, str]:
    """Read a payload whose digest is right: it is none, or a whole artifact."""
    payload = content[40:]
    size = int.from_bytes(payload[:8], "little")
    if source.random() < 0.7:
        header = damaged_json(source, json.loads(payload[8 : 8 + size]))
        payload = struct.pack("<Q", len(header)) + header + payload[8 + size :]
    else:
        payload = damage_bytes(source, payload[: 8 + size])
    cache.save(key, payload)
    start = time.process_time()
    stored = cache.load(key)
    try:
        artifact_file.decode(stored or b"")
    except ValueError as error:
        text = str(error)
        bad = not text.isprintable() or len(text) > LONGEST
        return False, f"the message {text[:1000]!r}" if bad else _slow(
            time.process_time() - start
        )
    return True, _slow(time.process_time() - start)


def _foreign(source: random.Random, path: Path, content: bytes) -> None:
    """Put in the entry's place what cannot be trusted, or is no file."""
    path.unlink()
    match source.randrange(7):
        case 0:
            path.symlink_to(path.with_suffix(".real"))
            path.with_suffix(".real").write_bytes(content)
        case 1:
            path.mkdir()
        case 2:
            os.mkfifo(path)
        case 3:
            path.write_bytes(content)
            path.chmod(source.choice((0o666, 0o622, 0o620)))
        case 4:
            path.write_bytes(content)
            os.truncate(path, source.choice((1 << 29, 1 << 40)))
        case 5:
            path.write_bytes(content)
            path.parent.chmod(source.choice((0o777, 0o770, 0o720)))
        case _:
            path.write_bytes(b"")


def _remove(path: Path) -> None:
    path.parent.chmod(0o700)
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
