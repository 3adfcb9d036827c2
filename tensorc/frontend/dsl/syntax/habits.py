"""Habits from other languages, each with a message of its own and the fix.

Three tables, by where a habit shows: `TOKENS` are spellings that are wrong wherever
they stand, found by the scanner; `STUMBLES` are patterns looked for around the place
where the parser got stuck; `SEMANTIC` holds what only the IR generator can tell.
"""

import re
from dataclasses import dataclass

from tensorc.errors import Diagnostic, Location

CODE = "TC0108"


@dataclass(frozen=True, slots=True)
class Habit:
    """What is wrong, and what to write instead."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Stumble:
    """A habit known by its surroundings.

    `pattern` must match text of the line which contains the place of the error; its
    group `at`, or else the whole match, is underlined. With `accepted` set, the
    parser must be in a state that takes this terminal ("HYPER": between declarations).
    With `stuck_at` the parser must have got stuck where `at` begins.
    """

    pattern: re.Pattern[str]
    habit: Habit
    accepted: str = ""
    stuck_at: bool = False


TOKENS: dict[str, Habit] = {
    "let": Habit("`let` is not needed", "drop it: `h = ...` names a value"),
    "def": Habit("functions start with `fn`", "write `fn name(x) { ... }`"),
    "lambda": Habit("there are no lambdas", "name it: `fn name(x) = ...`"),
    "elif": Habit("`elif` is spelled `else if`", "write `else if c { ... }`"),
    "True": Habit("`True` is spelled `true`", "write `true`"),
    "False": Habit("`False` is spelled `false`", "write `false`"),
    "None": Habit("`None` is spelled `none`", "write `none`"),
    ";": Habit("statements need no `;`", "drop it: nothing is needed between them"),
    "^": Habit("`^` is not an operator", "a power is `x ** 2`"),
    "^T": Habit("`^T` does not transpose", "write `W.T`"),
    "&": Habit("`&` is not an operator", "write `a and b`, which is elementwise"),
    "&&": Habit("`&&` is spelled `and`", "write `a and b`"),
    "|": Habit("`|` is not an operator", "write `a or b`, which is elementwise"),
    "||": Habit("`||` is spelled `or`", "write `a or b`"),
    "!": Habit("`!` is spelled `not`", "write `not x`"),
    "'T": Habit("`'` does not transpose", "write `W.T`"),
    "'": Habit("texts stand between double quotes", 'write `"..."`'),
    '"""': Habit("there are no triple quotes", "a comment starts with `#`"),
    "/*": Habit("`/*` does not start a comment", "a comment starts with `#`"),
    ":=": Habit("`:=` is spelled `=`", "write `x = ...`; memory changes by `<-`"),
    "=>": Habit("`=>` is not an operator", "write `=`, `->` or, to compare, `>=`"),
    "===": Habit("`===` is spelled `==`", "write `a == b`"),
    "!==": Habit("`!==` is spelled `!=`", "write `a != b`"),
    "<>": Habit("`<>` is spelled `!=`", "write `a != b`"),
    "?": Habit("there is no `?` operator", "write `where(c, a, b)`"),
    "\\": Habit("a line break needs no `\\`", "drop it: a formula may break anywhere"),
    "$": Habit("`$` does not belong to names", "drop it"),
    "`": Habit("a backquote means nothing here", "drop it"),
    "\u00d7": Habit("`\u00d7` is not an operator", "write `*`"),
    "\u00b7": Habit("`\u00b7` is not an operator", "write `*` or `@`"),
    "\u2212": Habit("this minus sign is not the one on the keyboard", "write `-`"),
    "\u2264": Habit("`\u2264` is spelled `<=`", "write `<=`"),
    "\u2265": Habit("`\u2265` is spelled `>=`", "write `>=`"),
    "\u2260": Habit("`\u2260` is spelled `!=`", "write `!=`"),
    "\u2190": Habit("`\u2190` is spelled `<-`", "write `<-`"),
    "\u2192": Habit("`\u2192` is spelled `->`", "write `->`"),
    "\u00b2": Habit("`\u00b2` is spelled `**2`", "write `x**2`"),
    "\u22a4": Habit("`\u22a4` does not transpose", "write `W.T`"),
    "\u201c": Habit("texts stand between plain quotes", 'write `"..."`'),
    "\u201d": Habit("texts stand between plain quotes", 'write `"..."`'),
    "\u2018": Habit("texts stand between plain quotes", 'write `"..."`'),
    "\u2019": Habit("texts stand between plain quotes", 'write `"..."`'),
    "\u00a0": Habit("a no-break space stands here", "write an ordinary space"),
    **{
        f"{op}=": Habit(
            f"there is no `{op}=`",
            f"write `x = x {op} ...`, for memory `x <- x {op} ...`",
        )
        for op in ("+", "-", "*", "/", "//", "%", "@", "**")
    },
}

_IN_BLOCK = "memory and values change inside a `step` or `fn`, not between declarations"

