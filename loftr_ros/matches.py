"""Interface between matcher and odometry: `Matches` and the `Matcher` protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from loftr_ros.errors import LoftrRosError

FeaturesT = TypeVar("FeaturesT")

# Of the covariance of a match relative to that of a typical one, and of its correlation: beyond it is no covariance.
_MAX_COVARIANCE, _MIN_DETERMINANT = 1e6, 1e-9


class MatchesError(LoftrRosError):
    """Matches whose arrays do not fit each other."""


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

    def valid(self, shape_a: tuple[int, ...], shape_b: tuple[int, ...]) -> Matches:
        """Return the matches that keep to the contract above; half precision, for example, may leave NaN.

        Dropped are matches with numbers that are not finite, far outside of the images (by more than their size), with
        a cell of no pixel, a cell of an earlier match, or a covariance that is not positive definite.

        Args:
            shape_a, shape_b: (H, W) of the images.

        Raises:
            MatchesError: the arrays have other shapes.
        """
        count = len(self.cell_a)
        shapes = [np.shape(array) for array in (self.points_a, self.points_b, self.confidence, self.cell_a)]
        if shapes != [(count, 2), (count, 2), (count,), (count,)]:
            raise MatchesError(
                f"The matcher returned points, confidences and cells of the shapes {shapes}: they must be (N, 2), "
                "(N, 2), (N,), (N,)."
            )
        keep = _is_near(self.points_a, shape_a) & _is_near(self.points_b, shape_b)
        keep &= (self.confidence >= 0) & (self.confidence < np.inf)
        keep &= (self.cell_a >= 0) & (self.cell_a < shape_a[0] * shape_a[1])
        if self.covariance_b is not None:
            keep &= _is_positive_definite(self.covariance_b)
        first = np.unique(self.cell_a, return_index=True)[1]
        if len(first) < count:
            is_first = np.zeros(count, bool)
            is_first[first] = True
            keep &= is_first
        return self if keep.all() else self.select(keep)

    def select(self, index: NDArray[np.bool_] | NDArray[np.int64]) -> Matches:
        """Return the matches picked by a boolean mask (N,) or by integer indices."""
        covariance = None if self.covariance_b is None else self.covariance_b[index]
        return Matches(
            self.points_a[index], self.points_b[index], self.confidence[index], self.cell_a[index], covariance
        )


def _is_near(points: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which (N, 2) pixels lie in an image or less than its size beside it; NaN does not."""
    size = np.array([shape[1], shape[0]])
    return np.asarray(((points > -size) & (points < 2 * size)).all(axis=1))


def _is_positive_definite(covariance: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which (N, 2, 2) matrices are finite covariances within _MAX_COVARIANCE, with a margin for rounding."""
    xx, xy, yx, yy = covariance.reshape(-1, 4).T
    bounded = (np.maximum(xx, yy) <= _MAX_COVARIANCE) & (np.minimum(xx, yy) > 0) & (np.abs(xy) < np.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(bounded & (xy == yx) & (xx * yy - xy * yx > _MIN_DETERMINANT * xx * yy))


class Matcher(Protocol[FeaturesT]):
    """A matcher in two steps, so that features are extracted once per image and matched many times."""

    def extract(self, image: NDArray[np.uint8]) -> FeaturesT:
        """Compute the features of an (H, W) gray image. The result is opaque to the caller."""
        ...

    def match(self, features_a: FeaturesT, features_b: FeaturesT) -> Matches:
        """Match two images by their features."""
        ...
