"""Ground truth and wheel odometry in a bag: poses on a topic or in /tf; the truth is moved to the camera by tf."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from loftr_ros.arrays import Array
from loftr_ros.errors import shortened
from loftr_ros.evaluation.trajectory import Trajectory, TrajectoryError, checked_trajectory
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.recordings.bag_frames import DYNAMIC_TOPIC, FixedFrames, frame_name, matrix

_ODOMETRY, _POSE, _TRANSFORM, _TF = (
    "nav_msgs/msg/Odometry",
    "geometry_msgs/msg/PoseStamped",
    "geometry_msgs/msg/TransformStamped",
    "tf2_msgs/msg/TFMessage",
)
_TYPES = (_ODOMETRY, _POSE, _TRANSFORM)
# Names of the truth; other poses may be those of wheels or of another odometry.
_IS_TRUTH = re.compile(r"(^|[^a-z])gt([^a-z]|$)|ground_?truth|vicon|mocap|optitrack|vrpn", re.IGNORECASE)


class PoseSource(NamedTuple):
    """A source of poses: a topic, and for /tf the frames whose transform it is."""

    topic: str
    parent: str = ""
    child: str = ""


def choose_truth(
    topics: Mapping[str, str], requested: str | None, bag: str
) -> tuple[PoseSource | None, tuple[str, ...]]:
    """Return the ground truth by its name or as requested, and notes.

    Args:
        topics: types by topic.
        requested: a topic, or /tf:PARENT:CHILD; None: the only one whose name tells it.
        bag: name for messages.

    Raises:
        SequenceError: there are no poses on the requested topic.
    """
    poses = sorted(name for name, kind in topics.items() if kind in _TYPES)
    if requested is not None:
        return requested_poses(topics, "truth", requested, bag), ()
    named = [name for name in poses if _IS_TRUTH.search(name)]
    if len(named) == 1:
        return PoseSource(named[0]), (f"the ground truth is {named[0]} ({topics[named[0]]})",)
    if poses:
        which = f"{len(named)} topics could be" if named else "none is named so, but these may be"
        listed = shortened(", ".join(named or poses), 300)
        return None, (f"no ground truth is used: {which} it, {listed}; --topics truth=TOPIC chooses",)
    return None, ()


def requested_poses(topics: Mapping[str, str], role: str, requested: str, bag: str) -> PoseSource:
    """Return the source of poses that the user names.

    Args:
        topics: types by topic.
        role: of the poses, for messages.
        requested: a topic, or /tf:PARENT:CHILD.
        bag: name for messages.

    Raises:
        SequenceError: there are no poses.
    """
    topic, *frames = requested.split(":")
    if topics.get(topic) == _TF and len(frames) == 2:
        return PoseSource(topic, *map(frame_name, frames))
    poses = sorted(name for name, kind in topics.items() if kind in _TYPES)
    if topic in poses and not frames:
        return PoseSource(topic)
    listed = f"on {shortened(', '.join(poses), 300)}" if poses else "nowhere"
    raise SequenceError(
        f"{bag} has no poses on {requested}; it has them {listed}; for those of a frame give "
        f"{role}={DYNAMIC_TOPIC}:PARENT:CHILD."
    )


class RecordedPoses:
    """Collects the poses of a source."""

    def __init__(self, source: PoseSource) -> None:
        """Start with none."""
        self._source = source
        self._poses: dict[int, Array] = {}
        self._child = source.child

    def add(self, message: Any) -> None:
        """Take a message of the topic."""
        for one in getattr(message, "transforms", (message,)):
            child = frame_name(getattr(one, "child_frame_id", ""))
            if self._source.child and (frame_name(one.header.frame_id), child) != (
                self._source.parent,
                self._source.child,
            ):
                continue
            pose = _pose(one)
            if pose is not None:
                stamp = one.header.stamp
                self._poses.setdefault(int(stamp.sec) * 10**9 + int(stamp.nanosec), pose)
                self._child = child

    def of_camera(
        self, frames: FixedFrames, camera_frame: str, bag: Path
    ) -> tuple[Trajectory | None, str, tuple[str, ...]]:
        """Return T_world_camera, the error of poses that are not valid, and notes.

        Args:
            frames: fixed transforms.
            camera_frame: of the left or only camera.
            bag: for messages.
        """
        try:
            return self._of_camera(frames, camera_frame, bag)
        except TrajectoryError as error:
            return None, str(error), ()

    def _of_camera(self, frames: FixedFrames, camera_frame: str, bag: Path) -> tuple[Trajectory, str, tuple[str, ...]]:
        world = self.trajectory(bag)
        source, child = self._source, self._child
        notes: tuple[str, ...] = ()
        T_child_camera = frames.find(child, camera_frame) if child else None
        if T_child_camera is None:
            T_child_camera = np.eye(4)
            moving = f"of the frame '{child}', and tf has no fixed transform to" if child else "not of the frame"
            notes = (f"the poses on {source.topic} are {moving} '{camera_frame}': taking them as those of the camera",)
        return checked_trajectory(bag, world.stamps_ns, world.poses @ T_child_camera), "", notes

    def trajectory(self, bag: Path) -> Trajectory:
        """Return the poses in their own frames, in order of time. Raises TrajectoryError."""
        source, poses = self._source, self._poses
        if len(poses) < 2:
            what = f"{source.topic} from {source.parent} to {source.child}" if source.child else source.topic
            raise TrajectoryError(f"{bag} has {len(poses)} valid poses on {what}.")
        stamps = sorted(poses)
        return checked_trajectory(bag, np.array(stamps, np.int64), np.array([poses[stamp] for stamp in stamps]))


def _pose(message: Any) -> Array | None:
    if hasattr(message, "transform"):
        return matrix(message.transform.translation, message.transform.rotation)
    pose = message.pose.pose if hasattr(message.pose, "pose") else message.pose
    return matrix(pose.position, pose.orientation)
