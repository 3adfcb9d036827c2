"""Readers of npz, csv and mnist.pkl.gz: what they give, and what they refuse."""

import gzip
import pickle
import random
import struct
import subprocess
import sys
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import DataError
from tensorc.recipes import DataCall
from tensorc.runtime.files import columns as files
from tensorc.runtime.files import pickled
from tensorc.runtime.training.data import csv, mnist, npz, open_dataset
from tests.runtime.test_checkpoint_files import mutated, put


def failure_of(call, *arguments, **named):
    with pytest.raises(DataError) as failure:
        call(*arguments, **named)
    (diagnostic,) = failure.value.diagnostics
    return diagnostic


# npz


def test_npz_columns_by_name(tmp_path):
    x, y = np.arange(6.0).reshape(3, 2), np.arange(3)
    np.savez(tmp_path / "a.npz", x=x, y=y)
    np.savez(tmp_path / "b.npz", x=x[:2], y=y[:2])
    one = npz(tmp_path / "a.npz")
    assert (one.train.columns["x"] == x).all()
    assert one.valid is None
    both = tc.data.npz(tmp_path / "a.npz", tmp_path / "b.npz")
    assert len(both.valid) == 2
    assert both.test is None


def test_npz_parts_in_one_file(tmp_path):
    path = tmp_path / "all.npz"
    np.savez(path, x_train=np.ones(5), y_train=np.ones(5), x_test=np.ones(2))
    found = npz(path)
    assert sorted(found.train.columns) == ["x", "y"]
    assert found.valid is None
    assert sorted(found.test.columns) == ["x"]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {"x": np.ones(3), "y": np.ones(2)},
            "differ in length: array 1 has 3, array 2 has 2",
        ),
        ({"x": np.ones(3), "lr": np.array(1)}, "array 2 is one number"),
        ({}, "is empty"),
        ({"x_train": np.ones(3), "y": np.ones(3)}, "array 2 is of no part"),
        ({"x_test": np.ones(3)}, "ends in _train"),
    ],
)
def test_npz_that_holds_no_columns(tmp_path, arrays, words):
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    found = failure_of(npz, path)
    assert found.code == "TC0407"
    assert words in found.message


# CSV


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("zipped", [False, True])
def test_csv_with_a_label(tmp_path, ending, zipped):
    path = tmp_path / "a.csv"
    lines = ['width,"height, cm",class', "1, 2.5,0", "", ' -3e2,"4",1', "nan,.5,2"]
    content = "\ufeff".encode() + ending.join(lines).encode()
    path.write_bytes(gzip.compress(content) if zipped else content)
    for label in ("class", 2, -1):
        columns = csv(path, label=label).train.columns
        np.testing.assert_array_equal(
            columns["x"], [[1, 2.5], [-300, 4], [np.nan, 0.5]]
        )
        assert columns["y"].dtype == np.int64
        assert columns["y"].tolist() == [0, 1, 2]
    y = tc.data.csv(path, label=1).train.columns["y"]
    assert y.tolist() == [2.5, 4, 0.5]
    named = csv(path).train.columns
    assert list(named) == ["width", "height, cm", "class"]
    assert named["class"].tolist() == [0, 1, 2]


def test_csv_without_names(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1,2\n3,4\n")
    assert csv(path).train.columns["x"].tolist() == [[1, 2], [3, 4]]
    assert csv(path, label=0).train.columns["y"].tolist() == [1, 3]
    found = failure_of(csv, path, label="class")
    assert found.message.endswith("there is no column 'class'")
    assert found.hints == ("it has 2 columns, by number from 0 to 1",)
    assert failure_of(csv, path, label=2).code == "TC0407"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("\n1,2\n", "the first line is empty"),
        ("a,b\n1,2\n3\n", "line 3 has 1 cells, the first 2"),
        ("1,2\n3,4,5\n", "line 2 has 3 cells, the first 2"),
        ("a,b\n1,2,3\n", "line 2 has 3 cells, the first 2"),
        ("1,2\n3,setosa\n", "line 2, column 2 is not a number: 6 characters"),
        ("1,2\n3,\n", "line 2, column 2 is empty"),
        ("a;b\n1;2\n", "line 2, column 1 has 2 numbers with semicolons between"),
        ("1\t2\t3\n4\t5\t6\n", "line 2, column 1 has 3 numbers with tabs between"),
        ("1,2\n0 1,3\n", "line 2, column 1 has 2 numbers with spaces between"),
        ("1,2\n3,x\n", "line 2, column 2 is not a number: 1 character"),
        ("1,2\n3,1_0\n", "line 2, column 2 is not a number: 3 characters"),
        ("1,2\n3,0x10\n", "line 2, column 2 is not a number: 4 characters"),
        ('1,2\n3,"4\n', "a quote is not closed"),
        ("1,x\n", "line 1, column 2 is not a number: 1 character"),
        ("1_000,2\n3,4\n", "line 1, column 1 is not a number: 5 characters"),
        (",1,2\n0,3,4\n", "line 1, column 1 is empty"),
        ("a,a\n1,2\n", "two columns have the same name"),
        ("\xff\n", "is not UTF-8"),
    ],
)
def test_csv_that_is_none(tmp_path, text, words):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode("latin-1"))
    found = failure_of(csv, path)
    assert found.code in ("TC0407", "TC0408")
    assert words in found.message


