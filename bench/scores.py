"""Errors of relative poses and homographies, and the area under their recall curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loftr_ros.odometry.geometry import se3


def auc(errors: ArrayLike, threshold: float) -> float:
    """Area under the recall curve from 0 to a threshold, in percent of the maximum.

    The curve is piecewise linear through (0, 0) and the points (i-th smallest error, i / N), and constant from the last
    point to the threshold (Sarlin et al., SuperGlue, CVPR 2020, section 5.1).

    Args:
        errors: (N,), infinite for a failure.
        threshold: upper limit of the errors.
    """
    smallest = np.sort(np.asarray(errors, np.float64))
    recall = np.arange(len(smallest) + 1) / max(len(smallest), 1)
    below = int((smallest < threshold).sum())
    x = np.concatenate([[0.0], smallest[:below], [threshold]])
    y = np.append(recall[: below + 1], recall[below])
    return float(100.0 * (np.diff(x) * (y[1:] + y[:-1]) / 2).sum() / threshold)


def rotation_error_deg(R: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Angle of the rotation between two (3, 3) rotations."""
    return float(np.degrees(np.linalg.norm(se3.log_rotation(R.T @ truth))))


def direction_error_deg(v: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Angle between two (3,) vectors, 0 to 180; infinite if the estimate is zero, which means unknown."""
    length = np.linalg.norm(v)
    if length == 0:
        return float("inf")
    cosine = v @ truth / (length * np.linalg.norm(truth))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def corner_error_px(H: NDArray[np.float64], truth: NDArray[np.float64], width: int, height: int) -> float:
    """Mean distance between the four image corners mapped by two (3, 3) homographies."""
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [width - 1, height - 1, 1], [0, height - 1, 1]], np.float64)
    places = [corners @ matrix.T for matrix in (H, truth)]
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate, true = (place[:, :2] / place[:, 2:] for place in places)
    error = float(np.linalg.norm(estimate - true, axis=1).mean())
    return error if np.isfinite(error) else float("inf")
