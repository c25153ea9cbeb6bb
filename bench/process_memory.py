"""How much memory a process has, as Linux tells."""

from __future__ import annotations

import os
from pathlib import Path

import torch


def resident_mib(process: int | str = "self") -> float:
    """Memory that a process has now, MiB."""
    return _status(process, "VmRSS")


def peak_mib(device: torch.device) -> float:
    """Largest memory that this process has had: on a GPU what its tensors took, else of the process, MiB.

    Not ru_maxrss: that of a child begins with what its parent had.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return _status("self", "VmHWM")


def forget_peak(device: torch.device) -> None:
    """Let `peak_mib` of a GPU start from here; that of a process cannot be forgotten."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def die_first() -> None:
    """Ask the kernel to end this process, and no other, where memory runs out."""
    adjustment = Path("/proc/self/oom_score_adj")
    if os.access(adjustment, os.W_OK):
        adjustment.write_text("1000")


def _status(process: int | str, name: str) -> float:
    """Return a figure of /proc/PID/status; NaN where the system has none."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return float("nan")
    fields = dict(line.split(":", 1) for line in lines)
    return float(fields[name].split()[0]) / 1024 if name in fields else float("nan")
