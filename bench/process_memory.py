"""Memory of processes, from /proc."""

from __future__ import annotations

import os
from pathlib import Path

import torch


def resident_mib(process: int | str = "self") -> float:
    """Return the resident memory of a process, MiB."""
    return _status(process, "VmRSS")


def peak_mib(device: torch.device) -> float:
    """Return the peak memory of this process, MiB: allocated tensors on a GPU, else resident memory.

    Not ru_maxrss, which a child process inherits from its parent.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return _status("self", "VmHWM")


def reset_peak(device: torch.device) -> None:
    """Reset `peak_mib` of a GPU; that of a process cannot be reset."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def prefer_oom_kill() -> None:
    """Let the kernel kill this process first if memory runs out."""
    adjustment = Path("/proc/self/oom_score_adj")
    if os.access(adjustment, os.W_OK):
        adjustment.write_text("1000")


def _status(process: int | str, name: str) -> float:
    """Return a value of /proc/PID/status, MiB; NaN if not available."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return float("nan")
    fields = dict(line.split(":", 1) for line in lines)
    return float(fields[name].split()[0]) / 1024 if name in fields else float("nan")
