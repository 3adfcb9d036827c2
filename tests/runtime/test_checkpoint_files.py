"""Checkpoints and weights from files that are damaged or hostile: only diagnostics."""

import io
import json
import math
import os
import random
import struct
import zipfile
from contextlib import suppress

import numpy as np
import pytest

from tensorc.errors import DataError, TensorcError, TensorcWarning
from tensorc.runtime.files import columns, npy, tensor_file
from tensorc.runtime.files.tensor_file import read_tensors, write_tensors
from tensorc.runtime.files.weights import load_weights, save_weights
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training import keeping
from tensorc.runtime.training.checkpoint import (
    About,
    compare,
    read_checkpoint,
    write_checkpoint,
)
from tensorc.runtime.training.fit_state import FitState
from tensorc.runtime.training.history import EpochRecord
from tensorc.runtime.training.shuffling import shuffled

MEMORY = {
    "W": np.arange(6, dtype=np.float32).reshape(2, 3),
    "t": np.array(4),
    "net.mask": np.array([True, False]),
    "empty": np.zeros((0, 3), np.float16),
}
ABOUT = About({"batch": 16, "stop": None}, {"lr": 0.5, "deep": True}, 1)


def state(**changes):
    order = shuffled((np.arange(5),), 1, 2**70 + 3).state()
    values = {
        **{"epoch": 3, "position": 2, "pending": True, "done": False},
        **{"best": math.inf, "patience": 70.5, "test_error": None, "error": 0.25},
        **{"is_fraction": True, "steps": 22, "seconds": 1.5, "elapsed": 0.125},
        **{"sizes": (10, 2, 0), "costs": np.float32([0.5, math.nan])},
        "order": order,
        "records": (
            EpochRecord(1, 0.5, None, 1.25, 0),
            EpochRecord(2, math.inf, 0.1, 1.5, 960),
        ),
    }
    return FitState(**{**values, **changes})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "last.safetensors"


