"""Hostile text: every answer is a diagnostic at a place, and comes soon."""

import random
import re
import time

import pytest

from tensorc.errors import CompileError, VerifyError
from tensorc.ir.text.parser import parse_module
from tensorc.ir.text.printer import print_module
from tensorc.ir.verifier import verify
from tests.ir.programs import EVERYTHING, function

RETURN = '"func.return"() : () -> ()'


def op_with(attribute):
    return f'"tc.constant"() <{{value = {attribute}}}> : () -> tensor<f32>'


def returning(type_):
    return f'"func.return"() {{tc.x = {type_}}} : () -> ()'


# text, code, line:column, words
ERRORS = [
    ("", "TC0201", "1:1", "expected an op"),
    ("// nothing", "TC0201", "1:11", "expected an op"),
    ('"tc.ad"() : () -> ()', "TC0202", "1:1", "there is no op 'tc.ad'"),
    ("tc.add", "TC0201", "1:1", "expected an op, got 'tc.add'"),
    ('"func.return"(%x) : (f32) -> ()', "TC0203", "1:15", "'%x' is not defined"),
    ('"func.return"() : ()', "TC0201", "1:21", "expected '->', got the end"),
    ('\n"func.return"() {tc.x = #m} : () -> ()', "TC0203", "2:25", "'#m'"),
    ('"func.return"() : () -> () loc(#l)', "TC0203", "1:35", "'#l'"),
    ('#l = loc(#l)\n"func.return"() : () -> () loc(#l)', "TC0203", "2:35", "'#l'"),
    ('"func.return"()[^bb1] : () -> ()', "TC0210", "1:16", "successors"),
    ('"func.return', "TC0200", "1:1", "no end on its line"),
    ('"func.return"() ? : () -> ()', "TC0200", "1:17", "unexpected character '?'"),
    ('"func.return"() \x1b[31m', "TC0200", "1:17", "unexpected character '\\x1b'"),
    ('"func.return"() {tc.x = "\\GG"} : () -> ()', "TC0200", "1:25", "two hex"),
    ('"func.return"() {tc.x = "\\FF"} : () -> ()', "TC0200", "1:25", "UTF-8"),
    ('"func.return"() {tc.x} : () -> ()', "TC0210", "1:22", "unit attributes"),
    ('"func.return"() {a.x = 1, a.x = 2} : () -> ()', "TC0204", "1:27", "twice"),
    ('"func.return"() <{a = 1}> {a = 2} : () -> ()', "TC0204", "1:27", "twice"),
    ('"builtin.module"() ({', "TC0201", "1:22", "expected '}'"),
    ("}", "TC0201", "1:1", "expected an op, got '}'"),
    ("%0 = %1", "TC0201", "1:6", "expected an op"),
    ('%0:0 = "func.return"() : () -> ()', "TC0206", "1:4", "number of results 0"),
    ('%0 = "func.return"() : () -> ()', "TC0205", "1:24", "1 results are named"),
    ('%0#1 = "func.return"() : () -> ()', "TC0201", "1:1", "names no result"),
    *[
        (returning(text), code, "1:25", words)
        for text, code, words in [
            ("300 : i8", "TC0206", "300 does not fit into i8"),
            ("-1 : ui8", "TC0206", "-1 does not fit into ui8"),
            ("2 : i1", "TC0206", "2 does not fit into i1"),
            ("9223372036854775808", "TC0206", "does not fit into i64"),
            ("9" * 5000, "TC0206", "is too long"),
            ("1 : f32", "TC0206", "1 is no literal of f32"),
            ("1.0 : i32", "TC0206", "1.0 is no literal of i32"),
            ("1.0e39 : f32", "TC0206", "does not fit into f32"),
            ("1.0e999999999 : f64", "TC0206", "does not fit into f64"),
            ("0x100000000 : f32", "TC0206", "more than 32 bits"),
            ("tensor<?xf32>", "TC0208", "needs #tc.dims"),
            ('tensor<4xf32, #tc.dims<["n"]>>', "TC0208", "differs from the sizes"),
            ('tensor<?xf32, #tc.dims<["n", 1]>>', "TC0208", "differs"),
            ("vector<4x4xf32>", "TC0206", "one size"),
            ("vector<0xf32>", "TC0206", "one size"),
            ("dense<1.0> : f32", "TC0207", "needs a tensor type"),
            ("dense<[1.0]> : tensor<2xf32>", "TC0207", "lists [1]"),
            ("dense<> : tensor<2xf32>", "TC0207", "lists []"),
            ("dense<1.0> : tensor<99999999999x9xf32>", "TC0207", "too large"),
            ('dense<"0xZZ"> : tensor<1xi8>', "TC0207", "bad hex"),
            ('dense<"0x0000"> : tensor<3xi8>', "TC0207", "has 2 bytes"),
            ('dense<"0x01"> : tensor<8xi1>', "TC0210", "of i1"),
        ]
    ],
    (returning("dense<[[1], [1, 2]]> : tensor<3xi8>"), "TC0207", "1:37", "differ"),
    (returning("dense<[1, 300]> : tensor<2xi8>"), "TC0206", "1:35", "does not fit"),
    (returning("dense<true> : tensor<2xi8>"), "TC0206", "1:31", "no literal of i8"),
    (returning("tensor<99999999999999999999xf32>"), "TC0206", "1:32", "too large"),
    (returning("tensor<" + "1x" * 40 + "f32>"), "TC0206", "1:32", "rank 40"),
    (returning("tensor<4xf33>"), "TC0201", "1:34", "a scalar type, got 'f33'"),
    (returning("tensor<4 x f32>"), "TC0201", "1:32", "a scalar type, got '4'"),
    (returning("memref<4xf32, 3>"), "TC0201", "1:37", "expected '>'"),
    (returning("array<i64: 1.0>"), "TC0201", "1:36", "an integer, got '1.0'"),
    (returning("array<i32: 3000000000>"), "TC0206", "1:36", "an integer 3000000000"),
    (returning("array<f32: 1.0>"), "TC0201", "1:31", "i64 or i32"),
    (returning("affine_map<(d0) -> (d1)>"), "TC0210", "1:45", "'d1' is neither"),
    (returning("affine_map<(d0, d0) -> (d0)>"), "TC0201", "1:41", "'d0' cannot"),
    (returning("@a::@b"), "TC0210", "1:27", "nested references"),
    (returning("#a.b<(x)>"), "TC0201", "1:30", "a plain value"),
    (returning("[" * 100_000), "TC0209", "1:89", "nested more than 64"),
    (returning("() -> (" * 100_000), "TC0209", "1:466", "nested more than 64"),
    *[
        (returning(f'#tc.dims<["{text}"]>'), "TC0208", "1:35", words)
        for text, words in [
            ("", "expected a name or a number"),
            ("n +", "expected a name or a number"),
            ("n n", "unexpected 'n'"),
            ("n ? 1", "not a name"),
            ("floordiv(n, 0)", "division by zero"),
            ("floordiv(n, m - m)", "division by zero"),
            ("mod(n, 2)", "only floordiv, min, max and bound"),
            ("min(n", "expected ',', got ''"),
            ("9" * 30, "a number is too large"),
            ("9000000000*9000000000*n", "a number is too large"),
            ("min(" * 100, "nested more than 32"),
            ("n" * 4001, "longer than 4000"),
        ]
    ],
]


