"""What a user gave, in words; without a graph where there is none."""

import numpy as np


def describe(value: object) -> str:
    """Say what a user gave, for messages: f32[3, 4], list of 2, 'text'."""
    operand = getattr(value, "operand", None)
    if operand is not None:  # then the graph's modules are loaded already
        from tensorc.frontend.operands import Scalar, Tensor, spell_type

        if isinstance(operand, Tensor):
            return spell_type(operand.type)
        if isinstance(operand, Scalar):
            return "a size"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    if isinstance(value, list | tuple | dict | set):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    short = text if len(text) <= 40 else f"{text[:37]}..."
    return f"{short} ({type(value).__name__})"
