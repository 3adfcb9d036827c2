"""How much memory readers take, and that no message shows what a file holds."""

import gzip
import io
import json
import pickle
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import tensorc as tc
from tensorc.cli.main import run
from tensorc.errors import TensorcError
from tensorc.runtime.files import columns as files
from tensorc.runtime.files import npy
from tensorc.runtime.files.weights import load_weights
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.training import data
from tests.runtime.test_data import encode

MIB = 1 << 20

# Prints how far the peak of memory grew, in MiB, and the code of a diagnostic.
MEASURE = """
import resource, sys
import numpy as np
from pathlib import Path
from tensorc.errors import DataError
from tensorc.runtime.files import csv_file
from tensorc.runtime.files import idx
from tensorc.runtime.files import npy
from tensorc.runtime.files import pickled
readers = {"csv": csv_file.read_csv, "idx": idx.read_idx, "npy": npy.read_npy,
           "npz": npy.read_npz, "pkl": pickled.read_pickled}
np.loadtxt(["1,2"], delimiter=",")
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before, code = peak(), "read"
try:
    readers[sys.argv[1]](Path(sys.argv[2]))
except DataError as error:
    code = error.diagnostics[0].code
print((peak() - before) // 1024, code)
"""


def measured(reader, path):
    command = [sys.executable, "-c", MEASURE, reader, str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    mib, code = output.split()
    return int(mib), code


def npy_bytes(shape, dtype="u1"):
    """Return the head of an .npy file of zeros."""
    stream = io.BytesIO()
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


def zipped(content):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
    return stream.getvalue()


def pickled_copies(size, copies):
    """Return a pickle that encodes one text again and again."""
    text = b"X" + struct.pack("<I", size) + b"a" * size + b"q\0"
    again = b"c_codecs\nencode\nh\0X\6\0\0\0latin1\x86R"
    return b"\x80\2" + text + again * copies + b"."


# Name, reader, content, and how much memory it may take at most, in MiB.
BOMBS = {
    "csv": lambda: ("csv", gzip.compress(b"0,0,0,0\n" * (8 * MIB)), 80),
    "csv of one line": lambda: ("csv", gzip.compress(b"0," * (32 * MIB)), 80),
    "csv of one cell": lambda: ("csv", gzip.compress(b"1" * (64 * MIB)), 80),
    "csv of empty lines": lambda: ("csv", gzip.compress(b"1\n" + b"\n" * 10**8), 80),
    "idx": lambda: (
        "idx",
        gzip.compress(struct.pack(">HBBI", 0, 8, 1, 300 * MIB) + bytes(300 * MIB)),
        80,
    ),
    "idx of a false size": lambda: (
        "idx",
        gzip.compress(struct.pack(">HBBI", 0, 8, 1, 60 * MIB) + bytes(1000)),
        10,
    ),
    "npz": lambda: (
        "npz",
        zipped(npy_bytes((900 * MIB,)) + bytes(900 * MIB)),
        20,
    ),
    "pkl": lambda: ("pkl", gzip.compress(bytes(200 * MIB), 1), 180),
    "pkl of copies": lambda: ("pkl", pickled_copies(MIB, 5000), 100),
    "npy of a false size": lambda: ("npy", npy_bytes((1 << 40,)), 10),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_in_little_memory(tmp_path, name):
    reader, content, most = BOMBS[name]()
    path = tmp_path / "file"
    path.write_bytes(content)
    mib, code = measured(reader, path)
    assert code.startswith("TC04")
    assert mib <= most


def test_reading_takes_little_more_than_the_data(tmp_path):
    values = np.random.default_rng(1).integers(0, 255, (64 * MIB,), np.uint8)
    paths = {
        "npy": values.view(np.float32),
        "npz": values.view(np.float32),
        "idx": values,
    }
    np.save(tmp_path / "npy", paths["npy"])
    (tmp_path / "npy.npy").rename(tmp_path / "npy")
    np.savez(tmp_path / "npz", x=paths["npz"])
    (tmp_path / "npz.npz").rename(tmp_path / "npz")
    (tmp_path / "idx").write_bytes(gzip.compress(encode(values.view(">f4")), 1))
    table = "0.25,0.5,0.125,3.0\n" * 500_000  # 16 MB of numbers
    (tmp_path / "csv").write_text(table)
    for reader, most in (("npy", 80), ("npz", 80), ("idx", 80), ("csv", 60)):
        mib, code = measured(reader, tmp_path / reader)
        assert (reader, code) == (reader, "read")
        assert mib <= most, reader


@pytest.mark.parametrize("factor", [10, 200])
def test_sparse_data_is_read(tmp_path, factor):
    """Images unfold to some 10 times their bytes, sparse data to 200 times."""
    count = 80 * MIB
    values = np.zeros(count, np.uint8)
    every = {10: 14, 200: 560}[factor]
    values[::every] = np.random.default_rng(2).integers(1, 255, len(values[::every]))
    np.savez_compressed(tmp_path / "a.npz", x=values)
    size = (tmp_path / "a.npz").stat().st_size
    assert factor / 2 < count / size < 256
    assert (npy.read_npz(tmp_path / "a.npz")["x"] == values).all()


def test_small_files_may_unfold_to_anything(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(60 * MIB, np.uint8))
    assert npy.read_npz(tmp_path / "a.npz")["x"].size == 60 * MIB


def sparse_npy(path, count):
    with path.open("wb") as file:
        file.write(npy_bytes((count,)))
        file.truncate(file.tell() + count)


@pytest.mark.slow
def test_data_beyond_a_gibibyte_is_read(tmp_path):
    path = tmp_path / "a.npy"
    sparse_npy(path, 1100 * MIB)
    assert measured("npy", path)[1] == "read"


def test_data_beyond_the_memory_stays_on_disk(tmp_path, monkeypatch):
    path = tmp_path / "a.npy"
    sparse_npy(path, 1100 * MIB)
    monkeypatch.setattr(files, "_machine_memory", lambda: 2000 * MIB)
    columns = data.read_columns(path)
    assert len(columns["x"]) == 1100 * MIB
    assert not columns["x"].flags.owndata
    assert not columns["x"].flags.writeable
    assert columns["x"][-1] == 0


# What messages show

MARKER = "MARKERhunter2"
M = MARKER.encode()


def npy_file(text):
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


def tensors(header):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    return struct.pack("<Q", len(text)) + text + b"ab"


def npz_of(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def entry(**changes):
    return {"dtype": "F16", "shape": [1], "data_offsets": [0, 2], **changes}


ONE, TWO, NUMBER = np.ones(1), np.ones(2), np.array(1)
CONTENTS = {
    "text": M,
    "lines": b"1\n" + M + b"\n",
    "table": b"1,2\n3," + M,
    "quoted": b'1,2\n3,"' + M + b'"\n',
    "open quote": b'1,2\n3,"' + M,
    "names": M + b"," + M + b"\n1,2\n",
    "two names": M + b",b\n1,2\n",
    "one name": M + b"\n",
    "ragged": M + b",b\n1\n",
    "not UTF-8": M + b"\xff\n",
    "gzip of text": gzip.compress(M),
    "gzip and text": gzip.compress(encode(np.ones(3, np.uint8))) + M,
    "npy header": npy_file(M),
    "npy type": npy_file(b"{'descr': '" + M + b"', 'fortran_order': False, }"),
    "npy elements": npy_bytes((2,)) + M,
    "npz name": npz_of(**{MARKER: NUMBER}),
    "npz lengths": npz_of(**{MARKER: ONE, "b": TWO}),
    "npz part": npz_of(**{"x_train": ONE, MARKER: TWO}),
    "npz columns": npz_of(**{MARKER: ONE}),
    "zip of text": zipped(M),
    "zip name": zipped(M).replace(b"x.npy", b"MARKE"),
    "pickle name": b"c" + M + b"\n" + M + b"\n.",
    "pickle type": b"cnumpy\ndtype\n(S'" + M + b"'\nI0\nI1\ntR.",
    "pickle number": b"I" + M + b"\n.",
    "pickle text": b"S" + M + b"\n.",
    "pickle value": pickle.dumps(MARKER, 2),
    "pickle of a dictionary": pickle.dumps({MARKER: MARKER}, 2),
    "header": tensors(M),
    "header's name": tensors({MARKER + "/": entry()}),
    "header's type": tensors({"a": entry(dtype=MARKER)}),
    "header's shape": tensors({"a": entry(shape=MARKER)}),
    "header's key": tensors({"a": {MARKER: 1}}),
    "metadata": tensors({"__metadata__": {MARKER: 1}}),
    "overlap": tensors({MARKER: entry(), "b": entry()}),
    "idx": b"\0\0\x08\1\0\0\0\1" + M,
}
PROGRAM = """
fn error(q: float[B], z: float[B]) -> float = mean(q + z)
fn square(x: float[B]) -> float = mean(x)
step train(q: float[B], z: float[B]) -> float {{ return mean(q + z) }}
fit {{ data = {call}  batch = 1  step = train  epochs = 1 }}
"""
CALLS = (
    *('csv("f")', 'csv("f", label="q")', 'csv("f", label=7)', 'csv("f", label=0)'),
    *('npz("f")', 'npz("f", "f")', 'idx("f", "f")', 'mnist("f")', 'mnist("f.pkl")'),
    *('mnist("f.pkl.gz")', 'csv("f.gz")'),
)


@pytest.mark.parametrize("name", CONTENTS)
def test_no_message_shows_what_a_file_holds(tmp_path, name, capsys):
    for suffix in ("", ".pkl", ".pkl.gz", ".gz", ".npy", ".npz", ".csv", ".csv.gz"):
        (tmp_path / f"f{suffix}").write_bytes(CONTENTS[name])
    model = tmp_path / "m.tc"
    for call in CALLS:
        model.write_text(PROGRAM.format(call=call))
        run(["train", str(model)])
    run(["eval", str(model)])
    for suffix in ("", ".npy", ".npz", ".csv", ".csv.gz"):
        file = str(tmp_path / f"f{suffix}")
        assert run(["predict", f"{model}::error", "--data", file]) == 1
        assert (
            run(["run", f"{model}::error", "--arg", f"q={file}", "--arg", "z=1"]) == 1
        )
    shown = capsys.readouterr()
    assert "TC0" in shown.err
    assert MARKER not in shown.out + shown.err
    assert MARKER[:6] not in shown.out + shown.err
    shared = {"w": SharedCell("w", 1.0)}
    for suffix in (".safetensors", ".npz"):
        path = tmp_path / f"weights{suffix}"
        path.write_bytes(CONTENTS[name])
        with pytest.raises(TensorcError) as caught:
            load_weights(path, shared)
        if caught.value.diagnostics[0].code != "TC0802":  # whose arrays are at hand
            assert MARKER not in str(caught.value)


@pytest.mark.parametrize("name", CONTENTS)
def test_no_message_of_the_python_doors_shows_it_either(tmp_path, name):
    q, z = tc.vector("q"), tc.vector("z")
    step = tc.function([q, z], tc.mean(q + z))
    traced = tc.step(lambda q, z: tc.mean(q + z))
    for reader, file in (
        (tc.data.csv, "f"),
        (tc.data.npz, "f"),
        (tc.data.mnist, "f.pkl"),
        (lambda path: tc.data.idx(path, path), "f"),
    ):
        path = tmp_path / file
        path.write_bytes(CONTENTS[name])
        with pytest.raises((TensorcError, TypeError)) as caught:
            tc.fit(step, reader(path), batch=1, epochs=1)
        assert MARKER not in str(caught.value)
        with pytest.raises((TensorcError, TypeError)) as caught:
            tc.fit(traced, reader(path), batch=1, epochs=1)
        assert MARKER not in str(caught.value)
