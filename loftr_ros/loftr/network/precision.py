"""Half precision where it is faster and does no harm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch

from loftr_ros.errors import LoftrRosError
from loftr_ros.validation import require

Precision = Literal["auto", "float32", "bfloat16", "float16"]


class PrecisionError(LoftrRosError):
    """A precision that does not exist."""


def has_fast_bfloat16() -> bool:
    """Tell whether the processor multiplies bfloat16 faster than float32; an old torch cannot tell."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def has_fast_float16(device: torch.device) -> bool:
    """Tell whether a device has units for products of float16 matrices, as GPUs have from Volta on."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0)


def features_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the type in which the backbone computes.

    "auto" is float16 on GPUs and bfloat16 on CPUs with instructions for it. Raises PrecisionError.
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
    """Let products of float32 matrices round their factors to bfloat16, on processors that are faster so.

    The sums stay in float32. The setting is one of the whole process; it is put back at the end.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
