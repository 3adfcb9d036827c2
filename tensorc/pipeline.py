"""The passes of the TENSOR level, and how passes run: what checking a file needs."""

from collections.abc import Sequence

from tensorc.errors import InternalError, TensorcError, VerifyError
from tensorc.ir.ops.builtin import Module
from tensorc.ir.verifier import verify
from tensorc.passes.common.base import Around, Pass, run_pass
from tensorc.passes.common.cse import CSE
from tensorc.passes.common.dce import DCE
from tensorc.passes.tensor.ad.autodiff import AUTODIFF
from tensorc.passes.tensor.few_rows import FEW_ROWS
from tensorc.passes.tensor.simplify import SIMPLIFY, TIDY
from tensorc.passes.tensor.stabilize import STABILIZE
from tensorc.target import Target

TENSOR: tuple[Pass, ...] = (
    CSE,  # a softmax whose parts are spelled twice is recognised only when merged
    TIDY,  # what changes nothing, such as `* 1`, hides no naive spelling
    STABILIZE,  # before autodiff: the derivative of the stable form is stable
    AUTODIFF,
    SIMPLIFY,
    CSE,  # merges the forward part of each derivative with the program's own
    DCE,
    FEW_ROWS,
)


def run_passes(
    module: Module,
    target: Target,
    passes: Sequence[Pass],
    verify_each: bool = False,
    around: Around = run_pass,
) -> Module:
    """Run a pipeline; verify where a level ends, or after each pass.

    `around` runs each pass, and may print or time it.

    Raises `InternalError`, naming the pass, if a pass fails or makes invalid IR.
    """
    for number, pass_ in enumerate(passes):
        try:
            module = around(pass_, module, target)
        except (TensorcError, InternalError):
            raise
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"
            raise InternalError(detail, pass_.name) from error
        last = number + 1 == len(passes)
        if verify_each or last or passes[number + 1].writes != pass_.writes:
            try:
                verify(module, pass_.writes)
            except VerifyError as error:
                raise InternalError(f"invalid IR: {error}", pass_.name) from error
    return module
