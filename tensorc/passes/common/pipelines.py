"""Read pipelines in MLIR's spelling: `builtin.module(cse,func.func(stabilize,dce))`.

    pipeline  = item ("," item)*
    item      = anchor "(" pipeline? ")" | pass
    anchor    = "builtin.module" | "func.func" | "any"

Our passes visit the functions of a module one after the other, so an anchor changes
nothing: what stands inside is run in order. A list without an anchor is one, too.
"""

import re
from collections.abc import Mapping
from typing import NoReturn

from tensorc.errors import CompileError, Diagnostic, Label, Location, did_you_mean
from tensorc.passes.common.base import Level, Pass, check_pipeline

ANCHORS = ("builtin.module", "func.func", "any")
SOURCE = "--pass-pipeline"  # the name of the text in diagnostics

_TOKEN = re.compile(r"\s*(?:([A-Za-z_][\w.-]*)|(.))", re.DOTALL)


def parse_pipeline(text: str, passes: Mapping[str, Pass]) -> tuple[Pass, ...]:
    """Return the passes that a pipeline names, in order.

    Raises:
        CompileError: the text is no pipeline (TC0920), or a pass reads another level
            than the one that the pass before it writes (TC0921).
    """
    found: list[tuple[Pass, Location]] = []
    depth, before = 0, "("
    for match in _TOKEN.finditer(text.rstrip()):
        token = match[1] or match[2]
        start = match.start(1 if match[1] else 2)
        location = _location(start, len(token))
        if match[1] and before in ("(", ","):
            opens = text[match.end() :].lstrip().startswith("(")
            if opens and token in ANCHORS:
                token = "anchor"
            else:
                found.append((_find(token, passes, location), location))
        elif token == "(" and before == "anchor":
            depth += 1
        elif token == ")" and depth and before != ",":
            depth -= 1
        elif token == "{":
            _fail(
                f"pass '{found[-1][0].name if found else ''}' has no options", location
            )
        elif token != "," or before in ("(", ","):
            _fail(f"a pass is expected, got '{token}'", location)
        before = token
    if depth or before in (",", "anchor"):
        _fail("unexpected end of the pipeline", _location(len(text), 1))
    _check_levels(found)
    return tuple(pass_ for pass_, _ in found)


def spell_pipeline(passes: tuple[Pass, ...]) -> str:
    """Return the text of a pipeline, which `parse_pipeline` reads."""
    return f"builtin.module({','.join(p.name for p in passes)})"


def _location(start: int, length: int) -> Location:
    return Location(SOURCE, 1, start + 1, 0, start + 1 + length)


def _fail(message: str, location: Location, *hints: str) -> NoReturn:
    raise CompileError(Diagnostic("TC0920", message, location, hints=hints))


def _find(name: str, passes: Mapping[str, Pass], location: Location) -> Pass:
    if name in passes:
        return passes[name]
    hint = did_you_mean(name, passes, "'{}'") or f"there are {', '.join(passes)}"
    _fail(f"there is no pass '{name}'", location, hint)


def _check_levels(found: list[tuple[Pass, Location]]) -> None:
    """Reject a pass that reads another level than the one before it writes."""
    level: Level | None = None
    for number, (pass_, location) in enumerate(found):
        try:
            level = check_pipeline([pass_], level or pass_.reads)
        except ValueError as error:
            before, where = found[number - 1]
            label = Label(where, f"'{before.name}' writes {before.writes.value}")
            diagnostic = Diagnostic("TC0921", str(error), location, labels=(label,))
            raise CompileError(diagnostic) from error
