"""Whether the fast network of a GPU finds what the plain one finds, on one pair of images of known content."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from loftr_ros.loftr.runtime.inference import Table

SHIFT = (18, 10)  # pixels (x, y) between the two images: no whole cells, so that the fine level has to find them
_TILES = (5, 12, 40)  # pixels: edges and corners at several scales
_FEWEST = 50  # matches; with fewer there is nothing to compare, as with weights that are random
_SAME_PX = 4.0  # matches of one cell that lie closer than this in the other image have found the same cell there
_LEAST_SHARE = 0.9  # float16 against float32 on a CPU: at least 0.99
_LARGEST_DISTANCE = 0.25  # pixels, median; float16 against float32 on a CPU: at most 0.05


def textured_pair(height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return two (height, width) images of one textured surface, `SHIFT` apart, so that a network has much to match."""
    dx, dy = SHIFT
    size = (height + dy, width + dx)
    generator = torch.Generator().manual_seed(0)
    surface = torch.zeros(1, 1, *size)
    for side in _TILES:
        tiles = torch.rand(1, 1, -(-size[0] // side), -(-size[1] // side), generator=generator)
        surface += F.interpolate(tiles, scale_factor=float(side), mode="nearest")[..., : size[0], : size[1]]
    surface = F.avg_pool2d(surface, 3, stride=1, padding=1, count_include_pad=False)[0, 0]  # as a lens would
    grey = (255 * surface / surface.max()).to(torch.uint8).numpy()
    return np.ascontiguousarray(grey[:height, :width]), np.ascontiguousarray(grey[dy:, dx:])


def disagreement(found: Table, expected: Table, max_matches: int) -> str | None:
    """Say in half a sentence how the matches of one pair differ from those expected, or None if they are the same.

    Args:
        found, expected: matches, see `Network.match`; rows with confidence zero are none.
        max_matches: how many of those expected were to be found, the most confident ones; 0 for all.
    """
    if not np.isfinite(found).all():
        return "some of its numbers are not finite, as where float16 cannot hold those of the checkpoint"
    found, expected = found[found[:, 3] > 0], expected[expected[:, 3] > 0]
    wanted = min(max_matches, len(expected)) if max_matches else len(expected)
    if max(len(found), wanted) < _FEWEST:
        return None
    _, i, j = np.intersect1d(found[:, 0], expected[:, 0], return_indices=True)
    distance = np.linalg.norm(found[i, 1:3] - expected[j, 1:3], axis=1)
    same = int((distance < _SAME_PX).sum())
    if same < _LEAST_SHARE * max(len(found), wanted):
        return f"of its {len(found)} matches {same} are among the {wanted} of float32"
    apart = float(np.median(distance))
    return f"its matches are {apart:.2f} pixels off (median)" if apart > _LARGEST_DISTANCE else None
