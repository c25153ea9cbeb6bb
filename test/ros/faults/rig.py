"""A stereo camera that can fail in many ways, and a consumer that checks what the node publishes: for the sessions."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CameraInfo, Image

from loftr_ros.ros.messages.time import nanoseconds, time_message

SIDES = ("left", "right")
FOCAL, BASELINE = 260.0, 0.2  # of the rendered sequence
NOISES = 13


@dataclass
class Camera:
    """What the camera does now; the faults change it.

    Attributes:
        rate: pairs a second.
        sides: that publish.
        delay_s: of the right images, which keep their stamps.
        loss: share of the images that are lost.
        scale: of the size of the images.
        has_info: whether camera_info is published.
        offset_ns: of the stamps; `once_ns` of the next one only.
        damage: changes an image message.
        jump: whether it shows any picture next, as if it was carried off.
    """

    rate: float = 5.0
    sides: tuple[str, ...] = SIDES
    delay_s: float = 0.0
    loss: float = 0.0
    scale: float = 1.0
    has_info: bool = True
    offset_ns: int = 0
    once_ns: int = 0
    damage: Callable[[Image], None] = lambda image: None
    jump: bool = False


@dataclass
class Heard:
    """An odometry message: when it arrived (monotonic), its stamp, the newest stamp sent by then, and its latency."""

    time: float
    stamp_ns: int
    newest_ns: int
    latency_s: float


@dataclass
class Rig:
    """Camera and consumer in this process; the node is another one."""

    sequence: Path
    camera: Camera = field(default_factory=Camera)
    size: tuple[int, int] | None = None  # width and height to enlarge and crop the pictures to
    heard: list[Heard] = field(default_factory=list)
    diagnostics: list[tuple[float, int, str, dict[str, str]]] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        rclpy.init()
        self.node = rclpy.create_node("rig", namespace="/loftr")
        self._pictures = [
            {side: self._picture(path) for side, path in zip(SIDES, pair, strict=True)}
            for pair in zip(*(sorted((self.sequence / f"image_{c}").iterdir()) for c in range(2)), strict=True)
        ]
        count = len(self._pictures)
        self._order = itertools.cycle([*range(count), *range(count - 2, 0, -1)])
        self._newest_ns = self.sent = 0
        self._random = random.Random(1)
        # Sensor noise: a number of patterns that is prime, so that an image is not the same when the camera returns.
        self._noise = itertools.cycle(
            np.random.default_rng(1).integers(0, 2, (NOISES, *self._pictures[0]["left"].shape), np.uint8)
        )
        self.connect()
        self.node.create_subscription(Odometry, "odometry", self._on_odometry, 50)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 50)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        threading.Thread(target=self._executor.spin, daemon=True).start()
        threading.Thread(target=self._publish, daemon=True).start()

    def _picture(self, path: Path) -> Any:
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if self.size is None:
            return picture
        width, height = self.size
        large = cv2.resize(picture, (width, width * picture.shape[0] // picture.shape[1]))
        margin = (large.shape[0] - height) // 2  # the principal point stays in the middle
        return np.ascontiguousarray(large[margin : margin + height])

    def connect(self) -> None:
        """Create the publishers of the camera."""
        self._publishers = {
            side: (
                self.node.create_publisher(Image, f"{side}/image", 5),
                self.node.create_publisher(CameraInfo, f"{side}/camera_info", 5),
            )
            for side in SIDES
        }

    def disconnect(self) -> None:
        """Remove the publishers, as the end of a driver does."""
        publishers, self._publishers = self._publishers, {}
        time.sleep(0.3)  # the thread may be publishing
        for publisher in itertools.chain(*publishers.values()):
            self.node.destroy_publisher(publisher)

    def _publish(self) -> None:
        due = time.monotonic()
        while True:
            camera = self.camera
            if camera.jump:
                camera.jump = False
                for _ in range(self._random.randrange(1, 10)):
                    next(self._order)
            pictures, stamp_ns = self._pictures[next(self._order)], time.time_ns() + camera.offset_ns + camera.once_ns
            camera.once_ns = 0
            self.sent += 1
            if camera.sides:
                self._newest_ns = stamp_ns
            for side in SIDES:
                if side not in camera.sides or self._random.random() < camera.loss:
                    continue
                delay = camera.delay_s if side == "right" else 0.0
                if delay:
                    threading.Timer(delay, self._send, (side, pictures[side], stamp_ns, camera)).start()
                else:
                    self._send(side, pictures[side], stamp_ns, camera)
            due = max(due + 1 / camera.rate, time.monotonic() - 0.1)
            time.sleep(max(due - time.monotonic(), 0.0))

    def _send(self, side: str, picture: Any, stamp_ns: int, camera: Camera) -> None:
        publishers = self._publishers.get(side)
        if publishers is None:
            return
        picture = picture ^ next(self._noise)
        if camera.scale != 1.0:
            picture = cv2.resize(picture, None, fx=camera.scale, fy=camera.scale, interpolation=cv2.INTER_AREA)
        height, width = picture.shape
        image = Image(height=height, width=width, step=width, encoding="mono8")
        image.data.frombytes(picture.tobytes())
        image.header.stamp = time_message(stamp_ns)
        image.header.frame_id = f"{side}_optical_frame"
        camera.damage(image)
        if camera.has_info:
            publishers[1].publish(info(side, width, height, image.header))
        publishers[0].publish(image)

    def _on_odometry(self, message: Odometry) -> None:
        stamp_ns = nanoseconds(message.header.stamp)
        latency_s = 1e-9 * (time.time_ns() + self.camera.offset_ns - stamp_ns)
        self.heard.append(Heard(time.monotonic(), stamp_ns, self._newest_ns, latency_s))
        if fault := unusable(message):
            self.invalid.append(fault)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if "vo" in status.name:
                values = {value.key: value.value for value in status.values}
                self.diagnostics.append((time.monotonic(), status.level[0], status.message, values))

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition; returns whether it came true in time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def is_tracking(self, since: float) -> bool:
        """Return whether odometry came since a time, and the diagnostics say that it is measured."""
        states = [values.get("state") for at, level, _, values in self.diagnostics if at > since and level < 2]
        return any(h.time > since for h in self.heard) and bool({"tracking", "stationary"} & set(states))


def info(side: str, width: int, height: int, header: Any) -> CameraInfo:
    """Return the calibration of a camera of the pair at this size."""
    scale = width / 320
    focal, x, y = FOCAL * scale, width / 2 - 0.5, height / 2 - 0.5
    shift = -focal * BASELINE if side == "right" else 0.0
    message = CameraInfo(header=header, width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5)
    message.k = [focal, 0.0, x, 0.0, focal, y, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    message.p = [focal, 0.0, x, shift, 0.0, focal, y, 0.0, 0.0, 0.0, 1.0, 0.0]
    return message


def unusable(message: Odometry) -> str:
    """Return why a consumer would refuse this odometry; empty if it would not."""
    pose, twist = message.pose.pose, message.twist.twist
    q = np.array([pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w])
    vectors = (pose.position, twist.linear, twist.angular)
    numbers = np.array([getattr(vector, axis) for vector in vectors for axis in "xyz"])
    if not np.isfinite(numbers).all() or not abs(q @ q - 1) < 1e-4:
        return f"numbers {numbers} and quaternion {q}"
    for covariance in (message.pose.covariance, message.twist.covariance):
        C = np.reshape(covariance, (6, 6))
        if not np.isfinite(C).all() or np.abs(C).max() > 1e9 or np.linalg.eigvalsh(C).min() <= 0:
            return f"covariance {C.tolist()}"
    return ""
