"""All checks of the input, fed by `VisualOdometry` with what it computes anyway."""

from __future__ import annotations

from typing import Any

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.disparity_check import DisparityCheck
from loftr_ros.odometry.checks.input_fault import InputWarning
from loftr_ros.odometry.checks.stereo_check import StereoCheck
from loftr_ros.odometry.depth import CellDepths
from loftr_ros.odometry.frame import Frame
from loftr_ros.odometry.keyframe import Keyframe
from loftr_ros.odometry.motion import Motion


class InputChecks:
    """Accumulates evidence over frames. All checks together take less than 1 ms a frame."""

    def __init__(self) -> None:
        """Start with no evidence."""
        self._stereo, self._disparity = StereoCheck(), DisparityCheck()

    def add_frame(self, frame: Frame) -> None:
        """Take the images of a frame, before anything is computed from them."""

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
        if self._stereo.has_pairs:
            self._disparity.add_motion(keyframe, frame, matches, motion)

    @property
    def warnings(self) -> tuple[InputWarning, ...]:
        """The faults that the evidence shows now."""
        found = (self._stereo.warning or self._disparity.warning,)  # the first is a cause of the second
        return tuple(warning for warning in found if warning is not None)
