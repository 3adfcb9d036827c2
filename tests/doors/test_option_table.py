"""Every option of every function of the library, given what nobody should give it.

In each door a call either gives what NumPy gives, or is refused with a message that
names the function, and for a wrong kind the option, at the user's line. Nothing
is compiled but what NumPy has a value for, and that at once for each function.
"""

import warnings

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import TensorcError
from tensorc.frontend.library.options import REQUIRED
from tensorc.frontend.library.registry.rows import LANGUAGE
from tests.doors import image_table
from tests.frontend.irgen_helpers import Prepared, program
from tests.frontend.irgen_helpers import call as interpreted
from tests.said import said

X = np.linspace(-2, 3, 12).reshape(3, 4)
M = np.linspace(0.5, 2, 3)
I = np.array([[0, 2], [1, 1]])  # noqa: E741

# The tensors of a call: x unless it stands here.
TENSORS = {
    "squeeze": ("r",),
    "take": ("x", "i"),
    "concatenate": (("x", "x"),),
    "stack": (("x", "x"),),
    "einsum": (("x",),),
    "tensordot": ("x", "x"),
    "one_hot": ("i",),
    "searchsorted": ("m", "x"),
    **dict.fromkeys(("linspace", "logspace"), ("s", 2.0)),
    "cross": ("sides", "sides"),
    **dict.fromkeys(("convolve", "correlate"), ("m", "m")),
    "vander": ("m",),
    "matrix_power": ("square",),
    "meshgrid": (("m", "m"),),
    **dict.fromkeys(("quantile", "percentile"), ("x", 0.5)),
    "digitize": ("x", "m"),
    "histogram": ("x", 4),
    "bincount": ("few",),
    **dict.fromkeys(("isclose", "allclose"), ("x", "x")),
    "full": (7.5,),
    **dict.fromkeys(("conv1d", "conv_transpose1d"), ("p", "q")),
    **dict.fromkeys(("conv2d", "conv_transpose2d"), ("pp", "qq")),
    **dict.fromkeys(("max_pool", "avg_pool", "unfold"), ("pp",)),
    **dict.fromkeys(("global_max_pool", "global_avg_pool"), ("pp",)),
    "fold": ("p",),
    **dict.fromkeys(("range", "arange", "eye", "tri", "zeros", "ones"), ()),
}
# What the required options are while another one is tried.
VALID = {
    **{"shape": (12,), "axis": 0, "axis1": 0, "axis2": 1, "reps": 2, "repeats": 2},
    **{"source": 0, "destination": 1, "shift": 1, "width": 1, "parts": 3},
    **{"window": 2, "size": (3, 3), "k": 2, "kth": 1, "minlength": 4},
    **{"start": 2, "n": 3, "spec": "ij->j", "ndim": 1, "pattern": (1, 0)},
}
IMAGES = np.linspace(-1, 2, 64)
ARRAYS = {"x": X, "r": X[:1], "i": I, "s": np.array(0.5), "m": M}
ARRAYS |= {"few": 0 * I[0], "square": X[:, :3], "sides": X.T}
ARRAYS |= {"p": IMAGES[:16].reshape(1, 4, 4), "q": IMAGES[:32].reshape(4, 4, 2)}
ARRAYS |= {
    "pp": IMAGES[4:34].reshape(1, 2, 5, 3),
    "qq": IMAGES[:16].reshape(2, 2, 2, 2),
}


def softmax(x, axis):
    powers = np.exp(x - np.max(x, axis, keepdims=True))
    return powers / np.sum(powers, axis, keepdims=True)


def logsumexp(x, axis=None, keepdims=False):
    return np.log(np.sum(np.exp(x), axis, keepdims=keepdims))


def accumulated(ufunc):
    """Return what a ufunc accumulates, of all elements without an axis."""

    def so_far(x, axis=None):
        x = np.asarray(x)
        return ufunc.accumulate(x.ravel() if axis is None else x, axis or 0)

    return so_far


def one_hot(x, n):
    if np.max(x) >= n:
        raise IndexError
    return (np.asarray(x)[..., None] == np.arange(n)).astype("float32")


