"""Motion of the camera since the keyframe, from matches and what is known of their depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import Matches
from loftr_ros.odometry import se3
from loftr_ros.odometry.camera import Camera
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.refinement import Freedom, refine
from loftr_ros.odometry.two_view import TwoViewGeometry, TwoViewPose, two_view_pose

# No covariance is smaller than this: standard deviations of 0.1 mm (or 1e-4 units) and 1e-5 rad. Calibration and the
# shutter alone cost more.
COVARIANCE_FLOOR = np.diag([1e-4, 1e-4, 1e-4, 1e-5, 1e-5, 1e-5]) ** 2


@dataclass(frozen=True)
class Motion:
    """Pose of the camera relative to the keyframe, measured.

    Attributes:
        T_keyframe_camera: (4, 4).
        covariance: (6, 6) in the axes of the keyframe (see `se3`), positive definite.
        inliers: (N,) bool, matches that agree with the pose.
        parallax_px: median image motion that rotation does not explain, pixels.
        freedom: what the matches determined.
        noise_px: standard deviation of the inliers' coordinates that the residuals show, pixels.
    """

    T_keyframe_camera: NDArray[np.float64]
    covariance: NDArray[np.float64]
    inliers: NDArray[np.bool_]
    parallax_px: float
    freedom: Freedom
    noise_px: float


def estimate_motion(
    matches: Matches,
    camera: Camera,
    inverse_depth: NDArray[np.float64],
    inverse_depth_sigma: NDArray[np.float64],
    position: NDArray[np.float64],
    baseline: float,
    config: OdometryConfig,
) -> Motion | None:
    """Measure the motion between keyframe (image a) and frame (image b).

    Args:
        matches: N matches.
        camera: of both images.
        inverse_depth, inverse_depth_sigma: (N,) in the keyframe and standard deviation; NaN where unknown.
        position: (3,) of the camera in the keyframe, kept if the matches show a rotation only.
        baseline: length of the translation, where depth does not tell it.
        config: thresholds.

    Returns:
        None if too few matches agree on a motion.
    """
    rays_a, rays_b = camera.normalize(matches.points_a), camera.normalize(matches.points_b)
    two_view = two_view_pose(
        rays_a,
        rays_b,
        camera.focal,
        config.ransac_threshold_px,
        config.min_parallax_px,
        config.min_inliers,
    )
    if two_view is None:
        return None
    chosen = two_view.inliers
    freedom = _freedom(two_view, int(np.isfinite(inverse_depth[chosen]).sum()) >= config.min_inliers)
    if freedom is Freedom.POSE:
        position = position_from_depth(
            two_view.R_a_b, rays_a[chosen], rays_b[chosen], inverse_depth[chosen], config.match_noise_px / camera.focal
        )
    else:
        inverse_depth = inverse_depth_sigma = np.full(len(matches), np.nan)
        position = position if freedom is Freedom.ROTATION else baseline * two_view.direction
    refined = refine(
        se3.transform(two_view.R_a_b, position),
        rays_a[chosen],
        rays_b[chosen],
        inverse_depth[chosen],
        inverse_depth_sigma[chosen],
        camera.focal,
        config.match_noise_px,
        freedom,
    )
    inliers = np.zeros(len(matches), bool)
    inliers[chosen] = refined.error_px < max(config.ransac_threshold_px, 3.0 * refined.noise_px)
    if inliers.sum() < config.min_inliers or not np.isfinite(refined.T_a_b).all():
        return None
    covariance = refined.covariance + COVARIANCE_FLOOR + _undetermined(freedom, refined.T_a_b[:3, 3], baseline)
    return Motion(refined.T_a_b, covariance, inliers, two_view.parallax_px, freedom, refined.noise_px)


def position_from_depth(
    R_a_b: NDArray[np.float64],
    rays_a: NDArray[np.float64],
    rays_b: NDArray[np.float64],
    inverse_depth: NDArray[np.float64],
    noise: float,
) -> NDArray[np.float64]:
    """Return the (3,) position of camera b in a, its rotation being known, from points with depth.

    With u = R^T x_a and q = R^T p the image of the point is (u - rho q), so the two equations of each match are linear
    in q; they are solved by least squares, reweighted five times (Cauchy).
    """
    known = np.isfinite(inverse_depth)
    rho, b = inverse_depth[known], rays_b[known]
    u = np.column_stack([rays_a[known], np.ones(known.sum())]) @ R_a_b
    A = np.zeros((len(rho), 2, 3))
    A[:, 0, 0] = A[:, 1, 1] = rho
    A[:, :, 2] = -rho[:, None] * b
    y = u[:, :2] - b * u[:, 2:]
    weights = np.ones(len(rho))
    q = np.zeros(3)
    for _ in range(5):
        q = np.linalg.lstsq((A * weights[:, None, None]).reshape(-1, 3), (y * weights[:, None]).ravel(), rcond=None)[0]
        error = np.linalg.norm(A @ q - y, axis=1)
        weights = (1.0 + (error / max(2.0 * noise, float(np.median(error)))) ** 2) ** -0.5
    return np.asarray(R_a_b @ q)


def _freedom(two_view: TwoViewPose, has_depth: bool) -> Freedom:
    if has_depth:
        return Freedom.POSE
    return Freedom.ROTATION if two_view.geometry is TwoViewGeometry.ROTATION else Freedom.DIRECTION


def _undetermined(freedom: Freedom, position: NDArray[np.float64], baseline: float) -> NDArray[np.float64]:
    """(6, 6) covariance of the part of the translation that the matches do not determine: as large as itself."""
    covariance = np.zeros((6, 6))
    if freedom is Freedom.DIRECTION:
        covariance[:3, :3] = np.outer(position, position)
    elif freedom is Freedom.ROTATION:
        covariance[:3, :3] = baseline**2 * np.eye(3)
    return covariance