@pytest.mark.parametrize("label", [2**53, 2**62, -(2**53) - 2, 2**63 - 2**10])
def test_large_labels_of_csv_stay_integers(tmp_path, label):
    path = tmp_path / "a.csv"
    path.write_text(f"1.5,7\n2.5,{label}\n")
    labels = csv(path, label=1).train.columns["y"]
    assert labels.dtype == np.int64
    assert labels.tolist() == [7, label]


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**63 - 1, 10**30 + 1])
def test_integers_that_would_be_rounded_are_refused(tmp_path, number):
    path = tmp_path / "a.csv"
    path.write_text(f"a,b\n1,7\n\n2, {number}\n")
    found = failure_of(csv, path, label="b")
    assert found.code == "TC0408"
    assert "line 4, column 2 is an integer that a float of 64" in found.message
    path.write_text("a,b\n1,1e300\n2,12345678901234567.5\n")
    assert len(csv(path).train.columns["b"]) == 2


def test_mutants_of_csv_give_diagnostics_only(tmp_path):
    path = tmp_path / "a.csv"
    content = b'a,b,"c"\n1,2.5,3\n4,"5",-6e3\n7,8,nan\n'
    rng = random.Random(2)
    for number in range(3000):
        put(path, mutated(content, rng))
        with suppress(DataError):
            csv(path, label="a" if number % 2 else None)


# mnist.pkl.gz


def data_set(rows=(7, 3, 2)):
    rng = np.random.default_rng(3)
    return tuple(
        (rng.random((n, 4)).astype(np.float32), rng.integers(0, 10, n)) for n in rows
    )


def assert_same(found, given):
    for split, (x, y) in zip(
        (found.train, found.valid, found.test), given, strict=True
    ):
        assert split.columns["x"].dtype == np.float32
        np.testing.assert_array_equal(split.columns["x"], x)
        np.testing.assert_array_equal(split.columns["y"], y)


@pytest.mark.parametrize("protocol", [0, 1, 2])
@pytest.mark.parametrize("name", ["mnist.pkl", "mnist.pkl.gz"])
def test_what_python_3_pickles(tmp_path, protocol, name):
    path = tmp_path / name
    content = pickle.dumps(data_set(), protocol)
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert_same(mnist(path), data_set())
    assert_same(open_dataset(DataCall("mnist", (name,)), tmp_path), data_set())


