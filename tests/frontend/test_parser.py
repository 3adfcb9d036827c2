"""The parser: programs that parse, the trees they give, places and comments."""

import functools
import json
from pathlib import Path

import lark
import pytest

from tensorc.errors import CompileError, Location
from tensorc.frontend.dsl.syntax import ast
from tensorc.frontend.dsl.syntax.ast_printer import print_ast
from tensorc.frontend.dsl.syntax.parser import parse, parse_expression, parse_file
from tensorc.frontend.dsl.syntax.tables import (
    GRAMMAR,
    TABLES,
    build_parser,
    grammar_parser,
    source_of,
)

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.tc"))


def expression(text):
    """Return the tree of an expression as an s-expression."""
    return show(parse_expression(text))


def show(node):  # noqa: C901
    match node:
        case ast.Name(name):
            return name
        case ast.Number(_, text):
            return text
        case ast.Binary(op, lhs, rhs):
            return f"({op} {show(lhs)} {show(rhs)})"
        case ast.Negative(operand):
            return f"(- {show(operand)})"
        case ast.Not(operand):
            return f"(not {show(operand)})"
        case ast.Logical(op, operands):
            return f"({op} {' '.join(map(show, operands))})"
        case ast.Compare(operands, ops):
            return f"({' '.join(ops)} {' '.join(map(show, operands))})"
        case ast.Field(operand, name):
            return f"(. {show(operand)} {name})"
        case ast.Call(callee, arguments):
            return f"(call {' '.join(map(show, (callee, *arguments)))})"
        case ast.Argument(name, value):
            return f"{name}={show(value)}" if name else show(value)
        case ast.Item(operand, indices):
            return f"(item {' '.join(map(show, (operand, *indices)))})"
        case ast.Slice(start, stop, step):
            return f"{show(start)}:{show(stop)}:{show(step)}"
        case ast.AnyDims():
            return "..."
        case ast.Tuple(elements):
            return f"(tuple {' '.join(map(show, elements))})"
        case ast.List(elements):
            return f"[{' '.join(map(show, elements))}]"
        case ast.Cast(dtype):
            return f"<{dtype}>"
        case ast.Constant(value) | ast.String(value):
            return repr(value)
        case None:
            return ""
    raise AssertionError(node)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_parse(path):
    file = parse_file(path)
    assert file.items
    assert print_ast(file) == print_ast(parse_file(path))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a - b - c", "(- (- a b) c)"),
        ("a ** b ** c", "(** a (** b c))"),
        ("-a ** 2", "(- (** a 2))"),
        ("2 ** -a", "(** 2 (- a))"),
        ("a + b * c @ d", "(+ a (@ (* b c) d))"),
        ("(a + b) * c", "(* (+ a b) c)"),
        ("a // b % c", "(% (// a b) c)"),
        ("a < -b", "(< a (- b))"),
        ("a<-b", "(< a (- b))"),
        ("0 <= i < n", "(<= < 0 i n)"),
        ("not a == b", "(not (== a b))"),
        ("a or b and not c or d", "(or a (and b (not c)) d)"),
        ("f(x, axis=1,)", "(call f x axis=1)"),
        ("f()()", "(call (call f))"),
        ("m.W.T[0]", "(item (. (. m W) T) 0)"),
        ("x[1:, ::2, ..., none, :]", "(item x 1:: ::2 ... None ::)"),
        ("(a,)", "(tuple a)"),
        ("(a, b,)", "(tuple a b)"),
        ("[]", "[]"),
        ("[[1, 2], [3, 4],]", "[[1 2] [3 4]]"),
        ("f32(x)", "(call <f32> x)"),
        ('params["*.W"]', "(item params '*.W')"),
        ("indexes + iffy + origin", "(+ (+ indexes iffy) origin)"),
        ("state + run", "(+ state run)"),
        ("true", "True"),
        ("1_000", "1_000"),
    ],
)
def test_expressions(text, tree):
    assert expression(text) == tree


def test_numbers_keep_their_kind():
    assert parse_expression("5_000").value == 5000
    assert type(parse_expression("500").value) is int
    assert parse_expression("1e3").value == 1000.0
    assert type(parse_expression("1e3").value) is float
    assert parse_expression("9" * 400).value == int("9" * 400)


