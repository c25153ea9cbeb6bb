"""A part of the matches, from all over the image: for statistics that need no more, which bounds their cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def thinned(mask: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Return an (N,) mask of at most `count` of those in a mask, evenly spaced; always the same ones."""
    every = max(-(-int(np.count_nonzero(mask)) // count), 1)
    return mask if every == 1 else mask & (np.cumsum(mask) % every == 0)
