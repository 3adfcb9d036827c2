"""Sizes that are 1 at a call alone: they broadcast, in a form of their own."""

import numpy as np
import pytest

import tensorc as tc

WIDE = np.arange(20.0).reshape(4, 5)
ROW = np.arange(5.0)


def rows(n):
    return np.arange(5.0 * n).reshape(n, 5) + 1


def of(x):
    """Return the module that has the functions for an argument."""
    return np if isinstance(x, np.ndarray) else tc


# The first argument has as many rows as the case says: some of them make a size that
# follows from it 1, which NumPy then broadcasts. All others are errors in NumPy, too.
CASES = {
    "slice": (lambda x, y: x[1:] - y, WIDE, (5, 2, 5, 2)),
    "slice on the right": (lambda x, y: y - x[:-1], WIDE, (2, 5, 2)),
    "both": (lambda x, y: x[1:] * x[:-1] + y, WIDE, (2, 5)),
    "step": (lambda x, y: x[::2] + y, WIDE, (2, 7, 8)),
    "negative": (lambda x, y: x[-1:] + y, WIDE, (3, 2)),
    "half": (lambda x, y: x[: x.shape[0] // 2] + y, WIDE, (2, 3, 8, 9)),
    "concatenated": (
        lambda x, y: of(x).concatenate([x[2:], x[:1]]) + y,
        WIDE,
        (2, 5),
    ),
    "reshaped": (lambda x, y: x.reshape(-1, 10)[:, :5] + y, WIDE, (2, 8)),
    "reshaped, columns": (
        lambda x, y: x.reshape(5, -1)[:, 1:] + y,
        WIDE[0, :3],
        (2, 4),
    ),
    "twice": (lambda x, y: (x[1:] + y)[:, :1] + x[:-1], WIDE, (2, 5)),
    "three": (lambda x, y: of(x).where(x[1:] > 3, y, x[:-1]), WIDE, (2, 5)),
    "comparison": (lambda x, y: (x[1:] < y).sum(axis=0), WIDE, (2, 5)),
    "sum": (lambda x, y: x[1:].sum(axis=1, keepdims=True) * y, WIDE, (2, 5)),
    "matrices": (lambda x, y: x[1:, :, None] @ y[:, None, :], WIDE, (2, 5)),
    "squeezed": (lambda x, y: x[1:].squeeze() + y.sum(), WIDE, (2, 5)),
    "new rank": (lambda x, y: x[1:] * y, np.ones((3, 4, 5)), (2, 5)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_size_of_1_broadcasts(name):
    function, y, counts = CASES[name]
    f = tc.jit(function)
    for n in counts:
        np.testing.assert_allclose(f(rows(n), y), function(rows(n), y), rtol=1e-14)
    assert len(f.cache_info()) <= 2
    for n in counts:  # both forms serve later calls
        np.testing.assert_allclose(f(rows(n), y), function(rows(n), y), rtol=1e-14)
    assert len(f.cache_info()) <= 2


def test_derivatives_of_broadcasts():
    f = tc.jit(tc.grad(lambda x, y: ((x[1:] - y) ** 2).sum()))
    for n in (5, 2):
        wanted = np.zeros((n, 5))
        difference = 2 * (rows(n)[1:] - WIDE)
        wanted[1:] = difference if n == 5 else difference.sum(0)
        np.testing.assert_allclose(f(rows(n), WIDE), wanted)


def test_the_reason_names_the_size(monkeypatch, capsys):
    f = tc.jit(lambda x, y: x[2:] - y)
    f(rows(6), WIDE)
    monkeypatch.setenv("TENSORC_LOGS", "recompiles")
    f(rows(3), WIDE)
    reason = "max(0, x.shape[0] - 2) == 1 is True, was False"
    assert f.cache_info()[1].reason == reason
    assert capsys.readouterr().err.endswith(f": {reason}\n")


def test_values_that_are_set_broadcast():
    f = tc.jit(lambda x, v: x.at[:].set(v[1:]))
    for n in (2, 5):
        wanted = np.zeros((4, 5))
        wanted[:] = rows(n)[1:]
        np.testing.assert_array_equal(f(np.zeros((4, 5)), rows(n)), wanted)


def test_a_size_made_of_a_number_broadcasts():
    f = tc.jit(lambda x, n: x + tc.ones((n, 5)))
    for n in (4, 1, 4):
        np.testing.assert_array_equal(f(WIDE, n), WIDE + 1)
    assert len(f.cache_info()) == 2


def test_functions_that_need_equal_sizes_have_one_form():
    f = tc.jit(lambda x: (x[1:] + x[:-1]).sum() + (x[1:] * 2).sum())
    for n in (2, 5, 3):
        f(rows(n))
    assert len(f.cache_info()) == 1


def test_sizes_that_do_not_fit_are_errors_in_both_forms():
    f = tc.jit(lambda x, y: x[1:] - y)
    for n in (3, 2, 6):
        if n == 2:
            f(rows(n), WIDE)
            continue
        with pytest.raises(ValueError, match="TC050"):
            f(rows(n), WIDE)