def put(path, content):
    """Write a new file: some file systems wait for the disk when one is replaced."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def same_arrays(left, right):
    assert set(left) == set(right)
    for name in left:
        assert left[name].dtype == right[name].dtype
        assert left[name].shape == right[name].shape
        assert left[name].tobytes() == right[name].tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"best": 0.5, "patience": math.inf, "order": None, "done": True},
        {"epoch": 1, "records": (), "position": 0, "costs": np.zeros(0, np.float64)},
    ],
)
def test_what_is_written_is_read(path, changes):
    written = state(**changes)
    write_checkpoint(path, ABOUT, written, MEMORY)
    found = read_checkpoint(path, {})
    assert found.about == ABOUT
    same_arrays(found.memory, MEMORY)
    assert found.state.costs.tobytes() == written.costs.tobytes()
    for name in FitState.__slots__:
        if name != "costs":
            assert getattr(found.state, name) == getattr(written, name), name


def test_a_step_without_a_number_has_no_costs(path):
    records = (EpochRecord(1, None, 0.5, 1.0),)
    write_checkpoint(path, ABOUT, state(costs=None, records=records), MEMORY)
    found = read_checkpoint(path, {})
    assert found.state.costs is None
    assert found.state.records == records


def test_the_shuffling_goes_on(path):
    columns = (np.arange(50),)
    one, two = shuffled(columns, 1, 9), shuffled(columns, 1, 9)
    for _ in range(3):
        one.reorder()
    write_checkpoint(path, ABOUT, state(order=one.before), MEMORY)
    two.go_back(read_checkpoint(path, {}).state.order)
    two.reorder()
    assert (one.order == two.order).all()
    assert (one.order != np.arange(50)).any()
    assert one.state() == two.state()


def test_truncated_anywhere(path):
    write_checkpoint(path, ABOUT, state(), MEMORY)
    content = path.read_bytes()
    for size in range(0, len(content), 3):
        put(path, content[:size])
        with pytest.raises(DataError) as failure:
            read_checkpoint(path, {})
        assert failure.value.diagnostics[0].code == "TC0801"
    put(path, content + b"\0")
    with pytest.raises(DataError, match="do not fill the file"):
        read_checkpoint(path, {})


def test_flipped_anywhere(path):
    write_checkpoint(path, ABOUT, state(), MEMORY)
    content = path.read_bytes()
    sound = read_checkpoint(path, {})
    rng = random.Random(1)
    for place in range(0, len(content), 2):
        changed = bytearray(content)
        changed[place] ^= 1 << rng.randrange(8)
        put(path, changed)
        try:
            found = read_checkpoint(path, {})
        except DataError:
            continue
        # White space of the header's JSON may differ.
        assert found.state.records == sound.state.records
        same_arrays(found.memory, sound.memory)


def file_of(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


NAMELESS = "array 1 has no name of an array"
JSON = "the header is not the JSON of arrays"
TAKES = "the shape of an array takes other bytes than it has"
BEHIND = "the bytes of an array are not behind those of another"
FILL = "the arrays do not fill the file: it was cut off, or extended"


def entry(dtype="U8", shape=(2,), begin=0, end=2):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the header is said to have 0 bytes, the file has 0"),
        (b"\0" * 8, JSON),
        (b"\xff" * 8 + b"{}", "18,446,744,073,709,551,615 bytes"),
        (file_of(b"{}", length=2**20 + 1) + b" " * 2**20, "said to have 1,048,577"),
        (file_of([]), JSON),
        (file_of(b"[" * 100_000), JSON),
        (file_of(b'{"a": NaN}'), JSON),
        (file_of(b'{"a": 1' + b"0" * 5000 + b"}"), JSON),
        (file_of(b"\xff\xfe"), "the header is not UTF-8"),
        (file_of(b'{"a": {}, "a": {}}'), JSON),
        (file_of({"a": 3}), JSON),
        (file_of({"a": entry("F8")}, b"ab"), JSON),
        (file_of({"a": entry([])}, b"ab"), JSON),
        (file_of({"a": entry(shape=(3,))}, b"ab"), TAKES),
        (file_of({"a": entry(shape=(-2,))}, b"ab"), JSON),
        (file_of({"a": entry(shape=(True, 2))}, b"ab"), JSON),
        (file_of({"a": entry(shape=(2.0,))}, b"ab"), JSON),
        (file_of({"a": entry(shape=[2**40] * 30)}, b"ab"), "more bytes than there are"),
        (file_of({"a": entry(shape=[1] * 33)}, b"ab"), TAKES),
        (file_of({"a": entry(begin=2, end=0)}, b"ab"), BEHIND),
        (file_of({"a": entry(begin=1, end=3)}, b"abc"), BEHIND),
        (
            file_of({"a": entry(), "b": entry(begin=1, end=3)}, b"abc"),
            BEHIND,
        ),
        (file_of({"a": entry()}, b"abc"), FILL),
        (file_of({"a": entry()}, b"a"), FILL),
        (file_of({"a": entry("F8_E4M3")}, b"ab"), "a dtype that is not of"),
        (file_of({"a": entry("C64", (1,), 0, 8)}, b"abcdefgh"), "a dtype that is not"),
        (file_of({"a": entry(shape=[1] * 32 + [2])}, b"ab"), "more than 32 axes"),
        (file_of({"a": entry(shape=(0, 2**48), end=0)}), "or a huge one"),
        (file_of({"a": entry("BOOL")}, b"\1\2"), "other than 0 and 1"),
        (file_of({"../../x": entry()}, b"ab"), NAMELESS),
        (file_of({"/etc/x": entry()}, b"ab"), NAMELESS),
        (file_of({"a\0b": entry()}, b"ab"), NAMELESS),
        (file_of({"": entry()}, b"ab"), NAMELESS),
        (file_of({"a" * 1001: entry()}, b"ab"), NAMELESS),
        (file_of({"__metadata__": []}), JSON),
        (file_of({"__metadata__": {"a": 1}}), JSON),
        (
            file_of({f"a{n}": entry(shape=(0,), end=0) for n in range(10_001)}),
            "10,001 arrays, at most 10,000",
        ),
        (file_of({"__metadata__": {}}), "no state of a run"),
        (file_of({"__metadata__": {"tensorc": "{}"}}), "there is no digest"),
        (file_of({"__metadata__": {"tensorc.sha256": "0"}}), "the digest is not"),
    ],
)
def test_hostile_headers(path, content, words):
    put(path, content)
    with pytest.raises(DataError) as failure:
        read_checkpoint(path, {})
    (diagnostic,) = failure.value.diagnostics
    assert diagnostic.code == "TC0801"
    assert words in diagnostic.message
    assert len(diagnostic.message) < 500


def rewritten(path, change):
    """Change the state in a checkpoint, with a right digest."""
    file = read_tensors(path, 1 << 20)
    document = json.loads(file.metadata["tensorc"])
    arrays = dict(file.arrays)
    change(document, arrays)
    write_tensors(path, arrays, {"tensorc": json.dumps(document)})


HOSTILE = [None, True, -1, 0.5, 1e308, 2**70, "x", "\0", [], {}, [1, 2, 3], 10**400]


@pytest.mark.parametrize(
    "field", sorted(set(FitState.__slots__) - {"costs", "records"})
)
def test_hostile_states(path, field):
    for value in [*HOSTILE, math.nan, math.inf]:
        write_checkpoint(path, ABOUT, state(), MEMORY)
        rewritten(
            path, lambda document, _, v=value: document["state"].update({field: v})
        )
        try:
            found = read_checkpoint(path, {})
        except DataError:
            continue
        kept = getattr(found.state, field)
        kept = list(kept) if isinstance(kept, tuple) else kept
        assert kept == value or (value is None and kept == math.inf)


def test_hostile_documents(path):
    def run(change):
        write_checkpoint(path, ABOUT, state(), MEMORY)
        rewritten(path, change)
        with pytest.raises(DataError) as failure:
            read_checkpoint(path, {})
        assert failure.value.diagnostics[0].code == "TC0801"
        assert failure.value.diagnostics[0].message.isprintable()

    for value in HOSTILE:
        run(lambda document, _, v=value: document.update(version=v))
        run(lambda document, _, v=value: document.update(state=v))
        if value != {}:
            run(lambda document, _, v=value: document.update(same=v))
        run(lambda document, _: document["state"].pop("epoch"))
        run(lambda document, arrays: arrays.pop("fit:records"))
        run(lambda document, arrays: arrays.update({"fit:records": np.zeros((2, 3))}))
        run(lambda document, arrays: arrays.update({"fit:costs": np.zeros(5)}))
    nan = np.full((2, 4), math.nan)
    run(lambda document, arrays: arrays.update({"fit:records": nan}))


def test_nothing_changes_unless_all_fits(path):
    shared = {
        name: SharedCell(name, np.zeros_like(value)) for name, value in MEMORY.items()
    }
    write_checkpoint(path, ABOUT, state(), MEMORY)
    checkpoint = read_checkpoint(path, {})
    with pytest.raises(DataError) as failure:
        compare(checkpoint, About({"batch": 8, "stop": "5"}, {}), shared)
    (diagnostic,) = failure.value.diagnostics
    assert diagnostic.code == "TC0804"
    assert "batch is 8 here, 16 there" in diagnostic.message
    assert diagnostic.notes == ("stop is 5 here, none there",)
    assert not shared["W"].get_value().any()
    hypers = {"lr": 0.25, "deep": True}
    assert compare(checkpoint, About(ABOUT.same, hypers), shared) == [
        "lr is 0.25 here, 0.5 there"
    ]
    checkpoint.start(shared).put_back()
    same_arrays({name: cell.get_value() for name, cell in shared.items()}, MEMORY)


def test_a_full_disk_leaves_the_old_file(path, monkeypatch):
    write_checkpoint(path, ABOUT, state(), MEMORY)
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(columns.os, "fsync", full)
    with pytest.raises(TensorcError, match="No space left") as failure:
        write_checkpoint(path, ABOUT, state(epoch=9), MEMORY)
    assert failure.value.diagnostics[0].code == "TC0902"
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_keeper_goes_on_without_a_disk_once_it_has_written(tmp_path, monkeypatch):
    shared = {"w": SharedCell("w", 1.0)}
    keeper = keeping.Keeper(tmp_path / "a" / "b", ABOUT, shared)
    with keeping.keeping(keeper):
        keeper.hear("validation", state)
        written = keeper.last.read_bytes()

        def full(path, content, is_ours):
            raise TensorcError()

        monkeypatch.setattr(tensor_file, "replace_file", full)
        with pytest.warns(TensorcWarning, match="TC0902: no checkpoint"):
            keeper.hear("end", state)
        assert keeper.last.read_bytes() == written
    other = keeping.Keeper(tmp_path, ABOUT, shared)
    with pytest.raises(TensorcError):
        other.hear("end", state)
    blocked = keeping.Keeper(keeper.last / "x", ABOUT, shared)
    with pytest.raises(TensorcError, match="cannot be made"), keeping.keeping(blocked):
        pass


# Weights


@pytest.fixture
def shared():
    return {
        "W": SharedCell("W", np.ones((2, 3), np.float32)),
        "n": SharedCell("n", np.int32(7)),
    }


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_weights_come_by_name(tmp_path, shared, ending):
    path = tmp_path / f"w.{ending}"
    values = np.arange(6.0).reshape(2, 3)
    if ending == "npz":
        np.savez_compressed(path, W=np.asfortranarray(values))
    else:
        write_tensors(path, {"W": values, "fit:costs": np.zeros(2)}, {})
    assert load_weights(path, shared) == ["n"]
    assert (shared["W"].get_value() == values).all()
    assert shared["n"].get_value() == 7


def test_weights_survive_a_round_trip(tmp_path, shared):
    path = tmp_path / "w.safetensors"
    save_weights(path, shared)
    other = {
        name: SharedCell(name, np.zeros_like(c.get_value()))
        for name, c in shared.items()
    }
    assert load_weights(path, other) == []
    same_arrays(*({n: c.get_value() for n, c in m.items()} for m in (shared, other)))
    with pytest.raises(TensorcError, match="weights are"):
        save_weights(tmp_path / "w.pt", shared)


def test_damaged_elements_are_seen(tmp_path, shared):
    path = tmp_path / "w.safetensors"
    save_weights(path, shared)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    put(path, content)
    with pytest.raises(DataError, match="the digest is not"):
        load_weights(path, shared)


@pytest.mark.parametrize(
    ("arrays", "code", "words"),
    [
        ({"W": np.ones((2, 3)), "V": np.ones(1)}, "TC0802", "no param or state 'V'"),
        ({}, "TC0802", "there is no array"),
        (
            {"W": np.ones((3, 2))},
            "TC0803",
            "f32[2, 3] in the program, f64[3, 2] in the",
        ),
        ({"W": np.full((2, 3), 1e300)}, "TC0803", "1e+300 does not fit f32"),
        ({"n": np.array(1.0)}, "TC0803", "i32 expected, f64 given"),
        ({"W": np.zeros((2, 3)), "n": np.array(2**40)}, "TC0803", "does not fit i32"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(tmp_path, shared, arrays, code, words):
    path = tmp_path / "w.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError) as failure:
        load_weights(path, shared)
    (diagnostic,) = failure.value.diagnostics
    assert diagnostic.code == code
    assert words in diagnostic.message
    assert (shared["W"].get_value() == 1).all()
    if code == "TC0802" and arrays:
        assert diagnostic.notes == ("the file has W, V", "the program has W, n")


def test_weights_of_other_forms(tmp_path, shared):
    (tmp_path / "w.pt").write_bytes(b"PK")
    cases = (("w.pt", "TC0806"), ("v.pt", "TC0401"), ("w.npz", "TC0401"))
    for name, code in cases:
        with pytest.raises(DataError) as failure:
            load_weights(tmp_path / name, shared)
        assert failure.value.diagnostics[0].code == code


# NumPy's files


def saved(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=dtype).reshape(2, 3)
        for dtype in ("<f4", ">f4", "<f8", ">i2", "<i8", "u1", "<u4", "<f2")
    ]
    + [
        np.array(2.5),
        np.zeros((0, 3)),
        np.array([True, False]),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    ],
)
def test_npy_as_numpy_writes_it(tmp_path, array):
    path = tmp_path / "a.npy"
    for version in ((1, 0), (2, 0), (3, 0)):
        with path.open("wb") as file:
            np.lib.format.write_array(file, array, version)
        found = npy.read_npy(path)
        assert found.dtype == array.dtype.newbyteorder("=")
        assert found.shape == array.shape
        assert (found == array).all()


def header(text, data=b""):
    padded = text.encode("latin-1")
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(padded)) + padded + data


def dictionary(descr="'<f4'", fortran="False", shape="(1,)"):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\1\0",
        b"\x93NUMPY\4\0\2\0{}",
        b"\x93NUMPY\2\0\xff\xff\xff\xff{}",
        header("{}"),
        header(dictionary("'|O'"), b"cos\nsystem\n"),
        header(dictionary("'<V4'"), b"abcd"),
        header(dictionary("[('a', '<f4')]"), b"abcd"),
        header(dictionary("'<f1'"), b"a"),
        header(dictionary("'<b4'"), b"abcd"),
        header(dictionary("'|b1'"), b"\2"),
        header(dictionary(shape="(1, -1)"), b"abcd"),
        header(dictionary(shape="(,)"), b"abcd"),
        header(dictionary(shape="(4294967296, 4294967296, 4294967296)"), b"abcd"),
        header(dictionary(shape="(" + "9" * 900 + ",)"), b"abcd"),
        header(dictionary(shape="(" + "1," * 33 + ")"), b"abcd"),
        header(dictionary(shape="(2,)"), b"abcd"),
        header(dictionary(), b"abcde"),
        header(dictionary(fortran="__import__('os')"), b"abcd"),
        header("{'a': " + "(" * 3000 + ")" * 3000 + "}"),
        header("{'a': " + "-" * 9000 + "1}"),
        header("-" * 60_000 + "1"),
        header("{[]: 1}"),
        header("{'a': 1is 2}"),
        header("{'a': '\\q'}"),
        header("{'descr': '<f4',\n  'shape': (\n"),
        header(dictionary("'<f4" + ",<f4" * 2000 + "'"), b"abcd"),
        header(dictionary("[" + "('', '<f4')," * 700 + "]"), b"abcd"),
        header(dictionary("('<f4', (2147483647, 2147483647))"), b"abcd"),
        header(dictionary(shape="(True,)")[:-3] + ", 'x': 1, }", b"abcd"),
    ],
)
def test_hostile_npy(tmp_path, content):
    path = tmp_path / "a.npy"
    put(path, content)
    with pytest.raises(DataError) as failure:
        npy.read_npy(path)
    (diagnostic,) = failure.value.diagnostics
    assert diagnostic.code == "TC0408"
    assert len(diagnostic.message) < 500


def zipped(members, method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def test_bombs_take_no_memory(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    put(path, zipped([("a.npy", b"\0" * (1 << 26))]))
    small = path.read_bytes()
    assert len(small) < 100_000
    monkeypatch.setattr(columns, "SMALL", 1 << 20)
    with pytest.raises(DataError) as failure:
        npy.read_npz(path)
    assert failure.value.diagnostics[0].code == "TC0405"
    # The archive tells a smaller size than there is.
    size = struct.pack("<I", 1 << 26)
    put(path, small.replace(size, struct.pack("<I", 100)))
    with pytest.raises(DataError) as failure:
        npy.read_npz(path)
    assert failure.value.diagnostics[0].code == "TC0408"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\3\4", "no .npz file"),
        (b"", "no .npz file"),
        (zipped([("a.txt", b"")]), "is no .npy file"),
        (
            zipped([("a.npy", saved(np.ones(2)))], zipfile.ZIP_LZMA),
            "a method of its own",
        ),
        (zipped([("a.npy", b"PK")]), "member 1: .npy starts with"),
    ],
)
def test_hostile_npz(tmp_path, content, words):
    path = tmp_path / "a.npz"
    put(path, content)
    with pytest.raises(DataError) as failure:
        npy.read_npz(path)
    assert words in failure.value.diagnostics[0].message


def test_mutants_of_npz_give_diagnostics_only(tmp_path):
    path = tmp_path / "a.npz"
    arrays = {"W": np.arange(6, dtype=np.float32), "label": np.arange(3)}
    np.savez(path, **arrays)
    plain = path.read_bytes()
    np.savez_compressed(path, **arrays)
    rng = random.Random(4)
    for content in (plain, path.read_bytes()):
        for _ in range(1000):
            changed = mutated(content, rng)
            put(path, changed)
            with suppress(DataError):
                npy.read_npz(path)


def mutated(content, rng):
    """Change some bytes, cut, or repeat a piece."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5])):
        place = rng.randrange(len(changed))
        match rng.randrange(5):
            case 0 | 1:
                changed[place] = rng.randrange(256)
            case 2:
                changed[place] ^= 1 << rng.randrange(8)
            case 3:
                del changed[place : place + rng.randrange(9)]
            case _:
                changed[place:place] = changed[place : place + rng.randrange(9)]
        if not changed:
            break
    return bytes(changed)


def test_files_larger_than_the_program_can_fill_are_not_read(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no place on the disk
    shared = {"w": SharedCell("w", np.zeros(1000))}
    for call in (read_checkpoint, load_weights):
        with pytest.raises(DataError) as failure:
            call(path, shared)
        assert failure.value.diagnostics[0].code == "TC0405"


def test_pipes_are_not_waited_for(path, shared):
    os.mkfifo(path)
    with pytest.raises(DataError, match="not a regular file"):
        load_weights(path, shared)
