"""Inference precision: half precision where it is faster without loss of accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch

from loftr_ros.errors import LoftrRosError
from loftr_ros.validation import require

Precision = Literal["auto", "float32", "bfloat16", "float16"]


class PrecisionError(LoftrRosError):
    """Unknown precision."""


def has_fast_bfloat16() -> bool:
    """Whether the CPU has instructions for bfloat16 products; False with an old torch, which does not report it."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def has_fast_float16(device: torch.device) -> bool:
    """Whether a device has tensor cores for float16, as GPUs from Volta on."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0)


def features_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the data type of the backbone.

    "auto" is float16 on GPUs with tensor cores, bfloat16 on CPUs with instructions for it, else float32.
    Raises PrecisionError.
    """
    choices = get_args(Precision)
    require(precision in choices, PrecisionError, "precision", precision, f"one of {', '.join(choices)}")
    if precision != "auto":
        return getattr(torch, precision)
    if has_fast_float16(device):
        return torch.float16
    return torch.bfloat16 if device.type == "cpu" and has_fast_bfloat16() else torch.float32


@contextmanager
def rounded_factors() -> Iterator[None]:
    """Allow products of float32 matrices to round their factors to bfloat16 (TF32 on GPUs), where that is faster.

    Sums stay in float32. The setting applies to the whole process; it is restored at the end.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
