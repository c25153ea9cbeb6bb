"""Interface between matcher and odometry: `Matches` and the `Matcher` protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

FeaturesT = TypeVar("FeaturesT")


@dataclass(frozen=True)
class Matches:
    """Correspondences between image a and image b.

    Attributes:
        points_a: (N, 2) float32, pixels (x, y) of the original image a; the center of its top-left pixel is (0, 0).
        points_b: (N, 2) float32, pixels of the original image b, likewise.
        confidence: (N,) float32 in [0, 1].
        cell_a: (N,) int64, index of the coarse cell of image a that each match starts from. All images matched
            against the same image a share its cells, so this index identifies a track.
        covariance_b: (N, 2, 2) float64, covariance of points_b relative to that of a typical match; for example larger
            along an edge than across it. None: the same for all.
    """

    points_a: NDArray[np.float32]
    points_b: NDArray[np.float32]
    confidence: NDArray[np.float32]
    cell_a: NDArray[np.int64]
    covariance_b: NDArray[np.float64] | None = None

    @staticmethod
    def empty() -> Matches:
        """Return zero matches."""
        points = np.zeros((0, 2), np.float32)
        return Matches(points, points, np.zeros(0, np.float32), np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.cell_a)

    def finite(self) -> Matches:
        """Drop matches with coordinates that are not finite, which half precision may cause."""
        return self.select(np.asarray(np.isfinite(np.hstack([self.points_a, self.points_b])).all(axis=1)))

    def select(self, index: NDArray[np.bool_] | NDArray[np.int64]) -> Matches:
        """Return the matches picked by a boolean mask (N,) or by integer indices."""
        covariance = None if self.covariance_b is None else self.covariance_b[index]
        return Matches(
            self.points_a[index], self.points_b[index], self.confidence[index], self.cell_a[index], covariance
        )


class Matcher(Protocol[FeaturesT]):
    """A matcher in two steps, so that features are extracted once per image and matched many times."""

    def extract(self, image: NDArray[np.uint8]) -> FeaturesT:
        """Compute the features of an (H, W) gray image. The result is opaque to the caller."""
        ...

    def match(self, features_a: FeaturesT, features_b: FeaturesT) -> Matches:
        """Match two images by their features."""
        ...
