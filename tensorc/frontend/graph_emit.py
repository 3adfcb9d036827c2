"""From a graph to a function of the IR, in one walk without recursion.

`givens` are an identity map: a value that it names is not emitted, its replacement
stands for it. Replacements are emitted one after the other, each with the ones before
it in force, so that `givens={x: x + 1}` means what it says.
"""

import keyword
from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

from tensorc.errors import CompileError, Diagnostic, Location, ShapeError
from tensorc.frontend.graph import (
    Derivative,
    Input,
    SharedLeaf,
    ordered,
    renamed,
    sources_of,
)
from tensorc.frontend.operands import spell_type
from tensorc.ir.attributes import make_dict
from tensorc.ir.builder import Builder
from tensorc.ir.core import Op, Value
from tensorc.ir.dims import Constraints, Dim, substitute
from tensorc.ir.functions import Parameter, close_function, new_module, open_function
from tensorc.ir.ops.builtin import Module
from tensorc.ir.ops.control import Grad, Yield
from tensorc.ir.types import TensorType

Values = MutableMapping[Value, Value]


@dataclass(frozen=True, slots=True)
class Plan:
    """A function to be: values of the graph, and pairs of memory and its new value."""

    name: str
    inputs: tuple[Input, ...]
    outputs: tuple[Value, ...]
    updates: tuple[tuple[SharedLeaf, Value], ...] = ()
    givens: tuple[tuple[Value, Value], ...] = ()
    location: Location = field(default_factory=Location)

    def needed(self) -> list[Value]:
        """Return the values that the function needs, in order, replacements included.

        What only an unused replacement needs is left out.
        """
        roots = [*self.outputs, *(new for _, new in self.updates)]
        given = dict(self.givens)
        found = dict.fromkeys(ordered(roots, _Stop(given)))
        for old, new in reversed(self.givens):
            if old in _cut(found, given):
                before = dict(self.givens[: self.givens.index((old, new))])
                found.update(dict.fromkeys(ordered([new], _Stop(before))))
        return list(found)
