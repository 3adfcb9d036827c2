"""What to write for a call that asks a variable for its value, which it has not.

Python asks through a method, `__float__` for math.exp(x), and does not say who asks.
The user's line does: it is read, and the function that it names is looked up.
"""

import ast
import builtins
import dis
import linecache
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, ModuleType

import numpy as np

from tensorc.errors import Location
from tensorc.frontend.library.locations import location_of, user_frame
from tensorc.frontend.library.registry.numpy_names import is_listed, reason_of
from tensorc.frontend.python.habits import as_operator, spelled
from tensorc.frontend.python.numpy_functions import is_here

_MADE = "np.stack([a, b]) makes an array of variables"
_IS_ARRAY = "a variable is an array already: leave the call out; x.astype(t) converts"
_NOT_STORED = "an array of NumPy holds no variables: collect them, np.stack(rows), "
_NOT_STORED += "or begin with a variable, u = tc.zeros(n), and u = u.at[i].set(v)"
_SIZES = "takes sizes and numbers of the call, too; no elements of arrays"
_DRAWN = "draw outside, pass the numbers in, and compute with them: loc + scale * z"
_LONGEST = 50  # of an expression that is repeated
_MOST_LINES = 20  # of a statement
_WHOLE = "leave np.vectorize out: operators and NumPy's functions are of whole arrays"

_CALLS: Mapping[object, str] = {
    round: "np.round(x), np.round(x, decimals)",
    np.array: f"{_MADE}; {_IS_ARRAY}",
    np.asarray: f"{_IS_ARRAY}; {_MADE}",
    np.asanyarray: _IS_ARRAY,
    np.ascontiguousarray: _IS_ARRAY,
    np.zeros: f"tc.zeros {_SIZES}",
    np.ones: f"tc.ones {_SIZES}",
    np.eye: f"tc.eye {_SIZES}",
    np.tri: f"tc.tri {_SIZES}",
    np.arange: f"tc.arange {_SIZES}",
    np.full: "tc.full(shape, x), whose value may be a variable",
    np.vectorize: _WHOLE,
}
_COMPARE: Mapping[object, str] = {
    max: "np.max(x) of an array, np.maximum(x, y) of two",
    min: "np.min(x) of an array, np.minimum(x, y) of two",
    any: "np.any(x)",
    all: "np.all(x)",
    sorted: "np.sort(x)",
}
_VIEWS = ("T", "mT")
# Functions of `math` that have another name, or whose name means another function.
_MATH: Mapping[str, str] = {"fabs": "abs", "fsum": "sum", "remainder": ""}


def asked_hint() -> str:
    """Return what to write at the user's line, which asks for a value; or ""."""
    frame = user_frame()
    match _expression(frame):
        case ast.Subscript(value=array, slice=index):
            return _of_brackets(frame, ast.unparse(array), _index(index))
        case ast.Call(func=function):
            return _of_call(frame, function)
    return ""


def compared_hint() -> str:
    """Return what to write for a function of Python that compares, or ""."""
    frame = user_frame()
    match _expression(frame):
        case ast.Call(func=ast.Name() as function):
            return _of_table(_COMPARE, _found(frame, function))
    return ""


def stored_hint(variable: object, is_mask: bool, is_certain: bool) -> str:
    """Return what to write for a store into a part of a variable.

    In the user's words where that `is_certain` to be what NumPy computes, and their
    line stores into one thing that has one name; else it names the function.
    """
    frame = user_frame()
    target, statement = _expression(frame), _statement(frame)
    match target, statement:
        case (
            ast.Subscript(value=ast.Name() | ast.Attribute() as array, slice=index),
            ast.Assign(targets=[ast.Subscript()], value=value)
            | ast.AugAssign(value=value),
        ) if is_certain and _is_own_name(frame, array, variable):
            name, part = ast.unparse(array), _index(index)
            operator = statement.op if isinstance(statement, ast.AugAssign) else None
            written = _stored(name, part, operator, value, is_mask)
            return f"make a new variable: `{name} = {written}`"
    if is_mask:
        return "`np.where(mask, new, x)` chooses by element, and makes a new variable"
    return "`x.at[i].set(new)` makes a new variable, with new values in a part"


def _is_own_name(
    frame: FrameType | None, array: ast.Name | ast.Attribute, variable: object
) -> bool:
    """Tell a name that a statement can give, and that no other variable shares."""
    if frame is None or (isinstance(array, ast.Attribute) and array.attr in _VIEWS):
        return False
    return sum(each is variable for each in frame.f_locals.values()) <= 1


def _stored(
    name: str, part: str, operator: ast.operator | None, value: ast.expr, is_mask: bool
) -> str:
    new = ast.unparse(value)
    if len(new) > _LONGEST:
        new, value = "v", ast.Name("v")
    if is_mask:  # and no operator: what reads x[mask] is refused before
        return f"np.where({part}, {new}, {name})"
    if operator is not None:  # not add: it adds twice where an index is repeated
        new = ast.unparse(ast.BinOp(ast.Name(f"{name}[{part}]"), operator, value))
    return f"{name}.at[{part}].set({new})"


# The line


