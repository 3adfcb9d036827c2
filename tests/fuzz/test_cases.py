"""Failures that `tensorc fuzz` found and wrote, all mended: each must pass now.

Put the file that it wrote into this folder, under a name that says what was wrong.
"""

from pathlib import Path

import pytest

from tensorc.fuzz.case_file import read_case
from tensorc.fuzz.check import ALL_WAYS, check_module

FILES = sorted(Path(__file__).parent.glob("*.mlir"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_what_failed_once(path):
    module, subject = read_case(path)
    assert check_module(module, [subject], ways=ALL_WAYS).mismatches == []
