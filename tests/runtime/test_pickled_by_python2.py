"""mnist.pkl.gz as Python 2's cPickle wrote it: protocol 2, byte by byte.

The file of deeplearning.net is not at hand. These bytes follow its layout: names are
kept in the memo by the first array and fetched by all others, sizes are integers of one
to four bytes (or longs, as NumPy wrote them on Windows), short texts are
SHORT_BINSTRING and the elements BINSTRING, flags are NEWTRUE and NEWFALSE.
"""

import gzip
import pickle
import struct

import numpy as np
import pytest

from tensorc.runtime.training.data import mnist

PUT, GET = b"q", b"h"


def integer(value: int, longs: bool) -> bytes:
    if longs:
        size = (value.bit_length() + 8) // 8
        return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)
    if 0 <= value < 1 << 8:
        return b"K" + bytes([value])
    if 0 <= value < 1 << 16:
        return b"M" + struct.pack("<H", value)
    return b"J" + struct.pack("<i", value)


def text(value: bytes) -> bytes:
    if len(value) < 256:
        return b"U" + bytes([len(value)]) + value
    return b"T" + struct.pack("<i", len(value)) + value


def tuple_of(*parts: bytes) -> bytes:
    ends = {1: b"\x85", 2: b"\x86", 3: b"\x87"}
    if len(parts) in ends:
        return b"".join(parts) + ends[len(parts)]
    return b"(" + b"".join(parts) + b"t"


class Writer:
    """Writes arrays one after the other, with a memo as cPickle has it."""

    def __init__(self, longs: bool = False) -> None:
        self.longs = longs
        self.memo: dict[bytes, int] = {}

    def kept(self, value: bytes) -> bytes:
        if value in self.memo:
            return GET + bytes([self.memo[value]])
        self.memo[value] = len(self.memo) + 1
        return value + PUT + bytes([self.memo[value]])

    def dtype(self, dtype: np.dtype) -> bytes:
        order = {"little": b"<", "big": b">"}
        said = b"|" if dtype.itemsize == 1 else order[byte_order(dtype)]
        none = b"J\xff\xff\xff\xff"
        state = tuple_of(b"K\x03", text(said), *[b"N"] * 3, none, none, b"K\x00")
        name = text(dtype.str[1:].encode())
        made = self.kept(b"cnumpy\ndtype\n") + tuple_of(name, b"K\x00", b"K\x01")
        return self.kept(made + b"R" + state + b"b")

    def array(self, array: np.ndarray, fortran: bool = False) -> bytes:
        made = self.kept(b"cnumpy.core.multiarray\n_reconstruct\n")
        empty = tuple_of(b"K\x00")
        made += tuple_of(self.kept(b"cnumpy\nndarray\n"), empty, text(b"b")) + b"R"
        sizes = [integer(n, self.longs) for n in array.shape]
        data = text(array.tobytes(order="F" if fortran else "C"))
        flag = b"\x88" if fortran else b"\x89"
        state = tuple_of(
            b"K\x01", tuple_of(*sizes), self.dtype(array.dtype), flag, data
        )
        return made + state + b"b"


def byte_order(dtype: np.dtype) -> str:
    return "big" if dtype.byteorder == ">" else "little"


def data_set(x_type: str, y_type: str):
    rng = np.random.default_rng(5)
    return tuple(
        (
            (rng.integers(0, 256, (n, 40)) / 256).astype(x_type),
            rng.integers(0, 10, n).astype(y_type),
        )
        for n in (300, 20, 257)
    )


@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize("longs", [False, True])
@pytest.mark.parametrize("lists", [False, True])
@pytest.mark.parametrize(
    ("x_type", "y_type"),
    [("<f4", "<i8"), (">f4", ">i8"), ("<f8", "<i4"), (">f8", "|u1"), ("<f4", "|i1")],
)
def test_what_cpickle_wrote(tmp_path, x_type, y_type, fortran, longs, lists):
    given = data_set(x_type, y_type)
    write = Writer(longs)
    pairs = []
    for x, y in given:
        parts = write.array(x, fortran), write.array(y, fortran)
        pairs.append(b"](" + b"".join(parts) + b"e" if lists else tuple_of(*parts))
    content = b"\x80\x02" + tuple_of(*pairs) + b"."
    assert len(content) > 30_000
    assert GET in content
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(gzip.compress(content, 1))
    found = mnist(path)
    # What Python takes it for is what was given.
    loaded = pickle.loads(content, encoding="latin1")
    for split, (x, y), (left, right) in zip(
        (found.train, found.valid, found.test), given, loaded, strict=True
    ):
        np.testing.assert_array_equal(left, x)
        np.testing.assert_array_equal(right, y)
        columns = split.columns
        assert columns["x"].dtype == np.float32
        assert columns["y"].dtype == np.int64
        assert columns["x"].flags.c_contiguous
        np.testing.assert_array_equal(columns["x"], x.astype(np.float32))
        np.testing.assert_array_equal(columns["y"], y)