def array_of_python_2(array, binary):
    """Write an array as Python 2's cPickle did: protocol 0, or 2 with short texts."""

    def text(value):
        if not binary:
            return b"S" + repr(value)[1:].encode() + b"\n"
        if len(value) < 256:
            return b"U" + struct.pack("B", len(value)) + value
        return b"T" + struct.pack("<i", len(value)) + value

    def number(value):
        if not binary:
            return b"I%d\n" % value
        return b"K" + bytes([value])

    head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n("
    head += number(0) + b"t" + text(b"b") + b"tR(" + number(1)
    shape = b"(" + b"".join(map(number, array.shape)) + b"t"
    spelling = array.dtype.str[1:].encode()
    dtype = b"cnumpy\ndtype\n(" + text(spelling) + number(0) + number(1) + b"tR("
    dtype += number(3) + text(b"<") + b"NNN"
    dtype += (b"I-1\n" * 2 if not binary else b"J\xff\xff\xff\xff" * 2) + number(0)
    fortran = b"\x89" if binary else b"I00\n"
    return head + shape + dtype + b"tb" + fortran + text(array.tobytes()) + b"tb"


@pytest.mark.parametrize("binary", [False, True])
def test_what_python_2_pickled(tmp_path, binary):
    given = data_set()
    pairs = [
        b"(" + b"".join(array_of_python_2(a, binary) for a in p) + b"t" for p in given
    ]
    content = (b"\x80\2" if binary else b"") + b"(" + b"".join(pairs) + b"tp1\n."
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(gzip.compress(content))
    assert_same(mnist(path), given)
    # Such a file is what Python takes it for.
    loaded = pickle.loads(content, encoding="latin1")
    for (x, y), (left, right) in zip(given, loaded, strict=True):
        np.testing.assert_array_equal(x, left)
        np.testing.assert_array_equal(y, right)


NAMED = "it names what nothing here calls or makes"
DAMAGED = "a damaged one ("
PIECES = "it is read in more than 100,000 pieces"
TUPLES = "no tuple of tuples of arrays"


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("evil"),)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"cos\nsystem\n(S'touch evil'\ntR.", NAMED),
        (b"cposix\nsystem\n(S'touch evil'\ntR.", NAMED),
        (b"c__builtin__\neval\n.", NAMED),
        (b"cnumpy\nload\n.", NAMED),
        (b"cnumpy.core.multiarray\nscalar\n.", NAMED),
        (pickle.dumps(Evil(), 2), NAMED),
        (b"(S'touch evil'\nios\nsystem\n.", "it holds INST, which describes no array"),
        (b"(cos\nsystem\no.", NAMED),
        (b"(o.", "it holds OBJ"),
        (b"\x80\2)\x81.", "it holds NEWOBJ"),
        (b"\x80\4.", "its protocol is 4"),
        (pickle.dumps(data_set(), 5), "its protocol is 5"),
        (b"U\2osU\6system\x93.", "it holds STACK_GLOBAL"),
        (b"Pid\n.", "PERSID"),
        (b"}.", "EMPTY_DICT"),
        (b"\x8b\xff\xff\xff\x7f.", "LONG4"),
        (b"\x8a\xff" + b"1" * 255 + b".", TUPLES),
        (b"I" + b"9" * 100_000 + b"\n.", DAMAGED),
        (b"T\xff\xff\xff\x7fabc", DAMAGED),
        (b"T\xff\xff\xff\xffabc", DAMAGED),
        (b"S'abc\n.", DAMAGED),
        (b"S'\\x'\n.", DAMAGED),
        (b"X\1\0\0\0\xff.", DAMAGED),
        (b"h\1.", DAMAGED),
        (b"t.", DAMAGED),
        (b".", DAMAGED),
        (b"", DAMAGED),
        (b"KKN.N", "more follows after its end"),
        (b"(" * 2000, DAMAGED),
        (b"(" + b"N" * 100_001 + b"t.", PIECES),
        (b"K\0" + b"2" * 5, "it holds DUP"),
        (b"K\0\0", "an unknown instruction"),
        (b"N" + b"".join(b"r" + struct.pack("<I", n) for n in range(100_001)), PIECES),
        (b"]" + b"\x85" * 99_000 + b".", TUPLES),
        (b"]" + b"\x85" * 500_000 + b".", PIECES),
        (b")q\0" + b"h\0\x86q\0" * 19_000 + b".", TUPLES),
        (b"N.", TUPLES),
        (b"].", "it is not ((x, y), (x, y), (x, y))"),
        (b"NNb.", TUPLES),
        (b"NK\1b.", DAMAGED),
        (b"NNR.", DAMAGED),
        (b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.", "an array that is not of numbers"),
        (b"cnumpy\ndtype\n(S''\ntR.", "not of numbers"),
        (b"cnumpy\nndarray\n(I3\ntR.", DAMAGED),
        (b"c_codecs\nencode\n(VA\nS'rot13'\ntR.", "it encodes a text in another way"),
        (b"\x1f\x8b123", "gzip stream"),
    ],
)
def test_other_pickles_are_refused(tmp_path, monkeypatch, content, words):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mnist.pkl"
    path.write_bytes(content)
    found = failure_of(mnist, path)
    assert found.code in ("TC0409", "TC0402")
    assert words in found.message
    assert len(found.message) < 400
    assert not (tmp_path / "evil").exists()