def test_declarations():
    file = parse(
        "use a.b: C, d\nhyper n: int = 1, m = 2\nparam W: float[n, ...] ~ he()\n"
        "state t: like W = 0\nmodule M(n = 1) { fn (x) = x }\n"
        "fn f(x: f32) -> (a: float, int[2]) { return x, 1 }\n"
        'step s() { W <- W }\nfit pre { step = s }\nassert n > 1, "big"',
        "a.tc",
    )
    use, n, m, w, t, module, f, s, fit, claim = file.items
    assert (use.path, [x.name for x in use.names]) == (("a", "b"), ["C", "d"])
    assert (n.name, n.type.dtype, m.name, m.type) == ("n", "int", "m", None)
    assert (w.kind, type(w.initial), type(w.type.dims[1])) == (
        "param",
        ast.Draw,
        ast.AnyDims,
    )
    assert (t.kind, t.type.path, type(t.initial)) == ("state", ("W",), ast.Value)
    assert module.items[0].name is None
    assert isinstance(module.items[0].body[0], ast.Return)
    assert [field.name for field in f.result.fields] == ["a", None]
    assert isinstance(s.body[0], ast.Update)
    assert (fit.kind, fit.name, fit.options[0].name) == ("fit", "pre", "step")
    assert claim.message == "big"


def test_statements():
    function = parse(
        """fn f(xs, h) {
            a, b[0] = b, a
            ys = for x, y in xs, h until x > 1 { yield x }
            while h > 0 { h = h - 1 }
            c: float[2] ~ normal()
            d ~ bernoulli(0.5)
            m.reset()
            if a { } else if b { e = 1 } else { e = 2 }
            fn g(x) = x
            return g(e)
        }""",
        "a.tc",
    ).items[0]
    kinds = [type(statement).__name__ for statement in function.body]
    assert kinds == [
        *("Bind", "Collect", "While", "Declare", "Sample", "Perform", "If"),
        *("Function", "Return"),
    ]
    assert [type(target).__name__ for target in function.body[0].targets] == [
        "Name",
        "Item",
    ]
    loop = function.body[1].loop
    assert ([name.name for name in loop.names], show(loop.until)) == (
        ["x", "y"],
        "(> x 1)",
    )
    chain = function.body[6]
    assert chain.then == ()
    assert isinstance(chain.otherwise[0], ast.If)
    assert len(chain.otherwise[0].otherwise) == 1


def test_locations_are_exact():
    text = "fn f(x) = \n  (a + b) * c\n"
    product = parse(text, "a.tc").items[0].body[0].values[0]
    places = {
        "product": (product.location, (2, 3, 2, 14)),
        "sign": (product.op_location, (2, 11, 2, 12)),
        "sum": (product.lhs.location, (2, 4, 2, 9)),
        "c": (product.rhs.location, (2, 13, 2, 14)),
    }
    for what, (at, expected) in places.items():
        span = (at.line, at.column, at.end_line, at.end_column)
        assert (what, at.file, span) == (what, "a.tc", expected)


def test_partial_sums_end_behind_brackets():
    tree = parse_expression("(a) + (b) + (c)")
    assert (tree.location.column, tree.location.end_column) == (1, 16)
    assert (tree.lhs.location.column, tree.lhs.location.end_column) == (1, 10)


def test_every_node_covers_its_parts():
    for path in PROGRAMS:
        todo = list(parse_file(path).items)
        while todo:
            node = todo.pop()
            at = node.location
            assert at.line >= 1
            for name in (*node.__match_args__, *type(node).keywords):
                value = getattr(node, name)
                parts = value if isinstance(value, tuple) else (value,)
                for part in parts:
                    if isinstance(part, ast.Node):
                        inner = part.location
                        assert (at.line, at.column) <= (inner.line, inner.column)
                        assert (inner.end_line, inner.end_column) <= (
                            at.end_line,
                            at.end_column,
                        )
                        todo.append(part)


def test_comments_document():
    file = parse(
        "# The file.\n# Its second line.\n\n# Above.\n# Still above.\n"
        "hyper a = 1   # behind\n"
        "# not this\n\nhyper b = 1,\n  # inner\n  c = 2  # of c\n"
        "fn f(x) {  # header\n    return x\n}\nfn g(x) = x",
        "a.tc",
    )
    assert file.doc == "The file.\nIts second line."
    docs = [item.doc for item in file.items]
    assert docs == ["Above.\nStill above.\nbehind", "", "inner\nof c", "header", ""]


