"""Each bound and guard of the runtime: what lies on it, and one beyond it."""

import dataclasses
import gzip
import io
import json
import struct
import zipfile

import numpy as np
import pytest

from tensorc import cache
from tensorc.artifact import (
    SIZE_LIMIT,
    STATUS_INDEX,
    Guard,
    RecordWord,
    Site,
    evaluate_dim,
)
from tensorc.errors import (
    CallError,
    DataError,
    IndexOutOfRange,
    InternalError,
    ShapeError,
    TensorcError,
)
from tensorc.runtime import function, threads
from tensorc.runtime import signature as signatures
from tensorc.runtime.arrays import Pool
from tensorc.runtime.convert import convert
from tensorc.runtime.cpu import link
from tensorc.runtime.files import columns as files
from tensorc.runtime.files import csv_file, idx, npy, pickled, tensor_file
from tensorc.runtime.formulas import make_formulas
from tensorc.runtime.function import CompiledFunction
from tensorc.runtime.shared import SharedCell
from tensorc.runtime.signature import make_signature
from tensorc.runtime.threads import MOST, checked
from tensorc.runtime.training.data import Split
from tensorc.runtime.training.preparing import prepare
from tests.runtime import native
from tests.runtime.fitting import recipe_of
from tests.runtime.test_data import encode
from tests.runtime.test_unfolding import npy_file, tensors

# Numbers of arguments

INTEGERS = [np.dtype(f"{kind}{size}") for kind in "iu" for size in (1, 2, 4, 8)]


def limits(dtype):
    if dtype.kind == "b":
        return 0, 1
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def wide_array(value, beside):
    """Return an array of 64 bits that holds a number among others; None if none can."""
    for dtype in (np.int64, np.uint64):
        low, high = limits(np.dtype(dtype))
        if low <= min(value, beside) and max(value, beside) <= high:
            return np.array([beside, value, beside], dtype)
    return None


@pytest.mark.parametrize("dtype", [np.dtype(bool), *INTEGERS], ids=str)
@pytest.mark.parametrize("end", [0, 1], ids=["low", "high"])
def test_integers_have_both_bounds(dtype, end):
    bound = limits(dtype)[end]
    beyond = bound + (1 if end else -1)
    assert int(convert(bound, dtype, "x")) == bound
    for beside in (0, 1):
        on = wide_array(bound, beside)
        if on is not None:
            assert [int(v) for v in convert(on, dtype, "x")] == [beside, bound, beside]
        off = wide_array(beyond, beside)
        if off is not None:
            with pytest.raises(CallError, match=f"{beyond} does not fit"):
                convert(off, dtype, "x")
    if -(2**63) <= beyond < 2**64:
        with pytest.raises(CallError, match="does not fit"):
            convert(beyond, dtype, "x")


@pytest.mark.parametrize("name", [0, 1, 2], ids=["argument", "hyper", "shared"])
@pytest.mark.parametrize("end", [0, 1], ids=["low", "high"])
def test_integers_of_every_door_have_both_bounds(name, end):
    bound = (-128, 127)[end]
    beyond = bound + (1 if end else -1)
    cell = SharedCell("w", np.int8(0))
    info = native.info(
        "f",
        [("x", "input", "i8", ()), ("n", "hyper", "i8", ())],
        [],
        (),
    )
    signature = make_signature(info, {})
    doors = (
        lambda v: signature.collect([v], {})[0][0],
        lambda v: signature.hyper("n", v),
        lambda v: cell.set_value(v),
    )
    doors[name](bound)
    with pytest.raises(CallError, match=f"{beyond} does not fit i8"):
        doors[name](beyond)