def broken(change):
    """Return a pickle of arrays of which one is written wrong."""
    (x, y), *rest = data_set()
    content = pickle.dumps(((x, y), *rest), 2)
    return change(content)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"K\7K\4\x86", b"K\7K\5\x86", "7 x 5 elements in 112 bytes"),
        (b"K\7K\4\x86", b"J\xff\xff\xff\xffK\4\x86", "an array without a shape"),
        (b"K\7K\4\x86", b"N\x85", "an array without a shape"),
        (b"K\3X\1\0\0\0<", b"K\3X\1\0\0\0!", "an unknown order"),
        (b"X\2\0\0\0f4", b"X\2\0\0\0V4", "that is not of numbers"),
    ],
)
def test_arrays_that_are_none(tmp_path, old, new, words):
    content = pickle.dumps(data_set(), 2)
    assert old in content
    path = tmp_path / "mnist.pkl"
    path.write_bytes(content.replace(old, new, 1))
    found = failure_of(mnist, path)
    assert found.code == "TC0409"
    assert words in found.message


@pytest.mark.parametrize(
    "given",
    [
        data_set()[:2],
        (*data_set()[:2], (np.ones((2, 4)), np.ones(3, int))),
        (*data_set()[:2], (np.ones((2, 4)), np.ones(2))),
        (*data_set()[:2], (np.ones(2), np.ones(2, int))),
        (*data_set()[:2], np.ones((2, 4))),
    ],
)
def test_pickles_of_another_form(tmp_path, given):
    path = tmp_path / "mnist.pkl"
    path.write_bytes(pickle.dumps(given, 2))
    assert failure_of(mnist, path).code in ("TC0407", "TC0409")


def array_of_zeros(rows):
    """Return instructions that make an array f32 of another order of bytes."""
    other = ">" if sys.byteorder == "little" else "<"
    content = pickle.dumps(np.zeros(rows, f"{other}f4"), 2)
    return content[2:-1]  # without protocol and end


