"""The workloads in PyTorch, as `torch.compile` compiles them."""

import torch
from peers.torch_peer import VERSION as VERSION
from peers.torch_peer import jobs

JOBS = jobs(torch.compile)
