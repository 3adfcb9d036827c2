"""Stock tools read what we print: xdsl, which shares no code with us or with MLIR."""

import io
from pathlib import Path

import pytest
from xdsl.context import Context
from xdsl.dialects import get_all_dialects
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from tensorc import api, compiler

# What MLIR allows and xdsl's dialects do not: comparisons, selections and casts by
# lanes. The parts of messages, by op.
NARROWER = {
    "arith.select": "Expected attribute i1 but got vector<",
    "arith.cmpf": "Expected attribute i1 but got vector<",
    "arith.cmpi": "Expected attribute i1 but got vector<",
    "arith.index_cast": "Unexpected attribute vector<",
}

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.tc"))


def read_and_write(text: str) -> str:
    """Return what `xdsl-opt --allow-unregistered-dialect` makes of a text."""
    context = Context(allow_unregistered=True)
    for name, factory in get_all_dialects().items():
        context.register_dialect(name, factory)
    module = Parser(context, text).parse_module()
    wrong = []
    for op in module.walk():
        try:
            op.verify(verify_nested_ops=False)
        except VerifyException as error:
            if NARROWER.get(op.name, "?!") not in str(error):
                wrong.append(f"{op.name}: {error}")
    assert not wrong
    out = io.StringIO()
    Printer(out, print_generic_format=True).print_op(module)
    return out.getvalue()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
@pytest.mark.parametrize("stage", compiler.STAGES)
def test_every_stage_of_every_example_is_read(path: Path, stage: str) -> None:
    text = api.emit(str(path), stage, None, {})
    assert isinstance(text, str)
    assert read_and_write(text)
