"""All checks of the input, fed by `VisualOdometry` with what it computes anyway."""

from __future__ import annotations

from typing import Any

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.disparity_check import DisparityCheck
from loftr_ros.odometry.checks.fixed_pattern import FixedPattern
from loftr_ros.odometry.checks.input_fault import InputWarning
from loftr_ros.odometry.checks.repeated_depth import RepeatedDepth
from loftr_ros.odometry.checks.repeated_images import RepeatedImages
from loftr_ros.odometry.checks.row_check import RowCheck
from loftr_ros.odometry.checks.stereo_check import StereoCheck
from loftr_ros.odometry.checks.still_scene import StillScene
from loftr_ros.odometry.depth import CellDepths
from loftr_ros.odometry.estimate import TrackingState
from loftr_ros.odometry.frame import Frame
from loftr_ros.odometry.keyframe import Keyframe
from loftr_ros.odometry.motion import Motion


class InputChecks:
    """Accumulates evidence over frames. All checks together take less than 1 ms a frame.

    Attributes:
        repeated: which images of the last frame are those of the one before.
    """

    def __init__(self) -> None:
        """Start without any evidence."""
        self.repeated = RepeatedImages()
        self._repeated_depth = RepeatedDepth()
        self._fixed_pattern = FixedPattern()
        self._still_scene = StillScene()
        self._rows = RowCheck()
        self._stereo, self._disparity = StereoCheck(), DisparityCheck()

    def add_frame(self, frame: Frame, state: TrackingState | None) -> None:
        """Take the images of a frame, before anything is computed from them, and the state that the last one led to."""
        self.repeated.add(frame, state)
        self._repeated_depth.add_frame(frame, self.repeated.is_equal)
        self._rows.add_frame(frame.image)

    def add_pair(self, frame: Frame, matches: Matches, depths: CellDepths) -> None:
        """Take a stereo pair.

        Args:
            frame: whose left and right image were matched.
            matches: left to right, polished, outliers included.
            depths: of those that fit the rig.
        """
        self._stereo.add_pair(frame, matches)

    @property
    def pair_gives_depth(self) -> bool:
        """Whether the disparities of the last stereo pair may be depth: those of swapped images are something else."""
        return self._stereo.gives_depth

    def add_motion(self, keyframe: Keyframe[Any], frame: Frame, matches: Matches, motion: Motion) -> None:
        """Take a motion that was measured.

        Args:
            keyframe: image a of the matches, with the depth that they used.
            frame: image b.
            matches: polished, outliers included.
            motion: what they say.
        """
        self._repeated_depth.add_motion(keyframe, frame, matches, motion)
        self._fixed_pattern.add_motion(keyframe, matches, motion)
        self._still_scene.add_motion()
        if self._stereo.has_pairs:
            self._disparity.add_motion(keyframe, frame, matches, motion)

    def add_still(self, frame: Frame, matches: Matches) -> None:
        """Take a frame in which the camera stands still, by its matches."""
        self._still_scene.add_still(frame, matches)
        if self._stereo.has_pairs:
            self._disparity.add_motion(keyframe, frame, matches, motion)

    @property
    def warnings(self) -> tuple[InputWarning, ...]:
        """The faults that the evidence shows now."""
        fixed = self._fixed_pattern.warning or self._still_scene.warning
        pair = self._stereo.warning or self._disparity.warning  # the first is a cause of the second
        single = (self._repeated_depth.warning, fixed, self._rows.warning, pair)
        return (*self.repeated.warnings, *(warning for warning in single if warning))
