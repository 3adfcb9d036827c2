"""Large constants of a graph as hidden arguments, the last ones of a function.

    %captured: tensor<1000x1000xf32>   {tc.kind = "captured", tc.default = dense<…>}

So code is compiled and kept without their elements: functions of other arrays share it.
`take_values` takes the elements out before that; who calls the code gives them to it.
The text with them is a whole program, and `spell_out` makes constants of them again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tensorc.errors import InternalError
from tensorc.ir.attributes import ArrayAttr, Attribute, Dense, Dict, make_dict
from tensorc.ir.core import Op, Value
from tensorc.ir.functions import set_function_type
from tensorc.ir.ops.builtin import Function, Module
from tensorc.ir.ops.tensor.making import Constant

KIND, DEFAULT = "tc.kind", "tc.default"
CAPTURED = "captured"


@dataclass
class Captured:
    """The arguments that stand for large constants; equal ones have one argument.

    `name` gives an argument a name that no other one has.
    """

    function: Function
    name: Callable[[str], str]
    found: dict[Dense, Value] = field(default_factory=dict)

    def stands_for(self, op: Op) -> Value | None:
        """Return the argument that is this constant, None for all other ops."""
        if not isinstance(op, Constant) or not op.value.is_large:
            return None
        if op.value not in self.found:
            name = self.name(op.result.hint or CAPTURED)
            self.found[op.value] = self._add(name, op.value)
        return self.found[op.value]

    def _add(self, name: str, value: Dense) -> Value:
        entries = self.function.attributes.get("arg_attrs")
        others = entries.items if isinstance(entries, ArrayAttr) else ()
        given: dict[str, Attribute] = {"tc.name": name, KIND: CAPTURED, DEFAULT: value}
        entry = make_dict(**given)
        self.function.attributes["arg_attrs"] = ArrayAttr((*others, entry))
        return self.function.body.block.add_argument(value.type, name)


def is_captured(value: Value) -> bool:
    """Return whether a value of a graph becomes a hidden argument."""
    return isinstance(value.op, Constant) and value.op.value.is_large


def values_of(function: Function) -> dict[str, Dense]:
    """Return the arrays that a function captures, in the order of the arguments."""
    found = {}
    for i in range(len(function.body.block.arguments)):
        info = function.argument_info(i)
        value = info.get(DEFAULT)
        if info.get(KIND) == CAPTURED and isinstance(value, Dense):
            found[str(info.get("tc.name"))] = value
    return found


def take_values(module: Module) -> dict[str, Dense]:
    """Return the arrays that the only function captures; its text is without them."""
    (function,) = module.functions
    values = values_of(function)
    entries = function.attributes.get("arg_attrs")
    if values and isinstance(entries, ArrayAttr):
        kept = tuple([_without_value(entry) for entry in entries.items])
        function.attributes["arg_attrs"] = ArrayAttr(kept)
    return values


def _without_value(entry: Attribute) -> Attribute:
    if not isinstance(entry, Dict):
        raise InternalError(f"{entry} is no dictionary of an argument", "captured")
    if entry.get(KIND) != CAPTURED:
        return entry
    return Dict(tuple([(name, v) for name, v in entry.items if name != DEFAULT]))


def spell_out(function: Function) -> None:
    """Make constants of the last arguments that are captured arrays.

    What has no elements, or is updated, is an argument like any other.
    """
    block = function.body.block
    count = len(block.terminator.operands)
    updated = [function.result_info(i).get("tc.updates") for i in range(count)]
    values: dict[Value, Value] = {}
    made: list[Op] = []
    while block.arguments:
        last = block.arguments[-1]
        info = function.argument_info(last.index)
        value = info.get(DEFAULT)
        if info.get(KIND) != CAPTURED or last.index in updated:
            break
        if not isinstance(value, Dense) or value.type != last.type:
            break
        op = Constant([], [last.type], {"value": value}, [], function.location)
        op.parent, op.result.hint = block, last.hint
        made.insert(0, op)
        values[block.arguments.pop()] = op.result
        entries = function.attributes["arg_attrs"]
        assert isinstance(entries, ArrayAttr)
        function.attributes["arg_attrs"] = ArrayAttr(entries.items[:-1])
    if not made:
        return
    for inner in function.walk():
        inner.operands = [values.get(v, v) for v in inner.operands]
    block.ops[:0] = made
    set_function_type(function)
