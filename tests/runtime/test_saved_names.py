"""What is saved is restored, whatever its name and shape, or is not saved."""

import zipfile

import numpy as np
import pytest

from tensorc.errors import DataError, TensorcError
from tensorc.runtime.files.npy import read_npy, read_npz
from tensorc.runtime.files.tensor_file import read_tensors
from tensorc.runtime.files.weights import load_weights, save_weights
from tensorc.runtime.shared import SharedCell
from tests.runtime.test_checkpoint_files import dictionary, entry, file_of, header, put

NAMES = ["a/b", "W 1", "a-b", "1x", "a..b", ".a", "x\n", "W.b", "W_1", "Größe", "x.npy"]
NAMES += [
    "n" * 1000,
    "n" * 1001,
    "n" * 70_000,
    "fit:W",
    "__metadata__",
    "\\",
    "..",
    "W.",
]


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_what_is_saved_is_restored_whatever_its_name(tmp_path, name, ending):
    path = tmp_path / f"w.{ending}"
    cell = SharedCell(name, np.ones(2))
    if len(name) > 1000 or (ending == "safetensors" and name not in PLAIN):
        with pytest.raises(TensorcError, match="TC0805"):
            save_weights(path, {name: cell})
        assert not path.exists()
        return
    save_weights(path, {name: cell})
    cell.set_value(np.zeros(2))
    assert load_weights(path, {name: cell}) == []
    assert cell.get_value().tolist() == [1, 1]


PLAIN = ("W.b", "W_1", "Größe", "x.npy", "n" * 1000)


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_what_is_saved_is_restored_whatever_its_shape(tmp_path, ending):
    path = tmp_path / f"w.{ending}"
    for shape in [(1,) * 32, (0, 1 << 20), (), (1,) * 33]:
        cells = {"W": SharedCell("W", np.ones(shape))}
        if len(shape) > 32:
            with pytest.raises(TensorcError, match=r"TC0805.*axes"):
                save_weights(path, cells)
        else:
            save_weights(path, cells)
            assert load_weights(path, cells) == []


def test_no_array_of_huge_axes_is_read(tmp_path):
    path = tmp_path / "w.safetensors"
    put(path, file_of({"a": entry(shape=[0] + [2**47] * 3, end=0)}))
    with pytest.raises(DataError, match=r"TC0801.* or a huge one"):
        read_tensors(path, 1000)


@pytest.mark.parametrize("shape", ["(True,)", "(0, 1152921504606846975, 16)"])
def test_no_npy_of_other_shapes_is_read(tmp_path, shape):
    path, archive = tmp_path / "a.npy", tmp_path / "a.npz"
    put(path, header(dictionary(shape=shape), b"abcd" * (shape == "(True,)")))
    with pytest.raises(DataError, match=r"TC0408.* is not that of an array"):
        read_npy(path)
    with zipfile.ZipFile(archive, "w") as file:
        file.write(path, "x.npy")
    with pytest.raises(DataError, match=r"TC0408.* is not that of an array"):
        read_npz(archive)
