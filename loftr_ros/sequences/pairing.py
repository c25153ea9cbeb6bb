"""Pairs images of two synchronized cameras whose stamps differ slightly."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from statistics import median

MAX_DIFFERENCE_NS = 5_000_000
MAX_DEPTH_DIFFERENCE_NS = 20_000_000  # between color and depth images of cameras that are not synchronized
MAX_FRAME_SHARE = 0.25  # of the frame interval: excludes the next image of the other camera


def pair_stamps(lefts: list[int], rights: list[int]) -> tuple[dict[int, int], tuple[str, ...]]:
    """Pair each left stamp with the nearest right one within 5 ms and a quarter of a frame.

    Args:
        lefts: stamps in nanoseconds.
        rights: stamps in nanoseconds.

    Returns:
        The right stamp by left stamp, where there is one; and notes on differences and dropped images.
    """
    steps = [after - before for stamps in (lefts, rights) for before, after in itertools.pairwise(sorted(stamps))]
    tolerance = min(MAX_DIFFERENCE_NS, MAX_FRAME_SHARE * median(steps)) if steps else MAX_DIFFERENCE_NS
    pairs = _nearest(lefts, rights, tolerance)
    return pairs, _notes(pairs, len(lefts))


def pair_depth_stamps(
    images: list[int], depths: list[int], tolerance_ns: float
) -> tuple[dict[int, int], tuple[str, ...]]:
    """Pair each image stamp with the nearest depth stamp within a tolerance.

    Args:
        images: stamps in nanoseconds.
        depths: stamps in nanoseconds.
        tolerance_ns: nanoseconds.

    Returns:
        The depth stamp by image stamp, where there is one; and notes on differences and dropped images.
    """
    pairs = _nearest(images, depths, tolerance_ns)
    notes = []
    if largest := max((abs(depth - image) for image, depth in pairs.items()), default=0):
        notes.append(f"depth images are paired with images up to {largest / 1e6:.3g} ms away")
    if len(pairs) < len(images):
        within = f"within {tolerance_ns / 1e6:.3g} ms"
        notes.append(f"{len(images) - len(pairs)} of {len(images)} images have no depth image {within}: left out")
    return pairs, tuple(notes)


def _nearest(stamps: list[int], others: list[int], tolerance_ns: float) -> dict[int, int]:
    """Return the nearest of the others by stamp, the earlier of two, where one is within the tolerance."""
    ordered = sorted(others)
    pairs: dict[int, int] = {}
    for stamp in stamps:
        i = bisect_left(ordered, stamp)
        nearest = min(ordered[max(i - 1, 0) : i + 1], key=lambda other: abs(other - stamp), default=None)
        if nearest is not None and abs(nearest - stamp) <= tolerance_ns:
            pairs[stamp] = nearest
    return pairs


def _notes(pairs: dict[int, int], lefts: int) -> tuple[str, ...]:
    notes = []
    if largest := max((abs(right - left) for left, right in pairs.items()), default=0):
        notes.append(f"left and right images are paired with stamps up to {largest / 1e6:.3g} ms apart")
    if len(pairs) < lefts:
        notes.append(f"{lefts - len(pairs)} of {lefts} left images have no right one: left out")
    return tuple(notes)
