"""The results of a run as a bag of ROS 2: the topics of the node, the match image as JPEG."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.messages.point_tables import MATCH_FIELDS, POINT_FIELDS, match_table, point_table
from loftr_ros.odometry.estimate import OdometryEstimate
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.odometry.states import TrackingState
from loftr_ros.reports.estimate_picture import draw_estimate
from loftr_ros.ros.transforms.frames import base_motion, camera_in_base
from loftr_ros.sequences.recordings.bag_writer import BagWriter, writing_bag

ODOM, BASE, CAMERA = "odom", "base_link", "camera_optical_frame"
_NAMESPACE = "/loftr"
_MIN_VARIANCE = 1e-9
_FLOAT32 = 7  # sensor_msgs/PointField
# The path is written whenever it has grown by this factor: in all five times its length, and not its square.
_GROWTH = 1.25
_LEVELS = {TrackingState.LOST: 2}


@contextmanager
def recording_run(path: Path, remark: str = "") -> Iterator[RunBag]:
    """Yield a bag to write the estimates to; see `RunBag`. Raises OutputError."""
    with writing_bag(path) as writer:
        bag = RunBag(writer, remark)
        try:
            yield bag
        finally:
            bag.finish()


class RunBag:
    """Writes each estimate; the base is the body of the camera (REP-103), at the origin of odom in the first frame."""

    def __init__(self, bag: BagWriter, remark: str = "") -> None:
        """Take an open writer; `remark` is on the whole run, for the diagnostics."""
        self._bag, self._remark = bag, remark
        self._T_base_camera = camera_in_base(0, 0, 0, 0, 0, 0)
        self._poses: list[Any] = []
        self._written = 0  # poses in the last path
        self._stamp_ns = 0

    def add(self, frame: Frame, estimate: OdometryEstimate) -> None:
        """Write the messages of a frame."""
        bag, stamp_ns = self._bag, estimate.stamp_ns
        if not self._poses:
            static = self._stamped_transform(stamp_ns, BASE, CAMERA, self._T_base_camera)
            bag.write("/tf_static", "tf2_msgs/TFMessage", stamp_ns, transforms=[static])
        motion = base_motion(estimate, self._T_base_camera, _MIN_VARIANCE)
        header, pose = bag.header(stamp_ns, ODOM), bag.pose(motion.T_odom_base)
        twist = bag.make(
            "geometry_msgs/Twist", linear=bag.vector(motion.twist[:3]), angular=bag.vector(motion.twist[3:])
        )
        covariances = motion.pose_covariance.ravel(), motion.twist_covariance.ravel()
        bag.write(
            f"{_NAMESPACE}/odometry",
            "nav_msgs/Odometry",
            stamp_ns,
            header=header,
            child_frame_id=BASE,
            pose=bag.make("geometry_msgs/PoseWithCovariance", pose=pose, covariance=covariances[0]),
            twist=bag.make("geometry_msgs/TwistWithCovariance", twist=twist, covariance=covariances[1]),
        )
        moving = self._stamped_transform(stamp_ns, ODOM, BASE, motion.T_odom_base)
        bag.write("/tf", "tf2_msgs/TFMessage", stamp_ns, transforms=[moving])
        self._write_diagnostics(estimate)
        self._write_cloud("matches", CAMERA, stamp_ns, MATCH_FIELDS, match_table(estimate))
        T_odom_camera = motion.T_odom_base @ self._T_base_camera
        self._write_cloud("points", ODOM, stamp_ns, POINT_FIELDS, point_table(estimate, T_odom_camera))
        self._write_match_image(frame, estimate)
        self._poses.append(bag.make("geometry_msgs/PoseStamped", header=header, pose=pose))
        self._stamp_ns = stamp_ns
        if len(self._poses) >= _GROWTH * self._written:
            self._write_path()

    def finish(self) -> None:
        """Write the whole path."""
        if len(self._poses) > self._written:
            self._write_path()

    def _write_path(self) -> None:
        header = self._bag.header(self._stamp_ns, ODOM)
        self._bag.write(f"{_NAMESPACE}/path", "nav_msgs/Path", self._stamp_ns, header=header, poses=self._poses)
        self._written = len(self._poses)

    def _stamped_transform(self, stamp_ns: int, parent: str, child: str, T: np.ndarray) -> Any:
        header, transform = self._bag.header(stamp_ns, parent), self._bag.transform(T)
        return self._bag.make(
            "geometry_msgs/TransformStamped", header=header, child_frame_id=child, transform=transform
        )

    def _write_cloud(
        self, topic: str, frame_id: str, stamp_ns: int, fields: tuple[str, ...], table: NDArray[np.float32]
    ) -> None:
        bag, step = self._bag, 4 * len(fields)
        named = enumerate(fields)
        bag.write(
            f"{_NAMESPACE}/{topic}",
            "sensor_msgs/PointCloud2",
            stamp_ns,
            header=bag.header(stamp_ns, frame_id),
            height=1,
            width=len(table),
            fields=[
                bag.make("sensor_msgs/PointField", name=name, offset=4 * i, datatype=_FLOAT32, count=1)
                for i, name in named
            ],
            is_bigendian=False,
            point_step=step,
            row_step=step * len(table),
            data=table.astype("<f4").view(np.uint8).ravel(),
            is_dense=True,
        )

    def _write_match_image(self, frame: Frame, estimate: OdometryEstimate) -> None:
        _, jpeg = cv2.imencode(".jpg", draw_estimate(frame, estimate, ""))
        self._bag.write(
            f"{_NAMESPACE}/match_image/compressed",
            "sensor_msgs/CompressedImage",
            estimate.stamp_ns,
            header=self._bag.header(estimate.stamp_ns, CAMERA),
            format="jpeg",
            data=jpeg.ravel(),
        )

    def _write_diagnostics(self, estimate: OdometryEstimate) -> None:
        bag = self._bag
        values = {
            "state": estimate.state.value,
            "remarks": ", ".join(estimate.remarks),
            "matches": str(estimate.num_matches),
            "inliers": str(estimate.num_inliers),
            "keyframe": str(estimate.is_keyframe).lower(),
            "scale known": str(estimate.scale_known).lower(),
            "processing (ms)": f"{sum(estimate.timings_ms.values()):.1f}",
        }
        if self._remark:
            values["calibration"] = self._remark
        warnings = "; ".join(warning.text for warning in estimate.input_warnings)
        status = bag.make(
            "diagnostic_msgs/DiagnosticStatus",
            level=_LEVELS.get(estimate.state, 1 if warnings else 0),
            name="loftr: odometry",
            message=warnings or estimate.state.value,
            hardware_id="",
            values=[bag.make("diagnostic_msgs/KeyValue", key=key, value=value) for key, value in values.items()],
        )
        header = bag.header(estimate.stamp_ns, "")
        bag.write("/diagnostics", "diagnostic_msgs/DiagnosticArray", estimate.stamp_ns, header=header, status=[status])
