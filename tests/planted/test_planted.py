"""Planted faults fit the sources, and the driver tells killed ones from survivors."""

import pytest

from tests.planted.drive import hunt
from tests.planted.faults import ROOT, Change, Fault, all_faults, changed, read_fault

FAULTS = all_faults()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
def test_a_fault_fits_the_sources_and_is_python(fault):
    assert fault.says.endswith(".")
    for change in fault.changes:
        assert change.old != change.new
        text = (ROOT / change.path).read_text()
        compile(changed(text, change), change.path, "exec")


def test_a_fault_that_fits_no_more_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a\.py has these lines 2 times"):
        changed("x = 1\nx = 1\n", Change("a.py", "x = 1\n", "x = 2\n"))
    path = tmp_path / "bad.fault"
    path.write_text("What it breaks.\n")
    with pytest.raises(ValueError, match="at least one change"):
        read_fault(path)


def test_the_driver_kills_a_plain_fault():
    change = Change("tensorc/passes/common/dce.py", *_order_of_ops())
    fault = Fault("plain", "Ops come out in the wrong order.", (change,))
    assert "compiles: " in hunt(fault, seed=0, seconds=60, jobs=1)


def _order_of_ops() -> tuple[str, str]:
    return "    block.ops = kept[::-1]\n", "    block.ops = kept\n"


def test_the_driver_lets_sources_without_a_fault_live():
    assert hunt(Fault("none", "Nothing.", ()), seed=0, seconds=1, jobs=1) == ""
