"""Files of arrays: which file is read, and how messages name what they hold."""

import numpy as np

from tensorc.runtime.files import tensor_file
from tensorc.runtime.files.tensor_file import read_tensors, write_tensors


def test_what_is_read_is_the_file_that_was_checked(tmp_path, monkeypatch):
    path, other = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    write_tensors(path, {"w": np.zeros(3, "f")}, {})
    write_tensors(other, {"w": np.ones(3000, "f")}, {})
    check = tensor_file._check_size

    def checked(*given):
        check(*given)
        other.replace(path)  # as soon as its size is known

    monkeypatch.setattr(tensor_file, "_check_size", checked)
    assert read_tensors(path, 200).arrays["w"].tolist() == [0, 0, 0]


def test_dtypes_are_named_in_an_order():
    assert ", ".join(tensor_file._DTYPES) == (
        "BOOL, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64"
    )