@pytest.mark.parametrize(
    ("dtype", "exact", "beyond"),
    [
        (np.float16, 2048, 2049),
        (np.float16, 65504, 65505),
        (np.float16, 65504, 65536),
        (np.float32, 2**24, 2**24 + 1),
        (np.float32, 2**62, 2**62 + 1),
        (np.float64, 2**53, 2**53 + 1),
        (np.float64, 2**62, 2**62 - 1),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_integers_are_exact_in_floats(dtype, exact, beyond, sign):
    target = np.dtype(dtype)
    assert convert([0, sign * exact], target, "x")[1] == sign * exact
    for beside in (0, 1):
        with pytest.raises(CallError, match=f"{sign * beyond} is not exact"):
            convert([beside, sign * beyond], target, "x")


@pytest.mark.parametrize(
    ("dtype", "on", "beyond"),
    [
        (np.float16, 65519.0, 65520.0),
        (np.float32, 3.4028235e38, 3.4028236e38),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_floats_are_not_made_infinite(dtype, on, beyond, sign):
    target = np.dtype(dtype)
    assert np.isfinite(convert([0.0, sign * on], target, "x")).all()
    with pytest.raises(CallError, match="does not fit"):
        convert([0.0, sign * beyond], target, "x")
    for given in (np.inf, -np.inf, np.nan, 1e-300):
        assert np.array_equal(
            convert([given], target, "x"), np.array([given], target), equal_nan=True
        )


@pytest.mark.parametrize("dtype", [np.dtype(bool), *INTEGERS], ids=str)
@pytest.mark.parametrize("given", [np.float16, np.float32, np.float64])
def test_floats_are_no_integers(dtype, given):
    with pytest.raises(CallError, match="expected, f"):
        convert(np.zeros(2, given), dtype, "x")


# Sizes and equations


X, Y = np.zeros((3, 2), np.float32), np.zeros(3, np.int64)


def first():
    return native.function("first")


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ((X[..., None], Y, True), "TC0503"),
        ((X[0], Y, True), "TC0503"),
        ((X[:, :1], Y, True), "TC0503"),
        ((np.zeros((3, 3)), Y, True), "TC0503"),
        ((X, Y[:2], True), "TC0503"),
        ((X, np.zeros(4, int), True), "TC0503"),
        ((X, Y[:, None], True), "TC0503"),
        ((X, Y, [True]), "TC0503"),
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_each_rank_and_each_size_is_checked(arrays, code, known):
    f = first()
    if known:
        f(X, Y, True)
    with pytest.raises(ShapeError) as caught:
        f(*arrays)
    assert caught.value.diagnostics[0].code == code


def guarded(guard):
    info = dataclasses.replace(native.INFOS[3], guards=(guard,))
    return make_signature(info, {})


def held(signature, size):
    plan = signature.plan(signature.symbols([np.zeros(size, np.float32)]))
    signature.check_guards(plan)


GUARD = Guard("B", 4, "B is four", native.SITE)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({}, None),
        ({"left": ("+", "B", 1)}, ShapeError),
        ({"left": ("+", "B", -1)}, ShapeError),
        ({"right": 3}, ShapeError),
        ({"right": 5}, ShapeError),
        ({"right": 3, "is_index": True}, IndexOutOfRange),
        ({"is_index": True}, None),
    ],
)
def test_both_sides_of_a_guard_count(change, error):
    signature = guarded(dataclasses.replace(GUARD, **change))
    if error is None:
        held(signature, 4)
    else:
        with pytest.raises(error) as caught:
            held(signature, 4)
        assert "B is four" in str(caught.value)
        assert caught.value.diagnostics[0].location == native.SITE


def test_every_guard_counts():
    good, bad = GUARD, dataclasses.replace(GUARD, right=5)
    for guards in ((bad, good), (good, bad)):
        info = dataclasses.replace(native.INFOS[3], guards=guards)
        with pytest.raises(ShapeError):
            held(make_signature(info, {}), 4)


@pytest.mark.parametrize("shape", [(3,), (5,)])
def test_the_shapes_of_shared_variables_are_checked(shape):
    info = native.info("f", [("w", "shared", "f64", (4,))], [], ())
    signature = make_signature(info, {"w": (4,)})
    signature.check_guards(signature.plan(()))
    signature = make_signature(info, {"w": shape})
    with pytest.raises(ShapeError, match="shared variable 'w' has"):
        signature.check_guards(signature.plan(()))


def test_the_element_type_of_a_shared_variable_is_checked():
    native.function("add", {"w": SharedCell("w", 1.0)}, {"lr": 1})
    for value in (np.float32(1), np.int64(1)):
        with pytest.raises(InternalError, match="shared variable 'w'"):
            native.function("add", {"w": SharedCell("w", value)}, {"lr": 1})
    with pytest.raises(InternalError, match="lacks"):
        native.function("add", {}, {"lr": 1})


@pytest.mark.parametrize("which", ["arena", "result"])
def test_no_more_memory_than_a_machine_addresses(which):
    limit = signatures.MEMORY_LIMIT
    results = [("ui8", ("B",))] if which == "result" else []
    arena = "B" if which == "arena" else 0
    info = native.info("f", [("x", "input", "f32", ("B",))], results, ("B",), (), arena)
    signature = make_signature(info, {})
    signature.plan((limit,))
    with pytest.raises(ShapeError, match="more than a machine addresses"):
        signature.plan((limit + 1,))


@pytest.mark.parametrize("sign", [1, -1])
def test_sizes_have_a_limit(sign):
    on, beyond = sign * (SIZE_LIMIT - 1), sign * SIZE_LIMIT
    assert evaluate_dim("n", {"n": on}) == on
    assert list(make_formulas(["n"], ("n",)).evaluate([on])) == [on]
    for formula in ("n", ("+", "m", sign), ("*", "m", 1)):
        given = {"n": beyond, "m": on if formula[0] == "+" else beyond}
        with pytest.raises(OverflowError):
            evaluate_dim(formula, given)
        with pytest.raises(OverflowError):
            make_formulas([formula], ("n", "m")).evaluate([given["n"], given["m"]])
    with pytest.raises(OverflowError):
        make_formulas([beyond], ()).evaluate([])
    inner = ("*", ("+", "n", sign), 0)  # a part is beyond, the whole is not
    with pytest.raises(OverflowError):
        make_formulas([inner], ("n",)).evaluate([on])


# What is remembered


def test_plans_are_bounded(monkeypatch):
    monkeypatch.setattr(function, "MAX_PLANS", 3)
    f = native.function("touch")
    for size in range(2, 40, 2):
        f(np.zeros(size, np.float32))
        assert 0 < len(f._plans) <= 3
        assert 0 < len(f._seen) <= 3


def test_the_pool_of_results_is_bounded():
    size = 1 << 16
    for limit, kept in ((size, 1), (size - 1, 0), (2 * size, 2), (0, 0)):
        pool = Pool(limit)
        arrays = [pool.empty((size,), np.dtype(np.uint8)) for _ in range(3)]
        del arrays
        assert sum(map(len, pool._free.values())) == kept


def test_a_number_of_threads_has_bounds():
    assert [checked(n, "n") for n in (1, MOST)] == [1, MOST]
    for wrong in (0, MOST + 1, -1, 10**9):
        with pytest.raises(TensorcError):
            checked(wrong, "n")


# What compiled code reports


@pytest.mark.parametrize(
    ("status", "site", "error"),
    [
        (STATUS_INDEX, 0, IndexOutOfRange),
        (STATUS_INDEX, 1, InternalError),
        (STATUS_INDEX, -1, InternalError),
        (STATUS_INDEX + 5, 0, InternalError),
    ],
)
def test_the_status_and_the_site_of_a_failure_are_checked(status, site, error):
    f = native.function("touch")
    frame = f.take_frame(f.bind([np.zeros(2, np.float32)]), {})
    frame.record[:4] = [site, 1, 7, 5]
    assert isinstance(f.failure(status, frame), error)


@pytest.mark.parametrize(
    ("index", "size", "counts"),
    [(-1, 5, True), (-5, 5, True), (-6, 5, False), (5, 5, False), (0, 0, False)],
)
def test_what_would_count_from_the_end_is_said(index, size, counts):
    f = native.function("touch")
    frame = f.take_frame(f.bind([np.zeros(2, np.float32)]), {})
    frame.record[:4] = [0, 1, index, size]
    notes = f.failure(STATUS_INDEX, frame).diagnostics[0].notes
    assert any("from 0" in note for note in notes) == counts


@pytest.mark.parametrize(("unsigned", "shown"), [(True, 2**64 - 1), (False, -1)])
def test_an_unsigned_index_is_shown_as_it_is(unsigned, shown):
    info = dataclasses.replace(
        native.INFOS[3], sites=(Site(native.SITE, is_unsigned=unsigned),)
    )
    f = CompiledFunction(info, link(native.artifact()), {}, {})
    frame = f.take_frame(f.bind([np.zeros(2, np.float32)]), {})
    frame.record[:4] = [0, 0, -1, 5]
    assert f"index {shown} is out of range" in str(f.failure(STATUS_INDEX, frame))


@pytest.mark.parametrize(
    ("rows", "batch", "batches"), [(4, 4, 1), (7, 4, 1), (8, 4, 2)]
)
def test_batches_are_whole(rows, batch, batches):
    f = native.function("add", {"w": SharedCell("w", 1.0)}, {"lr": 1})
    x = np.ones(rows, np.float32)
    recipe = recipe_of(batch=batch)
    assert prepare(recipe, "step", f, Split({"x": x})).batches == batches
    with pytest.raises(DataError, match="a batch"):
        prepare(recipe, "step", f, Split({"x": x[: batch - 1]}))


# Readers


def csv_of(columns):
    return ",".join(["1"] * columns).encode() + b"\n"


def npz_of(count):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(count):
            file = io.BytesIO()
            np.save(file, np.zeros(1))
            archive.writestr(f"a{number}.npy", file.getvalue())
    return stream.getvalue()


def npy_of_rank(rank):
    header = {"descr": "<f4", "fortran_order": False, "shape": (1,) * rank}
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + b"abcd"


def npy_of_header(length):
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }"
    padded = text + b" " * (length - len(text))
    head = b"\x93NUMPY\2\0" + struct.pack("<I", length)
    return head + padded + b"abcd"


def tensors_of(count):
    names = {
        f"a{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
        for i in range(count)
    }
    text = json.dumps(names).encode()
    return struct.pack("<Q", len(text)) + text


def tensors_of_header(length):
    head = tensors({"a": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}})
    text = head[8:-2]
    return struct.pack("<Q", length) + text + b" " * (length - len(text)) + b"ab"