def test_references_to_one_array_take_the_memory_of_one(tmp_path):
    rows = 1 << 20
    content = b"\x80\2" + array_of_zeros(rows) + b"q\xc8"
    for level in range(200, 204):
        content += b"(" + b"h" + bytes([level])
        content += (b"h" + bytes([level])) * 15 + b"tq" + bytes([level + 1])
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(gzip.compress(content + b"."))
    tracemalloc.start()
    try:
        found = failure_of(mnist, path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.message.endswith("its tuples hold more than 256 items")
    assert peak < 64 * rows


def test_arrays_of_the_same_bytes_are_copied_within_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(pickled, "SMALL", 1 << 10)
    other = b">" if sys.byteorder == "little" else b"<"
    new = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R"
    none, rest = b"J\xff\xff\xff\xff", b"K\0tb\x89"
    new += b"(K\1M\0\4\x85cnumpy\ndtype\nU\2f4K\0K\1\x87R(K\3U\1" + other + b"NNN"
    new += none + none + rest
    held = b"T" + (1 << 12).to_bytes(4, "little") + bytes(1 << 12) + b"q\xc8"
    content = b"\x80\2(" + new + held + b"tb" + (new + b"h\xc8tb") * 6 + b"t."
    path = tmp_path / "mnist.pkl"
    path.write_bytes(content)
    found = failure_of(mnist, path)
    assert found.message.endswith("it copies its values again and again")


def test_a_bomb_of_zeros_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(gzip.compress(b"T\0\0\0\1" + bytes(1 << 24)))
    monkeypatch.setattr(files, "SMALL", 1 << 20)
    assert failure_of(mnist, path).code == "TC0405"


@pytest.mark.parametrize("protocol", [0, 2])
def test_mutants_of_pickles_give_diagnostics_only(tmp_path, protocol):
    path = tmp_path / "mnist.pkl"
    content = pickle.dumps(data_set((2, 1, 1)), protocol)
    rng = random.Random(protocol)
    for _ in range(3000):
        put(path, mutated(content, rng))
        with suppress(DataError):
            mnist(path)
    compressed = zlib.compressobj(wbits=31)
    packed = compressed.compress(content) + compressed.flush()
    for _ in range(500):
        put(path, mutated(packed, rng))
        with suppress(DataError):
            mnist(path)


# What reads a pickle may neither import, open nor run anything.
WATCHED = """
import pathlib, random, sys
from contextlib import suppress
from tensorc.errors import DataError
from tensorc.runtime.files.pickled import read_pickled
from tests.runtime.test_checkpoint_files import mutated
path, evil = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).read_bytes()
content, rng, seen = path.read_bytes(), random.Random(3), []
is_on = False
def watch(event, arguments):
    if is_on and event not in ("object.__getattr__", "object.__setattr__"):
        if event != "open" or arguments[0] != str(path):
            seen.append((event, arguments))
sys.addaudithook(watch)
b"a".decode("raw-unicode-escape")  # Python imports it when it is used
with suppress(DataError):
    read_pickled(path)
for number in range(3000):
    path.write_bytes(mutated(content, rng) if number % 3 else evil.join(
        [content[: (cut := rng.randrange(len(content)))], content[cut:]]))
    is_on = True
    with suppress(DataError):
        read_pickled(path)
    is_on = False
print(seen)
"""


@pytest.mark.parametrize("protocol", [0, 2])
def test_reading_a_pickle_runs_nothing(tmp_path, protocol):
    path, evil = tmp_path / "mnist.pkl", tmp_path / "evil"
    path.write_bytes(pickle.dumps(data_set((2, 1, 1)), protocol))
    evil.write_bytes(pickle.dumps(Evil(), protocol)[2 * (protocol > 0) : -1])
    command = [sys.executable, "-c", WATCHED, str(path), str(evil)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_instructions_that_make_objects_are_not_there():
    there = {pickled._NAMES[code] for code in pickled._Machine.dispatch}
    assert {"GLOBAL", "REDUCE", "BUILD"} < there
    making = {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "STACK_GLOBAL", "PERSID"}
    making |= {"BINPERSID", "EXT1", "EXT2", "EXT4", "DICT", "SETITEM", "SETITEMS"}
    assert making < set(pickled._NAMES.values())
    assert not making & there


# The call in a program


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (DataCall("csv", ()), "csv takes 1 to 3 files, given 0"),
        (DataCall("npz", ("a",) * 4), "npz takes 1 to 3 files, given 4"),
        (DataCall("npz", ("a",), {"label": 1}), "npz has no argument 'label'"),
        (DataCall("csv", ("a",), {"lable": 1}), "csv has no argument 'lable'"),
        (DataCall("csv", ("a",), {"label": True}), "name or number of a column"),
        (DataCall("csv", ("a",), {"label": 0.5}), "name or number of a column"),
        (DataCall("parquet", ("a",)), "no data reader is called 'parquet'"),
    ],
)
def test_wrong_calls(tmp_path, call, words):
    found = failure_of(open_dataset, call, tmp_path)
    assert found.code == "TC0406"
    assert words in found.message


def test_a_program_reads_csv(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    rows = np.column_stack([x, x[:, 0] > 0])
    np.savetxt(
        tmp_path / "a.csv", rows, delimiter=",", header="a,b,c,kind", comments=""
    )
    path = tmp_path / "m.tc"
    path.write_text(
        """
        param W: float[3, 2] = 0
        fn loss(x: float[B, 3], y: int[B]) -> float = mean(cross_entropy(x @ W, y))
        step train(x: float[B, 3], y: int[B]) -> float {
            cost = loss(x, y)
            W <- W - 0.5 * grad(cost, W)
            return cost
        }
        fit { data = csv("a.csv", label="kind")  batch = 8  step = train  epochs = 9 }
        """
    )
    history = tc.load(path).fit()
    assert history.epochs[-1].train_cost < 0.4 < history.epochs[0].train_cost


@pytest.mark.parametrize("label", [True, False, 1.5, ("y",)])
def test_labels_are_names_or_numbers_of_columns(tmp_path, label):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,2\n")
    found = failure_of(csv, path, label=label)
    assert found.code == "TC0406"
    assert "label is the name or number of a column" in found.message
    assert csv(path, label=np.int64(1)).train.columns["y"].tolist() == [2]
