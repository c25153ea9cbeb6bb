"""Visual odometry from LoFTR matches (arXiv 2104.00680), with and without ROS 2.

The names in `__all__` are the public API. They are imported on first use, so that `import loftr_ros` loads neither
PyTorch nor OpenCV. docs/architecture.md describes the packages and their dependencies.

    from loftr_ros import OdometryConfig, VisualOdometry, load_matcher, open_sequence

    odometry = VisualOdometry(load_matcher(), OdometryConfig(mode="stereo"))
    for frame in open_sequence("~/kitti/sequences/06", "stereo"):
        print(odometry.process(frame).T_odom_camera)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loftr_ros.errors import LoftrRosError
    from loftr_ros.evaluation.trajectory import Trajectory
    from loftr_ros.loftr.runtime.matcher import LoftrMatcher, load_matcher
    from loftr_ros.matches import Matcher, Matches
    from loftr_ros.odometry.config import OdometryConfig
    from loftr_ros.odometry.estimate import OdometryEstimate
    from loftr_ros.odometry.geometry.camera import Camera
    from loftr_ros.odometry.geometry.stereo_rig import StereoRig
    from loftr_ros.odometry.images.frame import Frame
    from loftr_ros.odometry.pose.relative_pose import RelativePose, relative_pose
    from loftr_ros.odometry.states import TrackingState
    from loftr_ros.odometry.visual_odometry import VisualOdometry
    from loftr_ros.sequences.formats import open_sequence
    from loftr_ros.sequences.sequence import Sequence

__version__ = "0.1.0"

__all__ = [
    "Camera",
    "Frame",
    "LoftrMatcher",
    "LoftrRosError",
    "Matcher",
    "Matches",
    "OdometryConfig",
    "OdometryEstimate",
    "RelativePose",
    "Sequence",
    "StereoRig",
    "TrackingState",
    "Trajectory",
    "VisualOdometry",
    "load_matcher",
    "open_sequence",
    "relative_pose",
]

_MODULES = {
    "Camera": "odometry.geometry.camera",
    "Frame": "odometry.images.frame",
    "LoftrMatcher": "loftr.runtime.matcher",
    "LoftrRosError": "errors",
    "Matcher": "matches",
    "Matches": "matches",
    "OdometryConfig": "odometry.config",
    "OdometryEstimate": "odometry.estimate",
    "RelativePose": "odometry.pose.relative_pose",
    "Sequence": "sequences.sequence",
    "StereoRig": "odometry.geometry.stereo_rig",
    "TrackingState": "odometry.states",
    "Trajectory": "evaluation.trajectory",
    "VisualOdometry": "odometry.visual_odometry",
    "load_matcher": "loftr.runtime.matcher",
    "open_sequence": "sequences.formats",
    "relative_pose": "odometry.pose.relative_pose",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module 'loftr_ros' has no attribute '{name}'")
    value = getattr(import_module(f"loftr_ros.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
