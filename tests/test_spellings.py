"""Spellings of logistic and softmax losses: value and slope, against exact formulas.

Each row is written as in textbooks and tutorials. It is computed in f32 and f64, by
`.tc` files and Python, where the plain formula overflows, underflows or cancels.
"""

from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from functools import cache

import numpy as np
import pytest

import tensorc as tc

POINTS = (0, 1e-3, 1, 20, 40, 100, 200, 1000)
Z = np.array([*POINTS, *[-v for v in POINTS[1:]]])
T = np.resize([0.0, 1.0, 0.25, 1.0, 0.0], Z.size)
WIDE = Context(prec=900, Emin=-999999, Emax=999999)

# Logits of rows: ordinary, far apart, one sure class, ties, all far away.
ROWS = np.array(
    [
        [0.5, -1, 2],
        [1000, 0, -1000],
        [-40, 0, 40],
        [3, 3, 3],
        [-1000, -1001, -1002],
        [1e-3, 0, 200],
        [0, 50, 50],
    ]
)
LABELS = np.array([2, 1, 0, 1, 2, 2, 0])


def f(number: float) -> Decimal:
    return Decimal(float(number))


# Rows and types share their points, and a function of 900 digits takes 10 ms: each is
# computed once, always in `WIDE`.
@cache
def exp(z: Decimal) -> Decimal:
    return z.exp(WIDE)


@cache
def ln(z: Decimal) -> Decimal:
    return z.ln(WIDE)


def sigmoid(z: Decimal) -> Decimal:
    return 1 / (1 + exp(-z))


def softplus(z: Decimal) -> Decimal:
    return ln(1 + exp(z))


def log_p(z: Decimal, t: Decimal) -> tuple[Decimal, Decimal]:
    return -softplus(-z), sigmoid(-z)


def log_q(z: Decimal, t: Decimal) -> tuple[Decimal, Decimal]:
    return -softplus(z), -sigmoid(z)


def plus(z: Decimal, t: Decimal) -> tuple[Decimal, Decimal]:
    return softplus(z), sigmoid(z)


def entropy(z: Decimal, t: Decimal) -> tuple[Decimal, Decimal]:
    """Return t log p + (1 - t) log(1 - p)."""
    return -t * softplus(-z) - (1 - t) * softplus(z), t - sigmoid(z)


def minus(truth: Callable) -> Callable:
    return lambda z, t: tuple(-v for v in truth(z, t))


def probability(z: Decimal, t: Decimal) -> tuple[Decimal, Decimal]:
    return sigmoid(z), sigmoid(z) * sigmoid(-z)


def complement(z: Decimal, t: Decimal) -> tuple[Decimal, Decimal]:
    return sigmoid(-z), -sigmoid(z) * sigmoid(-z)


def focal(z: Decimal, t: Decimal) -> tuple[Decimal, Decimal]:
    p, q = sigmoid(z), sigmoid(-z)
    return q * q * -softplus(-z), -2 * p * q * q * -softplus(-z) + q * q * q


def product(z: Decimal, t: Decimal) -> tuple[Decimal, Decimal]:
    return -softplus(z) - softplus(-z), sigmoid(-z) - sigmoid(z)


def p_log_p(z: Decimal, t: Decimal) -> tuple[Decimal, Decimal]:
    p, q = sigmoid(z), sigmoid(-z)
    return p * -softplus(-z), p * q * (1 - softplus(-z))


def divergence(z: Decimal, t: Decimal) -> tuple[Decimal, Decimal]:
    p, q = sigmoid(z), sigmoid(-z)
    return p * z, p + z * p * q


def cosh(z: Decimal, t: Decimal) -> tuple[Decimal, Decimal]:
    return softplus(2 * z) - z, sigmoid(2 * z) - sigmoid(-2 * z)


def odds(z: Decimal, t: Decimal) -> tuple[Decimal, Decimal]:
    return z, Decimal(1)


def mixed(z: Decimal, t: Decimal) -> tuple[Decimal, Decimal]:
    """Return log(t p + (1 - t)(1 - p)) for t that is 0 or 1, else of the sum."""
    p, q = sigmoid(z), sigmoid(-z)
    total = t * p + (1 - t) * q
    return ln(total), (2 * t - 1) * p * q / total


