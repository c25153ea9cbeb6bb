"""Even subsampling of matches, to bound the cost of statistics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def subsampled(mask: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Return an (N,) mask of at most `count` evenly spaced elements of a mask; deterministic."""
    stride = max(-(-int(np.count_nonzero(mask)) // count), 1)
    return mask if stride == 1 else mask & (np.cumsum(mask) % stride == 0)
