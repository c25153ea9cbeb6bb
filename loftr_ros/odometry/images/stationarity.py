"""Image motion between two frames, with the noise of single matches averaged out, to detect a stationary camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loftr_ros.odometry.geometry.robust import NEARLY_ALL

# Rows and columns of tiles.
# assumed: a moving object is in one or two of 16.
_TILES = 4
# Number of points from which on the median of a tile is significant.
# assumed: more than half of them would have to be wrong.
_MIN_POINTS = 8


def tile_motion(points_a: NDArray[np.float32], points_b: NDArray[np.float32]) -> float:
    """Return the image motion from N points a to b, pixels: a high quantile of the median motions of tiles.

    The noise of a single match exceeds the motion of a stationary camera, but camera motion is common to neighboring
    points, so the median of each tile averages the noise. Distant tiles hardly move, so a high quantile counts, and
    not the maximum, which an object that moves in one tile would raise.

    Args:
        points_a, points_b: (N, 2) pixels, N > 0.
    """
    extent = np.ptp(points_a, axis=0) + 1e-3
    column, row = (_TILES * (points_a - points_a.min(axis=0)) / extent).astype(int).T
    tile = _TILES * row + column
    counts = np.bincount(tile, minlength=_TILES**2)
    is_significant = counts >= min(_MIN_POINTS, int(counts.max()))
    # All medians by one sort: an offset larger than any motion orders the points by tile.
    medians_at = (np.cumsum(counts) - (counts + 1) // 2)[is_significant]
    motion = (points_b - points_a).T.astype(np.float64)
    offset = 1.0 + 2.0 * float(np.abs(motion).max())
    medians = np.sort(motion + offset * tile)[:, medians_at] - offset * np.flatnonzero(is_significant)
    return float(np.sort(np.hypot(*medians))[round(NEARLY_ALL * (len(medians_at) - 1))])
