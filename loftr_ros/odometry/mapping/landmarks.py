"""Landmarks: the matched points of a keyframe in space."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.matches import Matches
from loftr_ros.odometry.geometry import se3
from loftr_ros.odometry.geometry.camera import Camera
from loftr_ros.odometry.geometry.normalized_matches import homogeneous
from loftr_ros.odometry.mapping.inverse_depth import CellDepths

# Largest relative standard deviation of the inverse depth of a landmark.
# assumed: beyond, a point cloud is more noise than scene; the poses do not depend on it.
_MAX_RELATIVE_SIGMA = 0.2


@dataclass(frozen=True)
class Landmarks:
    """Matches of a frame with their depth; the points are computed on demand.

    Attributes:
        camera: of the keyframe.
        matches: image a is the keyframe.
        depths: inverse depths of the keyframe's cells.
        T_keyframe_camera: (4, 4) pose of the frame.
        unit: scale of the estimate: its length of one unit of depths and pose.
    """

    camera: Camera
    matches: Matches
    depths: CellDepths
    T_keyframe_camera: Array
    unit: float = 1.0

    def points(self) -> Array:
        """Return the (N, 3) points of the matches in the camera frame of the frame; NaN where the depth is unknown."""
        value, sigma = self.depths.at(self.matches.cell_a)
        value[~(sigma < _MAX_RELATIVE_SIGMA * value)] = np.nan
        in_keyframe = homogeneous(self.camera.normalize(self.matches.points_a)) / value[:, None]
        T = se3.inverse(self.T_keyframe_camera)
        return np.asarray(self.unit * (in_keyframe @ T[:3, :3].T + T[:3, 3]))

    def scaled(self, unit: float) -> Landmarks:
        """Return the same in an estimate whose lengths are multiplied by `unit`."""
        return replace(self, unit=self.unit * unit)