_NO_CHOICE = Habit(
    "there is no conditional expression",
    "write `where(c, a, b)`, or `if c { x = a } else { x = b }`",
)

STUMBLES: tuple[Stumble, ...] = (
    Stumble(
        re.compile(r"(?<![\w.])(?P<at>if)\b[^{}\n]+\belse\b(?!\s*[{])"), _NO_CHOICE
    ),
    Stumble(re.compile(r"\b(?P<at>if)\b[^{}\n]+[{]"), _NO_CHOICE, accepted="NUMBER"),
    Stumble(
        re.compile(
            r"\b(?:fn|step)\s+\w+\s*\([^\n]*\)\s*(?P<at>:)\s*"
            r"(?:float|int|bool|like|[fiu](?:8|16|32|64))\b"
        ),
        Habit("the result's type stands behind `->`", "write `fn f(x) -> float = ...`"),
        accepted="ARROW",
    ),
    Stumble(
        re.compile(r":"),
        Habit("a block starts with `{`, not with `:`", "write `{ ... }`"),
        accepted="LBRACE",
    ),
    Stumble(
        re.compile(r"\b(?:if|while|until|assert)\b[^={}<>!\n]*(?P<at>=)(?!=)"),
        Habit("`=` does not compare", "write `==`"),
        stuck_at=True,
    ),
    Stumble(
        re.compile(r"^\s*(?P<at>import|from)\s+\w.*"),
        Habit(
            "imports are not supported", "drop it, and write `sin(x)` for `math.sin(x)`"
        ),
    ),
    Stumble(
        re.compile(r"^\s*(?P<at>class)\s+\w.*"),
        Habit("there are no classes", "write `module Name(sizes) { ... }`"),
    ),
    Stumble(
        re.compile(r"^\s*(?P<at>function|func|fun|proc)\s+\w.*"),
        Habit("functions start with `fn`", "write `fn name(x) { ... }`"),
    ),
    Stumble(
        re.compile(r"^\s*(?P<at>var|const|val|auto)\s+\w.*"),
        Habit(
            "a name needs no keyword", "write `h = ...`; memory is `param` or `state`"
        ),
    ),
    Stumble(
        re.compile(r"\b(?P<at>is\s+not|is|not\s+in)\s+[\w(]"),
        Habit("there is no such comparison", "write `==` or `!=`"),
    ),
    Stumble(
        re.compile(r"\+\+|--(?=\s*$)"),
        Habit(
            "there is no `++` and no `--`", "write `x = x + 1`, for memory `x <- x + 1`"
        ),
    ),
    Stumble(
        re.compile(r"\(\s*(?P<at>\*\*?)\s*\w+"),
        Habit("arguments are not unpacked", "write them one by one"),
    ),
    Stumble(
        re.compile(r"\(\s*\)"),
        Habit("there is no empty tuple", "drop it, or write `[]` for an empty list"),
        accepted="NUMBER",
    ),
    Stumble(
        re.compile(r"[\w)\]]\s*(?P<at>\{)[^}\n]*[:}]"),
        Habit("braces hold statements", "arguments stand in `( )`, indices in `[ ]`"),
        accepted="POWER",
    ),
    Stumble(
        re.compile(r"(?P<at>\{)"),
        Habit("there are no dictionaries and no sets", "name the values one by one"),
        accepted="NUMBER",
    ),
    Stumble(
        re.compile(r"\b(?P<at>for)\b"),
        Habit(
            "a loop stands in no expression",
            "name what it yields: `ys = for ... { ... yield y }`",
        ),
        accepted="NUMBER",
        stuck_at=True,
    ),
    Stumble(
        re.compile(r"\b(?P<at>return|yield)\b"),
        Habit(
            "`return` and `yield` stand inside a function", "is a `}` too many above?"
        ),
        accepted="HYPER",
    ),
    Stumble(
        re.compile(r"\b(?P<at>if|for|while|else)\b"),
        Habit(
            "only declarations stand here", f"{_IN_BLOCK}; is a `}}` too many above?"
        ),
        accepted="HYPER",
    ),
    Stumble(
        re.compile(r"^\w+\s*(?:\[[^\n]*?\]\s*)?(?P<at><-)"),
        Habit(
            "memory changes only within a step", "write `step name() { ... }` around it"
        ),
    ),
    Stumble(
        re.compile(r"^\s*(?:param|state)\s+[\w.]+\s*(?P<at>[=~])"),
        Habit(
            "memory has a type in front of its first value",
            "write `param b: float[3] = 0`, or `~ normal()` to draw it",
        ),
        accepted="COLON",
    ),
    Stumble(
        re.compile(r"^\w+\s*(?P<at>:|~)"),
        Habit(
            "memory is declared with `param` or `state`",
            "write `param W: float[n] = 0`; a local stands inside a function",
        ),
        accepted="EQUAL",
    ),
    Stumble(
        re.compile(r"^\w+(?:\.\w+)*\s*(?P<at>\(|\[|\.)"),
        Habit("only declarations stand here", _IN_BLOCK),
        accepted="EQUAL",
    ),
    Stumble(
        re.compile(r"(?P<at>//)\s*[A-Za-z]\w*\s+\w.*"),
        Habit("`//` divides, it does not start a comment", "a comment starts with `#`"),
    ),
    Stumble(
        re.compile(r"//.*"),
        Habit("`//` divides, it does not start a comment", "a comment starts with `#`"),
    ),
)

