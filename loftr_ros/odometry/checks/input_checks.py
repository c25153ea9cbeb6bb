"""All checks of the input, fed by `VisualOdometry` with what it computes anyway."""

from __future__ import annotations

from typing import Any

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.depth.depth_times import DepthTimes
from loftr_ros.odometry.checks.depth.depth_unit_check import DepthUnitCheck
from loftr_ros.odometry.checks.depth.registration_check import RegistrationCheck
from loftr_ros.odometry.checks.depth.repeated_depth import RepeatedDepth
from loftr_ros.odometry.checks.fixed_pattern import FixedPattern
from loftr_ros.odometry.checks.input_fault import InputWarning
from loftr_ros.odometry.checks.lens_check import LensCheck
from loftr_ros.odometry.checks.repeated_images import RepeatedImages
from loftr_ros.odometry.checks.row_check import RowCheck
from loftr_ros.odometry.checks.stereo.disparity_check import DisparityCheck
from loftr_ros.odometry.checks.stereo.stereo_check import StereoCheck
from loftr_ros.odometry.checks.still_scene import StillScene
from loftr_ros.odometry.geometry.normalized_matches import NormalizedMatches
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.mapping.keyframe import Keyframe
from loftr_ros.odometry.pose.estimator import RelativePoseEstimate
from loftr_ros.odometry.states import TrackingState

# Checks that accumulate evidence run on each of the first frames and motions, then on every third, in turns: faults are
# found without delay at the start, and within seconds later.
_SOON, _EVERY = 12, 3
# Lengths from depth images of another camera: 30 % too short in the corridor; 25 % too long with a wrong distortion.
_UNREGISTERED_SIGMA = 0.3
# ... and from depth images of up to 3 frames before: up to 6 % too short there.
_OTHER_TIME_SIGMA = 0.05


class InputChecks:
    """Accumulates evidence over frames.

    Attributes:
        repeated: which images of the last frame are those of the one before.
    """

    def __init__(self) -> None:
        """Start without any evidence."""
        self.repeated = RepeatedImages()
        self._rows = RowCheck()
        self._fixed_pattern, self._still_scene = FixedPattern(), StillScene()
        self._stereo, self._disparity = StereoCheck(), DisparityCheck()
        self._depth_unit, self._repeated_depth = DepthUnitCheck(), RepeatedDepth()
        self._registration, self._depth_times = RegistrationCheck(), DepthTimes()
        self._lens = LensCheck()
        self._frames = self._motions = 0

    def add_frame(self, frame: Frame, state: TrackingState | None) -> None:
        """Take the images of a frame, before anything is computed from them, and the state that the last one led to."""
        self.repeated.add(frame, state)
        self._repeated_depth.add_frame(frame, self.repeated.is_equal)
        self._depth_times.add_frame(frame)
        self._frames += 1
        if _is_due(self._frames, 0):
            self._rows.add_frame(frame.image)
        if frame.depth is not None and _is_due(self._frames, 1):
            self._depth_unit.add_depth(frame.depth)

    def add_pair(self, frame: Frame, matches: Matches) -> None:
        """Take a stereo pair.

        Args:
            frame: whose left and right image were matched.
            matches: left to right, polished, outliers included.
        """
        self._stereo.add_pair(frame, matches)

    @property
    def pair_gives_depth(self) -> bool:
        """Whether the disparities of the last stereo pair may be depth: those of swapped images are something else."""
        return self._stereo.gives_depth

    def add_motion(
        self,
        keyframe: Keyframe[Any],
        frame: Frame,
        matches: Matches,
        rays: NormalizedMatches,
        motion: RelativePoseEstimate,
    ) -> None:
        """Take a motion that was measured.

        Args:
            keyframe: image a of the matches, with the depth that they used.
            frame: image b.
            matches: polished, outliers included.
            rays: the same, with the depth that they used.
            motion: what they say.
        """
        self._repeated_depth.add_motion(keyframe, frame, matches, motion)
        self._motions += 1
        if _is_due(self._motions, 0):
            self._fixed_pattern.add_motion(frame.camera, matches, rays, motion)
        self._still_scene.add_motion()
        if self._stereo.has_pairs and _is_due(self._motions, 1):
            self._disparity.add_motion(keyframe, frame, rays, motion)
        self._lens.add_motion(rays, frame.camera, motion)
        if keyframe.frame.depth is not None:
            self._registration.add_motion(matches.points_a, rays, keyframe.frame.depth, frame.camera.focal, motion)
            self._depth_times.add_motion(keyframe, matches, rays, motion)

    def add_still(self, frame: Frame, matches: Matches) -> None:
        """Take a frame in which the camera stands still, by its matches."""
        self._still_scene.add_still(frame, matches)

    def length_sigma(self, frame: Frame, distance: float) -> float:
        """Return the standard deviation, as a share, of one factor on all lengths that the faults found so far cause.

        Args:
            frame: with the rig of the pair.
            distance: median distance of what it shows.
        """
        sigma = max(self._lens.length_sigma, _UNREGISTERED_SIGMA if self._registration.warning else 0.0)
        sigma = max(sigma, _OTHER_TIME_SIGMA if self._depth_times.warning else 0.0)
        if frame.rig is None:
            return sigma
        # A calibration that is off across the epipolar lines is likely to be off along them by as much.
        error_px = max(self._stereo.misalignment_px, abs(self._disparity.offset_px))
        return max(sigma, error_px * distance / (frame.rig.right.focal * frame.rig.baseline))

    @property
    def warnings(self) -> tuple[InputWarning, ...]:
        """The faults that the evidence shows now. Of two checks that see one fault, the one that names the cause."""
        found = (
            *self.repeated.warnings,
            self._rows.warning,
            self._fixed_pattern.warning or self._still_scene.warning,
            self._stereo.warning or self._disparity.warning,
            self._depth_unit.warning,
            self._repeated_depth.warning or self._depth_times.warning,
            self._registration.warning,
            self._lens.warning,
        )
        return tuple(warning for warning in found if warning is not None)


def _is_due(count: int, turn: int) -> bool:
    return count <= _SOON or count % _EVERY == turn
