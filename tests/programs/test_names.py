"""Names of a program never meet those of the compiler, of C or of LLVM."""

from pathlib import Path

import numpy as np
import pytest

from tensorc.api import program as api
from tensorc.cli.main import run


@pytest.mark.parametrize("name", ["memcpy", "memset", "free", "log", "define", "llvm"])
def test_a_function_may_have_any_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "names.tc"
    path.write_text(f"fn {name}(x: float[B, 3]) -> float[B] = sum(x * 2, axis=1)")
    function = api.load(str(path)).functions[name]
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(function(x), np.float32([6, 6]))


def test_functions_are_not_called_like_the_kernels_of_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "names.tc"
    path.write_text(
        """
        fn f(x: float[B]) -> float = sum(exp(x))
        fn f__k0(x: float[B]) -> float = sum(x)
        fn f__epoch(x: float[B]) -> float = max(x)
        """
    )
    assert run(["compile", str(path), "--emit=asm"]) == 0
    functions = api.load(str(path)).functions
    x = np.float32([0, 1, 2])
    assert functions["f__k0"](x) == 3
    assert functions["f__epoch"](x) == 2
