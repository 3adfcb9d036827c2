"""Why a call gave a NaN or an infinity: it is interpreted, and an op is named.

What is interpreted is what was compiled: the module after the passes of TENSOR. While
derivatives are expanded each op is marked with what it derives, in its location. No
pass is loaded before a call has failed.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tensorc.api.finite import words
from tensorc.api.finite.origins import Origin, by_blame, is_finite, origins
from tensorc.errors import Diagnostic, Location
from tensorc.ir.attributes import Dense
from tensorc.ir.captured import values_of
from tensorc.ir.core import Op, Value
from tensorc.ir.numerics import EXACT_TERMS
from tensorc.ir.ops.builtin import Function, Module
from tensorc.passes.common.base import Pass, run_pass
from tensorc.pipeline import TENSOR, run_passes
from tensorc.runtime.arrays import Array
from tensorc.runtime.finite import CODE, Explanation
from tensorc.target import Target

_DERIVATIVES = "autodiff"
_TERMS = 1 << 24  # of a product that is multiplied in its exact order: some 0.3 s


@dataclass(frozen=True, slots=True)
class Traced(Location):
    """A location with the op that stood there before derivatives were expanded."""

    op: str = ""
    is_derived: bool = False


def explain(
    make: Callable[[], Module], name: str, arguments: Sequence[Array]
) -> Explanation:
    """Return why a function of a module, as a front end makes it, is not finite."""
    module = make()
    captured = values_of(_function(module, name))
    module = run_passes(module, Target("cpu"), TENSOR, around=_marking)
    function = _function(module, name)
    given = _all(function, arguments, captured)
    # What is lost does not hang on the last bits of products, most of the time.
    for terms in (_TERMS, math.inf):
        token = EXACT_TERMS.set(terms)
        try:
            results, found = origins(module, name, given)
        finally:
            EXACT_TERMS.reset(token)
        known = [o for o in found if o is not None]
        if known:
            break
    else:
        return Explanation(words.nothing_found(name), True)
    affected = _affected(function, results)
    # What an op made counts before what was given, which may be of an earlier call.
    first = min(known, key=by_blame)
    return Explanation(_diagnostic(function, first, affected), first.is_made)


def _function(module: Module, name: str) -> Function:
    return next(f for f in module.functions if f.sym_name == name)


def _all(
    function: Function, given: Sequence[Array], captured: Mapping[str, Dense]
) -> list[Array]:
    """Return all arguments of a function, with those that it captures."""
    rest = iter(given)
    found = []
    for number in range(len(function.body.block.arguments)):
        name = str(function.argument_info(number).get("tc.name"))
        found.append(captured[name].value if name in captured else next(rest))
    return found


def _marking(pass_: Pass, module: Module, target: Target) -> Module:
    """Run a pass; what `autodiff` adds is marked as a derivative."""
    if pass_.name != _DERIVATIVES:
        return run_pass(pass_, module, target)
    before = [op for f in module.functions for op in f.walk()]
    for op in before:
        op.location = _traced(op)
    own = set(before)
    made = run_pass(pass_, module, target)
    for function in made.functions:
        for op in function.walk():
            location = op.location
            if op in own or not isinstance(location, Traced):
                continue
            # A branch of a derivative computes what the program's branch does again.
            is_copy = location.op == op.name and _parent(op) is not function
            op.location = replace(location, is_derived=not is_copy)
    return made


def _traced(op: Op) -> Traced:
    at = op.location
    span = (at.file, at.line, at.column, at.end_line, at.end_column)
    return Traced(*span, op=op.name)


def _parent(op: Op) -> Op | None:
    """Return the op in a region of which another one stands."""
    region = None if op.parent is None else op.parent.parent
    return None if region is None else region.parent


def _affected(function: Function, results: Sequence[Array]) -> list[str]:
    """Return what is not finite of what a function gives, in words."""
    found = []
    infos = [function.result_info(number) for number in range(len(results))]
    is_only = sum(info.get("tc.updates") is None for info in infos) == 1
    for number, (info, array) in enumerate(zip(infos, results, strict=True)):
        if is_finite(array):
            continue
        target = info.get("tc.updates")
        name = str(info.get("tc.name") or "")
        if isinstance(target, int):
            memory = function.argument_info(target).get("tc.name")
            what = f"the new value of '{memory}'"
        elif name:
            what = f"the result '{name}'"
        else:
            what = "the result" if is_only else f"result {number + 1}"
        found.append(f"{what} {words.holds(array)}")
    return found


def _diagnostic(
    function: Function, origin: Origin, affected: Sequence[str]
) -> Diagnostic:
    """Return what is said of the origin of what is not finite."""
    name = function.sym_name
    op = origin.op
    if op is None:
        made = words.given(origin, functools.partial(_named, function))
        return replace(made, notes=(*made.notes, *words.so(affected)))
    derives, later = _derives(op), _derives(origin.became)
    message = words.made(origin, derives)
    notes = [*words.turns(origin), *words.inputs(origin)]
    notes += [*words.given_to(origin, functools.partial(_named, function))]
    notes += [*words.so(affected), f"in a call of '{name}'"]
    return Diagnostic(
        CODE,
        message,
        op.location,
        words.label(origin),
        words.later(origin, later),
        tuple(notes),
        words.ways(origin, derives, later),
    )


def _derives(op: Op | None) -> str:
    """Return the op whose derivative another one computes, or ""."""
    if op is None or not isinstance(op.location, Traced):
        return ""
    return op.location.op if op.location.is_derived else ""


def _named(function: Function, value: Value) -> str:
    """Return what an argument or a constant is called."""
    arguments = function.body.block.arguments
    if value not in arguments:
        return "a constant"
    info = function.argument_info(arguments.index(value))
    kind = "the variable" if info.get("tc.kind") == "shared" else "the input"
    return f"{kind} '{info.get('tc.name')}'"