# What a row may use: the functions that all doors have, as `.tc` spells them.
LOGISTIC: dict[str, tuple[str, Callable]] = {
    # the logarithm of the sigmoid
    "log(sigmoid(z))": ("log(sigmoid(z))", log_p),
    "log(1/(1+e^-z))": ("log(1 / (1 + exp(-z)))", log_p),
    "log((1+e^-z)^-1)": ("log((1 + exp(-z)) ** -1)", log_p),
    "log(e^z/(1+e^z))": ("log(exp(z) / (1 + exp(z)))", log_p),
    "log(e^z/(e^z+1))": ("log(exp(z) / (exp(z) + 1))", log_p),
    "-log(1+e^-z)": ("-log(1 + exp(-z))", log_p),
    "-log1p(e^-z)": ("-log1p(exp(-z))", log_p),
    "log of tanh's": ("log(0.5 * (1 + tanh(z / 2)))", log_p),
    "log of tanh's half": ("log((1 + tanh(0.5 * z)) / 2)", log_p),
    "log of half and tanh": ("log(0.5 * tanh(z / 2) + 0.5)", log_p),
    "z - log(1+e^z)": ("z - log(1 + exp(z))", log_p),
    "min(z,0)-log1p(e^-|z|)": ("minimum(z, 0) - log1p(exp(-abs(z)))", log_p),
    "where": (
        "log(where(z >= 0, 1 / (1 + exp(-z)), exp(z) / (1 + exp(z))))",
        log_p,
    ),
    # of its complement
    "log(1-sigmoid(z))": ("log(1 - sigmoid(z))", log_q),
    "log1p(-sigmoid(z))": ("log1p(-sigmoid(z))", log_q),
    "log(1-1/(1+e^-z))": ("log(1 - 1 / (1 + exp(-z)))", log_q),
    "log(1-e^z/(1+e^z))": ("log(1 - exp(z) / (1 + exp(z)))", log_q),
    "log(e^-z/(1+e^-z))": ("log(exp(-z) / (1 + exp(-z)))", log_q),
    "log(sigmoid(-z))": ("log(sigmoid(-z))", log_q),
    "log of tanh's rest": ("log(0.5 * (1 - tanh(z / 2)))", log_q),
    "log(1-p), reshaped": (
        "reshape(log(1 - reshape(sigmoid(z), (3, 5))), 15)",
        log_q,
    ),
    "log of 1-p, reshaped": (
        "reshape(log(reshape(1 - sigmoid(z), (3, 5))), 15)",
        log_q,
    ),
    "log1p(-p), transposed": (
        "reshape(transpose(log1p(-transpose(reshape(sigmoid(z), (3, 5))))), 15)",
        log_q,
    ),
    "log(1-p), reversed twice": ("log(1 - sigmoid(z)[::-1])[::-1]", log_q),
    # with what changes nothing
    "log(1-p*1)": ("log(1 - sigmoid(z) * 1)", log_q),
    "log(1-(p,p))": ("log(1 - where(t > 0.5, sigmoid(z), sigmoid(z)))", log_q),
    "log(clip(p))": ("log(clip(sigmoid(z), 0, 1))", log_p),
    "log(clip(1-p))": ("log(clip(1 - 1 / (1 + exp(-z)), -1, 1.5))", log_q),
    "log(p+0)": ("log(sigmoid(z) / 1 + 0)", log_p),
    "log(p**1)": ("log(-(-sigmoid(z))) ** 1", log_p),
    # softplus
    "log(1+e^z)": ("log(1 + exp(z))", plus),
    "log(e^z+1)": ("log(exp(z) + 1)", plus),
    "log1p(e^z)": ("log1p(exp(z))", plus),
    "log(e^0+e^z)": ("log(exp(0 * z) + exp(z))", plus),
    "logaddexp(0,z)": ("logaddexp(0, z)", plus),
    "max(z,0)+log1p(e^-|z|)": ("maximum(z, 0) + log1p(exp(-abs(z)))", plus),
    "relu(z)+log(1+e^-|z|)": ("relu(z) + log(1 + exp(-abs(z)))", plus),
    "-log(1-sigmoid(z))": ("-log(1 - sigmoid(z))", plus),
    "-log(1/(1+e^z))": ("-log(1 / (1 + exp(z)))", plus),
    # the probabilities themselves
    "1-sigmoid(z)": ("1 - sigmoid(z)", complement),
    "1-1/(1+e^-z)": ("1 - 1 / (1 + exp(-z))", complement),
    "e^z/(1+e^z)": ("exp(z) / (1 + exp(z))", probability),
    "0.5(1+tanh(z/2))": ("0.5 * (1 + tanh(z / 2))", probability),
    "e^z/(e^z+e^-z) of halves": (
        "exp(z / 2) / (exp(z / 2) + exp(-z / 2))",
        probability,
    ),
    # cross entropy
    "cross entropy": (
        "-t * log(sigmoid(z)) - (1 - t) * log(1 - sigmoid(z))",
        minus(entropy),
    ),
    "cross entropy, written out": (
        "-(t * log(1 / (1 + exp(-z))) + (1 - t) * log(1 - 1 / (1 + exp(-z))))",
        minus(entropy),
    ),
    "cross entropy, log1p": (
        "t * log(sigmoid(z)) + (1 - t) * log1p(-sigmoid(z))",
        entropy,
    ),
    "cross entropy of logits": (
        "relu(z) - z * t + log1p(exp(-abs(z)))",
        minus(entropy),
    ),
    "cross entropy of logits, maximum": (
        "maximum(z, 0) - z * t + log(1 + exp(-abs(z)))",
        minus(entropy),
    ),
    "log of the likelihood": (
        "log(sigmoid(z) ** t * (1 - sigmoid(z)) ** (1 - t))",
        entropy,
    ),
    "xlogy": (
        "xlogy(t, sigmoid(z)) + xlogy(1 - t, 1 - sigmoid(z))",
        entropy,
    ),
    "log of the mixture": (
        "log(t * sigmoid(z) + (1 - t) * (1 - sigmoid(z)))",
        mixed,
    ),
    "pt": (
        "log(where(t > 0.5, sigmoid(z), 1 - sigmoid(z)))",
        lambda z, t: log_p(z, t) if t > 0.5 else log_q(z, t),
    ),
    # more
    "log(p(1-p))": ("log(sigmoid(z) * (1 - sigmoid(z)))", product),
    "log(p/(1-p))": ("log(sigmoid(z) / (1 - sigmoid(z)))", odds),
    "log p - log(1-p)": ("log(sigmoid(z)) - log(1 - sigmoid(z))", odds),
    "focal": ("(1 - sigmoid(z)) ** 2 * log(sigmoid(z))", focal),
    "p log p": ("sigmoid(z) * log(sigmoid(z))", p_log_p),
    "p log(p/q)": ("sigmoid(z) * log(sigmoid(z) / (1 - sigmoid(z)))", divergence),
    "log cosh": ("abs(z) + log1p(exp(-2 * abs(z)))", cosh),
}


