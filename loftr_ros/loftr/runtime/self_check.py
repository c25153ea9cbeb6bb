"""Self-check of the GPU path against float32 on a synthetic image pair."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from loftr_ros.loftr.runtime.inference import Table

SHIFT = (
    18,
    10,
)  # pixels (x, y) between the two images: not a multiple of the cell size, so that the fine level is tested
_TILES = (5, 12, 40)  # pixels: edges and corners at several scales
_MIN_MATCHES = 50  # with fewer, such as with random weights, there is nothing to compare
_SAME_PX = 4.0  # two matches of one cell are the same if their points in the other image are closer than this
_MIN_SAME = 0.9  # of the matches; float16 against float32 on a CPU: at least 0.99
_MAX_DISTANCE_PX = 0.25  # median; float16 against float32 on a CPU: at most 0.05


def textured_pair(height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return two (height, width) crops of one textured image, `SHIFT` apart."""
    dx, dy = SHIFT
    size = (height + dy, width + dx)
    generator = torch.Generator().manual_seed(0)
    surface = torch.zeros(1, 1, *size)
    for side in _TILES:
        tiles = torch.rand(1, 1, -(-size[0] // side), -(-size[1] // side), generator=generator)
        surface += F.interpolate(tiles, scale_factor=float(side), mode="nearest")[..., : size[0], : size[1]]
    surface = F.avg_pool2d(surface, 3, stride=1, padding=1, count_include_pad=False)[0, 0]  # blur of a lens
    gray = (255 * surface / surface.max()).to(torch.uint8).numpy()
    return np.ascontiguousarray(gray[:height, :width]), np.ascontiguousarray(gray[dy:, dx:])


def disagreement(found: Table, expected: Table, max_matches: int) -> str | None:
    """Describe how the matches of a pair differ from the expected ones; None if they agree.

    Args:
        found, expected: matches, see `Network.match`; rows with confidence zero are empty.
        max_matches: `found` is limited to this number of most confident matches; 0 for no limit.
    """
    if not np.isfinite(found).all():
        return "some of its results are not finite, as if the checkpoint overflows float16"
    found, expected = found[found[:, 3] > 0], expected[expected[:, 3] > 0]
    wanted = min(max_matches, len(expected)) if max_matches else len(expected)
    if max(len(found), wanted) < _MIN_MATCHES:
        return None
    _, i, j = np.intersect1d(found[:, 0], expected[:, 0], return_indices=True)
    distance = np.linalg.norm(found[i, 1:3] - expected[j, 1:3], axis=1)
    same = int((distance < _SAME_PX).sum())
    if same < _MIN_SAME * max(len(found), wanted):
        return f"of its {len(found)} matches {same} are among the {wanted} of float32"
    apart = float(np.median(distance))
    return f"its matches are {apart:.2f} pixels off (median)" if apart > _MAX_DISTANCE_PX else None
