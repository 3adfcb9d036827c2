"""Faults to plant into the compiler: does `tensorc fuzz` find them?

A file `NAME.fault` says in its first paragraph what it breaks. Below stand one or more
changes, each with a file of the sources, the whole lines that it takes out ("-", which
the file has exactly once) and those it puts in their place ("+"):

    The derivative of x^y by x is x^(y-1), without the factor y.

    === tensorc/passes/tensor/ad/partials.py
    -    to_base = b(ew.Mul, ct, b(ew.Mul, op.rhs, b(fn.Pow, op.lhs, less)))
    +    to_base = b(ew.Mul, ct, b(fn.Pow, op.lhs, less))

`python -m tests.planted.drive` plants each into a copy of the sources and runs the
fuzzer on it until it finds something. When the sources change and a fault does not fit
any more, write it anew for what stands there now, or take the file away.
"""
