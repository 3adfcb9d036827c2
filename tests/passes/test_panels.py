"""Products of few static columns, whose right side is copied to a panel.

How wide a panel is follows from the vectors of the machine: those of all machines are
interpreted and compiled here.
"""

from dataclasses import replace

import numpy as np
import pytest

from tensorc.ir.functions import new_module
from tests import stages
from tests.samples import parse_type, same_bits
from tests.stages import Case, all_results
from tests.test_pipeline import add_function

COLUMNS = (1, 9, 16, 17, 23, 32, 47, 49)


@pytest.mark.parametrize("bits", [128, 256, 512])
@pytest.mark.parametrize("element", ["f16", "f32", "f64"])
def test_products_of_static_columns_for_any_vectors(
    element: str, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "TARGET", replace(stages.TARGET, vector_bits=bits))
    rng = np.random.default_rng(bits)
    module, cases = new_module(), list[Case]()
    for columns in COLUMNS:
        shapes = [(3, 2), (2, columns)]
        types = [parse_type(f"{element}{list(shape)}") for shape in shapes]
        name = f"f{columns}"
        add_function(module, name, types, lambda b, of: [b.matmul(*of)])
        dtype = types[0].element.dtype
        cases.append((name, [rng.standard_normal(s).astype(dtype) for s in shapes]))
    outcome = all_results(module, cases, (0,))
    for stage, results in outcome.items():
        for (name, _), (left,), (right,) in zip(
            cases, outcome["tensor"], results, strict=True
        ):
            assert same_bits(left, right), f"{name} at {stage}"
