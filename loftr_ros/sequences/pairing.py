"""Pairs images of two synchronized cameras whose stamps differ slightly."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from statistics import median

MAX_DIFFERENCE_NS = 5_000_000
MAX_FRAME_SHARE = 0.25  # of the frame interval: excludes the next image of the other camera


def pair_stamps(lefts: list[int], rights: list[int]) -> tuple[dict[int, int], tuple[str, ...]]:
    """Pair each left stamp with the nearest right one within 5 ms and a quarter of a frame.

    Args:
        lefts: stamps in nanoseconds.
        rights: stamps in nanoseconds.

    Returns:
        The right stamp by left stamp, where there is one; and notes on differences and dropped images.
    """
    ordered = sorted(rights)
    steps = [after - before for stamps in (sorted(lefts), ordered) for before, after in itertools.pairwise(stamps)]
    tolerance = min(MAX_DIFFERENCE_NS, MAX_FRAME_SHARE * median(steps)) if steps else MAX_DIFFERENCE_NS
    pairs = {}
    for left in lefts:
        i = bisect_left(ordered, left)
        nearest = min(ordered[max(i - 1, 0) : i + 1], key=lambda right: abs(right - left), default=None)
        if nearest is not None and abs(nearest - left) <= tolerance:
            pairs[left] = nearest
    return pairs, _notes(pairs, len(lefts))


def _notes(pairs: dict[int, int], lefts: int) -> tuple[str, ...]:
    notes = []
    if largest := max((abs(right - left) for left, right in pairs.items()), default=0):
        notes.append(f"left and right images are paired with stamps up to {largest / 1e6:.3g} ms apart")
    if len(pairs) < lefts:
        notes.append(f"{lefts - len(pairs)} of {lefts} left images have no right one: left out")
    return tuple(notes)