def flatten(x, start):
    if start >= np.ndim(x):
        raise ValueError
    return np.reshape(x, (*np.shape(x)[:start], -1))


def topk(x, k, axis=-1):
    if axis is None:
        x, axis = np.ravel(x), 0
    order = np.argsort(np.negative(x), axis, kind="stable")
    if not 0 <= k <= np.shape(x)[axis]:
        raise ValueError
    order = np.take(order, np.arange(k), axis)
    return [np.take_along_axis(x, order, axis), order]


def dimshuffle(x, pattern):
    moved = np.transpose(x, [p for p in pattern if p != "x"])
    return np.expand_dims(moved, [i for i, p in enumerate(pattern) if p == "x"])


def theanos_flatten(x, ndim=1):
    return flatten(x, range(np.ndim(x))[ndim - 1])


# NumPy's functions by other names, and what it has not.
NUMPY = {
    "norm": np.linalg.norm,
    "softmax": softmax,
    "log_softmax": lambda x, axis: np.log(softmax(x, axis)),
    "logsumexp": logsumexp,
    "cummax": accumulated(np.maximum),
    "cummin": accumulated(np.minimum),
    "logcumsumexp": accumulated(np.logaddexp),
    "one_hot": one_hot,
    "flatten": flatten,
    "dimshuffle": dimshuffle,
    "range": lambda start, stop=None, step=None: np.arange(start, stop, step),
    "arange": lambda start, stop=None, step=None: np.arange(start, stop, step),
    "einsum": lambda operands, spec: np.einsum(spec, *operands),
    "pad": lambda x, width, **options: np.pad(x, width, **options),
    "topk": topk,
    "histogram": lambda x, bins, **options: [*np.histogram(x, bins, **options)],
    "split": lambda x, parts, axis=0: np.split(x, parts, axis),
    "array_split": lambda x, parts, axis=0: np.array_split(x, parts, axis),
    "logspace": lambda start, stop, **options: np.logspace(start, stop, **options),
    "cross": np.linalg.cross,
    "matrix_power": np.linalg.matrix_power,
    "meshgrid": lambda arrays, **options: list(np.meshgrid(*arrays, **options)),
    "vander": lambda x, n=None, **options: np.vander(x, n, **options),
    "top1": lambda x, **options: [np.max(x, **options), np.argmax(x, **options)],
    "full": lambda value, shape: np.full(shape, value),
    "eye": lambda n, m=None, k=0: np.eye(n, m, k),
    "tri": lambda n, m=None, k=0: np.tri(n, m, k),
    **image_table.FUNCTIONS,
}
# The Python doors: their functions where the language has another one or none.
PYTHON = {
    "einsum": lambda operands, spec: tc.einsum(spec, *operands),
    "full": lambda value, shape: tc.full(shape, value),
    "dimshuffle": lambda x, pattern: tc.dimshuffle(x, pattern),
    "meshgrid": lambda arrays, **options: tc.meshgrid(*arrays, **options),
    "x.reshape": lambda x, shape: x.reshape(shape),
    "x.transpose": lambda x, axes=None: x.transpose(axes),
    "x.sum": lambda x, **options: x.sum(**options),
    "x.argmax": lambda x, **options: x.argmax(**options),
    "x.flatten": lambda x, ndim: x.flatten(ndim),
    "x.dimshuffle": lambda x, pattern: x.dimshuffle(pattern),
    "x.swapaxes": lambda x, **options: x.swapaxes(**options),
}
NEEDED = {
    n: [o for o, option in c.options.items() if option.default is REQUIRED]
    for n, c in LANGUAGE.items()
}
OPTIONS = {
    **{n: tuple(c.options) for n, c in LANGUAGE.items() if c.options},
    **dict.fromkeys(("zeros", "ones", "full"), ("shape",)),
    "dimshuffle": ("pattern",),
}
# In three dimensions they are the same functions, and take long.
OPTIONS = {n: o for n, o in OPTIONS.items() if n not in ("conv3d", "conv_transpose3d")}
PYTHONS = {
    **{n: o for n, o in OPTIONS.items() if n not in ("range", "flatten")},
    "arange": ("start", "stop", "step"),
    **{n: OPTIONS[n.removeprefix("x.")] for n in PYTHON if n.startswith("x.")},
    "x.flatten": ("ndim",),
}
NASTY = {
    "None": None,
    "True": True,
    "False": False,
    "zero": 0,
    "one": 1,
    "minus one": -1,
    "far": 99,
    "far below": -99,
    "very far": 2**70,
    "at the limit": 2**61,
    "fraction": 1.5,
    "whole float": 1.0,
    "nan": float("nan"),
    "text": "x",
    "no text": "",
    "empty": (),
    "single": (0,),
    "pair": (0, 1),
    "twice": (0, 0),
    "twice otherwise": (0, -2),
    "large pair": (2**61, 2**61),
    "deep": ((((0,),),),),
    "pair of none": (None, None),
    "list": [0],
    "numpy int": np.int64(0),
    "numpy float": np.float32(1),
    "numpy bool": np.bool_(True),
    "array of one": np.array(0),
    "array": np.array([0, 1]),
    "array of floats": np.array([0.0, 1.0]),
    "array of objects": np.array([None, 1]),
    "complex": 1j,
    "bytes": b"x",
    "object": object(),
    "function": len,
    "dict": {0: 1},
    "slice": slice(1),
}
V = {
    **{n: tc.tensor(n, "float64", ARRAYS[n].shape) for n in ("p", "q", "pp", "qq")},
    "x": tc.tensor("x", "float64", (3, 4)),
    "few": tc.lvector("few"),
    "square": tc.tensor("square", "float64", (3, 3)),
    "sides": tc.tensor("sides", "float64", (4, 3)),
    "r": tc.tensor("r", "float64", (1, 4)),
    "i": tc.lmatrix("i"),
    "s": tc.dscalar("s"),
    "m": tc.dvector("m"),
    "k": tc.lscalar("k"),
    "c": tc.dscalar("c"),
}
INPUTS = {V[n]: v for n, v in {**ARRAYS, "k": 1, "c": 2.5}.items()}
N = V["m"].shape[0]
VARIABLES = {
    "size": (N, 3),
    "integer": (V["k"], 1),
    "number": (V["c"], 2.5),
    "vector": (V["m"], M),
    "shared": (tc.shared(np.int64(1), "w"), 1),
    "pair of sizes": ((N, N), (3, 3)),
}
# Where a call gives more than NumPy's does, which refuses it.
BEYOND = {
    ("norm", "empty"): np.abs,
    **dict.fromkeys([("isclose", t) for t in ("very far", f"{2**70}")], np.isclose),
    **dict.fromkeys([("allclose", t) for t in ("very far", f"{2**70}")], np.allclose),
    ("pad", "None"): lambda x: np.pad(x, 1),  # stat_length
    ("pad", "none"): lambda x: np.pad(x, 1),
    ("diagonal", "at the limit"): lambda x: x[:0, 0],
    ("diag", "at the limit"): lambda x: x[:0, 0],
    ("trace", "at the limit"): lambda x: np.zeros(()),
}


