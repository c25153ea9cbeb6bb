"""The frame that all later frames are matched against, and the depth of its cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from loftr_ros.arrays import Array
from loftr_ros.matches import FeaturesT, Matches
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.image_quality import ImageQuality
from loftr_ros.odometry.mapping.depth_image import depths_from_image
from loftr_ros.odometry.mapping.inverse_depth import CellDepths, PropagatedDepths, depths_from_motion, propagate
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.gauss_newton import ObservableDof

# What each step from keyframe to keyframe adds to the standard deviation of a scale that is carried along, as a share.
_DRIFT = 0.005


@dataclass(frozen=True)
class View(Generic[FeaturesT]):
    """A frame, and what its image alone tells.

    Attributes:
        frame: the images.
        features: what the matcher made of `frame.image`.
        quality: of `frame.image`.
    """

    frame: Frame
    features: FeaturesT
    quality: ImageQuality


@dataclass(frozen=True)
class Keyframe(View[FeaturesT]):
    """A view, where it was taken, and what is known of its depth. What changes makes a new one.

    Attributes:
        T_odom_camera: (4, 4) pose.
        covariance: (6, 6) of the pose, in the axes of odom.
        depths: by cell.
        carried: depth of the keyframe before, for cells that have none yet; None at the first.
        best_inliers: most inliers of any frame so far.
        drift: standard deviation of the scale that the depths have in common, as a share, where a metric scale has come
            from keyframe to keyframe without any new depth.
    """

    T_odom_camera: Array
    covariance: Array
    depths: CellDepths
    carried: PropagatedDepths | None = None
    best_inliers: int = 0
    drift: float = 0.0

    @staticmethod
    def first(view: View[FeaturesT], depths: CellDepths) -> Keyframe[FeaturesT]:
        """Return the keyframe at the origin of odom."""
        return Keyframe(view.frame, view.features, view.quality, np.eye(4), np.zeros((6, 6)), depths)

    def successor(
        self, view: View[FeaturesT], T_keyframe_camera: Array, covariance: Array, inliers: Matches, depths: CellDepths
    ) -> Keyframe[FeaturesT]:
        """Make a view the next keyframe.

        Args:
            view: that was matched against this one.
            T_keyframe_camera, covariance: its pose.
            inliers: matches along which the depth of this keyframe carries over.
            depths: what was measured at the view itself.
        """
        pose = self.in_odom(T_keyframe_camera, covariance)
        carried = propagate(inliers, view.frame.camera, self.depths, T_keyframe_camera, self.drift + _DRIFT)
        return Keyframe(view.frame, view.features, view.quality, *pose, depths, carried)

    def resampled(self, view: View[FeaturesT], seen: Matches | None, depths: CellDepths) -> Keyframe[FeaturesT]:
        """Return the same keyframe in other pixels, whose cells are others.

        Args:
            view: this one in the new pixels.
            seen: the last matches, whose cells have depth; None if nothing was matched yet.
            depths: what was measured at the new view.
        """
        carried = self.carried
        if seen is not None:
            same = replace(seen, points_b=seen.points_a)
            carried = propagate(same, self.frame.camera, self.depths, np.eye(4), self.drift)
        return Keyframe(view.frame, view.features, view.quality, self.T_odom_camera, self.covariance, depths, carried)

    def in_odom(self, T_keyframe_camera: Array, covariance: Array) -> tuple[Array, Array]:
        """Return the pose in odom and its (6, 6) covariance of what has this pose in the keyframe."""
        return self.T_odom_camera @ T_keyframe_camera, se3.composed_covariance(
            self.T_odom_camera, self.covariance, T_keyframe_camera, covariance
        )

    def rays(self, matches: Matches) -> NormalizedMatches:
        """Return the matches with this keyframe as rays, with the depth of their cells."""
        camera = self.frame.camera
        return NormalizedMatches(
            camera.normalize(matches.points_a),
            camera.normalize(matches.points_b),
            *self.depths.at(matches.cell_a),
            matches.covariance_b,
        )

    def distance(self, matches: Matches) -> float:
        """Return the median distance of what the matches show; 1, the unit, as long as no depth is known."""
        inverse_depth, _ = self.depths.at(matches.cell_a)
        known = inverse_depth[np.isfinite(inverse_depth) & (inverse_depth > 0)]
        return float(1.0 / np.median(known)) if len(known) else 1.0

    def with_depth_of(self, matches: Matches, config: OdometryConfig) -> Keyframe[FeaturesT]:
        """Look up the matched cells that have no depth yet in the depth image, and in the keyframe before.

        Where a stereo pair or a depth image measured most of them, the latter would add nothing to that.
        """
        depths, drift = self.depths, self.drift
        new = matches.select(~np.isin(matches.cell_a, depths.cells))
        if config.mode == "rgbd" and self.frame.depth is not None:
            depths = depths.completed(depths_from_image(new, self.frame.depth))
            new = new.select(~np.isin(new.cell_a, depths.cells))
        if self.carried is not None and len(new) > (0 if config.mode == "mono" else len(matches) / 2):
            carried = self.carried.at(self.frame.camera.normalize(new.points_a))
            if config.mode != "mono" and len(depths) < config.min_inliers:
                drift = self.carried.drift
            depths = depths.completed(CellDepths.of(new.cell_a, *carried))
        return replace(self, depths=depths, drift=drift)

    def with_triangulated_depth(
        self, matches: Matches, motion: RelativePoseEstimate | None, config: OdometryConfig
    ) -> Keyframe[FeaturesT]:
        """Take what a measured motion says: of a single camera, the depth of the cells."""
        if motion is None:
            return self
        depths = self.depths
        moved = motion.observable is not ObservableDof.ROTATION_ONLY and motion.parallax_px >= config.min_parallax_px
        if config.mode == "mono" and moved:
            seen = matches.select(motion.inliers)
            new = depths_from_motion(seen, self.frame.camera, motion.T_keyframe_camera, motion.noise_px)
            depths = depths.fused(new)
        return replace(self, depths=depths, best_inliers=max(self.best_inliers, int(motion.inliers.sum())))

    def should_replace(
        self, matches: Matches, motion: RelativePoseEstimate, config: OdometryConfig, tolerance_factor: float = 1.0
    ) -> bool:
        """Tell whether the frame that was just matched should be the keyframe of the next.

        A `tolerance_factor` above 1 relaxes the thresholds, for a degraded image that makes a poor successor.
        """
        if tolerance_factor * motion.inliers.sum() < config.keyframe_min_inlier_ratio * self.best_inliers:
            return True
        # Repeated texture may make most matches say that the image hardly moved.
        seen = matches.select(motion.inliers)
        moved_px = max(image_motion(one.points_a, one.points_b) for one in (matches, seen))
        return moved_px > tolerance_factor * config.keyframe_parallax_px


def image_motion(points_a: NDArray[np.float32], points_b: NDArray[np.float32]) -> float:
    """Return the median distance of (N, 2) points, pixels; infinite without any."""
    if len(points_a) == 0:
        return float("inf")
    return float(np.median(np.linalg.norm(points_b - points_a, axis=1)))
