"""Writes a sequence as a bag: the topics that `loftr-ros play` publishes, and the ground truth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from loftr_ros.evaluation.trajectory import Trajectory
from loftr_ros.messages.camera_info import fields_of_camera, fields_of_rig, is_rectified
from loftr_ros.odometry.images.frame import Frame
from loftr_ros.sequences.recordings.bag_writer import BagWriter, writing_bag

_FRAME = "camera_optical_frame"
_ENCODINGS = {"u1": "mono8", "f4": "32FC1"}


def write_sequence(
    path: Path,
    frames: Iterable[Frame],
    truth: Trajectory | None,
    namespace: str = "/loftr",
    *,
    compressed: bool = False,
) -> int:
    """Write frames and ground truth; return the number of frames.

    Images are `image_rect` if they are a rectified pair, else `image_raw`, each with its camera_info: left/ and right/
    of a pair, and depth/image in meters beside the image of an RGB-D camera.

    Args:
        path: of the bag, .mcap.
        frames: to write.
        truth: T_world_camera, or None.
        namespace: of the topics.
        compressed: write PNG, lossless, as CompressedImage; depth stays raw.

    Raises:
        OutputError: the file cannot be written.
    """
    count = 0
    with writing_bag(path) as bag:
        for frame in frames:
            _write_frame(bag, frame, namespace.rstrip("/"), compressed=compressed)
            count += 1
        for stamp_ns, T in zip(truth.stamps_ns.tolist(), truth.poses, strict=True) if truth else ():
            _write_truth(bag, stamp_ns, T, namespace.rstrip("/"))
    return count


def _write_frame(bag: BagWriter, frame: Frame, namespace: str, *, compressed: bool) -> None:
    if frame.rig is None or frame.right is None:
        cameras = [("", frame.image, fields_of_camera(frame.camera))]
        name = "image_raw"
    else:
        left, right = fields_of_rig(frame.camera, frame.rig)
        cameras = [("left/", frame.image, left), ("right/", frame.right, right)]
        name = "image_rect" if is_rectified(frame.camera, frame.rig) else "image_raw"
    for side, image, info in cameras:
        header = bag.header(frame.stamp_ns, f"{side}{_FRAME}")
        region = bag.make("sensor_msgs/RegionOfInterest", x_offset=0, y_offset=0, width=0, height=0, do_rectify=False)
        fields = {"header": header, **info, "binning_x": 0, "binning_y": 0, "roi": region}
        bag.write(f"{namespace}/{side}camera_info", "sensor_msgs/CameraInfo", frame.stamp_ns, **fields)
        _write_image(bag, f"{namespace}/{side}{name}", header, frame.stamp_ns, image, compressed=compressed)
    if frame.depth is not None:
        header = bag.header(frame.stamp_ns, _FRAME)
        _write_image(bag, f"{namespace}/depth/image", header, frame.stamp_ns, frame.depth, compressed=False)


def _write_image(
    bag: BagWriter, topic: str, header: Any, stamp_ns: int, pixels: NDArray[Any], *, compressed: bool
) -> None:
    if compressed:
        data = np.frombuffer(cv2.imencode(".png", pixels)[1].tobytes(), np.uint8)
        fields = {"header": header, "format": "mono8; png compressed", "data": data}
        bag.write(f"{topic}/compressed", "sensor_msgs/CompressedImage", stamp_ns, **fields)
        return
    fields = {
        "header": header,
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "encoding": _ENCODINGS[pixels.dtype.str[1:]],
        "is_bigendian": 0,
        "step": pixels[0].nbytes,
        "data": np.frombuffer(pixels.astype(pixels.dtype.newbyteorder("<")).tobytes(), np.uint8),
    }
    bag.write(topic, "sensor_msgs/Image", stamp_ns, **fields)


def _write_truth(bag: BagWriter, stamp_ns: int, T_world_camera: NDArray[np.float64], namespace: str) -> None:
    left = f"{namespace}/left/camera_info" in bag.topics
    bag.write(
        f"{namespace}/ground_truth",
        "geometry_msgs/TransformStamped",
        stamp_ns,
        header=bag.header(stamp_ns, "world"),
        child_frame_id=f"{'left/' if left else ''}{_FRAME}",
        transform=bag.transform(T_world_camera),
    )