def cases(values):
    yield from ((kind, value, value) for kind, value in NASTY.items())
    yield from ((kind, *pair) for kind, pair in VARIABLES.items())


def given(name, arrays):
    """Return the tensors of a call, variables or NumPy's arrays."""

    def read(t):
        return [read(p) for p in t] if isinstance(t, tuple) else arrays.get(t, t)

    return [read(t) for t in TENSORS.get(name, ("x",))]


def needed(name):
    """Return the options that a call of a function needs."""
    if name in ("dimshuffle", "x.dimshuffle", "x.flatten", "zeros", "ones", "full"):
        return PYTHONS[name]
    return NEEDED["range" if name == "arange" else name.removeprefix("x.")]


def wanted(name, option, kind, value):
    """Return what NumPy gives, or None if it refuses the value."""
    own = name.removeprefix("x.")
    function = NUMPY.get(own) or getattr(np, own)
    if name == "x.flatten":
        function = theanos_flatten
    tensors = given(own, ARRAYS)
    options = {o: VALID[o] for o in needed(name)}
    if (own, kind) in BEYOND:
        return BEYOND[own, kind](*tensors)
    # A list or an array of integers is a tuple in all doors, NumPy's truth value one.
    spellings = [bool(value) if isinstance(value, np.bool_) else value]
    if isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim):
        spellings.append(tuple(value))
    for spelling in spellings:
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                return function(*tensors, **{**options, option: spelling})
        except Exception:  # NumPy's are of many classes
            continue
    return None


