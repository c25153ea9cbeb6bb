"""Selection of the device for the network, and its memory limit."""

from __future__ import annotations

import torch

from loftr_ros.errors import LoftrRosError


class MatcherError(LoftrRosError):
    """An image or device that the matcher cannot use."""


class OutOfMemory(MatcherError):  # noqa: N818 - OutOfMemoryError is torch's
    """Out of device memory; the message names the parameter that bounds it."""


def find_device(name: str) -> torch.device:
    """Return a torch device by name, with the index of a GPU; "auto" selects a GPU if there is one.

    Raises:
        MatcherError: the device does not exist.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise MatcherError(f"device {name!r} cannot be used here ({reason}): use 'auto' or 'cpu'") from error


def limit_memory(device: torch.device, limit_mib: int) -> None:
    """Limit the GPU memory of this process, in MiB; 0 for no limit. Has no effect on a CPU.

    The few hundred MiB of the CUDA context are not included.

    Raises:
        MatcherError: the GPU has less memory.
    """
    if device.type != "cuda":
        return
    whole_mib = torch.cuda.get_device_properties(device).total_memory / 2**20
    if limit_mib > whole_mib:
        raise MatcherError(
            f"the limit of GPU memory is {limit_mib} MiB, but {device} has {whole_mib:.0f} MiB: set less, or 0 for all"
        )
    torch.cuda.set_per_process_memory_fraction(limit_mib / whole_mib if limit_mib else 1.0, device)
