"""The matched points of a keyframe in space, for those who want to see them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import homogeneous
from loftr_ros.odometry.mapping.inverse_depth import CellDepths

# A point whose inverse depth is less certain than this, as a share of it, is not placed anywhere.
_LEAST_CERTAINTY = 0.2


@dataclass(frozen=True)
class Landmarks:
    """What is needed to place the matches of a frame; nothing is computed before somebody asks.

    Attributes:
        camera: of the keyframe.
        matches: image a is the keyframe.
        depths: of the keyframe's cells.
        T_keyframe_camera: (4, 4) pose of the frame.
        unit: length that a unit of depths and pose has in the estimate.
    """

    camera: Camera
    matches: Matches
    depths: CellDepths
    T_keyframe_camera: Array
    unit: float = 1.0

    def points(self) -> Array:
        """Return (N, 3) points in the camera frame of the frame, one a match; NaN where the depth is not known."""
        value, sigma = self.depths.at(self.matches.cell_a)
        value[~(sigma < _LEAST_CERTAINTY * value)] = np.nan
        in_keyframe = homogeneous(self.camera.normalize(self.matches.points_a)) / value[:, None]
        T = se3.inverse(self.T_keyframe_camera)
        return np.asarray(self.unit * (in_keyframe @ T[:3, :3].T + T[:3, 3]))

    def scaled(self, unit: float) -> Landmarks:
        """Return the same in an estimate whose lengths are so many times as long."""
        return replace(self, unit=self.unit * unit)