DIFFERENCES = {
    *("cross entropy of logits", "cross entropy of logits, maximum"),
    *("cross entropy", "cross entropy, written out", "cross entropy, log1p"),
    *("xlogy", "log of the likelihood"),
    *("log(p(1-p))", "log p - log(1-p)", "log cosh"),
}


def others(x: list[Decimal], k: int) -> Decimal:
    return sum((exp(v) for j, v in enumerate(x) if j != k), Decimal(0))


def row_softmax(x: list[Decimal]) -> list[Decimal]:
    total = sum((exp(v) for v in x), Decimal(0))
    return [exp(v) / total for v in x]


def picked(x: list[Decimal], y: int) -> tuple[Decimal, list[Decimal]]:
    """Return log p of a label, and its slope by each logit."""
    p = row_softmax(x)
    rest = others(x, y)
    small = rest / (rest + exp(x[y]))
    slope = [small if j == y else -p[j] for j in range(len(x))]
    return ln(p[y]), slope


def without(x: list[Decimal], y: int) -> tuple[Decimal, list[Decimal]]:
    """Return log(1 - p) of a label, and its slope by each logit."""
    p, rest = row_softmax(x), others(x, y)
    value = ln(rest / (rest + exp(x[y])))
    share = p[y] / rest
    slope = [-p[y] if j == y else exp(v) * share for j, v in enumerate(x)]
    return value, slope


