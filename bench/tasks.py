"""Estimation tasks with ground truth: the relative pose of two images, or their homography."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from opencv_pipeline import pose_from_essential_matrix
from scores import corner_error_px, direction_error_deg, rotation_error_deg

from loftr_ros.matches import Matches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.pose.relative_pose import relative_pose

# As the odometry, but without its minimum number of inliers and minimum parallax.
CONFIG = OdometryConfig(min_inliers=8, min_inlier_ratio=0.1, min_parallax_px=0.0)
HOMOGRAPHY_THRESHOLD_PX = 3.0
_PROBABILITY = 0.999
_MIN_TRANSLATION_M = 1e-3  # the direction of a shorter translation is undefined


@dataclass(frozen=True)
class Answer:
    """A transform, (4, 4) T_a_b or (3, 3) homography, and its number of inliers."""

    transform: NDArray[np.float64]
    inliers: int


class Task(Protocol):
    """An estimation task, as the evaluation loop sees it.

    Attributes:
        unit: unit of the errors.
        thresholds: thresholds of the AUC, applied to the largest error of a pair.
        has_opencv_pipeline: whether the task can also be solved by OpenCV alone.
    """

    unit: ClassVar[str]
    thresholds: ClassVar[tuple[float, ...]]
    has_opencv_pipeline: ClassVar[bool]

    def solve(self, matches: Matches, opencv: bool) -> Answer | None:
        """Estimate from N matches, by this package or by OpenCV alone; None on failure."""
        ...

    def errors(self, answer: Answer | None) -> dict[str, float]:
        """Errors by name; infinite for a failure, NaN where undefined."""
        ...


@dataclass(frozen=True)
class PoseTask:
    """Relative pose of two calibrated images, up to scale."""

    unit: ClassVar[str] = "°"
    thresholds: ClassVar[tuple[float, ...]] = (5.0, 10.0, 20.0)
    has_opencv_pipeline: ClassVar[bool] = True

    camera_a: Camera
    camera_b: Camera
    T_a_b: NDArray[np.float64]
    opencv_threshold_px: float

    def solve(self, matches: Matches, opencv: bool) -> Answer | None:
        """Solve by `relative_pose`, or by OpenCV's essential matrix without refinement."""
        if opencv:
            found = pose_from_essential_matrix(matches, self.camera_a, self.camera_b, self.opencv_threshold_px)
            return Answer(found.T_a_b, found.inliers) if found else None
        pose = relative_pose(matches, self.camera_a, self.camera_b, CONFIG)
        return Answer(pose.T_a_b, int(pose.inliers.sum())) if pose else None

    def errors(self, answer: Answer | None) -> dict[str, float]:
        """Errors of rotation and translation direction, degrees; the direction is undefined without translation."""
        if answer is None:
            rotation = direction = float("inf")
        else:
            rotation = rotation_error_deg(answer.transform[:3, :3], self.T_a_b[:3, :3])
            direction = direction_error_deg(answer.transform[:3, 3], self.T_a_b[:3, 3])
        moved = np.linalg.norm(self.T_a_b[:3, 3]) > _MIN_TRANSLATION_M
        return {"rotation": rotation, "direction": direction if moved else float("nan")}


@dataclass(frozen=True)
class HomographyTask:
    """Homography between two images of a plane."""

    unit: ClassVar[str] = " px"
    thresholds: ClassVar[tuple[float, ...]] = (3.0, 5.0, 10.0)
    has_opencv_pipeline: ClassVar[bool] = False

    H_b_a: NDArray[np.float64]
    width: int
    height: int

    def solve(self, matches: Matches, opencv: bool) -> Answer | None:
        """Solve by OpenCV's MAGSAC++, which includes refinement; `opencv` makes no difference."""
        if len(matches) < CONFIG.min_inliers:
            return None
        H, mask = cv2.findHomography(
            np.ascontiguousarray(matches.points_a),
            np.ascontiguousarray(matches.points_b),
            cv2.USAC_MAGSAC,
            HOMOGRAPHY_THRESHOLD_PX,
            confidence=_PROBABILITY,
        )
        return None if H is None else Answer(np.asarray(H, np.float64), int(np.count_nonzero(mask)))

    def errors(self, answer: Answer | None) -> dict[str, float]:
        """Mean reprojection error of the four image corners, pixels."""
        if answer is None:
            return {"corners": float("inf")}
        return {"corners": corner_error_px(answer.transform, self.H_b_a, self.width, self.height)}