def tensors_of_rank(rank):
    return tensors({"a": {"dtype": "F16", "shape": [1] * rank, "data_offsets": [0, 2]}})


def idx_of_rank(rank):
    return struct.pack(f">HBB{rank}I", 0, 8, rank, *[1] * rank) + b"a"


def zeros(size):
    """Return a gzip file of so many bytes of an array in all, and its limit."""
    return gzip.compress(encode(np.zeros(size - 8, np.uint8)))


# The module, its limit and the value for the test, what reads, what makes a file of
# that much.
READ_TENSORS = lambda path: tensor_file.read_tensors(path, 1 << 30)  # noqa: E731
LIMITS = {
    "columns of a table": (csv_file, "_MAX_COLUMNS", 50, csv_file.read_csv, csv_of),
    "members of an archive": (npy, "_MAX_MEMBERS", 5, npy.read_npz, npz_of),
    "axes of an .npy": (npy, "_MAX_RANK", 4, npy.read_npy, npy_of_rank),
    "header of an .npy": (npy, None, 10_000, npy.read_npy, npy_of_header),
    "axes of an IDX file": (idx, "_MAX_RANK", 5, idx.read_idx, idx_of_rank),
    "arrays": (tensor_file, "MAX_ENTRIES", 5, READ_TENSORS, tensors_of),
    "header of arrays": (
        tensor_file,
        "MAX_HEADER",
        300,
        READ_TENSORS,
        tensors_of_header,
    ),
    "axes of an array": (tensor_file, "_MAX_RANK", 4, READ_TENSORS, tensors_of_rank),
    "unfolded bytes": (files, "SMALL", 100_000, idx.read_idx, zeros),
}


