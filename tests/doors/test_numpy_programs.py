"""Programs written for NumPy under `tc.jit`: they run, or stop where they say.

The programs are in `numpy_programs.py`, without a word of tensorc. A line marked with
"# stops" is where the trace ends, with the name of what is not there.
"""

import inspect
import random
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest

import tensorc as tc
from tensorc.errors import TensorcWarning
from tests.doors import numpy_programs
from tests.said import said

R = np.random.default_rng(0)
POINTS, OTHERS = R.normal(size=(20, 3)), R.normal(size=(4, 3))
LINE, CLASSES = R.normal(size=12), R.integers(0, 4, 20)
SPINS = R.integers(0, 2, (6, 7))
AXES = np.linspace(-2, 1, 7), np.linspace(-1, 1, 5)
LINKS = R.integers(0, 2, (5, 5)) + np.eye(5)

RUN = {
    "principal_component": (POINTS, 5),
    "heat_equation_by_roll": (LINE, 0.1, 4),
    "n_body": (OTHERS, OTHERS[::-1], np.arange(1.0, 5.0)),
    "mandelbrot_of_reals": (*AXES, 5),
    "moving_average_by_slices": (LINE,),
    "gram_schmidt_stacked": (OTHERS[:3],),
    "logistic_regression": (POINTS, CLASSES > 1, 0.1, 4),
    "game_of_life": (SPINS,),
    "linear_regression": (LINE, LINE**2, 0.05, 5),
    "pairwise_distances": (POINTS, OTHERS),
    "softmax_loss": (POINTS, CLASSES, OTHERS.T),
    "newton": (LINE**2 + 1, 4),
    "horner": (LINE[:4], POINTS),
    "page_rank": (LINKS, 0.85, 5),
    "blur": (POINTS,),
    "trapezoid": (LINE, np.sort(LINE)),
    "normal_distribution": (LINE, 0.5, 2.0),
    "rotate": (POINTS[:, :2], 0.3),
    "cosine_similarities": (OTHERS,),
    "min_max_scaled": (POINTS,),
    "k_nearest": (POINTS, np.zeros(3)),
    "heat_equation": (LINE, 0.1, 4),
    "moving_average": (LINE,),
    "gram_schmidt": (OTHERS[:3],),
    "perceptron": (POINTS, CLASSES > 1),
    "softmax_classifier": (POINTS, CLASSES, OTHERS.T),
    "two_layers": (POINTS, POINTS[:, :2], OTHERS.T, OTHERS[:, :2]),
    "prefix_sums": (LINE,),
    "explicit_euler": (LINE[:2],),
    "laplace": (POINTS,),
    "winsorized": (LINE, -0.5, 0.5),
    "without_nan": (np.where(LINE > 0, LINE, np.nan),),
    "normalized_rows": (POINTS,),
    "one_hot": (CLASSES,),
    "vandermonde": (LINE,),
    "gauss_seidel": (LINKS + 5 * np.eye(5), LINE[:5]),
    "cholesky": (LINKS @ LINKS.T + np.eye(5),),
    "back_substitution": (LINKS, LINE[:5]),
    "edit_costs": (CLASSES[:6], CLASSES[4:9]),
    "momentum": (LINE, LINE[::-1].copy()),
    "sharpened": (POINTS,),
    "swapped_halves": (LINE,),
    "rotation_about_z": (0.3,),
    "newton_basis": (np.arange(12.0), LINE),
}
STOP = {
    "k_means": ((POINTS, OTHERS), "indexing with a mask is not in this version"),
    "mandelbrot": (AXES, "there are no complex numbers"),
    "newton_until": ((LINE**2 + 1,), "neither true nor false"),
    "least_squares": ((POINTS, LINE), "np.linalg.solve of a variable is not in this"),
}
DRAW = {
    "estimate_pi": ((100,), "draws numbers of np.random while it is traced"),
    "random_walk": ((LINE,), "draws numbers of random while it is traced"),
}


def test_every_program_is_here():
    functions = inspect.getmembers(numpy_programs, inspect.isfunction)
    assert {name for name, _ in functions} == {*RUN, *STOP, *DRAW}


@pytest.mark.parametrize("name", RUN)
def test_a_program_of_numpy_runs(name):
    function, given = getattr(numpy_programs, name), RUN[name]
    got, wanted = tc.jit(function)(*given), function(*given)
    if not isinstance(wanted, tuple):
        got, wanted = (got,), (wanted,)
    for one, other in zip(got, wanted, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", STOP)
def test_a_program_of_numpy_stops_at_its_line(name):
    function, (given, words) = getattr(numpy_programs, name), STOP[name]
    with pytest.raises((TypeError, tc.CompileError)) as caught:
        tc.jit(function)(*given)
    assert words in said(caught.value)
    lines, first = inspect.getsourcelines(function)
    stops = [first + i for i, line in enumerate(lines) if "# stops" in line]
    place = caught.value.diagnostics[0].location
    assert (place.file, [place.line]) == (numpy_programs.__file__, stops)


@pytest.mark.parametrize("name", DRAW)
def test_a_program_that_draws_is_warned_of(name):
    function, (given, words) = getattr(numpy_programs, name), DRAW[name]
    compiled = tc.jit(function)
    with pytest.warns(TensorcWarning, match=words) as seen:
        first = compiled(*given)
    assert "pass them in" in str(seen[0].message)
    lines, first_line = inspect.getsourcelines(function)
    draws = [first_line + i for i, line in enumerate(lines) if "random." in line]
    assert (seen[0].filename, [seen[0].lineno]) == (numpy_programs.__file__, draws)
    with warnings.catch_warnings(action="error"):
        np.testing.assert_array_equal(compiled(*given), first)


def test_numbers_drawn_before_are_no_draws():
    def shifted(x):
        return x + noise + generator.normal()

    noise, generator = np.random.normal(size=3) + random.random(), R
    with warnings.catch_warnings(action="error"):
        tc.jit(shifted)(np.ones(3))


def test_a_generator_that_the_function_loads_is_seen():
    program = """
    import numpy as np, sys, tensorc as tc
    assert "numpy.random" not in sys.modules
    tc.jit(lambda x: x + np.random.rand())(np.ones(3))
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "draws numbers of np.random while it is traced" in done.stderr
