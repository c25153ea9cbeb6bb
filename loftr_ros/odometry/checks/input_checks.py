"""All checks of the input, fed by `VisualOdometry` with what it computes anyway."""

from __future__ import annotations

from typing import Any

from loftr_ros.matches import Matches
from loftr_ros.odometry.checks.depth_unit_check import DepthUnitCheck
from loftr_ros.odometry.checks.frozen_depth_check import FrozenDepthCheck
from loftr_ros.odometry.checks.input_fault import InputWarning
from loftr_ros.odometry.checks.lens_check import LensCheck
from loftr_ros.odometry.checks.registration_check import RegistrationCheck
from loftr_ros.odometry.depth import CellDepths
from loftr_ros.odometry.frame import Frame
from loftr_ros.odometry.keyframe import Keyframe
from loftr_ros.odometry.motion import Motion
from loftr_ros.odometry.rays import RayMatches


class InputChecks:
    """Accumulates evidence over frames. All checks together take less than 1 ms a frame."""

    def __init__(self) -> None:
        """Start with no evidence."""
        self._depth_unit = DepthUnitCheck()
        self._frozen_depth = FrozenDepthCheck()
        self._registration = RegistrationCheck()
        self._lens = LensCheck()

    def add_frame(self, frame: Frame) -> None:
        """Take the images of a frame, before anything is computed from them."""
        if frame.depth is not None:
            self._depth_unit.add_depth(frame.depth)

    def add_pair(self, frame: Frame, matches: Matches, depths: CellDepths) -> None:
        """Take a stereo pair.

        Args:
            frame: whose left and right image were matched.
            matches: left to right, polished, outliers included.
            depths: of those that fit the rig.
        """

    def add_motion(
        self, keyframe: Keyframe[Any], frame: Frame, matches: Matches, rays: RayMatches, motion: Motion
    ) -> None:
        """Take a motion that was measured.

        Args:
            keyframe: image a of the matches, with the depth that they used.
            frame: image b.
            matches: polished, outliers included.
            rays: the same, with the depth that they used.
            motion: what they say.
        """
        self._lens.add_motion(rays, frame.camera, motion)
        if keyframe.frame.depth is not None and frame.depth is not None:
            depths = keyframe.frame.depth, frame.depth
            self._frozen_depth.add_motion(matches.points_b, rays, depths, motion)
            self._registration.add_motion(matches.points_a, rays, keyframe.frame.depth, frame.camera.focal, motion)

    @property
    def warnings(self) -> tuple[InputWarning, ...]:
        """The faults that the evidence shows now."""
        checks = (self._depth_unit, self._frozen_depth, self._registration, self._lens)
        return tuple(check.warning for check in checks if check.warning)
