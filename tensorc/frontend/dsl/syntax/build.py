"""From lark's parse tree to the syntax tree: bottom up, without recursion.

The grammar is written such that a rule's children are the fields of its node in their
order, so most rules are a row of `NODES`. Nesting is bounded here exactly, before
anything recursive sees the tree.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import lark

from tensorc.errors import CompileError, Diagnostic, Label, Location
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.dsl.syntax.scan import MAX_NESTING, Scanner, Source

Tree: TypeAlias = lark.Tree[lark.Token]
Children: TypeAlias = list[object]


class AstBuilder:
    """The state of one conversion: where we are, and what was found wrong."""

    def __init__(self, source: Source, scanner: Scanner) -> None:
        self.source = source
        self.scanner = scanner
        self.diagnostics: list[Diagnostic] = []

    def location(self, tree: Tree) -> Location:
        """Return a tree's place; an empty file's is its start."""
        meta, path = tree.meta, self.source.path
        if meta.empty:
            return Location(path, 1, 1, 1, 1)
        return Location(path, meta.line, meta.column, meta.end_line, meta.end_column)

    def report(self, message: str, location: Location, *labels: Label) -> None:
        """Note a mistake that the grammar cannot express."""
        self.diagnostics.append(
            Diagnostic("TC0109", message, location, labels=labels),
        )

    def doc(self, location: Location) -> str:
        """Return the comments above a declaration and behind it on its line."""
        comments = self.scanner.comments
        first = location.line
        while first - 1 > self.scanner.head and _is_alone(comments.get(first - 1)):
            first -= 1
        lines = [comments[line].text for line in range(first, location.line)]
        for line in sorted({location.line, location.end_line}):
            comment = comments.get(line)
            if comment is not None and not comment.alone:
                lines.append(comment.text)
        return "\n".join(lines)


def _is_alone(comment: object) -> bool:
    return getattr(comment, "alone", False)


def build(tree: Tree, source: Source, scanner: Scanner) -> object:
    """Return the node of a parse tree, or refuse what is nested too deeply."""
    builder = AstBuilder(source, scanner)
    order, todo = list[Tree](), [tree]
    while todo:
        subtree = todo.pop()
        order.append(subtree)
        todo.extend(c for c in subtree.children if isinstance(c, lark.Tree))
    nodes, depths = dict[int, object](), dict[int, int]()
    for subtree in reversed(order):
        inner = [c for c in subtree.children if isinstance(c, lark.Tree)]
        depth = max((depths.pop(id(c)) for c in inner), default=0) + _levels(subtree)
        if depth > MAX_NESTING:
            raise CompileError(_too_deep(builder.location(subtree)))
        depths[id(subtree)] = depth
        children = [
            nodes.pop(id(c)) if isinstance(c, lark.Tree) else c and str(c)
            for c in subtree.children
        ]
        nodes[id(subtree)] = _node(builder, subtree, children)
    if builder.diagnostics:
        raise CompileError(*builder.diagnostics)
    return nodes[id(tree)]


def _levels(tree: Tree) -> int:
    """Return how many levels of nodes a tree adds to those of its children."""
    if tree.data == "fold":
        return len(tree.children) // 2
    return tree.data in NESTING


def _too_deep(location: Location) -> Diagnostic:
    message = f"nested more than {MAX_NESTING} deep"
    return Diagnostic(
        "TC0103",
        message,
        Location(location.file, location.line, location.column),
        notes=("a sum or product counts one level for each of its operators",),
        hints=("name some of its parts: `part = ...`",),
    )


def _node(builder: AstBuilder, tree: Tree, children: Children) -> object:
    rule = str(tree.data)
    if rule in NODES:
        return NODES[rule](*children, location=builder.location(tree))
    if rule in DOCUMENTED:
        location = builder.location(tree)
        return DOCUMENTED[rule](*children, builder.doc(location), location=location)
    if rule in TUPLES:
        return tuple(children)
    return SPECIAL[rule](builder, tree, children)


def _expressions(children: Sequence[object]) -> tuple[ast.Expression, ...]:
    return tuple(cast("ast.Expression", child) for child in children)


# Rules whose node is not just its children


def _file(builder: AstBuilder, tree: Tree, children: Children) -> ast.File:
    items = list[ast.FileItem]()
    for child in children:
        if isinstance(child, tuple):
            items.extend(child)
        else:
            items.append(cast("ast.FileItem", child))
    _named(builder, items)
    lines = [
        builder.scanner.comments.get(n) for n in range(1, builder.scanner.head + 1)
    ]
    doc = "\n".join(comment.text for comment in lines if comment is not None)
    path = builder.source.path
    return ast.File(path, tuple(items), doc, location=builder.location(tree))


def _block(builder: AstBuilder, tree: Tree, children: Children) -> object:
    _named(builder, children)
    return tuple(children)


def _named(builder: AstBuilder, items: Sequence[object]) -> None:
    for item in items:
        if isinstance(item, ast.Function) and item.name is None:
            location = item.location
            start = Location(location.file, location.line, location.column)
            builder.report("only a module's function may have no name", start)


def _number(builder: AstBuilder, tree: Tree, children: Children) -> ast.Number:
    text = str(children[0])
    digits = text.replace("_", "")
    value = int(digits) if digits.isdigit() else float(digits)
    return ast.Number(value, text, location=builder.location(tree))


def _fold(builder: AstBuilder, tree: Tree, children: Children) -> ast.Expression:
    """Return `a - b - c` as `(a - b) - c`; `**`, with two operands, is no exception."""
    result = cast("ast.Expression", children[0])
    whole = builder.location(tree)
    for index in range(2, len(children), 2):
        sign, operand = tree.children[index - 1], tree.children[index]
        assert isinstance(sign, lark.Token)
        assert isinstance(operand, lark.Tree)
        result = ast.Binary(
            str(sign),
            result,
            cast("ast.Expression", children[index]),
            location=_until(whole, operand),
            op_location=_token_location(builder, sign),
        )
    return result


def _until(whole: Location, operand: Tree) -> Location:
    """Return the part of a place that ends with an operand and its brackets."""
    meta = operand.meta
    line = getattr(meta, "container_end_line", meta.end_line)
    column = getattr(meta, "container_end_column", meta.end_column)
    return Location(whole.file, whole.line, whole.column, line, column)


def _token_location(builder: AstBuilder, token: lark.Token) -> Location:
    start = token.start_pos or 0
    return builder.source.location(start, start + len(token))


def _compare(builder: AstBuilder, tree: Tree, children: Children) -> ast.Compare:
    ops = tuple(str(op) for op in children[1::2])
    operands = _expressions(children[::2])
    return ast.Compare(operands, ops, location=builder.location(tree))


def _logical(builder: AstBuilder, tree: Tree, children: Children) -> ast.Logical:
    location = builder.location(tree)
    return ast.Logical(str(tree.data), _expressions(children), location=location)


def _constant(builder: AstBuilder, tree: Tree, children: Children) -> ast.Constant:
    value = {"true": True, "false": False, "none": None}[str(children[0])]
    return ast.Constant(value, location=builder.location(tree))


def _perform(builder: AstBuilder, tree: Tree, children: Children) -> ast.Perform:
    location = builder.location(tree)
    callee = cast("ast.Target", children[0])
    arguments = cast("tuple[ast.Argument, ...]", children[1])
    return ast.Perform(
        ast.Call(callee, arguments, location=location), location=location
    )


def _conditional(builder: AstBuilder, tree: Tree, children: Children) -> ast.If:
    condition = cast("ast.Expression", children[0])
    then = cast("tuple[ast.Statement, ...]", children[1])
    other = children[2] or ()
    otherwise = other if isinstance(other, tuple) else (cast("ast.If", other),)
    return ast.If(condition, then, otherwise, location=builder.location(tree))


def _short_body(
    builder: AstBuilder, tree: Tree, children: Children
) -> tuple[ast.Return, ...]:
    value = cast("ast.Expression", children[0])
    return (ast.Return((value,), location=value.location),)


def _single_result(builder: AstBuilder, tree: Tree, children: Children) -> ast.Result:
    location = builder.location(tree)
    field = ast.ResultField(None, cast("ast.Type", children[0]), location=location)
    return ast.Result((field,), location=location)


def _assignment(builder: AstBuilder, tree: Tree, children: Children) -> object:
    targets = cast("tuple[ast.Target, ...]", children[0])
    values = _expressions(cast("tuple[object, ...]", children[1]))
    location = builder.location(tree)
    if len(values) not in (1, len(targets)):
        message = f"{len(targets)} names for {len(values)} values"
        builder.report(message.replace("1 names", "1 name"), location)
    if tree.data == "bind":
        return ast.Bind(targets, values, location=location)
    return ast.Update(targets, values, location=location)


def _arguments(builder: AstBuilder, tree: Tree, children: Children) -> object:
    arguments = tuple(cast("ast.Argument", child) for child in children)
    named: dict[str, ast.Argument] = {}
    for argument in arguments:
        if argument.name is None and named:
            message = "an argument without a name behind one with a name"
            builder.report(message, argument.location)
        elif argument.name is not None:
            first = named.setdefault(argument.name, argument)
            _only_once(builder, "argument", argument.name, argument, first)
    return arguments


def _formals(builder: AstBuilder, tree: Tree, children: Children) -> object:
    formals = tuple(cast("ast.Formal", child) for child in children)
    named: dict[str, ast.Formal] = {}
    optional = False
    for formal in formals:
        first = named.setdefault(formal.name, formal)
        _only_once(builder, "argument", formal.name, formal, first)
        if optional and formal.default is None:
            message = f"`{formal.name}` has no default, but one before it has"
            builder.report(message, formal.location)
        optional = optional or formal.default is not None
    return formals


def _options(builder: AstBuilder, tree: Tree, children: Children) -> object:
    options = tuple(cast("ast.Option", child) for child in children)
    named: dict[str, ast.Option] = {}
    for option in options:
        first = named.setdefault(option.name, option)
        _only_once(builder, "field", option.name, option, first)
    return options


def _only_once(
    builder: AstBuilder, what: str, name: str, node: ast.Node, first: ast.Node
) -> None:
    if first is not node:
        label = Label(first.location, "first here")
        builder.report(f"the {what} `{name}` stands here twice", node.location, label)


# Rule -> what it becomes

NODES: dict[str, Callable[..., object]] = {
    "use": lambda path, names, location: ast.Use(path, names or (), location=location),
    "option": ast.Option,
    "formal": ast.Formal,
    "field": ast.ResultField,
    "result": lambda *fields, location: ast.Result(fields, location=location),
    "tensor": lambda dtype, dims, location: ast.TensorType(
        dtype, dims or (), location=location
    ),
    "like": ast.LikeType,
    "any_dims": ast.AnyDims,
    "value": ast.Value,
    "draw": ast.Draw,
    "collect": ast.Collect,
    "declare": ast.Declare,
    "sample": ast.Sample,
    "return": ast.Return,
    "yield": ast.Yield,
    "for": ast.For,
    "while": ast.While,
    "assertion": lambda condition, text, location: ast.Assertion(
        condition, text and text[1:-1], location=location
    ),
    "not": ast.Not,
    "negative": ast.Negative,
    "field_of": ast.Field,
    "call": ast.Call,
    "item": ast.Item,
    "name": ast.Name,
    "cast": ast.Cast,
    "string": lambda text, location: ast.String(text[1:-1], location=location),
    "tuple": lambda *elements, location: ast.Tuple(elements, location=location),
    "list": lambda *elements, location: ast.List(elements, location=location),
    "each": ast.Each,
    "argument": ast.Argument,
    "slice": ast.Slice,
}
DOCUMENTED: dict[str, Callable[..., object]] = {
    "setting": ast.Hyper,
    "const": ast.Const,
    "memory": lambda kind, path, *rest, location: ast.Memory(
        kind, ".".join(path), *rest, location=location
    ),
    "module": ast.Module,
    "fn": ast.Function,
    "step": ast.Step,
    "recipe": ast.Recipe,
}
TUPLES = frozenset(
    ("hyper", "module_items", "dims", "path", "names", "targets", "values", "indices")
)
SPECIAL: dict[str, Callable[[AstBuilder, Tree, Children], object]] = {
    "start": _file,
    "block": _block,
    "option_name": lambda builder, tree, children: children[0],
    "options": _options,
    "formals": _formals,
    "arguments": _arguments,
    "short_body": _short_body,
    "single_result": _single_result,
    "bind": _assignment,
    "update": _assignment,
    "perform": _perform,
    "conditional": _conditional,
    "or": _logical,
    "and": _logical,
    "compare": _compare,
    "fold": _fold,
    "number": _number,
    "constant": _constant,
}
# The rules that stand for one level of nodes each; `fold` counts its operators.
NESTING = frozenset(
    (
        *("module", "fn", "for", "while", "conditional", "or", "and", "not", "compare"),
        *("negative", "field_of", "call", "item", "perform", "tuple", "list", "each"),
    )
)
