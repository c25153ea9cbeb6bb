"""Images of two cameras that were taken at the same moment, although their stamps differ a little."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from statistics import median

MAX_DIFFERENCE_NS = 5_000_000
STEPS = 0.25  # of the time between two images of a camera: the other one's next image is never nearer


def pair_stamps(lefts: list[int], rights: list[int]) -> tuple[dict[int, int], tuple[str, ...]]:
    """Pair each left stamp with the nearest right one within 5 ms and a quarter of a frame.

    Args:
        lefts: stamps in nanoseconds.
        rights: likewise.

    Returns:
        The right stamp of each left one that has one; and what to tell about differences and images left out.
    """
    ordered = sorted(rights)
    steps = [after - before for stamps in (sorted(lefts), ordered) for before, after in itertools.pairwise(stamps)]
    tolerance = min(MAX_DIFFERENCE_NS, STEPS * median(steps)) if steps else MAX_DIFFERENCE_NS
    pairs = {}
    for left in lefts:
        i = bisect_left(ordered, left)
        nearest = min(ordered[max(i - 1, 0) : i + 1], key=lambda right: abs(right - left), default=None)
        if nearest is not None and abs(nearest - left) <= tolerance:
            pairs[left] = nearest
    return pairs, _remarks(pairs, len(lefts))


def _remarks(pairs: dict[int, int], lefts: int) -> tuple[str, ...]:
    notes = []
    if largest := max((abs(right - left) for left, right in pairs.items()), default=0):
        notes.append(f"left and right images are paired with stamps up to {largest / 1e6:.3g} ms apart")
    if len(pairs) < lefts:
        notes.append(f"{lefts - len(pairs)} of {lefts} left images have no right one: left out")
    return tuple(notes)
