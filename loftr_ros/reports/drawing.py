"""Match image: two images, the matches between them, a caption and a legend. OpenCV only."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches

MAX_LINES = 80  # more lines would hide the images
_OUTLIER = (60, 60, 230)
_BAR_HEIGHT = 26
_LEGEND_WIDTH = 250  # omitted in pictures narrower than three times this
_SUBPIXEL_BITS = 3


def draw_matches(
    image_a: NDArray[np.uint8],
    image_b: NDArray[np.uint8],
    matches: Matches,
    inliers: NDArray[np.bool_],
    caption: str,
    bar_color: tuple[int, int, int] = (0, 0, 0),
) -> NDArray[np.uint8]:
    """Draw both images, dots at both ends of every match, and lines for an even subset of the inliers.

    Inliers range from blue (low confidence) to green (high); outliers are red without a line. Wide images are stacked
    vertically, others side by side.

    Args:
        image_a, image_b: (H, W) gray, the matched images.
        matches: N matches.
        inliers: (N,) bool.
        caption: one line above the images.
        bar_color: dark background of the caption, BGR.

    Returns:
        (H', W', 3) uint8 BGR.
    """
    canvas, shift = _canvas(image_a, image_b)
    ends_a = _fixed_point(matches.points_a)
    ends_b = _fixed_point(matches.points_b + np.array(shift, np.float32))
    colors = _colors(matches.confidence, inliers)
    for index in _spread(np.flatnonzero(inliers), MAX_LINES):
        cv2.line(canvas, ends_a[index], ends_b[index], colors[index], 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    for end_a, end_b, color in zip(ends_a, ends_b, colors, strict=True):
        for end in (end_a, end_b):
            cv2.circle(canvas, end, 2 << _SUBPIXEL_BITS, color, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return np.vstack([_bar(caption, canvas.shape[1], bar_color), canvas])


def confidence_colors(confidence: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the color of each confidence, (..., 3) BGR: from blue (low) to green (high)."""
    level = np.clip(confidence, 0, 1)
    return np.stack([255 * (1 - level), 80 + 175 * level, np.full_like(level, 40)], axis=-1).astype(np.uint8)


def _canvas(image_a: NDArray[np.uint8], image_b: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return both images on one dimmed canvas, (H, W, 3), and the pixel (x, y) where image b starts."""
    (height_a, width_a), (height_b, width_b) = image_a.shape, image_b.shape
    stacked = width_a > 2 * height_a
    x, y = (0, height_a) if stacked else (width_a, 0)
    canvas = np.zeros((max(height_a, y + height_b), max(width_a, x + width_b)), np.uint8)
    canvas[:height_a, :width_a] = image_a
    canvas[y : y + height_b, x : x + width_b] = image_b
    dimmed = (canvas * 0.7).astype(np.uint8)
    return np.repeat(dimmed[:, :, None], 3, axis=2), (x, y)


def _fixed_point(points: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Pixels as fixed-point integers for OpenCV's drawing functions."""
    scaled = np.round(points * (1 << _SUBPIXEL_BITS)).astype(int)
    return [(int(x), int(y)) for x, y in scaled]


def _colors(confidence: NDArray[np.float32], inliers: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    colors = np.where(inliers[:, None], confidence_colors(confidence), _OUTLIER)
    return [(int(b), int(g), int(r)) for b, g, r in colors]


def _spread(indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Pick at most `count` of the indices, evenly; matches are ordered along the grid of image a."""
    picked: NDArray[np.int64] = indices[np.linspace(0, len(indices) - 1, min(count, len(indices))).astype(int)]
    return picked


def _bar(caption: str, width: int, color: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Draw the caption, scaled down if too long, and the legend to its right if there is room."""
    legend = _legend()[:, : _LEGEND_WIDTH if width >= 3 * _LEGEND_WIDTH else 0]
    room = width - legend.shape[1]
    bar = np.full((_BAR_HEIGHT, room, 3), color, np.uint8)
    (length, _), _ = cv2.getTextSize(caption, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    _write(bar, caption, 6, 0.5 * min(1.0, (room - 12) / max(length, 1)))
    return np.hstack([bar, legend])


def _legend() -> NDArray[np.uint8]:
    legend = np.zeros((_BAR_HEIGHT, _LEGEND_WIDTH, 3), np.uint8)
    _write(legend, "confidence 0", 0, 0.4)
    legend[9:18, 92:156] = confidence_colors(np.linspace(0, 1, 64, dtype=np.float32))
    _write(legend, "1", 161, 0.4)
    cv2.circle(legend, (186, 13), 4, _OUTLIER, -1, cv2.LINE_AA)
    _write(legend, "outlier", 195, 0.4)
    return legend


def _write(bar: NDArray[np.uint8], text: str, x: int, size: float) -> None:
    cv2.putText(bar, text, (x, 18), cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 1, cv2.LINE_AA)
