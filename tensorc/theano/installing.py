"""`install`: from then on `import theano` finds this room, and floatX is float64."""

import os
import sys
from collections.abc import Mapping
from types import ModuleType

from tensorc.frontend.library.mistakes import argument_error, door
from tensorc.theano import (
    compile,
    conditions,
    gradient,
    nnet,
    pool,
    printing,
    rng_mrg,
    sandbox,
    scalar,
    scan_module,
    shared_randomstreams,
    signal,
    signal_conv,
    tensor,
    updates,
    xlogx,
)
from tensorc.theano.settings import config

# Theano's modules, and those of this room that stand for them.
ALIASES: Mapping[str, ModuleType] = {
    "compile": compile,
    "compile.mode": compile,
    "compile.sharedvalue": compile,
    "gradient": gradient,
    "ifelse": conditions,
    "printing": printing,
    "sandbox": sandbox,
    "sandbox.rng_mrg": rng_mrg,
    "scalar": scalar,
    "scan_module": scan_module,
    "tensor": tensor,
    "tensor.basic": tensor,
    "tensor.extra_ops": tensor,
    "tensor.nlinalg": tensor,
    "tensor.nnet": nnet,
    "tensor.nnet.bn": nnet,
    "tensor.nnet.conv": nnet,
    "tensor.nnet.neighbours": nnet,
    "tensor.nnet.nnet": nnet,
    "tensor.nnet.sigm": nnet,
    "tensor.shared_randomstreams": shared_randomstreams,
    "tensor.signal": signal,
    "tensor.signal.conv": signal_conv,
    "tensor.signal.downsample": pool,
    "tensor.signal.pool": pool,
    "tensor.xlogx": xlogx,
    "updates": updates,
}


@door
def install() -> None:
    """Let `import theano` find this room, with Theano's settings.

    `floatX` becomes float64, or what the environment's THEANO_FLAGS say; it holds for
    all variables of the process's thread from then on. A Theano that was imported
    before is replaced for later imports.

    Raises:
        ValueError: THEANO_FLAGS asks for what there is not.
    """
    sys.modules["theano"] = sys.modules["tensorc.theano"]
    sys.modules.update({f"theano.{name}": module for name, module in ALIASES.items()})
    for name, module in ALIASES.items():  # `from theano.tensor.nnet import conv`
        parent, _, last = name.rpartition(".")
        if parent and not hasattr(ALIASES[parent], last):
            setattr(ALIASES[parent], last, module)
    config.floatX = "float64"
    for item in os.environ.get("THEANO_FLAGS", "").split(","):
        if not item.strip():
            continue
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            message = f"THEANO_FLAGS is 'name=value,…', got {item!r}"
            raise argument_error(message, "THEANO_FLAGS=floatX=float32")
        config.set(name, value)
