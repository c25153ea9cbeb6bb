"""Depth images of integers, as cameras and files give them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def without_saturated(counts: NDArray[Any]) -> NDArray[Any]:
    """Return an (H, W) depth image of integers with 0 where a count is the largest of its type, which is no depth.

    Some drivers write 65535 where nothing was measured, others where the depth is beyond 65534 counts.
    """
    return np.where(counts == np.iinfo(counts.dtype).max, 0, counts).astype(counts.dtype, copy=False)


def described(depth: NDArray[np.float32]) -> str:
    """Return the median of a depth image in words, by which users see a wrong unit."""
    known = depth[np.isfinite(depth) & (depth > 0)]
    return f"median {np.median(known):.3g} m" if known.size else "no depth at all"