def check(error, name, option, kind):
    """Check that a refusal is one, and names the function or the option it is of."""
    case = (name, option, kind, error)
    assert isinstance(error, TensorcError), case
    assert isinstance(error, TypeError | ValueError), case
    assert name.removeprefix("x.") in said(error), case
    (diagnostic,) = error.diagnostics
    assert diagnostic.location.file == __file__, case
    if diagnostic.code in ("TC0317", "TC0309"):
        assert f": {option} " in diagnostic.message, case


def compare(result, expected, case):
    if isinstance(expected, list):
        assert len(result) == len(expected), case
        for ours, theirs in zip(result, expected, strict=True):
            compare(ours, theirs, case)
        return
    assert np.shape(result) == np.shape(expected), case
    np.testing.assert_allclose(result, expected, rtol=2e-6, atol=1e-7, err_msg=case)


def evaluated(results):
    with tc.options(optimize=0):
        compiled = tc.function([*INPUTS], results, on_unused_input="ignore")
    return compiled(*INPUTS.values())


def is_refused(function, *arguments):
    """Tell whether a call ends in an error of ours, which only its sizes bring."""
    try:
        function(*arguments)
    except TensorcError:
        return True
    return False


def tried(name, function):
    """Return the results of the calls that NumPy takes; check all other calls."""
    found = []
    for option in PYTHONS[name]:
        for kind, given_, plain in cases(NASTY):
            options = {o: VALID[o] for o in needed(name)} | {option: given_}
            tensors = given(name.removeprefix("x."), V)
            try:
                result = function(*tensors, **options)
            except Exception as error:
                check(error, name, option, kind)
                continue
            expected = wanted(name, option, kind, plain)
            if expected is not None:
                found.append((result, expected, f"{name} {option} {kind}"))
                continue
            # Sizes that only the call knows do not fit.
            assert is_refused(evaluated, result), (name, option, kind)
    return found


@pytest.mark.parametrize("name", PYTHONS)
def test_the_functions_of_python(name):
    function = PYTHON.get(name) or getattr(tc, name)
    found = tried(name, function)
    flat = [p for r, *_ in found for p in (r if isinstance(r, tuple) else (r,))]
    values = iter(evaluated(flat))
    for result, expected, case in found:
        several = isinstance(result, tuple)
        given_ = [next(values) for _ in result] if several else next(values)
        compare(given_, expected, case)


# NumPy's own names, called with variables.
NUMPYS = [
    n
    for n in LANGUAGE
    if n in PYTHONS and n not in ("eye", "tri") and (hasattr(np, n) or n == "norm")
]


@pytest.mark.parametrize("name", NUMPYS)
def test_the_functions_of_numpy_of_variables(name):
    function = NUMPY.get(name) or getattr(np, name)
    for result, expected, case in tried(name, function):
        # What they are is compared above: it is the same function of the library.
        theirs = expected if isinstance(expected, list) else [expected]
        ours = result if isinstance(expected, list) else [result]
        assert [o.ndim for o in ours] == [np.ndim(t) for t in theirs], case


def test_a_trace_checks_as_graphs_do():
    met = []

    def traced(x, m):
        for name, option in (("softmax", "axis"), ("pad", "width"), ("var", "ddof")):
            for kind, value in NASTY.items():
                try:
                    getattr(tc, name)(x, **{option: value})
                except Exception as error:
                    check(error, name, option, kind)
                    met.append((name, kind))
        return x

    tc.jit(traced)(X, M)
    assert {("softmax", "True"), ("pad", "None"), ("var", "fraction")} <= set(met)