def test_line_ends_and_mark():
    plain = "# doc\nhyper n = 1  # n\n\nfn f(x) = x\n"
    for text in (plain.replace("\n", "\r\n"), "\ufeff" + plain, plain.rstrip()):
        assert print_ast(parse(text, "a")) == print_ast(parse(plain, "a"))


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment", "  \t\n# x\n\n"])
def test_empty_files(text):
    file = parse(text, "a.tc")
    assert file.items == ()
    assert file.location.line == 1


def test_printed_tree():
    text = "hyper lr = 0.1  # rate\n\nfn f(x: float[B]) -> float = -x + lr"
    assert print_ast(parse(text, "a.tc")) == (
        "File 1:1 path='a.tc'\n"
        "  items: Hyper 1:7 name='lr' doc='rate'\n"
        "    default: Number 1:12 value=0.1 text='0.1'\n"
        "  items: Function 3:1 name='f'\n"
        "    formals: Formal 3:6 name='x'\n"
        "      type: TensorType 3:9 dtype='float'\n"
        "        dims: Name 3:15 name='B'\n"
        "    result: Result 3:22\n"
        "      fields: ResultField 3:22\n"
        "        type: TensorType 3:22 dtype='float'\n"
        "    body: Return 3:30\n"
        "      values: Binary 3:30 op='+'\n"
        "        lhs: Negative 3:30\n"
        "          operand: Name 3:31 name='x'\n"
        "        rhs: Name 3:35 name='lr'\n"
    )
    assert "3:" not in print_ast(parse(text, "a.tc"), locations=False)


def test_set_values():
    assert show(parse_expression("0.1")) == "0.1"
    assert show(parse_expression('mnist("data")')) == "(call mnist 'data')"
    with pytest.raises(CompileError, match="--set:1:3"):
        parse_expression("1 2")
    with pytest.raises(CompileError, match="unexpected end of file"):
        parse_expression("")


def test_files_that_cannot_be_read(tmp_path):
    bad = tmp_path / "bad.tc"
    bad.write_bytes(b"x = 1\ny = \xff\n")
    with pytest.raises(CompileError, match=r"bad.tc:2:5: .*0xff is not UTF-8"):
        parse_file(bad)
    big = tmp_path / "big.tc"
    big.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(CompileError, match="TC0103"):
        parse_file(big)
    for path, reason in (
        (tmp_path / "none.tc", "No such file"),
        (tmp_path, "is a directory"),
        ("/dev/null", "not a regular file"),
        ("a\0b", "cannot read"),
        (bad / "x", "Not a directory"),
    ):
        with pytest.raises(CompileError, match=reason) as caught:
            parse_file(path)
        assert caught.value.diagnostics[0].code == "TC0101"


def test_the_stored_tables_are_those_of_the_grammar():
    digest = source_of(GRAMMAR.read_text()).partition(", ")[2]
    stored = json.loads(TABLES.read_text())["source"].partition(", ")[2]
    assert stored == digest, "run: python -m tensorc.frontend.dsl.syntax.tables"


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_tables_parse_as_the_grammar_does(path):
    text = path.read_text()
    tree = _built().parse(text, start="start")
    assert grammar_parser().parse(text, start="start") == tree


def test_tables_of_another_lark_are_not_used(monkeypatch):
    monkeypatch.setattr(lark, "__version__", "0.0.0")
    assert grammar_parser.__wrapped__().source_path == _built().source_path


@functools.cache
def _built():
    return build_parser(GRAMMAR.read_text())


def test_nodes_are_frozen_values():
    here, there = Location("a.tc", 1, 1), Location("a.tc", 2, 1)
    x, y = (ast.Name(name, location=here) for name in "xy")
    total = ast.Binary("+", x, y, location=here, op_location=there)
    same = ast.Binary("+", x, y, location=here, op_location=there)
    assert total == same
    assert {total: 1}[same] == 1
    assert total != ast.Binary("+", y, x, location=here, op_location=there)
    assert total != ast.Binary("+", x, y, location=there, op_location=there)
    assert x != ast.String("x", location=here)
    assert repr(total) == "Binary(op='+', lhs=Name(name='x'), rhs=Name(name='y'))"
    with pytest.raises(AttributeError, match=r"Name\.name cannot be changed"):
        x.name = "z"
    assert not hasattr(x, "__dict__")
    for given, named in (((), {"location": here}), (("x",), {}), (("x", 1), {})):
        with pytest.raises(TypeError, match="Name takes name, location"):
            ast.Name(*given, **named)
