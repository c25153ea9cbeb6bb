"""How much work a matcher puts into an image and into a pair of images."""

from __future__ import annotations

from dataclasses import dataclass

from loftr_ros.loftr.network.config import MAX_PIXELS


@dataclass(frozen=True)
class ComputeBudget:
    """What time and memory depend on; it may change from image to image.

    Attributes:
        max_pixels: larger images are shrunk to about this many pixels for matching.
        max_matches: so many matches, the most confident ones, reach the fine level; 0 for all.
    """

    max_pixels: int = MAX_PIXELS
    max_matches: int = 0


DEFAULT_BUDGET = ComputeBudget()