def summed(x: list[Decimal], y: int) -> tuple[Decimal, list[Decimal]]:
    total = sum((exp(v) for v in x), Decimal(0))
    return ln(total), row_softmax(x)


def averaged(x: list[Decimal], y: int) -> tuple[Decimal, list[Decimal]]:
    return summed(x, y)[0] - ln(Decimal(len(x))), row_softmax(x)


def share(x: list[Decimal], y: int) -> tuple[Decimal, list[Decimal]]:
    p = row_softmax(x)
    return p[y], [p[y] * ((1 if j == y else 0) - p[j]) for j in range(len(x))]


def gini(x: list[Decimal], y: int) -> tuple[Decimal, list[Decimal]]:
    """Return the entropy sum(p log p) and its slope."""
    p = row_softmax(x)
    total = ln(sum((exp(v) for v in x), Decimal(0)))
    logs = [v - total for v in x]
    value = sum((a * b for a, b in zip(p, logs, strict=True)), Decimal(0))
    return value, [a * (b - value) for a, b in zip(p, logs, strict=True)]


NAIVE = "exp(x) / sum(exp(x), axis=1, keepdims=true)"
ONES = "(one_hot(y, 3) > 0.5)"  # booleans take the type of what they meet
SHIFTED = "x - max(x, axis=1, keepdims=true)"
SOFTMAX: dict[str, tuple[str, Callable]] = {
    "log(softmax(x))[y]": ("log(softmax(x))[range(7), y]", picked),
    "log(softmax(x)[y])": ("log(softmax(x)[range(7), y])", picked),
    "log(softmax(x)[y]), reshaped": (
        "reshape(log(reshape(softmax(x)[range(7), y], (7, 1))), 7)",
        picked,
    ),
    "log(sum(t*e/sum(e)))": (
        f"log(sum({ONES} * exp(x) / sum(exp(x), axis=1, keepdims=true), axis=1))",
        picked,
    ),
    "log(sum(t*e)/sum(e))": (
        f"log(sum({ONES} * exp(x), axis=1) / sum(exp(x), axis=1))",
        picked,
    ),
    "log(clip(softmax(x)))": ("log(clip(softmax(x), 0, 1))[range(7), y]", picked),
    "log(e/sum(e))[y]": (f"log({NAIVE})[range(7), y]", picked),
    "log((e/sum(e))[y])": (f"log(({NAIVE})[range(7), y])", picked),
    "log(e/sum(e)[:,None])": (
        "log(exp(x) / sum(exp(x), axis=1)[:, none])[range(7), y]",
        picked,
    ),
    "log of the shifted": (
        f"log(exp({SHIFTED}) / "
        f"sum(exp({SHIFTED}), axis=1, keepdims=true))[range(7), y]",
        picked,
    ),
    "log of the transposed": (
        "log((exp(transpose(x)) / sum(exp(transpose(x)), axis=0))[y, range(7)])",
        picked,
    ),
    "log of transposed by sum": (
        "log(transpose(exp(x)) / sum(exp(x), axis=1))[y, range(7)]",
        picked,
    ),
    "x - log(sum(e))": (
        "(x - log(sum(exp(x), axis=1, keepdims=true)))[range(7), y]",
        picked,
    ),
    "x[y] - log(sum(e))": ("x[range(7), y] - log(sum(exp(x), axis=1))", picked),
    "log(e[y]/sum(e))": ("log(exp(x)[range(7), y] / sum(exp(x), axis=1))", picked),
    "log(e[y]) by shifted sum": (
        f"({SHIFTED})[range(7), y] - log(sum(exp({SHIFTED}), axis=1))",
        picked,
    ),
    "sum(onehot * log p)": (f"sum(one_hot(y, 3) * log({NAIVE}), axis=1)", picked),
    "log(sum(onehot * p))": (f"log(sum(one_hot(y, 3) * ({NAIVE}), axis=1))", picked),
    "log_softmax": ("log_softmax(x)[range(7), y]", picked),
    "-cross_entropy": ("-cross_entropy(x, y)", picked),
    "log(e^log_softmax)": ("log(exp(log_softmax(x)))[range(7), y]", picked),
    "log(e^log_softmax[y])": ("log(exp(log_softmax(x))[range(7), y])", picked),
    "log(1-softmax)[y]": ("log(1 - softmax(x))[range(7), y]", without),
    "log(1-softmax[y])": ("log(1 - softmax(x)[range(7), y])", without),
    "log1p(-softmax)": ("log1p(-softmax(x))[range(7), y]", without),
    "log1p(-softmax[y])": (f"log1p(-({NAIVE})[range(7), y])", without),
    "log(1-e/sum(e))": (f"log(1 - {NAIVE})[range(7), y]", without),
    "log(1-e^log_softmax)": ("log(1 - exp(log_softmax(x)))[range(7), y]", without),
    "log(sum(e))": ("log(sum(exp(x), axis=1))", summed),
    "log(sum(e)), by columns": (
        "log(exp(x[:, 0]) + exp(x[:, 1]) + exp(x[:, 2]))",
        summed,
    ),
    "logaddexp": ("logaddexp(logaddexp(x[:, 0], x[:, 1]), x[:, 2])", summed),
    "logsumexp": ("logsumexp(x, axis=1)", summed),
    "log(mean(e))": ("log(mean(exp(x), axis=1))", averaged),
    "e/sum(e)": (f"({NAIVE})[range(7), y]", share),
    "sum(p log p)": (f"sum({NAIVE} * log({NAIVE}), axis=1)", gini),
}


