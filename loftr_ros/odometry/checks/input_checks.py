"""All input checks, on images, matches and motions that `VisualOdometry` computes anyway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.black_bars import BlackBars
from loftr_ros.odometry.checks.depth.changing_scale import ChangingScale
from loftr_ros.odometry.checks.depth.depth_delay import DepthDelay
from loftr_ros.odometry.checks.depth.depth_offset import DepthOffset
from loftr_ros.odometry.checks.depth.depth_unit_check import DepthUnitCheck
from loftr_ros.odometry.checks.depth.far_plane import FarPlaneCheck
from loftr_ros.odometry.checks.depth.registration_check import RegistrationCheck
from loftr_ros.odometry.checks.depth.repeated_depth import RepeatedDepth
from loftr_ros.odometry.checks.fixed_pattern import FixedPattern
from loftr_ros.odometry.checks.input_fault import InputWarning
from loftr_ros.odometry.checks.lens_check import LensCheck
from loftr_ros.odometry.checks.repeated_images import RepeatedImages
from loftr_ros.odometry.checks.row_check import RowCheck
from loftr_ros.odometry.checks.stationary_matches import StationaryMatches
from loftr_ros.odometry.checks.stereo.disparity_check import DisparityCheck
from loftr_ros.odometry.checks.stereo.hidden_scene import HiddenScene
from loftr_ros.odometry.checks.stereo.stereo_check import StereoCheck
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.pose.two_view import TwoViewGeometry
from loftr_ros.odometry.states import TrackingState
from loftr_ros.odometry.tracking.tracked_pose import TrackedPose

# Number of frames and motions after which accumulating checks run on every eighth only, in turns, to bound the cost:
# faults are detected at once at the start, and within seconds later.
_DENSE_COUNT, _CADENCE = 6, 8
# ... and every third for a moving object, which passes within seconds.
_OBJECT_CADENCE = 3
# Relative standard deviation of lengths with unregistered depth: 30 % too short with depth of another camera
# (corridor), 25 % too long with a wrong distortion.
_UNREGISTERED_SIGMA = 0.3
# ... and with delayed depth: up to 6 % too short for up to 3 frames (corridor).
_DELAYED_SIGMA = 0.05
# ... and with depth images without a common unit: 4.6 times too long to 4.6 times too short with the largest or median
# depth of each made the same (corridor, kitchen, desk, simulated room).
_SCALELESS_SIGMA = 3.0
# ... and with a pattern fixed to the camera: 3 % too long with a hood over 30 % of both images of a pair (KITTI 06).
_FIXED_SIGMA = 0.03
# ... and of the motion of an object that fills the view.
_OBJECT_SIGMA = 1.0


class InputChecks:
    """Runs all checks over frames, pairs and motions.

    Attributes:
        repeated: repetitions of images.
    """

    def __init__(self) -> None:
        """Start without frames."""
        self.repeated = RepeatedImages()
        self._rows, self._bars = RowCheck(), BlackBars()
        self._fixed_pattern, self._stationary_matches = FixedPattern(), StationaryMatches()
        self._stereo, self._disparity, self._hidden_scene = StereoCheck(), DisparityCheck(), HiddenScene()
        self._depth_unit, self._far_plane = DepthUnitCheck(), FarPlaneCheck()
        self._repeated_depth = RepeatedDepth()
        self._registration, self._depth_delay = RegistrationCheck(), DepthDelay()
        self._changing_scale, self._depth_offset = ChangingScale(), DepthOffset()
        self._lens = LensCheck()
        self._frames = self._motions = 0

    def add_frame(self, frame: Frame, state: TrackingState | None) -> None:
        """Add the images of a frame before tracking, and the tracking state of the last frame."""
        self.repeated.add(frame, state)
        self._repeated_depth.add_frame(frame, self.repeated.is_equal)
        self._depth_delay.add_frame(frame)
        self._frames += 1
        if _is_due(self._frames, 0):
            self._rows.add_frame(frame.image)
            self._bars.add_frame(frame.image)
        if frame.depth is not None and _is_due(self._frames, 3):
            self._depth_unit.add_depth(frame.depth)

    def add_pair(self, frame: Frame, matches: Matches) -> None:
        """Add a stereo pair.

        Args:
            frame: frame of the pair.
            matches: left to right, refined, outliers included.
        """
        self._stereo.add_pair(frame, matches)
        self._hidden_scene.add_pair(frame, matches)

    @property
    def pair_gives_depth(self) -> bool:
        """Whether the last stereo pair gives valid depth: not with swapped images, or images of different times."""
        return self._stereo.gives_depth

    def add_motion(
        self,
        keyframe: Keyframe[Any],
        frame: Frame,
        matches: Matches,
        normalized: NormalizedMatches,
        motion: RelativePoseEstimate,
    ) -> None:
        """Add a measured motion.

        Args:
            keyframe: image a of the matches, with its depth.
            frame: image b.
            matches: refined, outliers included.
            normalized: the same matches, normalized, with the depth used.
            motion: estimate from the matches.
        """
        self._repeated_depth.add_motion(frame, matches, normalized, motion)
        self._motions += 1
        if _is_due(self._motions, 0):
            self._fixed_pattern.add_motion(frame.camera, matches, normalized, motion)
        self._stationary_matches.add_motion()
        if self._stereo.has_pairs and _is_due(self._motions, 1):
            self._disparity.add_motion(keyframe, frame, normalized, motion)
        if self._stereo.has_pairs and _is_due(self._motions, 2, _OBJECT_CADENCE):
            T, is_general = motion.T_keyframe_camera, motion.geometry is TwoViewGeometry.GENERAL
            self._hidden_scene.add_motion(keyframe, frame, matches, normalized, T, motion.inliers, is_general)
        self._lens.add_motion(normalized, frame.camera, motion)
        if frame.depth is not None:
            self._far_plane.add_motion(frame.depth, motion)
        if keyframe.frame.depth is not None:
            self._registration.add_motion(
                matches.points_a, normalized, keyframe.frame.depth, frame.camera.focal, motion
            )
            self._depth_delay.add_motion(keyframe, matches, normalized, motion)
        if keyframe.frame.depth is not None and frame.depth is not None:
            if _is_due(self._motions, 4):
                duration_s = 1e-9 * (frame.stamp_ns - keyframe.frame.stamp_ns)
                self._changing_scale.add_motion(frame.depth, matches, normalized, motion, duration_s)
            depths = keyframe.frame.depth, frame.depth
            self._depth_offset.add_motion(depths, matches, normalized, frame.camera.focal, motion)

    def add_stationary(self, keyframe: Keyframe[Any], frame: Frame, matches: Matches, tracked: TrackedPose) -> None:
        """Add a frame without image motion, its matches against the keyframe, and the pose that is held."""
        self._stationary_matches.add_stationary(frame, matches)
        if self._stereo.has_pairs and _is_due(self._frames, 2, _OBJECT_CADENCE):
            T, normalized = tracked.T_keyframe_camera, keyframe.normalized(matches)
            self._hidden_scene.add_motion(keyframe, frame, matches, normalized, T, tracked.inliers, is_general=False)

    def length_sigma(self, frame: Frame, distance: Callable[[], float]) -> float:
        """Return the relative standard deviation of all lengths from the faults detected so far.

        Args:
            frame: with the stereo rig.
            distance: returns the median distance of its points, meters; called only if a fault depends on it.
        """
        is_wrong = self._registration.warning or self._far_plane.warning
        sigma = max(self._lens.length_sigma, self._registration.length_sigma, _UNREGISTERED_SIGMA if is_wrong else 0.0)
        sigma = max(sigma, _DELAYED_SIGMA if self._depth_delay.warning else 0.0)
        sigma = max(sigma, _SCALELESS_SIGMA if self._scale_warning else 0.0, self._depth_offset.length_sigma)
        sigma = max(sigma, _FIXED_SIGMA if self._fixed_pattern.warning else 0.0)
        sigma = max(sigma, _OBJECT_SIGMA if self._hidden_scene.is_present else 0.0)
        # A calibration error across the epipolar lines is likely as large along them.
        error_px = max(self._stereo.misalignment_px, abs(self._disparity.offset_px))
        if frame.rig is None or error_px == 0:
            return sigma
        return max(sigma, error_px * distance() / (frame.rig.right.focal * frame.rig.baseline))

    @property
    def _scale_warning(self) -> InputWarning | None:
        """The warning of a changing depth scale, which unregistered depth images have, too."""
        return None if self._registration.warning else self._changing_scale.warning

    @property
    def _offset_warning(self) -> InputWarning | None:
        """The warning of a depth offset, which other faults look like."""
        others = self._registration.warning, self._depth_delay.warning, self._repeated_depth.warning, self._lens.warning
        return None if any(others) else self._depth_offset.warning

    @property
    def focal_sigma(self) -> float:
        """Relative standard deviation of the focal length from the motion; infinite before an estimate."""
        return self._lens.focal_sigma

    @property
    def warnings(self) -> tuple[InputWarning, ...]:
        """Current warnings. If two checks detect one fault, the more specific one."""
        found = (
            *self.repeated.warnings,
            self._rows.warning,
            self._bars.warning,
            self._fixed_pattern.warning or self._stationary_matches.warning,
            self._stereo.warning or self._disparity.warning,
            self._depth_unit.warning,
            self._far_plane.warning,
            self._repeated_depth.warning or self._depth_delay.warning,
            self._registration.warning,
            self._scale_warning or self._offset_warning,
            self._hidden_scene.warning,
            self._lens.warning,
        )
        return tuple(warning for warning in found if warning is not None)


def _is_due(count: int, turn: int, cadence: int = _CADENCE) -> bool:
    return count <= _DENSE_COUNT or count % cadence == turn
