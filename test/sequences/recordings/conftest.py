"""Writes small bags of every kind."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rosbags import rosbag1, rosbag2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

WIDTH, HEIGHT = 64, 48
K = [50.0, 0.0, 31.0, 0.0, 50.0, 23.0, 0.0, 0.0, 1.0]
START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000


class BagMaker:
    """Writes messages to a bag: .bag, .db3 or .mcap by the suffix; the file or folder is `path` after `close`."""

    def __init__(self, path: Path, compression: str = "") -> None:
        self.path = path
        self.is_ros1 = path.suffix == ".bag"
        self.types = get_typestore(Stores.ROS1_NOETIC if self.is_ros1 else Stores.ROS2_HUMBLE)
        if self.is_ros1:
            transforms = "geometry_msgs/TransformStamped[] transforms"
            self.types.register(get_types_from_msg(transforms, "tf2_msgs/msg/TFMessage"))
        self.connections: dict[str, Any] = {}
        if self.is_ros1:
            self.writer: Any = rosbag1.Writer(path)
            if compression:
                self.writer.set_compression(rosbag1.Writer.CompressionFormat[compression.upper()])
        else:
            plugin = rosbag2.StoragePlugin.SQLITE3 if path.suffix == ".db3" else rosbag2.StoragePlugin.MCAP
            self.writer = rosbag2.Writer(path.with_suffix(""), version=9, storage_plugin=plugin)
            if compression:
                self.writer.set_compression(
                    rosbag2.CompressionMode[compression.upper()], rosbag2.CompressionFormat.ZSTD
                )
        self.writer.open()

    def make(self, kind: str, **fields: Any) -> Any:
        """Make a message or a part of one."""
        return self.types.types[kind](**fields)

    def header(self, stamp_ns: int, frame: str) -> Any:
        stamp = self.make("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        return self.make("std_msgs/msg/Header", **({"seq": 0} if self.is_ros1 else {}), stamp=stamp, frame_id=frame)

    def add(self, topic: str, kind: str, recorded_ns: int, **fields: Any) -> None:
        """Write a message."""
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(topic, kind, typestore=self.types)
        serialize = self.types.serialize_ros1 if self.is_ros1 else self.types.serialize_cdr
        self.writer.write(self.connections[topic], recorded_ns, serialize(self.make(kind, **fields), kind))

    def image(
        self,
        topic: str,
        stamp_ns: int,
        pixels: NDArray[Any],
        encoding: str = "mono8",
        frame: str = "camera",
        recorded_ns: int = 0,
        **changes: Any,
    ) -> None:
        fields = {
            "header": self.header(stamp_ns, frame),
            "height": pixels.shape[0],
            "width": pixels.shape[1],
            "encoding": encoding,
            "is_bigendian": 0,
            "step": pixels[0].nbytes,
            "data": np.frombuffer(pixels.tobytes(), np.uint8),
        }
        self.add(topic, "sensor_msgs/msg/Image", recorded_ns or stamp_ns + 5_000_000, **fields | changes)

    def compressed(self, topic: str, stamp_ns: int, data: bytes, form: str = "png", frame: str = "camera") -> None:
        header, content = self.header(stamp_ns, frame), np.frombuffer(data, np.uint8)
        self.add(
            topic, "sensor_msgs/msg/CompressedImage", stamp_ns + 5_000_000, header=header, format=form, data=content
        )

    def info(self, topic: str, stamp_ns: int, frame: str = "camera", baseline: float = 0.0, **changes: Any) -> None:
        roi = {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False}
        fields = {
            "header": self.header(stamp_ns, frame),
            "height": HEIGHT,
            "width": WIDTH,
            "distortion_model": "plumb_bob",
            "d": np.zeros(5),
            "k": np.array(K),
            "r": np.eye(3).ravel(),
            "p": np.array([*K[:3], -K[0] * baseline, *K[3:6], 0.0, *K[6:], 0.0]),
            "binning_x": 0,
            "binning_y": 0,
            "roi": self.make("sensor_msgs/msg/RegionOfInterest", **roi),
        } | changes
        if self.is_ros1:
            fields = {name.upper() if len(name) == 1 else name: value for name, value in fields.items()}
        self.add(topic, "sensor_msgs/msg/CameraInfo", stamp_ns + 4_000_000, **fields)

    def pose(self, T: NDArray[np.float64], quaternion: tuple[float, float, float, float] = (0, 0, 0, 1)) -> Any:
        x, y, z = map(float, T)
        qx, qy, qz, qw = map(float, quaternion)
        return self.make(
            "geometry_msgs/msg/Pose",
            position=self.make("geometry_msgs/msg/Point", x=x, y=y, z=z),
            orientation=self.make("geometry_msgs/msg/Quaternion", x=qx, y=qy, z=qz, w=qw),
        )

    def odometry(self, topic: str, stamp_ns: int, T: Any, child: str = "base_link") -> None:
        zero = self.make("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)
        twist = self.make("geometry_msgs/msg/Twist", linear=zero, angular=zero)
        covariance = np.zeros(36)
        self.add(
            topic,
            "nav_msgs/msg/Odometry",
            stamp_ns,
            header=self.header(stamp_ns, "world"),
            child_frame_id=child,
            pose=self.make("geometry_msgs/msg/PoseWithCovariance", pose=self.pose(T), covariance=covariance),
            twist=self.make("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=covariance),
        )

    def transform(self, topic: str, stamp_ns: int, parent: str, child: str, T: Any, q: Any = (0, 0, 0, 1)) -> None:
        """Write a transform: to /tf_static or /tf."""
        x, y, z = map(float, T)
        qx, qy, qz, qw = map(float, q)
        one = self.make(
            "geometry_msgs/msg/TransformStamped",
            header=self.header(stamp_ns, parent),
            child_frame_id=child,
            transform=self.make(
                "geometry_msgs/msg/Transform",
                translation=self.make("geometry_msgs/msg/Vector3", x=x, y=y, z=z),
                rotation=self.make("geometry_msgs/msg/Quaternion", x=qx, y=qy, z=qz, w=qw),
            ),
        )
        self.add(topic, "tf2_msgs/msg/TFMessage", stamp_ns, transforms=[one])

    def close(self) -> Path:
        """End the bag, and return the file of a bag of ROS 1, the folder of a bag of ROS 2."""
        self.writer.close()
        return self.path if self.is_ros1 else self.path.with_suffix("")

    def close_as_file(self) -> Path:
        """End the bag, and return its single file, without metadata.yaml."""
        folder = self.close()
        if self.is_ros1:
            return folder
        shutil.move(next(folder.glob(f"*{self.path.suffix}")), self.path)
        shutil.rmtree(folder)
        return self.path


@pytest.fixture
def make_bag(tmp_path: Path) -> Callable[..., BagMaker]:
    """Begin a bag of a name, whose suffix is its kind."""
    return lambda name, compression="": BagMaker(tmp_path / name, compression)