@pytest.mark.parametrize("case", range(len(ERRORS)))
def test_errors_have_a_code_and_a_place(case):
    text, code, place, words = ERRORS[case]
    with pytest.raises(CompileError) as caught:
        parse_module(text, "m")
    (diagnostic,) = caught.value.diagnostics
    assert words in diagnostic.message
    assert (diagnostic.code, str(diagnostic.location)) == (code, f"m:{place}")
    assert diagnostic.message.isprintable()
    assert len(diagnostic.message) < 200


NAMES = [
    ('%0 = "arith.constant"() {value = 1.0 : f32} : () -> f32', "TC0204", "twice"),
    ('"func.return"(%0) : (f64) -> ()', "TC0205", "is f32, the op's type says f64"),
    ('"func.return"(%0) : () -> ()', "TC0205", "1 operands have 0 types"),
    ('"func.return"(%0#1) : (f32) -> ()', "TC0203", "not one of 1 results"),
    ('%1 = "math.exp"(%1) : (f32) -> f32', "TC0203", "'%1' is not defined here"),
    (
        '"tc.group"() ({\n"tc.yield"(%0) : (f32) -> ()\n}) : () -> ()',
        "TC0203",
        "'%0' is not defined here",
    ),
    (
        '"tc.grad"(%0) ({\n^bb0(%0: f32):\n}) : (f32) -> ()',
        "TC0204",
        "'%0' is defined twice",
    ),
    (
        '"scf.if"() ({\n%1 = "math.exp"(%0) : (f32) -> f32\n}) : () -> ()\n'
        '"func.return"(%1) : (f32) -> ()',
        "TC0203",
        "'%1' is not defined here",
    ),
    ('"tc.grad"() ({\n^a:\n^a:\n}) : () -> ()', "TC0204", "block '^a' stands twice"),
]


