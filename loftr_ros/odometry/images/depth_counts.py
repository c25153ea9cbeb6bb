"""Depth images of integer counts, as cameras and files store them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Range of plausible depths, meters, but for 5 % at each end: depth cameras see from 0.07 m (D405) to about
# 20 m (stereo). Recorded sequences have 0.2 m (corridor) to 8 m.
_MIN_NEAR_M, _MAX_FAR_M = 0.05, 30.0


def without_saturated(counts: NDArray[Any]) -> NDArray[Any]:
    """Return an (H, W) integer depth image with saturated counts set to 0, unknown.

    Drivers write 65535 for no measurement, or for a depth beyond the range.
    """
    return np.where(counts == np.iinfo(counts.dtype).max, 0, counts).astype(counts.dtype, copy=False)


def described(depth: NDArray[np.float32]) -> str:
    """Return the median of a depth image, meters, as text: a wrong depth unit shows in it."""
    known = depth[np.isfinite(depth) & (depth > 0)]
    return f"median {np.median(known):.3g} m" if known.size else "no depth at all"


def doubtful_range(depth: NDArray[np.float32]) -> str | None:
    """Return a clause on a range of depths that cameras with integer depth do not have; None if it is plausible."""
    known = depth[np.isfinite(depth) & (depth > 0)]
    if not known.size:
        return None
    near, far = np.percentile(known, (5, 95))
    if near >= _MIN_NEAR_M and far <= _MAX_FAR_M:
        return None
    return (
        f"is {near:.2g} to {far:.2g} m away (5 to 95 %), which is {'near' if far <= _MAX_FAR_M else 'far'} for a camera"
    )
