"""Keyframe: the frame that later frames are matched against, its pose, and the inverse depth of its cells."""

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

# Scale drift per keyframe without new metric depth: relative standard deviation.
# assumed: for a few keyframes; with a single camera it is larger, `revisits._MONO_SCALE_SIGMA`.
_DRIFT = 0.005


@dataclass(frozen=True)
class View(Generic[FeaturesT]):
    """A frame with the features and quality of its image.

    Attributes:
        frame: the images.
        features: of `frame.image`, from the matcher.
        quality: of `frame.image`.
    """

    frame: Frame
    features: FeaturesT
    quality: ImageQuality


@dataclass(frozen=True)
class Keyframe(View[FeaturesT]):
    """A view with its pose and depth. Immutable: updates return a new one.

    Attributes:
        T_odom_camera: (4, 4) pose.
        covariance: (6, 6) of the pose, in the axes of odom (see `se3`).
        depths: inverse depths by cell.
        propagated: depth of the previous keyframe, for cells that have none yet; None at the first.
        best_inliers: largest number of inliers of any frame so far.
        drift: relative standard deviation of the common scale of the depths, where it is propagated from earlier
            keyframes instead of measured.
    """

    T_odom_camera: Array
    covariance: Array
    depths: CellDepths
    propagated: PropagatedDepths | None = None
    best_inliers: int = 0
    drift: float = 0.0

    @staticmethod
    def first(view: View[FeaturesT], depths: CellDepths) -> Keyframe[FeaturesT]:
        """Return the first keyframe, at the origin of odom."""
        return Keyframe(
            frame=view.frame,
            features=view.features,
            quality=view.quality,
            T_odom_camera=np.eye(4),
            covariance=np.zeros((6, 6)),
            depths=depths,
        )

    def successor(
        self, view: View[FeaturesT], T_keyframe_camera: Array, covariance: Array, inliers: Matches, depths: CellDepths
    ) -> Keyframe[FeaturesT]:
        """Return the next keyframe, with the depth of this one propagated to it.

        Args:
            view: matched against this keyframe.
            T_keyframe_camera, covariance: its (4, 4) pose in this keyframe, and (6, 6) covariance.
            inliers: matches along which depth is propagated.
            depths: measured at the view itself.
        """
        T_odom_camera, covariance = self.in_odom(T_keyframe_camera, covariance)
        return Keyframe(
            frame=view.frame,
            features=view.features,
            quality=view.quality,
            T_odom_camera=T_odom_camera,
            covariance=covariance,
            depths=depths,
            propagated=propagate(inliers, view.frame.camera, self.depths, T_keyframe_camera, self.drift + _DRIFT),
        )

    def resampled(self, view: View[FeaturesT], last: Matches | None, depths: CellDepths) -> Keyframe[FeaturesT]:
        """Return the keyframe at another resolution, whose cells are different ones.

        Args:
            view: this one at the new resolution.
            last: the last matches, whose depth is propagated; None if nothing was matched yet.
            depths: measured at the new view.
        """
        propagated = self.propagated
        if last is not None:
            in_place = replace(last, points_b=last.points_a)
            propagated = propagate(in_place, self.frame.camera, self.depths, np.eye(4), self.drift)
        return Keyframe(
            frame=view.frame,
            features=view.features,
            quality=view.quality,
            T_odom_camera=self.T_odom_camera,
            covariance=self.covariance,
            depths=depths,
            propagated=propagated,
        )

    def scaled(self, scale: float) -> Keyframe[FeaturesT]:
        """Return the keyframe with all lengths of its depths multiplied by a factor."""
        if scale == 1.0:
            return self
        return replace(
            self, depths=self.depths.scaled(scale), propagated=self.propagated and self.propagated.scaled(scale)
        )

    def in_odom(self, T_keyframe_camera: Array, covariance: Array) -> tuple[Array, Array]:
        """Return a pose relative to the keyframe, and its (6, 6) covariance, in odom."""
        return self.T_odom_camera @ T_keyframe_camera, se3.composed_covariance(
            self.T_odom_camera, self.covariance, T_keyframe_camera, covariance
        )

    def normalized(self, matches: Matches) -> NormalizedMatches:
        """Return matches against this keyframe in normalized coordinates, with the depth of their cells."""
        camera = self.frame.camera
        inverse_depth, sigma = self.depths.at(matches.cell_a)
        return NormalizedMatches(
            a=camera.normalize(matches.points_a),
            b=camera.normalize(matches.points_b),
            inverse_depth=inverse_depth,
            sigma=sigma,
            covariance_b=matches.covariance_b,
        )

    def median_depth(self, matches: Matches) -> float:
        """Return the median depth of the matches, meters or units; 1, the unit, while no depth is known."""
        inverse_depth, _ = self.depths.at(matches.cell_a)
        known = inverse_depth[np.isfinite(inverse_depth) & (inverse_depth > 0)]
        return float(1.0 / np.median(known)) if len(known) else 1.0

    def with_depth_of(self, matches: Matches, config: OdometryConfig) -> Keyframe[FeaturesT]:
        """Complete the depth of matched cells from the depth image, then from the previous keyframe.

        With a depth sensor the latter is used only if more than half of the matches lack depth.
        """
        depths, drift = self.depths, self.drift
        new = matches.select(~np.isin(matches.cell_a, depths.cells))
        if config.mode == "rgbd" and self.frame.depth is not None:
            depths = depths.completed(depths_from_image(new, self.frame.depth))
            new = new.select(~np.isin(new.cell_a, depths.cells))
        if self.propagated is not None and len(new) > (0 if config.mode == "mono" else len(matches) / 2):
            propagated = self.propagated.at(self.frame.camera.normalize(new.points_a))
            if config.mode != "mono" and len(depths) < config.min_inliers:
                drift = self.propagated.drift
            depths = depths.completed(CellDepths.of(new.cell_a, *propagated))
        return replace(self, depths=depths, drift=drift)

    def with_triangulated_depth(
        self, matches: Matches, motion: RelativePoseEstimate | None, config: OdometryConfig
    ) -> Keyframe[FeaturesT]:
        """Return the keyframe after a measured motion: a single camera fuses the triangulated depth of the inliers."""
        if motion is None:
            return self
        depths = self.depths
        has_translation = motion.observable is not ObservableDof.ROTATION_ONLY
        if config.mode == "mono" and has_translation and motion.parallax_px >= config.min_parallax_px:
            inliers = matches.select(motion.inliers)
            new = depths_from_motion(inliers, self.frame.camera, motion.T_keyframe_camera, motion.noise_px)
            depths = depths.fused(new)
        return replace(self, depths=depths, best_inliers=max(self.best_inliers, int(motion.inliers.sum())))

    def should_replace(
        self, matches: Matches, motion: RelativePoseEstimate, config: OdometryConfig, tolerance_factor: float = 1.0
    ) -> bool:
        """Return whether the frame just matched should become the keyframe: few inliers or much image motion.

        Args:
            matches, motion: of that frame.
            config: thresholds.
            tolerance_factor: above 1 relaxes them, for a degraded image that makes a poor keyframe.
        """
        if tolerance_factor * motion.inliers.sum() < config.keyframe_min_inlier_ratio * self.best_inliers:
            return True
        # Of the inliers, too: with repeated texture the median of all matches may hardly move.
        inliers = matches.select(motion.inliers)
        moved_px = max(image_motion(some.points_a, some.points_b) for some in (matches, inliers))
        return moved_px > tolerance_factor * config.keyframe_parallax_px


def image_motion(points_a: NDArray[np.float32], points_b: NDArray[np.float32]) -> float:
    """Return the median displacement of (N, 2) points, pixels; infinite without any."""
    if len(points_a) == 0:
        return float("inf")
    return float(np.median(np.linalg.norm(points_b - points_a, axis=1)))
