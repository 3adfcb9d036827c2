"""Each part of each key of the caches alone makes another key."""

import dataclasses
import os

import numpy as np
import pytest
from llvmlite import binding as llvm

import tensorc as tc
from tensorc import artifact_file, cache, driver
from tensorc.backend.llvm import host
from tensorc.frontend.library.dtypes import ArrayType
from tensorc.frontend.python.grouping.pytree import Static
from tensorc.frontend.python.trace_arguments import Key, read_call
from tensorc.frontend.python.tracer import ArrayLeaf, NumberLeaf, StaticLeaf
from tensorc.ir.text import printer
from tensorc.ir.types import ELEMENTS
from tensorc.runtime.arrays import kinds_of
from tensorc.target import Options, Target

TARGET = Target("cpu", "x86_64-linux", "skylake", "+avx2", 256)
OPTIONS = Options()


def other(value):
    """Return another value of the same type."""
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else value + "x"


def variants(described):
    """Yield a description with one field changed, for each of its fields."""
    for field in dataclasses.fields(described):
        if not field.repr:  # for those who call the code
            continue
        value = other(getattr(described, field.name))
        yield field.name, dataclasses.replace(described, **{field.name: value})


@pytest.fixture
def ask(monkeypatch):
    """Return the keys that are asked for, in the place of what the cache has."""
    keys = []
    monkeypatch.setattr(cache, "load", lambda key: keys.append(key))
    monkeypatch.setattr(cache, "save", lambda key, _: keys.append(key))
    monkeypatch.setattr(cache, "is_on", lambda: True)
    monkeypatch.setattr(driver, "_compiled", lambda *_: None)
    monkeypatch.setattr(artifact_file, "encode", lambda _: b"")
    monkeypatch.setattr(driver, "_package", lambda: "package")
    monkeypatch.setattr(driver, "code_generator", lambda: "LLVM")

    def asked(text="module", target=TARGET, options=OPTIONS):
        monkeypatch.setattr(printer, "print_module", lambda *_, **__: text)
        keys.clear()
        driver.compile_module(None, target, options)
        assert len(set(keys)) == 1, "it is kept under the key that it is looked for"
        return keys[0]

    asked.keys = keys
    return asked


# Of compiled modules


@pytest.mark.parametrize("field", [name for name, _ in variants(TARGET)])
def test_the_target_is_in_the_key_of_a_module(ask, field):
    assert ask(target=dict(variants(TARGET))[field]) != ask()


@pytest.mark.parametrize("field", [name for name, _ in variants(OPTIONS)])
def test_the_options_are_in_the_key_of_a_module(ask, field):
    assert ask(options=dict(variants(OPTIONS))[field]) != ask()


def test_how_code_is_called_is_in_no_key(ask):
    kept = {field.name for field in dataclasses.fields(OPTIONS) if not field.repr}
    assert kept == {"check_nan"}
    assert ask(options=dataclasses.replace(OPTIONS, check_nan=True)) == ask()


def test_the_text_is_in_the_key_of_a_module(ask):
    assert ask(text="another") != ask()


@pytest.mark.parametrize("part", ["_package", "code_generator"])
def test_who_compiles_is_in_the_key_of_a_module(ask, part, monkeypatch):
    before = ask()
    monkeypatch.setattr(driver, part, lambda: "another")
    assert ask() != before


def test_places_are_in_the_text_of_a_key(monkeypatch):
    """Errors name them: code of a file that was edited above must not be taken."""
    seen = []
    monkeypatch.setattr(cache, "is_on", lambda: True)
    monkeypatch.setattr(cache, "load", lambda _: None)
    monkeypatch.setattr(cache, "save", lambda *_: None)
    monkeypatch.setattr(driver, "_compiled", lambda *_: None)
    monkeypatch.setattr(artifact_file, "encode", lambda _: b"")
    monkeypatch.setattr(
        printer, "print_module", lambda _, **options: seen.append(options) or ""
    )
    driver.compile_module(None, TARGET, OPTIONS)
    assert seen == [{"locations": True}]


# Of the pool of threads


