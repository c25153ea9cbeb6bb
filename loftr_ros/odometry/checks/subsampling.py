"""Even subsampling, to bound the cost of statistics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def evenly(count: int, limit: int) -> slice:
    """Return the slice of at most `limit` evenly spaced of `count` elements; it copies nothing, unlike a mask."""
    stride = max(-(-count // limit), 1)
    return slice(stride - 1, None, stride)


def subsampled(mask: NDArray[np.bool_], limit: int) -> NDArray[np.intp]:
    """Return the indices of at most `limit` evenly spaced elements of an (N,) mask; deterministic."""
    indices = np.flatnonzero(mask)
    return indices[evenly(len(indices), limit)]
