"""Measure the math library: the largest error of a function, and where it is.

    python -m tests.passes.ulps [FUNCTION …] [--float f32|f64] [--every N] [--points N]
                                [--write]

float32 is measured at every N-th of the 2^32 inputs against float64 (all of them, the
default, take a minute or a few), float64 at random points of every size and around the
borders of reductions, and then near the worst of them, against extended precision.
--write puts what is found into the table of docs/numerics.md, which the suite holds the
functions to.
"""

import argparse
import math
import re
import time
from functools import lru_cache

import numpy as np

from tensorc.backend.llvm.host import host_target
from tensorc.ir.ops.loop import vector
from tensorc.ir.ops.scalar import arith, conversions
from tensorc.ir.types import F32, F64, I1, VectorType
from tensorc.passes.math.builder import DOUBLE, MathBuilder
from tensorc.passes.math.expand_math import EXPAND_MATH
from tests.backend.harness import LANES, Code, constant, counted, entry, splat
from tests.passes.math_cases import CASES, sample_f64
from tests.passes.math_code import compiled
from tests.snippets import ROOT, tables

CHUNK = 1 << 16
KEPT = 200


def errors(got, want, least=0.0):
    """Return the errors in units in the last place; `want` is of a wider type.

    The unit is that of `least`, if that is larger.

    Where either is infinite or NaN, 0 if both are the same and infinite if not.
    """
    with np.errstate(all="ignore"):
        rounded = want.astype(got.dtype)
        unit = np.maximum(np.abs(rounded), least).astype(got.dtype)
        bits, mantissa = (np.int32, 23) if got.dtype == "f4" else (np.int64, 52)
        field = (unit.view(bits) >> mantissa) & (0xFF if mantissa == 23 else 0x7FF)
        lowest = -149 if mantissa == 23 else -1074
        unit = np.maximum(field, 1) + (lowest - 1)
        off = np.abs(got.astype(want.dtype) - want)
        finite = np.isfinite(rounded) & np.isfinite(got)
        found = np.where(finite, _shifted(off, -unit), 0)
    same = finite | (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    return np.where(same, found, np.inf)


def _shifted(values, power):
    """Return values * 2^power; quicker than ldexp where the power is one of f64."""
    if values.dtype == "f8":
        return values * ((power.astype(np.int64) + 1023) << 52).view("f8")
    return np.ldexp(values, power.astype(np.int32))


def true_of(case, x):
    """Return the function in the next wider type."""
    with np.errstate(all="ignore"):
        return case.true(x.astype("f8" if x.dtype == "f4" else np.longdouble))


@lru_cache(None)
def measured(cls):
    """Return code that writes the errors of a function of f32, against that of f64.

    It is the library's own, which is measured as well; `errors` says what they are.
    """

    def fill(b, x, out, _, n):
        with counted(b, constant(b, 0), n, constant(b, LANES)) as i:
            left = b.value(arith.SubI, n, i)
            mask = b.value(vector.CreateMask, left, types=[VectorType(LANES, I1)])
            zero = splat(b, constant(b, 0.0, F32))
            narrow = b.value(vector.MaskedLoad, x, i, mask, zero)
            m = MathBuilder(b, DOUBLE, LANES)
            wide = [VectorType(LANES, F64)]
            found = b.value(cls, narrow)
            given = b.value(conversions.ExtF, found, types=wide)
            want = b.value(cls, b.value(conversions.ExtF, narrow, types=wide))
            rounded = b.value(conversions.TruncF, want, types=[found.type])
            rounded = b.value(conversions.ExtF, rounded, types=wide)
            b.create(vector.MaskedStore, out, i, mask, _error(m, given, want, rounded))

    module = EXPAND_MATH.run(entry([F32, F64], 1, fill), host_target())
    return Code(module)


def _error(m, given, want, rounded):
    least, infinity, zero = (m.number(v) for v in (2.0**-126, np.inf, 0.0))
    unit = m.apply(arith.AndI, m.bits(rounded), m.integer(0x7FF << 52))
    unit = m.from_bits(unit)
    unit = m.mul(m.select_if("olt", unit, least, least, unit), m.number(2.0**-23))
    error = m.div(m.abs(m.sub(given, want)), unit)
    special = m.select_if("oeq", given, rounded, zero, infinity)
    both = m.compare("uno", given, given), m.compare("uno", rounded, rounded)
    special = m.select(m.both(*both), zero, special)
    largest = m.apply(arith.MaximumF, m.abs(given), m.abs(rounded))
    return m.select_if("olt", largest, infinity, error, special)


def worst_f32(cls, every=1):
    """Return the largest error of a function at every n-th float32, and the point."""
    most, found = (0.0, 0.0), np.empty(CHUNK)
    for start in range(0, 1 << 32, CHUNK * every):
        stop = min(start + CHUNK * every, 1 << 32)
        bits = np.arange(start, stop, every, dtype=np.uint64).astype(np.uint32)
        x, out = bits.view("f4"), found[: bits.size]
        assert measured(cls)(x, out, symbols=(x.size,)) == 0
        most = max(most, (float(out[i := out.argmax()]), float(x[i])))
    return most


def worst_f64(case, points):
    """Return the largest error of a function at points of float64, and the point.

    Half of them lie ever closer to the worst that are known.
    """
    rng = np.random.default_rng(3)
    known, size, seed = np.zeros((2, 0)), 0, 11
    while size < points / 2:
        x = sample_f64(seed)
        known, seed, size = _worst_of(case, x, known), seed + 1, size + x.size
    for spread in np.geomspace(0.1, 1e-12, 40):
        off = 1 + spread * rng.normal(size=(int(points / 80 / KEPT), KEPT))
        known = _worst_of(case, (known[1] * off).ravel(), known)
    return float(known[0, 0]), float(known[1, 0])


def _worst_of(case, x, known):
    with np.errstate(invalid="ignore"):
        found = errors(compiled(case.cls, x), true_of(case, x), case.least(x))
        found = found.astype("f8")
    every = np.concatenate([known, [found, x]], axis=1)
    return every[:, np.argsort(-every[0])[:KEPT]]


# The table: a row per function, with a bound and the point where it is met.

PAGE = ROOT / "docs" / "numerics.md"
COLUMNS = {"f32": "largest error in float32", "f64": "in float64"}
CELL = re.compile(r"([\d.]+) ulp at (\S+)")


def rows():
    """Return the bound and the point of each function of one operand, by its type."""
    found = {}
    for row in tables(PAGE, "Functions"):
        name = row.get("function", "").strip("`")
        if name in CASES:
            cells = {k: CELL.match(row[column]) for k, column in COLUMNS.items()}
            found[name] = {k: (float(m[1]), float(m[2])) for k, m in cells.items()}
    return found


def write(name, kind, size, at):
    """Put a bound and its point into the table."""
    shown = str(np.float32(at) if kind == "f32" else np.float64(at))
    cell = f" {math.ceil(size * 1000) / 1000:.3f} ulp at {shown} "
    text = PAGE.read_text("utf-8")
    line = re.search(rf"^\| `{name}` \|.*ulp at.*$", text, re.MULTILINE)
    cells = line[0].split("|")
    cells[2 + list(COLUMNS).index(kind)] = cell
    start, end = line.span()
    PAGE.write_text(text[:start] + "|".join(cells) + text[end:], "utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("functions", nargs="*", default=list(CASES))
    parser.add_argument("--float", choices=COLUMNS)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--points", type=int, default=2_000_000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    for name in options.functions:
        for kind in (options.float,) if options.float else COLUMNS:
            start, case = time.perf_counter(), CASES[name]
            if kind == "f32":
                size, at = worst_f32(case.cls, options.every)
            else:
                size, at = worst_f64(case, options.points)
            seconds = time.perf_counter() - start
            row = f"{name} {kind} {size:.4f} {at.hex()} {at!r} {seconds:.0f}s"
            print(row, flush=True)  # noqa: T201
            if options.write:
                write(name, kind, size, at)


if __name__ == "__main__":
    main()
