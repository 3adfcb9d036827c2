"""Run functions of `.tc` texts through the interpreter."""

from dataclasses import dataclass

import numpy as np

from tensorc.errors import TensorcError
from tensorc.frontend.dsl.irgen.generator import generate
from tensorc.frontend.dsl.programs.program import FileProgram
from tensorc.frontend.dsl.syntax.parser import parse, parse_expression
from tensorc.ir.interpreter import interpret
from tensorc.ir.ops.builtin import Module
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.ir.types import TensorType
from tensorc.ir.verifier import verify
from tensorc.passes.tensor.ad.autodiff import AUTODIFF
from tensorc.target import Target


def program(text, **settings) -> FileProgram:
    given = {name: parse_expression(value) for name, value in settings.items()}
    return generate(parse(text, "test.tc"), given)


def diagnostics(text, **settings):
    """Return all diagnostics of a text: of its declarations, then of its functions."""
    try:
        program(text, **settings).emit()
    except TensorcError as error:
        return list(error.diagnostics)
    return []


@dataclass(frozen=True)
class Prepared:
    """A function of a program, checked and ready to be interpreted."""

    program: FileProgram
    module: Module
    name: str


def prepare(source, name) -> Prepared:
    """Emit one function of a program or of its text; its text form must parse back."""
    p = source if isinstance(source, FileProgram) else program(source)
    emitted = p.emit([name])
    verify(emitted)
    text = print_module(emitted)
    assert print_module(parse_module(text)) == text
    return Prepared(p, AUTODIFF.run(emitted, Target("cpu")), name)


def run(source, name, *inputs, memory=None):
    """Call a function; returns its results and the new memory by name."""
    return call(prepare(source, name), *inputs, memory=memory)


def call(prepared, *inputs, memory=None):
    """Call a prepared function; returns its results and the new memory by name."""
    p, module = prepared.program, prepared.module
    (function,) = module.functions
    given = iter(inputs)
    held = {m.name: m.initial for m in p.memories} | (memory or {})
    names, arguments = [], []
    for i, argument in enumerate(function.body.block.arguments):
        info = function.argument_info(i)
        names.append(info.get("tc.name"))
        kind = info.get("tc.kind")
        value = {"shared": held, "hyper": p.hypers}.get(kind, {}).get(names[-1])
        value = next(given) if kind == "input" else value
        assert isinstance(argument.type, TensorType)
        arguments.append(np.asarray(value, argument.type.element.dtype))
    results = interpret(module, prepared.name, arguments)
    outputs, updates = [], {}
    for i, result in enumerate(results):
        place = function.result_info(i).get("tc.updates")
        if place is None:
            outputs.append(result)
        else:
            updates[names[place]] = result
    return outputs, updates


def value(expression, formals="", *inputs, memory=""):
    """Return the value of an expression over typed arguments."""
    text = f"{memory}\nfn f({formals}) = {expression}"
    (result,), _ = run(text, "f", *inputs)
    return result