@pytest.mark.parametrize("case", range(len(NAMES)))
def test_names_and_types(case):
    body, code, words = NAMES[case]
    with pytest.raises(CompileError, match=re.escape(words)) as caught:
        parse_module(function(body, "f32"))
    assert caught.value.diagnostics[0].code == code


def test_empty_and_odd_files_fail_soon():
    texts = [
        *("\0", "\ufeff", "\r\n\r\n", "\ud800", "(" * 100_000, '"' * 100_001),
        *(" \n" * 500_000, "//\n" * 300_000, "%" * 100_000, "#" * 100_000),
        *("-" * 500_000, "1" * 1_000_000, "a" * 1_000_000, "0x" * 500_000),
        '"func.return"(' + "%a, " * 200_000,
        '"func.return"() {a = "' + "\\41" * 300_000,
        "%a, " * 200_000,
        "tensor<" * 100_000,
        returning("tensor<" * 100_000),
        returning("tensor<" + "4x" * 300_000),
        returning('#tc.dims<["' + "(" * 900 + '"]>'),
        returning('#tc.dims<["' + "max(a, " * 30 + "b" + ")" * 30 + '", "?"]>'),
        returning('#tc.dims<["' + "+a*b" * 240 + '"]>'),
        returning("dense<" + "[" * 100_000),
    ]
    for text in texts:
        start = time.process_time()
        with pytest.raises(CompileError):
            parse_module(text)
        assert time.process_time() - start < 6, text[:40]


TOKENS = re.findall(r'"[^"]*"|[%#@^]?[\w.$]+|->|[^\w\s]', EVERYTHING)
EXTRA = [
    *("-1", "0", "99999999999999999999", "1.0e999", "0x", "0xFFFFFFFFFFFFFFFFF"),
    *("true", "dense<", "tensor<", "?x", "({", "})", "<{", "}>", "#tc.dims<[", "\\"),
    *('"', "\0", "é", "loc(", "^bb0", "%0#1", "[[", "()", "i1", "f16", "array<i64"),
    *('"n*n"', '"floordiv(n, 0)"', '"-n"', "{a.b = 1}", "\n", "//", " "),
]


def mutate(source, text):
    """Return the text with a few random edits."""
    for _ in range(source.choice([1, 1, 1, 2, 4])):
        at = source.randrange(len(text))
        end = min(len(text), at + source.choice([0, 1, 1, 2, 5, 40]))
        kind = source.randrange(5)
        if kind == 0:
            text = text[:at] + text[end:]
        elif kind == 1:
            text = text[:at] + source.choice(EXTRA) + text[end:]
        elif kind == 2:
            text = text[:at] + source.choice(TOKENS) + text[end:]
        elif kind == 3:
            # Replace a whole token by another of the text: often still well formed.
            spans = [m.span() for m in re.finditer(r"%?\w+", text[at : at + 60])]
            if spans:
                low, high = source.choice(spans)
                word = source.choice(TOKENS)
                text = text[: at + low] + word + text[at + high :]
        else:
            lines = text.splitlines(keepends=True)
            i, j = source.randrange(len(lines)), source.randrange(len(lines))
            lines[i], lines[j] = lines[j], lines[source.choice([i, j])]
            text = "".join(lines)
    return text


def run_mutations(seed, count):
    """Return how many mutated texts parsed and how many were valid."""
    source = random.Random(seed)
    parsed = valid = 0
    for _ in range(count):
        text = mutate(source, EVERYTHING)
        try:
            module = parse_module(text)
        except CompileError:
            continue
        parsed += 1
        printed = print_module(module)
        assert print_module(parse_module(printed)) == printed
        try:
            verify(module)
        except VerifyError:
            continue
        valid += 1
    return parsed, valid


@pytest.mark.parametrize(
    ("seed", "count"), [(1, 2000), pytest.param(2, 5000, marks=pytest.mark.slow)]
)
def test_mutated_text_gives_diagnostics_only(seed, count):
    parsed, valid = run_mutations(seed, count)
    # The mutations must reach the verifier, and must not be harmless.
    assert parsed > count // 20
    assert valid < parsed
