"""NumPy's functions that are none of variables, and what to write instead.

Of each public name the tables say why it is not there: it comes in a later version, the
size of its result depends on values, it changes arrays, …  A name in no table is one
that looks at values. The tests ask all names of NumPy.
"""

from collections.abc import Mapping

# Not in this version, with another way where there is a short one.
PLANNED: Mapping[str, str] = {
    "lexsort": "",
    "sort_complex": "",
    "nanmedian": "",
    "nanpercentile": "",
    "nanquantile": "",
    "einsum_path": "",
    "interp": "",
    "histogram2d": "",
    "histogramdd": "",
    "histogram_bin_edges": "",
    "nanargmax": "np.argmax(np.where(np.isnan(x), -np.inf, x))",
    "nanargmin": "np.argmin(np.where(np.isnan(x), np.inf, x))",
    "resize": "x.reshape(shape), np.tile(x, n)",
    "fix": "np.trunc(x)",
    "choose": "np.where(c, x, y)",
    "piecewise": "np.where(c, f(x), g(x))",
    "geomspace": "np.exp(np.linspace(np.log(a), np.log(b), n))",
    "unwrap": "",
    "i0": "",
    "poly": "",
    "polymul": "",
    "polydiv": "",
    "polyint": "",
    "polyfit": "",
    "roots": "",
    "packbits": "",
    "unpackbits": "",
    "apply_along_axis": "an expression of whole axes",
    "float_power": "x.astype('float64') ** y",
    "modf": "np.trunc(x) and x - np.trunc(x)",
    "frexp": "",
    "heaviside": "np.where(x < 0, 0, np.where(x > 0, 1, y))",
    "nextafter": "",
    "spacing": "",
    "gcd": "",
    "lcm": "",
    "bitwise_count": "",
    "linalg.cholesky": "",
    "linalg.cond": "",
    "linalg.det": "",
    "linalg.slogdet": "",
    "linalg.eig": "",
    "linalg.eigh": "",
    "linalg.eigvals": "",
    "linalg.eigvalsh": "",
    "linalg.inv": "",
    "linalg.pinv": "",
    "linalg.lstsq": "",
    "linalg.solve": "",
    "linalg.tensorsolve": "",
    "linalg.tensorinv": "",
    "linalg.qr": "",
    "linalg.svd": "",
    "linalg.svdvals": "",
    "linalg.matrix_rank": "",
}

_SIZES = (
    "the size of its result depends on values, which a compiled program cannot have"
)
_CHANGES = "a variable cannot be changed in place"
_COMPLEX = "there are no complex numbers"
_TYPES = "there are no such element types"
_LOOKS = "it looks at values or memory, which a variable has not: call it outside"
_ALL_PLACES = "np.where(c, x, 0), which keeps all elements; np.sum(c) counts"
_UNIQUE = "np.sort(x), in which np.diff is not 0 where another value begins"
_SET = "x.at[i].set(v), np.where(c, v, x)"
_OF_TYPES = "it is of types and arrays"
_PRINTED = "print(x), which shows the type while it is traced"
_INDICES = "it makes indices of values"
_OF_A_SIZE = "np.arange(n), of a size: n = x.shape[0]"
_SAVES = "call it outside, with the result of the function"


def _each(names: str, why: str, instead: str) -> dict[str, tuple[str, str]]:
    return dict.fromkeys(names.split(), (why, instead))


_KINDS: Mapping[str, tuple[str, str]] = {
    # name: why, what to write
    **_each("unique unique_all unique_counts", _SIZES, _UNIQUE),
    **_each("unique_inverse unique_values", _SIZES, _UNIQUE),
    **_each("union1d intersect1d setdiff1d setxor1d trim_zeros", _SIZES, ""),
    **_each("nonzero flatnonzero argwhere extract compress", _SIZES, _ALL_PLACES),
    **_each("place fill_diagonal", _CHANGES, _SET),
    **_each("imag angle iscomplex isreal iscomplexobj isrealobj", _COMPLEX, ""),
    "real_if_close": (_COMPLEX, ""),
    **_each("busday_count busday_offset is_busday isnat", _TYPES, ""),
    "datetime_as_string": (_TYPES, ""),
    **_each("result_type can_cast common_type min_scalar_type", _OF_TYPES, "x.dtype"),
    **_each("array2string array_repr array_str", _SAVES, _PRINTED),
    **_each("save savetxt savez savez_compressed", _SAVES, "`return x`"),
    "array_equal": (_LOOKS, "np.all(x == y)"),
    "array_equiv": (_LOOKS, "np.all(x == y)"),
    "may_share_memory": (_LOOKS, "variables share nothing: none of them changes"),
    "shares_memory": (_LOOKS, "variables share nothing: none of them changes"),
    **_each("diag_indices_from tril_indices_from", _INDICES, _OF_A_SIZE),
    **_each("triu_indices_from ix_", _INDICES, _OF_A_SIZE),
}

# Functions of other frameworks and of the language that are in no version yet.
_OTHERS: frozenset[str] = frozenset(
    """scan while_loop fori_loop cond vmap pmap jacfwd jacrev
    checkpoint remat conv dropout unique_consecutive
    vectorize permutation glorot he lecun orthogonal params""".split()  # noqa: SIM905
)


def reason_of(name: str) -> tuple[str, tuple[str, ...]]:
    """Return why NumPy's function of a name is none of variables, and the ways out."""
    if name in PLANNED:
        instead = PLANNED[name]
        return "is not in this version", (f"write {instead}",) if instead else ()
    why, instead = _KINDS.get(name, (_LOOKS, ""))
    if name.startswith("fft."):
        why = _COMPLEX
    return "is not compiled", (why, *([f"write {instead}"] if instead else ()))


def is_listed(name: str) -> bool:
    """Tell names that have a reason of their own."""
    return name in PLANNED or name in _KINDS


def is_planned(name: str) -> bool:
    """Tell names of functions that this version does not have."""
    return name in PLANNED or name in _OTHERS or f"linalg.{name}" in PLANNED