@pytest.mark.parametrize("name", LIMITS)
def test_readers_take_what_is_on_a_limit_and_no_more(tmp_path, monkeypatch, name):
    module, attribute, limit, read, make = LIMITS[name]
    if attribute:
        monkeypatch.setattr(module, attribute, limit)
    path = tmp_path / "file"
    for size in (1, limit - 1, limit) if limit < 60 else (limit - 1, limit):
        path.write_bytes(make(size))
        read(path)
    for size in (limit + 1, 2 * limit):
        path.write_bytes(make(size))
        with pytest.raises(DataError):
            read(path)


def test_the_share_that_a_file_may_unfold_to():
    assert files.unfolded_limit(0) == files.SMALL
    even = files.SMALL // files.RATIO
    assert files.unfolded_limit(even) == files.SMALL
    assert files.unfolded_limit(even + 1) == files.SMALL + files.RATIO
    assert files.unfolded_limit(0, 4) == files.SMALL // 4


def test_a_line_of_a_table_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "_MAX_LINE", 100)
    path = tmp_path / "a.csv"
    path.write_bytes(b"1." + b"1" * 98)
    assert csv_file.read_csv(path).values.shape == (1, 1)
    path.write_bytes(b"1" * 101)
    with pytest.raises(DataError, match="more than 100 bytes"):
        csv_file.read_csv(path)


