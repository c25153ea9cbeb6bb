"""Several processes that train one network, each on its own pairs; started by torchrun.

The gradients are averaged here instead of by DistributedDataParallel, which hooks into `forward`: a training step calls
`extract`, `transform` and `refine`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch import distributed as dist


@dataclass(frozen=True)
class Workers:
    """The processes of a run, from the point of view of one of them; by default it is alone.

    Attributes:
        rank: number of this process, from 0.
        count: number of processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the one process that writes and prints."""
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one type by their means over all processes."""
        if self.count == 1:
            return
        mean = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(mean)
        mean /= self.count
        for tensor, part in zip(tensors, mean.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def total(self, value: int, device: torch.device) -> int:
        """Sum of a number over all processes."""
        if self.count == 1:
            return value
        total = torch.tensor(value, device=device)
        dist.all_reduce(total)
        return int(total)

    def gather(self, state: Tensor) -> Tensor:
        """Stack what each process has, on the CPU, in the order of ranks."""
        states = [state] * self.count
        if self.count > 1:
            dist.all_gather_object(states, state)
        return torch.stack(states)


def local_device(name: str) -> str:
    """Give each process of torchrun a GPU of its own when `name` says "auto" or "cuda", as `find_device` takes it."""
    gpu = name == "cuda" or (name == "auto" and torch.cuda.is_available())
    return f"cuda:{os.environ['LOCAL_RANK']}" if gpu and dist.is_torchelastic_launched() else name


ALONE = Workers()


@contextmanager
def joined(device: torch.device) -> Iterator[Workers]:
    """Join the processes that torchrun started; without torchrun there is only this one."""
    if not (dist.is_available() and dist.is_torchelastic_launched()):
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Workers(dist.get_rank(), dist.get_world_size())
        dist.barrier()  # a process that leaves while another one still writes may end with std::terminate in gloo
    finally:
        dist.destroy_process_group()


def synchronize_normalization(model: torch.nn.Module, workers: Workers, device: torch.device) -> None:
    """Let batch normalization inside a network see the batches of all processes, which PyTorch can do on GPUs only.

    Elsewhere each process normalizes by its own batch, and only the running statistics are averaged.
    """
    if workers.count > 1 and device.type == "cuda":
        torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
