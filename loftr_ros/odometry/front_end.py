"""Visual front end: features, matches with sub-pixel refinement, and the inverse depth of stereo pairs."""

from __future__ import annotations

from typing import Generic

import numpy as np
from numpy.typing import NDArray

from loftr_ros.matches import FeaturesT, Matcher, Matches
from loftr_ros.odometry.checks.input_checks import InputChecks
from loftr_ros.odometry.config import OdometryConfig
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.robust import FEW
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.images.image_quality import ImageQuality
from loftr_ros.odometry.images.subpixel import refine_subpixel
from loftr_ros.odometry.mapping.inverse_depth import CellDepths, depths_from_stereo
from loftr_ros.odometry.mapping.keyframe import Keyframe, View
from loftr_ros.odometry.stage_clock import StageClock


class FrontEnd(Generic[FeaturesT]):
    """Matches views with each other, and the images of stereo pairs."""

    def __init__(self, matcher: Matcher[FeaturesT], config: OdometryConfig) -> None:
        """Use a matcher with the settings of sub-pixel refinement and stereo."""
        self._matcher, self._config = matcher, config
        self.pair_fits = True  # whether the last stereo pair fits its calibration

    def reconfigure(self, config: OdometryConfig) -> None:
        """Apply changed settings from the next frame on."""
        self._config = config

    def view(self, frame: Frame, quality: ImageQuality | None = None) -> View[FeaturesT]:
        """Extract the features of a frame; its quality is measured unless given."""
        return View(frame, self._matcher.extract(frame.image), quality or ImageQuality.of(frame.image))

    def match(self, keyframe: Keyframe[FeaturesT], view: View[FeaturesT], clock: StageClock | None = None) -> Matches:
        """Match a keyframe (image a) and a view (image b), with sub-pixel refinement; stages are timed by the clock."""
        clock = clock or StageClock()
        with clock("match"):
            matches = self._matcher.match(keyframe.features, view.features)
            matches = matches.valid(keyframe.frame.image.shape, view.frame.image.shape)
            matches = with_rays(matches, keyframe.frame.camera, view.frame.camera)
        with clock("subpixel"):
            return self._refined(keyframe.frame, view.frame.image, matches)

    def stereo_depths(self, view: View[FeaturesT], checks: InputChecks) -> CellDepths:
        """Return the depth of the cells of a view from its stereo pair; none in the other modes or from a faulty pair.

        Args:
            view: left image and its features.
            checks: take the matches of the pair, and reject pairs that are not of one time or not calibrated.
        """
        frame = view.frame
        if self._config.mode != "stereo" or frame.right is None or frame.rig is None:
            return CellDepths.empty()
        if checks.repeated.is_right_repeated:  # not of the time of the left one
            return CellDepths.empty()
        matches = self._matcher.match(view.features, self._matcher.extract(frame.right))
        matches = matches.valid(frame.image.shape, frame.right.shape)
        matches = with_rays(matches, frame.camera, frame.rig.right)
        matches = self._refined(frame, frame.right, matches, forward_backward=False)
        depths = depths_from_stereo(matches, frame.camera, frame.rig, self._config.ransac_threshold_px)
        checks.add_pair(frame, matches)
        # In a pair of different scenes, or of another calibration, a few matches have a depth by chance.
        fits = len(depths) >= self._config.min_inlier_ratio * len(matches) > 0
        self.pair_fits = fits and checks.pair_gives_depth
        # Noise makes a few percent of points at infinity look nearer; with no more the scale is unobservable.
        least = max(self._config.min_inliers, FEW * len(matches))
        return depths if self.pair_fits and depths.num_finite >= least else CellDepths.empty()

    def _refined(
        self, frame_a: Frame, image_b: NDArray[np.uint8], matches: Matches, forward_backward: bool = True
    ) -> Matches:
        if not self._config.subpixel_refinement:
            return matches
        max_shift_px = self._config.subpixel_max_shift_px
        return refine_subpixel(frame_a.structure_tensor, image_b, matches, max_shift_px, forward_backward)


def with_rays(matches: Matches, camera_a: Camera, camera_b: Camera) -> Matches:
    """Return the matches whose pixels have rays on the plane z = 1 in both cameras."""
    keep = camera_a.has_ray(matches.points_a) & camera_b.has_ray(matches.points_b)
    return matches if keep.all() else matches.select(keep)
