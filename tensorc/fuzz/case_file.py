"""A failure as a file: the module's text, the inputs, and the relation that failed.

    // tensorc fuzz: seed 1, program 37
    // interpreted = -O3 fused, 1 thread: result 0: 1.0 and 2.0 at [0]
    // case: {"arguments": [{"type": "f32", "shape": [2], "values": [1.0, NaN]}], …}
    "builtin.module"() ({
    …

The file is MLIR that `tensorc opt` reads; the line `case` is JSON.
"""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np

from tensorc.fuzz.check import LAWS, SLOPES, Mismatch, Subject, SubjectCall
from tensorc.fuzz.emission import module_of
from tensorc.fuzz.laws import Dual, Laws, Rows, laws_of
from tensorc.fuzz.program import RandomProgram
from tensorc.fuzz.slopes import Slopes, slopes_of
from tensorc.ir.numerics import Array
from tensorc.ir.ops.builtin import Module
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.ir.types import ELEMENTS, element_of

_CASE = re.compile(r"^// case: (\{.*\})$", re.MULTILINE)


def case_text(program: RandomProgram, call: SubjectCall, found: Mismatch) -> str:
    """Return the text of a case."""
    slopes = slopes_of(program) if found.relation == SLOPES else None
    laws = laws_of(program) if found.relation == LAWS else Laws()
    case = {
        "function": program.name,
        "arguments": [_as_json(a) for a in call.arguments],
        "tame": call.is_tame,
        "cost": None if slopes is None else slopes.cost,
        "slopes": [] if slopes is None else slopes.pairs,
        "twins": laws.twins,
        "rows": laws.rows and [laws.rows.arguments, laws.rows.results],
        "duals": [dataclasses.astuple(dual) for dual in laws.duals],
    }
    lines = [f"tensorc fuzz: {program.about}", f"{found.relation}: {found.detail}"]
    lines = [" ".join(line.split())[:200] for line in lines]
    head = "".join(f"// {line}\n" for line in [*lines, f"case: {json.dumps(case)}"])
    return head + print_module(module_of([program]))


def read_case(path: Path) -> tuple[Module, Subject]:
    """Return the module of a file that `case_text` wrote, and what to check of it.

    Raises:
        ValueError: the file has no line `case`.
    """
    text = path.read_text(encoding="utf-8")
    found = _CASE.search(text)
    if found is None:
        raise ValueError(f"{path}: there is no line '// case: {{…}}'")
    module = parse_module(text)
    assert isinstance(module, Module)
    case = json.loads(found[1])
    arguments = tuple(_from_json(a) for a in case["arguments"])
    slopes = None
    if case["cost"] is not None:
        slopes = Slopes(case["cost"], tuple((n, r) for n, r in case["slopes"]))
    call = SubjectCall(arguments, bool(case["tame"]))
    rows = case.get("rows")
    laws = Laws(
        tuple((a, b) for a, b in case.get("twins", ())),
        None if rows is None else Rows(*map(tuple, rows)),
        tuple(Dual(*map(tuple, dual)) for dual in case.get("duals", ())),
    )
    return module, Subject(case["function"], (call,), slopes, laws)


def _as_json(array: Array) -> dict[str, object]:
    return {
        "type": element_of(array.dtype).name,
        "shape": list(array.shape),
        "values": array.reshape(-1).tolist(),
    }


def _from_json(stored: dict[str, object]) -> Array:
    element = ELEMENTS[str(stored["type"])]
    values, shape = stored["values"], stored["shape"]
    assert isinstance(values, list)
    assert isinstance(shape, list)
    return np.array(values, element.dtype).reshape(shape)