def test_pickles_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(pickled, "_MAX_READS", 6)
    path = tmp_path / "a.pkl"
    for content, words in (
        (b"(NNt.", "no tuple of"),
        (b"(NNNt.", "more than 6 pieces"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            pickled.read_pickled(path)


def test_the_copies_of_a_pickle_have_a_limit(monkeypatch):
    monkeypatch.setattr(pickled, "SMALL", 10)
    file = pickled._File(io.BytesIO(b"x" * 5).read)
    file.read(5)
    encode = pickled._Machine(file).find_class("_codecs", "encode")
    assert encode("y" * 20, "latin1") == b"y" * 20  # four times what it holds
    with pytest.raises(pickled._Refused):
        encode("y", "latin1")


def test_a_file_of_arrays_is_as_large_as_it_may_be(tmp_path):
    path = tmp_path / "a.safetensors"
    content = tensors({"a": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}})
    path.write_bytes(content)
    tensor_file.read_tensors(path, len(content))
    with pytest.raises(DataError, match="at most"):
        tensor_file.read_tensors(path, len(content) - 1)


def test_a_header_announces_no_more_than_there_is(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(npy_file(b"{}"))
    with pytest.raises(DataError):
        npy.read_npy(path)


# The cache


def test_an_entry_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "LARGEST_ENTRY", 100)
    for size, kept in ((100, True), (101, False)):
        key = cache.key_of(str(size))
        cache.save(key, bytes(size))
        assert (cache.load(key) is not None) == kept


def test_the_store_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORC_CACHE_DIR", str(tmp_path / "cache"))
    size = 100 + 8 + 32  # with its magic and its digest
    for limit, kept in ((2 * size, 2), (2 * size - 1, 1)):
        monkeypatch.setattr(cache, "LARGEST_STORE", limit)
        cache.save(cache.key_of("a"), bytes(100))
        cache.save(cache.key_of("b"), bytes(100))
        assert len(cache.entries()) == kept


@pytest.mark.parametrize("name", ["arena", "scratch"])
def test_memory_that_there_is_not_is_an_error_of_its_own(name):
    """What workers need is said as what a call needs is."""
    whole = next(f for f in native.INFOS if f.name == "touch")

    def asked(size):
        info = dataclasses.replace(whole, **{"arena": 0, name: ("*", size, "B")})
        return CompiledFunction(info, native.library(), {}, {})

    with pytest.raises(MemoryError):
        asked(1 << 44)(np.ones(2, np.float32))
    with pytest.raises(ShapeError, match="bytes are more than a machine addresses"):
        asked(1 << 58)(np.ones(2, np.float32))
    with pytest.raises(ShapeError, match="does not fit 64 bits"):
        asked(1 << 61)(np.ones(2, np.float32))


def test_sizes_without_scratch_are_for_all_workers_again(monkeypatch):
    """A frame that served a call with scratch for one worker serves one with none."""
    monkeypatch.setattr(threads, "SCRATCH_LIMIT", 64)
    whole = next(f for f in native.INFOS if f.name == "touch")
    info = dataclasses.replace(
        whole, scratch=("*", 64, ("max", 0, ("+", 4, ("*", -1, "B"))))
    )
    called = CompiledFunction(info, native.library(), {}, {})
    for size, wanted in ((2, (128, 1)), (4, (0, threads.MOST)), (2, (128, 1))):
        called(np.ones(size, np.float32))
        (frame,) = called._frames
        words = frame.record[RecordWord.BYTES], frame.record[RecordWord.WORKERS]
        assert words == wanted


def test_scratch_is_for_each_worker_and_not_without_end():
    threads.use(4)
    try:
        count = max(4, threads.processors())
        assert threads.workers_for(0) == threads.workers_for(64) == count
        assert threads.workers_for(threads.SCRATCH_LIMIT // 3) == min(3, count)
        assert threads.workers_for(threads.SCRATCH_LIMIT * 9) == 1
    finally:
        threads.use(None)
