"""Compute budget of a matcher per image and per image pair."""

from __future__ import annotations

from dataclasses import dataclass

from loftr_ros.loftr.network.config import MAX_PIXELS


@dataclass(frozen=True)
class ComputeBudget:
    """Limits that bound run time and memory; they may change from image to image.

    Attributes:
        max_pixels: larger images are downscaled to about this many pixels for matching.
        max_matches: number of most confident coarse matches that the fine level refines; 0 for all.
    """

    max_pixels: int = MAX_PIXELS
    max_matches: int = 0


DEFAULT_BUDGET = ComputeBudget()
