"""A whole step in PyTorch, gradient and updates, as `torch.compile` compiles it."""

import torch
from peers.inputs import LENET, LENET_RATE, Arrays, Job
from peers.torch_peer import VERSION as VERSION
from peers.torch_peer import lenet


def _lenet(arrays: Arrays) -> Job:
    batch = int(arrays["batch"])
    count = len(arrays["x"]) // batch
    x, y = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"]).long()
    params = [torch.from_numpy(arrays[n].copy()) for n in LENET]
    slopes = torch.func.grad_and_value(lenet)

    @torch.compile
    def step(
        params: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor
    ) -> torch.Tensor:
        found, cost = slopes(params, x, y)
        for param, slope in zip(params, found, strict=True):
            param.sub_(slope, alpha=LENET_RATE)
        return cost

    total = [0.0]

    def run() -> None:
        costs = torch.zeros(())
        for i in range(count):
            part = slice(i * batch, (i + 1) * batch)
            costs += step(params, x[part], y[part])
        total[0] = float(costs) / count

    return Job(run, lambda: total[0], count)


JOBS = {"lenet": _lenet}