BY_PAIRS = {"log(sum(e)), by columns", "logaddexp"}
FROM_LOGITS = {
    *("log of transposed by sum", "x[y] - log(sum(e))", "log(e[y]/sum(e))"),
    *("log(sum(e))", "log(sum(e)), by columns", "logaddexp", "logsumexp"),
    "log(mean(e))",
}


def namespace() -> dict[str, object]:
    names = {n: getattr(tc, n) for n in dir(tc) if not n.startswith("_")}
    return {**names, "range": tc.arange, "none": None, "true": True, "abs": abs}


def python(text: str, *names: str) -> Callable:
    """Return a row as a Python function."""
    return eval(f"lambda {', '.join(names)}: {text}", namespace())


def by_jit(text: str, x: np.ndarray, other: np.ndarray, name: str) -> list[np.ndarray]:
    formula = python(text, name, "y" if name == "x" else "t")
    slope = tc.grad(lambda x, o: tc.sum(formula(x, o)))
    return [np.asarray(tc.jit(formula)(x, other)), np.asarray(slope(x, other))]


def by_graph(
    text: str, x: np.ndarray, other: np.ndarray, name: str
) -> list[np.ndarray]:
    letters = {"float32": "f", "float64": "d", "int64": "l"}
    rank = {1: "vector", 2: "matrix"}
    one, two = (getattr(tc, letters[str(v.dtype)] + rank[v.ndim])() for v in (x, other))
    value = python(text, name, "y" if name == "x" else "t")(one, two)
    slope = tc.grad(tc.sum(value), one)
    found = tc.function([one, two], [value, slope], on_unused_input="ignore")(x, other)
    return [np.asarray(v) for v in found]


def by_file(texts: dict[str, str], dtype: str, name: str, directory) -> object:
    """Return a program with a function for each row."""
    short = {"float32": "f32", "float64": "f64"}[dtype]
    shapes = {
        "z": f"z: {short}[15], t: {short}[15]",
        "x": f"x: {short}[7, 3], y: i64[7]",
    }
    lines = [
        f"fn row{i}({shapes[name]}) {{ v = {text}  d = grad(sum({text}), {name}) "
        "return v, d }\n"
        for i, text in enumerate(texts.values())
    ]
    path = directory / f"{name}_{dtype}.tc"
    path.write_text("".join(lines))
    return tc.load(path)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("spellings")
    made = {}

    def load(name, dtype):
        if (name, dtype) not in made:
            table = LOGISTIC if name == "z" else SOFTMAX
            texts = {k: text for k, (text, _) in table.items()}
            made[name, dtype] = by_file(texts, dtype, name, directory)
        return made[name, dtype]

    return load


