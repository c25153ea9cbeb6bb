"""Where a feature lies in the image, told to the transformer (paper, section 3.2 and supplementary)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sine_position_encoding(
    channels: int, height: int, width: int, *, legacy: bool = False, device: torch.device | None = None
) -> Tensor:
    """Return the 2-D sine encoding of a feature map.

    Channels come in groups of four: sin and cos of x, sin and cos of y, at one frequency a group.

    Args:
        channels: a multiple of 4.
        height, width: size of the map in cells.
        legacy: frequencies of the authors' first release (they fall much too fast).
        device: where to compute.

    Returns:
        (channels, height, width) float32.
    """
    half = channels // 2
    # The first release floor-divided log(10000) / channels, which comes to one for every usable size.
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
