"""Data-parallel training with torchrun: each process draws its own pairs.

Gradients are averaged here instead of by DistributedDataParallel, which hooks into `forward`, while a training step
calls `extract`, `transform` and `refine`.
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
    """The processes of a run, seen from one of them; a single process by default.

    Attributes:
        rank: rank of this process, from 0.
        count: number of processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which writes and prints."""
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of the same dtype by their means over all processes."""
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
        """Stack the CPU tensors of all processes in the order of ranks."""
        states = [state] * self.count
        if self.count > 1:
            dist.all_gather_object(states, state)
        return torch.stack(states)


def local_device(name: str) -> str:
    """Return the device name for `find_device`: under torchrun, "auto" and "cuda" select one GPU per process."""
    gpu = name == "cuda" or (name == "auto" and torch.cuda.is_available())
    return f"cuda:{os.environ['LOCAL_RANK']}" if gpu and dist.is_torchelastic_launched() else name


ALONE = Workers()


@contextmanager
def joined(device: torch.device) -> Iterator[Workers]:
    """Join the process group of torchrun; without torchrun there is a single process."""
    if not (dist.is_available() and dist.is_torchelastic_launched()):
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Workers(dist.get_rank(), dist.get_world_size())
        dist.barrier()  # gloo may call std::terminate if a process leaves while another still sends
    finally:
        dist.destroy_process_group()


def synchronize_normalization(model: torch.nn.Module, workers: Workers, device: torch.device) -> None:
    """Convert batch normalization to synchronized batch normalization, which PyTorch supports on GPUs only.

    On CPUs each process normalizes by its own batch, and only the running statistics are averaged.
    """
    if workers.count > 1 and device.type == "cuda":
        torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