# What a `.tc` file can spell, and what that is in NumPy.
SPELLED = {
    "none": None,
    "true": True,
    "0": 0,
    "1": 1,
    "-1": -1,
    "99": 99,
    f"{2**70}": 2**70,
    "1.5": 1.5,
    '"x"': "x",
    "(0,)": (0,),
    "(0, 1)": (0, 1),
    "(0, 0)": (0, 0),
    "(0, -2)": (0, -2),
    "((0, 1), (1, 0))": ((0, 1), (1, 0)),
    "[0]": (0,),
    "[[0, 1]]": ((0, 1),),
    "[0.5]": (0.5,),
    "N": 3,
    "(N, N)": (3, 3),
    "N // 2": 1,
    "k": 1,
    "c": 2.5,
    "x": X,
    "m": M,
    "whole": 1,
    "broken": 1.5,
    "flag": True,
    "memory": 2.5,
    "array": M,
    "tanh": np.tanh,
}
HEAD = """
hyper whole = 1, broken = 1.5, flag = true
param memory: f64 = 2.5
param array: f64[3] = 1
"""
FORMALS = "x: f64[3, 4], r: f64[1, 4], i: int[2, 2], s: f64, m: f64[N], "
FORMALS += "few: int[2], square: f64[3, 3], sides: f64[4, 3], "
FORMALS += "p: f64[1, 4, 4], q: f64[4, 4, 2], pp: f64[1, 2, 5, 3], "
FORMALS += "qq: f64[2, 2, 2, 2], k: int, c: f64"


INPUT_NAMES = [*ARRAYS, "k", "c"]


def written(value):
    """Return a value as a `.tc` file has it."""
    if isinstance(value, str) and value not in ARRAYS:
        return f'"{value}"'
    if isinstance(value, tuple | list):
        return f"({', '.join(map(written, value))},)"
    return str(value)


def calls_of(name):
    """Return the calls of a function: the option, its text, its value, the call."""
    tensors = [written(t) for t in TENSORS.get(name, ("x",))]
    for option in OPTIONS[name]:
        for text, value in SPELLED.items():
            options = {o: written(VALID[o]) for o in NEEDED[name]} | {option: text}
            named = [f"{o}={t}" for o, t in options.items()]
            yield option, text, value, f"{name}({', '.join([*tensors, *named])})"


@pytest.mark.filterwarnings("ignore:TC0319")  # sizes that a reshape decides
@pytest.mark.parametrize("name", [n for n in OPTIONS if n in LANGUAGE])
def test_the_functions_of_the_language(name, tmp_path):
    calls = list(calls_of(name))
    lines = [f"fn case_{n}({FORMALS}) = {c[-1]}" for n, c in enumerate(calls)]
    whole = program(HEAD + "\n".join(lines) + "\n")
    first = HEAD.count("\n") + 1
    inputs = [*ARRAYS.values(), 1, 2.5]
    for n, (option, text, value, _) in enumerate(calls):
        case = f"{name} {option}={text}"
        try:
            module = whole.emit([f"case_{n}"])
        except TensorcError as error:
            (diagnostic,) = error.diagnostics
            assert name in diagnostic.message, case
            assert diagnostic.location.line == first + n, case
            if diagnostic.code in ("TC0317", "TC0309"):
                assert f": {option} " in diagnostic.message, case
            continue
        expected = wanted(name, option, text, value)
        prepared = Prepared(whole, module, f"case_{n}")
        if expected is None:
            # What its sizes are only a call knows.
            path = tmp_path / "one.tc"
            path.write_text(f"{HEAD}{lines[n]}\n")
            called = getattr(tc.load(path), f"case_{n}")
            named = dict(zip(INPUT_NAMES, inputs, strict=True))
            assert is_refused(lambda: called(**named)), case  # noqa: B023
            continue
        results, _ = interpreted(prepared, *inputs)
        compare(results if isinstance(expected, list) else results[0], expected, case)