@pytest.fixture
def ask_pool(monkeypatch):
    parts = {"target": TARGET, "package": "package", "generator": "LLVM"}

    def asked(**changed):
        given = {**parts, **changed}
        keys = []
        monkeypatch.setattr(cache, "load", lambda key: keys.append(key) or b"code")
        monkeypatch.setattr(driver, "host_target", lambda: given["target"])
        monkeypatch.setattr(driver, "_package", lambda: given["package"])
        monkeypatch.setattr(driver, "code_generator", lambda: given["generator"])
        monkeypatch.setattr(driver.cpu, "link_object", lambda *_: None)
        driver._load_pool()
        return keys[0]

    return asked


@pytest.mark.parametrize("field", [name for name, _ in variants(TARGET)])
def test_the_target_is_in_the_key_of_the_pool(ask_pool, field):
    assert ask_pool(target=dict(variants(TARGET))[field]) != ask_pool()


@pytest.mark.parametrize("part", ["package", "generator"])
def test_who_compiles_is_in_the_key_of_the_pool(ask_pool, part):
    assert ask_pool(**{part: "another"}) != ask_pool()


# What the parts are made of


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (llvm, "llvm_version_info", (99, 0, 0)),
        (host, "_llvmlite_version", "99"),
    ],
)
def test_versions_are_in_the_name_of_the_code_generator(
    monkeypatch, module, name, value
):
    before = host.code_generator()
    monkeypatch.setattr(module, name, value)
    assert host.code_generator() != before


def rename(root):
    (root / "a.py").rename(root / "c.py")


def lengthen(root):
    keep_time(root / "a.py", b"longer")


def keep_time(path, content):
    status = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def touch(root):
    os.utime(root / "a.py", ns=(0, 1))


def touch_below(root):
    os.utime(root / "sub" / "b.py", ns=(0, 1))


EDITS = {
    "name": rename,
    "size": lengthen,
    "time": touch,
    "time, in a folder": touch_below,
    "new file": lambda root: (root / "new.py").write_bytes(b""),
    "new file of data": lambda root: (root / "grammar.lark").write_bytes(b""),
    "removed file": lambda root: (root / "a.py").unlink(),
    "moved file": lambda root: (root / "a.py").rename(root / "sub" / "a.py"),
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "sub" / "__pycache__").mkdir(parents=True)
    for name in ("driver.py", "a.py", "sub/b.py"):
        (tmp_path / name).write_bytes(b"text")
        os.utime(tmp_path / name, ns=(0, 5_000_000_000))
    monkeypatch.setattr(driver, "__file__", str(tmp_path / "driver.py"))
    return tmp_path


@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_of_the_package_is_seen(package, edit):
    before = driver._package.__wrapped__()
    EDITS[edit](package)
    assert driver._package.__wrapped__() != before


def test_what_python_writes_itself_is_no_edit(package):
    before = driver._package.__wrapped__()
    (package / "sub" / "__pycache__" / "b.cpython-311.pyc").write_bytes(b"code")
    assert driver._package.__wrapped__() == before


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("a", "b"), ("b", "a")),
        (("a",), ("a", "")),
        (("ab", "c"), ("a", "bc")),
        (("a" * 8,), ("a" * 9,)),
        ((), ("",)),
    ],
)
def test_number_order_and_borders_of_parts_are_in_a_key(left, right):
    assert cache.key_of(*left) != cache.key_of(*right)


def test_an_entry_is_bound_to_its_key_and_its_payload():
    digests = {cache._digest(k, p) for k in ("k", "l") for p in (b"", b"p", b"q")}
    assert len(digests) == 6


# Of plans: calls that are like an earlier one


F32, F64 = np.zeros(3, np.float32), np.zeros(3)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([F32], [F64]),
        ([F32], [F32.astype(">f4")]),
        ([F32], [F32[:2]]),
        ([F32], [F32[:, None]]),
        ([F32], [F32.reshape(())] if F32.size == 1 else [F32[0:1]]),
        ([F32, F64], [F64, F32]),
        ([F32], [F32, F32]),
        ([np.zeros((2, 3))], [np.zeros((3, 2))]),
        ([np.zeros(3, np.int8)], [np.zeros(3, np.uint8)]),
        ([np.zeros(3, np.bool_)], [np.zeros(3, np.uint8)]),
    ],
)
def test_types_shapes_and_order_are_in_the_key_of_a_plan(left, right):
    assert kinds_of(left) != kinds_of(right)
    assert kinds_of(left) == kinds_of([a.copy() for a in left])


@pytest.mark.parametrize("value", [1.0, [1.0], np.float64(1), np.ma.array([1.0]), None])
def test_only_plain_arrays_have_plans(value):
    assert kinds_of([value]) is None
    assert kinds_of([F32, value]) is None


