"""Convolutions in PyTorch, whose images and filters lie with their channels last."""

from functools import partial

import torch
from peers.convolutions import CONVOLUTIONS
from peers.inputs import LENET, LENET_RATE, Arrays, Job
from peers.torch_peer import VERSION as VERSION
from peers.torch_peer import convolution, lenet, trained

LAYOUT = torch.channels_last


def _lenet(arrays: Arrays) -> Job:
    cost = partial(lenet, layout=LAYOUT)
    return trained(cost, LENET, LENET_RATE, arrays, LAYOUT)


JOBS = {
    "lenet": _lenet,
    **{c.name: convolution(c, LAYOUT) for c in CONVOLUTIONS},
}
