"""2-D sinusoidal position encoding (paper, section 3.2 and supplementary)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sine_position_encoding(
    channels: int, height: int, width: int, *, legacy: bool = False, device: torch.device | None = None
) -> Tensor:
    """Return the 2-D sinusoidal position encoding of a feature map.

    Channels are in groups of four: sin and cos of x, sin and cos of y, with one frequency per group.

    Args:
        channels: a multiple of 4.
        height, width: size of the map in cells.
        legacy: use the frequencies of the authors' first release, which decay much too fast.
        device: device of the result.

    Returns:
        (channels, height, width) float32.
    """
    half = channels // 2
    # The first release has -log(10000) / channels // 2: a floor division, which gives -1 for every usable size.
    step = 1.0 if legacy else math.log(10000.0) / half
    frequency = torch.exp(-step * torch.arange(0, half, 2, device=device))[:, None]
    x = frequency * torch.arange(1, width + 1, device=device)
    y = frequency * torch.arange(1, height + 1, device=device)
    encoding = torch.empty(len(frequency), 4, height, width, device=device)
    encoding[:, 0] = x.sin()[:, None, :]
    encoding[:, 1] = x.cos()[:, None, :]
    encoding[:, 2] = y.sin()[:, :, None]
    encoding[:, 3] = y.cos()[:, :, None]
    return encoding.flatten(0, 1)