def in_doors(text, table, key, name, dtype, programs, x, other):
    """Compute a row by a file, and by the other doors in turn: all make the same IR."""
    by_python = {"float32": by_jit, "float64": by_graph}[dtype]
    yield by_python.__name__, by_python(text, x, other, name)
    row = f"row{list(table).index(key)}"
    found = programs(name, dtype).functions[row](x, other)
    yield "by_file", [np.asarray(v) for v in found]


def check(doors, wanted, dtype, size):
    """Compare with the truth, to rounding of the largest number on the way."""
    info = np.finfo(dtype)
    wrong = []
    for door, found in doors:
        for what, value, true in zip(("value", "slope"), found, wanted, strict=True):
            bound = 16 * info.eps * (abs(true) + size(what)) + 16 * info.tiny
            bad = ~(abs(value.astype(np.float64) - true) <= bound)
            if bad.any():
                wrong.append((door, what, np.argwhere(bad), value[bad], true[bad]))
    assert not wrong


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("key", LOGISTIC)
def test_logistic_spellings(key, dtype, programs):
    text, truth = LOGISTIC[key]
    z, t = Z.astype(dtype), T.astype(dtype)
    with localcontext(WIDE):
        pairs = [truth(f(a), f(b)) for a, b in zip(z, t, strict=True)]
    wanted = [
        np.array([float(v) for v in column]) for column in zip(*pairs, strict=True)
    ]
    doors = in_doors(text, LOGISTIC, key, "z", dtype, programs, z, t)
    # A difference is as accurate as what is subtracted.
    size = {"value": np.maximum(1, abs(Z)), "slope": 1}
    size = size if key in DIFFERENCES else {}
    check(doors, wanted, dtype, lambda what: size.get(what, 0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("key", SOFTMAX)
def test_softmax_spellings(key, dtype, programs):
    text, truth = SOFTMAX[key]
    x = ROWS.astype(dtype)
    with localcontext(WIDE):
        pairs = [
            truth([f(v) for v in row], int(y)) for row, y in zip(x, LABELS, strict=True)
        ]
        values = np.array([float(v) for v, _ in pairs])
        slopes = np.array([[float(v) for v in s] for _, s in pairs])
    doors = in_doors(text, SOFTMAX, key, "x", dtype, programs, x, LABELS)
    # A logarithm of a sum is as accurate as 1, or as what it is taken from; where pairs
    # are summed in turn, the slope too.
    largest = np.maximum(1, abs(ROWS).max(1))
    sizes = {
        "value": largest if key in FROM_LOGITS else 1,
        "slope": largest[:, None] if key in BY_PAIRS else 1,
    }
    check(doors, [values, slopes], dtype, lambda what: sizes[what])


STEP = Decimal(10) ** -60  # of differences of exact slopes


@pytest.mark.parametrize("key", LOGISTIC)
def test_curvatures_of_logistic_spellings(key):
    text, truth = LOGISTIC[key]
    formula = python(text, "z", "t")
    slope = tc.grad(lambda z, t: tc.sum(formula(z, t)))
    found = tc.grad(lambda z, t: tc.sum(slope(z, t)))(Z, T)
    with localcontext(WIDE):
        slopes = [
            [truth(f(z) + step, f(t))[1] for z, t in zip(Z, T, strict=True)]
            for step in (STEP, -STEP)
        ]
        wanted = [float((a - b) / (2 * STEP)) for a, b in zip(*slopes, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_masked_shares_to_the_power_of_0(dtype):
    # A share of 0 to the power of 0 is 1, whose logarithm is 0.
    x = np.array([[0, -np.inf, 1], [2, 0, -np.inf]], dtype)
    t = np.array([[0, 0, 1], [1, 0, 0]], dtype)
    for base in (tc.softmax, tc.exp):

        def log(x, t, base=base):
            return tc.log(base(x) ** t)

        with np.errstate(divide="ignore"):
            wanted = np.log(np.asarray(tc.jit(base)(x), np.float64) ** t)
        np.testing.assert_allclose(tc.jit(log)(x, t), wanted, rtol=1e-6, atol=1e-7)
        slopes = tc.grad(lambda x, t, log=log: tc.sum(log(x, t)), argnums=(0, 1))(x, t)
        assert np.isfinite(slopes).all()
        found = tc.jit(log)(x, t + 1)
        assert (np.isneginf(found) == np.isneginf(x)).all()
