"""First values that are drawn: their distributions, and what they depend on."""

import hashlib
import resource

import numpy as np
import pytest

from tensorc.api import checking
from tests.frontend.irgen_helpers import program


def drawn(draw, type_="float[400, 300]", name="W", before=""):
    found = program(f"{before}\nparam {name}: {type_} ~ {draw}\nfn f(x: float) = x\n")
    (memory,) = [m for m in found.memories if m.name == name]
    return memory.initial


@pytest.mark.parametrize(
    ("draw", "low", "high", "std"),
    [
        ("uniform()", 0, 1, 1 / np.sqrt(12)),
        ("uniform(-0.25, 0.75)", -0.25, 0.75, 1 / np.sqrt(12)),
        ("glorot()", -np.sqrt(6 / 700), np.sqrt(6 / 700), np.sqrt(2 / 700)),
        ("glorot(gain=4)", -np.sqrt(96 / 700), np.sqrt(96 / 700), np.sqrt(32 / 700)),
        ("normal()", -np.inf, np.inf, 1),
        ("normal(0, 0.1)", -np.inf, np.inf, 0.1),
        ("he()", -np.inf, np.inf, np.sqrt(2 / 400)),
        ("lecun()", -np.inf, np.inf, np.sqrt(1 / 400)),
    ],
)
def test_distributions(draw, low, high, std):
    values = drawn(draw).astype(np.float64)
    assert values.min() >= low
    assert values.max() < high
    if np.isfinite(low):
        assert values.min() < low + (high - low) / 1000
        assert values.max() > high - (high - low) / 1000
    middle = (low + high) / 2 if np.isfinite(low) else 0
    # 120,000 draws: 5 standard errors.
    assert abs(values.mean() - middle) < 5 * std / np.sqrt(values.size)
    assert abs(values.std() / std - 1) < 5 / np.sqrt(values.size)


def test_normal_has_the_tails_of_normal():
    values = np.sort(drawn("normal()", "f64[100001]"))
    for share, quantile in ((0.975, 1.95996), (0.999, 3.09023), (0.5, 0.0)):
        assert abs(values[int(share * len(values))] - quantile) < 0.1
    neighbours = drawn("normal(seed=3)", "f64[100000]")
    assert abs(np.corrcoef(neighbours[::2], neighbours[1::2])[0, 1]) < 0.02


def test_weights_of_convolutions_count_their_window():
    values = drawn("he()", "float[20, 30, 5, 5]")
    assert abs(values.std() / np.sqrt(2 / 750) - 1) < 0.05


def test_a_draw_depends_on_seed_and_name_alone():
    first = drawn("normal(seed=1)")
    assert (first == drawn("normal(seed=1)", before="param V: float ~ normal()")).all()
    hypered = drawn("normal(seed=s)", before="hyper s = 1")
    assert (first == hypered).all()
    others = [
        drawn("normal(seed=2)"),
        drawn("normal()"),
        drawn("normal(seed=1)", name="V"),
        drawn("normal(seed=4294967297)"),
    ]
    for other in others:
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.02
    for seed in (-1, 2**63, 2**64 - 1):
        assert np.isfinite(drawn(f"normal(seed={seed})", "float[3]")).all()


def test_the_bits_are_known():
    """The stream is a promise: a model must begin with the same weights for good."""
    values = drawn("uniform(seed=1234)", "f64[3]")
    assert values.tolist() == [
        *(0.9903990637709417, 0.5784904186824343, 0.5182945276731861),
    ]
    key = [1234, int.from_bytes(hashlib.sha256(b"W").digest()[:8], "little")]
    words = np.random.Philox(key=np.array(key, np.uint64)).random_raw(3)
    assert values.tolist() == [(int(word) >> 11) / 2**53 for word in words]


@pytest.mark.parametrize("type_", ["f16[9]", "f32", "f64[2, 0]", "float[1, 1]"])
def test_types_and_shapes(type_):
    values = drawn("uniform(-1, 1)", type_)
    assert values.dtype.name == {"f1": "float16", "f3": "float32", "f6": "float64"}.get(
        type_[:2], "float32"
    )
    assert (np.abs(values) <= 1).all()


def test_rounding_keeps_uniform_below_its_end():
    values = drawn("uniform(0, 1)", "f16[100000]")
    assert values.max() < 1


def test_a_large_memory_takes_its_place_when_it_is_made(tmp_path):
    file = tmp_path / "large.tc"
    file.write_text(
        """param W: float[1000000000, 100] ~ normal()
param b: float[1000000000, 100] = 0
fn f(x: float[N, 100]) = W[0] + x + b[1]
"""
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert checking.check(str(file), {}) == []
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200_000  # in KiB; the values would take 800 GB
