"""Depth images of integer counts, as cameras and files store them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def without_saturated(counts: NDArray[Any]) -> NDArray[Any]:
    """Return an (H, W) integer depth image with saturated counts set to 0, unknown.

    Drivers write 65535 for no measurement, or for a depth beyond the range.
    """
    return np.where(counts == np.iinfo(counts.dtype).max, 0, counts).astype(counts.dtype, copy=False)


def described(depth: NDArray[np.float32]) -> str:
    """Return the median of a depth image, meters, as text: a wrong depth unit shows in it."""
    known = depth[np.isfinite(depth) & (depth > 0)]
    return f"median {np.median(known):.3g} m" if known.size else "no depth at all"
