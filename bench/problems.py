"""What is asked of the matches of a pair, with the right answer: a relative pose, or a homography."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from plain_recipe import pose_from_essential_matrix
from scores import corner_error_px, direction_error_deg, rotation_error_deg

from loftr_ros.matches import Matches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.pose.relative_pose import relative_pose

# The odometry's settings, but an answer is asked for however few matches there are and however little they move.
CONFIG = OdometryConfig(min_inliers=8, min_inlier_ratio=0.1, min_parallax_px=0.0)
HOMOGRAPHY_THRESHOLD_PX = 3.0
_PROBABILITY = 0.999
# The direction of a shorter translation means nothing, metres.
_LEAST_MOTION = 1e-3


@dataclass(frozen=True)
class Answer:
    """A transform, (4, 4) T_a_b or (3, 3) homography, and how many matches agree with it."""

    transform: NDArray[np.float64]
    inliers: int


class Problem(Protocol):
    """What the loop needs to know of a problem.

    Attributes:
        unit: of the errors.
        thresholds: at which the AUC of the largest error is reported.
        has_plain_recipe: whether there is a plain recipe to compare with.
    """

    unit: ClassVar[str]
    thresholds: ClassVar[tuple[float, ...]]
    has_plain_recipe: ClassVar[bool]

    def solve(self, matches: Matches, plain: bool) -> Answer | None:
        """Answer from N matches, by the plain recipe or by the product's; None if that fails."""
        ...

    def errors(self, answer: Answer | None) -> dict[str, float]:
        """Errors by name; infinite for a failure, NaN where there is no true value."""
        ...


@dataclass(frozen=True)
class PoseProblem:
    """Relative pose of two calibrated images, the length of the translation not judged."""

    unit: ClassVar[str] = "°"
    thresholds: ClassVar[tuple[float, ...]] = (5.0, 10.0, 20.0)
    has_plain_recipe: ClassVar[bool] = True

    camera_a: Camera
    camera_b: Camera
    T_a_b: NDArray[np.float64]
    plain_threshold_px: float

    def solve(self, matches: Matches, plain: bool) -> Answer | None:
        """Solve by `relative_pose`; plainly by OpenCV alone: essential matrix, no refinement."""
        if plain:
            plainly = pose_from_essential_matrix(matches, self.camera_a, self.camera_b, self.plain_threshold_px)
            return Answer(plainly.T_a_b, plainly.inliers) if plainly else None
        pose = relative_pose(matches, self.camera_a, self.camera_b, CONFIG)
        return Answer(pose.T_a_b, int(pose.inliers.sum())) if pose else None

    def errors(self, answer: Answer | None) -> dict[str, float]:
        """Errors of rotation and direction, degrees; no direction of a camera that did not move."""
        if answer is None:
            rotation = direction = float("inf")
        else:
            rotation = rotation_error_deg(answer.transform[:3, :3], self.T_a_b[:3, :3])
            direction = direction_error_deg(answer.transform[:3, 3], self.T_a_b[:3, 3])
        moved = np.linalg.norm(self.T_a_b[:3, 3]) > _LEAST_MOTION
        return {"rotation": rotation, "direction": direction if moved else float("nan")}


@dataclass(frozen=True)
class HomographyProblem:
    """Homography between two images of a plane."""

    unit: ClassVar[str] = " px"
    thresholds: ClassVar[tuple[float, ...]] = (3.0, 5.0, 10.0)
    has_plain_recipe: ClassVar[bool] = False

    H_b_a: NDArray[np.float64]
    width: int
    height: int

    def solve(self, matches: Matches, plain: bool) -> Answer | None:
        """Solve by MAGSAC++, which refines by itself; there is no plainer recipe."""
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
        """Mean error of the four corners, pixels."""
        if answer is None:
            return {"corners": float("inf")}
        return {"corners": corner_error_px(answer.transform, self.H_b_a, self.width, self.height)}
