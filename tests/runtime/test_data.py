"""Reading IDX files and MNIST: what is right, and every way to be damaged."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from tensorc.errors import DataError, Location
from tensorc.recipes import DataCall
from tensorc.runtime.files import columns as files
from tensorc.runtime.files.idx import read_idx
from tensorc.runtime.training.data import idx, mnist, open_dataset

EXAMPLES = Path(__file__).parents[2] / "examples" / "data" / "mnist"
CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def packed(content):
    """Return what gzip makes of bytes, the same each time: it is in names of tests."""
    return gzip.compress(content, mtime=0)


def encode(array):
    array = np.asarray(array)
    kind = array.dtype.str[1:]
    header = struct.pack(f">HBB{array.ndim}I", 0, CODES[kind], array.ndim, *array.shape)
    return header + array.astype(f">{kind}").tobytes()


IMAGES = np.arange(12 * 2 * 3, dtype=np.uint8).reshape(12, 2, 3)
LABELS = np.arange(12, dtype=np.uint8) % 10


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file-idx"


def damage(path, content):
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(path)
    diagnostic = caught.value.diagnostics[0]
    assert str(path) in diagnostic.message
    return diagnostic


@pytest.mark.parametrize("kind", list(CODES))
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_all_element_types_plain_and_compressed(path, kind, pack):
    array = np.arange(-6, 6).astype(kind).reshape(3, 4)
    path.write_bytes(pack(encode(array)))
    read = read_idx(path)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


def test_several_gzip_members_and_empty_arrays(path):
    content = encode(IMAGES)
    path.write_bytes(gzip.compress(content[:20]) + gzip.compress(content[20:]))
    np.testing.assert_array_equal(read_idx(path), IMAGES)
    path.write_bytes(encode(np.zeros((0, 3), np.uint8)))
    assert read_idx(path).shape == (0, 3)


def test_every_truncation_of_a_plain_file_is_found(path):
    content = encode(IMAGES)
    for length in range(len(content)):
        diagnostic = damage(path, content[:length])
        assert diagnostic.code == ("TC0403" if length < 4 else "TC0404")
        assert diagnostic.hints


def test_every_truncation_of_a_compressed_file_is_found(path):
    content = gzip.compress(encode(IMAGES))
    for length in range(2, len(content)):
        diagnostic = damage(path, content[:length])
        assert diagnostic.code == "TC0402"
        assert "ends early" in diagnostic.message


def test_every_flipped_bit_of_a_compressed_file_is_found(path):
    # From byte 10 on, behind gzip's header, whose time and name nobody checks.
    content = gzip.compress(encode(IMAGES))
    for position in range(10, len(content)):
        wrong = bytearray(content)
        wrong[position] ^= 1 << position % 8
        damage(path, bytes(wrong))


def test_every_flipped_bit_of_a_header_is_met_with_an_error_or_an_array(path):
    content = encode(IMAGES)
    for bit in range(8 * 16):
        wrong = bytearray(content)
        wrong[bit // 8] ^= 1 << bit % 8
        # Only a type of the same size remains readable.
        if bit // 8 == 2 and wrong[2] == CODES["i1"]:
            path.write_bytes(bytes(wrong))
            assert read_idx(path).dtype == np.int8
        else:
            damage(path, bytes(wrong))


def test_a_wrong_crc_is_found(path):
    content = bytearray(gzip.compress(encode(IMAGES)))
    content[-1] ^= 1
    assert "incorrect length check" in damage(path, bytes(content)).message
    content[-1] ^= 1
    content[-8] ^= 1
    assert "incorrect data check" in damage(path, bytes(content)).message


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"", "TC0403", "found nothing"),
        (b"\x93NUMPY\1\0", "TC0403", "found an .npy file"),
        (
            struct.pack(">HBBI", 0, 7, 1, 1) + b"a",
            "TC0403",
            "found an IDX file of another form",
        ),
        (struct.pack(">HBB", 0, 8, 0) + b"a", "TC0403", "rank 0, from 1 to 8"),
        (struct.pack(">HBB", 0, 8, 9), "TC0403", "rank 9, from 1 to 8"),
        (
            struct.pack(">HBB5I", 0, 8, 5, 0, *[2**32 - 1] * 4),
            "TC0404",
            "more than memory can have",
        ),
        (struct.pack(">HBBI", 0, 8, 2, 1), "TC0404", "has 8 bytes, 12 are expected"),
        (encode(LABELS) + b"x", "TC0404", "12 elements, 12 bytes, but more follow"),
        (packed(encode(LABELS) + b"x"), "TC0404", "but more follow"),
        (packed(encode(LABELS)[:-2]), "TC0404", "12 bytes, but there are 10"),
        (packed(encode(LABELS)) + b"xyz", "TC0402", "gzip stream is damaged"),
        (
            struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1),
            "TC0404",
            "but there are 0",
        ),
        (
            packed(struct.pack(">HBBI", 0, 14, 1, 2**28)),
            "TC0405",
            "2,147,483,648 bytes",
        ),
    ],
)
def test_damaged_files(path, content, code, message):
    diagnostic = damage(path, content)
    assert diagnostic.code == code
    assert message in diagnostic.message


def test_a_bomb_is_decompressed_no_further_than_its_header_says(path, monkeypatch):
    bomb = gzip.compress(encode(LABELS) + bytes(50_000_000))
    monkeypatch.setattr(files, "PIECE", 1000)  # what is read at once
    monkeypatch.setattr(files, "SMALL", 100_000)
    assert "more follow" in damage(path, bomb).message


def test_missing_files_directories_and_wrong_suffixes(tmp_path):
    with pytest.raises(DataError, match="no such file") as caught:
        read_idx(tmp_path / "nothing")
    assert caught.value.diagnostics[0].code == "TC0401"
    with pytest.raises(DataError, match="is a directory"):
        read_idx(tmp_path)
    with pytest.raises(DataError, match=r"cannot be read|no such file"):
        read_idx(Path("nul\0byte"))
    plain = tmp_path / "plain.gz"
    plain.write_bytes(encode(LABELS))
    with pytest.raises(DataError, match="gzip starts with 1f 8b, found an IDX file"):
        read_idx(plain)


def write_set(directory, dot="-", suffix=".gz", pack=gzip.compress, labels=LABELS):
    for part in ("train", "t10k"):
        for name, array in (("images", IMAGES), ("labels", labels)):
            file = f"{part}-{name}{dot}idx{array.ndim}-ubyte{suffix}"
            (directory / file).write_bytes(pack(encode(array)))


def test_directories_and_files_may_be_strings(tmp_path):
    write_set(tmp_path)
    by_path, by_text = mnist(tmp_path), mnist(str(tmp_path))
    for name in "xy":
        given = (by_text.train.columns[name], by_path.train.columns[name])
        np.testing.assert_array_equal(*given)
    names = [f"train-{n}-ubyte.gz" for n in ("images-idx3", "labels-idx1")]
    assert len(idx(*[str(tmp_path / name) for name in names]).train) == len(LABELS)


@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), ("", bytes)])
def test_mnist_in_all_spellings(tmp_path, dot, suffix, pack):
    write_set(tmp_path, dot, suffix, pack)
    data = mnist(tmp_path)
    assert [len(s) for s in (data.train, data.valid, data.test)] == [10, 2, 12]
    x, y = data.train.columns["x"], data.train.columns["y"]
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    assert x.ctypes.data % 64 == 0
    np.testing.assert_array_equal(x, IMAGES[:10].reshape(10, 6) / np.float32(256))
    np.testing.assert_array_equal(data.valid.columns["y"], LABELS[10:])


def test_the_real_mnist():
    data = mnist(EXAMPLES)
    sizes = [len(s) for s in (data.train, data.valid, data.test)]
    assert sizes == [50_000, 10_000, 10_000]
    assert data.train.columns["x"].shape == (50_000, 784)
    assert data.train.columns["x"].max() == np.float32(255 / 256)
    np.testing.assert_array_equal(data.train.columns["y"][:5], [5, 0, 4, 1, 9])
    np.testing.assert_array_equal(data.test.columns["y"][:5], [7, 2, 1, 0, 4])


def test_labels_that_do_not_fit_the_images(tmp_path):
    write_set(tmp_path, labels=LABELS[:11])
    with pytest.raises(DataError) as caught:
        mnist(tmp_path)
    message = caught.value.diagnostics[0].message
    images = tmp_path / "train-images-idx3-ubyte.gz"
    assert f"11 labels, but {images} holds 12 examples" in message


def test_a_missing_file_of_the_set_is_named(tmp_path):
    write_set(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte.gz: no such file"):
        mnist(tmp_path)


def test_images_and_labels_exchanged(tmp_path):
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.write_bytes(encode(IMAGES))
    labels.write_bytes(encode(LABELS))
    data = idx(images, labels, images, labels)
    assert len(data.valid) == 12
    assert data.test is None
    with pytest.raises(DataError, match=r"rank 2 or more expected, found u8\[12\]"):
        idx(labels, images)
    with pytest.raises(DataError, match="one integer per example expected"):
        idx(images, images)
    with pytest.raises(DataError, match="idx takes 2, 4 or 6 files, given 1"):
        idx(images)


def test_recipes_name_readers_relative_to_their_file(tmp_path):
    write_set(tmp_path)
    place = Location("m.tc", 4, 2)
    call = DataCall("mnist", (tmp_path.name,))
    assert len(open_dataset(call, tmp_path.parent, place).test) == 12
    cases = [
        (DataCall("minst", ()), "no data reader is called 'minst'"),
        (DataCall("mnist", ()), "mnist takes one directory, given 0 arguments"),
        (DataCall("mnist", (3,)), "mnist takes paths, given 3"),
        (DataCall("mnist", ("nowhere",)), "no such directory"),
    ]
    for wrong, message in cases:
        with pytest.raises(DataError) as caught:
            open_dataset(wrong, tmp_path, place)
        assert message in str(caught.value)
        assert caught.value.diagnostics[0].location == place
        assert str(caught.value).startswith("m.tc:4:2: error[TC04")