# A declaration of memory up to where its first value would stand.
BARE_MEMORY = re.compile(r"\b(?:param|state)\s+(?P<name>[\w.]+)\s*:[^=~{}]*$")

SEMANTIC: dict[str, Habit] = {
    "no-value": Habit(
        "`{name}` needs a first value", "write `= 0`, or `~ normal()` to draw it"
    ),
    "method": Habit(
        "`.{name}()` is not a method", "write the function: `{name}({operand}, ...)`"
    ),
    "bind-memory": Habit(
        "`{name}` is memory, which `=` does not change",
        "write `{name} <- ...`, or choose another name for the local",
    ),
    "update-local": Habit(
        "`{name}` is not memory, `<-` does not change it", "write `{name} = ...`"
    ),
    "draw": Habit(
        "`{name}` draws numbers, it has no value",
        "a distribution stands behind `~`: `param W: float[n, m] ~ {name}()`",
    ),
    "zeros": Habit(
        "`{name}` makes no array here", "declare it: `x: float[{sizes}] = {value}`"
    ),
    "module-on-tensor": Habit(
        "`{name}` is a module: it takes sizes, not tensors",
        "make it at the top: `layer = {name}(n_in, n_out)`, then call `layer(x)`",
    ),
    "grad-list": Habit(
        "a list stacks its members",
        "several params stand in `( )`: `grad(cost, (W, b))`",
    ),
}


def diagnose(habit: Habit, location: Location, **names: str) -> Diagnostic:
    """Return the message about a habit; `names` fill the braces of a semantic one."""
    message, hint = habit.message, habit.hint
    if names:
        message, hint = message.format(**names), hint.format(**names)
    return Diagnostic(CODE, message, location, hints=(hint,))


def stumble(line: str, column: int, accepted: frozenset[str]) -> tuple[Habit, int, int]:
    """Return the habit shown by a line at 0-based `column`, with its start and end.

    A line that shows none gives a habit without message.
    """
    for entry in STUMBLES:
        if entry.accepted and entry.accepted not in accepted:
            continue
        for match in entry.pattern.finditer(line):
            if match.start() <= column < max(match.end(), match.start() + 1):
                group = "at" if "at" in entry.pattern.groupindex else 0
                if entry.stuck_at and match.start(group) != column:
                    continue
                return entry.habit, match.start(group), match.end(group)
    return Habit("", ""), column, column


# What ends a turn elsewhere, in front of where the parser stands.
STOP = re.compile(r"(?<![\w.])(?P<name>break|continue)\s*$")
NO_STOP = Habit(
    "there is no `{name}`: all turns of a loop are run, to their ends",
    "say when a turn changes something: `if c {{ s = s + v }}`",
)

_MODULES = frozenset("math np numpy jnp jax torch tf scipy nn F".split())  # noqa: SIM905
_WAYS = {
    "enumerate": "count beside it: `for i, v in range(n), x`, where x is `float[n]`",
    "zip": "values stand side by side: `for a, b in x, y`",
    "ifelse": "write `if c { y = a } else { y = b }`",
    "hvp": "write `jvp(grad(cost, x), x, v)`",
    "known_grads": "write `vjp(h, x, g)`: g is the derivative by h",
    "max_and_argmax": "write `top1(x)`",
    "images2neibs": "write `unfold(x, (2, 2), stride=2)`: windows are its columns",
    "pool_2d": "write `max_pool(x, 2)` or `avg_pool(x, 2)`",
    **{
        f"adaptive_{kind}_pool{axes}d": f"a whole image: `global_{kind}_pool(x)`"
        for kind in ("avg", "max")
        for axes in (1, 2, 3)
    },
    **{
        f"{kind}_pool{axes}d": f"write `{kind}_pool(x, window)`, for any number of axes"
        for kind in ("avg", "max")
        for axes in (1, 2, 3)
    },
    **{
        name: f"it is in Python alone, as `tc.{name}`"
        for name in ("custom_gradient", "grad_clip", "grad_scale")
    },
}
_RANDOM = frozenset("rand randn randint random seed uniform normal".split())  # noqa: SIM905


def instead_of(name: str) -> tuple[str, ...]:
    """Return a hint about a name that stands for something in Python's libraries."""
    if name in _WAYS:
        return (_WAYS[name],)
    if name in _MODULES:
        return ("functions stand without a module: `sin(x)`, `tanh(x)`",)
    if name in _RANDOM:
        return ("what is drawn is memory: `param W: float[5] ~ uniform(-1, 1)`",)
    return ()