def test_a_plan_is_for_its_types_and_sizes_alone():
    x, y = tc.fvector("x"), tc.fvector("y")
    f = tc.function([x, y], x + y)
    ones = np.ones(3, np.float32)
    assert f(ones, ones).tolist() == [2, 2, 2]
    for wrong in (ones[:2], ones[:, None]):
        with pytest.raises(ValueError, match="expected"):
            f(ones, wrong)
    assert f(ones, np.ones(3, np.int64)).tolist() == [2, 2, 2]
    assert f(ones[:2], ones[:2]).tolist() == [2, 2]


# Of traced functions: what a specialisation fixes


def keys_of(*arguments, types=None, static=()):
    names = {f"a{i}": value for i, value in enumerate(arguments)}
    return read_call("f", names, types or {}, static).key()


W, V = tc.shared(np.zeros(3), "W"), tc.shared(np.zeros(3), "W")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((F32,), (F64,)),
        ((F32,), (F32[:, None],)),
        ((F32,), (F32[:1],)),
        ((np.zeros((1, 3)),), (np.zeros((3, 1)),)),
        ((F32,), ([F32],)),
        (([F32],), ((F32,),)),
        (({"a": F32},), ({"b": F32},)),
        (([F32, F64],), ([F64, F32],)),
        (([F32, [F64]],), ([[F32], F64],)),
        ((F32, F64), (F64, F32)),
        ((1,), (1.0,)),
        ((1,), (True,)),
        ((1,), (F32,)),
        ((True,), (False,)),
        (("mean",), ("sum",)),
        ((None,), (1,)),
        ((np.float32,), (np.float64,)),
        ((W,), (V,)),
        ((W,), (np.zeros(3),)),
    ],
)
def test_what_a_specialisation_fixes_is_in_its_key(left, right):
    assert keys_of(*left) != keys_of(*right)


@pytest.mark.parametrize(
    ("left", "right"), [((1,), (2,)), ((0.5,), (2.5,)), ((F32,), (F32[:2],))]
)
def test_what_a_specialisation_leaves_open_is_not_in_its_key(left, right):
    assert keys_of(*left) == keys_of(*right)


@pytest.mark.parametrize(
    ("left", "right"),
    [(1, 2), (1, 1.0), (1, True), (0.0, -0.0), ("a", "b"), ((1, 2), (2, 1))],
)
def test_the_value_and_the_type_of_a_static_argument_are_in_the_key(left, right):
    assert keys_of(left, static={"a0"}) != keys_of(right, static={"a0"})


LEAVES = [
    ArrayLeaf(ELEMENTS["f32"], (None, 1)),
    NumberLeaf("int"),
    StaticLeaf(Static("text")),
]
CHANGES = {
    (ArrayLeaf, 0): ELEMENTS["f64"],
    (ArrayLeaf, 1): (1, None),
    (NumberLeaf, 0): "float",
    (StaticLeaf, 0): Static("other"),
}


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: type(leaf).__name__)
def test_each_field_of_a_leaf_counts(leaf):
    for number, field in enumerate(dataclasses.fields(leaf)):
        change = {field.name: CHANGES[type(leaf), number]}
        changed = dataclasses.replace(leaf, **change)
        assert changed != leaf
        assert Key(("t",), (changed,)) != Key(("t",), (leaf,))
    assert Key(("t",), (leaf,)) != Key(("u",), (leaf,))


def test_the_type_of_a_parameter_is_checked_at_each_call():
    typed = {"a0": ArrayType(ELEMENTS["f32"], ("n", 3))}
    good = np.zeros((2, 3), np.float32)
    assert keys_of(good, types=typed) == keys_of(
        np.ones((5, 3), np.float32), types=typed
    )
    with pytest.raises(ValueError, match="3"):
        keys_of(np.zeros((2, 4), np.float32), types=typed)


def test_each_form_is_called_for_what_it_was_compiled_for():
    @tc.jit(static="power")
    def f(x, power=2):
        return x**power

    for dtype in (np.float32, np.float64):
        for power in (2, 3):
            for shape in ((2,), (1,), (2, 1)):
                x = np.full(shape, 3, dtype)
                for _ in range(2):
                    result = f(x, power)
                    assert result.dtype == dtype
                    assert result.shape == shape
                    assert (result == 3**power).all()
    assert len(f.cache_info()) == 12