def _expression(frame: FrameType | None) -> ast.expr | None:
    """Return the expression that a frame computes; None if it cannot be read."""
    if frame is None:
        return None
    try:
        return ast.parse(f"({_source(location_of(frame))})", mode="eval").body
    except (SyntaxError, ValueError):
        return None


def _statement(frame: FrameType | None) -> ast.stmt | None:
    """Return the assignment that begins on the line of a frame, if it can be read."""
    if frame is None:
        return None
    location = location_of(frame)
    lines = linecache.getlines(location.file)[location.line - 1 :][:_MOST_LINES]
    for count in range(1, len(lines) + 1):
        try:
            found = ast.parse(textwrap.dedent("".join(lines[:count])))
        except SyntaxError:
            continue
        kinds = ast.Assign | ast.AugAssign
        stores = [node for node in ast.walk(found) if isinstance(node, kinds)]
        return stores[0] if len(stores) == 1 else None
    return None


def _index(node: ast.expr) -> str:
    """Return the text of an index, as it stands in brackets."""
    text = ast.unparse(node)
    return text[1:-1] if isinstance(node, ast.Tuple) and node.elts else text


def _source(location: Location) -> str:
    lines = linecache.getlines(location.file)
    lines = lines[location.line - 1 : (location.end_line or location.line)]
    # Columns count bytes.
    coded = [line.encode() for line in lines]
    if coded and location.end_column:
        coded[-1] = coded[-1][: location.end_column - 1]
        coded[0] = coded[0][location.column - 1 :]
    return b"".join(coded).decode()


def _found(frame: FrameType | None, node: ast.expr) -> object:
    if frame is None:
        return None
    return found_in((frame.f_locals, frame.f_globals, vars(builtins)), node)


def found_in(spaces: Sequence[Mapping[str, object]], node: ast.expr) -> object:
    """Return what a name is, or an attribute of a module; None for all else."""
    match node:
        case ast.Name(id=name):
            return next((names[name] for names in spaces if name in names), None)
        case ast.Attribute(value=owner, attr=name):
            module = found_in(spaces, owner)
            if isinstance(module, ModuleType):
                return getattr(module, name, None)
    return None


# What to write


def _of_brackets(frame: FrameType | None, array: str, index: str) -> str:
    if frame is None:
        return ""
    code = frame.f_code.co_code[frame.f_lasti]
    if dis.opname[code].startswith("STORE"):
        return _NOT_STORED
    before = frame.f_code.co_code[frame.f_lasti - 2] if frame.f_lasti else code
    if dis.opname[before] == "COPY":  # M[i] += v reads M[i] before it is stored
        made = f"make it a variable first, {array} = tc.constant({array})"
        return f"{made}, and write {array} = {array}.at[{index}].add(v) for `+=`"
    if index.isidentifier():
        return f"tc.take({array}, {index}, axis=0) takes variables as indices"
    return f"tc.constant({array})[{index}] takes variables as indices"


def _of_call(frame: FrameType | None, node: ast.expr) -> str:
    function = _found(frame, node)
    if function is None and isinstance(node, ast.Attribute):
        return _of_method(_found(frame, node.value), node)
    listed = _of_table(_CALLS, function)
    if listed:
        return listed
    name, module = getattr(function, "__name__", ""), module_of(function)
    if module == math.__name__:
        return _of_math(name)
    if module.startswith("numpy.random"):
        return _DRAWN
    if module.split(".")[0] == np.__name__:
        return _of_numpy(function, f"{module.removeprefix('numpy')}.{name}".lstrip("."))
    return ""


def _of_table(table: Mapping[object, str], function: object) -> str:
    # A trace has its own forms of some of NumPy's functions.
    known = (function, getattr(function, "__wrapped__", None))
    return next((hint for own, hint in table.items() if own in known), "")


def module_of(function: object) -> str:
    """Return where a function is from; of a method, where its object is."""
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, ModuleType):
        return type(owner).__module__
    return str(getattr(function, "__module__", None) or "")


def _of_method(owner: object, node: ast.Attribute) -> str:
    if type(owner).__module__.startswith("numpy.random"):
        return _DRAWN
    function: Callable[..., object] | None = getattr(np, node.attr, None)
    if isinstance(owner, np.ndarray) and function is not None and is_here(function):
        return f"np.{node.attr}({ast.unparse(node.value)}, x) takes variables"
    return ""


def _of_math(name: str) -> str:
    message = f"math.{name} takes numbers"
    own = _MATH.get(name, name)
    written = as_operator(own) or spelled(own)
    if not written:
        return f"{message}; of variables it is not in this version"
    call = "" if " " in written else "(x)"
    return f"{message}; of variables it is {written}{call}"


def _of_numpy(function: object, name: str) -> str:
    if isinstance(function, type) and issubclass(function, np.generic):
        return f"x.astype(np.{function.__name__}) converts a variable"
    if callable(function) and is_here(function):
        return f"np.{name} takes variables, no lists of them: np.stack([a, b]) first"
    if is_listed(name):
        why, hints = reason_of(name)
        return "; ".join([f"np.{name} of variables {why}", *hints])
    return f"np.{name} takes numbers, no variables: call it outside the function"
