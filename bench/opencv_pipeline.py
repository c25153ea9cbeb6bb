"""Reference pipeline of OpenCV functions: RANSAC on the matches of consecutive frames, relative poses chained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import FeaturesT, Matcher, Matches
from loftr_ros.odometry.config import Mode
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.inverse_depth import depths_from_stereo
from loftr_ros.odometry.states import TrackingState

MIN_MATCHES = 8
_PROBABILITY = 0.999
_PNP_ITERATIONS = 1000


@dataclass(frozen=True)
class OpenCVPose:
    """Relative pose T_a_b, (4, 4), and its number of inliers."""

    T_a_b: NDArray[np.float64]
    inliers: int


def pose_from_essential_matrix(
    matches: Matches, camera_a: Camera, camera_b: Camera, threshold_px: float
) -> OpenCVPose | None:
    """Estimate by essential matrix (USAC MAGSAC) and recoverPose; the translation has length 1. None on failure."""
    if len(matches) < MIN_MATCHES:
        return None
    # In pixels of a common camera without distortion: MAGSAC has constants in pixels, so K = 1 would not work.
    focal = (camera_a.focal + camera_b.focal) / 2
    K = np.diag([focal, focal, 1.0])
    a = np.ascontiguousarray(focal * camera_a.normalize(matches.points_a))
    b = np.ascontiguousarray(focal * camera_b.normalize(matches.points_b))
    try:
        E, mask = cv2.findEssentialMat(a, b, K, method=cv2.USAC_MAGSAC, prob=_PROBABILITY, threshold=threshold_px)
    except cv2.error:  # e.g. no minimal sample has a real solution
        return None
    # OpenCV returns None when it finds nothing, and several solutions stacked when there are more than one.
    if E is None or mask is None or E.shape[0] < 3:
        return None
    inliers = int(np.count_nonzero(mask))
    _, R, t, _ = cv2.recoverPose(np.ascontiguousarray(E[:3]), a, b, K, mask=mask)
    return OpenCVPose(se3.inverse(se3.transform(R, t.ravel())), inliers)  # OpenCV's x_b = R x_a + t


def pose_from_depth(
    matches: Matches, depth: NDArray[np.float64], camera: Camera, threshold_px: float
) -> OpenCVPose | None:
    """Estimate by PnP (RANSAC, Levenberg-Marquardt on the inliers) from (N,) depths in a, NaN where unknown."""
    known = np.isfinite(depth)
    if known.sum() < MIN_MATCHES:
        return None
    rays = np.column_stack([camera.normalize(matches.points_a[known]), np.ones(known.sum())])
    points = np.ascontiguousarray(rays * depth[known, None])
    pixels = np.ascontiguousarray(camera.focal * camera.normalize(matches.points_b[known]))
    K, undistorted = np.diag([camera.focal, camera.focal, 1.0]), np.zeros(4)
    try:
        found, rotation_vector, translation, inliers = cv2.solvePnPRansac(
            points,
            pixels,
            K,
            undistorted,
            iterationsCount=_PNP_ITERATIONS,
            reprojectionError=threshold_px,
            confidence=_PROBABILITY,
        )
        if not found or inliers is None or len(inliers) < MIN_MATCHES:
            return None
        agree = inliers.ravel()
        rotation_vector, translation = cv2.solvePnPRefineLM(
            points[agree], pixels[agree], K, undistorted, rotation_vector, translation
        )
    except cv2.error:  # e.g. all points on one line
        return None
    T_b_a = se3.transform(se3.exp_rotation(rotation_vector.ravel()), translation.ravel())
    return OpenCVPose(se3.inverse(T_b_a), len(agree)) if np.isfinite(T_b_a).all() else None


@dataclass(frozen=True)
class OpenCVEstimate:
    """Estimate of one frame; on failure it keeps the previous pose."""

    T_odom_camera: NDArray[np.float64]
    state: TrackingState


class OpenCVOdometry(Generic[FeaturesT]):
    """Chains frame-to-frame poses: with unit translation for a single camera, metric where there is depth."""

    def __init__(self, matcher: Matcher[FeaturesT], mode: Mode, threshold_px: float) -> None:
        """Start at the origin. `threshold_px` is the threshold of RANSAC and of the rows of a stereo pair."""
        self._matcher, self._mode, self._threshold_px = matcher, mode, threshold_px
        self._previous: tuple[Frame, FeaturesT] | None = None
        self._T_odom_camera = np.eye(4)

    def process(self, frame: Frame) -> OpenCVEstimate:
        """Estimate the motion since the previous frame and chain it."""
        features = self._matcher.extract(frame.image)
        previous, self._previous = self._previous, (frame, features)
        if previous is None:
            return OpenCVEstimate(self._T_odom_camera, TrackingState.INITIALIZING)
        step = self._step(*previous, features)
        if step is None:
            return OpenCVEstimate(self._T_odom_camera, TrackingState.LOST)
        self._T_odom_camera = self._T_odom_camera @ step.T_a_b
        return OpenCVEstimate(self._T_odom_camera, TrackingState.TRACKING)

    def _step(self, frame: Frame, features: FeaturesT, features_now: FeaturesT) -> OpenCVPose | None:
        matches = self._matcher.match(features, features_now)
        if self._mode == "mono":
            return pose_from_essential_matrix(matches, frame.camera, frame.camera, self._threshold_px)
        read = self._depth_from_stereo if self._mode == "stereo" else _depth_from_image
        return pose_from_depth(matches, read(frame, features, matches), frame.camera, self._threshold_px)

    def _depth_from_stereo(self, frame: Frame, features: FeaturesT, matches: Matches) -> NDArray[np.float64]:
        """(N,) depth of the points of image a by stereo; NaN without a stereo match."""
        if frame.right is None or frame.rig is None:
            return np.full(len(matches), np.nan)
        pair = self._matcher.match(features, self._matcher.extract(frame.right))
        found = depths_from_stereo(pair, frame.camera, frame.rig, self._threshold_px)
        inverse_depth, _ = found.at(matches.cell_a)
        return np.asarray(1.0 / np.where(inverse_depth > 0, inverse_depth, np.nan))


def _depth_from_image(frame: Frame, features: object, matches: Matches) -> NDArray[np.float64]:
    """(N,) depth at the points of image a; NaN in holes."""
    if frame.depth is None:
        return np.full(len(matches), np.nan)
    height, width = frame.depth.shape
    column, row = np.clip(np.rint(matches.points_a).astype(int), 0, (width - 1, height - 1)).T
    depth = frame.depth[row, column].astype(np.float64)
    return np.where(depth > 0, depth, np.nan)
